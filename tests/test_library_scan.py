"""Scanning libraries: what there is, what happens meanwhile, and what can go wrong."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
import json
import logging
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigEntry,
    ConfigEntryDisabler,
    ConfigEntryState,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler import library_pages, library_scan

from .common import add_server, answer, call
from .conftest import Restart
from .libraries import (
    EARLY,
    FILMS,
    Pages,
    add,
    available,
    begin_scan,
    counts,
    ended,
    files_of,
    hold,
    lose,
    names,
    press,
    scan,
    settled_on_disk,
    snapshot,
    started_from,
    state_of,
    until_available,
    until_counts,
    until_state,
    writing_held,
)
from .signed_in import Home, JellyfinHome, PlexHome, until, viewer
from .simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    THE_SALT_ROAD,
    Movie,
)
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.plex_server import PlexStandIn
from .storage.common import Disk
from .texts import text
from .wanted import add as want, failing

PAGE = 10
OWN = ("movies", "shows", "episodes")


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have few items on a page."""
    monkeypatch.setattr(library_pages, "PAGE_SIZE", PAGE)


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return a server with thirty films, two films more, and a show of three episodes."""
    hold(home, *FILMS[:30], at=EARLY)
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    return entry


@pytest.fixture
async def scanned(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Scan for the first time."""
    await scan(hass, entry)


@pytest.fixture
def pages(home: Home, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """Return what pages the server is asked for."""
    return Pages(home, monkeypatch)


async def come_to(hass: HomeAssistant, moment: datetime) -> None:
    """Have the timers go off that are due by a moment."""
    async_fire_time_changed(hass, moment)
    await hass.async_block_till_done()


def error_of(caught: pytest.ExceptionInfo[HomeAssistantError]) -> str:
    """Return the key of an error, which has its text."""
    key = caught.value.translation_key
    assert key is not None
    text("exceptions", key, "message")
    return key


# What there is


async def test_first_scan(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], pages: Pages
) -> None:
    """Everything is counted, and nothing is before."""
    assert await counts(hass, entry) == ("unknown",) * 3
    assert await state_of(hass, entry, "library_scan") == "not_scanned"
    assert await scan(hass, entry) == {
        "movies": 32,
        "shows": 1,
        "episodes": 3,
        "added": 36,
        "removed": 0,
        "without_ids": sum(not film.ids.items() for film in FILMS[:30]),
        "watchlist_available": 0,
    }
    assert await counts(hass, entry) == ("32", "1", "3")
    assert await state_of(hass, entry, "library_scan") == "complete"
    assert await state_of(hass, entry, "library_scan_progress") == "unknown"
    # Each begins with the last item of the one before.
    assert pages.asked == [
        ("Movie", 0, PAGE),
        ("Movie", 9, PAGE),
        ("Movie", 18, PAGE),
        ("Movie", 27, PAGE),
        ("Series", 0, PAGE),
        ("Episode", 0, PAGE),
    ]


async def test_further_scans(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], scanned: None
) -> None:
    """They say what has come and what has gone; nothing is written for no change."""
    before = files_of(hass, entry)
    unchanged = await scan(hass, entry)
    assert (unchanged["added"], unchanged["removed"]) == (0, 0)
    after = files_of(hass, entry)
    header = f"media_scrobbler.library.{entry.entry_id}"
    assert after.pop(header) != before.pop(header)
    assert after == before

    hold(home, *FILMS[30:33])
    lose(home, FILMS[0], FILMS[9], LOW_WATER)
    changed = await scan(hass, entry)
    assert (changed["movies"], changed["shows"], changed["episodes"]) == (33, 1, 2)
    assert (changed["added"], changed["removed"]) == (3, 3)

    lose(home, HARBOUR_LIGHTS)
    changed = await scan(hass, entry)
    assert (changed["shows"], changed["episodes"], changed["removed"]) == (0, 0, 3)
    assert await counts(hass, entry) == ("33", "0", "0")


async def test_empty(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], scanned: None
) -> None:
    """A library of nothing is one."""
    lose(home, THE_SALT_ROAD, PAPER_ORCHARD, HARBOUR_LIGHTS, *FILMS[:30])
    result = await scan(hass, entry)
    assert (result["movies"], result["removed"]) == (0, 36)
    assert await counts(hass, entry) == ("0", "0", "0")
    assert await state_of(hass, entry, "library_scan") == "complete"


