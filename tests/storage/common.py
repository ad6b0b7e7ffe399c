"""What the storage tests share: titles, reports of plays, and a disk that can be held up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import json
import os
from pathlib import Path
import resource
import threading
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.util import file as util_file

from custom_components.media_scrobbler.domain.play import Play, Source, SourceKind
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.storage.history import History

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
KEY = "history.someone"


def movie(number: int, **details: Any) -> Title:
    """Return a film; the same number is the same film."""
    described: dict[str, Any] = {
        "title": f"Film {number}",
        "year": 2000 + number % 25,
        "ids": {"tmdb": 1000 + number},
        "duration": 6000,
    }
    return Title(media_type=MediaType.MOVIE, **described | details)


def episode(season: int, number: int, **details: Any) -> Title:
    """Return an episode of the one series there is here."""
    described: dict[str, Any] = {
        "title": f"Part {number}",
        "show": "Harbour Lights",
        "season": season,
        "episode": number,
        "ids": {"tvdb": 10_000 + 100 * season + number},
        "duration": 3000,
    }
    return Title(media_type=MediaType.EPISODE, **described | details)


def report(at: datetime = NOON, **details: Any) -> Source:
    """Return a report of a play."""
    return Source(kind=SourceKind.WEBHOOK, at=at, **details)


async def record(
    history: History, title: Title, at: datetime = NOON, **details: Any
) -> Play:
    """Record a play and wait until it is on disk."""
    recorded = await history.async_record(title, at, report(at, **details))
    if recorded.saved is not None:
        await recorded.saved
    return recorded.play


async def until(condition: Callable[[], object]) -> None:
    """Return in the very turn of the event loop in which it has come to something."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it has never come to that")


async def reopened(
    hass: HomeAssistant, history: History, key: str = KEY, **details: Any
) -> History:
    """Return the history as another start of Home Assistant reads it."""
    again = History(hass, key, **details)
    await again.async_load()
    assert await again.async_plays() == await history.async_plays()
    assert len(again.index) == len(history.index)
    return again


@dataclass
class Disk:
    """The storage folder: what is in it, and what is written when.

    Writes go through Home Assistant's own function, which this stands in front of.
    """

    folder: Path
    written: list[str] = field(default_factory=list)
    _open: threading.Event = field(default_factory=threading.Event)
    _asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @classmethod
    def of(cls, hass: HomeAssistant) -> Disk:
        """Return the disk of a Home Assistant."""
        return cls(Path(hass.config.path(".storage")))

    def __post_init__(self) -> None:
        """Begin with a disk that writes at once."""
        self._open.set()

    def path(self, name: str) -> Path:
        """Return where a file of ours is; its name goes without the domain."""
        return self.folder / f"media_scrobbler.{name}"

    def names(self) -> list[str]:
        """Return the names of our files, without the domain, and of what is half written."""
        return sorted(
            path.name.removeprefix("media_scrobbler.")
            for path in (self.folder.iterdir() if self.folder.is_dir() else ())
            if path.name.startswith(("media_scrobbler.", "tmp"))
        )

    def inode(self, name: str) -> int:
        """Return a number that is another one once a file has been written anew."""
        return self.path(name).stat().st_ino

    def read(self, name: str) -> dict[str, Any]:
        """Return the data in a file."""
        content: dict[str, Any] = json.loads(self.path(name).read_text())
        data: dict[str, Any] = content["data"]
        return data

    def write(
        self, name: str, data: Any, *, version: int = 1, minor_version: int = 1
    ) -> Path:
        """Write a file as it could have been left behind."""
        path = self.path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            json.dumps(
                {
                    "version": version,
                    "minor_version": minor_version,
                    "key": path.name,
                    "data": data,
                }
            )
        )
        return path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let writes begin and not end."""
        while self._asked.acquire(blocking=False):
            pass
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def wait_for_write(self) -> None:
        """Return when a further write has begun; to be called in a thread."""
        assert self._asked.acquire(timeout=10)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Take no file of more than a few bytes, as a full disk does."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    @contextmanager
    def blocked(self, name: str) -> Iterator[None]:
        """Put a folder where a file is to be written; what was there comes back."""
        path = self.path(name)
        aside = path.with_name(f"aside.{path.name}")
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            path.rename(aside)
        path.mkdir()
        try:
            yield
        finally:
            path.rmdir()
            if aside.exists():
                aside.rename(path)

    @asynccontextmanager
    async def being_read(
        self, name: str, reading: Awaitable[Any]
    ) -> AsyncIterator[None]:
        """Have something read a file, and be in the middle of that."""
        path = self.path(name)
        content = path.read_bytes()
        aside = path.rename(path.with_name(f"aside.{path.name}"))
        os.mkfifo(path)
        task = asyncio.ensure_future(reading)
        try:
            pipe = None
            while pipe is None:
                assert not task.done()
                await asyncio.sleep(0.001)
                # There is nobody to write for as long as nobody reads.
                with suppress(OSError):
                    pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            yield
            os.write(pipe, content)
            os.close(pipe)
        finally:
            aside.rename(path)

    @contextmanager
    def watched(self) -> Iterator[Disk]:
        """Stand in front of Home Assistant's function for writing."""
        write = util_file.write_utf8_file_atomic

        def stand_in(filename: str, *args: Any, **kwargs: Any) -> None:
            if not Path(filename).name.startswith("media_scrobbler."):
                write(filename, *args, **kwargs)
                return
            self._asked.release()
            assert self._open.wait(timeout=10)
            write(filename, *args, **kwargs)
            self.written.append(Path(filename).name.removeprefix("media_scrobbler."))

        with patch("homeassistant.helpers.storage.write_utf8_file_atomic", stand_in):
            yield self


def minutes(count: float) -> timedelta:
    """Return that many minutes."""
    return timedelta(minutes=count)
