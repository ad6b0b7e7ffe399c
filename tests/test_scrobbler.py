"""Tests of what becomes of plays: whose they are, that none is lost and none counts twice."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import (
    ConfigEntries,
    ConfigEntry,
    ConfigEntryDisabler,
    ConfigEntryState,
)
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.media_scrobbler import inbox
from custom_components.media_scrobbler.const import (
    DOMAIN,
    EVENT_PLAYBACK,
    EVENT_RATING,
    EVENT_SCROBBLE,
)
from custom_components.media_scrobbler.scrobbler import DATA_SCROBBLER
from custom_components.media_scrobbler.storage import accounts, writer
from custom_components.media_scrobbler.storage.history import History

from .common import (
    ALICE_AT_JELLYFIN,
    ALICE_AT_PLEX,
    BOB_AT_JELLYFIN,
    BOB_AT_PLEX,
    Jellyfin,
    MediaServer,
    Plex,
    add_server,
    add_viewer,
    answer,
    call,
    entity_id_of,
    plays_of,
    settle,
    start_flow,
    viewer_settings,
)
from .conftest import Restart
from .simulators.catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    ExternalIds,
    Movie,
)
from .simulators.jellyfin import JellyfinDevice, JellyfinEvent
from .simulators.plex import PlexAccount, PlexEvent, PlexPlayer, PlexServer
from .storage.common import Disk

CAROL_AT_PLEX = PlexAccount.guest("carol")
FILMS = [
    replace(
        THE_SALT_ROAD, title=f"Film {number}", ids=ExternalIds(tmdb=50_000 + number)
    )
    for number in range(40)
]


@pytest.fixture
def disk(hass: HomeAssistant) -> Iterator[Disk]:
    """Return the disk that Home Assistant writes to."""
    with Disk.of(hass).watched() as disk:
        yield disk


@pytest.fixture
def scrobbles(hass: HomeAssistant) -> list[Event[dict[str, Any]]]:
    """Return the plays that are published, as that happens."""
    return async_capture_events(hass, EVENT_SCROBBLE)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what could not be written be tried again soon."""
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))


def issues(hass: HomeAssistant) -> set[str]:
    """Return the kinds of repair issues that there are."""
    return {
        issue.translation_key or ""
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    }


async def titles_of(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> list[str]:
    """Return the titles of a viewer's plays, sorted."""
    return sorted(play["title"] for play in await plays_of(hass, viewer))


async def link(hass: HomeAssistant, viewer: ConfigEntry[Any], *accounts: str) -> None:
    """Let a viewer watch with these accounts and no others, by reconfiguring."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": viewer.entry_id}
    )
    await answer(hass, result, name=viewer.title, accounts=list(accounts))


async def scrobble(server: Plex, title: Any, *who: Any, **details: Any) -> str:
    """Have something watched to its end on Plex; returns the outcome."""
    said = await server.report(PlexEvent.SCROBBLE, title, *who, **details)
    outcome: str = said["outcome"]
    return outcome


async def stop(server: Jellyfin, title: Any, *who: Any, **details: Any) -> str:
    """Have something watched to its end on Jellyfin; returns the outcome."""
    said = await server.report(JellyfinEvent.PLAYBACK_STOP, title, *who, **details)
    outcome: str = said["outcome"]
    return outcome


async def until_recorded(history: History, count: int) -> None:
    """Return when there are so many plays, on disk or not."""
    async with asyncio.timeout(10):
        while len(history.index) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# Whose server


async def test_the_first_event_tells_which_server_it_is(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    assert plex.entry.options["servers"] == [plex.simulator.uuid]
    options = await hass.config_entries.options.async_init(plex.entry.entry_id)
    schema = options["data_schema"]
    assert schema is not None
    choices = schema.schema["servers"].config["options"]
    assert [choice["value"] for choice in choices] == [plex.simulator.uuid]
    assert "Attic" in choices[0]["label"]

    plex.simulator.uuid = "another"
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)

    assert said["outcome"] == "rejected"
    assert "Attic" in said["reason"]
    assert await plays_of(hass, alice) == []

    await answer(hass, options, servers=[plex.entry.options["servers"][0], "another"])
    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"


async def test_a_server_may_be_accepted_by_its_name(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    options = await hass.config_entries.options.async_init(plex.entry.entry_id)
    await answer(hass, options, servers=["ATTIC"])
    plex.simulator.uuid = "any"

    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"
    plex.simulator.name = "Cellar"
    assert await scrobble(plex, PAPER_ORCHARD) == "rejected"


@pytest.fixture
async def second(hass: HomeAssistant, plex: Plex, client: TestClient[Any, Any]) -> Plex:
    """Return another Plex server of the same household."""
    return MediaServer(
        entry=await add_server(hass, "plex", "Second"),
        client=client,
        simulator=PlexServer(name="Shed", uuid="5d" * 20, owner=ALICE_AT_PLEX),
    )


async def test_an_event_belongs_to_the_server_it_names(
    hass: HomeAssistant, plex: Plex, second: Plex
) -> None:
    """One account's webhook is sent for every server that the account uses."""
    await plex.introduce(ALICE_AT_PLEX)
    viewer = await add_viewer(hass, "Alice", [await second.introduce(ALICE_AT_PLEX)])
    body = second.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)

    _, said = await plex.send(*body)

    assert said["outcome"] == "recorded"
    (play,) = await plays_of(hass, viewer)
    assert play["sources"][0]["server_id"] == second.entry.entry_id
    for server, count in ((plex, 1), (second, 2)):
        log = await call(hass, "get_webhook_log", server=server.entry.entry_id)
        assert len(log["events"]) == count
    assert (await second.send(*body))[1]["outcome"] == "merged"


CLOUD_SERVICES = pytest.mark.parametrize(
    "service",
    [
        "tv.plex.provider.vod",
        "tv.plex.provider.music",
        "TV.Plex.Provider.Podcasts",
        "com.example.providers.epg",
        "provider-5f0c9a7d",
    ],
)


