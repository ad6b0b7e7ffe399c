"""What a Jellyfin server keeps of a user and an item, and how that changes.

The rules are those of the server: playing counts at the start, not at the end; a title is
seen past 90 % of it, and one under five minutes, or of unknown length, nearly at once; a
mark without a date keeps the older date; to mark as unseen forgets everything.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

# The defaults of the server's settings.
MIN_RESUME_PERCENT = 5
MAX_RESUME_PERCENT = 90
MIN_RESUME_DURATION = timedelta(minutes=5)


@dataclass(slots=True)
class UserData:
    """What a user did with an item; positions are in ticks of 100 ns."""

    played: bool = False
    count: int = 0
    position: int = 0
    last_played: datetime | None = None
    favorite: bool = False
    likes: bool | None = None
    rating: float | None = None

    def copy(self) -> Self:
        """Return what is known now, for something that is told later."""
        return replace(self)

    def mark_played(self, at: datetime | None, now: datetime) -> None:
        """Mark as seen; with a date it is one more time."""
        if at is not None:
            self.count += 1
        self.count = max(self.count, 1)
        self.position = 0
        self.last_played = at or self.last_played or now
        self.played = True

    def mark_unplayed(self) -> None:
        """Mark as not seen."""
        self.count = 0
        self.position = 0
        self.last_played = None
        self.played = False

    def start(self, now: datetime, *, resumes: bool, forgets: bool) -> None:
        """Start to play; what does not resume is seen by that.

        `forgets` is whether a title that was seen is not seen any more from here on until
        it has been played again.
        """
        self.count += 1
        self.last_played = now
        if not resumes:
            self.played = True
        elif forgets:
            self.played = False

    def advance(
        self, position: timedelta, runtime: timedelta | None, *, resumes: bool
    ) -> bool:
        """Play up to a position; returns whether that is as good as the end."""
        completed = False
        if not runtime:
            position = timedelta()
            completed = True
        elif position:
            percent = position / runtime * 100
            if percent < MIN_RESUME_PERCENT:
                position = timedelta()
            elif (
                percent > MAX_RESUME_PERCENT
                or position >= runtime - timedelta(seconds=1)
                or runtime < MIN_RESUME_DURATION
            ):
                position = timedelta()
                completed = True
        if completed:
            self.played = True
        self.position = ticks(position) if resumes else 0
        return completed


def ticks(duration: timedelta) -> int:
    """Return a duration in ticks of 100 ns."""
    return duration // timedelta(microseconds=1) * 10


def from_ticks(number: int) -> timedelta:
    """Return the duration of a number of ticks."""
    return timedelta(microseconds=number // 10)
