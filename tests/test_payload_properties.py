"""Whatever comes in, it is an event with fields of their types, or refused with a reason."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
import json
import math
import os
from pathlib import Path
import random
from types import UnionType
from typing import Any, TypeAliasType, get_args, get_origin, get_type_hints
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings, strategies as st
import orjson
import pytest

from custom_components.media_scrobbler.domain.body import Body, decode
from custom_components.media_scrobbler.domain.event import MediaEvent
from custom_components.media_scrobbler.domain.fields import (
    MAX_SECONDS,
    MAX_TEXT,
    PayloadError,
)
from custom_components.media_scrobbler.domain.rules import viewing_window
from custom_components.media_scrobbler.domain.title import (
    MediaType,
    Title,
    identities,
    name_identity,
)
from custom_components.media_scrobbler.jellyfin.payload import parse as parse_jellyfin
from custom_components.media_scrobbler.plex.payload import parse as parse_plex

from .fixtures.nested import Item, nested
from .simulators import jellyfin, plex
from .simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN_TRAILER,
    SLOW_FERRY,
    THE_SALT_ROAD,
    TIDEWATER,
    Episode,
    Season,
    Title as AnyTitle,
)
from .simulators.jellyfin import JellyfinEvent, JellyfinServer, JellyfinUser
from .simulators.plex import POSTER, PlexAccount, PlexEvent, PlexServer

type Parser = Callable[[dict[str, Any]], MediaEvent]
type Steps = tuple[str | int, ...]

SAMPLES = os.environ.get("MEDIA_SCROBBLER_SAMPLES")

BOUNDED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow],
)

NOW = datetime(2026, 11, 20, 20, 15, 2, 123456, UTC)
PLEX = PlexServer(name="Attic", uuid="5f0c9a7d", owner=PlexAccount.owner("alice"))
BOB = PlexAccount.home_user("bob")
JELLYFIN = JellyfinServer(name='The "Cellar"', id="b6e3d8f1c0a24957a1f4e2d3c5b69780")
ALICE = JellyfinUser.named("alice")
POSITION = timedelta(minutes=9)
DOUBLE = Episode(
    HARBOUR_LIGHTS,
    0,
    3,
    "Low Water",
    ids=LOW_WATER.ids,
    runtime=timedelta(minutes=96),
    aired=LOW_WATER.aired,
    number_end=5,
)


@dataclass(frozen=True)
class Webhook:
    """A webhook's payload and what parses it."""

    name: str
    payload: dict[str, Any]
    parse: Parser


def ours() -> Iterator[Webhook]:
    """Yield webhooks of every kind of sender and title."""
    by_plex: list[tuple[PlexEvent, AnyTitle | None, PlexAccount | None]] = [
        (PlexEvent.SCROBBLE, THE_SALT_ROAD, None),
        (PlexEvent.SCROBBLE, LOW_WATER, BOB),
        (PlexEvent.PAUSE, SLOW_FERRY, None),
        (PlexEvent.PLAY, NINTH_MERIDIAN_TRAILER, None),
        (PlexEvent.RATE, THE_SALT_ROAD, None),
        (PlexEvent.LIBRARY_NEW, Season(HARBOUR_LIGHTS, 0), None),
        (PlexEvent.LIBRARY_NEW, TIDEWATER, None),
        (PlexEvent.DEVICE_NEW, None, None),
    ]
    for event, title, account in by_plex:
        payload = PLEX.payload(
            event, title, account, at=NOW, position=POSITION, rating=7
        )
        yield Webhook(f"Plex {event} {_name(title)}", payload, parse_plex)
    legacy = PLEX.payload(PlexEvent.STOP, LOW_WATER, at=NOW)
    legacy["Metadata"] |= {
        "guid": "com.plexapp.agents.hama://tvdb2-438120/2/3?lang=en",
        "grandparentGuid": "com.plexapp.agents.hama://tvdb2-438120?lang=en",
    }
    del legacy["Metadata"]["Guid"]
    yield Webhook("Plex legacy", legacy, parse_plex)

    by_jellyfin: list[tuple[JellyfinEvent, AnyTitle | None]] = [
        (JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD),
        (JellyfinEvent.PLAYBACK_STOP, DOUBLE),
        (JellyfinEvent.PLAYBACK_PROGRESS, SLOW_FERRY),
        (JellyfinEvent.USER_DATA_SAVED, LOW_WATER),
        (JellyfinEvent.ITEM_ADDED, HARBOUR_LIGHTS),
        (JellyfinEvent.ITEM_DELETED, Season(HARBOUR_LIGHTS, 2)),
        (JellyfinEvent.PENDING_RESTART, None),
    ]
    for notification, title in by_jellyfin:
        payload = JELLYFIN.payload(
            notification, title, ALICE, at=NOW, position=POSITION, paused=True
        )
        yield Webhook(
            f"Jellyfin {notification} {_name(title)}", payload, parse_jellyfin
        )

    by_the_other_plugin: list[tuple[str, Item | None]] = [
        ("Stop", THE_SALT_ROAD),
        ("MarkPlayed", DOUBLE),
        ("Progress", SLOW_FERRY),
        ("ItemAdded", TIDEWATER),
        ("SessionEnded", None),
    ]
    for name, item in by_the_other_plugin:
        yield Webhook(
            f"nested {name}", nested(name, item, position=POSITION), parse_jellyfin
        )
    for name in ("playback.stop", "item.markplayed"):
        payload = nested(name, LOW_WATER, sender="emby", completed=True)
        yield Webhook(f"Emby {name}", payload, parse_jellyfin)


