"""The stand-in for Plex is one: the real plexapi works with it, unchanged."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
import json
import os
import sys
from typing import Any
from xml.etree import ElementTree as ET

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin
from plexapi.server import PlexServer
import pytest
import requests

from .catalogue import (
    FOG_SIGNAL,
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    NINTH_MERIDIAN_TRAILER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    TIDEWATER,
    Season,
)
from .library import Library
from .plex import PlexEvent, PlexPlayer
from .plex_guids import plex_id
from .plex_markup import to_xml
from .plex_sections import Extent, Item, Kind, ViewState
from .plex_server import Connection, PlexStandIn, Resource, has_token

KITCHEN = PlexPlayer("Kitchen radio", "kitchen-radio-1")

in_thread = asyncio.to_thread


@pytest.fixture
async def plex(
    socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[PlexStandIn]:
    """Return Plex with a household and a small library; plexapi finds it."""
    async with PlexStandIn(
        home=["bob"],
        managed=["dot"],
        friends=["carol"],
        library=Library(movies=200, episodes=400, tracks=30),
        legacy=0.25,
        titles=[THE_SALT_ROAD, LOW_WATER, THE_PILOT_BOAT, SLOW_FERRY],
    ) as plex:
        for name, value in plex.environment.items():
            monkeypatch.setenv(name, value)
        yield plex
        assert [str(request) for request in plex.server.unknown] == []
        assert [str(request) for request in plex.tv.unknown] == []
        assert [str(request) for request in plex.discover.unknown] == []


@pytest.fixture
async def account(plex: PlexStandIn) -> MyPlexAccount:
    """Return the owner's account at plex.tv."""
    return await in_thread(MyPlexAccount, token=plex.token())


@pytest.fixture
async def server(plex: PlexStandIn) -> PlexServer:
    """Return the server as its owner sees it."""
    return await in_thread(PlexServer, plex.server.url, plex.token())


class Receiver:
    """Somebody who takes webhooks, as Home Assistant does."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self.thumbs: list[bytes] = []
        self.url = ""

    async def receive(self, request: web.Request) -> web.Response:
        """Take a webhook."""
        form = await request.post()
        payload, thumb = form["payload"], form.get("thumb")
        assert isinstance(payload, bytearray)
        self.payloads.append(json.loads(payload))
        if isinstance(thumb, web.FileField):
            self.thumbs.append(thumb.file.read())
        return web.json_response({"outcome": "recorded"})

    @property
    def events(self) -> list[str]:
        """Return the events so far."""
        return [payload["event"] for payload in self.payloads]


@pytest.fixture
async def receiver(plex: PlexStandIn) -> AsyncGenerator[Receiver]:
    """Return somebody who takes the owner's webhooks."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/webhook", receiver.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    plex.owner.webhooks.append(receiver.url)
    yield receiver
    await runner.cleanup()


def pin_login(**options: Any) -> Any:
    """Return plexapi's way to sign in."""
    return MyPlexPinLogin(**options)


async def sections_of(server: PlexServer) -> list[Any]:
    """Return the sections of a server's library."""

    # Even to look for the library is a request.
    def sections() -> list[Any]:
        found: list[Any] = server.library.sections()
        return found

    return await in_thread(sections)


async def section_of(server: PlexServer, name: str) -> Any:
    """Return a section of a server's library."""
    return await in_thread(lambda: server.library.section(name))


@contextmanager
def refused(kind: type[Exception]) -> Iterator[None]:
    """Expect that plexapi or requests raise, through a thread."""
    with pytest.raises(kind):
        yield


# Signing in


async def test_sign_in_by_pin(plex: PlexStandIn) -> None:
    login = pin_login(oauth=True)
    url = await in_thread(login.oauthUrl, "http://192.0.2.10/back")
    assert not await in_thread(login.checkLogin)
    assert not login.expired

    assert plex.tv.visit(url, plex.owner) == "http://192.0.2.10/back"

    assert await in_thread(login.checkLogin)
    account = await in_thread(MyPlexAccount, token=login.token)
    assert (account.id, account.title) == (plex.owner.id, "alice")
    assert (account.home, account.homeAdmin, account.homeSize) == (True, True, 3)


async def test_sign_in_waits_in_a_thread(
    plex: PlexStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MyPlexPinLogin, "POLLINTERVAL", 0.05)
    login = pin_login(oauth=True)
    await in_thread(login.run, timeout=10)
    waiting = asyncio.create_task(in_thread(login.waitForLogin))
    await asyncio.sleep(0.1)

    token = plex.tv.confirm(plex.owner)

    assert await waiting
    assert login.token == token


async def test_a_pin_expires(plex: PlexStandIn) -> None:
    login = pin_login(oauth=True)
    await in_thread(login.oauthUrl)

    plex.tv.expire()

    assert not await in_thread(login.checkLogin)
    assert login.expired


async def test_a_pin_expires_by_itself(
    plex: PlexStandIn, freezer: FrozenDateTimeFactory
) -> None:
    login = pin_login(oauth=True)
    await in_thread(login.oauthUrl)

    freezer.tick(timedelta(minutes=31))

    assert not await in_thread(login.checkLogin)
    assert login.expired


async def test_a_short_pin_is_typed_in(
    plex: PlexStandIn, account: MyPlexAccount
) -> None:
    login = pin_login()
    code = await in_thread(lambda: login.pin)
    assert len(code) == 4

    await in_thread(account.link, code)

    assert await in_thread(login.checkLogin)


async def test_a_pin_is_for_one_client(plex: PlexStandIn) -> None:
    await in_thread(pin_login(oauth=True).oauthUrl)
    other = pin_login(oauth=True, headers={"X-Plex-Client-Identifier": "other"})
    await in_thread(other.oauthUrl)
    other._id = str(plex.tv.pin().id - 11)

    assert not await in_thread(other.checkLogin)
    assert other.expired


async def test_sign_in_by_password(plex: PlexStandIn) -> None:
    account = await in_thread(MyPlexAccount, "alice", "correct horse")
    assert account.username == "alice"

    with refused(Unauthorized):
        await in_thread(MyPlexAccount, "alice", "wrong")


