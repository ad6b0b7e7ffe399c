"""Tests of what is kept in memory of a library."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.media_scrobbler.domain.title import (
    DATED,
    MediaType,
    Title,
    number_of,
    same_name,
)
from custom_components.media_scrobbler.storage.library_index import LibraryIndex

from .common import episode, movie

SERVER = "5f0c9a7d"


def item(number: int | str) -> dict[str, Any]:
    """Return what makes a title an item of the server."""
    return {"items": {SERVER: str(number)}}


def unnumbered(**details: Any) -> Title:
    """Return an episode that is in no season."""
    return replace(episode(1, 1), season=None, **details)


def show(number: int | str, **details: Any) -> Title:
    """Return the one series there is here."""
    described: dict[str, Any] = {"title": "Harbour Lights", "ids": {"tvdb": 7}}
    return Title(media_type=MediaType.SHOW, **described | item(number) | details)


def library(*titles: Title) -> LibraryIndex:
    """Return an index of titles; those without an item id get their position."""
    index = LibraryIndex()
    for number, title in enumerate(titles):
        index.add(title if title.items else replace(title, **item(number)), 0)
    return index


def found(index: LibraryIndex, title: Title) -> list[str]:
    """Return the items that are a title."""
    return sorted(index.item_of(row) for row in index.find(title))


def test_items_and_counts() -> None:
    index = LibraryIndex()
    first = index.add(movie(1, **item("a")), 3)
    index.add(movie(2, ids={}, **item("b")), 3)
    index.add(show("c", ids={"plex": "plex://show/1"}), 4)
    index.add(episode(1, 1, ids={}, **item("d")), 5)

    index.add(movie(3, ids={"custom_shoko": "1"}, **item("e")), 5)
    assert index.without_ids == 3
    row = index.row_of("e")
    assert row is not None
    index.remove(row)
    assert len(index) == 4
    assert index.per_type == {
        MediaType.MOVIE: 2,
        MediaType.SHOW: 1,
        MediaType.EPISODE: 1,
    }
    assert index.without_ids == 2
    assert list(index) == ["a", "b", "c", "d"]
    assert index.row_of("a") == first
    assert (index.item_of(first), index.part_of(first)) == ("a", 3)
    assert index.row_of("f") is None


def test_removing() -> None:
    index = library(movie(1), movie(2, ids={}))
    row = index.row_of("1")
    assert row is not None

    index.remove(row)

    assert (len(index), index.without_ids) == (1, 0)
    assert list(index) == ["0"]
    assert index.row_of("1") is None
    assert found(index, movie(2, ids={})) == []
    again = index.add(movie(2, ids={}, **item(1)), 9)
    assert index.row_of("1") == again
    assert found(index, movie(2, ids={})) == ["1"]


def test_a_title_without_an_item_id_is_refused() -> None:
    with pytest.raises(ValueError, match="no item"):
        LibraryIndex().add(movie(1), 0)


def test_episodes_of_a_show() -> None:
    of_show = {"show_items": {SERVER: "s"}}
    index = library(
        show("s"), episode(1, 1, **of_show), episode(1, 2, **of_show), episode(1, 3)
    )

    rows = index.rows_of_show("s")
    assert [index.item_of(row) for row in rows] == ["1", "2"]
    index.remove(rows[0])
    assert index.rows_of_show("s") == rows[1:]
    assert index.rows_of_show("1") == []


def test_every_item_that_is_the_title_is_found() -> None:
    index = library(
        movie(1),
        movie(1, title="Film 1 in another section"),
        movie(1, ids={"imdb": "tt1"}),
        movie(1, ids={}),
        movie(2),
    )

    assert found(index, movie(1)) == ["0", "1", "2", "3"]
    assert found(index, movie(1, ids={"tmdb": 1001, "imdb": "tt1"})) == [
        "0",
        "1",
        "2",
        "3",
    ]
    assert found(index, movie(3)) == []


def test_the_first_kind_of_id_that_both_know_decides() -> None:
    index = library(
        movie(1, ids={"tmdb": 1, "imdb": "tt1"}),
        movie(1, ids={"tmdb": 2, "tvdb": 2, "imdb": "tt1"}),
        movie(1, ids={"tvdb": 3, "imdb": "tt1"}),
        movie(1, ids={"imdb": "tt1"}),
        movie(1, ids={"anidb": 1}),
    )

    def asked(**ids: int | str) -> list[str]:
        return found(index, movie(9, ids=ids))

    assert asked(imdb="tt1") == ["0", "1", "2", "3"]
    assert asked(imdb="tt1", tmdb=1) == ["0", "2", "3"]
    assert asked(imdb="tt1", tmdb=2) == ["1", "2", "3"]
    assert asked(imdb="tt1", tvdb=3) == ["0", "2", "3"]
    assert asked(imdb="tt1", tmdb=1, tvdb=2) == ["0", "3"]
    assert asked(anidb=1, imdb="tt9") == ["4"]
    assert asked(tmdb=9) == []


def test_databases_number_movies_shows_and_episodes_apart() -> None:
    index = library(movie(1, ids={"tmdb": 5}), show(1, ids={"tmdb": 5}))

    assert found(index, movie(9, ids={"tmdb": 5})) == ["0"]
    assert found(index, show(9, ids={"tmdb": 5})) == ["1"]
    assert found(index, episode(1, 1, ids={"tmdb": 5}, show=None)) == []


def test_item_ids_of_the_title_say_nothing() -> None:
    index = library(movie(1, **item("a")))

    assert found(index, movie(2, **item("a"))) == []
    assert found(index, movie(1, **item("b"))) == ["a"]


def test_an_episode_is_found_by_its_show_and_number() -> None:
    index = library(
        episode(1, 1, show="A", show_ids={"tvdb": 7}, ids={}),
        episode(1, 2, show="A", show_ids={"tvdb": 7}, ids={}),
        episode(1, 1, show="B", show_ids={"tmdb": 8, "tvdb": 7}, ids={}),
        episode(1, 1, show="C", ids={"tvdb": 99}, show_ids={"tvdb": 7}),
    )

    def asked(season: int, number: int, **show_ids: int | str) -> list[str]:
        return found(index, episode(season, number, ids={}, show_ids=show_ids))

    assert asked(1, 1, tvdb=7) == ["0", "2", "3"]
    assert asked(1, 2, tvdb=7) == ["1"]
    assert asked(1, 3, tvdb=7) == []
    assert asked(1, 1, tvdb=7, tmdb=9) == ["0", "3"]
    assert found(index, unnumbered(show="D", ids={}, show_ids={"tvdb": 7})) == []


def test_an_episodes_own_ids_come_before_its_shows() -> None:
    index = library(
        episode(1, 1, ids={"tvdb": 1}, show_ids={"tmdb": 7}),
        episode(1, 2, ids={"tvdb": 2}, show_ids={"tmdb": 7}),
    )

    # Numbered as on the discs here, as it was on television there.
    assert found(index, episode(1, 2, ids={"tvdb": 1}, show_ids={"tmdb": 7})) == ["0"]


def test_episodes_that_have_the_ids_of_their_show() -> None:
    index = library(
        *(episode(1, number, ids={"tvdb": 7}, show="A") for number in (1, 2)),
        episode(1, 3, ids={"tvdb": 7}, show_ids={"tmdb": 70}, show="A"),
    )

    def asked(number: int) -> list[str]:
        return found(index, episode(1, number, ids={"tvdb": 7}))

    assert asked(1) == ["0"]
    assert asked(2) == ["1"]
    assert asked(4) == []
    assert found(index, unnumbered(ids={"tvdb": 7})) == []
    of_show = {"ids": {}, "show_ids": {"tmdb": 70}, "show": None}
    assert found(index, episode(1, 3, **of_show)) == ["2"]


def test_the_id_of_the_show_by_mistake_does_not_stand_against_its_name() -> None:
    special = unnumbered(ids={"tvdb": 7}, show="A", title="Special")
    index = library(
        episode(1, 1, ids={"tvdb": 7}, show="A"),
        episode(1, 2, ids={"tvdb": 7}, show="A"),
        special,
    )

    assert found(index, special) == ["2"]


def test_the_name_is_the_last_resort() -> None:
    index = library(
        movie(1, ids={}),
        movie(1, ids={"tmdb": 5}),
        movie(1, ids={}, year=1950),
        movie(1, ids={}, year=None),
    )

    assert found(index, movie(1, ids={})) == ["0", "1"]
    assert found(index, movie(1, ids={"imdb": "tt1"})) == ["0", "1"]
    assert found(index, movie(1, ids={"tmdb": 6})) == ["0"]
    assert found(index, movie(1, ids={"tmdb": 5}, title="film  1!")) == ["0", "1"]
    assert found(index, movie(1, ids={"tmdb": 5}, title=None)) == ["1"]
    # Whose year is unknown may be any of them.
    assert found(index, movie(1, ids={}, year=None)) == ["0", "1", "2", "3"]
    assert found(index, movie(1, ids={"tmdb": 6}, year=None)) == ["0", "2", "3"]
    # Unless an id tells.
    assert found(index, movie(1, ids={"tmdb": 5}, year=None)) == ["0", "1", "3"]


def test_a_year_that_is_unknown_tells_no_items_of_what_was_played_apart() -> None:
    index = library(
        movie(1), movie(1, ids={}, year=1950), movie(2), movie(2, ids={}, year=None)
    )

    def of_played(title: Title) -> list[str]:
        rows = index.find(title, is_played=True)
        return sorted(index.item_of(row) for row in rows)

    # It may be either of two.
    assert of_played(movie(1, ids={}, year=None)) == []
    assert of_played(movie(1, year=None)) == ["0"]
    assert of_played(movie(1, ids={}, year=1950)) == ["1"]
    assert of_played(movie(2, ids={}, year=None)) == ["2", "3"]
    assert of_played(movie(2, ids={})) == ["2", "3"]
    assert of_played(movie(2, ids={}, year=1950)) == ["3"]


def test_a_show_and_an_episode_by_name() -> None:
    index = library(
        show(0, ids={}, year=2004), episode(1, 1, ids={}), episode(1, 2, ids={})
    )

    assert found(index, show(9, ids={"tmdb": 1})) == ["0"]
    assert found(index, show(9, ids={}, year=2024)) == []
    assert found(index, episode(1, 2, ids={"tmdb": 1}, title=None)) == ["2"]
    assert found(index, episode(1, 2, ids={}, show="harbour lights")) == ["2"]


def test_more_kinds_of_ids_than_there_are_bits() -> None:
    index = library(*(movie(number, ids={f"db{number}": 1}) for number in range(100)))

    for number in range(100):
        title = movie(number, title=None, ids={f"db{number}": 1})
        assert found(index, title) == [str(number)]


def test_many_items() -> None:
    index = library(
        *(movie(number, title=f"Film {number % 7}") for number in range(5000))
    )

    assert len(index) == 5000
    for number in range(0, 5000, 97):
        row = index.row_of(str(number))
        assert row is not None
        assert index.find(movie(number, title=None)) == [row]


# Against the rules, told as simply as can be.

_KINDS = ("tmdb", "tvdb", "imdb", "plex", "anidb")


def _known(title: Title) -> dict[str, str]:
    """Return the ids of a title, in the order in which they decide."""
    known = {
        kind: str(title.ids[kind])
        for kind in _KINDS
        if kind in title.ids
        and (
            title.media_type is not MediaType.EPISODE
            or title.show_ids.get(kind) != title.ids[kind]
        )
    }
    if title.media_type is MediaType.EPISODE and number_of(title) is not None:
        for kind in _KINDS:
            if kind in title.show_ids:
                known[f"show {kind}"] = f"{title.show_ids[kind]} {number_of(title)}"
    return known


def _expected(titles: list[Title], asked: Title) -> list[str]:
    same_type = [title for title in titles if title.media_type is asked.media_type]
    known = _known(asked)
    if asked.media_type is MediaType.EPISODE:
        for kind in _KINDS:
            agreeing = [
                title
                for title in same_type
                if _known(title).get(kind) == known.get(kind)
            ]
            numbers = {number_of(title) for title in agreeing} - {None}
            if kind in known and len(numbers) > 1:
                if number_of(asked) in numbers:
                    # The others know the kind too, and are not it.
                    known[kind] = f"{known[kind]} as {number_of(asked)}"
                else:
                    del known[kind]

    def agrees(title: Title) -> bool | None:
        theirs = _known(title)
        for kind, value in known.items():
            if kind in theirs:
                return value in (
                    theirs[kind],
                    f"{theirs[kind]} as {number_of(title)}",
                )
        return None

    years = {title.year for title in same_type if agrees(title)}

    def is_it(title: Title) -> bool:
        if (agreed := agrees(title)) is not None:
            return agreed
        if not same_name(asked, title) or title.media_type not in DATED:
            return same_name(asked, title)
        if asked.year is not None:
            return title.year == asked.year
        return title.year is None or title.year in years or not years - {None}

    return sorted(
        item for title in same_type if is_it(title) for item in title.items.values()
    )


_small = st.integers(1, 3)
_ids = st.dictionaries(st.sampled_from(_KINDS), _small, max_size=3)
_titles = st.builds(
    Title,
    media_type=st.sampled_from([MediaType.MOVIE, MediaType.SHOW])
    | st.just(MediaType.EPISODE),
    title=st.sampled_from(["Low Water", "Fog Signal", None]),
    year=st.none() | st.integers(2019, 2020),
    show=st.sampled_from(["Harbour Lights", None]),
    season=st.none() | st.just(1),
    episode=st.none() | _small,
    ids=_ids,
    show_ids=_ids,
)


@given(
    titles=st.lists(_titles, max_size=12),
    removed=st.sets(st.integers(0, 11), max_size=3),
    asked=_titles,
)
@settings(max_examples=500, deadline=None)
def test_what_is_found_is_what_the_rules_say(
    titles: list[Title], removed: set[int], asked: Title
) -> None:
    there = {
        number: replace(title, **item(number)) for number, title in enumerate(titles)
    }
    index = library(*there.values())
    for number in removed & there.keys():
        row = index.row_of(str(number))
        assert row is not None
        index.remove(row)
        del there[number]

    assert found(index, asked) == _expected(list(there.values()), asked)
    assert +index.per_type == Counter(title.media_type for title in there.values())
    assert index.without_ids == sum(
        title.media_type is not MediaType.EPISODE and not title.ids.keys() - {"plex"}
        for title in there.values()
    )
