"""What is followed of viewings, as it is remembered from one start to the next."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.event import (
    Action,
    MediaEvent,
    Party,
    SavedData,
)
from custom_components.media_scrobbler.domain.viewing import MAX_CURRENT, MAX_PAST
from custom_components.media_scrobbler.storage.viewings import StoredViewings

from .common import NOON, Disk, minutes, movie

FILE = "viewings.cellar"


def event(
    action: Action, number: int, at: float, position: float = 0, **details: Any
) -> MediaEvent:
    """Return what a player does, some minutes after noon, with a movie."""
    return MediaEvent(
        name="event",
        account=Party("alice"),
        player=Party("tv"),
        titles=(movie(number, items={"cellar": str(number)}),),
        action=action,
        position=position,
        watched_at=NOON + minutes(at),
        **details,
    )


async def written(hass: HomeAssistant) -> None:
    """Have everything written that waits for that, as when Home Assistant stops."""
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()


async def loaded(hass: HomeAssistant) -> StoredViewings:
    """Return what is on disk."""
    viewings = StoredViewings(hass, "cellar")
    await viewings.async_load()
    return viewings


async def test_they_are_remembered(hass: HomeAssistant, disk: Disk) -> None:
    viewings = await loaded(hass)
    for told in (
        event(Action.PLAY, 1, 0),
        event(Action.STOP, 1, 90, 5400, completed=True),
        event(Action.PLAY, 2, 95),
        event(Action.PAUSE, 2, 100, 300, version="v2"),
    ):
        viewings.take(told, NOON + minutes(120))
    await written(hass)

    assert disk.written == [FILE]
    again = await loaded(hass)
    assert list(again) == list(viewings)
    first, second = again
    assert (first.has_counted, first.ended_at) == (True, NOON + minutes(90))
    assert (second.position, second.is_paused, second.ended_at) == (300, True, None)


async def test_what_is_followed_before_they_are_read_comes_last(
    hass: HomeAssistant, disk: Disk
) -> None:
    viewings = await loaded(hass)
    viewings.take(event(Action.PLAY, 1, 0), NOON + minutes(120))
    await written(hass)

    again = StoredViewings(hass, "cellar")
    again.take(event(Action.PLAY, 2, 60), NOON + minutes(120))
    await again.async_load()

    assert [viewing.titles[0].ids for viewing in again] == [
        movie(1).ids,
        movie(2).ids,
    ]
    assert [viewing.ended_at for viewing in again] == [NOON + minutes(60), None]


async def test_reports_on_the_way_are_not_written(
    hass: HomeAssistant, disk: Disk
) -> None:
    viewings = await loaded(hass)
    viewings.take(event(Action.PLAY, 1, 0), NOON)
    await written(hass)
    disk.written.clear()
    for minute in range(1, 60):
        progress = event(Action.PROGRESS, 1, minute, minute * 60)
        viewings.take(progress, NOON + minutes(minute))
    await written(hass)
    assert disk.written == []


@pytest.mark.parametrize(
    "damage",
    [{"viewings": [{}]}, {"viewings": [3]}, {"viewings": 3}],
)
async def test_damaged(
    hass: HomeAssistant,
    disk: Disk,
    caplog: pytest.LogCaptureFixture,
    damage: dict[str, Any],
) -> None:
    disk.write(FILE, damage)
    assert list(await loaded(hass)) == []
    assert "What was playing is not known any more" in caplog.text


async def test_they_are_removed(hass: HomeAssistant, disk: Disk) -> None:
    viewings = await loaded(hass)
    viewings.take(event(Action.PLAY, 1, 0), NOON)
    await written(hass)
    await viewings.async_remove()
    assert disk.names() == []


async def test_there_is_a_limit(hass: HomeAssistant, disk: Disk) -> None:
    """However many players somebody invents."""
    viewings = await loaded(hass)
    begun = event(Action.PLAY, 1, 0)
    for number in range(MAX_CURRENT + MAX_PAST + 50):
        viewings.take(replace(begun, player=Party(f"tv {number}")), NOON)
    assert len(list(viewings)) == MAX_CURRENT + MAX_PAST


@pytest.mark.parametrize("ahead", [-9, 0, 60, 300])
async def test_no_play_is_known_by_the_date_that_the_server_keeps(
    hass: HomeAssistant, ahead: float
) -> None:
    """Its clock may be a little wrong."""
    viewings = await loaded(hass)
    date = NOON + timedelta(seconds=ahead)
    viewings.take(event(Action.PLAY, 1, 0), NOON)
    saved = SavedData(item="1", played=True, last_played=date)
    viewings.take(MediaEvent(name="saved", account=Party("alice"), saved=saved), NOON)
    viewings.take(event(Action.STOP, 1, 6, 360), NOON + minutes(6))
    (viewing,) = viewings
    assert viewings.was_no_play("alice", viewing.titles[0], date)