async def test_sign_out(plex: PlexStandIn, account: MyPlexAccount) -> None:
    token = account.authToken

    await in_thread(account.signout)

    with refused(Unauthorized):
        await in_thread(MyPlexAccount, token=token)


async def test_a_revoked_token_opens_nothing(
    plex: PlexStandIn, account: MyPlexAccount, server: PlexServer
) -> None:
    plex.revoke("alice")

    with refused(Unauthorized):
        await in_thread(account.resources)
    with refused(Unauthorized):
        await in_thread(account.watchlist)
    with refused(Unauthorized):
        await in_thread(server.sessions)


# The account


@pytest.mark.parametrize("plex_pass", [True, False])
async def test_plex_pass(plex: PlexStandIn, plex_pass: bool) -> None:
    plex.owner.plex_pass = plex_pass

    account = await in_thread(MyPlexAccount, token=plex.token())

    assert account.subscriptionActive is plex_pass
    assert ("webhooks" in account.subscriptionFeatures) is plex_pass
    assert ("plexpass" in account.roles) is plex_pass
    server = await in_thread(PlexServer, plex.server.url, plex.token())
    assert server.myPlexSubscription is plex_pass
    assert ("webhooks" in server.ownerFeatures) is plex_pass


async def test_webhooks_are_for_those_with_a_plex_pass(plex: PlexStandIn) -> None:
    bob = await in_thread(MyPlexAccount, token=plex.token("bob"))

    with pytest.raises(BadRequest, match="1043"):
        await in_thread(bob.webhooks)
    with pytest.raises(BadRequest, match="1043"):
        await in_thread(bob.addWebhook, "http://192.0.2.10/mine")


async def test_the_list_of_webhooks_is_replaced_as_a_whole(
    plex: PlexStandIn, account: MyPlexAccount
) -> None:
    plex.owner.webhooks[:] = ["http://192.0.2.1/a", "http://192.0.2.2/b"]

    assert await in_thread(account.webhooks) == plex.owner.webhooks
    await in_thread(account.addWebhook, "http://192.0.2.3/c?d=e&f")
    assert plex.owner.webhooks == [
        "http://192.0.2.1/a",
        "http://192.0.2.2/b",
        "http://192.0.2.3/c?d=e&f",
    ]
    await in_thread(account.deleteWebhook, "http://192.0.2.1/a")
    assert len(plex.owner.webhooks) == 2

    # One that does not ask first wipes what there was.
    careless = await in_thread(MyPlexAccount, token=plex.token())
    await in_thread(careless.addWebhook, "http://192.0.2.4/d")
    assert plex.owner.webhooks == ["http://192.0.2.4/d"]

    assert await in_thread(careless.setWebhooks, []) == []
    assert plex.owner.webhooks == []


async def test_servers_of_an_account(plex: PlexStandIn, account: MyPlexAccount) -> None:
    plex.accounts.add("erin")
    await plex.add_server("Cellar", https="none", titles=[PAPER_ORCHARD])
    await plex.add_server("Erin's", "erin", share_with=["alice"])
    away = Resource(
        owner=plex.owner, name="Summer house", connections=(plex.tv.dead_connection(),)
    )
    plex.tv.resources.append(away)

    resources = {
        resource.name: resource for resource in await in_thread(account.resources)
    }

    assert list(resources) == ["Attic", "Cellar", "Erin's", "Summer house"]
    assert [each.owned for each in resources.values()] == [True, True, False, True]
    assert resources["Erin's"].sourceTitle == "erin"
    assert resources["Attic"].accessToken == account.authToken
    assert resources["Erin's"].accessToken != account.authToken
    for name in ("Attic", "Cellar", "Erin's"):
        server = await in_thread(resources[name].connect, timeout=5)
        assert server.friendlyName == name
        assert server.machineIdentifier == resources[name].clientIdentifier
    assert not resources["Summer house"].presence
    with refused(NotFound):
        await in_thread(resources["Summer house"].connect, timeout=5)


async def test_a_server_may_be_elsewhere_than_said(
    plex: PlexStandIn, account: MyPlexAccount
) -> None:
    plex.tv.connections[plex.server.uuid] = [
        Connection("https://192-0-2-9.example.plex.direct:32400", "127.0.0.1", 1)
    ]

    resource = await in_thread(account.resource, "Attic")
    with refused(NotFound):
        await in_thread(resource.connect, timeout=5)

    assert plex.proxy.refused == ["192-0-2-9.example.plex.direct:32400"]


async def test_people(plex: PlexStandIn, account: MyPlexAccount) -> None:
    users = {user.title: user for user in await in_thread(account.users)}

    assert list(users) == ["bob", "dot", "carol"]
    assert [user.home for user in users.values()] == [True, True, False]
    assert [user.restricted for user in users.values()] == ["0", "1", "0"]
    assert users["dot"].username == ""
    assert [share.name for share in users["carol"].servers] == ["Attic"]
    ids = {user.id for user in users.values()}
    assert ids == {plex.user(name).id for name in users}


async def test_switching_users(
    plex: PlexStandIn, account: MyPlexAccount, server: PlexServer
) -> None:
    plex.user("dot").home_pin = "1234"

    with refused(BadRequest):
        await in_thread(account.switchHomeUser, "dot")
    dot = await in_thread(account.switchHomeUser, "dot", "1234")

    assert (dot.title, dot.restricted) == ("dot", True)
    resource = await in_thread(dot.resource, "Attic")
    assert not resource.owned
    theirs = await in_thread(resource.connect, timeout=5)
    assert len(await sections_of(theirs)) == 5
    carols = await in_thread(server.switchUser, "carol")
    assert carols._token == plex.server.token(plex.user("carol"))


# The server


