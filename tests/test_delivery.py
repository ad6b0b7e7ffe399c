"""Marks reach servers that are down, fail or refuse, and each of them once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
import shutil
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import file as util_file
import pytest

from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.storage import writer

from .common import answer, call, entity_id_of, plays_of, settle
from .conftest import Restart
from .followers import MARKS, Household, ago, moment
from .signed_in import JellyfinHome, later, quiet, short, until, viewer
from .simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    PAPER_ORCHARD,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
)
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.jellyfin_user_data import UserData
from .simulators.library import Library
from .storage.common import Disk
from .texts import placeholders, text

ALICE = JellyfinUser.named("alice")
THREE = (LOW_WATER, PAPER_ORCHARD, THE_SALT_ROAD)


@pytest.fixture
async def following(household: Household) -> Household:
    """Return a household where Jellyfin follows what Alice watches, removals too."""
    await household.follow(unfollowing=[household.at_jellyfin()])
    household.forget()
    return household


async def assert_marked_once(household: Household, *titles: Any) -> None:
    """Fail unless Jellyfin shows what the history says.

    Once it has been marked, Plex may have told its own time of it, in whole seconds.
    """
    played = {play["title"]: moment(play) for play in await household.plays()}
    for title in titles:
        data = household.data(title)
        assert (data.played, data.count) == (True, 1)
        # Plex' own history may have set a time right since.
        assert data.last_played is not None
        assert abs(data.last_played - played[title.title]) < timedelta(seconds=1)


# Servers that are down


@pytest.mark.parametrize("restarted", [True, False])
async def test_server_is_down(
    hass: HomeAssistant, following: Household, restart: Restart, restarted: bool
) -> None:
    """Everything is marked when it is back, in its order."""
    household = following
    await household.jellyfin.stop()
    for title in THREE:
        await household.watch_on_plex(title)
        await quiet(hass, household.plex.log)
    await later(hass, seconds=6)
    if restarted:
        # Where the next one listens, nobody can know.
        household.jellyfin.server.plugin.installed = False
        household.hass, _ = await restart()
    await household.jellyfin.start()

    await later(household.hass, minutes=6)
    for title in THREE:
        await household.until_marked(title)

    assert [mark.item for mark in household.marks] == [
        household.jellyfin.key(title) for title in THREE
    ]
    await assert_marked_once(household, *THREE)


async def test_server_fails_for_a_while(following: Household) -> None:
    """Everything waits in its order while it does not work at all."""
    household, hass = following, following.hass
    with household.jellyfin.faults.fail(503):
        for title in THREE:
            await household.watch_on_plex(title)
            await household.settled()
        assert [mark.item for mark in household.marks] == [
            household.jellyfin.key(LOW_WATER)
        ]
    household.forget()

    await later(hass, minutes=6)
    for title in THREE:
        await household.until_marked(title)

    assert [mark.item for mark in household.marks] == [
        household.jellyfin.key(title) for title in THREE
    ]
    await assert_marked_once(household, *THREE)


async def test_server_goes_down_soon_after_it_has_failed(following: Household) -> None:
    """It is asked again whether it is well, so that nothing loses its place."""
    household, hass = following, following.hass
    first, others = THE_PILOT_BOAT, (*THREE, FOG_SIGNAL)
    with household.refuse(500, times=1) as refused:
        await household.watch_on_plex(first)
        await until(hass, lambda: refused.hits)
    await household.settled()
    await household.jellyfin.stop()
    for title in others:
        await household.watch_on_plex(title)
        await quiet(hass, household.plex.log)
    household.forget()
    await household.jellyfin.start()

    await later(hass, minutes=6)
    for title in (first, *others):
        await household.until_marked(title)

    assert [mark.item for mark in household.marks] == [
        household.jellyfin.key(title) for title in (first, *others)
    ]


async def test_one_title_that_the_server_fails_at(following: Household) -> None:
    """The others do not wait for it, and it is not given up."""
    household, hass = following, following.hass
    first, second, third = THREE
    broken = f"/UserPlayedItems/{household.jellyfin.key(first)}"
    with household.refuse(500, path=broken) as failing:
        await household.watch_on_plex(first)
        await until(hass, lambda: failing.hits)
        await household.watch_on_plex(second)
        await household.until_marked(second)
        for _ in range(3):
            await later(hass, minutes=6)
            await household.settled()
        # Again and again, and in no hurry.
        assert 3 <= failing.hits <= 6
        await household.watch_on_plex(third)
        await household.until_marked(third)
        assert not household.data(first).played

    await later(hass, minutes=6)

    await household.until_marked(first)
    await assert_marked_once(household, *THREE)


async def test_many_titles_that_the_server_fails_at(following: Household) -> None:
    """All others have their turn nevertheless."""
    household, hass = following, following.hass
    films = household.jellyfin.server.library
    assert len(films.movies) == 0
    with household.refuse(500) as failing:
        for title in THREE:
            await household.watch_on_plex(title)
        await household.settled()
        await household.add_play(THE_SALT_ROAD, watched_at=ago(days=9).isoformat())
        await household.settled()
        count = failing.hits
    with household.refuse(
        500, path=f"/UserPlayedItems/{household.jellyfin.key(LOW_WATER)}"
    ):
        for _ in range(3):
            await later(hass, minutes=6)
            await household.settled()
        assert count > 0
        await assert_marked_once(household, PAPER_ORCHARD)
        assert household.data(THE_SALT_ROAD).played
        assert not household.data(LOW_WATER).played


@pytest.mark.parametrize("fault", ["cut", "drop"])
async def test_the_answer_is_lost(following: Household, fault: str) -> None:
    """What has been marked all the same is not marked again."""
    household, hass = following, following.hass
    fail = getattr(household.jellyfin.faults, fault)
    with fail(path=MARKS, times=1) as lost:
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, lambda: lost.hits)
        await household.settled()
    await later(hass, seconds=6)
    await household.settled()

    assert len(household.marks) == 1
    await assert_marked_once(household, THE_SALT_ROAD)
    assert len(await household.plays()) == 1


@pytest.mark.parametrize("fault", ["cut", "drop"])
async def test_the_answer_of_plex_is_lost(household: Household, fault: str) -> None:
    """Neither does it count twice there."""
    hass = household.hass
    await household.follow(household.at_plex())
    household.forget()
    fail = getattr(household.plex.faults, fault)
    with fail(path="/:/scrobble", times=1) as lost:
        await household.watch_on_jellyfin(THE_SALT_ROAD)
        await until(hass, lambda: lost.hits)
        await household.settled()
    await later(hass, seconds=6)
    await household.settled()

    assert household.views(THE_SALT_ROAD) == 1


async def test_no_answer(following: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, and others are not held up for good."""
    household, hass = following, following.hass
    short(monkeypatch, 0.3)
    path = f"/UserPlayedItems/{household.jellyfin.key(LOW_WATER)}"
    with household.jellyfin.faults.hang(path=path) as hanging:
        await household.watch_on_plex(LOW_WATER)
        await until(hass, lambda: hanging.hits)
        await household.watch_on_plex(THE_SALT_ROAD)
        await household.until_marked(THE_SALT_ROAD)
        assert not household.data(LOW_WATER).played

    await later(hass, minutes=6)

    await household.until_marked(LOW_WATER)
    await assert_marked_once(household, LOW_WATER, THE_SALT_ROAD)


