"""What the tests share: adding servers and viewers, sending webhooks, finding entities."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from custom_components.media_scrobbler.const import DOMAIN

from .simulators.catalogue import HARBOUR_LIGHTS, Title
from .simulators.jellyfin import JellyfinEvent, JellyfinServer, JellyfinUser
from .simulators.plex import PlexAccount, PlexEvent, PlexServer

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
            await self.report(JellyfinEvent.SESSION_START, None, account)
        return self.key(account)


async def start_flow(hass: HomeAssistant, *choices: str) -> ConfigFlowResult:
    """Start to add something; `choices` are those made in the menus."""
    flows = hass.config_entries.flow
    result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
    for choice in choices:
        result = await flows.async_configure(
            result["flow_id"], {"next_step_id": choice}
        )
    return result


async def add_server(
    hass: HomeAssistant, kind: str, name: str, *, local_only: bool = True
) -> ConfigEntry[Any]:
    """Add a server that is known by its webhooks only."""
    flows = hass.config_entries.flow
    result = await start_flow(hass, kind, f"{kind}_webhook_only")
    for answers in ({"name": name}, {"local_only": local_only}):
        result = await flows.async_configure(result["flow_id"], answers)
    await hass.async_block_till_done()
    entry: ConfigEntry[Any] = result["result"]
    return entry


async def add_viewer(
    hass: HomeAssistant,
    name: str,
    accounts: Iterable[str] = (),
    *,
    person: str | None = None,
) -> ConfigEntry[Any]:
    """Add a viewer; the accounts are keys of ones that are known."""
    answers: dict[str, Any] = {"name": name}
    if keys := list(accounts):
        answers["accounts"] = keys
    if person is not None:
        answers["person"] = person
    result = await start_flow(hass, "viewer")
    result = await hass.config_entries.flow.async_configure(result["flow_id"], answers)
    await hass.async_block_till_done()
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


async def call(
    hass: HomeAssistant, action: str, **data: Any
) -> dict[str, Any]:
    """Perform an action and return its response."""
    response = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )
    assert response is not None
    return dict(response)


async def plays_of(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> list[dict[str, Any]]:
    """Return a viewer's plays, the newest first."""
    response = await call(hass, "get_history", viewer=viewer.entry_id)
    plays: list[dict[str, Any]] = response["plays"]
    return plays
