"""Servers that have been signed in to, through the config flow, and what people do there."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.ssl import get_default_context
import orjson
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler import http_client
from custom_components.media_scrobbler.const import DOMAIN

from .common import answer, start_flow
from .simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Episode,
    Movie,
    Playable,
    Title,
)
from .simulators.faults import Faults
from .simulators.jellyfin import JellyfinDevice, JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.plex import PlexPlayer
from .simulators.plex_server import PlexStandIn
from .simulators.request_log import RequestLog
from .simulators.stand_in import requests_held, requests_in_flight, requests_so_far

TITLES = (
    THE_SALT_ROAD,
    PAPER_ORCHARD,
    LOW_WATER,
    FOG_SIGNAL,
    THE_PILOT_BOAT,
    SLOW_FERRY,
)


_PATIENCE = 3000
"""How many milliseconds, or a little longer each, something is waited for."""

_PASSES = 10
"""How often the event loop goes round between the two ends of a socket, and to spare."""

_LOOKS = 3
"""How often in a row nothing must have been asked: a thread takes its time between two requests."""


class Home(Protocol):
    """A server with an administrator, Alice, and with Bob, whatever its type."""

    @property
    def playing_path(self) -> str:
        """Return the path by which the server is asked what plays."""

    @property
    def poster_path(self) -> str:
        """Return the pattern of the paths by which it is asked for a poster."""

    @property
    def player_key(self) -> str:
        """Return the id of the player that plays."""

    @property
    def faults(self) -> Faults:
        """Return what goes wrong with the server's answers."""

    @property
    def log(self) -> RequestLog:
        """Return what the server was asked."""

    @property
    def name(self) -> str:
        """Return the server's name."""

    @property
    def webhooks(self) -> list[str]:
        """Return where webhooks go."""

    @property
    def tokens(self) -> list[str]:
        """Return every token that is good."""

    def forget_webhook(self, url: str) -> None:
        """Remove a webhook as a person may."""

    @property
    def identity(self) -> str:
        """Return the id of the server."""

    def add_user(self, name: str) -> None:
        """Let somebody else use the server."""

    def revoke(self) -> None:
        """Make every token of Alice's worthless."""

    def key(self, title: Title) -> str:
        """Return the server's own id of a title."""

    def requests_of(self, title: Title) -> int:
        """Return how often the server was asked for a title."""

    async def play(
        self, who: str, title: Playable, position: timedelta = timedelta()
    ) -> list[Any]:
        """Play something; returns the webhooks that were sent."""

    async def play_on(self, player_id: str, name: str, title: Playable) -> None:
        """Have Alice play something on another player."""

    async def pause(self, position: timedelta | None = None) -> list[Any]:
        """Pause what plays."""

    async def finish(self) -> list[Any]:
        """Play to where it counts as watched."""

    def bare(
        self, title: Title, name: str | None = None, item: str | None = None
    ) -> bytes:
        """Return the webhook of a movie or episode that Alice has finished, of old.

        It says next to nothing, but for the item's id and the tmdb id of another `item`.
        """

    async def start(self) -> None:
        """Answer again."""

    async def stop(self) -> None:
        """Be down."""

    async def sign_in(
        self, hass: HomeAssistant, *accounts: str, pasted: bool = False
    ) -> ConfigEntry[Any]:
        """Sign in to the server and add viewers for accounts."""


