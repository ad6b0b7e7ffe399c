"""Measures what it costs to keep histories and large servers in step.

    .venv/run/bin/python -m tests.live.benchmark_following

Jellyfin's webhooks are on: every mark comes back as one.
"""

import asyncio
from collections.abc import Iterable, Mapping
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
from tests.simulators.plex_server import PlexStandIn
from tests.simulators.stand_in import StandIn

from .home_assistant import (
    FlowStep,
    LiveHomeAssistant,
    LiveHomeAssistantError,
    StepInput,
)
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

PLEX_HISTORY = 100_000
PLAYS = 5
VERSIONS = 3

PASSWORD = "correct horse"
SETTLE = 5.0
WITHIN = 240.0
FIRST = datetime(2016, 1, 1, 20, tzinfo=UTC)


class ActionBench(Bench):
    """A Home Assistant of which long actions are asked."""

    async def perform(
        self, action: str, data: Mapping[str, Any]
    ) -> tuple[dict[str, Any], float, float]:
        """Perform an action; returns what came of it, its seconds and longest stall."""
        await self.measured()
        started = time.perf_counter()
        status, answer = await self.hass.request(
            "POST",
            f"/api/services/{DOMAIN}/{action}?return_response",
            dict(data),
            within=WITHIN,
        )
        seconds = time.perf_counter() - started
        if status != 200:
            raise LiveHomeAssistantError(f"{action} has failed: {answer}")
        return answer["service_response"], seconds, (await self.measured())["longest"]


class SyncBench(ActionBench):
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
        return await self.perform("sync_jellyfin", {})


