"""Tests of reading JSON that somebody else wrote."""

from collections.abc import Callable
from typing import Any

import pytest

from custom_components.media_scrobbler.domain.fields import (
    MAX_SECONDS,
    MAX_TEXT,
    Fields,
    PayloadError,
)

type Reader = Callable[[Fields, str], Any]

READERS = pytest.mark.parametrize(
    "read",
    [
        Fields.text,
        Fields.integer,
        Fields.number,
        Fields.flag,
        Fields.object,
    ],
    ids=["text", "integer", "number", "flag", "object"],
)


@READERS
def test_missing_and_null_read_as_none(read: Reader) -> None:
    fields = Fields({"null": None})

    assert read(fields, "null") is None
    assert read(fields, "missing") is None


@pytest.mark.parametrize(
    "read",
    [Fields.text, Fields.integer, Fields.number, Fields.flag],
    ids=["text", "integer", "number", "flag"],
)
@pytest.mark.parametrize("blank", ["", "  ", "\n"], ids=["empty", "blanks", "line"])
def test_blank_text_reads_as_none(read: Reader, blank: str) -> None:
    assert read(Fields({"key": blank}), "key") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("Low Water", "Low Water", id="text"),
        pytest.param("  Low Water\t", "Low Water", id="blanks around"),
        pytest.param("Low\r\nWater", "Low Water", id="line break"),
        pytest.param("Low\x00Water", "Low Water", id="NUL"),
        pytest.param("Low\ud83dWater", "Low Water", id="half a character"),
        pytest.param("Low \ud83c\udf0a Water", "Low 🌊 Water", id="both halves"),
        pytest.param("Low\u2028Water", "Low Water", id="line separator"),
        pytest.param("低い\u3000水", "低い\u3000水", id="ideographic space"),
        pytest.param("\x00\x01", None, id="control characters only"),
        pytest.param(1936545, "1936545", id="integer"),
        pytest.param(7.5, "7.5", id="float"),
        pytest.param("x" * MAX_TEXT, "x" * MAX_TEXT, id="longest"),
    ],
)
def test_text(value: object, expected: str | None) -> None:
    assert Fields({"key": value}).text("key") == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(True, "key is not a text", id="boolean"),
        pytest.param([], "key is not a text", id="list"),
        pytest.param({}, "key is not a text", id="object"),
        pytest.param(10**5000, "key is not a text", id="endless integer"),
        pytest.param(float("nan"), "key is not a text", id="not a number"),
        pytest.param(
            "x" * (MAX_TEXT + 1),
            f"key is not at most {MAX_TEXT} characters long",
            id="too long",
        ),
    ],
)
def test_no_text(value: object, reason: str) -> None:
    with pytest.raises(PayloadError, match=f"^{reason}$"):
        Fields({"key": value}).text("key")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0, 0, id="zero"),
        pytest.param(-1, -1, id="negative"),
        pytest.param(2.0, 2, id="whole float"),
        pytest.param("12", 12, id="text"),
        pytest.param(" -3 ", -3, id="text with blanks"),
        pytest.param("003", 3, id="text with zeros"),
        pytest.param(2**63 - 1, 2**63 - 1, id="largest"),
        pytest.param(str(2**63 - 1), 2**63 - 1, id="largest as text"),
    ],
)
def test_integer(value: object, expected: int) -> None:
    number = Fields({"key": value}).integer("key")

    assert number == expected
    assert type(number) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        2.5,
        1e300,
        float("inf"),
        float("nan"),
        2**63,
        -(2**63),
        10**400,
        str(2**63),
        "2.5",
        "two",
        "1e3",
        "٣",
        [],
        {},
    ],
    ids=repr,
)
def test_no_integer(value: object) -> None:
    with pytest.raises(PayloadError, match=r"^key is not a whole number$"):
        Fields({"key": value}).integer("key")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0, 0.0, id="zero"),
        pytest.param(7.5, 7.5, id="float"),
        pytest.param("7.5", 7.5, id="text"),
        pytest.param("-1", -1.0, id="negative text"),
        pytest.param(" 98040000000 ", 98040000000.0, id="ticks as text"),
        pytest.param(2**63 - 1, float(2**63 - 1), id="largest number of ticks"),
    ],
)
def test_number(value: object, expected: float) -> None:
    number = Fields({"key": value}).number("key")

    assert number == expected
    assert type(number) is float


