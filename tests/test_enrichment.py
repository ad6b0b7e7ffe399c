"""What webhooks leave out is asked of the server, afterwards and sparingly."""

import asyncio
import json
import time
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.media_scrobbler import enrichment
from custom_components.media_scrobbler.storage import writer

from .common import call, plays_of
from .conftest import Restart
from .signed_in import Home, JellyfinHome, PlexHome, later, quiet, until, viewer
from .simulators.catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Episode,
    ExternalIds,
)
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.plex_server import PlexStandIn
from .storage.common import Disk

SHOW_IDS = {"tmdb": 288104, "imdb": "tt9288104", "tvdb": 438120}
MOVIE_IDS = {"tmdb": 918273, "imdb": "tt9182736", "tvdb": 219483}


def items(home: Home) -> str:
    """Return the path by which titles are asked for."""
    return "/Items" if isinstance(home, JellyfinHome) else "/library/metadata/*"


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return the server, to which Alice and Bob are linked."""
    entry = await home.sign_in(hass, "alice", "bob")
    await until(hass, lambda: "registered_url" in entry.data)
    await quiet(hass, home.log)
    return entry


async def send(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    entry: ConfigEntry[Any],
    body: bytes,
) -> dict[str, Any]:
    """Send a webhook by hand; returns the answer."""
    async with client.post(
        f"/api/webhook/{entry.data['webhook_id']}", data=body
    ) as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def alices(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return what Alice has watched."""
    return await plays_of(hass, viewer(hass, "alice"))


async def wait_for(hass: HomeAssistant, **wanted: Any) -> dict[str, Any]:
    """Wait until Alice's newest play has become what it should be."""
    play: dict[str, Any] = {}
    for _ in range(300):
        play, *_ = await alices(hass)
        found = {
            key: {source: play.get(key, {}).get(source) for source in value}
            if isinstance(value, dict)
            else play.get(key)
            for key, value in wanted.items()
        }
        if found == wanted:
            return play
        await asyncio.sleep(0.01)
    raise AssertionError(f"{play} is not completed by {wanted}")


