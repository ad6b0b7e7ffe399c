"""What to watch, and whether it is there: a watchlist from Plex, and what the servers hold.

A list is imported, libraries are scanned, a wanted film arrives and is watched. Home Assistant
is killed in the middle of a scan, and what it knew is known afterwards.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
import time
from typing import Any

from tests.simulators.catalogue import (
    HARBOUR_LIGHTS,
    PAPER_ORCHARD,
    Episode,
    ExternalIds,
    Movie,
    Show,
)
from tests.simulators.jellyfin import JellyfinUser

from .demo_servers import ON_BOTH, ServersDemo, StandIns
from .home_assistant import EventSubscription, LiveHomeAssistant, LiveSocket
from .report import DOMAIN, Report
from .waiting import until

THE_NIGHT_FERRY = Movie(
    "The Night Ferry",
    2025,
    ids=ExternalIds(tmdb=990117, imdb="tt9990117", tvdb=401117),
    runtime=timedelta(hours=1, minutes=43),
    released=date(2025, 2, 14),
)
"""No server has it at first; then Jellyfin does, and then Plex."""

A_QUIET_QUAY = Movie(
    "A Quiet Quay",
    2023,
    ids=ExternalIds(tmdb=990118, imdb="tt9990118", tvdb=None),
    runtime=timedelta(hours=2, minutes=2),
    released=date(2023, 11, 3),
)
"""Plex gets it while Home Assistant is down."""

_KINDS = ("movies", "shows", "episodes")

# Long enough for progress to be seen, which is shown twice a second.
_PER_PAGE = 0.3
# Long enough, in all, for what has just arrived to be on disk.
_PAGE_IN_A_POWER_CUT = 1.5


class LibraryDemo(ServersDemo):
    """Alice's watchlist, from the first import to a scan that a power cut ends."""

    def __init__(
        self,
        hass: LiveHomeAssistant,
        servers: StandIns,
        report: Report,
        viewer: str,
        alice: JellyfinUser,
    ) -> None:
        """Take the viewer's entry id, and who she is on Jellyfin."""
        super().__init__(hass, servers, report)
        self.viewer = viewer
        self.alice = alice
        self.attic = self.plex.server.name
        self.boathouse = self.jellyfin.server.name
        library = self.jellyfin.library
        # Neither server can tell these from the other's, but by their ids.
        self.film, self.series = library.movies[7], library.shows[1]
        self.wanted: tuple[Movie | Show, ...] = (
            THE_NIGHT_FERRY,
            self.film,
            HARBOUR_LIGHTS,
            A_QUIET_QUAY,
            self.series,
        )

    async def run(self) -> None:
        """Want things, look for them, get them, watch them, and lose power."""
        async with self.hass.connect() as connection:
            events = await self.arrivals(connection)
            await self.import_watchlist()
            await self.scan()
            await self.check_places()
            await self.arrive(connection, events)
            await self.watch(connection, events)
        await self.lose_power()

    # The list

    async def import_watchlist(self) -> None:
        """Import what Alice wants at Plex; one title of it she has typed here before."""
        self.report.heading("Alice's watchlist, from Plex")
        self.plex.discover.titles += [THE_NIGHT_FERRY, A_QUIET_QUAY]
        now = datetime.now(UTC)
        for days, title in enumerate((*self.wanted, PAPER_ORCHARD)):
            self.plex.owner.add_to_watchlist(title, at=now - timedelta(days=days))
        todo = await self.entity_id("todo", "Alice Watchlist")
        await self.hass.call_action(
            "todo",
            "add_item",
            {"entity_id": todo, "item": PAPER_ORCHARD.label},
            response=False,
        )
        answer = await self.hass.call_action(
            DOMAIN, "import_watchlist", {"viewer": self.viewer}
        )
        labels = [title.label for title in self.wanted]
        self.report.check(
            answer
            == {
                "imported": len(labels),
                "already_present": 1,
                "unmatched": [],
                "items": labels,
            },
            f"{answer['imported']} titles imported, 1 was there before",
            f"{answer}",
        )
        await self.check_list((*self.wanted, PAPER_ORCHARD))
        listed = await self.hass.call_action(
            "todo", "get_items", {"entity_id": todo, "status": "needs_action"}
        )
        summaries = [item["summary"] for item in listed[todo]["items"]]
        self.report.check(
            summaries == [*labels, PAPER_ORCHARD.label],
            "The to-do list has them in the same order",
            f"{summaries}",
        )

    async def check_list(
        self, titles: Iterable[Movie | Show], *, done: Iterable[Movie | Show] = ()
    ) -> None:
        """Print the list, and compare it with what it should be."""
        watchlist = await self.watchlist()
        for number, item in enumerate(watchlist, 1):
            state = "seen" if item["status"] == "completed" else "wanted"
            self.report.note(
                f"  {number}. {_label(item):<28.28}  {item['media_type']:<5}  {state:<6}  "
                f"{', '.join(item.get('servers', ())) or '-'}"
            )
        expected = [title.label for title in titles]
        watched = {title.label for title in done}
        self.report.check(
            [_label(item) for item in watchlist] == expected
            and {_label(item) for item in watchlist if item["status"] == "completed"}
            == watched,
            "The list is in the order of the one at Plex",
            f"{watchlist} instead of {expected}",
        )

    async def watchlist(self) -> list[dict[str, Any]]:
        """Return what is on the list, and where it is."""
        answer = await self.hass.call_action(
            DOMAIN, "get_watchlist", {"viewer": self.viewer}
        )
        items: list[dict[str, Any]] = answer["items"]
        return items

    async def item(self, title: Movie | Show) -> Mapping[str, Any]:
        """Return a title's item."""
        items = await self.watchlist()
        return next((item for item in items if _label(item) == title.label), {})

    # The libraries

    async def scan(self) -> None:
        """Scan both libraries, and watch how far it is."""
        self.report.heading("Both libraries are scanned")
        async with self.hass.connect() as connection:
            states = await connection.subscribe_events("state_changed")
            with (
                self.plex.server.faults.slow(_PER_PAGE, path="/library/sections/*/all"),
                self.jellyfin.faults.slow(_PER_PAGE, path="/Items"),
            ):
                began = time.monotonic()
                answer = await self.hass.call_action(DOMAIN, "scan_library")
                seconds = time.monotonic() - began
            await connection.command("get_states")
            changes = [event["data"]["new_state"] for event in states.waiting()]
        total = dict.fromkeys(_KINDS, 0)
        for server, titles in (
            (self.attic, (*ON_BOTH, PAPER_ORCHARD)),
            (self.boathouse, ON_BOTH),
        ):
            steps = _numbers(changes, f"{server} Library scan progress")
            self.report.check(
                len(steps) > 2 and steps == sorted(steps) and steps[-1] > steps[0],
                f"{server}: {' > '.join(f'{step:.0f} %' for step in steps)}",
                f"{steps}",
            )
            expected = self.expected_counts(titles)
            self.report.check(
                await self.counted(server, expected),
                f"{server}: {_counted(expected)}",
                f"{await self.counts(server)} instead of {expected}",
            )
            for kind, count in expected.items():
                total[kind] += count
        self.report.check(
            answer == {**answer, **total, "added": sum(total.values()), "removed": 0},
            f"{_counted(total)} in {seconds:.1f} s, "
            f"{answer['without_ids']} without an external id",
            f"{answer}",
        )

    def expected_counts(self, titles: Iterable[Movie | Episode]) -> dict[str, int]:
        """Return how much a server holds, with some titles besides its library."""
        library, titles = self.jellyfin.library, list(titles)
        movies = [title for title in titles if isinstance(title, Movie)]
        episodes = [title for title in titles if isinstance(title, Episode)]
        return {
            "movies": len(library.movies) + len(movies),
            "shows": len(library.shows) + len({each.show for each in episodes}),
            "episodes": len(library.episodes) + len(episodes),
        }

    async def counts(self, server: str) -> dict[str, int]:
        """Return how much a server holds, as its sensors say: what they know of."""
        states = {
            kind: (await self.entity("sensor", f"{server} {kind.capitalize()}"))[
                "state"
            ]
            for kind in _KINDS
        }
        return {kind: int(state) for kind, state in states.items() if state.isdigit()}

    async def counted(self, server: str, expected: Mapping[str, int]) -> bool:
        """Return whether a server's sensors come to say what they should."""

        async def said() -> bool | None:
            return await self.counts(server) == expected or None

        return await until(said) is not None

    async def check_places(self) -> None:
        """See that it is known where everything is."""
        everywhere = {self.attic, self.boathouse}
        expected: dict[Movie | Show, set[str]] = {
            THE_NIGHT_FERRY: set(),
            self.film: everywhere,
            HARBOUR_LIGHTS: everywhere,
            A_QUIET_QUAY: set(),
            self.series: everywhere,
            PAPER_ORCHARD: {self.attic},
        }
        watchlist = {_label(item): item for item in await self.watchlist()}
        for title, servers in expected.items():
            item = watchlist[title.label]
            # What a webhook has told in the first half of the evening may be lost since.
            found = [name for name in item.get("servers", ()) if name in everywhere]
            self.report.check(
                set(found) == servers and item["available"] == bool(servers),
                f"{title.label}: {', '.join(found) or 'not there yet'}",
                f"{item} instead of {servers}",
            )
        available = await self.entity("sensor", "Alice Watchlist available")
        self.report.check(
            available["state"] == str(sum(map(bool, expected.values()))),
            f"{available['state']} of them are there",
            f"{available}",
        )

    # What arrives

    async def arrivals(self, connection: LiveSocket) -> EventSubscription:
        """Listen for what becomes available."""
        return await connection.subscribe_events(f"{DOMAIN}_watchlist_available")

    async def arrive(self, connection: LiveSocket, events: EventSubscription) -> None:
        """Add a wanted film to Jellyfin, and then to Plex: it arrives once."""
        self.report.heading("A wanted film arrives on Jellyfin, then on Plex")
        early = events.waiting()
        self.report.check(
            not early, "What has been there all along has not arrived", f"{early}"
        )
        await self.on_jellyfin(
            self.jellyfin.add(THE_NIGHT_FERRY), THE_NIGHT_FERRY, viewer=None
        )
        await self.check_arrival(events, THE_NIGHT_FERRY, self.boathouse)
        expected = self.expected_counts((*ON_BOTH, THE_NIGHT_FERRY))
        self.report.check(
            await self.counted(self.boathouse, expected),
            f"{self.boathouse}: {_counted(expected)}",
            f"{await self.counts(self.boathouse)} instead of {expected}",
        )
        await self.on_plex(self.plex.add(THE_NIGHT_FERRY), THE_NIGHT_FERRY)

        async def on_both() -> Mapping[str, Any] | None:
            item = await self.item(THE_NIGHT_FERRY)
            return item if len(item.get("servers", ())) == 2 else None

        item = await until(on_both)
        expected = self.expected_counts((*ON_BOTH, PAPER_ORCHARD, THE_NIGHT_FERRY))
        self.report.check(
            await self.counted(self.attic, expected),
            f"{self.attic}: {_counted(expected)}",
            f"{await self.counts(self.attic)} instead of {expected}",
        )
        await connection.command("get_states")
        again = events.waiting()
        self.report.check(
            item is not None and not again,
            f"{THE_NIGHT_FERRY.label} is on both servers, and published once",
            f"{item or await self.item(THE_NIGHT_FERRY)}, published again: {again}",
        )

    async def check_arrival(
        self, events: EventSubscription, title: Movie, server: str
    ) -> None:
        """See that the arrival of a title is published as it should be."""
        data = (await events.next())["data"]
        self.report.check(
            data.get("viewer") == "Alice"
            and data.get("title") == title.title
            and data.get("year") == title.year
            and data.get("server") == server
            and data.get("servers") == [server]
            and data.get("ids", {}).get("imdb") == title.ids.imdb,
            f"{DOMAIN}_watchlist_available: {title.label} on {server}",
            f"{data}",
        )

    async def watch(self, connection: LiveSocket, events: EventSubscription) -> None:
        """Watch the film: it is checked off."""
        self.report.heading("Alice watches it on Jellyfin")
        await self.on_jellyfin(
            self.jellyfin.play(THE_NIGHT_FERRY, self.alice), THE_NIGHT_FERRY
        )
        await self.on_jellyfin(
            self.jellyfin.finish(), THE_NIGHT_FERRY, "recorded", viewer="Alice"
        )

        async def done() -> bool | None:
            item = await self.item(THE_NIGHT_FERRY)
            return item.get("status") == "completed" or None

        self.report.check(
            await until(done) is not None,
            f"{THE_NIGHT_FERRY.label} is checked off",
            f"{await self.item(THE_NIGHT_FERRY)}",
        )
        await self.check_list((*self.wanted, PAPER_ORCHARD), done=(THE_NIGHT_FERRY,))
        await connection.command("get_states")
        again = events.waiting()
        self.report.check(not again, "Nothing else has arrived", f"{again}")

    # A power cut

    async def lose_power(self) -> None:
        """Kill Home Assistant in the middle of a scan, and see what it still knows."""
        self.report.heading("A power cut, in the middle of a scan")
        listed = await self.watchlist()
        counts = [await self.counts(name) for name in self.names]
        button = await self.entity_id("button", f"{self.attic} Scan library")
        with self.plex.server.faults.slow(
            _PAGE_IN_A_POWER_CUT, path="/library/sections/*/all"
        ):
            await self.hass.call_action(
                "button", "press", {"entity_id": button}, response=False
            )
            progress = await until(self.under_way)
            await self.hass.kill()
        await self.plex.add(A_QUIET_QUAY)
        began = time.monotonic()
        await self.hass.start()
        self.report.note(
            f"killed at {progress} %, and up again after "
            f"{time.monotonic() - began:.1f} s; a wanted film came to {self.attic} "
            "meanwhile"
        )

        async def known() -> list[dict[str, Any]] | None:
            found = await self.watchlist()
            return found if _sorted(found) == _sorted(listed) else None

        found = await until(known)
        self.report.check(
            found is not None and progress is not None,
            f"The list is what it was: {len(listed)} titles, in their order",
            f"{await self.watchlist()} instead of {listed}",
        )

        for name, before in zip(self.names, counts, strict=True):
            self.report.check(
                await self.counted(name, before),
                f"{name} is what it was: {_counted(before)}",
                f"{await self.counts(name)} instead of {before}",
            )
        await self.catch_up(counts[0])

    async def under_way(self) -> str | None:
        """Return how far the scan is once it has begun to read, in percent."""
        progress = await self.entity("sensor", f"{self.attic} Library scan progress")
        try:
            return progress["state"] if float(progress["state"]) > 0 else None
        except ValueError:
            return None

    async def catch_up(self, before: Mapping[str, int]) -> None:
        """Scan again: what came while nobody listened has arrived, and nothing else has."""
        async with self.hass.connect() as connection:
            events = await self.arrivals(connection)
            entry_id = next(
                entry["entry_id"]
                for entry in await self.hass.entries(DOMAIN)
                if entry["title"] == self.attic
            )
            answer = await self.hass.call_action(
                DOMAIN, "scan_library", {"server": entry_id}
            )
            self.report.check(
                answer
                == {
                    **answer,
                    **before,
                    "movies": before["movies"] + 1,
                    "added": 1,
                    "removed": 0,
                    "watchlist_available": 1,
                },
                f"Scanned again: {answer['added']} title is new, and was wanted",
                f"{answer}",
            )
            await self.check_arrival(events, A_QUIET_QUAY, self.attic)
            await connection.command("get_states")
            again = events.waiting()
            self.report.check(not again, "Nothing arrives twice", f"{again}")

    # Asking Home Assistant

    @property
    def names(self) -> tuple[str, str]:
        """Return what the servers are called."""
        return self.attic, self.boathouse

    async def entity(self, domain: str, name: str) -> dict[str, Any]:
        """Return the state of an entity, by its name."""
        return next(
            state
            for entity_id, state in (await self.hass.states()).items()
            if entity_id.startswith(f"{domain}.")
            and state["attributes"].get("friendly_name") == name
        )

    async def entity_id(self, domain: str, name: str) -> str:
        """Return the id of an entity, by its name."""
        return str((await self.entity(domain, name))["entity_id"])


def _label(item: Mapping[str, Any]) -> str:
    """Return an item of the list as a person would write it."""
    return f"{item.get('title')} ({item.get('year')})"


def _sorted(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a list whose servers are in one order: they are in that of their start."""
    return [{**item, "servers": sorted(item.get("servers", ()))} for item in items]


def _numbers(states: Iterable[Mapping[str, Any] | None], name: str) -> list[float]:
    """Return the numbers that an entity has shown, one after the other."""
    shown = [
        state["state"]
        for state in states
        if state is not None and state["attributes"].get("friendly_name") == name
    ]
    return [float(value) for value in shown if value not in ("unknown", "unavailable")]


def _counted(counts: Mapping[str, int]) -> str:
    """Return how much there is, in words."""
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
