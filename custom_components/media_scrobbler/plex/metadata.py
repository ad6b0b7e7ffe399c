"""Plex's metadata of a title, which has the same keys in webhooks and in the API."""

from datetime import UTC, datetime
from typing import Any

from ..domain.event import Party
from ..domain.fields import Fields
from ..domain.ids import is_item_id
from ..domain.title import Ids, MediaType, Title
from .guids import LIVE_TV_SCHEME, TRAILER_SCHEMES, parse_guid, scheme

MILLISECONDS = 1000
"""Plex gives times in milliseconds: this many are a second."""

LOCAL_ACCOUNT = "0"
"""The account of whoever plays without signing in, at home or by DLNA; it has no name.

To a server it is no condition either: asked for what it has watched, it tells of everybody.
"""

MAX_GUIDS = 100
"""Ids that are looked at in a list. Real titles have a handful."""

OWNER_ACCOUNT = "1"
"""The account id that a server gives its owner, who may also go by a plex.tv id."""

TYPE_NUMBERS = {MediaType.MOVIE: 1, MediaType.SHOW: 2, MediaType.EPISODE: 4}
"""The numbers by which requests name the kinds of titles that libraries hold."""

_MEDIA_TYPES = {
    "movie": MediaType.MOVIE,
    "show": MediaType.SHOW,
    "season": MediaType.SEASON,
    "episode": MediaType.EPISODE,
    "artist": MediaType.ARTIST,
    "album": MediaType.ALBUM,
    "track": MediaType.TRACK,
}
# What plays from a library section when the payload does not say it itself.
_SECTION_MEDIA_TYPES = {
    "movie": MediaType.MOVIE,
    "show": MediaType.EPISODE,
    "artist": MediaType.TRACK,
}


def account(identity: str | None, name: str | None) -> Party:
    """Return an account, by a name that tells a person more than its id."""
    if identity == LOCAL_ACCOUNT and not name:
        name = "Local"
    return Party(identity, name)


def not_media(metadata: Fields) -> str | None:
    """Say why something that plays is no play of a title, or return None."""
    guids = [
        scheme(value)
        for value in (metadata.get("guid"), metadata.get("grandparentGuid"))
        if isinstance(value, str)
    ]
    if (
        metadata.flag("live")
        or (metadata.text("key") or "").startswith("/livetv/")
        or any(guid.startswith(LIVE_TV_SCHEME) for guid in guids)
    ):
        return "live TV is not recorded"
    if any(guid in TRAILER_SCHEMES for guid in guids):
        return "trailers and pre-rolls are not recorded"
    kind = metadata.text("type")
    if kind == "clip" or metadata.text("extraType"):
        return "trailers, extras and clips are not recorded"
    if kind == "photo" or metadata.text("librarySectionType") == "photo":
        return "photos are not recorded"
    return None


def parse_title(
    metadata: Fields, server_id: str | None, show_ids: Ids | None = None
) -> Title | None:
    """Return the title that metadata describe, None if they describe something else.

    `show_ids` are what is known of the ids of an episode's show. Raises PayloadError where
    something is of the wrong type.
    """
    media_type = _media_type(metadata)
    if media_type is None:
        return None
    return _title(metadata, media_type, server_id or "", show_ids or {})


def mixes_ids(metadata: Fields) -> bool:
    """Say whether metadata list several ids of one source: those of its show as well.

    Raises PayloadError where something is of the wrong type.
    """
    media_type = _media_type(metadata)
    return media_type is not None and any(
        len(values) > 1 for values in _listed(metadata, media_type).values()
    )


def moment(metadata: Fields, key: str) -> datetime | None:
    """Return a time in UTC, given in seconds since 1970; one that cannot be is None."""
    seconds = metadata.integer(key)
    if seconds is None or seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except OverflowError, OSError, ValueError:
        return None


def _media_type(metadata: Fields) -> MediaType | None:
    kind = metadata.text("type")
    if kind is None:
        return _SECTION_MEDIA_TYPES.get(metadata.text("librarySectionType") or "")
    return _MEDIA_TYPES.get(kind)


def _title(
    metadata: Fields, media_type: MediaType, server_id: str, show_ids: Ids
) -> Title:
    guid = parse_guid(_own_guid(metadata), media_type)
    show_ids = show_ids | guid.show_ids
    if media_type in (MediaType.SEASON, MediaType.EPISODE):
        # Of the show there is only its GUID: a season's parent, an episode's grandparent.
        show = "grandparent" if media_type is MediaType.EPISODE else "parent"
        show_ids = (
            parse_guid(metadata.text(f"{show}Guid"), MediaType.SHOW).ids | show_ids
        )
    values: dict[str, Any] = {}
    match media_type:
        case MediaType.EPISODE:
            season = metadata.integer("parentIndex")
            episode = metadata.integer("index")
            values = {
                "show": metadata.text("grandparentTitle"),
                "season": guid.season if season is None else season,
                "episode": guid.episode if episode is None else episode,
                "show_items": _item(metadata, "grandparentRatingKey", server_id),
            }
        case MediaType.SEASON:
            season = metadata.integer("index")
            values = {
                "show": metadata.text("parentTitle"),
                "season": guid.season if season is None else season,
                "show_items": _item(metadata, "parentRatingKey", server_id),
            }
        case MediaType.TRACK:
            # On a compilation the grandparent is "Various Artists".
            values = {
                "artist": metadata.text("originalTitle")
                or metadata.text("grandparentTitle"),
                "album": metadata.text("parentTitle"),
            }
        case MediaType.ALBUM:
            values = {"artist": metadata.text("parentTitle")}
    if media_type in (MediaType.MOVIE, MediaType.SHOW, MediaType.ALBUM):
        # An episode's year is its own, where other servers give the show's.
        values["year"] = metadata.integer("year")
    duration = metadata.seconds("duration", MILLISECONDS)
    return Title(
        media_type=media_type,
        title=metadata.text("title"),
        ids=_only_ids(metadata, media_type, show_ids) | guid.ids,
        show_ids=show_ids,
        items=_item(metadata, "ratingKey", server_id),
        duration=round(duration or 0) or None,
        **values,
    )


def _own_guid(metadata: Fields) -> str | None:
    """Return the `guid` of a title.

    Keys are case-sensitive: `guid` and `Guid` stand side by side. Imitations of Plex
    write the list as `guid`.
    """
    return None if isinstance(metadata.get("guid"), list) else metadata.text("guid")


def _only_ids(metadata: Fields, media_type: MediaType, show_ids: Ids) -> Ids:
    """Return the external ids that are listed, of each source the only one.

    Of an episode some list its show's as well. Where it cannot be told which of several is
    its own, none is.
    """
    ids: Ids = {}
    for source, values in _listed(metadata, media_type).items():
        own = [value for value in values if value != show_ids.get(source)]
        if len(own) == 1:
            ids[source] = own[0]
    return ids


def _listed(metadata: Fields, media_type: MediaType) -> dict[str, list[str | int]]:
    """Return the external ids in the list of a title, by source."""
    listed = metadata.objects("Guid", at_most=MAX_GUIDS)
    if isinstance(metadata.get("guid"), list):
        listed += metadata.objects("guid", at_most=MAX_GUIDS)
    found: dict[str, list[str | int]] = {}
    for entry in listed:
        for source, value in parse_guid(entry.text("id"), media_type).ids.items():
            values = found.setdefault(source, [])
            if value not in values:
                values.append(value)
    return found


def _item(metadata: Fields, key: str, server_id: str) -> dict[str, str]:
    value = metadata.text(key)
    return {server_id: value} if value and is_item_id(value) and server_id else {}
