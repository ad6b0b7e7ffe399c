"""Who may use a Jellyfin server: users, tokens, API keys, Quick Connect, sessions."""

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import secrets
from urllib.parse import unquote_plus

from .catalogue import stable_hex
from .jellyfin import JellyfinDevice, JellyfinUser
from .jellyfin_items import Item
from .jellyfin_user_data import UserData

# How long a code of Quick Connect can be used, how long longer once it was.
QUICK_CONNECT_EXPIRES = timedelta(minutes=10)
QUICK_CONNECT_EXTENDED = timedelta(minutes=1)
# How often it is written down that a user was active.
ACTIVITY_STEP = timedelta(minutes=1)


@dataclass(kw_only=True, eq=False)
class Account:
    """A user, and what the server keeps of them."""

    user: JellyfinUser
    password: str = ""
    administrator: bool = False
    disabled: bool = False
    # Whether nobody is let in as this user just now: outside of their hours, or from afar.
    barred: bool = False
    hidden: bool = False
    last_login: datetime | None = None
    last_activity: datetime | None = None
    # How often it was tried in vain to sign in, and how often that may be; None: always.
    failed_attempts: int = 0
    attempts: int | None = None
    # Whether this user may change what is kept of them, and sees episodes without files.
    has_preferences: bool = True
    displays_missing: bool = False
    # The ids of the libraries that are not for this user.
    unseen: set[str] = field(default_factory=set)
    # By the id of the item; the number goes up when somebody takes one of them to change.
    data: dict[str, UserData] = field(default_factory=dict)
    changes: int = 0
    # What is kept under external ids that an item had once: it is not written any more.
    older: dict[str, UserData] = field(default_factory=dict)

    @property
    def answered(self) -> Mapping[str, UserData]:
        """Return what is answered of items: what is kept under older ids comes first.

        Lists are sorted and filtered by what was written last all the same.
        """
        return ChainMap(self.older, self.data) if self.older else self.data

    def fail(self) -> bool:
        """Note that it was tried in vain to sign in; returns whether that was too often."""
        self.failed_attempts += 1
        if self.attempts is not None and self.failed_attempts >= self.attempts:
            self.disabled = True
        return self.disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a request is allowed by: a user's sign-in on a device, or an API key."""

    value: str
    account: Account | None
    device: JellyfinDevice
    version: str

    @property
    def is_api_key(self) -> bool:
        """Return whether this stands for no user, and may do all there is."""
        return self.account is None

    @property
    def is_administrator(self) -> bool:
        """Return whether this may change the server."""
        return self.account is None or self.account.administrator


@dataclass(frozen=True, slots=True)
class Playing:
    """What a client says it plays: an item, and which of its versions."""

    item: Item
    version: Item


