"""Tests of the limit on webhooks."""

from itertools import count, takewhile

import pytest

from custom_components.media_scrobbler.domain.limit import (
    CAPACITY,
    REFILL,
    RESERVE,
    RateLimit,
)

START = 1000.0


def taken(limit: RateLimit, now: float, *, is_play: bool) -> int:
    """Send webhooks until one is refused; returns how many were taken."""
    return sum(
        1 for _ in takewhile(lambda _: limit.allows(now, is_play=is_play), count())
    )


def test_plays_may_use_all_there_is() -> None:
    assert taken(RateLimit(START), START, is_play=True) == CAPACITY


def test_other_webhooks_leave_the_reserve_to_plays() -> None:
    limit = RateLimit(START)

    assert taken(limit, START, is_play=False) == CAPACITY - RESERVE
    assert taken(limit, START, is_play=True) == RESERVE


def test_a_bulk_mark_fits() -> None:
    assert taken(RateLimit(START), START, is_play=True) >= 12_000


@pytest.mark.parametrize("is_play", [True, False], ids=["plays", "others"])
def test_refills_with_time(is_play: bool) -> None:
    limit = RateLimit(START)
    taken(limit, START, is_play=is_play)

    assert taken(limit, START + 10, is_play=is_play) == 10 * REFILL


def test_never_holds_more_than_it_can() -> None:
    limit = RateLimit(START)

    assert taken(limit, START + 1e9, is_play=True) == CAPACITY


def test_is_exhausted_when_not_even_a_play_is_taken() -> None:
    limit = RateLimit(START)
    taken(limit, START, is_play=False)
    assert not limit.is_exhausted(START)
    taken(limit, START, is_play=True)

    assert limit.is_exhausted(START)
    assert not limit.is_exhausted(START + 1)
