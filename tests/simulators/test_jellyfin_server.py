"""The stand-in for Jellyfin, asked over HTTP.

With MEDIA_SCROBBLER_OPENAPI set, everything it takes and answers here is also held against
Jellyfin's own description of its API, but where a test asks for what is not described.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
import json
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
import pytest

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
    Episode,
    ExternalIds,
    Movie,
    Season,
)
from .certificate import client_context
from .jellyfin import JellyfinDevice, JellyfinUser, written
from .jellyfin_plugin import PLUGIN_ID, read, render
from .jellyfin_server import JellyfinStandIn
from .jellyfin_tasks import TaskKey
from .jellyfin_version import JELLYFIN_10_11, JELLYFIN_VERSIONS, JellyfinVersion
from .library import Library

TITLES = (
    THE_SALT_ROAD,
    PAPER_ORCHARD,
    LOW_WATER,
    FOG_SIGNAL,
    THE_PILOT_BOAT,
    SLOW_FERRY,
)
ALL_EVENTS = (
    "PlaybackStart",
    "PlaybackProgress",
    "PlaybackStop",
    "UserDataSaved",
    "ItemAdded",
    "ItemDeleted",
)
DEVICE = (
    'Client="Media, Scrobbler", Device="Home%20Assistant", DeviceId="1", Version="1.0"'
)
TICKS = 10_000_000


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    at: datetime = datetime(2026, 11, 20, 20, 15, 2, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Client:
    """Somebody who asks; the token is sent as the server wants it."""

    session: aiohttp.ClientSession
    jellyfin: JellyfinStandIn
    token: str = ""

    async def ask(
        self,
        method: str,
        path: str,
        /,
        *,
        json: Any = None,
        headers: Any = None,
        **params: str,
    ) -> tuple[int, Any]:
        """Return the status and what was answered, read as JSON where it is."""
        if headers is None:
            headers = {"Authorization": f'MediaBrowser {DEVICE}, Token="{self.token}"'}
        async with self.session.request(
            method,
            f"{self.jellyfin.url}{path}",
            json=json,
            params=params,
            headers=headers,
        ) as response:
            body = await response.read()
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, body

    async def get(self, path: str, /, **params: str) -> Any:
        """Return the answer to a request that is granted."""
        status, answer = await self.ask("GET", path, **params)
        assert status == 200, answer
        return answer

    async def items(self, **params: str) -> list[str]:
        """Return the names of the items found."""
        answer = await self.get("/Items", **params)
        return [item["Name"] for item in answer["Items"]]


@dataclass
class Receiver:
    """Takes webhooks in."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    @property
    def names(self) -> list[str]:
        return [event["NotificationType"] for event in self.events]

    def take(self) -> list[dict[str, Any]]:
        """Return what came since the last time."""
        events = self.events
        self.bodies.clear()
        return events

    async def receive(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        return web.json_response({"outcome": "recorded"})


@pytest.fixture(params=JELLYFIN_VERSIONS, ids=str)
def version(request: pytest.FixtureRequest) -> JellyfinVersion:
    value: JellyfinVersion = request.param
    return value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def session(socket_enabled: None) -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def jellyfin(
    version: JellyfinVersion, clock: Clock, socket_enabled: None
) -> AsyncGenerator[JellyfinStandIn]:
    async with JellyfinStandIn(
        version=version, titles=TITLES, clock=clock, validate=True
    ) as jellyfin:
        yield jellyfin


@pytest.fixture
def alice(jellyfin: JellyfinStandIn) -> JellyfinUser:
    return jellyfin.add_user("alice", "secret", administrator=True)


@pytest.fixture
def bob(jellyfin: JellyfinStandIn) -> JellyfinUser:
    return jellyfin.add_user("Bob", "other")


@pytest.fixture
def client(
    jellyfin: JellyfinStandIn, session: aiohttp.ClientSession, alice: JellyfinUser
) -> Client:
    return Client(session, jellyfin, jellyfin.sign_in(alice))


@pytest.fixture
async def receiver(socket_enabled: None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.receive)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@pytest.fixture
def hooked(jellyfin: JellyfinStandIn, receiver: Receiver) -> Receiver:
    """Return a receiver that is told everything."""
    jellyfin.plugin.add_generic(receiver.url, ALL_EVENTS)
    return receiver


@asynccontextmanager
async def unchecked(
    version: JellyfinVersion, **options: Any
) -> AsyncIterator[JellyfinStandIn]:
    """Run a server that may be asked for what is not described."""
    async with JellyfinStandIn(version=version, titles=TITLES, **options) as jellyfin:
        yield jellyfin


# --- signing in --------------------------------------------------------------------------


async def test_public_information(
    jellyfin: JellyfinStandIn, session: aiohttp.ClientSession, version: JellyfinVersion
) -> None:
    client = Client(session, jellyfin)
    status, about = await client.ask("GET", "/System/Info/Public", headers={})
    assert status == 200
    assert about["Version"] == str(version)
    assert about["Id"] == jellyfin.server.id
    assert (await client.ask("GET", "/System/Info"))[0] == 401
    assert (await client.ask("GET", "/System/Ping"))[1] == "Jellyfin Server"


async def test_sign_in_with_a_password(
    jellyfin: JellyfinStandIn, session: aiohttp.ClientSession, bob: JellyfinUser
) -> None:
    client = Client(session, jellyfin)
    path = "/Users/AuthenticateByName"
    signed_in = {"Username": "BOB", "Pw": "other"}

    status, answer = await client.ask("POST", path, json=signed_in)
    assert status == 200
    assert answer["User"]["Id"] == bob.id
    assert not answer["User"]["Policy"]["IsAdministrator"]
    assert answer["ServerId"] == jellyfin.server.id
    assert answer["SessionInfo"]["Client"] == "Media, Scrobbler"
    assert answer["SessionInfo"]["DeviceName"] == "Home Assistant"

    client.token = answer["AccessToken"]
    assert (await client.get("/Users/Me"))["Name"] == "Bob"

    # Signing in once more on a device ends the first time.
    await client.ask("POST", path, json=signed_in)
    assert (await client.ask("GET", "/Users/Me"))[0] == 401


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"Username": "Bob", "Pw": "wrong"}, 401),
        ({"Username": "Bob"}, 401),
        ({"Username": "nobody", "Pw": "other"}, 401),
        ([], 400),
    ],
)
async def test_sign_in_refused(
    jellyfin: JellyfinStandIn,
    session: aiohttp.ClientSession,
    bob: JellyfinUser,
    given: Any,
    status: int,
) -> None:
    client = Client(session, jellyfin)
    path = "/Users/AuthenticateByName"
    assert (await client.ask("POST", path, json=given))[0] == status


async def test_sign_in_needs_to_know_the_device_and_an_active_user(
    jellyfin: JellyfinStandIn, session: aiohttp.ClientSession, bob: JellyfinUser
) -> None:
    client = Client(session, jellyfin)
    given = {"Username": "Bob", "Pw": "other"}
    headers = {"Authorization": 'MediaBrowser Client="Tests"'}
    path = "/Users/AuthenticateByName"
    assert (await client.ask("POST", path, json=given, headers=headers))[0] == 400

    jellyfin.account(bob).barred = True
    assert (await client.ask("POST", path, json=given))[0] == 403
    jellyfin.account(bob).barred = False
    jellyfin.account(bob).disabled = True
    assert (await client.ask("POST", path, json=given))[0] == 403
    client.token = jellyfin.sign_in(bob)
    assert (await client.ask("GET", "/Users/Me"))[0] == 401


async def test_api_key(
    jellyfin: JellyfinStandIn, session: aiohttp.ClientSession, bob: JellyfinUser
) -> None:
    client = Client(session, jellyfin, jellyfin.api_key())
    assert [user["Name"] for user in await client.get("/Users")] == ["Bob"]
    assert (await client.ask("GET", "/Users/Me"))[0] == 400
    assert await client.get("/Plugins")
    assert (await client.get(f"/Users/{bob.id}"))["Name"] == "Bob"

    # It stands for nobody, and may ask for everybody.
    item = jellyfin.items.of(THE_SALT_ROAD).id
    assert "UserData" not in await client.get(f"/Items/{item}")
    assert "UserData" in await client.get(f"/Items/{item}", userId=bob.id)
    assert (await client.ask("POST", f"/UserPlayedItems/{item}"))[0] == 404
    await client.ask("POST", f"/UserPlayedItems/{item}", userId=bob.id)
    assert jellyfin.data_of(bob, THE_SALT_ROAD).played

    jellyfin.revoke(client.token)
    assert (await client.ask("GET", "/Users"))[0] == 401


async def test_quick_connect(
    jellyfin: JellyfinStandIn,
    session: aiohttp.ClientSession,
    bob: JellyfinUser,
    clock: Clock,
) -> None:
    client = Client(session, jellyfin)
    assert await client.get("/QuickConnect/Enabled") is True
    status, started = await client.ask("POST", "/QuickConnect/Initiate")
    assert status == 200
    assert len(started["Code"]) == 6
    assert started["DeviceName"] == "Home Assistant"
    secret = started["Secret"]
    answer = await client.get("/QuickConnect/Connect", secret=secret)
    assert not answer["Authenticated"]
    path, body = "/Users/AuthenticateWithQuickConnect", {"Secret": secret}
    assert (await client.ask("POST", path, json=body))[0] == 404

    clock.move(minutes=9)
    jellyfin.authorize_quick_connect(started["Code"], bob)
    answer = await client.get("/QuickConnect/Connect", secret=secret)
    assert answer["Authenticated"]
    status, signed_in = await client.ask("POST", path, json=body)
    assert status == 200
    client.token = signed_in["AccessToken"]
    assert (await client.get("/Users/Me"))["Id"] == bob.id


