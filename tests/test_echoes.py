"""What is marked from here comes back as webhooks, and is neither a play nor pushed on."""

from dataclasses import replace
from typing import Any

import pytest

from custom_components.media_scrobbler import echoes

from .common import call
from .followers import MARKS, Household, ago, moment
from .signed_in import quiet, until, viewer
from .simulators.catalogue import (
    HARBOUR_LIGHTS,
    LOW_WATER,
    PAPER_ORCHARD,
    THE_SALT_ROAD,
)
from .simulators.jellyfin import JellyfinEvent, JellyfinUser

ALICE = JellyfinUser.named("alice")
BOB = JellyfinUser.named("bob")
TWO_IN_ONE = replace(LOW_WATER, number=7, number_end=8, title="Spring Tide")


@pytest.fixture
async def following(household: Household) -> Household:
    """Return a household where Jellyfin follows what Alice watches, removals too."""
    await household.follow(unfollowing=[household.at_jellyfin()])
    household.forget()
    return household


def answers(household: Household) -> list[tuple[str, str]]:
    """Return what was made of Jellyfin's marks."""
    return [
        (delivery.answer["outcome"], delivery.answer["reason"])
        for delivery in household.jellyfin.server.plugin.deliveries
        if delivery.event == JellyfinEvent.USER_DATA_SAVED
    ]


IGNORED = ("ignored", "this was marked from here")


async def test_a_mark_is_no_play(following: Household) -> None:
    """However long ago it was watched."""
    household = following
    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
    await household.until_marked(THE_SALT_ROAD)

    assert answers(household) == [IGNORED]
    assert len(await household.plays()) == 1
    assert household.data(THE_SALT_ROAD).count == 1


async def test_all_follow_each_other(household: Household) -> None:
    """It comes to rest, wherever it began."""
    await household.follow(household.at_plex(), household.at_jellyfin())
    await household.follow(household.at_jellyfin("bob"), who="bob")
    await household.also_for("alice", "bob")
    await household.also_for("bob", "alice")
    household.forget()

    await household.add_play(THE_SALT_ROAD, "bob", watched_at=ago(days=30).isoformat())
    await household.until_marked(THE_SALT_ROAD, "bob")
    await household.watch_on_plex(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)
    await household.settled()
    await household.watch_on_jellyfin(PAPER_ORCHARD, "bob")
    await household.until_marked(PAPER_ORCHARD)
    await until(household.hass, lambda: household.views(PAPER_ORCHARD))
    await household.watch_on_plex(LOW_WATER, "bob")
    await household.until_marked(LOW_WATER)
    await household.until_marked(LOW_WATER, "bob")
    await until(household.hass, lambda: household.views(LOW_WATER))
    await household.settled()

    assert await household.titles("alice") == sorted(
        title.title for title in (LOW_WATER, PAPER_ORCHARD, THE_SALT_ROAD)
    )
    assert len(await household.plays("bob")) == 4
    for title in (LOW_WATER, PAPER_ORCHARD, THE_SALT_ROAD):
        assert household.views(title) == 1
        assert household.data(title).count == 1
        assert household.data(title, "bob").count == 1 + (title is THE_SALT_ROAD)
    # What was played on a server needs no mark there.
    assert len(household.marks) == 6
    assert len(household.plex_marks) == 2


async def test_versions_that_follow_by_themselves(following: Household) -> None:
    """Each tells of the mark of each other one."""
    household = following
    await household.jellyfin.server.add_version(THE_SALT_ROAD, "4K")
    await household.settled()

    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
    await household.until_marked(THE_SALT_ROAD)

    assert answers(household) == [IGNORED] * 4
    assert len(household.marks) == 2
    assert len(await household.plays()) == 1


async def test_a_file_of_several_episodes(following: Household) -> None:
    """The others in it were not watched for that."""
    household = following
    await household.jellyfin.server.add(TWO_IN_ONE)
    await household.settled()

    await call(
        household.hass,
        "add_play",
        viewer=viewer(household.hass, "alice").entry_id,
        media_type="episode",
        season=TWO_IN_ONE.season,
        episode=TWO_IN_ONE.number,
        show_ids={"tmdb": HARBOUR_LIGHTS.ids.tmdb},
        watched_at=ago(days=2).isoformat(),
    )
    data = await household.until_marked(TWO_IN_ONE)

    assert data.count == 1
    assert answers(household) == [IGNORED]
    (play,) = await household.plays()
    assert play["episode"] == 7


