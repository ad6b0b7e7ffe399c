"""Requests to a Jellyfin server: who asks, what is repeated, and what an answer means."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession
from homeassistant import const
from homeassistant.util import dt as dt_util
import orjson
from yarl import URL

from .. import http_client
from ..domain.fields import Fields, PayloadError
from ..domain.media_server import (
    CannotConnectError,
    ForbiddenError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
)
from ..domain.picture import MAX_BYTES as MAX_PICTURE
from ..domain.rules import clock_ahead
from ..http_client import Answer, async_fetch, picture

type Json = dict[str, Any]


class RefusedError(NotAMediaServerError):
    """A request cannot be met, as one for what is in an item that does not exist."""


class NotFoundError(RefusedError):
    """There is no such thing."""


class Http:
    """What requests to one server have in common.

    Whatever is asked raises MediaServerError, in one of its kinds.
    """

    def __init__(
        self, session: ClientSession, *, url: str, device_id: str, token: str | None
    ) -> None:
        """Take where the server is; nothing is asked yet."""
        self._session = session
        self._url = url.rstrip("/")
        self._device_id = device_id
        self.token = token
        self.clock_ahead = timedelta()

    async def async_request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
    ) -> Any:
        """Return the decoded answer to a request, None where it is empty."""
        answer = await self._request(method, path, params, body)
        return _decoded(answer.content)

    async def async_object(self, method: str, path: str, **options: Any) -> Fields:
        """Return an answer that is an object."""
        answer = await self.async_request(method, path, **options)
        with understood():
            return Fields(answer, path)

    async def async_objects(self, path: str, **options: Any) -> list[Fields]:
        """Return an answer that is a list of objects."""
        answer = await self.async_request("GET", path, **options)
        if not isinstance(answer, list):
            raise NotAMediaServerError
        with understood():
            return [Fields(item, path) for item in answer]

    async def async_read[T](
        self, path: str, params: Mapping[str, str], read: Callable[[Fields], T]
    ) -> T:
        """Return what `read` makes of a large answer, in a thread.

        `read` raises PayloadError where something is of the wrong type.
        """
        answer = await self._request(
            "GET", path, params, within=http_client.LIST_TIMEOUT
        )

        def decode_and_read() -> T:
            with understood():
                return read(Fields(_decoded(answer.content), path))

        return await asyncio.to_thread(decode_and_read)

    async def async_picture(self, path: str, params: Mapping[str, str]) -> bytes:
        """Return a picture."""
        return picture(await self._request("GET", path, params, max_bytes=MAX_PICTURE))

    async def async_assert_reached(self) -> None:
        """Raise if it may be no server that says that there is no such thing.

        A proxy says the same of everything while the server behind it is down.
        """
        await self.async_object("GET", "/System/Info/Public")

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        *,
        within: float | None = None,
        max_bytes: int = http_client.MAX_BYTES,
    ) -> Answer:
        """Send a request, again if that is safe, and return an answer that is no error."""
        headers = {"Authorization": self._authorization()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            url = URL(f"{self._url}{path}").extend_query(params)
        except ValueError as err:
            raise CannotConnectError from err
        answer = await async_fetch(
            self._session,
            method,
            url,
            headers=headers,
            data=orjson.dumps(body) if body is not None else None,
            within=within,
            max_bytes=max_bytes,
        )
        match answer.status:
            case 400:
                raise RefusedError
            case 401:
                raise SignInError
            case 403:
                raise ForbiddenError
            case 404:
                raise NotFoundError
            case status if status >= 500:
                raise ServerFailureError
            case status if status >= 300:
                raise NotAMediaServerError
        self.clock_ahead = clock_ahead(answer.headers.get("Date"), dt_util.utcnow())
        return answer

    def _authorization(self) -> str:
        parts = {
            "Client": "Media Scrobbler",
            "Device": "Home Assistant",
            "DeviceId": self._device_id,
            "Version": const.__version__,
        }
        if self.token is not None:
            parts["Token"] = self.token
        return "MediaBrowser " + ", ".join(
            f'{name}="{quote(value, safe="")}"' for name, value in parts.items()
        )


@contextmanager
def understood() -> Iterator[None]:
    """Have what is of the wrong type in an answer be an error of the server's."""
    try:
        yield
    except PayloadError as err:
        raise NotAMediaServerError from err


def _decoded(content: bytes) -> Any:
    if not content:
        return None
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as err:
        raise NotAMediaServerError from err
