"""Several people on one player, and viewers for whom it counts what others watch."""

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.media_scrobbler.const import DOMAIN, EVENT_RATING

from .common import answer, call, plays_of
from .followers import Household, moment
from .signed_in import JellyfinHome, until, viewer
from .simulators.catalogue import LOW_WATER, PAPER_ORCHARD, THE_SALT_ROAD
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn


async def test_several_users_in_a_session(household: Household) -> None:
    """Each of them has watched it, once."""
    await household.watch_on_jellyfin(THE_SALT_ROAD, "alice", "bob")
    await household.settled()

    assert await household.titles("alice") == ["The Salt Road"]
    assert await household.titles("bob") == ["The Salt Road"]


async def test_it_counts_for_another_viewer(household: Household) -> None:
    """Who follows that one follows this too, on the same server as well."""
    await household.also_for("alice", "bob")
    await household.follow(household.at_jellyfin("bob"), who="bob")
    household.forget()

    await household.watch_on_jellyfin(THE_SALT_ROAD)
    data = await household.until_marked(THE_SALT_ROAD, "bob")

    (alices,), (bobs,) = await household.plays("alice"), await household.plays("bob")
    assert alices["watched_at"] == bobs["watched_at"]
    assert (data.count, data.last_played) == (1, moment(bobs))
    assert household.data(THE_SALT_ROAD).count == 1
    assert len(household.marks) == 1


async def test_both_are_in_the_session_too(household: Household) -> None:
    """It counts once for the other one, here and on the server."""
    await household.also_for("alice", "bob")
    await household.follow(household.at_jellyfin("bob"), who="bob")
    household.forget()

    await household.watch_on_jellyfin(THE_SALT_ROAD, "alice", "bob")
    await household.settled()

    (play,) = await household.plays("bob")
    assert len(play["sources"]) == 2
    assert household.data(THE_SALT_ROAD, "bob").count == 1
    assert household.marks == []


async def test_it_counts_in_one_direction_and_for_nobody_else(
    household: Household,
) -> None:
    """What counts for somebody does not count on for yet another one."""
    hass = household.hass
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "user"}
    )
    result = await answer(hass, result, next_step_id="viewer")
    await answer(hass, result, name="carol")
    await household.also_for("alice", "bob")
    await household.also_for("bob", "carol")

    await household.watch_on_plex(THE_SALT_ROAD)
    await household.watch_on_plex(PAPER_ORCHARD, "bob")
    await household.settled()

    assert await household.titles("alice") == ["The Salt Road"]
    assert await household.titles("bob") == ["Paper Orchard", "The Salt Road"]
    assert await household.titles("carol") == ["Paper Orchard"]


async def test_what_the_other_viewer_does_not_record(household: Household) -> None:
    """Each has a say in that."""
    hass = household.hass
    await household.also_for("alice", "bob")
    result = await hass.config_entries.options.async_init(viewer(hass, "bob").entry_id)
    result = await answer(hass, result, next_step_id="settings")
    await answer(hass, result, media_types=["movie"])

    await household.watch_on_plex(LOW_WATER)
    await household.watch_on_plex(PAPER_ORCHARD)
    await household.settled()

    assert await household.titles("alice") == ["Low Water", "Paper Orchard"]
    assert await household.titles("bob") == ["Paper Orchard"]


@pytest.mark.parametrize("removed", [True, False])
async def test_the_other_viewer_is_not_there(
    household: Household, removed: bool
) -> None:
    """It is recorded for the first one all the same."""
    hass = household.hass
    await household.also_for("alice", "bob")
    bob = viewer(hass, "bob").entry_id
    if removed:
        await hass.config_entries.async_remove(bob)
    else:
        await hass.config_entries.async_set_disabled_by(bob, ConfigEntryDisabler.USER)

    await household.watch_on_plex(THE_SALT_ROAD)

    assert await household.titles("alice") == ["The Salt Road"]
    if not removed:
        await hass.config_entries.async_set_disabled_by(bob, None)
        await household.watch_on_plex(PAPER_ORCHARD)
        assert await household.titles("bob") == ["Paper Orchard"]


async def test_ratings_are_everybodys_own(household: Household) -> None:
    """To watch together is not to be of one opinion."""
    ratings = async_capture_events(household.hass, EVENT_RATING)
    await household.also_for("alice", "bob")

    await household.plex.plex.rate("alice", THE_SALT_ROAD, 8)
    await household.settled()

    assert [event.data["viewer"] for event in ratings] == ["alice"]


async def test_plays_that_waited_for_a_viewer(
    hass: HomeAssistant, address: str, jellyfin_at_home: JellyfinStandIn
) -> None:
    """They count for the other viewers of the one they are given to."""
    home = JellyfinHome(jellyfin_at_home)
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "user"}
    )
    result = await answer(hass, result, next_step_id="viewer")
    await answer(hass, result, name="Children")
    alice, children = viewer(hass, "alice"), viewer(hass, "Children")
    hass.config_entries.async_update_entry(
        alice, options={"also_for": [children.entry_id]}
    )
    await home.play("bob", LOW_WATER)
    await home.finish()
    assert await plays_of(hass, alice) == []

    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": alice.entry_id}
    )
    accounts = [
        f"{entry.entry_id}:{JellyfinUser.named(who).id}" for who in ("alice", "bob")
    ]
    await answer(hass, result, name="alice", accounts=accounts)

    for one in (alice, children):
        (play,) = await plays_of(hass, one)
        assert play["title"] == "Low Water"
    response = await call(hass, "get_history")
    assert response["total"] == 2
