"""The connection to a server that has been signed in to."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import instance_id
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import (
    CONF_ACCOUNT_TOKEN,
    CONF_OBTAINED,
    CONF_REGISTERED_URL,
    CONF_USER_ID,
    DOMAIN,
)
from .delivery import Delivery, Rules
from .domain.address import redirected
from .domain.event import ServerType
from .domain.media_server import (
    BusyError,
    CannotConnectError,
    MediaServer,
    MediaServerError,
    RedirectedError,
    ServerInfo,
    SignInError,
)
from .enrichment import Enrichment
from .healing import Healing
from .http_client import async_session
from .jellyfin.client import JellyfinClient
from .now_playing import NowPlayingWatch
from .plex.account import PlexAccount
from .plex.client import PlexClient
from .server_history import ServerHistory
from .server_watch import ServerWatch
from .settling import Settling
from .webhook_registration import WebhookRegistration

if TYPE_CHECKING:
    from .recording import Recorder
    from .server import Server, ServerConfigEntry

_LOGGER = logging.getLogger(__name__)

MAX_REDIRECTS = 3
"""How often a server may lead to another address of its own before it has to answer."""

LEAVE_TIMEOUT = 15
"""Seconds that each farewell to a server may take."""

LEAVE_PATIENCE = 4
"""Seconds that whoever removes an entry waits for the farewells; then they go on by themselves."""

CHECK_TIMEOUT = 15
"""Seconds in which a server has to say that it is there."""

START_TIMEOUT = 3
"""The same while Home Assistant starts, which waits for it: the set-up is tried again later."""

CHECK_INTERVAL = timedelta(minutes=5)
"""How often a server is asked whether it is still there: one small request."""

SOONEST_CHECK = timedelta(seconds=15)
"""When it is asked anew once it has not answered: it may only have been started again.

