"""Delivering: a server is told, title by title, what histories say."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
import logging
from typing import TYPE_CHECKING, Protocol

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .domain.media_server import (
    ForbiddenError,
    ItemGoneError,
    MediaServer,
    MediaServerError,
)
from .domain.rules import LATEST_CLOCK_AHEAD
from .domain.title import Title
from .echoes import Echoes
from .issues import async_note_cannot_mark
from .library_scan import ScanCancelledError
from .storage.outbox import Change, Waiting

if TYPE_CHECKING:
    from .connection import Connection
    from .server import Server

_LOGGER = logging.getLogger(__name__)

RETRY_DELAYS = (5, 15, 60, 300)
"""Seconds between attempts while a server fails; the last one repeats."""

DONE_INTERVAL = 10.0
"""Seconds in which marks are remembered together: there may be thousands of them."""

MAX_FAILURES = 3
"""Titles in a row that a server fails at before it is left alone for a while."""

UNKNOWN_DURATION = timedelta(hours=3)
"""How long a title of unknown run time is taken to be: longer than most."""

JUST_WATCHED = timedelta(hours=1)
"""For how long after a play nothing later can have happened on a server."""

SAME_MOMENT = timedelta(minutes=1)
"""How far the time of a play may be from the one that it was marked with: it is corrected."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a server should show of a title: watched, at a time in UTC, or not watched.

    `before` is when the title was watched the last time before that. `is_shared` tells that
    several viewers of the account have watched it at that time, for whom one mark is enough.
    """

    watched_at: datetime | None
    before: datetime | None = None
    is_shared: bool = False

    def is_long_past(self, now: datetime) -> bool:
        """Return whether the server may have had a later play since."""
        return self.watched_at is not None and self.watched_at < now - JUST_WATCHED

    def is_shown(
        self, title: Title, item: str, watched: dict[str, datetime | None]
    ) -> bool:
        """Return whether an item shows what it should, for all that a server tells.

        The time of what was played there is that of its beginning.
        """
        if self.watched_at is None:
            return item not in watched
        if item not in watched:
            return False
        shown = watched[item]
        duration = (
            timedelta(seconds=title.duration) if title.duration else UNKNOWN_DURATION
        )
        earliest = self.watched_at - 2 * duration
        if self.before is not None:
            earliest = max(earliest, self.before + SAME_MOMENT)
        # Without a time there is none to correct.
        return shown is None or shown >= earliest


class Rules(Protocol):
    """What decides about changes."""

    echoes: Echoes

    async def async_goal(self, server: Server, change: Change) -> Goal | None:
        """Return what a server should show now, None where that is none of its business."""

    def not_found(self, server: Server, change: Change) -> None:
        """Remember that a server does not have a title, or not by what is known of it."""


class Delivery:
    """Works off the outbox of one server, in its order, for as long as it is connected."""

    def __init__(
        self,
        hass: HomeAssistant,
        server: Server,
        client: MediaServer,
        rules: Rules,
    ) -> None:
        """Take the server, and what decides."""
        self._hass = hass
        self._server = server
        self._client = client
        self._rules = rules
        self.marking = asyncio.Lock()
        """To be held from the look at what is to be marked until it is marked."""
        self._wake = asyncio.Event()
        self._forbidden: set[str] = set()
        self._failures = 0
        self.lately: set[tuple[str, str]] | None = None
        """The accounts and items that something was delivered for while a comparison is under
        way: what it has read of them is out of date."""
        self._delivered: list[Callable[[], None]] = []
        self._done_at = float("-inf")
        self._scan_was_cancelled = False
        self._timer: CALLBACK_TYPE | None = None

    @callback
    def start(self, connection: Connection) -> None:
        """Begin to work, whenever there is work and the server answers."""
        # Whoever has signed in since may be allowed to mark.
        async_note_cannot_mark(self._hass, self._server.entry, is_forbidden=False)
        was_up = connection.last_update_success

        @callback
        def asked() -> None:
            nonlocal was_up
            if connection.last_update_success and not was_up:
                self.wake()
            was_up = connection.last_update_success

        entry = self._server.entry
        entry.async_on_unload(connection.async_add_listener(asked))
        entry.async_on_unload(self._cancel_retry)
        entry.async_create_background_task(
            self._hass, self._async_work(connection), f"{DOMAIN} delivery"
        )
        self.wake()

    @callback
    def wake(self) -> None:
        """Look into the outbox."""
        self._wake.set()

    async def async_mark(
        self, account: str, item: str, title: Title, watched_at: datetime | None
    ) -> bool:
        """Mark an item as watched at a time, or as not watched; raises MediaServerError.

        Returns whether the server shows it so now. `marking` is to be held. What then
        comes back from the server is known to be our own. A person is told where it is
        not allowed.
        """
        if watched_at is not None:
            self._expect_echo(account, item, title)
        try:
            sticks = await self._client.async_mark(
                account, item, watched=watched_at is not None, watched_at=watched_at
            )
        except ForbiddenError:
            self.note_permission(account, is_forbidden=True)
            raise
        finally:
            # However long that took.
            if watched_at is not None:
                self._expect_echo(account, item, title)
            else:
                self._rules.echoes.undone(self._server.entry.entry_id, account, title)
        self.note_permission(account, is_forbidden=False)
        if not sticks:
            _LOGGER.debug(
                "%s does not show what it was told of %s",
                self._server.entry.title,
                title.label or item,
            )
        return sticks

    def _expect_echo(self, account: str, item: str, title: Title) -> None:
        self._rules.echoes.expect(self._server.entry.entry_id, account, item, title)
        if not self._client.dates_marks:
            self._server.marked.note(item, title, dt_util.utcnow())

    @callback
    def note_permission(self, account: str, *, is_forbidden: bool) -> None:
        """Tell a person of accounts that may not be marked for, as long as there are any."""
        if is_forbidden:
            self._forbidden.add(account)
        else:
            self._forbidden.discard(account)
        async_note_cannot_mark(
            self._hass, self._server.entry, is_forbidden=bool(self._forbidden)
        )

    @callback
    def keep(self, accounts: Collection[str]) -> None:
        """Think no more of any other accounts, which are not to be marked for any more."""
        for account in self._forbidden.difference(accounts):
            self.note_permission(account, is_forbidden=False)

    async def _async_work(self, connection: Connection) -> None:
        outbox = self._server.outbox
        await outbox.async_load()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not connection.last_update_success:
                continue
            due = [waiting for waiting in outbox if waiting.is_due]
            # What a comparison has found is known by its items.
            if any(not waiting.change.items for waiting in due):
                is_known = await self._async_is_library_known()
                due = [each for each in due if is_known or each.change.items]
            if due:
                await self._async_work_off(connection, due)

    async def _async_is_library_known(self) -> bool:
        """Return whether titles can be found; scans the library if that was never done."""
        library = self._server.library
        await library.async_load()
        # Once a person has cancelled it, it is for that person to scan.
        if library.scanned_at is None and not self._scan_was_cancelled:
            try:
                await self._server.scanner.async_scan()
            except ScanCancelledError:
                self._scan_was_cancelled = True
            except HomeAssistantError:
                # Said by whoever scans.
                self._retry_later()
        return library.scanned_at is not None

    async def _async_work_off(
        self, connection: Connection, due: Iterable[Waiting]
    ) -> None:
        """Deliver what is due; what fails is tried again later."""
        try:
            await self._async_try_all(connection, due)
        finally:
            await self.async_settle()
            self._server.updates.send()

    async def _async_try_all(
        self, connection: Connection, due: Iterable[Waiting]
    ) -> None:
        has_failed = False
        in_a_row = 0
        for waiting in due:
            if not waiting.is_due:
                continue
            # For many there may be nothing to ask the server.
            await asyncio.sleep(0)
            if await self._async_try(connection, waiting):
                self._failures = in_a_row = 0
                continue
            if not connection.last_update_success:
                # Once it answers again there is word of it.
                return
            has_failed = True
            in_a_row += 1
            if in_a_row == MAX_FAILURES:
                break
        if has_failed:
            self._retry_later()

    async def _async_try(self, connection: Connection, waiting: Waiting) -> bool:
        """Deliver one change; returns whether there is no need to try again."""
        outbox, turn = self._server.outbox, waiting.turn
        try:
            async with self.marking:
                await self._async_deliver(waiting)
        except ForbiddenError:
            # It would be no different the next time.
            self.note_permission(waiting.change.account, is_forbidden=True)
        except MediaServerError as err:
            _LOGGER.debug(
                "%s could not be told what was watched: %s",
                self._server.entry.title,
                err.reason,
            )
            # At once: a request for it would wait if it was asked only just now.
            await connection.async_refresh()
            if connection.last_update_success:
                # The server is well: this may be the only title that it fails at.
                outbox.postpone(waiting)
            return False
        await self.async_done(partial(outbox.done, waiting, turn))
        return True

    async def async_done(self, settle: Callable[[], None]) -> None:
        """Take something out of the outbox by `settle`, once its marks are remembered."""
        self._delivered.append(settle)
        now = self._hass.loop.time()
        if not self._server.marked.unsaved or now - self._done_at >= DONE_INTERVAL:
            await self.async_settle()

    async def async_settle(self) -> None:
        """Remember what was marked, and take out of the outbox what that was."""
        self._done_at = self._hass.loop.time()
        delivered, self._delivered = self._delivered, []
        await self._server.marked.async_save()
        for settle in delivered:
            settle()

    async def _async_deliver(self, waiting: Waiting) -> None:
        """Have the server show what it should; raises MediaServerError."""
        goal = await self._rules.async_goal(self._server, waiting.change)
        if goal is None:
            return
        change = waiting.change
        items = list(change.items) or [
            item
            for item in self._server.library.find(change.title, is_played=True)
            if item != change.played_item
        ]
        if not items:
            if change.played_item is None:
                self._rules.not_found(self._server, change)
            return
        if waiting.unsure or goal.is_shared or goal.is_long_past(dt_util.utcnow()):
            watched = await self._client.async_watched(change.account, items)
            if waiting.restored and goal.watched_at is not None:
                self._note_marked(change, watched)
            items = [
                item
                for item in items
                if not (
                    # A comparison leaves what shows as watched, whenever that was.
                    (item in watched) is (goal.watched_at is not None)
                    if change.items
                    else goal.is_shown(change.title, item, watched)
                )
            ]
        for item in items:
            # Whatever comes of it, the server may have done it.
            waiting.unsure = True
            if self.lately is not None:
                self.lately.add((change.account, item))
            try:
                await self.async_mark(
                    change.account, item, change.title, goal.watched_at
                )
            except ItemGoneError:
                await self._async_look_for(item, change.title)

    def _note_marked(self, change: Change, watched: dict[str, datetime | None]) -> None:
        """Take it that what waits was marked before a kill where it shows so."""
        if self._client.dates_marks:
            return
        for item, at in watched.items():
            if at is not None and at >= change.queued_at - LATEST_CLOCK_AHEAD:
                self._server.marked.note(item, change.title, at)

    async def _async_look_for(self, item: str, title: Title) -> None:
        """Have the library forget an item that is gone, for everybody."""
        if await self._client.async_title(item) is None:
            server = self._server
            server.library_updates.removed(
                replace(title, items={server.entry.unique_id or "": item})
            )

    @callback
    def _retry_later(self) -> None:
        delay = RETRY_DELAYS[min(self._failures, len(RETRY_DELAYS) - 1)]
        self._failures += 1
        self._cancel_retry()

        @callback
        def retry(_now: datetime) -> None:
            self._timer = None
            self.wake()

        self._timer = async_call_later(
            self._hass, delay, HassJob(retry, cancel_on_shutdown=True)
        )

    @callback
    def _cancel_retry(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None
