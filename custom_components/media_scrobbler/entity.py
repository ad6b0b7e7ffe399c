"""What the entities of servers, players and viewers share."""

from typing import override

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity import Entity, EntityDescription

from .const import DOMAIN
from .domain.event import ServerType
from .server import Server
from .signals import signal_update
from .viewer import Viewer

_MANUFACTURERS = {
    ServerType.PLEX: ("Plex", "Plex Media Server"),
    ServerType.JELLYFIN: ("Jellyfin", "Jellyfin server"),
}


class ScrobblerEntity[T: Server | Viewer](Entity):
    """An entity of a server or of a viewer, on that one's device."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, runtime: T, description: EntityDescription) -> None:
        """Take whose entity it is."""
        self.runtime = runtime
        self.entity_description = description
        self._attr_unique_id = f"{runtime.entry.entry_id}_{description.key}"
        self._attr_device_info = device_info(runtime)


class UpdatedEntity[T: Server | Viewer](ScrobblerEntity[T]):
    """An entity whose state is written whenever its server or viewer has changed."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for changes."""
        await super().async_added_to_hass()
        self.async_on_remove(
            async_dispatcher_connect(
                self.hass, signal_update(self.runtime.entry.entry_id), self._updated
            )
        )

    @callback
    def _updated(self) -> None:
        self.async_write_ha_state()


def device_info(runtime: Server | Viewer) -> DeviceInfo:
    """Return the service device of a server or viewer."""
    entry = runtime.entry
    info = DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        entry_type=DeviceEntryType.SERVICE,
    )
    if isinstance(runtime, Server):
        info["manufacturer"], info["model"] = _MANUFACTURERS[runtime.type]
    else:
        info["manufacturer"], info["model"] = "Media Scrobbler", "Viewer"
    return info
