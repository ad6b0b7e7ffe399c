"""Repair flows: what a person can do about an issue."""

from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant
import voluptuous as vol

from .scrobbler import DATA_SCROBBLER


class ReadAgainFlow(RepairsFlow):
    """Reads files again that a person has mended."""

    def __init__(self, entry_id: str) -> None:
        """Take the viewer's entry id."""
        self._entry_id = entry_id

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Handle the first step."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Read the files again; the issue stays if that still cannot be done."""
        viewer = self.hass.data[DATA_SCROBBLER].viewers.get(self._entry_id)
        if viewer is None:
            return self.async_abort(reason="viewer_gone")
        errors: dict[str, str] = {}
        if user_input is not None:
            await viewer.async_load()
            viewer.updates.send()
            if not viewer.unreadable:
                return self.async_create_entry(data={})
            errors["base"] = "still_unreadable"
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={
                "viewer": viewer.name,
                "files": "\n".join(f"- `{path}`" for path in sorted(viewer.unreadable)),
            },
        )


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> RepairsFlow:
    """Return the flow for an issue; only unreadable files have one."""
    return ReadAgainFlow((data or {})["entry_id"])
