"""Titles that are marked as watched in Jellyfin: which marks are plays, and when they were."""

from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
import orjson
import pytest

from .common import ALICE_AT_JELLYFIN, Jellyfin, plays_of
from .server_histories import heard
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD, Playable
from .simulators.jellyfin import JellyfinEvent

LONG_AGO = datetime(2023, 3, 4, 21, 10, tzinfo=UTC)


async def mark(
    jellyfin: Jellyfin, title: Playable, date: str | None = None, **properties: Any
) -> dict[str, Any]:
    """Have the server tell of a mark, with the date that it keeps; returns the answer."""
    payload = jellyfin.simulator.payload(
        JellyfinEvent.USER_DATA_SAVED, title, ALICE_AT_JELLYFIN
    )
    if date is not None:
        payload["LastPlayedDate"] = date
    status, answer = await jellyfin.send(orjson.dumps(payload | properties))
    assert status == 200
    return answer


def told(at: datetime) -> str:
    """Return a date as the server writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


async def test_mark_of_a_time_gone_by(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """It is a play of then, and published as one."""
    events = heard(hass)
    answer = await mark(jellyfin, THE_SALT_ROAD, "2023-03-04T21:10:00.0000000Z")
    assert answer["outcome"] == "recorded"
    (play,) = await plays_of(hass, alice)
    assert play["watched_at"] == LONG_AGO.isoformat()
    (event,) = events
    assert event["watched_at"] == LONG_AGO.isoformat()


@pytest.mark.parametrize(
    "date",
    [
        pytest.param("2031-01-01T00:00:00.0000000Z", id="years ahead"),
        pytest.param("1999-12-31T23:59:59.0000000Z", id="before there were servers"),
        pytest.param("0001-01-01T00:00:00.0000000Z", id="none"),
        pytest.param("some day", id="nonsense"),
    ],
)
async def test_mark_of_an_impossible_time(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any], date: str
) -> None:
    """It is a play of now."""
    before = datetime.now(UTC)
    await mark(jellyfin, THE_SALT_ROAD, date)
    (play,) = await plays_of(hass, alice)
    assert before <= datetime.fromisoformat(play["watched_at"]) <= datetime.now(UTC)


@pytest.mark.parametrize("hours", [1, 2, 5.75, 14])
async def test_mark_in_a_local_time_east_of_utc(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any], hours: float
) -> None:
    """What seems to be still to come is now."""
    now = datetime.now(UTC).replace(microsecond=0)
    await mark(jellyfin, LOW_WATER, told(now + timedelta(hours=hours)))
    (play,) = await plays_of(hass, alice)
    assert datetime.fromisoformat(play["watched_at"]) - now < timedelta(minutes=1)


@pytest.mark.parametrize("title", [THE_SALT_ROAD, LOW_WATER])
async def test_mark_of_another_version_by_the_server(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any], title: Playable
) -> None:
    """It has no count and no date: nobody has made it."""
    events = heard(hass)
    answer = await mark(jellyfin, title, "", PlayCount=0, ItemId="f" * 32)
    assert answer["outcome"] == "ignored"
    assert answer["reason"] == "the server has marked another version by itself"
    assert title.title in answer["title"]
    assert await plays_of(hass, alice) == events == []


async def test_marks_of_several_times(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """Marked again without a date it keeps the one it had: that is nothing new."""
    dates = ["2024-04-04T10:00:00.0000000Z", "2024-06-06T10:00:00.0000000Z"]
    outcomes = [
        (await mark(jellyfin, THE_SALT_ROAD, date, PlayCount=count))["outcome"]
        for date, count in ((dates[0], 1), (dates[0], 1), (dates[1], 2), (dates[1], 2))
    ]
    assert outcomes == ["recorded", "merged", "recorded", "merged"]
    assert [play["watched_at"][:10] for play in await plays_of(hass, alice)] == [
        "2024-06-06",
        "2024-04-04",
    ]
