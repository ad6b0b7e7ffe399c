"""Actions: reading, correcting and adding to histories and ratings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .const import DOMAIN
from .domain.ids import external_id
from .domain.play import Play, Source, SourceKind
from .domain.rules import is_identified
from .domain.title import PLAYABLE, Ids, MediaType, Title, is_of_plex
from .published import play_data, source_data
from .service_call import (
    ATTR_LIMIT,
    CHANGE_HISTORY,
    DEFAULT_LIMIT,
    LIMIT,
    LINE,
    READ_HISTORY,
    VIEWER,
    Action,
    async_viewer_allowed,
    async_viewers_allowed,
    invalid,
    time_of,
)
from .storage.store import UnreadableStoreError
from .viewer import Viewer

ATTR_END = "end"
ATTR_MEDIA_TYPE = "media_type"
ATTR_PLAY_ID = "play_id"
ATTR_QUERY = "query"
ATTR_RATING = "rating"
ATTR_START = "start"
ATTR_WATCHED_AT = "watched_at"

EARLIEST_YEAR = 1900

_PLAYABLE = vol.In([media_type.value for media_type in PLAYABLE])
_NUMBER = vol.All(vol.Coerce(int), vol.Range(min=0, max=99_999))
_TEXT = vol.All(LINE, vol.Length(min=1))
_IDS = vol.Schema({LINE: vol.Any(int, LINE)})

# What a title is described by. Every key is also a field of Title.
_TITLE_FIELDS: dict[vol.Marker, Any] = {
    vol.Optional("title"): _TEXT,
    vol.Optional("year"): vol.All(vol.Coerce(int), vol.Range(min=1800, max=9999)),
    vol.Optional("show"): _TEXT,
    vol.Optional("season"): _NUMBER,
    vol.Optional("episode"): _NUMBER,
    vol.Optional("artist"): _TEXT,
    vol.Optional("album"): _TEXT,
    vol.Optional("ids"): _IDS,
    vol.Optional("show_ids"): _IDS,
}
_PLAY_FIELDS: dict[vol.Marker, Any] = {
    **_TITLE_FIELDS,
    vol.Optional("duration"): vol.All(vol.Coerce(int), vol.Range(min=1, max=864_000)),
}

_GET_HISTORY = vol.Schema(
    {
        **VIEWER,
        vol.Optional(ATTR_START): cv.datetime,
        vol.Optional(ATTR_END): cv.datetime,
        vol.Optional(ATTR_MEDIA_TYPE): _PLAYABLE,
        vol.Optional(ATTR_QUERY): _TEXT,
        vol.Optional(ATTR_LIMIT, default=DEFAULT_LIMIT): LIMIT,
    }
)
_ADD_PLAY = vol.Schema(
    {
        **VIEWER,
        vol.Required(ATTR_MEDIA_TYPE): _PLAYABLE,
        vol.Optional(ATTR_WATCHED_AT): cv.datetime,
        **_PLAY_FIELDS,
    }
)
_UPDATE_PLAY = vol.Schema(
    {
        **VIEWER,
        vol.Required(ATTR_PLAY_ID): LINE,
        vol.Optional(ATTR_WATCHED_AT): cv.datetime,
        **_PLAY_FIELDS,
    }
)
_REMOVE_PLAY = vol.Schema({**VIEWER, vol.Required(ATTR_PLAY_ID): LINE})
_RATE = vol.Schema(
    {
        **VIEWER,
        vol.Required(ATTR_MEDIA_TYPE): vol.In([kind.value for kind in MediaType]),
        vol.Optional(ATTR_RATING): vol.All(vol.Coerce(float), vol.Range(min=0, max=10)),
        **_TITLE_FIELDS,
    }
)


async def _async_get_history(call: ServiceCall) -> ServiceResponse:
    start, end = time_of(call, ATTR_START), time_of(call, ATTR_END)
    if start is not None and end is not None and start >= end:
        raise invalid("start_not_before_end")
    found: list[tuple[Viewer, Play]] = []
    for viewer in await async_viewers_allowed(call, READ_HISTORY):
        plays = await viewer.history.async_plays(
            start=start,
            end=end,
            media_type=call.data.get(ATTR_MEDIA_TYPE),
            query=call.data.get(ATTR_QUERY),
        )
        found += [(viewer, play) for play in plays]
    found.sort(key=lambda entry: entry[1].watched_at, reverse=True)
    return {
        "plays": [
            _play(viewer, play) for viewer, play in found[: call.data[ATTR_LIMIT]]
        ],
        "total": len(found),
    }


async def _async_add_play(call: ServiceCall) -> ServiceResponse:
    viewer = await async_viewer_allowed(call, CHANGE_HISTORY)
    title = _title(Title(media_type=MediaType(call.data[ATTR_MEDIA_TYPE])), call.data)
    now = dt_util.utcnow()
    watched_at = _past(time_of(call, ATTR_WATCHED_AT), now) or now
    source = Source(kind=SourceKind.MANUAL, at=now)
    recorded = await viewer.async_record(title, watched_at, source)
    return {"play": _play(viewer, recorded.play)}


async def _async_update_play(call: ServiceCall) -> ServiceResponse:
    viewer = await async_viewer_allowed(call, CHANGE_HISTORY)
    watched_at = _past(time_of(call, ATTR_WATCHED_AT), dt_util.utcnow())

    def correct(play: Play) -> Play:
        return replace(
            play,
            title=_title(play.title, call.data),
            watched_at=watched_at or play.watched_at,
        )

    with _errors(call):
        play = await viewer.async_correct_play(call.data[ATTR_PLAY_ID], correct)
    return {"play": _play(viewer, play)}


async def _async_remove_play(call: ServiceCall) -> ServiceResponse:
    viewer = await async_viewer_allowed(call, CHANGE_HISTORY)
    with _errors(call):
        play = await viewer.async_remove_play(call.data[ATTR_PLAY_ID])
    return {"play": _play(viewer, play)}


async def _async_rate(call: ServiceCall) -> ServiceResponse:
    viewer = await async_viewer_allowed(call, CHANGE_HISTORY)
    title = _title(Title(media_type=MediaType(call.data[ATTR_MEDIA_TYPE])), call.data)
    # No rating and a rating of 0 both take it back, as they do on the servers.
    rating = call.data.get(ATTR_RATING) or None
    source = Source(kind=SourceKind.MANUAL, at=dt_util.utcnow())
    with _errors(call):
        await viewer.async_rate(title, rating, source)
    response: dict[str, Any] = {"title": title.label}
    if rating is not None:
        response["rating"] = rating
    return response


@contextmanager
def _errors(call: ServiceCall) -> Iterator[None]:
    """Turn what a viewer's files say into what a person can read."""
    try:
        yield
    except KeyError as err:
        raise invalid("play_not_found", play_id=call.data[ATTR_PLAY_ID]) from err
    except UnreadableStoreError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="not_readable"
        ) from err


