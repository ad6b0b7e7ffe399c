"""What the benchmark runs in processes of their own, beside Home Assistant's and the servers'.

    python -m tests.live.benchmark_apart plexapi URL TOKEN
    python -m tests.live.benchmark_apart bare HOST PORT < requests
    python -m tests.live.benchmark_apart look_up FOLDER ENTRY_ID

Each prints what it has measured as JSON, times in seconds.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from http.client import HTTPConnection
import random
import statistics
import sys
import time
from typing import Any

from homeassistant.core import HomeAssistant
import orjson
from plexapi.server import PlexServer

from custom_components.media_scrobbler.domain.title import Title
from custom_components.media_scrobbler.storage.library import Library

from .home_assistant import REPOSITORY

LOOKED_UP = 3000


async def measured_apart(*arguments: str, given: Any = None) -> dict[str, float]:
    """Run one of these in a process of its own and return what it has measured."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        *arguments,
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(orjson.dumps(given))
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}")
    result: dict[str, float] = orjson.loads(output)
    return result


def read_with_plexapi(url: str, token: str) -> dict[str, float]:
    """Read all movies, shows and episodes, with their guids, as plexapi's manual has it."""
    server = PlexServer(url, token)
    started = time.perf_counter()
    items = guids = 0
    for section in server.library.sections():
        if section.type not in ("movie", "show"):
            continue
        listed = list(section.all())
        if section.type == "show":
            listed += section.all(libtype="episode")
        items += len(listed)
        guids += sum(len(item.guids) for item in listed)
    return {
        "seconds": time.perf_counter() - started,
        "items": items,
        "guids": guids,
    }


def read_bare(
    host: str, port: int, requests: Iterable[tuple[str, dict[str, str]]]
) -> dict[str, float]:
    """Have requests answered and do nothing with the answers."""
    connection = HTTPConnection(host, port)
    size = 0
    started = time.perf_counter()
    for path, headers in requests:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        size += len(response.read())
        if response.status != 200:
            raise RuntimeError(f"{path} answers {response.status}")
    return {"seconds": time.perf_counter() - started, "bytes": size}


async def look_up(folder: str, entry_id: str) -> dict[str, float]:
    """Look titles up in a stored library, as another server would name them."""
    hass = HomeAssistant(folder)
    try:
        library = Library(hass, entry_id)
        await library.async_load()
        items = random.Random(1).sample(sorted(library.index), LOOKED_UP)
        stored = await library.async_titles(items)
    finally:
        await hass.async_stop(force=True)
    titles = [replace(title, items={}, show_items={}) for title in stored.values()]
    by_name = [replace(title, ids={}, show_ids={}) for title in titles]
    absent = [
        replace(title, title=f"{title.title} (lost)", ids={"tmdb": number})
        for number, title in enumerate(titles)
    ]
    assert all(map(library.has, titles))
    return {
        "items": len(library.index),
        "by_id": _median(library.has, titles),
        "by_name": _median(library.has, by_name),
        "absent": _median(library.has, absent),
    }


def _median(look_up: Callable[[Title], bool], titles: Iterable[Title]) -> float:
    times = []
    for title in titles:
        started = time.perf_counter()
        look_up(title)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case ["plexapi", url, token]:
            result = read_with_plexapi(url, token)
        case ["bare", host, port]:
            requests = orjson.loads(sys.stdin.buffer.read())
            result = read_bare(host, int(port), requests)
        case ["look_up", folder, entry_id]:
            result = asyncio.run(look_up(folder, entry_id))
        case unknown:
            raise SystemExit(f"{unknown} is nothing to measure")
    print(orjson.dumps(result).decode())


if __name__ == "__main__":
    main()
