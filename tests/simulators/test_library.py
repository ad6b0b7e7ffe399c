"""The generated library is what it says: always the same, of any size, and varied."""

from collections.abc import Sequence
from typing import Any

import pytest

from .catalogue import LOW_WATER, THE_SALT_ROAD, ExternalIds
from .library import Library

LARGE = Library(movies=3_000, episodes=150_000, tracks=5_000)


@pytest.mark.parametrize(
    ("titles", "number"),
    [
        pytest.param(LARGE.movies, 3_000, id="movies"),
        pytest.param(LARGE.shows, 2_232, id="shows"),
        pytest.param(LARGE.seasons, 9_102, id="seasons"),
        pytest.param(LARGE.episodes, 150_000, id="episodes"),
        pytest.param(LARGE.artists, 152, id="artists"),
        pytest.param(LARGE.albums, 455, id="albums"),
        pytest.param(LARGE.tracks, 5_000, id="tracks"),
    ],
)
def test_titles_are_a_sequence(titles: Sequence[Any], number: int) -> None:
    assert len(titles) == pytest.approx(number, abs=1)
    assert len({getattr(title, "key", title) for title in titles}) == len(titles)
    for index in range(0, len(titles), len(titles) // 40):
        assert titles.index(titles[index]) == index
        assert titles[index] in titles
    assert titles[3:7] == [titles[index] for index in range(3, 7)]
    assert titles[9:3:-2] == [titles[9], titles[7], titles[5]]
    assert titles[-1] == titles[len(titles) - 1]
    with pytest.raises(IndexError):
        titles[len(titles)]
    assert THE_SALT_ROAD not in titles
    assert LOW_WATER not in titles


def test_a_title_is_the_same_in_every_library() -> None:
    small = Library(movies=6, episodes=4)

    assert list(small.movies) == LARGE.movies[:6]
    assert list(small.episodes) == LARGE.episodes[:4]
    assert len(small.shows) == len(small.seasons) == 1
    assert len(small.tracks) == len(small.albums) == len(small.artists) == 0


def test_what_belongs_together() -> None:
    for number in range(0, len(LARGE.episodes), 7_001):
        episode = LARGE.episodes[number]
        show = LARGE.show_of(episode)
        season = LARGE.season_of_episode(number)
        assert LARGE.shows[show] == episode.show
        assert LARGE.show_of_season(season) == show
        assert LARGE.seasons[season].number == episode.season
        assert number in LARGE.episodes_of_season(season)
        assert number in LARGE.episodes_of_show(show)
    for number in range(0, len(LARGE.tracks), 501):
        album = LARGE.albums.index(LARGE.tracks[number].album)
        assert number in LARGE.tracks_of_album(album)
        artist = LARGE.artists.index(LARGE.albums[album].artist)
        assert album in LARGE.albums_of_artist(artist)


def test_it_has_what_real_libraries_have() -> None:
    episodes = LARGE.episodes[:20_000]

    for ids in (
        ExternalIds(),
        ExternalIds(imdb="tt50000036"),
        ExternalIds(tmdb=2_000_005),
        ExternalIds(tvdb=2_000_067),
    ):
        assert any(episode.ids == ids for episode in episodes)
    assert any(episode.season == 0 for episode in episodes)
    assert any(episode.number_end is not None for episode in episodes)
    assert any(episode.number > 500 for episode in episodes)
    names = [movie.title for movie in LARGE.movies]
    assert len(set(names)) < len(names)
    assert any("&" in name for name in names)
    assert any(not name.isascii() for name in names)
    assert any(track.artist is not None for track in LARGE.tracks)