async def test_progress(
    hass: HomeAssistant, entry: ConfigEntry[Any], pages: Pages
) -> None:
    """State and share tell that a scan is under way, and how far it is."""
    gates = [pages.hold_back(1), pages.hold_back(3)]
    await press(hass, entry, "scan_library")
    for gate, percent in zip(gates, ("0.0", "52.7777777777778"), strict=True):
        await gate.reached()
        # The page before is being put away while this one is asked for.
        await until_state(hass, entry, "library_scan_progress", percent)
        assert await state_of(hass, entry, "library_scan") == "scanning"
        assert await counts(hass, entry) == ("unknown",) * 3
        gate.open()
    await ended(hass, entry)
    assert await state_of(hass, entry, "library_scan_progress") == "unknown"
    assert await counts(hass, entry) == ("32", "1", "3")


async def test_joining(
    hass: HomeAssistant, entry: ConfigEntry[Any], pages: Pages
) -> None:
    """Whoever wants a scan while there is one waits for that."""
    gate = pages.hold_back(2)
    first = begin_scan(hass, entry)
    await gate.reached()
    second = begin_scan(hass, entry)
    await press(hass, entry, "scan_library")
    gate.open()
    assert await first == await second
    assert len(pages.asked) == 6


# What changes while it is read


@pytest.mark.parametrize("page", [2, 3, 4])
@pytest.mark.parametrize("as_many_come", [False, True])
async def test_deleted_meanwhile(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    pages: Pages,
    page: int,
    as_many_come: bool,
) -> None:
    """What is deleted is not kept, and what moves over the edge of a page not missed."""
    alice = viewer(hass, "alice")
    gone, new = FILMS[3:6], FILMS[30:33] if as_many_come else []
    # The first that is not on the page before.
    edge = FILMS[(page - 1) * (PAGE - 1) + 1]
    await want(hass, alice, *names([*gone, edge, *new]))

    def change() -> None:
        lose(home, *gone)
        hold(home, *new)

    pages.before(page, change)
    result = await scan(hass, entry)
    assert result["movies"] == 29 + len(new)
    assert await available(hass, alice) == {
        **{film.title: False for film in gone},
        **{film.title: True for film in (edge, *new)},
    }
    # What has not changed is not read again.
    kinds = [kind for kind, _, _ in pages.asked]
    assert kinds.count("Movie") > 4
    assert (kinds.count("Series"), kinds.count("Episode")) == (1, 1)
    # It is not on disk either.
    assert await counts(hass, entry) == (str(29 + len(new)), "1", "3")
    again = await scan(hass, entry)
    assert (again["added"], again["removed"]) == (0, 0)


async def test_deleted_time_and_again(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], pages: Pages
) -> None:
    """It comes to an end all the same, and nothing that is there is missed."""
    alice = viewer(hass, "alice")
    await want(hass, alice, *names(FILMS[24:30]))
    going: list[Movie] = []

    def lose_two() -> None:
        going.extend(FILMS[len(going) : len(going) + 2])
        lose(home, *going[-2:])

    for page in range(2, 13):
        pages.before(page, lose_two)
    result = await scan(hass, entry)
    assert [kind for kind, _, _ in pages.asked].count("Movie") <= 12
    assert 32 - len(going) <= result["movies"] <= 32
    assert all((await available(hass, alice)).values())
    # The next one tells.
    assert (await scan(hass, entry))["movies"] == 32 - len(going)


async def test_all_that_is_left_is_deleted(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], pages: Pages
) -> None:
    """A page can turn out to begin behind the end."""
    pages.before(3, lambda: lose(home, *FILMS[:30]))
    assert (await scan(hass, entry))["movies"] == 2


@pytest.mark.parametrize("at", [EARLY - timedelta(days=1), None])
async def test_added_meanwhile(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    pages: Pages,
    at: datetime | None,
) -> None:
    """It is found, also if the server takes it for something old."""
    alice = viewer(hass, "alice")
    await want(hass, alice, NINTH_MERIDIAN.label)
    pages.before(2, lambda: hold(home, NINTH_MERIDIAN, at=at))
    assert (await scan(hass, entry))["movies"] == 33
    assert await available(hass, alice) == {NINTH_MERIDIAN.title: True}


async def test_webhooks_meanwhile(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    pages: Pages,
) -> None:
    """What they tell counts, whether the page it is on has been read already or not."""
    gate = pages.hold_back(6)
    scanning = begin_scan(hass, entry)
    await gate.reached()
    await add(home, NINTH_MERIDIAN)
    expected = 33
    if isinstance(home, JellyfinHome):
        # Plex tells nobody.
        await home.server.remove(THE_SALT_ROAD)
        await home.server.remove(FILMS[0])
        expected = 31
    await until_counts(hass, entry, str(expected), "1", "3")
    gate.open()
    assert (await scanning)["movies"] == expected
    await until_counts(hass, entry, str(expected), "1", "3")


