"""What stand-ins that listen have in common: a port of their own, a log, and faults.

A stand-in serves on the event loop it was started on. Its clients may be anywhere else: in
threads of the same process or in another one. One that blocks that event loop waits for
itself until it gives up, as a fault of that kind deserves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
import socket
import ssl
from types import TracebackType
from typing import Self
from weakref import WeakSet

from aiohttp import web

from .faults import HELD, Faults
from .request_log import LoggedRequest, RequestLog

HOST = "127.0.0.1"

_BACKLOG = 128
_TLS_HANDSHAKE = 0x16
_SHUTDOWN = 0.05
# Longer than any leap a test makes in time: connections do not end by themselves.
_KEEP_ALIVE = 1e10

# What a client proves itself with does not belong in a log: that there was one does.
_SECRETS = frozenset({"authorization", "x-plex-token"})
HIDDEN = "(hidden)"

_LONG = 0.5
"""Seconds after which a request counts as held open, even if no fault is what keeps it."""

_RUNNING: WeakSet[StandIn] = WeakSet()

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def requests_in_flight() -> int:
    """Return how many requests stand-ins are answering, but for those held open."""
    return sum(stand_in.answering for stand_in in _RUNNING) - requests_held()


def requests_held() -> int:
    """Return how many requests stand-ins hold open, by a fault or for long."""
    return sum(stand_in.held for stand_in in _RUNNING)


def requests_so_far() -> int:
    """Return how many requests have come to the stand-ins that run."""
    return sum(stand_in.came for stand_in in _RUNNING)


class Port:
    """A port of this machine that stays ours, whether anybody listens on it or not."""

    def __init__(self, serve: Callable[[socket.socket], Awaitable[None]]) -> None:
        """Take any free port; `serve` takes over each connection to it."""
        self._serve = serve
        self._socket = self._bind(0)
        self.number: int = self._socket.getsockname()[1]
        self._is_open = False
        self._connecting: set[asyncio.Task[None]] = set()

    @staticmethod
    def _bind(number: int) -> socket.socket:
        """Return a socket that has the port but does not listen: connections are refused."""
        result = socket.socket()
        result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        result.bind((HOST, number))
        result.setblocking(False)
        return result

    def open(self) -> None:
        """Accept connections from now on."""
        if not self._is_open:
            self._socket.listen(_BACKLOG)
            asyncio.get_running_loop().add_reader(self._socket, self._accept)
            self._is_open = True

    async def close(self) -> None:
        """Refuse connections from now on, on the same port."""
        if not self._is_open:
            return
        self._is_open = False
        asyncio.get_running_loop().remove_reader(self._socket)
        tasks = list(self._connecting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()
        self._socket = self._bind(self.number)

    async def release(self) -> None:
        """Give the port back."""
        await self.close()
        self._socket.close()

    def _accept(self) -> None:
        """Hand over a connection that has come in."""
        try:
            connection, _ = self._socket.accept()
        except BlockingIOError, ConnectionAbortedError:
            return
        connection.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._hand_over(connection))
        self._connecting.add(task)

        def handed_over(task: asyncio.Task[None]) -> None:
            self._connecting.discard(task)
            # Cancelled perhaps before it has begun.
            if task.cancelled():
                connection.close()

        task.add_done_callback(handed_over)

    async def _hand_over(self, connection: socket.socket) -> None:
        """Let a connection be served, and close it should that fail."""
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._serve(connection)
        except OSError:
            connection.close()


async def first_byte(connection: socket.socket) -> int | None:
    """Return the first byte that a client sends, and leave it to be read again."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()

    def wake() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(connection, wake)
    try:
        await readable
    finally:
        loop.remove_reader(connection)
    peeked = connection.recv(1, socket.MSG_PEEK)
    return peeked[0] if peeked else None


