"""What a person has taken out of a history, or corrected in it: no server knows better."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
import logging
from typing import Any

from homeassistant.core import HomeAssistant
import orjson

from ..const import DOMAIN
from ..domain.play import Play, Report
from ..domain.rules import viewing_gap
from ..domain.title_map import TitleMap
from .codec import play_from_dict, play_to_dict
from .store import ConfirmingStore, Migration, UnreadableStoreError
from .writer import StorageWriteError, Writer

_LOGGER = logging.getLogger(__name__)

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
        """Start empty; `on_trouble` is called whenever `failing` has changed."""
        self._hass = hass
        self._store = ConfirmingStore(
            hass,
            f"dismissed.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._writer = Writer(hass, self._store, self._snapshot, on_trouble)
        self._plays: deque[Play] = deque()
        self._by_title = TitleMap[Play]()
        self._loading: asyncio.Task[None] | None = None

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return self._writer.failing

    async def async_load(self) -> None:
        """Read the plays, once; later calls wait for the first."""
        if self._loading is None:
            self._loading = self._hass.async_create_background_task(
                self._async_load(), f"{DOMAIN} load {self._store.key}"
            )
        await asyncio.shield(self._loading)

    async def _async_load(self) -> None:
        try:
            stored = await self._hass.async_add_executor_job(self._store.read) or {}
            for play in map(play_from_dict, stored.get("plays", ())):
                self._add(play)
        except (
            UnreadableStoreError,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ) as err:
            _LOGGER.warning("Plays that were removed may come back: %s", err)

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
        """Remove the file."""
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
