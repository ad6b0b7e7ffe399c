"""Comparing whole histories with Jellyfin's libraries, and bringing accounts in step."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler import library_pages
from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.scrobbler import DATA_SCROBBLER

from .common import (
    MediaServer,
    Plex,
    add_server,
    add_viewer,
    answer,
    call,
    entity_id_of,
    plays_of,
    viewer_settings,
)
from .conftest import Restart
from .signed_in import JellyfinHome, PlexHome, later, moment, quiet, turn, until, viewer
from .simulators.catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Episode,
    ExternalIds,
    Movie,
    Title,
)
from .simulators.faults import Fault
from .simulators.jellyfin import JellyfinServer, JellyfinUser
from .simulators.jellyfin_items import VIEWS
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.jellyfin_version import JELLYFIN_VERSIONS, JellyfinVersion
from .simulators.library import Library
from .simulators.plex_server import PlexStandIn
from .texts import placeholders, text

ALICE, BOB = JellyfinUser.named("alice"), JellyfinUser.named("bob")
MARKS = "/UserPlayedItems/*"
TITLES = (
    THE_SALT_ROAD,
    PAPER_ORCHARD,
    LOW_WATER,
    FOG_SIGNAL,
    THE_PILOT_BOAT,
    SLOW_FERRY,
)
LONG_AGO = datetime(2021, 5, 3, 20, 15, tzinfo=UTC)
THEN = datetime(2024, 2, 11, 19, 45, tzinfo=UTC)
NOTHING = {
    "marked_watched": 0,
    "marked_unwatched": 0,
    "unchanged": 0,
    "not_in_library": 0,
    "failed": 0,
}


@pytest.fixture(params=JELLYFIN_VERSIONS, ids=str)
async def jellyfin(
    request: pytest.FixtureRequest, impatience: None, address: str
) -> AsyncGenerator[JellyfinStandIn]:
    """Return a server of either version, of Alice's, with Bob as another user."""
    version: JellyfinVersion = request.param
    async with JellyfinStandIn(
        version=version, titles=TITLES, validate=True
    ) as jellyfin:
        jellyfin.add_user("alice", "secret", administrator=True)
        jellyfin.add_user("bob")
        yield jellyfin


@pytest.fixture
async def server(hass: HomeAssistant, jellyfin: JellyfinStandIn) -> ConfigEntry[Any]:
    """Return the server, signed in to by Alice, with a viewer for her."""
    return await JellyfinHome(jellyfin).sign_in(hass, "alice")


@pytest.fixture
async def alice(hass: HomeAssistant, server: ConfigEntry[Any]) -> ConfigEntry[Any]:
    """Return the viewer Alice."""
    return viewer(hass, "alice")


async def watch(
    hass: HomeAssistant,
    who: ConfigEntry[Any],
    *titles: Title,
    at: datetime = THEN,
    known_by: str = "tmdb",
) -> list[str]:
    """Have titles in a history; returns the ids of the plays.

    An episode is known by its show's ids, which Jellyfin has at the show only.
    """
    plays = []
    for title in titles:
        if isinstance(title, Episode):
            data = {
                "media_type": "episode",
                "season": title.season,
                "episode": title.number,
                "show_ids": {known_by: dict(title.show.ids.items())[known_by]},
            }
        else:
            assert isinstance(title, Movie)
            data = {
                "media_type": "movie",
                "ids": {known_by: dict(title.ids.items())[known_by]},
            }
        response = await call(
            hass, "add_play", viewer=who.entry_id, watched_at=at, **data
        )
        plays.append(response["play"]["play_id"])
    return plays


async def choose(
    hass: HomeAssistant,
    who: ConfigEntry[Any],
    *,
    following: Iterable[str] = (),
    unfollowing: Iterable[str] = (),
) -> None:
    """Choose the accounts that follow a viewer."""
    result = await hass.config_entries.options.async_init(who.entry_id)
    result = await answer(hass, result, next_step_id="following")
    await answer(hass, result, following=list(following), unfollowing=list(unfollowing))


async def compare_every(
    hass: HomeAssistant, server: ConfigEntry[Any], hours: int
) -> None:
    """Choose how often a server is compared."""
    result = await hass.config_entries.options.async_init(server.entry_id)
    await answer(
        hass,
        result,
        nightly_scan=False,
        healing_interval=0,
        sync_interval=hours,
    )


def key(server: ConfigEntry[Any], user: JellyfinUser) -> str:
    """Return what a viewer is linked to a user by."""
    return f"{server.entry_id}:{user.id}"


def seen(
    jellyfin: JellyfinStandIn,
    user: JellyfinUser,
    *titles: Title,
    at: datetime | None = LONG_AGO,
) -> None:
    """Have titles show as watched, telling nobody."""
    for title in titles:
        data = jellyfin.data_of(user, title)
        data.played, data.count, data.last_played = True, 1, at


def shown(
    jellyfin: JellyfinStandIn, user: JellyfinUser, title: Title
) -> tuple[int, datetime | None] | None:
    """Return how often and when a title shows as watched, None if it does not."""
    data = jellyfin.data_of(user, title)
    return (data.count, data.last_played) if data.played else None


def marks(jellyfin: JellyfinStandIn) -> int:
    """Return how often the server was told to mark something."""
    return jellyfin.log.count_of("POST", MARKS) + jellyfin.log.count_of("DELETE", MARKS)


def mark_of(jellyfin: JellyfinStandIn, title: Title) -> str:
    """Return the path by which a title is marked."""
    return f"/UserPlayedItems/{jellyfin.items.id_of(title)}"


def counts(**changes: int) -> dict[str, int]:
    """Return a response."""
    return NOTHING | changes


async def sync(hass: HomeAssistant, **data: Any) -> dict[str, Any]:
    """Compare everything."""
    return await call(hass, "sync_jellyfin", **data)


def begin(hass: HomeAssistant, **data: Any) -> asyncio.Task[dict[str, Any]]:
    """Begin to compare everything."""
    return hass.async_create_background_task(sync(hass, **data), "sync")


async def reached(hass: HomeAssistant, fault: Fault) -> None:
    """Wait until a comparison has come to where it is held up.

    Home Assistant itself would wait for its end.
    """
    for _ in range(3000):
        await moment()
        if fault.hits:
            return
    raise AssertionError("it has never come to that")


