"""Signing in to Plex: every way to its end, every obstacle and the way past it."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
import json
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import (
    SOURCE_ZEROCONF,
    ConfigEntry,
    ConfigEntryDisabler,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
import pytest

from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.plex import pin as plex_pin

from .common import (
    ALICE_AT_PLEX,
    MediaServer,
    add_server,
    add_viewer,
    answer,
    plays_of,
    start_flow,
)
from .signing_in import (
    confirm_url,
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
from .simulators.plex import PlexServer
from .simulators.plex_server import PlexMediaServer, PlexStandIn, PlexUser, has_token
from .test_config_flow import assert_aborted, choices, reconfigure, suggested
from .texts import assert_translated

FOREIGN = "https://example.org/not-ours"

type SignIn = Callable[
    [HomeAssistant, ConfigFlowResult, PlexStandIn], Awaitable[ConfigFlowResult]
]


# The ways to sign in, from the menu on


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let connections of the stand-ins take the time that TLS takes to close them."""
    return True


async def by_pin(
    hass: HomeAssistant,
    menu: ConfigFlowResult,
    plex: PlexStandIn,
    user: PlexUser | None = None,
) -> ConfigFlowResult:
    """Sign in at plex.tv, as Alice unless somebody else is named."""
    result = await answer(hass, menu, next_step_id="plex_sign_in")
    return await confirmed(hass, result, plex, user)


async def confirmed(
    hass: HomeAssistant,
    result: ConfigFlowResult,
    plex: PlexStandIn,
    user: PlexUser | None = None,
) -> ConfigFlowResult:
    """Confirm in the browser; returns what comes then."""
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    plex.tv.visit(confirm_url(result), user or plex.owner)
    return await gone_on(hass, result)


async def by_token(
    hass: HomeAssistant, menu: ConfigFlowResult, plex: PlexStandIn
) -> ConfigFlowResult:
    """Sign in with the owner's token."""
    result = await answer(hass, menu, next_step_id="plex_token")
    return await answer(hass, result, **fields(plex))


BOTH_WAYS = pytest.mark.parametrize("sign_in", [by_pin, by_token])


def fields(plex: PlexStandIn, server: PlexMediaServer | None = None) -> dict[str, Any]:
    """Return what is right in the form for a token."""
    return {
        "url": (server or plex.server).url,
        "token": f"{plex.token()} ",
        "verify_ssl": True,
    }


async def added(
    hass: HomeAssistant, plex: PlexStandIn, sign_in: SignIn = by_token
) -> ConfigEntry[Any]:
    """Add the server without viewers; returns its entry when its webhook is there."""
    plex.owner.plex_pass = True
    menu = await start_flow(hass, "plex")
    entry = await finish(hass, await sign_in(hass, menu, plex))
    await until(hass, lambda: "registered_url" in entry.data)
    return entry


@pytest.fixture(autouse=True)
def foreign_webhook(plex_net: PlexStandIn) -> None:
    """Let the account have a webhook of something else."""
    plex_net.owner.webhooks.append(FOREIGN)


# At plex.tv


