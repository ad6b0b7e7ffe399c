"""What a request to a Jellyfin server asks for, and which items that is.

Parameters are read as the server reads them: names in any case, lists with commas or by
repeating the parameter, values of an enumeration that do not exist left out, and what the
API does not describe ignored.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
import itertools
from operator import itemgetter
import re
from typing import Any, Self

from .catalogue import Episode, Movie, Season, Show
from .jellyfin_items import (
    FOLDERS,
    Item,
    Items,
    Kind,
    Numbers,
    premiere,
    production_year,
    sort_name,
)
from .jellyfin_user_data import PlayedDate, UserData

NO_ID = "0" * 32


class BadRequestError(Exception):
    """A value is not what the parameter takes, which is named where that is known."""

    def __init__(self, text: str, name: str | None = None) -> None:
        super().__init__(text)
        self.name = name


class NotPlayedError(Exception):
    """The API has this, the stand-in has not: better said than answered wrongly."""


class Params:
    """The query of a request."""

    def __init__(self, query: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in query:
            self._values.setdefault(name.lower(), []).append(value)

    @property
    def names(self) -> set[str]:
        """Return the names that were given, in lower case."""
        return set(self._values)

    def text(self, name: str) -> str | None:
        """Return a text, None where there is none."""
        values = self._values.get(name.lower())
        return values[0] if values and values[0] else None

    def required(self, name: str) -> str:
        """Return a text that there has to be."""
        if (text := self.text(name)) is None:
            raise BadRequestError(f"The {name} field is required.")
        return text

    def number(self, name: str) -> int | None:
        """Return a whole number."""
        if (text := self.text(name)) is None:
            return None
        if not re.fullmatch(r"-?\d{1,10}", text):
            raise BadRequestError(f"The value '{text}' is not valid.")
        return int(text)

    def flag(self, name: str) -> bool | None:
        """Return true or false, however it is capitalised."""
        if (text := self.text(name)) is None:
            return None
        if text.lower() not in {"true", "false"}:
            raise BadRequestError(f"The value '{text}' is not valid.")
        return text.lower() == "true"

    def moment(self, name: str) -> datetime | None:
        """Return a time; one without a zone is taken for UTC."""
        if (text := self.text(name)) is None:
            return None
        return moment(text)

    def played_date(self, name: str, zone: tzinfo) -> PlayedDate | None:
        """Return the date of a mark, as a server in a zone reads it."""
        if (text := self.text(name)) is None:
            return None
        try:
            return PlayedDate.read(text, zone)
        except ValueError:
            raise BadRequestError(f"The value '{text}' is not valid.", name) from None

    def id(self, name: str) -> str | None:
        """Return an id; one of zeros is none."""
        if (text := self.text(name)) is None:
            return None
        identifier = guid(text)
        return None if identifier == NO_ID else identifier

    def several(self, name: str, delimiter: str = ",") -> list[str]:
        """Return the values of a list."""
        return [
            part.strip()
            for value in self._values.get(name.lower(), ())
            for part in value.split(delimiter)
            if part.strip()
        ]

    def ids(self, name: str) -> list[str]:
        """Return a list of ids, without those that are none."""
        identifiers = []
        for text in self.several(name):
            try:
                identifiers.append(guid(text))
            except BadRequestError:
                continue
        return identifiers

    def kinds(self, name: str) -> list[Kind]:
        """Return a list of kinds of items, without those that are not held here."""
        known = {kind.lower(): kind for kind in Kind}
        return [
            known[text.lower()] for text in self.several(name) if text.lower() in known
        ]


def guid(text: str) -> str:
    """Return an id as the server writes it; with dashes or without is all the same."""
    digits = text.strip("{}").replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", digits):
        raise BadRequestError(f"The value '{text}' is not valid.")
    return digits


def moment(text: str) -> datetime:
    """Return a time; one without a zone is taken for UTC."""
    try:
        return PlayedDate.read(text, UTC).at
    except ValueError:
        raise BadRequestError(f"The value '{text}' is not valid.") from None


# What /Items takes and the stand-in does not play, in lower case.
_NOT_PLAYED = frozenset(
    {
        "adjacentto",
        "albumartistids",
        "albumids",
        "albums",
        "artistids",
        "artists",
        "audiolanguages",
        "contributingartistids",
        "excludeartistids",
        "genreids",
        "hasofficialrating",
        "hasoverview",
        "hasparentalrating",
        "hasspecialfeature",
        "hassubtitles",
        "hasthemesong",
        "hasthemevideo",
        "hastrailer",
        "imagetypes",
        "is3d",
        "is4k",
        "ismissing",
        "ishd",
        "iskids",
        "islocked",
        "isnews",
        "isplaceholder",
        "issports",
        "isunaired",
        "locationtypes",
        "maxheight",
        "maxofficialrating",
        "maxwidth",
        "mincommunityrating",
        "mincriticrating",
        "minheight",
        "minofficialrating",
        "minwidth",
        "namelessthan",
        "namestartswithorgreater",
        "officialratings",
        "person",
        "personids",
        "persontypes",
        "seriesstatus",
        "studioids",
        "studios",
        "subtitlelanguages",
        "tags",
        "videotypes",
    }
)
_OTHER_KINDS = frozenset(
    {
        "aggregatefolder",
        "audiobook",
        "basepluginfolder",
        "book",
        "boxset",
        "channel",
        "channelfolderitem",
        "folder",
        "genre",
        "livetvchannel",
        "livetvprogram",
        "manualplaylistsfolder",
        "musicgenre",
        "musicvideo",
        "person",
        "photo",
        "photoalbum",
        "playlist",
        "playlistsfolder",
        "program",
        "recording",
        "studio",
        "trailer",
        "tvchannel",
        "tvprogram",
        "userrootfolder",
        "userview",
        "year",
    }
)
_FILTERS = {
    "isfolder": ("folder", True),
    "isnotfolder": ("folder", False),
    "isplayed": ("played", True),
    "isunplayed": ("played", False),
    "isfavorite": ("favorite", True),
    "isresumable": ("resumable", True),
}
_MEDIA = {
    "video": {Kind.MOVIE, Kind.EPISODE, Kind.VIDEO},
    "audio": {Kind.TRACK},
}


@dataclass(kw_only=True, slots=True)
class Query:
    """What /Items was asked for."""

    parent: str | None = None
    recursive: bool = False
    ids: Sequence[str] = ()
    without: frozenset[str] = frozenset()
    kinds: Sequence[Kind] = ()
    # Whether only kinds are asked for that a server can have and this one has not.
    nothing: bool = False
    not_kinds: Sequence[Kind] = ()
    media: Sequence[str] = ()
    folder: bool | None = None
    played: bool | None = None
    favorite: bool | None = None
    resumable: bool | None = None
    saved_from: datetime | None = None
    premiere_from: datetime | None = None
    premiere_until: datetime | None = None
    search: str | None = None
    prefix: str | None = None
    years: frozenset[int] = frozenset()
    genres: frozenset[str] = frozenset()
    has_ids: Mapping[str, bool] = field(default_factory=dict)
    # Whether what there are no files of is left out.
    present: bool = False
    index: int | None = None
    parent_index: int | None = None
    sort: Sequence[tuple[str, bool]] = ()
    start: int = 0
    limit: int | None = None
    count: bool = True

    @classmethod
    def of(cls, params: Params) -> Self:
        """Return what the parameters of a request say."""
        if unplayed := params.names & _NOT_PLAYED:
            raise NotPlayedError(f"/Items with {', '.join(sorted(unplayed))}")
        saved = (
            params.moment("minDateLastSaved"),
            # The name promises more: it is the date of the item all the same.
            params.moment("minDateLastSavedForUser"),
        )
        query = cls(
            parent=params.id("parentId"),
            recursive=params.flag("recursive") or False,
            ids=params.ids("ids"),
            without=frozenset(params.ids("excludeItemIds")),
            kinds=params.kinds("includeItemTypes"),
            not_kinds=params.kinds("excludeItemTypes"),
            media=[media.lower() for media in params.several("mediaTypes")],
            played=params.flag("isPlayed"),
            favorite=params.flag("isFavorite"),
            saved_from=max((at for at in saved if at), default=None),
            premiere_from=params.moment("minPremiereDate"),
            premiere_until=params.moment("maxPremiereDate"),
            search=params.text("searchTerm"),
            prefix=params.text("nameStartsWith"),
            years=frozenset(int(y) for y in params.several("years") if y.isdecimal()),
            genres=frozenset(params.several("genres", "|")),
            has_ids={
                name: wanted
                for name in ("Imdb", "Tmdb", "Tvdb")
                if (wanted := params.flag(f"has{name}Id")) is not None
            },
            present="virtual"
            in {name.lower() for name in params.several("excludeLocationTypes")},
            index=params.number("indexNumber"),
            parent_index=params.number("parentIndexNumber"),
            sort=_sort_of(params),
            start=max(params.number("startIndex") or 0, 0),
            limit=params.number("limit"),
            count=params.flag("enableTotalRecordCount") is not False,
        )
        for name in params.several("filters"):
            if name.lower() in _FILTERS:
                attribute, value = _FILTERS[name.lower()]
                setattr(query, attribute, value)
            elif name.lower() in {"likes", "dislikes", "isfavoriteorlikes"}:
                raise NotPlayedError(f"the filter {name}")
        for name, kind in (("isMovie", Kind.MOVIE), ("isSeries", Kind.SERIES)):
            if params.flag(name):
                query.kinds = [kind]
        # What the server has no kind by that name of does not count as asked for.
        asked = {name.lower() for name in params.several("includeItemTypes")}
        query.nothing = not query.kinds and not asked.isdisjoint(_OTHER_KINDS)
        return query


def _sort_of(params: Params) -> list[tuple[str, bool]]:
    """Return what to sort by, and whether from the end."""
    orders = [order.lower() == "descending" for order in params.several("sortOrder")]
    default = orders[0] if orders else False
    names = [name.lower() for name in params.several("sortBy")]
    return [
        (name, orders[number] if number < len(orders) else default)
        for number, name in enumerate(names)
    ]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found, and how many there are in all."""

    items: list[Item]
    total: int
    start: int


