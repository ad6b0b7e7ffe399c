"""The last times that a viewer's watchlist was imported."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from homeassistant.core import HomeAssistant, callback

from .codec import time_from_text
from .store import ConfirmingStore, Migration

VERSION = 1
MINOR_VERSION = 1
MAX_RUNS = 20
SAVE_DELAY = 30.0
"""Seconds before the log is written: it explains, it is no history."""

_COUNTS = (
    "imported",
    "already_present",
    "removed_here",
    "removed_there",
    "added_there",
)


class Trigger(StrEnum):
    """What an import was started by."""

    ACTION = "action"
    TIMER = "timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One import, begun at a time in UTC; `duration` is in seconds.

    `unmatched` names what was imported but has no id that others know as well, and what
    could not be found at Plex, or not be understood. `postponed` counts what Plex did not
    want to be asked or told yet. `error` says why the import failed.
    """

    at: datetime
    duration: float
    trigger: Trigger
    dry_run: bool = False
    imported: int = 0
    already_present: int = 0
    unmatched: tuple[str, ...] = ()
    removed_here: int = 0
    removed_there: int = 0
    added_there: int = 0
    postponed: int = 0
    error: str | None = None


class ImportLog:
    """What came of the last imports."""

    def __init__(
        self, hass: HomeAssistant, key: str, *, migrate: Migration | None = None
    ) -> None:
        """Start empty."""
        self._store = ConfirmingStore(
            hass,
            f"import_log.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._runs: deque[Run] = deque(maxlen=MAX_RUNS)

    async def async_load(self) -> None:
        """Read the log once, to stand before what has been added meanwhile.

        What could not be read is tried again.
        """
        if runs := await self._store.async_load_once(_runs):
            self._runs = deque((*runs, *self._runs), maxlen=MAX_RUNS)

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why; nothing is written then."""
        return self._store.unreadable

    @property
    def last(self) -> Run | None:
        """Return the last import."""
        return self._runs[-1] if self._runs else None

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return the last imports, newest first."""
        return tuple(reversed(self._runs))

    @callback
    def add(self, run: Run) -> None:
        """Add an import."""
        self._runs.append(run)
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    async def async_remove(self) -> None:
        """Remove the file."""
        self._runs.clear()
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        """Return what is stored, in the executor: the imports go on meanwhile."""
        return {"runs": [_run_to_dict(run) for run in list(self._runs)]}


def _run_to_dict(run: Run) -> dict[str, Any]:
    stored = asdict(run) | {"at": run.at.isoformat(), "trigger": run.trigger.value}
    if not run.postponed:
        del stored["postponed"]
    return stored


def _runs(stored: dict[str, Any]) -> list[Run]:
    """Return the imports of a stored form; raises what `DAMAGE` lists."""
    return [_run_from_dict(run) for run in stored["runs"]]


def _run_from_dict(stored: Mapping[str, Any]) -> Run:
    """Return the run of a stored form; raises KeyError, TypeError or ValueError."""
    error, unmatched, duration = (
        stored["error"],
        stored["unmatched"],
        stored["duration"],
    )
    if not isinstance(error, str | None):
        raise TypeError(f"error is {error!r}")
    if type(unmatched) is not list or not all(
        isinstance(name, str) for name in unmatched
    ):
        raise TypeError(f"unmatched is {unmatched!r}")
    if type(duration) not in (int, float):
        raise TypeError(f"duration is {duration!r}")
    counts = {count: stored[count] for count in _COUNTS}
    counts["postponed"] = stored.get("postponed", 0)
    for key, count in counts.items():
        if type(count) is not int:
            raise TypeError(f"{key} is {count!r}")
    return Run(
        at=time_from_text(stored["at"]),
        duration=float(duration),
        trigger=Trigger(stored["trigger"]),
        dry_run=stored["dry_run"] is True,
        unmatched=tuple(unmatched),
        error=error,
        **counts,
    )
