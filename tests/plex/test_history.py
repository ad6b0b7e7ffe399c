"""What a Plex Media Server remembers of what its accounts have completed."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
import orjson
import pytest

from custom_components.media_scrobbler.domain.event import Party
from custom_components.media_scrobbler.domain.library import Completion, LatestPage
from custom_components.media_scrobbler.domain.media_server import (
    CannotConnectError,
    ForbiddenError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
)
from custom_components.media_scrobbler.domain.title import MediaType
from custom_components.media_scrobbler.plex import history
from custom_components.media_scrobbler.plex.client import PlexClient

from ..signed_in import short
from ..simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Playable,
)
from ..simulators.library import Library
from ..simulators.plex_server import PlexStandIn
from .common import client_of, silences

PATH = "/status/sessions/history/all"
DAY = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
"""Half an hour before many clocks are set back."""


@pytest.fixture
async def alice(hass: HomeAssistant, plex_at_home: PlexStandIn) -> PlexClient:
    """Return the client of the owner, who has asked before."""
    client = client_of(hass, plex_at_home)
    await client.async_accounts()
    plex_at_home.server.log.clear()
    return client


async def read(
    client: PlexClient, accounts: Collection[str], since: datetime | None = None
) -> list[Completion]:
    return [
        completion
        async for completions in client.async_history(accounts, since)
        for completion in completions
    ]


def names(completions: list[Completion]) -> list[str | None]:
    return [completion.title.title for completion in completions]


def entry(**other: Any) -> dict[str, Any]:
    return {
        "ratingKey": "7",
        "type": "movie",
        "title": "Tide",
        "accountID": 1,
        "viewedAt": 1_700_000_000,
    } | other


def answer(*entries: Any, **container: Any) -> str:
    content = {"size": len(entries), "totalSize": len(entries), "Metadata": entries}
    return orjson.dumps({"MediaContainer": content | container}).decode()


async def test_history(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """The oldest come first, with the items they are of and the times in UTC."""
    server, bob = plex_at_home.server, str(plex_at_home.user("bob").id)
    plex_at_home.record("bob", LOW_WATER, at=DAY)
    plex_at_home.record("alice", SLOW_FERRY, at=DAY + timedelta(hours=2))
    plex_at_home.record("alice", THE_SALT_ROAD, at=DAY + timedelta(hours=1))
    plex_at_home.record("carol", THE_SALT_ROAD, at=DAY + timedelta(hours=3))

    episode, movie, track = await read(alice, ["1", bob])

    assert (episode.account, episode.watched_at) == (Party(bob), DAY)
    assert episode.player is None
    title = episode.title
    assert (title.media_type, title.show) == (MediaType.EPISODE, "Harbour Lights")
    assert (title.season, title.episode, title.title) == (2, 3, "Low Water")
    assert title.items == {server.uuid: server.key(LOW_WATER)}
    assert title.show_items == {server.uuid: server.key(HARBOUR_LIGHTS)}
    assert (movie.account, movie.title.title) == (Party("1"), "The Salt Road")
    assert movie.watched_at == DAY + timedelta(hours=1)
    assert movie.watched_at.tzinfo is UTC
    assert (track.title.artist, track.title.album) == ("Marlow & Finch", "Tidewater")


async def test_history_of_nobody_in_particular(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """Whoever plays without signing in has watched nothing of what others have."""
    plex_at_home.record("alice", THE_SALT_ROAD, at=DAY)
    nobody = [entry(accountID=0, title="Tide"), entry(accountID=None, title="Ebb")]
    assert await read(alice, ["0"]) == []
    with plex_at_home.server.faults.answer(answer(*nobody, entry()), path=PATH):
        assert names(await read(alice, ["0"])) == ["Tide"]
        assert names(await read(alice, ["1"])) == ["Ebb", "Tide"]
    asked = [request.argument("accountID") for request in plex_at_home.server.log]
    assert asked == [None, None, "1"]


async def test_since(
    hass: HomeAssistant, plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """A time is one wherever it is told, and itself is part of what comes since then."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    titles: list[Playable] = [LOW_WATER, THE_SALT_ROAD, THE_PILOT_BOAT]
    for hours, title in enumerate(titles):
        plex_at_home.record("alice", title, at=DAY + timedelta(hours=hours))
    since = DAY + timedelta(hours=1)
    for same in (since, since.astimezone(), since + timedelta(milliseconds=400)):
        found = await read(alice, ["1"], same)
        assert names(found) == ["The Salt Road", "The Pilot Boat"]
    assert await read(alice, ["1"], DAY + timedelta(days=1)) == []
    request = plex_at_home.server.log.of("GET", PATH)[0]
    assert request.argument("viewedAt>") == str(int(since.timestamp()))


