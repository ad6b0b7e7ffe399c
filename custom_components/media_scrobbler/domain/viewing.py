"""Viewings: what an account plays on a player from when it begins it, and whether it has seen it.

Jellyfin says that a stop completes an item also of a stop without a position, and before
12.0 of an item to whose end the server has run on by itself after its player has vanished.
What the player has reported tells.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .event import Action, MediaEvent, Party, SavedData
from .playback import GRACE, PAUSE_LIMIT
from .rules import LATEST_CLOCK_AHEAD, SAME_START, UNKNOWN_DURATION, believed_time
from .title import Title, same_title

COMPLETED_SHARE = 0.9
"""The share of an item after which servers take it as completed unless told otherwise."""

HALF = 0.5
"""The share that has to have been played where there is no position."""

SILENCE = timedelta(minutes=5)
"""How long a player has to be silent for its server to end the playback; it looks every five
minutes."""

LONGEST_SILENCE = 2 * SILENCE + timedelta(minutes=1)

RUN_ON = 3.0
"""Seconds by which the position that a server runs on to may differ from the expected one."""

SAME_POSITION = 1.0
"""Seconds by which a position may differ from the one that was reported and still be it."""

SAME_MOMENT = timedelta(seconds=2)
"""How far two times of a server may be apart and still be of one moment."""

AFTERMATH = timedelta(minutes=1)
"""How long after its end something may be heard of that belongs to a playback."""

LONGEST_SLEEP = timedelta(days=1)
"""How long after its end a player may go on from where it was without beginning anew."""

NEARBY = 60.0
"""Seconds by which a player may be further on when that is heard of."""

MAX_CURRENT = 500
"""Accounts on players that are followed: whoever knows the URL could invent any number."""

MAX_PAST = 500
"""Viewings that are remembered after their end."""

REMEMBERED = timedelta(days=30)
"""How long they are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewing:
    """What an account plays, or has played, on a player; times are in UTC, by the server.

    `items` are the server's ids of the item and of the version that plays, which is last.
    `position` is what the player itself has reported at `reported_at`, `ran` how long it had
    been playing by then, without pauses; both in seconds.
    """

    account: str
    player: str
    titles: tuple[Title, ...]
    items: tuple[str, ...]
    begun_at: datetime
    position: float
    reported_at: datetime
    ran: float = 0
    is_paused: bool = False
    ended_at: datetime | None = None
    has_counted: bool = False
    """Whether it was a play: what comes without a new beginning is no other one."""
    shows_played: bool | None = None
    """Whether the server takes the title for played, as far as it has told."""

    @property
    def duration(self) -> int | None:
        """Return the run time of the file in seconds."""
        return run_time(self.titles)

    def elapsed(self, now: datetime) -> float:
        """Return for how many seconds it has been playing since the last report."""
        if self.is_paused or self.ended_at is not None:
            return 0
        return max((now - self.reported_at).total_seconds(), 0)

    def is_on(self, now: datetime) -> bool:
        """Return whether it goes on, or is over for so short a time that more may be told of it."""
        if self.ended_at is not None:
            return now - self.ended_at <= AFTERMATH
        if self.is_paused:
            left = PAUSE_LIMIT
        elif self.duration is None:
            left = UNKNOWN_DURATION
        else:
            left = timedelta(seconds=max(self.duration - self.position, 0)) + GRACE
        return now - self.reported_at <= left

    def is_of(self, titles: Collection[Title]) -> bool:
        """Return whether it is of one of some titles, in whatever version."""
        return any(
            not set(self.items).isdisjoint(title.items.values())
            or any(_same_work(title, own) for own in self.titles)
            for title in titles
        )

    @property
    def is_left_at_end(self) -> bool:
        """Return whether the player has reported a position past which it is completed."""
        duration = self.duration
        return duration is not None and self.position >= COMPLETED_SHARE * duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What an event means, by what has been heard of its account and player before.

    `event` is the event, which completes no title where `doubt` says why. `begun_at` is when
    what it goes on with was begun. `left` is what the player has played to its end and left
    without a stop.
    """

    event: MediaEvent
    doubt: str | None = None
    begun_at: datetime | None = None
    left: Viewing | None = None


class Viewings:
    """The viewings of one server, as its webhooks tell of them."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        """Start with none; `on_change` is called when one has begun or ended."""
        self._on_change = on_change
        self._current: dict[tuple[str, str], Viewing] = {}
        self._past: deque[Viewing] = deque(maxlen=MAX_PAST)

    def __iter__(self) -> Iterator[Viewing]:
        """Iterate over what is remembered, the latest last."""
        yield from self._past
        yield from self._current.values()

    def restore(self, viewings: Iterable[Viewing]) -> None:
        """Have viewings before those that have been followed meanwhile."""
        known = list(self)
        self._current, self._past = {}, deque(maxlen=MAX_PAST)
        for viewing in (*viewings, *known):
            self._put(viewing)

    def take(self, event: MediaEvent, received: datetime) -> Followed:
        """Take an event, and return what it means."""
        now = believed_time(event.watched_at, received)
        account = account_key(event.account)
        if account is not None and event.saved is not None:
            if not event.marked:
                self._note_saved(account, event.saved, now)
            elif self._is_repeated(account, event, event.saved, now):
                return Followed(
                    event=replace(
                        event,
                        completed=False,
                        marked_by_server=True,
                        routine=True,
                    )
                )
        key = _key_of(event)
        if key is None or event.action is None or event.automated:
            return Followed(event=event)
        before = self._of(key, event, now)
        is_anew = before is not None and _is_anew(before, event, now)
        if event.action is Action.STOP:
            if is_anew:
                # Nobody knows when.
                before = None
            doubt = doubt_of_stop(before, event, now) if event.completed else None
            if doubt is not None:
                event = replace(event, completed=False)
            if before is not None:
                self._replace(before, _ended(before, event, now))
            elif is_anew:
                self._put(_ended(_begun(key, event, now), event, now))
                self._on_change()
        elif event.action is Action.PLAY or before is None or is_anew:
            return Followed(event=event, left=self._begin(_begun(key, event, now)))
        else:
            doubt = None
            self._replace(before, _reported(before, event, now))
        return Followed(
            event=event, doubt=doubt, begun_at=before.begun_at if before else None
        )

    def _is_repeated(
        self, account: str, event: MediaEvent, saved: SavedData, now: datetime
    ) -> bool:
        """Say whether a mark is the server's own, of a version besides the one that plays.

        While something plays that was seen before, Jellyfin 12.0 marks its other versions
        at every report, with the date that they have already.
        """
        viewing = self._playing(account, event.titles, now)
        return (
            viewing is not None
            and saved.last_played is not None
            and saved.last_played < viewing.begun_at - SAME_MOMENT
            and saved.item not in viewing.items[-1:]
        )

    def _of(
        self, key: tuple[str, str], event: MediaEvent, now: datetime
    ) -> Viewing | None:
        """Return the viewing that an event goes on with, None if that is not known.

        The stop of what has played before may be heard of after the next has begun.
        """
        current = self._current.get(key)
        if current is not None and current.is_of(event.titles):
            return current
        if event.action is Action.STOP:
            for viewing in reversed(self._past):
                if (viewing.account, viewing.player) == key and viewing.is_of(
                    event.titles
                ):
                    return viewing if viewing.is_on(now) else None
        return None

    def _begin(self, viewing: Viewing) -> Viewing | None:
        """Begin a viewing; returns the one before if that was left at its end."""
        key = viewing.account, viewing.player
        left = self._current.get(key)
        if left is not None:
            if (
                left.ended_at is not None
                or left.has_counted
                or not left.is_left_at_end
                or left.is_of(viewing.titles)
            ):
                left = None
            else:
                self._current[key] = replace(left, has_counted=True)
        self._put(viewing)
        self._on_change()
        return left

    def _note_saved(self, account: str, saved: SavedData, now: datetime) -> None:
        """Take note of what the server saves of what an account plays."""
        for viewing in self._of_account(account):
            if saved.item not in viewing.items or not viewing.is_on(now):
                continue
            begun_at = viewing.begun_at
            if (
                saved.last_played
                and -SAME_START
                <= saved.last_played - begun_at
                <= LATEST_CLOCK_AHEAD + SAME_START
            ):
                begun_at = saved.last_played
            self._replace(
                viewing, replace(viewing, begun_at=begun_at, shows_played=saved.played)
            )
            return

    def _playing(
        self, account: str, titles: Collection[Title], now: datetime
    ) -> Viewing | None:
        """Return an account's viewing of one of some titles that goes on, or is just over."""
        for viewing in self._of_account(account):
            if viewing.is_on(now) and viewing.is_of(titles):
                return viewing
        return None

    def was_no_play(self, account: str, title: Title, begun_at: datetime) -> bool:
        """Return whether what an account has begun then is known to have been no play.

        Not if the server did not take it for played when it ended: if it does by now,
        somebody has marked it since.
        """
        return any(
            viewing.ended_at is not None
            and not viewing.has_counted
            and viewing.shows_played is not False
            and abs(viewing.begun_at - begun_at) <= SAME_START
            and viewing.is_of((title,))
            for viewing in self._of_account(account)
        )

    def _of_account(self, account: str) -> Iterator[Viewing]:
        """Yield the viewings of an account, the latest first."""
        for viewing in reversed(list(self)):
            if viewing.account == account:
                yield viewing

    def _put(self, viewing: Viewing) -> None:
        key = viewing.account, viewing.player
        if (before := self._current.pop(key, None)) is not None:
            if before.ended_at is None:
                before = replace(before, ended_at=viewing.begun_at)
            self._past.append(before)
        self._current[key] = viewing
        while len(self._current) > MAX_CURRENT:
            self._past.append(self._current.pop(next(iter(self._current))))
        oldest = viewing.begun_at - REMEMBERED
        while self._past and self._past[0].begun_at < oldest:
            self._past.popleft()

    def _replace(self, before: Viewing, after: Viewing) -> None:
        """Have a viewing be as it is by now, where it is remembered."""
        key = before.account, before.player
        if self._current.get(key) == before:
            self._current[key] = after
        elif before in self._past:
            self._past[self._past.index(before)] = after
        if after.ended_at is not None or before.ended_at is not None:
            self._on_change()


