"""Media Scrobbler: the watch history of a household, from Plex and Jellyfin."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType
from homeassistant.setup import async_setup_component

from .const import DOMAIN
from .scrobbler import DATA_SCROBBLER, Scrobbler, is_understood
from .server import Server
from .services import async_setup_services
from .viewer import Viewer

type ScrobblerConfigEntry = ConfigEntry[Server | Viewer]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up what all entries share."""
    hass.data[DATA_SCROBBLER] = scrobbler = Scrobbler(hass)
    await scrobbler.async_setup()
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: ScrobblerConfigEntry) -> bool:
    """Set up a server or a viewer."""
    if not is_understood(entry):
        raise ConfigEntryError(
            translation_domain=DOMAIN, translation_key="unknown_kind"
        )
    scrobbler = hass.data[DATA_SCROBBLER]
    entry.runtime_data = runtime = scrobbler.runtime_of(entry)
    await runtime.async_load()
    if isinstance(runtime, Server) and (connection := runtime.connection) is not None:
        scrobbler.history_sync.start(runtime)
        for viewer in scrobbler.viewers.values():
            entry.async_create_background_task(
                hass, connection.enrichment.async_add_recent(viewer), "complete plays"
            )
    if isinstance(runtime, Viewer):
        scrobbler.watchlist_importer.start(runtime)
        entry.async_create_background_task(
            hass, scrobbler.watchlists.async_viewer_loaded(runtime), "watchlist"
        )
    await hass.config_entries.async_forward_entry_setups(entry, runtime.platforms)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: ScrobblerConfigEntry) -> bool:
    """Unload a server or a viewer; its webhooks and its history go on."""
    return await hass.config_entries.async_unload_platforms(
        entry, entry.runtime_data.platforms
    )


async def async_remove_entry(hass: HomeAssistant, entry: ScrobblerConfigEntry) -> None:
    """Remove what a server or a viewer leaves behind."""
    # Where every entry is disabled nothing has been set up yet.
    await async_setup_component(hass, DOMAIN, {})
    await hass.data[DATA_SCROBBLER].async_remove_entry(entry)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: ScrobblerConfigEntry, device: DeviceEntry
) -> bool:
    """Let a person remove the device of a player; it comes back when it plays again."""
    return entry.runtime_data.forget_device(device)
