"""Options flows: what is recorded of a viewer, and what is taken from a server."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.helpers import device_registry as dr, selector
import voluptuous as vol

from .const import CONF_MEDIA_TYPES, CONF_PLAYERS, CONF_SERVERS, DOMAIN
from .domain.title import PLAYABLE
from .scrobbler import DATA_SCROBBLER


class ViewerOptionsFlow(OptionsFlowWithReload):
    """Asks which media types to record."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Handle the only step."""
        options = self.config_entry.options
        if user_input is not None:
            return self.async_create_entry(data={**options, **user_input})
        schema = vol.Schema(
            {
                vol.Required(
                    CONF_MEDIA_TYPES, default=[kind.value for kind in PLAYABLE]
                ): selector.SelectSelector(
                    selector.SelectSelectorConfig(
                        options=[kind.value for kind in PLAYABLE],
                        multiple=True,
                        mode=selector.SelectSelectorMode.LIST,
                        translation_key=CONF_MEDIA_TYPES,
                    )
                )
            }
        )
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, options),
        )


class ServerOptionsFlow(OptionsFlowWithReload):
    """Asks which servers' events are taken and which players are followed."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Handle the only step."""
        options = self.config_entry.options
        if user_input is not None:
            return self.async_create_entry(data={**options, **user_input})
        schema = vol.Schema(
            {
                vol.Optional(CONF_SERVERS, default=list): _choice(self._servers()),
                vol.Optional(CONF_PLAYERS, default=list): _choice(self._players()),
            }
        )
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, options),
        )

    def _servers(self) -> dict[str, str]:
        """Return the servers that have sent events, by identity, with a label."""
        found = {
            identity: identity
            for identity in self.config_entry.options.get(CONF_SERVERS, ())
        }
        server = self.hass.data[DATA_SCROBBLER].servers.get(self.config_entry.entry_id)
        if server is not None:
            for event in server.log.newest():
                if identity := event.get("server_identity"):
                    found[identity] = f"{event.get('server', '')} ({identity})".strip()
        return found

    def _players(self) -> dict[str, str]:
        """Return the players that have been seen, by id, with their names."""
        found = {
            player: player for player in self.config_entry.options.get(CONF_PLAYERS, ())
        }
        entry_id = self.config_entry.entry_id
        for device in dr.async_entries_for_config_entry(
            dr.async_get(self.hass), entry_id
        ):
            for domain, identifier in device.identifiers:
                if domain == DOMAIN and identifier != entry_id:
                    key = identifier.removeprefix(f"{entry_id}_").removeprefix("name:")
                    found[key] = device.name_by_user or device.name or key
        return found


def _choice(options: dict[str, str]) -> selector.SelectSelector:
    return selector.SelectSelector(
        selector.SelectSelectorConfig(
            options=[
                selector.SelectOptionDict(value=value, label=label)
                for value, label in options.items()
            ],
            multiple=True,
            custom_value=True,
        )
    )
