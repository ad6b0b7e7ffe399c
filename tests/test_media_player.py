"""Media players: what they show, when they end by themselves, what a restart leaves."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.media_player.const import (
    DOMAIN as MEDIA_PLAYER,
    MediaPlayerEntityFeature,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.media_scrobbler.server import MAX_PLAYERS

from .common import (
    ALICE_AT_JELLYFIN,
    BOB_AT_PLEX,
    Jellyfin,
    Plex,
    device_of,
    entity_id_of,
    move_time,
    settle,
)
from .conftest import Restart
from .simulators.catalogue import (
    LOW_WATER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_SALT_ROAD,
    Playable,
)
from .simulators.jellyfin import BEDROOM_TABLET, JellyfinEvent
from .simulators.plex import LIVING_ROOM_TV, POSTER, PlexEvent, PlexPlayer, encode

TV = LIVING_ROOM_TV.uuid
TABLET = BEDROOM_TABLET.id
KITCHEN = PlexPlayer("Kitchen radio", "b41c7-kitchen")


def player(hass: HomeAssistant, server: Plex | Jellyfin, key: str) -> State:
    """Return the state of a player of a server."""
    entity_id = entity_id_of(hass, MEDIA_PLAYER, server.entry, f"player_{key}")
    state = hass.states.get(entity_id)
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        (
            THE_SALT_ROAD,
            {
                "media_content_type": "movie",
                "media_title": "The Salt Road",
                "media_duration": 6720,
            },
        ),
        (
            LOW_WATER,
            {
                "media_content_type": "tvshow",
                "media_title": "Low Water",
                "media_series_title": "Harbour Lights",
                "media_season": "2",
                "media_episode": "3",
                "media_duration": 2880,
            },
        ),
        (
            SLOW_FERRY,
            {
                "media_content_type": "music",
                "media_title": "Slow Ferry",
                "media_artist": "Marlow & Finch",
                "media_album_name": "Tidewater",
            },
        ),
    ],
)
async def test_title(
    hass: HomeAssistant, plex: Plex, title: Playable, shown: dict[str, Any]
) -> None:
    """A player shows what it plays, and nothing of it any more when it has stopped."""
    await plex.report(PlexEvent.PLAY, title, thumb=b"")
    await settle(hass)
    state = player(hass, plex, TV)
    assert state.state == "playing"
    assert {
        key: value for key, value in state.attributes.items() if key[:6] == "media_"
    } == shown

    await plex.report(PlexEvent.STOP, title)
    await settle(hass)
    state = player(hass, plex, TV)
    assert state.state == "idle"
    assert not any(key.startswith("media_") for key in state.attributes)


async def test_device(
    hass: HomeAssistant, plex: Plex, entity_registry: er.EntityRegistry
) -> None:
    """Each player is a device of its own, with one entity that controls nothing."""
    for place in (LIVING_ROOM_TV, KITCHEN):
        await plex.report(PlexEvent.PLAY, THE_SALT_ROAD, BOB_AT_PLEX, place)
        await settle(hass)
    for place in (LIVING_ROOM_TV, KITCHEN):
        state = player(hass, plex, place.uuid)
        assert state.name == place.title
        assert state.attributes["supported_features"] == MediaPlayerEntityFeature(0)
        entity = entity_registry.async_get(state.entity_id)
        assert entity is not None
        assert entity.unique_id == f"{plex.entry.entry_id}_player_{place.uuid}"
        device = device_of(hass, plex.entry, f"{plex.entry.entry_id}_{place.uuid}")
        assert device.id == entity.device_id
        assert (device.name, device.manufacturer, device.model) == (
            place.title,
            "Plex",
            "Plex player",
        )


async def test_states_and_position_on_plex(
    hass: HomeAssistant, plex: Plex, freezer: FrozenDateTimeFactory
) -> None:
    """Plex tells the position of a pause and of what follows on it."""
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)
    assert "media_position" not in player(hass, plex, TV).attributes

    await move_time(hass, freezer, minutes=20)
    paused_at = dt_util.utcnow()
    await plex.report(
        PlexEvent.PAUSE, THE_SALT_ROAD, position=timedelta(minutes=19, seconds=58)
    )
    await settle(hass)
    state = player(hass, plex, TV)
    assert state.state == "paused"
    assert state.attributes["media_position"] == 1198
    assert state.attributes["media_position_updated_at"] == paused_at

    await move_time(hass, freezer, minutes=5)
    resumed_at = dt_util.utcnow()
    await plex.report(PlexEvent.RESUME, THE_SALT_ROAD)
    await settle(hass)
    state = player(hass, plex, TV)
    assert state.state == "playing"
    assert state.attributes["media_position"] == 1198
    assert state.attributes["media_position_updated_at"] == resumed_at


async def test_position_on_jellyfin(
    hass: HomeAssistant, jellyfin: Jellyfin, freezer: FrozenDateTimeFactory
) -> None:
    """A progress that says what was to be expected is no news; a jump is."""

    async def report(event: str, minutes: float, **details: Any) -> State:
        await jellyfin.report(
            event,
            LOW_WATER,
            ALICE_AT_JELLYFIN,
            position=timedelta(minutes=minutes),
            **details,
        )
        await settle(hass)
        return player(hass, jellyfin, TABLET)

    state = await report(JellyfinEvent.PLAYBACK_START, 0)
    started_at = state.attributes["media_position_updated_at"]
    assert (state.state, state.attributes["media_position"]) == ("playing", 0)

    await move_time(hass, freezer, minutes=2)
    state = await report(JellyfinEvent.PLAYBACK_PROGRESS, 2)
    assert state.attributes["media_position"] == 0
    assert state.attributes["media_position_updated_at"] == started_at

    state = await report(JellyfinEvent.PLAYBACK_PROGRESS, 30, automated=False)
    assert state.attributes["media_position"] == 1800

    state = await report(JellyfinEvent.PLAYBACK_PROGRESS, 31, paused=True)
    assert (state.state, state.attributes["media_position"]) == ("paused", 1860)
    state = await report(JellyfinEvent.PLAYBACK_PROGRESS, 31, automated=False)
    assert state.state == "playing"
    state = await report(JellyfinEvent.PLAYBACK_STOP, 32, completed=False)
    assert state.state == "idle"


# Ends that nobody has told of


@pytest.mark.parametrize(
    ("runtime", "position", "lasts"),
    [
        # The run time and ten minutes more.
        (THE_SALT_ROAD.runtime, None, timedelta(hours=2, minutes=2)),
        (THE_SALT_ROAD.runtime, timedelta(hours=1), timedelta(hours=1, minutes=2)),
        # Without a run time three hours.
        (None, None, timedelta(hours=3)),
    ],
)
async def test_playing_ends_by_itself(
    hass: HomeAssistant,
    plex: Plex,
    freezer: FrozenDateTimeFactory,
    runtime: timedelta | None,
    position: timedelta | None,
    lasts: timedelta,
) -> None:
    """A player is idle when what it plays must be over."""
    event = PlexEvent.RESUME if position else PlexEvent.PLAY
    payload = plex.simulator.payload(event, THE_SALT_ROAD, position=position)
    if runtime is None:
        del payload["Metadata"]["duration"]
    await plex.send(*encode(payload))
    await settle(hass)
    await move_time(hass, freezer, seconds=lasts.total_seconds() - 10)
    assert player(hass, plex, TV).state == "playing"
    await move_time(hass, freezer, seconds=20)
    assert player(hass, plex, TV).state == "idle"


async def test_pause_ends_by_itself(
    hass: HomeAssistant, plex: Plex, freezer: FrozenDateTimeFactory
) -> None:
    """A pause is believed for four hours; who goes on within them has all the time."""
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    position = timedelta(minutes=10)
    await plex.report(PlexEvent.PAUSE, THE_SALT_ROAD, position=position)
    await move_time(hass, freezer, hours=3)
    await plex.report(PlexEvent.RESUME, THE_SALT_ROAD, position=position)
    await move_time(hass, freezer, hours=1, minutes=30)
    assert player(hass, plex, TV).state == "playing"
    await plex.report(PlexEvent.PAUSE, THE_SALT_ROAD)
    await move_time(hass, freezer, hours=3, minutes=59)
    assert player(hass, plex, TV).state == "paused"
    await move_time(hass, freezer, minutes=2)
    assert player(hass, plex, TV).state == "idle"


async def test_short_after_long(
    hass: HomeAssistant, plex: Plex, freezer: FrozenDateTimeFactory
) -> None:
    """A track that follows a film is over when the track is."""
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await plex.report(PlexEvent.STOP, THE_SALT_ROAD)
    await move_time(hass, freezer, minutes=1)
    await plex.report(PlexEvent.PLAY, SLOW_FERRY)
    await move_time(hass, freezer, minutes=14)
    assert player(hass, plex, TV).state == "playing"
    await move_time(hass, freezer, minutes=1)
    assert player(hass, plex, TV).state == "idle"

    # What has been stopped is not stopped once more.
    await plex.report(PlexEvent.PLAY, SLOW_FERRY)
    await plex.report(PlexEvent.STOP, SLOW_FERRY)
    await settle(hass)
    before = player(hass, plex, TV)
    await move_time(hass, freezer, hours=1)
    assert player(hass, plex, TV) is before


# Posters


@pytest.mark.parametrize(
    ("thumb", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n and so on", "image/png"),
        (b"RIFF\x10\0\0\0WEBPVP8 and so on", "image/webp"),
        (b"<svg onload='alert(1)'/>", None),
        (POSTER.ljust(2 * 1024 * 1024 + 1), None),
    ],
)
async def test_kinds_of_posters(
    hass: HomeAssistant,
    plex: Plex,
    hass_client: ClientSessionGenerator,
    thumb: bytes,
    kind: str | None,
) -> None:
    """A picture is shown as what it is; what is none, or too large, is not kept."""
    client = await hass_client()
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD, thumb=thumb)
    await settle(hass)
    picture = player(hass, plex, TV).attributes.get("entity_picture")
    assert (picture is None) is (kind is None)
    if picture is not None:
        async with client.get(picture) as response:
            assert (response.status, response.content_type) == (200, kind)
            assert await response.read() == thumb


async def test_poster(
    hass: HomeAssistant, plex: Plex, hass_client: ClientSessionGenerator
) -> None:
    """The poster that came with a webhook is shown as long as that plays."""
    client = await hass_client()
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)
    state = player(hass, plex, TV)
    async with client.get(state.attributes["entity_picture"]) as response:
        assert (response.status, response.content_type) == (200, "image/jpeg")
        assert await response.read() == POSTER

    # It is that of the title, whatever else is heard of it.
    await plex.report(PlexEvent.PAUSE, THE_SALT_ROAD)
    await settle(hass)
    assert "entity_picture" in player(hass, plex, TV).attributes

    await plex.report(PlexEvent.PLAY, PAPER_ORCHARD, thumb=b"")
    await settle(hass)
    assert "entity_picture" not in player(hass, plex, TV).attributes
    async with client.get(state.attributes["entity_picture"]) as response:
        assert response.status != 200

    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await plex.report(PlexEvent.STOP, THE_SALT_ROAD)
    await settle(hass)
    assert "entity_picture" not in player(hass, plex, TV).attributes


# Restarts


async def test_restart_while_playing(
    hass: HomeAssistant, plex: Plex, freezer: FrozenDateTimeFactory, restart: Restart
) -> None:
    """What has been playing plays on after a restart, as far as anybody knows."""
    await plex.report(
        PlexEvent.RESUME, LOW_WATER, BOB_AT_PLEX, position=timedelta(minutes=10)
    )
    await settle(hass)
    before = player(hass, plex, TV)
    freezer.tick(60)

    hass, client = await restart()
    after = player(hass, plex, TV)
    assert after.state == "playing"
    for key, value in before.attributes.items():
        kept = after.attributes[key]
        if key == "media_position_updated_at":
            kept = datetime.fromisoformat(str(kept))
        assert kept == value

    plex = replace(plex, client=client)
    heard = await plex.report(PlexEvent.PAUSE, LOW_WATER, BOB_AT_PLEX)
    assert heard["outcome"] == "updated"
    await settle(hass)
    assert player(hass, plex, TV).attributes["media_position"] == 660

    hass, _ = await restart()
    assert player(hass, plex, TV).state == "paused"
    await move_time(hass, freezer, hours=4, minutes=1)
    await settle(hass)
    assert player(hass, plex, TV).state == "idle"


@pytest.mark.parametrize(("event", "away"), [(PlexEvent.PLAY, 3), (PlexEvent.STOP, 0)])
async def test_restart_later(
    hass: HomeAssistant,
    plex: Plex,
    freezer: FrozenDateTimeFactory,
    restart: Restart,
    event: str,
    away: int,
) -> None:
    """What must be over by now, or has stopped before, is not restored."""
    await plex.report(event, LOW_WATER)
    await settle(hass)
    freezer.tick(timedelta(hours=away))
    hass, _ = await restart()
    state = player(hass, plex, TV)
    assert state.state == "idle"
    assert state.name == LIVING_ROOM_TV.title
    assert "media_title" not in state.attributes


async def test_restart_without_states(
    hass: HomeAssistant, plex: Plex, restart: Restart
) -> None:
    """A player of which nothing has been kept is idle."""
    await plex.report(PlexEvent.PLAY, LOW_WATER)
    await settle(hass)
    hass, _ = await restart(keep_states=False)
    assert player(hass, plex, TV).state == "idle"


async def test_nameless_and_without_id(
    hass: HomeAssistant, plex: Plex, restart: Restart
) -> None:
    """A player is known by what there is of it, over a restart too."""
    for uuid, name in (("1a2b", ""), ("", "Old TV")):
        await plex.report(
            PlexEvent.PLAY, THE_SALT_ROAD, BOB_AT_PLEX, PlexPlayer(name, uuid)
        )
        await settle(hass)
    names = {"1a2b": "1a2b", "name:Old TV": "Old TV"}
    hass, client = await restart()
    for key, name in names.items():
        state = player(hass, plex, key)
        assert (state.name, state.state) == (name, "playing")
    plex = replace(plex, client=client)
    await plex.report(
        PlexEvent.STOP, THE_SALT_ROAD, BOB_AT_PLEX, PlexPlayer("Old TV", "")
    )
    await settle(hass)
    assert player(hass, plex, "name:Old TV").state == "idle"
    assert len(hass.states.async_entity_ids(MEDIA_PLAYER)) == 2


# Reloads, removals, and too many


async def test_reload(hass: HomeAssistant, plex: Plex) -> None:
    """A player is followed while its server's entry is not loaded."""
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)
    assert await hass.config_entries.async_unload(plex.entry.entry_id)
    assert player(hass, plex, TV).state == "unavailable"
    await plex.report(PlexEvent.PAUSE, THE_SALT_ROAD, position=timedelta(minutes=3))
    await plex.report(PlexEvent.PLAY, LOW_WATER, BOB_AT_PLEX, KITCHEN)
    assert await hass.config_entries.async_setup(plex.entry.entry_id)
    await settle(hass)
    assert player(hass, plex, TV).state == "paused"
    assert player(hass, plex, TV).attributes["media_position"] == 180
    assert player(hass, plex, KITCHEN.uuid).state == "playing"


