"""The people at plex.tv and the tokens by which they are known, there and on servers.

A token of plex.tv opens the account everywhere; the owner's also opens their servers. Anybody
else reaches a server with a token that plex.tv hands out for that server alone. Servers call
their owner 1, and everybody else by the id at plex.tv.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from .catalogue import Movie, Show, stable_hex
from .plex import PlexAccount

_TOKEN_LENGTH = 20


@dataclass(kw_only=True, eq=False)
class PlexUser:
    """Somebody with an account at plex.tv, or a managed user of somebody's home.

    A managed user has neither user name nor address nor password. `watchlist` says since
    when each film and series has been on it.
    """

    name: str
    id: int
    plex_pass: bool = False
    managed: bool = False
    password: str = "correct horse"
    home_pin: str | None = None
    verification_code: str | None = None
    home_admin: PlexUser | None = None
    friends: list[PlexUser] = field(default_factory=list)
    webhooks: list[str] = field(default_factory=list)
    watchlist: dict[Movie | Show, datetime] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        """Return the id that plex.tv shows others."""
        return stable_hex("plex user", self.name, length=16)

    @property
    def username(self) -> str:
        """Return the name to sign in with."""
        return "" if self.managed else self.name

    @property
    def email(self) -> str:
        """Return the address to sign in with."""
        return "" if self.managed else f"{self.name}@example.org"

    @property
    def avatar(self) -> str:
        """Return where the picture is."""
        return f"https://plex.tv/users/{self.uuid}/avatar?c=1716292800"

    @property
    def features(self) -> list[str]:
        """Return what the account may do; webhooks are for those with a Plex Pass."""
        common = ["companions_sonos", "vod-schema", "watchlist-rss"]
        paid = ["pass", "sync", "trailers", "webhooks"]
        return [*common, *paid] if self.plex_pass else common

    @property
    def home(self) -> list[PlexUser]:
        """Return the others in the home that this user is the administrator of."""
        return [friend for friend in self.friends if friend.home_admin is self]

    def add_to_watchlist(
        self, title: Movie | Show, *, at: datetime | None = None
    ) -> None:
        """Put a title on the watchlist, now unless another time is given."""
        self.watchlist.setdefault(title, at or datetime.now(UTC))


class PlexAccounts:
    """All people, and all tokens that are good."""

    def __init__(self) -> None:
        self._users: dict[str, PlexUser] = {}
        self._tokens: dict[str, PlexUser] = {}
        self._server_tokens: dict[str, tuple[PlexUser, str]] = {}
        self._issued = 0

    def __getitem__(self, name: str) -> PlexUser:
        return self._users[name]

    def add(
        self,
        name: str,
        *,
        friend_of: PlexUser | None = None,
        home: bool = False,
        managed: bool = False,
        plex_pass: bool = False,
    ) -> PlexUser:
        """Add somebody: on their own, as a friend of somebody, or in somebody's home.

        Ids are those that a `PlexAccount` of the same name and kind has.
        """
        kind = PlexAccount.home_user if home or managed else PlexAccount.guest
        user = PlexUser(
            name=name, id=kind(name).id, managed=managed, plex_pass=plex_pass
        )
        if friend_of is not None:
            friend_of.friends.append(user)
            if home or managed:
                user.home_admin = friend_of
        self._users[name] = user
        return user

    def sign_in(self, login: str, password: str) -> PlexUser | None:
        """Return whom a user name or address and a password belong to."""
        for user in self._users.values():
            if not user.managed and login in {user.username, user.email}:
                return user if password == user.password else None
        return None

    def issue(self, user: PlexUser) -> str:
        """Return a new token of plex.tv."""
        token = self._new_token(user.name)
        self._tokens[token] = user
        return token

    def server_token(self, user: PlexUser, server: str) -> str:
        """Return the token for a server alone, the same as long as it is good."""
        for token, holder in self._server_tokens.items():
            if holder == (user, server):
                return token
        token = self._new_token(user.name, server)
        self._server_tokens[token] = (user, server)
        return token

    def user_of(self, token: str | None) -> PlexUser | None:
        """Return whom plex.tv knows by a token."""
        return self._tokens.get(token or "")

    def user_at(self, server: str, owner: PlexUser, token: str) -> PlexUser | None:
        """Return whom a server knows by a token."""
        if self._tokens.get(token) is owner:
            return owner
        user, of_server = self._server_tokens.get(token, (None, None))
        return user if of_server == server else None

    def revoke(self, whose: PlexUser | str) -> None:
        """Make a token worthless, or all that somebody has."""
        for token in [
            token for token, user in self._tokens.items() if whose in (token, user)
        ]:
            del self._tokens[token]
        for token in [
            token
            for token, (user, _) in self._server_tokens.items()
            if whose in (token, user)
        ]:
            del self._server_tokens[token]

    def _new_token(self, *parts: str) -> str:
        """Return a token that nobody has had yet."""
        self._issued += 1
        return stable_hex("token", self._issued, *parts, length=_TOKEN_LENGTH)
