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

The rules were read from the server's and the plugin's own source, and seen with servers of
10.11.11 and 12.0.0; test_jellyfin_recordings.py holds the stand-in against what those were
recorded to do. On purpose it is not as they are in this:

- Nothing happens by itself, for the sake of tests that are quick and always the same: the
  reports of each second, the look for players that are silent and the plugin's tasks are for
  `tick`, `stop_idle` and `run`. `add`, `remove` and the like run the plugin's tasks until all
  is told, as most tests are about what comes of that; `announce=False` leaves it to `run`.
- There is an item for the artist of an album only, and an album has no other artist.
- A second plugin is installed, as on any server that has been used for a while.
- User data that has parted is always answered as it was under the older id; a server answers
  whichever row its database gives first.
- What no client of a history reads is left out: streams, chapters, segments, people, the key
  that user data is kept by.

`validate=True` holds
every request that it takes, and every answer, against Jellyfin's description of its API
where that is at hand; what does not fit is in `problems`, and leaving the `async with` block
raises it. So does asking for something that the API has and the stand-in has not.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, tzinfo
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, override

import aiohttp
from aiohttp import web

from .catalogue import Episode, ExternalIds, Movie, Season, Show, Title, stable_hex
from .certificate import server_context
from .jellyfin import JellyfinDevice, JellyfinServer, JellyfinUser
from .jellyfin_accounts import Account, Accounts, Credentials, Playing, Session
from .jellyfin_endpoints import Endpoints
from .jellyfin_folders import Folder
from .jellyfin_items import Item, Items, Kind
from .jellyfin_plugin import Delivery, Notification, Outbox, WebhookPlugin
from .jellyfin_state import JellyfinState
from .jellyfin_tasks import TaskKey
from .jellyfin_user_data import PlayedDate, UserData
from .jellyfin_version import JELLYFIN_12_0, JellyfinVersion
from .library import Library
from .request_log import LoggedRequest
from .stand_in import HOST, StandIn

if TYPE_CHECKING:
    from .jellyfin_openapi import Description

# Where the descriptions of the API are, as jellyfin-openapi-<version>.json.
OPENAPI_VARIABLE = "MEDIA_SCROBBLER_OPENAPI"

_LONGEST_BODY = 16 * 1024 * 1024


