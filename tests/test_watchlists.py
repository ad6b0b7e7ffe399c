"""Wanted titles: where they are, when they have arrived, and how they are checked off."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from custom_components.media_scrobbler.storage import writer

from .common import add_viewer, answer, call, settle, viewer_settings
from .conftest import Restart
from .libraries import (
    FILMS,
    add,
    available,
    begin_scan,
    done,
    heard_of,
    hold,
    is_not_written,
    lose,
    reading_held,
    scan,
    settled_on_disk,
    snapshot,
    started_from,
    state_of,
    until_available,
    writing_held,
)
from .signed_in import Home, JellyfinHome, PlexHome, quiet, until, viewer
from .simulators.catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Episode,
    ExternalIds,
    Movie,
    Show,
)
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.plex_server import PlexStandIn
from .storage.common import Disk
from .wanted import add as want, todo, watchlist as wanted

EPISODES = (LOW_WATER, FOG_SIGNAL, THE_PILOT_BOAT)
SPECIAL = replace(LOW_WATER, season=0, number=1, title="Special", ids=ExternalIds())


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return a server with two films, and a show of three episodes."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    return entry


@pytest.fixture
async def scanned(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Scan for the first time."""
    await scan(hass, entry)


@pytest.fixture
def alice(hass: HomeAssistant, entry: ConfigEntry[Any]) -> ConfigEntry[Any]:
    """Return Alice, who watches on the server."""
    return viewer(hass, "alice")


def remake(film: Movie, year: int) -> Movie:
    """Return a film of the same name."""
    return replace(film, year=year, ids=ExternalIds(tmdb=7_000_000 + year))


# What has arrived


async def test_found_by_a_scan(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], alice: ConfigEntry[Any]
) -> None:
    """What the first scan finds was there before; what a later one finds has arrived."""
    heard = heard_of(hass)
    await want(
        hass, alice, THE_SALT_ROAD.label, NINTH_MERIDIAN.label, HARBOUR_LIGHTS.label
    )
    assert await state_of(hass, alice, "watchlist_available") == "0"
    assert (await scan(hass, entry))["watchlist_available"] == 2
    assert heard == []
    assert await state_of(hass, alice, "watchlist_size") == "3"
    assert await state_of(hass, alice, "watchlist_available") == "2"

    hold(home, NINTH_MERIDIAN, FILMS[0])
    assert (await scan(hass, entry))["watchlist_available"] == 1
    (event,) = heard
    ids = event.pop("ids")
    assert ids["tmdb"] == NINTH_MERIDIAN.ids.tmdb
    assert event == {
        "viewer": "alice",
        "viewer_id": alice.entry_id,
        "server": entry.title,
        "server_id": entry.entry_id,
        "server_type": entry.data["kind"],
        "servers": [entry.title],
        "media_type": "movie",
        "title": "Ninth Meridian",
        "year": 2024,
        "duration": NINTH_MERIDIAN.runtime.total_seconds(),
    }
    assert await state_of(hass, alice, "watchlist_available") == "3"
    assert (await scan(hass, entry))["watchlist_available"] == 0
    assert len(heard) == 1


async def test_put_on_the_list_where_it_is(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    alice: ConfigEntry[Any],
) -> None:
    """It has not arrived, whatever is done about it later."""
    heard = heard_of(hass)
    await want(hass, alice, THE_SALT_ROAD.label, "Nowhere")
    assert await available(hass, alice) == {"The Salt Road": True, "Nowhere": False}
    await todo(hass, alice, "update_item", item="Nowhere", rename=HARBOUR_LIGHTS.label)
    assert await available(hass, alice) == {
        "The Salt Road": True,
        "Harbour Lights": True,
    }
    for status in ("completed", "needs_action"):
        await todo(hass, alice, "update_item", item=THE_SALT_ROAD.label, status=status)
    await scan(hass, entry)
    await hass.config_entries.async_reload(alice.entry_id)
    await scan(hass, entry)
    assert heard == []


