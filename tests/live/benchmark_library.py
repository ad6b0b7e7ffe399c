"""Measures what large libraries and watchlists cost: in time, requests, stalls and memory.

The servers are in this process; Home Assistant, and what it is compared with, are in others.
So that it is them who are measured, the servers answer from memory what they were asked
before. What they cost even so is found out by a client that repeats the same requests and
does nothing with the answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
import os
from pathlib import Path
from statistics import median
import time
from typing import Any, override
from urllib.parse import urlencode

from aiohttp import web

from tests.simulators.catalogue import Movie, Show
from tests.simulators.faults import Faults
from tests.simulators.jellyfin import JellyfinUser
from tests.simulators.jellyfin_server import JellyfinStandIn
from tests.simulators.library import Library
from tests.simulators.plex_server import PlexStandIn
from tests.simulators.stand_in import HOST, StandIn

from .benchmark_apart import measured_apart
from .home_assistant import (
    FlowStep,
    LiveHomeAssistant,
    LiveHomeAssistantError,
    StepInput,
)
from .measuring import PROBE, Bench, Row
from .report import DOMAIN
from .senders import request
from .waiting import until

ROUNDS = 3
"""Each with two scans of a library: of what is new to Home Assistant, and of what it knows."""

ITEMS = 50_000
MANY = 150_000
# With their shows these are as many items.
LIBRARY = Library(movies=10_012, episodes=39_400)
LARGE_LIBRARY = Library(movies=30_034, episodes=118_215)

# One for 500 items, and one for each of the two sections.
MOST_REQUESTS = ITEMS // 500 + 2
WANTED_MOVIES = 700
WANTED_SHOWS = 300

PASSWORD = "correct horse"
# What there is to do after a start or a sign-in is done by then.
SETTLE = 5.0
WITHIN = 240.0

# What an answer depends on besides the URL.
_OF_A_PAGE = ("accept", "x-plex-container-start", "x-plex-container-size")


@dataclass(slots=True)
class Scans:
    """Scans of a library, times in seconds; `served` is the server's share of each."""

    seconds: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    stalls: list[float] = field(default_factory=list)
    requests: int = 0

    @override
    def __str__(self) -> str:
        return f"{median(self.seconds):.1f} s, of which the server {median(self.served):.1f} s"


