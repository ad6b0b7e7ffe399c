"""Tests of parsing webhooks that nest what they are about."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.media_scrobbler.domain.event import (
    Action,
    LibraryChange,
    MediaEvent,
    Party,
)
from custom_components.media_scrobbler.domain.fields import PayloadError
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.jellyfin.nested import SERVER_EVENTS
from custom_components.media_scrobbler.jellyfin.payload import parse

from ..fixtures.nested import SERVER_ID, USER_ID, item_id, nested
from ..simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    SLOW_FERRY,
    THE_SALT_ROAD,
    TIDEWATER,
    Episode,
)

CELLAR = Party(SERVER_ID, "Cellar")
ALICE = Party(USER_ID, "alice")
TABLET = Party("BC93-11B5", "Bedroom tablet")
SENT_AT = datetime(2026, 11, 20, 20, 15, 2, 123456, UTC)
NEARLY_OVER = timedelta(minutes=110)
DOUBLE = Episode(
    HARBOUR_LIGHTS,
    2,
    3,
    "Low Water",
    ids=LOW_WATER.ids,
    runtime=timedelta(minutes=96),
    aired=LOW_WATER.aired,
    number_end=4,
)


def own(title: Any, *, emby: bool = False) -> dict[str, str]:
    """Return the server's own id of a title."""
    return {SERVER_ID: item_id(title, emby=emby)}


def minimal(event: str, **item: Any) -> MediaEvent:
    """Parse a webhook that says next to nothing."""
    return parse({"Event": event, "Item": {"Type": "Movie", **item}})


def test_movie_from_jellyfin() -> None:
    event = parse(nested("Stop", THE_SALT_ROAD, position=NEARLY_OVER, played=True))

    assert event == MediaEvent(
        name="Stop",
        server=CELLAR,
        account=ALICE,
        player=TABLET,
        titles=(
            Title(
                media_type=MediaType.MOVIE,
                title="The Salt Road",
                year=2019,
                ids={"imdb": "tt9182736", "tmdb": 918273, "tvdb": 219483},
                items=own(THE_SALT_ROAD),
                duration=6720,
            ),
        ),
        action=Action.STOP,
        position=6600.0,
        completed=True,
    )


def test_episode_from_jellyfin_has_the_ids_of_its_show() -> None:
    (title,) = parse(nested("Play", LOW_WATER)).titles

    assert title == Title(
        media_type=MediaType.EPISODE,
        title="Low Water",
        show="Harbour Lights",
        season=2,
        episode=3,
        ids={"imdb": "tt9471209", "tmdb": 4712093, "tvdb": 9712094},
        show_ids={"imdb": "tt9288104", "tmdb": 288104, "tvdb": 438120},
        items=own(LOW_WATER),
        show_items=own(HARBOUR_LIGHTS),
        duration=2880,
    )


def test_episode_from_emby() -> None:
    event = parse(nested("playback.stop", LOW_WATER, sender="emby", completed=True))

    assert event == MediaEvent(
        name="playback.stop",
        server=CELLAR,
        account=ALICE,
        player=TABLET,
        titles=(
            Title(
                media_type=MediaType.EPISODE,
                title="Low Water",
                show="Harbour Lights",
                season=2,
                episode=3,
                ids={"imdb": "tt9471209", "tmdb": 4712093, "tvdb": 9712094},
                items=own(LOW_WATER, emby=True),
                show_items=own(HARBOUR_LIGHTS, emby=True),
                duration=2880,
            ),
        ),
        action=Action.STOP,
        position=0.0,
        completed=True,
        watched_at=SENT_AT,
    )


def test_track() -> None:
    (title,) = parse(nested("Play", SLOW_FERRY)).titles

    assert title == Title(
        media_type=MediaType.TRACK,
        title="Slow Ferry",
        artist="Marlow & Finch",
        album="Tidewater",
        ids={"musicbrainz": SLOW_FERRY.musicbrainz},
        items=own(SLOW_FERRY),
        duration=277,
    )


