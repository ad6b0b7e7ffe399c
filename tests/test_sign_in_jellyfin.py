"""Signing in to Jellyfin: every way to its end, every obstacle and the way past it."""

import asyncio
from collections.abc import Awaitable, Callable
import json
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.connection import CHECK_INTERVAL
from custom_components.media_scrobbler.jellyfin import client as jellyfin_client

from .common import (
    ALICE_AT_JELLYFIN,
    BOB_AT_JELLYFIN,
    MediaServer,
    add_server,
    add_viewer,
    answer,
    start_flow,
)
from .signing_in import (
    finish,
    gone_on,
    instructions,
    reconfigured,
    rejected,
    said,
    servers,
    until,
    viewers,
    waiting,
    webhook_url,
)
from .simulators.catalogue import THE_SALT_ROAD
from .simulators.jellyfin import JellyfinEvent, JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .test_config_flow import assert_aborted, choices, reconfigure, suggested

PASSWORD = "a long and secret one"

type SignIn = Callable[
    [HomeAssistant, ConfigFlowResult, JellyfinStandIn], Awaitable[ConfigFlowResult]
]


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let connections of the stand-ins take the time that TLS takes to close them."""
    return True


@pytest.fixture
def alice(jellyfin_server: JellyfinStandIn) -> JellyfinUser:
    """Return the administrator of the server."""
    return jellyfin_server.add_user(
        "alice", PASSWORD, administrator=True, user=ALICE_AT_JELLYFIN
    )


@pytest.fixture
def bob(jellyfin_server: JellyfinStandIn) -> JellyfinUser:
    """Return somebody else who uses the server."""
    return jellyfin_server.add_user("bob", PASSWORD, user=BOB_AT_JELLYFIN)


# The ways to sign in, from the menu on


async def by_password(
    hass: HomeAssistant, menu: ConfigFlowResult, server: JellyfinStandIn
) -> ConfigFlowResult:
    """Sign in as alice, by password."""
    result = await answer(hass, menu, next_step_id="jellyfin_password")
    return await answer(hass, result, **fields(server, "jellyfin_password"))


async def by_code(
    hass: HomeAssistant, menu: ConfigFlowResult, server: JellyfinStandIn
) -> ConfigFlowResult:
    """Sign in as alice, by Quick Connect."""
    result = await answer(hass, menu, next_step_id="jellyfin_quick_connect")
    result = await answer(hass, result, url=server.url, verify_ssl=True)
    if result["type"] is not FlowResultType.SHOW_PROGRESS:
        return result
    return await entered(hass, result, server)


async def by_api_key(
    hass: HomeAssistant, menu: ConfigFlowResult, server: JellyfinStandIn
) -> ConfigFlowResult:
    """Sign in with an API key."""
    result = await answer(hass, menu, next_step_id="jellyfin_api_key")
    return await answer(hass, result, **fields(server, "jellyfin_api_key"))


ALL_WAYS = pytest.mark.parametrize("sign_in", [by_password, by_code, by_api_key])


def fields(server: JellyfinStandIn, step: str) -> dict[str, Any]:
    """Return what is right in the form of a step."""
    right = {"url": server.url, "verify_ssl": True}
    match step:
        case "jellyfin_password":
            right |= {"username": "alice", "password": PASSWORD}
        case "jellyfin_api_key":
            right["api_key"] = f" {server.api_key()}\n"
    return right


def code(result: ConfigFlowResult) -> str:
    """Return the code that is shown."""
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    assert result["step_id"] == "jellyfin_quick_connect_code"
    assert result["description_placeholders"] is not None
    return result["description_placeholders"]["code"]


async def entered(
    hass: HomeAssistant,
    result: ConfigFlowResult,
    server: JellyfinStandIn,
    user: JellyfinUser = ALICE_AT_JELLYFIN,
) -> ConfigFlowResult:
    """Have somebody enter the code that is shown; returns what comes then."""
    server.authorize_quick_connect(code(result), user)
    return await gone_on(hass, result)


async def added(
    hass: HomeAssistant, server: JellyfinStandIn, sign_in: SignIn = by_password
) -> ConfigEntry[Any]:
    """Add a server without viewers; returns its entry when its webhook is there."""
    menu = await start_flow(hass, "jellyfin")
    entry = await finish(hass, await sign_in(hass, menu, server))
    await until(hass, lambda: "registered_url" in entry.data)
    assert destinations(server) == [webhook_url(hass, entry)]
    return entry


def destinations(server: JellyfinStandIn) -> list[str]:
    """Return where the server sends its webhooks."""
    return [each["WebhookUri"] for each in server.plugin.generic]


# By password


async def test_password(
    hass: HomeAssistant,
    hass_config_dir: str,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    bob: JellyfinUser,
) -> None:
    """A server is there with its webhook and its viewers, and the password is nowhere."""
    result = await start_flow(hass, "jellyfin", "jellyfin_password")
    right = fields(jellyfin_server, "jellyfin_password")
    result = await answer(hass, result, **right | {"password": "wrong"})
    assert result["errors"] == {"base": "invalid_auth"}
    assert suggested(result) == {
        "url": jellyfin_server.url,
        "username": "alice",
        "verify_ssl": True,
    }

    result = await answer(hass, result, **right)
    assert result["errors"] is None
    assert instructions(result) == said("instructions.options.automatic")
    result = await answer(hass, result, local_only=True)
    assert result["step_id"] == "accounts"
    assert result["description_placeholders"] == {"server": "Living room"}
    assert choices(result, "accounts") == {alice.id: "alice", bob.id: "bob"}
    assert result["data_schema"] is not None
    assert result["data_schema"]({}) == {"accounts": [alice.id]}

    result = await answer(hass, result, accounts=[alice.id, bob.id])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry: ConfigEntry[Any] = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.title == "Living room"
    assert entry.unique_id == jellyfin_server.server.id
    assert entry.options == {"servers": [jellyfin_server.server.id]}
    await until(hass, lambda: "registered_url" in entry.data)
    assert destinations(jellyfin_server) == [webhook_url(hass, entry)]
    (token,) = jellyfin_server.accounts.tokens
    assert entry.data == {
        "kind": "jellyfin",
        "webhook_id": entry.data["webhook_id"],
        "local_only": True,
        "cloudhook_url": None,
        "url": jellyfin_server.url,
        "verify_ssl": True,
        "token": token,
        "user_id": alice.id,
        "token_obtained": True,
        "registered_url": webhook_url(hass, entry),
    }
    assert viewers(hass) == {
        "alice": [f"{entry.entry_id}:{alice.id}"],
        "bob": [f"{entry.entry_id}:{bob.id}"],
    }
    await hass.async_stop()
    for path in Path(hass_config_dir).rglob("*"):
        assert path.is_dir() or PASSWORD not in path.read_text("utf-8", "replace")
    assert PASSWORD not in json.dumps(entry.as_dict(), default=str)


async def test_no_password(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn
) -> None:
    """A user without a password signs in without one; who is no administrator reads why."""
    carol = jellyfin_server.add_user("carol")
    result = await start_flow(hass, "jellyfin", "jellyfin_password")
    result = await answer(
        hass, result, url=jellyfin_server.url, username="carol", verify_ssl=True
    )
    assert instructions(result) == said(
        "webhook_obstacle.options.no_administrator", "instructions.options.jellyfin"
    )
    entry = await finish(hass, result, [carol.id])
    assert viewers(hass) == {"carol": [f"{entry.entry_id}:{carol.id}"]}
    assert destinations(jellyfin_server) == []


# By Quick Connect


async def test_quick_connect(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    bob: JellyfinUser,
) -> None:
    """The code is shown until somebody has entered it, whose account then comes first."""
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    result = await answer(
        hass, result, url=f" {jellyfin_server.url}/?a=b#c ", verify_ssl=True
    )
    assert len(code(result)) == 6
    again = await hass.config_entries.flow.async_configure(result["flow_id"])
    assert code(again) == code(result)

    result = await entered(hass, result, jellyfin_server, bob)
    assert waiting("quick connect") == []
    result = await answer(hass, result, local_only=True)
    assert list(choices(result, "accounts")) == [bob.id, alice.id]
    result = await answer(hass, result, accounts=[])
    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["url"] == jellyfin_server.url
    assert entry.data["user_id"] == bob.id
    assert entry.data["token_obtained"] is True
    assert viewers(hass) == {}


async def test_quick_connect_expired(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """There is another code for whoever was too slow."""
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    result = await answer(hass, result, url=jellyfin_server.url, verify_ssl=True)
    first = code(result)
    jellyfin_server.accounts.expire_quick_connect()
    result = await gone_on(hass, result)
    assert result["type"] is FlowResultType.MENU
    assert result["step_id"] == "jellyfin_not_signed_in"

    result = await answer(hass, result, next_step_id="jellyfin_quick_connect")
    assert suggested(result) == {"url": jellyfin_server.url, "verify_ssl": True}
    result = await answer(hass, result, **suggested(result))
    assert code(result) != first
    await finish(hass, await entered(hass, result, jellyfin_server))


async def test_quick_connect_never_entered(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is waited for longer than a code is good; a password will do instead."""
    monkeypatch.setattr(jellyfin_client, "QUICK_CONNECT_LIFETIME", 0.1)
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    result = await answer(hass, result, url=jellyfin_server.url, verify_ssl=True)
    result = await gone_on(hass, result)
    assert result["step_id"] == "jellyfin_not_signed_in"
    await finish(hass, await by_password(hass, result, jellyfin_server))


