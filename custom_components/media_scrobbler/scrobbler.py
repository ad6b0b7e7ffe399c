"""The domain object: routes media events to viewers and publishes what came of them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
import logging
from typing import Any

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    SOURCE_IGNORE,
    SOURCE_IMPORT,
    SOURCE_INTEGRATION_DISCOVERY,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.const import CONF_WEBHOOK_ID, EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.dispatcher import (
    async_dispatcher_connect,
    async_dispatcher_send,
)
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import (
    CONF_CLOUDHOOK,
    CONF_KIND,
    CONF_NEW_VIEWERS,
    DOMAIN,
    EVENT_LIBRARY_ADDED,
    EVENT_PLAYBACK,
    KIND_VIEWER,
)
from .domain.event import (
    Action,
    LibraryChange,
    MediaEvent,
    Party,
    RatingChange,
    ServerType,
)
from .domain.outcome import Answer, Outcome
from .domain.play import Source, SourceKind
from .domain.rules import believed_time, is_identified
from .domain.title import Title
from .domain.viewing import Followed, Viewing
from .following import Following
from .history_sync import HistorySync
from .listeners import Listeners
from .log_mask import LogMask
from .published import event_data, viewer_data
from .recording import NOT_WRITTEN, Completion, Recorder, foremost
from .server import Server
from .signals import signal_event
from .storage.accounts import ANONYMOUS, Account
from .storage.store import UnreadableStoreError
from .storage.writer import StorageWriteError
from .viewer import Viewer
from .watchlist_import import WatchlistImporter
from .watchlists import Watchlists
from .webhook import WebhookReceiver
from .webhook_url import async_delete_cloud_url, webhook_secrets

_LOGGER = logging.getLogger(__name__)

MARKED_HERE = "this was marked from here"
MARKED_BY_SERVER = "the server has marked another version by itself"

DATA_SCROBBLER: HassKey[Scrobbler] = HassKey(DOMAIN)


@dataclass(frozen=True, slots=True)
class _Watcher:
    """Who an event is credited to: an account and the viewers linked to it."""

    account: Account | None
    viewers: tuple[Viewer, ...]


class Scrobbler:
    """Knows every server and viewer, and what lies between them.

    Neither kind of entry reaches into the other; both are found here, whether or not they
    are loaded at the moment.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing."""
        self._hass = hass
        self.servers: dict[str, Server] = {}
        self.viewers: dict[str, Viewer] = {}
        # With those that have been disabled while something of theirs was not written.
        self._known_viewers: dict[str, Viewer] = {}
        self.recorder = Recorder(
            hass,
            self.servers,
            self._discover,
            lambda account: self._end_discovery(account.key),
        )
        self.accounts = self.recorder.accounts
        self._discovered: set[str] = set()
        self.watchlists = Watchlists(hass, self.servers, self.viewers)
        self.following = Following(hass, self.servers, self.viewers)
        self._listeners = Listeners(self.watchlists, self.following)
        self.watchlist_importer = WatchlistImporter(hass, self.watchlists, self.servers)
        self.history_sync = HistorySync(hass, self.viewers)
        self._receiver = WebhookReceiver(hass, self.async_process)
        self._log_mask = LogMask()

    async def async_setup(self) -> None:
        """Read what is stored and start to take webhooks."""
        await self.recorder.async_load()
        self._log_mask.start()
        self._sync()
        for account in self.accounts:
            if account.active:
                self._discover(account)
        async_dispatcher_connect(
            self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._entry_changed
        )
        self._hass.bus.async_listen_once(
            EVENT_HOMEASSISTANT_FINAL_WRITE, self._async_final_write
        )

    # Entries

    @callback
    def _entry_changed(
        self, _change: ConfigEntryChange, entry: ConfigEntry[Any]
    ) -> None:
        if entry.domain == DOMAIN:
            self._sync()

    @callback
    def _sync(self) -> None:
        """Bring servers, viewers and links in step with the config entries."""
        entries = self._hass.config_entries.async_entries(DOMAIN)
        for entry in entries:
            self._log_mask.add(webhook_secrets(entry.data))
        self.recorder.ignored = {
            entry.unique_id or "" for entry in entries if entry.source == SOURCE_IGNORE
        }
        known: dict[str, Viewer] = {}
        servers: dict[str, Server] = {}
        for entry in entries:
            if entry.source == SOURCE_IGNORE or not is_understood(entry):
                continue
            if entry.data[CONF_KIND] == KIND_VIEWER:
                viewer = self._known_viewers.get(entry.entry_id)
                if not entry.disabled_by:
                    known[entry.entry_id] = viewer or self._new_viewer(entry)
                elif viewer is not None and viewer.failing:
                    known[entry.entry_id] = viewer
            elif not entry.disabled_by:
                servers[entry.entry_id] = self.servers.get(
                    entry.entry_id
                ) or self._new_server(entry)
        viewers = {
            viewer_id: viewer
            for viewer_id, viewer in known.items()
            if not viewer.entry.disabled_by
        }
        for server_id in self.servers.keys() - servers.keys():
            self.servers[server_id].stop()
        for viewer_id in self.viewers.keys() - viewers.keys():
            self.viewers[viewer_id].stop()
        self._known_viewers = known
        # The same mappings always, which others have as well.
        servers_changed = self.servers != servers
        _become(self.servers, servers)
        _become(self.viewers, viewers)
        if servers_changed:
            # What is only on a server that has gone is available no more.
            for viewer in viewers.values():
                viewer.updates.send()
        # An account that is not ignored any more is to be offered again.
        self._discovered -= self.recorder.ignored
        newly_linked = self.recorder.link(viewers)
        self.following.entries_changed()
        self._receiver.sync(servers.values())
        for key in newly_linked:
            self._end_discovery(key)
        for server in list(servers.values()):
            self._add_viewers(server.entry)
        if newly_linked:
            self._hass.async_create_task(
                self.recorder.async_adopt(newly_linked),
                f"{DOMAIN} adopt",
                eager_start=False,
            )

    def runtime_of(self, entry: ConfigEntry[Any]) -> Server | Viewer:
        """Return the server or viewer of an entry that is enabled."""
        entry_id = entry.entry_id
        return self.viewers.get(entry_id) or self.servers[entry_id]

    def _new_viewer(self, entry: ConfigEntry[Any]) -> Viewer:
        return Viewer(self._hass, entry, self._listeners)

    def _new_server(self, entry: ConfigEntry[Any]) -> Server:
        return Server(self._hass, entry, self.recorder, self._listeners, self.following)

    def is_linked(self, account: Account) -> bool:
        """Return whether somebody's watching is recorded from an account."""
        return self.recorder.is_linked(account.key)

    def account_label(self, account: Account) -> str | None:
        """Return an account as a person knows it, None if its server is gone."""
        server = self._hass.config_entries.async_get_entry(account.server_id)
        if server is None:
            return None
        name = account.name or ("?" if account.id == ANONYMOUS else account.id)
        return f"{name} ({server.title})"

    @callback
    def _add_viewers(self, entry: ConfigEntry[Any]) -> None:
        """Add the viewers that were chosen when a server was set up."""
        data = dict(entry.data)
        viewers = data.pop(CONF_NEW_VIEWERS, ())
        if not viewers:
            return
        # First, since every viewer that is added leads here again.
        self._hass.config_entries.async_update_entry(entry, data=data)
        for chosen in viewers:
            account = self.accounts.note(entry.entry_id, Party(**chosen), active=False)
            if account is not None:
                self._hass.async_create_task(
                    self._hass.config_entries.flow.async_init(
                        DOMAIN,
                        context={"source": SOURCE_IMPORT},
                        data={"account": account.key, "name": account.name},
                    ),
                    f"{DOMAIN} add viewer",
                    eager_start=False,
                )

    async def async_remove_entry(self, entry: ConfigEntry[Any]) -> None:
        """Remove what belongs to an entry that is being removed."""
        entry_id = entry.entry_id
        if not is_understood(entry):
            return
        if entry.data[CONF_KIND] == KIND_VIEWER:
            viewer = self._known_viewers.get(entry_id) or self._new_viewer(entry)
            self._sync()
            await viewer.async_remove()
            return
        server = self.servers.get(entry_id) or self._new_server(entry)
        self._sync()
        if entry.data.get(CONF_CLOUDHOOK):
            await async_delete_cloud_url(self._hass, server.webhook_id)
        await server.async_remove()
        for account in [
            account for account in self.accounts if account.server_id == entry_id
        ]:
            self._end_discovery(account.key)
            await self.recorder.inbox.async_remove(account)
        self.accounts.forget(entry_id)

    async def _async_final_write(self, _event: Event) -> None:
        self._log_mask.stop()
        for viewer in list(self._known_viewers.values()):
            await viewer.async_flush()
        await self.recorder.inbox.async_flush()
        for server in list(self.servers.values()):
            await server.viewings.async_flush()
            await server.library.async_flush()
            # What is known to be marked is in the outbox no more.
            await server.marked.async_flush()
            await server.outbox.async_flush()
        with suppress(StorageWriteError):
            await self.accounts.async_saved()

    # Events

    async def async_process(
        self, addressed: Server, event: MediaEvent, artwork: bytes | None = None
    ) -> Answer:
        """Find out what a media event means, keep it and publish it.

        `addressed` is the server by whose webhook it came.
        """
        now = dt_util.utcnow()
        addressed.unlearn()
        server = self._server_of(addressed, event)
        if server is None:
            name = event.server.name or event.server.id
            answer = Answer(
                Outcome.REJECTED,
                f"comes from another server: {name}; accept it in the options if it is yours",
                event.name,
                is_logged=not event.routine,
            )
            addressed.note(answer, event, now)
            return answer
        server.learn(event)
        answer = await self._async_decide(server, event, artwork, now)
        server.note(answer, event, now)
        return answer

    def _server_of(self, addressed: Server, event: MediaEvent) -> Server | None:
        """Return the server that an event belongs to, whichever URL it came by."""
        if addressed.is_named(event.server):
            return addressed
        for server in self.servers.values():
            if server.type is addressed.type and server.is_named(event.server):
                return server
        return addressed if addressed.may_be(event.server) else None

    async def _async_decide(
        self, server: Server, event: MediaEvent, artwork: bytes | None, now: datetime
    ) -> Answer:
        def answer(
            outcome: Outcome,
            reason: str,
            viewers: Iterable[Viewer] = (),
            *,
            is_logged: bool = not event.routine,
        ) -> Answer:
            return Answer(
                outcome,
                reason,
                event.name,
                event.title,
                tuple(viewer.name for viewer in viewers),
                is_logged,
            )

        followed = Followed(event=event)
        if server.type is not ServerType.PLEX:
            # Plex tells by itself what has been seen.
            followed = server.viewings.take(event, now)
        event = followed.event
        if event.ignored is not None:
            return answer(Outcome.IGNORED, event.ignored)
        if event.marked_by_server:
            is_ours = self._is_echo(server, event, event.account)
            reason = MARKED_HERE if is_ours else MARKED_BY_SERVER
            return answer(Outcome.IGNORED, reason, is_logged=False)
        if not server.follows(event.player):
            return answer(Outcome.IGNORED, "this player is not followed")
        if event.server_event is not None:
            server.publish(event.server_event, event)
            return answer(Outcome.UPDATED, "published as an event of the server")
        if event.library is not None:
            self._publish_library_change(server, event, event.library)
            return answer(Outcome.UPDATED, f"{event.library} media, published")

        watcher = self._watcher(server, event)
        self._discover(watcher.account)
        if self._is_echo(server, event, watcher.account):
            # A comparison has thousands of them.
            return answer(Outcome.IGNORED, MARKED_HERE, is_logged=False)
        if event.rating is not None:
            source = _source(server, event, now)
            outcome, reason = await self._async_rate(
                watcher, event.title, event.rating, source
            )
            return answer(outcome, reason, watcher.viewers)

        # Before the player goes on to something else.
        poster = (artwork or server.artwork_of(event)) if event.completed else None
        action = server.play_on(event, artwork, now)
        if action is not None:
            self._publish_playback(server, watcher, event, action)
        if followed.left is not None:
            await self._async_complete_left(server, watcher, event, followed.left, now)
        if not event.completed:
            shown = "player updated" if event.player else "no player is named"
            return answer(
                Outcome.UPDATED if event.player else Outcome.IGNORED,
                f"{shown}; {followed.doubt or 'not completed, so not a play'}",
                watcher.viewers,
                is_logged=action is not None or not event.routine,
            )
        source = replace(_source(server, event, now), begun_at=followed.begun_at)
        watched_at = event.watched_at
        if event.marked and event.saved is not None and event.saved.last_played:
            watched_at = event.saved.last_played
            source = replace(
                source, dated=watched_at, may_be_local=event.saved.may_be_local
            )
        completion = Completion(
            server,
            believed_time(watched_at, now),
            source,
            poster,
            event.saved if source.is_mark else None,
        )
        outcome, reason = await self.recorder.async_complete(
            watcher.account, event.titles, completion
        )
        return answer(outcome, reason, self.recorder.credited(watcher.account))

    def _is_echo(
        self, server: Server, event: MediaEvent, account: Account | Party | None
    ) -> bool:
        """Say whether an event tells of a mark that was made from here."""
        return event.marked and self.following.echoes.is_echo(
            server.entry.entry_id, account.id if account else None, event.titles
        )

    async def _async_complete_left(
        self,
        server: Server,
        watcher: _Watcher,
        event: MediaEvent,
        left: Viewing,
        now: datetime,
    ) -> None:
        """Record what a player has played to its end before it began something else.

        Some never stop one thing before the next.
        """
        source = replace(_source(server, event, now), begun_at=left.begun_at)
        completion = Completion(server, min(left.reported_at, now), source)
        await self.recorder.async_complete(watcher.account, left.titles, completion)

    def _watcher(self, server: Server, event: MediaEvent) -> _Watcher:
        account = self.accounts.note(server.entry.entry_id, event.account)
        viewers = self.recorder.linked_to(account)
        return _Watcher(account, viewers)

    async def _async_rate(
        self,
        watcher: _Watcher,
        title: Title | None,
        rating: RatingChange,
        source: Source,
    ) -> tuple[Outcome, str]:
        if title is None or not is_identified(title):
            return Outcome.REJECTED, "too little is known of the title to recognise it"
        if not watcher.viewers:
            return Outcome.IGNORED, "no viewer is linked to this account yet"
        results = [
            await self._async_rate_by(viewer, title, rating, source)
            for viewer in watcher.viewers
        ]
        return foremost(results)

    async def _async_rate_by(
        self, viewer: Viewer, title: Title, rating: RatingChange, source: Source
    ) -> tuple[Outcome, str]:
        try:
            changed = await viewer.async_rate(title, rating.value, source)
        except StorageWriteError:
            return Outcome.HELD, NOT_WRITTEN
        except UnreadableStoreError:
            return Outcome.REJECTED, "the viewer's ratings cannot be read; see repairs"
        if not changed:
            return Outcome.IGNORED, "the rating was known"
        return Outcome.UPDATED, "rating removed" if rating.value is None else "rated"

    @callback
    def _discover(self, account: Account | None) -> None:
        """Offer an account that nobody is linked to as a viewer."""
        if (
            account is None
            or self.recorder.is_linked(account.key)
            or account.key in self._discovered
            or account.key in self.recorder.ignored
        ):
            return
        self._discovered.add(account.key)
        discovery_flow.async_create_flow(
            self._hass,
            DOMAIN,
            context={"source": SOURCE_INTEGRATION_DISCOVERY},
            data={"account": account.key},
        )

    @callback
    def _end_discovery(self, key: str) -> None:
        """Take back the offer of an account that has been linked by hand."""
        self._discovered.discard(key)
        flows = self._hass.config_entries.flow
        for flow in flows.async_progress_by_handler(
            DOMAIN, match_context={"unique_id": key}
        ):
            if flow["context"]["source"] == SOURCE_INTEGRATION_DISCOVERY:
                flows.async_abort(flow["flow_id"])

    # Publishing

    @callback
    def _publish_playback(
        self, server: Server, watcher: _Watcher, event: MediaEvent, action: Action
    ) -> None:
        data = {"action": action.value, **event_data(server, event)}
        for viewer in watcher.viewers:
            self._hass.bus.async_fire(EVENT_PLAYBACK, {**data, **viewer_data(viewer)})
        if not watcher.viewers:
            self._hass.bus.async_fire(EVENT_PLAYBACK, data)

    @callback
    def _publish_library_change(
        self, server: Server, event: MediaEvent, change: LibraryChange
    ) -> None:
        data = event_data(server, event)
        if change is LibraryChange.ADDED:
            self._hass.bus.async_fire(EVENT_LIBRARY_ADDED, data)
            for title in event.titles:
                server.library_updates.added(title)
        else:
            for title in event.titles:
                server.library_updates.removed(title)
        async_dispatcher_send(
            self._hass,
            signal_event(server.entry.entry_id),
            "library",
            change.value,
            data,
        )


def is_understood(entry: ConfigEntry[Any]) -> bool:
    """Say whether an entry is a server or viewer as this version knows them.

    A newer version may have left others behind.
    """
    kind = entry.data.get(CONF_KIND)
    return kind == KIND_VIEWER or (
        kind in ServerType and isinstance(entry.data.get(CONF_WEBHOOK_ID), str)
    )


def _become[T](known: dict[str, T], new: dict[str, T]) -> None:
    """Have a mapping hold what another one holds."""
    known.clear()
    known.update(new)


def _source(server: Server, event: MediaEvent, now: datetime) -> Source:
    """Return a webhook as the report of a play or rating."""
    account, player = event.account or Party(), event.player or Party()
    return Source(
        kind=SourceKind.WEBHOOK,
        at=now,
        event=event.name,
        server_id=server.entry.entry_id,
        server=server.entry.title,
        server_type=server.type.value,
        account=account.name or account.id,
        account_id=account.id,
        player=player.name or player.id,
        player_id=player.id,
    )
