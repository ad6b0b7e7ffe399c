"""Tests of following what a player does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.media_scrobbler.domain.event import Action, MediaEvent, Party
from custom_components.media_scrobbler.domain.playback import (
    GRACE,
    JUMP,
    OVERTAKEN,
    PAUSE_LIMIT,
    Playback,
    PlaybackState,
    advance,
)
from custom_components.media_scrobbler.domain.rules import (
    UNKNOWN_DURATION,
    UNKNOWN_TRACK_DURATION,
)
from custom_components.media_scrobbler.domain.title import MediaType, Title

NOW = datetime(2026, 11, 20, 20, 15, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
PLAYER = Party("7c1e", "Living room TV")
ALICE = Party("1", "alice")
MOVIE = Title(
    media_type=MediaType.MOVIE, title="The Salt Road", year=2019, duration=6720
)
OTHER = Title(media_type=MediaType.MOVIE, title="Paper Orchard", year=2006)

PLAYING = Playback(
    player=PLAYER,
    state=PlaybackState.PLAYING,
    changed_at=NOW,
    title=MOVIE,
    account=ALICE,
    position=60.0,
)
PAUSED = replace(PLAYING, state=PlaybackState.PAUSED)
IDLE = Playback(player=PLAYER, state=PlaybackState.IDLE, changed_at=NOW)


def event(
    action: Action | None, title: Title | None = MOVIE, position: float | None = None
) -> MediaEvent:
    """Return an event of a playback."""
    return MediaEvent(
        name="test",
        action=action,
        titles=(title,) if title else (),
        position=position,
        account=ALICE,
    )


@pytest.mark.parametrize(
    ("playback", "expires"),
    [
        pytest.param(IDLE, None, id="idle"),
        pytest.param(PAUSED, NOW + PAUSE_LIMIT, id="paused"),
        pytest.param(PLAYING, NOW + timedelta(seconds=6660) + GRACE, id="playing"),
        pytest.param(
            replace(PLAYING, position=None),
            NOW + timedelta(seconds=6720) + GRACE,
            id="position unknown",
        ),
        pytest.param(replace(PLAYING, position=9000.0), NOW + GRACE, id="past its end"),
        pytest.param(
            replace(PLAYING, title=OTHER), NOW + UNKNOWN_DURATION, id="run time unknown"
        ),
        pytest.param(
            replace(PLAYING, title=Title(media_type=MediaType.TRACK, title="Tide")),
            NOW + UNKNOWN_TRACK_DURATION,
            id="run time of a track unknown",
        ),
        pytest.param(
            replace(PLAYING, title=None), NOW + UNKNOWN_DURATION, id="title unknown"
        ),
    ],
)
def test_expires_at(playback: Playback, expires: datetime | None) -> None:
    assert playback.expires_at == expires


@pytest.mark.parametrize(
    ("playback", "position"),
    [
        pytest.param(PLAYING, 660.0, id="playing"),
        pytest.param(PAUSED, 60.0, id="paused"),
        pytest.param(replace(PLAYING, position=None), None, id="unknown"),
    ],
)
def test_position_at(playback: Playback, position: float | None) -> None:
    assert playback.position_at(LATER) == position


def test_an_event_about_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not about a playback"):
        advance(None, PLAYER, event(None), NOW)


@pytest.mark.parametrize("before", [None, IDLE], ids=["nothing before", "idle"])
@pytest.mark.parametrize(
    ("action", "state", "told"),
    [
        (Action.PLAY, PlaybackState.PLAYING, Action.PLAY),
        (Action.PROGRESS, PlaybackState.PLAYING, Action.PLAY),
        (Action.RESUME, PlaybackState.PLAYING, Action.RESUME),
        (Action.PAUSE, PlaybackState.PAUSED, Action.PAUSE),
    ],
)
def test_something_new(
    before: Playback | None, action: Action, state: PlaybackState, told: Action
) -> None:
    after, tell = advance(before, PLAYER, event(action, position=60.0), LATER)

    assert after == replace(PLAYING, state=state, changed_at=LATER)
    assert tell is told


@pytest.mark.parametrize("before", [PLAYING, PAUSED], ids=["playing", "paused"])
@pytest.mark.parametrize("action", [Action.PLAY, Action.PROGRESS])
def test_another_title_begins(before: Playback, action: Action) -> None:
    after, tell = advance(before, PLAYER, event(action, OTHER), LATER)

    assert after.title is OTHER
    assert after.state is PlaybackState.PLAYING
    assert after.position is None
    assert tell is Action.PLAY


def test_titles_that_nothing_is_known_of_are_the_same_if_equal() -> None:
    nameless = Title(media_type=MediaType.MOVIE)
    before = replace(PLAYING, title=nameless)

    assert advance(before, PLAYER, event(Action.PLAY, nameless), LATER)[1] is None
    assert advance(before, PLAYER, event(Action.PLAY, None), LATER)[1] is Action.PLAY


def test_pause_keeps_the_position_that_time_has_led_to() -> None:
    after, tell = advance(PLAYING, PLAYER, event(Action.PAUSE), LATER)

    assert after == replace(PAUSED, changed_at=LATER, position=660.0)
    assert tell is Action.PAUSE


def test_pause_is_told_once() -> None:
    after, tell = advance(PAUSED, PLAYER, event(Action.PAUSE, position=60.0), LATER)

    assert after is PAUSED
    assert tell is None


@pytest.mark.parametrize("action", [Action.PLAY, Action.RESUME, Action.PROGRESS])
def test_end_of_a_pause(action: Action) -> None:
    after, tell = advance(PAUSED, PLAYER, event(action), LATER)

    assert after == replace(PLAYING, changed_at=LATER)
    assert tell is Action.RESUME


@pytest.mark.parametrize("action", [Action.PLAY, Action.RESUME, Action.PROGRESS])
@pytest.mark.parametrize("position", [None, 660.0, 660.0 + JUMP, 660.0 - JUMP])
def test_going_on_as_expected_is_no_news(
    action: Action, position: float | None
) -> None:
    after, tell = advance(PLAYING, PLAYER, event(action, position=position), LATER)

    assert after is PLAYING
    assert tell is None


def test_going_on_at_a_position_that_nobody_tells_is_no_news() -> None:
    before = replace(PLAYING, position=None)

    after, tell = advance(before, PLAYER, event(Action.PROGRESS), LATER)

    assert after is before
    assert tell is None


@pytest.mark.parametrize(
    ("before", "position"),
    [
        pytest.param(PLAYING, 661.0 + JUMP, id="forwards"),
        pytest.param(PLAYING, 0.0, id="backwards"),
        pytest.param(replace(PLAYING, position=None), 5.0, id="position unknown"),
    ],
)
def test_a_jump_is_shown_and_not_told(before: Playback, position: float) -> None:
    after, tell = advance(
        before, PLAYER, event(Action.PROGRESS, position=position), LATER
    )

    assert after == replace(PLAYING, changed_at=LATER, position=position)
    assert tell is None


@pytest.mark.parametrize("before", [PLAYING, PAUSED], ids=["playing", "paused"])
@pytest.mark.parametrize(
    "title", [MOVIE, OTHER, None], ids=["same title", "another", "none"]
)
def test_stop(before: Playback, title: Title | None) -> None:
    after, tell = advance(before, PLAYER, event(Action.STOP, title), LATER)

    assert after == replace(IDLE, changed_at=LATER)
    assert tell is Action.STOP


@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param(None, Action.STOP, id="nothing before"),
        pytest.param(IDLE, None, id="stopped already"),
    ],
)
def test_stop_of_what_was_not_playing(
    before: Playback | None, told: Action | None
) -> None:
    after, tell = advance(before, PLAYER, event(Action.STOP), LATER)

    assert after.state is PlaybackState.IDLE
    assert tell is told


def test_stop_that_the_next_title_has_overtaken() -> None:
    after, tell = advance(PLAYING, PLAYER, event(Action.STOP, OTHER), NOW + OVERTAKEN)

    assert after is PLAYING
    assert tell is None


def test_stop_right_after_the_start() -> None:
    after, tell = advance(PLAYING, PLAYER, event(Action.STOP), NOW)

    assert after.state is PlaybackState.IDLE
    assert tell is Action.STOP
