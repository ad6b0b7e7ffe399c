"""Titles, plays and sources as they stand in files: plain JSON, unknown keys left out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..domain.play import Play, Source, SourceKind
from ..domain.title import MediaType, Title

_TITLE_KEYS = (
    "title",
    "year",
    "show",
    "season",
    "episode",
    "artist",
    "album",
    "ids",
    "show_ids",
    "items",
    "show_items",
    "duration",
)
_SOURCE_KEYS = (
    "event",
    "server_id",
    "server",
    "server_type",
    "account",
    "player",
    "player_id",
)


def title_to_dict(title: Title) -> dict[str, Any]:
    """Return a title's stored form."""
    stored: dict[str, Any] = {"media_type": title.media_type.value}
    for key in _TITLE_KEYS:
        value = getattr(title, key)
        if value is not None and value != {}:
            stored[key] = value
    return stored


def title_from_dict(stored: Mapping[str, Any]) -> Title:
    """Return the title of a stored form; raises KeyError or ValueError if it is none."""
    return Title(
        media_type=MediaType(stored["media_type"]),
        **{key: stored[key] for key in _TITLE_KEYS if key in stored},
    )


def play_to_dict(play: Play) -> dict[str, Any]:
    """Return a play's stored form: the title's keys, and its own beside them."""
    return {
        "id": play.id,
        "watched_at": play.watched_at.isoformat(),
        **title_to_dict(play.title),
        "sources": [_source_to_dict(source) for source in play.sources],
    }


def play_from_dict(stored: Mapping[str, Any]) -> Play:
    """Return the play of a stored form; raises KeyError or ValueError if it is none."""
    return Play(
        id=stored["id"],
        title=title_from_dict(stored),
        watched_at=datetime.fromisoformat(stored["watched_at"]),
        sources=tuple(_source_from_dict(source) for source in stored["sources"]),
    )


def _source_to_dict(source: Source) -> dict[str, Any]:
    stored = {"kind": source.kind.value, "at": source.at.isoformat()}
    for key in _SOURCE_KEYS:
        if (value := getattr(source, key)) is not None:
            stored[key] = value
    return stored


def _source_from_dict(stored: Mapping[str, Any]) -> Source:
    return Source(
        kind=SourceKind(stored["kind"]),
        at=datetime.fromisoformat(stored["at"]),
        **{key: stored[key] for key in _SOURCE_KEYS if key in stored},
    )
