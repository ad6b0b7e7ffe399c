"""The webhook plugin of a Jellyfin server, which sends the server's webhooks."""

from collections.abc import Collection

from ..domain.media_server import (
    ForbiddenError,
    NotAMediaServerError,
    WebhookObstacleError,
)
from .http import Http, Json, NotFoundError

PATH = "/Plugins/71552a5a5c5c4350a2aeebe451a30173/Configuration"
NAME = "Media Scrobbler for Home Assistant"

# Those that the server raises: TaskCompleted and PendingRestart it never does.
NOTIFICATION_TYPES = (
    "ItemAdded",
    "ItemDeleted",
    "PlaybackStart",
    "PlaybackProgress",
    "PlaybackStop",
    "UserDataSaved",
    "AuthenticationFailure",
    "UserLockedOut",
)


async def async_obstacle(http: Http) -> str | None:
    """Return why no webhook can be registered, or None."""
    try:
        await _read(http)
    except WebhookObstacleError as err:
        return err.reason
    return None


async def async_register(http: Http, url: str, replaced: Collection[str]) -> None:
    """Have the plugin send to this URL; other destinations stay as they are."""
    configuration = await _read(http)
    destinations: list[Json] = configuration.get("GenericOptions") or []
    ours = _destination(url)
    present = [one for one in destinations if one.get("WebhookUri") == url]
    if (
        len(present) == 1
        and present[0].items() >= ours.items()
        and not any(one.get("WebhookUri") in replaced for one in destinations)
    ):
        return
    configuration["GenericOptions"] = [
        *(one for one in destinations if one.get("WebhookUri") not in {url, *replaced}),
        (present[0] if present else {}) | ours,
    ]
    await _write(http, configuration)


async def async_remove(http: Http, urls: Collection[str]) -> None:
    """Remove our destinations."""
    configuration = await _read(http)
    destinations: list[Json] = configuration.get("GenericOptions") or []
    kept = [one for one in destinations if one.get("WebhookUri") not in urls]
    if kept != destinations:
        configuration["GenericOptions"] = kept
        await _write(http, configuration)


async def _read(http: Http) -> Json:
    """Return the plugin's configuration; raises WebhookObstacleError."""
    try:
        answer = await http.async_request("GET", PATH)
    except NotFoundError as err:
        raise WebhookObstacleError("no_webhook_plugin") from err
    except ForbiddenError as err:
        raise WebhookObstacleError("no_administrator") from err
    if not isinstance(answer, dict):
        raise NotAMediaServerError
    return answer


async def _write(http: Http, configuration: Json) -> None:
    # The document is replaced as a whole, which is why it has just been read.
    try:
        await http.async_request("POST", PATH, body=configuration)
    except ForbiddenError as err:
        raise WebhookObstacleError("no_administrator") from err


def _destination(url: str) -> Json:
    """Return our destination: all that is needed, of every user.

    A list of users would keep out those who are added later, and refused sign-ins, which
    are nobody's.
    """
    return {
        "Headers": [{"Key": "Content-Type", "Value": "application/json"}],
        "Fields": [],
        "NotificationTypes": list(NOTIFICATION_TYPES),
        "WebhookName": NAME,
        "WebhookUri": url,
        "EnableMovies": True,
        "EnableEpisodes": True,
        "EnableSeries": True,
        "EnableSeasons": True,
        "EnableAlbums": True,
        "EnableSongs": True,
        "EnableVideos": False,
        "SendAllProperties": True,
        "TrimWhitespace": False,
        "SkipEmptyMessageBody": False,
        "EnableWebhook": True,
        "Template": "",
        "UserFilter": [],
    }