async def test_who_may_do_what(plex: PlexStandIn, server: PlexServer) -> None:
    url = plex.server.url
    assert (await in_thread(requests.get, f"{url}/identity")).status_code == 200
    assert (await in_thread(requests.get, url)).status_code == 401
    with refused(Unauthorized):
        await in_thread(PlexServer, url, "no-such-token")
    # What opens plex.tv to somebody does not open somebody else's server.
    with refused(Unauthorized):
        await in_thread(PlexServer, url, plex.token("carol"))

    carols = await in_thread(PlexServer, url, plex.server.token(plex.user("carol")))

    assert [section.title for section in await sections_of(carols)]
    for forbidden in (carols.sessions, carols.systemAccounts):
        with pytest.raises(BadRequest, match="403"):
            await in_thread(forbidden)


async def test_identity(plex: PlexStandIn, server: PlexServer) -> None:
    assert server.friendlyName == "Attic"
    assert server.machineIdentifier == plex.server.uuid
    assert server.version == plex.server.version
    assert server.myPlexUsername == "alice@example.org"
    identity = await in_thread(server.identity)
    assert identity.machineIdentifier == plex.server.uuid


async def test_accounts_of_the_server(plex: PlexStandIn, server: PlexServer) -> None:
    accounts = await in_thread(server.systemAccounts)

    assert [(account.id, account.name) for account in accounts] == [
        (0, ""),
        (1, "alice"),
        *((plex.user(name).id, name) for name in ("bob", "dot", "carol")),
    ]
    devices = await in_thread(server.systemDevices)
    assert [device.name for device in devices] == ["Living room TV"]
    clients = await in_thread(server.clients)
    assert [client.title for client in clients] == ["Living room TV"]


# Its library


async def test_sections(plex: PlexStandIn, server: PlexServer) -> None:
    sections = await sections_of(server)

    assert {
        section.title: (section.key, section.type, section.agent)
        for section in sections
    } == {
        "Films": (1, "movie", "tv.plex.agents.movie"),
        "Series": (2, "show", "tv.plex.agents.series"),
        "Music": (3, "artist", "tv.plex.agents.music"),
        "Old films": (4, "movie", "com.plexapp.agents.imdb"),
        "Old series": (5, "show", "com.plexapp.agents.thetvdb"),
    }
    sizes = {
        section.title: await in_thread(section.totalViewSize) for section in sections
    }
    assert sizes == {
        "Films": 151,
        "Series": 5,
        "Music": 2,
        "Old films": 50,
        "Old series": 2,
    }


async def test_pages_of_a_section(plex: PlexStandIn, server: PlexServer) -> None:
    series = [await section_of(server, name) for name in ("Series", "Old series")]
    plex.server.log.clear()

    pages = [
        await in_thread(section.all, libtype="episode", container_size=50)
        for section in series
    ]

    episodes = [episode for page in pages for episode in page]
    assert len(episodes) == len({episode.ratingKey for episode in episodes}) == 402
    assert plex.server.log.count_of("GET", "/library/sections/2/all") == 7
    starts = [
        request.headers["X-Plex-Container-Start"]
        for request in plex.server.log.of("GET", "/library/sections/2/all")
    ]
    assert starts == ["0", "50", "100", "150", "200", "250", "300"]
    by_title = {
        (episode.grandparentTitle, episode.seasonNumber, episode.index): episode
        for episode in episodes
    }
    held = [*plex.server.items.library.episodes, LOW_WATER]
    plex.server.log.clear()
    for title in held:
        found = by_title[title.show.title, title.season, title.number]
        assert found.title == title.title
        assert str(found.ratingKey) == plex.server.key(title)
        if found.guid.startswith("plex://"):
            ids = [guid.id for guid in found.guids] if title.ids.items() else []
            assert ids == [f"{name}://{value}" for name, value in title.ids.items()]
    # Nothing of that had to be asked for.
    assert plex.server.log.count_of() == 0


async def test_guids(plex: PlexStandIn, server: PlexServer) -> None:
    guids: dict[str, set[str]] = {}
    for section in await sections_of(server):
        for kind in (
            section.TYPE,
            {"show": "episode", "artist": "track"}.get(section.TYPE, section.TYPE),
        ):
            for item in await in_thread(section.all, libtype=kind):
                guids.setdefault(section.title, set()).add(item.guid.partition("//")[0])
    assert guids == {
        "Films": {"plex:", "local:"},
        "Series": {"plex:"},
        "Music": {"plex:"},
        "Old films": {
            "com.plexapp.agents.imdb:",
            "com.plexapp.agents.none:",
            "com.plexapp.agents.themoviedb:",
        },
        "Old series": {
            "com.plexapp.agents.themoviedb:",
            "com.plexapp.agents.thetvdb:",
        },
    }

    old = await section_of(server, "Old series")
    episode = (await in_thread(old.all, libtype="episode"))[0]
    title = plex.server.items.title(
        plex.server.items.item(str(episode.ratingKey)) or Item(Kind.EPISODE, 0)
    )
    assert episode.guid == (
        f"com.plexapp.agents.thetvdb://{title.show.ids.tvdb}"  # type: ignore[union-attr]
        f"/{episode.seasonNumber}/{episode.index}?lang=en"
    )
    assert await in_thread(lambda: episode.guids) == []


async def test_an_item(plex: PlexStandIn, server: PlexServer) -> None:
    films = await section_of(server, "Films")

    film = await in_thread(films.get, "The Salt Road")

    assert film.year == 2019
    assert film.duration == 6_720_000
    assert film.media[0].parts[0].file.endswith(".mkv")
    again = await in_thread(server.fetchItem, film.ratingKey)
    assert {guid.id for guid in await in_thread(lambda: again.guids)} == {
        "imdb://tt9182736",
        "tmdb://918273",
        "tvdb://219483",
    }
    several = await in_thread(
        server.fetchItems,
        [film.ratingKey, 999_999_999, int(plex.server.key(LOW_WATER))],
    )
    assert [item.title for item in several] == ["The Salt Road", "Low Water"]
    with refused(NotFound):
        await in_thread(server.fetchItem, 999_999_999)


