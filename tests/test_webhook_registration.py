"""Our webhook at a server: put there, put back, moved, and why it cannot be."""

from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.media_scrobbler.const import DOMAIN

from .common import answer, start_flow
from .conftest import Restart
from .signed_in import Home, JellyfinHome, PlexHome, later, quiet, until
from .simulators.catalogue import SLOW_FERRY
from .simulators.jellyfin import JellyfinUser
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.plex_server import PlexStandIn

THEIRS = "https://example.org/theirs"


def ours(entry: ConfigEntry[Any], address: str) -> str:
    """Return the URL of a server's webhook."""
    return f"{address}/api/webhook/{entry.data['webhook_id']}"


def issue(hass: HomeAssistant, entry: ConfigEntry[Any]) -> str | None:
    """Return what a person is told of an obstacle."""
    found = ir.async_get(hass).async_get_issue(DOMAIN, f"webhook_{entry.entry_id}")
    return found.translation_key if found and found.active else None


def add_theirs(home: Home) -> None:
    """Let somebody have another webhook at the server."""
    if isinstance(home, JellyfinHome):
        home.server.plugin.add_generic(THEIRS, ["PlaybackStop"])
    else:
        home.webhooks.append(THEIRS)


def writes(home: Home) -> int:
    """Return how often the list of webhooks was written."""
    if isinstance(home, PlexHome):
        return home.plex.tv.log.count_of("POST", "/api/v2/user/webhooks")
    return home.log.count_of("POST", "/Plugins/*/Configuration")


async def test_at_start(hass: HomeAssistant, home: Home, address: str) -> None:
    """It is added beside others, and not again with the next start."""
    add_theirs(home)
    entry = await home.sign_in(hass)
    await until(hass, lambda: len(home.webhooks) == 2)
    assert home.webhooks == [THEIRS, ours(entry, address)]
    await until(hass, lambda: entry.data.get("registered_url") == ours(entry, address))
    for _ in range(2):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await quiet(hass, home.log)
    assert writes(home) == 1
    assert issue(hass, entry) is None


async def test_put_back(hass: HomeAssistant, home: Home, address: str) -> None:
    """Somebody who removes it will find it there again some hours later."""
    add_theirs(home)
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    home.forget_webhook(ours(entry, address))
    await later(hass, minutes=30)
    await quiet(hass, home.log)
    assert home.webhooks == [THEIRS]
    await later(hass, hours=7)
    await until(hass, lambda: home.webhooks == [THEIRS, ours(entry, address)])


async def test_address_changes(hass: HomeAssistant, home: Home, address: str) -> None:
    """With a new address of Home Assistant's the old one goes, and only that."""
    add_theirs(home)
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    await hass.config.async_update(location_name="Elsewhere")
    new = "http://192.0.2.99:8123"
    await hass.config.async_update(internal_url=new)
    await until(hass, lambda: home.webhooks == [THEIRS, ours(entry, new)])
    await until(hass, lambda: entry.data["registered_url"] == ours(entry, new))
    assert writes(home) == 2


async def test_address_changes_while_down(
    hass: HomeAssistant, home: Home, address: str
) -> None:
    """What could not be done is done when the server is back."""
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    down = home.plex.tv.faults if isinstance(home, PlexHome) else home.faults
    new = "http://192.0.2.99:8123"
    with down.fail(503):
        await hass.config.async_update(internal_url=new)
        await quiet(hass, home.log)
        assert home.webhooks == [ours(entry, address)]
    await later(hass, minutes=6)
    await until(hass, lambda: home.webhooks == [ours(entry, new)])


async def test_address_changes_again_meanwhile(
    hass: HomeAssistant, home: Home, address: str
) -> None:
    """An address that comes while the one before is being written is not forgotten."""
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    slow = home.plex.tv.faults if isinstance(home, PlexHome) else home.faults
    with slow.slow(0.3):
        for host in (98, 99):
            await hass.config.async_update(internal_url=f"http://192.0.2.{host}:8123")
        await until(
            hass,
            lambda: home.webhooks == [ours(entry, "http://192.0.2.98:8123")],
        )
    await quiet(hass, home.log)
    await later(hass, minutes=6)
    await until(hass, lambda: home.webhooks == [ours(entry, "http://192.0.2.99:8123")])


async def test_from_outside(hass: HomeAssistant, home: Home, address: str) -> None:
    """A server elsewhere is told the address from outside."""
    outside = "https://home.example.org"
    await hass.config.async_update(external_url=outside)
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    assert home.webhooks == [ours(entry, address)]
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "local_only": False}
    )
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: home.webhooks == [ours(entry, outside)])


async def test_no_address(hass: HomeAssistant, home: Home, address: str) -> None:
    """Home Assistant may not know its own address, until a person tells it."""
    hass.config.api = None
    await hass.config.async_update(internal_url=None)
    entry = await home.sign_in(hass)
    await until(hass, lambda: issue(hass, entry))
    assert issue(hass, entry) == "webhook_no_url"
    assert home.webhooks == []
    await hass.config.async_update(internal_url=address)
    await until(hass, lambda: home.webhooks == [ours(entry, address)])
    await until(hass, lambda: issue(hass, entry) is None)


