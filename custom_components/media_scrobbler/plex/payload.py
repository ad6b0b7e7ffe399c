"""Plex webhooks, parsed into media events.

The forms are those of Plex's support article on webhooks and of captured webhooks; what
is not documented there is said where it is used.
"""

import re
from typing import Any

from ..domain.event import Action, LibraryChange, MediaEvent, Party, RatingChange
from ..domain.fields import Fields, PayloadError
from .metadata import MILLISECONDS, OWNER_ACCOUNT, account, not_media, parse_title

_SERVER_ID = re.compile(r"[0-9a-f]{40}", re.IGNORECASE | re.ASCII)
_CLOUD_SERVICE = re.compile(r"tv\.plex\.|.*\bproviders?\b", re.IGNORECASE)

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


def is_server_id(identity: str) -> bool:
    """Return whether an identity has the form that those of media servers have."""
    return _SERVER_ID.fullmatch(identity) is not None


def is_cloud_service(identity: str) -> bool:
    """Return whether an identity is that of a service of Plex itself.

    `tv.plex.provider.vod` is its free streaming. Webhooks tell of these as of servers, and
    call whoever watches there the owner.
    """
    return _CLOUD_SERVICE.match(identity) is not None


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
    if ignored := not_media(metadata):
        return MediaEvent(**common, ignored=ignored)
    title = parse_title(metadata, server.id)
    if title is None:
        kind = metadata.text("type")
        reason = f"items of type {kind} are not recorded"
        return MediaEvent(
            **common, ignored=reason if kind else "Metadata does not name a type"
        )
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
    told = fields.object("Account")
    if told is None:
        return None
    party = account(told.text("id"), told.text("title"))
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
