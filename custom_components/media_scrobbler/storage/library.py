"""A server's library: its titles on disk, an index of them in memory.

The titles are in parts that are named by what is in them, so that a scan that finds them
as they were writes nothing. A header lists the parts and is written last: whenever a
change is interrupted, the library is what it was or what it was to be. Parts that no
header lists are removed when the library is read.

All of it can be had from the server again. A library that cannot be read is one that has
not been scanned; its files stay as they are until a scan replaces them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched
import logging
from pathlib import Path
import time
from typing import Any, override

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.storage import STORAGE_DIR
import orjson

from ..collector import collected_by_hand
from ..const import DOMAIN
from ..domain.library import Section
from ..domain.title import MediaType, Title
from .codec import time_from_text
from .library_contents import (
    MINOR_VERSION,
    VERSION,
    Contents,
    Part,
    decoded,
    listed_part,
    reopen,
    stored_item,
)
from .library_index import LibraryIndex, item_id
from .store import DAMAGE, ConfirmingStore, Migration, UnreadableStoreError
from .writer import StorageWriteError, Writer

_LOGGER = logging.getLogger(__name__)

SAVE_DELAY = 5.0
"""Seconds before a change is written: a server tells of many at a time, one by one."""

_BATCH = 500
"""Titles of a scan that are taken at a time."""
_TURN = 50
"""Titles that are put before the event loop has its turn."""


class LibraryRemovedError(HomeAssistantError):
    """The library has been removed: nothing can be kept in it any more."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a scan has changed, in items.

    Nothing has arrived by the first scan: what was there is only known since.
    """

    added: int
    removed: int
    encoded: tuple[bytes, ...] = ()

    def arrived(self) -> Iterator[Title]:
        """Yield the titles that were not in the library before."""
        return (decoded(raw) for raw in self.encoded)


class _WholeStore(ConfirmingStore):
    """The files of a library as a Writer sees them: one thing that is written."""

    def __init__(
        self, hass: HomeAssistant, key: str, write: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(hass, key)
        self._write = write

    @override
    async def async_confirm_save(self, data: dict[str, Any]) -> None:
        await self._write()


class Library:
    """The library of one server."""

    def __init__(
        self,
        hass: HomeAssistant,
        server_id: str,
        *,
        on_trouble: Callable[[], None] = lambda: None,
        migrate: Migration | None = None,
    ) -> None:
        """Name the files; nothing is read yet.

        `server_id` is the config entry's id. `on_trouble` is called whenever `failing`
        has changed.
        """
        self._hass = hass
        self._key = f"library.{server_id}"
        self._migrate = migrate
        self._on_trouble = on_trouble
        self._header = self._store(self._key)
        self._writer = Writer(
            hass, _WholeStore(hass, self._key, self._async_save), dict, on_trouble
        )
        self._contents = Contents()
        self._scans: list[LibraryScan] = []
        self._on_disk: set[str] = set()
        self._unreadable = False
        self._removed = False
        self._lock = asyncio.Lock()
        self._loading: asyncio.Task[None] | None = None
        self._cancel_saving: CALLBACK_TYPE | None = None

    # What there is

    @property
    def scanned_at(self) -> datetime | None:
        """Return when all of it was scanned last, None if it never was or is unreadable."""
        return self._contents.scanned_at

    @property
    def rescanned_at(self) -> datetime | None:
        """Return when it was scanned last, None if that was the first time or never.

        What the first scan finds was there before anybody looked.
        """
        return self.scanned_at if self._contents.rescanned else None

    @property
    def index(self) -> LibraryIndex:
        """Return the counts."""
        return self._contents.index

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return self._writer.failing

    def find(self, title: Title, *, is_played: bool = False) -> list[str]:
        """Return the items that are a title, as `LibraryIndex.find` does."""
        rows = self.index.find(title, is_played=is_played)
        return [self.index.item_of(row) for row in rows]

    def has(self, title: Title) -> bool:
        """Return whether any item is the title."""
        return bool(self.index.find(title))

    async def async_titles(self, items: Iterable[str]) -> dict[str, Title]:
        """Return the titles of items as they are stored; those that are there."""
        await self.async_load()
        async with self._lock:
            return await self._async_titles(items)

    async def _async_titles(self, items: Iterable[str]) -> dict[str, Title]:
        """Return the titles of items, with the lock held."""
        wanted: dict[int, set[str]] = {}
        for item in items:
            if (row := self.index.row_of(item)) is not None:
                wanted.setdefault(self.index.part_of(row), set()).add(item)
        if not wanted:
            return {}
        parts = self._contents.parts
        return await self._hass.async_add_executor_job(
            lambda: dict(
                entry
                for number, of_part in wanted.items()
                for entry in self._read_some(parts[number], of_part)
            )
        )

    # Reading

    async def async_load(self) -> None:
        """Read the library, once; later calls wait for the first."""
        if self._loading is None:
            self._loading = self._hass.async_create_background_task(
                self._async_load(), f"{DOMAIN} load {self._key}"
            )
        await asyncio.shield(self._loading)

    async def _async_load(self) -> None:
        async with self._lock:
            try:
                with collected_by_hand:
                    contents = await self._hass.async_add_executor_job(self._read)
            except UnreadableStoreError as err:
                self._unreadable = True
                _LOGGER.warning(
                    "The library of a server is unknown until it is scanned again: %s",
                    err,
                )
                return
            self._contents = contents
            self._on_disk = contents.names

    def _read(self) -> Contents:
        """Read and index it all, in the executor; raises UnreadableStoreError."""
        header = self._header.read()
        contents = Contents()
        if header is not None:
            try:
                contents.parts = [listed_part(entry) for entry in header["parts"]]
                contents.forgotten = set(header["forgotten"])
                if header["scanned_at"] is not None:
                    contents.scanned_at = time_from_text(header["scanned_at"])
                contents.rescanned = header.get("rescanned") is True
            except DAMAGE as err:
                raise UnreadableStoreError(
                    f"{self._header.path} is damaged: {err!r}"
                ) from err
            for number, part in enumerate(contents.parts):
                # The event loop has its turn, which a busy thread would keep waiting.
                time.sleep(0)
                for item, title in self._read_part(part):
                    if item not in contents.forgotten:
                        contents.enter(item, title, number)
            if contents.parts and (last := contents.parts[-1]).section is None:
                reopen(last, self._read_part(last))
        self._sweep(contents.names)
        return contents

    def _read_part(
        self, part: Part, wanted: set[str] | None = None
    ) -> Iterator[tuple[str, Title]]:
        """Yield the titles of a part, or of some items of it, in the executor.

        Raises UnreadableStoreError.
        """
        store = self._store(f"{self._key}.{part.name}")
        if (stored := store.read()) is None:
            raise UnreadableStoreError(f"{store.path} is missing")
        try:
            for entry in stored["titles"]:
                if wanted is None or not wanted.isdisjoint(entry["items"].values()):
                    yield stored_item(entry)
        except DAMAGE as err:
            raise UnreadableStoreError(f"{store.path} is damaged: {err!r}") from err

    def _read_some(self, part: Part, items: set[str]) -> Iterator[tuple[str, Title]]:
        """Yield titles of a part, in the executor; none of a part that cannot be read."""
        time.sleep(0)
        if part.titles is not None:
            for item in items:
                yield item, decoded(part.titles[item])
            return
        try:
            yield from self._read_part(part, items)
        except UnreadableStoreError as err:
            # Readable at the start and not any more: the next scan writes it anew.
            if part.name in self._on_disk:
                self._on_disk.discard(part.name)
                _LOGGER.warning("Titles of a library cannot be read: %s", err)

    # Changing

    async def async_put(self, titles: Iterable[Title]) -> list[Title]:
        """Add or replace titles that have become known without a scan.

        Returns those that were not there before. An episode gets the external ids of its
        show if that is in the library. What is no item of the server is passed over.
        Known at once, on disk some seconds later.
        """
        items = {item: title for title in titles if (item := item_id(title))}
        await self.async_load()
        async with self._lock:
            if self._removed:
                return []
            shows = await self._async_titles(
                {show for title in items.values() for show in title.show_items.values()}
            )
            shows |= _shows(items)
            added: list[Title] = []
            self._save_later()
            for turn in batched(items.items(), _TURN, strict=False):
                for item, title in turn:
                    title = with_show(title, shows)
                    if self.index.row_of(item) is None:
                        added.append(title)
                    raw = self._contents.put(None, item, title)
                    for scan in self._scans:
                        scan.meanwhile.append((item, raw))
                await asyncio.sleep(0)
        return added

    async def async_remove(self, item: str) -> int:
        """Forget an item, and its episodes if it is a show; returns how many went."""
        await self.async_load()
        async with self._lock:
            for scan in self._scans:
                scan.meanwhile.append((item, None))
            if gone := self._contents.forget(item):
                self._save_later()
        return gone

    async def async_clear(self) -> int:
        """Forget everything, on disk too; returns how many items that were."""
        await self.async_load()
        return await self._async_to_the_end(self._async_clear())

    async def _async_clear(self) -> int:
        was_failing = self.failing
        await self._writer.async_remove()
        async with self._lock:
            count = len(self.index)
            await self._async_forget()
        if was_failing:
            self._on_trouble()
        return count

    async def async_close(self) -> None:
        """Write what is waiting, if that can be done now, and nothing any more.

        The files are somebody else's from now on, such as another start of the same server.
        """
        await self.async_flush()
        self._removed = True

    async def async_remove_files(self) -> None:
        """Remove every file, for good."""
        self._removed = True
        await self._async_to_the_end(self._async_remove_files())

    async def _async_remove_files(self) -> None:
        await self._writer.async_remove()
        async with self._lock:
            self._scans = []
            await self._async_forget()

    async def _async_forget(self) -> None:
        """Forget everything but what a scan has found, with the lock held."""
        self._cancel_save()
        self._contents = Contents()
        self._unreadable = False
        await self._header.async_remove()
        await self._async_sweep()

    # Scanning

    def begin(self) -> LibraryScan:
        """Begin to build the library anew; it stays as it is until that is committed."""
        scan = LibraryScan(self._hass, self)
        self._scans.append(scan)
        return scan

    async def async_keep(self, scan: LibraryScan) -> None:
        """Write the parts that a scan has completed.

        Raises StorageWriteError if that fails, LibraryRemovedError if there is no library
        any more.
        """
        await self._async_to_the_end(self._async_keep(scan))

    async def _async_keep(self, scan: LibraryScan) -> None:
        async with self._lock:
            self._check(scan)
            await self._async_write_parts(scan.found, complete=True)

    async def async_commit(self, scan: LibraryScan, at: datetime) -> Changes:
        """Put what a scan has found in the place of what was there.

        Raises as `async_keep` does.
        """
        await self.async_load()
        return await self._async_to_the_end(self._async_commit(scan, at))

    async def _async_commit(self, scan: LibraryScan, at: datetime) -> Changes:
        async with self._lock:
            self._check(scan)
            await self._hass.async_add_executor_job(scan.catch_up)
            scan.found.scanned_at = at
            scan.found.rescanned = self.scanned_at is not None
            await self._async_write(scan.found)
            before, self._contents = self._contents, scan.found
            self._scans.remove(scan)
            self._unreadable = False
            self._cancel_save()
            await self._async_sweep()
            changes = await self._hass.async_add_executor_job(
                _changes, before, scan.found, scan.arrived
            )
        # What failed to be written before is of no use any more.
        await self._writer.async_flush()
        return changes

    async def async_discard(self, scan: LibraryScan) -> None:
        """Forget what a scan has found, unless that has been committed."""
        await self._async_to_the_end(self._async_discard(scan))

    async def _async_discard(self, scan: LibraryScan) -> None:
        async with self._lock:
            if scan in self._scans:
                self._scans.remove(scan)
                useless = scan.found.names - self._names
                self._on_disk -= useless
                await self._hass.async_add_executor_job(self._remove_parts, useless)

    def _check(self, scan: LibraryScan) -> None:
        if self._removed:
            raise LibraryRemovedError(f"{self._key} has been removed")
        if scan not in self._scans:
            raise ValueError("The scan has come to its end")

    # Writing

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        if self._cancel_saving is not None:
            self._save()
        await self._writer.async_flush()

    @callback
    def _save_later(self) -> None:
        if self._cancel_saving is None:
            self._cancel_saving = async_call_later(
                self._hass, SAVE_DELAY, HassJob(self._save, cancel_on_shutdown=True)
            )

    @callback
    def _save(self, _now: datetime | None = None) -> None:
        self._cancel_save()
        self._writer.save()

    @callback
    def _cancel_save(self) -> None:
        if self._cancel_saving is not None:
            self._cancel_saving()
            self._cancel_saving = None

    async def _async_save(self) -> None:
        """Write what has changed."""
        async with self._lock:
            if self._unreadable or self._removed:
                return
            if self._contents.blank:
                await self._async_forget()
                return
            await self._async_write(self._contents)
            await self._async_sweep()

    async def _async_write(self, contents: Contents) -> None:
        """Write what is not on disk yet, the header last; raises StorageWriteError."""
        await self._async_write_parts(contents)
        await _async_confirm(self._header, contents.header())

    async def _async_write_parts(
        self, contents: Contents, *, complete: bool = False
    ) -> None:
        """Write parts that are not on disk yet, or those that no more titles come to."""
        for part in contents.parts:
            is_last = part is contents.parts[-1]
            if (
                part.name is not None
                or not part.titles
                or (complete and is_last and not part.complete)
            ):
                continue
            name = part.name_by_content()
            if name not in self._on_disk:
                await _async_confirm(
                    self._store(f"{self._key}.{name}"),
                    {"titles": [orjson.Fragment(raw) for raw in part.titles.values()]},
                )
                self._on_disk.add(name)
            part.name = name
            if part.section is not None or part.complete or not is_last:
                part.titles = None

    @property
    def _names(self) -> set[str]:
        """Return the parts that are of use."""
        return self._contents.names.union(*(scan.found.names for scan in self._scans))

    async def _async_sweep(self) -> None:
        """Remove the parts that are of no use any more."""
        self._on_disk &= self._names
        await self._hass.async_add_executor_job(self._sweep, self._names)

    def _sweep(self, names: set[str]) -> None:
        """Remove every part but these, in the executor and as far as that can be done."""
        folder = Path(self._hass.config.path(STORAGE_DIR))
        prefix = f"{DOMAIN}.{self._key}."
        for path in folder.iterdir() if folder.is_dir() else ():
            if (
                path.name.startswith(prefix)
                and path.name.removeprefix(prefix) not in names
            ):
                _remove(path)

    def _remove_parts(self, names: set[str]) -> None:
        """Remove parts, in the executor and as far as that can be done."""
        for name in names:
            _remove(Path(self._store(f"{self._key}.{name}").path))

    def _store(self, key: str) -> ConfirmingStore:
        return ConfirmingStore(
            self._hass,
            key,
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=self._migrate,
        )

    async def _async_to_the_end[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Do what is not to be left half done when whoever waits for it is cancelled."""
        task = self._hass.async_create_task(work, f"{DOMAIN} {self._key}")
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait([task])
        return task.result()


