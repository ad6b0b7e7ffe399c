"""Sensors: counts of a viewer's plays, days and weeks, and a server's last webhook."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest

from custom_components.media_scrobbler.const import DOMAIN

from .common import (
    ALICE_AT_JELLYFIN,
    Jellyfin,
    Plex,
    add_viewer,
    call,
    device_of,
    entity_id_of,
    move_time,
    plays_of,
    settle,
)
from .conftest import Restart
from .signed_in import PlexHome
from .simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_SALT_ROAD,
)
from .simulators.jellyfin import JellyfinEvent
from .simulators.plex import PlexEvent
from .simulators.plex_server import PlexStandIn
from .storage.common import Disk

COUNTS = (
    "plays_today",
    "plays_this_week",
    "watch_time_today",
    "movies",
    "episodes",
    "tracks",
)


def sensor(hass: HomeAssistant, entry: ConfigEntry[Any], key: str) -> State:
    """Return the state of a sensor."""
    state = hass.states.get(entity_id_of(hass, "sensor", entry, key))
    assert state is not None
    return state


def counts(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> dict[str, float]:
    """Return what a viewer's counting sensors show."""
    return {key: float(sensor(hass, viewer, key).state) for key in COUNTS}


async def test_nothing_yet(
    hass: HomeAssistant, alice: ConfigEntry[Any], entity_registry: er.EntityRegistry
) -> None:
    """A new viewer has watched nothing; all sensors are on one device."""
    assert counts(hass, alice) == dict.fromkeys(COUNTS, 0)
    last = sensor(hass, alice, "last_watched")
    assert last.state == "unknown"
    assert "watched_at" not in last.attributes
    device = device_of(hass, alice)
    assert (device.name, device.entry_type) == ("Alice", "service")
    for key in (*COUNTS, "last_watched"):
        entity = entity_registry.async_get(sensor(hass, alice, key).entity_id)
        assert entity is not None
        assert entity.unique_id == f"{alice.entry_id}_{key}"
        assert entity.device_id == device.id
        assert entity.translation_key == key
        assert entity.entity_category is None


