"""A Plex Media Server that has been signed in to, through plexapi."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element

from homeassistant.core import HomeAssistant
import orjson
from plexapi.exceptions import NotFound
from plexapi.server import PlexServer
from yarl import URL

from .. import http_client
from ..domain.event import Party, SavedData
from ..domain.fields import Fields, PayloadError
from ..domain.library import Completion, LatestPage, Page, Section
from ..domain.media_server import (
    AccountRefusedError,
    ForbiddenError,
    ItemGoneError,
    MediaServerError,
    NotAMediaServerError,
    NowPlaying,
    ServerFailureError,
    ServerInfo,
    SignInError,
    TooOldError,
)
from ..domain.picture import MAX_BYTES as MAX_PICTURE
from ..domain.title import MediaType, Title
from ..http_client import async_session, picture
from .account import PlexAccount
from .api import Api
from .calls import Caller, async_send
from .history import HistoryReader, LatestReader
from .library import (
    InFiles,
    artwork_path,
    metadata_path,
    read_episodes,
    read_files,
    read_page,
    read_sections,
    read_watched,
)
from .metadata import MILLISECONDS, OWNER_ACCOUNT, account, mixes_ids, parse_title

MIN_VERSION = (1, 25)
"""Servers before this one know nothing of the ids that titles are recognised by."""

SEASONS_REMEMBERED = 50
"""Seasons of which it is remembered which episodes share a file."""

MAX_IDENTITY = 64 * 1024
"""How long the answer may be of what only says to be a server: a real one has 200 bytes."""

_LIBRARY = "com.plexapp.plugins.library"
_PLAYABLE_TAGS = ("Video", "Track")


class PlexClient:
    """Implements MediaServer for Plex."""

    def __init__(
        self,
        hass: HomeAssistant,
        *,
        url: str,
        token: str,
        account_token: str,
        verify_ssl: bool = True,
    ) -> None:
        """Take where the server is; nothing is asked yet.

        The account's token is the one that plex.tv takes, for webhooks; the server may
        have one of its own.
        """
        self._hass = hass
        self._caller = Caller(hass, verify_ssl=verify_ssl)
        self._url = url.rstrip("/")
        self._token = token
        self._known: PlexServer | None = None
        self._api = Api(self._caller.session, url, token)
        self.account = PlexAccount(hass, account_token)
        self._is_owner: bool | None = None
        self._seasons: OrderedDict[str, InFiles] = OrderedDict()

    async def _async_call[T](
        self, job: Callable[[PlexServer], T], *, within: float | None = None
    ) -> T:
        def connected() -> T:
            if self._known is None:
                self._known = PlexServer(self._url, self._token, self._caller.session)
            return job(self._known)

        return await self._caller.async_call(connected, within=within)

    async def _async_call_for_list[T](self, job: Callable[[PlexServer], T]) -> T:
        return await self._async_call(job, within=http_client.LIST_TIMEOUT)

    async def async_info(self) -> ServerInfo:
        """Return which server answers."""

        def info(server: PlexServer) -> ServerInfo:
            root = _query(server, "/")
            identity, version = root.get("machineIdentifier"), root.get("version")
            if not identity or not version:
                raise NotAMediaServerError
            if _version(version) < MIN_VERSION:
                raise TooOldError
            return ServerInfo(identity, root.get("friendlyName") or "Plex", version)

        return await self._async_call(info)

    async def async_accounts(self) -> list[Party]:
        """Return the accounts; only a server's owner is told of others."""

        def accounts(server: PlexServer) -> list[Party]:
            return [
                Party(identity, name)
                for element in _query(server, "/accounts")
                if (identity := element.get("id")) and (name := element.get("name"))
            ]

        try:
            listed = await self._async_call(accounts)
        except ForbiddenError, SignInError:
            party = await self._async_account(self.account.async_party())
            # A token that is no longer good makes nobody of an owner.
            self._is_owner = self._is_owner or False
            return [party]
        self._is_owner = True
        return sorted(listed, key=lambda party: party.id != OWNER_ACCOUNT)

    async def async_state(self) -> None:
        """Return None: of what Plex does its webhooks tell."""

    async def async_hurry(self) -> None:
        """Do nothing: Plex sends its webhooks at once."""

    async def async_now_playing(self) -> list[NowPlaying]:
        """Return what is playing."""

        def playing(server: PlexServer) -> list[NowPlaying]:
            identity = server.machineIdentifier
            return [
                playing
                for element in _query(server, "/status/sessions")
                if element.tag in _PLAYABLE_TAGS
                and (playing := _now_playing(element, identity)) is not None
            ]

        return await self._async_call(playing)

    async def async_title(self, item: str) -> Title | None:
        """Return what the server knows of an item, None if it has it no more."""

        def title(server: PlexServer) -> Title | None:
            elements = _metadata(server, [item])
            return _title(elements[0], server.machineIdentifier) if elements else None

        return await self._async_call(title)

    async def async_titles(
        self, items: Collection[str]
    ) -> dict[str, tuple[Title, ...]]:
        """Return what the server knows of items, by their ids; not of those that are gone.

        An episode is followed by the others that are in its file: each of them is an item,
        and a webhook names the one that was chosen.
        """

        def titles(server: PlexServer) -> dict[str, tuple[Title, ...]]:
            elements = {
                element.get("ratingKey", ""): element
                for element in _metadata(server, items)
            }
            return {
                key: self._in_file(server, element, title)
                for key, element in elements.items()
                if key in items
                and (title := _own_title(server, element, elements)) is not None
            }

        return await self._async_call(titles)

    def _in_file(
        self, server: PlexServer, element: Element, title: Title
    ) -> tuple[Title, ...]:
        """Return a title and, of an episode, the others that are in its file."""
        files = {part.get("file") for part in element.iter("Part")} - {None}
        season = element.get("parentRatingKey")
        if title.media_type is not MediaType.EPISODE or not files or season is None:
            return (title,)
        server_id = server.machineIdentifier
        known = self._seasons.get(season, [])
        if not any(title.items == other.items for _, other in known):
            known = read_files(self._api, season, server_id=server_id)
            self._seasons[season] = known
            if len(self._seasons) > SEASONS_REMEMBERED:
                self._seasons.popitem(last=False)
        others = [
            other
            for in_files, other in known
            if in_files & files and other.items != title.items
        ]
        if not others:
            return (title,)
        # Each is said to be as long as the file.
        length = title.duration // (len(others) + 1) if title.duration else None
        return tuple(replace(each, duration=length) for each in (title, *others))

    async def async_artwork(self, artwork: str) -> bytes:
        """Return a poster."""

        # The token goes into a header: URLs end up in logs.
        answer = await async_send(
            self._caller.client_session,
            "GET",
            URL(f"{self._url}{artwork_path(artwork)}"),
            headers={"X-Plex-Token": self._token},
            max_bytes=MAX_PICTURE,
        )
        if answer.status != HTTPStatus.OK:
            raise ServerFailureError
        return picture(answer)

    async def async_sections(self) -> list[Section]:
        """Return the libraries of movies and shows."""
        return await self._async_call(lambda _: read_sections(self._api))

    async def async_page(
        self,
        section: Section,
        media_type: MediaType,
        start: int,
        limit: int,
        *,
        account: str | None = None,
    ) -> Page:
        """Return items of a section, the oldest addition first; with an account, what it has watched.

        A token shows that of its own account alone: of others it stays unknown.
        """
        watched = account is not None and account in await self._async_own(account)
        return await self._async_call_for_list(
            lambda server: read_page(
                self._api,
                section,
                media_type,
                start,
                limit,
                server_id=server.machineIdentifier,
                watched=watched,
            )
        )

    async def async_episodes(self, item: str) -> list[Title]:
        """Return the episodes of a show or season by its item id; none if it is gone."""
        titles: list[Title] = []
        start = 0

        def episodes(server: PlexServer) -> Page:
            return read_episodes(
                self._api, item, start, server_id=server.machineIdentifier
            )

        while True:
            page = await self._async_call_for_list(episodes)
            titles += (entry.title for entry in page.entries)
            start += page.size
            if start >= page.total:
                return titles

    @property
    def _own(self) -> set[str]:
        """Return the ids that the account of the sign-in is known to go by."""
        own = {self.account.id} if self.account.id else set()
        return own | {OWNER_ACCOUNT} if self._is_owner else own

    async def _async_own(self, *accounts: str) -> set[str]:
        """Return the ids of the account of the sign-in, and be sure of these ones.

        As long as plex.tv does not answer, the other id of the owner is a stranger's.
        """
        try:
            await self._async_learn_own(*accounts)
        except MediaServerError:
            if self._is_owner is None:
                raise
        return self._own

    async def _async_learn_own(self, *accounts: str) -> None:
        """Be sure which of some accounts are that of the sign-in."""
        if self._is_owner is None:
            await self.async_accounts()
        if self.account.id is None and not self._own.issuperset(accounts):
            # Only where it matters by which other id the owner goes is plex.tv asked.
            await self.account.async_party()

    async def _async_assert_own(self, account: str) -> None:
        """Raise ForbiddenError if the sign-in is not that of an account."""
        await self._async_learn_own(account)
        if account not in self._own:
            raise ForbiddenError

    def can_mark(self, account: str) -> bool:
        """Return whether what this account has watched can be marked on the server.

        A token marks for its own account alone; whose it is shows once the accounts have
        been asked for.
        """
        return account in self._own

    @property
    def dates_marks(self) -> bool:
        """Return that a mark is of the moment.

        Before 1.40.0.7998 it was an entry of the history as well, by that version's notes.
        """
        return False

    async def async_saved(self, account: str, item: str) -> SavedData | None:
        """Return nothing: Plex tells of plays and of no marks."""
        return None

    async def async_watched(
        self, account: str, items: Collection[str]
    ) -> dict[str, datetime | None]:
        """Return which of some items the account of the sign-in has watched, and when."""
        await self._async_assert_own(account)
        return await self._async_call_for_list(lambda _: read_watched(self._api, items))

    async def async_mark(
        self,
        account: str,
        item: str,
        *,
        watched: bool,
        watched_at: datetime | None = None,
    ) -> bool:
        """Mark an item as watched by an account, or as not watched; Plex takes no time.

        Returns True: it says nothing of what came of it.
        """
        await self._async_assert_own(account)

        def mark(server: PlexServer) -> None:
            try:
                # None is what there is to say about it.
                answer = server.query(
                    "/:/scrobble" if watched else "/:/unscrobble",
                    params={"key": item, "identifier": _LIBRARY},
                )
            except NotFound as err:
                raise ItemGoneError from err
            if answer is not None and answer.tag != "MediaContainer":
                raise NotAMediaServerError

        await self._async_call(mark)
        return True

    @property
    def clock_error(self) -> timedelta:
        """Return how far the server's clock is ahead: its webhooks carry no time."""
        return self._api.clock_ahead

    async def async_history(
        self,
        accounts: Collection[str],
        since: datetime | None,
        *,
        active_since: datetime | None = None,
    ) -> AsyncIterator[list[Completion]]:
        """Yield what accounts have completed, page by page; all of it, or since a time.

        Raises ForbiddenError where the server tells its owner alone.
        """
        if not accounts:
            return
        reader = HistoryReader(self._api, await self._async_parties(accounts), since)
        while not reader.done:
            if completions := await self._async_read(reader.read):
                yield completions

    async def async_latest(
        self,
        accounts: Collection[str],
        since: datetime,
        *,
        active_since: datetime | None = None,
    ) -> AsyncIterator[LatestPage]:
        """Yield what accounts have completed since a time, the latest first.

        Raises ForbiddenError where the server tells its owner alone.
        """
        if not accounts:
            return
        reader = LatestReader(self._api, await self._async_parties(accounts), since)
        while not reader.done:
            yield await self._async_read(reader.read)

    async def _async_parties(self, accounts: Collection[str]) -> dict[str, Party]:
        """Return accounts by the ids that they have in the server's history."""
        own = await self._async_own(*accounts)
        return {
            OWNER_ACCOUNT if self._is_owner and account in own else account: Party(
                account
            )
            for account in accounts
        }

    async def _async_read[T](self, read: Callable[[str], T]) -> T:
        """Read a part of the history."""
        try:
            return await self._async_call_for_list(
                lambda server: read(server.machineIdentifier)
            )
        except SignInError as err:
            # So some servers say that it is not for everybody.
            await self.async_info()
            raise ForbiddenError from err

    async def async_webhook_obstacle(self) -> str | None:
        """Return why no webhook can be registered, or None."""
        has_pass = await self._async_account(self.account.async_has_pass())
        return None if has_pass else "no_plex_pass"

    async def _async_account[T](self, answer: Awaitable[T]) -> T:
        """Return what plex.tv answers; raises AccountRefusedError where it alone refuses."""
        try:
            return await answer
        except SignInError as err:
            # Unless the server does not let us in any more either.
            await self.async_info()
            raise AccountRefusedError from err

    async def async_register_webhook(
        self, url: str, replaced: Collection[str] = ()
    ) -> None:
        """Have the account's webhooks sent to this URL as well."""
        await self.account.async_register_webhook(url, replaced)

    async def async_remove_webhooks(self, urls: Collection[str]) -> None:
        """Have no webhooks sent to these URLs any more."""
        await self.account.async_remove_webhooks(urls)

    async def async_sign_out(self) -> None:
        """Give back the account's token."""
        await self.account.async_sign_out()


