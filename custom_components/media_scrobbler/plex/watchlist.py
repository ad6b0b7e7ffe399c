"""The watchlist of an account at plex.tv, and what plex.tv's catalogue knows of titles.

A title is called there by the last part of its guid, the same that servers have for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from plexapi.exceptions import BadRequest, NotFound

from ..domain.fields import Fields, PayloadError
from ..domain.media_server import ItemGoneError, NotAMediaServerError
from ..domain.title import Ids, MediaType, Title, same_name
from ..domain.watchlist_sync import Remote, RemoteList
from .api import Api
from .library import metadata_path
from .metadata import TYPE_NUMBERS, parse_title

AT_ONCE = 100
"""How many entries are asked for in one request."""

IDS_AT_ONCE = 50
"""Of how many titles the ids are asked for in one request."""

# What is answered of titles that the catalogue does not know, or not any more.
_UNKNOWN = frozenset({"(400)", "(410)", "(422)"})

_LISTED = (MediaType.MOVIE, MediaType.SHOW)
_SOURCES = ("tmdb", "imdb", "tvdb")


class WatchlistReader:
    """Reads a watchlist part by part, the newest entry first."""

    def __init__(self, api: Api) -> None:
        """Take where watchlists are."""
        self._api = api
        self._start = 0
        self._total: int | None = None
        self._found: dict[str, Remote] = {}
        self._unread: list[Title | None] = []
        self.done = False

    @property
    def result(self) -> RemoteList:
        """Return what has been read so far."""
        return RemoteList(tuple(self._found.values()), tuple(self._unread))

    def read(self) -> None:
        """Read the next part; raises NotAMediaServerError where it does not fit the others.

        What was left out would look as if it had been taken off the watchlist. So what an
        entry says of itself is told even where that cannot be understood.
        """
        part = self._api.part(
            "/library/sections/watchlist/all",
            {"sort": "watchlistedAt:desc"},
            self._start,
            AT_ONCE,
        )
        entries: dict[str, Remote] = {}
        for item in part.items:
            try:
                entry = _entry(Fields(item))
            except PayloadError, NotAMediaServerError:
                self._unread.append(_name(item))
            else:
                if entry is not None:
                    entries[entry.guid] = entry
        if self._total not in (None, part.total) or not entries.keys().isdisjoint(
            self._found
        ):
            raise NotAMediaServerError
        self._found |= entries
        self._total = part.total
        self._start += len(part.items)
        self.done = self._start >= part.total


def read_several_ids(api: Api, guids: Sequence[str]) -> dict[str, Ids]:
    """Return the ids in other databases of those titles that an answer for all names.

    It is not said that several can be asked for at once: where they cannot, there are none.
    """
    try:
        return _ids(api, guids)
    except NotFound:
        return {}
    except BadRequest as err:
        if str(err) != "(400)":
            raise
        return {}


def read_ids(api: Api, guid: str) -> Ids:
    """Return the ids in other databases of a title, none of one that is unknown."""
    try:
        return _ids(api, [guid]).get(guid, {})
    except NotFound:
        return {}


def _ids(api: Api, guids: Sequence[str]) -> dict[str, Ids]:
    found: dict[str, Ids] = {}
    for item in api.get(metadata_path(*map(_key, guids))).objects("Metadata"):
        title = parse_title(item, None)
        guid = item.text("guid")
        if title is not None and guid is not None and guid in guids:
            found[guid] = {
                source: value for source, value in title.ids.items() if source != "plex"
            }
    return found


def find(api: Api, title: Title) -> Remote | None:
    """Return what Plex has for a movie or show by an external id, else by name and year.

    A name must be exactly that of one title alone, whose ids are no others.
    """
    if title.media_type not in _LISTED:
        return None
    for source in _SOURCES:
        if value := title.ids.get(source):
            found = _matches(api, title.media_type, {"guid": f"{source}://{value}"})
            if found:
                return found[0]
    if title.title is None:
        return None
    hints: dict[str, str | int] = {"title": title.title}
    if title.year is not None:
        hints["year"] = title.year
    named = {
        match.guid: match
        for match in _matches(api, title.media_type, hints)
        if _same_name(title, match.title)
    }
    if len(named) != 1:
        return None
    ((guid, match),) = named.items()
    if title.ids:
        ids = read_ids(api, guid)
        shared = title.ids.keys() & ids.keys()
        if shared and all(title.ids[source] != ids[source] for source in shared):
            return None
    return match


def _matches(
    api: Api, media_type: MediaType, hints: Mapping[str, str | int]
) -> list[Remote]:
    try:
        container = api.get(
            "/library/metadata/matches", {"type": TYPE_NUMBERS[media_type], **hints}
        )
    except NotFound:
        return []
    entries = map(_entry, container.objects("Metadata"))
    return [
        entry for entry in entries if entry and entry.title.media_type is media_type
    ]


def _same_name(title: Title, found: Title) -> bool:
    return title.year in (None, found.year) and same_name(title, found)


def add(api: Api, guid: str) -> None:
    """Put a title on the watchlist; raises ItemGoneError where it is unknown there."""
    _change(api, "addToWatchlist", guid)


def remove(api: Api, guid: str) -> None:
    """Take a title off the watchlist; raises ItemGoneError where it is unknown there."""
    _change(api, "removeFromWatchlist", guid)


def _change(api: Api, action: str, guid: str) -> None:
    try:
        api.put(f"/actions/{action}", {"ratingKey": _key(guid)})
    except NotFound as err:
        raise ItemGoneError from err
    except BadRequest as err:
        if str(err) not in _UNKNOWN:
            raise
        raise ItemGoneError from err


def _key(guid: str) -> str:
    return guid.rpartition("/")[2]


def _name(item: Any) -> Title | None:
    """Return what an entry that cannot be understood is called, None where it is not told.

    If it does not say what it is either, it is taken for a movie.
    """
    if not isinstance(item, dict):
        return None
    told = {key: item.get(key) for key in ("type", "title", "year")}
    for fields in (told, told | {"year": None}, told | {"year": None, "type": "movie"}):
        try:
            title = parse_title(Fields(fields), None)
        except PayloadError:
            continue
        if title is not None and title.title is not None:
            return title
    return None


def _entry(item: Fields) -> Remote | None:
    """Return a title of a list, None for what is neither a movie nor a show."""
    if item.text("type") is None:
        raise NotAMediaServerError
    title = parse_title(item, None)
    if title is None or title.media_type not in _LISTED:
        return None
    guid, poster = title.ids.get("plex"), item.text("thumb")
    if not isinstance(guid, str):
        raise NotAMediaServerError
    is_url = poster is not None and poster.startswith("https://")
    return Remote(guid, title, poster if is_url else None)
