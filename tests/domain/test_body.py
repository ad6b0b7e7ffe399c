"""Tests of decoding request bodies."""

import json
from urllib.parse import urlencode

import pytest

from custom_components.media_scrobbler.domain.body import Body, decode
from custom_components.media_scrobbler.domain.fields import PayloadError

from ..simulators.catalogue import LOW_WATER, NINTH_MERIDIAN
from ..simulators.jellyfin import JellyfinEvent, JellyfinServer
from ..simulators.plex import POSTER, PlexAccount, PlexEvent, PlexServer

PLEX = PlexServer(name="Attic", uuid="5f0c", owner=PlexAccount.owner("alice"))
JELLYFIN = JellyfinServer(name='The "Cellar"', id="b6e3d8f1c0a24957a1f4e2d3c5b69780")

PAYLOAD = {"event": "media.play", "Metadata": {"title": "Vera & Ko = größer"}}
RAW = json.dumps(PAYLOAD, ensure_ascii=False).encode()
# As a photograph may hold it: line ends, an empty line, and something like a delimiter.
JPEG = b"\xff\xd8\xff\xe0 \r\n\r\n--not-a-frontier\n\n \x00\xff\xd9"


def multipart(
    *parts: tuple[str, bytes], boundary: str = "frontier", end: str = "--", eol: str
) -> bytes:
    """Return a multipart body of parts, each with its header's end and its content."""
    lines = b""
    for disposition, content in parts:
        head = f"--{boundary}{eol}Content-Disposition: form-data; {disposition}"
        lines += f"{head}{eol}{eol}".encode() + content + eol.encode()
    return lines + f"--{boundary}{end}{eol}".encode()


EOL = pytest.mark.parametrize("eol", ["\r\n", "\n"], ids=["CRLF", "LF"])


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain; charset=utf-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ],
)
@pytest.mark.parametrize(
    "before",
    [b"", b"\xef\xbb\xbf", b"\r\n  ", b"\xef\xbb\xbf\n", b" " * 500],
    ids=["nothing", "byte order mark", "blanks", "both", "many blanks"],
)
def test_json_whatever_its_type(content_type: str, before: bytes) -> None:
    assert decode(before + RAW, content_type) == Body(PAYLOAD)


@pytest.mark.parametrize("form", ["plain", "json"])
def test_json_as_jellyfin_sends_it(form: str) -> None:
    body, content_type = JELLYFIN.body(
        JellyfinEvent.PLAYBACK_STOP,
        LOW_WATER,
        form="plain" if form == "plain" else "json",
    )

    decoded = decode(body, content_type)

    assert decoded.payload["ServerName"] == 'The \\"Cellar\\"'
    assert decoded.payload["EpisodeNumber"] == 3
    assert decoded.payload["PlayedToCompletion"] is True


def test_form_as_jellyfin_sends_it() -> None:
    body, content_type = JELLYFIN.body(
        JellyfinEvent.PLAYBACK_STOP, LOW_WATER, form="urlencoded"
    )

    decoded = decode(body, content_type)

    assert decoded.payload["ServerName"] == 'The \\"Cellar\\"'
    assert decoded.payload["EpisodeNumber"] == "3"
    assert decoded.payload["PlayedToCompletion"] == "True"
    assert decoded.payload["Overview"] == LOW_WATER.summary
    assert decoded.payload["Tagline"] == ""


@pytest.mark.parametrize("field", ["payload", "data"])
def test_json_in_a_field_of_a_form(field: str) -> None:
    body = urlencode({"other": "1", field: RAW.decode()}).encode()

    assert decode(body, "application/x-www-form-urlencoded") == Body(PAYLOAD)
    assert decode(body) == Body(PAYLOAD)


def test_form_field_of_that_name_without_json() -> None:
    assert decode(b"data=1&event=play").payload == {"data": "1", "event": "play"}


def test_form_is_known_by_its_type_alone() -> None:
    assert decode(b"a" * 300 + b"=1", "Application/X-WWW-Form-Urlencoded") == Body(
        {"a" * 300: "1"}
    )


def test_multipart_as_plex_sends_it() -> None:
    body, content_type = PLEX.body(PlexEvent.PLAY, NINTH_MERIDIAN)

    decoded = decode(body, content_type)

    assert decoded.payload["Metadata"]["title"] == "Ninth Meridian"
    assert decoded.thumb == POSTER


def test_multipart_without_a_poster() -> None:
    body, content_type = PLEX.body(PlexEvent.SCROBBLE, NINTH_MERIDIAN)

    assert decode(body, content_type).thumb is None


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="frontier"; charset=utf-8',
        "Multipart/Form-Data; Boundary=frontier",
        "multipart/form-data; boundary=another",
        "multipart/form-data",
        "text/plain",
        "",
    ],
)
@EOL
def test_multipart_whatever_its_type(content_type: str, eol: str) -> None:
    body = multipart(
        ('name="payload"', RAW),
        ('name="thumb"; filename="thumb.jpg"', JPEG),
        eol=eol,
    )

    assert decode(body, content_type) == Body(PAYLOAD, JPEG)


