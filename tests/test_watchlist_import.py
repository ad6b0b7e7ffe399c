"""Importing watchlists from Plex: by hand and by timer, one way and both."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.todo.const import DATA_COMPONENT
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.plex import pin as plex_pin
from custom_components.media_scrobbler.storage import watchlist as storage

from .common import (
    ALICE_AT_PLEX,
    Plex,
    add_viewer,
    answer,
    call,
    entity_id_of,
    settle,
    start_flow,
)
from .conftest import Restart
from .libraries import hold
from .signed_in import (
    JellyfinHome,
    PlexHome,
    later,
    quiet,
    until,
    viewer as viewer_named,
)
from .signing_in import confirm_url, gone_on
from .simulators.catalogue import (
    HARBOUR_LIGHTS,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    THE_SALT_ROAD,
    ExternalIds,
    Movie,
    Show,
)
from .simulators.faults import Fault, Faults
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.plex_guids import plex_id
from .simulators.plex_server import PlexStandIn
from .storage.common import until as in_this_turn
from .test_repairs import Post, damage, issues, post, stored  # noqa: F401
from .texts import assert_translated, text
from .wanted import (
    Written,
    add,
    failing,
    list_of,
    names,
    option,
    sign_in,
    todo,
    uid_of,
    watchlist,
    written,
)

DAY = datetime(2026, 1, 1, tzinfo=UTC)
LIST = "/library/sections/watchlist/all"
ITEM = "/library/metadata/*"
ADD = "/actions/addToWatchlist"
REMOVE = "/actions/removeFromWatchlist"

ROAD, ORCHARD = THE_SALT_ROAD.label, PAPER_ORCHARD.label
MERIDIAN, LIGHTS = NINTH_MERIDIAN.label, HARBOUR_LIGHTS.label


def film(name: str, year: int = 2020, **ids: Any) -> Movie:
    """Return a movie that no server has."""
    return Movie(
        name,
        year,
        ids=ExternalIds(**ids),
        runtime=timedelta(hours=2),
        released=DAY.date(),
    )


async def hit(fault: Fault, times: int = 1) -> None:
    """Wait until something has gone wrong so often, and no longer."""
    await in_this_turn(lambda: fault.hits >= times)


class Remote:
    """The watchlist of somebody at Plex, as that person changes it there."""

    def __init__(self, plex: PlexStandIn, who: str = "alice") -> None:
        self.plex = plex
        self.user = plex.user(who)
        self._added = 0

    def add(self, *titles: Movie | Show) -> None:
        """Put titles on it, one after the other."""
        for title in titles:
            self._added += 1
            self.user.add_to_watchlist(title, at=DAY + timedelta(hours=self._added))
            if self.plex.discover.title(plex_id(title)) is None:
                self.plex.discover.titles.append(title)
                self.plex.discover._known = {}

    def remove(self, *titles: Movie | Show) -> None:
        """Take titles off it."""
        for title in titles:
            del self.user.watchlist[title]

    @property
    def names(self) -> set[str]:
        """Return what is on it."""
        return {title.label for title in self.user.watchlist}

    @property
    def asked(self) -> int:
        """Return how often Plex was asked for titles or watchlists."""
        return len(self.plex.discover.log)

    @property
    def changes(self) -> int:
        """Return how often Plex was asked to change the list."""
        return self.plex.discover.log.count_of("PUT")


@pytest.fixture
def remote(plex_at_home: PlexStandIn, address: str) -> Remote:
    """Return Alice's watchlist at Plex."""
    plex_at_home.discover.titles.append(NINTH_MERIDIAN)
    return Remote(plex_at_home)


@pytest.fixture
async def server(hass: HomeAssistant, remote: Remote) -> ConfigEntry[Any]:
    """Return the server that Alice has signed in to, for her and Bob."""
    return await PlexHome(remote.plex).sign_in(hass, "alice", "bob")


@pytest.fixture
def alice(hass: HomeAssistant, server: ConfigEntry[Any]) -> ConfigEntry[Any]:
    """Return Alice, with whose account somebody has signed in to the server."""
    return viewer_named(hass, "alice")


@pytest.fixture
async def both(hass: HomeAssistant, alice: ConfigEntry[Any]) -> ConfigEntry[Any]:
    """Return Alice, who keeps both lists in step."""
    await option(hass, alice, both_ways=True)
    return alice


async def imported(
    hass: HomeAssistant, viewer: ConfigEntry[Any], **data: Any
) -> dict[str, Any]:
    """Import the watchlist of a viewer; returns the response."""
    return await call(hass, "import_watchlist", viewer=viewer.entry_id, **data)