@CLOUD_SERVICES
async def test_a_cloud_service_is_nobodys_server(
    hass: HomeAssistant, plex: Plex, service: str
) -> None:
    """What the owner plays there is no event of the owner's server."""
    uuid = plex.simulator.uuid
    plex.simulator.uuid = service
    assert await scrobble(plex, THE_SALT_ROAD) == "rejected"
    assert not plex.entry.options.get("servers")
    assert plex.entry.unique_id is None

    plex.simulator.uuid = uuid
    assert await scrobble(plex, THE_SALT_ROAD) == "held"
    assert plex.entry.options["servers"] == [uuid]
    plex.simulator.uuid = service
    assert await scrobble(plex, PAPER_ORCHARD) == "rejected"


async def test_what_is_no_id_of_a_server_is_not_learnt(
    hass: HomeAssistant, plex: Plex
) -> None:
    """It counts as long as no server is known, and keeps no real one out."""
    uuid = plex.simulator.uuid
    plex.simulator.uuid = "5d776b59ad5437001f79c6f8"
    assert await scrobble(plex, THE_SALT_ROAD) == "held"
    assert not plex.entry.options.get("servers")
    plex.simulator.uuid = uuid
    assert await scrobble(plex, PAPER_ORCHARD) == "held"
    assert plex.entry.options["servers"] == [uuid]


@CLOUD_SERVICES
async def test_a_cloud_service_is_unlearnt(
    hass: HomeAssistant, plex: Plex, service: str
) -> None:
    """An entry that has taken one for its server once learns the real one."""
    hass.config_entries.async_update_entry(
        plex.entry,
        unique_id=service,
        options={"servers": [service], "players": ["Living room"]},
    )
    assert await scrobble(plex, THE_SALT_ROAD) != "rejected"
    assert plex.entry.options == {
        "servers": [plex.simulator.uuid],
        "players": ["Living room"],
    }
    assert plex.entry.unique_id == plex.simulator.uuid


async def test_a_cloud_service_may_be_accepted(hass: HomeAssistant, plex: Plex) -> None:
    """Who names one wants what is played there."""
    await plex.introduce(ALICE_AT_PLEX)
    service = "tv.plex.provider.vod"
    accepted = [*plex.entry.options["servers"], service]
    options = await hass.config_entries.options.async_init(plex.entry.entry_id)
    await answer(hass, options, servers=accepted)
    plex.simulator.uuid = service
    assert await scrobble(plex, THE_SALT_ROAD) == "held"
    assert plex.entry.options["servers"] == accepted


async def test_a_friends_server_is_not_taken_for_ones_own(
    hass: HomeAssistant, plex: Plex
) -> None:
    friends = replace(plex.simulator, name="Friend's", uuid="f1" * 20)
    payload = friends.payload(PlexEvent.SCROBBLE, THE_SALT_ROAD) | {"owner": False}

    await plex.send(json.dumps(payload).encode())

    assert not plex.entry.options.get("servers")
    await scrobble(plex, THE_SALT_ROAD)
    assert plex.entry.options["servers"] == [plex.simulator.uuid]


# Whose play


