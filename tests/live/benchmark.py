"""Measures the integration in a real Home Assistant and prints a table.

Ratios are of two measurements of one run, taken in turns, since machines differ and are
shared. Run by `script/benchmark`; it takes several minutes.
"""

import argparse
import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
import statistics
import sys
import time

from homeassistant.util.ulid import ulid_at_time
import orjson

from custom_components.media_scrobbler.domain.play import Play, Source, SourceKind
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.storage.codec import play_to_dict
from custom_components.media_scrobbler.storage.history import MAX_PART_BYTES

from ..simulators.catalogue import ExternalIds, Movie
from ..simulators.plex import PlexAccount, PlexServer
from .benchmark_following import measure_following
from .benchmark_library import measure_libraries
from .benchmark_servers import measure_servers
from .benchmark_unresponsive import measure_unresponsive
from .home_assistant import LiveHomeAssistant
from .measuring import PROBE, ROUNDS, Bench, Row, table
from .report import DOMAIN
from .senders import post_all, request

MANY = 100_000
BURST = 12_000


class HistoryBench(Bench):
    """A Home Assistant with a Plex server, a viewer without history and one with much."""

    def __init__(self, hass: LiveHomeAssistant) -> None:
        """Take the running Home Assistant."""
        super().__init__(hass)
        self.server = PlexServer(
            name="Attic", uuid="5a1d9e0b7c3f", owner=PlexAccount.owner("olga")
        )
        self.busy = PlexAccount.home_user("busy")
        self.url = ""
        self.viewers: dict[str, str] = {}
        self._films = count()

    async def set_up(self) -> None:
        """Add the server, make its accounts known, and add the viewers."""
        steps = await self.hass.flow(
            DOMAIN,
            {"next_step_id": "plex"},
            {"next_step_id": "plex_webhook_only"},
            {"name": "Plex"},
            {"local_only": True},
        )
        webhook = next(step for step in steps if step.step_id == "webhook")
        self.url = str(webhook.placeholders["url"])
        await self.send([*self.plays(1), *self.plays(1, self.busy)], 1)
        for name, account in (("Empty", self.server.owner), ("Busy", self.busy)):
            form = (await self.hass.flow(DOMAIN, {"next_step_id": "viewer"}))[-1]
            key = next(
                key
                for key, label in form.options("accounts").items()
                if account.title in label
            )
            done = await self.hass.continue_flow(
                form.flow_id, {"name": name, "accounts": [key]}
            )
            entry = done[-1].entry
            assert entry is not None
            self.viewers[name] = str(entry["entry_id"])

    def film(self) -> Movie:
        """Return a film that nobody has seen."""
        number = next(self._films)
        return Movie(
            f"Reel {number}",
            1950 + number % 70,
            ids=ExternalIds(
                tmdb=3_000_000 + number,
                imdb=f"tt{20_000_000 + number}",
                tvdb=7_000_000 + number,
            ),
            runtime=timedelta(minutes=95),
            released=date(2001, 5, 4),
        )

    def plays(self, number: int, account: PlexAccount | None = None) -> Iterator[bytes]:
        """Return requests that each complete another film."""
        for _ in range(number):
            body, content_type = self.server.body(
                "media.scrobble", self.film(), account, thumb=b""
            )
            yield request(self.url, body, content_type)

    def pauses(self, number: int) -> Iterator[tuple[bytes, str]]:
        """Return bodies that pause and resume a film in turns."""
        film = self.film()
        bodies = [
            self.server.body(event, film, thumb=b"")
            for event in ("media.pause", "media.resume")
        ]
        for turn in range(number):
            yield bodies[turn % 2]

    # What is measured

    async def cost_of_a_webhook(self, senders: int, *, bare: bool) -> None:
        """Compare a webhook that is no play with an empty handler.

        Bare senders cost next to nothing themselves, others what aiohttp's client costs.
        """
        number = 400

        async def seconds(url: str) -> float:
            bodies = self.pauses(number)
            if bare:
                requests = (request(url, *body) for body in bodies)
                run = await self.send(requests, senders)
            else:
                run = await post_all(url, bodies, senders)
            assert all(sent.outcome in ("", "updated") for sent in run.sent)
            return run.seconds / number

        ratios: list[float] = []
        ours, empty = 0.0, 0.0
        for _ in range(ROUNDS):
            empty = await seconds(self.probe("empty"))
            ours = await seconds(self.url)
            ratios.append(ours / empty)
        ratio = statistics.median(ratios)
        self.row(
            "webhook that is no play against an empty handler, "
            f"{senders} {'bare ' if bare else ''}sender{'s' if senders > 1 else ''}",
            f"{ratio:.2f} x ({ours * 1000:.2f} ms against {empty * 1000:.2f} ms)",
            "at most 1.5 x",
            reached=ratio <= 1.5,
        )

    async def rate_of_plays(self) -> None:
        """Measure recorded plays per second at 16 senders."""
        rates: list[float] = []
        for _ in range(3):
            number = 1000
            requests = list(self.plays(number))
            run = await self.send(requests, 16)
            assert all(sent.outcome == "recorded" for sent in run.sent)
            rates.append(number / run.seconds)
        rate = statistics.median(rates)
        self.row(
            "recorded plays, on disk, 16 senders",
            f"{rate:.0f} a second",
            "at least 1,000 a second",
            reached=rate >= 1000,
        )

    async def start_with_many(self) -> None:
        """Enable a viewer with a long history and see what that costs."""
        before = await self.measured()
        started = time.perf_counter()
        async with self.hass.connect() as socket:
            await socket.command(
                "config_entries/disable",
                entry_id=self.viewers["Busy"],
                disabled_by=None,
            )
        # What is awaited goes on in another process.
        while await self._plays_of_busy() < MANY:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        seconds = time.perf_counter() - started
        after = await self.measured()
        added = (after["memory"] - before["memory"]) / 1e6
        self.row(
            f"start with {MANY:,} plays: longest stall of the loop",
            f"{after['longest'] * 1000:.0f} ms (ready after {seconds:.1f} s)",
            "50 ms",
            reached=after["longest"] <= 0.05,
        )
        self.row(
            f"start with {MANY:,} plays: memory added",
            f"{added:.0f} MB",
            "60 MB",
            reached=added <= 60,
        )

    async def _plays_of_busy(self) -> int:
        states = await self.hass.states()
        state = states.get("sensor.busy_movies", {}).get("state", "0")
        return int(state) if state.isdigit() else 0

    async def play_among_many(self) -> None:
        """Compare a play of a viewer with a long history with one of a viewer without."""
        ratios: list[float] = []
        written = 0.0
        number = 150
        for _ in range(ROUNDS):
            few = await self.send(list(self.plays(number)), 1)
            before = (await self.measured())["written"]
            many = await self.send(list(self.plays(number, self.busy)), 1)
            written = ((await self.measured())["written"] - before) / number
            assert all(sent.outcome == "recorded" for sent in (*few.sent, *many.sent))
            ratios.append(many.median / few.median)
        ratio = statistics.median(ratios)
        self.row(
            f"a play with {MANY:,} plays of history against one with none: time",
            f"{ratio:.2f} x",
            "1.1 x",
            reached=ratio <= 1.1,
        )
        self.row(
            f"a play with {MANY:,} plays of history: bytes written",
            f"{written / 1000:.0f} KB",
            "under 100 KB",
            reached=written < 100_000,
        )

    async def burst(self) -> None:
        """Send what a bulk mark sends, as fast as it goes."""
        requests = list(self.plays(BURST))
        await self.measured()
        run = await self.send(requests, 64)
        after = await self.measured()
        recorded = sum(sent.outcome == "recorded" for sent in run.sent)
        self.row(
            f"{BURST:,} webhooks at once: lost",
            f"{BURST - recorded} (in {run.seconds:.1f} s)",
            "none",
            reached=recorded == BURST,
        )
        self.row(
            f"{BURST:,} webhooks at once: loop delay, 99th percentile",
            f"{after['percentile_99'] * 1000:.0f} ms",
            "under 100 ms",
            reached=after["percentile_99"] < 0.1,
        )

    async def reading(self) -> None:
        """Read a month, and search everything."""
        for what, data, limit in (
            (
                "get_history of a month",
                {"start": "2019-03-01 00:00:00", "end": "2019-04-01 00:00:00"},
                0.02,
            ),
            (f"text search over {MANY:,} plays", {"query": "reel 504242"}, 1.0),
        ):
            times: list[float] = []
            await self.measured()
            for _ in range(ROUNDS):
                started = time.perf_counter()
                response = await self.hass.call_action(
                    DOMAIN, "get_history", {"viewer": self.viewers["Busy"], **data}
                )
                times.append(time.perf_counter() - started)
                assert response["total"] > 0
            stall = (await self.measured())["longest"]
            median = statistics.median(times)
            self.row(
                what,
                f"{median * 1000:.0f} ms (longest stall {stall * 1000:.0f} ms)",
                f"{limit * 1000:.0f} ms, off the loop",
                reached=median <= limit and stall <= 0.05,
            )


