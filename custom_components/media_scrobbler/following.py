"""Following: which accounts are to show as watched what a history says, and when that is due."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import batched

from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .delivery import Goal
from .domain.play import Play
from .domain.rules import viewing_window
from .domain.title import MediaType, Title, same_title
from .echoes import Echoes
from .issues import async_note_cannot_mark
from .server import Server
from .storage.outbox import Change, Held
from .viewer import Viewer, linked_viewers

FOLLOWED = (MediaType.MOVIE, MediaType.EPISODE)
"""The kinds of title that servers are told of."""

AT_ONCE = 50
"""Titles looked at before the event loop has its turn again."""

MAX_UNFOUND = 100
"""Titles per account of which it is remembered that its library did not have them."""


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
        self._unfound: dict[tuple[str, str], deque[Title]] = {}
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

    @callback
    def entries_changed(self) -> None:
        """Forget what was to be delivered, or said, for accounts that follow nobody any more."""
        for server in self._servers.values():
            accounts = {account for _, account in self._followers(server)}
            server.outbox.keep(accounts, self._linked(server))
            if server.connection is not None:
                server.connection.delivery.keep(accounts)
            if not accounts:
                async_note_cannot_mark(self._hass, server.entry, is_forbidden=False)

    def _followers(self, server: Server) -> list[tuple[Viewer, str]]:
        """Return the accounts of a server that follow, each with whose history."""
        return [
            (viewer, account)
            for viewer in self._viewers.values()
            for followed, account in self.accounts_of(viewer)
            if followed is server
        ]

    def _linked(self, server: Server) -> set[str]:
        """Return the accounts of a server that somebody watches with."""
        return {
            account
            for viewer in self._viewers.values()
            for server_id, _, account in (key.partition(":") for key in viewer.accounts)
            if server_id == server.entry.entry_id
        }

    async def async_goal(self, server: Server, change: Change) -> Goal | None:
        """Return what a server should show now, None where that is none of its business.

        An account that several viewers share shows what any of them has watched.
        """
        key = _key(server, change.account)
        linked = linked_viewers(self._viewers.values(), key)
        for viewer in linked:
            await viewer.history.async_load()
        times = [
            time
            for viewer in linked
            if viewer.follows(key) or change.items
            for time in viewer.history.index.times(change.title)
        ]
        if times:
            latest = max(times)
            # Those who watch together have a play each.
            window = viewing_window(
                change.title.duration, None, change.title.media_type
            ).total_seconds()
            earlier = [time for time in times if time < latest - window]
            return Goal(
                datetime.fromtimestamp(latest, UTC),
                datetime.fromtimestamp(max(earlier), UTC) if earlier else None,
                is_shared=len(times) - len(earlier) > 1,
            )
        if (
            change.is_removal
            and any(viewer.unfollows(key) for viewer in linked)
            # What cannot be read may well hold the play that seems to be missing.
            and not any(
                viewer.history.unreadable or viewer.history.index.times(change.title)
                for viewer in linked
            )
        ):
            return Goal(None)
        return None

    # Histories

    async def async_before_play(
        self, viewer: Viewer, title: Title, played_with: str | None
    ) -> list[Held]:
        """Write down that a play of a title is about to be recorded.

        `played_with` is the key of the account that it was played with, which shows what
        was played as watched by itself.
        """
        with self._all_or_none() as held:
            for server, account in self.accounts_of(viewer):
                played_item = None
                if played_with == _key(server, account):
                    played_item = title.items.get(server.entry.unique_id or "")
                    if played_item and not _has_others(server, title, played_item):
                        continue
                # Others may have watched it together on one server.
                is_there = played_with is not None and played_with.startswith(
                    _key(server, "")
                )
                held += await self._async_put(
                    server, account, [title], unsure=is_there, played_item=played_item
                )
        return held

    async def async_before_change(
        self, viewer: Viewer, old: Play, new: Play | None
    ) -> list[Held]:
        """Write down that a play is about to be removed, or to be one of another title."""
        if new is not None and same_title(old.title, new.title):
            return []
        with self._all_or_none() as held:
            for server, account in self.accounts_of(viewer):
                if viewer.unfollows(_key(server, account)):
                    held += await self._async_put(
                        server, account, [old.title], unsure=True, is_removal=True
                    )
                if new is not None:
                    held += await self._async_put(
                        server, account, [new.title], unsure=True
                    )
        return held

    @contextmanager
    def _all_or_none(self) -> Iterator[list[Held]]:
        """Have nothing held back for good when not all of it can be."""
        held: list[Held] = []
        try:
            yield held
        except BaseException:
            self.after(held, happened=False)
            raise

    @callback
    def after(self, held: Iterable[Held], *, happened: bool) -> None:
        """Have delivered what has happened, and forget what has not."""
        for each in held:
            each.release(happened=happened)
        # Also of what has not happened: something else may have waited for that.
        self.wake()

    @callback
    def played(self, viewer: Viewer, play: Play) -> None:
        """Add what has become known of a title to what waits, and try again what was not found."""
        for server, account in self.accounts_of(viewer):
            server.outbox.learn(account, play.title)
            unfound = self._unfound.get((server.entry.entry_id, account), ())
            if any(same_title(title, play.title) for title in unfound):
                self._hass.async_create_task(
                    self._async_follow(server, account, [play.title]),
                    f"{DOMAIN} follow",
                )

    @callback
    def not_found(self, server: Server, change: Change) -> None:
        """Remember that a server does not have a title, or not by what is known of it."""
        unfound = self._unfound.setdefault(
            (server.entry.entry_id, change.account), deque(maxlen=MAX_UNFOUND)
        )
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
        if followers := self._followers(server):
            for some in batched(titles, AT_ONCE, strict=False):
                for viewer, account in followers:
                    await viewer.history.async_load()
                    watched = filter(viewer.history.index.times, some)
                    await self._async_follow(server, account, watched)
                await asyncio.sleep(0)
        # What waits may have waited for the library to be known at all.
        self.wake()

    async def _async_follow(
        self, server: Server, account: str, titles: Iterable[Title]
    ) -> None:
        """Have titles delivered that may show as they should already."""
        held = await self._async_put(server, account, titles, unsure=True)
        self.after(held, happened=True)

    async def _async_put(
        self,
        server: Server,
        account: str,
        titles: Iterable[Title],
        *,
        unsure: bool,
        played_item: str | None = None,
        is_removal: bool = False,
    ) -> list[Held]:
        """Write titles into the outbox of a server, those of the kinds that it follows."""
        return await server.outbox.async_put(
            [
                Change(
                    account=account,
                    title=title,
                    queued_at=dt_util.utcnow(),
                    played_item=played_item,
                    is_removal=is_removal,
                )
                for title in titles
                if title.media_type in FOLLOWED
            ],
            unsure=unsure,
        )


def _key(server: Server, account: str) -> str:
    return f"{server.entry.entry_id}:{account}"


def _has_others(server: Server, title: Title, played_item: str) -> bool:
    """Say whether a server may have more of a title than the item that was played."""
    return server.library.scanned_at is None or any(
        item != played_item for item in server.library.find(title, is_played=True)
    )
