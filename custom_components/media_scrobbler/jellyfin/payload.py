"""Jellyfin webhooks, parsed into media events.

The official webhook plugin's flat form, either with all properties or made by a template,
as read from the plugin's source (v21). Other senders are told apart by their shape.
"""

from dataclasses import replace
from typing import Any

from ..domain.event import Action, Heartbeat, LibraryChange, MediaEvent, Party
from ..domain.fields import Fields, PayloadError
from ..domain.title import MediaType, Title
from . import nested
from .items import (
    TICKS_PER_SECOND,
    each_episode,
    item_id,
    media_type_of,
    named_as_film,
    plain_id,
    plain_text,
    provider_ids,
    saved_data,
    stopped_complete,
    utc_time,
)
from .template import is_made_by_template, unescaped

_PROVIDER = "provider_"

_PROGRESS = "PlaybackProgress"
_ACTIONS = {
    "PlaybackStart": Action.PLAY,
    _PROGRESS: Action.PROGRESS,
    "PlaybackStop": Action.STOP,
}
_LIBRARY = {"ItemAdded": LibraryChange.ADDED, "ItemDeleted": LibraryChange.REMOVED}
SERVER_EVENTS = {
    "PendingRestart": "pending_restart",
    "AuthenticationFailure": "authentication_failure",
    "AuthenticationSuccess": "authentication_success",
    "SessionStart": "session_start",
    "UserCreated": "user_created",
    "UserDeleted": "user_deleted",
    "UserUpdated": "user_updated",
    "UserLockedOut": "user_locked_out",
    "UserPasswordChanged": "user_password_changed",
    "PluginInstalled": "plugin_installed",
    "PluginInstalling": "plugin_installing",
    "PluginInstallationCancelled": "plugin_installation_cancelled",
    "PluginInstallationFailed": "plugin_installation_failed",
    "PluginUninstalled": "plugin_uninstalled",
    "PluginUpdated": "plugin_updated",
    "SubtitleDownloadFailure": "subtitle_download_failure",
}


def heartbeat(payload: dict[str, Any]) -> Heartbeat | None:
    """Return a server's own report that a player plays on, None for any other webhook.

    One a second comes of each playback: little is read of it.
    """
    if payload.get("NotificationType") != _PROGRESS:
        return None
    fields = Fields(payload)
    try:
        if not fields.flag("IsAutomated") or fields.flag("IsPaused"):
            return None
        server_id, item = plain_id(fields, "ServerId"), plain_id(fields, "ItemId")
        player = _player(fields)
        if server_id is None or item is None or player is None:
            return None
        position = fields.seconds("PlaybackPositionTicks", TICKS_PER_SECOND)
    except PayloadError:
        # Whoever reads the whole of it says what is wrong.
        return None
    return Heartbeat(
        name=_PROGRESS,
        server_id=server_id,
        player=player,
        item=item,
        position=position,
    )


