"""A request to an endpoint of a Jellyfin server, and how it is answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
import json
from typing import Any

from aiohttp import web
import orjson

from .jellyfin_accounts import Credentials, Token
from .jellyfin_query import BadRequestError, Params, guid


class Access(Enum):
    """Who may use an endpoint."""

    EVERYBODY = auto()
    SIGNED_IN = auto()
    ADMINISTRATORS = auto()


class RefusedError(Exception):
    """A request is answered with a status instead of what it asked for."""

    def __init__(self, status: int, text: str | None = None) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


@dataclass(slots=True, kw_only=True)
class Call:
    """A request to an endpoint, with who it comes from."""

    params: Params
    body: bytes
    content_type: str
    path_values: dict[str, str]
    credentials: Credentials
    token: Token | None

    @property
    def caller(self) -> Token:
        """Return what the request is allowed by."""
        assert self.token is not None, "the endpoint is for those signed in"
        return self.token

    def id(self, name: str) -> str:
        """Return an id from the path."""
        return guid(self.path_values[name])

    def json(self) -> Any:
        """Return the body, which has to be JSON."""
        if "json" not in self.content_type:
            raise RefusedError(415)
        try:
            return json.loads(self.body)
        except ValueError:
            raise BadRequestError("The body is not valid.") from None


type Handler = Callable[[Call], Awaitable[web.Response]]
# The method, the path with its parts in braces, who may use it, and what answers.
type Endpoint = tuple[str, str, Access, Handler]


def answer_json(content: Any, *, status: int = 200) -> web.Response:
    """Return an answer that is JSON."""
    return web.Response(
        status=status,
        body=orjson.dumps(content),
        content_type="application/json",
        charset="utf-8",
    )
