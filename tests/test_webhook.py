"""Tests of receiving: every outcome and status, over HTTP as servers send it."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
import gzip
import json
import time
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.util.aiohttp import MockRequest
from hypothesis import HealthCheck, given, settings, strategies as st
import orjson
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.media_scrobbler.const import EVENT_PLAYBACK, EVENT_SCROBBLE
from custom_components.media_scrobbler.domain import limit
from custom_components.media_scrobbler.domain.body import MAX_JSON
from custom_components.media_scrobbler.domain.fields import Fields
from custom_components.media_scrobbler.domain.limit import RateLimit
from custom_components.media_scrobbler.scrobbler import DATA_SCROBBLER
from custom_components.media_scrobbler.webhook import MAX_BODY, TOO_MANY

from .common import (
    ALICE_AT_JELLYFIN,
    BOB_AT_JELLYFIN,
    BOB_AT_PLEX,
    Jellyfin,
    MediaServer,
    Plex,
    add_server,
    call,
    entity_id_of,
    plays_of,
    settle,
)
from .simulators.catalogue import (
    LOW_WATER,
    NINTH_MERIDIAN,
    NINTH_MERIDIAN_TRAILER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_SALT_ROAD,
    Title,
)
from .simulators.jellyfin import JellyfinEvent
from .simulators.plex import POSTER, PlexEvent, encode
from .storage.common import Disk


@pytest.fixture
def disk(hass: HomeAssistant) -> Iterator[Disk]:
    """Return the disk that Home Assistant writes to."""
    with Disk.of(hass).watched() as disk:
        yield disk


async def log_of(hass: HomeAssistant, server: MediaServer[Any]) -> list[dict[str, Any]]:
    """Return the last webhooks of a server, the newest first."""
    response = await call(hass, "get_webhook_log", server=server.entry.entry_id)
    events: list[dict[str, Any]] = response["events"]
    return events


# What is answered


async def test_a_play_is_recorded(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    assert await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD) == {
        "outcome": "recorded",
        "reason": "completed",
        "event": "media.scrobble",
        "title": "The Salt Road (2019)",
        "ids": {
            "plex": plex.simulator.metadata(THE_SALT_ROAD)["guid"],
            "imdb": "tt9182736",
            "tmdb": 918273,
            "tvdb": 219483,
        },
        "viewers": ["Alice"],
    }
    assert len(await plays_of(hass, alice)) == 1


async def test_every_outcome(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    outcomes = [
        await plex.report(PlexEvent.PLAY, THE_SALT_ROAD),
        await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD),
        await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD),
        await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD, BOB_AT_PLEX),
        await plex.report(PlexEvent.RATE, THE_SALT_ROAD, rating=8),
        await plex.report(PlexEvent.RATE, THE_SALT_ROAD, rating=8),
        await plex.report(PlexEvent.RATE, THE_SALT_ROAD, BOB_AT_PLEX, rating=8),
        await plex.report(PlexEvent.LIBRARY_NEW, NINTH_MERIDIAN),
        await plex.report(PlexEvent.SCROBBLE, NINTH_MERIDIAN_TRAILER),
        await plex.report(PlexEvent.DATABASE_BACKUP),
        await plex.report("media.levitate"),
        await jellyfin.report(
            JellyfinEvent.PLAYBACK_STOP, LOW_WATER, ALICE_AT_JELLYFIN, completed=False
        ),
        await jellyfin.report(
            JellyfinEvent.USER_DATA_SAVED, LOW_WATER, ALICE_AT_JELLYFIN, played=False
        ),
        await jellyfin.report(
            JellyfinEvent.USER_DATA_SAVED, LOW_WATER, ALICE_AT_JELLYFIN
        ),
    ]

    assert [(answer["outcome"], answer["viewers"]) for answer in outcomes] == [
        ("updated", ["Alice"]),
        ("recorded", ["Alice"]),
        ("merged", ["Alice"]),
        ("held", []),
        ("updated", ["Alice"]),
        ("ignored", ["Alice"]),
        ("ignored", []),
        ("updated", []),
        ("ignored", []),
        ("updated", []),
        ("ignored", []),
        ("updated", ["Alice"]),
        ("ignored", []),
        ("recorded", ["Alice"]),
    ]
    assert all(answer["reason"] for answer in outcomes)
    logged = await log_of(hass, plex)
    assert [(entry["outcome"], entry["reason"]) for entry in logged[:11][::-1]] == [
        (answer["outcome"], answer["reason"]) for answer in outcomes[:11]
    ]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"", "multipart/form-data; boundary=x"),
        (b" \r\n\t ", "text/plain"),
        (b"\xef\xbb\xbf", "application/json"),
        (b"{", "application/json"),
        (b"nonsense", "text/plain"),
        (b"\x00\x01\x02\xff", "application/octet-stream"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"null", "application/json"),
        (b"{}", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"event":' * 5000, "application/json"),
        (b'{"event": "\\ud800"}', "application/json"),
        (b'{"event": "media.scrobble"}', "application/json"),
        (b'{"event": ["media.scrobble"]}', "application/json"),
        (b'{"event": {}}', "application/json"),
        (b'{"event": true}', "application/json"),
        (b'{"event": "%s"}' % (b"x" * 1001), "application/json"),
        (b"payload=nonsense", "application/x-www-form-urlencoded"),
        (b"payload={", "application/x-www-form-urlencoded"),
        (b"a=1&" * 2000, "application/x-www-form-urlencoded"),
        (b"--x\r\n\r\n", "multipart/form-data"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"nothing of the kind", "multipart/form-data; boundary=x"),
        (b'--x\r\nname="other"\r\n\r\n{}\r\n--x--', "multipart/form-data; boundary=x"),
        (b'--x\r\nname="payload"\r\n\r\n{\r\n--x--', "multipart/form-data; boundary=x"),
        (b'--x\r\nname="payload"\r\n\r\n[]\r\n--x--', "multipart/form-data"),
    ],
)
@pytest.mark.parametrize("kind", ["plex", "jellyfin"])
async def test_what_is_malformed_is_refused_with_a_reason(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    body: bytes,
    content_type: str,
) -> None:
    server: MediaServer[Any] = plex if kind == "plex" else jellyfin

    status, answer = await server.send(body, content_type)

    if kind == "jellyfin" and answer["outcome"] == "ignored":
        # A name that means nothing to us is none of our business.
        pytest.skip("not malformed for this kind of server")
    assert (status, answer["outcome"]) == (400, "rejected")
    assert len(answer["reason"]) > 5
    assert (await log_of(hass, server))[0]["reason"] == answer["reason"]
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Server", "attic"),
        ("Server.uuid", []),
        ("Account", 1),
        ("Account.id", {"id": 1}),
        ("Account.title", ["alice"]),
        ("Player", []),
        ("Player.uuid", {}),
        ("Metadata", None),
        ("Metadata", [1]),
        ("Metadata.type", {}),
        ("Metadata.title", ["The", "Salt", "Road"]),
        ("Metadata.title", "x" * 1001),
        ("Metadata.year", "last year"),
        ("Metadata.year", 2**63),
        ("Metadata.year", 1e300),
        ("Metadata.year", True),
        ("Metadata.duration", "long"),
        ("Metadata.Guid", {"id": "tmdb://1"}),
        ("Metadata.Guid", ["tmdb://1"]),
        ("Metadata.Guid", [{"id": 1.5}, {"id": []}]),
        ("Metadata.guid", {}),
        ("Metadata.ratingKey", []),
        ("owner", "perhaps"),
        ("user", 2),
    ],
)
async def test_values_of_a_wrong_type_are_refused_by_name(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], path: str, value: Any
) -> None:
    payload = plex.simulator.payload(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    *parents, key = path.split(".")
    place = payload
    for parent in parents:
        place = place[parent]
    place[key] = value

    status, answer = await plex.send(json.dumps(payload).encode())

    assert (status, answer["outcome"]) == (400, "rejected")
    assert key in answer["reason"]
    assert await plays_of(hass, alice) == []


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["", "0", "-1", "tt1", "tmdb://1", "plex://movie/1", "1" * 19]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=3,
)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[Any]:
    """Return where something could stand instead of what there is."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, below in inner:
        yield *path, key
        yield from _places(below, (*path, key))