# What goes wrong

type Fault = Callable[[Home], object]

FAULTS: dict[str, tuple[Fault, str]] = {
    "gone": (lambda home: home.faults.drop(), "cannot_connect"),
    "cut": (lambda home: home.faults.cut(), "cannot_connect"),
    "failing": (lambda home: home.faults.fail(500), "server_failure"),
    "forbidding": (lambda home: home.faults.fail(403), "forbidden"),
    "html": (lambda home: home.faults.html(), "not_a_media_server"),
    "signed out": (lambda home: home.revoke(), "invalid_auth"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("page", [1, 3, 6])
async def test_server_fails(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    pages: Pages,
    caplog: pytest.LogCaptureFixture,
    fault: str,
    page: int,
) -> None:
    """The library stays what it was, and whoever asked is told why."""
    hold(home, *FILMS[30:40])
    lose(home, THE_SALT_ROAD)
    before = files_of(hass, entry)
    cause, key = FAULTS[fault]
    pages.before(page, lambda: cause(home))
    caplog.clear()
    with pytest.raises(HomeAssistantError) as caught:
        await scan(hass, entry)
    assert error_of(caught) == key
    assert not isinstance(caught.value, ServiceValidationError)
    assert await state_of(hass, entry, "library_scan") == "failed"
    assert await counts(hass, entry) == ("32", "1", "3")
    assert files_of(hass, entry) == before
    (warning,) = [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and record.name == library_scan.__name__
    ]
    assert (
        warning == f"The library of {entry.title} could not be scanned: {caught.value}"
    )

    flows = hass.config_entries.flow.async_progress()
    is_signed_out = fault == "signed out"
    assert any(flow["context"]["source"] == SOURCE_REAUTH for flow in flows) is (
        is_signed_out
    )
    if not is_signed_out:
        home.faults.clear()
        assert (await scan(hass, entry))["movies"] == 41
        assert await state_of(hass, entry, "library_scan") == "complete"


@pytest.mark.parametrize("first", [True, False])
async def test_server_is_down(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], first: bool
) -> None:
    """What was not known is not known, what was is."""
    if not first:
        await scan(hass, entry)
    await home.stop()
    await press(hass, entry, "scan_library")
    assert await ended(hass, entry) == "failed"
    assert await counts(hass, entry) == (
        ("unknown",) * 3 if first else ("32", "1", "3")
    )
    await home.start()
    await press(hass, entry, "scan_library")
    assert await ended(hass, entry) == "complete"
    assert await counts(hass, entry) == ("32", "1", "3")


@pytest.mark.parametrize("page", [1, 3])
async def test_pages_that_are_empty_or_the_same(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    pages: Pages,
    page: int,
) -> None:
    """A server that never comes to the end of what it has is not asked for ever."""
    item = {"ratingKey": "7", "type": "movie", "title": "Tide"}
    film = {"Id": "7" * 32, "Type": "Movie", "Name": "Tide"}
    bodies: list[dict[str, Any]] = [
        {"MediaContainer": {"size": 1, "totalSize": 99, "Metadata": [item]}},
        {"Items": [film], "TotalRecordCount": 99},
    ]
    content = dict(bodies[isinstance(home, JellyfinHome)])
    if page == 1 and isinstance(home, JellyfinHome):
        content["Items"] = []
    elif page == 1:
        content = {"MediaContainer": {"size": 0, "totalSize": 99}}
    pages.before(page, lambda: home.faults.answer(json.dumps(content)))
    with pytest.raises(HomeAssistantError) as caught:
        await scan(hass, entry)
    assert error_of(caught) in ("server_failure", "not_a_media_server")
    assert await counts(hass, entry) == ("32", "1", "3")


async def test_disk_is_full(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], scanned: None
) -> None:
    """What cannot be kept is not half kept."""
    hold(home, *FILMS[30:33])
    before = files_of(hass, entry)
    with Disk.of(hass).full(), pytest.raises(HomeAssistantError) as caught:
        await scan(hass, entry)
    assert error_of(caught) == "not_written"
    assert await state_of(hass, entry, "library_scan") == "failed"
    assert await counts(hass, entry) == ("32", "1", "3")
    assert files_of(hass, entry) == before
    assert (await scan(hass, entry))["added"] == 3


# Ending it


