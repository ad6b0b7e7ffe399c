"""Calls to plexapi, which is synchronous: in the executor, one at a time, with our errors."""

import asyncio
from collections.abc import Callable
from typing import Any, override
from urllib.parse import urljoin
from xml.etree.ElementTree import ParseError

from homeassistant.core import HomeAssistant
from plexapi.exceptions import BadRequest, NotFound, PlexApiException, Unauthorized
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from ..domain.media_server import (
    BusyError,
    CannotConnectError,
    CertificateError,
    ForbiddenError,
    MediaServerError,
    NoHttpsError,
    NotAMediaServerError,
    RedirectedError,
    ServerFailureError,
    SignInError,
)

TIMEOUT = 15
"""Seconds that a server has for an answer."""

# Only what is safe to repeat is: plexapi itself repeats nothing. An address at which
# nobody answers is not tried twice: there may be others.
_RETRIES = Retry(
    total=2,
    connect=0,
    backoff_factor=0.5,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=("GET",),
    raise_on_status=False,
)


# What OpenSSL calls it that nobody vouches for a certificate, or that it is another's.
_UNVERIFIED = "CERTIFICATE_VERIFY_FAILED"


def new_session(*, verify_ssl: bool = True) -> requests.Session:
    """Return a session of one client: plexapi's are not shared between threads."""
    session = _Session() if verify_ssl else _TrustingSession()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=_RETRIES))
    return session


class _Session(requests.Session):
    """A session that follows no redirect: the token would go along, to anywhere."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None where an answer is no redirect; raises RedirectedError where it is."""
        if (target := super().get_redirect_target(resp)) is not None:
            resp.close()
            raise RedirectedError(resp.url, urljoin(resp.url, target))
        return None


class _TrustingSession(_Session):
    """A session that verifies no certificate, whatever the environment says.

    Where that names authorities, requests heeds them more than a session's `verify`.
    """

    @override
    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Return the settings for a request."""
        settings = super().merge_environment_settings(
            url, proxies, stream, verify, cert
        )
        return {**settings, "verify": False}


class Caller:
    """Runs jobs with plexapi objects in the executor, one after the other."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Take where the executor is."""
        self._hass = hass
        self._lock = asyncio.Lock()

    async def async_call[T](self, job: Callable[[], T]) -> T:
        """Return what the job returns; raises MediaServerError."""
        async with self._lock:
            return await self._hass.async_add_executor_job(_translated, job)


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
    except requests.exceptions.SSLError as err:
        if _UNVERIFIED in str(err):
            raise CertificateError from err
        raise NoHttpsError from err
    except requests.exceptions.HTTPError as err:
        raise ServerFailureError from err
    except OSError as err:
        # All other errors of requests, and a missing file with its authorities.
        raise CannotConnectError from err
    except NotFound as err:
        raise NotAMediaServerError from err
    except BadRequest as err:
        if str(err).startswith("(403)"):
            raise ForbiddenError from err
        if str(err).startswith("(429)"):
            raise BusyError from err
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
