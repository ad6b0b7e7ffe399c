"""plex.tv: the servers of an account, its webhooks, and its watchlist."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched

from homeassistant.core import HomeAssistant
from plexapi.myplex import MyPlexAccount, MyPlexResource

from .. import http_client
from ..domain.address import url_at
from ..domain.event import Party
from ..domain.media_server import NotAMediaServerError, WebhookObstacleError
from ..domain.title import Ids, Title
from ..domain.watchlist_sync import Remote, RemoteList
from . import watchlist
from .api import Api
from .calls import Caller
from .watchlist import WatchlistReader


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that an account can use. `urls` are in the order they are worth trying."""

    id: str
    name: str
    token: str
    owned: bool
    urls: tuple[str, ...]


class PlexAccount:
    """An account at plex.tv, by its token."""

    def __init__(self, hass: HomeAssistant, token: str) -> None:
        """Take the token; nothing is asked yet."""
        self._caller = Caller(hass)
        self._token = token
        self._known: MyPlexAccount | None = None
        self._discover = Api(self._caller.session, MyPlexAccount.DISCOVER, token)
        self._catalogue = Api(self._caller.session, MyPlexAccount.METADATA, token)
        self.id: str | None = None
        """The account's id at plex.tv, once plex.tv has been asked for anything of it."""

    def _account(self) -> MyPlexAccount:
        if self._known is None:
            self._known = MyPlexAccount(token=self._token, session=self._caller.session)
            self.id = str(self._known.id)
        return self._known

    async def async_party(self) -> Party:
        """Return who this is."""

        def party() -> Party:
            account = self._account()
            return Party(str(account.id), account.friendlyName or account.username)

        return await self._caller.async_call(party)

    async def async_has_pass(self) -> bool:
        """Return whether the account has Plex Pass."""
        return await self._caller.async_call(
            lambda: bool(self._account().subscriptionActive)
        )

    async def async_servers(self) -> list[FoundServer]:
        """Return the servers, the account's own first."""

        def servers() -> list[FoundServer]:
            found = [
                FoundServer(
                    id=resource.clientIdentifier,
                    name=resource.name,
                    token=resource.accessToken or self._token,
                    owned=bool(resource.owned),
                    urls=_urls(resource),
                )
                for resource in self._account().resources()
                if "server" in (resource.provides or "").split(",")
            ]
            return sorted(found, key=lambda server: not server.owned)

        return await self._caller.async_call(servers)

    async def async_register_webhook(
        self, url: str, replaced: Collection[str] = ()
    ) -> None:
        """Add our webhook to the account's and leave the others as they are."""

        def register() -> None:
            # Plex Pass may have been bought since the account was last asked for.
            self._known = None
            account = self._account()
            if not account.subscriptionActive:
                raise WebhookObstacleError("no_plex_pass")
            # The list is replaced as a whole: it has to be read first, always.
            present = _webhooks(account)
            wanted = [other for other in present if other not in replaced]
            if url not in wanted:
                wanted.append(url)
            if wanted != present:
                self._set_webhooks(account, wanted)

        await self._caller.async_call(register)

    async def async_remove_webhooks(self, urls: Collection[str]) -> None:
        """Remove our webhooks from the account's."""

        def remove() -> None:
            account = self._account()
            present = _webhooks(account)
            wanted = [url for url in present if url not in urls]
            if wanted != present:
                self._set_webhooks(account, wanted)

        await self._caller.async_call(remove)

    def _set_webhooks(self, account: MyPlexAccount, urls: list[str]) -> None:
        """Replace the webhooks as plexapi does, but for writing them into the log.

        Whoever knows such a URL can use it.
        """
        account.query(
            account.WEBHOOKS,
            self._caller.session.post,
            data={"urls[]": urls} if urls else {"urls": ""},
        )

    async def async_watchlist(self) -> RemoteList:
        """Return the whole watchlist, the newest entry first.

        Raises NotAMediaServerError where it has changed while it was read: it is all of it
        or nothing.
        """
        reader = WatchlistReader(self._discover)
        while not reader.done:
            await self._caller.async_call(reader.read, within=http_client.LIST_TIMEOUT)
        return reader.result

    async def async_external_ids(
        self, entries: Sequence[Remote], found: dict[str, Ids] | None = None
    ) -> dict[str, Ids]:
        """Return the ids in other databases by guid, none of a title that has none.

        Where it raises half-way, `found` has what is known by then.
        """
        found = {} if found is None else found
        guids = dict.fromkeys(entry.guid for entry in entries)
        for some in batched(guids, watchlist.IDS_AT_ONCE, strict=False):
            if len(some) > 1:
                found |= await self._caller.async_call(
                    partial(watchlist.read_several_ids, self._catalogue, some)
                )
            for guid in some:
                if guid not in found:
                    found[guid] = await self._caller.async_call(
                        partial(watchlist.read_ids, self._catalogue, guid)
                    )
        return found

    async def async_match(self, title: Title) -> Remote | None:
        """Return what a movie or show would be on a watchlist, None if it is not certain."""
        return await self._caller.async_call(
            lambda: watchlist.find(self._catalogue, title)
        )

    async def async_add_to_watchlist(self, guid: str) -> None:
        """Put a title on the watchlist, where it may be already.

        Raises ItemGoneError where Plex does not know it.
        """
        await self._caller.async_call(lambda: watchlist.add(self._discover, guid))

    async def async_remove_from_watchlist(self, guid: str) -> None:
        """Take a title off the watchlist, where it may no longer be.

        Raises ItemGoneError where Plex does not know it.
        """
        await self._caller.async_call(lambda: watchlist.remove(self._discover, guid))

    async def async_sign_out(self) -> None:
        """Give back the token."""
        await self._caller.async_call(lambda: self._account().signout())


def _webhooks(account: MyPlexAccount) -> list[str]:
    """Return the webhooks, raising NotAMediaServerError where these are none.

    To plexapi the page of a proxy is an empty list, which would become one in truth.
    """
    answer = account.query(account.WEBHOOKS)
    if any(element.tag != "webhook" for element in answer):
        raise NotAMediaServerError
    return [element.attrib["url"] for element in answer]


def _urls(resource: MyPlexResource) -> tuple[str, ...]:
    """Return where a server can be reached: at home first, through Plex' relay last."""
    connections = sorted(
        resource.connections,
        key=lambda connection: (connection.relay, not connection.local),
    )
    urls: dict[str, None] = {}
    for connection in connections:
        urls[connection.uri] = None
        if connection.local:
            # Not plexapi's own URL, in which IPv6 addresses have no brackets.
            urls[url_at("http", connection.address, connection.port)] = None
    return tuple(urls)