class StandIn:
    """A server on a port of this machine; subclasses say what it answers.

    Where it has a certificate it speaks TLS and plain HTTP on the same port, as Plex does.
    `log` holds the requests so far and `unknown` those for which there is no handler;
    `most_at_once` is how many have been answered at the same time, and `faults` are what
    goes wrong.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.log = RequestLog()
        self.unknown: list[LoggedRequest] = []
        self.most_at_once = 0
        self.faults = Faults()
        # How wrong its clock is, as its answers tell.
        self.clock_ahead = timedelta()
        self.tls = tls
        # The status by which what comes by plain HTTP is sent on to https, if it is.
        self.to_https: int | None = None
        self._port: Port | None = None
        self._runner: web.AppRunner | None = None
        # Those that are gone drop out; one that closes by TLS takes its time until it is.
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        # Each request and since when, by its number.
        self._answering: dict[int, tuple[web.Request, float]] = {}
        self.came = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """Return the port; it is known from the first start on."""
        if self._port is None:
            raise RuntimeError("It has not been started")
        return self._port.number

    @property
    def url(self) -> str:
        """Return where it answers plain HTTP."""
        return f"http://{HOST}:{self.port}"

    @property
    def speaks_tls(self) -> bool:
        """Return whether it answers https as well."""
        return self.tls is not None

    @property
    def answering(self) -> int:
        """Return how many requests are being answered."""
        return len(self._answering)

    @property
    def held(self) -> int:
        """Return how many requests are held open, by a fault or for long."""
        now = asyncio.get_running_loop().time()
        return sum(
            request.get(HELD, False) or now - since > _LONG
            for request, since in self._answering.values()
        )

    @property
    def running(self) -> bool:
        """Return whether it listens."""
        return self._runner is not None

    async def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        if self.running:
            return
        if self._port is None:
            self._port = Port(self.serve)
        app = self._application()
        app.middlewares.insert(0, self._answer)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN,
            keepalive_timeout=_KEEP_ALIVE,
        )
        await self._runner.setup()
        self._port.open()
        _RUNNING.add(self)

    async def stop(self) -> None:
        """Be down: connections are refused, and those there are end."""
        if self._port is not None:
            await self._port.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        # TLS would wait for the other side to agree to the end.
        for transport in list(self._transports):
            transport.abort()
        self._transports.clear()
        await asyncio.sleep(0)

    async def close(self) -> None:
        """End for good."""
        self.faults.clear()
        await self.stop()
        _RUNNING.discard(self)
        if self._port is not None:
            await self._port.release()
            self._port = None

    async def serve(self, connection: socket.socket) -> None:
        """Take over a connection."""
        tls = self.tls
        if tls is not None and await first_byte(connection) != _TLS_HANDSHAKE:
            tls = None
        if self._runner is None or self._runner.server is None:
            raise ConnectionAbortedError("It is down")
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
            self._runner.server, connection, ssl=tls
        )
        self._transports.add(transport)
        if not self.running:
            # It went down while hands were shaken.
            transport.abort()

    # How requests are answered

    def _application(self) -> web.Application:
        """Return what answers the requests."""
        raise NotImplementedError

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Log a request and answer it, as well as the faults there are let us."""
        number = self.came = self.came + 1
        self._answering[number] = (request, asyncio.get_running_loop().time())
        try:
            return await self._logged_answer(request, handler)
        finally:
            del self._answering[number]

    async def _logged_answer(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        record = LoggedRequest(
            method=request.method,
            path=request.path,
            query=[
                (name, _public(name, value)) for name, value in request.query.items()
            ],
            headers={
                name: _public(name, value) for name, value in request.headers.items()
            },
            body=await request.read() if request.body_exists else b"",
        )
        self.log.append(record)
        if request.match_info.http_exception is not None:
            self.unknown.append(record)

        async def respond() -> web.Response:
            if self.to_https is not None and not request.secure:
                location = f"https://{request.host}{request.path_qs}"
                return web.Response(
                    status=self.to_https, headers={"Location": location}
                )
            response = await handler(request)
            assert isinstance(response, web.Response)
            return response

        self.most_at_once = max(self.most_at_once, len(self._answering))
        try:
            response, record.failed_on_purpose = await self.faults.serve(
                request, respond
            )
        except web.HTTPException as err:
            record.status = err.status
            raise
        record.status = response.status
        if self.clock_ahead:
            told = datetime.now(UTC) + self.clock_ahead
            response.headers["Date"] = format_datetime(told, usegmt=True)
        return response


def _public(name: str, value: str) -> str:
    """Return what may be known of a header or a parameter."""
    return HIDDEN if name.lower() in _SECRETS else value


def has_token(request: LoggedRequest) -> bool:
    """Return whether a request came with a token, good or not."""
    names = {name.lower() for name, _ in request.query} | {
        name.lower() for name in request.headers
    }
    return not names.isdisjoint(_SECRETS)
