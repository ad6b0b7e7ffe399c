"""Tests of parsing Plex webhooks."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.media_scrobbler.domain.event import (
    Action,
    LibraryChange,
    MediaEvent,
    Party,
    RatingChange,
)
from custom_components.media_scrobbler.domain.fields import PayloadError
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.plex.payload import parse

from ..simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN,
    NINTH_MERIDIAN_TRAILER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_SALT_ROAD,
    TIDEWATER,
    Clip,
    Season,
    Track,
)
from ..simulators.plex import LIVING_ROOM_TV, PlexAccount, PlexEvent, PlexServer

NOW = datetime(2026, 11, 20, 20, 15, tzinfo=UTC)
ALICE = PlexAccount.owner("alice")
BOB = PlexAccount.home_user("bob")
PLEX = PlexServer(name="Attic", uuid="5f0c9a7d21e84b3f9d6c0b1a8e7f4251", owner=ALICE)
ATTIC = Party(PLEX.uuid, PLEX.name)
TV = Party(LIVING_ROOM_TV.uuid, LIVING_ROOM_TV.title)


def scrobble(metadata: Mapping[str, Any], **rest: Any) -> MediaEvent:
    """Parse a scrobble of an item that is described by hand."""
    return parse(
        {
            "event": "media.scrobble",
            "Server": {"title": PLEX.name, "uuid": PLEX.uuid},
            "Metadata": metadata,
            **rest,
        }
    )


def title_of(event: MediaEvent) -> Title:
    """Return the one title of an event."""
    (title,) = event.titles
    return title


def item(title: Any) -> dict[str, str]:
    """Return the server's own id of a title."""
    return {PLEX.uuid: PLEX.rating_key(title.key)}


def test_movie() -> None:
    event = parse(PLEX.payload(PlexEvent.SCROBBLE, THE_SALT_ROAD, at=NOW))

    title = title_of(event)
    assert title == Title(
        media_type=MediaType.MOVIE,
        title="The Salt Road",
        year=2019,
        ids={
            "plex": title.ids["plex"],
            "imdb": "tt9182736",
            "tmdb": 918273,
            "tvdb": 219483,
        },
        items=item(THE_SALT_ROAD),
        duration=6720,
    )
    assert str(title.ids["plex"]).startswith("plex://movie/")
    assert event == MediaEvent(
        name="media.scrobble",
        server=ATTIC,
        account=Party("1", "alice"),
        player=TV,
        titles=(title,),
        completed=True,
        owned=True,
    )


def test_episode() -> None:
    title = title_of(parse(PLEX.payload(PlexEvent.SCROBBLE, LOW_WATER, at=NOW)))

    assert title == Title(
        media_type=MediaType.EPISODE,
        title="Low Water",
        show="Harbour Lights",
        season=2,
        episode=3,
        ids={
            "plex": title.ids["plex"],
            "imdb": "tt9471209",
            "tmdb": 4712093,
            "tvdb": 9712094,
        },
        show_ids={"plex": title.show_ids["plex"]},
        items=item(LOW_WATER),
        show_items=item(HARBOUR_LIGHTS),
        duration=2880,
    )
    assert str(title.ids["plex"]).startswith("plex://episode/")
    assert str(title.show_ids["plex"]).startswith("plex://show/")


@pytest.mark.parametrize(
    ("track", "artist"),
    [
        pytest.param(SLOW_FERRY, "Marlow & Finch", id="album"),
        pytest.param(
            Track(
                TIDEWATER,
                5,
                "Guest",
                musicbrainz=SLOW_FERRY.musicbrainz,
                runtime=timedelta(minutes=3),
                artist="Ines Okafor",
            ),
            "Ines Okafor",
            id="compilation",
        ),
    ],
)
def test_track(track: Track, artist: str) -> None:
    title = title_of(parse(PLEX.payload(PlexEvent.SCROBBLE, track, at=NOW)))

    assert title == Title(
        media_type=MediaType.TRACK,
        title=track.title,
        artist=artist,
        album="Tidewater",
        ids={"plex": title.ids["plex"], "musicbrainz": SLOW_FERRY.musicbrainz},
        items=item(track),
    )


