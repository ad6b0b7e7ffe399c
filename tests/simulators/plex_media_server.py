"""A stand-in for a Plex Media Server: what it answers over HTTP.

Answers are XML, or JSON for those who accept that, in pages where a request asks for some.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
import re
from typing import Any, override

from aiohttp import web

from .catalogue import Title, stable_hex
from .library import Library
from .plex import PlexPlayer
from .plex_accounts import PlexAccounts, PlexUser
from .plex_activity import HistoryEntry, PlexActivity, PlexSession, milliseconds, poster
from .plex_filters import FilterError
from .plex_markup import (
    DECLARATION,
    container_response,
    json_response,
    to_xml,
    wants_json,
)
from .plex_sections import Extent, Item, Kind, Section
from .stand_in import HOST, StandIn

VERSION = "1.43.0.10492-121068a07"

# Up to this version, to mark something as watched was to have played it at that moment.
_MARKS_ARE_NO_PLAYS_SINCE = (1, 40, 0, 7998)

_UNAUTHORIZED = (
    "<html><head><title>Unauthorized</title></head>"
    "<body><h1>401 Unauthorized</h1></body></html>"
)

# What each kind can be sorted and filtered by, as the server tells clients.
_FIELDS: Mapping[str, str] = {
    "title": "string",
    "year": "integer",
    "duration": "integer",
    "viewCount": "integer",
    "userRating": "integer",
    "unwatched": "boolean",
    "addedAt": "date",
    "originallyAvailableAt": "date",
    "lastViewedAt": "date",
}
_SORTS: Mapping[str, str] = {
    "titleSort": "asc",
    "addedAt": "desc",
    "originallyAvailableAt": "desc",
    "lastViewedAt": "desc",
    "userRating": "desc",
    "duration": "desc",
    "year": "desc",
}
_OPERATORS: Mapping[str, tuple[str, ...]] = {
    "string": ("=", "!=", "==", "!=="),
    "integer": ("=", "!=", ">>=", "<<="),
    "date": ("<<=", ">>="),
    "boolean": ("=", "!="),
}


class PlexMediaServer(PlexActivity, StandIn):
    """A Plex Media Server on a port of this machine."""

    def __init__(
        self,
        *,
        accounts: PlexAccounts,
        owner: PlexUser,
        name: str = "Attic",
        uuid: str | None = None,
        library: Library | None = None,
        titles: Iterable[Title] = (),
        legacy: float = 0,
    ) -> None:
        """Set up a server that belongs to somebody.

        `titles` are in its library besides what `library` has; `legacy` is the share of that
        which is in sections with agents of old. With `tls` it speaks https as well.
        """
        StandIn.__init__(self)
        PlexActivity.__init__(
            self,
            accounts=accounts,
            owner=owner,
            name=name,
            uuid=uuid or stable_hex("plex server", name, length=40),
            library=library or Library(),
            titles=titles,
            legacy=legacy,
        )
        self.version = VERSION

    @override
    async def start(self) -> None:
        self.open_client()
        await super().start()

    @override
    async def close(self) -> None:
        await super().close()
        await self.close_client()

    @property
    @override
    def marks_write_history(self) -> bool:
        numbers = self.version.partition("-")[0].split(".")
        return tuple(map(int, numbers)) < _MARKS_ARE_NO_PLAYS_SINCE

    @property
    def domain(self) -> str:
        """Return the name that plex.tv gives the server's addresses."""
        return f"{stable_hex('plex.direct', self.uuid)}.plex.direct"

    @property
    def direct_host(self) -> str:
        """Return the host that the certificate of the server is for."""
        return f"{HOST.replace('.', '-')}.{self.domain}"

    @property
    def direct_url(self) -> str:
        """Return where it answers https, for those whom the proxy leads there."""
        return f"https://{self.direct_host}:{self.port}"

    # HTTP

    @override
    def _application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._get_root),
                web.get("/identity", self._get_identity),
                web.get("/accounts", self._get_accounts),
                web.get("/accounts/{id}", self._get_accounts),
                web.get("/systemAccounts", self._get_accounts),
                web.get("/devices", self._get_devices),
                web.get("/clients", self._get_clients),
                web.get("/myplex/account", self._get_myplex),
                web.get("/library", self._get_library),
                web.get("/library/sections", self._get_sections),
                web.get("/library/sections/", self._get_sections),
                web.get("/library/sections/all", self._get_sections),
                web.get("/library/sections/{id}", self._get_section),
                web.get("/library/sections/{id}/all", self._get_section_items),
                web.get("/library/sections/{id}/allLeaves", self._get_section_items),
                web.get("/library/sections/{id}/collections", self._get_collections),
                web.get("/library/sections/{id}/refresh", self._do_nothing),
                web.get("/library/all", self._get_everything),
                web.get("/library/metadata/{ids}", self._get_items),
                web.get("/library/metadata/{id}/children", self._get_children),
                web.get("/library/metadata/{id}/allLeaves", self._get_leaves),
                web.get("/library/metadata/{id}/grandchildren", self._get_leaves),
                web.get("/library/metadata/{id}/thumb/{at}", self._get_thumb),
                web.get("/library/metadata/{id}/art/{at}", self._get_thumb),
                web.get("/photo/:/transcode", self._get_transcoded),
                web.get("/status/sessions", self._get_sessions),
                web.get("/status/sessions/terminate", self._terminate),
                web.post("/status/sessions/terminate", self._terminate),
                web.get("/status/sessions/history/all", self._get_history),
                web.get("/status/sessions/history/{id}", self._get_history_entry),
                web.delete("/status/sessions/history/{id}", self._delete_history_entry),
                web.get("/:/scrobble", self._scrobble),
                web.put("/:/scrobble", self._scrobble),
                web.get("/:/unscrobble", self._unscrobble),
                web.put("/:/unscrobble", self._unscrobble),
                web.get("/:/rate", self._rate),
                web.put("/:/rate", self._rate),
            ]
        )
        return app

    def _visitor(self, request: web.Request) -> PlexUser:
        """Return who asks; raise if they may not."""
        token = request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token")
        user = None
        if token is not None:
            user = self.accounts.user_at(self.uuid, self.owner, token)
        if user not in self.users:
            raise web.HTTPUnauthorized(text=_UNAUTHORIZED, content_type="text/html")
        return user

    def _require_owner(self, request: web.Request) -> PlexUser:
        """Return who asks; raise unless it is the owner."""
        user = self._visitor(request)
        if user is not self.owner:
            raise web.HTTPForbidden(
                text="<html><head><title>Forbidden</title></head>"
                "<body><h1>403 Forbidden</h1></body></html>",
                content_type="text/html",
            )
        return user

    async def _get_root(self, request: web.Request) -> web.Response:
        """Say what server this is."""
        user = self._visitor(request)
        pass_holder = self.owner.plex_pass
        return container_response(
            request,
            {
                "size": 2,
                "allowCameraUpload": True,
                "allowChannelAccess": True,
                "allowMediaDeletion": True if user is self.owner else None,
                "allowSharing": True,
                "allowSync": pass_holder,
                "backgroundProcessing": True,
                "certificate": self.speaks_tls,
                "companionProxy": True,
                "countryCode": "nl",
                "diagnostics": "logs,databases,streaminglogs",
                "eventStream": True,
                "friendlyName": self.name,
                "hubSearch": True,
                "itemClusters": True,
                "machineIdentifier": self.uuid,
                "mediaProviders": True,
                "multiuser": True,
                "myPlex": True,
                "myPlexMappingState": "mapped",
                "myPlexSigninState": "ok",
                "myPlexSubscription": pass_holder,
                "myPlexUsername": self.owner.email,
                "offlineTranscode": 1,
                "ownerFeatures": ",".join(self.owner.features),
                "platform": "Linux",
                "platformVersion": "6.12.57",
                "pluginHost": True,
                "pushNotifications": self.push_notifications,
                "readOnlyLibraries": False,
                "streamingBrainABRVersion": 3,
                "streamingBrainVersion": 2,
                "sync": True,
                "transcoderActiveVideoSessions": 0,
                "transcoderAudio": True,
                "transcoderLyrics": True,
                "transcoderPhoto": True,
                "transcoderSubtitles": True,
                "transcoderVideo": True,
                "transcoderVideoBitrates": "64,96,208,320,720,1500,2000,3000,4000",
                "transcoderVideoQualities": "0,1,2,3,4,5,6,7,8",
                "transcoderVideoResolutions": "128,128,160,240,320,480,768,720,720",
                "updatedAt": 1763107200,
                "updater": True,
                "version": self.version,
                "voiceSearch": True,
                "Directory": [
                    {"count": 1, "key": "library", "title": "library"},
                    {"count": 1, "key": "identity", "title": "identity"},
                ],
            },
        )

    async def _get_identity(self, request: web.Request) -> web.Response:
        """Say what server this is, to anybody."""
        return container_response(
            request,
            {
                "size": 0,
                "apiVersion": "1.1.1",
                "claimed": True,
                "machineIdentifier": self.uuid,
                "version": self.version,
            },
        )

    async def _get_accounts(self, request: web.Request) -> web.Response:
        """List who has ever used the server; number 0 stands for nobody in particular."""
        self._require_owner(request)
        accounts = [(0, "", "")] + [
            (self.account_id(user), user.name, user.avatar)
            for user in (*self.users, *self.former)
        ]
        wanted = request.match_info.get("id")
        return container_response(
            request,
            _container(
                "Account",
                [
                    {
                        "id": number,
                        "key": f"/accounts/{number}",
                        "name": name,
                        "defaultAudioLanguage": "en",
                        "autoSelectAudio": True,
                        "defaultSubtitleLanguage": "en",
                        "subtitleMode": 0,
                        "thumb": thumb,
                    }
                    for number, name, thumb in accounts
                    if wanted in (None, str(number))
                ],
                identifier="com.plexapp.system.accounts",
            ),
        )

    async def _get_devices(self, request: web.Request) -> web.Response:
        """List what has ever played something."""
        self._require_owner(request)
        return container_response(
            request,
            _container(
                "Device",
                [
                    {
                        "id": number,
                        "name": player.title,
                        "platform": "Android",
                        "clientIdentifier": player.uuid,
                        "createdAt": 1700000000 + number,
                    }
                    for number, player in enumerate(self.players, 1)
                ],
                identifier="com.plexapp.system.devices",
            ),
        )

    async def _get_clients(self, request: web.Request) -> web.Response:
        """List the players that can be told what to play."""
        self._visitor(request)
        return container_response(
            request,
            _container(
                "Server",
                [
                    {
                        "name": player.title,
                        "host": HOST,
                        "address": HOST,
                        "port": 32500,
                        "machineIdentifier": player.uuid,
                        "version": "10.30.0",
                        "protocol": "plex",
                        "product": "Plex for Android (TV)",
                        "deviceClass": "stb",
                        "protocolVersion": 1,
                        "protocolCapabilities": "timeline,playback,navigation",
                    }
                    for player in self.players
                    if player.local
                ],
            ),
        )

    async def _get_myplex(self, request: web.Request) -> web.Response:
        """Say whose server this is."""
        self._require_owner(request)
        content = {
            "username": self.owner.email,
            "mappingState": "mapped",
            "mappingError": "",
            "signInState": "ok",
            "publicAddress": "198.51.100.23",
            "publicPort": 32400,
            "privateAddress": HOST,
            "privatePort": self.port,
            "subscriptionFeatures": ",".join(self.owner.features),
            "subscriptionActive": self.owner.plex_pass,
            "subscriptionState": "Active" if self.owner.plex_pass else "Inactive",
        }
        if wants_json(request):
            return json_response({"MyPlex": content})
        return web.Response(
            text=DECLARATION + to_xml("MyPlex", content), content_type="text/xml"
        )

    # The library

    async def _get_library(self, request: web.Request) -> web.Response:
        """Say that there is a library; only the owner may know."""
        self._require_owner(request)
        return container_response(
            request,
            _container(
                "Directory",
                [
                    {"key": "sections", "title": "Library Sections"},
                    {"key": "recentlyAdded", "title": "Recently Added Content"},
                    {"key": "onDeck", "title": "On Deck Content"},
                ],
                allowSync=False,
                art="/:/resources/library-art.png",
                identifier="com.plexapp.plugins.library",
                mediaTagPrefix="/system/bundle/media/flags/",
                mediaTagVersion=1_733_486_400,
                title1="Plex Library",
                title2="",
            ),
        )

    async def _get_sections(self, request: web.Request) -> web.Response:
        """List the sections of the library."""
        self._visitor(request)
        return container_response(
            request,
            _container(
                "Directory",
                [self._section(section) for section in self.items.sections],
                allowSync=False,
                title1="Plex Library",
            ),
        )

    def _section(self, section: Section) -> dict[str, Any]:
        """Describe a section of the library."""
        return {
            "allowSync": True,
            "art": f"/:/resources/{section.type}-fanart.jpg",
            "composite": f"/library/sections/{section.id}/composite/1763107200",
            "filters": True,
            "refreshing": False,
            "thumb": f"/:/resources/{section.type}.png",
            "key": str(section.id),
            "type": section.type,
            "title": section.title,
            "agent": section.agent,
            "scanner": section.scanner,
            "language": "en-US",
            "uuid": self._section_uuid(section),
            "updatedAt": 1763107200,
            "createdAt": 1546300800,
            "scannedAt": 1763107200,
            "content": True,
            "directory": True,
            "contentChangedAt": 4_711_000,
            "hidden": 0,
            "Location": [{"id": section.id, "path": f"/data/{section.id}"}],
        }

    def _section_uuid(self, section: Section) -> str:
        """Return the id of a section that no other has anywhere."""
        digits = stable_hex("section", self.uuid, section.id)
        return re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12})", r"\1-\2-\3-\4-\5", digits)

    def _find_section(self, request: web.Request) -> Section:
        """Return the section a request is for."""
        number = request.match_info["id"]
        section = self.items.section(int(number)) if number.isdecimal() else None
        if section is None:
            raise web.HTTPNotFound
        return section

    async def _get_section(self, request: web.Request) -> web.Response:
        """Say what can be listed of a section."""
        self._visitor(request)
        section = self._find_section(request)
        content = {"key": "all", "title": f"All {section.title}"}
        return container_response(
            request, _container("Directory", [content], librarySectionID=section.id)
        )

    async def _get_section_items(self, request: web.Request) -> web.Response:
        """List the items of a section."""
        user = self._visitor(request)
        section = self._find_section(request)
        kind = section.kind
        if request.path.endswith("allLeaves"):
            kind = section.kinds[-1]
        if (number := request.query.get("type")) is not None:
            try:
                kind = Kind(int(number))
            except ValueError:
                raise web.HTTPBadRequest from None
        attributes = {
            "allowSync": True,
            "art": f"/:/resources/{section.type}-fanart.jpg",
            "content": "secondary",
            "identifier": "com.plexapp.plugins.library",
            "librarySectionID": section.id,
            "librarySectionTitle": section.title,
            "librarySectionUUID": self._section_uuid(section),
            "mediaTagPrefix": "/system/bundle/media/flags/",
            "mediaTagVersion": 1_733_486_400,
            "thumb": f"/:/resources/{section.type}.png",
            "title1": section.title,
            "title2": f"All {section.title}",
            "viewGroup": kind.word,
        }
        states = self.states(user)
        try:
            numbers = self.items.select(section, kind, request.query, states)
        except FilterError as err:
            raise web.HTTPBadRequest(text=f"Unknown filter: {err}") from err
        meta = {}
        if request.query.get("includeMeta") == "1":
            meta = {"Meta": self._meta(section, kind)}
        return self._page(request, kind, numbers, attributes, meta)

    def _page(
        self,
        request: web.Request,
        kind: Kind,
        numbers: Sequence[int],
        attributes: Mapping[str, Any],
        further: Mapping[str, Any],
    ) -> web.Response:
        """Return items, or the page of them that a request asks for."""
        states = self.states(self._visitor(request))
        page, counts, headers = paged(request, numbers)
        extent = Extent.asked_for(request.query)
        content = {**counts, **attributes, **further}
        if wants_json(request):
            content["Metadata"] = [
                self.items.show(Item(kind, number), extent, states) for number in page
            ]
            response = container_response(request, content)
        else:
            inner = self.items.list_xml(kind, page, extent, states)
            response = web.Response(
                body=f"{DECLARATION}{to_xml('MediaContainer', content, inner)}".encode(),
                content_type="text/xml",
                charset="utf-8",
            )
        response.headers.update(headers)
        return response

    def _meta(self, section: Section, active: Kind) -> dict[str, Any]:
        """Say what the items of a section can be sorted and filtered by."""
        path = f"/library/sections/{section.id}"
        types = []
        for kind in section.kinds:
            prefix = "" if kind is Kind.MOVIE else f"{kind.word}."
            types.append(
                {
                    "key": f"{path}/all?type={int(kind)}",
                    "type": kind.word,
                    "title": f"{kind.word.capitalize()}s",
                    "active": kind is active,
                    "Filter": [
                        {
                            "filter": "unwatched",
                            "filterType": "boolean",
                            "key": f"{path}/unwatched",
                            "title": "Unplayed",
                            "type": "filter",
                        }
                    ],
                    "Sort": [
                        {
                            "default": direction if name == "titleSort" else None,
                            "defaultDirection": direction,
                            "descKey": f"{name}:desc",
                            "key": name,
                            "title": name,
                        }
                        for name, direction in _SORTS.items()
                    ],
                    "Field": [
                        {"key": f"{prefix}{name}", "title": name, "type": of_type}
                        for name, of_type in _FIELDS.items()
                    ],
                }
            )
        field_types = [
            {
                "type": of_type,
                "Operator": [{"key": key, "title": key} for key in operators],
            }
            for of_type, operators in _OPERATORS.items()
        ]
        return {"Type": types, "FieldType": field_types}

    async def _get_collections(self, request: web.Request) -> web.Response:
        """List the collections of a section: there are none."""
        self._visitor(request)
        section = self._find_section(request)
        counts, headers = paged(request, [])[1:]
        meta = {}
        if request.query.get("includeMeta") == "1":
            collection = {
                "key": f"/library/sections/{section.id}/all?type=18",
                "type": "collection",
                "title": "Collections",
            }
            meta = {"Meta": {"Type": [collection]}}
        response = container_response(request, {**counts, **meta})
        response.headers.update(headers)
        return response

    async def _do_nothing(self, request: web.Request) -> web.Response:
        """Take note of what has no effect here."""
        self._require_owner(request)
        return web.Response()

    async def _get_everything(self, request: web.Request) -> web.Response:
        """List the items of a kind from all sections, or those with a guid."""
        user = self._visitor(request)
        states = self.states(user)
        kinds: tuple[Kind, ...] = (Kind.MOVIE, Kind.SHOW, Kind.ARTIST)
        if (number := request.query.get("type")) is not None:
            kinds = (Kind(int(number)),)
        found = [
            Item(kind, number)
            for section in self.items.sections
            for kind in kinds
            for number in self.items.select(section, kind, request.query, states)
        ]
        return self._items_response(
            request, user, found, Extent.asked_for(request.query)
        )

    def _items_response(
        self,
        request: web.Request,
        user: PlexUser,
        items: Sequence[Item],
        extent: Extent,
        **attributes: Any,
    ) -> web.Response:
        """Return items of any kind, or the page of them that a request asks for."""
        states = self.states(user)
        page, counts, headers = paged(request, items)
        content = {
            **counts,
            "allowSync": True,
            "identifier": "com.plexapp.plugins.library",
            **attributes,
            "Metadata": [self.items.show(item, extent, states) for item in page],
        }
        response = container_response(request, content)
        response.headers.update(headers)
        return response

    def _find_item(self, request: web.Request, key: str) -> Item:
        """Return the item with a key."""
        item = self.items.item(key)
        if item is None:
            raise web.HTTPNotFound(
                text="<html><head><title>Not Found</title></head>"
                "<body><h1>404 Not Found</h1></body></html>",
                content_type="text/html",
            )
        return item

    async def _get_items(self, request: web.Request) -> web.Response:
        """Return the pages of items; those that are not there are left out of several."""
        user = self._visitor(request)
        keys = request.match_info["ids"].split(",")
        if len(keys) == 1:
            items = [self._find_item(request, keys[0])]
        else:
            found = (self.items.item(key) for key in keys)
            items = [item for item in found if item is not None]
        attributes: dict[str, Any] = {}
        if items:
            section = self.items.section_of(items[0])
            attributes = {
                "librarySectionID": section.id,
                "librarySectionTitle": section.title,
                "librarySectionUUID": self._section_uuid(section),
            }
        extent = Extent.asked_for(request.query, details=True)
        return self._items_response(request, user, items, extent, **attributes)

    async def _get_children(self, request: web.Request) -> web.Response:
        """List what is directly in an item."""
        user = self._visitor(request)
        item = self._find_item(request, request.match_info["id"])
        children = self.items.children(item)
        extent = Extent.asked_for(request.query)
        section = self.items.section_of(item)
        response_attributes: dict[str, Any] = {
            "librarySectionID": section.id,
            "librarySectionTitle": section.title,
            "key": self.items.key_of(item),
        }
        if item.kind is Kind.SHOW and "excludeAllLeaves" not in request.query:
            path = f"/library/metadata/{self.items.key_of(item)}"
            response_attributes["Directory"] = [
                {
                    "leafCount": len(self.items.leaves(item)),
                    "key": f"{path}/allLeaves",
                    "title": "All episodes",
                }
            ]
        return self._items_response(
            request, user, children, extent, **response_attributes
        )

    async def _get_leaves(self, request: web.Request) -> web.Response:
        """List what can be played in an item."""
        user = self._visitor(request)
        item = self._find_item(request, request.match_info["id"])
        section = self.items.section_of(item)
        return self._items_response(
            request,
            user,
            self.items.leaves(item),
            Extent.asked_for(request.query),
            librarySectionID=section.id,
            librarySectionTitle=section.title,
        )

    async def _get_thumb(self, request: web.Request) -> web.Response:
        """Return the poster of an item."""
        self._visitor(request)
        item = self._find_item(request, request.match_info["id"])
        return _jpeg(poster(self.items.key_of(item)))

    async def _get_transcoded(self, request: web.Request) -> web.Response:
        """Return the poster of an item, whatever size is asked for."""
        self._visitor(request)
        found = re.match(
            r"/library/metadata/(\w+)/(?:thumb|art)/", request.query.get("url", "")
        )
        if found is None:
            raise web.HTTPBadRequest
        item = self._find_item(request, found[1])
        return _jpeg(poster(self.items.key_of(item)))

    # Sessions and history

    async def _get_sessions(self, request: web.Request) -> web.Response:
        """List what is played."""
        self._require_owner(request)
        now = datetime.now(UTC)
        return container_response(
            request,
            _container(
                "Metadata",
                [self._session(session, now) for session in self.sessions.values()],
            ),
        )

    def _session(self, session: PlexSession, now: datetime) -> dict[str, Any]:
        """Describe something that is played. There are no ids of other databases."""
        item = self.items.locate(session.title)
        if item is None:
            data = self.items.metadata(session.title)
        else:
            states = self.states(session.user)
            data = self.items.show(item, Extent(details=True), states)
        player = session.player
        return {
            **data,
            "viewOffset": milliseconds(session.position_at(now)),
            "sessionKey": str(session.key),
            "User": {
                "id": str(self.account_id(session.user)),
                "thumb": session.user.avatar,
                "title": session.user.name,
            },
            "Player": {
                "address": "192.0.2.71" if player.local else player.public_address,
                "device": "BRAVIA",
                "machineIdentifier": player.uuid,
                "model": "BRAVIA_ATV3",
                "platform": "Android",
                "platformVersion": "14",
                "product": "Plex for Android (TV)",
                "profile": "Android",
                "remotePublicAddress": player.public_address,
                "state": session.state,
                "title": player.title,
                "version": "10.30.0",
                "local": player.local,
                "relayed": False,
                "secure": True,
                "userID": self.account_id(session.user),
            },
            "Session": {
                "id": session.id,
                "bandwidth": 4400,
                "location": "lan" if player.local else "wan",
            },
        }

    async def _terminate(self, request: web.Request) -> web.Response:
        """End a session."""
        self._require_owner(request)
        wanted = request.query.get("sessionId")
        for session in list(self.sessions.values()):
            if session.id == wanted:
                self.later(self.stop_playing(session.player))
                return web.Response()
        raise web.HTTPNotFound

    async def _get_history(self, request: web.Request) -> web.Response:
        """List what was watched: to the owner all of it, to others their own."""
        user = self._visitor(request)
        entries = self.entries(user, request.query)
        page, counts, headers = paged(request, entries)
        response = container_response(
            request, {**counts, "Metadata": [self._entry(entry) for entry in page]}
        )
        response.headers.update(headers)
        return response

    def _entry(self, entry: HistoryEntry) -> dict[str, Any]:
        """Describe an entry of the history: no guid, and no key of what is gone."""
        return {
            "historyKey": f"/status/sessions/history/{entry.id}",
            **self.items.brief(entry.item),
            "viewedAt": entry.viewed_at,
            "accountID": entry.account_id,
            "deviceID": entry.device_id,
        }

    def _find_entry(self, request: web.Request) -> HistoryEntry:
        """Return the entry of the history that a request is for."""
        for entry in self.history:
            if str(entry.id) == request.match_info["id"]:
                return entry
        raise web.HTTPNotFound

    async def _get_history_entry(self, request: web.Request) -> web.Response:
        """Return an entry of the history."""
        self._require_owner(request)
        entry = self._find_entry(request)
        return container_response(request, _container("Metadata", [self._entry(entry)]))

    async def _delete_history_entry(self, request: web.Request) -> web.Response:
        """Remove an entry of the history."""
        self._require_owner(request)
        self.history.remove(self._find_entry(request))
        self._history_version += 1
        return container_response(request, {"size": 0})

    # What clients change

    async def _scrobble(self, request: web.Request) -> web.Response:
        """Mark something as watched: no webhook, and by now nothing in the history."""
        user = self._visitor(request)
        self.mark_item(user, self._marked(request), watched=True)
        return web.Response()

    async def _unscrobble(self, request: web.Request) -> web.Response:
        """Mark something as not watched."""
        user = self._visitor(request)
        self.mark_item(user, self._marked(request), watched=False)
        return web.Response()

    async def _rate(self, request: web.Request) -> web.Response:
        """Rate something, or remove a rating, which is -1; this does go to the webhooks."""
        user = self._visitor(request)
        title = self.items.title(self._marked(request))
        try:
            rating = float(request.query["rating"])
        except KeyError, ValueError:
            raise web.HTTPBadRequest from None
        if not isinstance(title, str):
            player = PlexPlayer(
                request.headers.get("X-Plex-Device-Name", "Unknown"),
                request.headers.get("X-Plex-Client-Identifier", "unknown"),
            )
            self.later(self.rate(user, title, rating if rating >= 0 else None, player))
            # What is said about the rating is true before the request is answered.
            await asyncio.sleep(0)
        return web.Response()

    def _marked(self, request: web.Request) -> Item:
        """Return the item that a request is to change."""
        if request.query.get("identifier") != "com.plexapp.plugins.library":
            raise web.HTTPNotFound
        if "key" not in request.query:
            raise web.HTTPBadRequest
        return self._find_item(request, request.query["key"])


