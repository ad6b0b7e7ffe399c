"""The poster of what a viewer watched last."""

from base64 import b64decode, b64encode
from datetime import datetime
import logging
from typing import Any

from homeassistant.core import HomeAssistant, callback

from .codec import time_from_text
from .store import ConfirmingStore, UnreadableStoreError

_LOGGER = logging.getLogger(__name__)

VERSION = 1
MINOR_VERSION = 1
SAVE_DELAY = 30.0
"""Seconds before a poster is written: it is an ornament, and the next one follows."""


class Poster:
    """A JPEG and since when it is shown, or nothing."""

    def __init__(self, hass: HomeAssistant, key: str) -> None:
        """Start with nothing."""
        self._hass = hass
        self._store = ConfirmingStore(
            hass, key, version=VERSION, minor_version=MINOR_VERSION
        )
        self._loaded = False
        self.jpeg: bytes | None = None
        self.since: datetime | None = None

    async def async_load(self) -> None:
        """Read the poster, once."""
        if self._loaded:
            return
        self._loaded = True
        try:
            stored = await self._hass.async_add_executor_job(self._store.read)
            if stored and self.since is None:
                jpeg, since = b64decode(stored["jpeg"]), time_from_text(stored["since"])
                self.jpeg, self.since = jpeg, since
        except (UnreadableStoreError, KeyError, TypeError, ValueError) as err:
            _LOGGER.warning("The last poster is gone: %s", err)

    @callback
    def show(self, jpeg: bytes | None, since: datetime) -> None:
        """Show another poster, or none where there is none of the title."""
        if jpeg is None and self.jpeg is None:
            return
        self.jpeg, self.since = jpeg, since
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    async def async_remove(self) -> None:
        """Remove the file."""
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        if self.jpeg is None or self.since is None:
            return {}
        return {
            "jpeg": b64encode(self.jpeg).decode(),
            "since": self.since.isoformat(),
        }
