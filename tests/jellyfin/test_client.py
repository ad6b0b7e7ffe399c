"""The client of Jellyfin's API, asked of a stand-in over HTTP.

With MEDIA_SCROBBLER_OPENAPI set, every request and every answer is also held against
Jellyfin's own description of its API.
"""

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import timedelta
from functools import partial
import logging
from typing import Any

from aiohttp import ClientSession, TCPConnector
import pytest

from custom_components.media_scrobbler.domain.event import Party
from custom_components.media_scrobbler.domain.library import Section
from custom_components.media_scrobbler.domain.media_server import (
    CannotConnectError,
    CertificateError,
    ForbiddenError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
    TooOldError,
    WebhookObstacleError,
)
from custom_components.media_scrobbler.domain.title import MediaType
from custom_components.media_scrobbler.jellyfin import client as client_module
from custom_components.media_scrobbler.jellyfin.client import JellyfinClient

from ..signed_in import short
from ..simulators.catalogue import (
    LOW_WATER,
    NINTH_MERIDIAN_TRAILER,
    SLOW_FERRY,
    THE_SALT_ROAD,
)
from ..simulators.faults import Fault, Faults
from ..simulators.jellyfin import JellyfinUser
from ..simulators.jellyfin_server import JellyfinStandIn
from .someone import Someone

OURS = "http://192.0.2.10:8123/api/webhook/ours"
OLD = "http://192.0.2.11:8123/api/webhook/ours"
THEIRS = "https://example.org/theirs"
NOWHERE = Section("1" * 32, "Movies", (MediaType.MOVIE,))

type Call = Callable[[JellyfinClient], Awaitable[Any]]


pytestmark = pytest.mark.usefixtures("impatience")


# Signing in


async def test_password(jellyfin: JellyfinStandIn, session: ClientSession) -> None:
    """A password gives a token, which is used from then on and can be given back."""
    client = JellyfinClient(session, url=f"{jellyfin.url}/", device_id="höme, 1")
    signed_in = await client.async_sign_in("alice", "secret")
    alice = JellyfinUser.named("alice")
    assert signed_in.account == Party(alice.id, "alice")
    token = jellyfin.accounts.tokens[signed_in.token]
    assert token.device.id == "höme, 1"
    assert [party.name for party in await client.async_accounts()] == ["alice", "bob"]

    await client.async_sign_out()
    assert signed_in.token not in jellyfin.accounts.tokens
    with pytest.raises(SignInError):
        await client.async_accounts()


async def test_wrong_password(
    jellyfin: JellyfinStandIn, session: ClientSession
) -> None:
    """A wrong password is sent once: servers lock users out who guess."""
    client = JellyfinClient(session, url=jellyfin.url, device_id="home")
    with pytest.raises(SignInError):
        await client.async_sign_in("alice", "guessed")
    with jellyfin.faults.fail(500), pytest.raises(ServerFailureError):
        await client.async_sign_in("alice", "secret")
    assert jellyfin.log.count_of("POST", "/Users/AuthenticateByName") == 2


async def test_quick_connect(jellyfin: JellyfinStandIn, session: ClientSession) -> None:
    """A code that a person enters elsewhere gives a token."""
    client = JellyfinClient(session, url=jellyfin.url, device_id="home")
    code, secret = await client.async_quick_connect()
    waiting = asyncio.create_task(client.async_wait_for_quick_connect(secret))
    async with asyncio.timeout(5):
        while jellyfin.log.count_of("GET", "/QuickConnect/Connect") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not waiting.done()
    jellyfin.authorize_quick_connect(code, JellyfinUser.named("bob"))
    signed_in = await waiting
    assert signed_in.account.name == "bob"
    assert signed_in.token in jellyfin.accounts.tokens


