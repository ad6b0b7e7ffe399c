"""When a server was last asked, as it is remembered from one start to the next."""

from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.storage.last_look import (
    SAVE_DELAY,
    Earlier,
    LastLook,
)

from .common import NOON, Disk, minutes

FILE = "last_look.cellar"


@pytest.fixture
async def look(hass: HomeAssistant, disk: Disk) -> LastLook:
    look = LastLook(hass, "cellar")
    await look.async_load()
    return look


async def written(hass: HomeAssistant) -> None:
    """Let the time pass after which it is written."""
    later = dt_util.utcnow() + timedelta(seconds=SAVE_DELAY + 1)
    async_fire_time_changed(hass, later)
    await hass.async_block_till_done()


async def test_there_is_none_before_the_first(look: LastLook) -> None:
    assert (look.at, look.thorough_at) == (None, None)


async def test_it_is_remembered(
    hass: HomeAssistant, disk: Disk, look: LastLook
) -> None:
    # The first one is thorough, whatever it was meant to be.
    look.note(NOON, thorough=False)
    assert (look.at, look.thorough_at) == (NOON, NOON)
    assert disk.names() == []
    await written(hass)
    look.note(NOON + minutes(15), thorough=False)
    assert (look.at, look.thorough_at) == (NOON + minutes(15), NOON)
    await written(hass)

    again = LastLook(hass, "cellar")
    await again.async_load()
    assert (again.at, again.thorough_at) == (NOON + minutes(15), NOON)
    again.note(NOON + minutes(30), thorough=True)
    # What is known is not read again.
    await again.async_load()
    assert again.at == again.thorough_at == NOON + minutes(30)
    assert disk.written == [FILE] * 2


@pytest.mark.parametrize("newest", [None, 4711])
async def test_what_there_was_before_is_remembered(
    hass: HomeAssistant, disk: Disk, look: LastLook, newest: int | None
) -> None:
    earlier = Earlier(NOON, 12, newest)
    look.note(NOON + minutes(15), thorough=True, earlier=earlier)
    await written(hass)

    again = LastLook(hass, "cellar")
    await again.async_load()
    assert again.earlier == earlier
    # Where it is not told any more, nothing is known of it.
    again.note(NOON + minutes(30), thorough=True)
    await written(hass)
    assert "earlier" not in disk.read(FILE)


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"at": NOON.isoformat()},
        {"at": NOON.isoformat(), "thorough_at": None},
        {"at": "yesterday", "thorough_at": NOON.isoformat()},
        {"at": "2026-11-10T12:00:00", "thorough_at": NOON.isoformat()},
        {"at": 3, "thorough_at": 4},
        *(
            {"at": NOON.isoformat(), "thorough_at": NOON.isoformat(), "earlier": each}
            for each in (
                {},
                {"before": NOON.isoformat(), "count": "12", "newest": None},
                {"before": NOON.isoformat(), "count": 12, "newest": "4711"},
                {"before": "yesterday", "count": 12, "newest": 4711},
            )
        ),
    ],
)
async def test_what_cannot_be_read_is_taken_for_none_and_stays(
    hass: HomeAssistant, disk: Disk, stored: dict[str, Any]
) -> None:
    path = disk.write(FILE, stored)
    look = LastLook(hass, "cellar")

    await look.async_load()

    assert look.at is None
    assert list(look.unreadable) == [str(path)]
    look.note(NOON, thorough=True)
    await written(hass)
    assert look.at == NOON
    assert disk.read(FILE) == stored


async def test_nothing_is_left_of_it(
    hass: HomeAssistant, disk: Disk, look: LastLook
) -> None:
    look.note(NOON, thorough=True)
    await written(hass)
    assert disk.names() == [FILE]
    look.note(NOON + minutes(15), thorough=True)

    await look.async_remove()

    await written(hass)
    assert disk.names() == []
