"""What a server does without telling: it has to be restarted, or has looked for new media.

Asked with each check of the connection, since no webhook comes of it.
"""

from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .domain.event import MediaEvent
from .domain.media_server import MediaServer, MediaServerError, ServerState
from .library_look import async_look_for_new

if TYPE_CHECKING:
    from .connection import Connection
    from .server import Server

_LOGGER = logging.getLogger(__name__)

LOOK_INTERVAL = timedelta(hours=1)
"""How often a library is looked at that nothing is told of: files may come without a scan."""

PENDING_RESTART = "pending_restart"


class ServerWatch:
    """Follows the state of one server, and looks at its library when there is reason to."""

    def __init__(
        self, hass: HomeAssistant, server: Server, client: MediaServer
    ) -> None:
        """Take the server."""
        self._hass = hass
        self._server = server
        self._client = client
        self._running = False
        self._looked_at: datetime | None = None
        self._scanned_at: datetime | None = None

    @callback
    def start(self, connection: Connection) -> None:
        """Ask now, and whenever the server has answered a check."""

        @callback
        def attempt() -> None:
            if connection.last_update_success and not self._running:
                self._running = True
                self._server.entry.async_create_background_task(
                    self._hass, self._async_ask(connection), f"{DOMAIN} server state"
                )

        self._server.entry.async_on_unload(connection.async_add_listener(attempt))
        attempt()

    async def _async_ask(self, connection: Connection) -> None:
        try:
            state = await self._client.async_state()
            if state is not None:
                self._note_restart(state)
                # The first time that is done with the registration.
                if (
                    state.has_late_queue
                    and self._looked_at is not None
                    and connection.registration.is_registered
                ):
                    await self._client.async_hurry()
                await self._async_look(state)
        except MediaServerError as err:
            # With the next check.
            _LOGGER.debug(
                "%s does not say how it is: %s", self._server.entry.title, err.reason
            )
        finally:
            self._running = False

    @callback
    def _note_restart(self, state: ServerState) -> None:
        """Tell that a restart is due, once."""
        server = self._server
        if state.pending_restart and not server.restart_is_pending:
            server.publish(PENDING_RESTART, MediaEvent(name=PENDING_RESTART))
        if state.pending_restart is not None:
            server.restart_is_pending = state.pending_restart

    async def _async_look(self, state: ServerState) -> None:
        """Look at the library after a scan of the server's, and every so often."""
        now = dt_util.utcnow()
        if (
            self._looked_at is not None
            and state.scanned_at == self._scanned_at
            and timedelta() <= now - self._looked_at < LOOK_INTERVAL
        ):
            return
        await async_look_for_new(self._server, self._client)
        self._looked_at, self._scanned_at = now, state.scanned_at