async def test_quick_connect_off(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """Where Quick Connect is switched off, that is said, until it is switched on."""
    jellyfin_server.accounts.quick_connect_enabled = False
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    result = await answer(hass, result, url=jellyfin_server.url, verify_ssl=True)
    assert result["errors"] == {"base": "quick_connect_off"}
    jellyfin_server.accounts.quick_connect_enabled = True
    result = await answer(hass, result, **suggested(result))
    await finish(hass, await entered(hass, result, jellyfin_server))


async def test_quick_connect_server_goes_away(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A code can be entered as long as it is good, though the server is away for a moment."""
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    result = await answer(hass, result, url=jellyfin_server.url, verify_ssl=True)
    await jellyfin_server.stop()
    await asyncio.sleep(0.2)
    await jellyfin_server.start()
    await finish(hass, await entered(hass, result, jellyfin_server))


@pytest.mark.parametrize("status", [429, 503])
async def test_quick_connect_server_is_busy(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    status: int,
) -> None:
    """A server that is busy for a moment does not end the waiting."""
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    result = await answer(hass, result, url=jellyfin_server.url, verify_ssl=True)
    busy = jellyfin_server.faults.fail(status, path="/QuickConnect/Connect", times=4)
    await until(hass, lambda: busy.hits == 4)
    await finish(hass, await entered(hass, result, jellyfin_server))


async def test_quick_connect_server_fails(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A server that fails after the code was entered is asked for another one."""
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    result = await answer(hass, result, url=jellyfin_server.url, verify_ssl=True)
    with jellyfin_server.faults.fail(path="/System/Info/Public"):
        result = await entered(hass, result, jellyfin_server)
    assert result["step_id"] == "jellyfin_quick_connect"
    assert result["errors"] == {"base": "server_failure"}
    result = await answer(hass, result, **suggested(result))
    await finish(hass, await entered(hass, result, jellyfin_server))


async def test_quick_connect_closed(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn
) -> None:
    """A dialogue that is closed leaves nothing that waits."""
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    result = await answer(hass, result, url=jellyfin_server.url, verify_ssl=True)
    assert len(waiting("quick connect")) == 1
    hass.config_entries.flow.async_abort(result["flow_id"])
    await until(hass, lambda: not waiting("quick connect"))


async def test_quick_connect_closed_early(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn
) -> None:
    """Nor does one that is closed before the server has given a code."""
    result = await start_flow(hass, "jellyfin", "jellyfin_quick_connect")
    slow = jellyfin_server.faults.slow(0.2, path="/QuickConnect/Initiate")
    going = hass.async_create_task(
        hass.config_entries.flow.async_configure(
            result["flow_id"], {"url": jellyfin_server.url, "verify_ssl": True}
        )
    )
    while not slow.hits:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    hass.config_entries.flow.async_abort(result["flow_id"])
    with pytest.raises(UnknownFlow):
        await going
    await until(hass, lambda: not waiting("quick connect"))


# By API key


async def test_api_key(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    bob: JellyfinUser,
) -> None:
    """An API key is checked, and is nobody's: it is kept when the server is removed."""
    result = await start_flow(hass, "jellyfin", "jellyfin_api_key")
    right = fields(jellyfin_server, "jellyfin_api_key")
    result = await answer(hass, result, **right | {"api_key": "wrong"})
    assert result["errors"] == {"base": "invalid_auth"}
    assert suggested(result) == {"url": jellyfin_server.url, "verify_ssl": True}

    entry = await finish(hass, await answer(hass, result, **right))
    key = right["api_key"].strip()
    assert entry.data["token"] == key
    assert entry.data["token_obtained"] is False
    assert "user_id" not in entry.data
    await until(hass, lambda: "registered_url" in entry.data)
    assert destinations(jellyfin_server) == [webhook_url(hass, entry)]
    await hass.config_entries.async_remove(entry.entry_id)
    assert destinations(jellyfin_server) == []
    assert list(jellyfin_server.accounts.tokens) == [key]


async def test_no_users(hass: HomeAssistant, jellyfin_server: JellyfinStandIn) -> None:
    """Where there are no accounts, nobody is asked about them."""
    menu = await start_flow(hass, "jellyfin")
    result = await by_api_key(hass, menu, jellyfin_server)
    result = await answer(hass, result, local_only=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY


# What can be wrong with a server, whatever the way


STEPS = pytest.mark.parametrize(
    "step", ["jellyfin_password", "jellyfin_quick_connect", "jellyfin_api_key"]
)


async def recover(
    hass: HomeAssistant,
    result: ConfigFlowResult,
    server: JellyfinStandIn,
    **values: Any,
) -> None:
    """Sign in after an error."""
    result = await answer(hass, result, **values)
    if result["type"] is FlowResultType.SHOW_PROGRESS:
        result = await entered(hass, result, server)
    entry = await finish(hass, result)
    assert entry.state is ConfigEntryState.LOADED


@STEPS
@pytest.mark.parametrize("url", ["ftp://192.0.2.1", "http://", "http://[::1", ""])
async def test_invalid_url(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
    url: str,
) -> None:
    """What is no URL is not tried."""
    result = await start_flow(hass, "jellyfin", step)
    right = fields(jellyfin_server, step)
    result = await answer(hass, result, **right | {"url": url})
    assert result["errors"] == {"url": "invalid_url"}
    assert suggested(result)["url"] == url
    # The scheme may be left out.
    right["url"] = f"127.0.0.1:{jellyfin_server.port}/"
    await recover(hass, result, jellyfin_server, **right)
    assert servers(hass)[0].data["url"] == jellyfin_server.url


@STEPS
async def test_nobody_there(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
) -> None:
    """A server that does not answer can be started and tried again."""
    right = fields(jellyfin_server, step)
    await jellyfin_server.stop()
    result = await start_flow(hass, "jellyfin", step)
    result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "cannot_connect"}
    await jellyfin_server.start()
    await recover(hass, result, jellyfin_server, **right)


@STEPS
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<!DOCTYPE html><title>A router</title>", "not_a_media_server"),
        ('{"version": "3", "server": "Something else"}', "not_a_media_server"),
        ('["a", "b"]', "not_a_media_server"),
        ("", "not_a_media_server"),
        ('{"Id": "a", "ServerName": "Old", "Version": "10.10.7"}', "too_old"),
    ],
)
async def test_something_else_there(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
    text: str,
    error: str,
) -> None:
    """Another service, a page for people, and a server that is too old are told apart."""
    result = await start_flow(hass, "jellyfin", step)
    right = fields(jellyfin_server, step)
    with jellyfin_server.faults.answer(text):
        result = await answer(hass, result, **right)
    assert result["errors"] == {"base": error}
    assert jellyfin_server.log.count_of("POST") == 0
    await recover(hass, result, jellyfin_server, **right)


