"""What counts as a play, and what is the same viewing."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from .play import MAX_SOURCES, Play, Source, SourceKind
from .title import PLAYABLE, MediaType, Title, combine, identities, name_identity

UNKNOWN_DURATION_WINDOW = timedelta(minutes=30)
"""How far apart two completions of one viewing may be when the run time is unknown."""

UNKNOWN_TRACK_WINDOW = timedelta(seconds=90)
"""The same of a track. What is reported twice is within seconds; of songs that are played
over and over hardly one is shorter."""

UNKNOWN_DURATION = timedelta(hours=3)
"""How long a title of unknown run time is taken to be: longer than most."""

UNKNOWN_TRACK_DURATION = timedelta(minutes=15)
"""The same of a track."""

LONGEST_PAUSE = timedelta(days=30)
"""How much longer than its run time a title may take from when it was last begun.

Who marks by hand what was left half-way through completes it without beginning it again.
"""

LATEST_CLOCK_AHEAD = timedelta(minutes=5)
"""How far a server's clock may be ahead of ours before its times are not believed."""

_EARLIEST_TIME = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def viewing_window(
    first: int | None, second: int | None, media_type: MediaType = MediaType.MOVIE
) -> timedelta:
    """Return how far apart two completions of one viewing may be.

    Half the run time, which is given in seconds as each of the two knows it. Where none
    does, it depends on the kind of title.
    """
    if duration := first or second:
        return timedelta(seconds=duration / 2)
    if media_type is MediaType.TRACK:
        return UNKNOWN_TRACK_WINDOW
    return UNKNOWN_DURATION_WINDOW


def assumed_length(media_type: MediaType) -> timedelta:
    """Return how long a title of unknown run time is taken to be at most."""
    if media_type is MediaType.TRACK:
        return UNKNOWN_TRACK_DURATION
    return UNKNOWN_DURATION


def viewing_span(
    source: Source,
    first: int | None,
    second: int | None,
    media_type: MediaType = MediaType.MOVIE,
) -> tuple[timedelta, timedelta]:
    """Return how long before and after a report its viewing may have been reported.

    Durations are in seconds, of the title as each side knows it.
    """
    window = viewing_window(first, second, media_type)
    length = _length(first, second, media_type)
    if source.tells_start:
        return window, length + window + LONGEST_PAUSE
    return length + window, window


def viewing_gap(
    play: Play, title: Title, watched_at: datetime, source: Source
) -> timedelta | None:
    """Return how far a report is from the play whose viewing it is of; None if it is of another.

    A beginning and an end are of one viewing when there is about the run time between them.
    """
    of_title = play.title.duration, title.duration, title.media_type
    if play.tells_start == source.tells_start:
        gap = abs(play.watched_at - watched_at)
    else:
        begun, ended = play.watched_at, watched_at
        if source.tells_start:
            begun, ended = ended, begun
        took = ended - begun
        gap = max(-took, took - _length(*of_title), timedelta())
        if (
            source.tells_start
            and timedelta() <= took <= _length(*of_title) + LONGEST_PAUSE
            and any(known.is_of_account(source) for known in play.sources)
        ):
            # The account has not begun it again since, however long the pauses were.
            gap = timedelta()
    return gap if gap <= viewing_window(*of_title) else None


def _length(first: int | None, second: int | None, media_type: MediaType) -> timedelta:
    if duration := first or second:
        return timedelta(seconds=duration)
    return assumed_length(media_type)


def merge(play: Play, title: Title, watched_at: datetime, source: Source) -> Play:
    """Return a play with another report of the same viewing added.

    The earliest time stays, every source is kept and what the new report knows of the
    title is added. A server's own time is better than that of its webhooks, and the time
    of the end is better than that of the beginning.

    What a server's history says a second time, or of the beginning of what is known to have
    ended, changes nothing.
    """
    title = combine(play.title, title)
    if source.is_of_history:
        if any(
            known.is_of_history and known.is_of_account(source)
            for known in play.sources
        ):
            return replace(play, title=title)
        if source.tells_start and not play.tells_start:
            return play
    knows_better = play.tells_start and not source.tells_start
    if source.is_of_history:
        knows_better = knows_better or all(
            known.kind is SourceKind.WEBHOOK and known.server_id == source.server_id
            for known in play.sources
        )
    best = watched_at if knows_better else min(play.watched_at, watched_at)
    sources = play.sources
    if source not in sources:
        if source.is_of_history:
            # It tells that the next time is not the first.
            sources = sources[: MAX_SOURCES - 1]
        if len(sources) < MAX_SOURCES:
            sources = (*sources, source)
    return replace(play, title=title, watched_at=best, sources=sources)


def refusal(title: Title, media_types: Collection[str]) -> str | None:
    """Say why a completed title is not recorded, or return None if it is.

    `media_types` are the kinds that the viewer wants recorded.
    """
    if title.media_type not in PLAYABLE:
        return f"{title.media_type}s are not something to play"
    if title.media_type not in media_types:
        return f"the viewer does not record {title.media_type}s"
    return None


def is_identified(title: Title) -> bool:
    """Say whether enough is known of a title to recognise it again."""
    return bool(identities(title)) or name_identity(title) is not None


def believed_time(claimed: datetime | None, received: datetime) -> datetime:
    """Return when something was watched: the server's time unless it cannot be true."""
    if claimed is None or not is_believable(claimed, received):
        return received
    return min(claimed, received)


def is_believable(claimed: datetime, received: datetime) -> bool:
    """Say whether something can have been watched at a time, heard of at another."""
    return _EARLIEST_TIME <= claimed <= received + LATEST_CLOCK_AHEAD


def clock_ahead(date: str | None, received: datetime) -> timedelta:
    """Return how far a server's clock is ahead of ours, by the `Date` of its answer.

    Nothing if that is little, or unknown; negative if it is behind.
    """
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return timedelta()
    ahead = (told if told.tzinfo else told.replace(tzinfo=UTC)) - received
    return ahead if abs(ahead) > LATEST_CLOCK_AHEAD else timedelta()


def retry_after(header: str | None, received: datetime) -> float | None:
    """Return the seconds that the `Retry-After` of an answer asks for, None if it does not.

    It is a number of them, or a date.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((until - received).total_seconds(), 0)
