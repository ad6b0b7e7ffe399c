"""What servers know to have been watched is imported into histories, at somebody's wish."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
import json
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest

from custom_components.media_scrobbler.jellyfin import history as jellyfin_history
from custom_components.media_scrobbler.plex import history as plex_history

from .common import add_server, call, plays_of
from .followers import Household
from .server_histories import (
    MOVIE_IDS,
    SHOW_IDS,
    ago,
    eventually,
    heard,
    histories,
    know,
    signed_in,
    silence,
    sources,
    times_of,
    titles_of,
    watch,
)
from .signed_in import Home, JellyfinHome, PlexHome, until, viewer
from .simulators.catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    PAPER_ORCHARD,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
)
from .simulators.jellyfin import JellyfinUser
from .simulators.plex_server import PlexStandIn
from .storage.common import Disk

NOTHING = {"recorded": 0, "merged": 0, "held": 0, "ignored": 0}
THEN = datetime(2021, 5, 3, 20, 15, tzinfo=UTC)


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return the server, to which Alice and Bob are linked."""
    return await signed_in(hass, home, "alice", "bob")


def path_of(home: Home) -> str:
    """Return the path by which a server is asked for what was completed."""
    return "/status/sessions/history/all" if isinstance(home, PlexHome) else "/Items"


async def failure(hass: HomeAssistant, **data: Any) -> str | None:
    """Import what cannot be; returns the key of the error."""
    with pytest.raises(HomeAssistantError) as error:
        await call(hass, "import_history", **data)
    return error.value.translation_key


# Whose history it is