async def test_once_and_for_all(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    jellyfin_at_home: JellyfinStandIn,
    address: str,
    restart: Restart,
) -> None:
    """An arrival is told once, whatever happens on whichever server afterwards."""
    plex, jellyfin = PlexHome(plex_at_home), JellyfinHome(jellyfin_at_home)
    entries = [await home.sign_in(hass, "bob") for home in (plex, jellyfin)]
    bob = viewer(hass, "bob")
    vera = await add_viewer(hass, "Vera")
    await until(hass, lambda: all("registered_url" in entry.data for entry in entries))
    await scan(hass)
    heard = heard_of(hass)
    for who in (bob, vera):
        await want(hass, who, NINTH_MERIDIAN.label)

    await add(jellyfin, NINTH_MERIDIAN)
    await until(hass, lambda: len(heard) == 2)
    assert [event["viewer"] for event in heard] == ["bob", "Vera"]
    assert {event["server_id"] for event in heard} == {entries[1].entry_id}
    await add(plex, NINTH_MERIDIAN)
    await until_servers(hass, bob, [entries[0].title, entries[1].title])
    await scan(hass)
    # It goes everywhere and comes back.
    await jellyfin.server.remove(NINTH_MERIDIAN)
    await until_servers(hass, bob, [entries[0].title])
    lose(plex, NINTH_MERIDIAN)
    await scan(hass)
    await until_servers(hass, bob, [])
    await add(jellyfin, NINTH_MERIDIAN)
    await until_servers(hass, bob, [entries[1].title])
    assert await state_of(hass, bob, "watchlist_available") == "1"
    for entry in (*entries, bob):
        assert await hass.config_entries.async_reload(entry.entry_id)
    await call(hass, "clear_library")
    await until_servers(hass, bob, [])
    await scan(hass)
    await until_servers(hass, bob, [entries[1].title])
    assert len(heard) == 2

    hass, _ = await restart()
    heard = heard_of(hass)
    await until_servers(hass, bob, [entries[1].title])
    hold(plex, NINTH_MERIDIAN)
    await scan(hass)
    await until_servers(hass, bob, [entries[0].title, entries[1].title])
    assert heard == []


async def until_servers(
    hass: HomeAssistant, who: ConfigEntry[Any], expected: list[str]
) -> None:
    """Wait until the only wanted title is on these servers."""
    found: list[str] | None = None
    for _ in range(300):
        (item,) = await wanted(hass, who)
        if (found := item.get("servers", [])) == expected:
            assert item["available"] is bool(expected)
            return
        await asyncio.sleep(0.01)
    assert found == expected


async def test_server_goes(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    alice: ConfigEntry[Any],
) -> None:
    """What only a server had that is disabled or removed is not available any more."""
    await want(hass, alice, THE_SALT_ROAD.label)
    assert await state_of(hass, alice, "watchlist_available") == "1"
    disable = hass.config_entries.async_set_disabled_by
    await disable(entry.entry_id, ConfigEntryDisabler.USER)
    assert await available(hass, alice) == {THE_SALT_ROAD.title: False}
    assert await state_of(hass, alice, "watchlist_available") == "0"
    await disable(entry.entry_id, None)
    await until_available(hass, alice, {THE_SALT_ROAD.title: True})
    assert await state_of(hass, alice, "watchlist_available") == "1"
    await hass.config_entries.async_remove(entry.entry_id)
    assert await available(hass, alice) == {THE_SALT_ROAD.title: False}
    assert await state_of(hass, alice, "watchlist_available") == "0"


# Which title it is


async def test_without_a_year(
    hass: HomeAssistant, home: Home, scanned: None, alice: ConfigEntry[Any]
) -> None:
    """What is typed is completed by what a library has of that name."""
    await want(hass, alice, "paper orchard", "Harbour lights", "Orchard")
    film, show, nothing = await wanted(hass, alice)
    assert (film["title"], film["year"]) == ("paper orchard", 2006)
    assert film["ids"]["tmdb"] == PAPER_ORCHARD.ids.tmdb
    assert (show["media_type"], show["year"]) == ("show", 2021)
    assert show["ids"]["tvdb"] == HARBOUR_LIGHTS.ids.tvdb
    assert not nothing["available"]
    assert nothing.keys().isdisjoint(("year", "ids"))


