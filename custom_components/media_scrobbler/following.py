"""Following: which accounts are to show as watched what a history says, and when that is due."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
import logging

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .domain.play import Play
from .domain.title import MediaType, Title, same_title
from .echoes import Echoes
from .server import Server
from .storage.outbox import Change, Held
from .viewer import Viewer

_LOGGER = logging.getLogger(__name__)

FOLLOWED = (MediaType.MOVIE, MediaType.EPISODE)
"""The kinds of title that servers are told of."""

AT_ONCE = 50
"""Titles looked at before the event loop has its turn again."""

MAX_UNFOUND = 100
"""Titles per viewer of which it is remembered that a library did not have them."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a server should show of a title: watched, at a time in UTC, or not watched."""

    watched_at: datetime | None

    @property
    def watched(self) -> bool:
        """Return whether the title should show as watched."""
        return self.watched_at is not None


class Following:
    """Knows who follows whom, and writes down what has to be delivered.

    A change is written into the outbox of each server before the history is changed, and
    let go of afterwards: whatever is killed in between is found at the next start.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        servers: Mapping[str, Server],
        viewers: Mapping[str, Viewer],
    ) -> None:
        """Take the servers and viewers that there are, by entry id."""
        self._hass = hass
        self._servers = servers
        self._viewers = viewers
        self._unfound: dict[str, deque[Title]] = {}
        self.echoes = Echoes(hass)

    # Who follows

    def accounts_of(self, viewer: Viewer) -> list[tuple[Server, str]]:
        """Return the accounts that follow a viewer's history, with their servers."""
        return [
            (server, account)
            for key in viewer.accounts
            for server_id, _, account in [key.partition(":")]
            if viewer.follows(key)
            and (server := self._servers.get(server_id)) is not None
            and server.is_signed_in
        ]

    def goal(self, server: Server, change: Change) -> Goal | None:
        """Return what a server should show now, None where that is not its business any more."""
        viewer = self._viewers.get(change.viewer_id)
        key = f"{server.entry.entry_id}:{change.account}"
        if viewer is None or key not in viewer.accounts or not viewer.follows(key):
            return None
        times = viewer.history.index.times(change.title)
        if times:
            return Goal(datetime.fromtimestamp(max(times), UTC))
        # What cannot be read may well hold the play that seems to be missing.
        if viewer.unfollows(key) and not viewer.history.unreadable:
            return Goal(None)
        return None

    # Histories

    async def async_before(
        self, viewer: Viewer, titles: Collection[Title], played_with: str | None = None
    ) -> list[Held]:
        """Write down that a viewer's plays of titles are about to change.

        `played_with` is the key of the account that one of them has been played with,
        which has what was played as watched by itself.
        """
        held: list[Held] = []
        for server, account in self.accounts_of(viewer):
            by_itself = played_with == f"{server.entry.entry_id}:{account}"
            for title in titles:
                if title.media_type not in FOLLOWED:
                    continue
                besides = title.items.values() if by_itself else ()
                if besides and not self._has_others(server, title):
                    continue
                change = Change(
                    viewer_id=viewer.entry.entry_id,
                    account=account,
                    title=title,
                    queued_at=dt_util.utcnow(),
                    besides=frozenset(besides),
                )
                waiting = await server.outbox.async_put(change)
                if waiting is not None:
                    held.append(Held(server.outbox, waiting))
        return held

    @callback
    def after(self, held: Iterable[Held], *, happened: bool) -> None:
        """Have delivered what has happened, and forget what has not."""
        for each in held:
            each.outbox.release(each.waiting, happened=happened)
        if happened:
            self.wake()

    @callback
    def played(self, viewer: Viewer, play: Play) -> None:
        """Try again what was not found before more became known of its title."""
        unfound = self._unfound.get(viewer.entry.entry_id)
        if unfound is not None and any(
            same_title(title, play.title) for title in unfound
        ):
            self._hass.async_create_task(
                self._async_put_unsure(viewer, [play.title]), f"{DOMAIN} follow"
            )

    @callback
    def not_found(self, change: Change) -> None:
        """Remember that a server does not have a title, or not by what is known of it."""
        unfound = self._unfound.setdefault(change.viewer_id, deque(maxlen=MAX_UNFOUND))
        unfound.append(change.title)

    @callback
    def wake(self) -> None:
        """Have every server look into its outbox."""
        for server in self._servers.values():
            if server.connection is not None:
                server.connection.delivery.wake()

    # Libraries

    async def async_arrived(self, server: Server, titles: Iterable[Title]) -> None:
        """Mark what was watched before it came to a server."""
        following = [
            viewer
            for viewer in self._viewers.values()
            if any(followed is server for followed, _ in self.accounts_of(viewer))
        ]
        if not following:
            return
        for some in batched(titles, AT_ONCE, strict=False):
            for viewer in following:
                watched = [
                    title
                    for title in some
                    if title.media_type in FOLLOWED
                    and viewer.history.index.times(title)
                ]
                await self._async_put_unsure(viewer, watched, only=server)
            await asyncio.sleep(0)

    async def _async_put_unsure(
        self, viewer: Viewer, titles: Collection[Title], only: Server | None = None
    ) -> None:
        """Have titles delivered that may show as they should already."""
        for server, account in self.accounts_of(viewer):
            if only is not None and server is not only:
                continue
            for title in titles:
                waiting = await server.outbox.async_put(
                    Change(
                        viewer_id=viewer.entry.entry_id,
                        account=account,
                        title=title,
                        queued_at=dt_util.utcnow(),
                    ),
                    unsure=True,
                )
                if waiting is not None:
                    server.outbox.release(waiting, happened=True)
            self.wake()

    @staticmethod
    def _has_others(server: Server, title: Title) -> bool:
        """Say whether a server has more of a title than what was played of it."""
        played = set(title.items.values())
        return any(item not in played for item in server.library.find(title))
