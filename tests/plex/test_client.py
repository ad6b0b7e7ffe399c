"""The client of a Plex Media Server, asked of a stand-in over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler import http_client
from custom_components.media_scrobbler.domain.event import Party
from custom_components.media_scrobbler.domain.media_server import (
    CannotConnectError,
    CertificateError,
    ForbiddenError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
    TooOldError,
)
from custom_components.media_scrobbler.domain.title import MediaType
from custom_components.media_scrobbler.plex.client import PlexClient, async_identity

from ..simulators.catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN_TRAILER,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
)
from ..simulators.faults import Fault
from ..simulators.plex import LIVING_ROOM_TV
from ..simulators.plex_server import PlexStandIn
from .common import client_of

type Call = Callable[[PlexClient], Awaitable[Any]]


@pytest.fixture
async def alice(hass: HomeAssistant, plex_at_home: PlexStandIn) -> PlexClient:
    """Return the client of the owner, who has asked before."""
    client = client_of(hass, plex_at_home)
    await client.async_info()
    plex_at_home.server.log.clear()
    return client


# Reading


async def test_info(hass: HomeAssistant, plex_at_home: PlexStandIn) -> None:
    """Which server it is, over plain HTTP and under the name that plex.tv gives it."""
    for url in (plex_at_home.server.url, plex_at_home.server.direct_url):
        info = await client_of(hass, plex_at_home, url=url).async_info()
        assert (info.id, info.name) == (plex_at_home.server.uuid, "Attic")
        assert info.version == plex_at_home.server.version


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ('<MediaContainer machineIdentifier="a" version="1.24.5-f6"/>', TooOldError),
        ('<MediaContainer machineIdentifier="a"/>', NotAMediaServerError),
        ('<MediaContainer version="1.43.0"/>', NotAMediaServerError),
        ("<MediaContainer", NotAMediaServerError),
        ("", NotAMediaServerError),
        ("[]", NotAMediaServerError),
    ],
)
async def test_no_info(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    answer: str,
    error: type[MediaServerError],
) -> None:
    """What answers may be too old, or nothing of the kind."""
    client = client_of(hass, plex_at_home)
    faults = plex_at_home.server.faults
    with (
        faults.answer(answer, content_type="application/xml"),
        pytest.raises(error),
    ):
        await client.async_info()


async def test_accounts(hass: HomeAssistant, plex_at_home: PlexStandIn) -> None:
    """The owner is told of everybody, others know of themselves alone."""
    bob, carol = plex_at_home.user("bob"), plex_at_home.user("carol")
    assert await client_of(hass, plex_at_home).async_accounts() == [
        Party("1", "alice"),
        Party(str(bob.id), "bob"),
        Party(str(carol.id), "carol"),
    ]
    carols = client_of(hass, plex_at_home, "carol")
    assert await carols.async_accounts() == [Party(str(carol.id), "carol")]


async def test_now_playing(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """What plays is told with its position and where its poster is."""
    assert await alice.async_now_playing() == []
    await plex_at_home.play("bob", LOW_WATER, position=timedelta(minutes=3))
    await plex_at_home.pause(position=timedelta(minutes=4))
    (playing,) = await alice.async_now_playing()
    assert playing.player == Party(LIVING_ROOM_TV.uuid, LIVING_ROOM_TV.title)
    assert playing.account == Party(str(plex_at_home.user("bob").id), "bob")
    assert playing.paused
    assert playing.position == 240
    title = playing.title
    assert (title.show, title.season, title.episode) == ("Harbour Lights", 2, 3)
    assert title.items == {plex_at_home.server.uuid: plex_at_home.server.key(LOW_WATER)}
    assert playing.artwork is not None
    assert plex_at_home.server.key(HARBOUR_LIGHTS) in playing.artwork
    await plex_at_home.resume()
    (playing,) = await alice.async_now_playing()
    assert not playing.paused


async def test_nothing_that_counts_plays(
    hass: HomeAssistant, plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """Trailers are no titles, and what cannot be understood is left out."""
    await plex_at_home.play("bob", NINTH_MERIDIAN_TRAILER)
    assert await alice.async_now_playing() == []
    with plex_at_home.server.faults.answer(
        '<MediaContainer><Video type="movie" year="soon"><Player/></Video>'
        '<Video type="movie" title="Tide" viewOffset="soon"><Player/></Video>'
        '<Video type="movie" title="Tide"/><Photo type="photo"><Player/></Photo>'
        '<Video type="movie" title="Ebb"><Player title="TV"/></Video></MediaContainer>',
        path="/status/sessions",
        content_type="application/xml",
    ):
        (playing,) = await alice.async_now_playing()
    assert (playing.title.title, playing.account) == ("Ebb", None)
    assert (playing.position, playing.paused, playing.artwork) == (None, False, None)
    with pytest.raises(ForbiddenError):
        await client_of(hass, plex_at_home, "carol").async_now_playing()


async def test_titles(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """A title is told with its ids and its run time."""

    async def title_of(title: Any) -> Any:
        return await alice.async_title(plex_at_home.server.key(title))

    movie = await title_of(THE_SALT_ROAD)
    assert movie.media_type is MediaType.MOVIE
    external = {source: movie.ids[source] for source in ("tmdb", "imdb", "tvdb")}
    assert external == {"tmdb": 918273, "imdb": "tt9182736", "tvdb": 219483}
    assert (movie.year, movie.duration) == (2019, 6720)
    episode = await title_of(LOW_WATER)
    assert (episode.season, episode.episode) == (2, 3)
    assert episode.ids["tvdb"] == 9712094
    show = await title_of(HARBOUR_LIGHTS)
    assert (show.media_type, show.ids["tvdb"]) == (MediaType.SHOW, 438120)
    assert (await title_of(SLOW_FERRY)).artist == "Marlow & Finch"


async def test_several_titles(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """They are asked for at once; what shares its file with an episode follows it."""
    server = plex_at_home.server
    plex_at_home.share_file(LOW_WATER, FOG_SIGNAL)
    keys = [server.key(title) for title in (LOW_WATER, HARBOUR_LIGHTS, THE_PILOT_BOAT)]
    found = await alice.async_titles([*keys, "7"])
    names = [[title.title for title in found[key]] for key in keys]
    assert names == [
        ["Low Water", "Fog Signal"],
        ["Harbour Lights"],
        ["The Pilot Boat"],
    ]
    assert found.keys() == set(keys)
    assert all("tvdb" in title.ids for title in found[keys[0]])
    # Which episodes of a season share a file is asked once.
    before = len(server.log)
    (other,) = (await alice.async_titles([server.key(FOG_SIGNAL)])).values()
    assert [title.title for title in other] == ["Fog Signal", "Low Water"]
    assert len(server.log) - before == 1


@pytest.mark.parametrize(
    ("of_show", "ids"),
    [
        pytest.param({"imdb": "tt1"}, {"imdb": "tt2", "tmdb": 5}, id="known"),
        pytest.param({}, {"tmdb": 5}, id="unknown"),
    ],
)
async def test_ids_of_the_show_beside_an_episodes(
    plex_at_home: PlexStandIn,
    alice: PlexClient,
    of_show: dict[str, str],
    ids: dict[str, Any],
) -> None:
    """Of two ids of one source the episode's is the one that is not its show's."""
    faults = plex_at_home.server.faults

    def container(element: str, *guids: str) -> str:
        listed = "".join(f'<Guid id="{guid}"/>' for guid in guids)
        return f"<MediaContainer>{element}{listed}</Directory></MediaContainer>"

    episode = container(
        '<Directory ratingKey="8" type="episode" grandparentRatingKey="9">',
        "imdb://tt1",
        "imdb://tt2",
        "tmdb://5",
    )
    show = container(
        '<Directory ratingKey="9" type="show">',
        *(f"{source}://{value}" for source, value in of_show.items()),
    )
    with (
        faults.answer(episode, path="/library/metadata/8", content_type="text/xml"),
        faults.answer(show, path="/library/metadata/9", content_type="text/xml"),
    ):
        ((title,),) = (await alice.async_titles(["8"])).values()
    assert title.ids == ids


async def test_no_title(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """What is gone, what is no title and what is nonsense are none."""
    key = plex_at_home.server.key(THE_SALT_ROAD)
    for answer in (
        "<MediaContainer/>",
        '<MediaContainer><Video type="clip"/></MediaContainer>',
        '<MediaContainer><Video type="movie" year="soon"/></MediaContainer>',
    ):
        with plex_at_home.server.faults.answer(answer, content_type="application/xml"):
            assert await alice.async_title(key) is None
    plex_at_home.remove(THE_SALT_ROAD)
    assert await alice.async_title(key) is None


async def test_artwork(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """A poster is asked for without the token in the URL; a page for people is none."""
    await plex_at_home.play("bob", THE_SALT_ROAD)
    (playing,) = await alice.async_now_playing()
    assert playing.artwork is not None
    assert (await alice.async_artwork(playing.artwork)).startswith(b"\xff\xd8")
    assert not plex_at_home.server.log[-1].query
    with plex_at_home.server.faults.html(), pytest.raises(NotAMediaServerError):
        await alice.async_artwork(playing.artwork)
    with pytest.raises(ServerFailureError):
        await alice.async_artwork("/library/metadata/0/thumb/0")


@pytest.mark.parametrize(
    "artwork",
    [
        "@example.org/library/metadata/1/thumb/1",
        "//example.org/library/metadata/1/thumb/1",
        "http://example.org/library/metadata/1/thumb/1",
        "/library/metadata/../../accounts",
        "/:/unscrobble?key=1&identifier=com.plexapp.plugins.library",
        "/library/metadata/1/thumb/1?X-Plex-Token=1",
        "",
    ],
)
async def test_no_artwork(
    plex_at_home: PlexStandIn, alice: PlexClient, artwork: str
) -> None:
    """What is no poster's path is not asked for: it could lead anywhere."""
    with pytest.raises(MediaServerError):
        await alice.async_artwork(artwork)
    assert not plex_at_home.server.log


