"""Libraries are kept current by the webhooks that tell of new and deleted media."""

import asyncio
from dataclasses import replace
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from custom_components.media_scrobbler import library_updates

from .common import Jellyfin, Plex, add_viewer
from .conftest import Restart
from .libraries import (
    FILMS,
    add,
    available,
    counts,
    heard_of,
    hold,
    scan,
    until_available,
    until_counts,
)
from .signed_in import Home, JellyfinHome, PlexHome, later, quiet, until, viewer
from .simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    TIDEWATER,
    Episode,
    ExternalIds,
    Season,
    Title,
)
from .simulators.jellyfin import JellyfinEvent, encode
from .simulators.jellyfin_items import Kind
from .simulators.jellyfin_plugin import Notification
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.library import Library
from .simulators.plex import PlexEvent
from .simulators.plex_sections import Kind as PlexKind
from .simulators.plex_server import PlexStandIn
from .wanted import add as want, watchlist as wanted

SERIES = Library(episodes=400)
SHOW = SERIES.shows[0]
SEASON = SERIES.seasons[1]
FIRST, SECOND = (
    SERIES.episodes[numbers.start : numbers.stop]
    for numbers in map(SERIES.episodes_of_season, (0, 1))
)


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return a server with two films, a show and three of its episodes, scanned."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    await scan(hass, entry)
    await quiet(hass, home.log)
    home.log.clear()
    return entry


@pytest.fixture
async def plex_entry(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> ConfigEntry[Any]:
    """Return a Plex server that has been scanned."""
    entry = await PlexHome(plex_at_home).sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    await scan(hass, entry)
    return entry


@pytest.fixture
async def jellyfin_entry(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, address: str
) -> ConfigEntry[Any]:
    """Return a Jellyfin server that has been scanned."""
    entry = await JellyfinHome(jellyfin_at_home).sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    await scan(hass, entry)
    return entry


def workers() -> list[asyncio.Task[Any]]:
    """Return the tasks that apply what webhooks say."""
    return [
        task for task in asyncio.all_tasks() if "library updates" in task.get_name()
    ]


async def tell(home: Home, *titles: Title) -> None:
    """Have a server tell that titles are new, and not of what they are in."""
    assert isinstance(home, PlexHome | JellyfinHome)
    for title in titles:
        if isinstance(home, PlexHome):
            await home.plex.server.report(PlexEvent.LIBRARY_NEW, title)
        else:
            await home.server.tell_added(title)


def another(number: int) -> Episode:
    """Return one more episode of the second season of a known show."""
    return replace(LOW_WATER, number=number, title=f"No. {number}", ids=ExternalIds())


# What comes


async def test_movie(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], restart: Restart
) -> None:
    """It is counted, is there after a restart, and has not come again in a scan."""
    await add(home, NINTH_MERIDIAN)
    await until_counts(hass, entry, "3", "1", "3")
    # All that there is to know is in the webhook.
    assert home.requests_of(NINTH_MERIDIAN) == 0
    hass, _ = await restart()
    await until_counts(hass, entry, "3", "1", "3")
    result = await scan(hass, entry)
    assert (result["movies"], result["added"], result["removed"]) == (3, 0, 0)


async def test_music(hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]) -> None:
    """What a library is not kept of is left alone."""
    hold(home, SLOW_FERRY)
    await tell(home, TIDEWATER, SLOW_FERRY)
    assert workers() == []
    assert await counts(hass, entry) == ("2", "1", "3")


