"""A library of any size, made up as it is asked for and always the same.

`Library(movies=…, episodes=…, tracks=…)` has the sequences `movies`, `shows`, `seasons`,
`episodes`, `artists`, `albums` and `tracks`: they know their length, give a title by its
number (`library.episodes[149_999]`), a page as a slice, the number of a title
(`library.episodes.index(title)`), and can be iterated. Nothing is kept of a title but where
its season begins, so 150,000 episodes cost a few kilobytes; ask again and an equal title is
made. The same numbers are the same titles in every library, so two servers with a library
each hold the same films, under ids of their own.

    library = Library(movies=2_000, episodes=150_000)
    page = library.episodes[300:600]
    show = library.show_of(page[0])          # its number among `shows`
    library.episodes_of_show(show)           # range of numbers among `episodes`

What is found in real libraries is in here at a steady rate: titles without any id, with one
only, in other scripts and with characters that have to be escaped, remakes that differ in
the year alone, specials, files with two episodes, and series whose only season runs to
hundreds of episodes. Databases number films, series and episodes apart: the same tmdb id
stands for a film, a series and an episode here. Ids of IMDb are unique over all of them.
"""

from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property
import itertools
import math
from typing import overload, override
import uuid

from .catalogue import Album, Episode, ExternalIds, Movie, Season, Show, Track

_FIRST_WORDS = (
    "Amber",
    "Bitter",
    "Borrowed",
    "Brackish",
    "Broken",
    "Careful",
    "Copper",
    "Counterfeit",
    "Crooked",
    "Distant",
    "Drowned",
    "Eleventh",
    "Empty",
    "Faithful",
    "Feral",
    "Forgotten",
    "Gilded",
    "Glass",
    "Hollow",
    "Honest",
    "Idle",
    "Inland",
    "Iron",
    "Late",
    "Little",
    "Lunar",
    "Midwinter",
    "Nameless",
    "Narrow",
    "Northern",
    "Paper",
    "Patient",
    "Perfect",
    "Quiet",
    "Restless",
    "Rusted",
    "Salted",
    "Scarlet",
    "Second",
    "Shallow",
    "Sleepless",
    "Spare",
    "Stolen",
    "Sunken",
    "Tall",
    "Tidal",
    "Unlikely",
    "Velvet",
    "Winter",
    "Wooden",
    # What names are made of elsewhere, and what has to be escaped.
    "Åpen",
    "Øde",
    "Überfällig",
    "Été",
    "Zażółcona",
    "Тихий",
    "静かな",
    "Rock & Roll",
    "<Untitled>",
    '"Real"',
    "Sailor's",
)
_SECOND_WORDS = (
    "Almanac",
    "Anchorage",
    "Apiary",
    "Archive",
    "Ballast",
    "Beacon",
    "Bridge",
    "Cartographer",
    "Causeway",
    "Ceremony",
    "Choir",
    "Clockmaker",
    "Confession",
    "Corridor",
    "Daughters",
    "Debt",
    "Delta",
    "Dispatch",
    "Divide",
    "Embassy",
    "Estuary",
    "Exchange",
    "Expedition",
    "Feast",
    "Ferryman",
    "Foundry",
    "Frontier",
    "Garden",
    "Ghosts",
    "Harvest",
    "Heirs",
    "Horizon",
    "Hospital",
    "Inheritance",
    "Islands",
    "Kitchen",
    "Lanterns",
    "Ledger",
    "Lighthouse",
    "Locksmith",
    "Machine",
    "Masquerade",
    "Meridian",
    "Migration",
    "Monsoon",
    "Museum",
    "Neighbours",
    "Observatory",
    "Orchard",
    "Orchestra",
    "Passage",
    "Postmaster",
    "Quarry",
    "Radio",
    "Rehearsal",
    "Reservoir",
    "Ropewalk",
    "Season",
    "Shipyard",
    "Signal",
    "Sisters",
    "Solstice",
    "Station",
    "Surveyor",
    "Telegraph",
    "Testament",
    "Threshold",
    "Tribunal",
    "Undertow",
    "Verdict",
    "Viaduct",
    "Vigil",
    "Weather",
    "Witness",
    "Workshop",
)
_GENRES = ("Drama", "Comedy", "Crime", "Documentary", "Science Fiction", "Animation")
_STUDIOS = ("Quayside Pictures", "Lantern & Sons", "Studio Nord", "Kanaal Zes")

# Primes: what is spread out by them does not line up.
_STRIDE = 1_637
_REMAKE_EVERY = 53
_REMAKE_AFTER = 17
_NO_IDS_EVERY = 97
_ONE_ID_EVERY = 31
_SPECIALS_EVERY = 7
_ENDLESS_EVERY = 83
_ENDLESS_EPISODES = 640
_DOUBLE_EVERY = 11
_COMPILATION_EVERY = 23

