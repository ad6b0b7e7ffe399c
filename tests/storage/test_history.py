"""Tests of histories on a real disk."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from typing import Any

from homeassistant.core import CoreState, HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.play import MAX_SOURCES, Play
from custom_components.media_scrobbler.storage import history as module
from custom_components.media_scrobbler.storage.history import (
    MAX_OPEN_PARTS,
    History,
    HistoryRemovedError,
)
from custom_components.media_scrobbler.storage.store import UnreadableStoreError
from custom_components.media_scrobbler.storage.writer import StorageWriteError

from .common import KEY, NOON, Disk, episode, minutes, movie, record, reopened, report

NOVEMBER = f"{KEY}.2026-11"
NEW_MONTH = datetime(2026, 11, 1, tzinfo=UTC)


async def plays_in(history: History) -> list[tuple[str | None, datetime]]:
    """Return what a history says, in short: titles and times, the newest first."""
    return [(play.title.title, play.watched_at) for play in await history.async_plays()]


# Recording


async def test_a_play_is_on_disk_when_it_is_said_to_be(
    disk: Disk, history: History
) -> None:
    recorded = await history.async_record(movie(1), NOON, report(player="TV"))

    assert recorded.saved is not None
    assert disk.names() == []
    await recorded.saved
    assert disk.read(NOVEMBER) == {
        "plays": [
            {
                "id": recorded.play.id,
                "watched_at": "2026-11-10T12:00:00+00:00",
                "media_type": "movie",
                "title": "Film 1",
                "year": 2001,
                "ids": {"tmdb": 1001},
                "duration": 6000,
                "sources": [
                    {
                        "kind": "webhook",
                        "at": "2026-11-10T12:00:00+00:00",
                        "player": "TV",
                    }
                ],
            }
        ]
    }
    assert not recorded.merged


async def test_plays_of_one_moment_share_a_write(disk: Disk, history: History) -> None:
    plays = await asyncio.gather(
        *(record(history, movie(number)) for number in range(50))
    )

    assert disk.written == [NOVEMBER]
    assert len({play.id for play in plays}) == 50
    assert len(disk.read(NOVEMBER)["plays"]) == 50


async def test_plays_during_a_write_share_the_next(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    with disk.held():
        first = asyncio.create_task(record(history, movie(0)))
        await hass.async_add_executor_job(disk.wait_for_write)
        later = [
            asyncio.create_task(record(history, movie(number)))
            for number in range(1, 50)
        ]
        await asyncio.sleep(0.01)
        assert not first.done()
        assert not any(task.done() for task in later)
    await asyncio.gather(first, *later)

    assert disk.written == [NOVEMBER] * 2
    assert len(disk.read(NOVEMBER)["plays"]) == 50


async def test_a_play_rewrites_one_month_only(disk: Disk, history: History) -> None:
    for months in range(5):
        await record(history, movie(months), NOON - timedelta(days=31 * months))
    files = {name: disk.path(name).stat() for name in disk.names()}
    disk.written.clear()

    await record(history, movie(9), NOON - timedelta(days=62))

    assert disk.written == [f"{KEY}.2026-09"]
    for name, before in files.items():
        changed = disk.path(name).stat().st_ino != before.st_ino
        assert changed is (name == f"{KEY}.2026-09")


async def test_months_are_those_of_utc(disk: Disk, history: History) -> None:
    await record(history, movie(1), NEW_MONTH)
    await record(history, movie(2), NEW_MONTH - timedelta(microseconds=1))

    assert disk.names() == [f"{KEY}.2026-10", f"{KEY}.2026-11"]


async def test_the_same_viewing_is_one_play(disk: Disk, history: History) -> None:
    first = await record(history, movie(1, duration=None), NOON, player="TV")

    again = await history.async_record(
        movie(1, ids={"imdb": "tt1", "tmdb": 1001}),
        NOON - minutes(50),
        report(NOON, player="Tablet"),
    )

    assert again.merged
    assert again.saved is not None
    await again.saved
    assert again.play.id == first.id
    assert again.play.watched_at == NOON - minutes(50)
    assert again.play.title == movie(1, ids={"imdb": "tt1", "tmdb": 1001})
    assert [source.player for source in again.play.sources] == ["TV", "Tablet"]
    assert await history.async_plays() == [again.play]
    assert len(disk.read(NOVEMBER)["plays"]) == 1


@pytest.mark.parametrize(
    ("duration", "apart", "plays"),
    [
        (6000, 3000, 1),
        (6000, 3001, 2),
        (None, 1800, 1),
        (None, 1801, 2),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
async def test_how_far_apart_one_viewing_may_be(
    hass: HomeAssistant,
    history: History,
    duration: int | None,
    apart: int,
    plays: int,
    order: int,
) -> None:
    title = movie(1, duration=duration)
    for at in (NOON, NOON + timedelta(seconds=apart))[::order]:
        await record(history, title, at)

    assert len(await history.async_plays()) == plays
    assert len(history.index) == plays
    await reopened(hass, history)


async def test_the_nearer_of_two_viewings_is_the_same(history: History) -> None:
    early = await record(history, movie(1), NOON - minutes(30))
    late = await record(history, movie(1), NOON + minutes(29))

    assert (await record(history, movie(1), NOON)).id == late.id
    assert {play.id for play in await history.async_plays()} == {early.id, late.id}


async def test_what_was_watched_last_may_turn_out_to_have_been_watched_before(
    hass: HomeAssistant, history: History
) -> None:
    await record(history, movie(1))
    other = await record(history, movie(2), NOON - minutes(20))

    await record(history, movie(1), NOON - minutes(40))

    assert history.last_play == other
    assert (await reopened(hass, history)).last_play == other


async def test_a_report_that_says_nothing_new_writes_nothing(
    disk: Disk, history: History
) -> None:
    await record(history, movie(1))
    disk.written.clear()

    recorded = await history.async_record(movie(1), NOON, report())

    assert recorded.merged
    assert recorded.saved is None
    assert disk.written == []


async def test_a_repeated_report_waits_for_the_first_to_be_on_disk(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    with disk.held():
        first = asyncio.create_task(record(history, movie(1)))
        await hass.async_add_executor_job(disk.wait_for_write)
        again = await history.async_record(movie(1), NOON, report())
        assert again.merged
        assert again.saved is not None
    await asyncio.gather(first, again.saved)

    assert disk.written == [NOVEMBER]


async def test_a_play_remembers_so_many_sources(history: History) -> None:
    for number in range(MAX_SOURCES + 5):
        await record(history, movie(1), player=str(number))

    (play,) = await history.async_plays()
    assert len(play.sources) == MAX_SOURCES


async def test_a_report_that_joins_two_titles_finds_the_viewing_of_either(
    hass: HomeAssistant, history: History
) -> None:
    await record(history, movie(1, title=None), NOON - timedelta(days=60))
    viewing = await record(history, movie(1, title=None, ids={"imdb": "tt1"}))

    both = await record(
        history, movie(1, title=None, ids={"tmdb": 1001, "imdb": "tt1"})
    )

    assert both.id == viewing.id
    assert len(history.index) == 2
    assert history.standing(both) == (2, True)
    await reopened(hass, history)


async def test_plays_recorded_before_anything_is_read_come_behind_what_was_there(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    await record(history, movie(1))
    again = History(hass, KEY)

    await asyncio.gather(*(record(again, movie(number)) for number in range(10)))

    assert len(again.index) == 10
    assert len(disk.read(NOVEMBER)["plays"]) == 10
    assert len(await again.async_plays()) == 10


# Parts


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part hold about five plays."""
    monkeypatch.setattr(module, "MAX_PART_BYTES", 1000)


