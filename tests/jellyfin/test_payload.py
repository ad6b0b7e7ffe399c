"""Tests of parsing the webhooks of Jellyfin's official plugin."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.media_scrobbler.domain.body import decode
from custom_components.media_scrobbler.domain.event import (
    Action,
    LibraryChange,
    MediaEvent,
    Party,
    SavedData,
)
from custom_components.media_scrobbler.domain.fields import PayloadError
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.jellyfin.payload import SERVER_EVENTS, parse

from ..simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    NINTH_MERIDIAN_TRAILER,
    SLOW_FERRY,
    THE_SALT_ROAD,
    TIDEWATER,
    Episode,
    Movie,
    Season,
)
from ..simulators.jellyfin import (
    BEDROOM_TABLET,
    JellyfinEvent,
    JellyfinServer,
    JellyfinUser,
    SaveReason,
)

NOW = datetime(2026, 11, 20, 20, 15, 2, 123456, UTC)
ALICE = JellyfinUser.named("alice")
JELLYFIN = JellyfinServer(name='The "Cellar"', id="b6e3d8f1c0a24957a1f4e2d3c5b69780")
CELLAR = Party(JELLYFIN.id, 'The "Cellar"')
TABLET = Party(BEDROOM_TABLET.id, BEDROOM_TABLET.name)


def sent(event: str, title: Any = None, **details: Any) -> dict[str, Any]:
    """Return a webhook on behalf of Alice."""
    return JELLYFIN.payload(event, title, ALICE, at=NOW, **details)


def item(title: Any) -> dict[str, str]:
    """Return the server's own id of a title."""
    return {JELLYFIN.id: JELLYFIN.item_id(title.key)}


def stop(**properties: Any) -> MediaEvent:
    """Parse a stop that is described by hand, as a template might."""
    return parse(
        {"NotificationType": "PlaybackStop", "ItemType": "Movie", **properties}
    )


MOVIE = Title(
    media_type=MediaType.MOVIE,
    title="The Salt Road",
    year=2019,
    ids={"imdb": "tt9182736", "tmdb": 918273, "tvdb": 219483},
    items=item(THE_SALT_ROAD),
    duration=6720,
)
EPISODE = Title(
    media_type=MediaType.EPISODE,
    title="Low Water",
    show="Harbour Lights",
    season=2,
    episode=3,
    ids={"imdb": "tt9471209", "tmdb": 4712093, "tvdb": 9712094},
    items=item(LOW_WATER),
    show_items=item(HARBOUR_LIGHTS),
    duration=2880,
)
TRACK = Title(
    media_type=MediaType.TRACK,
    title="Slow Ferry",
    artist="Marlow & Finch",
    album="Tidewater",
    ids={"musicbrainz": SLOW_FERRY.musicbrainz},
    items=item(SLOW_FERRY),
    duration=277,
)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param(THE_SALT_ROAD, MOVIE, id="movie"),
        pytest.param(LOW_WATER, EPISODE, id="episode"),
        pytest.param(SLOW_FERRY, TRACK, id="track"),
    ],
)
def test_completed(title: Any, expected: Title) -> None:
    event = parse(
        sent(JellyfinEvent.PLAYBACK_STOP, title, position=timedelta(seconds=270))
    )

    assert event == MediaEvent(
        name="PlaybackStop",
        server=CELLAR,
        account=Party(ALICE.id, "alice"),
        player=TABLET,
        titles=(expected,),
        action=Action.STOP,
        position=270.0,
        checked_in_at=NOW,
        active_at=NOW,
        version=expected.items[JELLYFIN.id],
        completed=True,
        watched_at=NOW,
    )


@pytest.mark.parametrize("form", ["plain", "json", "urlencoded"])
def test_every_form_of_body_says_the_same(form: Any) -> None:
    body, content_type = JELLYFIN.body(
        JellyfinEvent.PLAYBACK_STOP, LOW_WATER, ALICE, at=NOW, form=form
    )

    assert parse(decode(body, content_type).payload) == parse(
        sent(JellyfinEvent.PLAYBACK_STOP, LOW_WATER)
    )


def test_stopped_before_the_end() -> None:
    event = parse(sent(JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, completed=False))

    assert event.action is Action.STOP
    assert event.position == 2352.0
    assert not event.completed


def test_skipped_track_that_the_server_takes_as_completed() -> None:
    event = parse(
        sent(JellyfinEvent.PLAYBACK_STOP, SLOW_FERRY, position=timedelta(seconds=20))
    )

    assert event.action is Action.STOP
    assert not event.completed


