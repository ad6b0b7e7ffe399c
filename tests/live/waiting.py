"""Waiting for what happens in its own time."""

import asyncio
from collections.abc import Awaitable, Callable
import time

_POLL_INTERVAL = 0.1


async def until[ResultT](
    check: Callable[[], Awaitable[ResultT | None]], within: float = 15
) -> ResultT | None:
    """Wait for something to be so; None if it never is."""
    deadline = time.monotonic() + within
    while True:
        result = await check()
        if result is not None or time.monotonic() > deadline:
            return result
        await asyncio.sleep(_POLL_INTERVAL)
