"""Healing: what no webhook has told of is found in what the server knows, and recorded."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING

from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_call_later, async_track_time_interval
from homeassistant.util import dt as dt_util

from .const import CONF_HEALING_INTERVAL, CONF_PLAYERS, DEFAULT_HEALING_INTERVAL, DOMAIN
from .domain.library import LatestPage
from .domain.media_server import (
    ForbiddenError,
    MediaServer,
    MediaServerError,
    SignInError,
)
from .domain.play import Certainty, Report
from .domain.title import same_title
from .server_history import ReportsByAccount, ServerHistory
from .storage.accounts import Account
from .storage.history import batched_by_month
from .storage.last_look import Earlier

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

LATEST_ARRIVAL = timedelta(days=90)
"""How long after it was completed something is found that the server has been told of late."""

RECORDED_AT_ONCE = 50
"""Plays that are recorded together: they share their writes."""

type Missing = tuple[Account, Report]


@dataclass(slots=True)
class _Seen:
    """What a look has come to.

    Where the server tells how much there is of any time, that is `total`, and `times` are
    those of what has been read. `newest` is the greatest number of anything in it.
    """

    missing: list[Missing] = field(default_factory=list)
    total: int | None = None
    times: list[datetime] = field(default_factory=list)
    newest: int | None = None

    def take(self, page: LatestPage) -> None:
        """Take note of what there is."""
        self.total = page.total
        self.times += page.times
        numbers = [each.number for each in page.completions] + [self.newest]
        self.newest = max(
            (number for number in numbers if number is not None), default=None
        )

    def count_before(self, moment: datetime) -> int | None:
        """Return how much there is from before a time from which on all has been read."""
        if self.total is None:
            return None
        return self.total - sum(time >= moment for time in self.times)

    def earlier(self, moment: datetime, known: Earlier | None) -> Earlier | None:
        """Return what the next look shall know of the time before, where that is told."""
        if (count := self.count_before(moment)) is None:
            return None
        newest = self.newest
        if newest is None and known is not None:
            newest = known.newest
        return Earlier(moment, count, newest)


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
        known = server.last_look.earlier
        if known is not None and known.before > now:
            # A clock has been wrong.
            known = None
        seen = await self._async_see(since, active_since, known)
        if seen.missing and active_since is not None:
            # Others may have watched along, of whom the server says that they were not there.
            active_since = None
            seen = await self._async_see(since, active_since, known)
        if not self._history.clocks_agree:
            _LOGGER.debug("The clock of %s, or ours, is wrong", server.entry.title)
            return False
        if known is not None and (seen.count_before(known.before) or 0) > known.count:
            seen.missing += await self._async_late(known, now)
        succeeded = await self._async_record(seen.missing, now)
        if succeeded:
            server.last_look.note(
                now, thorough=active_since is None, earlier=seen.earlier(since, known)
            )
        return succeeded

    async def _async_see(
        self, since: datetime, active_since: datetime | None, known: Earlier | None
    ) -> _Seen:
        """Return what no history has since a time, and merge what one does.

        What is `known` of the time before shall be comparable with what there is by now.
        """
        seen = _Seen()
        if known is not None:
            since = min(since, known.before)
        async for page, told in self._history.async_latest(
            self._recorder.accounts_of(self._server), since, active_since=active_since
        ):
            if not self._history.clocks_agree:
                return _Seen()
            seen.take(told)
            seen.missing += await self._async_missing(page)
        return seen

    async def _async_late(self, known: Earlier, now: datetime) -> list[Missing]:
        """Return what is missing of that which the server has been told of late.

        Players do so that were offline.
        """
        since = max(self._begun(now), known.before - LATEST_ARRIVAL)
        missing: list[Missing] = []
        if since < known.before:
            async for page in self._history.async_late(
                self._recorder.accounts_of(self._server), since, known
            ):
                missing += await self._async_missing(page)
        return missing

    async def _async_missing(self, page: ReportsByAccount) -> list[Missing]:
        """Return what no history has, and merge what one does."""
        return [
            (account, report)
            for account, reports in page
            for report in await self._recorder.async_missing(account, reports)
            # What may only have been begun lately is not missing.
            if report.certainty is not Certainty.BEGUN
        ]

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
        begun, last = self._begun(now), self._server.last_look.at
        if last is None or last > now:
            # A clock has been wrong: nobody knows when the last look was.
            return begun
        return max(begun, last - OVERLAP)

    def _begun(self, now: datetime) -> datetime:
        """Return when the server was set up."""
        begun = self._server.entry.created_at
        return begun if begun <= now else now - OVERLAP

    async def _async_record(self, missing: Iterable[Missing], now: datetime) -> bool:
        """Record and publish what is missing, the oldest first.

        The server may know before its webhook is here: what is recent is looked at twice.
        Returns whether all of it is on disk.
        """
        in_order = sorted(missing, key=lambda each: each[1].watched_at)
        old = [each for each in in_order if now - each[1].watched_at > RECENT]
        recent = in_order[len(old) :]
        succeeded = await self._async_record_all(await self._async_over(old))
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