@pytest.mark.parametrize(
    ("item", "artist"),
    [
        pytest.param({"Artists": ["Finch", "Guest"]}, "Finch", id="the first"),
        pytest.param({"Artists": [""], "AlbumArtist": "Finch"}, None, id="empty"),
        pytest.param({"Artists": [], "AlbumArtist": "Finch"}, "Finch", id="none"),
        pytest.param({"AlbumArtist": "Finch"}, "Finch", id="album's"),
        pytest.param({}, None, id="unknown"),
    ],
)
def test_artist(item: dict[str, Any], artist: str | None) -> None:
    assert minimal("Play", **{"Type": "Audio", **item}).titles[0].artist == artist


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("Play", Action.PLAY),
        ("PlaybackStart", Action.PLAY),
        ("playback.start", Action.PLAY),
        ("Pause", Action.PAUSE),
        ("playback.pause", Action.PAUSE),
        ("Resume", Action.RESUME),
        ("playback.unpause", Action.RESUME),
        ("Progress", Action.PROGRESS),
        ("PlaybackProgress", Action.PROGRESS),
        ("Stop", Action.STOP),
        ("PlaybackStop", Action.STOP),
        ("playback.stop", Action.STOP),
    ],
)
def test_playback(name: str, action: Action) -> None:
    event = parse(nested(name, THE_SALT_ROAD, position=timedelta(seconds=61.5)))

    assert event.action is action
    assert event.position == 61.5
    assert not event.completed


def test_progress_while_paused() -> None:
    payload = nested("Progress", THE_SALT_ROAD)
    payload["Session"]["PlayState"]["IsPaused"] = True

    assert parse(payload).action is Action.PAUSE


def test_progress_of_a_sender_without_a_state() -> None:
    assert minimal("Progress").action is Action.PROGRESS


@pytest.mark.parametrize(
    "name", ["MarkPlayed", "item.markplayed", "Scrobble", "playback.scrobble"]
)
def test_completions(name: str) -> None:
    event = parse(nested(name, THE_SALT_ROAD))

    assert event.completed
    assert event.action is None


@pytest.mark.parametrize("name", ["MarkPlayed", "item.markplayed"])
def test_marked_with_a_date(name: str) -> None:
    payload = nested(name, THE_SALT_ROAD)
    payload["Item"]["UserData"] = {
        "PlayCount": 1,
        "Played": True,
        "LastPlayedDate": "2023-03-04T21:10:00.0000000Z",
    }

    event = parse(payload)

    assert event.completed
    assert event.saved is not None
    assert event.saved.may_be_local
    assert event.saved.last_played == datetime(2023, 3, 4, 21, 10, tzinfo=UTC)


def test_marked_by_the_server() -> None:
    """Nobody has: the count of somebody's mark is 1 at least."""
    payload = nested("MarkPlayed", THE_SALT_ROAD)
    payload["Item"]["UserData"] = {"PlayCount": 0, "Played": True}

    event = parse(payload)

    assert event.marked_by_server
    assert not event.completed


def test_marked_at_emby() -> None:
    """It counts what was played: what somebody has marked has a count of 0."""
    payload = nested("item.markplayed", THE_SALT_ROAD)
    payload["Item"]["UserData"] = {"PlayCount": 0, "Played": True}

    event = parse(payload)

    assert event.completed
    assert not event.marked_by_server


def test_date_of_what_is_not_a_mark() -> None:
    """Where anything plays, the date is when it was begun."""
    payload = nested("Stop", THE_SALT_ROAD, position=NEARLY_OVER, played=True)
    payload["Item"]["UserData"]["LastPlayedDate"] = "2026-11-20T18:15:00.0000000Z"

    event = parse(payload)

    assert event.completed
    assert event.saved is None


@pytest.mark.parametrize("name", ["MarkUnplayed", "item.markunplayed"])
def test_unmarked(name: str) -> None:
    event = parse(nested(name, THE_SALT_ROAD))

    assert event.ignored == "marked as unwatched; history keeps plays"
    assert not event.completed


@pytest.mark.parametrize(
    ("position", "played", "completed"),
    [
        pytest.param(NEARLY_OVER, True, True, id="played, nearly over"),
        pytest.param(NEARLY_OVER, False, False, id="not played, nearly over"),
        pytest.param(timedelta(minutes=9), True, False, id="played before, begun anew"),
        pytest.param(timedelta(), True, True, id="played, rewound"),
        pytest.param(None, True, True, id="played, position unknown"),
        pytest.param(None, False, False, id="not played"),
    ],
)
def test_stop_from_jellyfin(
    position: timedelta | None, played: bool, completed: bool
) -> None:
    event = parse(nested("Stop", THE_SALT_ROAD, position=position, played=played))

    assert event.completed is completed