def _name(title: AnyTitle | None) -> str:
    return title.title if title else ""


def theirs() -> Iterator[Webhook]:
    """Yield the samples' webhooks, where there are samples."""
    for file in sorted(Path(SAMPLES).glob("*/*.json")) if SAMPLES else ():
        payload = json.loads(file.read_bytes())
        if not file.name.endswith(".headers.json"):
            parse = parse_plex if file.parent.name == "plex" else parse_jellyfin
            yield Webhook(f"{file.parent.name}/{file.stem}", payload, parse)


OURS = list(ours())
THEIRS = list(theirs())
WEBHOOKS = [*OURS, *THEIRS]
EACH_WEBHOOK = pytest.mark.parametrize(
    "webhook", WEBHOOKS, ids=[webhook.name for webhook in WEBHOOKS]
)

# Too long to be written, even into a message.
ENDLESS = 10**5000

DEEP: Any = None
for _ in range(900):
    DEEP = {"Metadata": [DEEP]}

# Of every type, and at every limit that a type has.
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63),
    10**400,
    ENDLESS,
    0.5,
    -0.0,
    1e-320,
    1e15,
    1e300,
    math.inf,
    -math.inf,
    math.nan,
    "",
    " ",
    "0",
    "1",
    "-1",
    "9" * 19,
    "9" * 400,
    "1.5",
    "1e9",
    "True",
    "ünïcödé 漢字 🎬",
    "\ud83d",
    "a\x00b\r\nc\u2028d",
    "x" * MAX_TEXT,
    "x" * (MAX_TEXT + 1),
    "plex://episode/1",
    "com.plexapp.agents.thetvdb://1/2/3",
    "://",
    "/" * 50,
    [],
    [None],
    [[]],
    [{}],
    [{"id": "tmdb://1"}, {"id": 5}],
    {},
    {"id": {}},
    DEEP,
)


def parsed(parse: Parser, payload: dict[str, Any]) -> MediaEvent | None:
    """Parse and check; returns None for what is refused."""
    try:
        event = parse(payload)
    except PayloadError:
        return None
    check(event)
    return event


def check(event: MediaEvent) -> None:
    """Check that an event is what it is declared to be, and can be worked with."""
    assert_conforms(event, MediaEvent)
    assert event.name
    if event.completed or event.action or event.rating or event.library:
        assert event.titles
        assert event.ignored is None
    if event.ignored or event.server_event:
        assert not event.titles
    assert len(event.titles) <= 51
    assert event.position is None or 0 <= event.position <= MAX_SECONDS
    if event.rating is not None and event.rating.value is not None:
        assert 0 < event.rating.value <= 10
    if event.watched_at is not None:
        assert event.watched_at.tzinfo is UTC
    for title in event.titles:
        check_title(title)


