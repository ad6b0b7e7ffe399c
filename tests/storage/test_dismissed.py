"""What a person has removed or corrected, and what is known of it however it ends."""

import asyncio

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.play import (
    Play,
    Report,
    Source,
    SourceKind,
)
from custom_components.media_scrobbler.domain.title import Title
from custom_components.media_scrobbler.storage import dismissed as storage_dismissed
from custom_components.media_scrobbler.storage.dismissed import Dismissed

from .common import NOON, Disk, movie, report

FILE = "dismissed.someone"


@pytest.fixture
def dismissed(hass: HomeAssistant, disk: Disk) -> Dismissed:
    return Dismissed(hass, "someone")


def play(title: Title) -> Play:
    return Play(id="x", title=title, watched_at=NOON, sources=(report(),))


def known_to_server(title: Title) -> Report:
    source = Source(kind=SourceKind.SERVER_HISTORY, at=NOON)
    return Report(title=title, watched_at=NOON, source=source)


async def test_it_is_on_disk_when_it_is_said_to_be(
    hass: HomeAssistant, disk: Disk, dismissed: Dismissed
) -> None:
    await dismissed.async_add(play(movie(1)))

    assert [stored["title"] for stored in disk.read(FILE)["plays"]] == ["Film 1"]
    again = Dismissed(hass, "someone")
    await again.async_load()
    assert again.has(known_to_server(movie(1)))
    assert not again.has(known_to_server(movie(2)))


async def test_whoever_asks_while_it_is_read_waits_for_it(
    hass: HomeAssistant, dismissed: Dismissed
) -> None:
    await dismissed.async_add(play(movie(1)))
    again = Dismissed(hass, "someone")
    first = asyncio.create_task(again.async_load())
    await asyncio.sleep(0)

    await again.async_load()

    assert again.has(known_to_server(movie(1)))
    await first


async def test_what_is_added_before_it_is_read_comes_behind_what_was_there(
    hass: HomeAssistant, disk: Disk, dismissed: Dismissed
) -> None:
    await dismissed.async_add(play(movie(1)))

    await Dismissed(hass, "someone").async_add(play(movie(2)))

    titles = [stored["title"] for stored in disk.read(FILE)["plays"]]
    assert titles == ["Film 1", "Film 2"]


async def test_the_oldest_are_forgotten_first(
    hass: HomeAssistant, dismissed: Dismissed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_dismissed, "MAX_PLAYS", 2)
    for number in (1, 2, 3):
        await dismissed.async_add(play(movie(number)))
    again = Dismissed(hass, "someone")
    await again.async_load()

    for known in (dismissed, again):
        assert [known.has(known_to_server(movie(number))) for number in (1, 2, 3)] == [
            False,
            True,
            True,
        ]


async def test_what_cannot_be_written_is_kept_and_written_later(
    hass: HomeAssistant, disk: Disk
) -> None:
    troubles: list[bool] = []
    kept = Dismissed(hass, "someone", on_trouble=lambda: troubles.append(kept.failing))
    with disk.full():
        await kept.async_add(play(movie(1)))
        assert kept.failing
        assert kept.has(known_to_server(movie(1)))

    await kept.async_flush()

    assert troubles == [True, False]
    assert len(disk.read(FILE)["plays"]) == 1


async def test_what_cannot_be_read_stays_as_it_is_and_goes_on_in_another_file(
    hass: HomeAssistant, disk: Disk, dismissed: Dismissed
) -> None:
    await dismissed.async_add(play(movie(1)))
    path = disk.path(FILE)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    troubles: list[list[str]] = []
    again = Dismissed(
        hass, "someone", on_trouble=lambda: troubles.append(list(again.unreadable))
    )

    await again.async_add(play(movie(2)))

    assert troubles == [[str(path)]]
    assert path.read_bytes() == whole[:-20]
    assert not again.has(known_to_server(movie(1)))
    after_restart = Dismissed(hass, "someone")
    await after_restart.async_load()
    assert after_restart.has(known_to_server(movie(2)))

    path.write_bytes(whole)
    await again.async_reload_unreadable()
    assert troubles == [[str(path)], []]
    after_restart = Dismissed(hass, "someone")
    await after_restart.async_add(play(movie(3)))
    for known in (again, after_restart):
        assert known.has(known_to_server(movie(1)))
        assert known.has(known_to_server(movie(2)))
    assert disk.names() == [FILE]
    assert [stored["title"] for stored in disk.read(FILE)["plays"]] == [
        "Film 1",
        "Film 2",
        "Film 3",
    ]


async def test_killed_while_files_are_merged(
    hass: HomeAssistant, disk: Disk, dismissed: Dismissed
) -> None:
    """A play that is in both files by then is remembered once."""
    await dismissed.async_add(play(movie(1)))
    disk.path(f"{FILE}.0001").write_bytes(disk.path(FILE).read_bytes())
    again = Dismissed(hass, "someone")

    await again.async_add(play(movie(2)))

    assert [stored["title"] for stored in disk.read(FILE)["plays"]] == [
        "Film 1",
        "Film 2",
    ]


async def test_more_than_one_file_may_be_unreadable(
    hass: HomeAssistant, disk: Disk
) -> None:
    for name in (FILE, f"{FILE}.0001"):
        disk.path(name).parent.mkdir(exist_ok=True)
        disk.path(name).write_bytes(b"damaged")
    dismissed = Dismissed(hass, "someone")

    await dismissed.async_add(play(movie(1)))

    assert disk.names() == [FILE, f"{FILE}.0001", f"{FILE}.0002"]
    assert len(dismissed.unreadable) == 2
    # A person who has no use for it any more moves it away.
    disk.path(f"{FILE}.0001").unlink()
    again = Dismissed(hass, "someone")
    await again.async_add(play(movie(2)))
    assert disk.names() == [FILE, f"{FILE}.0002"]
    await again.async_remove()
    assert disk.names() == []


async def test_nothing_is_left_of_it(disk: Disk, dismissed: Dismissed) -> None:
    await dismissed.async_add(play(movie(1)))

    await dismissed.async_remove()

    assert disk.names() == []
    assert not dismissed.has(known_to_server(movie(1)))