async def test_pin(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A server is there with its webhook and its viewers once somebody has confirmed."""
    result = await start_flow(hass, "plex", "plex_sign_in")
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    again = await hass.config_entries.flow.async_configure(result["flow_id"])
    assert confirm_url(again) == confirm_url(result)

    result = await confirmed(hass, result, plex_net)
    assert waiting("plex sign-in") == []
    assert instructions(result) == said("instructions.options.automatic")
    result = await answer(hass, result, local_only=True)
    assert result["step_id"] == "accounts"
    bob = plex_net.accounts["bob"]
    assert choices(result, "accounts") == {"1": "alice", str(bob.id): "bob"}
    assert result["data_schema"] is not None
    assert result["data_schema"]({}) == {"accounts": ["1"]}

    result = await answer(hass, result, accounts=["1", str(bob.id)])
    entry: ConfigEntry[Any] = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert (entry.title, entry.unique_id) == ("Attic", plex_net.server.uuid)
    assert entry.options == {"servers": [plex_net.server.uuid]}
    await until(hass, lambda: "registered_url" in entry.data)
    assert plex_net.owner.webhooks == [FOREIGN, webhook_url(hass, entry)]
    assert entry.data == {
        "kind": "plex",
        "webhook_id": entry.data["webhook_id"],
        "local_only": True,
        "cloudhook_url": None,
        "url": plex_net.server.direct_url,
        "verify_ssl": True,
        "token": plex_net.tv.pin().token,
        "account_token": plex_net.tv.pin().token,
        "token_obtained": True,
        "registered_url": webhook_url(hass, entry),
    }
    assert viewers(hass) == {
        "alice": [f"{entry.entry_id}:1"],
        "bob": [f"{entry.entry_id}:{bob.id}"],
    }
    await plex_net.watch("bob", THE_SALT_ROAD)
    (viewer,) = [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.title == "bob"
    ]
    assert [play["title"] for play in await plays_of(hass, viewer)] == ["The Salt Road"]


async def test_shared_server(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """Whom a server is shared with signs in too, and learns of nobody else."""
    bob = plex_net.accounts["bob"]
    menu = await start_flow(hass, "plex")
    result = await by_pin(hass, menu, plex_net, bob)
    assert instructions(result) == said("webhook_obstacle.options.no_plex_pass")
    result = await answer(hass, result, local_only=True)
    assert choices(result, "accounts") == {str(bob.id): "bob"}
    result = await answer(hass, result, accounts=[])
    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["token"] != entry.data["account_token"]


async def test_pin_expired(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """Whoever was too slow can try again."""
    result = await start_flow(hass, "plex", "plex_sign_in")
    plex_net.tv.expire()
    result = await gone_on(hass, result)
    assert result["type"] is FlowResultType.MENU
    assert result["step_id"] == "plex_not_signed_in"
    await finish(hass, await by_pin(hass, result, plex_net))


async def test_pin_never_confirmed(
    hass: HomeAssistant, plex_net: PlexStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is waited for longer than a PIN is good; a token will do instead."""
    monkeypatch.setattr(plex_pin, "LIFETIME", 0.1)
    result = await start_flow(hass, "plex", "plex_sign_in")
    result = await gone_on(hass, result)
    assert result["step_id"] == "plex_not_signed_in"
    await finish(hass, await by_token(hass, result, plex_net))


async def test_plex_tv_down(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """Where plex.tv cannot be reached, there is nothing to confirm."""
    await plex_net.tv.stop()
    result = await start_flow(hass, "plex", "plex_sign_in")
    assert_aborted(result, "plex_tv_unreachable")


@pytest.mark.parametrize("path", ["/api/v2/resources", "/api/v2/user"])
async def test_plex_tv_fails(
    hass: HomeAssistant, plex_net: PlexStandIn, path: str
) -> None:
    """Where plex.tv fails after the confirmation, signing in is tried again."""
    result = await start_flow(hass, "plex", "plex_sign_in")
    with plex_net.tv.faults.fail(500, path=path):
        result = await confirmed(hass, result, plex_net)
    assert result["step_id"] == "plex_not_signed_in"
    await finish(hass, await by_pin(hass, result, plex_net))


async def test_pin_closed(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A dialogue that is closed leaves nothing that waits."""
    result = await start_flow(hass, "plex", "plex_sign_in")
    assert len(waiting("plex sign-in")) == 1
    hass.config_entries.flow.async_abort(result["flow_id"])
    await until(hass, lambda: not waiting("plex sign-in"))


async def test_pin_closed_early(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """Nor does one that is closed before plex.tv has given a PIN."""
    result = await start_flow(hass, "plex")
    slow = plex_net.tv.faults.slow(0.2, path="/api/v2/pins")
    going = hass.async_create_task(
        hass.config_entries.flow.async_configure(
            result["flow_id"], {"next_step_id": "plex_sign_in"}
        )
    )
    while not slow.hits:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    hass.config_entries.flow.async_abort(result["flow_id"])
    with pytest.raises(UnknownFlow):
        await going
    await until(hass, lambda: not waiting("plex sign-in"))


async def test_several_servers(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """Of several servers one is chosen."""
    garage = await plex_net.add_server("Garage")
    menu = await start_flow(hass, "plex")
    result = await by_pin(hass, menu, plex_net)
    assert result["step_id"] == "plex_server"
    assert choices(result, "server") == {
        plex_net.server.uuid: "Attic",
        garage.uuid: "Garage",
    }
    result = await answer(hass, result, server=garage.uuid)
    entry = await finish(hass, result)
    assert (entry.title, entry.unique_id) == ("Garage", garage.uuid)


@pytest.mark.parametrize("path", ["/", "/accounts"])
async def test_server_fails(
    hass: HomeAssistant, plex_net: PlexStandIn, path: str
) -> None:
    """What a server answers is said, whichever of its addresses are dead."""
    menu = await start_flow(hass, "plex")
    with plex_net.server.faults.fail(500, path=path):
        result = await by_pin(hass, menu, plex_net)
    assert result["step_id"] == "plex_server"
    assert result["errors"] == {"base": "server_failure"}
    assert choices(result, "server") == {plex_net.server.uuid: "Attic"}
    result = await answer(hass, result, server=plex_net.server.uuid)
    await finish(hass, result)


async def test_only_dead_connections(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """Of servers, one that is away is not added; another one can be."""
    garage = await plex_net.add_server("Garage")
    dead = plex_net.tv.dead_connection()
    plex_net.tv.connections[plex_net.server.uuid] = [dead]
    menu = await start_flow(hass, "plex")
    result = await by_pin(hass, menu, plex_net)
    result = await answer(hass, result, server=plex_net.server.uuid)
    assert result["errors"] == {"base": "cannot_connect"}
    assert suggested(result) == {"server": plex_net.server.uuid}
    entry = await finish(hass, await answer(hass, result, server=garage.uuid))
    assert entry.title == "Garage"


async def test_server_away(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A server that does not answer can be started and tried again."""
    await plex_net.server.stop()
    menu = await start_flow(hass, "plex")
    result = await by_pin(hass, menu, plex_net)
    assert result["errors"] == {"base": "cannot_connect"}
    await plex_net.server.start()
    await finish(hass, await answer(hass, result, server=plex_net.server.uuid))


async def test_another_server_at_an_address(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """What another server answers at one of the addresses is not taken for the right one."""
    garage = await plex_net.add_server("Garage", https="none")
    tv = plex_net.tv
    tv.connections[plex_net.server.uuid] = [
        *tv.connections_of(garage),
        *tv.connections_of(plex_net.server),
    ]
    menu = await start_flow(hass, "plex")
    result = await by_pin(hass, menu, plex_net)
    result = await answer(hass, result, server=plex_net.server.uuid)
    entry = await finish(hass, result)
    assert entry.unique_id == plex_net.server.uuid
    assert entry.data["url"] == plex_net.server.direct_url


async def test_no_server(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """An account without a server has nothing to add."""
    carol = plex_net.accounts.add("carol")
    menu = await start_flow(hass, "plex")
    assert_aborted(await by_pin(hass, menu, plex_net, carol), "no_servers")


# By token


async def test_token(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A token is checked, and is kept when the server is removed."""
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net)
    result = await answer(hass, result, **right | {"token": "wrong"})
    assert result["errors"] == {"base": "invalid_auth"}
    assert suggested(result) == {"url": right["url"], "verify_ssl": True}

    entry = await finish(hass, await answer(hass, result, **right))
    token = right["token"].strip()
    assert entry.data["url"] == plex_net.server.url
    assert entry.data["token"] == entry.data["account_token"] == token
    assert entry.data["token_obtained"] is False
    await until(hass, lambda: "registered_url" in entry.data)
    assert plex_net.owner.webhooks == [FOREIGN, webhook_url(hass, entry)]
    await hass.config_entries.async_remove(entry.entry_id)
    assert plex_net.owner.webhooks == [FOREIGN]
    assert plex_net.accounts.user_of(token) is plex_net.owner


async def test_token_of_a_guest(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """Whom a server is shared with can give the token of their account, too."""
    bob = plex_net.accounts["bob"]
    result = await start_flow(hass, "plex", "plex_token")
    token = plex_net.token(bob)
    result = await answer(hass, result, **fields(plex_net) | {"token": token})
    result = await answer(hass, result, local_only=True)
    assert choices(result, "accounts") == {str(bob.id): "bob"}
    entry = (await answer(hass, result, accounts=[]))["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["account_token"] == token
    assert entry.data["token"] == plex_net.accounts.server_token(
        bob, plex_net.server.uuid
    )


@pytest.mark.parametrize("who", ["bob", "carol"])
async def test_token_that_is_not_enough(
    hass: HomeAssistant, plex_net: PlexStandIn, who: str
) -> None:
    """It is said whether the server or only plex.tv does not take a token."""
    if who == "carol":
        # She has an account, but is no guest here.
        token = plex_net.token(plex_net.accounts.add("carol"))
        error = "invalid_auth"
    else:
        bob = plex_net.accounts["bob"]
        token = plex_net.accounts.server_token(bob, plex_net.server.uuid)
        error = "account_refused"
    result = await start_flow(hass, "plex", "plex_token")
    result = await answer(hass, result, **fields(plex_net) | {"token": token})
    assert result["errors"] == {"base": error}
    await finish(hass, await answer(hass, result, **fields(plex_net)))


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://192.0.2.1", "invalid_url"),
        ("http://[::1", "invalid_url"),
        ("", "invalid_url"),
        ("http://alice:secret@nas:32400", "url_with_credentials"),
        ("http://fd00::5:3240", "ipv6_without_brackets"),
    ],
)
async def test_invalid_url(
    hass: HomeAssistant, plex_net: PlexStandIn, url: str, error: str
) -> None:
    """What is no URL is not tried, and it is said why."""
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net)
    result = await answer(hass, result, **right | {"url": url})
    assert result["errors"] == {"url": error}
    await finish(hass, await answer(hass, result, **right))


async def test_nobody_there(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A server that does not answer can be started and tried again."""
    await plex_net.server.stop()
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net)
    result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "cannot_connect"}
    await plex_net.server.start()
    await finish(hass, await answer(hass, result, **right))


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE html><html><title>A router</title><p>Sign in</html>",
        "<html><body>Well-formed</body></html>",
        '{"server": "Something else"}',
        "",
    ],
)
async def test_something_else_there(
    hass: HomeAssistant, plex_net: PlexStandIn, text: str
) -> None:
    """Another service and a page for people are no Plex server."""
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net)
    with plex_net.server.faults.answer(text):
        result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "not_a_media_server"}
    await finish(hass, await answer(hass, result, **right))