class JellyfinStandIn(StandIn):
    """A Jellyfin server with the webhook plugin, running while its block is entered."""

    def __init__(
        self,
        *,
        version: JellyfinVersion = JELLYFIN_12_0,
        name: str = "Living room",
        server_id: str | None = None,
        library: Library | None = None,
        titles: Iterable[Title] = (),
        https: bool = False,
        validate: bool = False,
        clock: Callable[[], datetime] | None = None,
        zone: tzinfo = UTC,
        base_url: str = "",
    ) -> None:
        """Make a server with a library and some titles more; it starts when entered.

        `clock` tells the server what time it is, `zone` is that of its local time. All
        paths are below `base_url`, such as /jellyfin.
        """
        super().__init__(server_context() if https else None)
        self.version = version
        self.server = JellyfinServer(
            name=name,
            id=server_id or stable_hex("jellyfin server", name),
            version=version,
            timezone=zone,
        )
        self.library = library or Library()
        self.problems: list[str] = []
        self._clock = clock or (lambda: datetime.now(UTC))
        self._state = JellyfinState(self.server, self.library, self.now)
        self._outbox = Outbox(self.plugin)
        self._endpoints = Endpoints(self._state, self._outbox.send, lambda: self.url)
        self._https = https
        self.base_url = base_url
        self._description = self._load_description() if validate else None
        for title in titles:
            self.items.add(title, self.now())

    def _load_description(self) -> Description | None:
        """Return Jellyfin's description of this version, None if it is not at hand."""
        if not (folder := os.environ.get(OPENAPI_VARIABLE)):
            return None
        # What this imports is there for the tests only.
        from .jellyfin_openapi import description_of

        return description_of(self.version.series, Path(folder))

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
        scheme = "https" if self._https else "http"
        return f"{scheme}://{HOST}:{self.port}{self.base_url}"

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
        path = request.path.removeprefix(self.base_url)
        if self.base_url and (path == request.path or path in {"", "/"}):
            # Whatever is asked for outside of it, this is where it leads.
            raise web.HTTPFound(f"{self.base_url}/web/")
        asked = LoggedRequest(
            method=request.method,
            path=path,
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

    def data_of(
        self, user: JellyfinUser, title: Title, version: str | None = None
    ) -> UserData:
        """Return what a user did with a title or a version; changing it tells nobody."""
        return self._state.data(self.account(user), self._version(title, version))

    def _version(self, title: Title, name: str | None) -> Item:
        """Return the version of a title with a name, the first one without."""
        if name is None:
            return self.items.of(title)
        return self.items.version(title, name)

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
        self,
        title: Title,
        *users: JellyfinUser,
        at: datetime | str | None = None,
        version: str | None = None,
    ) -> list[Delivery]:
        """Mark a title, one of its versions, or all that is in it, as seen.

        With a date it is once more; a text is read as `datePlayed` is by the API.
        """
        date = None
        if isinstance(at, str):
            date = PlayedDate.read(at, self.server.timezone)
        elif at is not None:
            date = PlayedDate.of(at)
        item = self._version(title, version)
        return await self._deliver(
            notification
            for user in users
            for notification in self._state.mark(
                self.account(user), item, played=True, date=date
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
        version: str | None = None,
    ) -> list[Delivery]:
        """Start to play; all users watch together, in the session of the first."""
        assert users, "somebody has to watch"
        session = self.accounts.session(
            device or self.server.device, [self.account(user) for user in users]
        )
        item = self._version(title, version)
        # A client names the item that it found in a list, whichever version it plays.
        first = self.items.get(item.version_of) if item.version_of else item
        assert first is not None
        return await self._deliver(
            self._state.start(session, Playing(first, item), position)
        )

    async def progress(
        self,
        position: timedelta | None = None,
        *,
        device: JellyfinDevice | None = None,
        paused: bool | None = None,
    ) -> list[Delivery]:
        """Report how far it has got, as the player does.

        What the server has stopped because the player was silent goes on by that.
        """
        session = self._session(device)
        playing = session.playing or session.before
        assert playing is not None, "nothing has ever played"
        return await self._deliver(
            self._state.progress(session, playing, position, paused=paused)
        )

    async def tick(self, seconds: int = 1) -> list[Delivery]:
        """Let seconds pass for the server: it reports by itself, once in each.

        Its clock is not moved by that, and players are not heard of.
        """
        return await self._deliver(
            notification for _ in range(seconds) for notification in self._state.tick()
        )

    async def stop_idle(self) -> list[Delivery]:
        """Let the server look for players that it has not heard of for five minutes.

        It does so every five minutes, and stops what they play.
        """
        return await self._deliver(self._state.stop_idle())

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
        self,
        position: timedelta | None = None,
        *,
        device: JellyfinDevice | None = None,
        tells_position: bool = True,
        failed: bool = False,
    ) -> list[Delivery]:
        """Stop where it is, or at a position, which not every player tells."""
        session, playing = self._playing(device)
        if position is None and tells_position:
            position = session.position
        return await self._deliver(
            self._state.stop(session, playing, position, failed=failed)
        )

    async def finish(self, *, device: JellyfinDevice | None = None) -> list[Delivery]:
        """Play to the end and stop."""
        _, playing = self._playing(device)
        runtime = playing.item.runtime or timedelta()
        return await self.stop_playing(runtime, device=device)

    def _session(self, device: JellyfinDevice | None) -> Session:
        """Return the session on a device."""
        device = device or self.server.device
        session = self.accounts.sessions.get(self.accounts.session_id(device))
        assert session is not None, "nobody has used the device"
        return session

    def _playing(self, device: JellyfinDevice | None) -> tuple[Session, Playing]:
        """Return the session that plays on a device, and what."""
        session = self._session(device)
        assert session.playing is not None, "nothing plays"
        return session, session.playing

    def tell_playback_first(self) -> None:
        """Send the event of a player before that of the user data it changed.

        A real server sends the two milliseconds apart, in either order.
        """
        self._state.playback_first = True

    # --- the library -------------------------------------------------------------------------

    async def add(
        self,
        title: Title,
        *,
        has_ids: bool = True,
        folder: Season | Show | None = None,
        announce: bool = True,
    ) -> list[Delivery]:
        """Add a title and what it belongs to, with or without external ids.

        `folder` is where the file of an episode lies, if not in its season's folder. The
        plugin's tasks are run until all is told; without `announce`, that is left to `run`.
        """
        self._state.add(title, has_ids=has_ids, folder=folder)
        return await self._announce() if announce else []

    async def add_version(
        self,
        title: Movie | Episode,
        name: str,
        *,
        has_ids: bool = True,
        announce: bool = True,
    ) -> list[Delivery]:
        """Add another file of a film or an episode: an item of its own behind the first.

        That of an episode is an item beside the first one before 12.0. Without ids its
        name is that of the file.
        """
        self._state.add_version(title, name, has_ids=has_ids)
        return await self._announce() if announce else []

    async def remove(self, title: Title, *, announce: bool = True) -> list[Delivery]:
        """Remove a title and what is in it; what users did with it is kept for its return.

        Before 12.0 only the title itself is told, from then on all that was in it.
        """
        self._state.remove(title)
        return await self._announce() if announce else []

    async def rename(self, title: Title, *, announce: bool = True) -> list[Delivery]:
        """Rename the file of a title, which has another id from then on."""
        self._state.rename(title)
        return await self._announce() if announce else []

    def change_ids(self, title: Title, ids: ExternalIds) -> None:
        """Let the server find other external ids of a title than it had.

        What users did with the title until then is what it answers of it from then on, while
        lists go by what they do later: user data is kept by external id, and it parts.
        """
        self._state.change_ids(title, ids)

    async def run(self, task: TaskKey) -> list[Delivery]:
        """Run a task once: the server's scan, or one of the plugin's."""
        return await self._deliver(self._state.run(task))

    async def tell_added(self, *titles: Title) -> list[Delivery]:
        """Tell of titles as new ones, and not of what they are in."""
        notices = self._state.notices
        return await self._deliver(
            notices.added(self.items.of(title)) for title in titles
        )

    async def _announce(self) -> list[Delivery]:
        """Run the plugin's tasks until there is nothing that they have not told of.

        At a real server it takes an hour until they do so for the first time, 90 seconds
        each time after that, and a quarter of an hour where external ids are missing.
        """
        deliveries = []
        while self._state.announcements.waiting:
            deliveries += await self.run(TaskKey.ITEMS_ADDED)
            deliveries += await self.run(TaskKey.ITEMS_DELETED)
        return deliveries

    @property
    def folders(self) -> Mapping[str, Folder]:
        """Return the libraries that were made over the API, by name."""
        return self._state.folders

    def scanning(self) -> AbstractContextManager[None]:
        """Let the server look through its library, until the block is left."""
        return self._state.tasks.running(TaskKey.SCAN)

    @property
    def scans(self) -> int:
        """Return how often the library was looked through."""
        return self._state.scans

    @scans.setter
    def scans(self, scans: int) -> None:
        self._state.scans = scans

    @property
    def pending_restart(self) -> bool:
        """Return whether the server has to be started again for something to be active."""
        return self._state.pending_restart

    @pending_restart.setter
    def pending_restart(self, pending: bool) -> None:
        self._state.pending_restart = pending
