"""Files in which any one value is not what it should be: read, or left as they are."""

from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
import json
from typing import Any

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.event import Action, MediaEvent, Party
from custom_components.media_scrobbler.domain.library import Section
from custom_components.media_scrobbler.domain.outcome import Answer, Outcome
from custom_components.media_scrobbler.domain.play import (
    Play,
    Report,
    Source,
    SourceKind,
)
from custom_components.media_scrobbler.storage.accounts import Accounts
from custom_components.media_scrobbler.storage.dismissed import Dismissed
from custom_components.media_scrobbler.storage.doubts import Doubts
from custom_components.media_scrobbler.storage.history import History
from custom_components.media_scrobbler.storage.import_log import ImportLog, Run, Trigger
from custom_components.media_scrobbler.storage.last_look import LastLook
from custom_components.media_scrobbler.storage.library import Library
from custom_components.media_scrobbler.storage.outbox import Change, Outbox
from custom_components.media_scrobbler.storage.poster import Poster
from custom_components.media_scrobbler.storage.ratings import Ratings
from custom_components.media_scrobbler.storage.store import UnreadableStoreError
from custom_components.media_scrobbler.storage.viewings import StoredViewings
from custom_components.media_scrobbler.storage.watchlist import Watchlist
from custom_components.media_scrobbler.storage.webhook_log import WebhookLog

from .common import NOON, Disk, movie, report
from .test_older_forms import PRESENT, lay_out

TIMES = (
    "nonsense",
    "2026-11-10T12:00:00",
    "0001-01-01T00:00:00+14:00",
    "1066-10-14T12:00:00+00:00",
    "9999-12-31T23:59:59-14:00",
)
WRONG: dict[type, tuple[Any, ...]] = {
    str: (None, 5, [], "nonsense"),
    int: (None, True, -1, 0.5, 10**30, "nan"),
    float: (None, -1, 1e300, "nan"),
    bool: (None, 5, "nonsense"),
    list: (None, 5, {"": []}, [5], [[]]),
    dict: (None, 5, [], {"": []}),
}
"""What stands where something of a type should."""