_FIRST_ID = 2_000_000
_TRACKS_PER_ALBUM = 11
_ALBUMS_PER_ARTIST = 3

_MASK = (1 << 64) - 1


def _mixed(number: int, salt: int) -> int:
    """Return 64 bits that look nothing like the number, cheaply."""
    value = (number * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03 + salt) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _name(number: int, kind: int) -> str:
    """Return a name that no other number of the kind has."""
    pairs = len(_FIRST_WORDS) * len(_SECOND_WORDS)
    again, number = divmod(number, pairs)
    first, second = divmod((number * _STRIDE + kind) % pairs, len(_SECOND_WORDS))
    name = f"{_FIRST_WORDS[first]} {_SECOND_WORDS[second]}"
    return f"{name} {again + 1}" if again else name


def _ids(number: int, imdb: int) -> ExternalIds:
    """Return the ids of a title: mostly all of them, some with one, some with none."""
    if number % _NO_IDS_EVERY == _NO_IDS_EVERY - 1:
        return ExternalIds()
    identifier = _FIRST_ID + number
    match number % (3 * _ONE_ID_EVERY):
        case 5:
            return ExternalIds(tmdb=identifier)
        case 36:
            return ExternalIds(imdb=f"tt{imdb + number}")
        case 67:
            return ExternalIds(tvdb=identifier)
        case _:
            return ExternalIds(
                tmdb=identifier, imdb=f"tt{imdb + number}", tvdb=identifier
            )


def _musicbrainz(kind: int, number: int) -> str:
    """Return an id of MusicBrainz."""
    high, low = _mixed(number, kind), _mixed(number, kind + 1)
    return str(uuid.UUID(int=(high << 64) | low, version=4))


class Titles[T](Sequence[T]):
    """Titles of one kind, by their number."""

    def __init__(self, library: Library) -> None:
        self._library = library

    @overload
    def __getitem__(self, number: int) -> T: ...

    @overload
    def __getitem__(self, number: slice) -> list[T]: ...

    @override
    def __getitem__(self, number: int | slice) -> T | list[T]:
        if isinstance(number, slice):
            return list(self._several(range(*number.indices(len(self)))))
        if number < 0:
            number += len(self)
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._make(number)

    @override
    def __iter__(self) -> Iterator[T]:
        return self._several(range(len(self)))

    @override
    def __contains__(self, value: object) -> bool:
        try:
            self.index(value)
        except ValueError:
            return False
        return True

    @override
    def index(self, value: object, start: int = 0, stop: int | None = None) -> int:
        number = self._find(value)
        if number is None or not start <= number < (
            len(self) if stop is None else stop
        ):
            raise ValueError(value)
        return number

    def _several(self, numbers: range) -> Iterator[T]:
        """Return the titles of numbers that are in range."""
        return (self._make(number) for number in numbers)

    @abstractmethod
    def _make(self, number: int) -> T:
        """Return the title of a number that is in range."""

    @abstractmethod
    def _find(self, value: object) -> int | None:
        """Return the number of a title, None if it is not one of these."""


class Movies(Titles[Movie]):
    """Films."""

    @override
    def __len__(self) -> int:
        return self._library.movie_count

    @override
    def _make(self, number: int) -> Movie:
        mixed = _mixed(number, 1)
        name, year = self._library.name_and_year(number, 1)
        return Movie(
            name,
            year,
            ids=_ids(number, 30_000_000),
            runtime=timedelta(seconds=4_500 + (mixed >> 8) % 5_700),
            released=date(year, 1, 1) + timedelta((mixed >> 24) % 365),
            studio=_STUDIOS[(mixed >> 40) % len(_STUDIOS)],
            genres=(_GENRES[(mixed >> 44) % len(_GENRES)],),
            summary=f"The story of the {name}, and of what came of it in {year}.",
        )

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {movie.key: number for number, movie in enumerate(self)}

    @override
    def _find(self, value: object) -> int | None:
        return self._numbers.get(value.key) if isinstance(value, Movie) else None


class Shows(Titles[Show]):
    """Series."""

    @override
    def __len__(self) -> int:
        return len(self._library.first_seasons) - 1

    @override
    def _make(self, number: int) -> Show:
        mixed = _mixed(number, 2)
        name, year = self._library.name_and_year(number, 2)
        return Show(
            name,
            year,
            ids=_ids(number, 40_000_000),
            premiered=date(year, 1, 1) + timedelta((mixed >> 24) % 200),
            genres=(_GENRES[(mixed >> 44) % len(_GENRES)],),
            summary=f"The {name} from week to week.",
        )

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {show.key: number for number, show in enumerate(self)}

    def number_of(self, show: Show) -> int | None:
        """Return the number of a series, None if it is not one of these."""
        return self._numbers.get(show.key)

    @override
    def _find(self, value: object) -> int | None:
        return self.number_of(value) if isinstance(value, Show) else None


