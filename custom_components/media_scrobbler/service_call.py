"""What actions have in common: whom and what they are about, and who may do that."""

from collections.abc import Awaitable, Callable, Container, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_CONTROL, POLICY_READ
from homeassistant.const import (
    ATTR_ENTITY_ID,
    ENTITY_MATCH_ALL,
    ENTITY_MATCH_NONE,
    Platform,
)
from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.service import async_extract_config_entry_ids
from homeassistant.helpers.target import TargetSelection
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .const import DOMAIN
from .domain.fields import MAX_TEXT, one_line
from .scrobbler import DATA_SCROBBLER
from .server import Server
from .viewer import Viewer

ATTR_LIMIT = "limit"
ATTR_SERVER = "server"
ATTR_VIEWER = "viewer"

DEFAULT_LIMIT = 100
MAX_LIMIT = 100_000

LIMIT = vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_LIMIT))
LINE = vol.All(cv.string, one_line, vol.Length(max=MAX_TEXT))
"""A text that can stand in a file, a state and an error."""

# Named by a field or as the target.
VIEWER: dict[vol.Marker, Any] = {
    **cv.ENTITY_SERVICE_FIELDS,
    vol.Optional(ATTR_VIEWER): LINE,
}
SERVER: dict[vol.Marker, Any] = {
    **cv.ENTITY_SERVICE_FIELDS,
    vol.Optional(ATTR_SERVER): LINE,
}


type Handler = Callable[[ServiceCall], Awaitable[ServiceResponse]]


class Action(NamedTuple):
    """An action: its name, what it does, which fields it takes, whether it answers.

    One that is `for_administrators` is more than one viewer's business.
    """

    name: str
    handler: Handler
    schema: vol.Schema
    response: SupportsResponse = SupportsResponse.OPTIONAL
    for_administrators: bool = False


class Permission(NamedTuple):
    """What a user has to be allowed to do with the viewer's entity that shows the same.

    `key` is what its unique id ends with.
    """

    platform: Platform
    key: str
    policy: str


READ_HISTORY = Permission(Platform.CALENDAR, "history", POLICY_READ)
CHANGE_HISTORY = Permission(Platform.CALENDAR, "history", POLICY_CONTROL)
READ_WATCHLIST = Permission(Platform.TODO, "watchlist", POLICY_READ)


class Chosen[T](NamedTuple):
    """The viewers or servers that an action is about: those named, else all."""

    found: list[T]
    are_named: bool


async def async_viewers(
    call: ServiceCall, *, or_servers: bool = False
) -> Chosen[Viewer]:
    """Return the viewers that are named, or all; raises ServiceValidationError.

    With `or_servers`, a target may name servers alone.
    """
    scrobbler = call.hass.data[DATA_SCROBBLER]
    named: str | None = call.data.get(ATTR_VIEWER)
    if named is not None and named not in scrobbler.viewers:
        raise invalid("viewer_not_found", viewer=named)
    others = scrobbler.servers if or_servers else ()
    return await _async_chosen(call, named, scrobbler.viewers, others)


async def async_servers(
    call: ServiceCall, *, or_viewers: bool = False
) -> Chosen[Server]:
    """Return the servers that are named, or all; raises ServiceValidationError.

    With `or_viewers`, a target may name viewers alone.
    """
    scrobbler = call.hass.data[DATA_SCROBBLER]
    named: str | None = call.data.get(ATTR_SERVER)
    if named is not None and named not in scrobbler.servers:
        raise invalid("server_not_found", server=named)
    others = scrobbler.viewers if or_viewers else ()
    return await _async_chosen(call, named, scrobbler.servers, others)


async def _async_chosen[T](
    call: ServiceCall,
    named: str | None,
    known: Mapping[str, T],
    others: Container[str],
) -> Chosen[T]:
    """Return what is named by a field or as the target, in the order in which it is known."""
    targeted = [call.data.get(str(key)) for key in cv.ENTITY_SERVICE_FIELDS]
    # To name none is not to leave it open.
    is_targeted = call.data.get(ATTR_ENTITY_ID) != ENTITY_MATCH_ALL and (
        TargetSelection(call.data).has_any_target or ENTITY_MATCH_NONE in targeted
    )
    targets = await async_extract_config_entry_ids(call) if is_targeted else set()
    found = [
        each
        for entry_id, each in known.items()
        if entry_id == named or entry_id in targets
    ]
    if found:
        return Chosen(found, are_named=True)
    if is_targeted and not any(entry_id in others for entry_id in targets):
        raise invalid("nothing_in_target")
    return Chosen(list(known.values()), are_named=False)


async def _async_user(call: ServiceCall) -> User | None:
    """Return who performs an action, None for an automation or Home Assistant itself.

    Raises UnknownUser for one who has been removed.
    """
    if call.context.user_id is None:
        return None
    user = await call.hass.auth.async_get_user(call.context.user_id)
    if user is None:
        raise UnknownUser(context=call.context)
    return user


def for_administrators(handler: Handler) -> Handler:
    """Return the handler of an action that raises Unauthorized for other users.

    Home Assistant's own way makes a task of it that its stop waits for, however long a
    library is scanned or a history is imported.
    """

    async def handle(call: ServiceCall) -> ServiceResponse:
        user = await _async_user(call)
        if user is not None and not user.is_admin:
            raise Unauthorized(context=call.context)
        return await handler(call)

    return handle


async def async_viewers_allowed(
    call: ServiceCall, permission: Permission
) -> list[Viewer]:
    """Return the viewers that are named, or all with whom the user may do something.

    Raises ServiceValidationError, and Unauthorized for one that is named.
    """
    viewers, are_named = await async_viewers(call)
    user = await _async_user(call)
    if user is None or user.is_admin:
        return viewers
    entities = er.async_get(call.hass)
    allowed: list[Viewer] = []
    for viewer in viewers:
        entity_id = entities.async_get_entity_id(
            permission.platform, DOMAIN, f"{viewer.entry.entry_id}_{permission.key}"
        )
        if entity_id is not None and user.permissions.check_entity(
            entity_id, permission.policy
        ):
            allowed.append(viewer)
        elif are_named:
            raise Unauthorized(
                context=call.context, entity_id=entity_id, permission=permission.policy
            )
    return allowed


async def async_viewer_allowed(call: ServiceCall, permission: Permission) -> Viewer:
    """Return the one viewer that is named, with whom the user may do something.

    Raises ServiceValidationError and Unauthorized.
    """
    if not (await async_viewers(call)).are_named:
        raise invalid("no_viewer_named")
    viewers = await async_viewers_allowed(call, permission)
    if len(viewers) > 1:
        raise invalid("several_viewers_named")
    return viewers[0]


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