async def test_several_of_a_name(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], alice: ConfigEntry[Any]
) -> None:
    """Which of them is meant nobody knows, but that there is one; a year tells."""
    heard = heard_of(hass)
    as_a_show = Show(
        PAPER_ORCHARD.title,
        2015,
        ids=ExternalIds(tmdb=7_111_111),
        premiered=PAPER_ORCHARD.released,
    )
    hold(home, remake(THE_SALT_ROAD, 1975), as_a_show)
    await scan(hass, entry)
    await want(hass, alice, "The Salt Road", "Paper Orchard", "The Salt Road (1975)")
    *undecided, remade = await wanted(hass, alice)
    for item in undecided:
        assert item["available"]
        assert item["servers"] == [entry.title]
        assert item.keys().isdisjoint(("year", "ids"))
    assert remade["ids"]["tmdb"] == 7_001_975
    await want(hass, alice, "The Salt Road (1990)")
    await add(home, remake(THE_SALT_ROAD, 1990))
    await until(hass, lambda: heard)
    await scan(hass, entry)
    assert [event["year"] for event in heard] == [1990]
    # The one that is meant is checked off.
    await watch(home, remake(THE_SALT_ROAD, 1990))
    await quiet(hass, home.log)
    expected = [*["needs_action"] * 3, "completed"]
    assert [item["status"] for item in await wanted(hass, alice)] == expected
    # So it is after a start.
    await hass.config_entries.async_reload(alice.entry_id)
    await quiet(hass, home.log)
    assert [item["status"] for item in await wanted(hass, alice)] == expected


async def test_twice_on_the_list(
    hass: HomeAssistant, home: Home, scanned: None, alice: ConfigEntry[Any]
) -> None:
    """Both are available and both are watched, but it arrives once."""
    heard = heard_of(hass)
    await want(hass, alice, NINTH_MERIDIAN.title, NINTH_MERIDIAN.label)
    await add(home, NINTH_MERIDIAN)
    await until(hass, lambda: heard)
    await quiet(hass, home.log)
    assert [item["available"] for item in await wanted(hass, alice)] == [True, True]
    assert len(heard) == 1
    await watch(home, NINTH_MERIDIAN)
    await quiet(hass, home.log)
    assert [item["status"] for item in await wanted(hass, alice)] == ["completed"] * 2


