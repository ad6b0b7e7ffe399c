"""Who may do what: reading and changing what a viewer's entities show, and the rest."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from homeassistant.auth.const import GROUP_ID_ADMIN, GROUP_ID_READ_ONLY, GROUP_ID_USER
from homeassistant.auth.models import Group, User
from homeassistant.auth.permissions.models import PermissionLookup
from homeassistant.auth.permissions.types import PolicyType
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.media_scrobbler.const import DOMAIN

from .common import Plex, add_viewer, call, device_of, entity_id_of, plays_of
from .simulators.catalogue import THE_SALT_ROAD
from .simulators.plex import PlexEvent
from .wanted import add, failing

MOVIE = {"media_type": "movie", "title": "Home video"}

type Attempt = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(autouse=True)
async def owner(hass: HomeAssistant) -> None:
    """Have a first user, who may do everything, and registries to look policies up in."""
    hass.auth._store._perm_lookup = PermissionLookup(
        er.async_get(hass), dr.async_get(hass)
    )
    await hass.auth.async_create_user("Olga")


@pytest.fixture
async def vera(hass: HomeAssistant) -> ConfigEntry[Any]:
    """Return a viewer with a play and a wanted title."""
    viewer = await add_viewer(hass, "Vera")
    await call(hass, "add_play", viewer=viewer.entry_id, **MOVIE)
    await add(hass, viewer, "Dune (2021)")
    return viewer


@pytest.fixture
async def otto(hass: HomeAssistant, vera: ConfigEntry[Any]) -> ConfigEntry[Any]:
    """Return another one."""
    viewer = await add_viewer(hass, "Otto")
    await call(hass, "add_play", viewer=viewer.entry_id, **MOVIE)
    await add(hass, viewer, "Dark Water")
    return viewer


async def user(hass: HomeAssistant, policy: PolicyType) -> User:
    """Return a user of a group with a policy of its own."""
    group = Group(name="Own", policy=policy, id="own")
    hass.auth._store._groups[group.id] = group
    return await hass.auth.async_create_user("Uwe", group_ids=[group.id])


def acting(hass: HomeAssistant, who: User | None) -> Attempt:
    """Return a function that performs an action as somebody."""

    async def attempt(action: str, **data: Any) -> dict[str, Any]:
        context = Context(user_id=who.id if who else None)
        response = await hass.services.async_call(
            DOMAIN, action, data, blocking=True, return_response=True, context=context
        )
        assert response is not None
        return dict(response)

    return attempt


async def changes(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> dict[str, Any]:
    """Return the actions that change a viewer's history, with their data."""
    (play, *_) = await plays_of(hass, viewer)
    play_id = {"play_id": play["play_id"]}
    return {
        "add_play": {**MOVIE, "title": "Another"},
        "update_play": {**play_id, "year": 2001},
        "rate": {**MOVIE, "rating": 5},
        "remove_play": play_id,
    }


async def seen(attempt: Attempt, **data: Any) -> dict[str, set[str]]:
    """Return whose plays and wanted titles are returned."""
    history = await attempt("get_history", **data)
    watchlist = await attempt("get_watchlist", **data)
    await attempt("get_watchlist_imports", **data)
    return {
        "history": {play["viewer"] for play in history["plays"]},
        "watchlist": {item["viewer"] for item in watchlist["items"]},
    }


async def test_a_user_of_home_assistant_may_read_and_change(
    hass: HomeAssistant, vera: ConfigEntry[Any], otto: ConfigEntry[Any]
) -> None:
    who = await hass.auth.async_create_user("Uwe", group_ids=[GROUP_ID_USER])
    attempt = acting(hass, who)

    both = {"Vera", "Otto"}
    assert await seen(attempt) == {"history": both, "watchlist": both}
    for action, data in (await changes(hass, vera)).items():
        await attempt(action, viewer=vera.entry_id, **data)


