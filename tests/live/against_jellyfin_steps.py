"""What is done to a Jellyfin server to be compared, and the recording that is made of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import aiohttp

from tests.simulators.jellyfin_recording import Asked, Step
from tests.simulators.transport import ask

CLIENT = 'Client="Tests", Device="Tests", DeviceId="tests", Version="1.0"'
# A date without a zone is one in the server's, and the compact form is UTC.
_LOCAL, _COMPACT = "2024-07-01T20:30:00", "20240701203000"
_READ_AS_UTC = datetime(2024, 7, 1, 20, 30, tzinfo=UTC)
_LONGEST_WAIT = 5.0
_MINUTE = 60 * 10_000_000


@dataclass
class Recorder:
    """Somebody who watches, and writes down what the server makes of it."""

    session: aiohttp.ClientSession
    url: str
    name: str
    password: str
    # Webhooks that have come in, and whether any are expected to.
    received: list[dict[str, Any]]
    listens: bool
    # How long to wait for one more webhook, in seconds.
    patience: float
    steps: list[Step] = field(default_factory=list)
    user_id: str = ""
    token: str = ""
    _requests: list[Asked] = field(default_factory=list)
    _webhooks: list[dict[str, Any]] = field(default_factory=list)
    _items: dict[str, Any] = field(default_factory=dict)

    async def record(self, did: str, do: Callable[[Recorder], Awaitable[None]]) -> None:
        """Do something, and keep it as a step."""
        await do(self)
        self.steps.append(Step(did, tuple(self._requests), tuple(self._webhooks)))
        self._requests, self._webhooks = [], []

    async def ask(
        self, method: str, path: str, body: Any = None, **query: str
    ) -> tuple[int, Any]:
        """Ask for something; the answer and the webhooks it led to are kept."""
        self._keep_reports()
        status, answer = await ask(
            self.session,
            method,
            f"{self.url}{path}",
            query=query,
            body=body,
            authorization=f'MediaBrowser {CLIENT}, Token="{self.token}"',
        )
        if method != "GET":
            await self._settle()
        self._requests.append(Asked(method, path, query, body, status, answer))
        return status, answer

    async def _settle(self) -> None:
        """Wait until no more webhooks come; reports of the server come after them."""
        if not self.listens:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + _LONGEST_WAIT
        count = -1
        while count != len(self._of_clients()) and loop.time() < until:
            count = len(self._of_clients())
            await asyncio.sleep(self.patience)
        self._webhooks += self._of_clients()
        self.received[:] = [one for one in self.received if one.get("IsAutomated")]

    def _of_clients(self) -> list[dict[str, Any]]:
        return [one for one in self.received if not one.get("IsAutomated")]

    def _keep_reports(self) -> None:
        """Keep the reports that the server has made by itself, before what comes next."""
        self._webhooks += self.received
        self.received.clear()

    def id(self, name: str) -> str:
        """Return the id of what is in the library under a name."""
        identifier: str = self._items[name]["Id"]
        return identifier

    # --- acts ----------------------------------------------------------------------------

    async def sign_in(self) -> None:
        """Sign in, after a wrong password."""
        path, me = "/Users/AuthenticateByName", {"Username": self.name}
        await self.ask("GET", "/System/Info/Public")
        await self.ask("POST", path, {**me, "Pw": f"not {self.password}"})
        _, answer = await self.ask("POST", path, {**me, "Pw": self.password})
        self.token, self.user_id = answer["AccessToken"], answer["User"]["Id"]

    async def look(self) -> None:
        """Look at everything that there is."""
        _, answer = await self.ask(
            "GET",
            "/Items",
            userId=self.user_id,
            recursive="true",
            includeItemTypes="Movie,Series,Season,Episode,Audio,MusicAlbum",
            fields="ProviderIds,Path,MediaSources,DateCreated",
            enableUserData="true",
        )
        self._items = {item["Name"]: item for item in answer["Items"]}

    async def report(
        self,
        which: str,
        name: str,
        minutes: int | None,
        *,
        version: int = 0,
        **more: Any,
    ) -> None:
        """Report as a player does; without minutes it says nothing of where it is."""
        item = self._items[name]
        body = {
            "ItemId": item["Id"],
            "MediaSourceId": item["MediaSources"][version]["Id"],
            "CanSeek": True,
            "IsPaused": False,
            "PlayMethod": "DirectPlay",
            **more,
        }
        if minutes is not None:
            body["PositionTicks"] = minutes * _MINUTE
        await self.ask("POST", f"/Sessions/Playing{which}", body)

    async def mark(self, name: str, date: str | None = None) -> Any:
        """Mark as seen; returns what is kept then."""
        when = {} if date is None else {"datePlayed": date}
        _, answer = await self.ask(
            "POST", f"/UserPlayedItems/{self.id(name)}", userId=self.user_id, **when
        )
        return answer

    async def unmark(self, name: str) -> None:
        """Mark as not seen."""
        await self.ask(
            "DELETE", f"/UserPlayedItems/{self.id(name)}", userId=self.user_id
        )

    async def look_at(self, name: str, version: int = 0) -> None:
        """Look at what is kept of a title, or of a version of it."""
        item = self._items[name]["MediaSources"][version]["Id"]
        await self.ask("GET", f"/UserItems/{item}/UserData", userId=self.user_id)

    def zone(self) -> tzinfo:
        """Return the time zone of the server in summer, as dates of marks have told it."""
        for step in self.steps:
            for asked in step.requests:
                given = asked.query.get("datePlayed")
                if given in {_LOCAL, _COMPACT} and asked.status == 200:
                    kept = datetime.fromisoformat(asked.answer["LastPlayedDate"])
                    if kept != _READ_AS_UTC:
                        ahead = _READ_AS_UTC - kept
                        return timezone(ahead if given == _LOCAL else -ahead)
        return timezone(timedelta())


# --- steps --------------------------------------------------------------------------------


async def _a_film(r: Recorder) -> None:
    await r.report("", "Grey Heron", 0)
    await r.report("/Progress", "Grey Heron", 30)
    await r.report("/Progress", "Grey Heron", 45, IsPaused=True)
    await r.report("/Progress", "Grey Heron", 45)
    await r.report("/Stopped", "Grey Heron", 85)
    await r.look_at("Grey Heron")


async def _odd_stops(r: Recorder) -> None:
    await r.unmark("Grey Heron")
    await r.report("", "Grey Heron", 0)
    await r.report("/Stopped", "Grey Heron", None)
    await r.report("", "Grey Heron", 0)
    await r.report("/Stopped", "Grey Heron", 88, Failed=True)
    await r.look_at("Grey Heron")


async def _no_stop(r: Recorder) -> None:
    await r.report("", "Last Crossing", 0)
    await r.report("/Progress", "Last Crossing", 12)
    await r.report("", "Landfall", 0)
    await r.report("/Stopped", "Landfall", 29)


async def _a_track(r: Recorder) -> None:
    await r.report("", "Slack Tide", 0)
    await r.report("/Stopped", "Slack Tide", 1)
    await r.look_at("Slack Tide")


async def _dates(r: Recorder) -> None:
    for date in (
        "2023-03-04T21:10:00.000Z",
        "2023-03-04T21:10:00+05:00",
        _LOCAL,
        _COMPACT,
        None,
        "nonsense",
    ):
        await r.mark("Grey Heron", date)
    await r.unmark("Grey Heron")


async def _a_special(r: Recorder) -> None:
    await r.report("", "Ice on the Quay", 0)
    await r.report("/Stopped", "Ice on the Quay", 29)
    await r.look_at("Ice on the Quay")


async def _a_season(r: Recorder) -> None:
    await r.mark("Season 2")
    await r.unmark("Season 2")
    await r.mark("Night Ferry", "2021-05-05T05:05:05Z")


async def _versions(r: Recorder) -> None:
    await r.mark("The Tin Compass", "2025-01-05T19:00:00Z")
    await r.look_at("The Tin Compass", 1)
    await r.report("", "The Tin Compass", 0, version=1)
    await r.report("/Progress", "The Tin Compass", 40, version=1)
    await r.report("/Stopped", "The Tin Compass", 78, version=1)
    for version in (0, 1):
        await r.look_at("The Tin Compass", version)


async def _ratings(r: Recorder) -> None:
    item, mine = r.id("Grey Heron"), {"userId": r.user_id}
    await r.ask("POST", f"/UserItems/{item}/UserData", {"Rating": 7.5}, **mine)
    await r.ask("POST", f"/UserItems/{item}/Rating", likes="false", **mine)
    await r.ask("POST", f"/UserFavoriteItems/{item}", **mine)
    await r.ask("DELETE", f"/UserFavoriteItems/{item}", **mine)


async def _refusals(r: Recorder) -> None:
    for path in ("/ScheduledTasks", f"/Items/{'1' * 32}"):
        await r.ask("GET", path)
    await r.ask("POST", "/Library/Refresh")


STEPS: Mapping[str, Callable[[Recorder], Awaitable[None]]] = {
    "signed in, after a wrong password": Recorder.sign_in,
    "everything in the library": Recorder.look,
    "a film, with a pause": _a_film,
    "stopped without a position, and by a failure": _odd_stops,
    "the next episode without a stop": _no_stop,
    "a track": _a_track,
    "marked with dates of every form": _dates,
    "a special in the folder of a season": _a_special,
    "a season and a show marked": _a_season,
    "a film of two versions": _versions,
    "rated, and made a favourite": _ratings,
    "asked for what is not to be had": _refusals,
}
