"""What is marked at Plex, which takes no date, is no play of that moment."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.media_scrobbler.storage import marked

from .common import call, plays_of
from .conftest import Restart
from .followers import Household, ago, moment
from .server_histories import heard, know, look, looked, silence
from .signed_in import PlexHome, later, quiet, until, viewer
from .simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    PAPER_ORCHARD,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Playable,
)
from .simulators.faults import Fault, Faults
from .simulators.plex_server import PlexStandIn
from .storage.common import Disk
from .test_delivery import killing

OLD, NEW = "1.32.8.7639-fb6452ebf", "1.43.0.10492-121068a07"


@pytest.fixture(params=[OLD, NEW])
def version(request: pytest.FixtureRequest, plex_at_home: PlexStandIn) -> str:
    """Have Plex be of a version in which marks are entries of the history, or are not."""
    version: str = request.param
    plex_at_home.server.version = version
    return version


@pytest.fixture
async def following(version: str, household: Household) -> Household:
    """Return a household where Plex follows what Alice watches."""
    await household.follow(household.at_plex())
    await looked(household.hass)
    silence(household.plex)
    household.forget()
    return household


async def marked_at_plex(household: Household, title: Playable) -> None:
    """Wait until Plex shows a title as watched by Alice."""
    await until(household.hass, lambda: household.views(title))
    await household.settled()


def entries(household: Household) -> int:
    """Return how many entries Plex has in its history."""
    return len(household.plex.plex.server.history)


async def test_a_mark_is_no_play(following: Household, version: str) -> None:
    """Whether or not Plex has it in its history."""
    household, hass = following, following.hass
    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=40).isoformat())
    await household.watch_on_jellyfin(LOW_WATER)
    for title in (THE_SALT_ROAD, LOW_WATER):
        await marked_at_plex(household, title)
    assert entries(household) == (2 if version == OLD else 0)
    events = heard(hass)
    for _ in range(3):
        await look(hass)
    assert await household.titles() == ["Low Water", "The Salt Road"]
    assert events == []


@pytest.mark.freeze_time(tick=True)
async def test_an_import_long_afterwards(
    following: Household, version: str, restart: Restart, freezer: FrozenDateTimeFactory
) -> None:
    """It is remembered for as long as Plex may tell of it, as a view at least."""
    household = following
    play_id = await household.add_play(
        THE_SALT_ROAD, watched_at=ago(days=9).isoformat()
    )
    await household.watch_on_jellyfin(PAPER_ORCHARD)
    for title in (THE_SALT_ROAD, PAPER_ORCHARD):
        await marked_at_plex(household, title)
    await household.remove_play(play_id)
    freezer.tick(timedelta(days=100))
    hass, _ = await restart()
    await looked(hass)
    await quiet(hass, household.plex.log)
    server = household.plex_entry.entry_id
    response = await call(hass, "import_history", server=server)
    assert response["recorded"] == 0
    (play,) = await plays_of(hass, viewer(hass, "alice"))
    assert play["title"] == "Paper Orchard"


@pytest.mark.freeze_time(tick=True)
async def test_seen_on_plex_later(
    following: Household, version: str, freezer: FrozenDateTimeFactory
) -> None:
    """What is really played there after a mark is a play, and so is what others play."""
    household, hass = following, following.hass
    await household.watch_on_jellyfin(THE_SALT_ROAD)
    await marked_at_plex(household, THE_SALT_ROAD)
    know(household.plex, "bob", THE_SALT_ROAD, ago(seconds=0))
    know(household.plex, "alice", PAPER_ORCHARD, ago(seconds=0))
    freezer.tick(timedelta(hours=20))
    know(household.plex, "alice", THE_SALT_ROAD, ago(minutes=1))
    await look(hass)
    assert await household.titles() == [
        "Paper Orchard",
        "The Salt Road",
        "The Salt Road",
    ]
    assert await household.titles("bob") == ["The Salt Road"]


@pytest.mark.parametrize("returns", [False, True])
async def test_an_item_that_is_gone(
    following: Household, version: str, returns: bool
) -> None:
    """By its names it is known as well."""
    household, hass = following, following.hass
    for title in (FOG_SIGNAL, PAPER_ORCHARD):
        await household.watch_on_jellyfin(title)
        await marked_at_plex(household, title)
        household.plex.plex.remove(title)
        if returns:
            await household.plex.plex.add(title)
    await look(hass)
    await household.settled()
    await look(hass)
    assert await household.titles() == ["Fog Signal", "Paper Orchard"]


async def test_an_account_that_two_share(following: Household, version: str) -> None:
    """What is marked for one is no play of the other."""
    household, hass = following, following.hass
    bob = viewer(hass, "bob")
    hass.config_entries.async_update_entry(
        bob,
        data={**bob.data, "accounts": [*bob.data["accounts"], household.at_plex()]},
    )
    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=40).isoformat())
    await marked_at_plex(household, THE_SALT_ROAD)
    await look(hass)
    await call(hass, "import_history", server=household.plex_entry.entry_id)
    assert await household.titles("bob") == []
    assert await household.titles() == ["The Salt Road"]


@pytest.mark.parametrize("lost", [Faults.drop, Faults.cut])
async def test_the_answer_is_lost(
    following: Household, version: str, lost: Callable[..., Fault]
) -> None:
    """Plex may have been told all the same."""
    household, hass = following, following.hass
    with lost(household.plex.faults, path="/:/scrobble"):
        await household.add_play(THE_SALT_ROAD, watched_at=ago(days=40).isoformat())
        await marked_at_plex(household, THE_SALT_ROAD)
    await look(hass)
    assert await household.titles() == ["The Salt Road"]


async def test_many_marks(
    following: Household, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written together, and of too many the oldest are forgotten."""
    monkeypatch.setattr(marked, "MAX_MARKS", 3)
    household, hass = following, following.hass
    titles: list[Playable] = [
        THE_SALT_ROAD,
        LOW_WATER,
        FOG_SIGNAL,
        PAPER_ORCHARD,
        THE_PILOT_BOAT,
    ]
    await household.plex.stop()
    for title in titles:
        await household.watch_on_jellyfin(title)
    await household.plex.start()
    with Disk.of(hass).watched() as disk:
        await later(hass, minutes=6)
        for title in titles:
            await marked_at_plex(household, title)
    name = f"marked.{household.plex_entry.entry_id}"
    assert 1 <= disk.written.count(name) <= 2
    assert len(disk.read(name)["marks"]) == 3


