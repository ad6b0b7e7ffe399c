"""The endpoints of a Jellyfin server that have to do with what people watch.

What they take and answer is what the server's own API takes and answers, refusals with it.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
import re
import secrets
from typing import Any

from aiohttp import web

from .jellyfin import SaveReason, written
from .jellyfin_accounts import (
    Account,
    Credentials,
    Playing,
    QuickConnectRequest,
    Session,
    Token,
    credentials_of,
)
from .jellyfin_administration import Administration
from .jellyfin_calls import Access, Call, Endpoint, Handler, RefusedError, answer_json
from .jellyfin_items import VIEWS, Item, Kind
from .jellyfin_json import ALL_FIELDS
from .jellyfin_plugin import Notification
from .jellyfin_query import (
    NO_ID,
    BadRequestError,
    Found,
    NotPlayedError,
    Paging,
    Params,
    Query,
    Search,
    guid,
    moment,
)
from .jellyfin_state import JellyfinState
from .jellyfin_user_data import from_ticks
from .request_log import LoggedRequest

# A poster of 24 x 36 pixels.
POSTER = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+A"
    "jIqgtObDoKrarYqMyP/L2u71////m8H////6/+b9//j/2wBDASstLTw1PHZBQXb4pYyl+Pj4+Pj4"
    "+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj/wAARCAAkABgDASIA"
    "AhEBAxEB/8QAGAABAQEBAQAAAAAAAAAAAAAAAAQDAgX/xAAmEAABAgQGAQUAAAAAAAAAAAAAAQID"
    "BRESBBNDUYHBMRRSU5GS/8QAFwEAAwEAAAAAAAAAAAAAAAAAAAIDAf/EABoRAAMBAQEBAAAAAAAA"
    "AAAAAAABAhExIjL/2gAMAwEAAhEDEQA/AI4MB0e61USm5p6CL7mfamku1OOy0WraeGqU0eVGgOgW"
    "3Ki12BRMdPnoFJerRWsYl2px2WkGAe1mZc5G1p5Wm5ZnQvkZ+kI2vQ88JZjp89A5x72vy7XI6lfC"
    "12BWPkSukgAGMAAAD//Z"
)


@dataclass(frozen=True, slots=True)
class _Route:
    """An endpoint."""

    method: str
    path: re.Pattern[str]
    access: Access
    handler: Handler


class Endpoints:
    """The API of a server.

    `send` is given the notifications that a request raises and returns at once, `url` the
    address the server believes to have.
    """

    def __init__(
        self,
        state: JellyfinState,
        send: Callable[[Notification], None],
        url: Callable[[], str],
    ) -> None:
        self._state = state
        self._items = state.items
        self._accounts = state.accounts
        self._plugin = state.plugin
        self._json = state.describe
        self._notices = state.notices
        self._send = send
        self._url = url
        self._paging = Paging()
        self._routes = list(self._endpoints())

    async def answer(self, request: LoggedRequest) -> tuple[web.Response, str | None]:
        """Answer a request; also return what the stand-in itself cannot do about it."""
        problem = None
        try:
            response = await self._answer(request)
        except RefusedError as refused:
            response = _refusal(refused)
        except BadRequestError as err:
            response = _refusal(RefusedError(400), err)
        except NotPlayedError as err:
            problem = f"the stand-in does not play {err}"
            response = web.Response(status=501, text=problem)
        except Exception as err:  # noqa: BLE001 - the test has to hear of it
            problem = f"the stand-in failed: {err!r}"
            response = web.Response(status=500, text=problem)
        response.headers["Server"] = "Kestrel"
        return response, problem

    async def _answer(self, request: LoggedRequest) -> web.Response:
        """Find the endpoint, let in who may use it, and let it answer."""
        matches = self._matches(request.path)
        if (method := _method(request.method)) not in matches:
            raise RefusedError(405 if matches else 404)
        route, match = matches[method]
        params = Params(request.query)
        credentials = credentials_of(
            request.headers,
            params.text,
            older=self._state.version.takes_older_authorization,
        )
        token = self._token(credentials)
        if route.access is not Access.EVERYBODY:
            if token is None:
                raise RefusedError(401)
            if route.access is Access.ADMINISTRATORS and not token.is_administrator:
                raise RefusedError(403)
            self._accounts.touch(token)
        return await route.handler(
            Call(
                params=params,
                body=request.body,
                content_type=request.headers.get("Content-Type", ""),
                path_values=match.groupdict(),
                credentials=credentials,
                token=token,
            )
        )

    def has(self, method: str, path: str) -> bool:
        """Return whether there is an endpoint for a method and a path."""
        return _method(method) in self._matches(path)

    def _matches(self, path: str) -> dict[str, tuple[_Route, re.Match[str]]]:
        """Return the endpoints of a path by method; the one listed first counts."""
        return {
            route.method: (route, match)
            for route in reversed(self._routes)
            if (match := route.path.fullmatch(path))
        }

    def _token(self, credentials: Credentials) -> Token | None:
        """Return what a request is allowed by, None if it is allowed by nothing."""
        token = self._accounts.tokens.get(credentials.token)
        if token is not None and token.account and token.account.disabled:
            return None
        return token

    def _endpoints(self) -> Iterable[_Route]:
        """Yield the endpoints; of several that match a path the first one answers."""
        everybody, signed_in = Access.EVERYBODY, Access.SIGNED_IN
        endpoints: Sequence[Endpoint] = (
            ("GET", "/System/Info/Public", everybody, self._public_info),
            ("GET", "/System/Info", signed_in, self._info),
            ("GET", "/System/Ping", everybody, self._ping),
            ("POST", "/System/Ping", everybody, self._ping),
            ("POST", "/Users/AuthenticateByName", everybody, self._by_name),
            (
                "POST",
                "/Users/AuthenticateWithQuickConnect",
                everybody,
                self._by_quick_connect,
            ),
            ("GET", "/QuickConnect/Enabled", everybody, self._quick_connect_enabled),
            ("POST", "/QuickConnect/Initiate", everybody, self._initiate),
            ("GET", "/QuickConnect/Connect", everybody, self._connect),
            ("POST", "/QuickConnect/Authorize", signed_in, self._authorize),
            ("POST", "/Sessions/Logout", signed_in, self._logout),
            ("GET", "/Sessions", signed_in, self._sessions),
            ("POST", "/Sessions/Playing", signed_in, self._playing),
            ("POST", "/Sessions/Playing/Progress", signed_in, self._progress),
            ("POST", "/Sessions/Playing/Stopped", signed_in, self._stopped),
            ("POST", "/Sessions/{session}/User/{user}", signed_in, self._join),
            ("DELETE", "/Sessions/{session}/User/{user}", signed_in, self._part),
            ("GET", "/Users", signed_in, self._users),
            ("GET", "/Users/Public", everybody, self._public_users),
            ("GET", "/Users/Me", signed_in, self._me),
            ("GET", "/Users/{user}", signed_in, self._user),
            ("GET", "/UserViews", signed_in, self._views),
            ("GET", "/Items", signed_in, self._find_items),
            ("GET", "/Items/Counts", signed_in, self._counts),
            ("GET", "/Items/{item}", signed_in, self._item),
            ("GET", "/Items/{item}/Images/{image}", everybody, self._image),
            ("POST", "/UserPlayedItems/{item}", signed_in, self._mark_played),
            ("DELETE", "/UserPlayedItems/{item}", signed_in, self._mark_unplayed),
            ("GET", "/UserItems/{item}/UserData", signed_in, self._user_data),
            ("POST", "/UserItems/{item}/UserData", signed_in, self._save_user_data),
            ("POST", "/UserItems/{item}/Rating", signed_in, self._rate),
            ("POST", "/UserFavoriteItems/{item}", signed_in, self._favor),
            ("DELETE", "/UserFavoriteItems/{item}", signed_in, self._disfavor),
            ("GET", "/MediaSegments/{item}", signed_in, self._segments),
            # Not described any more, and still there.
            ("GET", "/Users/{user}/Views", signed_in, self._views),
            ("GET", "/Users/{user}/Items", signed_in, self._find_items),
            ("GET", "/Users/{user}/Items/{item}", signed_in, self._item),
            ("POST", "/Users/{user}/PlayedItems/{item}", signed_in, self._mark_played),
            (
                "DELETE",
                "/Users/{user}/PlayedItems/{item}",
                signed_in,
                self._mark_unplayed,
            ),
        )
        administration = Administration(self._state, self._send)
        for method, path, access, handler in (*endpoints, *administration.endpoints):
            pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)
            yield _Route(method, re.compile(pattern, re.IGNORECASE), access, handler)

    # --- the server -----------------------------------------------------------------

    def _about(self) -> dict[str, Any]:
        return {
            "LocalAddress": self._url(),
            "ServerName": self._state.server.name,
            "Version": str(self._state.server.version),
            "ProductName": "Jellyfin Server",
            "OperatingSystem": "",
            "Id": self._state.server.id,
            "StartupWizardCompleted": True,
        }

    async def _public_info(self, call: Call) -> web.Response:
        return answer_json(self._about())

    async def _info(self, call: Call) -> web.Response:
        about = {
            **self._about(),
            "HasPendingRestart": self._state.pending_restart,
            "IsShuttingDown": False,
        }
        if not call.caller.is_administrator:
            return answer_json(about)
        return answer_json(
            {
                **about,
                "OperatingSystemDisplayName": "",
                "SupportsLibraryMonitor": True,
                "WebSocketPortNumber": 8096,
                "CompletedInstallations": [],
                "CanSelfRestart": True,
                "CanLaunchWebBrowser": False,
                "ProgramDataPath": "/config",
                "CachePath": "/cache",
                "LogPath": "/config/log",
                "HasUpdateAvailable": False,
                "EncoderLocation": "System",
                "SystemArchitecture": "X64",
            }
        )

    async def _ping(self, call: Call) -> web.Response:
        return answer_json("Jellyfin Server")

    # --- signing in -------------------------------------------------------------------

    def _signed_in(self, token: Token) -> web.Response:
        """Answer with a new token and what comes with it."""
        assert token.account is not None
        session = self._accounts.session(token.device, [token.account], token.version)
        return answer_json(
            {
                "User": self._json.user(token.account),
                "SessionInfo": self._json.session(session),
                "AccessToken": token.value,
                "ServerId": self._state.server.id,
            }
        )

    async def _by_name(self, call: Call) -> web.Response:
        given = call.json()
        if not isinstance(given, dict):
            raise BadRequestError("The request field is required.")
        if not call.credentials.complete:
            raise RefusedError(400, "Error processing request.")
        name = str(given.get("Username") or "")
        account = self._accounts.named(name)
        if account is not None and (account.disabled or account.barred):
            raise RefusedError(403, "Error processing request.")
        if account is None or account.password != (given.get("Pw") or ""):
            if account is not None and account.fail():
                self._send(self._notices.locked_out(account))
            self._send(self._notices.refused(name, call.credentials))
            raise RefusedError(401, "Error processing request.")
        return self._signed_in(self._sign_in(account, call.credentials))

    def _sign_in(self, account: Account, credentials: Credentials) -> Token:
        """Let a user in, and tell of it."""
        before = set(self._accounts.sessions)
        token = self._accounts.sign_in(account, credentials)
        session = self._accounts.sessions[self._accounts.session_id(token.device)]
        if session.id not in before:
            self._send(self._notices.session_started(account, session))
        self._send(self._notices.signed_in(account, session))
        return token

    async def _quick_connect_enabled(self, call: Call) -> web.Response:
        return answer_json(self._accounts.quick_connect_enabled)

    async def _initiate(self, call: Call) -> web.Response:
        if not call.credentials.complete:
            raise RefusedError(400, "Error processing request.")
        self._assert_quick_connect()
        return answer_json(
            _quick_connect(self._accounts.start_quick_connect(call.credentials))
        )

    async def _connect(self, call: Call) -> web.Response:
        secret = call.params.required("secret")
        self._assert_quick_connect()
        if (request := self._accounts.quick_connect(secret)) is None:
            return answer_json("Unknown secret", status=404)
        return answer_json(_quick_connect(request))

    async def _authorize(self, call: Call) -> web.Response:
        code = call.params.required("code")
        account = self._account_of(call)
        self._assert_quick_connect()
        request = self._accounts.quick_connect_code(code)
        if request is None or account is None:
            raise RefusedError(404, "Error processing request.")
        if request.account is not None:
            raise RefusedError(500, "Error processing request.")
        self._accounts.authorize(request, account)
        return answer_json(True)

    async def _by_quick_connect(self, call: Call) -> web.Response:
        given = call.json()
        if not isinstance(given, dict) or not given.get("Secret"):
            raise BadRequestError("The Secret field is required.")
        request = self._accounts.quick_connect(str(given["Secret"]))
        self._assert_quick_connect()
        if request is None or request.account is None:
            raise RefusedError(404, "Error processing request.")
        return self._signed_in(self._sign_in(request.account, request.credentials))

    def _assert_quick_connect(self) -> None:
        if not self._accounts.quick_connect_enabled:
            raise RefusedError(401, "Quick connect is disabled")

    async def _logout(self, call: Call) -> web.Response:
        if not call.caller.is_api_key:
            self._accounts.sign_out(call.caller)
        return web.Response(status=204)

    # --- users ------------------------------------------------------------------------

    def _account_of(self, call: Call) -> Account | None:
        """Return whose data is asked for; None with an API key that names nobody."""
        asked = (
            call.id("user") if "user" in call.path_values else call.params.id("userId")
        )
        own = call.caller.account
        if asked is None or (own is not None and asked == own.user.id):
            return own
        if not call.caller.is_administrator:
            raise RefusedError(403, "Error processing request.")
        if (account := self._accounts.users.get(asked)) is None:
            raise RefusedError(404)
        return account

    async def _users(self, call: Call) -> web.Response:
        hidden, disabled = call.params.flag("isHidden"), call.params.flag("isDisabled")
        return answer_json(
            [
                self._json.user(account)
                for account in self._accounts.users.values()
                if hidden in {None, account.hidden}
                and disabled in {None, account.disabled}
            ]
        )

    async def _public_users(self, call: Call) -> web.Response:
        return answer_json(
            [
                self._json.user(account)
                for account in self._accounts.users.values()
                if not account.hidden and not account.disabled
            ]
        )

    async def _me(self, call: Call) -> web.Response:
        if call.caller.account is None:
            raise RefusedError(400)
        return answer_json(self._json.user(call.caller.account))

    async def _user(self, call: Call) -> web.Response:
        account = self._accounts.users.get(call.id("user"))
        if account is None:
            return answer_json("User not found", status=404)
        return answer_json(self._json.user(account))

    # --- items ------------------------------------------------------------------------

    async def _find_items(self, call: Call) -> web.Response:
        account = self._account_of(call)
        query = Query.of(call.params)
        if account and query.parent in account.unseen and not call.caller.is_api_key:
            # The token is good; this is what the server says all the same.
            raise RefusedError(
                401, f"{account.user.name} is not permitted to access Library."
            )
        search = Search(
            self._items,
            query,
            account.data if account else {},
            hidden=self._hidden(account),
            paging=self._paging,
            state=(
                self._items.changes,
                (account.user.id, account.changes, *account.unseen)
                if account
                else None,
            ),
            versions=account is None,
        )
        found = search.find() or Found([], 0, query.start)
        with_data = account and call.params.flag("enableUserData") is not False
        data = account.answered if account and with_data else None
        fields = call.params.several("fields")
        return answer_json(
            {
                "Items": [self._json.item(item, fields, data) for item in found.items],
                "TotalRecordCount": found.total,
                "StartIndex": found.start,
            }
        )

    async def _item(self, call: Call) -> web.Response:
        account = self._account_of(call)
        if account and call.id("item") == NO_ID:
            return answer_json(self._json.root(account))
        item = self._item_of(call, account)
        return answer_json(
            self._json.item(item, ALL_FIELDS, account.answered if account else None)
        )

    def _item_of(self, call: Call, account: Account | None = None) -> Item:
        """Return the item that the path names, if an account may see it."""
        item = self._items.get(call.id("item"))
        if item is None or item.kind in self._hidden(account):
            raise RefusedError(404)
        return item

    def _hidden(self, account: Account | None) -> frozenset[Kind]:
        """Return the kinds of items in those libraries that an account may not see."""
        if account is None or not account.unseen:
            return frozenset()
        return frozenset(
            kind
            for view in VIEWS
            if self._items.id_of(view) in account.unseen
            for kind in view.kinds
        )

    async def _counts(self, call: Call) -> web.Response:
        self._account_of(call)
        counted = {
            "MovieCount": Kind.MOVIE,
            "SeriesCount": Kind.SERIES,
            "EpisodeCount": Kind.EPISODE,
            "ArtistCount": Kind.ARTIST,
            "AlbumCount": Kind.ALBUM,
            "SongCount": Kind.TRACK,
        }
        never = ("Program", "Trailer", "MusicVideo", "BoxSet", "Book", "Item")
        return answer_json(
            {
                **{name: self._items.count(kind) for name, kind in counted.items()},
                **{f"{name}Count": 0 for name in never},
            }
        )

    async def _views(self, call: Call) -> web.Response:
        account = self._account_of(call)
        views = [
            self._json.item(
                self._items.of(view), ALL_FIELDS, account.answered if account else None
            )
            for view in VIEWS
            if account is None or self._items.id_of(view) not in account.unseen
        ]
        return answer_json(
            {"Items": views, "TotalRecordCount": len(views), "StartIndex": 0}
        )

    async def _segments(self, call: Call) -> web.Response:
        """Answer with the parts of an item, of which nobody here knows any."""
        if self._items.get(call.id("item")) is None:
            raise RefusedError(400)
        return answer_json({"Items": [], "TotalRecordCount": 0, "StartIndex": 0})

    async def _image(self, call: Call) -> web.Response:
        item = self._item_of(call)
        if call.path_values["image"].lower() != "primary":
            raise RefusedError(404)
        if not self._json.image_tags(item):
            raise RefusedError(404)
        return web.Response(body=poster_of(item.id), content_type="image/jpeg")

    # --- what users have seen -----------------------------------------------------------

    def _account_and_item(self, call: Call) -> tuple[Account, Item]:
        """Return whose data of which item is meant."""
        account = self._account_of(call)
        if account is None:
            raise RefusedError(404)
        return account, self._item_of(call, account)

    def _preferences_and_item(self, call: Call) -> tuple[Account, Item]:
        """Return whose data of which item is meant, if it may be looked at by its user."""
        account = self._account_of(call)
        if (
            account is not None
            and account is call.caller.account
            and not account.has_preferences
        ):
            raise RefusedError(403)
        return self._account_and_item(call)

    def _answer_user_data(self, account: Account, item: Item) -> web.Response:
        return answer_json(self._json.user_data(item, account.answered))

    async def _mark_played(self, call: Call) -> web.Response:
        account, item = self._account_and_item(call)
        date = call.params.played_date("datePlayed", self._state.server.timezone)
        for notification in self._state.mark(account, item, played=True, date=date):
            self._send(notification)
        return self._answer_user_data(account, item)

    async def _mark_unplayed(self, call: Call) -> web.Response:
        account, item = self._account_and_item(call)
        for notification in self._state.mark(account, item, played=False):
            self._send(notification)
        return self._answer_user_data(account, item)

    async def _user_data(self, call: Call) -> web.Response:
        return self._answer_user_data(*self._preferences_and_item(call))

    async def _save_user_data(self, call: Call) -> web.Response:
        """Change just what is given, and whether it is liked by the rating."""
        account, item = self._preferences_and_item(call)
        given = call.json()
        if not isinstance(given, dict):
            raise BadRequestError("The userDataDto field is required.")
        data = self._state.data(account, item)
        for name, attribute, read in _SAVED:
            if (value := given.get(name)) is not None:
                try:
                    setattr(data, attribute, read(value))
                except TypeError, ValueError:
                    raise BadRequestError(
                        f"The value of {name} is not valid."
                    ) from None
        if given.get("Rating") is not None:
            data.rate(data.rating)
        self._send(self._state.saved(account, item, SaveReason.UPDATE_USER_DATA))
        return self._answer_user_data(account, item)

    async def _rate(self, call: Call) -> web.Response:
        account, item = self._account_and_item(call)
        self._state.data(account, item).like(call.params.flag("likes"))
        self._send(self._state.saved(account, item, SaveReason.UPDATE_USER_RATING))
        return self._answer_user_data(account, item)

    async def _favor(self, call: Call) -> web.Response:
        return self._set_favorite(call, favorite=True)

    async def _disfavor(self, call: Call) -> web.Response:
        return self._set_favorite(call, favorite=False)

    def _set_favorite(self, call: Call, *, favorite: bool) -> web.Response:
        account, item = self._account_and_item(call)
        for notification in self._state.favor(account, item, favorite=favorite):
            self._send(notification)
        return self._answer_user_data(account, item)

    # --- sessions -------------------------------------------------------------------------

    def _session_of(self, call: Call) -> Session:
        """Return the session of the device that asks."""
        if call.caller.is_api_key:
            raise RefusedError(404)
        return self._accounts.sessions[self._accounts.session_id(call.caller.device)]

    def _report(self, call: Call) -> tuple[Playing, timedelta | None, dict[str, Any]]:
        """Return what a client says it plays, where, and the whole report."""
        given = call.json()
        if not isinstance(given, dict):
            raise BadRequestError("The report is not valid.")
        item = self._items.get(guid(str(given.get("ItemId"))))
        if item is None:
            raise RefusedError(404)
        version = self._items.get(guid(str(given.get("MediaSourceId") or item.id)))
        at = given.get("PositionTicks")
        position = None if at is None else from_ticks(at)
        return Playing(item, version or item), position, given

    async def _playing(self, call: Call) -> web.Response:
        playing, position, _ = self._report(call)
        return self._told(
            self._state.start(self._session_of(call), playing, position or timedelta())
        )

    async def _progress(self, call: Call) -> web.Response:
        playing, position, given = self._report(call)
        return self._told(
            self._state.progress(
                self._session_of(call),
                playing,
                position,
                paused=bool(given.get("IsPaused")),
            )
        )

    async def _stopped(self, call: Call) -> web.Response:
        playing, position, given = self._report(call)
        return self._told(
            self._state.stop(
                self._session_of(call),
                playing,
                position,
                failed=bool(given.get("Failed")),
            )
        )

    async def _join(self, call: Call) -> web.Response:
        session, account = self._session_and_user(call)
        if account not in session.accounts:
            session.accounts = [*session.accounts, account]
        return web.Response(status=204)

    async def _part(self, call: Call) -> web.Response:
        session, account = self._session_and_user(call)
        session.accounts = [each for each in session.accounts if each is not account]
        return web.Response(status=204)

    def _session_and_user(self, call: Call) -> tuple[Session, Account]:
        session = self._accounts.sessions.get(call.path_values["session"])
        account = self._accounts.users.get(call.id("user"))
        if session is None or account is None:
            raise RefusedError(404)
        return session, account

    def _told(self, notifications: Iterable[Notification]) -> web.Response:
        """Tell what a request raised, and answer nothing."""
        for notification in notifications:
            self._send(notification)
        return web.Response(status=204)

    async def _sessions(self, call: Call) -> web.Response:
        """Answer with all sessions, or those of nobody else where one may not see others'."""
        device = call.params.text("deviceId")
        within = call.params.number("activeWithinSeconds")
        if call.params.id("controllableByUserId"):
            raise NotPlayedError("controllableByUserId")
        since = self._state.now() - timedelta(seconds=within) if within else None
        return answer_json(
            [
                self._json.session(session)
                for session in self._accounts.sessions.values()
                if (
                    call.caller.is_administrator
                    or not session.accounts
                    or call.caller.account in session.accounts
                )
                and device in {None, session.device.id}
                and (since is None or session.last_activity >= since)
            ]
        )