def paged[T](
    request: web.Request, items: Sequence[T]
) -> tuple[Sequence[T], dict[str, Any], dict[str, str]]:
    """Return the page that a request asks for, its attributes and its headers."""

    def number(name: str) -> int | None:
        value = request.headers.get(name) or request.query.get(name)
        return int(value) if value is not None else None

    start, size = number("X-Plex-Container-Start"), number("X-Plex-Container-Size")
    limit = number("limit")
    if limit is not None:
        items = items[:limit]
    headers = {
        "X-Plex-Protocol": "1.0",
        "X-Plex-Container-Start": str(start or 0),
        "X-Plex-Container-Total-Size": str(len(items)),
    }
    if start is None and size is None:
        return items, {"size": len(items)}, headers
    start = start or 0
    page = items[start:] if size is None else items[start : start + size]
    counts = {"size": len(page), "totalSize": len(items), "offset": start}
    return page, counts, headers


def _container(
    name: str, elements: list[dict[str, Any]], **attributes: Any
) -> dict[str, Any]:
    """Return what a media container holds."""
    return {"size": len(elements), **attributes, name: elements}


def _jpeg(content: bytes) -> web.Response:
    """Return an image."""
    return web.Response(
        body=content,
        content_type="image/jpeg",
        headers={"Cache-Control": "max-age=31536000"},
    )
