"""Plex webhooks, parsed into media events.

The forms are those of Plex's support article on webhooks and of captured webhooks; what
is not documented there is said where it is used.
"""

from typing import Any

from ..domain.event import Action, LibraryChange, MediaEvent, Party, RatingChange
from ..domain.fields import Fields, PayloadError
from ..domain.title import MediaType, Title
from .guids import LIVE_TV_SCHEME, TRAILER_SCHEMES, Guid, parse_guid, scheme

PLEX_STREAMING = "tv.plex.provider.vod"
"""The server identity under which Plex's own free streaming reports."""

MILLISECONDS = 1000
"""Plex gives times in milliseconds: this many are a second."""

OWNER_ACCOUNT = "1"
"""The account id that a server gives its owner, who may also go by a plex.tv id."""

_ACTIONS = {
    "media.play": Action.PLAY,
    "media.pause": Action.PAUSE,
    "media.resume": Action.RESUME,
    "media.stop": Action.STOP,
    # Sent to the owner beside media.play when a shared user starts something.
    "playback.started": Action.PLAY,
}
SERVER_EVENTS = {
    "admin.database.backup": "database_backup",
    "admin.database.corrupted": "database_corrupted",
    "device.new": "device_new",
}
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


def parse(payload: dict[str, Any]) -> MediaEvent:
    """Parse a decoded webhook; raises PayloadError where that cannot be done."""
    fields = Fields(payload)
    name = fields.text("event")
    if name is None:
        raise PayloadError("the payload names no event; is this a Plex webhook?")
    server = _party(fields.object("Server"), "uuid")
    common: dict[str, Any] = {
        "name": name,
        "server": server,
        "account": _account(fields),
        "player": _player(fields.object("Player")),
        "owned": fields.flag("owner"),
    }
    if name in SERVER_EVENTS:
        return MediaEvent(**common, server_event=SERVER_EVENTS[name])
    if name == "library.on.deck":
        return MediaEvent(**common, ignored="an item on deck is not new media")

    is_rating = name == "media.rate"
    if not (is_rating or name in _ACTIONS or name in ("media.scrobble", "library.new")):
        return MediaEvent(**common, ignored="events of this name are not used")

    metadata = fields.object("Metadata")
    if metadata is None:
        raise PayloadError("the payload has no Metadata")
    if ignored := _not_media(metadata):
        return MediaEvent(**common, ignored=ignored)
    media_type = _media_type(metadata)
    if media_type is None:
        kind = metadata.text("type")
        reason = f"items of type {kind} are not recorded"
        return MediaEvent(
            **common, ignored=reason if kind else "Metadata does not name a type"
        )
    title = _title(metadata, media_type, server)
    common["titles"] = (title,)
    if is_rating:
        return MediaEvent(**common, rating=_rating(fields, metadata))
    if name == "library.new":
        return MediaEvent(**common, library=LibraryChange.ADDED)
    return MediaEvent(
        **common,
        action=_ACTIONS.get(name),
        completed=name == "media.scrobble",
        position=metadata.seconds("viewOffset", MILLISECONDS),
    )


def _account(fields: Fields) -> Party | None:
    """Return who is watching, or None where the payload contradicts itself.

    `owner` says that the account whose webhook this is owns the server, `user` whether
    it is the one that is watching. Both together name the owner, by whichever id; `owner`
    alone says that it is somebody else, and the owner's id beside it must not be believed.
    """
    account = fields.object("Account")
    if account is None:
        return None
    party = _party(account, "id")
    if not (party.id or party.name):
        return None
    if fields.flag("owner"):
        if is_owner := fields.flag("user"):
            return Party(OWNER_ACCOUNT, party.name)
        if is_owner is False and party.id == OWNER_ACCOUNT:
            return None
    return party


def _player(player: Fields | None) -> Party | None:
    party = _party(player, "uuid")
    return party if party.id or party.name else None


def _party(fields: Fields | None, key: str) -> Party:
    if fields is None:
        return Party()
    return Party(fields.text(key), fields.text("title"))


def _not_media(metadata: Fields) -> str | None:
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


def _media_type(metadata: Fields) -> MediaType | None:
    kind = metadata.text("type")
    if kind is None:
        return _SECTION_MEDIA_TYPES.get(metadata.text("librarySectionType") or "")
    return _MEDIA_TYPES.get(kind)


def _title(metadata: Fields, media_type: MediaType, server: Party) -> Title:
    guid = _guid(metadata, media_type)
    show_ids = guid.show_ids
    numbered = media_type in (MediaType.SEASON, MediaType.EPISODE)
    if numbered:
        # Of the show there is only its GUID: a season's parent, an episode's grandparent.
        show = "grandparent" if media_type is MediaType.EPISODE else "parent"
        show_ids = (
            parse_guid(metadata.text(f"{show}Guid"), MediaType.SHOW).ids | show_ids
        )
    server_id = server.id or ""
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
        ids=guid.ids,
        show_ids=show_ids,
        items=_item(metadata, "ratingKey", server_id),
        duration=round(duration or 0) or None,
        **values,
    )


def _guid(metadata: Fields, media_type: MediaType) -> Guid:
    """Join the `guid` of a title with its list of external ids.

    Keys are case-sensitive: `guid` and `Guid` stand side by side. Imitations of Plex
    write the list as `guid`.
    """
    listed = metadata.objects("Guid")
    if isinstance(metadata.get("guid"), list):
        listed += metadata.objects("guid")
        guid = Guid()
    else:
        guid = parse_guid(metadata.text("guid"), media_type)
    ids = dict(guid.ids)
    for entry in listed:
        for source, value in parse_guid(entry.text("id"), media_type).ids.items():
            ids.setdefault(source, value)
    return Guid(ids, guid.show_ids, guid.season, guid.episode)


def _item(metadata: Fields, key: str, server_id: str) -> dict[str, str]:
    value = metadata.text(key)
    return {server_id: value} if value and server_id else {}


def _rating(fields: Fields, metadata: Fields) -> RatingChange:
    """Return the new rating: at the top level, else in the metadata.

    Missing, 0 and -1 all mean that the rating was taken back.
    """
    value = fields.number("rating")
    if value is None:
        value = metadata.number("userRating")
    if value is None or value <= 0:
        return RatingChange(None)
    if value > 10:
        raise PayloadError("rating is above 10")
    return RatingChange(value)
