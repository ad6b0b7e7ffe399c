"""An evening in front of the television, in a real Home Assistant.

In the first half, two servers are known by their webhooks only: they send what Plex and
Jellyfin would send while people watch. Every webhook is shown with what became of it and
checked against what should have; Home Assistant is killed on the way, and each viewer's
history is read back and compared. In the second half, two servers are signed in to, and
Jellyfin follows what is watched.

    python -m tests.live.demo           stays until Ctrl-C, to look around in
    python -m tests.live.demo --exit    ends with status 0 if all came out as it should
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
import signal
import sys
import time
from typing import Any

from tests.simulators.catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    NINTH_MERIDIAN_TRAILER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Episode,
    Movie,
    Playable,
    Title,
    Track,
    stable_hex,
)
from tests.simulators.jellyfin import JellyfinEvent, JellyfinServer, JellyfinUser
from tests.simulators.plex import PlexAccount, PlexEvent, PlexPlayer, PlexServer
from tests.simulators.transport import post

from .demo_in_step import AWAY
from .demo_servers import stand_ins
from .demo_sign_in import REFUSED, SignInDemo
from .home_assistant import (
    EventSubscription,
    FlowStep,
    LiveHomeAssistant,
    LiveHomeAssistantError,
    LiveSocket,
)
from .report import DOMAIN, Report, walked

ALICE_AT_PLEX = PlexAccount.owner("alice")
CAROL_AT_PLEX = PlexAccount.guest("carol")
ALICE_AT_JELLYFIN = JellyfinUser.named("alice")
BOB_AT_JELLYFIN = JellyfinUser.named("bob")

CAROLS_PHONE = PlexPlayer("Carol's phone", "0d5e7716a2c94b1f", local=False)

# How far from the time it was sent a play may be dated, where the server gave no time.
NOW_TOLERANCE = timedelta(minutes=2)

type Sender = Callable[[], Awaitable[tuple[int, dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class ExpectedPlay:
    """What a history should say of one play.

    `play_count` is how often the viewer has seen the title by now, `exact` that the server
    gave the time.
    """

    title: Playable
    watched_at: datetime
    rewatch: bool = False
    play_count: int = 1
    sources: int = 1
    exact: bool = False


@dataclass
class Viewer:
    """A viewer, and what their history should hold at the end."""

    name: str
    entry_id: str = ""
    plays: list[ExpectedPlay] = field(default_factory=list)


class Demo:
    """The half of the evening with servers that are known by their webhooks only."""

    def __init__(self, hass: LiveHomeAssistant, report: Report) -> None:
        """Prepare the servers and the people."""
        self.hass = hass
        self.report = report
        self.plex = PlexServer(
            name="Living room server",
            uuid=stable_hex("plex server", length=40),
            owner=ALICE_AT_PLEX,
        )
        self.jellyfin = JellyfinServer(
            name='The "loft"', id=stable_hex("jellyfin server")
        )
        self.urls: dict[str, str] = {}
        self.alice = Viewer("Alice")
        self.bob = Viewer("Bob")
        self.carol = Viewer("Carol")
        self.recorded = 0
        self.published: list[dict[str, Any]] = []

    async def run(self) -> None:
        """Live through the evening, and check it."""
        await self.add_servers()
        await self.press_play()
        await self.add_viewers()
        async with self.hass.connect() as connection:
            events = await connection.subscribe_events(f"{DOMAIN}_scrobble")
            await self.watch()
            await self.guest_watches()
            await self.check_events(connection, events)
        await self.pull_the_plug()
        await self.after_the_power_cut()
        await self.check_histories()

    # The parts of the evening

    async def add_servers(self) -> None:
        """Add both servers, by webhook only."""
        self.report.heading("Adding the servers")
        for kind, name in (("plex", self.plex.name), ("jellyfin", "The loft")):
            steps = await self.hass.flow(
                DOMAIN,
                {"next_step_id": kind},
                {"next_step_id": f"{kind}_webhook_only"},
                {"name": name},
                {"local_only": True},
            )
            webhook = steps[-2]
            url = str(webhook.placeholders.get("url", ""))
            self.report.check(
                [step.step_id for step in steps[:-1]]
                == ["user", kind, f"{kind}_webhook_only", "webhook"]
                and steps[-1].type == "create_entry",
                f"{name}: {url.rpartition('/')[0]}/...",
                walked(steps),
            )
            self.report.check(
                url.startswith(f"{self.hass.url}/api/webhook/")
                and url in str(webhook.placeholders.get("urls", "")),
                f"{name}: the form shows where to point the server",
                f"url={url} urls={webhook.placeholders.get('urls')}",
            )
            self.urls[kind] = url

    async def press_play(self) -> None:
        """Let everybody press play, so that their accounts become known."""
        self.report.heading("Everybody presses play (nobody is a viewer yet)")
        await self.from_plex(PlexEvent.PLAY, THE_SALT_ROAD, "updated", viewers=())
        await self.from_jellyfin(
            JellyfinEvent.PLAYBACK_START,
            PAPER_ORCHARD,
            "updated",
            ALICE_AT_JELLYFIN,
            viewers=(),
        )
        await self.from_jellyfin(
            JellyfinEvent.PLAYBACK_START,
            LOW_WATER,
            "updated",
            BOB_AT_JELLYFIN,
            viewers=(),
        )

    async def add_viewers(self) -> None:
        """Make viewers of the accounts: Alice has one on each server."""
        self.report.heading("Adding the viewers")
        for viewer, accounts in ((self.alice, 2), (self.bob, 1)):
            steps = await self.hass.flow(
                DOMAIN, {"next_step_id": "viewer"}, _viewer_form(viewer.name)
            )
            chosen = _labels(steps[1], viewer.name)
            self.report.check(
                steps[-1].type == "create_entry" and len(chosen) == accounts,
                f"{viewer.name}: {', '.join(chosen) or 'no account'}",
                f"{walked(steps)}; to choose from: "
                f"{list(steps[1].options('accounts').values())}",
            )
            entry = steps[-1].entry
            if entry is None:
                raise LiveHomeAssistantError(f"No entry was made for {viewer.name}")
            viewer.entry_id = entry["entry_id"]
        left = await self.hass.discovered(DOMAIN)
        self.report.check(
            not left, "Nobody is left among the discovered", f"there is {left}"
        )

    async def watch(self) -> None:
        """Watch films, an episode and a trailer, listen to a track, and rate."""
        report, alice, bob = self.report, self.alice, self.bob
        now = datetime.now(UTC)

        report.heading("A film on Plex, completed twice, and once more on Jellyfin")
        await self.from_plex(PlexEvent.SCROBBLE, THE_SALT_ROAD, "recorded")
        await self.from_plex(PlexEvent.SCROBBLE, THE_SALT_ROAD, "merged")
        await self.from_plex(
            PlexEvent.STOP, THE_SALT_ROAD, "updated", position=timedelta(minutes=108)
        )
        await self.from_jellyfin(
            JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, "merged", ALICE_AT_JELLYFIN
        )
        alice.plays.append(ExpectedPlay(THE_SALT_ROAD, now, sources=3))

        report.heading("An episode on Jellyfin, with a break, by Bob")
        for paused in (False, True, False):
            await self.from_jellyfin(
                JellyfinEvent.PLAYBACK_PROGRESS,
                LOW_WATER,
                "updated",
                BOB_AT_JELLYFIN,
                paused=paused,
                automated=False,
                position=timedelta(minutes=20),
            )
        await self.from_jellyfin(
            JellyfinEvent.PLAYBACK_STOP, LOW_WATER, "recorded", BOB_AT_JELLYFIN
        )
        bob.plays.append(ExpectedPlay(LOW_WATER, now))

        report.heading("An episode on Plex, with a break, by Alice")
        await self.from_plex(PlexEvent.PLAY, LOW_WATER, "updated")
        for event in (PlexEvent.PAUSE, PlexEvent.RESUME):
            await self.from_plex(
                event, LOW_WATER, "updated", position=timedelta(minutes=17)
            )
        await self.from_plex(PlexEvent.SCROBBLE, LOW_WATER, "recorded")
        await self.from_plex(
            PlexEvent.STOP, LOW_WATER, "updated", position=timedelta(minutes=47)
        )
        alice.plays.append(ExpectedPlay(LOW_WATER, now))

        report.heading("A film on Jellyfin yesterday, given up once, and again today")
        yesterday = now - timedelta(days=1)
        await self.from_jellyfin(
            JellyfinEvent.PLAYBACK_STOP,
            PAPER_ORCHARD,
            "recorded",
            ALICE_AT_JELLYFIN,
            at=yesterday,
        )
        await self.from_jellyfin(
            JellyfinEvent.PLAYBACK_STOP,
            PAPER_ORCHARD,
            "updated",
            ALICE_AT_JELLYFIN,
            at=now - timedelta(hours=5),
            completed=False,
        )
        await self.from_jellyfin(
            JellyfinEvent.PLAYBACK_STOP,
            PAPER_ORCHARD,
            "recorded",
            ALICE_AT_JELLYFIN,
            at=now,
        )
        alice.plays += [
            ExpectedPlay(PAPER_ORCHARD, yesterday, play_count=2, exact=True),
            ExpectedPlay(PAPER_ORCHARD, now, rewatch=True, play_count=2, exact=True),
        ]

        report.heading("An episode that Bob marks as watched, on Jellyfin")
        await self.from_jellyfin(
            JellyfinEvent.USER_DATA_SAVED, FOG_SIGNAL, "recorded", BOB_AT_JELLYFIN
        )
        bob.plays.append(ExpectedPlay(FOG_SIGNAL, now))

        report.heading("Music, a rating given and taken back, new media, a trailer")
        await self.from_plex(PlexEvent.SCROBBLE, SLOW_FERRY, "recorded")
        alice.plays.append(ExpectedPlay(SLOW_FERRY, now))
        await self.rate()
        await self.from_plex(
            PlexEvent.LIBRARY_NEW, NINTH_MERIDIAN, "updated", viewers=()
        )
        await self.from_plex(
            PlexEvent.LIBRARY_NEW, HARBOUR_LIGHTS, "updated", viewers=()
        )
        await self.from_jellyfin(
            JellyfinEvent.ITEM_ADDED, NINTH_MERIDIAN, "updated", None, viewers=()
        )
        await self.from_plex(
            PlexEvent.SCROBBLE, NINTH_MERIDIAN_TRAILER, "ignored", viewers=None
        )
        await self.from_plex(PlexEvent.DATABASE_BACKUP, None, "updated", viewers=None)

        report.heading("Something that is no webhook at all")
        await self.send(
            "plex",
            "-",
            "(malformed)",
            None,
            lambda: post(
                self.hass.session,
                self.urls["plex"],
                b'{"event": "media.scrobble", ',
                "application/json",
                "curl/8.14.1",
            ),
            "rejected",
            status=400,
            viewers=None,
        )

    async def rate(self) -> None:
        """Rate a film, see that it is kept, take the rating back, see that it is gone."""
        for rating in (8.0, None):
            await self.from_plex(
                PlexEvent.RATE, THE_SALT_ROAD, "updated", rating=rating
            )
            plays = await self.history(self.alice, query=THE_SALT_ROAD.title)
            kept = plays[0].get("rating") if plays else "no play"
            self.report.check(
                kept == rating,
                f"Its rating is {'gone' if rating is None else f'{rating:g}'}",
                f"the history says {kept}",
            )

    async def guest_watches(self) -> None:
        """Let somebody watch whom nobody knows: the play waits."""
        self.report.heading("A guest whom nobody knows")
        # For the power cut to come: entries are Home Assistant's to write, which it does a
        # second after a change. What the webhooks brought has to be safe at once.
        await self.hass.entries_on_disk(
            {entry["entry_id"] for entry in await self.hass.entries(DOMAIN)}
        )
        await self.from_plex(
            PlexEvent.SCROBBLE,
            THE_PILOT_BOAT,
            "held",
            CAROL_AT_PLEX,
            player=CAROLS_PHONE,
            viewers=(),
        )
        self.carol.plays.append(ExpectedPlay(THE_PILOT_BOAT, datetime.now(UTC)))
        await self.discovered_guest()

    async def check_events(
        self, connection: LiveSocket, events: EventSubscription
    ) -> None:
        """Compare the events on the bus with what was recorded."""
        # An answered command means that everything sent before it is here.
        await connection.command("get_states")
        self.published += events.waiting()
        data = [event["data"] for event in self.published]
        self.report.check(
            len(data) == self.recorded
            and all(
                item.get("viewer") in ("Alice", "Bob")
                and item.get("source") == "webhook"
                and item.get("play_id")
                and item.get("server")
                for item in data
            ),
            f"{len(data)} events on the bus for {self.recorded} recorded plays",
            f"{data}",
        )

    async def pull_the_plug(self) -> None:
        """Kill Home Assistant right after a play was answered, and start it again."""
        self.report.heading("A power cut, right after a film has ended")
        await self.from_plex(PlexEvent.SCROBBLE, NINTH_MERIDIAN, "recorded")
        await self.hass.kill()
        self.alice.plays.append(
            ExpectedPlay(NINTH_MERIDIAN, datetime.now(UTC), sources=2)
        )
        began = time.monotonic()
        await self.hass.start()
        self.report.note(f"killed, and up again after {time.monotonic() - began:.1f} s")
        entries = await self.hass.entries(DOMAIN)
        self.report.check(
            len(entries) == 4 and all(entry["state"] == "loaded" for entry in entries),
            "Both servers and both viewers are loaded",
            f"{[(entry['title'], entry['state'], entry['reason']) for entry in entries]}",
        )

    async def after_the_power_cut(self) -> None:
        """See that what was known is known still, and link the guest."""
        await self.from_plex(PlexEvent.SCROBBLE, NINTH_MERIDIAN, "merged")
        await self.from_plex(
            PlexEvent.STOP, NINTH_MERIDIAN, "updated", position=timedelta(minutes=140)
        )
        flow = await self.discovered_guest()
        if flow is None:
            return
        steps = await self.hass.continue_flow(
            flow["flow_id"], {"viewer": "new", "name": self.carol.name}
        )
        entry = steps[-1].entry
        self.report.check(
            steps[0].step_id == "confirm_account" and entry is not None,
            "Carol is made a viewer from there",
            walked(steps),
        )
        if entry is not None:
            self.carol.entry_id = entry["entry_id"]

    async def check_histories(self) -> None:
        """Read every history back and compare it with what was watched."""
        for viewer in (self.alice, self.bob, self.carol):
            self.report.heading(f"{viewer.name}'s history")
            if not viewer.entry_id:
                self.report.check(False, f"{viewer.name} is no viewer")
                continue
            plays = await self.history(viewer)
            unexpected = list(plays)
            for expected in viewer.plays:
                play = next(
                    (play for play in unexpected if _is_play_of(play, expected)), None
                )
                if play is not None:
                    unexpected.remove(play)
                self.check_play(expected, play)
            self.report.check(
                not unexpected, "There is nothing else in it", f"{unexpected}"
            )
            times = [str(play.get("watched_at")) for play in plays]
            self.report.check(
                times == sorted(times, reverse=True), "Newest first", f"{times}"
            )

    # Webhooks

    async def from_plex(
        self,
        event: PlexEvent,
        title: Title | None,
        expected: str,
        account: PlexAccount = ALICE_AT_PLEX,
        *,
        viewers: tuple[str, ...] | None = ("Alice",),
        **details: Any,
    ) -> None:
        """Send a webhook from Plex and check its outcome."""
        await self.send(
            "plex",
            account.title,
            event,
            title,
            lambda: self.plex.send(
                self.hass.session, self.urls["plex"], event, title, account, **details
            ),
            expected,
            viewers=viewers,
        )

    async def from_jellyfin(
        self,
        event: JellyfinEvent,
        title: Title,
        expected: str,
        user: JellyfinUser | None,
        *,
        viewers: tuple[str, ...] | None = None,
        **details: Any,
    ) -> None:
        """Send a webhook from Jellyfin and check its outcome."""
        if viewers is None and user is not None:
            viewers = (user.name.capitalize(),)
        label = f"{event}{' (paused)' if details.get('paused') else ''}"
        await self.send(
            "jellyfin",
            user.name if user else "-",
            label,
            title,
            lambda: self.jellyfin.send(
                self.hass.session,
                self.urls["jellyfin"],
                event,
                title,
                user,
                **details,
            ),
            expected,
            viewers=viewers,
        )

    async def send(
        self,
        kind: str,
        account: str,
        event: str,
        title: Title | None,
        sender: Sender,
        expected: str,
        *,
        status: int = 200,
        viewers: tuple[str, ...] | None,
    ) -> None:
        """Send a webhook, print it and check what was answered."""
        got, answer = await sender()
        outcome = answer.get("outcome")
        problems: list[str] = []
        if got != status:
            problems.append(f"status {got} instead of {status}")
        if outcome != expected:
            problems.append(f"{outcome} instead of {expected}")
        if not answer.get("reason"):
            problems.append("no reason")
        if viewers is not None and sorted(answer.get("viewers") or ()) != sorted(
            viewers
        ):
            problems.append(f"for {answer.get('viewers')} instead of {list(viewers)}")
        if outcome == "recorded":
            self.recorded += 1
        self.report.webhook(
            kind.capitalize(),
            account,
            event,
            title.label if title else "-",
            answer,
            f"{', '.join(problems)}; answered {answer}" if problems else None,
        )

    # Asking Home Assistant

    async def history(self, viewer: Viewer, **filters: Any) -> list[dict[str, Any]]:
        """Return the plays of a viewer, newest first."""
        answer = await self.hass.call_action(
            DOMAIN, "get_history", {"viewer": viewer.entry_id, **filters}
        )
        plays: list[dict[str, Any]] = answer["plays"]
        if answer["total"] != len(plays):
            self.report.check(
                False,
                f"The history of {viewer.name} counts what it lists",
                f"{answer['total']} in all, {len(plays)} listed",
            )
        return plays

    async def discovered_guest(self) -> dict[str, Any] | None:
        """Return the flow that offers to link the guest, once it is there."""
        deadline = time.monotonic() + 10
        while True:
            flows = await self.hass.discovered(DOMAIN)
            if flows or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        names = [
            (flow["step_id"], flow["context"].get("title_placeholders"))
            for flow in flows
        ]
        good = self.report.check(
            len(flows) == 1
            and flows[0]["step_id"] == "confirm_account"
            and flows[0]["context"]["source"] == "integration_discovery"
            and "carol" in str(flows[0]["context"].get("title_placeholders")),
            f"Discovered: {_placeholders(flows[0]) if flows else 'nobody'}",
            f"{names}",
        )
        return flows[0] if good else None

    def check_play(
        self, expected: ExpectedPlay, play: Mapping[str, Any] | None
    ) -> None:
        """Compare a play with what it should be."""
        label = f"{expected.title.label:<38.38}"
        if play is None:
            self.report.check(False, f"{label}  is missing")
            return
        problems = [
            f"{key} {play.get(key)!r} instead of {value!r}"
            for key, value in _described(expected).items()
            if play.get(key) != value
        ]
        watched_at = datetime.fromisoformat(play["watched_at"])
        tolerance = timedelta(seconds=1) if expected.exact else NOW_TOLERANCE
        if abs(watched_at - expected.watched_at) > tolerance:
            problems.append(f"watched {watched_at} instead of {expected.watched_at}")
        if watched_at.utcoffset() != timedelta():
            problems.append(f"{play['watched_at']} is not UTC")
        if len(play.get("sources", ())) != expected.sources:
            problems.append(
                f"{len(play.get('sources', ()))} sources instead of {expected.sources}"
            )
        note = "seen before" if play.get("rewatch") else ""
        self.report.check(
            not problems,
            f"{label}  {watched_at.astimezone():%d %b %H:%M}  "
            f"{expected.sources} x  {note}".rstrip(),
            f"{', '.join(problems)}; the play is {dict(play)}",
        )


def _viewer_form(name: str) -> Callable[[FlowStep], Mapping[str, Any]]:
    """Return what fills in the form for a viewer: all accounts that bear the name."""

    def fill_in(step: FlowStep) -> Mapping[str, Any]:
        """Fill in the form."""
        accounts = [
            key
            for key, label in step.options("accounts").items()
            if name.lower() in label.lower()
        ]
        return {"name": name, "accounts": accounts}

    return fill_in


def _labels(step: FlowStep, name: str) -> list[str]:
    """Return the accounts that bear a name."""
    return [
        label
        for label in step.options("accounts").values()
        if name.lower() in label.lower()
    ]


def _placeholders(flow: Mapping[str, Any]) -> str:
    """Return what a discovered flow calls itself."""
    return ", ".join(
        f"{value}" for value in flow["context"].get("title_placeholders", {}).values()
    )


def _described(expected: ExpectedPlay) -> dict[str, Any]:
    """Return the keys of a play that must be exactly so; None for those that must not be."""
    title = expected.title
    described: dict[str, Any] = {
        "title": title.title,
        "rewatch": expected.rewatch,
        "play_count": expected.play_count,
        "rating": None,
        # Plex's webhooks never tell how long a track is.
        "duration": (
            None if isinstance(title, Track) else int(title.runtime.total_seconds())
        ),
    }
    match title:
        case Movie():
            described |= {"media_type": "movie", "year": title.year}
        case Episode():
            described |= {
                "media_type": "episode",
                "show": title.show.title,
                "season": title.season,
                "episode": title.number,
            }
        case Track():
            described |= {
                "media_type": "track",
                "artist": title.artist or title.album.artist,
                "album": title.album.title,
            }
    return described


def _is_play_of(play: Mapping[str, Any], expected: ExpectedPlay) -> bool:
    """Return whether a play is that of a title, and at about that time."""
    watched_at = datetime.fromisoformat(play["watched_at"])
    return (
        play.get("title") == expected.title.title
        and play.get("show")
        == (expected.title.show.title if isinstance(expected.title, Episode) else None)
        and abs(watched_at - expected.watched_at) < timedelta(hours=6)
    )


async def _stay(hass: LiveHomeAssistant) -> None:
    """Leave Home Assistant running until Ctrl-C."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    print(f"\nHave a look around: {hass.url}")
    print(f"  user      {hass.username}")
    print(f"  password  {hass.password}")
    print(f"  files     {hass.folder}")
    print("Ctrl-C ends it.", flush=True)
    await stopped.wait()
    print("\nStopping.")


