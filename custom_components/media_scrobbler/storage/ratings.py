"""A viewer's ratings: one per title, kept until it is taken back."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
import math
from typing import Any

from homeassistant.core import HomeAssistant
import orjson

from ..domain.title import Title, combine
from ..domain.title_map import TitleMap
from .codec import time_from_text, title_from_dict, title_to_dict
from .store import ConfirmingStore, Migration, UnreadableStoreError
from .writer import Writer

VERSION = 1
MINOR_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Rating:
    """A rating, encoded at once: what cannot be is refused before it is with the others."""

    title: Title
    value: float
    rated_at: datetime
    raw: orjson.Fragment = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Encode the rating; raises TypeError or ValueError if that cannot be done."""
        if not 0 <= self.value <= 10 or math.isnan(self.value):
            raise ValueError(f"rating is {self.value!r}")
        stored = {
            **title_to_dict(self.title),
            "rating": self.value,
            "rated_at": self.rated_at.isoformat(),
        }
        object.__setattr__(self, "raw", orjson.Fragment(orjson.dumps(stored)))


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
        self._loaded = False
        self._loading = asyncio.Lock()

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return self._writer.failing

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why."""
        return self._store.unreadable

    def __len__(self) -> int:
        """Return how many titles are rated."""
        return len(self._ratings)

    async def async_load(self) -> None:
        """Read the ratings, once; those of an unreadable file are unknown until it is mended."""
        async with self._loading:
            if self._loaded:
                return
            was_unreadable = bool(self.unreadable)
            try:
                stored = await self._store.async_load_as(_ratings)
            except UnreadableStoreError:
                self._on_trouble()
                return
            self._loaded = True
            for rating in stored or ():
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

        Raises UnreadableStoreError while the file cannot be read, TypeError or ValueError
        for what cannot be stored, both with nothing changed, and StorageWriteError when it
        could not be written: the rating is kept and written later.
        """
        await self.async_load()
        if self.unreadable:
            raise UnreadableStoreError(*self.unreadable.values())
        known = self._by_title.find(title)
        if (known.value if known else None) == value:
            return False
        if known is not None:
            title = combine(known.title, title)
        rating = None if value is None else _Rating(title, value, rated_at)
        if known is not None:
            self._discard(known)
        if rating is not None:
            self._add(rating)
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

    def _snapshot(self) -> dict[str, Any]:
        return {"ratings": [rating.raw for rating in self._ratings]}

    def _add(self, rating: _Rating) -> None:
        self._ratings.append(rating)
        self._by_title.add(rating.title, rating)

    def _discard(self, rating: _Rating) -> None:
        self._ratings.remove(rating)
        self._by_title.discard(rating.title, rating)


def _ratings(stored: dict[str, Any]) -> list[_Rating]:
    """Return the ratings of a stored form; raises what `DAMAGE` lists."""
    return [
        _Rating(
            title_from_dict(entry),
            _value(entry["rating"]),
            time_from_text(entry["rated_at"]),
        )
        for entry in stored["ratings"]
    ]


def _value(stored: Any) -> float:
    if type(stored) not in (int, float):
        raise TypeError(f"rating is {stored!r}")
    return float(stored)
