"""Tests of the log of webhooks."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.domain.event import MediaEvent, Party
from custom_components.media_scrobbler.domain.outcome import Answer, Outcome
from custom_components.media_scrobbler.storage.webhook_log import (
    MAX_EVENTS,
    SAVE_DELAY,
    WebhookLog,
)

from .common import NOON, Disk, minutes, movie

NAME = "webhook_log.s"


def add(log: WebhookLog, number: int) -> None:
    """Add a webhook of some kind."""
    log.add(
        NOON + minutes(number),
        Answer(Outcome.RECORDED, str(number), "e", movie(number), ("Alice",)),
        MediaEvent(
            name="e",
            server=Party("id", "Attic"),
            account=Party("1", "alice"),
            player=Party("p"),
        ),
    )


async def save(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Let so much time pass that the log is written."""
    freezer.tick(timedelta(seconds=SAVE_DELAY + 1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


async def test_what_is_kept_of_a_webhook(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    log = WebhookLog(hass, "s")
    assert log.newest() == []
    log.add(NOON, Answer(Outcome.REJECTED, "no JSON"), None)
    add(log, 1)

    entry = {
        "at": "2026-11-10T12:01:00+00:00",
        "outcome": "recorded",
        "reason": "1",
        "event": "e",
        "server": "Attic",
        "account": "alice",
        "player": "p",
        "server_identity": "id",
        "title": "Film 1 (2001)",
        "viewers": ["Alice"],
    }
    assert log.last == entry
    assert log.newest() == [
        entry,
        {
            "at": "2026-11-10T12:00:00+00:00",
            "outcome": "rejected",
            "reason": "no JSON",
        },
    ]
    assert log.newest(1) == [entry]
    assert disk.names() == []
    await save(hass, freezer)
    assert disk.read(NAME)["events"] == log.newest()[::-1]


async def test_the_log_has_an_end(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    log = WebhookLog(hass, "s")
    for number in range(MAX_EVENTS + 10):
        add(log, number)
    await save(hass, freezer)

    again = WebhookLog(hass, "s")
    await again.async_load()

    assert len(again.newest()) == MAX_EVENTS
    assert again.newest() == log.newest()
    assert again.newest()[0]["reason"] == str(MAX_EVENTS + 9)


async def test_webhooks_that_come_before_the_log_is_read_come_behind_it(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    log = WebhookLog(hass, "s")
    add(log, 1)
    await save(hass, freezer)

    again = WebhookLog(hass, "s")
    add(again, 2)
    await again.async_load()
    add(again, 3)
    await again.async_load()

    assert [entry["reason"] for entry in again.newest()] == ["3", "2", "1"]
    await save(hass, freezer)
    assert [entry["reason"] for entry in disk.read(NAME)["events"]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("data", "version"),
    [
        ({"events": 5}, 1),
        ({"events": [5]}, 1),
        ({"events": [{}]}, 1),
        ({"events": [{"at": 5}]}, 1),
        ({"events": [{"at": "yesterday"}]}, 1),
        ([], 1),
        ({"events": []}, 2),
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
    log = WebhookLog(hass, "s")
    add(log, 1)

    await log.async_load()

    assert list(log.unreadable) == [str(path)]
    assert [entry["reason"] for entry in log.newest()] == ["1"]
    await save(hass, freezer)
    assert path.read_bytes() == damaged

    disk.write(NAME, {"events": []})
    await log.async_load()
    assert log.unreadable == {}
    add(log, 2)
    await save(hass, freezer)
    assert [entry["reason"] for entry in disk.read(NAME)["events"]] == ["1", "2"]


async def test_removing(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory
) -> None:
    log = WebhookLog(hass, "s")
    add(log, 1)
    await save(hass, freezer)
    add(log, 2)

    await log.async_remove()

    await save(hass, freezer)
    assert disk.names() == []
    assert log.last is None
