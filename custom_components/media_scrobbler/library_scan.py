"""Scanning a server's libraries: page by page, in the background."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
import logging
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_time_change
from homeassistant.util import dt as dt_util

from .collector import collected_by_hand
from .const import CONF_NIGHTLY_SCAN, DOMAIN
from .domain.library import Section
from .domain.media_server import MediaServer, MediaServerError, SignInError
from .domain.title import MediaType
from .library_pages import Pages, read_ahead
from .library_updates import LibraryListener
from .storage.library import LibraryScan
from .storage.library_index import item_id

if TYPE_CHECKING:
    from .server import Server

_LOGGER = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often items of a kind are read while some of them go away."""

NIGHTLY_HOUR = 3
"""The hour of the local night in which libraries are scanned again, where that is wanted."""


class ScanState(StrEnum):
    """What has become of the scan of a library."""

    NOT_SCANNED = "not_scanned"
    SCANNING = "scanning"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan has found: how much there is, what is new, and what is gone.

    `without_ids` are the movies and shows that can be recognised by their names only,
    `watchlist_available` the wanted titles that turned out to be there.
    """

    movies: int
    shows: int
    episodes: int
    added: int
    removed: int
    without_ids: int
    watchlist_available: int


class ScanCancelledError(HomeAssistantError):
    """The scan was cancelled; the library is what it was before."""


class LibraryScanner:
    """Reads all movies, shows and episodes of one server, one scan at a time.

    A scan that fails or is cancelled leaves the library as it was.
    """

    def __init__(
        self, hass: HomeAssistant, server: Server, listener: LibraryListener
    ) -> None:
        """Take the server, and who is told of what has been found."""
        self._hass = hass
        self._server = server
        self._listener = listener
        self._task: asyncio.Task[ScanResult] | None = None
        self._reading: asyncio.Task[LibraryScan] | None = None
        self._state: ScanState | None = None
        self._read = 0
        self._expected = 0

    @property
    def state(self) -> ScanState:
        """Return what has become of the last scan."""
        if self._state is not None:
            return self._state
        if self._server.library.scanned_at is None:
            return ScanState.NOT_SCANNED
        return ScanState.COMPLETE

    @property
    def running(self) -> bool:
        """Return whether a scan is under way."""
        return self._state is ScanState.SCANNING

    @property
    def progress(self) -> float | None:
        """Return the share of the items that has been read, in percent; None at rest."""
        if not self.running:
            return None
        return min(100.0, 100 * self._read / self._expected) if self._expected else 0.0

    @callback
    def start(self) -> None:
        """Scan every night while the entry is loaded, if that is wanted."""
        entry = self._server.entry
        if not entry.options.get(CONF_NIGHTLY_SCAN, False):
            return

        @callback
        def scan(_now: datetime) -> None:
            self.begin()

        entry.async_on_unload(
            async_track_time_change(
                self._hass,
                scan,
                hour=NIGHTLY_HOUR,
                # Not every server at once.
                minute=sum(entry.entry_id.encode()) % 60,
                second=0,
            )
        )

    @callback
    def begin(self) -> asyncio.Task[ScanResult]:
        """Begin a scan, unless one is under way; returns the one that is.

        Raises HomeAssistantError where the server cannot be asked.
        """
        if self._task is not None and self.running:
            return self._task
        if (connection := self._server.connection) is None:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="not_signed_in",
                translation_placeholders={"server": self._server.entry.title},
            )
        self._read = self._expected = 0
        self._state = ScanState.SCANNING
        # Only the reading ends with the entry, and when it is cancelled: once all is read,
        # the library changes and everybody is told of that.
        self._reading = self._server.entry.async_create_background_task(
            self._hass, self._async_read(connection.client), f"{DOMAIN} read library"
        )
        self._task = self._hass.async_create_background_task(
            self._async_scan(self._reading), f"{DOMAIN} scan"
        )
        # Whoever waits for it hears of what went wrong; where nobody does, the state tells.
        self._task.add_done_callback(self._done)
        self._server.updates.send()
        return self._task

    async def async_scan(self) -> ScanResult:
        """Scan, and return what came of it.

        Raises ScanCancelledError, and HomeAssistantError when the server fails.
        """
        task = self.begin()
        await asyncio.wait([task])
        if task.cancelled():
            raise ScanCancelledError(
                translation_domain=DOMAIN, translation_key="scan_cancelled"
            )
        return task.result()

    @callback
    def cancel(self) -> None:
        """End the scan that is under way, if there is one that has not read it all."""
        if self._reading is not None:
            self._reading.cancel()

    async def async_reset(self) -> None:
        """Wait for the end of the scan that is under way, cancelled, and think no more of it."""
        self.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
        self._state = None

    @callback
    def _done(self, task: asyncio.Task[ScanResult]) -> None:
        if task.cancelled():
            self._state = ScanState.CANCELLED
        elif (err := task.exception()) is not None:
            self._state = ScanState.FAILED
            _LOGGER.warning(
                "The library of %s could not be scanned: %s",
                self._server.entry.title,
                err,
            )
        else:
            self._state = None
        self._server.updates.send()

    async def _async_scan(self, reading: asyncio.Task[LibraryScan]) -> ScanResult:
        library = self._server.library
        try:
            scan = await reading
        except MediaServerError as err:
            if isinstance(err, SignInError) and self._server.connection is not None:
                await self._server.connection.async_request_refresh()
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key=err.reason,
                translation_placeholders=err.placeholders,
            ) from err
        try:
            changes = await scan.async_commit(dt_util.utcnow())
        finally:
            # Of no effect on what has been committed.
            await scan.async_discard()
        available = await self._listener.async_scanned(
            self._server, changes, first=library.rescanned_at is None
        )
        per_type = library.index.per_type
        return ScanResult(
            movies=per_type[MediaType.MOVIE],
            shows=per_type[MediaType.SHOW],
            episodes=per_type[MediaType.EPISODE],
            added=changes.added,
            removed=changes.removed,
            without_ids=library.index.without_ids,
            watchlist_available=available,
        )

    async def _async_read(self, client: MediaServer) -> LibraryScan:
        """Read everything; what has been read is to be committed or discarded."""
        await self._server.library.async_load()
        scan = self._server.library.begin()
        try:
            kinds = [
                (section, media_type)
                for section in await client.async_sections()
                for media_type in section.media_types
            ]
            # Without its page: how much there is, so that progress means something.
            for section, media_type in kinds:
                page = await client.async_page(section, media_type, 0, 0)
                self._expected += page.total
            with collected_by_hand:
                for section, media_type in kinds:
                    await self._async_read_kind(client, scan, section, media_type)
        except BaseException:
            await asyncio.shield(scan.async_discard())
            raise
        return scan

    async def _async_read_kind(
        self,
        client: MediaServer,
        scan: LibraryScan,
        section: Section,
        media_type: MediaType,
    ) -> None:
        """Read all items of a kind, anew if some of them have gone away meanwhile.

        What follows those has moved up then, perhaps over the edge of a page that was read
        already. If that happens time and again, rather too much is kept than too little.
        """
        before = self._read
        known: set[str] = set()
        for _ in range(ATTEMPTS):
            items: set[str] = set()
            pages = Pages(client, section, media_type)
            async with aclosing(read_ahead(pages)) as ahead:
                async for page in ahead:
                    titles = [entry.title for entry in page.entries]
                    await scan.async_add(section, titles)
                    items.update(filter(None, map(item_id, titles)))
                    self._read = max(self._read, before + pages.read)
                    self._server.updates.send()
                    collected_by_hand.collect()
            if not pages.have_moved:
                for item in known - items:
                    scan.forget(item)
                return
            known |= items
