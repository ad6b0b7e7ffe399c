"""Keeping a library current by the webhooks that tell of new and deleted media."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
import logging
from typing import TYPE_CHECKING, Protocol

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from .const import DOMAIN
from .domain.media_server import MediaServerError
from .domain.title import MediaType, Title
from .storage.library import Changes

if TYPE_CHECKING:
    from .server import Server

_LOGGER = logging.getLogger(__name__)

MAX_WAITING = 20_000
"""Items that wait to be looked at; of further ones a scan tells."""

_KINDS = (MediaType.MOVIE, MediaType.SHOW, MediaType.SEASON, MediaType.EPISODE)


class LibraryListener(Protocol):
    """Whoever is told what becomes of libraries."""

    async def async_scanned(
        self, server: Server, changes: Changes, *, first: bool
    ) -> int:
        """Hear of a scan, or of the first one; returns how many wanted titles are there now."""

    async def async_arrived(self, server: Server, titles: Collection[Title]) -> None:
        """Hear of titles that have come to a server."""

    async def async_gone(self, server: Server) -> None:
        """Hear that something has gone from a server."""

    async def async_loaded(self, server: Server) -> None:
        """Hear that a library that was stored is known again."""


class LibraryUpdates:
    """Applies what webhooks say, in their order, and asks the server for what they leave out."""

    def __init__(
        self, hass: HomeAssistant, server: Server, listener: LibraryListener
    ) -> None:
        """Take the server, and who is told of what comes and goes."""
        self._hass = hass
        self._server = server
        self._listener = listener
        # By item: the title that has been added, None if the item has been removed.
        self._waiting: OrderedDict[str, Title | None] = OrderedDict()
        self._worker: asyncio.Task[None] | None = None

    @callback
    def added(self, title: Title) -> None:
        """Take note of something new."""
        if title.media_type in _KINDS:
            self._put(title, title)

    @callback
    def removed(self, title: Title) -> None:
        """Take note of something that was deleted."""
        if title.media_type in _KINDS:
            self._put(title, None)

    @callback
    def _put(self, title: Title, change: Title | None) -> None:
        for item in title.items.values():
            if len(self._waiting) < MAX_WAITING or item in self._waiting:
                self._waiting[item] = change
                self._waiting.move_to_end(item)
        if self._worker is None and self._waiting:
            self._worker = self._hass.async_create_background_task(
                self._async_work(), f"{DOMAIN} library updates"
            )

    @callback
    def stop(self) -> None:
        """Let go of what waits."""
        self._waiting.clear()
        if self._worker is not None:
            self._worker.cancel()

    async def _async_work(self) -> None:
        try:
            while self._waiting:
                item, title = self._waiting.popitem(last=False)
                try:
                    if title is None:
                        if await self._server.library.async_remove(item):
                            await self._listener.async_gone(self._server)
                    else:
                        await self._async_add(item, title)
                except HomeAssistantError as err:
                    _LOGGER.debug("An item of the library was passed over: %s", err)
                self._server.updates.send()
        finally:
            self._worker = None

    async def _async_add(self, item: str, title: Title) -> None:
        # First what the webhook says: it may be all that there is to learn.
        if title.media_type is not MediaType.SEASON:
            await self._async_store([title])
        connection = self._server.connection
        if connection is None:
            return
        try:
            if title.media_type in (MediaType.SHOW, MediaType.SEASON):
                # Plex tells of a show or season, whatever has been added to it.
                await self._async_store(await connection.client.async_episodes(item))
            completed = await connection.enrichment.async_complete(title)
            if title.media_type is not MediaType.SEASON and completed != title:
                await self._async_store([completed])
        except MediaServerError as err:
            _LOGGER.debug("An item of the library was not completed: %s", err.reason)

    async def _async_store(self, titles: list[Title]) -> None:
        shows = {
            item: show_of(title)
            for title in titles
            for item in title.show_items.values()
            if self._server.library.index.row_of(item) is None
        }
        arrived = await self._server.library.async_put([*shows.values(), *titles])
        # What was known by half may be recognised only now.
        await self._listener.async_arrived(self._server, arrived or titles)


def show_of(title: Title) -> Title:
    """Return the show of an episode or season, as far as that tells."""
    return Title(
        media_type=MediaType.SHOW,
        title=title.show,
        ids=title.show_ids,
        items=title.show_items,
    )
