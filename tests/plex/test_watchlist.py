"""The watchlist of an account at plex.tv, and Plex's catalogue of titles."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
import orjson
import pytest

from custom_components.media_scrobbler.domain.media_server import (
    BusyError,
    CannotConnectError,
    ForbiddenError,
    ItemGoneError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
)
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.domain.watchlist_sync import Remote, RemoteList
from custom_components.media_scrobbler.plex import watchlist
from custom_components.media_scrobbler.plex.account import PlexAccount

from ..signed_in import short
from ..simulators.catalogue import (
    HARBOUR_LIGHTS,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    THE_SALT_ROAD,
    Movie,
    Show,
)
from ..simulators.library import Library
from ..simulators.plex_guids import plex_id
from ..simulators.plex_server import PlexStandIn
from .common import silences

MOVIE, SHOW = MediaType.MOVIE, MediaType.SHOW
DAY = datetime(2026, 1, 1, tzinfo=UTC)
LIST = "/library/sections/watchlist/all"
ITEM = "/library/metadata/*"
MATCHES = "/library/metadata/matches"

type Call = Callable[[PlexAccount], Awaitable[Any]]


@pytest.fixture
async def account(hass: HomeAssistant, plex_at_home: PlexStandIn) -> PlexAccount:
    """Return Alice's account."""
    return PlexAccount(hass, plex_at_home.token())


def guid_of(title: Movie | Show) -> str:
    kind = "movie" if isinstance(title, Movie) else "show"
    return f"plex://{kind}/{plex_id(title)}"


async def matched(account: PlexAccount, title: Title) -> str | None:
    found = await account.async_match(title)
    return None if found is None else found.guid


def entries_of(*titles: Movie | Show) -> list[Remote]:
    return [
        Remote(
            guid_of(title),
            Title(media_type=MOVIE if isinstance(title, Movie) else SHOW),
            None,
        )
        for title in titles
    ]


def long_list(plex: PlexStandIn, count: int) -> list[Movie | Show]:
    """Put so many titles that no server has on the watchlist; returns them as listed."""
    shows = Library(episodes=800).shows
    movies = Library(movies=count - len(shows)).movies
    titles: list[Movie | Show] = [*movies, *shows]
    for number, title in enumerate(titles):
        plex.owner.add_to_watchlist(title, at=DAY + timedelta(hours=number))
    plex.discover.titles.extend(titles)
    return titles[::-1]


def item(**other: Any) -> dict[str, Any]:
    return {
        "type": "movie",
        "guid": "plex://movie/5d776883ebdf2200209c104e",
        "title": "Tide",
    } | other


def answer(*items: Any, **container: Any) -> str:
    content = {"size": len(items), "totalSize": len(items), "Metadata": items}
    return orjson.dumps({"MediaContainer": content | container}).decode()


# The watchlist


