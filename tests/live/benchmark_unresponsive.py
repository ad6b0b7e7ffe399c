"""Measures how long servers that do not answer hold up Home Assistant: its start and its stop."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
import statistics
import time

from tests.simulators.faults import Fault, Faults
from tests.simulators.stand_in import StandIn

from .benchmark_servers import ServerBench
from .demo_servers import stand_ins
from .home_assistant import LiveHomeAssistant, LiveHomeAssistantError
from .measuring import PROBE, Row
from .report import DOMAIN
from .waiting import until

MOST = 5.0
"""Seconds by which servers that do not answer may make a start, a stop or a removal longer."""

IN_FLIGHT = 1.0
"""Seconds for requests to get under way before Home Assistant is stopped."""

ELSEWHERE = "http://127.0.0.1:9/elsewhere"
HOUR = {"Retry-After": "3600"}

WAYS: dict[str, Callable[[Faults], Fault]] = {
    "take a request and say nothing": lambda faults: faults.hang(),
    "answer a byte a second": lambda faults: faults.trickle(1),
    "answer 429 with Retry-After: 3600": lambda faults: faults.fail(429, headers=HOUR),
    "answer 503 with Retry-After: 3600": lambda faults: faults.fail(503, headers=HOUR),
    "answer without an end": lambda faults: faults.endless(),
    "redirect to elsewhere": lambda faults: faults.redirect(ELSEWHERE),
}


@dataclass(frozen=True, slots=True)
class Times:
    """How many seconds Home Assistant took to stop and to start.

    `set_up` are those of the start, by its own account, that went into our integration: what
    else the machine does meanwhile changes them least.
    """

    stop: float
    start: float
    set_up: float


class UnresponsiveBench(ServerBench):
    """A Home Assistant that was signed in to a Plex and a Jellyfin server."""

    @property
    def _all(self) -> tuple[StandIn, ...]:
        plex = self.servers.plex
        return plex.server, plex.tv, plex.discover, self.servers.jellyfin

    async def run(self) -> None:
        """Stop and start with each way of not answering, and before each while all is well."""
        healthy, unwell = [], {}
        for what, wrong in WAYS.items():
            await self._well_again()
            healthy.append(await self._stop_and_start())
            await self._well_again()
            with ExitStack() as faults:
                for server in self._all:
                    faults.enter_context(wrong(server.faults))
                unwell[what] = await self._stop_and_start()
        usual = Times(
            statistics.median(times.stop for times in healthy),
            statistics.median(times.start for times in healthy),
            statistics.median(times.set_up for times in healthy),
        )
        for what, times in unwell.items():
            self.row(
                f"stop while servers {what}",
                f"{times.stop:.1f} s (while they are well {usual.stop:.1f} s)",
                f"at most {MOST:.0f} s more",
                reached=times.stop - usual.stop <= MOST,
            )
            self.row(
                f"start while servers {what}: set-up of the integration",
                f"{times.set_up:.1f} s of {times.start:.1f} s (while they are well "
                f"{usual.set_up:.1f} s of {usual.start:.1f} s)",
                f"at most {MOST:.0f} s more",
                reached=times.set_up - usual.set_up <= MOST,
            )
        await self._well_again()
        await self._removal()

    async def _stop_and_start(self) -> Times:
        """Have requests under way, stop, and start; returns how long both took."""
        playing = [
            asyncio.create_task(self.servers.plex.play("alice", self.episode())),
            asyncio.create_task(
                self.servers.jellyfin.play(self.episode(), self.demo.bob)
            ),
        ]
        await asyncio.sleep(IN_FLIGHT)
        started = time.perf_counter()
        await self.hass.stop()
        stopped = time.perf_counter()
        await self.hass.start()
        times = Times(
            stopped - started, time.perf_counter() - stopped, await self._set_up_time()
        )
        await asyncio.gather(*playing, return_exceptions=True)
        return times

    async def _set_up_time(self) -> float:
        async with self.hass.connect() as socket:
            timings = await socket.command("integration/setup_info")
        return sum(float(one["seconds"]) for one in timings if one["domain"] == DOMAIN)

    async def _well_again(self) -> None:
        """Have both servers set up."""
        for entry in await self._entries():
            if entry["state"] != "loaded":
                await self.hass.reload_entry(entry["entry_id"])

        async def loaded() -> bool | None:
            entries = await self._entries()
            return all(entry["state"] == "loaded" for entry in entries) or None

        if not await until(loaded):
            raise LiveHomeAssistantError("The servers have not been set up again")

    async def _removal(self) -> None:
        """Remove the servers while nothing answers."""
        longest = 0.0
        with ExitStack() as faults:
            for server in self._all:
                faults.enter_context(server.faults.hang())
            for entry in await self._entries():
                started = time.perf_counter()
                await self.hass.delete(
                    f"/api/config/config_entries/entry/{entry['entry_id']}"
                )
                longest = max(longest, time.perf_counter() - started)
        self.row(
            "removal of a server that takes a request and says nothing",
            f"{longest:.1f} s",
            f"at most {MOST:.0f} s",
            reached=longest <= MOST,
        )

    async def _entries(self) -> list[dict[str, str]]:
        """Return the entries of the two servers."""
        names = {self.servers.plex.server.name, self.servers.jellyfin.server.name}
        return [
            entry
            for entry in await self.hass.entries(DOMAIN)
            if entry["title"] in names
        ]


async def measure_unresponsive() -> list[Row]:
    """Measure everything that has to do with servers that do not answer."""
    async with (
        stand_ins() as servers,
        LiveHomeAssistant(
            companions=[PROBE], recorder=False, environment=servers.plex.environment
        ) as hass,
    ):
        bench = UnresponsiveBench(hass, servers)
        await bench.set_up()
        await bench.run()
        return bench.rows
