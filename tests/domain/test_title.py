"""Tests of titles, and when two are the same."""

from dataclasses import replace

import pytest

from custom_components.media_scrobbler.domain.title import (
    MediaType,
    Title,
    combine,
    identities,
    is_exclusive,
    is_item,
    is_own,
    name_identity,
    number_of,
    same_title,
)

MOVIE = Title(media_type=MediaType.MOVIE, title="The Salt Road", year=2019)
EPISODE = Title(
    media_type=MediaType.EPISODE,
    title="Low Water",
    show="Harbour Lights",
    season=2,
    episode=3,
)
SEASON = Title(
    media_type=MediaType.SEASON, title="Season 2", show="Harbour Lights", season=2
)
TRACK = Title(
    media_type=MediaType.TRACK,
    title="Slow Ferry",
    artist="Marlow & Finch",
    album="Tidewater",
)
ALBUM = Title(media_type=MediaType.ALBUM, title="Tidewater", artist="Marlow & Finch")
SHOW = Title(media_type=MediaType.SHOW, title="Harbour Lights", year=2021)
ARTIST = Title(media_type=MediaType.ARTIST, title="Marlow & Finch")


@pytest.mark.parametrize(
    ("title", "label"),
    [
        pytest.param(MOVIE, "The Salt Road (2019)", id="movie"),
        pytest.param(replace(MOVIE, year=None), "The Salt Road", id="without year"),
        pytest.param(replace(MOVIE, title=None), None, id="year only"),
        pytest.param(SHOW, "Harbour Lights (2021)", id="show"),
        pytest.param(EPISODE, "Harbour Lights - S02E03 - Low Water", id="episode"),
        pytest.param(
            replace(EPISODE, season=0, episode=0),
            "Harbour Lights - S00E00 - Low Water",
            id="special",
        ),
        pytest.param(
            replace(EPISODE, season=None, title=None),
            "Harbour Lights - E03",
            id="without season",
        ),
        pytest.param(
            replace(EPISODE, show=None, title=None), "S02E03", id="numbers only"
        ),
        pytest.param(
            replace(EPISODE, season=2026, episode=41103, title=None, show=None),
            "S2026E41103",
            id="large numbers",
        ),
        pytest.param(SEASON, "Harbour Lights - S02 - Season 2", id="season"),
        pytest.param(TRACK, "Marlow & Finch - Slow Ferry", id="track"),
        pytest.param(ALBUM, "Marlow & Finch - Tidewater", id="album"),
        pytest.param(replace(ALBUM, artist=None), "Tidewater", id="album by nobody"),
        pytest.param(ARTIST, "Marlow & Finch", id="artist"),
        pytest.param(Title(media_type=MediaType.EPISODE), None, id="nothing"),
    ],
)
def test_label(title: Title, label: str | None) -> None:
    assert title.label == label


def test_identities_of_a_movie() -> None:
    title = replace(
        MOVIE, ids={"tmdb": 918273, "imdb": "tt9182736"}, items={"attic": "77"}
    )

    assert identities(title) == {
        "tmdb": "918273",
        "imdb": "tt9182736",
        "item attic": "77",
    }


def test_identities_of_an_episode_hold_its_show_with_its_number() -> None:
    title = replace(
        EPISODE,
        ids={"tvdb": 9712094},
        show_ids={"tvdb": 438120, "plex": "plex://show/1"},
        items={"attic": "77"},
        show_items={"attic": "70"},
    )

    assert identities(title) == {
        "tvdb": "9712094",
        "item attic": "77",
        "show tvdb": "438120 2x3",
        "show plex": "plex://show/1 2x3",
        "show item attic": "70 2x3",
    }


def test_identities_of_a_season_hold_its_show_with_its_number() -> None:
    title = replace(SEASON, show_ids={"tvdb": 438120}, show_items={"attic": "70"})

    assert identities(title) == {"show tvdb": "438120 2", "show item attic": "70 2"}


@pytest.mark.parametrize(
    "title",
    [
        replace(EPISODE, season=None),
        replace(EPISODE, episode=None),
        replace(SEASON, season=None),
        replace(MOVIE, season=2, episode=3),
    ],
    ids=["no season", "no episode", "season without number", "movie"],
)
def test_a_show_identifies_nothing_without_a_number(title: Title) -> None:
    assert identities(replace(title, show_ids={"tvdb": 438120})) == {}


