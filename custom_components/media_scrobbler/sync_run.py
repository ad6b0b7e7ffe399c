"""One comparison of a server with histories: what differs, and is marked."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
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
from .storage.outbox import Held

_LOGGER = logging.getLogger(__name__)

MAX_FAILURES = 5
"""Titles in a row at which a server fails before it is taken not to work at all."""


class SyncState(StrEnum):
    """What has become of the last comparison of a server."""

    NOT_RUN = "not_run"
    COMPARING = "comparing"
    MARKING = "marking"
    WAITING = "waiting"
    COMPLETE = "complete"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(slots=True)
class SyncResult:
    """What a comparison has come to, or would, in items of the server.

    `not_in_library` are titles of the histories that no item is, `waiting` the items that
    are marked as soon as the server can be told, `watched` and `unwatched` the names of
    what was marked.
    """

    marked_watched: int = 0
    marked_unwatched: int = 0
    unchanged: int = 0
    not_in_library: int = 0
    failed: int = 0
    waiting: int = 0
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
    futile: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    """The marks, by account and item, that the server has taken and does not show."""


type _Due = tuple[Comparison, Mark, Held | None]


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
        self.is_asked = is_asked
        self._dry_run = dry_run
        self._allow_mass_unwatch = allow_mass_unwatch
        self._result = SyncResult()
        # What is written down and has not been marked, in its order.
        self._left: dict[Held, None] = {}

    async def async_run(self) -> SyncResult:
        """Compare and mark, once no other run does."""
        async with self._status.lock:
            ended = SyncState.FAILED
            self._connection.delivery.lately = set()
            try:
                is_refused = await self._async_bring_in_step()
                ended = SyncState.REFUSED if is_refused else SyncState.COMPLETE
                if self._result.waiting:
                    ended = SyncState.WAITING
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
                self._connection.delivery.lately = None
                self._status.state = ended
                self._server.updates.send()
        return self._result

    def let_go(self, *, goes_on: bool) -> None:
        """Leave what has not been marked to be delivered, or think no more of it."""
        left, self._left = self._left, {}
        for held in left:
            held.release(happened=goes_on)
        self._connection.delivery.wake()

    async def _async_bring_in_step(self) -> bool:
        """Compare and mark; returns whether something was left as it is unasked."""
        await self._server.outbox.async_load()
        for account in self._accounts:
            await account.async_load()
        comparisons = await self._async_compare(self._markable())
        if not self._dry_run:
            allowed = self._allowed(comparisons)
            await self._async_mark_all(allowed)
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
        self._result.waiting += sum(each.waiting for each in comparisons)
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
        if not self.is_asked:
            # Then all are compared that could be in it.
            refused.clear()
        for comparison in comparisons:
            account = comparison.account
            counts = str(comparison.unwatching), str(comparison.watched)
            if self._allow_mass_unwatch or not comparison.is_mass:
                refused.pop(account.id, None)
                allowed.append(comparison)
            elif self.is_asked:
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

    async def _async_mark_all(self, comparisons: Iterable[Comparison]) -> None:
        """Write down what differs, and mark it; what the server keeps from that waits."""
        todo = self._not_futile(comparisons)
        outbox = self._server.outbox
        held = await outbox.async_put_each(
            comparison.change(mark) for comparison, mark in todo
        )
        self._left = {each: None for each in held if each is not None}
        try:
            await self._async_mark(
                [
                    (comparison, mark, by)
                    for (comparison, mark), by in zip(todo, held, strict=True)
                ]
            )
        except ForbiddenError:
            # It would be no different the next time.
            self.let_go(goes_on=False)
            raise
        except SignInError:
            # Somebody has to sign in again before anything goes on.
            self.let_go(goes_on=True)
            raise
        except MediaServerError as err:
            _LOGGER.debug(
                "%s could not be told of %s items: %s",
                self._server.entry.title,
                len(self._left),
                err.reason,
            )
            self._result.waiting += len(self._left)
            self.let_go(goes_on=True)
            await self._connection.async_request_refresh()
        finally:
            await self._connection.delivery.async_settle()

    def _not_futile(
        self, comparisons: Iterable[Comparison]
    ) -> list[tuple[Comparison, Mark]]:
        """Return what is to be marked, without what was, and did not stick."""
        todo: list[tuple[Comparison, Mark]] = []
        futile = self._status.futile
        for comparison in comparisons:
            for mark in comparison.marks:
                key = comparison.account.id, mark.item
                if key in futile and futile[key] == mark.watched_at:
                    self._result.failed += 1
                else:
                    todo.append((comparison, mark))
        return todo

    async def _async_mark(self, todo: list[_Due]) -> None:
        """Mark what is due, and once more what the server has failed at.

        That is left to the next comparison if the server is well. Raises MediaServerError.
        """
        self._enter(SyncState.MARKING, len(todo))
        failed = await self._async_try(await self._async_try(todo))
        if not failed:
            return
        await self._connection.async_refresh()
        if not self._connection.last_update_success:
            raise ServerFailureError
        self._result.failed += len(failed)
        for _, _, held in failed:
            await self._async_forget(held)

    async def _async_try(self, todo: Collection[_Due]) -> list[_Due]:
        """Mark what is due; returns what the server has failed at."""
        failed: list[_Due] = []
        in_a_row = 0
        for due in todo:
            comparison, mark, held = due
            self._status.done += 1
            self._server.updates.send()
            try:
                is_marked = await self._async_mark_item(comparison, mark, held)
            except ItemGoneError:
                self._result.failed += 1
            except ServerFailureError:
                failed.append(due)
                in_a_row += 1
                if in_a_row == MAX_FAILURES:
                    raise
                continue
            else:
                if is_marked:
                    in_a_row = 0
                    self._result.add(mark)
                elif is_marked is None:
                    self._result.unchanged += 1
                    await asyncio.sleep(0)
                else:
                    self._result.failed += 1
            await self._async_forget(held)
        return failed

    async def _async_forget(self, held: Held | None) -> None:
        """Have nothing more wait of a mark that was made, or is not to be."""
        if held is None:
            return
        delivery = self._connection.delivery
        del self._left[held]

        def settle() -> None:
            held.release(happened=False)
            if held.waiting.is_due:
                # Something else has come to wait meanwhile.
                delivery.wake()

        await delivery.async_done(settle)

    async def _async_mark_item(
        self, comparison: Comparison, mark: Mark, held: Held | None
    ) -> bool | None:
        """Mark an item, and return whether the server shows it; None if it is not due.

        Raises MediaServerError.
        """
        delivery = self._connection.delivery
        account = comparison.account
        key = account.id, mark.item
        async with delivery.marking:
            # In the time that all of them take histories change, and whose they are.
            await account.async_load()
            if not comparison.is_due(mark, held) or key in (delivery.lately or ()):
                return None
            if held is not None:
                # Whatever comes of it, the server may have done it.
                held.waiting.unsure = True
            sticks = await delivery.async_mark(
                account.id, mark.item, mark.titles[0], mark.watched_at
            )
        if not sticks:
            self._status.futile[key] = mark.watched_at
        return sticks
