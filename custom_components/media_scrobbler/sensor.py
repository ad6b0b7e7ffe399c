"""Sensors: what a viewer has watched and wants to, and what a server has."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_time_change
from homeassistant.util import dt as dt_util

from . import ScrobblerConfigEntry
from .domain.event import ServerType
from .domain.title import MediaType
from .entity import UpdatedEntity
from .library_scan import ScanState
from .published import title_data
from .scrobbler import DATA_SCROBBLER, Scrobbler
from .server import Server
from .sync_run import SyncState
from .viewer import Viewer

PARALLEL_UPDATES = 0

type Value = datetime | float | int | str | None


@dataclass(frozen=True, kw_only=True)
class ScrobblerSensorDescription[T](SensorEntityDescription):
    """Describes a sensor of a server or viewer."""

    value_fn: Callable[[T, Scrobbler], Value]
    attributes_fn: Callable[[T], dict[str, Any]] | None = None
    daily: bool = False
    """Whether the value changes at midnight by itself."""
    needs_sign_in: bool = False
    """Whether only a server that was signed in to has the sensor."""
    only_of: ServerType | None = None
    """The type of server that has the sensor, if not every one."""


def _last_watched(viewer: Viewer, _: Scrobbler) -> str | None:
    play = viewer.history.last_play
    # The longest state that Home Assistant keeps is 255 characters.
    return (play.title.label or play.title.media_type.value)[:255] if play else None


def _last_watched_attributes(viewer: Viewer) -> dict[str, Any]:
    play = viewer.history.last_play
    if play is None:
        return {}
    return {"watched_at": play.watched_at, **title_data(play.title)}


def _last_webhook(server: Server, _: Scrobbler) -> datetime | None:
    last = server.log.last
    return dt_util.parse_datetime(last["at"]) if last else None


def _plays_of(media_type: MediaType) -> Callable[[Viewer, Scrobbler], int]:
    return lambda viewer, _: viewer.history.index.per_type[media_type]


def _items_of(media_type: MediaType) -> Callable[[Server, Scrobbler], int | None]:
    """Return what counts a library's items, which are unknown before it is scanned."""

    def count(server: Server, _: Scrobbler) -> int | None:
        library = server.library
        return library.index.per_type[media_type] if library.scanned_at else None

    return count


def _wanted(viewer: Viewer, _: Scrobbler) -> int | None:
    if viewer.watchlist.unreadable:
        return None
    return sum(item.done_at is None for item in viewer.watchlist.items)


def _available(viewer: Viewer, scrobbler: Scrobbler) -> int | None:
    if viewer.watchlist.unreadable:
        return None
    return scrobbler.watchlists.available_count(viewer)


def _last_import_attributes(viewer: Viewer) -> dict[str, Any]:
    run = viewer.imports.last
    if run is None:
        return {}
    return {
        "trigger": run.trigger.value,
        "dry_run": run.dry_run,
        "imported": run.imported,
        "already_present": run.already_present,
        "unmatched": len(run.unmatched),
        **({"postponed": run.postponed} if run.postponed else {}),
        **({"error": run.error} if run.error is not None else {}),
    }


def _days_of_week() -> range:
    """Return the days of this week up to now, from Monday on, as ordinals."""
    today = dt_util.now().date()
    return range(today.toordinal() - today.weekday(), today.toordinal() + 1)


def _today() -> int:
    return dt_util.now().date().toordinal()


VIEWER_SENSORS: tuple[ScrobblerSensorDescription[Viewer], ...] = (
    ScrobblerSensorDescription(
        key="last_watched",
        translation_key="last_watched",
        value_fn=_last_watched,
        attributes_fn=_last_watched_attributes,
    ),
    ScrobblerSensorDescription(
        key="plays_today",
        translation_key="plays_today",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda viewer, _: viewer.history.index.per_day[_today()],
        daily=True,
    ),
    ScrobblerSensorDescription(
        key="plays_this_week",
        translation_key="plays_this_week",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda viewer, _: sum(
            viewer.history.index.per_day[day] for day in _days_of_week()
        ),
        daily=True,
    ),
    ScrobblerSensorDescription(
        key="watch_time_today",
        translation_key="watch_time_today",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfTime.MINUTES,
        suggested_display_precision=0,
        value_fn=lambda viewer, _: round(
            viewer.history.index.seconds_per_day[_today()] / 60, 1
        ),
        daily=True,
    ),
    *(
        ScrobblerSensorDescription(
            key=f"{media_type}s",
            translation_key=f"{media_type}s",
            state_class=SensorStateClass.TOTAL,
            value_fn=_plays_of(media_type),
        )
        for media_type in (MediaType.MOVIE, MediaType.EPISODE, MediaType.TRACK)
    ),
    ScrobblerSensorDescription(
        key="watchlist_size",
        translation_key="watchlist_size",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=_wanted,
    ),
    ScrobblerSensorDescription(
        key="watchlist_available",
        translation_key="watchlist_available",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=_available,
    ),
    ScrobblerSensorDescription(
        key="last_import",
        translation_key="last_import",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda viewer, _: (
            viewer.imports.last.at if viewer.imports.last else None
        ),
        attributes_fn=_last_import_attributes,
    ),
)

