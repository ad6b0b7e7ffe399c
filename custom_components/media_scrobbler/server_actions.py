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
    ATTR_SERVER,
    ATTR_VIEWER,
    DEFAULT_LIMIT,
    LIMIT,
    SERVER_OPTIONAL,
    VIEWER_OPTIONAL,
    Action,
    invalid,
    servers_of,
    time_of,
    viewer_of,
)

ATTR_SINCE = "since"

_GET_WEBHOOK_LOG = vol.Schema(
    {**SERVER_OPTIONAL, vol.Optional(ATTR_LIMIT, default=DEFAULT_LIMIT): LIMIT}
)
_LIBRARY = vol.Schema(SERVER_OPTIONAL)
_IMPORT_HISTORY = vol.Schema(
    {**SERVER_OPTIONAL, **VIEWER_OPTIONAL, vol.Optional(ATTR_SINCE): cv.datetime}
)


async def _async_get_webhook_log(call: ServiceCall) -> ServiceResponse:
    limit = call.data[ATTR_LIMIT]
    events: list[dict[str, Any]] = [
        {**entry, **server_data(server)}
        for server in servers_of(call)
        for entry in server.log.newest(limit)
    ]
    events.sort(key=lambda entry: entry["at"], reverse=True)
    return {"events": list(events[:limit])}


async def _async_scan_library(call: ServiceCall) -> ServiceResponse:
    """Scan one library after the other; returns what there is in all of them."""
    servers = [
        server
        for server in servers_of(call)
        if server.is_signed_in or ATTR_SERVER in call.data
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
            [await server.async_clear_library() for server in servers_of(call)]
        )
    }


async def _async_import_history(call: ServiceCall) -> ServiceResponse:
    """Import one server's history after the other; returns what became of all of them."""
    viewer = viewer_of(call) if ATTR_VIEWER in call.data else None
    since = time_of(call, ATTR_SINCE)
    servers = [
        server
        for server in servers_of(call)
        if server.is_signed_in or ATTR_SERVER in call.data
    ]
    if not servers:
        raise invalid("no_server_to_ask")
    # What Jellyfin leaves open is plain where all that was watched elsewhere is known.
    servers.sort(key=lambda server: server.type is ServerType.JELLYFIN)
    outcomes: Counter[Outcome] = Counter()
    failed: HomeAssistantError | None = None
    for server in servers:
        try:
            outcomes += await server.async_import_history(viewer, since)
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
    ),
    Action("import_history", _async_import_history, _IMPORT_HISTORY),
    Action("scan_library", _async_scan_library, _LIBRARY),
    Action("clear_library", _async_clear_library, _LIBRARY),
)
