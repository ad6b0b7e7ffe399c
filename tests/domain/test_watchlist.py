"""Tests of the items of a watchlist."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.media_scrobbler.domain.fields import MAX_TEXT
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.domain.watchlist import (
    Origin,
    WatchlistItem,
    candidates,
    completed,
    label,
    moved,
    renamed,
    typed_title,
)

from .test_properties import BOUNDED

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 18, tzinfo=UTC)
FILM = Title(
    media_type=MediaType.MOVIE,
    title="The Salt Road",
    year=2019,
    ids={"tmdb": 918273},
    duration=6720,
)


def item(title: Title, **details: Any) -> WatchlistItem:
    """Return an item that came from Plex."""
    described: dict[str, Any] = {"uid": "1", "added_at": NOON, "origin": Origin.PLEX}
    return WatchlistItem(title=title, **described | details)


def typed(text: str, **details: Any) -> WatchlistItem:
    """Return an item that somebody typed."""
    described = {"origin": Origin.MANUAL, "kind_is_guessed": True}
    return item(typed_title(text), **described | details)


@pytest.mark.parametrize(
    ("text", "name", "year"),
    [
        ("Dune (2021)", "Dune", 2021),
        ("Dune", "Dune", None),
        ("Dune [2021]", "Dune", 2021),
        ("Dune(2021)", "Dune", 2021),
        ("Dune ( 2021 )  ", "Dune", 2021),
        ("  1917 (2019) ", "1917", 2019),
        ("1984", "1984", None),
        ("Blade Runner 2049", "Blade Runner 2049", None),
        ("2001: A Space Odyssey", "2001: A Space Odyssey", None),
        ("(500) Days of Summer (2009)", "(500) Days of Summer", 2009),
        ("(500) Days of Summer", "(500) Days of Summer", None),
        ("デューン（2021）", "デューン", 2021),
        ("デューン［２０２１］", "デューン", 2021),
        ("Monument (0042)", "Monument (0042)", None),
        ("Monument (9999)", "Monument (9999)", None),
        ("Monument (42)", "Monument (42)", None),
        ("Fargo (2014) (1996)", "Fargo (2014)", 1996),
        ("(2012)", "(2012)", None),
        ("Low\tWater\n(2020)", "Low Water", 2020),
        ("Low\u2028Water\x00", "Low Water", None),
        ("x" * MAX_TEXT, "x" * MAX_TEXT, None),
    ],
)
def test_what_a_person_types(text: str, name: str, year: int | None) -> None:
    assert typed_title(text) == Title(media_type=MediaType.MOVIE, title=name, year=year)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\x00", "x" * (MAX_TEXT + 1)])
def test_what_is_not_a_title(text: str) -> None:
    with pytest.raises(ValueError, match="title is"):
        typed_title(text)
    with pytest.raises(ValueError, match="title is"):
        renamed(item(FILM), text, NOON)


@BOUNDED
@given(
    text=st.text(max_size=20)
    | st.from_regex(r"[ (]*[A-z0-9 ()]{1,8} ?[(\[（](19|20|00)\d\d[)\]）] *")
)
def test_what_a_list_shows_can_be_typed(text: str) -> None:
    try:
        title = typed_title(text)
    except ValueError:
        return

    shown = label(item(title))

    assert typed_title(shown) == title
    assert renamed(item(title), shown, LATER) == item(title)


def test_what_a_list_shows() -> None:
    assert label(item(FILM)) == "The Salt Road (2019)"
    assert label(item(replace(FILM, year=None))) == "The Salt Road"
    assert label(item(replace(FILM, title=None))) == "tmdb 918273"
    assert label(item(Title(media_type=MediaType.MOVIE), uid="7")) == "7"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The Salt Road (2019)", "The Salt Road"),
        (" the salt road! [2019] ", "the salt road!"),
        ("THE SALT-ROAD（2019）", "THE SALT-ROAD"),
    ],
)
def test_a_name_that_says_the_same_is_another_spelling(text: str, name: str) -> None:
    there = item(FILM, poster="https://example.com/1.jpg", announced_at=NOON)

    assert renamed(there, text, LATER) == replace(
        there, title=replace(FILM, title=name)
    )


def test_what_a_list_shows_changes_nothing_even_where_it_reads_otherwise() -> None:
    nameless = item(replace(FILM, title=None))
    bracketed = item(replace(FILM, title="The Salt Road (2019)", year=None))

    assert renamed(nameless, "tmdb 918273", LATER) is nameless
    assert renamed(bracketed, "The Salt Road (2019) ", LATER) is bracketed


@pytest.mark.parametrize("text", ["The Salt Road", "The Salt Road (2020)", "Salt"])
def test_another_name_is_another_title(text: str) -> None:
    there = item(
        replace(FILM, media_type=MediaType.SHOW),
        poster="https://example.com/1.jpg",
        announced_at=NOON,
        done_at=NOON,
    )

    assert renamed(there, text, LATER) == typed(text, done_at=NOON, added_at=LATER)


def test_what_is_typed_may_be_a_movie_or_a_show() -> None:
    there = typed("Harbour Lights (2021)")

    film, show = candidates(there)

    assert film == there.title
    assert show == replace(film, media_type=MediaType.SHOW)
    assert candidates(item(show)) == (show,)


def test_what_becomes_known_settles_what_is_typed() -> None:
    there = typed("harbour lights")
    show = Title(
        media_type=MediaType.SHOW,
        title="Harbour Lights",
        year=2021,
        ids={"tvdb": 438120},
        items={"cellar": "0f3c"},
        duration=3000,
    )

    known = completed(there, show)

    assert known == replace(
        there,
        title=replace(show, title="harbour lights", items={}),
        kind_is_guessed=False,
    )
    assert completed(known, show) == known


def test_what_is_known_stays() -> None:
    other = replace(FILM, title="x", year=1, ids={"tmdb": 2, "imdb": "tt1"}, duration=1)

    known = completed(item(FILM), other)

    assert known == item(replace(FILM, ids={"tmdb": 918273, "imdb": "tt1"}))


@pytest.mark.parametrize(
    ("uid", "previous", "order"),
    [
        ("a", None, "abcd"),
        ("c", None, "cabd"),
        ("a", "d", "bcda"),
        ("a", "b", "bacd"),
        ("d", "a", "adbc"),
        ("c", "b", "abcd"),
        ("b", "b", "abcd"),
    ],
)
def test_moving(uid: str, previous: str | None, order: str) -> None:
    # The same title, more than once: the uids tell them apart.
    items = tuple(item(FILM, uid=uid) for uid in "abcd")

    assert "".join(item.uid for item in moved(items, uid, previous)) == order


@pytest.mark.parametrize(("uid", "previous"), [("x", None), ("a", "x"), ("x", "x")])
def test_moving_what_is_not_there(uid: str, previous: str | None) -> None:
    with pytest.raises(KeyError):
        moved((item(FILM, uid="a"),), uid, previous)
