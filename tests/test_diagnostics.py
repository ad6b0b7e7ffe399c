"""Diagnostics: what helps to find a fault, and nothing about who watches what."""

import json
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from .cloud import Cloud
from .common import (
    ALICE_AT_PLEX,
    BOB_AT_JELLYFIN,
    Jellyfin,
    Plex,
    add_viewer,
    answer,
    call,
    start_flow,
)
from .simulators.catalogue import LOW_WATER, PAPER_ORCHARD, THE_SALT_ROAD
from .simulators.jellyfin import JellyfinEvent
from .simulators.plex import PlexEvent
from .simulators.plex_server import PlexStandIn
from .wanted import add, sign_in

REDACTED = "**REDACTED**"


async def diagnostics(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    entry: ConfigEntry[Any],
    secrets: list[str],
) -> dict[str, Any]:
    """Return the diagnostics of a server or viewer; no secret may be in them."""
    assert await async_setup_component(hass, "diagnostics", {})
    found: dict[str, Any] = dict(
        await get_diagnostics_for_config_entry(hass, hass_client, entry)
    )
    text = json.dumps(found).casefold()
    for secret in secrets:
        assert secret.casefold() not in text
    shown = found.pop("entry")
    assert shown["title"] == REDACTED
    return {**found, "data": shown["data"], "options": shown["options"]}


async def test_server(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    hass_client: ClientSessionGenerator,
) -> None:
    """A server tells what came of its last webhooks."""
    for event in (PlexEvent.PLAY, PlexEvent.SCROBBLE, PlexEvent.SCROBBLE):
        await plex.report(event, THE_SALT_ROAD)
    await plex.send(b"nonsense")
    secrets = [
        plex.entry.data["webhook_id"],
        plex.simulator.uuid,
        plex.simulator.name,
        plex.simulator.player.title,
        plex.simulator.player.uuid,
        ALICE_AT_PLEX.title,
        alice.entry_id,
        THE_SALT_ROAD.title,
        "Garage",
    ]
    plex.simulator.name, plex.simulator.uuid = "Garage", "another"
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)

    found = await diagnostics(hass, hass_client, plex.entry, secrets)
    assert found["identities"] == 1
    assert found["players"] == {"playing": 1}
    assert found["outcomes"] == {
        "recorded": 1,
        "merged": 1,
        "updated": 1,
        "ignored": 1,
        "rejected": 2,
    }
    assert [(entry.get("event"), entry["outcome"]) for entry in found["webhooks"]] == [
        ("media.scrobble", "rejected"),
        (None, "rejected"),
        ("media.scrobble", "merged"),
        ("media.scrobble", "recorded"),
        ("media.play", "updated"),
        ("media.rate", "ignored"),
    ]
    assert REDACTED in found["webhooks"][0]["reason"]
    assert found["webhooks"][2]["reason"] == (
        "the same viewing has been recorded before"
    )
    assert found["data"] == {
        "kind": "plex",
        "local_only": True,
        "webhook_id": REDACTED,
        "cloudhook_url": None,
    }
    assert found["options"] == {"servers": REDACTED}


async def test_server_in_the_cloud(
    hass: HomeAssistant, cloud: Cloud, hass_client: ClientSessionGenerator
) -> None:
    """A URL through the cloud is as secret as the webhook's id."""
    result = await start_flow(hass, "plex", "plex_webhook_only")
    result = await answer(hass, result, name="Attic")
    result = await answer(hass, result, local_only=False)
    entry = (await answer(hass, result, local_only=False))["result"]
    found = await diagnostics(hass, hass_client, entry, list(cloud.urls.values()))
    assert found["data"]["cloudhook_url"] == REDACTED
    assert found["webhooks"] == []


async def test_viewer(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    hass_client: ClientSessionGenerator,
) -> None:
    """A viewer tells how many plays there are of each kind."""
    key = await jellyfin.introduce(BOB_AT_JELLYFIN)
    viewer = await add_viewer(hass, "Bob", [key], person="person.bob")
    for title in (THE_SALT_ROAD, LOW_WATER, PAPER_ORCHARD):
        await jellyfin.report(JellyfinEvent.PLAYBACK_STOP, title, BOB_AT_JELLYFIN)
    found = await diagnostics(
        hass, hass_client, viewer, ["bob", key, BOB_AT_JELLYFIN.id, LOW_WATER.title]
    )
    assert found == {
        "accounts": 1,
        "plays": {"movie": 2, "episode": 1},
        "ratings": 0,
        "watchlist": 0,
        "watchlist_imports": [],
        "failing": False,
        "unreadable_files": 0,
        "data": {"kind": "viewer", "person": REDACTED, "accounts": REDACTED},
        "options": {},
    }


async def test_viewer_who_is_signed_in(
    hass: HomeAssistant,
    plex_net: PlexStandIn,
    hass_client: ClientSessionGenerator,
) -> None:
    """Of a watchlist and its imports there are numbers, of a sign-in that there is one."""
    viewer = await add_viewer(hass, "Bob")
    await sign_in(hass, viewer, plex_net, "bob")
    token = viewer.data["account_token"]
    plex_net.user("bob").add_to_watchlist(THE_SALT_ROAD)
    await add(hass, viewer, "Dune (2021)")
    await call(hass, "import_watchlist", viewer=viewer.entry_id)
    plex_net.revoke("bob")
    with pytest.raises(HomeAssistantError):
        await call(hass, "import_watchlist", viewer=viewer.entry_id, dry_run=True)

    found = await diagnostics(
        hass, hass_client, viewer, [token, THE_SALT_ROAD.title, "dune", "bob"]
    )
    assert found["data"]["account_token"] == REDACTED
    assert found["watchlist"] == 2
    failed, imported = found["watchlist_imports"]
    assert (failed["error"], failed["dry_run"]) == ("invalid_auth", True)
    assert (imported["imported"], imported["unmatched"]) == (1, 0)
