"""Signing in at plex.tv in the options of a viewer, by PIN, for that person's watchlist."""

from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.media_scrobbler import connection
from custom_components.media_scrobbler.plex import pin as plex_pin

from .common import add_viewer, answer, call, start_flow
from .signing_in import confirm_url, finish, waiting
from .simulators.catalogue import PAPER_ORCHARD
from .simulators.plex_server import PlexStandIn, PlexUser
from .test_repairs import issues
from .texts import assert_translated
from .wanted import failing, gone_on, names, option, sign_in


@pytest.fixture
async def vera(hass: HomeAssistant, plex_net: PlexStandIn) -> ConfigEntry[Any]:
    """Return a viewer of whom no server knows."""
    return await add_viewer(hass, "Vera")


@pytest.fixture
def bob(plex_net: PlexStandIn) -> PlexUser:
    """Return somebody with an account at plex.tv."""
    return plex_net.user("bob")


async def started(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> ConfigFlowResult:
    """Begin to sign in; returns what is shown."""
    result = await hass.config_entries.options.async_init(viewer.entry_id)
    assert_translated(result, "options")
    return await answer(hass, result, next_step_id="plex_sign_in")


async def choices(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> set[str]:
    """Return what can be chosen in the options."""
    result = await hass.config_entries.options.async_init(viewer.entry_id)
    hass.config_entries.options.async_abort(result["flow_id"])
    assert isinstance(result["menu_options"], list)
    return set(result["menu_options"])


async def signed_out(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> None:
    """Sign out in the options."""
    result = await hass.config_entries.options.async_init(viewer.entry_id)
    result = await answer(hass, result, next_step_id="plex_sign_out")
    assert result["type"] is FlowResultType.FORM
    result = await answer(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY


def is_good(plex: PlexStandIn, token: str) -> bool:
    """Return whether plex.tv takes a token."""
    return plex.accounts.user_of(token) is not None


async def test_sign_in(
    hass: HomeAssistant, plex_net: PlexStandIn, vera: ConfigEntry[Any], bob: PlexUser
) -> None:
    """Once somebody has confirmed in the browser, that person's list is imported."""
    bob.add_to_watchlist(PAPER_ORCHARD)
    plex_net.discover.titles.append(PAPER_ORCHARD)
    await option(hass, vera, both_ways=True)
    data, options = vera.data, vera.options
    assert "plex_sign_out" not in await choices(hass, vera)
    with failing("no_plex_account", viewer="Vera"):
        await call(hass, "import_watchlist", viewer=vera.entry_id)

    result = await started(hass, vera)
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    again = await hass.config_entries.options.async_configure(result["flow_id"])
    assert confirm_url(again) == confirm_url(result)
    plex_net.tv.visit(confirm_url(result), bob)
    result = await gone_on(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY

    assert waiting("plex sign-in") == []
    token = plex_net.tv.pin().token
    assert vera.data == {**data, "account_token": token}
    assert vera.options == options
    assert "plex_sign_out" in await choices(hass, vera)
    await call(hass, "import_watchlist", viewer=vera.entry_id)
    assert await names(hass, vera) == [PAPER_ORCHARD.label]


@pytest.mark.parametrize("how", ["expired", "never"])
async def test_not_confirmed(
    hass: HomeAssistant,
    plex_net: PlexStandIn,
    vera: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """Whoever was too slow can try again, or go back."""
    if how == "never":
        monkeypatch.setattr(plex_pin, "LIFETIME", 0.1)
    result = await started(hass, vera)
    if how == "expired":
        plex_net.tv.expire()
    result = await gone_on(hass, result)
    assert result["type"] is FlowResultType.MENU
    assert result["step_id"] == "plex_not_signed_in"
    assert "account_token" not in vera.data
    back = await answer(hass, result, next_step_id="init")
    assert back["step_id"] == "init"

    monkeypatch.setattr(plex_pin, "LIFETIME", 60)
    result = await answer(hass, back, next_step_id="plex_sign_in")
    plex_net.tv.visit(confirm_url(result), plex_net.user("bob"))
    result = await gone_on(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert vera.data["account_token"] == plex_net.tv.pin().token


async def test_plex_tv_down(
    hass: HomeAssistant, plex_net: PlexStandIn, vera: ConfigEntry[Any]
) -> None:
    """Where plex.tv cannot be reached, there is nothing to confirm."""
    await plex_net.tv.stop()
    result = await started(hass, vera)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "plex_tv_unreachable"


async def test_plex_tv_fails(
    hass: HomeAssistant, plex_net: PlexStandIn, vera: ConfigEntry[Any], bob: PlexUser
) -> None:
    """A token of which nobody knows whose it is is not kept."""
    result = await started(hass, vera)
    with plex_net.tv.faults.fail(500, path="/api/v2/user"):
        plex_net.tv.visit(confirm_url(result), bob)
        result = await gone_on(hass, result)
    assert result["step_id"] == "plex_not_signed_in"
    assert "account_token" not in vera.data
    result = await answer(hass, result, next_step_id="plex_sign_in")
    plex_net.tv.visit(confirm_url(result), bob)
    result = await gone_on(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_closed(
    hass: HomeAssistant, plex_net: PlexStandIn, vera: ConfigEntry[Any]
) -> None:
    """A dialogue that is closed leaves nothing that waits."""
    result = await started(hass, vera)
    assert len(waiting("plex sign-in")) == 1
    hass.config_entries.options.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    assert waiting("plex sign-in") == []


@pytest.mark.parametrize("is_down", [False, True])
async def test_sign_out(
    hass: HomeAssistant,
    plex_net: PlexStandIn,
    vera: ConfigEntry[Any],
    caplog: pytest.LogCaptureFixture,
    is_down: bool,
) -> None:
    """The token is given back, and forgotten even where plex.tv does not answer."""
    await sign_in(hass, vera, plex_net, "bob")
    token, options = vera.data["account_token"], vera.options
    if is_down:
        await plex_net.tv.stop()
    await signed_out(hass, vera)
    assert "account_token" not in vera.data
    assert vera.options == options
    assert is_good(plex_net, token) is is_down
    assert ("Vera could not be signed out: cannot_connect" in caplog.text) is is_down
    assert token not in caplog.text
    with failing("no_plex_account"):
        await call(hass, "import_watchlist", viewer=vera.entry_id)


async def test_signing_out_ends_what_was_wrong(
    hass: HomeAssistant, plex_net: PlexStandIn, vera: ConfigEntry[Any]
) -> None:
    """Who does not want to be signed in is not told to sign in again."""
    await sign_in(hass, vera, plex_net, "bob")
    plex_net.revoke("bob")
    with failing("plex_tv_sign_in"):
        await call(hass, "import_watchlist", viewer=vera.entry_id)
    assert len(issues(hass)) == 1
    await signed_out(hass, vera)
    assert issues(hass) == {}


async def test_sign_in_anew(
    hass: HomeAssistant, plex_net: PlexStandIn, vera: ConfigEntry[Any]
) -> None:
    """The token of whoever was signed in before is given back."""
    await sign_in(hass, vera, plex_net, "bob")
    before = vera.data["account_token"]
    await sign_in(hass, vera, plex_net, "alice")
    after = vera.data["account_token"]
    assert not is_good(plex_net, before)
    assert plex_net.accounts.user_of(after) is plex_net.owner

    # plex.tv may well give the same one to whoever signs in again.
    result = await started(hass, vera)
    plex_net.tv.pin().token = after
    result = await gone_on(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert vera.data["account_token"] == after
    assert is_good(plex_net, after)


async def test_a_token_that_a_server_uses(
    hass: HomeAssistant, plex_net: PlexStandIn, vera: ConfigEntry[Any]
) -> None:
    """It stays good for the server, whatever becomes of the viewer."""
    token = plex_net.token()
    result = await start_flow(hass, "plex", "plex_token")
    result = await answer(
        hass, result, url=plex_net.server.url, token=token, verify_ssl=True
    )
    await finish(hass, result)
    for leave in ("sign out", "sign in", "remove"):
        result = await started(hass, vera)
        plex_net.tv.pin().token = token
        await gone_on(hass, result)
        assert vera.data["account_token"] == token
        match leave:
            case "sign out":
                await signed_out(hass, vera)
            case "sign in":
                await sign_in(hass, vera, plex_net, "bob")
            case "remove":
                await hass.config_entries.async_remove(vera.entry_id)
        assert is_good(plex_net, token)


@pytest.mark.parametrize("is_down", [False, True])
async def test_removed(
    hass: HomeAssistant,
    plex_net: PlexStandIn,
    vera: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_down: bool,
) -> None:
    """The token goes with the viewer; nobody waits long for plex.tv to take it."""
    monkeypatch.setattr(connection, "LEAVE_TIMEOUT", 0.1)
    await sign_in(hass, vera, plex_net, "bob")
    token = vera.data["account_token"]
    if is_down:
        plex_net.tv.faults.slow(1)
    await hass.config_entries.async_remove(vera.entry_id)
    assert hass.config_entries.async_get_entry(vera.entry_id) is None
    message = "Vera could not be signed out: no answer in time"
    assert (message in caplog.text) is is_down
    if not is_down:
        assert not is_good(plex_net, token)


async def test_reconfigured(
    hass: HomeAssistant, plex_net: PlexStandIn, vera: ConfigEntry[Any]
) -> None:
    """Who has another name, or other options, is signed in all the same."""
    await sign_in(hass, vera, plex_net, "bob")
    token = vera.data["account_token"]
    result = await hass.config_entries.flow.async_init(
        "media_scrobbler",
        context={"source": "reconfigure", "entry_id": vera.entry_id},
    )
    result = await answer(hass, result, name="Verena", person="person.vera")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    await option(hass, vera, import_interval=24)
    assert vera.title == "Verena"
    assert vera.data["person"] == "person.vera"
    assert vera.data["account_token"] == token
    assert vera.options["import_interval"] == 24
    assert is_good(plex_net, token)
