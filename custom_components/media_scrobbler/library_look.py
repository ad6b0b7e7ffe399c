"""Looking at what a library has got last, which no webhook has told of yet."""

from typing import TYPE_CHECKING

from .domain.library import Section
from .domain.media_server import ItemGoneError, MediaServer
from .domain.title import MediaType

if TYPE_CHECKING:
    from .server import Server

PAGE_SIZE = 100

MAX_PAGES = 5
"""Pages of a kind of media that are looked at; of more a scan tells."""


async def async_look_for_new(server: Server, client: MediaServer) -> None:
    """Add the latest media that are not known; raises MediaServerError.

    Two requests for each kind of media of a library, and one more for each page that is new
    all over. A library that was never scanned is left to its first scan.
    """
    await server.library.async_load()
    if server.library.scanned_at is None or server.scanner.running:
        return
    for section in await client.async_sections():
        for media_type in section.media_types:
            try:
                await _async_look(server, client, section, media_type)
            except ItemGoneError:
                continue


async def _async_look(
    server: Server, client: MediaServer, section: Section, media_type: MediaType
) -> None:
    """Look from the latest addition backwards, as far as there is anything new."""
    index = server.library.index
    end = (await client.async_page(section, media_type, 0, 0)).total
    for _ in range(MAX_PAGES):
        start = max(0, end - PAGE_SIZE)
        page = await client.async_page(section, media_type, start, end - start)
        titles = [entry.title for entry in page.entries]
        new = [
            title
            for title in titles
            if not any(index.row_of(item) is not None for item in title.items.values())
        ]
        for title in new:
            server.library_updates.added(title)
        if len(new) < len(titles) or not start:
            return
        end = start
