"""What the parts of the benchmark have in common: rows, and a Home Assistant with a probe."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from .home_assistant import LiveHomeAssistant
from .senders import Run, request, send_all

PROBE = Path(__file__).parent / "probe"
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    goal: str
    reached: bool


class Bench:
    """A Home Assistant that is measured."""

    def __init__(self, hass: LiveHomeAssistant) -> None:
        """Take the running Home Assistant; the probe has to be its companion."""
        self.hass = hass
        self.rows: list[Row] = []

    def row(self, what: str, measured: str, goal: str, *, reached: bool) -> None:
        """Add a line and print it."""
        self.rows.append(Row(what, measured, goal, reached))
        print(f"  {what}: {measured} (goal: {goal})", flush=True)

    async def send(self, requests: Iterator[bytes] | list[bytes], senders: int) -> Run:
        """Send requests to this Home Assistant."""
        return await send_all(self.hass.port, requests, senders)

    async def measured(self) -> dict[str, float]:
        """Return what the probe has measured since the last call."""
        run = await self.send([request(self.probe("measured"), b"", "text/plain")], 1)
        result: dict[str, float] = orjson.loads(run.sent[0].body)
        return result

    def probe(self, name: str) -> str:
        """Return the URL of one of the probe's webhooks."""
        return f"{self.hass.url}/api/webhook/{name}"


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = ["| what | measured | goal | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {row.what} | {row.measured} | {row.goal} | {'yes' if row.reached else 'NO'} |"
        for row in rows
    ]
    return "\n".join(lines)