async def test_versions(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    address: str,
) -> None:
    """A film that is there twice is there, and arrives once."""
    home = JellyfinHome(jellyfin_at_home)
    entry = await home.sign_in(hass, "alice")
    alice = viewer(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    heard = heard_of(hass)
    await want(hass, alice, NINTH_MERIDIAN.label)
    await jellyfin_at_home.add(NINTH_MERIDIAN)
    await jellyfin_at_home.add_version(NINTH_MERIDIAN, "4K")
    await until(hass, lambda: heard)
    await quiet(hass, home.log)
    (item,) = await wanted(hass, alice)
    assert item["servers"] == [entry.title]
    assert item["ids"]["tmdb"] == NINTH_MERIDIAN.ids.tmdb
    assert len(heard) == 1


async def test_another_year(
    hass: HomeAssistant, home: Home, scanned: None, alice: ConfigEntry[Any]
) -> None:
    """A remake is another film."""
    await want(hass, alice, "The Salt Road (1975)")
    assert await available(hass, alice) == {"The Salt Road": False}


# What goes wrong


async def test_disk_is_full(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    alice: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What has arrived is told when that has been written down, and once."""
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))
    heard = heard_of(hass)
    await want(hass, alice, NINTH_MERIDIAN.label)
    with Disk.of(hass).blocked(f"watchlist.{alice.entry_id}"):
        await add(home, NINTH_MERIDIAN)
        await until(hass, lambda: is_not_written(hass))
        assert await available(hass, alice) == {NINTH_MERIDIAN.title: True}
        assert heard == []
    await until(hass, lambda: heard)
    await scan(hass, entry)
    assert len(heard) == 1


async def test_viewer_goes_meanwhile(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    alice: ConfigEntry[Any],
) -> None:
    """Nobody is told of what nobody wants any more."""
    heard = heard_of(hass)
    await want(hass, alice, NINTH_MERIDIAN.label)
    with Disk.of(hass).blocked(f"watchlist.{alice.entry_id}"):
        await add(home, NINTH_MERIDIAN)
        await until(hass, lambda: is_not_written(hass))
    await hass.config_entries.async_remove(alice.entry_id)
    await settle(hass)
    await quiet(hass, home.log)
    assert heard == []


@pytest.mark.parametrize("first", [True, False])
async def test_killed_after_a_scan(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    alice: ConfigEntry[Any],
    tmp_path: Path,
    first: bool,
) -> None:
    """What a scan has found is told by the next start, unless it was the first scan."""
    if not first:
        await scan(hass, entry)
    await want(hass, alice, NINTH_MERIDIAN.label)
    hold(home, NINTH_MERIDIAN)
    await settled_on_disk(hass)
    with writing_held(f"watchlist.{alice.entry_id}") as begun:
        scanning = begin_scan(hass, entry)
        assert await hass.async_add_executor_job(begun)
        folder = await snapshot(hass, tmp_path / "killed")
    await scanning
    for heard_then in (0 if first else 1, 0):
        async with started_from(folder) as (again, heard):
            await until_available(again, alice, {NINTH_MERIDIAN.title: True})
            await again.async_block_till_done()
            assert len(heard) == heard_then
            await scan(again, entry)
            assert len(heard) == heard_then


async def test_killed_after_adding(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    alice: ConfigEntry[Any],
    tmp_path: Path,
) -> None:
    """What was there when it was put on the list has not arrived, even so."""
    await scan(hass, entry)
    await settled_on_disk(hass)
    with writing_held(f"watchlist.{alice.entry_id}", after=1) as begun:
        adding = asyncio.create_task(want(hass, alice, THE_SALT_ROAD.label))
        assert await hass.async_add_executor_job(begun)
        folder = await snapshot(hass, tmp_path / "killed")
    await adding
    async with started_from(folder) as (again, heard):
        await until_available(again, alice, {THE_SALT_ROAD.title: True})
        await scan(again, entry)
        assert heard == []


# Checking off


async def watch(home: Home, *titles: Movie | Episode) -> None:
    """Have Alice watch titles to their end."""
    for title in titles:
        await home.play("alice", title)
        await home.finish()


async def until_done(
    hass: HomeAssistant, who: ConfigEntry[Any], **expected: bool
) -> None:
    """Wait until wanted titles are checked off that should be, and no others."""
    by_title = {title.replace("_", " "): is_done for title, is_done in expected.items()}
    found: dict[str, bool] = {}
    for _ in range(300):
        await hass.async_block_till_done()
        if (found := await done(hass, who)) == by_title:
            return
        await asyncio.sleep(0.01)
    assert found == by_title


async def test_movie_was_watched(
    hass: HomeAssistant, home: Home, scanned: None, alice: ConfigEntry[Any]
) -> None:
    """It is checked off by its ids or by its name, and counts no more."""
    await want(hass, alice, "the salt road", "Paper Orchard (2006)", "Ninth Meridian")
    hold(home, NINTH_MERIDIAN)
    await watch(home, THE_SALT_ROAD, NINTH_MERIDIAN)
    await until_done(
        hass,
        alice,
        the_salt_road=True,
        Paper_Orchard=False,
        Ninth_Meridian=True,
    )
    assert await state_of(hass, alice, "watchlist_size") == "1"
    assert await state_of(hass, alice, "watchlist_available") == "1"
    item = (await wanted(hass, alice))[0]
    assert item["completed_at"]
    # A list says nothing of what is not on it.
    await watch(home, LOW_WATER)
    assert len(await wanted(hass, alice)) == 3


@pytest.mark.parametrize("name", ["Harbour Lights (2021)", "harbour lights"])
async def test_show_was_watched(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    alice: ConfigEntry[Any],
    name: str,
) -> None:
    """It is checked off by the last episode of it that there is, but for specials."""
    hold(home, SPECIAL)
    await scan(hass, entry)
    await want(hass, alice, name)
    for episode in EPISODES:
        assert list((await done(hass, alice)).values()) == [False]
        await watch(home, episode)
        await quiet(hass, home.log)
        await hass.async_block_till_done()
    assert list((await done(hass, alice)).values()) == [True]


async def test_specials(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], alice: ConfigEntry[Any]
) -> None:
    """They are not the show: neither where there is nothing else, nor after it."""
    hold(home, SPECIAL)
    lose(home, *EPISODES)
    await scan(hass, entry)
    await want(hass, alice, HARBOUR_LIGHTS.label)
    await watch(home, SPECIAL)
    await quiet(hass, home.log)
    await until_done(hass, alice, Harbour_Lights=False)
    await hass.config_entries.async_reload(alice.entry_id)
    await until_done(hass, alice, Harbour_Lights=False)

    hold(home, LOW_WATER)
    await scan(hass, entry)
    await watch(home, LOW_WATER)
    await until_done(hass, alice, Harbour_Lights=True)
    await asyncio.sleep(1.1 - dt_util.utcnow().microsecond / 1_000_000)
    name = HARBOUR_LIGHTS.label
    await todo(hass, alice, "update_item", item=name, status="needs_action")
    another = replace(SPECIAL, number=2, title="Another")
    hold(home, another)
    await scan(hass, entry)
    await watch(home, another)
    await quiet(hass, home.log)
    await until_done(hass, alice, Harbour_Lights=False)
    await hass.config_entries.async_reload(alice.entry_id)
    await until_done(hass, alice, Harbour_Lights=False)


async def test_show_on_two_servers(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    jellyfin_at_home: JellyfinStandIn,
    address: str,
) -> None:
    """All that is anywhere has to be watched, wherever."""
    plex, jellyfin = PlexHome(plex_at_home), JellyfinHome(jellyfin_at_home)
    entries = [await home.sign_in(hass, "alice") for home in (plex, jellyfin)]
    await until(hass, lambda: all("registered_url" in entry.data for entry in entries))
    alice = viewer(hass, "alice")
    another = replace(LOW_WATER, number=5, title="Five", ids=ExternalIds(tvdb=8_765))
    hold(jellyfin, another)
    await scan(hass)
    await want(hass, alice, HARBOUR_LIGHTS.label)
    await watch(plex, *EPISODES)
    await quiet(hass, plex.log)
    await until_done(hass, alice, Harbour_Lights=False)
    await watch(jellyfin, another)
    await until_done(hass, alice, Harbour_Lights=True)


async def test_show_on_two_servers_after_a_restart(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    jellyfin_at_home: JellyfinStandIn,
    address: str,
    restart: Restart,
) -> None:
    """What one of them has is not all there is while the other's library is being read."""
    plex, jellyfin = PlexHome(plex_at_home), JellyfinHome(jellyfin_at_home)
    entries = [await home.sign_in(hass, "alice") for home in (plex, jellyfin)]
    await until(hass, lambda: all("registered_url" in entry.data for entry in entries))
    alice = viewer(hass, "alice")
    hold(jellyfin, replace(LOW_WATER, number=5, title="Five", ids=ExternalIds()))
    await scan(hass)
    await want(hass, alice, HARBOUR_LIGHTS.label)
    await watch(plex, *EPISODES)
    await quiet(hass, plex.log)

    with reading_held(f"library.{entries[1].entry_id}"):
        hass, _ = await restart()
        await until_available(hass, alice, {HARBOUR_LIGHTS.title: True})
        await until_done(hass, alice, Harbour_Lights=False)
    await until_servers(hass, alice, [entry.title for entry in entries])
    await until_done(hass, alice, Harbour_Lights=False)


async def test_show_of_which_not_all_is_known(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], alice: ConfigEntry[Any]
) -> None:
    """A library that was never scanned does not tell how many episodes there are."""
    await want(hass, alice, HARBOUR_LIGHTS.label)
    await add(home, another := replace(LOW_WATER, number=5, title="Five"))
    await watch(home, another)
    await quiet(hass, home.log)
    await until_done(hass, alice, Harbour_Lights=False)


async def test_show_of_which_all_is_known_later(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], alice: ConfigEntry[Any]
) -> None:
    """It is checked off by the scan that tells that all there is has been watched."""
    await want(hass, alice, HARBOUR_LIGHTS.label)
    await watch(home, *EPISODES)
    await quiet(hass, home.log)
    await until_done(hass, alice, Harbour_Lights=False)
    hold(home, another := replace(LOW_WATER, number=5, title="Five", ids=ExternalIds()))
    await scan(hass, entry)
    await until_done(hass, alice, Harbour_Lights=False)
    lose(home, another)
    await scan(hass, entry)
    await until_done(hass, alice, Harbour_Lights=True)


