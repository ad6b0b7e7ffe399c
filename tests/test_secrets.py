"""Secrets stay where they are: in no log, no event, no state and no diagnostics."""

from collections.abc import Callable, Iterable
from contextlib import suppress
import json
import logging
from typing import Any

from aiohttp import ClientError
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryDisabler,
)
from homeassistant.const import MATCH_ALL
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.json import JSONEncoder
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)
from yarl import URL

from custom_components.media_scrobbler.const import DOMAIN

from .cloud import Cloud
from .common import Jellyfin, Plex, add_server, add_viewer, answer, call, start_flow
from .signed_in import Home, later, quiet, until
from .simulators.catalogue import LOW_WATER, THE_SALT_ROAD
from .simulators.faults import Fault
from .simulators.plex_server import PlexStandIn
from .test_repairs import issues
from .wanted import add, option, sign_in


async def test_secrets(
    hass: HomeAssistant,
    home: Home,
    caplog: pytest.LogCaptureFixture,
    hass_client: ClientSessionGenerator,
) -> None:
    """Whatever happens, and however much is logged."""
    caplog.set_level(logging.DEBUG)
    heard = listening(hass)
    entry = await home.sign_in(hass, "alice", pasted=False)
    await until(hass, lambda: "registered_url" in entry.data)
    secrets = {*home.tokens, entry.data["webhook_id"], entry.data["token"]}
    for title in (THE_SALT_ROAD, LOW_WATER):
        await home.play("alice", title)
        await later(hass, seconds=2)
        await quiet(hass, home.log)
        await home.finish()
        await quiet(hass, home.log)
    shown = await told(hass, hass_client, entry)
    ways: list[Callable[[], Fault]] = [
        lambda: home.faults.fail(500),
        lambda: home.faults.fail(401),
        home.faults.html,
        home.faults.drop,
    ]
    for wrong in ways:
        with wrong():
            await later(hass, minutes=6)
            await quiet(hass, home.log)
    await hass.config.async_update(internal_url="http://192.0.2.99:8123")
    await quiet(hass, home.log)
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()

    assert_secret(secrets, shown, heard, caplog)


async def test_secrets_of_a_viewer(
    hass: HomeAssistant,
    plex_net: PlexStandIn,
    caplog: pytest.LogCaptureFixture,
    hass_client: ClientSessionGenerator,
) -> None:
    """Nor does anybody hear of the token of a viewer's own sign-in."""
    caplog.set_level(logging.DEBUG)
    heard = listening(hass)
    viewer = await add_viewer(hass, "Vera")
    bob, faults = plex_net.user("bob"), plex_net.discover.faults
    bob.add_to_watchlist(THE_SALT_ROAD)
    await option(hass, viewer, both_ways=True)
    secrets = set()
    for who in ("alice", "bob"):
        await sign_in(hass, viewer, plex_net, who)
        secrets.add(viewer.data["account_token"])
    await add(hass, viewer, LOW_WATER.show.label)
    await call(hass, "import_watchlist", viewer=viewer.entry_id)
    shown = await told(hass, hass_client, viewer)
    ways: list[Callable[[], Fault]] = [
        lambda: faults.fail(500),
        lambda: faults.fail(401),
        lambda: faults.fail(403),
        faults.html,
        faults.cut,
        faults.drop,
    ]
    for wrong in ways:
        with wrong(), pytest.raises(HomeAssistantError):
            await call(hass, "import_watchlist", viewer=viewer.entry_id)
    shown += await told(hass, hass_client, viewer)
    shown += str(issues(hass))
    plex_net.revoke("bob")
    await hass.config_entries.async_remove(viewer.entry_id)
    await hass.async_block_till_done()

    assert_secret(secrets, shown, heard, caplog)