async def test_quick_connect_expires(
    jellyfin: JellyfinStandIn, client: Client, clock: Clock
) -> None:
    _, started = await client.ask("POST", "/QuickConnect/Initiate")
    secret = started["Secret"]
    clock.move(minutes=10, seconds=1)
    status, _ = await client.ask("GET", "/QuickConnect/Connect", secret=secret)
    assert status == 404
    status, _ = await client.ask("GET", "/QuickConnect/Connect")
    assert status == 400

    _, started = await client.ask("POST", "/QuickConnect/Initiate")
    jellyfin.accounts.expire_quick_connect()
    status, _ = await client.ask(
        "POST", "/QuickConnect/Authorize", code=started["Code"]
    )
    assert status == 404


async def test_quick_connect_authorized_by_a_client_or_off(
    jellyfin: JellyfinStandIn, client: Client
) -> None:
    _, started = await client.ask("POST", "/QuickConnect/Initiate")
    path, code = "/QuickConnect/Authorize", started["Code"]
    assert await client.ask("POST", path, code=code) == (200, True)
    assert (await client.ask("POST", path, code=code))[0] == 500

    jellyfin.accounts.quick_connect_enabled = False
    assert await client.get("/QuickConnect/Enabled") is False
    assert (await client.ask("POST", "/QuickConnect/Initiate"))[0] == 401


async def test_sign_out(jellyfin: JellyfinStandIn, client: Client) -> None:
    assert len(await client.get("/Sessions")) == 1
    assert (await client.ask("POST", "/Sessions/Logout"))[0] == 204
    assert (await client.ask("GET", "/Users"))[0] == 401
    assert not jellyfin.accounts.sessions


# --- authorization -------------------------------------------------------------------------


