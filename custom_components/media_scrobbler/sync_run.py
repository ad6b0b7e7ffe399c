"""One comparison of a server with histories: what differs, and is marked."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, product
import logging

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .collector import collected_by_hand
from .comparison import Account, Comparison, Mark
from .connection import Connection
from .const import DOMAIN
from .domain.library import Section
from .domain.markdown import literal
from .domain.media_server import (
    ForbiddenError,
    ItemGoneError,
    MediaServerError,
    ServerFailureError,
    SignInError,
)
from .domain.title import MediaType
from .following import FOLLOWED
from .issues import async_note_mass_unwatch
from .library_pages import Pages
from .library_scan import ATTEMPTS
from .server import Server

_LOGGER = logging.getLogger(__name__)

MAX_FAILURES = 5
"""Titles in a row at which a server fails before it is taken not to work at all."""


class SyncState(StrEnum):
    """What has become of the last comparison of a server."""

    NOT_RUN = "not_run"
    COMPARING = "comparing"
    MARKING = "marking"
    COMPLETE = "complete"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(slots=True)
class SyncResult:
    """What a comparison has come to, or would, in items of the server.

    `not_in_library` are titles of the histories that no item is, `watched` and `unwatched`
    the names of what was marked.
    """

    marked_watched: int = 0
    marked_unwatched: int = 0
    unchanged: int = 0
    not_in_library: int = 0
    failed: int = 0
    watched: list[str] = field(default_factory=list)
    unwatched: list[str] = field(default_factory=list)

    def add(self, mark: Mark) -> None:
        """Count a mark."""
        if mark.watched_at is not None:
            self.marked_watched += 1
            self.watched.append(mark.label)
        else:
            self.marked_unwatched += 1
            self.unwatched.append(mark.label)


class MassUnwatchError(ServiceValidationError):
    """Too much would be marked as not watched for it to be done unasked."""


@dataclass(slots=True)
class Status:
    """What goes on with a server; `done` of `total` is how far its state has got."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    state: SyncState = SyncState.NOT_RUN
    done: float = 0
    total: float = 0
    refused: dict[str, str] = field(default_factory=dict)
    """What would be marked as not watched too much, by account, as a person is told it."""


