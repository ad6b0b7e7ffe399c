"""A stand-in for a Jellyfin server: what its webhook plugin sends with all properties on.

Names are those of the plugin. Identifiers have 32 digits and no dashes, positions and run
times are in ticks of 100 ns, `Timestamp` is local time (and wrongly marked as UTC in the
first millisecond of a second), and the body is JSON that calls itself plain text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
import re
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp

from .catalogue import (
    Album,
    Clip,
    Episode,
    Movie,
    Season,
    Show,
    Title,
    Track,
    stable_hex,
)
from .jellyfin_version import JELLYFIN_10_11, JellyfinVersion
from .transport import post

type BodyForm = Literal["plain", "json", "urlencoded"]

CONTENT_TYPES: Mapping[BodyForm, str] = {
    "plain": "text/plain; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "urlencoded": "application/x-www-form-urlencoded",
}


class JellyfinEvent(StrEnum):
    """The notifications that matter here; the plugin knows about twenty more."""

    PLAYBACK_START = "PlaybackStart"
    PLAYBACK_PROGRESS = "PlaybackProgress"
    PLAYBACK_STOP = "PlaybackStop"
    USER_DATA_SAVED = "UserDataSaved"
    ITEM_ADDED = "ItemAdded"
    ITEM_DELETED = "ItemDeleted"
    SESSION_START = "SessionStart"
    AUTHENTICATION_SUCCESS = "AuthenticationSuccess"
    AUTHENTICATION_FAILURE = "AuthenticationFailure"
    USER_LOCKED_OUT = "UserLockedOut"
    USER_CREATED = "UserCreated"
    TASK_COMPLETED = "TaskCompleted"
    PENDING_RESTART = "PendingRestart"


class SaveReason(StrEnum):
    """Why the server saved what a user did with an item."""

    PLAYBACK_START = "PlaybackStart"
    PLAYBACK_PROGRESS = "PlaybackProgress"
    PLAYBACK_FINISHED = "PlaybackFinished"
    TOGGLE_PLAYED = "TogglePlayed"
    UPDATE_USER_RATING = "UpdateUserRating"
    IMPORT = "Import"
    UPDATE_USER_DATA = "UpdateUserData"


_PLAYBACK = frozenset(
    {
        JellyfinEvent.PLAYBACK_START,
        JellyfinEvent.PLAYBACK_PROGRESS,
        JellyfinEvent.PLAYBACK_STOP,
    }
)
# Sent for the server or for an item, never on behalf of a user.
_WITHOUT_USER = frozenset(
    {
        JellyfinEvent.ITEM_ADDED,
        JellyfinEvent.ITEM_DELETED,
        JellyfinEvent.TASK_COMPLETED,
        JellyfinEvent.PENDING_RESTART,
    }
)


@dataclass(frozen=True, slots=True)
class JellyfinUser:
    """A user of the server."""

    name: str
    id: str

    @classmethod
    def named(cls, name: str) -> JellyfinUser:
        """Return a user with an id of their own."""
        return cls(name, stable_hex("jellyfin user", name))


@dataclass(frozen=True, slots=True)
class JellyfinDevice:
    """A device that plays, and the app it plays with."""

    name: str
    id: str
    client: str = "Jellyfin Android TV"
    address: str = "192.0.2.61"


BEDROOM_TABLET = JellyfinDevice("Bedroom tablet", "TGVmdCBvbiB0aGUgY2hhaXI1")


@dataclass(kw_only=True, slots=True)
class JellyfinServer:
    """A Jellyfin server with the webhook plugin, set to send all properties."""

    name: str
    id: str
    version: JellyfinVersion = JELLYFIN_10_11
    timezone: tzinfo = timezone(timedelta(hours=2))
    device: JellyfinDevice = field(default=BEDROOM_TABLET)

    def payload(
        self,
        event: str,
        title: Title | None = None,
        user: JellyfinUser | None = None,
        device: JellyfinDevice | None = None,
        *,
        at: datetime | None = None,
        position: timedelta | None = None,
        completed: bool = True,
        paused: bool = False,
        automated: bool | None = None,
        check_in: datetime | None = None,
        activity: datetime | None = None,
        save_reason: str = SaveReason.TOGGLE_PLAYED,
        played: bool = True,
        play_count: int | None = None,
        last_played: datetime | None = None,
        rating: float = 0,
        favorite: bool = False,
    ) -> dict[str, Any]:
        """Return the properties of a notification.

        `at` is when it is sent (now unless given). `completed` and, by default, the position
        matter to PlaybackStop, `paused` and `automated` (unless it is paused) to
        PlaybackProgress; `check_in` is when the player last reported by itself, `activity` when
        it last asked for anything or the server reported for it (both as it is sent unless
        given). What follows matters to UserDataSaved.
        """
        at = at or datetime.now(UTC)
        properties: dict[str, Any] = {
            "ServerId": self.id,
            "ServerName": quoted(self.name),
            "ServerVersion": str(self.version),
            "ServerUrl": "",
            "NotificationType": str(event),
        }
        if title is not None:
            properties |= self.item(title, at)
        if event in _PLAYBACK:
            device = device or self.device
            if position is None and event == JellyfinEvent.PLAYBACK_STOP:
                position = _runtime(title) * (0.98 if completed else 0.35)
            properties |= {
                "PlaybackPositionTicks": _ticks(position or timedelta()),
                "PlaybackPosition": _clock(position or timedelta()),
                "MediaSourceId": self.item_id(title.key) if title else None,
                "IsPaused": paused,
                "IsAutomated": event == JellyfinEvent.PLAYBACK_PROGRESS
                and (not paused if automated is None else automated),
                "DeviceId": device.id,
                "DeviceName": quoted(device.name),
                "ClientName": quoted(device.client),
            }
            if event == JellyfinEvent.PLAYBACK_STOP:
                properties["PlayedToCompletion"] = completed
            else:
                properties["PlayMethod"] = "DirectPlay"
        if event in _PLAYBACK or event == JellyfinEvent.SESSION_START:
            properties |= self._session(
                device or self.device, user, activity or at, check_in or at
            )
        if event == JellyfinEvent.USER_DATA_SAVED:
            properties |= {
                "Likes": False,
                "Rating": rating,
                "PlaybackPositionTicks": _ticks(position or timedelta()),
                "PlaybackPosition": _clock(position or timedelta()),
                "PlayCount": int(played) if play_count is None else play_count,
                "Favorite": favorite,
                "Played": played,
                "AudioStreamIndex": -1,
                "SubtitleStreamIndex": -1,
            }
            if played or last_played:
                properties["LastPlayedDate"] = written(last_played or at)
            properties["SaveReason"] = str(save_reason)
        if user is not None and event not in _WITHOUT_USER:
            properties |= {"NotificationUsername": user.name, "UserId": user.id}
        return properties

    def body(
        self,
        event: str,
        title: Title | None = None,
        user: JellyfinUser | None = None,
        device: JellyfinDevice | None = None,
        *,
        form: BodyForm = "plain",
        **details: Any,
    ) -> tuple[bytes, str]:
        """Return the body of a webhook and its content type.

        The plugin's generic destination sends "plain", or "json" where a header is set; its
        generic form destination sends "urlencoded". The details are those of `payload`.
        """
        properties = self.payload(event, title, user, device, **details)
        if form == "urlencoded":
            fields = {name: _as_text(value) for name, value in properties.items()}
            return urlencode(fields).encode(), CONTENT_TYPES[form]
        return encode(properties), CONTENT_TYPES[form]

    async def send(
        self,
        session: aiohttp.ClientSession,
        url: str,
        event: str,
        title: Title | None = None,
        user: JellyfinUser | None = None,
        device: JellyfinDevice | None = None,
        **details: Any,
    ) -> tuple[int, dict[str, Any]]:
        """Send a webhook and return the HTTP status and the answer."""
        body, content_type = self.body(event, title, user, device, **details)
        return await post(
            session, url, body, content_type, f"Jellyfin-Server/{self.version}"
        )

    def item_id(self, key: str) -> str:
        """Return this server's own id of an item."""
        return stable_hex(self.id, key)

    def item(self, title: Title, at: datetime) -> dict[str, Any]:
        """Return the properties of an item."""
        runtime = _runtime(title)
        properties: dict[str, Any] = {
            "Timestamp": _local(at, self.timezone),
            "UtcTimestamp": written(at),
            "Name": quoted(title.title),
            "Overview": quoted(getattr(title, "summary", "")),
            "Tagline": quoted(getattr(title, "tagline", "")),
            "ItemId": self.item_id(title.key),
            "ItemType": _ITEM_TYPES[type(title)],
            "RunTimeTicks": _ticks(runtime),
            "RunTime": _clock(runtime),
        }
        match title:
            case Movie():
                properties |= {
                    "Year": title.year,
                    "PremiereDate": title.released.isoformat(),
                    "Genres": ", ".join(title.genres),
                    "AspectRatio": "2.39:1",
                    **_providers(title.ids.items()),
                    **_VIDEO_STREAMS,
                }
            case Show():
                properties |= {
                    "Year": title.year,
                    "PremiereDate": title.premiered.isoformat(),
                    "Genres": ", ".join(title.genres),
                    **_providers(title.ids.items()),
                }
            case Season():
                properties |= {
                    "Year": title.show.year,
                    "SeriesName": quoted(title.show.title),
                    "SeriesId": self.item_id(title.show.key),
                    **numbers("SeasonNumber", title.number),
                }
            case Episode():
                properties |= self._episode(title)
            case Album():
                properties |= {
                    "Year": title.year,
                    "PremiereDate": title.released.isoformat(),
                    "Genres": "Folk",
                    "Artist": quoted(title.artist),
                    **_providers(_album_ids(title)),
                }
            case Track():
                properties |= {
                    "Year": title.album.year,
                    "Genres": "Folk",
                    "Album": quoted(title.album.title),
                    "Artist": quoted(title.artist or title.album.artist),
                    **_providers(
                        [
                            *_album_ids(title.album),
                            (
                                "musicbrainzartist",
                                title.musicbrainz_artist
                                or title.album.musicbrainz_artist,
                            ),
                            ("musicbrainztrack", title.musicbrainz),
                        ]
                    ),
                    **_AUDIO_STREAM,
                }
            case Clip():
                properties |= _VIDEO_STREAMS
        return properties

    def _episode(self, episode: Episode) -> dict[str, Any]:
        """Return what an episode adds: ids are its own, the year is the series'."""
        show = episode.show
        properties = {
            "Year": show.year,
            "PremiereDate": episode.aired.isoformat(),
            "Genres": ", ".join(show.genres),
            "AspectRatio": "16:9",
            "SeriesName": quoted(show.title),
            "SeriesId": self.item_id(show.key),
            "SeasonId": self.item_id(Season(show, episode.season).key),
            "SeriesPremiereDate": show.premiered.isoformat(),
            **numbers("SeasonNumber", episode.season),
            **numbers("EpisodeNumber", episode.number),
        }
        if episode.number_end is not None:
            properties |= numbers("EpisodeNumberEnd", episode.number_end)
        return {**properties, **_providers(episode.ids.items()), **_VIDEO_STREAMS}

    def _session(
        self,
        device: JellyfinDevice,
        user: JellyfinUser | None,
        activity: datetime,
        check_in: datetime,
    ) -> dict[str, Any]:
        """Return the properties of the session a device plays in."""
        return {
            "Id": stable_hex("session", self.id, device.id),
            "UserId": user.id if user else "0" * 32,
            "NotificationUsername": user.name if user else "",
            "Client": device.client,
            "LastActivityDate": written(activity),
            "LastPlaybackCheckIn": written(check_in),
            "DeviceName": device.name,
            "DeviceId": device.id,
            "RemoteEndPoint": device.address,
        }


