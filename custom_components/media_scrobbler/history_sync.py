"""Comparing whole histories with whole libraries, and bringing accounts in step."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import batched, chain, groupby
import logging

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .connection import Connection
from .const import CONF_SYNC_INTERVAL, DOMAIN
from .domain.library import Entry, Section
from .domain.media_server import (
    ForbiddenError,
    ItemGoneError,
    MediaServerError,
    ServerFailureError,
    SignInError,
)
from .domain.title import MediaType, Title
from .following import AT_ONCE, FOLLOWED
from .issues import async_note_cannot_mark, async_note_mass_unwatch
from .library_pages import Pages
from .server import Server
from .storage.library import with_show
from .storage.library_index import item_id
from .viewer import Viewer

_LOGGER = logging.getLogger(__name__)

MASS = 10
"""Unasked, no more than one in so many titles that show as watched is unmarked."""

UNSETTLED = timedelta(days=1)
"""How long the play of what was watched on a server may be on its way.

The webhook may be lost, and the play be found by looking at what the server knows: not
once it is marked as not watched there.
"""

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

    def add(self, change: _Change) -> None:
        """Count a change."""
        name = change.titles[0].label or change.item
        if change.watched_at is not None:
            self.marked_watched += 1
            self.watched.append(name)
        else:
            self.marked_unwatched += 1
            self.unwatched.append(name)


class MassUnwatchError(ServiceValidationError):
    """Too much would be marked as not watched for it to be done unasked."""


@dataclass(frozen=True, slots=True)
class _Change:
    """An item to be marked as watched at a time, or as not watched.

    It has several titles if it is a file with several episodes.
    """

    item: str
    titles: tuple[Title, ...]
    watched_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Account:
    """An account of a server that is to be brought in step.

    `viewers` are those who are linked to it, `marking` those whose plays are to show.
    """

    id: str
    key: str
    viewers: tuple[Viewer, ...]
    marking: tuple[Viewer, ...]

    @property
    def names(self) -> str:
        """Return who it is brought in step with."""
        return ", ".join(viewer.name for viewer in self.marking)

    @property
    def follows(self) -> bool:
        """Return whether it is to be in step at all times."""
        return any(viewer.follows(self.key) for viewer in self.marking)

    @property
    def unfollows(self) -> bool:
        """Return whether what is in no history is to show as not watched.

        What cannot be read may well hold what seems to be missing.
        """
        return any(viewer.unfollows(self.key) for viewer in self.marking) and not any(
            viewer.history.removed or viewer.history.unreadable
            for viewer in self.viewers
        )

    def change_of(
        self, item: str, entries: Collection[Entry], now: datetime
    ) -> _Change | None:
        """Return what has to become of an item, None if it is in step."""
        titles = tuple(entry.title for entry in entries)
        for entry in entries:
            if entry.watched is None:
                return None
            if entry.watched:
                is_settled = entry.watched_at is None or (
                    entry.watched_at < now - UNSETTLED
                )
                if not is_settled or not self._unmarks(titles):
                    return None
                return _Change(item, titles, None)
        watched_at = self._watched_at(titles)
        return None if watched_at is None else _Change(item, titles, watched_at)

    def is_due(self, change: _Change) -> bool:
        """Return whether the histories are still what they were for a change."""
        if change.watched_at is None:
            return self._unmarks(change.titles)
        return self._watched_at(change.titles) == change.watched_at

    def _watched_at(self, titles: Iterable[Title]) -> datetime | None:
        """Return when any of an item's titles was played last."""
        latest = max(_times(self.marking, titles), default=None)
        return None if latest is None else datetime.fromtimestamp(latest, UTC)

    def _unmarks(self, titles: Collection[Title]) -> bool:
        """Return whether an item is to show as not watched.

        Where several viewers share the account, what any of them has watched stays. Of what
        is not recorded, a history says nothing.
        """
        return (
            all(
                title.media_type in viewer.media_types
                for viewer in self.viewers
                for title in titles
            )
            and not any(True for _ in _times(self.viewers, titles))
            and self.unfollows
        )


@dataclass(slots=True)
class _Comparison:
    """An account, and how it differs from its viewers' histories."""

    account: _Account
    changes: list[_Change] = field(default_factory=list)
    compared: int = 0
    shown: int = 0
    """Items that show as watched."""

    @property
    def unmarking(self) -> int:
        """Return how many items would be marked as not watched."""
        return sum(change.watched_at is None for change in self.changes)

    @property
    def is_mass(self) -> bool:
        """Return whether too many of them would be."""
        return self.unmarking * MASS > self.shown


