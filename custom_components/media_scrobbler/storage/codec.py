"""Titles, plays and sources as they stand in files: plain JSON, unknown keys left out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..domain.fields import MAX_SECONDS
from ..domain.play import Play, Source, SourceKind
from ..domain.title import PLAYABLE, MediaType, Title

YEARS = range(1800, 9999)
"""Years of the times that are believed: with these, no time zone and no window leads out
of the calendar, and nothing was watched before."""

_TITLE_KEYS: dict[str, type] = {
    "title": str,
    "year": int,
    "show": str,
    "season": int,
    "episode": int,
    "artist": str,
    "album": str,
    "ids": dict,
    "show_ids": dict,
    "items": dict,
    "show_items": dict,
    "duration": int,
}
# What the values in a dictionary may be.
_TEXTS = frozenset({str})
_VALUES = {
    "ids": frozenset({str, int}),
    "show_ids": frozenset({str, int}),
    "items": _TEXTS,
    "show_items": _TEXTS,
}
_SOURCE_KEYS = (
    "event",
    "server_id",
    "server",
    "server_type",
    "account",
    "account_id",
    "player",
    "player_id",
)
_SOURCE_TIMES = ("begun_at", "dated")


def title_to_dict(title: Title) -> dict[str, Any]:
    """Return a title's stored form."""
    stored: dict[str, Any] = {"media_type": title.media_type.value}
    for key in _TITLE_KEYS:
        value = getattr(title, key)
        if value is not None and value != {}:
            stored[key] = value
    return stored


def title_from_dict(stored: Mapping[str, Any]) -> Title:
    """Return the title of a stored form; raises KeyError, TypeError or ValueError.

    Every value is looked at: one of a wrong type would do its harm much later.
    """
    values: dict[str, Any] = {}
    for key, kind in _TITLE_KEYS.items():
        if key not in stored:
            continue
        values[key] = value = stored[key]
        if type(value) is not kind or (kind is dict and not _are_ids(key, value)):
            raise TypeError(f"{key} is {value!r}")
    if not 0 <= values.get("duration", 0) <= MAX_SECONDS:
        raise ValueError(f"duration is {values['duration']}")
    return Title(media_type=MediaType(stored["media_type"]), **values)


def _are_ids(key: str, value: Any) -> bool:
    return _VALUES[key].issuperset(map(type, value.values()))


def play_to_dict(play: Play) -> dict[str, Any]:
    """Return a play's stored form: the title's keys, and its own beside them."""
    return {
        "id": play.id,
        "watched_at": play.watched_at.isoformat(),
        **title_to_dict(play.title),
        "sources": [source_to_dict(source) for source in play.sources],
    }


def play_from_dict(stored: Mapping[str, Any]) -> Play:
    """Return the play of a stored form; raises KeyError, TypeError or ValueError."""
    play_id, title, sources = stored["id"], title_from_dict(stored), stored["sources"]
    if not isinstance(play_id, str):
        raise TypeError(f"id is {play_id!r}")
    if not isinstance(sources, list) or not sources:
        raise TypeError(f"sources are {sources!r}")
    if title.media_type not in PLAYABLE:
        raise ValueError(f"a {title.media_type} is not something to play")
    return Play(
        id=play_id,
        title=title,
        watched_at=time_from_text(stored["watched_at"]),
        sources=tuple(source_from_dict(source) for source in sources),
    )


def time_from_text(text: str) -> datetime:
    """Return the time of a stored form, in UTC.

    Raises TypeError or ValueError for what is no text, without a time zone, or impossible.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} is without a time zone")
    if time.year not in YEARS:
        raise ValueError(f"{text} is no time that can be reckoned with")
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def source_to_dict(source: Source) -> dict[str, Any]:
    """Return a source's stored form."""
    stored: dict[str, Any] = {
        "kind": source.kind.value,
        "at": source.at.isoformat(),
    }
    for key in _SOURCE_KEYS:
        if (value := getattr(source, key)) is not None:
            stored[key] = value
    for key in _SOURCE_TIMES:
        if (time := getattr(source, key)) is not None:
            stored[key] = time.isoformat()
    if source.may_be_local:
        stored["may_be_local"] = True
    return stored


def source_from_dict(stored: Mapping[str, Any]) -> Source:
    """Return the source of a stored form; raises KeyError, TypeError or ValueError."""
    known = {key: stored[key] for key in _SOURCE_KEYS if key in stored}
    if not _TEXTS.issuperset(map(type, known.values())):
        raise TypeError(f"source is {stored!r}")
    times = {key: time_from_text(stored[key]) for key in _SOURCE_TIMES if key in stored}
    return Source(
        kind=SourceKind(stored["kind"]),
        at=time_from_text(stored["at"]),
        may_be_local=stored.get("may_be_local") is True,
        begun_at=times.get("begun_at"),
        dated=times.get("dated"),
        **known,
    )
