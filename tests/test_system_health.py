"""System health: the overview."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.media_scrobbler.const import DOMAIN

from .common import Plex
from .signed_in import Home, later, quiet, until
from .simulators.catalogue import THE_SALT_ROAD


async def overview(hass: HomeAssistant) -> dict[str, Any]:
    """Return what the page shows."""
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    info: dict[str, Any] = await get_system_health_info(hass, DOMAIN)
    return info


async def test_overview(hass: HomeAssistant, home: Home, plex: Plex) -> None:
    """Servers, those that answer, viewers and plays are counted."""
    entry = await home.sign_in(hass, "alice", "bob")
    await until(hass, lambda: "registered_url" in entry.data)
    await home.play("alice", THE_SALT_ROAD)
    await home.finish()
    expected = {"servers": 2, "servers_connected": 1, "viewers": 2, "plays": 1}
    assert await overview(hass) == expected
    await quiet(hass, home.log)
    with home.faults.drop():
        await later(hass, minutes=6)
        await quiet(hass, home.log)
        assert await overview(hass) == {**expected, "servers_connected": 0}
