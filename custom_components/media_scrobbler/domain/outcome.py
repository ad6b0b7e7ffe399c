"""Outcomes: what became of a media event."""

from dataclasses import dataclass
from enum import StrEnum

from .title import Title


class Outcome(StrEnum):
    """What became of a media event; what matters most comes first."""

    RECORDED = "recorded"
    MERGED = "merged"
    HELD = "held"
    UPDATED = "updated"
    IGNORED = "ignored"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome with its reason, written for the person who set the webhook up.

    `is_logged` tells that it is worth a line in the log of webhooks.
    """

    outcome: Outcome
    reason: str
    event: str | None = None
    title: Title | None = None
    viewers: tuple[str, ...] = ()
    is_logged: bool = True
