"""What the plugins of a Jellyfin server are told of: each is a notification to be sent."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .catalogue import Episode, Season
from .jellyfin import (
    JellyfinDevice,
    JellyfinEvent,
    JellyfinServer,
    SaveReason,
    numbers,
    quoted,
    written,
)
from .jellyfin_accounts import Account, Credentials, Playing, Session
from .jellyfin_items import Item, Items, Kind
from .jellyfin_json import name_of
from .jellyfin_plugin import Notification
from .jellyfin_user_data import UserData, from_ticks

# What the server has for a user that it does not know, and for a time that never was.
NOBODY = "0" * 32
NEVER = datetime(1, 1, 1, tzinfo=UTC)


class Notices:
    """Makes notifications; what they tell is as it was when they were made."""

    def __init__(
        self, server: JellyfinServer, items: Items, now: Callable[[], datetime]
    ) -> None:
        self._server = server
        self._items = items
        self._now = now

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
        properties = self._server.payload(event, title, user, device, **details)
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
        if season := self._items.season_of(item):
            properties["SeasonId"] = self._items.id_of(season)
            properties |= numbers("SeasonNumber", season.number)
        else:
            for name in ("SeasonId", *numbers("SeasonNumber", 0)):
                del properties[name]

    def saved(
        self,
        account: Account,
        item: Item,
        data: UserData,
        reason: SaveReason,
        told: datetime | None = None,
    ) -> Notification:
        """Return that what a user did with an item was saved, as it is now.

        `told` is the date that is told of it, where that is not the one that was saved.
        """
        data, at = data.copy(), self._now()

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

    def playback(
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
        at, position, paused = self._now(), session.position, session.paused
        device, item = session.device, playing.item
        check_in, activity = session.last_check_in, session.last_activity

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
                activity=activity,
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

    # --- the library -----------------------------------------------------------------------

    def added(self, item: Item) -> Notification:
        """Return that an item came."""
        at = self._now()
        return Notification(
            event=JellyfinEvent.ITEM_ADDED,
            kind=item.kind,
            user_id=None,
            properties=lambda: self._properties(
                JellyfinEvent.ITEM_ADDED, item, None, at=at
            ),
        )

    def deleted(self, item: Item) -> Notification:
        """Return that an item went, with what can still be known of it."""
        properties = self._properties(
            JellyfinEvent.ITEM_DELETED, item, None, at=self._now()
        )
        unknown = {"SeriesPremiereDate"}
        match item.title:
            case Season(show=show) | Episode(show=show):
                if self._items.get(self._items.id_of(show)) is None:
                    unknown |= {"SeriesName", "SeriesId", "Year"}
        if item.kind is Kind.EPISODE:
            season = self._items.season_of(item)
            if season and self._items.get(self._items.id_of(season)) is None:
                unknown |= set(numbers("SeasonNumber", season.number))
        known = {
            name: value
            for name, value in properties.items()
            if name not in unknown and not name.startswith(("Video_", "Audio_"))
        }
        return Notification(
            event=JellyfinEvent.ITEM_DELETED,
            kind=item.kind,
            user_id=None,
            properties=lambda: dict(known),
        )

    # --- users -----------------------------------------------------------------------------

    def signed_in(self, account: Account, session: Session) -> Notification:
        """Return that a user signed in."""
        return self._of_user(
            JellyfinEvent.AUTHENTICATION_SUCCESS,
            account,
            {
                **self._server.payload(
                    JellyfinEvent.SESSION_START, None, account.user, session.device
                ),
                "LastLoginDate": written(account.last_login or NEVER),
                "LastActivityDate": written(account.last_activity or NEVER),
                "LastPlaybackCheckIn": written(session.last_check_in or NEVER),
            },
        )

    def session_started(self, account: Account, session: Session) -> Notification:
        """Return that a user is on a device where nobody was."""
        return self._of_user(
            JellyfinEvent.SESSION_START,
            account,
            {
                **self._server.payload(
                    JellyfinEvent.SESSION_START, None, account.user, session.device
                ),
                "LastActivityDate": written(NEVER),
                "LastPlaybackCheckIn": written(NEVER),
            },
        )

    def locked_out(self, account: Account) -> Notification:
        """Return that a user may not sign in any more after too many attempts."""
        return self._of_user(
            JellyfinEvent.USER_LOCKED_OUT,
            account,
            {
                **self._server.payload(
                    JellyfinEvent.USER_LOCKED_OUT, None, account.user
                ),
                "LastLoginDate": written(account.last_login or NEVER),
                "LastActivityDate": written(account.last_activity or NEVER),
            },
        )

    def refused(self, name: str, credentials: Credentials) -> Notification:
        """Return that somebody tried to sign in, whoever that was: nobody's id is told."""
        properties = {
            **self._server.payload(JellyfinEvent.AUTHENTICATION_FAILURE),
            "App": credentials.client,
            "Username": name,
            "UserId": NOBODY,
            "AppVersion": credentials.version,
            "DeviceId": credentials.device_id,
            "DeviceName": credentials.device,
            "RemoteEndPoint": "127.0.0.1",
            "NotificationUsername": name,
            "ClientName": credentials.client,
        }
        return Notification(
            event=JellyfinEvent.AUTHENTICATION_FAILURE,
            kind=None,
            user_id=NOBODY,
            properties=lambda: dict(properties),
        )

    @staticmethod
    def _of_user(
        event: JellyfinEvent, account: Account, properties: dict[str, Any]
    ) -> Notification:
        """Return a notification about a user."""
        told = {**properties, "NotificationType": str(event)}
        return Notification(
            event=event,
            kind=None,
            user_id=account.user.id,
            properties=lambda: dict(told),
        )
