"""What becomes of wanted titles: they are added and moved, arrive, and are watched."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import batched
from typing import NamedTuple

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util
from homeassistant.util.ulid import ulid_now

from .const import DOMAIN, EVENT_WATCHLIST_AVAILABLE
from .domain.play import Play
from .domain.title import MediaType, Title, same_title, same_year_or_id
from .domain.title_map import TitleMap
from .domain.watchlist import (
    Origin,
    WatchlistItem,
    candidates,
    completed,
    label,
    moved,
    renamed,
    typed_title,
    wanted_again,
)
from .library_updates import show_of
from .published import available_data
from .server import Server
from .storage.library import Changes
from .storage.store import UnreadableStoreError
from .storage.writer import StorageWriteError
from .viewer import Viewer

AT_ONCE = 50
"""Items looked up before the event loop has its turn again."""

_SPECIALS = 0
"""The season of what is told beside a show."""

type Items = tuple[WatchlistItem, ...]

type IsPublished = Callable[[WatchlistItem, Server], bool]
"""Says whether it is published that a wanted title turns out to be on a server."""


class _Found(NamedTuple):
    """A wanted title, where it is, and what it is taken for there."""

    item: WatchlistItem
    places: list[tuple[Server, Title]]


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
        # By viewer and item: what was played, to be checked off.
        self._watched: dict[tuple[Viewer, str], MediaType] = {}
        self._checking_off: asyncio.Task[None] | None = None

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
        now = dt_util.utcnow()
        new = WatchlistItem(
            uid=ulid_now(),
            title=_typed(text),
            added_at=now,
            origin=Origin.MANUAL,
            kind_is_guessed=True,
        )

        def add(items: Items) -> Items:
            # Nothing else changes the list meanwhile: what is found is what is there.
            if (known := _twin(viewer, new)) is None:
                return (*items, new)
            if known.done_at is None:
                raise _invalid("watchlist_present", title=label(known))
            return _replaced(items, known.uid, lambda item: wanted_again(item, now))

        await self.async_change(viewer, add)

    async def async_update(
        self, viewer: Viewer, uid: str, *, text: str, done: bool
    ) -> None:
        """Take what a person has made of an item's text, and whether it is done.

        Raises ServiceValidationError for what is no title, or that of another item.
        """
        now = dt_util.utcnow()

        def update(item: WatchlistItem) -> WatchlistItem:
            item = _renamed(viewer, item, text, now)
            if done == (item.done_at is not None):
                return item
            return replace(item, done_at=now) if done else wanted_again(item, now)

        await self.async_change(viewer, lambda items: _replaced(items, uid, update))

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

    async def async_change(
        self,
        viewer: Viewer,
        change: Callable[[Items], Iterable[WatchlistItem]],
        seen: tuple[str, Collection[str]] | None = None,
        refused: Collection[str] = (),
    ) -> None:
        """Change a list, and see where that is which is new on it.

        `seen` and `refused` are the state of the other side of an import. Raises ServiceValidationError
        for an item that is not there, HomeAssistantError where the list cannot be read,
        and StorageWriteError where it cannot be written: the change is made all the same,
        and written later.
        """
        before = {item.uid: item for item in viewer.watchlist.items}
        try:
            await viewer.watchlist.async_change(change, seen=seen, refused=refused)
        except KeyError as err:
            raise _invalid("watchlist_item_gone") from err
        except UnreadableStoreError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="not_readable"
            ) from err
        finally:
            # Also when it is in memory only, for now.
            viewer.updates.send()
            news = [
                item for item in viewer.watchlist.items if before.get(item.uid) != item
            ]
            # What is there already does not arrive.
            await self._async_check(viewer, news, _was_there)

    # Libraries

    async def async_viewer_loaded(self, viewer: Viewer) -> None:
        """Catch up with what arrived and was watched before a kill."""
        await self._async_check(viewer, viewer.watchlist.items, _has_arrived_before)
        await self._async_catch_up(viewer)

    async def async_loaded(self, server: Server) -> None:
        """Look for everything that is wanted, in a library that was stored."""
        for viewer in list(self._viewers.values()):
            await self.async_viewer_loaded(viewer)

    async def async_scanned(
        self, server: Server, changes: Changes, *, first: bool
    ) -> int:
        """Look for everything that is wanted; returns how much has become available.

        What the first scan finds has not arrived: it was there before anybody looked.
        """
        found = 0
        for viewer in list(self._viewers.values()):
            found += await self._async_check(
                viewer, viewer.watchlist.items, _was_there if first else _has_arrived
            )
            if first or changes.removed:
                # There may be no more of a show than what was watched.
                await self._async_catch_up(viewer)
        return found

    async def async_arrived(self, server: Server, titles: Collection[Title]) -> None:
        """Look whether somebody wants titles that have arrived on a server."""
        wanted: dict[str, dict[str, WatchlistItem]] = {}
        for some in batched(titles, AT_ONCE, strict=False):
            for title in some:
                if title.media_type in (MediaType.SEASON, MediaType.EPISODE):
                    title = show_of(title)
                for viewer in self._viewers.values():
                    items = wanted.setdefault(viewer.entry.entry_id, {})
                    found = viewer.watchlist.find_all(title)
                    items.update((item.uid, item) for item in found)
            await asyncio.sleep(0)
        for viewer_id, items in wanted.items():
            if items and (wanting := self._viewers.get(viewer_id)) is not None:
                await self._async_check(wanting, items.values(), _has_arrived)

    async def async_gone(self, server: Server) -> None:
        """Look again for what a server had until now."""
        for viewer in list(self._viewers.values()):
            known = self._available.get(viewer.entry.entry_id, {})
            items = [
                item
                for item in viewer.watchlist.items
                if server.entry.entry_id in known.get(item.uid, ())
            ]
            await self._async_check(viewer, items, _was_there)

    async def _async_check(
        self, viewer: Viewer, items: Iterable[WatchlistItem], is_published: IsPublished
    ) -> int:
        """Find out where wanted titles are; returns how many have become available."""
        viewer_id = viewer.entry.entry_id
        async with self._checking:
            known = self._available.setdefault(viewer_id, {})
            before = dict(known)
            news: dict[str, _Found] = {}
            for some in batched(items, AT_ONCE, strict=False):
                for item in some:
                    found = self._find(item)
                    known[item.uid] = tuple(
                        dict.fromkeys(server.entry.entry_id for server, _ in found)
                    )
                    if found and _is_news(item):
                        news[item.uid] = _Found(item, found)
                await asyncio.sleep(0)
            for uid in known.keys() - {item.uid for item in viewer.watchlist.items}:
                del known[uid]
            arrived = await self._async_mark(viewer, news) if news else []
        if known != before or arrived:
            viewer.updates.send()
        published = [each for each in arrived if is_published(*each)]
        if not viewer.watchlist.failing:
            self._publish(viewer, published)
        elif published:
            self._hass.async_create_background_task(
                self._async_publish_later(viewer, published), f"{DOMAIN} publish"
            )
        return len(arrived)

    def _find(self, item: WatchlistItem) -> list[tuple[Server, Title]]:
        """Return the servers that have a wanted title, and what it is taken for."""
        return [
            (server, title)
            for server in self._servers.values()
            for title in candidates(item)
            if server.library.has(title)
        ]

    async def _async_mark(
        self, viewer: Viewer, news: Mapping[str, _Found]
    ) -> list[tuple[WatchlistItem, Server]]:
        """Write down what is known of titles that are there, and that they are.

        Returns those that were not known to be there before and are still wanted.
        """
        meant = {
            uid: title
            for uid, found in news.items()
            if (title := await self._async_meant(found)) is not None
        }
        now = dt_util.utcnow()
        arrived: set[str] = set()

        def mark(items: Items) -> Items:
            marked = []
            for item in items:
                found = news.get(item.uid)
                if found is not None and found.item.title == item.title:
                    if item.announced_at is None and item.done_at is None:
                        arrived.add(item.uid)
                        item = replace(item, announced_at=now)
                    if item.uid in meant:
                        item = completed(item, meant[item.uid])
                marked.append(item)
            return tuple(marked)

        # What cannot be written now is written, and published, later.
        with suppress(StorageWriteError):
            await viewer.watchlist.async_change(mark)
        return [
            (item, news[item.uid].places[0][0])
            for item in viewer.watchlist.items
            if item.uid in arrived
        ]

    async def _async_meant(self, found: _Found) -> Title | None:
        """Return what a library says of a wanted title.

        None where it may be several titles: which of them is wanted nobody has said.
        """
        server, title = found.places[0]
        if any(other.media_type is not title.media_type for _, other in found.places):
            return None
        library = server.library
        titles = [*(await library.async_titles(library.find(title))).values()]
        if not titles or not all(same_title(titles[0], other) for other in titles[1:]):
            return None
        return titles[0]

    @callback
    def _publish(
        self, viewer: Viewer, arrived: Iterable[tuple[WatchlistItem, Server]]
    ) -> None:
        told = TitleMap[WatchlistItem]()
        for item, server in arrived:
            if told.find(item.title) is not None:
                continue
            told.add(item.title, item)
            servers = self.servers_with(viewer, item)
            self._hass.bus.async_fire(
                EVENT_WATCHLIST_AVAILABLE,
                available_data(viewer, item, server, servers),
            )

    async def _async_publish_later(
        self, viewer: Viewer, arrived: Iterable[tuple[WatchlistItem, Server]]
    ) -> None:
        await viewer.watchlist.async_settled()
        if viewer.entry.entry_id in self._viewers:
            self._publish(viewer, arrived)

    # Histories

    @callback
    def played(self, viewer: Viewer, play: Play) -> None:
        """Check off, in the background, what has been watched.

        Not by a play that is older than the wish, of which only more has become known.
        """
        if not viewer.checks_off:
            return
        title = play.title
        if title.media_type is MediaType.EPISODE:
            if title.season == _SPECIALS:
                return
            title = show_of(title)
        for item in _meant(viewer, title):
            if item.done_at is None and any(
                source.at >= item.added_at for source in play.sources
            ):
                self._watched[viewer, item.uid] = title.media_type
        if self._watched and self._checking_off is None:
            self._checking_off = self._hass.async_create_task(
                self._async_played(), f"{DOMAIN} check off", eager_start=False
            )

    async def _async_played(self) -> None:
        """Check off what has been watched; a show is looked at once for many plays."""
        try:
            while self._watched:
                some, self._watched = self._watched, {}
                by_viewer: dict[Viewer, list[WatchlistItem]] = {}
                for (viewer, uid), media_type in some.items():
                    item = viewer.watchlist.get(uid)
                    if item is not None and (
                        media_type is MediaType.MOVIE
                        or await self._async_times(viewer, item)
                    ):
                        by_viewer.setdefault(viewer, []).append(item)
                for viewer, watched in by_viewer.items():
                    await self._async_check_off(viewer, watched)
        finally:
            self._checking_off = None

    async def _async_catch_up(self, viewer: Viewer) -> None:
        """Check off what was watched since it is wanted, but could not be checked off then."""
        if not viewer.checks_off:
            return
        watched = []
        for item in viewer.watchlist.items:
            if item.done_at is None:
                # Some servers tell the time in whole seconds.
                since = int(item.added_at.timestamp())
                times = viewer.history.index.times(item.title)
                if await self._async_was_meant(
                    viewer, item, [time for time in times if time >= since]
                ) or any(
                    time >= since for time in await self._async_times(viewer, item)
                ):
                    watched.append(item)
                await asyncio.sleep(0)
        await self._async_check_off(viewer, watched)

    async def _async_was_meant(
        self, viewer: Viewer, item: WatchlistItem, times: Iterable[float]
    ) -> bool:
        """Return whether a movie that was watched at one of some times is an item's.

        The names that items go by leave open what the play itself may tell.
        """
        for time in times:
            start = dt_util.utc_from_timestamp(time)
            for play in await viewer.history.async_plays(
                start=start, end=start + timedelta(seconds=1)
            ):
                if any(each.uid == item.uid for each in _meant(viewer, play.title)):
                    return True
        return False

    async def _async_times(self, viewer: Viewer, item: WatchlistItem) -> list[float]:
        """Return when a viewer has watched the episodes of a show, specials aside.

        Nothing unless all that there are in libraries have been watched. What is in a
        library that was never scanned, nobody knows.
        """
        times: list[float] = []
        for server in list(self._servers.values()):
            library = server.library
            await library.async_load()
            if library.scanned_at is None:
                continue
            episodes = [
                library.index.item_of(row)
                for title in candidates(item)
                if title.media_type is MediaType.SHOW
                for show in library.find(title)
                for row in library.index.rows_of_show(show)
            ]
            # Of most shows that are wanted, the first episode tells that it is not over.
            for some in (episodes[:1], *batched(episodes[1:], AT_ONCE, strict=False)):
                for title in (await library.async_titles(some)).values():
                    if title.season == _SPECIALS:
                        continue
                    if not (of_episode := viewer.history.index.times(title)):
                        return []
                    times += of_episode
                await asyncio.sleep(0)
        return times

    async def _async_check_off(
        self, viewer: Viewer, watched: Collection[WatchlistItem]
    ) -> None:
        if not watched:
            return
        uids = {item.uid for item in watched}
        now = dt_util.utcnow()
        # What cannot be written now is written later.
        with suppress(StorageWriteError):
            await viewer.watchlist.async_change(
                lambda items: (
                    replace(item, done_at=now)
                    if item.uid in uids and item.done_at is None
                    else item
                    for item in items
                )
            )
        viewer.updates.send()


def _typed(text: str) -> Title:
    try:
        return typed_title(text)
    except ValueError as err:
        raise _invalid("watchlist_no_title") from err


def _replaced(
    items: Items, uid: str, change: Callable[[WatchlistItem], WatchlistItem]
) -> Items:
    """Return the items with one changed; raises KeyError if it is not there."""
    if all(item.uid != uid for item in items):
        raise KeyError(uid)
    return tuple(change(item) if item.uid == uid else item for item in items)


def _renamed(
    viewer: Viewer, item: WatchlistItem, text: str, now: datetime
) -> WatchlistItem:
    try:
        new = renamed(item, text, now)
    except ValueError as err:
        raise _invalid("watchlist_no_title") from err
    twin = _twin(viewer, new) if new is not item else None
    if twin is not None and twin.uid != item.uid:
        raise _invalid("watchlist_present", title=label(twin))
    return new


def _meant(viewer: Viewer, title: Title) -> list[WatchlistItem]:
    """Return the items of a list that are a movie or show.

    Those that say no more than its name are only where no other one is; where they are of
    several, nobody knows which of them it is.
    """
    found = viewer.watchlist.find_all(title)
    if certain := [item for item in found if same_year_or_id(item.title, title)]:
        return certain
    one_of_them = all(same_title(found[0].title, item.title) for item in found[1:])
    return found if one_of_them else []


def _twin(viewer: Viewer, item: WatchlistItem) -> WatchlistItem | None:
    """Return the item of a list that another one is the same as.

    A name without a year means whatever is there of that name.
    """
    is_name = item.title.year is None and not item.title.ids
    return next(
        (
            other
            for title in candidates(item)
            for other in viewer.watchlist.find_all(title)
            if other.uid != item.uid
            and (is_name or same_year_or_id(other.title, title))
        ),
        None,
    )


def _has_arrived(_item: WatchlistItem, _server: Server) -> bool:
    """Say that a title has arrived that was not known to be there before."""
    return True


def _was_there(_item: WatchlistItem, _server: Server) -> bool:
    """Say that a title has been there before anybody looked."""
    return False


def _has_arrived_before(item: WatchlistItem, server: Server) -> bool:
    """Say whether a title that is there at a start has arrived while it was wanted.

    It has if a scan has found it that was not the first one, before a kill.
    """
    at = server.library.rescanned_at
    return at is not None and item.added_at < at


def _is_news(item: WatchlistItem) -> bool:
    """Say whether it is worth writing down that an item is in a library."""
    is_known = bool(item.title.ids) and not item.kind_is_guessed
    return item.done_at is None and (item.announced_at is None or not is_known)


def _invalid(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders or None,
    )