async def test_token_revoked(following: Household) -> None:
    """A person is asked to sign in again; then it is marked."""
    household, hass = following, following.hass
    household.jellyfin.revoke()
    for title in THREE:
        await household.watch_on_plex(title)

    def asked() -> list[Any]:
        return [
            flow
            for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
            if flow["context"]["source"] == SOURCE_REAUTH
        ]

    await until(hass, asked)
    await household.settled()
    refused = household.marks
    # It may have been asked for something else first.
    assert [mark.status for mark in refused] in ([], [401])

    (flow,) = asked()
    result = await hass.config_entries.flow.async_configure(flow["flow_id"])
    result = await answer(hass, result, next_step_id="jellyfin_password")
    await answer(
        hass,
        result,
        url=household.jellyfin.server.url,
        verify_ssl=True,
        username="alice",
        password="secret",
    )

    for title in THREE:
        await household.until_marked(title)
    await assert_marked_once(household, *THREE)


# Servers that refuse


async def test_it_is_not_allowed(following: Household) -> None:
    """A person is told, and it is not tried for ever; what is allowed later is done."""
    household, hass = following, following.hass
    with household.refuse(403) as refusing:
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, household.issue)
        issue = household.issue()
        assert issue is not None
        assert issue.translation_placeholders == {"server": "Living room"}
        for part in text("issues", "cannot_mark").values():
            assert placeholders(part) <= {"server"}
        await later(hass, minutes=6)
        await household.settled()
        assert refusing.hits == 1

    await household.watch_on_plex(PAPER_ORCHARD)

    await household.until_marked(PAPER_ORCHARD)
    assert household.issue() is None
    assert not household.data(THE_SALT_ROAD).played


