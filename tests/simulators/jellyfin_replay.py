"""Plays a recording of a Jellyfin server to a stand-in, and finds where that differs.

The stand-in is given the users and the library of the recording, is asked what the server was
asked, by the same people, and its answers and webhooks are compared. Those of one request are
compared as what it raised: `jellyfin_comparison` says how. Seconds pass where the server
reported one by itself.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
import json
import re
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from .catalogue import Episode, Movie, Show, Title
from .jellyfin import JellyfinDevice, JellyfinUser
from .jellyfin_comparison import Difference, Reader, differences, webhooks_differ
from .jellyfin_items import Artist
from .jellyfin_plugin import NOTIFICATIONS
from .jellyfin_recording import (
    Asked,
    RecordedLibrary,
    Step,
    added_title,
    recorded_users,
)
from .jellyfin_server import JellyfinStandIn
from .jellyfin_tasks import TaskKey
from .jellyfin_version import JellyfinVersion
from .transport import ask

# Steps before which something was done that was not recorded.
_BEFORE_UNMARKED = re.compile("marked as watched, datePlayed|marked with a date, ")
# What says of something in a list that there is one of its name, whatever its id.
_BY_NAME = frozenset({"CollectionType", "Triggers"})
_OF_PLAYERS = frozenset(
    {"UserDataSaved", "PlaybackStart", "PlaybackProgress", "PlaybackStop"}
)
# Who asks what a user may not, in the recordings that do not say who asked.
_KEEPERS = frozenset(
    {"/Library/VirtualFolders", "/Plugins", "/ScheduledTasks", "/Sessions"}
)


@dataclass
class Clock:
    """A clock on which no two moments are the same."""

    at: datetime = datetime(2026, 12, 1, 15, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@dataclass
class Replay:
    """A stand-in that a recording is played to, step by step."""

    jellyfin: JellyfinStandIn
    session: aiohttp.ClientSession
    clock: Clock
    steps: list[Step]
    received: list[dict[str, Any]]
    expected: Reader = field(default_factory=Reader)
    found: Reader = field(default_factory=Reader)
    # By user: what they may ask with, and where.
    tokens: dict[str, str] = field(default_factory=dict)
    # What the stand-in has instead of the ids and secrets of the server.
    ours: dict[str, str] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    # --- what there was before ---------------------------------------------------------

    def furnish(self) -> None:
        """Give the stand-in the users and the library of the recording."""
        for user in recorded_users(self.steps):
            self.jellyfin.add_user(
                user.name,
                self._password(user.name),
                administrator=user.administrator,
                hidden=user.hidden,
                user=JellyfinUser(user.name, user.id),
            )
        self.tokens["keeper"] = self.jellyfin.api_key()
        library = RecordedLibrary(self.steps)
        items = self.jellyfin.items
        for item in library.items():
            items.add(item.title, self.clock(), folder=item.folder)
            self.same(item.id, items.of(item.title).id)
            for version in item.versions:
                assert isinstance(item.title, Movie | Episode)
                added = items.add_version(item.title, version.name, self.clock())
                self.same(version.id, added.id)
        for identifier, name in library.artists():
            self.same(identifier, items.id_of(Artist(name)))

    def _password(self, name: str) -> str:
        """Return the password that a user was let in with."""
        for step in self.steps:
            for asked in step.requests:
                if (
                    asked.path == "/Users/AuthenticateByName"
                    and asked.status == 200
                    and asked.body["Username"] == name
                ):
                    password: str = asked.body["Pw"]
                    return password
        return "never asked for"

    def same(self, theirs: str, ours: str) -> None:
        """Note that an id or a secret of the stand-in stands for one of the server."""
        self.ours[theirs] = ours
        self.found.names[ours] = theirs

    # --- steps --------------------------------------------------------------------------

    async def play(self) -> None:
        """Play the recording."""
        for number, step in enumerate(self.steps, 1):
            await self._play(number, step)

    async def _play(self, number: int, step: Step) -> None:
        """Play a step, and note what is not as it was recorded."""
        where = f"step {number}"
        left = list(step.webhooks)
        if _BEFORE_UNMARKED.match(step.did):
            self._unmark(step)
        for asked in step.requests:
            await self._tick(where, left)
            self.clock.at += timedelta(seconds=1)
            await self._ask(
                f"{where} {asked.method} {without_ids(asked.path)}", asked, step
            )
            self._compare_webhooks(where, left)
        await self._tick(where, left)
        if not step.requests:
            await self._act(where, step)
            self._compare_webhooks(where, left, in_any_order=True)
        for payload in left:
            self.differences.append(
                Difference(f"{where} webhooks", payload["NotificationType"], None)
            )

    def _unmark(self, step: Step) -> None:
        """Mark what a step is about as never seen, which was done and not recorded."""
        asked = step.requests[0]
        item = asked.path.rpartition("/")[2]
        account = self.jellyfin.accounts.users[asked.query["userId"]]
        account.data.pop(self.ours[item], None)

    async def _tick(self, where: str, left: list[Mapping[str, Any]]) -> None:
        """Let a second pass for each report that the server made by itself."""
        while left and left[0].get("IsAutomated"):
            self.clock.at += timedelta(seconds=1)
            await self.jellyfin.tick()
            self._compare_webhooks(where, left)

    def _compare_webhooks(
        self,
        where: str,
        left: list[Mapping[str, Any]],
        *,
        in_any_order: bool = False,
    ) -> None:
        """Compare what was received with as much of what is left of a step."""
        received = sorted(self.received, key=_told_at)
        self.received.clear()
        expected, left[: len(received)] = left[: len(received)], []
        if in_any_order:
            expected.sort(key=lambda one: str(one["Name"]))
            received.sort(key=lambda one: str(one["Name"]))
        self.differences += webhooks_differ(
            where,
            [self.expected.webhook(one) for one in expected],
            [self.found.webhook(one) for one in received],
        )

    async def _ask(self, where: str, asked: Asked, step: Step) -> None:
        """Ask what was asked, and compare the answers."""
        status, answer = await ask(
            self.session,
            asked.method,
            f"{self.jellyfin.url}{self._translated(asked.path)}",
            query=self._translated(dict(asked.query)),
            body=self._translated(asked.body),
            authorization=self._authorization(asked, step),
        )
        await self.jellyfin.delivered()
        self._learn(asked, answer)
        self.differences += differences(
            where,
            {"status": asked.status, **self._read(self.expected, asked, asked.answer)},
            {"status": status, **self._read(self.found, asked, answer)},
        )

    def _read(self, reader: Reader, asked: Asked, answer: Any) -> dict[str, Any]:
        """Return what is read of an answer, and in which order where it was sorted.

        Of sessions, those of the recording alone.
        """
        if asked.path == "/Sessions" and asked.status == 200:
            answer = [one for one in answer if one["DeviceId"] in self._devices()]
        read = reader.answer(answer)
        if "sortBy" in asked.query:
            return {"answer": read, "order": list(read["Items"])}
        return {"answer": read}

    def _devices(self) -> set[str]:
        """Return the devices that somebody signed in on while it was recorded."""
        return {
            told["DeviceId"]
            for step in self.steps
            for told in step.webhooks
            if told["NotificationType"] == "SessionStart"
        }

    def _translated(self, value: Any) -> Any:
        """Return what was asked in the words of the stand-in."""
        text = json.dumps(value)
        for theirs, ours in self.ours.items():
            text = text.replace(theirs, ours)
        return json.loads(text)

    def _learn(self, asked: Asked, answer: Any) -> None:
        """Note what the stand-in calls what the server has named in an answer."""
        for theirs, ours in _pairs(asked.answer, answer):
            self.same(theirs, ours)
        if asked.path == "/Users/AuthenticateByName" and asked.status == 200:
            self.tokens["watcher"] = answer["AccessToken"]

    def _authorization(self, asked: Asked, step: Step) -> str:
        """Return what a request proves itself with."""
        device = 'Client="Tests", Device="Tests", DeviceId="tests", Version="1.0"'
        for told in step.webhooks:
            if told["NotificationType"] in {"SessionStart", "AuthenticationFailure"}:
                client = told.get("Client") or told["ClientName"]
                device = (
                    f'Client="{client}", Device="{told["DeviceName"]}", '
                    f'DeviceId="{told["DeviceId"]}", Version="1.0"'
                )
        asks = "watcher"
        if asked.path in _KEEPERS and asked.status == 200:
            asks = "keeper"
        return f'MediaBrowser {device}, Token="{self.tokens.get(asks, "")}"'

    async def fall_silent(self, silence: Step) -> None:
        """Play what was recorded of two players that are not heard of any more.

        A phone pauses a track, a television plays an episode. The phone reports once more
        after the server has stopped both; what it made of the seconds between is left out.
        """
        left = [
            told for told in silence.webhooks if told["NotificationType"] in _OF_PLAYERS
        ]
        await self._play_until_silent(left)
        self.clock.at += timedelta(minutes=10)
        await self.jellyfin.stop_idle()
        self._compare_webhooks("idle", left, in_any_order=True)
        told = next(one for one in left if "DeviceName" in one)
        device = JellyfinDevice(told["DeviceName"], told["DeviceId"], told["Client"])
        await self.jellyfin.pause(device=device, position=_position(told))
        self._compare_webhooks("awake", left)
        assert not left, left

    async def _play_until_silent(self, left: list[Mapping[str, Any]]) -> None:
        """Do what the players reported, and let the server report on, until they stop."""
        reported = 0
        while left[0].get("SaveReason") != "PlaybackFinished":
            told = next(one for one in left if "IsAutomated" in one)
            if told["IsAutomated"]:
                while (position := _position(told)) > self._position(told):
                    self.received.clear()
                    await self.jellyfin.tick()
                assert position == self._position(told)
            else:
                await self._report(told)
                reported += 1
            self._compare_webhooks(f"report {reported}", left)

    def _position(self, told: Mapping[str, Any]) -> timedelta:
        """Return how far the player of a webhook is on the stand-in."""
        for session in self.jellyfin.accounts.sessions.values():
            if session.device.id == told["DeviceId"]:
                return session.position
        raise KeyError(told["DeviceId"])

    async def _report(self, told: Mapping[str, Any]) -> None:
        """Have a player report what a webhook tells of it."""
        device = JellyfinDevice(told["DeviceName"], told["DeviceId"], told["Client"])
        user = JellyfinUser(told["NotificationUsername"], told["UserId"])
        item = self.jellyfin.items.get(self.ours[told["ItemId"]])
        assert item is not None
        title: Any = item.title
        position = _position(told)
        self.clock.at += timedelta(seconds=1)
        if told["NotificationType"] == "PlaybackStart":
            await self.jellyfin.play(title, user, device=device, position=position)
            session = self.jellyfin.accounts.session(device, [])
            self.same(told["Id"], session.id)
        else:
            await self.jellyfin.progress(
                position, device=device, paused=told["IsPaused"]
            )

    async def _act(self, where: str, step: Step) -> None:
        """Do what was done without asking the server for anything."""
        match re.findall(r"\w+", step.did):
            case ["files", "added", *_]:
                await self._add_files()
            case ["after", *_, "WebhookItemAdded"]:
                await self.jellyfin.run(TaskKey.ITEMS_ADDED)
                for told in step.webhooks:
                    self._meet(told)
            case ["files", "removed", *_]:
                for title in self._added_files():
                    await self.jellyfin.remove(title, announce=False)
                await self.jellyfin.run(TaskKey.ITEMS_DELETED)
            case _:
                raise NotImplementedError(f"{where}: {step.did}")

    def _added_files(self) -> list[Title]:
        """Return the largest of what came, which the step after it tells of."""
        return [
            title for title in self._told_titles() if isinstance(title, Show | Movie)
        ]

    def _told_titles(self) -> Iterator[Title]:
        """Yield the titles that webhooks tell of as new, shows first."""
        told = [
            payload
            for step in self.steps
            for payload in step.webhooks
            if payload["NotificationType"] == "ItemAdded"
        ]
        shows: dict[str, Show] = {}
        for payload in sorted(told, key=lambda one: one["ItemType"] != "Series"):
            title = added_title(payload, shows)
            if isinstance(title, Show):
                shows[payload["ItemId"]] = title
            self.same(payload["ItemId"], self.jellyfin.items.id_of(title))
            yield title

    async def _add_files(self) -> None:
        for title in self._told_titles():
            await self.jellyfin.add(title, announce=False)

    def _meet(self, payload: Mapping[str, Any]) -> None:
        """Note the id of the season of an episode that came."""
        if payload["ItemType"] == "Episode":
            (episode,) = (
                title
                for title in self._told_titles()
                if self.jellyfin.items.id_of(title) == self.ours[payload["ItemId"]]
            )
            season = self.jellyfin.items.season_of(self.jellyfin.items.of(episode))
            assert season is not None
            self.same(payload["SeasonId"], self.jellyfin.items.id_of(season))


def _position(told: Mapping[str, Any]) -> timedelta:
    """Return the position that a webhook tells."""
    return timedelta(microseconds=told["PlaybackPositionTicks"] // 10)


def _told_at(payload: Mapping[str, Any]) -> datetime:
    """Return when something was told, as it arrives in any order."""
    text = payload.get("UtcTimestamp", "1900-01-01T00:00:00Z")
    return datetime.fromisoformat(text)


def _pairs(theirs: Any, ours: Any) -> Iterator[tuple[str, str]]:
    """Yield the ids and secrets that two answers have in the same place."""
    match theirs, ours:
        case dict(), dict():
            for key in ("Secret", "Code", "Id", "ItemId"):
                if isinstance(theirs.get(key), str) and key in ours:
                    yield theirs[key], ours[key]
            for key in theirs.keys() & ours.keys():
                yield from _pairs(theirs[key], ours[key])
        case list(), list():
            named = {
                one["Name"]: one
                for one in ours
                if isinstance(one, dict) and "Name" in one
            }
            for one in theirs:
                if (
                    isinstance(one, dict)
                    and not one.keys().isdisjoint(_BY_NAME)
                    and (other := named.get(one["Name"]))
                ):
                    yield from _pairs(one, other)


def without_ids(path: str) -> str:
    """Return a path without the ids in it."""
    return re.sub(r"[0-9a-f]{32}", "…", path)


@asynccontextmanager
async def replay(
    version: JellyfinVersion, steps: list[Step], zone: tzinfo
) -> AsyncIterator[Replay]:
    """Furnish a stand-in for a recording of a server in a time zone."""
    received: list[dict[str, Any]] = []

    async def receive(request: web.Request) -> web.Response:
        received.append(json.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    clock = Clock()
    about = next(
        asked.answer
        for step in steps
        for asked in step.requests
        if asked.path == "/System/Info/Public"
    )
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
        JellyfinStandIn(
            version=version,
            name=about["ServerName"],
            server_id=about["Id"],
            clock=clock,
            zone=zone,
        ) as jellyfin,
    ):
        replay = Replay(jellyfin, session, clock, steps, received)
        replay.furnish()
        for task in TaskKey:
            await jellyfin.run(task)
        jellyfin.plugin.add_generic(str(server.make_url("/")), sorted(NOTIFICATIONS))
        yield replay