class Run:
    """One comparison of one server."""

    def __init__(
        self,
        hass: HomeAssistant,
        server: Server,
        connection: Connection,
        accounts: list[Account],
        status: Status,
        *,
        is_asked: bool = True,
        dry_run: bool = False,
        allow_mass_unwatch: bool = False,
    ) -> None:
        """Take what to do; unless `is_asked`, nobody hears of what is refused."""
        self._hass = hass
        self._server = server
        self._connection = connection
        self._accounts = accounts
        self._status = status
        self._is_asked = is_asked
        self._dry_run = dry_run
        self._allow_mass_unwatch = allow_mass_unwatch
        self._result = SyncResult()

    async def async_run(self) -> SyncResult:
        """Compare and mark, once no other run does."""
        async with self._status.lock:
            ended = SyncState.FAILED
            try:
                is_refused = await self._async_bring_in_step()
                ended = SyncState.REFUSED if is_refused else SyncState.COMPLETE
            except asyncio.CancelledError:
                ended = SyncState.CANCELLED
                raise
            except MassUnwatchError:
                ended = SyncState.REFUSED
                raise
            except MediaServerError as err:
                if isinstance(err, SignInError):
                    await self._connection.async_request_refresh()
                raise HomeAssistantError(
                    translation_domain=DOMAIN,
                    translation_key=err.reason,
                    translation_placeholders=err.placeholders,
                ) from err
            finally:
                self._status.state = ended
                self._server.updates.send()
        return self._result

    async def _async_bring_in_step(self) -> bool:
        """Compare and mark; returns whether something was left as it is unasked."""
        await self._server.outbox.async_load()
        for account in self._accounts:
            await account.async_load()
        comparisons = await self._async_compare(self._markable())
        if not self._dry_run:
            allowed = self._allowed(comparisons)
            await self._async_mark(allowed)
            return len(allowed) < len(comparisons)
        for comparison in comparisons:
            for mark in comparison.marks:
                self._result.add(mark)
        return False

    def _enter(self, state: SyncState, total: int) -> None:
        """Begin with something of which there is so much to be done."""
        status = self._status
        status.state, status.done, status.total = state, 0, total
        self._server.updates.send()

    def _markable(self) -> list[Account]:
        """Return the accounts that can be marked for; raises ForbiddenError if none can."""
        accounts: list[Account] = []
        for account in self._accounts:
            if self._connection.client.can_mark(account.id):
                accounts.append(account)
            elif account.follows:
                self._connection.delivery.note_permission(account.id, is_forbidden=True)
        if not accounts:
            raise ForbiddenError
        return accounts

    # Comparing

    async def _async_compare(self, accounts: Collection[Account]) -> list[Comparison]:
        client = self._connection.client
        sections = await client.async_sections()
        kinds = [
            (section, media_type)
            for section in sections
            for media_type in section.media_types
        ]
        self._enter(SyncState.COMPARING, len(kinds) * len(accounts))
        comparisons = [Comparison(account, self._server.outbox) for account in accounts]
        for number, (comparison, (section, media_type)) in enumerate(
            product(comparisons, kinds), 1
        ):
            try:
                with collected_by_hand:
                    await self._async_compare_kind(comparison, section, media_type)
            except ItemGoneError:
                _LOGGER.debug("%s is gone, or not for this account", section.name)
            self._status.done = number
        self._result.unchanged += sum(each.unchanged for each in comparisons)
        for viewer in dict.fromkeys(
            chain.from_iterable(account.marking for account in accounts)
        ):
            found = set().union(*(each.found.get(viewer, ()) for each in comparisons))
            self._result.not_in_library += await self._hass.async_add_executor_job(
                viewer.history.index.count_besides, found, FOLLOWED
            )
        return comparisons

    async def _async_compare_kind(
        self, comparison: Comparison, section: Section, media_type: MediaType
    ) -> None:
        """Compare all items of a kind, anew if some of them have gone away meanwhile."""
        done = self._status.done
        for _ in range(ATTEMPTS):
            pages = Pages(
                self._connection.client,
                section,
                media_type,
                account=comparison.account.id,
            )
            async for page in pages:
                await comparison.async_take(media_type, page.entries)
                self._status.done = done + min(1, pages.read / max(1, page.total))
                self._server.updates.send()
                collected_by_hand.collect()
            if not pages.have_moved:
                return

    # Marking

    def _allowed(self, comparisons: Iterable[Comparison]) -> list[Comparison]:
        """Return what may be done without being asked whether it is meant.

        Raises MassUnwatchError where somebody can be asked.
        """
        allowed: list[Comparison] = []
        refused = self._status.refused
        if not self._is_asked:
            # Then all are compared that could be in it.
            refused.clear()
        for comparison in comparisons:
            account = comparison.account
            counts = str(comparison.unwatching), str(comparison.watched)
            if self._allow_mass_unwatch or not comparison.is_mass:
                refused.pop(account.id, None)
                allowed.append(comparison)
            elif self._is_asked:
                raise MassUnwatchError(
                    translation_domain=DOMAIN,
                    translation_key="mass_unwatch",
                    translation_placeholders={
                        "server": self._server.entry.title,
                        "viewer": account.names,
                        "unwatched": counts[0],
                        "watched": counts[1],
                    },
                )
            else:
                refused[account.id] = (
                    f"- {literal(account.names)}: {' / '.join(counts)}"
                )
                self._result.unchanged += len(comparison.marks)
        async_note_mass_unwatch(self._hass, self._server.entry, refused.values())
        return allowed

    async def _async_mark(self, comparisons: Iterable[Comparison]) -> None:
        marks = [
            (comparison, mark)
            for comparison in comparisons
            for mark in comparison.marks
        ]
        self._enter(SyncState.MARKING, len(marks))
        failures = 0
        for comparison, mark in marks:
            self._status.done += 1
            self._server.updates.send()
            try:
                is_marked = await self._async_mark_item(comparison, mark)
            except ItemGoneError:
                self._result.failed += 1
            except ServerFailureError:
                self._result.failed += 1
                failures += 1
                if failures == MAX_FAILURES:
                    raise
            else:
                if is_marked:
                    failures = 0
                    self._result.add(mark)
                else:
                    self._result.unchanged += 1
                    await asyncio.sleep(0)

    async def _async_mark_item(self, comparison: Comparison, mark: Mark) -> bool:
        """Mark an item if it is still to be; returns whether it was.

        Raises MediaServerError.
        """
        delivery = self._connection.delivery
        async with delivery.marking:
            # In the time that all of them take histories change, and whose they are.
            await comparison.account.async_load()
            if not comparison.is_due(mark):
                return False
            await delivery.async_mark(
                comparison.account.id, mark.item, mark.titles[0], mark.watched_at
            )
            return True
