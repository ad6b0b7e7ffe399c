"""Switch: whether a server's webhooks are processed."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_WEBHOOK_ENABLED
from .entity import ScrobblerEntity
from .server import Server, ServerConfigEntry

PARALLEL_UPDATES = 0

WEBHOOK = SwitchEntityDescription(
    key="webhook",
    translation_key="webhook",
    entity_category=EntityCategory.CONFIG,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ServerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the switch of a server."""
    async_add_entities([WebhookSwitch(entry.runtime_data, WEBHOOK)])


class WebhookSwitch(ScrobblerEntity[Server], SwitchEntity):
    """Switches the webhook of a server; it keeps answering and says that it is off."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether webhooks are processed."""
        return self.runtime.webhook_enabled

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Process webhooks."""
        self._switch(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Ignore webhooks."""
        self._switch(False)

    def _switch(self, enabled: bool) -> None:
        entry = self.runtime.entry
        self.hass.config_entries.async_update_entry(
            entry, options={**entry.options, CONF_WEBHOOK_ENABLED: enabled}
        )
        self.async_write_ha_state()
