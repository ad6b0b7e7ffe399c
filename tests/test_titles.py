"""Which title it is that a webhook tells of, and which viewing of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
import pytest

from .common import ALICE_AT_JELLYFIN, Jellyfin, Plex, plays_of
from .conftest import Restart
from .simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    SLOW_FERRY,
    THE_SALT_ROAD,
    Episode,
    ExternalIds,
    Title,
)
from .simulators.jellyfin import JellyfinEvent
from .simulators.plex import PlexEvent


async def scrobbled(plex: Plex, title: Title, /, **metadata: Any) -> str:
    """Have something scrobbled whose metadata say this too, or leave out what is None."""
    payload = plex.simulator.payload(PlexEvent.SCROBBLE, title)
    payload["Metadata"] |= metadata
    payload["Metadata"] = {
        key: value for key, value in payload["Metadata"].items() if value is not None
    }
    status, said = await plex.send(json.dumps(payload).encode())
    assert status == 200
    outcome: str = said["outcome"]
    return outcome


async def stopped(jellyfin: Jellyfin, title: Title, /, **properties: Any) -> str:
    """Have something completed, of which the plugin says this too."""
    payload = jellyfin.simulator.payload(
        JellyfinEvent.PLAYBACK_STOP, title, ALICE_AT_JELLYFIN, completed=True
    )
    status, said = await jellyfin.send(json.dumps(payload | properties).encode())
    assert status == 200
    outcome: str = said["outcome"]
    return outcome


# An unknown year


@pytest.mark.parametrize("jellyfin_first", [True, False])
async def test_a_film_without_year_and_ids_beside_one_with_both(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    jellyfin_first: bool,
) -> None:
    bare = {"year": None, "guid": "local://77", "Guid": None}
    outcomes = []
    if jellyfin_first:
        outcomes.append(await stopped(jellyfin, THE_SALT_ROAD))
    outcomes.append(await scrobbled(plex, THE_SALT_ROAD, **bare))
    if not jellyfin_first:
        outcomes.append(await stopped(jellyfin, THE_SALT_ROAD))

    assert outcomes == ["recorded", "merged"]
    (play,) = await plays_of(hass, alice)
    assert (play["year"], play["ids"]["tmdb"]) == (2019, 918273)


async def test_a_film_that_returns_as_another_item(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    nothing_else = {"guid": "local://77", "Guid": None}
    assert await scrobbled(plex, THE_SALT_ROAD, ratingKey="77") == "recorded"
    freezer.tick(timedelta(days=3))
    for key in ("99", "111"):
        freezer.tick(timedelta(days=1))
        said = await scrobbled(plex, THE_SALT_ROAD, ratingKey=key, **nothing_else)
        assert said == "recorded"

    plays = await plays_of(hass, alice)
    assert [play["rewatch"] for play in plays] == [True, True, False]


async def test_a_remake_is_another_film(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], restart: Restart
) -> None:
    remake = replace(THE_SALT_ROAD, year=2020, ids=ExternalIds())
    assert await scrobbled(plex, THE_SALT_ROAD) == "recorded"
    assert await scrobbled(plex, remake, guid="local://9", ratingKey="9") == "recorded"

    hass, _ = await restart()
    plays = await plays_of(hass, alice)
    assert [play["play_count"] for play in plays] == [1, 1]


# Episodes that go by one number


def another(episode: Episode) -> Episode:
    """Return an episode that goes by the same number elsewhere."""
    ids = ExternalIds(tmdb=7_000_001, imdb="tt7000001", tvdb=7_000_002)
    return replace(episode, title="Another", ids=ids)


async def test_two_orders_of_a_show(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    restart: Restart,
) -> None:
    assert await scrobbled(plex, LOW_WATER) == "recorded"
    assert await stopped(jellyfin, another(LOW_WATER)) == "recorded"

    hass, _ = await restart()
    plays = await plays_of(hass, alice)
    assert {play["title"]: play["play_count"] for play in plays} == {
        "Low Water": 1,
        "Another": 1,
    }


async def test_a_special_in_the_folder_of_a_season(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    special = replace(another(LOW_WATER), season=0, number=5)
    as_in_its_folder = {
        "SeasonNumber": LOW_WATER.season,
        "EpisodeNumber": LOW_WATER.number,
    }

    assert await stopped(jellyfin, special, **as_in_its_folder) == "recorded"
    assert await stopped(jellyfin, LOW_WATER) == "recorded"
    assert await stopped(jellyfin, special, **as_in_its_folder) == "merged"

    plays = await plays_of(hass, alice)
    assert {play["title"] for play in plays} == {"Low Water", "Another"}


async def test_a_season_whose_episodes_have_the_ids_of_their_show(
    hass: HomeAssistant, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    ids = ExternalIds(tmdb=288104, imdb="tt9288104", tvdb=438120)
    for episode in (LOW_WATER, FOG_SIGNAL):
        assert await stopped(jellyfin, replace(episode, ids=ids)) == "recorded"

    assert [play["play_count"] for play in await plays_of(hass, alice)] == [1, 1]


async def test_an_id_of_a_custom_provider_outlives_a_library(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    provider = "tv.plex.agents.custom.shoko.relay"
    of_provider = {
        "guid": f"{provider}://episode/e1",
        "grandparentGuid": f"{provider}://show/s1",
        "Guid": None,
    }
    for number, name in ((10, "Low Water"), (20, "Ebbe")):
        said = await scrobbled(
            plex,
            LOW_WATER,
            **of_provider,
            title=name,
            grandparentTitle=name,
            ratingKey=str(number),
            grandparentRatingKey=str(number + 1),
        )
        assert said == "recorded"
        freezer.tick(timedelta(days=1))

    plays = await plays_of(hass, alice)
    assert [play["rewatch"] for play in plays] == [True, False]
    assert plays[0]["ids"] == {"custom_shoko_relay": f"{provider}://episode/e1"}


# Viewings of what is of unknown length


@pytest.mark.parametrize(
    ("title", "minutes", "outcomes"),
    [
        pytest.param(SLOW_FERRY, 4, ["recorded"] * 3, id="song on repeat"),
        pytest.param(
            SLOW_FERRY, 0.5, ["recorded", "merged", "merged"], id="song twice"
        ),
        pytest.param(LOW_WATER, 10, ["recorded", "merged", "merged"], id="episode"),
        pytest.param(LOW_WATER, 31, ["recorded"] * 3, id="episode again"),
        pytest.param(THE_SALT_ROAD, 14, ["recorded", "merged", "merged"], id="film"),
    ],
)
async def test_viewings_of_unknown_length(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
    title: Title,
    minutes: float,
    outcomes: list[str],
) -> None:
    """A song is no film; the window is that of the first report."""
    said = []
    for _ in outcomes:
        said.append(await scrobbled(plex, title, duration=None))
        freezer.tick(timedelta(minutes=minutes))

    assert said == outcomes


async def test_a_length_that_another_play_tells(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Of an episode of 22 minutes that is known of a play of last week."""
    episode = replace(LOW_WATER, runtime=timedelta(minutes=22))
    assert await stopped(jellyfin, episode) == "recorded"
    freezer.move_to(datetime.now(UTC) + timedelta(days=7))
    said = []
    for _ in range(3):
        said.append(await scrobbled(plex, episode, duration=None))
        freezer.tick(timedelta(minutes=10))

    assert said == ["recorded", "merged", "recorded"]
