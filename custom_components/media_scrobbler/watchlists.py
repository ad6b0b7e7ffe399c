"""What becomes of wanted titles: they are added and moved, arrive, and are watched."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import batched
import logging

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util
from homeassistant.util.ulid import ulid_now

from .const import DOMAIN, EVENT_WATCHLIST_AVAILABLE
from .domain.play import Play
from .domain.title import MediaType, Title
from .domain.watchlist import (
    Origin,
    WatchlistItem,
    candidates,
    completed,
    moved,
    renamed,
    typed_title,
)
from .library_updates import show_of
from .published import available_data
from .server import Server
from .storage.history import History
from .storage.library import Changes
from .viewer import Viewer

_LOGGER = logging.getLogger(__name__)

AT_ONCE = 50
"""Items looked up before the event loop has its turn again."""

type Items = tuple[WatchlistItem, ...]


class Watchlists:
    """Every viewer's watchlist, and what it has to do with libraries and histories.

    Where a title is, is not stored: libraries tell. What is stored is that it was published.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        servers: Mapping[str, Server],
        viewers: Mapping[str, Viewer],
    ) -> None:
        """Take the servers and viewers that there are, by entry id."""
        self._hass = hass
        self._servers = servers
        self._viewers = viewers
        # By viewer and item: the entry ids of the servers that have it.
        self._available: dict[str, dict[str, tuple[str, ...]]] = {}
        self._checking = asyncio.Lock()

    # Reading

    def servers_with(self, viewer: Viewer, item: WatchlistItem) -> list[Server]:
        """Return the servers whose library has a wanted title."""
        found = self._available.get(viewer.entry.entry_id, {}).get(item.uid, ())
        servers = self._servers
        return [servers[entry_id] for entry_id in found if entry_id in servers]

    def available_count(self, viewer: Viewer) -> int:
        """Return how many of the titles that are still wanted are in a library."""
        return sum(
            bool(self.servers_with(viewer, item))
            for item in viewer.watchlist.items
            if item.done_at is None
        )

    # Changing

    async def async_add(self, viewer: Viewer, text: str) -> None:
        """Add what a person has typed, at the end; a title that was done is wanted again.

        Raises ServiceValidationError for what is no title or on the list already.
        """
        try:
            title = typed_title(text)
        except ValueError as err:
            raise _invalid("watchlist_no_title") from err
        now = dt_util.utcnow()
        known = viewer.watchlist.find(title)
        if known is not None:
            if known.done_at is None:
                raise _invalid("watchlist_present", title=text)
            await self.async_set_done(viewer, known.uid, done=False)
            return
        item = WatchlistItem(
            uid=ulid_now(),
            title=title,
            added_at=now,
            origin=Origin.MANUAL,
            kind_is_guessed=True,
        )
        await self.async_change(viewer, lambda items: (*items, item))

    async def async_rename(self, viewer: Viewer, uid: str, text: str) -> None:
        """Take what a person has made of an item's text."""
        try:
            await self._async_replace(viewer, uid, lambda item: renamed(item, text))
        except ValueError as err:
            raise _invalid("watchlist_no_title") from err

    async def async_set_done(self, viewer: Viewer, uid: str, *, done: bool) -> None:
        """Check an item off, or want it again."""
        now = dt_util.utcnow()

        def change(item: WatchlistItem) -> WatchlistItem:
            if done == (item.done_at is not None):
                return item
            if done:
                return replace(item, done_at=now)
            # Wanted anew: what was watched before does not check it off again.
            return replace(item, done_at=None, added_at=now)

        await self._async_replace(viewer, uid, change)

    async def async_delete(self, viewer: Viewer, uids: Collection[str]) -> None:
        """Take items off the list."""

        def delete(items: Items) -> Items:
            if unknown := set(uids) - {item.uid for item in items}:
                raise KeyError(unknown.pop())
            return tuple(item for item in items if item.uid not in uids)

        await self.async_change(viewer, delete)

    async def async_move(
        self, viewer: Viewer, uid: str, previous_uid: str | None
    ) -> None:
        """Move an item behind another one, or to the top."""
        await self.async_change(viewer, lambda items: moved(items, uid, previous_uid))

    async def _async_replace(
        self,
        viewer: Viewer,
        uid: str,
        change: Callable[[WatchlistItem], WatchlistItem],
    ) -> None:
        def replaced(items: Items) -> Items:
            if all(item.uid != uid for item in items):
                raise KeyError(uid)
            return tuple(change(item) if item.uid == uid else item for item in items)

        await self.async_change(viewer, replaced)

    async def async_change(
        self,
        viewer: Viewer,
        change: Callable[[Items], Iterable[WatchlistItem]],
        seen: tuple[str, Collection[str]] | None = None,
    ) -> None:
        """Change a list, and see where that is which is new on it.

        `seen` is the state of the other side of an import. Raises ServiceValidationError
        for an item that is not there, and HomeAssistantError where the list cannot be read
        or written.
        """
        before = {item.uid: item for item in viewer.watchlist.items}
        try:
            await viewer.watchlist.async_change(change, seen=seen)
        except KeyError as err:
            raise _invalid("watchlist_item_gone") from err
        finally:
            viewer.updates.send()
        news = [
            item
            for item in viewer.watchlist.items
            if (known := before.get(item.uid)) is None or known.title != item.title
        ]
        # What is there already does not arrive.
        await self._async_check(viewer, news, publish=False)

    # Libraries

    async def async_viewer_loaded(self, viewer: Viewer) -> None:
        """Catch up with what was watched and has arrived before a kill."""
        await self._async_check(viewer, viewer.watchlist.items, publish=True)
        if viewer.checks_off:
            watched = [
                item
                for item in viewer.watchlist.items
                if item.done_at is None and _was_watched(viewer.history, item)
            ]
            await self._async_check_off(viewer, watched)

    async def async_loaded(self, server: Server) -> None:
        """Look for everything that is wanted, in a library that was stored."""
        await self._async_check_all(publish=True)

    async def async_scanned(
        self, server: Server, changes: Changes, *, first: bool
    ) -> int:
        """Look for everything that is wanted; returns how much has become available.

        What the first scan finds has not arrived: it was there before anybody looked.
        """
        return await self._async_check_all(publish=not first)

    async def _async_check_all(self, *, publish: bool) -> int:
        return sum(
            [
                await self._async_check(viewer, viewer.watchlist.items, publish=publish)
                for viewer in list(self._viewers.values())
            ]
        )

    async def async_arrived(self, server: Server, titles: Collection[Title]) -> None:
        """Look whether somebody wants titles that have arrived on a server."""
        wanted: dict[str, dict[str, WatchlistItem]] = {}
        for some in batched(titles, AT_ONCE, strict=False):
            for title in some:
                if title.media_type in (MediaType.SEASON, MediaType.EPISODE):
                    title = show_of(title)
                for viewer in self._viewers.values():
                    if (item := viewer.watchlist.find(title)) is not None:
                        wanted.setdefault(viewer.entry.entry_id, {})[item.uid] = item
            await asyncio.sleep(0)
        for viewer_id, items in wanted.items():
            if (wanting := self._viewers.get(viewer_id)) is not None:
                await self._async_check(wanting, items.values(), publish=True)

    async def async_gone(self, server: Server) -> None:
        """Look again for what a server had until now."""
        for viewer in list(self._viewers.values()):
            known = self._available.get(viewer.entry.entry_id, {})
            items = [
                item
                for item in viewer.watchlist.items
                if server.entry.entry_id in known.get(item.uid, ())
            ]
            await self._async_check(viewer, items, publish=True)

    async def _async_check(
        self, viewer: Viewer, items: Iterable[WatchlistItem], *, publish: bool
    ) -> int:
        """Find out where wanted titles are; returns how many have become available."""
        viewer_id = viewer.entry.entry_id
        async with self._checking:
            known = self._available.setdefault(viewer_id, {})
            before = dict(known)
            news: dict[str, tuple[Server, Title]] = {}
            for some in batched(items, AT_ONCE, strict=False):
                for item in some:
                    places = self._places(item)
                    known[item.uid] = tuple(
                        server.entry.entry_id for server, _ in places
                    )
                    if places and _is_news(item):
                        news[item.uid] = places[0]
                await asyncio.sleep(0)
            for uid in known.keys() - {item.uid for item in viewer.watchlist.items}:
                del known[uid]
            arrived = await self._async_mark(viewer, news) if news else []
        if known != before or arrived:
            viewer.updates.send()
        if publish:
            for item, server in arrived:
                self._hass.bus.async_fire(
                    EVENT_WATCHLIST_AVAILABLE,
                    available_data(
                        viewer, item, server, self.servers_with(viewer, item)
                    ),
                )
        return len(arrived)

    def _places(self, item: WatchlistItem) -> list[tuple[Server, Title]]:
        """Return the servers that have a wanted title, and what it is taken for."""
        return [
            (server, title)
            for server in self._servers.values()
            for title in candidates(item)
            if server.library.has(title)
        ]

    async def _async_mark(
        self, viewer: Viewer, news: Mapping[str, tuple[Server, Title]]
    ) -> list[tuple[WatchlistItem, Server]]:
        """Write down what is known of titles that are there, and that they are.

        Returns those that were not known to be there before and are still wanted.
        """
        stored = await self._async_stored(news)
        now = dt_util.utcnow()
        arrived: list[str] = []

        def mark(items: Items) -> Items:
            arrived.clear()
            marked = []
            for item in items:
                if item.uid in stored:
                    if item.announced_at is None and item.done_at is None:
                        arrived.append(item.uid)
                        item = replace(item, announced_at=now)
                    item = completed(item, stored[item.uid])
                marked.append(item)
            return tuple(marked)

        try:
            await viewer.watchlist.async_change(mark)
        except HomeAssistantError as err:
            # Published when that has been written down, not before.
            _LOGGER.debug("What is available could not be noted: %s", err)
            return []
        return [
            (item, news[item.uid][0])
            for item in viewer.watchlist.items
            if item.uid in arrived
        ]

    async def _async_stored(
        self, places: Mapping[str, tuple[Server, Title]]
    ) -> dict[str, Title]:
        """Return what libraries say of wanted titles, by item."""
        by_server: dict[Server, dict[str, str]] = {}
        for uid, (server, title) in places.items():
            for found in server.library.find(title)[:1]:
                by_server.setdefault(server, {})[uid] = found
        stored: dict[str, Title] = {}
        for server, found_items in by_server.items():
            titles = await server.library.async_titles(found_items.values())
            for uid, found in found_items.items():
                if (known := titles.get(found)) is not None:
                    stored[uid] = known
        return stored

    # Histories

    @callback
    def played(self, viewer: Viewer, play: Play) -> None:
        """Check off, in the background, what has been watched."""
        if not viewer.checks_off:
            return
        title = play.title
        if title.media_type is MediaType.EPISODE:
            title = show_of(title)
        item = viewer.watchlist.find(title)
        if item is not None and item.done_at is None:
            self._hass.async_create_task(
                self._async_played(viewer, item, title), f"{DOMAIN} check off"
            )

    async def _async_played(
        self, viewer: Viewer, item: WatchlistItem, title: Title
    ) -> None:
        if title.media_type is not MediaType.SHOW or await self._async_is_seen(
            viewer, title
        ):
            await self._async_check_off(viewer, [item])

    async def _async_is_seen(self, viewer: Viewer, show: Title) -> bool:
        """Say whether a viewer has watched all of a show that there is, but for specials."""
        for server in list(self._servers.values()):
            library = server.library
            episodes = [
                library.index.item_of(row)
                for item in library.find(show)
                for row in library.index.rows_of_show(item)
            ]
            titles = await library.async_titles(episodes)
            numbered = [title for title in titles.values() if title.season != 0]
            if numbered:
                return all(viewer.history.index.times(title) for title in numbered)
        return False

    async def _async_check_off(
        self, viewer: Viewer, watched: Collection[WatchlistItem]
    ) -> None:
        if not watched:
            return
        uids = {item.uid for item in watched}
        now = dt_util.utcnow()
        try:
            await viewer.watchlist.async_change(
                lambda items: (
                    replace(item, done_at=now)
                    if item.uid in uids and item.done_at is None
                    else item
                    for item in items
                )
            )
        except HomeAssistantError as err:
            _LOGGER.debug("A watched title could not be checked off: %s", err)
        viewer.updates.send()


def _is_news(item: WatchlistItem) -> bool:
    """Say whether it is worth writing down that an item is in a library."""
    return item.done_at is None and (item.announced_at is None or item.kind_is_guessed)


def _was_watched(history: History, item: WatchlistItem) -> bool:
    """Say whether a movie has been watched since it is wanted."""
    since = item.added_at.timestamp()
    return item.title.media_type is MediaType.MOVIE and any(
        time >= since for time in history.index.times(item.title)
    )


def _invalid(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders or None,
    )