@pytest.mark.parametrize("by", ["button", "unloading", "disabling"])
@pytest.mark.parametrize("page", [1, 3])
async def test_cancelling(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    pages: Pages,
    by: str,
    page: int,
) -> None:
    """The library stays what it was, and whoever waits is told."""
    hold(home, *FILMS[30:40])
    lose(home, THE_SALT_ROAD)
    before = files_of(hass, entry)
    gate = pages.hold_back(page)
    scanning = begin_scan(hass, entry)
    await gate.reached()
    entries = hass.config_entries
    match by:
        case "button":
            await press(hass, entry, "cancel_scan")
        case "unloading":
            assert await entries.async_unload(entry.entry_id)
        case _:
            await entries.async_set_disabled_by(
                entry.entry_id, ConfigEntryDisabler.USER
            )
    with pytest.raises(HomeAssistantError) as caught:
        await scanning
    assert error_of(caught) == "scan_cancelled"
    gate.open()
    assert files_of(hass, entry) == before

    if by == "button":
        assert await state_of(hass, entry, "library_scan") == "cancelled"
        assert await state_of(hass, entry, "scan_library", "button") != "unavailable"
    elif by == "unloading":
        assert await entries.async_setup(entry.entry_id)
    else:
        await entries.async_set_disabled_by(entry.entry_id, None)
    await until_counts(hass, entry, "32", "1", "3")
    assert (await scan(hass, entry))["movies"] == 41


async def test_removing_the_server(
    hass: HomeAssistant, entry: ConfigEntry[Any], scanned: None, pages: Pages
) -> None:
    """Nothing is left of its library."""
    gate = pages.hold_back(3)
    scanning = begin_scan(hass, entry)
    await gate.reached()
    await hass.config_entries.async_remove(entry.entry_id)
    gate.open()
    with pytest.raises(HomeAssistantError):
        await scanning
    await hass.async_block_till_done()
    assert files_of(hass, entry) == {}


async def test_cancelling_for_an_import(
    hass: HomeAssistant, entry: ConfigEntry[Any], pages: Pages
) -> None:
    """Who imports is told what became of the import."""
    gate = pages.hold_back(1)
    importing = hass.async_create_task(
        call(hass, "import_history", server=entry.entry_id)
    )
    await gate.reached()
    await press(hass, entry, "cancel_scan")
    with failing("import_cancelled", server=entry.title):
        await importing
    gate.open()


async def test_cancelling_too_late(
    hass: HomeAssistant, entry: ConfigEntry[Any], pages: Pages
) -> None:
    """Once all has been read the library changes, and everybody hears of that."""
    alice = viewer(hass, "alice")
    await want(hass, alice, FILMS[0].label)
    with writing_held(f"library.{entry.entry_id}") as begun:
        scanning = begin_scan(hass, entry)
        assert await hass.async_add_executor_job(begun)
        assert len(pages.asked) == 6
        await press(hass, entry, "cancel_scan")
        await asyncio.sleep(0)
        assert not scanning.done()
    assert (await scanning)["watchlist_available"] == 1
    assert await state_of(hass, entry, "library_scan") == "complete"
    assert await available(hass, alice) == {FILMS[0].title: True}


# By night


async def test_every_night(
    hass: HomeAssistant, entry: ConfigEntry[Any], pages: Pages
) -> None:
    """It is an option, off by default, and at a time when nobody watches."""
    at_three = dt_util.now().replace(hour=3, minute=0, second=0) + timedelta(days=1)
    await come_to(hass, at_three + timedelta(days=1))
    assert pages.asked == []

    flow = await hass.config_entries.options.async_init(entry.entry_id)
    await answer(hass, flow, nightly_scan=True)
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    for _ in range(2):
        await come_to(hass, at_three - timedelta(seconds=1))
        assert pages.asked == []
        await come_to(hass, at_three + timedelta(hours=1))
        await until(hass, lambda: len(pages.asked) == 6)
        assert await ended(hass, entry) == "complete"
        pages.asked.clear()
        at_three += timedelta(days=1)
    assert await counts(hass, entry) == ("32", "1", "3")


# Several servers, and none


