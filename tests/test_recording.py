"""What becomes of plays whose viewers and servers come and go meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant

from .common import BOB_AT_JELLYFIN, Jellyfin, add_viewer, call, plays_of
from .conftest import AddViewer
from .followers import Household
from .server_histories import heard, know, signed_in
from .signed_in import JellyfinHome, until, viewer
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD
from .simulators.jellyfin import JellyfinEvent
from .simulators.jellyfin_server import JellyfinStandIn
from .storage.common import Disk

THEN = datetime(2021, 5, 3, 20, 15, tzinfo=UTC)


async def test_viewer_is_removed_before_a_play_is_recorded(
    hass: HomeAssistant, household: Household
) -> None:
    """It waits for somebody else to be linked, and nothing is marked for who is gone."""
    await household.follow(household.at_jellyfin())
    alice = viewer(hass, "alice")
    await household.plex.play("alice", THE_SALT_ROAD)
    with Disk.of(hass).watched() as disk:
        with disk.held():
            playing = asyncio.create_task(household.plex.finish())
            await asyncio.to_thread(disk.wait_for_write)
            await hass.config_entries.async_remove(alice.entry_id)
        await playing
    await household.settled()

    assert household.marks == []
    assert not [name for name in disk.names() if alice.entry_id in name]
    again = await add_viewer(hass, "alice", [household.at_plex()])
    (play,) = await plays_of(hass, again)
    assert play["title"] == "The Salt Road"


async def test_viewer_is_removed_before_a_play_is_written(
    hass: HomeAssistant, household: Household
) -> None:
    """What never was on disk is not published, and not marked."""
    await household.follow(household.at_jellyfin())
    alice = viewer(hass, "alice")
    events = heard(hass)
    disk = Disk.of(hass)
    month = f"{datetime.now(UTC):%Y-%m}"
    with disk.blocked(f"history.{alice.entry_id}.{month}"):
        await household.watch_on_plex(THE_SALT_ROAD)
        assert alice.runtime_data.failing
    await hass.config_entries.async_remove(alice.entry_id)
    await household.settled()

    assert events == []
    assert household.marks == []
    assert not [name for name in disk.names() if alice.entry_id in name]


async def test_server_is_switched_off_before_somebody_is_linked(
    hass: HomeAssistant, jellyfin: Jellyfin, add_viewer: AddViewer
) -> None:
    """What has waited is handed over all the same, and published."""
    bob = await add_viewer("Bob")
    await jellyfin.report(
        JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, BOB_AT_JELLYFIN, completed=True
    )
    events = heard(hass)
    await hass.config_entries.async_set_disabled_by(
        jellyfin.entry.entry_id, ConfigEntryDisabler.USER
    )
    hass.config_entries.async_update_entry(
        bob, data={**bob.data, "accounts": [jellyfin.key(BOB_AT_JELLYFIN)]}
    )
    await hass.async_block_till_done()

    assert [play["title"] for play in await plays_of(hass, bob)] == ["The Salt Road"]
    assert [event["title"] for event in events] == ["The Salt Road"]


async def test_imported_plays_that_waited_are_known_already(
    hass: HomeAssistant, address: str, jellyfin_at_home: JellyfinStandIn
) -> None:
    """Whose it is has been told twice: what is handed over is there once."""
    home = JellyfinHome(jellyfin_at_home)
    entry = await signed_in(hass, home, "alice")
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN + timedelta(days=1))
    response = await call(hass, "import_history")
    assert response["held"] == 2
    alice = viewer(hass, "alice")
    key = f"{entry.entry_id}:{BOB_AT_JELLYFIN.id}"
    both = {**alice.data, "accounts": [*alice.data["accounts"], key]}
    events = heard(hass)
    for data in (both, dict(alice.data), both):
        hass.config_entries.async_update_entry(alice, data=data)
        await hass.async_block_till_done()
        await until(hass, lambda: len(alice.runtime_data.history.index) == 2)

    times = [play["watched_at"] for play in await plays_of(hass, alice)]
    assert times == [(THEN + timedelta(days=1)).isoformat(), THEN.isoformat()]
    assert events == []
