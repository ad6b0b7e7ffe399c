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


async def test_what_cannot_be_read_is_said(
    disk: Disk, dismissed: Dismissed, caplog: pytest.LogCaptureFixture
) -> None:
    disk.write(FILE, {"plays": [{"id": "x"}]})

    await dismissed.async_load()

    assert "Plays that were removed may come back" in caplog.text
    assert not dismissed.has(known_to_server(movie(1)))


async def test_nothing_is_left_of_it(disk: Disk, dismissed: Dismissed) -> None:
    await dismissed.async_add(play(movie(1)))

    await dismissed.async_remove()

    assert disk.names() == []
    assert not dismissed.has(known_to_server(movie(1)))
