"""Tests of the log of watchlist imports."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.storage.import_log import (
    MAX_RUNS,
    SAVE_DELAY,
    ImportLog,
    Run,
    Trigger,
)

from .common import NOON, Disk, minutes

NAME = "import_log.v"
STORED: dict[str, Any] = {
    "at": "2026-11-10T12:00:00+00:00",
    "duration": 2.5,
    "trigger": "action",
    "dry_run": True,
    "imported": 1,
    "already_present": 2,
    "unmatched": ["Low Water", "Fog Signal"],
    "removed_here": 3,
    "removed_there": 4,
    "added_there": 5,
    "error": "Plex does not answer",
}


def run(number: int) -> Run:
    """Return an import."""
    return Run(
        at=NOON + minutes(number),
        duration=1,
        trigger=Trigger.TIMER,
        imported=number,
        unmatched=("Low Water",),
    )


async def save(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Let so much time pass that the log is written."""
    freezer.tick(timedelta(seconds=SAVE_DELAY + 1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


async def test_what_is_kept_of_an_import(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    log = ImportLog(hass, "v")
    assert (log.last, log.runs) == (None, ())
    first = Run(
        at=NOON,
        duration=2.5,
        trigger=Trigger.ACTION,
        dry_run=True,
        imported=1,
        already_present=2,
        unmatched=("Low Water", "Fog Signal"),
        removed_here=3,
        removed_there=4,
        added_there=5,
        error="Plex does not answer",
    )
    postponed = replace(run(2), postponed=60)
    log.add(first)
    log.add(postponed)
    log.add(run(1))

    assert log.last == run(1)
    assert log.runs == (run(1), postponed, first)
    assert disk.names() == []
    await save(hass, freezer)
    assert disk.read(NAME)["runs"][0] == STORED
    again = ImportLog(hass, "v")
    await again.async_load()
    assert again.runs == log.runs


async def test_the_log_has_an_end(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    log = ImportLog(hass, "v")
    for number in range(MAX_RUNS + 10):
        log.add(run(number))
    await save(hass, freezer)

    again = ImportLog(hass, "v")
    await again.async_load()

    assert [done.imported for done in again.runs] == list(range(29, 9, -1))


async def test_imports_before_the_log_is_read_come_behind_it(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    log = ImportLog(hass, "v")
    log.add(run(1))
    await save(hass, freezer)

    again = ImportLog(hass, "v")
    again.add(run(2))
    await again.async_load()
    again.add(run(3))
    await again.async_load()

    assert [done.imported for done in again.runs] == [3, 2, 1]
    await save(hass, freezer)
    assert [entry["imported"] for entry in disk.read(NAME)["runs"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "version"),
    [
        ({"runs": 5}, 1),
        ({"runs": [5]}, 1),
        ({"runs": [{}]}, 1),
        ({"runs": [STORED | {"at": "yesterday"}]}, 1),
        ({"runs": [STORED | {"trigger": "whim"}]}, 1),
        ({"runs": [STORED | {"imported": "many"}]}, 1),
        ({"runs": [STORED | {"unmatched": "many"}]}, 1),
        ({"runs": [STORED | {"error": 5}]}, 1),
        ({"runs": [STORED | {"postponed": None}]}, 1),
        ([], 1),
        ({"runs": []}, 2),
    ],
)
async def test_a_damaged_log_stays_as_it_is_until_it_is_mended(
    hass: HomeAssistant,
    disk: Disk,
    freezer: FrozenDateTimeFactory,
    data: Any,
    version: int,
) -> None:
    path = disk.write(NAME, data, version=version)
    damaged = path.read_bytes()
    log = ImportLog(hass, "v")
    log.add(run(1))

    await log.async_load()

    assert list(log.unreadable) == [str(path)]
    assert log.runs == (run(1),)
    await save(hass, freezer)
    assert path.read_bytes() == damaged

    disk.write(NAME, {"runs": []})
    await log.async_load()
    assert log.unreadable == {}
    log.add(run(2))
    await save(hass, freezer)
    assert len(disk.read(NAME)["runs"]) == 2


async def test_removing(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    log = ImportLog(hass, "v")
    log.add(run(1))
    await save(hass, freezer)
    log.add(run(2))

    await log.async_remove()

    await save(hass, freezer)
    assert disk.names() == []
    assert log.last is None