def check_title(title: Title) -> None:
    """Check that a title can be stored, shown, compared and counted."""
    duration = title.duration
    assert duration is None or 0 < duration <= MAX_SECONDS
    assert NOW + viewing_window(duration, None) > NOW
    # Storage takes what this takes, and no other numbers and texts.
    orjson.dumps({field.name: getattr(title, field.name) for field in fields(title)})
    assert title.label is None or title.label.splitlines() == [title.label]
    assert title.title != ""
    assert None not in identities(title).values()
    assert name_identity(title) != ""
    if title.media_type is MediaType.EPISODE:
        bare = {
            kind: value
            for kind, value in identities(title).items()
            if not kind.startswith(("show ", "item "))
        }
        assert bare == {kind: str(value) for kind, value in title.ids.items()}


@cache
def declared(kind: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields."""
    return get_type_hints(kind)


def assert_conforms(value: Any, kind: Any) -> None:
    """Check a value against a type, its parts included; a bool is no int here."""
    if isinstance(kind, TypeAliasType):
        kind = kind.__value__
    if isinstance(kind, UnionType):
        options = get_args(kind)
        kind = next(
            (option for option in options if conforms_at_the_top(value, option)), kind
        )
    assert conforms_at_the_top(value, kind), f"{value!r} is no {kind}"
    if get_origin(kind) is tuple:
        for item in value:
            assert_conforms(item, get_args(kind)[0])
    elif get_origin(kind) is dict:
        for key, item in value.items():
            assert_conforms(key, get_args(kind)[0])
            assert_conforms(item, get_args(kind)[1])
    elif hasattr(kind, "__dataclass_fields__"):
        for name, of_field in declared(kind).items():
            assert_conforms(getattr(value, name), of_field)


def conforms_at_the_top(value: Any, kind: Any) -> bool:
    """Say whether a value is of a type, its parts left aside."""
    if kind is type(None):
        return value is None
    return type(value) is (get_origin(kind) or kind)


def test_a_wrong_type_is_noticed() -> None:
    """Show that the check of types can fail."""
    with pytest.raises(AssertionError, match="True is no"):
        assert_conforms(MediaEvent(name="x", position=True), MediaEvent)


# One change at a time, everywhere


def places(value: Any, before: Steps = ()) -> Iterator[Steps]:
    """Yield the way to every part of a payload."""
    if isinstance(value, dict):
        inside: Any = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    else:
        return
    for key, item in inside:
        yield (*before, key)
        yield from places(item, (*before, key))


def changed(value: Any, steps: Steps, change: Callable[[Any, Any], None]) -> Any:
    """Return a payload with a change made in the object or list at the end of a way."""
    copy = value.copy()
    if len(steps) == 1:
        change(copy, steps[0])
    else:
        copy[steps[0]] = changed(copy[steps[0]], steps[1:], change)
    return copy


def remove(where: Any, key: str | int) -> None:
    """Remove a part."""
    del where[key]


def replace_by(odd: Any) -> Callable[[Any, Any], None]:
    """Return a change that puts something else in a part's place."""

    def change(where: Any, key: str | int) -> None:
        where[key] = odd

    return change


CHANGES = [remove, *map(replace_by, ODD_VALUES)]


@EACH_WEBHOOK
def test_unchanged(webhook: Webhook) -> None:
    parsed(webhook.parse, webhook.payload)


@pytest.mark.parametrize("webhook", OURS, ids=[webhook.name for webhook in OURS])
def test_ours_are_understood(webhook: Webhook) -> None:
    event = parsed(webhook.parse, webhook.payload)

    assert event is not None
    assert (
        event.titles
        or event.server_event
        or event.ignored == "trailers and pre-rolls are not recorded"
    )


@EACH_WEBHOOK
def test_one_part_is_something_else(webhook: Webhook) -> None:
    for steps in places(webhook.payload):
        for change in CHANGES:
            parsed(webhook.parse, changed(webhook.payload, steps, change))


@EACH_WEBHOOK
def test_order_of_keys_does_not_matter(webhook: Webhook) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = list(value)
        random.Random(len(keys)).shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    assert parsed(webhook.parse, shuffled(webhook.payload)) == parsed(
        webhook.parse, webhook.payload
    )


@EACH_WEBHOOK
def test_unknown_keys_do_not_matter(webhook: Webhook) -> None:
    def crowded(value: Any) -> Any:
        if isinstance(value, list):
            return [crowded(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            **{key: crowded(item) for key, item in value.items()},
            **{f"unknown {number}": odd for number, odd in enumerate(ODD_VALUES)},
        }

    assert parsed(webhook.parse, crowded(webhook.payload)) == parsed(
        webhook.parse, webhook.payload
    )


@EACH_WEBHOOK
def test_no_sender_is_taken_for_another(webhook: Webhook) -> None:
    parsed(parse_plex, webhook.payload)
    parsed(parse_jellyfin, webhook.payload)


# Several changes at once

odd_texts = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    [value for value in ODD_VALUES if isinstance(value, str)]
)
odd_values = st.recursive(
    st.sampled_from([value for value in ODD_VALUES if value is not ENDLESS])
    | st.integers()
    | st.floats()
    | odd_texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(odd_texts, inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, *, samples: bool) -> Webhook:
    """Draw a webhook that has been changed in several places."""
    webhooks = THEIRS if samples else OURS
    webhook = draw(st.sampled_from(webhooks))
    payload = webhook.payload
    others = [other.payload for other in webhooks if other.parse is webhook.parse]
    for _ in range(draw(st.integers(1, 8))):
        every = list(places(payload))
        if not every:
            break
        steps = draw(st.sampled_from(every))
        match draw(st.sampled_from(["remove", "replace", "graft", "wrap", "top"])):
            case "remove":
                payload = changed(payload, steps, remove)
            case "replace":
                payload = changed(payload, steps, replace_by(draw(odd_values)))
            case "graft":
                payload = changed(
                    payload, steps, replace_by(draw(st.sampled_from(others)))
                )
            case "wrap":
                payload = changed(payload, steps, replace_by({"Item": payload}))
            case "top":
                key = draw(st.sampled_from(list(draw(st.sampled_from(others))) or [""]))
                payload = {**payload, key: draw(odd_values)}
    return Webhook(webhook.name, payload, webhook.parse)


@BOUNDED
@given(webhook=mutated(samples=False))
def test_many_parts_are_something_else(webhook: Webhook) -> None:
    parsed(webhook.parse, webhook.payload)


@pytest.mark.skipif(not SAMPLES, reason="MEDIA_SCROBBLER_SAMPLES names no folder")
@BOUNDED
@given(webhook=mutated(samples=True))
def test_many_parts_of_a_sample_are_something_else(webhook: Webhook) -> None:
    parsed(webhook.parse, webhook.payload)


@BOUNDED
@given(payload=st.dictionaries(odd_texts, odd_values, max_size=5))
@pytest.mark.parametrize("parse", [parse_plex, parse_jellyfin])
def test_anything_at_all(parse: Parser, payload: dict[str, Any]) -> None:
    assert parsed(parse, payload) is None


# Bodies


def bodies() -> Iterator[tuple[bytes, str, Parser]]:
    """Yield bodies with their content type, in every form there is."""
    for webhook in OURS:
        if webhook.parse is parse_plex:
            yield *plex.encode(webhook.payload, POSTER), parse_plex
            yield *plex.encode(webhook.payload, part_type=False), parse_plex
        else:
            json_type = jellyfin.CONTENT_TYPES["plain"]
            if webhook.name.startswith("Jellyfin"):
                form = {key: str(value) for key, value in webhook.payload.items()}
                yield (
                    urlencode(form).encode(),
                    jellyfin.CONTENT_TYPES["urlencoded"],
                    parse_jellyfin,
                )
                yield jellyfin.encode(webhook.payload), json_type, parse_jellyfin
            else:
                yield orjson.dumps(webhook.payload), json_type, parse_jellyfin
                part = b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n'
                yield (
                    part + orjson.dumps(webhook.payload) + b"\r\n--x--\r\n",
                    "multipart/form-data; boundary=x",
                    parse_jellyfin,
                )
    for file in sorted(Path(SAMPLES).glob("raw_http/*.bin")) if SAMPLES else ():
        headers = json.loads(file.with_suffix(".headers.json").read_bytes())
        parse = parse_plex if file.name.startswith("plex") else parse_jellyfin
        yield file.read_bytes(), headers["Content-Type"], parse


BODIES = list(bodies())
CONTENT_TYPES = [
    *sorted({content_type for _, content_type, _ in BODIES}),
    "",
    "application/json",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    'multipart/form-data; boundary="',
    "multipart/form-data; boundary=-",
    "multipart/form-data; boundary=漢字\ud83d",
    "application/x-www-form-urlencoded; charset=ebcdic",
    "\x00" * 10,
    "x" * 10_000,
]
FRAGMENTS = [
    b"",
    b"\n",
    b"\r\n\r\n",
    b"--",
    b"--x",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\xff\xd8\xff",
    b"\xed\xa0\x80",
    b'name="payload"',
    b"payload=",
    b"&=&",
    b"%",
    b"%ff%00",
    b"{",
    b"}",
    b'"',
    b"\\ud800",
    b"[" * 2000,
    b'{"Metadata":' * 2000,
    b"1e999",
    b"9" * 5000,
]


def decoded(body: bytes, content_type: str) -> Body | None:
    """Decode and check; returns None for what is refused."""
    try:
        result = decode(body, content_type)
    except PayloadError:
        return None
    assert type(result) is Body
    assert type(result.payload) is dict
    assert all(type(key) is str for key in result.payload)
    assert result.thumb is None or result.thumb.startswith(b"\xff\xd8\xff")
    return result


@pytest.mark.parametrize(
    ("body", "content_type", "parse"), BODIES, ids=range(len(BODIES))
)
def test_body_unchanged(body: bytes, content_type: str, parse: Parser) -> None:
    result = decoded(body, content_type)

    assert result is not None
    assert parsed(parse, result.payload) is not None


@pytest.mark.parametrize(
    ("body", "content_type", "parse"), BODIES, ids=range(len(BODIES))
)
def test_body_that_has_been_a_text_on_its_way(
    body: bytes, content_type: str, parse: Parser
) -> None:
    text = body.decode(errors="replace").replace("\r\n", "\n").encode()

    through_the_cloud = decoded(text, content_type)

    straight = decoded(body, content_type)
    assert through_the_cloud is not None
    assert straight is not None
    assert parsed(parse, through_the_cloud.payload) == parsed(parse, straight.payload)


@pytest.mark.parametrize(
    ("body", "content_type", "parse"), BODIES, ids=range(len(BODIES))
)
def test_body_cut_off_anywhere(body: bytes, content_type: str, parse: Parser) -> None:
    for end in range(0, len(body), max(1, len(body) // 200)):
        if result := decoded(body[:end], content_type):
            parsed(parse, result.payload)


@BOUNDED
@given(data=st.data())
def test_body_mutated(data: st.DataObject) -> None:
    body, content_type, parse = data.draw(st.sampled_from(BODIES))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(start + 400, len(body))))
        new = data.draw(st.sampled_from(FRAGMENTS) | st.binary(max_size=40))
        body = body[:start] + new + body[end:]
    content_type = data.draw(st.just(content_type) | st.sampled_from(CONTENT_TYPES))

    if result := decoded(body, content_type):
        parsed(parse, result.payload)


@BOUNDED
@given(
    body=st.binary(max_size=300)
    | st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=20)).map(b"".join),
    content_type=st.sampled_from(CONTENT_TYPES) | st.text(max_size=60),
)
def test_any_bytes(body: bytes, content_type: str) -> None:
    if result := decoded(body, content_type):
        parsed(parse_plex, result.payload)
        parsed(parse_jellyfin, result.payload)


@pytest.mark.parametrize("content_type", CONTENT_TYPES, ids=range(len(CONTENT_TYPES)))
@pytest.mark.parametrize(
    "unit",
    [
        b"[",
        b'{"a":',
        b'[{"a":',
        b"a=1&",
        b"--x\r\n\r\n",
        b"\n",
        b"\r\n\r\n",
        b"%",
        b"-",
    ],
    ids=repr,
)
def test_a_megabyte_of_it(unit: bytes, content_type: str) -> None:
    body = unit * (2**20 // len(unit))

    for whole in (body, b"--x\r\n" + body, b"payload=" + body):
        decoded(whole, content_type)
