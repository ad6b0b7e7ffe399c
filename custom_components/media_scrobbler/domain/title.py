"""Titles: movies, shows, seasons, episodes, albums, tracks, and when two are the same."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
import re
import unicodedata

type Ids = dict[str, str | int]
"""External ids by source, such as `{"tmdb": 550, "imdb": "tt0137523"}`."""


class MediaType(StrEnum):
    """What kind of thing a title is."""

    MOVIE = "movie"
    SHOW = "show"
    SEASON = "season"
    EPISODE = "episode"
    ARTIST = "artist"
    ALBUM = "album"
    TRACK = "track"


PLAYABLE = (MediaType.MOVIE, MediaType.EPISODE, MediaType.TRACK)
"""The kinds a play can be of."""

DATED = (MediaType.MOVIE, MediaType.SHOW)
"""The kinds that go by a name and a year."""

CUSTOM_PREFIX = "custom_"
"""What the sources of ids begin with that are of custom metadata providers of Plex."""

_NOT_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A movie, show, season, episode, artist, album or track.

    `ids` belong to the title itself, `show_ids` to the show of a season or episode; the
    two never mix. `items` and `show_items` hold the servers' own item ids, by server
    identity. `duration` is the run time in seconds.
    """

    media_type: MediaType
    title: str | None = None
    year: int | None = None
    show: str | None = None
    season: int | None = None
    episode: int | None = None
    artist: str | None = None
    album: str | None = None
    ids: Ids = field(default_factory=dict)
    show_ids: Ids = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    show_items: dict[str, str] = field(default_factory=dict)
    duration: int | None = None

    @property
    def label(self) -> str | None:
        """Return the title as a person would write it, on one line."""
        match self.media_type:
            case MediaType.EPISODE | MediaType.SEASON:
                number = "".join(
                    f"{letter}{value:02}"
                    for letter, value in (("S", self.season), ("E", self.episode))
                    if value is not None
                )
                parts = [self.show, number, self.title]
            case MediaType.TRACK | MediaType.ALBUM:
                parts = [self.artist, self.title]
            case _:
                parts = [self.title]
                if self.title and self.year:
                    return f"{self.title} ({self.year})"
        return " - ".join(part for part in parts if part) or None


def identities(title: Title) -> dict[str, str]:
    """Return what identifies a title: a value per kind of id.

    Which of them count for more than others is for `same_title` to say. An episode is also
    identified by its show's ids together with its season and episode number. An id that it
    has in common with its show is none of its own: libraries and senders exist that give
    every episode the ids of its show.
    """
    show_ids = title.show_ids
    is_episode = title.media_type is MediaType.EPISODE
    found = {
        source: str(value)
        for source, value in title.ids.items()
        if not is_episode or show_ids.get(source) != value
    }
    for server, item in title.items.items():
        found[f"item {server}"] = item
    if is_episode:
        number = number_of(title)
    elif title.media_type is MediaType.SEASON and title.season is not None:
        number = str(title.season)
    else:
        number = None
    if number is not None:
        for source, value in show_ids.items():
            found[f"show {source}"] = f"{value} {number}"
        for server, item in title.show_items.items():
            found[f"show item {server}"] = f"{item} {number}"
    return found


def name_identity(title: Title) -> str | None:
    """Return the last resort: the names and numbers that a title goes by, or None.

    None when too little is known, as for a movie without a name. Movies and shows that go
    by one name are still two where their years differ, see `years_differ`.
    """
    match title.media_type:
        case MediaType.EPISODE:
            if not title.show:
                return None
            if (number := number_of(title)) is not None:
                return f"{_plain(title.show)}|{number}"
            if title.title:
                return f"{_plain(title.show)}||{_plain(title.title)}"
            # Series are counted through without seasons too.
            if title.episode is not None:
                return f"{_plain(title.show)}|x{title.episode}"
            return None
        case MediaType.SEASON:
            if not title.show or title.season is None:
                return None
            return f"{_plain(title.show)}|{title.season}"
        case MediaType.TRACK:
            if not title.title or not title.artist:
                return None
            return "|".join(
                _plain(part or "") for part in (title.artist, title.album, title.title)
            )
        case MediaType.ALBUM:
            if not title.title:
                return None
            return f"{_plain(title.artist or '')}|{_plain(title.title)}"
        case _:
            return _plain(title.title) if title.title else None


def same_name(one: Title, other: Title) -> bool:
    """Say whether two titles of a kind go by one name, whatever their years."""
    name = name_identity(one)
    return name is not None and name == name_identity(other)