async def async_identity(hass: HomeAssistant, url: str) -> str | None:
    """Return the identity of a server that nobody has signed in to, None if it is none.

    Its certificate, which is for another name, is not verified: it is told nothing.
    """
    try:
        answer = await async_send(
            async_session(hass, verify_ssl=False),
            "GET",
            URL(f"{url}/identity"),
            headers={"Accept": "application/json"},
            max_bytes=MAX_IDENTITY,
        )
        container = Fields(orjson.loads(answer.content)).object("MediaContainer")
        return container.text("machineIdentifier") if container else None
    except MediaServerError, ValueError:
        return None


def _query(server: PlexServer, path: str) -> Element:
    """Return an answer that is one of Plex's; the page of a proxy can be XML as well."""
    answer: Element | None = server.query(path)
    if answer is None or answer.tag != "MediaContainer":
        raise NotAMediaServerError
    return answer


def _version(text: str) -> tuple[int, ...]:
    return tuple(
        int(part)
        for part in text.split("-", maxsplit=1)[0].split(".")
        if part.isdigit()
    )


def _fields(element: Element) -> Fields:
    """Return an element of the API as the object that it is in a webhook."""
    content: dict[str, Any] = dict(element.attrib)
    content["Guid"] = [dict(guid.attrib) for guid in element.findall("Guid")]
    return Fields(content, element.tag)