async def _run(arguments: argparse.Namespace) -> int:
    """Run the demo and return its exit status."""
    report = Report()
    began = time.monotonic()
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print("Starting Home Assistant, which takes some seconds ...", flush=True)
    try:
        async with (
            stand_ins() as servers,
            LiveHomeAssistant(
                folder=arguments.keep,
                port=arguments.port,
                environment=servers.plex.environment,
            ) as hass,
        ):
            print(f"Home Assistant runs at {hass.url}")
            try:
                await Demo(hass, report).run()
                await SignInDemo(hass, servers, report).run()
            except LiveHomeAssistantError as err:
                report.check(False, "The evening ended early", str(err))
            report.heading("The log")
            report.log(hass.log_text(), but=(REFUSED, AWAY))
            _conclude(report, time.monotonic() - began)
            if not arguments.exit:
                await _stay(hass)
    except LiveHomeAssistantError as err:
        print(f"\n{err}", file=sys.stderr)
        return 1
    return 1 if report.problems else 0


def _conclude(report: Report, seconds: float) -> None:
    """Print how it all came out."""
    if not report.problems:
        print(
            f"\nAll {report.checked} checks came out as they should, in {seconds:.0f} s."
        )
        return
    print(f"\n{len(report.problems)} of {report.checked} checks did not come out:")
    for problem in report.problems:
        print(f"  - {problem}")


def _folder(text: str) -> Path:
    """Return a folder to keep; it must be empty or not there yet."""
    folder = Path(text).expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise argparse.ArgumentTypeError(f"{folder} is not an empty folder")
    return folder


def main() -> int:
    """Run the demo from the command line."""
    parser = argparse.ArgumentParser(
        prog="script/demo", description="An evening in a real Home Assistant."
    )
    parser.add_argument(
        "--exit",
        action="store_true",
        help="end afterwards, with status 0 if all came out as it should",
    )
    parser.add_argument("--port", type=int, help="serve on this port, not any free one")
    parser.add_argument(
        "--keep",
        type=_folder,
        metavar="FOLDER",
        help="work in this (empty or new) folder and keep it",
    )
    try:
        return asyncio.run(_run(parser.parse_args()))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM


if __name__ == "__main__":
    sys.exit(main())