@pytest.mark.parametrize(
    ("event", "action", "position"),
    [
        (PlexEvent.PLAY, Action.PLAY, None),
        (PlexEvent.PAUSE, Action.PAUSE, 61.5),
        (PlexEvent.RESUME, Action.RESUME, 61.5),
        (PlexEvent.STOP, Action.STOP, 61.5),
        (PlexEvent.PLAYBACK_STARTED, Action.PLAY, None),
    ],
)
def test_playback(event: PlexEvent, action: Action, position: float | None) -> None:
    parsed = parse(
        PLEX.payload(event, LOW_WATER, at=NOW, position=timedelta(seconds=61.5))
    )

    assert parsed.action is action
    assert parsed.position == position
    assert not parsed.completed
    assert parsed.rating is None
    assert parsed.library is None


def test_library_new() -> None:
    event = parse(PLEX.payload(PlexEvent.LIBRARY_NEW, HARBOUR_LIGHTS, at=NOW))

    title = title_of(event)
    assert title == Title(
        media_type=MediaType.SHOW,
        title="Harbour Lights",
        year=2021,
        ids={
            "plex": title.ids["plex"],
            "imdb": "tt9288104",
            "tmdb": 288104,
            "tvdb": 438120,
        },
        items=item(HARBOUR_LIGHTS),
    )
    assert event.library is LibraryChange.ADDED
    assert event.player is None
    assert event.action is None
    assert not event.completed


def test_library_new_season() -> None:
    title = title_of(
        parse(PLEX.payload(PlexEvent.LIBRARY_NEW, Season(HARBOUR_LIGHTS, 0), at=NOW))
    )

    assert title == Title(
        media_type=MediaType.SEASON,
        title="Specials",
        show="Harbour Lights",
        season=0,
        ids={"plex": title.ids["plex"]},
        show_ids={"plex": title.show_ids["plex"]},
        items=item(Season(HARBOUR_LIGHTS, 0)),
        show_items=item(HARBOUR_LIGHTS),
    )


def test_library_new_album() -> None:
    title = title_of(parse(PLEX.payload(PlexEvent.LIBRARY_NEW, TIDEWATER, at=NOW)))

    assert title == Title(
        media_type=MediaType.ALBUM,
        title="Tidewater",
        artist="Marlow & Finch",
        year=2017,
        ids={"plex": title.ids["plex"], "musicbrainz": TIDEWATER.musicbrainz},
        items=item(TIDEWATER),
    )


def test_library_new_artist() -> None:
    title = title_of(
        parse(
            {
                "event": "library.new",
                "Metadata": {"type": "artist", "title": "Marlow & Finch", "year": 2009},
            }
        )
    )

    assert title == Title(media_type=MediaType.ARTIST, title="Marlow & Finch")


@pytest.mark.parametrize(
    ("event", "server_event"),
    [
        (PlexEvent.DEVICE_NEW, "device_new"),
        (PlexEvent.DATABASE_BACKUP, "database_backup"),
        (PlexEvent.DATABASE_CORRUPTED, "database_corrupted"),
    ],
)
def test_server_events(event: PlexEvent, server_event: str) -> None:
    parsed = parse(PLEX.payload(event, at=NOW))

    assert parsed.server_event == server_event
    assert parsed.server == ATTIC
    assert parsed.titles == ()
    assert parsed.ignored is None