async def test_killed_at_any_write(
    hass: HomeAssistant,
    plex_at_home: PlexStandIn,
    address: str,
    restart: Restart,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A mark is known to be one, whenever Home Assistant is killed."""
    server = plex_at_home.server
    server.version = OLD
    home = PlexHome(plex_at_home)
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    silence(home)
    await call(hass, "scan_library", server=entry.entry_id)
    alice = viewer(hass, "alice")
    hass.config_entries.async_update_entry(
        alice, options={"following": alice.data["accounts"]}
    )
    hass, _ = await restart()
    await looked(hass)

    def there() -> dict[str, Any]:
        states = server._states_of(plex_at_home.owner)
        return {"history": list(server.history), "states": deepcopy(states)}

    with killing(
        Path(hass.config.config_dir), tmp_path_factory.mktemp("killed"), there
    ) as killed:
        await call(
            hass,
            "add_play",
            viewer=viewer(hass, "alice").entry_id,
            media_type="movie",
            ids={"tmdb": THE_SALT_ROAD.ids.tmdb},
            watched_at=ago(days=40).isoformat(),
        )
        await until(hass, lambda: server.history)
        (attic,) = [
            entry
            for entry in hass.config_entries.async_entries("media_scrobbler")
            if entry.data["kind"] == "plex"
        ]
        await until(hass, lambda: not len(attic.runtime_data.outbox))
        await later(hass, seconds=11)
        # The change is written down, then the play, then the mark, then that all is done.
        await until(hass, lambda: len(killed) >= 8)
    for folder, known in killed:
        await server.stop()
        hass, _ = await restart(folder=str(folder))
        server.history[:] = known["history"]
        server._history_version += 1
        states = server._states_of(plex_at_home.owner)
        states.clear()
        states.update(known["states"])
        await server.start()
        await later(hass, minutes=6)
        await looked(hass)
        await quiet(hass, home.log)
        await look(hass)
        plays = await plays_of(hass, viewer(hass, "alice"))
        assert len(plays) == len(server.history)
        assert all(moment(play) < ago(days=39) for play in plays)