From then on as long after as it has been away by then, until that is as often as ever.
"""

LONGEST_PAUSE = timedelta(hours=1)
"""For how long a server is left alone at the most because it says that it is busy."""


async def async_create_client(
    hass: HomeAssistant, kind: ServerType, data: Mapping[str, Any]
) -> MediaServer:
    """Return the client for what a config entry knows of a server."""
    if kind is ServerType.PLEX:
        return PlexClient(
            hass,
            url=data[CONF_URL],
            token=data[CONF_TOKEN],
            account_token=data[CONF_ACCOUNT_TOKEN],
            verify_ssl=data[CONF_VERIFY_SSL],
        )
    return JellyfinClient(
        async_session(hass, verify_ssl=data[CONF_VERIFY_SSL]),
        url=data[CONF_URL],
        device_id=await instance_id.async_get(hass),
        token=data[CONF_TOKEN],
        user_id=data.get(CONF_USER_ID),
    )


async def async_reach[C: MediaServer](
    url: str, create: Callable[[str], Awaitable[C]]
) -> tuple[str, C, ServerInfo]:
    """Return where a server answers, its client, and which it is.

    `create` makes the client for a URL. A server that leads to https, or into the path that
    it is under, is met there. Raises MediaServerError.
    """
    redirects = 0
    while True:
        client = await create(url)
        try:
            return url, client, await client.async_info()
        except RedirectedError as err:
            further = redirected(url, err.asked, err.target)
            if further is None or further == url or redirects == MAX_REDIRECTS:
                raise
        url = further
        redirects += 1


async def async_leave(
    hass: HomeAssistant, kind: ServerType, entry: ServerConfigEntry
) -> None:
    """Take back what a server has of us: the webhook, and the token if it is ours.

    A token that a person has pasted is that person's, and one that another server is
    signed in to with stays. What cannot be done now is logged and left: the entry is going.
    """
    if CONF_URL not in entry.data:
        return
    client = await async_create_client(hass, kind, entry.data)
    token = entry.data.get(CONF_ACCOUNT_TOKEN)
    is_shared = token is not None and _is_shared(hass, entry, token)
    await _async_wait_a_little(
        hass,
        _async_take_back(
            client,
            entry,
            signs_out=bool(entry.data.get(CONF_OBTAINED)) and not is_shared,
        ),
    )


async def _async_take_back(
    client: MediaServer, entry: ServerConfigEntry, *, signs_out: bool
) -> None:
    url = entry.data.get(CONF_REGISTERED_URL)
    try:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            if url is not None:
                await client.async_remove_webhooks([url])
    except (MediaServerError, TimeoutError) as err:
        _LOGGER.warning(
            "The webhook of %s could not be removed from the server: %s",
            entry.title,
            _reason(err),
        )
    try:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            if signs_out:
                await client.async_sign_out()
    except (MediaServerError, TimeoutError) as err:
        _LOGGER.warning("%s could not be signed out: %s", entry.title, _reason(err))


async def async_sign_out_viewer(
    hass: HomeAssistant, entry: ConfigEntry[Any], besides: str | None = None
) -> None:
    """Give back the token that a viewer has signed in with, unless it is used elsewhere.

    Neither is it given back if it is the one that is to stay: plex.tv gives the same token
    to whoever signs in again. What cannot be done now is logged and left.
    """
    token = entry.data.get(CONF_ACCOUNT_TOKEN)
    if token is None or token == besides or _is_shared(hass, entry, token):
        return

    async def sign_out() -> None:
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await PlexAccount(hass, token).async_sign_out()
        except (MediaServerError, TimeoutError) as err:
            _LOGGER.warning("%s could not be signed out: %s", entry.title, _reason(err))

    await _async_wait_a_little(hass, sign_out())


async def _async_wait_a_little(
    hass: HomeAssistant, farewell: Coroutine[Any, Any, None]
) -> None:
    """Say a farewell, and let it go on by itself where that takes long."""
    task = hass.async_create_background_task(farewell, f"{DOMAIN} farewell")
    await asyncio.wait([task], timeout=LEAVE_PATIENCE)


def _is_shared(hass: HomeAssistant, entry: ConfigEntry[Any], token: str) -> bool:
    """Say whether another entry uses a token of plex.tv as well."""
    return any(
        token in (other.data.get(CONF_ACCOUNT_TOKEN), other.data.get(CONF_TOKEN))
        for other in hass.config_entries.async_entries(DOMAIN)
        if other.entry_id != entry.entry_id
    )


def _reason(err: Exception) -> str:
    return err.reason if isinstance(err, MediaServerError) else "no answer in time"


def _pause(away: timedelta, err: MediaServerError) -> timedelta:
    """Return after how long a server is asked anew that has been away for so long."""
    pause = min(max(SOONEST_CHECK, away), CHECK_INTERVAL)
    wanted = err.retry_after if isinstance(err, BusyError) else None
    if wanted is None:
        return pause
    return max(pause, min(timedelta(seconds=wanted), LONGEST_PAUSE))


class Connection(DataUpdateCoordinator[ServerInfo]):
    """Knows whether a server answers, and does what needs it to."""

    config_entry: ServerConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        server: Server,
        client: MediaServer,
        recorder: Recorder,
        rules: Rules,
    ) -> None:
        """Take the server and its client, where plays go, and what decides about marks."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=server.entry,
            name=server.entry.title,
            update_interval=CHECK_INTERVAL,
        )
        self.client = client
        self._type = server.type
        self._away_since: datetime | None = None
        self._accounts = recorder.accounts
        self.registration = WebhookRegistration(hass, server.entry, client)
        self.enrichment = Enrichment(hass, server.entry, client)
        self.settling = Settling(hass, server, client, recorder)
        self.now_playing = NowPlayingWatch(hass, server, client)
        self.delivery = Delivery(hass, server, client, rules)
        self.history = ServerHistory(server, client, recorder)
        self.watch = ServerWatch(hass, server, client)
        self.healing = Healing(hass, server, client, self.history, recorder)

    @override
    async def _async_update_data(self) -> ServerInfo:
        try:
            info = await self._async_ask()
        except SignInError as err:
            raise ConfigEntryAuthFailed(
                translation_domain=DOMAIN, translation_key="invalid_auth"
            ) from err
        except MediaServerError as err:
            now = dt_util.utcnow()
            self._away_since = self._away_since or now
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key=err.reason,
                translation_placeholders=err.placeholders,
                retry_after=_pause(now - self._away_since, err).total_seconds(),
            ) from err
        self._away_since = None
        return info

    async def _async_ask(self) -> ServerInfo:
        """Return which server answers, and take note of its accounts."""
        is_running = self.hass.state is CoreState.running
        try:
            async with asyncio.timeout(CHECK_TIMEOUT if is_running else START_TIMEOUT):
                try:
                    info = await self.client.async_info()
                except RedirectedError:
                    await self._async_move()
                    raise
                if info.id != self.config_entry.unique_id:
                    # Its accounts are none of this server's.
                    raise UpdateFailed(
                        translation_domain=DOMAIN, translation_key="another_server"
                    )
                # Unlike the first, this needs the sign-in.
                for party in await self.client.async_accounts():
                    self._accounts.note(self.config_entry.entry_id, party, active=False)
        except TimeoutError as err:
            raise CannotConnectError from err
        return info

    async def _async_move(self) -> None:
        """Go to where the server itself leads, if it is there."""
        data = self.config_entry.data

        async def create(url: str) -> MediaServer:
            return await async_create_client(
                self.hass, self._type, {**data, CONF_URL: url}
            )

        try:
            url, _, info = await async_reach(data[CONF_URL], create)
        except MediaServerError:
            return
        if info.id == self.config_entry.unique_id:
            entries = self.hass.config_entries
            entries.async_update_entry(self.config_entry, data={**data, CONF_URL: url})
            entries.async_schedule_reload(self.config_entry.entry_id)

    @callback
    def heard(self) -> None:
        """Take note that the server has sent something: it may be back, so it is asked now."""
        if not self.last_update_success and not isinstance(
            self.last_exception, ConfigEntryAuthFailed
        ):
            # Should it not answer yet, it will soon.
            self._away_since = None
            self.config_entry.async_create_background_task(
                self.hass, self.async_request_refresh(), f"{DOMAIN} heard"
            )

    def start(self) -> None:
        """Begin what goes on in the background for as long as the entry is loaded."""
        self.registration.start(self)
        self.enrichment.start(self)
        self.settling.start(self)
        self.now_playing.start()
        self.watch.start(self)
        self.delivery.start(self)
        self.healing.start(self)
