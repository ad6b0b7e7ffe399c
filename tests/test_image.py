"""Image: the poster of what a viewer watched last."""

from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from .common import Plex, device_of, entity_id_of, settle
from .conftest import Restart
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD
from .simulators.plex import POSTER, PlexEvent


def poster(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> State:
    """Return the state of a viewer's poster."""
    state = hass.states.get(entity_id_of(hass, "image", viewer, "poster"))
    assert state is not None
    return state


async def test_poster(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    entity_registry: er.EntityRegistry,
    hass_client: ClientSessionGenerator,
    restart: Restart,
) -> None:
    """The poster that came when a title began stands for it once it is completed."""
    state = poster(hass, alice)
    assert state.state == "unavailable"
    entity = entity_registry.async_get(state.entity_id)
    assert entity is not None
    assert entity.unique_id == f"{alice.entry_id}_poster"
    assert entity.device_id == device_of(hass, alice).id

    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)
    assert poster(hass, alice).state == "unavailable"
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await settle(hass)
    state = poster(hass, alice)
    client = await hass_client()
    async with client.get(state.attributes["entity_picture"]) as response:
        assert (response.status, response.content_type) == (200, "image/jpeg")
        assert await response.read() == POSTER

    hass, anonymous = await restart()
    assert poster(hass, alice).state == state.state
    plex = replace(plex, client=anonymous)
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    await settle(hass)
    assert poster(hass, alice).state == "unavailable"
    hass, _ = await restart()
    assert poster(hass, alice).state == "unavailable"
