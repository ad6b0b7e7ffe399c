"""Plays, titles and playbacks as automations see them: events, responses, attributes.

A key that is unknown is absent, never empty.
"""

from typing import TYPE_CHECKING, Any

from .domain.event import MediaEvent
from .domain.play import Play, Source
from .domain.title import Title

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


def _origin(source: Source) -> dict[str, Any]:
    return {
        key: value
        for key, value in source_data(source).items()
        if key not in ("reported_at", "event")
    }


def _known(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
