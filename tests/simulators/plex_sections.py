"""The terms in which a Plex server speaks of what it holds.

Kinds of items, sections, what a user has done with an item, and how much of it is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple


class Kind(IntEnum):
    """The kinds of items, under the numbers that requests have for them."""

    MOVIE = 1
    SHOW = 2
    SEASON = 3
    EPISODE = 4
    ARTIST = 8
    ALBUM = 9
    TRACK = 10

    @property
    def word(self) -> str:
        """Return what items say they are."""
        return self.name.lower()


_TOP_KINDS: Mapping[str, Kind] = {
    "movie": Kind.MOVIE,
    "show": Kind.SHOW,
    "artist": Kind.ARTIST,
}
_KINDS_OF_SECTION: Mapping[str, tuple[Kind, ...]] = {
    "movie": (Kind.MOVIE,),
    "show": (Kind.SHOW, Kind.SEASON, Kind.EPISODE),
    "artist": (Kind.ARTIST, Kind.ALBUM, Kind.TRACK),
}
LEAVES = frozenset({Kind.MOVIE, Kind.EPISODE, Kind.TRACK})


class Item(NamedTuple):
    """An item of a server, by its number among those of its kind."""

    kind: Kind
    number: int


@dataclass(slots=True)
class ViewState:
    """What a user has done with an item; times are in seconds since 1970."""

    view_count: int = 0
    last_viewed_at: int | None = None
    view_offset: int | None = None
    rating: float | None = None
    rated_at: int | None = None

    def attributes(self) -> dict[str, Any]:
        """Return what shows of it."""
        return {
            "viewCount": self.view_count or None,
            "lastViewedAt": self.last_viewed_at,
            "viewOffset": self.view_offset,
            "userRating": self.rating,
            "lastRatedAt": self.rated_at,
        }


type States = Mapping[Item, ViewState]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a library; a legacy one has an agent of old, and guids of that agent."""

    id: int
    title: str
    type: str
    agent: str
    scanner: str
    legacy: bool = False

    @property
    def kind(self) -> Kind:
        """Return what is listed unless something else is asked for."""
        return _TOP_KINDS[self.type]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return what is in it."""
        return _KINDS_OF_SECTION[self.type]


FILMS = Section(1, "Films", "movie", "tv.plex.agents.movie", "Plex Movie")
SERIES = Section(2, "Series", "show", "tv.plex.agents.series", "Plex TV Series")
MUSIC = Section(3, "Music", "artist", "tv.plex.agents.music", "Plex Music")
OLD_FILMS = Section(
    4,
    "Old films",
    "movie",
    "com.plexapp.agents.imdb",
    "Plex Movie Scanner",
    legacy=True,
)
OLD_SERIES = Section(
    5,
    "Old series",
    "show",
    "com.plexapp.agents.thetvdb",
    "Plex Series Scanner",
    legacy=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much of its items an answer shows."""

    details: bool = False
    guids: bool = False
    without: frozenset[str] = frozenset()

    @classmethod
    def asked_for(cls, query: Mapping[str, str], *, details: bool = False) -> Extent:
        """Return what a request asks for; the page of an item always has its guids."""
        names = f"{query.get('excludeElements', '')},{query.get('excludeFields', '')}"
        return cls(
            details=details,
            guids=details or query.get("includeGuids") == "1",
            without=frozenset(name for name in names.split(",") if name),
        )
