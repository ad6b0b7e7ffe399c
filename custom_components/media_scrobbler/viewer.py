"""Viewers: people whose watching is recorded, and the set-up of their entries."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.dispatcher import async_dispatcher_send

from .connection import async_sign_out_viewer
from .const import (
    CONF_ACCOUNTS,
    CONF_ALSO_FOR,
    CONF_BOTH_WAYS,
    CONF_CHECK_OFF,
    CONF_FOLLOWING,
    CONF_IMPORT_INTERVAL,
    CONF_MEDIA_TYPES,
    CONF_PERSON,
    CONF_UNFOLLOWING,
    EVENT_RATING,
    EVENT_SCROBBLE,
)
from .domain.play import Play, Report, Source
from .domain.rules import believed_time, set_right
from .domain.title import PLAYABLE, Title
from .issues import (
    async_note_storage_trouble,
    async_note_watchlist_shrunk,
    async_note_watchlist_sign_in,
)
from .published import play_data, rating_data, scrobble_data, title_data
from .signals import Updates, signal_event
from .storage.dismissed import Dismissed
from .storage.history import History, Recorded, Taken, async_saved
from .storage.import_log import ImportLog
from .storage.outbox import Held
from .storage.poster import Poster
from .storage.ratings import Ratings
from .storage.watchlist import Watchlist
from .storage.writer import StorageWriteError

type ViewerConfigEntry = ConfigEntry[Viewer]

EVENT_WATCHING = "watching"


class HistoryListener(Protocol):
    """Whoever is told what becomes of histories."""

    async def async_before_play(
        self, viewer: Viewer, title: Title, played_with: str | None
    ) -> list[Held]:
        """Prepare for a play of a title, which is not in the history yet.

        `played_with` is the key of the account that it has been played with.
        """

    async def async_before_change(
        self, viewer: Viewer, old: Play, new: Play | None
    ) -> list[Held]:
        """Prepare for a change to a play, or its removal, which has not happened yet."""

    def after(self, held: Iterable[Held], *, happened: bool) -> None:
        """Hear whether what was prepared for is on disk, or has not happened."""

    def played(self, viewer: Viewer, play: Play) -> None:
        """Hear of a play that is on disk, and again when more is known of its title."""

    async def async_imported(self, viewer: Viewer) -> None:
        """Hear that there are plays of which nothing has been said one by one."""


def linked_viewers(viewers: Iterable[Viewer], key: str) -> list[Viewer]:
    """Return who of some viewers watches with an account, by its key."""
    return [viewer for viewer in viewers if key in viewer.accounts]


class Viewer:
    """A person with a watch history, ratings and a watchlist.

    It lives as long as its entry is there and enabled, whether or not that is loaded:
    plays are recorded while the entry reloads.
    """

    platforms = (
        Platform.CALENDAR,
        Platform.EVENT,
        Platform.IMAGE,
        Platform.SENSOR,
        Platform.TODO,
    )

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ViewerConfigEntry,
        listener: HistoryListener,
    ) -> None:
        """Take the entry, and who is told of plays; what is stored is read by `async_load`."""
        self._hass = hass
        self.entry = entry
        self._listener = listener
        self.history = History(
            hass, f"history.{entry.entry_id}", on_trouble=self._trouble
        )
        self.ratings = Ratings(
            hass, f"ratings.{entry.entry_id}", on_trouble=self._trouble
        )
        self.watchlist = Watchlist(
            hass, f"watchlist.{entry.entry_id}", on_trouble=self._trouble
        )
        self.dismissed = Dismissed(hass, entry.entry_id, on_trouble=self._trouble)
        self.imports = ImportLog(hass, entry.entry_id)
        self.poster = Poster(hass, f"poster.{entry.entry_id}")
        self.updates = Updates(hass, entry.entry_id)

    @property
    def name(self) -> str:
        """Return the viewer's name."""
        return self.entry.title

    @property
    def person(self) -> str | None:
        """Return the entity id of the person that the viewer is."""
        return self.entry.data.get(CONF_PERSON)

    @property
    def accounts(self) -> list[str]:
        """Return the keys of the accounts that the viewer watches with."""
        return list(self.entry.data.get(CONF_ACCOUNTS, ()))

    @property
    def media_types(self) -> list[str]:
        """Return the media types that are recorded."""
        return list(self.entry.options.get(CONF_MEDIA_TYPES, PLAYABLE))

    @property
    def also_for(self) -> list[str]:
        """Return the entry ids of the viewers for whom it counts as well."""
        return list(self.entry.options.get(CONF_ALSO_FOR, ()))

    def follows(self, key: str) -> bool:
        """Return whether an account, by its key, is to show what the viewer has watched."""
        return key in self.entry.options.get(CONF_FOLLOWING, ()) or self.unfollows(key)

    def unfollows(self, key: str) -> bool:
        """Return whether an account is to show what is removed as not watched, too."""
        return key in self.entry.options.get(CONF_UNFOLLOWING, ())

    @property
    def checks_off(self) -> bool:
        """Return whether what was watched is checked off on the watchlist."""
        return bool(self.entry.options.get(CONF_CHECK_OFF, True))

    @property
    def import_interval(self) -> int:
        """Return the hours between two imports of the watchlist; 0 is never."""
        return int(self.entry.options.get(CONF_IMPORT_INTERVAL, 0))

    @property
    def syncs_both_ways(self) -> bool:
        """Return whether the watchlist at Plex follows this one."""
        return bool(self.entry.options.get(CONF_BOTH_WAYS, False))

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return (
            self.history.failing
            or self.ratings.failing
            or self.watchlist.failing
            or self.dismissed.failing
        )

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the files that could not be read, and why."""
        return (
            self.history.unreadable
            | self.ratings.unreadable
            | self.watchlist.unreadable
            | self.dismissed.unreadable
            | self.imports.unreadable
            | self.poster.unreadable
        )

    async def async_load(self) -> None:
        """Read what is stored; reads again what could not be read before."""
        await self.history.async_reload_unreadable()
        await self.ratings.async_load()
        await self.watchlist.async_load()
        await self.dismissed.async_reload_unreadable()
        await self.imports.async_load()
        await self.poster.async_load()
        self._trouble()

    async def async_record(
        self,
        title: Title,
        watched_at: datetime,
        source: Source,
        poster: bytes | None = None,
        played_with: str | None = None,
        *,
        publish: bool = True,
    ) -> Recorded:
        """Record a completed title and publish it once it is on disk.

        `played_with` is the key of the account that it was played with. Without
        `publish` nobody is told of it: `async_imported` tells of many at once. Raises
        StorageWriteError if it cannot be written now; it is published later then.
        """
        if not publish:
            recorded = await self.history.async_record(title, watched_at, source)
            if recorded.saved is not None:
                await recorded.saved
            return recorded
        held = await self._listener.async_before_play(self, title, played_with)
        try:
            recorded = await self.history.async_record(title, watched_at, source)
        except BaseException:
            self._listener.after(held, happened=False)
            raise
        if recorded.saved is not None:
            try:
                await recorded.saved
            except StorageWriteError, asyncio.CancelledError:
                self._hass.async_create_background_task(
                    self._async_publish_play_later(recorded, source, poster, held),
                    f"publish {self.entry.entry_id}",
                )
                raise
        self._publish_play(recorded, source, poster, held)
        return recorded

    async def async_has_dismissed(self, report: Report) -> bool:
        """Return whether a person has removed or corrected what a report is of."""
        await self.dismissed.async_load()
        return self.dismissed.has(report)

    async def async_find(self, reports: Sequence[Report]) -> list[Taken]:
        """Merge reports of what is known, and say what is not.

        Raises StorageWriteError and HistoryRemovedError.
        """
        found = await self._async_take(reports, add=False)
        await async_saved(found)
        if any(each.saved is not None for each in found):
            self.updates.send()
        return found

    async def async_import(self, reports: Sequence[Report]) -> list[Taken]:
        """Record what is new of many reports, and merge the others.

        Nobody is told before `async_imported`. Raises StorageWriteError if they cannot be
        written now; they will be. Raises HistoryRemovedError as well.
        """
        before = self.history.last_play
        taken = await self._async_take(reports, add=True)
        last = self.history.last_play
        if last is not None and (before is None or last.id != before.id):
            self.poster.show(None, last.watched_at)
        await async_saved(taken)
        return taken

    async def _async_take(self, reports: Sequence[Report], *, add: bool) -> list[Taken]:
        """Take reports, but leave what a person has removed or corrected as it is."""
        await self.dismissed.async_load()
        return await self.history.async_take(
            reports, add=add, is_dismissed=self.dismissed.has
        )

    async def async_imported(self) -> None:
        """Have everything follow that depends on plays that were not published."""
        self.updates.send()
        await self._listener.async_imported(self)

    async def async_rate(
        self, title: Title, rating: float | None, source: Source
    ) -> bool:
        """Rate a title, or take its rating back; returns whether that is new.

        Raises UnreadableStoreError while ratings cannot be read, and StorageWriteError if
        this one cannot be written now; it is published later then.
        """
        try:
            changed = await self.ratings.async_set(title, rating, source.at)
        except StorageWriteError:
            self._hass.async_create_background_task(
                self._async_publish_rating_later(title, rating, source),
                f"publish {self.entry.entry_id}",
            )
            raise
        if changed:
            self._publish_rating(title, rating, source)
        return changed

    async def async_correct_play(
        self, play_id: str, correct: Callable[[Play], Play]
    ) -> Play:
        """Correct a play; raises KeyError if there is no such play."""
        _, play = await self._async_change(play_id, correct)
        assert play is not None
        self.updates.send()
        return play

    async def _async_change(
        self, play_id: str, change: Callable[[Play], Play | None]
    ) -> tuple[Play, Play | None]:
        """Change a play, and have what depends on its title follow."""
        held: list[Held] = []

        async def before(old: Play, new: Play | None) -> None:
            held.extend(await self._listener.async_before_change(self, old, new))
            if new is None or (new.watched_at, new.title) != (
                old.watched_at,
                old.title,
            ):
                # Or what servers still know would bring it back.
                await self.dismissed.async_add(old)

        try:
            return await self.history.async_change(play_id, change, before)
        finally:
            # What could not be written has happened all the same, and what has not
            # happened is only looked at.
            self._listener.after(held, happened=True)

    async def async_complete_play(self, play: Play, title: Title) -> None:
        """Add to a play what has become known of the title that it had.

        Where that shows it to be the same viewing as another play, the two become one. A
        play that has been removed meanwhile stays removed.
        """
        try:
            play = await self.history.async_complete(play.id, title, play.title)
        except KeyError:
            return
        self._tell("updated", play_data(self, play))
        self._listener.played(self, play)
        self.updates.send()

    async def async_take_back(self, play_id: str, mark: Source) -> None:
        """Take back a play that a mark has told of, where nothing else tells of it.

        A play that has been removed meanwhile stays removed.
        """
        try:
            old, new = await self._async_change(play_id, partial(_without, mark))
        except KeyError:
            return
        if new is None:
            self._tell_removed(old)
        self.updates.send()

    async def async_set_right(
        self, play_id: str, mark: Source, date: datetime, played_with: str
    ) -> None:
        """Have the play of a mark be one of another date (UTC).

        The play that it was merged into, by the wrong date, stays where it is. A play that
        has been removed meanwhile stays removed.
        """
        right = replace(mark, dated=date, may_be_local=False)
        title: Title | None = None

        def amend(play: Play) -> Play:
            nonlocal title
            if play.sources == (mark,):
                return set_right(play, mark, date)
            title = play.title
            return _without(mark, play) or play

        try:
            play = await self.history.async_amend(play_id, amend)
        except KeyError:
            return
        if title is not None:
            await self.async_record(
                title, believed_time(date, mark.at), right, played_with=played_with
            )
        elif play.id != play_id:
            # It turns out to be one that was known.
            self._tell_removed(replace(play, id=play_id))
        self.updates.send()

    def _tell_removed(self, play: Play) -> None:
        self._tell("removed", {"play_id": play.id, **title_data(play.title)})

    @callback
    def show_poster(self, play: Play, poster: bytes | None) -> None:
        """Show a poster if it is that of what was watched last."""
        last = self.history.last_play
        if last is not None and last.id == play.id:
            self.poster.show(poster, play.watched_at)
            self.updates.send()

    async def async_remove_play(self, play_id: str) -> Play:
        """Remove a play; raises KeyError if there is no such play."""
        play, _ = await self._async_change(play_id, lambda _: None)
        self._tell_removed(play)
        self.updates.send()
        return play

    def forget_device(self, device: DeviceEntry) -> bool:
        """Return that a viewer's only device stays as long as the viewer."""
        return False

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        await self.history.async_flush()
        await self.ratings.async_flush()
        await self.watchlist.async_flush()
        await self.dismissed.async_flush()

    @callback
    def stop(self) -> None:
        """Let go of timers and take back what has been said to be wrong."""
        self.updates.stop()
        async_note_storage_trouble(self._hass, self.entry, failing=False, unreadable={})
        async_note_watchlist_sign_in(self._hass, self.entry, is_rejected=False)
        async_note_watchlist_shrunk(self._hass, self.entry)

    async def async_remove(self) -> None:
        """Remove everything that is stored."""
        self.stop()
        await async_sign_out_viewer(self._hass, self.entry)
        await self.history.async_remove()
        await self.ratings.async_remove()
        await self.watchlist.async_remove()
        await self.dismissed.async_remove()
        await self.imports.async_remove()
        await self.poster.async_remove()
        self._trouble()

    async def _async_publish_play_later(
        self,
        recorded: Recorded,
        source: Source,
        poster: bytes | None,
        held: Collection[Held],
    ) -> None:
        await self.history.async_settled()
        if self.history.removed:
            self._listener.after(held, happened=False)
        else:
            self._publish_play(recorded, source, poster, held)

    async def _async_publish_rating_later(
        self, title: Title, rating: float | None, source: Source
    ) -> None:
        await self.ratings.async_settled()
        # Unless the viewer is gone, or has rated the title otherwise meanwhile.
        if not self.history.removed and self.ratings.get(title) == rating:
            self._publish_rating(title, rating, source)

    @callback
    def _publish_rating(
        self, title: Title, rating: float | None, source: Source
    ) -> None:
        data = rating_data(self, title, rating, source)
        self._hass.bus.async_fire(EVENT_RATING, data)
        self._tell("unrated" if rating is None else "rated", data)

    @callback
    def _publish_play(
        self,
        recorded: Recorded,
        source: Source,
        poster: bytes | None,
        held: Collection[Held],
    ) -> None:
        play = recorded.play
        self._listener.after(held, happened=not recorded.merged)
        if poster or not recorded.merged:
            self.show_poster(play, poster)
        if not recorded.merged:
            data = scrobble_data(self, play, source)
            self._hass.bus.async_fire(EVENT_SCROBBLE, data)
            self._tell("watched", data)
            self._listener.played(self, play)
        self.updates.send()

    @callback
    def _tell(self, event_type: str, data: dict[str, object]) -> None:
        async_dispatcher_send(
            self._hass,
            signal_event(self.entry.entry_id),
            EVENT_WATCHING,
            event_type,
            data,
        )

    @callback
    def _trouble(self) -> None:
        async_note_storage_trouble(
            self._hass,
            self.entry,
            failing=self.failing,
            unreadable=self.unreadable,
        )


def _without(mark: Source, play: Play) -> Play | None:
    """Return a play without one of its sources, None if it has no other."""
    rest = tuple(source for source in play.sources if source != mark)
    return replace(play, sources=rest) if rest else None
