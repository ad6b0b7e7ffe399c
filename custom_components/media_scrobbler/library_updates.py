"""Keeping a library current by the webhooks that tell of new and deleted media."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from datetime import datetime
from itertools import groupby, islice
import logging
from typing import TYPE_CHECKING, NamedTuple, Protocol

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN
from .domain.media_server import MediaServerError
from .domain.title import MediaType, Title
from .storage.library import Changes

if TYPE_CHECKING:
    from .server import Server

_LOGGER = logging.getLogger(__name__)

MAX_WAITING = 20_000
"""Items that wait to be looked at; of further ones a scan tells."""

AT_ONCE = 100
"""Items that are taken together where many wait."""

MATCHED_WITHIN = (120.0, 600.0, 1800.0)
"""Seconds after which the server is asked again for a movie or show that came without any id.

Some announce it by the name of its file, before they have found out what it is.
"""

_KINDS = (MediaType.MOVIE, MediaType.SHOW, MediaType.SEASON, MediaType.EPISODE)


class LibraryListener(Protocol):
    """Whoever is told what becomes of libraries."""

    async def async_scanned(
        self, server: Server, changes: Changes, *, first: bool
    ) -> int:
        """Hear of a scan, or of the first one; returns how many wanted titles are there now."""

    async def async_arrived(self, server: Server, titles: Collection[Title]) -> None:
        """Hear of titles that have come to a server, or of which more has become known."""

    async def async_gone(self, server: Server) -> None:
        """Hear that something has gone from a server."""

    async def async_loaded(self, server: Server) -> None:
        """Hear that a library that was stored is known again."""


class _Change(NamedTuple):
    """What a webhook says of an item."""

    title: Title
    is_added: bool


class LibraryUpdates:
    """Applies what webhooks say, in their order, and asks the server for what they leave out.

    One task does all of it, however many come.
    """

    def __init__(
        self, hass: HomeAssistant, server: Server, listener: LibraryListener
    ) -> None:
        """Take the server, and who is told of what comes and goes."""
        self._hass = hass
        self._server = server
        self._listener = listener
        # By item, the last that was said of it.
        self._waiting: OrderedDict[str, _Change] = OrderedDict()
        # By item: what is in the library, and the server may know more of.
        self._incomplete: OrderedDict[str, Title] = OrderedDict()
        # By show: what has arrived with it while it was not known.
        self._untold: dict[str, list[Title]] = {}
        # By item: those that had no id, how often they have been looked at, and when next.
        self._unmatched: dict[str, tuple[int, CALLBACK_TYPE]] = {}
        self._worker: asyncio.Task[None] | None = None

    @callback
    def added(self, title: Title) -> None:
        """Take note of something new."""
        self._put(_Change(title, is_added=True))

    @callback
    def removed(self, title: Title) -> None:
        """Take note of something that was deleted."""
        self._put(_Change(title, is_added=False))

    @callback
    def _put(self, change: _Change) -> None:
        if change.title.media_type not in _KINDS:
            return
        for item in change.title.items.values():
            if len(self._waiting) < MAX_WAITING or item in self._waiting:
                self._waiting[item] = change
                self._waiting.move_to_end(item)
        if self._waiting:
            self._work()

    @callback
    def _work(self) -> None:
        if self._worker is None:
            self._worker = self._hass.async_create_background_task(
                self._async_work(), f"{DOMAIN} library updates", eager_start=False
            )

    @callback
    def stop(self) -> None:
        """Let go of what waits."""
        self._waiting.clear()
        self._incomplete.clear()
        self._untold.clear()
        for _, cancel in self._unmatched.values():
            cancel()
        self._unmatched.clear()
        if self._worker is not None:
            self._worker.cancel()

    async def _async_work(self) -> None:
        try:
            while self._waiting or self._incomplete:
                # First what webhooks say: it may be all that there is to learn.
                if self._waiting:
                    await self._async_apply()
                else:
                    await self._async_complete(*self._incomplete.popitem(last=False))
                self._server.updates.send()
        finally:
            self._worker = None

    async def _async_apply(self) -> None:
        """Apply some of what waits."""
        count = min(len(self._waiting), AT_ONCE)
        some = [self._waiting.popitem(last=False) for _ in range(count)]
        for is_added, group in groupby(some, lambda waiting: waiting[1].is_added):
            titles = {item: change.title for item, change in group}
            if is_added:
                await self._async_add(titles)
            else:
                await self._async_remove(titles)

    async def _async_add(self, titles: dict[str, Title]) -> None:
        library = self._server.library
        await library.async_load()
        shows = {
            item: show_of(title)
            for title in titles.values()
            for item in title.show_items.values()
            if library.index.row_of(item) is None
        }
        added = shows | titles
        arrived = await library.async_put(
            title
            for title in added.values()
            if title.media_type is not MediaType.SEASON
        )
        asked: dict[str, Title] = {}
        if self._server.connection is not None:
            room = max(0, MAX_WAITING - len(self._incomplete))
            asked = dict(islice(added.items(), room))
            self._incomplete |= asked
        told: list[Title] = []
        for title in arrived:
            # Of the show of an episode there is but the name: with what is in it, it is told
            # of once more is known.
            items = (*title.items.values(), *title.show_items.values())
            show = next(
                (item for item in items if item in shows and item in asked), None
            )
            if show is None:
                told.append(title)
            else:
                self._untold.setdefault(show, []).append(title)
        await self._listener.async_arrived(self._server, told)

    async def _async_remove(self, titles: dict[str, Title]) -> None:
        gone = 0
        for item, title in titles.items():
            self._incomplete.pop(item, None)
            self._untold.pop(item, None)
            if (unmatched := self._unmatched.pop(item, None)) is not None:
                unmatched[1]()
            for each in (item, *await self._async_episodes_of(title)):
                gone += await self._server.library.async_remove(each)
        if gone:
            await self._listener.async_gone(self._server)

    async def _async_episodes_of(self, season: Title) -> list[str]:
        """Return the items of a season's episodes; nobody tells that they are gone too."""
        if season.media_type is not MediaType.SEASON or season.season is None:
            return []
        library = self._server.library
        await library.async_load()
        episodes = await library.async_titles(
            library.index.item_of(row)
            for show in season.show_items.values()
            for row in library.index.rows_of_show(show)
        )
        return [
            item for item, title in episodes.items() if title.season == season.season
        ]

    async def _async_complete(self, item: str, title: Title) -> None:
        """Ask the server for what it knows of an item, and has been added to it."""
        untold = self._untold.pop(item, [])
        connection = self._server.connection
        if connection is None or not connection.last_update_success:
            await self._listener.async_arrived(self._server, untold)
            return
        is_season = title.media_type is MediaType.SEASON
        episodes: list[Title] = []
        completed = title
        try:
            if is_season or title.media_type is MediaType.SHOW:
                # Plex tells of a show or season, whatever has been added to it.
                episodes = await connection.client.async_episodes(item)
            if item in self._unmatched:
                # What it was called before it was known is of no use.
                completed = await connection.client.async_title(item) or title
            elif not is_season:
                completed = await connection.enrichment.async_complete(title)
        except MediaServerError as err:
            _LOGGER.debug("An item of the library was not completed: %s", err.reason)
        library = self._server.library
        kept = title.show_items if is_season else title.items
        if all(library.index.row_of(each) is None for each in kept.values()):
            # It has gone meanwhile, with its show.
            return
        # What was known by half may be recognised only now.
        news = [completed] if completed != title else []
        arrived = await library.async_put([*news, *episodes])
        await self._listener.async_arrived(self._server, [*news, *untold, *arrived])
        if not is_season and title.media_type is not MediaType.EPISODE:
            self._look_again(item, completed)

    @callback
    def _look_again(self, item: str, title: Title) -> None:
        """Have a movie or show that nothing identifies be asked for once more, in a while."""
        times, _ = self._unmatched.pop(item, (0, None))
        if title.ids or times == len(MATCHED_WITHIN) or len(self._unmatched) >= AT_ONCE:
            return

        @callback
        def look(_now: datetime) -> None:
            self._incomplete[item] = title
            self._work()

        self._unmatched[item] = (
            times + 1,
            async_call_later(
                self._hass,
                MATCHED_WITHIN[times],
                HassJob(look, cancel_on_shutdown=True),
            ),
        )


def show_of(title: Title) -> Title:
    """Return the show of an episode or season, as far as that tells."""
    return Title(
        media_type=MediaType.SHOW,
        title=title.show,
        ids=title.show_ids,
        items=title.show_items,
    )