async def test_what_is_in_a_series(plex: PlexStandIn, server: PlexServer) -> None:
    series = await section_of(server, "Series")
    show = await in_thread(series.get, "Harbour Lights")

    seasons = await in_thread(show.seasons)
    episodes = await in_thread(show.episodes)
    of_season = await in_thread(seasons[1].episodes)

    assert (show.leafCount, show.childCount) == (2, 2)
    assert [season.index for season in seasons] == [2, 1]
    assert [episode.title for episode in episodes] == ["Low Water", "The Pilot Boat"]
    assert [episode.title for episode in of_season] == ["The Pilot Boat"]
    assert of_season[0].grandparentRatingKey == show.ratingKey
    music = await section_of(server, "Music")
    artist = await in_thread(music.get, "Marlow & Finch")
    assert [album.title for album in await in_thread(artist.albums)] == ["Tidewater"]
    assert [track.title for track in await in_thread(artist.tracks)] == ["Slow Ferry"]


async def test_sorting_and_filtering(plex: PlexStandIn, server: PlexServer) -> None:
    films = await section_of(server, "Films")
    await plex.add(NINTH_MERIDIAN)
    since = datetime.now() - timedelta(minutes=5)  # noqa: DTZ005

    latest = await in_thread(films.search, sort="addedAt:desc", maxresults=5)
    recent = await in_thread(films.search, filters={"addedAt>>": since})
    nineties = await in_thread(films.search, year=[1990, 1991])
    by_guid = await in_thread(films.getGuid, latest[0].guid)

    assert latest[0].title == by_guid.title == "Ninth Meridian"
    assert [film.addedAt for film in latest] == sorted(
        (film.addedAt for film in latest), reverse=True
    )
    assert [film.title for film in recent] == ["Ninth Meridian"]
    assert {film.year for film in nineties} == {1990, 1991}
    with pytest.raises(BadRequest, match="400"):
        await in_thread(server.fetchItems, "/library/sections/1/all?colour=red")


async def test_what_is_added_and_removed(
    plex: PlexStandIn, server: PlexServer, receiver: Receiver
) -> None:
    series = await section_of(server, "Series")

    await plex.add(FOG_SIGNAL)

    assert receiver.events == ["library.new"]
    assert receiver.payloads[0]["Metadata"]["title"] == "Fog Signal"
    assert "Player" not in receiver.payloads[0]
    show = await in_thread(series.get, "Harbour Lights")
    assert len(await in_thread(show.episodes)) == 3

    plex.remove(HARBOUR_LIGHTS)

    assert len(receiver.payloads) == 1
    with refused(NotFound):
        await in_thread(server.fetchItem, show.ratingKey)
    with refused(NotFound):
        await in_thread(series.get, "Harbour Lights")
    first = plex.server.items.library.movies[0]
    plex.remove(first)
    films = await section_of(server, "Films")
    assert await in_thread(films.totalViewSize) == 150
    await plex.add(first)
    assert await in_thread(films.totalViewSize) == 151


async def test_a_guid_of_ones_choice(plex: PlexStandIn, server: PlexServer) -> None:
    guid = "com.plexapp.agents.hama://anidb-4711/1/2?lang=en"

    await plex.add(FOG_SIGNAL, guid=guid)

    item = await in_thread(server.fetchItem, int(plex.server.key(FOG_SIGNAL)))
    assert item.guid == guid
    assert await in_thread(lambda: item.guids) == []


def test_episodes_in_a_list_are_what_they_are_elsewhere() -> None:
    plex = PlexStandIn(library=Library(episodes=9_000), legacy=0.3)
    items = plex.server.items
    states = {
        Item(Kind.EPISODE, number): ViewState(number % 3, 1_700_000_000, None, 7.5)
        for number in range(0, 9_000, 7)
    }

    for extent in (
        Extent(),
        Extent(guids=True),
        Extent(guids=True, without=frozenset({"Media", "Director"})),
    ):
        for number in range(0, 9_000, 13):
            item = Item(Kind.EPISODE, number)
            assert items.list_xml(item.kind, [number], extent, states) == to_xml(
                "Video", items.show(item, extent, states)
            )


def test_what_a_history_says_is_what_items_say() -> None:
    plex = PlexStandIn(
        library=Library(movies=40, episodes=400, tracks=40),
        titles=[LOW_WATER, SLOW_FERRY],
        legacy=0.2,
    )
    items = plex.server.items

    for kind in (Kind.MOVIE, Kind.EPISODE, Kind.TRACK):
        for section in items.sections:
            for number in items.numbers(section, kind):
                item = Item(kind, number)
                full = items.describe(item)
                for name, value in items.brief(item).items():
                    assert str(full.get(name)) == str(value), name


async def test_servers_have_keys_of_their_own(plex: PlexStandIn) -> None:
    other = await plex.add_server(
        "Cellar",
        library=Library(movies=200, episodes=400),
        titles=[THE_SALT_ROAD],
    )
    items, others = plex.server.items, other.items

    for title in (THE_SALT_ROAD, items.library.movies[3], items.library.episodes[7]):
        assert plex.server.key(title) != other.key(title)
    first = items.library.movies[0]
    assert items.metadata(first)["guid"] == others.metadata(first)["guid"]


async def test_a_large_library(socket_enabled: None) -> None:
    async with PlexStandIn(library=Library(movies=5_000, episodes=150_000)) as plex:
        headers = {
            "X-Plex-Token": plex.token(),
            "X-Plex-Container-Start": "149500",
            "X-Plex-Container-Size": "1000",
        }

        response = await in_thread(
            requests.get,
            f"{plex.server.url}/library/sections/2/all?type=4&includeGuids=1",
            headers=headers,
        )

        page = ET.fromstring(response.text)
        assert page.attrib["totalSize"] == "150000"
        assert page.attrib["size"] == str(len(page)) == "500"
        assert response.headers["X-Plex-Container-Total-Size"] == "150000"