async def test_quick_connect_expires(
    jellyfin: JellyfinStandIn, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code that nobody enters in time gives none."""
    client = JellyfinClient(session, url=jellyfin.url, device_id="home")
    _, secret = await client.async_quick_connect()
    jellyfin.accounts.expire_quick_connect()
    with pytest.raises(SignInError):
        await client.async_wait_for_quick_connect(secret)

    _, secret = await client.async_quick_connect()
    monkeypatch.setattr(client_module, "QUICK_CONNECT_LIFETIME", 0.05)
    with pytest.raises(SignInError):
        await client.async_wait_for_quick_connect(secret)


@pytest.mark.parametrize("path", ["/QuickConnect/*", "/Users/*"])
@pytest.mark.parametrize(
    "go_wrong",
    [
        partial(Faults.fail, status=429, times=1),
        partial(Faults.fail, status=503, times=9),
        partial(Faults.fail, status=401, times=1),
        partial(Faults.html, times=1),
        partial(Faults.answer, text='{"Authenticated": []}', times=1),
        partial(Faults.cut, times=1),
        partial(Faults.drop, times=9),
    ],
)
async def test_quick_connect_goes_on(
    jellyfin: JellyfinStandIn,
    session: ClientSession,
    path: str,
    go_wrong: Callable[..., Fault],
) -> None:
    """Answers that go wrong do not end the wait for a code, nor that for its token."""
    client = JellyfinClient(session, url=jellyfin.url, device_id="home")
    code, secret = await client.async_quick_connect()
    fault = go_wrong(jellyfin.faults, path=path)
    waiting = asyncio.create_task(client.async_wait_for_quick_connect(secret))
    async with asyncio.timeout(5):
        while jellyfin.log.count_of("GET", "/QuickConnect/Connect") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    jellyfin.authorize_quick_connect(code, JellyfinUser.named("bob"))
    signed_in = await waiting
    assert signed_in.token in jellyfin.accounts.tokens
    assert fault.hits == fault.times


async def test_quick_connect_off(
    jellyfin: JellyfinStandIn, session: ClientSession
) -> None:
    """A server may have it switched off."""
    jellyfin.accounts.quick_connect_enabled = False
    client = JellyfinClient(session, url=jellyfin.url, device_id="home")
    with pytest.raises(ForbiddenError):
        await client.async_quick_connect()


# Reading


async def test_info(jellyfin: JellyfinStandIn, session: ClientSession) -> None:
    """Which server it is can be asked without signing in."""
    client = JellyfinClient(session, url=jellyfin.url, device_id="home")
    info = await client.async_info()
    assert (info.id, info.name) == (jellyfin.server.id, "Living room")
    assert info.version == str(jellyfin.version)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ('{"Id": "b6e3d8f1", "Version": "10.10.7"}', TooOldError),
        ('{"Id": "b6e3d8f1", "Version": "4.9.1.2"}', TooOldError),
        ('{"Id": "b6e3d8f1"}', NotAMediaServerError),
        ('{"Version": "12.0.0"}', NotAMediaServerError),
        ('{"Id": ["b6e3d8f1"], "Version": "12.0.0"}', NotAMediaServerError),
        ('["b6e3d8f1"]', NotAMediaServerError),
        ('"b6e3d8f1"', NotAMediaServerError),
        ("", NotAMediaServerError),
        ("{", NotAMediaServerError),
    ],
)
async def test_no_info(
    jellyfin: JellyfinStandIn,
    session: ClientSession,
    answer: str,
    error: type[MediaServerError],
) -> None:
    """What answers may be too old, or nothing of the kind."""
    client = JellyfinClient(session, url=jellyfin.url, device_id="home")
    with jellyfin.faults.answer(answer), pytest.raises(error):
        await client.async_info()


async def test_accounts(
    jellyfin: JellyfinStandIn, alice: Someone, bob: Someone
) -> None:
    """Everybody is told who there is, oneself first."""
    both = [Party(alice.user.id, "alice"), Party(bob.user.id, "bob")]
    assert await alice.client.async_accounts() == both
    assert await bob.client.async_accounts() == both[::-1]


@pytest.mark.parametrize("answer", ["{}", "3", "[3]", '[{"Id": {}}]', "null"])
async def test_no_accounts(
    jellyfin: JellyfinStandIn, alice: Someone, answer: str
) -> None:
    """Nonsense is an error, not a traceback."""
    with (
        jellyfin.faults.answer(answer, path="/Users"),
        pytest.raises(NotAMediaServerError),
    ):
        await alice.client.async_accounts()


async def test_now_playing(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """What plays is told with its position and where its poster is."""
    assert await alice.client.async_now_playing() == []
    bob = JellyfinUser.named("bob")
    await jellyfin.play(LOW_WATER, bob, position=timedelta(minutes=3))
    await jellyfin.pause(timedelta(minutes=4))
    (playing,) = await alice.client.async_now_playing()
    assert playing.player == Party(
        jellyfin.server.device.id, jellyfin.server.device.name
    )
    assert playing.account == Party(bob.id, "bob")
    assert playing.paused
    assert playing.position == 240
    title = playing.title
    assert (title.show, title.season, title.episode) == ("Harbour Lights", 2, 3)
    assert title.items == {
        jellyfin.server.id: jellyfin.items.id_of(LOW_WATER).replace("-", "")
    }
    assert playing.artwork is not None
    show = jellyfin.items.id_of(LOW_WATER.show)
    assert playing.artwork.replace("-", "") == show.replace("-", "")
    await jellyfin.resume()
    (playing,) = await alice.client.async_now_playing()
    assert not playing.paused


async def test_nothing_that_counts_plays(
    jellyfin: JellyfinStandIn, alice: Someone
) -> None:
    """Trailers are no titles, and what cannot be understood is left out."""
    await jellyfin.play(NINTH_MERIDIAN_TRAILER, alice.user)
    assert await alice.client.async_now_playing() == []
    with jellyfin.faults.answer(
        '[{"NowPlayingItem": {"Type": "Movie", "Name": []}}, {"NowPlayingItem": 3},'
        ' {"NowPlayingItem": {"Type": "Movie", "Name": "Tide"}, "DeviceId": "tv"}]',
        path="/Sessions",
    ):
        (playing,) = await alice.client.async_now_playing()
    assert (playing.title.title, playing.account) == ("Tide", None)
    assert (playing.position, playing.paused, playing.artwork) == (None, False, None)


async def test_titles(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """A title is told with its ids and its run time."""

    async def title_of(title: Any) -> Any:
        return await alice.client.async_title(jellyfin.items.id_of(title))

    movie = await title_of(THE_SALT_ROAD)
    assert movie.media_type is MediaType.MOVIE
    assert movie.ids == {"tmdb": 918273, "imdb": "tt9182736", "tvdb": 219483}
    assert (movie.year, movie.duration) == (2019, 6720)
    episode = await title_of(LOW_WATER)
    assert episode.ids == {"tmdb": 4712093, "imdb": "tt9471209", "tvdb": 9712094}
    assert (episode.season, episode.episode) == (2, 3)
    show = await title_of(LOW_WATER.show)
    assert show.ids == {"tmdb": 288104, "imdb": "tt9288104", "tvdb": 438120}
    track = await title_of(SLOW_FERRY)
    assert (track.artist, track.album) == ("Marlow & Finch", "Tidewater")


async def test_no_title(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """What is gone, what is no title and what is nonsense are none."""
    item = jellyfin.items.id_of(THE_SALT_ROAD)
    assert (
        await alice.client.async_title(jellyfin.items.id_of(NINTH_MERIDIAN_TRAILER))
        is None
    )
    for answer in ("{}", '{"Items": [{"Type": "Movie", "Name": {}}]}', '{"Items": 3}'):
        with jellyfin.faults.answer(answer, path="/Items"):
            assert await alice.client.async_title(item) is None
    await jellyfin.remove(THE_SALT_ROAD)
    assert await alice.client.async_title(item) is None


async def test_title_by_api_key(
    jellyfin: JellyfinStandIn, session: ClientSession
) -> None:
    """An API key is nobody's, and is told all the same."""
    client = JellyfinClient(
        session, url=jellyfin.url, device_id="home", token=jellyfin.api_key()
    )
    title = await client.async_title(jellyfin.items.id_of(THE_SALT_ROAD))
    assert title is not None
    assert title.ids["tmdb"] == 918273


async def test_artwork(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """A poster is a picture; a page for people is none."""
    item = jellyfin.items.id_of(THE_SALT_ROAD)
    assert (await alice.client.async_artwork(item)).startswith(b"\xff\xd8")
    with pytest.raises(NotAMediaServerError):
        await alice.client.async_artwork("0" * 32)
    with jellyfin.faults.html(), pytest.raises(NotAMediaServerError):
        await alice.client.async_artwork(item)


# Webhooks


async def test_register(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """Ours is added once and removed, and everything else stays exactly as it was."""
    jellyfin.plugin.add_generic(
        THEIRS,
        ["PlaybackStop"],
        Template="e3tOYW1lfX0=",
        SendAllProperties=False,
        UserFilter=[JellyfinUser.named("bob").id],
        Fields=[{"Key": "a", "Value": "b"}],
    )
    before = deepcopy(jellyfin.plugin.configuration)
    await alice.client.async_register_webhook(OURS)
    theirs, ours = jellyfin.plugin.generic
    assert theirs == before["GenericOptions"][0]
    assert ours["WebhookUri"] == OURS
    assert ours["UserFilter"] == []

    await alice.client.async_register_webhook(OURS)
    writes = "/Plugins/*/Configuration"
    assert jellyfin.log.count_of("POST", writes) == 1
    ours["WebhookName"], ours["EnableMovies"] = "Mine", False
    await alice.client.async_register_webhook(OURS)
    ours = jellyfin.plugin.generic[1]
    assert ours["EnableMovies"]

    await alice.client.async_remove_webhooks([OURS])
    assert jellyfin.plugin.configuration == before
    await alice.client.async_remove_webhooks([OURS])
    assert jellyfin.log.count_of("POST", writes) == 3


async def test_replace(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """A new URL takes the place of the old one, and of copies of itself."""
    jellyfin.plugin.add_generic(OLD, ["PlaybackStop"])
    jellyfin.plugin.add_generic(THEIRS, ["PlaybackStop"])
    await alice.client.async_register_webhook(OURS, [OLD])
    assert [one["WebhookUri"] for one in jellyfin.plugin.generic] == [THEIRS, OURS]
    jellyfin.plugin.generic.append(deepcopy(jellyfin.plugin.generic[1]))
    await alice.client.async_register_webhook(OURS)
    assert [one["WebhookUri"] for one in jellyfin.plugin.generic] == [THEIRS, OURS]


async def test_webhooks_arrive(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """What has been registered is what the plugin sends by."""
    await alice.client.async_register_webhook(f"{jellyfin.url}/System/Ping")
    await jellyfin.play(THE_SALT_ROAD, JellyfinUser.named("bob"))
    deliveries = await jellyfin.finish()
    assert {delivery.event for delivery in deliveries} >= {"PlaybackStop"}
    assert deliveries[0].content_type.startswith("application/json")
    assert deliveries[0].json()["ItemId"]


async def test_obstacles(
    jellyfin: JellyfinStandIn, alice: Someone, bob: Someone
) -> None:
    """The plugin has to be there, and the user has to be an administrator."""
    assert await alice.client.async_webhook_obstacle() is None
    assert await bob.client.async_webhook_obstacle() == "no_administrator"
    with pytest.raises(WebhookObstacleError) as raised:
        await bob.client.async_register_webhook(OURS)
    assert raised.value.reason == "no_administrator"
    jellyfin.plugin.installed = False
    assert await alice.client.async_webhook_obstacle() == "no_webhook_plugin"
    with pytest.raises(WebhookObstacleError):
        await alice.client.async_remove_webhooks([OURS])


async def test_may_read_but_not_write(
    jellyfin: JellyfinStandIn, alice: Someone
) -> None:
    """A proxy may let reading through and writing not."""
    with (
        jellyfin.faults.fail(403, method="POST"),
        pytest.raises(WebhookObstacleError) as raised,
    ):
        await alice.client.async_register_webhook(OURS)
    assert raised.value.reason == "no_administrator"
    with (
        jellyfin.faults.answer("[]", path="/Plugins/*"),
        pytest.raises(NotAMediaServerError),
    ):
        await alice.client.async_register_webhook(OURS)


# What can go wrong


async def answer_or_error(asked: Awaitable[Any]) -> Any:
    """Return what comes of a call."""
    try:
        return await asked
    except MediaServerError as err:
        return err


READING: list[Call] = [
    lambda client: client.async_info(),
    lambda client: client.async_accounts(),
    lambda client: client.async_now_playing(),
    lambda client: client.async_title("0" * 32),
    lambda client: client.async_sections(),
    lambda client: client.async_page(NOWHERE, MediaType.MOVIE, 0, 10),
    lambda client: client.async_episodes(NOWHERE.id),
    lambda client: client.async_webhook_obstacle(),
    lambda client: client.async_register_webhook(OURS),
    lambda client: client.async_remove_webhooks([OURS]),
]


@pytest.mark.parametrize("call", READING)
async def test_once_is_repeated(
    jellyfin: JellyfinStandIn, alice: Someone, call: Call
) -> None:
    """What goes wrong once or twice in reading is not noticed."""
    faults = jellyfin.faults
    ways: list[Callable[[], Fault]] = [
        lambda: faults.fail(500, method="GET", times=2),
        lambda: faults.fail(503, method="GET", times=1),
        lambda: faults.drop(method="GET", times=1),
        lambda: faults.cut(method="GET", times=1),
    ]
    for go_wrong in ways:
        with go_wrong() as wrong:
            await call(alice.client)
        assert wrong.hits


@pytest.mark.parametrize("call", READING)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, NotAMediaServerError),
        (401, SignInError),
        (403, ForbiddenError),
        (404, NotAMediaServerError),
        (500, ServerFailureError),
        (503, ServerFailureError),
    ],
)
async def test_always(
    jellyfin: JellyfinStandIn,
    alice: Someone,
    call: Call,
    status: int,
    error: type[MediaServerError],
) -> None:
    """What always goes wrong is told, and never with the token in it."""
    with jellyfin.faults.fail(status, text=f"Token {alice.token} is bad"):
        answer = await answer_or_error(call(alice.client))
    assert alice.token not in f"{answer!r} {getattr(answer, '__cause__', None)!r}"
    if isinstance(answer, error):
        return
    # Of webhooks this is the reason why there are none.
    reason = getattr(answer, "reason", answer)
    assert (status, reason) in [(403, "no_administrator"), (404, "no_webhook_plugin")]


@pytest.mark.parametrize("call", READING)
async def test_never_answers(
    jellyfin: JellyfinStandIn,
    alice: Someone,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that is slow, hangs, breaks off, is something else or is down."""
    caplog.set_level(logging.DEBUG)
    short(monkeypatch, 0.1)
    faults = jellyfin.faults
    ways: list[Callable[[], Fault]] = [
        lambda: faults.slow(0.5),
        faults.hang,
        faults.trickle,
        faults.cut,
        faults.drop,
    ]
    for go_wrong in ways:
        with go_wrong(), pytest.raises(CannotConnectError):
            await call(alice.client)
    short(monkeypatch, 10)
    with jellyfin.faults.html(), pytest.raises(NotAMediaServerError):
        await call(alice.client)
    await jellyfin.stop()
    with pytest.raises(CannotConnectError) as raised:
        await call(alice.client)
    assert alice.token not in f"{raised.value!r} {raised.value.__cause__!r}"
    await jellyfin.start()
    assert alice.token not in caplog.text


async def test_within_the_limit(
    jellyfin: JellyfinStandIn, alice: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow is not yet too slow."""
    short(monkeypatch, 5)
    with jellyfin.faults.slow(0.1):
        assert (await alice.client.async_info()).name == "Living room"


async def test_signed_out_at_the_server(
    jellyfin: JellyfinStandIn, alice: Someone
) -> None:
    """A token that has been revoked is no good."""
    jellyfin.revoke_tokens(alice.user)
    with pytest.raises(SignInError):
        await alice.client.async_accounts()


async def test_certificate() -> None:
    """A certificate that nobody vouches for is refused unless that is wanted."""
    async with JellyfinStandIn(https=True) as jellyfin, ClientSession() as session:
        client = JellyfinClient(session, url=jellyfin.url, device_id="home")
        with pytest.raises(CertificateError):
            await client.async_info()
        async with ClientSession(connector=TCPConnector(ssl=False)) as trusting:
            client = JellyfinClient(trusting, url=jellyfin.url, device_id="home")
            assert (await client.async_info()).name == "Living room"


@pytest.mark.parametrize("url", ["http://[::1", "http://", "nowhere"])
async def test_no_url(session: ClientSession, url: str) -> None:
    """What is no URL leads nowhere."""
    client = JellyfinClient(session, url=url, device_id="home")
    with pytest.raises(CannotConnectError):
        await client.async_info()


@pytest.mark.parametrize(
    "answer", ['{"AccessToken": "a"}', '{"User": {}}', '{"AccessToken": []}', "[]"]
)
async def test_nonsense_at_sign_in(
    jellyfin: JellyfinStandIn, session: ClientSession, answer: str
) -> None:
    """What signs nobody in is no sign-in."""
    client = JellyfinClient(session, url=jellyfin.url, device_id="home")
    with (
        jellyfin.faults.answer(answer, method="POST"),
        pytest.raises(NotAMediaServerError),
    ):
        await client.async_sign_in("alice", "secret")
    with (
        jellyfin.faults.answer(answer, method="POST"),
        pytest.raises(NotAMediaServerError),
    ):
        await client.async_quick_connect()
