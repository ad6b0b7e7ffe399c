"""What counts as a play, and what is the same viewing."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from .play import MAX_SOURCES, Play, Source
from .title import PLAYABLE, Title, combine, identities, name_identity

UNKNOWN_DURATION_WINDOW = timedelta(minutes=30)
"""How far apart two completions of one viewing may be when the run time is unknown."""

LATEST_CLOCK_AHEAD = timedelta(minutes=5)
"""How far a server's clock may be ahead of ours before its times are not believed."""

_EARLIEST_TIME = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def viewing_window(first: int | None, second: int | None) -> timedelta:
    """Return how far apart two completions of one viewing may be.

    Half the run time, which is given in seconds as each of the two knows it.
    """
    if duration := first or second:
        return timedelta(seconds=duration / 2)
    return UNKNOWN_DURATION_WINDOW


def merge(play: Play, title: Title, watched_at: datetime, source: Source) -> Play:
    """Return a play with another report of the same viewing added.

    The earliest time stays, every source is kept and what the new report knows of the
    title is added.
    """
    sources = play.sources
    if source not in sources and len(sources) < MAX_SOURCES:
        sources = (*sources, source)
    return replace(
        play,
        title=combine(play.title, title),
        watched_at=min(play.watched_at, watched_at),
        sources=sources,
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
    if claimed is None or not (
        _EARLIEST_TIME <= claimed <= received + LATEST_CLOCK_AHEAD
    ):
        return received
    return min(claimed, received)