def issue(hass: HomeAssistant, server: ConfigEntry[Any]) -> str | None:
    """Return what the issue about a server says of its accounts; its texts are there."""
    found = ir.async_get(hass).async_get_issue(
        DOMAIN, f"mass_unwatch_{server.entry_id}"
    )
    if found is None or not found.active:
        return None
    texts, given = text("issues", "mass_unwatch"), found.translation_placeholders or {}
    assert placeholders(texts["title"]) <= given.keys()
    assert placeholders(texts["description"]) <= given.keys()
    return given["accounts"]


def error(err: pytest.ExceptionInfo[HomeAssistantError]) -> str | None:
    """Return which error was raised; its text is there."""
    template = text("exceptions", err.value.translation_key or "", "message")
    assert placeholders(template) <= (err.value.translation_placeholders or {}).keys()
    return err.value.translation_key


async def state_of(hass: HomeAssistant, server: ConfigEntry[Any]) -> tuple[str, str]:
    """Return what the sensors show of the comparison, which may be under way."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=1))
    await turn(hass)
    states = []
    for sensor in ("history_sync", "history_sync_progress"):
        state = hass.states.get(entity_id_of(hass, "sensor", server, sensor))
        assert state is not None
        states.append(state.state)
    return states[0], states[1]


# Marking what was watched


async def test_marks_with_its_date(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """What is in the history is marked with the time of its last play, once and for all."""
    await watch(hass, alice, THE_SALT_ROAD, at=LONG_AGO)
    await watch(hass, alice, THE_SALT_ROAD, LOW_WATER, at=THEN)
    seen(jellyfin, ALICE, FOG_SIGNAL)
    expected = counts(marked_watched=2, unchanged=3)
    assert await sync(hass) == expected
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) == (1, THEN)
    assert shown(jellyfin, ALICE, LOW_WATER) == (1, THEN)
    assert shown(jellyfin, ALICE, FOG_SIGNAL) == (1, LONG_AGO)
    assert shown(jellyfin, ALICE, PAPER_ORCHARD) is None
    assert shown(jellyfin, BOB, THE_SALT_ROAD) is None
    assert await sync(hass) == counts(unchanged=5)
    assert marks(jellyfin) == 2


async def test_asks_for_pages_only(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """Beside the libraries' pages there is one request for each change."""
    await watch(hass, alice, THE_SALT_ROAD, LOW_WATER)
    await quiet(hass, jellyfin.log)
    jellyfin.log.clear()
    await sync(hass)
    asked = [(request.method, request.path) for request in jellyfin.log]
    assert sorted(asked) == sorted(
        [
            ("GET", "/UserViews"),
            *[("GET", "/Items")] * 3,
            ("POST", mark_of(jellyfin, THE_SALT_ROAD)),
            ("POST", mark_of(jellyfin, LOW_WATER)),
        ]
    )