LATER = NOON + timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file: its contents, how they are read and looked at, and how changed.

    `use` returns the files that could not be read.
    """

    name: str
    use: Callable[[HomeAssistant], Awaitable[dict[str, str]]]
    data: dict[str, Any] | None = None


async def use_history(hass: HomeAssistant) -> dict[str, str]:
    history = History(hass, "history.someone")
    await history.async_load()
    for play in await history.async_plays():
        history.standing(play)
        await history.async_take(
            [Report(title=play.title, watched_at=LATER, source=report())], add=False
        )
        # Whoever asks for something else is told that it cannot be had.
        try:
            await history.async_change(play.id, lambda play: play)
        except UnreadableStoreError:
            assert history.unreadable
    recorded = await history.async_record(movie(1), NOON, report())
    assert recorded.saved is not None
    await recorded.saved
    return history.unreadable


async def use_ratings(hass: HomeAssistant) -> dict[str, str]:
    ratings = Ratings(hass, "ratings.someone")
    try:
        assert await ratings.async_set(movie(1), 5, NOON)
    except UnreadableStoreError:
        assert ratings.unreadable
    return ratings.unreadable


async def use_watchlist(hass: HomeAssistant) -> dict[str, str]:
    watchlist = Watchlist(hass, "watchlist.someone")
    await watchlist.async_load()
    for item in watchlist.items:
        watchlist.find_all(item.title)
    try:
        await watchlist.async_change(lambda items: items[::-1])
    except UnreadableStoreError:
        assert watchlist.unreadable
    return watchlist.unreadable


async def use_accounts(hass: HomeAssistant) -> dict[str, str]:
    accounts = Accounts(hass)
    await accounts.async_load()
    for account in accounts:
        assert accounts.get(account.key) in (account, None)
        assert account.slug
    for party in (Party("new", "Nora"), Party(None, "alice"), None):
        accounts.note("01SERVERPLEX", party)
    await accounts.async_saved()
    return accounts.unreadable


async def use_outbox(hass: HomeAssistant) -> dict[str, str]:
    outbox = Outbox(hass, "outbox.01SERVERJELLY")
    await outbox.async_put([Change(account="a", title=movie(1), queued_at=NOON)])
    for waiting in outbox:
        outbox.waiting_for(waiting.change.account, waiting.change.title)
    return outbox.unreadable


async def use_dismissed(hass: HomeAssistant) -> dict[str, str]:
    dismissed = Dismissed(hass, "someone")
    await dismissed.async_add(
        Play(id="new", title=movie(1), watched_at=NOON, sources=(report(),))
    )
    source = Source(kind=SourceKind.SERVER_HISTORY, at=NOON)
    for title in (movie(1), movie(2)):
        dismissed.has(Report(title=title, watched_at=NOON, source=source))
    return dismissed.unreadable


async def use_webhook_log(hass: HomeAssistant) -> dict[str, str]:
    log = WebhookLog(hass, "01SERVERPLEX")
    await log.async_load()
    for entry in log.newest():
        assert isinstance(entry["outcome"] + entry["reason"], str)
    log.add(NOON, Answer(Outcome.UPDATED, "new"), None)
    return log.unreadable


async def use_import_log(hass: HomeAssistant) -> dict[str, str]:
    log = ImportLog(hass, "someone")
    await log.async_load()
    log.add(Run(at=NOON, duration=1, trigger=Trigger.TIMER))
    return log.unreadable


async def use_poster(hass: HomeAssistant) -> dict[str, str]:
    poster = Poster(hass, "poster.someone")
    await poster.async_load()
    poster.show(b"\xff\xd8\xff another", LATER)
    return poster.unreadable


async def use_last_look(hass: HomeAssistant) -> dict[str, str]:
    look = LastLook(hass, "01SERVERPLEX")
    await look.async_load()
    look.note(LATER, thorough=True)
    return look.unreadable


async def use_viewings(hass: HomeAssistant) -> dict[str, str]:
    viewings = StoredViewings(hass, "01SERVERJELLY")
    await viewings.async_load()
    for action, position in ((Action.PLAY, 0), (Action.STOP, 5400)):
        event = MediaEvent(
            name="event",
            account=Party("a"),
            player=Party("tv"),
            titles=(movie(2),),
            action=action,
            position=position,
            completed=action is Action.STOP,
            watched_at=LATER,
        )
        viewings.take(event, LATER)
    viewings.was_no_play("a", movie(1), NOON)
    await viewings.async_flush()
    return viewings.unreadable


async def use_doubts(hass: HomeAssistant) -> dict[str, str]:
    doubts = Doubts(hass, "01SERVERJELLY")
    await doubts.async_load()
    for doubt in doubts:
        assert isinstance(doubt.may_be_repeated, bool)
        doubts.add(replace(doubt, item="another"))
    return doubts.unreadable


KINDS = (
    Kind(name="history", use=use_history),
    Kind(name="ratings", use=use_ratings),
    Kind(name="watchlist", use=use_watchlist),
    Kind(name="accounts", use=use_accounts),
    Kind(name="outbox", use=use_outbox),
    Kind(name="webhook_log", use=use_webhook_log),
    Kind(name="import_log", use=use_import_log),
    Kind(name="poster", use=use_poster),
    Kind(
        name="dismissed",
        use=use_dismissed,
        data={
            "plays": [
                {
                    "id": "x",
                    "watched_at": NOON.isoformat(),
                    "media_type": "movie",
                    "title": "Film 2",
                    "ids": {"tmdb": 1002},
                    "items": {"5f0c9a7d": "4711"},
                    "duration": 6000,
                    "sources": [
                        {
                            "kind": "webhook",
                            "at": NOON.isoformat(),
                            "account": "alice",
                            "server_id": "s",
                        }
                    ],
                }
            ]
        },
    ),
    Kind(
        name="last_look",
        use=use_last_look,
        data={
            "at": NOON.isoformat(),
            "thorough_at": NOON.isoformat(),
            "earlier": {"before": NOON.isoformat(), "count": 12, "newest": 4711},
        },
    ),
    Kind(
        name="viewings",
        use=use_viewings,
        data={
            "viewings": [
                {
                    "account": "a",
                    "player": "tv",
                    "titles": [
                        {"media_type": "movie", "title": "Film 1", "duration": 6000}
                    ],
                    "items": ["4711"],
                    "begun_at": NOON.isoformat(),
                    "position": 60.5,
                    "reported_at": NOON.isoformat(),
                    "ran": 60.5,
                    "is_paused": False,
                    "ended_at": None,
                    "has_counted": False,
                    "shows_played": True,
                }
            ]
        },
    ),
    Kind(
        name="doubts",
        use=use_doubts,
        data={
            "doubts": [
                {
                    "viewer": "v",
                    "play_id": "p",
                    "title": {"media_type": "movie", "title": "Film 1"},
                    "account": "a",
                    "item": "4711",
                    "source": {"kind": "webhook", "at": NOON.isoformat()},
                    "play_count": 1,
                    "is_new": True,
                }
            ]
        },
    ),
)
FILES = {
    "dismissed": "dismissed.someone",
    "last_look": "last_look.01SERVERPLEX",
    "viewings": "viewings.01SERVERJELLY",
    "doubts": "doubts.01SERVERJELLY",
}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return every place in a file at which a value stands."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, below in inner:
        yield *path, key
        yield from places(below, (*path, key))


def damaged(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the contents of a file with each value in turn missing, another one, or doubled.

    What is the same in each entry of a list is damaged in one of them.
    """
    kinds = set()
    for *parents, last in places(data):
        kind = tuple(step for step in (*parents, last) if isinstance(step, str))
        if (kind, type(last)) in kinds:
            continue
        kinds.add((kind, type(last)))
        there: Any = data
        for step in (*parents, last):
            there = there[step]
        values = WRONG.get(type(there), (5,))
        if isinstance(there, str) and there.startswith("2026-"):
            values += TIMES
        for value in (..., *values):
            changed = deepcopy(data)
            place: Any = changed
            for parent in parents:
                place = place[parent]
            if value is not ...:
                place[last] = value
            elif isinstance(place, list):
                place.append(place[last])
            else:
                del place[last]
            yield changed


