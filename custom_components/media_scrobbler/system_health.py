"""System health: an overview for the page of that name."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .scrobbler import DATA_SCROBBLER


@callback
def async_register(
    hass: HomeAssistant, register: system_health.SystemHealthRegistration
) -> None:
    """Register what is shown."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    scrobbler = hass.data[DATA_SCROBBLER]
    connections = [
        server.connection
        for server in scrobbler.servers.values()
        if server.connection is not None
    ]
    return {
        "servers": len(scrobbler.servers),
        "servers_connected": sum(
            connection.last_update_success for connection in connections
        ),
        "viewers": len(scrobbler.viewers),
        "plays": sum(
            len(viewer.history.index) for viewer in scrobbler.viewers.values()
        ),
    }
