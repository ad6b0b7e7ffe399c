"""What a Plex server holds: sections, items with numbers and guids, and finding them.

A `Library` of any size is the fixed part; titles can be added to it and anything can be
removed. An item is made when it is asked for, as the webhooks describe it, so what the
server lists and what it reports are the same thing.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
import itertools
from typing import Any, override

from .catalogue import (
    Album,
    Episode,
    ExternalIds,
    Movie,
    Season,
    Show,
    Title,
    Track,
    stable_number,
)
from .library import Library, Titles
from .plex import PlexServer
from .plex_episodes import SeasonForm
from .plex_filters import FilterError, concerns_user, filters_of, parts_of, passes
from .plex_guids import old_guid, plex_guid
from .plex_markup import to_xml
from .plex_sections import (
    FILMS,
    LEAVES,
    MUSIC,
    OLD_FILMS,
    OLD_SERIES,
    SERIES,
    Extent,
    Item,
    Kind,
    Section,
    States,
)

_KINDS = tuple(Kind)
_LARGEST_MEMORY = 20_000

# The fixed part came to the server between 2019 and 2025.
_FIRST_ADDED = 1_546_300_800
_ADDED_WITHIN = 220_000_000

# Lists leave out what only the page of an item shows.
_DETAILS = frozenset(
    {
        "Rating",
        "librarySectionID",
        "librarySectionKey",
        "librarySectionTitle",
        "librarySectionType",
        "primaryExtraKey",
    }
)


@dataclass(kw_only=True)
class PlexItems(PlexServer):
    """A server's library, and the webhooks that speak of it.

    `legacy` is the share of the films and series that are in sections with agents of old.
    """

    library: Library = field(default_factory=Library)
    legacy: float = 0

    def __post_init__(self) -> None:
        """Begin with the library and nothing else."""
        self._version = 0
        self._extras: dict[Kind, list[Title | str]] = {kind: [] for kind in Kind}
        self._extra_items: dict[str, Item] = {}
        self._extra_keys: dict[str, Item] = {}
        self._guids: dict[Item, str] = {}
        self._files: dict[Item, tuple[str, int]] = {}
        self._added_at: dict[str, int] = {}
        self._removed: set[Item] = set()
        self._keys: dict[str, str] = {}
        self._new_keys: dict[str, str] = {}
        self._fixed_added: dict[str, int] = {}
        self._numbers: dict[tuple[int, Kind], tuple[int, Sequence[int]]] = {}
        self._selected: dict[tuple[object, ...], tuple[int, Sequence[int]]] = {}

    # What is there

    @cached_property
    def _titles(self) -> Mapping[Kind, Titles[Any]]:
        """Return the fixed part, by kind."""
        library = self.library
        return {
            Kind.MOVIE: library.movies,
            Kind.SHOW: library.shows,
            Kind.SEASON: library.seasons,
            Kind.EPISODE: library.episodes,
            Kind.ARTIST: library.artists,
            Kind.ALBUM: library.albums,
            Kind.TRACK: library.tracks,
        }

    @cached_property
    def _first_key(self) -> int:
        """Return the key of the first item: two servers count from different numbers."""
        return stable_number(self.uuid, "first rating key", below=900_000)

    @cached_property
    def _first_legacy(self) -> Mapping[Kind, int]:
        """Return from which number on items of the fixed part have agents of old."""
        library = self.library
        movies, shows = len(library.movies), len(library.shows)
        movie = movies - round(movies * self.legacy)
        show = shows - round(shows * self.legacy)
        season = library.first_seasons[show]
        return {
            Kind.MOVIE: movie,
            Kind.SHOW: show,
            Kind.SEASON: season,
            Kind.EPISODE: library.first_episodes[season],
        }

    @property
    def sections(self) -> list[Section]:
        """Return the sections that have something in them."""
        sections = (FILMS, SERIES, MUSIC, OLD_FILMS, OLD_SERIES)
        return [section for section in sections if self.numbers(section, section.kind)]

    def section(self, number: int) -> Section | None:
        """Return a section by its id."""
        return next((each for each in self.sections if each.id == number), None)

    def section_of(self, item: Item) -> Section:
        """Return the section an item is in."""
        legacy = self._is_legacy(item)
        match item.kind:
            case Kind.MOVIE:
                return OLD_FILMS if legacy else FILMS
            case Kind.SHOW | Kind.SEASON | Kind.EPISODE:
                return OLD_SERIES if legacy else SERIES
            case _:
                return MUSIC

    def _is_legacy(self, item: Item) -> bool:
        """Return whether an item has an agent of old."""
        first = self._first_legacy.get(item.kind)
        return first is not None and first <= item.number < len(self._titles[item.kind])

    def top_titles(self) -> Iterator[Movie | Show]:
        """Return the films and series."""
        for kind in (Kind.MOVIE, Kind.SHOW):
            yield from self._titles[kind]
            for title in self._extras[kind]:
                assert isinstance(title, Movie | Show)
                yield title

    def add(self, title: Title, guid: str | None = None) -> Item:
        """Add a title, and what it belongs to; `guid` is one of an agent of one's choice."""
        match title:
            case Season():
                self._add(Kind.SHOW, title.show)
                item = self._add(Kind.SEASON, title)
            case Episode():
                self._add(Kind.SHOW, title.show)
                self._add(Kind.SEASON, Season(title.show, title.season))
                item = self._add(Kind.EPISODE, title)
            case Album():
                self._add(Kind.ARTIST, title.artist)
                item = self._add(Kind.ALBUM, title)
            case Track():
                self._add(Kind.ARTIST, title.album.artist)
                self._add(Kind.ALBUM, title.album)
                item = self._add(Kind.TRACK, title)
            case Movie():
                item = self._add(Kind.MOVIE, title)
            case Show():
                item = self._add(Kind.SHOW, title)
            case _:
                raise ValueError(f"{title.label} is in no section")
        if guid is not None:
            self._guids[item] = guid
        return item

    def share_file(self, episodes: Sequence[Episode]) -> None:
        """Have episodes be in one file: each stays an item, and as long as the file."""
        numbers = "-".join(f"E{episode.number:02}" for episode in episodes)
        first = episodes[0]
        name = f"/data/video/{first.show.title} - S{first.season:02}{numbers}.mkv"
        length = sum((episode.runtime for episode in episodes), timedelta())
        for episode in episodes:
            item = self.locate(episode)
            assert item is not None
            self._files[item] = name, length // timedelta(milliseconds=1)

    def _add(self, kind: Kind, title: Title | str) -> Item:
        """Add one title, unless it is there."""
        item = self._find(title)
        if item is None:
            extras = self._extras[kind]
            item = Item(kind, len(self._titles[kind]) + len(extras))
            extras.append(title)
            self._extra_items[_key(title)] = item
            self._extra_keys[self.rating_key(_key(title))] = item
        elif item not in self._removed:
            return item
        elif item.number >= len(self._titles[kind]):
            self._give_new_key(item)
        self._removed.discard(item)
        self._version += 1
        return item

    def _give_new_key(self, item: Item) -> None:
        """Let an item that comes back have another key than before."""
        name = _key(self.title(item))
        before = self.rating_key(name)
        del self._extra_keys[before]
        self._new_keys[name] = super().rating_key(f"{name} after {before}")
        self._extra_keys[self._new_keys[name]] = item

    def remove(self, item: Item) -> None:
        """Remove an item and what is in it."""
        self._removed |= {item, *self.children(item), *self.leaves(item)}
        self._version += 1

    def came(self, item: Item, at: datetime) -> None:
        """Say when an item came to the server."""
        self._added_at[_key(self.title(item))] = int(at.timestamp())
        self._version += 1

    # Finding

    def title(self, item: Item) -> Title | str:
        """Return the title of an item; of an artist it is the name."""
        fixed = self._titles[item.kind]
        if item.number < len(fixed):
            title: Title | str = fixed[item.number]
            return title
        return self._extras[item.kind][item.number - len(fixed)]

    def locate(self, title: Title | str) -> Item | None:
        """Return the item of a title, None if there is none."""
        item = self._find(title)
        return None if item in self._removed else item

    def _find(self, title: Title | str) -> Item | None:
        """Return the item of a title, even if it has been removed."""
        if (extra := self._extra_items.get(_key(title))) is not None:
            return extra
        kind = _kind(title)
        if kind is None or title not in self._titles[kind]:
            return None
        return Item(kind, self._titles[kind].index(title))

    def item(self, rating_key: str) -> Item | None:
        """Return an item by its key, None if there is none."""
        item = self._extra_keys.get(rating_key)
        if item is None and rating_key.isascii() and rating_key.isdigit():
            number, kind = divmod(int(rating_key) - self._first_key, len(_KINDS))
            if 0 <= number < len(self._titles[_KINDS[kind]]):
                item = Item(_KINDS[kind], number)
        return None if item in self._removed else item

    def key_of(self, item: Item) -> str:
        """Return the key of an item."""
        if item.number < len(self._titles[item.kind]):
            return str(self._fixed_key(item.kind, item.number))
        return self.rating_key(_key(self.title(item)))

    def _fixed_key(self, kind: Kind, number: int) -> int:
        """Return the key of an item of the fixed part."""
        return self._first_key + number * len(_KINDS) + _KINDS.index(kind)

    @override
    def rating_key(self, key: str) -> str:
        known = self._new_keys.get(key) or self._keys.get(key)
        return known or super().rating_key(key)

    def parents(self, item: Item) -> list[Item]:
        """Return what an item is in, the nearest first."""
        library = self.library
        if item.number < len(self._titles[item.kind]):
            match item.kind:
                case Kind.EPISODE:
                    season = library.season_of_episode(item.number)
                    show = library.show_of_season(season)
                    return [Item(Kind.SEASON, season), Item(Kind.SHOW, show)]
                case Kind.SEASON:
                    return [Item(Kind.SHOW, library.show_of_season(item.number))]
        titles: list[Title | str] = []
        match self.title(item):
            case Episode() as episode:
                titles = [Season(episode.show, episode.season), episode.show]
            case Season() as season_title:
                titles = [season_title.show]
            case Track() as track:
                titles = [track.album, track.album.artist]
            case Album() as album:
                titles = [album.artist]
        found = (self._find(title) for title in titles)
        return [parent for parent in found if parent is not None]

    def children(self, item: Item) -> list[Item]:
        """Return what is directly in an item."""
        library = self.library
        fixed = item.number < len(self._titles[item.kind])
        numbers: range = range(0)
        match item.kind:
            case Kind.SHOW:
                kind = Kind.SEASON
                if fixed:
                    numbers = library.seasons_of_show(item.number)
            case Kind.SEASON:
                kind = Kind.EPISODE
                if fixed:
                    numbers = library.episodes_of_season(item.number)
            case Kind.ARTIST:
                kind = Kind.ALBUM
                if fixed:
                    numbers = library.albums_of_artist(item.number)
            case Kind.ALBUM:
                kind = Kind.TRACK
                if fixed:
                    numbers = library.tracks_of_album(item.number)
            case _:
                return []
        extras = (self._extra_items[_key(title)] for title in self._extras[kind])
        children = itertools.chain(
            (Item(kind, number) for number in numbers),
            (extra for extra in extras if self.parents(extra)[:1] == [item]),
        )
        return [child for child in children if child not in self._removed]

    def leaves(self, item: Item) -> list[Item]:
        """Return what can be played in an item; a film or an episode is one itself."""
        if item.kind in LEAVES:
            return [item]
        return [leaf for child in self.children(item) for leaf in self.leaves(child)]

    def numbers(self, section: Section, kind: Kind) -> Sequence[int]:
        """Return the numbers of the items of a kind that are in a section."""
        if kind not in section.kinds:
            return ()
        version, numbers = self._numbers.get((section.id, kind), (-1, ()))
        if version != self._version:
            numbers = self._count(section, kind)
            self._numbers[section.id, kind] = (self._version, numbers)
        return numbers

    def _count(self, section: Section, kind: Kind) -> Sequence[int]:
        """Return the numbers of the items of a kind that are in a section."""
        end = len(self._titles[kind])
        first = self._first_legacy.get(kind, end)
        numbers = range(first, end) if section.legacy else range(first)
        extras = range(end, end if section.legacy else end + len(self._extras[kind]))
        removed = {item.number for item in self._removed if item.kind is kind}
        if not extras and removed.isdisjoint(numbers):
            return numbers
        every = itertools.chain(numbers, extras)
        return array("I", (number for number in every if number not in removed))

    # Selecting

    def select(
        self, section: Section, kind: Kind, query: Mapping[str, str], states: States
    ) -> Sequence[int]:
        """Return the numbers of the items that a request asks for, in its order."""
        filters = filters_of(query)
        order = query.get("sort", "")
        if not filters and not order:
            return self.numbers(section, kind)
        lasting = not concerns_user(order, filters)
        memory = (section.id, kind, order, *sorted(filters.items()))
        if lasting:
            version, numbers = self._selected.get(memory, (-1, ()))
            if version == self._version:
                return numbers
        numbers = self._sorted(
            kind,
            [
                number
                for number in self.numbers(section, kind)
                if all(
                    self._passes(Item(kind, number), name, value, states)
                    for name, value in filters.items()
                )
            ],
            order,
            states,
        )
        if lasting:
            self._selected[memory] = (self._version, array("I", numbers))
        return numbers

    def _sorted(
        self, kind: Kind, numbers: list[int], order: str, states: States
    ) -> list[int]:
        """Return items in an order such as `addedAt:desc,titleSort`."""
        for part in reversed([part for part in order.split(",") if part]):
            name, _, direction = part.partition(":")
            name = name.rpartition(".")[2]
            numbers = sorted(
                numbers,
                key=lambda number: self._sortable(Item(kind, number), name, states),
                reverse=direction.startswith("desc"),
            )
        return numbers

    def _sortable(self, item: Item, name: str, states: States) -> tuple[bool, Any]:
        """Return what an item is sorted by; what is unknown comes first."""
        value = self._value(item, name, states)
        return value is not None, value if value is not None else 0

    def _passes(self, item: Item, name: str, wanted: str, states: States) -> bool:
        """Return whether an item passes a filter such as `addedAt>` or `title=`."""
        of, field_name, operator = parts_of(name)
        if of is not None and of != item.kind.word:
            parents = {parent.kind.word: parent for parent in self.parents(item)}
            if of not in parents:
                raise FilterError(name)
            item = parents[of]
        value = self._value(item, field_name, states)
        return any(passes(value, operator, each) for each in wanted.split(","))

    def _value(self, item: Item, name: str, states: States) -> Any:
        """Return what an item has in a field that one can filter or sort by."""
        state = states.get(item)
        match name:
            case "viewCount":
                return state.view_count if state else 0
            case "unwatched":
                return not (state and state.view_count)
            case "lastViewedAt":
                return state.last_viewed_at if state else None
            case "viewOffset":
                return state.view_offset if state else None
            case "userRating":
                return state.rating if state else None
            case "id" | "ratingKey":
                return int(self.key_of(item))
            case "addedAt" | "updatedAt":
                return self._item_added(item)
        title = self.title(item)
        match name:
            case "title" | "titleSort":
                return (title if isinstance(title, str) else title.title).casefold()
            case "guid":
                return self.guids(item)[0]
            case "year" | "duration" | "originallyAvailableAt" | "index":
                value = self.describe(item).get(name)
                if name == "originallyAvailableAt" and value is not None:
                    day = date.fromisoformat(value)
                    return int(datetime(*day.timetuple()[:3], tzinfo=UTC).timestamp())
                return value
        raise FilterError(name)

    # Describing

    @override
    def metadata(self, title: Title) -> dict[str, Any]:
        item = self.locate(title)
        return super().metadata(title) if item is None else self.describe(item)

    def describe(self, item: Item) -> dict[str, Any]:
        """Return an item as it is described to everybody, with all that is known of it."""
        title = self.title(item)
        self._remember_keys(item, title)
        data = (
            self._artist(item, title)
            if isinstance(title, str)
            else (super().metadata(title))
        )
        section = self.section_of(item)
        data |= {
            "librarySectionType": section.type,
            "librarySectionTitle": section.title,
            "librarySectionID": section.id,
            "librarySectionKey": f"/library/sections/{section.id}",
        }
        guid, *parents = self.guids(item)
        data["guid"] = guid
        data |= zip(("parentGuid", "grandparentGuid"), parents, strict=False)
        if not guid.startswith("plex://"):
            data.pop("Guid", None)
        if item.kind not in LEAVES:
            data["leafCount"] = len(self.leaves(item))
            data["childCount"] = len(self.children(item))
        return data

    def brief(self, item: Item) -> dict[str, Any]:
        """Return the little that a history says of an item, as `describe` would have it.

        What leads to an item is left out of one that is gone.
        """
        title = self.title(item)
        added = self._item_added(item)
        path, *above = (
            f"/library/metadata/{self.key_of(each)}"
            for each in (item, *self.parents(item))
        )
        data: dict[str, Any] = {}
        if item not in self._removed:
            data = {"key": path, "ratingKey": path.rpartition("/")[2]}
            data |= zip(("parentKey", "grandparentKey"), above, strict=False)
            own = above[0] if isinstance(title, Track) else path
            data["thumb"] = f"{own}/thumb/{added}"
            if above:
                data |= {
                    "parentThumb": f"{above[0]}/thumb/{added}",
                    "grandparentThumb": f"{above[1]}/thumb/{added}",
                    "grandparentArt": f"{above[1]}/art/{added}",
                }
        data["librarySectionID"] = str(self.section_of(item).id)
        match title:
            case Movie():
                data |= {
                    "title": title.title,
                    "type": "movie",
                    "originallyAvailableAt": title.released.isoformat(),
                }
            case Episode():
                data |= {
                    "title": title.title,
                    "grandparentTitle": title.show.title,
                    "parentTitle": Season(title.show, title.season).title,
                    "type": "episode",
                    "index": title.number,
                    "parentIndex": title.season,
                    "originallyAvailableAt": title.aired.isoformat(),
                }
            case Track():
                data |= {
                    "title": title.title,
                    "grandparentTitle": title.album.artist,
                    "parentTitle": title.album.title,
                    "originalTitle": title.artist,
                    "type": "track",
                    "index": title.number,
                    "parentIndex": title.disc,
                }
        return data

    def show(self, item: Item, extent: Extent, states: States) -> dict[str, Any]:
        """Return an item as it is shown to a user."""
        data = self.describe(item)
        if not extent.details:
            for name in _DETAILS:
                data.pop(name, None)
        if not extent.guids:
            data.pop("Guid", None)
        if (state := states.get(item)) is not None:
            data |= state.attributes()
        if item.kind not in LEAVES and states:
            data["viewedLeafCount"] = sum(
                leaf in states and states[leaf].view_count > 0
                for leaf in self.leaves(item)
            )
        if item in self._files:
            data["duration"] = self._files[item][1]
        if item.kind in LEAVES:
            data["Media"] = [self._media(item, data)]
        for name in extent.without:
            data.pop(name, None)
        return data

    def list_xml(
        self, kind: Kind, numbers: Iterable[int], extent: Extent, states: States
    ) -> str:
        """Return items as XML; episodes, of which there are many, take a short cut."""
        parts: list[str] = []
        fixed = len(self.library.episodes) if kind is Kind.EPISODE else 0
        short = not extent.details and extent.without <= {"Media", "Guid", "Director"}
        for is_fixed, group in itertools.groupby(
            numbers, lambda number: short and number < fixed
        ):
            if is_fixed:
                parts.extend(self._episodes_xml(group, extent, states))
                continue
            for number in group:
                data = self.show(Item(kind, number), extent, states)
                name = {"movie": "Video", "episode": "Video", "track": "Track"}
                parts.append(to_xml(name.get(kind.word, "Directory"), data))
        return "".join(parts)

    def guids(self, item: Item) -> list[str]:
        """Return the guid of an item and those of what it is in, the nearest first."""
        title = self.title(item)
        chosen = self._guids.get(item)
        legacy = self._is_legacy(item)
        match title:
            case Movie():
                guid = (
                    old_guid(title.ids, title.key, ("imdb", "themoviedb"))
                    if legacy
                    else self._new_guid(item, "movie", title)
                )
                return [chosen or guid]
            case Show() | Season() | Episode():
                show = title if isinstance(title, Show) else title.show
                return self._series_guids(item, title, show, chosen, legacy=legacy)
        guids = [
            plex_guid(_key(self.title(each)), each.kind.word)
            for each in (item, *self.parents(item))
        ]
        return [chosen or guids[0], *guids[1:]]

    def _series_guids(
        self,
        item: Item,
        title: Show | Season | Episode,
        show: Show,
        chosen: str | None,
        *,
        legacy: bool,
    ) -> list[str]:
        """Return the guids of a series, a season or an episode."""
        parents = self.parents(item)
        if legacy:
            of_show = old_guid(show.ids, show.key, ("thetvdb", "themoviedb"))
        else:
            show_item = parents[-1] if parents else item
            of_show = self._guids.get(show_item) or self._new_guid(
                show_item, "show", show
            )
        if of_show.startswith("plex://"):
            guids = [of_show]
            if not isinstance(title, Show):
                number = title.season if isinstance(title, Episode) else title.number
                guids.insert(0, plex_guid(Season(show, number).key, "season"))
            if isinstance(title, Episode):
                guids.insert(0, plex_guid(title.key, "episode"))
        elif of_show.startswith("local://"):
            guids = [f"local://{self.key_of(each)}" for each in (item, *parents)]
        else:
            base, _, language = of_show.partition("?")
            numbers = [f"{base}?{language}"]
            if not isinstance(title, Show):
                number = title.season if isinstance(title, Episode) else title.number
                numbers.insert(0, f"{base}/{number}?{language}")
                if isinstance(title, Episode):
                    numbers.insert(0, f"{base}/{number}/{title.number}?{language}")
            guids = numbers
        return [chosen or guids[0], *guids[1:]]

    def _new_guid(self, item: Item, kind: str, title: Movie | Show) -> str:
        """Return the guid that an agent of today gives: what it knows nowhere is local."""
        if title.ids == ExternalIds():
            return f"local://{self.key_of(item)}"
        return plex_guid(title.key, kind)

    def _remember_keys(self, item: Item, title: Title | str) -> None:
        """Let the descriptions find the keys of an item and of what it is in."""
        if len(self._keys) > _LARGEST_MEMORY:
            self._keys.clear()
            self._fixed_added.clear()
        for each in (item, *self.parents(item)):
            if each.number < len(self._titles[each.kind]):
                name = _key(title if each == item else self.title(each))
                self._keys[name] = str(self._fixed_key(each.kind, each.number))
                self._fixed_added[name] = self._item_added(each)

    def _artist(self, item: Item, name: str) -> dict[str, Any]:
        """Describe an artist, of whom webhooks never speak."""
        key = _key(name)
        path = self._path(key)
        added = self._added(key)
        albums = [self.title(album) for album in self.children(item)]
        return {
            "ratingKey": self.rating_key(key),
            "key": f"{path}/children",
            "guid": plex_guid(key, "artist"),
            "type": "artist",
            "title": name,
            "summary": "",
            "index": 1,
            "thumb": f"{path}/thumb/{added}",
            "art": f"{path}/art/{added}",
            "addedAt": added,
            "updatedAt": added,
            "Guid": [
                {"id": f"mbid://{album.musicbrainz_artist}"}
                for album in albums[:1]
                if isinstance(album, Album)
            ],
        }

    def _media(self, item: Item, data: Mapping[str, Any]) -> dict[str, Any]:
        """Describe the file of an item."""
        number = int(data["ratingKey"])
        if item.kind is Kind.TRACK:
            return {
                "id": number,
                "duration": data["duration"],
                "bitrate": 864,
                "audioChannels": 2,
                "audioCodec": "flac",
                "container": "flac",
                "Part": [
                    {
                        "id": number,
                        "key": f"/library/parts/{number}/1/file.flac",
                        "duration": data["duration"],
                        "file": f"/data/music/{number}.flac",
                        "size": 31_337_000,
                        "container": "flac",
                    }
                ],
            }
        return {
            "id": number,
            "duration": data["duration"],
            "bitrate": 4211,
            "width": 1920,
            "height": 1080,
            "aspectRatio": "1.78",
            "audioChannels": 6,
            "audioCodec": "ac3",
            "videoCodec": "h264",
            "videoResolution": "1080",
            "container": "mkv",
            "videoFrameRate": "24p",
            "videoProfile": "high",
            "Part": [
                {
                    "id": number,
                    "key": f"/library/parts/{number}/1/file.mkv",
                    "duration": data["duration"],
                    "file": self._files.get(item, (f"/data/video/{number}.mkv",))[0],
                    "size": 1_474_560_000,
                    "container": "mkv",
                    "videoProfile": "high",
                }
            ],
        }

    @override
    def _added(self, key: str) -> int:
        known = self._added_at.get(key) or self._fixed_added.get(key)
        return known or super()._added(key)

    def _item_added(self, item: Item) -> int:
        """Return when an item came to the server, in seconds since 1970.

        Tracks came with their album.
        """
        if item.kind is Kind.TRACK:
            item = self.parents(item)[0]
        if item.number >= len(self._titles[item.kind]):
            return self._added(_key(self.title(item)))
        if self._added_at:
            chosen = self._added_at.get(_key(self.title(item)))
            if chosen is not None:
                return chosen
        spread = item.number * 2_654_435_761 + item.kind * 40_503
        return _FIRST_ADDED + (spread + self._first_key) % _ADDED_WITHIN

    def _episodes_xml(
        self, numbers: Iterable[int], extent: Extent, states: States
    ) -> Iterator[str]:
        """Yield episodes of the fixed part as `show` and `to_xml` would have them.

        Of 150,000 that takes two seconds, instead of twenty.
        """
        library = self.library
        for season, group in itertools.groupby(numbers, library.season_of_episode):
            of_group = list(group)
            low, high = min(of_group), max(of_group)
            episodes = library.episodes[low : high + 1]
            season_guid, show_guid = self.guids(Item(Kind.SEASON, season))
            form = SeasonForm.of(
                Season(episodes[0].show, episodes[0].season),
                self._fixed_key(Kind.SEASON, season),
                self._fixed_key(Kind.SHOW, library.show_of_season(season)),
                (season_guid, show_guid),
                super().metadata(episodes[0])["Director"][0],
            )
            for number in of_group:
                episode = episodes[number - low]
                item = Item(Kind.EPISODE, number)
                added = self._item_added(item)
                key = self._fixed_key(Kind.EPISODE, number)
                state = states.get(item) if states else None
                guid = self._guids.get(item) or form.guid(episode, key)
                yield form.episode(episode, key, guid, added, state, extent)


def _kind(title: Title | str) -> Kind | None:
    """Return the kind of a title, None if it is in no section."""
    match title:
        case str():
            return Kind.ARTIST
        case Movie():
            return Kind.MOVIE
        case Show():
            return Kind.SHOW
        case Season():
            return Kind.SEASON
        case Episode():
            return Kind.EPISODE
        case Album():
            return Kind.ALBUM
        case Track():
            return Kind.TRACK
        case _:
            return None


def _key(title: Title | str) -> str:
    """Return what tells a title, or an artist, from any other."""
    return f"artist/{title}" if isinstance(title, str) else title.key
