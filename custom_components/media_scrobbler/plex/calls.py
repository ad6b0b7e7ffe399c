"""Calls to plexapi, which is synchronous: in the executor, one at a time, with our errors.

What it sends goes through the event loop, where a request can be given up at any moment:
a thread that waits for a socket by itself could be held by a server for as long as it likes.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from functools import partial
from io import BytesIO
import threading
from typing import Any, override
from urllib.request import getproxies, proxy_bypass
from xml.etree.ElementTree import ParseError

from aiohttp import ClientSession
from homeassistant.core import HomeAssistant
from plexapi.exceptions import BadRequest, NotFound, PlexApiException, Unauthorized
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from yarl import URL

from .. import http_client
from ..domain.media_server import (
    CannotConnectError,
    ForbiddenError,
    MediaServerError,
    NotAMediaServerError,
    ServerFailureError,
    SignInError,
)
from ..http_client import Answer, async_fetch, async_session

# What is below it does something, though it is asked for like something to read. A mark
# that is repeated counts once more: whoever marks looks at it first.
_DOING = "/:/"


async def async_send(
    session: ClientSession, method: str, url: URL, **options: Any
) -> Answer:
    """Fetch something of Plex, by the proxy that the environment wants it to be reached by.

    The options, and the errors, are those of `async_fetch`.
    """
    is_direct = proxy_bypass(f"{url.host}:{url.port}")
    proxy = None if is_direct else getproxies().get(url.scheme)
    return await async_fetch(session, method, url, proxy=proxy, **options)


class Caller:
    """Runs jobs with plexapi objects in the executor, one after the other.

    `session` is by what these objects, and whatever else a job asks, send their requests.
    """

    def __init__(self, hass: HomeAssistant, *, verify_ssl: bool = True) -> None:
        """Take where the executor is, and whether certificates are verified."""
        self._hass = hass
        self._lock = asyncio.Lock()
        self.client_session = async_session(hass, verify_ssl=verify_ssl)
        self.session = requests.Session()
        # No passwords from a file on this machine, nor the headers that requests adds.
        self.session.trust_env = False
        self.session.headers.clear()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _LoopAdapter(self.client_session))

    async def async_call[T](
        self, job: Callable[[], T], *, within: float | None = None
    ) -> T:
        """Return what the job returns; raises MediaServerError.

        There are `within` seconds for all that it asks, from when it begins.
        """
        async with self._lock:
            call = _Call(
                self._hass.loop, http_client.TIMEOUT if within is None else within
            )
            try:
                return await self._hass.async_add_executor_job(call.run, job)
            finally:
                call.end()


class _Call:
    """A job in its thread, which waits for nothing once the call has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, within: float) -> None:
        self._loop = loop
        self._deadline = loop.time() + within
        self._lock = threading.Lock()
        self._waiting_for: Future[Answer] | None = None
        self._has_ended = False

    def run[T](self, job: Callable[[], T]) -> T:
        """Do the job, in a thread."""
        before = _CALL.set(self)
        try:
            return _translated(job)
        finally:
            _CALL.reset(before)

    def fetch(self, fetch: Callable[[float], Coroutine[Any, Any, Answer]]) -> Answer:
        """Wait in the thread for what the event loop fetches in the seconds that are left."""
        with self._lock:
            if self._has_ended:
                raise CannotConnectError
            left = self._deadline - self._loop.time()
            future = asyncio.run_coroutine_threadsafe(fetch(left), self._loop)
            self._waiting_for = future
        try:
            return future.result()
        except CancelledError as err:
            raise CannotConnectError from err

    def end(self) -> None:
        """Let the thread go on, if it is still waiting, and ask nothing more."""
        with self._lock:
            self._has_ended = True
            if self._waiting_for is not None:
                self._waiting_for.cancel()


_CALL: ContextVar[_Call] = ContextVar("call")


class _LoopAdapter(BaseAdapter):
    """Has the event loop send what is sent by a session of requests."""

    def __init__(self, client_session: ClientSession) -> None:
        super().__init__()
        self._client_session = client_session

    @override
    def send(
        self, request: requests.PreparedRequest, *_: Any, **__: Any
    ) -> requests.Response:
        """Return the whole answer; its deadline is that of the call."""
        assert request.method and request.url
        url = URL(request.url, encoded=True)
        body = request.body
        assert body is None or isinstance(body, bytes | str)
        answer = _CALL.get().fetch(
            partial(
                self._async_send,
                request.method,
                url,
                dict(request.headers),
                body,
            )
        )
        response = requests.Response()
        response.request = request
        response.url = request.url
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict(answer.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = BytesIO(answer.content)
        return response

    async def _async_send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | str | None,
        within: float,
    ) -> Answer:
        return await async_send(
            self._client_session,
            method,
            url,
            headers=headers,
            data=body,
            within=within,
            repeats=False if _DOING in url.path else None,
        )

    @override
    def close(self) -> None:
        """Leave the client session to Home Assistant, whose it is."""


def _translated[T](job: Callable[[], T]) -> T:
    """Run a job, with plexapi's and requests' errors turned into ours.

    Their texts carry URLs with tokens and stay behind.
    """
    try:
        return job()
    except MediaServerError:
        raise
    except Unauthorized as err:
        raise SignInError from err
    except requests.exceptions.RequestException as err:
        # It sends nothing itself: what remains are URLs that are none.
        raise CannotConnectError from err
    except NotFound as err:
        raise NotAMediaServerError from err
    except BadRequest as err:
        if str(err).startswith("(403)"):
            raise ForbiddenError from err
        raise ServerFailureError from err
    except (
        ParseError,
        PlexApiException,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as err:
        # plexapi reads whatever answers as if it were what it asked for.
        raise NotAMediaServerError from err
