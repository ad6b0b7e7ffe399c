"""Tests of the stored forms."""

from datetime import UTC, datetime, timedelta, timezone
import json
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.media_scrobbler.domain.play import Play, Source, SourceKind
from custom_components.media_scrobbler.domain.title import PLAYABLE, MediaType, Title
from custom_components.media_scrobbler.storage.codec import (
    play_from_dict,
    play_to_dict,
    title_from_dict,
    title_to_dict,
)

from .common import NOON, episode, movie, report

_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_OPTIONAL_TEXT = st.none() | _TEXT
_OPTIONAL_NUMBER = st.none() | st.integers(0, 2**63 - 1)
_IDS = st.dictionaries(_TEXT, _TEXT | st.integers(0, 2**63 - 1), max_size=3)
_ITEMS = st.dictionaries(_TEXT, _TEXT, max_size=2)
_TIMES = st.integers(946_684_800_000_000, 4_102_444_800_000_000).map(
    lambda microseconds: datetime.fromtimestamp(microseconds / 1_000_000, UTC)
)
_TITLES = st.builds(
    Title,
    media_type=st.sampled_from(MediaType),
    title=_OPTIONAL_TEXT,
    year=_OPTIONAL_NUMBER,
    show=_OPTIONAL_TEXT,
    season=_OPTIONAL_NUMBER,
    episode=_OPTIONAL_NUMBER,
    artist=_OPTIONAL_TEXT,
    album=_OPTIONAL_TEXT,
    ids=_IDS,
    show_ids=_IDS,
    items=_ITEMS,
    show_items=_ITEMS,
    duration=st.none() | st.integers(1, 864_000),
)
_SOURCES = st.builds(
    Source,
    kind=st.sampled_from(SourceKind),
    at=_TIMES,
    event=_OPTIONAL_TEXT,
    server_id=_OPTIONAL_TEXT,
    server=_OPTIONAL_TEXT,
    server_type=_OPTIONAL_TEXT,
    account=_OPTIONAL_TEXT,
    player=_OPTIONAL_TEXT,
    player_id=_OPTIONAL_TEXT,
)
_PLAYS = st.builds(
    Play,
    id=_TEXT,
    title=_TITLES.filter(lambda title: title.media_type in PLAYABLE),
    watched_at=_TIMES,
    sources=st.lists(_SOURCES, min_size=1, max_size=3).map(tuple),
)


@given(_TITLES)
@settings(max_examples=100, deadline=None)
def test_titles_come_back(title: Title) -> None:
    assert title_from_dict(json.loads(json.dumps(title_to_dict(title)))) == title


@given(_PLAYS)
@settings(max_examples=100, deadline=None)
def test_plays_come_back(play: Play) -> None:
    assert play_from_dict(json.loads(json.dumps(play_to_dict(play)))) == play


def test_what_is_unknown_is_left_out() -> None:
    play = Play(
        id="1",
        title=Title(media_type=MediaType.MOVIE, title="Paper Orchard"),
        watched_at=NOON,
        sources=(report(),),
    )

    assert play_to_dict(play) == {
        "id": "1",
        "watched_at": "2026-11-10T12:00:00+00:00",
        "media_type": "movie",
        "title": "Paper Orchard",
        "sources": [{"kind": "webhook", "at": "2026-11-10T12:00:00+00:00"}],
    }


def test_times_with_another_offset_are_taken_as_utc() -> None:
    stored = play_to_dict(
        Play(id="1", title=movie(1), watched_at=NOON, sources=(report(),))
    )
    local = NOON.astimezone(timezone(timedelta(hours=2))).isoformat()

    play = play_from_dict(stored | {"watched_at": local})

    assert play.watched_at.isoformat() == NOON.isoformat()


@pytest.mark.parametrize(
    "change",
    [
        {"id": 5},
        {"id": None},
        {"media_type": "show"},
        {"media_type": "painting"},
        {"media_type": None},
        {"title": 5},
        {"title": None},
        {"year": "2019"},
        {"season": 1.5},
        {"episode": [1]},
        {"duration": "long"},
        {"duration": -1},
        {"duration": 10**12},
        {"ids": []},
        {"ids": {"tmdb": None}},
        {"ids": {"tmdb": [1]}},
        {"show_ids": "tvdb"},
        {"items": 5},
        {"items": {"server": {}}},
        {"watched_at": 1_700_000_000},
        {"watched_at": "yesterday"},
        {"watched_at": "2026-11-10T12:00:00"},
        {"watched_at": None},
        {"sources": None},
        {"sources": "webhook"},
        {"sources": [5]},
        {"sources": [{}]},
        {"sources": [{"kind": "rumour", "at": "2026-11-10T12:00:00+00:00"}]},
        {"sources": [{"kind": "webhook", "at": "2026-11-10T12:00:00"}]},
    ],
)
def test_values_of_a_wrong_type_are_found(change: dict[str, Any]) -> None:
    stored = play_to_dict(
        Play(id="1", title=episode(1, 2), watched_at=NOON, sources=(report(),))
    )

    with pytest.raises((KeyError, TypeError, ValueError)):
        play_from_dict(stored | change)


@pytest.mark.parametrize("key", ["id", "watched_at", "media_type", "sources"])
def test_what_is_missing_is_found(key: str) -> None:
    stored = play_to_dict(
        Play(id="1", title=movie(1), watched_at=NOON, sources=(report(),))
    )
    del stored[key]

    with pytest.raises((KeyError, TypeError, ValueError)):
        play_from_dict(stored)


def test_keys_of_later_versions_are_no_hindrance() -> None:
    play = Play(id="1", title=movie(1), watched_at=NOON, sources=(report(),))

    assert play_from_dict(play_to_dict(play) | {"mood": "good"}) == play
