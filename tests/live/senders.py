"""HTTP senders that cost little themselves: keep-alive connections and ready-made bytes."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import time
from urllib.parse import urlsplit

import aiohttp
import orjson


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: how long its answer took, in seconds, and what it said."""

    seconds: float
    status: int
    body: bytes

    @property
    def outcome(self) -> str:
        """Return the outcome that a webhook answered."""
        return str(orjson.loads(self.body)["outcome"]) if self.body else ""


@dataclass(frozen=True, slots=True)
class Run:
    """Many requests: what each one was, and how long all of them took, in seconds."""

    sent: list[Sent]
    seconds: float

    @property
    def median(self) -> float:
        """Return the median time of a request."""
        times = sorted(request.seconds for request in self.sent)
        return times[len(times) // 2]


def request(url: str, body: bytes, content_type: str) -> bytes:
    """Return a POST as it goes over the wire."""
    parts = urlsplit(url)
    return (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def send_all(port: int, requests: Iterable[bytes], senders: int) -> Run:
    """Send requests over so many connections, each waiting for its answers."""
    waiting = iter(list(requests))
    started = time.perf_counter()
    results = await asyncio.gather(*(_sender(port, waiting) for _ in range(senders)))
    seconds = time.perf_counter() - started
    return Run([sent for result in results for sent in result], seconds)


async def post_all(url: str, bodies: Iterable[tuple[bytes, str]], senders: int) -> Run:
    """Send bodies with aiohttp's client, as most senders would: it costs time itself."""
    waiting = iter(list(bodies))
    connector = aiohttp.TCPConnector(limit=senders)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def sender() -> list[Sent]:
            sent: list[Sent] = []
            for body, content_type in waiting:
                started = time.perf_counter()
                async with session.post(
                    url, data=body, headers={"Content-Type": content_type}
                ) as response:
                    answer = await response.read()
                    seconds = time.perf_counter() - started
                    sent.append(Sent(seconds, response.status, answer))
            return sent

        started = time.perf_counter()
        results = await asyncio.gather(*(sender() for _ in range(senders)))
        seconds = time.perf_counter() - started
    return Run([sent for result in results for sent in result], seconds)


async def _sender(port: int, requests: Iterator[bytes]) -> list[Sent]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent: list[Sent] = []
    try:
        for raw in requests:
            started = time.perf_counter()
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("ascii", "replace").split("\r\n")
            length = next(
                int(line.split(":")[1])
                for line in lines
                if line.lower().startswith("content-length:")
            )
            body = await reader.readexactly(length)
            sent.append(
                Sent(time.perf_counter() - started, int(lines[0].split()[1]), body)
            )
    finally:
        writer.close()
    return sent