type Place = tuple[Kind, int]


@dataclass(frozen=True, slots=True)
class _Matches:
    """All that was found: by kind, or one by one where it was sorted."""

    numbers: Numbers
    places: Sequence[Place] | None


class Paging:
    """Remembers what was found for the first page, while nothing changes."""

    def __init__(self) -> None:
        self._key: object = None
        self._matches: _Matches | None = None

    def matches(
        self, key: object, start: int, find: Callable[[], _Matches | None]
    ) -> _Matches | None:
        """Return what was found; the first page always looks anew."""
        if not start or key != self._key:
            self._key, self._matches = key, find()
        return self._matches


class Search:
    """One look through the items, with what a user did with them.

    `state` changes whenever the outcome may; it is what `paging` goes by. Without a user
    every version is listed, not just the one that stands for all of them. `hidden` are kinds
    of which nothing may be seen.
    """

    def __init__(
        self,
        items: Items,
        query: Query,
        data: Mapping[str, UserData],
        *,
        paging: Paging | None = None,
        state: object = None,
        versions: bool = False,
        hidden: Collection[Kind] = (),
    ) -> None:
        self._hidden = hidden
        self._versions = versions
        self._items = items
        self._query = query
        self._data = data
        self._paging = paging or Paging()
        self._state = state

    def find(self) -> Found | None:
        """Return what was asked for; None if it is in something that is not there."""
        query = self._query
        if not (query.recursive or query.ids or query.parent):
            # The top of it all: the libraries, whatever else was asked for.
            views = self._items.listed([Kind.VIEW])
            items = self._page(views, 0, None)
            return Found(items, len(items), 0)
        key = repr((replace(query, start=0, limit=None), self._state))
        matches = self._paging.matches(key, query.start, self._matches)
        if matches is None:
            return None
        stop = None if query.limit is None else query.start + max(query.limit, 0)
        if matches.places is not None:
            runs = (
                (kind, [number for _, number in run])
                for kind, run in itertools.groupby(
                    matches.places[query.start : stop], key=itemgetter(0)
                )
            )
            items = [item for kind, run in runs for item in self._items.at(kind, run)]
        else:
            items = self._page(matches.numbers, query.start, stop)
        total = sum(map(len, matches.numbers.values()))
        if not query.count or (query.limit is None and not query.start):
            total = len(items)
        return Found(items, total, query.start)

    def _matches(self) -> _Matches | None:
        """Return all that meets the conditions."""
        numbers = self._candidates()
        if numbers is None:
            return None
        numbers = self._of_wanted_kinds(numbers)
        if self._versions and not self._query.ids:
            for kind in numbers:
                numbers[kind] = self._items.versions_of(kind, numbers[kind])
        for kind in numbers:
            numbers[kind] = self._filtered(kind, numbers[kind])
        return _Matches(numbers, self._sorted(numbers) if self._query.sort else None)

    def _candidates(self) -> Numbers | None:
        """Return where to look at all."""
        query = self._query
        if query.ids:
            found: dict[Kind, list[int]] = {}
            for identifier in query.ids:
                if place := self._items.place(identifier):
                    found.setdefault(place[0], []).append(place[1])
            return {kind: sorted(set(found[kind])) for kind in Kind if kind in found}
        if query.parent is not None:
            return self._items.within(query.parent, recursive=query.recursive)
        return self._items.listed(kind for kind in Kind if kind is not Kind.VIEW)

    def _of_wanted_kinds(self, numbers: Numbers) -> Numbers:
        """Return what is left when only the kinds asked for are."""
        query = self._query
        if query.nothing:
            return {}
        media = {kind for name in query.media for kind in _MEDIA.get(name, ())}
        return {
            kind: numbers[kind]
            for kind in Kind
            if kind in numbers
            and kind not in self._hidden
            and (not query.kinds or kind in query.kinds)
            and kind not in query.not_kinds
            and (not query.media or kind in media)
            and (query.folder is None or query.folder is (kind in FOLDERS))
        }

    def _page(self, numbers: Numbers, start: int, stop: int | None) -> list[Item]:
        """Return a page of items in the order in which the server holds them."""
        page: list[Item] = []
        for kind, of_kind in numbers.items():
            until = len(of_kind) if stop is None else min(stop, len(of_kind))
            if start < until:
                page.extend(self._items.at(kind, of_kind[start:until]))
            start = max(start - len(of_kind), 0)
            stop = None if stop is None else max(stop - len(of_kind), 0)
        return page

    # --- filters -----------------------------------------------------------------------

    def _filtered(self, kind: Kind, numbers: Sequence[int]) -> Sequence[int]:
        """Return the numbers of what meets every condition."""
        query = self._query
        items = self._items
        if query.present:
            numbers = items.present(kind, numbers)
        if query.without:
            gone = {items.place(identifier) for identifier in query.without}
            numbers = [number for number in numbers if (kind, number) not in gone]
        if query.saved_from is not None:
            at = query.saved_from
            numbers = [n for n in numbers if items.saved_at(kind, n) >= at]
        if query.played is not None:
            numbers = self._played(kind, numbers, wanted=query.played)
        if query.favorite is not None:
            numbers = self._with_data(kind, numbers, _is_favorite, query.favorite)
        if query.resumable is not None:
            numbers = self._with_data(kind, numbers, _is_resumable, query.resumable)
        if conditions := self._conditions():
            numbers = [
                item.number
                for item in items.at(kind, numbers)
                if all(condition(item) for condition in conditions)
            ]
        return numbers

    def _played(
        self, kind: Kind, numbers: Sequence[int], *, wanted: bool
    ) -> Sequence[int]:
        """Return what a user has seen or not; a folder when all that is in it is."""
        if kind not in FOLDERS:
            return self._with_data(kind, numbers, _is_played, wanted)
        return [
            number
            for number in numbers
            if (
                unplayed_within(
                    self._items, self._items.id_at(kind, number), self._data
                )
                == 0
            )
            is wanted
        ]

    def _with_data(
        self,
        kind: Kind,
        numbers: Sequence[int],
        condition: Callable[[UserData], bool],
        wanted: bool,
    ) -> Sequence[int]:
        """Return what meets a condition on user data, of which there mostly is none."""
        places = (
            self._items.place(identifier)
            for identifier, data in self._data.items()
            if condition(data)
        )
        found = {place[1] for place in places if place and place[0] is kind}
        if wanted and isinstance(numbers, range):
            return sorted(number for number in found if number in numbers)
        return [number for number in numbers if (number in found) is wanted]

    def _conditions(self) -> list[Callable[[Item], bool]]:
        """Return the conditions that need the item itself, which is slow."""
        query = self._query
        conditions: list[Callable[[Item], bool]] = []
        if (search := query.search) is not None:
            conditions.append(lambda item: search.lower() in item.title.title.lower())
        if (prefix := query.prefix) is not None:
            conditions.append(
                lambda item: item.title.title.lower().startswith(prefix.lower())
            )
        if query.years:
            conditions.append(lambda item: production_year(item.title) in query.years)
        if query.genres:
            conditions.append(
                lambda item: (
                    not query.genres.isdisjoint(getattr(item.title, "genres", ()))
                )
            )
        for name, wanted in query.has_ids.items():
            conditions.append(partial(_has_id, name, wanted))
        if (from_ := query.premiere_from) is not None:
            conditions.append(lambda item: (premiere(item.title) or from_) >= from_)
        if (until := query.premiere_until) is not None:
            conditions.append(lambda item: (premiere(item.title) or until) <= until)
        if query.index is not None:
            conditions.append(lambda item: index_numbers(item)[1] == query.index)
        if query.parent_index is not None:
            conditions.append(lambda item: index_numbers(item)[0] == query.parent_index)
        return conditions

    # --- order -------------------------------------------------------------------------

    def _sorted(self, numbers: Numbers) -> list[Place]:
        """Return what was found in the order asked for."""
        places = [(kind, number) for kind, of in numbers.items() for number in of]
        for name, descending in reversed(self._query.sort):
            if name in {"default", "random"}:
                continue
            if name not in _SORT_KEYS:
                raise NotPlayedError(f"sorting by {name}")
            key = _SORT_KEYS[name]
            places.sort(key=lambda place: key(self, *place), reverse=descending)
        return places

    def _user_data(self, kind: Kind, number: int) -> UserData | None:
        return self._data.get(self._items.id_at(kind, number))

    def _sort_name(self, kind: Kind, number: int) -> str:
        return sort_name(self._items.title_at(kind, number))

    def _series_sort_name(self, kind: Kind, number: int) -> str:
        match self._items.title_at(kind, number):
            case Season(show=show) | Episode(show=show):
                return sort_name(show)
            case _:
                return ""

    def _created(self, kind: Kind, number: int) -> datetime:
        return self._items.created_at(kind, number)

    def _date_played(self, kind: Kind, number: int) -> datetime:
        at = self._items.last_played(self._items.id_at(kind, number), self._data)
        return at or datetime.min.replace(tzinfo=UTC)

    def _play_count(self, kind: Kind, number: int) -> int:
        data = self._user_data(kind, number)
        return data.count if data else 0

    def _premiere(self, kind: Kind, number: int) -> datetime:
        at = premiere(self._items.title_at(kind, number))
        return at or datetime.min.replace(tzinfo=UTC)

    def _year(self, kind: Kind, number: int) -> int:
        return production_year(self._items.title_at(kind, number)) or 0

    def _runtime(self, kind: Kind, number: int) -> timedelta:
        title = self._items.title_at(kind, number)
        return getattr(title, "runtime", timedelta())

    def _index(self, kind: Kind, number: int) -> int:
        return getattr(self._items.title_at(kind, number), "number", 0)

    def _parent_index(self, kind: Kind, number: int) -> int:
        return getattr(self._items.title_at(kind, number), "season", 0)

    def _aired(self, kind: Kind, number: int) -> tuple[str, int, int]:
        return (
            self._series_sort_name(kind, number),
            self._parent_index(kind, number),
            self._index(kind, number),
        )


