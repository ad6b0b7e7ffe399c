"""Marking on a Jellyfin server what was watched, asked of a stand-in over HTTP."""

from datetime import UTC, datetime, timedelta, timezone
import json

from aiohttp import ClientSession
import pytest

from custom_components.media_scrobbler.domain.media_server import (
    CannotConnectError,
    ForbiddenError,
    ItemGoneError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
)
from custom_components.media_scrobbler.jellyfin.client import JellyfinClient

from ..signed_in import short
from ..simulators.catalogue import LOW_WATER, THE_SALT_ROAD
from ..simulators.jellyfin import JellyfinUser
from ..simulators.jellyfin_server import JellyfinStandIn
from ..simulators.jellyfin_user_data import UserData
from .someone import Someone, with_token

AT = datetime(2026, 11, 3, 20, 15, 30, 123456, UTC)
BOB = JellyfinUser.named("bob")
MARKS = "/UserPlayedItems/*"


async def test_mark(
    jellyfin: JellyfinStandIn, alice: Someone, session: ClientSession
) -> None:
    """An administrator and an API key mark for anybody."""
    movie = jellyfin.items.id_of(THE_SALT_ROAD)
    clients = [alice.client, with_token(jellyfin, session, jellyfin.api_key())]
    for client in clients:
        await client.async_mark(BOB.id, movie, watched=True, watched_at=AT)
        data = jellyfin.data_of(BOB, THE_SALT_ROAD)
        assert (data.played, data.count, data.last_played) == (True, 1, AT)
        assert not jellyfin.data_of(alice.user, THE_SALT_ROAD).played
        await client.async_mark(BOB.id, movie, watched=False, watched_at=AT)
        data = jellyfin.data_of(BOB, THE_SALT_ROAD)
        assert (data.played, data.count, data.last_played) == (False, 0, None)


