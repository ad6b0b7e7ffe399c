"""Reading the items of a server page by page, while they may change."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from .domain.library import Page, Section
from .domain.media_server import MediaServer, ServerFailureError
from .domain.title import MediaType
from .storage.library_index import item_id

PAGE_SIZE = 600
"""Items asked for at once."""


class Pages:
    """All items of a kind, in the order in which they were added; to be read once.

    With an account, what it has watched. What is added meanwhile comes last. Each page
    begins with the last item of the one before, if all is as it was. Reading raises
    MediaServerError.
    """

    def __init__(
        self,
        client: MediaServer,
        section: Section,
        media_type: MediaType,
        *,
        account: str | None = None,
    ) -> None:
        """Take what to read."""
        self._client = client
        self._section = section
        self._media_type = media_type
        self._account = account
        self.read = 0
        """How many items have been read."""
        self.have_moved = False
        """Whether items have gone away: what followed them may have been passed over."""

    async def __aiter__(self) -> AsyncIterator[Page]:
        """Yield the pages."""
        last: str | None = None
        total: int | None = None
        while total is None or self.read < total:
            first = max(0, self.read - 1)
            page = await self._client.async_page(
                self._section, self._media_type, first, PAGE_SIZE, account=self._account
            )
            end = first + page.size
            if end <= self.read < page.total:
                raise ServerFailureError
            found = list(
                dict.fromkeys(
                    item
                    for entry in page.entries
                    if (item := item_id(entry.title)) is not None
                )
            )
            # Where one cannot be understood, the first and the last may be others.
            is_whole = 0 < page.size == len(found)
            self.have_moved |= (total is not None and page.total < total) or (
                is_whole and last is not None and last != found[0]
            )
            last = found[-1] if is_whole else None
            self.read, total = max(self.read, end), page.total
            yield page


async def read_ahead(pages: Pages) -> AsyncGenerator[Page]:
    """Yield pages, and have the next one read while one is worked with.

    For use with `aclosing`: what is being read is of no use once nobody wants it.
    """

    async def following() -> Page | None:
        return await anext(iterator, None)

    iterator = aiter(pages)
    reading = asyncio.create_task(following())
    try:
        while (page := await reading) is not None:
            reading = asyncio.create_task(following())
            yield page
    finally:
        reading.cancel()
        # Neither is what has become of it, unless it was waited for.
        await asyncio.gather(reading, return_exceptions=True)