# What may be saved of a user and an item: its name in the API, here, and how it is read.
_SAVED: Sequence[tuple[str, str, Callable[[Any], Any]]] = (
    ("Played", "played", bool),
    ("PlayCount", "count", int),
    ("PlaybackPositionTicks", "position", int),
    ("LastPlayedDate", "last_played", moment),
    ("IsFavorite", "favorite", bool),
    ("Likes", "likes", bool),
    ("Rating", "rating", float),
)


def _method(method: str) -> str:
    """Return the method whose endpoint answers."""
    return "GET" if method == "HEAD" else method


def _quick_connect(request: QuickConnectRequest) -> dict[str, Any]:
    return {
        "Authenticated": request.account is not None,
        "Secret": request.secret,
        "Code": request.code,
        "DeviceId": request.credentials.device_id,
        "DeviceName": request.credentials.device,
        "AppName": request.credentials.client,
        "AppVersion": request.credentials.version,
        "DateAdded": written(request.added),
    }


def poster_of(identifier: str) -> bytes:
    """Return the poster of an item: the same picture, with its id in a comment."""
    comment = identifier.encode()
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment
    return POSTER[:2] + segment + POSTER[2:]


_TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
}


def _refusal(refused: RefusedError, bad: BadRequestError | None = None) -> web.Response:
    """Return a refusal: a text, a description of the problem, or nothing at all."""
    if refused.text is not None:
        return web.Response(status=refused.status, text=refused.text)
    if refused.status in {401, 403}:
        return web.Response(status=refused.status)
    problem = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5",
        "title": _TITLES[refused.status],
        "status": refused.status,
        "traceId": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
    }
    if bad is not None:
        problem["title"] = "One or more validation errors occurred."
        problem["errors"] = {bad.name or "": [str(bad)]}
    return answer_json(problem, status=refused.status)
