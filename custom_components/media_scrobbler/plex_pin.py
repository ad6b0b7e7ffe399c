"""Flows: signing in at plex.tv by a PIN that is confirmed in the browser."""

from abc import abstractmethod
import asyncio
from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.helpers import instance_id

from .domain.media_server import MediaServerError
from .flow_base import WaitingFlow
from .plex.pin import PinSignIn


class PlexPinSteps(WaitingFlow):
    """The steps from the browser back to the flow, whichever flow that is."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self._pin_url = ""
        self._pin_task: asyncio.Task[str] | None = None

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
        """Show where to confirm, and wait for it.

        Not an external step: of one in an options flow, the frontend shows no text.
        """
        if self._pin_task is None:
            pin = PinSignIn(self.hass, await instance_id.async_get(self.hass))
            try:
                self._pin_url = await pin.async_url()
            except MediaServerError:
                return self.async_abort(reason="plex_tv_unreachable")
            self._pin_task = self._async_wait_for(pin.async_token(), "plex sign-in")
        if not self._pin_task.done():
            return self.async_show_progress(
                step_id="plex_sign_in",
                progress_action="plex_sign_in",
                description_placeholders={"url": self._pin_url},
                progress_task=self._pin_task,
            )
        return self.async_show_progress_done(next_step_id="plex_signed_in")

    async def async_step_plex_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with the account that has signed in."""
        assert self._pin_task is not None
        try:
            return await self._async_plex_signed_in(self._pin_task.result())
        except MediaServerError:
            self._pin_task = None
            return await self.async_step_plex_not_signed_in()
