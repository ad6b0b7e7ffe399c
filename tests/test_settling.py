"""Marks that a webhook leaves in doubt: what the server answers, and what becomes of their plays."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import orjson
import pytest

from .common import plays_of
from .conftest import Restart
from .server_histories import ago, heard, jellyfin_of_alice, look, looked
from .signed_in import JellyfinHome, later, quiet, until, viewer
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD, Playable
from .simulators.jellyfin import JellyfinEvent, JellyfinUser
from .simulators.jellyfin_version import JELLYFIN_12_0, JELLYFIN_VERSIONS

ALICE = JellyfinUser.named("alice")
ASKED = "/UserItems/*"
ZONE = timezone(timedelta(hours=2))


@pytest.fixture(params=JELLYFIN_VERSIONS, ids=str)
async def home(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    address: str,
    impatience: None,
) -> AsyncGenerator[JellyfinHome]:
    """Return a server of either version, two hours east of UTC, that Alice has signed in to."""
    titles = [THE_SALT_ROAD, LOW_WATER]
    async with jellyfin_of_alice(
        hass, version=request.param, titles=titles, zone=ZONE
    ) as home:
        yield home


of_12_0 = pytest.mark.parametrize("home", [JELLYFIN_12_0], indirect=True, ids=str)


async def times(hass: HomeAssistant) -> list[datetime]:
    """Return when Alice has watched something, the latest first."""
    return [
        datetime.fromisoformat(play["watched_at"])
        for play in await plays_of(hass, viewer(hass, "alice"))
    ]


def text(at: datetime) -> str:
    """Return a local time as a program writes it that thinks of no zone."""
    return at.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize("title", [THE_SALT_ROAD, LOW_WATER])
async def test_local_time(
    hass: HomeAssistant, home: JellyfinHome, title: Playable
) -> None:
    """12.0 knows better than its webhook; 10.11 does not, and is forgiven."""
    events = heard(hass)
    at = ago(days=30)
    await home.server.mark_played(title, ALICE, at=text(at))
    await quiet(hass, home.log)
    offset = timedelta()
    if home.server.version != JELLYFIN_12_0:
        offset = timedelta(hours=2)
    assert await times(hass) == [at + offset]
    assert len(events) == 1
    # Marked again it is nothing new, and neither is it to be healed.
    await home.server.mark_played(title, ALICE)
    await look(hass)
    assert await times(hass) == [at + offset]


async def test_local_time_of_now(hass: HomeAssistant, home: JellyfinHome) -> None:
    """It seems to be still to come: one play of now, and no other one when the time is there."""
    events = heard(hass)
    now = ago()
    await home.server.mark_played(THE_SALT_ROAD, ALICE, at=text(now))
    await quiet(hass, home.log)
    await look(hass)
    (watched_at,) = await times(hass)
    assert abs(watched_at - now) < timedelta(seconds=30)
    assert len(events) == 1


async def test_right_time(hass: HomeAssistant, home: JellyfinHome) -> None:
    """What is told in UTC stays as it is, and two dates are two plays."""
    first, second = ago(days=40), ago(days=20)
    for at in (first, second):
        await home.server.mark_played(THE_SALT_ROAD, ALICE, at=at)
        await quiet(hass, home.log)
    assert await times(hass) == [second, first]


async def test_no_more_asked_than_needed(
    hass: HomeAssistant, home: JellyfinHome
) -> None:
    """A person's mark of now is not in doubt."""
    await home.server.mark_played(THE_SALT_ROAD, ALICE)
    await quiet(hass, home.log)
    assert home.log.count_of("GET", ASKED) == 0
    await home.server.mark_played(LOW_WATER, ALICE, at=ago(days=3))
    await quiet(hass, home.log)
    assert home.log.count_of("GET", ASKED) == 1


@pytest.mark.parametrize("is_restarted", [False, True])
@of_12_0
async def test_server_that_does_not_answer(
    hass: HomeAssistant, home: JellyfinHome, restart: Restart, is_restarted: bool
) -> None:
    """It is asked when it is there again, however long that takes."""
    at = ago(days=30)
    with home.faults.fail(503):
        await home.server.mark_played(THE_SALT_ROAD, ALICE, at=text(at))
        await quiet(hass, home.log)
        assert await times(hass) == [at + timedelta(hours=2)]
        await later(hass, seconds=5)
        if is_restarted:
            home.server.plugin.installed = False
            hass, _ = await restart()
    await later(hass, minutes=6)
    for _ in range(3):
        await quiet(hass, home.log)
        await later(hass, minutes=6)
    assert await times(hass) == [at]


