"""What the accounts of a Plex Media Server have completed, as the server remembers it.

Entries name an item and its show by their keys and say little else: there are no external
ids. Those of an item that is gone have no key either.
"""

from collections.abc import Mapping
from datetime import datetime
import re
from typing import Any

from ..domain.event import Party
from ..domain.fields import Fields, PayloadError
from ..domain.library import Completion
from ..domain.title import PLAYABLE
from .api import Api
from .metadata import moment, not_media, parse_title

AT_ONCE = 1000
"""How many entries are asked for in one request."""

# How many entries of the part before are read again, lest some be missed where the server
# has forgotten as many meanwhile: what comes after them has moved up.
_OVERLAP = 50

_KEY = re.compile(r"/library/metadata/(\d+)(/children)?", re.ASCII)
_KEYS = {"ratingKey": "key", "grandparentRatingKey": "grandparentKey"}


class HistoryReader:
    """Reads a history part by part.

    The oldest come first, so that what is completed meanwhile comes last and nothing that
    is still to be read moves down.
    """

    def __init__(
        self, api: Api, accounts: Mapping[str, Party], since: datetime | None
    ) -> None:
        """Take whose history to read, by their ids at the server; all of it, or since a time."""
        self._api = api
        self._accounts = accounts
        self._params: dict[str, str | int] = {"sort": "viewedAt:asc"}
        if len(accounts) == 1:
            self._params["accountID"] = next(iter(accounts))
        if since is not None:
            # Together with the "=" that follows any name it says ">=".
            self._params["viewedAt>"] = int(since.timestamp())
        self._start = 0
        self._before: set[object] = set()
        self.done = False

    def read(self, server_id: str) -> list[Completion]:
        """Return what is in the next part; there are more parts until it is done."""
        part = self._api.part(
            "/status/sessions/history/all", self._params, self._start, AT_ONCE
        )
        found = {
            _identity(completion): completion
            for item in part.items
            if (completion := self._completion(item, server_id))
        }
        end = self._start + len(part.items)
        self.done = end >= part.total
        self._start = end - min(_OVERLAP, len(part.items) // 2)
        known, self._before = self._before, set(found)
        return [completion for key, completion in found.items() if key not in known]

    def _completion(self, item: Any, server_id: str) -> Completion | None:
        """Return an entry, None for one that cannot be understood or is of no use."""
        try:
            metadata = Fields(item)
            account = self._account(metadata)
            watched_at = moment(metadata, "viewedAt")
            title = parse_title(_with_keys(metadata), server_id)
            if account is None or watched_at is None or not_media(metadata):
                return None
        except PayloadError:
            return None
        if title is None or title.media_type not in PLAYABLE:
            return None
        if not title.items and title.title is None:
            return None
        return Completion(account=account, title=title, watched_at=watched_at)

    def _account(self, metadata: Fields) -> Party | None:
        account = metadata.text("accountID")
        if account is None and len(self._accounts) == 1:
            # The server was asked for nobody else's.
            return next(iter(self._accounts.values()))
        return self._accounts.get(account or "")


def _with_keys(metadata: Fields) -> Fields:
    """Return metadata with the ids that are only in the paths of an item and its show."""
    ids = {
        name: match[1]
        for name, path in _KEYS.items()
        if metadata.get(name) is None
        and (match := _KEY.fullmatch(metadata.text(path) or ""))
    }
    return Fields({**metadata, **ids})


def _identity(completion: Completion) -> object:
    title = completion.title
    return (
        completion.account.id,
        completion.watched_at,
        title.label,
        *title.items.values(),
    )
