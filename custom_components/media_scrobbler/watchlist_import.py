"""Importing watchlists from Plex: by hand and by timer, one way or both."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import logging
from time import monotonic

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util
from homeassistant.util.ulid import ulid_now

from .const import CONF_ACCOUNT_TOKEN, DOMAIN
from .domain.media_server import ItemGoneError, MediaServerError, SignInError
from .domain.watchlist import WatchlistItem, candidates, label
from .domain.watchlist_sync import Plan, Remote, is_suspicious, plan
from .issues import async_note_watchlist_shrunk, async_note_watchlist_sign_in
from .plex.account import PlexAccount
from .plex.client import PlexClient
from .server import Server
from .storage.import_log import Run, Trigger
from .viewer import Viewer
from .watchlists import Items, Watchlists

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Imported:
    """A run, and the titles that it has put on the list, or would have."""

    run: Run
    titles: tuple[str, ...]


@dataclass(slots=True)
class _Progress:
    """What an import has come to so far, for the log of a run that ends early as well."""

    plan: Plan | None = None
    unmatched: list[str] = field(default_factory=list)
    removed_there: int = 0
    added_there: int = 0


class WatchlistImporter:
    """Imports what viewers want to watch from their accounts at plex.tv."""

    def __init__(
        self,
        hass: HomeAssistant,
        watchlists: Watchlists,
        servers: Mapping[str, Server],
    ) -> None:
        """Take the lists, and the servers that there are, by entry id."""
        self._hass = hass
        self._watchlists = watchlists
        self._servers = servers
        self._locks: dict[str, asyncio.Lock] = {}

    def account_of(self, viewer: Viewer) -> PlexAccount | None:
        """Return the account at plex.tv that is the viewer's, if somebody has signed in to it.

        That is the viewer's own sign-in, or that of a server which the viewer uses with the
        same account.
        """
        if (token := viewer.entry.data.get(CONF_ACCOUNT_TOKEN)) is not None:
            return PlexAccount(self._hass, token)
        for key in viewer.accounts:
            server_id, _, account_id = key.partition(":")
            server = self._servers.get(server_id)
            if server is None or server.connection is None:
                continue
            client = server.connection.client
            if isinstance(client, PlexClient) and client.can_mark(account_id):
                return client.account
        return None

    @callback
    def start(self, viewer: Viewer) -> None:
        """Repeat the import while the entry is loaded, if that is wanted."""
        if not (hours := viewer.import_interval):
            return

        async def run(_now: datetime) -> None:
            try:
                await self.async_run(viewer, trigger=Trigger.TIMER)
            except HomeAssistantError as err:
                # It is in the log of imports, and on the sensor.
                _LOGGER.debug("The watchlist was not imported: %s", err)

        viewer.entry.async_on_unload(
            async_track_time_interval(
                self._hass, run, timedelta(hours=hours), cancel_on_shutdown=True
            )
        )

    async def async_run(
        self,
        viewer: Viewer,
        *,
        trigger: Trigger,
        dry_run: bool = False,
        accept_shrunk: bool = False,
    ) -> Imported:
        """Import a viewer's watchlist; returns what came of it, which is logged.

        `dry_run` says what would happen. `accept_shrunk` believes a list that has shrunk by
        half or more. Raises ServiceValidationError without an account, and
        HomeAssistantError when Plex fails or the list cannot be written: what was on the
        list is on it then.
        """
        if (account := self.account_of(viewer)) is None:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="no_plex_account",
                translation_placeholders={"viewer": viewer.name},
            )
        lock = self._locks.setdefault(viewer.entry.entry_id, asyncio.Lock())
        async with lock:
            at, began = dt_util.utcnow(), monotonic()
            progress = _Progress()
            error: str | None = None
            try:
                await self._async_import(
                    viewer, account, progress, dry_run, accept_shrunk
                )
            except MediaServerError as err:
                error = err.reason
                if isinstance(err, SignInError):
                    async_note_watchlist_sign_in(
                        self._hass, viewer.entry, is_rejected=True
                    )
                    raise HomeAssistantError(
                        translation_domain=DOMAIN, translation_key="plex_tv_sign_in"
                    ) from err
                raise HomeAssistantError(
                    translation_domain=DOMAIN, translation_key="plex_tv_failed"
                ) from err
            except HomeAssistantError as err:
                error = err.translation_key or "unknown"
                raise
            finally:
                run = _finished(
                    progress, at, monotonic() - began, trigger, dry_run, error
                )
                viewer.imports.add(run)
                viewer.updates.send()
            assert progress.plan is not None
            return Imported(run, tuple(map(label, progress.plan.imported)))

    async def _async_import(
        self,
        viewer: Viewer,
        account: PlexAccount,
        progress: _Progress,
        dry_run: bool,
        accept_shrunk: bool,
    ) -> None:
        entry = viewer.entry
        await viewer.watchlist.async_load()
        party = await account.async_party()
        account_id = party.id or ""
        there = await account.async_watchlist()
        async_note_watchlist_sign_in(self._hass, entry, is_rejected=False)
        before = viewer.watchlist.before(account_id)
        if is_suspicious(len(there), len(before)) and not accept_shrunk:
            async_note_watchlist_shrunk(self._hass, entry, (len(before), len(there)))
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="watchlist_shrunk",
                translation_placeholders={
                    "before": str(len(before)),
                    "now": str(len(there)),
                },
            )
        async_note_watchlist_shrunk(self._hass, entry)

        def planned(items: Items, remotes: Iterable[Remote]) -> Plan:
            return plan(
                items,
                remotes,
                before,
                both_ways=viewer.syncs_both_ways,
                now=dt_util.utcnow(),
                new_uid=ulid_now,
            )

        async def async_planned(remotes: Iterable[Remote]) -> Plan:
            items = viewer.watchlist.items
            return await self._hass.async_add_executor_job(planned, items, remotes)

        # The list at Plex has no ids of anybody else's: only what is new is asked for.
        new = {item.title.ids["plex"] for item in (await async_planned(there)).imported}
        ids = await account.async_external_ids(
            [remote for remote in there if remote.guid in new]
        )
        remotes = [
            replace(
                remote,
                title=replace(
                    remote.title, ids=remote.title.ids | ids.get(remote.guid, {})
                ),
            )
            for remote in there
        ]
        progress.plan = await async_planned(remotes)
        progress.unmatched = [
            label(item)
            for item in progress.plan.imported
            if not item.title.ids.keys() - {"plex"}
        ]
        if dry_run:
            progress.removed_there = len(progress.plan.remove_there)
            progress.added_there = len(progress.plan.add_there)
            return
        # There first: what fails there is tried again the next time, since both sides are
        # compared with the state that is written last.
        guids = {remote.guid for remote in there}
        for remote in progress.plan.remove_there:
            with suppress(ItemGoneError):
                await account.async_remove_from_watchlist(remote.guid)
            guids.discard(remote.guid)
            progress.removed_there += 1
        added = await self._async_add_there(account, progress)

        def change(items: Items) -> Iterable[WatchlistItem]:
            # Anew: the list may have been changed while Plex was asked.
            progress.plan = planned(items, remotes)
            return [
                _with_guid(item, added[item.uid]) if item.uid in added else item
                for item in progress.plan.items
            ]

        await self._watchlists.async_change(
            viewer, change, seen=(account_id, guids | set(added.values()))
        )

    async def _async_add_there(
        self, account: PlexAccount, progress: _Progress
    ) -> dict[str, str]:
        """Put on the list at Plex what is only here; returns the GUIDs by item."""
        assert progress.plan is not None
        added: dict[str, str] = {}
        for item in progress.plan.add_there:
            guid = item.title.ids.get("plex") or await self._async_match(account, item)
            try:
                if guid is not None:
                    await account.async_add_to_watchlist(str(guid))
            except ItemGoneError:
                guid = None
            if guid is None:
                progress.unmatched.append(label(item))
            else:
                added[item.uid] = str(guid)
                progress.added_there += 1
        return added

    async def _async_match(
        self, account: PlexAccount, item: WatchlistItem
    ) -> str | None:
        for title in candidates(item):
            if (guid := await account.async_match(title)) is not None:
                return guid
        return None


def _with_guid(item: WatchlistItem, guid: str) -> WatchlistItem:
    return replace(item, title=replace(item.title, ids=item.title.ids | {"plex": guid}))


def _finished(
    progress: _Progress,
    at: datetime,
    duration: float,
    trigger: Trigger,
    dry_run: bool,
    error: str | None,
) -> Run:
    plan_ = progress.plan if error is None else None
    return Run(
        at=at,
        duration=duration,
        trigger=trigger,
        dry_run=dry_run,
        imported=len(plan_.imported) if plan_ else 0,
        already_present=plan_.already_present if plan_ else 0,
        unmatched=tuple(progress.unmatched),
        removed_here=len(plan_.removed_here) if plan_ else 0,
        removed_there=progress.removed_there,
        added_there=progress.added_there,
        error=error,
    )
