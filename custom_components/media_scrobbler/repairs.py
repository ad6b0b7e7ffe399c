"""Repair flows: what a person can do about an issue."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import voluptuous as vol

from .domain.markdown import literal
from .scrobbler import DATA_SCROBBLER
from .storage.import_log import Trigger


class ConfirmFlow(RepairsFlow):
    """Has a single step, in which something is confirmed."""

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Handle the first step."""
        return await self.async_step_confirm()

    @abstractmethod
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask, and do what was confirmed."""


class ReadAgainFlow(ConfirmFlow):
    """Reads files again that a person has mended."""

    def __init__(self, entry_id: str) -> None:
        """Take the viewer's entry id."""
        self._entry_id = entry_id

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Read the files again; the issue stays if that still cannot be done."""
        scrobbler = self.hass.data[DATA_SCROBBLER]
        viewer = scrobbler.viewers.get(self._entry_id)
        if viewer is None:
            return self.async_abort(reason="viewer_gone")
        errors: dict[str, str] = {}
        if user_input is not None:
            await viewer.async_load()
            await scrobbler.watchlists.async_viewer_loaded(viewer)
            viewer.updates.send()
            if not viewer.unreadable:
                return self.async_create_entry(data={})
            errors["base"] = "still_unreadable"
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={
                "viewer": literal(viewer.name),
                "files": "\n".join(f"- `{path}`" for path in sorted(viewer.unreadable)),
            },
        )


class AcceptWatchlistFlow(ConfirmFlow):
    """Takes over a watchlist at Plex that has shrunk too much to be believed unasked."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Take the viewer's entry id, and how many titles there were and are."""
        self._entry_id: str = data["entry_id"]
        self._counts = {key: str(data[key]) for key in ("before", "now")}

    @override
    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Import the list as it is now, once the person has said that it is right."""
        scrobbler = self.hass.data[DATA_SCROBBLER]
        viewer = scrobbler.viewers.get(self._entry_id)
        if viewer is None:
            return self.async_abort(reason="viewer_gone")
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                await scrobbler.watchlist_importer.async_run(
                    viewer,
                    trigger=Trigger.ACTION,
                    accepted=int(self._counts["now"]),
                )
            except HomeAssistantError as err:
                errors["base"] = "import_failed"
                if err.translation_key == "watchlist_shrunk":
                    errors["base"] = "shrunk_further"
                    self._counts |= err.translation_placeholders or {}
            else:
                return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={"viewer": literal(viewer.name), **self._counts},
        )


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> RepairsFlow:
    """Return the flow for an issue that can be fixed."""
    data = data or {}
    if issue_id.startswith("watchlist_shrunk_"):
        return AcceptWatchlistFlow(data)
    return ReadAgainFlow(data["entry_id"])