@pytest.mark.parametrize(
    "text", ["<svg/>", "<!doctype html>", "\u00ff\u00d8\u00ff", "x" * 3_000_000]
)
async def test_artwork_that_is_none(
    plex_at_home: PlexStandIn, alice: PlexClient, text: str
) -> None:
    """A picture is known by its first bytes, not by what is said of it."""
    with (
        plex_at_home.server.faults.answer(text, content_type="image/jpeg"),
        pytest.raises(NotAMediaServerError),
    ):
        await alice.async_artwork("/library/metadata/1/thumb/1")


@pytest.mark.parametrize("key", ["1/../../accounts", "../accounts", "1?x=2", "", "a/b"])
async def test_key_that_is_none(
    plex_at_home: PlexStandIn, alice: PlexClient, key: str
) -> None:
    """What is no key is of no item, and not asked for."""
    await alice.async_accounts()
    plex_at_home.server.log.clear()
    assert await alice.async_title(key) is None
    assert await alice.async_episodes(key) == []
    assert await alice.async_watched("1", [key]) == {}
    assert not plex_at_home.server.log


async def test_identity(hass: HomeAssistant, plex_at_home: PlexStandIn) -> None:
    """Which server it is can be asked without signing in."""
    server = plex_at_home.server
    assert await async_identity(hass, server.url) == server.uuid
    for answer in ("{}", "[]", '{"MediaContainer": {"machineIdentifier": {}}}', "<a/>"):
        with server.faults.answer(answer):
            assert await async_identity(hass, server.url) is None
    with server.faults.drop():
        assert await async_identity(hass, server.url) is None
    await server.stop()
    assert await async_identity(hass, server.url) is None