async def test_remove_device(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    hass_ws_client: WebSocketGenerator,
) -> None:
    """The device of a player can be removed; it comes back when it plays again."""
    assert await async_setup_component(hass, "config", {})
    socket = await hass_ws_client()
    entry_id = plex.entry.entry_id
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)
    entity_id = player(hass, plex, TV).entity_id

    async def remove(device: dr.DeviceEntry) -> bool:
        answer = await socket.remove_device(device.id)
        await hass.async_block_till_done()
        return bool(answer["success"])

    assert await remove(device_of(hass, plex.entry, f"{entry_id}_{TV}"))
    assert hass.states.get(entity_id) is None
    await plex.report(PlexEvent.PAUSE, THE_SALT_ROAD)
    await settle(hass)
    assert player(hass, plex, TV).state == "paused"

    # A server and a viewer stay as long as their entries do.
    for entry in (plex.entry, alice):
        assert not await remove(device_of(hass, entry))
    await plex.report(PlexEvent.STOP, THE_SALT_ROAD)
    await settle(hass)
    assert await remove(device_of(hass, plex.entry, f"{entry_id}_{TV}"))


async def test_too_many(hass: HomeAssistant, plex: Plex) -> None:
    """Whoever knows the URL cannot fill Home Assistant with players."""
    for number in range(MAX_PLAYERS + 1):
        await plex.report(
            PlexEvent.PLAY,
            THE_SALT_ROAD,
            BOB_AT_PLEX,
            PlexPlayer(f"Player {number}", f"uuid-{number}"),
            thumb=b"",
        )
    await settle(hass)
    assert len(hass.states.async_entity_ids(MEDIA_PLAYER)) == MAX_PLAYERS
    assert player(hass, plex, f"uuid-{MAX_PLAYERS - 1}").state == "playing"


async def test_renamed(hass: HomeAssistant, plex: Plex) -> None:
    """A player that is renamed on its server is renamed here."""
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)
    renamed = replace(LIVING_ROOM_TV, title="The big screen")
    await plex.report(PlexEvent.PAUSE, THE_SALT_ROAD, BOB_AT_PLEX, renamed)
    await settle(hass)
    device = device_of(hass, plex.entry, f"{plex.entry.entry_id}_{TV}")
    assert device.name == "The big screen"
    assert player(hass, plex, TV).name == "The big screen"
