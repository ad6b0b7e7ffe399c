"""Postponing: what a service does not want to be asked yet goes on by itself later."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN

SHORTEST_PAUSE = timedelta(minutes=1)
FIRST_PAUSE = timedelta(minutes=15)
"""How long it is put off where nobody says for how long; each further time twice as long."""

LONGEST_PAUSE = timedelta(hours=6)
"""For how long it is put off at most, whatever is asked for."""

MAX_IN_VAIN = 8
"""How often it goes on in a row without having come any further."""


class Postponement:
    """The next time at which something goes on, if it has been put off."""

    def __init__(
        self, hass: HomeAssistant, go_on: Callable[[], Awaitable[None]]
    ) -> None:
        """Take what goes on."""
        self._hass = hass
        self._go_on = go_on
        self._cancel: CALLBACK_TYPE | None = None
        self._in_vain = 0
        self.is_open = False
        """Whether something has been left for later, and not been done since."""

    @callback
    def put_off(self, wanted: float | None, *, has_progressed: bool) -> None:
        """Have it go on later, after the seconds that are wanted if that is within reason."""
        self._cancel_timer()
        self._in_vain = 0 if has_progressed else self._in_vain + 1
        self.is_open = self._in_vain <= MAX_IN_VAIN
        if not self.is_open:
            self._in_vain = 0
            return
        pause = FIRST_PAUSE * 2**self._in_vain
        if wanted is not None:
            pause = timedelta(seconds=min(wanted, LONGEST_PAUSE.total_seconds()))

        async def go_on(_now: datetime) -> None:
            self._cancel = None
            await self._go_on()

        self._cancel = async_call_later(
            self._hass,
            min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE),
            HassJob(go_on, f"{DOMAIN} postponed", cancel_on_shutdown=True),
        )

    @callback
    def end(self) -> None:
        """Have nothing go on any more, as when all has been done."""
        self._cancel_timer()
        self._in_vain = 0
        self.is_open = False

    @callback
    def _cancel_timer(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
