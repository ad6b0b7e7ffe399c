"""Tests of what the forms of Jellyfin's and Emby's webhooks share."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from custom_components.media_scrobbler.domain.fields import Fields, PayloadError
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.jellyfin.items import (
    each_episode,
    exact_time,
    media_type_of,
    named_as_film,
    plain_id,
    plain_text,
    provider_ids,
    stopped_complete,
    utc_time,
)

UUID = "e9a1f3b5-6c27-4d84-a0e1-5b3d7f92c614"
OTHER_UUID = "5d0f7c7e-0b76-4a43-9a71-6f0e5c1d8a21"
EPISODE = Title(
    media_type=MediaType.EPISODE,
    title="Low Water / Fog Signal",
    show="Harbour Lights",
    season=2,
    episode=3,
    ids={"tvdb": 9712094},
    items={"cellar": "a1"},
    show_items={"cellar": "a0"},
    duration=5701,
)


def film(name: str | None, **details: Any) -> Title:
    """Return a film by its name."""
    return Title(media_type=MediaType.MOVIE, title=name, **details)


@pytest.mark.parametrize(
    ("item_type", "media_type"),
    [
        ("Movie", MediaType.MOVIE),
        ("Series", MediaType.SHOW),
        ("Season", MediaType.SEASON),
        ("Episode", MediaType.EPISODE),
        ("MusicArtist", MediaType.ARTIST),
        ("MusicAlbum", MediaType.ALBUM),
        ("Audio", MediaType.TRACK),
        ("Video", None),
        ("Trailer", None),
        ("LiveTvChannel", None),
        ("Photo", None),
        ("movie", None),
    ],
)
def test_media_type_of(item_type: str, media_type: MediaType | None) -> None:
    assert media_type_of(item_type) is media_type


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(
            "2c0d61a793f1a78957bccedd56eea531",
            "2c0d61a793f1a78957bccedd56eea531",
            id="plain",
        ),
        pytest.param(
            "2C0D61A7-93F1-A789-57BC-CEDD56EEA531",
            "2c0d61a793f1a78957bccedd56eea531",
            id="with dashes and capitals",
        ),
        pytest.param("199", "199", id="Emby's"),
        pytest.param(199, "199", id="number"),
        pytest.param("0" * 32, None, id="zeros"),
        pytest.param("00000000-0000-0000-0000-000000000000", None, id="dashed zeros"),
        pytest.param("-", None, id="dash"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_plain_id(value: object, expected: str | None) -> None:
    assert plain_id(Fields({"Id": value}), "Id") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param('The \\"Cellar\\"', 'The "Cellar"', id="backslashes"),
        pytest.param("Tom &amp; Jerry", "Tom &amp; Jerry", id="HTML"),
        pytest.param("C:\\", "C:\\", id="a backslash of its own"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_plain_text(value: object, expected: str | None) -> None:
    assert plain_text(Fields({"Name": value}), "Name") == expected


@pytest.mark.parametrize(
    ("providers", "media_type", "expected"),
    [
        pytest.param(
            {"Tmdb": "335984", "Imdb": "tt1856101", "TmdbCollection": "422837"},
            MediaType.MOVIE,
            {"tmdb": 335984, "imdb": "tt1856101"},
            id="movie",
        ),
        pytest.param(
            {"TVDB": 349232, "AniDB": "238801", "mal": "41457", "AniList": ""},
            MediaType.EPISODE,
            {"tvdb": 349232, "anidb": 238801, "myanimelist": 41457},
            id="episode",
        ),
        pytest.param(
            {"Tvdb": "349232", "mal": "1", "MyAnimeList": "2", "tvdb": "349232"},
            MediaType.EPISODE,
            {"tvdb": 349232},
            id="two of a source",
        ),
        pytest.param(
            {
                "MusicBrainzTrack": UUID,
                "MusicBrainzAlbum": OTHER_UUID,
                "MusicBrainzArtist": OTHER_UUID,
            },
            MediaType.TRACK,
            {"musicbrainz": UUID},
            id="track",
        ),
        pytest.param(
            {"MusicBrainzTrack": UUID, "MusicBrainzRecording": OTHER_UUID},
            MediaType.TRACK,
            {"musicbrainz": UUID, "musicbrainz_recording": OTHER_UUID},
            id="track and recording",
        ),
        pytest.param(
            {"MusicBrainzAlbum": UUID, "MusicBrainzReleaseGroup": OTHER_UUID},
            MediaType.ALBUM,
            {"musicbrainz": UUID, "musicbrainz_release_group": OTHER_UUID},
            id="album",
        ),
        pytest.param(
            {"MusicBrainzArtist": UUID, "MusicBrainzAlbumArtist": OTHER_UUID},
            MediaType.ARTIST,
            {"musicbrainz": UUID},
            id="artist",
        ),
        pytest.param(
            {"Wikipedia": ["x"], "EIDR": {}, "": True, "Official Website": "x" * 5000},
            MediaType.MOVIE,
            {},
            id="providers that are not used may be anything",
        ),
    ],
)
def test_provider_ids(
    providers: dict[str, Any], media_type: MediaType, expected: dict[str, Any]
) -> None:
    assert provider_ids(Fields(providers), media_type) == expected


def test_provider_ids_with_a_prefix() -> None:
    fields = Fields({"Provider_tmdb": "1", "provider_IMDB": "tt1", "tvdb": "1"})

    assert provider_ids(fields, MediaType.MOVIE, "provider_") == {
        "tmdb": 1,
        "imdb": "tt1",
    }


def test_provider_id_of_a_wrong_type() -> None:
    with pytest.raises(PayloadError, match=r"^ProviderIds\.Tmdb is not a text$"):
        provider_ids(Fields({"Tmdb": []}, "ProviderIds"), MediaType.MOVIE)


def test_each_episode() -> None:
    first, second, third = each_episode(EPISODE, 5)

    assert first == replace(EPISODE, duration=1900)
    assert second == replace(EPISODE, episode=4, ids={}, items={}, duration=1900)
    assert third == replace(second, episode=5)


def test_each_episode_from_zero_on() -> None:
    titles = each_episode(replace(EPISODE, season=0, episode=0, duration=None), 1)

    assert [title.episode for title in titles] == [0, 1]
    assert [title.duration for title in titles] == [None, None]


@pytest.mark.parametrize(
    ("title", "last"),
    [
        pytest.param(EPISODE, None, id="one episode"),
        pytest.param(EPISODE, 3, id="ends with itself"),
        pytest.param(EPISODE, 2, id="ends before it begins"),
        pytest.param(EPISODE, 54, id="more than a file holds"),
        pytest.param(replace(EPISODE, episode=None), 4, id="number unknown"),
        pytest.param(replace(EPISODE, media_type=MediaType.MOVIE), 4, id="movie"),
    ],
)
def test_one_episode(title: Title, last: int | None) -> None:
    assert each_episode(title, last) == (title,)


@pytest.mark.parametrize(
    ("claimed", "position", "duration", "complete"),
    [
        pytest.param(True, 6600.0, 6720, True, id="claimed"),
        pytest.param(True, 454.0, 6427, True, id="the server's threshold decides"),
        pytest.param(True, 0.0, 6720, True, id="rewound already"),
        pytest.param(True, None, 6720, True, id="position unknown"),
        pytest.param(False, 6600.0, 6720, False, id="not claimed"),
        pytest.param(None, 6600.0, 6720, False, id="nothing claimed"),
        pytest.param(True, 500.0, None, False, id="run time unknown"),
        pytest.param(True, 500.0, 0, False, id="run time 0"),
        pytest.param(True, 20.0, 180, False, id="short, skipped"),
        pytest.param(True, 89.9, 180, False, id="short, nearly half"),
        pytest.param(True, 90.0, 180, True, id="short, half"),
        pytest.param(True, 0.0, 180, True, id="short, rewound already"),
        pytest.param(True, None, 180, True, id="short, position unknown"),
        pytest.param(True, 100.0, 299, False, id="just short"),
        pytest.param(True, 100.0, 300, True, id="not short"),
    ],
)
def test_stopped_complete(
    claimed: bool | None, position: float | None, duration: int | None, complete: bool
) -> None:
    assert stopped_complete(claimed, position, duration) is complete


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "2026-11-20T08:15:02.1234581Z",
            datetime(2026, 11, 20, 8, 15, 2, 123458, UTC),
            id="7 digits",
        ),
        pytest.param(
            "2026-11-20T08:15:02.1Z",
            datetime(2026, 11, 20, 8, 15, 2, 100000, UTC),
            id="1 digit",
        ),
        pytest.param(
            "2026-11-20T08:15:02Z",
            datetime(2026, 11, 20, 8, 15, 2, 0, UTC),
            id="no fraction",
        ),
        pytest.param(
            "0001-01-01T00:00:00.0000000Z", datetime(1, 1, 1, tzinfo=UTC), id="year 1"
        ),
        pytest.param("2026-11-20T09:15:02.1234567+01:00", None, id="local"),
        pytest.param("2026-11-20T08:15:02", None, id="no zone"),
        pytest.param("2026-02-30T08:15:02Z", None, id="no such day"),
        pytest.param("2026-11-20T24:15:02Z", None, id="no such hour"),
        pytest.param("0000-01-01T00:00:00Z", None, id="year 0"),
        pytest.param("11/20/2026 08:15:02", None, id="another form"),
        pytest.param("٢٠٢٦-11-20T08:15:02Z", None, id="other digits"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_utc_time(text: str | None, expected: datetime | None) -> None:
    assert utc_time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "2026-11-20T08:15:02.1234567Z",
            datetime(2026, 11, 20, 8, 15, 2, 123456, UTC),
            id="UTC",
        ),
        pytest.param(
            "2026-11-20T09:15:02.1234567+01:00",
            datetime(2026, 11, 20, 8, 15, 2, 123456, UTC),
            id="ahead of UTC",
        ),
        pytest.param(
            "2026-11-20T02:45:02-05:30",
            datetime(2026, 11, 20, 8, 15, 2, 0, UTC),
            id="behind UTC",
        ),
        pytest.param("0001-01-01T00:00:00+01:00", None, id="before there is a time"),
        pytest.param("2026-11-20T08:15:02", None, id="no zone"),
        pytest.param("2026-11-20T08:15:02+1:00", None, id="another form"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_exact_time(text: str | None, expected: datetime | None) -> None:
    assert exact_time(text) == expected


@pytest.mark.parametrize(
    ("title", "name", "year"),
    [
        pytest.param(film("Dune (2021) - 4K"), "Dune", 2021, id="version"),
        pytest.param(film("Dune (2021) - 4K", year=2020), "Dune", 2020, id="dated"),
        pytest.param(film("Dune (2021)"), "Dune (2021)", None, id="no version"),
        pytest.param(film("Dune - 4K"), "Dune - 4K", None, id="no year"),
        pytest.param(
            film("Dune (2021) - 4K", ids={"tmdb": 1}),
            "Dune (2021) - 4K",
            None,
            id="ids",
        ),
        pytest.param(film(None), None, None, id="no name"),
    ],
)
def test_named_as_film(title: Title, name: str | None, year: int | None) -> None:
    found = named_as_film(title)
    assert (found.title, found.year) == (name, year)
