"""Holds what a stand-in for Jellyfin takes and answers against Jellyfin's own description.

The descriptions are those that the server itself offers at /api-docs/openapi.json. They
are not part of this project.

Only what a server took is held against it: how a refusal looks is described for few
endpoints, and rarely as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
import json
from pathlib import Path
import re
from typing import Any
import uuid

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from .request_log import LoggedRequest

# Described as an object without any properties, which no plugin's configuration is.
_UNDESCRIBED_ANSWERS = frozenset({"/Plugins/{pluginId}/Configuration"})
# Understood with every request and described with none.
_EVERYWHERE = frozenset({"apikey"})


@cache
def description_of(version: str, folder: Path) -> Description:
    """Return the newest description of a version in a folder; it is read once."""
    files = sorted(folder.glob(f"jellyfin-openapi-{version}*.json"))
    if not files:
        raise FileNotFoundError(f"no description of {version} in {folder}")
    return Description(json.loads(files[-1].read_bytes()))


class _Request:
    """A request as the library wants it."""

    def __init__(
        self,
        request: LoggedRequest,
        query: Sequence[tuple[str, str]],
    ) -> None:
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(query),
            header=Headers(dict(request.headers)),
            cookie=ImmutableMultiDict(),
        )
        self.host_url = "http://localhost"
        self.path = request.path
        self.method = request.method.lower()
        self.body = request.body or None
        self.content_type = Headers(dict(request.headers)).get("Content-Type", "")


class _Response:
    """A response as the library wants it."""

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes | None
    ) -> None:
        self.status_code = status
        self.headers = Headers(dict(headers))
        self.content_type = self.headers.get("Content-Type", "")
        self.data = body or None


class Description:
    """What Jellyfin says about one version of its API."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._api = OpenAPI.from_dict(
            document,
            config=Config(
                # It is Jellyfin's to be right about, and takes long to find out.
                spec_validator_cls=None,
                extra_format_validators={"uuid": _is_guid},
            ),
        )
        self._paths = [
            (re.compile(re.sub(r"{\w+}", "[^/]+", path)), path)
            for path in sorted(document["paths"], key=lambda path: path.count("{"))
        ]

    def describes(self, method: str, path: str) -> bool:
        """Return whether the API has an endpoint."""
        return self._operation(method, path) is not None

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        """Return the endpoint a path belongs to, and what is said about the method."""
        for pattern, template in self._paths:
            if pattern.fullmatch(path):
                operations: dict[str, Any] = self._document["paths"][template]
                if (operation := operations.get(method.lower())) is not None:
                    return template, operation
        return None

    def violations(
        self,
        request: LoggedRequest,
        status: int,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> list[str]:
        """Return what is not as it is described, in words."""
        found = self._operation(request.method, request.path)
        if found is None:
            return ["it is not described"]
        template, operation = found
        if status >= 400:
            return list(self._of_refusal(operation, request, status, headers, body))
        query, unknown = _normalised(request.query, operation.get("parameters", ()))
        wrong = [f"unknown parameter {name}" for name in unknown]
        wrapped = _Request(request, query)
        try:
            self._api.validate_request(wrapped)
        except OpenAPIError as err:
            wrong.append(f"wrong request: {_reason(err)}")
        if template in _UNDESCRIBED_ANSWERS or request.method == "HEAD":
            if str(status) not in operation["responses"]:
                wrong.append(f"answered {status}")
            return wrong
        try:
            self._api.validate_response(wrapped, _Response(status, headers, body))
        except OpenAPIError as err:
            wrong.append(f"wrong answer: {_reason(err)}")
        return wrong

    def _of_refusal(
        self,
        operation: Mapping[str, Any],
        request: LoggedRequest,
        status: int,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Iterator[str]:
        """Yield what is wrong with a refusal that is described in detail."""
        described = operation["responses"].get(str(status), {}).get("content", {})
        if "application/json" not in described or not (body or b"").startswith(b"{"):
            return
        wrapped = _Request(request, _normalised(request.query, ())[0])
        try:
            self._api.validate_response(wrapped, _Response(status, headers, body))
        except OpenAPIError as err:
            yield f"wrong refusal: {_reason(err)}"


def _normalised(
    query: Sequence[tuple[str, str]], described: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return a query as it is described, and what in it is not.

    The server reads names in any case and lists with commas; the description knows neither.
    """
    known = {
        parameter["name"].lower(): parameter
        for parameter in described
        if parameter["in"] == "query"
    }
    normalised: list[tuple[str, str]] = []
    unknown: list[str] = []
    for name, value in query:
        parameter = known.get(name.lower())
        if parameter is None:
            if name.lower() not in _EVERYWHERE:
                unknown.append(name)
            continue
        values = [value]
        if parameter["schema"].get("type") == "array":
            delimited = "pipe" in parameter.get("description", "")
            values = [
                part.strip()
                for part in value.split("|" if delimited else ",")
                if part.strip()
            ]
        elif parameter["schema"].get("type") == "boolean":
            values = [value.lower()]
        normalised.extend((parameter["name"], each) for each in values)
    return normalised, unknown


def _is_guid(value: object) -> bool:
    """Return whether this is an id; the server writes them without dashes."""
    if not isinstance(value, str):
        return True
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def _reason(error: BaseException) -> str:
    """Return what an error is about: its own words, and those of its causes."""
    words = []
    cause: BaseException | None = error
    while cause is not None:
        words.append(str(cause)[:300])
        for schema_error in getattr(cause, "schema_errors", ()):
            path = ".".join(map(str, schema_error.absolute_path))
            words.append(f"{path or 'it'}: {str(schema_error.message)[:300]}")
        cause = cause.__cause__
    return "; ".join(words)