class Seasons(Titles[Season]):
    """Seasons, in the order of their series."""

    @override
    def __len__(self) -> int:
        return len(self._library.season_numbers)

    @override
    def _make(self, number: int) -> Season:
        show = self._library.show_of_season(number)
        return Season(self._library.shows[show], self._library.season_numbers[number])

    def number_of(self, show: Show, number: int) -> int | None:
        """Return the number of a season among all, None if it is not one of these."""
        which = self._library.shows.number_of(show)
        if which is None:
            return None
        for season in self._library.seasons_of_show(which):
            if self._library.season_numbers[season] == number:
                return season
        return None

    @override
    def _find(self, value: object) -> int | None:
        if not isinstance(value, Season):
            return None
        return self.number_of(value.show, value.number)


class Episodes(Titles[Episode]):
    """Episodes, in the order of their seasons."""

    @override
    def __len__(self) -> int:
        return self._library.episode_count

    @override
    def _several(self, numbers: range) -> Iterator[Episode]:
        if numbers.step == 1:
            return self._run(numbers.start, numbers.stop)
        return super()._several(numbers)

    def _run(self, start: int, stop: int) -> Iterator[Episode]:
        """Yield episodes in a row, making their series once."""
        library = self._library
        while start < stop:
            season = library.season_of_episode(start)
            show = library.shows[library.show_of_season(season)]
            end = min(library.first_episodes[season + 1], stop)
            for number in range(start, end):
                yield self._made(number, season, show)
            start = end

    @override
    def _make(self, number: int) -> Episode:
        season = self._library.season_of_episode(number)
        show = self._library.shows[self._library.show_of_season(season)]
        return self._made(number, season, show)

    def _made(self, number: int, season: int, show: Show) -> Episode:
        """Return an episode of a season of a series."""
        first, after = self._library.first_episodes[season : season + 2]
        of_season = self._library.season_numbers[season]
        index = number - first + 1
        mixed = _mixed(number, 3)
        double = number == after - 1 and season % _DOUBLE_EVERY == _DOUBLE_EVERY - 1
        title = (
            f"{_FIRST_WORDS[(mixed >> 12) % len(_FIRST_WORDS)]} "
            f"{_SECOND_WORDS[(mixed >> 32) % len(_SECOND_WORDS)]}"
        )
        return Episode(
            show,
            of_season,
            index,
            title,
            ids=_ids(number, 50_000_000),
            runtime=timedelta(seconds=1_200 + (mixed >> 8) % 2_400),
            aired=show.premiered
            + timedelta(days=364 * max(of_season - 1, 0) + 7 * (index - 1)),
            number_end=index + 1 if double else None,
        )

    @override
    def _find(self, value: object) -> int | None:
        if not isinstance(value, Episode):
            return None
        season = self._library.seasons.number_of(value.show, value.season)
        if season is None:
            return None
        number = self._library.first_episodes[season] + value.number - 1
        found = number in self._library.episodes_of_season(season)
        return number if found else None


class Albums(Titles[Album]):
    """Albums, in the order of their artists."""

    @override
    def __len__(self) -> int:
        return math.ceil(self._library.track_count / _TRACKS_PER_ALBUM)

    @override
    def _make(self, number: int) -> Album:
        artist = number // _ALBUMS_PER_ARTIST
        year = 1968 + _mixed(number, 4) % 57
        return Album(
            _name(number, 4),
            self._library.artists[artist],
            year,
            musicbrainz=_musicbrainz(10, number),
            musicbrainz_artist=_musicbrainz(12, artist),
            musicbrainz_group=_musicbrainz(14, number),
            released=date(year, 1 + number % 12, 1 + number % 28),
        )

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {album.key: number for number, album in enumerate(self)}

    def number_of(self, album: Album) -> int | None:
        """Return the number of an album, None if it is not one of these."""
        return self._numbers.get(album.key)

    @override
    def _find(self, value: object) -> int | None:
        return self.number_of(value) if isinstance(value, Album) else None


class Artists(Titles[str]):
    """The names of the artists that albums are by."""

    @override
    def __len__(self) -> int:
        return math.ceil(len(self._library.albums) / _ALBUMS_PER_ARTIST)

    @override
    def _make(self, number: int) -> str:
        return f"The {_name(number, 5)}"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {artist: number for number, artist in enumerate(self)}

    @override
    def _find(self, value: object) -> int | None:
        return self._numbers.get(value) if isinstance(value, str) else None


