"""The items a Jellyfin server holds: their ids, what is in what, and finding them.

A `Library` of any size is the fixed part; titles can be added to it and anything can be
removed. An item is made when it is asked for. What is kept of every one of them is its id,
since a server is asked by id.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
import itertools
from typing import overload, override

from .catalogue import (
    Album,
    Clip,
    Episode,
    ExternalIds,
    Movie,
    Season,
    Show,
    Title,
    Track,
    stable_hex,
)
from .jellyfin import JellyfinServer
from .jellyfin_user_data import UserData
from .library import Library

# The fixed part came to the server item by item from here on.
FIRST_ADDED = datetime(2020, 1, 1, 18, 0, tzinfo=UTC)
BETWEEN = timedelta(minutes=13)


class Kind(StrEnum):
    """The kinds of items, as the API calls them, in the order they are listed."""

    MOVIE = "Movie"
    SERIES = "Series"
    SEASON = "Season"
    EPISODE = "Episode"
    ARTIST = "MusicArtist"
    ALBUM = "MusicAlbum"
    TRACK = "Audio"
    VIDEO = "Video"
    VIEW = "CollectionFolder"


FOLDERS = frozenset({Kind.SERIES, Kind.SEASON, Kind.ARTIST, Kind.ALBUM, Kind.VIEW})


@dataclass(frozen=True, slots=True)
class Artist:
    """A musician or a band, which has no entry of its own in the catalogue."""

    title: str

    @property
    def key(self) -> str:
        """Return what tells this artist from any other."""
        return f"artist/{self.title}"


@dataclass(frozen=True, slots=True)
class View:
    """A library as users see it; its files are in a folder that is an item too."""

    title: str
    collection_type: str
    kinds: tuple[Kind, ...]
    folder: str

    @property
    def key(self) -> str:
        """Return what tells this view from any other."""
        return f"view/{self.title}"


type Held = Title | Artist | View

VIEWS = (
    View("Movies", "movies", (Kind.MOVIE,), "/media/movies"),
    View("Shows", "tvshows", (Kind.SERIES, Kind.SEASON, Kind.EPISODE), "/media/shows"),
    View("Music", "music", (Kind.ARTIST, Kind.ALBUM, Kind.TRACK), "/media/music"),
)

_KIND_OF: Mapping[type, Kind] = {
    Movie: Kind.MOVIE,
    Show: Kind.SERIES,
    Season: Kind.SEASON,
    Episode: Kind.EPISODE,
    Artist: Kind.ARTIST,
    Album: Kind.ALBUM,
    Track: Kind.TRACK,
    Clip: Kind.VIDEO,
    View: Kind.VIEW,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of the server."""

    id: str
    kind: Kind
    number: int
    title: Held
    created: datetime
    saved: datetime
    # Of a version, the item that stands for all of them in lists.
    version_of: str | None = None
    version_name: str | None = None
    # Of an episode, the season or show in whose folder its file lies, if not its season's.
    folder: Season | Show | None = None
    has_ids: bool = True
    # Whether there is no file: a show has such an episode, the library has not.
    missing: bool = False

    @property
    def is_folder(self) -> bool:
        """Return whether other items are in it."""
        return self.kind in FOLDERS

    @property
    def runtime(self) -> timedelta | None:
        """Return how long it plays; None where that is unknown, and for folders."""
        match self.title:
            case Movie() | Episode() | Track() | Clip():
                return self.title.runtime or None
            case _:
                return None

    @property
    def providers(self) -> list[tuple[str, str]]:
        """Return its own external ids, under the names that the API has for them."""
        if not self.has_ids:
            return []
        match self.title:
            case Movie() | Show() | Episode():
                known = [
                    (name.capitalize(), value) for name, value in self.title.ids.items()
                ]
            case Album():
                known = _album_ids(self.title)
            case Track(album=album) as track:
                artist = track.musicbrainz_artist or album.musicbrainz_artist
                known = [
                    *_album_ids(album),
                    ("MusicBrainzArtist", artist),
                    ("MusicBrainzTrack", track.musicbrainz),
                ]
            case _:
                known = []
        return [(name, value) for name, value in known if value]


