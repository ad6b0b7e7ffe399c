"""Connections: servers that are down, come back, or do not know us any more."""

from collections.abc import Callable
from datetime import timedelta
import logging
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler import connection
from custom_components.media_scrobbler.const import DOMAIN

from .common import entity_id_of, plays_of, start_flow
from .signed_in import Home, later, quiet, until, viewer
from .simulators.catalogue import PAPER_ORCHARD, THE_SALT_ROAD
from .simulators.faults import Fault
from .test_config_flow import choices


def connected(hass: HomeAssistant, entry: Any) -> str | None:
    """Return the state of the sensor."""
    state = hass.states.get(entity_id_of(hass, "binary_sensor", entry, "connected"))
    return state.state if state else None


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what a person sees in the log of this integration."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.INFO
        and record.name == "custom_components.media_scrobbler.connection"
    ]


async def test_down_at_start(hass: HomeAssistant, home: Home) -> None:
    """Set-up is tried again, and what is watched meanwhile is recorded."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: home.webhooks)
    with home.faults.drop():
        assert not await hass.config_entries.async_reload(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert entry.reason
        await home.play("alice", THE_SALT_ROAD)
        deliveries = await home.finish()
        assert "recorded" in {delivery.answer["outcome"] for delivery in deliveries}
    assert len(await plays_of(hass, viewer(hass, "alice"))) == 1
    await later(hass, minutes=2)
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert connected(hass, entry) == STATE_ON


async def test_start_is_not_held_up(
    hass: HomeAssistant, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Home Assistant starts, a server that does not answer is not waited for for long."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: home.webhooks)
    monkeypatch.setattr(connection, "START_TIMEOUT", 0.05)
    monkeypatch.setattr(connection, "CHECK_TIMEOUT", 60)
    hass.set_state(CoreState.starting)
    ways: list[Callable[[], Fault]] = [
        home.faults.hang,
        lambda: home.faults.trickle(0.1),
    ]
    for wrong in ways:
        with wrong():
            assert not await hass.config_entries.async_reload(entry.entry_id)
            assert entry.state is ConfigEntryState.SETUP_RETRY
            assert entry.error_reason_translation_key == "cannot_connect"
    hass.set_state(CoreState.running)
    # Afterwards there is more time.
    with home.faults.slow(0.1):
        assert await hass.config_entries.async_reload(entry.entry_id)


async def test_busy_server(hass: HomeAssistant, home: Home) -> None:
    """A server that wants to be left alone for long is asked again later, not waited for."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: home.webhooks)
    await quiet(hass, home.log)
    headers = {"Retry-After": "3000"}
    with home.faults.fail(429, headers=headers) as fault:
        await later(hass, minutes=6)
        await quiet(hass, home.log)
        assert connected(hass, entry) == STATE_OFF
        hits = fault.hits
        await later(hass, minutes=40)
        await quiet(hass, home.log)
        assert fault.hits == hits
    await later(hass, minutes=55)
    await until(hass, lambda: connected(hass, entry) == STATE_ON)


