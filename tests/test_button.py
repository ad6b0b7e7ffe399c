"""Buttons: they are for servers that can be asked."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from .common import Plex, device_of, entity_id_of
from .libraries import Pages, counts, ended, press, state_of, until_counts
from .signed_in import Home, until

BUTTONS = {"scan_library": None, "cancel_scan": EntityCategory.CONFIG}


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return a server that has been signed in to."""
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    return entry


async def test_on_the_device_of_the_server(
    hass: HomeAssistant, entry: ConfigEntry[Any], entity_registry: er.EntityRegistry
) -> None:
    for key, category in BUTTONS.items():
        entity = entity_registry.async_get(entity_id_of(hass, "button", entry, key))
        assert entity is not None
        assert entity.device_id == device_of(hass, entry).id
        assert entity.translation_key == key
        assert entity.entity_category is category


def test_none_for_a_server_that_cannot_be_asked(
    hass: HomeAssistant, plex: Plex
) -> None:
    assert hass.states.async_all("button") == []


async def test_pressing(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A press begins and another one ends; what makes no sense has no effect."""
    pages = Pages(home, monkeypatch)
    await press(hass, entry, "cancel_scan")
    assert await state_of(hass, entry, "library_scan") == "not_scanned"
    gate = pages.hold_back(2)
    await press(hass, entry, "scan_library")
    await gate.reached()
    assert await state_of(hass, entry, "library_scan") == "scanning"
    await press(hass, entry, "scan_library")
    await press(hass, entry, "cancel_scan")
    gate.open()
    assert await ended(hass, entry) == "cancelled"
    assert await counts(hass, entry) == ("unknown",) * 3
    await press(hass, entry, "scan_library")
    await until_counts(hass, entry, "2", "1", "3")
