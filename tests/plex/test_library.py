"""The libraries of a Plex Media Server: reading them, and marking what is watched."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
import orjson
import pytest

from custom_components.media_scrobbler.domain.library import Entry, Page, Section
from custom_components.media_scrobbler.domain.media_server import (
    CannotConnectError,
    ForbiddenError,
    ItemGoneError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
)
from custom_components.media_scrobbler.domain.title import MediaType
from custom_components.media_scrobbler.plex import library
from custom_components.media_scrobbler.plex.client import PlexClient

from ..signed_in import short
from ..simulators.catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Season,
)
from ..simulators.library import Library
from ..simulators.plex_server import PlexMediaServer, PlexStandIn
from .common import client_of, silences

MOVIE, SHOW, EPISODE = MediaType.MOVIE, MediaType.SHOW, MediaType.EPISODE
FILMS = Section("1", "Films", (MOVIE,))
SERIES = Section("2", "Series", (SHOW, EPISODE))
OLD_SERIES = Section("5", "Old series", (SHOW, EPISODE))
PAGE = "/library/sections/1/all"

type Call = Callable[[PlexClient, str], Awaitable[Any]]


@pytest.fixture
async def alice(hass: HomeAssistant, plex_at_home: PlexStandIn) -> PlexClient:
    """Return the client of the owner, who has asked before."""
    client = client_of(hass, plex_at_home)
    await client.async_accounts()
    plex_at_home.server.log.clear()
    return client


@pytest.fixture
async def cellar(plex_at_home: PlexStandIn) -> PlexMediaServer:
    """Return a server with a larger library, part of it of old."""
    return await plex_at_home.add_server(
        "Cellar", library=Library(movies=200, episodes=600, tracks=30), legacy=0.25
    )


async def pages(
    client: PlexClient, section: Section, media_type: MediaType, limit: int
) -> list[Page]:
    """Read a section to its end."""
    read: list[Page] = []
    start, total = 0, 1
    while start < total:
        read.append(await client.async_page(section, media_type, start, limit))
        start, total = start + read[-1].size, read[-1].total
    return read


def entries_of(read: list[Page]) -> list[Entry]:
    return [entry for page in read for entry in page.entries]


def film(title: str = "Tide", **other: Any) -> dict[str, Any]:
    return {"ratingKey": "7", "type": "movie", "title": title, **other}


def answer(*items: Any, **container: Any) -> str:
    content = {"size": len(items), "totalSize": len(items), "Metadata": items}
    return orjson.dumps({"MediaContainer": content | container}).decode()


# Sections


async def test_sections(
    hass: HomeAssistant, plex_at_home: PlexStandIn, cellar: PlexMediaServer
) -> None:
    """Movies and shows are read, whichever agent knows them; music is not."""
    client = client_of(hass, plex_at_home, server=cellar)
    assert await client.async_sections() == [
        FILMS,
        SERIES,
        Section("4", "Old films", (MOVIE,)),
        OLD_SERIES,
    ]


async def test_sections_of_other_kinds(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """Photos are left out, a section without a name has its key for one."""
    with plex_at_home.server.faults.answer(
        '{"MediaContainer": {"Directory": [{"key": 3, "type": "photo"},'
        '{"key": 9, "type": "movie", "agent": "com.plexapp.agents.none"}]}}'
    ):
        assert await alice.async_sections() == [Section("9", "9", (MOVIE,))]
    with plex_at_home.server.faults.answer('{"MediaContainer": {}}'):
        assert await alice.async_sections() == []


@pytest.mark.parametrize(
    "sections",
    [
        '[{"type": "movie", "key": {}}]',
        '[{"type": "movie"}]',
        '[{"type": [], "key": "1"}]',
        '["Films"]',
        "{}",
    ],
)
async def test_a_section_that_cannot_be_understood(
    plex_at_home: PlexStandIn, alice: PlexClient, sections: str
) -> None:
    """To leave one out would be to say that it is gone."""
    with (
        plex_at_home.server.faults.answer(
            f'{{"MediaContainer": {{"Directory": {sections}}}}}'
        ),
        pytest.raises(NotAMediaServerError),
    ):
        await alice.async_sections()


# Pages


async def test_pages_of_movies(
    hass: HomeAssistant, plex_at_home: PlexStandIn, cellar: PlexMediaServer
) -> None:
    """Every movie comes once, with its ids, in the order in which they were added."""
    client = client_of(hass, plex_at_home, server=cellar)
    read = await pages(client, FILMS, MOVIE, 7)
    assert [page.size for page in read] == [7] * 21 + [3]
    assert {page.total for page in read} == {150}
    titles = [entry.title for entry in entries_of(read)]
    by_key = {title.items[cellar.uuid]: title for title in titles}
    assert len(by_key) == len(titles) == 150
    added = []
    for key in by_key:
        held = cellar.items.item(key)
        assert held is not None
        added.append(cellar.items._item_added(held))
    assert added == sorted(added)
    for held_title in list(cellar.items.library.movies)[:150]:
        title = by_key[cellar.key(held_title)]
        assert (title.title, title.year) == (held_title.title, held_title.year)
        assert title.duration == held_title.runtime.total_seconds()
        external = {name: str(value) for name, value in title.ids.items()}
        external.pop("plex", None)
        assert external == dict(held_title.ids.items())
    assert all(entry.watched is None for entry in entries_of(read))


async def test_pages_of_series(
    hass: HomeAssistant, plex_at_home: PlexStandIn, cellar: PlexMediaServer
) -> None:
    """Episodes name the item of their show, whose ids came before, or the agent's of old."""
    client = client_of(hass, plex_at_home, server=cellar)
    for section in (SERIES, OLD_SERIES):
        shows = entries_of(await pages(client, section, SHOW, 2))
        keys = {entry.title.items[cellar.uuid]: entry.title for entry in shows}
        assert all(show.media_type is SHOW and show.title for show in keys.values())
        read = await pages(client, section, EPISODE, 30)
        episodes = entries_of(read)
        assert len(read) > 1
        assert len(episodes) == read[0].total == sum(page.size for page in read)
        for entry in episodes:
            title = entry.title
            show = keys[title.show_items[cellar.uuid]]
            assert title.show == show.title
            assert title.season is not None and title.episode is not None
            if section is OLD_SERIES and show.ids:
                assert title.show_ids == show.ids