async def test_all_servers(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    jellyfin_at_home: JellyfinStandIn,
    address: str,
    client: TestClient[Any, Any],
) -> None:
    """All that are signed in to are scanned, also if one of them fails."""
    plex, jellyfin = PlexHome(plex_at_home), JellyfinHome(jellyfin_at_home)
    await add_server(hass, "plex", "By webhook")
    with pytest.raises(ServiceValidationError) as caught:
        await scan(hass)
    assert error_of(caught) == "no_server_to_scan"

    entries = [await home.sign_in(hass) for home in (plex, jellyfin)]
    assert await call(hass, "clear_library") == {"removed": 0}
    hold(plex, *FILMS[:3])
    assert await scan(hass) == {
        "movies": 7,
        "shows": 2,
        "episodes": 6,
        "added": 15,
        "removed": 0,
        "without_ids": 0,
        "watchlist_available": 0,
    }
    hold(jellyfin, FILMS[0])
    with plex.faults.fail(500), pytest.raises(HomeAssistantError) as failed:
        await scan(hass)
    assert error_of(failed) == "server_failure"
    assert [await counts(hass, entry) for entry in entries] == [
        ("5", "1", "3"),
        ("3", "1", "3"),
    ]


async def test_servers_that_cannot_be_asked(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """A server that is unknown, by webhook only, or not loaded is one that is told."""
    for action in ("scan_library", "clear_library"):
        with pytest.raises(ServiceValidationError) as unknown:
            await call(hass, action, server="nobody")
        assert error_of(unknown) == "server_not_found"
    by_webhook = await add_server(hass, "plex", "By webhook")
    with pytest.raises(HomeAssistantError) as refused:
        await scan(hass, by_webhook)
    assert error_of(refused) == "not_signed_in"
    await home.stop()
    assert not await hass.config_entries.async_reload(entry.entry_id)
    for which in ((entry,), ()):
        with pytest.raises(HomeAssistantError) as refused:
            await scan(hass, *which)
        assert error_of(refused) == "not_signed_in"
        assert refused.value.translation_placeholders == {"server": entry.title}


# Forgetting and remembering


async def test_clearing(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], scanned: None
) -> None:
    """Nothing is known any more, not even that a scan has failed since."""
    alice = viewer(hass, "alice")
    await want(hass, alice, FILMS[0].label)
    assert await available(hass, alice) == {FILMS[0].title: True}
    with home.faults.fail(500), pytest.raises(HomeAssistantError):
        await scan(hass, entry)
    response = await call(hass, "clear_library", server=entry.entry_id)
    assert response == {"removed": 36}
    assert await counts(hass, entry) == ("unknown",) * 3
    assert await state_of(hass, entry, "library_scan") == "not_scanned"
    assert await available(hass, alice) == {FILMS[0].title: False}
    assert await state_of(hass, alice, "watchlist_available") == "0"
    assert files_of(hass, entry) == {}
    assert await call(hass, "clear_library") == {"removed": 0}
    assert (await scan(hass, entry))["added"] == 36


async def test_clearing_during_a_scan(
    hass: HomeAssistant, entry: ConfigEntry[Any], scanned: None, pages: Pages
) -> None:
    """The scan is cancelled and does not bring back what was cleared."""
    gate = pages.hold_back(3)
    scanning = begin_scan(hass, entry)
    await gate.reached()
    assert await call(hass, "clear_library") == {"removed": 36}
    with pytest.raises(HomeAssistantError) as caught:
        await scanning
    assert error_of(caught) == "scan_cancelled"
    gate.open()
    assert await state_of(hass, entry, "library_scan") == "not_scanned"
    assert files_of(hass, entry) == {}


async def test_reload_and_restart(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    restart: Restart,
) -> None:
    """What was found is known again, without asking anybody."""
    alice = viewer(hass, "alice")
    await want(hass, alice, FILMS[0].label, "Harbour Lights (2021)", "Nowhere")
    expected = {FILMS[0].title: True, "Harbour Lights": True, "Nowhere": False}
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until_counts(hass, entry, "32", "1", "3")
    assert await available(hass, alice) == expected
    await home.stop()
    hass, _ = await restart()
    # Not even the server has to be there.
    await until_available(hass, alice, expected)
    await home.start()
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until_counts(hass, entry, "32", "1", "3")
    assert await state_of(hass, entry, "library_scan") == "complete"


async def test_killed_during_a_scan(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    scanned: None,
    pages: Pages,
    tmp_path: Path,
) -> None:
    """The library is what it was."""
    hold(home, *FILMS[30:40])
    lose(home, THE_SALT_ROAD)
    await settled_on_disk(hass)
    gate = pages.hold_back(5)
    scanning = begin_scan(hass, entry)
    await gate.reached()
    folder = await snapshot(hass, tmp_path / "killed")
    gate.open()
    assert (await scanning)["movies"] == 41
    async with started_from(folder) as (again, _):
        await until(again, lambda: again.states.async_all("button"))
        await until_counts(again, entry, "32", "1", "3")
        assert await state_of(again, entry, "library_scan") == "complete"
        assert (await scan(again, entry))["movies"] == 41
