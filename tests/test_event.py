"""What is published: events on the bus, word for word, and the event entities."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import MATCH_ALL
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.media_scrobbler.domain.event import LibraryChange
from custom_components.media_scrobbler.event import WATCHING

from .common import (
    ALICE_AT_JELLYFIN,
    ALICE_AT_PLEX,
    BOB_AT_JELLYFIN,
    BOB_AT_PLEX,
    Jellyfin,
    Plex,
    add_viewer,
    call,
    device_of,
    entity_id_of,
    plays_of,
)
from .conftest import Restart
from .simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    SLOW_FERRY,
    THE_SALT_ROAD,
    TIDEWATER,
    Season,
    Title,
)
from .simulators.jellyfin import JellyfinEvent
from .simulators.plex import PlexEvent, encode

NOW = "2026-06-07T08:09:10+00:00"
MOVIE_IDS = {
    "plex": "plex://movie/13fc237151d8c53df6a64d4f",
    "imdb": "tt9182736",
    "tmdb": 918273,
    "tvdb": 219483,
}
MOVIE = {
    "media_type": "movie",
    "title": "The Salt Road",
    "year": 2019,
    "ids": MOVIE_IDS,
    "duration": 6720,
}
EPISODE = {
    "media_type": "episode",
    "title": "Low Water",
    "show": "Harbour Lights",
    "season": 2,
    "episode": 3,
    "ids": {"imdb": "tt9471209", "tmdb": 4712093, "tvdb": 9712094},
    "duration": 2880,
}


def heard(hass: HomeAssistant, name: str) -> list[dict[str, Any]]:
    """Return the data of the events of a name, as they come."""
    collected: list[dict[str, Any]] = []

    @callback
    def collect(event: Event) -> None:
        collected.append(dict(event.data))

    hass.bus.async_listen(f"media_scrobbler_{name}", collect)
    return collected


def on_plex(plex: Plex, account: str = "alice") -> dict[str, Any]:
    """Return what every event says that comes from the television at the Plex server."""
    return {
        "server": "Plex",
        "server_id": plex.entry.entry_id,
        "server_type": "plex",
        "account": account,
        "player": "Living room TV",
        "player_id": "7c1e09ab42f6d358-com-plexapp-android",
    }


def on_jellyfin(jellyfin: Jellyfin, account: str = "alice") -> dict[str, Any]:
    """Return what every event says that comes from the tablet at the Jellyfin server."""
    return {
        "server": "Jellyfin",
        "server_id": jellyfin.entry.entry_id,
        "server_type": "jellyfin",
        "account": account,
        "player": "Bedroom tablet",
        "player_id": "TGVmdCBvbiB0aGUgY2hhaXI1",
    }


def by(viewer: ConfigEntry[Any]) -> dict[str, Any]:
    """Return what every event says that is about a viewer."""
    return {"viewer": viewer.title, "viewer_id": viewer.entry_id}


def event(hass: HomeAssistant, entry: ConfigEntry[Any], key: str) -> State:
    """Return the state of an event entity."""
    state = hass.states.get(entity_id_of(hass, "event", entry, key))
    assert state is not None
    return state


def shown(state: State) -> dict[str, Any]:
    """Return the attributes that an event entity has from its event."""
    return {
        key: value
        for key, value in state.attributes.items()
        if key not in ("event_types", "friendly_name", "device_class")
    }


# Plays


async def test_scrobble(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """A play is published once, with all that is known of it and nothing else."""
    scrobbles = heard(hass, "scrobble")
    freezer.move_to(NOW)
    await plex.report(PlexEvent.RATE, THE_SALT_ROAD, ALICE_AT_PLEX, rating=8)
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    (play,) = await plays_of(hass, alice)
    first = {
        "play_id": play["play_id"],
        **by(alice),
        **MOVIE,
        "watched_at": NOW,
        "play_count": 1,
        "rewatch": False,
        "rating": 8.0,
        "source": "webhook",
        **on_plex(plex),
    }
    assert scrobbles == [first]
    state = event(hass, alice, "watching")
    assert state.state[:19] == NOW[:19]
    assert shown(state) == {"event_type": "watched", **first}

    # The same viewing on the other server is none of its own.
    await jellyfin.report(JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    assert len(scrobbles) == 1

    freezer.tick(timedelta(hours=3))
    await jellyfin.report(JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    assert len(scrobbles) == 2
    again = scrobbles[1]
    assert again["play_id"] != play["play_id"]
    assert again["ids"] == {key: MOVIE_IDS[key] for key in ("imdb", "tmdb", "tvdb")}
    assert {**again, "play_id": "", "ids": {}} == {
        **first,
        "play_id": "",
        "ids": {},
        "watched_at": "2026-06-07T11:09:10+00:00",
        "play_count": 2,
        "rewatch": True,
        **on_jellyfin(jellyfin),
    }


async def test_scrobble_of_little(hass: HomeAssistant, plex: Plex) -> None:
    """What is unknown of a play is left out of its event."""
    scrobbles = heard(hass, "scrobble")
    payload = {
        "event": "media.scrobble",
        "Account": {"id": 1},
        "Metadata": {"type": "movie", "title": "Home video"},
    }
    await plex.send(*encode(payload))
    viewer = await add_viewer(hass, "Alice", [plex.key(ALICE_AT_PLEX)])
    await plex.send(*encode({**payload, "Metadata": {"type": "movie", "title": "X"}}))
    adopted, direct = scrobbles
    assert adopted["title"] == "Home video"
    assert direct == {
        "play_id": direct["play_id"],
        **by(viewer),
        "media_type": "movie",
        "title": "X",
        "watched_at": direct["watched_at"],
        "play_count": 1,
        "rewatch": False,
        "source": "webhook",
        "server": "Plex",
        "server_id": plex.entry.entry_id,
        "server_type": "plex",
        "account": "1",
    }


async def test_scrobble_by_hand(hass: HomeAssistant) -> None:
    """A play that was added by hand names its person and no server."""
    viewer = await add_viewer(hass, "Alice", person="person.alice")
    scrobbles = heard(hass, "scrobble")
    response = await call(
        hass, "add_play", viewer=viewer.entry_id, media_type="movie", title="Elsewhere"
    )
    assert scrobbles == [
        {
            "play_id": response["play"]["play_id"],
            **by(viewer),
            "person": "person.alice",
            "media_type": "movie",
            "title": "Elsewhere",
            "watched_at": response["play"]["watched_at"],
            "play_count": 1,
            "rewatch": False,
            "source": "manual",
        }
    ]


async def test_two_viewers_of_one_account(
    hass: HomeAssistant, jellyfin: Jellyfin, bob: ConfigEntry[Any]
) -> None:
    """Who shares an account shares what is watched with it."""
    carol = await add_viewer(hass, "Carol", [jellyfin.key(BOB_AT_JELLYFIN)])
    scrobbles, playbacks = heard(hass, "scrobble"), heard(hass, "playback")
    said = await jellyfin.report(
        JellyfinEvent.PLAYBACK_STOP, LOW_WATER, BOB_AT_JELLYFIN
    )
    assert said["viewers"] == ["Bob", "Carol"]
    for events in (scrobbles, playbacks):
        # Whose is on disk first is published first.
        assert sorted(entry["viewer"] for entry in events) == ["Bob", "Carol"]
        assert {entry["viewer_id"] for entry in events} == {
            bob.entry_id,
            carol.entry_id,
        }


# Playbacks


async def test_playback(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
) -> None:
    """Each turn of a playback is published once; the position where it is known."""
    playbacks = heard(hass, "playback")
    at = {"position": timedelta(minutes=12, seconds=3, milliseconds=400)}
    for name in (PlexEvent.PLAY, PlexEvent.PAUSE, PlexEvent.RESUME, PlexEvent.STOP):
        await plex.report(name, THE_SALT_ROAD, ALICE_AT_PLEX, **at)
    common = {**by(alice), **on_plex(plex), **MOVIE}
    assert playbacks == [
        {"action": "play", **common},
        {"action": "pause", **common, "position": 723},
        {"action": "resume", **common, "position": 723},
        {"action": "stop", **common, "position": 723},
    ]

    playbacks.clear()
    for turn, details in (
        (JellyfinEvent.PLAYBACK_START, {}),
        (JellyfinEvent.PLAYBACK_PROGRESS, {}),
        (JellyfinEvent.PLAYBACK_PROGRESS, {"paused": True}),
        (JellyfinEvent.PLAYBACK_PROGRESS, {"paused": True}),
        (JellyfinEvent.PLAYBACK_PROGRESS, {"automated": False}),
        (JellyfinEvent.PLAYBACK_STOP, {"completed": False}),
    ):
        await jellyfin.report(turn, LOW_WATER, ALICE_AT_JELLYFIN, **at, **details)
    common = {**by(alice), **on_jellyfin(jellyfin), **EPISODE, "position": 723}
    assert playbacks == [
        {"action": action, **common} for action in ("play", "pause", "resume", "stop")
    ]


async def test_playback_of_nobody(hass: HomeAssistant, plex: Plex) -> None:
    """What an unknown account plays is published without a viewer."""
    playbacks = heard(hass, "playback")
    await plex.report(PlexEvent.PLAY, SLOW_FERRY, BOB_AT_PLEX)
    assert playbacks == [
        {
            "action": "play",
            **on_plex(plex, "bob"),
            "media_type": "track",
            "title": "Slow Ferry",
            "artist": "Marlow & Finch",
            "album": "Tidewater",
            "ids": {
                "plex": playbacks[0]["ids"]["plex"],
                "musicbrainz": SLOW_FERRY.musicbrainz,
            },
        }
    ]


# Ratings


@pytest.mark.parametrize(
    ("title", "described"),
    [
        (THE_SALT_ROAD, MOVIE),
        (
            HARBOUR_LIGHTS,
            {"media_type": "show", "title": "Harbour Lights", "year": 2021},
        ),
        (
            Season(HARBOUR_LIGHTS, 2),
            {"media_type": "season", "title": "Season 2", "season": 2},
        ),
        (
            TIDEWATER,
            {"media_type": "album", "title": "Tidewater", "artist": "Marlow & Finch"},
        ),
    ],
)
async def test_rating(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    title: Title,
    described: dict[str, Any],
) -> None:
    """A rating is published when it is given, changed or taken back, not repeated."""
    ratings = heard(hass, "rating")
    outcomes = [
        (await plex.report(PlexEvent.RATE, title, ALICE_AT_PLEX, rating=rating))[
            "outcome"
        ]
        for rating in (7, 7, 9.5, None, None)
    ]
    assert outcomes == ["updated", "ignored", "updated", "updated", "ignored"]
    assert [entry.get("rating") for entry in ratings] == [7, 9.5, None]
    assert "rating" not in ratings[2]
    common = {**by(alice), **on_plex(plex), **described, "source": "webhook"}
    assert common.items() <= ratings[0].items()
    assert shown(event(hass, alice, "watching")) == {
        "event_type": "unrated",
        **ratings[2],
    }


async def test_rating_by_hand(hass: HomeAssistant) -> None:
    """A rating that was given by hand names no server."""
    viewer = await add_viewer(hass, "Alice")
    ratings = heard(hass, "rating")
    await call(
        hass,
        "rate",
        viewer=viewer.entry_id,
        media_type="show",
        title="Elsewhere",
        rating=6,
    )
    assert ratings == [
        {
            **by(viewer),
            "media_type": "show",
            "title": "Elsewhere",
            "rating": 6.0,
            "source": "manual",
        }
    ]
    assert event(hass, viewer, "watching").attributes["event_type"] == "rated"


async def test_removed(hass: HomeAssistant) -> None:
    """The removal of a play shows at the viewer."""
    viewer = await add_viewer(hass, "Alice")
    play = (
        await call(
            hass, "add_play", viewer=viewer.entry_id, media_type="movie", title="Twice"
        )
    )["play"]
    await call(hass, "remove_play", viewer=viewer.entry_id, play_id=play["play_id"])
    assert shown(event(hass, viewer, "watching")) == {
        "event_type": "removed",
        "play_id": play["play_id"],
        "media_type": "movie",
        "title": "Twice",
    }


# Libraries and servers


async def test_library(hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin) -> None:
    """Added media is published; of removed media the entity tells."""
    added = heard(hass, "library_added")
    await plex.report(PlexEvent.LIBRARY_NEW, THE_SALT_ROAD)
    server = {
        "server": "Plex",
        "server_id": plex.entry.entry_id,
        "server_type": "plex",
        "account": "alice",
    }
    assert added == [{**server, **MOVIE}]
    assert shown(event(hass, plex.entry, "library")) == {
        "event_type": "added",
        **added[0],
    }

    await jellyfin.report(JellyfinEvent.ITEM_ADDED, LOW_WATER)
    server = {
        "server": "Jellyfin",
        "server_id": jellyfin.entry.entry_id,
        "server_type": "jellyfin",
    }
    assert added[1:] == [{**server, **EPISODE}]

    await jellyfin.report(JellyfinEvent.ITEM_DELETED, LOW_WATER)
    assert len(added) == 2
    assert shown(event(hass, jellyfin.entry, "library")) == {
        "event_type": "removed",
        **server,
        **EPISODE,
    }
    assert event(hass, plex.entry, "library").attributes["event_type"] == "added"


@pytest.mark.parametrize(
    ("name", "kind", "player"),
    [
        (PlexEvent.DEVICE_NEW, "device_new", True),
        (PlexEvent.DATABASE_BACKUP, "database_backup", False),
        (PlexEvent.DATABASE_CORRUPTED, "database_corrupted", False),
    ],
)
async def test_plex_server(
    hass: HomeAssistant, plex: Plex, name: str, kind: str, player: bool
) -> None:
    """What a Plex server tells of itself is published."""
    told = heard(hass, "server")
    said = await plex.report(name)
    assert said["outcome"] == "updated"
    expected = on_plex(plex)
    if not player:
        del expected["player"], expected["player_id"]
    assert told == [{"type": kind, **expected}]
    assert shown(event(hass, plex.entry, "server")) == {"event_type": kind, **expected}


async def test_jellyfin_server(hass: HomeAssistant, jellyfin: Jellyfin) -> None:
    """What a Jellyfin server tells of itself is published."""
    told = heard(hass, "server")
    await jellyfin.report(JellyfinEvent.PENDING_RESTART)
    expected = {
        "server": "Jellyfin",
        "server_id": jellyfin.entry.entry_id,
        "server_type": "jellyfin",
    }
    assert told == [{"type": "pending_restart", **expected}]
    assert shown(event(hass, jellyfin.entry, "server")) == {
        "event_type": "pending_restart",
        **expected,
    }


# The entities themselves


async def test_entities(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    bob: ConfigEntry[Any],
    entity_registry: er.EntityRegistry,
) -> None:
    """Event entities know their types beforehand and stand on their owner's device."""
    types = {
        "library": [change.value for change in LibraryChange],
        "server": ["database_backup", "database_corrupted", "device_new"],
        "watching": WATCHING.event_types,
    }
    for entry, key in (
        (plex.entry, "library"),
        (plex.entry, "server"),
        (alice, "watching"),
    ):
        state = event(hass, entry, key)
        assert state.state == "unknown"
        assert state.attributes["event_types"] == types[key]
        entity = entity_registry.async_get(state.entity_id)
        assert entity is not None
        assert entity.unique_id == f"{entry.entry_id}_{key}"
        assert entity.device_id == device_of(hass, entry).id
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert event(hass, bob, "watching").state == "unknown"


async def test_restart(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], restart: Restart
) -> None:
    """The last event is still known after a restart, and none is published anew."""
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    await plex.report(PlexEvent.LIBRARY_NEW, LOW_WATER)
    entities = [(alice, "watching"), (plex.entry, "library")]
    before = [event(hass, *entity) for entity in entities]
    hass, _ = await restart()
    after = [event(hass, *entity) for entity in entities]
    assert [state.state for state in after] == [state.state for state in before]
    assert [shown(state) for state in after] == [shown(state) for state in before]


async def test_core_hears_no_other_names(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """There are no events on the bus beside those that are promised."""
    names = set()

    @callback
    def collect(event: Event) -> None:
        names.add(str(event.event_type))

    hass.bus.async_listen(MATCH_ALL, collect)
    for name in PlexEvent:
        await plex.report(name, LOW_WATER)
    await hass.async_block_till_done()
    assert {name for name in names if name.startswith("media_scrobbler")} == {
        f"media_scrobbler_{kind}"
        for kind in ("scrobble", "playback", "library_added", "server")
    }
