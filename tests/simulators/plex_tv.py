"""A stand-in for plex.tv: signing in, accounts, servers, friends, and webhooks.

It answers XML, or JSON for those who accept that, for the host `plex.tv` and the like.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import itertools
import ssl
from typing import Any, override
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from .catalogue import stable_hex
from .plex_accounts import PlexAccounts, PlexUser
from .plex_markup import container_response, json_response, wants_json, xml_response
from .plex_media_server import PlexMediaServer
from .stand_in import HOST, Handler, Port, StandIn

PLEX_TV_HOSTS = ("plex.tv", "clients.plex.tv", "www.plex.tv")

_LINK_LIFETIME = timedelta(minutes=15)
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(slots=True, kw_only=True)
class Pin:
    """A code by which a client asks to be signed in, and its token once it is."""

    id: int
    code: str
    client: str
    product: str
    created_at: datetime
    expires_at: datetime
    token: str | None = None

    def content(self, now: datetime) -> dict[str, Any]:
        """Return what the client is told."""
        return {
            "id": self.id,
            "code": self.code,
            "product": self.product,
            "trusted": False,
            "qr": f"https://plex.tv/api/v2/pins/qr/{self.code}",
            "clientIdentifier": self.client,
            "location": {
                "code": "NL",
                "european_union_member": True,
                "continent_code": "EU",
                "country": "Netherlands",
                "city": "Delft",
                "time_zone": "Europe/Amsterdam",
                "postal_code": "2611",
                "in_privacy_restricted_country": True,
                "subdivisions": "South Holland",
                "coordinates": "52.0116, 4.3571",
            },
            "expiresIn": int((self.expires_at - now).total_seconds()),
            "createdAt": _timestamp(self.created_at),
            "expiresAt": _timestamp(self.expires_at),
            "authToken": self.token,
            "newRegistration": None,
        }


@dataclass(frozen=True, slots=True)
class Connection:
    """An address at which a server is said to be."""

    uri: str
    address: str
    port: int
    local: bool = True
    relay: bool = False

    def content(self) -> dict[str, Any]:
        """Return what clients are told."""
        return {
            "protocol": urlsplit(self.uri).scheme,
            "address": self.address,
            "port": self.port,
            "uri": self.uri,
            "local": self.local,
            "relay": self.relay,
            "IPv6": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something of an account's that is not here: a server that is away, or a player."""

    owner: PlexUser
    name: str
    provides: str = "server"
    product: str = "Plex Media Server"
    connections: tuple[Connection, ...] = ()

    @property
    def uuid(self) -> str:
        """Return its id."""
        return stable_hex("resource", self.name, length=40)