@dataclass(slots=True)
class _Status:
    """What goes on with a server; `done` of `total` is the part of the present state."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    state: SyncState = SyncState.NOT_RUN
    done: float = 0
    total: float = 0
    refused: dict[str, str] = field(default_factory=dict)
    """What would be marked as not watched too much, by account, as a person is told it."""

    def begin(self, state: SyncState, total: float) -> None:
        """Enter a state in which there is something to be done."""
        self.state, self.done, self.total = state, 0, total


class HistorySync:
    """Compares what servers show as watched with histories, one run per server at a time."""

    def __init__(
        self,
        hass: HomeAssistant,
        servers: Mapping[str, Server],
        viewers: Mapping[str, Viewer],
    ) -> None:
        """Take the servers and viewers that there are, by entry id."""
        self._hass = hass
        self._servers = servers
        self._viewers = viewers
        self._statuses: dict[str, _Status] = {}

    # What goes on

    def state(self, server: Server) -> SyncState:
        """Return what has become of a server's last comparison."""
        return self._status(server).state

    def progress(self, server: Server) -> float | None:
        """Return how much is compared, or then marked, in percent; None at rest."""
        status = self._status(server)
        if status.state not in (SyncState.COMPARING, SyncState.MARKING):
            return None
        return min(100.0, 100 * status.done / status.total) if status.total else 0.0

    def _status(self, server: Server) -> _Status:
        return self._statuses.setdefault(server.entry.entry_id, _Status())

    # Beginning

    @callback
    def start(self, server: Server) -> None:
        """Compare a server every so often while its entry is loaded, if that is wanted."""
        entry = server.entry
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
                continue
            try:
                await self._async_run(server, accounts, is_asked=False)
            except HomeAssistantError as err:
                _LOGGER.warning(
                    "%s could not be brought in step: %s", server.entry.title, err
                )

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
        say that it may; HomeAssistantError when the server fails: what has been marked
        stays marked.
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
    ) -> list[_Account]:
        """Return the accounts of a server that viewers are linked to, or follow with."""
        linked: dict[str, list[Viewer]] = {}
        for viewer in self._viewers.values():
            for key in viewer.accounts:
                if key.partition(":")[0] == server.entry.entry_id:
                    linked.setdefault(key, []).append(viewer)
        wanted = list(viewers)
        return [
            _Account(key.partition(":")[2], key, tuple(of), marking)
            for key, of in linked.items()
            if (
                marking := tuple(
                    viewer
                    for viewer in of
                    if viewer in wanted and (viewer.follows(key) or not only_following)
                )
            )
        ]

    async def _async_run(
        self, server: Server, accounts: list[_Account], **options: bool
    ) -> SyncResult:
        """Compare and mark for as long as the server's entry is loaded."""
        if (connection := server.connection) is None:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="not_signed_in",
                translation_placeholders={"server": server.entry.title},
            )
        run = _Run(
            self._hass, server, connection, accounts, self._status(server), **options
        )
        try:
            return await server.entry.async_create_background_task(
                self._hass, run.async_run(), f"{DOMAIN} sync"
            )
        except asyncio.CancelledError as err:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="sync_cancelled"
            ) from err