# What can go wrong

READING: list[Call] = [
    lambda client: client.async_info(),
    lambda client: client.async_accounts(),
    lambda client: client.async_now_playing(),
    lambda client: client.async_title("0"),
]


@pytest.mark.parametrize("call", READING)
async def test_once_is_repeated(
    plex_at_home: PlexStandIn, alice: PlexClient, call: Call
) -> None:
    """A server that fails once or twice is asked again."""
    faults = plex_at_home.server.faults
    ways: list[Callable[[], Fault]] = [
        lambda: faults.fail(500, times=2),
        lambda: faults.fail(503, times=1),
        lambda: faults.drop(times=1),
    ]
    for go_wrong in ways:
        with go_wrong() as wrong:
            await call(alice)
        assert wrong.hits


@pytest.mark.parametrize("call", READING)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ServerFailureError),
        (401, SignInError),
        (403, ForbiddenError),
        (404, NotAMediaServerError),
        (500, ServerFailureError),
        (503, ServerFailureError),
    ],
)
async def test_always(
    plex_at_home: PlexStandIn,
    alice: PlexClient,
    call: Call,
    status: int,
    error: type[MediaServerError],
) -> None:
    """What always goes wrong is told, and never with the token in it."""
    token = plex_at_home.token()
    with plex_at_home.server.faults.fail(status, text=f"Token {token} is bad"):
        try:
            answer = await call(alice)
        except MediaServerError as err:
            answer = err
    assert token not in f"{answer} {answer!r}"
    # An item may be gone, and others' accounts may not be for us to know.
    alone = [Party(str(plex_at_home.owner.id), "alice")]
    others = [(404, None), (401, alone), (403, alone)]
    assert isinstance(answer, error) or (status, answer) in others


