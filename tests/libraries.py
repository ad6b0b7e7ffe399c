"""What servers hold, how it changes while it is read, and what people want of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
import inspect
from itertools import count
from pathlib import Path
import shutil
import threading
from typing import Any
from unittest.mock import patch

from aiohttp import web
from homeassistant import loader
from homeassistant.bootstrap import async_load_base_functionality
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir, storage as ha_storage
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    async_test_home_assistant,
    flush_store,
)

from custom_components.media_scrobbler.const import DOMAIN, EVENT_WATCHLIST_AVAILABLE

from .common import call, entity_id_of, settle
from .signed_in import Home, JellyfinHome, PlexHome
from .simulators.catalogue import Title
from .simulators.library import Library
from .wanted import watchlist

FILMS = Library(movies=400).movies
"""More films than a server has yet; some of them have no ids."""

EARLY = datetime(2002, 1, 1, tzinfo=UTC)

type Do = Callable[[], object]

_PLEX_KINDS = {"1": "Movie", "2": "Series", "4": "Episode"}


# What servers hold


def hold(home: Home, *titles: Title, at: datetime | None = None) -> None:
    """Let titles be there, added one after the other, now unless given; nobody is told."""
    assert isinstance(home, PlexHome | JellyfinHome)
    at = at or dt_util.utcnow()
    for number, title in enumerate(titles):
        came = at + timedelta(seconds=number)
        if isinstance(home, JellyfinHome):
            home.server.items.add(title, came)
        else:
            items = home.plex.server.items
            items.came(items.add(title), came)


def lose(home: Home, *titles: Title) -> None:
    """Let titles be gone; nobody is told."""
    assert isinstance(home, PlexHome | JellyfinHome)
    for title in titles:
        if isinstance(home, JellyfinHome):
            home.server.items.remove(title)
        else:
            home.plex.remove(title)


async def add(home: Home, title: Title) -> list[Any]:
    """Add a title; webhooks tell of it."""
    assert isinstance(home, PlexHome | JellyfinHome)
    if isinstance(home, JellyfinHome):
        return list(await home.server.add(title))
    return list(await home.plex.add(title))


class Pages:
    """The pages of libraries that a server is asked for, and what happens meanwhile.

    The pages are counted from 1; requests for none, which tell how much there is, are not.
    """

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in front of the server."""
        self.asked: list[tuple[str, int, int]] = []
        """Of each page what kind it is of, where it begins, how long it may be."""
        self._before: dict[int, Do] = {}
        serve = home.faults.serve

        async def stand_in(
            request: web.BaseRequest, respond: Callable[[], Awaitable[web.Response]]
        ) -> tuple[web.StreamResponse, bool]:
            if (page := _page(request)) is not None:
                self.asked.append(page)
                if (do := self._before.get(len(self.asked))) is not None:
                    done = do()
                    if inspect.isawaitable(done):
                        await done
            return await serve(request, respond)

        monkeypatch.setattr(home.faults, "serve", stand_in)

    def before(self, number: int, do: Do) -> None:
        """Do something when a page has been asked for, before it is answered."""
        self._before[len(self.asked) + number] = do

    def hold_back(self, number: int) -> Gate:
        """Do not answer a page before it is let through."""
        gate = Gate()
        self.before(number, gate.wait)
        return gate


class Gate:
    """Where a request waits."""

    def __init__(self) -> None:
        """Be closed, with nobody in front of it."""
        self._reached = asyncio.Event()
        self._open = asyncio.Event()

    async def wait(self) -> None:
        """Wait until the gate is opened."""
        self._reached.set()
        await self._open.wait()

    async def reached(self) -> None:
        """Wait until a request waits."""
        async with asyncio.timeout(10):
            await self._reached.wait()

    def open(self) -> None:
        """Let go on what waits."""
        self._open.set()


def _page(request: web.BaseRequest) -> tuple[str, int, int] | None:
    """Return what page of a library a request is for, None if it is for none."""
    query, headers = request.query, request.headers
    if "X-Plex-Container-Size" in headers and request.path.endswith("/all"):
        page = (
            _PLEX_KINDS[query["type"]],
            int(headers["X-Plex-Container-Start"]),
            int(headers["X-Plex-Container-Size"]),
        )
    elif request.path == "/Items" and {"limit", "parentId"} <= query.keys():
        page = (
            query["includeItemTypes"],
            int(query["startIndex"]),
            int(query["limit"]),
        )
    else:
        return None
    return page if page[2] else None


# Scanning


async def scan(hass: HomeAssistant, *entries: ConfigEntry[Any]) -> dict[str, Any]:
    """Scan the libraries of a server, or of all."""
    which = {"server": entries[0].entry_id} if entries else {}
    return await call(hass, "scan_library", **which)


def begin_scan(
    hass: HomeAssistant, entry: ConfigEntry[Any]
) -> asyncio.Task[dict[str, Any]]:
    """Have the libraries of a server scanned while the test goes on."""
    # Not one that Home Assistant waits for: the server may be held back.
    return asyncio.create_task(scan(hass, entry))


async def state_of(
    hass: HomeAssistant, entry: ConfigEntry[Any], key: str, platform: str = "sensor"
) -> str:
    """Return the state of an entity once updates that are held back have come."""
    await settle(hass)
    state = hass.states.get(entity_id_of(hass, platform, entry, key))
    assert state is not None
    return state.state


async def press(hass: HomeAssistant, entry: ConfigEntry[Any], key: str) -> None:
    """Press a button."""
    entity_id = entity_id_of(hass, "button", entry, key)
    await hass.services.async_call(
        "button", "press", {"entity_id": entity_id}, blocking=True
    )


