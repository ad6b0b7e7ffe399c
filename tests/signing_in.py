"""What the tests of signing in share: waiting for what real sockets take their time for."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.connection import CHECK_INTERVAL
from custom_components.media_scrobbler.const import DOMAIN

from .common import answer
from .texts import assert_translated, text


async def until(hass: HomeAssistant, condition: Callable[[], object]) -> None:
    """Wait until something has come about; fail if it does not."""
    for _ in range(500):
        await hass.async_block_till_done()
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("It never came about")


async def gone_on(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Wait until a flow goes on by itself, and return where to, as the dialogue does."""
    manager = hass.config_entries.flow
    flow_id, step = result["flow_id"], result["step_id"]
    await until(hass, lambda: manager.async_get(flow_id).get("step_id") != step)
    result = await manager.async_configure(flow_id)
    await hass.async_block_till_done()
    assert_translated(result, "config")
    return result


def confirm_url(result: ConfigFlowResult) -> str:
    """Return where somebody is sent to confirm."""
    return str((result["description_placeholders"] or {})["url"])


async def finish(
    hass: HomeAssistant, result: ConfigFlowResult, accounts: Iterable[str] = ()
) -> ConfigEntry[Any]:
    """Go from the step about the webhook to the entry; `accounts` get viewers."""
    assert result["step_id"] == "webhook"
    result = await answer(hass, result, local_only=True)
    if result["type"] is FlowResultType.FORM:
        assert result["step_id"] == "accounts"
        result = await answer(hass, result, accounts=list(accounts))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry: ConfigEntry[Any] = result["result"]
    return entry


async def rejected(hass: HomeAssistant, entry: ConfigEntry[Any]) -> ConfigFlowResult:
    """Let it be noticed that a token is worth nothing any more; returns what is asked."""
    async_fire_time_changed(hass, dt_util.utcnow() + 2 * CHECK_INTERVAL)
    flows: list[ConfigFlowResult] = []

    def asked() -> bool:
        flows[:] = entry.async_get_active_flows(hass, {SOURCE_REAUTH})
        return bool(flows)

    await until(hass, asked)
    (flow,) = flows
    result = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert_translated(result, "config")
    assert result["step_id"] == "reauth_confirm"
    assert result["description_placeholders"] == {"server": entry.title}
    return result


async def reconfigured(
    hass: HomeAssistant, entry: ConfigEntry[Any], **changes: Any
) -> ConfigFlowResult:
    """Reconfigure a server that has been signed in to; returns what is shown then."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": entry.entry_id}
    )
    assert_translated(result, "config")
    values = {
        "name": entry.title,
        **{key: entry.data[key] for key in ("url", "verify_ssl", "local_only")},
        "new_url": False,
    }
    return await answer(hass, result, **values | changes)


def servers(hass: HomeAssistant) -> list[ConfigEntry[Any]]:
    """Return the entries of servers."""
    return [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.data["kind"] != "viewer"
    ]


def viewers(hass: HomeAssistant) -> dict[str, list[str]]:
    """Return the accounts of each viewer by name."""
    return {
        entry.title: entry.data["accounts"]
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.data["kind"] == "viewer"
    }


def webhook_url(hass: HomeAssistant, entry: ConfigEntry[Any]) -> str:
    """Return the webhook's URL of a server."""
    return f"{hass.config.internal_url}/api/webhook/{entry.data['webhook_id']}"


def instructions(result: ConfigFlowResult) -> str:
    """Return what the step about the webhook tells to do."""
    assert result["step_id"] == "webhook"
    assert result["description_placeholders"] is not None
    return result["description_placeholders"]["instructions"]


def said(*names: str) -> str:
    """Return the texts about webhooks that have these names."""
    return "\n\n".join(text("selector", *name.split(".")) for name in names)


def waiting(name: str) -> list[asyncio.Task[Any]]:
    """Return the tasks of this name that are not done."""
    return [task for task in asyncio.all_tasks() if task.get_name() == name]
