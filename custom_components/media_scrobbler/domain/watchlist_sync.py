"""Bringing a watchlist here and one at Plex together.

Both are compared with what was at Plex at the end of the last run: only that tells what
has been added on one side from what has been removed on the other.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .title import Title, is_of_plex, name_identity
from .title_map import TitleMap
from .watchlist import Origin, WatchlistItem, candidates, completed

_FEW = 4
"""Of fewer entries than this, half may go at once."""

ASKED_AGAIN = 10
"""Of how many titles without ids Plex is asked again in one run."""

ASKED_AFTER = timedelta(hours=1)
"""How long after the first time Plex is asked again for ids; each further time takes twice as long."""

_LONGEST_DOUBLING = 10


@dataclass(frozen=True, slots=True)
class Remote:
    """An entry at Plex. `guid` is Plex's own id, `poster` a URL."""

    guid: str
    title: Title
    poster: str | None


@dataclass(frozen=True, slots=True)
class RemoteList:
    """A watchlist at Plex, in its order.

    `unread` are the titles of entries that cannot be understood, as far as they have one.
    """

    entries: tuple[Remote, ...]
    unread: tuple[Title | None, ...] = ()

    @property
    def count(self) -> int:
        """Return how many entries there are, understood or not."""
        return len(self.entries) + len(self.unread)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do.

    `items` is the list here afterwards: what is imported is in it, what is removed is not.
    What is to change there is for the caller to do, removals first: what Plex then finds
    by the name of an item may be what is to be removed.

    `doubtful` are the guids of items that are here still, though they may be there no more:
    of an entry that is there it is not known what it is.
    """

    items: tuple[WatchlistItem, ...]
    imported: tuple[WatchlistItem, ...]
    already_present: int
    removed_here: tuple[WatchlistItem, ...]
    add_there: tuple[WatchlistItem, ...]
    remove_there: tuple[Remote, ...]
    doubtful: frozenset[str] = frozenset()


def plan(
    here: Collection[WatchlistItem],
    there: Iterable[Remote],
    before: frozenset[str],
    *,
    both_ways: bool,
    now: datetime,
    new_uid: Callable[[], str],
    refused: Collection[str] = (),
    undecided: Collection[str] = (),
    unread: Collection[Title | None] = (),
) -> Plan:
    """Return what brings the two lists together.

    `there` is in Plex's order, `before` holds the guids of the last run's end and is empty
    at the first. What is new there comes to the top here. What was there at the last run
    and is not here has been removed here, and does not come back.

    Only `both_ways` removes anything or adds anything there: then both lists hold the same
    afterwards, but for what is done here, which is never removed and never added.

    What Plex has `refused` to take off its list is not to be taken off again. Of guids that
    are `undecided` it is not known yet what they are, and what may be one of them or of the
    `unread` entries may be there or not: all of that stays as it is, until another run.
    """
    remotes = {
        remote.guid: replace(
            remote,
            title=replace(remote.title, ids=remote.title.ids | {"plex": remote.guid}),
        )
        for remote in there
    }
    matches = _matches(here, remotes)
    unknown = [
        *unread,
        *(remotes[guid].title for guid in remotes.keys() & set(undecided)),
    ]
    doubtful: set[str] = set()
    kept: list[WatchlistItem] = []
    removed_here: list[WatchlistItem] = []
    add_there: list[WatchlistItem] = []
    matched: set[str] = set()
    present = TitleMap[WatchlistItem]()
    for item in here:
        if (remote := matches.get(item.uid)) is not None:
            if remote.guid not in undecided or _guid(item) == remote.guid:
                item = learnt(item, remote)
            matched.add(remote.guid)
            present.add(item.title, item)
        elif both_ways and item.done_at is None:
            guid = _guid(item)
            if guid is None or guid not in before:
                add_there.append(item)
            elif _may_be(item.title, unknown):
                doubtful.add(guid)
            else:
                removed_here.append(item)
                continue
        kept.append(item)

    missing = [
        remote
        for remote in remotes.values()
        if remote.guid not in matched and remote.guid not in undecided
    ]
    imported: list[WatchlistItem] = []
    for remote in missing:
        if remote.guid not in before and present.find(remote.title) is None:
            item = WatchlistItem(
                uid=new_uid(),
                title=remote.title,
                added_at=now,
                origin=Origin.PLEX,
                poster=remote.poster,
            )
            present.add(item.title, item)
            imported.append(item)
    # What was typed without a year may be any of several entries of its name.
    perhaps = TitleMap(
        (title, item)
        for item in here
        if item.uid not in matches and _is_undecided(item)
        for title in candidates(item)
    )
    # Once everything new is here: another entry may have brought the same title back.
    removed_before = [
        remote
        for remote in missing
        if remote.guid in before
        and present.find(remote.title) is None
        and perhaps.find(remote.title) is None
    ]
    later = len(remotes.keys() - matched - {remote.guid for remote in missing})
    return Plan(
        items=(*imported, *kept),
        imported=tuple(imported),
        already_present=len(remotes) - len(imported) - len(removed_before) - later,
        removed_here=tuple(removed_here),
        add_there=tuple(add_there),
        remove_there=tuple(
            remote for remote in removed_before if remote.guid not in refused
        )
        if both_ways
        else (),
        doubtful=frozenset(doubtful),
    )


def to_ask_again(items: Iterable[WatchlistItem], now: datetime) -> set[str]:
    """Return the guids of items of which Plex is to be asked once more for ids.

    They are a few at a time, those first that have waited longest, ever more rarely.
    """
    due: list[tuple[datetime, str]] = []
    for item in items:
        guid = _guid(item)
        if guid is None or item.done_at is not None or has_ids(item.title):
            continue
        asked_at = item.ids_asked_at or item.added_at
        doublings = min(max(item.ids_asked - 1, 0), _LONGEST_DOUBLING)
        if asked_at + ASKED_AFTER * 2**doublings <= now:
            due.append((asked_at, guid))
    return {guid for _, guid in sorted(due)[:ASKED_AGAIN]}


def asked(item: WatchlistItem, guids: Collection[str], now: datetime) -> WatchlistItem:
    """Return an item after Plex was asked for the ids of some guids."""
    if has_ids(item.title):
        return replace(item, ids_asked_at=None, ids_asked=0)
    if _guid(item) not in guids:
        return item
    return replace(item, ids_asked_at=now, ids_asked=item.ids_asked + 1)


def has_ids(title: Title) -> bool:
    """Say whether a title has an id that others than Plex know it by."""
    return not all(map(is_of_plex, title.ids))


def _matches(
    here: Collection[WatchlistItem], remotes: Mapping[str, Remote]
) -> dict[str, Remote]:
    """Return the entries of items by their uid.

    What was typed without a year is the one entry of its name, if that is nothing else.
    """
    by_title = TitleMap((remote.title, remote) for remote in remotes.values())
    found: dict[str, Remote] = {}
    for item in here:
        # Its own entry, if it is there, even where another one is the same title.
        remote = remotes.get(_guid(item) or "")
        if remote is None and not _is_undecided(item):
            remote = next(filter(None, map(by_title.find, candidates(item))), None)
        if remote is not None:
            found[item.uid] = remote

    taken = {remote.guid for remote in found.values()}
    by_name = TitleMap(
        (replace(remote.title, year=None, ids={}), remote)
        for remote in remotes.values()
    )
    for item in here:
        if item.uid in found or not _is_undecided(item):
            continue
        named = [
            remote for title in candidates(item) for remote in by_name.find_all(title)
        ]
        if len(named) == 1 and named[0].guid not in taken:
            found[item.uid] = named[0]
    return found


def _is_undecided(item: WatchlistItem) -> bool:
    """Say whether a name is all that is known of an item."""
    return item.title.year is None and not item.title.ids


def is_suspicious(there_count: int, before_count: int) -> bool:
    """Say whether so much is missing there that the answer is not to be acted on.

    Neither the list nor what is remembered of the last run is to change then.
    """
    if before_count >= _FEW:
        return there_count * 2 <= before_count
    return there_count == 0 < before_count


def _may_be(title: Title, unknown: Iterable[Title | None]) -> bool:
    """Return whether one of the entries of which little is known may be of a title."""
    return any(
        each is None or _plain_name(each) == _plain_name(title) for each in unknown
    )


def _plain_name(title: Title) -> str | None:
    """Return the name of a movie or show, whatever its year."""
    return name_identity(replace(title, year=None))


def _guid(item: WatchlistItem) -> str | None:
    guid = item.title.ids.get("plex")
    return None if guid is None else str(guid)


def learnt(item: WatchlistItem, remote: Remote) -> WatchlistItem:
    """Return an item with what its entry knows; the entry's guid may be another by now."""
    known = completed(item, remote.title)
    return replace(
        known,
        title=replace(known.title, ids=known.title.ids | {"plex": remote.guid}),
        poster=known.poster or remote.poster,
    )
