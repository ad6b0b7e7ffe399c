"""Flows: signing in at plex.tv by a PIN that is confirmed in the browser."""

from abc import abstractmethod
import asyncio
from typing import Any, override

from homeassistant.config_entries import (
    ConfigEntryBaseFlow,
    ConfigFlowContext,
    ConfigFlowResult,
)
from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowManager
from homeassistant.helpers import instance_id

from .domain.media_server import MediaServerError
from .plex.account import PinSignIn


class PlexPinSteps(ConfigEntryBaseFlow):
    """The steps from the browser back to the flow, whichever flow that is."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self._pin_url: str | None = None
        self._pin_task: asyncio.Task[str] | None = None

    @property
    @abstractmethod
    def _flows(self) -> FlowManager[ConfigFlowContext, ConfigFlowResult]:
        """Return what goes on with the flow."""

    @abstractmethod
    async def _async_plex_signed_in(self, token: str) -> ConfigFlowResult:
        """Go on with the account's token; raises MediaServerError if it is no good."""

    @abstractmethod
    async def async_step_plex_not_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that nothing has been confirmed, and offer to try again."""

    async def async_step_plex_sign_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Have the person confirm in the browser, and wait for it."""
        if self._pin_task is None:
            pin = PinSignIn(self.hass, await instance_id.async_get(self.hass))
            try:
                self._pin_url = await pin.async_url()
            except MediaServerError:
                return self.async_abort(reason="plex_tv_unreachable")
            self._pin_task = self.hass.async_create_background_task(
                pin.async_token(), "plex sign-in"
            )
            self._pin_task.add_done_callback(self._pin_done)
        if not self._pin_task.done():
            return self.async_external_step(
                step_id="plex_sign_in", url=self._pin_url or ""
            )
        return self.async_external_step_done(next_step_id="plex_signed_in")

    @callback
    def _pin_done(self, task: asyncio.Task[str]) -> None:
        if not task.cancelled():
            self.hass.async_create_task(
                self._flows.async_configure(self.flow_id), "plex signed in"
            )

    @callback
    @override
    def async_remove(self) -> None:
        """Wait no more for a sign-in when the flow has ended."""
        super().async_remove()
        if self._pin_task is not None:
            self._pin_task.cancel()

    async def async_step_plex_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with the account that has signed in."""
        assert self._pin_task is not None
        try:
            return await self._async_plex_signed_in(self._pin_task.result())
        except MediaServerError, TimeoutError:
            self._pin_task = None
            return await self.async_step_plex_not_signed_in()
