"""The to-do list: what a viewer wants to watch, as people change it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.todo.const import DATA_COMPONENT
from homeassistant.components.todo.entity import TodoItem
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_SUPPORTED_FEATURES, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import intent
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import (
    MockHAClientWebSocket,
    WebSocketGenerator,
)

from .common import add_viewer, call, entity_id_of, move_time, settle
from .conftest import Restart
from .signed_in import Home, viewer as viewer_named
from .simulators.catalogue import HARBOUR_LIGHTS, THE_SALT_ROAD
from .test_repairs import Post, damage, issues, post, stored  # noqa: F401
from .wanted import (
    add,
    failing,
    list_of,
    listed,
    names,
    todo,
    uid_of,
    watchlist,
    written,
)

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)

type Move = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def vera(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> ConfigEntry[Any]:
    """Return a viewer of whom no server knows, at noon."""
    freezer.move_to(NOON)
    return await add_viewer(hass, "Vera")


@pytest.fixture
async def websocket(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator
) -> MockHAClientWebSocket:
    """Return a connection as the user interface has one."""
    return await hass_ws_client(hass)


@pytest.fixture
def move(
    hass: HomeAssistant, vera: ConfigEntry[Any], websocket: MockHAClientWebSocket
) -> Move:
    """Return a function that moves an item behind another one; returns the answer."""

    async def send(name: str, behind: str | None = None) -> dict[str, Any]:
        message = {
            "type": "todo/item/move",
            "entity_id": list_of(hass, vera),
            "uid": await uid_of(hass, vera, name),
        }
        if behind is not None:
            message["previous_uid"] = await uid_of(hass, vera, behind)
        await websocket.send_json_auto_id(message)
        answer: dict[str, Any] = await websocket.receive_json()
        return answer

    return send


def sensor(hass: HomeAssistant, viewer: ConfigEntry[Any], key: str) -> str:
    """Return the state of a sensor of a viewer."""
    state = hass.states.get(entity_id_of(hass, "sensor", viewer, key))
    assert state is not None
    return state.state


def state_of(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> str:
    """Return the state of a watchlist."""
    state = hass.states.get(list_of(hass, viewer))
    assert state is not None
    return state.state


# Adding


async def test_adding(hass: HomeAssistant, vera: ConfigEntry[Any]) -> None:
    """What is typed is a title, with its year if there is one."""
    assert state_of(hass, vera) == "0"
    assert await listed(hass, vera) == []

    await add(hass, vera, "Dune (2021)", "  dark\twater ")
    await settle(hass)

    assert state_of(hass, vera) == "2"
    assert sensor(hass, vera, "watchlist_size") == "2"
    assert sensor(hass, vera, "watchlist_available") == "0"
    dune, water = await listed(hass, vera)
    assert dune == {
        "summary": "Dune (2021)",
        "uid": dune["uid"],
        "status": "needs_action",
    }
    assert water["summary"] == "dark water"
    assert (await watchlist(hass, vera))[0] == {
        "viewer": "Vera",
        "viewer_id": vera.entry_id,
        "uid": dune["uid"],
        "media_type": "movie",
        "title": "Dune",
        "year": 2021,
        "status": "needs_action",
        "added_at": NOON.isoformat(),
        "origin": "manual",
        "available": False,
    }


async def test_what_a_list_offers(hass: HomeAssistant, vera: ConfigEntry[Any]) -> None:
    """Items are added, changed, deleted and moved, but have no date."""
    state = hass.states.get(list_of(hass, vera))
    assert state is not None
    offered = state.attributes[ATTR_SUPPORTED_FEATURES]
    assert offered & 0b1111 == 0b1111
    for when in ({"due_date": "2026-12-24"}, {"due_datetime": "2026-12-24 20:00"}):
        with pytest.raises(ServiceValidationError) as caught:
            await todo(hass, vera, "add_item", item="Dune", **when)
        assert caught.value.translation_key == "update_field_not_supported"


@pytest.mark.parametrize("text", ["x" * 5000, "\x00\x1f"])
async def test_no_title(hass: HomeAssistant, vera: ConfigEntry[Any], text: str) -> None:
    """What cannot be the name of anything is refused."""
    with failing("watchlist_no_title"):
        await add(hass, vera, text)
    await add(hass, vera, "Dune")
    with failing("watchlist_no_title"):
        await todo(hass, vera, "update_item", item="Dune", rename=text)
    assert await names(hass, vera) == ["Dune"]


async def test_adding_twice(hass: HomeAssistant, vera: ConfigEntry[Any]) -> None:
    """What is on the list already is not put there again, however it is spelt."""
    await add(hass, vera, "Dune (2021)")
    for again in ("Dune (2021)", "dune [2021]", "dune"):
        with failing("watchlist_present", title="Dune (2021)"):
            await add(hass, vera, again)
    await add(hass, vera, "Dune (1984)")
    assert await names(hass, vera) == ["Dune (2021)", "Dune (1984)"]


async def test_adding_twice_at_the_same_time(
    hass: HomeAssistant, vera: ConfigEntry[Any]
) -> None:
    """One of the two was first."""
    results = await asyncio.gather(
        *(add(hass, vera, "Dune") for _ in range(5)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert await names(hass, vera) == ["Dune"]


async def test_adding_what_is_done(
    hass: HomeAssistant, vera: ConfigEntry[Any], freezer: FrozenDateTimeFactory
) -> None:
    """What was watched is wanted again, where it was."""
    await add(hass, vera, "Dune (2021)", "Dark Water")
    await todo(hass, vera, "update_item", item="Dune (2021)", status="completed")
    uid = await uid_of(hass, vera, "Dune (2021)")
    freezer.tick(timedelta(hours=1))
    await add(hass, vera, "dune (2021)")
    assert await names(hass, vera, "needs_action") == ["Dune (2021)", "Dark Water"]
    (dune, _) = await watchlist(hass, vera)
    assert dune["uid"] == uid
    assert dune["added_at"] == (NOON + timedelta(hours=1)).isoformat()
    assert "completed_at" not in dune


async def test_by_voice(hass: HomeAssistant, home: Home) -> None:
    """Who says it need not type it, whether or not the title is there."""
    server = await home.sign_in(hass, "alice")
    alice = viewer_named(hass, "alice")
    await call(hass, "scan_library", server=server.entry_id)
    assert await async_setup_component(hass, "intent", {})
    await hass.async_block_till_done()
    state = hass.states.get(list_of(hass, alice))
    assert state is not None

    async def say(what: str, item: str) -> None:
        slots = {"item": {"value": item}, "name": {"value": state.name}}
        await intent.async_handle(hass, "test", what, slots)

    await say("HassListAddItem", "dune (2021)")
    await say("HassListAddItem", "the Salt Road (2019)")
    assert await names(hass, alice) == ["Dune (2021)", THE_SALT_ROAD.label]
    assert (await watchlist(hass, alice))[1]["available"]
    for item in ("dune (2021)", "the salt road (2019)"):
        await say("HassListCompleteItem", item)
    assert await names(hass, alice, "completed") == [
        "Dune (2021)",
        THE_SALT_ROAD.label,
    ]
    await say("HassListRemoveItem", "dune (2021)")
    assert await names(hass, alice) == [THE_SALT_ROAD.label]


# Changing


async def test_the_same_text(hass: HomeAssistant, vera: ConfigEntry[Any]) -> None:
    """Text that is the same changes nothing, and nothing is written."""
    await add(hass, vera, "Dune (2021)")
    before, file = await watchlist(hass, vera), written(hass)
    await todo(hass, vera, "update_item", item="Dune (2021)", rename=" Dune (2021) ")
    assert await watchlist(hass, vera) == before
    assert written(hass) == file


async def test_another_spelling(hass: HomeAssistant, home: Home) -> None:
    """How a title is written is up to the person; it stays what it is."""
    server = await home.sign_in(hass, "alice")
    alice = viewer_named(hass, "alice")
    await call(hass, "scan_library", server=server.entry_id)
    await add(hass, alice, "the salt road (2019)")
    (before,) = await watchlist(hass, alice)
    assert before["available"]
    await todo(
        hass,
        alice,
        "update_item",
        item="the salt road (2019)",
        rename=THE_SALT_ROAD.label,
    )
    assert await watchlist(hass, alice) == [before | {"title": THE_SALT_ROAD.title}]


async def test_another_title(
    hass: HomeAssistant, vera: ConfigEntry[Any], freezer: FrozenDateTimeFactory
) -> None:
    """Another text is another title, in the same place."""
    await add(hass, vera, "Dune (2021)", "Dark Water")
    uid = await uid_of(hass, vera, "Dune (2021)")
    await todo(
        hass, vera, "update_item", item=uid, rename="Dune (1984)", status="completed"
    )
    dune, _ = await watchlist(hass, vera)
    assert (dune["uid"], dune["year"], dune["status"]) == (uid, 1984, "completed")
    assert await names(hass, vera) == ["Dune (1984)", "Dark Water"]


async def test_the_title_of_another_item(
    hass: HomeAssistant, vera: ConfigEntry[Any]
) -> None:
    """Two items cannot be made one, and nothing else of the item is changed then."""
    await add(hass, vera, "Dune (2021)", "Dark Water")
    with failing("watchlist_present", title="Dune (2021)"):
        await todo(
            hass,
            vera,
            "update_item",
            item="Dark Water",
            rename="dune (2021)",
            status="completed",
        )
    assert await names(hass, vera, "needs_action") == ["Dune (2021)", "Dark Water"]


async def test_checking_off(
    hass: HomeAssistant, vera: ConfigEntry[Any], freezer: FrozenDateTimeFactory
) -> None:
    """What is done stays where it is, and counts no more until it is wanted again."""
    await add(hass, vera, "Dune", "Dark Water")
    freezer.tick(timedelta(hours=1))
    await todo(hass, vera, "update_item", item="Dune", status="completed")
    await settle(hass)
    dune, _ = await listed(hass, vera)
    assert dune["status"] == "completed"
    assert dune["completed"] == (NOON + timedelta(hours=1)).isoformat()
    assert (await watchlist(hass, vera))[0]["completed_at"] == dune["completed"]
    assert state_of(hass, vera) == sensor(hass, vera, "watchlist_size") == "1"

    # Nothing has been watched by that.
    assert (await call(hass, "get_history", viewer=vera.entry_id))["total"] == 0
    freezer.tick(timedelta(hours=1))
    await todo(hass, vera, "update_item", item="Dune", status="completed")
    assert (await listed(hass, vera))[0] == dune

    await todo(hass, vera, "update_item", item="Dune", status="needs_action")
    await settle(hass)
    assert "completed" not in (await listed(hass, vera))[0]
    assert state_of(hass, vera) == "2"


async def test_deleting(hass: HomeAssistant, vera: ConfigEntry[Any]) -> None:
    """Items are deleted by name or uid, several at once."""
    await add(hass, vera, "A", "B", "C", "D")
    await todo(hass, vera, "remove_item", item=["A", await uid_of(hass, vera, "C")])
    assert await names(hass, vera) == ["B", "D"]


async def test_deleting_what_is_done(
    hass: HomeAssistant, vera: ConfigEntry[Any]
) -> None:
    """What is done can be deleted at once."""
    await add(hass, vera, "A", "B", "C")
    await todo(hass, vera, "remove_completed_items")
    for name in "AC":
        await todo(hass, vera, "update_item", item=name, status="completed")
    await todo(hass, vera, "remove_completed_items")
    assert await names(hass, vera) == ["B"]


async def test_what_is_not_there(hass: HomeAssistant, vera: ConfigEntry[Any]) -> None:
    """What somebody else has deleted, before that or just now, cannot be changed."""
    await add(hass, vera, "Dune", "Alien")
    gone = TodoItem(uid=await uid_of(hass, vera, "Dune"), summary="Dune")
    await todo(hass, vera, "remove_item", item="Dune")
    for action, data in (
        ("remove_item", {}),
        ("update_item", {"rename": "Dark Water"}),
        ("update_item", {"status": "completed"}),
    ):
        with pytest.raises(ServiceValidationError) as caught:
            await todo(hass, vera, action, item="Dune", **data)
        assert caught.value.translation_key == "item_not_found"

    entity = hass.data[DATA_COMPONENT].get_entity(list_of(hass, vera))
    assert entity is not None
    before = written(hass)
    with failing("watchlist_item_gone"):
        await entity.async_update_todo_item(gone)
    with failing("watchlist_item_gone"):
        await entity.async_delete_todo_items(
            [await uid_of(hass, vera, "Alien"), str(gone.uid)]
        )
    assert await names(hass, vera) == ["Alien"]
    assert written(hass) == before


# Moving


async def test_moving(hass: HomeAssistant, vera: ConfigEntry[Any], move: Move) -> None:
    """Items are moved to the top, or behind another one."""
    await add(hass, vera, "A", "B", "C")
    for name, behind, order in (
        ("C", None, "CAB"),
        ("C", "A", "ACB"),
        ("A", "B", "CBA"),
        ("B", "B", "CBA"),
    ):
        assert (await move(name, behind))["success"]
        assert await names(hass, vera) == list(order)


@pytest.mark.parametrize("unknown", ["uid", "previous_uid"])
async def test_moving_what_is_not_there(
    hass: HomeAssistant,
    vera: ConfigEntry[Any],
    websocket: MockHAClientWebSocket,
    unknown: str,
) -> None:
    """An item that is not there, or not any more, is no place to go to either."""
    await add(hass, vera, "A", "B")
    uid = await uid_of(hass, vera, "B")
    await websocket.send_json_auto_id(
        {
            "type": "todo/item/move",
            "entity_id": list_of(hass, vera),
            "uid": uid,
            "previous_uid": uid,
            unknown: "gone",
        }
    )
    answer = await websocket.receive_json()
    assert not answer["success"]
    assert answer["error"]["code"] == "failed"
    assert await names(hass, vera) == ["A", "B"]


async def test_subscription(
    hass: HomeAssistant, vera: ConfigEntry[Any], websocket: MockHAClientWebSocket
) -> None:
    """The user interface is told of every change, whoever made it."""
    await websocket.send_json_auto_id(
        {"type": "todo/item/subscribe", "entity_id": list_of(hass, vera)}
    )
    assert (await websocket.receive_json())["success"]

    async def told() -> list[tuple[str, str]]:
        await settle(hass)
        message = await websocket.receive_json()
        return [(item["summary"], item["status"]) for item in message["event"]["items"]]

    assert await told() == []
    await add(hass, vera, "Dune")
    assert await told() == [("Dune", "needs_action")]
    await todo(hass, vera, "update_item", item="Dune", status="completed")
    assert await told() == [("Dune", "completed")]
    await todo(hass, vera, "remove_completed_items")
    assert await told() == []


# Where it is


async def test_what_is_there(hass: HomeAssistant, home: Home) -> None:
    """An item says what kind of title it is, and on which servers."""
    heard: list[Any] = []
    hass.bus.async_listen("media_scrobbler_watchlist_available", heard.append)
    server = await home.sign_in(hass, "alice")
    alice = viewer_named(hass, "alice")
    await add(hass, alice, "The Salt Road (2019)", "Dune (2021)")
    await call(hass, "scan_library", server=server.entry_id)
    await add(hass, alice, "harbour lights (2021)")
    await settle(hass)

    film, dune, show = await listed(hass, alice)
    assert film["description"] == f"Movie · Available on {server.title}"
    assert show["description"] == f"Show · Available on {server.title}"
    assert "description" not in dune
    assert sensor(hass, alice, "watchlist_available") == "2"
    film, dune, show = await watchlist(hass, alice)
    assert (film["media_type"], show["media_type"]) == ("movie", "show")
    assert film["ids"]["tmdb"] == THE_SALT_ROAD.ids.tmdb
    assert show["ids"]["tmdb"] == HARBOUR_LIGHTS.ids.tmdb
    assert film["servers"] == show["servers"] == [server.title]
    assert not dune["available"]
    # None of that has arrived.
    assert heard == []

    # What is known of it is of no use for another title.
    await todo(
        hass, alice, "update_item", item="The Salt Road (2019)", rename="Tide (2020)"
    )
    tide = (await watchlist(hass, alice))[0]
    assert "ids" not in tide
    assert not tide["available"]
    assert "description" not in (await listed(hass, alice))[0]


async def test_what_is_wanted_again_and_there(hass: HomeAssistant, home: Home) -> None:
    """It has not arrived, as it was there before: not even when all is read anew."""
    server = await home.sign_in(hass, "alice")
    alice = viewer_named(hass, "alice")
    await add(hass, alice, "The Salt Road (2019)")
    await todo(
        hass, alice, "update_item", item="The Salt Road (2019)", status="completed"
    )
    await call(hass, "scan_library", server=server.entry_id)
    await todo(
        hass, alice, "update_item", item="The Salt Road (2019)", status="needs_action"
    )
    await settle(hass)
    (film,) = await listed(hass, alice)
    assert film["description"] == f"Movie · Available on {server.title}"
    heard: list[Any] = []
    hass.bus.async_listen("media_scrobbler_watchlist_available", heard.append)
    await hass.config_entries.async_reload(alice.entry_id)
    await call(hass, "scan_library", server=server.entry_id)
    assert heard == []


# The file


async def test_restart(
    hass: HomeAssistant, vera: ConfigEntry[Any], restart: Restart
) -> None:
    """A list is the same after a restart."""
    await add(hass, vera, "C", "A", "B")
    await todo(hass, vera, "update_item", item="A", status="completed")
    before = await listed(hass, vera)
    again, _ = await restart()
    assert await listed(again, vera) == before
    assert state_of(again, vera) == "2"


async def test_unreadable(
    hass: HomeAssistant,
    vera: ConfigEntry[Any],
    post: Post,  # noqa: F811
) -> None:
    """A list in a damaged file is unknown until that is mended, and never overwritten."""
    await add(hass, vera, "Dune", "Dark Water")
    path = stored(hass, "watchlist")
    whole = path.read_bytes()
    await damage(hass, vera, path)

    assert state_of(hass, vera) == STATE_UNKNOWN
    assert sensor(hass, vera, "watchlist_size") == STATE_UNKNOWN
    assert await listed(hass, vera) == []
    with failing("not_readable"):
        await add(hass, vera, "Alien")
    with failing("not_readable"):
        await call(hass, "get_watchlist")
    with failing("not_readable"):
        await call(hass, "get_watchlist", viewer=vera.entry_id)
    assert path.read_bytes() == b"damaged"
    (issue,) = issues(hass).values()
    assert issue.is_fixable
    assert path.name in (issue.translation_placeholders or {})["files"]

    result = await post(handler="media_scrobbler", issue_id=issue.issue_id)
    result = await post(result["flow_id"])
    assert result["errors"] == {"base": "still_unreadable"}
    path.write_bytes(whole)
    assert (await post(result["flow_id"]))["type"] == "create_entry"
    await settle(hass)
    assert issues(hass) == {}
    assert state_of(hass, vera) == "2"
    await add(hass, vera, "Alien")
    assert await names(hass, vera) == ["Dune", "Dark Water", "Alien"]


async def test_mended_and_there(
    hass: HomeAssistant,
    home: Home,
    post: Post,  # noqa: F811
) -> None:
    """Where the titles of a list that was mended are is known at once."""
    server = await home.sign_in(hass, "alice")
    alice = viewer_named(hass, "alice")
    await call(hass, "scan_library", server=server.entry_id)
    await add(hass, alice, "The Salt Road (2019)")
    path = stored(hass, "watchlist")
    whole = path.read_bytes()
    await damage(hass, alice, path)
    (issue_id,) = issues(hass)
    result = await post(handler="media_scrobbler", issue_id=issue_id)
    path.write_bytes(whole)
    assert (await post(result["flow_id"]))["type"] == "create_entry"
    (film,) = await listed(hass, alice)
    assert film["description"] == f"Movie · Available on {server.title}"


async def test_not_written(
    hass: HomeAssistant, vera: ConfigEntry[Any], freezer: FrozenDateTimeFactory
) -> None:
    """What cannot be written is told, kept and tried again."""
    await add(hass, vera, "Dune")
    path = stored(hass, "watchlist")
    path.unlink()
    path.mkdir()
    with failing("not_written", path=str(path)):
        await add(hass, vera, "Dark Water")
    assert await names(hass, vera) == ["Dune", "Dark Water"]
    (issue,) = issues(hass).values()
    assert issue.translation_placeholders == {"viewer": "Vera"}

    path.rmdir()
    await move_time(hass, freezer, seconds=6)
    await settle(hass)
    assert issues(hass) == {}
    await hass.config_entries.async_reload(vera.entry_id)
    assert await names(hass, vera) == ["Dune", "Dark Water"]
    assert "Dark Water" in path.read_text()


async def test_removing_the_viewer(hass: HomeAssistant, vera: ConfigEntry[Any]) -> None:
    """The list goes with the viewer."""
    await add(hass, vera, "Dune")
    await hass.config_entries.async_remove(vera.entry_id)
    await hass.async_block_till_done()
    folder = Path(hass.config.path(".storage"))
    assert not [path.name for path in folder.iterdir() if vera.entry_id in path.name]
