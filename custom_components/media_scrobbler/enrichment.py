"""Asking the server for what its webhooks leave out: ids, show ids, run time, numbers."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import timedelta
import logging
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .domain.media_server import MediaServer, MediaServerError, SignInError
from .domain.play import Play, Report
from .domain.title import MediaType, Title, combine, is_of_plex
from .storage.history import Finding

if TYPE_CHECKING:
    from .connection import Connection
    from .server import ServerConfigEntry
    from .viewer import Viewer

_LOGGER = logging.getLogger(__name__)

REMEMBERED = 2000
"""Items whose titles are remembered."""

LOOK_BACK = timedelta(days=30)
"""How far back plays are completed that were recorded while the server was away."""


@dataclass(frozen=True, slots=True)
class _Wanting:
    viewer: Viewer
    play: Play


class Enrichment:
    """Completes plays in the background, one after the other."""

    def __init__(
        self, hass: HomeAssistant, entry: ServerConfigEntry, client: MediaServer
    ) -> None:
        """Take the server."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._known: OrderedDict[str, tuple[Title, ...]] = OrderedDict()
        self._queue: OrderedDict[tuple[str, str], _Wanting] = OrderedDict()
        self._wake = asyncio.Event()
        self._connection: Connection | None = None

    @callback
    def start(self, connection: Connection) -> None:
        """Begin to work, whenever there is work and the server answers."""
        self._connection = connection
        self._entry.async_on_unload(connection.async_add_listener(self._wake.set))
        self._entry.async_create_background_task(
            self._hass, self._async_work(), f"{DOMAIN} enrichment"
        )
        self._wake.set()

    @callback
    def add(self, viewer: Viewer, play: Play) -> None:
        """Complete a play if the server may know more of its title."""
        server_id, title = self._entry.unique_id or "", play.title
        if is_complete(title) or server_id not in title.items | title.show_items:
            return
        self._queue[viewer.entry.entry_id, play.id] = _Wanting(viewer, play)
        self._wake.set()

    async def async_add_recent(self, viewer: Viewer) -> None:
        """Complete what a viewer watched lately."""
        for play in await viewer.history.async_plays(
            start=dt_util.utcnow() - LOOK_BACK
        ):
            self.add(viewer, play)

    async def _async_work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (
                self._queue
                and self._connection is not None
                and self._connection.last_update_success
            ):
                key, wanting = next(iter(self._queue.items()))
                try:
                    title, others = await self._async_complete(
                        wanting.play.title, is_played=True
                    )
                except MediaServerError as err:
                    # It stays in the queue until the server has been reached again, behind
                    # the others: it may be the only one that the server fails at.
                    _LOGGER.debug("A title could not be completed: %s", err.reason)
                    self._queue.move_to_end(key)
                    if isinstance(err, SignInError):
                        await self._connection.async_request_refresh()
                    break
                self._queue.pop(key, None)
                try:
                    if title != wanting.play.title:
                        await wanting.viewer.async_complete_play(wanting.play, title)
                    for other in others:
                        await self._async_record(wanting, other)
                except HomeAssistantError as err:
                    # Its file cannot be read or written, which a person is told of.
                    _LOGGER.debug("A play could not be completed: %s", err)

    async def _async_record(self, wanting: _Wanting, title: Title) -> None:
        """Record an episode that is in the file of a play as well, unless it has been."""
        play = wanting.play
        source = next(
            (
                source
                for source in play.sources
                if source.server_id == self._entry.entry_id
            ),
            play.sources[0],
        )
        report = Report(title=title, watched_at=play.watched_at, source=source)
        (found,) = await wanting.viewer.async_find([report])
        if found.finding is Finding.NEW:
            await wanting.viewer.async_record(title, play.watched_at, source)

    async def async_complete(self, title: Title) -> Title:
        """Return a title with what the server knows of it; raises MediaServerError."""
        title, _ = await self._async_complete(title)
        return title

    async def _async_complete(
        self, title: Title, *, is_played: bool = False
    ) -> tuple[Title, tuple[Title, ...]]:
        """Return a title with what the server knows of it, and what else is in its file.

        Raises MediaServerError.
        """
        server_id = self._entry.unique_id or ""
        item, show_item = title.items.get(server_id), title.show_items.get(server_id)
        needs_show = not _has_show(title)
        # Of an episode that was played the item is asked for in any case: Jellyfin's
        # webhooks number a special as if it were of the season whose folder it is in, and
        # Plex's do not say what else is in its file.
        needs_item = (
            (is_played and title.media_type is MediaType.EPISODE)
            or not _is_described(title)
            or (needs_show and show_item is None)
        )
        known = await self._async_titles(
            item if needs_item else None, show_item if needs_show else None
        )
        others: tuple[Title, ...] = ()
        of_item = known.get(item or "", ())
        if of_item and _may_be(title, of_item[0]):
            own, *companions = of_item
            title = combine(title, own)
            others = tuple(companions)
            if own.season is not None and own.episode is not None:
                title = replace(title, season=own.season, episode=own.episode)
            if others:
                title = replace(title, duration=own.duration)
        if not _has_show(title) and (show_item := title.show_items.get(server_id)):
            known |= await self._async_titles(show_item)
            if of_show := known.get(show_item):
                title = _with_show(title, of_show[0])
                others = tuple(_with_show(other, of_show[0]) for other in others)
        return title, others

    async def _async_titles(self, *items: str | None) -> dict[str, tuple[Title, ...]]:
        """Return what the server knows of items, asking once for those that are new."""
        wanted = [item for item in items if item is not None]
        if new := [item for item in wanted if item not in self._known]:
            found = await self._client.async_titles(new)
            for item in new:
                self._known[item] = found.get(item, ())
        known = {item: self._known[item] for item in wanted}
        for item in wanted:
            self._known.move_to_end(item)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known


def _may_be(title: Title, item: Title) -> bool:
    """Say whether an item may be a title: its id may have been given to another by now."""
    shared = title.ids.keys() & item.ids.keys()
    return title.media_type is item.media_type and (
        not shared or any(title.ids[source] == item.ids[source] for source in shared)
    )


def _with_show(title: Title, show: Title) -> Title:
    """Return an episode with what is known of its show."""
    return replace(
        title, show_ids=show.ids | title.show_ids, show=title.show or show.title
    )


def is_complete(title: Title) -> bool:
    """Say whether nothing is missing of a title that a server could know."""
    return _is_described(title) and _has_show(title)


def _is_described(title: Title) -> bool:
    """Say whether nothing is missing of what the item itself is described by."""
    if not _has_external(title.ids) or title.duration is None:
        return False
    return title.media_type is not MediaType.EPISODE or (
        title.season is not None and title.episode is not None
    )


def _has_show(title: Title) -> bool:
    """Say whether the show of an episode can be recognised elsewhere."""
    return title.media_type is not MediaType.EPISODE or _has_external(title.show_ids)


def _has_external(ids: dict[str, str | int]) -> bool:
    return not all(map(is_of_plex, ids))
