"""Importing watchlists from Plex: by hand and by timer, one way or both."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import logging
from time import monotonic
from weakref import WeakKeyDictionary

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util
from homeassistant.util.ulid import ulid_now

from .const import CONF_ACCOUNT_TOKEN, DOMAIN
from .domain.media_server import BusyError, ItemGoneError, MediaServerError, SignInError
from .domain.title import Ids, Title
from .domain.watchlist import WatchlistItem, candidates, label
from .domain.watchlist_sync import (
    Plan,
    Remote,
    asked,
    has_ids,
    is_suspicious,
    learnt,
    plan,
    to_ask_again,
)
from .issues import async_note_watchlist_shrunk, async_note_watchlist_sign_in
from .plex.account import PlexAccount
from .plex.client import PlexClient
from .postponing import Postponement
from .server import Server
from .storage.import_log import Run, Trigger
from .storage.writer import StorageWriteError
from .viewer import Viewer
from .watchlists import Items, Watchlists

_LOGGER = logging.getLogger(__name__)

START_DELAY = timedelta(minutes=1)
"""How long an import that is overdue waits, so that Home Assistant and servers have started."""

_INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Imported:
    """A run, and the titles that it has put on the list, or would have."""

    run: Run
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Match:
    """A title that was only here, and its entry at Plex."""

    here: Title
    there: Remote


@dataclass(slots=True)
class _Progress:
    """What an import has come to so far, for the log of a run that ends early as well.

    `plan` is what has been done here, or would be in a dry run. Where Plex is `busy`, as
    much as is `postponed` is left for later.
    """

    plan: Plan | None = None
    unmatched: list[str] = field(default_factory=list)
    removed_there: int = 0
    added_there: int = 0
    postponed: int = 0
    busy: BusyError | None = None

    @property
    def has_progressed(self) -> bool:
        """Return whether it has come to anything."""
        imported = self.plan.imported if self.plan else ()
        return bool(imported or self.removed_there or self.added_there)

    def postpone(self, count: int, busy: BusyError) -> None:
        """Take note of what Plex does not want to be asked or told yet."""
        self.postponed += count
        self.busy = busy


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
        self._locks: WeakKeyDictionary[Viewer, asyncio.Lock] = WeakKeyDictionary()
        self._postponed: WeakKeyDictionary[Viewer, Postponement] = WeakKeyDictionary()

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
        """Repeat the import while the entry is loaded, if that is wanted.

        It is counted from the last import: restarts do not put off the next one. What an
        import had to leave for later goes on in any case.
        """

        async def import_unasked() -> None:
            try:
                await self.async_run(viewer, trigger=Trigger.TIMER)
            except HomeAssistantError as err:
                # It is in the log of imports, and on the sensor.
                _LOGGER.debug("The watchlist was not imported: %s", err)

        postponed = self._postponed[viewer] = Postponement(self._hass, import_unasked)
        viewer.entry.async_on_unload(postponed.end)
        if not viewer.import_interval:
            return
        interval = timedelta(hours=viewer.import_interval)
        cancel: CALLBACK_TYPE

        async def run(_now: datetime) -> None:
            schedule(interval)
            await import_unasked()

        job = HassJob(run, f"{DOMAIN} import", cancel_on_shutdown=True)

        @callback
        def schedule(delay: timedelta) -> None:
            nonlocal cancel
            cancel = async_call_later(self._hass, delay, job)

        @callback
        def stop() -> None:
            cancel()

        delay = START_DELAY
        last = next((each.at for each in viewer.imports.runs if not each.dry_run), None)
        if last is not None:
            delay = max(last + interval - dt_util.utcnow(), START_DELAY)
        # Whatever the clock has said before.
        schedule(min(delay, interval))
        viewer.entry.async_on_unload(stop)

    async def async_run(
        self,
        viewer: Viewer,
        *,
        trigger: Trigger,
        dry_run: bool = False,
        accepted: int | None = None,
    ) -> Imported:
        """Import a viewer's watchlist; returns what came of it, which is logged.

        `dry_run` says what would happen. `accepted` is how many titles somebody has said to
        be right: a list that has shrunk is believed if there are no fewer.

        Raises ServiceValidationError without an account, and HomeAssistantError when Plex
        fails, the list cannot be read, or the entry is unloaded meanwhile: the list is as it
        was then. When it cannot be written what was imported is on it nevertheless.
        """
        task = viewer.entry.async_create_background_task(
            self._hass,
            self._async_run(viewer, trigger, dry_run, accepted),
            f"{DOMAIN} import",
        )
        await asyncio.wait([task])
        if task.cancelled():
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="import_interrupted"
            )
        return task.result()

    async def _async_run(
        self, viewer: Viewer, trigger: Trigger, dry_run: bool, accepted: int | None
    ) -> Imported:
        async with self._locks.setdefault(viewer, asyncio.Lock()):
            at, began = dt_util.utcnow(), monotonic()
            progress = _Progress()
            error: str | None = _INTERRUPTED
            try:
                done = await self._async_import(viewer, progress, dry_run, accepted)
                error = None
            except MediaServerError as err:
                error = err.reason
                if isinstance(err, BusyError):
                    progress.busy = err
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
                # Nothing goes on of an import that has ended with its entry.
                if not dry_run and error != _INTERRUPTED:
                    self._go_on_later(viewer, progress, is_done=error is None)
            return Imported(run, tuple(map(label, done.imported)))

    @callback
    def _go_on_later(
        self, viewer: Viewer, progress: _Progress, *, is_done: bool
    ) -> None:
        """Import again after a while, by itself, what Plex did not want to be asked yet."""
        if (postponed := self._postponed.get(viewer)) is None:
            return
        if (busy := progress.busy) is not None:
            _LOGGER.info(
                "Plex wants to be asked less often: the import of the watchlist of %s goes "
                "on later",
                viewer.name,
            )
            postponed.put_off(busy.retry_after, has_progressed=progress.has_progressed)
        elif is_done:
            postponed.end()
        elif postponed.is_open:
            # What was left is still to be done.
            postponed.put_off(None, has_progressed=False)

    async def _async_import(
        self, viewer: Viewer, progress: _Progress, dry_run: bool, accepted: int | None
    ) -> Plan:
        account = self._account(viewer)
        await viewer.watchlist.async_load()
        if viewer.watchlist.unreadable:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="not_readable"
            )
        account_id = (await account.async_party()).id or ""
        there = await account.async_watchlist()
        async_note_watchlist_sign_in(self._hass, viewer.entry, is_rejected=False)
        before = viewer.watchlist.before(account_id)
        self._check(viewer, there.count, len(before), accepted)
        both_ways, now = viewer.syncs_both_ways, dt_util.utcnow()
        listed = {remote.guid for remote in there.entries}
        refused = viewer.watchlist.refused(account_id) & listed
        undecided: set[str] = set()

        def planned(items: Items, remotes: Iterable[Remote]) -> Plan:
            return plan(
                items,
                remotes,
                before,
                both_ways=both_ways,
                now=now,
                new_uid=ulid_now,
                refused=refused,
                undecided=undecided,
                unread=there.unread,
            )

        async def async_planned(remotes: Iterable[Remote]) -> Plan:
            items = viewer.watchlist.items
            return await self._hass.async_add_executor_job(planned, items, remotes)

        known = _guids(viewer.watchlist.items)
        found = _guids((await async_planned(there.entries)).items)
        # What is wanted here as well is not to be taken off there.
        refused -= set(found.values())
        unknown = {guid for uid, guid in found.items() if known.get(uid) != guid}
        ids = await _async_ids(
            account,
            there.entries,
            unknown,
            to_ask_again(viewer.watchlist.items, now) & listed,
            progress,
        )
        undecided = unknown - ids.keys()
        remotes = [_with_ids(remote, ids) for remote in there.entries]
        final = await async_planned(remotes)
        progress.unmatched = [
            label(item) for item in final.imported if not has_ids(item.title)
        ] + [(title and title.label) or "?" for title in there.unread]
        if dry_run:
            progress.removed_there = len(final.remove_there)
            progress.added_there = len(final.add_there)
            progress.plan = final
            return final

        # There first: what fails there is tried again the next time, since both sides are
        # compared with the state that is written last.
        for number, remote in enumerate(final.remove_there):
            try:
                await account.async_remove_from_watchlist(remote.guid)
            except BusyError as err:
                progress.postpone(len(final.remove_there) - number, err)
                break
            except ItemGoneError:
                # It may well go on being listed, and is not to come back for that.
                refused |= {remote.guid}
                _LOGGER.warning(
                    "Plex cannot take %s off the watchlist of %s; it stays off the list here",
                    remote.title.label,
                    viewer.name,
                )
            else:
                progress.removed_there += 1
                listed.discard(remote.guid)
                before -= {remote.guid}
            # At once: if it ended here, so much could be missing there the next time that
            # it would not be believed.
            await viewer.watchlist.async_change(
                tuple, seen=(account_id, before), refused=refused
            )
        remotes = [remote for remote in remotes if remote.guid in listed]
        matches = await _async_add_there(account, final.add_there, listed, progress)
        # What has just been put there has not been removed there.
        before -= {match.there.guid for match in matches.values()}

        def change(items: Items) -> Items:
            # Anew: the list may have been changed while Plex was asked.
            nonlocal final
            final = planned(tuple(_matched(item, matches) for item in items), remotes)
            return tuple(asked(item, ids, now) for item in final.items)

        # What may be on the list there, of which nobody can tell, has not been removed.
        seen = (listed - (undecided - before)) | final.doubtful
        if there.unread:
            seen |= before
        try:
            await self._watchlists.async_change(
                viewer, change, (account_id, seen), refused
            )
        except StorageWriteError:
            progress.plan = final
            raise
        progress.plan = final
        return final

    def _account(self, viewer: Viewer) -> PlexAccount:
        if (account := self.account_of(viewer)) is None:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="no_plex_account",
                translation_placeholders={"viewer": viewer.name},
            )
        return account

    def _check(
        self, viewer: Viewer, now: int, before: int, accepted: int | None
    ) -> None:
        """Raise HomeAssistantError for a list that has shrunk too much to be believed."""
        if not is_suspicious(now, before) or (accepted is not None and now >= accepted):
            async_note_watchlist_shrunk(self._hass, viewer.entry)
            return
        async_note_watchlist_shrunk(self._hass, viewer.entry, (before, now))
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="watchlist_shrunk",
            translation_placeholders={"before": str(before), "now": str(now)},
        )


def _guids(items: Iterable[WatchlistItem]) -> dict[str, str]:
    """Return the guids that items have from Plex, by item."""
    return {
        item.uid: str(guid)
        for item in items
        if (guid := item.title.ids.get("plex")) is not None
    }


async def _async_ids(
    account: PlexAccount,
    there: Sequence[Remote],
    unknown: set[str],
    again: set[str],
    progress: _Progress,
) -> dict[str, Ids]:
    """Return the ids in other databases of some entries at Plex, as far as it can be asked.

    The list at Plex has no ids but Plex's own, and to ask for them takes its time. They
    are needed of what is `unknown`: new here, or here by its name only, which may be that of
    something else. Of others Plex had none before, and is asked `again`.

    The oldest come first: where Plex cannot be asked for all, the newest are still to come
    to the top.
    """
    found: dict[str, Ids] = {}
    wanted = [remote for remote in reversed(there) if remote.guid in unknown]
    wanted += [remote for remote in there if remote.guid in again]
    try:
        await account.async_external_ids(wanted, found)
    except BusyError as err:
        if missing := unknown - found.keys():
            progress.postpone(len(missing), err)
    return found


def _with_ids(remote: Remote, ids: Mapping[str, Ids]) -> Remote:
    """Return an entry at Plex with its ids in other databases."""
    title = remote.title
    return replace(
        remote, title=replace(title, ids=title.ids | ids.get(remote.guid, {}))
    )


async def _async_add_there(
    account: PlexAccount,
    items: Sequence[WatchlistItem],
    listed: set[str],
    progress: _Progress,
) -> dict[str, _Match]:
    """Put on the list at Plex what is only here; returns what was found, by item.

    `listed` are the guids that are there, and becomes those that are there afterwards.
    """
    matches: dict[str, _Match] = {}
    for number, item in enumerate(items):
        try:
            remote = await _async_find(account, item)
            if remote is not None and remote.guid not in listed:
                await account.async_add_to_watchlist(remote.guid)
                progress.added_there += 1
        except BusyError as err:
            progress.postpone(len(items) - number, err)
            break
        except ItemGoneError:
            remote = None
        if remote is None:
            progress.unmatched.append(label(item))
        else:
            listed.add(remote.guid)
            matches[item.uid] = _Match(item.title, remote)
    return matches


async def _async_find(account: PlexAccount, item: WatchlistItem) -> Remote | None:
    """Return what Plex has for the title of an item, if that is certain."""
    if (guid := item.title.ids.get("plex")) is not None:
        return Remote(str(guid), item.title, item.poster)
    for title in candidates(item):
        if (remote := await account.async_match(title)) is not None:
            return remote
    return None


def _matched(item: WatchlistItem, matches: Mapping[str, _Match]) -> WatchlistItem:
    """Return an item with what Plex knows of it, unless it has been renamed meanwhile."""
    match = matches.get(item.uid)
    if match is None or match.here != item.title:
        return item
    return learnt(item, match.there)


def _finished(
    progress: _Progress,
    at: datetime,
    duration: float,
    trigger: Trigger,
    dry_run: bool,
    error: str | None,
) -> Run:
    done = progress.plan
    return Run(
        at=at,
        duration=duration,
        trigger=trigger,
        dry_run=dry_run,
        imported=len(done.imported) if done else 0,
        already_present=done.already_present if done else 0,
        unmatched=tuple(progress.unmatched),
        removed_here=len(done.removed_here) if done else 0,
        removed_there=progress.removed_there,
        added_there=progress.added_there,
        postponed=progress.postponed,
        error=error,
    )