class Memory(Faults):
    """Has a server find an answer once, and give it again to whoever asks the same."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        super().__init__()
        self._known: dict[tuple[str, ...], tuple[bytes, str]] = {}

    @override
    async def serve(
        self, request: web.BaseRequest, respond: Callable[[], Awaitable[web.Response]]
    ) -> tuple[web.StreamResponse, bool]:
        if request.method != "GET" or not _is_of_a_page(request.path):
            return await super().serve(request, respond)
        key = (
            request.path_qs,
            *(request.headers.get(name, "") for name in _OF_A_PAGE),
        )
        if key not in self._known:
            response = await respond()
            assert isinstance(response.body, bytes)
            if response.status != 200:
                return response, False
            self._known[key] = response.body, response.headers["Content-Type"]
        body, content_type = self._known[key]
        return web.Response(body=body, headers={"Content-Type": content_type}), False


class LibraryBench(Bench):
    """A Home Assistant with a Plex and a Jellyfin server that hold much."""

    def __init__(
        self,
        hass: LiveHomeAssistant,
        plex: PlexStandIn,
        jellyfin: JellyfinStandIn,
        user: JellyfinUser,
    ) -> None:
        """Take the running Home Assistant, the servers, and whose Jellyfin is."""
        super().__init__(hass)
        self.plex = plex
        self.jellyfin = jellyfin
        self.entries: dict[StandIn, str] = {}
        self._user = user
        # What a request needs to be answered.
        self._tokens: Mapping[StandIn, dict[str, str]] = {
            plex.server: {"X-Plex-Token": plex.token()},
            jellyfin: {
                "Authorization": f'MediaBrowser Token="{jellyfin.sign_in(user)}"'
            },
        }

    async def set_up(self) -> None:
        """Sign in to both servers; the owner of Plex becomes a viewer."""
        await self.add_plex(self.plex.server)
        self.entries[self.jellyfin] = await self._add(
            {"next_step_id": "jellyfin"},
            {"next_step_id": "jellyfin_password"},
            {
                "url": self.jellyfin.url,
                "username": self._user.name,
                "password": PASSWORD,
                "verify_ssl": True,
            },
        )
        await asyncio.sleep(SETTLE)

    async def add_plex(self, server: StandIn) -> None:
        """Sign in to a Plex server."""
        self.entries[server] = await self._add(
            {"next_step_id": "plex"},
            {"next_step_id": "plex_token"},
            {"url": server.url, "token": self.plex.token(), "verify_ssl": True},
        )

    async def _add(self, *inputs: StepInput) -> str:
        def first_account(step: FlowStep) -> dict[str, list[str]]:
            return {"accounts": list(step.options("accounts"))[:1]}

        steps = await self.hass.flow(
            DOMAIN, *inputs, {"local_only": True}, first_account
        )
        entry = steps[-1].entry
        assert entry is not None
        return str(entry["entry_id"])

    async def set_disabled(self, server: StandIn, by: str | None) -> None:
        """Disable a server's entry, or enable it."""
        async with self.hass.connect() as socket:
            await socket.command(
                "config_entries/disable", entry_id=self.entries[server], disabled_by=by
            )

    async def until_state(self, entity_id: str, wanted: str) -> None:
        """Wait for a state, asking for no other one."""

        async def reached() -> bool | None:
            status, answer = await self.hass.request("GET", f"/api/states/{entity_id}")
            return (status == 200 and answer["state"] == wanted) or None

        if not await until(reached, WITHIN):
            raise LiveHomeAssistantError(f"{entity_id} has never become {wanted}")

    async def scan(self, server: StandIn, scans: Scans) -> None:
        """Scan a library."""
        server.log.clear()
        await self.measured()
        started = time.perf_counter()
        found = await self.hass.call_action(
            DOMAIN, "scan_library", {"server": self.entries[server]}
        )
        scans.seconds.append(time.perf_counter() - started)
        scans.stalls.append((await self.measured())["longest"])
        scans.requests = max(scans.requests, len(server.log))
        if found["movies"] + found["shows"] + found["episodes"] != ITEMS:
            raise LiveHomeAssistantError(f"Something was left out: {found}")
        scans.served.append(await self.served(server))

    async def scan_with_plexapi(self, scans: Scans) -> None:
        """Read the library of Plex as anybody would who has plexapi."""
        server = self.plex.server
        server.log.clear()
        read = await measured_apart("plexapi", server.url, self.plex.token())
        scans.seconds.append(read["seconds"])
        scans.requests = max(scans.requests, len(server.log))
        if read["items"] != ITEMS:
            raise LiveHomeAssistantError(f"plexapi has left something out: {read}")
        scans.served.append(await self.served(server))

    async def least_stall(self) -> float:
        """Return how long the loop stalls while threads do nothing but count."""
        await self.measured()
        await self.send([request(self.probe("count"), b"", "text/plain")], 1)
        return (await self.measured())["longest"]

    async def served(self, server: StandIn) -> float:
        """Repeat the requests that there were; returns how many seconds they take."""
        requests = [
            (
                f"{asked.path}?{urlencode(asked.query)}",
                self._tokens[server]
                | {
                    str(name): value
                    for name, value in asked.headers.items()
                    if name.lower() in _OF_A_PAGE
                },
            )
            for asked in server.log.of("GET")
            if _is_of_a_page(asked.path)
        ]
        repeated = await measured_apart("bare", HOST, str(server.port), given=requests)
        return repeated["seconds"]

    # What is measured

    async def scans(self) -> None:
        """Scan both libraries, and read that of Plex with plexapi, in turns.

        What is new is written to disk, what is known only compared.
        """
        plex, jellyfin, theirs = Scans(), Scans(), Scans()
        again: dict[StandIn, Scans] = {}
        counting: list[float] = []
        # For the servers to remember.
        for server in (self.plex.server, self.jellyfin):
            await self.scan(server, Scans())
        await self.scan_with_plexapi(Scans())
        for _ in range(ROUNDS):
            for server, first in (
                (self.plex.server, plex),
                (self.jellyfin, jellyfin),
            ):
                await self.hass.call_action(
                    DOMAIN, "clear_library", {"server": self.entries[server]}
                )
                await self.scan(server, first)
                await self.scan(server, again.setdefault(server, Scans()))
            counting.append(await self.least_stall())
            await self.scan_with_plexapi(theirs)
        for name, first in (("Plex", plex), ("Jellyfin", jellyfin)):
            self.row(
                f"{name}: scan of {ITEMS:,} items, requests",
                f"{first.requests} (in {first})",
                f"at most {MOST_REQUESTS}",
                reached=first.requests <= MOST_REQUESTS,
            )
        ratio = median(
            slow / fast for slow, fast in zip(theirs.seconds, plex.seconds, strict=True)
        )
        self.row(
            f"Plex: scan of {ITEMS:,} items against section.all() and guids of plexapi",
            f"{ratio:.1f} x as fast (against {theirs}, with {theirs.requests} requests)",
            "at least 3 x",
            reached=ratio >= 3,
        )
        for name, server, first in (
            ("Plex", self.plex.server, plex),
            ("Jellyfin", self.jellyfin, jellyfin),
        ):
            stalls = [*first.stalls, *again[server].stalls]
            self.row(
                f"{name}: longest stall of the loop while {ITEMS:,} items are scanned",
                f"{median(stalls) * 1000:.0f} ms (in the worst of {len(stalls)} scans "
                f"{max(stalls) * 1000:.0f} ms, while threads count "
                f"{median(counting) * 1000:.0f} ms)",
                "50 ms",
                reached=median(stalls) <= 0.05,
            )

    async def watchlist(self) -> None:
        """Import a watchlist twice and see whether the second time changes anything."""
        viewer = next(
            str(entry["entry_id"])
            for entry in await self.hass.entries(DOMAIN)
            if entry["title"] == self.plex.owner.name
        )
        wanted: list[Movie | Show] = [
            *LIBRARY.movies[:WANTED_MOVIES],
            *LIBRARY.shows[:WANTED_SHOWS],
        ]
        for title in wanted:
            self.plex.owner.add_to_watchlist(title)
        file = self.hass.folder / ".storage" / f"{DOMAIN}.watchlist.{viewer}"
        results: list[dict[str, Any]] = []
        contents: list[tuple[os.stat_result, bytes, Any]] = []
        seconds: list[float] = []
        for _ in range(2):
            started = time.perf_counter()
            results.append(
                await self.hass.call_action(
                    DOMAIN, "import_watchlist", {"viewer": viewer}
                )
            )
            seconds.append(time.perf_counter() - started)
            # Whatever else comes of it is written by then.
            await asyncio.sleep(SETTLE)
            listed = await self.hass.call_action(
                DOMAIN, "get_watchlist", {"viewer": viewer}
            )
            contents.append((*await asyncio.to_thread(_read, file), listed["items"]))
        count = len(wanted)
        (before, *items), (after, *items_after) = contents
        if results[0]["imported"] != count or len(contents[0][2]) != count:
            raise LiveHomeAssistantError(f"Something was left out: {results[0]}")
        written = (
            before.st_mtime_ns != after.st_mtime_ns or before.st_ino != after.st_ino
        )
        changed = results[1]["imported"] or items != items_after
        self.row(
            f"import of a watchlist of {count:,} titles, the second time",
            f"{'written' if written else 'no write'}, "
            f"{'changes' if changed else 'no change'} "
            f"({seconds[1]:.1f} s, the first time {seconds[0]:.1f} s)",
            "no write, no change",
            reached=not written and not changed,
        )

    async def many(self) -> None:
        """Start with a large library, and look titles up in it."""
        server = await self.plex.add_server("Cellar", library=LARGE_LIBRARY)
        await self.add_plex(server)
        before = await self.measured()
        await self.hass.call_action(
            "button",
            "press",
            {"entity_id": "button.cellar_scan_library"},
            response=False,
        )
        await self.until_state("sensor.cellar_library_scan", "complete")
        after = await self.measured()
        scanning = (after["memory"] - before["memory"]) / 1e6
        await self.set_disabled(server, "user")
        await self.hass.restart()
        await asyncio.sleep(SETTLE)
        counting = await self.least_stall()
        before = await self.measured()
        await self.set_disabled(server, None)
        await self.until_state(
            "sensor.cellar_episodes", str(len(LARGE_LIBRARY.episodes))
        )
        after = await self.measured()
        added = (after["memory"] - before["memory"]) / 1e6
        self.row(
            f"memory added with {MANY:,} items indexed",
            f"{added:.0f} MB (as they are scanned {scanning:.0f} MB)",
            "80 MB",
            reached=added <= 80,
        )
        self.row(
            f"start with {MANY:,} items: longest stall of the loop",
            f"{after['longest'] * 1000:.0f} ms (while threads count {counting * 1000:.0f} ms)",
            "50 ms",
            reached=after["longest"] <= 0.05,
        )
        await self.hass.stop()
        times = await measured_apart(
            "look_up", str(self.hass.folder), self.entries[server]
        )
        if times["items"] != MANY:
            raise LiveHomeAssistantError(f"Something was left out: {times}")
        slowest = max(times["by_id"], times["by_name"], times["absent"])
        self.row(
            f"a title looked up in {MANY:,}",
            f"{times['by_id'] * 1000:.3f} ms (by its name alone "
            f"{times['by_name'] * 1000:.3f} ms, one that is not there "
            f"{times['absent'] * 1000:.3f} ms)",
            "under 0.1 ms",
            reached=slowest < 0.0001,
        )


def _is_of_a_page(path: str) -> bool:
    return path == "/Items" or path.startswith("/library/")


def _read(file: Path) -> tuple[os.stat_result, bytes]:
    return file.stat(), file.read_bytes()


async def measure_libraries() -> list[Row]:
    """Measure everything that has to do with large libraries and watchlists."""
    async with (
        PlexStandIn(owner="alice", name="Attic", library=LIBRARY) as plex,
        JellyfinStandIn(name="Boathouse", library=LIBRARY) as jellyfin,
    ):
        plex.server.faults, jellyfin.faults = Memory(), Memory()
        bob = jellyfin.add_user("bob", PASSWORD, administrator=True)
        async with LiveHomeAssistant(
            companions=[PROBE], recorder=False, environment=plex.environment
        ) as hass:
            bench = LibraryBench(hass, plex, jellyfin, bob)
            await bench.set_up()
            await bench.scans()
            await bench.watchlist()
            await bench.many()
            return bench.rows
