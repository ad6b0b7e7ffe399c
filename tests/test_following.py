"""Servers follow what was watched: which titles for whom, once, with the time of the play."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest

from custom_components.media_scrobbler.const import DOMAIN

from .common import Jellyfin, Plex, answer, call, plays_of
from .followers import Household, ago, moment
from .signed_in import later, quiet, until, viewer
from .simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    NINTH_MERIDIAN,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_PILOT_BOAT,
    THE_SALT_ROAD,
)
from .simulators.jellyfin import JellyfinEvent, JellyfinUser
from .simulators.jellyfin_version import JELLYFIN_VERSIONS
from .simulators.plex import PlexEvent

ANY_JELLYFIN = pytest.mark.parametrize("jellyfin_version", JELLYFIN_VERSIONS, ids=str)
ALICE = JellyfinUser.named("alice")


async def link(household: Household, who: str, *accounts: str) -> None:
    """Have somebody watch with these accounts, and no others."""
    entry = viewer(household.hass, who)
    result = await household.hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": entry.entry_id}
    )
    await answer(household.hass, result, name=entry.title, accounts=list(accounts))
    await household.settled()


# Plays


@ANY_JELLYFIN
@pytest.mark.parametrize("title", [THE_SALT_ROAD, LOW_WATER])
async def test_jellyfin_follows_plex(household: Household, title: Any) -> None:
    """By one request, which says when it was."""
    await household.follow(household.at_jellyfin())
    household.forget()

    await household.watch_on_plex(title)
    data = await household.until_marked(title)

    (play,) = await household.plays()
    assert (data.count, data.last_played) == (1, moment(play))
    (mark,) = household.marks
    assert (mark.item, mark.at) == (household.jellyfin.key(title), moment(play))
    assert mark.account == ALICE.id
    assert len(household.asked()) == 1, household.asked()
    assert not household.data(title, "bob").played


@ANY_JELLYFIN
async def test_every_version_follows(household: Household) -> None:
    """Each by one request, whatever the server does by itself."""
    server = household.jellyfin.server
    for name in ("4K", "Dubbed"):
        await server.add_version(THE_SALT_ROAD, name)
    await household.follow(household.at_jellyfin())
    household.forget()

    await household.watch_on_plex(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)

    (play,) = await household.plays()
    versions = server.items.versions(server.items.of(THE_SALT_ROAD))
    assert len(versions) == 3
    assert sorted(mark.item for mark in household.marks) == sorted(
        version.id for version in versions
    )
    for version in versions:
        data = server.account(ALICE).data[version.id]
        assert (data.played, data.count, data.last_played) == (True, 1, moment(play))


@ANY_JELLYFIN
async def test_a_play_on_the_server_itself(household: Household) -> None:
    """It shows there already."""
    await household.follow(household.at_jellyfin())
    household.forget()

    await household.watch_on_jellyfin(THE_SALT_ROAD)
    await household.settled()
    assert household.asked() == []
    await household.watch_on_jellyfin(LOW_WATER)
    await household.settled()

    assert len(await household.plays()) == 2
    assert household.marks == []
    for title in (THE_SALT_ROAD, LOW_WATER):
        assert household.data(title).count == 1


@ANY_JELLYFIN
async def test_other_versions_of_what_was_played(household: Household) -> None:
    """They show as watched; what was played is not marked on top of it."""
    server = household.jellyfin.server
    await server.add_version(THE_SALT_ROAD, "4K")
    await household.follow(household.at_jellyfin())
    household.forget()

    await household.watch_on_jellyfin(THE_SALT_ROAD)
    await household.settled()

    played, other = server.items.versions(server.items.of(THE_SALT_ROAD))
    for version in (played, other):
        assert server.account(ALICE).data[version.id].played
    assert server.account(ALICE).data[played.id].count == 1
    assert {mark.item for mark in household.marks} <= {other.id}
    assert len(await household.plays()) == 1


async def test_plex_follows_jellyfin(household: Household) -> None:
    """It takes no date, and only marks for the account of the sign-in."""
    await household.follow(household.at_plex())
    household.forget()

    await household.watch_on_jellyfin(THE_SALT_ROAD)
    await until(household.hass, lambda: household.views(THE_SALT_ROAD))
    await household.watch_on_jellyfin(LOW_WATER)
    await until(household.hass, lambda: household.views(LOW_WATER))
    await household.watch_on_jellyfin(PAPER_ORCHARD, "bob")
    await household.settled()

    assert household.plex_marks == [
        ("scrobble", household.plex.key(title)) for title in (THE_SALT_ROAD, LOW_WATER)
    ]
    assert len(household.asked(household.plex)) == 2
    assert household.views(THE_SALT_ROAD) == 1
    assert household.marks == []
    assert len(await household.plays()) == 2


async def test_a_play_added_by_hand(household: Household) -> None:
    """Whenever it was."""
    await household.follow(household.at_jellyfin(), household.at_plex())
    at = ago(days=400)

    await household.add_play(PAPER_ORCHARD)
    await household.add_play(THE_SALT_ROAD, watched_at=at.isoformat())

    data = await household.until_marked(THE_SALT_ROAD)
    assert (data.count, data.last_played) == (1, at)
    assert household.data(PAPER_ORCHARD).count == 1
    assert household.views(THE_SALT_ROAD) == household.views(PAPER_ORCHARD) == 1


async def test_seeing_something_again(household: Household) -> None:
    """Each viewing counts once."""
    await household.follow(household.at_jellyfin())
    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
    await household.until_marked(THE_SALT_ROAD)

    await household.watch_on_plex(THE_SALT_ROAD)
    await until(household.hass, lambda: household.data(THE_SALT_ROAD).count == 2)

    newest, _ = await household.plays()
    assert household.data(THE_SALT_ROAD).last_played == moment(newest)
    await household.settled()
    assert household.data(THE_SALT_ROAD).count == 2


async def test_a_later_viewing_that_the_server_knows_of(household: Household) -> None:
    """Its date stays."""
    await household.follow(household.at_jellyfin())
    data = household.data(THE_SALT_ROAD)
    data.mark_played(ago(days=1), ago(days=1))
    before = data.copy()

    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=3).isoformat())
    await household.settled()

    assert household.marks == []
    assert household.data(THE_SALT_ROAD) == before


async def test_a_further_report_of_the_same_viewing(household: Household) -> None:
    """It is no further viewing."""
    await household.follow(household.at_jellyfin())
    household.forget()
    await household.watch_on_plex(LOW_WATER)
    await household.until_marked(LOW_WATER)

    await household.watch_on_plex(LOW_WATER)
    await household.settled()

    (play,) = await household.plays()
    assert len(play["sources"]) == 2
    assert len(household.asked()) == 1, household.asked()
    assert household.data(LOW_WATER).count == 1


async def test_music(household: Household) -> None:
    """It is recorded, and nobody is told."""
    await household.follow(household.at_jellyfin())
    household.forget()

    await household.watch_on_plex(SLOW_FERRY)
    await household.settled()

    assert await household.titles() == ["Slow Ferry"]
    assert household.asked() == []


async def test_nobody_follows(household: Household) -> None:
    """Nothing is asked of anybody who does not follow."""
    await household.follow(household.at_jellyfin("bob"), who="bob")
    household.forget()

    await household.watch_on_plex(THE_SALT_ROAD)
    await household.settled()

    assert household.asked() == []


# Corrections


@pytest.mark.parametrize("unfollows", [True, False])
async def test_removing_the_only_play(household: Household, unfollows: bool) -> None:
    """It shows as not watched where that is wanted."""
    accounts = [household.at_jellyfin(), household.at_plex()]
    await household.follow(*accounts, unfollowing=accounts if unfollows else ())
    play_id = await household.add_play(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)
    household.forget()

    await household.remove_play(play_id)
    await household.settled()

    assert household.data(THE_SALT_ROAD).played is not unfollows
    assert household.views(THE_SALT_ROAD) == (0 if unfollows else 1)
    assert [mark.watched for mark in household.marks] == [False] * unfollows
    assert len(household.plex_marks) == unfollows
    if not unfollows:
        assert household.asked() == []
        assert household.asked(household.plex) == []


async def test_removing_one_of_two_plays(household: Household) -> None:
    """The title has still been watched, and not once more."""
    account = household.at_jellyfin()
    await household.follow(account, unfollowing=[account])
    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
    await household.until_marked(THE_SALT_ROAD)
    play_id = await household.add_play(THE_SALT_ROAD)
    await until(household.hass, lambda: household.data(THE_SALT_ROAD).count == 2)
    household.forget()

    await household.remove_play(play_id)
    await household.settled()

    assert household.data(THE_SALT_ROAD).count == 2
    assert household.marks == []


async def test_a_play_turns_out_to_be_of_another_title(household: Household) -> None:
    """Both are put right."""
    account = household.at_jellyfin()
    await household.follow(unfollowing=[account])
    play_id = await household.add_play(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)

    await call(
        household.hass,
        "update_play",
        viewer=viewer(household.hass, "alice").entry_id,
        play_id=play_id,
        title=PAPER_ORCHARD.title,
        year=PAPER_ORCHARD.year,
        ids={"tmdb": PAPER_ORCHARD.ids.tmdb},
    )

    data = await household.until_marked(PAPER_ORCHARD)
    (play,) = await household.plays()
    assert (data.count, data.last_played) == (1, moment(play))
    assert not household.data(THE_SALT_ROAD).played


async def test_a_play_was_at_another_time(household: Household) -> None:
    """It is one viewing all the same, so nothing is marked once more."""
    await household.follow(household.at_jellyfin())
    play_id = await household.add_play(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)
    household.forget()

    await call(
        household.hass,
        "update_play",
        viewer=viewer(household.hass, "alice").entry_id,
        play_id=play_id,
        watched_at=ago(days=1).isoformat(),
    )
    await household.settled()

    assert household.asked() == []


async def test_a_correction_that_fails(household: Household) -> None:
    """Nothing is asked for what is not there."""
    account = household.at_jellyfin()
    await household.follow(unfollowing=[account])
    household.forget()

    with pytest.raises(HomeAssistantError):
        await household.remove_play("01KCA0Q1W0QK4P8RZ3V5M7N9T1")
    await household.settled()

    assert household.asked() == []


async def test_what_a_file_holds_that_cannot_be_read(household: Household) -> None:
    """The play that is missing may be in there."""
    hass, account = household.hass, household.at_jellyfin()
    await household.follow(unfollowing=[account])
    await household.add_play(THE_SALT_ROAD, watched_at="2020-05-01T20:00:00+00:00")
    play_id = await household.add_play(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)
    entry_id = viewer(hass, "alice").entry_id
    await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
    (part,) = Path(hass.config.path(".storage")).glob(f"*history.{entry_id}.2020-05")
    part.write_bytes(b"damaged")
    await hass.config_entries.async_set_disabled_by(entry_id, None)
    household.forget()

    await household.remove_play(play_id)
    await household.settled()

    assert await household.plays() == []
    assert household.marks == []
    assert household.data(THE_SALT_ROAD).played


# Titles that are found later


async def send_bare(client: TestClient[Any, Any], household: Household) -> None:
    """Have Plex say next to nothing of the film that Alice has watched."""
    async with client.post(
        f"/api/webhook/{household.plex_entry.data['webhook_id']}",
        data=household.plex.bare(THE_SALT_ROAD, "Die Salzstraße"),
    ) as response:
        assert (await response.json())["outcome"] == "recorded"


async def test_a_title_of_which_more_becomes_known(
    household: Household, client: TestClient[Any, Any]
) -> None:
    """By its name abroad nobody would find it."""
    await household.follow(household.at_jellyfin())
    household.forget()

    with household.plex.faults.slow(0.2, path="/library/metadata/*"):
        await send_bare(client, household)
        await household.settled()
    data = await household.until_marked(THE_SALT_ROAD)

    assert data.count == 1
    assert len(household.marks) == 1


async def test_more_becomes_known_of_a_title_that_waits(
    household: Household, client: TestClient[Any, Any]
) -> None:
    """When it is delivered at last, it is by all that is known of it."""
    hass = household.hass
    await household.follow(household.at_jellyfin())
    await household.jellyfin.stop()
    await send_bare(client, household)
    await until(hass, lambda: household.plex.requests_of(THE_SALT_ROAD))
    await quiet(hass, household.plex.log)
    await household.jellyfin.start()

    await later(hass, minutes=6)
    data = await household.until_marked(THE_SALT_ROAD)

    assert data.count == 1


async def test_something_new_that_was_watched_elsewhere(household: Household) -> None:
    """It is marked when a webhook tells that it has come."""
    await household.follow(household.at_jellyfin())
    at = ago(days=30)
    await household.add_play(NINTH_MERIDIAN, watched_at=at.isoformat())
    await household.settled()
    household.forget()

    await household.jellyfin.server.add(NINTH_MERIDIAN)

    data = await household.until_marked(NINTH_MERIDIAN)
    assert (data.count, data.last_played) == (1, at)
    assert len(household.marks) == 1


async def test_something_new_that_a_scan_finds(household: Household) -> None:
    """What was there before is not marked for that."""
    await household.follow(household.at_jellyfin())
    at = ago(days=30)
    await household.add_play(NINTH_MERIDIAN, watched_at=at.isoformat())
    await household.settled()
    household.jellyfin.server.items.add(NINTH_MERIDIAN, ago(hours=1))
    household.jellyfin.server.items.add(
        THE_PILOT_BOAT.__replace__(number=2, title="The Tug"), ago(hours=1)
    )
    household.forget()

    await household.scan()

    data = await household.until_marked(NINTH_MERIDIAN)
    assert (data.count, data.last_played) == (1, at)
    assert len(household.marks) == 1


async def test_a_library_that_nobody_has_scanned(unscanned: Household) -> None:
    """It is scanned first, once."""
    await unscanned.follow(unscanned.at_jellyfin())
    assert unscanned.jellyfin.log.count_of("GET", "/UserViews") == 0

    await unscanned.watch_on_plex(THE_SALT_ROAD)
    await unscanned.watch_on_plex(LOW_WATER)
    await unscanned.until_marked(THE_SALT_ROAD)
    await unscanned.until_marked(LOW_WATER)

    assert unscanned.jellyfin.log.count_of("GET", "/UserViews") == 1


async def test_a_scan_that_fails(unscanned: Household) -> None:
    """It is tried again later."""
    await unscanned.follow(unscanned.at_jellyfin())
    with unscanned.jellyfin.faults.fail(500, path="/UserViews") as failing:
        await unscanned.watch_on_plex(THE_SALT_ROAD)
        await until(unscanned.hass, lambda: failing.hits)
        await unscanned.settled()
    assert unscanned.marks == []

    await later(unscanned.hass, seconds=6)

    await unscanned.until_marked(THE_SALT_ROAD)


async def test_a_scan_that_a_person_cancels(unscanned: Household) -> None:
    """Nobody scans then but that person."""
    hass = unscanned.hass
    await unscanned.follow(unscanned.at_jellyfin())
    with unscanned.jellyfin.faults.hang(path="/UserViews") as hanging:
        await unscanned.watch_on_plex(THE_SALT_ROAD)
        await until(hass, lambda: hanging.hits)
        await hass.services.async_call(
            "button",
            "press",
            {"entity_id": "button.living_room_cancel_library_scan"},
            blocking=True,
        )
    await unscanned.watch_on_plex(LOW_WATER)
    await later(hass, minutes=6)
    await unscanned.settled()
    assert unscanned.jellyfin.log.count_of("GET", "/UserViews") == 1
    assert unscanned.marks == []

    await unscanned.scan()

    await unscanned.until_marked(THE_SALT_ROAD)
    await unscanned.until_marked(LOW_WATER)


# Who follows changes while something waits


async def stops_following(household: Household) -> None:
    """Have nobody follow any more."""
    await household.follow()


async def is_unlinked(household: Household) -> None:
    """Have Alice not watch on Jellyfin any more."""
    await link(household, "alice", household.at_plex())


async def is_disabled(household: Household) -> None:
    """Disable Alice."""
    await household.hass.config_entries.async_set_disabled_by(
        viewer(household.hass, "alice").entry_id, ConfigEntryDisabler.USER
    )


async def is_removed(household: Household) -> None:
    """Remove Alice."""
    await household.hass.config_entries.async_remove(
        viewer(household.hass, "alice").entry_id
    )


@pytest.mark.parametrize(
    "change", [stops_following, is_unlinked, is_disabled, is_removed]
)
async def test_it_is_nobodys_business_any_more(
    household: Household, change: Callable[[Household], Any]
) -> None:
    """What waits for somebody else is delivered."""
    hass = household.hass
    await household.follow(household.at_jellyfin())
    await household.follow(household.at_jellyfin("bob"), who="bob")
    with household.refuse(500):
        await household.watch_on_plex(THE_SALT_ROAD)
        await household.watch_on_plex(PAPER_ORCHARD, "bob")
        await until(hass, lambda: len(household.marks) >= 2)
        await household.settled()
        await change(household)
        await household.settled()
    household.forget()

    await later(hass, minutes=6)
    await household.until_marked(PAPER_ORCHARD, "bob")

    assert not household.data(THE_SALT_ROAD).played
    assert {mark.account for mark in household.marks} == {
        household.at_jellyfin("bob").partition(":")[2]
    }


async def test_a_server_that_is_disabled(household: Household) -> None:
    """What waited before waits on; what is watched meanwhile is for a comparison to find."""
    hass, entry_id = household.hass, household.jellyfin_entry.entry_id
    await household.follow(household.at_jellyfin())
    with household.refuse(500):
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, lambda: household.marks)
        await household.settled()
        await hass.config_entries.async_set_disabled_by(
            entry_id, ConfigEntryDisabler.USER
        )
    household.forget()
    await household.watch_on_plex(PAPER_ORCHARD)
    await later(hass, minutes=6)
    assert household.asked() == []

    await hass.config_entries.async_set_disabled_by(entry_id, None)

    data = await household.until_marked(THE_SALT_ROAD)
    assert data.count == 1
    assert not household.data(PAPER_ORCHARD).played


async def test_a_server_that_is_reloaded(household: Household) -> None:
    """A change that was on its way is not lost, and not made twice."""
    hass = household.hass
    await household.follow(household.at_jellyfin())
    with household.jellyfin.faults.slow(0.3, path="/UserPlayedItems/*") as slow:
        await household.watch_on_plex(THE_SALT_ROAD)
        await until(hass, lambda: slow.hits)
        await hass.config_entries.async_reload(household.jellyfin_entry.entry_id)
    data = await household.until_marked(THE_SALT_ROAD)

    assert data.count == 1
    assert len(await household.plays()) == 1


# Accounts that several viewers watch with


async def test_an_account_that_two_share(household: Household) -> None:
    """It shows what either of them has watched, and each viewing once."""
    account = household.at_jellyfin()
    for who in ("alice", "bob"):
        await link(household, who, household.at_plex(), account)
        await household.follow(account, who=who, unfollowing=[account])

    await household.watch_on_plex(THE_SALT_ROAD)
    data = await household.until_marked(THE_SALT_ROAD)
    assert data.count == 1
    for who in ("alice", "bob"):
        assert household.data(THE_SALT_ROAD).played
        (play,) = await household.plays(who)
        await household.remove_play(play["play_id"], who)
        await household.settled()

    assert not household.data(THE_SALT_ROAD).played


async def test_two_who_share_an_account_watch_together(household: Household) -> None:
    """They have watched it once, though the second of them is heard of later."""
    account = household.at_jellyfin()
    for who in ("alice", "bob"):
        await link(household, who, account)
        await household.follow(account, who=who)

    await household.add_play(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)
    await household.add_play(THE_SALT_ROAD, "bob")
    await household.settled()

    assert household.data(THE_SALT_ROAD).count == 1


# Servers that can only send


async def test_a_server_that_was_not_signed_in_to(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin, alice: Any
) -> None:
    """It is not asked for anything, whatever the options say."""
    key = jellyfin.key(ALICE)
    hass.config_entries.async_update_entry(
        alice, options={"following": [key], "unfollowing": [key]}
    )
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await jellyfin.report(JellyfinEvent.PLAYBACK_STOP, LOW_WATER, ALICE)

    first, _ = await plays_of(hass, alice)
    await call(hass, "remove_play", viewer=alice.entry_id, play_id=first["play_id"])

    names = [path.name for path in Path(hass.config.path(".storage")).iterdir()]
    assert not [name for name in names if "outbox" in name]


async def test_an_episode_by_its_show(household: Household) -> None:
    """Where the servers know no common id of an episode, its show and number tell."""
    await household.follow(household.at_jellyfin())
    await call(
        household.hass,
        "add_play",
        viewer=viewer(household.hass, "alice").entry_id,
        media_type="episode",
        season=FOG_SIGNAL.season,
        episode=FOG_SIGNAL.number,
        show_ids={"tvdb": FOG_SIGNAL.show.ids.tvdb},
    )

    data = await household.until_marked(FOG_SIGNAL)

    assert data.count == 1
    assert not household.data(LOW_WATER).played
