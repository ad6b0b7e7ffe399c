"""A stand-in for a Jellyfin server, on a real socket.

It keeps users, tokens, what they have seen, sessions and the webhook plugin's configuration
as the server does, answers the part of the API that has to do with them, and its webhooks
really go out.

    async with JellyfinStandIn(library=Library(movies=40, episodes=200)) as jellyfin:
        alice = jellyfin.add_user("alice", "secret", administrator=True)
        token = jellyfin.sign_in(alice)              # or over HTTP, at jellyfin.url
        jellyfin.plugin.add_generic(url, ["PlaybackStop", "UserDataSaved"])
        await jellyfin.play(jellyfin.library.movies[0], alice)
        await jellyfin.finish()                      # the webhooks have been answered
        with jellyfin.faults.fail(503, path="/Items"):
            ...
        assert jellyfin.log.count_of("GET", "/Items") == 1

The rules were read from the server's and the plugin's own source. `validate=True` holds
every request that it takes, and every answer, against Jellyfin's description of its API
where that is at hand; what does not fit is in `problems`, and leaving the `async with` block
raises it. So does asking for something that the API has and the stand-in has not.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, override

import aiohttp
from aiohttp import web

from .catalogue import Movie, Title, stable_hex
from .certificate import server_context
from .jellyfin import JellyfinDevice, JellyfinServer, JellyfinUser
from .jellyfin_accounts import Account, Accounts, Credentials, Session
from .jellyfin_endpoints import Endpoints
from .jellyfin_items import Item, Items, Kind
from .jellyfin_plugin import Delivery, Notification, Outbox, WebhookPlugin
from .jellyfin_state import JellyfinState, Version
from .jellyfin_user_data import UserData
from .library import Library
from .request_log import LoggedRequest
from .stand_in import HOST, StandIn

if TYPE_CHECKING:
    from .jellyfin_openapi import Description

FULL_VERSIONS: dict[Version, str] = {"10.11": "10.11.11", "12.0": "12.0.0"}


# Where the descriptions of the API are, as jellyfin-openapi-<version>.json.
OPENAPI_VARIABLE = "MEDIA_SCROBBLER_OPENAPI"

_LONGEST_BODY = 16 * 1024 * 1024


class JellyfinStandIn(StandIn):
    """A Jellyfin server with the webhook plugin, running while its block is entered."""

    def __init__(
        self,
        *,
        version: Version = "12.0",
        name: str = "Living room",
        server_id: str | None = None,
        library: Library | None = None,
        titles: Iterable[Title] = (),
        https: bool = False,
        validate: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Make a server with a library and some titles more; it starts when entered.

        `clock` tells the server what time it is.
        """
        super().__init__(server_context() if https else None)
        self.version = version
        self.server = JellyfinServer(
            name=name,
            id=server_id or stable_hex("jellyfin server", name),
            version=FULL_VERSIONS[version],
        )
        self.library = library or Library()
        self.problems: list[str] = []
        self._clock = clock or (lambda: datetime.now(UTC))
        self._state = JellyfinState(self.server, version, self.library, self.now)
        self._outbox = Outbox(self.plugin)
        self._endpoints = Endpoints(self._state, self._outbox.send, lambda: self.url)
        self._https = https
        self._description = self._load_description() if validate else None
        for title in titles:
            self.items.add(title, self.now())

    def _load_description(self) -> Description | None:
        """Return Jellyfin's description of this version, None if it is not at hand."""
        if not (folder := os.environ.get(OPENAPI_VARIABLE)):
            return None
        # What this imports is there for the tests only.
        from .jellyfin_openapi import description_of

        return description_of(self.version, Path(folder))

    @property
    def validates(self) -> bool:
        """Return whether requests and answers are held against the description."""
        return self._description is not None

    @property
    def items(self) -> Items:
        """Return what the server holds, to look at; `add` and the like change it."""
        return self._state.items

    @property
    def accounts(self) -> Accounts:
        """Return who may use the server."""
        return self._state.accounts

    @property
    def plugin(self) -> WebhookPlugin:
        """Return the webhook plugin, which can be missing."""
        return self._state.plugin

    def now(self) -> datetime:
        """Return what time the server thinks it is."""
        return self._clock()

    # --- running -------------------------------------------------------------------------

    @override
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        if error is None:
            self.check()

    def check(self) -> None:
        """Raise what has gone wrong so far, if anything has."""
        if self.problems:
            raise AssertionError("\n".join(self.problems))

    @property
    @override
    def url(self) -> str:
        """Return the address, which stays the same when the server starts again."""
        return f"{'https' if self._https else 'http'}://{HOST}:{self.port}"

    @override
    async def start(self) -> None:
        """Start to listen, and to send webhooks; on the port of the last time."""
        if self.running:
            return
        self.items.prepare()
        self.plugin.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64),
            headers={"User-Agent": f"Jellyfin-Server/{self.server.version}"},
        )
        await super().start()

    @override
    async def stop(self) -> None:
        """Be down: nothing is answered, and webhooks under way are given up."""
        await super().stop()
        await self._outbox.close()
        session, self.plugin.session = self.plugin.session, None
        if session is not None:
            await session.close()

    @override
    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_LONGEST_BODY)
        # What there is, and for whom, is the endpoints' to know.
        app.router.add_route("*", "/{path:.*}", self._respond)
        return app

    async def delivered(self) -> list[Delivery]:
        """Wait until every webhook was answered; returns all that were ever sent."""
        await self._outbox.empty()
        return self.plugin.deliveries

    async def _deliver(self, notifications: Iterable[Notification]) -> list[Delivery]:
        """Send webhooks one after the other, and return what came of them."""
        return [
            delivery
            for notification in notifications
            for delivery in await self.plugin.send(notification)
        ]

    async def _respond(self, request: web.Request) -> web.Response:
        """Answer a request as the server does, and check both."""
        asked = LoggedRequest(
            method=request.method,
            path=request.path,
            query=list(request.query.items()),
            headers=request.headers,
            body=await request.read(),
        )
        response, problem = await self._endpoints.answer(asked)
        self.problems.extend(
            f"{asked.method} {asked.path}: {what}"
            for what in ([problem] if problem else self._violations(asked, response))
        )
        return response

    def _violations(self, asked: LoggedRequest, response: web.Response) -> list[str]:
        """Return what is not as the API is described."""
        known = self._endpoints.has(asked.method, asked.path)
        if not known:
            self.unknown.append(asked)
        if self._description is None:
            return []
        if not known:
            if self._description.describes(asked.method, asked.path):
                return ["the stand-in does not play this endpoint"]
            return ["there is no such endpoint"]
        body = response.body if isinstance(response.body, bytes) else None
        return self._description.violations(
            asked, response.status, response.headers, body
        )

    # --- users ---------------------------------------------------------------------------

    def add_user(
        self,
        name: str,
        password: str = "",
        *,
        administrator: bool = False,
        hidden: bool = False,
        user: JellyfinUser | None = None,
    ) -> JellyfinUser:
        """Add a user."""
        user = user or JellyfinUser.named(name)
        self.accounts.users[user.id] = Account(
            user=user, password=password, administrator=administrator, hidden=hidden
        )
        return user

    def account(self, user: JellyfinUser) -> Account:
        """Return what the server keeps of a user, to look at and to change."""
        return self.accounts.users[user.id]

    def remove_user(self, user: JellyfinUser) -> None:
        """Remove a user, whose tokens end with it."""
        self.revoke_tokens(user)
        del self.accounts.users[user.id]

    def sign_in(self, user: JellyfinUser, device_id: str = "by hand") -> str:
        """Return a token as signing in over HTTP gives one."""
        credentials = Credentials(
            client="By hand", device="By hand", device_id=device_id, version="1.0.0"
        )
        return self.accounts.sign_in(self.account(user), credentials).value

    def api_key(self, name: str = "By hand") -> str:
        """Return a new API key."""
        return self.accounts.api_key(name).value

    def revoke(self, token: str) -> None:
        """End a token or an API key."""
        self.accounts.tokens.pop(token, None)

    def revoke_tokens(self, user: JellyfinUser) -> None:
        """End all tokens of a user, as a new password does."""
        for token in list(self.accounts.tokens.values()):
            if token.account is self.account(user):
                self.accounts.sign_out(token)

    def authorize_quick_connect(self, code: str, user: JellyfinUser) -> None:
        """Let the device with a code in, as the user does in the settings."""
        request = self.accounts.quick_connect_code(code)
        assert request is not None, "there is no such code, or it has expired"
        self.accounts.authorize(request, self.account(user))

    # --- what users have seen --------------------------------------------------------------

    def data_of(self, user: JellyfinUser, title: Title) -> UserData:
        """Return what a user did with a title; changing it tells nobody."""
        return self._state.data(self.account(user), self.items.of(title))

    def seed_history(
        self,
        user: JellyfinUser,
        plays: int,
        *,
        until: datetime | None = None,
        every: timedelta = timedelta(hours=5),
    ) -> None:
        """Let a user have seen the first so many episodes and films, telling nobody.

        The last one was seen at `until`, the others that much earlier each.
        """
        places = [
            (kind, number)
            for kind in (Kind.EPISODE, Kind.MOVIE, Kind.TRACK)
            for number in self.items.listed([kind])[kind]
        ][:plays]
        assert len(places) == plays, "the library has not that much"
        first = (until or self.now()) - every * (plays - 1)
        account = self.account(user)
        account.changes += 1
        data = account.data
        for which, place in enumerate(places):
            data[self.items.id_at(*place)] = UserData(
                played=True, count=1, last_played=first + which * every
            )

    async def mark_played(
        self, title: Title, *users: JellyfinUser, at: datetime | None = None
    ) -> list[Delivery]:
        """Mark a title, or all that is in it, as seen; with a date it is once more."""
        item = self.items.of(title)
        return await self._deliver(
            notification
            for user in users
            for notification in self._state.mark(
                self.account(user), item, played=True, at=at
            )
        )

    async def mark_unplayed(self, title: Title, *users: JellyfinUser) -> list[Delivery]:
        """Mark a title, or all that is in it, as not seen."""
        item = self.items.of(title)
        return await self._deliver(
            notification
            for user in users
            for notification in self._state.mark(self.account(user), item, played=False)
        )

    async def favor(
        self, title: Title, user: JellyfinUser, *, favorite: bool = True
    ) -> list[Delivery]:
        """Make a title one of a user's favourites, or let it be none any more."""
        return await self._deliver(
            self._state.favor(
                self.account(user), self.items.of(title), favorite=favorite
            )
        )

    # --- playing ---------------------------------------------------------------------------

    async def play(
        self,
        title: Title,
        *users: JellyfinUser,
        device: JellyfinDevice | None = None,
        position: timedelta = timedelta(),
    ) -> list[Delivery]:
        """Start to play; all users watch together, in the session of the first."""
        assert users, "somebody has to watch"
        session = self.accounts.session(
            device or self.server.device, [self.account(user) for user in users]
        )
        return await self._deliver(
            self._state.start(session, self.items.of(title), position)
        )

    async def progress(
        self,
        position: timedelta | None = None,
        *,
        device: JellyfinDevice | None = None,
        paused: bool | None = None,
        automated: bool = False,
    ) -> list[Delivery]:
        """Report how far it has got: by the player, or (automated) by the server itself."""
        session, item = self._playing(device)
        return await self._deliver(
            self._state.progress(
                session, item, position, paused=paused, automated=automated
            )
        )

    async def pause(
        self, position: timedelta | None = None, *, device: JellyfinDevice | None = None
    ) -> list[Delivery]:
        """Pause, which only progress tells."""
        return await self.progress(position, device=device, paused=True)

    async def resume(
        self, position: timedelta | None = None, *, device: JellyfinDevice | None = None
    ) -> list[Delivery]:
        """Go on after a pause."""
        return await self.progress(position, device=device, paused=False)

    async def stop_playing(
        self, position: timedelta | None = None, *, device: JellyfinDevice | None = None
    ) -> list[Delivery]:
        """Stop where it is, or at a position."""
        session, item = self._playing(device)
        return await self._deliver(self._state.stop(session, item, position))

    async def finish(self, *, device: JellyfinDevice | None = None) -> list[Delivery]:
        """Play to the end and stop."""
        _, item = self._playing(device)
        return await self.stop_playing(item.runtime or timedelta(), device=device)

    def _playing(self, device: JellyfinDevice | None) -> tuple[Session, Item]:
        """Return the session that plays on a device, and what."""
        device = device or self.server.device
        session = self.accounts.sessions.get(self.accounts.session_id(device))
        assert session is not None and session.playing is not None, "nothing plays"
        return session, session.playing

    # --- the library -------------------------------------------------------------------------

    async def add(self, title: Title, *, has_ids: bool = True) -> list[Delivery]:
        """Add a title and what it belongs to, with or without external ids."""
        return await self._deliver(self._state.add(title, has_ids=has_ids))

    async def add_version(self, movie: Movie, name: str) -> list[Delivery]:
        """Add another file of a film, which is an item of its own behind the first."""
        return await self._deliver(self._state.add_version(movie, name))

    async def remove(self, title: Title) -> list[Delivery]:
        """Remove a title and what is in it; only the title itself is told."""
        return await self._deliver(self._state.remove(title))
