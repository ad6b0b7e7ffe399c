"""A viewer's ratings: one per title, kept until it is taken back."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from homeassistant.core import HomeAssistant

from ..domain.title import Title, combine
from ..domain.title_map import TitleMap
from .codec import time_from_text, title_from_dict, title_to_dict
from .store import ConfirmingStore, Migration, UnreadableStoreError
from .writer import Writer

VERSION = 1
MINOR_VERSION = 1


@dataclass(slots=True)
class _Rating:
    title: Title
    value: float
    rated_at: datetime


class Ratings:
    """The ratings of one viewer, from 0 to 10."""

    def __init__(
        self,
        hass: HomeAssistant,
        key: str,
        *,
        on_trouble: Callable[[], None] = lambda: None,
        migrate: Migration | None = None,
    ) -> None:
        """Name the file; nothing is read yet."""
        self._hass = hass
        self._on_trouble = on_trouble
        self._store = ConfirmingStore(
            hass, key, version=VERSION, minor_version=MINOR_VERSION, migrate=migrate
        )
        self._ratings: list[_Rating] = []
        self._by_title = TitleMap[_Rating]()
        self._writer = Writer(hass, self._store, self._snapshot, on_trouble)
        self._unreadable: str | None = None
        self._loaded = False
        self._loading = asyncio.Lock()

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return self._writer.failing

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why."""
        return {self._store.path: self._unreadable} if self._unreadable else {}

    def __len__(self) -> int:
        """Return how many titles are rated."""
        return len(self._ratings)

    async def async_load(self) -> None:
        """Read the ratings, once; those of an unreadable file are unknown until it is mended."""
        async with self._loading:
            if self._loaded:
                return
            try:
                stored = await self._hass.async_add_executor_job(self._read)
            except UnreadableStoreError as err:
                self._unreadable = str(err)
                self._on_trouble()
                return
            self._loaded = True
            was_unreadable, self._unreadable = self._unreadable, None
            for rating in stored:
                self._add(rating)
        if was_unreadable:
            self._on_trouble()

    def get(self, title: Title) -> float | None:
        """Return a title's rating."""
        rating = self._by_title.find(title)
        return rating.value if rating else None

    async def async_set(
        self, title: Title, value: float | None, rated_at: datetime
    ) -> bool:
        """Rate a title, or take its rating back with None; returns whether that is new.

        Raises UnreadableStoreError while the file cannot be read, and StorageWriteError
        when it could not be written: the rating is kept and written later.
        """
        await self.async_load()
        if self._unreadable:
            raise UnreadableStoreError(self._unreadable)
        known = self._by_title.find(title)
        if (known.value if known else None) == value:
            return False
        if known is not None:
            self._discard(known)
            title = combine(known.title, title)
        if value is not None:
            self._add(_Rating(title, value, rated_at))
        if (written := self._writer.save()) is not None:
            await written
        return True

    async def async_settled(self) -> None:
        """Return when nothing waits to be written again."""
        await self._writer.async_settled()

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        await self._writer.async_flush()

    async def async_remove(self) -> None:
        """Remove the file."""
        await self._writer.async_remove()
        self._unreadable = None

    def _read(self) -> list[_Rating]:
        stored = self._store.read() or {"ratings": []}
        try:
            return [
                _Rating(
                    title_from_dict(entry),
                    float(entry["rating"]),
                    time_from_text(entry["rated_at"]),
                )
                for entry in stored["ratings"]
            ]
        except (AttributeError, KeyError, TypeError, ValueError) as err:
            raise UnreadableStoreError(f"a rating is damaged: {err!r}") from err

    def _snapshot(self) -> dict[str, Any]:
        return {
            "ratings": [
                {
                    **title_to_dict(rating.title),
                    "rating": rating.value,
                    "rated_at": rating.rated_at.isoformat(),
                }
                for rating in self._ratings
            ]
        }

    def _add(self, rating: _Rating) -> None:
        self._ratings.append(rating)
        self._by_title.add(rating.title, rating)

    def _discard(self, rating: _Rating) -> None:
        self._ratings.remove(rating)
        self._by_title.discard(rating.title, rating)