def older_forms(token: str) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Yield the headers and the parameters of the forms that 12.0 has given up."""
    yield {"X-Emby-Token": token}, {}
    yield {"X-MediaBrowser-Token": token}, {}
    yield {"X-Emby-Authorization": f'MediaBrowser Token="{token}"'}, {}
    yield {"Authorization": f'Emby Token="{token}"'}, {}
    yield {}, {"api_key": token}


async def test_older_forms_of_authorization(
    version: JellyfinVersion, session: aiohttp.ClientSession
) -> None:
    async with unchecked(version) as jellyfin:
        token = jellyfin.sign_in(jellyfin.add_user("alice"))
        client = Client(session, jellyfin)
        for headers, params in older_forms(token):
            status, _ = await client.ask("GET", "/Users/Me", headers=headers, **params)
            assert status == (200 if version == JELLYFIN_10_11 else 401), (
                headers or params
            )
        # Neither of these is one of them.
        status, _ = await client.ask("GET", "/Users/Me", headers={}, ApiKey=token)
        assert status == 200
        headers = {"Authorization": f"MediaBrowser Token={token}"}
        assert (await client.ask("GET", "/Users/Me", headers=headers))[0] == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "MediaBrowser",
        'MediaBrowser Client="Tests"',
        'MediaBrowser Token=""',
        'MediaBrowser Token="unknown"',
        'Bearer "unknown"',
        'MediaBrowser token="{token}"',
    ],
)
async def test_nothing_to_be_let_in_by(client: Client, header: str) -> None:
    headers = {"Authorization": header.format(token=client.token)}
    assert (await client.ask("GET", "/Users/Me", headers=headers))[0] == 401


async def test_values_are_percent_encoded(
    jellyfin: JellyfinStandIn, client: Client, bob: JellyfinUser
) -> None:
    headers = {
        "Authorization": (
            f'MediaBrowser Device="{quote("Küche, links")}", DeviceId="k", '
            f'Client="Home+Assistant", Version="1"'
        )
    }
    _, answer = await client.ask(
        "POST",
        "/Users/AuthenticateByName",
        json={"Username": "bob", "Pw": "other"},
        headers=headers,
    )
    assert answer["SessionInfo"]["DeviceName"] == "Küche, links"
    assert answer["SessionInfo"]["Client"] == "Home Assistant"


async def test_rights_of_those_who_are_no_administrators(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, bob: JellyfinUser
) -> None:
    client.token = jellyfin.sign_in(bob)
    plugin = f"/Plugins/{PLUGIN_ID}/Configuration"
    for path in ("/Plugins", plugin, "/Library/VirtualFolders"):
        assert (await client.ask("GET", path))[0] == 403
    assert (await client.ask("POST", plugin, json=read({})))[0] == 403
    # The users may be listed by everybody, what they have seen may not.
    assert len(await client.get("/Users")) == 2
    item = jellyfin.items.of(THE_SALT_ROAD).id
    for method, path in (
        ("GET", "/Items"),
        ("GET", f"/Items/{item}"),
        ("POST", f"/UserPlayedItems/{item}"),
        ("DELETE", f"/UserPlayedItems/{item}"),
        ("GET", f"/UserItems/{item}/UserData"),
    ):
        assert (await client.ask(method, path, userId=alice.id))[0] == 403


async def test_unknown_users(
    jellyfin: JellyfinStandIn, client: Client, bob: JellyfinUser
) -> None:
    assert (await client.ask("GET", "/Items", userId="f" * 32))[0] == 404
    assert (await client.ask("GET", "/Items", userId="what"))[0] == 400
    jellyfin.remove_user(bob)
    assert (await client.ask("GET", f"/Users/{bob.id}"))[0] == 404


async def test_users_who_are_hidden(jellyfin: JellyfinStandIn, client: Client) -> None:
    jellyfin.add_user("carol", hidden=True)
    public = await client.get("/Users/Public")
    assert [user["Name"] for user in public] == ["alice"]
    hidden = await client.get("/Users", isHidden="True")
    assert [user["Name"] for user in hidden] == ["carol"]


# --- items ---------------------------------------------------------------------------------


async def test_views_and_folders(jellyfin: JellyfinStandIn, client: Client) -> None:
    views = await client.get("/UserViews")
    assert {view["Name"]: view["CollectionType"] for view in views["Items"]} == {
        "Movies": "movies",
        "Shows": "tvshows",
        "Music": "music",
    }
    folders = await client.get("/Library/VirtualFolders")
    assert [each["ItemId"] for each in folders] == [v["Id"] for v in views["Items"]]
    assert await client.items() == ["Movies", "Shows", "Music"]

    movies, shows, music = (view["Id"] for view in views["Items"])
    assert await client.items(parentId=movies) == ["The Salt Road", "Paper Orchard"]
    assert await client.items(parentId=shows) == ["Harbour Lights"]
    found = await client.items(
        parentId=music, recursive="true", includeItemTypes="Audio"
    )
    assert found == ["Slow Ferry"]
    counts = await client.get("/Items/Counts")
    assert (counts["MovieCount"], counts["EpisodeCount"]) == (2, 3)


async def test_an_item_with_all_there_is_to_say(
    jellyfin: JellyfinStandIn, client: Client
) -> None:
    episode = await client.get(f"/Items/{jellyfin.items.of(LOW_WATER).id}")
    assert episode["Type"] == "Episode"
    assert (episode["ParentIndexNumber"], episode["IndexNumber"]) == (2, 3)
    assert episode["RunTimeTicks"] == 48 * 60 * TICKS
    assert episode["ProviderIds"] == {
        "Imdb": "tt9471209",
        "Tmdb": "4712093",
        "Tvdb": "9712094",
    }
    assert episode["ParentId"] == episode["SeasonId"]
    assert episode["PremiereDate"] == "2022-10-02T00:00:00.0000000Z"

    series = await client.get(f"/Items/{episode['SeriesId']}")
    assert (series["Name"], series["Type"]) == ("Harbour Lights", "Series")
    track = await client.get(f"/Items/{jellyfin.items.of(SLOW_FERRY).id}")
    assert track["ProviderIds"]["MusicBrainzTrack"] == SLOW_FERRY.musicbrainz
    assert track["AlbumId"] == jellyfin.items.of(TIDEWATER).id

    assert (await client.ask("GET", f"/Items/{'0' * 31}1"))[0] == 404
    assert (await client.ask("GET", "/Items/nonsense"))[0] == 400


async def test_fields_have_to_be_asked_for(client: Client) -> None:
    params = {"recursive": "true", "includeItemTypes": "Movie", "limit": "1"}
    (plain,) = (await client.get("/Items", **params))["Items"]
    assert not plain.keys() & {"ProviderIds", "Overview", "Path", "DateCreated"}
    params |= {"fields": "ProviderIds,Path,Nonsense"}
    jellyfin = client.jellyfin
    answer = await client.get("/Items", **params)
    assert answer["Items"][0]["ProviderIds"]["Tmdb"] == "918273"
    assert answer["TotalRecordCount"] == 2
    # The server leaves out what it does not know, the description has it wrong.
    if jellyfin.validates:
        (problem,) = jellyfin.problems
        assert "Nonsense" in problem
        jellyfin.problems.clear()


async def test_looking_for_items(jellyfin: JellyfinStandIn, client: Client) -> None:
    items = jellyfin.items
    everything = {"recursive": "true"}
    assert len(await client.items(**everything)) == 11
    found = await client.items(**everything, includeItemTypes="Movie,Series")
    assert found == ["The Salt Road", "Paper Orchard", "Harbour Lights"]
    assert await client.items(**everything, includeItemTypes="BoxSet") == []
    assert await client.items(**everything, mediaTypes="Audio") == ["Slow Ferry"]
    assert await client.items(**everything, searchTerm="salt") == ["The Salt Road"]
    assert await client.items(**everything, hasTvdbId="false", isMovie="true") == [
        "Paper Orchard"
    ]
    ids = f"{items.of(LOW_WATER).id},{items.of(PAPER_ORCHARD).id},{'1' * 32}"
    assert await client.items(ids=ids) == ["Paper Orchard", "Low Water"]

    series = items.of(HARBOUR_LIGHTS).id
    assert await client.items(parentId=series) == ["Season 2", "Season 1"]
    of_series = {"parentId": series, "recursive": "true", "includeItemTypes": "Episode"}
    assert await client.items(**of_series, sortBy="SortName") == [
        "The Pilot Boat",
        "Low Water",
        "Fog Signal",
    ]
    assert await client.items(**of_series, parentIndexNumber="2", indexNumber="4") == [
        "Fog Signal"
    ]
    newest_first = {"sortBy": "PremiereDate,SortName", "sortOrder": "Descending"}
    assert (await client.items(**of_series, **newest_first))[0] == "Fog Signal"
    answer = await client.get(
        "/Items", **everything, limit="2", enableTotalRecordCount="false"
    )
    assert answer["TotalRecordCount"] == 2
    assert (await client.ask("GET", "/Items", limit="many"))[0] == 400


async def test_there_is_no_looking_up_by_external_id(
    version: JellyfinVersion, session: aiohttp.ClientSession
) -> None:
    async with unchecked(version) as jellyfin:
        client = Client(session, jellyfin, jellyfin.api_key())
        found = await client.items(
            recursive="true", includeItemTypes="Movie", anyProviderIdEquals="tmdb.1"
        )
        assert found == ["The Salt Road", "Paper Orchard"]


async def test_what_came_since(
    jellyfin: JellyfinStandIn, client: Client, clock: Clock
) -> None:
    clock.move(hours=1)
    since = {"recursive": "true", "minDateLastSaved": "2026-11-20T20:30:00Z"}
    assert await client.items(**since) == []
    await jellyfin.add(NINTH_MERIDIAN)
    assert await client.items(**since) == ["Ninth Meridian"]
    jellyfin.items.touch(LOW_WATER, clock())
    assert await client.items(**since) == ["Ninth Meridian", "Low Water"]
    # What a user did is no news about the item.
    await jellyfin.mark_played(PAPER_ORCHARD, *_users(jellyfin))
    assert await client.items(**since) == ["Ninth Meridian", "Low Water"]


def _users(jellyfin: JellyfinStandIn) -> list[JellyfinUser]:
    return [account.user for account in jellyfin.accounts.users.values()]


async def test_titles_without_ids_or_without_length(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser
) -> None:
    reel = Movie(
        "Reel",
        1931,
        ids=ExternalIds(imdb="tt0021000"),
        runtime=timedelta(),
        released=datetime(1931, 5, 4, tzinfo=UTC).date(),
    )
    await jellyfin.add(reel, has_ids=False)
    item = await client.get(f"/Items/{jellyfin.items.of(reel).id}")
    assert item["ProviderIds"] == {}
    assert "RunTimeTicks" not in item
    jellyfin.items.identify(reel, jellyfin.now())
    item = await client.get(f"/Items/{item['Id']}")
    assert item["ProviderIds"] == {"Imdb": "tt0021000"}


async def test_images(
    jellyfin: JellyfinStandIn, session: aiohttp.ClientSession
) -> None:
    client = Client(session, jellyfin)
    items = jellyfin.items
    pictures = set()
    for title in (THE_SALT_ROAD, LOW_WATER):
        path = f"/Items/{items.of(title).id}/Images/Primary"
        status, picture = await client.ask("GET", path, headers={}, maxWidth="300")
        assert status == 200
        assert picture.startswith(b"\xff\xd8\xff")
        assert picture.endswith(b"\xff\xd9")
        assert len(picture) < 1000
        pictures.add(picture)
        assert (await client.ask("HEAD", path))[0] == 200
    assert len(pictures) == 2
    for path in (
        f"/Items/{items.of(SLOW_FERRY).id}/Images/Primary",
        f"/Items/{items.of(THE_SALT_ROAD).id}/Images/Logo",
        f"/Items/{'1' * 32}/Images/Primary",
    ):
        assert (await client.ask("GET", path))[0] == 404


async def test_a_large_library_pages_fast(session: aiohttp.ClientSession) -> None:
    library = Library(movies=1_000, episodes=10_000, tracks=500)
    async with JellyfinStandIn(library=library) as jellyfin:
        alice = jellyfin.add_user("alice")
        client = Client(session, jellyfin, jellyfin.sign_in(alice))
        jellyfin.seed_history(alice, 8_000, until=jellyfin.now())
        wanted = {"recursive": "true", "includeItemTypes": "Movie,Episode"}
        seen: list[str] = []
        began = asyncio.get_running_loop().time()
        while True:
            page = await client.get(
                "/Items",
                **wanted,
                fields="ProviderIds",
                startIndex=str(len(seen)),
                limit="1000",
            )
            seen += [item["Id"] for item in page["Items"]]
            if len(seen) == page["TotalRecordCount"]:
                break
        assert len(set(seen)) == 11_000
        history = {**wanted, "isPlayed": "true", "sortBy": "DatePlayed"}
        newest = {**history, "sortOrder": "Descending", "limit": "500"}
        dates: list[str] = []
        for start in range(0, 8_000, 2_000):
            page = await client.get("/Items", **newest, startIndex=str(start))
            assert page["TotalRecordCount"] == 8_000
            dates += [item["UserData"]["LastPlayedDate"] for item in page["Items"]]
        assert dates == sorted(dates, reverse=True)
        assert asyncio.get_running_loop().time() - began < 15

        episode = library.episodes[9_876]
        found = await client.get(f"/Items/{jellyfin.items.of(episode).id}")
        assert (found["Name"], found["IndexNumber"]) == (episode.title, episode.number)
        in_season = await client.items(parentId=found["SeasonId"], limit="1")
        assert len(in_season) == 1


async def test_adding_to_and_removing_from_a_large_library(
    version: JellyfinVersion, session: aiohttp.ClientSession
) -> None:
    library = Library(movies=3, episodes=100)
    async with JellyfinStandIn(version=version, library=library) as jellyfin:
        client = Client(session, jellyfin, jellyfin.api_key())
        show = library.shows[0]
        numbers = library.episodes_of_show(0)
        extra = Episode(
            show,
            1,
            900,
            "Extra",
            ids=ExternalIds(),
            runtime=timedelta(minutes=20),
            aired=show.premiered,
        )
        await jellyfin.add(extra)
        of_show = {
            "parentId": jellyfin.items.of(show).id,
            "recursive": "true",
            "includeItemTypes": "Episode",
        }
        names = await client.items(**of_show)
        assert len(names) == len(numbers) + 1
        assert names[-1] == "Extra"

        await jellyfin.remove(show)
        assert await client.items(**of_show) == []
        left = await client.items(recursive="true", includeItemTypes="Episode")
        assert len(left) == 100 - len(numbers)
        with pytest.raises(KeyError):
            jellyfin.items.of(extra)


async def test_trailers_are_in_no_list(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, hooked: Receiver
) -> None:
    await jellyfin.add(NINTH_MERIDIAN_TRAILER)
    hooked.take()
    assert len(await client.items(recursive="true")) == 11
    await jellyfin.play(NINTH_MERIDIAN_TRAILER, alice)
    _, start = hooked.take()
    assert (start["ItemType"], start["NotificationType"]) == ("Video", "PlaybackStart")


# --- what users have seen ------------------------------------------------------------------


async def test_marking_as_played(
    jellyfin: JellyfinStandIn, client: Client, clock: Clock
) -> None:
    item = jellyfin.items.of(THE_SALT_ROAD).id
    path = f"/UserPlayedItems/{item}"

    # A date counts once more, whatever was there before.
    status, data = await client.ask("POST", path, datePlayed="2026-10-01T19:00:00Z")
    assert status == 200
    assert (data["Played"], data["PlayCount"]) == (True, 1)
    assert data["LastPlayedDate"] == "2026-10-01T19:00:00.0000000Z"
    _, data = await client.ask("POST", path, datePlayed="2026-09-01T21:00:00+02:00")
    assert (data["PlayCount"], data["LastPlayedDate"]) == (
        2,
        "2026-09-01T19:00:00.0000000Z",
    )
    # Without one nothing is counted, and the older date stays.
    _, data = await client.ask("POST", path)
    assert (data["PlayCount"], data["LastPlayedDate"]) == (
        2,
        "2026-09-01T19:00:00.0000000Z",
    )

    _, data = await client.ask("DELETE", path)
    assert (data["Played"], data["PlayCount"]) == (False, 0)
    assert "LastPlayedDate" not in data
    _, data = await client.ask("POST", path)
    assert (data["PlayCount"], data["LastPlayedDate"]) == (
        1,
        "2026-11-20T20:15:02.123456Z",
    )
    assert await client.get(f"/UserItems/{item}/UserData") == data
    assert (await client.ask("POST", f"/UserPlayedItems/{'1' * 32}"))[0] == 404
    assert (await client.ask("POST", path, datePlayed="yesterday"))[0] == 400


async def test_marking_a_season(
    jellyfin: JellyfinStandIn, client: Client, hooked: Receiver
) -> None:
    season = jellyfin.items.of(Season(HARBOUR_LIGHTS, 2))
    _, data = await client.ask("POST", f"/UserPlayedItems/{season.id}")
    assert (data["Played"], data["UnplayedItemCount"]) == (True, 0)
    await jellyfin.delivered()
    events = hooked.take()
    assert sorted(event["Name"] for event in events) == ["Fog Signal", "Low Water"]
    assert {event["SaveReason"] for event in events} == {"TogglePlayed"}

    seen = {"recursive": "true", "isPlayed": "true"}
    found = await client.items(**seen)
    assert found == ["Season 2", "Low Water", "Fog Signal"]
    params = {
        "recursive": "true",
        "filters": "IsUnplayed",
        "includeItemTypes": "Episode",
    }
    assert await client.items(**params) == ["The Pilot Boat"]


async def test_saving_what_a_user_did_as_it_is_given(
    jellyfin: JellyfinStandIn, client: Client, hooked: Receiver
) -> None:
    item = jellyfin.items.of(THE_SALT_ROAD).id
    path = f"/UserItems/{item}/UserData"
    given = {"LastPlayedDate": "2020-02-02T20:00:00Z", "Played": True, "Rating": 8.5}
    status, data = await client.ask("POST", path, json=given)
    assert status == 200
    assert (data["Played"], data["PlayCount"], data["Rating"]) == (True, 0, 8.5)
    assert data["LastPlayedDate"] == "2020-02-02T20:00:00.0000000Z"
    await jellyfin.delivered()
    (event,) = hooked.take()
    assert (event["SaveReason"], event["Rating"]) == ("UpdateUserData", 8.5)
    assert (await client.ask("POST", path, json={"PlayCount": "x"}))[0] == 400


async def test_each_user_has_seen_something_else(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, bob: JellyfinUser
) -> None:
    await jellyfin.mark_played(THE_SALT_ROAD, alice)
    await jellyfin.mark_played(PAPER_ORCHARD, bob)
    await jellyfin.favor(LOW_WATER, bob)
    seen = {"recursive": "true", "isPlayed": "true"}
    assert await client.items(**seen) == ["The Salt Road"]
    assert await client.items(**seen, userId=bob.id) == ["Paper Orchard"]
    liked = {"recursive": "true", "isFavorite": "true"}
    assert await client.items(**liked, userId=bob.id) == ["Low Water"]


# --- playing -------------------------------------------------------------------------------


async def test_sessions(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, bob: JellyfinUser
) -> None:
    tv = JellyfinDevice("TV", "tv-1", "Jellyfin Web")
    await jellyfin.play(LOW_WATER, alice, bob, device=tv)
    await jellyfin.pause(timedelta(minutes=10), device=tv)

    assert len(await client.get("/Sessions")) == 2
    (session,) = await client.get("/Sessions", deviceId="tv-1")
    assert (session["UserName"], session["Client"]) == ("alice", "Jellyfin Web")
    assert [user["UserName"] for user in session["AdditionalUsers"]] == ["Bob"]
    assert session["NowPlayingItem"]["SeriesName"] == "Harbour Lights"
    assert session["NowPlayingItem"]["ProviderIds"]["Tvdb"] == "9712094"
    assert session["PlayState"]["PositionTicks"] == 600 * TICKS
    assert session["PlayState"]["IsPaused"]

    await jellyfin.resume(device=tv)
    (session,) = await client.get("/Sessions", deviceId="tv-1")
    assert not session["PlayState"]["IsPaused"]
    await jellyfin.stop_playing(timedelta(minutes=20), device=tv)
    (session,) = await client.get("/Sessions", deviceId="tv-1")
    assert "NowPlayingItem" not in session

    # Those who are no administrators see their own.
    carol = jellyfin.add_user("carol")
    client.token = jellyfin.sign_in(carol, "phone")
    sessions = await client.get("/Sessions")
    assert [session["DeviceId"] for session in sessions] == ["phone"]


async def test_playing_to_the_end(
    jellyfin: JellyfinStandIn,
    alice: JellyfinUser,
    hooked: Receiver,
    version: JellyfinVersion,
) -> None:
    await jellyfin.play(THE_SALT_ROAD, alice)
    saved, start = hooked.take()
    assert (saved["SaveReason"], saved["PlayCount"], saved["Played"]) == (
        "PlaybackStart",
        1,
        False,
    )
    assert start["NotificationType"] == "PlaybackStart"
    assert start["ItemId"] == start["MediaSourceId"]
    assert start["ItemId"] == jellyfin.items.of(THE_SALT_ROAD).id
    assert start["ServerVersion"] == str(version)
    assert (start["NotificationUsername"], start["UserId"]) == ("alice", alice.id)

    await jellyfin.progress(timedelta(minutes=5))
    saved, progress = hooked.take()
    # Not yet 5 %: no position is kept, the event has it all the same.
    assert (saved["PlaybackPositionTicks"], progress["PlaybackPositionTicks"]) == (
        0,
        300 * TICKS,
    )
    await jellyfin.tick()
    (progress,) = hooked.take()
    assert progress["IsAutomated"]
    assert progress["PlaybackPositionTicks"] == 301 * TICKS
    await jellyfin.pause(timedelta(minutes=60))
    saved, progress = hooked.take()
    assert progress["IsPaused"]
    assert saved["PlaybackPositionTicks"] == 3600 * TICKS

    deliveries = await jellyfin.finish()
    assert [delivery.status for delivery in deliveries] == [200, 200]
    assert deliveries[-1].answer == {"outcome": "recorded"}
    saved, stop = hooked.take()
    assert (saved["SaveReason"], saved["Played"], saved["PlayCount"]) == (
        "PlaybackFinished",
        True,
        1,
    )
    assert stop["PlayedToCompletion"]

    # Once more: 10.11 forgets at the start that it has been seen.
    await jellyfin.play(THE_SALT_ROAD, alice)
    saved, _ = hooked.take()
    assert (saved["Played"], saved["PlayCount"]) == (version != JELLYFIN_10_11, 2)


@pytest.mark.parametrize(
    ("minutes", "runtime", "completed", "kept"),
    [
        (20, 100, False, 20),
        (90, 100, False, 90),
        (91, 100, True, 0),
        (4, 100, False, 0),
        (1, 4, True, 0),
        (0, 100, False, 0),
        (0, 0, True, 0),
    ],
)
async def test_what_counts_as_seen(
    jellyfin: JellyfinStandIn,
    alice: JellyfinUser,
    hooked: Receiver,
    minutes: int,
    runtime: int,
    completed: bool,
    kept: int,
) -> None:
    movie = Movie(
        "Yardstick",
        2001,
        ids=ExternalIds(),
        runtime=timedelta(minutes=runtime),
        released=datetime(2001, 1, 1, tzinfo=UTC).date(),
    )
    jellyfin.items.add(movie, jellyfin.now())
    await jellyfin.play(movie, alice)
    await jellyfin.stop_playing(timedelta(minutes=minutes))
    stop = hooked.take()[-1]
    assert stop["PlayedToCompletion"] is completed
    assert stop["PlaybackPositionTicks"] == minutes * 60 * TICKS
    data = jellyfin.data_of(alice, movie)
    assert (data.played, data.position) == (completed, kept * 60 * TICKS)


async def test_music_is_seen_when_it_starts(
    jellyfin: JellyfinStandIn, alice: JellyfinUser
) -> None:
    await jellyfin.play(SLOW_FERRY, alice)
    assert jellyfin.data_of(alice, SLOW_FERRY).played


async def test_one_request_for_each_user(
    jellyfin: JellyfinStandIn,
    alice: JellyfinUser,
    bob: JellyfinUser,
    receiver: Receiver,
) -> None:
    jellyfin.plugin.add_generic(receiver.url, ["PlaybackStart", "PlaybackStop"])
    await jellyfin.play(LOW_WATER, alice, bob)
    await jellyfin.finish()
    assert [event["NotificationUsername"] for event in receiver.events] == [
        "alice",
        "Bob",
        "alice",
        "Bob",
    ]
    assert len({event["Id"] for event in receiver.events}) == 1
    assert jellyfin.data_of(bob, LOW_WATER).played


# --- versions ------------------------------------------------------------------------------

TWO_VERSIONS = (THE_SALT_ROAD, LOW_WATER)
A_WHILE_AGO = datetime(2026, 10, 11, 20, tzinfo=UTC)


def brief(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return what is told of user data, in short."""
    names = ("ItemId", "SaveReason", "Played", "PlayCount", "LastPlayedDate")
    return tuple(event.get(name) for name in names)


