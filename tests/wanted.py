"""What people want to watch: the to-do list, the actions about it, and signing in to it."""

from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
import pytest

from custom_components.media_scrobbler.const import DOMAIN

from .common import answer, call, entity_id_of, viewer_settings
from .signed_in import until
from .signing_in import confirm_url
from .simulators.plex_server import PlexStandIn
from .test_repairs import stored
from .texts import assert_translated, placeholders, text

type Written = tuple[int, int, bytes]


def list_of(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> str:
    """Return the entity id of a viewer's watchlist."""
    return entity_id_of(hass, "todo", viewer, "watchlist")


async def todo(
    hass: HomeAssistant, viewer: ConfigEntry[Any], action: str, **data: Any
) -> None:
    """Do something with a watchlist, as the user interface and automations do."""
    await hass.services.async_call(
        "todo", action, {"entity_id": list_of(hass, viewer), **data}, blocking=True
    )


async def add(hass: HomeAssistant, viewer: ConfigEntry[Any], *texts: str) -> None:
    """Put titles at the end of a watchlist."""
    for each in texts:
        await todo(hass, viewer, "add_item", item=each)


async def listed(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> list[dict[str, Any]]:
    """Return the items of a watchlist, as a to-do list shows them."""
    entity_id = list_of(hass, viewer)
    response: Any = await hass.services.async_call(
        "todo",
        "get_items",
        {"entity_id": entity_id},
        blocking=True,
        return_response=True,
    )
    items: list[dict[str, Any]] = response[entity_id]["items"]
    return items


async def names(
    hass: HomeAssistant, viewer: ConfigEntry[Any], status: str | None = None
) -> list[str]:
    """Return what a watchlist shows, in its order: all of it, or what has a status."""
    return [
        item["summary"]
        for item in await listed(hass, viewer)
        if status in (None, item["status"])
    ]


async def watchlist(
    hass: HomeAssistant, viewer: ConfigEntry[Any]
) -> list[dict[str, Any]]:
    """Return all that is known of the items of a watchlist."""
    response = await call(hass, "get_watchlist", viewer=viewer.entry_id)
    items: list[dict[str, Any]] = response["items"]
    return items


async def uid_of(hass: HomeAssistant, viewer: ConfigEntry[Any], name: str) -> str:
    """Return what the item of a name is called by."""
    (uid,) = [
        item["uid"] for item in await listed(hass, viewer) if item["summary"] == name
    ]
    assert isinstance(uid, str)
    return uid


def written(hass: HomeAssistant) -> Written:
    """Return what is different once the only watchlist has been written again."""
    path = stored(hass, "watchlist")
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, path.read_bytes()


def failing(key: str, **given: str) -> Any:
    """Expect an error that has its text; `given` are placeholders that it must have."""
    message = text("exceptions", key, "message")
    assert placeholders(message) >= given.keys()

    def is_it(err: BaseException) -> bool:
        assert isinstance(err, HomeAssistantError)
        found = err.translation_placeholders or {}
        assert placeholders(message) <= found.keys()
        return (err.translation_domain, err.translation_key) == (
            DOMAIN,
            key,
        ) and given.items() <= found.items()

    return pytest.raises(HomeAssistantError, check=is_it)


async def option(hass: HomeAssistant, viewer: ConfigEntry[Any], **values: Any) -> None:
    """Change how a viewer's watchlist is kept."""
    await answer(hass, await viewer_settings(hass, viewer), **values)


async def gone_on(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Wait until an options flow goes on by itself, and return where to."""
    manager = hass.config_entries.options
    flow_id, step = result["flow_id"], result["step_id"]
    await until(hass, lambda: manager.async_get(flow_id)["step_id"] != step)
    result = await manager.async_configure(flow_id)
    await hass.async_block_till_done()
    assert_translated(result, "options")
    return result


async def sign_in(
    hass: HomeAssistant, viewer: ConfigEntry[Any], plex: PlexStandIn, who: str
) -> None:
    """Sign in at plex.tv, as somebody, in the options of a viewer."""
    result = await hass.config_entries.options.async_init(viewer.entry_id)
    result = await answer(hass, result, next_step_id="plex_sign_in")
    plex.tv.visit(confirm_url(result), plex.user(who))
    result = await gone_on(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