class Tracks(Titles[Track]):
    """Tracks, in the order of their albums."""

    @override
    def __len__(self) -> int:
        return self._library.track_count

    @override
    def _make(self, number: int) -> Track:
        of_album, index = divmod(number, _TRACKS_PER_ALBUM)
        mixed = _mixed(number, 6)
        compilation = of_album % _COMPILATION_EVERY == _COMPILATION_EVERY - 1
        return Track(
            self._library.albums[of_album],
            index + 1,
            f"{_SECOND_WORDS[(mixed >> 12) % len(_SECOND_WORDS)]} Song",
            musicbrainz=_musicbrainz(16, number),
            runtime=timedelta(seconds=120 + (mixed >> 8) % 300),
            artist=f"The {_name(mixed % 999, 7)}" if compilation else None,
        )

    @override
    def _find(self, value: object) -> int | None:
        if not isinstance(value, Track):
            return None
        album = self._library.albums.number_of(value.album)
        if album is None:
            return None
        number = album * _TRACKS_PER_ALBUM + value.number - 1
        return number if number in self._library.tracks_of_album(album) else None


class Library:
    """Films, series and music, as many as asked for."""

    def __init__(self, *, movies: int = 0, episodes: int = 0, tracks: int = 0) -> None:
        self.movie_count = movies
        self.episode_count = episodes
        self.track_count = tracks
        self.movies = Movies(self)
        self.shows = Shows(self)
        self.seasons = Seasons(self)
        self.episodes = Episodes(self)
        self.artists = Artists(self)
        self.albums = Albums(self)
        self.tracks = Tracks(self)
        # Of each season its number, and where it begins among the episodes; of each show
        # where it begins among the seasons. The beginnings end with where the last one ends.
        self.season_numbers = array("I")
        self.first_episodes = array("I", [0])
        self.first_seasons = array("I", [0])
        self._lay_out()

    def _lay_out(self) -> None:
        """Decide how many seasons and episodes each series has."""
        left = self.episode_count
        for show in itertools.count():
            if left <= 0:
                return
            for number, size in _seasons(show):
                taken = min(size, left)
                left -= taken
                self.season_numbers.append(number)
                self.first_episodes.append(self.first_episodes[-1] + taken)
                if left == 0:
                    break
            self.first_seasons.append(len(self.season_numbers))

    def name_and_year(self, number: int, kind: int) -> tuple[str, int]:
        """Return the name and year of a film or series; no two have both the same."""
        is_remake = number % _REMAKE_EVERY == _REMAKE_EVERY - 1
        original = number - 1 if is_remake else number
        year = 1950 + _mixed(original, kind) % 58
        name = _name(original, kind)
        return name, year + _REMAKE_AFTER if is_remake else year

    def show_of_season(self, season: int) -> int:
        """Return the number of the series that a season belongs to."""
        return bisect_right(self.first_seasons, season) - 1

    def season_of_episode(self, episode: int) -> int:
        """Return the number of the season that an episode belongs to."""
        return bisect_right(self.first_episodes, episode) - 1

    def show_of(self, episode: Episode) -> int:
        """Return the number of the series that an episode belongs to."""
        return self.shows.index(episode.show)

    def seasons_of_show(self, show: int) -> range:
        """Return the numbers of the seasons of a series."""
        return range(self.first_seasons[show], self.first_seasons[show + 1])

    def episodes_of_season(self, season: int) -> range:
        """Return the numbers of the episodes of a season."""
        return range(self.first_episodes[season], self.first_episodes[season + 1])

    def episodes_of_show(self, show: int) -> range:
        """Return the numbers of the episodes of a series."""
        return range(
            self.first_episodes[self.first_seasons[show]],
            self.first_episodes[self.first_seasons[show + 1]],
        )

    def albums_of_artist(self, artist: int) -> range:
        """Return the numbers of the albums of an artist."""
        first = artist * _ALBUMS_PER_ARTIST
        return range(first, min(first + _ALBUMS_PER_ARTIST, len(self.albums)))

    def tracks_of_album(self, album: int) -> range:
        """Return the numbers of the tracks of an album."""
        first = album * _TRACKS_PER_ALBUM
        return range(first, min(first + _TRACKS_PER_ALBUM, self.track_count))


def _seasons(show: int) -> Iterator[tuple[int, int]]:
    """Yield the number and the size of each season of a series."""
    if show % _ENDLESS_EVERY == _ENDLESS_EVERY - 1:
        yield 1, _ENDLESS_EPISODES
        return
    mixed = _mixed(show, 8)
    if show % _SPECIALS_EVERY == _SPECIALS_EVERY - 1:
        yield 0, 1 + mixed % 9
    for number in range(1, 2 + (mixed >> 8) % 7):
        yield number, 6 + (mixed >> (8 + 5 * number)) % 19
