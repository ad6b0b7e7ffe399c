"""Secrets stay where they are: in no log, no event, no state and no diagnostics."""

from collections.abc import Callable, Iterable
import json
import logging
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import MATCH_ALL
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.json import JSONEncoder
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from .common import add_viewer, call
from .signed_in import Home, later, quiet, until
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD
from .simulators.faults import Fault
from .simulators.plex_server import PlexStandIn
from .test_repairs import issues
from .wanted import add, option, sign_in


async def test_secrets(
    hass: HomeAssistant,
    home: Home,
    caplog: pytest.LogCaptureFixture,
    hass_client: ClientSessionGenerator,
) -> None:
    """Whatever happens, and however much is logged."""
    caplog.set_level(logging.DEBUG)
    heard = listening(hass)
    entry = await home.sign_in(hass, "alice", pasted=False)
    await until(hass, lambda: "registered_url" in entry.data)
    secrets = {*home.tokens, entry.data["webhook_id"], entry.data["token"]}
    for title in (THE_SALT_ROAD, LOW_WATER):
        await home.play("alice", title)
        await later(hass, seconds=2)
        await quiet(hass, home.log)
        await home.finish()
        await quiet(hass, home.log)
    shown = await told(hass, hass_client, entry)
    ways: list[Callable[[], Fault]] = [
        lambda: home.faults.fail(500),
        lambda: home.faults.fail(401),
        home.faults.html,
        home.faults.drop,
    ]
    for wrong in ways:
        with wrong():
            await later(hass, minutes=6)
            await quiet(hass, home.log)
    await hass.config.async_update(internal_url="http://192.0.2.99:8123")
    await quiet(hass, home.log)
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()

    assert_secret(secrets, shown, heard, caplog)


async def test_secrets_of_a_viewer(
    hass: HomeAssistant,
    plex_net: PlexStandIn,
    caplog: pytest.LogCaptureFixture,
    hass_client: ClientSessionGenerator,
) -> None:
    """Nor does anybody hear of the token of a viewer's own sign-in."""
    caplog.set_level(logging.DEBUG)
    heard = listening(hass)
    viewer = await add_viewer(hass, "Vera")
    bob, faults = plex_net.user("bob"), plex_net.discover.faults
    bob.add_to_watchlist(THE_SALT_ROAD)
    await option(hass, viewer, both_ways=True)
    secrets = set()
    for who in ("alice", "bob"):
        await sign_in(hass, viewer, plex_net, who)
        secrets.add(viewer.data["account_token"])
    await add(hass, viewer, LOW_WATER.show.label)
    await call(hass, "import_watchlist", viewer=viewer.entry_id)
    shown = await told(hass, hass_client, viewer)
    ways: list[Callable[[], Fault]] = [
        lambda: faults.fail(500),
        lambda: faults.fail(401),
        lambda: faults.fail(403),
        faults.html,
        faults.cut,
        faults.drop,
    ]
    for wrong in ways:
        with wrong(), pytest.raises(HomeAssistantError):
            await call(hass, "import_watchlist", viewer=viewer.entry_id)
    shown += await told(hass, hass_client, viewer)
    shown += str(issues(hass))
    plex_net.revoke("bob")
    await hass.config_entries.async_remove(viewer.entry_id)
    await hass.async_block_till_done()

    assert_secret(secrets, shown, heard, caplog)


def listening(hass: HomeAssistant) -> list[str]:
    """Listen to every event; returns those that have been heard by then."""
    heard: list[str] = []

    @callback
    def hear(event: Event[Any]) -> None:
        heard.append(json.dumps(event.as_dict(), cls=JSONEncoder, default=str))

    hass.bus.async_listen(MATCH_ALL, hear)
    return heard


async def told(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, entry: ConfigEntry[Any]
) -> str:
    """Return every state and the diagnostics of an entry."""
    states = json.dumps(
        [state.as_dict() for state in hass.states.async_all()], cls=JSONEncoder
    )
    assert await async_setup_component(hass, "diagnostics", {})
    return states + json.dumps(
        await get_diagnostics_for_config_entry(hass, hass_client, entry)
    )


def assert_secret(
    secrets: Iterable[str],
    shown: str,
    heard: Iterable[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Fail if something secret has got anywhere."""
    for secret in secrets:
        assert secret not in shown
        assert not [event for event in heard if secret in event]
        assert not [
            record.getMessage()[:500]
            for record in caplog.records
            if secret in record.getMessage()
        ]
        assert secret not in caplog.text