async def runs(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> list[dict[str, Any]]:
    """Return what is remembered of the imports of a viewer."""
    response = await call(hass, "get_watchlist_imports", viewer=viewer.entry_id)
    remembered: list[dict[str, Any]] = response["imports"]
    return remembered


async def last_run(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> dict[str, Any]:
    """Return what came of the last import, but for its time."""
    run = (await runs(hass, viewer))[0]
    return {
        key: value
        for key, value in run.items()
        if key not in ("at", "duration", "viewer", "viewer_id")
    }


def run(**different: Any) -> dict[str, Any]:
    """Return what is remembered of an import that came to nothing, but for this."""
    return {
        "trigger": "action",
        "dry_run": False,
        "imported": 0,
        "already_present": 0,
        "unmatched": [],
        "removed_here": 0,
        "removed_there": 0,
        "added_there": 0,
        **different,
    }


def last_import(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> Any:
    """Return the sensor that tells of the last import."""
    return hass.states.get(entity_id_of(hass, "sensor", viewer, "last_import"))


# Whose account it is


async def test_import(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """What is on the list at Plex is on this one afterwards, the newest on top."""
    assert last_import(hass, alice).state == "unknown"
    remote.add(THE_SALT_ROAD, HARBOUR_LIGHTS, PAPER_ORCHARD)

    response = await imported(hass, alice)

    assert response == {
        "imported": 3,
        "already_present": 0,
        "unmatched": [],
        "items": [ORCHARD, LIGHTS, ROAD],
    }
    assert await names(hass, alice) == [ORCHARD, LIGHTS, ROAD]
    _, lights, road = await watchlist(hass, alice)
    assert (lights["media_type"], road["media_type"]) == ("show", "movie")
    assert road == {
        "viewer": "alice",
        "viewer_id": alice.entry_id,
        "uid": road["uid"],
        "media_type": "movie",
        "title": "The Salt Road",
        "year": 2019,
        "duration": road["duration"],
        "ids": {
            "plex": f"plex://movie/{plex_id(THE_SALT_ROAD)}",
            "tmdb": 918273,
            "imdb": "tt9182736",
            "tvdb": 219483,
        },
        "status": "needs_action",
        "added_at": road["added_at"],
        "origin": "plex",
        "available": False,
        "poster": f"https://metadata-static.plex.tv/thumb/{plex_id(THE_SALT_ROAD)}.jpg",
    }
    await settle(hass)
    (remembered,) = await runs(hass, alice)
    assert await last_run(hass, alice) == run(imported=3)
    state = last_import(hass, alice)
    at = datetime.fromisoformat(remembered["at"]).replace(microsecond=0)
    assert datetime.fromisoformat(state.state) == at
    assert remembered["duration"] >= 0
    assert (state.attributes["trigger"], state.attributes["imported"]) == ("action", 3)
    assert "error" not in state.attributes
    assert remote.changes == 0


async def test_whose_sign_in(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """A server is signed in to with one account, and that one's list is nobody else's."""
    remote.add(THE_SALT_ROAD)
    bob = viewer_named(hass, "bob")
    remote.plex.user("bob").add_to_watchlist(PAPER_ORCHARD)
    with failing("no_plex_account", viewer="bob"):
        await imported(hass, bob)
    assert await last_run(hass, bob) == run(error="no_plex_account")
    assert remote.asked == 0

    response = await call(hass, "import_watchlist")
    assert response["items"] == [ROAD]
    assert await names(hass, bob) == []


async def test_nobody_has_signed_in(
    hass: HomeAssistant, plex: Plex, jellyfin_at_home: JellyfinStandIn
) -> None:
    """Where nobody has, or only to Jellyfin, there is nothing to import."""
    await JellyfinHome(jellyfin_at_home).sign_in(hass, "alice")
    (accounts,) = (
        entry.data["accounts"]
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.title == "alice"
    )
    keys = [await plex.introduce(ALICE_AT_PLEX), *accounts]
    vera = await add_viewer(hass, "Vera", keys)
    with failing("no_plex_account_at_all"):
        await call(hass, "import_watchlist")
    with failing("no_plex_account", viewer="Vera"):
        await imported(hass, vera)


async def test_a_server_that_is_shared(
    hass: HomeAssistant, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With whom a server is shared signs in to it for a list of their own."""
    monkeypatch.setattr(plex_pin, "INTERVAL", 0.01)
    bob = remote.plex.user("bob")
    bob.add_to_watchlist(PAPER_ORCHARD)
    remote.add(THE_SALT_ROAD)
    result = await start_flow(hass, "plex", "plex_sign_in")
    remote.plex.tv.visit(confirm_url(result), bob)
    result = await answer(hass, await gone_on(hass, result), local_only=True)
    await answer(hass, result, accounts=[str(bob.id)])
    await hass.async_block_till_done()
    assert (await imported(hass, viewer_named(hass, "bob")))["items"] == [ORCHARD]


async def test_their_own_sign_in(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has signed in in the options has a list of their own, whoever else has not."""
    monkeypatch.setattr(plex_pin, "INTERVAL", 0.01)
    remote.add(THE_SALT_ROAD)
    Remote(remote.plex, "bob").add(PAPER_ORCHARD)
    Remote(remote.plex, "carol").add(HARBOUR_LIGHTS)
    bob = viewer_named(hass, "bob")
    vera = await add_viewer(hass, "Vera")
    await sign_in(hass, bob, remote.plex, "bob")
    await sign_in(hass, vera, remote.plex, "carol")

    response = await call(hass, "import_watchlist")
    assert response == {
        "imported": 3,
        "already_present": 0,
        "unmatched": [],
        "items": [ROAD, ORCHARD, LIGHTS],
    }
    for viewer, name in ((alice, ROAD), (bob, ORCHARD), (vera, LIGHTS)):
        assert await names(hass, viewer) == [name]
    response = await call(hass, "get_watchlist_imports")
    assert [each["viewer"] for each in response["imports"]] == ["Vera", "bob", "alice"]
    response = await call(hass, "get_watchlist")
    assert [(each["viewer"], each["title"]) for each in response["items"]] == [
        ("alice", "The Salt Road"),
        ("bob", "Paper Orchard"),
        ("Vera", "Harbour Lights"),
    ]


async def test_one_of_several_fails(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lists of the others are imported all the same."""
    monkeypatch.setattr(plex_pin, "INTERVAL", 0.01)
    Remote(remote.plex, "bob").add(PAPER_ORCHARD)
    bob = viewer_named(hass, "bob")
    await sign_in(hass, bob, remote.plex, "bob")
    remote.plex.revoke("alice")
    with failing("plex_tv_sign_in"):
        await call(hass, "import_watchlist")
    assert await names(hass, bob) == [ORCHARD]


async def test_signed_in_anew_as_somebody_else(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What another account's list had before says nothing about this one's."""
    monkeypatch.setattr(plex_pin, "INTERVAL", 0.01)
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD, NINTH_MERIDIAN, film("Tide"))
    await imported(hass, both)
    carols = Remote(remote.plex, "carol")
    carols.add(HARBOUR_LIGHTS)
    await sign_in(hass, both, remote.plex, "carol")
    await imported(hass, both)
    expected = [LIGHTS, "Tide (2020)", MERIDIAN, ORCHARD, ROAD]
    assert await names(hass, both) == expected
    assert carols.names == set(expected)
    assert remote.names == set(expected) - {LIGHTS}
    assert issues(hass) == {}


# One way


async def test_dry_run(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """It says what would happen, and nothing does, here or there."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    await add(hass, both, LIGHTS)
    await todo(hass, both, "remove_item", item=ROAD)
    remote.remove(PAPER_ORCHARD)
    remote.add(NINTH_MERIDIAN, film("Tide"))
    before, there = written(hass), remote.names

    response = await imported(hass, both, dry_run=True)

    assert response == {
        "imported": 2,
        "already_present": 0,
        "unmatched": ["Tide (2020)"],
        "items": ["Tide (2020)", MERIDIAN],
    }
    assert await last_run(hass, both) == run(
        dry_run=True,
        imported=2,
        unmatched=["Tide (2020)"],
        removed_here=1,
        removed_there=1,
        added_there=1,
    )
    assert await names(hass, both) == [ORCHARD, LIGHTS]
    assert (written(hass), remote.names, remote.changes) == (before, there, 0)
    # It happens all the same when it is asked for.
    assert (await imported(hass, both))["items"] == ["Tide (2020)", MERIDIAN]


async def test_a_second_run(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """Where nothing has changed, nothing is asked for, changed or written."""
    remote.add(THE_SALT_ROAD, HARBOUR_LIGHTS, film("Tide"))
    await add(hass, both, ORCHARD)
    await imported(hass, both)
    before, changes = written(hass), remote.changes
    remote.plex.discover.log.clear()
    for _ in range(2):
        assert await imported(hass, both) == {
            "imported": 0,
            "already_present": 4,
            "unmatched": [],
            "items": [],
        }
    assert written(hass) == before
    assert changes == 1
    assert [request.path for request in remote.plex.discover.log] == [LIST, LIST]


async def test_the_order_stays(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """What a person has put into an order stays so; what is new is above it."""
    await add(hass, alice, "Dune (2021)")
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, alice)
    assert await names(hass, alice) == [ORCHARD, ROAD, "Dune (2021)"]
    entity = hass.data[DATA_COMPONENT].get_entity(list_of(hass, alice))
    assert entity is not None
    await entity.async_move_todo_item(await uid_of(hass, alice, ORCHARD), None)
    await entity.async_move_todo_item(await uid_of(hass, alice, "Dune (2021)"), None)
    remote.add(NINTH_MERIDIAN, HARBOUR_LIGHTS)
    await imported(hass, alice)
    expected = [LIGHTS, MERIDIAN, "Dune (2021)", ORCHARD, ROAD]
    assert await names(hass, alice) == expected


@pytest.mark.parametrize("both_ways", [False, True])
async def test_what_was_removed_by_hand(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote, both_ways: bool
) -> None:
    """It never comes back, unless it is added at Plex once more."""
    await option(hass, alice, both_ways=both_ways)
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, alice)
    await todo(hass, alice, "remove_item", item=ROAD)
    for _ in range(3):
        await imported(hass, alice)
        assert await names(hass, alice) == [ORCHARD]
    assert remote.names == ({ORCHARD} if both_ways else {ORCHARD, ROAD})

    if not both_ways:
        remote.remove(THE_SALT_ROAD)
        await imported(hass, alice)
    remote.add(THE_SALT_ROAD)
    await imported(hass, alice)
    assert await names(hass, alice) == [ROAD, ORCHARD]


async def test_one_way(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """Unless both lists are to be in step, nothing is removed here or changed there."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await add(hass, alice, LIGHTS)
    await imported(hass, alice)
    remote.remove(THE_SALT_ROAD)
    await todo(hass, alice, "remove_item", item=ORCHARD)
    await imported(hass, alice)
    assert await names(hass, alice) == [ROAD, LIGHTS]
    assert (remote.names, remote.changes) == ({ORCHARD}, 0)


@pytest.mark.parametrize("typed", [ROAD, "the salt road (2019)"])
async def test_what_was_typed_and_is_at_plex(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote, typed: str
) -> None:
    """It is one item, which stays where it is and learns what Plex knows."""
    remote.add(THE_SALT_ROAD, HARBOUR_LIGHTS)
    await add(hass, alice, "Dune (2021)", typed, LIGHTS)
    response = await imported(hass, alice)
    assert (response["imported"], response["already_present"]) == (0, 2)
    assert await names(hass, alice) == ["Dune (2021)", typed, LIGHTS]
    dune, road, lights = await watchlist(hass, alice)
    assert "ids" not in dune
    assert road["ids"]["plex"] == f"plex://movie/{plex_id(THE_SALT_ROAD)}"
    assert road["ids"]["tmdb"] == THE_SALT_ROAD.ids.tmdb
    assert (lights["media_type"], lights["origin"]) == ("show", "manual")


@pytest.mark.parametrize("both_ways", [False, True])
async def test_another_film_of_the_same_name(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    jellyfin_at_home: JellyfinStandIn,
    both_ways: bool,
) -> None:
    """Whose ids differ is another film, even if it came out in the same year."""
    await option(hass, alice, both_ways=both_ways)
    tide, another = film("Tide", tmdb=61), film("Tide", tmdb=62)
    home = JellyfinHome(jellyfin_at_home)
    jellyfin = await home.sign_in(hass, "alice")
    hold(home, tide)
    await call(hass, "scan_library", server=jellyfin.entry_id)
    await add(hass, alice, tide.label)
    remote.add(another)
    await imported(hass, alice)
    found = [item["ids"]["tmdb"] for item in await watchlist(hass, alice)]
    assert found == [62, 61]
    before = written(hass)
    assert (await imported(hass, alice))["already_present"] == 1
    assert written(hass) == before


async def test_what_nobody_else_knows(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """A title without ids but Plex's own is imported, and reported once."""
    remote.add(film("Tide"), THE_SALT_ROAD)
    response = await imported(hass, alice)
    assert response["items"] == [ROAD, "Tide (2020)"]
    assert response["unmatched"] == ["Tide (2020)"]
    assert (await imported(hass, alice))["unmatched"] == []


async def test_ids_are_asked_for_one_by_one(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """Nothing says that Plex tells of several titles at once."""
    remote.plex.discover.refuses_several = 404
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, alice)
    assert [item["ids"]["tmdb"] for item in await watchlist(hass, alice)] == [
        PAPER_ORCHARD.ids.tmdb,
        THE_SALT_ROAD.ids.tmdb,
    ]


async def test_a_list_that_is_full(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What does not fit is not imported, not even a part of it."""
    monkeypatch.setattr(storage, "MAX_ITEMS", 2)
    await add(hass, alice, "Dune (2021)")
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    before = written(hass)
    with failing("watchlist_full", limit="2"):
        await imported(hass, alice)
    assert await last_run(hass, alice) == run(error="watchlist_full")
    assert (await names(hass, alice), written(hass)) == (["Dune (2021)"], before)


# Both ways


async def test_all_four_directions(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """What is added or removed on one list is so on the other one."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD, film("Tide"))
    await imported(hass, both)
    await add(hass, both, MERIDIAN)
    await todo(hass, both, "remove_item", item=ROAD)
    remote.add(HARBOUR_LIGHTS)
    remote.remove(PAPER_ORCHARD)

    await imported(hass, both)

    assert await last_run(hass, both) == run(
        imported=1, already_present=1, removed_here=1, removed_there=1, added_there=1
    )
    assert await names(hass, both) == [LIGHTS, "Tide (2020)", MERIDIAN]
    assert remote.names == {LIGHTS, "Tide (2020)", MERIDIAN}
    meridian = (await watchlist(hass, both))[-1]
    assert meridian["ids"]["plex"] == f"plex://movie/{plex_id(NINTH_MERIDIAN)}"


async def test_both_ways_from_now_on(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """What has changed before counts as well, once both lists are to be in step."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await add(hass, alice, LIGHTS)
    await imported(hass, alice)
    await todo(hass, alice, "remove_item", item=ROAD)
    await option(hass, alice, both_ways=True)
    await imported(hass, alice)
    assert set(await names(hass, alice)) == remote.names == {ORCHARD, LIGHTS}


async def test_what_is_done(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """It is neither removed here nor added there."""
    remote.add(THE_SALT_ROAD, NINTH_MERIDIAN)
    await add(hass, both, ORCHARD)
    await todo(hass, both, "update_item", item=ORCHARD, status="completed")
    await imported(hass, both)
    await todo(hass, both, "update_item", item=ROAD, status="completed")
    remote.remove(THE_SALT_ROAD)
    await imported(hass, both)
    assert await names(hass, both, "completed") == [ROAD, ORCHARD]
    assert (remote.names, remote.changes) == ({MERIDIAN}, 0)
    # Until it is wanted again.
    await add(hass, both, ROAD)
    await imported(hass, both)
    assert remote.names == {ROAD, MERIDIAN}


async def test_a_show_that_was_typed(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """What Plex knows as a show is one here too, at once."""
    await add(hass, both, LIGHTS)
    await imported(hass, both)
    (lights,) = await watchlist(hass, both)
    assert lights["media_type"] == "show"
    assert lights["ids"] == {"plex": f"plex://show/{plex_id(HARBOUR_LIGHTS)}"}
    before = written(hass)
    await imported(hass, both)
    assert written(hass) == before


async def test_what_plex_does_not_know(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """It stays here alone, and is reported."""
    await add(hass, both, "Dune (2021)", ORCHARD)
    assert (await imported(hass, both))["unmatched"] == ["Dune (2021)"]
    assert await names(hass, both) == ["Dune (2021)", ORCHARD]
    assert remote.names == {ORCHARD}


async def test_what_plex_knows_by_a_fuller_name(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """A name without its year is the title that Plex finds by it, on both lists."""
    remote.add(THE_SALT_ROAD)
    await add(hass, both, "The Salt Road")
    await imported(hass, both)
    assert await names(hass, both) == [ROAD]
    assert (remote.names, remote.changes) == ({ROAD}, 0)
    await todo(hass, both, "remove_item", item=ROAD)
    await imported(hass, both)
    assert (await names(hass, both), remote.names) == ([], set())


async def test_what_was_removed_there_and_typed_here(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """It is wanted, whatever the list at Plex had before."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    await todo(hass, both, "remove_item", item=ROAD)
    remote.remove(THE_SALT_ROAD)
    await add(hass, both, "The Salt Road")
    await imported(hass, both)
    assert remote.names == {ROAD, ORCHARD}
    await imported(hass, both)
    assert await names(hass, both) == [ORCHARD, ROAD]


@pytest.mark.parametrize("path", [ADD, REMOVE])
async def test_a_title_that_is_gone_at_plex(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote, path: str
) -> None:
    """What Plex does not know any more is neither added nor removed there."""
    remote.add(THE_SALT_ROAD)
    await imported(hass, both)
    await todo(hass, both, "remove_item", item=ROAD)
    await add(hass, both, ORCHARD)
    with remote.plex.discover.faults.fail(404, path=path):
        response = await imported(hass, both)
    assert response["unmatched"] == ([ORCHARD] if path == ADD else [])
    assert await names(hass, both) == [ORCHARD]


async def test_what_plex_cannot_remove(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    restart: Restart,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It stays off the list here, though Plex goes on listing it, and is not asked for again."""
    remote.plex.discover.unremovable.add(THE_SALT_ROAD)
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    await todo(hass, both, "remove_item", item=ROAD)
    await imported(hass, both)
    assert (await last_run(hass, both))["removed_there"] == 0
    hass, _ = await restart()
    both = viewer_named(hass, "alice")
    await until(hass, lambda: hass.states.get(list_of(hass, both)))
    changes = remote.changes
    for title in (NINTH_MERIDIAN, HARBOUR_LIGHTS):
        remote.add(title)
        await imported(hass, both)
        assert ROAD not in await names(hass, both)
    assert (remote.names, remote.changes) == (
        {ROAD, ORCHARD, MERIDIAN, LIGHTS},
        changes,
    )
    assert caplog.text.count("Plex cannot take The Salt Road (2019)") == 1

    # Once it was gone, it is new.
    remote.remove(THE_SALT_ROAD)
    await imported(hass, both)
    remote.add(THE_SALT_ROAD)
    assert (await imported(hass, both))["items"] == [ROAD]


async def test_what_plex_cannot_remove_is_wanted_again(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """It is on both lists then, and may be removed as any other title."""
    remote.plex.discover.unremovable.add(THE_SALT_ROAD)
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    for _ in range(2):
        await todo(hass, both, "remove_item", item=ROAD)
        await imported(hass, both)
        await add(hass, both, ROAD)
        await imported(hass, both)
        assert await names(hass, both) == [ORCHARD, ROAD]
    remote.plex.discover.unremovable.clear()
    await todo(hass, both, "remove_item", item=ROAD)
    await imported(hass, both)
    assert set(await names(hass, both)) == remote.names == {ORCHARD}


async def test_plex_refuses_one_title(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """In whatever way it does, the others are removed and added."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD, NINTH_MERIDIAN)
    await imported(hass, both)
    for name in (ROAD, ORCHARD):
        await todo(hass, both, "remove_item", item=name)
    await add(hass, both, LIGHTS)
    with remote.plex.discover.faults.fail(400, path=REMOVE, times=1):
        await imported(hass, both)
    assert (await last_run(hass, both))["removed_there"] == 1
    assert len(remote.names) == 3
    assert await names(hass, both) == [MERIDIAN, LIGHTS]


# Entries that are odd


@pytest.mark.parametrize(
    ("odd", "called"),
    [
        ({"guid": None}, "Tide (2020)"),
        ({"guid": "local://7"}, "Tide (2020)"),
        ({"guid": ["plex://movie/7"]}, "Tide (2020)"),
        ({"year": "long ago"}, "Tide"),
        ({"title": {}}, "?"),
    ],
)
async def test_one_odd_entry(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    odd: dict[str, Any],
    called: str,
) -> None:
    """It is named, and the others are imported, removed and added as ever."""
    tide = film("Tide", tmdb=1)
    remote.plex.discover.odd[tide] = odd
    remote.add(THE_SALT_ROAD, tide, PAPER_ORCHARD)
    for _ in range(2):
        response = await imported(hass, both)
        assert response["unmatched"] == [called]
        assert await names(hass, both) == [ORCHARD, ROAD]
    await todo(hass, both, "remove_item", item=ROAD)
    await add(hass, both, LIGHTS)
    await imported(hass, both)
    assert remote.names == {"Tide (2020)", ORCHARD, LIGHTS}
    remote.plex.discover.odd.clear()
    assert (await imported(hass, both))["items"] == ["Tide (2020)"]


@pytest.mark.parametrize("odd", [{"guid": None}, {"title": {}}])
async def test_an_entry_that_is_odd_for_a_while(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    odd: dict[str, Any],
) -> None:
    """What it may be is not taken for removed at Plex, whatever else was."""
    tide = film("Tide", tmdb=1)
    remote.add(THE_SALT_ROAD, tide, PAPER_ORCHARD, NINTH_MERIDIAN, HARBOUR_LIGHTS)
    await imported(hass, both)
    remote.plex.discover.odd[tide] = odd
    remote.remove(THE_SALT_ROAD)
    left = {"Tide (2020)", ORCHARD, MERIDIAN, LIGHTS}
    # An entry without a name could be any.
    kept = left if "guid" in odd else left | {ROAD}
    for _ in range(2):
        await imported(hass, both)
        assert set(await names(hass, both)) == kept
    remote.plex.discover.odd.clear()
    await imported(hass, both)
    assert set(await names(hass, both)) == remote.names == left
    assert remote.changes == 0


# Ids that are missing


@pytest.mark.freeze_time(tick=True)
async def test_ids_that_come_later(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    freezer: FrozenDateTimeFactory,
) -> None:
    """They are asked for again, ever more rarely; with them it is available."""
    await call(hass, "scan_library")
    known = replace(THE_SALT_ROAD, title="De zoutweg", year=2018)
    remote.plex.discover.without_ids.add(known)
    remote.add(known)
    assert (await imported(hass, alice))["unmatched"] == ["De zoutweg (2018)"]
    log = remote.plex.discover.log
    asked = []
    for hour in range(1, 20):
        log.clear()
        freezer.tick(timedelta(minutes=61))
        await imported(hass, alice)
        if log.count_of("GET", ITEM):
            asked.append(hour)
    assert asked == [1, 3, 7, 15]
    (item,) = await watchlist(hass, alice)
    assert not item["available"]

    remote.plex.discover.without_ids.clear()
    freezer.tick(timedelta(hours=16))
    await imported(hass, alice)
    (item,) = await watchlist(hass, alice)
    assert item["ids"]["tmdb"] == 918273
    assert item["available"]
    assert (await imported(hass, alice))["imported"] == 0
    before = written(hass)
    freezer.tick(timedelta(days=90))
    log.clear()
    await imported(hass, alice)
    assert (written(hass), log.count_of("GET", ITEM)) == (before, 0)


@pytest.mark.freeze_time(tick=True)
async def test_many_without_ids(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A few at a time are asked for again, each of them in turn."""
    remote.plex.discover.refuses_several = 404
    titles = [film(f"Film {number}", tmdb=number) for number in range(1, 26)]
    remote.plex.discover.without_ids.update(titles)
    remote.add(*titles)
    await imported(hass, alice)
    remote.plex.discover.without_ids.clear()
    freezer.tick(timedelta(minutes=61))
    for left in (15, 5, 0):
        await imported(hass, alice)
        items = await watchlist(hass, alice)
        assert sum("tmdb" not in item["ids"] for item in items) == left


# A rate limit


@pytest.mark.parametrize("several", [None, 404])
async def test_too_many_new_titles(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    several: int | None,
) -> None:
    """What is known by then is imported, and the rest later, by itself, in Plex's order."""
    discover = remote.plex.discover
    discover.refuses_several = several
    titles = [film(f"Film {number}", tmdb=number) for number in range(1, 121)]
    remote.add(*titles)
    discover.allowance = 62 if several else 3
    dry = await imported(hass, alice, dry_run=True)
    discover.allowance = 64 if several else 3
    response = await imported(hass, alice)
    first = len(await names(hass, alice))
    assert response["imported"] == first
    assert response["postponed"] == 120 - first
    assert response["unmatched"] == []
    assert 0 < first < 120
    assert 0 < dry["imported"] < 120
    assert dry["imported"] + dry["postponed"] == 120
    assert (await last_run(hass, alice)) == run(imported=first, postponed=120 - first)
    for _ in range(8):
        discover.allowance = 62 if several else 3
        await later(hass, hours=7)
        await until(hass, lambda: "interrupted" not in str(last_import(hass, alice)))
    assert await names(hass, alice) == [title.label for title in titles[::-1]]
    assert (await imported(hass, alice)).keys() == {
        "imported",
        "already_present",
        "unmatched",
        "items",
    }
    before = len(await runs(hass, alice))
    discover.allowance = None
    await later(hass, hours=200)
    assert len(await runs(hass, alice)) == before


async def test_too_many_changes(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """Removals and additions there go on later as well, and what is new here is imported."""
    titles = [film(f"Film {number}", tmdb=number) for number in range(1, 13)]
    remote.add(*titles)
    await imported(hass, both)
    for title in titles[:4]:
        await todo(hass, both, "remove_item", item=title.label)
    await add(hass, both, LIGHTS, MERIDIAN)
    remote.add(THE_SALT_ROAD)
    for allowance in (4, 5):
        remote.plex.discover.allowance = allowance
        response = await imported(hass, both)
        assert response["postponed"]
        assert (await names(hass, both))[0] == ROAD
    remote.plex.discover.allowance = None
    await imported(hass, both)
    expected = {title.label for title in titles[4:]} | {ROAD, LIGHTS, MERIDIAN}
    assert remote.names == set(await names(hass, both)) == expected


async def test_a_title_that_plex_counts_as_another_entry_by_now(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """While it is not known that it is the same one, it stays where it is on the list."""
    tide = film("Tide", tmdb=5)
    remote.add(tide, THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    (before,) = [
        item for item in await watchlist(hass, both) if "Tide" in item["title"]
    ]
    remote.remove(tide)
    remote.add(film("Tide!", tmdb=5))
    discover = remote.plex.discover
    discover.allowance, discover.retry_after = 1, 3600
    assert (await imported(hass, both))["postponed"] == 1
    discover.allowance = None
    await imported(hass, both)
    (after,) = [item for item in await watchlist(hass, both) if "Tide" in item["title"]]
    assert (after["uid"], after["added_at"]) == (before["uid"], before["added_at"])
    assert remote.names == {"Tide! (2020)", ROAD, ORCHARD}


async def test_plex_is_busy(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """It is asked again by itself, after a while, and not for ever."""
    remote.add(THE_SALT_ROAD)
    remote.plex.discover.allowance = 0
    with failing("plex_tv_failed"):
        await imported(hass, alice)
    assert (await last_run(hass, alice))["error"] == "busy"
    await later(hass, minutes=10)
    assert len(await runs(hass, alice)) == 1
    for _ in range(15):
        await later(hass, hours=7)
    assert len(await runs(hass, alice)) == 9
    with failing("plex_tv_failed"):
        await imported(hass, alice)
    remote.plex.discover.allowance = None
    await later(hass, hours=7)
    await until(hass, lambda: len(viewer_named(hass, "alice").runtime_data.watchlist))
    assert await names(hass, alice) == [ROAD]


@pytest.mark.parametrize(
    ("told", "too_soon", "soon_enough"),
    [
        (30, {"seconds": 50}, {"seconds": 70}),
        (3000, {"minutes": 45}, {"minutes": 51}),
        (10**7, {"hours": 5.9}, {"hours": 6.1}),
    ],
)
async def test_plex_says_when(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    told: int,
    too_soon: dict[str, float],
    soon_enough: dict[str, float],
) -> None:
    """It is asked again then, within reason, and nobody waits for that."""
    titles = [film(f"Film {number}", tmdb=number) for number in range(1, 71)]
    remote.add(*titles)
    remote.plex.discover.allowance, remote.plex.discover.retry_after = 2, told
    response = await imported(hass, alice)
    assert (response["imported"], response["postponed"]) == (50, 20)
    remote.plex.discover.allowance = None
    await later(hass, **too_soon)
    assert len(await names(hass, alice)) == 50
    await later(hass, **soon_enough)
    await until(
        hass, lambda: len(viewer_named(hass, "alice").runtime_data.imports.runs) == 2
    )
    assert await names(hass, alice) == [title.label for title in titles[::-1]]


async def test_plex_fails_before_it_has_gone_on(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """What was left for later is not given up for that."""
    titles = [film(f"Film {number}", tmdb=number) for number in range(1, 71)]
    remote.add(*titles)
    discover = remote.plex.discover
    discover.allowance = 2
    assert (await imported(hass, alice))["postponed"] == 20
    discover.allowance = None
    with discover.faults.fail(500):
        await later(hass, minutes=31)
        await until(hass, lambda: "error" in last_import(hass, alice).attributes)
        with failing("plex_tv_failed"):
            await imported(hass, alice)
    await later(hass, hours=7)
    await until(
        hass, lambda: len(viewer_named(hass, "alice").runtime_data.watchlist) == 70
    )


async def test_nothing_goes_on_of_a_viewer_who_is_gone(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """Nor of one whose entry is disabled."""
    remote.add(THE_SALT_ROAD)
    remote.plex.discover.allowance = 0
    with failing("plex_tv_failed"):
        await imported(hass, alice)
    disable = hass.config_entries.async_set_disabled_by
    await disable(alice.entry_id, ConfigEntryDisabler.USER)
    remote.plex.discover.log.clear()
    await later(hass, hours=7)
    assert remote.asked == 0


async def test_nothing_goes_on_of_an_import_that_ends_with_its_viewer(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """However much it had put off by then."""
    remote.add(*(film(f"Film {number}", tmdb=number) for number in range(1, 61)))
    await add(hass, both, LIGHTS)
    discover = remote.plex.discover
    discover.allowance, discover.retry_after = 2, 3600
    fault = discover.faults.hang(path="/library/metadata/matches")
    task = asyncio.create_task(imported(hass, both))
    await hit(fault)
    await hass.config_entries.async_set_disabled_by(
        both.entry_id, ConfigEntryDisabler.USER
    )
    with failing("import_interrupted"):
        await task
    fault.remove()
    discover.allowance = None
    discover.log.clear()
    await later(hass, hours=7)
    await quiet(hass, discover.log)
    assert remote.asked == 0


# What goes wrong


async def shrunk(
    hass: HomeAssistant, viewer: ConfigEntry[Any], remote: Remote
) -> Written:
    """Import four titles, of which Plex then tells two; returns the file."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD, NINTH_MERIDIAN, HARBOUR_LIGHTS)
    await imported(hass, viewer)
    remote.remove(THE_SALT_ROAD, PAPER_ORCHARD)
    before = written(hass)
    with failing("watchlist_shrunk", before="4", now="2"):
        await imported(hass, viewer)
    assert written(hass) == before
    (issue,) = issues(hass).values()
    assert issue.is_fixable
    assert issue.translation_placeholders == {
        "viewer": "alice",
        "before": "4",
        "now": "2",
    }
    return before


async def test_an_empty_list(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """It is not believed: nothing is changed here or there, and a person is asked."""
    remote.add(THE_SALT_ROAD, HARBOUR_LIGHTS)
    await imported(hass, both)
    await add(hass, both, ORCHARD)
    before = written(hass)
    remote.remove(THE_SALT_ROAD, HARBOUR_LIGHTS)
    for dry_run in (True, False, False):
        with failing("watchlist_shrunk", before="2", now="0"):
            await imported(hass, both, dry_run=dry_run)
        assert await last_run(hass, both) == run(
            error="watchlist_shrunk", dry_run=dry_run
        )
        assert len(issues(hass)) == 1
    assert (written(hass), remote.changes) == (before, 0)


async def test_a_list_that_has_shrunk_for_a_while(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """Once Plex tells as before, all is well again."""
    before = await shrunk(hass, both, remote)
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    assert issues(hass) == {}
    assert (written(hass), remote.changes) == (before, 0)


async def test_a_list_that_has_shrunk_by_hand(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    post: Post,  # noqa: F811
) -> None:
    """A person says that it is right, if it is what the person was told."""
    await shrunk(hass, both, remote)
    (issue_id,) = issues(hass)
    result = await post(handler="media_scrobbler", issue_id=issue_id)
    texts = "issues", "watchlist_shrunk", "fix_flow"
    assert result["description_placeholders"] == {
        "viewer": "alice",
        "before": "4",
        "now": "2",
    }
    with remote.plex.discover.faults.fail(500, path=LIST):
        result = await post(result["flow_id"])
    assert result["errors"] == {"base": "import_failed"}
    assert text(*texts, "error", "import_failed")

    remote.remove(NINTH_MERIDIAN)
    result = await post(result["flow_id"])
    assert result["errors"] == {"base": "shrunk_further"}
    assert text(*texts, "error", "shrunk_further")
    assert result["description_placeholders"]["now"] == "1"
    assert len(await names(hass, both)) == 4

    result = await post(result["flow_id"])
    assert result["type"] == "create_entry"
    assert issues(hass) == {}
    assert await names(hass, both) == [LIGHTS]
    assert (await last_run(hass, both))["removed_here"] == 3
    await imported(hass, both)


@pytest.mark.parametrize("how", ["disabled", "removed"])
async def test_a_viewer_who_is_gone(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    post: Post,  # noqa: F811
    how: str,
) -> None:
    """Nothing is wrong with the list of somebody who has been removed or disabled."""
    await shrunk(hass, both, remote)
    (issue_id,) = issues(hass)
    result = await post(handler="media_scrobbler", issue_id=issue_id)
    remote.plex.revoke("alice")
    with failing("plex_tv_sign_in"):
        await imported(hass, both)
    assert len(issues(hass)) == 2
    if how == "disabled":
        await hass.config_entries.async_set_disabled_by(
            both.entry_id, ConfigEntryDisabler.USER
        )
    else:
        await hass.config_entries.async_remove(both.entry_id)
    assert issues(hass) == {}
    result = await post(result["flow_id"])
    assert (result["type"], result["reason"]) == ("abort", "viewer_gone")
    assert_translated(
        {**result, "type": "abort"}, "issues", "watchlist_shrunk", "fix_flow"
    )


async def test_signed_out_by_plex(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person is told when the token is worth nothing any more, and signs in again."""
    monkeypatch.setattr(plex_pin, "INTERVAL", 0.01)
    remote.add(THE_SALT_ROAD)
    await imported(hass, alice)
    before = written(hass)
    remote.plex.revoke("alice")
    with failing("plex_tv_sign_in"):
        await imported(hass, alice)
    assert await last_run(hass, alice) == run(error="invalid_auth")
    (issue,) = issues(hass).values()
    assert not issue.is_fixable
    assert issue.translation_placeholders == {"viewer": "alice"}
    assert written(hass) == before

    await sign_in(hass, alice, remote.plex, "alice")
    assert issues(hass) == {}
    assert (await imported(hass, alice))["already_present"] == 1


WAYS: list[Callable[[Faults, str], Fault]] = [
    lambda faults, path: faults.fail(500, path=path),
    lambda faults, path: faults.fail(403, path=path),
    lambda faults, path: faults.html(path=path),
    lambda faults, path: faults.cut(path=path),
    lambda faults, path: faults.drop(path=path),
    lambda faults, path: faults.answer("{}", path=path),
]


@pytest.mark.parametrize("path", [LIST, ITEM])
@pytest.mark.parametrize("way", WAYS)
async def test_plex_fails(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    way: Callable[[Faults, str], Fault],
    path: str,
) -> None:
    """Whatever is answered instead, nothing is changed here or there."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    remote.remove(THE_SALT_ROAD)
    remote.add(NINTH_MERIDIAN)
    await todo(hass, both, "remove_item", item=ORCHARD)
    before = written(hass)
    with way(remote.plex.discover.faults, path), failing("plex_tv_failed"):
        await imported(hass, both)
    failed = await last_run(hass, both)
    assert failed == run(error=failed["error"])
    assert failed["error"]
    assert (written(hass), remote.changes, issues(hass)) == (before, 0, {})

    await imported(hass, both)
    assert set(await names(hass, both)) == remote.names == {MERIDIAN}


async def test_no_internet(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """Where Plex cannot be reached, all stays as it is, and the sensor tells why."""
    remote.add(THE_SALT_ROAD)
    await remote.plex.lose_internet()
    with failing("plex_tv_failed"):
        await imported(hass, alice)
    await settle(hass)
    assert last_import(hass, alice).attributes["error"] == "cannot_connect"
    await remote.plex.regain_internet()
    assert (await imported(hass, alice))["items"] == [ROAD]
    await settle(hass)
    assert "error" not in last_import(hass, alice).attributes


async def test_a_list_that_changes_while_it_is_read(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of a list is none."""
    monkeypatch.setattr("custom_components.media_scrobbler.plex.watchlist.AT_ONCE", 2)
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD, NINTH_MERIDIAN)
    await imported(hass, both)
    before = written(hass)
    fault = remote.plex.discover.faults.slow(0.3, path=LIST)
    task = asyncio.create_task(imported(hass, both))
    await hit(fault, 2)
    remote.add(HARBOUR_LIGHTS)
    with failing("plex_tv_failed"):
        await task
    fault.remove()
    assert (written(hass), remote.changes) == (before, 0)
    assert (await imported(hass, both))["items"] == [LIGHTS]


@pytest.mark.parametrize("path", [REMOVE, ADD, "/library/metadata/matches"])
@pytest.mark.parametrize("way", WAYS[:1] + WAYS[2:5])
async def test_plex_fails_half_way(
    hass: HomeAssistant,
    both: ConfigEntry[Any],
    remote: Remote,
    way: Callable[[Faults, str], Fault],
    path: str,
) -> None:
    """What has not been done is done by the next run, and what has been not twice."""
    tide, ebb = film("Tide", tmdb=1), film("Ebb", tmdb=2)
    others = [film(f"Film {number}", tmdb=number) for number in range(10, 15)]
    remote.add(*others, THE_SALT_ROAD, PAPER_ORCHARD, NINTH_MERIDIAN, tide)
    remote.plex.discover.titles.append(ebb)
    await imported(hass, both)
    for name in (ROAD, ORCHARD):
        await todo(hass, both, "remove_item", item=name)
    await add(hass, both, LIGHTS, "Ebb (2020)")
    remote.remove(tide)
    here = await names(hass, both)
    with way(remote.plex.discover.faults, path), failing("plex_tv_failed"):
        await imported(hass, both)
    failed = await last_run(hass, both)
    assert (failed["imported"], failed["removed_here"]) == (0, 0)
    assert await names(hass, both) == here
    assert failed["removed_there"] == (0 if path == REMOVE else 2)

    await imported(hass, both)
    expected = [
        MERIDIAN,
        *(each.label for each in others[::-1]),
        LIGHTS,
        "Ebb (2020)",
    ]
    assert await names(hass, both) == expected
    assert remote.names == set(expected)
    again = written(hass)
    await imported(hass, both)
    assert written(hass) == again


async def test_what_was_removed_there_by_a_run_that_failed(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """However much it was: it is not taken for a mistake of Plex'."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD, NINTH_MERIDIAN, film("Tide"))
    await imported(hass, both)
    for name in (ROAD, ORCHARD, MERIDIAN):
        await todo(hass, both, "remove_item", item=name)
    await add(hass, both, LIGHTS)
    with (
        remote.plex.discover.faults.fail(500, path=ADD),
        failing("plex_tv_failed"),
    ):
        await imported(hass, both)
    assert remote.names == {"Tide (2020)"}
    await imported(hass, both)
    assert await names(hass, both) == ["Tide (2020)", LIGHTS]
    assert remote.names == {"Tide (2020)", LIGHTS}
    assert issues(hass) == {}


async def test_unreadable(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """Where the list here cannot be read, Plex is not even asked."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    path = stored(hass, "watchlist")
    await damage(hass, both, path)
    remote.plex.discover.log.clear()
    for dry_run in (False, True):
        with failing("not_readable"):
            await imported(hass, both, dry_run=dry_run)
        assert await last_run(hass, both) == run(error="not_readable", dry_run=dry_run)
    assert (remote.asked, path.read_bytes()) == (0, b"damaged")


async def test_not_written(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """What has been imported is on the list, and will be on the disk."""
    await add(hass, both, LIGHTS)
    remote.add(THE_SALT_ROAD)
    path = stored(hass, "watchlist")
    path.unlink()
    path.mkdir()
    with failing("not_written"):
        await imported(hass, both)
    assert await last_run(hass, both) == run(
        error="not_written", imported=1, added_there=1
    )
    assert await names(hass, both) == [ROAD, LIGHTS]
    path.rmdir()
    await later(hass, seconds=6)
    await until(hass, path.is_file)
    await until(hass, lambda: not issues(hass))
    await hass.config_entries.async_reload(both.entry_id)
    assert await names(hass, both) == [ROAD, LIGHTS]


async def test_killed_before_it_was_written(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """A run that has changed the list at Plex and nothing here is made again."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD, film("Tide", tmdb=1))
    await imported(hass, both)
    await todo(hass, both, "remove_item", item=ROAD)
    await add(hass, both, "Harbour Lights")
    remote.add(NINTH_MERIDIAN)
    path = stored(hass, "watchlist")
    before = path.read_bytes()
    await imported(hass, both)
    expected = await names(hass, both)
    assert expected == [MERIDIAN, "Tide (2020)", ORCHARD, LIGHTS]

    disable = hass.config_entries.async_set_disabled_by
    await disable(both.entry_id, ConfigEntryDisabler.USER)
    path.write_bytes(before)
    await disable(both.entry_id, None)
    changes = remote.changes
    await imported(hass, both)
    assert await names(hass, both) == expected
    assert remote.names == set(expected)
    assert remote.changes == changes


async def test_changed_meanwhile(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """What a person does while Plex is asked is not lost."""
    remote.add(THE_SALT_ROAD, PAPER_ORCHARD)
    await imported(hass, both)
    await add(hass, both, MERIDIAN, LIGHTS)
    remote.add(film("Tide", tmdb=1))
    fault = remote.plex.discover.faults.slow(0.5, path=ADD)
    task = asyncio.create_task(imported(hass, both))
    await hit(fault)
    await add(hass, both, "Dune (2021)")
    await todo(hass, both, "remove_item", item=ROAD)
    await todo(hass, both, "update_item", item=ORCHARD, status="completed")
    await todo(hass, both, "update_item", item=MERIDIAN, rename="Ebb (2020)")
    await task
    expected = ["Tide (2020)", ORCHARD, "Ebb (2020)", LIGHTS, "Dune (2021)"]
    assert await names(hass, both) == expected
    items = {item["title"]: item for item in await watchlist(hass, both)}
    assert items["Paper Orchard"]["status"] == "completed"
    assert "ids" not in items["Ebb"]
    fault.remove()

    # The other side follows with the next run.
    await imported(hass, both)
    assert await names(hass, both) == expected
    assert remote.names == {"Tide (2020)", ORCHARD, LIGHTS}


async def test_two_runs_at_once(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote
) -> None:
    """One is after the other, and has nothing left to do."""
    remote.add(THE_SALT_ROAD)
    await add(hass, both, LIGHTS)
    with remote.plex.discover.faults.slow(0.1):
        await asyncio.gather(*(imported(hass, both) for _ in range(3)))
    assert await names(hass, both) == [ROAD, LIGHTS]
    assert remote.names == {ROAD, LIGHTS}
    assert remote.changes == 1
    assert [each["imported"] for each in await runs(hass, both)] == [0, 0, 1]


@pytest.mark.parametrize("how", ["reloaded", "disabled", "removed"])
async def test_interrupted(
    hass: HomeAssistant, both: ConfigEntry[Any], remote: Remote, how: str
) -> None:
    """An import ends with its viewer, and leaves nothing behind that was not there."""
    await add(hass, both, LIGHTS)
    remote.add(THE_SALT_ROAD)
    before = written(hass)
    fault = remote.plex.discover.faults.hang(path=LIST)
    task = asyncio.create_task(imported(hass, both))
    await hit(fault)
    entries, entry_id = hass.config_entries, both.entry_id
    match how:
        case "reloaded":
            await entries.async_reload(entry_id)
        case "disabled":
            await entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
        case "removed":
            await entries.async_remove(entry_id)
    with failing("import_interrupted"):
        await task
    fault.remove()
    if how == "removed":
        await later(hass, minutes=1)
        folder = Path(hass.config.path(".storage"))
        assert not [path for path in folder.iterdir() if entry_id in path.name]
        return
    assert written(hass) == before
    if how == "disabled":
        await entries.async_set_disabled_by(entry_id, None)
        await hass.async_block_till_done()
    else:
        assert await last_run(hass, both) == run(error="interrupted")
    await imported(hass, both)
    assert await names(hass, both) == [ROAD, LIGHTS]


# By timer, and what is remembered


async def test_timer(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote
) -> None:
    """It is repeated every so many hours, for as long as that is wanted."""
    await later(hass, hours=200)
    assert await runs(hass, alice) == []
    remote.add(THE_SALT_ROAD)
    await option(hass, alice, import_interval=6)
    await later(hass, minutes=2)
    await until(hass, lambda: last_import(hass, alice).state != "unknown")
    assert await last_run(hass, alice) == run(trigger="timer", imported=1)

    # Whatever came of the last one.
    with remote.plex.discover.faults.fail(500):
        await later(hass, hours=6, minutes=1)
        assert (await last_run(hass, alice))["error"] == "server_failure"
    remote.add(PAPER_ORCHARD)
    await later(hass, hours=6, minutes=1)
    assert await names(hass, alice) == [ORCHARD, ROAD]
    assert len(await runs(hass, alice)) == 3

    await option(hass, alice, import_interval=0)
    await later(hass, hours=200)
    assert len(await runs(hass, alice)) == 3


async def test_timer_after_a_restart(
    hass: HomeAssistant,
    alice: ConfigEntry[Any],
    remote: Remote,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The hours are counted from the last import, not from the last start."""
    await imported(hass, alice)
    await option(hass, alice, import_interval=6)
    freezer.tick(timedelta(hours=5))
    await imported(hass, alice, dry_run=True)
    await hass.config_entries.async_reload(alice.entry_id)
    await later(hass, minutes=50)
    assert len(await runs(hass, alice)) == 2
    await later(hass, minutes=61)
    assert len(await runs(hass, alice)) == 3
    assert (await last_run(hass, alice))["trigger"] == "timer"

    # It waits a moment when it is overdue, and not for ever if the clock was wrong.
    freezer.tick(timedelta(days=2))
    await hass.config_entries.async_reload(alice.entry_id)
    await later(hass, seconds=50)
    assert len(await runs(hass, alice)) == 3
    await later(hass, seconds=70)
    assert len(await runs(hass, alice)) == 4
    freezer.tick(timedelta(days=-9))
    await hass.config_entries.async_reload(alice.entry_id)
    await later(hass, hours=6, minutes=1)
    assert len(await runs(hass, alice)) == 5


async def test_what_is_remembered(
    hass: HomeAssistant, alice: ConfigEntry[Any], remote: Remote, restart: Restart
) -> None:
    """The last twenty imports are, also after a restart."""
    titles = [film(f"Film {number}") for number in range(22)]
    for title in titles:
        remote.add(title)
        await imported(hass, alice)
    remembered = await runs(hass, alice)
    assert [each["unmatched"] for each in remembered] == [
        [title.label] for title in titles[:1:-1]
    ]
    assert remembered == sorted(remembered, key=lambda each: each["at"], reverse=True)
    again, _ = await restart()
    assert await runs(again, alice) == remembered
    assert last_import(again, alice).attributes["unmatched"] == 1
    assert await names(again, alice) == [title.label for title in titles[::-1]]
