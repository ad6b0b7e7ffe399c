"""What no webhook has told of is found in what the server knows, and recorded."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
import json
import logging
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.plex import history
from custom_components.media_scrobbler.storage import writer

from .common import answer, call, plays_of
from .conftest import Restart
from .server_histories import (
    MOVIE_IDS,
    SHOW_IDS,
    ago,
    eventually,
    heard,
    histories,
    know,
    look,
    looked,
    looking,
    signed_in,
    silence,
    sources,
    stand_in_of,
    times_of,
    titles_of,
    watch,
)
from .signed_in import Home, JellyfinHome, PlexHome, later, quiet, until, viewer
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
    Playable,
)
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.jellyfin_version import JELLYFIN_10_11
from .simulators.plex_server import PlexStandIn
from .storage.common import Disk

BOB = JellyfinUser.named("bob")


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return the server, to which Alice and Bob are linked."""
    return await signed_in(hass, home, "alice", "bob")


@pytest.fixture
async def plex(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> PlexHome:
    """Return a Plex server, to which Alice and Bob are linked."""
    home = PlexHome(plex_at_home)
    await signed_in(hass, home, "alice", "bob")
    return home


@pytest.fixture
async def jellyfin(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, address: str
) -> JellyfinHome:
    """Return a Jellyfin server, to which Alice and Bob are linked."""
    home = JellyfinHome(jellyfin_at_home)
    await signed_in(hass, home, "alice", "bob")
    return home


# What is missing


async def test_swallowed_webhook(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Movies and episodes are recorded, with all that the server knows of them."""
    events = heard(hass)
    silence(home)
    before = ago()
    for title in (THE_SALT_ROAD, LOW_WATER):
        assert await watch(home, "bob", title) == []
    await look(hass)

    def are_known(plays: list[dict[str, Any]]) -> bool:
        # They may have been completed in one second, which is as fine as Plex tells it.
        return {
            play["media_type"]: play.get("show_ids", {}).items() >= SHOW_IDS.items()
            if play["media_type"] == "episode"
            else play.get("ids", {}).items() >= MOVIE_IDS.items()
            for play in plays
            if "duration" in play
        } == {"episode": True, "movie": True}

    plays = await eventually(hass, "bob", are_known)
    episode, movie = sorted(plays, key=lambda play: play["media_type"])
    assert episode["show"] == "Harbour Lights"
    assert (episode["season"], episode["episode"]) == (2, 3)
    assert movie["duration"] == 6720
    assert sources(movie) == ["server_history"]
    assert before <= datetime.fromisoformat(movie["watched_at"]) <= datetime.now(UTC)
    assert {event["title"] for event in events} == {"The Salt Road", "Low Water"}
    for event in events:
        assert event["source"] == "server_history"
        assert event["viewer"] == event["account"] == "bob"
        assert event["server"] == entry.title
    assert await titles_of(hass, "alice") == []


async def test_nothing_new(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Nothing is written or published again, and next to nothing asked."""
    for title in (THE_SALT_ROAD, LOW_WATER):
        await watch(home, "bob", title)
    await look(hass)
    await quiet(hass, home.log)
    await later(hass, minutes=1)
    events = heard(hass)
    home.log.clear()
    with Disk.of(hass).watched() as disk:
        await look(hass)
        await look(hass)
        await quiet(hass, home.log)
    assert [name for name in disk.written if name.startswith("history.")] == []
    assert events == []
    # Both times Jellyfin is asked who has been there, which was the one who has signed in.
    each = 1 if isinstance(home, PlexHome) else 2
    others = home.log.count_of("GET", "/Users") if each == 2 else 0
    assert histories(home) <= 2 * each
    assert others <= 2 + 2
    assert len(await plays_of(hass, viewer(hass, "bob"))) == 2


async def test_webhook_first(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What came by webhook is not recorded again."""
    await watch(home, "bob", THE_SALT_ROAD)
    (before,) = await plays_of(hass, viewer(hass, "bob"))
    events = heard(hass)
    await look(hass)
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert play["play_id"] == before["play_id"]
    assert events == []


async def test_history_first(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """A webhook that comes after all is of the play that was recorded without it."""
    urls = list(home.webhooks)
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    await look(hass)
    (before,) = await plays_of(hass, viewer(hass, "bob"))
    events = heard(hass)
    if isinstance(home, PlexHome):
        home.webhooks.extend(urls)
    else:
        assert isinstance(home, JellyfinHome)
        home.server.plugin.add_generic(urls[0], ["PlaybackStop"])
    await watch(home, "bob", THE_SALT_ROAD)
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert play["play_id"] == before["play_id"]
    assert sources(play) == ["server_history", "webhook"]
    assert events == []


async def test_webhook_on_its_way(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Where the server knows first, its webhook is what tells of the play."""
    events = heard(hass)
    url, *_ = home.webhooks
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    before = histories(home)
    await later(hass, minutes=16)
    await until(hass, lambda: histories(home) > before)
    await quiet(hass, home.log)
    assert looking()
    assert await plays_of(hass, viewer(hass, "bob")) == []
    if isinstance(home, PlexHome):
        home.webhooks.append(url)
    else:
        assert isinstance(home, JellyfinHome)
        home.server.plugin.add_generic(url, ["PlaybackStop"])
    await watch(home, "bob", THE_SALT_ROAD)
    await looked(hass)
    (event,) = events
    assert event["source"] == "webhook"
    assert len(await plays_of(hass, viewer(hass, "bob"))) == 1


async def test_more_than_half_the_run_time_between(
    hass: HomeAssistant, jellyfin: JellyfinHome
) -> None:
    """Jellyfin tells when a playback began, its webhook when it ended: one viewing."""
    await watch(jellyfin, "bob", THE_SALT_ROAD)
    data = jellyfin.server.data_of(BOB, THE_SALT_ROAD)
    for begun in (ago(minutes=112), ago(hours=7)):
        data.last_played = begun
        await look(hass)
        assert len(await plays_of(hass, viewer(hass, "bob"))) == 1


async def test_account_is_renamed(hass: HomeAssistant, jellyfin: JellyfinHome) -> None:
    """It is the same account's viewing, with a long pause, whatever its name is by now."""
    await watch(jellyfin, "bob", THE_SALT_ROAD)
    jellyfin.server.data_of(BOB, THE_SALT_ROAD).last_played = ago(hours=7)
    jellyfin.server.account(BOB).user = JellyfinUser("Robert", BOB.id)
    await later(hass, minutes=6)
    await quiet(hass, jellyfin.log)
    for _ in range(2):
        await look(hass)
    assert (await call(hass, "import_history"))["recorded"] == 0
    assert len(await plays_of(hass, viewer(hass, "bob"))) == 1


async def test_still_playing(hass: HomeAssistant, jellyfin: JellyfinHome) -> None:
    """What counts as seen before it has ended waits for the webhook of its end."""
    events = heard(hass)
    await jellyfin.play("bob", THE_SALT_ROAD)
    await jellyfin.server.progress(timedelta(minutes=108))
    assert jellyfin.server.data_of(BOB, THE_SALT_ROAD).played
    await look(hass)
    assert await plays_of(hass, viewer(hass, "bob")) == []
    await jellyfin.finish()
    (event,) = events
    assert event["source"] == "webhook"
    await look(hass)
    assert len(await plays_of(hass, viewer(hass, "bob"))) == 1


async def test_broken_off_again(hass: HomeAssistant, jellyfin: JellyfinHome) -> None:
    """What was seen before stays seen while it is seen again, in part: that is no play."""
    silence(jellyfin)
    know(jellyfin, "bob", THE_SALT_ROAD, ago(days=400))
    know(jellyfin, "bob", LOW_WATER, ago(days=400))
    # Imported or not.
    await call(
        hass,
        "add_play",
        viewer=viewer(hass, "bob").entry_id,
        media_type="movie",
        title="The Salt Road",
        ids=MOVIE_IDS,
        watched_at=ago(days=400).isoformat(),
    )
    for title, minutes in ((THE_SALT_ROAD, 1), (LOW_WATER, 15), (THE_SALT_ROAD, 60)):
        await jellyfin.play("bob", title)
        await look(hass)
        await jellyfin.server.stop_playing(timedelta(minutes=minutes))
        assert jellyfin.server.data_of(BOB, title).played
        await look(hass)
        assert await titles_of(hass, "bob") == ["The Salt Road"]


async def test_seen_again(hass: HomeAssistant, address: str, impatience: None) -> None:
    """Older servers forget that it was seen before: that it is seen is certain then."""
    async with JellyfinStandIn(
        version=JELLYFIN_10_11, titles=[THE_SALT_ROAD]
    ) as server:
        server.add_user("alice", "secret", administrator=True)
        home = JellyfinHome(server)
        await signed_in(hass, home, "alice")
        silence(home)
        know(home, "alice", THE_SALT_ROAD, ago(days=300))
        await call(
            hass,
            "add_play",
            viewer=viewer(hass, "alice").entry_id,
            media_type="movie",
            title="The Salt Road",
            ids=MOVIE_IDS,
            watched_at=ago(days=300).isoformat(),
        )
        await home.play("alice", THE_SALT_ROAD)
        await server.stop_playing(timedelta(minutes=50))
        await look(hass)
        assert len(await titles_of(hass, "alice")) == 1
        await home.play("alice", THE_SALT_ROAD, timedelta(minutes=50))
        await home.finish()
        await look(hass)
        assert len(await titles_of(hass, "alice")) == 2


async def test_seen_in_two_sittings(
    hass: HomeAssistant, jellyfin: JellyfinHome
) -> None:
    """What was broken off and seen to its end later is one play."""
    silence(jellyfin)
    await jellyfin.play("bob", THE_SALT_ROAD)
    await jellyfin.server.stop_playing(timedelta(minutes=50))
    await look(hass)
    assert await titles_of(hass, "bob") == []
    await jellyfin.play("bob", THE_SALT_ROAD, timedelta(minutes=50))
    await jellyfin.finish()
    await look(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


async def test_music(hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]) -> None:
    """Plex tells of what was heard to its end; Jellyfin of all that was begun, which is none."""
    silence(home)
    await home.play("bob", SLOW_FERRY)
    if isinstance(home, PlexHome):
        await home.finish()
    else:
        assert isinstance(home, JellyfinHome)
        await home.server.stop_playing(timedelta(seconds=5))
        assert home.server.data_of(BOB, SLOW_FERRY).played
    await look(hass)
    expected = ["Slow Ferry"] if isinstance(home, PlexHome) else []
    assert await titles_of(hass, "bob") == expected


@pytest.mark.freeze_time(tick=True)
async def test_time_of_the_server(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """The webhook may have been late; when it was completed, the server knows."""
    events = heard(hass)
    await plex.play("bob", THE_SALT_ROAD)
    freezer.tick(timedelta(hours=1))
    at = ago(minutes=20)
    await plex.plex.finish(at=at)
    with Disk.of(hass).watched() as disk:
        for _ in range(2):
            await look(hass)
        assert len([name for name in disk.written if name.startswith("history")]) <= 1
    (event,) = events
    assert event["source"] == "webhook"
    assert event["watched_at"] > at.isoformat()
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert sources(play) == ["webhook", "server_history"]
    assert await times_of(hass, "bob") == [at]


# What a person has decided


@pytest.mark.parametrize("restarted", [False, True])
async def test_removed_by_a_person(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    restart: Restart,
    restarted: bool,
) -> None:
    """What has been removed does not come back."""
    await watch(home, "bob", THE_SALT_ROAD)
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    await call(
        hass,
        "remove_play",
        viewer=viewer(hass, "bob").entry_id,
        play_id=play["play_id"],
    )
    if restarted:
        hass, _ = await restart()
        await looked(hass)
    await look(hass)
    assert await titles_of(hass, "bob") == []


async def test_corrected_by_a_person(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What has been corrected stays so, whatever the server says."""
    await watch(home, "bob", THE_SALT_ROAD)
    await watch(home, "bob", LOW_WATER)
    bob = viewer(hass, "bob").entry_id
    for play, hours in zip(
        await plays_of(hass, viewer(hass, "bob")), (5, 0.1), strict=True
    ):
        await call(
            hass,
            "update_play",
            viewer=bob,
            play_id=play["play_id"],
            watched_at=ago(hours=hours).isoformat(),
        )
    corrected = await times_of(hass, "bob")
    await look(hass)
    assert await times_of(hass, "bob") == corrected


# Whose it is


async def test_two_accounts(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Everybody gets what they have watched."""
    silence(home)
    await watch(home, "alice", THE_SALT_ROAD)
    await watch(home, "bob", LOW_WATER)
    await look(hass)
    assert await titles_of(hass, "alice") == ["The Salt Road"]
    assert await titles_of(hass, "bob") == ["Low Water"]


async def test_unlinked_account(
    hass: HomeAssistant, home: Home, client: TestClient[Any, Any]
) -> None:
    """What nobody is linked to waits, once, and is offered; then it is published."""
    await signed_in(hass, home, "alice")
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    for _ in range(2):
        await look(hass)
    await until(hass, hass.config_entries.flow.async_progress)
    (flow,) = hass.config_entries.flow.async_progress()
    events = heard(hass)
    for values in (None, {"viewer": "new", "name": "bob"}):
        await hass.config_entries.flow.async_configure(flow["flow_id"], values)
    await eventually(hass, "bob", lambda plays: len(plays) == 1)
    await until(hass, lambda: events)
    (event,) = events
    assert event["source"] == "server_history"
    await look(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


async def test_ignored_account(hass: HomeAssistant, home: Home) -> None:
    """What is nobody's business is not kept."""
    entry = await signed_in(hass, home, "alice")
    bob = str(home.plex.user("bob").id) if isinstance(home, PlexHome) else str(BOB.id)
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": f"{entry.entry_id}:{bob}", "title": "Bob"},
    )
    await hass.async_block_till_done()
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    await look(hass)
    assert hass.config_entries.flow.async_progress() == []
    assert not [name for name in Disk.of(hass).names() if name.startswith("inbox.")]


async def test_watching_together(hass: HomeAssistant, jellyfin: JellyfinHome) -> None:
    """Who watches along has not used the server, and is asked for where something was lost."""
    await later(hass, minutes=16)
    await looked(hass)
    silence(jellyfin)
    await jellyfin.server.play(THE_SALT_ROAD, JellyfinUser.named("alice"), BOB)
    await jellyfin.finish()
    await look(hass)
    assert await titles_of(hass, "alice") == ["The Salt Road"]
    assert await titles_of(hass, "bob") == ["The Salt Road"]


async def test_media_types(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What a viewer does not want recorded is not."""
    bob = viewer(hass, "bob")
    hass.config_entries.async_update_entry(bob, options={"media_types": ["episode"]})
    silence(home)
    for title in (THE_SALT_ROAD, LOW_WATER):
        await watch(home, "bob", title)
    await look(hass)
    assert await titles_of(hass, "bob") == ["Low Water"]


async def test_marked_from_here(hass: HomeAssistant, jellyfin: JellyfinHome) -> None:
    """What is marked for one viewer is no play of another who shares the account."""
    alice, bob = viewer(hass, "alice"), viewer(hass, "bob")
    (key,) = alice.data["accounts"]
    hass.config_entries.async_update_entry(alice, options={"following": [key]})
    hass.config_entries.async_update_entry(
        bob, data={**bob.data, "accounts": [*bob.data["accounts"], key]}
    )
    await hass.async_block_till_done()
    await call(hass, "scan_library")
    silence(jellyfin)
    await call(
        hass,
        "add_play",
        viewer=alice.entry_id,
        media_type="movie",
        title="The Salt Road",
        ids=MOVIE_IDS,
        watched_at=ago(minutes=2).isoformat(),
    )
    data = jellyfin.server.data_of(JellyfinUser.named("alice"), THE_SALT_ROAD)
    await until(hass, lambda: data.played)
    await look(hass)
    assert await titles_of(hass, "bob") == []
    assert len(await plays_of(hass, alice)) == 1


# When


async def test_switched_off(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """With an interval of 0 the server is not asked."""
    result = await hass.config_entries.options.async_init(entry.entry_id)
    values = {"nightly_scan": False, "healing_interval": 0}
    if isinstance(home, JellyfinHome):
        values["sync_interval"] = 0
    await answer(hass, result, **values)
    await until(hass, lambda: not looking())
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    before = histories(home)
    await later(hass, hours=2)
    await looked(hass)
    assert histories(home) == before
    assert await titles_of(hass, "bob") == []


async def test_chosen_players(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Where players are chosen, what was played on others is not taken for missing."""
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "players": ["the bedroom"]}
    )
    deliveries = await watch(home, "bob", THE_SALT_ROAD)
    assert {delivery.answer["outcome"] for delivery in deliveries} == {"ignored"}
    await look(hass)
    assert await titles_of(hass, "bob") == []


@pytest.mark.freeze_time(tick=True)
async def test_players_are_chosen_no_more(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """What was ignored for months is not missing from then on."""
    options = dict(entry.options)
    hass.config_entries.async_update_entry(
        entry, options={**options, "players": ["the bedroom"]}
    )
    await watch(home, "bob", THE_SALT_ROAD)
    freezer.tick(timedelta(days=40))
    await look(hass)
    hass.config_entries.async_update_entry(entry, options=options)
    silence(home)
    await watch(home, "bob", LOW_WATER)
    await look(hass)
    assert await titles_of(hass, "bob") == ["Low Water"]


async def test_down_for_a_while(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], restart: Restart
) -> None:
    """What was completed while Home Assistant was down is recorded when it is back."""
    hass, _ = await restart(set_up=False)
    silence(home)
    for title in (THE_SALT_ROAD, LOW_WATER, FOG_SIGNAL):
        await watch(home, "bob", title)
    hass, _ = await restart()
    await looked(hass)
    assert set(await titles_of(hass, "bob")) == {
        "The Salt Road",
        "Low Water",
        "Fog Signal",
    }


async def test_before_it_was_set_up(
    hass: HomeAssistant, home: Home, address: str
) -> None:
    """What was watched before there was a history is for an import."""
    know(home, "bob", THE_SALT_ROAD, ago(minutes=3))
    know(home, "bob", LOW_WATER, ago(days=3))
    await signed_in(hass, home, "bob")
    for _ in range(2):
        await look(hass)
    assert await titles_of(hass, "bob") == []


# What can go wrong


async def test_server_is_down(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """It is asked when it is back, at the next sign of life."""
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    path = "/status/sessions/history/all" if isinstance(home, PlexHome) else "/Items"
    faults = home.faults
    for go_wrong in (
        partial(faults.fail, 500),
        faults.cut,
        faults.html,
        partial(faults.answer, "{}"),
    ):
        with go_wrong(path=path) as fault:
            await look(hass)
            await quiet(hass, home.log)
        assert fault.hits
        assert await titles_of(hass, "bob") == []
    before = histories(home)
    await later(hass, minutes=6)
    await until(hass, lambda: histories(home) > before)
    await looked(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


async def test_token_revoked(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """A person is asked to sign in again, once."""
    home.revoke()
    for _ in range(2):
        await look(hass)
    await until(hass, hass.config_entries.flow.async_progress)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH


async def test_guest(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    address: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that does not tell a guest is asked no more, and nobody is alarmed."""
    caplog.set_level(logging.DEBUG, "custom_components.media_scrobbler.healing")
    home = PlexHome(plex_at_home)
    with plex_at_home.server.faults.fail(403, path="/status/sessions/history/all"):
        await signed_in(hass, home, "bob")
        for _ in range(3):
            await look(hass)
    assert histories(home) == 1
    assert "does not tell this account" in caplog.text
    assert not [
        record
        for record in caplog.records
        if record.levelno > logging.INFO
        and "media_scrobbler" in record.name
        and "loader" not in record.name
    ]


async def test_disk_is_full(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not be written is, and only once."""
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    disk = Disk.of(hass)
    with disk.full():
        await look(hass)
    await look(hass)
    await eventually(hass, "bob", lambda plays: len(plays) == 1)
    await look(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


async def test_disk_is_full_for_what_is_known(
    hass: HomeAssistant, plex: PlexHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server adds to a play is written later, and nothing is recorded again."""
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))
    await watch(plex, "bob", THE_SALT_ROAD)
    silence(plex)
    await watch(plex, "bob", LOW_WATER)
    with Disk.of(hass).full():
        await look(hass)
        assert viewer(hass, "bob").runtime_data.failing
    await until(hass, lambda: not viewer(hass, "bob").runtime_data.failing)
    await look(hass)
    episode, movie = sorted(
        await plays_of(hass, viewer(hass, "bob")), key=lambda play: play["media_type"]
    )
    assert sources(movie) == ["webhook", "server_history"]
    assert sources(episode) == ["server_history"]


async def test_odd_entries(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What has no id, no date or no user, and nonsense, does not keep the rest from being found."""
    silence(home)
    if isinstance(home, PlexHome):
        server = home.plex.server
        bob = server.account_id(home.plex.user("bob"))
        at = int(datetime.now(UTC).timestamp())
        good = {"type": "movie", "title": "Tide", "accountID": bob, "viewedAt": at}
        items: list[Any] = [
            good,
            good | {"title": "Ebb", "viewedAt": None},
            good | {"title": "Flow", "viewedAt": 5},
            good | {"title": "Flood", "viewedAt": at + 90_000},
            good | {"title": "Surge", "accountID": None},
            good | {"title": None, "ratingKey": "77"},
            good | {"title": "Storm", "ratingKey": home.key(LOW_WATER)},
            {},
            3,
        ]
        container = {"size": len(items), "totalSize": len(items), "Metadata": items}
        body: dict[str, Any] = {"MediaContainer": container}
        path = "/status/sessions/history/all"
    else:
        assert isinstance(home, JellyfinHome)
        at_text = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        played = {"Played": True, "PlayCount": 1, "LastPlayedDate": at_text}
        item: dict[str, Any] = {
            "Type": "Movie",
            "Name": "Tide",
            "RunTimeTicks": 60_000_000_000,
            "UserData": played,
        }
        items = [
            item,
            item | {"Name": "Ebb", "UserData": played | {"LastPlayedDate": None}},
            item
            | {
                "Name": "Flow",
                "UserData": played | {"LastPlayedDate": "1970-01-01T00:00:05Z"},
            },
            item
            | {
                "Name": "Flood",
                "UserData": played | {"LastPlayedDate": "2100-01-01T00:00:05Z"},
            },
            item | {"Name": None},
            item | {"Name": "Surge", "UserData": None},
            item | {"Name": "Storm", "RunTimeTicks": None},
            {},
            3,
        ]
        body, path = {"Items": items}, "/Items"
        home.server.account(BOB).last_activity = home.server.now()
        home.server.account(JellyfinUser.named("alice")).last_activity = ago(days=3)
    with home.faults.answer(json.dumps(body), path=path):
        for _ in range(2):
            await look(hass)
            await quiet(hass, home.log)
    assert "Tide" in await titles_of(hass, "bob")
    assert set(await titles_of(hass, "bob")) <= {"Tide", "Storm", None}


# What is told late


LATE: tuple[tuple[Playable, dict[str, float]], ...] = (
    (LOW_WATER, {"hours": 5}),
    (FOG_SIGNAL, {"hours": 20}),
    (THE_SALT_ROAD, {"days": 3}),
    (PAPER_ORCHARD, {"days": 6}),
)


async def days_later(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, days: float
) -> None:
    """Let days go by in which the server is asked as always, and nothing happens."""
    freezer.tick(timedelta(days=days))
    await look(hass)
    await look(hass)


@pytest.mark.freeze_time(tick=True)
async def test_told_late(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """What was seen offline is told days later, and recorded at its own time, once."""
    silence(plex)
    await days_later(hass, freezer, 8)
    events = heard(hass)
    expected = {}
    for title, when in LATE:
        expected[title.title] = ago(**when).isoformat()
        know(plex, "bob", title, ago(**when))
    for _ in range(3):
        await look(hass)
    plays = await plays_of(hass, viewer(hass, "bob"))
    assert {play["title"]: play["watched_at"] for play in plays} == expected
    assert len(plays) == len(LATE)
    assert {event["title"]: event["watched_at"] for event in events} == expected
    assert len(events) == len(LATE)


@pytest.mark.freeze_time(tick=True)
async def test_told_late_one_by_one(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """However little it is, beside what is told in time."""
    silence(plex)
    await days_later(hass, freezer, 30)
    late: list[tuple[Playable, int]] = [
        (LOW_WATER, 20),
        (THE_SALT_ROAD, 4),
        (FOG_SIGNAL, 9),
    ]
    for number, (title, days) in enumerate(late, 1):
        know(plex, "bob", title, ago(days=days))
        know(plex, "alice", PAPER_ORCHARD, ago(hours=number * 5))
        await look(hass)
        assert len(await plays_of(hass, viewer(hass, "bob"))) == number
        assert len(await plays_of(hass, viewer(hass, "alice"))) == number
        await days_later(hass, freezer, 0.5)


@pytest.mark.freeze_time(tick=True)
async def test_told_late_while_it_was_down(
    hass: HomeAssistant,
    plex: PlexHome,
    freezer: FrozenDateTimeFactory,
    restart: Restart,
) -> None:
    """What was told before the last look is known after a restart."""
    silence(plex)
    await days_later(hass, freezer, 20)
    hass, _ = await restart(set_up=False)
    know(plex, "bob", THE_SALT_ROAD, ago(days=9))
    freezer.tick(timedelta(days=3))
    hass, _ = await restart()
    await looked(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


@pytest.mark.freeze_time(tick=True)
async def test_told_late_and_not_read_at_once(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """A server that fails as it is asked for it is asked again."""
    silence(plex)
    await days_later(hass, freezer, 20)
    know(plex, "bob", THE_SALT_ROAD, ago(days=9))
    path = "/status/sessions/history/all"
    for answered in (1, 2):
        plex.faults.slow(0, path=path, times=answered)
        fault = plex.faults.fail(500, path=path)
        await look(hass)
        fault.remove()
    await look(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


@pytest.mark.freeze_time(tick=True)
async def test_told_late_of_what_was_not_wanted(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """What was ignored when it was told does not come in along with what is told late."""
    silence(plex)
    bob = viewer(hass, "bob")
    options = dict(bob.options)
    hass.config_entries.async_update_entry(bob, options={"media_types": ["movie"]})
    await days_later(hass, freezer, 10)
    know(plex, "bob", LOW_WATER, ago(minutes=5))
    await days_later(hass, freezer, 4)
    hass.config_entries.async_update_entry(bob, options=options)
    know(plex, "bob", FOG_SIGNAL, ago(days=6))
    await look(hass)
    assert await titles_of(hass, "bob") == ["Fog Signal"]


@pytest.mark.freeze_time(tick=True)
async def test_told_late_after_much_that_was_not_wanted(
    hass: HomeAssistant,
    plex: PlexHome,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither does it where so much was told in time that it came in parts."""
    monkeypatch.setattr(history, "LATEST_AT_ONCE", 2)
    silence(plex)
    bob = viewer(hass, "bob")
    options = dict(bob.options)
    hass.config_entries.async_update_entry(bob, options={"media_types": ["track"]})
    await days_later(hass, freezer, 10)
    for hours in range(10, 0, -2):
        know(plex, "bob", LOW_WATER, ago(hours=hours))
    await look(hass)
    await days_later(hass, freezer, 4)
    hass.config_entries.async_update_entry(bob, options=options)
    know(plex, "bob", FOG_SIGNAL, ago(days=2))
    await look(hass)
    assert await titles_of(hass, "bob") == ["Fog Signal"]


@pytest.mark.freeze_time(tick=True)
async def test_told_late_of_the_time_before(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """What was seen before the server was set up is for an import."""
    silence(plex)
    know(plex, "bob", LOW_WATER, ago(days=3))
    await look(hass)
    await days_later(hass, freezer, 4)
    know(plex, "bob", THE_SALT_ROAD, ago(days=5))
    await look(hass)
    assert await titles_of(hass, "bob") == []


@pytest.mark.freeze_time(tick=True)
async def test_nothing_is_told_late(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """It costs next to nothing to know that, whatever else is told or forgotten."""
    silence(plex)
    await days_later(hass, freezer, 20)
    for hours in (700, 400, 3):
        know(plex, "bob", THE_SALT_ROAD, ago(hours=hours))
    await look(hass)
    for _ in range(40):
        plex.log.clear()
        freezer.tick(timedelta(hours=1))
        await look(hass)
        assert histories(plex) <= 2
    del plex.plex.server.history[0]
    plex.plex.server._history_version += 1
    await look(hass)
    plex.log.clear()
    await look(hass)
    assert histories(plex) <= 2


async def test_deleted_item(hass: HomeAssistant, plex: PlexHome) -> None:
    """Of what is gone from the library there are its names."""
    silence(plex)
    await watch(plex, "bob", LOW_WATER)
    plex.plex.remove(LOW_WATER)
    await look(hass)
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert (play["show"], play["season"], play["episode"]) == ("Harbour Lights", 2, 3)
    assert plex.requests_of(LOW_WATER) == 0
    assert plex.requests_of(HARBOUR_LIGHTS) == 0


@pytest.mark.parametrize("released", [date(2024, 5, 31), date(2025, 1, 3)])
async def test_deleted_film(
    hass: HomeAssistant, plex: PlexHome, released: date
) -> None:
    """What is left of a film in the history is the play that a webhook has told of."""
    film = replace(NINTH_MERIDIAN, released=released)
    await plex.plex.add(film)
    await watch(plex, "bob", film)
    (recorded,) = await plays_of(hass, viewer(hass, "bob"))
    plex.plex.remove(film)
    events = heard(hass)
    await look(hass)
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert (play["play_id"], play["year"]) == (recorded["play_id"], 2024)
    assert sources(play) == ["webhook", "server_history"]
    assert events == []


async def test_deleted_remake(hass: HomeAssistant, plex: PlexHome) -> None:
    """Of two films of one name, the one that is gone is known by when it came out."""
    events = heard(hass)
    await watch(plex, "bob", THE_SALT_ROAD)
    silence(plex)
    remake = replace(
        THE_SALT_ROAD, year=1958, released=date(1958, 5, 1), ids=ExternalIds(tmdb=7)
    )
    await plex.plex.add(remake)
    await watch(plex, "bob", remake)
    plex.plex.remove(remake)
    await look(hass)
    plays = await plays_of(hass, viewer(hass, "bob"))
    assert {play["year"] for play in plays} == {2019, 1958}
    assert [event["rewatch"] for event in events] == [False, False]


@pytest.mark.parametrize("returns", [False, True])
async def test_deleted_and_known_by_webhook(
    hass: HomeAssistant, plex: PlexHome, returns: bool
) -> None:
    """Its entry has no year and no id any more, and is of the play that is known."""
    await watch(plex, "bob", THE_SALT_ROAD)
    await watch(plex, "alice", PAPER_ORCHARD)
    events = heard(hass)
    for title in (THE_SALT_ROAD, PAPER_ORCHARD):
        plex.plex.remove(title)
    for _ in range(2):
        await look(hass)
    if returns:
        before = plex.key(THE_SALT_ROAD)
        await plex.plex.add(THE_SALT_ROAD)
        assert plex.key(THE_SALT_ROAD) != before
        await later(hass, minutes=6)
        await quiet(hass, plex.log)
        await look(hass)
    response = await call(hass, "import_history")
    assert response["recorded"] == 0
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert (play["title"], play["year"]) == ("The Salt Road", 2019)
    assert sources(play) == ["webhook", "server_history"]
    assert await titles_of(hass, "alice") == ["Paper Orchard"]
    assert events == []


@pytest.mark.freeze_time(tick=True)
async def test_returned_and_seen_again(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """What is played once more after it came back is a rewatch."""
    silence(plex)
    await watch(plex, "bob", THE_SALT_ROAD)
    plex.plex.remove(THE_SALT_ROAD)
    await look(hass)
    freezer.tick(timedelta(days=3))
    await plex.plex.add(THE_SALT_ROAD)
    await call(hass, "scan_library")
    events = heard(hass)
    know(plex, "bob", THE_SALT_ROAD, ago(minutes=1))
    await look(hass)
    assert len(await plays_of(hass, viewer(hass, "bob"))) == 2
    (event,) = events
    assert (event["rewatch"], event["play_count"]) == (True, 2)


# Clocks


@pytest.mark.parametrize("hours", [-3, 3])
async def test_clock_of_the_server_is_wrong(
    hass: HomeAssistant, plex: PlexHome, hours: int
) -> None:
    """What it tells is put right, so that it is not taken for another viewing."""
    plex.plex.server.clock_ahead = timedelta(hours=hours)
    await plex.play("bob", THE_SALT_ROAD)
    await plex.plex.finish(at=ago(hours=-hours))
    silence(plex)
    await plex.play("bob", LOW_WATER)
    await plex.plex.finish(at=ago(hours=-hours))
    now = datetime.now(UTC)
    for _ in range(2):
        await look(hass)
    times = await times_of(hass, "bob")
    # Where it is behind, what it has told of is before the server was set up.
    assert len(times) == 2
    assert all(abs(time - now) < timedelta(minutes=2) for time in times)


async def test_clock_is_wrong_by_days(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Nobody knows whose it is: nothing is recorded until it is right, and nothing is lost."""
    server = stand_in_of(home)
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    server.clock_ahead = timedelta(days=400)
    await look(hass)
    assert await titles_of(hass, "bob") == []
    server.clock_ahead = timedelta()
    await look(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


async def test_clock_was_wrong(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], restart: Restart
) -> None:
    """A last look in times to come is not believed."""
    hass, _ = await restart(set_up=False)
    path = Path(hass.config.path(".storage")) / f"{DOMAIN}.last_look.{entry.entry_id}"
    content = json.loads(path.read_text())
    content["data"] = {
        "at": "2041-01-01T00:00:00+00:00",
        "thorough_at": "2041-01-01T00:00:00+00:00",
    }
    path.write_text(json.dumps(content))
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    hass, _ = await restart()
    await looked(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


@pytest.mark.freeze_time(tick=True)
async def test_clock_was_wrong_when_it_was_set_up(
    hass: HomeAssistant, home: Home, address: str, freezer: FrozenDateTimeFactory
) -> None:
    """A server that is yet to be set up is asked for what was completed lately."""
    now = datetime.now(UTC)
    freezer.move_to(now + timedelta(days=3))
    await signed_in(hass, home, "bob")
    freezer.move_to(now)
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    # The timers' clock has been moved as well.
    await later(hass, days=4)
    await looked(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]


@pytest.mark.freeze_time("2026-10-24T20:00:00Z", tick=True)
@pytest.mark.parametrize("time_zone", ["Europe/Amsterdam", "America/New_York", "UTC"])
async def test_when_clocks_are_set_back(
    hass: HomeAssistant,
    home: Home,
    freezer: FrozenDateTimeFactory,
    time_zone: str,
) -> None:
    """An hour that there is twice is two hours, whatever the time zones."""
    await hass.config.async_set_time_zone(time_zone)
    await signed_in(hass, home, "bob")
    silence(home)
    # In Amsterdam it is half past two both times, and in New York a week later not yet.
    moments = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    for title, at in zip((LOW_WATER, FOG_SIGNAL), moments, strict=True):
        know(home, "bob", title, at)
    freezer.move_to("2026-10-25T01:45:00Z")
    await look(hass)
    assert await times_of(hass, "bob") == moments[::-1]
    freezer.move_to("2026-10-25T18:00:00Z")
    know(home, "bob", THE_PILOT_BOAT, datetime(2026, 10, 25, 17, tzinfo=UTC))
    await look(hass)
    assert len(await times_of(hass, "bob")) == 3


@pytest.mark.freeze_time(tick=True)
async def test_much_was_missed(
    hass: HomeAssistant, plex: PlexHome, freezer: FrozenDateTimeFactory
) -> None:
    """After a long time down, everything is recorded and published, once and in order."""
    events = heard(hass)
    silence(plex)
    at = datetime.now(UTC).replace(microsecond=0)
    titles = (LOW_WATER, THE_SALT_ROAD, FOG_SIGNAL, PAPER_ORCHARD)
    expected = []
    for number in range(120):
        moment = at + timedelta(hours=15 * (number + 1))
        know(plex, "bob", titles[number % 4], moment)
        expected.append(moment)
    freezer.move_to(at + timedelta(days=80))
    await look(hass)
    assert await times_of(hass, "bob") == expected[::-1][:100]
    await until(hass, lambda: len(events) == 120)
    heard_of = [event["watched_at"] for event in events]
    assert heard_of == [moment.isoformat() for moment in expected]


@pytest.mark.freeze_time(tick=True)
async def test_much_has_waited(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    address: str,
    freezer: FrozenDateTimeFactory,
) -> None:
    """What has waited for a viewer is published in order as well."""
    home = PlexHome(plex_at_home)
    await signed_in(hass, home, "alice")
    silence(home)
    at = datetime.now(UTC).replace(microsecond=0)
    expected = [at + timedelta(hours=40 * (number + 1)) for number in range(60)]
    titles = (LOW_WATER, THE_SALT_ROAD, FOG_SIGNAL, PAPER_ORCHARD)
    for number, moment in enumerate(expected):
        know(home, "bob", titles[number % 4], moment)
    freezer.move_to(at + timedelta(days=110))
    await look(hass)
    await until(hass, hass.config_entries.flow.async_progress)
    (flow,) = hass.config_entries.flow.async_progress()
    events = heard(hass)
    for values in (None, {"viewer": "new", "name": "bob"}):
        await hass.config_entries.flow.async_configure(flow["flow_id"], values)
    await until(hass, lambda: len(events) == 60)
    heard_of = [event["watched_at"] for event in events]
    assert heard_of == [moment.isoformat() for moment in expected]


async def test_unloaded_meanwhile(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """A look ends with the entry, and another one begins when it is back."""
    silence(home)
    await watch(home, "bob", THE_SALT_ROAD)
    await later(hass, minutes=16)
    await quiet(hass, home.log)
    assert looking()
    assert await hass.config_entries.async_unload(entry.entry_id)
    await asyncio.sleep(0)
    assert not looking()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await looked(hass)
    assert await titles_of(hass, "bob") == ["The Salt Road"]
