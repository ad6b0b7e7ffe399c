"""Tests of watchlists on a real disk."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta, timezone
import threading
import time
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.domain.watchlist import (
    Origin,
    WatchlistItem,
    completed,
    moved,
    renamed,
    typed_title,
)
from custom_components.media_scrobbler.domain.watchlist_sync import Remote, plan
from custom_components.media_scrobbler.storage import watchlist as module
from custom_components.media_scrobbler.storage.store import UnreadableStoreError
from custom_components.media_scrobbler.storage.watchlist import (
    Change,
    Watchlist,
    WatchlistFullError,
)
from custom_components.media_scrobbler.storage.writer import StorageWriteError

from .common import NOON, Disk, episode, movie

KEY = "watchlist.someone"
STORED: dict[str, Any] = {
    "uid": "1",
    "media_type": "movie",
    "title": "Film 1",
    "added_at": "2026-11-10T12:00:00+00:00",
    "origin": "plex",
}


def item(number: int, **details: Any) -> WatchlistItem:
    """Return an item; the same number is the same item."""
    described: dict[str, Any] = {
        "uid": str(number),
        "title": movie(number),
        "origin": Origin.PLEX,
    }
    return WatchlistItem(added_at=NOON, **described | details)


def typed(text: str, uid: str = "t") -> WatchlistItem:
    """Return an item that somebody typed."""
    return item(
        0,
        uid=uid,
        title=typed_title(text),
        origin=Origin.MANUAL,
        kind_is_guessed=True,
    )


def to(*items: WatchlistItem) -> Change:
    """Return the change to these items."""
    return lambda _: items


def adding(*items: WatchlistItem) -> Change:
    """Return the change that puts these items on top."""
    return lambda old: (*items, *old)


async def reopened(hass: HomeAssistant, watchlist: Watchlist) -> Watchlist:
    """Return the list as another start of Home Assistant reads it."""
    again = Watchlist(hass, KEY)
    await again.async_load()
    assert again.items == watchlist.items
    return again


@pytest.fixture
def watchlist(hass: HomeAssistant, disk: Disk) -> Watchlist:
    """Return a list with nothing on it yet."""
    return Watchlist(hass, KEY)


async def test_what_is_stored_is_read_again(
    hass: HomeAssistant, disk: Disk, watchlist: Watchlist
) -> None:
    full = item(
        1,
        title=movie(1, items={"attic": "4711"}),
        done_at=NOON,
        poster="https://example.com/1.jpg",
        announced_at=NOON,
        ids_asked_at=NOON,
        ids_asked=3,
    )
    show = item(2, title=Title(media_type=MediaType.SHOW, title="Harbour Lights"))
    assert (len(watchlist), watchlist.items, watchlist.get("1")) == (0, (), None)

    assert await watchlist.async_change(
        to(full, show, typed("Low Water")), seen=("alice", ["b", "a", "b"])
    )

    again = await reopened(hass, watchlist)
    assert again.items == (full, show, typed("Low Water"))
    assert len(again) == 3
    assert again.get("1") == full
    assert again.get("x") is None
    assert again.before("alice") == {"a", "b"}
    assert again.refused("alice") == frozenset()
    assert disk.read(KEY)["plex"] == {"account": "alice", "guids": ["a", "b"]}

    seen = "alice", ["a", "b"]
    assert await again.async_change(lambda items: items, seen=seen, refused=["b"])
    again = await reopened(hass, again)
    assert again.refused("alice") == {"b"}
    assert again.refused("bob") == frozenset()


async def test_a_title_is_found_whatever_it_is_known_by(
    hass: HomeAssistant, watchlist: Watchlist
) -> None:
    show = Title(media_type=MediaType.SHOW, title="Low Water", year=2020)
    await watchlist.async_change(to(item(1), typed("Low Water (2020)")))

    for known in (watchlist, await reopened(hass, watchlist)):
        assert known.find(movie(1, title=None)) == item(1)
        assert known.find(show) == typed("Low Water (2020)")
        assert known.find(replace(show, media_type=MediaType.MOVIE)) == typed(
            "Low Water (2020)"
        )
        assert known.find(movie(2)) is None


async def test_what_has_changed_is_found_as_it_is_now(watchlist: Watchlist) -> None:
    film = typed_title("Low Water (2020)")
    show = replace(film, media_type=MediaType.SHOW, ids={"tvdb": 1})
    await watchlist.async_change(to(typed("Low Water (2020)"), item(1), item(2)))

    await watchlist.async_change(
        lambda items: [completed(items[0], show), renamed(items[1], "Fog Signal", NOON)]
    )

    assert watchlist.find(film) is None
    assert watchlist.find(Title(media_type=MediaType.SHOW, ids={"tvdb": 1})) is not None
    assert watchlist.find(movie(1)) is None
    fog_signal = watchlist.find(typed_title("fog signal"))
    assert fog_signal is not None
    assert fog_signal.uid == "1"
    assert watchlist.find(movie(2)) is None
    assert watchlist.get("2") is None


async def test_a_title_that_was_removed_is_found_when_it_is_there_again(
    watchlist: Watchlist,
) -> None:
    await watchlist.async_change(to(item(1)))
    await watchlist.async_change(to())

    await watchlist.async_change(to(item(1, uid="other")))

    assert watchlist.find(movie(1)) == item(1, uid="other")


async def test_an_order_is_kept(hass: HomeAssistant, watchlist: Watchlist) -> None:
    await watchlist.async_change(to(item(1), item(2), item(3)))

    assert await watchlist.async_change(lambda items: moved(items, "3", None))
    assert await watchlist.async_change(lambda items: moved(items, "1", "2"))

    again = await reopened(hass, watchlist)
    assert [entry.uid for entry in again.items] == ["3", "2", "1"]


async def test_nothing_is_written_where_nothing_differs(
    hass: HomeAssistant, disk: Disk, watchlist: Watchlist
) -> None:
    assert not await watchlist.async_change(to())
    assert disk.names() == []
    await watchlist.async_change(to(item(1)), seen=("alice", ["a"]))
    written = disk.inode(KEY)

    for known in (watchlist, await reopened(hass, watchlist)):
        assert not await known.async_change(list)
        assert not await known.async_change(to(item(1)), seen=("alice", {"a"}))
        assert not await known.async_change(iter)
    assert disk.inode(KEY) == written


@pytest.mark.parametrize("seen", [("alice", ["a", "b"]), ("alice", []), ("bob", ["a"])])
async def test_what_was_seen_is_kept_without_a_change_of_the_items(
    hass: HomeAssistant, watchlist: Watchlist, seen: tuple[str, list[str]]
) -> None:
    await watchlist.async_change(to(item(1)), seen=("alice", ["a"]))

    assert await watchlist.async_change(lambda items: items, seen=seen)

    again = await reopened(hass, watchlist)
    assert again.before(seen[0]) == set(seen[1])


async def test_what_was_seen_of_another_account_does_not_count(
    watchlist: Watchlist,
) -> None:
    assert watchlist.before("alice") == frozenset()
    await watchlist.async_change(to(item(1)), seen=("alice", ["a"]))
    await watchlist.async_change(to(item(2)))

    assert watchlist.before("alice") == {"a"}
    assert watchlist.before("bob") == frozenset()


async def test_changes_at_the_same_time_all_count(
    hass: HomeAssistant, disk: Disk, watchlist: Watchlist
) -> None:
    await watchlist.async_change(to(item(0)))
    disk.written.clear()

    all_made = threading.Event()

    def last(items: tuple[WatchlistItem, ...]) -> tuple[WatchlistItem, ...]:
        all_made.set()
        return items

    with disk.held():
        changes = asyncio.gather(
            *(watchlist.async_change(adding(item(number))) for number in range(1, 40)),
            watchlist.async_change(last, seen=("alice", ["a"])),
        )
        await hass.async_add_executor_job(disk.wait_for_write)
        assert await hass.async_add_executor_job(all_made.wait, 10)
    assert await changes == [True] * 40

    assert {entry.uid for entry in watchlist.items} == set(map(str, range(40)))
    again = await reopened(hass, watchlist)
    assert again.before("alice") == {"a"}
    # They share what is written.
    assert len(disk.written) < 5


async def test_a_change_is_made_outside_the_event_loop(watchlist: Watchlist) -> None:
    threads: list[threading.Thread] = []

    def change(items: tuple[WatchlistItem, ...]) -> Iterable[WatchlistItem]:
        for entry in (*items, item(1)):
            threads.append(threading.current_thread())
            yield entry

    await watchlist.async_change(change)

    assert threads
    assert threading.current_thread() not in threads


async def test_a_change_is_on_disk_before_it_is_told(
    hass: HomeAssistant, disk: Disk, watchlist: Watchlist
) -> None:
    with disk.held():
        change = hass.async_create_task(watchlist.async_change(to(item(1))))
        await hass.async_add_executor_job(disk.wait_for_write)
        assert not change.done()
        assert watchlist.items == (item(1),)
    assert await change
    assert disk.read(KEY)["items"][0]["uid"] == "1"


def _raise(error: Exception) -> Change:
    def change(_: tuple[WatchlistItem, ...]) -> Iterable[WatchlistItem]:
        raise error

    return change


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_raise(KeyError("x")), KeyError),
        (_raise(ValueError("x")), ValueError),
        (lambda items: moved(items, "x", None), KeyError),
        (adding(item(2), item(2)), ValueError),
        (adding(item(2, title=episode(1, 1))), ValueError),
        (adding(item(2, title=movie(2, duration=-1))), ValueError),
        (adding(item(2, title=movie(2, year="2002"))), TypeError),
        (adding(item(2, title=movie(2, title="half \ud800"))), TypeError),
        (adding(item(2, title=movie(2, ids={"tmdb": 2**70}))), TypeError),
        (adding(item(2, poster=5)), TypeError),
        (adding(item(2, done_at=NOON.replace(tzinfo=None))), ValueError),
    ],
)
async def test_a_change_that_cannot_be_made_changes_nothing(
    hass: HomeAssistant,
    disk: Disk,
    watchlist: Watchlist,
    change: Change,
    error: type[Exception],
) -> None:
    await watchlist.async_change(to(item(1)), seen=("alice", ["a"]))
    written = disk.inode(KEY)

    with pytest.raises(error):
        await watchlist.async_change(change, seen=("alice", ["b"]))

    assert watchlist.items == (item(1),)
    assert watchlist.before("alice") == {"a"}
    assert watchlist.find(movie(2)) is None
    assert disk.inode(KEY) == written
    assert await watchlist.async_change(adding(item(2)))


async def test_a_time_of_any_zone_is_the_same_moment(
    hass: HomeAssistant, watchlist: Watchlist
) -> None:
    await watchlist.async_change(
        to(item(1, done_at=NOON.astimezone(timezone(timedelta(hours=2)))))
    )

    await reopened(hass, watchlist)


async def test_a_list_has_an_end(
    hass: HomeAssistant,
    disk: Disk,
    watchlist: Watchlist,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await watchlist.async_change(to(*map(item, range(4))))
    monkeypatch.setattr(module, "MAX_ITEMS", 3)
    written = disk.inode(KEY)

    with pytest.raises(WatchlistFullError):
        await watchlist.async_change(adding(item(5)))
    assert disk.inode(KEY) == written

    # One that is too long already can be read, and what is there can be changed.
    again = await reopened(hass, watchlist)
    await again.async_change(lambda items: items[::-1])
    await again.async_change(lambda items: items[1:])
    with pytest.raises(WatchlistFullError):
        await again.async_change(adding(item(5)))
    assert [entry.uid for entry in again.items] == ["2", "1", "0"]


async def test_what_could_not_be_written_is_written_later(
    hass: HomeAssistant, disk: Disk
) -> None:
    troubles: list[bool] = []
    kept: Watchlist = Watchlist(
        hass, KEY, on_trouble=lambda: troubles.append(kept.failing)
    )
    await kept.async_change(to(item(1)), seen=("alice", ["a"]))

    with disk.full(), pytest.raises(StorageWriteError):
        await kept.async_change(adding(item(2)), seen=("alice", ["b"]))

    assert kept.failing
    assert kept.items == (item(2), item(1))
    # A kill now leaves both as they were.
    killed = Watchlist(hass, KEY)
    await killed.async_load()
    assert killed.items == (item(1),)
    assert killed.before("alice") == {"a"}
    await kept.async_load()
    await kept.async_flush()
    await kept.async_settled()
    assert troubles == [True, False]
    again = await reopened(hass, kept)
    assert again.before("alice") == {"b"}


async def test_a_kill_while_it_is_written(
    hass: HomeAssistant, disk: Disk, watchlist: Watchlist
) -> None:
    await watchlist.async_change(to(item(1)), seen=("alice", ["a"]))

    with disk.held():
        change = hass.async_create_task(
            watchlist.async_change(adding(item(2)), seen=("alice", ["b"]))
        )
        await hass.async_add_executor_job(disk.wait_for_write)
        killed = Watchlist(hass, KEY)
        await killed.async_load()
        assert killed.items == (item(1),)
        assert killed.before("alice") == {"a"}
    await change
    again = await reopened(hass, watchlist)
    assert again.before("alice") == {"b"}


async def test_a_change_before_anything_is_read_keeps_the_others(
    hass: HomeAssistant, watchlist: Watchlist
) -> None:
    await watchlist.async_change(to(item(1)))
    again = Watchlist(hass, KEY)

    await asyncio.gather(
        *(again.async_change(adding(item(number))) for number in (2, 3))
    )

    assert [entry.uid for entry in again.items] == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("data", "version"),
    [
        ({}, 1),
        ({"items": 5}, 1),
        ({"items": [5]}, 1),
        ({"items": [{}]}, 1),
        ({"items": [STORED | {"uid": 1}]}, 1),
        ({"items": [STORED, STORED]}, 1),
        ({"items": [STORED | {"media_type": "episode"}]}, 1),
        ({"items": [STORED | {"media_type": "game"}]}, 1),
        ({"items": [STORED | {"title": 5}]}, 1),
        ({"items": [STORED | {"origin": "nowhere"}]}, 1),
        ({"items": [STORED | {"kind_is_guessed": "yes"}]}, 1),
        ({"items": [STORED | {"poster": 5}]}, 1),
        ({"items": [STORED | {"added_at": "2026-11-10T12:00:00"}]}, 1),
        ({"items": [STORED | {"done_at": True}]}, 1),
        ({"items": [STORED | {"announced_at": "soon"}]}, 1),
        ({"items": [STORED | {"ids_asked_at": "soon"}]}, 1),
        ({"items": [STORED | {"ids_asked": "often"}]}, 1),
        ({"items": [], "plex": 5}, 1),
        ({"items": [], "plex": {"account": "1", "guids": [], "refused": [1]}}, 1),
        ({"items": [], "plex": {"account": "1"}}, 1),
        ({"items": [], "plex": {"account": 1, "guids": []}}, 1),
        ({"items": [], "plex": {"account": "1", "guids": "abc"}}, 1),
        ({"items": [], "plex": {"account": "1", "guids": [1]}}, 1),
        ([], 1),
        ({"items": []}, 2),
    ],
)
async def test_what_cannot_be_read_is_not_overwritten(
    hass: HomeAssistant, disk: Disk, data: Any, version: int
) -> None:
    path = disk.write(KEY, data, version=version)
    content = path.read_bytes()
    troubles: list[list[str]] = []
    damaged: Watchlist = Watchlist(
        hass, KEY, on_trouble=lambda: troubles.append(list(damaged.unreadable))
    )

    await damaged.async_load()
    with pytest.raises(UnreadableStoreError):
        await damaged.async_change(to(item(2)), seen=("alice", ["a"]))
    await damaged.async_flush()

    assert path.read_bytes() == content
    assert troubles[0] == [str(path)]
    assert damaged.items == ()
    disk.write(KEY, {"items": [STORED]})
    await damaged.async_load()
    assert troubles[-1] == []
    await damaged.async_change(adding(item(2)))
    assert [entry["uid"] for entry in disk.read(KEY)["items"]] == ["2", "1"]


async def test_an_older_form_is_migrated(
    hass: HomeAssistant, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.write(KEY, {"entries": [STORED]})
    monkeypatch.setattr(module, "MINOR_VERSION", 2)

    def migrate(version: int, minor: int, data: dict[str, Any]) -> dict[str, Any]:
        assert (version, minor) == (1, 1)
        return {"items": data["entries"]}

    watchlist = Watchlist(hass, KEY, migrate=migrate)

    await watchlist.async_load()

    assert [entry.uid for entry in watchlist.items] == ["1"]


async def test_removing(disk: Disk, watchlist: Watchlist) -> None:
    await watchlist.async_change(to(item(1)), seen=("alice", ["a"]))

    await watchlist.async_remove()

    assert disk.names() == []
    assert (watchlist.items, watchlist.unreadable) == ((), {})
    assert watchlist.find(movie(1)) is None
    assert watchlist.before("alice") == frozenset()
    # Whatever was under way.
    assert not await watchlist.async_change(to(item(1)))
    assert (watchlist.items, disk.names()) == ((), [])


async def test_a_thousand_items(
    hass: HomeAssistant, disk: Disk, watchlist: Watchlist
) -> None:
    there = [
        Remote(f"plex://movie/{number}", movie(number), None) for number in range(1000)
    ]
    guids = [remote.guid for remote in there]
    uids = map(str, range(2000))

    def comparing(account: str) -> Callable[..., Iterable[WatchlistItem]]:
        return lambda items: (
            plan(
                items,
                there,
                watchlist.before(account),
                both_ways=True,
                now=NOON,
                new_uid=lambda: next(uids),
            ).items
        )

    assert await watchlist.async_change(comparing("1"), seen=("1", guids))
    assert len(watchlist) == 1000
    written = disk.inode(KEY)

    for known in (watchlist, await reopened(hass, watchlist)):
        assert not await known.async_change(comparing("1"), seen=("1", guids[::-1]))
    assert disk.inode(KEY) == written
    # One item more does not cost what all of them cost.
    began = time.perf_counter()
    await watchlist.async_change(adding(typed("Low Water")))
    assert time.perf_counter() - began < 0.5
