"""Comparing what an account of a server shows as watched with histories."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched, groupby

from homeassistant.util import dt as dt_util

from .domain.library import Entry
from .domain.title import MediaType, Title
from .following import AT_ONCE
from .storage.library import with_show
from .storage.library_index import item_id
from .storage.outbox import Change, Held, Outbox
from .viewer import Viewer, linked_viewers

MASS = 10
"""Unasked, no more than one in so many items that show as watched is unmarked."""

UNSETTLED = timedelta(days=1)
"""How long the play of what was watched on a server may be on its way.

The webhook may be lost, and the play be found by looking at what the server knows: not
once it is marked as not watched there.
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """An item to be marked as watched at a time in UTC, or as not watched.

    It has several titles if it is a file with several episodes.
    """

    item: str
    titles: tuple[Title, ...]
    watched_at: datetime | None

    @property
    def label(self) -> str:
        """Return the item as a person would write it."""
        return self.titles[0].label or self.item


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a server, by its id there, that is to be brought in step.

    `everybody` are the viewers that there are, `wanted` those to do it for. Who of them is
    linked to the account, or follows with it, may change at any time.
    """

    id: str
    key: str
    everybody: Mapping[str, Viewer]
    wanted: Collection[Viewer]
    only_following: bool

    @property
    def viewers(self) -> list[Viewer]:
        """Return who is linked to it."""
        return linked_viewers(self.everybody.values(), self.key)

    @property
    def marking(self) -> list[Viewer]:
        """Return those whose plays are to show."""
        return [
            viewer
            for viewer in self.viewers
            if viewer in self.wanted
            and (viewer.follows(self.key) or not self.only_following)
        ]

    @property
    def names(self) -> str:
        """Return who it is brought in step with."""
        return ", ".join(viewer.name for viewer in self.marking)

    @property
    def follows(self) -> bool:
        """Return whether it is to be in step at all times."""
        return any(viewer.follows(self.key) for viewer in self.marking)

    @property
    def unfollows(self) -> bool:
        """Return whether what is in no history is to show as not watched.

        What cannot be read may well hold what seems to be missing.
        """
        return any(viewer.unfollows(self.key) for viewer in self.marking) and not any(
            viewer.history.removed or viewer.history.unreadable
            for viewer in self.viewers
        )

    async def async_load(self) -> None:
        """Read the histories, those of whoever has come to be linked as well."""
        for viewer in self.viewers:
            await viewer.history.async_load()

    def watched_at(self, titles: Iterable[Title]) -> datetime | None:
        """Return when any of an item's titles was played last, None if none was."""
        latest = max(_times(self.marking, titles), default=None)
        return None if latest is None else datetime.fromtimestamp(latest, UTC)

    def is_unwatched(self, titles: Collection[Title]) -> bool:
        """Return whether an item is to show as not watched.

        Where several viewers share the account, what any of them has watched stays. Of
        what is not recorded, a history says nothing.
        """
        viewers = self.viewers
        return (
            all(
                title.media_type in viewer.media_types
                for viewer in viewers
                for title in titles
            )
            and next(_times(viewers, titles), None) is None
            and self.unfollows
        )


