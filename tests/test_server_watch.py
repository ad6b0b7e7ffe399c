"""What a server does that no webhook tells of: restarts that are due, scans, new media."""

from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from .common import call, entity_id_of, settle
from .signed_in import JellyfinHome, later, quiet, until
from .simulators.catalogue import HARBOUR_LIGHTS, NINTH_MERIDIAN
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.jellyfin_tasks import TaskKey

RUN = "/ScheduledTasks/Running/*"


@pytest.fixture
async def server(
    hass: HomeAssistant, address: str, jellyfin_at_home: JellyfinStandIn
) -> ConfigEntry[Any]:
    """Return the server, signed in to by its administrator."""
    entry = await JellyfinHome(jellyfin_at_home).sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    await quiet(hass, jellyfin_at_home.log)
    return entry


async def check(hass: HomeAssistant, jellyfin: JellyfinStandIn, **by: float) -> None:
    """Let the time come to check whether the server is there."""
    await later(hass, **(by or {"minutes": 5, "seconds": 5}))
    await quiet(hass, jellyfin.log)
    await settle(hass)


def movies(hass: HomeAssistant, server: ConfigEntry[Any]) -> str:
    """Return how many movies the server is known to have."""
    state = hass.states.get(entity_id_of(hass, "sensor", server, "movies"))
    assert state is not None
    return state.state


async def test_restart_that_is_due(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, server: ConfigEntry[Any]
) -> None:
    """It is told once, and once more when it is due again after a restart."""
    told = async_capture_events(hass, "media_scrobbler_server")
    event = entity_id_of(hass, "event", server, "server")
    for pending, count in ((True, 1), (True, 1), (False, 1), (True, 2)):
        jellyfin_at_home.pending_restart = pending
        await check(hass, jellyfin_at_home)
        assert [each.data["type"] for each in told] == ["pending_restart"] * count
    assert told[0].data["server_id"] == server.entry_id
    state = hass.states.get(event)
    assert state is not None
    assert state.attributes["event_type"] == "pending_restart"
    assert await hass.config_entries.async_reload(server.entry_id)
    await check(hass, jellyfin_at_home)
    assert len(told) == 2


async def test_plugin_tells_at_once(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, server: ConfigEntry[Any]
) -> None:
    """Its tasks, of which the first run is an hour after its start, are run with the webhook."""
    assert jellyfin_at_home.log.count_of("POST", RUN) == 2
    # They run by themselves by now.
    await check(hass, jellyfin_at_home)
    assert jellyfin_at_home.log.count_of("POST", RUN) == 2


async def test_plugin_that_is_late(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, server: ConfigEntry[Any]
) -> None:
    """Within its first hour the tasks are run with every check."""
    for key in (TaskKey.ITEMS_ADDED, TaskKey.ITEMS_DELETED):
        task = jellyfin_at_home._state.tasks[key]
        assert task.ended is not None
        task.ended -= timedelta(minutes=5)
    await check(hass, jellyfin_at_home)
    assert jellyfin_at_home.log.count_of("POST", RUN) == 4


async def test_who_is_no_administrator(
    hass: HomeAssistant, address: str, jellyfin_at_home: JellyfinStandIn
) -> None:
    """They are told of a restart that is due, and have nothing run."""
    for account in jellyfin_at_home.accounts.users.values():
        account.administrator = False
    await JellyfinHome(jellyfin_at_home).sign_in(hass, "alice")
    told = async_capture_events(hass, "media_scrobbler_server")
    jellyfin_at_home.pending_restart = True
    await check(hass, jellyfin_at_home)
    assert [each.data["type"] for each in told] == ["pending_restart"]
    assert jellyfin_at_home.log.count_of(None, "/ScheduledTasks*") == 0


async def test_state_that_is_not_told(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, server: ConfigEntry[Any]
) -> None:
    """A server is there all the same."""
    with jellyfin_at_home.faults.fail(500, path="/System/Info"):
        await check(hass, jellyfin_at_home)
    state = hass.states.get(entity_id_of(hass, "binary_sensor", server, "connected"))
    assert state is not None
    assert state.state == "on"


# New media


async def arrive(jellyfin: JellyfinStandIn, *titles: Any) -> None:
    """Have media come that no webhook tells of."""
    jellyfin.plugin.installed = False
    for title in titles:
        await jellyfin.add(title)


async def test_library_is_looked_at_after_a_scan(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, server: ConfigEntry[Any]
) -> None:
    """What the server's own scan has found is known with the next check."""
    await call(hass, "scan_library", server=server.entry_id)
    await settle(hass)
    assert movies(hass, server) == "2"
    await arrive(jellyfin_at_home, NINTH_MERIDIAN)
    await check(hass, jellyfin_at_home)
    assert movies(hass, server) == "2"
    with jellyfin_at_home.scanning():
        pass
    jellyfin_at_home.log.clear()
    await check(hass, jellyfin_at_home)
    assert movies(hass, server) == "3"
    # The libraries, and two requests for each kind of media in them.
    assert jellyfin_at_home.log.count_of("GET", "/UserViews") == 1
    pages = [
        request
        for request in jellyfin_at_home.log.of("GET", "/Items")
        if request.argument("parentId") and request.argument("limit") != "500"
    ]
    assert len(pages) <= 6
    jellyfin_at_home.log.clear()
    await check(hass, jellyfin_at_home)
    assert jellyfin_at_home.log.count_of("GET", "/Items") == 0


async def test_library_that_was_never_scanned(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, server: ConfigEntry[Any]
) -> None:
    """It is left to its first scan, which tells what has been there before."""
    with jellyfin_at_home.scanning():
        pass
    jellyfin_at_home.log.clear()
    await check(hass, jellyfin_at_home)
    assert jellyfin_at_home.log.count_of("GET", "/UserViews") == 0


async def test_deleted_show(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, server: ConfigEntry[Any]
) -> None:
    """Of 12.0 each episode is told without its show and season, and found by its item."""
    await call(hass, "scan_library", server=server.entry_id)
    await settle(hass)

    def episodes() -> str:
        state = hass.states.get(entity_id_of(hass, "sensor", server, "episodes"))
        assert state is not None
        return state.state

    assert episodes() == "3"
    told = [
        each.json()
        for each in await jellyfin_at_home.remove(HARBOUR_LIGHTS)
        if each.json()["ItemType"] == "Episode"
    ]
    assert len(told) == 3
    assert not any("SeriesName" in each or "SeasonNumber" in each for each in told)
    await settle(hass)
    await until(hass, lambda: episodes() == "0")
