"""A Home Assistant with a real storage folder, and servers and viewers in it.

Everything is added through the config flow and every webhook comes over HTTP.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
import sys
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant import loader
from homeassistant.bootstrap import async_load_base_functionality
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.restore_state import RestoreStateData
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest
from pytest_homeassistant_custom_component import common as harness
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_test_home_assistant,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

# The test harness has a package `custom_components` too: whichever is imported first wins.
import custom_components.media_scrobbler  # noqa: F401
from custom_components.media_scrobbler import http_client
from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.jellyfin import client as jellyfin_client
from custom_components.media_scrobbler.plex import pin as plex_pin

from .cloud import MODULE, Cloud
from .common import (
    ALICE_AT_JELLYFIN,
    ALICE_AT_PLEX,
    BOB_AT_JELLYFIN,
    Jellyfin,
    MediaServer,
    Plex,
    add_server,
    add_viewer as add_viewer_to,
)
from .followers import household, jellyfin_version, unscanned  # noqa: F401
from .signed_in import address, home, impatience, jellyfin_at_home, plex_at_home, reach  # noqa: F401
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD
from .simulators.jellyfin import JellyfinServer
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.plex import PlexServer
from .simulators.plex_server import PlexStandIn

type Restart = Callable[..., Awaitable[tuple[HomeAssistant, TestClient[Any, Any]]]]
type AddViewer = Callable[..., Awaitable[ConfigEntry[Any]]]


@pytest.fixture(autouse=True)
async def enable_event_loop_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the event loop check that it is called from its own thread.

    The harness has it keep the stack of calls for every future as well, which takes half
    of the time of a test that talks to servers. That is what `get_debug` is asked for.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    monkeypatch.setattr(loop, "get_debug", lambda: False)


def _is_deadline(handle: Any) -> bool:
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Timeout)


@pytest.fixture(autouse=True)
def deadlines_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no request run out of time because a test moves that on while it is under way."""

    def movable(loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
        return [
            handle
            for handle in get_scheduled_timer_handles(loop)
            if not _is_deadline(handle)
        ]

    monkeypatch.setattr(harness, "get_scheduled_timer_handles", movable)


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a config folder of the test's own."""
    return str(tmp_path)


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Keep Home Assistant's storage on the disk instead of in a dictionary."""
    return {}


@pytest.fixture
async def hass(hass: HomeAssistant) -> AsyncGenerator[HomeAssistant]:
    """Return a Home Assistant that finds the integration and knows its own address.

    What needs the recorder has to ask for it first.
    """
    hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
    await hass.config.async_update(internal_url="http://192.0.2.10:8123")
    yield hass
    await hass.async_block_till_done()


@pytest.fixture
async def restart(
    hass: HomeAssistant,
    hass_config_dir: str,
    aiohttp_client: ClientSessionGenerator,
    socket_enabled: None,
) -> AsyncGenerator[Restart]:
    """Return a function that stops Home Assistant and starts it with what is on disk.

    It returns the new Home Assistant and an HTTP client for it. Without `set_up` our
    entries are left alone, without `keep_states` no entity finds its state again. What is
    on disk is in the same folder unless another one is named.
    """
    async with AsyncExitStack() as stack:
        running = hass

        async def again(
            *,
            set_up: bool = True,
            keep_states: bool = True,
            folder: str = hass_config_dir,
        ) -> tuple[HomeAssistant, TestClient[Any, Any]]:
            nonlocal running
            if keep_states:
                await RestoreStateData.async_save_persistent_states(running)
            # The registries write what is new some seconds later.
            async_fire_time_changed(running, dt_util.utcnow() + timedelta(seconds=30))
            await running.async_block_till_done()
            await _stop(running)
            running = await stack.enter_async_context(
                async_test_home_assistant(load_registries=False, config_dir=folder)
            )
            running.data.pop(loader.DATA_CUSTOM_COMPONENTS)
            assert await async_load_base_functionality(running)
            assert await async_setup_component(
                running, DOMAIN if set_up else "http", {}
            )
            await running.async_block_till_done()
            return running, await aiohttp_client(running.http.app)

        yield again
        if running is not hass:
            await _stop(running)


async def _stop(hass: HomeAssistant) -> None:
    """Stop Home Assistant, and the timers that would end with its process."""
    await hass.async_stop(force=True)
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.fixture
async def client(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator
) -> TestClient[Any, Any]:
    """Return an HTTP client that is not signed in, as servers are."""
    assert await async_setup_component(hass, "http", {})
    return await hass_client_no_auth()


@pytest.fixture
def cloud(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Return the Home Assistant Cloud that the household has subscribed to."""
    cloud = Cloud()
    monkeypatch.setitem(sys.modules, MODULE, cloud.as_module())
    hass.config.components.add("cloud")
    return cloud


@pytest.fixture
async def plex(hass: HomeAssistant, client: TestClient[Any, Any]) -> Plex:
    """Return a Plex server that has been added; nothing has come from it yet."""
    return MediaServer(
        entry=await add_server(hass, "plex", "Plex"),
        client=client,
        simulator=PlexServer(
            name="Attic",
            uuid="5f0c9a7d21e84b3f9d6c0b1a8e7f425136d9c8ba",
            owner=ALICE_AT_PLEX,
        ),
    )


@pytest.fixture
async def jellyfin(hass: HomeAssistant, client: TestClient[Any, Any]) -> Jellyfin:
    """Return a Jellyfin server that has been added; nothing has come from it yet."""
    return MediaServer(
        entry=await add_server(hass, "jellyfin", "Jellyfin"),
        client=client,
        simulator=JellyfinServer(name="Cellar", id="b6e3d8f1c0a24957a1f4e2d3c5b69780"),
    )


@pytest.fixture
def add_viewer(hass: HomeAssistant) -> AddViewer:
    """Return a function that adds a viewer: name, keys of known accounts, person."""

    async def add(
        name: str, accounts: Iterable[str] = (), *, person: str | None = None
    ) -> ConfigEntry[Any]:
        return await add_viewer_to(hass, name, accounts, person=person)

    return add


@pytest.fixture
async def alice(
    plex: Plex,
    jellyfin: Jellyfin,
    add_viewer: AddViewer,
) -> ConfigEntry[Any]:
    """Return the viewer Alice, who watches on both servers."""
    return await add_viewer(
        "Alice",
        [
            await plex.introduce(ALICE_AT_PLEX),
            await jellyfin.introduce(ALICE_AT_JELLYFIN),
        ],
    )


@pytest.fixture
async def bob(jellyfin: Jellyfin, add_viewer: AddViewer) -> ConfigEntry[Any]:
    """Return the viewer Bob, who watches on Jellyfin."""
    return await add_viewer("Bob", [await jellyfin.introduce(BOB_AT_JELLYFIN)])


@pytest.fixture
async def reachable(
    hass: HomeAssistant, client: TestClient[Any, Any], socket_enabled: None
) -> str:
    """Return the address at which stand-ins reach Home Assistant."""
    url = str(client.make_url("")).rstrip("/")
    await hass.config.async_update(internal_url=url)
    return url


@pytest.fixture
async def jellyfin_server(
    reachable: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[JellyfinStandIn]:
    """Return a Jellyfin server that can be signed in to; nobody uses it yet."""
    monkeypatch.setattr(http_client, "RETRY_DELAY", 0)
    monkeypatch.setattr(jellyfin_client, "QUICK_CONNECT_INTERVAL", 0.01)
    async with JellyfinStandIn(titles=[THE_SALT_ROAD, LOW_WATER]) as server:
        yield server


@pytest.fixture
async def plex_net(
    reachable: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[PlexStandIn]:
    """Return Plex with a server of Alice's, which she shares with Bob."""
    monkeypatch.setattr(plex_pin, "INTERVAL", 0.01)
    async with PlexStandIn(
        owner="alice", home=("bob",), titles=[THE_SALT_ROAD, LOW_WATER]
    ) as plex:
        reach(plex, monkeypatch)
        yield plex