async def test_json(plex: PlexStandIn) -> None:
    def get(path: str, **headers: str) -> Any:
        token = {"X-Plex-Token": plex.token(), "Accept": "application/json"}
        return requests.get(f"{plex.server.url}{path}", headers={**token, **headers})

    sections = (await in_thread(get, "/library/sections")).json()["MediaContainer"]
    films = (
        await in_thread(
            get,
            "/library/sections/1/all?includeGuids=1",
            **{"X-Plex-Container-Start": "0", "X-Plex-Container-Size": "2"},
        )
    ).json()["MediaContainer"]

    assert [section["title"] for section in sections["Directory"]][:2] == [
        "Films",
        "Series",
    ]
    assert (films["size"], films["totalSize"]) == (2, 151)
    assert films["Metadata"][0]["Guid"][0] == {"id": "imdb://tt30000000"}
    assert isinstance(films["Metadata"][0]["year"], int)


async def test_posters(plex: PlexStandIn, server: PlexServer) -> None:
    film = await in_thread(server.fetchItem, int(plex.server.key(THE_SALT_ROAD)))
    other = await in_thread(server.fetchItem, int(plex.server.key(LOW_WATER)))

    direct = await in_thread(requests.get, film.thumbUrl)
    url = await in_thread(server.transcodeImage, film.thumb, height=300, width=200)
    scaled = await in_thread(requests.get, url)
    others = await in_thread(requests.get, other.thumbUrl)

    assert direct.headers["Content-Type"] == "image/jpeg"
    assert direct.content.startswith(b"\xff\xd8\xff")
    assert direct.content == scaled.content != others.content
    without_token = f"{plex.server.url}{film.thumb}"
    assert (await in_thread(requests.get, without_token)).status_code == 401


# What is played


async def test_sessions(
    plex: PlexStandIn, server: PlexServer, freezer: FrozenDateTimeFactory
) -> None:
    assert await in_thread(server.sessions) == []

    await plex.play("bob", LOW_WATER, position=timedelta(minutes=2))
    await plex.play("alice", SLOW_FERRY, KITCHEN)
    freezer.tick(60)
    episode, track = await in_thread(server.sessions)

    assert (episode.title, track.title) == ("Low Water", "Slow Ferry")
    assert (episode.viewOffset, track.viewOffset) == (180_000, 60_000)
    assert episode.usernames == ["bob"]
    assert (track._userId, episode._userId) == (1, plex.user("bob").id)
    assert episode.player.machineIdentifier == "7c1e09ab42f6d358-com-plexapp-android"
    assert (episode.player.title, episode.player.state) == ("Living room TV", "playing")
    assert track.player.title == "Kitchen radio"
    assert str(episode.ratingKey) == plex.server.key(LOW_WATER)

    await plex.pause()
    await plex.stop(KITCHEN)
    freezer.tick(60)
    (episode,) = await in_thread(server.sessions)
    assert (episode.player.state, episode.viewOffset) == ("paused", 180_000)

    await in_thread(episode.stop, "Dinner")
    await plex.server.settle()
    assert await in_thread(server.sessions) == []
    assert plex.server.state(plex.user("bob"), LOW_WATER).view_offset == 180_000


async def test_a_trailer_in_the_sessions(plex: PlexStandIn, server: PlexServer) -> None:
    await plex.watch("alice", NINTH_MERIDIAN_TRAILER)
    await plex.play("alice", NINTH_MERIDIAN_TRAILER)

    (clip,) = await in_thread(server.sessions)

    assert (clip.type, clip.title) == ("clip", "Ninth Meridian - Official Trailer")
    assert await in_thread(server.history) == []


async def test_webhooks(
    plex: PlexStandIn,
    server: PlexServer,
    receiver: Receiver,
    freezer: FrozenDateTimeFactory,
) -> None:
    deliveries = await plex.play("bob", LOW_WATER)
    await plex.pause(position=timedelta(minutes=20))
    await plex.resume()
    await plex.finish()
    await plex.stop()
    await plex.rate("alice", THE_SALT_ROAD, 8)

    assert [(each.url, each.status) for each in deliveries] == [(receiver.url, 200)]
    assert deliveries[0].answer == {"outcome": "recorded"}
    assert receiver.events == [
        "media.play",
        "media.pause",
        "media.resume",
        "media.scrobble",
        "media.stop",
        "media.rate",
    ]
    assert len(receiver.thumbs) == 2
    play, pause, _, scrobble, _, rate = receiver.payloads
    assert (play["user"], play["owner"]) == (False, True)
    assert play["Account"]["id"] == plex.user("bob").id
    assert play["Server"] == {"title": "Attic", "uuid": plex.server.uuid}
    assert play["Player"]["uuid"] == "7c1e09ab42f6d358-com-plexapp-android"
    assert play["Metadata"]["ratingKey"] == plex.server.key(LOW_WATER)
    assert pause["Metadata"]["viewOffset"] == 1_200_000
    assert scrobble["Metadata"]["viewCount"] == 1
    assert "viewOffset" not in scrobble["Metadata"]
    assert (rate["user"], rate["Account"]["id"], rate["rating"]) == (True, 1, "8")


async def test_whom_webhooks_concern(plex: PlexStandIn, receiver: Receiver) -> None:
    carol, dot = plex.user("carol"), plex.user("dot")
    carol.plex_pass = True
    carol.webhooks.append(f"{receiver.url}?carol")

    assert len(await plex.play("dot", LOW_WATER)) == 1
    assert [each.url for each in await plex.play("carol", LOW_WATER, KITCHEN)] == [
        receiver.url,
        f"{receiver.url}?carol",
    ]

    assert [
        (payload["user"], payload["owner"], payload["Account"]["id"])
        for payload in receiver.payloads
    ] == [(False, True, dot.id), (False, True, carol.id), (True, False, carol.id)]
    plex.owner.plex_pass = False
    plex.server.webhooks_name_owner_as_plex_tv = True
    assert await plex.rate("alice", LOW_WATER, 5) == []


async def test_webhooks_that_nobody_takes(
    plex: PlexStandIn, receiver: Receiver
) -> None:
    plex.owner.webhooks[:] = [
        f"http://127.0.0.1:{plex.tv.closed_port}/webhook",
        "http://homeassistant.local:8123/webhook",
    ]
    plex.server.detours["http://homeassistant.local:8123"] = receiver.url.removesuffix(
        "/webhook"
    )

    lost, taken = await plex.server.report(PlexEvent.DATABASE_BACKUP)

    assert (lost.status, taken.status) == (None, 200)
    assert receiver.events == ["admin.database.backup"]


