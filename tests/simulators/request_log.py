"""What a stand-in was asked, to count and to look at afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
import json
from typing import Any, overload, override


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    """A request, and the status that it was answered with once it was."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = b""
    status: int | None = None
    failed_on_purpose: bool = field(default=False)

    def argument(self, name: str) -> str | None:
        """Return the value of a query parameter, whatever the case of its name."""
        for key, value in self.query:
            if key.lower() == name.lower():
                return value
        return None

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)

    def is_for(self, method: str | None, path: str) -> bool:
        """Return whether this has the method, and a path that the pattern matches."""
        return method in {None, self.method} and fnmatchcase(self.path, path)


class RequestLog(Sequence[LoggedRequest]):
    """The requests in the order they came, those that got no answer among them."""

    def __init__(self) -> None:
        self._requests: list[LoggedRequest] = []

    @overload
    def __getitem__(self, index: int) -> LoggedRequest: ...

    @overload
    def __getitem__(self, index: slice) -> list[LoggedRequest]: ...

    @override
    def __getitem__(self, index: int | slice) -> LoggedRequest | list[LoggedRequest]:
        return self._requests[index]

    @override
    def __len__(self) -> int:
        return len(self._requests)

    @override
    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._requests)

    def append(self, request: LoggedRequest) -> None:
        """Add a request."""
        self._requests.append(request)

    def clear(self) -> None:
        """Forget every request."""
        self._requests.clear()

    def of(self, method: str | None = None, path: str = "*") -> list[LoggedRequest]:
        """Return the requests of a method (None: any) and a path (`/Items/*`: below it)."""
        return [request for request in self._requests if request.is_for(method, path)]

    def count_of(self, method: str | None = None, path: str = "*") -> int:
        """Return how many requests there were of a method and a path."""
        return len(self.of(method, path))
