"""What the tests of healing and importing share: what servers know, and when they are asked."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Event, HomeAssistant, callback

from .common import plays_of
from .signed_in import Home, JellyfinHome, PlexHome, later, quiet, until, viewer
from .simulators.catalogue import Playable
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.stand_in import StandIn

LOOK = "media_scrobbler healing"

MOVIE_IDS = {"tmdb": 918273, "imdb": "tt9182736", "tvdb": 219483}
SHOW_IDS = {"tmdb": 288104, "imdb": "tt9288104", "tvdb": 438120}


def silence(home: Home) -> None:
    """Have the server send no webhooks, as one does that cannot or that is not reached."""
    for url in list(home.webhooks):
        home.forget_webhook(url)


def histories(home: Home) -> int:
    """Return how often the server has been asked for what was completed."""
    if isinstance(home, PlexHome):
        return home.log.count_of("GET", "/status/sessions/history/all")
    return sum(
        request.argument("isPlayed") == "true"
        for request in home.log.of("GET", "/Items")
    )


def know(
    home: Home, who: str, title: Playable, at: datetime, *, times: int = 1
) -> None:
    """Have the server know that somebody has completed something, telling nobody."""
    if isinstance(home, PlexHome):
        home.plex.record(who, title, at=at)
        return
    assert isinstance(home, JellyfinHome)
    user = JellyfinUser.named(who)
    data = home.server.data_of(user, title)
    data.played, data.count, data.last_played = True, data.count + times, at
    home.server.account(user).last_activity = home.server.now()


async def watch(home: Home, who: str, title: Playable) -> list[Any]:
    """Play something to its end; returns the webhooks that were sent."""
    return [*await home.play(who, title), *await home.finish()]


def looking() -> bool:
    """Return whether a server is being asked for what is missing."""
    return any(task.get_name() == LOOK for task in asyncio.all_tasks())


async def looked(hass: HomeAssistant) -> None:
    """Wait until servers have been asked for what is missing, twice if there is any."""
    for _ in range(40):
        # Requests that are under way would be given up, should the time move on.
        for _ in range(20):
            await hass.async_block_till_done()
            if not looking():
                return
            await asyncio.sleep(0.01)
        await later(hass, seconds=21)
    raise AssertionError("it has never come to an end")


async def look(hass: HomeAssistant) -> None:
    """Have servers asked for what is missing."""
    await later(hass, minutes=16)
    await looked(hass)


async def signed_in(hass: HomeAssistant, home: Home, *who: str) -> ConfigEntry[Any]:
    """Sign in to a server, with viewers; it has been asked for the first time."""
    entry = await home.sign_in(hass, *who)
    await until(hass, lambda: "registered_url" in entry.data)
    await looked(hass)
    await quiet(hass, home.log)
    return entry


@asynccontextmanager
async def jellyfin_of_alice(
    hass: HomeAssistant, **of_server: Any
) -> AsyncGenerator[JellyfinHome]:
    """Have a Jellyfin server that Alice, its only user, has signed in to."""
    async with JellyfinStandIn(**of_server) as server:
        server.add_user("alice", "secret", administrator=True)
        home = JellyfinHome(server)
        await signed_in(hass, home, "alice")
        yield home


def heard(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return the plays that are published from now on."""
    events: list[dict[str, Any]] = []

    @callback
    def hear(event: Event[Any]) -> None:
        events.append(dict(event.data))

    hass.bus.async_listen("media_scrobbler_scrobble", hear)
    return events


async def titles_of(hass: HomeAssistant, who: str) -> list[str | None]:
    """Return what somebody has watched, the latest first."""
    return [play.get("title") for play in await plays_of(hass, viewer(hass, who))]


async def times_of(hass: HomeAssistant, who: str) -> list[datetime]:
    """Return when somebody has watched something, the latest first."""
    return [
        datetime.fromisoformat(play["watched_at"])
        for play in await plays_of(hass, viewer(hass, who))
    ]


def sources(play: dict[str, Any]) -> list[str]:
    """Return by what a play is known."""
    return [source["source"] for source in play["sources"]]


def ago(**by: float) -> datetime:
    """Return a time gone by, in whole seconds as Plex has it."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**by)


async def eventually(
    hass: HomeAssistant, who: str, condition: Callable[[list[dict[str, Any]]], object]
) -> list[dict[str, Any]]:
    """Wait until somebody's plays are as they should be, and return them."""
    plays: list[dict[str, Any]] = []
    for _ in range(300):
        if condition(plays := await plays_of(hass, viewer(hass, who))):
            return plays
        await asyncio.sleep(0.01)
    raise AssertionError(f"{plays} never become what they should be")


def stand_in_of(home: Home) -> StandIn:
    """Return what answers for a server."""
    if isinstance(home, PlexHome):
        return home.plex.server
    assert isinstance(home, JellyfinHome)
    return home.server
