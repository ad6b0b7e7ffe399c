"""Kills a real Home Assistant, again and again, while servers follow what is watched.

Alice and Bob watch on Plex and on Jellyfin, at all times. Their accounts at Jellyfin follow
their histories, and so does Alice's at Plex; what they remove is to be unwatched there. No
webhook is sent twice, as in reality: those of the time that Home Assistant is down are lost,
and it has to find out what was watched. Every third film has a second file at Jellyfin, which
follows the first by itself. At the end, when nobody watches any more and all
has come to rest, histories and servers have to agree.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
import random
import time
from typing import Any

from tests.simulators.catalogue import Episode, ExternalIds, Movie, Show, stable_hex
from tests.simulators.jellyfin import JellyfinDevice, JellyfinUser
from tests.simulators.jellyfin_server import JellyfinStandIn
from tests.simulators.plex import PlexEvent, PlexPlayer
from tests.simulators.plex_server import PlexStandIn, PlexUser

from .home_assistant import FlowStep, LiveHomeAssistant, LiveHomeAssistantError
from .report import DOMAIN, Report
from .waiting import until

PASSWORD = "correct horse"

FILMS = 3_000
EPISODES_PER_SEASON = 12
SEASONS = 60

HURRY, LEISURE = 0.3, 4.0
"""Seconds between two titles of one person on one server, at the most."""

LONGEST_STREAM = 3.0
"""Seconds of hurry before a kill, at the most."""

LONGEST_REST = 28.0
"""The same of leisure, with time for what was lost to be found in it."""

EARLIEST_IN_START, LATEST_IN_START = 2.0, 12.0
"""Seconds after which a start may end by another kill."""

RUNTIME = timedelta(minutes=5)
"""As short as a title can be that counts as seen, in Jellyfin's history, by its end only."""
SEEN_AGAIN_AFTER = 170.0
"""Seconds after which a title of that length is certainly seen once more."""

REST_WITHIN = 90.0
"""Seconds in which histories and servers have to agree at the end."""

STAYS_SO = 30.0
"""Seconds after which they still have to."""

# How far Jellyfin's time may be from the history's: it is that of the beginning.
_ABOUT = 20.0

type Seen = Movie | Episode


@dataclass(eq=False)
class Person:
    """Somebody who watches, and what should come of it."""

    name: str
    plex: PlexUser
    jellyfin: JellyfinUser
    viewer: str = ""
    follows_on_plex: bool = False
    seen: Counter[Seen] = field(default_factory=Counter)
    seen_at: dict[Seen, float] = field(default_factory=dict)
    recorded: list[Seen] = field(default_factory=list)
    """What Home Assistant has confirmed to have recorded."""
    removing: set[Seen] = field(default_factory=set)
    """What was to be removed when Home Assistant gave no answer."""
    removed: set[Seen] = field(default_factory=set)

    def see(self, title: Seen) -> None:
        """Take note that a server takes a title for seen."""
        self.seen[title] += 1
        self.seen_at[title] = time.monotonic()

    @property
    def expected(self) -> dict[Seen, int]:
        """Return how often each title should be in the history, and shown as seen."""
        return {
            title: times
            for title, times in self.seen.items()
            if title not in self.removed
        }

    def once_seen(self) -> list[Seen]:
        """Return what was recorded, and neither seen again nor removed."""
        return [
            title
            for title in self.recorded
            if self.seen[title] == 1 and title not in self.removed | self.removing
        ]


