"""Waiting for what a person does: how often it is looked, and what ends it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from custom_components.media_scrobbler.domain.media_server import (
    BusyError,
    CannotConnectError,
    ExpiredError,
    ForbiddenError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
)
from custom_components.media_scrobbler.polling import SLOWEST, async_poll

INTERVAL = 0.01

type Look = Callable[[], Awaitable[str | None]]


class Looks:
    """Looks that come out one after the other as said, the last of them for good."""

    def __init__(self, *answers: str | Exception | None) -> None:
        """Take what the looks find, or how they fail."""
        self._answers = list(answers)
        self.times: list[float] = []

    async def __call__(self) -> str | None:
        self.times.append(asyncio.get_running_loop().time())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def pauses(self) -> list[float]:
        """Return the seconds between the looks."""
        return [
            later - earlier
            for earlier, later in zip(self.times, self.times[1:], strict=False)
        ]


async def poll(looks: Looks, lifetime: float = 5) -> str:
    """Look until there is something."""
    return await async_poll(looks, interval=INTERVAL, lifetime=lifetime)


async def test_no_failure_ends_it() -> None:
    """Whatever else goes wrong, it is looked again."""
    looks = Looks(
        None,
        BusyError(),
        CannotConnectError(),
        ServerFailureError(),
        NotAMediaServerError(),
        ForbiddenError(),
        SignInError(),
        "found",
    )
    assert await poll(looks) == "found"
    assert len(looks.times) == 8


async def test_ends_when_it_is_over() -> None:
    """What has expired is not looked at again."""
    looks = Looks(None, ExpiredError(), "found")
    with pytest.raises(ExpiredError):
        await poll(looks)
    assert len(looks.times) == 2


async def test_ends_in_time() -> None:
    """Nobody is waited for longer than there can be anything."""
    looks = Looks(None)
    with pytest.raises(ExpiredError):
        await poll(looks, lifetime=0.1)
    assert 0.1 <= sum(looks.pauses) < 1


async def test_slower_from_then_on() -> None:
    """A server that is busy is asked half as often, each time that it says so."""
    looks = Looks(BusyError(), None, BusyError(), None, "found")
    assert await poll(looks) == "found"
    first, second, third, fourth = looks.pauses
    assert first >= 2 * INTERVAL
    assert second >= 2 * INTERVAL
    assert third >= 4 * INTERVAL
    assert fourth >= 4 * INTERVAL


async def test_not_slower_than_that() -> None:
    """It is looked every so often all the same, and never more often than at first."""
    looks = Looks(BusyError(), "found")
    assert await async_poll(looks, interval=SLOWEST + 1, lifetime=0.05) == "found"


async def test_when_the_server_says() -> None:
    """The server may say when to look again."""
    looks = Looks(BusyError(retry_after=0.2), "found")
    assert await poll(looks) == "found"
    assert looks.pauses[0] >= 0.2


async def test_last_look_at_the_end() -> None:
    """A server that names a time after the end is asked once more before it."""
    looks = Looks(BusyError(retry_after=3600), "found")
    assert await poll(looks, lifetime=0.1) == "found"
    assert 0.1 <= looks.pauses[0] < 1
