"""Tests of what is kept in memory of the plays."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from custom_components.media_scrobbler.domain.play import (
    LAST_START,
    Play,
    Source,
    SourceKind,
)
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.storage.index import PlayIndex

from .common import NOON, episode, minutes, movie, report

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
BEGINNING = Source(kind=SourceKind.IMPORT, at=NOON, event=LAST_START)


@pytest.fixture
def index() -> PlayIndex:
    """Return an index of nothing."""
    return PlayIndex(AMSTERDAM)


def play(title: Title, number: int = 0) -> Play:
    """Return a play, so many minutes after noon."""
    return Play(
        id=str(number), title=title, watched_at=NOON + minutes(number), sources=()
    )


def test_counts(index: PlayIndex) -> None:
    index.add(play(movie(1)), 0)
    index.add(play(movie(1), 700), 0)
    index.add(play(episode(1, 1, duration=None), 1), 1)

    assert len(index) == 3
    assert index.per_type == {MediaType.MOVIE: 2, MediaType.EPISODE: 1}
    # In Amsterdam the second film ends after midnight.
    day = NOON.toordinal()
    assert index.per_day == {day: 2, day + 1: 1}
    assert index.seconds_per_day == {day: 6000, day + 1: 6000}
    assert sorted(index.times(movie(1))) == [
        NOON.timestamp(),
        (NOON + minutes(700)).timestamp(),
    ]
    assert index.latest_part() == 0


def test_removing_and_replacing(index: PlayIndex) -> None:
    first, second = play(movie(1)), play(movie(1), 700)
    index.add(first, 0)
    index.add(second, 1)

    index.remove(first, 0)
    index.remove(first, 0)
    index.remove(play(movie(2)), 0)
    assert len(index) == 1
    assert index.times(movie(1)) == [second.watched_at.timestamp()]

    index.replace(second, replace(second, title=movie(3)), 1)
    assert len(index) == 1
    assert index.times(movie(1)) == []
    assert index.times(movie(3)) == [second.watched_at.timestamp()]


def test_forgetting_a_part(index: PlayIndex) -> None:
    for number in range(6):
        index.add(play(movie(number), number), number % 2)

    index.forget(1)

    assert len(index) == 3
    assert index.latest_part() == 0
    assert index.times(movie(1)) == []
    index.forget(0)
    assert len(index) == 0
    assert index.latest_part() is None
    assert not +index.per_day
    assert not +index.seconds_per_day


def test_parts_that_may_hold_a_viewing(index: PlayIndex) -> None:
    index.add(play(movie(1)), 0)
    index.add(play(movie(1), 200), 1)
    index.add(play(movie(2)), 2)

    # Those may have been begun, or ended, when it was; their time does not tell here.
    for source, spans in (
        (report(), {-51: [], -50: [0], 149: [0], 151: [1], 350: [1], 351: []}),
        (
            BEGINNING,
            {-43_350: [0], -43_351: [], 50: [0, 1], 51: [1], 250: [1], 251: []},
        ),
    ):
        for at, parts in spans.items():
            found = index.viewings(movie(1), NOON + minutes(at), source)
            assert sorted(found) == parts, (source, at)
            for part, moments in found.items():
                assert moments == {(NOON + minutes(200 * part)).timestamp()}
    unknown = movie(1, duration=None)
    assert list(index.viewings(unknown, NOON + minutes(-50), report())) == [0]
    assert index.viewings(movie(9), NOON, report()) == {}


def test_titles_are_joined_when_an_id_says_so(index: PlayIndex) -> None:
    nameless = {"title": None, "year": None}
    index.add(play(movie(1, ids={"tmdb": 1}, **nameless)), 0)
    index.add(play(movie(1, ids={"imdb": "tt1"}, **nameless), 1), 0)
    assert len(index.times(movie(1, ids={"tmdb": 1}, **nameless))) == 1

    both = movie(1, ids={"tmdb": 1, "imdb": "tt1"}, **nameless)
    assert len(index.times(both)) == 2
    index.add(play(both, 2), 0)

    for ids in ({"tmdb": 1}, {"imdb": "tt1"}):
        assert len(index.times(movie(1, ids=ids, **nameless))) == 3


def test_titles_that_are_joined_keep_all_of_their_plays(index: PlayIndex) -> None:
    nameless = {"title": None, "year": None}
    for number in range(6):
        ids = {"tmdb": 1} if number % 2 else {"imdb": "tt1"}
        index.add(play(movie(1, ids=ids, **nameless), number), 0)
    both = movie(1, ids={"tmdb": 1, "imdb": "tt1"}, **nameless)
    index.add(play(both, 6), 0)
    first = play(movie(1, ids={"imdb": "tt1"}, **nameless))

    assert len(index.times(first.title)) == 7
    index.remove(first, 0)
    assert len(index.times(both)) == 6


def test_a_name_joins_what_no_id_keeps_apart(index: PlayIndex) -> None:
    index.add(play(movie(1, ids={})), 0)
    index.add(play(movie(1, ids={"tmdb": 1}, title=None), 1), 0)
    index.add(play(movie(1, ids={"tmdb": 1}), 2), 0)
    index.add(play(movie(1, ids={"tmdb": 2}), 3), 0)

    assert len(index.times(movie(1, ids={"tmdb": 1}))) == 3
    assert len(index.times(movie(1, ids={"tmdb": 2}))) == 1


def test_episodes_that_share_the_ids_of_their_show_are_apart(
    index: PlayIndex,
) -> None:
    for number in range(1, 4):
        index.add(
            play(
                episode(1, number, ids={"tmdb": 5}, items={"s": f"e{number}"}), number
            ),
            0,
        )

    for number in range(1, 4):
        same = episode(1, number, ids={"tmdb": 5}, items={"s": f"e{number}"})
        assert len(index.times(same)) == 1


def test_a_year_that_is_unknown_tells_nothing_apart(index: PlayIndex) -> None:
    first, remake = movie(1, year=1958, ids={"tmdb": 1}), movie(1, ids={"tmdb": 2})
    index.add(play(first), 0)
    index.add(play(movie(1, year=None, ids={}), 1), 0)
    index.add(play(remake, 2), 1)

    # Two films stay two, and whichever may have been meant is looked at.
    assert len(index.times(first)) == 2
    assert len(index.times(remake)) == 1
    for title, parts in (
        (movie(1, year=None, ids={}), [0, 1]),
        (movie(1, year=None, ids={"imdb": "tt1"}), [0, 1]),
        (movie(1, ids={}), [0, 1]),
    ):
        assert sorted(index.viewings(title, NOON + minutes(1), report())) == parts


def test_what_is_told_apart_by_items_alone_stays_so(index: PlayIndex) -> None:
    for number in range(40):
        clip = movie(1, year=None, ids={}, items={"attic": str(number)})
        index.add(play(clip, number), 0)

    for number in range(40):
        clip = movie(1, year=None, ids={}, items={"attic": str(number)})
        assert len(index.times(clip)) == 1
    returned = movie(1, ids={}, items={"attic": "99"})
    assert len(index.times(returned)) == 1


def test_episodes_of_two_orders_are_apart(index: PlayIndex) -> None:
    aired = episode(1, 1, ids={"tvdb": 1}, show_ids={"tvdb": 9})
    on_disc = episode(1, 1, ids={"tvdb": 2}, show_ids={"tvdb": 9})
    index.add(play(aired), 0)
    index.add(play(on_disc, 1), 1)

    assert len(index.times(aired)) == 1
    assert len(index.times(on_disc)) == 1
    by_number = episode(1, 1, ids={}, show_ids={"tvdb": 9})
    assert sorted(index.viewings(by_number, NOON, report())) == [0, 1]


def test_more_kinds_of_ids_than_there_are_bits(index: PlayIndex) -> None:
    for number in range(100):
        index.add(
            play(movie(number, ids={}, items={f"server {number}": "1"}), number), 0
        )

    for number in range(100):
        same = movie(number, ids={}, items={f"server {number}": "1"})
        assert len(index.times(same)) == 1


def test_many_titles(index: PlayIndex) -> None:
    for number in range(3000):
        index.add(play(movie(number, title=f"Film {number % 7}"), number), number % 5)
    for number in range(3000):
        again = play(movie(number), 0)
        index.add(replace(again, watched_at=NOON + timedelta(days=9)), 0)

    assert len(index) == 6000
    for number in range(0, 3000, 97):
        assert len(index.times(movie(number))) == 2
