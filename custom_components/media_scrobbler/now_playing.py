"""What plays now: asked of the server after a webhook, and while something plays."""

from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .domain.media_server import MediaServer, MediaServerError, NowPlaying, SignInError
from .domain.playback import Playback, PlaybackState

if TYPE_CHECKING:
    from .server import Server

_LOGGER = logging.getLogger(__name__)

INTERVAL = timedelta(seconds=30)
SOON = timedelta(seconds=1)
"""Time that a server gets to know what it has just sent a webhook about."""


class NowPlayingWatch:
    """Keeps the players of one server as the server sees them."""

    def __init__(
        self, hass: HomeAssistant, server: Server, client: MediaServer
    ) -> None:
        """Take the server."""
        self._hass = hass
        self._server = server
        self._client = client
        self._timer: CALLBACK_TYPE | None = None
        self._job = HassJob(self._begin, cancel_on_shutdown=True)
        self._started = False
        self._looking = False

    @callback
    def start(self) -> None:
        """Begin with what plays at this moment."""
        self._started = True
        self._server.entry.async_on_unload(self._stop)
        self.look_soon()

    @callback
    def look_soon(self) -> None:
        """Ask the server after what it has just told of."""
        self._schedule(SOON)

    @callback
    def _stop(self) -> None:
        self._started = False
        if self._timer is not None:
            self._timer()
            self._timer = None

    @callback
    def _schedule(self, after: timedelta) -> None:
        if self._started:
            if self._timer is not None:
                self._timer()
            self._timer = async_call_later(self._hass, after, self._job)

    @callback
    def _begin(self, _now: datetime) -> None:
        self._timer = None
        if self._looking:
            # A server that takes its time is not asked by a crowd.
            self._schedule(SOON)
            return
        self._looking = True
        self._server.entry.async_create_background_task(
            self._hass, self._async_look(), f"{DOMAIN} now playing"
        )

    async def _async_look(self) -> None:
        try:
            await self._async_ask()
        finally:
            self._looking = False
        if self._timer is None and any(
            playback.state is not PlaybackState.IDLE
            for playback in self._server.playbacks.values()
        ):
            self._schedule(INTERVAL)

    async def _async_ask(self) -> None:
        asked_at = dt_util.utcnow()
        try:
            playing = await self._client.async_now_playing()
        except MediaServerError as err:
            _LOGGER.debug("What plays now is unknown: %s", err.reason)
            if isinstance(err, SignInError) and self._server.connection is not None:
                await self._server.connection.async_request_refresh()
        else:
            self._show(playing, asked_at)

    @callback
    def _show(self, playing: list[NowPlaying], asked_at: datetime) -> None:
        now = dt_util.utcnow()
        seen: set[str] = set()
        for one in playing:
            key = self._server.show(
                Playback(
                    player=one.player,
                    state=PlaybackState.PAUSED if one.paused else PlaybackState.PLAYING,
                    changed_at=now,
                    title=one.title,
                    account=one.account,
                    position=one.position,
                ),
                one.artwork,
            )
            if key is not None:
                seen.add(key)
        for key, playback in list(self._server.playbacks.items()):
            # What has begun since the server was asked is not in its answer.
            if (
                key not in seen
                and playback.state is not PlaybackState.IDLE
                and playback.changed_at < asked_at - SOON
            ):
                self._server.end_playback(key, now)
