"""The poster of what a viewer watched last."""

from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any

from homeassistant.core import HomeAssistant, callback

from ..domain.picture import picture_type
from .codec import time_from_text
from .store import ConfirmingStore

VERSION = 1
MINOR_VERSION = 1
SAVE_DELAY = 30.0
"""Seconds before a poster is written: it is an ornament, and the next one follows."""


class Poster:
    """A picture and since when it is shown, or nothing."""

    def __init__(self, hass: HomeAssistant, key: str) -> None:
        """Start with nothing."""
        self._store = ConfirmingStore(
            hass, key, version=VERSION, minor_version=MINOR_VERSION
        )
        self.picture: bytes | None = None
        self.since: datetime | None = None

    async def async_load(self) -> None:
        """Read the poster, once; what could not be read is tried again."""
        poster = await self._store.async_load_once(_poster)
        if poster is not None and self.since is None:
            self.picture, self.since = poster

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why; nothing is written then."""
        return self._store.unreadable

    @callback
    def show(self, picture: bytes | None, since: datetime) -> None:
        """Show another poster, or none where there is none of the title."""
        if picture is None and self.picture is None:
            return
        self.picture, self.since = picture, since
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    async def async_remove(self) -> None:
        """Remove the file."""
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        if self.picture is None or self.since is None:
            return {}
        return {
            "jpeg": b64encode(self.picture).decode(),
            "since": self.since.isoformat(),
        }


def _poster(stored: dict[str, Any]) -> tuple[bytes, datetime] | None:
    """Return the poster of a stored form, if there is one; raises what `DAMAGE` lists."""
    if not stored:
        return None
    # Whatever kind of picture it is: once all were taken for JPEGs.
    picture = b64decode(stored["jpeg"], validate=True)
    if picture_type(picture) is None:
        return None
    return picture, time_from_text(stored["since"])
