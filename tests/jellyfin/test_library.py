"""Reading the libraries of a Jellyfin server, asked of a stand-in over HTTP."""

from collections import Counter
from datetime import UTC, datetime, timedelta
import json
from typing import Any

from aiohttp import ClientSession
import pytest

from custom_components.media_scrobbler.domain.library import Entry, Page, Section
from custom_components.media_scrobbler.domain.media_server import (
    CannotConnectError,
    ItemGoneError,
    NotAMediaServerError,
    SignInError,
)
from custom_components.media_scrobbler.domain.title import MediaType
from custom_components.media_scrobbler.jellyfin import library as library_module
from custom_components.media_scrobbler.jellyfin.client import JellyfinClient

from ..signed_in import short
from ..simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    THE_SALT_ROAD,
    Episode,
    ExternalIds,
    Season,
    Title,
)
from ..simulators.jellyfin import JellyfinUser
from ..simulators.jellyfin_items import VIEWS
from ..simulators.jellyfin_server import JellyfinStandIn
from .someone import Someone, user_of, with_token

MOVIES, SHOWS, _ = VIEWS
MOVIE, SHOW, EPISODE = MediaType.MOVIE, MediaType.SHOW, MediaType.EPISODE

FIRST_FOUR = {
    "Type": "Episode",
    "Id": "a" * 32,
    "Name": "First / Second",
    "SeriesName": "Inland Choir",
    "SeriesId": "b" * 32,
    "ParentIndexNumber": 1,
    "IndexNumber": 1,
}


def section_of(jellyfin: JellyfinStandIn, view: Any) -> Section:
    """Return a library of the server as it has to be told."""
    media_types = (MOVIE,) if view is MOVIES else (SHOW, EPISODE)
    return Section(jellyfin.items.id_of(view), view.title, media_types)


def item_of(jellyfin: JellyfinStandIn, title: Title) -> dict[str, str]:
    """Return where a title has to say that it is."""
    return {jellyfin.server.id: jellyfin.items.id_of(title)}


def another(number: int, end: int | None = None) -> Episode:
    """Return one more episode of Harbour Lights, or a file of several."""
    return Episode(
        HARBOUR_LIGHTS,
        2,
        number,
        "Another",
        ids=ExternalIds(tvdb=7_000_000 + number),
        runtime=timedelta(hours=1),
        aired=HARBOUR_LIGHTS.premiered,
        number_end=end,
    )


async def everything(
    client: JellyfinClient, section: Section, media_type: MediaType, **who: str
) -> list[Entry]:
    """Return all entries of a section, asked for 40 items at a time."""
    entries: list[Entry] = []
    start = 0
    while True:
        page = await client.async_page(section, media_type, start, 40, **who)
        entries.extend(page.entries)
        start += page.size
        if start >= page.total:
            return entries
        assert page.size == 40


# Sections


async def test_sections(filled: JellyfinStandIn, anybody: JellyfinClient) -> None:
    """Whoever asks is told of the libraries of movies and shows, and not of music."""
    assert await anybody.async_sections() == [
        section_of(filled, MOVIES),
        section_of(filled, SHOWS),
    ]


KINDS: list[tuple[str | None, tuple[MediaType, ...] | None]] = [
    ("movies", (MOVIE,)),
    ("tvshows", (SHOW, EPISODE)),
    ("mixed", (MOVIE, SHOW, EPISODE)),
    (None, (MOVIE, SHOW, EPISODE)),
    *((kind, None) for kind in ("music", "boxsets", "playlists", "photos", "livetv")),
    *((kind, None) for kind in ("homevideos", "musicvideos", "books", "trailers")),
]


@pytest.mark.parametrize("by_key", [True, False])
async def test_kinds_of_sections(
    jellyfin: JellyfinStandIn, alice: Someone, session: ClientSession, by_key: bool
) -> None:
    """A library of anything is one of movies and of shows."""
    told = [
        {
            "Name": f"{kind}",
            "CollectionType": kind,
            "ItemId" if by_key else "Id": f"{number:032x}",
        }
        for number, (kind, _) in enumerate(KINDS, 1)
    ]
    told.append({"Name": "Never scanned", "CollectionType": "movies"})
    client = alice.client
    if by_key:
        client = with_token(jellyfin, session, jellyfin.api_key())
    with jellyfin.faults.answer(json.dumps(told if by_key else {"Items": told})):
        sections = await client.async_sections()
    assert sections == [
        Section(f"{number:032x}", f"{kind}", media_types)
        for number, (kind, media_types) in enumerate(KINDS, 1)
        if media_types
    ]