async def test_counts(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Plays are counted by kind, whichever server they come from."""
    freezer.move_to("2026-06-07T20:00:00+00:00")
    for title in (THE_SALT_ROAD, LOW_WATER, SLOW_FERRY):
        await plex.report(PlexEvent.SCROBBLE, title)
    for title in (FOG_SIGNAL, LOW_WATER):
        await jellyfin.report(JellyfinEvent.PLAYBACK_STOP, title, ALICE_AT_JELLYFIN)
    await settle(hass)
    assert counts(hass, alice) == {
        "plays_today": 4,
        "plays_this_week": 4,
        # 1:52, 0:48 and 0:47; Plex does not tell how long the track is.
        "watch_time_today": 207,
        "movies": 1,
        "episodes": 2,
        "tracks": 1,
    }

    # What is corrected or removed counts no longer.
    plays = {play["title"]: play["play_id"] for play in await plays_of(hass, alice)}
    await call(hass, "remove_play", viewer=alice.entry_id, play_id=plays["Fog Signal"])
    await call(
        hass,
        "update_play",
        viewer=alice.entry_id,
        play_id=plays["The Salt Road"],
        watched_at=datetime(2020, 1, 1, tzinfo=UTC),
    )
    await settle(hass)
    assert counts(hass, alice) == {
        "plays_today": 2,
        "plays_this_week": 2,
        "watch_time_today": 48,
        "movies": 1,
        "episodes": 1,
        "tracks": 1,
    }


async def test_attributes(hass: HomeAssistant, alice: ConfigEntry[Any]) -> None:
    """Units and classes are such that statistics can be made of them."""
    for key in COUNTS:
        attributes = sensor(hass, alice, key).attributes
        assert attributes["state_class"] == "total"
        assert ("last_reset" in attributes) == (key[-6:] in ("_today", "s_week"))
        assert attributes["unit_of_measurement"] == (
            "min" if key == "watch_time_today" else "plays"
        )
    assert sensor(hass, alice, "watch_time_today").attributes["device_class"] == (
        "duration"
    )


async def test_last_watched(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """The last title comes with what is known of it."""
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    await settle(hass)
    (play,) = await plays_of(hass, alice)
    state = sensor(hass, alice, "last_watched")
    assert state.state == "Harbour Lights - S02E03 - Low Water"
    shown = dict(state.attributes)
    assert shown.pop("friendly_name") == "Alice Last watched"
    assert shown.pop("watched_at").isoformat() == play["watched_at"]
    assert shown == {
        "media_type": "episode",
        "title": "Low Water",
        "show": "Harbour Lights",
        "season": 2,
        "episode": 3,
        "duration": 2880,
        "ids": play["ids"],
        "show_ids": play["show_ids"],
    }

    # It is the one that was watched last, not the one that was heard of last.
    await call(
        hass,
        "add_play",
        viewer=alice.entry_id,
        media_type="movie",
        title="Long ago",
        watched_at=datetime(2001, 1, 1, tzinfo=UTC),
    )
    await settle(hass)
    assert sensor(hass, alice, "last_watched").state == state.state
    await call(hass, "remove_play", viewer=alice.entry_id, play_id=play["play_id"])
    await settle(hass)
    assert sensor(hass, alice, "last_watched").state == "Long ago"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ({"title": "x" * 1000}, "x" * 255),
        # Nothing but an id is known of it.
        ({"ids": {"tmdb": 550}}, "movie"),
    ],
)
async def test_last_watched_unusual(
    hass: HomeAssistant, title: dict[str, Any], shown: str
) -> None:
    """A state has 255 characters, and it has something to say."""
    viewer = await add_viewer(hass, "Alice")
    await call(hass, "add_play", viewer=viewer.entry_id, media_type="movie", **title)
    await settle(hass)
    assert sensor(hass, viewer, "last_watched").state == shown


@pytest.mark.parametrize(
    ("zone", "sunday_evening"),
    [
        ("America/Los_Angeles", "2026-03-09T06:58:00+00:00"),
        ("Europe/Amsterdam", "2026-03-08T22:58:00+00:00"),
        ("Pacific/Kiritimati", "2026-03-08T09:58:00+00:00"),
    ],
)
async def test_midnight(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    zone: str,
    sunday_evening: str,
) -> None:
    """A day and a week end at midnight where Home Assistant stands."""
    await hass.config.async_set_time_zone(zone)
    freezer.move_to(datetime.fromisoformat(sunday_evening))
    assert dt_util.now().isoformat()[:16] == "2026-03-08T23:58"
    viewer = await add_viewer(hass, "Alice")

    async def watch(title: str, **ago: float) -> None:
        await call(
            hass,
            "add_play",
            viewer=viewer.entry_id,
            media_type="movie",
            title=title,
            duration=5400,
            watched_at=dt_util.utcnow() - timedelta(**ago),
        )

    await watch("This evening")
    await watch("This morning", hours=20)
    await watch("On Monday", days=6)
    await watch("Last Sunday", days=6, hours=23, minutes=59)
    await settle(hass)
    shown = counts(hass, viewer)
    assert shown["plays_today"] == 2
    assert shown["watch_time_today"] == 180
    assert shown["plays_this_week"] == 3
    assert shown["movies"] == 4

    def last_reset(key: str) -> datetime:
        text: str = sensor(hass, viewer, key).attributes["last_reset"]
        return dt_util.as_local(datetime.fromisoformat(text))

    assert last_reset("plays_today").isoformat()[:16] == "2026-03-08T00:00"
    assert last_reset("plays_this_week").isoformat()[:16] == "2026-03-02T00:00"

    await move_time(hass, freezer, minutes=1)
    assert counts(hass, viewer) == shown
    await move_time(hass, freezer, minutes=1)
    assert counts(hass, viewer) == {
        **dict.fromkeys(COUNTS, 0),
        "movies": 4,
    }
    for key in ("plays_today", "plays_this_week"):
        assert last_reset(key).isoformat()[:16] == "2026-03-09T00:00"

    await watch("Past midnight")
    await settle(hass)
    await move_time(hass, freezer, days=1)
    shown = counts(hass, viewer)
    assert (shown["plays_today"], shown["plays_this_week"]) == (0, 1)


async def test_flood(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Updates are held back for half a second, and the last one is not lost."""
    await settle(hass)
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD)
    await hass.async_block_till_done()
    assert sensor(hass, alice, "movies").state == "1"
    await move_time(hass, freezer, seconds=0.5)
    assert sensor(hass, alice, "movies").state == "2"