def write_long_history(folder: Path, viewer_id: str, server_id: str) -> None:
    """Write a history of many plays over ten years, as the integration would have."""
    first = datetime(2016, 1, 1, tzinfo=UTC)
    months: dict[str, list[bytes]] = {}
    sizes: dict[str, int] = {}
    parts: dict[str, int] = {}

    def flush(month: str) -> None:
        number = parts.get(month, 0)
        name = month if number == 0 else f"{month}.{number:04}"
        key = f"{DOMAIN}.history.{viewer_id}.{name}"
        (folder / ".storage" / key).write_bytes(
            orjson.dumps(
                {
                    "version": 1,
                    "minor_version": 1,
                    "key": key,
                    "data": {"plays": [orjson.Fragment(raw) for raw in months[month]]},
                },
                option=orjson.OPT_INDENT_2,
            )
        )
        parts[month] = number + 1
        months[month], sizes[month] = [], 0

    for number in range(MANY):
        at = first + timedelta(minutes=number * 52)
        month = f"{at:%Y-%m}"
        title = 5_000_000 + number * 7 // 10
        play = Play(
            id=ulid_at_time(at.timestamp()),
            title=Title(
                media_type=MediaType.MOVIE,
                title=f"Old reel {title}",
                year=1990,
                ids={
                    "plex": f"plex://movie/{title:024x}",
                    "tmdb": title,
                    "imdb": f"tt{title}",
                    "tvdb": title,
                },
                items={"5a1d9e0b7c3f": str(title)},
                duration=5400,
            ),
            watched_at=at,
            sources=(
                Source(
                    kind=SourceKind.WEBHOOK,
                    at=at,
                    event="media.scrobble",
                    server_id=server_id,
                    server="Plex",
                    server_type="plex",
                    account="busy",
                    player="Living room TV",
                    player_id="7c1e09ab42f6d358-com-plexapp-android",
                ),
            ),
        )
        raw = orjson.dumps(play_to_dict(play))
        months.setdefault(month, []).append(raw)
        sizes[month] = sizes.get(month, 0) + len(raw)
        if sizes[month] >= MAX_PART_BYTES:
            flush(month)
    for month in [month for month, raws in months.items() if raws]:
        flush(month)


