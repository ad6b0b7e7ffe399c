"""Echoes: what we mark on a server comes back as its webhook, and is no play."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from homeassistant.core import HomeAssistant, callback

from .domain.title import Title
from .domain.title_map import TitleMap

LIFETIME = 300.0
"""Seconds after a mark in which its webhooks are expected: servers send them at once.

Whoever marks the title by hand meanwhile says what the history knows already.
"""

LIFETIME_OF_UNDONE = 15.0
"""Seconds for which they are still expected once a mark has been taken back.

The history knows no more of it then.
"""


@dataclass(slots=True, eq=False)
class _Expected:
    title: Title
    until: float


class _Marked:
    """What has been marked with one account lately, by item: the latest last."""

    def __init__(self) -> None:
        self._by_item: dict[str, _Expected] = {}
        self._by_title = TitleMap[_Expected]()

    def put(self, item: str, expected: _Expected) -> None:
        """Add an item, or have it be expected for longer."""
        self._forget(item)
        self._by_item[item] = expected
        self._by_title.add(expected.title, expected)

    def expire(self, now: float) -> None:
        """Forget what is not expected any more, sooner or later."""
        while self._by_item:
            item, expected = next(iter(self._by_item.items()))
            if expected.until > now:
                return
            self._forget(item)

    def shorten(self, title: Title, until: float) -> None:
        """Expect what is of a title no longer than that."""
        for expected in self._by_title.find_all(title):
            expected.until = min(expected.until, until)

    def is_known(self, title: Title, now: float) -> bool:
        """Return whether a title is one of those, or one of the items."""
        of_item = filter(None, map(self._by_item.get, title.items.values()))
        return any(
            expected.until > now
            for expected in chain(of_item, self._by_title.find_all(title))
        )

    def _forget(self, item: str) -> None:
        if (expected := self._by_item.pop(item, None)) is not None:
            self._by_title.discard(expected.title, expected)


class Echoes:
    """What has been marked as watched lately, by server and account.

    One mark may have several echoes: other versions follow by themselves, and a file of
    several episodes stands for all of them.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing."""
        self._loop = hass.loop
        self._marked: dict[tuple[str, str], _Marked] = {}

    @callback
    def expect(self, server_id: str, account: str, item: str, title: Title) -> None:
        """Take note that an item is being marked, or has been just now."""
        now = self._loop.time()
        marked = self._marked.setdefault((server_id, account), _Marked())
        marked.expire(now)
        marked.put(item, _Expected(title, now + LIFETIME))

    @callback
    def undone(self, server_id: str, account: str, title: Title) -> None:
        """Take note that a title has been marked as not watched."""
        if (marked := self._marked.get((server_id, account))) is not None:
            marked.shorten(title, self._loop.time() + LIFETIME_OF_UNDONE)

    @callback
    def is_echo(
        self, server_id: str, account: str | None, titles: Iterable[Title]
    ) -> bool:
        """Return whether what was marked with an account is what we have marked."""
        marked = self._marked.get((server_id, account or ""))
        if marked is None:
            return False
        now = self._loop.time()
        marked.expire(now)
        return any(marked.is_known(title, now) for title in titles)
