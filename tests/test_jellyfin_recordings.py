"""What real servers have sent, sent to the integration at its own times: which of it are plays."""

from collections.abc import AsyncGenerator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
import json
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
import orjson
import pytest

from .common import Jellyfin, MediaServer, add_viewer, answer, plays_of, start_flow
from .recordings import VERSIONS, Step, needs_recordings, steps_of
from .signed_in import quiet, viewer as viewer_named
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.jellyfin_version import JellyfinVersion

pytestmark = needs_recordings

type Seen = list[tuple[str, str | None]]
"""Plays of a step: titles, each with its time where that is not the step's own."""

NAMELESS = "Nameless (2020)"
ROAD = "The Long Road"


def shown(play: dict[str, Any]) -> str:
    """Return a play's title with its numbers, if it has any."""
    if "season" in play:
        return f"S{play['season']:02}E{play['episode']:02}"
    title: str = play["title"]
    return title


def expected(number: int, version: str, *, asked: bool = False) -> Seen:
    """Return the plays of a step, read for itself; `asked` is whether the server can be."""
    is_asked = asked and version == "12.0"
    season = [(f"S02E{episode:02}", None) for episode in (1, 2, 3)]
    special = "S02E05" if version == "10.11.11" else "S00E05"
    match number:
        case 7:
            return [("Paper Boats", None)]
        case 12:
            return [("S01E02", None)]
        case 13:
            return [("S01E04", None), ("S01E05", None)]
        case 14:
            return [(special, None)]
        case 15:
            return [("S00E01", None)]
        case 16:
            return [("Track 1", None)]
        case 19:
            return [("Duet", None)]
        case 21 | 26 | 29:
            return [(NAMELESS, None)]
        case 22:
            return [(NAMELESS, "2023-03-04T21:10:00")]
        case 23:
            return [(NAMELESS, f"2023-03-04T{20 if is_asked else 21}:10:00")]
        case 24:
            return [(NAMELESS, "2023-03-04T16:10:00")]
        case 25:
            return [(NAMELESS, f"2023-03-04T{21 if is_asked else 22}:10:00")]
        case 28:
            return [
                (NAMELESS, "2024-04-04T10:00:00"),
                (NAMELESS, "2024-06-06T10:00:00"),
            ]
        case 32:
            # Older servers take what lies in a season's folder for a part of it.
            again = [(special, "2026-12-01T15:08:03")] if "10.11" in version else []
            return [*season, *again]
        case 33:
            episodes = ("S00E01", special, *(f"S01E{each:02}" for each in range(1, 6)))
            return [
                (title, "2021-05-05T05:05:05")
                for title in (*episodes, "S02E01", "S02E02", "S02E03")
            ]
        case 34:
            return [("Harbour Lights", "2026-10-22T20:00:00")]
        case 36:
            return [("Harbour Lights", None)]
        case 37:
            return [("Paper Boats", None)]
    return []


def assert_are(plays: list[dict[str, Any]], seen: Seen, step: Step) -> None:
    """Assert that plays are those that a step should have led to."""
    begun, ended = step.webhooks[0][0], step.webhooks[-1][0]
    found: Seen = []
    for play in plays:
        at = datetime.fromisoformat(play["watched_at"])
        is_now = begun - timedelta(seconds=1) <= at <= ended + timedelta(seconds=1)
        found.append((shown(play), None if is_now else at.isoformat()[:19]))
    assert sorted(found, key=str) == sorted(seen, key=str), (step.number, step.did)


async def send(
    jellyfin: Jellyfin,
    step: Step,
    freezer: FrozenDateTimeFactory,
    suffix: str = "",
    stand_in: JellyfinStandIn | None = None,
) -> None:
    """Send the webhooks of a step; with a suffix they are of other accounts.

    With a stand-in they are those of that server and its people.
    """
    for at, payload in step.webhooks:
        freezer.move_to(max(at, datetime.now(UTC)))
        changed = dict(payload)
        if stand_in is not None:
            changed["ServerId"] = stand_in.server.id
            if name := payload.get("NotificationUsername"):
                changed["UserId"] = JellyfinUser.named(name).id
            await jellyfin.send(orjson.dumps(changed), "text/plain")
            continue
        if user := payload.get("UserId"):
            changed["UserId"] = user[: len(user) - len(suffix)] + suffix
        status, _ = await jellyfin.send(orjson.dumps(changed), "text/plain")
        assert status == 200


async def introduce(
    hass: HomeAssistant, jellyfin: Jellyfin, step: Step, name: str, suffix: str = ""
) -> ConfigEntry[Any]:
    """Return a viewer for an account that a step names."""
    user = next(
        payload["UserId"]
        for _, payload in step.webhooks
        if payload.get("NotificationUsername") == name
    )
    user = user[: len(user) - len(suffix)] + suffix
    introduction = {
        "NotificationType": "PlaybackStart",
        "ServerId": step.server_id,
        "UserId": user,
        "NotificationUsername": name,
        "ItemType": "Movie",
        "Name": "Something else",
    }
    await jellyfin.send(orjson.dumps(introduction), "text/plain")
    return await add_viewer(
        hass, f"{name}{suffix}", [f"{jellyfin.entry.entry_id}:{user}"]
    )


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_step_for_itself(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    freezer: FrozenDateTimeFactory,
    version: str,
) -> None:
    """By webhooks alone, of an account that has done nothing else."""
    for step in steps_of(f"jellyfin_{version}.json"):
        names = {payload.get("NotificationUsername") for _, payload in step.webhooks}
        if "dee" not in names:
            continue
        suffix = f"{step.number:02}"
        freezer.move_to(step.webhooks[0][0] - timedelta(seconds=1))
        dee = await introduce(hass, jellyfin, step, "dee", suffix)
        await send(jellyfin, step, freezer, suffix)
        plays = await plays_of(hass, dee)
        assert_are(plays, expected(step.number, version), step)