async def use(hass: HomeAssistant, kind: Kind) -> dict[str, str]:
    """Use a file and write what waits; returns what could not be read."""
    unreadable = await kind.use(hass)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    return unreadable


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_file_with_a_wrong_value_is_read_or_left_as_it_is(
    hass: HomeAssistant,
    disk: Disk,
    caplog: pytest.LogCaptureFixture,
    kind: Kind,
) -> None:
    path = (
        lay_out(disk, PRESENT, kind.name)
        if kind.data is None
        else disk.write(FILES[kind.name], kind.data)
    )
    whole = path.read_text()
    assert await use(hass, kind) == {}
    data = json.loads(whole)["data"]
    read = left = 0
    for changed in damaged(data):
        for each in disk.folder.iterdir():
            each.unlink()
        content = json.dumps(json.loads(whole) | {"data": changed})
        path.write_text(content)

        unreadable = await use(hass, kind)

        if unreadable:
            assert list(unreadable) == [str(path)]
            assert path.read_text() == content
            left += 1
        else:
            assert json.loads(path.read_text())["data"]
            read += 1
    assert read and left
    assert "Traceback" not in caplog.text
    assert "ERROR" not in {record.levelname for record in caplog.records}


@pytest.mark.parametrize("name", ["library", "library_part", "library_new"])
async def test_a_library_with_a_wrong_value_is_read_or_scanned_again(
    hass: HomeAssistant, disk: Disk, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    names = ("library", "library_part", "library_new")
    wholes = [path.read_text() for path in (lay_out(disk, PRESENT, n) for n in names)]
    contents = dict(zip(names, map(json.loads, wholes), strict=True))
    seen = set()
    for changed in damaged(contents[name]["data"]):
        for each in disk.folder.iterdir():
            each.unlink()
        for other, content in contents.items():
            path = disk.folder / content["key"]
            data = changed if other == name else content["data"]
            path.write_text(json.dumps(content | {"data": data}))
        library = Library(hass, "01SERVERPLEX")

        await library.async_load()
        for title in (await library.async_titles(library.index)).values():
            library.find(title)
        seen.add(library.scanned_at is None)
        scan = library.begin()
        await scan.async_add(
            Section("1", "Films", ()), [movie(1, items={"5f0c9a7d": "1"})]
        )
        await scan.async_commit(LATER)

        assert library.scanned_at == LATER
        assert "1" in set(library.index)
    assert True in seen
    assert "Traceback" not in caplog.text
    assert "ERROR" not in {record.levelname for record in caplog.records}