class LibraryScan:
    """A library that is being built anew, section by section."""

    def __init__(self, hass: HomeAssistant, library: Library) -> None:
        """Begin with nothing; `Library.begin` does that."""
        self._hass = hass
        self._library = library
        self._shows: dict[str, Title] = {}
        self.found = Contents()
        self.arrived: dict[str, bytes] = {}
        """Titles, as JSON, that the library did not have when they were found."""
        self.meanwhile: list[tuple[str, bytes | None]] = []
        """What was put, as JSON, or removed while the scan went on."""

    @property
    def count(self) -> int:
        """Return how many items have been found so far."""
        return len(self.found.index)

    async def async_add(self, section: Section, titles: Iterable[Title]) -> None:
        """Add titles of a section, in the order in which they are to be kept.

        Sections follow each other, and so do calls. An episode gets the external ids of
        its show if that has been added before it. An item that was added before, and what
        is no item of the server, are passed over. Raises StorageWriteError if what is
        full could not be written, and LibraryRemovedError.
        """
        await self._library.async_load()
        for batch in batched(titles, _BATCH, strict=False):
            taken = await self._hass.async_add_executor_job(
                self._take, section.id, batch
            )
            if self._library.scanned_at is not None:
                self.arrived.update(
                    (item, raw)
                    for item, raw in taken
                    if self._library.index.row_of(item) is None
                )
            await self._library.async_keep(self)

    @callback
    def forget(self, item: str) -> None:
        """Take an item out again that turned out to be gone, with its episodes if it is a show."""
        self.meanwhile.append((item, None))

    async def async_commit(self, at: datetime) -> Changes:
        """Have the library be what has been found, as of a time in UTC.

        What was put and removed meanwhile is applied to it. Raises StorageWriteError if
        it could not be written: the library is what it was, and the scan can be committed
        again or discarded. Raises LibraryRemovedError, too.
        """
        return await self._library.async_commit(self, at)

    async def async_discard(self) -> None:
        """Leave the library as it is, and nothing on disk; a no-op once committed."""
        await self._library.async_discard(self)

    def catch_up(self) -> None:
        """Apply what happened meanwhile, in the executor."""
        meanwhile, self.meanwhile = self.meanwhile, []
        for item, raw in meanwhile:
            if raw is None:
                self.found.forget(item)
            else:
                title = with_show(decoded(raw), self._shows)
                self.found.put(None, item, title)

    def _take(self, section: str, titles: Iterable[Title]) -> list[tuple[str, bytes]]:
        """Index and encode titles, in the executor; returns them by item id, as JSON."""
        taken: list[tuple[str, bytes]] = []
        for title in titles:
            item = item_id(title)
            if item is None or self.found.index.row_of(item) is not None:
                continue
            self._shows |= _shows({item: title})
            title = with_show(title, self._shows)
            taken.append((item, self.found.put(section, item, title)))
        return taken


