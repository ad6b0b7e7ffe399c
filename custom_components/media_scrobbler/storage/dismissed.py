"""What a person has taken out of a history, or corrected in it: no server knows better."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import Any

from homeassistant.core import HomeAssistant
import orjson

from ..domain.play import Play, Report
from ..domain.rules import viewing_gap
from ..domain.title_map import TitleMap
from .codec import play_from_dict, play_to_dict
from .continued import ContinuedStore
from .store import Migration
from .writer import StorageWriteError, Writer

VERSION = 1
MINOR_VERSION = 1

MAX_PLAYS = 2000
"""Plays that are remembered, the latest: all of them are written together."""


class Dismissed:
    """The plays of one viewer as they were before a person removed or corrected them."""

    def __init__(
        self,
        hass: HomeAssistant,
        key: str,
        *,
        on_trouble: Callable[[], None] = lambda: None,
        migrate: Migration | None = None,
    ) -> None:
        """Start empty.

        `on_trouble` is called whenever `failing` or `unreadable` may have changed.
        """
        self._on_trouble = on_trouble
        self._store = ContinuedStore(
            hass,
            f"dismissed.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._writer = Writer(hass, self._store, self._snapshot, on_trouble)
        self._plays: deque[Play] = deque()
        self._by_title = TitleMap[Play]()
        self._is_loaded = False
        self._loading = asyncio.Lock()

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return self._writer.failing

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the files that could not be read, and why: plays in them may come back."""
        return self._store.unreadable

    async def async_load(self) -> None:
        """Read the plays, once; later calls wait for the first."""
        async with self._loading:
            if not self._is_loaded:
                await self._async_load()

    async def async_reload_unreadable(self) -> None:
        """Read again what could not be read."""
        await self.async_load()
        async with self._loading:
            if self.unreadable:
                await self._async_load()

    async def _async_load(self) -> None:
        was_unreadable = self.unreadable
        found = await self._store.async_load_as(_plays)
        # What was read before, or added, is later. Two files have the same plays while one is
        # being merged into the other.
        later, self._plays, self._by_title = self._plays, deque(), TitleMap()
        for play in chain(*found, later):
            if play not in self._by_title.find_all(play.title):
                self._add(play)
        if found and later:
            self._writer.save()
        self._is_loaded = True
        if was_unreadable or self.unreadable:
            self._on_trouble()

    async def async_add(self, play: Play) -> None:
        """Remember a play as it is; returns when that is on disk.

        What cannot be written is kept in memory and written later.
        """
        await self.async_load()
        self._add(play)
        written = self._writer.save()
        assert written is not None
        with suppress(StorageWriteError):
            await written

    def has(self, report: Report) -> bool:
        """Return whether a report is of a viewing that has been dismissed."""
        return any(
            viewing_gap(play, report.title, report.watched_at, report.source)
            is not None
            for play in self._by_title.find_all(report.title)
        )

    def _add(self, play: Play) -> None:
        if len(self._plays) == MAX_PLAYS:
            oldest = self._plays.popleft()
            self._by_title.discard(oldest.title, oldest)
        self._plays.append(play)
        self._by_title.add(play.title, play)

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        await self._writer.async_flush()

    async def async_remove(self) -> None:
        """Remove the files."""
        self._plays.clear()
        self._by_title = TitleMap()
        await self._writer.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        return {
            "plays": [
                orjson.Fragment(orjson.dumps(play_to_dict(play)))
                for play in self._plays
            ]
        }


def _plays(stored: dict[str, Any]) -> list[Play]:
    """Return the plays of a stored form; raises what `DAMAGE` lists."""
    return [play_from_dict(entry) for entry in stored["plays"]]
