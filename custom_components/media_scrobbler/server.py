"""Servers: what arrives from them, and the set-up of their entries."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_URL, CONF_WEBHOOK_ID, Platform
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .connection import Connection, async_create_client, async_leave
from .const import (
    CONF_KIND,
    CONF_LOCAL_ONLY,
    CONF_PLAYERS,
    CONF_SERVERS,
    CONF_WEBHOOK_ENABLED,
    DOMAIN,
    EVENT_SERVER,
)
from .delivery import Rules
from .domain.doubt import Doubt
from .domain.event import Action, Heartbeat, MediaEvent, Party, ServerType
from .domain.limit import RateLimit
from .domain.media_server import MediaServerError
from .domain.outcome import Answer, Outcome
from .domain.play import Play
from .domain.playback import Playback, PlaybackState, advance
from .domain.title import same_title
from .issues import (
    async_note_cannot_mark,
    async_note_mass_unwatch,
    async_note_server_unreadable,
    async_note_webhook_obstacle,
)
from .jellyfin import payload as jellyfin_payload
from .library_scan import LibraryScanner
from .library_updates import LibraryListener, LibraryUpdates
from .plex import payload as plex_payload
from .published import event_data
from .signals import Updates, signal_event
from .storage.doubts import Doubts
from .storage.last_look import LastLook
from .storage.library import Library
from .storage.marked import Marked
from .storage.outbox import Outbox
from .storage.viewings import StoredViewings
from .storage.webhook_log import WebhookLog

if TYPE_CHECKING:
    from .recording import Recorder
    from .viewer import Viewer

type ServerConfigEntry = ConfigEntry[Server]

SETUP_PAUSE = timedelta(minutes=1)
"""Time between attempts to set up a server that does not answer, when webhooks come of it."""

MAX_PLAYERS = 200
"""Players shown per server: whoever knows the URL could invent any number."""

PARSERS: dict[ServerType, Callable[[dict[str, object]], MediaEvent]] = {
    ServerType.PLEX: plex_payload.parse,
    ServerType.JELLYFIN: jellyfin_payload.parse,
}

_HEARTBEATS: dict[ServerType, Callable[[dict[str, object]], Heartbeat | None]] = {
    ServerType.JELLYFIN: jellyfin_payload.heartbeat,
}


class Server:
    """A Plex or Jellyfin server.

    It lives as long as its entry is there and enabled, whether or not that is loaded:
    webhooks are taken while the entry reloads.
    """

    platforms = (
        Platform.BINARY_SENSOR,
        Platform.BUTTON,
        Platform.EVENT,
        Platform.MEDIA_PLAYER,
        Platform.SENSOR,
        Platform.SWITCH,
    )

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ServerConfigEntry,
        recorder: Recorder,
        listener: LibraryListener,
        rules: Rules,
    ) -> None:
        """Take the entry; what is stored is read by `async_load`.

        `recorder` takes what was completed, `listener` is told what becomes of the library,
        `rules` decide what is marked.
        """
        self._hass = hass
        self.entry = entry
        self.type = ServerType(entry.data[CONF_KIND])
        self.parse = PARSERS[self.type]
        self.log = WebhookLog(hass, entry.entry_id)
        self.last_look = LastLook(hass, entry.entry_id)
        self.viewings = StoredViewings(hass, entry.entry_id)
        self.doubts = Doubts(hass, entry.entry_id)
        self.library = Library(hass, entry.entry_id)
        self.scanner = LibraryScanner(hass, self, listener)
        self.library_updates = LibraryUpdates(hass, self, listener)
        self._listener = listener
        self._rules = rules
        self.outbox = Outbox(hass, f"outbox.{entry.entry_id}", on_trouble=self._trouble)
        self.marked = Marked(hass, entry.entry_id)
        self.limit = RateLimit(hass.loop.time())
        self.playbacks: dict[str, Playback] = {}
        self.artwork: dict[str, bytes | str] = {}
        """Posters by player, or what the server has to be asked for."""
        self.connection: Connection | None = None
        """The connection while the entry of a server that was signed in to is loaded."""
        self.restart_is_pending = False
        """Whether it has been told that the server has to be restarted."""
        self._set_up_at: datetime | None = None
        self._recorder = recorder
        self.updates = Updates(hass, entry.entry_id)
        self._timers: dict[str, tuple[datetime, CALLBACK_TYPE]] = {}
        self._accepted: set[str] = set()
        self._accepted_options: Mapping[str, Any] | None = None

    @property
    def webhook_id(self) -> str:
        """Return the secret part of the webhook's URL."""
        webhook_id: str = self.entry.data[CONF_WEBHOOK_ID]
        return webhook_id

    @property
    def is_signed_in(self) -> bool:
        """Return whether the server can be asked, at least when it is there."""
        return CONF_URL in self.entry.data

    @property
    def local_only(self) -> bool:
        """Return whether webhooks are taken from the local network only."""
        return bool(self.entry.data.get(CONF_LOCAL_ONLY, True))

    @property
    def webhook_enabled(self) -> bool:
        """Return whether webhooks are processed."""
        return bool(self.entry.options.get(CONF_WEBHOOK_ENABLED, True))

    @property
    def identities(self) -> list[str]:
        """Return the ids or names of the servers whose events are taken."""
        return list(self.entry.options.get(CONF_SERVERS, ()))

    def is_named(self, server: Party) -> bool:
        """Return whether an event's server is this one, as far as that is known."""
        if self.entry.options is not self._accepted_options:
            self._accepted_options = self.entry.options
            self._accepted = {identity.casefold() for identity in self.identities}
        return any(
            name is not None and name.casefold() in self._accepted
            for name in (server.id, server.name)
        )

    @callback
    def learn(self, event: MediaEvent) -> None:
        """Take the identity of the first event's server as ours.

        Not that of a server which belongs to somebody else than the owner of the webhook,
        nor that of anything else: Plex reports what an account plays anywhere.
        """
        identity = event.server.id
        if (
            identity is None
            or self.identities
            or event.owned is False
            or not self._is_real(identity)
        ):
            return
        entries = self._hass.config_entries
        unique_id = self.entry.unique_id
        if entries.async_entry_for_domain_unique_id(DOMAIN, identity) is None:
            unique_id = identity
        entries.async_update_entry(
            self.entry,
            unique_id=unique_id,
            options={**self.entry.options, CONF_SERVERS: [identity]},
        )

    @callback
    def unlearn(self) -> None:
        """Forget what has been taken for the server's identity once, and cannot be that.

        What a person has named stays.
        """
        learnt = {
            identity
            for identity in self.identities
            if not self._is_real(identity)
            and self._hass.config_entries.async_entry_for_domain_unique_id(
                DOMAIN, identity
            )
        }
        if not learnt:
            return
        unique_id = self.entry.unique_id
        self._hass.config_entries.async_update_entry(
            self.entry,
            unique_id=None if unique_id in learnt else unique_id,
            options={
                **self.entry.options,
                CONF_SERVERS: [
                    identity for identity in self.identities if identity not in learnt
                ],
            },
        )

    def _is_real(self, identity: str) -> bool:
        """Return whether this can be the identity of a server."""
        return self.type is not ServerType.PLEX or plex_payload.is_server_id(identity)

    def may_be(self, server: Party) -> bool:
        """Return whether events of a server that nobody has named are taken here."""
        if server.id is None:
            return True
        return not self.identities and not (
            self.type is ServerType.PLEX and plex_payload.is_cloud_service(server.id)
        )

    def follows(self, player: Party | None) -> bool:
        """Return whether what happens on a player is recorded."""
        players = self.entry.options.get(CONF_PLAYERS)
        if not players or player is None:
            return True
        return player.id in players or player.name in players

    @callback
    def note(self, answer: Answer, event: MediaEvent | None, at: datetime) -> None:
        """Write a webhook into the log, if it is worth that, and show that it came."""
        if answer.is_logged:
            self.log.add(at, answer, event)
            self.updates.send()
        elif self.log.touch(at, answer, event):
            self.updates.send()
        if self.connection is not None:
            self.connection.heard()
        elif self.entry.state is ConfigEntryState.SETUP_RETRY:
            self._set_up_again(at)

    @callback
    def _set_up_again(self, now: datetime) -> None:
        """Try now to set up a server that has not answered: it has just sent something.

        Home Assistant itself waits for up to ten minutes in the end.
        """
        last = self._set_up_at
        if self._hass.is_stopping or (
            last is not None and timedelta() <= now - last < SETUP_PAUSE
        ):
            return
        self._set_up_at = now
        self._hass.config_entries.async_schedule_reload(self.entry.entry_id)

    @callback
    def publish(self, event_type: str, event: MediaEvent) -> None:
        """Tell the world what has happened on the server."""
        data = event_data(self, event)
        self._hass.bus.async_fire(EVENT_SERVER, {"type": event_type, **data})
        async_dispatcher_send(
            self._hass, signal_event(self.entry.entry_id), "server", event_type, data
        )

    # Players

    @callback
    def keep_up(self, payload: dict[str, object], now: datetime) -> Answer | None:
        """Take a server's own report that a player plays on, as each second brings one.

        Only the player's position moves, in memory. None for any other webhook, and for a
        report that says more than is known: those are to be understood as a whole.
        """
        if (read := _HEARTBEATS.get(self.type)) is None or not (beat := read(payload)):
            return None
        key = player_key(beat.player)
        playback = self.playbacks.get(key)
        if (
            playback is None
            or not playback.plays(beat.server_id, beat.item)
            or not self.follows(beat.player)
            or not self.webhook_enabled
            or not self.limit.allows(self._hass.loop.time(), is_play=False)
        ):
            return None
        self._keep(key, playback.reported(beat.position, now))
        answer = Answer(
            Outcome.UPDATED,
            "the player plays on",
            beat.name,
            playback.title,
            is_logged=False,
        )
        self.note(answer, None, now)
        return answer

    @callback
    def play_on(
        self, event: MediaEvent, artwork: bytes | None, now: datetime
    ) -> Action | None:
        """Follow a player through an event; returns what to tell the world about it."""
        if event.action is None or event.player is None:
            return None
        key = player_key(event.player)
        before = self.playbacks.get(key)
        if before is None and len(self.playbacks) >= MAX_PLAYERS:
            return None
        after, action = advance(before, event.player, event, now)
        if artwork is not None:
            self.artwork[key] = artwork
        elif before is None or before.title != after.title:
            self.artwork.pop(key, None)
        if after == before or (event.automated and action is None):
            self._keep(key, after)
        else:
            self.set_playback(key, after)
        # Of what has stopped, the server knows no more than its webhook.
        if self.connection is not None and action not in (None, Action.STOP):
            self.connection.now_playing.look_soon()
        return action

    @callback
    def show(self, playback: Playback, artwork: str | None) -> str | None:
        """Show what the server says that a player does; returns the player's key.

        None for a player that is not followed or has neither id nor name, and where there
        are too many.
        """
        player = playback.player
        if not (player.id or player.name) or not self.follows(player):
            return None
        key = player_key(playback.player)
        before = self.playbacks.get(key)
        if before is None and len(self.playbacks) >= MAX_PLAYERS:
            return None
        if before is None or before.title != playback.title:
            self.artwork.pop(key, None)
        if artwork is not None:
            self.artwork.setdefault(key, artwork)
        if before is not None and before.reported_at is not None:
            # By the server's own word, once more.
            playback = replace(playback, reported_at=playback.changed_at)
        self.set_playback(key, playback)
        return key

    def artwork_of(self, event: MediaEvent) -> bytes | str | None:
        """Return the poster of what the event's player plays, or what to ask for it by."""
        if event.player is None or event.title is None:
            return None
        key = player_key(event.player)
        playback = self.playbacks.get(key)
        if playback is None or playback.title is None:
            return None
        return (
            self.artwork.get(key) if same_title(playback.title, event.title) else None
        )

    @callback
    def complete(self, viewer: Viewer, play: Play) -> None:
        """Ask the server, in the background, for what a play's webhook has left out."""
        if self.connection is not None:
            self.connection.enrichment.add(viewer, play)

    @callback
    def doubt(self, doubt: Doubt) -> None:
        """Ask the server, in the background, what a mark means that its webhook leaves open."""
        if not self.is_signed_in:
            return
        self.doubts.add(doubt)
        if self.connection is not None:
            self.connection.settling.wake()

    @callback
    def fetch_poster(self, viewer: Viewer, play: Play, artwork: str) -> None:
        """Ask the server, in the background, for the poster of a play."""

        async def fetch() -> None:
            if (poster := await self.async_fetch_artwork(artwork)) is not None:
                viewer.show_poster(play, poster)

        self._hass.async_create_background_task(fetch(), f"{DOMAIN} poster")

    async def async_fetch_artwork(self, artwork: str) -> bytes | None:
        """Ask the server for a poster; None where it has none or cannot be asked."""
        if self.connection is None:
            return None
        try:
            return await self.connection.client.async_artwork(artwork)
        except MediaServerError:
            return None

    @callback
    def set_playback(self, key: str, playback: Playback) -> None:
        """Take note of what a player does, until that must be over, and show it."""
        self._keep(key, playback)
        self.updates.send()

    @callback
    def _keep(self, key: str, playback: Playback) -> None:
        self.playbacks[key] = playback
        if (expires_at := playback.expires_at) is not None:
            self._expire_at(key, expires_at)

    @callback
    def end_playback(self, key: str, now: datetime) -> None:
        """Take a player as idle."""
        self.artwork.pop(key, None)
        player = self.playbacks[key].player
        self.set_playback(
            key, Playback(player=player, state=PlaybackState.IDLE, changed_at=now)
        )

    @callback
    def _expire_at(self, key: str, moment: datetime) -> None:
        """Look at a player at a time, unless it will be looked at before anyway."""
        if (timer := self._timers.get(key)) is not None:
            due, cancel = timer
            if due <= moment:
                return
            cancel()
        cancel = async_call_later(
            self._hass,
            moment - dt_util.utcnow(),
            HassJob(partial(self._expire, key), cancel_on_shutdown=True),
        )
        self._timers[key] = moment, cancel

    @callback
    def _expire(self, key: str, now: datetime) -> None:
        """Take a player as idle if its playback, as it is by now, must be over."""
        del self._timers[key]
        playback = self.playbacks[key]
        if (expires_at := playback.expires_at) is None:
            return
        if expires_at > now:
            self._expire_at(key, expires_at)
            return
        self.end_playback(key, now)

    @callback
    def forget_device(self, device: DeviceEntry) -> bool:
        """Forget the player whose device is removed; False for the server's own device."""
        prefix = f"{self.entry.entry_id}_"
        for domain, identifier in device.identifiers:
            if domain != DOMAIN or not identifier.startswith(prefix):
                continue
            key = identifier.removeprefix(prefix)
            if (timer := self._timers.pop(key, None)) is not None:
                timer[1]()
            self.playbacks.pop(key, None)
            self.artwork.pop(key, None)
            return True
        return False

    @callback
    def stop(self) -> None:
        """Let go of timers and take back what has been said about the server."""
        async_note_webhook_obstacle(self._hass, self.entry, None)
        async_note_cannot_mark(self._hass, self.entry, is_forbidden=False)
        async_note_mass_unwatch(self._hass, self.entry, ())
        async_note_server_unreadable(self._hass, self.entry, {})
        self.updates.stop()
        self.outbox.tidy()
        self.scanner.cancel()
        self.library_updates.stop()
        self._hass.async_create_task(
            self.library.async_close(), f"{DOMAIN} close library"
        )
        for _, cancel in self._timers.values():
            cancel()
        self._timers.clear()

    async def async_load(self) -> None:
        """Read what is stored, and connect to a server that was signed in to.

        Raises ConfigEntryNotReady or ConfigEntryAuthFailed if that cannot be done now.
        """
        await self.log.async_load()
        await self.viewings.async_load()
        await self.doubts.async_load()
        await self.last_look.async_load()
        await self.marked.async_load()
        self._trouble()
        # Whoever has the server next, as when it was disabled, reads what is on disk.
        self.entry.async_on_unload(self.library.async_flush)
        # Not the entry's: what the server has is known also while it does not answer.
        self._hass.async_create_background_task(
            self._async_load_library(), f"{DOMAIN} library"
        )
        if not self.is_signed_in:
            return
        client = await async_create_client(self._hass, self.type, self.entry.data)
        connection = Connection(self._hass, self, client, self._recorder, self._rules)
        await connection.async_config_entry_first_refresh()
        self.connection = connection
        self.entry.async_on_unload(self._disconnect)
        connection.start()
        self.scanner.start()

    @callback
    def _trouble(self) -> None:
        async_note_server_unreadable(
            self._hass,
            self.entry,
            self.log.unreadable
            | self.viewings.unreadable
            | self.doubts.unreadable
            | self.last_look.unreadable
            | self.outbox.unreadable
            | self.marked.unreadable,
        )

    async def _async_load_library(self) -> None:
        await self.library.async_load()
        await self._listener.async_loaded(self)
        self.updates.send()

    @callback
    def _disconnect(self) -> None:
        self.connection = None

    async def async_import_history(
        self,
        viewer: Viewer | None,
        since: datetime | None,
        *,
        begun_tracks: bool = False,
    ) -> Counter[Outcome]:
        """Record what the server knows to have been completed, of one viewer or of all.

        With `begun_tracks` also the music that it knows only to have been begun. Returns
        what became of it. Raises HomeAssistantError where the server cannot be asked or
        fails half-way: what was recorded by then stays.
        """
        if self.connection is None:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="not_signed_in",
                translation_placeholders={"server": self.entry.title},
            )
        return await self.connection.history.async_import(
            viewer, since, begun_tracks=begun_tracks
        )

    async def async_clear_library(self) -> int:
        """Forget the library until it is scanned again; returns how many items it had.

        A scan that is under way is cancelled.
        """
        await self.scanner.async_reset()
        removed = await self.library.async_clear()
        await self._listener.async_gone(self)
        self.updates.send()
        return removed

    async def async_remove(self) -> None:
        """Remove what is stored about the server and leave it; histories stay."""
        self.stop()
        await async_leave(self._hass, self.type, self.entry)
        await self.log.async_remove()
        await self.last_look.async_remove()
        await self.viewings.async_remove()
        await self.doubts.async_remove()
        await self.library.async_remove_files()
        await self.outbox.async_remove()
        await self.marked.async_remove()


def player_key(player: Party) -> str:
    """Return what a player is known by on its server."""
    return player.id or f"name:{player.name}"
