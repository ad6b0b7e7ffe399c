"""Measures what it costs to bring a large Jellyfin server in step with a long history.

    .venv/run/bin/python -m tests.live.benchmark_following

The server's webhooks are on: every mark comes back as one.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
import time
from typing import Any

from homeassistant.core import HomeAssistant

from custom_components.media_scrobbler.domain.play import Source, SourceKind
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.storage.history import History
from tests.simulators.catalogue import Episode, ExternalIds, Movie
from tests.simulators.jellyfin import JellyfinUser
from tests.simulators.jellyfin_server import JellyfinStandIn
from tests.simulators.library import Library

from .home_assistant import FlowStep, LiveHomeAssistant, LiveHomeAssistantError
from .measuring import PROBE, Bench, Row, table
from .report import DOMAIN
from .waiting import until

ITEMS = 50_000
# With their shows these are as many items.
LIBRARY = Library(movies=10_012, episodes=39_400)
WATCHED_MOVIES = 2_000
WATCHED_EPISODES = 8_000
WATCHED = WATCHED_MOVIES + WATCHED_EPISODES
# One for 500 items, and one for each of the two sections.
MOST_PAGES = ITEMS // 500 + 2

PASSWORD = "correct horse"
SETTLE = 5.0
WITHIN = 240.0
FIRST = datetime(2016, 1, 1, 20, tzinfo=UTC)


class FollowingBench(Bench):
    """A Home Assistant with a Jellyfin server that holds much, and a viewer who has watched much."""

    def __init__(
        self, hass: LiveHomeAssistant, jellyfin: JellyfinStandIn, user: JellyfinUser
    ) -> None:
        """Take the running Home Assistant, the server, and whose it is."""
        super().__init__(hass)
        self.jellyfin = jellyfin
        self._user = user
        self._viewer = ""

    async def set_up(self) -> None:
        """Sign in, and give the viewer a long history that the server knows nothing of."""

        def first_account(step: FlowStep) -> dict[str, list[str]]:
            return {"accounts": list(step.options("accounts"))[:1]}

        await self.hass.flow(
            DOMAIN,
            {"next_step_id": "jellyfin"},
            {"next_step_id": "jellyfin_password"},
            {
                "url": self.jellyfin.url,
                "username": self._user.name,
                "password": PASSWORD,
                "verify_ssl": True,
            },
            {"local_only": True},
            first_account,
        )
        self._viewer = await self._found(self._find_viewer)
        await self._set_disabled("user")
        await write_history(self.hass.folder, self._viewer)
        await self._set_disabled(None)
        await self._found(self._has_history)
        await asyncio.sleep(SETTLE)

    async def _found(self, check: Any) -> str:
        if (result := await until(check, WITHIN)) is None:
            raise LiveHomeAssistantError("It has never come to that")
        return str(result)

    async def _find_viewer(self) -> str | None:
        for entry in await self.hass.entries(DOMAIN):
            if entry["title"] == self._user.name and self.jellyfin.plugin.generic:
                return str(entry["entry_id"])
        return None

    async def _has_history(self) -> str | None:
        plays = await self.plays()
        return str(plays) if plays == WATCHED else None

    async def _set_disabled(self, by: str | None) -> None:
        async with self.hass.connect() as socket:
            await socket.command(
                "config_entries/disable", entry_id=self._viewer, disabled_by=by
            )

    async def plays(self) -> int:
        """Return how many plays are in the history."""
        states = await self.hass.states()
        counts = [
            states.get(f"sensor.{self._user.name}_{kind}", {}).get("state", "0")
            for kind in ("movies", "episodes")
        ]
        return sum(int(count) for count in counts if count.isdigit())

    # What is measured

    async def syncs(self) -> None:
        """Compare everything twice."""
        first, seconds, stall = await self._sync()
        marks = first["marked_watched"]
        asked = len(self.jellyfin.log)
        if marks < WATCHED * 0.99 or first["failed"]:
            raise LiveHomeAssistantError(f"Something was left out: {first}")
        most = MOST_PAGES + marks
        self.row(
            f"sync of {WATCHED:,} watched of {ITEMS:,} items: requests",
            f"{asked:,}, of which {marks:,} marks (in {seconds:.0f} s)",
            f"at most {most:,}: pages, and one for each change",
            reached=asked <= most,
        )
        await self.jellyfin.delivered()
        await asyncio.sleep(SETTLE)
        surplus = await self.plays() - WATCHED
        self.row(
            f"sync of {WATCHED:,} watched: webhooks of marks taken for plays",
            f"{surplus} of {len(self.jellyfin.plugin.deliveries):,}",
            "none",
            reached=surplus == 0,
        )
        stalls = [stall]
        again: dict[str, Any] = {}
        for _ in range(3):
            again, seconds, stall = await self._sync()
            stalls.append(stall)
        writes = sum(request.method != "GET" for request in self.jellyfin.log)
        self.row(
            "sync when all is in step: requests",
            f"{len(self.jellyfin.log)}, of which {writes} write (in {seconds:.1f} s)",
            f"at most {MOST_PAGES}, no write",
            reached=len(self.jellyfin.log) <= MOST_PAGES
            and not writes
            and not again["marked_watched"],
        )
        self.row(
            "longest stall of the loop while all is compared",
            f"{median(stalls) * 1000:.0f} ms (with marking {stalls[0] * 1000:.0f} ms)",
            "50 ms",
            reached=median(stalls) <= 0.05,
        )

    async def _sync(self) -> tuple[dict[str, Any], float, float]:
        """Compare everything; returns what came of it, its seconds and longest stall."""
        self.jellyfin.log.clear()
        await self.measured()
        started = time.perf_counter()
        status, answer = await self.hass.request(
            "POST",
            f"/api/services/{DOMAIN}/sync_jellyfin?return_response",
            {},
            within=WITHIN,
        )
        seconds = time.perf_counter() - started
        if status != 200:
            raise LiveHomeAssistantError(f"It could not be compared: {answer}")
        return answer["service_response"], seconds, (await self.measured())["longest"]


def titles() -> Iterable[Title]:
    """Yield what has been watched, as another server would name it."""
    for movie in LIBRARY.movies[:WATCHED_MOVIES]:
        yield _movie(movie)
    for episode in LIBRARY.episodes[:WATCHED_EPISODES]:
        yield _episode(episode)


def _movie(movie: Movie) -> Title:
    return Title(
        media_type=MediaType.MOVIE,
        title=movie.title,
        year=movie.year,
        ids=_ids(movie.ids),
        duration=round(movie.runtime.total_seconds()),
    )


def _episode(episode: Episode) -> Title:
    return Title(
        media_type=MediaType.EPISODE,
        title=episode.title,
        show=episode.show.title,
        season=episode.season,
        episode=episode.number,
        ids=_ids(episode.ids),
        show_ids=_ids(episode.show.ids),
        duration=round(episode.runtime.total_seconds()),
    )


def _ids(ids: ExternalIds) -> dict[str, str | int]:
    return {
        source: int(value) if value.isdigit() else value
        for source, value in ids.items()
    }


async def write_history(folder: Path, viewer_id: str) -> None:
    """Write the history of a viewer who is disabled meanwhile."""
    hass = HomeAssistant(str(folder))
    try:
        history = History(hass, f"history.{viewer_id}")
        for number, title in enumerate(titles()):
            at = FIRST + number * timedelta(hours=9)
            source = Source(kind=SourceKind.MANUAL, at=at)
            recorded = await history.async_record(title, at, source)
            if recorded.saved is not None:
                await recorded.saved
    finally:
        await hass.async_stop(force=True)


async def measure_following() -> list[Row]:
    """Measure what it costs to bring a server in step."""
    async with JellyfinStandIn(name="Boathouse", library=LIBRARY) as jellyfin:
        bob = jellyfin.add_user("bob", PASSWORD, administrator=True)
        async with LiveHomeAssistant(companions=[PROBE], recorder=False) as hass:
            bench = FollowingBench(hass, jellyfin, bob)
            await bench.set_up()
            await bench.syncs()
            return bench.rows


if __name__ == "__main__":
    print(table(asyncio.run(measure_following())))
