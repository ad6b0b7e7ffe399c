"""What has been followed of the viewings of a server, as it is kept over a restart."""

from collections.abc import Mapping
from datetime import datetime
import logging
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from ..domain.viewing import Viewing, Viewings
from .codec import time_from_text, title_from_dict, title_to_dict
from .store import ConfirmingStore, Migration

_LOGGER = logging.getLogger(__name__)

VERSION = 1
MINOR_VERSION = 1

SAVE_DELAY = 5.0
"""Seconds before a beginning or an end is written."""


class StoredViewings(Viewings):
    """The viewings of one server, kept on disk."""

    def __init__(
        self, hass: HomeAssistant, key: str, *, migrate: Migration | None = None
    ) -> None:
        """Start with none."""
        super().__init__(self._changed)
        self._store = ConfirmingStore(
            hass,
            f"viewings.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )

    async def async_load(self) -> None:
        """Read them once, to stand before what has been followed meanwhile.

        What could not be read is tried again.
        """
        if viewings := await self._store.async_load_once(_viewings):
            self.restore(viewings)
        if self.unreadable:
            _LOGGER.warning("What was playing is not known any more")

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why; nothing is written then."""
        return self._store.unreadable

    @callback
    def _changed(self) -> None:
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    async def async_flush(self) -> None:
        """Write how far players have got, as when Home Assistant stops."""
        if not self._store.is_loaded or all(viewing.ended_at for viewing in self):
            return
        try:
            await self._store.async_confirm_save(self._snapshot())
        except HomeAssistantError as err:
            _LOGGER.warning("What is playing may not be known any more: %s", err)

    async def async_remove(self) -> None:
        """Remove the file."""
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        return {"viewings": [_to_dict(viewing) for viewing in list(self)]}


def _to_dict(viewing: Viewing) -> dict[str, Any]:
    return {
        "account": viewing.account,
        "player": viewing.player,
        "titles": [title_to_dict(title) for title in viewing.titles],
        "items": list(viewing.items),
        "begun_at": viewing.begun_at.isoformat(),
        "position": viewing.position,
        "reported_at": viewing.reported_at.isoformat(),
        "ran": viewing.ran,
        "is_paused": viewing.is_paused,
        "ended_at": viewing.ended_at.isoformat() if viewing.ended_at else None,
        "has_counted": viewing.has_counted,
        "shows_played": viewing.shows_played,
    }


def _viewings(stored: dict[str, Any]) -> list[Viewing]:
    """Return the viewings of a stored form; raises what `DAMAGE` lists."""
    return [_from_dict(viewing) for viewing in stored["viewings"]]


def _from_dict(stored: Mapping[str, Any]) -> Viewing:
    ended_at: datetime | None = None
    if (text := stored["ended_at"]) is not None:
        ended_at = time_from_text(text)
    return Viewing(
        account=str(stored["account"]),
        player=str(stored["player"]),
        titles=tuple(title_from_dict(title) for title in stored["titles"]),
        items=tuple(map(str, stored["items"])),
        begun_at=time_from_text(stored["begun_at"]),
        position=float(stored["position"]),
        reported_at=time_from_text(stored["reported_at"]),
        ran=float(stored["ran"]),
        is_paused=stored["is_paused"] is True,
        ended_at=ended_at,
        has_counted=stored["has_counted"] is True,
        shows_played=None if (shows := stored["shows_played"]) is None else bool(shows),
    )
