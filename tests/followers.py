"""A household whose servers follow what its people watch: Plex and Jellyfin, Alice and Bob."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from functools import partial
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.media_scrobbler.const import DOMAIN

from .common import answer, call, plays_of
from .signed_in import TITLES, Home, JellyfinHome, PlexHome, quiet, until, viewer
from .simulators.catalogue import Playable
from .simulators.faults import Fault
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.jellyfin_user_data import UserData
from .simulators.jellyfin_version import JELLYFIN_12_0, JellyfinVersion
from .simulators.plex_server import PlexStandIn
from .texts import assert_translated

MARKS = "/UserPlayedItems/*"


@dataclass(frozen=True, slots=True)
class Mark:
    """What Jellyfin was told of an item; `at` is when it was watched."""

    item: str
    account: str | None
    watched: bool
    at: datetime | None
    status: int | None


@dataclass
class Household:
    """Both servers, signed in to by Alice. She and Bob watch on both."""

    hass: HomeAssistant
    plex: PlexHome
    jellyfin: JellyfinHome
    plex_entry: ConfigEntry[Any]
    jellyfin_entry: ConfigEntry[Any]

    # Who watches what

    async def watch_on_plex(self, title: Playable, who: str = "alice") -> None:
        """Have somebody watch something to its end on Plex."""
        await self.plex.play(who, title)
        await self.plex.finish()

    async def watch_on_jellyfin(self, title: Playable, *who: str) -> None:
        """Have people watch something together to its end on Jellyfin."""
        users = [JellyfinUser.named(name) for name in who or ("alice",)]
        await self.jellyfin.server.play(title, *users)
        await self.jellyfin.server.finish()

    async def plays(self, who: str = "alice") -> list[dict[str, Any]]:
        """Return somebody's plays, the newest first."""
        return await plays_of(self.hass, viewer(self.hass, who))

    async def titles(self, who: str = "alice") -> list[str]:
        """Return what somebody has watched, sorted."""
        return sorted(play["title"] for play in await self.plays(who))

    async def add_play(self, title: Any, who: str = "alice", **details: Any) -> str:
        """Add a play of a film by hand; returns its id."""
        response = await call(
            self.hass,
            "add_play",
            viewer=viewer(self.hass, who).entry_id,
            media_type="movie",
            title=title.title,
            year=title.year,
            ids={"tmdb": title.ids.tmdb},
            **details,
        )
        play_id: str = response["play"]["play_id"]
        return play_id

    async def remove_play(self, play_id: str, who: str = "alice") -> None:
        """Remove a play."""
        entry = viewer(self.hass, who)
        await call(self.hass, "remove_play", viewer=entry.entry_id, play_id=play_id)

    # Who follows whom

    def at_jellyfin(self, who: str = "alice") -> str:
        """Return the key of an account at Jellyfin."""
        return f"{self.jellyfin_entry.entry_id}:{JellyfinUser.named(who).id}"

    def at_plex(self, who: str = "alice") -> str:
        """Return the key of an account at Plex."""
        plex = self.plex.plex
        number = plex.server.account_id(plex.user(who))
        return f"{self.plex_entry.entry_id}:{number}"

    async def follow(
        self, *accounts: str, who: str = "alice", unfollowing: Iterable[str] = ()
    ) -> None:
        """Have accounts, and no others, follow what somebody watches."""
        result = await self.hass.config_entries.options.async_init(
            viewer(self.hass, who).entry_id
        )
        assert_translated(result, "options")
        result = await answer(self.hass, result, next_step_id="following")
        await answer(
            self.hass,
            result,
            following=list(accounts),
            unfollowing=list(unfollowing),
        )
        await self.settled()

    async def also_for(self, who: str, *others: str) -> None:
        """Have it count for others as well what somebody watches."""
        result = await self.hass.config_entries.options.async_init(
            viewer(self.hass, who).entry_id
        )
        result = await answer(self.hass, result, next_step_id="settings")
        await answer(
            self.hass,
            result,
            media_types=["movie", "episode", "track"],
            also_for=[viewer(self.hass, other).entry_id for other in others],
        )
        await self.settled()

    async def scan(self) -> None:
        """Have both libraries be known."""
        for entry in (self.plex_entry, self.jellyfin_entry):
            await call(self.hass, "scan_library", server=entry.entry_id)

    # What comes of it

    async def settled(self) -> None:
        """Wait until nobody asks anybody anything any more."""
        counts = None
        while counts != (
            counts := (
                await quiet(self.hass, self.plex.log),
                await quiet(self.hass, self.jellyfin.log),
                len(await self.jellyfin.server.delivered()),
            )
        ):
            pass

    def forget(self) -> None:
        """Forget what the servers were asked so far."""
        self.plex.log.clear()
        self.jellyfin.log.clear()

    def asked(self, home: Home | None = None) -> list[str]:
        """Return what a server, or Jellyfin, was asked so far.

        Without what plays, which it is asked every so often, and its poster.
        """
        home = home or self.jellyfin
        return [
            f"{request.method} {request.path}"
            for request in home.log
            if not any(
                fnmatch(request.path, path)
                for path in (home.playing_path, home.poster_path)
            )
        ]

    @property
    def marks(self) -> list[Mark]:
        """Return what Jellyfin was told so far, with those that failed."""
        return [
            Mark(
                item=request.path.rpartition("/")[2],
                account=request.argument("userId"),
                watched=request.method == "POST",
                at=datetime.fromisoformat(at)
                if (at := request.argument("datePlayed"))
                else None,
                status=request.status,
            )
            for request in self.jellyfin.log.of(path=MARKS)
        ]

    @property
    def plex_marks(self) -> list[tuple[str, str | None]]:
        """Return what Plex was told so far: what to do, and to which item."""
        return [
            (request.path.rpartition("/")[2], request.argument("key"))
            for request in self.plex.log.of(path="/:/*scrobble")
        ]

    def data(self, title: Any, who: str = "alice") -> UserData:
        """Return what Jellyfin shows somebody of a title."""
        return self.jellyfin.server.data_of(JellyfinUser.named(who), title)

    def views(self, title: Any, who: str = "alice") -> int:
        """Return how often Plex shows somebody to have seen a title."""
        plex = self.plex.plex
        return plex.server.state(plex.user(who), title).view_count

    async def until_marked(self, title: Any, who: str = "alice") -> UserData:
        """Wait until Jellyfin shows a title as watched, and all is quiet."""
        await until(self.hass, lambda: self.data(title, who).played)
        await self.settled()
        return self.data(title, who)

    def refuse(self, status: int, **where: Any) -> AbstractContextManager[Fault]:
        """Have Jellyfin refuse to mark."""
        return self.jellyfin.faults.fail(status, **({"path": MARKS} | where))

    def issue(self) -> ir.IssueEntry | None:
        """Return the issue that a server does not let us mark, if there is one."""
        for issue in ir.async_get(self.hass).issues.values():
            if issue.domain == DOMAIN and issue.translation_key == "cannot_mark":
                return issue
        return None


