"""Life of the integration: set-up, reloads, disabling, removal, restarts, and its secrets."""

from collections.abc import Callable
from dataclasses import replace
import json
import logging
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import (
    SOURCE_INTEGRATION_DISCOVERY,
    ConfigEntry,
    ConfigEntryDisabler,
    ConfigEntryState,
)
from homeassistant.const import MATCH_ALL
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.media_scrobbler.const import DOMAIN

from .cloud import Cloud
from .common import (
    ALICE_AT_JELLYFIN,
    ALICE_AT_PLEX,
    BOB_AT_JELLYFIN,
    BOB_AT_PLEX,
    Jellyfin,
    Plex,
    add_server,
    add_viewer,
    answer,
    call,
    move_time,
    plays_of,
    settle,
)
from .conftest import Restart
from .simulators.catalogue import LOW_WATER, PAPER_ORCHARD, SLOW_FERRY, THE_SALT_ROAD
from .simulators.jellyfin import JellyfinEvent
from .simulators.plex import PlexEvent
from .texts import assert_translated, text


def stored(hass: HomeAssistant, part: str = "") -> set[str]:
    """Return the names of our files that have a part."""
    folder = Path(hass.config.path(".storage"))
    return {path.name for path in folder.glob(f"{DOMAIN}.*{part}*")}


async def disable(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Disable a server or viewer."""
    await hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    )
    await hass.async_block_till_done()


async def enable(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Enable a server or viewer again."""
    await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    await hass.async_block_till_done()


async def raw(client: TestClient[Any, Any], plex: Plex) -> tuple[int, bytes]:
    """Return what the webhook's URL says when nobody may be listening."""
    body, content_type = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    async with client.post(
        plex.path, data=body, headers={"Content-Type": content_type}
    ) as response:
        return response.status, await response.read()


# Set-up and reload


async def test_from_yaml_nothing(hass: HomeAssistant) -> None:
    """The integration is not set up in YAML, and does nothing without entries."""
    assert await async_setup_component(hass, DOMAIN, {})
    assert hass.states.async_all() == []
    assert set(hass.services.async_services()[DOMAIN]) == {
        "get_history",
        "get_webhook_log",
        "add_play",
        "update_play",
        "remove_play",
        "rate",
        "get_watchlist",
        "get_watchlist_imports",
        "import_watchlist",
        "scan_library",
        "clear_library",
        "import_history",
        "sync_jellyfin",
    }


async def test_unload_and_reload(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """Webhooks are taken and plays are recorded while nothing is loaded."""
    for entry in (plex.entry, alice):
        assert await hass.config_entries.async_unload(entry.entry_id)
        assert entry.state is ConfigEntryState.NOT_LOADED
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), entry.entry_id
        ):
            state = hass.states.get(entity.entity_id)
            assert state is not None
            assert state.state == "unavailable"
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert (said["outcome"], said["viewers"]) == ("recorded", ["Alice"])

    for entry in (plex.entry, alice):
        assert await hass.config_entries.async_setup(entry.entry_id)
        assert await hass.config_entries.async_reload(entry.entry_id)
        assert entry.state is ConfigEntryState.LOADED
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "recorded"
    await settle(hass)
    state = hass.states.get("sensor.alice_last_watched")
    assert state is not None
    assert state.state == "Harbour Lights - S02E03 - Low Water"
    assert len(await plays_of(hass, alice)) == 2