@pytest.mark.parametrize(
    ("title", "known"),
    [
        pytest.param(MOVIE, True, id="movie"),
        pytest.param(replace(MOVIE, year=None), True, id="movie without year"),
        pytest.param(replace(MOVIE, title=None), False, id="year only"),
        pytest.param(SHOW, True, id="show"),
        pytest.param(ARTIST, True, id="artist"),
        pytest.param(EPISODE, True, id="episode"),
        pytest.param(
            replace(EPISODE, season=None), True, id="episode without season, by name"
        ),
        pytest.param(
            replace(EPISODE, season=None, title=None),
            True,
            id="episode without season, by number",
        ),
        pytest.param(
            replace(EPISODE, episode=None, title=None), False, id="show and season only"
        ),
        pytest.param(replace(EPISODE, show=None), False, id="episode without show"),
        pytest.param(SEASON, True, id="season"),
        pytest.param(replace(SEASON, season=None), False, id="season without number"),
        pytest.param(replace(SEASON, show=None), False, id="season without show"),
        pytest.param(TRACK, True, id="track"),
        pytest.param(replace(TRACK, album=None), True, id="track without album"),
        pytest.param(replace(TRACK, artist=None), False, id="track by nobody"),
        pytest.param(replace(TRACK, title=None), False, id="track without name"),
        pytest.param(ALBUM, True, id="album"),
        pytest.param(replace(ALBUM, artist=None), True, id="album by nobody"),
        pytest.param(replace(ALBUM, title=None), False, id="album without name"),
    ],
)
def test_name_identity_exists_where_enough_is_known(title: Title, known: bool) -> None:
    assert (name_identity(title) is not None) is known


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Marlow & Finch", "marlow  finch!", id="case and punctuation"),
        pytest.param("Bob's", "Bob’s", id="kinds of apostrophe"),
        pytest.param("Ame\u0301lie", "Amélie", id="composed and decomposed"),
        pytest.param("ＡＢ２", "ab2", id="full width"),
        pytest.param("Straße", "STRASSE", id="sharp s"),
    ],
)
def test_names_that_are_the_same(one: str, other: str) -> None:
    assert same_title(replace(MOVIE, title=one), replace(MOVIE, title=other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("!!!", "???", id="punctuation only"),
        pytest.param("दिल", "दल", id="vowels written as marks"),
        pytest.param("Se7en", "Seven", id="digits"),
        pytest.param("铃芽之旅", "铃芽之恋", id="ideographs"),
    ],
)
def test_names_that_differ(one: str, other: str) -> None:
    assert not same_title(replace(MOVIE, title=one), replace(MOVIE, title=other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(MOVIE, MOVIE, id="by name"),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1}),
            replace(MOVIE, title="Le Chemin du sel", year=None, ids={"tmdb": 1}),
            id="one id, names in two languages",
        ),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1, "imdb": "tt1"}),
            replace(MOVIE, ids={"tmdb": 2, "imdb": "tt1"}),
            id="one id agrees, another does not",
        ),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1}),
            replace(MOVIE, ids={"imdb": "tt1"}),
            id="no id of the same kind, but the name",
        ),
        pytest.param(
            replace(MOVIE, title=None, items={"attic": "77"}),
            replace(MOVIE, title="Other", items={"attic": "77"}),
            id="the server's own item",
        ),
        pytest.param(MOVIE, replace(MOVIE, year=None), id="year unknown"),
        pytest.param(
            replace(MOVIE, year=None, items={"attic": "77"}),
            replace(MOVIE, ids={"tmdb": 1}, items={"cellar": "a1"}),
            id="year and ids known of one",
        ),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1}, items={"attic": "77"}),
            replace(MOVIE, year=2020),
            id="a year apart, one known by nothing else",
        ),
        pytest.param(
            replace(MOVIE, items={"attic": "77"}),
            replace(MOVIE, items={"attic": "99"}),
            id="a film that returned as another item",
        ),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1}, items={"attic": "77"}),
            replace(MOVIE, year=None, items={"attic": "99"}),
            id="a film that returned, its year unknown",
        ),
        pytest.param(
            replace(EPISODE, items={"attic": "77"}, show_items={"attic": "70"}),
            replace(EPISODE, items={"attic": "99"}, show_items={"attic": "90"}),
            id="an episode of a library that was built anew",
        ),
        pytest.param(
            replace(TRACK, items={"attic": "77"}),
            replace(TRACK, items={"attic": "99"}),
            id="a track of a library that was built anew",
        ),
        pytest.param(
            replace(EPISODE, show_ids={"tvdb": 9}, title="Low Water", show=None),
            replace(EPISODE, ids={"tvdb": 2}, show_ids={"tvdb": 9}),
            id="show and number",
        ),
        pytest.param(
            replace(EPISODE, ids={"tmdb": 1}, show_ids={"tvdb": 9}),
            replace(EPISODE, ids={"tvdb": 2}, show_ids={"tvdb": 9}),
            id="show and number, where no own ids can be compared",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 1, "imdb": "tt1"}, show_ids={"tvdb": 9}),
            replace(EPISODE, ids={"tvdb": 2, "imdb": "tt1"}, show_ids={"tvdb": 9}),
            id="one own id agrees, another does not",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 9}, show_ids={"tvdb": 9}),
            replace(EPISODE, ids={"tvdb": 2}, show_ids={"tvdb": 9}),
            id="one with the ids of its show by mistake",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 9}),
            replace(EPISODE, ids={"tvdb": 2}, show_ids={"tvdb": 9}),
            id="the ids of a show by mistake, which only the other tells",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 1}),
            replace(EPISODE, season=1, episode=16, ids={"tvdb": 1}),
            id="two ways of counting",
        ),
        pytest.param(
            replace(EPISODE, season=None, episode=None),
            replace(EPISODE, season=None, episode=None),
            id="episode by name",
        ),
        pytest.param(TRACK, replace(TRACK, duration=277), id="track by name"),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1}, items={"cellar": "a1"}),
            replace(MOVIE, ids={"tmdb": 1}, items={"cellar": "a2"}),
            id="versions of a movie",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 1}, items={"cellar": "a1"}),
            replace(EPISODE, ids={"tvdb": 1}, items={"cellar": "a2"}),
            id="versions of an episode",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 1}, items={"cellar": "a1"}),
            replace(EPISODE, ids={"tvdb": 1}, items={"cellar": "a2"}, season=None),
            id="versions of an episode, the number known of one",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 1}, items={"cellar": "a1"}),
            replace(EPISODE, ids={"tvdb": 1}, items={"attic": "77"}, episode=16),
            id="two ways of counting on two servers",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 1, "plex": "plex://episode/1"}),
            replace(EPISODE, ids={"tvdb": 1}, episode=16),
            id="two ways of counting, Plex's id known of one",
        ),
        pytest.param(
            replace(EPISODE, show_items={"attic": "70"}, title=None, show=None),
            replace(EPISODE, show_items={"attic": "70"}),
            id="the server's own show, and number",
        ),
    ],
)
def test_same(one: Title, other: Title) -> None:
    assert same_title(one, other)
    assert same_title(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(MOVIE, replace(MOVIE, year=1958), id="year"),
        pytest.param(MOVIE, replace(MOVIE, year=2021), id="two years apart"),
        pytest.param(
            replace(MOVIE, items={"attic": "77"}),
            replace(MOVIE, items={"cellar": "a1"}, year=2020),
            id="a year apart, each an item",
        ),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1}),
            replace(MOVIE, ids={"tmdb": 2}),
            id="ids differ where names do not",
        ),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1}),
            replace(SHOW, ids={"tmdb": 1}),
            id="another kind of thing",
        ),
        pytest.param(
            replace(MOVIE, items={"attic": "77"}, title=None),
            replace(MOVIE, items={"cellar": "77"}, title=None),
            id="items of two servers",
        ),
        pytest.param(
            replace(EPISODE, show_ids={"tvdb": 9}),
            replace(EPISODE, show_ids={"tvdb": 9}, episode=4),
            id="the next episode",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 9}, show_ids={"tvdb": 1}),
            replace(EPISODE, ids={"tvdb": 1}, show_ids={"tvdb": 9}),
            id="ids of an episode and of a show",
        ),
        pytest.param(
            replace(MOVIE, ids={"tmdb": 1}, items={"cellar": "a1"}),
            replace(MOVIE, ids={"tmdb": 2}, items={"cellar": "a1"}),
            id="an item id that was given anew",
        ),
        pytest.param(
            replace(MOVIE, items={"cellar": "a1"}, year=None),
            replace(MOVIE, items={"cellar": "a2"}, year=None),
            id="two items of a server by a name without a year",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 1}, show_ids={"tvdb": 9}),
            replace(EPISODE, ids={"tvdb": 2}, show_ids={"tvdb": 9}),
            id="two orders of the episodes of a show",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 1, "tmdb": 3}, show_items={"attic": "70"}),
            replace(
                EPISODE, ids={"tvdb": 2, "imdb": "tt4"}, show_items={"attic": "70"}
            ),
            id="a special in the folder of a season",
        ),
        pytest.param(
            replace(EPISODE, ids={"tvdb": 9}, show_ids={"tvdb": 9}),
            replace(EPISODE, ids={"tvdb": 9}, show_ids={"tvdb": 9}, episode=4),
            id="two episodes with the ids of their show, which is known",
        ),
        pytest.param(EPISODE, replace(EPISODE, show="Other"), id="show"),
        pytest.param(
            replace(EPISODE, season=None, title=None),
            replace(EPISODE, season=None, title=None, episode=4),
            id="the next episode, seasons unknown",
        ),
        pytest.param(
            replace(EPISODE, title=None),
            replace(EPISODE, title=None, season=None),
            id="season known of one",
        ),
        pytest.param(TRACK, replace(TRACK, album="Live"), id="album"),
        pytest.param(ALBUM, replace(ALBUM, artist="Other"), id="artist"),
        pytest.param(SEASON, replace(SEASON, season=3), id="season"),
        pytest.param(
            Title(media_type=MediaType.MOVIE),
            Title(media_type=MediaType.MOVIE),
            id="nothing known",
        ),
        pytest.param(
            replace(EPISODE, ids={"tmdb": 9}, items={"cellar": "a1"}),
            replace(EPISODE, ids={"tmdb": 9}, items={"cellar": "a2"}, episode=4),
            id="two items of a server with the ids of their show",
        ),
        pytest.param(
            replace(EPISODE, ids={"tmdb": 9, "plex": "plex://episode/1"}),
            replace(EPISODE, ids={"tmdb": 9, "plex": "plex://episode/2"}, episode=4),
            id="two of Plex's episodes with the ids of their show",
        ),
    ],
)
def test_not_same(one: Title, other: Title) -> None:
    assert not same_title(one, other)
    assert not same_title(other, one)


