"""Sensors: what a viewer has watched, and when a server was heard of last."""

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
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_time_change
from homeassistant.util import dt as dt_util

from . import ScrobblerConfigEntry
from .domain.title import MediaType
from .entity import UpdatedEntity
from .published import title_data
from .server import Server
from .viewer import Viewer

PARALLEL_UPDATES = 0

type Value = datetime | float | int | str | None


@dataclass(frozen=True, kw_only=True)
class ScrobblerSensorDescription[T](SensorEntityDescription):
    """Describes a sensor of a server or viewer."""

    value_fn: Callable[[T], Value]
    attributes_fn: Callable[[T], dict[str, Any]] | None = None
    daily: bool = False
    """Whether the value changes at midnight by itself."""


def _last_watched(viewer: Viewer) -> str | None:
    play = viewer.history.last_play
    # The longest state that Home Assistant keeps is 255 characters.
    return (play.title.label or play.title.media_type.value)[:255] if play else None


def _last_watched_attributes(viewer: Viewer) -> dict[str, Any]:
    play = viewer.history.last_play
    if play is None:
        return {}
    return {"watched_at": play.watched_at, **title_data(play.title)}


def _last_webhook(server: Server) -> datetime | None:
    last = server.log.last
    return dt_util.parse_datetime(last["at"]) if last else None


def _plays_of(media_type: MediaType) -> Callable[[Viewer], int]:
    return lambda viewer: viewer.history.index.per_type[media_type]


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
        value_fn=lambda viewer: viewer.history.index.per_day[_today()],
        daily=True,
    ),
    ScrobblerSensorDescription(
        key="plays_this_week",
        translation_key="plays_this_week",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda viewer: sum(
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
        value_fn=lambda viewer: round(
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
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ScrobblerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a server or viewer."""
    runtime = entry.runtime_data
    if isinstance(runtime, Viewer):
        async_add_entities(
            ScrobblerSensor(runtime, description) for description in VIEWER_SENSORS
        )
    else:
        async_add_entities(
            ScrobblerSensor(runtime, description) for description in SERVER_SENSORS
        )


class ScrobblerSensor[T: (Server, Viewer)](UpdatedEntity[T], SensorEntity):
    """A sensor of a server or viewer."""

    entity_description: ScrobblerSensorDescription[T]
    _unrecorded_attributes = frozenset({"ids", "show_ids"})

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
        return self.entity_description.value_fn(self.runtime)

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
