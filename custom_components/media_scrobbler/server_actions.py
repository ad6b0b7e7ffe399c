"""Actions: what arrives from servers, and what they hold."""

from collections import Counter
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from .const import DOMAIN
from .domain.event import ServerType
from .domain.outcome import Outcome
from .library_scan import ScanResult
from .published import server_data
from .scrobbler import DATA_SCROBBLER
from .service_call import (
    ATTR_LIMIT,
    DEFAULT_LIMIT,
    LIMIT,
    SERVER,
    VIEWER,
    Action,
    async_servers,
    async_viewers,
    invalid,
    time_of,
)

ATTR_BEGUN_TRACKS = "begun_tracks"
ATTR_SINCE = "since"

_GET_WEBHOOK_LOG = vol.Schema(
    {**SERVER, vol.Optional(ATTR_LIMIT, default=DEFAULT_LIMIT): LIMIT}
)
_LIBRARY = vol.Schema(SERVER)
_IMPORT_HISTORY = vol.Schema(
    {
        **SERVER,
        **VIEWER,
        vol.Optional(ATTR_SINCE): cv.datetime,
        vol.Optional(ATTR_BEGUN_TRACKS, default=False): cv.boolean,
    }
)


async def _async_get_webhook_log(call: ServiceCall) -> ServiceResponse:
    limit = call.data[ATTR_LIMIT]
    events: list[dict[str, Any]] = [
        {**entry, **server_data(server)}
        for server in (await async_servers(call)).found
        for entry in server.log.newest(limit)
    ]
    events.sort(key=lambda entry: entry["at"], reverse=True)
    return {"events": list(events[:limit])}


async def _async_scan_library(call: ServiceCall) -> ServiceResponse:
    """Scan one library after the other; returns what there is in all of them."""
    chosen = await async_servers(call)
    servers = [
        server for server in chosen.found if server.is_signed_in or chosen.are_named
    ]
    if not servers:
        raise invalid("no_server_to_scan")
    failed: HomeAssistantError | None = None
    results: list[ScanResult] = []
    for server in servers:
        try:
            results.append(await server.scanner.async_scan())
        except HomeAssistantError as err:
            # The other servers are scanned all the same.
            failed = err
    if failed is not None:
        raise failed
    return {
        key: sum(getattr(result, key) for result in results)
        for key in ScanResult.__slots__
    }


async def _async_clear_library(call: ServiceCall) -> ServiceResponse:
    return {
        "removed": sum(
            [
                await server.async_clear_library()
                for server in (await async_servers(call)).found
            ]
        )
    }


async def _async_import_history(call: ServiceCall) -> ServiceResponse:
    """Import one server's history after the other; returns what became of all of them."""
    viewers = await async_viewers(call, or_servers=True)
    since = time_of(call, ATTR_SINCE)
    chosen = await async_servers(call, or_viewers=True)
    servers = [
        server for server in chosen.found if server.is_signed_in or chosen.are_named
    ]
    if not servers:
        raise invalid("no_server_to_ask")
    # What Jellyfin leaves open is plain where all that was watched elsewhere is known.
    servers.sort(key=lambda server: server.type is ServerType.JELLYFIN)
    outcomes: Counter[Outcome] = Counter()
    failed: HomeAssistantError | None = None
    for server in servers:
        for viewer in viewers.found if viewers.are_named else (None,):
            try:
                outcomes += await server.async_import_history(
                    viewer, since, begun_tracks=call.data[ATTR_BEGUN_TRACKS]
                )
            except HomeAssistantError as err:
                # The other servers are asked all the same.
                failed = err
    scrobbler = call.hass.data[DATA_SCROBBLER]
    call.hass.async_create_background_task(
        scrobbler.history_sync.async_bring_in_step(list(scrobbler.servers.values())),
        f"{DOMAIN} sync",
    )
    if failed is not None:
        raise failed
    return {
        outcome.value: outcomes[outcome]
        for outcome in (
            Outcome.RECORDED,
            Outcome.MERGED,
            Outcome.HELD,
            Outcome.IGNORED,
        )
    }


ACTIONS = (
    Action(
        "get_webhook_log",
        _async_get_webhook_log,
        _GET_WEBHOOK_LOG,
        SupportsResponse.ONLY,
        for_administrators=True,
    ),
    Action(
        "import_history",
        _async_import_history,
        _IMPORT_HISTORY,
        for_administrators=True,
    ),
    Action("scan_library", _async_scan_library, _LIBRARY, for_administrators=True),
    Action("clear_library", _async_clear_library, _LIBRARY, for_administrators=True),
)
