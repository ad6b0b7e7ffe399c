"""The watchlist as Home Assistant's own dialog changes it.

With every change, the dialog sends all that it shows of an item.
"""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest

from .common import entity_id_of
from .signed_in import JellyfinHome, viewer
from .simulators.catalogue import THE_SALT_ROAD
from .simulators.jellyfin_server import JellyfinStandIn


class Dialog:
    """The dialog for the items of one list."""

    def __init__(self, hass: HomeAssistant, entity_id: str) -> None:
        self.hass = hass
        self.entity_id = entity_id

    async def add(self, name: str, description: str | None = None) -> None:
        """Save a new item, with what has been filled in."""
        filled_in = {"description": description} if description else {}
        await self._call("add_item", item=name, **filled_in)

    async def save(self, **changed: str | None) -> None:
        """Save the first item, with what has been changed of what was shown."""
        shown = await self.item()
        values = {
            "rename": shown["summary"],
            "description": shown.get("description"),
            "status": shown["status"],
            **changed,
        }
        await self._call("update_item", item=shown["uid"], **values)

    async def item(self) -> dict[str, Any]:
        """Return the first item."""
        return (await self.items())[0]

    async def items(self) -> list[dict[str, Any]]:
        """Return all items."""
        response: Any = await self.hass.services.async_call(
            "todo",
            "get_items",
            {"entity_id": self.entity_id},
            blocking=True,
            return_response=True,
        )
        items: list[dict[str, Any]] = response[self.entity_id]["items"]
        return items

    async def _call(self, action: str, **data: Any) -> None:
        await self.hass.services.async_call(
            "todo", action, {"entity_id": self.entity_id, **data}, blocking=True
        )


@pytest.fixture
async def dialog(
    hass: HomeAssistant, address: str, jellyfin_at_home: JellyfinStandIn
) -> Dialog:
    """Return the dialog for a list with a film that is in a library."""
    home = JellyfinHome(jellyfin_at_home)
    await home.sign_in(hass, "alice")
    await hass.services.async_call(
        "media_scrobbler", "scan_library", blocking=True, return_response=True
    )
    dialog = Dialog(
        hass, entity_id_of(hass, "todo", viewer(hass, "alice"), "watchlist")
    )
    await dialog.add(THE_SALT_ROAD.label)
    assert (await dialog.item())["description"] == f"Movie · Available on {home.name}"
    return dialog


async def test_changing_what_has_a_description(dialog: Dialog) -> None:
    await dialog.save(status="completed")
    done = await dialog.item()
    assert (done["summary"], done["status"]) == (THE_SALT_ROAD.label, "completed")
    await dialog.save(rename="Sunken Bell (1998)", status="needs_action")
    renamed = await dialog.item()
    assert (renamed["summary"], renamed["status"]) == (
        "Sunken Bell (1998)",
        "needs_action",
    )
    assert "description" not in renamed


async def test_changing_a_description(dialog: Dialog) -> None:
    before = await dialog.item()
    with pytest.raises(ServiceValidationError, match="cannot be changed"):
        await dialog.save(rename="Sunken Bell (1998)", description="With popcorn")
    assert await dialog.item() == before


async def test_clearing_a_description(dialog: Dialog) -> None:
    before = await dialog.item()
    await dialog.save(description=None)
    assert await dialog.item() == before


async def test_adding_with_a_description(dialog: Dialog) -> None:
    before = await dialog.items()
    with pytest.raises(ServiceValidationError, match="cannot be changed"):
        await dialog.add("Sunken Bell (1998)", "With popcorn")
    assert await dialog.items() == before