async def test_two_viewers(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Everybody gets what they have watched, when they did, with all that is known of it."""
    know(home, "alice", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN + timedelta(days=1))
    know(home, "bob", PAPER_ORCHARD, THEN + timedelta(days=2))
    assert await call(hass, "import_history") == NOTHING | {"recorded": 3}

    (movie,) = await plays_of(hass, viewer(hass, "alice"))
    assert movie["ids"].items() >= MOVIE_IDS.items()
    assert movie["duration"] == 6720
    assert sources(movie) == ["import"]
    assert movie["sources"][0]["account"] == "alice"
    assert movie["sources"][0]["server"] == entry.title
    _, episode = await plays_of(hass, viewer(hass, "bob"))
    assert episode["show_ids"].items() >= SHOW_IDS.items()
    assert (episode["show"], episode["season"], episode["episode"]) == (
        "Harbour Lights",
        2,
        3,
    )
    assert await titles_of(hass, "bob") == ["Paper Orchard", "Low Water"]
    assert await times_of(hass, "bob") == [
        THEN + timedelta(days=2),
        THEN + timedelta(days=1),
    ]


async def test_second_import(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Nothing is recorded twice, and nothing written again."""
    for number, title in enumerate((THE_SALT_ROAD, LOW_WATER, FOG_SIGNAL)):
        know(home, "bob", title, THEN + timedelta(days=number))
    assert await call(hass, "import_history") == NOTHING | {"recorded": 3}
    before = await plays_of(hass, viewer(hass, "bob"))
    with Disk.of(hass).watched() as disk:
        assert await call(hass, "import_history") == NOTHING | {"merged": 3}
    assert [name for name in disk.written if name.startswith("history.")] == []
    assert await plays_of(hass, viewer(hass, "bob")) == before


async def test_known_by_webhook(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What came by webhook is one play with what the server knows."""
    await watch(home, "bob", THE_SALT_ROAD)
    (before,) = await plays_of(hass, viewer(hass, "bob"))
    assert await call(hass, "import_history") == NOTHING | {"merged": 1}
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert play["play_id"] == before["play_id"]


async def test_nobody_is_told(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Years of plays set off no automation."""
    events = heard(hass)
    know(home, "bob", THE_SALT_ROAD, ago(minutes=3))
    know(home, "bob", LOW_WATER, THEN)
    assert await call(hass, "import_history") == NOTHING | {"recorded": 2}
    await hass.async_block_till_done()
    assert events == []


async def test_unlinked_account(
    hass: HomeAssistant, home: Home, client: TestClient[Any, Any]
) -> None:
    """What nobody is linked to waits, once, and goes to whoever is linked, in silence."""
    await signed_in(hass, home, "alice")
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN + timedelta(days=1))
    assert await call(hass, "import_history") == NOTHING | {"held": 2}
    assert await call(hass, "import_history") == NOTHING | {"merged": 2}
    assert await titles_of(hass, "alice") == []

    await until(hass, hass.config_entries.flow.async_progress)
    (flow,) = hass.config_entries.flow.async_progress()
    events = heard(hass)
    for values in (None, {"viewer": "new", "name": "bob"}):
        await hass.config_entries.flow.async_configure(flow["flow_id"], values)
    await eventually(hass, "bob", lambda plays: len(plays) == 2)
    assert await titles_of(hass, "bob") == ["Low Water", "The Salt Road"]
    assert await times_of(hass, "bob") == [THEN + timedelta(days=1), THEN]
    assert events == []
    assert await call(hass, "import_history") == NOTHING | {"merged": 2}


async def test_one_viewer(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Of one viewer, nobody else's is imported."""
    know(home, "alice", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN)
    bob = viewer(hass, "bob").entry_id
    assert await call(hass, "import_history", viewer=bob) == NOTHING | {"recorded": 1}
    assert await titles_of(hass, "alice") == []
    assert await titles_of(hass, "bob") == ["Low Water"]


async def test_since(hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]) -> None:
    """What is older than a time is left alone; a time without a zone is local."""
    await hass.config.async_set_time_zone("Asia/Tokyo")
    know(home, "bob", THE_SALT_ROAD, THEN - timedelta(minutes=1))
    know(home, "bob", LOW_WATER, THEN)
    response = await call(hass, "import_history", since="2021-05-04 05:15:00")
    assert response == NOTHING | {"recorded": 1}
    assert await titles_of(hass, "bob") == ["Low Water"]
    assert await call(hass, "import_history") == NOTHING | {"recorded": 1, "merged": 1}


async def test_media_types(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What a viewer does not want recorded is not."""
    hass.config_entries.async_update_entry(
        viewer(hass, "bob"), options={"media_types": ["episode"]}
    )
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN)
    response = await call(hass, "import_history")
    assert response == NOTHING | {"recorded": 1, "ignored": 1}
    assert await titles_of(hass, "bob") == ["Low Water"]


# When it was


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Tokyo"])
async def test_daylight_saving(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
) -> None:
    """Times are in UTC, also those of the hour that clocks show twice, or not at all."""
    await hass.config.async_set_time_zone(zone)
    times = [
        datetime(2023, 3, 12, 7, 30, tzinfo=UTC),
        datetime(2023, 3, 26, 1, 30, tzinfo=UTC),
        datetime(2023, 10, 29, 0, 30, tzinfo=UTC),
        datetime(2023, 10, 29, 1, 30, tzinfo=UTC),
        datetime(2023, 11, 5, 5, 30, tzinfo=UTC),
    ]
    titles = (THE_SALT_ROAD, PAPER_ORCHARD, LOW_WATER, FOG_SIGNAL, THE_PILOT_BOAT)
    for title, at in zip(titles, times, strict=True):
        know(home, "bob", title, at)
    assert await call(hass, "import_history") == NOTHING | {"recorded": 5}
    assert await times_of(hass, "bob") == times[::-1]
    assert await call(hass, "import_history") == NOTHING | {"merged": 5}


# What it needs


async def test_library_is_scanned_first(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Of titles that the library tells of, the server is not asked one by one."""
    await call(hass, "clear_library")
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN)
    home.log.clear()
    await call(hass, "import_history")
    scanned = (
        home.log.count_of("GET", "/library/sections")
        if isinstance(home, PlexHome)
        else home.log.count_of("GET", "/UserViews")
        + home.log.count_of("GET", "/Library/*")
    )
    assert scanned
    home.log.clear()
    await call(hass, "import_history")
    assert home.log.count_of("GET", "/library/sections/*") == 0
    assert histories(home) == len(home.log.of("GET", path_of(home)))


async def test_no_server(hass: HomeAssistant) -> None:
    """There is nothing to import from."""
    assert await failure(hass) is not None