@pytest.mark.parametrize("title", TWO_VERSIONS)
async def test_a_rewatch_of_one_version_toggles_the_others_at_each_report(
    jellyfin: JellyfinStandIn,
    client: Client,
    alice: JellyfinUser,
    hooked: Receiver,
    clock: Clock,
    title: Movie | Episode,
) -> None:
    await jellyfin.add_version(title, "4K")
    first, other = jellyfin.items.of(title).id, jellyfin.items.version(title, "4K").id
    await jellyfin.mark_played(title, alice, at=A_WHILE_AGO)
    hooked.take()
    await jellyfin.play(title, alice, version="4K")
    began = clock()
    clock.move(minutes=10)
    await jellyfin.progress(timedelta(minutes=10))
    events = hooked.take()
    saved = [brief(event) for event in events if "SaveReason" in event]
    played = [event for event in events if "SaveReason" not in event]
    if jellyfin.version == JELLYFIN_10_11:
        # An episode's second file is an item by itself, a film's has no user data.
        item = first if isinstance(title, Movie) else other
        count = 2 if isinstance(title, Movie) else 1
        when = written(began)
        assert saved == [
            (item, "PlaybackStart", False, count, when),
            (item, "PlaybackProgress", False, count, when),
        ]
        assert {event["ItemId"] for event in played} == {item}
        assert {event["MediaSourceId"] for event in played} == {other}
        return
    assert saved == [
        (other, "PlaybackStart", True, 1, written(began)),
        (other, "PlaybackProgress", True, 1, written(began)),
        (first, "TogglePlayed", True, 1, written(A_WHILE_AGO)),
    ]
    assert {event["ItemId"] for event in played} == {first}
    assert {event["MediaSourceId"] for event in played} == {other}
    # The one that stands for both shows its own count and the latest date of all.
    data = await client.get(f"/UserItems/{first}/UserData")
    assert (data["PlayCount"], data["LastPlayedDate"]) == (1, written(began))
    await jellyfin.finish()
    reasons = [event.get("SaveReason") for event in hooked.take()]
    assert reasons == ["PlaybackFinished", "TogglePlayed", None]


async def test_what_was_never_seen_is_not_toggled_before_its_end(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver
) -> None:
    await jellyfin.add_version(LOW_WATER, "4K")
    hooked.take()
    await jellyfin.play(LOW_WATER, alice)
    await jellyfin.progress(timedelta(minutes=30))
    assert "TogglePlayed" not in [event.get("SaveReason") for event in hooked.take()]
    await jellyfin.finish()
    toggled = [brief(e) for e in hooked.take() if e.get("SaveReason") == "TogglePlayed"]
    if jellyfin.version == JELLYFIN_10_11:
        assert not toggled
        return
    other = jellyfin.items.version(LOW_WATER, "4K").id
    assert toggled == [(other, "TogglePlayed", True, 0, None)]


