"""Jellyfin webhooks, parsed into media events.

The official webhook plugin's flat form, either with all properties or made by a template,
as read from the plugin's source (v21). Other senders are told apart by their shape.
"""

from datetime import UTC, datetime
import re
from typing import Any

from ..domain.event import Action, LibraryChange, MediaEvent, Party
from ..domain.fields import Fields, PayloadError
from ..domain.title import Ids, MediaType, Title
from . import nested
from .items import (
    NO_USER,
    TICKS_PER_SECOND,
    each_episode,
    item_id,
    media_type_of,
    provider_ids,
    stopped_complete,
)

_PROVIDER = "provider_"

_ACTIONS = {
    "PlaybackStart": Action.PLAY,
    "PlaybackProgress": Action.PROGRESS,
    "PlaybackStop": Action.STOP,
}
_LIBRARY = {"ItemAdded": LibraryChange.ADDED, "ItemDeleted": LibraryChange.REMOVED}
SERVER_EVENTS = {
    "PendingRestart": "pending_restart",
    "TaskCompleted": "task_completed",
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
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", re.ASCII)


def parse(payload: dict[str, Any]) -> MediaEvent:
    """Parse a decoded webhook; raises PayloadError where that cannot be done."""
    fields = Fields(payload)
    if "NotificationType" not in fields:
        return nested.parse(fields)
    if isinstance(fields.get("Item"), dict):
        # A template in the shape of the other senders, with the plugin's event names.
        return nested.parse(fields)

    name = fields.text("NotificationType")
    if name is None:
        raise PayloadError("NotificationType is empty")
    server = Party(fields.text("ServerId"), _unescaped(fields, "ServerName"))
    common: dict[str, Any] = {
        "name": name,
        "server": server,
        "account": _account(fields),
        "player": _player(fields),
    }
    if name in SERVER_EVENTS:
        return MediaEvent(**common, server_event=SERVER_EVENTS[name])
    if name == "UserDataSaved":
        reason = fields.text("SaveReason")
        if reason != "TogglePlayed":
            return MediaEvent(
                **common,
                ignored="only items marked by hand count among saved user data",
            )
        if not fields.flag("Played"):
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

    position = _seconds(fields, "PlaybackPositionTicks")
    action = _ACTIONS.get(name)
    completed = name == "UserDataSaved"
    if action is Action.PROGRESS and fields.flag("IsPaused"):
        action = Action.PAUSE
    elif action is Action.STOP:
        completed = stopped_complete(
            fields.flag("PlayedToCompletion"), position, title.duration
        )
    return MediaEvent(
        **common,
        titles=each_episode(title, fields.integer("EpisodeNumberEnd")),
        action=action,
        position=position,
        completed=completed,
        watched_at=utc_time(fields.text("UtcTimestamp")),
    )


def utc_time(text: str | None) -> datetime | None:
    """Read a UTC time of 1 to 7 fractional digits; the local Timestamp is not to be read.

    A time that is not in this form reads as None: when something was watched is then
    when we heard of it.
    """
    if text is None or not (match := _TIME.fullmatch(text)):
        return None
    try:
        return datetime.fromisoformat(match[1] + (match[2] or "")[:7]).replace(
            tzinfo=UTC
        )
    except ValueError:
        return None


def _account(fields: Fields) -> Party | None:
    identity = item_id(fields.text("UserId"))
    party = Party(
        identity if identity != NO_USER else None, fields.text("NotificationUsername")
    )
    return party if party.id or party.name else None


def _player(fields: Fields) -> Party | None:
    party = Party(fields.text("DeviceId"), _unescaped(fields, "DeviceName"))
    return party if party.id or party.name else None


def _title(fields: Fields, media_type: MediaType, server: Party) -> Title:
    server_id = server.id or ""
    values: dict[str, Any] = {}
    name = _unescaped(fields, "Name")
    match media_type:
        case MediaType.EPISODE | MediaType.SEASON:
            series = item_id(fields.text("SeriesId"))
            values = {
                "show": _unescaped(fields, "SeriesName"),
                "season": fields.integer("SeasonNumber"),
                "show_items": {server_id: series} if series and server_id else {},
            }
            if media_type is MediaType.EPISODE:
                values["episode"] = fields.integer("EpisodeNumber")
        case MediaType.TRACK | MediaType.ALBUM:
            values = {
                "artist": _unescaped(fields, "Artist"),
                "album": _unescaped(fields, "Album"),
            }
    if media_type in (MediaType.MOVIE, MediaType.SHOW, MediaType.ALBUM):
        # Of an episode this is the year of its series.
        values["year"] = fields.integer("Year")
    item = item_id(fields.text("ItemId"))
    return Title(
        media_type=media_type,
        title=name,
        ids=_ids(fields, media_type),
        items={server_id: item} if item and server_id else {},
        duration=round(_seconds(fields, "RunTimeTicks") or 0) or None,
        **values,
    )


def _ids(fields: Fields, media_type: MediaType) -> Ids:
    return provider_ids(
        {
            key[len(_PROVIDER) :]: fields.text(key)
            for key in fields
            if key[: len(_PROVIDER)].lower() == _PROVIDER
        },
        media_type,
    )


def _unescaped(fields: Fields, key: str) -> str | None:
    """Return a text without the backslash that the plugin puts before a quote."""
    text = fields.text(key)
    return text.replace('\\"', '"') if text else text


def _seconds(fields: Fields, key: str) -> float | None:
    """Return a time that is given in ticks of 100 ns, in seconds."""
    ticks = fields.number(key)
    return ticks / TICKS_PER_SECOND if ticks is not None and ticks >= 0 else None
