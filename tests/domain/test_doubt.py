"""Tests of what comes of the marks that a webhook leaves in doubt."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.media_scrobbler.domain.doubt import Doubt, Finding, find
from custom_components.media_scrobbler.domain.event import SavedData
from custom_components.media_scrobbler.domain.play import Source, SourceKind
from custom_components.media_scrobbler.domain.title import MediaType, Title

NOW = datetime(2026, 11, 20, 20, 15, 0, 123456, tzinfo=UTC)
OLD = datetime(2026, 10, 1, 18, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def doubt(
    dated: datetime = OLD, *, may_be_local: bool = True, is_new: bool = True
) -> Doubt:
    """Return the doubt about a mark of now."""
    return Doubt(
        viewer="viewer",
        play_id="play",
        title=Title(media_type=MediaType.MOVIE, title="Tide"),
        account="alice",
        item="a1",
        source=Source(
            kind=SourceKind.WEBHOOK, at=NOW, dated=dated, may_be_local=may_be_local
        ),
        play_count=1,
        is_new=is_new,
    )


def saved(at: datetime | None, count: int | None = 1) -> SavedData:
    """Return what the server has saved."""
    return SavedData(item="a1", played=True, play_count=count, last_played=at)


@pytest.mark.parametrize(
    ("mark", "is_one"),
    [
        (doubt(), True),
        (doubt(may_be_local=False), True),
        (doubt(may_be_local=False, is_new=False), False),
        (doubt(NOW, may_be_local=False), False),
        (doubt(NOW), True),
    ],
)
def test_what_is_in_doubt(mark: Doubt, is_one: bool) -> None:
    assert mark.is_one is is_one


@pytest.mark.parametrize(
    ("mark", "answer", "finding"),
    [
        pytest.param(doubt(), saved(OLD), Finding.AS_IT_IS, id="the same date"),
        pytest.param(doubt(), None, Finding.AS_IT_IS, id="nothing"),
        pytest.param(doubt(), saved(None), Finding.AS_IT_IS, id="no date"),
        pytest.param(
            doubt(), saved(OLD - 5.5 * HOUR), Finding.OTHERWISE_DATED, id="local time"
        ),
        pytest.param(
            doubt(), saved(OLD - HOUR, 2), Finding.AS_IT_IS, id="another date since"
        ),
        pytest.param(
            doubt(), saved(OLD - HOUR, None), Finding.OTHERWISE_DATED, id="no count"
        ),
        pytest.param(
            doubt(may_be_local=False),
            saved(NOW - HOUR),
            Finding.NO_PLAY,
            id="another version since",
        ),
        pytest.param(
            doubt(may_be_local=False, is_new=False),
            saved(NOW - HOUR),
            Finding.AS_IT_IS,
            id="known before",
        ),
        pytest.param(
            doubt(may_be_local=False),
            saved(NOW + HOUR),
            Finding.AS_IT_IS,
            id="begun afterwards",
        ),
    ],
)
def test_answers(mark: Doubt, answer: SavedData | None, finding: Finding) -> None:
    assert find(mark, answer, is_playing=False, now=NOW) is finding


@pytest.mark.parametrize(
    ("mark", "minutes", "finding"),
    [
        (doubt(), 1, Finding.NO_PLAY),
        (doubt(), 10, Finding.AS_IT_IS),
        (doubt(is_new=False), 1, Finding.AS_IT_IS),
        (doubt(NOW), 1, Finding.AS_IT_IS),
    ],
)
def test_what_plays_tells_for_a_while(
    mark: Any, minutes: int, finding: Finding
) -> None:
    now = NOW + timedelta(minutes=minutes)
    assert find(mark, saved(mark.source.dated), is_playing=True, now=now) is finding
