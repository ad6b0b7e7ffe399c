"""What a Jellyfin server knows, what changes it, and what its plugins are told of that.

Nothing in here waits: a change is made at once and returns the notifications it raises.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from .catalogue import Episode, Movie, Season, Show
from .jellyfin import (
    JellyfinDevice,
    JellyfinEvent,
    JellyfinServer,
    JellyfinUser,
    SaveReason,
    numbers,
    quoted,
)
from .jellyfin_accounts import Account, Accounts, Playing, Session
from .jellyfin_items import FOLDERS, Held, Item, Items, Kind
from .jellyfin_json import Descriptions, name_of
from .jellyfin_plugin import Notification, WebhookPlugin
from .jellyfin_user_data import PlayedDate, UserData, from_ticks
from .library import Library

# How long a client may say nothing about what it plays; the server looks as often.
IDLE_AFTER = timedelta(minutes=5)
_A_SECOND = timedelta(seconds=1)
# What has versions where each of them has user data.
_VIDEO = frozenset({Kind.MOVIE, Kind.EPISODE, Kind.VIDEO})


class JellyfinState:
    """A Jellyfin server without anything to reach it by."""

    def __init__(
        self,
        server: JellyfinServer,
        library: Library | None,
        now: Callable[[], datetime],
    ) -> None:
        self.server = server
        self.version = server.version
        self.now = now
        self.items = Items(server, library)
        self.accounts = Accounts(server.id, now)
        self.plugin = WebhookPlugin()
        self.describe = Descriptions(server, self.items)
        # A playback event and the saving that goes with it are told in either order.
        self.playback_first = False

    def account(self, user: JellyfinUser) -> Account:
        """Return what is kept of a user."""
        return self.accounts.users[user.id]

    def data(self, account: Account, item: Item) -> UserData:
        """Return what a user did with an item, to look at and to change."""
        account.changes += 1
        return account.data.setdefault(item.id, UserData())

    # --- marks -------------------------------------------------------------------------

    def mark(
        self,
        account: Account,
        item: Item,
        *,
        played: bool,
        date: PlayedDate | None = None,
    ) -> list[Notification]:
        """Mark an item, or all that plays in it."""
        kept = told = None
        if date is not None:
            told = date.misread
            kept = told if self.version.keeps_misread_dates else date.at
        notifications = []
        for each in self.items.playable_within(item) if item.is_folder else [item]:
            data = self.data(account, each)
            if played:
                data.mark_played(kept, self.now())
            else:
                data.mark_unplayed()
            notifications.append(
                self.saved(account, each, SaveReason.TOGGLE_PLAYED, told)
            )
            notifications.extend(self._toggle_others(account, each, played=played))
        return notifications

    def _toggle_others(
        self, account: Account, item: Item, *, played: bool
    ) -> list[Notification]:
        """Do to the other versions of a video what was done to one."""
        if not self.version.keeps_data_of_versions or item.kind not in _VIDEO:
            return []
        notifications = []
        for version in self.items.versions(item):
            if version.id == item.id:
                continue
            data = self.data(account, version)
            if played:
                data.toggle_along()
            else:
                data.mark_unplayed()
            notifications.append(self.saved(account, version, SaveReason.TOGGLE_PLAYED))
        return notifications

    def favor(
        self, account: Account, item: Item, *, favorite: bool
    ) -> list[Notification]:
        """Make an item one of a user's favourites, or let it be none any more."""
        self.data(account, item).favorite = favorite
        return [self.saved(account, item, SaveReason.UPDATE_USER_RATING)]

    # --- playing -------------------------------------------------------------------------

    def start(
        self, session: Session, playing: Playing, position: timedelta
    ) -> list[Notification]:
        """Let a session play an item; what it played before is not stopped by that."""
        session.playing = session.before = playing
        session.position = session.reported = position
        session.paused, session.paused_at = False, None
        session.last_check_in = session.last_activity = self.now()
        item = self._whose_data(playing)
        saved = []
        for account in session.accounts:
            self.data(account, item).start(
                self.now(),
                resumes=_resumes(item),
                forgets=self.version.forgets_at_start,
            )
            saved.append(self.saved(account, item, SaveReason.PLAYBACK_START))
        return self._in_order(
            saved, self._playback(JellyfinEvent.PLAYBACK_START, session, playing)
        )

    def progress(
        self,
        session: Session,
        playing: Playing,
        position: timedelta | None = None,
        *,
        paused: bool | None = None,
    ) -> list[Notification]:
        """Take a client's report of how far it has got.

        It need not have started: one that was asleep goes on with what the server stopped.
        """
        session.playing = session.before = playing
        if position is not None:
            session.position = position
        session.reported = session.position
        if paused is not None and paused is not session.paused:
            session.paused = paused
            session.paused_at = self.now() if paused else None
        session.last_check_in = session.last_activity = self.now()
        saved = []
        for account in session.accounts:
            self._advance(account, session, playing)
            saved += self._after_playing(account, playing, SaveReason.PLAYBACK_PROGRESS)
        return self._in_order(
            saved, self._playback(JellyfinEvent.PLAYBACK_PROGRESS, session, playing)
        )

    def tick(self) -> list[Notification]:
        """Let a second pass: whatever plays is a second further, as the server thinks.

        It says so by itself, and saves nothing; what is paused or at its end it leaves.
        """
        notifications = []
        for session in self.accounts.sessions.values():
            if (playing := session.playing) is None or session.paused:
                continue
            runtime = playing.item.runtime
            if runtime and session.position + _A_SECOND >= runtime:
                continue
            session.position += _A_SECOND
            session.last_activity = self.now()
            notifications += self._playback(
                JellyfinEvent.PLAYBACK_PROGRESS, session, playing, automated=True
            )
        return notifications

    def stop(
        self,
        session: Session,
        playing: Playing,
        position: timedelta | None,
        *,
        failed: bool = False,
    ) -> list[Notification]:
        """Let a session stop, at a position or without one; what failed is not saved."""
        session.last_activity = self.now()
        session.position = position or timedelta()
        saved, completed = [], False
        for account in () if failed else session.accounts:
            # That of the last one is told to be that of all.
            if position is None:
                self.data(account, self._whose_data(playing)).end_anywhere()
                completed = True
            else:
                completed = self._advance(account, session, playing)
            saved += self._after_playing(account, playing, SaveReason.PLAYBACK_FINISHED)
        stopped = self._playback(
            JellyfinEvent.PLAYBACK_STOP, session, playing, completed=completed
        )
        session.playing, session.position = None, timedelta()
        session.paused, session.paused_at = False, None
        return self._in_order(saved, stopped)

    def stop_idle(self) -> list[Notification]:
        """Look whether clients have fallen silent, and stop what those play."""
        notifications = []
        for session in self.accounts.sessions.values():
            if session.playing is None or session.last_check_in is None:
                continue
            if self.now() - session.last_check_in > IDLE_AFTER:
                position = (
                    session.position
                    if self.version.stops_where_it_ran_to
                    else session.reported
                )
                notifications += self.stop(session, session.playing, position)
        return notifications

    def _whose_data(self, playing: Playing) -> Item:
        """Return the item whose user data is written while something plays."""
        if self.version.keeps_data_of_versions:
            return playing.version
        return playing.item

    def _advance(self, account: Account, session: Session, playing: Playing) -> bool:
        """Save the position of a session; returns whether it is as good as the end."""
        item = self._whose_data(playing)
        return self.data(account, item).advance(
            session.position, item.runtime, resumes=_resumes(item)
        )

    def _after_playing(
        self, account: Account, playing: Playing, reason: SaveReason
    ) -> list[Notification]:
        """Return what is told when the position has been saved."""
        item = self._whose_data(playing)
        notifications = [self.saved(account, item, reason)]
        if self.data(account, item).played:
            notifications += self._toggle_others(account, item, played=True)
        return notifications

    def _in_order(
        self, saved: list[Notification], playback: list[Notification]
    ) -> list[Notification]:
        """Return what is told of one report, in the order in which it is told now."""
        return playback + saved if self.playback_first else saved + playback

    # --- the library -----------------------------------------------------------------------

    def add(
        self,
        title: Held,
        *,
        has_ids: bool = True,
        folder: Season | Show | None = None,
    ) -> list[Notification]:
        """Add a title and what it belongs to, the largest first."""
        added = self.items.add(title, self.now(), has_ids=has_ids, folder=folder)
        return [self._of_library(JellyfinEvent.ITEM_ADDED, item) for item in added]

    def add_version(
        self, title: Movie | Episode, name: str, *, has_ids: bool = True
    ) -> list[Notification]:
        """Add another file of a film or an episode."""
        item = self.items.add_version(title, name, self.now(), has_ids=has_ids)
        return [self._of_library(JellyfinEvent.ITEM_ADDED, item)]

    def remove(self, title: Held) -> list[Notification]:
        """Remove a title and what is in it; only the title itself is told."""
        gone = self.items.remove(title)
        for account in self.accounts.users.values():
            for item in gone:
                account.data.pop(item.id, None)
        return [self._of_library(JellyfinEvent.ITEM_DELETED, gone[0])]

    # --- notifications -----------------------------------------------------------------------

    def _properties(
        self,
        event: JellyfinEvent,
        item: Item,
        account: Account | None,
        device: JellyfinDevice | None = None,
        **details: Any,
    ) -> dict[str, Any]:
        """Return the properties of a notification about an item."""
        title: Any = item.title
        user = account.user if account else None
        properties = self.server.payload(event, title, user, device, **details)
        # A version has the title of the first and an id of its own.
        properties["ItemId"] = item.id
        properties["Name"] = quoted(name_of(item))
        if item.kind is Kind.EPISODE:
            self._set_season(properties, item)
        if not item.has_ids:
            properties = {
                name: value
                for name, value in properties.items()
                if not name.startswith("Provider_")
            }
        return properties

    def _set_season(self, properties: dict[str, Any], item: Item) -> None:
        """Say which season an episode is in; one that is in none has no number."""
        if season := self.items.season_of(item):
            properties["SeasonId"] = self.items.id_of(season)
            properties |= numbers("SeasonNumber", season.number)
        else:
            for name in ("SeasonId", *numbers("SeasonNumber", 0)):
                del properties[name]

    def saved(
        self,
        account: Account,
        item: Item,
        reason: SaveReason,
        told: datetime | None = None,
    ) -> Notification:
        """Return that what a user did with an item was saved, as it is now.

        `told` is the date that is told of it, where that is not the one that was saved.
        """
        data, at = self.data(account, item).copy(), self.now()

        def properties() -> dict[str, Any]:
            properties = self._properties(
                JellyfinEvent.USER_DATA_SAVED,
                item,
                account,
                at=at,
                position=from_ticks(data.position),
                save_reason=reason,
                played=data.played,
                play_count=data.count,
                last_played=told or data.last_played,
                rating=data.rating or 0,
                favorite=data.favorite,
            )
            if data.last_played is None:
                properties.pop("LastPlayedDate", None)
            properties["Likes"] = bool(data.likes)
            return properties

        return Notification(
            event=JellyfinEvent.USER_DATA_SAVED,
            kind=item.kind,
            user_id=account.user.id,
            properties=properties,
        )

    def _playback(
        self,
        event: JellyfinEvent,
        session: Session,
        playing: Playing,
        *,
        completed: bool = False,
        automated: bool = False,
    ) -> list[Notification]:
        """Return what is told of a session: the same for each of its users.

        The item is the one that the client named, as it would play any of its versions.
        """
        at, position, paused = self.now(), session.position, session.paused
        device, item, check_in = session.device, playing.item, session.last_check_in

        def properties(account: Account) -> dict[str, Any]:
            properties = self._properties(
                event,
                item,
                account,
                device,
                at=at,
                position=position,
                completed=completed,
                paused=paused and event == JellyfinEvent.PLAYBACK_PROGRESS,
                automated=automated,
                check_in=check_in,
            )
            properties["MediaSourceId"] = playing.version.id
            return properties

        return [
            Notification(
                event=event,
                kind=item.kind,
                user_id=account.user.id,
                properties=lambda account=account: properties(account),  # type: ignore[misc]
            )
            for account in session.accounts
        ]

    def _of_library(self, event: JellyfinEvent, item: Item) -> Notification:
        """Return that an item came or went."""
        at = self.now()
        return Notification(
            event=event,
            kind=item.kind,
            user_id=None,
            properties=lambda: self._properties(event, item, None, at=at),
        )


def _resumes(item: Item) -> bool:
    """Return whether a position is kept; music begins anew."""
    return item.kind is not Kind.TRACK and item.kind not in FOLDERS
