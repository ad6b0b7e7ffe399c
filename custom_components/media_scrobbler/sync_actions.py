"""Actions: bringing servers in step with histories."""

from dataclasses import fields
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError
import voluptuous as vol

from .domain.event import ServerType
from .scrobbler import DATA_SCROBBLER
from .service_call import SERVER, VIEWER, Action, async_servers, async_viewers, invalid
from .sync_run import SyncResult

ATTR_ALLOW_MASS_UNWATCH = "allow_mass_unwatch"
ATTR_DRY_RUN = "dry_run"

_SYNC_JELLYFIN = vol.Schema(
    {
        **VIEWER,
        **SERVER,
        vol.Optional(ATTR_DRY_RUN, default=False): bool,
        vol.Optional(ATTR_ALLOW_MASS_UNWATCH, default=False): bool,
    }
)


async def _async_sync_jellyfin(call: ServiceCall) -> ServiceResponse:
    """Bring one server after the other in step; returns what that came to in all."""
    history_sync = call.hass.data[DATA_SCROBBLER].history_sync
    viewers = (await async_viewers(call, or_servers=True)).found
    dry_run = call.data[ATTR_DRY_RUN]
    chosen = await async_servers(call, or_viewers=True)
    servers = [
        server
        for server in chosen.found
        if server.type is ServerType.JELLYFIN
        and (server.is_signed_in or chosen.are_named)
    ]
    if not servers:
        raise invalid("no_jellyfin_server")
    linked = [
        server for server in servers if history_sync.has_accounts(server, viewers)
    ]
    if not linked:
        raise invalid("no_jellyfin_account")
    failed: HomeAssistantError | None = None
    results: list[SyncResult] = []
    for server in linked:
        try:
            results.append(
                await history_sync.async_run(
                    server,
                    viewers,
                    dry_run=dry_run,
                    allow_mass_unwatch=call.data[ATTR_ALLOW_MASS_UNWATCH],
                )
            )
        except HomeAssistantError as err:
            # The other servers are brought in step all the same.
            failed = err
    if failed is not None:
        raise failed
    totals: dict[str, Any] = {}
    for field in fields(SyncResult):
        values = [getattr(result, field.name) for result in results]
        if field.name == "waiting" and not any(values):
            continue
        if not isinstance(values[0], list):
            totals[field.name] = sum(values)
        elif dry_run:
            totals[field.name] = [name for names in values for name in names]
    return totals


ACTIONS = (
    Action(
        "sync_jellyfin", _async_sync_jellyfin, _SYNC_JELLYFIN, for_administrators=True
    ),
)