async def test_a_server_that_takes_its_time(
    following: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says then is expected from its answer on."""
    household = following
    monkeypatch.setattr(echoes, "LIFETIME", 0.5)
    for url in list(household.jellyfin.webhooks):
        household.jellyfin.forget_webhook(url)
    with household.jellyfin.faults.slow(0.6, path=MARKS):
        await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
        await until(household.hass, lambda: household.data(THE_SALT_ROAD).played)

    assert await mark_by_hand(household) == IGNORED
    assert len(await household.plays()) == 1


async def mark_by_hand(
    household: Household, title: Any = THE_SALT_ROAD, user: JellyfinUser = ALICE
) -> tuple[str, str]:
    """Have Jellyfin tell that somebody marked a title; returns what was made of it."""
    server = household.jellyfin.server
    url = household.jellyfin_entry.data["registered_url"]
    session = server.plugin.session
    assert session is not None
    status, answer = await server.server.send(
        session, url, JellyfinEvent.USER_DATA_SAVED, title, user
    )
    assert status == 200
    return answer["outcome"], answer["reason"]


async def test_nothing_is_expected_for_ever(
    following: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes much later is said by a person."""
    household = following
    monkeypatch.setattr(echoes, "LIFETIME", 0)
    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
    await household.until_marked(THE_SALT_ROAD)

    # It has the date of the play that it was made for.
    assert answers(household) == [
        ("merged", "the same viewing has been recorded before")
    ]
    assert len(await household.plays()) == 1
    assert await mark_by_hand(household) == ("recorded", "completed")
    assert len(await household.plays()) == 2


async def test_what_somebody_else_marks(following: Household) -> None:
    """It is a play of somebody else."""
    household = following
    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
    await household.until_marked(THE_SALT_ROAD)

    outcome, _ = await mark_by_hand(household, user=BOB)
    assert outcome == "recorded"
    outcome, _ = await mark_by_hand(household, PAPER_ORCHARD)
    assert outcome == "recorded"
    assert len(await household.plays("bob")) == 1
    assert await household.titles() == ["Paper Orchard", "The Salt Road"]


async def test_a_play_right_after_a_mark(following: Household) -> None:
    """To play is not to mark."""
    household = following
    await household.add_play(THE_SALT_ROAD, watched_at=ago(days=2).isoformat())
    await household.until_marked(THE_SALT_ROAD)

    await household.watch_on_jellyfin(THE_SALT_ROAD)
    await household.settled()

    newest, oldest = await household.plays()
    assert moment(newest) > moment(oldest)
    assert household.data(THE_SALT_ROAD).count == 2
    assert len(household.marks) == 1


@pytest.mark.parametrize("is_soon", [True, False])
async def test_marked_after_our_mark_was_taken_back(
    following: Household, monkeypatch: pytest.MonkeyPatch, is_soon: bool
) -> None:
    """Our mark may still come back; what comes later is said by a person."""
    household = following
    play_id = await household.add_play(THE_SALT_ROAD)
    await household.until_marked(THE_SALT_ROAD)
    if not is_soon:
        monkeypatch.setattr(echoes, "LIFETIME_OF_UNDONE", 0)
    await household.remove_play(play_id)
    await until(household.hass, lambda: not household.data(THE_SALT_ROAD).played)
    await household.settled()

    outcome, reason = await mark_by_hand(household)

    if is_soon:
        assert (outcome, reason) == IGNORED
    else:
        assert outcome == "recorded"
    assert len(await household.plays()) == (not is_soon)


async def test_marked_by_hand_after_it_was_unmarked(following: Household) -> None:
    """To take a mark back is not to expect one."""
    household = following
    await household.watch_on_jellyfin(THE_SALT_ROAD)
    (play,) = await household.plays()
    await household.remove_play(play["play_id"])
    await until(household.hass, lambda: not household.data(THE_SALT_ROAD).played)
    await household.settled()
    assert await household.plays() == []

    await household.jellyfin.server.mark_played(THE_SALT_ROAD, ALICE)
    await quiet(household.hass, household.jellyfin.log)

    assert await household.titles() == ["The Salt Road"]
    assert household.data(THE_SALT_ROAD).count == 1
