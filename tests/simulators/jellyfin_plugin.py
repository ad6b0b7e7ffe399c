"""The webhook plugin of a Jellyfin server: its configuration, and what it sends where.

Only generic destinations are played; the others can be configured and stay silent. A
destination gets what its notification types, item types and users say (no user chosen is
every user), as JSON of all properties or as its template makes it.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
import json
import re
from typing import Any
import uuid

import aiohttp

from .jellyfin import encode
from .jellyfin_items import Kind

PLUGIN_ID = "71552a5a5c5c4350a2aeebe451a30173"
PLUGIN_VERSION = "21.0.0.0"

NOTIFICATIONS = frozenset(
    {
        "None",
        "ItemAdded",
        "Generic",
        "PlaybackStart",
        "PlaybackProgress",
        "PlaybackStop",
        "SubtitleDownloadFailure",
        "AuthenticationFailure",
        "AuthenticationSuccess",
        "SessionStart",
        "PendingRestart",
        "TaskCompleted",
        "PluginInstallationCancelled",
        "PluginInstallationFailed",
        "PluginInstalled",
        "PluginInstalling",
        "PluginUninstalled",
        "PluginUpdated",
        "UserCreated",
        "UserDeleted",
        "UserLockedOut",
        "UserPasswordChanged",
        "UserUpdated",
        "UserDataSaved",
        "ItemDeleted",
    }
)

_ENABLED_BY: Mapping[Kind, str] = {
    Kind.MOVIE: "EnableMovies",
    Kind.EPISODE: "EnableEpisodes",
    Kind.SERIES: "EnableSeries",
    Kind.SEASON: "EnableSeasons",
    Kind.ALBUM: "EnableAlbums",
    Kind.TRACK: "EnableSongs",
    Kind.VIDEO: "EnableVideos",
}
_OF_EVERY_DESTINATION: Mapping[str, Any] = {
    "NotificationTypes": [],
    "WebhookName": None,
    "WebhookUri": None,
    "EnableMovies": False,
    "EnableEpisodes": False,
    "EnableSeries": False,
    "EnableSeasons": False,
    "EnableAlbums": False,
    "EnableSongs": False,
    "EnableVideos": False,
    "SendAllProperties": False,
    "TrimWhitespace": False,
    "SkipEmptyMessageBody": False,
    "EnableWebhook": True,
    "Template": None,
    "UserFilter": [],
}
_OF_DESTINATIONS: Mapping[str, Mapping[str, Any]] = {
    "DiscordOptions": {
        "EmbedColor": None,
        "AvatarUrl": None,
        "Username": None,
        "MentionType": "None",
    },
    "GenericOptions": {"Headers": [], "Fields": []},
    "GenericFormOptions": {"Headers": [], "Fields": []},
    "GotifyOptions": {"Token": None, "Priority": 0},
    "PushbulletOptions": {"Token": None, "DeviceId": None, "Channel": None},
    "PushoverOptions": {
        "Token": None,
        "UserToken": None,
        "Device": None,
        "Title": None,
        "MessageUrl": None,
        "MessageUrlTitle": None,
        "MessagePriority": 0,
        "NotificationSound": None,
    },
    "SlackOptions": {"Username": None, "IconUrl": None},
    "SmtpOptions": {
        "SenderAddress": None,
        "ReceiverAddress": None,
        "SmtpServer": None,
        "SmtpPort": 25,
        "UseCredentials": False,
        "Username": None,
        "Password": None,
        "UseSsl": False,
        "IsHtml": False,
        "SubjectTemplate": None,
    },
    "MqttOptions": {
        "MqttServer": None,
        "MqttPort": 1883,
        "UseCredentials": False,
        "Username": None,
        "Password": None,
        "UseTls": False,
        "Topic": None,
        "QosType": "AtMostOnce",
    },
}


class BadConfigurationError(Exception):
    """The server cannot read a configuration, and answers that it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something that happened, before it is known who wants to hear of it."""

    event: str
    # Those of the item it is about; None where it is about none.
    kind: Kind | None
    user_id: str | None
    # Made when it is sent.
    properties: Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook that was sent: the body, and what came back (None: nothing)."""

    url: str
    event: str
    body: bytes
    content_type: str
    status: int | None
    answer: Any
    error: str | None = None

    def json(self) -> dict[str, Any]:
        """Return the body read as JSON."""
        properties: dict[str, Any] = json.loads(self.body)
        return properties