async def test_whose(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """Only who is asked for is told of; the server need not send more than one account's."""
    bob, carol = (str(plex_at_home.user(name).id) for name in ("bob", "carol"))
    for hours, name in enumerate(("alice", "bob", "carol")):
        plex_at_home.record(name, THE_SALT_ROAD, at=DAY + timedelta(hours=hours))

    async def whose(*accounts: str) -> list[str | None]:
        return [one.account.id for one in await read(alice, accounts)]

    log = plex_at_home.server.log
    assert await whose() == []
    assert not log
    assert await whose(bob) == [bob]
    assert log[-1].argument("accountID") == bob
    assert await whose(carol, "1") == ["1", carol]
    assert log[-1].argument("accountID") is None
    assert await whose("400") == []
    # The owner is 1 to the server, whichever id is linked.
    owner = str(plex_at_home.owner.id)
    assert await whose(owner) == [owner]
    assert await whose(owner, bob) == [owner, bob]


async def test_without_the_internet(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """A server at home tells of everybody all the same."""
    bob = str(plex_at_home.user("bob").id)
    plex_at_home.record("alice", THE_SALT_ROAD)
    plex_at_home.record("bob", THE_SALT_ROAD)
    await plex_at_home.lose_internet()
    assert len(await read(alice, ["1", bob])) == 2


async def test_a_long_history(
    hass: HomeAssistant, plex_at_home: PlexStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told in parts, and every entry once."""
    cellar = await plex_at_home.add_server(
        "Cellar", library=Library(movies=40, episodes=60), share_with=["bob"]
    )
    cellar.fill_history(150, until=DAY)
    held = [item.viewed_at for item in cellar.history]
    client = client_of(hass, plex_at_home, server=cellar)
    everybody = ["1", str(plex_at_home.user("bob").id)]
    for at_once in (1, 7, 30, 149, 150, 151, 1000):
        monkeypatch.setattr(history, "AT_ONCE", at_once)
        cellar.log.clear()
        parts = [part async for part in client.async_history(everybody, None)]
        assert all(parts)
        found = [one.watched_at.timestamp() for part in parts for one in part]
        assert found == held
        assert cellar.log.count_of("GET", PATH) <= 3 * 150 / at_once + 1
    monkeypatch.setattr(history, "AT_ONCE", 10)
    assert len(await read(client, ["1"])) == 75


async def test_what_happens_while_reading(
    plex_at_home: PlexStandIn, alice: PlexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is missed or told twice when entries are added, late ones too, or removed."""
    monkeypatch.setattr(history, "AT_ONCE", 10)
    server = plex_at_home.server
    for number in range(35):
        plex_at_home.record("alice", LOW_WATER, at=DAY + timedelta(hours=number))
    reading = alice.async_history(["1"], None)
    found = await anext(reading)
    assert len(found) == 10
    plex_at_home.record("alice", THE_SALT_ROAD, at=DAY + timedelta(days=9))
    del server.history[2:6]
    server._history_version += 1
    found += await anext(reading)
    # A player that has been offline tells of what it has played.
    plex_at_home.record("alice", PAPER_ORCHARD, at=DAY - timedelta(days=9))
    found += [one async for part in reading for one in part]
    hours = [
        (one.watched_at - DAY) / timedelta(hours=1)
        for one in found
        if one.title.title == "Low Water"
    ]
    assert hours == list(range(35))
    assert names(found)[35:] == ["The Salt Road"]


# What is new


async def latest(
    client: PlexClient, accounts: Collection[str], since: datetime
) -> list[LatestPage]:
    return [page async for page in client.async_latest(accounts, since)]


async def test_latest(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """One request tells what is new, and how much there is of any time."""
    plex_at_home.record("alice", PAPER_ORCHARD, at=DAY + timedelta(hours=5))
    plex_at_home.record("bob", LOW_WATER, at=DAY)
    plex_at_home.record("alice", LOW_WATER, at=DAY)
    plex_at_home.record("alice", THE_SALT_ROAD, at=DAY + timedelta(hours=1))

    (page,) = await latest(alice, ["1"], DAY + timedelta(hours=1, milliseconds=3))

    assert names(page.completions) == ["Paper Orchard", "The Salt Road"]
    # They are numbered as the server has learnt of them, not as they were completed.
    assert [one.number for one in page.completions] == [1, 4]
    assert page.total == 3
    assert page.times == tuple(DAY + timedelta(hours=hours) for hours in (5, 1, 0))
    assert plex_at_home.server.log.count_of("GET", PATH) == 1
    assert await latest(alice, [], DAY) == []
    (nothing,) = await latest(alice, ["1"], DAY + timedelta(days=1))
    assert (nothing.completions, nothing.total) == ([], 3)


async def test_much_that_is_new(
    plex_at_home: PlexStandIn, alice: PlexClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told in parts, each entry once, and no further back than it is asked for."""
    server = plex_at_home.server
    for number in range(60):
        plex_at_home.record("alice", LOW_WATER, at=DAY + timedelta(hours=number))
    for at_once, since in ((7, 31), (30, 0), (200, 59)):
        for name in ("LATEST_AT_ONCE", "AT_ONCE"):
            monkeypatch.setattr(history, name, at_once)
        pages = await latest(alice, ["1"], DAY + timedelta(hours=since))
        found = [one.watched_at for page in pages for one in page.completions]
        hours = range(59, since - 1, -1)
        assert found == [DAY + timedelta(hours=hour) for hour in hours]
        assert {page.total for page in pages} == {60}
        times = [time for page in pages for time in page.times]
        assert len(times) == len(set(times)) <= len(found) + at_once

    for name in ("LATEST_AT_ONCE", "AT_ONCE"):
        monkeypatch.setattr(history, name, 10)
    reading = alice.async_latest(["1"], DAY)
    pages = [await anext(reading)]
    plex_at_home.record("alice", THE_SALT_ROAD, at=DAY + timedelta(days=9))
    del server.history[50:54]
    server._history_version += 1
    pages += [page async for page in reading]
    found = [one.watched_at for page in pages for one in page.completions]
    assert found == [DAY + timedelta(hours=hour) for hour in range(59, -1, -1)]


async def test_odd_entries_among_the_latest(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """They are counted with the others, if they are told apart by nothing else."""
    odd: list[Any] = [entry(viewedAt=None), entry(title={}), {}, [], None, entry()]
    odd += [entry(historyKey=key) for key in ("/x/7", "/status/sessions/history/77")]
    with plex_at_home.server.faults.answer(answer(*odd), path=PATH):
        (page,) = await latest(alice, ["1"], DAY - timedelta(days=9999))
    assert [one.number for one in page.completions] == [None, None, 77]
    assert page.total == len(odd)
    assert len(page.times) == 4


async def test_what_is_gone(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """Of an item that has been removed there are its names."""
    plex_at_home.record("alice", LOW_WATER, at=DAY)
    plex_at_home.remove(LOW_WATER)
    (gone,) = await read(alice, ["1"])
    assert gone.title.items == gone.title.show_items == {}
    assert gone.title.label == "Harbour Lights - S02E03 - Low Water"
    assert gone.title.year is None


@pytest.mark.parametrize(
    ("released", "year"),
    [
        pytest.param("2019-03-15", 2019, id="date"),
        pytest.param("2019-03-15T00:00:00Z", 2019, id="moment"),
        pytest.param("2019", None, id="no date"),
        pytest.param(None, None, id="unknown"),
    ],
)
async def test_a_film_that_is_gone(
    plex_at_home: PlexStandIn, alice: PlexClient, released: str | None, year: int | None
) -> None:
    """When it came out tells it from another of its name; of what is there, more is known."""
    gone = entry(
        ratingKey=None, key=None, title="The Salt Road", originallyAvailableAt=released
    )
    there = entry(title="The Salt Road", originallyAvailableAt=released)
    there["viewedAt"] += 1
    with plex_at_home.server.faults.answer(answer(gone, there), path=PATH):
        found = await read(alice, ["1"])
    assert [completion.title.year for completion in found] == [year, None]


@pytest.mark.parametrize(
    "odd",
    [
        entry(accountID=2),
        entry(accountID=[1]),
        entry(viewedAt=None),
        entry(viewedAt="yesterday"),
        entry(viewedAt=0),
        entry(viewedAt=10**15),
        entry(type="clip"),
        entry(type="photo"),
        entry(type="season"),
        entry(type=None),
        entry(extraType=1),
        entry(key="/livetv/sessions/1"),
        entry(title={}),
        entry(ratingKey=None, title=None),
        {},
        [],
        None,
    ],
)
async def test_an_entry_of_no_use(
    plex_at_home: PlexStandIn, alice: PlexClient, odd: Any
) -> None:
    """It is left out of the others."""
    body = answer(entry(title="Ebb", viewedAt="1700000000"), odd, entry(title="Flow"))
    with plex_at_home.server.faults.answer(body, path=PATH):
        assert names(await read(alice, ["1"])) == ["Ebb", "Flow"]


async def test_an_entry_that_says_little(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """A title and a time are enough where it is plain whose it is; paths tell the items."""
    server = plex_at_home.server
    for odd in (
        entry(ratingKey=None),
        entry(title=None),
        entry(accountID=None),
        entry(accountID="1"),
    ):
        with server.faults.answer(answer(odd), path=PATH):
            (found,) = await read(alice, ["1"])
        assert found.account == Party("1")
    with server.faults.answer(answer(entry(accountID=None)), path=PATH):
        assert await read(alice, ["1", "2"]) == []
    odd = entry(
        type="episode",
        ratingKey=None,
        key="/library/metadata/12",
        grandparentKey="/library/metadata/10/children",
    )
    with server.faults.answer(answer(odd), path=PATH):
        (found,) = await read(alice, ["1"])
    assert found.title.items == {server.uuid: "12"}
    assert found.title.show_items == {server.uuid: "10"}


# What can go wrong


async def test_guests(hass: HomeAssistant, plex_at_home: PlexStandIn) -> None:
    """Today's servers tell guests of themselves, those of old tell them nothing."""
    carol = str(plex_at_home.user("carol").id)
    plex_at_home.record("carol", THE_SALT_ROAD, at=DAY)
    plex_at_home.record("alice", THE_SALT_ROAD, at=DAY)
    guest = client_of(hass, plex_at_home, "carol")
    (found,) = await read(guest, [carol])
    assert found.account == Party(carol)
    assert await read(guest, ["1"]) == []
    for status in (401, 403):
        with (
            plex_at_home.server.faults.fail(status, path=PATH),
            pytest.raises(ForbiddenError),
        ):
            await read(guest, [carol])
    plex_at_home.revoke("carol")
    with pytest.raises(SignInError):
        await read(guest, [carol])


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, ServerFailureError), (404, NotAMediaServerError), (500, ServerFailureError)],
)
async def test_refused(
    plex_at_home: PlexStandIn,
    alice: PlexClient,
    status: int,
    error: type[MediaServerError],
) -> None:
    with (
        plex_at_home.server.faults.fail(status, path=PATH, text=alice._token),
        pytest.raises(error) as raised,
    ):
        await read(alice, ["1"])
    assert alice._token not in f"{raised.value!r}"


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", "<MediaContainer/>", answer(totalSize=9), answer(size=0)[:-5]],
)
async def test_no_history(
    plex_at_home: PlexStandIn, alice: PlexClient, body: str
) -> None:
    with (
        plex_at_home.server.faults.answer(body, path=PATH),
        pytest.raises(NotAMediaServerError),
    ):
        await read(alice, ["1"])


async def test_no_answer(
    plex_at_home: PlexStandIn,
    alice: PlexClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What breaks off in the middle is told: the rest is not taken for nothing."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(history, "AT_ONCE", 10)
    for number in range(25):
        plex_at_home.record("alice", LOW_WATER, at=DAY + timedelta(hours=number))
    faults = plex_at_home.server.faults
    for go_wrong in silences(faults, PATH):
        reading = alice.async_history(["1"], None)
        assert len(await anext(reading)) == 10
        short(monkeypatch, 0.1)
        with go_wrong(), pytest.raises(CannotConnectError):
            await anext(reading)
        short(monkeypatch, 10)
    with faults.html(path=PATH), pytest.raises(NotAMediaServerError):
        await read(alice, ["1"])
    assert len(await read(alice, ["1"])) == 25
    assert alice._token not in caplog.text