async def test_nobody_is_taken_for_the_owner(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """`owner` with another `user` is somebody else, whatever the account says."""
    nobody = replace(ALICE_AT_PLEX, user=False)

    assert await scrobble(plex, THE_SALT_ROAD, nobody) == "held"
    said = await plex.report(PlexEvent.RATE, THE_SALT_ROAD, nobody, rating=1)
    assert said["outcome"] == "ignored"
    assert await plays_of(hass, alice) == []


async def test_the_owner_goes_by_two_ids(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    at_plex_tv = PlexAccount(31_415_926, "alice", user=True)

    assert await scrobble(plex, THE_SALT_ROAD, at_plex_tv) == "recorded"
    assert await scrobble(plex, THE_SALT_ROAD, ALICE_AT_PLEX) == "merged"
    assert len(await plays_of(hass, alice)) == 1


async def test_the_owner_is_known_by_the_other_id_first(
    hass: HomeAssistant, plex: Plex
) -> None:
    at_plex_tv = PlexAccount(31_415_926, "alice", user=True)
    assert await scrobble(plex, THE_SALT_ROAD, at_plex_tv) == "held"
    result = await start_flow(hass, "viewer")
    schema = result["data_schema"]
    assert schema is not None
    (account,) = schema.schema["accounts"].config["options"]
    alice = await add_viewer(hass, "Alice", [account["value"]])

    assert await scrobble(plex, THE_SALT_ROAD, ALICE_AT_PLEX) == "merged"
    assert await scrobble(plex, PAPER_ORCHARD, at_plex_tv) == "recorded"
    assert len(await plays_of(hass, alice)) == 2


@pytest.mark.parametrize("name", ["alice", "Alice"])
async def test_a_member_of_the_home_with_the_owners_name(
    hass: HomeAssistant, plex: Plex, name: str
) -> None:
    namesake = PlexAccount.home_user(name)
    alice = await add_viewer(hass, "Alice", [await plex.introduce(ALICE_AT_PLEX)])

    assert await scrobble(plex, THE_SALT_ROAD, namesake) == "held"
    assert await plays_of(hass, alice) == []


async def test_a_member_of_the_home_with_the_owners_name_comes_first(
    hass: HomeAssistant, plex: Plex
) -> None:
    namesake = PlexAccount.home_user("alice")
    child = await add_viewer(hass, "Child", [await plex.introduce(namesake)])

    assert await scrobble(plex, THE_SALT_ROAD) == "held"
    assert await plays_of(hass, child) == []


async def test_one_viewer_with_accounts_on_two_servers(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"
    assert await stop(jellyfin, THE_SALT_ROAD, ALICE_AT_JELLYFIN) == "merged"
    assert await stop(jellyfin, LOW_WATER, ALICE_AT_JELLYFIN) == "recorded"
    assert await scrobble(plex, LOW_WATER) == "merged"

    for play in await plays_of(hass, alice):
        assert {source["server"] for source in play["sources"]} == {"Plex", "Jellyfin"}


async def test_several_viewers_with_one_account(
    hass: HomeAssistant, plex: Plex, scrobbles: list[Event[dict[str, Any]]]
) -> None:
    """Couples share an account."""
    account = await plex.introduce(ALICE_AT_PLEX)
    couple = [await add_viewer(hass, name, [account]) for name in ("Alice", "Bob")]

    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)

    assert (said["outcome"], said["viewers"]) == ("recorded", ["Alice", "Bob"])
    assert [len(await plays_of(hass, viewer)) for viewer in couple] == [1, 1]
    assert {event.data["viewer"] for event in scrobbles} == {"Alice", "Bob"}

    await hass.config_entries.async_remove(couple[0].entry_id)
    said = await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD)
    assert (said["outcome"], said["viewers"]) == ("recorded", ["Bob"])


async def test_a_rewatch_is_a_play_of_its_own(
    hass: HomeAssistant, jellyfin: Jellyfin, bob: ConfigEntry[Any]
) -> None:
    now = datetime.now(UTC)
    for hours, outcome in ((9, "recorded"), (3, "recorded"), (6, "recorded")):
        at = now - timedelta(hours=hours)
        assert await stop(jellyfin, THE_SALT_ROAD, BOB_AT_JELLYFIN, at=at) == outcome

    plays = await plays_of(hass, bob)
    assert [play["rewatch"] for play in plays] == [True, True, False]
    assert {play["play_count"] for play in plays} == {3}


async def test_a_file_of_several_episodes(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    bob: ConfigEntry[Any],
    scrobbles: list[Event[dict[str, Any]]],
) -> None:
    double = replace(LOW_WATER, number_end=5)

    said = await jellyfin.report(JellyfinEvent.PLAYBACK_STOP, double, BOB_AT_JELLYFIN)

    assert said["outcome"] == "recorded"
    assert sorted(play["episode"] for play in await plays_of(hass, bob)) == [3, 4, 5]
    assert sorted(event.data["episode"] for event in scrobbles) == [3, 4, 5]
    assert await stop(jellyfin, double, BOB_AT_JELLYFIN) == "merged"
    assert await stop(jellyfin, FOG_SIGNAL, BOB_AT_JELLYFIN) == "merged"
    assert len(await plays_of(hass, bob)) == 3


# What is not wanted


async def test_media_types_that_are_switched_off(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    await answer(hass, await viewer_settings(hass, alice), media_types=["movie"])

    said = await plex.report(PlexEvent.SCROBBLE, SLOW_FERRY)

    assert said["outcome"] == "ignored"
    assert "tracks" in said["reason"]
    assert await scrobble(plex, LOW_WATER) == "ignored"
    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"
    assert await titles_of(hass, alice) == ["The Salt Road"]


async def test_players_that_are_not_followed(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    kitchen = PlexPlayer("Kitchen", "kitchen")
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)
    options = await hass.config_entries.options.async_init(plex.entry.entry_id)
    await answer(
        hass,
        options,
        servers=plex.entry.options["servers"],
        players=[plex.simulator.player.uuid],
    )
    playbacks = async_capture_events(hass, EVENT_PLAYBACK)

    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER, None, kitchen)
    await plex.report(PlexEvent.PLAY, LOW_WATER, None, kitchen)

    assert said["outcome"] == "ignored"
    assert "player" in said["reason"]
    assert playbacks == []
    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"
    assert await titles_of(hass, alice) == ["The Salt Road"]


# Plays that wait for somebody


async def test_a_guest_who_becomes_a_viewer(
    hass: HomeAssistant, plex: Plex, scrobbles: list[Event[dict[str, Any]]]
) -> None:
    for film in (THE_SALT_ROAD, THE_SALT_ROAD, LOW_WATER):
        assert await scrobble(plex, film, CAROL_AT_PLEX) == "held"
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert scrobbles == []

    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"viewer": "new", "name": "Carol"}
    )
    await hass.async_block_till_done()

    carol = result["result"]
    assert await titles_of(hass, carol) == ["Low Water", "The Salt Road"]
    assert sorted(event.data["title"] for event in scrobbles) == [
        "Low Water",
        "The Salt Road",
    ]
    assert await scrobble(plex, LOW_WATER, CAROL_AT_PLEX) == "merged"
    assert await scrobble(plex, PAPER_ORCHARD, CAROL_AT_PLEX) == "recorded"


async def test_a_guest_who_is_a_viewer_already(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """What both have reported was one viewing."""
    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"
    for film in (THE_SALT_ROAD, LOW_WATER):
        assert await scrobble(plex, film, CAROL_AT_PLEX) == "held"
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)

    await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"viewer": alice.entry_id}
    )
    await hass.async_block_till_done()

    assert await titles_of(hass, alice) == ["Low Water", "The Salt Road"]
    plays = {play["title"]: play for play in await plays_of(hass, alice)}
    assert [source["account"] for source in plays["The Salt Road"]["sources"]] == [
        "alice",
        "carol",
    ]


async def test_held_plays_outlive_a_restart(
    hass: HomeAssistant, plex: Plex, restart: Restart
) -> None:
    for film in FILMS[:5]:
        assert await scrobble(plex, film, CAROL_AT_PLEX) == "held"
    key = plex.key(CAROL_AT_PLEX)

    again, _ = await restart()

    assert len(again.config_entries.flow.async_progress_by_handler(DOMAIN)) == 1
    carol = await add_viewer(again, "Carol", [key])
    assert len(await plays_of(again, carol)) == 5
    assert await held_plays(again) == 0