async def until_state(
    hass: HomeAssistant, entry: ConfigEntry[Any], key: str, expected: str
) -> None:
    """Wait until a sensor shows something."""
    found = ""
    for _ in range(300):
        if (found := await state_of(hass, entry, key)) == expected:
            return
        await asyncio.sleep(0.01)
    assert found == expected


async def ended(hass: HomeAssistant, entry: ConfigEntry[Any]) -> str:
    """Wait for the end of a scan; returns what has become of it."""
    for _ in range(300):
        state = await state_of(hass, entry, "library_scan")
        if state != "scanning":
            return state
        await asyncio.sleep(0.01)
    raise AssertionError("the scan has never ended")


async def counts(hass: HomeAssistant, entry: ConfigEntry[Any]) -> tuple[str, ...]:
    """Return how many movies, shows and episodes a server is shown to have."""
    return tuple(
        [await state_of(hass, entry, key) for key in ("movies", "shows", "episodes")]
    )


async def until_counts(
    hass: HomeAssistant, entry: ConfigEntry[Any], *expected: str
) -> None:
    """Wait until a server is shown to have so many movies, shows and episodes."""
    found: tuple[str, ...] = ()
    for _ in range(300):
        if (found := await counts(hass, entry)) == expected:
            return
        await asyncio.sleep(0.01)
    assert found == expected


def files_of(hass: HomeAssistant, entry: ConfigEntry[Any]) -> dict[str, bytes]:
    """Return what is on disk of a server's library."""
    folder = Path(hass.config.path(".storage"))
    return {
        path.name: path.read_bytes()
        for path in folder.glob(f"{DOMAIN}.library.{entry.entry_id}*")
    }


# Wanting


async def available(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> dict[str, bool]:
    """Return for each item of a watchlist whether it is in a library."""
    return {item["title"]: item["available"] for item in await watchlist(hass, viewer)}


async def done(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> dict[str, bool]:
    """Return for each item of a watchlist whether it is checked off."""
    return {
        item["title"]: item["status"] == "completed"
        for item in await watchlist(hass, viewer)
    }


async def until_available(
    hass: HomeAssistant, viewer: ConfigEntry[Any], expected: dict[str, bool]
) -> None:
    """Wait until the titles of a watchlist are available that should be, and no others."""
    found: dict[str, bool] = {}
    for _ in range(300):
        if (found := await available(hass, viewer)) == expected:
            return
        await asyncio.sleep(0.01)
    assert found == expected


def heard_of(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return a list that gets the data of every event of a title that is available."""
    heard: list[dict[str, Any]] = []

    @callback
    def hear(event: Event[Any]) -> None:
        heard.append(dict(event.data))

    hass.bus.async_listen(EVENT_WATCHLIST_AVAILABLE, hear)
    return heard


def is_not_written(hass: HomeAssistant) -> bool:
    """Return whether a person is told that something cannot be written."""
    return any(
        issue.translation_key == "not_written"
        for issue in ir.async_get(hass).issues.values()
    )


# Killing


async def snapshot(hass: HomeAssistant, to: Path) -> Path:
    """Copy what is on disk at this moment, as a kill would leave it."""
    shutil.copytree(hass.config.path(".storage"), to / ".storage")
    return to


@contextmanager
def writing_held(name: str, after: int = 0) -> Iterator[Callable[[], bool]]:
    """Keep a file of ours from the disk, from a write on; yields what waits until one is begun.

    The name goes without the domain.
    """
    write: Callable[..., None] = vars(ha_storage)["write_utf8_file_atomic"]
    begun, let_on = threading.Event(), threading.Event()
    writes = count()

    def stand_in(filename: str, *args: Any, **kwargs: Any) -> None:
        if filename.endswith(f"{DOMAIN}.{name}") and next(writes) >= after:
            begun.set()
            assert let_on.wait(timeout=10)
        write(filename, *args, **kwargs)

    with patch.object(ha_storage, "write_utf8_file_atomic", stand_in):
        try:
            yield lambda: begun.wait(timeout=10)
        finally:
            let_on.set()


@contextmanager
def reading_held(name: str) -> Iterator[None]:
    """Keep a file of ours from being read. The name goes without the domain."""
    read, let_on = Path.read_bytes, threading.Event()

    def stand_in(path: Path) -> bytes:
        if path.name == f"{DOMAIN}.{name}":
            assert let_on.wait(timeout=10)
        return read(path)

    with patch.object(Path, "read_bytes", stand_in):
        try:
            yield
        finally:
            let_on.set()


async def settled_on_disk(hass: HomeAssistant) -> None:
    """Have Home Assistant write down its entries, which it does a second later."""
    await flush_store(hass.config_entries._store)


@asynccontextmanager
async def started_from(
    folder: Path,
) -> AsyncGenerator[tuple[HomeAssistant, list[dict[str, Any]]]]:
    """Start a further Home Assistant with what is in a folder.

    Yields it, and what it tells of titles that are available, from its first moment on.
    """
    async with async_test_home_assistant(
        load_registries=False, config_dir=str(folder)
    ) as hass:
        hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
        heard = heard_of(hass)
        assert await async_load_base_functionality(hass)
        assert await async_setup_component(hass, DOMAIN, {})
        await hass.async_block_till_done()
        try:
            yield hass, heard
        finally:
            for entry in hass.config_entries.async_loaded_entries(DOMAIN):
                assert await hass.config_entries.async_unload(entry.entry_id)
            await hass.async_stop(force=True)


def names(titles: Iterable[Title]) -> list[str]:
    """Return titles as a person types them."""
    return [title.label for title in titles]
