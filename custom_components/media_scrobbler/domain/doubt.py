"""Doubts: plays that a mark tells of, where its server knows better what it means.

A date without a fraction of a second may be a local time that a webhook takes for UTC, and
the date of long ago may be that of a version which the server has marked by itself. Jellyfin
12.0 answers right in both cases when it is asked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .event import SavedData
from .play import Source
from .rules import SAME_START, is_local_time_of
from .title import Title

FRESH = timedelta(minutes=2)
"""How long after a mark what plays tells something of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A play of a viewer (entry id) that a mark of an account has led to, or has been merged into.

    `item` is the server's id of what was marked, `play_count` how often it had been played
    by then as the server says. `is_new` is whether there was no such play before.
    """

    viewer: str
    play_id: str
    title: Title
    account: str
    item: str
    source: Source
    play_count: int | None
    is_new: bool

    @property
    def may_be_repeated(self) -> bool:
        """Return whether the server may have made the mark, with a date that it had before."""
        return (
            self.is_new
            and self.source.dated is not None
            and self.source.at - self.source.dated > FRESH
        )

    @property
    def is_one(self) -> bool:
        """Return whether there is anything to ask."""
        return self.source.may_be_local or self.may_be_repeated


class Finding(StrEnum):
    """What a doubt has come to."""

    AS_IT_IS = "as_it_is"
    """The mark is what it seemed to be, or nobody can tell any more."""
    OTHERWISE_DATED = "otherwise_dated"
    """It is the date that the server has which is right."""
    NO_PLAY = "no_play"
    """The server has made the mark by itself."""


def find(
    doubt: Doubt, saved: SavedData | None, *, is_playing: bool, now: datetime
) -> Finding:
    """Return what a doubt comes to by what the server has saved of the item.

    `is_playing` is whether the account plays the title at this moment.
    """
    mark = doubt.source
    if doubt.may_be_repeated and is_playing and now - mark.at <= FRESH:
        return Finding.NO_PLAY
    if saved is None or saved.last_played is None or mark.dated is None:
        return Finding.AS_IT_IS
    if None not in (saved.play_count, doubt.play_count) and (
        saved.play_count != doubt.play_count
    ):
        # It has been marked or begun since.
        return Finding.AS_IT_IS
    if is_local_time_of(mark, saved.last_played):
        return Finding.OTHERWISE_DATED
    if (
        doubt.may_be_repeated
        and mark.dated + SAME_START < saved.last_played <= mark.at + SAME_START
    ):
        # Another version has been begun, or marked, and this one was marked with it.
        return Finding.NO_PLAY
    return Finding.AS_IT_IS
