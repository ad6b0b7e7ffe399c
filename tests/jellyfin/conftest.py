"""What the tests of the client share: a server, and who asks it."""

from collections.abc import AsyncGenerator

from aiohttp import ClientSession
import pytest

from custom_components.media_scrobbler import http_client
from custom_components.media_scrobbler.jellyfin import client as client_module
from custom_components.media_scrobbler.jellyfin.client import JellyfinClient

from ..simulators.catalogue import (
    LOW_WATER,
    NINTH_MERIDIAN_TRAILER,
    SLOW_FERRY,
    THE_SALT_ROAD,
)
from ..simulators.jellyfin_server import JellyfinStandIn
from ..simulators.jellyfin_version import JELLYFIN_VERSIONS, JellyfinVersion
from ..simulators.library import Library
from .someone import Someone, user_of, with_token


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> None:
    """Wait for next to nothing, and only as long as a slow machine may need."""
    monkeypatch.setattr(http_client, "RETRY_DELAY", 0.001)
    monkeypatch.setattr(client_module, "QUICK_CONNECT_INTERVAL", 0.01)


@pytest.fixture
async def session() -> AsyncGenerator[ClientSession]:
    """Return a session that verifies certificates."""
    async with ClientSession() as session:
        yield session


@pytest.fixture(params=JELLYFIN_VERSIONS, ids=str)
def version(request: pytest.FixtureRequest) -> JellyfinVersion:
    """Return which version the server is of."""
    version: JellyfinVersion = request.param
    return version


@pytest.fixture
async def jellyfin(
    version: JellyfinVersion, impatience: None
) -> AsyncGenerator[JellyfinStandIn]:
    """Return a server of either version with a few titles and two users."""
    async with JellyfinStandIn(
        version=version,
        titles=[THE_SALT_ROAD, LOW_WATER, SLOW_FERRY, NINTH_MERIDIAN_TRAILER],
        validate=True,
    ) as jellyfin:
        jellyfin.add_user("alice", "secret", administrator=True)
        jellyfin.add_user("bob", "other")
        yield jellyfin


@pytest.fixture
async def filled(
    version: JellyfinVersion, impatience: None
) -> AsyncGenerator[JellyfinStandIn]:
    """Return a server of either version with a library of some size."""
    async with JellyfinStandIn(
        version=version, library=Library(movies=150, episodes=150), validate=True
    ) as filled:
        filled.add_user("alice", "secret", administrator=True)
        filled.add_user("bob", "other")
        yield filled


@pytest.fixture
async def alice(jellyfin: JellyfinStandIn, session: ClientSession) -> Someone:
    """Return an administrator."""
    someone = user_of(jellyfin, session, "alice")
    await someone.client.async_info()
    return someone


@pytest.fixture
async def bob(jellyfin: JellyfinStandIn, session: ClientSession) -> Someone:
    """Return a user who is none."""
    return user_of(jellyfin, session, "bob")


@pytest.fixture(params=["administrator", "user", "API key", "pasted token"])
def anybody(
    request: pytest.FixtureRequest, filled: JellyfinStandIn, session: ClientSession
) -> JellyfinClient:
    """Return a client of the filled server, signed in in each way there is."""
    match request.param:
        case "administrator":
            return user_of(filled, session, "alice").client
        case "user":
            return user_of(filled, session, "bob").client
        case "API key":
            return with_token(filled, session, filled.api_key())
        case _:
            token = user_of(filled, session, "bob").token
            return with_token(filled, session, token)
