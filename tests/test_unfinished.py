"""What Jellyfin takes for watched and was not: neither its webhooks nor its history make it a play."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from .common import call, plays_of
from .conftest import Restart
from .server_histories import ago, jellyfin_of_alice, know, look, silence
from .signed_in import JellyfinHome, quiet, viewer
from .simulators.catalogue import LOW_WATER, SLOW_FERRY, THE_SALT_ROAD, Playable
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_version import JELLYFIN_10_11, JELLYFIN_VERSIONS

ALICE = JellyfinUser.named("alice")


@pytest.fixture(params=JELLYFIN_VERSIONS, ids=str)
async def home(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    address: str,
    impatience: None,
) -> AsyncGenerator[JellyfinHome]:
    """Return a server of either version that Alice has signed in to."""
    titles = [THE_SALT_ROAD, LOW_WATER, SLOW_FERRY]
    async with jellyfin_of_alice(hass, version=request.param, titles=titles) as home:
        yield home


async def plays(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return what Alice has watched."""
    return await plays_of(hass, viewer(hass, "alice"))


async def import_history(hass: HomeAssistant, **how: Any) -> dict[str, Any]:
    """Import what the server knows."""
    return await call(hass, "import_history", **how)


async def assert_none(hass: HomeAssistant, home: JellyfinHome) -> None:
    """Assert that there is no play, whomever is asked."""
    await quiet(hass, home.log)
    assert await plays(hass) == []
    await look(hass)
    assert await plays(hass) == []
    assert (await import_history(hass))["recorded"] == 0
    assert await plays(hass) == []


async def test_stopped_without_a_position(
    hass: HomeAssistant, home: JellyfinHome
) -> None:
    """The server takes that for the end."""
    await home.play("alice", THE_SALT_ROAD)
    await home.server.stop_playing(tells_position=False)
    assert home.server.data_of(ALICE, THE_SALT_ROAD).played
    await assert_none(hass, home)


async def test_known_after_a_restart(
    hass: HomeAssistant, home: JellyfinHome, restart: Restart
) -> None:
    """What was followed and was no play is none later on."""
    await home.play("alice", THE_SALT_ROAD)
    await home.server.stop_playing(tells_position=False)
    await quiet(hass, home.log)
    hass, _ = await restart()
    await assert_none(hass, home)


@pytest.mark.freeze_time(tick=True)
async def test_player_vanishes(
    hass: HomeAssistant, home: JellyfinHome, freezer: FrozenDateTimeFactory
) -> None:
    """Before 12.0 the server runs on to the end, and takes that for seen."""
    await home.play("alice", LOW_WATER, LOW_WATER.runtime * 0.75)
    await home.server.progress(LOW_WATER.runtime * 0.85)
    left = LOW_WATER.runtime * 0.15
    await home.server.tick(int(left.total_seconds()) + 5)
    freezer.tick(timedelta(minutes=9))
    await home.server.stop_idle()
    is_taken = home.server.version == JELLYFIN_10_11
    assert home.server.data_of(ALICE, LOW_WATER).played is is_taken
    await assert_none(hass, home)


async def test_marked_since(hass: HomeAssistant, home: JellyfinHome) -> None:
    """What was left half-way and is marked while nobody hears it is a play all the same."""
    await home.play("alice", THE_SALT_ROAD)
    await home.server.stop_playing(timedelta(minutes=40))
    await quiet(hass, home.log)
    silence(home)
    await home.server.mark_played(THE_SALT_ROAD, ALICE)
    await look(hass)
    assert len(await plays(hass)) == 1


# What is imported


async def test_music_is_imported_only_where_that_is_asked_for(
    hass: HomeAssistant, home: JellyfinHome
) -> None:
    """The server takes a track for played from its beginning on."""
    silence(home)
    await home.play("alice", SLOW_FERRY)
    await home.server.stop_playing(timedelta(seconds=6))
    assert home.server.data_of(ALICE, SLOW_FERRY).played
    response = await import_history(hass)
    assert (response["recorded"], response["ignored"]) == (0, 1)
    assert await plays(hass) == []
    response = await import_history(hass, begun_tracks=True)
    assert response["recorded"] == 1
    (play,) = await plays(hass)
    assert play["title"] == SLOW_FERRY.title


@pytest.mark.parametrize("title", [THE_SALT_ROAD, LOW_WATER, SLOW_FERRY])
@pytest.mark.parametrize("is_paused", [True, False])
async def test_what_plays_is_not_imported(
    hass: HomeAssistant, home: JellyfinHome, title: Playable, is_paused: bool
) -> None:
    """It is a play when it has ended, and one then."""
    know(home, "alice", title, ago(days=300))
    await home.play("alice", title)
    position = title.runtime * 0.95
    await home.server.progress(position, paused=is_paused)
    assert home.server.data_of(ALICE, title).played
    response = await import_history(hass, begun_tracks=True)
    assert response["recorded"] == 0
    await home.finish()
    await quiet(hass, home.log)
    await import_history(hass, begun_tracks=True)
    await look(hass)
    assert len(await plays(hass)) == 1


async def test_imported_while_it_was_paused(
    hass: HomeAssistant, home: JellyfinHome
) -> None:
    """What an import knew to have been begun has its end told by the webhook: one play."""
    await home.play("alice", SLOW_FERRY)
    await home.server.progress(SLOW_FERRY.runtime * 0.7, paused=True)
    with home.faults.answer(
        "[]", path="/Sessions", status=200, content_type="application/json"
    ):
        await import_history(hass, begun_tracks=True)
    await home.server.stop_playing(SLOW_FERRY.runtime * 0.7)
    await quiet(hass, home.log)
    assert len(await plays(hass)) == 1
