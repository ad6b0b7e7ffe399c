"""Measures the Home Assistant it runs in: an empty webhook, and how late the loop is.

How late it is at best while others work in threads shows a webhook that has two of them
count: they and the loop take turns, and so do they with whatever else the machine does.

Part of the benchmark, set up from configuration.yaml beside the integration.
"""

import asyncio
from pathlib import Path
import resource
import time

from aiohttp.web import Request, Response, json_response
from homeassistant.components import webhook
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType

DOMAIN = "probe"

EMPTY_WEBHOOK = "empty"
COUNT_WEBHOOK = "count"
MEASURED_WEBHOOK = "measured"
TICK = 0.005
"""Seconds between two looks at the clock."""
COUNTING = 5.0
"""Seconds that are counted."""


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the webhooks and start to measure."""
    late: list[float] = []

    async def measure() -> None:
        while True:
            before = hass.loop.time()
            await asyncio.sleep(TICK)
            late.append(hass.loop.time() - before - TICK)

    async def empty(_hass: HomeAssistant, _id: str, _request: Request) -> Response:
        return Response()

    async def count(_hass: HomeAssistant, _id: str, _request: Request) -> Response:
        await asyncio.gather(*(hass.async_add_executor_job(_count) for _ in range(2)))
        return Response()

    async def measured(_hass: HomeAssistant, _id: str, _request: Request) -> Response:
        """Return what has been measured since the last call, times in seconds."""
        delays = sorted(late)
        late.clear()
        return json_response(
            {
                "longest": delays[-1] if delays else 0.0,
                "percentile_99": delays[int(len(delays) * 0.99)] if delays else 0.0,
                "memory": await hass.async_add_executor_job(_memory),
                "written": await hass.async_add_executor_job(_written),
                "cpu": resource.getrusage(resource.RUSAGE_SELF).ru_utime,
            }
        )

    hass.async_create_background_task(measure(), f"{DOMAIN} measure")
    for webhook_id, handler in (
        (EMPTY_WEBHOOK, empty),
        (COUNT_WEBHOOK, count),
        (MEASURED_WEBHOOK, measured),
    ):
        webhook.async_register(
            hass, DOMAIN, webhook_id, webhook_id, handler, local_only=True
        )
    return True


def _count() -> None:
    """Do something that is nothing but Python."""
    end = time.monotonic() + COUNTING
    number = 0
    while time.monotonic() < end:
        number += 1


def _memory() -> int:
    """Return the resident memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def _written() -> int:
    """Return the bytes that have been handed to files and sockets."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(": ")
        if name == "wchar":
            return int(value)
    return 0