def added(number: int, version: str, *, asked: bool = False) -> Seen:
    """Return the plays that a step adds to those of the steps before it.

    They follow each other in seconds: what one of them has led to is the same viewing.
    """
    seen = expected(number, version, asked=asked)
    is_asked = asked and version == "12.0"
    if number in (26, 29, 37) or number == (25 if is_asked else 23):
        return []
    return seen[:3] if number == 32 else seen


@pytest.mark.parametrize("version", VERSIONS)
async def test_one_step_after_the_other(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    freezer: FrozenDateTimeFactory,
    version: str,
) -> None:
    """By webhooks alone, of one account: a step adds the plays that are its own."""
    steps = list(steps_of(f"jellyfin_{version}.json"))
    freezer.move_to(steps[0].webhooks[0][0] - timedelta(minutes=1))
    dee = await introduce(hass, jellyfin, steps[1], "dee")
    eve = await introduce(hass, jellyfin, step_of(steps, 37), "eve")
    known: set[str] = set()
    for step in steps:
        await send(jellyfin, step, freezer)
        plays = await plays_of(hass, dee)
        new = [play for play in plays if play["play_id"] not in known]
        known |= {play["play_id"] for play in plays}
        assert len(known) == len(plays)
        assert_are(new, added(step.number, version), step)
    assert [play["title"] for play in await plays_of(hass, eve)] == ["Paper Boats"]


@pytest.fixture
async def stand_in(
    impatience: None, socket_enabled: None, version: str
) -> AsyncGenerator[JellyfinStandIn]:
    """Return a server of a recording's version, with its people and without its library."""
    async with JellyfinStandIn(version=JellyfinVersion.parse(version)) as server:
        server.add_user("keeper", "secret", administrator=True)
        for name in ("dee", "eve"):
            server.add_user(name)
        yield server


@pytest.mark.freeze_time(tick=True)
@pytest.mark.parametrize("version", VERSIONS)
async def test_with_the_server_signed_in_to(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    address: str,
    stand_in: JellyfinStandIn,
    freezer: FrozenDateTimeFactory,
    version: str,
) -> None:
    """What webhooks leave open is asked of the server: 12.0 answers right."""
    steps = list(steps_of(f"jellyfin_{version}.json"))
    freezer.move_to(steps[0].webhooks[0][0] - timedelta(minutes=1))
    entry = await sign_in(hass, stand_in)
    jellyfin: Jellyfin = MediaServer(
        entry=entry, client=client, simulator=stand_in.server
    )
    viewer = partial(viewer_named, hass)
    known: dict[str, dict[str, Any]] = {}
    for step in steps:
        with ExitStack() as answers:
            for item, data in step.user_data().items():
                path = f"/UserItems/{item}/UserData"
                answers.enter_context(
                    stand_in.faults.answer(
                        json.dumps(data),
                        path=path,
                        status=200,
                        content_type="application/json",
                    )
                )
            await send(jellyfin, step, freezer, stand_in=stand_in)
            await quiet(hass, stand_in.log)
        plays = {play["play_id"]: play for play in await plays_of(hass, viewer("dee"))}
        new = [play for play_id, play in plays.items() if play_id not in known]
        assert known.keys() <= plays.keys(), (step.number, step.did)
        known = plays
        assert_are(new, added(step.number, version, asked=True), step)
    assert [play["title"] for play in await plays_of(hass, viewer("eve"))] == [
        "Paper Boats"
    ]


async def sign_in(hass: HomeAssistant, stand_in: JellyfinStandIn) -> ConfigEntry[Any]:
    """Sign in to a server as its administrator, with Dee and Eve as viewers."""
    result = await start_flow(hass, "jellyfin", "jellyfin_password")
    result = await answer(
        hass,
        result,
        url=stand_in.url,
        verify_ssl=True,
        username="keeper",
        password="secret",
    )
    result = await answer(hass, result, local_only=True)
    accounts = [JellyfinUser.named(name).id for name in ("dee", "eve")]
    result = await answer(hass, result, accounts=accounts)
    await quiet(hass, stand_in.log)
    entry: ConfigEntry[Any] = result["result"]
    return entry


def step_of(steps: list[Step], number: int) -> Step:
    """Return a step by its number."""
    return next(step for step in steps if step.number == number)


@pytest.mark.parametrize("version", VERSIONS)
async def test_players_that_are_left_alone(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    freezer: FrozenDateTimeFactory,
    version: str,
) -> None:
    """A track was heard to its middle; of an episode 80 % were reported, and no more."""
    (step,) = steps_of(f"idle_{version}.json")
    freezer.move_to(step.webhooks[0][0] - timedelta(minutes=1))
    ben = await introduce(hass, jellyfin, step, "ben")
    await send(jellyfin, step, freezer)
    # The phone goes on to sleep, and to wake up.
    stop = next(
        payload
        for _, payload in reversed(step.webhooks)
        if payload["NotificationType"] == "PlaybackStop"
    )
    for _ in range(5):
        freezer.tick(timedelta(minutes=76))
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        again = stop | {"UtcTimestamp": now}
        await jellyfin.send(orjson.dumps(again), "text/plain")
    assert [play["title"] for play in await plays_of(hass, ben)] == ["Duet"]
