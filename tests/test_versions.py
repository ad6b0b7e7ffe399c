"""Films and episodes of several versions, seen again on Jellyfin, with Plex following."""

from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from .followers import Household
from .server_histories import ago, heard, look
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD, Playable
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_version import JELLYFIN_VERSIONS, JellyfinVersion

ALICE = JellyfinUser.named("alice")


@pytest.fixture(params=JELLYFIN_VERSIONS, ids=str)
def jellyfin_version(request: pytest.FixtureRequest) -> JellyfinVersion:
    """Return which Jellyfin there is at home."""
    version: JellyfinVersion = request.param
    return version


@pytest.fixture(params=[THE_SALT_ROAD, LOW_WATER], ids=["film", "episode"])
async def title(request: pytest.FixtureRequest, household: Household) -> Any:
    """Return something of two versions; Plex follows what Alice sees of it."""
    title = request.param
    await household.jellyfin.server.add_version(title, "4K")
    await household.scan()
    await household.follow(household.at_plex())
    return title


@pytest.fixture(params=[True, False], ids=["known", "unknown"])
async def seen(
    request: pytest.FixtureRequest, household: Household, title: Playable
) -> int:
    """Return how many plays there are of what was seen 40 days ago.

    The history need not know of that: it may have been before there was one.
    """
    server = household.jellyfin.server
    urls = list(household.jellyfin.webhooks)
    if not request.param:
        for url in urls:
            household.jellyfin.forget_webhook(url)
    await server.mark_played(title, ALICE, at=ago(days=40))
    await household.settled()
    if not request.param:
        for url in urls:
            server.plugin.add_generic(url, WANTED)
    household.forget()
    return len(await household.plays())


WANTED = ["PlaybackStart", "PlaybackProgress", "PlaybackStop", "UserDataSaved"]


@pytest.mark.parametrize("version", [None, "4K"])
async def test_opened_for_a_moment(
    hass: HomeAssistant,
    household: Household,
    title: Playable,
    seen: int,
    version: str | None,
) -> None:
    """It is no play, and nothing is marked on Plex."""
    events = heard(hass)
    server = household.jellyfin.server
    await server.play(title, ALICE, version=version)
    await server.progress(timedelta(seconds=10))
    await server.stop_playing(timedelta(seconds=15))
    await household.settled()
    await look(hass)
    await household.settled()
    assert len(await household.plays()) == seen
    assert events == []
    assert household.plex_marks == []


@pytest.mark.parametrize("version", [None, "4K"])
async def test_seen_again(
    hass: HomeAssistant,
    household: Household,
    title: Playable,
    seen: int,
    version: str | None,
) -> None:
    """It is one play, whichever version it was."""
    events = heard(hass)
    server = household.jellyfin.server
    await server.play(title, ALICE, version=version)
    for share in (0.2, 0.5, 0.8):
        await server.progress(title.runtime * share)
    await server.finish()
    await household.settled()
    await look(hass)
    await household.settled()
    assert len(await household.plays()) == seen + 1
    assert len(events) == 1


async def test_version_without_ids(hass: HomeAssistant, household: Household) -> None:
    """It goes by the name of its file, and is the same film all the same."""
    server = household.jellyfin.server
    await server.add_version(THE_SALT_ROAD, "4K", has_ids=False)
    await household.settled()
    for at in (ago(days=40), ago(days=20)):
        await server.mark_played(THE_SALT_ROAD, ALICE, at=at)
        await household.settled()
    await server.mark_played(THE_SALT_ROAD, ALICE, at=ago(days=20), version="4K")
    await household.settled()
    await server.mark_played(THE_SALT_ROAD, ALICE, version="4K")
    await household.settled()
    await server.play(THE_SALT_ROAD, ALICE, version="4K")
    await server.finish()
    await household.settled()
    await look(hass)
    plays = await household.plays()
    assert {play["title"] for play in plays} == {"The Salt Road"}
    assert {play["play_count"] for play in plays} == {len(plays)}


async def test_marked_by_hand(household: Household, title: Playable) -> None:
    """All versions are marked by that, which is one play."""
    await household.jellyfin.server.mark_played(title, ALICE)
    await household.settled()
    assert len(await household.plays()) == 1