async def test_whoever_may_only_read_changes_nothing(
    hass: HomeAssistant, vera: ConfigEntry[Any]
) -> None:
    who = await hass.auth.async_create_user("Uwe", group_ids=[GROUP_ID_READ_ONLY])
    attempt = acting(hass, who)
    before = await plays_of(hass, vera)

    only = {"Vera"}
    for data in ({}, {"viewer": vera.entry_id}):
        assert await seen(attempt, **data) == {"history": only, "watchlist": only}
    for action, data in (await changes(hass, vera)).items():
        with pytest.raises(Unauthorized):
            await attempt(action, viewer=vera.entry_id, **data)
    assert await plays_of(hass, vera) == before


@pytest.mark.parametrize("by", ["device_ids", "entity_ids"])
@pytest.mark.parametrize("may_change", [True, False])
async def test_a_policy_for_one_viewer_says_nothing_of_another(
    hass: HomeAssistant,
    vera: ConfigEntry[Any],
    otto: ConfigEntry[Any],
    by: str,
    may_change: bool,
) -> None:
    ids = [device_of(hass, vera).id]
    if by == "entity_ids":
        ids = [
            entity_id_of(hass, "calendar", vera, "history"),
            entity_id_of(hass, "todo", vera, "watchlist"),
        ]
    allowed = {"read": True} | ({"control": True} if may_change else {})
    policy: Any = {"entities": {by: dict.fromkeys(ids, allowed)}}
    attempt = acting(hass, await user(hass, policy))

    only = {"Vera"}
    for data in ({}, {"viewer": vera.entry_id}):
        assert await seen(attempt, **data) == {"history": only, "watchlist": only}
    for action in ("get_history", "get_watchlist", "get_watchlist_imports"):
        with pytest.raises(Unauthorized):
            await attempt(action, viewer=otto.entry_id)
    for action, data in (await changes(hass, otto)).items():
        with pytest.raises(Unauthorized):
            await attempt(action, viewer=otto.entry_id, **data)
    for action, data in (await changes(hass, vera)).items():
        if may_change:
            await attempt(action, viewer=vera.entry_id, **data)
        else:
            with pytest.raises(Unauthorized):
                await attempt(action, viewer=vera.entry_id, **data)


async def test_a_watchlist_is_no_history(
    hass: HomeAssistant, vera: ConfigEntry[Any]
) -> None:
    todo = entity_id_of(hass, "todo", vera, "watchlist")
    policy: Any = {"entities": {"entity_ids": {todo: {"read": True}}}}
    attempt = acting(hass, await user(hass, policy))

    assert await seen(attempt) == {"history": set(), "watchlist": {"Vera"}}


@pytest.mark.parametrize(
    "action",
    [
        "import_history",
        "import_watchlist",
        "scan_library",
        "clear_library",
        "sync_jellyfin",
        "get_webhook_log",
    ],
)
async def test_the_rest_is_for_administrators(
    hass: HomeAssistant, plex: Plex, vera: ConfigEntry[Any], action: str
) -> None:
    who = await hass.auth.async_create_user("Uwe", group_ids=[GROUP_ID_USER])
    with pytest.raises(Unauthorized):
        await acting(hass, who)(action)

    ada = await hass.auth.async_create_user("Ada", group_ids=[GROUP_ID_ADMIN])
    for allowed in (ada, None):
        # Of what is here, nothing can be asked for some of it.
        with suppress(ServiceValidationError):
            await acting(hass, allowed)(action)


async def test_who_is_not_known_may_do_nothing(
    hass: HomeAssistant, vera: ConfigEntry[Any]
) -> None:
    for action in ("get_history", "get_webhook_log"):
        with pytest.raises(UnknownUser):
            await hass.services.async_call(
                DOMAIN,
                action,
                {},
                blocking=True,
                return_response=True,
                context=Context(user_id="nobody"),
            )


