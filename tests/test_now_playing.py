"""What plays, as the server itself says: position, poster, what webhooks never told."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.media_scrobbler import now_playing, server as server_module
from custom_components.media_scrobbler.const import DOMAIN

from .common import settle
from .signed_in import Home, JellyfinHome, later, quiet, until
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return the server; nothing plays."""
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    await later(hass, seconds=2)
    await until(hass, lambda: home.log.count_of("GET", home.playing_path))
    await quiet(hass, home.log)
    home.log.clear()
    return entry


def player(hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]) -> State | None:
    """Return the state of the player, if there is one."""
    entity_id = er.async_get(hass).async_get_entity_id(
        "media_player", DOMAIN, f"{entry.entry_id}_player_{home.player_key}"
    )
    return hass.states.get(entity_id) if entity_id else None


async def look(hass: HomeAssistant, home: Home, **by: float) -> int:
    """Let the time come to look; returns how often the server was asked."""
    before = home.log.count_of("GET", home.playing_path)
    await later(hass, **by)
    await quiet(hass, home.log)
    await settle(hass)
    return home.log.count_of("GET", home.playing_path) - before


async def without_webhooks(home: Home, entry: ConfigEntry[Any]) -> None:
    """Have the server send us no webhooks."""
    home.forget_webhook(entry.data["registered_url"])


async def test_position_and_poster(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    hass_client: ClientSessionGenerator,
) -> None:
    """The server is asked soon after a webhook, and knows more."""
    await home.play("alice", LOW_WATER, timedelta(minutes=10))
    assert await look(hass, home, seconds=2) == 1
    state = player(hass, home, entry)
    assert state is not None
    assert state.state == "playing"
    shown = state.attributes
    assert 600 <= shown["media_position"] <= 610
    assert shown["media_duration"] == 2880
    assert shown["media_series_title"] == "Harbour Lights"

    picture = shown["entity_picture"]
    assert picture.startswith("/api/media_player_proxy/")
    for token in home.tokens:
        assert token not in picture
    response = await (await hass_client()).get(picture)
    assert response.status == HTTPStatus.OK
    assert response.content_type == "image/jpeg"
    assert (await response.read()).startswith(b"\xff\xd8")

    await home.pause(timedelta(minutes=20))
    await look(hass, home, seconds=2)
    state = player(hass, home, entry)
    assert state is not None
    assert state.state == "paused"
    assert state.attributes["media_position"] == 1200


@pytest.mark.parametrize("has", ["neither", "name", "id"])
async def test_player_without_a_name(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], has: str
) -> None:
    """What has neither id nor name is no player, and no entity."""
    before = set(hass.states.async_entity_ids("media_player"))
    await without_webhooks(home, entry)
    player_id, name = "abc" * (has == "id"), "Kitchen" * (has == "name")
    await home.play_on(player_id, name, THE_SALT_ROAD)
    await hass.config_entries.async_reload(entry.entry_id)
    await look(hass, home, seconds=2)
    players = set(hass.states.async_entity_ids("media_player")) - before
    assert len(players) == (has != "neither")


async def test_polled_only_while_something_plays(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Every half minute while something plays, and never otherwise."""
    for _ in range(3):
        assert await look(hass, home, minutes=4) == 0
    await home.play("alice", THE_SALT_ROAD)
    assert await look(hass, home, seconds=2) == 1
    assert await look(hass, home, seconds=20) == 0
    for _ in range(3):
        assert await look(hass, home, seconds=31) == 1
    await home.finish()
    assert await look(hass, home, seconds=31) <= 1
    for _ in range(3):
        assert await look(hass, home, minutes=4) == 0


async def test_stop_was_never_heard_of(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A player that has vanished from the server is idle."""
    await home.play("alice", THE_SALT_ROAD)
    await look(hass, home, seconds=2)
    await without_webhooks(home, entry)
    await home.finish()
    # It has begun longer ago than the server may need to know of it.
    monkeypatch.setattr(now_playing, "SOON", timedelta())
    assert await look(hass, home, seconds=31) == 1
    state = player(hass, home, entry)
    assert state is not None
    assert state.state == "idle"
    assert "media_title" not in state.attributes
    assert "entity_picture" not in state.attributes
    assert await look(hass, home, seconds=31) == 0


async def test_start_was_never_heard_of(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What plays when Home Assistant starts is shown without any webhook."""
    await without_webhooks(home, entry)
    await home.play("alice", THE_SALT_ROAD, timedelta(minutes=5))
    assert await look(hass, home, minutes=1) == 0
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert await look(hass, home, seconds=2) == 1
    state = player(hass, home, entry)
    assert state is not None
    assert state.state == "playing"
    assert state.attributes["media_title"] == "The Salt Road"


async def test_another_title(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """The poster is that of what plays now."""
    await home.play("alice", THE_SALT_ROAD)
    await look(hass, home, seconds=2)
    state = player(hass, home, entry)
    assert state is not None
    before = state.attributes["entity_picture"]
    await without_webhooks(home, entry)
    await home.finish()
    await home.play("alice", LOW_WATER)
    assert await look(hass, home, seconds=31) == 1
    state = player(hass, home, entry)
    assert state is not None
    assert state.attributes["media_title"] == "Low Water"
    assert state.attributes["entity_picture"] != before


async def test_followed_players_only(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """A player that is not followed is not shown."""
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "players": ["another"]}
    )
    assert await hass.config_entries.async_reload(entry.entry_id)
    await without_webhooks(home, entry)
    await home.play("alice", THE_SALT_ROAD)
    await look(hass, home, seconds=2)
    assert player(hass, home, entry) is None


async def test_no_more_players_than_can_be(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server cannot invent any number of players."""
    monkeypatch.setattr(server_module, "MAX_PLAYERS", 0)
    await without_webhooks(home, entry)
    await home.play("alice", THE_SALT_ROAD)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await look(hass, home, seconds=2)
    assert player(hass, home, entry) is None


async def test_server_does_not_say(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    hass_client: ClientSessionGenerator,
) -> None:
    """What the webhooks have told stays where the server cannot be asked."""
    await home.play("alice", THE_SALT_ROAD)
    await look(hass, home, seconds=2)
    state = player(hass, home, entry)
    assert state is not None
    picture = state.attributes["entity_picture"]
    with home.faults.fail(500):
        assert await look(hass, home, seconds=31) == 3
        state = player(hass, home, entry)
        assert state is not None
        assert state.state == "playing"
        response = await (await hass_client()).get(picture)
        assert (await response.read())[:2] != b"\xff\xd8" or isinstance(
            home, JellyfinHome
        )
    assert await look(hass, home, seconds=31) == 1


async def test_one_look_at_a_time(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """A server that takes its time is not asked again meanwhile."""
    with home.faults.hang(path=home.playing_path) as hanging:
        for _ in range(3):
            await home.play("alice", THE_SALT_ROAD)
            await later(hass, seconds=2)
            await until(hass, lambda: hanging.hits)
        assert await quiet(hass, home.log)
        assert hanging.hits == 1
    assert await hass.config_entries.async_unload(entry.entry_id)
    await home.stop()
