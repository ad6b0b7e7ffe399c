"""Tests of what templates of the webhook plugin do to texts."""

import json
from typing import Any

import pytest

from custom_components.media_scrobbler.domain.body import decode
from custom_components.media_scrobbler.jellyfin.payload import parse
from custom_components.media_scrobbler.jellyfin.template import (
    is_made_by_template,
    unescaped,
)

from ..simulators.jellyfin_plugin import render

PLAIN = "2c0d61a793f1a78957bccedd56eea531"
DASHED = "2c0d61a7-93f1-a789-57bc-cedd56eea531"
TEMPLATE = """{
  "NotificationType": "{{NotificationType}}", "ItemType": "{{ItemType}}",
  "ItemId": "{{ItemId}}", "Name": "{{Name}}", "Artist": "{{{Artist}}}",
  "NotificationUsername": "{{NotificationUsername}}", "UserId": "{{UserId}}"
}"""


def played(name: str, **other: Any) -> dict[str, Any]:
    """Return what the plugin says of a track that ends, quotes as it puts them."""
    return {
        "NotificationType": "PlaybackStop",
        "ServerVersion": "10.11.11",
        "ItemType": "Audio",
        "ItemId": PLAIN,
        "Name": name.replace('"', '\\"'),
        "Artist": "Marlow & Finch",
        "NotificationUsername": "Zoë & co",
        "UserId": PLAIN,
        **other,
    }


NAMES = [
    "Drum&reggae",
    "R&amp;B",
    "Ebb & Flow",
    "Salt &#38; Pepper",
    "&notin;",
    'The "Real" Thing',
    "Amélie, Straße, 千と千尋",
    "Night 🌙 <Live>",
    "Bob's & Ann's = us",
    "AT&T;",
]


@pytest.mark.parametrize("name", NAMES)
def test_all_properties_are_taken_as_they_are(name: str) -> None:
    event = parse(played(name))

    assert event.title is not None
    assert event.title.title == name


@pytest.mark.parametrize("name", NAMES)
def test_what_a_template_has_escaped_is_as_it_was(name: str) -> None:
    body = render(TEMPLATE, played(name))

    event = parse(decode(body.encode()).payload)

    assert event.title is not None
    assert event.title.title == name
    assert event.title.artist == "Marlow & Finch"
    assert event.account is not None
    assert event.account.name == "Zoë & co"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Bob&#x27;s &#x3D; &#X27;", "Bob's = '", id="hexadecimal"),
        pytest.param("Am&#233;lie", "Amélie", id="decimal"),
        pytest.param("&#55356;&#57113;", "🌙", id="two halves"),
        pytest.param("&#55356; alone", "\ufffd alone", id="half a character"),
        pytest.param("Caf&eacute;", "Café", id="by name"),
        pytest.param("Drum&reggae", "Drum&reggae", id="without a semicolon"),
        pytest.param("&nosuch; &#; &#x; &;", "&nosuch; &#; &#x; &;", id="none"),
        pytest.param("&#9999999; &#x110000;", "&#9999999; &#x110000;", id="too large"),
        pytest.param("&amp;amp;", "&amp;", id="once"),
    ],
)
def test_entities(text: str, expected: str) -> None:
    assert unescaped({"a": [text, 1, None], "b": {"c": text}}) == {
        "a": [expected, 1, None],
        "b": {"c": expected},
    }


def test_what_lies_deeper_than_anything_is_left() -> None:
    deep: Any = "&amp;"
    for _ in range(500):
        deep = [deep]

    assert unescaped(deep) == deep


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param({"ItemId": DASHED, "ServerVersion": "1"}, True, id="dashes"),
        pytest.param({"ItemId": PLAIN}, False, id="no dashes"),
        pytest.param({"UserId": DASHED}, True, id="a user with dashes"),
        pytest.param({"ItemId": "", "SeriesId": DASHED}, True, id="a show with dashes"),
        pytest.param({"ItemId": PLAIN, "Item": {}}, True, id="an object for the item"),
        pytest.param({"Name": "Tide"}, True, id="no ids, no version"),
        pytest.param({"ServerVersion": "10.11.11"}, False, id="no ids"),
        pytest.param({"ItemId": 7}, False, id="a wrong type"),
    ],
)
def test_made_by_a_template(payload: dict[str, Any], expected: bool) -> None:
    assert is_made_by_template(payload) is expected


def test_other_senders_escape_nothing() -> None:
    item = {"Type": "Movie", "Name": "R&amp;B", "Id": PLAIN}
    raw = json.dumps({"Event": "Play", "Item": item, "Server": {"Name": "A &amp; B"}})

    event = parse(decode(raw.encode()).payload)

    assert event.title is not None
    assert (event.title.title, event.server.name) == ("R&amp;B", "A &amp; B")