async def test_an_automation_may_do_everything(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    attempt = acting(hass, None)
    assert (await attempt("get_history"))["total"] == 1
    assert (await attempt("get_webhook_log"))["events"]
    for action, data in (await changes(hass, alice)).items():
        await attempt(action, viewer=alice.entry_id, **data)


async def test_in_the_user_interface(
    hass: HomeAssistant,
    vera: ConfigEntry[Any],
    hass_ws_client: WebSocketGenerator,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    """The user interface, and the calendar in it, are told what they may not do."""
    client = await hass_ws_client(hass, hass_read_only_access_token)

    async def send(action: str, **data: Any) -> dict[str, Any]:
        await client.send_json_auto_id(
            {
                "type": "call_service",
                "domain": DOMAIN,
                "service": action,
                "service_data": data,
                "return_response": True,
            }
        )
        answer: dict[str, Any] = await client.receive_json()
        return answer

    answer = await send("get_history")
    assert answer["result"]["response"]["total"] == 1
    answer = await send("add_play", viewer=vera.entry_id, **MOVIE)
    assert answer["error"]["message"] == "Unauthorized"
    answer = await send("scan_library")
    assert answer["error"]["message"] == "Unauthorized"

    stranger = await user(hass, {})
    refresh = await hass.auth.async_create_refresh_token(stranger, "https://x.test/")
    token = hass.auth.async_create_access_token(refresh)
    calendar = entity_id_of(hass, "calendar", vera, "history")
    times = "start=2026-01-01T00:00:00Z&end=2027-01-01T00:00:00Z"
    for access_token, status in ((token, 401), (hass_read_only_access_token, 200)):
        http = await hass_client(access_token)
        response = await http.get(f"/api/calendars/{calendar}?{times}")
        assert response.status == status


# Targets


async def test_targets(
    hass: HomeAssistant, vera: ConfigEntry[Any], otto: ConfigEntry[Any]
) -> None:
    """A viewer can be named by a device or entity."""
    calendar = entity_id_of(hass, "calendar", vera, "history")
    device = device_of(hass, otto).id
    for target, viewers in (
        ({"entity_id": calendar}, {"Vera"}),
        ({"device_id": device}, {"Otto"}),
        ({"entity_id": [calendar], "device_id": [device]}, {"Vera", "Otto"}),
        ({"viewer": otto.entry_id, "entity_id": calendar}, {"Vera", "Otto"}),
        ({"entity_id": "all"}, {"Vera", "Otto"}),
        ({"entity_id": []}, {"Vera", "Otto"}),
    ):
        found = await seen(acting(hass, None), **target)
        assert found == {"history": viewers, "watchlist": viewers}
    for target in ({"entity_id": "none"}, {"device_id": "none"}):
        with failing("nothing_in_target"):
            await call(hass, "get_history", **target)
    added = await call(hass, "add_play", **{**MOVIE, "title": "New"}, device_id=device)
    assert added["play"]["viewer"] == "Otto"
    with failing("no_viewer_named"):
        await call(hass, "add_play", **MOVIE)
    with failing("several_viewers_named"):
        await call(hass, "add_play", **MOVIE, device_id=device, entity_id=calendar)
    policy: Any = {"entities": {"entity_ids": {calendar: True}}}
    attempt = acting(hass, await user(hass, policy))
    await attempt("add_play", **MOVIE, entity_id=calendar)
    with pytest.raises(Unauthorized):
        await attempt("add_play", **MOVIE, device_id=device)
    with pytest.raises(Unauthorized):
        await attempt("get_history", device_id=[device, device_of(hass, vera).id])


async def test_targets_that_are_servers(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """A server can be named in the same way, and is no viewer."""
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    server = {"device_id": device_of(hass, plex.entry).id}
    log = await call(hass, "get_webhook_log", **server)
    assert {event["server"] for event in log["events"]} == {"Plex"}
    assert await call(hass, "clear_library", **server) == {"removed": 0}
    with failing("nothing_in_target"):
        await call(hass, "get_history", **server)
    with failing("nothing_in_target"):
        await call(hass, "get_webhook_log", entity_id="light.kitchen")
    viewer = {"device_id": device_of(hass, alice).id}
    with failing("nothing_in_target"):
        await call(hass, "clear_library", **viewer)
    with failing("no_server_to_ask"):
        await call(hass, "import_history", **viewer)
    with failing("not_signed_in", server="Plex"):
        await call(hass, "import_history", **server)