_ITEM_TYPES: Mapping[type, str] = {
    Movie: "Movie",
    Show: "Series",
    Season: "Season",
    Episode: "Episode",
    Album: "MusicAlbum",
    Track: "Audio",
    Clip: "Video",
}

_AUDIO_STREAM: Mapping[str, Any] = {
    "Audio_0_Title": "FLAC - Stereo",
    "Audio_0_Type": "Audio",
    "Audio_0_Language": None,
    "Audio_0_Codec": "flac",
    "Audio_0_Channels": 2,
    "Audio_0_Bitrate": 864213,
    "Audio_0_SampleRate": 44100,
    "Audio_0_Default": False,
}

_VIDEO_STREAMS: Mapping[str, Any] = {
    "Video_0_Title": "1080p H264 SDR",
    "Video_0_Type": "Video",
    "Video_0_Codec": "h264",
    "Video_0_Profile": "High",
    "Video_0_Level": 41,
    "Video_0_Height": 1080,
    "Video_0_Width": 1920,
    "Video_0_AspectRatio": "16:9",
    "Video_0_Interlaced": False,
    "Video_0_FrameRate": 25,
    "Video_0_VideoRange": "SDR",
    "Video_0_ColorSpace": "bt709",
    "Video_0_ColorTransfer": "bt709",
    "Video_0_ColorPrimaries": None,
    "Video_0_PixelFormat": "yuv420p",
    "Video_0_RefFrames": 1,
    "Audio_0_Title": "Dutch - AC3 - 5.1 - Default",
    "Audio_0_Type": "Audio",
    "Audio_0_Language": "dut",
    "Audio_0_Codec": "ac3",
    "Audio_0_Channels": 6,
    "Audio_0_Bitrate": 448000,
    "Audio_0_SampleRate": 48000,
    "Audio_0_Default": True,
    "Subtitle_0_Title": "English - SUBRIP",
    "Subtitle_0_Type": "Subtitle",
    "Subtitle_0_Language": "eng",
    "Subtitle_0_Codec": "subrip",
    "Subtitle_0_Default": False,
    "Subtitle_0_Forced": False,
    "Subtitle_0_External": True,
}


