"""A disk to look at, and a history on it."""

from collections.abc import Iterator
from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.storage.history import History

from .common import KEY, Disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Return the disk that Home Assistant writes to."""
    with Disk(tmp_path / ".storage").watched() as disk:
        yield disk


@pytest.fixture
def history(hass: HomeAssistant, disk: Disk) -> History:
    """Return a history of nothing yet."""
    return History(hass, KEY)
