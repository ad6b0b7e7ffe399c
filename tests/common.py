"""What the tests share: adding servers and viewers, sending webhooks, finding entities."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.const import DOMAIN

from .simulators.catalogue import HARBOUR_LIGHTS, LOW_WATER, Title
from .simulators.jellyfin import (
    JellyfinDevice,
    JellyfinEvent,
    JellyfinServer,
    JellyfinUser,
)
from .simulators.plex import PlexAccount, PlexEvent, PlexServer
from .texts import assert_translated

ALICE_AT_PLEX = PlexAccount.owner("alice")
BOB_AT_PLEX = PlexAccount.home_user("bob")
ALICE_AT_JELLYFIN = JellyfinUser.named("alice")
BOB_AT_JELLYFIN = JellyfinUser.named("bob")


@dataclass(kw_only=True)
class MediaServer[S: (PlexServer, JellyfinServer)]:
    """A server that has been added, and the stand-in that sends its webhooks."""

    entry: ConfigEntry[Any]
    client: TestClient[Any, Any]
    simulator: S

    @property
    def path(self) -> str:
        """Return the path of the webhook's URL."""
        return f"/api/webhook/{self.entry.data['webhook_id']}"

    def key(self, account: PlexAccount | JellyfinUser) -> str:
        """Return what a viewer is linked to an account of this server by."""
        return f"{self.entry.entry_id}:{account.id}"

    async def send(
        self, body: bytes, content_type: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        """Send a body to the webhook; returns the HTTP status and the answer."""
        async with self.client.post(
            self.path, data=body, headers={"Content-Type": content_type}
        ) as response:
            return response.status, await response.json()

    async def report(
        self, event: str, title: Title | None = None, *who: Any, **details: Any
    ) -> dict[str, Any]:
        """Have the stand-in report an event; returns the answer.

        `who` is the account and the player, the details are those of the stand-in.
        """
        status, answer = await self.send(
            *self.simulator.body(event, title, *who, **details)
        )
        assert status == 200
        return answer

    async def introduce(self, account: PlexAccount | JellyfinUser) -> str:
        """Make an account known by something that leaves no other trace; returns its key."""
        if isinstance(self.simulator, PlexServer):
            await self.report(PlexEvent.RATE, HARBOUR_LIGHTS, account)
        else:
            nowhere = JellyfinDevice("", "")
            await self.report(JellyfinEvent.PLAYBACK_START, LOW_WATER, account, nowhere)
        return self.key(account)


type Plex = MediaServer[PlexServer]
type Jellyfin = MediaServer[JellyfinServer]


async def start_flow(hass: HomeAssistant, *choices: str) -> ConfigFlowResult:
    """Start to add something; `choices` are those made in the menus."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert_translated(result, "config")
    for choice in choices:
        result = await answer(hass, result, next_step_id=choice)
    return result


async def answer(
    hass: HomeAssistant, result: ConfigFlowResult, **values: Any
) -> ConfigFlowResult:
    """Submit a step of a config or options flow; every text shown has to be there."""
    manager: Any = hass.config_entries.flow
    category = "config"
    if hass.config_entries.async_get_entry(result["handler"]) is not None:
        manager, category = hass.config_entries.options, "options"
    result = await manager.async_configure(result["flow_id"], values)
    await hass.async_block_till_done()
    assert_translated(result, category)
    return result


async def add_server(
    hass: HomeAssistant, kind: str, name: str, *, local_only: bool = True
) -> ConfigEntry[Any]:
    """Add a server that is known by its webhooks only."""
    result = await start_flow(hass, kind, f"{kind}_webhook_only")
    result = await answer(hass, result, name=name)
    result = await answer(hass, result, local_only=local_only)
    entry: ConfigEntry[Any] = result["result"]
    return entry


async def viewer_settings(
    hass: HomeAssistant, viewer: ConfigEntry[Any]
) -> ConfigFlowResult:
    """Return the step of a viewer's options that asks how to record and to want."""
    result = await hass.config_entries.options.async_init(viewer.entry_id)
    assert_translated(result, "options")
    return await answer(hass, result, next_step_id="settings")


async def add_viewer(
    hass: HomeAssistant,
    name: str,
    accounts: Iterable[str] = (),
    *,
    person: str | None = None,
) -> ConfigEntry[Any]:
    """Add a viewer; the accounts are keys of ones that are known."""
    values: dict[str, Any] = {"name": name}
    if keys := list(accounts):
        values["accounts"] = keys
    if person is not None:
        values["person"] = person
    result = await answer(hass, await start_flow(hass, "viewer"), **values)
    entry: ConfigEntry[Any] = result["result"]
    return entry


def entity_id_of(
    hass: HomeAssistant, platform: str, entry: ConfigEntry[Any], key: str
) -> str:
    """Return the id of an entity of a server or viewer."""
    entity_id = er.async_get(hass).async_get_entity_id(
        platform, DOMAIN, f"{entry.entry_id}_{key}"
    )
    assert entity_id is not None
    return entity_id


def device_of(
    hass: HomeAssistant, entry: ConfigEntry[Any], identifier: str | None = None
) -> dr.DeviceEntry:
    """Return the device of a server or viewer, or another of its devices."""
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, identifier or entry.entry_id), entry.entry_id
    )
    assert device is not None
    return device


async def settle(hass: HomeAssistant) -> None:
    """Let the moment pass for which entities hold back their updates."""
    await hass.async_block_till_done()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=1))
    await hass.async_block_till_done()


async def move_time(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, **by: float
) -> None:
    """Move the time on and let happen what is due by then."""
    freezer.tick(timedelta(**by))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


async def call(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    """Perform an action and return its response."""
    response = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )
    assert response is not None
    return dict(response)


async def plays_of(
    hass: HomeAssistant, viewer: ConfigEntry[Any]
) -> list[dict[str, Any]]:
    """Return a viewer's plays, the newest first."""
    response = await call(hass, "get_history", viewer=viewer.entry_id)
    plays: list[dict[str, Any]] = response["plays"]
    return plays
