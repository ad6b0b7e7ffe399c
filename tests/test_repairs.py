"""Repair issues: files that cannot be read or written, and the way out of that."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.media_scrobbler.const import DOMAIN

from .common import ALICE_AT_PLEX, Plex, call, move_time, plays_of, settle
from .conftest import Restart
from .simulators.catalogue import LOW_WATER, PAPER_ORCHARD, THE_SALT_ROAD
from .simulators.plex import PlexEvent
from .texts import assert_translated, placeholders, text

type Post = Callable[..., Awaitable[dict[str, Any]]]


def stored(hass: HomeAssistant, key: str) -> Path:
    """Return the one file whose name begins with a key."""
    (found,) = Path(hass.config.path(".storage")).glob(f"{DOMAIN}.{key}*")
    return found


async def damage(hass: HomeAssistant, viewer: ConfigEntry[Any], path: Path) -> None:
    """Damage a file of a viewer while nobody looks."""
    disable = hass.config_entries.async_set_disabled_by
    await disable(viewer.entry_id, ConfigEntryDisabler.USER)
    path.write_bytes(b"damaged")
    await disable(viewer.entry_id, None)


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the open issues by id; each must have its texts."""
    found = {
        issue.issue_id: issue
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    }
    for issue in found.values():
        texts = text("issues", issue.translation_key or "")
        given = set(issue.translation_placeholders or {})
        assert placeholders(texts["title"]) <= given
        assert placeholders(texts.get("description", "")) <= given
    return found


@pytest.fixture
async def post(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> Post:
    """Return a function that goes on with a repair, as the user interface does."""

    async def send(flow_id: str = "", **data: Any) -> dict[str, Any]:
        client = await hass_client()
        url = (
            f"/api/repairs/issues/fix/{flow_id}"
            if flow_id
            else ("/api/repairs/issues/fix")
        )
        async with client.post(url, json=data) as response:
            assert response.status == 200
            result: dict[str, Any] = await response.json()
            return result

    return send


@pytest.mark.parametrize("damage", ["{", '{"version": 2, "data": {}}', "[]"])
@pytest.mark.parametrize("what", ["history", "ratings"])
async def test_unreadable(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    restart: Restart,
    what: str,
    damage: str,
) -> None:
    """A file that cannot be read is left as it is, and the rest goes on."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await plex.report(PlexEvent.RATE, THE_SALT_ROAD, ALICE_AT_PLEX, rating=8)
    path = stored(hass, f"{what}.{alice.entry_id}")
    whole = path.read_bytes()
    path.write_text(damage, encoding="utf-8")
    hass, client = await restart()
    plex = replace(plex, client=client)
    (issue,) = issues(hass).values()
    assert issue.is_fixable
    assert issue.severity is ir.IssueSeverity.ERROR
    assert issue.translation_placeholders == {
        "viewer": "Alice",
        "files": f"- `{path}`",
    }

    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "recorded"
    said = await plex.report(PlexEvent.RATE, LOW_WATER, ALICE_AT_PLEX, rating=3)
    assert said["outcome"] == ("updated" if what == "history" else "rejected")
    assert path.read_text(encoding="utf-8") == damage

    path.write_bytes(whole)
    hass, _ = await restart()
    assert issues(hass) == {}
    (movie,) = [
        play for play in await plays_of(hass, alice) if play["title"] == "The Salt Road"
    ]
    assert movie["rating"] == 8
    assert len(await plays_of(hass, alice)) == 2


async def test_read_again(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], post: Post
) -> None:
    """Files that have been mended are read again without a restart."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    await plex.report(PlexEvent.RATE, THE_SALT_ROAD, ALICE_AT_PLEX, rating=8)
    path = stored(hass, f"ratings.{alice.entry_id}")
    whole = path.read_bytes()
    await damage(hass, alice, path)
    (issue_id,) = issues(hass)

    result = await post(handler=DOMAIN, issue_id=issue_id)
    texts = ("issues", "unreadable", "fix_flow")
    steps = text(*texts, "step", "confirm")
    assert result["step_id"] == "confirm"
    assert result["description_placeholders"] == {
        "viewer": "Alice",
        "files": f"- `{path}`",
    }
    assert placeholders(steps["description"]) == {"viewer", "files"}

    result = await post(result["flow_id"])
    assert result["errors"] == {"base": "still_unreadable"}
    assert text(*texts, "error", "still_unreadable")
    assert issues(hass).keys() == {issue_id}

    path.write_bytes(whole)
    result = await post(result["flow_id"])
    assert result["type"] == "create_entry"
    assert issues(hass) == {}
    assert (await plays_of(hass, alice))[0]["rating"] == 8


@pytest.mark.parametrize("how", ["disabled", "removed"])
async def test_viewer_is_gone(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any], post: Post, how: str
) -> None:
    """There is nothing to repair for a viewer who has been removed or disabled."""
    await plex.report(PlexEvent.RATE, THE_SALT_ROAD, ALICE_AT_PLEX, rating=8)
    await damage(hass, alice, stored(hass, f"ratings.{alice.entry_id}"))
    (issue_id,) = issues(hass)
    result = await post(handler=DOMAIN, issue_id=issue_id)
    if how == "disabled":
        await hass.config_entries.async_set_disabled_by(
            alice.entry_id, ConfigEntryDisabler.USER
        )
    else:
        await hass.config_entries.async_remove(alice.entry_id)
    assert issues(hass) == {}
    result = await post(result["flow_id"])
    assert (result["type"], result["reason"]) == ("abort", "viewer_gone")
    assert_translated({**result, "type": "abort"}, "issues", "unreadable", "fix_flow")


async def test_not_written(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """What cannot be written is told, kept, tried again and then published."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    path = stored(hass, f"history.{alice.entry_id}")
    path.unlink()
    path.mkdir()
    scrobbles: list[Any] = []
    hass.bus.async_listen("media_scrobbler_scrobble", scrobbles.append)
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "held"
    (issue,) = issues(hass).values()
    assert not issue.is_fixable
    assert issue.translation_placeholders == {"viewer": "Alice"}
    assert scrobbles == []

    await move_time(hass, freezer, seconds=6)
    assert len(issues(hass)) == 1
    path.rmdir()
    await move_time(hass, freezer, seconds=16)
    await settle(hass)
    assert issues(hass) == {}
    assert [event.data["title"] for event in scrobbles] == ["Low Water"]
    assert path.is_file()
    response = await call(hass, "get_history", viewer=alice.entry_id)
    assert response["total"] == 2
    said = await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD)
    assert said["outcome"] == "recorded"