async def test_webhook_ids(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    cloud: Cloud,
    caplog: pytest.LogCaptureFixture,
    hass_access_token: str,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """Whatever a request is like, and whether or not anybody is there to take it."""
    result = await start_flow(hass, "plex", "plex_webhook_only")
    result = await answer(hass, result, name="Remote")
    result = await answer(hass, result, local_only=False)
    remote = (await answer(hass, result, local_only=False))["result"]
    renewed: str = jellyfin.entry.data["webhook_id"]
    await renew(hass, jellyfin.entry)
    gone = await add_server(hass, "plex", "Gone")
    await hass.config_entries.async_set_disabled_by(
        plex.entry.entry_id, ConfigEntryDisabler.USER
    )
    await hass.config_entries.async_remove(gone.entry_id)
    ids = [
        plex.entry.data["webhook_id"],
        jellyfin.entry.data["webhook_id"],
        renewed,
        gone.data["webhook_id"],
        remote.data["webhook_id"],
    ]
    assert remote.data["cloudhook_url"]
    cloud_id = remote.data["cloudhook_url"].rpartition("/")[2]
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    socket = await hass_ws_client()
    client = plex.client
    for webhook_id in ids:
        path = f"/api/webhook/{webhook_id}"
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            async with client.request(method, path, data=b"{}"):
                pass
        # As titles in a template of a sender may make it.
        for query in (
            "title=Alias../Again",
            "title=%3Cscript%3E",
            "note=a%0Ab",
            "q=/a/b/",
            "title=union all select (",
            "authSig=nonsense",
        ):
            async with client.post(URL(f"{path}?{query}", encoded=True), data=b"{}"):
                pass
        for headers in (
            {"Authorization": f"Bearer {hass_access_token}"},
            {"Authorization": "Bearer nonsense"},
            {"Authorization": "Basic bm9ib2R5OnB3"},
            {"X-Forwarded-For": "203.0.113.7"},
            {"Content-Encoding": "gzip"},
            {"Content-Type": "multipart/form-data"},
            {"Expect": "something"},
        ):
            with suppress(ClientError):
                async with client.post(path, data=b"{}", headers=headers):
                    pass
        for other in (f"{path}/", f"{path}/x", f"{path}%2F", f"{path}.php"):
            async with client.post(URL(other, encoded=True), data=b"{}"):
                pass
        await socket.send_json_auto_id(
            {"type": "webhook/handle", "webhook_id": webhook_id, "method": "POST"}
        )
        await socket.receive_json()
    await socket.send_json_auto_id({"type": "webhook/list"})
    await socket.receive_json()
    logging.getLogger("hass_nabucasa.iot").debug("Received %s", {"id": cloud_id})
    logging.getLogger("homeassistant.components.webhook").debug("%d%%", 5)
    try:
        {}[ids[0]]
    except KeyError:
        logging.getLogger("homeassistant.components.webhook").exception("Failed")

    told = [
        f"{record.name}: {record.getMessage()} {record.exc_text} {record.exc_info}"
        for record in caplog.records
    ]
    assert len(told) > 100
    for secret in (*ids, cloud_id):
        assert [line for line in told if secret in line] == []
        assert secret not in caplog.text
    assert "KeyError: '**REDACTED**'" in caplog.text


async def renew(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Give a server a new URL, by reconfiguring it."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    )
    values = {"name": entry.title, "local_only": True, "new_url": True}
    while "reason" not in result:
        result = await answer(hass, result, **values)
        values = {"local_only": True}


def listening(hass: HomeAssistant) -> list[str]:
    """Listen to every event; returns those that have been heard by then."""
    heard: list[str] = []

    @callback
    def hear(event: Event[Any]) -> None:
        heard.append(json.dumps(event.as_dict(), cls=JSONEncoder, default=str))

    hass.bus.async_listen(MATCH_ALL, hear)
    return heard


async def told(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, entry: ConfigEntry[Any]
) -> str:
    """Return every state and the diagnostics of an entry."""
    states = json.dumps(
        [state.as_dict() for state in hass.states.async_all()], cls=JSONEncoder
    )
    assert await async_setup_component(hass, "diagnostics", {})
    return states + json.dumps(
        await get_diagnostics_for_config_entry(hass, hass_client, entry)
    )


def assert_secret(
    secrets: Iterable[str],
    shown: str,
    heard: Iterable[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Fail if something secret has got anywhere."""
    for secret in secrets:
        assert secret not in shown
        assert not [event for event in heard if secret in event]
        assert not [
            record.getMessage()[:500]
            for record in caplog.records
            if secret in record.getMessage()
        ]
        assert secret not in caplog.text