async def test_option(
    hass: HomeAssistant, home: Home, scanned: None, alice: ConfigEntry[Any]
) -> None:
    """Whoever does not want it checks off by hand."""
    await answer(hass, await viewer_settings(hass, alice), check_off=False)
    await want(hass, alice, THE_SALT_ROAD.label)
    await watch(home, THE_SALT_ROAD)
    await quiet(hass, home.log)
    await until_done(hass, alice, The_Salt_Road=False)
    # What was watched since it is wanted is checked off when that is wanted.
    await answer(hass, await viewer_settings(hass, alice), check_off=True)
    await until_done(hass, alice, The_Salt_Road=True)


async def test_unchecked_by_hand(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    alice: ConfigEntry[Any],
    client: TestClient[Any, Any],
    restart: Restart,
) -> None:
    """It stays so, also if more becomes known of what was watched before."""
    await want(hass, alice, THE_SALT_ROAD.label, HARBOUR_LIGHTS.label)
    with home.faults.fail(503):
        path = f"/api/webhook/{entry.data['webhook_id']}"
        async with client.post(path, data=home.bare(THE_SALT_ROAD)) as response:
            assert (await response.json())["outcome"] == "recorded"
        await quiet(hass, home.log)
    await watch(home, *EPISODES)
    await todo(hass, alice, "update_item", item=THE_SALT_ROAD.label, status="completed")
    await until_done(hass, alice, The_Salt_Road=True, Harbour_Lights=True)
    # Some servers tell the time of a play in whole seconds.
    await asyncio.sleep(1.1 - dt_util.utcnow().microsecond / 1_000_000)
    for name in (THE_SALT_ROAD.label, HARBOUR_LIGHTS.label):
        await todo(hass, alice, "update_item", item=name, status="needs_action")

    hass, _ = await restart()
    await until(hass, lambda: home.requests_of(THE_SALT_ROAD))
    await quiet(hass, home.log)
    await until_completed(hass, alice)
    await scan(hass, entry)
    await hass.config_entries.async_reload(alice.entry_id)
    await until_done(hass, alice, The_Salt_Road=False, Harbour_Lights=False)
    # Whatever is heard of from now on counts.
    await call(
        hass,
        "add_play",
        viewer=alice.entry_id,
        media_type="movie",
        title="The Salt Road",
        ids={"tmdb": THE_SALT_ROAD.ids.tmdb},
        watched_at=dt_util.utcnow() - timedelta(hours=3),
    )
    await until_done(hass, alice, The_Salt_Road=True, Harbour_Lights=False)


