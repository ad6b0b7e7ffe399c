"""plex.tv as a stand-in plays it: the servers of an account, its webhooks."""

from collections.abc import Awaitable, Callable
import logging
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler import http_client
from custom_components.media_scrobbler.domain.media_server import (
    CannotConnectError,
    ForbiddenError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
    WebhookObstacleError,
)
from custom_components.media_scrobbler.plex.account import PlexAccount
from custom_components.media_scrobbler.plex.client import PlexClient

from ..simulators.faults import Fault
from ..simulators.plex_server import Connection, PlexStandIn, Resource

OURS = "http://192.0.2.10:8123/api/webhook/ours"
OLD = "http://192.0.2.11:8123/api/webhook/ours"
THEIRS = ["https://example.org/theirs", "https://example.org/others?b=1&a=%20"]
WEBHOOKS = "/api/v2/user/webhooks"

type Call = Callable[[PlexAccount], Awaitable[Any]]


@pytest.fixture
async def account(hass: HomeAssistant, plex_at_home: PlexStandIn) -> PlexAccount:
    """Return Alice's account."""
    return PlexAccount(hass, plex_at_home.token())


async def test_servers(hass: HomeAssistant, plex_at_home: PlexStandIn) -> None:
    """An account's servers come first, and their addresses at home before the others."""
    garage = await plex_at_home.add_server("Garage", "bob", share_with=["alice"])
    here, away = plex_at_home.server, "https://203-0-113-9.abc.plex.direct:32400"
    local = Connection(here.direct_url, "127.0.0.1", here.port)
    plex_at_home.tv.connections[here.uuid] = [
        Connection("https://relay.plex.direct:8443", "203.0.113.7", 8443, False, True),
        Connection(away, "203.0.113.9", 32400, local=False),
        local,
    ]
    plex_at_home.tv.resources.append(
        Resource(owner=plex_at_home.owner, name="TV", provides="client,player")
    )
    token = plex_at_home.token()
    attic, other = await PlexAccount(hass, token).async_servers()
    assert (attic.id, attic.name, attic.owned) == (here.uuid, "Attic", True)
    assert attic.token == token
    assert attic.urls == (
        here.direct_url,
        f"http://127.0.0.1:{here.port}",
        away,
        "https://relay.plex.direct:8443",
    )
    assert (other.id, other.owned) == (garage.uuid, False)
    assert other.token != token
    client = PlexClient(
        hass, url=garage.url, token=other.token, account_token=token, verify_ssl=True
    )
    assert (await client.async_info()).name == "Garage"


