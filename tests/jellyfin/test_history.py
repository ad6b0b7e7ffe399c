"""Reading from a Jellyfin server what was watched, asked of a stand-in over HTTP."""

from collections.abc import AsyncGenerator, Collection
from datetime import UTC, datetime, timedelta
import json
import logging
from typing import Any

from aiohttp import ClientSession
import pytest

from custom_components.media_scrobbler.domain.event import Party
from custom_components.media_scrobbler.domain.library import Completion
from custom_components.media_scrobbler.domain.media_server import (
    CannotConnectError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
)
from custom_components.media_scrobbler.domain.play import Certainty
from custom_components.media_scrobbler.domain.title import MediaType
from custom_components.media_scrobbler.jellyfin import history as history_module
from custom_components.media_scrobbler.jellyfin.client import JellyfinClient

from ..signed_in import short
from ..simulators.catalogue import LOW_WATER, SLOW_FERRY, THE_SALT_ROAD
from ..simulators.jellyfin import JellyfinUser
from ..simulators.jellyfin_server import JellyfinStandIn
from ..simulators.jellyfin_version import JELLYFIN_10_11, JellyfinVersion
from ..simulators.library import Library
from .someone import Someone, user_of, with_token

NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
ALICE, BOB = (JellyfinUser.named(name) for name in ("alice", "bob"))
BOTH = [ALICE.id, BOB.id]

MOVIE = {
    "Type": "Movie",
    "Id": "a" * 32,
    "Name": "Tide",
    "UserData": {"Played": True, "LastPlayedDate": "2026-11-19T20:15:00.1234567Z"},
}


class Clock:
    """Tells the server what time it is."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the server that has been watched on."""
    return Clock()


@pytest.fixture
async def watched(
    version: JellyfinVersion, impatience: None, clock: Clock
) -> AsyncGenerator[JellyfinStandIn]:
    """Return a server on which Bob has watched 150 episodes, the last an hour ago."""
    async with JellyfinStandIn(
        version=version,
        library=Library(movies=20, episodes=200),
        clock=clock,
        validate=True,
    ) as server:
        server.add_user("alice", administrator=True)
        server.add_user("bob")
        server.seed_history(
            BOB, 150, until=NOW - timedelta(hours=1), every=timedelta(hours=1)
        )
        yield server


@pytest.fixture
def key(watched: JellyfinStandIn, session: ClientSession) -> JellyfinClient:
    """Return a client that uses no account by asking."""
    return with_token(watched, session, watched.api_key())


async def pages_of(
    client: JellyfinClient,
    accounts: Collection[str] = BOTH,
    since: datetime | None = None,
) -> list[list[Completion]]:
    """Return a history, page by page."""
    pages = client.async_history(accounts, since, active_since=since)
    return [page async for page in pages]


async def history_of(
    client: JellyfinClient,
    accounts: Collection[str] = BOTH,
    since: datetime | None = None,
) -> list[Completion]:
    """Return a history in one piece."""
    return [one for page in await pages_of(client, accounts, since) for one in page]