@dataclass
class JellyfinHome:
    """A Jellyfin server."""

    server: JellyfinStandIn
    playing_path = "/Sessions"
    poster_path = "/Items/*/Images/*"

    @property
    def player_key(self) -> str:
        return self.server.server.device.id

    @property
    def faults(self) -> Faults:
        return self.server.faults

    @property
    def log(self) -> RequestLog:
        return self.server.log

    @property
    def name(self) -> str:
        return self.server.server.name

    @property
    def webhooks(self) -> list[str]:
        return [one["WebhookUri"] for one in self.server.plugin.generic]

    @property
    def tokens(self) -> list[str]:
        return list(self.server.accounts.tokens)

    def forget_webhook(self, url: str) -> None:
        self.server.plugin.generic[:] = [
            one for one in self.server.plugin.generic if one["WebhookUri"] != url
        ]

    @property
    def identity(self) -> str:
        return self.server.server.id

    def add_user(self, name: str) -> None:
        self.server.add_user(name)

    def revoke(self) -> None:
        self.server.revoke_tokens(JellyfinUser.named("alice"))

    def key(self, title: Title) -> str:
        return self.server.items.id_of(title).replace("-", "")

    def requests_of(self, title: Title) -> int:
        return sum(
            self.key(title) in (request.argument("ids") or "").replace("-", "")
            for request in self.log.of("GET", "/Items")
        )

    async def play(
        self, who: str, title: Playable, position: timedelta = timedelta()
    ) -> list[Any]:
        return await self.server.play(title, JellyfinUser.named(who), position=position)

    async def play_on(self, player_id: str, name: str, title: Playable) -> None:
        device = JellyfinDevice(name, player_id)
        await self.server.play(title, JellyfinUser.named("alice"), device=device)

    async def pause(self, position: timedelta | None = None) -> list[Any]:
        return await self.server.pause(position)

    async def finish(self) -> list[Any]:
        return await self.server.finish()

    def bare(
        self, title: Title, name: str | None = None, item: str | None = None
    ) -> bytes:
        assert isinstance(title, Movie | Episode)
        body: dict[str, Any] = {
            "NotificationType": "PlaybackStop",
            "PlayedToCompletion": True,
            "ServerId": self.server.server.id,
            "UserId": JellyfinUser.named("alice").id,
            "ItemType": type(title).__name__,
            "ItemId": item or self.key(title),
            "Name": name or title.title,
        }
        if item is not None:
            body["Provider_tmdb"] = str(title.ids.tmdb)
        return orjson.dumps(body)

    async def start(self) -> None:
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    async def sign_in(
        self, hass: HomeAssistant, *accounts: str, pasted: bool = False
    ) -> ConfigEntry[Any]:
        if pasted:
            result = await start_flow(hass, "jellyfin", "jellyfin_api_key")
            credentials = {"api_key": self.server.api_key()}
        else:
            result = await start_flow(hass, "jellyfin", "jellyfin_password")
            credentials = {"username": "alice", "password": "secret"}
        result = await answer(
            hass, result, url=self.server.url, verify_ssl=True, **credentials
        )
        return await _finish(
            hass, result, (JellyfinUser.named(name).id for name in accounts)
        )


@dataclass
class PlexHome:
    """Plex, with a server."""

    plex: PlexStandIn
    playing_path = "/status/sessions"
    poster_path = "/library/metadata/*/thumb/*"

    @property
    def player_key(self) -> str:
        return self.plex.server.players[0].uuid

    @property
    def faults(self) -> Faults:
        return self.plex.server.faults

    @property
    def log(self) -> RequestLog:
        return self.plex.server.log

    @property
    def name(self) -> str:
        return self.plex.server.name

    @property
    def webhooks(self) -> list[str]:
        return self.plex.owner.webhooks

    @property
    def tokens(self) -> list[str]:
        return list(self.plex.accounts._tokens)

    def forget_webhook(self, url: str) -> None:
        self.plex.owner.webhooks.remove(url)

    @property
    def identity(self) -> str:
        return self.plex.server.uuid

    def add_user(self, name: str) -> None:
        plex = self.plex
        plex.server.share_with(plex.accounts.add(name, friend_of=plex.owner))

    def revoke(self) -> None:
        self.plex.revoke("alice")

    def key(self, title: Title) -> str:
        return self.plex.server.key(title)

    def requests_of(self, title: Title) -> int:
        return sum(
            self.key(title) in request.path.rpartition("/")[2].split(",")
            for request in self.log.of("GET", "/library/metadata/*")
        )

    async def play(
        self, who: str, title: Playable, position: timedelta = timedelta()
    ) -> list[Any]:
        return list(await self.plex.play(who, title, position=position))

    async def play_on(self, player_id: str, name: str, title: Playable) -> None:
        await self.plex.play("alice", title, PlexPlayer(name, player_id))

    async def pause(self, position: timedelta | None = None) -> list[Any]:
        return list(await self.plex.pause(position=position))

    async def finish(self) -> list[Any]:
        deliveries = await self.plex.finish()
        return deliveries + await self.plex.stop()

    def bare(
        self, title: Title, name: str | None = None, item: str | None = None
    ) -> bytes:
        assert isinstance(title, Movie | Episode)
        metadata: dict[str, Any] = {
            "type": type(title).__name__.lower(),
            "ratingKey": item or self.key(title),
            "title": name or title.title,
        }
        if item is not None:
            metadata["Guid"] = [{"id": f"tmdb://{title.ids.tmdb}"}]
        return orjson.dumps(
            {
                "event": "media.scrobble",
                "user": True,
                "owner": True,
                "Account": {"id": 1, "title": "alice"},
                "Server": {"title": self.name, "uuid": self.plex.server.uuid},
                "Metadata": metadata,
            }
        )

    async def start(self) -> None:
        await self.plex.server.start()

    async def stop(self) -> None:
        await self.plex.server.stop()

    async def sign_in(
        self, hass: HomeAssistant, *accounts: str, pasted: bool = False
    ) -> ConfigEntry[Any]:
        result = await start_flow(hass, "plex", "plex_token")
        result = await answer(
            hass,
            result,
            url=self.plex.server.url,
            token=self.plex.token(),
            verify_ssl=True,
        )
        server = self.plex.server
        entry = await _finish(
            hass,
            result,
            (str(server.account_id(self.plex.user(name))) for name in accounts),
        )
        if not pasted:
            # As signing in at plex.tv leaves it.
            hass.config_entries.async_update_entry(
                entry, data={**entry.data, "token_obtained": True}
            )
        return entry


