"""The outbox of a server: titles whose state there has still to follow a history.

What is written down is only whose title it is. What is to become of it, the history tells
when it is delivered, so that nothing here can be out of date.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
import logging
from pathlib import Path
from typing import Any

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
import orjson

from ..domain.title import Title
from ..domain.title_map import TitleMap
from .codec import time_from_text, title_from_dict, title_to_dict
from .store import ConfirmingStore, Migration, UnreadableStoreError
from .writer import StorageWriteError, Writer

_LOGGER = logging.getLogger(__name__)

VERSION = 1
MINOR_VERSION = 1

MAX_WAITING = 50_000
"""Titles that can wait for a server; of further ones a comparison of everything tells."""

TIDY_DELAY = 5.0
"""Seconds before it is written that something has been delivered: many are at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A title that one account of a server is to follow a viewer's history with.

    `account` is its id on the server. `besides` are the items that it has followed with by
    itself, since it was they that were played.
    """

    viewer_id: str
    account: str
    title: Title
    queued_at: datetime
    besides: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Waiting:
    """A change in the outbox.

    `held` counts what has yet to happen to the history. `unsure` tells that it may have
    been delivered before. `turn` goes up whenever it is to be delivered once more.
    """

    change: Change
    held: int = 0
    unsure: bool = False
    turn: int = 0
    raw: orjson.Fragment = field(init=False)

    @property
    def is_due(self) -> bool:
        """Return whether there is nothing to wait for."""
        return not self.held and (self.turn > 0 or self.unsure)

    def __post_init__(self) -> None:
        """Encode it once."""
        self.encode()

    def encode(self) -> None:
        """Encode what the change has become."""
        self.raw = orjson.Fragment(orjson.dumps(_to_dict(self.change)))


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
        """Name the file; `on_trouble` is called whenever `failing` has changed."""
        self._hass = hass
        self._store = ConfirmingStore(
            hass, key, version=VERSION, minor_version=MINOR_VERSION, migrate=migrate
        )
        self._writer = Writer(hass, self._store, self._snapshot, on_trouble)
        self._waiting: dict[int, Waiting] = {}
        self._by_title: dict[tuple[str, str], TitleMap[Waiting]] = {}
        self._loading: asyncio.Task[None] | None = None
        self._cancel_tidy: CALLBACK_TYPE | None = None

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return self._writer.failing

    def __len__(self) -> int:
        """Return how many changes wait."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        """Iterate over what waits, in its order."""
        return iter(list(self._waiting.values()))

    async def async_load(self) -> None:
        """Read what waits, once; what is read may have been delivered before."""
        if self._loading is None:
            self._loading = self._hass.async_create_task(
                self._async_load(), f"{self._store.key} load"
            )
        await asyncio.shield(self._loading)

    async def _async_load(self) -> None:
        try:
            changes = await self._hass.async_add_executor_job(self._read)
        except UnreadableStoreError as err:
            _LOGGER.warning(
                "What was still to be marked on a server is unknown; to compare everything "
                "brings it in step: %s",
                err,
            )
            await self._hass.async_add_executor_job(self._set_aside)
            return
        for change in changes:
            self._add(Waiting(change, unsure=True))

    async def async_put(
        self, change: Change, *, unsure: bool = False
    ) -> Waiting | None:
        """Write a change down and hold it back; returns when it is on disk.

        Joins what waits for the same title already. None if too much waits. What cannot
        be written is kept in memory and written later.
        """
        await self.async_load()
        waiting, is_news = self._find(change), False
        if waiting is None:
            if len(self._waiting) >= MAX_WAITING:
                _LOGGER.warning("Too much waits to be marked on a server")
                return None
            waiting, is_news = self._add(Waiting(change, unsure=unsure)), True
        elif waiting.change.besides - change.besides:
            waiting.change = replace(
                waiting.change, besides=waiting.change.besides & change.besides
            )
            waiting.encode()
            is_news = True
        waiting.held += 1
        if is_news and (written := self._writer.save()) is not None:
            try:
                await written
            except StorageWriteError:
                # Kept in memory, and written as soon as that can be done.
                pass
            except asyncio.CancelledError:
                self.release(waiting, happened=False)
                raise
        return waiting

    @callback
    def release(self, waiting: Waiting, *, happened: bool) -> None:
        """Let go of a change that was held back, to be delivered if it has happened.

        What waited before for another reason goes on waiting.
        """
        waiting.held -= 1
        if happened:
            waiting.turn += 1
        elif not waiting.turn and not waiting.held and not waiting.unsure:
            self._discard(waiting)

    @callback
    def done(self, waiting: Waiting, turn: int) -> None:
        """Take note that what was to be done up to a turn has been delivered."""
        if waiting.turn == turn and not waiting.held:
            self._discard(waiting)
        else:
            waiting.unsure = True

    @callback
    def postpone(self, waiting: Waiting) -> None:
        """Put a change behind the others."""
        if (kept := self._waiting.pop(id(waiting), None)) is not None:
            self._waiting[id(waiting)] = kept

    @callback
    def forget(self, viewer_id: str) -> None:
        """Take out what waits for a viewer who is gone."""
        for waiting in self:
            if waiting.change.viewer_id == viewer_id:
                self._discard(waiting)

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        self._tidy()
        await self._writer.async_flush()

    async def async_remove(self) -> None:
        """Remove the file."""
        self._stop_tidying()
        await self._writer.async_remove()
        self._waiting.clear()
        self._by_title.clear()

    def _find(self, change: Change) -> Waiting | None:
        by_title = self._by_title.get((change.viewer_id, change.account))
        return by_title.find(change.title) if by_title is not None else None

    def _add(self, waiting: Waiting) -> Waiting:
        change = waiting.change
        self._waiting[id(waiting)] = waiting
        self._by_title.setdefault(
            (change.viewer_id, change.account), TitleMap[Waiting]()
        ).add(change.title, waiting)
        return waiting

    def _discard(self, waiting: Waiting) -> None:
        if self._waiting.pop(id(waiting), None) is None:
            return
        change = waiting.change
        self._by_title[change.viewer_id, change.account].discard(change.title, waiting)
        if self._cancel_tidy is None:
            self._cancel_tidy = async_call_later(
                self._hass, TIDY_DELAY, HassJob(self._tidy, cancel_on_shutdown=True)
            )

    @callback
    def _tidy(self, _now: datetime | None = None) -> None:
        if self._cancel_tidy is None:
            return
        self._stop_tidying()
        if (written := self._writer.save()) is not None:
            written.add_done_callback(asyncio.Future.exception)

    @callback
    def _stop_tidying(self) -> None:
        if self._cancel_tidy is not None:
            self._cancel_tidy()
            self._cancel_tidy = None

    def _read(self) -> list[Change]:
        """Read the file, in the executor; raises UnreadableStoreError."""
        stored = self._store.read() or {"changes": []}
        try:
            return [_from_dict(entry) for entry in stored["changes"]]
        except (AttributeError, KeyError, TypeError, ValueError) as err:
            raise UnreadableStoreError(f"{self._store.path}: {err!r}") from err

    def _set_aside(self) -> None:
        """Keep a file that cannot be read beside the one that takes its place."""
        path = Path(self._store.path)
        try:
            path.replace(path.with_name(f"{path.name}.unreadable"))
        except OSError as err:
            _LOGGER.warning("%s could not be set aside: %s", path, err.strerror)

    def _snapshot(self) -> dict[str, Any]:
        return {"changes": [waiting.raw for waiting in self._waiting.values()]}


def _to_dict(change: Change) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "viewer_id": change.viewer_id,
        "account": change.account,
        "title": title_to_dict(change.title),
        "queued_at": change.queued_at.isoformat(),
    }
    if change.besides:
        stored["besides"] = sorted(change.besides)
    return stored


def _from_dict(stored: Mapping[str, Any]) -> Change:
    """Return the change of a stored form; raises KeyError, TypeError or ValueError."""
    viewer_id, account = stored["viewer_id"], stored["account"]
    besides: Collection[str] = stored.get("besides", ())
    if not all(isinstance(text, str) for text in chain((viewer_id, account), besides)):
        raise TypeError(f"{stored} is no change")
    return Change(
        viewer_id=viewer_id,
        account=account,
        title=title_from_dict(stored["title"]),
        queued_at=time_from_text(stored["queued_at"]),
        besides=frozenset(besides),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """A change that is held back in an outbox."""

    outbox: Outbox
    waiting: Waiting
