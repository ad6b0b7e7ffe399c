"""What entities listen to, by config entry."""

from typing import Any

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.event import async_call_later
from homeassistant.util.signal_type import SignalType

from .const import DOMAIN

UPDATE_INTERVAL = 0.5
"""Seconds between updates of the entities of one entry while events flood in."""


def signal_update(entry_id: str) -> SignalType[()]:
    """Return the signal that something about a server or viewer has changed."""
    return SignalType(f"{DOMAIN}_{entry_id}_update")


def signal_event(entry_id: str) -> SignalType[str, str, dict[str, Any]]:
    """Return the signal for event entities: which one, the event type, its data."""
    return SignalType(f"{DOMAIN}_{entry_id}_event")


class Updates:
    """Sends an entry's update signal: at once, and then at most so often."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Take whose updates these are."""
        self._hass = hass
        self._signal = signal_update(entry_id)
        self._pause: CALLBACK_TYPE | None = None
        self._again = False
        self._job = HassJob(self._pause_over, cancel_on_shutdown=True)

    @callback
    def send(self) -> None:
        """Send the signal now, or after the pause if one has just been sent."""
        if self._pause is not None:
            self._again = True
            return
        self._pause = async_call_later(self._hass, UPDATE_INTERVAL, self._job)
        async_dispatcher_send(self._hass, self._signal)

    @callback
    def _pause_over(self, _now: Any) -> None:
        self._pause = None
        if self._again:
            self._again = False
            self.send()

    @callback
    def stop(self) -> None:
        """Send nothing more."""
        if self._pause is not None:
            self._pause()
            self._pause = None