async def test_everybody_is_told_of(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, address: str
) -> None:
    """Who is added to the server later is heard of like everybody else."""
    home = JellyfinHome(jellyfin_at_home)
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    jellyfin_at_home.add_user("carol")
    assert await home.play("carol", SLOW_FERRY)


async def test_list_of_users_is_put_right(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, address: str
) -> None:
    """A webhook that is sent for some users only is sent for all, some hours later."""
    home = JellyfinHome(jellyfin_at_home)
    entry = await home.sign_in(hass, "alice")
    await until(hass, lambda: "registered_url" in entry.data)
    (ours,) = jellyfin_at_home.plugin.generic
    ours["UserFilter"] = [JellyfinUser.named("alice").id]
    ours["NotificationTypes"] += ["PendingRestart", "TaskCompleted"]
    await later(hass, hours=7)
    await until(hass, lambda: not jellyfin_at_home.plugin.generic[0]["UserFilter"])
    (ours,) = jellyfin_at_home.plugin.generic
    assert not {"PendingRestart", "TaskCompleted"} & set(ours["NotificationTypes"])
    assert await home.play("bob", SLOW_FERRY)


async def test_no_plugin(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, address: str
) -> None:
    """Without the plugin a person is told, until it is there."""
    jellyfin_at_home.plugin.installed = False
    home = JellyfinHome(jellyfin_at_home)
    entry = await home.sign_in(hass)
    await until(hass, lambda: issue(hass, entry))
    assert issue(hass, entry) == "webhook_no_webhook_plugin"
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: issue(hass, entry))
    jellyfin_at_home.plugin.installed = True
    await later(hass, hours=7)
    await until(hass, lambda: home.webhooks == [ours(entry, address)])
    await until(hass, lambda: issue(hass, entry) is None)


async def test_name_is_markup(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, address: str
) -> None:
    """What a server is called is shown to a person as it reads, wherever it is."""
    jellyfin_at_home.plugin.installed = False
    jellyfin_at_home.server.name = "<a href='http://example.org'>Sign in</a>"
    entry = await JellyfinHome(jellyfin_at_home).sign_in(hass)
    await until(hass, lambda: issue(hass, entry))
    assert entry.title == jellyfin_at_home.server.name
    told = ir.async_get(hass).async_get_issue(DOMAIN, f"webhook_{entry.entry_id}")
    assert told is not None
    shown = (told.translation_placeholders or {})["server"]
    assert not any(markup in shown for markup in ("<a", "</a", "://"))
    assert shown.replace("\u2060", "") == entry.title


async def test_no_administrator(
    hass: HomeAssistant, jellyfin_at_home: JellyfinStandIn, address: str
) -> None:
    """Who is no administrator cannot have it added, and has to be told only once."""
    result = await start_flow(hass, "jellyfin", "jellyfin_password")
    result = await answer(
        hass,
        result,
        url=jellyfin_at_home.url,
        username="bob",
        password="",
        verify_ssl=True,
    )
    result = await answer(hass, result, local_only=True)
    result = await answer(hass, result, accounts=[])
    entry = result["result"]
    await until(hass, lambda: issue(hass, entry))
    assert issue(hass, entry) == "webhook_no_administrator"


async def test_no_plex_pass(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str, restart: Restart
) -> None:
    """Without Plex Pass a person is told, also after a restart."""
    plex_at_home.owner.plex_pass = False
    home = PlexHome(plex_at_home)
    entry = await home.sign_in(hass)
    await until(hass, lambda: issue(hass, entry))
    assert issue(hass, entry) == "webhook_no_plex_pass"

    hass, _ = await restart()
    again = hass.config_entries.async_get_entry(entry.entry_id)
    assert again is not None
    await until(hass, lambda: issue(hass, again))


@pytest.mark.parametrize("remove", [True, False])
async def test_issue_goes_with_the_entry(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str, remove: bool
) -> None:
    """Nobody is told of what is not there any more."""
    plex_at_home.owner.plex_pass = False
    entry = await PlexHome(plex_at_home).sign_in(hass)
    await until(hass, lambda: issue(hass, entry))
    if remove:
        await hass.config_entries.async_remove(entry.entry_id)
    else:
        await hass.config_entries.async_set_disabled_by(
            entry.entry_id, ConfigEntryDisabler.USER
        )
    await hass.async_block_till_done()
    assert issue(hass, entry) is None


async def test_plex_pass_is_bought(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """From then on the webhook is there, without anybody doing anything."""
    plex_at_home.owner.plex_pass = False
    home = PlexHome(plex_at_home)
    entry = await home.sign_in(hass)
    await until(hass, lambda: issue(hass, entry))
    plex_at_home.owner.plex_pass = True
    await later(hass, hours=7)
    await until(hass, lambda: home.webhooks == [ours(entry, address)])
    await until(hass, lambda: issue(hass, entry) is None)


async def test_signed_out_at_plex_tv(
    hass: HomeAssistant, plex_at_home: PlexStandIn, address: str
) -> None:
    """plex.tv may not know the token any more while the server still does."""
    home = PlexHome(plex_at_home)
    entry = await home.sign_in(hass)
    await until(hass, lambda: "registered_url" in entry.data)
    with plex_at_home.tv.faults.fail(401):
        await later(hass, hours=7)
        await until(
            hass,
            lambda: any(
                flow["context"]["source"] == SOURCE_REAUTH
                for flow in hass.config_entries.flow.async_progress()
            ),
        )