async def test_watched(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """It is told which of some items an account has watched, and when."""
    seen, unseen = (jellyfin.items.id_of(title) for title in (THE_SALT_ROAD, LOW_WATER))
    await jellyfin.mark_played(THE_SALT_ROAD, BOB, at=AT)
    jellyfin.log.clear()

    items = [seen, unseen]
    assert await alice.client.async_watched(BOB.id, items) == {seen: AT}
    assert len(jellyfin.log) == 1
    assert await alice.client.async_watched(alice.user.id, items) == {}


@pytest.mark.parametrize("user_data", [{"Played": False}, None])
async def test_watched_of_what_is_not_listed(
    jellyfin: JellyfinStandIn, alice: Someone, user_data: dict[str, bool] | None
) -> None:
    """Versions, of which a list may have one only, are asked for one by one."""
    await jellyfin.add_version(THE_SALT_ROAD, "4K")
    movie, version = (
        item.id for item in jellyfin.items.versions(jellyfin.items.of(THE_SALT_ROAD))
    )
    gone = "a" * 32
    jellyfin.account(alice.user).data[version] = UserData(played=True, last_played=AT)
    listed = {"Items": [{"Id": movie, "UserData": user_data}], "TotalRecordCount": 1}
    with jellyfin.faults.answer(json.dumps(listed), path="/Items"):
        watched = await alice.client.async_watched(
            alice.user.id, [movie, version, gone, "../Users"]
        )
    assert watched == {version: AT}
    assert not jellyfin.log.of(path="*Users*")


async def test_time_of_a_mark(jellyfin: JellyfinStandIn, bob: Someone) -> None:
    """A time may be one of any zone; without one an earlier time stays."""
    episode = jellyfin.items.id_of(LOW_WATER)
    local = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    await bob.client.async_mark(BOB.id, episode, watched=True, watched_at=local)
    assert jellyfin.log[-1].argument("datePlayed") == "2026-11-03T20:15:30.123456Z"
    await bob.client.async_mark(BOB.id, episode, watched=True)
    assert jellyfin.log[-1].argument("datePlayed") is None
    data = jellyfin.data_of(BOB, LOW_WATER)
    assert (data.played, data.count, data.last_played) == (True, 1, AT)
    again = AT.replace(microsecond=0) + timedelta(days=1)
    await bob.client.async_mark(BOB.id, episode, watched=True, watched_at=again)
    data = jellyfin.data_of(BOB, LOW_WATER)
    assert (data.count, data.last_played) == (2, again)


async def test_who_can_mark(
    jellyfin: JellyfinStandIn, alice: Someone, bob: Someone, session: ClientSession
) -> None:
    """Somebody who is no administrator marks what is their own, once that is known."""
    key = with_token(jellyfin, session, jellyfin.api_key())
    everybody = (alice.user.id, BOB.id)
    for someone in (alice.client, bob.client, key):
        assert all(someone.can_mark(account) for account in everybody)
        await someone.async_accounts()
    for client in (alice.client, key):
        assert all(client.can_mark(account) for account in everybody)
    assert [bob.client.can_mark(account) for account in everybody] == [False, True]
    jellyfin.account(BOB).administrator = True
    await bob.client.async_accounts()
    assert bob.client.can_mark(alice.user.id)


async def test_marking_for_others(
    jellyfin: JellyfinStandIn, alice: Someone, bob: Someone
) -> None:
    """The server refuses what is not allowed."""
    movie = jellyfin.items.id_of(THE_SALT_ROAD)
    for watched in (True, False):
        with pytest.raises(ForbiddenError):
            await bob.client.async_mark(alice.user.id, movie, watched=watched)
    assert not jellyfin.data_of(alice.user, THE_SALT_ROAD).played


async def test_gone(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """An item that is gone is told, and so is a user; a proxy's word is not enough."""
    movie = jellyfin.items.id_of(THE_SALT_ROAD)
    with pytest.raises(ItemGoneError):
        await alice.client.async_mark(
            JellyfinUser.named("nobody").id, movie, watched=True
        )
    await jellyfin.remove(THE_SALT_ROAD)
    for watched in (True, False):
        for item in (movie, "199"):
            with pytest.raises(ItemGoneError):
                await alice.client.async_mark(alice.user.id, item, watched=watched)
        with jellyfin.faults.fail(404), pytest.raises(NotAMediaServerError):
            await alice.client.async_mark(alice.user.id, movie, watched=watched)
        with (
            jellyfin.faults.fail(404, path=MARKS),
            jellyfin.faults.fail(502, path="/System/*"),
            pytest.raises(ServerFailureError),
        ):
            await alice.client.async_mark(alice.user.id, movie, watched=watched)


@pytest.mark.parametrize("item", ["", "..", "../Users/1", "1?userId=2", "1%2f2", "1#2"])
async def test_no_id(jellyfin: JellyfinStandIn, alice: Someone, item: str) -> None:
    """What is no id is not asked for: it could be something else's path."""
    count = len(jellyfin.log)
    for watched in (True, False):
        with pytest.raises(ItemGoneError):
            await alice.client.async_mark(alice.user.id, item, watched=watched)
    assert len(jellyfin.log) == count


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, SignInError),
        (403, ForbiddenError),
        (409, NotAMediaServerError),
        (500, ServerFailureError),
        (503, ServerFailureError),
    ],
)
async def test_marks_are_tried_once(
    jellyfin: JellyfinStandIn,
    alice: Someone,
    watched: bool,
    status: int,
    error: type[MediaServerError],
) -> None:
    """Whoever marks knows better when to try again."""
    with jellyfin.faults.fail(status) as fault, pytest.raises(error):
        await alice.client.async_mark(alice.user.id, "a" * 32, watched=watched)
    assert fault.hits == 1


async def test_no_answer_to_a_mark(
    jellyfin: JellyfinStandIn, alice: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs, breaks off or is something else has not marked for sure."""
    movie = jellyfin.items.id_of(THE_SALT_ROAD)

    async def mark(client: JellyfinClient) -> None:
        await client.async_mark(alice.user.id, movie, watched=True)

    short(monkeypatch, 0.1)
    for fault in (jellyfin.faults.hang, jellyfin.faults.cut, jellyfin.faults.drop):
        with fault() as wrong, pytest.raises(CannotConnectError):
            await mark(alice.client)
        assert wrong.hits == 1
    with jellyfin.faults.html(), pytest.raises(NotAMediaServerError):
        await mark(alice.client)
    await jellyfin.stop()
    with pytest.raises(CannotConnectError):
        await mark(alice.client)
    await jellyfin.start()
