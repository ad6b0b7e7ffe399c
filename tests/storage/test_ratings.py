"""Tests of ratings on a real disk."""

import asyncio
from dataclasses import replace
import math
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.storage.ratings import Ratings
from custom_components.media_scrobbler.storage.store import UnreadableStoreError
from custom_components.media_scrobbler.storage.writer import StorageWriteError

from .common import NOON, Disk, episode, movie

KEY = "ratings.someone"


@pytest.fixture
def unrated(hass: HomeAssistant, disk: Disk) -> Ratings:
    """Return the ratings of somebody who has not rated anything."""
    return Ratings(hass, KEY)


async def test_rating_and_taking_it_back(
    hass: HomeAssistant, disk: Disk, unrated: Ratings
) -> None:
    assert unrated.get(movie(1)) is None
    assert await unrated.async_set(movie(1), 8.5, NOON)
    assert not await unrated.async_set(movie(1), 8.5, NOON)
    assert await unrated.async_set(episode(1, 1), 3, NOON)

    assert unrated.get(movie(1)) == 8.5
    again = Ratings(hass, KEY)
    await again.async_load()
    assert (again.get(movie(1)), again.get(episode(1, 1)), len(again)) == (8.5, 3, 2)

    assert await again.async_set(movie(1), None, NOON)
    assert not await again.async_set(movie(1), None, NOON)
    assert again.get(movie(1)) is None
    assert [entry["rating"] for entry in disk.read(KEY)["ratings"]] == [3]


async def test_a_title_is_known_by_any_of_its_ids(unrated: Ratings) -> None:
    imdb = movie(1, ids={"imdb": "tt1"})
    await unrated.async_set(movie(1), 5, NOON)
    assert await unrated.async_set(movie(1, ids={"tmdb": 1001, "imdb": "tt1"}), 6, NOON)

    assert unrated.get(imdb) == 6
    assert len(unrated) == 1
    assert unrated.get(movie(1, ids={"imdb": "tt2"})) is None
    assert unrated.get(movie(2)) is None


async def test_a_show_a_season_and_an_episode_have_ratings_of_their_own(
    unrated: Ratings,
) -> None:
    show = Title(media_type=MediaType.SHOW, title="Harbour Lights", ids={"tvdb": 1})
    season = Title(
        media_type=MediaType.SEASON,
        show="Harbour Lights",
        season=1,
        show_ids={"tvdb": 1},
    )
    first = episode(1, 1, ids={}, show_ids={"tvdb": 1})
    for rating, title in enumerate((show, season, first), 1):
        await unrated.async_set(title, rating, NOON)

    assert [unrated.get(title) for title in (show, season, first)] == [1, 2, 3]
    assert unrated.get(replace(season, season=2)) is None


async def test_a_rating_before_anything_is_read_keeps_the_others(
    hass: HomeAssistant, disk: Disk, unrated: Ratings
) -> None:
    await unrated.async_set(movie(1), 5, NOON)
    again = Ratings(hass, KEY)

    await asyncio.gather(
        *(again.async_set(movie(number), number, NOON) for number in range(2, 6))
    )

    assert [entry["rating"] for entry in disk.read(KEY)["ratings"]] == [5, 2, 3, 4, 5]


async def test_reading_again_keeps_what_has_not_been_written(
    disk: Disk, unrated: Ratings
) -> None:
    await unrated.async_load()
    await unrated.async_set(movie(1), 5, NOON)
    with disk.full(), pytest.raises(StorageWriteError):
        await unrated.async_set(movie(2), 6, NOON)
    assert unrated.failing

    await unrated.async_load()

    assert unrated.get(movie(2)) == 6
    await unrated.async_flush()
    assert [entry["rating"] for entry in disk.read(KEY)["ratings"]] == [5, 6]
    assert not unrated.failing


async def test_ratings_of_one_moment_share_a_write(
    disk: Disk, unrated: Ratings
) -> None:
    await unrated.async_load()
    await asyncio.gather(
        *(unrated.async_set(movie(number), 5, NOON) for number in range(50))
    )

    assert disk.written == [KEY]
    assert len(disk.read(KEY)["ratings"]) == 50


@pytest.mark.parametrize(
    "data",
    [
        {"ratings": 5},
        {"ratings": [5]},
        {"ratings": [{"media_type": "movie", "title": "x", "rating": "good"}]},
        {"ratings": [{"media_type": "movie", "title": "x", "rating": 5}]},
        {
            "ratings": [
                {
                    "media_type": "movie",
                    "ids": [],
                    "rating": 5,
                    "rated_at": "2026-11-10T12:00:00+00:00",
                }
            ]
        },
    ],
)
async def test_what_cannot_be_read_is_not_overwritten(
    hass: HomeAssistant, disk: Disk, data: Any
) -> None:
    path = disk.write(KEY, data)
    damaged = path.read_bytes()
    troubles: list[list[str]] = []
    ratings: Ratings = Ratings(
        hass, KEY, on_trouble=lambda: troubles.append(list(ratings.unreadable))
    )

    await ratings.async_load()
    with pytest.raises(UnreadableStoreError):
        await ratings.async_set(movie(1), 5, NOON)
    await ratings.async_flush()

    assert path.read_bytes() == damaged
    assert troubles[0] == [str(path)]
    disk.write(
        KEY,
        {
            "ratings": [
                {
                    "media_type": "movie",
                    "ids": {"tmdb": 1002},
                    "rating": 7,
                    "rated_at": "2026-11-10T12:00:00+00:00",
                }
            ]
        },
    )
    await ratings.async_load()
    assert troubles[-1] == []
    await ratings.async_set(movie(1), 5, NOON)
    assert [entry["rating"] for entry in disk.read(KEY)["ratings"]] == [7, 5]


async def test_removing(disk: Disk, unrated: Ratings) -> None:
    await unrated.async_set(movie(1), 5, NOON)

    await unrated.async_remove()

    assert disk.names() == []
    assert unrated.unreadable == {}


async def test_a_rating_that_cannot_be_written_keeps_no_other_back(
    disk: Disk, unrated: Ratings
) -> None:
    for title, value in (
        (movie(1, title="\ud83d"), 5.0),
        (movie(1), math.nan),
        (movie(1), 11),
    ):
        with pytest.raises((TypeError, ValueError)):
            await unrated.async_set(title, value, NOON)
    assert len(unrated) == 0

    await unrated.async_set(movie(2), 7, NOON)

    (stored,) = disk.read(KEY)["ratings"]
    assert stored["title"] == "Film 2"