@pytest.mark.parametrize(
    ("event", "title", "reason"),
    [
        pytest.param(
            "library.on.deck",
            LOW_WATER,
            "an item on deck is not new media",
            id="on deck",
        ),
        pytest.param(
            "media.unheard.of",
            LOW_WATER,
            "events of this name are not used",
            id="unknown event",
        ),
        pytest.param(
            "media.scrobble",
            NINTH_MERIDIAN_TRAILER,
            "trailers and pre-rolls are not recorded",
            id="trailer",
        ),
        pytest.param(
            "media.play",
            Clip("Welcome", runtime=timedelta(seconds=20)),
            "trailers and pre-rolls are not recorded",
            id="pre-roll",
        ),
    ],
)
def test_ignored(event: str, title: Any, reason: str) -> None:
    parsed = parse(PLEX.payload(event, title, at=NOW))

    assert parsed.ignored == reason
    assert parsed.titles == ()
    assert parsed.action is None
    assert not parsed.completed
    assert parsed.server == ATTIC


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        pytest.param(
            {"type": "clip", "guid": "file:///data/x.mkv"},
            "trailers, extras and clips are not recorded",
            id="local extra",
        ),
        pytest.param(
            {"type": "movie", "extraType": 1, "title": "Deleted scene"},
            "trailers, extras and clips are not recorded",
            id="extra that calls itself a movie",
        ),
        pytest.param({"type": "photo"}, "photos are not recorded", id="photo"),
        pytest.param(
            {"type": "movie", "librarySectionType": "photo"},
            "photos are not recorded",
            id="video in a photo library",
        ),
        pytest.param(
            {"type": "episode", "live": "1"}, "live TV is not recorded", id="live"
        ),
        pytest.param(
            {"type": "episode", "key": "/livetv/sessions/1"},
            "live TV is not recorded",
            id="live by key",
        ),
        pytest.param(
            {"type": "movie", "guid": "tv.plex.xmltv://movie/1"},
            "live TV is not recorded",
            id="live by guid",
        ),
        pytest.param(
            {"type": "episode", "grandparentGuid": "tv.plex.xmltv://show/1"},
            "live TV is not recorded",
            id="live by the show's guid",
        ),
        pytest.param(
            {"type": "collection"},
            "items of type collection are not recorded",
            id="another type",
        ),
        pytest.param(
            {"title": "?"}, "Metadata does not name a type", id="no type, no section"
        ),
    ],
)
@pytest.mark.parametrize("event", ["media.scrobble", "media.play", "media.rate"])
def test_what_is_no_play_of_a_title(
    event: str, metadata: dict[str, Any], reason: str
) -> None:
    parsed = parse({"event": event, "Metadata": metadata})

    assert parsed.ignored == reason
    assert not parsed.completed
    assert parsed.rating is None


@pytest.mark.parametrize(
    ("section", "media_type"),
    [
        ("movie", MediaType.MOVIE),
        ("show", MediaType.EPISODE),
        ("artist", MediaType.TRACK),
    ],
)
def test_without_a_type_the_library_section_tells(
    section: str, media_type: MediaType
) -> None:
    event = scrobble({"librarySectionType": section, "title": "?"})

    assert title_of(event).media_type is media_type


@pytest.mark.parametrize(
    ("top", "metadata", "rating"),
    [
        pytest.param("10", {"userRating": 10.0}, 10.0, id="text and number"),
        pytest.param(8.0, {}, 8.0, id="at the top only"),
        pytest.param(None, {"userRating": 7}, 7.0, id="in the metadata only"),
        pytest.param("8.5", {"userRating": 3}, 8.5, id="the top decides"),
        pytest.param("-1", {"userRating": 0.0}, None, id="-1"),
        pytest.param(0, {}, None, id="0"),
        pytest.param(None, {}, None, id="missing"),
        pytest.param("0", {"userRating": 8}, None, id="0 decides too"),
    ],
)
def test_rating(top: object, metadata: dict[str, Any], rating: float | None) -> None:
    payload = PLEX.payload(PlexEvent.RATE, PAPER_ORCHARD, at=NOW)
    payload["rating"] = top
    del payload["Metadata"]["userRating"]
    payload["Metadata"] |= metadata

    event = parse(payload)

    assert event.rating == RatingChange(rating)
    assert event.action is None
    assert not event.completed


def test_a_rating_that_cannot_be() -> None:
    with pytest.raises(PayloadError, match=r"^rating is above 10$"):
        parse(PLEX.payload(PlexEvent.RATE, PAPER_ORCHARD, rating=11, at=NOW))