async def test_watchlist(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """Movies and shows are told by Plex's own ids, the newest entry first."""
    assert await account.async_watchlist() == RemoteList(())
    plex_at_home.owner.add_to_watchlist(THE_SALT_ROAD, at=DAY)
    plex_at_home.owner.add_to_watchlist(HARBOUR_LIGHTS, at=DAY + timedelta(days=1))
    plex_at_home.user("bob").add_to_watchlist(PAPER_ORCHARD)

    show, movie = (await account.async_watchlist()).entries

    assert show.guid == guid_of(HARBOUR_LIGHTS)
    assert show.title == Title(
        media_type=SHOW,
        title="Harbour Lights",
        year=2021,
        ids={"plex": guid_of(HARBOUR_LIGHTS)},
    )
    assert movie.title.ids == {"plex": movie.guid}
    assert (movie.title.year, movie.title.duration) == (2019, 6720)
    assert movie.title.items == {}
    assert movie.poster is not None
    assert movie.poster.startswith("https://metadata-static.plex.tv/thumb/")
    request = plex_at_home.discover.log[-1]
    assert request.argument("X-Plex-Token") is None
    # Nobody has to be signed in to plex.tv for that anew.
    assert plex_at_home.tv.log.count_of() == 0


async def test_a_long_watchlist(
    plex_at_home: PlexStandIn, account: PlexAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is read, part by part."""
    titles = long_list(plex_at_home, 150)
    for at_once in (7, 50, 149, 150, 151):
        monkeypatch.setattr(watchlist, "AT_ONCE", at_once)
        plex_at_home.discover.log.clear()
        entries = (await account.async_watchlist()).entries
        assert [entry.guid for entry in entries] == [guid_of(each) for each in titles]
        assert {entry.title.media_type for entry in entries} == {MOVIE, SHOW}
        requests = plex_at_home.discover.log.count_of("GET", LIST)
        assert requests == -(-150 // at_once)


async def test_what_is_neither_movie_nor_show(
    plex_at_home: PlexStandIn, account: PlexAccount
) -> None:
    """It is left out; a poster is there only if it can be shown."""
    body = answer(item(type="artist"), item(thumb="/here.jpg"), item(type="clip"))
    with plex_at_home.discover.faults.answer(body, path=LIST):
        (entry,) = (await account.async_watchlist()).entries
    assert (entry.title.title, entry.poster) == ("Tide", None)


@pytest.mark.parametrize(
    "change",
    [
        lambda plex: plex.owner.add_to_watchlist(NINTH_MERIDIAN, at=DAY),
        lambda plex: plex.owner.watchlist.popitem(),
        # One came and another went: the numbers agree, the parts do not.
        lambda plex: (
            plex.owner.watchlist.pop(next(iter(plex.owner.watchlist))),
            plex.owner.add_to_watchlist(NINTH_MERIDIAN),
        ),
    ],
)
async def test_a_watchlist_that_changes_while_it_is_read(
    plex_at_home: PlexStandIn,
    account: PlexAccount,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[PlexStandIn], Any],
) -> None:
    """It is no list: what is missing would seem to have been taken off."""
    monkeypatch.setattr(watchlist, "AT_ONCE", 10)
    long_list(plex_at_home, 30)
    discover = plex_at_home.discover
    original = discover._visitor

    def visitor(request: Any) -> Any:
        if request.path == LIST and discover.log.count_of("GET", LIST) == 2:
            change(plex_at_home)
        return original(request)

    monkeypatch.setattr(discover, "_visitor", visitor)
    with pytest.raises(NotAMediaServerError):
        await account.async_watchlist()
    monkeypatch.setattr(discover, "_visitor", original)
    there = await account.async_watchlist()
    assert there.count == len(plex_at_home.owner.watchlist)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        '{"MediaContainer": {}}',
        "<MediaContainer/>",
        answer(item(), totalSize=150),
        answer(totalSize=3),
        answer(item(), totalSize="many"),
        answer(item(), offset=20),
        answer(item())[:-8],
    ],
)
async def test_no_watchlist(
    plex_at_home: PlexStandIn, account: PlexAccount, body: str
) -> None:
    """What cannot be understood in whole is never a shorter list."""
    with (
        plex_at_home.discover.faults.answer(body, path=LIST),
        pytest.raises(NotAMediaServerError),
    ):
        await account.async_watchlist()


@pytest.mark.parametrize(
    ("odd", "called"),
    [
        (item(guid=None), Title(media_type=MOVIE, title="Tide")),
        (
            item(guid="local://1", year=2020),
            Title(media_type=MOVIE, title="Tide", year=2020),
        ),
        (item(guid=["plex://movie/1"]), Title(media_type=MOVIE, title="Tide")),
        (item(year={}, type="show"), Title(media_type=SHOW, title="Tide")),
        (item(type=None), Title(media_type=MOVIE, title="Tide")),
        (item(type=[]), Title(media_type=MOVIE, title="Tide")),
        (item(title={}), None),
        (item(title=None, guid=None), None),
        ("Tide", None),
        (None, None),
        ({}, None),
    ],
)
async def test_an_entry_that_cannot_be_understood(
    plex_at_home: PlexStandIn, account: PlexAccount, odd: Any, called: Title | None
) -> None:
    """It is told of beside the others, as far as it has a name."""
    body = answer(item(guid="plex://movie/a"), odd, item(guid="plex://movie/b"))
    with plex_at_home.discover.faults.answer(body, path=LIST):
        there = await account.async_watchlist()
    assert [entry.guid for entry in there.entries] == [
        "plex://movie/a",
        "plex://movie/b",
    ]
    assert (there.unread, there.count) == ((called,), 3)


async def test_an_entry_that_is_there_twice(
    plex_at_home: PlexStandIn, account: PlexAccount
) -> None:
    """In one part of the list, it is one."""
    with plex_at_home.discover.faults.answer(answer(item(), item()), path=LIST):
        assert (await account.async_watchlist()).count == 1


async def test_a_watchlist_that_breaks_off(
    plex_at_home: PlexStandIn, account: PlexAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part that was read is not the whole."""
    monkeypatch.setattr(watchlist, "AT_ONCE", 10)
    long_list(plex_at_home, 30)
    faults = plex_at_home.discover.faults
    for status in (404, 500):
        first = faults.slow(0, path=LIST, times=1)
        with (
            first,
            faults.answer(answer(totalSize=30), path=LIST, times=1),
            faults.fail(status, path=LIST),
            pytest.raises(MediaServerError),
        ):
            await account.async_watchlist()


# Ids


async def test_external_ids(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """Several are asked for at once, and what is unknown has none."""
    unknown = replace(NINTH_MERIDIAN, title="Tenth Meridian")
    log = plex_at_home.discover.log
    found = await account.async_external_ids(
        entries_of(THE_SALT_ROAD, HARBOUR_LIGHTS, PAPER_ORCHARD, THE_SALT_ROAD)
    )
    assert found == {
        guid_of(THE_SALT_ROAD): {
            "tmdb": 918273,
            "imdb": "tt9182736",
            "tvdb": 219483,
        },
        guid_of(HARBOUR_LIGHTS): {
            "tmdb": 288104,
            "imdb": "tt9288104",
            "tvdb": 438120,
        },
        guid_of(PAPER_ORCHARD): {"tmdb": 904417, "imdb": "tt9044170"},
    }
    assert log.count_of("GET", ITEM) == 1
    assert await account.async_external_ids(
        entries_of(unknown, THE_SALT_ROAD, PAPER_ORCHARD)
    ) == {
        guid_of(unknown): {},
        guid_of(THE_SALT_ROAD): found[guid_of(THE_SALT_ROAD)],
        guid_of(PAPER_ORCHARD): found[guid_of(PAPER_ORCHARD)],
    }
    assert await account.async_external_ids(entries_of(unknown)) == {
        guid_of(unknown): {}
    }
    log.clear()
    assert await account.async_external_ids([]) == {}
    assert not log


async def test_ids_of_many(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """No request is for more than fifty."""
    titles = long_list(plex_at_home, 120)
    found = await account.async_external_ids(entries_of(*titles))
    assert {
        guid: {name: str(value) for name, value in ids.items()}
        for guid, ids in found.items()
    } == {guid_of(title): dict(title.ids.items()) for title in titles}
    assert plex_at_home.discover.log.count_of("GET", ITEM) == 3


@pytest.mark.parametrize("status", [400, 404])
async def test_ids_one_by_one(
    plex_at_home: PlexStandIn, account: PlexAccount, status: int
) -> None:
    """So it goes where several cannot be asked for at once."""
    titles = long_list(plex_at_home, 60)
    together = await account.async_external_ids(entries_of(*titles))
    plex_at_home.discover.refuses_several = status
    plex_at_home.discover.log.clear()
    assert await account.async_external_ids(entries_of(*titles)) == together
    assert plex_at_home.discover.log.count_of("GET", ITEM) == 60 + 2


async def test_ids_of_some(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """Those that the answer for all lacks are asked for one by one."""
    body = answer(
        item(guid=guid_of(THE_SALT_ROAD), Guid=[{"id": "tmdb://5"}]),
        item(guid="plex://movie/other", Guid=[{"id": "tmdb://6"}]),
    )
    with plex_at_home.discover.faults.answer(body, path=ITEM, times=1):
        found = await account.async_external_ids(
            entries_of(THE_SALT_ROAD, PAPER_ORCHARD)
        )
    assert found == {
        guid_of(THE_SALT_ROAD): {"tmdb": 5},
        guid_of(PAPER_ORCHARD): {"tmdb": 904417, "imdb": "tt9044170"},
    }


async def test_ids_of_those_asked_in_time(
    plex_at_home: PlexStandIn, account: PlexAccount
) -> None:
    """What is known when Plex wants to be asked less often is not lost."""
    titles = long_list(plex_at_home, 80)
    plex_at_home.discover.allowance = 1
    found: dict[str, Any] = {}
    with pytest.raises(BusyError):
        await account.async_external_ids(entries_of(*titles), found)
    assert list(found) == [guid_of(title) for title in titles[:50]]


# Finding


@pytest.mark.parametrize(
    ("title", "found"),
    [
        (Title(media_type=MOVIE, ids={"tmdb": 918273}), THE_SALT_ROAD),
        (Title(media_type=MOVIE, ids={"imdb": "tt9182736"}), THE_SALT_ROAD),
        (Title(media_type=SHOW, ids={"tvdb": 438120}), HARBOUR_LIGHTS),
        (
            Title(media_type=MOVIE, ids={"tmdb": 1, "imdb": "tt9182736"}),
            THE_SALT_ROAD,
        ),
        # The ids decide, whatever the name.
        (
            Title(media_type=MOVIE, title="Paper Orchard", ids={"tmdb": 918273}),
            THE_SALT_ROAD,
        ),
        (
            Title(media_type=MOVIE, title="the salt road", year=2019, ids={"tmdb": 1}),
            None,
        ),
        (Title(media_type=SHOW, title="Harbour Lights"), HARBOUR_LIGHTS),
        # Databases number movies and shows apart.
        (Title(media_type=SHOW, ids={"tmdb": 918273}), None),
        (Title(media_type=SHOW, title="The Salt Road", year=2019), None),
        (Title(media_type=MOVIE, title="The Salt Road", year=2020), None),
        (Title(media_type=MOVIE, title="Nowhere"), None),
        (Title(media_type=MOVIE), None),
        (Title(media_type=MediaType.EPISODE, title="Low Water"), None),
    ],
)
async def test_match(
    plex_at_home: PlexStandIn,
    account: PlexAccount,
    title: Title,
    found: Movie | Show | None,
) -> None:
    """A title is found by an id, else by its name and year."""
    assert await matched(account, title) == (found and guid_of(found))


async def test_match_that_is_not_certain(
    plex_at_home: PlexStandIn, account: PlexAccount
) -> None:
    """Two of a name are told apart by the year; a name that is only similar is another."""
    remake = replace(THE_SALT_ROAD, year=1971)
    plex_at_home.discover.titles.append(remake)
    salt_road = Title(media_type=MOVIE, title="The Salt Road")
    assert await account.async_match(salt_road) is None
    assert await matched(account, replace(salt_road, year=1971)) == guid_of(remake)
    body = answer(item(title="The Salt Roads", year=2019), item(type="artist"))
    with plex_at_home.discover.faults.answer(body, path=MATCHES):
        assert await account.async_match(replace(salt_road, year=2019)) is None
    with plex_at_home.discover.faults.fail(404, path=MATCHES):
        assert await account.async_match(replace(salt_road, ids={"tmdb": 1})) is None


# Changing


async def test_add_and_remove(plex_at_home: PlexStandIn, account: PlexAccount) -> None:
    """Either can be done twice; the others on the list stay."""
    owner = plex_at_home.owner
    owner.add_to_watchlist(PAPER_ORCHARD)
    for _ in range(2):
        await account.async_add_to_watchlist(guid_of(THE_SALT_ROAD))
        assert set(owner.watchlist) == {PAPER_ORCHARD, THE_SALT_ROAD}
    for _ in range(2):
        await account.async_remove_from_watchlist(guid_of(THE_SALT_ROAD))
        assert set(owner.watchlist) == {PAPER_ORCHARD}
    for status in (400, 404, 410, 422):
        with (
            plex_at_home.discover.faults.fail(status, method="PUT"),
            pytest.raises(ItemGoneError),
        ):
            await account.async_remove_from_watchlist(guid_of(PAPER_ORCHARD))
    for guid in (guid_of(NINTH_MERIDIAN), "plex://movie/a?b=c&d", ""):
        with pytest.raises(ItemGoneError):
            await account.async_add_to_watchlist(guid)
        with pytest.raises(ItemGoneError):
            await account.async_remove_from_watchlist(guid)
    requests = plex_at_home.discover.log.of("PUT")
    assert not any(request.argument("X-Plex-Token") for request in requests)


async def test_changes_without_an_answer(
    plex_at_home: PlexStandIn, account: PlexAccount
) -> None:
    """One whose answer is lost may have been made; none of it needs to be said."""
    faults, owner = plex_at_home.discover.faults, plex_at_home.owner
    with faults.drop(method="PUT"), pytest.raises(CannotConnectError):
        await account.async_add_to_watchlist(guid_of(THE_SALT_ROAD))
    assert THE_SALT_ROAD in owner.watchlist
    await account.async_add_to_watchlist(guid_of(THE_SALT_ROAD))
    assert set(owner.watchlist) == {THE_SALT_ROAD}
    with faults.answer("", method="PUT"):
        await account.async_remove_from_watchlist(guid_of(THE_SALT_ROAD))


# What can go wrong

CALLS: list[tuple[str, Call]] = [
    (LIST, lambda account: account.async_watchlist()),
    (ITEM, lambda account: account.async_external_ids(entries_of(THE_SALT_ROAD))),
    (
        ITEM,
        lambda account: account.async_external_ids(
            entries_of(THE_SALT_ROAD, PAPER_ORCHARD)
        ),
    ),
    (
        MATCHES,
        lambda account: account.async_match(
            Title(media_type=MOVIE, ids={"tmdb": 918273})
        ),
    ),
    (
        "/actions/*",
        lambda account: account.async_add_to_watchlist(guid_of(THE_SALT_ROAD)),
    ),
    (
        "/actions/*",
        lambda account: account.async_remove_from_watchlist(guid_of(THE_SALT_ROAD)),
    ),
]


@pytest.mark.parametrize(("path", "call"), CALLS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, SignInError),
        (403, ForbiddenError),
        (429, ServerFailureError),
        (500, ServerFailureError),
    ],
)
async def test_refused(
    plex_at_home: PlexStandIn,
    account: PlexAccount,
    path: str,
    call: Call,
    status: int,
    error: type[MediaServerError],
) -> None:
    """What is refused is told, and never with the token in it."""
    faults = plex_at_home.discover.faults
    with (
        faults.fail(status, path=path, text=f"Token {account._token} is bad"),
        pytest.raises(error) as raised,
    ):
        await call(account)
    assert account._token not in f"{raised.value!r}"


async def test_a_token_that_is_no_longer_good(
    plex_at_home: PlexStandIn, account: PlexAccount
) -> None:
    plex_at_home.revoke("alice")
    for _, call in CALLS:
        with pytest.raises(SignInError):
            await call(account)


@pytest.mark.parametrize(("path", "call"), CALLS)
async def test_no_answer(
    plex_at_home: PlexStandIn,
    account: PlexAccount,
    path: str,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A service that hangs, breaks off, is something else or cannot be reached."""
    caplog.set_level(logging.DEBUG)
    short(monkeypatch, 0.15)
    faults = plex_at_home.discover.faults
    for go_wrong in silences(faults, path):
        with go_wrong(), pytest.raises(CannotConnectError):
            await call(account)
    short(monkeypatch, 10)
    with faults.html(path=path), pytest.raises(NotAMediaServerError):
        await call(account)
    await plex_at_home.lose_internet()
    with pytest.raises(CannotConnectError):
        await call(account)
    assert account._token not in caplog.text
