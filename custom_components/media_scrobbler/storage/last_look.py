"""When a server was last asked, with success, for what was completed."""

from datetime import datetime
import logging
from typing import Any

from homeassistant.core import HomeAssistant, callback

from .codec import time_from_text
from .store import ConfirmingStore, Migration, UnreadableStoreError

_LOGGER = logging.getLogger(__name__)

VERSION = 1
MINOR_VERSION = 1

SAVE_DELAY = 30.0
"""Seconds before it is written: who forgets the last look only has to look further back."""


class LastLook:
    """The beginnings of the last look at a server's history, and of the last thorough one.

    In UTC; None before the first.
    """

    def __init__(
        self, hass: HomeAssistant, key: str, *, migrate: Migration | None = None
    ) -> None:
        """Start without any."""
        self._hass = hass
        self._store = ConfirmingStore(
            hass,
            f"last_look.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._loaded = False
        self.at: datetime | None = None
        self.thorough_at: datetime | None = None

    async def async_load(self) -> None:
        """Read it once."""
        if self._loaded:
            return
        self._loaded = True
        try:
            stored = await self._hass.async_add_executor_job(self._store.read)
            if stored is not None:
                at = time_from_text(stored["at"])
                self.thorough_at = time_from_text(stored["thorough_at"])
                self.at = at
        except (UnreadableStoreError, KeyError, TypeError, ValueError) as err:
            _LOGGER.warning("A server is asked for all that was completed: %s", err)

    @callback
    def note(self, at: datetime, *, thorough: bool) -> None:
        """Remember a look that has succeeded."""
        self.at = at
        if thorough or self.thorough_at is None:
            self.thorough_at = at
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    async def async_remove(self) -> None:
        """Remove the file."""
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        assert self.at is not None and self.thorough_at is not None
        return {
            "at": self.at.isoformat(),
            "thorough_at": self.thorough_at.isoformat(),
        }
