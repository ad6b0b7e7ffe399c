"""Reports of progress: a real server sends one each second of whatever plays."""

from datetime import timedelta
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.media_player.const import DOMAIN as MEDIA_PLAYER
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest

from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.domain import limit

from .common import (
    ALICE_AT_JELLYFIN,
    BOB_AT_JELLYFIN,
    Jellyfin,
    Plex,
    call,
    entity_id_of,
    move_time,
    settle,
)
from .conftest import Restart
from .fixtures.nested import nested
from .simulators.catalogue import (
    LOW_WATER,
    NINTH_MERIDIAN_TRAILER,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
)
from .simulators.jellyfin import (
    BEDROOM_TABLET,
    JellyfinDevice,
    JellyfinEvent,
    SaveReason,
    encode,
)
from .simulators.plex import PlexEvent

PHONE = JellyfinDevice("Phone", "cGhvbmUgb2YgYm9i")
START, STOP = JellyfinEvent.PLAYBACK_START, JellyfinEvent.PLAYBACK_STOP
PROGRESS = JellyfinEvent.PLAYBACK_PROGRESS


def player(
    hass: HomeAssistant, jellyfin: Jellyfin, device: JellyfinDevice = BEDROOM_TABLET
) -> State | None:
    """Return the state of a player, if there is one."""
    entity_id = er.async_get(hass).async_get_entity_id(
        MEDIA_PLAYER, DOMAIN, f"{jellyfin.entry.entry_id}_player_{device.id}"
    )
    return hass.states.get(entity_id) if entity_id else None


def does(hass: HomeAssistant, jellyfin: Jellyfin) -> str | None:
    """Return what the tablet does."""
    state = player(hass, jellyfin)
    return state.state if state else None


async def log(hass: HomeAssistant) -> list[tuple[str, str]]:
    """Return the events of the log with their outcomes, the oldest first."""
    response = await call(hass, "get_webhook_log")
    return [(each["event"], each["outcome"]) for each in response["events"][::-1]]


def last_webhook(hass: HomeAssistant, jellyfin: Jellyfin) -> State:
    """Return the sensor of the last webhook."""
    state = hass.states.get(
        entity_id_of(hass, "sensor", jellyfin.entry, "last_webhook")
    )
    assert state is not None
    return state


def written(hass: HomeAssistant) -> list[str]:
    """Return, as it grows, which entities have a state written, changed or not."""
    entities: list[str] = []

    @callback
    def note(event: Event[Any]) -> None:
        entities.append(event.data["entity_id"])

    @callback
    def any_of_them(_data: Any) -> bool:
        return True

    for name in (EVENT_STATE_CHANGED, EVENT_STATE_REPORTED):
        hass.bus.async_listen(name, note, event_filter=any_of_them)
    return entities


def at(minutes: float, seconds: float = 0) -> timedelta:
    """Return a position."""
    return timedelta(minutes=minutes, seconds=seconds)


@pytest.fixture
async def quiet_evening(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    bob: ConfigEntry[Any],
) -> None:
    """Have a play of yesterday in the log, and two people watch today."""
    await jellyfin.report(STOP, THE_PILOT_BOAT, ALICE_AT_JELLYFIN)
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    await jellyfin.report(START, LOW_WATER, BOB_AT_JELLYFIN, PHONE)
    await settle(hass)


