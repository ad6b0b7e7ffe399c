"""Kills a Jellyfin server, and then Home Assistant, in the middle of one comparison.

Alice's history has thousands of films that her account at Jellyfin does not show as watched.
The account does not follow: nothing but the comparison marks for it. In the end each film has
to be marked, with its date, exactly once.
"""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
import time
from typing import Any

from tests.simulators.jellyfin_server import JellyfinStandIn
from tests.simulators.library import Library

from .home_assistant import LiveHomeAssistant, LiveHomeAssistantError
from .report import DOMAIN, Report
from .waiting import until

PASSWORD = "correct horse"
MARKS = "/UserPlayedItems/*"
FIRST_PLAY = datetime(2015, 3, 1, 20, tzinfo=UTC)

SERVER_DIES_AT, HOME_ASSISTANT_DIES_AT = 400, 1_200
"""Marks that have been made by then."""

AWAY = 5.0
"""Seconds that the server is gone."""

WITHIN = 420.0
"""Seconds in which everything has to be marked after that."""


async def run(rounds: int, seed: int) -> bool:
    """Compare `rounds` films; returns whether all are marked once in the end.

    Nothing is left to chance, so that the seed is of no use.
    """
    del seed
    films = rounds
    began = time.monotonic()
    async with (
        JellyfinStandIn(library=Library(movies=films)) as jellyfin,
        LiveHomeAssistant(recorder=False) as hass,
    ):
        alice = jellyfin.add_user("alice", PASSWORD, administrator=True)
        viewer = await _set_up(hass, jellyfin)
        watched = {
            movie: FIRST_PLAY + number * timedelta(hours=20)
            for number, movie in enumerate(jellyfin.library.movies)
        }
        for movie, at in watched.items():
            await hass.call_action(
                DOMAIN,
                "add_play",
                {
                    "viewer": viewer,
                    "media_type": "movie",
                    "title": movie.title,
                    "year": movie.year,
                    "ids": dict(movie.ids.items()),
                    "watched_at": at.isoformat(),
                },
            )

        def marks() -> int:
            return jellyfin.log.count_of("POST", MARKS)

        def shown() -> int:
            return sum(data.played for data in jellyfin.account(alice).data.values())

        async def marked(count: int) -> bool:
            async def enough() -> bool | None:
                return shown() >= count or None

            return await until(enough, WITHIN) is not None

        jellyfin.log.clear()
        comparison = asyncio.create_task(hass.call_action(DOMAIN, "sync_jellyfin", {}))
        await marked(SERVER_DIES_AT)
        await jellyfin.stop()
        answer: Any
        try:
            answer = await comparison
        except LiveHomeAssistantError as err:
            answer = err
        print(f"      the server died at {shown()} marks: {answer}", flush=True)
        await asyncio.sleep(AWAY)
        await jellyfin.start()
        up_at = time.monotonic()
        await marked(HOME_ASSISTANT_DIES_AT)
        print(
            f"      Home Assistant dies at {shown()} marks,"
            f" {time.monotonic() - up_at:.0f} s after the server was back",
            flush=True,
        )
        outbox = await asyncio.to_thread(_size_of_outbox, hass.folder)
        await hass.kill()
        await hass.start()
        all_shown = await marked(films)
        # Whatever still comes is one too many.
        await asyncio.sleep(10)
        problems = [
            f"{movie.title} shows {data.count} times, at {data.last_played}"
            for movie, at in watched.items()
            for data in (jellyfin.data_of(alice, movie),)
            if not data.played or data.count != 1 or data.last_played != at
        ]
        counts = Counter(
            request.path for request in jellyfin.log.of("POST", MARKS) if request.status
        )
        problems += [
            f"{path} was marked {count} times"
            for path, count in counts.items()
            if count > 1
        ]
        report = Report()
        report.log(hass.log_text(), but=["The server does not answer"])
        good = all_shown and not problems and not report.problems
        for problem in problems[:20]:
            print(f"         {problem}")
        print(
            f"{shown()} of {films} shown, {marks()} marks, an outbox of {outbox // 1024}"
            f" KB, in {time.monotonic() - began:.0f} s:"
            f" {'each once' if good else 'NOT as it should be'}"
        )
    return good


async def _set_up(hass: LiveHomeAssistant, jellyfin: JellyfinStandIn) -> str:
    """Sign in to the server; returns the viewer."""
    await hass.flow(
        DOMAIN,
        {"next_step_id": "jellyfin"},
        {"next_step_id": "jellyfin_password"},
        {
            "url": jellyfin.url,
            "username": "alice",
            "password": PASSWORD,
            "verify_ssl": True,
        },
        {"local_only": True},
        lambda step: {"accounts": list(step.options("accounts"))},
    )

    async def viewer() -> str | None:
        return next(
            (
                str(entry["entry_id"])
                for entry in await hass.entries(DOMAIN)
                if entry["title"] == "alice"
            ),
            None,
        )

    if (found := await until(viewer)) is None:
        raise LiveHomeAssistantError("There is no viewer")
    # Home Assistant writes its entries a little later.
    await asyncio.sleep(5)
    return found


def _size_of_outbox(folder: Path) -> int:
    """Return how many bytes wait on disk."""
    return sum(
        path.stat().st_size for path in (folder / ".storage").glob(f"{DOMAIN}.outbox.*")
    )
