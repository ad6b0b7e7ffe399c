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
from .domain.title import MediaType, Title, combine, is_of_plex

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
    play_id: str
    title: Title


class Enrichment:
    """Completes plays in the background, one after the other."""

    def __init__(
        self, hass: HomeAssistant, entry: ServerConfigEntry, client: MediaServer
    ) -> None:
        """Take the server."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._known: OrderedDict[str, Title | None] = OrderedDict()
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
    def add(self, viewer: Viewer, play_id: str, title: Title) -> None:
        """Complete a play if the server may know more of its title."""
        server_id = self._entry.unique_id or ""
        if is_complete(title) or server_id not in title.items | title.show_items:
            return
        self._queue[viewer.entry.entry_id, play_id] = _Wanting(viewer, play_id, title)
        self._wake.set()

    async def async_add_recent(self, viewer: Viewer) -> None:
        """Complete what a viewer watched lately."""
        for play in await viewer.history.async_plays(
            start=dt_util.utcnow() - LOOK_BACK
        ):
            self.add(viewer, play.id, play.title)

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
                    title = await self.async_complete(wanting.title)
                except MediaServerError as err:
                    # It stays in the queue until the server has been reached again, behind
                    # the others: it may be the only one that the server fails at.
                    _LOGGER.debug("A title could not be completed: %s", err.reason)
                    self._queue.move_to_end(key)
                    if isinstance(err, SignInError):
                        await self._connection.async_request_refresh()
                    break
                self._queue.pop(key, None)
                if title == wanting.title:
                    continue
                try:
                    await wanting.viewer.async_complete_play(wanting.play_id, title)
                except HomeAssistantError as err:
                    # Its file cannot be read or written, which a person is told of.
                    _LOGGER.debug("A play could not be completed: %s", err)

    async def async_complete(self, title: Title) -> Title:
        """Return a title with what the server knows of it; raises MediaServerError."""
        server_id = self._entry.unique_id or ""
        # Asked only if it is the item itself that lacks something, or where its show is.
        if (item := title.items.get(server_id)) and not (
            _is_described(title) and (_has_show(title) or server_id in title.show_items)
        ):
            if (known := await self._async_title(item)) is not None:
                title = combine(title, known)
        if (
            not _has_show(title)
            and (item := title.show_items.get(server_id))
            and (show := await self._async_title(item)) is not None
        ):
            title = replace(
                title, show_ids=show.ids | title.show_ids, show=title.show or show.title
            )
        return title

    async def _async_title(self, item: str) -> Title | None:
        if item not in self._known:
            self._known[item] = await self._client.async_title(item)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(item)
        return self._known[item]


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
