"""Binary sensor: whether a server answers."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .connection import Connection
from .entity import ScrobblerEntity
from .server import Server, ServerConfigEntry

PARALLEL_UPDATES = 0

CONNECTED = BinarySensorEntityDescription(
    key="connected",
    translation_key="connected",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ServerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensor of a server that has been signed in to."""
    server = entry.runtime_data
    if server.connection is not None:
        async_add_entities([ConnectedSensor(server, server.connection)])


class ConnectedSensor(ScrobblerEntity[Server], BinarySensorEntity):
    """Tells whether a server answers; webhooks may come all the same."""

    def __init__(self, server: Server, connection: Connection) -> None:
        """Take the connection."""
        super().__init__(server, CONNECTED)
        self._connection = connection

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the connection."""
        await super().async_added_to_hass()
        self.async_on_remove(
            self._connection.async_add_listener(self.async_write_ha_state)
        )

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the server answered the last time."""
        return self._connection.last_update_success
