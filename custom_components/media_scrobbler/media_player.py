"""Media players: what the players of a server are doing."""

from datetime import datetime
from functools import partial
import hashlib
from typing import Any, override

from homeassistant.components.media_player import MediaPlayerEntity
from homeassistant.components.media_player.const import MediaPlayerState, MediaType
from homeassistant.const import STATE_PAUSED, STATE_PLAYING, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import ExtraStoredData, RestoreEntity
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .domain.event import Party
from .domain.picture import picture_type
from .domain.playback import Playback, PlaybackState
from .domain.title import MediaType as TitleType
from .server import Server, ServerConfigEntry
from .signals import signal_update
from .storage.codec import title_from_dict, title_to_dict

PARALLEL_UPDATES = 0

_STATES = {
    PlaybackState.PLAYING: MediaPlayerState.PLAYING,
    PlaybackState.PAUSED: MediaPlayerState.PAUSED,
    PlaybackState.IDLE: MediaPlayerState.IDLE,
}
_CONTENT_TYPES = {
    TitleType.MOVIE: MediaType.MOVIE,
    TitleType.SHOW: MediaType.TVSHOW,
    TitleType.SEASON: MediaType.SEASON,
    # The frontend shows series and artists for these two types alone.
    TitleType.EPISODE: MediaType.TVSHOW,
    TitleType.ARTIST: MediaType.ARTIST,
    TitleType.ALBUM: MediaType.ALBUM,
    TitleType.TRACK: MediaType.MUSIC,
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ServerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the players seen before, and each new one when it is seen."""
    server = entry.runtime_data
    added: set[str] = set()

    @callback
    def add(key: str, name: str | None = None) -> None:
        added.add(key)
        async_add_entities([Player(server, key, name, partial(added.discard, key))])

    @callback
    def add_new() -> None:
        for key in server.playbacks.keys() - added:
            add(key)

    prefix = f"{entry.entry_id}_player_"
    devices = dr.async_get(hass)
    for registered in er.async_entries_for_config_entry(
        er.async_get(hass), entry.entry_id
    ):
        if registered.domain == Platform.MEDIA_PLAYER:
            device = devices.async_get(registered.device_id or "")
            add(
                registered.unique_id.removeprefix(prefix),
                device.name if device is not None else None,
            )
    add_new()
    entry.async_on_unload(
        async_dispatcher_connect(hass, signal_update(entry.entry_id), add_new)
    )


class _StoredPlayback(ExtraStoredData):
    """A playback as it is kept over a restart."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    @override
    def as_dict(self) -> dict[str, Any]:
        """Return the stored form."""
        playback = self._playback
        return {
            "state": playback.state.value,
            "changed_at": playback.changed_at.isoformat(),
            "reported_at": playback.reported_at.isoformat()
            if playback.reported_at
            else None,
            "position": playback.position,
            "title": title_to_dict(playback.title) if playback.title else None,
        }


class Player(MediaPlayerEntity, RestoreEntity):
    """A player: it shows what plays, it controls nothing."""

    _attr_has_entity_name = True
    _attr_name = None
    _attr_should_poll = False
    _attr_translation_key = "player"

    def __init__(
        self, server: Server, key: str, name: str | None, on_removed: Any
    ) -> None:
        """Take the player's key and, where nothing is known of it yet, its name."""
        self._server = server
        self._key = key
        self._name = name
        self._on_removed = on_removed
        self._attr_unique_id = f"{server.entry.entry_id}_player_{key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, f"{server.entry.entry_id}_{key}")},
            name=self._playback.player.name or name or key,
            manufacturer=server.type.value.capitalize(),
            model=f"{server.type.value.capitalize()} player",
        )
        self._update()

    @property
    def _playback(self) -> Playback:
        return self._server.playbacks.get(self._key) or Playback(
            player=Party(None, self._name),
            state=PlaybackState.IDLE,
            changed_at=dt_util.utcnow(),
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Restore what the player did, and follow it."""
        await super().async_added_to_hass()
        self.async_on_remove(self._on_removed)
        if self._key not in self._server.playbacks:
            await self._restore()
        self.async_on_remove(
            async_dispatcher_connect(
                self.hass, signal_update(self._server.entry.entry_id), self._changed
            )
        )

    async def _restore(self) -> None:
        extra = await self.async_get_last_extra_data()
        if extra is None:
            return
        stored = extra.as_dict()
        if stored["state"] not in (STATE_PLAYING, STATE_PAUSED):
            return
        is_name = self._key.startswith("name:")
        playback = Playback(
            player=Party(None if is_name else self._key, self._name),
            state=PlaybackState(stored["state"]),
            changed_at=datetime.fromisoformat(stored["changed_at"]),
            position=stored["position"],
            title=title_from_dict(stored["title"]) if stored["title"] else None,
            # What was stored by an older version has none.
            reported_at=datetime.fromisoformat(reported_at)
            if (reported_at := stored.get("reported_at"))
            else None,
        )
        if (over := playback.expires_at) is not None and over > dt_util.utcnow():
            self._server.set_playback(self._key, playback)
            self._update()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        """Return what to restore."""
        return _StoredPlayback(self._playback)

    @callback
    def _changed(self) -> None:
        if self._server.playbacks.get(self._key) != self._shown:
            self._update()
            self._rename()
            self.async_write_ha_state()

    @callback
    def _rename(self) -> None:
        """Give the device the name that the player goes by now."""
        name = self._playback.player.name
        if name is not None and self.device_entry and self.device_entry.name != name:
            dr.async_get(self.hass).async_update_device(self.device_entry.id, name=name)

    @callback
    def _update(self) -> None:
        self._shown = playback = self._playback
        title = playback.title
        artwork = self._server.artwork.get(self._key)
        self._attr_state = _STATES[playback.state]
        self._attr_media_image_hash = _hash(artwork) if artwork else None
        has_position = playback.position is not None and title is not None
        self._attr_media_position = (
            round(playback.position or 0) if has_position else None
        )
        self._attr_media_position_updated_at = (
            playback.changed_at if has_position else None
        )
        self._attr_media_content_type = (
            _CONTENT_TYPES[title.media_type] if title else None
        )
        self._attr_media_duration = title.duration if title else None
        self._attr_media_title = title.title if title else None
        self._attr_media_series_title = title.show if title else None
        self._attr_media_season = _text(title.season) if title else None
        self._attr_media_episode = _text(title.episode) if title else None
        self._attr_media_artist = title.artist if title else None
        self._attr_media_album_name = title.album if title else None

    @override
    async def async_get_media_image(self) -> tuple[bytes | None, str | None]:
        """Return the poster that came with the webhook, or ask the server for it.

        Through Home Assistant, so that no token is ever part of a URL.
        """
        artwork = self._server.artwork.get(self._key)
        if isinstance(artwork, str):
            artwork = await self._server.async_fetch_artwork(artwork)
        return (artwork, picture_type(artwork)) if artwork else (None, None)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _hash(artwork: bytes | str) -> str:
    raw = artwork if isinstance(artwork, bytes) else artwork.encode()
    return hashlib.sha256(raw).hexdigest()[:16]
