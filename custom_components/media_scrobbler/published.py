"""Plays, titles and playbacks as automations see them: events, responses, attributes.

A key that is unknown is absent, never empty.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .domain.event import MediaEvent
from .domain.play import Play, Source
from .domain.title import Title
from .domain.watchlist import WatchlistItem
from .storage.import_log import Run

if TYPE_CHECKING:
    from .server import Server
    from .viewer import Viewer

_TITLE_KEYS = (
    "title",
    "year",
    "show",
    "season",
    "episode",
    "artist",
    "album",
    "ids",
    "show_ids",
    "duration",
)


def title_data(title: Title) -> dict[str, Any]:
    """Return what is known of a title; `duration` is in seconds."""
    data: dict[str, Any] = {"media_type": title.media_type.value}
    for key in _TITLE_KEYS:
        value = getattr(title, key)
        if value is not None and value != {}:
            data[key] = dict(value) if isinstance(value, dict) else value
    return data


def viewer_data(viewer: Viewer) -> dict[str, Any]:
    """Return who watched."""
    return _known(
        viewer=viewer.name, viewer_id=viewer.entry.entry_id, person=viewer.person
    )


def server_data(server: Server) -> dict[str, Any]:
    """Return the server something happened on."""
    return {
        "server": server.entry.title,
        "server_id": server.entry.entry_id,
        "server_type": server.type.value,
    }


def event_data(server: Server, event: MediaEvent) -> dict[str, Any]:
    """Return what a media event says of server, account, player, title and position."""
    return {
        **server_data(server),
        **_known(
            account=event.account.name or event.account.id if event.account else None,
            player=event.player.name or event.player.id if event.player else None,
            player_id=event.player.id if event.player else None,
        ),
        **(title_data(event.title) if event.title else {}),
        **_known(
            position=round(event.position) if event.position is not None else None
        ),
    }


def source_data(source: Source) -> dict[str, Any]:
    """Return one report of a play."""
    return _known(
        source=source.kind.value,
        reported_at=source.at.isoformat(),
        event=source.event,
        server=source.server,
        server_id=source.server_id,
        server_type=source.server_type,
        account=source.account,
        player=source.player,
        player_id=source.player_id,
    )


def play_data(viewer: Viewer, play: Play) -> dict[str, Any]:
    """Return a play with how often the viewer has played the title and its rating."""
    play_count, rewatch = viewer.history.standing(play)
    return {
        "play_id": play.id,
        **viewer_data(viewer),
        **title_data(play.title),
        "watched_at": play.watched_at.isoformat(),
        "play_count": play_count,
        "rewatch": rewatch,
        **_known(rating=viewer.ratings.get(play.title)),
    }


def scrobble_data(viewer: Viewer, play: Play, source: Source) -> dict[str, Any]:
    """Return the data of a scrobble event: a play and the report it came from."""
    return {**play_data(viewer, play), **_origin(source)}


def rating_data(
    viewer: Viewer, title: Title, rating: float | None, source: Source
) -> dict[str, Any]:
    """Return the data of a rating event; no rating is one that was taken back."""
    return {
        **viewer_data(viewer),
        **title_data(title),
        **_known(rating=rating),
        **_origin(source),
    }


def watchlist_item_data(
    item: WatchlistItem, servers: Sequence[Server]
) -> dict[str, Any]:
    """Return an item of a watchlist, and the servers that have it."""
    return {
        "uid": item.uid,
        **title_data(item.title),
        "status": "needs_action" if item.done_at is None else "completed",
        "added_at": item.added_at.isoformat(),
        "origin": item.origin.value,
        "available": bool(servers),
        **_known(
            servers=[server.entry.title for server in servers] or None,
            poster=item.poster,
            completed_at=item.done_at.isoformat() if item.done_at else None,
        ),
    }


def available_data(
    viewer: Viewer, item: WatchlistItem, server: Server, servers: Sequence[Server]
) -> dict[str, Any]:
    """Return the data of the event that a wanted title is there.

    `server` is where it was found, `servers` are the names of all that have it.
    """
    return {
        **viewer_data(viewer),
        **server_data(server),
        **title_data(item.title),
        "servers": [each.entry.title for each in servers],
        **_known(poster=item.poster),
    }


def run_data(run: Run) -> dict[str, Any]:
    """Return an import of a watchlist: when, how long (in seconds), what came of it."""
    return {
        "at": run.at.isoformat(),
        "duration": round(run.duration, 1),
        "trigger": run.trigger.value,
        "dry_run": run.dry_run,
        "imported": run.imported,
        "already_present": run.already_present,
        "unmatched": list(run.unmatched),
        "removed_here": run.removed_here,
        "removed_there": run.removed_there,
        "added_there": run.added_there,
        **_known(postponed=run.postponed or None, error=run.error),
    }


def _origin(source: Source) -> dict[str, Any]:
    return {
        key: value
        for key, value in source_data(source).items()
        if key not in ("reported_at", "event")
    }


def _known(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