def _changes(before: Contents, after: Contents, arrived: dict[str, bytes]) -> Changes:
    """Return what a scan has changed, and which of what it found is news."""
    known, now = before.index, after.index
    added = sum(known.row_of(item) is None for item in now)
    return Changes(
        added,
        removed=len(known) - (len(now) - added),
        encoded=()
        if before.scanned_at is None
        else tuple(
            raw
            for item, raw in arrived.items()
            if known.row_of(item) is None and now.row_of(item) is not None
        ),
    )


def _shows(items: dict[str, Title]) -> dict[str, Title]:
    return {
        item: title
        for item, title in items.items()
        if title.media_type is MediaType.SHOW
    }


def with_show(title: Title, shows: dict[str, Title]) -> Title:
    """Return a title with what is known of its show."""
    for item in title.show_items.values():
        if (show := shows.get(item)) is not None:
            return replace(
                title,
                show=title.show or show.title,
                show_ids=show.ids | title.show_ids,
            )
    return title


def _remove(path: Path) -> None:
    """Remove a file that has become useless, now or at another time."""
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        _LOGGER.debug("%s could not be removed: %s", path, err.strerror)
    else:
        _LOGGER.debug("Removed %s", path)


async def _async_confirm(store: ConfirmingStore, data: dict[str, Any]) -> None:
    """Write a file; raises StorageWriteError."""
    try:
        await store.async_confirm_save(data)
    except (HomeAssistantError, OSError) as err:
        raise StorageWriteError(
            translation_domain=DOMAIN,
            translation_key="not_written",
            translation_placeholders={"path": store.path},
        ) from err