_SORT_KEYS: Mapping[str, Callable[[Search, Kind, int], Any]] = {
    "sortname": Search._sort_name,
    "name": Search._sort_name,
    "seriessortname": Search._series_sort_name,
    "airedepisodeorder": Search._aired,
    "datecreated": Search._created,
    "datelastcontentadded": Search._created,
    "dateplayed": Search._date_played,
    "playcount": Search._play_count,
    "premieredate": Search._premiere,
    "productionyear": Search._year,
    "runtime": Search._runtime,
    "indexnumber": Search._index,
    "parentindexnumber": Search._parent_index,
}


def _has_id(name: str, wanted: bool, item: Item) -> bool:
    return (name in dict(item.providers)) is wanted


def _is_played(data: UserData) -> bool:
    return data.played


def _is_favorite(data: UserData) -> bool:
    return data.favorite


def _is_resumable(data: UserData) -> bool:
    return data.position > 0


def unplayed_within(items: Items, identifier: str, data: Mapping[str, UserData]) -> int:
    """Return how much in a folder a user has not seen."""
    within = items.counted_within(identifier)
    return sum(
        not ((of := data.get(items.id_at(kind, number))) and of.played)
        for kind, numbers in within.items()
        if kind not in FOLDERS
        for number in numbers
    )


def index_numbers(item: Item) -> tuple[int | None, int | None]:
    """Return the number of what an item is in, and its own."""
    match item.title:
        case Season(number=number):
            return None, number
        case Episode(season=season, number=number):
            return season, number
        case Movie() | Show():
            return None, None
        case title:
            # A track that says nothing of a disc is on none.
            return getattr(title, "disc", None) or None, getattr(title, "number", None)