class FollowingBench(ActionBench):
    """A Home Assistant with a Plex and a Jellyfin server, and a viewer on both."""

    def __init__(
        self,
        hass: LiveHomeAssistant,
        plex: PlexStandIn,
        jellyfin: JellyfinStandIn,
        user: JellyfinUser,
    ) -> None:
        """Take the running Home Assistant, the servers, and who the viewer is on Jellyfin."""
        super().__init__(hass)
        self.plex = plex
        self.jellyfin = jellyfin
        self._user = user
        self._entries: dict[StandIn, str] = {}
        self._viewer = ""
        # Of each there is one version, but of the last.
        self._films = [movie for movie in LIBRARY.movies if _has_all_ids(movie)]
        self._films = self._films[: PLAYS + 1]

    async def set_up(self) -> None:
        """Sign in to both servers, with one viewer, and scan both libraries."""
        name = self.plex.owner.name

        def own_account(step: FlowStep) -> dict[str, list[str]]:
            accounts = step.options("accounts")
            return {"accounts": [key for key in accounts if name in accounts[key]]}

        inputs: dict[StandIn, list[StepInput]] = {
            self.plex.server: [
                {"next_step_id": "plex"},
                {"next_step_id": "plex_token"},
                {
                    "url": self.plex.server.url,
                    "token": self.plex.token(),
                    "verify_ssl": True,
                },
            ],
            self.jellyfin: [
                {"next_step_id": "jellyfin"},
                {"next_step_id": "jellyfin_password"},
                {
                    "url": self.jellyfin.url,
                    "username": name,
                    "password": PASSWORD,
                    "verify_ssl": True,
                },
            ],
        }
        for server, sign_in in inputs.items():
            steps = await self.hass.flow(
                DOMAIN, *sign_in, {"local_only": True}, own_account
            )
            entry = steps[-1].entry
            assert entry is not None
            self._entries[server] = str(entry["entry_id"])
            await asyncio.sleep(SETTLE)
        (self._viewer,) = [
            str(entry["entry_id"])
            for entry in await self.hass.entries(DOMAIN)
            if entry["title"] == name
        ]
        await self.perform("scan_library", {})
        # Home Assistant is told of these: they are not in lists.
        for number in range(2, VERSIONS + 1):
            await self.jellyfin.add_version(self._films[-1], f"Version {number}")

    async def _follow(self, *, wanted: bool) -> None:
        """Have the viewer's account at Jellyfin follow, or not."""

        def choice(step: FlowStep) -> dict[str, list[str]]:
            keys = [
                key
                for key, label in step.options("following").items()
                if wanted and self.jellyfin.server.name in label
            ]
            return {"following": keys, "unfollowing": keys}

        await self.hass.options_flow(
            self._viewer, {"next_step_id": "following"}, choice
        )
        await asyncio.sleep(SETTLE)

    # What is measured

    async def plays(self) -> None:
        """Count what Jellyfin is asked because something was watched on Plex."""
        await self._follow(wanted=True)
        asked = []
        for film in self._films:
            self.jellyfin.log.clear()
            await self.plex.watch(self.plex.owner, film)
            await asyncio.sleep(SETTLE)
            await self.jellyfin.delivered()
            if not self.jellyfin.data_of(self._user, film).played:
                raise LiveHomeAssistantError(f"{film.label} has not been marked")
            asked.append(len(self.jellyfin.log))
        *of_one, of_several = asked
        self.row(
            "Jellyfin: requests for a new play on Plex",
            f"at most {max(of_one)} (for a film of {VERSIONS} versions {of_several})",
            "1 for each version",
            reached=max(of_one) <= 1 and of_several <= VERSIONS,
        )
        await self._follow(wanted=False)

    async def healing(self) -> None:
        """Count what servers are asked when it is looked whether anything is missing."""
        servers = (("Plex", self.plex.server), ("Jellyfin", self.jellyfin))
        # The first look is at the start, among much else. The second is a minute later,
        # where nothing else is asked.
        for _, server in servers:
            await self.hass.options_flow(self._entries[server], {"healing_interval": 1})
        await asyncio.sleep(SETTLE)
        for _, server in servers:
            server.log.clear()

        async def looked() -> bool | None:
            return all(len(server.log) for _, server in servers) or None

        if await until(looked, WITHIN) is None:
            raise LiveHomeAssistantError("Nobody has looked what is missing")
        await asyncio.sleep(SETTLE)
        for name, server in servers:
            asked = [f"{request.method} {request.path}" for request in server.log]
            self.row(
                f"{name}: requests to find that no play is missing",
                f"{len(asked)} ({', '.join(asked)})",
                "at most 2",
                reached=len(asked) <= 2,
            )
        for _, server in servers:
            await self.hass.options_flow(self._entries[server], {"healing_interval": 0})

    async def import_history(self) -> None:
        """Import a long history into one that has next to nothing."""
        self.plex.server.fill_history(
            PLEX_HISTORY, [self.plex.owner], until=datetime.now(UTC) - timedelta(days=1)
        )
        # What was used for something else before is not to be used again unnoticed.
        await self.hass.restart()
        await asyncio.sleep(SETTLE)
        before = await self.measured()
        done, seconds, stall = await self.perform(
            "import_history", {"server": self._entries[self.plex.server]}
        )
        added = ((await self.measured())["memory"] - before["memory"]) / 1e6
        if done["recorded"] < PLEX_HISTORY:
            raise LiveHomeAssistantError(f"Something was left out: {done}")
        what = f"import of {PLEX_HISTORY:,} plays from Plex"
        self.row(what, f"{seconds:.1f} s", "under 60 s", reached=seconds < 60)
        self.row(
            f"{what}: longest stall of the loop",
            f"{stall * 1000:.0f} ms",
            "under 50 ms",
            reached=stall < 0.05,
        )
        self.row(
            f"{what}: memory added",
            f"{added:.0f} MB",
            "under 100 MB",
            reached=added < 100,
        )


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


def _has_all_ids(movie: Movie) -> bool:
    return None not in (movie.ids.tmdb, movie.ids.imdb, movie.ids.tvdb)


async def measure_syncs() -> list[Row]:
    """Measure what it costs to bring a server in step."""
    async with JellyfinStandIn(name="Boathouse", library=LIBRARY) as jellyfin:
        bob = jellyfin.add_user("bob", PASSWORD, administrator=True)
        async with LiveHomeAssistant(companions=[PROBE], recorder=False) as hass:
            bench = SyncBench(hass, jellyfin, bob)
            await bench.set_up()
            await bench.syncs()
            return bench.rows


async def measure_histories() -> list[Row]:
    """Measure what it costs to follow a history, to heal it and to import one."""
    async with (
        PlexStandIn(owner="alice", name="Attic", library=LIBRARY) as plex,
        JellyfinStandIn(name="Boathouse", library=LIBRARY) as jellyfin,
    ):
        alice = jellyfin.add_user("alice", PASSWORD, administrator=True)
        async with LiveHomeAssistant(
            companions=[PROBE], recorder=False, environment=plex.environment
        ) as hass:
            bench = FollowingBench(hass, plex, jellyfin, alice)
            await bench.set_up()
            await bench.plays()
            await bench.healing()
            await bench.import_history()
            return bench.rows


async def measure_following() -> list[Row]:
    """Measure everything that has to do with keeping histories and servers in step."""
    return [*await measure_syncs(), *await measure_histories()]


if __name__ == "__main__":
    print(table(asyncio.run(measure_following())))
