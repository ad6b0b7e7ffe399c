"""What actions have in common: whom and what they are about, and what is wrong with it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .const import DOMAIN
from .scrobbler import DATA_SCROBBLER
from .server import Server
from .viewer import Viewer

ATTR_LIMIT = "limit"
ATTR_SERVER = "server"
ATTR_VIEWER = "viewer"

DEFAULT_LIMIT = 100
MAX_LIMIT = 100_000

LIMIT = vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_LIMIT))
VIEWER_OPTIONAL: dict[vol.Marker, Any] = {vol.Optional(ATTR_VIEWER): cv.string}
SERVER_OPTIONAL: dict[vol.Marker, Any] = {vol.Optional(ATTR_SERVER): cv.string}


class Action(NamedTuple):
    """An action: its name, what it does, which fields it takes, whether it answers."""

    name: str
    handler: Callable[[ServiceCall], Awaitable[ServiceResponse]]
    schema: vol.Schema
    response: SupportsResponse = SupportsResponse.OPTIONAL


def viewers_of(call: ServiceCall) -> list[Viewer]:
    """Return the viewer that is named, or all; raises ServiceValidationError."""
    if ATTR_VIEWER in call.data:
        return [viewer_of(call)]
    return list(call.hass.data[DATA_SCROBBLER].viewers.values())


def viewer_of(call: ServiceCall) -> Viewer:
    """Return the viewer that is named; raises ServiceValidationError."""
    entry_id = call.data[ATTR_VIEWER]
    viewer = call.hass.data[DATA_SCROBBLER].viewers.get(entry_id)
    if viewer is None:
        raise invalid("viewer_not_found", viewer=entry_id)
    return viewer


def servers_of(call: ServiceCall) -> list[Server]:
    """Return the server that is named, or all; raises ServiceValidationError."""
    servers = call.hass.data[DATA_SCROBBLER].servers
    if (entry_id := call.data.get(ATTR_SERVER)) is None:
        return list(servers.values())
    if entry_id not in servers:
        raise invalid("server_not_found", server=entry_id)
    return [servers[entry_id]]


def time_of(call: ServiceCall, key: str) -> datetime | None:
    """Return a time in UTC; one without a zone is local."""
    value: datetime | None = call.data.get(key)
    try:
        return dt_util.as_utc(value) if value is not None else None
    except OverflowError as err:
        raise invalid("time_out_of_range", time=str(value)) from err


def invalid(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error for input that makes no sense."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders or None,
    )
