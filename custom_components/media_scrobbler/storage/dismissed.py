"""What a person has taken out of a history, or corrected in it: no server knows it better."""

from collections import deque
import logging
from typing import Any

from homeassistant.core import HomeAssistant, callback
import orjson

from ..domain.play import Play, Report
from ..domain.rules import viewing_gap
from ..domain.title import same_title
from .codec import play_from_dict, play_to_dict
from .store import ConfirmingStore, Migration, UnreadableStoreError

_LOGGER = logging.getLogger(__name__)

VERSION = 1
MINOR_VERSION = 1

MAX_PLAYS = 500
"""Plays that are remembered: servers are only asked for what was completed lately."""

SAVE_DELAY = 2.0
"""Seconds before a change is written: many are made at a time, one by one."""


class Dismissed:
    """The plays of one viewer as they were before a person removed or corrected them."""

    def __init__(
        self, hass: HomeAssistant, key: str, *, migrate: Migration | None = None
    ) -> None:
        """Start empty."""
        self._hass = hass
        self._store = ConfirmingStore(
            hass,
            f"dismissed.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._plays: deque[Play] = deque(maxlen=MAX_PLAYS)
        self._loaded = False

    async def async_load(self) -> None:
        """Read the plays once, to stand before what has been added meanwhile."""
        if self._loaded:
            return
        self._loaded = True
        try:
            stored = await self._hass.async_add_executor_job(self._store.read) or {}
            plays = [play_from_dict(play) for play in stored.get("plays", ())]
        except (
            UnreadableStoreError,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ) as err:
            _LOGGER.warning("Plays that were removed may come back: %s", err)
            return
        self._plays = deque((*plays, *self._plays), maxlen=MAX_PLAYS)

    @callback
    def add(self, play: Play) -> None:
        """Remember a play as it was."""
        self._plays.append(play)
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    def has(self, report: Report) -> bool:
        """Return whether a report is of a viewing that has been dismissed."""
        return any(
            viewing_gap(play, report.title, report.watched_at, report.source)
            is not None
            and same_title(play.title, report.title)
            for play in self._plays
        )

    async def async_remove(self) -> None:
        """Remove the file."""
        self._plays.clear()
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        """Return what is stored, in the executor: more may be added meanwhile."""
        return {
            "plays": [
                orjson.Fragment(orjson.dumps(play_to_dict(play)))
                for play in list(self._plays)
            ]
        }
