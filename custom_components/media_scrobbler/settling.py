"""Settling: asking a server what the marks mean that its webhooks leave in doubt."""

import asyncio
import logging
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .domain.doubt import Doubt, Finding, find
from .domain.event import SavedData
from .domain.media_server import MediaServer, MediaServerError, SignInError
from .domain.title import Title, same_title

if TYPE_CHECKING:
    from .connection import Connection
    from .recording import Recorder
    from .server import Server
    from .viewer import Viewer

_LOGGER = logging.getLogger(__name__)


class Settling:
    """Asks in the background, one thing after the other, and has plays follow the answers."""

    def __init__(
        self,
        hass: HomeAssistant,
        server: Server,
        client: MediaServer,
        recorder: Recorder,
    ) -> None:
        """Take the server, and who knows whose its accounts are."""
        self._hass = hass
        self._server = server
        self._client = client
        self._recorder = recorder
        self._wake = asyncio.Event()
        self._connection: Connection | None = None

    @callback
    def start(self, connection: Connection) -> None:
        """Begin to ask, whenever there is something to ask and the server answers."""
        self._connection = connection
        entry = self._server.entry
        entry.async_on_unload(connection.async_add_listener(self._wake.set))
        entry.async_create_background_task(
            self._hass, self._async_work(), f"{DOMAIN} settling"
        )
        self._wake.set()

    @callback
    def wake(self) -> None:
        """Ask what there is to ask."""
        self._wake.set()

    async def _async_work(self) -> None:
        doubts = self._server.doubts
        while True:
            await self._wake.wait()
            self._wake.clear()
            for doubt in doubts:
                if self._connection is None or not self._connection.last_update_success:
                    break
                try:
                    await self._async_settle(doubt)
                except MediaServerError as err:
                    # It stays until the server has been reached again, behind the others.
                    _LOGGER.debug("A mark stays in doubt: %s", err.reason)
                    if isinstance(err, SignInError):
                        await self._connection.async_request_refresh()
                    continue
                except HomeAssistantError as err:
                    # Its file cannot be read or written, which a person is told of.
                    _LOGGER.debug("A play could not be set right: %s", err)
                doubts.settled(doubt)

    async def _async_settle(self, doubt: Doubt) -> None:
        """Ask about a mark, and have its play be what it should; raises MediaServerError."""
        viewer = self._viewer_of(doubt)
        if viewer is None:
            return
        saved = await self._client.async_saved(doubt.account, doubt.item)
        is_playing = doubt.may_be_repeated and await self._async_is_playing(
            doubt.account, doubt.title
        )
        if not self._server.doubts.is_open(doubt):
            # Marked again meanwhile: the answer is about that.
            return
        found = find(doubt, saved, is_playing=is_playing, now=dt_util.utcnow())
        if found is Finding.NO_PLAY:
            await viewer.async_take_back(doubt.play_id, doubt.source)
        elif found is Finding.OTHERWISE_DATED:
            await self._async_set_right(viewer, doubt, saved)

    def _viewer_of(self, doubt: Doubt) -> Viewer | None:
        """Return whose play it is; None if that is nobody who the account counts for any more."""
        account = self._recorder.accounts.get(
            f"{self._server.entry.entry_id}:{doubt.account}"
        )
        for viewer in self._recorder.credited(account):
            if viewer.entry.entry_id == doubt.viewer:
                return viewer
        return None

    async def _async_set_right(
        self, viewer: Viewer, doubt: Doubt, saved: SavedData | None
    ) -> None:
        if saved is not None and saved.last_played is not None:
            await viewer.async_set_right(
                doubt.play_id,
                doubt.source,
                saved.last_played,
                f"{self._server.entry.entry_id}:{doubt.account}",
            )

    async def _async_is_playing(self, account: str, title: Title) -> bool:
        """Return whether an account plays a title at this moment."""
        return any(
            (each.account is None or each.account.id == account)
            and same_title(each.title, title)
            for each in await self._client.async_now_playing()
        )
