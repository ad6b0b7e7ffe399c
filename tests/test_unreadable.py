"""Files that cannot be read, in whole or in part: nothing in them is lost, the rest goes on."""

from dataclasses import replace
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.domain.play import Report, Source, SourceKind
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.scrobbler import DATA_SCROBBLER

from .common import BOB_AT_PLEX, Plex, call, move_time, plays_of
from .conftest import Restart
from .simulators.catalogue import LOW_WATER, PAPER_ORCHARD, THE_SALT_ROAD
from .simulators.plex import PlexAccount, PlexEvent
from .test_repairs import issues, stored
from .wanted import failing


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
async def test_a_play_at_an_impossible_time(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    restart: Restart,
    time: str,
) -> None:
    """Only what cannot be understood is missing, and its file is not touched."""
    for title in (THE_SALT_ROAD, PAPER_ORCHARD):
        await plex.report(PlexEvent.SCROBBLE, title)
    path = stored(hass, f"history.{alice.entry_id}")
    whole = path.read_text(encoding="utf-8")
    content = json.loads(whole)
    content["data"]["plays"][0]["watched_at"] = time
    damaged = json.dumps(content)
    path.write_text(damaged, encoding="utf-8")
    hass, client = await restart()
    plex = replace(plex, client=client)
    (issue,) = issues(hass).values()
    assert issue.translation_placeholders == {
        "viewer": "Alice",
        "files": f"- `{path}`",
    }

    (known,) = await plays_of(hass, alice)
    assert known["title"] == "Paper Orchard"
    said = await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD)
    assert said["outcome"] == "merged"
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "recorded"
    change = {"viewer": alice.entry_id, "play_id": known["play_id"]}
    with failing("not_readable"):
        await call(hass, "update_play", **change, year=2001)
    with failing("not_readable"):
        await call(hass, "remove_play", **change)
    assert path.read_text(encoding="utf-8") == damaged

    path.write_text(whole, encoding="utf-8")
    hass, _ = await restart()
    assert issues(hass) == {}
    assert {play["title"] for play in await plays_of(hass, alice)} == {
        "The Salt Road",
        "Paper Orchard",
        "Low Water",
    }


async def test_what_was_removed_stays_removed(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], restart: Restart
) -> None:
    """The file of what a person has removed is not written over when it is damaged."""
    for title in (THE_SALT_ROAD, PAPER_ORCHARD):
        await plex.report(PlexEvent.SCROBBLE, title)

    async def remove_one() -> None:
        (play_id, *_) = [play["play_id"] for play in await plays_of(hass, alice)]
        await call(hass, "remove_play", viewer=alice.entry_id, play_id=play_id)

    await remove_one()
    path = stored(hass, "dismissed")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    hass, _ = await restart()
    (issue,) = issues(hass).values()
    assert issue.translation_placeholders == {
        "viewer": "Alice",
        "files": f"- `{path}`",
    }

    await remove_one()
    assert path.read_bytes() == whole[:-10]

    path.write_bytes(whole)
    hass, _ = await restart()
    assert issues(hass) == {}
    viewer = hass.data[DATA_SCROBBLER].viewers[alice.entry_id]
    for title in (THE_SALT_ROAD, PAPER_ORCHARD):
        known = Title(media_type=MediaType.MOVIE, title=title.title, year=title.year)
        assert viewer.dismissed.has(
            Report(
                title=known,
                watched_at=dt_util.utcnow(),
                source=Source(kind=SourceKind.SERVER_HISTORY, at=dt_util.utcnow()),
            )
        )


async def test_accounts_that_cannot_be_read_wait(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], restart: Restart
) -> None:
    """What is held for an account is offered again once its file has been mended."""
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD, BOB_AT_PLEX)
    assert said["outcome"] == "held"
    path = stored(hass, "accounts")
    whole = path.read_bytes()
    path.write_bytes(b"damaged")
    hass, client = await restart()
    plex = replace(plex, client=client)
    (issue,) = issues(hass).values()
    assert issue.translation_key == "inbox_unreadable"
    assert issue.translation_placeholders == {"files": f"- `{path}`"}

    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["viewers"] == ["Alice"]
    carol = PlexAccount.home_user("carol")
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER, carol)
    assert said["outcome"] == "held"
    assert path.read_bytes() == b"damaged"

    path.write_bytes(whole)
    hass, _ = await restart()
    assert issues(hass) == {}
    offered = {
        flow["context"]["unique_id"]
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    }
    assert offered == {plex.key(BOB_AT_PLEX), plex.key(carol)}


async def test_files_of_a_server(
    hass: HomeAssistant,
    plex: Plex,
    restart: Restart,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A log that cannot be read is not written, and goes on in memory."""
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await move_time(hass, freezer, seconds=31)
    path = stored(hass, "webhook_log")
    whole = path.read_bytes()
    content = json.loads(whole)
    content["data"]["events"][0]["outcome"] = 5
    damaged = json.dumps(content).encode()
    path.write_bytes(damaged)
    hass, client = await restart()
    plex = replace(plex, client=client)
    (issue,) = issues(hass).values()
    assert issue.translation_placeholders == {"server": "Plex", "files": f"- `{path}`"}

    await plex.report(PlexEvent.PAUSE, THE_SALT_ROAD)
    await move_time(hass, freezer, seconds=31)
    (event,) = (await call(hass, "get_webhook_log"))["events"]
    assert event["event"] == "media.pause"
    assert path.read_bytes() == damaged

    path.write_bytes(whole)
    hass, _ = await restart()
    assert issues(hass) == {}
    (event,) = (await call(hass, "get_webhook_log"))["events"]
    assert event["event"] == "media.play"
