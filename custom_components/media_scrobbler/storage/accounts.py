"""The accounts that have been seen on the servers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
import hashlib
from typing import Any

from homeassistant.core import HomeAssistant, callback

from ..domain.event import Party
from .continued import ContinuedStore
from .store import Migration
from .writer import Writer

VERSION = 1
MINOR_VERSION = 2

MAX_ACCOUNTS = 500
"""Accounts remembered per server, apart from those that it has itself. Whoever knows the URL
can invent any number: those of which nothing is to be kept make room for others."""

ANONYMOUS = "anonymous"
"""The account id for events that do not tell, or contradict themselves, who watched."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of one server. `server_id` is the config entry's id.

    `active` tells that something has been played with it: others are known because their
    server has them.
    """

    server_id: str
    id: str
    name: str | None
    active: bool = False

    @property
    def key(self) -> str:
        """Return what viewers are linked to."""
        return f"{self.server_id}:{self.id}"

    @property
    def slug(self) -> str:
        """Return a name for files: ids may hold anything."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]


class Accounts:
    """All accounts of all servers."""

    def __init__(
        self,
        hass: HomeAssistant,
        *,
        migrate: Migration | None = None,
        on_trouble: Callable[[], None] = lambda: None,
        is_needed: Callable[[Account], bool] = lambda _: True,
        on_forgotten: Callable[[Account], None] = lambda _: None,
    ) -> None:
        """Start empty.

        `on_trouble` is called whenever `failing` has changed. `is_needed` says whether
        anything depends on an account, `on_forgotten` hears of one that had to make room.
        """
        self._is_needed = is_needed
        self._on_forgotten = on_forgotten
        # Those that their servers have said to have since the start.
        self._listed: set[str] = set()
        self._store = ContinuedStore(
            hass,
            "accounts",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=migrate,
        )
        self._writer = Writer(hass, self._store, self._snapshot, on_trouble)
        self._accounts: dict[str, dict[str, Account]] = {}

    @property
    def failing(self) -> bool:
        """Return whether an account could not be written and waits in memory."""
        return self._writer.failing

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the files that could not be read, and why.

        The accounts in them are learned again as they watch.
        """
        return self._store.unreadable

    async def async_load(self) -> None:
        """Read the accounts, once."""
        for accounts in await self._store.async_load_as(_accounts):
            for account in accounts:
                self._accounts.setdefault(account.server_id, {})[account.id] = account

    async def async_saved(self) -> None:
        """Return when every known account is on disk; raises StorageWriteError."""
        if (written := self._writer.save(changed=False)) is not None:
            await written

    def __iter__(self) -> Iterator[Account]:
        """Iterate over every account."""
        return (
            account
            for accounts in self._accounts.values()
            for account in accounts.values()
        )

    def get(self, key: str) -> Account | None:
        """Return an account by its key."""
        server_id, _, account_id = key.partition(":")
        return self._accounts.get(server_id, {}).get(account_id)

    @callback
    def note(
        self, server_id: str, party: Party | None, *, active: bool = True
    ) -> Account | None:
        """Return the account that an event or a server names, remembering what is new.

        An account is known by its id, by its name alone only where no id is given. A name
        that two accounts share identifies neither. One that is not `active` is one that
        the server has. Returns None for a further account where there are too many.
        """
        party = party or Party(ANONYMOUS)
        known = self._accounts.setdefault(server_id, {})
        account = known.get(party.id) if party.id is not None else None
        if party.id is None and party.name is not None:
            namesakes = [
                namesake
                for namesake in known.values()
                if namesake.name is not None
                and namesake.name.casefold() == party.name.casefold()
            ]
            if len(namesakes) > 1:
                return self.note(server_id, None, active=active)
            if namesakes:
                account, party = namesakes[0], Party()
        if account is None:
            if active and len(known) >= MAX_ACCOUNTS and not self._make_room(known):
                return None
            account_id = party.id or f"name:{party.name}"
            account = Account(server_id, account_id, party.name, active)
            self._put(account)
        if not active:
            self._listed.add(account.key)
        name = party.name or account.name
        if name == account.name and (account.active or not active):
            return account
        return self._put(replace(account, name=name, active=account.active or active))

    def _make_room(self, known: dict[str, Account]) -> bool:
        """Forget the account that was noted first of those that are not needed."""
        for account in known.values():
            if (
                account.active
                and account.key not in self._listed
                and not self._is_needed(account)
            ):
                del known[account.id]
                self._on_forgotten(account)
                return True
        return False

    @callback
    def keep(self, account: Account) -> None:
        """Have an account that is needed now, even if it had to make room meanwhile."""
        known = self._accounts.setdefault(account.server_id, {})
        if account.id not in known:
            self._put(account)

    @callback
    def forget(self, server_id: str) -> None:
        """Forget a server's accounts."""
        if self._accounts.pop(server_id, None) is not None:
            self._save()

    def _put(self, account: Account) -> Account:
        self._accounts[account.server_id][account.id] = account
        self._save()
        return account

    def _save(self) -> None:
        # Whoever needs to know that it is on disk asks by `async_saved`.
        self._writer.save()

    def _snapshot(self) -> dict[str, Any] | None:
        if not any(self._accounts.values()):
            return None
        return {
            "accounts": [
                {
                    "server_id": account.server_id,
                    "id": account.id,
                    "name": account.name,
                    "active": account.active,
                }
                for account in self
            ]
        }


def _accounts(stored: dict[str, Any]) -> list[Account]:
    """Return the accounts of a stored form; raises what `DAMAGE` lists."""
    return [_account(entry) for entry in stored["accounts"]]


def _account(stored: dict[str, Any]) -> Account:
    """Return the account of a stored form; raises KeyError or TypeError if it is none."""
    server_id, account_id, name = stored["server_id"], stored["id"], stored.get("name")
    if not isinstance(server_id, str) or not isinstance(account_id, str):
        raise TypeError(f"{stored} is no account")
    if not isinstance(name, str | None):
        raise TypeError(f"name is {name!r}")
    # In version 1.1, every account that was known had been active.
    return Account(server_id, account_id, name, bool(stored.get("active", True)))
