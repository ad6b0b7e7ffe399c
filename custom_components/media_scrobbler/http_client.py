"""Requests to servers: bounded in time and size, and never led away with a secret.

A request is over at its deadline, whatever has come by then: connecting, repetitions and
the answer itself all count. aiohttp's own limits would begin anew with each.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
)
from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_create_clientsession
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey
from yarl import URL

from .const import DOMAIN
from .domain.ids import is_item_id
from .domain.media_server import (
    BusyError,
    CannotConnectError,
    CertificateError,
    ItemGoneError,
    NoHttpsError,
    NotAMediaServerError,
    RedirectedError,
)
from .domain.picture import picture_type
from .domain.rules import retry_after

TIMEOUT = 15.0
"""Seconds that there are for a request."""

LIST_TIMEOUT = 60.0
"""Seconds for a long list, which a small server takes its time to put together."""

MAX_BYTES = 64 * 1024 * 1024
"""How long an answer may be: of 1000 items with all that servers tell it is a tenth of that."""

RETRIES = 2
RETRY_DELAY = 0.5
"""Seconds before the first repetition; the second comes after twice as long."""

LONGEST_PAUSE = 3.0
"""Seconds that a busy server may ask for and be waited for; after more, whoever asks returns."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_SESSIONS: HassKey[dict[bool, ClientSession]] = HassKey(f"{DOMAIN}_sessions")


@dataclass(frozen=True, slots=True)
class Answer:
    """All of an answer, whatever its status, but for those that `async_fetch` raises for."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@callback
def async_session(hass: HomeAssistant, *, verify_ssl: bool = True) -> ClientSession:
    """Return the session by which servers are asked; it keeps no cookies.

    With those of one account something could be asked by the token of another.
    """
    sessions = hass.data.setdefault(_SESSIONS, {})
    if (known := sessions.get(verify_ssl)) is not None:
        return known
    session = async_create_clientsession(
        hass, verify_ssl=verify_ssl, auto_cleanup=False, cookie_jar=DummyCookieJar()
    )

    @callback
    def detach(_: Event[Any]) -> None:
        session.detach()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, detach)
    sessions[verify_ssl] = session
    return session


def picture(answer: Answer) -> bytes:
    """Return the picture that an answer is; raises NotAMediaServerError where it is none."""
    if picture_type(answer.content) is None:
        raise NotAMediaServerError
    return answer.content


def path(*parts: str) -> str:
    """Return the path that leads through these parts, names or lists of ids with commas.

    Whatever else a part may be, it is no id of anything and could lead elsewhere: raises
    ItemGoneError.
    """
    for part in parts:
        if not all(map(is_item_id, part.split(","))):
            raise ItemGoneError
    return "".join(f"/{part}" for part in parts)


async def async_fetch(
    session: ClientSession,
    method: str,
    url: URL,
    *,
    headers: Mapping[str, str],
    data: bytes | str | None = None,
    within: float | None = None,
    max_bytes: int = MAX_BYTES,
    repeats: bool | None = None,
    proxy: str | None = None,
) -> Answer:
    """Send a request, again where that is safe, and return all of the answer.

    Only what is read is repeated unless `repeats` says otherwise, and never where nobody
    answers: there may be other addresses. No redirect is followed.

    Raises CannotConnectError also where the answer is not there after `within` seconds
    (TIMEOUT), BusyError where the server wants to be waited for for longer, RedirectedError,
    CertificateError, NoHttpsError, and NotAMediaServerError for an answer longer than
    `max_bytes`.
    """
    retries = RETRIES if (method == "GET" if repeats is None else repeats) else 0
    try:
        async with asyncio.timeout(TIMEOUT if within is None else within) as deadline:
            for attempt in range(retries + 1):
                is_last = attempt == retries
                pause = RETRY_DELAY * 2**attempt
                try:
                    answer = await _async_send(
                        session,
                        method,
                        url,
                        headers,
                        data,
                        max_bytes,
                        proxy,
                        repeats=retries > 0,
                    )
                except ClientConnectorError, ClientSSLError, ValueError:
                    raise
                except ClientError:
                    if is_last:
                        raise
                else:
                    wanted = retry_after(
                        answer.headers.get("Retry-After"), dt_util.utcnow()
                    )
                    is_busy = answer.status == 429 or (
                        answer.status == 503 and wanted is not None
                    )
                    if is_busy and (is_last or not _is_short(wanted, deadline)):
                        raise BusyError(wanted)
                    if not is_busy and (is_last or answer.status < 500):
                        return answer
                    pause = max(pause, wanted or 0)
                await asyncio.sleep(pause)
    except ClientConnectorCertificateError as err:
        raise CertificateError from err
    except ClientSSLError as err:
        raise NoHttpsError from err
    except (ClientError, TimeoutError, ValueError) as err:
        raise CannotConnectError from err
    raise CannotConnectError


def _is_short(pause: float | None, deadline: asyncio.Timeout) -> bool:
    """Return whether there is time to wait for as long as a server asks for."""
    if pause is None or pause > LONGEST_PAUSE:
        return False
    end = deadline.when()
    return end is None or asyncio.get_running_loop().time() + pause < end


async def _async_send(
    session: ClientSession,
    method: str,
    url: URL,
    headers: Mapping[str, str],
    data: bytes | str | None,
    max_bytes: int,
    proxy: str | None,
    *,
    repeats: bool,
) -> Answer:
    async with session.request(
        method,
        url,
        headers=headers,
        data=data,
        proxy=proxy,
        allow_redirects=False,
        timeout=ClientTimeout(total=None),
        middlewares=() if repeats else (_sent_once,),
    ) as response:
        location = response.headers.get("Location")
        # What it says besides is of no interest, nor is how long that goes on.
        if location is not None and response.status in _REDIRECTS:
            raise RedirectedError(str(url), str(url.join(URL(location))))
        content = await _async_content(response, max_bytes)
        return Answer(response.status, response.headers, content)


async def _sent_once(
    request: ClientRequest, handler: ClientHandlerType
) -> ClientResponse:
    """Keep aiohttp from sending again what got no answer by a connection used before.

    It does so by itself with methods that should do nothing more the second time.
    """
    try:
        return await handler(request)
    except ClientConnectorError:
        raise
    except (ClientOSError, ServerDisconnectedError) as err:
        raise ClientConnectionError from err


async def _async_content(response: ClientResponse, max_bytes: int) -> bytes:
    if (response.content_length or 0) > max_bytes:
        raise NotAMediaServerError
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > max_bytes:
            raise NotAMediaServerError
        chunks.append(chunk)
    return b"".join(chunks)
