"""A Plex Media Server that has been signed in to, through plexapi."""

from collections.abc import Callable, Collection
from typing import Any
from xml.etree.ElementTree import Element

from aiohttp import ClientError, ClientTimeout
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
import orjson
from plexapi.exceptions import NotFound
from plexapi.server import PlexServer

from ..domain.event import Party
from ..domain.fields import Fields, PayloadError
from ..domain.media_server import (
    ForbiddenError,
    NotAMediaServerError,
    NowPlaying,
    ServerInfo,
    SignInError,
    TooOldError,
)
from ..domain.title import Title
from .account import PlexAccount
from .calls import TIMEOUT, Caller, new_session
from .metadata import MILLISECONDS, OWNER_ACCOUNT, parse_title

MIN_VERSION = (1, 25)
"""Servers before this one know nothing of the ids that titles are recognised by."""

_PLAYABLE_TAGS = ("Video", "Track")


class PlexClient:
    """Implements MediaServer for Plex."""

    def __init__(
        self,
        hass: HomeAssistant,
        *,
        url: str,
        token: str,
        account_token: str,
        verify_ssl: bool = True,
    ) -> None:
        """Take where the server is; nothing is asked yet.

        The account's token is the one that plex.tv takes, for webhooks; the server may
        have one of its own.
        """
        self._hass = hass
        self._caller = Caller(hass)
        self._url = url
        self._token = token
        self._session = new_session(verify_ssl=verify_ssl)
        self._known: PlexServer | None = None
        self.account = PlexAccount(hass, account_token)

    async def _async_call[T](self, job: Callable[[PlexServer], T]) -> T:
        def connected() -> T:
            if self._known is None:
                self._known = PlexServer(
                    self._url, self._token, self._session, timeout=TIMEOUT
                )
            return job(self._known)

        return await self._caller.async_call(connected)

    async def async_info(self) -> ServerInfo:
        """Return which server answers."""

        def info(server: PlexServer) -> ServerInfo:
            root = _query(server, "/")
            identity, version = root.get("machineIdentifier"), root.get("version")
            if not identity or not version:
                raise NotAMediaServerError
            if _version(version) < MIN_VERSION:
                raise TooOldError
            return ServerInfo(identity, root.get("friendlyName") or "Plex", version)

        return await self._async_call(info)

    async def async_accounts(self) -> list[Party]:
        """Return the accounts; only a server's owner is told of others."""

        def accounts(server: PlexServer) -> list[Party]:
            return [
                Party(identity, name)
                for element in _query(server, "/accounts")
                if (identity := element.get("id")) and (name := element.get("name"))
            ]

        try:
            listed = await self._async_call(accounts)
        except ForbiddenError, SignInError:
            return [await self.account.async_party()]
        return sorted(listed, key=lambda party: party.id != OWNER_ACCOUNT)

    async def async_now_playing(self) -> list[NowPlaying]:
        """Return what is playing."""

        def playing(server: PlexServer) -> list[NowPlaying]:
            identity = server.machineIdentifier
            return [
                playing
                for element in _query(server, "/status/sessions")
                if element.tag in _PLAYABLE_TAGS
                and (playing := _now_playing(element, identity)) is not None
            ]

        return await self._async_call(playing)

    async def async_title(self, item: str) -> Title | None:
        """Return what the server knows of an item, None if it has it no more."""

        def title(server: PlexServer) -> Title | None:
            try:
                root = _query(server, f"/library/metadata/{item}?includeGuids=1")
            except NotFound:
                return None
            for element in root:
                return _title(element, server.machineIdentifier)
            return None

        return await self._async_call(title)

    async def async_artwork(self, artwork: str) -> bytes:
        """Return a poster."""

        def poster(server: PlexServer) -> bytes:
            # The token goes into a header: URLs end up in logs.
            response = self._session.get(
                server.url(artwork),
                headers={"X-Plex-Token": self._token},
                timeout=TIMEOUT,
            )
            response.raise_for_status()
            if not response.headers.get("Content-Type", "").startswith("image/"):
                raise NotAMediaServerError
            content: bytes = response.content
            return content

        return await self._async_call(poster)

    async def async_webhook_obstacle(self) -> str | None:
        """Return why no webhook can be registered, or None."""
        return None if await self.account.async_has_pass() else "no_plex_pass"

    async def async_register_webhook(
        self, url: str, replaced: Collection[str] = ()
    ) -> None:
        """Have the account's webhooks sent to this URL as well."""
        await self.account.async_register_webhook(url, replaced)

    async def async_remove_webhooks(self, urls: Collection[str]) -> None:
        """Have no webhooks sent to these URLs any more."""
        await self.account.async_remove_webhooks(urls)

    async def async_sign_out(self) -> None:
        """Give back the account's token."""
        await self.account.async_sign_out()


async def async_identity(hass: HomeAssistant, url: str) -> str | None:
    """Return the identity of a server that nobody has signed in to, None if it is none."""
    try:
        async with async_get_clientsession(hass).get(
            f"{url}/identity",
            headers={"Accept": "application/json"},
            timeout=ClientTimeout(total=TIMEOUT),
        ) as response:
            answer = Fields(orjson.loads(await response.read()))
            container = answer.object("MediaContainer")
            return container.text("machineIdentifier") if container else None
    except ClientError, TimeoutError, ValueError:
        return None


def _query(server: PlexServer, path: str) -> Element:
    """Return an answer that is one of Plex's; the page of a proxy can be XML as well."""
    answer: Element | None = server.query(path)
    if answer is None or answer.tag != "MediaContainer":
        raise NotAMediaServerError
    return answer


def _version(text: str) -> tuple[int, ...]:
    return tuple(
        int(part)
        for part in text.split("-", maxsplit=1)[0].split(".")
        if part.isdigit()
    )


def _fields(element: Element) -> Fields:
    """Return an element of the API as the object that it is in a webhook."""
    content: dict[str, Any] = dict(element.attrib)
    content["Guid"] = [dict(guid.attrib) for guid in element.findall("Guid")]
    return Fields(content, element.tag)


def _title(element: Element, server_id: str) -> Title | None:
    try:
        return parse_title(_fields(element), server_id)
    except PayloadError:
        return None


def _now_playing(element: Element, server_id: str) -> NowPlaying | None:
    player = element.find("Player")
    try:
        fields = _fields(element)
        title = parse_title(fields, server_id)
        position = fields.seconds("viewOffset", MILLISECONDS)
    except PayloadError:
        return None
    if title is None or player is None:
        return None
    user = element.find("User")
    return NowPlaying(
        player=Party(player.get("machineIdentifier"), player.get("title")),
        account=Party(user.get("id"), user.get("title")) if user is not None else None,
        title=title,
        paused=player.get("state") == "paused",
        position=position,
        artwork=element.get("grandparentThumb") or element.get("thumb"),
    )
