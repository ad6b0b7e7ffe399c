"""Filtering and sorting, in the words that Plex has for it.

A filter is a parameter such as `year`, `addedAt>` or `show.title=`; what stands between name
and value counts with the operator, so that these are `=`, `>=` and `==`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
import re
from typing import Any

# What a request may say besides what it filters by.
_NO_FILTERS = re.compile(
    r"(X-Plex-.*|include.*|exclude.*|async.*|check.*|type|sort|limit|skipRefresh)$",
)
_FILTER = re.compile(r"(?:(?P<kind>[a-z]+)\.)?(?P<field>\w+)(?P<operator>[!<>=]*)$")
_AGO = re.compile(r"-(?P<count>\d+)(?P<unit>mon|[smhdwy])$")
_UNITS: Mapping[str, timedelta] = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mon": timedelta(days=30),
    "y": timedelta(days=365),
}
_OF_USER = frozenset(
    {"lastViewedAt", "viewCount", "viewOffset", "userRating", "unwatched"}
)


class FilterError(Exception):
    """A request filters or sorts by something that is not known here."""


def filters_of(query: Mapping[str, str]) -> dict[str, str]:
    """Return what a request filters by."""
    return {name: value for name, value in query.items() if not _NO_FILTERS.match(name)}


def concerns_user(order: str, filters: Mapping[str, str]) -> bool:
    """Return whether an order or filters depend on what a user has done."""
    mentioned = {*re.findall(r"\w+", f"{order} {' '.join(filters)}")}
    return not mentioned.isdisjoint(_OF_USER)


def parts_of(name: str) -> tuple[str | None, str, str]:
    """Return the kind a filter is about (None: the one listed), the field, the operator."""
    found = _FILTER.match(name)
    if found is None:
        raise FilterError(name)
    return found["kind"], found["field"], found["operator"]


def passes(value: Any, operator: str, wanted: str) -> bool:
    """Return whether a value is what a filter wants.

    A text has to contain that, unless the operator says otherwise.
    """
    if value is None:
        return operator == "!"
    if isinstance(value, str):
        wanted = wanted.casefold()
        match operator:
            case "=":
                return value == wanted
            case "!=":
                return value != wanted
            case "!":
                return wanted not in value
            case "" if value.startswith(("plex://", "com.", "local://")):
                return value == wanted
            case _:
                return wanted in value
    number = _number(wanted)
    match operator:
        case ">>":
            return bool(value > number)
        case "<<":
            return bool(value < number)
        case ">":
            return bool(value >= number)
        case "<":
            return bool(value <= number)
        case "!":
            return bool(value != number)
        case _:
            return bool(value == number)


def _number(wanted: str) -> float:
    """Return the number a filter wants; `-7d` is seven days ago."""
    if ago := _AGO.match(wanted):
        moment = datetime.now(UTC) - int(ago["count"]) * _UNITS[ago["unit"]]
        return moment.timestamp()
    try:
        return float(wanted)
    except ValueError:
        raise FilterError(wanted) from None
