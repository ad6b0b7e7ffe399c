"""Comparing servers with histories: when, and for which accounts."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
import logging

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_time_interval

from .comparison import Account
from .const import CONF_SYNC_INTERVAL, DOMAIN
from .issues import async_note_mass_unwatch
from .server import Server
from .sync_run import Run, Status, SyncResult, SyncState
from .viewer import Viewer

_LOGGER = logging.getLogger(__name__)


class HistorySync:
    """Compares what servers show as watched with histories, one run per server at a time."""

    def __init__(self, hass: HomeAssistant, viewers: Mapping[str, Viewer]) -> None:
        """Take the viewers that there are, by entry id."""
        self._hass = hass
        self._viewers = viewers
        self._statuses: dict[str, Status] = {}

    # What goes on

    def state(self, server: Server) -> SyncState:
        """Return what has become of a server's last comparison."""
        state = self._status(server).state
        if state is SyncState.WAITING and not server.outbox.has_compared:
            # By now.
            return SyncState.COMPLETE
        return state

    def progress(self, server: Server) -> float | None:
        """Return how much is compared, or then marked, in percent; None at rest."""
        status = self._status(server)
        if status.state not in (SyncState.COMPARING, SyncState.MARKING):
            return None
        return min(100.0, 100 * status.done / status.total) if status.total else 0.0

    def _status(self, server: Server) -> Status:
        return self._statuses.setdefault(server.entry.entry_id, Status())

    # Beginning

    @callback
    def start(self, server: Server) -> None:
        """Compare a server every so often while its entry is loaded, if that is wanted."""
        entry = server.entry
        self._forget_refused(server)
        if not (hours := entry.options.get(CONF_SYNC_INTERVAL, 0)):
            return

        @callback
        def run(_now: datetime) -> None:
            # What has not come to its end by now is as good.
            if not self._status(server).lock.locked():
                entry.async_create_background_task(
                    self._hass, self.async_bring_in_step([server]), f"{DOMAIN} sync"
                )

        entry.async_on_unload(
            async_track_time_interval(
                self._hass, run, timedelta(hours=hours), cancel_on_shutdown=True
            )
        )

    async def async_bring_in_step(self, servers: Iterable[Server]) -> None:
        """Compare servers, of any type, for the accounts that follow; failures are logged."""
        for server in servers:
            accounts = self._accounts(
                server, self._viewers.values(), only_following=True
            )
            if not accounts:
                self._forget_refused(server)
                continue
            try:
                await self._async_run(server, accounts, is_asked=False)
            except HomeAssistantError as err:
                _LOGGER.warning(
                    "%s could not be brought in step: %s", server.entry.title, err
                )

    @callback
    def _forget_refused(self, server: Server) -> None:
        """Take back what has been said of accounts that may be meant to differ no more."""
        self._status(server).refused.clear()
        async_note_mass_unwatch(self._hass, server.entry, ())

    def has_accounts(self, server: Server, viewers: Iterable[Viewer]) -> bool:
        """Return whether any of some viewers is linked to an account of a server."""
        return bool(self._accounts(server, viewers))

    async def async_run(
        self,
        server: Server,
        viewers: Iterable[Viewer],
        *,
        dry_run: bool = False,
        allow_mass_unwatch: bool = False,
    ) -> SyncResult:
        """Bring all accounts of some viewers on a server in step, following or not.

        Nothing is marked as not watched but for accounts that are to follow in that.
        `dry_run` says what would happen. Raises MassUnwatchError, before anything has
        changed, if much would be marked as not watched and `allow_mass_unwatch` does not
        say that it may; HomeAssistantError when the server fails while it is read. What it
        cannot be told of then waits, and is delivered as soon as it can be.
        """
        return await self._async_run(
            server,
            self._accounts(server, viewers),
            dry_run=dry_run,
            allow_mass_unwatch=allow_mass_unwatch,
        )

    def _accounts(
        self,
        server: Server,
        viewers: Iterable[Viewer],
        *,
        only_following: bool = False,
    ) -> list[Account]:
        """Return the accounts of a server that viewers are linked to, or follow with."""
        wanted = list(viewers)
        keys = dict.fromkeys(key for viewer in wanted for key in viewer.accounts)
        accounts = [
            Account(account, key, self._viewers, wanted, only_following)
            for key in keys
            for server_id, _, account in [key.partition(":")]
            if server_id == server.entry.entry_id
        ]
        return [account for account in accounts if account.marking]

    async def _async_run(
        self, server: Server, accounts: list[Account], **options: bool
    ) -> SyncResult:
        """Compare and mark for as long as the server's entry is loaded."""
        if (connection := server.connection) is None:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="not_signed_in",
                translation_placeholders={"server": server.entry.title},
            )
        run = Run(
            self._hass, server, connection, accounts, self._status(server), **options
        )
        try:
            return await server.entry.async_create_background_task(
                self._hass, run.async_run(), f"{DOMAIN} sync"
            )
        except asyncio.CancelledError as err:
            task = asyncio.current_task()
            is_called_off = task is not None and task.cancelling() > 0
            # Who calls off what was asked for wants no more of it. Otherwise it is the
            # entry that is unloaded, or Home Assistant that stops.
            run.let_go(
                goes_on=not (is_called_off and run.is_asked) or self._hass.is_stopping
            )
            if is_called_off:
                raise
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="sync_cancelled"
            ) from err