@pytest.mark.usefixtures("small_parts")
async def test_a_part_is_capped_and_the_month_goes_on(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    for number in range(60):
        await record(history, movie(number), NOON + minutes(number))

    names = disk.names()
    assert names[:3] == [NOVEMBER, f"{NOVEMBER}.0001", f"{NOVEMBER}.0002"]
    assert len(names) > 10
    counts = [len(disk.read(name)["plays"]) for name in names]
    assert sum(counts) == 60
    assert min(counts[:-1]) == max(counts[:-1])
    again = await reopened(hass, history)

    before = {name: disk.path(name).read_bytes() for name in names}
    await record(again, movie(60), NOON + minutes(60))
    changed = [
        name
        for name in disk.names()
        if before.get(name) != disk.path(name).read_bytes()
    ]
    assert changed in ([names[-1]], [f"{NOVEMBER}.{len(names):04}"])


@pytest.mark.usefixtures("small_parts")
async def test_a_merge_goes_to_the_part_that_holds_the_play(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    for number in range(30):
        await record(history, movie(number), NOON + minutes(number))
    again = await reopened(hass, history)
    disk.written.clear()

    merged = await record(again, movie(2), NOON + minutes(5), player="other")

    assert disk.written == [NOVEMBER]
    assert merged.watched_at == NOON + minutes(2)
    assert len(await again.async_plays()) == 30


@pytest.mark.parametrize("first", [-20, 20])
async def test_a_merge_over_the_end_of_a_month(
    hass: HomeAssistant, disk: Disk, history: History, first: int
) -> None:
    await record(history, movie(1), NEW_MONTH + minutes(first))
    again = await reopened(hass, history)

    merged = await record(again, movie(1), NEW_MONTH - minutes(first))

    assert merged.watched_at == NEW_MONTH - minutes(20)
    assert len(disk.names()) == 1
    assert await plays_in(again) == [("Film 1", NEW_MONTH - minutes(20))]
    await reopened(hass, again)


async def test_a_merge_that_has_to_look_into_more_parts_than_are_kept_open(
    hass: HomeAssistant, history: History
) -> None:
    await record(history, movie(1), NEW_MONTH - minutes(30))
    await record(history, movie(1), NEW_MONTH + minutes(30))
    for months in range(2, 4 + MAX_OPEN_PARTS):
        await record(history, movie(months), NOON - timedelta(days=31 * months))

    await record(history, movie(1), NEW_MONTH)

    assert len(history.index) == 4 + MAX_OPEN_PARTS
    await reopened(hass, history)


async def test_a_play_that_moves_away_takes_nothing_along(
    hass: HomeAssistant, history: History
) -> None:
    latest = await record(history, movie(0))
    for months in range(1, 3 + MAX_OPEN_PARTS):
        await record(history, movie(months), NOON - timedelta(days=31 * months))

    long_ago = NOON - timedelta(days=400)
    await history.async_change(
        latest.id, lambda play: replace(play, watched_at=long_ago)
    )

    assert len(await history.async_plays()) == 3 + MAX_OPEN_PARTS
    assert history.last_play is not None
    assert history.last_play.title == movie(1)
    await reopened(hass, history)


async def test_few_parts_stay_in_memory(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    for months in range(3 * MAX_OPEN_PARTS):
        await record(history, movie(months), NOON - timedelta(days=31 * months))

    opened = [part for part in history._parts if part.plays is not None]
    assert len(opened) <= MAX_OPEN_PARTS + 1
    await reopened(hass, history)


# Changing


async def test_correcting_a_play(hass: HomeAssistant, history: History) -> None:
    play = await record(history, movie(1))
    await record(history, movie(2))

    old, new = await history.async_change(
        play.id, lambda play: replace(play, title=movie(3))
    )

    assert old == play
    assert new == replace(play, title=movie(3))
    assert {name for name, _ in await plays_in(history)} == {"Film 2", "Film 3"}
    assert history.index.times(movie(1)) == []
    assert len(history.index.times(movie(3))) == 1
    await reopened(hass, history)


async def test_moving_a_play_in_time(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    play = await record(history, movie(1))
    later = await record(history, movie(2), NOON + minutes(1))
    before = datetime(2024, 2, 29, 8, tzinfo=UTC)

    await history.async_change(later.id, lambda play: replace(play, watched_at=before))

    assert await plays_in(history) == [("Film 1", NOON), ("Film 2", before)]
    assert history.last_play == play
    assert disk.names() == [NOVEMBER]
    again = await reopened(hass, history)
    assert again.last_play == play
    assert [
        found.id
        for found in await again.async_plays(start=before, end=before + minutes(1))
    ] == [later.id]
    merged = await record(again, movie(2), before + minutes(10))
    assert merged.id == later.id
    await again.async_change(later.id, lambda _: None)
    assert await plays_in(again) == [("Film 1", NOON)]


async def test_removing_plays(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    plays = [
        await record(history, movie(number), NOON + minutes(number))
        for number in range(3)
    ]

    assert await history.async_change(plays[2].id, lambda _: None) == (plays[2], None)
    assert await plays_in(history) == [("Film 1", NOON + minutes(1)), ("Film 0", NOON)]
    await history.async_change(plays[0].id, lambda _: None)
    await history.async_change(plays[1].id, lambda _: None)

    assert history.last_play is None
    assert len(history.index) == 0
    assert disk.read(NOVEMBER) == {"plays": []}
    with pytest.raises(KeyError):
        await history.async_change(plays[0].id, lambda _: None)
    again = await reopened(hass, history)
    assert (await record(again, movie(1))).id != plays[1].id


@pytest.mark.parametrize("play_id", ["", "x", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "☃" * 26])
async def test_changing_what_is_not_there(
    hass: HomeAssistant, history: History, play_id: str
) -> None:
    await record(history, movie(1))
    again = await reopened(hass, history)

    with pytest.raises(KeyError):
        await again.async_change(play_id, lambda _: None)


async def test_a_change_that_is_refused_changes_nothing(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    play = await record(history, movie(1))
    disk.written.clear()

    def refuse(play: Play) -> Play:
        raise ValueError

    with pytest.raises(ValueError):
        await history.async_change(play.id, refuse)

    assert disk.written == []
    await reopened(hass, history)


async def test_a_play_that_turns_out_to_be_known(
    hass: HomeAssistant, history: History
) -> None:
    """It becomes part of the other one, which may be in another month."""
    kept = await record(history, movie(1, ids={"imdb": "tt1"}), NEW_MONTH - minutes(9))
    twin = await record(history, movie(1, title=None), NEW_MONTH, player="TV")
    assert len(history.index) == 2

    joined = await history.async_complete(
        twin.id, movie(1, ids={"imdb": "tt1", "tmdb": 1001})
    )

    assert await history.async_plays() == [joined]
    assert history.last_play == joined
    assert (joined.id, joined.watched_at) == (kept.id, kept.watched_at)
    assert joined.sources == (*kept.sources, *twin.sources)
    await reopened(hass, history)


async def test_a_play_of_an_import_is_found_by_its_id_after_it_has_moved(
    hass: HomeAssistant, history: History
) -> None:
    play = await record(history, movie(1), NOON - timedelta(days=700))
    await history.async_change(play.id, lambda play: replace(play, watched_at=NOON))
    again = await reopened(hass, history)

    old, _ = await again.async_change(play.id, lambda _: None)

    assert old.watched_at == NOON


# Searching


async def test_searching(hass: HomeAssistant, history: History) -> None:
    await record(history, movie(1, title="Straße nach Ürzig"), NOON)
    await record(history, episode(1, 2), NOON + minutes(60))
    await record(history, movie(2, title='The "Loft" \\ Attic'), NOON - timedelta(40))
    for found in (history, await reopened(hass, history)):

        async def titles(of: History = found, **filters: Any) -> list[str | None]:
            return [play.title.title for play in await of.async_plays(**filters)]

        assert await titles() == [
            "Part 2",
            "Straße nach Ürzig",
            'The "Loft" \\ Attic',
        ]
        assert await titles(media_type="episode") == ["Part 2"]
        assert await titles(query="STRASSE") == ["Straße nach Ürzig"]
        assert await titles(query="ürzig") == ["Straße nach Ürzig"]
        assert await titles(query="harbour") == ["Part 2"]
        assert await titles(query='"loft" \\ a') == ['The "Loft" \\ Attic']
        assert await titles(query="tmdb") == []
        assert await titles(start=NOON, end=NOON + minutes(60)) == ["Straße nach Ürzig"]
        assert await titles(end=NOON) == ['The "Loft" \\ Attic']
        assert await titles(start=NOON + minutes(61)) == []


# What cannot be read

DAMAGES: dict[str, str] = {
    "truncated": "",
    "empty": "",
    "another type": '{"version": 1, "minor_version": 1, "key": "x", "data": []}',
    "newer": '{"version": 2, "minor_version": 1, "key": "x", "data": {"plays": []}}',
    "no plays": '{"version": 1, "minor_version": 1, "key": "x", "data": {"plays": 5}}',
    "a damaged play": "",
    "a damaged time": "",
}


def damage(path: Path, how: str) -> None:
    """Damage a file."""
    text = path.read_text()
    if how == "truncated":
        text = text[: len(text) // 2]
    elif how.startswith("a damaged"):
        content = json.loads(text)
        play = content["data"]["plays"][-1]
        if how == "a damaged play":
            play["ids"] = ["tmdb"]
        else:
            play["watched_at"] = "2026-11-10T12:00:00"
        text = json.dumps(content)
    else:
        text = DAMAGES[how]
    path.write_text(text)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("which", [NOVEMBER, f"{NOVEMBER}.0001", f"{KEY}.2026-10"])
async def test_what_cannot_be_read_stays_as_it_is(
    hass: HomeAssistant, disk: Disk, history: History, how: str, which: str
) -> None:
    for number in range(8):
        await record(history, movie(number), NOON + minutes(number))
    await record(history, movie(8), NOON - timedelta(days=31))
    everything = await plays_in(history)
    path = disk.path(which)
    whole = path.read_bytes()
    lost = 1 if how.startswith("a damaged") else len(disk.read(which)["plays"])
    damage(path, how)
    damaged = path.read_bytes()
    troubles: list[dict[str, str]] = []

    again = History(hass, KEY, on_trouble=lambda: troubles.append(again.unreadable))
    await again.async_load()

    assert [list(trouble) for trouble in troubles] == [[str(path)]]
    assert str(path) in troubles[0][str(path)] or "damaged" in troubles[0][str(path)]
    assert len(again.index) == 9 - lost
    assert len(await again.async_plays()) == 9 - lost
    new = [(movie(20 + number), NOON + minutes(60 + number)) for number in range(9)]
    new.append((movie(40), NOON - timedelta(days=31) + minutes(1)))
    for title, at in new:
        await record(again, title, at)
    await again.async_flush()
    assert path.read_bytes() == damaged

    await again.async_reload_unreadable()
    assert list(again.unreadable) == [str(path)]
    assert path.read_bytes() == damaged

    path.write_bytes(whole)
    await again.async_reload_unreadable()
    assert again.unreadable == {}
    expected = sorted(
        [*everything, *((title.title, at) for title, at in new)],
        key=lambda play: play[1],
        reverse=True,
    )
    assert await plays_in(again) == expected
    assert len(again.index) == len(expected)
    assert again.index.per_type == {"movie": len(expected)}
    assert troubles[-1] == {}
    final = await reopened(hass, again)
    assert final.last_play == again.last_play


async def test_a_folder_in_the_place_of_a_file_stays_as_it_is(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    await record(history, movie(1))
    with disk.blocked(NOVEMBER):
        again = History(hass, KEY)
        await record(again, movie(2))
        assert list(again.unreadable) == [str(disk.path(NOVEMBER))]
        assert disk.names() == [NOVEMBER, f"{NOVEMBER}.0001"]
    await again.async_reload_unreadable()

    assert {name for name, _ in await plays_in(again)} == {"Film 1", "Film 2"}


@pytest.mark.parametrize("how", ["truncated", "newer"])
async def test_a_file_that_is_damaged_while_home_assistant_runs(
    hass: HomeAssistant, disk: Disk, history: History, how: str
) -> None:
    play = await record(history, movie(1))
    again = await reopened(hass, history)
    path = disk.path(NOVEMBER)
    whole = path.read_bytes()
    damage(path, how)
    damaged = path.read_bytes()

    merged_or_not = await record(again, movie(1), NOON + minutes(1))

    assert list(again.unreadable) == [str(path)]
    assert path.read_bytes() == damaged
    assert merged_or_not.id != play.id
    assert await again.async_plays() == [merged_or_not]
    with pytest.raises((KeyError, UnreadableStoreError)):
        await again.async_change(play.id, lambda _: None)

    path.write_bytes(whole)
    await again.async_reload_unreadable()

    assert len(await again.async_plays()) == 2
    assert len(again.index) == 2
    assert len(again.index.times(movie(1))) == 2
    await reopened(hass, again)


async def test_a_month_that_is_damaged_while_home_assistant_runs_goes_on(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    play = await record(history, movie(1))
    again = await reopened(hass, history)
    path = disk.path(NOVEMBER)
    whole = path.read_bytes()
    path.write_bytes(b"\xff")
    for query in (None, "film", '"'):
        assert await again.async_plays(query=query) == []
    with pytest.raises((KeyError, UnreadableStoreError)):
        await again.async_change(play.id, lambda _: None)

    await record(again, movie(2))

    assert path.read_bytes() == b"\xff"
    assert list(again.unreadable) == [str(path)]
    assert disk.names() == [NOVEMBER, f"{NOVEMBER}.0001"]
    path.write_bytes(whole)
    await again.async_reload_unreadable()
    assert len(await again.async_plays()) == len(again.index) == 2
    await reopened(hass, again)


async def test_what_has_been_mended_may_be_another_version_of_it(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    await record(history, movie(1))
    backup = disk.path(NOVEMBER).read_bytes()
    await record(history, movie(2))
    again = await reopened(hass, history)
    damage(disk.path(NOVEMBER), "truncated")
    await record(again, movie(1))
    disk.path(NOVEMBER).write_bytes(backup)

    await again.async_reload_unreadable()

    assert len(again.index) == 2
    assert again.index.times(movie(2)) == []
    await reopened(hass, again)


async def test_other_files_are_none_of_ours(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    await record(history, movie(1))
    for name in (
        f"{KEY}.2026-11.bak",
        f"{KEY}.2026-11.",
        f"{KEY}.2026-1",
        f"{KEY}.٢٠٢٦-11",
        f"{KEY}.old.2026-11",
        f"{KEY}2.2026-11",
        f"{KEY}.2026-11.123456",
    ):
        disk.path(name).write_text("{")

    again = await reopened(hass, history)

    assert again.unreadable == {}


# What cannot be written


@pytest.mark.parametrize("how", ["full", "blocked"])
async def test_what_cannot_be_written_is_kept_and_written_later(
    hass: HomeAssistant, disk: Disk, how: str
) -> None:
    troubles: list[bool] = []
    history = History(hass, KEY, on_trouble=lambda: troubles.append(history.failing))
    await history.async_load()
    with disk.full() if how == "full" else disk.blocked(NOVEMBER):
        recorded = await history.async_record(movie(1), NOON, report())
        assert recorded.saved is not None
        with pytest.raises(StorageWriteError):
            await recorded.saved
        again = await history.async_record(movie(1), NOON, report(player="other"))
        assert again.merged
        assert again.saved is not None
        with pytest.raises(StorageWriteError):
            await again.saved
        assert history.failing
        assert len(await history.async_plays()) == 1
    settled = asyncio.create_task(history.async_settled())
    await asyncio.sleep(0)
    assert not settled.done()

    await history.async_flush()
    await settled

    assert troubles == [True, False]
    assert len(disk.read(NOVEMBER)["plays"]) == 1
    await reopened(hass, history)


async def test_a_change_that_cannot_be_written_is_kept_and_written_later(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    play = await record(history, movie(1))
    gone = await record(history, movie(2))
    with disk.full():
        with pytest.raises(StorageWriteError):
            await history.async_change(
                play.id, lambda play: replace(play, id=play.id, title=movie(3))
            )
        with pytest.raises(StorageWriteError):
            await history.async_change(gone.id, lambda _: None)

    await history.async_flush()

    (stored,) = disk.read(NOVEMBER)["plays"]
    assert stored["title"] == "Film 3"
    await reopened(hass, history)


async def test_what_waits_is_not_let_go_of(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    recorded = await history.async_record(movie(0), NOON, report())
    with disk.blocked(NOVEMBER):
        assert recorded.saved is not None
        with pytest.raises(StorageWriteError):
            await recorded.saved
        for months in range(1, 4 + MAX_OPEN_PARTS):
            await record(history, movie(months), NOON - timedelta(days=31 * months))

    await history.async_flush()

    assert len(disk.read(NOVEMBER)["plays"]) == 1
    await reopened(hass, history)


async def test_what_waits_is_written_while_home_assistant_stops(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    await history.async_load()
    with disk.blocked(NOVEMBER):
        recorded = await history.async_record(movie(1), NOON, report())
        assert recorded.saved is not None
        with pytest.raises(StorageWriteError):
            await recorded.saved
    hass.set_state(CoreState.stopping)
    await record(history, movie(2))
    assert len(disk.read(NOVEMBER)["plays"]) == 2
    hass.set_state(CoreState.running)


# Removing


async def test_removing_a_history(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    other = History(hass, f"{KEY}2")
    await record(other, movie(1))
    for months in range(3):
        await record(history, movie(months), NOON - timedelta(days=31 * months))
    damage(disk.path(f"{KEY}.2026-09"), "truncated")
    again = History(hass, KEY)

    await again.async_remove()

    assert disk.names() == [f"{KEY}2.2026-11"]
    assert again.unreadable == {}
    assert len(again.index) == 0
    assert again.last_play is None


async def test_nothing_is_written_after_a_removal(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    await record(history, movie(0))
    with disk.held():
        late = [
            asyncio.create_task(record(history, movie(number)))
            for number in range(1, 5)
        ]
        await hass.async_add_executor_job(disk.wait_for_write)
        removed = asyncio.create_task(history.async_remove())
        await asyncio.sleep(0.01)
        late += [
            asyncio.create_task(record(history, movie(number)))
            for number in range(5, 9)
        ]
        await asyncio.sleep(0.01)
        assert not removed.done()
    results = await asyncio.gather(*late, return_exceptions=True)
    await removed

    assert disk.names() == []
    assert all(isinstance(result, Play) for result in results[:4])
    assert all(isinstance(result, HistoryRemovedError) for result in results[4:])
    with pytest.raises(KeyError):
        await history.async_change("x", lambda _: None)


async def test_a_removal_ends_attempts_to_write(
    hass: HomeAssistant, disk: Disk, history: History
) -> None:
    with disk.full():
        recorded = await history.async_record(movie(1), NOON, report())
        assert recorded.saved is not None
        with pytest.raises(StorageWriteError):
            await recorded.saved

    await history.async_remove()

    await history.async_settled()
    await history.async_flush()
    assert not history.failing
    assert disk.names() == []


# The forms of earlier versions


async def test_an_older_form_is_migrated_and_written_in_the_present_one(
    hass: HomeAssistant,
    disk: Disk,
    history: History,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play = await record(history, movie(1))
    stored = disk.read(NOVEMBER)["plays"]
    old = [{"seen": entry.pop("watched_at"), **entry} for entry in stored]
    disk.write(NOVEMBER, {"seen": old})
    seen: list[tuple[int, int]] = []

    def migrate(
        version: int, minor_version: int, data: dict[str, Any]
    ) -> dict[str, Any]:
        seen.append((version, minor_version))
        return {
            "plays": [{"watched_at": entry["seen"], **entry} for entry in data["seen"]]
        }

    monkeypatch.setattr(module, "VERSION", 2)
    again = History(hass, KEY, migrate=migrate)
    await again.async_load()
    assert await again.async_plays() == [play]
    assert set(seen) == {(1, 1)}
    assert "seen" in disk.read(NOVEMBER)

    await record(again, movie(2))

    assert len(disk.read(NOVEMBER)["plays"]) == 2
    assert json.loads(disk.path(NOVEMBER).read_text())["version"] == 2


# What is given up half-way


@pytest.mark.parametrize("removed", [True, False])
async def test_a_change_that_is_given_up(
    hass: HomeAssistant, disk: Disk, history: History, removed: bool
) -> None:
    """What is changed in memory by then is changed on disk as well."""
    play = await record(history, movie(1))
    await record(history, movie(2), NOON - timedelta(days=60))
    again = await reopened(hass, history)
    before = NOON - timedelta(days=1000)

    changing = asyncio.create_task(
        again.async_change(
            play.id, lambda play: None if removed else replace(play, watched_at=before)
        )
    )
    # What was watched last is looked for.
    async with disk.being_read(f"{KEY}.2026-09", changing):
        changing.cancel()
        await asyncio.wait([changing])
    await again.async_flush()

    await reopened(hass, again)
    assert [at for _, at in await plays_in(again)][1:] == ([] if removed else [before])
