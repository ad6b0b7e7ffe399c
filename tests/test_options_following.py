"""The options that say who follows a viewer, and for whom it counts as well."""

from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest

from custom_components.media_scrobbler.const import DOMAIN

from .common import Jellyfin, answer
from .followers import Household
from .signed_in import JellyfinHome, until, viewer
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .texts import assert_translated

ALICE = JellyfinUser.named("alice")


async def menu(hass: HomeAssistant, entry: ConfigEntry[Any]) -> Any:
    """Return the first step of a viewer's options."""
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert_translated(result, "options")
    assert result["type"] is FlowResultType.MENU
    return result


def offered(result: Any, field: str) -> dict[str, str]:
    """Return what a field offers to choose from, with labels."""
    return {
        option["value"]: option["label"]
        for option in result["data_schema"].schema[field].config["options"]
    }


def chosen(result: Any, field: str) -> list[str]:
    """Return what a field has as chosen already."""
    (values,) = (
        key.description["suggested_value"]
        for key in result["data_schema"].schema
        if key == field
    )
    assert isinstance(values, list)
    return values


async def test_accounts_that_can_be_marked_for(household: Household) -> None:
    """Those of a Jellyfin that its administrator has signed in to, and Plex' own."""
    hass = household.hass
    result = await menu(hass, viewer(hass, "alice"))
    assert "following" in result["menu_options"]
    result = await answer(hass, result, next_step_id="following")
    for field in ("following", "unfollowing"):
        assert offered(result, field) == {
            household.at_plex(): "alice (Attic)",
            household.at_jellyfin(): "alice (Living room)",
        }
        assert chosen(result, field) == []

    result = await menu(hass, viewer(hass, "bob"))
    result = await answer(hass, result, next_step_id="following")
    assert offered(result, "following") == {
        household.at_jellyfin("bob"): "bob (Living room)"
    }


async def test_what_is_chosen_stays(household: Household) -> None:
    """It can be taken back, and the other options are what they were."""
    hass = household.hass
    alice = viewer(hass, "alice")
    await household.also_for("alice", "bob")
    before = dict(alice.options)
    await household.follow(household.at_plex(), unfollowing=[household.at_jellyfin()])
    assert dict(alice.options) == before | {
        "following": [household.at_plex()],
        "unfollowing": [household.at_jellyfin()],
    }

    result = await answer(hass, await menu(hass, alice), next_step_id="following")
    assert chosen(result, "following") == [household.at_plex()]
    assert chosen(result, "unfollowing") == [household.at_jellyfin()]
    await answer(hass, result)
    assert alice.options["following"] == alice.options["unfollowing"] == []


async def test_a_server_that_is_away(household: Household) -> None:
    """What was chosen is not lost by looking at it."""
    hass = household.hass
    alice = viewer(hass, "alice")
    await household.follow(household.at_jellyfin())
    await hass.config_entries.async_set_disabled_by(
        household.jellyfin_entry.entry_id, ConfigEntryDisabler.USER
    )

    result = await answer(hass, await menu(hass, alice), next_step_id="following")

    assert offered(result, "unfollowing") == {
        household.at_plex(): "alice (Attic)",
        household.at_jellyfin(): "alice (Living room)",
    }
    assert chosen(result, "following") == [household.at_jellyfin()]


async def test_an_account_that_is_not_the_viewers_any_more(
    household: Household,
) -> None:
    """It is not on offer, and does not come in the way."""
    hass = household.hass
    alice = viewer(hass, "alice")
    await household.follow(household.at_jellyfin(), household.at_plex())
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": alice.entry_id}
    )
    await answer(hass, result, name="alice", accounts=[household.at_plex()])

    result = await answer(hass, await menu(hass, alice), next_step_id="following")

    assert list(offered(result, "following")) == [household.at_plex()]
    suggested = chosen(result, "following")
    assert suggested == [household.at_plex()]
    await answer(hass, result, following=suggested)
    assert alice.options["following"] == [household.at_plex()]


async def test_a_server_that_is_removed(household: Household) -> None:
    """Its accounts are gone with it."""
    hass = household.hass
    alice = viewer(hass, "alice")
    await household.follow(household.at_jellyfin(), household.at_plex())
    await hass.config_entries.async_remove(household.jellyfin_entry.entry_id)

    result = await answer(hass, await menu(hass, alice), next_step_id="following")

    assert list(offered(result, "following")) == [household.at_plex()]


async def test_somebody_who_is_no_administrator(
    hass: HomeAssistant, address: str, jellyfin_at_home: JellyfinStandIn
) -> None:
    """They can mark for themselves."""
    jellyfin_at_home.account(ALICE).administrator = False
    home = JellyfinHome(jellyfin_at_home)
    entry = await home.sign_in(hass, "alice", "bob")
    await until(hass, lambda: entry.state.recoverable)
    await hass.async_block_till_done()

    result = await menu(hass, viewer(hass, "alice"))
    result = await answer(hass, result, next_step_id="following")
    assert list(offered(result, "following")) == [f"{entry.entry_id}:{ALICE.id}"]
    result = await menu(hass, viewer(hass, "bob"))
    assert "following" not in result["menu_options"]


async def test_nobody_can_be_marked_for(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """A server that only sends cannot be told anything."""
    result = await menu(hass, alice)

    assert "following" not in result["menu_options"]


async def test_for_whom_it_counts(household: Household) -> None:
    """For other viewers, disabled or not, where there are any; a removed one is forgotten."""
    hass = household.hass
    alice, bob = viewer(hass, "alice"), viewer(hass, "bob")
    await household.also_for("alice", "bob")
    await hass.config_entries.async_set_disabled_by(
        bob.entry_id, ConfigEntryDisabler.USER
    )

    result = await answer(hass, await menu(hass, alice), next_step_id="settings")
    assert offered(result, "also_for") == {bob.entry_id: "bob"}
    assert chosen(result, "also_for") == [bob.entry_id]

    await hass.config_entries.async_remove(bob.entry_id)
    result = await answer(hass, await menu(hass, alice), next_step_id="settings")
    assert result["data_schema"] is not None
    assert "also_for" not in result["data_schema"].schema
    await answer(hass, result, media_types=["movie"])
    assert alice.options["also_for"] == []


@pytest.mark.parametrize("field", ["following", "unfollowing"])
async def test_an_account_that_is_not_on_offer(
    household: Household, field: str
) -> None:
    """It cannot be chosen."""
    hass = household.hass
    result = await menu(hass, viewer(hass, "alice"))
    result = await answer(hass, result, next_step_id="following")

    with pytest.raises(InvalidData):
        await answer(hass, result, **{field: [household.at_jellyfin("bob")]})
