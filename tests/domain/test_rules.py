"""Tests of what counts as a play, and what is the same viewing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.media_scrobbler.domain.play import (
    LAST_START,
    MAX_SOURCES,
    Play,
    Source,
    SourceKind,
)
from custom_components.media_scrobbler.domain.rules import (
    LATEST_CLOCK_AHEAD,
    UNKNOWN_DURATION_WINDOW,
    UNKNOWN_TRACK_DURATION,
    UNKNOWN_TRACK_WINDOW,
    believed_time,
    clock_ahead,
    is_identified,
    merge,
    refusal,
    retry_after,
    viewing_gap,
    viewing_span,
    viewing_window,
)
from custom_components.media_scrobbler.domain.title import PLAYABLE, MediaType, Title

NOW = datetime(2026, 11, 20, 20, 15, tzinfo=UTC)
MOVIE = Title(media_type=MediaType.MOVIE, title="The Salt Road", year=2019)
PLEX = Source(kind=SourceKind.WEBHOOK, at=NOW, server_type="plex")
JELLYFIN = Source(kind=SourceKind.WEBHOOK, at=NOW, server_type="jellyfin")
PLAY = Play(id="1", title=MOVIE, watched_at=NOW, sources=(PLEX,))


@pytest.mark.parametrize(
    ("first", "second", "window"),
    [
        pytest.param(6720, None, timedelta(seconds=3360), id="first knows"),
        pytest.param(None, 6720, timedelta(seconds=3360), id="second knows"),
        pytest.param(6720, 6600, timedelta(seconds=3360), id="both know"),
        pytest.param(0, 277, timedelta(seconds=138.5), id="zero is unknown"),
        pytest.param(None, None, UNKNOWN_DURATION_WINDOW, id="unknown"),
    ],
)
def test_viewing_window(
    first: int | None, second: int | None, window: timedelta
) -> None:
    assert viewing_window(first, second) == window


def test_a_song_of_unknown_length_is_no_film() -> None:
    track = MediaType.TRACK

    assert viewing_window(None, None, track) == UNKNOWN_TRACK_WINDOW
    assert viewing_window(None, 240, track) == timedelta(minutes=2)
    assert viewing_span(PLEX, None, None, track) == (
        UNKNOWN_TRACK_DURATION + UNKNOWN_TRACK_WINDOW,
        UNKNOWN_TRACK_WINDOW,
    )


@pytest.mark.parametrize(
    ("apart", "expected"),
    [
        pytest.param(timedelta(minutes=-3), NOW - timedelta(minutes=3), id="earlier"),
        pytest.param(timedelta(minutes=3), NOW, id="later"),
    ],
)
def test_merge_keeps_the_earliest_time(apart: timedelta, expected: datetime) -> None:
    assert merge(PLAY, MOVIE, NOW + apart, JELLYFIN).watched_at == expected


def test_merge_adds_the_source_and_what_is_news() -> None:
    news = replace(MOVIE, title="Le Chemin du sel", ids={"tmdb": 1}, duration=6720)

    merged = merge(PLAY, news, NOW, JELLYFIN)

    assert merged.id == PLAY.id
    assert merged.sources == (PLEX, JELLYFIN)
    assert merged.title == replace(MOVIE, ids={"tmdb": 1}, duration=6720)


def test_merge_of_the_same_report_changes_nothing() -> None:
    assert merge(PLAY, MOVIE, NOW, PLEX) == PLAY


def test_merge_keeps_a_bounded_number_of_sources() -> None:
    play = PLAY
    for minute in range(MAX_SOURCES + 5):
        at = NOW + timedelta(minutes=minute)
        play = merge(play, MOVIE, NOW, replace(JELLYFIN, at=at))

    assert len(play.sources) == MAX_SOURCES
    assert play.sources[0] == PLEX


@pytest.mark.parametrize("media_type", PLAYABLE)
def test_what_is_recorded(media_type: MediaType) -> None:
    assert refusal(Title(media_type=media_type), PLAYABLE) is None


@pytest.mark.parametrize(
    ("media_type", "reason"),
    [
        (MediaType.MOVIE, "the viewer does not record movies"),
        (MediaType.EPISODE, "the viewer does not record episodes"),
        (MediaType.TRACK, "the viewer does not record tracks"),
        (MediaType.SHOW, "shows are not something to play"),
        (MediaType.SEASON, "seasons are not something to play"),
        (MediaType.ALBUM, "albums are not something to play"),
        (MediaType.ARTIST, "artists are not something to play"),
    ],
)
def test_what_is_not_recorded(media_type: MediaType, reason: str) -> None:
    wanted = [other for other in PLAYABLE if other is not media_type]

    assert refusal(Title(media_type=media_type), wanted) == reason


@pytest.mark.parametrize(
    ("title", "identified"),
    [
        pytest.param(MOVIE, True, id="by name"),
        pytest.param(replace(MOVIE, title=None, ids={"tmdb": 1}), True, id="by id"),
        pytest.param(replace(MOVIE, title=None), False, id="by nothing"),
    ],
)
def test_is_identified(title: Title, identified: bool) -> None:
    assert is_identified(title) is identified


@pytest.mark.parametrize(
    ("claimed", "believed"),
    [
        pytest.param(None, NOW, id="none"),
        pytest.param(NOW, NOW, id="now"),
        pytest.param(
            NOW - timedelta(days=3), NOW - timedelta(days=3), id="days before"
        ),
        pytest.param(NOW + LATEST_CLOCK_AHEAD, NOW, id="a clock a little ahead"),
        pytest.param(NOW + timedelta(days=1), NOW, id="tomorrow"),
        pytest.param(datetime(1, 1, 1, tzinfo=UTC), NOW, id="year 1"),
        pytest.param(
            datetime(2000, 1, 1, tzinfo=UTC),
            datetime(2000, 1, 1, tzinfo=UTC),
            id="2000",
        ),
        pytest.param(datetime(1999, 12, 31, tzinfo=UTC), NOW, id="before 2000"),
    ],
)
def test_believed_time(claimed: datetime | None, believed: datetime) -> None:
    assert believed_time(claimed, NOW) == believed


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        pytest.param("Fri, 20 Nov 2026 23:15:00 GMT", timedelta(hours=3), id="ahead"),
        pytest.param(
            "Fri, 20 Nov 2026 20:05:00 GMT", -timedelta(minutes=10), id="behind"
        ),
        pytest.param("Fri, 20 Nov 2026 20:19:00 GMT", timedelta(), id="a little"),
        pytest.param("Fri, 20 Nov 2026 21:15:00 +0100", timedelta(), id="another zone"),
        pytest.param(
            "Fri, 20 Nov 2026 21:15:00 -0000", timedelta(hours=1), id="no zone"
        ),
        pytest.param("now", timedelta(), id="nonsense"),
        pytest.param("Fri, 32 Nov 2026 20:15:00 GMT", timedelta(), id="no such day"),
        pytest.param("", timedelta(), id="empty"),
        pytest.param(None, timedelta(), id="none"),
    ],
)
def test_clock_ahead(date: str | None, ahead: timedelta) -> None:
    assert clock_ahead(date, NOW) == ahead


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (" 120 ", 120),
        ("0", 0),
        pytest.param("9" * 400, float("inf"), id="for ever"),
        ("Fri, 20 Nov 2026 20:16:30 GMT", 90),
        ("Fri, 20 Nov 2026 20:16:30", 90),
        ("Fri, 20 Nov 2026 20:14:00 GMT", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("²", None),
        ("Fri, 99 Nov 2026 20:16:30 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """A server names seconds or a date, or nothing that can be understood."""
    assert retry_after(header, NOW) == seconds


# What a server keeps of a viewing

HOUR = timedelta(hours=1)
FILM = replace(MOVIE, duration=2 * 60 * 60)
STOP = Source(
    kind=SourceKind.WEBHOOK,
    at=NOW,
    event="PlaybackStop",
    server_id="s",
    account="alice",
    begun_at=NOW - 3 * HOUR,
)
MARK = Source(
    kind=SourceKind.WEBHOOK,
    at=NOW,
    event="UserDataSaved",
    server_id="s",
    account="alice",
    dated=NOW - 5 * HOUR,
    may_be_local=True,
)
HISTORY = Source(
    kind=SourceKind.SERVER_HISTORY,
    at=NOW,
    event=LAST_START,
    server_id="s",
    account="alice",
)


def of(source: Source, at: datetime = NOW) -> Play:
    """Return a play that is known by one report."""
    return Play(id="1", title=FILM, watched_at=at, sources=(source,))


@pytest.mark.parametrize(
    ("play", "source", "is_same"),
    [
        pytest.param(
            of(STOP), replace(STOP, at=NOW + 5 * HOUR), True, id="stopped once more"
        ),
        pytest.param(
            of(STOP),
            replace(STOP, begun_at=NOW + HOUR, at=NOW + 5 * HOUR),
            False,
            id="begun again",
        ),
        pytest.param(
            of(STOP), replace(MARK, dated=STOP.begun_at), True, id="marked, its start"
        ),
        pytest.param(
            of(STOP),
            replace(MARK, dated=STOP.begun_at, account="bob"),
            False,
            id="another account",
        ),
        pytest.param(
            of(replace(MARK, dated=NOW - 2.9 * HOUR), NOW - 2.9 * HOUR),
            STOP,
            True,
            id="marked as it began",
        ),
        pytest.param(
            of(MARK, NOW), replace(MARK, at=NOW + 40 * HOUR), True, id="marked again"
        ),
        pytest.param(
            of(MARK, NOW), replace(HISTORY, dated=MARK.dated), True, id="of history"
        ),
        pytest.param(
            of(MARK, NOW - 5 * HOUR),
            replace(HISTORY, dated=NOW - 0.5 * HOUR),
            True,
            id="local time",
        ),
        pytest.param(
            of(replace(MARK, may_be_local=False), NOW - 5 * HOUR),
            replace(HISTORY, dated=NOW - 0.5 * HOUR),
            False,
            id="no local time",
        ),
        pytest.param(
            of(MARK, NOW - 5 * HOUR),
            replace(HISTORY, dated=NOW - 0.51 * HOUR),
            False,
            id="no offset",
        ),
    ],
)
def test_dates_that_a_server_keeps(play: Play, source: Source, is_same: bool) -> None:
    at = source.dated or source.at
    gap = viewing_gap(play, FILM, at, source)
    assert (gap is not None) == is_same
    before, after = viewing_span(source, FILM.duration, FILM.duration)
    if is_same:
        assert -before <= play.watched_at - at <= after


def test_local_time_is_set_right() -> None:
    play = of(MARK, NOW - 5 * HOUR)
    right = NOW - 7 * HOUR
    merged = merge(play, FILM, right, replace(HISTORY, dated=right))
    assert merged.watched_at == right
    assert merged.sources == (replace(MARK, dated=right, may_be_local=False),)
    # What a person has made of its time is not.
    corrected = replace(play, watched_at=NOW - 6 * HOUR)
    assert (
        merge(corrected, FILM, right, replace(HISTORY, dated=right)).watched_at
        == corrected.watched_at
    )


@pytest.mark.parametrize(
    "source", [MARK, STOP, replace(HISTORY, dated=NOW - HOUR)], ids=str
)
def test_what_is_told_again_changes_nothing(source: Source) -> None:
    play = of(source)
    later = replace(source, at=NOW + 9 * HOUR)
    assert merge(play, FILM, NOW - 9 * HOUR, later) == play


def test_mark_changes_no_time_that_is_known() -> None:
    mark = replace(MARK, dated=STOP.begun_at)
    merged = merge(of(STOP), FILM, NOW - 3 * HOUR, mark)
    assert merged.watched_at == NOW
    assert merged.sources == (STOP, mark)
