"""Tests of Plex GUIDs."""

import pytest

from custom_components.media_scrobbler.domain.title import MediaType
from custom_components.media_scrobbler.plex.guids import Guid, parse_guid, scheme

UUID = "e9a1f3b5-6c27-4d84-a0e1-5b3d7f92c614"
MOVIE, SHOW = MediaType.MOVIE, MediaType.SHOW
SEASON, EPISODE = MediaType.SEASON, MediaType.EPISODE
TRACK, ALBUM = MediaType.TRACK, MediaType.ALBUM


@pytest.mark.parametrize(
    ("guid", "expected"),
    [
        ("plex://movie/5d77", "plex"),
        ("COM.plexapp.agents.imdb://tt1", "com.plexapp.agents.imdb"),
        ("", ""),
        (None, ""),
    ],
)
def test_scheme(guid: str | None, expected: str) -> None:
    assert scheme(guid) == expected


@pytest.mark.parametrize(
    ("guid", "media_type", "expected"),
    [
        pytest.param(
            "plex://movie/5d77", MOVIE, {"plex": "plex://movie/5d77"}, id="plex movie"
        ),
        pytest.param(
            "plex://episode/5d77",
            EPISODE,
            {"plex": "plex://episode/5d77"},
            id="plex episode",
        ),
        pytest.param(
            "plex://track/5d77", TRACK, {"plex": "plex://track/5d77"}, id="plex track"
        ),
        pytest.param(
            "tv.plex.agents.custom.shoko.relay://episode/e1?lang=en",
            EPISODE,
            {"custom_shoko_relay": "tv.plex.agents.custom.shoko.relay://episode/e1"},
            id="custom provider, episode",
        ),
        pytest.param(
            "tv.plex.agents.custom.shoko.relay://show/s1",
            SHOW,
            {"custom_shoko_relay": "tv.plex.agents.custom.shoko.relay://show/s1"},
            id="custom provider, show",
        ),
        pytest.param(
            "tv.plex.agents.custom.tmdb://movie/7/",
            MOVIE,
            {"custom_tmdb": "tv.plex.agents.custom.tmdb://movie/7"},
            id="custom provider of a known name",
        ),
        pytest.param("tmdb://6978", MOVIE, {"tmdb": 6978}, id="tmdb"),
        pytest.param("tmdb://4712093", EPISODE, {"tmdb": 4712093}, id="tmdb, episode"),
        pytest.param("tvdb://9712094/", EPISODE, {"tvdb": 9712094}, id="tvdb, slash"),
        pytest.param("imdb://tt0090728", MOVIE, {"imdb": "tt0090728"}, id="imdb"),
        pytest.param("anidb://17494", SHOW, {"anidb": 17494}, id="anidb"),
        pytest.param(f"mbid://{UUID}", TRACK, {"musicbrainz": UUID}, id="mbid"),
        pytest.param(
            "com.plexapp.agents.imdb://tt0072684?lang=en",
            MOVIE,
            {"imdb": "tt0072684"},
            id="imdb agent",
        ),
        pytest.param(
            "com.plexapp.agents.themoviedb://6978?lang=de",
            MOVIE,
            {"tmdb": 6978},
            id="themoviedb agent",
        ),
        pytest.param(
            "com.plexapp.agents.thetvdb://371040?lang=en",
            SHOW,
            {"tvdb": 371040},
            id="thetvdb agent, show",
        ),
        pytest.param(
            "com.plexapp.agents.hama://anidb-17494?lang=en",
            SHOW,
            {"anidb": 17494},
            id="hama, show",
        ),
        pytest.param(
            "com.plexapp.agents.hama://imdb-tt0245429?lang=en",
            MOVIE,
            {"imdb": "tt0245429"},
            id="hama, movie",
        ),
        pytest.param(
            "com.plexapp.agents.xbmcnfo://tt0137523?lang=xn",
            MOVIE,
            {"imdb": "tt0137523"},
            id="nfo agent",
        ),
        pytest.param(
            "tv.plex.agents.nfo://tt0137523",
            MOVIE,
            {"imdb": "tt0137523"},
            id="plex nfo",
        ),
    ],
)
def test_ids_of_the_title(
    guid: str, media_type: MediaType, expected: dict[str, str | int]
) -> None:
    assert parse_guid(guid, media_type) == Guid(ids=expected)


