"""Healing: what no webhook has told of is found in what the server knows, and recorded."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING

from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_call_later, async_track_time_interval
from homeassistant.util import dt as dt_util

from .const import CONF_HEALING_INTERVAL, CONF_PLAYERS, DEFAULT_HEALING_INTERVAL, DOMAIN
from .domain.media_server import (
    ForbiddenError,
    MediaServer,
    MediaServerError,
    SignInError,
)
from .domain.play import Certainty, Report, SourceKind
from .domain.title import same_title
from .server_history import ServerHistory
from .storage.accounts import Account
from .storage.history import batched_by_month

if TYPE_CHECKING:
    from .connection import Connection
    from .recording import Recorder
    from .server import Server

_LOGGER = logging.getLogger(__name__)

OVERLAP = timedelta(days=1)
"""How far each look reaches back behind the last one that has succeeded."""

THOROUGH_INTERVAL = timedelta(hours=12)
"""How often accounts are looked at, too, that seem not to have been used meanwhile."""

RECENT = timedelta(hours=12)
"""How long after it was begun or completed a title's webhook may still be on its way."""

SECOND_LOOK = 20.0
"""Seconds after which what is recent and missing is recorded if it still is missing."""

RECORDED_AT_ONCE = 50
"""Plays that are recorded together: they share their writes."""

type Missing = tuple[Account, Report]