async def test_too_old(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A server that is too old can be updated and tried again."""
    new, plex_net.server.version = plex_net.server.version, "1.24.5.5173-8dcc73a59"
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net)
    result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "too_old"}
    plex_net.server.version = new
    await finish(hass, await answer(hass, result, **right))


async def test_certificate(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A certificate that nobody vouches for is taken by whoever says so."""
    garage = await plex_net.add_server("Garage", https="self-signed")
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net) | {"url": f"https://127.0.0.1:{garage.port}"}
    result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "certificate"}
    result = await answer(hass, result, **right | {"verify_ssl": False})
    entry = await finish(hass, result)
    assert entry.title == "Garage"
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["verify_ssl"] is False


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_leads_to_https(
    hass: HomeAssistant, plex_net: PlexStandIn, status: int
) -> None:
    """A server that leads to https is met there."""
    garage = await plex_net.add_server("Garage", https="self-signed")
    garage.to_https = status
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net, garage)
    result = await answer(hass, result, **right | {"verify_ssl": False})
    entry = await finish(hass, result)
    assert entry.data["url"] == garage.url.replace("http:", "https:")
    assert entry.state is ConfigEntryState.LOADED


async def test_leads_to_a_certificate(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """One that nobody vouches for there is not told the token."""
    garage = await plex_net.add_server("Garage", https="self-signed")
    garage.to_https = 301
    result = await start_flow(hass, "plex", "plex_token")
    result = await answer(hass, result, **fields(plex_net, garage))
    assert result["errors"] == {"base": "certificate"}


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://auth.example.org/login?to=nas", "https://auth.example.org/login"),
        ("{other}/", "{other}"),
        ("/", "{url}"),
    ],
)
async def test_leads_elsewhere(
    hass: HomeAssistant, plex_net: PlexStandIn, location: str, shown: str
) -> None:
    """A redirect to anywhere else is not followed, least of all with the token."""
    other = await plex_net.add_server("Garage")
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net)
    places = {"url": plex_net.server.url, "other": f"http://localhost:{other.port}"}
    with plex_net.server.faults.redirect(location.format(**places)):
        result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "redirected"}
    placeholders = result["description_placeholders"]
    assert placeholders == {"url": shown.format(**places)}
    assert len(other.log) == 0
    await finish(hass, await answer(hass, result, **right))


