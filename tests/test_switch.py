"""Switch: a server's webhook, off and on."""

from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er

from .common import ALICE_AT_PLEX, Plex, device_of, entity_id_of, plays_of
from .conftest import Restart
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD
from .simulators.plex import PlexEvent


def webhook(hass: HomeAssistant, plex: Plex) -> State:
    """Return the state of the switch."""
    state = hass.states.get(entity_id_of(hass, "switch", plex.entry, "webhook"))
    assert state is not None
    return state


async def turn(hass: HomeAssistant, plex: Plex, to: str) -> None:
    """Turn the switch."""
    await hass.services.async_call(
        "switch",
        f"turn_{to}",
        {"entity_id": webhook(hass, plex).entity_id},
        blocking=True,
    )
    assert webhook(hass, plex).state == to


async def test_entity(
    hass: HomeAssistant, plex: Plex, entity_registry: er.EntityRegistry
) -> None:
    """The switch configures its server and is on until somebody turns it off."""
    state = webhook(hass, plex)
    assert state.state == "on"
    entity = entity_registry.async_get(state.entity_id)
    assert entity is not None
    assert entity.unique_id == f"{plex.entry.entry_id}_webhook"
    assert entity.entity_category is EntityCategory.CONFIG
    assert entity.device_id == device_of(hass, plex.entry).id


async def test_off(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], restart: Restart
) -> None:
    """While it is off the webhook answers and says so, over a restart too."""
    learned = dict(plex.entry.options)
    await turn(hass, plex, "off")
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "ignored"
    assert said["reason"] == "the webhook is switched off"
    assert said["title"] == "The Salt Road (2019)"
    assert await plays_of(hass, alice) == []

    hass, client = await restart()
    plex = replace(plex, client=client)
    assert webhook(hass, plex).state == "off"
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "ignored"

    await turn(hass, plex, "on")
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "recorded"
    entry = hass.config_entries.async_get_entry(plex.entry.entry_id)
    assert entry is not None
    assert entry.options == {**learned, "webhook_enabled": True}


async def test_learns_while_off(hass: HomeAssistant, plex: Plex) -> None:
    """What is learned of the server later on leaves the switch as it is."""
    await turn(hass, plex, "off")
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert plex.entry.options == {"webhook_enabled": False}
    await turn(hass, plex, "on")
    await plex.introduce(ALICE_AT_PLEX)
    assert plex.entry.options == {
        "webhook_enabled": True,
        "servers": [plex.simulator.uuid],
    }
    await turn(hass, plex, "off")
    assert plex.entry.options["servers"] == [plex.simulator.uuid]
