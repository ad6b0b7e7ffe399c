"""Who is told what becomes of libraries and histories."""

from collections.abc import Collection, Iterable

from homeassistant.core import callback

from .domain.play import Play
from .domain.title import Title
from .following import Following
from .server import Server
from .storage.library import Changes
from .storage.outbox import Held
from .viewer import Viewer
from .watchlists import Watchlists


class Listeners:
    """Watchlists and following servers, as one: implements what servers and viewers call."""

    def __init__(self, watchlists: Watchlists, following: Following) -> None:
        """Take both."""
        self._watchlists = watchlists
        self._following = following

    # Libraries

    async def async_loaded(self, server: Server) -> None:
        """Hear that a library that was stored is known again."""
        await self._watchlists.async_loaded(server)

    async def async_scanned(
        self, server: Server, changes: Changes, *, first: bool
    ) -> int:
        """Hear of a scan, or of the first one; returns how many wanted titles are there now."""
        found = await self._watchlists.async_scanned(server, changes, first=first)
        await self._following.async_arrived(server, changes.arrived())
        return found

    async def async_arrived(self, server: Server, titles: Collection[Title]) -> None:
        """Hear of titles that have come to a server."""
        await self._watchlists.async_arrived(server, titles)
        await self._following.async_arrived(server, titles)

    async def async_gone(self, server: Server) -> None:
        """Hear that something has gone from a server: nobody has watched it any less."""
        await self._watchlists.async_gone(server)

    # Histories

    async def async_before_play(
        self, viewer: Viewer, title: Title, played_with: str | None
    ) -> list[Held]:
        """Prepare for a play of a title, which is not in the history yet."""
        return await self._following.async_before_play(viewer, title, played_with)

    async def async_before_change(
        self, viewer: Viewer, old: Play, new: Play | None
    ) -> list[Held]:
        """Prepare for a change to a play, or its removal, which has not happened yet."""
        return await self._following.async_before_change(viewer, old, new)

    @callback
    def after(self, held: Iterable[Held], *, happened: bool) -> None:
        """Hear whether what was prepared for is on disk, or has not happened."""
        self._following.after(held, happened=happened)

    @callback
    def played(self, viewer: Viewer, play: Play) -> None:
        """Hear of a play that is on disk, and again when more is known of its title."""
        self._watchlists.played(viewer, play)
        self._following.played(viewer, play)

    async def async_imported(self, viewer: Viewer) -> None:
        """Hear that there are plays of which nothing has been said one by one.

        Servers that follow are brought in step by comparing everything.
        """
        await self._watchlists.async_viewer_loaded(viewer)