@pytest.mark.parametrize(
    ("properties", "completed"),
    [
        pytest.param({"PlayedToCompletion": "True"}, True, id="a template without it"),
        pytest.param({"PlayedToCompletion": "False"}, False, id="a template, not over"),
        pytest.param({"PlayedToCompletion": ""}, False, id="a template, not said"),
        pytest.param({}, False, id="not said"),
        pytest.param(
            {"PlayedToCompletion": True, "RunTimeTicks": 0},
            False,
            id="unknown to the server",
        ),
        pytest.param(
            {"PlayedToCompletion": True, "RunTimeTicks": ""}, False, id="empty"
        ),
        pytest.param(
            {"PlayedToCompletion": True, "RunTimeTicks": 67_200_000_000},
            True,
            id="known",
        ),
        pytest.param(
            {"Played": True, "RunTimeTicks": 67_200_000_000},
            False,
            id="Played is something else",
        ),
    ],
)
def test_completion_and_the_run_time(
    properties: dict[str, Any], completed: bool
) -> None:
    assert stop(**properties).completed is completed


@pytest.mark.parametrize(
    ("event", "paused", "action"),
    [
        (JellyfinEvent.PLAYBACK_START, False, Action.PLAY),
        (JellyfinEvent.PLAYBACK_PROGRESS, False, Action.PROGRESS),
        (JellyfinEvent.PLAYBACK_PROGRESS, True, Action.PAUSE),
        # Only a progress says whether it is paused.
        (JellyfinEvent.PLAYBACK_START, True, Action.PLAY),
    ],
)
def test_playback(event: JellyfinEvent, paused: bool, action: Action) -> None:
    parsed = parse(
        sent(event, LOW_WATER, paused=paused, position=timedelta(seconds=61.5))
    )

    assert parsed.action is action
    assert parsed.position == 61.5
    assert parsed.titles == (EPISODE,)
    assert not parsed.completed


def test_marked_by_hand() -> None:
    event = parse(
        sent(
            JellyfinEvent.USER_DATA_SAVED, THE_SALT_ROAD, position=timedelta(minutes=9)
        )
    )

    assert event.completed
    assert event.position is None
    assert event.titles == (MOVIE,)
    assert event.watched_at == NOW
    assert event.saved is not None
    assert event.saved.last_played == NOW
    assert event.action is None
    assert event.player is None
    assert event.account == Party(ALICE.id, "alice")


def test_marked_with_a_date() -> None:
    payload = sent(JellyfinEvent.USER_DATA_SAVED, THE_SALT_ROAD)
    payload["LastPlayedDate"] = "2023-03-04T21:10:00.0000000Z"

    event = parse(payload)

    assert event.completed
    assert event.saved is not None
    assert event.saved.may_be_local
    assert event.saved.last_played == datetime(2023, 3, 4, 21, 10, tzinfo=UTC)
    assert event.watched_at == NOW


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"PlayCount": 0, "LastPlayedDate": None}, id="never played"),
        pytest.param({"PlayCount": 0}, id="no count"),
        pytest.param({"PlayCount": 2, "LastPlayedDate": None}, id="no date"),
        pytest.param({"PlayCount": 2, "LastPlayedDate": ""}, id="empty date"),
    ],
)
@pytest.mark.parametrize("title", [THE_SALT_ROAD, LOW_WATER])
def test_marked_by_the_server(changes: dict[str, Any], title: Movie | Episode) -> None:
    """Nobody has: somebody's mark has a count and a date."""
    payload = sent(JellyfinEvent.USER_DATA_SAVED, title) | changes
    if payload["LastPlayedDate"] is None:
        del payload["LastPlayedDate"]

    event = parse(payload)

    assert event.marked_by_server
    assert not event.completed


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"PlayCount": "1"}, id="count"),
        pytest.param({"LastPlayedDate": "2026-11-20T20:15:02Z"}, id="date"),
    ],
)
def test_marked_as_a_template_tells(told: dict[str, str]) -> None:
    """It leaves out what it likes: what it does not tell is not missing."""
    event = parse(
        {
            "NotificationType": "UserDataSaved",
            "SaveReason": "TogglePlayed",
            "Played": "True",
            "ItemType": "Movie",
            **told,
        }
    )

    assert event.completed


