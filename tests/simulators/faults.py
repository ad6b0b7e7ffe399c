"""What can be wrong with the answers of a server, for as long as a test wants it.

    with server.faults.fail(503, path="/Items"):      # while the block runs
        ...
    server.faults.slow(2, times=3)                    # the next three requests
    fault = server.faults.hang(path="/Sessions")      # until it is removed
    fault.remove()

Paths are patterns (`/Items/*`). What is described as "taken in" has had its effect on the
server, so that a client which tries once more does it twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Self

from aiohttp import web

HTML = """<!DOCTYPE html>
<html lang="en"><head><title>Just a moment</title></head>
<body><h1>Somebody else answers here</h1><p>Sign in to the proxy to go on.</p></body></html>
"""

HELD = web.RequestKey("held", bool)
"""Whether a request is held open by a fault at this moment."""


class _Kind(Enum):
    SLOW = auto()
    HANG = auto()
    ANSWER = auto()
    CUT = auto()
    DROP = auto()
    TRICKLE = auto()
    ENDLESS = auto()


@dataclass(kw_only=True, eq=False)
class Fault:
    """Something that is wrong with some answers; leaving its `with` block removes it."""

    faults: Faults
    kind: _Kind
    path: str
    method: str | None
    times: int | None
    seconds: float = 0
    status: int = 200
    text: str = ""
    content_type: str = "text/plain"
    headers: Mapping[str, str] | None = None
    hits: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Let the answers be as they should from now on."""
        self.faults.remove(self)

    def take(self, method: str, path: str) -> bool:
        """Return whether this request is affected, and count it if it is."""
        if self.method not in {None, method} or not fnmatchcase(path, self.path):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Faults:
    """The faults of a server; every request passes through `serve`."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def slow(
        self,
        seconds: float,
        *,
        path: str = "*",
        method: str | None = None,
        times: int | None = None,
    ) -> Fault:
        """Let requests wait before anything is done about them."""
        return self._add(_Kind.SLOW, path, method, times, seconds=seconds)

    def hang(
        self, *, path: str = "*", method: str | None = None, times: int | None = None
    ) -> Fault:
        """Never answer."""
        return self._add(_Kind.HANG, path, method, times)

    def fail(
        self,
        status: int = 500,
        *,
        path: str = "*",
        method: str | None = None,
        times: int | None = None,
        text: str = "Error processing request.",
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Refuse requests with a status."""
        return self.answer(
            text, status=status, path=path, method=method, times=times, headers=headers
        )

    def html(
        self,
        *,
        status: int = 200,
        path: str = "*",
        method: str | None = None,
        times: int | None = None,
    ) -> Fault:
        """Answer with a page for people, as a proxy in between does."""
        return self.answer(
            HTML,
            content_type="text/html",
            status=status,
            path=path,
            method=method,
            times=times,
        )

    def answer(
        self,
        text: str,
        *,
        content_type: str = "text/plain",
        status: int = 200,
        path: str = "*",
        method: str | None = None,
        times: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answer with this text, whatever was asked."""
        return self._add(
            _Kind.ANSWER,
            path,
            method,
            times,
            status=status,
            text=text,
            content_type=content_type,
            headers=headers,
        )

    def redirect(
        self,
        location: str,
        *,
        status: int = 302,
        path: str = "*",
        method: str | None = None,
        times: int | None = None,
    ) -> Fault:
        """Send requests on to elsewhere."""
        return self.answer(
            "",
            status=status,
            path=path,
            method=method,
            times=times,
            headers={"Location": location},
        )

    def cut(
        self, *, path: str = "*", method: str | None = None, times: int | None = None
    ) -> Fault:
        """Take requests in and break off in the middle of the answer."""
        return self._add(_Kind.CUT, path, method, times)

    def drop(
        self, *, path: str = "*", method: str | None = None, times: int | None = None
    ) -> Fault:
        """Take requests in and close the connection without an answer."""
        return self._add(_Kind.DROP, path, method, times)

    def trickle(
        self,
        seconds: float = 1,
        *,
        path: str = "*",
        method: str | None = None,
        times: int | None = None,
    ) -> Fault:
        """Take requests in and answer a byte at a time, so many seconds after the one before."""
        return self._add(_Kind.TRICKLE, path, method, times, seconds=seconds)

    def endless(
        self,
        *,
        content_type: str = "application/json",
        path: str = "*",
        method: str | None = None,
        times: int | None = None,
    ) -> Fault:
        """Answer without an end, as fast as it is read."""
        return self._add(_Kind.ENDLESS, path, method, times, content_type=content_type)

    def remove(self, fault: Fault) -> None:
        """Remove a fault that may be gone already."""
        if fault in self._faults:
            self._faults.remove(fault)

    def clear(self) -> None:
        """Remove every fault."""
        self._faults.clear()

    async def serve(
        self, request: web.BaseRequest, respond: Callable[[], Awaitable[web.Response]]
    ) -> tuple[web.StreamResponse, bool]:
        """Answer a request; also return whether the answer is wrong on purpose."""
        method, path = request.method, request.path
        slow = [fault for fault in self._faults if fault.kind is _Kind.SLOW]
        for fault in slow:
            if fault.take(method, path):
                await self._hold(request, asyncio.sleep(fault.seconds))
        others = [fault for fault in self._faults if fault.kind is not _Kind.SLOW]
        for fault in others:
            # One is enough: those behind it are for requests to come.
            if not fault.take(method, path):
                continue
            match fault.kind:
                case _Kind.HANG:
                    await self._hold(request, asyncio.Event().wait())
                case _Kind.ANSWER:
                    answer = web.Response(
                        status=fault.status,
                        text=fault.text,
                        content_type=fault.content_type,
                        headers=fault.headers,
                    )
                    return answer, True
                case _Kind.CUT:
                    return await _cut(request, await respond()), True
                case _Kind.DROP:
                    response = await respond()
                    _hang_up(request)
                    return response, True
                case _Kind.TRICKLE:
                    answer = await respond()
                    trickle = _trickle(request, answer, fault.seconds)
                    return await self._hold(request, trickle), True
                case _Kind.ENDLESS:
                    endless = _endless(request, fault)
                    return await self._hold(request, endless), True
        return await respond(), False

    async def _hold[T](self, request: web.BaseRequest, waiting: Awaitable[T]) -> T:
        """Keep a request waiting."""
        request[HELD] = True
        try:
            return await waiting
        finally:
            request[HELD] = False

    def _add(
        self,
        kind: _Kind,
        path: str,
        method: str | None,
        times: int | None,
        *,
        seconds: float = 0,
        status: int = 200,
        text: str = "",
        content_type: str = "text/plain",
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Add a fault; where several say what to answer, the one added first does."""
        fault = Fault(
            faults=self,
            kind=kind,
            path=path,
            method=method,
            times=times,
            seconds=seconds,
            status=status,
            text=text,
            content_type=content_type,
            headers=headers,
        )
        self._faults.append(fault)
        return fault


async def _cut(request: web.BaseRequest, response: web.Response) -> web.StreamResponse:
    """Send half of a response that says how long it is, and hang up."""
    body = bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
    half = web.StreamResponse(
        status=response.status,
        headers={
            "Content-Type": response.headers.get("Content-Type", "text/plain"),
            "Content-Length": str(max(len(body), 2)),
        },
    )
    await half.prepare(request)
    await half.write(body[: len(body) // 2] or b" ")
    _hang_up(request)
    return half


async def _trickle(
    request: web.BaseRequest, response: web.Response, seconds: float
) -> web.StreamResponse:
    """Send a response byte by byte; blanks where it is empty."""
    body = bytes(response.body) if isinstance(response.body, bytes | bytearray) else b""
    body = body or b" " * 10
    slow = web.StreamResponse(
        status=response.status,
        headers={
            "Content-Type": response.headers.get("Content-Type", "text/plain"),
            "Content-Length": str(len(body)),
        },
    )
    await slow.prepare(request)
    for start in range(len(body)):
        await slow.write(body[start : start + 1])
        await asyncio.sleep(seconds)
    await slow.write_eof()
    return slow


async def _endless(request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
    """Send blanks until nobody takes them any more."""
    response = web.StreamResponse(headers={"Content-Type": fault.content_type})
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


def _hang_up(request: web.BaseRequest) -> None:
    """Close the connection that a request came by."""
    if request.transport is not None:
        request.transport.close()
