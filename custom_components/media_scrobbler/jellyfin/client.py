"""A Jellyfin server's API, for 10.11 and 12.x."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain

from aiohttp import ClientSession
from homeassistant.util import dt as dt_util

from ..domain.event import Party, SavedData
from ..domain.fields import Fields, PayloadError
from ..domain.library import Completion, LatestPage, Page, Section
from ..domain.media_server import (
    ExpiredError,
    ForbiddenError,
    ItemGoneError,
    NotAMediaServerError,
    NowPlaying,
    ServerInfo,
    ServerState,
    TooOldError,
)
from ..domain.title import MediaType, Title
from ..http_client import path
from ..polling import async_poll
from . import history, library, plugin, tasks
from .dto import item_title
from .http import Http, NotFoundError, RefusedError, understood
from .items import TICKS_PER_SECOND, plain_id
from .users import async_users

MIN_VERSION = (10, 11)

FIRST_TO_REMEMBER = (12, 0)
"""From this version on a title that was seen counts as seen while it is seen again."""

QUICK_CONNECT_INTERVAL = 2
QUICK_CONNECT_LIFETIME = 10 * 60


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A token and whose it is."""

    token: str
    account: Party


class JellyfinClient:
    """Implements MediaServer for Jellyfin."""

    def __init__(
        self,
        session: ClientSession,
        *,
        url: str,
        device_id: str,
        token: str | None = None,
        user_id: str | None = None,
    ) -> None:
        """Take where the server is; nothing is asked yet.

        `session` decides whether certificates are verified. `user_id` is whose token it
        is; an API key is nobody's.
        """
        self._http = Http(session, url=url, device_id=device_id, token=token)
        self._user_id = user_id
        self._server_id = ""
        self._version: tuple[int, ...] = ()
        # Whether the sign-in is an administrator's, None as long as nobody has said so.
        self._is_administrator: bool | None = None

    # Signing in

    async def async_sign_in(self, username: str, password: str) -> SignedIn:
        """Sign in by password; the token is used from now on."""
        return self._take(
            await self._http.async_object(
                "POST",
                "/Users/AuthenticateByName",
                body={"Username": username, "Pw": password},
            )
        )

    async def async_quick_connect(self) -> tuple[str, str]:
        """Start a Quick Connect; returns the code to show and the secret to wait with.

        Raises ForbiddenError where the server has it switched off.
        """
        if await self._http.async_request("GET", "/QuickConnect/Enabled") is not True:
            raise ForbiddenError
        answer = await self._http.async_object("POST", "/QuickConnect/Initiate")
        with understood():
            code, secret = answer.text("Code"), answer.text("Secret")
        if code is None or secret is None:
            raise NotAMediaServerError
        return code, secret

    async def async_wait_for_quick_connect(self, secret: str) -> SignedIn:
        """Return the sign-in once a person has entered the code.

        Raises ExpiredError when that has not happened in time, and nothing else.
        """

        async def signed_in() -> SignedIn | None:
            try:
                answer = await self._http.async_object(
                    "GET", "/QuickConnect/Connect", params={"secret": secret}
                )
                with understood():
                    if not answer.flag("Authenticated"):
                        return None
                # The secret stays good once it was used, should the answer be lost.
                return self._take(
                    await self._http.async_object(
                        "POST",
                        "/Users/AuthenticateWithQuickConnect",
                        body={"Secret": secret},
                    )
                )
            except NotFoundError as err:
                raise ExpiredError from err

        return await async_poll(
            signed_in, interval=QUICK_CONNECT_INTERVAL, lifetime=QUICK_CONNECT_LIFETIME
        )

    def _take(self, answer: Fields) -> SignedIn:
        with understood():
            token, user = answer.text("AccessToken"), answer.object("User")
            if token is None or user is None:
                raise NotAMediaServerError
            account = Party(plain_id(user, "Id"), user.text("Name"))
        self._http.token, self._user_id = token, account.id
        return SignedIn(token, account)

    async def async_sign_out(self) -> None:
        """Give back the token."""
        await self._http.async_request("POST", "/Sessions/Logout")

    # Reading

    async def async_info(self) -> ServerInfo:
        """Return which server answers; needs no sign-in."""
        answer = await self._http.async_object("GET", "/System/Info/Public")
        with understood():
            identity, version = plain_id(answer, "Id"), answer.text("Version")
            name = answer.text("ServerName") or "Jellyfin"
        if identity is None or version is None:
            raise NotAMediaServerError
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if numbers < MIN_VERSION:
            raise TooOldError
        self._server_id, self._version = identity, numbers
        return ServerInfo(identity, name, version)

    async def async_accounts(self) -> list[Party]:
        """Return the server's users, that of the sign-in first."""
        users = await async_users(self._http)
        for user in users:
            if user.account.id == self._user_id:
                self._is_administrator = user.is_administrator
        return sorted(
            (user.account for user in users),
            key=lambda account: account.id != self._user_id,
        )

    async def async_state(self) -> ServerState:
        """Return how the server is; of its tasks only administrators are told."""
        answer = await self._http.async_object("GET", "/System/Info")
        with understood():
            pending = answer.flag("HasPendingRestart")
        found = await self._async_tasks()
        return ServerState(
            pending_restart=pending,
            scanned_at=tasks.scanned_at(found),
            has_late_queue=bool(
                tasks.late_queues(found, dt_util.utcnow() + self._http.clock_ahead)
            ),
        )

    async def async_hurry(self) -> None:
        """Have the webhook plugin tell now of what came and went, if we may."""
        if self._is_administrator is not False:
            await tasks.async_run_queues(self._http)

    async def _async_tasks(self) -> list[tasks.Task]:
        if self._is_administrator is False:
            return []
        return await tasks.async_tasks(self._http)

    async def async_now_playing(self) -> list[NowPlaying]:
        """Return what is playing."""
        sessions = await self._http.async_objects("/Sessions")
        return [
            playing
            for session in sessions
            if (playing := self._now_playing(session)) is not None
        ]

    def _now_playing(self, session: Fields) -> NowPlaying | None:
        try:
            item, state = session.object("NowPlayingItem"), session.object("PlayState")
            if item is None:
                return None
            title = item_title(item, None, self._server_id)
            if title is None:
                return None
            position = (
                state.seconds("PositionTicks", TICKS_PER_SECOND) if state else None
            )
            account = Party(plain_id(session, "UserId"), session.text("UserName"))
            poster = item.text("SeriesId") or item.text("AlbumId") or item.text("Id")
            return NowPlaying(
                player=Party(session.text("DeviceId"), session.text("DeviceName")),
                account=account if account.id or account.name else None,
                title=title,
                paused=bool(state and state.flag("IsPaused")),
                position=position,
                artwork=poster,
            )
        except PayloadError:
            return None

    async def async_title(self, item: str) -> Title | None:
        """Return what the server knows of an item, None if it has it no more."""
        titles = await self.async_titles([item])
        return next(chain.from_iterable(titles.values()), None)

    async def async_titles(
        self, items: Collection[str]
    ) -> dict[str, tuple[Title, ...]]:
        """Return what the server knows of items, by their ids; not of those that are gone."""
        params = {
            "ids": ",".join(items),
            "fields": "ProviderIds",
            "recursive": "true",
        }
        if self._user_id is not None:
            params["userId"] = self._user_id
        answer = await self._http.async_object("GET", "/Items", params=params)
        titles: dict[str, tuple[Title, ...]] = {}
        try:
            for found in answer.objects("Items"):
                title = item_title(found, None, self._server_id)
                key = plain_id(found, "Id")
                if title is not None and key is not None and key in items:
                    titles[key] = (title,)
        except PayloadError:
            pass
        return titles

    async def async_artwork(self, artwork: str) -> bytes:
        """Return an item's poster; it needs no token."""
        return await self._http.async_picture(
            path("Items", artwork, "Images", "Primary"),
            {"maxWidth": "600", "format": "Jpg"},
        )

    # Libraries and what was watched of them

    async def async_sections(self) -> list[Section]:
        """Return the libraries of movies and shows that the sign-in may see."""
        return await library.async_sections(self._http, self._user_id)

    async def async_page(
        self,
        section: Section,
        media_type: MediaType,
        start: int,
        limit: int,
        *,
        account: str | None = None,
    ) -> Page:
        """Return items of a section, the oldest addition first.

        With an account, whether it has watched the movies and episodes. A section that
        may not be seen is empty. Raises ItemGoneError for one that is gone.
        """
        return await library.async_page(
            self._http,
            await self._async_server_id(),
            section,
            media_type,
            start,
            limit,
            user_id=self._user_id,
            account=account,
        )

    async def async_episodes(self, item: str) -> list[Title]:
        """Return the episodes of a show or season by its item id; none if it is gone."""
        return await library.async_episodes(
            self._http, await self._async_server_id(), item, user_id=self._user_id
        )

    @property
    def clock_error(self) -> timedelta:
        """Return how far the server's clock is ahead.

        The times in its webhooks are believed unless they are yet to come.
        """
        return max(self._http.clock_ahead, timedelta())

    async def async_history(
        self,
        accounts: Collection[str],
        since: datetime | None,
        *,
        active_since: datetime | None = None,
    ) -> AsyncIterator[list[Completion]]:
        """Yield what accounts have completed, page by page; all of it, or since a time.

        Of each title only the last time is known. Accounts that have not used the server
        since `active_since`, if that is given, are left out.
        """
        # With it comes the version, which tells how times are to be understood.
        server_id = await self._async_server_id()
        pages = history.async_history(
            self._http,
            server_id,
            accounts,
            since,
            active_since=active_since,
            forgets=self._version < FIRST_TO_REMEMBER,
        )
        async for page in pages:
            yield page

    async def async_latest(
        self,
        accounts: Collection[str],
        since: datetime,
        *,
        active_since: datetime | None = None,
    ) -> AsyncIterator[LatestPage]:
        """Yield what accounts have completed since a time; how much else there is is not told."""
        async for page in self.async_history(
            accounts, since, active_since=active_since
        ):
            yield LatestPage(page)

    def can_mark(self, account: str) -> bool:
        """Return whether what this account has watched can be marked on the server.

        An administrator can for everybody, and so can an API key.
        """
        return account == self._user_id or self._is_administrator is not False

    @property
    def dates_marks(self) -> bool:
        """Return that a mark tells when something was watched."""
        return True

    async def async_saved(self, account: str, item: str) -> SavedData | None:
        """Return what the server has saved of an item for an account, None for nothing."""
        return await library.async_saved(self._http, account, item)

    async def async_watched(
        self, account: str, items: Collection[str]
    ) -> dict[str, datetime | None]:
        """Return which of some items an account has watched, and when it last did."""
        return await library.async_watched(self._http, account, items)

    async def async_mark(
        self,
        account: str,
        item: str,
        *,
        watched: bool,
        watched_at: datetime | None = None,
    ) -> bool:
        """Mark an item as watched by an account, or as not watched.

        With a time it counts as one more time that it was watched; without one, an
        earlier time that the server has stays. Returns whether the answer bears it out.
        Raises ItemGoneError for an item that is gone or that the account may not see,
        ForbiddenError where marking for this account is not allowed.
        """
        params = {"userId": account}
        if watched and watched_at is not None:
            at = watched_at.astimezone(UTC).replace(tzinfo=None)
            params["datePlayed"] = f"{at.isoformat()}Z"
        try:
            answer = await self._http.async_request(
                "POST" if watched else "DELETE",
                path("UserPlayedItems", item),
                params=params,
            )
        except RefusedError as err:
            await self._http.async_assert_reached()
            raise ItemGoneError from err
        shown = answer.get("Played") if isinstance(answer, dict) else None
        return shown in (watched, None)

    async def _async_server_id(self) -> str:
        if not self._server_id:
            await self.async_info()
        return self._server_id

    # Webhooks

    async def async_webhook_obstacle(self) -> str | None:
        """Return why no webhook can be registered, or None."""
        return await plugin.async_obstacle(self._http)

    async def async_register_webhook(
        self, url: str, replaced: Collection[str] = ()
    ) -> None:
        """Have the webhook plugin send to this URL; other destinations stay as they are."""
        await plugin.async_register(self._http, url, replaced)

    async def async_remove_webhooks(self, urls: Collection[str]) -> None:
        """Remove our destinations from the webhook plugin."""
        await plugin.async_remove(self._http, urls)