async def test_echoes_are_no_plays(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """The webhooks that marks come back as are neither recorded nor pushed on."""
    await choose(hass, alice, following=[key(server, ALICE)])
    await until(hass, lambda: jellyfin.plugin.generic)
    before = await watch_unfollowed(hass, server, alice, THE_SALT_ROAD, LOW_WATER)
    await sync(hass)
    sent = await jellyfin.delivered()
    assert len(sent) == 2
    await quiet(hass, jellyfin.log)
    assert {play["play_id"] for play in await plays_of(hass, alice)} == set(before)
    assert marks(jellyfin) == 2


async def watch_unfollowed(
    hass: HomeAssistant,
    server: ConfigEntry[Any],
    who: ConfigEntry[Any],
    *titles: Title,
    **how: Any,
) -> list[str]:
    """Have titles in a history of which an account that follows has not heard."""
    options = who.options
    await choose(hass, who)
    plays = await watch(hass, who, *titles, **how)
    await choose(
        hass,
        who,
        following=options.get("following", ()),
        unfollowing=options.get("unfollowing", ()),
    )
    return plays


async def test_versions(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """Of a movie with several files, that which lists show is marked; 12.0 has others follow."""
    await until(hass, lambda: jellyfin.plugin.generic)
    await jellyfin.add_version(THE_SALT_ROAD, "Director's Cut")
    await watch(hass, alice, THE_SALT_ROAD)
    assert await sync(hass) == counts(marked_watched=1, unchanged=4)
    states = [
        data.played
        for data in jellyfin.account(ALICE).data.values()
        if data.last_played is None or data.last_played == THEN
    ]
    follows = jellyfin.version.keeps_data_of_versions
    assert states == ([True, True] if follows else [True])
    assert await sync(hass) == counts(unchanged=5)
    assert marks(jellyfin) == 1
    await jellyfin.delivered()
    await quiet(hass, jellyfin.log)
    assert len(await plays_of(hass, alice)) == 1


def episodes(first: int, last: int) -> Episode:
    """Return a file of several episodes."""
    return Episode(
        HARBOUR_LIGHTS,
        3,
        first,
        "Several",
        ids=ExternalIds(tvdb=7_000_000 + first),
        runtime=timedelta(hours=2),
        aired=HARBOUR_LIGHTS.premiered,
        number_end=last,
    )


async def test_file_of_several_episodes(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """It is watched as long as any of its episodes is, and marked once."""
    await until(hass, lambda: jellyfin.plugin.generic)
    file = episodes(4, 6)
    second, third = (replace(file, number=number, number_end=None) for number in (5, 6))
    await jellyfin.add(file)
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    plays = await watch_unfollowed(hass, server, alice, second, at=LONG_AGO)
    plays += await watch_unfollowed(hass, server, alice, third, at=THEN)
    assert await sync(hass) == counts(marked_watched=1, unchanged=5)
    assert shown(jellyfin, ALICE, file) == (1, THEN)
    assert await sync(hass) == counts(unchanged=6)
    await jellyfin.delivered()
    assert len(await plays_of(hass, alice)) == 2

    for play in plays[:1]:
        await choose(hass, alice)
        await call(hass, "remove_play", viewer=alice.entry_id, play_id=play)
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    assert await sync(hass) == counts(unchanged=6)
    await choose(hass, alice)
    await call(hass, "remove_play", viewer=alice.entry_id, play_id=plays[1])
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    seen(jellyfin, ALICE, file)
    assert await sync(hass, allow_mass_unwatch=True) == counts(
        marked_unwatched=1, unchanged=5
    )
    assert shown(jellyfin, ALICE, file) is None
    assert jellyfin.log.count_of("DELETE", MARKS) == 1


async def test_not_in_library(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """Titles that the server does not have are counted once, however often watched."""
    other = replace(LOW_WATER, number=99)
    for at in (LONG_AGO, THEN):
        await watch(hass, alice, NINTH_MERIDIAN, other, THE_SALT_ROAD, at=at)
    await call(
        hass,
        "add_play",
        viewer=alice.entry_id,
        media_type="track",
        title="Slow Ferry",
        artist="Marlow & Finch",
    )
    assert await sync(hass) == counts(marked_watched=1, unchanged=4, not_in_library=2)


async def test_removed_play_of_what_is_not_there(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """What has been removed from the history is not missing anywhere."""
    (play,) = await watch(hass, alice, NINTH_MERIDIAN)
    assert (await sync(hass))["not_in_library"] == 1
    await call(hass, "remove_play", viewer=alice.entry_id, play_id=play)
    assert (await sync(hass))["not_in_library"] == 0


async def test_hidden_library(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, server: ConfigEntry[Any]
) -> None:
    """What an account may not see is not there for it."""
    bob = await add_viewer(hass, "Bob", [key(server, BOB)])
    jellyfin.account(BOB).unseen.add(jellyfin.items.of(VIEWS[0]).id)
    await watch(hass, bob, THE_SALT_ROAD, LOW_WATER)
    assert await sync(hass, viewer=bob.entry_id) == counts(
        marked_watched=1, unchanged=2, not_in_library=1
    )
    assert shown(jellyfin, BOB, THE_SALT_ROAD) is None
    assert shown(jellyfin, BOB, LOW_WATER) == (1, THEN)


async def test_dry_run(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """A dry run lists what would change, however much, and changes nothing."""
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    await watch_unfollowed(hass, server, alice, THE_SALT_ROAD, LOW_WATER)
    seen(jellyfin, ALICE, FOG_SIGNAL, PAPER_ORCHARD)
    assert await sync(hass, dry_run=True) == {
        **counts(marked_watched=2, marked_unwatched=2, unchanged=1),
        "watched": ["The Salt Road (2019)", "Harbour Lights - S02E03 - Low Water"],
        "unwatched": ["Paper Orchard (2006)", "Harbour Lights - S02E04 - Fog Signal"],
    }
    assert marks(jellyfin) == 0
    assert issue(hass, server) is None
    assert (await state_of(hass, server))[0] == "complete"


# Whose accounts


async def test_viewers(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """Each account is compared with its own viewer's history, of the one that is named."""
    bob = await add_viewer(hass, "Bob", [key(server, BOB)])
    await watch(hass, alice, THE_SALT_ROAD)
    await watch(hass, bob, LOW_WATER)
    assert await sync(hass, viewer=bob.entry_id) == counts(
        marked_watched=1, unchanged=4
    )
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) is None
    assert await sync(hass, server=server.entry_id) == counts(
        marked_watched=1, unchanged=9
    )
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) == (1, THEN)
    assert shown(jellyfin, BOB, THE_SALT_ROAD) is None


async def test_shared_account(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """What one of two has watched with the same account is not unmarked for the other."""
    account = key(server, ALICE)
    partner = await add_viewer(hass, "Partner", [account])
    await watch(hass, alice, THE_SALT_ROAD)
    await watch(hass, partner, LOW_WATER)
    await choose(hass, alice, unfollowing=[account])
    seen(jellyfin, ALICE, THE_SALT_ROAD, LOW_WATER, FOG_SIGNAL)
    assert await sync(hass, viewer=alice.entry_id, allow_mass_unwatch=True) == counts(
        marked_unwatched=1, unchanged=4
    )
    assert shown(jellyfin, ALICE, LOW_WATER) == (1, LONG_AGO)
    assert shown(jellyfin, ALICE, FOG_SIGNAL) is None


async def test_account_that_is_gone(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """The others are brought in step all the same."""
    bob = await add_viewer(hass, "Bob", [key(server, BOB)])
    await watch(hass, bob, THE_SALT_ROAD)
    await watch(hass, alice, THE_SALT_ROAD)
    jellyfin.remove_user(BOB)
    assert await sync(hass) == counts(marked_watched=1, unchanged=4, not_in_library=1)


# Marking what was not watched


async def test_unmarks_where_that_is_wanted(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """What is in no history is marked as not watched for accounts that follow in that."""
    seen(jellyfin, ALICE, THE_SALT_ROAD)
    everything = {"allow_mass_unwatch": True}
    assert await sync(hass, **everything) == counts(unchanged=5)
    await choose(hass, alice, following=[key(server, ALICE)])
    assert await sync(hass, **everything) == counts(unchanged=5)
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    assert await sync(hass, **everything) == counts(marked_unwatched=1, unchanged=4)
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) is None
    assert await sync(hass, **everything) == counts(unchanged=5)
    assert marks(jellyfin) == 1


async def test_leaves_what_may_be_news(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """What was watched within a day may be on its way into the history."""
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    now = dt_util.utcnow()
    seen(jellyfin, ALICE, THE_SALT_ROAD, at=now - timedelta(hours=23))
    seen(jellyfin, ALICE, LOW_WATER, at=now - timedelta(hours=25))
    seen(jellyfin, ALICE, FOG_SIGNAL, at=None)
    assert await sync(hass, allow_mass_unwatch=True) == counts(
        marked_unwatched=2, unchanged=3
    )
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) is not None


async def test_leaves_what_is_not_recorded(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """That a movie is in no history says nothing where movies are not recorded."""
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    result = await viewer_settings(hass, alice)
    await answer(hass, result, media_types=["episode"])
    seen(jellyfin, ALICE, THE_SALT_ROAD, LOW_WATER)
    assert await sync(hass, allow_mass_unwatch=True) == counts(
        marked_unwatched=1, unchanged=4
    )
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) == (1, LONG_AGO)


async def test_leaves_all_while_a_history_is_unreadable(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """What cannot be read may hold what seems to be missing."""
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    await watch_unfollowed(hass, server, alice, THE_SALT_ROAD, at=THEN)
    await watch_unfollowed(hass, server, alice, LOW_WATER, at=LONG_AGO)
    disable = hass.config_entries.async_set_disabled_by
    await disable(alice.entry_id, ConfigEntryDisabler.USER)
    storage = Path(hass.config.path(".storage"))
    (path,) = storage.glob(f"*history.{alice.entry_id}.{LONG_AGO:%Y-%m}")
    path.write_bytes(b"damaged")
    await disable(alice.entry_id, None)
    await hass.async_block_till_done()
    seen(jellyfin, ALICE, LOW_WATER, FOG_SIGNAL)
    assert await sync(hass, allow_mass_unwatch=True) == counts(
        marked_watched=1, unchanged=4
    )
    assert shown(jellyfin, ALICE, FOG_SIGNAL) == (1, LONG_AGO)


# When it would be many


@pytest.fixture
async def many(
    hass: HomeAssistant,
    impatience: None,
    address: str,
) -> AsyncGenerator[JellyfinStandIn]:
    """Return another server, with 21 movies."""
    async with JellyfinStandIn(
        name="Cellar", library=Library(movies=20), titles=(NINTH_MERIDIAN,)
    ) as jellyfin:
        jellyfin.add_user("alice", "secret", administrator=True)
        jellyfin.add_user("bob")
        yield jellyfin


async def differ(
    hass: HomeAssistant, many: JellyfinStandIn, surplus: int
) -> tuple[ConfigEntry[Any], ConfigEntry[Any]]:
    """Have 20 movies show as watched for Alice, some of which are not in her history.

    One movie more that is in it does not show as watched. Returns server and viewer.
    """
    server = await JellyfinHome(many).sign_in(hass, "alice")
    alice = viewer(hass, "alice")
    for movie in (NINTH_MERIDIAN, *many.library.movies[surplus:]):
        await call(
            hass,
            "add_play",
            viewer=alice.entry_id,
            media_type="movie",
            title=movie.title,
            year=movie.year,
            watched_at=LONG_AGO,
        )
    seen(many, ALICE, *many.library.movies)
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    return server, alice


def forget(many: JellyfinStandIn) -> None:
    """Have nothing show as watched for Alice any more."""
    many.account(ALICE).data.clear()
    many.account(ALICE).changes += 1


async def test_a_tenth_is_unmarked(hass: HomeAssistant, many: JellyfinStandIn) -> None:
    """Up to a tenth of what shows as watched is unmarked unasked."""
    server, _ = await differ(hass, many, 2)
    assert await sync(hass) == counts(
        marked_watched=1, marked_unwatched=2, unchanged=18
    )
    assert await state_of(hass, server) == ("complete", "unknown")


async def test_more_than_a_tenth_is_refused(
    hass: HomeAssistant, many: JellyfinStandIn
) -> None:
    """More than a tenth changes nothing at all, unless that is allowed."""
    server, _ = await differ(hass, many, 3)
    with pytest.raises(ServiceValidationError) as err:
        await sync(hass)
    assert error(err) == "mass_unwatch"
    assert err.value.translation_placeholders == {
        "unwatched": "3",
        "watched": "20",
        "server": server.title,
        "viewer": "alice",
    }
    assert marks(many) == 0
    assert await state_of(hass, server) == ("refused", "unknown")
    assert await sync(hass, allow_mass_unwatch=True) == counts(
        marked_watched=1, marked_unwatched=3, unchanged=17
    )
    assert await sync(hass) == counts(unchanged=21)


async def test_timer_refuses_and_says_so(
    hass: HomeAssistant, many: JellyfinStandIn
) -> None:
    """By timer, others are brought in step, and an issue says what to do."""
    server, _ = await differ(hass, many, 3)
    bob = await add_viewer(hass, "Bob", [key(server, BOB)])
    await call(
        hass,
        "add_play",
        viewer=bob.entry_id,
        media_type="movie",
        title=many.library.movies[0].title,
        year=many.library.movies[0].year,
        watched_at=THEN,
    )
    await choose(hass, bob, following=[key(server, BOB)])
    await compare_every(hass, server, 6)
    await later(hass, hours=6, seconds=1)
    await until(hass, lambda: shown(many, BOB, many.library.movies[0]))
    await until(hass, lambda: issue(hass, server))
    assert issue(hass, server) == "- alice: 3 / 20"
    assert marks(many) == 1
    assert (await state_of(hass, server))[0] == "refused"

    await sync(hass, dry_run=True)
    assert issue(hass, server) is not None
    await sync(hass, allow_mass_unwatch=True)
    assert issue(hass, server) is None


async def test_issue_goes_once_nobody_follows(
    hass: HomeAssistant, many: JellyfinStandIn
) -> None:
    """Where nobody is to be in step there is nothing to confirm."""
    server, alice = await differ(hass, many, 3)
    await compare_every(hass, server, 1)
    await later(hass, hours=1, seconds=1)
    await until(hass, lambda: issue(hass, server))
    await choose(hass, alice)
    await later(hass, hours=2, seconds=2)
    await until(hass, lambda: not issue(hass, server))


async def test_issue_goes_with_the_server(
    hass: HomeAssistant, many: JellyfinStandIn
) -> None:
    """Of a server that is not there any more there is nothing to confirm."""
    server, _ = await differ(hass, many, 3)
    await compare_every(hass, server, 1)
    await later(hass, hours=1, seconds=1)
    await until(hass, lambda: issue(hass, server))
    await hass.config_entries.async_set_disabled_by(
        server.entry_id, ConfigEntryDisabler.USER
    )
    await hass.async_block_till_done()
    assert issue(hass, server) is None


# The timer


async def test_timer(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """Every so many hours the accounts that follow are brought in step, and no others."""
    bob = await add_viewer(hass, "Bob", [key(server, BOB)])
    await watch(hass, alice, THE_SALT_ROAD)
    await watch(hass, bob, THE_SALT_ROAD)
    await choose(hass, alice, following=[key(server, ALICE)])
    await compare_every(hass, server, 12)
    await quiet(hass, jellyfin.log)
    await later(hass, hours=11)
    await quiet(hass, jellyfin.log)
    assert marks(jellyfin) == 0
    await later(hass, hours=12, seconds=1)
    await until(hass, lambda: shown(jellyfin, ALICE, THE_SALT_ROAD))
    await quiet(hass, jellyfin.log)
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) == (1, THEN)
    assert shown(jellyfin, BOB, THE_SALT_ROAD) is None
    assert marks(jellyfin) == 1


async def test_timer_with_nobody_who_follows(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """Where nobody follows, the server is not asked for its libraries."""
    await watch(hass, alice, THE_SALT_ROAD)
    await compare_every(hass, server, 1)
    await quiet(hass, jellyfin.log)
    jellyfin.log.clear()
    await later(hass, hours=1, seconds=1)
    await quiet(hass, jellyfin.log)
    assert jellyfin.log.count_of("GET", "/Items") == 0
    assert (await state_of(hass, server))[0] == "not_run"


async def test_timer_while_the_server_is_away(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A comparison that fails is logged, and done the next time."""
    await watch(hass, alice, THE_SALT_ROAD)
    await choose(hass, alice, following=[key(server, ALICE)])
    await compare_every(hass, server, 1)
    await quiet(hass, jellyfin.log)
    with jellyfin.faults.fail(503, path="/Items"):
        await later(hass, hours=1, seconds=1)
        await until(hass, lambda: "could not be brought in step" in caplog.text)
    assert (await state_of(hass, server))[0] == "failed"
    await later(hass, hours=2, seconds=2)
    await until(hass, lambda: shown(jellyfin, ALICE, THE_SALT_ROAD))


async def test_timer_skips_while_one_is_under_way(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """A second comparison does not pile up behind one that takes its time."""
    await choose(hass, alice, following=[key(server, ALICE)])
    await compare_every(hass, server, 1)
    await quiet(hass, jellyfin.log)
    jellyfin.log.clear()
    with jellyfin.faults.slow(0.3, path="/UserViews") as slow:
        await later(hass, hours=1, seconds=1)
        await reached(hass, slow)
        # The request is given up and made once more, which is no second comparison.
        await later(hass, hours=2, seconds=2)
        await until(hass, lambda: jellyfin.log.count_of("GET", "/Items") == 3)
    await quiet(hass, jellyfin.log)
    assert jellyfin.log.count_of("GET", "/Items") == 3


# What goes wrong


async def test_titles_that_fail(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """A title that vanishes, or at which the server fails, does not keep up the others."""
    await watch(hass, alice, THE_SALT_ROAD, PAPER_ORCHARD, LOW_WATER)
    with (
        jellyfin.faults.fail(404, path=mark_of(jellyfin, THE_SALT_ROAD)),
        jellyfin.faults.fail(500, path=mark_of(jellyfin, PAPER_ORCHARD)),
    ):
        assert await sync(hass) == counts(marked_watched=1, unchanged=2, failed=2)
    assert shown(jellyfin, ALICE, LOW_WATER) == (1, THEN)
    assert await sync(hass) == counts(marked_watched=2, unchanged=3)


async def test_server_that_fails_at_everything(
    hass: HomeAssistant, many: JellyfinStandIn
) -> None:
    """It is not asked for each of 21 titles."""
    server, alice = await differ(hass, many, 0)
    movies = (NINTH_MERIDIAN, *many.library.movies)
    forget(many)
    await quiet(hass, many.log)
    with many.faults.fail(502, path=MARKS):
        assert await sync(hass) == counts(waiting=21)
        await quiet(hass, many.log)
        assert marks(many) == 5 + 3
        assert (await state_of(hass, server))[0] == "waiting"
        # A further one leaves it to wait.
        assert await sync(hass, viewer=alice.entry_id) == counts(waiting=21)
    await later(hass, minutes=6)
    await until(hass, lambda: all(shown(many, ALICE, movie) for movie in movies))
    await quiet(hass, many.log)
    assert {shown(many, ALICE, movie) for movie in movies} == {(1, LONG_AGO)}
    assert (await state_of(hass, server))[0] == "complete"
    assert await sync(hass) == counts(unchanged=21)


async def test_server_that_goes_away_half_way(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """What is left goes on by itself when the server is back, and nothing is done twice."""
    titles = THE_SALT_ROAD, PAPER_ORCHARD, LOW_WATER, FOG_SIGNAL
    await watch(hass, alice, *titles)
    await quiet(hass, jellyfin.log)
    with jellyfin.faults.slow(60, path=mark_of(jellyfin, PAPER_ORCHARD)) as slow:
        comparison = begin(hass)
        await reached(hass, slow)
        await jellyfin.stop()
        assert await comparison == counts(marked_watched=1, unchanged=1, waiting=3)
    # The one that was not answered may have been done all the same.
    seen(jellyfin, ALICE, PAPER_ORCHARD, at=THEN)
    await jellyfin.start()
    await quiet(hass, jellyfin.log)
    await later(hass, seconds=16)
    await until(hass, lambda: shown(jellyfin, ALICE, FOG_SIGNAL))
    await quiet(hass, jellyfin.log)
    for title in titles:
        assert shown(jellyfin, ALICE, title) == (1, THEN)
    assert await sync(hass) == counts(unchanged=5)


async def test_home_assistant_stops_half_way(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
    restart: Restart,
) -> None:
    """What was found to differ is on disk, for accounts that do not follow as well."""
    titles = THE_SALT_ROAD, PAPER_ORCHARD, LOW_WATER, FOG_SIGNAL
    await watch(hass, alice, *titles)
    await until(hass, lambda: jellyfin.plugin.generic)
    jellyfin.plugin.installed = False
    with jellyfin.faults.hang(path=mark_of(jellyfin, PAPER_ORCHARD)) as hanging:
        comparison = begin(hass)
        await reached(hass, hanging)
        hass, _ = await restart()
        comparison.cancel()
    await until(hass, lambda: shown(jellyfin, ALICE, FOG_SIGNAL))
    await quiet(hass, jellyfin.log)
    for title in titles:
        assert shown(jellyfin, ALICE, title) == (1, THEN)


async def test_unmarks_half_way(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """What is to show as not watched goes on as well, unless it was watched meanwhile."""
    seen(jellyfin, ALICE, THE_SALT_ROAD, LOW_WATER, FOG_SIGNAL)
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    await quiet(hass, jellyfin.log)
    with (
        jellyfin.faults.fail(503, path=MARKS),
        jellyfin.faults.drop(path="/System/Info/Public"),
    ):
        result = await sync(hass, allow_mass_unwatch=True)
        assert result == counts(unchanged=2, waiting=3)
        await watch(hass, alice, LOW_WATER)
        await quiet(hass, jellyfin.log)
    await later(hass, seconds=16)
    await until(hass, lambda: not shown(jellyfin, ALICE, FOG_SIGNAL))
    await quiet(hass, jellyfin.log)
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) is None
    assert shown(jellyfin, ALICE, LOW_WATER) is not None


async def test_nobody_is_linked_any_more(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """What waits for an account is nothing to anybody when it is nobody's."""
    await watch(hass, alice, THE_SALT_ROAD)
    await quiet(hass, jellyfin.log)
    with (
        jellyfin.faults.fail(503, path=MARKS),
        jellyfin.faults.drop(path="/System/Info/Public"),
    ):
        assert await sync(hass) == counts(unchanged=4, waiting=1)
        await quiet(hass, jellyfin.log)
    hass.config_entries.async_update_entry(alice, data={**alice.data, "accounts": []})
    jellyfin.log.clear()
    await later(hass, seconds=16)
    await quiet(hass, jellyfin.log)
    assert marks(jellyfin) == 0


@pytest.mark.parametrize("is_removed", [True, False])
async def test_history_changes_while_it_waits(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
    is_removed: bool,
) -> None:
    """What is marked in the end is what the history says by then."""
    (play,) = await watch(hass, alice, THE_SALT_ROAD)
    await quiet(hass, jellyfin.log)
    with (
        jellyfin.faults.fail(503, path=MARKS),
        jellyfin.faults.drop(path="/System/Info/Public"),
    ):
        assert await sync(hass) == counts(unchanged=4, waiting=1)
        if is_removed:
            await call(hass, "remove_play", viewer=alice.entry_id, play_id=play)
        else:
            # On the server itself, where nobody has heard of it.
            seen(jellyfin, ALICE, THE_SALT_ROAD, at=LONG_AGO)
        await quiet(hass, jellyfin.log)
    jellyfin.log.clear()
    await later(hass, seconds=16)
    await quiet(hass, jellyfin.log)
    assert marks(jellyfin) == 0


async def test_called_off_half_way(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """Whoever calls off what was asked for wants no more of it."""
    await watch(hass, alice, THE_SALT_ROAD, PAPER_ORCHARD, LOW_WATER)
    with jellyfin.faults.hang(path=mark_of(jellyfin, PAPER_ORCHARD)) as hanging:
        comparison = begin(hass)
        await reached(hass, hanging)
        comparison.cancel()
        with pytest.raises(asyncio.CancelledError):
            await comparison
    assert (await state_of(hass, server))[0] == "cancelled"
    await quiet(hass, jellyfin.log)
    assert shown(jellyfin, ALICE, LOW_WATER) is None


async def test_mark_that_does_not_stick(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """Where the answer says that it shows as not watched, the next ones do not try again."""
    await watch(hass, alice, THE_SALT_ROAD, LOW_WATER)
    with jellyfin.faults.answer(
        '{"Played": false, "PlayCount": 0, "Key": "x", "ItemId": "x",'
        ' "PlaybackPositionTicks": 0, "IsFavorite": false}',
        path=mark_of(jellyfin, THE_SALT_ROAD),
        content_type="application/json",
    ):
        expected = counts(marked_watched=1, unchanged=3, failed=1)
        assert await sync(hass) == expected
        jellyfin.data_of(ALICE, THE_SALT_ROAD).mark_unplayed()
        for _ in range(3):
            assert await sync(hass) == counts(unchanged=4, failed=1)
    assert marks(jellyfin) == 2
    # A further play is tried anew.
    await watch(hass, alice, THE_SALT_ROAD, at=THEN + timedelta(days=1))
    assert await sync(hass) == counts(marked_watched=1, unchanged=4)


@pytest.mark.parametrize("path", ["/Items", MARKS])
async def test_token_that_is_not_good_any_more(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
    path: str,
) -> None:
    """The person is asked to sign in again."""
    await watch(hass, alice, THE_SALT_ROAD)
    await quiet(hass, jellyfin.log)
    jellyfin.revoke_tokens(ALICE)
    with (
        jellyfin.faults.fail(401, path=path),
        pytest.raises(HomeAssistantError) as err,
    ):
        await sync(hass)
    assert error(err) == "invalid_auth"
    await hass.async_block_till_done()
    assert any(
        flow["context"]["source"] == "reauth"
        for flow in hass.config_entries.flow.async_progress()
    )


async def test_marking_is_forbidden(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """An account that is to follow and may not be marked for is a thing to repair."""
    await watch(hass, alice, THE_SALT_ROAD)
    issues = ir.async_get(hass)
    issue_id = f"cannot_mark_{server.entry_id}"
    with jellyfin.faults.fail(403, path=MARKS):
        with pytest.raises(HomeAssistantError) as err:
            await sync(hass)
        assert error(err) == "forbidden"
        await choose(hass, alice, following=[key(server, ALICE)])
        with pytest.raises(HomeAssistantError):
            await sync(hass)
        assert issues.async_get_issue(DOMAIN, issue_id) is not None


async def test_sign_in_of_somebody_else(
    hass: HomeAssistant, jellyfin: JellyfinStandIn
) -> None:
    """Who is no administrator marks only what is their own."""
    jellyfin.account(ALICE).administrator = False
    server = await JellyfinHome(jellyfin).sign_in(hass, "alice", "bob")
    for name in ("alice", "bob"):
        await watch(hass, viewer(hass, name), THE_SALT_ROAD)
    assert await sync(hass) == counts(marked_watched=1, unchanged=4)
    assert shown(jellyfin, BOB, THE_SALT_ROAD) is None
    with pytest.raises(HomeAssistantError) as err:
        await sync(hass, viewer=viewer(hass, "bob").entry_id)
    assert error(err) == "forbidden"
    assert (await state_of(hass, server))[0] == "failed"


async def test_administrator_who_is_none_any_more(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """That accounts which are to follow cannot be marked for is a thing to repair."""
    bob = await add_viewer(hass, "Bob", [key(server, BOB)])
    await watch(hass, alice, THE_SALT_ROAD)
    await watch(hass, bob, THE_SALT_ROAD)
    await choose(hass, bob, following=[key(server, BOB)])
    jellyfin.account(ALICE).administrator = False
    await hass.config_entries.async_reload(server.entry_id)
    await quiet(hass, jellyfin.log)
    assert await sync(hass) == counts(marked_watched=1, unchanged=4)
    assert shown(jellyfin, BOB, THE_SALT_ROAD) is None
    issue_id = f"cannot_mark_{server.entry_id}"
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None


async def test_unloading_in_the_middle(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """A comparison ends with the entry; what it has not done goes on with the next."""
    await watch(hass, alice, THE_SALT_ROAD, LOW_WATER, FOG_SIGNAL)
    with jellyfin.faults.hang(path=mark_of(jellyfin, LOW_WATER)) as hanging:
        comparison = begin(hass)
        await reached(hass, hanging)
        state, progress = await state_of(hass, server)
        assert state == "marking"
        assert 0 < float(progress) <= 100
        await hass.config_entries.async_reload(server.entry_id)
        with pytest.raises(HomeAssistantError) as err:
            await comparison
    assert error(err) == "sync_cancelled"
    assert await state_of(hass, server) == ("cancelled", "unknown")
    await until(hass, lambda: shown(jellyfin, ALICE, FOG_SIGNAL))
    await quiet(hass, jellyfin.log)
    for title in (THE_SALT_ROAD, LOW_WATER, FOG_SIGNAL):
        assert shown(jellyfin, ALICE, title) == (1, THEN)
    assert await sync(hass) == counts(unchanged=5)


async def test_action_that_is_cancelled(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """Whoever calls it off, as by stopping a script, calls off the comparison."""
    await watch(hass, alice, THE_SALT_ROAD)
    # Nothing else asks for items then.
    await quiet(hass, jellyfin.log)
    with jellyfin.faults.hang(path="/Items") as hanging:
        comparison = begin(hass)
        await reached(hass, hanging)
        assert (await state_of(hass, server))[0] == "comparing"
        comparison.cancel()
        with pytest.raises(asyncio.CancelledError):
            await comparison
    assert (await state_of(hass, server))[0] == "cancelled"
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) is None


async def test_one_comparison_at_a_time(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """A second one waits for the first, and finds nothing left to do."""
    await watch(hass, alice, THE_SALT_ROAD, LOW_WATER)
    with jellyfin.faults.slow(0.2, path=mark_of(jellyfin, THE_SALT_ROAD)):
        results = list(await asyncio.gather(sync(hass), sync(hass)))
    assert results == [counts(marked_watched=2, unchanged=3), counts(unchanged=5)]


@pytest.mark.parametrize("is_again", [True, False])
async def test_begun_and_not_finished(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
    is_again: bool,
) -> None:
    """What is being seen again keeps its place; a server may forget that it was seen."""
    await watch(hass, alice, THE_SALT_ROAD)
    data = jellyfin.data_of(ALICE, THE_SALT_ROAD)
    data.position = 9_000_000_000
    data.last_played = THEN + timedelta(days=1 if is_again else -1)

    changes = counts(unchanged=5) if is_again else counts(marked_watched=1, unchanged=4)
    assert await sync(hass) == changes
    assert data.position == (9_000_000_000 if is_again else 0)


# What changes meanwhile


async def test_history_changes_meanwhile(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """What has been removed or watched again before its turn comes is left to others."""
    _, removed, _ = await watch(hass, alice, THE_SALT_ROAD, LOW_WATER, FOG_SIGNAL)
    with jellyfin.faults.slow(0.5, path=mark_of(jellyfin, THE_SALT_ROAD)) as first:
        comparison = begin(hass)
        await reached(hass, first)
        await call(hass, "remove_play", viewer=alice.entry_id, play_id=removed)
        await watch(hass, alice, FOG_SIGNAL, at=dt_util.utcnow())
        assert await comparison == counts(marked_watched=1, unchanged=4)
    assert marks(jellyfin) == 1


async def test_play_is_removed_while_its_mark_is_on_the_way(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """Whoever follows takes back what is marked by then, and not before it is."""
    (play,) = await watch(hass, alice, THE_SALT_ROAD)
    await choose(hass, alice, unfollowing=[key(server, ALICE)])
    with jellyfin.faults.slow(
        0.5, path=mark_of(jellyfin, THE_SALT_ROAD), method="POST"
    ) as slow:
        comparison = begin(hass)
        await reached(hass, slow)
        await call(hass, "remove_play", viewer=alice.entry_id, play_id=play)
        assert await comparison == counts(marked_watched=1, unchanged=4)
    await quiet(hass, jellyfin.log)

    assert shown(jellyfin, ALICE, THE_SALT_ROAD) is None


@pytest.mark.parametrize("accounts", [["bob"], []])
async def test_account_changes_hands_meanwhile(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
    accounts: list[str],
) -> None:
    """What is left to be marked was watched by somebody else."""
    await watch(hass, alice, THE_SALT_ROAD, LOW_WATER)
    with jellyfin.faults.slow(0.5, path=mark_of(jellyfin, THE_SALT_ROAD)) as first:
        comparison = begin(hass)
        await reached(hass, first)
        hass.config_entries.async_update_entry(
            alice,
            data={
                **alice.data,
                "accounts": [key(server, JellyfinUser.named(who)) for who in accounts],
            },
        )
        assert await comparison == counts(marked_watched=1, unchanged=4)
    assert shown(jellyfin, ALICE, LOW_WATER) is None


async def test_what_waits_in_the_outbox(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    server: ConfigEntry[Any],
    alice: ConfigEntry[Any],
) -> None:
    """What waits to be delivered is left to that: two marks would count twice."""
    await choose(hass, alice, following=[key(server, ALICE)])
    with jellyfin.faults.fail(503, path=mark_of(jellyfin, THE_SALT_ROAD)) as failing:
        await watch(hass, alice, THE_SALT_ROAD)
        await until(hass, lambda: failing.hits)
        await quiet(hass, jellyfin.log)
    assert await sync(hass) == counts(unchanged=5)
    await later(hass, minutes=1)
    await until(hass, lambda: shown(jellyfin, ALICE, THE_SALT_ROAD))
    await quiet(hass, jellyfin.log)
    assert shown(jellyfin, ALICE, THE_SALT_ROAD) == (1, THEN)


async def test_library_that_shrinks(
    hass: HomeAssistant, many: JellyfinStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What moves up while the library is read is not passed over, nor counted twice."""
    server, _ = await differ(hass, many, 0)
    forget(many)
    await quiet(hass, many.log)
    monkeypatch.setattr(library_pages, "PAGE_SIZE", 6)
    many.log.clear()
    with many.faults.slow(0.1, path="/Items"):
        comparison = begin(hass, server=server.entry_id)
        while many.log.count_of("GET", "/Items") < 2:
            await turn(hass)
        await many.remove(many.library.movies[0])
        result = await comparison
    assert (result["marked_watched"], result["failed"]) == (20, 1)
    for movie in many.library.movies[1:]:
        assert shown(many, ALICE, movie) == (1, LONG_AGO)


async def test_library_that_never_stops_to_shrink(
    hass: HomeAssistant, many: JellyfinStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read for ever."""
    await differ(hass, many, 0)
    await quiet(hass, many.log)
    monkeypatch.setattr(library_pages, "PAGE_SIZE", 6)
    many.log.clear()
    movies, asked = iter(many.library.movies), 0
    with many.faults.slow(0.02, path="/Items"):
        comparison = begin(hass)
        while not comparison.done():
            if asked != (asked := many.log.count_of("GET", "/Items")):
                await many.remove(next(movies))
            await asyncio.sleep(0.005)
        assert (await comparison)["marked_watched"] == 1


async def test_server_that_breaks_off(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """A page that is empty before the end is a failure, and changes nothing."""
    await watch(hass, alice, THE_SALT_ROAD)
    page = '{"Items": [], "TotalRecordCount": 700, "StartIndex": 0}'
    with (
        jellyfin.faults.answer(page, path="/Items", content_type="application/json"),
        pytest.raises(HomeAssistantError) as err,
    ):
        await sync(hass)
    assert error(err) == "server_failure"
    assert marks(jellyfin) == 0


async def test_items_that_say_too_little(
    hass: HomeAssistant, jellyfin: JellyfinStandIn, alice: ConfigEntry[Any]
) -> None:
    """Where the server does not say whether something was watched, it is left alone."""
    await watch(hass, alice, THE_SALT_ROAD)
    item = jellyfin.items.id_of(THE_SALT_ROAD)
    page = (
        f'{{"Items": [{{"Id": "{item}", "Type": "Movie", "Name": "The Salt Road",'
        ' "ProductionYear": 2019, "ProviderIds": {"Tmdb": "918273"}}, {"Type": 7}],'
        ' "TotalRecordCount": 2, "StartIndex": 0}'
    )
    with jellyfin.faults.answer(page, path="/Items", content_type="application/json"):
        assert await sync(hass) == counts(unchanged=1)
    assert marks(jellyfin) == 0


# Which servers


async def test_no_server(hass: HomeAssistant, plex: Plex) -> None:
    """Servers that cannot be compared are named as such."""
    for data in ({}, {"server": plex.entry.entry_id}):
        with pytest.raises(ServiceValidationError) as err:
            await sync(hass, **data)
        assert error(err) == "no_jellyfin_server"
    for field in ("viewer", "server"):
        with pytest.raises(ServiceValidationError) as err:
            await sync(hass, **{field: "nobody"})
        assert error(err) == f"{field}_not_found"


async def test_server_known_by_webhooks(
    hass: HomeAssistant, client: TestClient[Any, Any]
) -> None:
    """One that nobody has signed in to is left out, unless it is asked for."""
    known = MediaServer(
        entry=await add_server(hass, "jellyfin", "Cellar"),
        client=client,
        simulator=JellyfinServer(name="Cellar", id="b6e3d8f1c0a24957a1f4e2d3c5b69780"),
    )
    await add_viewer(hass, "Bob", [await known.introduce(BOB)])
    with pytest.raises(ServiceValidationError) as invalid:
        await sync(hass)
    assert error(invalid) == "no_jellyfin_server"
    with pytest.raises(HomeAssistantError) as err:
        await sync(hass, server=known.entry.entry_id)
    assert error(err) == "not_signed_in"


async def test_server_that_nobody_is_linked_to(
    hass: HomeAssistant, server: ConfigEntry[Any]
) -> None:
    """Without an account there is nothing to compare."""
    nobody = await add_viewer(hass, "Nobody")
    with pytest.raises(ServiceValidationError) as err:
        await sync(hass, viewer=nobody.entry_id)
    assert error(err) == "no_jellyfin_account"


async def test_one_server_of_two_is_away(
    hass: HomeAssistant,
    jellyfin: JellyfinStandIn,
    many: JellyfinStandIn,
    alice: ConfigEntry[Any],
) -> None:
    """The other one is brought in step all the same, and the failure told."""
    await JellyfinHome(many).sign_in(hass, "alice")
    await watch(hass, alice, THE_SALT_ROAD)
    await many.add(THE_SALT_ROAD)
    with (
        jellyfin.faults.fail(503, path="/Items"),
        pytest.raises(HomeAssistantError) as err,
    ):
        await sync(hass)
    assert error(err) == "server_failure"
    assert shown(many, ALICE, THE_SALT_ROAD) == (1, THEN)
    assert await sync(hass) == counts(marked_watched=1, unchanged=4 + 22)


async def test_plex_after_an_import(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """A Plex server is compared when others ask for it, for the account of the sign-in."""
    server = await PlexHome(plex_at_home).sign_in(hass, "alice", "bob")
    home = plex_at_home.server
    for name in ("alice", "bob"):
        who = viewer(hass, name)
        await watch(hass, who, THE_SALT_ROAD, LOW_WATER)
    alice, bob = viewer(hass, "alice"), viewer(hass, "bob")
    await choose(hass, alice, following=alice.data["accounts"])
    history_sync = hass.data[DATA_SCROBBLER].history_sync
    servers = hass.data[DATA_SCROBBLER].servers.values()
    for _ in range(2):
        await history_sync.async_bring_in_step(servers)
        await quiet(hass, home.log)
        assert sorted(
            request.argument("key") or "" for request in home.log.of(path="/:/scrobble")
        ) == sorted([home.key(THE_SALT_ROAD), home.key(LOW_WATER)])
    assert "history_sync" not in {
        entity.unique_id.removeprefix(f"{server.entry_id}_")
        for entity in er.async_get(hass).entities.values()
    }
    assert bob.options.get("following", []) == []
