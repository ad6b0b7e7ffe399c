"""A part of a history: the plays that are in one file, for as long as they are in memory."""

from collections.abc import Collection
from dataclasses import dataclass, field

import orjson

from ..domain.play import Play
from .codec import play_from_dict, play_to_dict
from .writer import Writer


@dataclass(slots=True)
class Part:
    """One file. `plays` is None while it is not in memory; values are JSON.

    It covers the time from `earliest` to `latest`, in epoch seconds. `unreadable` says why
    none of it, or not all of it, can be read: it is not written then.
    """

    number: int
    name: str
    plays: dict[str, bytes] | None = None
    size: int = 0
    unreadable: str | None = None
    writer: Writer | None = None
    earliest: float = float("inf")
    latest: float = float("-inf")
    decoded: dict[str, Play] = field(default_factory=dict)
    """Plays as they were decoded, for as long as many reports are looked at."""

    @property
    def month(self) -> str:
        """Return the month whose plays it takes, such as 2026-11."""
        return self.name[:7]

    def put(self, play: Play) -> None:
        """Add or replace a play; the part must be in memory."""
        assert self.plays is not None
        raw = orjson.dumps(play_to_dict(play))
        self.size += len(raw) - len(self.plays.get(play.id, b""))
        self.plays[play.id] = raw
        if self.decoded:
            self.decoded[play.id] = play
        self.span(play)

    def remove(self, play_id: str) -> None:
        """Take a play out; the part must be in memory."""
        assert self.plays is not None
        self.size -= len(self.plays.pop(play_id))
        self.decoded.pop(play_id, None)

    def close(self) -> None:
        """Let go of the plays; they must be on disk."""
        self.plays = self.writer = None
        self.decoded = {}

    def all_plays(self) -> Collection[Play]:
        """Return the plays; the part must be in memory."""
        if not self.decoded:
            assert self.plays is not None
            self.decoded = {
                play_id: play_from_dict(orjson.loads(raw))
                for play_id, raw in self.plays.items()
            }
        return self.decoded.values()

    def span(self, play: Play) -> None:
        """Widen the time that the part covers."""
        moment = play.watched_at.timestamp()
        self.earliest = min(self.earliest, moment)
        self.latest = max(self.latest, moment)
