"""Config flow: adds servers and viewers, and changes them."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult, OptionsFlow
from homeassistant.core import callback

from .const import CONF_KIND, DOMAIN, KIND_VIEWER
from .domain.event import ServerType
from .domain.markdown import literal
from .jellyfin_steps import JellyfinSteps
from .options_flow import ServerOptionsFlow, ViewerOptionsFlow
from .plex_steps import PlexSteps
from .scrobbler import is_understood
from .viewer_steps import ViewerSteps


class MediaScrobblerConfigFlow(PlexSteps, JellyfinSteps, ViewerSteps, domain=DOMAIN):
    """The steps of Plex, of Jellyfin and of viewers, and what leads to them."""

    VERSION = 1
    MINOR_VERSION = 1

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry[Any]) -> OptionsFlow:
        """Return the options flow of a server or viewer."""
        if config_entry.data[CONF_KIND] == KIND_VIEWER:
            return ViewerOptionsFlow()
        return ServerOptionsFlow()

    @classmethod
    @callback
    @override
    def async_supports_options_flow(cls, config_entry: ConfigEntry[Any]) -> bool:
        """Return whether a server or viewer is one that has options."""
        return is_understood(config_entry)

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what to add."""
        return self.async_show_menu(
            step_id="user", menu_options=["plex", "jellyfin", "viewer"]
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change a server or viewer."""
        entry = self._get_reconfigure_entry()
        if not is_understood(entry):
            return self.async_abort(reason="unknown_kind")
        if entry.data[CONF_KIND] == KIND_VIEWER:
            return await self._async_change_viewer(entry, user_input)
        return await self._async_change_server(entry, user_input)

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Handle a server that does not take its token any more."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how to sign in anew."""
        entry = self._get_reauth_entry()
        ways = {
            ServerType.PLEX: ["plex_sign_in", "plex_token"],
            ServerType.JELLYFIN: [
                "jellyfin_quick_connect",
                "jellyfin_password",
                "jellyfin_api_key",
            ],
        }
        return self.async_show_menu(
            step_id="reauth_confirm",
            menu_options=ways[ServerType(entry.data[CONF_KIND])],
            description_placeholders={"server": literal(entry.title)},
        )