def _metadata(server: PlexServer, items: Collection[str]) -> list[Element]:
    """Return what the server says of items; of those that are gone it says nothing."""
    try:
        return list(_query(server, f"{metadata_path(*items)}?includeGuids=1"))
    except NotFound, ItemGoneError:
        return []


def _own_title(
    server: PlexServer, element: Element, known: Mapping[str, Element]
) -> Title | None:
    """Return the title of an item; the ids of its show are asked for if some may be its own."""
    server_id = server.machineIdentifier
    try:
        fields = _fields(element)
        show = element.get("grandparentRatingKey")
        if show is None or not mixes_ids(fields):
            return parse_title(fields, server_id)
        of_show = known.get(show) or next(iter(_metadata(server, [show])), None)
        title = _title(of_show, server_id) if of_show is not None else None
        return parse_title(fields, server_id, title.ids if title else None)
    except PayloadError:
        return None


def _title(element: Element, server_id: str) -> Title | None:
    try:
        return parse_title(_fields(element), server_id)
    except PayloadError:
        return None


def _now_playing(element: Element, server_id: str) -> NowPlaying | None:
    player = element.find("Player")
    try:
        fields = _fields(element)
        title = parse_title(fields, server_id)
        position = fields.seconds("viewOffset", MILLISECONDS)
    except PayloadError:
        return None
    if title is None or player is None:
        return None
    user = element.find("User")
    return NowPlaying(
        player=Party(player.get("machineIdentifier"), player.get("title")),
        account=account(user.get("id"), user.get("title"))
        if user is not None
        else None,
        title=title,
        paused=player.get("state") == "paused",
        position=position,
        artwork=element.get("grandparentThumb") or element.get("thumb"),
    )
