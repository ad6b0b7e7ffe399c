"""Plays that a server is still to be asked about."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
import logging
from typing import Any

from homeassistant.core import HomeAssistant, callback

from ..domain.doubt import Doubt
from .codec import source_from_dict, source_to_dict, title_from_dict, title_to_dict
from .store import ConfirmingStore, Migration

_LOGGER = logging.getLogger(__name__)

VERSION = 1
MINOR_VERSION = 1

MAX_DOUBTS = 2000
"""Doubts that are kept, the latest."""

SAVE_DELAY = 1.0
"""Seconds before a doubt is written: mostly it is settled by then."""


class Doubts:
    """What one server is to be asked, in the order in which it came."""

    def __init__(
        self, hass: HomeAssistant, key: str, *, migrate: Migration | None = None
    ) -> None:
        """Start with none."""
        self._store = ConfirmingStore(
            hass,
            f"doubts.{key}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._doubts: OrderedDict[tuple[str, str, str, str], Doubt] = OrderedDict()

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be read, and why; nothing is written then."""
        return self._store.unreadable

    def __iter__(self) -> Iterator[Doubt]:
        """Iterate over what there is by now."""
        return iter(list(self._doubts.values()))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._doubts)

    async def async_load(self) -> None:
        """Read them once, to stand before what has come meanwhile.

        What could not be read is tried again.
        """
        if read := await self._store.async_load_once(_doubts):
            self._doubts = (
                OrderedDict((_key(doubt), doubt) for doubt in read) | self._doubts
            )
        if self.unreadable:
            _LOGGER.warning("Some marks stay as their webhooks told them")

    @callback
    def add(self, doubt: Doubt) -> None:
        """Add a doubt, in place of those of an older mark of the same item by the account."""
        for other in self:
            if _key(other)[:3] == _key(doubt)[:3] and other.source != doubt.source:
                del self._doubts[_key(other)]
        if doubt.is_one:
            self._doubts[_key(doubt)] = doubt
        while len(self._doubts) > MAX_DOUBTS:
            self._doubts.popitem(last=False)
        self._save()

    @callback
    def settled(self, doubt: Doubt) -> None:
        """Forget a doubt, unless another one has taken its place."""
        if self._doubts.get(_key(doubt)) == doubt:
            del self._doubts[_key(doubt)]
            self._save()

    def is_open(self, doubt: Doubt) -> bool:
        """Return whether nothing newer has taken a doubt's place."""
        return self._doubts.get(_key(doubt)) == doubt

    @callback
    def _save(self) -> None:
        self._store.async_delay_save(self._snapshot, SAVE_DELAY)

    async def async_remove(self) -> None:
        """Remove the file."""
        self._doubts.clear()
        await self._store.async_remove()

    def _snapshot(self) -> dict[str, Any]:
        return {"doubts": [_to_dict(doubt) for doubt in self]}


def _key(doubt: Doubt) -> tuple[str, str, str, str]:
    # A file of several episodes has a play of each.
    return doubt.viewer, doubt.account, doubt.item, doubt.play_id


def _to_dict(doubt: Doubt) -> dict[str, Any]:
    return {
        "viewer": doubt.viewer,
        "play_id": doubt.play_id,
        "title": title_to_dict(doubt.title),
        "account": doubt.account,
        "item": doubt.item,
        "source": source_to_dict(doubt.source),
        "play_count": doubt.play_count,
        "is_new": doubt.is_new,
    }


def _doubts(stored: dict[str, Any]) -> list[Doubt]:
    """Return the doubts of a stored form; raises what `DAMAGE` lists."""
    return [_from_dict(doubt) for doubt in stored["doubts"]]


def _from_dict(stored: Mapping[str, Any]) -> Doubt:
    count = stored["play_count"]
    if count is not None and (type(count) is not int or count.bit_length() > 63):
        raise TypeError(f"play_count is {count!r}")
    return Doubt(
        viewer=str(stored["viewer"]),
        play_id=str(stored["play_id"]),
        title=title_from_dict(stored["title"]),
        account=str(stored["account"]),
        item=str(stored["item"]),
        source=source_from_dict(stored["source"]),
        play_count=count,
        is_new=stored["is_new"] is True,
    )
