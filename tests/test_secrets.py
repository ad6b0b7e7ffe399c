"""Secrets stay where they are: in no log, no event, no state and no diagnostics."""

from collections.abc import Callable
import json
import logging
from typing import Any

from homeassistant.const import MATCH_ALL
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.json import JSONEncoder
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from .signed_in import Home, later, quiet, until
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD
from .simulators.faults import Fault


async def test_secrets(
    hass: HomeAssistant,
    home: Home,
    caplog: pytest.LogCaptureFixture,
    hass_client: ClientSessionGenerator,
) -> None:
    """Whatever happens, and however much is logged."""
    caplog.set_level(logging.DEBUG)
    heard: list[str] = []

    @callback
    def hear(event: Event[Any]) -> None:
        heard.append(json.dumps(event.as_dict(), cls=JSONEncoder, default=str))

    hass.bus.async_listen(MATCH_ALL, hear)
    entry = await home.sign_in(hass, "alice", pasted=False)
    await until(hass, lambda: "registered_url" in entry.data)
    secrets = {*home.tokens, entry.data["webhook_id"], entry.data["token"]}
    for title in (THE_SALT_ROAD, LOW_WATER):
        await home.play("alice", title)
        await later(hass, seconds=2)
        await quiet(hass, home.log)
        await home.finish()
        await quiet(hass, home.log)
    states = json.dumps(
        [state.as_dict() for state in hass.states.async_all()], cls=JSONEncoder
    )
    assert await async_setup_component(hass, "diagnostics", {})
    shown = json.dumps(await get_diagnostics_for_config_entry(hass, hass_client, entry))
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

    for secret in secrets:
        assert secret not in states
        assert secret not in shown
        assert not [event for event in heard if secret in event]
        assert not [
            record.getMessage()[:500]
            for record in caplog.records
            if secret in record.getMessage()
        ]
        assert secret not in caplog.text
