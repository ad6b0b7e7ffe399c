"""What a server is still to be asked, as it is remembered from one start to the next."""

from dataclasses import replace
from typing import Any

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.doubt import Doubt
from custom_components.media_scrobbler.domain.play import Source, SourceKind
from custom_components.media_scrobbler.storage import doubts as module
from custom_components.media_scrobbler.storage.doubts import Doubts

from .common import NOON, Disk, minutes, movie

FILE = "doubts.cellar"


def doubt(number: int, at: float = 0, item: str = "a1", **details: Any) -> Doubt:
    """Return the doubt about a mark that was made some minutes after noon."""
    source = Source(
        kind=SourceKind.WEBHOOK,
        at=NOON + minutes(at),
        dated=NOON - minutes(9999),
        may_be_local=True,
    )
    made = Doubt(
        viewer="viewer",
        play_id=str(number),
        title=movie(number),
        account="alice",
        item=item,
        source=source,
        play_count=1,
        is_new=True,
    )
    return replace(made, **details)


async def loaded(hass: HomeAssistant) -> Doubts:
    """Return what is on disk."""
    doubts = Doubts(hass, "cellar")
    await doubts.async_load()
    return doubts


async def written(hass: HomeAssistant) -> None:
    """Have everything written that waits for that, as when Home Assistant stops."""
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()


async def test_they_are_remembered(hass: HomeAssistant, disk: Disk) -> None:
    doubts = await loaded(hass)
    first, second = doubt(1), doubt(2, item="a2", play_count=None, is_new=False)
    doubts.add(first)
    doubts.add(second)
    await written(hass)

    again = Doubts(hass, "cellar")
    again.add(doubt(3, item="a3"))
    await again.async_load()
    assert list(again) == [first, second, doubt(3, item="a3")]
    again.settled(second)
    assert not again.is_open(second)
    assert len(again) == 2


async def test_a_later_mark_of_the_same_item(hass: HomeAssistant, disk: Disk) -> None:
    """The server knows of the last one only; a file may have several episodes."""
    doubts = await loaded(hass)
    for number in (1, 2):
        doubts.add(doubt(number))
    assert len(doubts) == 2
    later = doubt(3, at=1)
    doubts.add(later)
    assert list(doubts) == [later]
    plain = Source(kind=SourceKind.WEBHOOK, at=NOON + minutes(2), dated=NOON)
    doubts.add(doubt(4, source=plain, is_new=False))
    assert list(doubts) == []


async def test_there_is_a_limit(
    hass: HomeAssistant, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DOUBTS", 2)
    doubts = await loaded(hass)
    for number in range(4):
        doubts.add(doubt(number, item=f"a{number}"))
    assert [each.play_id for each in doubts] == ["2", "3"]


@pytest.mark.parametrize("damage", [{"doubts": [{}]}, {"doubts": [3]}, {"doubts": 3}])
async def test_damaged(
    hass: HomeAssistant,
    disk: Disk,
    caplog: pytest.LogCaptureFixture,
    damage: dict[str, Any],
) -> None:
    disk.write(FILE, damage)
    assert list(await loaded(hass)) == []
    assert "stay as their webhooks told them" in caplog.text


async def test_they_are_removed(hass: HomeAssistant, disk: Disk) -> None:
    doubts = await loaded(hass)
    doubts.add(doubt(1))
    await written(hass)
    await doubts.async_remove()
    assert disk.names() == []
