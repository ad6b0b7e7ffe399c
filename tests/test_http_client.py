"""Requests to servers, whatever these do with them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
import time
from typing import override

from aiohttp import ClientSession, web
import pytest
from yarl import URL

from custom_components.media_scrobbler import http_client
from custom_components.media_scrobbler.domain.media_server import (
    BusyError,
    CannotConnectError,
    ItemGoneError,
    MediaServerError,
    NotAMediaServerError,
    RedirectedError,
    ServerFailureError,
)
from custom_components.media_scrobbler.http_client import Answer, async_fetch, path

from .simulators.faults import Fault
from .simulators.stand_in import StandIn

SECRET = {"Authorization": "secret", "X-Plex-Token": "secret"}


class Somebody(StandIn):
    """A server that says hello."""

    @override
    def _application(self) -> web.Application:
        async def hello(request: web.Request) -> web.Response:
            return web.Response(text="hello")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", hello)
        return app


@pytest.fixture
async def server(
    socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Somebody]:
    """Return a server, of which nobody expects much."""
    monkeypatch.setattr(http_client, "RETRY_DELAY", 0.001)
    async with Somebody() as server:
        yield server


@pytest.fixture
async def session() -> AsyncGenerator[ClientSession]:
    """Return a session."""
    async with ClientSession() as session:
        yield session


type Fetch = Callable[..., asyncio.Future[Answer]]


@pytest.fixture
def fetch(server: Somebody, session: ClientSession) -> Fetch:
    """Return a function that asks the server for something."""

    def fetch(method: str = "GET", **options: object) -> asyncio.Future[Answer]:
        return asyncio.ensure_future(
            async_fetch(
                session,
                method,
                URL(f"{server.url}/hello"),
                headers=SECRET,
                **options,  # type: ignore[arg-type]
            )
        )

    return fetch


async def test_answer(fetch: Fetch) -> None:
    """All of an answer comes."""
    answer = await fetch()
    assert (answer.status, answer.content) == (200, b"hello")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_over_at_its_deadline(
    server: Somebody, fetch: Fetch, method: str
) -> None:
    """Whether nothing comes, or something all the time, or one failure after another."""
    ways: list[Callable[[], Fault]] = [
        server.faults.hang,
        lambda: server.faults.slow(30),
        lambda: server.faults.trickle(0.02),
    ]
    for wrong in ways:
        started = time.monotonic()
        with wrong() as fault, pytest.raises(CannotConnectError):
            await fetch(method, within=0.05)
        assert fault.hits
        assert time.monotonic() - started < 5


async def test_repetitions_count(
    server: Somebody, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for the next attempt is part of the time that there is."""
    monkeypatch.setattr(http_client, "RETRY_DELAY", 60)
    with server.faults.fail(500) as fault, pytest.raises(CannotConnectError):
        await fetch(within=0.05)
    assert fault.hits == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_busy_for_long(
    server: Somebody, fetch: Fetch, status: int, method: str
) -> None:
    """A server that wants to be left alone for an hour is, and it is said for how long."""
    headers = {"Retry-After": "3600"}
    with (
        server.faults.fail(status, headers=headers) as fault,
        pytest.raises(BusyError) as raised,
    ):
        await fetch(method)
    assert raised.value.retry_after == 3600
    assert isinstance(raised.value, ServerFailureError)
    assert fault.hits == 1


async def test_busy_until(server: Somebody, fetch: Fetch) -> None:
    """It may say a time instead, or nothing, or nonsense."""
    until = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    with (
        server.faults.fail(429, headers={"Retry-After": until}),
        pytest.raises(BusyError) as raised,
    ):
        await fetch()
    assert 7000 < (raised.value.retry_after or 0) < 7300
    for headers in ({"Retry-After": "soon"}, {}):
        with (
            server.faults.fail(429, headers=headers),
            pytest.raises(BusyError) as raised,
        ):
            await fetch()
        assert raised.value.retry_after is None


async def test_busy_for_a_moment(
    server: Somebody, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short time is waited for, if there is as much."""
    with server.faults.fail(503, headers={"Retry-After": "0"}, times=2) as fault:
        assert (await fetch()).content == b"hello"
    assert fault.hits == 2
    with (
        server.faults.fail(503, headers={"Retry-After": "2"}) as fault,
        pytest.raises(BusyError),
    ):
        await fetch(within=1)
    assert fault.hits == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_redirect_is_followed(
    server: Somebody, fetch: Fetch, status: int, method: str
) -> None:
    """A secret goes to no other origin, nor is a round taken again and again."""
    async with Somebody() as other:
        for location in (f"{other.url}/hello", "/hello", f"//127.0.0.1:{other.port}/"):
            with (
                server.faults.redirect(location, status=status) as fault,
                pytest.raises(RedirectedError),
            ):
                await fetch(method)
            assert fault.hits == 1
        assert not other.log


async def test_too_long(server: Somebody, fetch: Fetch) -> None:
    """What is too long is not read to its end, whether that is said before or not."""
    assert (await fetch(max_bytes=5)).content == b"hello"
    with pytest.raises(NotAMediaServerError):
        await fetch(max_bytes=4)
    with server.faults.endless(), pytest.raises(NotAMediaServerError):
        await fetch(max_bytes=1_000_000)


async def test_sent_once(server: Somebody, fetch: Fetch) -> None:
    """What is not safe to repeat is not, not even by a connection that was used before."""
    await fetch()
    for method, options in (
        ("POST", {}),
        ("DELETE", {}),
        ("PUT", {}),
        ("GET", {"repeats": False}),
    ):
        with server.faults.drop() as fault, pytest.raises(CannotConnectError):
            await fetch(method, **options)
        assert fault.hits == 1
        await fetch()


async def test_given_up(server: Somebody, fetch: Fetch) -> None:
    """Who does not want to know any more is not kept."""
    with server.faults.hang() as fault:
        asking = fetch()
        while not fault.hits:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize(
    "part",
    [
        *("", ".", "..", "1/2", "1?a=2", "1#2", "1%2f2", "@host", "//host"),
        *("http://host", "1,", "1,..", "1\n2", "é", "1" * 65),
    ],
)
def test_path_of_what_is_no_id(part: str) -> None:
    """What cannot be an id is part of no path."""
    with pytest.raises(ItemGoneError):
        path("library", "metadata", part)


def test_path() -> None:
    """Ids are, and lists of them."""
    assert path("library", "metadata", "1,22", "children") == (
        "/library/metadata/1,22/children"
    )
    assert issubclass(ItemGoneError, MediaServerError)