@pytest.mark.parametrize("page", ["/web/index.html#!/media/5f0c", "/web/"])
async def test_address_of_the_page(
    hass: HomeAssistant, plex_net: PlexStandIn, page: str
) -> None:
    """The address that the browser shows will do."""
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net)
    result = await answer(hass, result, **right | {"url": f"{right['url']}{page}"})
    entry = await finish(hass, result)
    assert entry.data["url"] == right["url"]


async def test_no_https(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A port that speaks plain HTTP has no wrong certificate: it has none."""
    garage = await plex_net.add_server("Garage", https="none")
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net, garage)
    url = right["url"].replace("http:", "https:")
    for verify_ssl in (True, False):
        result = await answer(
            hass, result, **right | {"url": url, "verify_ssl": verify_ssl}
        )
        assert result["errors"] == {"base": "no_https"}
    await finish(hass, await answer(hass, result, **right))


async def test_plex_tv_fails_with_token(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """A server whose account cannot be asked about its webhooks is tried again."""
    result = await start_flow(hass, "plex", "plex_token")
    right = fields(plex_net)
    with plex_net.tv.faults.fail(500):
        result = await answer(hass, result, **right)
    assert result["errors"] == {"base": "server_failure"}
    await finish(hass, await answer(hass, result, **right))


# Found in the network


def announced(server: PlexMediaServer) -> ZeroconfServiceInfo:
    """Return how a server announces itself."""
    address = ip_address("127.0.0.1")
    return ZeroconfServiceInfo(
        ip_address=address,
        ip_addresses=[address],
        port=server.port,
        hostname="attic.local.",
        type="_plexmediasvr._tcp.local.",
        name=f"{server.name}._plexmediasvr._tcp.local.",
        properties={},
    )


async def discovered(
    hass: HomeAssistant, info: ZeroconfServiceInfo
) -> ConfigFlowResult:
    """Let a server be found; returns what is shown."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_ZEROCONF}, data=info
    )
    assert_translated(result, "config")
    return result


