"""What is played on Jellyfin: which endings of it are plays, and which only seem so."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import orjson
import pytest

from .common import ALICE_AT_JELLYFIN, ALICE_AT_PLEX, Jellyfin, Plex, plays_of
from .conftest import Restart
from .server_histories import heard
from .simulators.catalogue import (
    LOW_WATER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Playable,
)
from .simulators.jellyfin import JellyfinDevice, JellyfinEvent, SaveReason
from .simulators.plex import PlexEvent

LENGTH = THE_SALT_ROAD.runtime
OTHER_VERSION = "7e" * 16


def told(at: datetime) -> str:
    """Return a time as the server writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f7Z")


@dataclass
class Player:
    """A player of Alice's, by the webhooks of her server."""

    jellyfin: Jellyfin
    freezer: FrozenDateTimeFactory
    device: JellyfinDevice = field(
        default_factory=lambda: JellyfinDevice("Television", "tv-1")
    )
    checked_in_at: datetime | None = None
    begun_at: datetime | None = None
    ahead: timedelta = timedelta()
    """How far the server's clock is."""

    async def tell(
        self,
        event: str,
        title: Playable,
        position: timedelta | None = None,
        *,
        reports: bool = True,
        **properties: Any,
    ) -> dict[str, Any]:
        """Have the server tell of something; returns the answer."""
        now = dt_util.utcnow() + self.ahead
        if reports:
            self.checked_in_at = now
        payload = self.jellyfin.simulator.payload(
            event, title, ALICE_AT_JELLYFIN, self.device, at=now, position=position
        )
        payload["IsAutomated"] = False
        # A template may leave it out.
        payload.pop("LastActivityDate", None)
        if self.checked_in_at is not None:
            payload["LastPlaybackCheckIn"] = told(self.checked_in_at)
        status, answer = await self.jellyfin.send(orjson.dumps(payload | properties))
        assert status == 200
        return answer

    async def start(
        self, title: Playable, position: timedelta = timedelta()
    ) -> dict[str, Any]:
        """Begin to play something."""
        self.begun_at = dt_util.utcnow()
        return await self.tell(JellyfinEvent.PLAYBACK_START, title, position)

    async def report(
        self, title: Playable, position: timedelta, *, paused: bool = False
    ) -> dict[str, Any]:
        """Report where the player is."""
        return await self.tell(
            JellyfinEvent.PLAYBACK_PROGRESS, title, position, IsPaused=paused
        )

    async def stop(
        self,
        title: Playable,
        position: timedelta | None,
        *,
        completed: bool = True,
        **properties: Any,
    ) -> dict[str, Any]:
        """Stop, and say where unless that is left out."""
        return await self.tell(
            JellyfinEvent.PLAYBACK_STOP,
            title,
            position or timedelta(),
            reports=False,
            PlayedToCompletion=completed,
            **properties,
        )

    async def save(
        self, title: Playable, reason: str, date: datetime | None, **properties: Any
    ) -> dict[str, Any]:
        """Have the server tell what it has saved of an item."""
        payload = self.jellyfin.simulator.payload(
            JellyfinEvent.USER_DATA_SAVED,
            title,
            ALICE_AT_JELLYFIN,
            at=dt_util.utcnow(),
            save_reason=reason,
        )
        del payload["LastPlayedDate"]
        if date is not None:
            payload["LastPlayedDate"] = told(date)
        status, answer = await self.jellyfin.send(orjson.dumps(payload | properties))
        assert status == 200
        return answer

    def later(self, **by: float) -> datetime:
        """Let time pass; returns the time."""
        self.freezer.tick(timedelta(**by))
        return dt_util.utcnow()


@pytest.fixture
def player(jellyfin: Jellyfin, freezer: FrozenDateTimeFactory) -> Player:
    """Return a television."""
    return Player(jellyfin, freezer)


# Stops without a position


@pytest.mark.parametrize(
    ("minutes", "outcome"),
    [
        pytest.param(6, "updated", id="a few minutes in"),
        pytest.param(55, "updated", id="before the middle"),
        pytest.param(57, "recorded", id="past the middle"),
        pytest.param(112, "recorded", id="at its end"),
    ],
)
async def test_stop_without_a_position(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    minutes: float,
    outcome: str,
) -> None:
    """The server says that it was completed: only if half of it has run."""
    await player.start(THE_SALT_ROAD)
    player.later(minutes=minutes)
    answer = await player.stop(THE_SALT_ROAD, None)
    assert answer["outcome"] == outcome
    if outcome == "updated":
        assert "without a position" in answer["reason"]
    assert len(await plays_of(hass, alice)) == (outcome == "recorded")


