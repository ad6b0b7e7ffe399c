"""Signing in at plex.tv as a stand-in plays it, by a PIN that somebody confirms."""

import asyncio

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.event import Party
from custom_components.media_scrobbler.domain.media_server import (
    BusyError,
    ExpiredError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
)
from custom_components.media_scrobbler.plex import pin as pin_module
from custom_components.media_scrobbler.plex.account import PlexAccount
from custom_components.media_scrobbler.plex.pin import PinSignIn

from ..simulators.plex_server import PlexStandIn

LOOKS = "/api/v2/pins/*"


@pytest.fixture
async def pin(
    hass: HomeAssistant, plex_at_home: PlexStandIn, monkeypatch: pytest.MonkeyPatch
) -> PinSignIn:
    """Return a sign-in that looks often."""
    monkeypatch.setattr(pin_module, "INTERVAL", 0.01)
    return PinSignIn(hass, "home")


async def looked(plex: PlexStandIn, times: int) -> None:
    """Wait until plex.tv has been asked for a PIN so many times more."""
    log = plex.tv.log
    enough = log.count_of("GET", LOOKS) + times
    async with asyncio.timeout(5):
        while log.count_of("GET", LOOKS) < enough:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_confirmed(
    hass: HomeAssistant, plex_at_home: PlexStandIn, pin: PinSignIn
) -> None:
    """A person confirms in the browser, and that gives a token."""
    url = await pin.async_url()
    waiting = hass.async_create_task(pin.async_token())
    await looked(plex_at_home, 2)
    assert not waiting.done()
    plex_at_home.tv.visit(url, plex_at_home.owner)
    token = await waiting
    assert await PlexAccount(hass, token).async_party() == Party(
        str(plex_at_home.owner.id), "alice"
    )
    asked = plex_at_home.tv.log.of("POST", "/api/v2/pins")[0]
    assert asked.headers["X-Plex-Client-Identifier"] == "home"
    assert asked.headers["X-Plex-Product"] == "Media Scrobbler"


async def test_expires(plex_at_home: PlexStandIn, pin: PinSignIn) -> None:
    """A PIN that plex.tv knows no more gives no token."""
    await pin.async_url()
    plex_at_home.tv.expire()
    with pytest.raises(ExpiredError):
        await pin.async_token()


async def test_lasts_as_long_as_plex_tv_says(
    plex_at_home: PlexStandIn, pin: PinSignIn
) -> None:
    """Where plex.tv does not answer any more, the wait ends with the PIN's own time."""
    plex_at_home.tv.pin_lifetime = 1
    await pin.async_url()
    with plex_at_home.tv.faults.fail(503), pytest.raises(ExpiredError):
        await pin.async_token()


async def test_asked_less_often(
    hass: HomeAssistant, plex_at_home: PlexStandIn, pin: PinSignIn
) -> None:
    """After a 429 there is no look before the time that plex.tv names."""
    await pin.async_url()
    busy = plex_at_home.tv.faults.fail(
        429, path=LOOKS, times=1, headers={"Retry-After": "1"}
    )
    waiting = hass.async_create_task(pin.async_token())
    await looked(plex_at_home, 1)
    plex_at_home.tv.confirm(plex_at_home.owner)
    await asyncio.sleep(0.3)
    assert plex_at_home.tv.log.count_of("GET", LOOKS) == busy.hits == 1
    assert await waiting == plex_at_home.tv.pin().token


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (429, "", BusyError),
        (503, "", ServerFailureError),
        (200, "<html>", NotAMediaServerError),
        (200, '{"id": 1}', NotAMediaServerError),
    ],
)
async def test_no_pin(
    plex_at_home: PlexStandIn,
    pin: PinSignIn,
    status: int,
    text: str,
    error: type[MediaServerError],
) -> None:
    """Where plex.tv gives no PIN, that is an error of plex.tv."""
    with (
        plex_at_home.tv.faults.answer(text, status=status) as wrong,
        pytest.raises(error),
    ):
        await pin.async_url()
    assert wrong.hits == 1