def _album_ids(album: Album) -> list[tuple[str, str]]:
    return [
        ("MusicBrainzAlbumArtist", album.musicbrainz_artist),
        ("MusicBrainzAlbum", album.musicbrainz),
        ("MusicBrainzReleaseGroup", album.musicbrainz_group),
    ]


class _Artists(Sequence[Artist]):
    """The artists of a library, whose names are all that it gives."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    @overload
    def __getitem__(self, index: int) -> Artist: ...

    @overload
    def __getitem__(self, index: slice) -> list[Artist]: ...

    @override
    def __getitem__(self, index: int | slice) -> Artist | list[Artist]:
        if isinstance(index, slice):
            return [Artist(name) for name in self._names[index]]
        return Artist(self._names[index])

    @override
    def __len__(self) -> int:
        return len(self._names)

    @override
    def __iter__(self) -> Iterator[Artist]:
        return map(Artist, self._names)


@dataclass(kw_only=True)
class _Shelf:
    """The items of one kind, each with a number that stays its own."""

    fixed: Sequence[Held]
    extra: list[Held] = field(default_factory=list)
    # By number, where there is more to say.
    ids: list[str] = field(default_factory=list)
    created: dict[int, datetime] = field(default_factory=dict)
    saved: dict[int, datetime] = field(default_factory=dict)
    version_of: dict[int, str] = field(default_factory=dict)
    version_names: dict[int, str] = field(default_factory=dict)
    folders: dict[int, Season | Show] = field(default_factory=dict)
    other_ids: dict[int, ExternalIds] = field(default_factory=dict)
    without_ids: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    # Neither gone nor listed: versions, trailers.
    hidden: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.fixed) + len(self.extra)

    @property
    def listed(self) -> Sequence[int]:
        """Return the numbers of what is in lists."""
        if not self.gone and not self.hidden:
            return range(len(self))
        return [
            number
            for number in range(len(self))
            if number not in self.gone and number not in self.hidden
        ]

    def title(self, number: int) -> Held:
        """Return the title of a number."""
        fixed = len(self.fixed)
        return self.fixed[number] if number < fixed else self.extra[number - fixed]

    def titles(self, numbers: Sequence[int]) -> Iterator[Held]:
        """Return the titles of several numbers, quickly where they are in a row."""
        fixed = len(self.fixed)
        if isinstance(numbers, range) and numbers.step == 1:
            within = range(numbers.start, min(numbers.stop, fixed))
            beyond = range(max(numbers.start, fixed), numbers.stop)
            return itertools.chain(
                self.fixed[within.start : within.stop] if within else (),
                (self.extra[number - fixed] for number in beyond),
            )
        return map(self.title, numbers)

    def created_at(self, number: int) -> datetime:
        """Return when an item came to the server."""
        return self.created.get(number) or FIRST_ADDED + number * BETWEEN

    def saved_at(self, number: int) -> datetime:
        """Return when the server last wrote down what it knows of an item."""
        return self.saved.get(number) or self.created_at(number)


type Numbers = dict[Kind, Sequence[int]]


class Items:
    """What a server holds."""

    def __init__(self, server: JellyfinServer, library: Library | None = None) -> None:
        self._server = server
        self._library = library = library or Library()
        fixed: dict[Kind, Sequence[Held]] = {
            Kind.MOVIE: library.movies,
            Kind.SERIES: library.shows,
            Kind.SEASON: library.seasons,
            Kind.EPISODE: library.episodes,
            Kind.ARTIST: _Artists(library.artists),
            Kind.ALBUM: library.albums,
            Kind.TRACK: library.tracks,
            Kind.VIEW: VIEWS,
        }
        self._shelves = {kind: _Shelf(fixed=fixed.get(kind, ())) for kind in Kind}
        # How often anything was added, removed or written down anew.
        self.changes = 0
        # What was added to an item, by the id of that item.
        self._added_to: dict[str, list[tuple[Kind, int]]] = {}
        # By the key of a title, that which its id is made of since its file was renamed.
        self._keys: dict[str, str] = {}
        # The ids of the other versions of an item, by the id of that item.
        self._versions: dict[str, list[str]] = {}

    # --- ids ---------------------------------------------------------------------------

    @cached_property
    def _places(self) -> dict[str, tuple[Kind, int]]:
        """Return where each id is: a second for 150,000 items, once."""
        places: dict[str, tuple[Kind, int]] = {}
        for kind, shelf in self._shelves.items():
            shelf.ids[:] = [self.id_of(title) for title in shelf.fixed]
            places.update(
                (identifier, (kind, number))
                for number, identifier in enumerate(shelf.ids)
            )
        return places

    def prepare(self) -> None:
        """Do now what the first request would have to wait for."""
        assert self._places

    def id_of(self, title: Held) -> str:
        """Return the id that a title has on this server, whether it is here or not."""
        return self._server.item_id(self._keys.get(title.key, title.key))

    def folder_id(self, view: View) -> str:
        """Return the id of the folder that a view shows the contents of."""
        return stable_hex(self._server.id, "folder", view.folder)

    def id_at(self, kind: Kind, number: int) -> str:
        """Return the id of an item by its kind and number."""
        self.prepare()
        return self._shelves[kind].ids[number]

    # --- single items ------------------------------------------------------------------

    def get(self, identifier: str) -> Item | None:
        """Return the item with an id, None if there is none."""
        place = self._places.get(identifier)
        if place is None:
            return None
        kind, number = place
        return self._item(kind, number, self._shelves[kind].title(number))

    def of(self, title: Held) -> Item:
        """Return the item of a title; it has to be on this server."""
        item = self.get(self.id_of(title))
        if item is None:
            raise KeyError(f"not on this server: {title.title}")
        return item

    def at(self, kind: Kind, numbers: Sequence[int]) -> Iterator[Item]:
        """Return the items of one kind with these numbers."""
        self.prepare()
        titles = self._shelves[kind].titles(numbers)
        for number, title in zip(numbers, titles, strict=True):
            yield self._item(kind, number, title)

    def _item(self, kind: Kind, number: int, title: Held) -> Item:
        shelf = self._shelves[kind]
        ids = shelf.other_ids.get(number)
        if ids is not None and isinstance(title, Movie | Show | Episode):
            title = replace(title, ids=ids)
        return Item(
            id=shelf.ids[number],
            kind=kind,
            number=number,
            title=title,
            created=shelf.created_at(number),
            saved=shelf.saved_at(number),
            version_of=shelf.version_of.get(number),
            version_name=shelf.version_names.get(number),
            folder=shelf.folders.get(number),
            has_ids=number not in shelf.without_ids,
            missing=number in shelf.missing,
        )

    # --- many --------------------------------------------------------------------------

    def listed(self, kinds: Iterable[Kind]) -> Numbers:
        """Return the numbers of everything of some kinds."""
        return {kind: self._shelves[kind].listed for kind in kinds}

    def count(self, kind: Kind) -> int:
        """Return how many items of a kind there are."""
        return len(self._shelves[kind].listed)

    def count_of_all(self) -> int:
        """Return how many items there are, but for the libraries themselves."""
        return sum(self.count(kind) for kind in Kind if kind is not Kind.VIEW)

    def versions_of(self, kind: Kind, numbers: Sequence[int]) -> Sequence[int]:
        """Return the numbers of some items and of all their versions."""
        shelf = self._shelves[kind]
        if not shelf.version_of:
            return numbers
        found = {self.id_at(kind, number) for number in numbers}
        versions = (
            number
            for number, of in shelf.version_of.items()
            if of in found and number not in shelf.gone
        )
        return sorted({*numbers, *versions})

    def present(self, kind: Kind, numbers: Sequence[int]) -> Sequence[int]:
        """Return the numbers of what there are files of."""
        missing = self._shelves[kind].missing
        return [n for n in numbers if n not in missing] if missing else numbers

    def title_at(self, kind: Kind, number: int) -> Held:
        """Return the title of an item by its kind and number."""
        return self._shelves[kind].title(number)

    def created_at(self, kind: Kind, number: int) -> datetime:
        """Return when an item came to the server."""
        return self._shelves[kind].created_at(number)

    def saved_at(self, kind: Kind, number: int) -> datetime:
        """Return when the server last wrote down what it knows of an item."""
        return self._shelves[kind].saved_at(number)

    def place(self, identifier: str) -> tuple[Kind, int] | None:
        """Return the kind and number of what is listed under an id."""
        place = self._places.get(identifier)
        if place is None:
            return None
        kind, number = place
        return None if number in self._shelves[kind].hidden else place

    def within(self, identifier: str, *, recursive: bool) -> Numbers | None:
        """Return what is in an item, or in anything in it; None if there is no such item."""
        for view in VIEWS:
            if identifier in {self.id_of(view), self.folder_id(view)}:
                return self.listed(view.kinds if recursive else view.kinds[:1])
        place = self._places.get(identifier)
        if place is None:
            return None
        found = self._fixed_within(*place, recursive=recursive)
        for kind, number in self._added_to.get(identifier, ()):
            found.setdefault(kind, []).append(number)
            if recursive:
                deeper = self.within(self.id_at(kind, number), recursive=True) or {}
                for other, numbers in deeper.items():
                    found.setdefault(other, []).extend(numbers)
        if recursive and place[0] in {Kind.SERIES, Kind.ARTIST}:
            # What was added to a season or an album of the fixed part.
            middle = Kind.SEASON if place[0] is Kind.SERIES else Kind.ALBUM
            for number in found.get(middle, []):
                if number < len(self._shelves[middle].fixed):
                    added = self._added_to.get(self.id_at(middle, number), ())
                    for kind, of_added in added:
                        found.setdefault(kind, []).append(of_added)
        return {
            kind: sorted(
                number
                for number in set(numbers)
                if number not in self._shelves[kind].gone
                and number not in self._shelves[kind].hidden
            )
            for kind, numbers in found.items()
        }

    def _fixed_within(
        self, kind: Kind, number: int, *, recursive: bool
    ) -> dict[Kind, list[int]]:
        """Return what the fixed part has in an item."""
        library = self._library
        if number >= len(self._shelves[kind].fixed):
            return {}
        match kind:
            case Kind.SERIES:
                found = {Kind.SEASON: list(library.seasons_of_show(number))}
                if recursive:
                    found[Kind.EPISODE] = list(library.episodes_of_show(number))
            case Kind.SEASON:
                found = {Kind.EPISODE: list(library.episodes_of_season(number))}
            case Kind.ARTIST:
                albums = library.albums_of_artist(number)
                found = {Kind.ALBUM: list(albums)}
                if recursive:
                    found[Kind.TRACK] = [
                        track
                        for album in albums
                        for track in library.tracks_of_album(album)
                    ]
            case Kind.ALBUM:
                found = {Kind.TRACK: list(library.tracks_of_album(number))}
            case _:
                found = {}
        return found

    def counted_within(self, identifier: str) -> dict[Kind, Sequence[int]]:
        """Return what is counted as being in an item.

        A special in the folder of a season counts there and among the specials.
        """
        within = dict(self.within(identifier, recursive=True) or {})
        shelf = self._shelves[Kind.EPISODE]
        apart = {
            number
            for number, folder in shelf.folders.items()
            if number not in shelf.gone
            for episode in (shelf.title(number),)
            if isinstance(episode, Episode)
            and identifier
            in {self.id_of(folder), self.id_of(Season(episode.show, episode.season))}
        }
        if apart:
            within[Kind.EPISODE] = sorted({*within.get(Kind.EPISODE, ()), *apart})
        return within

    def playable_within(self, item: Item) -> list[Item]:
        """Return what plays in a folder, the specials of a series among it."""
        within = self.within(item.id, recursive=True) or {}
        playable = [
            found
            for kind, numbers in within.items()
            if kind not in FOLDERS
            for found in self.at(kind, numbers)
        ]
        return sorted(playable, key=lambda found: _order_in(item.title, found.title))

    def season_of(self, item: Item) -> Season | None:
        """Return the season that an episode is in, to this server."""
        assert isinstance(item.title, Episode)
        if self._lies_apart(item.folder):
            return item.folder if isinstance(item.folder, Season) else None
        return Season(item.title.show, item.title.season)

    def versions(self, item: Item) -> list[Item]:
        """Return all versions of an item, the one that stands for them first."""
        first = item.version_of or item.id
        held = map(self.get, (first, *self._versions.get(first, ())))
        return [version for version in held if version is not None]

    def version(self, title: Held, name: str) -> Item:
        """Return the version of a title with a name; it has to be on this server."""
        item = self.get(self._version_id(title, name))
        if item is None:
            raise KeyError(f"not on this server: {title.title}, {name}")
        return item

    def _version_id(self, title: Held, name: str) -> str:
        return stable_hex(self.id_of(title), "version", name)

    def last_played(
        self, identifier: str, data: Mapping[str, UserData]
    ) -> datetime | None:
        """Return when an item was last played: the latest of its versions, where that counts."""
        own = data.get(identifier)
        at = own.last_played if own else None
        if self._server.version.keeps_data_of_versions:
            for version in self._versions.get(identifier, ()):
                of_version = data.get(version)
                if of_version and of_version.last_played:
                    at = max(at or of_version.last_played, of_version.last_played)
        return at

    # --- changes -----------------------------------------------------------------------

    def add(
        self,
        title: Held,
        at: datetime,
        *,
        has_ids: bool = True,
        folder: Season | Show | None = None,
    ) -> list[Item]:
        """Add a title and what it belongs to; returns what is new, the largest first.

        `folder` is where the file of an episode lies, if not in its season's folder.
        """
        identifier = self.id_of(title)
        if identifier in self._places:
            return []
        parent = parent_of(title)
        if isinstance(title, Episode) and self._lies_apart(folder):
            parent = folder
        above = self.add(parent, at, has_ids=has_ids) if parent else []
        item = self._put(identifier, title, at)
        shelf = self._shelves[item.kind]
        if folder is not None:
            shelf.folders[item.number] = folder
        if not has_ids:
            shelf.without_ids.add(item.number)
        if isinstance(title, Clip):
            shelf.hidden.add(item.number)
        elif parent:
            self._put_into(parent, item)
        return [*above, self._item(item.kind, item.number, title)]

    def _lies_apart(self, folder: Season | Show | None) -> bool:
        """Return whether an episode belongs to the folder it lies in, and to no other."""
        return folder is not None and self._server.version.seasons_are_folders

    def _put_into(self, parent: Held, item: Item) -> None:
        """Let something that is in no list yet be in what it belongs to."""
        within = self._added_to.setdefault(self.id_of(parent), [])
        within.append((item.kind, item.number))

    def add_version(
        self, title: Movie | Episode, name: str, at: datetime, *, has_ids: bool = True
    ) -> Item:
        """Add another file of a title that is here: a version, or an item beside it."""
        main = self.of(title)
        item = self._put(self._version_id(title, name), title, at)
        shelf = self._shelves[item.kind]
        shelf.version_names[item.number] = name
        if not has_ids:
            shelf.without_ids.add(item.number)
        if isinstance(title, Movie) or self._server.version.groups_episodes:
            shelf.version_of[item.number] = main.id
            shelf.hidden.add(item.number)
            self._versions.setdefault(main.id, []).append(item.id)
        elif parent := parent_of(title):
            self._put_into(parent, item)
        return self._item(item.kind, item.number, title)

    def add_missing(self, episode: Episode, at: datetime) -> list[Item]:
        """Add an episode that there is no file of; returns what is new."""
        added = self.add(episode, at)
        self._shelves[Kind.EPISODE].missing.add(self.of(episode).number)
        return added

    def touch(self, title: Held, at: datetime) -> None:
        """Let the server write down anew what it knows of an item."""
        item = self.of(title)
        self.changes += 1
        self._shelves[item.kind].saved[item.number] = at

    def identify(self, title: Held, at: datetime) -> None:
        """Let the server find the external ids of an item that came without."""
        item = self.of(title)
        self._shelves[item.kind].without_ids.discard(item.number)
        self.touch(title, at)

    def change_ids(self, title: Held, ids: ExternalIds, at: datetime) -> None:
        """Let the server find other external ids of an item than it had."""
        item = self.of(title)
        self._shelves[item.kind].other_ids[item.number] = ids
        self.touch(title, at)

    def rename(self, title: Held, at: datetime) -> tuple[Item, Item]:
        """Rename the file of a title: its item goes and another one comes."""
        (gone,) = self.remove(title)
        self._keys[title.key] = f"{self._keys.get(title.key, title.key)} (renamed)"
        return gone, self.add(title, at)[-1]

    def remove(self, title: Held) -> list[Item]:
        """Remove a title with what is in it; returns all that, the title itself first."""
        item = self.of(title)
        listed = [item]
        for kind, numbers in (self.within(item.id, recursive=True) or {}).items():
            listed.extend(self.at(kind, numbers))
        gone = [version for each in listed for version in self.versions(each)]
        self.changes += 1
        for each in gone:
            self._places.pop(each.id, None)
            self._shelves[each.kind].gone.add(each.number)
            self._added_to.pop(each.id, None)
            self._versions.pop(each.id, None)
        return gone

    def _put(self, identifier: str, title: Held, at: datetime) -> Item:
        self.prepare()
        self.changes += 1
        kind = _KIND_OF[type(title)]
        shelf = self._shelves[kind]
        number = len(shelf)
        shelf.extra.append(title)
        shelf.ids.append(identifier)
        shelf.created[number] = at
        self._places[identifier] = (kind, number)
        return self._item(kind, number, title)


def _order_in(folder: Held, title: Held) -> tuple[bool, int, int]:
    """Return where a title is among all that plays in a folder.

    Specials come first in a show, and last in the season whose folder they lie in.
    """
    match title:
        case Episode(season=season, number=number):
            is_special = isinstance(folder, Season) and folder.number != season
            return is_special, season, number
        case Track(disc=disc, number=number):
            return False, disc, number
        case _:
            return False, 0, 0


def parent_of(title: Held) -> Held | None:
    """Return what a title is in; a view is in nothing, and films are in views only."""
    match title:
        case Season():
            return title.show
        case Episode():
            return Season(title.show, title.season)
        case Album():
            return Artist(title.artist)
        case Track():
            return title.album
        case _:
            return None


def top_of(title: Held) -> Held:
    """Return the largest thing that a title is in, or the title itself."""
    while parent := parent_of(title):
        title = parent
    return title


def sort_name(title: Held) -> str:
    """Return what the server sorts a title by when it sorts by name."""
    match title:
        case Episode():
            return f"{title.season:03d} - {title.number:04d} - {title.title.lower()}"
        case Season():
            return f"{title.number:04d}"
        case Track():
            return f"{title.disc:04d} - {title.number:04d} - {title.title.lower()}"
        case _:
            return title.title.lower()


def premiere(title: Held) -> datetime | None:
    """Return when a title was first seen or heard; None where that is unknown."""
    match title:
        case Movie() | Album():
            day = title.released
        case Show():
            day = title.premiered
        case Episode():
            day = title.aired
        case _:
            return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def production_year(title: Held) -> int | None:
    """Return the year of a title; that of an episode is its own here."""
    match title:
        case Movie() | Show() | Album():
            return title.year
        case Episode():
            return title.aired.year
        case Track():
            return title.album.year
        case _:
            return None