def parse(payload: dict[str, Any]) -> MediaEvent:
    """Parse a decoded webhook; raises PayloadError where that cannot be done."""
    if "NotificationType" not in payload:
        return nested.parse(Fields(payload))
    if is_made_by_template(payload):
        payload = unescaped(payload)
    fields = Fields(payload)
    if isinstance(fields.get("Item"), dict):
        # A template in the shape of the other senders, with the plugin's event names.
        return nested.parse(fields)

    name = fields.text("NotificationType")
    if name is None:
        raise PayloadError("NotificationType is empty")
    server = Party(plain_id(fields, "ServerId"), plain_text(fields, "ServerName"))
    common: dict[str, Any] = {
        "name": name,
        "server": server,
        "account": _account(fields),
        "player": _player(fields),
    }
    if name in SERVER_EVENTS:
        return MediaEvent(**common, server_event=SERVER_EVENTS[name])
    if name == _PROGRESS:
        common |= {"routine": True, "automated": bool(fields.flag("IsAutomated"))}
    if name == "UserDataSaved":
        reason = fields.text("SaveReason")
        common["saved"] = saved = saved_data(fields, plain_id(fields, "ItemId"))
        if reason != "TogglePlayed":
            return MediaEvent(
                **common,
                routine=True,
                ignored="only items marked by hand count among saved user data",
            )
        if saved.played is None:
            raise PayloadError("the payload does not say Played")
        if not saved.played:
            return MediaEvent(
                **common, ignored="marked as unwatched; history keeps plays"
            )
    elif name not in _ACTIONS and name not in _LIBRARY:
        return MediaEvent(**common, ignored="events of this name are not used")

    kind = fields.text("ItemType")
    if kind is None:
        raise PayloadError(
            'the payload names no ItemType; is "Send all properties" ticked?'
        )
    media_type = media_type_of(kind)
    if media_type is None:
        return MediaEvent(**common, ignored=f"items of type {kind} are not recorded")
    title = _title(fields, media_type, server)
    if name in _LIBRARY:
        return MediaEvent(**common, titles=(title,), library=_LIBRARY[name])
    if name == "UserDataSaved" and _is_of_server(fields):
        return MediaEvent(
            **common,
            titles=(title,),
            marked=True,
            marked_by_server=True,
            routine=True,
        )

    named = named_as_film(title)
    if name == "UserDataSaved" and named != title:
        # The version's own item says nothing of the film's.
        named = replace(named, items={})
    title = named
    action = _ACTIONS.get(name)
    # What is saved as user data is where to go on, not where anything plays.
    position = (
        fields.seconds("PlaybackPositionTicks", TICKS_PER_SECOND) if action else None
    )
    completed = name == "UserDataSaved"
    if action is Action.PROGRESS and fields.flag("IsPaused"):
        action = Action.PAUSE
    elif action is Action.STOP:
        claimed = fields.flag("PlayedToCompletion")
        # A template may leave the run time out; one that the server does not know is 0.
        completed = (
            stopped_complete(claimed, position, title.duration)
            if "RunTimeTicks" in fields
            else bool(claimed)
        )
    return MediaEvent(
        **common,
        titles=each_episode(title, fields.integer("EpisodeNumberEnd")),
        action=action,
        position=position,
        checked_in_at=utc_time(fields.text("LastPlaybackCheckIn")),
        active_at=utc_time(fields.text("LastActivityDate")),
        version=plain_id(fields, "MediaSourceId"),
        completed=completed,
        marked=name == "UserDataSaved",
        watched_at=utc_time(fields.text("UtcTimestamp")),
    )


def _is_of_server(fields: Fields) -> bool:
    """Say whether nobody has made a mark but the server, of another version.

    Jellyfin 12.0 marks the other versions of what is marked or, having been seen before,
    is played. A mark that somebody makes leaves a play count of 1 or more and a date. A
    template may leave either out, and knows nothing then.
    """
    count = fields.integer("PlayCount")
    if count is None:
        return False
    has_all_properties = "Favorite" in fields
    return count == 0 or (has_all_properties and not fields.text("LastPlayedDate"))


def _account(fields: Fields) -> Party | None:
    party = Party(
        plain_id(fields, "UserId"), plain_text(fields, "NotificationUsername")
    )
    return party if party.id or party.name else None


def _player(fields: Fields) -> Party | None:
    party = Party(fields.text("DeviceId"), plain_text(fields, "DeviceName"))
    return party if party.id or party.name else None


def _title(fields: Fields, media_type: MediaType, server: Party) -> Title:
    server_id = server.id or ""
    values: dict[str, Any] = {}
    match media_type:
        case MediaType.EPISODE | MediaType.SEASON:
            series = item_id(fields, "SeriesId")
            values = {
                "show": plain_text(fields, "SeriesName"),
                "season": fields.integer("SeasonNumber"),
                "show_items": {server_id: series} if series and server_id else {},
            }
            if media_type is MediaType.EPISODE:
                values["episode"] = fields.integer("EpisodeNumber")
        case MediaType.TRACK | MediaType.ALBUM:
            values = {
                "artist": plain_text(fields, "Artist"),
                "album": plain_text(fields, "Album"),
            }
    if media_type in (MediaType.MOVIE, MediaType.SHOW, MediaType.ALBUM):
        # Of an episode this is the year of its series.
        values["year"] = fields.integer("Year")
    item = item_id(fields, "ItemId")
    duration = fields.seconds("RunTimeTicks", TICKS_PER_SECOND)
    return Title(
        media_type=media_type,
        title=plain_text(fields, "Name"),
        ids=provider_ids(fields, media_type, _PROVIDER),
        items={server_id: item} if item and server_id else {},
        duration=round(duration or 0) or None,
        **values,
    )
