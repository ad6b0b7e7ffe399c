"""Reading pages of a library: ahead of what is done with them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import ClientSession
import pytest

from custom_components.media_scrobbler import http_client, library_pages
from custom_components.media_scrobbler.domain.library import Page
from custom_components.media_scrobbler.domain.media_server import ServerFailureError
from custom_components.media_scrobbler.domain.title import MediaType
from custom_components.media_scrobbler.jellyfin.client import JellyfinClient
from custom_components.media_scrobbler.library_pages import Pages, read_ahead

from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.library import Library

ASKED = "/Items"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> None:
    monkeypatch.setattr(library_pages, "PAGE_SIZE", 10)
    monkeypatch.setattr(http_client, "RETRY_DELAY", 0.001)


@pytest.fixture
async def jellyfin() -> AsyncGenerator[JellyfinStandIn]:
    async with JellyfinStandIn(library=Library(movies=25)) as jellyfin:
        yield jellyfin


@pytest.fixture
async def pages(jellyfin: JellyfinStandIn) -> AsyncGenerator[AsyncGenerator[Page]]:
    """Return the pages of the movies of a server, which are three."""
    alice = jellyfin.add_user("alice", administrator=True)
    async with ClientSession() as session:
        client = JellyfinClient(
            session,
            url=jellyfin.url,
            device_id="home",
            token=jellyfin.sign_in(alice),
            user_id=alice.id,
        )
        section, _ = await client.async_sections()
        async with aclosing(
            read_ahead(Pages(client, section, MediaType.MOVIE))
        ) as pages:
            yield pages


async def asked(jellyfin: JellyfinStandIn, number: int) -> None:
    """Wait until so many pages have been asked for."""
    async with asyncio.timeout(10):
        while jellyfin.log.count_of("GET", ASKED) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_all_pages_in_their_order(
    jellyfin: JellyfinStandIn, pages: AsyncGenerator[Page]
) -> None:
    titles = [entry.title.title async for page in pages for entry in page.entries]

    # Each page begins with the last item of the one before.
    assert len(titles) == 25 + 2
    assert len(set(titles)) == 25
    assert jellyfin.log.count_of("GET", ASKED) == 3


async def test_the_next_page_is_asked_for_while_one_is_worked_with(
    jellyfin: JellyfinStandIn, pages: AsyncGenerator[Page]
) -> None:
    await anext(pages)

    await asked(jellyfin, 2)
    await asyncio.sleep(0.05)

    assert jellyfin.log.count_of("GET", ASKED) == 2


async def test_a_page_that_fails_is_told_of_when_it_is_its_turn(
    jellyfin: JellyfinStandIn, pages: AsyncGenerator[Page]
) -> None:
    first = await anext(pages)
    await asked(jellyfin, 2)
    second = await anext(pages)
    jellyfin.faults.fail(500, path=ASKED)
    with pytest.raises(ServerFailureError):
        await anext(pages)

    assert (first.size, second.size) == (10, 10)


async def test_nothing_more_is_asked_for_once_nobody_wants_it(
    jellyfin: JellyfinStandIn, pages: AsyncGenerator[Page]
) -> None:
    await anext(pages)
    with jellyfin.faults.hang(path=ASKED):
        await asked(jellyfin, 2)
        await pages.aclose()

    await asyncio.sleep(0.05)
    assert jellyfin.log.count_of("GET", ASKED) == 2
