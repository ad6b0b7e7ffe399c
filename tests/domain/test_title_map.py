"""Tests of finding values by title."""

from dataclasses import replace

from hypothesis import given, strategies as st

from custom_components.media_scrobbler.domain.title import (
    DATED,
    MediaType,
    Title,
    same_title,
)
from custom_components.media_scrobbler.domain.title_map import TitleMap

from .test_properties import BOUNDED, titles

FILM = Title(
    media_type=MediaType.MOVIE,
    title="The Salt Road",
    year=2019,
    ids={"tmdb": 918273, "imdb": "tt9182736"},
)


def test_a_title_is_found_by_any_of_its_ids_and_by_its_name() -> None:
    films = TitleMap([(FILM, 1)])

    assert films.find(FILM) == 1
    assert films.find(Title(media_type=MediaType.MOVIE, ids={"tmdb": 918273})) == 1
    assert films.find(Title(media_type=MediaType.MOVIE, ids={"imdb": "tt9182736"})) == 1
    assert films.find(replace(FILM, ids={}, title="the salt road!")) == 1
    assert films.find(replace(FILM, ids={"tmdb": 1})) is None
    assert films.find(replace(FILM, media_type=MediaType.SHOW)) is None
    assert films.find(Title(media_type=MediaType.MOVIE)) is None


def test_what_is_taken_out_is_not_found() -> None:
    films = TitleMap([(FILM, 1), (FILM, 2), (FILM, 2)])

    films.discard(FILM, 1)
    assert films.find(FILM) == 2
    films.discard(FILM, 2)
    assert films.find(FILM) == 2
    films.discard(FILM, 2)
    assert films.find(FILM) is None
    films.discard(FILM, 2)
    films.add(FILM, 3)
    assert films.find(FILM) == 3


def test_all_values_of_a_title_are_found() -> None:
    films = TitleMap([(FILM, 1), (replace(FILM, ids={"imdb": "tt9182736"}), 2)])

    assert set(films.find_all(FILM)) == {1, 2}
    assert set(films.find_all(replace(FILM, ids={"tmdb": 918273}, title="X"))) == {1}
    assert not set(films.find_all(replace(FILM, ids={"tmdb": 1}, title="X")))


def test_a_name_without_a_year_is_the_one_of_that_name_if_there_is_but_one() -> None:
    unknown = replace(FILM, year=None, ids={})
    remake = replace(FILM, year=1958, ids={"tmdb": 1})

    assert TitleMap([(FILM, 1)]).find(unknown) == 1
    assert TitleMap([(unknown, 1)]).find(FILM) == 1
    both = TitleMap([(FILM, 1), (remake, 2)])
    assert both.find(unknown) is None
    assert list(both.find_all(unknown)) == [1, 2]
    # Of those of its name, one that says its year comes first.
    both.add(unknown, 3)
    assert both.find(replace(remake, ids={})) == 2
    assert list(both.find_all(replace(FILM, ids={}))) == [1, 3]
    assert both.find(unknown) == 3


def test_a_copy_goes_its_own_way() -> None:
    films = TitleMap([(FILM, 1)])
    show = replace(FILM, media_type=MediaType.SHOW)

    copied = films.copy()
    copied.discard(FILM, 1)
    copied.add(show, 2)

    assert (films.find(FILM), films.find(show)) == (1, None)
    assert (copied.find(FILM), copied.find(show)) == (None, 2)


@BOUNDED
@given(known=st.lists(titles, max_size=8), gone=st.sets(st.integers(0, 7)), one=titles)
def test_exactly_what_is_the_same_is_found(
    known: list[Title], gone: set[int], one: Title
) -> None:
    there = TitleMap((title, number) for number, title in enumerate(known))
    left = [number for number in range(len(known)) if number not in gone]
    for number in gone:
        if number < len(known):
            there.discard(known[number], number)

    found = there.find(one)

    same = [number for number in left if same_title(known[number], one)]
    if len(same) == 1 or one.media_type not in DATED:
        assert found in same if same else found is None
    assert set(there.find_all(one)) == set(same)
    assert found is None or found in same