@pytest.mark.parametrize(
    ("account", "owner", "user", "expected"),
    [
        pytest.param(
            {"id": 1, "title": "alice"}, True, True, Party("1", "alice"), id="owner"
        ),
        pytest.param(
            {"id": 33385234, "title": "bob"},
            True,
            False,
            Party("33385234", "bob"),
            id="somebody else",
        ),
        pytest.param(
            {"id": 1, "title": "alice"}, True, False, None, id="contradiction"
        ),
        pytest.param(
            {"id": 1, "title": "carol"},
            False,
            True,
            Party("1", "carol"),
            id="another's server",
        ),
        pytest.param(
            {"id": 1, "title": "alice"}, None, None, Party("1", "alice"), id="not said"
        ),
        pytest.param(
            {"id": 31415926, "title": "alice"},
            True,
            True,
            Party("1", "alice"),
            id="owner by another id",
        ),
        pytest.param({"title": "alice"}, True, True, Party("1", "alice"), id="name"),
        pytest.param({"title": "bob"}, True, False, Party(None, "bob"), id="not owner"),
        pytest.param({"id": 7}, True, True, Party("1", None), id="id"),
        pytest.param(
            {"id": 0, "title": ""}, True, False, Party("0", "Local"), id="not signed in"
        ),
        pytest.param({}, True, True, None, id="empty"),
        pytest.param(None, True, True, None, id="missing"),
    ],
)
def test_account(
    account: object, owner: bool | None, user: bool | None, expected: Party | None
) -> None:
    event = scrobble({"type": "movie"}, Account=account, owner=owner, user=user)

    assert event.account == expected
    assert event.owned is owner


