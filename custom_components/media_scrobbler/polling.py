"""Waiting for what a person does elsewhere, by asking every so often whether it is done."""

import asyncio
from collections.abc import Awaitable, Callable

from .domain.media_server import BusyError, ExpiredError, MediaServerError

SLOWEST = 30.0
"""Seconds between two looks at the most, unless the server names a longer time."""


async def async_poll[T](
    look: Callable[[], Awaitable[T | None]], *, interval: float, lifetime: float
) -> T:
    """Return what `look` finds, which is None as long as there is nothing to be found.

    `interval` are the seconds between two looks, `lifetime` those after which there will be
    nothing any more. A look that fails says nothing about the person and is followed by
    others: after a server that is busy, less often from then on. The last one is at the very
    end. Raises ExpiredError then, or when `look` does.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + lifetime
    while True:
        pause = interval
        try:
            if (found := await look()) is not None:
                return found
        except ExpiredError:
            raise
        except BusyError as err:
            interval = min(2 * interval, max(interval, SLOWEST))
            pause = max(interval, err.retry_after or 0)
        except MediaServerError:
            pass
        left = end - loop.time()
        if left <= 0:
            raise ExpiredError
        await asyncio.sleep(min(pause, left))
