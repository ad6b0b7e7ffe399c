"""What servers know to have been watched is imported into histories, at somebody's wish."""

import asyncio
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
import json
import time
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_REAUTH,
    ConfigEntry,
    ConfigEntryState,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest

from custom_components.media_scrobbler import inbox
from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.jellyfin import history as jellyfin_history
from custom_components.media_scrobbler.plex import history as plex_history
from custom_components.media_scrobbler.storage import writer

from .common import Plex, add_server, add_viewer, answer, call, plays_of, start_flow
from .followers import Household
from .server_histories import (
    MOVIE_IDS,
    SHOW_IDS,
    ago,
    eventually,
    heard,
    histories,
    know,
    look,
    looked,
    signed_in,
    sources,
    stand_in_of,
    times_of,
    titles_of,
    watch,
)
from .signed_in import Home, PlexHome, quiet, until, viewer
from .simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    PAPER_ORCHARD,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
    Playable,
)
from .simulators.faults import Fault, Faults
from .simulators.jellyfin import JellyfinUser
from .simulators.plex_server import PlexStandIn
from .storage.common import Disk, until as in_this_turn

TITLES: list[Playable] = [
    THE_SALT_ROAD,
    PAPER_ORCHARD,
    LOW_WATER,
    FOG_SIGNAL,
    THE_PILOT_BOAT,
]
NOTHING = {"recorded": 0, "merged": 0, "held": 0, "ignored": 0}
THEN = datetime(2021, 5, 3, 20, 15, tzinfo=UTC)


@pytest.fixture
async def entry(hass: HomeAssistant, home: Home) -> ConfigEntry[Any]:
    """Return the server, to which Alice and Bob are linked."""
    return await signed_in(hass, home, "alice", "bob")


def path_of(home: Home) -> str:
    """Return the path by which a server is asked for what was completed."""
    return "/status/sessions/history/all" if isinstance(home, PlexHome) else "/Items"


async def asked(home: Home, times: int) -> None:
    """Wait until a server has been asked so often for what was completed."""
    for _ in range(500):
        if histories(home) >= times:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the server is not asked")


async def failure(hass: HomeAssistant, **data: Any) -> str | None:
    """Import what cannot be; returns the key of the error."""
    with pytest.raises(HomeAssistantError) as error:
        await call(hass, "import_history", **data)
    return error.value.translation_key


# Whose history it is