def encode(properties: Mapping[str, Any]) -> bytes:
    """Return properties as the server's JSON writer puts them.

    It escapes quotation marks, `<>&+'`, the backtick and everything beyond ASCII as six
    characters with capital digits, where Python's own writer would not.
    """
    members = (
        f"{_json_string(name)}:{_json_value(value)}"
        for name, value in properties.items()
    )
    return f"{{{','.join(members)}}}".encode()


_SHORT_ESCAPES = {
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}


def _json_string(text: str) -> str:
    """Return a string as the server's JSON writer puts it."""

    def escape(match: re.Match[str]) -> str:
        """Return the escaped form of a character, in two halves where it needs them."""
        character = match.group()
        if character in _SHORT_ESCAPES:
            return _SHORT_ESCAPES[character]
        units = character.encode("utf-16-be").hex().upper()
        return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))

    escaped = re.sub(r"[^ -~]|[\"\\<>&+'`]", escape, text)
    return f'"{escaped}"'


def _json_value(value: object) -> str:
    """Return a value as the server's JSON writer puts it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return _json_string(str(value))


def _as_text(value: object) -> str:
    """Return a value as the form destination writes it."""
    return "" if value is None else str(value)


def quoted(text: str) -> str:
    """Return text as the plugin escapes it, before it becomes JSON once more."""
    return text.replace('"', '\\"')


def _runtime(title: Title | None) -> timedelta:
    """Return a run time; what has none plays for no time at all."""
    match title:
        case Movie() | Episode() | Track() | Clip():
            return title.runtime
        case _:
            return timedelta()


def _ticks(duration: timedelta) -> int:
    """Return a duration in ticks of 100 ns."""
    return duration // timedelta(microseconds=1) * 10


def _clock(duration: timedelta) -> str:
    """Return a duration as hours, minutes and seconds; a day begins again at 0."""
    minutes, seconds = divmod(duration // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}"


def written(at: datetime) -> str:
    """Return a time as the server's JSON writer puts it, in UTC."""
    return _written(at.astimezone(UTC), "Z")


