"""Config flow: what the steps of servers and those of viewers share."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from .const import CONF_KIND, DOMAIN, KIND_VIEWER
from .scrobbler import DATA_SCROBBLER, Scrobbler

MAX_NAME = 100

NAME = vol.All(str, vol.Strip, vol.Length(min=1, max=MAX_NAME))


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
            if entry.data[CONF_KIND] == KIND_VIEWER
        }

    def _is_taken(self, name: str, besides: ConfigEntry[Any] | None = None) -> bool:
        return any(
            entry.title.casefold() == name.casefold()
            for entry in self._entries()
            if entry is not besides
        )

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
