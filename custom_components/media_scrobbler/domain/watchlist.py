"""Watchlists: the movies and shows that a person wants to watch, in an order of their own."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
import re

from .fields import Fields
from .title import MediaType, Title, combine, same_name

LISTABLE = (MediaType.MOVIE, MediaType.SHOW)
"""The kinds a watchlist is of. What is typed is looked for in this order."""

_WITH_YEAR = re.compile(r"(.*\S)\s*[(\[（［]\s*(\d{4})\s*[)\]）］]")
_YEARS = range(1870, 2100)


class Origin(StrEnum):
    """How an item came to be on a list."""

    MANUAL = "manual"
    PLEX = "plex"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistItem:
    """A movie or show on a watchlist. Times are in UTC.

    `kind_is_guessed` is set where somebody typed a name, which may be that of a movie or
    of a show. `poster` is a URL, `announced_at` when it was published that the title is
    available. `ids_asked_at` is when Plex was asked last for the ids that others know it by
    as well, and `ids_asked` how often it had none.
    """

    uid: str
    title: Title
    added_at: datetime
    origin: Origin
    kind_is_guessed: bool = False
    done_at: datetime | None = None
    poster: str | None = None
    announced_at: datetime | None = None
    ids_asked_at: datetime | None = None
    ids_asked: int = 0


def typed_title(text: str) -> Title:
    """Return the title that a person means by a text such as `Dune (2021)`: as a movie.

    Raises ValueError for a text that is blank or too long.
    """
    name = Fields({"title": text}).text("title")
    if name is None:
        raise ValueError("title is blank")
    year = None
    if (match := _WITH_YEAR.fullmatch(name)) and int(match[2]) in _YEARS:
        name, year = match[1], int(match[2])
    return Title(media_type=MediaType.MOVIE, title=name, year=year)


def label(item: WatchlistItem) -> str:
    """Return what a list shows of an item: its name and year, or an id where it has none."""
    if (shown := item.title.label) is not None:
        return shown
    return next((f"{source} {id_}" for source, id_ in item.title.ids.items()), item.uid)


def renamed(item: WatchlistItem, text: str, now: datetime) -> WatchlistItem:
    """Return an item after its text was edited; raises ValueError as `typed_title` does.

    Where the text says the same as before, at most the spelling of the name is another.
    Otherwise it is another title in the same place, wanted from now on, of which nothing
    else is known.
    """
    if text.strip() == label(item):
        return item
    title = typed_title(text)
    if title.year == item.title.year and same_name(title, item.title):
        return replace(item, title=replace(item.title, title=title.title))
    return WatchlistItem(
        uid=item.uid,
        title=title,
        added_at=now,
        origin=Origin.MANUAL,
        kind_is_guessed=True,
        done_at=item.done_at,
    )


def wanted_again(item: WatchlistItem, now: datetime) -> WatchlistItem:
    """Return a done item as one that is wanted anew from now on.

    What was watched before does not check it off again, and it may arrive again.
    """
    return replace(item, done_at=None, added_at=now, announced_at=None)


def candidates(item: WatchlistItem) -> tuple[Title, ...]:
    """Return the titles that an item may be, the likeliest first."""
    if not item.kind_is_guessed:
        return (item.title,)
    return tuple(replace(item.title, media_type=kind) for kind in LISTABLE)


def completed(item: WatchlistItem, title: Title) -> WatchlistItem:
    """Return an item with what has become known of its title, which also settles its kind.

    What a server calls it is left out: an item belongs to none.
    """
    known = item.title
    if item.kind_is_guessed:
        known = replace(known, media_type=title.media_type)
    return replace(
        item,
        title=combine(known, replace(title, items={}, show_items={})),
        kind_is_guessed=False,
    )


def moved(
    items: tuple[WatchlistItem, ...], uid: str, previous_uid: str | None
) -> tuple[WatchlistItem, ...]:
    """Return the items with one moved behind another, or to the top; raises KeyError."""
    by_uid = {item.uid: item for item in items}
    item = by_uid[uid]
    if previous_uid == uid:
        return items
    others = [other for other in items if other is not item]
    place = 0 if previous_uid is None else others.index(by_uid[previous_uid]) + 1
    return *others[:place], item, *others[place:]