def doubt_of_stop(
    viewing: Viewing | None, event: MediaEvent, now: datetime
) -> str | None:
    """Say why a stop that the server takes for a completion is none; None if it is one.

    `viewing` is what it ends, as it was before, None where nothing of it was heard of: then
    the server is believed. A position that the player has told with the stop is believed as
    well. Of one that the server has run on to, the last report of the player counts, which
    has to be past 90 %, the servers' own default. Without a position half of the run time
    has to have been played.
    """
    duration = run_time(event.titles)
    if not duration:
        return None
    if not event.position:
        if viewing is None:
            return None
        elapsed = viewing.elapsed(now)
        if (
            viewing.ran + elapsed >= HALF * duration
            or viewing.position + elapsed >= COMPLETED_SHARE * duration
        ):
            return None
        return "stopped without a position before half of it had been played"
    reported = _last_report(viewing, event, event.position, duration, now)
    if reported is None or reported >= COMPLETED_SHARE * duration:
        return None
    return (
        f"its player was last heard of at {reported / duration:.0%}; "
        "the server has run on by itself"
    )


def _last_report(
    viewing: Viewing | None,
    event: MediaEvent,
    position: float,
    duration: int,
    now: datetime,
) -> float | None:
    """Return the last position of a player that the server has run on from, None if it has not.

    A server that ends a playback does so some minutes after the last report of its player.
    It counts on in whole seconds.
    """
    if event.checked_in_at is None or event.watched_at is None:
        return None
    if (
        position >= duration - RUN_ON
        and event.active_at is not None
        and event.watched_at - event.active_at <= SAME_MOMENT
    ):
        # The server's own reports are over by then: the player has asked for the stop.
        return None
    silence = event.watched_at - event.checked_in_at
    if not SILENCE < silence <= LONGEST_SILENCE:
        return None
    seconds = silence.total_seconds()
    if viewing is None or abs(now - silence - viewing.reported_at) > SAME_START:
        # It may have arrived at the end before.
        return max(position - seconds, 0)
    ran_on = position - viewing.position
    if viewing.is_paused or ran_on <= SAME_POSITION:
        return None
    is_expected = abs(ran_on - seconds) <= RUN_ON or position >= duration - RUN_ON
    is_whole = abs(ran_on - round(ran_on)) < 0.001
    return viewing.position if is_expected and is_whole else None


