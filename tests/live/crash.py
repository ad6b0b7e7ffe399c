"""Kills a real Home Assistant, again and again, while plays stream in.

After each SIGKILL Home Assistant is started anew and the histories are read back: whatever
was answered `recorded` has to be there, once; what had no answer is sent again, and has to be
there once as well. In every other round a viewer is reloaded while the plays stream. A guest
whom nobody knows watches all the time; made a viewer at the end, she has every play as well.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
import random
import sys
from typing import Any

import aiohttp

from tests.simulators.catalogue import ExternalIds, Movie
from tests.simulators.jellyfin import JellyfinServer, JellyfinUser
from tests.simulators.plex import PlexAccount, PlexServer

from . import crash_comparing, crash_in_step
from .home_assistant import LiveHomeAssistant

DOMAIN = "media_scrobbler"
SENDERS = 4
GUEST = "guest"
LONGEST_STREAM = 1.5
"""Seconds that plays stream in before the kill, at the most."""


@dataclass
class Stream:
    """What has been sent, and what was answered."""

    recorded: set[str] = field(default_factory=set)
    unanswered: list[Movie] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Crash:
    """Two servers, two viewers, and a supply of films that nobody has seen."""

    def __init__(self, hass: LiveHomeAssistant) -> None:
        """Take the running Home Assistant."""
        self.hass = hass
        self.plex = PlexServer(
            name="Attic", uuid="0b7d51c2e9", owner=PlexAccount.owner("alice")
        )
        self.jellyfin = JellyfinServer(name="Cellar", id="6f" * 16)
        self.bob = JellyfinUser.named("bob")
        self.carol = PlexAccount.guest("carol")
        self.urls: dict[str, str] = {}
        self.viewers: dict[str, str] = {}
        self.recorded: set[str] = set()
        self.held: set[str] = set()
        self._films = count(1)

    async def set_up(self) -> None:
        """Add the servers and one viewer for each."""
        for kind in ("plex", "jellyfin"):
            steps = await self.hass.flow(
                DOMAIN,
                {"next_step_id": kind},
                {"next_step_id": f"{kind}_webhook_only"},
                {"name": kind.capitalize()},
                {"local_only": True},
            )
            webhook = next(step for step in steps if step.step_id == "webhook")
            self.urls[kind] = str(webhook.placeholders["url"])
        async with aiohttp.ClientSession() as session:
            for kind in self.urls:
                await self._send(session, kind, self.film())
        self.urls[GUEST] = self.urls["plex"]
        for name in ("Alice", "Bob"):
            await self._add_viewer(name)
        await self.hass.entries_on_disk(set(self.viewers.values()))

    async def _add_viewer(self, name: str) -> None:
        """Make a viewer of the account of that name."""
        form = (await self.hass.flow(DOMAIN, {"next_step_id": "viewer"}))[-1]
        key = next(
            key
            for key, label in form.options("accounts").items()
            if label.startswith(name.lower())
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
            f"Crash test {number:06}",
            1960 + number % 60,
            ids=ExternalIds(tmdb=4_000_000 + number),
            runtime=timedelta(minutes=90),
            released=date(2001, 5, 4),
        )

    async def _send(
        self, session: aiohttp.ClientSession, kind: str, film: Movie
    ) -> dict[str, Any]:
        if kind != "jellyfin":
            account = self.carol if kind == GUEST else self.plex.owner
            _, answer = await self.plex.send(
                session, self.urls[kind], "media.scrobble", film, account, thumb=b""
            )
        else:
            _, answer = await self.jellyfin.send(
                session,
                self.urls[kind],
                "PlaybackStop",
                film,
                self.bob,
                position=film.runtime,
                completed=True,
            )
        return answer

    async def _stream(self, kind: str, films: Iterator[Movie], stream: Stream) -> None:
        """Send films until there are no more, or nobody answers."""
        async with aiohttp.ClientSession() as session:
            for film in films:
                try:
                    answer = await self._send(session, kind, film)
                except aiohttp.ClientError, TimeoutError, ValueError, OSError:
                    stream.unanswered.append(film)
                    return
                outcomes = ("held",) if kind == GUEST else ("recorded", "merged")
                if answer.get("outcome") in outcomes:
                    stream.recorded.add(film.title)
                else:
                    stream.problems.append(f"{film.title}: {answer}")

    async def round(self, number: int, seed: int, *, reload: bool) -> bool:
        """Stream plays, kill, start, and compare; returns whether all was as it should."""
        # Seeded, so that a failure can be repeated: nothing here is a secret.
        chance = random.Random(seed * 1000 + number)
        stream = {kind: Stream() for kind in self.urls}
        senders = [
            asyncio.create_task(self._stream(kind, iter(self.film, None), stream[kind]))
            for kind in self.urls
            for _ in range(SENDERS)
        ]
        reloading = (
            asyncio.create_task(self._reload(self.viewers["Alice"])) if reload else None
        )
        after = chance.uniform(0.05, LONGEST_STREAM)
        await asyncio.sleep(after)
        await self.hass.kill()
        await asyncio.gather(*senders)
        if reloading is not None:
            reloading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reloading
        await self.hass.start()

        again = {kind: Stream() for kind in stream}
        for kind, sent in stream.items():
            await self._stream(kind, iter(sent.unanswered), again[kind])
        problems: list[str] = []
        for kind, sent in stream.items():
            problems += sent.problems + again[kind].problems
            kept = self.held if kind == GUEST else self.recorded
            kept |= sent.recorded | again[kind].recorded
        problems += await self._compare()
        print(
            f"  {'ok ' if not problems else 'BAD'}  round {number:2}: killed after"
            f" {after:4.2f} s{' while a viewer reloaded' if reload else '':24}"
            f"  {sum(len(sent.recorded) for sent in stream.values()):5} recorded,"
            f" {sum(len(sent.unanswered) for sent in stream.values())} without an answer,"
            f" {len(self.recorded) + len(self.held)} in all",
            flush=True,
        )
        for problem in problems[:10]:
            print(f"         {problem}")
        return not problems

    async def adopt(self) -> bool:
        """Make the guest a viewer; returns whether all of her plays are there."""
        await self._add_viewer("Carol")
        self.recorded |= self.held
        problems: list[str] = []
        for _ in range(100):
            problems = await self._compare()
            if not problems:
                break
            await asyncio.sleep(0.1)
        print(
            f"  {'ok ' if not problems else 'BAD'}  the guest has become a viewer:"
            f" {len(self.held)} plays waited for her"
        )
        for problem in problems[:10]:
            print(f"         {problem}")
        return not problems

    async def _reload(self, entry_id: str) -> None:
        while True:
            await self.hass.post(f"/api/config/config_entries/entry/{entry_id}/reload")

    async def _compare(self) -> list[str]:
        """Read the histories back and say what is missing or there twice."""
        found: Counter[str] = Counter()
        for viewer_id in self.viewers.values():
            history = await self.hass.call_action(
                DOMAIN, "get_history", {"viewer": viewer_id, "limit": 100_000}
            )
            found.update(play["title"] for play in history["plays"])
        missing = self.recorded - found.keys()
        return [f"{title} is missing" for title in sorted(missing)] + [
            f"{title} is there {times} times"
            for title, times in found.items()
            if times > 1
        ]


async def run(rounds: int, seed: int) -> bool:
    """Run the rounds; returns whether nothing was lost and nothing counted twice."""
    started = datetime.now(UTC)
    async with LiveHomeAssistant(recorder=False) as hass:
        crash = Crash(hass)
        await crash.set_up()
        print(f"Seed {seed}")
        good = [
            await crash.round(number, seed, reload=number % 2 == 0)
            for number in range(1, rounds + 1)
        ]
        good.append(await crash.adopt())
        seconds = (datetime.now(UTC) - started).total_seconds()
        print(
            f"{len(crash.recorded)} plays, {rounds} kills in {seconds:.0f} s:"
            f" {'nothing lost, nothing twice' if all(good) else 'NOT as it should be'}"
        )
    return all(good)


def main() -> int:
    """Run as many rounds as asked for."""
    parser = argparse.ArgumentParser(prog="script/crash", description=__doc__)
    parser.add_argument(
        "rounds",
        nargs="?",
        type=int,
        help="20 unless given, 10 with --in-step; 3000 films with --comparing",
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument(
        "--in-step", action="store_true", help=crash_in_step.__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--comparing",
        action="store_true",
        help=crash_comparing.__doc__.splitlines()[0],
    )
    arguments = parser.parse_args()
    play, rounds = run, 20
    if arguments.in_step:
        play, rounds = crash_in_step.run, 10
    elif arguments.comparing:
        play, rounds = crash_comparing.run, 3_000
    good = asyncio.run(play(arguments.rounds or rounds, arguments.seed))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