async def test_history(plex: PlexStandIn, server: PlexServer) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    plex.record("bob", LOW_WATER, at=now - timedelta(days=3))
    plex.record("alice", THE_SALT_ROAD, at=now - timedelta(days=2))
    plex.record("alice", SLOW_FERRY, at=now - timedelta(days=1))
    await plex.watch("bob", THE_PILOT_BOAT)

    history = await in_thread(server.history)

    assert [(entry.title, entry.accountID) for entry in history] == [
        ("The Pilot Boat", plex.user("bob").id),
        ("Slow Ferry", 1),
        ("The Salt Road", 1),
        ("Low Water", plex.user("bob").id),
    ]
    low_water = history[3]
    assert low_water.viewedAt.timestamp() == (now - timedelta(days=3)).timestamp()
    assert low_water.grandparentTitle == "Harbour Lights"
    assert (low_water.seasonNumber, low_water.index) == (2, 3)
    assert low_water.guid is None
    assert (await in_thread(low_water.source)).title == "Low Water"
    since = (now - timedelta(days=2)).astimezone()
    recent = await in_thread(server.history, mindate=since)
    assert len(recent) == 3
    of_alice = await in_thread(server.history, accountID=1)
    assert [entry.title for entry in of_alice] == ["Slow Ferry", "The Salt Road"]
    of_show = await in_thread(server.history, ratingKey=plex.server.key(HARBOUR_LIGHTS))
    assert len(of_show) == 2
    assert len(await in_thread(server.history, librarySectionID=3)) == 1
    bobs = await in_thread(
        PlexServer, plex.server.url, plex.server.token(plex.user("bob"))
    )
    assert len(await in_thread(bobs.history)) == 2

    plex.remove(LOW_WATER)
    gone = (await in_thread(server.history))[-1]
    assert (gone.title, gone.ratingKey, gone.key) == ("Low Water", None, "")
    await in_thread(gone.delete)
    assert len(await in_thread(server.history)) == 3


async def test_a_long_history(plex: PlexStandIn, server: PlexServer) -> None:
    plex.server.fill_history(1_234)
    plex.server.log.clear()

    history = await in_thread(server.history)
    some = await in_thread(server.history, maxresults=30)

    assert len(history) == len({entry.historyKey for entry in history}) == 1_234
    assert plex.server.log.count_of("GET", "/status/sessions/history/all") == 14
    times = [entry.viewedAt for entry in history]
    assert times == sorted(times, reverse=True)
    assert {entry.accountID for entry in history} == {
        1,
        *(plex.user(name).id for name in ("bob", "dot", "carol")),
    }
    assert len(some) == 30


async def test_watched_by_hand(
    plex: PlexStandIn, server: PlexServer, receiver: Receiver
) -> None:
    film = await in_thread(server.fetchItem, int(plex.server.key(THE_SALT_ROAD)))

    await in_thread(film.markPlayed)
    await in_thread(film.reload)
    assert (film.isPlayed, film.viewCount) == (True, 1)
    await in_thread(film.markUnplayed)
    await in_thread(film.reload)
    assert not film.isPlayed

    season = await in_thread(
        server.fetchItem, int(plex.server.key(Season(HARBOUR_LIGHTS, 2)))
    )
    await in_thread(season.markPlayed)
    assert plex.server.state(plex.owner, LOW_WATER).view_count == 1
    plex.mark("bob", HARBOUR_LIGHTS)
    assert plex.server.state(plex.user("bob"), THE_PILOT_BOAT).view_count == 1
    assert plex.server.state(plex.owner, THE_PILOT_BOAT).view_count == 0
    series = await section_of(server, "Series")
    show = await in_thread(series.get, "Harbour Lights")
    assert (show.leafCount, show.viewedLeafCount) == (2, 1)
    unwatched = await in_thread(series.search, libtype="episode", unwatched=True)
    assert "Low Water" not in [episode.title for episode in unwatched]
    # Neither webhooks nor the history know of it.
    assert receiver.payloads == []
    assert await in_thread(server.history) == []


async def test_watched_by_hand_in_older_versions(
    plex: PlexStandIn, server: PlexServer, receiver: Receiver
) -> None:
    """It is an entry of the history up to 1.40.0.7998, unless it was synced."""
    plex.server.version = "1.40.0.7775-456fbaf97"
    film = await in_thread(server.fetchItem, int(plex.server.key(THE_SALT_ROAD)))
    await in_thread(film.markPlayed)
    then = datetime(2024, 1, 2, tzinfo=UTC)
    plex.mark("bob", LOW_WATER, at=then)
    assert plex.server.state(plex.user("bob"), LOW_WATER).last_viewed_at == int(
        then.timestamp()
    )
    (entry,) = await in_thread(server.history)
    assert (entry.title, entry.accountID) == ("The Salt Road", 1)
    plex.server.version = "1.40.0.7998-c29d4c0c8"
    await in_thread(film.markPlayed)
    assert len(await in_thread(server.history)) == 1
    assert receiver.payloads == []


async def test_what_comes_back(plex: PlexStandIn, server: PlexServer) -> None:
    """It has another key, under which its history is from then on."""
    before = plex.server.key(THE_SALT_ROAD)
    plex.record("bob", THE_SALT_ROAD)
    plex.remove(THE_SALT_ROAD)
    await plex.add(THE_SALT_ROAD)
    after = plex.server.key(THE_SALT_ROAD)
    assert after != before
    with refused(NotFound):
        await in_thread(server.fetchItem, int(before))
    film = await in_thread(server.fetchItem, int(after))
    assert film.title == "The Salt Road"
    (entry,) = await in_thread(server.history)
    assert entry.ratingKey == int(after)


async def test_former_users(plex: PlexStandIn, server: PlexServer) -> None:
    """Some are listed all the same; what they watched stays."""
    for name in ("bob", "carol"):
        plex.record(name, THE_SALT_ROAD)
    plex.server.part_with(plex.user("bob"))
    plex.server.part_with(plex.user("carol"), is_listed=False)
    names = [account.name for account in await in_thread(server.systemAccounts)]
    assert "bob" in names
    assert "carol" not in names
    assert len(await in_thread(server.history)) == 2
    assert plex.user("bob") not in plex.server.users