async def run() -> list[Row]:
    """Measure everything."""
    # Without the recorder, whose thread works through every event and state as well and
    # would be measured along.
    async with LiveHomeAssistant(companions=[PROBE], recorder=False) as hass:
        bench = HistoryBench(hass)
        await bench.set_up()
        for bare in (False, True):
            for senders in (1, 16):
                await bench.cost_of_a_webhook(senders, bare=bare)
        await bench.rate_of_plays()
        async with hass.connect() as socket:
            await socket.command(
                "config_entries/disable",
                entry_id=bench.viewers["Busy"],
                disabled_by="user",
            )
        servers = [
            entry for entry in await hass.entries(DOMAIN) if entry["title"] == "Plex"
        ]
        await asyncio.to_thread(
            write_long_history,
            hass.folder,
            bench.viewers["Busy"],
            str(servers[0]["entry_id"]),
        )
        await hass.restart()
        await bench.start_with_many()
        await bench.play_among_many()
        await bench.reading()
        await hass.restart()
        await bench.burst()
    return [
        *bench.rows,
        *await measure_servers(),
        *await measure_libraries(),
        *await measure_following(),
    ]


def main() -> int:
    """Measure, print the table, and return whether every goal was reached."""
    parser = argparse.ArgumentParser(prog="script/benchmark", description=__doc__)
    parser.add_argument(
        "--servers",
        action="store_true",
        help="measure only what has to do with servers that are signed in to",
    )
    parser.add_argument(
        "--libraries",
        action="store_true",
        help="measure only what has to do with libraries and watchlists",
    )
    parser.add_argument(
        "--following",
        action="store_true",
        help="measure only what has to do with keeping histories and servers in step",
    )
    parser.add_argument(
        "--unresponsive",
        action="store_true",
        help="measure only what servers that do not answer hold up; part of no other run",
    )
    wanted = parser.parse_args()
    rows: list[Row] = []
    if wanted.servers:
        rows += asyncio.run(measure_servers())
    if wanted.libraries:
        rows += asyncio.run(measure_libraries())
    if wanted.following:
        rows += asyncio.run(measure_following())
    if wanted.unresponsive:
        rows += asyncio.run(measure_unresponsive())
    if not (
        wanted.servers or wanted.libraries or wanted.following or wanted.unresponsive
    ):
        rows = asyncio.run(run())
    print()
    print(table(rows))
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