def _local(at: datetime, zone: tzinfo) -> str:
    """Return a local time as the server's JSON writer puts it."""
    local = at.astimezone(zone)
    return _written(local, f"{local:%:z}")


def _written(at: datetime, zone: str) -> str:
    """Return a time with its zone; that of a time without milliseconds is always Z."""
    text = at.strftime("%Y-%m-%dT%H:%M:%S")
    if at.microsecond < 1000:
        return f"{text}.0000000Z"
    return f"{text}.{at.microsecond:06d}".rstrip("0") + zone


def numbers(name: str, number: int) -> dict[str, Any]:
    """Return a number in the three widths that the plugin offers."""
    return {
        name: number,
        f"{name}00": f"{number:02d}",
        f"{name}000": f"{number:03d}",
    }


def _providers(ids: list[tuple[str, str]]) -> dict[str, str]:
    """Return external ids under the plugin's names for them."""
    return {f"Provider_{name}": value for name, value in ids if value}


def _album_ids(album: Album) -> list[tuple[str, str]]:
    """Return the ids that an album shares with its tracks."""
    return [
        ("musicbrainzalbumartist", album.musicbrainz_artist),
        ("musicbrainzalbum", album.musicbrainz),
        ("musicbrainzreleasegroup", album.musicbrainz_group),
    ]