@pytest.mark.parametrize(
    ("position", "claimed", "completed"),
    [
        pytest.param(NEARLY_OVER, True, True, id="over"),
        pytest.param(timedelta(), True, True, id="over, rewound"),
        pytest.param(NEARLY_OVER, False, False, id="not over, says Emby"),
        pytest.param(NEARLY_OVER, None, True, id="not said, nearly over"),
        pytest.param(timedelta(minutes=9), None, False, id="not said, begun"),
        pytest.param(timedelta(), None, False, id="not said, position 0"),
    ],
)
def test_stop_from_emby(
    position: timedelta, claimed: bool | None, completed: bool
) -> None:
    event = parse(
        nested(
            "playback.stop",
            THE_SALT_ROAD,
            sender="emby",
            position=position,
            completed=claimed,
        )
    )

    assert event.completed is completed


def test_stop_of_an_item_whose_run_time_emby_does_not_know() -> None:
    payload = nested("playback.stop", LOW_WATER, sender="emby", completed=True)
    del payload["Item"]["RunTimeTicks"]

    assert not parse(payload).completed


@pytest.mark.parametrize(
    ("item", "completed"),
    [
        pytest.param({"UserData": {"Played": True}}, True, id="played"),
        pytest.param({"UserData": {"Played": "False"}}, False, id="not played"),
        pytest.param({"UserData": {}}, False, id="not said"),
        pytest.param({}, False, id="nothing said"),
    ],
)
def test_stop_by_a_template(item: dict[str, Any], completed: bool) -> None:
    assert minimal("Stop", **item).completed is completed


def test_position_of_the_playback_before_that_of_the_session() -> None:
    payload = nested("Pause", THE_SALT_ROAD, position=timedelta(seconds=5))
    payload["PlaybackInfo"] = {"PositionTicks": 70_000_000}

    assert parse(payload).position == 7.0


def test_a_file_of_several_episodes() -> None:
    event = parse(nested("MarkPlayed", DOUBLE))

    assert [title.episode for title in event.titles] == [3, 4]
    assert [title.duration for title in event.titles] == [2880, 2880]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ItemAdded", LibraryChange.ADDED),
        ("library.new", LibraryChange.ADDED),
        ("item.added", LibraryChange.ADDED),
        ("ItemDeleted", LibraryChange.REMOVED),
        ("library.deleted", LibraryChange.REMOVED),
    ],
)
def test_library(name: str, change: LibraryChange) -> None:
    event = parse(nested(name, TIDEWATER))

    assert event.library is change
    assert event.titles == (
        Title(
            media_type=MediaType.ALBUM,
            title="Tidewater",
            artist="Marlow & Finch",
            year=2017,
            ids={"musicbrainz": TIDEWATER.musicbrainz},
            items=own(TIDEWATER),
        ),
    )


def test_season() -> None:
    event = minimal(
        "ItemAdded",
        Type="Season",
        Name="Specials",
        IndexNumber=0,
        SeriesName="Harbour Lights",
        SeriesId="a0",
        ServerId=SERVER_ID,
    )

    assert event.server == Party(SERVER_ID)
    assert event.titles == (
        Title(
            media_type=MediaType.SEASON,
            title="Specials",
            show="Harbour Lights",
            season=0,
            show_items={SERVER_ID: "a0"},
        ),
    )


def test_show_and_artist() -> None:
    show = parse(nested("library.new", HARBOUR_LIGHTS, sender="emby")).titles[0]
    artist = minimal("library.new", Type="MusicArtist", Name="Finch").titles[0]

    assert (show.media_type, show.year) == (MediaType.SHOW, 2021)
    assert artist == Title(media_type=MediaType.ARTIST, title="Finch")


@pytest.mark.parametrize(("name", "server_event"), SERVER_EVENTS.items())
def test_server_events(name: str, server_event: str) -> None:
    event = parse(nested(name))

    assert event.server_event == server_event
    assert event.server == CELLAR
    assert event.titles == ()