@pytest.mark.parametrize(
    "answer", ["3", "[]", '{"Items": 3}', '{"Items": [{"CollectionType": []}]}']
)
async def test_no_sections(
    jellyfin: JellyfinStandIn, alice: Someone, answer: str
) -> None:
    """Nonsense is an error, not a traceback."""
    with (
        jellyfin.faults.answer(answer, path="/UserViews"),
        pytest.raises(NotAMediaServerError),
    ):
        await alice.client.async_sections()


async def test_section_that_is_not_for_everybody(
    filled: JellyfinStandIn, session: ClientSession
) -> None:
    """A library that may not be seen is not listed, and empty; a bad token is bad."""
    alice, bob = (user_of(filled, session, name) for name in ("alice", "bob"))
    movies = section_of(filled, MOVIES)
    filled.account(bob.user).unseen.add(movies.id)
    assert await bob.client.async_sections() == [section_of(filled, SHOWS)]
    empty = Page((), 0, 0)
    assert await bob.client.async_page(movies, MOVIE, 0, 10) == empty
    whole = await alice.client.async_page(movies, MOVIE, 0, 10)
    assert whole.total == 150
    assert (
        await alice.client.async_page(movies, MOVIE, 0, 10, account=bob.user.id)
        == empty
    )
    filled.revoke_tokens(bob.user)
    with pytest.raises(SignInError):
        await bob.client.async_page(movies, MOVIE, 0, 10)


# Pages


async def test_movies(filled: JellyfinStandIn, anybody: JellyfinClient) -> None:
    """All movies come, each once, in the order in which they were added."""
    entries = await everything(anybody, section_of(filled, MOVIES), MOVIE)
    movies = list(filled.library.movies)
    assert [entry.title.items for entry in entries] == [
        item_of(filled, movie) for movie in movies
    ]
    assert [(entry.title.title, entry.title.year) for entry in entries] == [
        (movie.title, movie.year) for movie in movies
    ]
    assert {(entry.watched, entry.watched_at) for entry in entries} == {(None, None)}
    assert filled.log.count_of("GET", "/Items") == 4
    assert entries[0].title.ids == {
        "tmdb": 2_000_000,
        "imdb": "tt30000000",
        "tvdb": 2_000_000,
    }


async def test_shows_and_episodes(
    filled: JellyfinStandIn, anybody: JellyfinClient
) -> None:
    """All shows come, and all episodes with where their show is."""
    section = section_of(filled, SHOWS)
    shows = await everything(anybody, section, SHOW)
    assert [entry.title.items for entry in shows] == [
        item_of(filled, show) for show in filled.library.shows
    ]
    episodes = await everything(anybody, section, EPISODE)
    files = list(filled.library.episodes)
    expected = [
        (number, item_of(filled, file), item_of(filled, file.show))
        for file in files
        for number in range(file.number, (file.number_end or file.number) + 1)
    ]
    assert [
        (entry.title.episode, entry.title.items, entry.title.show_items)
        for entry in episodes
    ] == expected


async def test_added_meanwhile(
    filled: JellyfinStandIn, anybody: JellyfinClient
) -> None:
    """What is added between two pages comes last, and nothing moves."""
    section = section_of(filled, MOVIES)
    first = await anybody.async_page(section, MOVIE, 0, 100)
    await filled.add(THE_SALT_ROAD)
    second = await anybody.async_page(section, MOVIE, 100, 100)
    assert (first.total, second.total) == (150, 151)
    titles = [entry.title.title for entry in (*first.entries, *second.entries)]
    assert len(titles) == 151
    assert titles[-1] == "The Salt Road"


async def test_file_of_several_episodes(
    jellyfin: JellyfinStandIn, alice: Someone
) -> None:
    """It is one item and several episodes, any of which leads to the file."""
    await jellyfin.add(another(7, end=9))
    page = await alice.client.async_page(section_of(jellyfin, SHOWS), EPISODE, 0, 10)
    assert (page.size, page.total, len(page.entries)) == (2, 2, 4)
    several = [entry.title for entry in page.entries[1:]]
    assert [title.episode for title in several] == [7, 8, 9]
    assert [title.ids for title in several] == [{"tvdb": 7_000_007}, {}, {}]
    assert all(title.items == item_of(jellyfin, another(7)) for title in several)


