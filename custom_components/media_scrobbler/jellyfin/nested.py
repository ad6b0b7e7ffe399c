"""Webhooks that nest the item: the other Jellyfin plugin ("Webhooks") and Emby.

Both send `Event`, `Item`, `User`, `Session` and `Server` as objects, with different names
for the events.
"""

from typing import Any

from ..domain.event import Action, LibraryChange, MediaEvent, Party
from ..domain.fields import Fields, PayloadError
from ..domain.title import MediaType, Title
from .items import (
    COMPLETED_SHARE,
    NO_USER,
    TICKS_PER_SECOND,
    each_episode,
    item_id,
    media_type_of,
    provider_ids,
    stopped_complete,
)

_ACTIONS = {
    "Play": Action.PLAY,
    "PlaybackStart": Action.PLAY,
    "playback.start": Action.PLAY,
    "Pause": Action.PAUSE,
    "playback.pause": Action.PAUSE,
    "Resume": Action.RESUME,
    "playback.unpause": Action.RESUME,
    "Progress": Action.PROGRESS,
    "PlaybackProgress": Action.PROGRESS,
    "Stop": Action.STOP,
    "PlaybackStop": Action.STOP,
    "playback.stop": Action.STOP,
}
_COMPLETIONS = ("MarkPlayed", "item.markplayed", "Scrobble", "playback.scrobble")
_UNMARKS = ("MarkUnplayed", "item.markunplayed")
_LIBRARY = {
    "ItemAdded": LibraryChange.ADDED,
    "library.new": LibraryChange.ADDED,
    "item.added": LibraryChange.ADDED,
    "ItemDeleted": LibraryChange.REMOVED,
    "library.deleted": LibraryChange.REMOVED,
}
SERVER_EVENTS = {
    "SessionStarted": "session_start",
    "SessionEnded": "session_end",
    "system.serverrestartrequired": "pending_restart",
    "system.notificationtest": "notification_test",
}


def parse(fields: Fields) -> MediaEvent:
    """Parse a webhook in nested form; raises PayloadError where that cannot be done."""
    name = fields.text("Event") or fields.text("NotificationType")
    if name is None:
        raise PayloadError(
            "the payload names neither NotificationType nor Event; "
            "is this a Jellyfin or Emby webhook?"
        )
    session = fields.object("Session")
    item = fields.object("Item")
    server = _server(fields.object("Server"), item)
    common: dict[str, Any] = {
        "name": name,
        "server": server,
        "account": _account(fields.object("User"), session),
        "player": _player(session),
    }
    if name in SERVER_EVENTS:
        return MediaEvent(**common, server_event=SERVER_EVENTS[name])
    if name in _UNMARKS:
        return MediaEvent(**common, ignored="marked as unwatched; history keeps plays")
    if not (name in _ACTIONS or name in _COMPLETIONS or name in _LIBRARY):
        return MediaEvent(**common, ignored="events of this name are not used")
    if item is None:
        raise PayloadError("the payload has no Item")
    kind = item.text("Type")
    if kind is None:
        raise PayloadError("Item.Type is missing")
    media_type = media_type_of(kind)
    if media_type is None:
        return MediaEvent(**common, ignored=f"items of type {kind} are not recorded")
    title = _title(item, fields.object("Series"), media_type, server)
    if name in _LIBRARY:
        return MediaEvent(**common, titles=(title,), library=_LIBRARY[name])

    action = _ACTIONS.get(name)
    playback = fields.object("PlaybackInfo")
    state = session.object("PlayState") if session is not None else None
    position = _ticks(playback, "PositionTicks")
    if position is None:
        position = _ticks(state, "PositionTicks")
    completed = name in _COMPLETIONS
    if action is Action.PROGRESS and state is not None and state.flag("IsPaused"):
        action = Action.PAUSE
    elif action is Action.STOP:
        completed = _stop_completes(item, playback, position, title.duration)
    return MediaEvent(
        **common,
        titles=each_episode(title, item.integer("IndexNumberEnd")),
        action=action,
        position=position,
        completed=completed,
    )


def _stop_completes(
    item: Fields,
    playback: Fields | None,
    position: float | None,
    duration: int | None,
) -> bool:
    """Say whether a stop completes the item: the sender tells, or how far it came."""
    if playback is not None:
        claimed = playback.flag("PlayedToCompletion")
        if claimed is not None:
            return stopped_complete(claimed, position, duration)
    if position and duration:
        return position >= duration * COMPLETED_SHARE
    user_data = item.object("UserData")
    return user_data is not None and bool(user_data.flag("Played"))


def _server(server: Fields | None, item: Fields | None) -> Party:
    if server is not None:
        return Party(item_id(server.text("Id")), server.text("Name"))
    if item is not None:
        return Party(item_id(item.text("ServerId")))
    return Party()


def _account(user: Fields | None, session: Fields | None) -> Party | None:
    party = Party()
    if user is not None:
        party = Party(item_id(user.text("Id")), user.text("Name"))
    elif session is not None:
        party = Party(item_id(session.text("UserId")), session.text("UserName"))
    if party.id == NO_USER:
        party = Party(None, party.name)
    return party if party.id or party.name else None


def _player(session: Fields | None) -> Party | None:
    if session is None:
        return None
    party = Party(session.text("DeviceId"), session.text("DeviceName"))
    return party if party.id or party.name else None


def _title(
    item: Fields, series: Fields | None, media_type: MediaType, server: Party
) -> Title:
    server_id = server.id or ""
    values: dict[str, Any] = {}
    match media_type:
        case MediaType.EPISODE | MediaType.SEASON:
            show_item = item_id(item.text("SeriesId"))
            values = {
                "show": item.text("SeriesName"),
                "show_ids": _ids(series, MediaType.SHOW),
                "show_items": {server_id: show_item} if show_item and server_id else {},
            }
            if media_type is MediaType.EPISODE:
                values |= {
                    "season": item.integer("ParentIndexNumber"),
                    "episode": item.integer("IndexNumber"),
                }
            else:
                values["season"] = item.integer("IndexNumber")
        case MediaType.TRACK | MediaType.ALBUM:
            values = {"artist": _artist(item), "album": item.text("Album")}
    if media_type in (MediaType.MOVIE, MediaType.SHOW, MediaType.ALBUM):
        values["year"] = item.integer("ProductionYear")
    own_id = item_id(item.text("Id"))
    return Title(
        media_type=media_type,
        title=item.text("Name"),
        ids=_ids(item, media_type),
        items={server_id: own_id} if own_id and server_id else {},
        duration=round(_ticks(item, "RunTimeTicks") or 0) or None,
        **values,
    )


def _artist(item: Fields) -> str | None:
    artists = item.get("Artists")
    if isinstance(artists, list) and artists and isinstance(artists[0], str):
        return artists[0]
    return item.text("AlbumArtist")


def _ids(item: Fields | None, media_type: MediaType) -> dict[str, str | int]:
    providers = item.object("ProviderIds") if item is not None else None
    if providers is None:
        return {}
    return provider_ids({key: providers.text(key) for key in providers}, media_type)


def _ticks(fields: Fields | None, key: str) -> float | None:
    ticks = fields.number(key) if fields is not None else None
    return ticks / TICKS_PER_SECOND if ticks is not None and ticks >= 0 else None