async def test_the_latest_date_of_all_versions_sorts_a_list(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, clock: Clock
) -> None:
    await jellyfin.add_version(THE_SALT_ROAD, "4K")
    await jellyfin.mark_played(THE_SALT_ROAD, alice, at=A_WHILE_AGO)
    await jellyfin.mark_played(PAPER_ORCHARD, alice, at=A_WHILE_AGO + timedelta(days=1))
    newest = {"sortBy": "DatePlayed", "sortOrder": "Descending", "isPlayed": "true"}
    movies = {"recursive": "true", "includeItemTypes": "Movie"}
    assert (await client.items(**movies, **newest))[0] == "Paper Orchard"
    await jellyfin.mark_played(THE_SALT_ROAD, alice, at=clock(), version="4K")
    answer = await client.get("/Items", **movies, **newest)
    films = [item["Name"] for item in answer["Items"]]
    if jellyfin.version == JELLYFIN_10_11:
        assert films == ["Paper Orchard", "The Salt Road"]
        return
    assert films == ["The Salt Road", "Paper Orchard"]
    data = answer["Items"][0]["UserData"]
    assert (data["PlayCount"], data["LastPlayedDate"]) == (1, written(clock()))


async def test_two_files_of_an_episode(
    jellyfin: JellyfinStandIn, client: Client, hooked: Receiver
) -> None:
    await jellyfin.add_version(LOW_WATER, "4K", has_ids=False)
    (added,) = hooked.take()
    assert added["Name"] == "Harbour Lights - S02E03 - 4K"
    assert not any(key.startswith("Provider_") for key in added)
    episodes = {"recursive": "true", "includeItemTypes": "Episode"}
    names = await client.items(**episodes)
    listed = added["Name"] in names
    assert listed is (jellyfin.version == JELLYFIN_10_11)
    season = jellyfin.items.of(Season(HARBOUR_LIGHTS, 2)).id
    assert len(await client.items(parentId=season)) == (3 if listed else 2)


# --- seasons -------------------------------------------------------------------------------

WINTER_LIGHTS = Episode(
    HARBOUR_LIGHTS,
    0,
    5,
    "Winter Lights",
    ids=ExternalIds(tmdb=4712999),
    runtime=timedelta(minutes=20),
    aired=date(2022, 12, 24),
)


async def test_a_special_in_the_folder_of_a_season(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, hooked: Receiver
) -> None:
    season = Season(HARBOUR_LIGHTS, 2)
    await jellyfin.add(WINTER_LIGHTS, folder=season)
    hooked.take()
    await jellyfin.mark_played(WINTER_LIGHTS, alice)
    (event,) = hooked.take()
    before_12 = jellyfin.version == JELLYFIN_10_11
    number = 2 if before_12 else 0
    assert (event["SeasonNumber"], event["EpisodeNumber"]) == (number, 5)
    item = await client.get(f"/Items/{event['ItemId']}")
    assert (item["ParentIndexNumber"], item["IndexNumber"]) == (0, 5)
    assert item["SeasonName"] == ("Season 2" if before_12 else "Specials")
    assert item["SeasonId"] == event["SeasonId"]
    await jellyfin.mark_played(season, alice)
    assert ("Winter Lights" in [e["Name"] for e in hooked.take()]) is before_12


async def test_an_episode_in_no_season(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver
) -> None:
    await jellyfin.add(WINTER_LIGHTS, folder=HARBOUR_LIGHTS)
    hooked.take()
    await jellyfin.mark_played(WINTER_LIGHTS, alice)
    (event,) = hooked.take()
    in_a_season = jellyfin.version != JELLYFIN_10_11
    assert ("SeasonNumber" in event) is ("SeasonNumber00" in event) is in_a_season
    assert event["SeriesName"] == "Harbour Lights"


# --- dates of marks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "meant", "misread"),
    [
        ("2023-03-04T21:10:00.000Z", "21:10", "21:10"),
        ("2023-03-04T21:10:00+05:00", "16:10", "16:10"),
        ("2023-03-04T21:10:00", "20:10", "21:10"),
        ("20230304211000", "21:10", "22:10"),
    ],
)
async def test_dates_of_marks_are_read_in_the_time_zone_of_the_server(
    jellyfin: JellyfinStandIn,
    client: Client,
    hooked: Receiver,
    given: str,
    meant: str,
    misread: str,
) -> None:
    jellyfin.server.timezone = ZoneInfo("Europe/Amsterdam")
    item = jellyfin.items.of(THE_SALT_ROAD).id
    path = f"/UserPlayedItems/{item}"
    status, data = await client.ask("POST", path, datePlayed=given)
    assert status == 200
    await jellyfin.delivered()
    (event,) = hooked.take()
    kept = misread if jellyfin.version == JELLYFIN_10_11 else meant
    assert data["LastPlayedDate"] == f"2023-03-04T{kept}:00.0000000Z"
    assert event["LastPlayedDate"] == f"2023-03-04T{misread}:00.0000000Z"
    if "Z" not in given and "+" not in given:
        # The server takes these, the description does not know them.
        jellyfin.problems.clear()
    # The next mark, without a date, tells what was kept.
    await client.ask("POST", path)
    await jellyfin.delivered()
    (event,) = hooked.take()
    assert event["LastPlayedDate"] == data["LastPlayedDate"]


# --- the server itself, and players that are silent --------------------------------------------


async def test_the_server_tells_each_second_of_what_plays(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver, clock: Clock
) -> None:
    await jellyfin.play(SLOW_FERRY, alice)
    await jellyfin.progress(timedelta(minutes=2))
    reported = clock()
    hooked.take()
    clock.move(seconds=2)
    await jellyfin.tick(2)
    events = hooked.take()
    assert [event["IsAutomated"] for event in events] == [True, True]
    assert [event["PlaybackPosition"] for event in events] == ["00:02:01", "00:02:02"]
    assert {event["LastPlaybackCheckIn"] for event in events} == {written(reported)}
    assert {event["LastActivityDate"] for event in events} == {written(clock())}

    # Nothing of what is paused, and nothing beyond the end.
    await jellyfin.pause()
    (_, event) = hooked.take()
    assert (event["IsAutomated"], event["IsPaused"]) == (False, True)
    await jellyfin.tick(3)
    assert not hooked.take()
    await jellyfin.resume(SLOW_FERRY.runtime - timedelta(seconds=2))
    hooked.take()
    await jellyfin.tick(3)
    assert [event["PlaybackPosition"] for event in hooked.take()] == ["00:04:36"]


async def test_a_player_that_vanishes_is_stopped_by_the_server(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver, clock: Clock
) -> None:
    await jellyfin.play(LOW_WATER, alice, position=timedelta(minutes=42))
    await jellyfin.progress(timedelta(minutes=43))
    reported = clock()
    clock.move(minutes=5)
    await jellyfin.tick(300)
    ran_on = clock()
    hooked.take()
    assert not await jellyfin.stop_idle()
    clock.move(seconds=1)
    await jellyfin.stop_idle()
    saved, stop = hooked.take()
    assert stop["LastPlaybackCheckIn"] == written(reported)
    assert stop["LastActivityDate"] == written(ran_on)
    assert not stop["IsAutomated"]
    runs_on = jellyfin.version == JELLYFIN_10_11
    assert stop["PlaybackPosition"] == ("00:47:59" if runs_on else "00:43:00")
    assert stop["PlayedToCompletion"] is saved["Played"] is runs_on
    assert not await jellyfin.stop_idle()


async def test_a_paused_player_that_was_stopped_goes_on_without_a_start(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver, clock: Clock
) -> None:
    await jellyfin.play(SLOW_FERRY, alice)
    await jellyfin.pause(timedelta(minutes=3))
    paused = clock()
    hooked.take()
    clock.move(minutes=7)
    await jellyfin.tick(10)
    await jellyfin.stop_idle()
    _, stop = hooked.take()
    assert (stop["PlayedToCompletion"], stop["PlaybackPosition"]) == (True, "00:03:00")
    assert stop["LastActivityDate"] == written(paused)
    await jellyfin.pause(timedelta(minutes=3))
    saved, progress = hooked.take()
    assert (saved["SaveReason"], saved["PlayCount"]) == ("PlaybackProgress", 1)
    assert progress["NotificationType"] == "PlaybackProgress"
    assert progress["IsPaused"]
    clock.move(minutes=7)
    await jellyfin.stop_idle()
    assert [e["NotificationType"] for e in hooked.take()][-1] == "PlaybackStop"


# --- ways to stop ------------------------------------------------------------------------------


async def test_a_stop_without_a_position_is_the_end(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver
) -> None:
    await jellyfin.play(THE_SALT_ROAD, alice)
    await jellyfin.progress(timedelta(minutes=30))
    hooked.take()
    await jellyfin.stop_playing(tells_position=False)
    saved, stop = hooked.take()
    assert (saved["Played"], saved["PlayCount"]) == (True, 2)
    assert (stop["PlayedToCompletion"], stop["PlaybackPositionTicks"]) == (True, 0)


async def test_a_stop_that_failed_saves_nothing(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver
) -> None:
    await jellyfin.play(THE_SALT_ROAD, alice)
    hooked.take()
    await jellyfin.stop_playing(timedelta(minutes=110), failed=True)
    (stop,) = hooked.take()
    assert (stop["PlayedToCompletion"], stop["PlaybackPosition"]) == (False, "01:50:00")
    assert not jellyfin.data_of(alice, THE_SALT_ROAD).played


async def test_a_start_stops_nothing(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver
) -> None:
    await jellyfin.play(LOW_WATER, alice)
    await jellyfin.play(FOG_SIGNAL, alice)
    assert "PlaybackStop" not in hooked.names


async def test_the_two_events_of_a_report_come_in_either_order(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver
) -> None:
    await jellyfin.play(LOW_WATER, alice)
    assert hooked.names == ["UserDataSaved", "PlaybackStart"]
    hooked.take()
    jellyfin.tell_playback_first()
    await jellyfin.finish()
    assert hooked.names == ["PlaybackStop", "UserDataSaved"]