async def held_plays(hass: HomeAssistant) -> int:
    """Return how many plays wait on disk, once those that were adopted have been let go."""
    async_fire_time_changed(
        hass, dt_util.utcnow() + timedelta(seconds=inbox.KEPT_FOR + 1)
    )
    await hass.async_block_till_done()
    disk = Disk.of(hass)
    return sum(
        len(disk.read(name)["plays"])
        for name in disk.names()
        if name.startswith("inbox.")
    )


async def test_held_plays_stay_until_their_viewer_is_sure_to_stay(
    hass: HomeAssistant, plex: Plex
) -> None:
    """Home Assistant writes an entry a second late: after a power cut it may be gone."""
    for film in FILMS[:5]:
        assert await scrobble(plex, film, CAROL_AT_PLEX) == "held"
    titles = [film.title for film in FILMS[:5]]

    for _ in range(2):
        carol = await add_viewer(hass, "Carol", [plex.key(CAROL_AT_PLEX)])
        assert await titles_of(hass, carol) == titles
        await hass.config_entries.async_remove(carol.entry_id)
    carol = await add_viewer(hass, "Carol", [plex.key(CAROL_AT_PLEX)])

    assert await held_plays(hass) == 0
    await hass.config_entries.async_reload(carol.entry_id)
    assert await titles_of(hass, carol) == titles


async def test_only_what_is_wanted_is_adopted(hass: HomeAssistant, plex: Plex) -> None:
    viewer = await add_viewer(hass, "Carol")
    await answer(hass, await viewer_settings(hass, viewer), media_types=["movie"])
    for title in (THE_SALT_ROAD, SLOW_FERRY):
        assert await scrobble(plex, title, CAROL_AT_PLEX) == "held"

    await link(hass, viewer, plex.key(CAROL_AT_PLEX))

    assert await titles_of(hass, viewer) == ["The Salt Road"]


async def test_plays_that_come_while_an_account_is_linked(
    hass: HomeAssistant, plex: Plex, scrobbles: list[Event[dict[str, Any]]]
) -> None:
    key = await plex.introduce(CAROL_AT_PLEX)
    for film in FILMS[:20]:
        assert await scrobble(plex, film, CAROL_AT_PLEX) == "held"

    async def watch() -> list[str]:
        outcomes = []
        for film in FILMS:
            outcomes.append(await scrobble(plex, film, CAROL_AT_PLEX))
            await asyncio.sleep(0)
        return outcomes

    carol, *outcomes = await asyncio.gather(
        add_viewer(hass, "Carol", [key]), watch(), watch(), watch()
    )
    await hass.async_block_till_done()

    assert await titles_of(hass, carol) == sorted(film.title for film in FILMS)
    assert sorted(event.data["title"] for event in scrobbles) == sorted(
        film.title for film in FILMS
    )
    assert {outcome for some in outcomes for outcome in some} <= {
        "held",
        "recorded",
        "merged",
    }
    assert await held_plays(hass) == 0


async def test_linking_while_held_plays_are_on_their_way_to_the_disk(
    hass: HomeAssistant,
    disk: Disk,
    plex: Plex,
    scrobbles: list[Event[dict[str, Any]]],
) -> None:
    key = await plex.introduce(CAROL_AT_PLEX)
    carol = await add_viewer(hass, "Carol")
    with disk.held():
        plays = [
            asyncio.create_task(scrobble(plex, film, CAROL_AT_PLEX))
            for film in FILMS[:10]
        ]
        await hass.async_add_executor_job(disk.wait_for_write)
        hass.config_entries.async_update_entry(
            carol, data={**carol.data, "accounts": [key]}
        )
        await asyncio.sleep(0.05)
    outcomes = await asyncio.gather(*plays)
    await hass.async_block_till_done()

    assert set(outcomes) <= {"recorded", "merged"}
    assert await titles_of(hass, carol) == sorted(film.title for film in FILMS[:10])
    assert len(scrobbles) == 10
    assert await held_plays(hass) == 0


async def test_an_account_that_is_taken_from_a_viewer(
    hass: HomeAssistant, plex: Plex
) -> None:
    key = await plex.introduce(CAROL_AT_PLEX)
    carol, dave = await add_viewer(hass, "Carol", [key]), await add_viewer(hass, "Dave")
    assert await scrobble(plex, THE_SALT_ROAD, CAROL_AT_PLEX) == "recorded"

    await link(hass, carol)
    assert await scrobble(plex, LOW_WATER, CAROL_AT_PLEX) == "held"
    await link(hass, dave, key)

    assert await titles_of(hass, carol) == ["The Salt Road"]
    assert await titles_of(hass, dave) == ["Low Water"]


