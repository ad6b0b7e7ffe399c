"""Plex's API in JSON, of servers as of plex.tv's services.

For long lists, which are read from JSON many times faster than from plexapi's XML. All of
it blocks and belongs into the executor, through `Caller`, which turns the errors into ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from homeassistant.util import dt as dt_util
import orjson
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
import requests

from ..domain.fields import Fields
from ..domain.media_server import NotAMediaServerError
from ..domain.rules import clock_ahead

_PAGE_BEGINNINGS = (b"<!doctype", b"<html")
_ERRORS = {401: Unauthorized, 404: NotFound}

type Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a list: items as they were sent, and how many there are in all."""

    items: list[Any]
    total: int


class Api:
    """What answers at a URL, for the holder of a token."""

    def __init__(self, session: requests.Session, url: str, token: str) -> None:
        """Take where to ask; nothing is asked yet."""
        self._session = session
        self._url = url.rstrip("/")
        self._token = token
        self.clock_ahead = timedelta()

    def get(self, path: str, params: Params | None = None) -> Fields:
        """Return what the container of an answer holds."""
        return _container(self._request("GET", path, params))

    def part(self, path: str, params: Params, start: int, limit: int) -> Part:
        """Return a part of a list, never one that stops short of its end unnoticed."""
        container = _container(
            self._request(
                "GET",
                path,
                params,
                {
                    "X-Plex-Container-Start": str(start),
                    "X-Plex-Container-Size": str(limit),
                },
            )
        )
        # Where there is nothing there is no list of it either.
        items = container.get("Metadata", [])
        if not isinstance(items, list):
            raise NotAMediaServerError
        total = container.integer("totalSize")
        is_whole = start == 0 and container.integer("size") == len(items) != limit
        if total is None and is_whole:
            # Where there are no pages, everything comes at once.
            return Part(items, len(items))
        if (
            total is None
            or len(items) > limit
            or container.integer("offset") not in (None, start)
            or (not items and limit and start < total)
        ):
            raise NotAMediaServerError
        return Part(items, total)

    def put(self, path: str, params: Params) -> None:
        """Have something changed."""
        content = self._request("PUT", path, params)
        # Whatever is answered, if anything, it is not the page of a proxy.
        if content.lstrip()[:9].lower().startswith(_PAGE_BEGINNINGS):
            raise NotAMediaServerError

    def _request(
        self,
        method: str,
        path: str,
        params: Params | None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        # The token goes into a header: URLs end up in logs.
        response = self._session.request(
            method,
            f"{self._url}{path}",
            params=params,
            headers={
                "Accept": "application/json",
                "X-Plex-Token": self._token,
                **(headers or {}),
            },
        )
        if not response.ok:
            error = _ERRORS.get(response.status_code, BadRequest)
            raise error(f"({response.status_code})")
        self.clock_ahead = clock_ahead(response.headers.get("Date"), dt_util.utcnow())
        content: bytes = response.content
        return content


def _container(content: bytes) -> Fields:
    container = Fields(orjson.loads(content)).object("MediaContainer")
    if container is None:
        raise NotAMediaServerError
    return container
