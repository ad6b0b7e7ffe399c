"""A viewer's watchlist, and what was on the one at Plex when they were compared last."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import orjson

from ..const import DOMAIN
from ..domain.title import Title
from ..domain.title_map import TitleMap
from ..domain.watchlist import LISTABLE, Origin, WatchlistItem, candidates
from .codec import time_from_text, title_from_dict, title_to_dict
from .store import ConfirmingStore, Migration, UnreadableStoreError
from .writer import Writer

VERSION = 1
MINOR_VERSION = 1

_ITEM_KEYS: dict[str, type] = {
    "uid": str,
    "kind_is_guessed": bool,
    "poster": str,
    "ids_asked": int,
}

MAX_ITEMS = 10_000
"""Items that a list can hold."""

type Change = Callable[[tuple[WatchlistItem, ...]], Iterable[WatchlistItem]]
"""Gets the present items and returns what they become."""


class WatchlistFullError(HomeAssistantError):
    """A change would make the list longer than it may be; nothing has been changed."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """An account at Plex, and what was on its list at the end of the last run, by guid.

    `refused` is what Plex has not taken off, though it should have.
    """

    account: str
    guids: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Entry:
    item: WatchlistItem
    raw: orjson.Fragment


@dataclass(frozen=True, slots=True)
class _Contents:
    """All there is at one moment; a change makes another one."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    by_title: TitleMap[str] = field(default_factory=TitleMap[str])
    items: tuple[WatchlistItem, ...] = ()
    seen: _Seen | None = None

    def with_items(
        self, items: Iterable[WatchlistItem], seen: _Seen | None
    ) -> _Contents:
        """Return what there is with other items; raises ValueError or TypeError.

        What is as it was is neither encoded nor filed anew. What could not be read again
        is refused.
        """
        entries: dict[str, _Entry] = {}
        by_title = self.by_title.copy()
        for item in items:
            if item.uid in entries:
                raise ValueError(f"{item.uid} is there twice")
            known = self.entries.get(item.uid)
            if known is not None and known.item == item:
                entries[item.uid] = known
                continue
            stored = _item_to_dict(item)
            _item_from_dict(stored)
            entries[item.uid] = _Entry(item, orjson.Fragment(orjson.dumps(stored)))
            if known is not None:
                _discard(by_title, known.item)
            for title in candidates(item):
                by_title.add(title, item.uid)
        for uid in self.entries.keys() - entries.keys():
            _discard(by_title, self.entries[uid].item)
        return _Contents(
            entries, by_title, tuple(entry.item for entry in entries.values()), seen
        )


