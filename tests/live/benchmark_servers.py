"""Measures what servers cost that are signed in to: in requests, stalls and waiting."""

import asyncio
from collections.abc import Awaitable, Callable
import statistics
import time

from tests.simulators.catalogue import Episode
from tests.simulators.stand_in import StandIn

from .demo_servers import StandIns, stand_ins
from .demo_sign_in import SignInDemo
from .home_assistant import LiveHomeAssistant, LiveHomeAssistantError
from .measuring import PROBE, ROUNDS, Bench, Row
from .report import DOMAIN, Report
from .waiting import until

# What is asked of a server is asked soon after a webhook, at the latest.
SETTLE = 2.0
WARM_UP = 8
PLAYS = 25


class ServerBench(Bench):
    """A Home Assistant with a Plex and a Jellyfin server, each signed in to."""

    def __init__(self, hass: LiveHomeAssistant, servers: StandIns) -> None:
        """Take the running Home Assistant and the servers."""
        super().__init__(hass)
        self.servers = servers
        self.demo = SignInDemo(hass, servers, Report())
        # Nobody else is to be waited for.
        servers.plex.owner.webhooks.clear()
        servers.jellyfin.plugin.generic.clear()
        self._next = 0

    async def set_up(self) -> None:
        """Sign in to both servers."""
        await self.demo.sign_in_to_plex()
        await self.demo.sign_in_to_jellyfin()

        async def ready() -> bool | None:
            entries = await self.hass.entries(DOMAIN)
            return (
                len(entries) == 6
                and bool(self.servers.plex.owner.webhooks)
                and bool(self.servers.jellyfin.plugin.generic)
            ) or None

        if not await until(ready):
            raise LiveHomeAssistantError("The servers have not been set up")
        await asyncio.sleep(SETTLE)

    def episode(self) -> Episode:
        """Return an episode that nobody has seen, of another series than the last one."""
        library = self.servers.plex.server.items.library
        shows = len(library.shows)
        while True:
            show, turn = self._next % shows, self._next // shows
            self._next += 1
            numbers = library.episodes_of_show(show)
            if turn < len(numbers):
                return library.episodes[numbers[turn]]

    async def play_on_plex(self, episode: Episode) -> list[float]:
        """Watch an episode on Plex; returns how long each event took, in seconds."""
        plex = self.servers.plex
        return await _timed(lambda: plex.play("alice", episode), plex.finish, plex.stop)

    async def play_on_jellyfin(self, episode: Episode) -> list[float]:
        """Watch an episode on Jellyfin; returns how long each event took, in seconds."""
        jellyfin = self.servers.jellyfin
        return await _timed(
            lambda: jellyfin.play(episode, self.demo.bob), jellyfin.finish
        )

    # What is measured

    async def requests_per_event(self) -> None:
        """Count what a server is asked because of one event, at most."""
        plex, jellyfin = self.servers.plex, self.servers.jellyfin
        for name, server, events in (
            (
                "Plex",
                plex.server,
                lambda episode: [
                    lambda: plex.play("alice", episode),
                    plex.finish,
                    plex.stop,
                ],
            ),
            (
                "Jellyfin",
                jellyfin,
                lambda episode: [
                    lambda: jellyfin.play(episode, self.demo.bob),
                    jellyfin.finish,
                ],
            ),
        ):
            episode = self.episode()
            for what, goal in (("new", 3), ("seen before", 1)):
                most = 0
                for event in events(episode):
                    server.log.clear()
                    await event()
                    await asyncio.sleep(SETTLE)
                    most = max(most, len(server.log))
                self.row(
                    f"{name}: requests for an event of a title {what}",
                    f"at most {most}",
                    f"at most {goal}",
                    reached=most <= goal,
                )

    async def answers_without_server(self) -> None:
        """Compare the answers while the server's API hangs with those while it works."""
        plex, jellyfin = self.servers.plex, self.servers.jellyfin
        for name, server, play in (
            ("Plex", plex.server, self.play_on_plex),
            ("Jellyfin", jellyfin, self.play_on_jellyfin),
        ):
            ratio, working, hanging = await self._compared(server, play)
            self.row(
                f"{name}: a webhook's answer while its API hangs against while it works",
                f"{ratio:.2f} x ({hanging * 1000:.1f} ms against {working * 1000:.1f} ms)",
                "at most 1.5 x",
                reached=ratio <= 1.5,
            )

    async def _compared(
        self, server: StandIn, play: Callable[[Episode], Awaitable[list[float]]]
    ) -> tuple[float, float, float]:
        async def median() -> float:
            times = [await play(self.episode()) for _ in range(PLAYS)]
            return statistics.median(time for each in times for time in each)

        for _ in range(WARM_UP):
            await play(self.episode())
        pairs = []
        for _ in range(ROUNDS):
            working = await median()
            with server.faults.hang():
                hanging = await median()
            pairs.append((hanging / working, working, hanging))
            await asyncio.sleep(SETTLE)
        return (
            statistics.median(ratio for ratio, _, _ in pairs),
            statistics.median(working for _, working, _ in pairs),
            statistics.median(hanging for _, _, hanging in pairs),
        )

    async def stalls(self) -> None:
        """Find the longest stall of the loop while titles are completed."""
        for name, play in (
            ("Plex", self.play_on_plex),
            ("Jellyfin", self.play_on_jellyfin),
        ):
            longest = []
            for _ in range(ROUNDS):
                await self.measured()
                for _ in range(PLAYS):
                    await play(self.episode())
                await asyncio.sleep(SETTLE)
                longest.append((await self.measured())["longest"])
            # What the work itself stalls for comes again with every round, unlike what
            # else the machine does.
            usual, worst = statistics.median(longest), max(longest)
            self.row(
                f"{name}: longest stall of the loop while its client works",
                f"{usual * 1000:.0f} ms (in the worst of {ROUNDS} rounds "
                f"{worst * 1000:.0f} ms)",
                "under 50 ms",
                reached=usual < 0.05,
            )


async def _timed(*events: Callable[[], Awaitable[object]]) -> list[float]:
    """Let events happen, and return how many seconds each took until it was answered."""
    times = []
    for event in events:
        started = time.perf_counter()
        await event()
        times.append(time.perf_counter() - started)
    return times


async def measure_servers() -> list[Row]:
    """Measure everything that has to do with servers that are signed in to."""
    async with (
        stand_ins() as servers,
        LiveHomeAssistant(
            companions=[PROBE], recorder=False, environment=servers.plex.environment
        ) as hass,
    ):
        bench = ServerBench(hass, servers)
        await bench.set_up()
        await bench.requests_per_event()
        await bench.stalls()
        await bench.answers_without_server()
        return bench.rows