class Comparison:
    """An account, and how its items differ from its viewers' histories."""

    def __init__(self, account: Account, outbox: Outbox) -> None:
        """Take the account, and what waits for its server: that is left to be delivered."""
        self.account = account
        self._outbox = outbox
        self.marks: list[Mark] = []
        self.found: dict[Viewer, set[int]] = {each: set() for each in account.marking}
        """The titles of histories that are on the server, by their numbers there."""
        self._items: set[str] = set()
        self._shows: dict[str, Title] = {}
        self._watched = 0
        self.waiting = 0
        """Items that an earlier comparison has found, and that wait to be marked."""

    @property
    def unchanged(self) -> int:
        """Return how many items are in step."""
        return len(self._items) - len(self.marks) - self.waiting

    @property
    def watched(self) -> int:
        """Return how many items show as watched."""
        return self._watched

    @property
    def unwatching(self) -> int:
        """Return how many of them would be marked as not watched."""
        return sum(mark.watched_at is None for mark in self.marks)

    @property
    def is_mass(self) -> bool:
        """Return whether those are too many for it to be done unasked."""
        return self.unwatching * MASS > self.watched

    async def async_take(self, media_type: MediaType, entries: Iterable[Entry]) -> None:
        """Compare items of a kind; one that was compared before is passed over.

        Shows only have ids that their episodes, which have to come later, go by.
        """
        if media_type is MediaType.SHOW:
            for entry in entries:
                self._shows |= dict.fromkeys(entry.title.items.values(), entry.title)
            return
        # A file with several episodes has an entry for each of them.
        items = [
            (item, tuple(of_item))
            for item, of_item in groupby(entries, lambda entry: item_id(entry.title))
            if item is not None and item not in self._items
        ]
        for some in batched(items, AT_ONCE, strict=False):
            for item, of_item in some:
                self._items.add(item)
                self._compare(item, of_item)
            await asyncio.sleep(0)

    def _compare(self, item: str, entries: tuple[Entry, ...]) -> None:
        titles = tuple(with_show(entry.title, self._shows) for entry in entries)
        for viewer, found in self.found.items():
            for title in titles:
                found.update(viewer.history.index.numbers(title))
        # All are the same file.
        entry = entries[0]
        mark: Mark | None = None
        if entry.watched:
            self._watched += 1
            if _is_settled(entry) and self.account.is_unwatched(titles):
                mark = Mark(item, titles, None)
        elif entry.watched is False:
            watched_at = self.account.watched_at(titles)
            if watched_at is not None and not _is_begun_since(entry, watched_at):
                mark = Mark(item, titles, watched_at)
        if mark is None:
            return
        waiting = [
            known.change
            for title in titles
            if (known := self._outbox.waiting_for(self.account.id, title)) is not None
        ]
        if not waiting:
            self.marks.append(mark)
        elif all(change.items for change in waiting):
            self.waiting += 1

    def change(self, mark: Mark) -> Change:
        """Return a mark as it waits in the outbox: by the title that was watched last."""
        viewers = self.account.marking
        return Change(
            account=self.account.id,
            title=max(
                mark.titles, key=lambda title: max(_times(viewers, [title]), default=0)
            ),
            queued_at=dt_util.utcnow(),
            is_removal=mark.watched_at is None,
            items=(mark.item,),
        )

    def is_due(self, mark: Mark, held: Held | None) -> bool:
        """Return whether a mark, of which nothing else waits, is what the histories say.

        If not, whoever follows has been told of it, or will be. `held` is the mark itself
        in the outbox.
        """
        if mark.watched_at is None:
            is_right = self.account.is_unwatched(mark.titles)
        else:
            is_right = self.account.watched_at(mark.titles) == mark.watched_at
        return is_right and not any(
            waiting is not None
            and (held is None or waiting is not held.waiting or held.has_been_joined)
            for title in mark.titles
            for waiting in (self._outbox.waiting_for(self.account.id, title),)
        )


def _is_settled(entry: Entry) -> bool:
    """Return whether the play of what was watched would be in a history by now."""
    return entry.watched_at is None or entry.watched_at < dt_util.utcnow() - UNSETTLED


def _is_begun_since(entry: Entry, watched_at: datetime) -> bool:
    """Return whether what was watched is being watched again: a mark would lose the place.

    Some servers forget meanwhile that it was watched.
    """
    return entry.begun_at is not None and entry.begun_at > watched_at


def _times(viewers: Iterable[Viewer], titles: Iterable[Title]) -> Iterator[float]:
    """Yield when any of some viewers has watched any of some titles, in epoch seconds."""
    return (
        time
        for viewer in viewers
        for title in titles
        for time in viewer.history.index.times(title)
    )