async def test_ratings(
    plex: PlexStandIn, server: PlexServer, receiver: Receiver
) -> None:
    film = await in_thread(server.fetchItem, int(plex.server.key(THE_SALT_ROAD)))

    await in_thread(film.rate, 7)
    await in_thread(film.reload)
    assert film.userRating == 7
    await in_thread(film.rate, None)
    await plex.server.settle()

    assert plex.server.state(plex.owner, THE_SALT_ROAD).rating is None
    assert [payload["rating"] for payload in receiver.payloads] == ["7", "-1"]
    album = await in_thread(server.fetchItem, int(plex.server.key(TIDEWATER)))
    await in_thread(album.rate, 9.5)
    await plex.server.settle()
    assert receiver.payloads[-1]["Metadata"]["type"] == "album"


# The watchlist


async def test_watchlist(plex: PlexStandIn, account: MyPlexAccount) -> None:
    plex.discover.titles.append(NINTH_MERIDIAN)
    found = await in_thread(account.searchDiscover, "ninth")
    assert [item.title for item in found] == ["Ninth Meridian"]

    await in_thread(account.addToWatchlist, found)

    assert await in_thread(account.onWatchlist, found[0])
    assert list(plex.owner.watchlist) == [NINTH_MERIDIAN]
    (item,) = await in_thread(account.watchlist)
    assert (item.title, item.year, item.type) == ("Ninth Meridian", 2024, "movie")
    assert plex.server.items.metadata(NINTH_MERIDIAN)["guid"] == item.guid
    # Its ids in other databases are on its own page only.
    before = plex.discover.log.count_of("GET", "/library/metadata/*")
    guids = await in_thread(lambda: item.guids)
    assert {guid.id for guid in guids} == {
        "imdb://tt9987650",
        "tmdb://987650",
        "tvdb://398211",
    }
    assert plex.discover.log.count_of("GET", "/library/metadata/*") == before + 1
    with refused(BadRequest):
        await in_thread(account.addToWatchlist, item)

    await in_thread(account.removeFromWatchlist, item)

    assert plex.owner.watchlist == {}
    assert await in_thread(account.watchlist) == []


async def test_pages_of_a_watchlist(plex: PlexStandIn, account: MyPlexAccount) -> None:
    library = plex.server.items.library
    day = datetime(2026, 1, 1, tzinfo=UTC)
    for number, title in enumerate([*library.movies, *library.shows]):
        plex.owner.add_to_watchlist(title, at=day + timedelta(hours=number))
    plex.discover.log.clear()

    every = await in_thread(account.watchlist)
    shows = await in_thread(account.watchlist, libtype="show", sort="titleSort:asc")
    latest = await in_thread(account.watchlist, maxresults=3)

    assert len(every) == len(library.movies) + len(library.shows) == 206
    assert [item.title for item in latest] == [
        title.title for title in library.shows[:-4:-1]
    ]
    assert {item.type for item in shows} == {"show"}
    titles = [item.title.casefold() for item in shows]
    assert titles == sorted(titles)
    path = "/library/sections/watchlist/all"
    assert plex.discover.log.count_of("GET", path) == 5
    # Somebody who does not say how many they want gets the first few.
    response = await in_thread(
        requests.get,
        f"{plex.discover.url}{path}",
        headers={"X-Plex-Token": plex.token(), "Accept": "application/json"},
    )
    content = response.json()["MediaContainer"]
    assert (content["size"], content["totalSize"]) == (20, 206)


async def test_watched_elsewhere(plex: PlexStandIn, account: MyPlexAccount) -> None:
    (item,) = await in_thread(account.searchDiscover, "salt road")
    assert not await in_thread(account.isPlayed, item)

    await in_thread(account.markPlayed, item)

    assert await in_thread(account.isPlayed, item)
    assert plex.server.state(plex.owner, THE_SALT_ROAD).view_count == 0


async def test_finding_by_another_id(plex: PlexStandIn, account: MyPlexAccount) -> None:
    def match(**query: str) -> list[str]:
        response = requests.get(
            "https://discover.provider.plex.tv/library/metadata/matches",
            params=query,
            headers={
                "X-Plex-Token": account.authToken,
                "Accept": "application/json",
            },
        )
        found = response.json()["MediaContainer"]["Metadata"]
        return [item["title"] for item in found]

    assert await in_thread(match, type="1", guid="tmdb://918273") == ["The Salt Road"]
    assert await in_thread(match, type="2", guid="tmdb://918273") == []
    assert await in_thread(match, title="harbour lights", year="2021") == [
        "Harbour Lights"
    ]


# What goes wrong


async def test_slow(plex: PlexStandIn, server: PlexServer) -> None:
    loop = asyncio.get_running_loop()
    with plex.server.faults.slow(0.2, path="/status/*"):
        started = loop.time()
        await in_thread(server.sessions)
        assert loop.time() - started >= 0.2
        started = loop.time()
        await in_thread(server.identity)
        assert loop.time() - started < 0.2


async def test_no_answer(plex: PlexStandIn, server: PlexServer) -> None:
    plex.server.faults.hang(path="/status/sessions")

    with refused(requests.exceptions.ReadTimeout):
        await in_thread(server.query, "/status/sessions", timeout=0.2)

    plex.server.faults.clear()
    assert await in_thread(server.sessions) == []


