"""Libraries: what a server holds, read page by page."""

from dataclasses import dataclass
from datetime import datetime

from .event import Party
from .play import Certainty
from .title import MediaType, Title


@dataclass(frozen=True, slots=True)
class Section:
    """A library of a server, and the kinds of titles in it, in the order to read them.

    Shows come before their episodes, which have the ids of their show from there.
    """

    id: str
    name: str
    media_types: tuple[MediaType, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of a library; whether and when (UTC) an account has watched it, where asked for.

    `begun_at` is when one that shows as not watched was left half-way through.
    """

    title: Title
    watched: bool | None = None
    watched_at: datetime | None = None
    begun_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a section's items of one kind.

    `size` is how many items of the server the page stands for: one that cannot be
    understood has no entry. `total` is how many there are in all.
    """

    entries: tuple[Entry, ...]
    size: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A title that a server knows an account to have completed, at a time in UTC.

    `is_last_start` tells that the time is when the title was last begun to be played.
    `number` is greater than that of all that the server had learnt of before.
    """

    account: Party
    title: Title
    watched_at: datetime
    player: Party | None = None
    is_last_start: bool = False
    certainty: Certainty = Certainty.CERTAIN
    number: int | None = None


@dataclass(frozen=True, slots=True)
class LatestPage:
    """A part of what a server knows to have been completed lately.

    Where it tells how much there is of any time, that is `total`, and `times` are the times
    (UTC) of all of that which is read in this part, of use or not.
    """

    completions: list[Completion]
    total: int | None = None
    times: tuple[datetime, ...] = ()
