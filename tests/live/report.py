"""What is printed of a demo on its way, and what of it did not come out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
import re
from typing import Any

from .home_assistant import FlowStep

DOMAIN = "media_scrobbler"

# Where a line of the log is about the integration, be it by itself or by Home Assistant.
OURS = re.compile(
    r"custom_components[./]media_scrobbler|"
    r"(integration|domain|for|of|platform) '?media_scrobbler\b"
)

# A record and what follows it up to the next, such as a traceback.
_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)
_COMPLAINT = re.compile(r"^\S+ \S+ (ERROR|WARNING|CRITICAL) |^Traceback ", re.MULTILINE)
_DETAILS = re.compile(r"^\S+ \S+ DEBUG .* Full exception$", re.MULTILINE)


@dataclass
class Report:
    """What is printed on the way, and what went wrong."""

    checked: int = 0
    problems: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Begin a part of the evening."""
        print(f"\n{text}")

    def note(self, text: str) -> None:
        """Print a line that checks nothing."""
        print(f"  {text}")

    def check(self, good: bool, text: str, details: str = "") -> bool:
        """Print a line about something that was checked."""
        self.checked += 1
        print(f"  {'ok ' if good else 'BAD'}  {text}")
        if not good:
            self.problems.append(f"{text}: {details}" if details else text)
            if details:
                print(f"         {details}")
        return good

    def log(self, text: str, *, but: Collection[str] = ()) -> None:
        """See that the integration had nothing to complain of, but what is expected.

        What Home Assistant adds for those who debug belongs to what it has said before.
        """
        bad = [
            record
            for record in _RECORD.split(text)
            if OURS.search(record)
            and _COMPLAINT.search(record)
            and not _DETAILS.search(record)
            and "has not been tested by Home Assistant" not in record
            and not any(expected in record for expected in but)
        ]
        self.check(
            not bad, "No error and no warning of the integration", "\n".join(bad)
        )

    def webhook(
        self,
        server: str,
        account: str,
        event: str,
        label: str,
        answer: Mapping[str, Any],
        problem: str | None,
    ) -> None:
        """Print a webhook and what became of it, on one line."""
        self.checked += 1
        outcome = answer.get("outcome", "no answer")
        reason = answer.get("reason") or ""
        print(
            f"  {'BAD' if problem else 'ok '}  {server:<8}  {account:<5}  {event:<25}  "
            f"{label:<34.34}  {outcome:<8}  {reason}"
        )
        if problem:
            print(f"         {problem}")
            self.problems.append(f"{server} {event} {label} by {account}: {problem}")


def walked(steps: list[FlowStep]) -> str:
    """Return the steps of a flow on one line."""
    return " > ".join(
        f"{step.type} {step.step_id or step.reason or ''}".rstrip() for step in steps
    )