@given(data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.parametrize("kind", ["plex", "jellyfin"])
async def test_whatever_stands_somewhere_there_is_an_answer(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    caplog: pytest.LogCaptureFixture,
    kind: str,
    data: st.DataObject,
) -> None:
    titles: list[Title] = [THE_SALT_ROAD, LOW_WATER, SLOW_FERRY]
    title = data.draw(st.sampled_from(titles))
    server: MediaServer[Any] = plex
    payload = plex.simulator.payload(
        data.draw(st.sampled_from(PlexEvent)), title, rating=5
    )
    if kind == "jellyfin":
        server = jellyfin
        payload = jellyfin.simulator.payload(
            data.draw(st.sampled_from(JellyfinEvent)), title, ALICE_AT_JELLYFIN
        )
    for _ in range(data.draw(st.integers(1, 3))):
        *parents, key = data.draw(st.sampled_from(list(_places(payload))))
        place: Any = payload
        for parent in parents:
            place = place[parent]
        place[key] = data.draw(_JSON)

    status, answer = await server.send(json.dumps(payload).encode(errors="replace"))

    assert status in (200, 400)
    assert (status == 400) <= (answer["outcome"] == "rejected")
    assert answer["reason"]
    assert "Traceback" not in caplog.text


async def test_too_large_a_body(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    whole, kind = plex.simulator.body(
        PlexEvent.SCROBBLE, THE_SALT_ROAD, thumb=POSTER + bytes(16 * 1024 * 1024)
    )

    status, answer = await plex.send(whole, kind)

    assert (status, answer["outcome"]) == (413, "rejected")
    assert str(MAX_BODY) in answer["reason"]
    assert (await log_of(hass, plex))[0]["reason"] == answer["reason"]
    assert await plays_of(hass, alice) == []


async def test_a_body_that_unpacks_to_too_much(hass: HomeAssistant, plex: Plex) -> None:
    packed = gzip.compress(bytes(64 * 1024 * 1024))

    async with plex.client.post(
        plex.path, data=packed, headers={"Content-Encoding": "gzip"}
    ) as response:
        assert response.status in (400, 413)


def guids(size: int) -> bytes:
    """Return a play of about so many bytes, all of them ids."""
    entries = [f'{{"id":"tmdb://{number}"}}' for number in range(1, size // 22)]
    payload = {"event": PlexEvent.SCROBBLE, "Metadata": {"type": "movie", "Guid": []}}
    return json.dumps(payload).replace("[]", f"[{','.join(entries)}]").encode()


@pytest.mark.parametrize("size", [4_000_000, 500_000, 60_000])
async def test_nobody_waits_for_a_large_payload(
    hass: HomeAssistant, plex: Plex, size: int
) -> None:
    """The longest pause of the event loop is little of what reading all ids takes."""
    body, all_ids = guids(size), orjson.loads(guids(4_000_000))["Metadata"]["Guid"]
    assert len(body) <= MAX_BODY
    began = time.perf_counter()
    for entry in all_ids:
        Fields(entry).text("id")
    reference = time.perf_counter() - began
    # What else the machine does pauses the loop too, but not each time.
    pauses = [await longest_pause(plex, body) for _ in range(5)]
    assert min(pauses) < reference / 2


async def longest_pause(plex: Plex, body: bytes) -> float:
    """Return for how long the loop pauses at most while a body is taken, in seconds."""
    longest, last, is_over = 0.0, time.perf_counter(), False

    async def watch() -> None:
        nonlocal longest, last
        while not is_over:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    watching = asyncio.create_task(watch())
    status, _ = await plex.send(body)
    is_over = True
    await watching
    assert status in (200, 400)
    return longest


async def test_ids_beyond_all_reason_are_left_out(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    payload = plex.simulator.payload(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    payload["Metadata"]["Guid"] += [{"id": "local://1"}] * 20_000
    body = json.dumps(payload).encode()

    status, answer = await plex.send(body)

    assert len(body) > 64 * 1024
    assert (status, answer["outcome"]) == (200, "recorded")
    assert answer["ids"]["imdb"] == "tt9182736"


async def test_too_large_a_payload(hass: HomeAssistant, plex: Plex) -> None:
    status, answer = await plex.send(guids(1_000_000))

    assert (status, answer["outcome"]) == (400, "rejected")
    assert str(MAX_JSON) in answer["reason"]


async def test_what_is_too_much_is_not_even_read(
    hass: HomeAssistant, small_limit: None, plex: Plex
) -> None:
    play = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    for _ in range(21):
        await plex.send(*play)

    status, answer = await plex.send(b"{")

    assert status == 429
    assert answer["reason"] == TOO_MANY


async def test_a_large_poster_is_fine(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    poster = POSTER + bytes(2 * 1024 * 1024)

    answer = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD, thumb=poster)

    assert answer["outcome"] == "recorded"


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_what_a_redirect_leaves(
    hass: HomeAssistant,
    plex: Plex,
    aiohttp_client: ClientSessionGenerator,
    freezer: FrozenDateTimeFactory,
    status: int,
) -> None:
    """A webhook that a redirect has made a GET of is in the log, once in a while."""
    target = str(plex.client.make_url(plex.path))

    async def send_on(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": target})

    proxy = web.Application()
    proxy.router.add_route("*", "/{path:.*}", send_on)
    client: TestClient[Any, Any] = await aiohttp_client(proxy)
    body, kind = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    for minutes, entries in ((0, 1), (1, 1), (10, 2), (9, 2)):
        freezer.tick(timedelta(minutes=minutes))
        async with client.post(
            "/", data=body, headers={"Content-Type": kind}
        ) as response:
            assert response.status == 405
        log = await log_of(hass, plex)
        assert len(log) == entries
        assert log[0]["outcome"] == "rejected"
        assert "redirect" in log[0]["reason"]
    await settle(hass)
    state = hass.states.get(entity_id_of(hass, "sensor", plex.entry, "last_webhook"))
    assert state is not None
    assert state.attributes["outcome"] == "rejected"


async def test_a_person_looks_at_the_address(hass: HomeAssistant, plex: Plex) -> None:
    """What a browser asks for is no webhook: it is told what this is the address of."""
    page = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    async with plex.client.get(plex.path, headers={"Accept": page}) as response:
        assert response.status == 405
        assert "the address of a webhook" in (await response.json())["reason"]
    async with plex.client.head(plex.path):
        pass
    assert await log_of(hass, plex) == []


async def test_methods(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    async with plex.client.get(plex.path) as response:
        assert response.status == 405
        answer = await response.json()
        assert "POST" in answer["reason"]
    async with plex.client.head(plex.path) as response:
        assert response.status in (200, 405)
    body, kind = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    async with plex.client.put(
        plex.path, data=body, headers={"Content-Type": kind}
    ) as response:
        assert (await response.json())["outcome"] == "recorded"


async def test_an_address_that_is_none(plex: Plex) -> None:
    async with plex.client.post("/api/webhook/unheard-of", data=b"{}") as response:
        assert response.status == 200
        assert await response.read() == b""


# How much is taken


def test_how_much_is_taken() -> None:
    bucket = RateLimit(0)
    plays = sum(bucket.allows(0, is_play=True) for _ in range(12_000))
    assert plays == 12_000
    assert not any(bucket.allows(0, is_play=False) for _ in range(100))
    assert sum(bucket.allows(0, is_play=True) for _ in range(12_000)) == 8000

    # Ten playbacks that report once a second, for an hour.
    for second in range(1, 3600):
        for _ in range(10):
            bucket.allows(second, is_play=False)
        assert bucket.allows(second, is_play=True)
    assert bucket.allows(3600, is_play=False)

    bucket = RateLimit(0)
    assert sum(bucket.allows(0, is_play=False) for _ in range(12_000)) == 10_000
    assert sum(bucket.allows(0, is_play=True) for _ in range(12_000)) == 10_000


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let little be too much."""
    monkeypatch.setattr(limit, "CAPACITY", 20)
    monkeypatch.setattr(limit, "RESERVE", 10)
    monkeypatch.setattr(limit, "REFILL", 0)


async def test_plays_are_the_last_to_go(
    hass: HomeAssistant,
    small_limit: None,
    plex: Plex,
    alice: ConfigEntry[Any],
) -> None:
    pause = plex.simulator.body(PlexEvent.PAUSE, THE_SALT_ROAD)
    play = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)

    pauses = [(await plex.send(*pause))[0] for _ in range(20)]
    broken = [(await plex.send(b"{"))[0] for _ in range(3)]
    plays = [await plex.send(*play) for _ in range(15)]

    # One had introduced the account.
    assert pauses == [200] * 9 + [429] * 11
    assert broken == [429] * 3
    assert [status for status, _ in plays] == [200] * 10 + [429] * 5
    assert [answer["outcome"] for _, answer in plays] == (
        ["recorded"] + ["merged"] * 9 + ["rejected"] * 5
    )
    logged = await log_of(hass, plex)
    assert {entry["reason"] for entry in logged[:5]} == {plays[-1][1]["reason"]}


async def test_one_server_does_not_use_up_what_another_may(
    hass: HomeAssistant,
    small_limit: None,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
) -> None:
    for _ in range(25):
        await plex.send(b"{")

    answer = await jellyfin.report(
        JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, ALICE_AT_JELLYFIN
    )

    assert answer["outcome"] == "recorded"


# By other ways


async def by_websocket(
    hass_ws_client: WebSocketGenerator,
    server: MediaServer[Any],
    body: str,
    headers: dict[str, str],
) -> tuple[int, Any]:
    """Send a webhook as Home Assistant Cloud and the companion apps do."""
    client = await hass_ws_client()
    await client.send_json_auto_id(
        {
            "type": "webhook/handle",
            "webhook_id": server.entry.data["webhook_id"],
            "method": "POST",
            "body": body,
            "headers": headers,
        }
    )
    message = await client.receive_json()
    assert message["success"]
    return message["result"]["status"], json.loads(message["result"]["body"])


async def test_a_webhook_through_the_websocket(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    hass_ws_client: WebSocketGenerator,
) -> None:
    """Such a body has been a text on the way: the poster is no JPEG any more."""
    body, kind = plex.simulator.body(PlexEvent.SCROBBLE, LOW_WATER, thumb=POSTER)
    mangled = body.decode(errors="replace")

    status, answer = await by_websocket(
        hass_ws_client, plex, mangled, {"Content-Type": kind}
    )
    assert (status, answer["outcome"]) == (200, "recorded")

    status, answer = await by_websocket(
        hass_ws_client, plex, mangled.replace("\r\n", "\n"), {}
    )
    assert (status, answer["outcome"]) == (200, "merged")

    body, kind = jellyfin.simulator.body(
        JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, ALICE_AT_JELLYFIN
    )
    status, answer = await by_websocket(
        hass_ws_client, jellyfin, body.decode(), {"Content-Type": kind}
    )
    assert (status, answer["outcome"]) == (200, "recorded")

    status, answer = await by_websocket(hass_ws_client, plex, "", {})
    assert (status, answer["outcome"]) == (400, "rejected")
    assert len(await plays_of(hass, alice)) == 2


@pytest.mark.parametrize(
    ("local_only", "remote", "taken"),
    [
        (True, "192.168.1.20", True),
        (True, "127.0.0.1", True),
        (True, "fd00::20", True),
        (True, "203.0.113.7", False),
        (True, "2001:db8::7", False),
        (True, "nonsense", False),
        (True, None, False),
        (False, "203.0.113.7", True),
        (False, None, True),
    ],
)
async def test_from_where_webhooks_are_taken(
    hass: HomeAssistant,
    plex: Plex,
    client: TestClient[Any, Any],
    local_only: bool,
    remote: str | None,
    taken: bool,
) -> None:
    server = MediaServer(
        entry=await add_server(hass, "plex", "Other", local_only=local_only),
        client=client,
        simulator=plex.simulator,
    )
    body, kind = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)

    response = await webhook.async_handle_webhook(
        hass,
        server.entry.data["webhook_id"],
        MockRequest(
            content=body,
            mock_source="test",
            method="POST",
            headers={"Content-Type": kind},
            remote=remote,
        ),
    )

    assert response.status == 200
    assert bool(response.body) is taken
    assert len(await log_of(hass, server)) == taken


# Senders that do not wait


async def test_a_sender_that_gives_up_takes_no_play_with_it(
    hass: HomeAssistant, disk: Disk, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    scrobbles = async_capture_events(hass, EVENT_SCROBBLE)
    body, kind = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    with disk.held():
        handling = asyncio.create_task(
            webhook.async_handle_webhook(
                hass,
                plex.entry.data["webhook_id"],
                MockRequest(
                    content=body,
                    mock_source="test",
                    method="POST",
                    headers={"Content-Type": kind},
                    remote="127.0.0.1",
                ),
            )
        )
        await hass.async_add_executor_job(disk.wait_for_write)
        handling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handling
        assert scrobbles == []
    await hass.async_block_till_done()

    assert len(scrobbles) == 1
    assert len(await plays_of(hass, alice)) == 1
    assert (await log_of(hass, plex))[0]["outcome"] == "recorded"


async def test_a_sender_that_hangs_up(
    hass: HomeAssistant, disk: Disk, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    scrobbles = async_capture_events(hass, EVENT_SCROBBLE)
    body, kind = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    head = (
        f"POST {plex.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with disk.held():
        _, writer = await asyncio.open_connection(plex.client.host, plex.client.port)
        writer.write(head + body)
        await writer.drain()
        await hass.async_add_executor_job(disk.wait_for_write)
        writer.close()
        await writer.wait_closed()
    await hass.async_block_till_done()

    assert len(scrobbles) == 1
    assert len(await plays_of(hass, alice)) == 1


async def test_a_sender_that_hangs_up_half_way_has_said_nothing(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    body, kind = plex.simulator.body(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    head = (
        f"POST {plex.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    _, writer = await asyncio.open_connection(plex.client.host, plex.client.port)
    writer.write(head + body[: len(body) // 2])
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await plex.report(PlexEvent.PAUSE, THE_SALT_ROAD))["outcome"] == "updated"
    assert await plays_of(hass, alice) == []


# Many at once


async def test_the_same_webhook_many_times_at_once_is_one_play(
    hass: HomeAssistant, disk: Disk, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    scrobbles = async_capture_events(hass, EVENT_SCROBBLE)

    answers = await asyncio.gather(
        *(plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD) for _ in range(16))
    )

    outcomes = sorted(answer["outcome"] for answer in answers)
    assert outcomes == ["merged"] * 15 + ["recorded"]
    (play,) = await plays_of(hass, alice)
    assert len(play["sources"]) == 16
    assert len(scrobbles) == 1


async def test_different_plays_at_once_share_their_writes(
    hass: HomeAssistant,
    disk: Disk,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
) -> None:
    disk.written.clear()
    with disk.held():
        first = asyncio.create_task(plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD))
        await hass.async_add_executor_job(disk.wait_for_write)
        others = [
            asyncio.create_task(task)
            for task in (
                plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD),
                plex.report(PlexEvent.SCROBBLE, SLOW_FERRY),
                jellyfin.report(
                    JellyfinEvent.PLAYBACK_STOP, LOW_WATER, ALICE_AT_JELLYFIN
                ),
            )
        ]
        history = hass.data[DATA_SCROBBLER].viewers[alice.entry_id].history
        async with asyncio.timeout(10):
            while len(history.index) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not first.done()
    answers = await asyncio.gather(first, *others)

    assert {answer["outcome"] for answer in answers} == {"recorded"}
    assert len([name for name in disk.written if name.startswith("history")]) == 2


# The switch


async def test_a_webhook_that_is_switched_off(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    playbacks = async_capture_events(hass, EVENT_PLAYBACK)
    switch = {"entity_id": entity_id_of(hass, "switch", plex.entry, "webhook")}
    await hass.services.async_call("switch", "turn_off", switch, blocking=True)

    for event in (PlexEvent.PLAY, PlexEvent.SCROBBLE):
        answer = await plex.report(event, THE_SALT_ROAD)
        assert answer["outcome"] == "ignored"
        assert "switched off" in answer["reason"]
    assert (await plex.send(b"{"))[0] == 400
    assert (await log_of(hass, plex))[1]["outcome"] == "ignored"
    assert await plays_of(hass, alice) == []
    assert playbacks == []

    await hass.services.async_call("switch", "turn_on", switch, blocking=True)
    answer = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert answer["outcome"] == "recorded"


# What the log does not tell


async def test_nothing_of_the_address_is_logged(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.clear()
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await plex.send(b"{")
    await plex.client.delete(plex.path)

    secret = plex.entry.data["webhook_id"]
    ours = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith(
            ("homeassistant.components.webhook", "custom_components")
        )
    ]
    assert ours
    assert not [message for message in ours if secret in message]
    stored = json.dumps(await log_of(hass, plex))
    assert secret not in stored


async def test_the_simulated_bodies_are_told_apart(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """A relay may leave out the type of the part, or send the JSON alone."""
    payload = plex.simulator.payload(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    for body, kind in (
        encode(payload, POSTER),
        encode(payload, part_type=False),
        (json.dumps(payload).encode(), "application/json"),
        (json.dumps(payload).encode(), "application/x-www-form-urlencoded"),
    ):
        status, answer = await plex.send(body, kind)
        assert (status, answer["outcome"]) in ((200, "recorded"), (200, "merged"))
    assert len(await plays_of(hass, alice)) == 1


async def test_jellyfin_forms(
    hass: HomeAssistant, jellyfin: Jellyfin, bob: ConfigEntry[Any]
) -> None:
    for form in ("plain", "json", "urlencoded"):
        answer = await jellyfin.report(
            JellyfinEvent.PLAYBACK_STOP, LOW_WATER, BOB_AT_JELLYFIN, form=form
        )
        assert answer["outcome"] in ("recorded", "merged")
    (play,) = await plays_of(hass, bob)
    assert len(play["sources"]) == 3