async def test_every_start_of_a_track_counts(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver
) -> None:
    for count in (1, 2):
        await jellyfin.play(SLOW_FERRY, alice)
        await jellyfin.stop_playing(timedelta(seconds=6))
        started, _, _, stop = hooked.take()
        assert (started["Played"], started["PlayCount"]) == (True, count)
        assert not stop["PlayedToCompletion"]


# --- the plugin ----------------------------------------------------------------------------


async def test_plugins(jellyfin: JellyfinStandIn, client: Client) -> None:
    plugins = {plugin["Name"]: plugin for plugin in await client.get("/Plugins")}
    assert plugins["Webhook"]["Id"] == PLUGIN_ID
    assert plugins["Webhook"]["Status"] == "Active"
    jellyfin.plugin.installed = False
    assert len(await client.get("/Plugins")) == 1
    path = f"/Plugins/{PLUGIN_ID}/Configuration"
    assert (await client.ask("GET", path))[0] == 404


async def test_configuration_is_replaced_as_a_whole(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, receiver: Receiver
) -> None:
    # With dashes and capitals it is the same plugin.
    path = "/Plugins/71552A5A-5C5C-4350-A2AE-EBE451A30173/Configuration"
    configuration = await client.get(path)
    assert configuration == read({})
    assert configuration["GenericOptions"] == []
    configuration["GenericOptions"].append(
        {
            "WebhookName": "Media Scrobbler",
            "WebhookUri": receiver.url,
            "NotificationTypes": ["PlaybackStop", "UserDataSaved"],
            "EnableMovies": True,
            "SendAllProperties": True,
            "Unheard": "of",
            "UserFilter": ["7156a924-cf3d-9399-9d7d-9ac0f576c456", alice.id],
            "Headers": [{"Key": "Content-Type", "Value": "application/json"}],
        }
    )
    assert await client.ask("POST", path, json=configuration) == (204, b"")

    kept = (await client.get(path))["GenericOptions"][0]
    assert "Unheard" not in kept
    assert kept["EnableWebhook"] is True
    assert kept["EnableEpisodes"] is False
    assert kept["UserFilter"][0] == "7156a924cf3d93999d7d9ac0f576c456"

    await jellyfin.mark_played(THE_SALT_ROAD, alice)
    assert receiver.names == ["UserDataSaved"]
    assert receiver.headers[0]["Content-Type"] == "application/json; charset=utf-8"

    assert (await client.ask("POST", path, json={}))[0] == 204
    assert (await client.get(path))["GenericOptions"] == []


@pytest.mark.parametrize(
    "configuration",
    [
        [],
        {"GenericOptions": {}},
        {"GenericOptions": ["text"]},
        {"GenericOptions": [{"NotificationTypes": ["MarkPlayed"]}]},
        {"GenericOptions": [{"UserFilter": ["alice"]}]},
        {"GenericOptions": [{"EnableMovies": "yes"}]},
        {"GenericOptions": [{"WebhookUri": 1}]},
        {"GenericOptions": [{"Headers": ["text"]}]},
    ],
)
async def test_configuration_that_the_server_cannot_read(
    jellyfin: JellyfinStandIn, client: Client, configuration: Any
) -> None:
    jellyfin.plugin.add_generic("http://127.0.0.1:1/", ["PlaybackStop"])
    path = f"/Plugins/{PLUGIN_ID}/Configuration"
    assert (await client.ask("POST", path, json=configuration))[0] == 500
    assert len(jellyfin.plugin.generic) == 1


async def test_what_a_destination_wants_to_hear_of(
    jellyfin: JellyfinStandIn,
    alice: JellyfinUser,
    bob: JellyfinUser,
    receiver: Receiver,
) -> None:
    option = jellyfin.plugin.add_generic(
        receiver.url, ["UserDataSaved"], EnableEpisodes=False, UserFilter=[alice.id]
    )
    await jellyfin.mark_played(THE_SALT_ROAD, alice, bob)
    await jellyfin.mark_played(LOW_WATER, alice)
    await jellyfin.play(PAPER_ORCHARD, alice)
    assert [(event["Name"], event["UserId"]) for event in receiver.take()] == [
        ("The Salt Road", alice.id),
        ("Paper Orchard", alice.id),
    ]
    # No user chosen is every user.
    option["UserFilter"] = []
    await jellyfin.mark_played(THE_SALT_ROAD, alice, bob)
    assert len(receiver.take()) == 2
    option["EnableWebhook"] = False
    await jellyfin.mark_played(THE_SALT_ROAD, alice)
    option["EnableWebhook"] = True
    jellyfin.plugin.installed = False
    await jellyfin.mark_played(THE_SALT_ROAD, alice)
    assert not receiver.take()


async def test_bodies_are_those_of_the_plugin(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, receiver: Receiver
) -> None:
    jellyfin.plugin.add_generic(
        receiver.url,
        ["UserDataSaved"],
        Fields=[{"Key": "Kitchen", "Value": "yes"}, {"Key": "", "Value": "no"}],
        Headers=[{"Key": "X-Secret", "Value": "abc"}],
    )
    await jellyfin.mark_played(
        LOW_WATER, alice, at=datetime(2026, 10, 1, 19, tzinfo=UTC)
    )
    (event,) = receiver.events
    assert event["Played"] is True
    assert event["LastPlayedDate"] == "2026-10-01T19:00:00.0000000Z"
    assert event["Provider_tvdb"] == "9712094"
    assert event["SeriesId"] == jellyfin.items.of(HARBOUR_LIGHTS).id
    assert event["Kitchen"] == "yes"
    (headers,) = receiver.headers
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["X-Secret"] == "abc"
    assert headers["User-Agent"] == f"Jellyfin-Server/{jellyfin.server.version}"


async def test_marks_made_over_the_api_are_told(
    jellyfin: JellyfinStandIn, client: Client, hooked: Receiver
) -> None:
    path = f"/UserPlayedItems/{jellyfin.items.of(THE_SALT_ROAD).id}"
    await client.ask("POST", path)
    await client.ask("DELETE", path)
    await jellyfin.delivered()
    on, off = sorted(hooked.events, key=lambda event: not event["Played"])
    assert {on["SaveReason"], off["SaveReason"]} == {"TogglePlayed"}
    assert (on["PlayCount"], off["PlayCount"]) == (1, 0)
    assert "LastPlayedDate" in on
    assert "LastPlayedDate" not in off
    # These come from no device.
    assert not {"DeviceId", "Id"} & on.keys()


async def test_other_versions_of_a_film(
    jellyfin: JellyfinStandIn,
    client: Client,
    alice: JellyfinUser,
    hooked: Receiver,
    version: JellyfinVersion,
) -> None:
    await jellyfin.add_version(THE_SALT_ROAD, "4K")
    hooked.take()
    item = jellyfin.items.of(THE_SALT_ROAD)
    described = await client.get(f"/Items/{item.id}")
    assert described["MediaSourceCount"] == 2
    first, other = (source["Id"] for source in described["MediaSources"])
    assert first == item.id
    assert len(await client.items(recursive="true", includeItemTypes="Movie")) == 2
    assert (await client.get(f"/Items/{other}"))["Name"] == "The Salt Road"

    await jellyfin.mark_played(THE_SALT_ROAD, alice)
    events = hooked.take()
    if version == JELLYFIN_10_11:
        assert [event["ItemId"] for event in events] == [item.id]
        return
    assert [(e["ItemId"], e["Played"], e["PlayCount"]) for e in events] == [
        (item.id, True, 1),
        (other, True, 0),
    ]
    assert {event["SaveReason"] for event in events} == {"TogglePlayed"}
    await client.ask("DELETE", f"/UserPlayedItems/{other}")
    await jellyfin.delivered()
    assert len(hooked.take()) == 2
    assert not jellyfin.data_of(alice, THE_SALT_ROAD).played

    # Playing one to the end marks the others.
    await jellyfin.play(THE_SALT_ROAD, alice)
    await jellyfin.finish()
    events = hooked.take()
    assert [event.get("SaveReason") for event in events] == [
        "PlaybackStart",
        None,
        "PlaybackFinished",
        "TogglePlayed",
        None,
    ]


async def test_additions_and_removals(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver, client: Client
) -> None:
    await jellyfin.add(NINTH_MERIDIAN)
    (added,) = hooked.take()
    assert (added["NotificationType"], added["Name"]) == ("ItemAdded", "Ninth Meridian")
    assert "UserId" not in added
    await jellyfin.mark_played(LOW_WATER, alice)
    hooked.take()
    await jellyfin.remove(HARBOUR_LIGHTS)
    removed = hooked.take()[0]
    assert (removed["NotificationType"], removed["ItemType"]) == (
        "ItemDeleted",
        "Series",
    )
    assert await client.items(recursive="true", includeItemTypes="Episode") == []

    await jellyfin.add(LOW_WATER, has_ids=False)
    added_types = [event["ItemType"] for event in hooked.events]
    assert added_types == ["Series", "Season", "Episode"]
    assert not any(key.startswith("Provider_") for key in hooked.take()[-1])


async def test_templates(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, receiver: Receiver
) -> None:
    template = (
        '{"event":"{{NotificationType}}","id":"{{ItemId}}","played":"{{Played}}",'
        '"name":"{{{Name}}}","none":"{{Provider_none}}"'
        '{{#if_equals ItemType \'movie\'}},"film":1{{else}},"film":0{{/if_equals}}'
        '{{#if_exist SeriesName}},"show":"{{SeriesName}}"{{/if_exist}}}'
    )
    option = jellyfin.plugin.add_generic(
        receiver.url,
        ["UserDataSaved"],
        SendAllProperties=False,
        Template=base64.b64encode(template.encode()).decode(),
    )
    await jellyfin.mark_played(LOW_WATER, alice)
    item = jellyfin.items.of(LOW_WATER).id
    (event,) = receiver.take()
    assert event["id"].replace("-", "") == item
    assert "-" in event["id"]
    assert (event["played"], event["none"]) == ("True", "")
    assert (event["film"], event["show"]) == (0, "Harbour Lights")

    # An empty template is an empty body, unless that is not wanted.
    option["Template"] = ""
    await jellyfin.mark_played(LOW_WATER, alice)
    assert receiver.bodies == [b""]
    option["SkipEmptyMessageBody"] = True
    await jellyfin.mark_played(LOW_WATER, alice)
    assert receiver.bodies == [b""]