def test_unmarked_by_hand() -> None:
    event = parse(sent(JellyfinEvent.USER_DATA_SAVED, THE_SALT_ROAD, played=False))

    assert event.ignored == "marked as unwatched; history keeps plays"
    assert not event.completed


@pytest.mark.parametrize(
    "reason",
    [
        *(reason for reason in SaveReason if reason is not SaveReason.TOGGLE_PLAYED),
        "",
    ],
)
def test_other_user_data(reason: str) -> None:
    event = parse(
        sent(JellyfinEvent.USER_DATA_SAVED, SLOW_FERRY, save_reason=reason, played=True)
    )

    assert event.ignored == "only items marked by hand count among saved user data"
    assert not event.completed


@pytest.mark.parametrize(
    "event", [JellyfinEvent.PLAYBACK_STOP, JellyfinEvent.USER_DATA_SAVED]
)
def test_a_file_of_several_episodes(event: JellyfinEvent) -> None:
    double = Episode(
        HARBOUR_LIGHTS,
        2,
        3,
        "Low Water",
        ids=LOW_WATER.ids,
        runtime=timedelta(minutes=96),
        aired=LOW_WATER.aired,
        number_end=4,
    )

    parsed = parse(sent(event, double))

    assert parsed.completed
    assert [title.episode for title in parsed.titles] == [3, 4]
    assert [title.duration for title in parsed.titles] == [2880, 2880]
    assert parsed.titles[1].ids == {}


@pytest.mark.parametrize(
    ("event", "change"),
    [
        (JellyfinEvent.ITEM_ADDED, LibraryChange.ADDED),
        (JellyfinEvent.ITEM_DELETED, LibraryChange.REMOVED),
    ],
)
@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param(THE_SALT_ROAD, MOVIE, id="movie"),
        pytest.param(
            HARBOUR_LIGHTS,
            Title(
                media_type=MediaType.SHOW,
                title="Harbour Lights",
                year=2021,
                ids={"imdb": "tt9288104", "tmdb": 288104, "tvdb": 438120},
                items=item(HARBOUR_LIGHTS),
            ),
            id="show",
        ),
        pytest.param(
            Season(HARBOUR_LIGHTS, 0),
            Title(
                media_type=MediaType.SEASON,
                title="Specials",
                show="Harbour Lights",
                season=0,
                items=item(Season(HARBOUR_LIGHTS, 0)),
                show_items=item(HARBOUR_LIGHTS),
            ),
            id="season",
        ),
        pytest.param(
            TIDEWATER,
            Title(
                media_type=MediaType.ALBUM,
                title="Tidewater",
                artist="Marlow & Finch",
                year=2017,
                ids={
                    "musicbrainz": TIDEWATER.musicbrainz,
                    "musicbrainz_release_group": TIDEWATER.musicbrainz_group,
                },
                items=item(TIDEWATER),
            ),
            id="album",
        ),
    ],
)
def test_library(
    event: JellyfinEvent, change: LibraryChange, title: Any, expected: Title
) -> None:
    assert parse(sent(event, title)) == MediaEvent(
        name=str(event), server=CELLAR, titles=(expected,), library=change
    )


def test_an_album_artist() -> None:
    event = parse(
        {"NotificationType": "ItemAdded", "ItemType": "MusicArtist", "Name": "Finch"}
    )

    assert event.titles == (Title(media_type=MediaType.ARTIST, title="Finch"),)


@pytest.mark.parametrize(("name", "server_event"), SERVER_EVENTS.items())
def test_server_events(name: str, server_event: str) -> None:
    event = parse(sent(name))

    assert event.server_event == server_event
    assert event.server == CELLAR
    assert event.titles == ()
    assert event.ignored is None


def test_session_of_an_api_key_is_nobody() -> None:
    event = parse(JELLYFIN.payload(JellyfinEvent.SESSION_START, at=NOW))

    assert event.account is None
    assert event.player == TABLET


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(
            sent(JellyfinEvent.PLAYBACK_STOP, NINTH_MERIDIAN_TRAILER),
            "items of type Video are not recorded",
            id="video",
        ),
        pytest.param(
            sent("PlaybackUnheardOf", LOW_WATER),
            "events of this name are not used",
            id="unknown event",
        ),
        pytest.param(
            {"NotificationType": "Generic"},
            "events of this name are not used",
            id="generic",
        ),
    ],
)
def test_ignored(payload: dict[str, Any], reason: str) -> None:
    event = parse(payload)

    assert event.ignored == reason
    assert event.titles == ()
    assert not event.completed