async def test_ipv6(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """An IPv6 address stands in brackets in a URL."""
    plex_at_home.tv.connections[plex_at_home.server.uuid] = [
        Connection("https://fd00--5.abc.plex.direct:32400", "fd00::5", 32400)
    ]
    (attic,) = await account.async_servers()
    assert attic.urls == (
        "https://fd00--5.abc.plex.direct:32400",
        "http://[fd00::5]:32400",
    )


async def test_register(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """Ours is added once and removed, and the others stay exactly as they were."""
    owner, log = plex_at_home.owner, plex_at_home.tv.log
    owner.webhooks.extend(THEIRS)
    await account.async_register_webhook(OURS)
    assert owner.webhooks == [*THEIRS, OURS]
    await account.async_register_webhook(OURS)
    assert log.count_of("POST", WEBHOOKS) == 1
    await account.async_remove_webhooks([OURS, OLD])
    assert owner.webhooks == THEIRS
    await account.async_remove_webhooks([OURS])
    assert log.count_of("POST", WEBHOOKS) == 2


async def test_only_ours(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """Where there are no others, none are left."""
    await account.async_register_webhook(OURS)
    assert plex_at_home.owner.webhooks == [OURS]
    await account.async_remove_webhooks([OURS])
    assert plex_at_home.owner.webhooks == []


async def test_replace(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """A new URL takes the place of the old one, whoever changes others meanwhile."""
    plex_at_home.owner.webhooks.extend([OLD, THEIRS[0]])
    await account.async_register_webhook(OURS, [OLD])
    assert plex_at_home.owner.webhooks == [THEIRS[0], OURS]
    plex_at_home.owner.webhooks[:] = THEIRS
    await account.async_register_webhook(OURS)
    assert plex_at_home.owner.webhooks == [*THEIRS, OURS]


async def test_list_that_cannot_be_read(
    plex_at_home: PlexStandIn, account: PlexAccount
) -> None:
    """What the others are has to be known before anything is written."""
    plex_at_home.owner.webhooks.extend(THEIRS)
    faults = plex_at_home.tv.faults
    ways: list[Callable[[], Fault]] = [
        lambda: faults.fail(500, path=WEBHOOKS),
        lambda: faults.html(path=WEBHOOKS),
        lambda: faults.cut(path=WEBHOOKS),
    ]
    for go_wrong in ways:
        with go_wrong(), pytest.raises(MediaServerError):
            await account.async_register_webhook(OURS)
        with go_wrong(), pytest.raises(MediaServerError):
            await account.async_remove_webhooks([THEIRS[0]])
    assert plex_at_home.owner.webhooks == THEIRS
    assert plex_at_home.tv.log.count_of("POST", WEBHOOKS) == 0


async def test_plex_pass(hass: HomeAssistant, plex_at_home: PlexStandIn) -> None:
    """Webhooks are for those with Plex Pass, from the moment they have it."""
    bob = plex_at_home.user("bob")
    account = PlexAccount(hass, plex_at_home.token(bob))
    assert not await account.async_has_pass()
    with pytest.raises(WebhookObstacleError) as raised:
        await account.async_register_webhook(OURS)
    assert raised.value.reason == "no_plex_pass"
    bob.plex_pass = True
    await account.async_register_webhook(OURS)
    assert bob.webhooks == [OURS]

    client = PlexClient(
        hass,
        url=plex_at_home.server.url,
        token=plex_at_home.server.token(bob),
        account_token=plex_at_home.token(bob),
    )
    assert await client.async_webhook_obstacle() is None
    bob.plex_pass = False
    carol = plex_at_home.user("carol")
    client = PlexClient(
        hass,
        url=plex_at_home.server.url,
        token=plex_at_home.server.token(carol),
        account_token=plex_at_home.token(carol),
    )
    assert await client.async_webhook_obstacle() == "no_plex_pass"


async def test_no_cookies(hass: HomeAssistant, plex_at_home: PlexStandIn) -> None:
    """What plex.tv says to one account is not said back with the token of another."""
    with (
        plex_at_home.tv.faults.answer("", headers={"Set-Cookie": "who=alice; Path=/"}),
        pytest.raises(NotAMediaServerError),
    ):
        await PlexAccount(hass, plex_at_home.token()).async_has_pass()
    await PlexAccount(hass, plex_at_home.token("bob")).async_has_pass()
    assert len(plex_at_home.tv.log) == 2
    assert not any("Cookie" in request.headers for request in plex_at_home.tv.log)


async def test_sign_out(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """A token that was given back is no good."""
    other = plex_at_home.token()
    await account.async_sign_out()
    with pytest.raises(SignInError):
        await account.async_servers()
    assert plex_at_home.accounts.user_of(other) is plex_at_home.owner


CALLS: list[Call] = [
    lambda account: account.async_party(),
    lambda account: account.async_has_pass(),
    lambda account: account.async_servers(),
    lambda account: account.async_register_webhook(OURS),
    lambda account: account.async_remove_webhooks([OURS]),
    lambda account: account.async_sign_out(),
]


@pytest.mark.parametrize("call", CALLS)
async def test_once_is_repeated(
    plex_at_home: PlexStandIn, account: PlexAccount, call: Call
) -> None:
    """What fails once in reading is asked again."""
    with plex_at_home.tv.faults.fail(503, method="GET", times=1) as wrong:
        await call(account)
    assert wrong.hits


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ServerFailureError),
        (401, SignInError),
        (403, ForbiddenError),
        (404, NotAMediaServerError),
        (500, ServerFailureError),
    ],
)
async def test_always(
    plex_at_home: PlexStandIn,
    account: PlexAccount,
    call: Call,
    status: int,
    error: type[MediaServerError],
) -> None:
    """What always goes wrong is told, and never with the token in it."""
    with (
        plex_at_home.tv.faults.fail(status, text=f"Token {account._token} is bad"),
        pytest.raises(error) as raised,
    ):
        await call(account)
    assert account._token not in f"{raised.value} {raised.value!r}"


@pytest.mark.parametrize("call", CALLS)
async def test_never_answers(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """plex.tv that is slow, hangs, breaks off, is something else or is down."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http_client, "TIMEOUT", 0.15)
    account = PlexAccount(hass, plex_at_home.token())
    faults = plex_at_home.tv.faults
    ways: list[Callable[[], Fault]] = [
        lambda: faults.slow(0.5),
        faults.hang,
        faults.trickle,
        faults.cut,
        faults.drop,
    ]
    for go_wrong in ways:
        with go_wrong(), pytest.raises(CannotConnectError):
            await call(account)
    monkeypatch.setattr(http_client, "TIMEOUT", 10)
    with faults.html(), pytest.raises(NotAMediaServerError):
        await call(account)
    await plex_at_home.tv.stop()
    with pytest.raises(CannotConnectError) as raised:
        await call(account)
    assert account._token not in f"{raised.value!r} {raised.value.__cause__!r}"
    await plex_at_home.tv.start()
    await call(PlexAccount(hass, account._token))
    assert account._token not in caplog.text
    assert "/api/webhook/ours" not in caplog.text