def test_templates_escape() -> None:
    properties = {"Name": 'Tom & "Jerry"', "Played": True, "Year": None}
    assert render("{{Name}}|{{{Name}}}|{{Year}}", properties) == (
        'Tom &amp; &quot;Jerry&quot;|Tom & "Jerry"|'
    )
    assert render("{{#if Played}}a{{#if Year}}b{{/if}}c{{/if}}", properties) == "ac"


async def test_receivers_that_are_not_there_cost_the_server_nothing(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, receiver: Receiver
) -> None:
    jellyfin.plugin.add_generic("http://127.0.0.1:1/hook", ["UserDataSaved"])
    jellyfin.plugin.add_generic("no url", ["UserDataSaved"])
    jellyfin.plugin.add_generic(receiver.url, ["UserDataSaved"])
    path = f"/UserPlayedItems/{jellyfin.items.of(THE_SALT_ROAD).id}"
    assert (await client.ask("POST", path))[0] == 200
    deliveries = await jellyfin.delivered()
    assert [delivery.status for delivery in deliveries] == [None, None, 200]
    assert deliveries[0].error


# --- the library, as the server and its plugin tell of it ------------------------------------


async def test_the_plugin_tells_of_what_came_and_went_when_its_task_runs(
    jellyfin: JellyfinStandIn, client: Client, hooked: Receiver
) -> None:
    await jellyfin.add(NINTH_MERIDIAN, announce=False)
    assert not hooked.bodies
    tasks = {task["Key"]: task for task in await client.get("/ScheduledTasks")}
    assert set(tasks) == {"RefreshLibrary", "WebhookItemAdded", "WebhookItemDeleted"}
    path = f"/ScheduledTasks/Running/{tasks['WebhookItemAdded']['Id']}"
    assert "LastExecutionResult" not in tasks["WebhookItemAdded"]
    assert (await client.ask("POST", path))[0] == 204
    await jellyfin.delivered()
    assert [event["Name"] for event in hooked.take()] == ["Ninth Meridian"]
    (task,) = (
        each
        for each in await client.get("/ScheduledTasks")
        if each["Key"] == "WebhookItemAdded"
    )
    assert task["State"] == "Idle"
    assert task["LastExecutionResult"]["Status"] == "Completed"

    await jellyfin.remove(NINTH_MERIDIAN, announce=False)
    await jellyfin.run(TaskKey.ITEMS_ADDED)
    assert not hooked.bodies
    await jellyfin.run(TaskKey.ITEMS_DELETED)
    assert hooked.names == ["ItemDeleted"]
    assert (await client.ask("POST", f"{path[:-32]}{'0' * 32}"))[0] == 404
    jellyfin.plugin.installed = False
    assert len(await client.get("/ScheduledTasks")) == 1


async def test_what_has_no_ids_is_waited_with_for_ten_rounds(
    jellyfin: JellyfinStandIn, hooked: Receiver
) -> None:
    await jellyfin.add(NINTH_MERIDIAN, has_ids=False, announce=False)
    for _ in range(10):
        await jellyfin.run(TaskKey.ITEMS_ADDED)
    assert not hooked.bodies
    await jellyfin.run(TaskKey.ITEMS_ADDED)
    assert hooked.names == ["ItemAdded"]
    hooked.take()
    # With ids it does not wait.
    await jellyfin.remove(NINTH_MERIDIAN)
    await jellyfin.add(NINTH_MERIDIAN, has_ids=False, announce=False)
    await jellyfin.run(TaskKey.ITEMS_ADDED)
    jellyfin.items.identify(NINTH_MERIDIAN, jellyfin.now())
    await jellyfin.run(TaskKey.ITEMS_ADDED)
    assert hooked.names == ["ItemDeleted", "ItemAdded"]


async def test_what_went_before_it_was_told_of_ends_a_round(
    jellyfin: JellyfinStandIn, hooked: Receiver
) -> None:
    yardstick = replace(NINTH_MERIDIAN, title="Yardstick")
    await jellyfin.add(NINTH_MERIDIAN, announce=False)
    await jellyfin.add(yardstick, announce=False)
    await jellyfin.remove(NINTH_MERIDIAN, announce=False)
    await jellyfin.run(TaskKey.ITEMS_ADDED)
    assert not hooked.bodies
    await jellyfin.run(TaskKey.ITEMS_ADDED)
    assert [event["Name"] for event in hooked.events] == ["Yardstick"]


async def test_all_that_was_in_a_show_is_told_of_since_12(
    jellyfin: JellyfinStandIn, hooked: Receiver
) -> None:
    await jellyfin.remove(HARBOUR_LIGHTS)
    events = {event["Name"]: event for event in hooked.take()}
    if jellyfin.version == JELLYFIN_10_11:
        assert list(events) == ["Harbour Lights"]
        return
    assert len(events) == 6
    season, episode = events["Season 2"], events["Low Water"]
    assert season["SeasonNumber"] == 2
    assert (episode["EpisodeNumber"], episode["Provider_tvdb"]) == (3, "9712094")
    assert not {"SeriesName", "SeriesId", "Year"} & (season.keys() | episode.keys())
    assert "SeasonNumber" not in episode


async def test_what_a_user_did_is_given_back_to_what_returns(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, hooked: Receiver
) -> None:
    await jellyfin.mark_played(THE_SALT_ROAD, alice)
    await jellyfin.remove(THE_SALT_ROAD)
    assert await client.items(recursive="true", isPlayed="true") == []
    await jellyfin.add(THE_SALT_ROAD)
    assert await client.items(recursive="true", isPlayed="true") == ["The Salt Road"]

    # To what was renamed, too, which is another item.
    hooked.take()
    before = jellyfin.items.of(THE_SALT_ROAD).id
    await jellyfin.rename(THE_SALT_ROAD)
    added, deleted = hooked.take()
    assert (deleted["NotificationType"], deleted["ItemId"]) == ("ItemDeleted", before)
    assert added["ItemId"] == jellyfin.items.of(THE_SALT_ROAD).id != before
    assert await client.items(recursive="true", isPlayed="true") == ["The Salt Road"]


async def test_the_end_of_a_scan_and_a_restart_that_is_due(
    jellyfin: JellyfinStandIn, client: Client, clock: Clock, bob: JellyfinUser
) -> None:
    with jellyfin.scanning():
        task = (await client.get("/ScheduledTasks"))[0]
        assert (task["Key"], task["State"]) == ("RefreshLibrary", "Running")
        clock.move(minutes=3)
    task = (await client.get("/ScheduledTasks"))[0]
    assert task["State"] == "Idle"
    assert task["LastExecutionResult"]["EndTimeUtc"] == written(clock())
    assert not (await client.get("/System/Info"))["HasPendingRestart"]
    jellyfin.pending_restart = True
    assert (await client.get("/System/Info"))["HasPendingRestart"]

    client.token = jellyfin.sign_in(bob)
    about = await client.get("/System/Info")
    assert about["HasPendingRestart"]
    assert "LogPath" not in about
    assert (await client.ask("GET", "/ScheduledTasks"))[0] == 403
    assert (await client.ask("POST", "/Library/Refresh"))[0] == 403


async def test_marks_of_folders_before_the_second_scan(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, hooked: Receiver
) -> None:
    jellyfin.scans = 1
    season = Season(HARBOUR_LIGHTS, 2)
    await jellyfin.mark_played(season, alice)
    assert bool(hooked.take()) is (jellyfin.version != JELLYFIN_10_11)
    assert (await client.ask("POST", "/Library/Refresh"))[0] == 204
    await jellyfin.mark_played(season, alice)
    assert len(hooked.take()) == 2


async def test_episodes_without_files_are_marked_for_those_who_see_them(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, hooked: Receiver
) -> None:
    jellyfin.items.add_missing(WINTER_LIGHTS, jellyfin.now())
    await jellyfin.mark_played(HARBOUR_LIGHTS, alice)
    assert "Winter Lights" not in [event["Name"] for event in hooked.take()]
    jellyfin.account(alice).displays_missing = True
    await jellyfin.mark_played(HARBOUR_LIGHTS, alice)
    assert "Winter Lights" in [event["Name"] for event in hooked.take()]


async def test_user_data_parts_when_ids_change(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, clock: Clock
) -> None:
    await jellyfin.mark_played(THE_SALT_ROAD, alice, at=A_WHILE_AGO)
    await jellyfin.mark_played(PAPER_ORCHARD, alice, at=A_WHILE_AGO + timedelta(days=1))
    jellyfin.change_ids(THE_SALT_ROAD, ExternalIds(tmdb=1))
    await jellyfin.mark_played(THE_SALT_ROAD, alice, at=clock())
    answer = await client.get(
        "/Items",
        recursive="true",
        isPlayed="true",
        sortBy="DatePlayed",
        sortOrder="Descending",
        fields="ProviderIds",
    )
    # Sorted by the one, the other is answered.
    first, second = answer["Items"]
    assert (first["Name"], second["Name"]) == ("The Salt Road", "Paper Orchard")
    assert first["ProviderIds"] == {"Tmdb": "1"}
    assert first["UserData"]["LastPlayedDate"] == written(A_WHILE_AGO)
    assert first["UserData"]["PlayCount"] == 1
    assert jellyfin.data_of(alice, THE_SALT_ROAD).count == 2


# --- whoever may not ---------------------------------------------------------------------------