async def test_last_webhook(
    hass: HomeAssistant,
    plex: Plex,
    entity_registry: er.EntityRegistry,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A server shows when it was heard of last, and what became of that."""
    state = sensor(hass, plex.entry, "last_webhook")
    assert state.state == "unknown"
    entity = entity_registry.async_get(state.entity_id)
    assert entity is not None
    assert entity.entity_category is EntityCategory.DIAGNOSTIC
    assert entity.device_id == device_of(hass, plex.entry).id

    freezer.move_to("2026-05-06T07:08:09+00:00")
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await settle(hass)
    state = sensor(hass, plex.entry, "last_webhook")
    assert state.state == "2026-05-06T07:08:09+00:00"
    assert {key: state.attributes[key] for key in ("event", "outcome", "reason")} == {
        "event": "media.scrobble",
        "outcome": "held",
        "reason": "waits until a viewer is linked to this account",
    }

    await plex.send(b"nonsense")
    await settle(hass)
    state = sensor(hass, plex.entry, "last_webhook")
    assert state.attributes["outcome"] == "rejected"
    assert "event" not in state.attributes


async def test_restart(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    restart: Restart,
) -> None:
    """Counts, the last title and the last webhook are there after a restart."""
    for title in (THE_SALT_ROAD, LOW_WATER):
        await plex.report(PlexEvent.SCROBBLE, title)
    await settle(hass)
    keys = [(alice, key) for key in (*COUNTS, "last_watched")]
    keys.append((plex.entry, "last_webhook"))
    before = [sensor(hass, entry, key) for entry, key in keys]
    hass, client = await restart()
    after = [sensor(hass, entry, key) for entry, key in keys]
    assert [state.state for state in after] == [state.state for state in before]
    assert after[-1].attributes == before[-1].attributes

    heard = await replace(plex, client=client).report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert heard["outcome"] == "merged"


# Libraries and watchlists


@pytest.mark.parametrize(
    ("key", "translation_key", "category", "unit"),
    [
        ("movies", "library_movies", None, "movies"),
        ("shows", "library_shows", None, "shows"),
        ("episodes", "library_episodes", None, "episodes"),
        ("library_scan", "library_scan", EntityCategory.DIAGNOSTIC, None),
        (
            "library_scan_progress",
            "library_scan_progress",
            EntityCategory.DIAGNOSTIC,
            "%",
        ),
    ],
)
async def test_of_a_library(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    plex: Plex,
    address: str,
    entity_registry: er.EntityRegistry,
    key: str,
    translation_key: str,
    category: EntityCategory | None,
    unit: str | None,
) -> None:
    """They are there for a server that can be asked, and for no other."""
    entry = await PlexHome(plex_at_home).sign_in(hass)
    state = sensor(hass, entry, key)
    assert state.attributes.get("unit_of_measurement") == unit
    entity = entity_registry.async_get(state.entity_id)
    assert entity is not None
    assert entity.translation_key == translation_key
    assert entity.entity_category is category
    assert entity.device_id == device_of(hass, entry).id
    unique_id = f"{plex.entry.entry_id}_{key}"
    assert entity_registry.async_get_entity_id("sensor", DOMAIN, unique_id) is None


async def test_of_an_unreadable_watchlist(hass: HomeAssistant) -> None:
    """Nobody knows what is on it, nor what of it is available."""
    viewer = await add_viewer(hass, "Vera")
    for key in ("watchlist_size", "watchlist_available"):
        assert sensor(hass, viewer, key).state == "0"
    Disk.of(hass).path(f"watchlist.{viewer.entry_id}").write_text("damaged")
    await hass.config_entries.async_set_disabled_by(
        viewer.entry_id, ConfigEntryDisabler.USER
    )
    await hass.config_entries.async_set_disabled_by(viewer.entry_id, None)
    await settle(hass)
    for key in ("watchlist_size", "watchlist_available"):
        assert sensor(hass, viewer, key).state == "unknown"