class PlexTv(StandIn):
    """plex.tv, with the accounts and the servers there are."""

    def __init__(self, accounts: PlexAccounts, tls: ssl.SSLContext) -> None:
        super().__init__(tls)
        self.accounts = accounts
        self.servers: list[PlexMediaServer] = []
        self.resources: list[Resource] = []
        # Where servers are said to be, by their ids, instead of where they are.
        self.connections: dict[str, list[Connection]] = {}
        self.pins: dict[int, Pin] = {}
        # Seconds that a PIN with a long code can be confirmed.
        self.pin_lifetime = 1800
        self._pin_ids = itertools.count(1_272_322_473, 11)
        self._nobody: Port | None = None

    @override
    async def start(self) -> None:
        if self._nobody is None:
            self._nobody = Port(self.serve)
        await super().start()

    @override
    async def close(self) -> None:
        await super().close()
        if self._nobody is not None:
            await self._nobody.release()
            self._nobody = None

    @property
    def closed_port(self) -> int:
        """Return a port of this machine at which nobody answers."""
        if self._nobody is None:
            raise RuntimeError("It has not been started")
        return self._nobody.number

    # What people do in their browsers

    def pin(self, code: str | None = None) -> Pin:
        """Return the PIN with a code, or the latest."""
        pins = [pin for pin in self.pins.values() if code in (None, pin.code)]
        if not pins:
            raise ValueError(f"There is no PIN {code or ''}".rstrip())
        return pins[-1]

    def confirm(self, user: PlexUser, code: str | None = None) -> str:
        """Sign in a client by the code of its PIN, or the latest; returns its token."""
        pin = self.pin(code)
        pin.token = self.accounts.issue(user)
        return pin.token

    def visit(self, url: str, user: PlexUser) -> str | None:
        """Sign in on the page a client sends people to; returns where they go from there."""
        fragment = urlsplit(url).fragment
        answers = parse_qs(fragment.removeprefix("!").removeprefix("?"))
        self.confirm(user, answers["code"][0])
        return answers.get("forwardUrl", [None])[0]

    def expire(self, code: str | None = None) -> None:
        """Let the time for a PIN, or the latest, be over."""
        del self.pins[self.pin(code).id]

    # HTTP

    @override
    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._require_client])
        app.add_routes(
            [
                web.post("/api/v2/pins", self._post_pin),
                web.get("/api/v2/pins/{id:\\d+}", self._get_pin),
                web.put("/api/v2/pins/link", self._put_link),
                web.get("/api/v2/ping", self._get_ping),
                web.get("/api/v2/user", self._get_user),
                web.post("/api/v2/users/signin", self._sign_in),
                web.delete("/api/v2/users/signout", self._sign_out),
                web.get("/api/v2/user/webhooks", self._get_webhooks),
                web.post("/api/v2/user/webhooks", self._post_webhooks),
                web.get("/api/v2/resources", self._get_resources),
                web.get("/api/users/", self._get_friends),
                web.get("/api/users", self._get_friends),
                web.get("/api/home/users", self._get_home),
                web.post("/api/home/users/{id}/switch", self._switch),
                web.get("/api/servers/{uuid}/shared_servers", self._get_shares),
                web.get("/devices.xml", self._get_devices),
                web.get("/:/ip", self._get_ip),
            ]
        )
        return app

    @staticmethod
    @web.middleware
    async def _require_client(
        request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Answer only clients that say who they are."""
        if (
            request.path.startswith("/api/v2/")
            and "X-Plex-Client-Identifier" not in request.headers
            and "X-Plex-Client-Identifier" not in request.query
        ):
            return error(request, 400, 1000, "X-Plex-Client-Identifier is missing")
        return await handler(request)

    def _visitor(self, request: web.Request) -> PlexUser:
        """Return who asks; raise if nobody that is known."""
        return signed_in(self.accounts, request)

    async def _post_pin(self, request: web.Request) -> web.Response:
        """Make a PIN: a long code for the page to sign in on, or a short one to type."""
        strong = request.query.get("strong", "").lower() in ("true", "1")
        number = next(self._pin_ids)
        digits = stable_hex("pin", number, length=48)
        letters = "".join(
            _CODE_LETTERS[int(digits[index * 2 : index * 2 + 2], 16) % 32]
            for index in range(4)
        )
        now = datetime.now(UTC)
        pin = Pin(
            id=number,
            code=digits[:25] if strong else letters,
            client=_client(request),
            product=request.headers.get("X-Plex-Product", "Plex Web"),
            created_at=now,
            expires_at=now
            + (timedelta(seconds=self.pin_lifetime) if strong else _LINK_LIFETIME),
        )
        self.pins[number] = pin
        return _answer(request, "pin", pin.content(now), status=201)

    async def _get_pin(self, request: web.Request) -> web.Response:
        """Say whether a PIN has been confirmed; only the client it is for learns that."""
        pin = self.pins.get(int(request.match_info["id"]))
        now = datetime.now(UTC)
        if pin is None or pin.expires_at < now or pin.client != _client(request):
            return error(request, 404, 1020, "Code not found or expired")
        return _answer(request, "pin", pin.content(now))

    async def _put_link(self, request: web.Request) -> web.Response:
        """Confirm a PIN by the code that somebody has typed."""
        user = self._visitor(request)
        code = str((await request.post()).get("code", ""))
        if code not in {pin.code for pin in self.pins.values()}:
            return error(request, 404, 1020, "Code not found or expired")
        self.confirm(user, code)
        return web.Response(status=204)

    async def _get_ping(self, request: web.Request) -> web.Response:
        """Keep a token alive."""
        self._visitor(request)
        return web.Response(text="<pong>1</pong>", content_type="application/xml")

    async def _get_user(self, request: web.Request) -> web.Response:
        """Say whose token it is."""
        user = self._visitor(request)
        return _answer(request, "user", _account(user, token_of(request)))

    async def _sign_in(self, request: web.Request) -> web.Response:
        """Sign in with a password, and a code where the account asks for one."""
        form = await request.post()
        user = self.accounts.sign_in(str(form.get("login")), str(form.get("password")))
        if user is None:
            return error(request, 401, 1001, "User could not be authenticated")
        code = form.get("verificationCode")
        if user.verification_code is not None and code != user.verification_code:
            return error(request, 401, 1029, "Please enter the verification code")
        content = _account(user, self.accounts.issue(user))
        return _answer(request, "user", content, status=201)

    async def _sign_out(self, request: web.Request) -> web.Response:
        """Make a token worthless."""
        self._visitor(request)
        self.accounts.revoke(token_of(request))
        return web.Response(status=204)

    async def _get_webhooks(self, request: web.Request) -> web.Response:
        """List the webhooks of an account."""
        user = self._visitor(request)
        if not user.plex_pass:
            return _not_for_this_user(request)
        return _webhooks(request, user)

    async def _post_webhooks(self, request: web.Request) -> web.Response:
        """Replace the webhooks of an account by these, all of them."""
        user = self._visitor(request)
        if not user.plex_pass:
            return _not_for_this_user(request)
        form = await request.post()
        user.webhooks[:] = [str(url) for url in form.getall("urls[]", [])]
        return _webhooks(request, user, status=201)

    # Servers and friends

    async def _get_resources(self, request: web.Request) -> web.Response:
        """List the servers that an account owns or may use, and its other devices."""
        user = self._visitor(request)
        token = token_of(request)
        content = [
            self._server_content(server, user, token)
            for server in self.servers
            if user in server.users
        ] + [
            _resource(
                name=resource.name,
                uuid=resource.uuid,
                product=resource.product,
                version="1.41.3.9314",
                provides=resource.provides,
                owner=resource.owner,
                user=user,
                token=token,
                presence=False,
                connections=resource.connections,
            )
            for resource in self.resources
            if resource.owner is user
        ]
        if wants_json(request):
            return json_response(
                [
                    {**each, "connections": each["connections"]["connection"]}
                    for each in content
                ]
            )
        return xml_response("resources", {"resource": content})

    def _server_content(
        self, server: PlexMediaServer, user: PlexUser, token: str
    ) -> dict[str, Any]:
        """Return what somebody is told of a server."""
        if user is not server.owner:
            token = self.accounts.server_token(user, server.uuid)
        return _resource(
            name=server.name,
            uuid=server.uuid,
            product="Plex Media Server",
            version=server.version,
            provides="server",
            owner=server.owner,
            user=user,
            token=token,
            presence=server.running,
            connections=self.connections_of(server),
        )

    def connections_of(self, server: PlexMediaServer) -> list[Connection]:
        """Return where a server is said to be: at one address that is right, among others."""
        if (chosen := self.connections.get(server.uuid)) is not None:
            return chosen
        uri = server.direct_url if server.speaks_tls else server.url
        nowhere = self.closed_port
        scheme = "https" if server.speaks_tls else "http"
        host = server.direct_host if server.speaks_tls else HOST
        wrong = f"{scheme}://{host}:{nowhere}"
        return [
            Connection(wrong, HOST, nowhere),
            Connection(uri, HOST, server.port),
            Connection(uri, HOST, server.port, local=False),
            Connection(wrong, HOST, nowhere, local=False, relay=True),
        ]

    def dead_connection(self) -> Connection:
        """Return an address at which nobody answers."""
        number = self.closed_port
        return Connection(f"http://{HOST}:{number}", HOST, number)

    async def _get_friends(self, request: web.Request) -> web.Response:
        """List the friends of an account and the others in its home."""
        user = self._visitor(request)
        return container_response(
            request,
            {
                "friendlyName": "myPlex",
                "identifier": "com.plexapp.plugins.myplex",
                "machineIdentifier": stable_hex("plex.tv", length=40),
                "totalSize": len(user.friends),
                "size": len(user.friends),
                "User": [self._friend(friend, user) for friend in user.friends],
            },
        )

    def _friend(self, friend: PlexUser, of: PlexUser) -> dict[str, Any]:
        """Return what somebody is told of a friend."""
        return {
            "id": friend.id,
            "title": friend.name,
            "username": friend.username,
            "email": friend.email,
            "recommendationsPlaylistId": "",
            "thumb": friend.avatar,
            "protected": friend.home_pin is not None,
            "home": friend.home_admin is of,
            "allowTuners": False,
            "allowSync": True,
            "allowCameraUpload": False,
            "allowChannels": False,
            "allowSubtitleAdmin": False,
            "filterAll": "",
            "filterMovies": "",
            "filterMusic": "",
            "filterPhotos": "",
            "filterTelevision": "",
            "restricted": friend.managed,
            "Server": [
                {
                    "id": _share_id(server, friend),
                    "serverId": _server_id(server),
                    "machineIdentifier": server.uuid,
                    "name": server.name,
                    "lastSeenAt": 1763107200,
                    "numLibraries": len(server.items.sections),
                    "allLibraries": True,
                    "owned": False,
                    "pending": False,
                }
                for server in self.servers
                if server.owner is of and friend in server.members
            ],
        }

    async def _get_home(self, request: web.Request) -> web.Response:
        """List who is in the home of an account, its administrator first."""
        user = self._visitor(request)
        admin = user.home_admin or user
        people = [admin, *admin.home]
        return container_response(
            request,
            {
                "friendlyName": "myPlex",
                "identifier": "com.plexapp.plugins.myplex",
                "machineIdentifier": stable_hex("plex.tv", length=40),
                "totalSize": len(people),
                "size": len(people),
                "User": [
                    {
                        "id": person.id,
                        "uuid": person.uuid,
                        "admin": person is admin,
                        "guest": False,
                        "restricted": person.managed,
                        "hasPassword": not person.managed,
                        "protected": person.home_pin is not None,
                        "title": person.name,
                        "username": person.username,
                        "email": person.email,
                        "thumb": person.avatar,
                    }
                    for person in people
                ],
            },
        )

    async def _switch(self, request: web.Request) -> web.Response:
        """Change to somebody else in the home, who may have a PIN."""
        user = self._visitor(request)
        admin = user.home_admin or user
        for person in (admin, *admin.home):
            if str(person.id) == request.match_info["id"]:
                break
        else:
            return error(request, 404, 1004, "User not found")
        if person.home_pin not in (None, request.query.get("pin")):
            return error(request, 403, 1041, "Invalid PIN")
        token = self.accounts.issue(person)
        content = {
            "id": person.id,
            "uuid": person.uuid,
            "title": person.name,
            "username": person.username,
            "email": person.email,
            "authenticationToken": token,
            "authToken": token,
        }
        return _answer(request, "user", content, status=201)

    async def _get_shares(self, request: web.Request) -> web.Response:
        """List with whom a server is shared, and with which tokens they come."""
        user = self._visitor(request)
        for server in self.servers:
            if server.uuid == request.match_info["uuid"] and server.owner is user:
                break
        else:
            return error(request, 404, 1006, "Server not found")
        return container_response(
            request,
            {
                "size": len(server.members),
                "machineIdentifier": server.uuid,
                "SharedServer": [
                    {
                        "id": _share_id(server, member),
                        "username": member.name,
                        "email": member.email,
                        "userID": member.id,
                        "accessToken": self.accounts.server_token(member, server.uuid),
                        "name": server.name,
                        "acceptedAt": 1700000000,
                        "invitedAt": 1700000000,
                        "allLibraries": True,
                        "owned": False,
                        "Section": [
                            {
                                "id": _server_id(server) + section.id,
                                "key": section.id,
                                "title": section.title,
                                "type": section.type,
                                "shared": True,
                            }
                            for section in server.items.sections
                        ],
                    }
                    for member in server.members
                ],
            },
        )

    async def _get_devices(self, request: web.Request) -> web.Response:
        """List the devices of an account; here these are its servers."""
        user = self._visitor(request)
        return container_response(
            request,
            {
                "publicAddress": "198.51.100.23",
                "Device": [
                    {
                        "name": server.name,
                        "publicAddress": "198.51.100.23",
                        "product": "Plex Media Server",
                        "productVersion": server.version,
                        "platform": "Linux",
                        "platformVersion": "6.12.57",
                        "device": "PC",
                        "model": "x86_64",
                        "vendor": "Debian",
                        "provides": "server",
                        "clientIdentifier": server.uuid,
                        "version": server.version,
                        "id": _server_id(server),
                        "token": token_of(request),
                        "createdAt": 1546300800,
                        "lastSeenAt": 1763107200,
                        "screenResolution": "",
                        "screenDensity": "",
                        "Connection": [
                            {"uri": connection.uri}
                            for connection in self.connections_of(server)
                        ],
                    }
                    for server in self.servers
                    if server.owner is user
                ],
            },
        )

    async def _get_ip(self, request: web.Request) -> web.Response:
        """Say where a client seems to be."""
        return web.Response(text="198.51.100.23")


def token_of(request: web.Request) -> str:
    """Return the token a request comes with, empty if there is none."""
    return (
        request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token") or ""
    )


def signed_in(accounts: PlexAccounts, request: web.Request) -> PlexUser:
    """Return who asks; raise if nobody that plex.tv knows."""
    user = accounts.user_of(token_of(request))
    if user is None:
        response = error(request, 401, 1001, "User could not be authenticated")
        raise web.HTTPUnauthorized(
            text=response.text, content_type=response.content_type
        )
    return user


def error(request: web.Request, status: int, code: int, message: str) -> web.Response:
    """Return an error as plex.tv describes it."""
    content = {"code": code, "message": message, "status": status}
    if wants_json(request):
        return json_response({"errors": [content]}, status=status)
    return xml_response("errors", {"error": [content]}, status=status)


def _not_for_this_user(request: web.Request) -> web.Response:
    """Refuse what is for those with a Plex Pass."""
    return error(request, 403, 1043, "This action is not available for this user")


def _answer(
    request: web.Request, name: str, content: Mapping[str, Any], *, status: int = 200
) -> web.Response:
    """Return something about an account or a PIN; in XML, what is null is empty."""
    if wants_json(request):
        return json_response(content, status=status)
    filled = {key: "" if value is None else value for key, value in content.items()}
    return xml_response(name, filled, status=status)


def _webhooks(
    request: web.Request, user: PlexUser, *, status: int = 200
) -> web.Response:
    """Return the webhooks of an account."""
    content = [{"url": url} for url in user.webhooks]
    if wants_json(request):
        return json_response(content, status=status)
    return xml_response("webhooks", {"webhook": content}, status=status)


def _account(user: PlexUser, token: str) -> dict[str, Any]:
    """Return what somebody is told of their own account."""
    active = user.plex_pass
    admin = user.home_admin or user
    return {
        "id": user.id,
        "uuid": user.uuid,
        "username": user.username,
        "title": user.name,
        "email": user.email,
        "friendlyName": user.name,
        "locale": None,
        "confirmed": True,
        "joinedAt": 1420070400,
        "emailOnlyAuth": False,
        "hasPassword": not user.managed,
        "protected": user.home_pin is not None,
        "thumb": user.avatar,
        "authToken": token,
        "mailingListStatus": "unsubscribed",
        "mailingListActive": False,
        "scrobbleTypes": "",
        "country": "NL",
        "pin": "",
        "subscriptionDescription": "Lifetime Plex Pass" if active else None,
        "restricted": user.managed,
        "anonymous": None,
        "home": bool(admin.home),
        "guest": False,
        "homeSize": 1 + len(admin.home),
        "homeAdmin": user is admin and bool(admin.home),
        "maxHomeSize": 15,
        "rememberExpiresAt": 1924992000,
        "adsConsent": None,
        "adsConsentSetAt": None,
        "adsConsentReminderAt": None,
        "experimentalFeatures": False,
        "twoFactorEnabled": user.verification_code is not None,
        "backupCodesCreated": False,
        "subscription": {
            "active": active,
            "subscribedAt": "2019-05-01 10:00:00 UTC" if active else "",
            "status": "Active" if active else "Inactive",
            "paymentService": "",
            "plan": "lifetime" if active else "",
            "features": {"feature": [{"id": feature} for feature in user.features]},
        },
        "profile": {
            "autoSelectAudio": True,
            "defaultAudioLanguage": "en",
            "defaultSubtitleLanguage": "en",
            "autoSelectSubtitle": 0,
            "defaultSubtitleAccessibility": 0,
            "defaultSubtitleForced": 0,
            "defaultSubtitleForces": 0,
        },
        "entitlements": {"entitlement": [{"id": "all"}] if active else []},
        "roles": {"role": [{"id": "plexpass"}] if active else []},
    }


def _resource(
    *,
    name: str,
    uuid: str,
    product: str,
    version: str,
    provides: str,
    owner: PlexUser,
    user: PlexUser,
    token: str,
    presence: bool,
    connections: list[Connection] | tuple[Connection, ...],
) -> dict[str, Any]:
    """Return what somebody is told of a server or another device."""
    owned = owner is user
    return {
        "name": name,
        "product": product,
        "productVersion": version,
        "platform": "Linux",
        "platformVersion": "6.12.57",
        "device": "PC",
        "clientIdentifier": uuid,
        "createdAt": "2019-01-01T00:00:00Z",
        "lastSeenAt": _timestamp(datetime.now(UTC)),
        "provides": provides,
        "ownerId": "" if owned else owner.id,
        "sourceTitle": "" if owned else owner.name,
        "publicAddress": "198.51.100.23",
        "accessToken": token,
        "owned": owned,
        "home": owner is user.home_admin,
        "synced": False,
        "relay": True,
        "presence": presence,
        "httpsRequired": False,
        "publicAddressMatches": owned,
        "dnsRebindingProtection": False,
        "natLoopbackSupported": False,
        "connections": {
            "connection": [connection.content() for connection in connections]
        },
    }


def _share_id(server: PlexMediaServer, user: PlexUser) -> int:
    """Return the number of a share."""
    return int(stable_hex("share", server.uuid, user.name, length=7), 16)


def _server_id(server: PlexMediaServer) -> int:
    """Return the number that plex.tv has for a server."""
    return int(stable_hex("server id", server.uuid, length=7), 16)


def _client(request: web.Request) -> str:
    """Return the client that asks."""
    return request.headers.get("X-Plex-Client-Identifier") or request.query.get(
        "X-Plex-Client-Identifier", ""
    )


def _timestamp(moment: datetime) -> str:
    """Return a time as plex.tv writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
