"""Tests of the poster of what was watched last."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.storage.poster import SAVE_DELAY, Poster

from .common import NOON, Disk, minutes

JPEG = b"\xff\xd8\xff poster"


async def save(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Let so much time pass that the poster is written."""
    freezer.tick(timedelta(seconds=SAVE_DELAY + 1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


async def test_a_poster_comes_back(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    poster = Poster(hass, "poster.x")
    poster.show(JPEG, NOON)
    await save(hass, freezer)

    again = Poster(hass, "poster.x")
    await again.async_load()
    assert (again.picture, again.since) == (JPEG, NOON)

    again.show(None, NOON + minutes(1))
    await again.async_load()
    assert again.picture is None
    await save(hass, freezer)
    last = Poster(hass, "poster.x")
    await last.async_load()
    assert last.picture is None
    await last.async_remove()
    assert disk.names() == []


async def test_a_poster_that_came_first_stays(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    poster = Poster(hass, "poster.x")
    poster.show(JPEG, NOON)
    await save(hass, freezer)

    again = Poster(hass, "poster.x")
    again.show(JPEG + b"2", NOON + minutes(1))
    await again.async_load()

    assert again.picture == JPEG + b"2"
    await save(hass, freezer)


@pytest.mark.parametrize(
    ("data", "version"),
    [
        ({"jpeg": 5, "since": NOON.isoformat()}, 1),
        ({"jpeg": "é", "since": NOON.isoformat()}, 1),
        ({"jpeg": "A", "since": NOON.isoformat()}, 1),
        ({"jpeg": b64encode(JPEG).decode(), "since": 5}, 1),
        ({"jpeg": b64encode(JPEG).decode()}, 1),
        ([], 1),
        ({}, 2),
    ],
)
async def test_a_damaged_poster_is_gone(
    hass: HomeAssistant, disk: Disk, data: Any, version: int
) -> None:
    disk.write("poster.x", data, version=version)
    poster = Poster(hass, "poster.x")

    await poster.async_load()

    assert poster.picture is None
    assert poster.since is None