async def test_episode_of_an_unknown_show(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """The show comes with it, with all that the server knows of that."""
    alice = viewer(hass, "alice")
    heard = heard_of(hass)
    await want(hass, alice, SHOW.label)
    hold(home, FIRST[0])
    await tell(home, FIRST[0])
    await until_counts(hass, entry, "2", "2", "4")
    await until(hass, lambda: heard)
    (event,) = heard
    assert event["title"] == SHOW.title
    assert event["ids"]["tmdb"] == SHOW.ids.tmdb
    assert event["server_id"] == entry.entry_id
    assert home.requests_of(SHOW) == 1
    # A second episode brings nothing new of the show.
    hold(home, FIRST[1])
    await tell(home, FIRST[1])
    await until_counts(hass, entry, "2", "2", "5")
    await quiet(hass, home.log)
    assert home.requests_of(SHOW) == 1
    assert len(heard) == 1


@pytest.mark.parametrize("title", [SHOW, SEASON])
async def test_plex_tells_of_a_show_or_season(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    plex_entry: ConfigEntry[Any],
    title: Title,
) -> None:
    """Whatever has been added to it comes with it."""
    home = PlexHome(plex_at_home)
    hold(home, *FIRST, *SECOND)
    await tell(home, title)
    # Of an unknown show all is looked at.
    await until_counts(hass, plex_entry, "2", "2", str(3 + len(FIRST + SECOND)))


async def test_plex_tells_of_a_season_that_is_known(
    hass: HomeAssistant, plex_at_home: PlexStandIn, plex_entry: ConfigEntry[Any]
) -> None:
    """What is new in it comes, and what has been known does not come again."""
    home = PlexHome(plex_at_home)
    alice = viewer(hass, "alice")
    heard = heard_of(hass)
    await want(hass, alice, HARBOUR_LIGHTS.label)
    for number in (5, 6):
        hold(home, another(number))
        await tell(home, Season(HARBOUR_LIGHTS, 2))
        await until_counts(hass, plex_entry, "2", "1", str(number - 1))
    assert heard == []
    result = await scan(hass, plex_entry)
    assert (result["added"], result["removed"]) == (0, 0)


async def test_ids_that_come_later(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
) -> None:
    """What a webhook leaves out is asked of the server, and found by a later scan at last."""
    home, jellyfin = JellyfinHome(jellyfin_at_home), jellyfin_at_home
    alice = viewer(hass, "alice")
    heard = heard_of(hass)
    await want(hass, alice, NINTH_MERIDIAN.label)
    home.log.clear()
    await jellyfin.add(NINTH_MERIDIAN, has_ids=False)
    await until(hass, lambda: heard)
    await quiet(hass, home.log)
    assert home.requests_of(NINTH_MERIDIAN) == 1
    (item,) = await wanted(hass, alice)
    assert (item["available"], item.get("ids")) == (True, None)

    jellyfin.items.identify(NINTH_MERIDIAN, dt_util.utcnow())
    await scan(hass, jellyfin_entry)
    (item,) = await wanted(hass, alice)
    assert item["ids"]["tmdb"] == NINTH_MERIDIAN.ids.tmdb
    assert len(heard) == 1


async def test_ids_that_the_server_has_by_now(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
) -> None:
    """A title is recognised by them, whatever it is called here."""
    home, jellyfin = JellyfinHome(jellyfin_at_home), jellyfin_at_home
    alice = viewer(hass, "alice")
    heard = heard_of(hass)
    await want(hass, alice, NINTH_MERIDIAN.label)
    with home.faults.slow(0.2, path="/Items", times=1) as slow:
        await jellyfin.add(NINTH_MERIDIAN, has_ids=False)
        await until(hass, lambda: slow.hits)
        jellyfin.items.identify(NINTH_MERIDIAN, dt_util.utcnow())
        await until(hass, lambda: not workers())
    (item,) = await wanted(hass, alice)
    assert item["ids"]["tmdb"] == NINTH_MERIDIAN.ids.tmdb
    (event,) = heard
    assert "ids" not in event


async def test_announced_before_it_is_known(
    hass: HomeAssistant, plex_at_home: PlexStandIn, plex_entry: ConfigEntry[Any]
) -> None:
    """What comes without an id is asked for again, until the server knows what it is."""
    home, items = PlexHome(plex_at_home), plex_at_home.server.items
    film, video = (
        replace(NINTH_MERIDIAN, title=name, ids=ExternalIds())
        for name in ("ninth.meridian.2160p", "garden party")
    )
    alice = viewer(hass, "alice")
    heard = heard_of(hass)
    await want(hass, alice, NINTH_MERIDIAN.label)
    for title in (film, video):
        await plex_at_home.add(title)
    await until_counts(hass, plex_entry, "4", "1", "3")
    await quiet(hass, home.log)
    await later(hass, minutes=2)
    await quiet(hass, home.log)
    assert heard == []

    known = items.locate(film)
    assert known is not None
    extras = items._extras[PlexKind.MOVIE]
    extras[extras.index(film)] = NINTH_MERIDIAN
    items._new_keys[NINTH_MERIDIAN.key] = items.rating_key(film.key)
    home.log.clear()
    await later(hass, minutes=11)
    await until(hass, lambda: heard)
    (event,) = heard
    assert event["title"] == NINTH_MERIDIAN.title
    (item,) = await wanted(hass, alice)
    assert (item["available"], item["ids"]["tmdb"]) == (True, NINTH_MERIDIAN.ids.tmdb)
    for _ in range(3):
        await later(hass, hours=2)
        await quiet(hass, home.log)
    # A video that is known nowhere is not asked for for ever.
    assert home.requests_of(video) == 2
    assert home.requests_of(NINTH_MERIDIAN) == 1


async def test_the_server_fails(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What the webhook says is known all the same, and so is what comes after it."""
    with home.faults.fail(500):
        hold(home, FIRST[0], SECOND[0])
        await tell(home, FIRST[0], SECOND[0])
        await add(home, NINTH_MERIDIAN)
        await until_counts(hass, entry, "3", "2", "5")
        await quiet(hass, home.log)
    await until(hass, lambda: not workers())


async def test_the_server_is_down(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """A server of which that is known is not asked for every item."""
    body = home.bare(NINTH_MERIDIAN)
    for old, new in (
        (b"media.scrobble", b"library.new"),
        (b"PlaybackStop", b"ItemAdded"),
    ):
        body = body.replace(old, new)
    await home.stop()
    await later(hass, minutes=6)
    path = f"/api/webhook/{entry.data['webhook_id']}"
    async with client.post(path, data=body) as response:
        assert (await response.json())["outcome"] == "updated"
    await until_counts(hass, entry, "3", "1", "3")
    await until(hass, lambda: not workers())


# What goes


async def test_movie_is_deleted(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
    restart: Restart,
) -> None:
    """It is not there any more, after a restart neither."""
    alice = viewer(hass, "alice")
    await want(hass, alice, THE_SALT_ROAD.label, PAPER_ORCHARD.label)
    await jellyfin_at_home.remove(THE_SALT_ROAD)
    await until_counts(hass, jellyfin_entry, "1", "1", "3")
    expected = {THE_SALT_ROAD.title: False, PAPER_ORCHARD.title: True}
    assert await available(hass, alice) == expected
    hass, _ = await restart()
    await until_counts(hass, jellyfin_entry, "1", "1", "3")
    assert await available(hass, alice) == expected


async def test_show_is_deleted(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
) -> None:
    """Its episodes go with it, which nobody tells."""
    await jellyfin_at_home.remove(HARBOUR_LIGHTS)
    await until_counts(hass, jellyfin_entry, "2", "0", "0")
    result = await scan(hass, jellyfin_entry)
    assert (result["added"], result["removed"]) == (0, 0)


async def test_season_is_deleted(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
) -> None:
    """Its episodes go with it, the others stay."""
    await jellyfin_at_home.remove(Season(HARBOUR_LIGHTS, 2))
    await until_counts(hass, jellyfin_entry, "2", "1", "1")
    result = await scan(hass, jellyfin_entry)
    assert (result["added"], result["removed"]) == (0, 0)
    # One that nobody knows anything of.
    season = Season(HARBOUR_LIGHTS, 1)
    properties = jellyfin_at_home.server.payload(JellyfinEvent.ITEM_DELETED, season)
    del properties["SeasonNumber"]
    await jellyfin_at_home.remove(season, announce=False)
    await jellyfin_at_home.plugin.send(
        Notification(
            event=JellyfinEvent.ITEM_DELETED,
            kind=Kind.SEASON,
            user_id=None,
            properties=lambda: dict(properties),
        )
    )
    await until(hass, lambda: not workers())
    assert await counts(hass, jellyfin_entry) == ("2", "1", "1")


async def test_in_their_order(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
) -> None:
    """What has come and gone is not there, what has gone and come is."""
    jellyfin = jellyfin_at_home
    heard = heard_of(hass)
    with jellyfin.faults.slow(0.1, path="/Items"):
        await jellyfin.add(NINTH_MERIDIAN, has_ids=False)
        await jellyfin.add(FIRST[0], has_ids=False)
        await until(hass, lambda: len(workers()) == 1)
        await jellyfin.remove(THE_SALT_ROAD)
        await jellyfin.remove(NINTH_MERIDIAN)
        await jellyfin.remove(SHOW)
        await jellyfin.add(THE_SALT_ROAD)
    await until(hass, lambda: not workers())
    assert await counts(hass, jellyfin_entry) == ("2", "1", "3")
    result = await scan(hass, jellyfin_entry)
    assert (result["added"], result["removed"]) == (0, 0)
    assert heard == []


async def test_the_server_is_disabled(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
) -> None:
    """What still waits then is let go of, and nothing goes on."""
    jellyfin = jellyfin_at_home
    with jellyfin.faults.hang(path="/Items"):
        await jellyfin.add(NINTH_MERIDIAN, has_ids=False)
        await until(hass, lambda: len(workers()) == 1)
        await hass.config_entries.async_set_disabled_by(
            jellyfin_entry.entry_id, ConfigEntryDisabler.USER
        )
        await until(hass, lambda: not workers())
    jellyfin.faults.clear()
    await hass.config_entries.async_set_disabled_by(jellyfin_entry.entry_id, None)
    # It had been known before the server was asked for more.
    await until_counts(hass, jellyfin_entry, "3", "1", "3")


# By webhook only


async def test_jellyfin_by_webhook_only(
    hass: HomeAssistant, jellyfin: Jellyfin, restart: Restart
) -> None:
    """What it tells is all that is known, and enough to say what has arrived."""
    vera = await add_viewer(hass, "Vera")
    heard = heard_of(hass)
    await want(hass, vera, NINTH_MERIDIAN.label, HARBOUR_LIGHTS.label, "Fog Signal")
    for title in (NINTH_MERIDIAN, HARBOUR_LIGHTS, LOW_WATER, THE_PILOT_BOAT):
        answer = await jellyfin.report(JellyfinEvent.ITEM_ADDED, title)
        assert answer["outcome"] == "updated"
    await until(hass, lambda: not workers())
    assert [event["title"] for event in heard] == [
        NINTH_MERIDIAN.title,
        HARBOUR_LIGHTS.title,
    ]
    assert heard[0]["servers"] == [jellyfin.entry.title]
    expected = {
        NINTH_MERIDIAN.title: True,
        HARBOUR_LIGHTS.title: True,
        "Fog Signal": False,
    }
    assert await available(hass, vera) == expected
    hass, client = await restart()
    await until_available(hass, vera, expected)
    jellyfin = replace(jellyfin, client=client)
    await jellyfin.report(JellyfinEvent.ITEM_DELETED, HARBOUR_LIGHTS)
    await until(hass, lambda: not workers())
    expected[HARBOUR_LIGHTS.title] = False
    assert await available(hass, vera) == expected


async def test_plex_by_webhook_only(hass: HomeAssistant, plex: Plex) -> None:
    """A show is recognised by an episode if its name says enough."""
    vera = await add_viewer(hass, "Vera")
    heard = heard_of(hass)
    await want(hass, vera, NINTH_MERIDIAN.label, "Harbour Lights", "The Salt Road")
    for title in (NINTH_MERIDIAN, LOW_WATER):
        await plex.report(PlexEvent.LIBRARY_NEW, title)
    await until(hass, lambda: not workers())
    assert [event["title"] for event in heard] == [
        NINTH_MERIDIAN.title,
        HARBOUR_LIGHTS.title,
    ]
    assert [item["media_type"] for item in await wanted(hass, vera)] == [
        "movie",
        "show",
        "movie",
    ]


# Many at once


async def test_thousands(
    hass: HomeAssistant, client: TestClient[Any, Any], impatience: None, address: str
) -> None:
    """One task applies them, the server is asked for little, and all of them are there."""
    many = Library(episodes=2_000)
    async with JellyfinStandIn(library=many) as jellyfin:
        jellyfin.add_user("alice", "secret", administrator=True)
        entry = await JellyfinHome(jellyfin).sign_in(hass)
        await until(hass, lambda: "registered_url" in entry.data)
        await quiet(hass, jellyfin.log)
        jellyfin.log.clear()
        # What the loop would write down of each step takes longer than the step.
        asyncio.get_running_loop().set_debug(False)
        path = f"/api/webhook/{entry.data['webhook_id']}"
        most = 0
        for episode in many.episodes:
            body = encode(jellyfin.server.payload(JellyfinEvent.ITEM_ADDED, episode))
            async with client.post(path, data=body) as response:
                assert response.status == 200
            most = max(most, len(workers()))
        assert most == 1
        (worker,) = workers()
        await asyncio.wait([worker])
        # For each show itself and its episodes, at times in two pages, and what has no ids.
        without = sum(not episode.ids.items() for episode in many.episodes)
        assert len(jellyfin.log) <= 3 * len(many.shows) + without
        result = await scan(hass, entry)
        assert (result["shows"], result["episodes"]) == (len(many.shows), 2_000)
        assert (result["added"], result["removed"]) == (0, 0)


async def test_too_many(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What does not fit into memory is left to the next scan."""
    monkeypatch.setattr(library_updates, "MAX_WAITING", 2)
    jellyfin = jellyfin_at_home
    with jellyfin.faults.slow(0.3, path="/Items", times=1) as slow:
        await jellyfin.add(NINTH_MERIDIAN, has_ids=False)
        await until(hass, lambda: slow.hits)
        for film in FILMS[:4]:
            await jellyfin.add(film)
        assert await counts(hass, jellyfin_entry) == ("3", "1", "3")
    await until(hass, lambda: not workers())
    assert await counts(hass, jellyfin_entry) == ("5", "1", "3")
    assert (await scan(hass, jellyfin_entry))["added"] == 2


async def test_too_much_to_ask(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    jellyfin_entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server is not asked for what does not fit into memory, which is known all the same."""
    monkeypatch.setattr(library_updates, "MAX_WAITING", 2)
    home, jellyfin = JellyfinHome(jellyfin_at_home), jellyfin_at_home
    with jellyfin.faults.slow(0.3, path="/Items") as slow:
        for number, some in enumerate((FILMS[:1], FILMS[1:3], FILMS[3:5]), 1):
            for film in some:
                await jellyfin.add(film, has_ids=False)
            await until(hass, lambda number=number: slow.hits == number)  # type: ignore[misc]
        slow.remove()
    await until(hass, lambda: not workers())
    assert await counts(hass, jellyfin_entry) == ("7", "1", "3")
    assert [home.requests_of(film) for film in FILMS[:5]] == [1, 1, 1, 1, 0]
