"""Histories that take many reports at once: what is known, what is new, and what is neither."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.play import (
    LAST_START,
    Certainty,
    Report,
    Source,
    SourceKind,
)
from custom_components.media_scrobbler.domain.title import Title
from custom_components.media_scrobbler.storage import history as module
from custom_components.media_scrobbler.storage.history import (
    Finding,
    History,
    HistoryRemovedError,
    async_saved,
)
from custom_components.media_scrobbler.storage.writer import StorageWriteError

from .common import KEY, NOON, Disk, minutes, movie, record, reopened, until

NOVEMBER = f"{KEY}.2026-11"
IMPORT = Source(kind=SourceKind.IMPORT, at=NOON, server_id="s", account="alice")


def known(
    title: Title, at: datetime = NOON, source: Source = IMPORT, **details: Any
) -> Report:
    """Return what a server knows to have been completed."""
    return Report(title=title, watched_at=at, source=source, **details)


async def take(
    history: History, *reports: Report, add: bool = True, **how: Any
) -> list[str]:
    """Take reports; returns what was found of each, when that is on disk."""
    taken = await history.async_take(reports, add=add, **how)
    await async_saved(taken)
    return [each.finding.value for each in taken]


async def test_what_is_new_and_what_is_known(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    play = await record(history, movie(1))

    taken = await history.async_take(
        [known(movie(1), NOON + minutes(5)), known(movie(2)), known(movie(2))],
        add=True,
    )
    await async_saved(taken)

    assert [each.finding for each in taken] == [
        Finding.KNOWN,
        Finding.NEW,
        Finding.KNOWN,
    ]
    first, second, third = (each.play for each in taken)
    assert first is not None and second is not None
    assert (first.id, first.sources) == (play.id, (*play.sources, IMPORT))
    assert third == second
    assert len(disk.read(NOVEMBER)["plays"]) == 2
    await reopened(hass, history)


async def test_what_is_new_may_only_be_looked_for(disk: Disk, history: History) -> None:
    await record(history, movie(1))
    disk.written.clear()

    assert await take(history, known(movie(2)), add=False) == ["new"]
    assert len(history.index) == 1
    assert disk.written == []
    # What is known is merged all the same.
    assert await take(history, known(movie(1)), add=False) == ["known"]
    assert disk.written == [NOVEMBER]


async def test_what_is_taken_again_is_not_written_again(
    disk: Disk, history: History
) -> None:
    reports = [known(movie(number)) for number in range(5)]
    assert await take(history, *reports) == ["new"] * 5
    disk.written.clear()

    taken = await history.async_take(reports, add=True)

    assert {each.finding for each in taken} == {Finding.KNOWN}
    assert {each.saved for each in taken} == {None}
    assert disk.written == []


async def test_answers_are_in_the_order_of_the_reports(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    await record(history, movie(0), NOON - timedelta(days=90))
    # Of three months to and fro, and more than are looked at before others have a turn.
    reports = [
        known(movie(number), NOON - timedelta(days=30 * (number % 3)))
        for number in range(2 * module.TAKEN_AT_ONCE + 10)
    ]

    taken = await history.async_take(reports, add=True)
    await async_saved(taken)

    assert [each.play.title for each in taken if each.play] == [
        report.title for report in reports
    ]
    # They share their writes: one a month for each so many.
    assert len(disk.written) <= 1 + 3 * 3
    await reopened(hass, history)


async def test_others_have_their_turn(history: History) -> None:
    """Who has watched something meanwhile does not wait for years of plays."""
    reports = [known(movie(number)) for number in range(4 * module.TAKEN_AT_ONCE)]
    taking = asyncio.create_task(history.async_take(reports, add=True))
    await until(lambda: len(history.index))

    await history.async_record(movie(9999), NOON, IMPORT)

    assert not taking.done()
    assert len(history.index) < len(reports)
    await async_saved(await taking)


@pytest.mark.parametrize(
    ("certainty", "days", "finding"),
    [
        (Certainty.CERTAIN, 30, "new"),
        (Certainty.IF_FIRST, 30, "doubtful"),
        (Certainty.BEGUN, 30, "doubtful"),
        (Certainty.IF_FIRST, -30, "new"),
        (Certainty.BEGUN, -30, "new"),
    ],
)
async def test_what_was_watched_before(
    history: History, certainty: Certainty, days: int, finding: str
) -> None:
    """It may only have been begun again, but not before it was watched for the first time."""
    await record(history, movie(1))
    report = known(movie(1), NOON + timedelta(days=days), certainty=certainty)

    assert await take(history, report) == [finding]

    assert len(history.index) == 1 + (finding == "new")


async def test_nothing_is_doubted_of_what_is_known(history: History) -> None:
    begun = Source(kind=SourceKind.IMPORT, at=NOON, event=LAST_START, server_id="s")
    await record(history, movie(1), NOON - timedelta(days=30))
    await record(history, movie(1))

    report = known(movie(1), NOON - minutes(100), begun, certainty=Certainty.IF_FIRST)

    assert await take(history, report) == ["known"]
    assert await take(history, known(movie(2), certainty=Certainty.BEGUN)) == ["new"]


async def test_what_is_dismissed_is_left_alone(disk: Disk, history: History) -> None:
    await record(history, movie(1))
    disk.written.clear()
    asked: list[Report] = []

    def is_dismissed(report: Report) -> bool:
        asked.append(report)
        return report.title != movie(3)

    reports = [known(movie(number)) for number in (1, 2, 3)]
    found = await take(history, *reports, is_dismissed=is_dismissed)

    assert found == ["dismissed", "dismissed", "new"]
    assert asked == reports
    assert len(history.index) == 2
    assert [
        len(play.sources)
        for play in await history.async_plays(query="film 1", end=NOON + minutes(1))
    ] == [1]


async def test_what_cannot_be_written_is_said_and_written_later(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    reports = [known(movie(number)) for number in range(3)]
    with disk.full():
        taken = await history.async_take(reports, add=True)
        with pytest.raises(StorageWriteError):
            await async_saved(taken)

    await history.async_flush()

    assert not history.failing
    assert len(disk.read(NOVEMBER)["plays"]) == 3
    assert await take(history, *reports) == ["known"] * 3
    await reopened(hass, history)


async def test_one_month_that_cannot_be_written_does_not_keep_others_back(
    disk: Disk, history: History
) -> None:
    reports = [known(movie(1)), known(movie(2), NOON - timedelta(days=30))]
    await history.async_load()
    with disk.blocked(NOVEMBER):
        taken = await history.async_take(reports, add=True)
        with pytest.raises(StorageWriteError):
            await async_saved(taken)
        assert len(disk.read(f"{KEY}.2026-10")["plays"]) == 1
    await history.async_flush()


async def test_a_history_that_is_removed_meanwhile(
    disk: Disk, history: History
) -> None:
    reports = [known(movie(number)) for number in range(4 * module.TAKEN_AT_ONCE)]
    taking = asyncio.create_task(history.async_take(reports, add=True))
    await until(lambda: len(history.index))

    await history.async_remove()

    with pytest.raises(HistoryRemovedError):
        await taking
    assert disk.names() == []


async def filled(hass: HomeAssistant, history: History, months: int) -> History:
    """Return a history of a film a month, none of which is in memory."""
    for number in range(months):
        await record(history, movie(number), NOON - timedelta(days=30 * number))
    again = History(hass, KEY)
    await again.async_load()
    return again


@pytest.mark.parametrize("month", ["2026-10", "2026-06", "2026-04"])
async def test_what_is_given_up_half_way(
    hass: HomeAssistant, disk: Disk, history: History, month: str
) -> None:
    """A script that is stopped leaves nothing in memory that is not on disk."""
    again = await filled(hass, history, 8)
    reports = [
        known(movie(number), NOON - timedelta(days=30 * number, minutes=20))
        for number in range(8)
    ] + [
        known(movie(100 + number), NOON - timedelta(days=30 * number))
        for number in range(8)
    ]
    taking = asyncio.create_task(again.async_take(reports, add=True))
    async with disk.being_read(f"{KEY}.{month}", taking):
        taking.cancel()
        await asyncio.wait([taking])
    # As many others as it takes to let go of what need not be in memory.
    for number in range(10, 20):
        await record(again, movie(number), NOON - timedelta(days=30 * number))

    await reopened(hass, again)
    await take(again, *reports)
    assert len(await again.async_plays()) == 26
