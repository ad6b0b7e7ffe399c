"""The titles that the stand-in servers hold.

A title is what it is on every server: its names, its external ids, its run time. What a
server adds of its own (rating keys, item ids, library sections) is made by that server.
"""

from dataclasses import KW_ONLY, dataclass
from datetime import date, timedelta
import hashlib


def stable_hex(*parts: object, length: int = 32) -> str:
    """Return hexadecimal digits that are always the same for the same parts."""
    digest = hashlib.sha512("\0".join(str(part) for part in parts).encode())
    return digest.hexdigest()[:length]


def stable_number(*parts: object, below: int) -> int:
    """Return a number from 1 to below that is always the same for the same parts."""
    return int(stable_hex(*parts, length=12), 16) % (below - 1) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIds:
    """Ids in the databases of films and series; one that is unknown is None."""

    tmdb: int | None = None
    imdb: str | None = None
    tvdb: int | None = None

    def items(self) -> list[tuple[str, str]]:
        """Return the known ids as pairs of database and id."""
        known = (
            ("imdb", self.imdb),
            ("tmdb", self.tmdb),
            ("tvdb", self.tvdb),
        )
        return [(name, str(value)) for name, value in known if value is not None]


@dataclass(frozen=True, slots=True)
class Movie:
    """A film."""

    title: str
    year: int
    _: KW_ONLY
    ids: ExternalIds
    runtime: timedelta
    released: date
    studio: str = "Quayside Pictures"
    genres: tuple[str, ...] = ("Drama",)
    summary: str = ""
    tagline: str = ""
    director: str = "Ines Okafor"

    @property
    def key(self) -> str:
        """Return what tells this title from any other."""
        return f"movie/{self.title}/{self.year}"

    @property
    def label(self) -> str:
        """Return the title as a person would write it."""
        return f"{self.title} ({self.year})"


@dataclass(frozen=True, slots=True)
class Show:
    """A series."""

    title: str
    year: int
    _: KW_ONLY
    ids: ExternalIds
    premiered: date
    network: str = "Kanaal Zes"
    genres: tuple[str, ...] = ("Drama",)
    summary: str = ""

    @property
    def key(self) -> str:
        """Return what tells this title from any other."""
        return f"show/{self.title}/{self.year}"

    @property
    def label(self) -> str:
        """Return the title as a person would write it."""
        return f"{self.title} ({self.year})"


@dataclass(frozen=True, slots=True)
class Season:
    """A season of a series; number 0 holds the specials."""

    show: Show
    number: int

    @property
    def title(self) -> str:
        """Return the name that servers give a season."""
        return f"Season {self.number}" if self.number else "Specials"

    @property
    def key(self) -> str:
        """Return what tells this title from any other."""
        return f"{self.show.key}/{self.number}"

    @property
    def label(self) -> str:
        """Return the title as a person would write it."""
        return f"{self.show.title} - {self.title}"


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode, or one file holding the episodes from number to number_end."""

    show: Show
    season: int
    number: int
    title: str
    _: KW_ONLY
    ids: ExternalIds
    runtime: timedelta
    aired: date
    number_end: int | None = None
    summary: str = ""
    director: str = "Tomas Verhage"

    @property
    def key(self) -> str:
        """Return what tells this title from any other."""
        return f"{self.show.key}/{self.season}/{self.number}"

    @property
    def label(self) -> str:
        """Return the title as a person would write it."""
        return f"{self.show.title} {self.season}x{self.number:02d} {self.title}"


@dataclass(frozen=True, slots=True)
class Album:
    """An album; the ids are those of MusicBrainz."""

    title: str
    artist: str
    year: int
    _: KW_ONLY
    musicbrainz: str
    musicbrainz_artist: str
    musicbrainz_group: str
    released: date

    @property
    def key(self) -> str:
        """Return what tells this title from any other."""
        return f"album/{self.artist}/{self.title}"

    @property
    def label(self) -> str:
        """Return the title as a person would write it."""
        return f"{self.artist} - {self.title}"


@dataclass(frozen=True, slots=True)
class Track:
    """A track of an album, by an artist of its own where the album is a compilation."""

    album: Album
    number: int
    title: str
    _: KW_ONLY
    musicbrainz: str
    runtime: timedelta
    disc: int = 1
    artist: str | None = None
    # That of the album's artist, unless given.
    musicbrainz_artist: str | None = None

    @property
    def key(self) -> str:
        """Return what tells this title from any other."""
        return f"{self.album.key}/{self.disc}/{self.number}"

    @property
    def label(self) -> str:
        """Return the title as a person would write it."""
        return f"{self.artist or self.album.artist} - {self.title}"


@dataclass(frozen=True, slots=True)
class Clip:
    """A trailer or another extra of a film, or a pre-roll of the server's own."""

    title: str
    _: KW_ONLY
    runtime: timedelta
    movie: Movie | None = None
    subtype: str = "trailer"

    @property
    def key(self) -> str:
        """Return what tells this title from any other."""
        return f"clip/{self.movie.key if self.movie else ''}/{self.title}"

    @property
    def label(self) -> str:
        """Return the title as a person would write it."""
        return self.title


