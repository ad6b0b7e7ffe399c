"""Reading JSON that somebody else wrote: every value is checked as it is taken."""

from collections.abc import Iterator, Mapping
import re
import sys
from typing import Any, TypeIs, override

MAX_TEXT = 1000
"""Longest text taken from a payload, in characters. Real titles stay far below."""

MAX_SECONDS = 30 * 24 * 60 * 60
"""Longest time that is believed of a title or a position in it, in seconds."""

# Whole numbers have to fit into the 64 bits that storage has for them.
_MAX_INTEGER = 2**63 - 1
_MAX_NUMBER = sys.float_info.max

_INTEGER = re.compile(r"\s*-?\d{1,19}\s*", re.ASCII)
_NUMBER = re.compile(r"\s*-?\d{1,19}(\.\d{1,18})?\s*", re.ASCII)
# Neither lines nor states nor databases take them: control characters, line separators,
# halves of characters.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class PayloadError(ValueError):
    """A payload cannot be understood; the text says why, for a person to read."""


class Fields(Mapping[str, Any]):
    """A JSON object whose values are read with a type in mind.

    A missing key, `null` and an empty text read as None. A value of the wrong type
    raises PayloadError and names the place. Numbers and booleans may be written as
    texts, as templates do.
    """

    __slots__ = ("_data", "_where")

    def __init__(self, data: Any, where: str = "payload") -> None:
        """Take a decoded JSON value; raises PayloadError unless it is an object."""
        if not isinstance(data, dict):
            raise PayloadError(f"{where} is not an object")
        self._data: dict[str, Any] = data
        self._where = where

    @override
    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    @override
    def __len__(self) -> int:
        return len(self._data)

    def _wrong(self, key: str, expected: str) -> PayloadError:
        place = key if self._where == "payload" else f"{self._where}.{key}"
        return PayloadError(f"{place} is not {expected}")

    def text(self, key: str) -> str | None:
        """Return a text on one line, without surrounding blanks; a number reads as its digits."""
        value = self._data.get(key)
        if isinstance(value, str):
            value = one_line(value)
            if len(value) > MAX_TEXT:
                raise self._wrong(key, f"at most {MAX_TEXT} characters long")
            return value or None
        if value is None:
            return None
        if _is_number(value):
            return str(value)
        raise self._wrong(key, "a text")

    def integer(self, key: str) -> int | None:
        """Return a whole number."""
        value = self._data.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            if not value.strip():
                return None
            if _INTEGER.fullmatch(value):
                value = int(value)
        if (
            _is_number(value)
            and value == int(value)
            and -_MAX_INTEGER <= value <= _MAX_INTEGER
        ):
            return int(value)
        raise self._wrong(key, "a whole number")

    def number(self, key: str) -> float | None:
        """Return a number."""
        value = self._data.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            if not value.strip():
                return None
            if _NUMBER.fullmatch(value):
                return float(value)
        if _is_number(value):
            return float(value)
        raise self._wrong(key, "a number")

    def seconds(self, key: str, per_second: int) -> float | None:
        """Return a time in seconds, given as a number of which so many are a second.

        One that is negative or longer than anything plays tells nothing and reads as None.
        """
        value = self.number(key)
        if value is None or not 0 <= value <= MAX_SECONDS * per_second:
            return None
        return value / per_second

    def flag(self, key: str) -> bool | None:
        """Return a boolean; `1`, `0`, `"True"` and `"false"` are booleans too."""
        value = self._data.get(key)
        if isinstance(value, bool):
            return value
        if value is None:
            return None
        if isinstance(value, int) and value in (0, 1):
            return bool(value)
        if isinstance(value, str):
            match value.strip().lower():
                case "":
                    return None
                case "true" | "1":
                    return True
                case "false" | "0":
                    return False
        raise self._wrong(key, "true or false")

    def object(self, key: str) -> Fields | None:
        """Return a nested object."""
        value = self._data.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return Fields(
            value, f"{self._where}.{key}" if self._where != "payload" else key
        )

    def objects(self, key: str, *, at_most: int | None = None) -> list[Fields]:
        """Return a list of nested objects, or the first of them; a missing list is empty."""
        value = self._data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return [Fields(item, f"{self._where}.{key}") for item in value[:at_most]]


def one_line(text: str) -> str:
    """Return a text on one line, without control characters and surrounding blanks.

    A character that was written as two halves, as JSON does and YAML takes for two
    characters, becomes whole.
    """
    if not text.isprintable():
        halves = text.encode("utf-16-le", "surrogatepass")
        text = _CONTROL.sub(" ", halves.decode("utf-16-le", "surrogatepass"))
    return text.strip()


def _is_number(value: Any) -> TypeIs[float]:
    """Say whether a value is a number that a float can hold; booleans are none."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and -_MAX_NUMBER <= value <= _MAX_NUMBER
    )
