"""Tests of who an event is from, and of remembering that."""

from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.domain.event import Party
from custom_components.media_scrobbler.storage import accounts as module
from custom_components.media_scrobbler.storage.accounts import (
    ANONYMOUS,
    MAX_ACCOUNTS,
    Account,
    Accounts,
)
from custom_components.media_scrobbler.storage.writer import StorageWriteError

from .common import Disk


@pytest.fixture
def accounts(hass: HomeAssistant, disk: Disk) -> Accounts:
    """Return the accounts of servers that nobody has watched on."""
    return Accounts(hass)


def noted(accounts: Accounts, *parties: Party | None, server: str = "s") -> list[str]:
    """Return the ids of the accounts that events are taken for."""
    found = [accounts.note(server, party) for party in parties]
    return [account.id if account else "-" for account in found]


async def test_accounts_are_known_by_their_ids(accounts: Accounts) -> None:
    assert noted(
        accounts,
        Party("7", "alice"),
        Party("8", "alice"),
        Party("7", "Alice M."),
        Party("7"),
    ) == ["7", "8", "7", "7"]
    assert [account.name for account in accounts] == ["Alice M.", "alice"]
    assert noted(accounts, Party("7", "bob"), server="t") == ["7"]
    assert [account.key for account in accounts] == ["s:7", "s:8", "t:7"]


async def test_accounts_without_an_id_are_known_by_their_names(
    accounts: Accounts,
) -> None:
    assert noted(accounts, Party(None, "carol"), Party(None, "Carol")) == [
        "name:carol",
        "name:carol",
    ]
    assert noted(accounts, Party("7", "bob"), Party(None, "Bob")) == ["7", "7"]


async def test_a_name_that_two_share_identifies_neither(accounts: Accounts) -> None:
    noted(accounts, Party("7", "alice"), Party("8", "alice"))

    assert noted(accounts, Party(None, "alice")) == [ANONYMOUS]


async def test_whoever_is_not_named_is_anonymous(accounts: Accounts) -> None:
    assert noted(accounts, None) == [ANONYMOUS]
    assert noted(accounts, Party(None, "anonymous")) == ["name:anonymous"]
    assert noted(accounts, None) == [ANONYMOUS]


async def test_there_is_an_end_to_it(accounts: Accounts) -> None:
    parties = [Party(str(number)) for number in range(MAX_ACCOUNTS)]

    assert noted(accounts, *parties)[-1] == str(MAX_ACCOUNTS - 1)
    assert noted(accounts, Party("one more")) == ["-"]
    assert noted(accounts, None) == ["-"]
    assert noted(accounts, parties[0]) == ["0"]
    assert noted(accounts, Party("one more"), server="t") == ["one more"]


async def test_accounts_are_remembered(
    hass: HomeAssistant, disk: Disk, accounts: Accounts
) -> None:
    noted(accounts, Party("7", "alice"), None)
    noted(accounts, Party("7", "bob"), server="t")
    await accounts.async_saved()
    assert disk.written == ["accounts"]
    await accounts.async_saved()
    assert disk.written == ["accounts"]

    again = Accounts(hass)
    await again.async_load()

    assert list(again) == list(accounts)
    assert again.get("s:7") == Account("s", "7", "alice", active=True)
    assert again.get("s:8") is None
    assert again.get("") is None
    assert again.get("s:7:8") is None

    again.forget("s")
    again.forget("unheard of")
    await again.async_saved()
    assert disk.read("accounts") == {
        "accounts": [{"server_id": "t", "id": "7", "name": "bob", "active": True}]
    }


async def test_ids_may_hold_anything(
    hass: HomeAssistant, disk: Disk, accounts: Accounts
) -> None:
    strange = ["a:b", "../../etc", "☃", "a/b", " "]
    noted(accounts, *(Party(text, text) for text in strange))
    await accounts.async_saved()

    again = Accounts(hass)
    await again.async_load()

    assert [account.id for account in again] == strange
    for account in again:
        assert again.get(account.key) == account
        assert account.slug.isalnum()
    assert len({account.slug for account in again}) == len(strange)


async def test_whoever_asks_learns_that_accounts_are_not_on_disk(
    disk: Disk, accounts: Accounts
) -> None:
    with disk.full():
        noted(accounts, Party("7", "alice"))
        with pytest.raises(StorageWriteError):
            await accounts.async_saved()

    await accounts.async_saved()

    assert len(disk.read("accounts")["accounts"]) == 1


@pytest.mark.parametrize(
    "data",
    [
        {"accounts": 5},
        {"accounts": [5]},
        {"accounts": [{"id": "7"}]},
        {"accounts": [{"server_id": "s", "id": 7, "name": "alice"}]},
        {"accounts": [{"server_id": "s", "id": "7", "name": 5}]},
        {"accounts": [{"server_id": ["s"], "id": "7"}]},
    ],
)
async def test_a_damaged_list_stays_as_it_is_and_goes_on_in_another_file(
    hass: HomeAssistant, disk: Disk, data: Any
) -> None:
    path = disk.write("accounts", data)
    damaged = path.read_bytes()
    accounts = Accounts(hass)

    await accounts.async_load()

    assert list(accounts.unreadable) == [str(path)]
    assert noted(accounts, Party("8", "alice"), Party(None, "alice")) == ["8", "8"]
    await accounts.async_saved()
    assert path.read_bytes() == damaged
    assert len(disk.read("accounts.0001")["accounts"]) == 1
    again = Accounts(hass)
    await again.async_load()
    assert [account.id for account in again] == ["8"]
    again.note("s", Party("9"))
    await again.async_saved()
    assert disk.names() == ["accounts", "accounts.0001"]

    disk.write("accounts", {"accounts": [{"server_id": "s", "id": "7", "name": "bob"}]})
    mended = Accounts(hass)
    await mended.async_load()
    assert mended.unreadable == {}
    assert [account.id for account in mended] == ["7", "8", "9"]
    mended.note("s", Party("10"))
    await mended.async_saved()
    assert disk.names() == ["accounts"]
    assert len(disk.read("accounts")["accounts"]) == 4


async def test_nothing_is_left_of_nobody(
    hass: HomeAssistant, disk: Disk, accounts: Accounts
) -> None:
    noted(accounts, Party("7", "alice"))
    await accounts.async_saved()

    accounts.forget("s")

    await accounts.async_saved()
    assert disk.names() == []


async def test_those_that_their_server_has_do_not_make_room(
    hass: HomeAssistant, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ACCOUNTS", 3)
    forgotten: list[str] = []
    accounts = Accounts(
        hass,
        is_needed=lambda account: account.id == "1",
        on_forgotten=lambda account: forgotten.append(account.id),
    )
    noted(accounts, Party("1"), Party("2"), Party("3"))
    # The server has the second, and more than there is room for.
    for known in ("2", "4", "5"):
        assert accounts.note("s", Party(known), active=False) is not None

    assert noted(accounts, Party("6"), Party("7")) == ["6", "7"]
    assert forgotten == ["3", "6"]
    assert [account.id for account in accounts] == ["1", "2", "4", "5", "7"]
    accounts.keep(Account("s", "6", "frank", active=True))
    assert accounts.get("s:6") is not None
