"""The inbox: plays of accounts that no viewer is linked to yet."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import batched, chain
from pathlib import Path

from homeassistant.core import HassJob, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.storage import STORAGE_DIR

from .const import DOMAIN
from .domain.play import Play, Report, Source
from .domain.title import Title
from .storage.accounts import Account, Accounts
from .storage.history import History, Taken, async_saved, batched_by_month

MAX_HELD = 20_000
"""Plays that wait for one account to be linked; further ones are not kept."""

MOVED_AT_ONCE = 100
"""Held plays that are moved together: they share their writes."""

KEPT_FOR = 10.0
"""Seconds for which plays stay after they have been handed over: Home Assistant writes an
entry a second late, and a power cut before that leaves no viewer to have them."""


class InboxFullError(Exception):
    """Too many plays wait for an account already."""


class Inbox:
    """Keeps a history for each account that is nobody's."""

    def __init__(
        self, hass: HomeAssistant, accounts: Accounts, on_trouble: Callable[[], None]
    ) -> None:
        """Start with nothing in memory.

        `on_trouble` is called whenever `failing` or `unreadable` may have changed.
        """
        self._hass = hass
        self._accounts = accounts
        self._on_trouble = on_trouble
        self.histories: dict[str, History] = {}
        self._slugs: frozenset[str] = frozenset()
        self._moving = asyncio.Lock()

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return any(history.failing for history in self.histories.values())

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the files that could not be read, and why."""
        return dict(
            chain.from_iterable(
                history.unreadable.items() for history in self.histories.values()
            )
        )

    async def async_load(self) -> None:
        """Find out for which accounts there are files."""
        self._slugs = await self._hass.async_add_executor_job(self._slugs_on_disk)

    def _slugs_on_disk(self) -> frozenset[str]:
        folder = Path(self._hass.config.path(STORAGE_DIR))
        files = folder.glob(f"{DOMAIN}.inbox.*.*") if folder.is_dir() else ()
        return frozenset(path.name.split(".")[2] for path in files)

    def may_hold(self, account: Account) -> bool:
        """Return whether plays of an account may wait."""
        return account.key in self.histories or account.slug in self._slugs

    def _history(self, account: Account) -> History:
        if (history := self.histories.get(account.key)) is None:
            history = History(
                self._hass, f"inbox.{account.slug}", on_trouble=self._on_trouble
            )
            self.histories[account.key] = history
        return history

    async def async_hold(
        self, account: Account, title: Title, watched_at: datetime, source: Source
    ) -> None:
        """Keep a completed title; returns when it is on disk.

        Raises InboxFullError, and StorageWriteError or HistoryRemovedError as recording
        does.
        """
        history = self._history(account)
        self._accounts.keep(account)
        await history.async_load()
        if len(history.index) >= MAX_HELD:
            raise InboxFullError
        recorded = await history.async_record(title, watched_at, source)
        # Without its account a held play would be nobody's for ever.
        await self._accounts.async_saved()
        if recorded.saved is not None:
            await recorded.saved

    async def async_take(
        self, account: Account, reports: Sequence[Report], *, add: bool
    ) -> list[Taken]:
        """Merge reports of plays that wait, and keep what is new if that is wanted.

        Returns when that is on disk, as far as there is room for it. Raises as
        `async_hold` does.
        """
        history = self._history(account)
        await history.async_load()
        if add:
            reports = reports[: max(0, MAX_HELD - len(history.index))]
        taken = await history.async_take(reports, add=add)
        if add:
            await self._accounts.async_saved()
        await async_saved(taken)
        return taken

    async def async_move(
        self, account: Account, credit: Callable[[Play], Awaitable[bool]]
    ) -> None:
        """Hand over an account's plays, the oldest first, and let go of them a little later.

        `credit` returns whether it has taken a play; what it has not stays. A play that is
        in both places after a crash is merged when it is handed over again.
        """
        history = self._history(account)
        async with self._moving:
            plays = await history.async_plays()
            for some in batched_by_month(
                reversed(plays), lambda play: play.watched_at, MOVED_AT_ONCE
            ):
                if not all(await asyncio.gather(*map(credit, some))):
                    return
        if plays:
            job = HassJob(
                partial(self._async_let_go, history, plays), cancel_on_shutdown=True
            )
            async_call_later(self._hass, KEPT_FOR, job)

    async def _async_let_go(
        self, history: History, plays: Iterable[Play], _now: datetime
    ) -> None:
        for some in batched(plays, MOVED_AT_ONCE, strict=False):
            # What is gone has been let go of before, what could not be written will be.
            with suppress(KeyError, HomeAssistantError):
                await asyncio.gather(
                    *(history.async_change(play.id, lambda _: None) for play in some)
                )

    async def async_remove(self, account: Account) -> None:
        """Remove what is kept for an account."""
        await self._history(account).async_remove()
        self.histories.pop(account.key, None)
        self._on_trouble()

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        for history in self.histories.values():
            await history.async_flush()