async def test_two_viewers(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Everybody gets what they have watched, when they did, with all that is known of it."""
    know(home, "alice", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN + timedelta(days=1))
    know(home, "bob", PAPER_ORCHARD, THEN + timedelta(days=2))
    assert await call(hass, "import_history") == NOTHING | {"recorded": 3}

    (movie,) = await plays_of(hass, viewer(hass, "alice"))
    assert movie["ids"].items() >= MOVIE_IDS.items()
    assert movie["duration"] == 6720
    assert sources(movie) == ["import"]
    assert movie["sources"][0]["account"] == "alice"
    assert movie["sources"][0]["server"] == entry.title
    _, episode = await plays_of(hass, viewer(hass, "bob"))
    assert episode["show_ids"].items() >= SHOW_IDS.items()
    assert (episode["show"], episode["season"], episode["episode"]) == (
        "Harbour Lights",
        2,
        3,
    )
    assert await titles_of(hass, "bob") == ["Paper Orchard", "Low Water"]
    assert await times_of(hass, "bob") == [
        THEN + timedelta(days=2),
        THEN + timedelta(days=1),
    ]


async def test_second_import(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Nothing is recorded twice, and nothing written again."""
    titles: list[Playable] = [THE_SALT_ROAD, LOW_WATER, FOG_SIGNAL]
    for number, title in enumerate(titles):
        know(home, "bob", title, THEN + timedelta(days=number))
    assert await call(hass, "import_history") == NOTHING | {"recorded": 3}
    before = await plays_of(hass, viewer(hass, "bob"))
    with Disk.of(hass).watched() as disk:
        assert await call(hass, "import_history") == NOTHING | {"merged": 3}
    assert [name for name in disk.written if name.startswith("history.")] == []
    assert await plays_of(hass, viewer(hass, "bob")) == before


async def test_known_by_webhook(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What came by webhook is one play with what the server knows."""
    await watch(home, "bob", THE_SALT_ROAD)
    (before,) = await plays_of(hass, viewer(hass, "bob"))
    assert await call(hass, "import_history") == NOTHING | {"merged": 1}
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert play["play_id"] == before["play_id"]


async def test_known_by_hand(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What somebody has added by hand is one play with what the server knows."""
    know(home, "bob", THE_SALT_ROAD, THEN)
    await call(
        hass,
        "add_play",
        viewer=viewer(hass, "bob").entry_id,
        media_type="movie",
        title="The Salt Road",
        ids=MOVIE_IDS,
        watched_at=(THEN + timedelta(minutes=20)).isoformat(),
    )
    assert await call(hass, "import_history") == NOTHING | {"merged": 1}
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert "manual" in sources(play)


async def test_nobody_is_told(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Years of plays set off no automation."""
    events = heard(hass)
    know(home, "bob", THE_SALT_ROAD, ago(minutes=3))
    know(home, "bob", LOW_WATER, THEN)
    assert await call(hass, "import_history") == NOTHING | {"recorded": 2}
    await hass.async_block_till_done()
    assert events == []


async def test_unlinked_account(
    hass: HomeAssistant, home: Home, client: TestClient[Any, Any]
) -> None:
    """What nobody is linked to waits, once, and goes to whoever is linked, in silence."""
    await signed_in(hass, home, "alice")
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN + timedelta(days=1))
    assert await call(hass, "import_history") == NOTHING | {"held": 2}
    assert await call(hass, "import_history") == NOTHING | {"merged": 2}
    assert await titles_of(hass, "alice") == []

    await until(hass, hass.config_entries.flow.async_progress)
    (flow,) = hass.config_entries.flow.async_progress()
    events = heard(hass)
    for values in (None, {"viewer": "new", "name": "bob"}):
        await hass.config_entries.flow.async_configure(flow["flow_id"], values)
    await eventually(hass, "bob", lambda plays: len(plays) == 2)
    assert await titles_of(hass, "bob") == ["Low Water", "The Salt Road"]
    assert await times_of(hass, "bob") == [THEN + timedelta(days=1), THEN]
    assert events == []
    assert await call(hass, "import_history") == NOTHING | {"merged": 2}


async def test_much_waits_for_a_viewer(
    hass: HomeAssistant, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so much is kept, and nobody is offered of whom nothing could be."""
    await signed_in(hass, home, "alice")
    for number, title in enumerate(TITLES):
        know(home, "bob", title, THEN + timedelta(days=number))
    monkeypatch.setattr(inbox, "MAX_HELD", 0)
    assert await call(hass, "import_history") == NOTHING | {"ignored": 5}
    assert hass.config_entries.flow.async_progress() == []
    monkeypatch.setattr(inbox, "MAX_HELD", 2)
    assert await call(hass, "import_history") == NOTHING | {"held": 2, "ignored": 3}
    await until(hass, hass.config_entries.flow.async_progress)


async def test_marked_from_here(hass: HomeAssistant, household: Household) -> None:
    """What was marked for one viewer is no play of another who shares the account."""
    await household.follow(household.at_jellyfin())
    bob = viewer(hass, "bob")
    accounts = [*bob.data["accounts"], household.at_jellyfin()]
    hass.config_entries.async_update_entry(bob, data={**bob.data, "accounts": accounts})
    await hass.async_block_till_done()
    await household.add_play(THE_SALT_ROAD, watched_at=THEN.isoformat())
    await household.until_marked(THE_SALT_ROAD)
    # What is watched with the account is everybody's who shares it.
    await household.watch_on_jellyfin(PAPER_ORCHARD)
    know(household.jellyfin, "alice", LOW_WATER, THEN)
    await call(hass, "import_history", server=household.jellyfin_entry.entry_id)
    assert await household.titles("alice") == [
        "Low Water",
        "Paper Orchard",
        "The Salt Road",
    ]
    assert await household.titles("bob") == ["Low Water", "Paper Orchard"]


async def test_nobody_watches_with_it(
    hass: HomeAssistant, household: Household
) -> None:
    """Of a viewer without accounts on a server, nothing is asked there."""
    bob = viewer(hass, "bob")
    hass.config_entries.async_update_entry(bob, data={**bob.data, "accounts": []})
    await hass.async_block_till_done()
    know(household.plex, "bob", THE_SALT_ROAD, THEN)
    assert await call(hass, "import_history", viewer=bob.entry_id) == NOTHING
    assert histories(household.plex) == histories(household.jellyfin) == 0


async def test_another_item_by_now(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """What the library has by an id that was given anew says nothing of what was watched."""
    home = PlexHome(plex_at_home)
    await signed_in(hass, home, "bob")
    await call(hass, "scan_library")
    server = plex_at_home.server
    bob = server.account_id(plex_at_home.user("bob"))
    entry = {
        "type": "episode",
        "ratingKey": home.key(LOW_WATER),
        "grandparentTitle": "Ebb and Flow",
        "parentIndex": 7,
        "index": 9,
        "title": "Neap Tide",
        "accountID": bob,
        "viewedAt": int(THEN.timestamp()),
    }
    container = {"size": 1, "totalSize": 1, "Metadata": [entry]}
    with home.faults.answer(
        json.dumps({"MediaContainer": container}),
        path=path_of(home),
        content_type="application/json",
    ):
        assert await call(hass, "import_history") == NOTHING | {"recorded": 1}
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    assert (play["show"], play["season"], play["episode"]) == ("Ebb and Flow", 7, 9)
    assert "ids" not in play and "show_ids" not in play
    know(home, "bob", LOW_WATER, THEN)
    assert (await call(hass, "import_history"))["recorded"] == 1


async def test_server_is_removed_meanwhile(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """Nothing is left behind of what its accounts have watched."""
    home = PlexHome(plex_at_home)
    entry = await home.sign_in(hass, "alice", pasted=True)
    await call(hass, "scan_library")
    await quiet(hass, home.log)
    know(home, "bob", THE_SALT_ROAD, THEN)
    before = histories(home)
    with home.faults.slow(0.3, path=path_of(home)):
        running = asyncio.create_task(call(hass, "import_history"))
        await asked(home, before + 1)
        await hass.config_entries.async_remove(entry.entry_id)
        response = await running
    assert response == NOTHING | {"ignored": 1}
    assert hass.config_entries.flow.async_progress() == []
    assert not [name for name in Disk.of(hass).names() if name.startswith("inbox.")]


async def test_one_viewer(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Of one viewer, nobody else's is imported."""
    know(home, "alice", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN)
    bob = viewer(hass, "bob").entry_id
    assert await call(hass, "import_history", viewer=bob) == NOTHING | {"recorded": 1}
    assert await titles_of(hass, "alice") == []
    assert await titles_of(hass, "bob") == ["Low Water"]


async def test_since(hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]) -> None:
    """What is older than a time is left alone; a time without a zone is local."""
    await hass.config.async_set_time_zone("Asia/Tokyo")
    know(home, "bob", THE_SALT_ROAD, THEN - timedelta(minutes=1))
    know(home, "bob", LOW_WATER, THEN)
    response = await call(hass, "import_history", since="2021-05-04 05:15:00")
    assert response == NOTHING | {"recorded": 1}
    assert await titles_of(hass, "bob") == ["Low Water"]
    assert await call(hass, "import_history") == NOTHING | {"recorded": 1, "merged": 1}


async def test_ignored_account(hass: HomeAssistant, home: Home) -> None:
    """What is nobody's business is not kept."""
    entry = await signed_in(hass, home, "alice")
    account = (
        home.plex.server.account_id(home.plex.user("bob"))
        if isinstance(home, PlexHome)
        else JellyfinUser.named("bob").id
    )
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": f"{entry.entry_id}:{account}", "title": "Bob"},
    )
    await hass.async_block_till_done()
    know(home, "bob", THE_SALT_ROAD, THEN)
    assert await call(hass, "import_history") == NOTHING
    assert not [name for name in Disk.of(hass).names() if name.startswith("inbox.")]


async def test_also_for(hass: HomeAssistant, household: Household) -> None:
    """What counts for another viewer as well is imported for both, once each."""
    await household.also_for("alice", "bob")
    know(household.plex, "alice", THE_SALT_ROAD, THEN)
    assert await call(hass, "import_history") == NOTHING | {"recorded": 2}
    assert await call(hass, "import_history") == NOTHING | {"merged": 2}
    for who in ("alice", "bob"):
        assert await titles_of(hass, who) == ["The Salt Road"]


async def test_also_for_one_viewer(hass: HomeAssistant, household: Household) -> None:
    """What counts for a viewer is imported for that one, whoever watched it."""
    await household.also_for("alice", "bob")
    know(household.plex, "alice", THE_SALT_ROAD, THEN)
    know(household.jellyfin, "alice", LOW_WATER, THEN + timedelta(days=1))
    know(household.plex, "bob", PAPER_ORCHARD, THEN + timedelta(days=2))
    bob = viewer(hass, "bob").entry_id
    assert await call(hass, "import_history", viewer=bob) == NOTHING | {"recorded": 3}
    assert await titles_of(hass, "bob") == [
        "Paper Orchard",
        "Low Water",
        "The Salt Road",
    ]
    assert await titles_of(hass, "alice") == []
    # It does not count the other way round.
    alice = viewer(hass, "alice").entry_id
    assert await call(hass, "import_history", viewer=alice) == NOTHING | {"recorded": 2}
    assert await titles_of(hass, "alice") == ["Low Water", "The Salt Road"]


async def test_seen_again(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """Plex remembers each viewing, and the one of a day ago is not that of a year ago."""
    home = PlexHome(plex_at_home)
    await signed_in(hass, home, "bob")
    times = [THEN + timedelta(days=days) for days in (0, 1, 365)]
    for at in times:
        know(home, "bob", THE_SALT_ROAD, at)
    assert await call(hass, "import_history") == NOTHING | {"recorded": 3}
    assert await times_of(hass, "bob") == times[::-1]


async def test_removed_by_a_person(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What was removed does not come back, but what was seen another time does."""
    know(home, "bob", THE_SALT_ROAD, THEN)
    await call(hass, "import_history")
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    bob = viewer(hass, "bob").entry_id
    await call(hass, "remove_play", viewer=bob, play_id=play["play_id"])
    assert await call(hass, "import_history") == NOTHING | {"ignored": 1}
    assert await titles_of(hass, "bob") == []
    know(home, "bob", THE_SALT_ROAD, THEN + timedelta(days=1))
    response = await call(hass, "import_history")
    assert response["recorded"] == 1
    assert await times_of(hass, "bob") == [THEN + timedelta(days=1)]


async def test_corrected_by_a_person(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What was corrected is not there a second time, as the server knows it."""
    know(home, "bob", THE_SALT_ROAD, THEN)
    await call(hass, "import_history")
    (play,) = await plays_of(hass, viewer(hass, "bob"))
    right = THEN - timedelta(days=3)
    await call(
        hass,
        "update_play",
        viewer=viewer(hass, "bob").entry_id,
        play_id=play["play_id"],
        watched_at=right.isoformat(),
    )
    assert await call(hass, "import_history") == NOTHING | {"ignored": 1}
    assert await times_of(hass, "bob") == [right]


async def test_media_types(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What a viewer does not want recorded is not."""
    hass.config_entries.async_update_entry(
        viewer(hass, "bob"), options={"media_types": ["episode"]}
    )
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN)
    response = await call(hass, "import_history")
    assert response == NOTHING | {"recorded": 1, "ignored": 1}
    assert await titles_of(hass, "bob") == ["Low Water"]


# When it was


@pytest.fixture
def server_zone(request: pytest.FixtureRequest) -> Generator[str]:
    """Have what answers for the servers, in this process, be in a time zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "server_zone"),
    [
        ("America/New_York", "Europe/Berlin"),
        ("Europe/Berlin", "America/New_York"),
        ("Asia/Tokyo", "UTC"),
    ],
    indirect=["server_zone"],
)
async def test_daylight_saving(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    zone: str,
    server_zone: str,
) -> None:
    """Times are in UTC, also those of the hour that clocks show twice, or not at all."""
    await hass.config.async_set_time_zone(zone)
    times = [
        datetime(2023, 3, 12, 7, 30, tzinfo=UTC),
        datetime(2023, 3, 26, 1, 30, tzinfo=UTC),
        datetime(2023, 10, 29, 0, 30, tzinfo=UTC),
        datetime(2023, 10, 29, 1, 30, tzinfo=UTC),
        datetime(2023, 11, 5, 5, 30, tzinfo=UTC),
    ]
    for title, at in zip(TITLES, times, strict=True):
        know(home, "bob", title, at)
    assert await call(hass, "import_history") == NOTHING | {"recorded": 5}
    assert await times_of(hass, "bob") == times[::-1]
    assert await call(hass, "import_history") == NOTHING | {"merged": 5}


# What it needs


async def test_library_is_scanned_first(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Of titles that the library tells of, the server is not asked one by one."""
    await call(hass, "clear_library")
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN)
    home.log.clear()
    await call(hass, "import_history")
    scanned = (
        home.log.count_of("GET", "/library/sections")
        if isinstance(home, PlexHome)
        else home.log.count_of("GET", "/UserViews")
        + home.log.count_of("GET", "/Library/*")
    )
    assert scanned
    home.log.clear()
    await call(hass, "import_history")
    assert home.log.count_of("GET", "/library/metadata/*") == 0
    assert histories(home) == len(home.log.of("GET", path_of(home)))


async def test_library_cannot_be_scanned(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Then nothing is imported, and it is said why."""
    await call(hass, "clear_library")
    know(home, "bob", THE_SALT_ROAD, THEN)
    with home.faults.fail(500):
        assert await failure(hass) is not None
    assert await titles_of(hass, "bob") == []
    assert await call(hass, "import_history") == NOTHING | {"recorded": 1}


async def test_no_server(hass: HomeAssistant) -> None:
    """There is nothing to import from."""
    await add_viewer(hass, "Alice")
    assert await failure(hass) == "no_server_to_ask"


async def test_webhooks_only(hass: HomeAssistant, plex: Plex) -> None:
    """A server that nobody is signed in to cannot be asked, named or not."""
    assert await failure(hass) == "no_server_to_ask"
    assert await failure(hass, server=plex.entry.entry_id) == "not_signed_in"


async def test_wrong_fields(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """Who and what there is not, is said so."""
    assert await failure(hass, server="nowhere") == "server_not_found"
    assert await failure(hass, viewer="nobody") == "viewer_not_found"
    assert await failure(hass, viewer=entry.entry_id) == "viewer_not_found"


async def test_server_is_down(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """It is imported when the server is back."""
    know(home, "bob", THE_SALT_ROAD, THEN)
    await home.stop()
    assert await failure(hass) == "cannot_connect"
    await home.start()
    assert await call(hass, "import_history") == NOTHING | {"recorded": 1}


# What can go wrong half-way


@pytest.mark.parametrize(
    ("go_wrong", "reason"),
    [
        (lambda faults, path: faults.fail(401, path=path), "invalid_auth"),
        (lambda faults, path: faults.fail(500, path=path), "server_failure"),
        (lambda faults, path: faults.html(path=path), "not_a_media_server"),
        (lambda faults, path: faults.cut(path=path), "cannot_connect"),
    ],
    ids=["401", "500", "html", "cut"],
)
async def test_half_way(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
    go_wrong: Callable[[Faults, str], Fault],
    reason: str,
) -> None:
    """What was recorded by then stays, and the rest is recorded another time."""
    monkeypatch.setattr(jellyfin_history, "PAGE", 2)
    monkeypatch.setattr(plex_history, "AT_ONCE", 2)
    for number, title in enumerate(TITLES):
        know(home, "bob", title, THEN + timedelta(days=number))
    await call(hass, "scan_library")
    await quiet(hass, home.log)
    path, before = path_of(home), histories(home)
    bob = viewer(hass, "bob").entry_id
    with home.faults.slow(0.2, path=path, times=2):
        running = hass.async_create_task(failure(hass, viewer=bob))
        # The first part has been answered, the second is asked for.
        await asked(home, before + 2)
        with go_wrong(home.faults, path) as fault:
            error = await running
    assert fault.hits
    # Plex answers 401 also where somebody may not ask, which the token is good enough for.
    plex = isinstance(home, PlexHome)
    assert error == ("forbidden" if plex and reason == "invalid_auth" else reason)
    recorded = len(await titles_of(hass, "bob"))
    assert 0 < recorded < len(TITLES)
    response = await call(hass, "import_history", viewer=bob)
    assert response == NOTHING | {
        "recorded": len(TITLES) - recorded,
        "merged": recorded,
    }
    assert len(await titles_of(hass, "bob")) == len(TITLES)


@pytest.mark.parametrize("hours", [3, 24 * 400])
async def test_clock_is_wrong(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any], hours: int
) -> None:
    """Nothing is recorded at a wrong time, to be there once more at the right one."""
    server = stand_in_of(home)
    await call(hass, "scan_library")
    know(home, "bob", THE_SALT_ROAD, THEN)
    server.clock_ahead = timedelta(hours=hours)
    assert await failure(hass) == "clock_wrong"
    assert await titles_of(hass, "bob") == []
    server.clock_ahead = timedelta()
    assert await call(hass, "import_history") == NOTHING | {"recorded": 1}
    assert await times_of(hass, "bob") == [THEN]


async def test_token_revoked(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """A person is asked to sign in again, and nothing is recorded."""
    await call(hass, "scan_library")
    know(home, "bob", THE_SALT_ROAD, THEN)
    home.revoke()
    assert await failure(hass) == "invalid_auth"
    await until(hass, hass.config_entries.flow.async_progress)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert await titles_of(hass, "bob") == []


async def test_disk_is_full(
    hass: HomeAssistant,
    home: Home,
    entry: ConfigEntry[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not be written is said, and is there once when it could."""
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))
    await call(hass, "scan_library")
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN)
    with Disk.of(hass).full(), pytest.raises(HomeAssistantError):
        await call(hass, "import_history")
    await eventually(hass, "bob", lambda plays: len(plays) == 2)
    assert await call(hass, "import_history") == NOTHING | {"merged": 2}
    await until(hass, lambda: not viewer(hass, "bob").runtime_data.failing)


async def test_viewer_is_removed_meanwhile(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """What others have watched is imported all the same."""
    home = PlexHome(plex_at_home)
    await signed_in(hass, home, "alice", "bob")
    bob = viewer(hass, "bob")
    for number in range(120):
        know(home, "bob", TITLES[number % 5], THEN + timedelta(days=4 * number))
    await call(hass, "import_history", viewer=bob.entry_id)
    know(home, "alice", THE_SALT_ROAD, THEN + timedelta(days=500))
    # With any change it lets go of what need not be in memory.
    await call(
        hass,
        "add_play",
        viewer=bob.entry_id,
        media_type="movie",
        title="Tide",
        watched_at=ago(days=1).isoformat(),
    )

    running = asyncio.create_task(call(hass, "import_history"))
    disk = Disk.of(hass)
    async with disk.being_read(f"history.{bob.entry_id}.{THEN:%Y-%m}", running):
        removing = asyncio.create_task(hass.config_entries.async_remove(bob.entry_id))
        await in_this_turn(lambda: bob.state is ConfigEntryState.NOT_LOADED)
    await running
    await removing

    assert await titles_of(hass, "alice") == ["The Salt Road"]
    assert not [name for name in disk.names() if bob.entry_id in name]


@pytest.mark.parametrize("reverse", [False, True])
async def test_other_server_is_asked_all_the_same(
    hass: HomeAssistant, household: Household, reverse: bool
) -> None:
    """One that fails does not keep the other's history from being imported."""
    homes: list[Home] = [household.plex, household.jellyfin]
    if reverse:
        homes.reverse()
    failing, good = homes
    know(good, "bob", LOW_WATER, THEN)
    know(failing, "bob", THE_SALT_ROAD, THEN)
    with failing.faults.fail(500, path=path_of(failing)):
        assert await failure(hass) == "server_failure"
    assert await household.titles("bob") == ["Low Water"]
    response = await call(hass, "import_history")
    assert (response["recorded"], response["merged"]) == (1, 1)


# What is odd


async def test_odd_entries(
    hass: HomeAssistant, home: Home, entry: ConfigEntry[Any]
) -> None:
    """What has no id, no date or no user does not keep the rest from being imported."""
    await call(hass, "scan_library")
    if isinstance(home, PlexHome):
        server = home.plex.server
        bob = server.account_id(home.plex.user("bob"))
        at = int(THEN.timestamp())
        movie = {"type": "movie", "title": "Tide", "accountID": bob, "viewedAt": at}
        items: list[Any] = [
            movie,
            movie | {"title": "Ebb", "viewedAt": None},
            movie | {"title": "Flow", "viewedAt": 5},
            movie | {"title": "Flood", "viewedAt": 4_102_444_800},
            movie | {"title": "Surge", "accountID": None},
            movie | {"title": "Spray", "accountID": 987_654},
            movie | {"title": None},
            {},
            3,
        ]
        container = {"size": len(items), "totalSize": len(items), "Metadata": items}
        body: dict[str, Any] = {"MediaContainer": container}
    else:
        played = {
            "Played": True,
            "PlayCount": 1,
            "LastPlayedDate": "2021-05-03T20:15:00.0000000Z",
        }
        movie = {
            "Type": "Movie",
            "Name": "Tide",
            "RunTimeTicks": 60_000_000_000,
            "UserData": played,
        }
        items = [
            movie,
            *(
                movie | {"Name": name, "UserData": played | {"LastPlayedDate": date}}
                for name, date in (
                    ("Ebb", None),
                    ("Flow", "1970-01-01T00:00:05Z"),
                    ("Flood", "2100-01-01T00:00:05Z"),
                    ("Spray", "0001-01-01T00:00:00.0000000Z"),
                    ("Foam", "yesterday"),
                    # The server writes UTC; what does not look so is not guessed at.
                    ("Swell", "2021-05-03T22:15:00"),
                )
            ),
            movie | {"Name": None},
            movie | {"Name": "Surge", "UserData": None},
            {},
            3,
        ]
        body = {"Items": items}
    bob_entry = viewer(hass, "bob").entry_id
    with home.faults.answer(
        json.dumps(body), path=path_of(home), content_type="application/json"
    ):
        response = await call(hass, "import_history", viewer=bob_entry)
    # Where Plex is asked for one account only, whose the entries are is known.
    expected = {"Tide", "Surge"} if isinstance(home, PlexHome) else {"Tide"}
    assert response["recorded"] == len(expected), response
    assert set(await titles_of(hass, "bob")) == expected
    assert set(await times_of(hass, "bob")) == {THEN}


async def test_deleted_items(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """Of what is gone from the library there are its names, and nobody asks for it."""
    home = PlexHome(plex_at_home)
    await signed_in(hass, home, "bob")
    know(home, "bob", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN + timedelta(days=1))
    plex_at_home.server.remove(THE_SALT_ROAD)
    plex_at_home.server.remove(LOW_WATER)
    assert await call(hass, "import_history") == NOTHING | {"recorded": 2}
    episode, movie = await plays_of(hass, viewer(hass, "bob"))
    assert (movie["title"], movie["media_type"]) == ("The Salt Road", "movie")
    assert (episode["show"], episode["season"], episode["episode"]) == (
        "Harbour Lights",
        2,
        3,
    )
    assert home.requests_of(LOW_WATER) == home.requests_of(THE_SALT_ROAD) == 0
    assert await call(hass, "import_history") == NOTHING | {"merged": 2}


# Who has left


async def test_former_users(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """Whom Plex goes on listing can be linked; the history of others is nobody's."""
    home = PlexHome(plex_at_home)
    bob, carol = plex_at_home.user("bob"), plex_at_home.user("carol")
    know(home, "alice", THE_SALT_ROAD, THEN)
    know(home, "bob", LOW_WATER, THEN)
    know(home, "carol", PAPER_ORCHARD, THEN)
    plex_at_home.server.part_with(bob)
    plex_at_home.server.part_with(carol, is_listed=False)
    entry = await signed_in(hass, home, "alice")
    # Nobody is bothered with accounts that play nothing.
    assert hass.config_entries.flow.async_progress() == []
    await add_viewer(hass, "Bob", [f"{entry.entry_id}:{bob.id}"])
    assert await call(hass, "import_history") == NOTHING | {"recorded": 2}
    assert await titles_of(hass, "Bob") == ["Low Water"]
    assert hass.config_entries.flow.async_progress() == []


async def test_signed_in_after_a_time_of_webhooks(
    hass: HomeAssistant,
    client: TestClient[Any, Any],
    plex_at_home: PlexStandIn,
    address: str,
) -> None:
    """What is known by webhook is not imported again, nor healed, though it is gone there."""
    home = PlexHome(plex_at_home)
    entry = await add_server(hass, "plex", "Upstairs")
    plex_at_home.owner.webhooks.append(
        f"{address}/api/webhook/{entry.data['webhook_id']}"
    )
    await watch(home, "alice", LOW_WATER)
    alice = await add_viewer(hass, "alice", [f"{entry.entry_id}:1"])
    for title in (THE_SALT_ROAD, PAPER_ORCHARD):
        await watch(home, "alice", title)
    plex_at_home.remove(THE_SALT_ROAD)
    plex_at_home.remove(PAPER_ORCHARD)
    await plex_at_home.add(PAPER_ORCHARD)
    before = await plays_of(hass, alice)
    assert len(before) == 3
    events = heard(hass)

    result = await answer(
        hass,
        await start_flow(hass, "plex", "plex_token"),
        url=plex_at_home.server.url,
        token=plex_at_home.token(),
        verify_ssl=True,
    )
    assert result["reason"] == "webhook_only_signed_in"
    await until(hass, lambda: "registered_url" in entry.data)
    await looked(hass)
    await look(hass)
    response = await call(hass, "import_history")
    assert (response["recorded"], response["held"]) == (0, 0)
    plays = await plays_of(hass, alice)
    assert {play["play_id"] for play in plays} == {play["play_id"] for play in before}
    assert events == []


# What is watched without having been played


@pytest.fixture
async def at_plex(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> PlexHome:
    """Return a Plex server, to which Alice and Bob are linked."""
    home = PlexHome(plex_at_home)
    await signed_in(hass, home, "alice", "bob")
    return home


async def test_marked_by_hand(hass: HomeAssistant, at_plex: PlexHome) -> None:
    """What shows as watched at Plex is imported, of the account that has signed in."""
    for who in ("alice", "bob"):
        at_plex.plex.mark(who, THE_SALT_ROAD, at=THEN)
        at_plex.plex.mark(who, LOW_WATER, at=THEN + timedelta(days=1))
    know(at_plex, "alice", PAPER_ORCHARD, THEN)
    # Somebody else's playing it says nothing of her.
    know(at_plex, "bob", LOW_WATER, THEN + timedelta(days=9))
    assert await call(hass, "import_history") == NOTHING | {"recorded": 4}
    plays = await plays_of(hass, viewer(hass, "alice"))
    episode, *movies = plays
    assert {play["title"] for play in movies} == {"The Salt Road", "Paper Orchard"}
    assert episode["watched_at"] == (THEN + timedelta(days=1)).isoformat()
    assert episode["show_ids"].items() >= SHOW_IDS.items()
    assert sources(episode) == ["import"]
    assert await titles_of(hass, "bob") == ["Low Water"]
    assert await call(hass, "import_history") == NOTHING | {"merged": 4}


async def test_marked_again(hass: HomeAssistant, at_plex: PlexHome) -> None:
    """Of what was played there is what the history tells, and what was seen elsewhere."""
    know(at_plex, "alice", THE_SALT_ROAD, THEN)
    at_plex.plex.mark("alice", THE_SALT_ROAD, at=THEN + timedelta(days=400))
    await call(
        hass,
        "add_play",
        viewer=viewer(hass, "alice").entry_id,
        media_type="movie",
        title="Paper Orchard",
        year=PAPER_ORCHARD.year,
        watched_at=THEN.isoformat(),
    )
    at_plex.plex.mark("alice", PAPER_ORCHARD)
    # A place in the middle: it was begun again then.
    at_plex.plex.mark("alice", LOW_WATER, at=THEN)
    await at_plex.plex.play("alice", LOW_WATER)
    await at_plex.plex.stop(position=timedelta(minutes=20))
    response = await call(hass, "import_history")
    assert response == NOTHING | {"recorded": 1, "ignored": 1}
    assert len(await titles_of(hass, "alice")) == 2


async def test_marked_since(hass: HomeAssistant, at_plex: PlexHome) -> None:
    """It is asked for from a time on, and for one viewer, as all else is."""
    at_plex.plex.mark("alice", THE_SALT_ROAD, at=THEN)
    at_plex.plex.mark("alice", LOW_WATER, at=THEN + timedelta(days=2))
    bob = viewer(hass, "bob").entry_id
    assert await call(hass, "import_history", viewer=bob) == NOTHING
    since = (THEN + timedelta(days=1)).isoformat()
    response = await call(hass, "import_history", since=since)
    assert response == NOTHING | {"recorded": 1}
    assert await titles_of(hass, "alice") == ["Low Water"]


# Several servers


async def test_watched_on_plex_and_marked_at_jellyfin(
    hass: HomeAssistant, household: Household
) -> None:
    """Who watches on both gets what each knows."""
    know(household.plex, "alice", THE_SALT_ROAD, THEN)
    know(household.jellyfin, "alice", LOW_WATER, THEN + timedelta(days=1))
    know(household.plex, "bob", THE_SALT_ROAD, THEN + timedelta(days=2))
    assert await call(hass, "import_history") == NOTHING | {"recorded": 3}
    assert await titles_of(hass, "alice") == ["Low Water", "The Salt Road"]
    assert await titles_of(hass, "bob") == ["The Salt Road"]


async def test_one_server(hass: HomeAssistant, household: Household) -> None:
    """Only the server that is named is asked."""
    know(household.plex, "alice", THE_SALT_ROAD, THEN)
    know(household.jellyfin, "alice", LOW_WATER, THEN)
    server = household.jellyfin_entry.entry_id
    response = await call(hass, "import_history", server=server)
    assert response == NOTHING | {"recorded": 1}
    assert await titles_of(hass, "alice") == ["Low Water"]
    assert histories(household.plex) == 0


async def test_following_account(hass: HomeAssistant, household: Household) -> None:
    """What was watched on Plex is marked at Jellyfin afterwards, with its date, once."""
    await household.follow(household.at_jellyfin())
    titles: list[Playable] = [THE_SALT_ROAD, LOW_WATER]
    for number, title in enumerate(titles):
        know(household.plex, "alice", title, THEN + timedelta(days=number))
    await call(hass, "import_history")
    for number, title in enumerate(titles):
        data = await household.until_marked(title)
        assert data.last_played == THEN + timedelta(days=number)
        assert data.count == 1
    assert not household.data(THE_SALT_ROAD, "bob").played
    marks = len(household.marks)
    response = await call(hass, "import_history")
    assert response["recorded"] == 0
    await household.settled()
    assert len(household.marks) == marks == 2
    assert len(await household.plays()) == 2
