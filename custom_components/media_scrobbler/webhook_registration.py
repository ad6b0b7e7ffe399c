"""Registering our webhook with a server that lets us.

Reconciled rather than fired and forgotten: when the connection comes up, when Home
Assistant's address changes, and every so often, in case somebody has removed it.
"""

from datetime import timedelta
import logging
from typing import TYPE_CHECKING, Any

from homeassistant.const import CONF_WEBHOOK_ID, EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval

from .const import CONF_CLOUDHOOK, CONF_LOCAL_ONLY, CONF_REGISTERED_URL, DOMAIN
from .domain.media_server import (
    MediaServer,
    MediaServerError,
    SignInError,
    WebhookObstacleError,
)
from .issues import async_note_webhook_obstacle
from .webhook_url import async_webhook_urls

if TYPE_CHECKING:
    from .connection import Connection
    from .server import ServerConfigEntry

_LOGGER = logging.getLogger(__name__)

RECONCILE_INTERVAL = timedelta(hours=6)


class WebhookRegistration:
    """Keeps the server's list of webhooks as it should be, as far as it is about ours."""

    def __init__(
        self, hass: HomeAssistant, entry: ServerConfigEntry, client: MediaServer
    ) -> None:
        """Take the server."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._due = True
        self._running = False
        self.obstacle: str | None = None
        self.is_registered = False
        """Whether our webhook has been found at the server, or put there."""

    @callback
    def start(self, connection: Connection) -> None:
        """Reconcile now, and whenever there is reason to."""

        @callback
        def due(_: Any = None) -> None:
            self._due = True
            attempt()

        @callback
        def attempt() -> None:
            if self._due and connection.last_update_success and not self._running:
                self._running = True
                self._entry.async_create_background_task(
                    self._hass, self._async_reconcile(), f"{DOMAIN} webhook"
                )

        @callback
        def config_changed(event: Event) -> None:
            if event.data.keys() & {"internal_url", "external_url"}:
                due()

        unload = self._entry.async_on_unload
        unload(connection.async_add_listener(attempt))
        unload(self._hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, config_changed))
        unload(async_track_time_interval(self._hass, due, RECONCILE_INTERVAL))
        due()

    def wanted_url(self) -> str | None:
        """Return the URL to register: at home if that will do, else one from outside."""
        data = self._entry.data
        urls = async_webhook_urls(
            self._hass, data[CONF_WEBHOOK_ID], data.get(CONF_CLOUDHOOK)
        )
        if data.get(CONF_LOCAL_ONLY, True):
            return urls.internal
        return urls.cloud or urls.external or urls.internal

    async def _async_reconcile(self) -> None:
        registered = self._entry.data.get(CONF_REGISTERED_URL)
        url = self.wanted_url()
        # Whatever becomes due from here on is due again.
        self._due = False
        try:
            await self._async_register(url, registered)
        except WebhookObstacleError as err:
            self._note(err.reason)
        except SignInError:
            self._entry.async_start_reauth(self._hass)
        except MediaServerError as err:
            # Tried again when the server has been reached the next time.
            self._due = True
            _LOGGER.debug("The webhook could not be registered: %s", err.reason)
        else:
            self._note(None)
            if not self.is_registered:
                self.is_registered = True
                await self._async_hurry()
            if registered != url:
                self._hass.config_entries.async_update_entry(
                    self._entry, data={**self._entry.data, CONF_REGISTERED_URL: url}
                )
        finally:
            self._running = False

    async def _async_register(self, url: str | None, registered: str | None) -> None:
        if url is None:
            raise WebhookObstacleError("no_url")
        replaced = [registered] if registered and registered != url else []
        await self._client.async_register_webhook(url, replaced)

    async def _async_hurry(self) -> None:
        """Have sent what came before our webhook was there: that may wait for an hour."""
        try:
            await self._client.async_hurry()
        except MediaServerError as err:
            _LOGGER.debug("The server was not hurried: %s", err.reason)

    @callback
    def _note(self, obstacle: str | None) -> None:
        self.obstacle = obstacle
        async_note_webhook_obstacle(self._hass, self._entry, obstacle)
