"""The last webhooks of a server, with what became of them."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant, callback

from ..domain.event import MediaEvent
from ..domain.outcome import Answer
from .codec import time_from_text
from .store import ConfirmingStore, Migration

VERSION = 1
MINOR_VERSION = 1
MAX_EVENTS = 500
SAVE_DELAY = 30.0
"""Seconds before the log is written: it explains, it is no history."""

QUIET = timedelta(minutes=5)
"""How long the last webhook that is shown stays the last while nothing comes but such as
are no entries."""

_TEXT_KEYS = ("event", "server", "account", "player", "server_identity", "title")

type _Entry = tuple[datetime, Answer, MediaEvent | None]


class WebhookLog:
    """What arrived and what became of it.

    Nothing else of a request is kept: no body, no address, no webhook id.
    """

    def __init__(
        self, hass: HomeAssistant, key: str, *, migrate: Migration | None = None
    ) -> None:
        """Start empty."""
        self._store = ConfirmingStore(
            hass,
            f"webhook_log.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._events: deque[_Entry | dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self._last: _Entry | dict[str, Any] | None = None
        self._last_at: datetime | None = None

    async def async_load(self) -> None:
        """Read the log once, to stand before what has been added meanwhile.

        What could not be read is tried again.
        """
        if events := await self._store.async_load_once(_entries):
            self._events = deque((*events, *self._events), maxlen=MAX_EVENTS)
            if self._last is None:
                self._last = events[-1]
                self._last_at = time_from_text(events[-1]["at"])

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why; nothing is written then."""
        return self._store.unreadable

    @property
    def last(self) -> dict[str, Any] | None:
        """Return the last webhook that is to be shown."""
        return _as_dict(self._last) if self._last is not None else None

    @callback
    def add(self, at: datetime, answer: Answer, event: MediaEvent | None) -> None:
        """Add a webhook."""
        self._last, self._last_at = (at, answer, event), at
        self._events.append(self._last)
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    @callback
    def touch(self, at: datetime, answer: Answer, event: MediaEvent | None) -> bool:
        """Hear of a webhook that is no entry; returns whether the last one is another now.

        Such as come every second are shown every few minutes: the server is alive.
        """
        if self._last_at is not None and at - self._last_at < QUIET:
            return False
        self._last, self._last_at = (at, answer, event), at
        return True

    def newest(self, limit: int = MAX_EVENTS) -> list[dict[str, Any]]:
        """Return the last webhooks, newest first."""
        return [_as_dict(entry) for entry in list(self._events)[: -limit - 1 : -1]]

    async def async_remove(self) -> None:
        """Remove the file."""
        self._events.clear()
        self._last = None
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        """Return what is stored, in the executor: the events go on meanwhile."""
        return {"events": [_as_dict(entry) for entry in list(self._events)]}


def _entries(stored: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the webhooks of a stored form; raises what `DAMAGE` lists."""
    entries: list[dict[str, Any]] = stored["events"]
    for entry in entries:
        time_from_text(entry["at"])
        viewers = entry.get("viewers", [])
        texts = [entry["outcome"], entry["reason"], *viewers]
        texts += [entry[key] for key in _TEXT_KEYS if key in entry]
        if type(viewers) is not list or not all(
            isinstance(text, str) for text in texts
        ):
            raise TypeError(f"{entry} is no webhook")
    return entries


def _as_dict(entry: _Entry | dict[str, Any]) -> dict[str, Any]:
    """Return an entry as it is stored and shown: made on demand, for floods of webhooks."""
    if isinstance(entry, dict):
        return entry
    at, answer, event = entry
    shown: dict[str, Any] = {
        "at": at.isoformat(),
        "outcome": answer.outcome.value,
        "reason": answer.reason,
    }
    if answer.event is not None:
        shown["event"] = answer.event
    if event is not None:
        for key, party in (
            ("server", event.server),
            ("account", event.account),
            ("player", event.player),
        ):
            if party is not None and (name := party.name or party.id):
                shown[key] = name
        if event.server.id:
            shown["server_identity"] = event.server.id
    if answer.title is not None and (label := answer.title.label):
        shown["title"] = label
    if answer.viewers:
        shown["viewers"] = list(answer.viewers)
    return shown
