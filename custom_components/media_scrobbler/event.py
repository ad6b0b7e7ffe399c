"""Event entities: what a viewer does, and what happens on a server."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import ScrobblerConfigEntry
from .domain.event import LibraryChange, ServerType
from .entity import ScrobblerEntity
from .jellyfin import nested as other_senders, payload as jellyfin
from .plex import payload as plex
from .server import Server
from .signals import signal_event
from .viewer import EVENT_WATCHING, Viewer

PARALLEL_UPDATES = 0

_SERVER_EVENTS = {
    ServerType.PLEX: {*plex.SERVER_EVENTS.values()},
    ServerType.JELLYFIN: {
        *jellyfin.SERVER_EVENTS.values(),
        *other_senders.SERVER_EVENTS.values(),
    },
}


@dataclass(frozen=True, kw_only=True)
class ScrobblerEventDescription(EventEntityDescription):
    """Describes an event entity of a server or viewer."""

    event_types: list[str]


WATCHING = ScrobblerEventDescription(
    key=EVENT_WATCHING,
    translation_key=EVENT_WATCHING,
    event_types=["watched", "updated", "rated", "unrated", "removed"],
)
LIBRARY = ScrobblerEventDescription(
    key="library",
    translation_key="library",
    event_types=[change.value for change in LibraryChange],
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ScrobblerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the event entities of a server or viewer."""
    runtime = entry.runtime_data
    if isinstance(runtime, Viewer):
        async_add_entities([ScrobblerEvent(runtime, WATCHING)])
        return
    server_event = ScrobblerEventDescription(
        key="server",
        translation_key=f"{runtime.type}_server",
        event_types=sorted(_SERVER_EVENTS[runtime.type]),
    )
    async_add_entities(
        ScrobblerEvent(runtime, description) for description in (LIBRARY, server_event)
    )


class ScrobblerEvent[T: (Server, Viewer)](ScrobblerEntity[T], EventEntity):
    """An event entity of a server or viewer."""

    _unrecorded_attributes = frozenset({"ids", "show_ids"})

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for events."""
        await super().async_added_to_hass()
        self.async_on_remove(
            async_dispatcher_connect(
                self.hass, signal_event(self.runtime.entry.entry_id), self._happened
            )
        )

    @callback
    def _happened(self, key: str, event_type: str, data: dict[str, Any]) -> None:
        if key == self.entity_description.key:
            self._trigger_event(event_type, data)
            self.async_write_ha_state()