@pytest.mark.parametrize(
    ("kind", "item", "own", "exclusive"),
    [
        ("tmdb", False, True, False),
        ("plex", False, True, True),
        ("custom_shoko_relay", False, True, True),
        ("item attic", True, False, True),
        ("show item attic", True, False, False),
        ("show tmdb", False, False, False),
        ("show plex", False, False, False),
    ],
)
def test_kinds_of_identity(kind: str, item: bool, own: bool, exclusive: bool) -> None:
    assert is_item(kind) is item
    assert is_own(kind) is own
    assert is_exclusive(kind) is exclusive


def test_combine_adds_what_is_unknown() -> None:
    known = replace(
        EPISODE,
        title=None,
        season=0,
        ids={"tvdb": 1},
        show_ids={"tvdb": 9},
        items={"attic": "77"},
    )
    news = Title(
        media_type=MediaType.EPISODE,
        title="Eau basse",
        year=2022,
        show="Lumières du port",
        season=5,
        episode=6,
        ids={"tvdb": 2, "tmdb": 3},
        show_ids={"tvdb": 8, "tmdb": 7},
        items={"attic": "78", "cellar": "a1"},
        show_items={"cellar": "a0"},
        duration=2880,
    )

    assert combine(known, news) == Title(
        media_type=MediaType.EPISODE,
        title="Eau basse",
        year=2022,
        show="Harbour Lights",
        season=0,
        episode=3,
        ids={"tvdb": 1, "tmdb": 3},
        show_ids={"tvdb": 9, "tmdb": 7},
        items={"attic": "77", "cellar": "a1"},
        show_items={"cellar": "a0"},
        duration=2880,
    )


@pytest.mark.parametrize(
    ("season", "episode", "number"),
    [(2, 3, "2x3"), (0, 0, "0x0"), (None, 3, None), (2, None, None)],
)
def test_number_of(season: int | None, episode: int | None, number: str | None) -> None:
    assert number_of(replace(EPISODE, season=season, episode=episode)) == number