@pytest.mark.parametrize(
    ("user", "session", "expected"),
    [
        pytest.param({"Id": "AB-1", "Name": "a"}, {}, Party("ab1", "a"), id="user"),
        pytest.param({"Name": "a"}, {}, Party(None, "a"), id="user's name"),
        pytest.param(
            None, {"UserId": "ab1", "UserName": "a"}, Party("ab1", "a"), id="session's"
        ),
        pytest.param({"Id": "0" * 32}, {}, None, id="nobody"),
        pytest.param({"Id": "0" * 32, "Name": "a"}, {}, Party(None, "a"), id="zeros"),
        pytest.param(None, {}, None, id="session only"),
        pytest.param(None, None, None, id="neither"),
    ],
)
def test_account(user: Any, session: Any, expected: Party | None) -> None:
    payload = {
        "Event": "Play",
        "Item": {"Type": "Movie"},
        "User": user,
        "Session": session,
    }

    assert parse(payload).account == expected


def test_without_a_session_there_is_no_player() -> None:
    payload = nested("MarkPlayed", THE_SALT_ROAD)
    del payload["Session"]

    event = parse(payload)

    assert event.player is None
    assert event.account == ALICE
    assert event.position is None


def test_player_without_a_name_or_id() -> None:
    payload = nested("Play", THE_SALT_ROAD)
    payload["Session"] |= {"DeviceId": "", "DeviceName": None}

    assert parse(payload).player is None


@pytest.mark.parametrize("key", ["Event", "NotificationType"])
def test_either_key_names_the_event(key: str) -> None:
    payload = nested("PlaybackStart", THE_SALT_ROAD)
    payload[key] = payload.pop("Event")

    assert parse(payload).action is Action.PLAY


@pytest.mark.parametrize("name", ["system.notificationtest", "system.webhooktest"])
def test_a_test_is_none_of_what_plays(name: str) -> None:
    event = parse({"Event": name, "Title": "Test", "Server": {"Id": "a" * 32}})

    assert event.server_event == "notification_test"
    assert event.titles == ()


def test_server_is_known_by_nothing() -> None:
    for name in ("system.notificationtest", "system.webhooktest"):
        event = parse({"Event": name})
        assert event.server == Party()
        assert event.server_event == "notification_test"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(
            {"Event": "item.rate", "Item": {"Type": "Movie"}},
            "events of this name are not used",
            id="event",
        ),
        pytest.param(
            {"Event": "Play", "Item": {"Type": "Trailer"}},
            "items of type Trailer are not recorded",
            id="trailer",
        ),
        pytest.param(
            {"Event": "playback.start", "Item": {"Type": "TvChannel"}},
            "items of type TvChannel are not recorded",
            id="live TV",
        ),
    ],
)
def test_ignored(payload: dict[str, Any], reason: str) -> None:
    event = parse(payload)

    assert event.ignored == reason
    assert event.titles == ()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(
            {}, "neither NotificationType nor Event; is this a Jellyfin", id="nothing"
        ),
        pytest.param({"event": "media.play"}, "neither", id="Plex"),
        pytest.param({"Event": ""}, "neither", id="empty event"),
        pytest.param({"Event": "Play"}, "has no Item", id="no item"),
        pytest.param({"Event": "Play", "Item": None}, "has no Item", id="null item"),
        pytest.param(
            {"Event": "Play", "Item": {}}, r"Item\.Type is missing", id="empty item"
        ),
        pytest.param(
            {"Event": "Play", "Item": []}, "Item is not an object", id="item a list"
        ),
        pytest.param(
            {"Event": "Play", "Item": {"Type": "Movie"}, "Server": "Cellar"},
            "Server is not an object",
            id="server a text",
        ),
        pytest.param(
            {"Event": "Play", "Item": {"Type": "Audio", "Artists": [{}]}},
            r"Item\.Artists is not a text",
            id="artist an object",
        ),
        pytest.param(
            {"Event": "Play", "Item": {"Type": "Movie", "ProviderIds": {"Imdb": {}}}},
            r"Item\.ProviderIds\.Imdb is not a text",
            id="id an object",
        ),
        pytest.param(
            {"Event": "Stop", "Item": {"Type": "Movie", "UserData": {"Played": 7}}},
            r"Item\.UserData\.Played is not true or false",
            id="played a number",
        ),
    ],
)
def test_refused_with_a_reason(payload: dict[str, Any], reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        parse(payload)
