"""What the accounts of a Plex Media Server have completed, as the server remembers it.

Entries name an item and its show by their keys and say little else: there are no external
ids. Those of an item that is gone have no key either.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
import re
from typing import Any

from ..domain.event import Party
from ..domain.fields import Fields, PayloadError
from ..domain.library import Completion, LatestPage
from ..domain.title import PLAYABLE, MediaType, Title
from .api import Api, Part
from .metadata import LOCAL_ACCOUNT, moment, not_media, parse_title

AT_ONCE = 1000
"""How many entries are asked for in one request."""

# How many entries of the part before are read again, lest some be missed where the server
# has forgotten as many meanwhile: what comes after them has moved up.
_OVERLAP = 50

LATEST_AT_ONCE = 200
"""How many entries are asked for first where only the latest are wanted."""

_DATE = re.compile(r"(\d{4})-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"/status/sessions/history/(\d{1,18})", re.ASCII)
_PATH = re.compile(r"/library/metadata/(\d+)(/children)?", re.ASCII)
_PATHS = {"ratingKey": "key", "grandparentRatingKey": "grandparentKey"}


class _Reader:
    """Reads the history of some accounts, in an order."""

    def __init__(
        self, api: Api, accounts: Mapping[str, Party], params: Mapping[str, str | int]
    ) -> None:
        """Take whose history to read, by their ids at the server, and how to ask for it."""
        self._api = api
        self._accounts = accounts
        self._params = dict(params)
        self._only: Party | None = None
        if len(accounts) == 1 and LOCAL_ACCOUNT not in accounts:
            # Then it is nobody else's that the server tells of.
            ((self._params["accountID"], self._only),) = accounts.items()
        self._start = 0
        self.done = False

    def _part(self, limit: int) -> Part:
        """Return the next part, of which the end is read again with the one that follows."""
        part = self._api.part(
            "/status/sessions/history/all", self._params, self._start, limit
        )
        end = self._start + len(part.items)
        self.done = end >= part.total
        self._start = end - min(_OVERLAP, len(part.items) // 2)
        return part

    def _completion(self, item: Any, server_id: str) -> Completion | None:
        """Return an entry, None for one that cannot be understood or is of no use."""
        try:
            metadata = Fields(item)
            account = self._account(metadata)
            watched_at = moment(metadata, "viewedAt")
            title = parse_title(_with_keys(metadata), server_id)
            if account is None or watched_at is None or not_media(metadata):
                return None
            number = _NUMBER.fullmatch(metadata.text("historyKey") or "")
        except PayloadError:
            return None
        if title is None or title.media_type not in PLAYABLE:
            return None
        if not title.items:
            if title.title is None:
                return None
            title = replace(title, year=title.year or _year_released(title, metadata))
        return Completion(
            account=account,
            title=title,
            watched_at=watched_at,
            number=int(number[1]) if number else None,
        )

    def _account(self, metadata: Fields) -> Party | None:
        account = metadata.text("accountID")
        return self._accounts.get(account) if account else self._only


class HistoryReader(_Reader):
    """Reads a history part by part.

    The oldest come first, so that what is completed meanwhile comes last and nothing that
    is still to be read moves down.
    """

    def __init__(
        self, api: Api, accounts: Mapping[str, Party], since: datetime | None
    ) -> None:
        """Take whose history to read, by their ids at the server; all of it, or since a time."""
        params: dict[str, str | int] = {"sort": "viewedAt:asc"}
        if since is not None:
            # Together with the "=" that follows any name it says ">=".
            params["viewedAt>"] = int(since.timestamp())
        super().__init__(api, accounts, params)
        self._before: set[object] = set()

    def read(self, server_id: str) -> list[Completion]:
        """Return what is in the next part; there are more parts until it is done."""
        found = {
            _identity(completion): completion
            for item in self._part(AT_ONCE).items
            if (completion := self._completion(item, server_id))
        }
        known, self._before = self._before, set(found)
        return [completion for key, completion in found.items() if key not in known]


class LatestReader(_Reader):
    """Reads a history back to a time part by part, and counts all that there is of it.

    The latest come first: so one request is enough for both, as long as there is little new.
    """

    def __init__(
        self, api: Api, accounts: Mapping[str, Party], since: datetime
    ) -> None:
        """Take whose history to read, by their ids at the server, and since when."""
        super().__init__(api, accounts, {"sort": "viewedAt:desc"})
        self._since = since.replace(microsecond=0)
        self._total: int | None = None
        self._read: set[str] = set()

    def read(self, server_id: str) -> LatestPage:
        """Return what is in the next part; there are more parts until it is done."""
        part = self._part(LATEST_AT_ONCE if self._total is None else AT_ONCE)
        if self._total is None:
            # What is completed from now on comes before what is read, and is not in it.
            self._total = part.total
        completions: list[Completion] = []
        times: list[datetime] = []
        for item in part.items:
            if (key := _key(item)) in self._read:
                continue
            self._read.add(key)
            if (time := _time(item)) is None:
                continue
            times.append(time)
            if time < self._since:
                self.done = True
            elif (completion := self._completion(item, server_id)) is not None:
                completions.append(completion)
        return LatestPage(completions, self._total, tuple(times))


def _key(item: Any) -> str:
    """Return what an entry is told from others by."""
    return str(item.get("historyKey") or item) if isinstance(item, dict) else str(item)


def _time(item: Any) -> datetime | None:
    """Return the time of an entry, None where that cannot be understood."""
    try:
        return moment(Fields(item), "viewedAt")
    except PayloadError:
        return None


def _with_keys(metadata: Fields) -> Fields:
    """Return metadata with the ids that are only in the paths of an item and its show."""
    ids = {
        name: match[1]
        for name, path in _PATHS.items()
        if metadata.get(name) is None
        and (match := _PATH.fullmatch(metadata.text(path) or ""))
    }
    return Fields({**metadata, **ids})


def _year_released(title: Title, metadata: Fields) -> int | None:
    """Return the year in which a film came out, which is the year it goes by or one next to it.

    Nothing else tells of a film that is gone from the library which one of that name it was.
    """
    date = _DATE.match(metadata.text("originallyAvailableAt") or "")
    return int(date[1]) if date and title.media_type is MediaType.MOVIE else None


def _identity(completion: Completion) -> object:
    title = completion.title
    return (
        completion.account.id,
        completion.watched_at,
        title.label,
        *title.items.values(),
    )