@pytest.mark.parametrize(
    "disposition",
    [
        'name="payload"',
        "name=data",
        'filename="thumb"; name="payload"',
        'NAME="payload"; filename="name=thumb"',
    ],
)
@EOL
def test_names_of_parts(disposition: str, eol: str) -> None:
    body = multipart((disposition, RAW), eol=eol)

    assert decode(body, "multipart/form-data; boundary=frontier") == Body(PAYLOAD)


@EOL
def test_multipart_with_something_before_it(eol: str) -> None:
    body = f"This is a message in parts.{eol}".encode() + multipart(
        ('name="payload"', RAW), eol=eol
    )

    assert decode(body, "multipart/form-data; boundary=frontier") == Body(PAYLOAD)


def test_delimiter_within_a_line_is_content() -> None:
    payload = {"title": "--frontier", "summary": "well--frontier--like"}
    body = multipart(('name="payload"', json.dumps(payload).encode()), eol="\r\n")

    assert decode(body, "multipart/form-data; boundary=frontier") == Body(payload)


def test_first_payload_counts_and_what_follows_the_end_does_not() -> None:
    body = multipart(
        ('name="payload"', RAW), ('name="payload"', b'{"event": "other"}'), eol="\n"
    ) + multipart(('name="thumb"', JPEG), eol="\n")

    assert decode(body) == Body(PAYLOAD)


def test_parts_without_header_name_or_poster_are_passed_over() -> None:
    body = (
        b"--frontier\r\nno empty line\r\n"
        b"--frontier\r\nContent-Type: text/plain\r\n\r\nno name\r\n"
        + multipart(('name="thumb"', b"\x89PNG"), ('name="payload"', RAW), eol="\r\n")
    )

    assert decode(body) == Body(PAYLOAD)


@EOL
def test_multipart_whose_end_was_cut_off(eol: str) -> None:
    body = multipart(('name="payload"', RAW), ('name="thumb"', JPEG), eol=eol)
    cut = body.index(JPEG) + len(JPEG) - 4

    assert decode(body[:cut]) == Body(PAYLOAD, JPEG[:-4])


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        pytest.param(b"", "", "body is empty", id="empty"),
        pytest.param(b" \r\n" * 200, "", "body is empty", id="blank"),
        pytest.param(b"\xef\xbb\xbf", "", "body is empty", id="byte order mark only"),
        pytest.param(b"{", "", "not valid JSON", id="truncated"),
        pytest.param(b'{"a": "\xff"}', "", "not valid JSON", id="not UTF-8"),
        pytest.param(b'{"a": 1e400}', "", "not valid JSON", id="infinite number"),
        pytest.param(b'{"a": "\\ud800"}', "", "not valid JSON", id="half a character"),
        pytest.param(b'{"a":' * 100_000, "", "not valid JSON", id="deep nesting"),
        pytest.param(b'{"a":' * 200_000, "", "larger than 524288", id="1 MB of JSON"),
        pytest.param(b"[1, 2]", "", "JSON is not an object", id="list"),
        pytest.param(b'"text"', "", "JSON is not an object", id="text"),
        pytest.param(b"12", "application/json", "JSON is not an object", id="number"),
        pytest.param(b"<html>", "text/html", "not valid JSON", id="HTML"),
        pytest.param(b"a=1&" * 1001, "", "too many fields", id="form of many fields"),
        pytest.param(b'payload={"a"', "", "not valid JSON", id="form with bad JSON"),
        pytest.param(b"-", "", "has no boundary", id="dash"),
        pytest.param(b"--", "", "has no boundary", id="two dashes"),
        pytest.param(b"-x", "", "has no boundary", id="dash and text"),
        pytest.param(
            b"text", "multipart/form-data", "has no boundary", id="multipart by name"
        ),
        pytest.param(b"--x", "", "no part named payload", id="delimiter only"),
        pytest.param(
            multipart(('name="thumb"', JPEG), eol="\r\n"),
            "",
            "no part named payload",
            id="poster only",
        ),
        pytest.param(
            multipart(('name="payload"', b"[]"), eol="\r\n"),
            "",
            "JSON is not an object",
            id="multipart with a list",
        ),
        pytest.param(
            multipart(('name="payload"', b""), eol="\r\n"),
            "",
            "not valid JSON",
            id="multipart with nothing",
        ),
    ],
)
def test_refused_with_a_reason(body: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        decode(body, content_type)


def test_a_byte_order_mark_within_a_part_is_passed_over() -> None:
    body = multipart(('name="payload"', b"\xef\xbb\xbf" + RAW), eol="\r\n")

    assert decode(body) == Body(PAYLOAD)