@STEPS
async def test_certificate(hass: HomeAssistant, reachable: str, step: str) -> None:
    """A certificate that nobody vouches for is taken by whoever says so."""
    async with JellyfinStandIn(https=True) as server:
        server.add_user("alice", PASSWORD, administrator=True, user=ALICE_AT_JELLYFIN)
        result = await start_flow(hass, "jellyfin", step)
        right = fields(server, step)
        result = await answer(hass, result, **right)
        assert result["errors"] == {"base": "certificate"}
        await recover(hass, result, server, **right | {"verify_ssl": False})
        assert servers(hass)[0].data["verify_ssl"] is False


@STEPS
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_leads_to_https(
    hass: HomeAssistant, reachable: str, step: str, status: int
) -> None:
    """A server that leads to https is met there, and told nothing on the way."""
    async with JellyfinStandIn(https=True) as server:
        server.add_user("alice", PASSWORD, administrator=True, user=ALICE_AT_JELLYFIN)
        server.to_https = status
        result = await start_flow(hass, "jellyfin", step)
        plain = f"http://127.0.0.1:{server.port}"
        right = fields(server, step) | {"url": plain, "verify_ssl": False}
        await recover(hass, result, server, **right)
        assert servers(hass)[0].data["url"] == server.url


@STEPS
async def test_base_url(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
) -> None:
    """A server that leads into the path that it is under is met there."""
    result = await start_flow(hass, "jellyfin", step)
    right = fields(jellyfin_server, step)
    jellyfin_server.base_url = "/jellyfin"
    await recover(hass, result, jellyfin_server, **right)
    assert servers(hass)[0].data["url"] == jellyfin_server.url
    assert jellyfin_server.url == f"{right['url']}/jellyfin"