type Title = Movie | Show | Season | Episode | Album | Track | Clip
type Playable = Movie | Episode | Track | Clip


THE_SALT_ROAD = Movie(
    "The Salt Road",
    2019,
    ids=ExternalIds(tmdb=918273, imdb="tt9182736", tvdb=219483),
    runtime=timedelta(hours=1, minutes=52),
    released=date(2019, 10, 18),
    genres=("Drama", "Adventure"),
    summary="Two sisters drive their late father's last load of salt across a closed border.",
    tagline="Some debts are paid in miles.",
)
PAPER_ORCHARD = Movie(
    "Paper Orchard",
    2006,
    ids=ExternalIds(tmdb=904417, imdb="tt9044170", tvdb=None),
    runtime=timedelta(hours=1, minutes=34),
    released=date(2006, 3, 9),
    genres=("Comedy", "Romance"),
    summary="A forger of fruit labels falls for the inspector who is looking for her.",
    director="Léa Marchetti",
)
NINTH_MERIDIAN = Movie(
    "Ninth Meridian",
    2024,
    ids=ExternalIds(tmdb=987650, imdb="tt9987650", tvdb=398211),
    runtime=timedelta(hours=2, minutes=21),
    released=date(2024, 5, 31),
    genres=("Science Fiction", "Thriller"),
    summary="A survey ship finds a coastline that is on no chart, and her own wreck on it.",
)
NINTH_MERIDIAN_TRAILER = Clip(
    "Ninth Meridian - Official Trailer",
    runtime=timedelta(minutes=2, seconds=18),
    movie=NINTH_MERIDIAN,
)
HARBOUR_LIGHTS = Show(
    "Harbour Lights",
    2021,
    ids=ExternalIds(tmdb=288104, imdb="tt9288104", tvdb=438120),
    premiered=date(2021, 9, 12),
    genres=("Crime", "Drama"),
    summary="A harbour master with a failing memory keeps finding things that were never lost.",
)
LOW_WATER = Episode(
    HARBOUR_LIGHTS,
    2,
    3,
    "Low Water",
    ids=ExternalIds(tmdb=4712093, imdb="tt9471209", tvdb=9712094),
    runtime=timedelta(minutes=48),
    aired=date(2022, 10, 2),
    summary="The tide goes out further than it should.",
)
THE_PILOT_BOAT = Episode(
    HARBOUR_LIGHTS,
    1,
    1,
    "The Pilot Boat",
    ids=ExternalIds(tmdb=4700311, imdb="tt9470031", tvdb=9700312),
    runtime=timedelta(minutes=51),
    aired=date(2021, 9, 12),
)
FOG_SIGNAL = Episode(
    HARBOUR_LIGHTS,
    2,
    4,
    "Fog Signal",
    ids=ExternalIds(tmdb=4712101, imdb="tt9471210", tvdb=9712102),
    runtime=timedelta(minutes=47),
    aired=date(2022, 10, 9),
)
TIDEWATER = Album(
    "Tidewater",
    "Marlow & Finch",
    2017,
    musicbrainz="5d0f7c7e-0b76-4a43-9a71-6f0e5c1d8a21",
    musicbrainz_artist="c2a4e6d8-3b19-4f57-8d02-71e9b6a5f340",
    musicbrainz_group="81b6d3f0-94c2-4e0e-b5a7-2f6a1c9d4e58",
    released=date(2017, 2, 24),
)
SLOW_FERRY = Track(
    TIDEWATER,
    4,
    "Slow Ferry",
    musicbrainz="e9a1f3b5-6c27-4d84-a0e1-5b3d7f92c614",
    runtime=timedelta(minutes=4, seconds=37),
)