def moment(play: dict[str, Any]) -> datetime:
    """Return when something was watched."""
    return datetime.fromisoformat(play["watched_at"])


def ago(**by: float) -> datetime:
    """Return a time that long ago, to the second."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**by)


async def move_in(
    hass: HomeAssistant, plex: PlexStandIn, jellyfin: JellyfinStandIn
) -> Household:
    """Sign in to both servers, with Alice and Bob as viewers."""
    homes = PlexHome(plex), JellyfinHome(jellyfin)
    entries = [await home.sign_in(hass, "alice", "bob") for home in homes]
    for entry in entries:
        await until(hass, partial(_has_registered, entry))
    household = Household(hass, *homes, *entries)
    await household.settled()
    return household


def _has_registered(entry: ConfigEntry[Any]) -> bool:
    return "registered_url" in entry.data


@pytest.fixture
def jellyfin_version() -> JellyfinVersion:
    """Return which Jellyfin there is at home."""
    return JELLYFIN_12_0


@pytest.fixture
async def unscanned(
    hass: HomeAssistant,
    address: str,
    plex_at_home: PlexStandIn,
    jellyfin_version: JellyfinVersion,
) -> AsyncGenerator[Household]:
    """Return a household where nobody follows anybody yet, and no library is known."""
    async with JellyfinStandIn(version=jellyfin_version, titles=TITLES) as jellyfin:
        jellyfin.add_user("alice", "secret", administrator=True)
        jellyfin.add_user("bob")
        yield await move_in(hass, plex_at_home, jellyfin)


@pytest.fixture
async def household(unscanned: Household) -> Household:
    """Return a household where nobody follows anybody yet."""
    await unscanned.scan()
    unscanned.forget()
    return unscanned
