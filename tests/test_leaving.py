"""Leaving a server: the webhook goes, and a token of ours is given back."""

import logging

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler import connection
from custom_components.media_scrobbler.const import DOMAIN

from .common import plays_of
from .signed_in import Home, PlexHome, until, viewer
from .simulators.catalogue import THE_SALT_ROAD
from .test_webhook_registration import THEIRS, add_theirs


@pytest.mark.parametrize("pasted", [True, False])
@pytest.mark.parametrize("disabled", [True, False])
async def test_remove(
    hass: HomeAssistant, home: Home, pasted: bool, disabled: bool
) -> None:
    """What a server has of us is taken back; what is somebody's own stays."""
    add_theirs(home)
    entry = await home.sign_in(hass, "alice", pasted=pasted)
    await until(hass, lambda: "registered_url" in entry.data)
    await home.play("alice", THE_SALT_ROAD)
    await home.finish()
    token = entry.data["token"]
    before = set(home.tokens)
    assert token in before
    if disabled:
        await hass.config_entries.async_set_disabled_by(
            entry.entry_id, ConfigEntryDisabler.USER
        )
        assert len(home.webhooks) == 2
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert home.webhooks == [THEIRS]
    assert set(home.tokens) == (before if pasted else before - {token})
    assert len(await plays_of(hass, viewer(hass, "alice"))) == 1


async def test_unload_leaves_everything(hass: HomeAssistant, home: Home) -> None:
    """An entry that is disabled or reloaded stays signed in."""
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    tokens = home.tokens
    await hass.config_entries.async_unload(entry.entry_id)
    assert home.tokens == tokens
    assert home.webhooks == [entry.data["registered_url"]]


async def test_server_is_gone(
    hass: HomeAssistant, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that does not answer keeps nobody from removing it."""
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    caplog.clear()
    if isinstance(home, PlexHome):
        await home.plex.tv.stop()
    await home.stop()
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert not hass.config_entries.async_entries(DOMAIN)
    warnings = [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and DOMAIN in record.name
    ]
    assert len(warnings) == 2
    assert all(entry.title in warning for warning in warnings)


async def test_removal_is_not_held_up(
    hass: HomeAssistant, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A farewell that takes long is said in the background."""
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    token = entry.data["token"]
    monkeypatch.setattr(connection, "LEAVE_PATIENCE", 0.01)
    faults = [home.faults.slow(0.1)]
    if isinstance(home, PlexHome):
        faults.append(home.plex.tv.faults.slow(0.1))
    await hass.config_entries.async_remove(entry.entry_id)
    assert not hass.config_entries.async_entries(DOMAIN)
    assert token in home.tokens
    await until(hass, lambda: token not in home.tokens)
    assert home.webhooks == []