class CrashInStep:
    """Two people, two servers, and a supply of titles that nobody has seen."""

    def __init__(
        self,
        hass: LiveHomeAssistant,
        plex: PlexStandIn,
        jellyfin: JellyfinStandIn,
        seed: int,
    ) -> None:
        """Take Home Assistant and the servers."""
        self.hass = hass
        self.plex = plex
        self.jellyfin = jellyfin
        self.people = [
            Person(
                name,
                plex.user(name),
                jellyfin.add_user(name, PASSWORD, administrator=name == "alice"),
                follows_on_plex=name == "alice",
            )
            for name in ("alice", "bob")
        ]
        self.servers: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.problems: list[str] = []
        self.out_of_place: list[str] = []
        self.kills = 0
        self._titles = iter(titles())
        # By their items: the other files of films.
        self._versions: dict[str, Seen] = {}
        # Seeded, so that a failure comes again, more or less: nothing here is a secret.
        self._chance = random.Random(seed)
        self._pause = LEISURE
        self._over = asyncio.Event()

    # Setting up

    async def set_up(self) -> None:
        """Sign in to both servers, with both people as viewers, and have them follow."""
        plex = await self.hass.flow(
            DOMAIN,
            {"next_step_id": "plex"},
            {"next_step_id": "plex_token"},
            {
                "url": self.plex.server.url,
                "token": self.plex.token(),
                "verify_ssl": True,
            },
            {"local_only": True},
            _everybody,
        )
        await self._add_viewers()
        jellyfin = await self.hass.flow(
            DOMAIN,
            {"next_step_id": "jellyfin"},
            {"next_step_id": "jellyfin_password"},
            {
                "url": self.jellyfin.url,
                "username": "alice",
                "password": PASSWORD,
                "verify_ssl": True,
            },
            {"local_only": True},
            _everybody,
        )
        self.servers = [
            steps[-1].entry["entry_id"]
            for steps in (plex, jellyfin)
            if steps[-1].entry is not None
        ]

        async def registered() -> bool | None:
            return (
                bool(self.plex.owner.webhooks and self.jellyfin.plugin.generic) or None
            )

        await until(registered)
        await self.hass.call_action(DOMAIN, "scan_library")
        for person in self.people:
            await self.hass.options_flow(
                person.viewer, {"next_step_id": "following"}, _whatever_can_be_marked
            )
        await self._written()

    async def _add_viewers(self) -> None:
        """Wait until those who were chosen with a server are viewers."""

        async def there() -> bool | None:
            found = {
                entry["title"]: entry["entry_id"]
                for entry in await self.hass.entries(DOMAIN)
            }
            for person in self.people:
                person.viewer = found.get(person.name, "")
            return all(person.viewer for person in self.people) or None

        if await until(there) is None:
            raise LiveHomeAssistantError("There are no viewers")

    async def _written(self) -> None:
        """Wait until what was set up is on disk, which is Home Assistant's to write."""
        file = self.hass.folder / ".storage" / "core.config_entries"

        async def written() -> bool | None:
            with suppress(FileNotFoundError):
                text = await asyncio.to_thread(file.read_text, encoding="utf-8")
                return text.count('"unfollowing"') == len(self.people) or None
            return None

        if await until(written) is None:
            raise LiveHomeAssistantError("What was chosen has not been written")

    async def add_versions(self) -> None:
        """Let films have a second file at Jellyfin."""
        items = self.jellyfin.items
        for film in [title for title in titles() if isinstance(title, Movie)][::3]:
            await self.jellyfin.add_version(film, "Director's Cut")
            first = items.of(film)
            self._versions |= {
                version.id: film
                for version in items.versions(first)
                if version.id != first.id
            }

    # Watching

    async def on_plex(self, person: Person) -> None:
        """Watch something on Plex, now and then something for the second time."""
        title = self._one_to_see_again(person) or next(self._titles)
        player = PlexPlayer(f"{person.name}'s TV", stable_hex("tv", person.name))
        server = self.plex.server
        await server.play(person.plex, title, player)
        person.see(title)
        for sent in await server.finish(player):
            if sent.payload["event"] == PlexEvent.SCROBBLE:
                self._note(person, title, sent.answer)
        await server.stop_playing(player, position=title.runtime)

    def _one_to_see_again(self, person: Person) -> Seen | None:
        """Return what was seen long enough ago, in one case of four."""
        before = time.monotonic() - SEEN_AGAIN_AFTER
        long_ago = [
            title for title in person.once_seen() if person.seen_at[title] < before
        ]
        if not long_ago or self._chance.random() > 0.25:
            return None
        return self._chance.choice(long_ago)

    async def on_jellyfin(self, person: Person) -> None:
        """Watch something on Jellyfin, or mark it as watched by hand."""
        title = next(self._titles)
        if self._chance.random() < 0.25:
            person.see(title)
            sent = await self.jellyfin.mark_played(title, person.jellyfin)
        else:
            tablet = JellyfinDevice(
                f"{person.name}'s tablet", stable_hex("tablet", person.name)
            )
            await self.jellyfin.play(title, person.jellyfin, device=tablet)
            person.see(title)
            sent = await self.jellyfin.finish(device=tablet)
        told = [
            each.answer if isinstance(each.answer, dict) else {}
            for each in sent
            if each.event == "PlaybackStop" or len(sent) == 1
        ]
        for answer in told:
            self._note(person, title, answer)

    def _note(self, person: Person, title: Seen, answer: Mapping[str, Any]) -> None:
        """Take note of what became of a play, if anybody has said."""
        outcome = answer.get("outcome", "lost")
        self.outcomes[outcome] += 1
        if outcome in ("recorded", "merged"):
            person.recorded.append(title)
        elif outcome != "lost":
            self.out_of_place.append(f"{title.label} by {person.name}: {answer}")

    async def remove(self, person: Person) -> None:
        """Remove something that was recorded; what had no answer is tried again."""
        if not self.hass.running:
            return
        again = next(iter(person.removing), None)
        titles = person.once_seen()
        if again is None and not titles:
            return
        # As soon as it is recorded, or much later.
        title = again or self._chance.choice([titles[-1], self._chance.choice(titles)])
        try:
            plays = await self.plays(person, query=title.title)
            plays = [play for play in plays if play["title"] == title.title]
            if not plays and again is None:
                self.out_of_place.append(f"{title.label} was recorded and is not there")
            person.removing.add(title)
            for play in plays:
                await self.hass.call_action(
                    DOMAIN,
                    "remove_play",
                    {"viewer": person.viewer, "play_id": play["play_id"]},
                )
        except LiveHomeAssistantError, OSError:
            return
        person.removing.discard(title)
        person.removed.add(title)

    async def live(self, rounds: int) -> None:
        """Watch and remove, whether or not anybody takes note, while Home Assistant dies."""
        async with asyncio.TaskGroup() as group:
            for person in self.people:
                for act in (self.on_plex, self.on_jellyfin, self.remove):
                    group.create_task(self._repeat(act, person))
            for number in range(1, rounds + 1):
                await self._round(number)
            self._over.set()

    async def _repeat(
        self, act: Callable[[Person], Awaitable[None]], person: Person
    ) -> None:
        while not self._over.is_set():
            await act(person)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._chance.uniform(0, self._pause)):
                    await self._over.wait()

    # Killing

    async def _round(self, number: int) -> None:
        """Watch for a while, kill, and start; now and then it takes two starts."""
        before = Counter(self.outcomes)
        removed = self._removed
        # In every other round everything is let be found, and delivered, in part.
        longest, self._pause = (
            (LONGEST_STREAM, HURRY) if number % 2 else (LONGEST_REST, LEISURE)
        )
        after = self._chance.uniform(0.05, longest)
        await asyncio.sleep(after)
        await self._kill()
        self._pause = LEISURE
        how = ""
        if number % 3 == 0:
            start = asyncio.create_task(self.hass.start())
            await asyncio.sleep(
                self._chance.uniform(EARLIEST_IN_START, LATEST_IN_START)
            )
            await self._kill()
            with suppress(LiveHomeAssistantError):
                await start
            how = ", and in its start"
        await self.hass.start()
        told = self.outcomes - before
        print(
            f"      round {number:2}: killed after {after:5.2f} s{how:18}"
            f"  {told['recorded'] + told['merged']:4} webhooks taken,"
            f" {told['lost']:3} lost, {self._removed - removed:2} plays removed",
            flush=True,
        )

    async def _kill(self) -> None:
        self.kills += 1
        await self.hass.kill()

    @property
    def _removed(self) -> int:
        return sum(len(person.removed) for person in self.people)

    # Looking

    async def end(self) -> None:
        """See what all of it has come to, now that nobody watches any more."""
        found: list[str] = []

        async def at_rest() -> bool | None:
            nonlocal found
            for person in self.people:
                if person.removing:
                    await self.remove(person)
            found = await self.differences()
            if found:
                await asyncio.sleep(1)
            return not found or None

        began = time.monotonic()
        await until(at_rest, REST_WITHIN)
        self._report(f"at rest after {time.monotonic() - began:.0f} s", found)
        marks = self.marks
        for server in self.servers:
            await self.hass.reload_entry(server)
        await asyncio.sleep(STAYS_SO)
        await at_rest()
        if self.marks != marks:
            found.append(f"{self.marks} marks were made, and {marks} before")
        self._report(f"and {STAYS_SO:.0f} s later, both servers reloaded", found)
        self._report("no answer was out of place", self.out_of_place)

    def _report(self, text: str, problems: list[str]) -> None:
        """Print whether something is as it should be."""
        print(f"  {'BAD' if problems else 'ok '}  {text}", flush=True)
        for problem in problems[:20]:
            print(f"         {problem}")
        self.problems += problems

    @property
    def marks(self) -> int:
        """Return how often the servers have been told that something is watched, or not."""
        return self.jellyfin.log.count_of(
            None, "/UserPlayedItems/*"
        ) + self.plex.server.log.count_of(None, "/:/*scrobble")

    async def differences(self) -> list[str]:
        """Return where histories and servers do not agree with what was watched."""
        found: list[str] = []
        for person in self.people:
            plays = await self.plays(person)
            found += self._in_history(person, plays)
            found += self._on_jellyfin(person, plays)
            if person.follows_on_plex:
                found += self._on_plex(person)
        return found

    def _in_history(
        self, person: Person, plays: Iterable[Mapping[str, Any]]
    ) -> list[str]:
        times = Counter(play["title"] for play in plays)
        expected = {title.title: count for title, count in person.expected.items()}
        return [
            f"{name} is in {person.name}'s history {times[name]} times"
            f" instead of {expected.get(name, 0)}:"
            f" {[_sources(play) for play in plays if play['title'] == name]}"
            for name in sorted(expected.keys() | times.keys())
            if times[name] != expected.get(name, 0)
        ]

    def _on_jellyfin(
        self, person: Person, plays: Iterable[Mapping[str, Any]]
    ) -> list[str]:
        """Compare what Jellyfin shows: whether, how often and when something was seen."""
        latest: dict[str, float] = {}
        for play in plays:
            at = datetime.fromisoformat(play["watched_at"]).timestamp()
            latest[play["title"]] = max(at, latest.get(play["title"], 0))
        found = []
        account = self.jellyfin.account(person.jellyfin)
        expected = {
            self.jellyfin.items.id_of(title): (title, times)
            for title, times in person.expected.items()
        }
        for item in expected.keys() | account.data.keys():
            title, times = expected.get(item, (None, 0))
            data = account.data.get(item)
            if (film := self._versions.get(item)) is not None:
                # It follows without a count of its own, unless it was marked itself.
                if bool(data and data.played) != (film in person.expected):
                    found.append(
                        f"Jellyfin: another file of {film.label} shows otherwise"
                    )
                continue
            shown = data.count if data and data.played else 0
            at = data.last_played.timestamp() if data and data.last_played else 0.0
            known = self.jellyfin.items.get(item)
            label = known.title.title if known else item
            if shown != times or bool(data and data.played) != bool(times):
                found.append(
                    f"Jellyfin: {label} seen {shown} times by {person.name}"
                    f" instead of {times}, at {datetime.fromtimestamp(at, UTC)}"
                )
            elif title and abs(at - latest.get(title.title, at)) > _ABOUT:
                found.append(
                    f"Jellyfin: {label} seen at {datetime.fromtimestamp(at, UTC)}"
                    f" instead of {datetime.fromtimestamp(latest[title.title], UTC)}"
                )
        return found

    def _on_plex(self, person: Person) -> list[str]:
        """Compare what Plex shows: whether and how often something was seen."""
        server, expected = self.plex.server, person.expected
        return [
            f"Plex: {title.label} seen {count} times by {person.name}"
            f" instead of {expected.get(title, 0)}"
            for title in person.seen
            if (count := server.state(person.plex, title).view_count)
            != expected.get(title, 0)
        ]

    async def plays(self, person: Person, **filters: Any) -> list[dict[str, Any]]:
        """Return somebody's plays."""
        answer = await self.hass.call_action(
            DOMAIN,
            "get_history",
            {"viewer": person.viewer, "limit": 100_000, **filters},
        )
        plays: list[dict[str, Any]] = answer["plays"]
        return plays

    def summary(self) -> str:
        """Return what it all came to."""
        seen = sum(person.seen.total() for person in self.people)
        again = sum(
            times > 1 for person in self.people for times in person.seen.values()
        )
        return (
            f"{seen} viewings ({again} of them for the second time),"
            f" {self.outcomes['lost']} of their webhooks lost, {self._removed} plays"
            f" removed, {self.marks} marks, {self.kills} kills"
        )