class _Run:
    """One comparison of one server."""

    def __init__(
        self,
        hass: HomeAssistant,
        server: Server,
        connection: Connection,
        accounts: list[_Account],
        status: _Status,
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
        # By viewer: the titles of the history that are on the server, by their numbers there.
        self._found: dict[str, set[int]] = {}

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
                if isinstance(err, ForbiddenError):
                    self._note_forbidden(self._accounts)
                raise HomeAssistantError(
                    translation_domain=DOMAIN, translation_key=err.reason
                ) from err
            finally:
                self._status.state = ended
                self._server.updates.send()
        return self._result

    async def _async_bring_in_step(self) -> bool:
        """Compare and mark; returns whether something was left as it is unasked."""
        await self._server.outbox.async_load()
        for account in self._accounts:
            for viewer in account.viewers:
                await viewer.history.async_load()
        can_mark = self._connection.client.can_mark
        self._note_forbidden(each for each in self._accounts if not can_mark(each.id))
        accounts = [account for account in self._accounts if can_mark(account.id)]
        if not accounts:
            raise ForbiddenError
        comparisons = await self._async_compare(accounts)
        if not self._dry_run:
            allowed = self._allowed(comparisons)
            await self._async_mark(allowed)
            return len(allowed) < len(comparisons)
        for comparison in comparisons:
            for change in comparison.changes:
                self._result.add(change)
        return False

    def _note_forbidden(self, accounts: Iterable[_Account]) -> None:
        """Tell of accounts that are to follow and may not be marked for."""
        if any(account.follows for account in accounts):
            async_note_cannot_mark(self._hass, self._server.entry, is_forbidden=True)

    # Comparing

    async def _async_compare(self, accounts: Collection[_Account]) -> list[_Comparison]:
        sections = await self._connection.client.async_sections()
        kinds = sum(len(section.media_types) for section in sections)
        self._status.begin(SyncState.COMPARING, kinds * len(accounts))
        comparisons: list[_Comparison] = []
        for account in accounts:
            comparison = _Comparison(account)
            shows: dict[str, Title] = {}
            seen: set[str] = set()
            for section in sections:
                for media_type in section.media_types:
                    before = self._status.done
                    try:
                        await self._async_compare_kind(
                            comparison, section, media_type, shows, seen
                        )
                    except ItemGoneError:
                        _LOGGER.debug("%s has gone, or is not for everybody", section)
                    self._status.done = before + 1
            self._result.unchanged += comparison.compared - len(comparison.changes)
            comparisons.append(comparison)
        viewers = dict.fromkeys(chain.from_iterable(each.marking for each in accounts))
        for viewer in viewers:
            count = partial(
                viewer.history.index.count_besides,
                self._found.get(viewer.entry.entry_id, ()),
                FOLLOWED,
            )
            self._result.not_in_library += await self._hass.async_add_executor_job(
                count
            )
        return comparisons

    async def _async_compare_kind(
        self,
        comparison: _Comparison,
        section: Section,
        media_type: MediaType,
        shows: dict[str, Title],
        seen: set[str],
    ) -> None:
        before = self._status.done
        pages = Pages(
            self._connection.client,
            section,
            media_type,
            account=comparison.account.id,
        )
        async for page in pages:
            if media_type is MediaType.SHOW:
                # The episodes to come have their show's ids from there.
                for entry in page.entries:
                    shows |= dict.fromkeys(entry.title.items.values(), entry.title)
            elif media_type in FOLLOWED:
                items = groupby(page.entries, lambda entry: item_id(entry.title))
                entries_of = [(item or "", list(entries)) for item, entries in items]
                for some in batched(entries_of, AT_ONCE, strict=False):
                    for item, entries in some:
                        if item not in seen:
                            seen.add(item)
                            self._compare(comparison, item, entries, shows)
                    await asyncio.sleep(0)
            self._status.done = before + min(1, pages.read / max(1, page.total))
            self._server.updates.send()

    def _compare(
        self,
        comparison: _Comparison,
        item: str,
        entries: Iterable[Entry],
        shows: dict[str, Title],
    ) -> None:
        """Compare an item, which has several entries if it is several episodes."""
        account = comparison.account
        entries = [
            replace(entry, title=with_show(entry.title, shows)) for entry in entries
        ]
        comparison.compared += 1
        comparison.shown += any(entry.watched for entry in entries)
        for viewer in account.marking:
            found = self._found.setdefault(viewer.entry.entry_id, set())
            for entry in entries:
                found.update(viewer.history.index.numbers(entry.title))
        change = account.change_of(item, entries, dt_util.utcnow())
        if change is not None and not self._waits(account, change):
            comparison.changes.append(change)

    def _waits(self, account: _Account, change: _Change) -> bool:
        """Return whether a title waits to be delivered: it is left to that."""
        return any(
            self._server.outbox.waits_for(account.id, title) for title in change.titles
        )

    # Marking

    def _allowed(self, comparisons: Iterable[_Comparison]) -> list[_Comparison]:
        """Return what may be done without being asked whether it is meant.

        Raises MassUnwatchError where somebody can be asked.
        """
        allowed: list[_Comparison] = []
        refused = self._status.refused
        for comparison in comparisons:
            account = comparison.account
            counts = {
                "unwatched": str(comparison.unmarking),
                "watched": str(comparison.shown),
            }
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
                        **counts,
                    },
                )
            else:
                refused[account.id] = (
                    f"- {account.names}: {comparison.unmarking} / {comparison.shown}"
                )
                self._result.unchanged += len(comparison.changes)
        async_note_mass_unwatch(self._hass, self._server.entry, refused.values())
        return allowed

    async def _async_mark(self, comparisons: Collection[_Comparison]) -> None:
        changes = [
            (comparison.account, change)
            for comparison in comparisons
            for change in comparison.changes
        ]
        self._status.begin(SyncState.MARKING, len(changes))
        failures = 0
        for account, change in changes:
            self._status.done += 1
            self._server.updates.send()
            # In the time that this takes, histories change, and whoever follows is told.
            if not account.is_due(change) or self._waits(account, change):
                self._result.unchanged += 1
                await asyncio.sleep(0)
                continue
            try:
                await self._connection.delivery.async_mark(
                    account.id, change.item, change.titles[0], change.watched_at
                )
            except ItemGoneError:
                self._result.failed += 1
            except ServerFailureError:
                self._result.failed += 1
                failures += 1
                if failures == MAX_FAILURES:
                    raise
            else:
                failures = 0
                self._result.add(change)


def _times(viewers: Iterable[Viewer], titles: Iterable[Title]) -> Iterator[float]:
    """Yield when any of some viewers has watched any of some titles, in epoch seconds."""
    return (
        time
        for viewer in viewers
        for title in titles
        for time in viewer.history.index.times(title)
    )
