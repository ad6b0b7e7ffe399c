"""Buttons: scanning a server's library, and ending the scan."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import ScrobblerEntity
from .server import Server, ServerConfigEntry

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ScrobblerButtonDescription(ButtonEntityDescription):
    """Describes a button of a server; it has no effect where it makes no sense."""

    press_fn: Callable[[Server], object]


BUTTONS = (
    ScrobblerButtonDescription(
        key="scan_library",
        translation_key="scan_library",
        press_fn=lambda server: server.scanner.begin(),
    ),
    ScrobblerButtonDescription(
        key="cancel_scan",
        translation_key="cancel_scan",
        entity_category=EntityCategory.CONFIG,
        press_fn=lambda server: server.scanner.cancel(),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ServerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the buttons of a server that was signed in to: others cannot be asked."""
    server = entry.runtime_data
    if server.connection is not None:
        async_add_entities(ScrobblerButton(server, button) for button in BUTTONS)


class ScrobblerButton(ScrobblerEntity[Server], ButtonEntity):
    """A button of a server."""

    entity_description: ScrobblerButtonDescription

    @override
    async def async_press(self) -> None:
        """Do what the button is for; a scan goes on in the background."""
        self.entity_description.press_fn(self.runtime)
