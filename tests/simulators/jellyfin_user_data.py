"""What a Jellyfin server keeps of a user and an item, and how that changes.

The rules are those of the server: playing counts at the start, not at the end; a title is
seen past 90 % of it, and one under five minutes, or of unknown length, nearly at once; a
stop without a position is the end of it and counts once more; a mark without a date keeps
the older date; to mark as unseen forgets everything.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
import re
from typing import Self

# The defaults of the server's settings.
MIN_RESUME_PERCENT = 5
MAX_RESUME_PERCENT = 90
# From which rating on something is liked.
MIN_LIKED = 6.5
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

    def toggle_along(self) -> None:
        """Mark as seen because another version is: neither counted nor dated."""
        self.played = True
        self.position = 0

    def mark_unplayed(self) -> None:
        """Mark as not seen."""
        self.count = 0
        self.position = 0
        self.last_played = None
        self.played = False

    def rate(self, rating: float | None) -> None:
        """Rate from 0 to 10; what is good enough is liked."""
        self.rating = rating
        self.likes = None if rating is None else rating >= MIN_LIKED

    def like(self, likes: bool | None) -> None:
        """Like or dislike, which is a rating too."""
        self.rate(None if likes is None else 10.0 if likes else 1.0)

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

    def end_anywhere(self) -> None:
        """Stop without a position, which the server takes for the end."""
        self.count += 1
        self.played = True
        self.position = 0


@dataclass(frozen=True, slots=True)
class PlayedDate:
    """The date that a mark came with, and what it becomes where it is a local time."""

    at: datetime
    # The time on the server's clock, called UTC.
    misread: datetime

    @classmethod
    def of(cls, at: datetime) -> Self:
        """Return a date that nothing is wrong with."""
        return cls(at.astimezone(UTC), at.astimezone(UTC))

    @classmethod
    def read(cls, text: str, zone: tzinfo) -> Self:
        """Return the date of a text, to a server in a zone.

        One with a zone of its own is right everywhere; one without is the server's local
        time, and the compact form, yyyyMMddHHmmss, is UTC. Raises `ValueError`.
        """
        if re.fullmatch(r"\d{14}", text):
            at = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        else:
            # A plus that was not escaped has become a space.
            at = datetime.fromisoformat(re.sub(r" (\d\d:\d\d)$", r"+\1", text))
            if at.tzinfo is not None:
                return cls.of(at)
            at = at.replace(tzinfo=zone)
        return cls(at.astimezone(UTC), at.astimezone(zone).replace(tzinfo=UTC))


def ticks(duration: timedelta) -> int:
    """Return a duration in ticks of 100 ns."""
    return duration // timedelta(microseconds=1) * 10


def from_ticks(number: int) -> timedelta:
    """Return the duration of a number of ticks."""
    return timedelta(microseconds=number // 10)
