"""Writing that is shared, confirmed and never given up."""

import asyncio
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any, Protocol

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN

RETRY_DELAYS = (5, 15, 60, 300)
"""Seconds between attempts to write what could not be written; the last one repeats."""


class StorageWriteError(HomeAssistantError):
    """A change is kept in memory and will be written as soon as that is possible."""


class Confirming(Protocol):
    """What is written: a file of a key, or several."""

    key: str

    @property
    def path(self) -> str:
        """Return the file that is written."""

    async def async_confirm_save(self, data: dict[str, Any], /) -> None:
        """Write the data; raises HomeAssistantError or OSError when it is not on disk."""

    async def async_remove(self) -> None:
        """Remove what has been written, as far as that can be done."""


class Writer:
    """Writes the newest state of one store.

    Whoever asks while a write is under way shares the next one. What could not be written
    is tried again until it can be.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        store: Confirming,
        snapshot: Callable[[], dict[str, Any] | None],
        on_trouble: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the store and where its data comes from.

        `snapshot` is called in the event loop, what it returns is serialised in the
        executor; None is for no file at all. `on_trouble` is called whenever `failing` has
        changed.
        """
        self._hass = hass
        self._store = store
        self._snapshot = snapshot
        self._on_trouble = on_trouble
        self._dirty = False
        self._waiting: list[asyncio.Future[None]] = []
        self._writing: asyncio.Task[None] | None = None
        self._retrying: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Return whether everything is on disk."""
        return not self._dirty and self._writing is None

    @property
    def failing(self) -> bool:
        """Return whether the last write failed and is being tried again."""
        return self._retrying is not None

    @callback
    def save(self, *, changed: bool = True) -> asyncio.Future[None] | None:
        """Have the present state written.

        Returns what to wait for: it raises StorageWriteError if the write fails. Returns
        None if nothing has changed since the last write.
        """
        self._dirty = self._dirty or changed
        if self.idle:
            return None
        written: asyncio.Future[None] = self._hass.loop.create_future()
        self._waiting.append(written)
        if self._writing is None:
            # Not at once: what else happens in this turn of the loop goes along.
            self._writing = self._hass.async_create_task(
                self._async_write(), f"{self._store.key} write", eager_start=False
            )
        return written

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        if (written := self.save(changed=False)) is not None:
            await asyncio.wait([written])
            written.exception()

    async def async_settled(self) -> None:
        """Return when nothing waits to be tried again."""
        while self._retrying is not None:
            await asyncio.wait([self._retrying])

    async def async_remove(self) -> None:
        """Remove the file, after any write that is under way."""
        self._dirty = False
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._store.async_remove()

    async def _async_write(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                error = await self._async_write_once()
                for future in waiting:
                    if future.done():
                        continue
                    if error is None:
                        future.set_result(None)
                    else:
                        future.set_exception(error)
                        # Whoever does not wait for it, or has given up, misses nothing:
                        # it is tried again, and a person is told of it.
                        future.exception()
        finally:
            self._writing = None

    async def _async_write_once(self) -> StorageWriteError | None:
        if not self._dirty:
            return None
        self._dirty = False
        try:
            if (data := self._snapshot()) is None:
                await self._store.async_remove()
            else:
                await self._store.async_confirm_save(data)
        except (HomeAssistantError, OSError) as err:
            self._dirty = True
            if self._retrying is None:
                self._retrying = self._hass.async_create_background_task(
                    self._async_retry(), f"{self._store.key} retry"
                )
                self._on_trouble()
            error = StorageWriteError(
                translation_domain=DOMAIN,
                translation_key="not_written",
                translation_placeholders={"path": self._store.path},
            )
            error.__cause__ = err
            return error
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None
            self._on_trouble()
        return None

    async def _async_retry(self) -> None:
        """Try again and again; ended by the first write that succeeds."""
        for delay in chain(RETRY_DELAYS, repeat(RETRY_DELAYS[-1])):
            await asyncio.sleep(delay)
            await self.async_flush()