def years_differ(
    one: int | None, other: int | None, *, by_name_alone: bool = False
) -> bool:
    """Say whether the years of two movies or shows of one name tell them apart.

    A year that is not known tells nothing apart. Where one of the two is known by nothing
    but its name and year, they may be a year apart: one goes by the festival, the other by
    the cinema.
    """
    if one is None or other is None:
        return False
    return abs(one - other) > (1 if by_name_alone else 0)


def same_title(one: Title, other: Title) -> bool:
    """Say whether two titles are the same.

    The first of these that can be compared decides: the titles' own ids that the world
    shares, then those of their show together with their numbers. One that agrees says yes,
    none that agrees says no. Where neither can be compared, a server's own item id that
    agrees says yes, and last come the names. Items that differ say no only of what goes by
    a name without a year, such as home videos: a title that returns to a library, or a
    library that is built anew, has other items.

    Two items of a server with different numbers are two episodes whatever ids they share,
    and so are two of Plex's own ids.
    """
    if one.media_type is not other.media_type:
        return False
    ours, theirs = identities(one), identities(other)
    shared = ours.keys() & theirs.keys()
    agreed = {kind for kind in shared if ours[kind] == theirs[kind]}
    if any(map(is_exclusive, shared - agreed)) and _numbers_differ(one, other):
        return False
    worldwide = {kind for kind in shared if not is_item(kind)}
    own = {kind for kind in worldwide if is_own(kind)}
    if one.media_type is MediaType.EPISODE:
        own = {
            kind
            for kind in own
            if one.show_ids.get(kind) != other.ids[kind]
            and other.show_ids.get(kind) != one.ids[kind]
        }
    for decisive in (own, {kind for kind in worldwide if not is_own(kind)}):
        if decisive:
            return bool(agreed & decisive)
    if agreed - worldwide:  # an item
        return True
    if not same_name(one, other):
        return False
    if one.media_type not in DATED:
        return True
    if one.year is None and other.year is None:
        # No item agrees: those that can be compared differ.
        return not shared
    return not years_differ(one.year, other.year, by_name_alone=not (ours and theirs))


def same_year_or_id(one: Title, other: Title) -> bool:
    """Say whether titles that are the same are so by more than a name without a year."""
    return (
        one.media_type not in DATED
        or one.year == other.year
        or bool(identities(one).items() & identities(other).items())
    )


def is_item(kind: str) -> bool:
    """Say whether a kind of identity is a server's own item id, of a title or its show."""
    return kind.startswith(("item ", "show item "))


def is_own(kind: str) -> bool:
    """Say whether a kind of identity is an id of the title itself that the world shares."""
    return not kind.startswith(("item ", "show "))


def is_exclusive(kind: str) -> bool:
    """Say whether a kind of identity is never shared by two episodes, even by mistake."""
    return is_of_plex(kind) or kind.startswith("item ")


def is_of_plex(source: str) -> bool:
    """Say whether ids of a source are known to Plex alone: its own, or a custom provider's."""
    return source == "plex" or source.startswith(CUSTOM_PREFIX)


def _numbers_differ(one: Title, other: Title) -> bool:
    numbers = number_of(one), number_of(other)
    return None not in numbers and numbers[0] != numbers[1]


def combine(known: Title, news: Title) -> Title:
    """Return the known title with what the other one adds; nothing known is replaced."""
    return replace(
        known,
        **{
            name: getattr(news, name)
            for name in (
                "title",
                "year",
                "show",
                "season",
                "episode",
                "artist",
                "album",
                "duration",
            )
            if getattr(known, name) is None
        },
        **{
            name: getattr(news, name) | getattr(known, name)
            for name in ("ids", "show_ids", "items", "show_items")
        },
    )


def settled(title: Title, asked: Title, answer: Title) -> Title:
    """Return a title with what a server has answered of it; nothing else is replaced.

    `answer` is what was `asked` for with what the server's own item says: it knows the
    numbers of an episode, and the length of one that shares its file with others, better
    than webhooks. What is different from what was asked for by now stays.
    """
    known = combine(title, answer)
    if (title.season, title.episode) == (asked.season, asked.episode):
        known = replace(known, season=answer.season, episode=answer.episode)
    if title.duration == asked.duration:
        known = replace(known, duration=answer.duration)
    return known


def number_of(title: Title) -> str | None:
    """Return an episode's season and number as one text, None where either is unknown."""
    if title.season is None or title.episode is None:
        return None
    return f"{title.season}x{title.episode}"


def _plain(text: str) -> str:
    """Return a text without case, punctuation and blanks, for comparing names."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_LETTERS.sub(_marks_or_blank, text).strip() or text


def _marks_or_blank(separator: re.Match[str]) -> str:
    """Return what is left of a separator: many scripts write vowels as marks."""
    if separator[0].isascii():
        return " "
    return (
        "".join(
            letter
            for letter in separator[0]
            if unicodedata.category(letter).startswith("M")
        )
        or " "
    )