async def test_a_viewer_who_is_disabled_for_a_while(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    disable = hass.config_entries.async_set_disabled_by
    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"
    await disable(alice.entry_id, ConfigEntryDisabler.USER)
    assert await scrobble(plex, LOW_WATER) == "held"
    await disable(alice.entry_id, None)
    await hass.async_block_till_done()

    assert await titles_of(hass, alice) == ["Low Water", "The Salt Road"]


async def test_there_is_an_end_to_what_waits(
    hass: HomeAssistant, plex: Plex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_HELD", 2)
    monkeypatch.setattr(accounts, "MAX_ACCOUNTS", 2)
    outcomes = [await scrobble(plex, film, CAROL_AT_PLEX) for film in FILMS[:3]]
    assert outcomes == ["held", "held", "rejected"]
    assert await scrobble(plex, FILMS[0], BOB_AT_PLEX) == "held"

    said = await plex.report(PlexEvent.SCROBBLE, FILMS[0], PlexAccount.guest("dave"))

    assert said["outcome"] == "rejected"
    assert "accounts" in said["reason"]
    carol = await add_viewer(hass, "Carol", [plex.key(CAROL_AT_PLEX)])
    assert len(await plays_of(hass, carol)) == 2


@pytest.mark.parametrize("after_restart", [False, True])
async def test_invented_accounts_keep_nobody_out(
    hass: HomeAssistant,
    plex: Plex,
    restart: Restart,
    monkeypatch: pytest.MonkeyPatch,
    after_restart: bool,
) -> None:
    """Who is linked or has something waiting stays; whoever else came first makes room."""
    monkeypatch.setattr(accounts, "MAX_ACCOUNTS", 5)
    alice = await add_viewer(hass, "Alice", [await plex.introduce(ALICE_AT_PLEX)])
    assert await scrobble(plex, THE_SALT_ROAD, BOB_AT_PLEX) == "held"

    async def invent(plex: Plex, *names: str) -> None:
        for name in names:
            account = PlexAccount.guest(name)
            await plex.report(PlexEvent.PLAY, LOW_WATER, account)

    await invent(plex, *(f"invented {number}" for number in range(10)))
    if after_restart:
        hass, client = await restart()
        plex = replace(plex, client=client)
    await invent(plex, *(f"further {number}" for number in range(10)))

    assert await scrobble(plex, LOW_WATER, CAROL_AT_PLEX) == "held"
    await invent(plex, "one more")
    assert await scrobble(plex, LOW_WATER) == "recorded"
    known = {account.name for account in hass.data[DATA_SCROBBLER].accounts}
    assert known == {"alice", "bob", "carol", "further 9", "one more"}
    offered = {
        flow["context"]["unique_id"]
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    }
    assert len(offered) == 4
    bob = await add_viewer(hass, "Bob", [plex.key(BOB_AT_PLEX)])
    assert await titles_of(hass, bob) == ["The Salt Road"]
    assert len(await plays_of(hass, alice)) == 1


async def test_titles_of_which_too_little_is_known(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    for event in (PlexEvent.SCROBBLE, PlexEvent.RATE):
        payload = plex.simulator.payload(event, THE_SALT_ROAD, rating=5)
        payload["Metadata"] = {"type": "movie"}
        _, said = await plex.send(json.dumps(payload).encode())
        assert said["outcome"] == "rejected"
        assert "too little" in said["reason"]
    assert await plays_of(hass, alice) == []


async def test_an_account_that_is_ignored(hass: HomeAssistant, plex: Plex) -> None:
    assert await scrobble(plex, THE_SALT_ROAD, CAROL_AT_PLEX) == "held"
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": "ignore"},
        data={"unique_id": flow["context"]["unique_id"], "title": "carol"},
    )
    await hass.async_block_till_done()

    assert await scrobble(plex, LOW_WATER, CAROL_AT_PLEX) == "ignored"
    assert hass.config_entries.flow.async_progress_by_handler(DOMAIN) == []


# Entries that are not quite there


@contextmanager
def not_ready(entry: ConfigEntry[Any]) -> Iterator[None]:
    """Let the platforms of an entry not come up."""
    forward = ConfigEntries.async_forward_entry_setups

    async def stand_in(
        self: ConfigEntries, which: ConfigEntry[Any], *args: Any
    ) -> None:
        if which is entry:
            raise ConfigEntryNotReady
        await forward(self, which, *args)

    with patch.object(ConfigEntries, "async_forward_entry_setups", stand_in):
        yield


async def test_entries_that_wait_to_be_set_up_again(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    for entry in (plex.entry, alice):
        with not_ready(entry):
            await hass.config_entries.async_reload(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY

    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"

    for entry in (plex.entry, alice):
        await hass.config_entries.async_reload(entry.entry_id)
    assert await titles_of(hass, alice) == ["The Salt Road"]
    assert await scrobble(plex, THE_SALT_ROAD) == "merged"


async def test_plays_that_come_while_everything_reloads(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    scrobbles: list[Event[dict[str, Any]]],
) -> None:
    async def watch(films: list[Movie]) -> list[str]:
        return [await scrobble(plex, film) for film in films]

    watching = asyncio.gather(*(watch(FILMS[number::4]) for number in range(4)))
    reloads = 0
    while not watching.done() or reloads < 5:
        for entry in (plex.entry, alice):
            assert await hass.config_entries.async_unload(entry.entry_id)
            await asyncio.sleep(0)
            assert await hass.config_entries.async_setup(entry.entry_id)
            await asyncio.sleep(0)
        reloads += 1

    assert {outcome for some in await watching for outcome in some} == {"recorded"}
    assert await titles_of(hass, alice) == sorted(film.title for film in FILMS)
    assert sorted(event.data["title"] for event in scrobbles) == sorted(
        film.title for film in FILMS
    )


async def test_plays_right_after_a_start(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], restart: Restart
) -> None:
    """Webhooks are taken before any entry has been set up."""
    assert await scrobble(plex, FILMS[0]) == "recorded"
    await plex.report(PlexEvent.RATE, FILMS[0], rating=8)
    again, client = await restart(set_up=False)
    early = replace(plex, client=client)
    starting = asyncio.create_task(_set_up(again))
    said: dict[str, Any] = {}
    while not said.get("outcome"):
        async with client.post(
            early.path, data=plex.simulator.body(PlexEvent.RATE, FILMS[1], rating=7)[0]
        ) as response:
            # Until then there is no such address, or nobody who listens.
            text = await response.text() if response.status == 200 else ""
            said = json.loads(text) if text else {}
        await asyncio.sleep(0)
    outcomes = [await scrobble(early, film) for film in FILMS[:3]]
    await starting

    assert said["outcome"] == "updated"
    assert outcomes == ["merged", "recorded", "recorded"]
    entry = again.config_entries.async_get_entry(alice.entry_id)
    assert entry is not None
    plays = {play["title"]: play.get("rating") for play in await plays_of(again, entry)}
    assert plays == {"Film 0": 8, "Film 1": 7, "Film 2": None}


async def _set_up(hass: HomeAssistant) -> None:
    from homeassistant.setup import async_setup_component

    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()


async def test_a_rating_while_its_viewer_is_unloaded(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    await plex.report(PlexEvent.RATE, THE_SALT_ROAD, rating=8)
    await hass.config_entries.async_unload(alice.entry_id)
    await plex.report(PlexEvent.RATE, PAPER_ORCHARD, rating=6)
    await hass.config_entries.async_setup(alice.entry_id)

    for film in (THE_SALT_ROAD, PAPER_ORCHARD):
        await scrobble(plex, film)
    ratings = {play["title"]: play["rating"] for play in await plays_of(hass, alice)}
    assert ratings == {"The Salt Road": 8, "Paper Orchard": 6}


# Removal


async def test_a_viewer_who_is_removed_while_plays_come(
    hass: HomeAssistant, disk: Disk, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """They are held from then on, and nothing is left behind."""
    with disk.held():
        plays = [asyncio.create_task(scrobble(plex, film)) for film in FILMS[:5]]
        viewer = hass.data[DATA_SCROBBLER].viewers[alice.entry_id]
        await until_recorded(viewer.history, 5)
        removing = asyncio.create_task(hass.config_entries.async_remove(alice.entry_id))
        await asyncio.sleep(0.05)
        plays += [asyncio.create_task(scrobble(plex, film)) for film in FILMS[5:10]]
        await asyncio.sleep(0.05)
    outcomes = await asyncio.gather(*plays)
    await removing
    await hass.async_block_till_done()

    assert outcomes[:5] == ["recorded"] * 5
    assert outcomes[5:] == ["held"] * 5
    assert not [name for name in disk.names() if alice.entry_id in name]
    again = await add_viewer(hass, "Alice", [plex.key(ALICE_AT_PLEX)])
    assert await titles_of(hass, again) == sorted(film.title for film in FILMS[5:10])


async def test_a_server_that_is_removed_while_plays_are_held(
    hass: HomeAssistant, disk: Disk, plex: Plex
) -> None:
    assert await scrobble(plex, THE_SALT_ROAD, CAROL_AT_PLEX) == "held"
    (waiting,) = hass.data[DATA_SCROBBLER].recorder.inbox.histories.values()
    with disk.held():
        plays = [
            asyncio.create_task(plex.report(PlexEvent.SCROBBLE, film, CAROL_AT_PLEX))
            for film in FILMS[:5]
        ]
        await until_recorded(waiting, 6)
        removing = asyncio.create_task(
            hass.config_entries.async_remove(plex.entry.entry_id)
        )
        await asyncio.sleep(0.05)
    for said in await asyncio.gather(*plays):
        assert said["reason"]
    await removing
    await hass.async_block_till_done()

    assert not [name for name in disk.names() if name.startswith("inbox.")]


async def test_removing_a_viewer_whose_plays_could_not_be_written(
    hass: HomeAssistant,
    disk: Disk,
    plex: Plex,
    alice: ConfigEntry[Any],
    scrobbles: list[Event[dict[str, Any]]],
) -> None:
    with disk.full():
        assert await scrobble(plex, THE_SALT_ROAD) == "held"
    assert issues(hass) == {"not_written"}

    await hass.config_entries.async_remove(alice.entry_id)
    await hass.async_block_till_done()

    assert issues(hass) == set()
    assert scrobbles == []
    assert not [name for name in disk.names() if alice.entry_id in name]


# Disks that do not do their work


@contextmanager
def failing(disk: Disk, how: str, viewer: ConfigEntry[Any]) -> Iterator[None]:
    """Let writing fail."""
    month = datetime.now(UTC).strftime("%Y-%m")
    with (
        disk.full()
        if how == "full"
        else disk.blocked(f"history.{viewer.entry_id}.{month}")
    ):
        yield


@pytest.mark.parametrize("how", ["full", "blocked"])
async def test_a_play_that_cannot_be_written(
    hass: HomeAssistant,
    disk: Disk,
    soon: None,
    plex: Plex,
    alice: ConfigEntry[Any],
    scrobbles: list[Event[dict[str, Any]]],
    how: str,
) -> None:
    await settle(hass)
    sensor = entity_id_of(hass, "sensor", alice, "movies")
    with failing(disk, how, alice):
        said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
        assert said["outcome"] == "held"
        assert "not be written" in said["reason"]
        assert said["viewers"] == ["Alice"]
        assert await scrobble(plex, THE_SALT_ROAD) == "held"
        await settle(hass)
        assert issues(hass) == {"not_written"}
        assert scrobbles == []
        state = hass.states.get(sensor)
        assert state is not None
        assert state.state == "0"
    await hass.async_block_till_done(wait_background_tasks=True)
    await settle(hass)

    assert [event.data["title"] for event in scrobbles] == ["The Salt Road"]
    (play,) = await plays_of(hass, alice)
    assert len(play["sources"]) == 2
    state = hass.states.get(sensor)
    assert state is not None
    assert state.state == "1"
    (name,) = (name for name in disk.names() if name.startswith("history."))
    assert len(disk.read(name)["plays"]) == 1
    assert await scrobble(plex, THE_SALT_ROAD) == "merged"
    assert len(scrobbles) == 1


async def test_another_play_brings_what_could_not_be_written_along(
    hass: HomeAssistant,
    disk: Disk,
    plex: Plex,
    alice: ConfigEntry[Any],
    scrobbles: list[Event[dict[str, Any]]],
) -> None:
    with disk.full():
        assert await scrobble(plex, THE_SALT_ROAD) == "held"

    assert await scrobble(plex, PAPER_ORCHARD) == "recorded"
    await hass.async_block_till_done(wait_background_tasks=True)

    assert sorted(event.data["title"] for event in scrobbles) == [
        "Paper Orchard",
        "The Salt Road",
    ]
    assert issues(hass) == set()


@pytest.mark.parametrize("mended", [True, False])
async def test_home_assistant_stops_while_plays_wait_to_be_written(
    hass: HomeAssistant,
    disk: Disk,
    plex: Plex,
    alice: ConfigEntry[Any],
    restart: Restart,
    mended: bool,
) -> None:
    assert await scrobble(plex, LOW_WATER) == "recorded"
    with failing(disk, "blocked", alice):
        assert await scrobble(plex, THE_SALT_ROAD) == "held"
        if not mended:
            await hass.async_stop(force=True)
    again, client = await restart()

    entry = again.config_entries.async_get_entry(alice.entry_id)
    assert entry is not None
    expected = ["Low Water", "The Salt Road"] if mended else ["Low Water"]
    assert await titles_of(again, entry) == expected
    assert issues(again) == set()
    outcome = await scrobble(replace(plex, client=client), THE_SALT_ROAD)
    assert outcome == ("merged" if mended else "recorded")


async def test_a_play_that_arrives_while_home_assistant_stops(
    hass: HomeAssistant,
    disk: Disk,
    plex: Plex,
    alice: ConfigEntry[Any],
    restart: Restart,
) -> None:
    with disk.held():
        play = asyncio.create_task(scrobble(plex, THE_SALT_ROAD))
        await hass.async_add_executor_job(disk.wait_for_write)
        another = asyncio.create_task(scrobble(plex, LOW_WATER))
        await asyncio.sleep(0.02)
        stopping = asyncio.create_task(hass.async_stop(force=True))
        await asyncio.sleep(0.02)
    await asyncio.gather(play, another, return_exceptions=True)
    await stopping
    again, _ = await restart()

    entry = again.config_entries.async_get_entry(alice.entry_id)
    assert entry is not None
    assert await titles_of(again, entry) == ["Low Water", "The Salt Road"]


@pytest.mark.parametrize("mended", [True, False])
async def test_a_viewer_who_is_disabled_while_plays_wait_to_be_written(
    hass: HomeAssistant,
    disk: Disk,
    plex: Plex,
    alice: ConfigEntry[Any],
    scrobbles: list[Event[dict[str, Any]]],
    restart: Restart,
    mended: bool,
) -> None:
    """Switching off and on again is what people try first."""
    disable = hass.config_entries.async_set_disabled_by
    with disk.full():
        assert await scrobble(plex, THE_SALT_ROAD) == "held"
        await disable(alice.entry_id, ConfigEntryDisabler.USER)
        if not mended:
            await disable(alice.entry_id, None)
    if mended:
        await disable(alice.entry_id, None)
    await hass.async_block_till_done()

    assert await scrobble(plex, PAPER_ORCHARD) == "recorded"
    assert await titles_of(hass, alice) == ["Paper Orchard", "The Salt Road"]
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(scrobbles) == 2
    assert issues(hass) == set()
    again, _ = await restart()
    entry = again.config_entries.async_get_entry(alice.entry_id)
    assert entry is not None
    assert await titles_of(again, entry) == ["Paper Orchard", "The Salt Road"]


async def test_what_is_not_on_disk_is_not_hidden_by_what_is(
    hass: HomeAssistant,
    disk: Disk,
    soon: None,
    plex: Plex,
    scrobbles: list[Event[dict[str, Any]]],
) -> None:
    account = await plex.introduce(ALICE_AT_PLEX)
    couple = [await add_viewer(hass, name, [account]) for name in ("Alice", "Bob")]
    with failing(disk, "blocked", couple[1]):
        assert await scrobble(plex, THE_SALT_ROAD) == "held"
        assert [event.data["viewer"] for event in scrobbles] == ["Alice"]
    await hass.async_block_till_done(wait_background_tasks=True)

    assert [event.data["viewer"] for event in scrobbles] == ["Alice", "Bob"]


async def test_a_rating_that_cannot_be_written(
    hass: HomeAssistant, disk: Disk, soon: None, plex: Plex
) -> None:
    """One viewer's disk trouble is not that of another with the same account."""
    ratings = async_capture_events(hass, EVENT_RATING)
    account = await plex.introduce(ALICE_AT_PLEX)
    couple = [await add_viewer(hass, name, [account]) for name in ("Alice", "Bob")]
    with disk.blocked(f"ratings.{couple[0].entry_id}"):
        said = await plex.report(PlexEvent.RATE, THE_SALT_ROAD, rating=8)
        assert said["outcome"] == "held"
        assert [event.data["viewer"] for event in ratings] == ["Bob"]
        assert issues(hass) == {"not_written"}
        await hass.config_entries.async_reload(couple[0].entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [event.data["viewer"] for event in ratings] == ["Bob", "Alice"]

    await scrobble(plex, THE_SALT_ROAD)
    for viewer in couple:
        assert (await plays_of(hass, viewer))[0]["rating"] == 8


async def test_a_rating_that_is_changed_before_it_could_be_written(
    hass: HomeAssistant, disk: Disk, soon: None, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    ratings = async_capture_events(hass, EVENT_RATING)
    with disk.full():
        for rating in (8, 9):
            said = await plex.report(PlexEvent.RATE, THE_SALT_ROAD, rating=rating)
            assert said["outcome"] == "held"
        assert ratings == []
    await hass.async_block_till_done(wait_background_tasks=True)

    assert [event.data["rating"] for event in ratings] == [9]


async def test_removing_a_viewer_whose_rating_could_not_be_written(
    hass: HomeAssistant, disk: Disk, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    ratings = async_capture_events(hass, EVENT_RATING)
    with disk.full():
        await plex.report(PlexEvent.RATE, THE_SALT_ROAD, rating=8)
    await hass.config_entries.async_remove(alice.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert ratings == []
    assert issues(hass) == set()


async def test_held_plays_that_cannot_be_adopted_yet(
    hass: HomeAssistant,
    disk: Disk,
    soon: None,
    plex: Plex,
    restart: Restart,
    scrobbles: list[Event[dict[str, Any]]],
) -> None:
    for film in FILMS[:10]:
        assert await scrobble(plex, film, CAROL_AT_PLEX) == "held"
    with disk.full():
        carol = await add_viewer(hass, "Carol", [plex.key(CAROL_AT_PLEX)])
        assert scrobbles == []
        assert issues(hass) == {"not_written"}
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(await plays_of(hass, carol)) == 10

    again, _ = await restart()

    entry = again.config_entries.async_get_entry(carol.entry_id)
    assert entry is not None
    assert len(await plays_of(again, entry)) == 10
    assert await held_plays(again) == 0


async def test_held_plays_that_cannot_be_written(
    hass: HomeAssistant, disk: Disk, soon: None, plex: Plex
) -> None:
    with disk.full():
        said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD, CAROL_AT_PLEX)
        assert said["outcome"] == "held"
        assert "not be written" in said["reason"]
        assert issues(hass) == {"inbox_not_written"}
    await hass.async_block_till_done(wait_background_tasks=True)

    assert issues(hass) == set()
    carol = await add_viewer(hass, "Carol", [plex.key(CAROL_AT_PLEX)])
    assert await titles_of(hass, carol) == ["The Salt Road"]


async def test_an_account_that_cannot_be_written(
    hass: HomeAssistant, disk: Disk, soon: None, plex: Plex
) -> None:
    with disk.blocked("accounts"):
        assert await scrobble(plex, THE_SALT_ROAD, CAROL_AT_PLEX) == "held"
        assert issues(hass) == {"inbox_not_written"}
    await hass.async_block_till_done(wait_background_tasks=True)

    assert issues(hass) == set()


async def test_removing_a_server_whose_held_plays_could_not_be_written(
    hass: HomeAssistant, disk: Disk, plex: Plex
) -> None:
    assert await scrobble(plex, LOW_WATER, CAROL_AT_PLEX) == "held"
    with disk.full():
        assert await scrobble(plex, THE_SALT_ROAD, CAROL_AT_PLEX) == "held"
    assert issues(hass) == {"inbox_not_written"}

    await hass.config_entries.async_remove(plex.entry.entry_id)
    await hass.async_block_till_done()

    assert issues(hass) == set()


async def test_held_plays_that_cannot_be_read(
    hass: HomeAssistant, plex: Plex, restart: Restart
) -> None:
    """They stay as they are, and are adopted at the start after they have been mended."""
    assert await scrobble(plex, THE_SALT_ROAD, CAROL_AT_PLEX) == "held"
    disk = Disk.of(hass)
    (name,) = (name for name in disk.names() if name.startswith("inbox."))
    path = disk.path(name)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    again, client = await restart()
    assert (
        await scrobble(replace(plex, client=client), LOW_WATER, CAROL_AT_PLEX) == "held"
    )
    assert issues(again) == {"inbox_unreadable"}
    carol = await add_viewer(again, "Carol", [plex.key(CAROL_AT_PLEX)])
    assert await titles_of(again, carol) == ["Low Water"]
    assert path.read_bytes() == whole[:-20]

    path.write_bytes(whole)
    mended, _ = await restart()

    assert issues(mended) == set()
    entry = mended.config_entries.async_get_entry(carol.entry_id)
    assert entry is not None
    assert await titles_of(mended, entry) == ["Low Water", "The Salt Road"]


async def test_an_unreadable_month_takes_no_play_with_it(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    restart: Restart,
) -> None:
    assert await scrobble(plex, THE_SALT_ROAD) == "recorded"
    disk = Disk.of(hass)
    (name,) = (name for name in disk.names() if name.startswith("history."))
    path = disk.path(name)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    again, client = await restart()
    entry = again.config_entries.async_get_entry(alice.entry_id)
    assert entry is not None
    assert issues(again) == {"unreadable"}

    assert await scrobble(replace(plex, client=client), LOW_WATER) == "recorded"
    assert path.read_bytes() == whole[:-20]
    assert await titles_of(again, entry) == ["Low Water"]
    path.write_bytes(whole)
    await again.config_entries.async_reload(entry.entry_id)

    assert issues(again) == set()
    assert await titles_of(again, entry) == ["Low Water", "The Salt Road"]


# The longest way


async def test_an_evening_of_two_servers_and_three_people(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    bob: ConfigEntry[Any],
    scrobbles: list[Event[dict[str, Any]]],
    restart: Restart,
) -> None:
    device = JellyfinDevice("Tablet", "tablet")
    films: list[Movie] = [THE_SALT_ROAD, PAPER_ORCHARD, NINTH_MERIDIAN, *FILMS[:10]]
    outcomes = await asyncio.gather(
        *(scrobble(plex, film) for film in films),
        *(scrobble(plex, film, BOB_AT_PLEX) for film in films),
        *(stop(jellyfin, film, ALICE_AT_JELLYFIN) for film in films),
        *(stop(jellyfin, film, BOB_AT_JELLYFIN, device) for film in films),
        *(stop(jellyfin, THE_PILOT_BOAT, BOB_AT_JELLYFIN) for _ in range(5)),
        plex.report(PlexEvent.LIBRARY_NEW, HARBOUR_LIGHTS),
    )

    counts = {
        outcome: sum(1 for other in outcomes if other == outcome)
        for outcome in ("recorded", "merged", "held")
    }
    assert counts == {"recorded": 27, "merged": 17, "held": 13}
    assert len(scrobbles) == 27
    assert await titles_of(hass, alice) == sorted(film.title for film in films)
    await link(hass, bob, jellyfin.key(BOB_AT_JELLYFIN), plex.key(BOB_AT_PLEX))
    assert len(await plays_of(hass, bob)) == 14
    assert len(scrobbles) == 27

    again, _ = await restart()
    for viewer, count in ((alice, 13), (bob, 14)):
        entry = again.config_entries.async_get_entry(viewer.entry_id)
        assert entry is not None
        assert len(await plays_of(again, entry)) == count