@STEPS
@pytest.mark.parametrize(
    ("base", "page"),
    [
        ("", "/web/index.html#!/home.html"),
        ("/jellyfin", "/jellyfin/web/#/home"),
        ("/jellyfin", "/jellyfin/"),
    ],
)
async def test_address_of_the_page(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
    base: str,
    page: str,
) -> None:
    """The address that the browser shows will do."""
    result = await start_flow(hass, "jellyfin", step)
    right = fields(jellyfin_server, step)
    jellyfin_server.base_url = base
    await recover(
        hass,
        result,
        jellyfin_server,
        **right | {"url": f"{right['url']}{page}"},
    )
    assert servers(hass)[0].data["url"] == jellyfin_server.url


@STEPS
@pytest.mark.parametrize(
    ("location", "shown"),
    [
        # A page to sign in on, of a proxy.
        ("https://auth.example.org/login?to=nas", "https://auth.example.org/login"),
        ("/login?to=%2FSystem", "{url}/login"),
        # Another host, and one that leads round and round.
        ("http://192.0.2.9/System/Info/Public", "http://192.0.2.9/System/Info/Public"),
        ("/System/Info/Public", "{url}/System/Info/Public"),
        ("/a/System/Info/Public", "{url}/a/System/Info/Public"),
    ],
)
async def test_leads_elsewhere(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
    location: str,
    shown: str,
) -> None:
    """A redirect to anywhere else is not followed: it is said where it leads."""
    result = await start_flow(hass, "jellyfin", step)
    right = fields(jellyfin_server, step)
    with jellyfin_server.faults.redirect(location):
        result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "redirected"}
    placeholders = result["description_placeholders"]
    assert placeholders == {"url": shown.format(url=jellyfin_server.url)}
    assert suggested(result)["url"] == jellyfin_server.url
    assert jellyfin_server.log.count_of("POST") == 0
    await recover(hass, result, jellyfin_server, **right)


