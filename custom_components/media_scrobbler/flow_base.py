"""Config flow: what the steps of servers and those of viewers share."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryBaseFlow,
    ConfigFlow,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from .const import CONF_KIND, DOMAIN, KIND_VIEWER
from .domain.fields import one_line
from .scrobbler import DATA_SCROBBLER, Scrobbler

MAX_NAME = 100

NAME = vol.All(str, vol.Strip, vol.Length(min=1, max=MAX_NAME))


class WaitingFlow(ConfigEntryBaseFlow):
    """A flow that waits for what a person does elsewhere, and no longer than it lasts."""

    def __init__(self) -> None:
        """Start with nothing to wait for."""
        super().__init__()
        self._waiting: list[asyncio.Task[Any]] = []
        self._is_over = False

    @callback
    def _async_wait_for[T](
        self, coroutine: Coroutine[Any, Any, T], name: str
    ) -> asyncio.Task[T]:
        """Wait in the background, until the flow has ended at the latest."""
        task = self.hass.async_create_background_task(coroutine, name)
        self._waiting.append(task)
        # It may have been closed while the step that leads here was still busy.
        if self._is_over:
            task.cancel()
        return task

    @callback
    @override
    def async_remove(self) -> None:
        """Wait no more when the flow has ended."""
        super().async_remove()
        self._is_over = True
        for task in self._waiting:
            task.cancel()


class ScrobblerFlow(ConfigFlow):
    """A flow that knows what is there already."""

    @property
    def _scrobbler(self) -> Scrobbler | None:
        return self.hass.data.get(DATA_SCROBBLER)

    @property
    def _entry_to_change(self) -> ConfigEntry[Any] | None:
        """Return the entry that is signed in anew or reconfigured, if that is so."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        if self.source == SOURCE_RECONFIGURE:
            return self._get_reconfigure_entry()
        return None

    def _entries(self) -> list[ConfigEntry[Any]]:
        return self._async_current_entries(include_ignore=False)

    def _viewers(self) -> dict[str, ConfigEntry[Any]]:
        return {
            entry.entry_id: entry
            for entry in self._entries()
            if entry.data.get(CONF_KIND) == KIND_VIEWER
        }

    def _is_taken(self, name: str, besides: ConfigEntry[Any] | None = None) -> bool:
        return any(
            entry.title.casefold() == name.casefold()
            for entry in self._entries()
            if entry is not besides
        )

    def _name_error(
        self, name: str, besides: ConfigEntry[Any] | None = None
    ) -> str | None:
        """Return what is wrong with a name that has been typed."""
        if name != one_line(name):
            return "name_unprintable"
        return "name_taken" if self._is_taken(name, besides) else None

    def _free_name(self, name: str) -> str:
        """Return a name that no other entry has."""
        name = name[:MAX_NAME]
        number, free = 1, name
        while self._is_taken(free):
            number += 1
            free = f"{name} {number}"
        return free


async def async_texts(hass: HomeAssistant) -> Mapping[str, str]:
    """Return the translated texts that go into the flow's own descriptions."""
    prefix = f"component.{DOMAIN}.selector."
    texts = await async_get_translations(
        hass, hass.config.language, "selector", {DOMAIN}
    )
    return {key.removeprefix(prefix): text for key, text in texts.items()}