async def test_stop_without_a_position_after_a_pause(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """A pause is no time in which anything runs."""
    await player.start(THE_SALT_ROAD)
    player.later(minutes=20)
    await player.report(THE_SALT_ROAD, timedelta(minutes=20), paused=True)
    player.later(minutes=80)
    await player.report(THE_SALT_ROAD, timedelta(minutes=20))
    player.later(minutes=20)
    await player.stop(THE_SALT_ROAD, None)
    assert await plays_of(hass, alice) == []


@pytest.mark.parametrize(
    ("minutes", "count"), [(96, 0), (105, 1)], ids=["not near the end", "near the end"]
)
async def test_stop_without_a_position_where_it_was_gone_on_with(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    minutes: float,
    count: int,
) -> None:
    """What is left of it may be less than half of it."""
    await player.start(THE_SALT_ROAD, timedelta(minutes=90))
    player.later(minutes=minutes - 90)
    await player.report(THE_SALT_ROAD, timedelta(minutes=minutes))
    player.later(seconds=10)
    await player.stop(THE_SALT_ROAD, None)
    assert len(await plays_of(hass, alice)) == count


@pytest.mark.parametrize(("seconds", "count"), [(30, 0), (150, 1)])
async def test_track_without_a_position(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    seconds: float,
    count: int,
) -> None:
    """The same goes for music."""
    await player.start(SLOW_FERRY)
    player.later(seconds=seconds)
    await player.stop(SLOW_FERRY, None)
    assert len(await plays_of(hass, alice)) == count


async def test_stop_of_what_nothing_was_heard_of(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """The server is believed as long as nothing speaks against it."""
    await player.stop(THE_SALT_ROAD, None)
    assert len(await plays_of(hass, alice)) == 1


# Restarts


async def test_left_at_its_end_before_a_restart(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any], restart: Restart
) -> None:
    """How far the player had got is known afterwards."""
    await player.start(THE_SALT_ROAD)
    player.later(minutes=108)
    await player.report(THE_SALT_ROAD, LENGTH * 0.97)
    hass, player.jellyfin.client = await restart()
    await player.start(LOW_WATER)
    assert len(await plays_of(hass, alice)) == 1


# Players that are never heard of again


@pytest.mark.parametrize(
    ("share", "count"), [(0.8, 0), (0.93, 1)], ids=["before the end", "at the end"]
)
@pytest.mark.parametrize("title", [THE_SALT_ROAD, LOW_WATER, SLOW_FERRY])
async def test_server_runs_on(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    title: Playable,
    share: float,
    count: int,
) -> None:
    """The last position that the player has reported counts, not the server's own."""
    share = min(share, 0.4) if title is SLOW_FERRY and not count else share
    reported = title.runtime * share
    await player.start(title, reported - timedelta(seconds=6))
    player.later(seconds=6)
    await player.report(title, reported)
    silence = timedelta(minutes=9)
    # Its own reports count as activity as well, until they have come to the end.
    active_at = dt_util.utcnow() + min(silence, title.runtime - reported)
    player.later(seconds=silence.total_seconds())
    ran_on = reported + timedelta(seconds=(title.runtime - reported) // SECOND - 1)
    answer = await player.stop(
        title, min(ran_on, reported + silence), LastActivityDate=told(active_at)
    )
    if not count:
        assert "has run on by itself" in answer["reason"]
    assert len(await plays_of(hass, alice)) == count


SECOND = timedelta(seconds=1)


async def test_server_stops_at_the_last_report(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """It claims nothing then; past its own threshold it does, and is right."""
    await player.start(THE_SALT_ROAD)
    await player.report(THE_SALT_ROAD, LENGTH * 0.86)
    player.later(minutes=9)
    await player.stop(THE_SALT_ROAD, LENGTH * 0.86)
    assert len(await plays_of(hass, alice)) == 1


@pytest.mark.parametrize(
    "silence",
    [
        pytest.param(timedelta(seconds=10), id="every ten seconds"),
        pytest.param(timedelta(minutes=4), id="every few minutes"),
        pytest.param(timedelta(minutes=8, milliseconds=317), id="hardly ever"),
        pytest.param(LOW_WATER.runtime, id="never"),
    ],
)
@pytest.mark.parametrize("ahead", [-30, 0, 1, 60 * 24])
async def test_player_that_reports_rarely(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    silence: timedelta,
    ahead: float,
) -> None:
    """Where it stops it says itself, whatever the time is there."""
    player.ahead = timedelta(minutes=ahead)
    await player.start(LOW_WATER)
    player.later(seconds=(LOW_WATER.runtime - silence).total_seconds())
    if silence < LOW_WATER.runtime:
        await player.report(LOW_WATER, LOW_WATER.runtime * 0.86)
    player.later(seconds=silence.total_seconds())
    await player.stop(LOW_WATER, LOW_WATER.runtime * 0.98)
    assert len(await plays_of(hass, alice)) == 1


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_pause_that_goes_idle_again_and_again(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    restart: Restart,
    is_restarted: bool,
) -> None:
    """One play, as long as nothing was begun anew."""
    middle = timedelta(minutes=3)
    await player.start(SLOW_FERRY)
    player.later(minutes=3)
    await player.report(SLOW_FERRY, middle, paused=True)
    for number in range(5):
        player.later(minutes=76)
        await player.stop(SLOW_FERRY, middle)
        if number % 2:
            await player.report(SLOW_FERRY, middle, paused=True)
        if is_restarted and number == 2:
            hass, player.jellyfin.client = await restart()
    assert len(await plays_of(hass, alice)) == 1
    await player.start(SLOW_FERRY)
    player.later(minutes=4)
    await player.stop(SLOW_FERRY, SLOW_FERRY.runtime * 0.98)
    assert len(await plays_of(hass, alice)) == 2


async def test_begun_again_without_saying_so(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """A position far before the last one tells."""
    await player.start(SLOW_FERRY)
    for _ in range(3):
        player.later(minutes=4)
        await player.stop(SLOW_FERRY, SLOW_FERRY.runtime * 0.98)
        await player.report(SLOW_FERRY, timedelta(seconds=2))
    assert len(await plays_of(hass, alice)) == 3


# Beginnings and ends


async def test_next_without_a_stop_of_the_first(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """What was reported to be at its end has been seen; what was left before has not."""
    events = heard(hass)
    for title, share in ((PAPER_ORCHARD, 0.4), (THE_SALT_ROAD, 0.97)):
        await player.start(title)
        player.later(minutes=60)
        await player.report(title, title.runtime * share)
        player.later(seconds=5)
    await player.start(LOW_WATER)
    (play,) = await plays_of(hass, alice)
    assert play["title"] == THE_SALT_ROAD.title
    assert len(events) == 1
    # Its stop is late.
    player.later(seconds=1)
    await player.stop(THE_SALT_ROAD, LENGTH * 0.99)
    assert len(await plays_of(hass, alice)) == 1


@pytest.mark.parametrize("is_dated", [True, False])
async def test_marked_by_the_player_as_it_begins(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any], is_dated: bool
) -> None:
    """It has been seen once, however long it takes from there to its end."""
    await player.start(THE_SALT_ROAD)
    begun = dt_util.utcnow()
    marked = player.later(seconds=3)
    await player.save(
        THE_SALT_ROAD, SaveReason.TOGGLE_PLAYED, marked if is_dated else begun
    )
    player.later(hours=3)
    await player.stop(THE_SALT_ROAD, LENGTH * 0.99)
    assert len(await plays_of(hass, alice)) == 1


async def test_marked_again_after_it_was_seen(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """The mark keeps the date of the beginning, days before the end: it is no other play."""
    await player.start(THE_SALT_ROAD)
    begun = dt_util.utcnow()
    player.later(minutes=50)
    await player.report(THE_SALT_ROAD, timedelta(minutes=50), paused=True)
    player.later(days=3)
    await player.report(THE_SALT_ROAD, timedelta(minutes=50))
    ended = player.later(minutes=60)
    await player.stop(THE_SALT_ROAD, timedelta(minutes=110))
    player.later(days=2)
    await player.save(THE_SALT_ROAD, SaveReason.TOGGLE_PLAYED, begun)
    (play,) = await plays_of(hass, alice)
    assert play["watched_at"] == ended.isoformat()
    # Seen again, it has another beginning.
    await player.start(THE_SALT_ROAD)
    player.later(minutes=111)
    await player.stop(THE_SALT_ROAD, timedelta(minutes=111))
    assert len(await plays_of(hass, alice)) == 2


async def test_marked_with_a_date_while_it_plays(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """A person may mark what plays: with the date that it was begun, it is a play."""
    await player.start(THE_SALT_ROAD)
    begun = dt_util.utcnow()
    player.later(minutes=30)
    await player.save(THE_SALT_ROAD, SaveReason.TOGGLE_PLAYED, begun)
    player.later(minutes=1)
    await player.stop(THE_SALT_ROAD, timedelta(minutes=31), completed=False)
    assert len(await plays_of(hass, alice)) == 1


# Versions


@pytest.fixture
async def seen_before(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> datetime:
    """Return when Alice has seen a film and an episode, of which there are two versions."""
    seen = dt_util.utcnow() - timedelta(days=40)
    for title in (THE_SALT_ROAD, LOW_WATER):
        await player.save(title, SaveReason.TOGGLE_PLAYED, seen)
    assert len(await plays_of(hass, alice)) == 2
    return seen


type Toggle = Callable[[Player, Playable, datetime], Any]


def never_played(player: Player, title: Playable, _seen: datetime) -> Any:
    """Have the server mark the other version, which nobody has ever played."""
    return player.save(
        title, SaveReason.TOGGLE_PLAYED, None, ItemId=OTHER_VERSION, PlayCount=0
    )


def played_before(player: Player, title: Playable, seen: datetime) -> Any:
    """Have the server mark the other version, which was played before, with its old date."""
    return player.save(
        title, SaveReason.TOGGLE_PLAYED, seen, ItemId=OTHER_VERSION, PlayCount=1
    )


def begun_before(player: Player, title: Playable, seen: datetime) -> Any:
    """Have the server mark the other version, which was begun lately, and left."""
    begun = seen + timedelta(days=30)
    return player.save(
        title, SaveReason.TOGGLE_PLAYED, begun, ItemId=OTHER_VERSION, PlayCount=2
    )


@pytest.mark.parametrize("title", [THE_SALT_ROAD, LOW_WATER])
@pytest.mark.parametrize("toggle", [never_played, played_before, begun_before])
async def test_seen_again_in_one_version(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    seen_before: datetime,
    title: Playable,
    toggle: Toggle,
) -> None:
    """The server marks the other one all the time: opened for a moment it is no play."""
    events = heard(hass)
    await player.start(title)
    player.later(seconds=15)
    await toggle(player, title, seen_before)
    await player.report(title, timedelta(seconds=15))
    await toggle(player, title, seen_before)
    await player.stop(title, timedelta(seconds=15), completed=False)
    player.later(seconds=1)
    await toggle(player, title, seen_before)
    assert len(await plays_of(hass, alice)) == 2
    assert events == []

    player.later(hours=5)
    await player.start(title)
    for _ in range(9):
        player.later(seconds=title.runtime.total_seconds() / 10)
        await toggle(player, title, seen_before)
        assert player.begun_at is not None
        await player.report(title, dt_util.utcnow() - player.begun_at)
    player.later(seconds=title.runtime.total_seconds() / 10)
    await toggle(player, title, seen_before)
    await player.stop(title, title.runtime * 0.99)
    await toggle(player, title, seen_before)
    assert len(await plays_of(hass, alice)) == 3
    assert len(events) == 1


async def test_seen_again_after_a_restart(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    seen_before: datetime,
    restart: Restart,
) -> None:
    """What plays is known over a restart of Home Assistant."""
    await player.start(THE_SALT_ROAD)
    player.later(seconds=15)
    hass, player.jellyfin.client = await restart()
    await begun_before(player, THE_SALT_ROAD, seen_before)
    await player.report(THE_SALT_ROAD, timedelta(minutes=1))
    await player.stop(THE_SALT_ROAD, timedelta(minutes=1), completed=False)
    assert len(await plays_of(hass, alice)) == 2


async def test_mark_of_another_version_is_of_the_play_of_then(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    seen_before: datetime,
) -> None:
    """One that was marked with the same date before has that date still."""
    answer = await played_before(player, THE_SALT_ROAD, seen_before)
    assert answer["outcome"] == "merged"
    assert len(await plays_of(hass, alice)) == 2


async def test_others_are_not_those_who_play(
    hass: HomeAssistant, player: Player, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """What is seen on another server at the same time is one viewing, as ever."""
    await player.start(THE_PILOT_BOAT)
    player.later(seconds=THE_PILOT_BOAT.runtime.total_seconds())
    await plex.report(PlexEvent.SCROBBLE, THE_PILOT_BOAT, ALICE_AT_PLEX)
    await player.stop(THE_PILOT_BOAT, THE_PILOT_BOAT.runtime * 0.99)
    assert len(await plays_of(hass, alice)) == 1


async def test_mark_beside_what_has_no_item(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """A template may leave out the ids of what plays."""
    nothing: dict[str, Any] = {"ItemId": "", "MediaSourceId": ""}
    await player.tell(JellyfinEvent.PLAYBACK_START, THE_SALT_ROAD, **nothing)
    player.later(minutes=1)
    answer = await player.save(
        THE_SALT_ROAD,
        SaveReason.TOGGLE_PLAYED,
        dt_util.utcnow() - timedelta(days=40),
        ItemId="",
    )
    assert answer["outcome"] == "ignored"
    assert await plays_of(hass, alice) == []


# What is heard of only in part


@pytest.mark.parametrize("share", [0.98, 1.0], ids=["near the end", "at the end"])
@pytest.mark.parametrize("reported", [None, 0.3, 0.6])
async def test_seen_again_whose_beginning_was_not_heard_of(
    hass: HomeAssistant,
    player: Player,
    alice: ConfigEntry[Any],
    share: float,
    reported: float | None,
) -> None:
    """It is another play, however little the server tells of it."""
    await player.start(THE_SALT_ROAD)
    player.later(minutes=111)
    await player.stop(THE_SALT_ROAD, LENGTH)
    player.later(days=4)
    if reported is not None:
        await player.report(THE_SALT_ROAD, LENGTH * reported)
        player.later(seconds=LENGTH.total_seconds() * (share - reported))
    await player.stop(THE_SALT_ROAD, LENGTH * share)
    assert len(await plays_of(hass, alice)) == 2


async def test_seen_again_the_next_morning_whose_beginning_was_not_heard_of(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """Where it was left in the credits, it ends a little further on."""
    await player.start(THE_SALT_ROAD)
    player.later(minutes=105)
    await player.stop(THE_SALT_ROAD, LENGTH * 0.95)
    player.later(hours=10)
    await player.stop(THE_SALT_ROAD, LENGTH * 0.96)
    assert len(await plays_of(hass, alice)) == 2


async def test_left_at_its_end_long_ago(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """It is a play of then, however long nothing else was played there."""
    await player.start(THE_SALT_ROAD)
    player.later(minutes=108)
    await player.report(THE_SALT_ROAD, LENGTH * 0.97)
    ended = dt_util.utcnow()
    player.later(days=31)
    await player.start(LOW_WATER)
    (play,) = await plays_of(hass, alice)
    assert play["watched_at"] == ended.isoformat()


async def test_player_that_reports_rarely_and_in_whole_seconds(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """It has asked for the stop itself: the server does not end it."""
    await player.start(LOW_WATER)
    player.later(seconds=LOW_WATER.runtime.total_seconds() - 480)
    await player.report(LOW_WATER, LOW_WATER.runtime - timedelta(seconds=480))
    now = player.later(seconds=478)
    await player.stop(
        LOW_WATER,
        LOW_WATER.runtime - timedelta(seconds=2),
        LastActivityDate=told(now - timedelta(milliseconds=15)),
    )
    assert len(await plays_of(hass, alice)) == 1


async def test_stop_without_a_position_of_what_was_left_before(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """What was played days before does not speak against it."""
    await player.start(THE_SALT_ROAD)
    player.later(minutes=10)
    await player.stop(THE_SALT_ROAD, None)
    assert await plays_of(hass, alice) == []
    player.later(days=4)
    await player.stop(THE_SALT_ROAD, None)
    assert len(await plays_of(hass, alice)) == 1


async def test_pause_at_the_end_that_goes_idle_again_and_again(
    hass: HomeAssistant, player: Player, alice: ConfigEntry[Any]
) -> None:
    """It is the end of one play."""
    end = SLOW_FERRY.runtime - timedelta(seconds=1)
    await player.start(SLOW_FERRY)
    player.later(seconds=end.total_seconds())
    for _ in range(4):
        await player.report(SLOW_FERRY, end, paused=True)
        player.later(minutes=8)
        await player.stop(SLOW_FERRY, end)
        player.later(minutes=76)
    assert len(await plays_of(hass, alice)) == 1
