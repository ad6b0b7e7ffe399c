"""When garbage is looked for while libraries are read."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
import gc
import weakref

from aiohttp import web
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest

from custom_components.media_scrobbler.collector import collected_by_hand

from .common import call
from .signed_in import Home


class Knot:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    """Leave the collector as it was."""
    gc.enable()
    yield
    gc.enable()


def test_collected_by_hand_for_as_long_as_a_block_runs() -> None:
    with collected_by_hand:
        assert not gc.isenabled()
        with collected_by_hand:
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collected_as_before_after_a_block_that_failed() -> None:
    with pytest.raises(ValueError), collected_by_hand:
        raise ValueError
    assert gc.isenabled()


def test_a_collector_that_somebody_has_switched_off_stays_off() -> None:
    gc.disable()
    with collected_by_hand:
        pass
    assert not gc.isenabled()


def test_new_garbage_goes_when_that_is_asked_for() -> None:
    with collected_by_hand:
        knot = Knot()
        gone = weakref.ref(knot)
        del knot
        assert gone() is not None
        collected_by_hand.collect()
        assert gone() is None


@dataclass
class Pages:
    """The pages that a server is asked for."""

    collected: list[bool] = field(default_factory=list)
    failing: bool = False


@pytest.fixture
def pages(home: Home, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """Return whether garbage is looked for while pages are read, and let them fail."""
    serve = home.faults.serve
    pages = Pages()

    async def stand_in(
        request: web.BaseRequest, respond: Callable[[], Awaitable[web.Response]]
    ) -> tuple[web.StreamResponse, bool]:
        size = request.headers.get("X-Plex-Container-Size", request.query.get("limit"))
        of_history = "history" in request.path or "isPlayed" in request.query
        if size is not None and int(size) > 0 and not of_history:
            pages.collected.append(gc.isenabled())
            if pages.failing:
                raise web.HTTPInternalServerError
        return await serve(request, respond)

    monkeypatch.setattr(home.faults, "serve", stand_in)
    return pages


async def test_collected_by_hand_while_a_library_is_read(
    hass: HomeAssistant, home: Home, pages: Pages
) -> None:
    entry = await home.sign_in(hass)

    await call(hass, "scan_library", server=entry.entry_id)

    # Of movies, of shows and of episodes.
    assert pages.collected == [False] * 3
    assert gc.isenabled()


async def test_collected_as_before_after_a_scan_that_failed(
    hass: HomeAssistant, home: Home, pages: Pages
) -> None:
    entry = await home.sign_in(hass)
    pages.failing = True

    with pytest.raises(HomeAssistantError):
        await call(hass, "scan_library", server=entry.entry_id)

    assert set(pages.collected) == {False}
    assert gc.isenabled()