async def test_rename_by_hand(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """Home Assistant's own renaming of entries is followed at once."""
    hass.config_entries.async_update_entry(alice, title="Alicia")
    hass.config_entries.async_update_entry(plex.entry, title="Attic")
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["viewers"] == ["Alicia"]
    (play,) = await plays_of(hass, alice)
    assert (play["viewer"], play["sources"][0]["server"]) == ("Alicia", "Attic")


# Disabling


async def test_disabled_viewer(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """What a disabled viewer watches is held, and theirs when they are enabled again."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await disable(hass, alice)
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert (said["outcome"], said["viewers"]) == ("held", [])
    said = await plex.report(PlexEvent.RATE, LOW_WATER, ALICE_AT_PLEX, rating=3)
    assert said["outcome"] == "ignored"
    await enable(hass, alice)
    assert {play["title"] for play in await plays_of(hass, alice)} == {
        "The Salt Road",
        "Low Water",
    }
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "merged"


async def test_disabled_server(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    client: TestClient[Any, Any],
) -> None:
    """The webhook of a disabled server is unknown to Home Assistant, until enabled."""
    await disable(hass, plex.entry)
    assert await raw(client, plex) == (200, b"")
    assert await plays_of(hass, alice) == []
    await enable(hass, plex.entry)
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "recorded"


# Removal


@pytest.mark.parametrize("first", [None, disable])
async def test_remove_viewer(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    bob: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
    first: Callable[[HomeAssistant, ConfigEntry[Any]], Any] | None,
) -> None:
    """Everything of a viewer goes with the viewer, be they disabled or not."""
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await plex.report(PlexEvent.RATE, THE_SALT_ROAD, ALICE_AT_PLEX, rating=8)
    await call(hass, "add_play", viewer=bob.entry_id, media_type="movie", title="Bob's")
    # A poster is written after a while.
    await move_time(hass, freezer, seconds=31)
    assert {name.split(".")[1] for name in stored(hass, alice.entry_id)} == {
        "history",
        "poster",
        "ratings",
    }
    if first is not None:
        await first(hass, alice)
    await hass.config_entries.async_remove(alice.entry_id)
    await hass.async_block_till_done()
    assert stored(hass, alice.entry_id) == set()
    assert len(await plays_of(hass, bob)) == 1
    assert not er.async_entries_for_config_entry(er.async_get(hass), alice.entry_id)
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), alice.entry_id)

    # Somebody may be linked to the account anew, and begins with nothing.
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "held"
    carol = await add_viewer(hass, "Carol", [plex.key(ALICE_AT_PLEX)])
    assert [play["title"] for play in await plays_of(hass, carol)] == ["Low Water"]


@pytest.mark.parametrize("first", [None, disable])
async def test_remove_server(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    client: TestClient[Any, Any],
    first: Callable[[HomeAssistant, ConfigEntry[Any]], Any] | None,
) -> None:
    """Histories stay when a server goes; what is nobody's goes with it."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD, BOB_AT_PLEX)
    await jellyfin.report(JellyfinEvent.PLAYBACK_STOP, LOW_WATER, BOB_AT_JELLYFIN)
    before = await plays_of(hass, alice)
    assert len(stored(hass, "inbox")) == 2
    if first is not None:
        await first(hass, plex.entry)
    await hass.config_entries.async_remove(plex.entry.entry_id)
    await hass.async_block_till_done()

    assert await plays_of(hass, alice) == before
    assert before[0]["sources"][0]["server"] == "Plex"
    assert stored(hass, plex.entry.entry_id) == set()
    assert len(stored(hass, "inbox")) == 1
    assert await raw(client, plex) == (200, b"")
    accounts = Path(hass.config.path(".storage"), f"{DOMAIN}.accounts").read_text(
        encoding="utf-8"
    )
    assert plex.entry.entry_id not in accounts
    assert jellyfin.entry.entry_id in accounts


async def test_remove_when_all_are_disabled(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    restart: Restart,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Where nothing has been set up, removal leaves nothing behind all the same."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER, BOB_AT_PLEX)
    for entry in hass.config_entries.async_entries(DOMAIN):
        await disable(hass, entry)
    hass, _ = await restart(set_up=False)
    for entry in hass.config_entries.async_entries(DOMAIN):
        await hass.config_entries.async_remove(entry.entry_id)
    # Home Assistant tidies up its devices a little later, and then rests a little.
    for _ in range(2):
        await move_time(hass, freezer, minutes=1)
    assert stored(hass) == set()


# Restarts


async def test_restart(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    restart: Restart,
) -> None:
    """Everything is there again after a restart, and what was on offer is again."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await plex.report(PlexEvent.RATE, THE_SALT_ROAD, ALICE_AT_PLEX, rating=8)
    await jellyfin.report(
        JellyfinEvent.PLAYBACK_STOP, LOW_WATER, ALICE_AT_JELLYFIN, completed=False
    )
    await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD, BOB_AT_PLEX)
    plays = await plays_of(hass, alice)
    log = await call(hass, "get_webhook_log")

    hass, client = await restart()
    plex = replace(plex, client=client)
    assert await plays_of(hass, alice) == plays
    assert await call(hass, "get_webhook_log") == log
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["source"] == SOURCE_INTEGRATION_DISCOVERY
    result = await hass.config_entries.flow.async_configure(flow["flow_id"])
    bob = (await answer(hass, result, viewer="new"))["result"]
    assert [play["title"] for play in await plays_of(hass, bob)] == ["Paper Orchard"]

    said = await plex.report(PlexEvent.SCROBBLE, SLOW_FERRY)
    assert said["outcome"] == "recorded"
    hass, _ = await restart()
    assert len(await plays_of(hass, alice)) == 2
    assert len(await plays_of(hass, bob)) == 1


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "emby", "webhook_id": "x" * 64},
        {"kind": ["plex"]},
        {"kind": "plex"},
        {},
    ],
)
async def test_entry_of_a_newer_version(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    restart: Restart,
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
    data: dict[str, Any],
) -> None:
    """What an older version does not know is left alone, and the others are not."""
    stranger = MockConfigEntry(domain=DOMAIN, title="Stranger", data=data)
    stranger.add_to_hass(hass)
    assert await async_setup_component(hass, "diagnostics", {})
    await hass.config_entries.async_setup(stranger.entry_id)
    shown = await get_diagnostics_for_config_entry(hass, hass_client, stranger)
    assert shown.keys() == {"entry"}
    hass, client = await restart()
    plex = replace(plex, client=client)

    known = hass.config_entries.async_get_entry(stranger.entry_id)
    assert known is not None
    assert known.state is ConfigEntryState.SETUP_ERROR
    assert known.error_reason_translation_key == "unknown_kind"
    assert text("exceptions", "unknown_kind", "message")
    assert known.data == data
    assert not known.supports_options
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": known.entry_id}
    )
    assert_translated(result, "config")
    assert result["reason"] == "unknown_kind"
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert (said["outcome"], said["viewers"]) == ("recorded", ["Alice"])
    await add_viewer(hass, "Carol")
    await add_server(hass, "jellyfin", "Attic")
    await hass.config_entries.async_remove(stranger.entry_id)
    assert len(await plays_of(hass, alice)) == 1
    # Home Assistant gives the reason with a traceback of its own.
    assert "neither a server nor a viewer" in caplog.text
    assert "KeyError" not in caplog.text
    assert "ValueError" not in caplog.text


# Secrets


async def test_secrets(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    cloud: Cloud,
    client: TestClient[Any, Any],
    hass_client: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither a webhook's id nor its URL in the cloud is said anywhere."""
    assert await async_setup_component(hass, "diagnostics", {})
    events: list[str] = []

    @callback
    def collect(event: Event) -> None:
        events.append(json.dumps(event.as_dict(), default=str))

    hass.bus.async_listen(MATCH_ALL, collect)
    caplog.set_level(logging.DEBUG)
    caplog.clear()

    entry = plex.entry
    old_id: str = entry.data["webhook_id"]
    for event in PlexEvent:
        for account in (ALICE_AT_PLEX, BOB_AT_PLEX):
            await plex.report(event, LOW_WATER, account)
    for body in (b"", b"nonsense", b"{}", b"[]", b"x" * 5_000_000):
        assert (await plex.send(body))[1]["outcome"] == "rejected"
    async with client.get(plex.path) as response:
        assert response.status == 405
    await settle(hass)
    await hass.config_entries.async_reload(entry.entry_id)

    flows = hass.config_entries.flow
    result = await flows.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": entry.entry_id}
    )
    for values in (
        {"name": "Attic", "local_only": False, "new_url": True},
        {"local_only": False},
        {"local_only": False},
    ):
        result = await answer(hass, result, **values)
    assert result["reason"] == "reconfigure_successful"
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    told = [
        json.dumps([state.as_dict() for state in hass.states.async_all()], default=str),
        json.dumps(await call(hass, "get_webhook_log")),
        json.dumps(await call(hass, "get_history")),
        *[
            json.dumps(await get_diagnostics_for_config_entry(hass, hass_client, each))
            for each in (entry, alice)
        ],
    ]
    await disable(hass, entry)
    await hass.config_entries.async_remove(entry.entry_id)

    secrets = [old_id, entry.data["webhook_id"], entry.data["cloudhook_url"]]
    assert len(set(secrets)) == 3
    logged = [
        f"{record.name}: {record.getMessage()} {record.exc_text}"
        for record in caplog.records
    ]
    assert any(DOMAIN in line for line in logged)
    assert len(events) > 50
    for line in (*logged, *events, *told):
        for secret in secrets:
            assert secret not in line