@pytest.mark.parametrize(
    ("player", "expected"),
    [
        pytest.param({"uuid": "a", "title": "TV"}, Party("a", "TV"), id="both"),
        pytest.param({"title": "TV"}, Party(None, "TV"), id="name"),
        pytest.param({"uuid": "", "title": ""}, None, id="empty"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_player(player: object, expected: Party | None) -> None:
    assert scrobble({"type": "movie"}, Player=player).player == expected


def test_a_server_without_identity_gives_items_none() -> None:
    event = scrobble(
        {"type": "episode", "ratingKey": "1", "grandparentRatingKey": "2"},
        Server={"title": "Attic", "uuid": ""},
    )

    assert event.server == Party(None, "Attic")
    assert title_of(event).items == {}
    assert title_of(event).show_items == {}


def test_legacy_agents_name_the_show() -> None:
    title = title_of(
        scrobble(
            {
                "type": "episode",
                "guid": "com.plexapp.agents.thetvdb://73871/2/15?lang=en",
                "grandparentTitle": "Futurama",
            }
        )
    )

    assert title.ids == {}
    assert title.show_ids == {"tvdb": 73871}
    assert (title.season, title.episode) == (2, 15)


def test_an_item_says_its_numbers_better_than_its_guid() -> None:
    title = title_of(
        scrobble(
            {
                "type": "episode",
                "guid": "com.plexapp.agents.hama://anidb-12345/1/1?lang=en",
                "parentIndex": "0",
                "index": 0,
            }
        )
    )

    assert (title.season, title.episode) == (0, 0)


def test_a_season_may_be_told_by_its_guid() -> None:
    title = title_of(
        scrobble(
            {"type": "season", "guid": "com.plexapp.agents.thetvdb://73871/2?lang=en"}
        )
    )

    assert title.season == 2
    assert title.show_ids == {"tvdb": 73871}


@pytest.mark.parametrize(
    ("metadata", "ids"),
    [
        pytest.param(
            {"guid": "tmdb://550", "Guid": [{"id": "tmdb://551"}]},
            {"tmdb": 550},
            id="its own guid before the list",
        ),
        pytest.param(
            {"Guid": [{"id": "tmdb://1"}, {"id": "imdb://tt1"}, {"id": "tmdb://2"}]},
            {"imdb": "tt1"},
            id="two of a source",
        ),
        pytest.param(
            {"Guid": [{"id": "tmdb://1"}, {"id": "tmdb://1"}]}, {"tmdb": 1}, id="twice"
        ),
        pytest.param({"guid": [{"id": "tmdb://550"}]}, {"tmdb": 550}, id="guid a list"),
        pytest.param(
            {"Guid": [{"id": "imdb://tt1"}], "guid": [{"id": "tmdb://550"}]},
            {"imdb": "tt1", "tmdb": 550},
            id="two lists",
        ),
        pytest.param(
            {"Guid": [{"id": ""}, {}, {"id": "local://1"}]}, {}, id="nothing of use"
        ),
    ],
)
def test_guids(metadata: dict[str, Any], ids: dict[str, Any]) -> None:
    assert title_of(scrobble({"type": "movie", **metadata})).ids == ids


def test_ids_of_its_show_in_the_list_of_an_episode() -> None:
    listed = {"Guid": [{"id": "tvdb://81189"}, {"id": "tvdb://349232"}]}
    legacy = "com.plexapp.agents.thetvdb://81189/1/1?lang=en"

    known = title_of(scrobble({"type": "episode", "guid": legacy, **listed}))
    unknown = title_of(scrobble({"type": "episode", **listed}))

    assert (known.ids, known.show_ids) == ({"tvdb": 349232}, {"tvdb": 81189})
    assert unknown.ids == {}
    only = {"type": "episode", "guid": legacy, "Guid": [{"id": "tvdb://81189"}]}
    assert title_of(scrobble(only)).ids == {}


def test_ids_of_a_custom_provider() -> None:
    provider = "tv.plex.agents.custom.shoko.relay"
    title = title_of(
        scrobble(
            {
                "type": "episode",
                "guid": f"{provider}://episode/e1",
                "grandparentGuid": f"{provider}://show/s1",
                "Guid": [{"id": "anidb://17494"}],
            }
        )
    )

    assert title.ids == {
        "custom_shoko_relay": f"{provider}://episode/e1",
        "anidb": 17494,
    }
    assert title.show_ids == {"custom_shoko_relay": f"{provider}://show/s1"}


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [
        pytest.param(5_940_000, 5940, id="milliseconds"),
        pytest.param(7_829_994, 7830, id="rounded"),
        pytest.param(0, None, id="zero"),
        pytest.param(400, None, id="next to nothing"),
        pytest.param(-1, None, id="negative"),
        pytest.param(1e300, None, id="absurd"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_duration(milliseconds: float | None, seconds: int | None) -> None:
    title = title_of(scrobble({"type": "movie", "duration": milliseconds}))

    assert title.duration == seconds


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param({}, "names no event; is this a Plex webhook", id="nothing"),
        pytest.param(
            {"NotificationType": "PlaybackStop"}, "names no event", id="Jellyfin"
        ),
        pytest.param({"event": ""}, "names no event", id="empty event"),
        pytest.param({"event": ["media.play"]}, "event is not a text", id="list"),
        pytest.param({"event": "media.play"}, "has no Metadata", id="no metadata"),
        pytest.param(
            {"event": "media.play", "metadata": {}}, "has no Metadata", id="lower case"
        ),
        pytest.param(
            {"event": "media.play", "Metadata": []},
            "Metadata is not an object",
            id="metadata a list",
        ),
        pytest.param(
            {"event": "media.play", "Account": "alice"},
            "Account is not an object",
            id="account a text",
        ),
        pytest.param(
            {"event": "admin.database.backup", "owner": "yes"},
            "owner is not true or false",
            id="owner a text",
        ),
        pytest.param(
            {
                "event": "media.scrobble",
                "Metadata": {"type": "episode", "parentIndex": "two"},
            },
            r"Metadata\.parentIndex is not a whole number",
            id="season a word",
        ),
        pytest.param(
            {"event": "media.scrobble", "Metadata": {"type": "movie", "guid": {}}},
            r"Metadata\.guid is not a text",
            id="guid an object",
        ),
    ],
)
def test_refused_with_a_reason(payload: dict[str, Any], reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        parse(payload)


def test_home_users_are_told_apart() -> None:
    event = parse(PLEX.payload(PlexEvent.SCROBBLE, NINTH_MERIDIAN, BOB, at=NOW))

    assert event.account == Party(str(BOB.id), "bob")
