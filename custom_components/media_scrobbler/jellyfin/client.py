"""A Jellyfin server's API, for 10.11 and 12.x."""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import (
    ClientConnectorCertificateError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
)
from homeassistant import const
import orjson

from ..domain.event import Party
from ..domain.fields import Fields, PayloadError
from ..domain.media_server import (
    CannotConnectError,
    CertificateError,
    ForbiddenError,
    NotAMediaServerError,
    NowPlaying,
    ServerFailureError,
    ServerInfo,
    SignInError,
    TooOldError,
    WebhookObstacleError,
)
from ..domain.title import Title
from .dto import item_title
from .items import TICKS_PER_SECOND, plain_id

MIN_VERSION = (10, 11)
TIMEOUT = ClientTimeout(total=15)
RETRIES = 2
RETRY_DELAY = 0.5
"""Seconds before the first repetition; the second comes after twice as long."""

QUICK_CONNECT_INTERVAL = 2
QUICK_CONNECT_LIFETIME = 10 * 60

WEBHOOK_PLUGIN = "71552a5a5c5c4350a2aeebe451a30173"
WEBHOOK_NAME = "Media Scrobbler for Home Assistant"

NOTIFICATION_TYPES = (
    "ItemAdded",
    "ItemDeleted",
    "PlaybackStart",
    "PlaybackProgress",
    "PlaybackStop",
    "UserDataSaved",
    "PendingRestart",
    "TaskCompleted",
    "AuthenticationFailure",
    "UserLockedOut",
)

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A token and whose it is."""

    token: str
    account: Party


class JellyfinClient:
    """Implements MediaServer for Jellyfin."""

    def __init__(
        self,
        session: ClientSession,
        *,
        url: str,
        device_id: str,
        token: str | None = None,
        user_id: str | None = None,
    ) -> None:
        """Take where the server is; nothing is asked yet.

        `session` decides whether certificates are verified. `user_id` is whose token it
        is; an API key is nobody's.
        """
        self._session = session
        self._url = url.rstrip("/")
        self._device_id = device_id
        self._token = token
        self._user_id = user_id
        self._server_id = ""

    # Signing in

    async def async_sign_in(self, username: str, password: str) -> SignedIn:
        """Sign in by password; the token is used from now on."""
        return self._take(
            await self._object(
                "POST",
                "/Users/AuthenticateByName",
                body={"Username": username, "Pw": password},
            )
        )

    async def async_quick_connect(self) -> tuple[str, str]:
        """Start a Quick Connect; returns the code to show and the secret to wait with.

        Raises ForbiddenError where the server has it switched off.
        """
        if await self._request("GET", "/QuickConnect/Enabled") is not True:
            raise ForbiddenError
        answer = await self._object("POST", "/QuickConnect/Initiate")
        with _understood():
            code, secret = answer.text("Code"), answer.text("Secret")
        if code is None or secret is None:
            raise NotAMediaServerError
        return code, secret

    async def async_wait_for_quick_connect(self, secret: str) -> SignedIn:
        """Return the sign-in once a person has entered the code.

        Raises SignInError when that has not happened in time.
        """
        try:
            async with asyncio.timeout(QUICK_CONNECT_LIFETIME):
                # Polling is how Quick Connect works.
                while not (  # noqa: ASYNC110
                    await self._object(
                        "GET", "/QuickConnect/Connect", params={"secret": secret}
                    )
                ).flag("Authenticated"):
                    await asyncio.sleep(QUICK_CONNECT_INTERVAL)
        except (TimeoutError, _NotFoundError) as err:
            raise SignInError from err
        except PayloadError as err:
            raise NotAMediaServerError from err
        return self._take(
            await self._object(
                "POST", "/Users/AuthenticateWithQuickConnect", body={"Secret": secret}
            )
        )

    def _take(self, answer: Fields) -> SignedIn:
        with _understood():
            token, user = answer.text("AccessToken"), answer.object("User")
            if token is None or user is None:
                raise NotAMediaServerError
            account = Party(plain_id(user, "Id"), user.text("Name"))
        self._token, self._user_id = token, account.id
        return SignedIn(token, account)

    async def async_sign_out(self) -> None:
        """Give back the token."""
        await self._request("POST", "/Sessions/Logout")

    # Reading

    async def async_info(self) -> ServerInfo:
        """Return which server answers; needs no sign-in."""
        answer = await self._object("GET", "/System/Info/Public")
        with _understood():
            identity, version = plain_id(answer, "Id"), answer.text("Version")
            name = answer.text("ServerName") or "Jellyfin"
        if identity is None or version is None:
            raise NotAMediaServerError
        if (
            tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
            < MIN_VERSION
        ):
            raise TooOldError
        self._server_id = identity
        return ServerInfo(identity, name, version)

    async def async_accounts(self) -> list[Party]:
        """Return the server's users, that of the sign-in first."""
        answer = await self._objects("GET", "/Users")
        with _understood():
            users = [Party(plain_id(user, "Id"), user.text("Name")) for user in answer]
        return sorted(users, key=lambda user: user.id != self._user_id)

    async def async_now_playing(self) -> list[NowPlaying]:
        """Return what is playing."""
        sessions = await self._objects("GET", "/Sessions")
        return [
            playing
            for session in sessions
            if (playing := self._now_playing(session)) is not None
        ]

    def _now_playing(self, session: Fields) -> NowPlaying | None:
        try:
            item, state = session.object("NowPlayingItem"), session.object("PlayState")
            if item is None:
                return None
            title = item_title(item, None, self._server_id)
            if title is None:
                return None
            position = (
                state.seconds("PositionTicks", TICKS_PER_SECOND) if state else None
            )
            account = Party(plain_id(session, "UserId"), session.text("UserName"))
            poster = item.text("SeriesId") or item.text("AlbumId") or item.text("Id")
            return NowPlaying(
                player=Party(session.text("DeviceId"), session.text("DeviceName")),
                account=account if account.id or account.name else None,
                title=title,
                paused=bool(state and state.flag("IsPaused")),
                position=position,
                artwork=poster,
            )
        except PayloadError:
            return None

    async def async_title(self, item: str) -> Title | None:
        """Return what the server knows of an item, None if it has it no more."""
        params = {"ids": item, "fields": "ProviderIds", "recursive": "true"}
        if self._user_id is not None:
            params["userId"] = self._user_id
        answer = await self._object("GET", "/Items", params=params)
        try:
            for found in answer.objects("Items"):
                return item_title(found, None, self._server_id)
        except PayloadError:
            pass
        return None

    async def async_artwork(self, artwork: str) -> bytes:
        """Return an item's poster; it needs no token."""
        answer: bytes = await self._request(
            "GET",
            f"/Items/{artwork}/Images/Primary",
            params={"maxWidth": "600", "format": "Jpg"},
            raw=True,
        )
        return answer

    # Webhooks

    async def async_webhook_obstacle(self) -> str | None:
        """Return why no webhook can be registered, or None."""
        try:
            await self._webhook_configuration()
        except WebhookObstacleError as err:
            return err.reason
        return None

    async def async_register_webhook(
        self, url: str, replaced: Collection[str] = ()
    ) -> None:
        """Have the webhook plugin send to this URL; other destinations stay as they are."""
        configuration = await self._webhook_configuration()
        destinations: list[Json] = configuration.get("GenericOptions") or []
        ours = _destination(url, await self.async_accounts())
        present = [one for one in destinations if one.get("WebhookUri") == url]
        if (
            len(present) == 1
            and present[0].items() >= ours.items()
            and not any(one.get("WebhookUri") in replaced for one in destinations)
        ):
            return
        configuration["GenericOptions"] = [
            *(
                one
                for one in destinations
                if one.get("WebhookUri") not in {url, *replaced}
            ),
            (present[0] if present else {}) | ours,
        ]
        await self._write_webhook_configuration(configuration)

    async def async_remove_webhooks(self, urls: Collection[str]) -> None:
        """Remove our destinations from the webhook plugin."""
        configuration = await self._webhook_configuration()
        destinations: list[Json] = configuration.get("GenericOptions") or []
        kept = [one for one in destinations if one.get("WebhookUri") not in urls]
        if kept != destinations:
            configuration["GenericOptions"] = kept
            await self._write_webhook_configuration(configuration)

    async def _webhook_configuration(self) -> Json:
        """Return the plugin's configuration; raises WebhookObstacleError."""
        try:
            answer = await self._request(
                "GET", f"/Plugins/{WEBHOOK_PLUGIN}/Configuration"
            )
        except _NotFoundError as err:
            raise WebhookObstacleError("no_webhook_plugin") from err
        except ForbiddenError as err:
            raise WebhookObstacleError("no_administrator") from err
        if not isinstance(answer, dict):
            raise NotAMediaServerError
        return answer

    async def _write_webhook_configuration(self, configuration: Json) -> None:
        # The document is replaced as a whole, which is why it has just been read.
        try:
            await self._request(
                "POST",
                f"/Plugins/{WEBHOOK_PLUGIN}/Configuration",
                body=configuration,
            )
        except ForbiddenError as err:
            raise WebhookObstacleError("no_administrator") from err

    # HTTP

    async def _object(self, method: str, path: str, **options: Any) -> Fields:
        answer = await self._request(method, path, **options)
        with _understood():
            return Fields(answer, path)

    async def _objects(self, method: str, path: str) -> list[Fields]:
        answer = await self._request(method, path)
        if not isinstance(answer, list):
            raise NotAMediaServerError
        with _understood():
            return [Fields(item, path) for item in answer]

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        raw: bool = False,
    ) -> Any:
        """Send a request, again if that is safe; raises MediaServerError.

        Returns decoded JSON, or the bytes of a picture with `raw`.
        """
        attempts = 1 + (RETRIES if method == "GET" else 0)
        for attempt in range(attempts):
            try:
                return await self._send(method, path, params, body, raw=raw)
            except CannotConnectError, ServerFailureError:
                if attempt == attempts - 1:
                    raise
            await asyncio.sleep(RETRY_DELAY * 2**attempt)
        raise CannotConnectError

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Json | None,
        *,
        raw: bool,
    ) -> Any:
        headers = {"Authorization": self._authorization()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method,
                f"{self._url}{path}",
                params=params,
                data=orjson.dumps(body) if body is not None else None,
                headers=headers,
                timeout=TIMEOUT,
            ) as response:
                content = await response.read()
                status, content_type = response.status, response.content_type
        except (ClientConnectorCertificateError, ClientSSLError) as err:
            raise CertificateError from err
        except (ClientError, TimeoutError, ValueError) as err:
            raise CannotConnectError from err
        match status:
            case 401:
                raise SignInError
            case 403:
                raise ForbiddenError
            case 404:
                raise _NotFoundError
            case _ if status >= 500:
                raise ServerFailureError
            case _ if status >= 400:
                raise NotAMediaServerError
        if raw:
            if not content_type.startswith("image/"):
                raise NotAMediaServerError
            return content
        if not content:
            return None
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as err:
            raise NotAMediaServerError from err

    def _authorization(self) -> str:
        parts = {
            "Client": "Media Scrobbler",
            "Device": "Home Assistant",
            "DeviceId": self._device_id,
            "Version": const.__version__,
        }
        if self._token is not None:
            parts["Token"] = self._token
        return "MediaBrowser " + ", ".join(
            f'{name}="{quote(value, safe="")}"' for name, value in parts.items()
        )


class _NotFoundError(NotAMediaServerError):
    """The server has no such thing."""


@contextmanager
def _understood() -> Iterator[None]:
    """Have what is of the wrong type in an answer be an error of the server's."""
    try:
        yield
    except PayloadError as err:
        raise NotAMediaServerError from err


def _destination(url: str, users: list[Party]) -> Json:
    """Return our destination: all that is needed, and everybody's user data.

    Without a list of users the plugin sends no user data at all.
    """
    return {
        "Headers": [{"Key": "Content-Type", "Value": "application/json"}],
        "Fields": [],
        "NotificationTypes": list(NOTIFICATION_TYPES),
        "WebhookName": WEBHOOK_NAME,
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
        "UserFilter": [user.id for user in users if user.id],
    }