async def _finish(
    hass: HomeAssistant, result: Any, accounts: Iterable[str]
) -> ConfigEntry[Any]:
    assert result["step_id"] == "webhook", result
    result = await answer(hass, result, local_only=True)
    result = await answer(hass, result, accounts=list(accounts))
    entry: ConfigEntry[Any] = result["result"]
    await hass.async_block_till_done()
    return entry


def viewer(hass: HomeAssistant, name: str) -> ConfigEntry[Any]:
    """Return a viewer by name."""
    (entry,) = (
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.data["kind"] == "viewer" and entry.title == name
    )
    return entry


async def until(hass: HomeAssistant, condition: Callable[[], object]) -> None:
    """Wait for what happens in the background, which has to do with real sockets."""
    for _ in range(_PATIENCE):
        await hass.async_block_till_done()
        if condition():
            return
        await moment()
    raise AssertionError("it has never come to that")


async def quiet(hass: HomeAssistant, log: RequestLog) -> int:
    """Wait until no server is asked any more; returns how often one has been by now."""
    came = -1
    while came != requests_so_far():
        came = requests_so_far()
        for _ in range(_LOOKS):
            await hass.async_block_till_done()
            await turn(hass)
    return len(log)


async def moment() -> None:
    """Let happen what is due, on both ends of a socket."""
    for _ in range(_PASSES):
        await asyncio.sleep(0)
    await asyncio.sleep(0.001)


async def turn(hass: HomeAssistant) -> None:
    """Let happen what is due, to the end of the requests and threads that are under way.

    A request that is held open, by a fault or for long, is not waited for, nor is the thread
    that made it.
    """
    await moment()
    for _ in range(_PATIENCE):
        if not requests_in_flight() and _busy_threads(hass) <= requests_held():
            return
        await asyncio.sleep(0.001)


def _busy_threads(hass: HomeAssistant) -> int:
    """Return how many jobs in threads are awaited in the background.

    Home Assistant itself waits for those of the foreground.
    """
    return sum(
        not isinstance(future, asyncio.Task) and not future.done()
        for future in hass._background_tasks
    )


async def later(hass: HomeAssistant, **by: float) -> None:
    """Have the timers go off that are due by a time from now on."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(**by))
    await hass.async_block_till_done()


def short(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have clients wait for so long only."""
    for name in ("TIMEOUT", "LIST_TIMEOUT"):
        monkeypatch.setattr(http_client, name, seconds)


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody wait between two attempts to ask a server."""
    monkeypatch.setattr(http_client, "RETRY_DELAY", 0.001)


def reach(plex: PlexStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients in this process find the hosts of Plex at a stand-in, and trust it."""
    for name, value in plex.environment.items():
        monkeypatch.setenv(name, value)
    # Home Assistant has read whom to trust when it was imported.
    get_default_context().load_verify_locations(plex.environment["REQUESTS_CA_BUNDLE"])


@pytest.fixture
async def plex_at_home(
    monkeypatch: pytest.MonkeyPatch, impatience: None, socket_enabled: None
) -> AsyncGenerator[PlexStandIn]:
    """Return plex.tv and a server of Alice's, which Bob and Carol may use."""
    async with PlexStandIn(
        owner="alice", home=["bob"], friends=["carol"], titles=TITLES
    ) as plex:
        reach(plex, monkeypatch)
        yield plex


@pytest.fixture
async def jellyfin_at_home(
    impatience: None, socket_enabled: None
) -> AsyncGenerator[JellyfinStandIn]:
    """Return a Jellyfin server of Alice's, with Bob as another user."""
    async with JellyfinStandIn(titles=TITLES) as jellyfin:
        jellyfin.add_user("alice", "secret", administrator=True)
        jellyfin.add_user("bob")
        yield jellyfin


@pytest.fixture
async def address(
    hass: HomeAssistant, client: TestClient[Any, Any], socket_enabled: None
) -> str:
    """Return by which address servers on this machine reach Home Assistant."""
    url = str(client.make_url("")).rstrip("/")
    await hass.config.async_update(internal_url=url)
    return url


@pytest.fixture(params=["plex", "jellyfin"])
def home(request: pytest.FixtureRequest, address: str) -> Home:
    """Return a server of either type, which nobody has signed in to yet."""
    if request.param == "plex":
        return PlexHome(request.getfixturevalue("plex_at_home"))
    return JellyfinHome(request.getfixturevalue("jellyfin_at_home"))
