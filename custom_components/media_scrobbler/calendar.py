"""Calendar: a viewer's watch history."""

from datetime import MAXYEAR, datetime, timedelta
from typing import override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .domain.play import Play
from .entity import UpdatedEntity
from .viewer import Viewer, ViewerConfigEntry

PARALLEL_UPDATES = 0

HISTORY = CalendarEntityDescription(key="history", translation_key="history")

_SHORTEST = timedelta(minutes=1)
_LONGEST = timedelta(days=1)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ViewerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the calendar of a viewer."""
    async_add_entities([HistoryCalendar(entry.runtime_data, HISTORY)])


class HistoryCalendar(UpdatedEntity[Viewer], CalendarEntity):
    """What a viewer has watched: an entry ends when it was completed."""

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return nothing: what is in a history has passed."""
        return None

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return what was being watched between two times."""
        # The last of them may have ended after it.
        end = end_date + _LONGEST if end_date.year < MAXYEAR else end_date
        plays = await self.runtime.history.async_plays(start=start_date, end=end)
        events = (_calendar_event(play) for play in reversed(plays))
        return [event for event in events if event.start_datetime_local < end_date]


def _calendar_event(play: Play) -> CalendarEvent:
    seconds = min(play.title.duration or 0, _LONGEST.total_seconds())
    duration = max(timedelta(seconds=seconds), _SHORTEST)
    source = play.sources[0]
    return CalendarEvent(
        start=dt_util.as_local(play.watched_at - duration),
        end=dt_util.as_local(play.watched_at),
        summary=play.title.label or play.title.media_type.value,
        description=" - ".join(
            name for name in (source.server, source.player) if name is not None
        )
        or None,
        uid=play.id,
    )