def run_time(titles: Iterable[Title]) -> int | None:
    """Return the run time in seconds of a file with these titles, None if it is unknown."""
    return sum(title.duration or 0 for title in titles) or None


def account_key(account: Party | None) -> str | None:
    """Return what an account is known by on its server."""
    return (account.id or account.name) if account else None


def _key_of(event: MediaEvent) -> tuple[str, str] | None:
    account = account_key(event.account)
    player = (event.player.id or event.player.name) if event.player else None
    return (account, player) if account and player else None


def _begun(key: tuple[str, str], event: MediaEvent, now: datetime) -> Viewing:
    """Return the viewing that an event begins, or lets know of when it has been going on."""
    account, player = key
    position = event.position or 0
    # What is heard of on its way is taken to have been played from the beginning.
    ran = 0 if event.action is Action.PLAY else position
    return Viewing(
        account=account,
        player=player,
        titles=event.titles,
        items=tuple(
            dict.fromkeys(
                [
                    *event.titles[0].items.values(),
                    *([event.version] if event.version else ()),
                ]
            )
        ),
        begun_at=now - timedelta(seconds=ran),
        position=position,
        reported_at=now,
        ran=ran,
        is_paused=event.action is Action.PAUSE,
    )


def _reported(viewing: Viewing, event: MediaEvent, now: datetime) -> Viewing:
    return replace(
        viewing,
        ran=viewing.ran + viewing.elapsed(now),
        position=viewing.position if event.position is None else event.position,
        reported_at=now,
        is_paused=event.action is Action.PAUSE,
        # A report of a player that has slept revives what the server has ended.
        ended_at=None,
    )


