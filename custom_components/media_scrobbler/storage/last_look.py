"""When a server was last asked, with success, for what was completed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from homeassistant.core import HomeAssistant, callback

from .codec import time_from_text
from .store import ConfirmingStore, Migration

VERSION = 1
MINOR_VERSION = 1

SAVE_DELAY = 30.0
"""Seconds before it is written: who forgets the last look only has to look further back."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """How much a server's history had from before a time in UTC.

    `newest` is the greatest number that anything in it had. What is told late makes it more.
    """

    before: datetime
    count: int
    newest: int | None


class LastLook:
    """The beginnings of the last look at a server's history, and of the last thorough one.

    In UTC; None before the first. `earlier` is None where the server does not tell.
    """

    def __init__(
        self, hass: HomeAssistant, key: str, *, migrate: Migration | None = None
    ) -> None:
        """Start without any."""
        self._store = ConfirmingStore(
            hass,
            f"last_look.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self.at: datetime | None = None
        self.thorough_at: datetime | None = None
        self.earlier: Earlier | None = None

    async def async_load(self) -> None:
        """Read it once; what could not be read is tried again."""
        known = await self._store.async_load_once(_known)
        if known is not None and self.at is None:
            self.at, self.thorough_at, self.earlier = known

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why; nothing is written then."""
        return self._store.unreadable

    @callback
    def note(
        self, at: datetime, *, thorough: bool, earlier: Earlier | None = None
    ) -> None:
        """Remember a look that has succeeded."""
        self.at, self.earlier = at, earlier
        if thorough or self.thorough_at is None:
            self.thorough_at = at
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    async def async_remove(self) -> None:
        """Remove the file."""
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        assert self.at is not None and self.thorough_at is not None
        stored: dict[str, Any] = {
            "at": self.at.isoformat(),
            "thorough_at": self.thorough_at.isoformat(),
        }
        if self.earlier is not None:
            stored["earlier"] = {
                "before": self.earlier.before.isoformat(),
                "count": self.earlier.count,
                "newest": self.earlier.newest,
            }
        return stored


def _known(
    stored: Mapping[str, Any],
) -> tuple[datetime, datetime, Earlier | None]:
    """Return what is known by a stored form; raises what `DAMAGE` lists."""
    earlier = _earlier_from_dict(stored["earlier"]) if "earlier" in stored else None
    return time_from_text(stored["at"]), time_from_text(stored["thorough_at"]), earlier


def _earlier_from_dict(stored: Mapping[str, Any]) -> Earlier:
    """Return what was stored; raises KeyError, TypeError or ValueError."""
    count, newest = stored["count"], stored["newest"]
    if type(count) is not int or not isinstance(newest, int | None):
        raise TypeError(f"earlier is {stored!r}")
    return Earlier(time_from_text(stored["before"]), count, newest)