async def test_renamed_to_what_was_watched(
    hass: HomeAssistant, home: Home, scanned: None, alice: ConfigEntry[Any]
) -> None:
    """Another title is wanted from then on, however long there was one in its place."""
    await want(hass, alice, "Tide (2020)")
    await watch(home, THE_SALT_ROAD)
    await quiet(hass, home.log)
    # Some servers tell the time of a play in whole seconds.
    await asyncio.sleep(1.1 - dt_util.utcnow().microsecond / 1_000_000)
    name = THE_SALT_ROAD.label
    await todo(hass, alice, "update_item", item="Tide (2020)", rename=name)
    await hass.config_entries.async_reload(alice.entry_id)
    await quiet(hass, home.log)
    await until_done(hass, alice, The_Salt_Road=False)


async def until_completed(hass: HomeAssistant, who: ConfigEntry[Any]) -> None:
    """Wait until a play of a movie has what the server knows of it."""
    for _ in range(300):
        response = await call(
            hass, "get_history", viewer=who.entry_id, media_type="movie"
        )
        if all("duration" in play for play in response["plays"]):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it was not completed")


@pytest.mark.parametrize("title", [THE_SALT_ROAD, HARBOUR_LIGHTS])
async def test_killed_after_watching(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    alice: ConfigEntry[Any],
    tmp_path: Path,
    title: Movie | Show,
) -> None:
    """What had been watched is checked off by the next start."""
    await want(hass, alice, title.label, "Paper Orchard (2006)")
    if title is HARBOUR_LIGHTS:
        await watch(home, *EPISODES[1:])
    await settled_on_disk(hass)
    with writing_held(f"watchlist.{alice.entry_id}") as begun:
        watched = LOW_WATER if title is HARBOUR_LIGHTS else THE_SALT_ROAD
        await watch(home, watched)
        assert await hass.async_add_executor_job(begun)
        folder = await snapshot(hass, tmp_path / "killed")
    async with started_from(folder) as (again, _):
        await until_done(again, alice, **{title.title: True, "Paper Orchard": False})


async def test_disk_is_full_when_it_was_watched(
    hass: HomeAssistant,
    home: Home,
    scanned: None,
    alice: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
    restart: Restart,
) -> None:
    """It is checked off, and that is written as soon as it can be."""
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))
    await want(hass, alice, THE_SALT_ROAD.label)
    disk = Disk.of(hass)
    with disk.blocked(f"watchlist.{alice.entry_id}"):
        await watch(home, THE_SALT_ROAD)
        await until_done(hass, alice, The_Salt_Road=True)
    await until(
        hass, lambda: "done_at" in str(disk.read(f"watchlist.{alice.entry_id}"))
    )
