"""What a Jellyfin server knows, what changes it, and what its plugins are told of that.

Nothing in here waits: a change is made at once and returns the notifications it raises.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from .catalogue import Movie
from .jellyfin import (
    JellyfinDevice,
    JellyfinEvent,
    JellyfinServer,
    JellyfinUser,
    SaveReason,
)
from .jellyfin_accounts import Account, Accounts, Session
from .jellyfin_items import FOLDERS, Held, Item, Items, Kind
from .jellyfin_json import Descriptions, written
from .jellyfin_plugin import Notification, WebhookPlugin
from .jellyfin_user_data import UserData, from_ticks
from .library import Library

type Version = Literal["10.11", "12.0"]


class JellyfinState:
    """A Jellyfin server without anything to reach it by."""

    def __init__(
        self,
        server: JellyfinServer,
        version: Version,
        library: Library | None,
        now: Callable[[], datetime],
    ) -> None:
        self.server = server
        self.version = version
        self.now = now
        self.items = Items(server, library)
        self.accounts = Accounts(server.id, now)
        self.plugin = WebhookPlugin()
        self.describe = Descriptions(server, self.items)

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
        at: datetime | None = None,
    ) -> list[Notification]:
        """Mark an item; in 12.0 the other versions of a film follow."""
        marked = self.items.playable_within(item) if item.is_folder else [item]
        notifications = []
        for each in marked:
            data = self.data(account, each)
            if played:
                data.mark_played(at, self.now())
            else:
                data.mark_unplayed()
            notifications.append(self.saved(account, each, SaveReason.TOGGLE_PLAYED))
            notifications.extend(self._propagate(account, each, played=played))
        return notifications

    def _propagate(
        self, account: Account, item: Item, *, played: bool
    ) -> list[Notification]:
        """Do to the other versions of a film what was done to one, since 12.0."""
        if self.version == "10.11" or item.kind is not Kind.MOVIE:
            return []
        notifications = []
        for version in self.items.versions(item):
            if version.id == item.id:
                continue
            data = self.data(account, version)
            if played:
                # Neither the count nor the date: it was not this one.
                data.played, data.position = True, 0
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
        self, session: Session, item: Item, position: timedelta
    ) -> list[Notification]:
        """Let a session play an item."""
        session.playing, session.position = item, position
        session.paused, session.paused_at = False, None
        session.last_check_in = self.now()
        notifications = []
        for account in session.accounts:
            self.data(account, item).start(
                self.now(), resumes=_resumes(item), forgets=self.version == "10.11"
            )
            notifications.append(self.saved(account, item, SaveReason.PLAYBACK_START))
        return [
            *notifications,
            *self._playback(JellyfinEvent.PLAYBACK_START, session, item),
        ]

    def progress(
        self,
        session: Session,
        item: Item,
        position: timedelta | None,
        *,
        paused: bool | None,
        automated: bool,
    ) -> list[Notification]:
        """Take a report of how far a session has got.

        `automated` ones are the server's own, once a second, and save nothing.
        """
        if position is not None:
            session.position = position
        if paused is not None and paused is not session.paused:
            session.paused = paused
            session.paused_at = self.now() if paused else None
        session.last_check_in = session.last_activity = self.now()
        notifications = []
        for account in () if automated else session.accounts:
            self._advance(account, session, item)
            notifications += self._after_playing(
                account, item, SaveReason.PLAYBACK_PROGRESS
            )
        return [
            *notifications,
            *self._playback(
                JellyfinEvent.PLAYBACK_PROGRESS, session, item, automated=automated
            ),
        ]

    def stop(
        self, session: Session, item: Item, position: timedelta | None
    ) -> list[Notification]:
        """Let a session stop."""
        if position is not None:
            session.position = position
        session.last_check_in = session.last_activity = self.now()
        notifications, completed = [], False
        for account in session.accounts:
            # That of the last one is told to be that of all.
            completed = self._advance(account, session, item)
            notifications += self._after_playing(
                account, item, SaveReason.PLAYBACK_FINISHED
            )
        notifications += self._playback(
            JellyfinEvent.PLAYBACK_STOP, session, item, completed=completed
        )
        session.playing, session.position = None, timedelta()
        session.paused, session.paused_at = False, None
        return notifications

    def _advance(self, account: Account, session: Session, item: Item) -> bool:
        """Save the position of a session; returns whether it is as good as the end."""
        return self.data(account, item).advance(
            session.position, item.runtime, resumes=_resumes(item)
        )

    def _after_playing(
        self, account: Account, item: Item, reason: SaveReason
    ) -> list[Notification]:
        """Return what is told when the position has been saved."""
        notifications = [self.saved(account, item, reason)]
        if self.data(account, item).played:
            notifications += self._propagate(account, item, played=True)
        return notifications

    # --- the library -----------------------------------------------------------------------

    def add(self, title: Held, *, has_ids: bool = True) -> list[Notification]:
        """Add a title and what it belongs to, the largest first."""
        added = self.items.add(title, self.now(), has_ids=has_ids)
        return [self._of_library(JellyfinEvent.ITEM_ADDED, item) for item in added]

    def add_version(self, movie: Movie, name: str) -> list[Notification]:
        """Add another file of a film, which is an item of its own behind the first."""
        item = self.items.add_version(movie, name, self.now())
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
        # A version has the title of the film and an id of its own.
        properties["ItemId"] = item.id
        if "MediaSourceId" in properties:
            properties["MediaSourceId"] = item.id
        if not item.has_ids:
            properties = {
                name: value
                for name, value in properties.items()
                if not name.startswith("Provider_")
            }
        return properties

    def saved(self, account: Account, item: Item, reason: SaveReason) -> Notification:
        """Return that what a user did with an item was saved, as it is now."""
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
                rating=data.rating or 0,
                favorite=data.favorite,
            )
            properties.pop("LastPlayedDate", None)
            if data.last_played:
                properties["LastPlayedDate"] = written(data.last_played)
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
        item: Item,
        *,
        completed: bool = False,
        automated: bool = False,
    ) -> list[Notification]:
        """Return what is told of a session: the same for each of its users."""
        at, position, paused = self.now(), session.position, session.paused
        device = session.device

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
            )
            properties["IsAutomated"] = automated
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
