"""Echoes: what we mark on a server comes back as its webhook, and is no play."""

from collections.abc import Iterable
from dataclasses import dataclass

from homeassistant.core import HomeAssistant, callback

from .domain.title import Title, same_title

LIFETIME = 120.0
"""Seconds after a mark in which its webhooks are expected: servers send them at once."""


@dataclass(frozen=True, slots=True)
class _Expected:
    item: str
    title: Title
    until: float


class Echoes:
    """What has been marked lately, by server and account.

    One mark may have several: other versions follow by themselves, and a file of several
    episodes stands for all of them.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing."""
        self._loop = hass.loop
        self._expected: dict[tuple[str, str], list[_Expected]] = {}

    @callback
    def expect(self, server_id: str, account: str, item: str, title: Title) -> None:
        """Take note that an item is being marked, before the server hears of it."""
        now = self._loop.time()
        key = server_id, account
        known = [each for each in self._expected.get(key, ()) if each.until > now]
        self._expected[key] = [*known, _Expected(item, title, now + LIFETIME)]

    @callback
    def is_echo(
        self, server_id: str, account: str | None, titles: Iterable[Title]
    ) -> bool:
        """Return whether what was marked with an account is what we have marked."""
        expected = self._expected.get((server_id, account or ""))
        if not expected:
            return False
        now = self._loop.time()
        return any(
            each.until > now
            and (each.item in title.items.values() or same_title(each.title, title))
            for title in titles
            for each in expected
        )