async def test_movie(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """Ids, run time and year come from the server; the play stays the same one."""
    heard: list[Event[Any]] = []

    @callback
    def hear(event: Event[Any]) -> None:
        heard.append(event)

    hass.bus.async_listen("media_scrobbler_scrobble", hear)
    before = len(home.log)
    with home.faults.slow(0.2, path=items(home)):
        said = await send(
            hass, client, entry, home.bare(THE_SALT_ROAD, "Die Salzstraße")
        )
        assert said["outcome"] == "recorded"
        (play,) = await alices(hass)
        assert "duration" not in play
    completed = await wait_for(hass, ids=MOVIE_IDS, duration=6720, year=2019)
    assert completed["play_id"] == play["play_id"]
    assert completed["title"] == "Die Salzstraße"
    assert await quiet(hass, home.log) - before <= 1
    assert len(heard) == 1
    assert home.requests_of(THE_SALT_ROAD) == 1

    # Seen before: nothing is asked for it.
    home.log.clear()
    said = await send(hass, client, entry, home.bare(THE_SALT_ROAD))
    assert said["outcome"] == "merged"
    await quiet(hass, home.log)
    assert len(home.log) == 0


async def test_nothing_before_the_answer(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """The webhook is answered as fast when the server's API hangs."""
    home.log.clear()
    with home.faults.hang():
        begun = time.monotonic()
        for title in (THE_SALT_ROAD, LOW_WATER):
            await home.play("alice", title)
            deliveries = await home.finish()
            outcomes = [delivery.answer["outcome"] for delivery in deliveries]
            assert "recorded" in outcomes
        assert time.monotonic() - begun < 2
        assert len(await alices(hass)) == 2
    home.faults.clear()
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_episodes(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """A show is asked for once, whatever number of its episodes is watched."""
    home.log.clear()
    for title in (LOW_WATER, FOG_SIGNAL, THE_PILOT_BOAT):
        await send(hass, client, entry, home.bare(title))
        play = await wait_for(hass, show_ids=SHOW_IDS)
        assert play["show"] == "Harbour Lights"
        assert (play["season"], play["episode"]) == (title.season, title.number)
        assert play["duration"] == title.runtime.total_seconds()
        assert play["ids"]["tmdb"] == title.ids.tmdb
    assert home.requests_of(HARBOUR_LIGHTS) == 1
    for title in (LOW_WATER, FOG_SIGNAL, THE_PILOT_BOAT):
        assert home.requests_of(title) == 1
    # Of Plex' two seasons it is asked which of their episodes share a file.
    seasons = 2 if isinstance(home, PlexHome) else 0
    assert await quiet(hass, home.log) <= 4 + seasons


async def test_an_item_that_is_another_title_by_now(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """Nothing is learnt of it."""
    body = home.bare(THE_SALT_ROAD, item=home.key(LOW_WATER))
    await send(hass, client, entry, body)
    await quiet(hass, home.log)
    (play,) = await alices(hass)
    assert play["ids"] == {"tmdb": THE_SALT_ROAD.ids.tmdb}

    episode = home.bare(FOG_SIGNAL, item=home.key(LOW_WATER))
    await send(hass, client, entry, episode)
    await quiet(hass, home.log)
    play, *_ = await alices(hass)
    assert play["ids"] == {"tmdb": FOG_SIGNAL.ids.tmdb}
    assert "episode" not in play


async def test_one_file_of_several_episodes(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    address: str,
) -> None:
    """Plex tells of the one that was chosen; the others in its file are plays as well."""
    home = PlexHome(plex_at_home)
    plex_at_home.share_file(LOW_WATER, FOG_SIGNAL)
    entry = await home.sign_in(hass, "alice", "bob")
    await until(hass, lambda: "registered_url" in entry.data)
    await quiet(hass, home.log)
    heard = async_capture_events(hass, "media_scrobbler_scrobble")
    home.log.clear()
    await home.play("alice", FOG_SIGNAL)
    await home.finish()
    await until(hass, lambda: len(heard) == 2)
    assert await quiet(hass, home.log) <= 4

    plays = await alices(hass)
    assert {
        (play["season"], play["episode"], play["title"], play["duration"])
        for play in plays
    } == {
        # Each is said to be as long as the file that it is in.
        (2, 3, "Low Water", 2850),
        (2, 4, "Fog Signal", 2850),
    }
    assert len({play["watched_at"] for play in plays}) == 1
    for play in plays:
        assert play["show_ids"].items() >= SHOW_IDS.items()
        assert "tmdb" in play["ids"]
        assert play["sources"][0]["event"] == "media.scrobble"

    # What a person takes out of it stays out.
    alice = viewer(hass, "alice")
    (other,) = [play for play in plays if play["title"] == "Low Water"]
    await call(hass, "remove_play", viewer=alice.entry_id, play_id=other["play_id"])
    await home.play("alice", FOG_SIGNAL)
    await home.finish()
    await quiet(hass, home.log)
    assert [play["title"] for play in await alices(hass)] == ["Fog Signal"]


async def test_a_special_in_the_folder_of_a_season(
    hass: HomeAssistant,
    jellyfin_at_home: JellyfinStandIn,
    address: str,
    client: TestClient[Any, Any],
) -> None:
    """What its webhook says is settled by what the server says of the item."""
    home = JellyfinHome(jellyfin_at_home)
    special = Episode(
        HARBOUR_LIGHTS,
        0,
        5,
        "Behind the Lights",
        ids=ExternalIds(tmdb=7_000_005),
        runtime=LOW_WATER.runtime,
        aired=LOW_WATER.aired,
    )
    await jellyfin_at_home.add(special)
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    await quiet(hass, home.log)
    in_its_folder = {
        "SeasonNumber": LOW_WATER.season,
        "EpisodeNumber": LOW_WATER.number,
        "SeriesName": "Harbour Lights",
        "SeriesId": home.key(HARBOUR_LIGHTS),
        "RunTimeTicks": 28_800_000_000,
        "PlaybackPositionTicks": 28_800_000_000,
    }
    for title in (special, LOW_WATER, special):
        body = json.loads(home.bare(title))
        body |= in_its_folder | {"Provider_tmdb": title.ids.tmdb}
        await send(hass, client, entry, json.dumps(body).encode())
        await quiet(hass, home.log)

    plays = await alices(hass)
    assert {
        (play["season"], play["episode"], play["title"], len(play["sources"]))
        for play in plays
    } == {(0, 5, "Behind the Lights", 2), (2, 3, "Low Water", 1)}


async def test_requests_of_a_viewing(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """A whole viewing costs the server next to nothing."""
    for again in (False, True):
        home.log.clear()
        await home.play("alice", LOW_WATER)
        await later(hass, seconds=2)
        await until(hass, lambda: home.log.count_of("GET", home.playing_path))
        assert await quiet(hass, home.log) == 1
        await home.finish()
        await later(hass, seconds=2)
        asked = await quiet(hass, home.log) - 1
        assert asked <= (1 if again else 3)
    await wait_for(hass, show_ids=SHOW_IDS)


async def test_known_by_nobody(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """What the server does not have is asked for once, and is recorded all the same."""
    home.log.clear()
    body = home.bare(NINTH_MERIDIAN).replace(
        home.key(NINTH_MERIDIAN).encode(), b"f" * 32
    )
    for _ in range(2):
        await send(hass, client, entry, body)
        await quiet(hass, home.log)
    assert home.log.count_of("GET", items(home)) == 1
    assert len(await alices(hass)) == 1


@pytest.mark.parametrize("restarted", [True, False])
async def test_server_was_down(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
    restart: Restart,
    restarted: bool,
) -> None:
    """What could not be asked for is when the server is back, or after a restart."""
    with home.faults.fail(503):
        await send(hass, client, entry, home.bare(THE_SALT_ROAD))
        await send(hass, client, entry, home.bare(LOW_WATER))
        await quiet(hass, home.log)
    if restarted:
        hass, _ = await restart()
    else:
        await later(hass, minutes=6)
    await wait_for(hass, show_ids=SHOW_IDS)
    await until(hass, lambda: home.requests_of(THE_SALT_ROAD))
    await quiet(hass, home.log)
    plays = await alices(hass)
    assert all("duration" in play for play in plays)


async def test_one_that_the_server_fails_at(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """One title that the server always fails at does not keep the others waiting."""
    if isinstance(home, JellyfinHome):
        pytest.skip("all titles of Jellyfin's are asked for at one path")
    with home.faults.fail(500, path=f"/library/metadata/{home.key(THE_SALT_ROAD)}"):
        await send(hass, client, entry, home.bare(THE_SALT_ROAD))
        await quiet(hass, home.log)
        await send(hass, client, entry, home.bare(LOW_WATER))
        await later(hass, minutes=6)
        await wait_for(hass, show_ids=SHOW_IDS)


async def test_turns_out_to_be_one_viewing(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """Two plays become one when their ids show that they are."""
    await send(
        hass, client, entry, home.bare(THE_SALT_ROAD, "Die Salzstraße", item="f" * 32)
    )
    await quiet(hass, home.log)
    first, *_ = await alices(hass)
    with home.faults.slow(0.3, path=items(home)):
        said = await send(hass, client, entry, home.bare(THE_SALT_ROAD))
        assert said["outcome"] == "recorded"
        assert len(await alices(hass)) == 2
    plays: list[dict[str, Any]] = []
    for _ in range(300):
        if len(plays := await alices(hass)) == 1:
            break
        await asyncio.sleep(0.01)
    (play,) = plays
    assert play["play_id"] == first["play_id"]
    assert play["watched_at"] == first["watched_at"]
    assert len(play["sources"]) == 2
    assert play["duration"] == 6720


async def test_removed_meanwhile(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """A play that a person has removed stays removed; what is next is completed."""
    with home.faults.slow(0.3, path=items(home), times=1):
        await send(hass, client, entry, home.bare(THE_SALT_ROAD))
        await send(hass, client, entry, home.bare(LOW_WATER))
        alice = viewer(hass, "alice")
        _, play = await alices(hass)
        await call(hass, "remove_play", viewer=alice.entry_id, play_id=play["play_id"])
    await wait_for(hass, show_ids=SHOW_IDS)
    assert [play["title"] for play in await alices(hass)] == ["Low Water"]


async def test_viewer_removed_meanwhile(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """Nothing is left of a viewer who has been removed."""
    with home.faults.slow(0.2, path=items(home), times=1):
        await send(hass, client, entry, home.bare(THE_SALT_ROAD))
        await hass.config_entries.async_remove(viewer(hass, "alice").entry_id)
    await quiet(hass, home.log)
    said = await send(hass, client, entry, home.bare(LOW_WATER))
    assert said["outcome"] == "held"


async def test_disk_is_full(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What cannot be written now does not end the completing of others."""
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))
    with Disk.of(hass).watched() as disk:
        with home.faults.slow(0.3, path=items(home), times=1) as slow:
            await send(hass, client, entry, home.bare(THE_SALT_ROAD))
            await until(hass, lambda: slow.hits)
            with disk.full():
                await wait_for(hass, duration=6720)
                await until(hass, lambda: not_written(hass))
        await until(hass, lambda: not not_written(hass))
        await send(hass, client, entry, home.bare(LOW_WATER))
        await wait_for(hass, show_ids=SHOW_IDS)
    assert all("duration" in play for play in await alices(hass))


def not_written(hass: HomeAssistant) -> bool:
    """Return whether a person is told that something cannot be written."""
    return any(
        issue.translation_key == "not_written"
        for issue in ir.async_get(hass).issues.values()
    )


async def test_held_plays(
    hass: HomeAssistant, home: Home, client: TestClient[Any, Any]
) -> None:
    """Plays that waited for a viewer are completed when they get one."""
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    said = await send(hass, client, entry, home.bare(LOW_WATER))
    assert said["outcome"] == "held"
    (flow,) = hass.config_entries.flow.async_progress()
    await hass.config_entries.flow.async_configure(flow["flow_id"])
    await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"viewer": "new", "name": "alice"}
    )
    await until(hass, lambda: home.requests_of(HARBOUR_LIGHTS))
    await wait_for(hass, show_ids=SHOW_IDS)


async def test_memory_is_bounded(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    client: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not everything that was ever asked for is remembered."""
    monkeypatch.setattr(enrichment, "REMEMBERED", 1)
    for title in (LOW_WATER, FOG_SIGNAL):
        await send(hass, client, entry, home.bare(title))
        await wait_for(hass, show_ids=SHOW_IDS)
        await quiet(hass, home.log)
    assert home.requests_of(HARBOUR_LIGHTS) == 2


async def test_legacy(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """Items of Plex's old agents have the show's id in their own and nothing to add."""
    home = PlexHome(plex_at_home)
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    await plex_at_home.add(
        NINTH_MERIDIAN, guid="com.plexapp.agents.imdb://tt9987650?lang=en"
    )
    await plex_at_home.play("alice", NINTH_MERIDIAN)
    await home.finish()
    await quiet(hass, home.log)
    (play,) = await alices(hass)
    assert play["ids"] == {"imdb": "tt9987650"}
    assert play["duration"] == 8460