def _sources(play: Mapping[str, Any]) -> str:
    """Return when a play was, and who says so."""
    sources = [
        f"{source['source']} of {source.get('server')} at {source['reported_at']}"
        for source in play["sources"]
    ]
    return f"{play['watched_at']} by {', '.join(sources)}"


def titles() -> list[Seen]:
    """Return films and episodes that both servers have, in turn; every name is its own."""
    films = [
        Movie(
            f"Crash test {number:04}",
            1960 + number % 60,
            ids=ExternalIds(tmdb=4_000_000 + number, imdb=f"tt4{number:06}"),
            runtime=RUNTIME,
            released=date(2001, 5, 4),
        )
        for number in range(FILMS)
    ]
    show = Show(
        "Crash tests",
        2001,
        ids=ExternalIds(tmdb=500_000, imdb="tt5500000", tvdb=600_000),
        premiered=date(2001, 5, 4),
    )
    episodes = [
        Episode(
            show,
            season,
            number,
            f"Test {season:02}-{number:02}",
            ids=ExternalIds(tvdb=7_000_000 + season * 100 + number),
            runtime=RUNTIME,
            aired=date(2001, 5, 4),
        )
        for season in range(1, SEASONS + 1)
        for number in range(1, EPISODES_PER_SEASON + 1)
    ]
    mixed: list[Seen] = []
    for number, film in enumerate(films):
        mixed.append(film)
        if number % 4 == 0 and episodes:
            mixed.append(episodes.pop(0))
    return mixed


def _everybody(step: FlowStep) -> Mapping[str, Any]:
    """Choose all accounts of a server."""
    return {"accounts": list(step.options("accounts"))}


def _whatever_can_be_marked(step: FlowStep) -> Mapping[str, Any]:
    """Have all accounts follow that can, for what is removed as well."""
    keys = list(step.options("following"))
    return {"following": keys, "unfollowing": keys}


async def run(rounds: int, seed: int) -> bool:
    """Run the rounds; returns whether histories and servers agree in the end."""
    began = time.monotonic()
    async with (
        PlexStandIn(owner="alice", home=("bob",), titles=titles()) as plex,
        JellyfinStandIn(titles=titles()) as jellyfin,
        LiveHomeAssistant(recorder=False, environment=plex.environment) as hass,
    ):
        crash = CrashInStep(hass, plex, jellyfin, seed)
        await crash.add_versions()
        await crash.set_up()
        print(f"Seed {seed}", flush=True)
        await crash.live(rounds)
        await crash.end()
        report = Report()
        report.log(hass.log_text())
        good = not crash.problems and not report.problems
        print(
            f"{crash.summary()} in {time.monotonic() - began:.0f} s:"
            f" {'all agree' if good else 'NOT as it should be'}"
        )
    return good