async def test_all_of_it(
    watched: JellyfinStandIn, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator, an API key and oneself are told all, the latest first."""
    monkeypatch.setattr(history_module, "PAGE", 40)
    files = [watched.library.episodes[number] for number in range(150)][::-1]
    expected = [
        (file.season, number, NOW - timedelta(hours=1 + hours))
        for hours, file in enumerate(files)
        for number in range(file.number, (file.number_end or file.number) + 1)
    ]
    for client in (
        user_of(watched, session, "alice").client,
        user_of(watched, session, "bob").client,
        with_token(watched, session, watched.api_key()),
    ):
        pages = await pages_of(client)
        assert len(pages) == 5
        completions = [one for page in pages for one in page]
        assert [
            (one.title.season, one.title.episode, one.watched_at) for one in completions
        ] == expected
        assert {one.account for one in completions} == {Party(BOB.id)}
        assert completions[0].title.show_items == {
            watched.server.id: watched.items.id_of(files[0].show)
        }
        assert completions[0].title.items == {
            watched.server.id: watched.items.id_of(files[0])
        }


async def test_kinds(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """Movies, episodes and tracks count; what is watched in part does not."""
    at = datetime(2026, 11, 3, 20, 15, 0, 987654, UTC)
    for title in (THE_SALT_ROAD, SLOW_FERRY):
        await jellyfin.mark_played(title, BOB, at=at)
    data = jellyfin.data_of(BOB, LOW_WATER)
    data.position, data.last_played = 1, at
    completions = await history_of(alice.client)
    assert {one.title.media_type for one in completions} == {
        MediaType.MOVIE,
        MediaType.TRACK,
    }
    assert {one.watched_at for one in completions} == {at}
    assert completions[0].title.ids or completions[1].title.ids
    await jellyfin.mark_played(LOW_WATER, BOB, at=at + timedelta(days=1))
    (latest, *_) = await history_of(alice.client)
    assert latest.title.media_type is MediaType.EPISODE


async def test_once_per_title(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """The server knows the last time only."""
    at = datetime(2026, 11, 3, 20, 15, tzinfo=UTC)
    for days in (0, 3, 1):
        await jellyfin.mark_played(THE_SALT_ROAD, BOB, at=at + timedelta(days=days))
    (completion,) = await history_of(alice.client)
    assert completion.watched_at == at + timedelta(days=1)


async def test_since(watched: JellyfinStandIn, key: JellyfinClient) -> None:
    """What is older is not told, and not asked for any further."""
    since = NOW - timedelta(hours=20)
    completions = await history_of(key, since=since)
    times = {one.watched_at for one in completions}
    assert (min(times), max(times)) == (since, NOW - timedelta(hours=1))
    assert watched.log.count_of("GET", "/Users") == 1
    assert watched.log.count_of("GET", "/Items") == 2
    assert len(await history_of(key, since=NOW - timedelta(hours=140))) >= 140
    assert watched.log.count_of("GET", "/Items") == 5
    assert await history_of(key, since=NOW) == []


def answered(*items: dict[str, Any]) -> str:
    """Return the answer of a server that lists these items."""
    return json.dumps({"Items": list(items)})


def seen(number: int, at: datetime, **data: Any) -> dict[str, Any]:
    """Return a movie that was watched at a time, as the server describes it."""
    return MOVIE | {
        "Id": f"{number:032x}",
        "Name": f"Tide {number}",
        "UserData": {
            "Played": True,
            "PlayCount": 1,
            "LastPlayedDate": at.isoformat().replace("+00:00", "Z"),
            **data,
        },
    }


async def test_an_older_item_among_newer_ones(
    jellyfin: JellyfinStandIn, alice: Someone
) -> None:
    """The server sorts by another row of user data than the one that it answers."""
    since = NOW - timedelta(days=1)
    old, new = since - timedelta(days=3), since + timedelta(hours=3)
    answer = answered(seen(1, old), seen(2, new), seen(3, old), seen(4, new))
    with jellyfin.faults.answer(answer, path="/Items"):
        completions = await history_of(alice.client, [ALICE.id], since)
    assert [one.title.title for one in completions] == ["Tide 2", "Tide 4"]


async def test_older_items_at_the_end_of_a_page(
    jellyfin: JellyfinStandIn, alice: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next page is asked for unless all that this one ends with is older."""
    monkeypatch.setattr(history_module, "LATEST_PAGE", 20)
    since = NOW - timedelta(days=1)
    old, new = since - timedelta(days=3), since + timedelta(hours=3)
    first = [seen(number, new if number == 18 else old) for number in range(20)]
    with (
        jellyfin.faults.answer(answered(*first), path="/Items", times=1),
        jellyfin.faults.answer(answered(seen(21, new)), path="/Items"),
    ):
        completions = await history_of(alice.client, [ALICE.id], since)
    assert [one.title.title for one in completions] == ["Tide 18", "Tide 21"]

    first = [seen(number, new if number < 18 else old) for number in range(20)]
    asked = jellyfin.log.count_of("GET", "/Items")
    with jellyfin.faults.answer(answered(*first), path="/Items"):
        assert len(await history_of(alice.client, [ALICE.id], since)) == 18
    assert jellyfin.log.count_of("GET", "/Items") == asked + 1


async def test_the_count_of_one_of_several_versions(
    jellyfin: JellyfinStandIn, alice: Someone, version: JellyfinVersion
) -> None:
    """It has the date of whichever version was begun last: that is no certain play."""
    length = {"RunTimeTicks": 60 * 60 * 10_000_000}
    one = seen(1, NOW) | length
    several = seen(2, NOW) | length | {"MediaSourceCount": 2}
    with jellyfin.faults.answer(answered(one, several), path="/Items"):
        completions = await history_of(alice.client, [ALICE.id])
    # Older servers forget that a title was seen while it is seen again.
    of_several = Certainty.CERTAIN if version == JELLYFIN_10_11 else Certainty.IF_FIRST
    assert [each.certainty for each in completions] == [Certainty.CERTAIN, of_several]
    (request,) = jellyfin.log.of("GET", "/Items")
    assert "MediaSourceCount" in (request.argument("fields") or "")


async def test_nothing_new(
    watched: JellyfinStandIn, key: JellyfinClient, clock: Clock
) -> None:
    """Who has not been there is not asked for, whatever the number of users."""
    for name in ("alice", "bob", "carol", "dave"):
        user = watched.add_user(name) if name > "bob" else JellyfinUser.named(name)
        watched.sign_in(user)
    accounts = list(watched.accounts.users)
    await history_of(key, accounts, since=NOW)
    asked = watched.log.count_of("GET", "/Items")
    assert asked == 4
    clock.now = NOW + timedelta(hours=3)
    since = NOW + timedelta(hours=2)
    count = len(watched.log)
    assert await history_of(key, accounts, since=since) == []
    assert len(watched.log) == count + 1

    movie = watched.library.movies[0]
    await watched.play(movie, BOB)
    await watched.finish()
    (completion,) = await history_of(key, accounts, since=since)
    assert completion.title.title == movie.title
    assert completion.watched_at == clock.now
    assert watched.log.count_of("GET", "/Items") == asked + 1


async def test_activity_is_written_down_late(
    watched: JellyfinStandIn, key: JellyfinClient, clock: Clock
) -> None:
    """What follows within a minute of the last activity is not missed."""
    watched.sign_in(BOB)
    clock.now = NOW + timedelta(seconds=50)
    await watched.play(watched.library.movies[0], BOB)
    await watched.finish()
    assert watched.account(BOB).last_activity == NOW
    assert await history_of(key, since=NOW + timedelta(seconds=45))


async def test_clock_of_the_server_is_behind(
    watched: JellyfinStandIn, key: JellyfinClient, clock: Clock
) -> None:
    """Who has been there by its clock before we looked may have been there since."""
    behind = timedelta(hours=3)
    watched.clock_ahead = -behind
    clock.now = datetime.now(UTC) - behind
    looked_at = datetime.now(UTC) - timedelta(minutes=10)
    watched.account(ALICE).last_activity = clock.now - timedelta(hours=1)
    movie = watched.library.movies[0]
    await watched.play(movie, BOB)
    await watched.finish()
    pages = key.async_history(
        [ALICE.id, BOB.id], looked_at - timedelta(days=1), active_since=looked_at
    )
    titles = [one.title.title async for page in pages for one in page]
    assert movie.title in titles
    # Alice has not been there, by whatever clock.
    asked = watched.log.of("GET", "/Items")
    assert {request.argument("userId") for request in asked} == {BOB.id}


async def test_a_title_is_marked_as_not_watched_meanwhile(
    watched: JellyfinStandIn, key: JellyfinClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after it has moved up, and is not missed or told twice."""
    monkeypatch.setattr(history_module, "PAGE", 40)
    expected = {one.title.items[watched.server.id] for one in await history_of(key)}
    reading = key.async_history([BOB.id], None)
    found = await anext(reading)
    account = watched.account(BOB)
    for one in found[:3]:
        account.data[one.title.items[watched.server.id]].mark_unplayed()
    account.changes += 1
    found += [one async for page in reading for one in page]
    items = [one.title.items[watched.server.id] for one in found]
    assert set(items) == expected
    assert len(items) == len(expected)


async def test_users_that_are_not_told(
    watched: JellyfinStandIn, key: JellyfinClient
) -> None:
    """Where nothing is told of the users, everybody is asked for."""
    since = NOW - timedelta(hours=3)
    with watched.faults.fail(403, path="/Users"):
        assert len(await history_of(key, since=since)) >= 3
    with watched.faults.answer(f'[{{"Id": "{BOB.id}"}}]', path="/Users"):
        assert len(await history_of(key, since=since)) >= 3
    assert watched.log.count_of("GET", "/Items") == 4


async def test_accounts_that_cannot_be_asked_for(
    watched: JellyfinStandIn,
    session: ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Others of a user who is no administrator, and those that are gone, are skipped."""
    caplog.set_level(logging.DEBUG, history_module.__name__)
    gone = JellyfinUser.named("gone").id
    bob = user_of(watched, session, "bob").client
    for since in (None, NOW - timedelta(hours=2)):
        assert await history_of(bob, [ALICE.id, BOB.id], since)
        assert f"history of account {ALICE.id} may not be read" in caplog.text
    alice = user_of(watched, session, "alice").client
    caplog.clear()
    assert await history_of(alice, [gone, "199", BOB.id])
    assert f"Account {gone} is not known" in caplog.text
    assert "Account 199 is not known" in caplog.text
    with watched.faults.fail(404), pytest.raises(NotAMediaServerError):
        await history_of(alice, [gone])


@pytest.mark.parametrize(
    "odd",
    [
        3,
        None,
        {},
        MOVIE | {"Type": "Trailer"},
        MOVIE | {"Name": []},
        MOVIE | {"IndexNumberEnd": []},
        MOVIE | {"UserData": 3},
        MOVIE | {"UserData": None},
        MOVIE | {"UserData": {"Played": True}},
        MOVIE | {"UserData": {"Played": True, "LastPlayedDate": 3}},
        MOVIE | {"UserData": {"Played": True, "LastPlayedDate": "yesterday"}},
        MOVIE
        | {"UserData": {"Played": True, "LastPlayedDate": "0001-01-01T00:00:00Z"}},
        MOVIE
        | {"UserData": {"Played": False, "LastPlayedDate": "2026-11-19T20:15:00Z"}},
    ],
)
async def test_odd_item(jellyfin: JellyfinStandIn, alice: Someone, odd: Any) -> None:
    """What was watched at no time, and nonsense, is left out; the rest is not."""
    for since in (None, NOW - timedelta(days=2)):
        with jellyfin.faults.answer(json.dumps({"Items": [odd, MOVIE]}), path="/Items"):
            (completion,) = await history_of(alice.client, [ALICE.id], since)
        assert completion.title.title == "Tide"
        assert completion.watched_at == datetime(
            2026, 11, 19, 20, 15, 0, 123456, tzinfo=UTC
        )


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"Items": 3}'])
async def test_odd_history(
    jellyfin: JellyfinStandIn, alice: Someone, answer: str
) -> None:
    """An answer that is no list of items is an error."""
    with (
        jellyfin.faults.answer(answer, path="/Items"),
        pytest.raises(NotAMediaServerError),
    ):
        await history_of(alice.client)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, SignInError), (500, ServerFailureError), (418, NotAMediaServerError)],
)
async def test_refused(
    watched: JellyfinStandIn,
    key: JellyfinClient,
    status: int,
    error: type[MediaServerError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What goes wrong on the way is told; what had come by then has come."""
    monkeypatch.setattr(history_module, "PAGE", 40)
    history = key.async_history([BOB.id], None)
    assert len(await anext(history)) >= 40
    with watched.faults.fail(status, path="/Items"), pytest.raises(error):
        await anext(history)


async def test_no_answer(
    watched: JellyfinStandIn, key: JellyfinClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs, breaks off or is something else; once is not noticed."""
    await key.async_info()
    with watched.faults.cut(times=1), watched.faults.fail(500, times=1):
        assert await history_of(key)
    short(monkeypatch, 0.1)
    for fault in (watched.faults.hang, watched.faults.cut, watched.faults.drop):
        with fault(path="/Items"), pytest.raises(CannotConnectError):
            await history_of(key)
    with watched.faults.html(path="/Items"), pytest.raises(NotAMediaServerError):
        await history_of(key)