async def test_an_issue_is_of_the_sign_in(following: Household) -> None:
    """Another one may be allowed to: it is said again if it is not."""
    household, hass = following, following.hass
    with household.refuse(403):
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, household.issue)

        await hass.config_entries.async_reload(household.jellyfin_entry.entry_id)
        assert household.issue() is None

        await household.watch_on_plex(PAPER_ORCHARD)
        await until(hass, household.issue)


async def test_it_is_allowed_for_one_account_only(household: Household) -> None:
    """What goes well for one does not hide what does not for another."""
    hass, server = household.hass, household.jellyfin.server
    await household.follow(household.at_jellyfin())
    await household.follow(household.at_jellyfin("bob"), who="bob")
    server.account(ALICE).administrator = False

    await household.watch_on_plex(THE_SALT_ROAD, "bob")
    await until(hass, household.issue)
    await household.watch_on_plex(PAPER_ORCHARD)
    await household.until_marked(PAPER_ORCHARD)
    assert household.issue()

    # As the issue says: the account is taken out of the options.
    await household.follow(who="bob")
    assert household.issue() is None

    await household.follow(household.at_jellyfin("bob"), who="bob")
    await household.watch_on_plex(THE_PILOT_BOAT, "bob")
    await until(hass, household.issue)
    # Or it is an administrator who is signed in.
    server.account(ALICE).administrator = True
    await household.watch_on_plex(LOW_WATER, "bob")
    await household.until_marked(LOW_WATER, "bob")
    assert household.issue() is None


async def stop_following(household: Household) -> None:
    """Have nobody follow any more."""
    await household.follow()


async def disable_server(household: Household) -> None:
    """Disable the server."""
    await household.hass.config_entries.async_set_disabled_by(
        household.jellyfin_entry.entry_id, ConfigEntryDisabler.USER
    )


async def remove_server(household: Household) -> None:
    """Remove the server."""
    await household.hass.config_entries.async_remove(household.jellyfin_entry.entry_id)


@pytest.mark.parametrize("end", [stop_following, disable_server, remove_server])
async def test_there_is_nothing_to_be_allowed_any_more(
    following: Household, end: Callable[[Household], Any]
) -> None:
    """The issue goes away, and so does what was written down of a server that is gone."""
    household, hass = following, following.hass
    with household.refuse(403):
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, household.issue)

    await end(household)

    assert household.issue() is None
    if end is remove_server:
        names = [path.name for path in Path(hass.config.path(".storage")).iterdir()]
        assert not [name for name in names if "outbox" in name]


async def test_an_item_that_is_gone(following: Household) -> None:
    """There is nothing to be marked, and the library knows it from now on."""
    household, hass = following, following.hass
    movies = entity_id_of(hass, "sensor", household.jellyfin_entry, "movies")
    await settle(hass)
    state = hass.states.get(movies)
    assert state is not None
    before = int(state.state)
    household.jellyfin.server.items.remove(THE_SALT_ROAD)

    await household.watch_on_plex(THE_SALT_ROAD)
    await household.watch_on_plex(PAPER_ORCHARD)
    await household.until_marked(PAPER_ORCHARD)
    await later(hass, minutes=6)
    await household.settled()
    await settle(hass)

    assert [mark.status for mark in household.marks] == [404, 200]
    state = hass.states.get(movies)
    assert state is not None
    assert int(state.state) == before - 1


async def test_an_item_that_is_not_for_an_account(following: Household) -> None:
    """It is in the library for all that."""
    household, hass = following, following.hass
    library = household.jellyfin_entry.runtime_data.library
    path = f"/UserPlayedItems/{household.jellyfin.key(THE_SALT_ROAD)}"
    with household.refuse(404, path=path):
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, lambda: household.marks)
        await household.settled()

    assert library.index.row_of(household.jellyfin.key(THE_SALT_ROAD)) is not None
    await later(hass, minutes=6)
    await household.settled()
    assert len(household.marks) == 1


