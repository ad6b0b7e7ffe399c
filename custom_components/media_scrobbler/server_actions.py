"""Actions: what arrives from servers, and what they hold."""

from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
import voluptuous as vol

from .library_scan import ScanResult
from .published import server_data
from .service_call import (
    ATTR_LIMIT,
    ATTR_SERVER,
    DEFAULT_LIMIT,
    LIMIT,
    SERVER_OPTIONAL,
    Action,
    invalid,
    servers_of,
)

_GET_WEBHOOK_LOG = vol.Schema(
    {**SERVER_OPTIONAL, vol.Optional(ATTR_LIMIT, default=DEFAULT_LIMIT): LIMIT}
)
_LIBRARY = vol.Schema(SERVER_OPTIONAL)


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


ACTIONS = (
    Action(
        "get_webhook_log",
        _async_get_webhook_log,
        _GET_WEBHOOK_LOG,
        SupportsResponse.ONLY,
    ),
    Action("scan_library", _async_scan_library, _LIBRARY),
    Action("clear_library", _async_clear_library, _LIBRARY),
)
