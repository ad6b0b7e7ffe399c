"""Playback: what a player is doing now, followed from event to event."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from .event import Action, MediaEvent, Party
from .rules import UNKNOWN_DURATION, assumed_length
from .title import Title, same_title

GRACE = timedelta(minutes=10)
"""How long a player may be past the end of its title before it is taken as idle."""

PAUSE_LIMIT = timedelta(hours=4)
"""How long a pause is believed."""

SILENCE = timedelta(minutes=3)
"""How long a player that has reported its progress may say nothing while it plays.

A real server tells each second of what plays, until it stops that itself.
"""

SILENT_PAUSE = timedelta(minutes=15)
"""The same while it pauses, of which a server tells nothing; Jellyfin ends a pause within
ten minutes."""

OVERTAKEN = timedelta(seconds=10)
"""How late webhooks may come that something newer has overtaken on the way."""

JUMP = 5.0
"""Seconds by which a position may differ from the expected one and still be no news."""


class PlaybackState(StrEnum):
    """What a player does."""

    PLAYING = "playing"
    PAUSED = "paused"
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """What a player does, since when and with what; `position` is in seconds.

    `reported_at` is when its progress was last told of, None where that never was.
    """

    player: Party
    state: PlaybackState
    changed_at: datetime
    title: Title | None = None
    account: Party | None = None
    position: float | None = None
    reported_at: datetime | None = field(default=None, compare=False)

    @property
    def expires_at(self) -> datetime | None:
        """Return when the playback must be over even if no stop was ever heard of."""
        if self.state is PlaybackState.IDLE:
            return None
        is_paused = self.state is PlaybackState.PAUSED
        if self.reported_at is not None:
            heard_at = max(self.changed_at, self.reported_at)
            return heard_at + (SILENT_PAUSE if is_paused else SILENCE)
        if is_paused:
            return self.changed_at + PAUSE_LIMIT
        if self.title is None:
            return self.changed_at + UNKNOWN_DURATION
        duration = self.title.duration
        if duration is None:
            return self.changed_at + assumed_length(self.title.media_type)
        left = max(duration - (self.position or 0), 0)
        return self.changed_at + timedelta(seconds=left) + GRACE

    def position_at(self, now: datetime) -> float | None:
        """Return the position at a later time."""
        if self.position is None or self.state is not PlaybackState.PLAYING:
            return self.position
        return self.position + (now - self.changed_at).total_seconds()

    def plays(self, server_id: str, item: str) -> bool:
        """Return whether it is an item of a server that plays."""
        return (
            self.state is PlaybackState.PLAYING
            and self.title is not None
            and self.title.items.get(server_id) == item
        )

    def reported(self, position: float | None, now: datetime) -> Playback:
        """Return the same playback after a report of how far it has got."""
        if _jumped(self, position, now):
            return replace(self, position=position, changed_at=now, reported_at=now)
        return replace(self, reported_at=now)


def advance(
    before: Playback | None, player: Party, event: MediaEvent, now: datetime
) -> tuple[Playback, Action | None]:
    """Return what a player does after an event, and what to tell the world about it.

    A pause is told once however often the server repeats it, a progress only where it
    turns out to end a pause or to start something unheard of. The stop of one title does
    not end the next, should the two be heard of in the wrong order, nor does a progress
    take back the stop or pause that has overtaken it. The playback that was is returned
    where nothing worth showing has changed, but for when it was reported.
    """
    action = event.action
    if action is None:
        raise ValueError("the event is not about a playback")
    same = (
        before is not None
        and before.state is not PlaybackState.IDLE
        and _same(before.title, event.title)
    )
    if action is Action.STOP:
        if (
            before is not None
            and before.title is not None
            and event.title is not None
            and not same
            and now - before.changed_at <= OVERTAKEN
        ):
            return before, None
        after = Playback(player=player, state=PlaybackState.IDLE, changed_at=now)
        is_news = before is not None and before.state is not PlaybackState.IDLE
        return after, action if is_news or before is None else None

    if before is not None and _is_overtaken(event, before, now):
        return before, None
    paused = action is Action.PAUSE
    position = event.position
    if position is None and same and before is not None:
        position = before.position_at(now)
    after = Playback(
        player=player,
        state=PlaybackState.PAUSED if paused else PlaybackState.PLAYING,
        changed_at=now,
        title=event.title,
        account=event.account,
        position=position,
        reported_at=now
        if event.routine
        else (before.reported_at if same and before is not None else None),
    )
    if not same or before is None:
        return after, Action.PLAY if action is Action.PROGRESS else action
    if before.state is after.state:
        if _jumped(before, after.position, now):
            return after, None
        return (replace(before, reported_at=now) if event.routine else before), None
    if not paused:
        return after, Action.RESUME
    return after, action


def _same(before: Title | None, after: Title | None) -> bool:
    return (
        before is not None
        and after is not None
        and (before == after or same_title(before, after))
    )


def _is_overtaken(event: MediaEvent, before: Playback, now: datetime) -> bool:
    """Say whether a report of progress is older than what the player does by now.

    A player itself says when it goes on after a pause, the server only reckons.
    """
    if not event.routine or now - before.changed_at > OVERTAKEN:
        return False
    match before.state:
        case PlaybackState.IDLE:
            return True
        case PlaybackState.PAUSED:
            return event.automated and _same(before.title, event.title)
    return False


def _jumped(before: Playback, position: float | None, now: datetime) -> bool:
    """Say whether a position is another than the one that time alone would have led to."""
    if position is None:
        return False
    expected = before.position_at(now)
    return expected is None or abs(position - expected) > JUMP
