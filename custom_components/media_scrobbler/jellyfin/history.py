"""What the users of a Jellyfin server have watched, the latest first."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
import logging
from typing import Any

from ..domain.event import Party
from ..domain.fields import Fields, PayloadError
from ..domain.library import Completion
from ..domain.media_server import ForbiddenError
from ..domain.play import Certainty
from ..domain.title import MediaType, Title
from .dto import item_title, raw_items, watched
from .http import Http, RefusedError
from .items import SHORT_ITEM, each_episode
from .users import async_users

_LOGGER = logging.getLogger(__name__)

PAGE = 500
"""Items asked for at once: decoding them is one piece of work, whatever thread does it."""

LATEST_PAGE = 100
"""Items asked for at once where only what is new is wanted: mostly that is little."""

OVERLAP = 0.1
"""The share of a page that is asked for again: what comes after an item that is not seen any
more, or has gone, moves up."""

ACTIVITY_STEP = timedelta(minutes=1)
"""How long a user may have been active before the server writes that down."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for, of whom; `forgets` is as in `async_history`."""

    account: Party
    server_id: str
    since: datetime | None
    forgets: bool


async def async_history(
    http: Http,
    server_id: str,
    accounts: Collection[str],
    since: datetime | None,
    *,
    active_since: datetime | None,
    forgets: bool,
) -> AsyncIterator[list[Completion]]:
    """Yield what accounts have completed, page by page; all of it, or since a time.

    The server knows of each item only when it was begun last. What it has no time for is
    left out. An account that is gone, or that the sign-in may not ask for, is skipped, and
    so is one that has not used the server since `active_since`.

    `forgets` is whether the server takes a title for not seen while it is seen again.
    """
    idle = set() if active_since is None else await _async_idle(http, active_since)
    for account in accounts:
        if account in idle:
            continue
        asked = _Asked(Party(account), server_id, since, forgets)
        try:
            async for page in _async_history_of(http, asked):
                yield page
        except ForbiddenError:
            _LOGGER.debug("The history of account %s may not be read", account)
        except RefusedError:
            await http.async_assert_reached()
            _LOGGER.debug("Account %s is not known to the server", account)


async def _async_idle(http: Http, since: datetime) -> set[str | None]:
    """Return the accounts that have not used the server since a time."""
    try:
        users = await async_users(http)
    except ForbiddenError:
        return set()
    # They are told by the server's clock.
    since += http.clock_ahead
    return {
        user.account.id
        for user in users
        if user.last_active is not None and user.last_active < since - ACTIVITY_STEP
    }


async def _async_history_of(
    http: Http, asked: _Asked
) -> AsyncIterator[list[Completion]]:
    since = asked.since
    limit = PAGE if since is None else LATEST_PAGE
    overlap = round(limit * OVERLAP)
    params = {
        "userId": asked.account.id or "",
        "recursive": "true",
        "isPlayed": "true",
        "includeItemTypes": "Movie,Episode,Audio",
        "fields": "ProviderIds,MediaSourceCount",
        "sortBy": "DatePlayed,SortName",
        "sortOrder": "Descending",
        "limit": str(limit),
        "enableImages": "false",
        "enableUserData": "true",
        "enableTotalRecordCount": "false",
    }

    before: set[str] = set()

    def read(answer: Fields) -> tuple[list[Completion], bool]:
        """Return what is new, and whether there may be more of it.

        An item may have several rows of user data: the server sorts by one of them and
        answers another, so that older items stand among newer ones. A page is read to its
        end, and the next one is asked for unless all that ends this one is older.
        """
        nonlocal before
        completions: list[Completion] = []
        items = raw_items(answer)
        known, before = before, set(filter(None, map(_id_of, items)))
        has_new_end = False
        for number, item in enumerate(items):
            found = _completions(item, asked)
            if found and since is not None and found[0].watched_at < since:
                continue
            has_new_end = has_new_end or number >= limit - max(overlap, 1)
            if _id_of(item) not in known:
                completions.extend(found)
        return completions, has_new_end

    start, more = 0, True
    while more:
        completions, more = await http.async_read(
            "/Items", params | {"startIndex": str(start)}, read
        )
        if completions:
            yield completions
        start += limit - overlap


def _id_of(item: Any) -> str | None:
    """Return the id of an item, which may be nonsense."""
    item_id = item.get("Id") if isinstance(item, dict) else None
    return item_id if isinstance(item_id, str) else None


def _completions(item: Any, asked: _Asked) -> list[Completion]:
    """Return what an item stands for, nothing if it cannot be understood."""
    try:
        fields = Fields(item, "Items")
        title = item_title(fields, None, asked.server_id)
        was_watched, at = watched(fields)
        if title is None or not was_watched or at is None:
            return []
        certainty = _certainty(fields, title, forgets=asked.forgets)
        titles = each_episode(title, fields.integer("IndexNumberEnd"))
    except PayloadError:
        return []
    return [
        Completion(
            account=asked.account,
            title=each,
            watched_at=at,
            is_last_start=True,
            certainty=certainty,
        )
        for each in titles
    ]


def _certainty(item: Fields, title: Title, *, forgets: bool) -> Certainty:
    """Return how sure it is that a title that counts as seen was completed when last begun.

    Music counts as soon as it is begun, and what is short or of unknown length soon after.
    """
    if (
        title.media_type is MediaType.TRACK
        or not title.duration
        or title.duration < SHORT_ITEM
    ):
        return Certainty.BEGUN
    data = item.object("UserData")
    if forgets or data is None:
        return Certainty.CERTAIN
    if data.integer("PlaybackPositionTicks"):
        # It was seen before, and is half-way through again.
        return Certainty.BEGUN
    # An item that stands for several versions has the latest date of all of them, and
    # its own count.
    has_versions = (item.integer("MediaSourceCount") or 1) > 1
    if data.integer("PlayCount") == 1 and not has_versions:
        return Certainty.CERTAIN
    return Certainty.IF_FIRST