async def test_an_item_that_is_gone_from_plex(household: Household) -> None:
    """Plex tells nobody that it has gone."""
    await household.follow(household.at_plex())
    household.plex.plex.remove(THE_SALT_ROAD)

    await household.watch_on_jellyfin(THE_SALT_ROAD)
    await household.watch_on_jellyfin(PAPER_ORCHARD)
    await until(household.hass, lambda: household.views(PAPER_ORCHARD))
    await household.settled()

    library = household.plex_entry.runtime_data.library
    assert library.index.row_of(household.plex.key(THE_SALT_ROAD)) is None
    assert library.index.row_of(household.plex.key(PAPER_ORCHARD)) is not None


# Plays that are removed


async def test_a_play_is_removed_while_it_waits(following: Household) -> None:
    """It is not marked at all."""
    household, hass = following, following.hass
    await household.jellyfin.stop()
    await household.watch_on_plex(THE_SALT_ROAD)
    await quiet(hass, household.plex.log)
    (play,) = await household.plays()
    await household.remove_play(play["play_id"])
    await household.jellyfin.start()

    await later(hass, minutes=6)
    await household.settled()

    assert household.marks == []
    assert not household.data(THE_SALT_ROAD).played


async def test_a_play_is_removed_while_its_mark_is_on_the_way(
    following: Household,
) -> None:
    """What has been marked by then is taken back."""
    household, hass = following, following.hass
    with household.jellyfin.faults.slow(0.3, path=MARKS, method="POST") as slow:
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, lambda: slow.hits)
        (play,) = await household.plays()
        await household.remove_play(play["play_id"])
    await until(hass, lambda: len(household.marks) == 2)
    await household.settled()

    assert [mark.watched for mark in household.marks] == [True, False]
    assert not household.data(THE_SALT_ROAD).played
    assert await household.plays() == []


async def test_seen_again_while_the_mark_is_on_the_way(following: Household) -> None:
    """The later time shows in the end."""
    household, hass = following, following.hass
    with household.jellyfin.faults.slow(0.3, path=MARKS, method="POST") as slow:
        await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
        await until(hass, lambda: slow.hits)
        await household.watch_on_plex(THE_SALT_ROAD)
    await until(hass, lambda: len(household.marks) == 2)
    await household.settled()

    newest, _ = await household.plays()
    data = household.data(THE_SALT_ROAD)
    assert (data.count, data.last_played) == (2, moment(newest))


async def test_seen_again_soon_and_not_marked_at_once(following: Household) -> None:
    """It counts for what it is, though what was seen before looks much like it."""
    household, hass = following, following.hass
    await household.add_play(THE_SALT_ROAD, watched_at=ago(minutes=130).isoformat())
    await household.until_marked(THE_SALT_ROAD)
    with household.refuse(503, times=1) as refused:
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, lambda: refused.hits)
        await household.settled()
    await later(hass, seconds=6)
    await household.settled()

    newest, _ = await household.plays()
    data = household.data(THE_SALT_ROAD)
    assert (data.count, data.last_played) == (2, moment(newest))


# What is on disk


async def test_the_outbox_cannot_be_written(following: Household) -> None:
    """It is marked all the same, and nothing is left for later."""
    household, hass = following, following.hass
    disk = Disk.of(hass)
    key = f"outbox.{household.jellyfin_entry.entry_id}"
    with disk.blocked(key):
        await household.watch_on_plex(THE_SALT_ROAD)
        await household.until_marked(THE_SALT_ROAD)
    await later(hass, seconds=6)
    await until(hass, lambda: disk.path(key).is_file())

    assert disk.read(key) == {"changes": []}
    await assert_marked_once(household, THE_SALT_ROAD)


