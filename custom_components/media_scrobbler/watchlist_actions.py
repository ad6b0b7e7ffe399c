"""Actions: reading watchlists, and importing them."""

from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
import voluptuous as vol

from .const import DOMAIN
from .published import run_data, viewer_data, watchlist_item_data
from .scrobbler import DATA_SCROBBLER
from .service_call import (
    READ_WATCHLIST,
    VIEWER,
    Action,
    async_viewers,
    async_viewers_allowed,
    invalid,
)
from .storage.import_log import Trigger
from .watchlist_import import Imported

ATTR_DRY_RUN = "dry_run"

_READ = vol.Schema(VIEWER)
_IMPORT_WATCHLIST = vol.Schema(
    {**VIEWER, vol.Optional(ATTR_DRY_RUN, default=False): bool}
)


async def _async_get_watchlist(call: ServiceCall) -> ServiceResponse:
    watchlists = call.hass.data[DATA_SCROBBLER].watchlists
    viewers = await async_viewers_allowed(call, READ_WATCHLIST)
    if any(viewer.watchlist.unreadable for viewer in viewers):
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="not_readable"
        )
    return {
        "items": [
            {
                **viewer_data(viewer),
                **watchlist_item_data(item, watchlists.servers_with(viewer, item)),
            }
            for viewer in viewers
            for item in viewer.watchlist.items
        ]
    }


async def _async_get_watchlist_imports(call: ServiceCall) -> ServiceResponse:
    runs: list[dict[str, Any]] = [
        {**viewer_data(viewer), **run_data(run)}
        for viewer in await async_viewers_allowed(call, READ_WATCHLIST)
        for run in viewer.imports.runs
    ]
    runs.sort(key=lambda run: run["at"], reverse=True)
    return {"imports": list(runs)}


async def _async_import_watchlist(call: ServiceCall) -> ServiceResponse:
    """Import one list after the other; returns what came of all of them."""
    importer = call.hass.data[DATA_SCROBBLER].watchlist_importer
    chosen = await async_viewers(call)
    viewers = [
        viewer
        for viewer in chosen.found
        if chosen.are_named or importer.account_of(viewer) is not None
    ]
    if not viewers:
        raise invalid("no_plex_account_at_all")
    failed: HomeAssistantError | None = None
    imported: list[Imported] = []
    for viewer in viewers:
        try:
            imported.append(
                await importer.async_run(
                    viewer, trigger=Trigger.ACTION, dry_run=call.data[ATTR_DRY_RUN]
                )
            )
        except HomeAssistantError as err:
            # The lists of the others are imported all the same.
            failed = err
    if failed is not None:
        raise failed
    response: dict[str, Any] = {
        "imported": sum(each.run.imported for each in imported),
        "already_present": sum(each.run.already_present for each in imported),
        "unmatched": [name for each in imported for name in each.run.unmatched],
        "items": [name for each in imported for name in each.titles],
    }
    if postponed := sum(each.run.postponed for each in imported):
        response["postponed"] = postponed
    return response


ACTIONS = (
    Action("get_watchlist", _async_get_watchlist, _READ, SupportsResponse.ONLY),
    Action(
        "get_watchlist_imports",
        _async_get_watchlist_imports,
        _READ,
        SupportsResponse.ONLY,
    ),
    Action(
        "import_watchlist",
        _async_import_watchlist,
        _IMPORT_WATCHLIST,
        for_administrators=True,
    ),
)