def test_as_a_template_writes_it() -> None:
    event = parse(
        {
            "NotificationType": "UserDataSaved",
            "ServerId": "B6E3D8F1-C0A2-4957-A1F4-E2D3C5B69780",
            "ItemType": "Episode",
            "ItemId": "2c0d61a7-93f1-a789-57bc-cedd56eea531",
            "Name": "Ebb &amp; Flow",
            "SeriesName": "",
            "SeriesId": "00000000-0000-0000-0000-000000000000",
            "SeasonNumber": "0",
            "EpisodeNumber": "1",
            "EpisodeNumberEnd": "",
            "Provider_tvdb": "",
            "provider_imdb": "tt9471209",
            "PlayedToCompletion": "",
            "Played": "True",
            "SaveReason": "TogglePlayed",
            "UserId": "0d5c7e9f-a1b3-4826-c4d8-e0f2a6b79135",
            "NotificationUsername": "alice \\&quot;the watcher\\&quot;",
        }
    )

    assert event == MediaEvent(
        name="UserDataSaved",
        server=Party(JELLYFIN.id),
        account=Party("0d5c7e9fa1b34826c4d8e0f2a6b79135", 'alice "the watcher"'),
        titles=(
            Title(
                media_type=MediaType.EPISODE,
                title="Ebb & Flow",
                season=0,
                episode=1,
                ids={"imdb": "tt9471209"},
                items={JELLYFIN.id: "2c0d61a793f1a78957bccedd56eea531"},
            ),
        ),
        completed=True,
        marked=True,
        saved=SavedData(item="2c0d61a793f1a78957bccedd56eea531", played=True),
    )


def test_without_a_server_its_items_are_unknown() -> None:
    (title,) = stop(ItemId="a1", ItemType="Episode", SeriesId="a0").titles

    assert title.items == {}
    assert title.show_items == {}


def test_local_time_is_not_believed() -> None:
    event = stop(Timestamp="2026-11-20T09:15:02Z")

    assert event.watched_at is None


@pytest.mark.parametrize(
    ("properties", "player"),
    [
        pytest.param(
            {"DeviceId": "a", "DeviceName": "TV"}, Party("a", "TV"), id="both"
        ),
        pytest.param({"DeviceName": "TV"}, Party(None, "TV"), id="name"),
        pytest.param({"DeviceId": "", "DeviceName": ""}, None, id="empty"),
        pytest.param({}, None, id="missing"),
    ],
)
def test_player(properties: dict[str, Any], player: Party | None) -> None:
    assert stop(**properties).player == player


@pytest.mark.parametrize(
    ("ticks", "position"),
    [
        pytest.param(615_000_000, 61.5, id="ticks"),
        pytest.param("615000000", 61.5, id="text"),
        pytest.param(0, 0.0, id="zero"),
        pytest.param(-1, None, id="negative"),
        pytest.param(2**63 - 1, None, id="the largest there is"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_position_and_duration(ticks: object, position: float | None) -> None:
    event = stop(PlaybackPositionTicks=ticks, RunTimeTicks=ticks)

    assert event.position == position
    assert event.titles[0].duration == (62 if position else None)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(
            {"NotificationType": ""}, "NotificationType is empty", id="empty type"
        ),
        pytest.param(
            {"NotificationType": []}, "NotificationType is not a text", id="list"
        ),
        pytest.param(
            {"NotificationType": "PlaybackStop", "ItemId": "a1"},
            'names no ItemType; is "Send all properties" ticked',
            id="no item type",
        ),
        pytest.param(
            {"NotificationType": "UserDataSaved", "SaveReason": "TogglePlayed"},
            "does not say Played",
            id="no Played",
        ),
        pytest.param(
            {
                "NotificationType": "PlaybackStop",
                "ItemType": "Episode",
                "SeasonNumber": [],
            },
            "SeasonNumber is not a whole number",
            id="season a list",
        ),
        pytest.param(
            {
                "NotificationType": "PlaybackStop",
                "ItemType": "Movie",
                "RunTimeTicks": True,
            },
            "RunTimeTicks is not a number",
            id="run time a boolean",
        ),
        pytest.param(
            {
                "NotificationType": "PlaybackStop",
                "ItemType": "Movie",
                "PlayedToCompletion": "maybe",
            },
            "PlayedToCompletion is not true or false",
            id="completion a word",
        ),
    ],
)
def test_refused_with_a_reason(payload: dict[str, Any], reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        parse(payload)