async def test_the_history_cannot_be_written(
    following: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is marked before the play is on disk."""
    household, hass = following, following.hass
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.01,))
    with Disk.of(hass).watched() as disk, disk.full():
        await household.watch_on_plex(THE_SALT_ROAD)
        await household.settled()
        assert household.marks == []

    await household.until_marked(THE_SALT_ROAD)
    await assert_marked_once(household, THE_SALT_ROAD)


async def test_nobody_waits_any_more_for_what_is_written_down(
    household: Household,
) -> None:
    """It is as if nothing had been asked for, and nothing is held back for good."""
    hass = household.hass
    await household.follow(household.at_plex())
    with household.plex.faults.fail(500, path="/:/scrobble") as failing:
        await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
        await until(hass, lambda: failing.hits)
        await household.follow(household.at_plex(), household.at_jellyfin())
        with Disk.of(hass).watched() as disk, disk.held():
            # Plex' part is on disk already, that of Jellyfin is not.
            adding = hass.async_create_task(household.add_play(THE_SALT_ROAD))
            await hass.async_add_executor_job(disk.wait_for_write)
            adding.cancel()
            await asyncio.wait([adding])
        await household.settled()
    assert adding.cancelled()
    assert len(await household.plays()) == 1
    assert household.marks == []

    await later(hass, minutes=6)
    await until(hass, lambda: household.views(THE_SALT_ROAD) == 1)
    await household.add_play(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)


async def test_nobody_waits_any_more_for_what_is_recorded(
    following: Household,
) -> None:
    """It has happened all the same."""
    household, hass = following, following.hass
    with household.refuse(500) as failing:
        await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
        await until(hass, lambda: failing.hits)
        await household.settled()
        with Disk.of(hass).watched() as disk, disk.held():
            adding = hass.async_create_task(household.add_play(THE_SALT_ROAD))
            await hass.async_add_executor_job(disk.wait_for_write)
            adding.cancel()
            await asyncio.wait([adding])
        await household.settled()
    assert adding.cancelled()
    newest, _ = await household.plays()

    await later(hass, minutes=6)
    data = await household.until_marked(THE_SALT_ROAD)

    assert data.last_played == moment(newest)


async def test_a_viewer_who_is_removed_before_a_play_is_written(
    following: Household,
) -> None:
    """Nothing is marked of what was never recorded, and others are not held up."""
    household, hass = following, following.hass
    account = household.at_jellyfin()
    hass.config_entries.async_update_entry(
        viewer(hass, "bob"),
        data=dict(viewer(hass, "bob").data)
        | {"accounts": [household.at_plex("bob"), account]},
    )
    await household.follow(account, who="bob")
    alice = viewer(hass, "alice").entry_id
    with Disk.of(hass).watched() as disk:
        with disk.full(), pytest.raises(HomeAssistantError):
            await household.add_play(THE_SALT_ROAD)
        await hass.config_entries.async_remove(alice)
        await household.settled()
    assert household.marks == []

    await household.add_play(THE_SALT_ROAD, "bob")

    assert (await household.until_marked(THE_SALT_ROAD)).count == 1


type Killed[T] = tuple[Path, T]


@contextmanager
def killing[T](
    folder: Path, copies: Path, data: Callable[[], T]
) -> Iterator[list[Killed[T]]]:
    """Note what there is before and after each write, as if all ended there.

    Each time that is a copy of the config folder, and what a server shows.
    """
    write = util_file.write_utf8_file_atomic
    found: list[Killed[T]] = []

    def copy() -> None:
        target = copies / str(len(found))
        # Others may be writing at the same time.
        shutil.copytree(
            folder / ".storage",
            target / ".storage",
            ignore=shutil.ignore_patterns("tmp*"),
        )
        found.append((target, data()))

    def stand_in(filename: str, *args: Any, **kwargs: Any) -> None:
        is_ours = f".storage/{DOMAIN}." in filename
        if is_ours:
            copy()
        write(filename, *args, **kwargs)
        if is_ours:
            copy()

    with patch("homeassistant.helpers.storage.write_utf8_file_atomic", stand_in):
        yield found


@pytest.fixture
async def jellyfin_alone(
    hass: HomeAssistant, address: str, jellyfin_at_home: JellyfinStandIn
) -> JellyfinStandIn:
    """Return the only server there is, which follows what Alice watches."""
    home = JellyfinHome(jellyfin_at_home)
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    key = f"{entry.entry_id}:{ALICE.id}"
    alice = viewer(hass, "alice")
    hass.config_entries.async_update_entry(alice, options={"unfollowing": [key]})
    await call(hass, "scan_library", server=entry.entry_id)
    await quiet(hass, home.log)
    jellyfin_at_home.plugin.installed = False
    return jellyfin_at_home


@pytest.mark.parametrize("case", ["added", "added again", "removed"])
async def test_killed_at_any_write(
    hass: HomeAssistant,
    jellyfin_alone: JellyfinStandIn,
    restart: Restart,
    tmp_path_factory: pytest.TempPathFactory,
    case: str,
) -> None:
    """History and server agree in the end, and each viewing counts once.

    What the server knows of and the history does not stays.
    """
    # With all that is there by now on disk.
    hass, _ = await restart()
    server = jellyfin_alone
    account = server.account(ALICE)
    before = ago(days=700)
    unseen: tuple[bool, int, datetime | None] = (False, 0, None)
    seen: tuple[bool, int, datetime | None] = (True, 1, ago(minutes=5))
    if case == "added again":
        server.data_of(ALICE, THE_SALT_ROAD).mark_played(before, before)
        unseen, seen = (True, 1, before), (True, 2, seen[2])
    film = {
        "viewer": viewer(hass, "alice").entry_id,
        "media_type": "movie",
        "ids": {"tmdb": THE_SALT_ROAD.ids.tmdb},
        "watched_at": f"{seen[2]}",
    }
    play: dict[str, Any] = {}

    def shown() -> tuple[bool, int, datetime | None]:
        found = server.data_of(ALICE, THE_SALT_ROAD)
        return found.played, found.count, found.last_played

    if case == "removed":
        play = (await call(hass, "add_play", **film))["play"]
        await until(hass, lambda: shown() == seen)
        await later(hass, seconds=6)

    def data() -> dict[str, UserData]:
        return {item: one.copy() for item, one in list(account.data.items())}

    with killing(
        Path(hass.config.config_dir), tmp_path_factory.mktemp("killed"), data
    ) as killed:
        if case == "removed":
            await call(
                hass, "remove_play", viewer=film["viewer"], play_id=play["play_id"]
            )
            await until(hass, lambda: shown() == unseen)
        else:
            await call(hass, "add_play", **film)
            await until(hass, lambda: shown() == seen)
        await quiet(hass, server.log)
        await later(hass, seconds=6)
        await quiet(hass, server.log)
    # The change is written down, then the play, then that all is done.
    assert len(killed) >= 6

    outcomes = set()
    for folder, there in killed:
        await server.stop()
        hass, _ = await restart(folder=str(folder))
        account.data.clear()
        account.data.update(there)
        await server.start()
        await later(hass, minutes=6)
        await quiet(hass, server.log)

        plays = await plays_of(hass, viewer(hass, "alice"))
        assert shown() == (seen if plays else unseen)
        outcomes.add(len(plays))
    # Killed before the play was on disk, or afterwards.
    assert outcomes == {0, 1}


MANY = 2000


@pytest.fixture
async def many_films(impatience: None) -> AsyncGenerator[JellyfinStandIn]:
    """Return a server with many films."""
    async with JellyfinStandIn(library=Library(movies=MANY)) as server:
        server.add_user("alice", "secret", administrator=True)
        yield server


async def test_many_that_wait(
    hass: HomeAssistant, address: str, many_films: JellyfinStandIn
) -> None:
    """They are written together."""
    home = JellyfinHome(many_films)
    entry = await home.sign_in(hass, "alice")
    alice = viewer(hass, "alice")
    key = f"{entry.entry_id}:{ALICE.id}"
    await until(hass, lambda: "registered_url" in entry.data)
    await call(hass, "scan_library", server=entry.entry_id)
    hass.config_entries.async_update_entry(alice, options={"following": [key]})
    home.forget_webhook(entry.data["registered_url"])
    outbox = f"outbox.{entry.entry_id}"
    with Disk.of(hass).watched() as disk, home.faults.fail(500, path=MARKS):
        for start in range(0, MANY, 20):
            await asyncio.gather(
                *(
                    call(
                        hass,
                        "add_play",
                        viewer=alice.entry_id,
                        media_type="movie",
                        title=film.title,
                        year=film.year,
                    )
                    for film in many_films.library.movies[start : start + 20]
                )
            )
        await quiet(hass, home.log)
        assert len(disk.read(outbox)["changes"]) == MANY
        assert disk.written.count(outbox) <= MANY / 20
        home.log.clear()
    with Disk.of(hass).watched() as disk:
        await later(hass, minutes=6)
        await until_all(hass, home, MANY)
        await later(hass, seconds=6)
        await quiet(hass, home.log)
        assert disk.read(outbox) == {"changes": []}
        assert disk.written.count(outbox) < 20

    shown = many_films.account(ALICE).data.values()
    assert sum(data.played for data in shown) == MANY
    assert {data.count for data in shown} == {1}


async def until_all(hass: HomeAssistant, home: JellyfinHome, count: int) -> None:
    """Wait until so many marks have been made."""
    async with asyncio.timeout(60):
        while home.log.count_of("POST", MARKS) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await quiet(hass, home.log)