@of_12_0
async def test_same_viewing_after_all(hass: HomeAssistant, home: JellyfinHome) -> None:
    """What turns out to be a play that was known is taken back."""
    taken_back = removed(hass)
    at = ago(days=30)
    await home.server.mark_played(THE_SALT_ROAD, ALICE, at=at)
    await quiet(hass, home.log)
    await home.server.mark_unplayed(THE_SALT_ROAD, ALICE)
    await home.server.mark_played(THE_SALT_ROAD, ALICE, at=text(at))
    await quiet(hass, home.log)
    assert await times(hass) == [at]
    await until(hass, lambda: taken_back)
    assert len(taken_back) == 1


def removed(hass: HomeAssistant) -> list[str]:
    """Return the titles whose plays are taken back from now on."""
    found: list[str] = []

    def changed(event: Any) -> None:
        state = event.data["new_state"]
        if (
            state is not None
            and state.entity_id == "event.alice_watching"
            and state.attributes.get("event_type") == "removed"
        ):
            found.append(state.attributes["title"])

    hass.bus.async_listen("state_changed", changed)
    return found


async def tell_toggle(
    hass: HomeAssistant, home: JellyfinHome, at: datetime, count: int
) -> dict[str, Any]:
    """Have the server tell of a mark with an old date; returns the answer."""
    payload = home.server.server.payload(
        JellyfinEvent.USER_DATA_SAVED, THE_SALT_ROAD, ALICE, play_count=count
    )
    payload["LastPlayedDate"] = at.strftime("%Y-%m-%dT%H:%M:%S.1234567Z")
    session = home.server.plugin.session
    assert session is not None
    async with session.post(home.webhooks[0], data=orjson.dumps(payload)) as response:
        answer: dict[str, Any] = await response.json()
    await quiet(hass, home.log)
    return answer


@of_12_0
async def test_repeated_by_the_server(hass: HomeAssistant, home: JellyfinHome) -> None:
    """Another version has been begun since, and nobody told: a play that is none goes again."""
    taken_back = removed(hass)
    data = home.server.data_of(ALICE, THE_SALT_ROAD)
    data.played, data.count, data.last_played = True, 2, ago(seconds=20)
    answer = await tell_toggle(hass, home, ago(days=30), 2)
    assert answer["outcome"] == "recorded"
    await until(hass, lambda: taken_back)
    assert await times(hass) == []
    # The server says so again and again.
    answer = await tell_toggle(hass, home, ago(days=30), 2)
    assert answer["outcome"] == "ignored"
    assert await times(hass) == []


async def test_marked_by_hand_what_was_begun_long_ago(
    hass: HomeAssistant, home: JellyfinHome
) -> None:
    """It keeps the date of its beginning: one play, from then to now."""
    begun = ago(days=30)
    data = home.server.data_of(ALICE, THE_SALT_ROAD)
    data.count, data.last_played = 1, begun
    await home.server.mark_played(THE_SALT_ROAD, ALICE)
    await quiet(hass, home.log)
    await look(hass)
    (watched_at,) = await times(hass)
    assert begun <= watched_at <= dt_util.utcnow()


@of_12_0
async def test_playing_in_another_version(
    hass: HomeAssistant, home: JellyfinHome
) -> None:
    """Where nothing was heard of the beginning, the server says what plays."""
    taken_back = removed(hass)
    begun = ago(days=30)
    await home.server.add_version(THE_SALT_ROAD, "4K")
    await home.server.delivered()
    url = home.webhooks[0]
    home.forget_webhook(url)
    await home.server.play(THE_SALT_ROAD, ALICE)
    data = home.server.data_of(ALICE, THE_SALT_ROAD)
    data.count, data.last_played = 2, begun
    await tell_to(hass, home, url, begun)
    await until(hass, lambda: taken_back)
    assert await times(hass) == []
    await looked(hass)


async def tell_to(
    hass: HomeAssistant, home: JellyfinHome, url: str, at: datetime
) -> None:
    """Have the server tell an address of a mark with an old date."""
    home.server.plugin.add_generic(url, ["PlaybackStop"])
    await tell_toggle(hass, home, at.astimezone(UTC), 2)
    home.forget_webhook(url)