SERVER_SENSORS: tuple[ScrobblerSensorDescription[Server], ...] = (
    ScrobblerSensorDescription(
        key="last_webhook",
        translation_key="last_webhook",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_last_webhook,
        attributes_fn=lambda server: {
            key: value
            for key, value in (server.log.last or {}).items()
            if key in ("event", "outcome", "reason")
        },
    ),
    *(
        ScrobblerSensorDescription(
            key=f"{media_type}s",
            translation_key=f"library_{media_type}s",
            state_class=SensorStateClass.MEASUREMENT,
            needs_sign_in=True,
            value_fn=_items_of(media_type),
        )
        for media_type in (MediaType.MOVIE, MediaType.SHOW, MediaType.EPISODE)
    ),
    ScrobblerSensorDescription(
        key="library_scan",
        translation_key="library_scan",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in ScanState],
        entity_category=EntityCategory.DIAGNOSTIC,
        needs_sign_in=True,
        value_fn=lambda server, _: server.scanner.state.value,
    ),
    ScrobblerSensorDescription(
        key="library_scan_progress",
        translation_key="library_scan_progress",
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        needs_sign_in=True,
        value_fn=lambda server, _: server.scanner.progress,
    ),
    ScrobblerSensorDescription(
        key="history_sync",
        translation_key="history_sync",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in SyncState],
        entity_category=EntityCategory.DIAGNOSTIC,
        needs_sign_in=True,
        only_of=ServerType.JELLYFIN,
        value_fn=lambda server, scrobbler: scrobbler.history_sync.state(server).value,
    ),
    ScrobblerSensorDescription(
        key="history_sync_progress",
        translation_key="history_sync_progress",
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        needs_sign_in=True,
        only_of=ServerType.JELLYFIN,
        value_fn=lambda server, scrobbler: scrobbler.history_sync.progress(server),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ScrobblerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a server or viewer."""
    runtime, scrobbler = entry.runtime_data, hass.data[DATA_SCROBBLER]
    if isinstance(runtime, Viewer):
        async_add_entities(
            ScrobblerSensor(runtime, description, scrobbler)
            for description in VIEWER_SENSORS
        )
    else:
        async_add_entities(
            ScrobblerSensor(runtime, description, scrobbler)
            for description in SERVER_SENSORS
            if (runtime.is_signed_in or not description.needs_sign_in)
            and description.only_of in (None, runtime.type)
        )


class ScrobblerSensor[T: Server | Viewer](UpdatedEntity[T], SensorEntity):
    """A sensor of a server or viewer."""

    entity_description: ScrobblerSensorDescription[T]
    _unrecorded_attributes = frozenset({"ids", "show_ids"})

    def __init__(
        self,
        runtime: T,
        description: ScrobblerSensorDescription[T],
        scrobbler: Scrobbler,
    ) -> None:
        """Take whose sensor it is, and who knows the others."""
        super().__init__(runtime, description)
        self._scrobbler = scrobbler

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for changes, and for midnight where that changes the value."""
        await super().async_added_to_hass()
        if self.entity_description.daily:
            self.async_on_remove(
                async_track_time_change(
                    self.hass, self._midnight, hour=0, minute=0, second=0
                )
            )

    @callback
    def _midnight(self, _now: datetime) -> None:
        self.async_write_ha_state()

    @property
    @override
    def native_value(self) -> Value:
        """Return the value."""
        return self.entity_description.value_fn(self.runtime, self._scrobbler)

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Return since when a value of today or this week is counted."""
        if not self.entity_description.daily:
            return None
        days = _days_of_week()
        today = dt_util.start_of_local_day()
        if self.entity_description.key != "plays_this_week":
            return today
        return dt_util.start_of_local_day(today.date().fromordinal(days[0]))

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """Return what belongs to the value."""
        if self.entity_description.attributes_fn is None:
            return None
        return self.entity_description.attributes_fn(self.runtime)