async def test_sign_in_is_sent_on(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A password is not sent on, and what is sent on is not taken for a wrong password."""
    result = await start_flow(hass, "jellyfin", "jellyfin_password")
    right = fields(jellyfin_server, "jellyfin_password")
    async with JellyfinStandIn(name="Cellar") as other:
        with jellyfin_server.faults.redirect(
            f"{other.url}/Users/AuthenticateByName", method="POST"
        ):
            result = await answer(hass, result, **right)
        assert result["errors"] == {"base": "redirected"}
        assert len(other.log) == 0
    await recover(hass, result, jellyfin_server, **right)


@STEPS
async def test_no_https(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
) -> None:
    """A port that speaks plain HTTP has no wrong certificate: it has none."""
    result = await start_flow(hass, "jellyfin", step)
    right = fields(jellyfin_server, step)
    url = right["url"].replace("http:", "https:")
    result = await answer(hass, result, **right | {"url": url})
    assert result["errors"] == {"base": "no_https"}
    await recover(hass, result, jellyfin_server, **right)


@STEPS
@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://alice:secret@nas:8096", "url_with_credentials"),
        ("http://fd00::5:8096", "ipv6_without_brackets"),
    ],
)
async def test_url_says_too_much(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
    url: str,
    error: str,
) -> None:
    """It is said what is wrong with a URL."""
    result = await start_flow(hass, "jellyfin", step)
    right = fields(jellyfin_server, step)
    result = await answer(hass, result, **right | {"url": url})
    assert result["errors"] == {"url": error}
    await recover(hass, result, jellyfin_server, **right)


@pytest.mark.parametrize("step", ["jellyfin_password", "jellyfin_api_key"])
@pytest.mark.parametrize("path", ["/Users", "/Plugins/*"])
async def test_fails_later(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
    path: str,
) -> None:
    """A server that lets us in but does not answer then is tried again."""
    result = await start_flow(hass, "jellyfin", step)
    right = fields(jellyfin_server, step)
    with jellyfin_server.faults.fail(path=path):
        result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "server_failure"}
    await recover(hass, result, jellyfin_server, **right)


async def test_goes_away_after_password(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A server that goes away behind the sign-in is tried again."""
    result = await start_flow(hass, "jellyfin", "jellyfin_password")
    right = fields(jellyfin_server, "jellyfin_password")
    with jellyfin_server.faults.cut(path="/Users/AuthenticateByName"):
        result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "cannot_connect"}
    await recover(hass, result, jellyfin_server, **right)


