"""Tests of external ids."""

import pytest

from custom_components.media_scrobbler.domain.ids import external_id

UUID = "3c2c1f40-b22e-460e-a29a-1b1610190a8c"


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ("tmdb", "550", 550),
        ("tmdb", " 550 ", 550),
        ("tvdb", "0081189", 81189),
        ("anidb", "17494", 17494),
        ("anilist", "1", 1),
        ("myanimelist", "1575", 1575),
        ("tvmaze", "1", 1),
        ("tvrage", "18164", 18164),
        ("imdb", "tt0137523", "tt0137523"),
        ("imdb", "TT0137523", "tt0137523"),
        ("musicbrainz", UUID, UUID),
        ("musicbrainz", UUID.upper(), UUID),
        ("musicbrainz_recording", UUID, UUID),
    ],
)
def test_proper_form(source: str, value: str, expected: str | int) -> None:
    assert external_id(source, value) == {source: expected}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("tmdb", None),
        ("tmdb", ""),
        ("tmdb", "0"),
        ("tmdb", "-550"),
        ("tmdb", "tt0137523"),
        ("tmdb", "550-fight-club"),
        ("tmdb", "٥٥٠"),
        ("tmdb", "1" * 13),
        ("imdb", "0137523"),
        ("imdb", "tt"),
        ("imdb", "nm0000093"),
        ("musicbrainz", UUID.replace("-", "")),
        ("musicbrainz", f"{UUID}0"),
        ("plex", "550"),
        ("unknown", "550"),
    ],
)
def test_left_out(source: str, value: str | None) -> None:
    assert external_id(source, value) == {}