class Healing:
    """Looks at start and every so often for what is missing."""

    def __init__(
        self,
        hass: HomeAssistant,
        server: Server,
        client: MediaServer,
        history: ServerHistory,
        recorder: Recorder,
    ) -> None:
        """Take the server and its history."""
        self._hass = hass
        self._server = server
        self._client = client
        self._history = history
        self._recorder = recorder
        self._connection: Connection | None = None
        self._due = False
        self._running = False
        self._is_allowed = True

    @callback
    def start(self, connection: Connection) -> None:
        """Look now and every so often, whenever the server answers; if that is wanted."""
        entry = self._server.entry
        minutes = entry.options.get(CONF_HEALING_INTERVAL, DEFAULT_HEALING_INTERVAL)
        if not minutes:
            return
        self._connection = connection

        @callback
        def due(_now: datetime | None = None) -> None:
            self._due = True
            attempt()

        @callback
        def attempt() -> None:
            if (
                self._due
                and self._is_allowed
                and not self._running
                and connection.last_update_success
            ):
                self._running = True
                entry.async_create_background_task(
                    self._hass, self._async_look(), f"{DOMAIN} healing"
                )

        entry.async_on_unload(connection.async_add_listener(attempt))
        entry.async_on_unload(
            async_track_time_interval(self._hass, due, timedelta(minutes=minutes))
        )
        due()

    async def _async_look(self) -> None:
        # What becomes due from here on is due again.
        self._due = False
        try:
            succeeded = await self._async_heal()
        except ForbiddenError:
            # It would be no different the next time.
            self._is_allowed = False
            _LOGGER.debug(
                "%s does not tell this account what was completed",
                self._server.entry.title,
            )
        except MediaServerError as err:
            # Tried again when the server has been reached the next time.
            self._due = True
            _LOGGER.debug(
                "%s could not be asked for what was completed: %s",
                self._server.entry.title,
                err.reason,
            )
            if isinstance(err, SignInError) and self._connection is not None:
                await self._connection.async_request_refresh()
        except HomeAssistantError as err:
            # A file cannot be written, which a person is told of.
            self._due = True
            _LOGGER.debug("What is missing could not be recorded: %s", err)
        else:
            self._due = self._due or not succeeded
        finally:
            self._running = False

    async def _async_heal(self) -> bool:
        """Record what is missing; returns whether nothing of it has to be looked at again.

        Raises MediaServerError and HomeAssistantError.
        """
        server, now = self._server, dt_util.utcnow()
        await server.last_look.async_load()
        if server.entry.options.get(CONF_PLAYERS):
            # What was completed on another player cannot be told from what is missing, nor
            # can it be later on.
            server.last_look.note(now, thorough=True)
            return True
        since, active_since = self._since(now), self._active_since(now)
        missing = await self._async_missing(since, active_since)
        if missing and active_since is not None:
            # Others may have watched along, of whom the server says that they were not there.
            active_since = None
            missing = await self._async_missing(since, active_since)
        if not self._history.clocks_agree:
            _LOGGER.debug("The clock of %s, or ours, is wrong", server.entry.title)
            return False
        succeeded = await self._async_record(missing, now)
        if succeeded:
            server.last_look.note(now, thorough=active_since is None)
        return succeeded

    async def _async_missing(
        self, since: datetime, active_since: datetime | None
    ) -> list[Missing]:
        """Return what no history has, and merge what one does."""
        missing: list[Missing] = []
        async for page, _ in self._history.async_reports(
            self._recorder.accounts_of(self._server),
            since,
            SourceKind.SERVER_HISTORY,
            active_since=active_since,
        ):
            if not self._history.clocks_agree:
                return []
            for account, reports in page:
                missing += [
                    (account, report)
                    for report in await self._recorder.async_missing(account, reports)
                    # What may only have been begun lately is not missing.
                    if report.certainty is not Certainty.BEGUN
                ]
        return missing

    def _active_since(self, now: datetime) -> datetime | None:
        """Return since when an account has to have been used to be looked at, None for all."""
        last = self._server.last_look
        if last.at is None or last.thorough_at is None:
            return self._since(now)
        if timedelta() <= now - last.thorough_at < THOROUGH_INTERVAL:
            return last.at
        return None

    def _since(self, now: datetime) -> datetime:
        """Return from when on to look: with a day that has been looked at before.

        Never before the server was set up: all of its past is for an import.
        """
        begun = self._server.entry.created_at
        last = self._server.last_look.at
        if begun > now:
            begun = now - OVERLAP
        if last is None or last > now:
            # A clock has been wrong: nobody knows when the last look was.
            return begun
        return max(begun, last - OVERLAP)

    async def _async_record(self, missing: Iterable[Missing], now: datetime) -> bool:
        """Record and publish what is missing, the oldest first.

        The server may know before its webhook is here: what is recent is looked at twice.
        Returns whether all of it is on disk.
        """
        in_order = sorted(missing, key=lambda each: each[1].watched_at)
        old = [each for each in in_order if now - each[1].watched_at > RECENT]
        recent = in_order[len(old) :]
        succeeded = await self._async_record_all(old)
        if recent:
            await self._async_wait(SECOND_LOOK)
            still = [
                (account, report)
                for account, first in recent
                for report in await self._recorder.async_missing(account, [first])
            ]
            still = await self._async_over(still)
            succeeded = await self._async_record_all(still) and succeeded
        return succeeded

    async def _async_over(self, missing: list[Missing]) -> list[Missing]:
        """Leave out what plays at this moment: its webhook comes when it has ended."""
        if not any(report.source.tells_start for _, report in missing):
            return missing
        playing = await self._client.async_now_playing()
        return [
            (account, report)
            for account, report in missing
            if not any(same_title(each.title, report.title) for each in playing)
        ]

    async def _async_record_all(self, missing: Iterable[Missing]) -> bool:
        """Record and publish, in this order; returns whether all of it is on disk."""
        succeeded = True
        for some in batched_by_month(
            missing, lambda each: each[1].watched_at, RECORDED_AT_ONCE
        ):
            written = await asyncio.gather(
                *(
                    self._recorder.async_heal(self._server, account, report)
                    for account, report in some
                )
            )
            succeeded = succeeded and all(written)
        return succeeded

    async def _async_wait(self, seconds: float) -> None:
        """Wait, by Home Assistant's timers."""
        over = asyncio.Event()

        @callback
        def end(_now: datetime) -> None:
            over.set()

        cancel = async_call_later(
            self._hass, seconds, HassJob(end, cancel_on_shutdown=True)
        )
        try:
            await over.wait()
        finally:
            cancel()