def _past(watched_at: datetime | None, now: datetime) -> datetime | None:
    if watched_at is None:
        return None
    if watched_at > now:
        raise invalid("watched_in_the_future")
    if watched_at.year < EARLIEST_YEAR:
        raise invalid("watched_too_long_ago", year=str(EARLIEST_YEAR))
    return watched_at


def _title(title: Title, data: Mapping[str, Any]) -> Title:
    """Return a title with what the action's fields say of it."""
    changes = {key: data[key] for key in map(str, _PLAY_FIELDS) if key in data}
    for key in ("ids", "show_ids"):
        if key in changes:
            changes[key] = _ids(changes[key])
    title = replace(title, **changes)
    if not is_identified(title):
        raise invalid("title_not_identified")
    return title


def _ids(given: Mapping[str, int | str]) -> Ids:
    ids: Ids = {}
    for source, value in given.items():
        text = str(value)
        scheme = "plex://" if source == "plex" else "tv.plex.agents.custom."
        if is_of_plex(source) and text.startswith(scheme):
            ids[source] = text
        elif known := external_id(source, text):
            ids |= known
        else:
            raise invalid("id_invalid", source=source, id=text)
    return ids


def _play(viewer: Viewer, play: Play) -> dict[str, Any]:
    return {
        **play_data(viewer, play),
        "sources": [source_data(source) for source in play.sources],
    }


ACTIONS = (
    Action("get_history", _async_get_history, _GET_HISTORY, SupportsResponse.ONLY),
    Action("add_play", _async_add_play, _ADD_PLAY),
    Action("update_play", _async_update_play, _UPDATE_PLAY),
    Action("remove_play", _async_remove_play, _REMOVE_PLAY),
    Action("rate", _async_rate, _RATE),
)
