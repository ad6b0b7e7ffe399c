"""An HTTP proxy that answers for hosts of the internet itself, with TLS.

Clients that are told of it by `HTTPS_PROXY`, and of the authority that vouches for its
certificates, reach the stand-ins of these hosts and nothing else: any other host is refused.
"""

import asyncio
import socket

from .stand_in import HOST, Port, StandIn

_LONGEST_REQUEST = 16_384


class TlsProxy:
    """A proxy for `CONNECT`; `hosts` says who answers for which host.

    A key is a host, or a host with a port. `refused` are those asked for in vain: unknown
    ones, and ones whose stand-in is down.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, StandIn] = {}
        self.refused: list[str] = []
        self._port: Port | None = None

    @property
    def url(self) -> str:
        """Return the proxy's URL; it is known from the first start on."""
        if self._port is None:
            raise RuntimeError("It has not been started")
        return f"http://{HOST}:{self._port.number}"

    def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        if self._port is None:
            self._port = Port(self._serve)
        self._port.open()

    async def stop(self) -> None:
        """Refuse connections from now on."""
        if self._port is not None:
            await self._port.close()

    async def close(self) -> None:
        """End for good."""
        if self._port is not None:
            await self._port.release()
            self._port = None

    async def _serve(self, connection: socket.socket) -> None:
        """Read what host a client wants and hand the connection over."""
        loop = asyncio.get_running_loop()
        request = b""
        while b"\r\n\r\n" not in request:
            received = await loop.sock_recv(connection, 4096)
            request += received
            if not received or len(request) > _LONGEST_REQUEST:
                connection.close()
                return
        method, _, rest = request.decode("latin-1").partition(" ")
        target = rest.partition(" ")[0]
        stand_in = self.hosts.get(target) or self.hosts.get(target.rpartition(":")[0])
        if method != "CONNECT" or stand_in is None or not stand_in.running:
            self.refused.append(target)
            await loop.sock_sendall(
                connection,
                b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n"
                b"Connection: close\r\n\r\n",
            )
            connection.close()
            return
        await loop.sock_sendall(
            connection, b"HTTP/1.1 200 Connection established\r\n\r\n"
        )
        await stand_in.serve(connection)