# The webhook and the accounts


async def test_no_plugin(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """Without the plugin it is said what to do; so it is when the server is reconfigured."""
    jellyfin_server.plugin.installed = False
    menu = await start_flow(hass, "jellyfin")
    result = await by_password(hass, menu, jellyfin_server)
    expected = said(
        "webhook_obstacle.options.no_webhook_plugin", "instructions.options.jellyfin"
    )
    assert instructions(result) == expected
    entry = await finish(hass, result)
    await until(
        hass, lambda: entry.runtime_data.connection.registration.obstacle is not None
    )
    result = await reconfigure(hass, entry)
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["details"].endswith(expected)


async def test_no_address(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """Where Home Assistant does not know its own address, it says so, and no more."""
    assert hass.config.api is not None
    hass.config.api.use_ssl = True
    await hass.config.async_update(internal_url=None)
    menu = await start_flow(hass, "jellyfin")
    entry = await finish(hass, await by_password(hass, menu, jellyfin_server))
    await until(
        hass, lambda: entry.runtime_data.connection.registration.obstacle == "no_url"
    )
    result = await reconfigure(hass, entry)
    assert result["description_placeholders"] == {
        "details": said("webhook_url.options.none", "webhook_obstacle.options.no_url")
    }


async def test_accounts_join_namesakes(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    bob: JellyfinUser,
) -> None:
    """A chosen account joins the viewer of its name; a server's name is taken."""
    at_plex = await add_server(hass, "plex", "Bob")
    viewer = await add_viewer(hass, "ALICE")
    menu = await start_flow(hass, "jellyfin")
    result = await by_password(hass, menu, jellyfin_server)
    entry = await finish(hass, result, [alice.id, bob.id])
    assert viewers(hass) == {
        "ALICE": [f"{entry.entry_id}:{alice.id}"],
        "bob 2": [f"{entry.entry_id}:{bob.id}"],
    }
    assert viewer.state is ConfigEntryState.LOADED
    assert at_plex in servers(hass)


async def test_name_taken(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A server whose name is taken gets a number."""
    await add_server(hass, "plex", "living ROOM")
    entry = await added(hass, jellyfin_server)
    assert entry.title == "Living room 2"


# The same server again


@ALL_WAYS
async def test_twice(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    sign_in: SignIn,
) -> None:
    """A server is not added twice, and what is there of it goes on."""
    entry = await added(hass, jellyfin_server)
    tokens = set(jellyfin_server.accounts.tokens)
    menu = await start_flow(hass, "jellyfin")
    result = await sign_in(hass, menu, jellyfin_server)
    assert_aborted(result, "server_already_configured")
    assert servers(hass) == [entry]
    # The server would have ended the sign-in that there is.
    assert tokens <= set(jellyfin_server.accounts.tokens)


async def test_accepted_elsewhere(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A server that another one's entry accepts webhooks of can be added all the same."""
    async with JellyfinStandIn(name="Cellar") as other:
        other.add_user("alice", PASSWORD, administrator=True, user=ALICE_AT_JELLYFIN)
        first = await added(hass, other)
        hass.config_entries.async_update_entry(
            first,
            options={"servers": [other.server.id, jellyfin_server.server.id]},
        )
        second = await added(hass, jellyfin_server)
        assert servers(hass) == [first, second]


@ALL_WAYS
async def test_known_by_its_webhooks(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    sign_in: SignIn,
) -> None:
    """A server that was known by its webhooks only keeps its entry and its links."""
    entry = await add_server(hass, "jellyfin", "Cellar")
    by_hand = MediaServer(entry=entry, client=client, simulator=jellyfin_server.server)
    key = await by_hand.introduce(ALICE_AT_JELLYFIN)
    await add_viewer(hass, "Alice", [key])
    webhook_id = entry.data["webhook_id"]
    menu = await start_flow(hass, "jellyfin")
    result = await sign_in(hass, menu, jellyfin_server)
    assert_aborted(result, "webhook_only_signed_in")

    assert servers(hass) == [entry]
    assert (entry.title, entry.unique_id) == ("Cellar", jellyfin_server.server.id)
    assert entry.data["url"] == jellyfin_server.url
    assert entry.data["webhook_id"] == webhook_id
    await until(hass, lambda: destinations(jellyfin_server))
    assert destinations(jellyfin_server) == [webhook_url(hass, entry)]
    assert viewers(hass) == {"Alice": [key]}
    told = await by_hand.report(
        JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, ALICE_AT_JELLYFIN
    )
    assert (told["outcome"], told["viewers"]) == ("recorded", ["Alice"])


async def test_expected_by_its_webhooks(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """So does one that has not sent any yet, but was named in the options."""
    entry = await add_server(hass, "jellyfin", "Cellar")
    hass.config_entries.async_update_entry(
        entry, options={"servers": [jellyfin_server.server.id]}
    )
    menu = await start_flow(hass, "jellyfin")
    result = await by_password(hass, menu, jellyfin_server)
    assert_aborted(result, "webhook_only_signed_in")
    assert entry.unique_id == jellyfin_server.server.id


# Signing in anew


@ALL_WAYS
@pytest.mark.parametrize("first", [by_password, by_api_key])
async def test_sign_in_anew(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    first: SignIn,
    sign_in: SignIn,
) -> None:
    """A token that is worth nothing any more is replaced, in any way."""
    entry = await added(hass, jellyfin_server, first)
    before = dict(entry.data)
    jellyfin_server.accounts.tokens.clear()
    menu = await rejected(hass, entry)
    assert menu["menu_options"] == [
        "jellyfin_quick_connect",
        "jellyfin_password",
        "jellyfin_api_key",
    ]
    result = await sign_in(hass, menu, jellyfin_server)
    assert_aborted(result, "reauth_successful")
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert entry.data["token"] in jellyfin_server.accounts.tokens
    assert entry.data["token_obtained"] is (sign_in is not by_api_key)
    for key in ("webhook_id", "url", "registered_url"):
        assert entry.data[key] == before[key]
    assert hass.config_entries.flow.async_progress() == []


@STEPS
async def test_sign_in_anew_where(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    step: str,
) -> None:
    """Where the server is need not be said again."""
    entry = await added(hass, jellyfin_server)
    jellyfin_server.accounts.tokens.clear()
    result = await answer(hass, await rejected(hass, entry), next_step_id=step)
    assert suggested(result) == {"url": jellyfin_server.url, "verify_ssl": True}


@ALL_WAYS
async def test_sign_in_anew_elsewhere(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    sign_in: SignIn,
) -> None:
    """Another server's credentials are not taken, and it is told none."""
    entry = await added(hass, jellyfin_server)
    before = dict(entry.data)
    jellyfin_server.accounts.tokens.clear()
    menu = await rejected(hass, entry)
    async with JellyfinStandIn(name="Cellar") as other:
        other.add_user("alice", PASSWORD, user=ALICE_AT_JELLYFIN)
        result = await sign_in(hass, menu, other)
        assert_aborted(result, "another_server")
        assert other.log.count_of("POST") == 0
    assert entry.data == before


async def test_sign_in_anew_under_https(hass: HomeAssistant, reachable: str) -> None:
    """A server that has come to lead to https is signed in to there."""
    async with JellyfinStandIn(https=True) as server:
        server.add_user("alice", PASSWORD, administrator=True, user=ALICE_AT_JELLYFIN)
        step = "jellyfin_password"
        plain = fields(server, step) | {
            "url": f"http://127.0.0.1:{server.port}",
            "verify_ssl": False,
        }
        result = await answer(hass, await start_flow(hass, "jellyfin", step), **plain)
        entry = await finish(hass, result)
        assert entry.data["url"] == plain["url"]
        server.accounts.tokens.clear()
        menu = await rejected(hass, entry)
        server.to_https = 301
        result = await answer(hass, menu, next_step_id=step)
        assert_aborted(await answer(hass, result, **plain), "reauth_successful")
        await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
        assert entry.data["url"] == server.url


# Reconfiguring


@pytest.mark.parametrize("at_start", [False, True])
async def test_moved_under_a_path(
    hass: HomeAssistant,
    jellyfin_server: JellyfinStandIn,
    alice: JellyfinUser,
    at_start: bool,
) -> None:
    """A server that has got a base URL leads to where it is, and is found there."""
    entry = await added(hass, jellyfin_server)
    before = dict(entry.data)
    jellyfin_server.base_url = "/jellyfin"
    if at_start:
        await hass.config_entries.async_reload(entry.entry_id)
    else:
        async_fire_time_changed(hass, dt_util.utcnow() + 2 * CHECK_INTERVAL)
    await until(hass, lambda: entry.data["url"] == jellyfin_server.url)
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert entry.data == before | {"url": f"{before['url']}/jellyfin"}


async def test_leads_to_another_server(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """Where it leads to anything else it is said where, and all stays as it was."""
    entry = await added(hass, jellyfin_server)
    before = dict(entry.data)
    other = '{"Id": "other", "Version": "12.0.0"}'
    with (
        jellyfin_server.faults.answer(other, path="/other/*"),
        jellyfin_server.faults.redirect("/other/System/Info/Public"),
    ):
        assert not await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert f"{jellyfin_server.url}/other" in (entry.reason or "")
    assert entry.data == before


async def test_moved(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A server that has moved is found again at its new address."""
    entry = await added(hass, jellyfin_server)
    old_url = jellyfin_server.url
    await jellyfin_server.close()
    await jellyfin_server.start()
    assert jellyfin_server.url != old_url

    result = await reconfigured(hass, entry, url="nonsense://")
    assert result["errors"] == {"url": "invalid_url"}
    assert suggested(result)["url"] == "nonsense://"
    values = {**suggested(result), "name": "Cellar"}
    with jellyfin_server.faults.html():
        result = await answer(hass, result, **values | {"url": jellyfin_server.url})
    assert result["errors"] == {"base": "not_a_media_server"}
    async with JellyfinStandIn(name="Another") as other:
        result = await answer(hass, result, **values | {"url": other.url})
    assert result["errors"] == {"base": "another_server"}
    assert entry.data["url"] == old_url

    result = await answer(hass, result, **values | {"url": jellyfin_server.url})
    assert_aborted(result, "reconfigure_successful")
    assert (entry.title, entry.data["url"]) == ("Cellar", jellyfin_server.url)
    assert entry.state is ConfigEntryState.LOADED
    assert destinations(jellyfin_server) == [webhook_url(hass, entry)]


async def test_renamed(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A new name leaves all else as it was; another entry's is not taken."""
    await add_server(hass, "plex", "Upstairs")
    entry = await added(hass, jellyfin_server)
    before = dict(entry.data)
    result = await reconfigured(hass, entry, name="upstairs")
    assert result["errors"] == {"name": "name_taken"}
    result = await answer(hass, result, **suggested(result) | {"name": "Cellar"})
    assert_aborted(result, "reconfigure_successful")
    assert entry.title == "Cellar"
    assert entry.data == before


async def test_new_webhook(
    hass: HomeAssistant, jellyfin_server: JellyfinStandIn, alice: JellyfinUser
) -> None:
    """A new webhook takes the place of the old one on the server; others stay."""
    entry = await added(hass, jellyfin_server)
    jellyfin_server.plugin.add_generic("http://192.0.2.9/", ["PlaybackStop"])
    old_url = webhook_url(hass, entry)
    result = await reconfigured(hass, entry, new_url=True)
    assert instructions(result) == said("instructions.options.automatic")
    assert_aborted(
        await answer(hass, result, local_only=True), "reconfigure_successful"
    )
    new_url = webhook_url(hass, entry)
    assert new_url != old_url
    await until(hass, lambda: entry.data["registered_url"] == new_url)
    assert destinations(jellyfin_server) == ["http://192.0.2.9/", new_url]