@dataclass(kw_only=True)
class WebhookPlugin:
    """The plugin; `installed` is whether the server has it."""

    installed: bool = True
    version: str = PLUGIN_VERSION
    configuration: dict[str, Any] = field(default_factory=lambda: read({}))
    deliveries: list[Delivery] = field(default_factory=list)
    session: aiohttp.ClientSession | None = None
    # .NET waits this long for an answer.
    timeout: float = 100

    @property
    def generic(self) -> list[dict[str, Any]]:
        """Return the generic destinations."""
        destinations: list[dict[str, Any]] = self.configuration["GenericOptions"]
        return destinations

    def add_generic(
        self, url: str, notifications: Sequence[str], **options: Any
    ) -> dict[str, Any]:
        """Add a generic destination for all kinds of items, as somebody would by hand."""
        destination = {
            "WebhookName": "By hand",
            "WebhookUri": url,
            "NotificationTypes": list(notifications),
            "SendAllProperties": True,
            **dict.fromkeys(_ENABLED_BY.values(), True),
            **options,
        }
        self.generic.append(_destination("GenericOptions", destination))
        return self.generic[-1]

    def replace(self, document: Any) -> None:
        """Take a new configuration instead of the one there is."""
        self.configuration = read(document)

    def wanted(self, notification: Notification) -> list[dict[str, Any]]:
        """Return the destinations that a notification goes to."""
        if not self.installed:
            return []
        return [
            option
            for option in self.generic
            if notification.event in option["NotificationTypes"]
            and option["EnableWebhook"]
            and (
                notification.kind is None
                or option.get(_ENABLED_BY.get(notification.kind, ""))
            )
            and (
                not option["UserFilter"]
                or notification.user_id is None
                or notification.user_id in option["UserFilter"]
            )
        ]

    async def send(self, notification: Notification) -> list[Delivery]:
        """Send a notification to whoever wants it, one after the other."""
        sent = []
        # The configuration may be replaced while a slow receiver is waited for.
        for option in deepcopy(self.wanted(notification)):
            properties = notification.properties()
            for each in option["Fields"]:
                if each.get("Key") and each.get("Value"):
                    properties[each["Key"]] = each["Value"]
            try:
                body = _body(option, properties)
            except binascii.Error, UnicodeDecodeError:
                continue
            if option["SkipEmptyMessageBody"] and not body.strip():
                continue
            delivery = await self._post(option, notification.event, body)
            self.deliveries.append(delivery)
            sent.append(delivery)
        return sent

    async def _post(self, option: dict[str, Any], event: str, body: bytes) -> Delivery:
        """Post a body once; the plugin never tries again."""
        assert self.session is not None, "the server is not running"
        content_type, headers = "text/plain", {}
        for header in option["Headers"]:
            if not header.get("Key") or not header.get("Value"):
                continue
            if header["Key"].lower() == "content-type":
                content_type = header["Value"]
            else:
                headers[header["Key"]] = header["Value"]
        content_type = f"{content_type}; charset=utf-8"
        status, answer, error = None, None, None
        try:
            async with self.session.post(
                option["WebhookUri"] or "",
                data=body,
                headers={**headers, "Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(total=self.timeout),
            ) as response:
                status, text = response.status, await response.text()
            try:
                answer = json.loads(text)
            except json.JSONDecodeError:
                answer = text
        except (TimeoutError, aiohttp.ClientError, ValueError) as err:
            error = f"{type(err).__name__}: {err}"
        return Delivery(
            url=option["WebhookUri"] or "",
            event=event,
            body=body,
            content_type=content_type,
            status=status,
            answer=answer,
            error=error,
        )


class Outbox:
    """Webhooks that are on their way while the server goes on with other things."""

    def __init__(self, plugin: WebhookPlugin) -> None:
        self._plugin = plugin
        self._tasks: set[asyncio.Task[list[Delivery]]] = set()

    def send(self, notification: Notification) -> None:
        """Send a notification in the background; many at a time, in any order."""
        if not self._plugin.wanted(notification):
            return
        task = asyncio.get_running_loop().create_task(self._plugin.send(notification))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def empty(self) -> None:
        """Wait until all have been answered, or have failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give up on what is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


# --- configuration -------------------------------------------------------------------


def read(document: Any) -> dict[str, Any]:
    """Return a configuration as the plugin keeps it.

    The document replaces everything: what is missing has its default from now on, what the
    plugin does not know is gone. Raises `BadConfigurationError` for values of a wrong type.
    """
    if not isinstance(document, dict):
        raise BadConfigurationError("no object")
    configuration: dict[str, Any] = {"ServerUrl": _text(document.get("ServerUrl", ""))}
    for name in _OF_DESTINATIONS:
        destinations = document.get(name, [])
        if not isinstance(destinations, list):
            raise BadConfigurationError(f"{name} is no list")
        configuration[name] = [_destination(name, each) for each in destinations]
    return configuration


def _destination(name: str, document: Any) -> dict[str, Any]:
    """Return a destination as the plugin keeps it."""
    if not isinstance(document, dict):
        raise BadConfigurationError(f"{name} has something that is no object")
    defaults = {**_OF_DESTINATIONS[name], **_OF_EVERY_DESTINATION}
    destination = {
        key: deepcopy(document.get(key, default)) for key, default in defaults.items()
    }
    for key, default in defaults.items():
        value = destination[key]
        if default is None:
            destination[key] = _text(value)
        elif not isinstance(value, type(default)):
            raise BadConfigurationError(f"{key} is {value!r}")
    unknown = set(destination["NotificationTypes"]) - NOTIFICATIONS
    if unknown:
        raise BadConfigurationError(f"no notification types: {sorted(unknown)}")
    try:
        destination["UserFilter"] = [
            uuid.UUID(identifier).hex for identifier in destination["UserFilter"]
        ]
    except (ValueError, AttributeError, TypeError) as err:
        raise BadConfigurationError("UserFilter has something that is no id") from err
    for pairs in ("Headers", "Fields"):
        for pair in destination.get(pairs, ()):
            if not isinstance(pair, dict):
                raise BadConfigurationError(f"{pairs} has something that is no pair")
    return destination


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadConfigurationError(f"{value!r} is no text")
    return value


# --- bodies --------------------------------------------------------------------------

# Ids that a template writes with dashes; others are texts to the plugin.
_GUIDS = frozenset({"ItemId", "SeriesId", "SeasonId", "UserId"})
_DATES = re.compile(
    r"(Utc)?Timestamp|Last(Activity|Played|Login)Date|LastPlaybackCheckIn"
)
_NAMED = {"&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;"}
_TOKEN = re.compile(r"{{{\s*(?P<raw>[\w.]+)\s*}}}|{{\s*(?P<tag>[^{}]+?)\s*}}")


def _body(option: Mapping[str, Any], properties: Mapping[str, Any]) -> bytes:
    """Return what a destination sends."""
    if option["SendAllProperties"]:
        body = encode(properties)
    else:
        template = base64.b64decode(option["Template"] or "", validate=True).decode()
        body = render(template, properties).encode()
    return body.strip() if option["TrimWhitespace"] else body


def render(template: str, properties: Mapping[str, Any]) -> str:
    """Fill a template in: values, `if`, `if_equals` and `if_exist` with their `else`."""
    texts = {name: _as_text(name, value) for name, value in properties.items()}
    output: list[str] = []
    # Of each block that is open, whether what is in it is written.
    open_blocks: list[bool] = []
    end = 0
    for token in _TOKEN.finditer(template):
        if all(open_blocks):
            output.append(template[end : token.start()])
        end = token.end()
        if (raw := token["raw"]) is not None:
            if all(open_blocks):
                output.append(texts.get(raw, ""))
            continue
        tag = token["tag"]
        if tag.startswith("#"):
            open_blocks.append(_condition(tag[1:], texts))
        elif tag == "else":
            open_blocks[-1] = not open_blocks[-1]
        elif tag.startswith("/"):
            open_blocks.pop()
        elif all(open_blocks):
            output.append(_escaped(texts.get(tag, "")))
    output.append(template[end:])
    return "".join(output)


def _escaped(text: str) -> str:
    """Return a text as Handlebars.Net 2.1.6 escapes it: by units of UTF-16."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(
        f"&#{code};" if code > 159 else _NAMED.get(chr(code), chr(code))
        for code in codes
    )


def _condition(tag: str, texts: Mapping[str, str]) -> bool:
    """Return whether the block that a tag opens is written."""
    helper, *arguments = re.findall(r"'[^']*'|\"[^\"]*\"|\S+", tag)
    values = [
        argument[1:-1] if argument[0] in "'\"" else texts.get(argument, "")
        for argument in arguments
    ]
    match helper:
        case "if_equals":
            return values[0].lower() == values[1].lower()
        case "if_exist":
            return bool(values[0])
        case "if":
            return values[0] not in {"", "False", "0"}
        case _:
            raise NotImplementedError(f"the helper {helper}")


def _as_text(name: str, value: Any) -> str:
    """Return a value as a template writes it."""
    if value is None:
        return ""
    if name in _GUIDS:
        return str(uuid.UUID(value))
    if _DATES.fullmatch(name):
        at = datetime.fromisoformat(value)
        return at.strftime("%m/%d/%Y %H:%M:%S")
    return str(value)