async def test_how_pages_are_asked_for(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """In JSON, without the token in the URL and without what is not used."""
    await alice.async_page(FILMS, MOVIE, 20, 10)
    (request,) = plex_at_home.server.log
    assert request.headers["Accept"] == "application/json"
    assert request.headers["X-Plex-Container-Start"] == "20"
    assert request.headers["X-Plex-Container-Size"] == "10"
    assert (request.argument("type"), request.argument("sort")) == ("1", "addedAt:asc")
    assert request.argument("includeGuids") == "1"
    assert "Media" in (request.argument("excludeElements") or "").split(",")
    assert request.argument("X-Plex-Token") is None


async def test_how_much_there_is(alice: PlexClient) -> None:
    """A page of nothing says it, at the beginning and further on."""
    assert await alice.async_page(FILMS, MOVIE, 0, 0) == Page((), 0, 2)
    assert await alice.async_page(FILMS, MOVIE, 1, 0) == Page((), 0, 2)


async def test_what_is_added_while_reading(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """It comes last, and nothing that is still to be read moves."""
    first = await alice.async_page(FILMS, MOVIE, 0, 1)
    await plex_at_home.add(NINTH_MERIDIAN)
    rest = await alice.async_page(FILMS, MOVIE, 1, 10)
    assert (first.total, rest.total) == (2, 3)
    titles = [entry.title.title for entry in (*first.entries, *rest.entries)]
    assert sorted(str(title) for title in titles[:2]) == [
        "Paper Orchard",
        "The Salt Road",
    ]
    assert titles[2] == "Ninth Meridian"
    assert await alice.async_page(FILMS, MOVIE, 3, 10) == Page((), 0, 3)


async def test_watched(
    hass: HomeAssistant, plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """What the account of the sign-in has watched is told, and of no other one."""
    at = datetime(2026, 3, 4, 21, 30, tzinfo=UTC)
    plex_at_home.record("alice", THE_SALT_ROAD, at=at)
    plex_at_home.record("bob", PAPER_ORCHARD, at=at)
    await plex_at_home.play("alice", PAPER_ORCHARD, position=timedelta(minutes=9))
    await plex_at_home.stop()
    bob = str(plex_at_home.user("bob").id)

    async def watched(client: PlexClient, account: str) -> dict[str | None, Any]:
        page = await client.async_page(FILMS, MOVIE, 0, 10, account=account)
        return {
            entry.title.title: (entry.watched, entry.watched_at)
            for entry in page.entries
        }

    hers = {"The Salt Road": (True, at), "Paper Orchard": (False, None)}
    assert await watched(alice, "1") == hers
    assert await watched(alice, str(plex_at_home.owner.id)) == hers
    assert set((await watched(alice, bob)).values()) == {(None, None)}
    bobs = client_of(hass, plex_at_home, "bob")
    assert await watched(bobs, bob) == {
        "The Salt Road": (False, None),
        "Paper Orchard": (True, at),
    }
    assert set((await watched(bobs, "1")).values()) == {(None, None)}
    (show,) = (await alice.async_page(SERIES, SHOW, 0, 10, account="1")).entries
    assert show.watched is None


@pytest.mark.parametrize(
    "odd",
    [
        film(year="soon"),
        film(type="collection"),
        film(type="show"),
        film(type="clip"),
        film(extraType=1),
        film(live=1),
        film(guid="tv.plex.xmltv://movie/1"),
        film(viewCount="often"),
        film(viewCount=1, lastViewedAt="yesterday"),
        {"type": "movie", "title": "Tide"},
        ["Tide"],
        "Tide",
        None,
    ],
)
async def test_an_item_that_cannot_be_understood(
    plex_at_home: PlexStandIn, alice: PlexClient, odd: Any
) -> None:
    """It is no entry, but it counts."""
    server = plex_at_home.server
    with server.faults.answer(answer(film(), odd, totalSize=20), path=PAGE):
        page = await alice.async_page(FILMS, MOVIE, 0, 5, account="1")
    (entry,) = page.entries
    assert entry.title.items == {server.uuid: "7"}
    assert (page.size, page.total) == (2, 20)


@pytest.mark.parametrize("at", [0, -5, 10**15])
async def test_a_time_that_cannot_be(
    plex_at_home: PlexStandIn, alice: PlexClient, at: int
) -> None:
    """Somebody has watched it; when is unknown."""
    body = answer(film(viewCount=2, lastViewedAt=at))
    with plex_at_home.server.faults.answer(body, path=PAGE):
        page = await alice.async_page(FILMS, MOVIE, 0, 5, account="1")
    assert page.entries[0].watched is True
    assert page.entries[0].watched_at is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        "<MediaContainer/>",
        '{"MediaContainer": []}',
        '{"MediaContainer": {}}',
        '{"MediaContainer": {"size": 1}}',
        '{"MediaContainer": {"totalSize": 1, "Metadata": {}}}',
        answer(film(), totalSize="many"),
        answer(totalSize=20),
        answer(*[film()] * 9),
        answer(*[film()] * 3, totalSize=None),
        answer(film(), offset=2, totalSize=20),
        answer(film())[:-9],
    ],
)
async def test_no_page(plex_at_home: PlexStandIn, alice: PlexClient, body: str) -> None:
    """What is no page, or not the one that was asked for, is never a short one."""
    with (
        plex_at_home.server.faults.answer(body, path=PAGE),
        pytest.raises(NotAMediaServerError),
    ):
        await alice.async_page(FILMS, MOVIE, 0, 3)


async def test_everything_at_once(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """A server that knows no pages sends all there is."""
    for count in (0, 2, 9):
        body = answer(*[film()] * count, totalSize=None)
        with plex_at_home.server.faults.answer(body, path=PAGE):
            page = await alice.async_page(FILMS, MOVIE, 0, 3)
        assert (len(page.entries), page.size, page.total) == (count, count, count)


async def test_an_empty_section(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """Where there is nothing there is no list of it either."""
    for body in ('{"size": 0, "totalSize": 0}', '{"size": 0}'):
        with plex_at_home.server.faults.answer(
            f'{{"MediaContainer": {body}}}', path=PAGE
        ):
            assert await alice.async_page(FILMS, MOVIE, 0, 3) == Page((), 0, 0)


async def test_a_section_that_is_gone(alice: PlexClient) -> None:
    """It may be removed while it is read."""
    with pytest.raises(ItemGoneError):
        await alice.async_page(Section("99", "Old", (MOVIE,)), MOVIE, 0, 10)
    with pytest.raises(ItemGoneError):
        await alice.async_page(Section("1/../2", "Odd", (MOVIE,)), MOVIE, 0, 10)


# Episodes


async def test_episodes(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    cellar: PlexMediaServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All episodes of a show or season are told, in parts where there are many."""
    monkeypatch.setattr(library, "EPISODES_AT_ONCE", 10)
    client = client_of(hass, plex_at_home, server=cellar)
    held = cellar.items.library
    show = max(
        range(len(held.first_seasons) - 1),
        key=lambda number: len(held.episodes_of_show(number)),
    )
    numbers = held.episodes_of_show(show)
    assert len(numbers) > 20
    titles = await client.async_episodes(cellar.key(held.shows[show]))
    assert [title.items[cellar.uuid] for title in titles] == [
        cellar.key(held.episodes[number]) for number in numbers
    ]
    path = f"/library/metadata/{cellar.key(held.shows[show])}/allLeaves"
    assert cellar.log.count_of("GET", path) == -(-len(numbers) // 10)


async def test_episodes_of_a_season(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """Their ids come along; what is gone has none."""
    server = plex_at_home.server
    season = await alice.async_episodes(server.key(Season(HARBOUR_LIGHTS, 2)))
    assert {title.title for title in season} == {LOW_WATER.title, FOG_SIGNAL.title}
    (low_water,) = (title for title in season if title.title == LOW_WATER.title)
    assert low_water.ids["tvdb"] == 9712094
    assert low_water.items == {server.uuid: server.key(LOW_WATER)}
    assert low_water.show_items == {server.uuid: server.key(HARBOUR_LIGHTS)}
    assert len(await alice.async_episodes(server.key(HARBOUR_LIGHTS))) == 3
    assert await alice.async_episodes(server.key(THE_SALT_ROAD)) == []
    assert await alice.async_episodes("0") == []
    assert await alice.async_episodes("1/../2?x=1#") == []


async def test_episodes_that_cannot_be_understood(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    """They are left out of the others."""
    episode = film(type="episode", grandparentTitle="Tides", parentIndex=1, index=2)
    with plex_at_home.server.faults.answer(
        answer(episode | {"index": "two"}, episode, 5), path="*/allLeaves"
    ):
        (title,) = await alice.async_episodes("7")
    assert (title.show, title.season, title.episode) == ("Tides", 1, 2)


# Marks


async def test_mark(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """What is marked on the server is, and as often as one likes."""
    server = plex_at_home.server

    def views(title: Any) -> int:
        return server.state(plex_at_home.owner, title).view_count

    for watched in (True, True, False, False, True):
        await alice.async_mark("1", server.key(THE_SALT_ROAD), watched=watched)
        assert bool(views(THE_SALT_ROAD)) is watched
    at = datetime(2020, 1, 1, tzinfo=UTC)
    await alice.async_mark("1", server.key(LOW_WATER), watched=True, watched_at=at)
    assert (views(LOW_WATER), views(THE_PILOT_BOAT)) == (1, 0)
    assert views(PAPER_ORCHARD) == 0
    assert not any(request.argument("X-Plex-Token") for request in server.log)


async def test_who_can_be_marked_for(
    hass: HomeAssistant, plex_at_home: PlexStandIn
) -> None:
    """A token is good for its own account, whatever the server's owner is called."""
    server, alice = plex_at_home.server, str(plex_at_home.owner.id)
    bob, carol = (str(plex_at_home.user(name).id) for name in ("bob", "carol"))
    key = server.key(THE_SALT_ROAD)

    owners = client_of(hass, plex_at_home)
    assert not owners.can_mark("1")
    await owners.async_accounts()
    assert owners.can_mark("1")
    assert not owners.can_mark(bob)
    assert not owners.can_mark(alice)
    await owners.async_mark(alice, key, watched=True)
    assert owners.can_mark(alice)
    assert server.state(plex_at_home.owner, THE_SALT_ROAD).view_count == 1
    with pytest.raises(ForbiddenError):
        await owners.async_mark(bob, key, watched=True)

    guests = client_of(hass, plex_at_home, "carol")
    with pytest.raises(ForbiddenError):
        await guests.async_mark("1", key, watched=True)
    await guests.async_mark(carol, key, watched=True)
    assert guests.can_mark(carol)
    assert not guests.can_mark("1")
    assert server.state(plex_at_home.user("carol"), THE_SALT_ROAD).view_count == 1
    assert server.state(plex_at_home.owner, THE_SALT_ROAD).view_count == 1


async def test_marking_without_the_internet(
    hass: HomeAssistant, plex_at_home: PlexStandIn
) -> None:
    """plex.tv is not needed, but to know by which other id the owner goes."""
    client = client_of(hass, plex_at_home)
    await plex_at_home.lose_internet()
    key = plex_at_home.server.key(THE_SALT_ROAD)
    await client.async_mark("1", key, watched=True)
    assert plex_at_home.server.state(plex_at_home.owner, THE_SALT_ROAD).view_count == 1
    alice = str(plex_at_home.owner.id)
    with pytest.raises(CannotConnectError):
        await client.async_mark(alice, key, watched=True)
    with pytest.raises(CannotConnectError):
        await client.async_watched(alice, [key])

    await plex_at_home.regain_internet()
    await client.async_mark(alice, key, watched=True)
    assert list(await client.async_watched(alice, [key])) == [key]
    with pytest.raises(ForbiddenError):
        await client.async_watched(str(plex_at_home.user("bob").id), [key])


async def test_an_owner_stays_one(plex_at_home: PlexStandIn, alice: PlexClient) -> None:
    """Whose token is no good for a moment is no guest."""
    faults = plex_at_home.server.faults
    with faults.fail(401, path="/accounts"):
        await alice.async_accounts()
    assert alice.can_mark("1")


async def test_marking_what_is_gone(
    plex_at_home: PlexStandIn, alice: PlexClient
) -> None:
    key = plex_at_home.server.key(THE_SALT_ROAD)
    plex_at_home.remove(THE_SALT_ROAD)
    for watched in (True, False):
        with pytest.raises(ItemGoneError):
            await alice.async_mark("1", key, watched=watched)


# What can go wrong

CALLS: list[tuple[str, Call]] = [
    ("/library/sections", lambda client, _: client.async_sections()),
    (PAGE, lambda client, _: client.async_page(FILMS, MOVIE, 0, 10)),
    ("*/allLeaves", lambda client, item: client.async_episodes(item)),
    ("/:/*", lambda client, item: client.async_mark("1", item, watched=True)),
    ("/:/*", lambda client, item: client.async_mark("1", item, watched=False)),
]


@pytest.mark.parametrize(("path", "call"), CALLS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ServerFailureError),
        (401, SignInError),
        (403, ForbiddenError),
        (429, ServerFailureError),
        (500, ServerFailureError),
        (503, ServerFailureError),
    ],
)
async def test_refused(
    plex_at_home: PlexStandIn,
    alice: PlexClient,
    path: str,
    call: Call,
    status: int,
    error: type[MediaServerError],
) -> None:
    """What is refused is told, and never with the token in it."""
    with (
        plex_at_home.server.faults.fail(
            status, path=path, text=f"Token {alice._token} is bad"
        ) as fault,
        pytest.raises(error) as raised,
    ):
        await call(alice, plex_at_home.server.key(HARBOUR_LIGHTS))
    assert fault.hits
    assert alice._token not in f"{raised.value!r}"


@pytest.mark.parametrize(("path", "call"), CALLS)
async def test_no_answer(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    path: str,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that hangs, breaks off, is something else or is down."""
    caplog.set_level(logging.DEBUG)
    client = client_of(hass, plex_at_home)
    await client.async_accounts()
    short(monkeypatch, 0.1)
    faults = plex_at_home.server.faults
    item = plex_at_home.server.key(HARBOUR_LIGHTS)
    for go_wrong in silences(faults, path):
        with go_wrong(), pytest.raises(CannotConnectError):
            await call(client, item)
    short(monkeypatch, 10)
    with faults.html(path=path), pytest.raises(NotAMediaServerError):
        await call(client, item)
    await plex_at_home.server.stop()
    with pytest.raises(CannotConnectError):
        await call(client, item)
    assert client._token not in caplog.text
