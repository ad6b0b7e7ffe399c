"""Tests of libraries on a real disk."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
import logging
from pathlib import Path
import shutil
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import storage as ha_storage
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.domain.library import Section
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.storage import (
    library as module,
    library_contents,
)
from custom_components.media_scrobbler.storage.library import (
    Changes,
    Library,
    LibraryRemovedError,
)
from custom_components.media_scrobbler.storage.writer import StorageWriteError

from .common import NOON, Disk, episode, movie

SERVER_ID = "01SERVER"
KEY = f"library.{SERVER_ID}"
SERVER = "5f0c9a7d"
FILMS = Section("1", "Films", (MediaType.MOVIE,))
SERIES = Section("2", "Series", (MediaType.SHOW, MediaType.EPISODE))
LATER = NOON + timedelta(hours=1)


def film(number: int, **details: Any) -> Title:
    """Return a film as an item of the server."""
    return movie(number, **{"items": {SERVER: f"m{number}"}} | details)


def films(*numbers: int) -> list[Title]:
    """Return films as items of the server."""
    return [film(number) for number in numbers]


def show(**details: Any) -> Title:
    """Return the one series there is here."""
    described: dict[str, Any] = {
        "title": "Harbour Lights",
        "ids": {"tmdb": 7, "tvdb": 70},
        "items": {SERVER: "s"},
    }
    return Title(media_type=MediaType.SHOW, **described | details)


def part(number: int, **details: Any) -> Title:
    """Return an episode of the series as an item of the server."""
    described = {"items": {SERVER: f"e{number}"}, "show_items": {SERVER: "s"}}
    return episode(1, number, **described | details)


@pytest.fixture
def library(hass: HomeAssistant, disk: Disk) -> Library:
    """Return a library that has never been scanned."""
    return Library(hass, SERVER_ID)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have many parts, of a few titles each."""
    monkeypatch.setattr(library_contents, "MAX_PART_BYTES", 1000)
    monkeypatch.setattr(library_contents, "TITLES_PER_PART", 5)


async def scan(
    library: Library,
    *titles: Title,
    section: Section = FILMS,
    at: datetime = NOON,
) -> Changes:
    """Scan a library of one section."""
    scanning = library.begin()
    await scanning.async_add(section, titles)
    return await scanning.async_commit(at)


async def titles_in(library: Library) -> dict[str, Title]:
    """Return every title there is, as it is stored."""
    await library.async_load()
    titles = await library.async_titles(library.index)
    assert len(titles) == len(library.index)
    return titles


async def reopened(hass: HomeAssistant, library: Library) -> Library:
    """Return the library as another start of Home Assistant reads it."""
    again = Library(hass, SERVER_ID)
    assert await titles_in(again) == await titles_in(library)
    assert again.scanned_at == library.scanned_at
    assert +again.index.per_type == +library.index.per_type
    assert again.index.without_ids == library.index.without_ids
    return again


async def pass_time(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    seconds: float = module.SAVE_DELAY,
) -> None:
    """Have so much time pass."""
    freezer.tick(seconds + 1)
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


def parts(disk: Disk) -> list[str]:
    """Return the names of the parts on disk."""
    return [name for name in disk.names() if name != KEY]


def listed(disk: Disk) -> list[str]:
    """Return the names of the parts that count."""
    return sorted(f"{KEY}.{part['name']}" for part in disk.read(KEY)["parts"])


@contextmanager
def at_every_write(do: Callable[[Path], None]) -> Iterator[None]:
    """Do something before a file is written."""
    write: Callable[..., None] = vars(ha_storage)["write_utf8_file_atomic"]

    def stand_in(filename: str, *args: Any, **kwargs: Any) -> None:
        if Path(filename).name.startswith(f"media_scrobbler.{KEY}"):
            do(Path(filename))
        write(filename, *args, **kwargs)

    with patch("homeassistant.helpers.storage.write_utf8_file_atomic", stand_in):
        yield


def _fail_at(number: int) -> Callable[[Path], None]:
    """Return what makes the write of that number fail."""
    writes = count(1)

    def fail(path: Path) -> None:
        if next(writes) == number:
            raise WriteError(f"no room for {path}")

    return fail


