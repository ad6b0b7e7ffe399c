"""Webhooks that nest the item: the other Jellyfin plugin ("Webhooks") and Emby.

Both send `Event`, `Item`, `User`, `Session` and `Server` as objects, with different names
for the events.
"""

from typing import Any

from ..domain.event import Action, LibraryChange, MediaEvent, Party, SavedData
from ..domain.fields import Fields, PayloadError
from .dto import item_title
from .items import (
    COMPLETED_SHARE,
    TICKS_PER_SECOND,
    each_episode,
    plain_id,
    saved_data,
    stopped_complete,
    utc_time,
)

_PROGRESS = ("Progress", "PlaybackProgress")
_ACTIONS = {
    "Play": Action.PLAY,
    "PlaybackStart": Action.PLAY,
    "playback.start": Action.PLAY,
    "Pause": Action.PAUSE,
    "playback.pause": Action.PAUSE,
    "Resume": Action.RESUME,
    "playback.unpause": Action.RESUME,
    **dict.fromkeys(_PROGRESS, Action.PROGRESS),
    "Stop": Action.STOP,
    "PlaybackStop": Action.STOP,
    "playback.stop": Action.STOP,
}
_JELLYFIN_MARK = "MarkPlayed"
_MARKS = (_JELLYFIN_MARK, "item.markplayed")
_COMPLETIONS = (*_MARKS, "Scrobble", "playback.scrobble")
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
    "system.webhooktest": "notification_test",
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
        "routine": name in _PROGRESS,
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
    title = item_title(item, fields.object("Series"), server.id)
    if title is None:
        return MediaEvent(**common, ignored=f"items of type {kind} are not recorded")
    if name in _LIBRARY:
        return MediaEvent(**common, titles=(title,), library=_LIBRARY[name])

    saved = _saved(item) if name in _MARKS else None
    # Emby's count stays at 0 in a mark that somebody makes.
    if name == _JELLYFIN_MARK and saved is not None and saved.play_count == 0:
        return MediaEvent(
            **common | {"routine": True},
            titles=(title,),
            marked=True,
            marked_by_server=True,
        )

    action = _ACTIONS.get(name)
    playback = fields.object("PlaybackInfo")
    state = session.object("PlayState") if session is not None else None
    position = None
    for source in (playback, state):
        if position is None and source is not None:
            position = source.seconds("PositionTicks", TICKS_PER_SECOND)
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
        version=plain_id(state, "MediaSourceId") if state is not None else None,
        completed=completed,
        marked=name in _MARKS,
        # Emby's; in UTC as its Z says.
        watched_at=utc_time(fields.text("Date")),
        saved=saved,
    )


def _saved(item: Fields) -> SavedData | None:
    """Return what the server has saved of an item that was marked.

    None where it tells how that was before, or nothing.
    """
    user_data = item.object("UserData")
    if user_data is None or not user_data.flag("Played"):
        return None
    return saved_data(user_data, plain_id(item, "Id"))


def _stop_completes(
    item: Fields,
    playback: Fields | None,
    position: float | None,
    duration: int | None,
) -> bool:
    """Say whether a stop completes the item: the sender tells, or how far it came.

    An item that counts as played may have been so before; one that does not is not over.
    """
    if playback is not None:
        claimed = playback.flag("PlayedToCompletion")
        if claimed is not None:
            return stopped_complete(claimed, position, duration)
    user_data = item.object("UserData")
    played = user_data.flag("Played") if user_data is not None else None
    if played is not False and position and duration:
        return position >= duration * COMPLETED_SHARE
    return bool(played)


def _server(server: Fields | None, item: Fields | None) -> Party:
    if server is not None:
        return Party(plain_id(server, "Id"), server.text("Name"))
    if item is not None:
        return Party(plain_id(item, "ServerId"))
    return Party()


def _account(user: Fields | None, session: Fields | None) -> Party | None:
    party = Party()
    if user is not None:
        party = Party(plain_id(user, "Id"), user.text("Name"))
    elif session is not None:
        party = Party(plain_id(session, "UserId"), session.text("UserName"))
    return party if party.id or party.name else None


def _player(session: Fields | None) -> Party | None:
    if session is None:
        return None
    party = Party(session.text("DeviceId"), session.text("DeviceName"))
    return party if party.id or party.name else None
