"""What the forms of Jellyfin's and Emby's webhooks share: items, ids, and when one is over."""

from collections.abc import Mapping
from dataclasses import replace

from ..domain.ids import external_id
from ..domain.title import Ids, MediaType, Title

TICKS_PER_SECOND = 10_000_000
NO_USER = "0" * 32
"""The user id of sessions that belong to an API key."""

SHORT_ITEM = 300
"""Run time in seconds below which the server completes an item 5 % in (its
MinResumeDurationSeconds)."""

SHORT_ITEM_SHARE = 0.5
"""The share of a short item that has to have been played to count."""

COMPLETED_SHARE = 0.9
"""The share of an item after which it is complete, where the sender does not tell: the
servers' own default."""

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


def item_id(text: str | None) -> str | None:
    """Return an item's or user's id in its plain form; templates write it with dashes."""
    return text.replace("-", "").lower() if text else None


def provider_ids(providers: Mapping[str, str | None], media_type: MediaType) -> Ids:
    """Return the item's own external ids out of all that its provider ids say."""
    known = _PROVIDERS.get(media_type, _SCREEN)
    ids: Ids = {}
    for name, value in providers.items():
        if source := known.get(name.lower()):
            ids |= external_id(source, value)
    return ids


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