# Scanning


async def test_a_library_that_has_never_been_scanned(
    disk: Disk, library: Library
) -> None:
    found = library.find(film(1))

    await library.async_load()
    await library.async_flush()

    assert found == []
    assert library.scanned_at is None
    assert not library.has(film(1))
    assert await library.async_titles(["m1"]) == {}
    assert disk.names() == []


async def test_what_is_scanned_is_known_after_a_start(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    scanning = library.begin()
    await scanning.async_add(FILMS, films(1, 2))
    assert scanning.count == 2
    await scanning.async_add(FILMS, films(3))
    await scanning.async_add(SERIES, [show(), part(1)])
    assert scanning.count == 5
    assert library.find(film(1)) == []
    await scanning.async_commit(NOON)

    again = await reopened(hass, library)
    for each in (library, again):
        assert each.scanned_at == NOON
        assert each.index.per_type == {
            MediaType.MOVIE: 3,
            MediaType.SHOW: 1,
            MediaType.EPISODE: 1,
        }
        assert each.find(movie(2)) == ["m2"]
        assert each.has(movie(2))
        assert not each.has(movie(4))
        assert await each.async_titles(["m3", "s", "m9"]) == {
            "m3": film(3),
            "s": show(),
        }
    assert len(parts(disk)) == 2
    assert parts(disk) == listed(disk)


async def test_an_empty_library_has_been_scanned_all_the_same(
    hass: HomeAssistant, library: Library
) -> None:
    assert await library.begin().async_commit(NOON) == Changes(0, 0)

    again = await reopened(hass, library)
    assert again.scanned_at == NOON


async def test_what_a_scan_has_changed(library: Library) -> None:
    first = await scan(library, *films(1, 2, 3))
    assert (first.added, first.removed) == (3, 0)
    assert list(first.arrived()) == []

    second = await scan(library, *films(2, 4, 3, 5))
    assert (second.added, second.removed) == (2, 1)
    assert list(second.arrived()) == films(4, 5)
    assert await titles_in(library) == {
        f"m{number}": film(number) for number in (2, 3, 4, 5)
    }


async def test_an_episode_has_the_ids_of_its_show(
    hass: HomeAssistant, library: Library
) -> None:
    await scan(
        library,
        show(),
        part(1, show=None, show_ids={"tvdb": 71, "plex": "plex://show/1"}),
        part(2, show="Harbor Lights"),
        part(3, show=None, show_items={SERVER: "another"}),
        section=SERIES,
    )

    again = await reopened(hass, library)
    titles = await titles_in(again)
    assert titles["e1"].show == "Harbour Lights"
    assert titles["e1"].show_ids == {"tmdb": 7, "tvdb": 71, "plex": "plex://show/1"}
    assert titles["e2"].show == "Harbor Lights"
    assert titles["e2"].show_ids == {"tmdb": 7, "tvdb": 70}
    assert (titles["e3"].show, titles["e3"].show_ids) == (None, {})
    assert again.find(episode(1, 2, ids={}, show_ids={"tmdb": 7})) == ["e2"]


async def test_an_item_counts_once(library: Library) -> None:
    scanning = library.begin()
    await scanning.async_add(FILMS, [film(1), film(1, title="Again"), movie(2)])
    await scanning.async_add(SERIES, [film(1, title="And again"), part(1)])

    changes = await scanning.async_commit(NOON)

    assert changes.added == 2
    assert await titles_in(library) == {"m1": film(1), "e1": part(1)}


@pytest.mark.parametrize(
    "section_id", ["../../outside", "a" * 300, "", "a/b", "üß", "new", "ABC-1_2"]
)
async def test_sections_have_names_for_files(
    hass: HomeAssistant, disk: Disk, library: Library, section_id: str
) -> None:
    section = Section(section_id, "Films", (MediaType.MOVIE,))
    await scan(library, film(1), section=section)
    await library.async_put([film(2)])
    await library.async_flush()

    assert len(parts(disk)) == 2
    assert disk.read(KEY)["parts"][0]["section"] == section_id
    await reopened(hass, library)


@pytest.mark.usefixtures("small_parts")
async def test_a_scan_without_a_change_writes_the_header_only(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, *films(*range(100)))
    before = {name: disk.inode(name) for name in parts(disk)}
    assert len(before) > 10
    disk.written.clear()

    changes = await scan(library, *films(*range(100)), at=LATER)
    again = await reopened(hass, library)
    await scan(again, *films(*range(100)), at=LATER)

    assert changes == Changes(0, 0)
    assert disk.written == [KEY, KEY]
    assert {name: disk.inode(name) for name in parts(disk)} == before
    assert again.scanned_at == LATER


@pytest.mark.usefixtures("small_parts")
async def test_a_title_more_or_less_writes_a_few_parts_only(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, *films(*range(200)))
    everything = len(parts(disk))
    disk.written.clear()

    await scan(library, *films(*range(3, 201)))

    assert everything > 30
    assert 1 < len(disk.written) < 15
    assert parts(disk) == listed(disk)
    await reopened(hass, library)


async def test_a_scan_comes_to_its_end_once(library: Library) -> None:
    scanning = library.begin()
    await scanning.async_commit(NOON)

    with pytest.raises(ValueError, match="end"):
        await scanning.async_commit(LATER)
    with pytest.raises(ValueError, match="end"):
        await scanning.async_add(FILMS, films(1))

    await scanning.async_discard()
    assert library.scanned_at == NOON


@pytest.mark.usefixtures("small_parts")
async def test_what_is_discarded_leaves_nothing_behind(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, *films(*range(20)))
    before = disk.names()
    scanning = library.begin()
    await scanning.async_add(FILMS, films(*range(10, 60)))
    assert len(disk.names()) > len(before)

    await scanning.async_discard()
    await scanning.async_discard()

    assert disk.names() == before
    again = await reopened(hass, library)
    assert len(again.index) == 20


@pytest.mark.usefixtures("small_parts")
async def test_two_scans_do_not_remove_the_parts_of_each_other(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    one, other = library.begin(), library.begin()
    await one.async_add(FILMS, films(*range(50)))
    await other.async_add(FILMS, films(*range(60)))

    await one.async_discard()
    changes = await other.async_commit(NOON)

    assert changes.added == 60
    assert parts(disk) == listed(disk)
    await reopened(hass, library)


# Changes between scans


async def test_what_is_put_is_known_at_once_and_written_together(
    hass: HomeAssistant,
    disk: Disk,
    library: Library,
    freezer: FrozenDateTimeFactory,
) -> None:
    await scan(library, film(1))
    disk.written.clear()

    for number in range(2, 20):
        assert await library.async_put([film(number)]) == [film(number)]
    assert library.find(movie(19)) == ["m19"]
    assert disk.written == []
    await pass_time(hass, freezer)

    assert len(disk.written) == 2
    assert disk.written[1] == KEY
    await library.async_put([film(20)])
    await library.async_flush()
    await library.async_flush()
    assert len(disk.written) == 4
    assert len(parts(disk)) == 2
    assert parts(disk) == listed(disk)
    again = await reopened(hass, library)
    assert len(again.index) == 20
    assert again.scanned_at == NOON


async def test_what_is_known_is_replaced(hass: HomeAssistant, library: Library) -> None:
    await scan(library, *films(1, 2))
    better, newest = film(1, title="Better"), film(1, title="Best")

    assert await library.async_put([better, film(3)]) == [film(3)]
    assert await library.async_put([film(3)]) == []
    assert len(library.index) == 3
    await library.async_flush()
    again = await reopened(hass, library)
    assert (await titles_in(again))["m1"] == better
    assert await again.async_put([newest]) == []
    await again.async_flush()

    once_more = await reopened(hass, again)
    assert (await titles_in(once_more))["m1"] == newest
    assert once_more.find(newest) == ["m1"]


async def test_a_library_of_what_came_by_webhook_alone(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    assert await library.async_put([film(1), movie(2), film(1)]) == [film(1)]
    await library.async_flush()

    again = await reopened(hass, library)
    assert again.scanned_at is None
    assert again.find(movie(1)) == ["m1"]
    changes = await scan(again, *films(1, 2))
    assert (changes.added, list(changes.arrived())) == (1, [])


@pytest.mark.usefixtures("small_parts")
async def test_many_that_are_put_are_kept_in_several_parts(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    for number in range(0, 60, 3):
        await library.async_put(films(number, number + 1, number + 2))
        if number % 2:
            await library.async_flush()
            library = await reopened(hass, library)
    await library.async_flush()

    again = await reopened(hass, library)
    assert len(again.index) == 60
    assert 5 < len(parts(disk)) < 60
    assert parts(disk) == listed(disk)
    assert all(disk.path(name).stat().st_size < 2000 for name in parts(disk))


async def test_an_episode_that_is_put_has_the_ids_of_its_show(
    hass: HomeAssistant, library: Library
) -> None:
    await scan(library, show(), section=SERIES)
    complete = part(1, show_ids={"tmdb": 7, "tvdb": 70})

    assert await library.async_put([part(1, show=None)]) == [complete]
    other = show(items={SERVER: "t"}, title="Fog Signal", ids={"tmdb": 8})
    of_other = part(2, show="Fog Signal", show_items={SERVER: "t"})
    assert (await library.async_put([of_other, other]))[0].show_ids == {"tmdb": 8}
    await library.async_put([part(3, show_items={SERVER: "t"})])
    await library.async_put([part(4, show_items={SERVER: "unknown"})])

    titles = await titles_in(library)
    assert titles["e1"] == complete
    assert titles["e3"].show_ids == {"tmdb": 8}
    assert titles["e4"].show_ids == {}


async def test_removing_an_item(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, *films(1, 2))
    await library.async_put([film(3)])

    assert await library.async_remove("m1") == 1
    assert await library.async_remove("m3") == 1
    assert await library.async_remove("m3") == 0
    assert not library.has(film(1))
    assert await library.async_titles(["m1", "m3"]) == {}
    await library.async_flush()

    again = await reopened(hass, library)
    assert list(again.index) == ["m2"]
    assert await again.async_put(films(1, 3)) == films(1, 3)
    await again.async_flush()
    assert len((await reopened(hass, again)).index) == 3
    assert disk.read(KEY)["forgotten"] == []


async def test_removing_a_show(hass: HomeAssistant, library: Library) -> None:
    await scan(library, show(), part(1), part(2), film(1), section=SERIES)

    assert await library.async_remove("s") == 3
    await library.async_flush()

    again = await reopened(hass, library)
    assert list(again.index) == ["m1"]


async def test_a_library_without_anything_has_no_files(
    disk: Disk, library: Library
) -> None:
    await library.async_put([film(1)])
    await library.async_flush()
    assert len(disk.names()) == 2

    await library.async_remove("m1")
    await library.async_flush()

    assert disk.names() == []


async def test_a_removal_of_what_is_not_there_writes_nothing(
    disk: Disk, library: Library
) -> None:
    await scan(library, film(1))
    disk.written.clear()

    assert await library.async_remove("m2") == 0
    await library.async_flush()

    assert disk.written == []


async def test_what_happens_during_a_scan_is_not_undone_by_it(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, *films(1, 2, 3))
    scanning = library.begin()
    await scanning.async_add(FILMS, films(1, 2, 3, 4, 5))

    assert await library.async_put([film(4), film(6)]) == films(4, 6)
    await library.async_put([film(7), part(1, show=None)])
    await library.async_remove("m7")
    assert await library.async_remove("m1") == 1
    assert await library.async_remove("m5") == 0
    await scanning.async_add(SERIES, [show()])
    changes = await scanning.async_commit(LATER)

    assert sorted(await titles_in(library)) == ["e1", "m2", "m3", "m4", "m6", "s"]
    assert (await titles_in(library))["e1"].show_ids == {"tmdb": 7, "tvdb": 70}
    # What was put had arrived by then.
    assert list(changes.arrived()) == [show()]
    again = await reopened(hass, library)
    assert await again.async_put([film(8)]) == [film(8)]
    await again.async_flush()
    assert len((await reopened(hass, again)).index) == 7
    assert parts(disk) == listed(disk)


async def test_a_show_that_goes_during_a_scan_takes_the_episodes_along(
    hass: HomeAssistant, library: Library
) -> None:
    scanning = library.begin()
    await scanning.async_add(SERIES, [show(), part(1)])
    await library.async_remove("s")
    await scanning.async_add(SERIES, [part(2)])

    await scanning.async_commit(NOON)

    assert len(library.index) == 0
    assert (await reopened(hass, library)).scanned_at == NOON


# Interruptions


@pytest.mark.usefixtures("small_parts")
async def test_a_start_after_any_interruption_finds_the_old_or_the_new(
    hass: HomeAssistant, disk: Disk, library: Library, tmp_path: Path
) -> None:
    await scan(library, *films(*range(40)))
    old = await titles_in(library)
    moments: list[Path] = []

    def remember(_: Path | None = None) -> None:
        moments.append(tmp_path / f"moment {len(moments)}")
        shutil.copytree(disk.folder, moments[-1])

    with at_every_write(remember):
        await scan(library, *films(*range(30, 90)), at=LATER)
    new = await titles_in(library)
    # Interrupted while what has become useless is removed.
    remember()
    for name in parts(disk)[:3]:
        shutil.copy(disk.path(name), disk.path(f"{KEY}.1.{'0' * 16}"))
        remember()

    expected = {NOON: old, LATER: new}
    seen = set()
    for moment in moments:
        shutil.rmtree(disk.folder)
        shutil.copytree(moment, disk.folder)
        again = Library(hass, SERVER_ID)
        titles = await titles_in(again)
        assert again.scanned_at is not None
        assert titles == expected[again.scanned_at]
        assert parts(disk) == listed(disk)
        seen.add(again.scanned_at)
    assert len(moments) > 10
    assert seen == {NOON, LATER}


@pytest.mark.usefixtures("small_parts")
async def test_a_write_of_a_scan_that_fails_leaves_the_library_as_it_is(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, *films(*range(20)))
    before, old = disk.names(), await titles_in(library)
    for failing_at in count(1):
        scanning = library.begin()
        with at_every_write(_fail_at(failing_at)):
            try:
                await scanning.async_add(FILMS, films(*range(15, 50)))
                await scanning.async_commit(LATER)
            except StorageWriteError:
                pass
            else:
                break
        assert library.scanned_at == NOON
        assert not library.failing
        assert await titles_in(library) == old
        await reopened(hass, library)
        await scanning.async_discard()
        assert disk.names() == before

    assert failing_at > 5
    assert library.scanned_at == LATER
    assert len((await reopened(hass, library)).index) == 35


async def test_a_scan_can_be_committed_again(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    scanning = library.begin()
    await scanning.async_add(FILMS, films(1))
    await library.async_put([film(2)])
    with disk.blocked(KEY), pytest.raises(StorageWriteError) as error:
        await scanning.async_commit(NOON)
    assert error.value.translation_placeholders == {"path": str(disk.path(KEY))}
    await library.async_put([film(2, title="Better"), film(3)])

    changes = await scanning.async_commit(LATER)

    assert changes.added == 1
    assert await titles_in(library) == {
        "m1": film(1),
        "m2": film(2, title="Better"),
        "m3": film(3),
    }
    await reopened(hass, library)
    assert parts(disk) == listed(disk)


@pytest.mark.usefixtures("small_parts")
async def test_a_scan_that_is_cancelled_while_it_writes_a_part(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, *films(*range(20)))
    before = disk.names()
    scanning = library.begin()

    with disk.held():
        adding = asyncio.create_task(scanning.async_add(FILMS, films(*range(20, 60))))
        await hass.async_add_executor_job(disk.wait_for_write)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        discarding = asyncio.create_task(scanning.async_discard())
        await asyncio.sleep(0.01)
        assert not discarding.done()
    await discarding

    assert disk.names() == before
    await reopened(hass, library)


async def test_a_commit_that_has_begun_comes_to_its_end(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    scanning = library.begin()
    await scanning.async_add(FILMS, films(1))

    with disk.held():
        committing = asyncio.create_task(scanning.async_commit(NOON))
        await hass.async_add_executor_job(disk.wait_for_write)
        committing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await committing
    await scanning.async_discard()

    assert library.scanned_at == NOON
    assert len((await reopened(hass, library)).index) == 1


async def test_a_commit_that_fails_when_nobody_waits_for_it(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    scanning = library.begin()
    await scanning.async_add(FILMS, films(1))

    with disk.blocked(KEY):
        with disk.held():
            committing = asyncio.create_task(scanning.async_commit(NOON))
            await hass.async_add_executor_job(disk.wait_for_write)
            committing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await committing
        await scanning.async_discard()

    assert library.scanned_at is None
    assert disk.names() == []


async def test_what_cannot_be_written_is_written_later(
    hass: HomeAssistant, disk: Disk
) -> None:
    troubles: list[bool] = []
    troubled: Library = Library(
        hass, SERVER_ID, on_trouble=lambda: troubles.append(troubled.failing)
    )
    await scan(troubled, film(1))

    with disk.full():
        await troubled.async_put([film(2)])
        await troubled.async_flush()
        assert troubles == [True]
        assert troubled.has(film(2))
        await troubled.async_put([film(3)])
    await troubled.async_flush()

    assert troubles == [True, False]
    assert len((await reopened(hass, troubled)).index) == 3


async def test_a_scan_ends_the_trouble(hass: HomeAssistant, disk: Disk) -> None:
    troubles: list[bool] = []
    troubled: Library = Library(
        hass, SERVER_ID, on_trouble=lambda: troubles.append(troubled.failing)
    )
    await troubled.async_load()
    with disk.blocked(KEY):
        await troubled.async_put([film(1)])
        await troubled.async_flush()

    await scan(troubled, *films(1, 2))

    assert troubles == [True, False]
    await reopened(hass, troubled)


# What cannot be read


def _damage(text: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_text(text)

    return damage


def _remove(path: Path) -> None:
    path.unlink()


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _stored(data: str, version: int = 1) -> Callable[[Path], None]:
    return _damage(f'{{"version": {version}, "minor_version": 1, "data": {data}}}')


_HEADER = '{"scanned_at": null, "forgotten": [], "parts": '
DAMAGED_HEADERS = [
    _damage(""),
    _damage("[]"),
    _make_folder,
    _stored("{}", version=2),
    _stored("{}"),
    _stored('{"scanned_at": null, "forgotten": 1, "parts": []}'),
    _stored('{"scanned_at": null, "forgotten": [[]], "parts": []}'),
    _stored('{"scanned_at": "yesterday", "forgotten": [], "parts": []}'),
    _stored('{"scanned_at": "2026-11-10T12:00:00", "forgotten": [], "parts": []}'),
    _stored('{"scanned_at": 5, "forgotten": [], "parts": []}'),
    _stored(_HEADER + "5}"),
    _stored(_HEADER + "[5]}"),
    _stored(_HEADER + '[{"section": "1"}]}'),
    _stored(_HEADER + '[{"section": "1", "name": 5}]}'),
    _stored(_HEADER + '[{"section": 1, "name": "1.0123456789abcdef"}]}'),
    _stored(_HEADER + '[{"section": "1", "name": "../../secrets"}]}'),
]
DAMAGED_PARTS = [
    _damage(""),
    _remove,
    _make_folder,
    _stored('{"titles": []}', version=2),
    _stored("{}"),
    _stored('{"titles": 5}'),
    _stored('{"titles": [5]}'),
    _stored('{"titles": [{"media_type": "movie", "title": 5, "items": {"a": "b"}}]}'),
    _stored('{"titles": [{"media_type": "opera", "items": {"a": "b"}}]}'),
    _stored('{"titles": [{"media_type": "movie", "items": {}}]}'),
    _stored('{"titles": [{"media_type": "movie", "items": {"a": 5}}]}'),
]


def _snapshot(disk: Disk) -> dict[str, bytes | None]:
    return {
        name: path.read_bytes() if (path := disk.path(name)).is_file() else None
        for name in disk.names()
    }


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("which", "damage"),
    [("header", damage) for damage in DAMAGED_HEADERS]
    + [("part", damage) for damage in DAMAGED_PARTS],
)
async def test_a_library_that_cannot_be_read_has_not_been_scanned(
    hass: HomeAssistant,
    disk: Disk,
    library: Library,
    caplog: pytest.LogCaptureFixture,
    which: str,
    damage: Callable[[Path], None],
) -> None:
    await scan(library, *films(*range(30)))
    damaged = disk.path(KEY if which == "header" else parts(disk)[1])
    damage(damaged)
    before = _snapshot(disk)

    again = Library(hass, SERVER_ID)
    await again.async_load()
    await again.async_load()

    warnings = [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name != "asyncio"
    ]
    assert len(warnings) == 1
    assert str(damaged) in warnings[0]
    assert again.scanned_at is None
    assert len(again.index) == 0
    # What comes meanwhile is known as long as Home Assistant runs.
    assert await again.async_put([film(50)]) == [film(50)]
    await again.async_flush()
    abandoned = again.begin()
    await abandoned.async_add(FILMS, films(60))
    await abandoned.async_discard()
    assert _snapshot(disk) == before

    if damaged.is_dir():
        damaged.rmdir()
    changes = await scan(again, *films(*range(31)), at=LATER)

    assert (changes.added, list(changes.arrived())) == (31, [])
    assert parts(disk) == listed(disk)
    mended = await reopened(hass, again)
    assert mended.scanned_at == LATER
    assert len(mended.index) == 31


async def test_a_library_that_cannot_be_read_can_be_cleared(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, film(1))
    disk.path(KEY).write_text("{")
    again = Library(hass, SERVER_ID)

    assert await again.async_clear() == 0

    assert disk.names() == []
    await again.async_put([film(2)])
    await again.async_flush()
    assert len((await reopened(hass, again)).index) == 1


async def test_a_part_that_cannot_be_read_any_more(
    hass: HomeAssistant,
    disk: Disk,
    library: Library,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scanning = library.begin()
    await scanning.async_add(FILMS, films(1, 2))
    await scanning.async_add(SERIES, [show(), part(1)])
    await scanning.async_commit(NOON)
    (damaged,) = (name for name in parts(disk) if name.startswith(f"{KEY}.2."))
    intact = disk.path(damaged).read_bytes()
    disk.path(damaged).write_text("{")

    for _ in range(2):
        assert await library.async_titles(["m1", "e1"]) == {"m1": film(1)}
    (warning,) = (
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING
    )
    assert str(disk.path(damaged)) in warning
    assert library.find(show()) == ["s"]
    assert (await library.async_put([part(2)]))[0].show_ids == {}

    scanning = library.begin()
    await scanning.async_add(FILMS, films(1, 2))
    await scanning.async_add(SERIES, [show(), part(1)])
    await scanning.async_commit(LATER)
    assert disk.path(damaged).read_bytes() == intact


async def test_what_no_header_lists_is_removed(
    hass: HomeAssistant,
    disk: Disk,
    library: Library,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await scan(library, film(1))
    before = disk.names()
    useless = disk.write(f"{KEY}.1.0123456789abcdef", {"titles": []})
    stubborn = disk.path(f"{KEY}.2.0123456789abcdef")
    stubborn.mkdir()
    others = [
        disk.write("library.01SERVERS.1.0123456789abcdef", {}),
        disk.write("library.01SERVERS", {}),
    ]
    caplog.set_level(logging.DEBUG)

    await reopened(hass, library)

    assert not useless.exists()
    assert all(path.exists() for path in others)
    assert f"{stubborn} could not be removed" in caplog.text
    assert not any(record.levelno > logging.DEBUG for record in caplog.records)
    stubborn.rmdir()
    for path in others:
        path.unlink()
    assert disk.names() == before


async def test_an_older_form_is_migrated(
    hass: HomeAssistant,
    disk: Disk,
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await scan(library, film(1))
    before = parts(disk)
    for each in (module, library_contents):
        monkeypatch.setattr(each, "MINOR_VERSION", 2)
    migrated: list[tuple[int, int, str]] = []

    def migrate(version: int, minor: int, data: dict[str, Any]) -> dict[str, Any]:
        migrated.append((version, minor, min(data)))
        return data

    again = Library(hass, SERVER_ID, migrate=migrate)
    assert await titles_in(again) == {"m1": film(1)}
    assert migrated[:2] == [(1, 1, "forgotten"), (1, 1, "titles")]
    # The next scan writes it in the present form.
    await scan(again, film(1))
    assert len(parts(disk)) == 1
    assert parts(disk) != before


# Forgetting


async def test_clearing(hass: HomeAssistant, disk: Disk, library: Library) -> None:
    await scan(library, *films(1, 2))
    await library.async_put([film(3)])

    assert await library.async_clear() == 3

    assert disk.names() == []
    assert library.scanned_at is None
    assert not library.has(film(1))
    assert await library.async_clear() == 0
    await library.async_flush()
    assert disk.names() == []
    changes = await scan(library, film(1))
    assert (changes.added, list(changes.arrived())) == (1, [])
    await reopened(hass, library)


async def test_clearing_ends_the_trouble(hass: HomeAssistant, disk: Disk) -> None:
    troubles: list[bool] = []
    troubled: Library = Library(
        hass, SERVER_ID, on_trouble=lambda: troubles.append(troubled.failing)
    )
    with disk.full():
        await troubled.async_put([film(1)])
        await troubled.async_flush()

    assert await troubled.async_clear() == 1

    assert troubles == [True, False]
    assert disk.names() == []


@pytest.mark.usefixtures("small_parts")
async def test_clearing_during_a_scan_leaves_what_it_has_found(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, *films(*range(40)))
    scanning = library.begin()
    await scanning.async_add(FILMS, films(*range(50)))

    assert await library.async_clear() == 40
    assert len(library.index) == 0
    changes = await scanning.async_commit(LATER)

    # There was nothing that it could be news to.
    assert (changes.added, list(changes.arrived())) == (50, [])
    assert parts(disk) == listed(disk)
    await reopened(hass, library)


async def test_removing_the_files(hass: HomeAssistant, disk: Disk) -> None:
    library = Library(hass, SERVER_ID)
    await scan(library, *films(1, 2))
    await library.async_put([film(3)])
    scanning = library.begin()

    await library.async_remove_files()

    assert disk.names() == []
    assert len(library.index) == 0
    assert await library.async_put([film(4)]) == []
    assert await library.async_remove("m1") == 0
    with pytest.raises(LibraryRemovedError):
        await scanning.async_add(FILMS, films(1))
    with pytest.raises(LibraryRemovedError):
        await scanning.async_commit(NOON)
    await scanning.async_discard()
    await library.async_flush()
    assert disk.names() == []


async def test_removing_files_that_were_never_read(
    hass: HomeAssistant, disk: Disk, library: Library
) -> None:
    await scan(library, film(1))

    await Library(hass, SERVER_ID).async_remove_files()

    assert disk.names() == []


async def test_everything_at_once(hass: HomeAssistant, disk: Disk) -> None:
    for turn in range(6):
        library = Library(hass, SERVER_ID)
        await scan(library, *films(1, 2))
        scanning = library.begin()
        await scanning.async_add(FILMS, films(1, 2, 3))
        work = [
            library.async_put([film(4)]),
            library.async_clear(),
            scanning.async_commit(LATER),
            library.async_put([film(5)]),
            library.async_flush(),
            library.async_remove("m2"),
        ]
        await asyncio.gather(*work[turn:], *work[:turn])
        await library.async_flush()
        await reopened(hass, library)
        assert library.scanned_at in (None, LATER)

        scanning = library.begin()
        results = await asyncio.gather(
            library.async_put([film(6)]),
            scanning.async_commit(LATER),
            library.async_flush(),
            library.async_remove_files(),
            library.async_put([film(7)]),
            library.async_clear(),
            return_exceptions=True,
        )
        await library.async_flush()
        assert disk.names() == []
        assert all(
            isinstance(result, LibraryRemovedError)
            for result in results
            if isinstance(result, BaseException)
        )