async def test_goes_down_and_comes_back(
    hass: HomeAssistant, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """Either is told once, and the sensor shows it."""
    entry = await home.sign_in(hass, "alice")
    await quiet(hass, home.log)
    assert connected(hass, entry) == STATE_ON
    caplog.clear()
    await home.stop()
    for _ in range(3):
        await later(hass, minutes=6)
        await quiet(hass, home.log)
        await until(hass, lambda: connected(hass, entry) == STATE_OFF)
    (line,) = lines(caplog)
    assert "cannot" in line or "reached" in line or "answer" in line
    caplog.clear()
    await home.start()
    for _ in range(3):
        await later(hass, minutes=6)
        await quiet(hass, home.log)
        await until(hass, lambda: connected(hass, entry) == STATE_ON)
    (line,) = lines(caplog)
    assert "recovered" in line
    assert entry.state is ConfigEntryState.LOADED


async def test_tells_itself_that_it_is_back(hass: HomeAssistant, home: Home) -> None:
    """A webhook of a server that did not answer has it asked at once, not when that is due."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: home.webhooks)
    await quiet(hass, home.log)
    with home.faults.drop():
        await later(hass, minutes=6)
        await until(hass, lambda: connected(hass, entry) == STATE_OFF)
    assert connected(hass, entry) == STATE_OFF
    await home.play("alice", THE_SALT_ROAD)
    await until(hass, lambda: connected(hass, entry) == STATE_ON)


async def test_restarts(hass: HomeAssistant, home: Home) -> None:
    """Which takes a server some seconds: it is asked again soon, without any webhook."""
    entry = await home.sign_in(hass, "alice")
    await quiet(hass, home.log)
    with home.faults.drop():
        await later(hass, minutes=6)
        await until(hass, lambda: connected(hass, entry) == STATE_OFF)
    await later(hass, seconds=16)
    await until(hass, lambda: connected(hass, entry) == STATE_ON)


async def test_stays_away(
    hass: HomeAssistant, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked less and less often, and in the end as often as any other."""
    await home.sign_in(hass, "alice")
    await quiet(hass, home.log)
    real, passed = dt_util.utcnow, timedelta()
    monkeypatch.setattr(dt_util, "utcnow", lambda: real() + passed)
    asked = {}
    with home.faults.drop() as dropped:
        for seconds in (360, 16, 10, 17, 20, 44, 60, 108, 250, 276, 290, 301):
            before = dropped.hits
            passed += timedelta(seconds=seconds)
            # The timers of the loop know nothing of the time that has passed before.
            async_fire_time_changed(hass, real() + timedelta(seconds=seconds))
            await quiet(hass, home.log)
            asked[seconds] = dropped.hits > before
    assert [seconds for seconds, was in asked.items() if was] == [
        *(360, 16, 17, 44, 108, 276, 301)
    ]


async def test_webhook_of_one_that_was_away_at_start(
    hass: HomeAssistant, home: Home
) -> None:
    """It has its set-up tried at once, which Home Assistant would do some minutes later."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: home.webhooks)
    with home.faults.drop():
        assert not await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await home.play("alice", THE_SALT_ROAD)
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert connected(hass, entry) == STATE_ON


async def test_many_webhooks_of_one_that_cannot_be_asked(
    hass: HomeAssistant, home: Home
) -> None:
    """They do not have it asked for each of them."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: home.webhooks)
    with home.faults.drop() as dropped:
        assert not await hass.config_entries.async_reload(entry.entry_id)
        at_once = dropped.hits
        for _ in range(10):
            await home.play("alice", THE_SALT_ROAD)
            await until(hass, lambda: entry.state is ConfigEntryState.SETUP_RETRY)
        # Home Assistant itself may have tried meanwhile.
        assert at_once < dropped.hits <= 4 * at_once


async def test_fails_once(
    hass: HomeAssistant, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """A single answer that goes wrong is not worth a line."""
    entry = await home.sign_in(hass, "alice")
    await quiet(hass, home.log)
    caplog.clear()
    with home.faults.fail(500, times=1) as wrong:
        await later(hass, minutes=6)
        await quiet(hass, home.log)
    assert wrong.hits
    assert connected(hass, entry) == STATE_ON
    assert lines(caplog) == []


@pytest.mark.parametrize("at_start", [True, False])
async def test_token_revoked(hass: HomeAssistant, home: Home, at_start: bool) -> None:
    """A person is asked to sign in again, once."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: home.webhooks)
    home.revoke()
    if at_start:
        assert not await hass.config_entries.async_reload(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_ERROR
    else:
        for _ in range(2):
            await later(hass, minutes=6)
            await until(hass, lambda: connected(hass, entry) == STATE_OFF)

    def flows() -> list[Any]:
        return [
            flow
            for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
            if flow["context"]["source"] == SOURCE_REAUTH
        ]

    await until(hass, flows)
    (flow,) = flows()
    assert flow["context"]["entry_id"] == entry.entry_id
    await home.play("alice", PAPER_ORCHARD)
    await home.finish()
    assert len(await plays_of(hass, viewer(hass, "alice"))) == 1


async def test_another_server(hass: HomeAssistant, home: Home) -> None:
    """Another server at the same address is not taken for the one that was there."""
    entry = await home.sign_in(hass, "alice")
    hass.config_entries.async_update_entry(entry, unique_id="another")
    assert not await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "another_server"


async def test_accounts_of_another_server(hass: HomeAssistant, home: Home) -> None:
    """Nor are its users taken for accounts of the one that was there."""
    entry = await home.sign_in(hass)
    await quiet(hass, home.log)
    known = choices(await start_flow(hass, "viewer"), "accounts")
    hass.config_entries.async_update_entry(entry, unique_id="another")
    home.add_user("dora")
    await later(hass, minutes=6)
    await until(hass, lambda: connected(hass, entry) == STATE_OFF)
    assert not await hass.config_entries.async_reload(entry.entry_id)
    assert choices(await start_flow(hass, "viewer"), "accounts") == known
    hass.config_entries.async_update_entry(entry, unique_id=home.identity)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert len(choices(await start_flow(hass, "viewer"), "accounts")) == len(known) + 1


async def test_new_accounts(hass: HomeAssistant, home: Home) -> None:
    """Accounts are known before they have watched anything, and are offered afterwards."""
    await home.sign_in(hass)
    await until(hass, lambda: home.webhooks)
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    await home.play("bob", PAPER_ORCHARD)
    await until(hass, hass.config_entries.flow.async_progress)