@BOTH_WAYS
async def test_discovered(
    hass: HomeAssistant, plex_net: PlexStandIn, sign_in: SignIn
) -> None:
    """A server that was found is the one that is added, and its address is known."""
    garage = await plex_net.add_server("Garage")
    menu = await discovered(hass, announced(garage))
    assert menu["step_id"] == "plex"
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {"name": "Garage"}
    if sign_in is by_pin:
        result = await by_pin(hass, menu, plex_net)
    else:
        result = await answer(hass, menu, next_step_id="plex_token")
        assert suggested(result) == {"url": garage.url}
        result = await answer(hass, result, **fields(plex_net, garage))
    entry = await finish(hass, result)
    assert (entry.title, entry.unique_id) == ("Garage", garage.uuid)
    # What is known is not offered.
    result = await discovered(hass, announced(garage))
    assert_aborted(result, "server_already_configured")


async def test_discovered_but_not_of_the_account(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """Whoever signs in with an account that has not the server found is asked which."""
    carol = plex_net.accounts.add("carol")
    garage = await plex_net.add_server("Garage", carol)
    menu = await discovered(hass, announced(plex_net.server))
    result = await by_pin(hass, menu, plex_net, carol)
    assert choices(result, "server") == {garage.uuid: "Garage"}


async def test_discovered_and_added_by_hand(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """A server that was found can be added in another way; the offer goes away then."""
    await discovered(hass, announced(plex_net.server))
    await added(hass, plex_net)
    assert hass.config_entries.flow.async_progress() == []


async def test_discovered_webhook_only(
    hass: HomeAssistant, client: TestClient[Any, Any], plex_net: PlexStandIn
) -> None:
    """A server that was found can do with its webhooks; it is not offered again."""
    result = await discovered(hass, announced(plex_net.server))
    result = await answer(hass, result, next_step_id="plex_webhook_only")
    result = await answer(hass, result, name="Attic")
    entry = await finish(hass, result)
    assert entry.unique_id == plex_net.server.uuid
    result = await discovered(hass, announced(plex_net.server))
    assert_aborted(result, "server_already_configured")


async def test_discovered_but_not_answering(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """What does not answer, or is no server, is not offered."""
    info = announced(plex_net.server)
    with plex_net.server.faults.html():
        assert_aborted(await discovered(hass, info), "cannot_connect")
    # Nor what says no end of things: whoever is in the network can announce a server.
    said = {"machineIdentifier": plex_net.server.uuid, "more": "x" * 1_000_000}
    with plex_net.server.faults.answer(
        json.dumps({"MediaContainer": said}), content_type="application/json"
    ):
        assert_aborted(await discovered(hass, info), "cannot_connect")
    await plex_net.server.stop()
    assert_aborted(await discovered(hass, info), "cannot_connect")


# Found at a new address


async def away(hass: HomeAssistant, plex: PlexStandIn, entry: ConfigEntry[Any]) -> None:
    """Let the server come back at another port, where nobody has found it yet."""
    await plex.server.close()
    assert not await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await plex.server.start()
    plex.reroute(plex.server)
    plex.server.log.clear()


@pytest.mark.parametrize("sign_in", [by_pin, by_token])
@pytest.mark.parametrize("is_loaded", [False, True])
async def test_announced_at_a_new_address(
    hass: HomeAssistant, plex_net: PlexStandIn, sign_in: SignIn, is_loaded: bool
) -> None:
    """A server that has moved is found again as it was known: by its name or address."""
    entry = await added(hass, plex_net, sign_in)
    before = dict(entry.data)
    server = plex_net.server
    if is_loaded:
        await server.close()
        await server.start()
        plex_net.reroute(server)
    else:
        await away(hass, plex_net, entry)
    result = await discovered(hass, announced(server))
    assert_aborted(result, "server_already_configured")
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    new_url = server.direct_url if sign_in is by_pin else server.url
    assert entry.data == before | {"url": new_url}
    assert entry.data["url"] != before["url"]


async def test_announced_when_another_one_is_where_it_was(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """That does not take the token, which says nothing of the server that does."""
    carol = plex_net.accounts.add("carol")
    garage = await plex_net.add_server("Garage", carol)
    entry = await added(hass, plex_net)
    before = dict(entry.data)
    hass.config_entries.async_update_entry(entry, data=before | {"url": garage.url})
    assert not await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    result = await discovered(hass, announced(plex_net.server))
    assert_aborted(result, "server_already_configured")
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert entry.data == before
    assert hass.config_entries.flow.async_progress() == []


async def test_announced_where_plex_tv_does_not_know_of_it(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """Who only says to be the server is not told the token, and is not taken for it."""
    entry = await added(hass, plex_net)
    before = dict(entry.data)
    await away(hass, plex_net, entry)
    dead = plex_net.tv.dead_connection()
    plex_net.tv.connections[plex_net.server.uuid] = [dead]
    result = await discovered(hass, announced(plex_net.server))
    assert_aborted(result, "server_already_configured")
    assert entry.data == before
    paths = {request.path for request in plex_net.server.log}
    assert paths == {"/identity"}
    assert not any(has_token(request) for request in plex_net.server.log)


@pytest.mark.parametrize("what", ["plex.tv", "token", "identity"])
async def test_announced_but_not_certain(
    hass: HomeAssistant, plex_net: PlexStandIn, what: str
) -> None:
    """Where plex.tv cannot be asked, or identity or token do not fit, all stays as it was."""
    entry = await added(hass, plex_net)
    before = dict(entry.data)
    await away(hass, plex_net, entry)
    info = announced(plex_net.server)
    match what:
        case "plex.tv":
            await plex_net.lose_internet()
        case "token":
            plex_net.server.faults.fail(401, path="/")
        case "identity":
            garage = await plex_net.add_server("Garage")
            tv = plex_net.tv
            tv.connections[plex_net.server.uuid] = tv.connections_of(garage)
            info = announced(garage)
            garage.faults.answer(
                f'{{"MediaContainer": {{"machineIdentifier": "{entry.unique_id}"}}}}',
                path="/identity",
            )
    assert_aborted(await discovered(hass, info), "server_already_configured")
    await hass.async_block_till_done()
    assert entry.data == before


@pytest.mark.parametrize("how", ["in use", "disabled"])
async def test_announced_elsewhere_too(
    hass: HomeAssistant, plex_net: PlexStandIn, how: str
) -> None:
    """A server that answers where it was is not taken anywhere else."""
    garage = await plex_net.add_server("Garage")
    entry = await added(hass, plex_net)
    before = dict(entry.data)
    if how == "disabled":
        await hass.config_entries.async_set_disabled_by(
            entry.entry_id, ConfigEntryDisabler.USER
        )
    plex_net.tv.log.clear()
    identity = f'{{"MediaContainer": {{"machineIdentifier": "{entry.unique_id}"}}}}'
    with garage.faults.answer(identity, path="/identity"):
        result = await discovered(hass, announced(garage))
    assert_aborted(result, "server_already_configured")
    assert entry.data == before
    assert len(plex_net.tv.log) == 0


async def test_found_where_only_https_is_spoken(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """A server that does not answer by plain HTTP is found all the same."""
    garage = await plex_net.add_server("Garage")
    garage.to_https = 301
    menu = await discovered(hass, announced(garage))
    result = await answer(hass, menu, next_step_id="plex_token")
    assert suggested(result) == {"url": garage.url.replace("http:", "https:")}


# The webhook and the accounts


@BOTH_WAYS
async def test_no_plex_pass(
    hass: HomeAssistant, plex_net: PlexStandIn, sign_in: SignIn
) -> None:
    """Without Plex Pass there are no webhooks, and that is all there is to say."""
    plex_net.owner.plex_pass = False
    menu = await start_flow(hass, "plex")
    result = await sign_in(hass, menu, plex_net)
    expected = said("webhook_obstacle.options.no_plex_pass")
    assert instructions(result) == expected
    entry = await finish(hass, result)
    await until(
        hass, lambda: entry.runtime_data.connection.registration.obstacle is not None
    )
    result = await reconfigure(hass, entry)
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["details"].endswith(expected)


# The same server again


@BOTH_WAYS
@pytest.mark.parametrize("first", [by_pin, by_token])
async def test_twice(
    hass: HomeAssistant, plex_net: PlexStandIn, first: SignIn, sign_in: SignIn
) -> None:
    """A server is not added twice, whatever the address."""
    entry = await added(hass, plex_net, first)
    menu = await start_flow(hass, "plex")
    result = await sign_in(hass, menu, plex_net)
    assert_aborted(result, "server_already_configured")
    assert servers(hass) == [entry]
    assert plex_net.accounts.user_of(entry.data["token"]) is plex_net.owner


@BOTH_WAYS
async def test_known_by_its_webhooks(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    plex_net: PlexStandIn,
    sign_in: SignIn,
) -> None:
    """A server that was known by its webhooks only keeps its entry and its links."""
    entry = await add_server(hass, "plex", "Upstairs")
    by_hand = MediaServer(
        entry=entry,
        client=client,
        simulator=PlexServer(
            name="Attic", uuid=plex_net.server.uuid, owner=ALICE_AT_PLEX
        ),
    )
    key = await by_hand.introduce(ALICE_AT_PLEX)
    viewer = await add_viewer(hass, "Alice", [key])
    plex_net.owner.webhooks.append(webhook_url(hass, entry))

    menu = await start_flow(hass, "plex")
    result = await sign_in(hass, menu, plex_net)
    assert_aborted(result, "webhook_only_signed_in")
    assert servers(hass) == [entry]
    assert (entry.title, entry.unique_id) == ("Upstairs", plex_net.server.uuid)
    assert viewers(hass) == {"Alice": [key]}
    await until(hass, lambda: "registered_url" in entry.data)
    assert plex_net.owner.webhooks == [FOREIGN, webhook_url(hass, entry)]
    await plex_net.watch("alice", THE_SALT_ROAD)
    assert len(await plays_of(hass, viewer)) == 1


# Signing in anew


@BOTH_WAYS
@pytest.mark.parametrize("first", [by_pin, by_token])
async def test_sign_in_anew(
    hass: HomeAssistant, plex_net: PlexStandIn, first: SignIn, sign_in: SignIn
) -> None:
    """A token that is worth nothing any more is replaced, in either way."""
    await plex_net.add_server("Garage")
    menu = await start_flow(hass, "plex")
    result = await first(hass, menu, plex_net)
    if first is by_pin:
        result = await answer(hass, result, server=plex_net.server.uuid)
    entry = await finish(hass, result)
    await until(hass, lambda: "registered_url" in entry.data)
    before = dict(entry.data)
    plex_net.revoke("alice")

    menu = await rejected(hass, entry)
    assert menu["menu_options"] == ["plex_sign_in", "plex_token"]
    result = await sign_in(hass, menu, plex_net)
    assert_aborted(result, "reauth_successful")
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert plex_net.accounts.user_of(entry.data["token"]) is plex_net.owner
    assert entry.data["token_obtained"] is (sign_in is by_pin)
    for key in ("webhook_id", "registered_url"):
        assert entry.data[key] == before[key]
    assert hass.config_entries.flow.async_progress() == []


async def test_sign_in_anew_where(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """Where the server is need not be said again."""
    entry = await added(hass, plex_net)
    plex_net.revoke("alice")
    menu = await rejected(hass, entry)
    result = await answer(hass, menu, next_step_id="plex_token")
    assert suggested(result) == {"url": plex_net.server.url, "verify_ssl": True}


async def test_sign_in_anew_elsewhere(
    hass: HomeAssistant, plex_net: PlexStandIn
) -> None:
    """An account that has not the server is not taken, nor is another server."""
    carol = plex_net.accounts.add("carol")
    garage = await plex_net.add_server("Garage", carol)
    entry = await added(hass, plex_net)
    before = dict(entry.data)
    plex_net.revoke("alice")
    menu = await rejected(hass, entry)
    assert_aborted(await by_pin(hass, menu, plex_net, carol), "another_server")

    hass.config_entries.async_schedule_reload(entry.entry_id)
    menu = await rejected(hass, entry)
    result = await answer(hass, menu, next_step_id="plex_token")
    result = await answer(
        hass, result, url=garage.url, token=plex_net.token(carol), verify_ssl=True
    )
    assert_aborted(result, "another_server")
    assert entry.data == before


# Reconfiguring


async def test_moved(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A server that has moved is found again at its new address."""
    garage = await plex_net.add_server("Garage")
    entry = await added(hass, plex_net)
    old_url = plex_net.server.url
    await plex_net.server.close()
    result = await reconfigured(hass, entry, url=f"{old_url}/", verify_ssl=False)
    assert result["errors"] == {"base": "cannot_connect"}
    await plex_net.server.start()
    values = {**suggested(result), "name": "Upstairs", "verify_ssl": True}
    assert values["url"] == f"{old_url}/"
    result = await answer(hass, result, **values | {"url": "http://"})
    assert result["errors"] == {"url": "invalid_url"}
    result = await answer(hass, result, **values | {"url": garage.url})
    assert result["errors"] == {"base": "another_server"}
    assert entry.data["url"] == old_url

    result = await answer(hass, result, **values | {"url": plex_net.server.url})
    assert_aborted(result, "reconfigure_successful")
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert (entry.title, entry.data["url"]) == ("Upstairs", plex_net.server.url)
    assert plex_net.owner.webhooks == [FOREIGN, webhook_url(hass, entry)]


async def test_moved_to_https(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A server that has come to lead to https says so, and is found there."""
    garage = await plex_net.add_server("Garage", https="self-signed")
    menu = await start_flow(hass, "plex", "plex_token")
    entry = await finish(hass, await answer(hass, menu, **fields(plex_net, garage)))
    garage.to_https = 308
    https = garage.url.replace("http:", "https:")
    assert not await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert https in (entry.reason or "")
    result = await reconfigured(hass, entry, verify_ssl=False)
    assert_aborted(result, "reconfigure_successful")
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert entry.data["url"] == https


async def test_renamed_while_away(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A server can be renamed while it is away; all else stays as it was."""
    entry = await added(hass, plex_net)
    before = dict(entry.data)
    await plex_net.server.stop()
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert_aborted(
        await reconfigured(hass, entry, name="Upstairs"), "reconfigure_successful"
    )
    assert entry.title == "Upstairs"
    assert entry.data == before


async def test_new_webhook(hass: HomeAssistant, plex_net: PlexStandIn) -> None:
    """A new webhook takes the place of the old one in the account; others stay."""
    entry = await added(hass, plex_net)
    old_url = webhook_url(hass, entry)
    result = await reconfigured(hass, entry, new_url=True)
    assert instructions(result) == said("instructions.options.automatic")
    assert_aborted(
        await answer(hass, result, local_only=True), "reconfigure_successful"
    )
    new_url = webhook_url(hass, entry)
    assert new_url != old_url
    await until(hass, lambda: entry.data["registered_url"] == new_url)
    assert plex_net.owner.webhooks == [FOREIGN, new_url]
