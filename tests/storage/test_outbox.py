"""Tests of outboxes on a real disk."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.storage import outbox as module, writer
from custom_components.media_scrobbler.storage.outbox import (
    TIDY_DELAY,
    Change,
    Held,
    Outbox,
    Waiting,
)

from .common import NOON, Disk, episode, movie

KEY = "outbox.server"
STORED: dict[str, Any] = {
    "account": "alice",
    "title": {"media_type": "movie", "title": "Film 1"},
    "queued_at": "2026-11-10T12:00:00+00:00",
}


def change(title: Title, account: str = "alice", **details: Any) -> Change:
    """Return a change to a title."""
    return Change(account=account, title=title, queued_at=NOON, **details)


def films(numbers: Iterable[int]) -> list[Change]:
    """Return changes to films."""
    return [change(movie(number)) for number in numbers]


async def put(outbox: Outbox, one: Change, **details: Any) -> Held:
    """Put a change into an outbox; it is held back."""
    (held,) = await outbox.async_put([one], **details)
    return held


async def happen(outbox: Outbox, one: Change, **details: Any) -> Waiting:
    """Put a change into an outbox and let it happen."""
    held = await put(outbox, one, **details)
    held.release(happened=True)
    return held.waiting


def due(outbox: Outbox) -> list[Title]:
    """Return the titles that are to be delivered, in their order."""
    return [waiting.change.title for waiting in outbox if waiting.is_due]


async def tidied(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Let so much time pass that it is written what has been delivered."""
    freezer.tick(timedelta(seconds=TIDY_DELAY + 1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


async def reopened(hass: HomeAssistant) -> Outbox:
    """Return the outbox as another start of Home Assistant reads it."""
    again = Outbox(hass, KEY)
    await again.async_load()
    return again


@pytest.fixture
def outbox(hass: HomeAssistant, disk: Disk) -> Outbox:
    """Return an outbox in which nothing waits."""
    return Outbox(hass, KEY)


# What waits


async def test_a_change_is_on_disk_before_it_happens(
    hass: HomeAssistant, disk: Disk, outbox: Outbox
) -> None:
    with disk.held():
        putting = hass.async_create_task(outbox.async_put(films([1])))
        await hass.async_add_executor_job(disk.wait_for_write)
        assert not putting.done()
    (held,) = await putting

    assert len(disk.read(KEY)["changes"]) == 1
    assert due(outbox) == []
    held.release(happened=True)
    assert due(outbox) == [movie(1)]


async def test_what_waits_is_read_again_and_may_have_been_delivered(
    hass: HomeAssistant, outbox: Outbox
) -> None:
    first = await happen(outbox, change(movie(1), played_item="a"))
    await put(outbox, change(episode(1, 2), "bob", is_removal=True))
    assert not first.unsure

    again = await reopened(hass)

    assert [waiting.change for waiting in again] == [
        waiting.change for waiting in outbox
    ]
    # What was held back then may have happened or not.
    assert due(again) == [movie(1), episode(1, 2)]
    assert all(waiting.unsure for waiting in again)


async def test_the_order_is_that_in_which_they_came(outbox: Outbox) -> None:
    held = [await put(outbox, one) for one in films([3, 1, 2])]
    for each in reversed(held):
        each.release(happened=True)

    assert due(outbox) == [movie(3), movie(1), movie(2)]

    outbox.postpone(held[0].waiting)
    assert due(outbox) == [movie(1), movie(2), movie(3)]


async def test_what_has_not_happened_is_forgotten(
    hass: HomeAssistant, outbox: Outbox
) -> None:
    held = await put(outbox, change(movie(1)))
    held.release(happened=False)

    assert len(outbox) == 0
    await outbox.async_flush()
    assert len(await reopened(hass)) == 0


async def test_a_title_waits_once_for_each_account(
    hass: HomeAssistant, outbox: Outbox
) -> None:
    one = await happen(outbox, change(movie(1, duration=None)))
    same = await happen(outbox, change(movie(1, title="Film eins", ids={"tmdb": 1001})))
    other = await happen(outbox, change(movie(1), "bob"))

    assert one is same
    assert one is not other
    assert len(outbox) == 2
    # What the later one knows of it is kept too.
    assert one.change.title == movie(1)
    assert (await reopened(hass)).waiting_for("alice", movie(1))


async def test_which_titles_wait(outbox: Outbox) -> None:
    assert not outbox.waiting_for("alice", movie(1))
    await put(outbox, change(movie(1)))

    assert outbox.waiting_for("alice", movie(1, title=None))
    assert not outbox.waiting_for("alice", movie(2))
    assert not outbox.waiting_for("bob", movie(1))


async def test_it_is_due_when_all_that_is_to_happen_has(outbox: Outbox) -> None:
    first = await put(outbox, change(movie(1)))
    second = await put(outbox, change(movie(1)))

    first.release(happened=True)
    assert due(outbox) == []
    second.release(happened=False)
    assert due(outbox) == [movie(1)]


async def test_something_waits_on_when_a_further_change_has_not_happened(
    outbox: Outbox,
) -> None:
    await happen(outbox, change(movie(1)))
    held = await put(outbox, change(movie(1)))
    held.release(happened=False)

    assert due(outbox) == [movie(1)]


async def test_a_change_that_happens_while_another_is_delivered(
    outbox: Outbox,
) -> None:
    waiting = await happen(outbox, change(movie(1)))
    turn = waiting.turn
    await happen(outbox, change(movie(1)))

    outbox.done(waiting, turn)
    assert due(outbox) == [movie(1)]
    outbox.done(waiting, waiting.turn)
    assert len(outbox) == 0


@pytest.mark.parametrize("happened", [True, False])
async def test_a_change_that_is_to_happen_while_another_is_delivered(
    outbox: Outbox, happened: bool
) -> None:
    waiting = await happen(outbox, change(movie(1)))
    turn = waiting.turn
    held = await put(outbox, change(movie(1)))

    outbox.done(waiting, turn)
    assert len(outbox) == 1
    assert due(outbox) == []
    held.release(happened=happened)
    assert len(outbox) == happened
    assert due(outbox) == ([movie(1)] if happened else [])


async def test_what_may_have_been_delivered_is_not_forgotten(
    hass: HomeAssistant, outbox: Outbox
) -> None:
    await happen(outbox, change(movie(1)))
    again = await reopened(hass)
    held = await put(again, change(movie(1)))
    held.release(happened=False)

    assert due(again) == [movie(1)]


async def test_items_that_were_played_are_those_of_one_change(outbox: Outbox) -> None:
    waiting = await happen(outbox, change(movie(1), played_item="a"))
    await happen(outbox, change(movie(1), played_item="a"))
    assert (waiting.change.played_item, waiting.unsure) == ("a", False)

    await happen(outbox, change(movie(1), played_item="b"))
    assert (waiting.change.played_item, waiting.unsure) == (None, True)


async def test_a_removal_stays_one(hass: HomeAssistant, outbox: Outbox) -> None:
    await happen(outbox, change(movie(1), is_removal=True), unsure=True)
    waiting = await happen(outbox, change(movie(1)))

    assert waiting.change.is_removal
    assert waiting.unsure
    (again,) = await reopened(hass)
    assert again.change.is_removal


async def test_more_becomes_known_of_a_title_that_waits(
    hass: HomeAssistant, disk: Disk, outbox: Outbox
) -> None:
    bare = movie(1, ids={}, items={"attic": "1"})
    known = movie(1, items={"attic": "1"})
    waiting = await happen(outbox, change(bare))
    written = disk.written.copy()

    outbox.learn("alice", known)
    outbox.learn("alice", movie(2))
    outbox.learn("bob", known)

    assert waiting.change.title == known
    assert waiting.turn == 1
    assert outbox.waiting_for("alice", movie(1, items={}))
    # Nobody waits for that: it can be learnt again.
    assert disk.written == written
    await outbox.async_flush()
    assert due(await reopened(hass)) == [known]


async def test_what_is_of_no_account_any_more_goes(outbox: Outbox) -> None:
    held = await put(outbox, change(movie(1)))
    await happen(outbox, change(movie(1), "bob"))
    await happen(outbox, change(movie(2), "bob"))

    outbox.keep({"bob", "carol"}, ())
    assert due(outbox) == [movie(1), movie(2)]
    outbox.keep((), ())
    assert len(outbox) == 0

    # What was held, or is being delivered, comes to nothing.
    held.release(happened=True)
    outbox.postpone(held.waiting)
    outbox.done(held.waiting, held.waiting.turn)
    assert len(outbox) == 0


async def test_there_is_an_end_to_what_can_wait(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)

    held = await outbox.async_put(films(range(5)))

    assert len(held) == len(outbox) == 2
    assert len(await outbox.async_put(films(range(1, 5)))) == 1
    assert caplog.text.count("No more than 2 titles") == 1
    # There is room again, and then there is none.
    held[0].release(happened=False)
    assert len(await outbox.async_put(films(range(2, 5)))) == 1
    await outbox.async_put(films(range(2, 5)))
    assert caplog.text.count("No more than 2 titles") == 2


# On disk


async def test_many_are_written_together(
    hass: HomeAssistant, disk: Disk, outbox: Outbox, freezer: FrozenDateTimeFactory
) -> None:
    held = await outbox.async_put(films(range(2000)))
    assert disk.written == [KEY]

    for each in held:
        each.release(happened=True)
    for each in held[:-1]:
        outbox.done(each.waiting, each.waiting.turn)
    await tidied(hass, freezer)

    assert disk.written == [KEY] * 2
    assert due(await reopened(hass)) == [movie(1999)]


async def test_those_who_come_at_the_same_time_share_their_writes(
    hass: HomeAssistant, disk: Disk, outbox: Outbox
) -> None:
    with disk.held():
        first = hass.async_create_task(put(outbox, change(movie(0))))
        await hass.async_add_executor_job(disk.wait_for_write)
        others = [
            hass.async_create_task(put(outbox, one)) for one in films(range(1, 2000))
        ]
    await asyncio.gather(first, *others)

    assert disk.written == [KEY] * 2
    assert len(await reopened(hass)) == 2000


async def test_what_a_comparison_has_found(hass: HomeAssistant, outbox: Outbox) -> None:
    """It waits by its items, those of one title together, until all of that is due."""
    first, second = await outbox.async_put_each(
        [change(movie(1), items=("a",)), change(movie(1), items=("b", "a"))]
    )
    assert first is not None and second is not None
    again = await reopened(hass)
    assert [waiting.change.items for waiting in again] == [("a", "b")]
    assert again.has_compared
    first.release(happened=False)
    assert len(outbox) == 1
    joined = [second.has_been_joined]
    # A play is to show everywhere.
    await happen(outbox, change(movie(1)))
    joined.append(second.has_been_joined)
    assert joined == [False, True]
    assert [waiting.change.items for waiting in outbox] == [()]
    assert not outbox.has_compared


async def test_whom_a_comparison_is_for(outbox: Outbox) -> None:
    """It need not follow, but has to be somebody's."""
    for account in ("alice", "bob"):
        await happen(outbox, change(movie(1), account, items=("a",)))
    await happen(outbox, change(movie(2), "alice"))
    outbox.keep((), {"alice"})
    assert [(each.change.account, each.change.items) for each in outbox] == [
        ("alice", ("a",))
    ]


async def test_much_that_a_comparison_has_found(
    hass: HomeAssistant, outbox: Outbox, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one write for all of it, and what is too much is left out."""
    monkeypatch.setattr(module, "MAX_WAITING", 450)
    held = await outbox.async_put_each(
        change(movie(number), items=(str(number),)) for number in range(500)
    )
    assert [each is None for each in held] == [False] * 450 + [True] * 50
    assert len(disk.read(KEY)["changes"]) == 450


async def test_whoever_joins_waits_for_the_write_that_is_under_way(
    hass: HomeAssistant, disk: Disk, outbox: Outbox
) -> None:
    with disk.held():
        first = hass.async_create_task(put(outbox, change(movie(1))))
        await hass.async_add_executor_job(disk.wait_for_write)
        second = hass.async_create_task(put(outbox, change(movie(1))))
        await asyncio.wait([second], timeout=0.05)
        assert not second.done()
    assert (await first).waiting is (await second).waiting
    assert disk.written == [KEY]

    # Nothing is written for what is there already.
    await put(outbox, change(movie(1)))
    assert disk.written == [KEY]


async def test_what_cannot_be_written_is_delivered_and_written_later(
    hass: HomeAssistant,
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))
    troubles: list[bool] = []
    settled = asyncio.Event()

    def note() -> None:
        troubles.append(box.failing)
        if not box.failing:
            settled.set()

    box = Outbox(hass, KEY, on_trouble=note)
    with disk.full():
        await happen(box, change(movie(1)))
        assert due(box) == [movie(1)]
        assert disk.names() == []
        # Nobody waits for it any longer than it takes to try.
        await happen(box, change(movie(1)))
    await asyncio.wait_for(settled.wait(), 10)

    assert troubles == [True, False]
    assert due(await reopened(hass)) == [movie(1)]


async def test_what_nobody_waits_for_any_more_has_not_happened(
    hass: HomeAssistant, disk: Disk, outbox: Outbox
) -> None:
    with disk.held():
        putting = hass.async_create_task(outbox.async_put(films([1, 2])))
        await hass.async_add_executor_job(disk.wait_for_write)
        putting.cancel()
        await asyncio.wait([putting])
    assert putting.cancelled()

    assert len(outbox) == 0
    await outbox.async_flush()
    assert len(await reopened(hass)) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "nonsense",
        {"changes": 1},
        {"changes": [1]},
        {"changes": [{}]},
        {"changes": [STORED | {"account": 1}]},
        {"changes": [STORED | {"played_item": ["a"]}]},
        {"changes": [STORED | {"title": None}]},
        {"changes": [STORED | {"title": {"media_type": "vase"}}]},
        {"changes": [STORED | {"queued_at": "noon"}]},
        {"entries": []},
    ],
)
async def test_a_damaged_file_stays_as_it_is_and_goes_on_in_another_one(
    hass: HomeAssistant, disk: Disk, damage: Any
) -> None:
    path = disk.write(KEY, damage)
    damaged = path.read_bytes()
    troubles: list[list[str]] = []
    kept = Outbox(hass, KEY, on_trouble=lambda: troubles.append(list(kept.unreadable)))

    await happen(kept, change(movie(2)))

    assert troubles == [[str(path)]]
    assert due(await reopened(hass)) == [movie(2)]
    assert path.read_bytes() == damaged

    same = {"media_type": "movie", "ids": {"tmdb": 1002}}
    other = STORED | {"title": same}
    disk.write(KEY, {"changes": [STORED, other]})
    mended = await reopened(hass)
    assert len(mended) == 2
    await happen(mended, change(movie(3)))
    assert disk.names() == [KEY]
    assert len(disk.read(KEY)["changes"]) == 3


async def test_what_is_stored_without_a_fault_is_read(
    disk: Disk, outbox: Outbox
) -> None:
    disk.write(KEY, {"changes": [STORED]})

    await outbox.async_load()

    assert due(outbox) == [Title(media_type=MediaType.MOVIE, title="Film 1")]


async def test_a_file_of_a_newer_version_is_kept(
    hass: HomeAssistant, disk: Disk, outbox: Outbox
) -> None:
    disk.write(KEY, {"changes": []}, version=module.VERSION + 1)

    await happen(outbox, change(movie(1)))

    assert disk.names() == [KEY, f"{KEY}.0001"]
    await outbox.async_remove()
    assert disk.names() == []


async def test_an_older_form_is_migrated(
    hass: HomeAssistant, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.write(KEY, {"entries": [STORED]})
    monkeypatch.setattr(module, "MINOR_VERSION", 2)

    def migrate(version: int, minor: int, data: dict[str, Any]) -> dict[str, Any]:
        assert (version, minor) == (1, 1)
        return {"changes": data["entries"]}

    outbox = Outbox(hass, KEY, migrate=migrate)

    await outbox.async_load()

    assert len(outbox) == 1


async def test_removing(
    hass: HomeAssistant, disk: Disk, outbox: Outbox, freezer: FrozenDateTimeFactory
) -> None:
    await happen(outbox, change(movie(1)))
    passing = await put(outbox, change(movie(2)))
    passing.release(happened=False)

    await outbox.async_remove()

    assert len(outbox) == 0
    # Whoever is late leaves nothing behind.
    assert await outbox.async_put(films([3])) == []
    await tidied(hass, freezer)
    await outbox.async_flush()
    assert disk.names() == []