@pytest.mark.parametrize(
    ("guid", "media_type", "show_ids", "season", "episode"),
    [
        pytest.param(
            "com.plexapp.agents.thetvdb://73871/2/15?lang=en",
            EPISODE,
            {"tvdb": 73871},
            2,
            15,
            id="thetvdb, episode",
        ),
        pytest.param(
            "com.plexapp.agents.thetvdb://73871/0/0",
            EPISODE,
            {"tvdb": 73871},
            0,
            0,
            id="special",
        ),
        pytest.param(
            "com.plexapp.agents.thetvdb://73871/2?lang=en",
            SEASON,
            {"tvdb": 73871},
            2,
            None,
            id="thetvdb, season",
        ),
        pytest.param(
            "com.plexapp.agents.themoviedb://1396/1/2",
            EPISODE,
            {"tmdb": 1396},
            1,
            2,
            id="themoviedb, episode",
        ),
        pytest.param(
            "tmdb://1396/1/2", EPISODE, {"tmdb": 1396}, 1, 2, id="tmdb with numbers"
        ),
        pytest.param(
            "com.plexapp.agents.hama://anidb-17494/1/7?lang=en",
            EPISODE,
            {"anidb": 17494},
            1,
            7,
            id="hama",
        ),
        pytest.param(
            "com.plexapp.agents.hama://tvdb4-81797/21/892",
            EPISODE,
            {"tvdb": 81797},
            21,
            892,
            id="hama with a way of counting",
        ),
        pytest.param(
            "com.plexapp.agents.hama://tsdb-46260/1/1",
            EPISODE,
            {"tmdb": 46260},
            1,
            1,
            id="hama, tsdb",
        ),
        pytest.param(
            "com.plexapp.agents.hama://kitsu-1/1/1", EPISODE, {}, 1, 1, id="hama, other"
        ),
        pytest.param(
            "net.fribbtastic.coding.plex.myanimelist://1575?lang=en",
            EPISODE,
            {"myanimelist": 1575},
            None,
            None,
            id="myanimelist",
        ),
        pytest.param(
            "com.plexapp.agents.xbmcnfotv://248682/1/3",
            EPISODE,
            {},
            1,
            3,
            id="nfo of series, id of unknown origin",
        ),
        pytest.param(
            "com.plexapp.agents.none://569747/2026/41103?lang=xn",
            EPISODE,
            {},
            2026,
            41103,
            id="none",
        ),
        pytest.param(
            "com.plexapp.agents.thetvdb://73871/two/1234567",
            EPISODE,
            {"tvdb": 73871},
            None,
            None,
            id="numbers that are none",
        ),
    ],
)
def test_ids_of_the_show(
    guid: str,
    media_type: MediaType,
    show_ids: dict[str, str | int],
    season: int | None,
    episode: int | None,
) -> None:
    assert parse_guid(guid, media_type) == Guid(
        show_ids=show_ids, season=season, episode=episode
    )


@pytest.mark.parametrize(
    ("guid", "media_type"),
    [
        pytest.param(None, MOVIE, id="none"),
        pytest.param("", MOVIE, id="empty"),
        pytest.param("://movie/1", MOVIE, id="no scheme"),
        pytest.param("tmdb", MOVIE, id="no separator"),
        pytest.param("plex://", MOVIE, id="plex, nothing"),
        pytest.param("plex://movie/", MOVIE, id="plex, no id"),
        pytest.param("plex://show/5d9c", EPISODE, id="plex, the episode's show"),
        pytest.param(
            "tv.plex.agents.custom.shoko.relay://show/s1",
            EPISODE,
            id="custom provider, the episode's show",
        ),
        pytest.param(
            "tv.plex.agents.custom.shoko.relay://episode/",
            EPISODE,
            id="custom provider, no id",
        ),
        pytest.param("tv.plex.agents.custom.://movie/1", MOVIE, id="no provider"),
        pytest.param("local://57612", EPISODE, id="local"),
        pytest.param("none://1/2/3", EPISODE, id="none as a scheme"),
        pytest.param("file:///data/1/2", EPISODE, id="file"),
        pytest.param("iva://api.internetvideoarchive.com/2.0/1", MOVIE, id="trailer"),
        pytest.param(
            "com.plexapp.agents.plexmusic://gracenote/track/75-91/75-3C?lang=en",
            TRACK,
            id="gracenote",
        ),
        pytest.param("com.plexapp.agents.none://c434?lang=xn", MOVIE, id="none agent"),
        pytest.param("com.plexapp.agents.xbmcnfo://1234", MOVIE, id="nfo, a number"),
        pytest.param("com.plexapp.agents.imdb://", MOVIE, id="agent without id"),
        pytest.param("imdb://550", MOVIE, id="imdb, not its form"),
        pytest.param("tmdb://tt0137523", MOVIE, id="tmdb, not its form"),
        pytest.param("discogs://1", ALBUM, id="another source"),
    ],
)
def test_nothing(guid: str | None, media_type: MediaType) -> None:
    assert parse_guid(guid, media_type) == Guid()
