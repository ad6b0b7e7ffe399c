"""Tests of writing: shared, confirmed, tried again."""

import asyncio
import gc
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.storage import writer as module
from custom_components.media_scrobbler.storage.store import ConfirmingStore
from custom_components.media_scrobbler.storage.writer import StorageWriteError, Writer

from .common import Disk


class Counter:
    """Something whose state is to be on disk: a number."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start at nought."""
        self.value = 0
        self.troubles: list[bool] = []
        self.store = ConfirmingStore(hass, "counter")
        self.writer = Writer(hass, self.store, self._snapshot, self._trouble)

    def _snapshot(self) -> dict[str, Any]:
        return {"value": self.value}

    def _trouble(self) -> None:
        self.troubles.append(self.writer.failing)

    def count(self) -> asyncio.Future[None]:
        """Count on, and have that written."""
        self.value += 1
        written = self.writer.save()
        assert written is not None
        return written

    def waits(self) -> bool:
        """Return whether something is not on disk yet."""
        return not self.writer.idle

    def fails(self) -> bool:
        """Return whether the last attempt to write has failed."""
        return self.writer.failing

    @property
    def on_disk(self) -> int | None:
        """Return the number that is on disk."""
        stored = self.store.read()
        return stored["value"] if stored else None


@pytest.fixture
def counter(hass: HomeAssistant, disk: Disk) -> Counter:
    """Return a number that is to be on disk."""
    return Counter(hass)


async def test_a_write_is_confirmed_once_it_is_on_disk(
    hass: HomeAssistant, disk: Disk, counter: Counter
) -> None:
    assert not counter.waits()
    with disk.held():
        written = counter.count()
        await hass.async_add_executor_job(disk.wait_for_write)
        assert not written.done()
        assert counter.waits()
    await written

    assert counter.on_disk == 1
    assert not counter.waits()
    assert counter.writer.save(changed=False) is None


async def test_changes_of_one_moment_share_a_write(
    disk: Disk, counter: Counter
) -> None:
    await asyncio.gather(*(counter.count() for _ in range(100)))

    assert counter.on_disk == 100
    assert disk.written == ["counter"]


async def test_changes_during_a_write_share_the_next(
    hass: HomeAssistant, disk: Disk, counter: Counter
) -> None:
    with disk.held():
        first = counter.count()
        await hass.async_add_executor_job(disk.wait_for_write)
        later = [counter.count() for _ in range(100)]
        await asyncio.sleep(0)
        assert not first.done()
    await asyncio.gather(first, *later)

    assert counter.on_disk == 101
    assert disk.written == ["counter"] * 2


async def test_whoever_changes_nothing_waits_for_what_is_under_way(
    hass: HomeAssistant, disk: Disk, counter: Counter
) -> None:
    with disk.held():
        written = counter.count()
        await hass.async_add_executor_job(disk.wait_for_write)
        also = counter.writer.save(changed=False)
        assert also is not None
    await asyncio.gather(written, also)

    assert disk.written == ["counter"]


async def test_one_who_gives_up_waiting_takes_nothing_along(
    hass: HomeAssistant, disk: Disk, counter: Counter
) -> None:
    with disk.held():
        given_up, other = counter.count(), counter.count()
        await hass.async_add_executor_job(disk.wait_for_write)
        given_up.cancel()
    await other

    assert counter.on_disk == 2


async def test_failing_writes_are_tried_again_until_one_succeeds(
    hass: HomeAssistant,
    disk: Disk,
    counter: Counter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETRY_DELAYS", (0.01, 0.02))
    with disk.blocked("counter"):
        with pytest.raises(StorageWriteError) as error:
            await counter.count()
        assert counter.store.path in str(error.value.translation_placeholders)
        assert counter.fails()
        assert counter.waits()
        for _ in range(4):
            await hass.async_add_executor_job(disk.wait_for_write)
        assert counter.troubles == [True]
    await counter.writer.async_settled()

    assert counter.on_disk == 1
    assert counter.troubles == [True, False]
    assert not counter.waits()
    assert not counter.fails()


async def test_another_change_ends_the_trouble_before_its_time(
    disk: Disk, counter: Counter
) -> None:
    with disk.blocked("counter"), pytest.raises(StorageWriteError):
        await counter.count()
    settled = asyncio.create_task(counter.writer.async_settled())
    await asyncio.sleep(0)
    assert not settled.done()

    await counter.count()
    await settled

    assert counter.on_disk == 2
    assert counter.troubles == [True, False]


async def test_every_one_who_waits_learns_of_a_failure(
    disk: Disk, counter: Counter
) -> None:
    with disk.full():
        results = await asyncio.gather(
            *(counter.count() for _ in range(5)), return_exceptions=True
        )

    assert all(isinstance(result, StorageWriteError) for result in results)
    await counter.writer.async_flush()
    assert counter.on_disk == 5


async def test_flushing_says_nothing_of_failures(disk: Disk, counter: Counter) -> None:
    with disk.blocked("counter"):
        written = counter.count()
        await counter.writer.async_flush()
        await counter.writer.async_flush()
    assert isinstance(written.exception(), StorageWriteError)
    await counter.writer.async_flush()

    assert counter.on_disk == 1


async def test_removing_waits_for_a_write_under_way(
    hass: HomeAssistant, disk: Disk, counter: Counter
) -> None:
    with disk.held():
        written = counter.count()
        await hass.async_add_executor_job(disk.wait_for_write)
        removed = asyncio.create_task(counter.writer.async_remove())
        await asyncio.sleep(0)
        assert not removed.done()
    await asyncio.gather(written, removed)

    assert disk.names() == []


async def test_removing_ends_the_attempts(disk: Disk, counter: Counter) -> None:
    with disk.blocked("counter"), pytest.raises(StorageWriteError):
        await counter.count()

    await counter.writer.async_remove()

    await counter.writer.async_settled()
    assert not counter.fails()
    assert not counter.waits()
    assert disk.names() == []


async def test_nobody_has_to_wait_for_a_write_that_fails(
    disk: Disk, counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    with disk.full():
        written = counter.count()
        await asyncio.wait([written])
        assert counter.fails()
        del written
        gc.collect()
    await counter.writer.async_flush()

    assert "never retrieved" not in caplog.text
    assert counter.on_disk == 1


async def test_where_there_is_nothing_there_is_no_file(
    hass: HomeAssistant, disk: Disk
) -> None:
    states: list[dict[str, Any] | None] = [{}, None, {"value": 1}]
    store = ConfirmingStore(hass, "thing")
    writer = Writer(hass, store, states.pop)
    for names in (["thing"], [], ["thing"]):
        written = writer.save()
        assert written is not None
        await written
        assert disk.names() == names
