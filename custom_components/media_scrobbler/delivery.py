"""Delivering: a server is told, title by title, what a history says."""

import asyncio
from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING, Protocol

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN
from .domain.media_server import (
    ForbiddenError,
    ItemGoneError,
    MediaServer,
    MediaServerError,
    ServerFailureError,
    SignInError,
)
from .domain.title import Title
from .echoes import Echoes
from .issues import async_note_cannot_mark
from .storage.outbox import Change, Waiting

if TYPE_CHECKING:
    from .connection import Connection
    from .server import Server

_LOGGER = logging.getLogger(__name__)

RETRY_DELAYS = (5, 15, 60, 300)
"""Seconds between attempts while a server fails; the last one repeats."""

UNKNOWN_DURATION = timedelta(hours=3)
"""How long a title of unknown run time is taken to be: longer than most."""


class Goal(Protocol):
    """What a server should show of a title."""

    @property
    def watched(self) -> bool:
        """Return whether it should show as watched."""

    @property
    def watched_at(self) -> datetime | None:
        """Return when (UTC), None if it should show as not watched."""


class Rules(Protocol):
    """What decides about changes."""

    echoes: Echoes

    def goal(self, server: Server, change: Change) -> Goal | None:
        """Return what a server should show now, None where that is none of its business."""

    def not_found(self, change: Change) -> None:
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
        self._wake = asyncio.Event()
        self._connection: Connection | None = None
        self._failures = 0
        self._timer: CALLBACK_TYPE | None = None

    @callback
    def start(self, connection: Connection) -> None:
        """Begin to work, whenever there is work and the server answers."""
        self._connection = connection
        entry = self._server.entry
        entry.async_on_unload(connection.async_add_listener(self.wake))
        entry.async_on_unload(self._cancel_retry)
        entry.async_create_background_task(
            self._hass, self._async_work(), f"{DOMAIN} delivery"
        )
        self.wake()

    @callback
    def wake(self) -> None:
        """Look into the outbox."""
        self._wake.set()

    async def async_mark(
        self, account: str, item: str, title: Title, watched_at: datetime | None
    ) -> None:
        """Mark an item as watched at a time, or as not watched; raises MediaServerError.

        What then comes back from the server is known to be our own.
        """
        self._rules.echoes.expect(self._server.entry.entry_id, account, item, title)
        await self._client.async_mark(
            account, item, watched=watched_at is not None, watched_at=watched_at
        )

    async def _async_work(self) -> None:
        outbox = self._server.outbox
        await outbox.async_load()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._connection is None or not self._connection.last_update_success:
                continue
            for waiting in outbox:
                if waiting.is_due and not await self._async_try(waiting):
                    break

    async def _async_try(self, waiting: Waiting) -> bool:
        """Deliver one change; False if the server is not to be asked for more now."""
        outbox, turn = self._server.outbox, waiting.turn
        try:
            await self._async_deliver(waiting)
        except asyncio.CancelledError:
            # The server may have heard of it all the same.
            waiting.unsure = True
            raise
        except ForbiddenError:
            # It would be no different the next time.
            async_note_cannot_mark(self._hass, self._server.entry, is_forbidden=True)
            outbox.done(waiting, turn)
            return True
        except (MediaServerError, HomeAssistantError) as err:
            # It may have been done all the same.
            waiting.unsure = True
            if isinstance(err, ServerFailureError):
                # It may be the only one that the server fails at.
                outbox.postpone(waiting)
            if isinstance(err, SignInError) and self._connection is not None:
                await self._connection.async_request_refresh()
            self._retry_later()
            _LOGGER.debug(
                "%s could not be told what was watched: %s",
                self._server.entry.title,
                err.reason if isinstance(err, MediaServerError) else err,
            )
            return False
        self._failures = 0
        outbox.done(waiting, turn)
        return True

    async def _async_deliver(self, waiting: Waiting) -> None:
        change = waiting.change
        if (goal := self._rules.goal(self._server, change)) is None:
            return
        library = self._server.library
        await library.async_load()
        if library.scanned_at is None:
            await self._server.scanner.async_scan()
        items = [
            item for item in library.find(change.title) if item not in change.besides
        ]
        if not items:
            if not change.besides:
                self._rules.not_found(change)
            return
        watched: dict[str, datetime | None] = {}
        if is_to_look := waiting.unsure or bool(change.besides):
            watched = await self._client.async_watched(change.account, items)
        for item in items:
            if is_to_look and _is_shown(goal, change.title, item, watched):
                continue
            try:
                await self.async_mark(
                    change.account, item, change.title, goal.watched_at
                )
            except ItemGoneError:
                await library.async_remove(item)
            # Should one of the others fail, this one is not done twice.
            waiting.unsure = True
        async_note_cannot_mark(self._hass, self._server.entry, is_forbidden=False)

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


def _is_shown(
    goal: Goal, title: Title, item: str, watched: dict[str, datetime | None]
) -> bool:
    """Say whether an item shows what it should, for all that a server tells.

    The time of what was played there is that of its beginning.
    """
    if not goal.watched or goal.watched_at is None:
        return item not in watched
    if item not in watched:
        return False
    shown = watched[item]
    duration = timedelta(seconds=title.duration) if title.duration else UNKNOWN_DURATION
    # Without a time there is none to correct.
    return shown is None or shown >= goal.watched_at - 2 * duration
