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

SAME_START = timedelta(seconds=10)
"""How far the beginning of a playback may be from the date that the server keeps of it."""

LARGEST_OFFSET = timedelta(hours=14)
"""How far a local time may be from UTC."""

_OFFSET_STEP = timedelta(minutes=15)

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
        offset = LARGEST_OFFSET if source.dated else timedelta()
        return max(window, offset), length + window + LONGEST_PAUSE
    if source.is_mark:
        return length + window + LONGEST_PAUSE, length + window + LONGEST_PAUSE
    if source.begun_at is not None:
        length = max(length, source.at - source.begun_at)
    return length + window, window


def viewing_gap(
    play: Play, title: Title, watched_at: datetime, source: Source
) -> timedelta | None:
    """Return how far a report is from the play whose viewing it is of; None if it is of another.

    A beginning and an end are of one viewing when there is about the run time between them.
    The dates by which a server knows a viewing of the account decide where there are any.
    """
    if (apart := _apart_by_date(play, source)) is not None:
        return apart
    of_title = play.title.duration, title.duration, title.media_type
    if play.tells_start == source.tells_start:
        gap = abs(play.watched_at - watched_at)
        if _may_tell_start(play, source):
            took = play.watched_at - watched_at
            gap = min(gap, max(-took, took - _length(*of_title), timedelta()))
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


def _apart_by_date(play: Play, source: Source) -> timedelta | None:
    """Return how far a report is from a play of its account, by what a server keeps of both.

    Of a playback it keeps when that was begun, until it is begun again; of a mark its date,
    or when what is marked was begun. None where that does not tell.
    """
    apart = None
    for known in play.sources:
        if not known.is_of_account(source):
            continue
        if _are_of_one_viewing(known, source):
            return timedelta()
        if source.tells_start and is_local_time_of(known, source.dated):
            apart = SAME_START
    return apart


def _are_of_one_viewing(one: Source, other: Source) -> bool:
    """Say whether two reports of an account are, by dates that its server keeps."""
    if one.begun_at is not None and other.begun_at is not None:
        return abs(one.begun_at - other.begun_at) <= SAME_START
    spans = _kept_span(one), _kept_span(other)
    if spans[0] is None or spans[1] is None:
        return False
    first, second = sorted((spans[0], spans[1]))
    return second[0] - first[1] <= SAME_START


def _kept_span(source: Source) -> tuple[datetime, datetime] | None:
    """Return from when to when a viewing went on that a report with a date is of."""
    if source.begun_at is not None:
        return source.begun_at, max(source.begun_at, source.at)
    return (source.dated, source.dated) if source.dated is not None else None


def is_local_time_of(mark: Source, date: datetime | None) -> bool:
    """Say whether a mark may be dated with the local time of a date, to the second."""
    if date is None or mark.dated is None or not mark.may_be_local or date.microsecond:
        return False
    offset = abs(mark.dated - date)
    return timedelta() < offset <= LARGEST_OFFSET and not offset % _OFFSET_STEP


def _may_tell_start(play: Play, source: Source) -> bool:
    """Say whether a mark may be dated with the beginning of a play of its account.

    Marked without a date, an item keeps the one of its last playback. Where a playback was
    followed that is known better.
    """
    return source.is_mark and any(
        known.is_of_account(source) and known.begun_at is None and known.dated is None
        for known in play.sources
    )


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
    ended, changes nothing, unless it sets the local time of a mark right. Neither does a
    mark or an end of a playback that is told once more. A mark may be dated with the
    beginning: it changes no time that is known.
    """
    title = combine(play.title, title)
    if any(_repeats(known, source) for known in play.sources):
        return replace(play, title=title)
    if source.is_of_history:
        for known in play.sources:
            if known.is_of_account(source) and is_local_time_of(known, source.dated):
                return set_right(play, known, source.dated)
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
    best = min(play.watched_at, watched_at)
    if knows_better:
        best = watched_at
    elif source.is_mark:
        best = play.watched_at
    sources = play.sources
    if source not in sources:
        if source.is_of_history:
            # It tells that the next time is not the first.
            sources = sources[: MAX_SOURCES - 1]
        if len(sources) < MAX_SOURCES:
            sources = (*sources, source)
    return replace(play, title=title, watched_at=best, sources=sources)


def _repeats(known: Source, source: Source) -> bool:
    """Say whether a webhook tells of a viewing what one of its account has told before."""
    if known.event != source.event or not known.is_of_account(source):
        return False
    return any(
        one is not None and other is not None and abs(one - other) <= SAME_START
        for one, other in (
            (known.begun_at, source.begun_at),
            (known.dated, source.dated),
        )
    )


def set_right(play: Play, mark: Source, date: datetime | None) -> Play:
    """Return a play with the date (UTC) of a mark of it set right.

    Its time as well, if it is by that mark.
    """
    is_by_mark = (
        mark.dated is not None and believed_time(mark.dated, mark.at) == play.watched_at
    )
    right = replace(mark, dated=date, may_be_local=False)
    return replace(
        play,
        watched_at=believed_time(date, mark.at) if is_by_mark else play.watched_at,
        sources=tuple(right if known == mark else known for known in play.sources),
    )


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
