"""Calendar: the watch history, as Home Assistant's own calendar shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from .common import Plex, add_viewer, call, device_of, entity_id_of, settle
from .simulators.catalogue import LOW_WATER, SLOW_FERRY, THE_SALT_ROAD, Title
from .simulators.plex import PlexEvent

EVENING = datetime(2026, 6, 7, 22, tzinfo=UTC)


async def events(
    hass: HomeAssistant, viewer: ConfigEntry[Any], start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Return what Home Assistant's own action says of a viewer's calendar."""
    entity_id = entity_id_of(hass, "calendar", viewer, "history")
    response: Any = await hass.services.async_call(
        "calendar",
        "get_events",
        {"entity_id": entity_id, "start_date_time": start, "end_date_time": end},
        blocking=True,
        return_response=True,
    )
    found: list[dict[str, Any]] = response[entity_id]["events"]
    return found


async def test_history(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
    hass_client: ClientSessionGenerator,
    entity_registry: er.EntityRegistry,
) -> None:
    """An entry begins when the title did, if that is known, and ends when it was completed."""
    today = dt_util.utcnow()
    titles: tuple[Title, ...] = (SLOW_FERRY, LOW_WATER, THE_SALT_ROAD)
    for hours, title in enumerate(titles):
        freezer.move_to(EVENING + timedelta(hours=3 * hours))
        await plex.report(PlexEvent.SCROBBLE, title)
    freezer.move_to(today)
    found = await events(
        hass, alice, EVENING - timedelta(days=1), EVENING + timedelta(days=1)
    )
    # The harness stands in California.
    assert found == [
        {
            "start": "2026-06-07T14:59:00-07:00",
            "end": "2026-06-07T15:00:00-07:00",
            "summary": "Marlow & Finch - Slow Ferry",
            "description": "Plex - Living room TV",
        },
        {
            "start": "2026-06-07T17:12:00-07:00",
            "end": "2026-06-07T18:00:00-07:00",
            "summary": "Harbour Lights - S02E03 - Low Water",
            "description": "Plex - Living room TV",
        },
        {
            "start": "2026-06-07T19:08:00-07:00",
            "end": "2026-06-07T21:00:00-07:00",
            "summary": "The Salt Road (2019)",
            "description": "Plex - Living room TV",
        },
    ]

    entity_id = entity_id_of(hass, "calendar", alice, "history")
    client = await hass_client()
    async with client.get(
        f"/api/calendars/{entity_id}",
        params={
            "start": EVENING.isoformat(),
            "end": (EVENING + timedelta(hours=4)).isoformat(),
        },
    ) as response:
        content = await response.json()
    plays = (await call(hass, "get_history", viewer=alice.entry_id))["plays"]
    assert [entry["uid"] for entry in content] == [
        plays[2]["play_id"],
        plays[1]["play_id"],
    ]

    await settle(hass)
    state = hass.states.get(entity_id)
    assert state is not None
    assert state.state == "off"
    entity = entity_registry.async_get(entity_id)
    assert entity is not None
    assert entity.unique_id == f"{alice.entry_id}_history"
    assert entity.device_id == device_of(hass, alice).id


@pytest.mark.parametrize(
    ("start", "end", "is_found"),
    [
        (-600, -1, False),
        (-600, 1, True),
        (30, 60, True),
        (89, 120, True),
        (91, 120, False),
        (0, 4_000_000_000, True),
    ],
)
async def test_range(hass: HomeAssistant, start: int, end: int, is_found: bool) -> None:
    """What has been watched in part within the time asked for is found."""
    viewer = await add_viewer(hass, "Alice")
    await call(
        hass,
        "add_play",
        viewer=viewer.entry_id,
        media_type="movie",
        title="Ninety minutes",
        duration=5400,
        watched_at=EVENING + timedelta(minutes=90) - timedelta(days=365),
    )
    found = await events(
        hass,
        viewer,
        *(EVENING + timedelta(days=-365, minutes=minutes) for minutes in (start, end)),
    )
    assert len(found) == is_found


@pytest.mark.parametrize(
    ("duration", "shown"),
    [(None, timedelta(minutes=1)), (20, timedelta(minutes=1)), (800_000, timedelta(1))],
)
async def test_odd_run_times(
    hass: HomeAssistant, duration: int | None, shown: timedelta
) -> None:
    """An entry is a minute long at least and a day at most."""
    viewer = await add_viewer(hass, "Alice")
    title = {"ids": {"tmdb": 550}} | ({"duration": duration} if duration else {})
    await call(
        hass,
        "add_play",
        viewer=viewer.entry_id,
        media_type="movie",
        watched_at=EVENING - timedelta(days=365),
        **title,
    )
    (event,) = await events(
        hass, viewer, EVENING - timedelta(days=370), EVENING - timedelta(days=360)
    )
    begun, over = (datetime.fromisoformat(event[key]) for key in ("start", "end"))
    assert over - begun == shown
    assert event["summary"] == "movie"
    assert "description" not in event
