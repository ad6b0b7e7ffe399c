"""The outbox of a server: titles whose state there has still to follow histories.

What is written down is only which title of which account it is. What is to become of it,
the histories tell when it is delivered, so that nothing here can be out of date.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import batched, chain
import logging
from typing import Any

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
import orjson

from ..domain.rules import LATEST_CLOCK_AHEAD
from ..domain.title import Title, combine
from ..domain.title_map import TitleMap
from .codec import time_from_text, title_from_dict, title_to_dict
from .continued import ContinuedStore
from .store import Migration
from .writer import StorageWriteError, Writer

_LOGGER = logging.getLogger(__name__)

VERSION = 1
MINOR_VERSION = 1

MAX_WAITING = 20_000
"""Titles that can wait for a server; of further ones a comparison of everything tells."""

AT_ONCE = 200
"""Titles that are taken in before the event loop has its turn again."""

TIDY_DELAY = 5.0
"""Seconds before it is written that something has been delivered: many are at a time."""

TIDIED_PER_SECOND = 500
"""Titles that wait for which one more second passes before that: all are written anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A title that one account of a server is to follow histories with.

    `account` is its id on the server. `played_item` is the item that shows by itself what
    it should, since it was played there. `is_removal` tells that a play was taken back: no
    other title that no history knows is marked as not watched. `items` are those that a
    comparison has found to differ, whether or not the account follows; without any it is
    all that the server has of the title.
    """

    account: str
    title: Title
    queued_at: datetime
    played_item: str | None = None
    is_removal: bool = False
    items: tuple[str, ...] = ()

    def joined(self, news: Change) -> Change:
        """Return what this becomes by a further change to the same title."""
        return replace(
            self,
            title=combine(self.title, news.title),
            played_item=self.played_item
            if self.played_item == news.played_item
            else None,
            is_removal=self.is_removal or news.is_removal,
            items=tuple(dict.fromkeys(self.items + news.items))
            if self.items and news.items
            else (),
        )


@dataclass(slots=True, eq=False)
class Waiting:
    """A change in the outbox.

    `held` counts what has yet to happen to a history. `turn` goes up whenever there is
    something to deliver, `delivered` is the last turn that was. `unsure` tells that the
    server may show it already, `restored` that it was read: it may have been delivered.
    """

    change: Change
    held: int = 0
    turn: int = 0
    delivered: int = 0
    unsure: bool = False
    restored: bool = False
    raw: orjson.Fragment = field(init=False)

    def __post_init__(self) -> None:
        """Encode the change once."""
        self.become(self.change)

    @property
    def is_due(self) -> bool:
        """Return whether there is something to deliver and nothing to wait for."""
        return not self.held and self.turn > self.delivered

    def become(self, change: Change) -> None:
        """Be another change from now on."""
        self.change = change
        self.raw = orjson.Fragment(orjson.dumps(_to_dict(change)))


class Outbox:
    """The changes that wait for one server, in the order in which they came."""

    def __init__(
        self,
        hass: HomeAssistant,
        key: str,
        *,
        on_trouble: Callable[[], None] = lambda: None,
        migrate: Migration | None = None,
    ) -> None:
        """Name the file.

        `on_trouble` is called whenever `failing` or `unreadable` may have changed.
        """
        self._hass = hass
        self._on_trouble = on_trouble
        self._store = ContinuedStore(
            hass, key, version=VERSION, minor_version=MINOR_VERSION, migrate=migrate
        )
        self._writer = Writer(hass, self._store, self._snapshot, on_trouble)
        # A set that keeps its order.
        self._waiting: dict[Waiting, None] = {}
        self._by_account: dict[str, TitleMap[Waiting]] = {}
        self._loading: asyncio.Task[None] | None = None
        self._cancel_tidy: CALLBACK_TYPE | None = None
        self._is_full = False
        self._removed = False

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return self._writer.failing

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the files that could not be read, and why.

        To compare everything brings a server in step with what is in them.
        """
        return self._store.unreadable

    def __len__(self) -> int:
        """Return how many changes wait."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        """Iterate over what waits now, in its order."""
        return iter(list(self._waiting))

    def waiting_for(self, account: str, title: Title) -> Waiting | None:
        """Return what waits to be delivered of a title for an account."""
        return self._find(account, title)

    @property
    def has_compared(self) -> bool:
        """Return whether anything waits that a comparison has found to differ."""
        return any(waiting.change.items for waiting in self._waiting)

    def may_have_delivered(self, title: Title, at: datetime) -> bool:
        """Return whether a title that waits may have been marked at a time, before a kill."""
        return any(
            waiting.restored and at >= waiting.change.queued_at - LATEST_CLOCK_AHEAD
            for by_title in self._by_account.values()
            for waiting in by_title.find_all(title)
        )

    async def async_load(self) -> None:
        """Read what waits, once; what is read may have been delivered before."""
        if self._loading is None:
            self._loading = self._hass.async_create_task(
                self._async_load(), f"{self._store.key} load"
            )
        await asyncio.shield(self._loading)

    async def _async_load(self) -> None:
        found = await self._store.async_load_as(_waiting)
        for some in batched(chain(*found), AT_ONCE, strict=False):
            for waiting in some:
                change = waiting.change
                if (known := self._find(change.account, change.title)) is not None:
                    # As in a file that was mended, and in the one that went on meanwhile.
                    self._join(known, change)
                else:
                    self._add(waiting)
            await asyncio.sleep(0)
        if self.unreadable:
            self._on_trouble()

    async def async_put(
        self, changes: Iterable[Change], *, unsure: bool = False
    ) -> list[Held]:
        """Write changes down and hold them back; returns when they are on disk.

        A change joins what waits for the same title already. What is too much is left out.
        What cannot be written is kept in memory and written later.
        """
        held = await self.async_put_each(changes, unsure=unsure)
        return [each for each in held if each is not None]

    async def async_put_each(
        self, changes: Iterable[Change], *, unsure: bool = False
    ) -> list[Held | None]:
        """Do the same, with one write for all; returns None for each that is left out."""
        await self.async_load()
        held: list[Held | None] = []
        is_news = False
        try:
            for some in batched(changes, AT_ONCE, strict=False):
                if held:
                    await asyncio.sleep(0)
                for change in some:
                    is_held, is_new = self._put(change, unsure=unsure)
                    held.append(is_held)
                    is_news |= is_new
            # What was joined may be on its way to the disk as well.
            if (
                any(held)
                and (written := self._writer.save(changed=is_news)) is not None
            ):
                # Kept in memory where it fails, and written as soon as that can be done.
                with suppress(StorageWriteError):
                    await written
        except asyncio.CancelledError:
            for each in held:
                if each is not None:
                    each.release(happened=False)
            raise
        return held

    def _put(self, change: Change, *, unsure: bool) -> tuple[Held | None, bool]:
        """Hold a change back, if there is room; returns whether that is to be written, too."""
        is_new = True
        waiting = self._find(change.account, change.title)
        if self._removed:
            return None, False
        if waiting is not None:
            is_new = self._join(waiting, change)
        elif self._has_room():
            waiting = self._add(Waiting(change))
        else:
            return None, False
        waiting.held += 1
        waiting.unsure |= unsure
        return Held(self, waiting), is_new

    def _join(self, waiting: Waiting, change: Change) -> bool:
        """Have a change join what waits; returns whether that is to be written."""
        if change.played_item != waiting.change.played_item:
            # Each has something by itself that the other has not.
            waiting.unsure = True
        return self._become(waiting, waiting.change.joined(change))

    def _become(self, waiting: Waiting, change: Change) -> bool:
        """Have what waits be another change of the title; returns whether it is."""
        if change == waiting.change:
            return False
        by_title = self._by_account[change.account]
        by_title.discard(waiting.change.title, waiting)
        by_title.add(change.title, waiting)
        waiting.become(change)
        return True

    def _has_room(self) -> bool:
        was_full, self._is_full = self._is_full, len(self) >= MAX_WAITING
        if self._is_full and not was_full:
            _LOGGER.warning(
                "No more than %s titles can wait to be marked on a server", MAX_WAITING
            )
        return not self._is_full

    @callback
    def learn(self, account: str, title: Title) -> None:
        """Add what has become known of a title, if that waits."""
        if (waiting := self._find(account, title)) is not None:
            known = waiting.change
            if self._become(waiting, replace(known, title=combine(known.title, title))):
                self._write_later()

    @callback
    def release(self, waiting: Waiting, *, happened: bool) -> None:
        """Let go of a change that was held back, to be delivered if it has happened.

        What waited before for another reason goes on waiting.
        """
        waiting.held -= 1
        if happened:
            waiting.turn += 1
        self._settle(waiting)

    @callback
    def done(self, waiting: Waiting, turn: int) -> None:
        """Take note that what was to be done up to a turn has been delivered."""
        waiting.delivered = turn
        self._settle(waiting)

    @callback
    def postpone(self, waiting: Waiting) -> None:
        """Put a change behind the others."""
        if waiting in self._waiting:
            del self._waiting[waiting]
            self._waiting[waiting] = None

    @callback
    def keep(self, following: Collection[str], linked: Collection[str]) -> None:
        """Take out what waits for accounts that do not follow any more, or are nobody's."""
        for waiting in self:
            wanted = linked if waiting.change.items else following
            if waiting.change.account not in wanted:
                self._discard(waiting)

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        self.tidy()
        await self._writer.async_flush()

    async def async_remove(self) -> None:
        """Remove the file, for good."""
        self._removed = True
        self._stop_tidying()
        await self._writer.async_remove()
        self._waiting.clear()
        self._by_account.clear()

    @callback
    def tidy(self, _now: datetime | None = None) -> None:
        """Have written what has been delivered, if that was put off."""
        if self._cancel_tidy is None:
            return
        self._stop_tidying()
        self._writer.save()

    def _find(self, account: str, title: Title) -> Waiting | None:
        by_title = self._by_account.get(account)
        return by_title.find(title) if by_title is not None else None

    def _add(self, waiting: Waiting) -> Waiting:
        self._waiting[waiting] = None
        by_title = self._by_account.setdefault(waiting.change.account, TitleMap())
        by_title.add(waiting.change.title, waiting)
        return waiting

    def _settle(self, waiting: Waiting) -> None:
        """Take out what there is nothing left to do about."""
        if not waiting.held and waiting.turn == waiting.delivered:
            self._discard(waiting)

    def _discard(self, waiting: Waiting) -> None:
        if waiting in self._waiting:
            del self._waiting[waiting]
            change = waiting.change
            self._by_account[change.account].discard(change.title, waiting)
            self._write_later()

    @callback
    def _write_later(self) -> None:
        if self._cancel_tidy is None:
            self._cancel_tidy = async_call_later(
                self._hass,
                max(TIDY_DELAY, len(self) / TIDIED_PER_SECOND),
                HassJob(self.tidy, cancel_on_shutdown=True),
            )

    @callback
    def _stop_tidying(self) -> None:
        if self._cancel_tidy is not None:
            self._cancel_tidy()
            self._cancel_tidy = None

    def _snapshot(self) -> dict[str, Any]:
        return {"changes": [waiting.raw for waiting in self._waiting]}


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A change that is held back in an outbox."""

    outbox: Outbox
    waiting: Waiting

    @property
    def has_been_joined(self) -> bool:
        """Return whether what a comparison holds back waits for another reason, too."""
        return self.waiting.turn > self.waiting.delivered or not (
            self.waiting.change.items
        )

    @callback
    def release(self, *, happened: bool) -> None:
        """Let go of it, to be delivered if it has happened."""
        self.outbox.release(self.waiting, happened=happened)


def _waiting(stored: dict[str, Any]) -> list[Waiting]:
    """Return what waits in a stored form; raises what `DAMAGE` lists."""
    return [
        Waiting(_from_dict(entry), turn=1, unsure=True, restored=True)
        for entry in stored["changes"]
    ]


def _to_dict(change: Change) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "account": change.account,
        "title": title_to_dict(change.title),
        "queued_at": change.queued_at.isoformat(),
    }
    if change.played_item is not None:
        stored["played_item"] = change.played_item
    if change.is_removal:
        stored["is_removal"] = True
    if change.items:
        stored["items"] = list(change.items)
    return stored


def _from_dict(stored: Mapping[str, Any]) -> Change:
    """Return the change of a stored form; raises KeyError, TypeError or ValueError."""
    account, played_item = stored["account"], stored.get("played_item")
    items = stored.get("items", [])
    if (
        not isinstance(account, str)
        or not isinstance(played_item, str | None)
        or type(items) is not list
        or not all(isinstance(item, str) for item in items)
    ):
        raise TypeError(f"{stored} is no change")
    return Change(
        account=account,
        title=title_from_dict(stored["title"]),
        queued_at=time_from_text(stored["queued_at"]),
        played_item=played_item,
        is_removal=bool(stored.get("is_removal")),
        items=tuple(items),
    )