class Watchlist:
    """The movies and shows that one viewer wants to watch, in the viewer's order."""

    def __init__(
        self,
        hass: HomeAssistant,
        key: str,
        *,
        on_trouble: Callable[[], None] = lambda: None,
        migrate: Migration | None = None,
    ) -> None:
        """Name the file; nothing is read yet.

        `on_trouble` is called whenever `failing` or `unreadable` has changed.
        """
        self._hass = hass
        self._on_trouble = on_trouble
        self._store = ConfirmingStore(
            hass, key, version=VERSION, minor_version=MINOR_VERSION, migrate=migrate
        )
        self._contents = _Contents()
        self._writer = Writer(hass, self._store, self._snapshot, on_trouble)
        self._loaded = False
        self._removed = False
        self._loading = asyncio.Lock()
        self._changing = asyncio.Lock()

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return self._writer.failing

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why."""
        return self._store.unreadable

    @property
    def items(self) -> tuple[WatchlistItem, ...]:
        """Return the items in their order."""
        return self._contents.items

    def __len__(self) -> int:
        """Return how many items there are, done or not."""
        return len(self._contents.items)

    def get(self, uid: str) -> WatchlistItem | None:
        """Return an item by its uid."""
        entry = self._contents.entries.get(uid)
        return entry.item if entry else None

    def find(self, title: Title) -> WatchlistItem | None:
        """Return the item that is, or whose name may be that of, a movie or show."""
        uid = self._contents.by_title.find(title)
        return None if uid is None else self.get(uid)

    def find_all(self, title: Title) -> list[WatchlistItem]:
        """Return every item that `find` might, each once."""
        uids = dict.fromkeys(self._contents.by_title.find_all(title))
        return [self._contents.entries[uid].item for uid in uids]

    def before(self, account: str) -> frozenset[str]:
        """Return what was on an account's list at Plex at the end of the last run.

        Nothing if there has been none, or if it was another account's.
        """
        return self._seen_of(account).guids

    def refused(self, account: str) -> frozenset[str]:
        """Return what of that Plex has not taken off its list, though it should have."""
        return self._seen_of(account).refused

    def _seen_of(self, account: str) -> _Seen:
        seen = self._contents.seen
        return seen if seen and seen.account == account else _Seen(account)

    async def async_load(self) -> None:
        """Read the list, once; one in an unreadable file is unknown until it is mended."""
        async with self._loading:
            if self._loaded:
                return
            was_unreadable = bool(self.unreadable)
            try:
                contents = await self._store.async_load_as(_contents)
            except UnreadableStoreError:
                self._on_trouble()
                return
            self._loaded = True
            self._contents = contents or _Contents()
        if was_unreadable:
            self._on_trouble()

    async def async_change(
        self,
        change: Change,
        *,
        seen: tuple[str, Collection[str]] | None = None,
        refused: Collection[str] = (),
    ) -> bool:
        """Change the items, and what was seen at Plex; returns whether that is different.

        `change` is called in the executor, one after the other, so that none gets lost;
        it must not use anything that belongs to the event loop. `seen` is an account and
        the guids that are on its list now, `refused` those of them that Plex has not taken
        off. All is written together, and on disk when this returns.

        Nothing changes a list that has been removed.

        Raises UnreadableStoreError while the file cannot be read, whatever `change`
        raises, WatchlistFullError, and ValueError or TypeError for items that cannot be
        stored, all with nothing changed; StorageWriteError when it could not be written:
        the change is kept and written later.
        """
        await self.async_load()
        async with self._changing:
            if self._removed:
                return False
            if self.unreadable:
                raise UnreadableStoreError(*self.unreadable.values())
            old = self._contents
            new_seen = old.seen
            if seen is not None:
                new_seen = _Seen(seen[0], frozenset(seen[1]), frozenset(refused))
            new = await self._hass.async_add_executor_job(
                self._changed, change, new_seen
            )
            if (new.items, new.seen) == (old.items, old.seen):
                return False
            self._contents = new
            written = self._writer.save()
        if written is not None:
            await written
        return True

    async def async_settled(self) -> None:
        """Return when nothing waits to be written again."""
        await self._writer.async_settled()

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        await self._writer.async_flush()

    async def async_remove(self) -> None:
        """Remove the file, after any change that is under way."""
        async with self._changing:
            self._removed = True
            await self._writer.async_remove()
            self._contents = _Contents()

    def _changed(self, change: Change, seen: _Seen | None) -> _Contents:
        old = self._contents
        items = tuple(change(old.items))
        if len(items) > max(MAX_ITEMS, len(old.items)):
            raise WatchlistFullError(
                translation_domain=DOMAIN,
                translation_key="watchlist_full",
                translation_placeholders={"limit": str(MAX_ITEMS)},
            )
        return old.with_items(items, seen)

    def _snapshot(self) -> dict[str, Any]:
        contents = self._contents
        stored: dict[str, Any] = {
            "items": [entry.raw for entry in contents.entries.values()]
        }
        if contents.seen is not None:
            seen = contents.seen
            stored["plex"] = {"account": seen.account, "guids": sorted(seen.guids)}
            if seen.refused:
                stored["plex"]["refused"] = sorted(seen.refused)
        return stored


def _contents(stored: dict[str, Any]) -> _Contents:
    """Return the contents of a stored form; raises what `DAMAGE` lists."""
    items = [_item_from_dict(entry) for entry in stored["items"]]
    seen = _seen_from_dict(stored["plex"]) if "plex" in stored else None
    return _Contents().with_items(items, seen)


def _discard(by_title: TitleMap[str], item: WatchlistItem) -> None:
    for title in candidates(item):
        by_title.discard(title, item.uid)


def _item_to_dict(item: WatchlistItem) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "uid": item.uid,
        **title_to_dict(item.title),
        "added_at": item.added_at.isoformat(),
        "origin": item.origin.value,
    }
    if item.kind_is_guessed:
        stored["kind_is_guessed"] = True
    if item.done_at is not None:
        stored["done_at"] = item.done_at.isoformat()
    if item.poster is not None:
        stored["poster"] = item.poster
    if item.announced_at is not None:
        stored["announced_at"] = item.announced_at.isoformat()
    if item.ids_asked_at is not None:
        stored["ids_asked_at"] = item.ids_asked_at.isoformat()
        stored["ids_asked"] = item.ids_asked
    return stored


def _item_from_dict(stored: Mapping[str, Any]) -> WatchlistItem:
    """Return the item of a stored form; raises KeyError, TypeError or ValueError."""
    title = title_from_dict(stored)
    if title.media_type not in LISTABLE:
        raise ValueError(f"a {title.media_type} is nothing for a watchlist")
    for key, kind in _ITEM_KEYS.items():
        if key in stored and type(stored[key]) is not kind:
            raise TypeError(f"{key} is {stored[key]!r}")
    return WatchlistItem(
        uid=stored["uid"],
        title=title,
        added_at=time_from_text(stored["added_at"]),
        origin=Origin(stored["origin"]),
        kind_is_guessed=stored.get("kind_is_guessed", False),
        poster=stored.get("poster"),
        ids_asked=stored.get("ids_asked", 0),
        **{
            key: time_from_text(stored[key])
            for key in ("done_at", "announced_at", "ids_asked_at")
            if key in stored
        },
    )


def _seen_from_dict(stored: Mapping[str, Any]) -> _Seen:
    account = stored["account"]
    if not isinstance(account, str):
        raise TypeError(f"plex is {stored!r}")
    guids, refused = stored["guids"], stored.get("refused", [])
    for each in (guids, refused):
        if not isinstance(each, list) or not all(
            isinstance(guid, str) for guid in each
        ):
            raise TypeError(f"{each!r} are no guids")
    return _Seen(account, frozenset(guids), frozenset(refused))