async def test_a_report_a_second_leaves_no_trace(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    quiet_evening: None,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The log goes on to explain yesterday, and only the position moves, in memory."""
    before = await log(hass)
    entities = written(hass)
    for minute in range(10):
        for second in (0, 1, 2, 3):
            position = at(minute, second + 1)
            for who in ((ALICE_AT_JELLYFIN,), (BOB_AT_JELLYFIN, PHONE)):
                answer = await jellyfin.report(
                    PROGRESS,
                    THE_SALT_ROAD if PHONE not in who else LOW_WATER,
                    *who,
                    position=position,
                )
                assert answer["outcome"] == "updated"
            freezer.tick(1)
        await move_time(hass, freezer, seconds=56)
    assert await log(hass) == before
    # That the server is alive shows every five minutes.
    shown = {last_webhook(hass, jellyfin).entity_id}
    entities = [each for each in entities if not each.startswith("image.")]
    assert set(entities) == shown
    assert len(entities) <= 2
    assert last_webhook(hass, jellyfin).attributes["event"] == PROGRESS

    await jellyfin.report(
        PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN, paused=True, position=at(10)
    )
    await settle(hass)
    state = player(hass, jellyfin)
    assert state is not None
    assert (state.state, state.attributes["media_position"]) == ("paused", 600)
    assert await log(hass) == [*before, (PROGRESS, "updated")]


async def test_position_that_only_the_server_knows(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """A position to which the server has jumped shows with whatever is shown next."""
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    await settle(hass)
    entities = written(hass)
    await jellyfin.report(PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN, position=at(50))
    await settle(hass)
    assert entities == []
    payload = jellyfin.simulator.payload(
        PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN, paused=True
    )
    del payload["PlaybackPositionTicks"]
    await jellyfin.send(encode(payload))
    await settle(hass)
    state = player(hass, jellyfin)
    assert state is not None
    assert state.attributes["media_position"] in (3000, 3001)


async def test_what_a_player_reports_is_logged_if_it_is_news(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """A pause is an entry, and going on; to be where it is expected is none, nor a jump."""
    before = await log(hass)

    async def report(minutes: float, *, paused: bool = False) -> None:
        await jellyfin.report(
            PROGRESS,
            THE_SALT_ROAD,
            ALICE_AT_JELLYFIN,
            position=at(minutes),
            paused=paused,
            automated=False,
        )

    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    for minute in (0, 1, 30):
        await report(minute)
        freezer.tick(60)
    for paused in (True, True, True, False, False):
        await report(31, paused=paused)
        freezer.tick(20)
    assert await log(hass) == [
        *before,
        (START, "updated"),
        *[(PROGRESS, "updated")] * 2,
    ]


@pytest.mark.parametrize(
    "reason", [each for each in SaveReason if each != SaveReason.TOGGLE_PLAYED]
)
async def test_saved_user_data_that_says_nothing(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any], reason: str
) -> None:
    """It comes with every report of a player, and is no entry; a mark is one."""
    before = await log(hass)
    for played in (True, False):
        answer = await jellyfin.report(
            JellyfinEvent.USER_DATA_SAVED,
            THE_SALT_ROAD,
            ALICE_AT_JELLYFIN,
            save_reason=reason,
            played=played,
        )
        assert answer["outcome"] == "ignored"
    await jellyfin.report(
        JellyfinEvent.USER_DATA_SAVED, THE_SALT_ROAD, ALICE_AT_JELLYFIN, played=False
    )
    assert await log(hass) == [*before, (JellyfinEvent.USER_DATA_SAVED, "ignored")]


async def test_other_senders(
    hass: HomeAssistant, jellyfin: Jellyfin, freezer: FrozenDateTimeFactory
) -> None:
    """The other plugin's reports are no entries either, and neither is shown as the last."""
    await jellyfin.send(encode_nested("Play", at(0)))
    await settle(hass)
    entities = written(hass)
    for minute in range(4):
        await jellyfin.send(encode_nested("Progress", at(minute)))
        await move_time(hass, freezer, minutes=1)
    assert await log(hass) == [("Play", "updated")]
    assert entities == []


def encode_nested(event: str, position: timedelta | None = None) -> bytes:
    """Return the body of a webhook in nested form."""
    return json.dumps(nested(event, THE_SALT_ROAD, position=position)).encode()


async def test_what_is_not_recorded_or_not_ours(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """Of what is ignored or rejected there is a report a second, too."""
    before = await log(hass)
    trailer = jellyfin.simulator.payload(
        PROGRESS, NINTH_MERIDIAN_TRAILER, ALICE_AT_JELLYFIN
    )
    elsewhere = jellyfin.simulator.payload(PROGRESS, LOW_WATER, ALICE_AT_JELLYFIN)
    elsewhere["ServerId"] = "0" * 31 + "7"
    for payload, outcome in ((trailer, "ignored"), (elsewhere, "rejected")):
        _, answer = await jellyfin.send(encode(payload))
        assert answer["outcome"] == outcome
    assert await log(hass) == before


async def test_switched_off(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """What is not processed moves no player, and is no entry either."""
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    await settle(hass)
    switch = entity_id_of(hass, "switch", jellyfin.entry, "webhook")
    await hass.services.async_call(
        "switch", "turn_off", {"entity_id": switch}, blocking=True
    )
    await hass.async_block_till_done()
    before = await log(hass)
    answer = await jellyfin.report(PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    assert answer["reason"] == "the webhook is switched off"
    assert await log(hass) == before


async def test_players_that_are_not_followed(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """A player that is followed no more is left alone, without an entry a second."""
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    hass.config_entries.async_update_entry(
        jellyfin.entry, options={**jellyfin.entry.options, "players": ["another"]}
    )
    before = await log(hass)
    answer = await jellyfin.report(PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    assert answer["reason"] == "this player is not followed"
    assert await log(hass) == before


async def test_more_than_any_household_makes(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A flood of reports is refused like any other, and leaves room for plays."""
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    # All that is left is for plays.
    monkeypatch.setattr(limit, "RESERVE", limit.CAPACITY)
    body = jellyfin.simulator.body(PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    before = await log(hass)
    status, _ = await jellyfin.send(*body)
    assert status == 429
    assert await log(hass) == before


async def test_start_was_never_heard_of(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """The first report of what nobody knew to play shows it."""
    before = await log(hass)
    for _ in range(3):
        await jellyfin.report(
            PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN, position=at(20)
        )
    await settle(hass)
    assert does(hass, jellyfin) == "playing"
    assert await log(hass) == [*before, (PROGRESS, "updated")]


@pytest.mark.parametrize("paused", [True, False])
async def test_report_that_has_been_overtaken(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    freezer: FrozenDateTimeFactory,
    paused: bool,
) -> None:
    """Webhooks may come in another order: a stop is not taken back, nor is a pause."""
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    if paused:
        await jellyfin.report(PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN, paused=True)
    else:
        await jellyfin.report(STOP, THE_SALT_ROAD, ALICE_AT_JELLYFIN, completed=False)
    await jellyfin.report(PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    await settle(hass)
    assert does(hass, jellyfin) == ("paused" if paused else "idle")
    # Later it is news.
    freezer.tick(11)
    await jellyfin.report(PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    await settle(hass)
    assert does(hass, jellyfin) == "playing"


# Players that never stop


async def playing(
    hass: HomeAssistant, jellyfin: Jellyfin, freezer: FrozenDateTimeFactory
) -> None:
    """Have a film play for five minutes, as the server reports."""
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    for minute in range(1, 6):
        await move_time(hass, freezer, minutes=1)
        await jellyfin.report(
            PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN, position=at(minute)
        )
    await settle(hass)
    assert does(hass, jellyfin) == "playing"


async def test_silence_ends_what_has_been_reported(
    hass: HomeAssistant, jellyfin: Jellyfin, freezer: FrozenDateTimeFactory
) -> None:
    """Who signs out or pulls the plug leaves no player that plays on."""
    await playing(hass, jellyfin, freezer)
    await move_time(hass, freezer, minutes=2, seconds=50)
    assert does(hass, jellyfin) == "playing"
    await move_time(hass, freezer, seconds=11)
    assert does(hass, jellyfin) == "idle"


async def test_silence_ends_a_pause_later(
    hass: HomeAssistant, jellyfin: Jellyfin, freezer: FrozenDateTimeFactory
) -> None:
    """Nothing comes of what pauses; what the player itself reports of it keeps it."""
    await playing(hass, jellyfin, freezer)
    for _ in range(2):
        await jellyfin.report(
            PROGRESS,
            THE_SALT_ROAD,
            ALICE_AT_JELLYFIN,
            paused=True,
            position=at(5),
        )
        await move_time(hass, freezer, minutes=14, seconds=50)
        assert does(hass, jellyfin) == "paused"
    await move_time(hass, freezer, seconds=11)
    assert does(hass, jellyfin) == "idle"


async def test_one_report_is_enough(
    hass: HomeAssistant, jellyfin: Jellyfin, freezer: FrozenDateTimeFactory
) -> None:
    """Signed out in the first second of a film, after one report of the player's own."""
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    await jellyfin.report(PROGRESS, THE_SALT_ROAD, ALICE_AT_JELLYFIN, automated=False)
    await settle(hass)
    await move_time(hass, freezer, minutes=3, seconds=1)
    assert does(hass, jellyfin) == "idle"


async def test_silence_after_a_restart(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    freezer: FrozenDateTimeFactory,
    restart: Restart,
) -> None:
    """What has gone while Home Assistant was down is over as soon."""
    await playing(hass, jellyfin, freezer)
    freezer.tick(60)
    hass, _ = await restart()
    assert does(hass, jellyfin) == "playing"
    await move_time(hass, freezer, minutes=2, seconds=1)
    await settle(hass)
    assert does(hass, jellyfin) == "idle"


async def test_silence_says_nothing_where_there_never_was_a_report(
    hass: HomeAssistant,
    jellyfin: Jellyfin,
    plex: Plex,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Plex reports no progress, nor does a webhook without it: the run time ends those."""
    await jellyfin.report(START, THE_SALT_ROAD, ALICE_AT_JELLYFIN)
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)

    def states() -> set[str]:
        return {state.state for state in hass.states.async_all(MEDIA_PLAYER)}

    assert states() == {"playing"}
    await move_time(hass, freezer, hours=1)
    assert states() == {"playing"}
    await move_time(hass, freezer, hours=1, minutes=3)
    assert states() == {"idle"}


async def test_the_next_title_begins_anew(
    hass: HomeAssistant, jellyfin: Jellyfin, freezer: FrozenDateTimeFactory
) -> None:
    """That one title was reported says nothing of the next, until that is."""
    await playing(hass, jellyfin, freezer)
    begun = dt_util.utcnow()
    await jellyfin.report(START, LOW_WATER, ALICE_AT_JELLYFIN)
    await move_time(hass, freezer, minutes=4)
    assert does(hass, jellyfin) == "playing"
    state = player(hass, jellyfin)
    assert state is not None
    assert state.attributes["media_position_updated_at"] == begun
