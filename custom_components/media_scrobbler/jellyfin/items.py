"""What the forms of Jellyfin's and Emby's webhooks share: items, ids, and when one is over."""

from dataclasses import replace
from datetime import UTC, datetime
import re

from ..domain.event import SavedData
from ..domain.fields import Fields
from ..domain.ids import external_id, is_item_id
from ..domain.title import Ids, MediaType, Title

TICKS_PER_SECOND = 10_000_000

SHORT_ITEM = 300
"""Run time in seconds below which the server completes an item 5 % in (its
MinResumeDurationSeconds)."""

SHORT_ITEM_SHARE = 0.5
"""The share of a short item that has to have been played to count."""

COMPLETED_SHARE = 0.9
"""The share of an item after which it is complete, where the sender does not tell: the
servers' own default."""

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII
)

_YEARS = range(1900, 2200)

_VERSION = re.compile(r"(.+?) \(((?:19|20)\d\d)\) - .+")

_MAX_EPISODES = 50
"""More episodes than this in one file are a mistake in the numbers."""

_MEDIA_TYPES = {
    "Movie": MediaType.MOVIE,
    "Series": MediaType.SHOW,
    "Season": MediaType.SEASON,
    "Episode": MediaType.EPISODE,
    "MusicArtist": MediaType.ARTIST,
    "MusicAlbum": MediaType.ALBUM,
    "Audio": MediaType.TRACK,
}
# The providers whose id is the item's own. A track also carries those of its album and
# artists, a movie that of its collection: they are not the item.
_SCREEN = {
    name: name
    for name in ("tmdb", "imdb", "tvdb", "anidb", "anilist", "tvmaze", "tvrage")
} | {"myanimelist": "myanimelist", "mal": "myanimelist"}
_PROVIDERS = {
    MediaType.TRACK: {
        "musicbrainztrack": "musicbrainz",
        "musicbrainzrecording": "musicbrainz_recording",
    },
    MediaType.ALBUM: {
        "musicbrainzalbum": "musicbrainz",
        "musicbrainzreleasegroup": "musicbrainz_release_group",
    },
    MediaType.ARTIST: {"musicbrainzartist": "musicbrainz"},
}


def media_type_of(item_type: str) -> MediaType | None:
    """Return the kind of a server's item type, None for what is not recorded."""
    return _MEDIA_TYPES.get(item_type)


def plain_id(fields: Fields, key: str) -> str | None:
    """Return the id of a server, item or user in its plain form.

    Templates write it with dashes. One of nothing but zeros stands for none: a session
    that belongs to an API key has such a user.
    """
    text = (fields.text(key) or "").replace("-", "").lower()
    return text if text.strip("0") else None


def item_id(fields: Fields, key: str) -> str | None:
    """Return the id of an item in its plain form, None for what can be the id of none."""
    identity = plain_id(fields, key)
    return identity if identity and is_item_id(identity) else None


def plain_text(fields: Fields, key: str) -> str | None:
    """Return a text of the plugin's as a person wrote it: it puts a backslash before a quote."""
    text = fields.text(key)
    return text.replace('\\"', '"') if text else None


def provider_ids(fields: Fields, media_type: MediaType, prefix: str = "") -> Ids:
    """Return the item's own external ids out of all that its provider ids say.

    Where two names of one source say different things, neither is believed.
    """
    known = _PROVIDERS.get(media_type, _SCREEN)
    ids: Ids = {}
    doubtful: Ids = {}
    for key in fields:
        name = key.lower()
        if name.startswith(prefix) and (source := known.get(name[len(prefix) :])):
            found = external_id(source, fields.text(key))
            doubtful |= {
                source: value
                for source, value in found.items()
                if ids.get(source, value) != value
            }
            ids |= found
    return {source: value for source, value in ids.items() if source not in doubtful}


def utc_time(text: str | None) -> datetime | None:
    """Read a UTC time of 1 to 7 fractional digits; a local time is not to be read.

    A time that is not in this form reads as None: when something was watched is then
    when we heard of it.
    """
    return exact_time(text) if text is not None and text.endswith("Z") else None


def exact_time(text: str | None) -> datetime | None:
    """Read a time as `utc_time` does, or one that tells its offset from UTC."""
    if text is None or not (match := _TIME.fullmatch(text)):
        return None
    try:
        return datetime.fromisoformat(
            match[1] + (match[2] or "")[:7] + match[3]
        ).astimezone(UTC)
    except OverflowError, ValueError:
        return None


def saved_data(data: Fields, item: str | None) -> SavedData:
    """Return what a server says that it has saved of an item.

    Of a local time without a fraction of a second, the webhook plugin says that it is UTC.
    A year that nobody has watched anything in is that of no date.
    """
    text = data.text("LastPlayedDate")
    at = exact_time(text)
    if at is not None and at.year not in _YEARS:
        at = None
    return SavedData(
        item=item,
        played=data.flag("Played"),
        play_count=data.integer("PlayCount"),
        last_played=at,
        may_be_local=at is not None
        and at.microsecond == 0
        and (text or "").endswith("Z"),
    )


def named_as_film(title: Title) -> Title:
    """Return a film under its own name where it goes by that of the file of a version.

    A version without ids of its own does: "Dune (2021) - 4K".
    """
    if title.media_type is not MediaType.MOVIE or title.ids or not title.title:
        return title
    if not (match := _VERSION.fullmatch(title.title)):
        return title
    return replace(title, title=match[1], year=title.year or int(match[2]))


def each_episode(title: Title, last: int | None) -> tuple[Title, ...]:
    """Return a title for each episode of a multi-episode file.

    `last` is the number of the file's last episode. The file's ids are those of its
    first episode; the others are known by their show and number.
    """
    first = title.episode
    if (
        title.media_type is not MediaType.EPISODE
        or first is None
        or last is None
        or not first < last <= first + _MAX_EPISODES
    ):
        return (title,)
    count = last - first + 1
    duration = title.duration // count if title.duration else None
    return (
        replace(title, duration=duration),
        *(
            replace(title, episode=number, ids={}, items={}, duration=duration)
            for number in range(first + 1, last + 1)
        ),
    )


def stopped_complete(
    claimed: bool | None, position: float | None, duration: int | None
) -> bool:
    """Say whether a playback that stopped was completed, from what the server claims.

    The server claims it of every item without a known run time, and of short ones 5 % in.
    The former cannot be believed, the latter only past their middle. A position of 0 is
    that of an item that ended and was rewound. Times are in seconds.
    """
    if not claimed or not duration:
        return False
    if duration < SHORT_ITEM and position:
        return position >= duration * SHORT_ITEM_SHARE
    return True