def _ended(viewing: Viewing, event: MediaEvent, now: datetime) -> Viewing:
    return replace(
        viewing,
        ran=viewing.ran + viewing.elapsed(now),
        position=event.position or viewing.position,
        reported_at=now,
        ended_at=now,
        has_counted=viewing.has_counted or event.completed,
    )


def _is_anew(viewing: Viewing, event: MediaEvent, now: datetime) -> bool:
    """Say whether it has been begun again, of which nothing was heard.

    Once it was a play, a report from before its end tells. Once it has ended there has to
    have been the time to play it again: a player that has slept goes on from where it was.
    """
    duration = viewing.duration or UNKNOWN_DURATION.total_seconds()
    position = event.position
    is_stop = event.action is Action.STOP
    if (
        viewing.has_counted
        and not is_stop
        and position is not None
        and position < min(viewing.position, HALF * duration)
    ):
        return True
    if viewing.ended_at is None:
        return False
    since = now - viewing.ended_at
    if not position:
        return is_stop and since >= timedelta(seconds=HALF * duration)
    if not viewing.has_counted:
        return False
    further = position - viewing.position
    if (
        -SAME_POSITION <= further <= SAME_POSITION and position < duration - RUN_ON
        if is_stop
        else -SAME_POSITION <= further <= NEARBY
    ):
        return since > LONGEST_SLEEP
    return since >= timedelta(seconds=position)


def _same_work(one: Title, other: Title) -> bool:
    """Say whether two titles are the same whatever their items: versions have their own."""
    return same_title(one, other) or same_title(
        replace(one, items={}, show_items={}), replace(other, items={}, show_items={})
    )
