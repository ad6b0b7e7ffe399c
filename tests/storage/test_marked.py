"""What was marked on a server, as it is remembered from one start to the next."""

from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.storage import marked as module
from custom_components.media_scrobbler.storage.marked import Marked

from .common import NOON, Disk, episode, minutes, movie

FILE = "marked.attic"
FILM, PART = movie(1, items={"attic": "7"}), episode(1, 2, items={"attic": "8"})


@pytest.fixture
async def marks(hass: HomeAssistant, disk: Disk) -> Marked:
    marks = Marked(hass, "attic")
    await marks.async_load()
    return marks


async def test_a_mark_is_known_by_its_item_or_its_names(
    hass: HomeAssistant, disk: Disk, marks: Marked
) -> None:
    marks.note("7", FILM, NOON)
    marks.note("7", FILM, NOON + minutes(1))
    marks.note("8", PART, NOON)
    assert disk.names() == []
    await marks.async_save()
    await marks.async_save()
    assert disk.written == [FILE]

    again = Marked(hass, "attic")
    await again.async_load()
    for each in (marks, again):
        for known in (
            FILM,
            Title(media_type=MediaType.MOVIE, title="Film 1"),
            Title(media_type=MediaType.MOVIE, items={"attic": "7"}),
        ):
            for after in (-5, 0, 1, 6):
                assert each.has(known, NOON + minutes(after))
            for after in (-6, 7):
                assert not each.has(known, NOON + minutes(after))
        gone = Title(
            media_type=MediaType.EPISODE, show="Harbour Lights", season=1, episode=2
        )
        assert each.has(gone, NOON)
        assert not each.has(movie(2, items={"attic": "9"}), NOON)


async def test_of_too_many_the_oldest_are_forgotten(
    marks: Marked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_MARKS", 2)
    for days in range(3):
        marks.note("7", FILM, NOON + days * minutes(1440))
    marks.note("8", PART, NOON)
    assert [marks.has(FILM, NOON + days * minutes(1440)) for days in range(3)] == [
        False,
        False,
        True,
    ]
    marks.note("9", movie(2), NOON)
    assert not marks.has(FILM, NOON + minutes(2880))


@pytest.mark.parametrize(
    "stored",
    [
        {"marks": None},
        {"marks": [{}]},
        {"marks": [{"item": 7, "first": "", "last": "", "media_type": "movie"}]},
        {
            "marks": [
                {
                    "item": "7",
                    "first": NOON.isoformat(),
                    "last": "noon",
                    "media_type": "movie",
                }
            ]
        },
    ],
)
async def test_what_cannot_be_read(
    hass: HomeAssistant, disk: Disk, stored: dict[str, Any]
) -> None:
    """It is left as it is, and what is marked meanwhile is remembered beside it."""
    path = disk.write(FILE, stored)
    before = path.read_bytes()
    marks = Marked(hass, "attic")
    await marks.async_load()
    assert list(marks.unreadable) == [str(path)]
    marks.note("7", FILM, NOON)
    await marks.async_save()
    assert path.read_bytes() == before
    path.unlink()
    await marks.async_load()
    assert marks.unreadable == {}
    again = Marked(hass, "attic")
    await again.async_load()
    assert again.has(FILM, NOON)


async def test_nothing_is_left_of_it(disk: Disk, marks: Marked) -> None:
    marks.note("7", FILM, NOON)
    await marks.async_flush()
    assert disk.names() == [FILE]
    marks.note("8", PART, NOON)
    await marks.async_remove()
    await marks.async_flush()
    assert disk.names() == []
    assert not marks.has(FILM, NOON)
