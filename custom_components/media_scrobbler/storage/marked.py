"""What has been marked as watched from here on a server that dates marks itself.

To such a server a mark is of the moment at which it was made. It shows that as the time
when the title was watched last, and some servers have it in their history: it is no play.
Marks are made there with the account of the sign-in and no other.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from homeassistant.core import HomeAssistant, callback
import orjson

from ..domain.rules import LATEST_CLOCK_AHEAD
from ..domain.title import Title
from ..domain.title_map import TitleMap
from .codec import time_from_text, title_from_dict, title_to_dict
from .continued import ContinuedStore
from .store import Migration
from .writer import StorageWriteError, Writer

VERSION = 1
MINOR_VERSION = 1

MAX_MARKS = 20_000
"""Marks that are remembered, the latest: all of them are written together."""

TOLERANCE = LATEST_CLOCK_AHEAD
"""How far the server's time of a mark may be from ours: up to that, clocks are not set right."""


@dataclass(slots=True, eq=False)
class _Mark:
    """A mark of an item, made between two times in UTC."""

    item: str
    title: Title
    first: datetime
    last: datetime
    raw: orjson.Fragment = field(init=False)

    def __post_init__(self) -> None:
        """Encode the mark."""
        self.raw = orjson.Fragment(orjson.dumps(_to_dict(self)))

    def lasts_until(self, moment: datetime) -> None:
        """Take note that it was still being made at a time."""
        self.last = max(self.last, moment)
        self.raw = orjson.Fragment(orjson.dumps(_to_dict(self)))

    def is_at(self, moment: datetime) -> bool:
        """Return whether a time may be that of the mark."""
        return self.first - TOLERANCE <= moment <= self.last + TOLERANCE


class Marked:
    """What has been marked on one server."""

    def __init__(
        self, hass: HomeAssistant, key: str, *, migrate: Migration | None = None
    ) -> None:
        """Start empty."""
        self._store = ContinuedStore(
            hass,
            f"marked.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._writer = Writer(hass, self._store, self._snapshot)
        self._marks: deque[_Mark] = deque()
        self._by_item: dict[str, list[_Mark]] = {}
        self._by_title = TitleMap[_Mark]()
        self._loading = asyncio.Lock()
        self._is_loaded = False
        self.unsaved = False
        """Whether there are marks that are not written yet."""

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the files that could not be read, and why: marks may be taken for plays."""
        return self._store.unreadable

    async def async_load(self) -> None:
        """Read what is stored, once; what could not be read is tried again."""
        async with self._loading:
            if self._is_loaded and not self.unreadable:
                return
            found = await self._store.async_load_as(_marks)
            # What has been marked since is later.
            later = list(self._marks)
            self._clear()
            for mark in chain(*found, later):
                self._add(mark)
            self._is_loaded = True

    @callback
    def note(self, item: str, title: Title, at: datetime) -> None:
        """Take note that an item is being marked, or has been just now.

        It is for the caller to have it written.
        """
        self.unsaved = True
        of_item = self._by_item.get(item)
        if of_item is not None and of_item[-1].is_at(at):
            of_item[-1].lasts_until(at)
            return
        self._add(_Mark(item, _names(title), at, at))

    def has(self, title: Title, at: datetime) -> bool:
        """Return whether a server has a title as watched at a time because of a mark."""
        of_items = (self._by_item.get(item, ()) for item in title.items.values())
        return any(
            mark.is_at(at)
            for mark in chain(*of_items, self._by_title.find_all(_names(title)))
        )

    async def async_save(self) -> None:
        """Have all written; what cannot be is kept in memory and written later."""
        if not self.unsaved:
            return
        self.unsaved = False
        written = self._writer.save()
        assert written is not None
        with suppress(StorageWriteError):
            await written

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        await self.async_save()
        await self._writer.async_flush()

    async def async_remove(self) -> None:
        """Remove the files."""
        self.unsaved = False
        self._clear()
        await self._writer.async_remove()

    def _clear(self) -> None:
        self._marks, self._by_item, self._by_title = deque(), {}, TitleMap()

    def _add(self, mark: _Mark) -> None:
        self._marks.append(mark)
        self._by_item.setdefault(mark.item, []).append(mark)
        self._by_title.add(mark.title, mark)
        if len(self._marks) > MAX_MARKS:
            self._forget(self._marks.popleft())

    def _forget(self, mark: _Mark) -> None:
        self._by_title.discard(mark.title, mark)
        of_item = self._by_item[mark.item]
        of_item.remove(mark)
        if not of_item:
            del self._by_item[mark.item]

    def _snapshot(self) -> dict[str, Any]:
        return {"marks": [mark.raw for mark in self._marks]}


def _marks(stored: dict[str, Any]) -> list[_Mark]:
    """Return the marks of a stored form; raises what `DAMAGE` lists."""
    return [_from_dict(entry) for entry in stored["marks"]]


def _names(title: Title) -> Title:
    """Return what a history says of a title that is gone from its server."""
    return replace(
        title, year=None, ids={}, show_ids={}, items={}, show_items={}, duration=None
    )


def _to_dict(mark: _Mark) -> dict[str, Any]:
    return {
        "item": mark.item,
        "first": mark.first.isoformat(),
        "last": mark.last.isoformat(),
        **title_to_dict(mark.title),
    }


def _from_dict(stored: Mapping[str, Any]) -> _Mark:
    """Return the mark of a stored form; raises KeyError, TypeError or ValueError."""
    if not isinstance(item := stored["item"], str):
        raise TypeError(f"item is {item!r}")
    return _Mark(
        item=item,
        title=title_from_dict(stored),
        first=time_from_text(stored["first"]),
        last=time_from_text(stored["last"]),
    )