async def test_libraries_that_are_not_for_a_user(
    jellyfin: JellyfinStandIn, client: Client, bob: JellyfinUser, hooked: Receiver
) -> None:
    movies = (await client.get("/UserViews"))["Items"][0]["Id"]
    jellyfin.account(bob).unseen.add(movies)
    item = jellyfin.items.of(THE_SALT_ROAD).id
    # An administrator who asks on behalf of that user is told the same.
    for token in (client.token, jellyfin.sign_in(bob)):
        client.token = token
        for method, path in (
            ("GET", f"/Items/{item}"),
            ("POST", f"/UserPlayedItems/{item}"),
            ("DELETE", f"/UserPlayedItems/{item}"),
            ("GET", f"/UserItems/{item}/UserData"),
        ):
            assert (await client.ask(method, path, userId=bob.id))[0] == 404
        found = await client.items(recursive="true", userId=bob.id)
        assert "Low Water" in found
        assert "The Salt Road" not in found
        assert await client.items(ids=item, userId=bob.id) == []
    assert not hooked.bodies


async def test_users_who_may_not_look_at_what_is_kept_of_them(
    jellyfin: JellyfinStandIn, client: Client, bob: JellyfinUser
) -> None:
    jellyfin.account(bob).has_preferences = False
    item = jellyfin.items.of(THE_SALT_ROAD).id
    path = f"/UserItems/{item}/UserData"
    assert await client.get(path, userId=bob.id)
    client.token = jellyfin.sign_in(bob)
    assert (await client.ask("GET", path))[0] == 403
    assert (await client.ask("POST", path, json={"Played": True}))[0] == 403
    # To mark something is another matter.
    assert (await client.ask("POST", f"/UserPlayedItems/{item}"))[0] == 200


async def test_a_refused_sign_in_is_told_of(
    jellyfin: JellyfinStandIn,
    session: aiohttp.ClientSession,
    bob: JellyfinUser,
    receiver: Receiver,
) -> None:
    events = ["AuthenticationFailure", "AuthenticationSuccess", "UserLockedOut"]
    option = jellyfin.plugin.add_generic(receiver.url, events)
    client = Client(session, jellyfin)
    jellyfin.account(bob).attempts = 2

    async def sign_in(password: str, name: str = "Bob") -> int:
        body = {"Username": name, "Pw": password}
        path = "/Users/AuthenticateByName"
        status, _ = await client.ask("POST", path, json=body)
        await jellyfin.delivered()
        return status

    assert await sign_in("wrong") == 401
    (failure,) = receiver.take()
    assert (failure["Username"], failure["UserId"]) == ("Bob", "0" * 32)
    assert await sign_in("other") == 200
    (success,) = receiver.take()
    assert (success["NotificationUsername"], success["UserId"]) == ("Bob", bob.id)
    assert await sign_in("wrong", "nobody") == 401
    # With a list of users nobody hears of it, as it is told without any.
    option["UserFilter"] = [bob.id]
    assert await sign_in("wrong") == 401
    assert receiver.names == ["AuthenticationFailure"]
    receiver.take()
    option["UserFilter"] = []
    assert await sign_in("wrong") == 401
    assert receiver.names == ["UserLockedOut", "AuthenticationFailure"]
    receiver.take()
    # Whoever is locked out is refused without a word.
    assert await sign_in("other") == 403
    assert not receiver.bodies


async def test_a_list_of_users_keeps_out_who_comes_later(
    jellyfin: JellyfinStandIn, alice: JellyfinUser, receiver: Receiver
) -> None:
    jellyfin.plugin.add_generic(receiver.url, ["UserDataSaved"], UserFilter=[alice.id])
    carol = jellyfin.add_user("carol")
    await jellyfin.mark_played(THE_SALT_ROAD, alice, carol)
    assert [event["UserId"] for event in receiver.events] == [alice.id]


async def test_sessions_of_nobody_are_seen_by_everybody(
    jellyfin: JellyfinStandIn, client: Client, bob: JellyfinUser
) -> None:
    jellyfin.accounts.session(JellyfinDevice("Kiosk", "kiosk"), [])
    client.token = jellyfin.sign_in(bob, "phone")
    sessions = await client.get("/Sessions")
    assert {session["DeviceId"] for session in sessions} == {"kiosk", "phone"}


async def test_a_base_url(
    version: JellyfinVersion, session: aiohttp.ClientSession
) -> None:
    async with unchecked(version, base_url="/jellyfin") as jellyfin:
        client = Client(session, jellyfin)
        assert jellyfin.url.endswith("/jellyfin")
        assert (await client.get("/System/Info/Public"))["Id"] == jellyfin.server.id
        root = jellyfin.url.removesuffix("/jellyfin")
        for path in ("/System/Info/Public", "/", "/jellyfin", "/jellyfin/"):
            async with session.get(f"{root}{path}", allow_redirects=False) as response:
                assert response.status == 302
                assert response.headers["Location"] == "/jellyfin/web/"


async def test_a_secret_of_quick_connect_is_answered_after_its_use(
    jellyfin: JellyfinStandIn, client: Client, bob: JellyfinUser
) -> None:
    _, started = await client.ask("POST", "/QuickConnect/Initiate")
    jellyfin.authorize_quick_connect(started["Code"], bob)
    secret = started["Secret"]
    path = "/Users/AuthenticateWithQuickConnect"
    assert (await client.ask("POST", path, json={"Secret": secret}))[0] == 200
    answer = await client.get("/QuickConnect/Connect", secret=secret)
    assert answer["Authenticated"]
    other = {"secret": "0" * 64}
    assert (await client.ask("GET", "/QuickConnect/Connect", **other))[0] == 404


# --- faults --------------------------------------------------------------------------------


async def test_failing(jellyfin: JellyfinStandIn, client: Client) -> None:
    with jellyfin.faults.fail(503, path="/Items"):
        assert (await client.ask("GET", "/Items"))[0] == 503
        assert await client.get("/Users")
    assert await client.items()
    jellyfin.faults.fail(500, times=2)
    statuses = [(await client.ask("GET", "/Users"))[0] for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert jellyfin.log.count_of("GET", "/Users") == 4
    assert [request.status for request in jellyfin.log.of(path="/Items")] == [503, 200]
    jellyfin.log.clear()
    assert not jellyfin.log


async def test_pages_for_people(jellyfin: JellyfinStandIn, client: Client) -> None:
    with jellyfin.faults.html():
        status, page = await client.ask("GET", "/Users")
    assert status == 200
    assert page.startswith(b"<!DOCTYPE html>")


async def test_slow_and_hanging(jellyfin: JellyfinStandIn, client: Client) -> None:
    loop = asyncio.get_running_loop()
    with jellyfin.faults.slow(0.05, path="/Users"):
        began = loop.time()
        assert await client.get("/Users")
        assert loop.time() - began >= 0.05
    with jellyfin.faults.hang(path="/Users"), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.get("/Users")
    assert await client.get("/Users")


async def test_answers_that_break_off(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser
) -> None:
    with jellyfin.faults.cut(path="/Users"), pytest.raises(aiohttp.ClientPayloadError):
        await client.get("/Users")
    path = f"/UserPlayedItems/{jellyfin.items.of(THE_SALT_ROAD).id}"
    for fault in (jellyfin.faults.drop(times=1), jellyfin.faults.cut(times=1)):
        with fault, pytest.raises(aiohttp.ClientError):
            await client.ask("POST", path, datePlayed="2026-10-01T19:00:00Z")
    # It was done all the same.
    assert jellyfin.data_of(alice, THE_SALT_ROAD).count == 2


async def test_down_and_up_again(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser, hooked: Receiver
) -> None:
    hanging = asyncio.create_task(client.get("/Sessions"))
    with jellyfin.faults.hang(path="/Sessions"):
        await asyncio.sleep(0.05)
        assert jellyfin.log.count_of(path="/Sessions") == 1
        await jellyfin.stop()
        with pytest.raises(aiohttp.ClientError):
            await hanging
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get("/Users")
    await jellyfin.start()
    # What it knew it still knows.
    assert await client.get("/Users")
    await jellyfin.mark_played(THE_SALT_ROAD, alice)
    assert hooked.names == ["UserDataSaved"]


async def test_https_with_a_certificate_nobody_vouches_for(
    version: JellyfinVersion, session: aiohttp.ClientSession
) -> None:
    async with JellyfinStandIn(version=version, https=True) as jellyfin:
        url = f"{jellyfin.url}/System/Info/Public"
        assert url.startswith("https://")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(url)
        for context in (False, client_context()):
            async with session.get(url, ssl=context) as response:
                about = await response.json()
                assert about["LocalAddress"] == jellyfin.url


# --- checking ------------------------------------------------------------------------------


async def test_what_is_not_played_is_no_secret(
    session: aiohttp.ClientSession, version: JellyfinVersion
) -> None:
    async with unchecked(version) as jellyfin:
        client = Client(session, jellyfin, jellyfin.api_key())
        status, _ = await client.ask("GET", "/Items", recursive="true", person="x")
        assert status == 501
        with pytest.raises(AssertionError, match="person"):
            jellyfin.check()
        jellyfin.problems.clear()


async def test_what_does_not_fit_the_description_is_a_problem(
    jellyfin: JellyfinStandIn, client: Client, alice: JellyfinUser
) -> None:
    if not jellyfin.validates:
        pytest.skip("there is no description at hand")
    for path, params, problem in (
        ("/Items", {"anyProviderIdEquals": "tmdb.1"}, "unknown parameter anyProvider"),
        ("/Items", {"includeItemTypes": "Film"}, "includeItemTypes"),
        (f"/Users/{alice.id}/Views", {}, "it is not described"),
        ("/Genres", {}, "does not play"),
        ("/Nonsense", {}, "there is no such endpoint"),
    ):
        await client.ask("GET", path, **params)
        with pytest.raises(AssertionError, match=problem):
            jellyfin.check()
        jellyfin.problems.clear()
    # A token in a form that is not described.
    await client.ask("GET", "/Users/Me", headers={}, ApiKey=client.token)
    with pytest.raises(AssertionError, match="Security"):
        jellyfin.check()
    jellyfin.problems.clear()