async def test_versions_of_a_movie(
    jellyfin: JellyfinStandIn, alice: Someone, session: ClientSession
) -> None:
    """To a user the server lists one of them, and to an API key every one."""
    await jellyfin.add_version(THE_SALT_ROAD, "Director's Cut")
    section = section_of(jellyfin, MOVIES)
    (entry,) = (await alice.client.async_page(section, MOVIE, 0, 10)).entries
    key = with_token(jellyfin, session, jellyfin.api_key())
    page = await key.async_page(section, MOVIE, 0, 10)
    assert (page.size, page.total) == (2, 2)
    one, other = (each.title for each in page.entries)
    assert one == entry.title
    assert other.ids == one.ids
    assert other.items.keys() == one.items.keys()
    assert other.items != one.items


async def test_watched(filled: JellyfinStandIn, session: ClientSession) -> None:
    """With an account it is told what that account has watched and when."""
    alice, bob = (user_of(filled, session, name) for name in ("alice", "bob"))
    at = datetime(2026, 11, 3, 20, 15, 0, 123456, UTC)
    seen, undated, started = filled.library.movies[:3]
    await filled.mark_played(seen, bob.user, at=at)
    filled.data_of(bob.user, undated).played = True
    data = filled.data_of(bob.user, started)
    data.position, data.last_played = 1, at
    section = section_of(filled, MOVIES)
    for client in (alice.client, bob.client):
        entries = await everything(client, section, MOVIE, account=bob.user.id)
        assert [(entry.watched, entry.watched_at) for entry in entries[:4]] == [
            (True, at),
            (True, None),
            (False, None),
            (False, None),
        ]
    entries = await everything(alice.client, section, MOVIE, account=alice.user.id)
    assert not any(entry.watched for entry in entries)


async def test_whole_shows(filled: JellyfinStandIn, session: ClientSession) -> None:
    """Of shows it is not told: that would be a lot of work for the server."""
    alice = user_of(filled, session, "alice")
    await filled.mark_played(filled.library.shows[0], alice.user)
    section = section_of(filled, SHOWS)
    shows = await everything(alice.client, section, SHOW, account=alice.user.id)
    assert shows[0].watched is None
    episodes = await everything(alice.client, section, EPISODE, account=alice.user.id)
    watched = Counter(entry.watched for entry in episodes)
    assert watched[True] >= len(filled.library.episodes_of_show(0))
    assert watched[False]


async def test_missing_episodes(
    jellyfin: JellyfinStandIn, alice: Someone, session: ClientSession
) -> None:
    """What a show should have and the library has not is not in it."""
    jellyfin.items.add_missing(another(8), jellyfin.now())
    section = section_of(jellyfin, SHOWS)
    for client in (
        alice.client,
        with_token(jellyfin, session, jellyfin.api_key()),
    ):
        page = await client.async_page(section, EPISODE, 0, 10)
        assert (page.size, page.total) == (1, 1)
        assert page.entries[0].title.items == item_of(jellyfin, LOW_WATER)


@pytest.mark.parametrize(
    "odd",
    [
        3,
        None,
        [],
        {},
        FIRST_FOUR | {"LocationType": "Virtual"},
        FIRST_FOUR | {"Type": "Movie"},
        FIRST_FOUR | {"Type": "Trailer"},
        FIRST_FOUR | {"Id": None},
        FIRST_FOUR | {"Id": []},
        FIRST_FOUR | {"Name": {}},
        FIRST_FOUR | {"IndexNumberEnd": "all"},
        FIRST_FOUR | {"ProviderIds": 3},
        FIRST_FOUR | {"UserData": 3},
        FIRST_FOUR | {"UserData": {"Played": "perhaps"}},
        FIRST_FOUR | {"UserData": {"Played": True, "LastPlayedDate": []}},
    ],
)
async def test_odd_item(jellyfin: JellyfinStandIn, alice: Someone, odd: Any) -> None:
    """An item that is none of those asked for, or nonsense, is counted and left out."""
    answer = {"Items": [odd, FIRST_FOUR], "TotalRecordCount": 7}
    section = section_of(jellyfin, SHOWS)
    with jellyfin.faults.answer(json.dumps(answer), path="/Items"):
        page = await alice.client.async_page(
            section, EPISODE, 0, 2, account=alice.user.id
        )
    assert (page.size, page.total) == (2, 7)
    (entry,) = page.entries
    assert entry.title.items == {jellyfin.server.id: "a" * 32}
    assert entry.watched is None


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "{}",
        "{",
        '{"Items": 3, "TotalRecordCount": 3}',
        '{"Items": []}',
        '{"Items": [], "TotalRecordCount": "many"}',
    ],
)
async def test_odd_page(jellyfin: JellyfinStandIn, alice: Someone, answer: str) -> None:
    """An answer that is no page is an error."""
    with (
        jellyfin.faults.answer(answer, path="/Items"),
        pytest.raises(NotAMediaServerError),
    ):
        await alice.client.async_page(section_of(jellyfin, SHOWS), EPISODE, 0, 2)


