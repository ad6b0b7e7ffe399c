"""Plex, all of it, on this machine: plex.tv, its catalogue, and media servers.

    async with PlexStandIn(owner="alice", home=("bob",), titles=[THE_SALT_ROAD]) as plex:
        os.environ.update(plex.environment)     # or give them to another process
        code = plex.tv.pin().code               # once a client has asked to be signed in
        plex.tv.confirm(plex.owner, code)
        await plex.play("bob", THE_SALT_ROAD)   # in the sessions; webhooks are sent
        await plex.finish()                     # in the history, and watched
        await plex.stop()
        plex.server.faults.fail(500, path="/library/*", times=2)
        plex.revoke("alice")                    # every token of hers answers 401
        assert plex.server.log.count_of("GET", "/status/sessions") == 1

Clients reach it unchanged, by the environment alone: a proxy answers for the hosts of Plex
with certificates of an authority made for the occasion. Media servers are reached directly,
or through the proxy under the names that plex.tv gives them.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
import shutil
import tempfile
from types import TracebackType
from typing import Literal, Self

from .authority import Authority
from .catalogue import Episode, Playable, Title
from .certificate import server_context
from .library import Library
from .plex import PlexPlayer
from .plex_accounts import PlexAccounts, PlexUser
from .plex_activity import Delivery, HistoryEntry, PlexSession
from .plex_discover import DISCOVER_HOSTS, PlexDiscover
from .plex_media_server import PlexMediaServer
from .plex_sections import Item, Kind, ViewState
from .plex_tv import PLEX_TV_HOSTS, Connection, Pin, PlexTv, Resource
from .stand_in import has_token
from .tls_proxy import TlsProxy

__all__ = [
    "Connection",
    "Delivery",
    "HistoryEntry",
    "Item",
    "Kind",
    "Pin",
    "PlexMediaServer",
    "PlexSession",
    "PlexStandIn",
    "PlexUser",
    "Resource",
    "ViewState",
    "has_token",
]

type Https = Literal["plex.direct", "self-signed", "none"]


class PlexStandIn:
    """Plex with one media server, its owner, and the people the owner shares it with.

    What people do is done on that server; others are added by `add_server`. `environment` is
    what a client needs to be told.
    """

    def __init__(
        self,
        *,
        owner: str = "alice",
        plex_pass: bool = True,
        home: Iterable[str] = (),
        managed: Iterable[str] = (),
        friends: Iterable[str] = (),
        name: str = "Attic",
        library: Library | None = None,
        titles: Iterable[Title] = (),
        legacy: float = 0,
        https: Https = "plex.direct",
    ) -> None:
        """Set it up with people by their names and a library.

        `managed` are members of the home without an account of their own. `legacy` is the
        share of the library that is in sections with agents of old. The media server speaks
        plain HTTP in any case, and https with a certificate for the name that plex.tv gives
        it, or with one that nobody vouches for.
        """
        self.accounts = PlexAccounts()
        self.owner = self.accounts.add(owner, plex_pass=plex_pass)
        members = [
            *(self.accounts.add(one, friend_of=self.owner, home=True) for one in home),
            *(
                self.accounts.add(one, friend_of=self.owner, managed=True)
                for one in managed
            ),
            *(self.accounts.add(one, friend_of=self.owner) for one in friends),
        ]
        self._authority = Authority()
        self.proxy = TlsProxy()
        self.tv = PlexTv(self.accounts, self._authority.server_context(*PLEX_TV_HOSTS))
        self.discover = PlexDiscover(
            self.accounts, self._authority.server_context(*DISCOVER_HOSTS)
        )
        self.servers: list[PlexMediaServer] = []
        self.server = self._make_server(
            name, self.owner, library=library, titles=titles, legacy=legacy, https=https
        )
        self.server.share_with(*members)
        self._folder = Path()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start everything."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End everything, and let nobody in meanwhile."""
        await self.proxy.stop()
        await self._stack.aclose()

    async def _start(self) -> None:
        """Start everything, with the end of it in mind."""
        self._folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="plex_"))
        self._stack.push_async_callback(
            asyncio.to_thread, partial(shutil.rmtree, self._folder, ignore_errors=True)
        )
        await asyncio.to_thread(self._authority.write, self._ca_file)
        self._stack.push_async_callback(self.proxy.close)
        self.proxy.start()
        for stand_in, hosts in (
            (self.tv, PLEX_TV_HOSTS),
            (self.discover, DISCOVER_HOSTS),
        ):
            await self._stack.enter_async_context(stand_in)
            self.proxy.hosts.update(dict.fromkeys(hosts, stand_in))
        for server in self.servers:
            await self._start_server(server)

    @property
    def _ca_file(self) -> Path:
        """Return the certificate of the authority that clients have to trust."""
        return self._folder / "authority.pem"

    @property
    def environment(self) -> dict[str, str]:
        """Return what a client needs in its environment.

        With it, the hosts of Plex are here and every other host but this machine is out of
        reach. `requests` lets `REQUESTS_CA_BUNDLE` decide over `verify` of a session, so a
        client that wants no verification has to say so for each request.
        """
        environment = {"REQUESTS_CA_BUNDLE": str(self._ca_file)}
        for name, value in (
            ("HTTPS_PROXY", self.proxy.url),
            ("NO_PROXY", "127.0.0.1,localhost"),
        ):
            environment[name] = environment[name.lower()] = value
        return environment

    async def lose_internet(self) -> None:
        """Let nobody reach plex.tv and the catalogue; media servers stay where they are."""
        await self.proxy.stop()
        await self.tv.stop()
        await self.discover.stop()

    async def regain_internet(self) -> None:
        """Let plex.tv and the catalogue be reached again."""
        await self.tv.start()
        await self.discover.start()
        self.proxy.start()

    # Who and where

    def user(self, who: str | PlexUser) -> PlexUser:
        """Return somebody by name."""
        return self.accounts[who] if isinstance(who, str) else who

    def token(self, who: str | PlexUser | None = None) -> str:
        """Return a token of plex.tv, the owner's unless somebody else is named."""
        return self.accounts.issue(self.owner if who is None else self.user(who))

    def revoke(self, whose: str | PlexUser) -> None:
        """Make all tokens of somebody worthless, here and at plex.tv."""
        self.accounts.revoke(self.user(whose))

    async def add_server(
        self,
        name: str,
        owner: str | PlexUser | None = None,
        *,
        library: Library | None = None,
        titles: Iterable[Title] = (),
        legacy: float = 0,
        https: Https = "plex.direct",
        share_with: Iterable[str | PlexUser] = (),
    ) -> PlexMediaServer:
        """Add a media server, the owner's unless somebody else is named."""
        server = self._make_server(
            name,
            self.owner if owner is None else self.user(owner),
            library=library,
            titles=titles,
            legacy=legacy,
            https=https,
        )
        server.share_with(*(self.user(who) for who in share_with))
        await self._start_server(server)
        return server

    def _make_server(
        self,
        name: str,
        owner: PlexUser,
        *,
        library: Library | None,
        titles: Iterable[Title],
        legacy: float,
        https: Https,
    ) -> PlexMediaServer:
        """Make a media server that plex.tv knows of."""
        server = PlexMediaServer(
            accounts=self.accounts,
            owner=owner,
            name=name,
            library=library,
            titles=titles,
            legacy=legacy,
        )
        match https:
            case "plex.direct":
                server.tls = self._authority.server_context(server.direct_host)
            case "self-signed":
                server.tls = server_context()
        for known in (self.servers, self.tv.servers, self.discover.servers):
            known.append(server)
        return server

    async def _start_server(self, server: PlexMediaServer) -> None:
        """Start a media server and let the proxy lead to it."""
        await self._stack.enter_async_context(server)
        self.reroute(server)

    def reroute(self, server: PlexMediaServer) -> None:
        """Let the name of a media server lead to where it is by now, and there alone."""
        for host, known in list(self.proxy.hosts.items()):
            if known is server:
                del self.proxy.hosts[host]
        self.proxy.hosts[f"{server.direct_host}:{server.port}"] = server

    # What people do on the first server

    async def play(
        self,
        who: str | PlexUser,
        title: Playable,
        player: PlexPlayer | None = None,
        *,
        position: timedelta = timedelta(),
    ) -> list[Delivery]:
        """Play something from a position on; returns the webhooks that were sent."""
        return await self.server.play(self.user(who), title, player, position=position)

    async def pause(
        self, player: PlexPlayer | None = None, *, position: timedelta | None = None
    ) -> list[Delivery]:
        """Pause what a player plays."""
        return await self.server.pause(player, position=position)

    async def resume(
        self, player: PlexPlayer | None = None, *, position: timedelta | None = None
    ) -> list[Delivery]:
        """Let a player go on."""
        return await self.server.resume(player, position=position)

    async def stop(
        self, player: PlexPlayer | None = None, *, position: timedelta | None = None
    ) -> list[Delivery]:
        """Stop what a player plays."""
        return await self.server.stop_playing(player, position=position)

    async def finish(
        self, player: PlexPlayer | None = None, *, at: datetime | None = None
    ) -> list[Delivery]:
        """Let a player get to where the server takes it for watched."""
        return await self.server.finish(player, at=at)

    async def watch(
        self, who: str | PlexUser, title: Playable, player: PlexPlayer | None = None
    ) -> list[Delivery]:
        """Play something to its end."""
        return await self.server.watch(self.user(who), title, player)

    async def rate(
        self, who: str | PlexUser, title: Title, rating: float | None
    ) -> list[Delivery]:
        """Rate something from 0 to 10; None removes the rating."""
        return await self.server.rate(self.user(who), title, rating)

    async def add(
        self, title: Title, *, guid: str | None = None, at: datetime | None = None
    ) -> list[Delivery]:
        """Add something to the library."""
        return await self.server.add(title, guid=guid, at=at)

    def remove(self, title: Title) -> None:
        """Remove something from the library."""
        self.server.remove(title)

    def share_file(self, *episodes: Episode) -> None:
        """Have episodes be in one file; only the one that is chosen becomes watched."""
        self.server.items.share_file(episodes)

    def mark(
        self,
        who: str | PlexUser,
        title: Title,
        *,
        watched: bool = True,
        at: datetime | None = None,
    ) -> None:
        """Mark something as watched or not, by hand; at another time it is synced."""
        self.server.mark(self.user(who), title, watched=watched, at=at)

    def record(
        self, who: str | PlexUser, title: Title, *, at: datetime | None = None
    ) -> HistoryEntry | None:
        """Enter something into the history without a webhook."""
        return self.server.record(self.user(who), title, at=at)