@pytest.mark.parametrize(
    "value",
    [False, float("inf"), float("nan"), 10**400, "7,5", "ten", "0x10", "1_0", [], {}],
    ids=[
        "boolean",
        "infinite",
        "not a number",
        "too large",
        "comma",
        "word",
        "hexadecimal",
        "underscore",
        "list",
        "object",
    ],
)
def test_no_number(value: object) -> None:
    with pytest.raises(PayloadError, match=r"^key is not a number$"):
        Fields({"key": value}).number("key")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0, 0.0, id="zero"),
        pytest.param(2500, 2.5, id="milliseconds"),
        pytest.param("2500", 2.5, id="text"),
        pytest.param(MAX_SECONDS * 1000, MAX_SECONDS, id="longest"),
        pytest.param(MAX_SECONDS * 1000 + 1, None, id="longer than anything plays"),
        pytest.param(1e300, None, id="absurd"),
        pytest.param(-1, None, id="negative"),
        pytest.param(None, None, id="unknown"),
    ],
)
def test_seconds(value: object, expected: float | None) -> None:
    assert Fields({"key": value}).seconds("key", 1000) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(True, True, id="true"),
        pytest.param(False, False, id="false"),
        pytest.param(1, True, id="1"),
        pytest.param(0, False, id="0"),
        pytest.param("True", True, id="capital text"),
        pytest.param("false ", False, id="text with a blank"),
        pytest.param("1", True, id="1 as text"),
        pytest.param("0", False, id="0 as text"),
    ],
)
def test_flag(value: object, expected: bool) -> None:
    assert Fields({"key": value}).flag("key") is expected


@pytest.mark.parametrize("value", [2, -1, 1.0, "yes", "2", [], {}], ids=repr)
def test_no_flag(value: object) -> None:
    with pytest.raises(PayloadError, match=r"^key is not true or false$"):
        Fields({"key": value}).flag("key")


def test_reasons_name_the_place() -> None:
    fields = Fields({"Metadata": {"Media": {"width": "wide"}, "Guid": [{"id": []}]}})
    metadata = fields.object("Metadata")
    assert metadata is not None
    media = metadata.object("Media")
    assert media is not None

    with pytest.raises(PayloadError, match=r"^Metadata\.Media\.width is not a whole"):
        media.integer("width")
    with pytest.raises(PayloadError, match=r"^Metadata\.Guid\.id is not a text$"):
        metadata.objects("Guid")[0].text("id")


@pytest.mark.parametrize("value", [[], "text", 1, True], ids=repr)
def test_no_object(value: object) -> None:
    with pytest.raises(PayloadError, match=r"^key is not an object$"):
        Fields({"key": value}).object("key")
    with pytest.raises(PayloadError, match=r"^payload is not an object$"):
        Fields(value)


def test_objects() -> None:
    fields = Fields({"null": None, "some": [{"id": 1}, {"id": 2}]})

    assert fields.objects("missing") == []
    assert fields.objects("null") == []
    assert [one.integer("id") for one in fields.objects("some")] == [1, 2]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param({}, "key is not a list", id="object"),
        pytest.param("text", "key is not a list", id="text"),
        pytest.param([{}, "text"], "payload.key is not an object", id="list of texts"),
    ],
)
def test_no_objects(value: object, reason: str) -> None:
    with pytest.raises(PayloadError, match=f"^{reason}$"):
        Fields({"key": value}).objects("key")


def test_is_the_mapping_it_was_given() -> None:
    data = {"event": "media.play", "guid": "plex://x", "Guid": []}
    fields = Fields(data)

    assert dict(fields) == data
    assert len(fields) == 3
    assert "event" in fields
    assert "Event" not in fields
    with pytest.raises(KeyError):
        _ = fields["Event"]