async def test_no_date(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """What the server writes for no date is none."""
    item = FIRST_FOUR | {
        "UserData": {"Played": True, "LastPlayedDate": "0001-01-01T00:00:00.0000000Z"}
    }
    answer = {"Items": [item], "TotalRecordCount": 1}
    with jellyfin.faults.answer(json.dumps(answer), path="/Items"):
        page = await alice.client.async_page(
            section_of(jellyfin, SHOWS), EPISODE, 0, 2, account=alice.user.id
        )
    assert [(one.watched, one.watched_at) for one in page.entries] == [(True, None)]


async def test_gone_section(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """A section that was removed is gone; one behind a proxy need not be."""
    section = section_of(jellyfin, MOVIES)
    for status in (400, 404):
        with (
            jellyfin.faults.fail(status, path="/Items"),
            pytest.raises(ItemGoneError),
        ):
            await alice.client.async_page(section, MOVIE, 0, 2)
        with jellyfin.faults.fail(status), pytest.raises(NotAMediaServerError):
            await alice.client.async_page(section, MOVIE, 0, 2)
    with pytest.raises(ItemGoneError):
        await alice.client.async_page(
            section, MOVIE, 0, 2, account=JellyfinUser.named("nobody").id
        )


async def test_large_page_may_take_its_time(
    jellyfin: JellyfinStandIn, alice: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list has longer than other answers, and not for ever."""
    section = section_of(jellyfin, MOVIES)
    short(monkeypatch, 0.1)
    with jellyfin.faults.slow(0.3), pytest.raises(CannotConnectError):
        await alice.client.async_page(section, MOVIE, 0, 2)
    monkeypatch.undo()
    monkeypatch.setattr("custom_components.media_scrobbler.http_client.TIMEOUT", 0.1)
    with jellyfin.faults.slow(0.3):
        assert (await alice.client.async_page(section, MOVIE, 0, 2)).total == 1


# Episodes


async def test_episodes(
    filled: JellyfinStandIn, anybody: JellyfinClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All episodes of a show or a season come, however many there are."""
    monkeypatch.setattr(library_module, "EPISODES_PAGE", 7)
    library = filled.library
    show = library.shows[0]
    files = [library.episodes[number] for number in library.episodes_of_show(0)]
    assert len(files) > 14
    titles = await anybody.async_episodes(filled.items.id_of(show))
    assert {title.items[filled.server.id] for title in titles} == {
        filled.items.id_of(file) for file in files
    }
    season = Season(show, files[0].season)
    titles = await anybody.async_episodes(filled.items.id_of(season))
    assert {(title.season, title.episode) for title in titles} >= {
        (file.season, file.number) for file in files if file.season == season.number
    }
    assert {title.season for title in titles} == {season.number}


async def test_no_episodes(jellyfin: JellyfinStandIn, alice: Someone) -> None:
    """Something that is gone has none, and neither has a movie."""
    show = jellyfin.items.id_of(HARBOUR_LIGHTS)
    assert len(await alice.client.async_episodes(show)) == 1
    assert await alice.client.async_episodes(jellyfin.items.id_of(THE_SALT_ROAD)) == []
    for status in (400, 404):
        with jellyfin.faults.fail(status, path="/Items"):
            assert await alice.client.async_episodes(show) == []
        with jellyfin.faults.fail(status), pytest.raises(NotAMediaServerError):
            await alice.client.async_episodes(show)
    await jellyfin.remove(HARBOUR_LIGHTS)
    assert await alice.client.async_episodes(show) == []


async def test_episodes_that_never_end(
    jellyfin: JellyfinStandIn, alice: Someone
) -> None:
    """A server that promises more than it has is not asked for ever."""
    with jellyfin.faults.answer('{"Items": [], "TotalRecordCount": 9}', path="/Items"):
        assert await alice.client.async_episodes("a" * 32) == []
    assert jellyfin.log.count_of("GET", "/Items") == 1