@dataclass(kw_only=True, eq=False)
class Session:
    """A device that somebody is signed in on; it may be playing."""

    id: str
    device: JellyfinDevice
    version: str
    accounts: list[Account]
    last_activity: datetime
    # When the client last told how far it is; the server itself tells it every second.
    last_check_in: datetime | None = None
    playing: Playing | None = None
    # What played last, which a client that was asleep may go on with.
    before: Playing | None = None
    position: timedelta = timedelta()
    # The last position that the client itself reported.
    reported: timedelta = timedelta()
    paused: bool = False
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a request says about who it comes from."""

    client: str = ""
    device: str = ""
    device_id: str = ""
    version: str = ""
    token: str = ""

    @property
    def complete(self) -> bool:
        """Return whether this is enough to sign in with."""
        return bool(self.client and self.device and self.device_id and self.version)


def credentials_of(
    headers: Mapping[str, str],
    query: Callable[[str], str | None],
    *,
    older: bool,
) -> Credentials:
    """Return who a request comes from; `older` is whether the older forms are understood.

    Those are the headers X-Emby-Authorization, X-Emby-Token and X-MediaBrowser-Token, the
    scheme Emby, and the parameter api_key. The parameter ApiKey is not one of them.
    """
    header = headers.get("Authorization", "")
    if older and not header:
        header = headers.get("X-Emby-Authorization", "")
    scheme, _, rest = header.partition(" ")
    known = {"mediabrowser", "emby"} if older else {"mediabrowser"}
    parts = _parts(rest) if scheme.lower() in known else {}
    # The first that is given counts.
    tokens = [parts.get("Token"), query("ApiKey")]
    if older:
        tokens[1:1] = [headers.get("X-Emby-Token"), headers.get("X-MediaBrowser-Token")]
        tokens.append(query("api_key"))
    return Credentials(
        client=parts.get("Client", ""),
        device=parts.get("Device", ""),
        device_id=parts.get("DeviceId", ""),
        version=parts.get("Version", ""),
        token=next(filter(None, tokens), ""),
    )


def _parts(text: str) -> dict[str, str]:
    """Return what an authorization header consists of; commas in quotes part nothing."""
    parts: dict[str, str] = {}
    key, value, quoted, in_value = "", "", False, False
    for character in f"{text},":
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            if key:
                parts[key.strip()] = unquote_plus(value.strip())
            key, value, in_value = "", "", False
        elif character == "=" and not quoted and not in_value:
            in_value = True
        elif in_value:
            value += character
        else:
            key += character
    return parts


@dataclass(kw_only=True, eq=False)
class QuickConnectRequest:
    """A device that waits to be let in."""

    secret: str
    code: str
    added: datetime
    credentials: Credentials
    # Who let the device in.
    account: Account | None = None


class Accounts:
    """The users of a server and everything they sign in by."""

    def __init__(self, server_id: str, now: Callable[[], datetime]) -> None:
        self._server_id = server_id
        self._now = now
        self.users: dict[str, Account] = {}
        self.tokens: dict[str, Token] = {}
        self.sessions: dict[str, Session] = {}
        self.quick_connect_enabled = True
        self._waiting: dict[str, QuickConnectRequest] = {}

    def named(self, name: str) -> Account | None:
        """Return a user by name, whatever its case."""
        for account in self.users.values():
            if account.user.name.lower() == name.lower():
                return account
        return None

    # --- tokens ------------------------------------------------------------------------

    def sign_in(self, account: Account, credentials: Credentials) -> Token:
        """Let a user in on a device; an earlier sign-in there ends."""
        device = JellyfinDevice(
            credentials.device,
            credentials.device_id,
            credentials.client,
            "127.0.0.1",
        )
        for token in list(self.tokens.values()):
            if token.account is account and token.device.id == device.id:
                del self.tokens[token.value]
        token = Token(
            value=secrets.token_hex(16),
            account=account,
            device=device,
            version=credentials.version,
        )
        self.tokens[token.value] = token
        account.last_login = self._now()
        account.failed_attempts = 0
        self.session(device, [account], credentials.version)
        return token

    def api_key(self, name: str) -> Token:
        """Make an API key."""
        device = JellyfinDevice(name, self._server_id, name, "127.0.0.1")
        token = Token(
            value=secrets.token_hex(16), account=None, device=device, version=""
        )
        self.tokens[token.value] = token
        return token

    def sign_out(self, token: Token) -> None:
        """Forget a token and the session it made."""
        self.tokens.pop(token.value, None)
        self.sessions.pop(self.session_id(token.device), None)

    # --- sessions ----------------------------------------------------------------------

    def session_id(self, device: JellyfinDevice) -> str:
        """Return the id of the session of a device."""
        return stable_hex("session", self._server_id, device.id)

    def session(
        self, device: JellyfinDevice, accounts: list[Account], version: str = "1.0.0"
    ) -> Session:
        """Return the session of a device, which somebody just did something on.

        Without accounts it is whose it was.
        """
        identifier = self.session_id(device)
        session = self.sessions.get(identifier)
        if session is None:
            session = self.sessions[identifier] = Session(
                id=identifier,
                device=device,
                version=version,
                accounts=accounts,
                last_activity=self._now(),
            )
        session.accounts = accounts or session.accounts
        session.last_activity = self._now()
        for account in session.accounts[:1]:
            self._note_activity(account)
        return session

    def touch(self, token: Token) -> None:
        """Note that somebody does something on a device, whoever else watches there."""
        if token.account is None:
            return
        session = self.sessions.get(self.session_id(token.device))
        joined = session is not None and token.account in session.accounts
        self.session(token.device, [] if joined else [token.account], token.version)

    def _note_activity(self, account: Account) -> None:
        """Write down that a user is active, unless that was done just now."""
        before, now = account.last_activity, self._now()
        if before is None or now - before > ACTIVITY_STEP:
            account.last_activity = now

    # --- Quick Connect -----------------------------------------------------------------

    def start_quick_connect(self, credentials: Credentials) -> QuickConnectRequest:
        """Return a new code, and the secret to ask for its fate with."""
        self._expire()
        code = f"{secrets.randbelow(900_000) + 100_000}"
        request = QuickConnectRequest(
            secret=secrets.token_hex(32).upper(),
            code=code,
            added=self._now(),
            credentials=credentials,
        )
        self._waiting[request.secret] = request
        return request

    def quick_connect(self, secret: str) -> QuickConnectRequest | None:
        """Return the request of a secret, None if there is none or it has expired."""
        self._expire()
        return self._waiting.get(secret)

    def quick_connect_code(self, code: str) -> QuickConnectRequest | None:
        """Return the request of a code, None if there is none or it has expired."""
        self._expire()
        for request in self._waiting.values():
            if request.code == code:
                return request
        return None

    def authorize(self, request: QuickConnectRequest, account: Account) -> None:
        """Let the device of a request in as a user, once it comes to sign in."""
        request.account = account
        request.added = self._now() + QUICK_CONNECT_EXTENDED

    def expire_quick_connect(self) -> None:
        """Let every request expire now."""
        self._waiting.clear()

    def _expire(self) -> None:
        oldest = self._now() - QUICK_CONNECT_EXPIRES
        for secret, request in list(self._waiting.items()):
            if request.added < oldest:
                del self._waiting[secret]