async def test_errors(plex: PlexStandIn, server: PlexServer) -> None:
    plex.server.faults.fail(500, path="/status/*", times=2)

    for _ in range(2):
        with pytest.raises(BadRequest, match="500"):
            await in_thread(server.sessions)
    assert await in_thread(server.sessions) == []
    assert [request.status for request in plex.server.log.of("GET", "/status/*")] == [
        500,
        500,
        200,
    ]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("cut", requests.exceptions.ChunkedEncodingError),
        ("drop", requests.exceptions.ConnectionError),
    ],
)
@pytest.mark.parametrize("encrypted", [False, True])
async def test_answers_that_are_none(
    plex: PlexStandIn, fault: str, error: type[Exception], encrypted: bool
) -> None:
    url = plex.server.direct_url if encrypted else plex.server.url
    server = await in_thread(PlexServer, url, plex.token())
    break_it: Callable[..., Any] = getattr(plex.server.faults, fault)

    with break_it(path="/library/sections/1/all"), refused(error):
        await in_thread(server.fetchItems, "/library/sections/1/all")

    assert len(await in_thread(server.fetchItems, "/library/sections/1/all")) == 151


async def test_somebody_else_answers(plex: PlexStandIn, server: PlexServer) -> None:
    page = "<!DOCTYPE html><html><meta charset=utf-8><title>Sign in</title><p>Who?"
    with (
        plex.server.faults.answer(page, content_type="text/html"),
        refused(ET.ParseError),
    ):
        await in_thread(server.sessions)

    # A page that happens to be XML is an empty list to plexapi.
    with plex.server.faults.html():
        assert await in_thread(server.sessions) == []


async def test_down_and_up_again(
    plex: PlexStandIn, server: PlexServer, account: MyPlexAccount
) -> None:
    url = plex.server.url

    await plex.server.stop()

    with refused(requests.exceptions.ConnectionError):
        await in_thread(server.sessions)
    with refused(requests.exceptions.ConnectionError):
        await in_thread(PlexServer, plex.server.direct_url, plex.token())
    resource = await in_thread(account.resource, "Attic")
    assert not resource.presence
    await plex.server.start()
    assert plex.server.url == url
    assert await in_thread(server.sessions) == []


async def test_no_internet(
    plex: PlexStandIn, account: MyPlexAccount, server: PlexServer
) -> None:
    await plex.lose_internet()
    for ask in (account.resources, account.watchlist):
        with refused(requests.exceptions.ProxyError):
            await in_thread(ask)
    assert await in_thread(server.sessions) == []
    await plex.regain_internet()
    assert await in_thread(account.resources)

    await plex.tv.stop()
    with refused(requests.exceptions.ProxyError):
        await in_thread(account.resources)
    assert await in_thread(account.watchlist) == []
    await plex.tv.start()
    assert await in_thread(account.resources)

    with refused(requests.exceptions.ProxyError):
        await in_thread(requests.get, "https://www.example.org/")
    assert plex.proxy.refused == ["plex.tv:443", "www.example.org:443"]


async def test_encryption(plex: PlexStandIn) -> None:
    token = plex.token()

    server = await in_thread(PlexServer, plex.server.direct_url, token)
    assert server.friendlyName == "Attic"
    # As with Plex, the certificate is for that name alone.
    address = plex.server.url.replace("http", "https")
    with refused(requests.exceptions.SSLError):
        await in_thread(PlexServer, address, token)
    own = await plex.add_server("Cellar", https="self-signed")
    own_address = own.url.replace("http", "https")
    with refused(requests.exceptions.SSLError):
        await in_thread(PlexServer, own_address, token)
    with pytest.warns(match="Unverified HTTPS request"):
        response = await in_thread(
            requests.get, f"{own_address}/identity", verify=False
        )
    assert response.status_code == 200


async def test_made_while_time_stands_still(
    freezer: FrozenDateTimeFactory,
    socket_enabled: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freezer.move_to("2028-02-29 12:00:00+00:00")
    async with PlexStandIn() as plex:
        for name, value in plex.environment.items():
            monkeypatch.setenv(name, value)
        server = await in_thread(PlexServer, plex.server.direct_url, plex.token())
        freezer.tick(timedelta(days=400))

        assert await in_thread(server.sessions) == []


async def test_the_log_keeps_no_token(plex: PlexStandIn, server: PlexServer) -> None:
    plex.server.log.clear()
    url = f"{plex.server.url}/identity"
    await in_thread(server.identity)
    await in_thread(requests.get, f"{url}?X-Plex-Token={plex.token()}")
    await in_thread(requests.get, url)

    assert [has_token(request) for request in plex.server.log] == [True, True, False]
    assert server._token not in repr(list(plex.server.log))


async def test_another_process(plex: PlexStandIn) -> None:
    script = (
        "import sys; from plexapi.myplex import MyPlexAccount;"
        "account = MyPlexAccount(token=sys.argv[1]);"
        "server = account.resource('Attic').connect();"
        "print(account.title, server.friendlyName, len(server.library.sections()))"
    )
    environment = {**os.environ, **plex.environment}

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        plex.token(),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()

    assert output.decode().split() == ["alice", "Attic", "5"]


async def test_an_unkind_catalogue(plex: PlexStandIn, account: MyPlexAccount) -> None:
    """It refuses to take titles off watchlists, lacks ids, and can be asked too often."""
    discover = plex.discover
    film = (await in_thread(account.searchDiscover, "The Salt Road"))[0]
    await in_thread(account.addToWatchlist, film)
    discover.unremovable.add(THE_SALT_ROAD)
    discover.without_ids.add(THE_SALT_ROAD)
    with refused(NotFound):
        await in_thread(
            account.query,
            f"{account.DISCOVER}/actions/removeFromWatchlist?ratingKey={plex_id(THE_SALT_ROAD)}",
            method=account._session.put,
        )
    assert THE_SALT_ROAD in plex.owner.watchlist
    page = await in_thread(
        account.query, f"{account.METADATA}/library/metadata/{plex_id(THE_SALT_ROAD)}"
    )
    assert page.findall("*/Guid") == []
    discover.odd[THE_SALT_ROAD] = {"guid": None}
    discover.allowance, discover.retry_after = 1, 7
    for status in (200, 429):
        response = await in_thread(
            account._session.get,
            f"{account.DISCOVER}/library/sections/watchlist/all",
            headers={"X-Plex-Token": plex.token(), "Accept": "application/json"},
        )
        assert response.status_code == status
        if status == 200:
            (item,) = response.json()["MediaContainer"]["Metadata"]
            assert item["guid"] is None
        else:
            assert response.headers["Retry-After"] == "7"