@pytest.mark.parametrize("call", READING)
async def test_never_answers(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that is slow, hangs, breaks off, is something else or is down."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http_client, "TIMEOUT", 0.1)
    client = client_of(hass, plex_at_home)
    faults = plex_at_home.server.faults
    ways: list[Callable[[], Fault]] = [
        lambda: faults.slow(0.5),
        faults.hang,
        faults.trickle,
        faults.cut,
        faults.drop,
    ]
    for go_wrong in ways:
        with go_wrong(), pytest.raises(CannotConnectError):
            await call(client)
    monkeypatch.setattr(http_client, "TIMEOUT", 10)
    with faults.html(), pytest.raises(NotAMediaServerError):
        await call(client)
    await plex_at_home.server.stop()
    with pytest.raises(CannotConnectError) as raised:
        await call(client)
    assert client._token not in f"{raised.value!r} {raised.value.__cause__!r}"
    await plex_at_home.server.start()
    await call(client)
    assert client._token not in caplog.text


async def test_given_up(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """Who does not want to know any more keeps neither the server nor the client busy."""
    with plex_at_home.server.faults.hang() as fault:
        asking = asyncio.create_task(alice.async_info())
        while not fault.hits:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    async with asyncio.timeout(10):
        assert (await alice.async_info()).name == "Attic"


async def test_signed_out_at_the_server(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """A token that has been revoked is no good."""
    plex_at_home.revoke("alice")
    with pytest.raises(SignInError):
        await alice.async_info()


async def test_certificate(hass: HomeAssistant, plex_at_home: PlexStandIn) -> None:
    """A certificate that nobody vouches for is refused unless that is wanted."""
    cellar = await plex_at_home.add_server("Cellar", https="self-signed")
    url = cellar.url.replace("http://", "https://")
    client = PlexClient(
        hass, url=url, token=plex_at_home.token(), account_token=plex_at_home.token()
    )
    with pytest.raises(CertificateError):
        await client.async_info()
    client = PlexClient(
        hass,
        url=url,
        token=plex_at_home.token(),
        account_token=plex_at_home.token(),
        verify_ssl=False,
    )
    assert (await client.async_info()).name == "Cellar"


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://", "nowhere", f"http://{'a' * 70}.example.org"]
)
async def test_no_url(hass: HomeAssistant, plex_at_home: PlexStandIn, url: str) -> None:
    """What is no URL leads nowhere."""
    client = client_of(hass, plex_at_home, url=url)
    with pytest.raises((CannotConnectError, NotAMediaServerError)):
        await client.async_info()
