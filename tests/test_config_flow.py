"""Config and options flows: every path to its end, every error and the way out of it."""

import ast
import inspect
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from hass_nabucasa import CloudError
from homeassistant.components import webhook
from homeassistant.components.person.const import DOMAIN as PERSON
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_INTEGRATION_DISCOVERY,
    ConfigEntry,
    ConfigEntryDisabler,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.media_scrobbler.const import DOMAIN

from .cloud import FUNCTIONS, Cloud
from .common import (
    ALICE_AT_JELLYFIN,
    ALICE_AT_PLEX,
    BOB_AT_PLEX,
    Jellyfin,
    Plex,
    add_server,
    add_viewer,
    answer,
    call,
    device_of,
    entity_id_of,
    plays_of,
    start_flow,
    viewer_settings,
)
from .conftest import AddViewer
from .simulators.catalogue import LOW_WATER, PAPER_ORCHARD, THE_SALT_ROAD
from .simulators.jellyfin import JellyfinEvent
from .simulators.plex import PlexAccount, PlexEvent, encode
from .texts import assert_translated, text

INTERNAL = "http://192.0.2.10:8123"
EXTERNAL = "https://home.example.com"


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """Return what a form is filled in with."""
    schema = result["data_schema"]
    assert schema is not None
    return {
        str(key): key.description["suggested_value"]
        for key in schema.schema
        if key.description and "suggested_value" in key.description
    }


def choices(result: ConfigFlowResult, field: str) -> dict[str, str]:
    """Return what can be chosen in a field of a form, with its labels."""
    schema = result["data_schema"]
    assert schema is not None
    config = schema.schema[field].config
    return {
        option if isinstance(option, str) else option["value"]: option
        if isinstance(option, str)
        else option["label"]
        for option in config["options"]
    }


def offers(hass: HomeAssistant) -> list[ConfigFlowResult]:
    """Return the discovered accounts that are on offer."""
    flows = [
        flow
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        if flow["context"]["source"] == SOURCE_INTEGRATION_DISCOVERY
    ]
    assert all(flow["step_id"] == "confirm_account" for flow in flows)
    return flows


async def offered(hass: HomeAssistant) -> ConfigFlowResult:
    """Return the form of the only discovered account."""
    await hass.async_block_till_done()
    (flow,) = offers(hass)
    result = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert_translated(result, "config")
    return result


async def reconfigure(hass: HomeAssistant, entry: ConfigEntry[Any]) -> ConfigFlowResult:
    """Start to change a server or viewer."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "reconfigure", "entry_id": entry.entry_id}
    )
    assert_translated(result, "config")
    assert result["step_id"] == "reconfigure"
    return result


async def options(hass: HomeAssistant, entry: ConfigEntry[Any]) -> ConfigFlowResult:
    """Start to change the options of a server or viewer."""
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert_translated(result, "options")
    return result


def assert_aborted(result: ConfigFlowResult, reason: str) -> None:
    """Fail unless a flow has ended without an entry for this reason."""
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == reason


# Servers


async def test_menus(hass: HomeAssistant) -> None:
    """Three things can be added; a server by signing in, or by its webhooks only."""
    result = await start_flow(hass)
    assert result["type"] is FlowResultType.MENU
    assert result["menu_options"] == ["plex", "jellyfin", "viewer"]
    for kind, ways in {
        "plex": ["sign_in", "token"],
        "jellyfin": ["quick_connect", "password", "api_key"],
    }.items():
        result = await start_flow(hass, kind)
        assert result["type"] is FlowResultType.MENU
        assert result["menu_options"] == [
            f"{kind}_{way}" for way in (*ways, "webhook_only")
        ]


@pytest.mark.parametrize(
    ("kind", "default"), [("plex", "Plex"), ("jellyfin", "Jellyfin")]
)
async def test_server(hass: HomeAssistant, kind: str, default: str) -> None:
    """A server needs a name; its webhook's URL is shown before it is added."""
    result = await start_flow(hass, kind, f"{kind}_webhook_only")
    assert result["type"] is FlowResultType.FORM
    assert result["data_schema"] is not None
    assert result["data_schema"]({}) == {"name": default}

    result = await answer(hass, result, name="  Attic ")
    assert result["step_id"] == "webhook"
    shown = result["description_placeholders"]
    assert shown is not None
    assert shown["instructions"] == text("selector", "instructions", "options", kind)
    assert result["data_schema"] is not None
    assert result["data_schema"]({}) == {"local_only": True}

    result = await answer(hass, result, local_only=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Attic"
    webhook_id = result["data"]["webhook_id"]
    assert len(webhook_id) == 64
    assert result["data"] == {
        "kind": kind,
        "webhook_id": webhook_id,
        "local_only": True,
        "cloudhook_url": None,
    }
    assert shown["url"] == f"{INTERNAL}/api/webhook/{webhook_id}"
    assert shown["urls"] == f"- In your network:  \n  `{shown['url']}`"
    assert result["result"].state is ConfigEntryState.LOADED
    assert result["result"].unique_id is None


@pytest.mark.parametrize("kind", ["plex", "jellyfin"])
async def test_server_name_taken(hass: HomeAssistant, kind: str) -> None:
    """No two entries have the same name, whatever the case; another name will do."""
    await add_server(hass, "plex", "Attic")
    result = await start_flow(hass, kind, f"{kind}_webhook_only")
    result = await answer(hass, result, name="ATTIC")
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == f"{kind}_webhook_only"
    assert result["errors"] == {"name": "name_taken"}
    assert suggested(result) == {"name": "ATTIC"}

    result = await answer(hass, result, name="Cellar")
    result = await answer(hass, result, local_only=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Cellar"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
async def test_server_name_invalid(hass: HomeAssistant, name: str) -> None:
    """A name has one letter at least and a hundred at most."""
    result = await start_flow(hass, "plex", "plex_webhook_only")
    with pytest.raises(InvalidData):
        await answer(hass, result, name=name)


@pytest.mark.parametrize("step", ["viewer", "plex_webhook_only"])
@pytest.mark.parametrize("name", ["Two\nlines", "\x00Attic", "Half \ud83d a wave"])
async def test_name_unprintable(hass: HomeAssistant, step: str, name: str) -> None:
    """A name can be written and shown everywhere."""
    choices = ["viewer"] if step == "viewer" else ["plex", step]
    result = await answer(hass, await start_flow(hass, *choices), name=name)
    assert result["step_id"] == step
    assert result["errors"] == {"name": "name_unprintable"}


@pytest.mark.parametrize(
    ("internal", "external", "listed"),
    [
        (INTERNAL, None, {"In your network": INTERNAL}),
        (None, None, {"In your network": "http://10.10.10.10:8123"}),
        (
            INTERNAL,
            EXTERNAL,
            {"In your network": INTERNAL, "From outside": EXTERNAL},
        ),
        (EXTERNAL, EXTERNAL, {"In your network": EXTERNAL}),
    ],
)
async def test_urls(
    hass: HomeAssistant,
    internal: str | None,
    external: str | None,
    listed: dict[str, str],
) -> None:
    """Every address by which Home Assistant can be reached is shown once."""
    await hass.config.async_update(internal_url=internal, external_url=external)
    result = await start_flow(hass, "plex", "plex_webhook_only")
    result = await answer(hass, result, name="Attic")
    shown = result["description_placeholders"]
    result = await answer(hass, result, local_only=True)
    path = f"/api/webhook/{result['data']['webhook_id']}"
    assert shown is not None
    assert shown["urls"] == "\n".join(
        f"- {name}:  \n  `{url}{path}`" for name, url in listed.items()
    )
    assert shown["url"] == f"{next(iter(listed.values()))}{path}"


@pytest.mark.parametrize("external", [None, EXTERNAL])
async def test_no_internal_url(hass: HomeAssistant, external: str | None) -> None:
    """Where Home Assistant knows no address, it says what to do about that."""
    await async_setup_component(hass, "http", {})
    assert hass.config.api is not None
    # With a certificate the address is none that a server would accept.
    hass.config.api.use_ssl = True
    await hass.config.async_update(internal_url=None, external_url=external)
    result = await start_flow(hass, "plex", "plex_webhook_only")
    result = await answer(hass, result, name="Attic")
    shown = result["description_placeholders"]
    assert shown is not None
    if external is None:
        assert shown["url"] == ""
        assert shown["urls"] == text("selector", "webhook_url", "options", "none")
    else:
        assert shown["url"].startswith(f"{EXTERNAL}/api/webhook/")
        assert shown["urls"] == f"- From outside:  \n  `{shown['url']}`"
    result = await answer(hass, result, local_only=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_from_elsewhere_without_cloud(hass: HomeAssistant) -> None:
    """A server elsewhere can do without Home Assistant Cloud."""
    entry = await add_server(hass, "jellyfin", "Cellar", local_only=False)
    assert entry.data["local_only"] is False
    assert entry.data["cloudhook_url"] is None


# Home Assistant Cloud


def test_cloud_is_what_it_seems() -> None:
    """The stand-in has the functions of the real thing, with their parameters."""
    source = Path(webhook.__file__).parents[1] / "cloud/__init__.py"
    real = {
        node.name: [argument.arg for argument in node.args.args]
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name in FUNCTIONS:
        assert real[name] == list(inspect.signature(getattr(Cloud(), name)).parameters)


async def test_cloud(hass: HomeAssistant, cloud: Cloud) -> None:
    """A server elsewhere gets a URL through the cloud, which goes with the server."""
    result = await start_flow(hass, "plex", "plex_webhook_only")
    result = await answer(hass, result, name="Attic")
    result = await answer(hass, result, local_only=False)
    assert result["step_id"] == "webhook"
    assert result["data_schema"] is not None
    assert result["data_schema"]({}) == {"local_only": False}
    (url,) = cloud.urls.values()
    shown = result["description_placeholders"]
    assert shown is not None
    assert shown["urls"].endswith(f"- Through Home Assistant Cloud:  \n  `{url}`")
    assert shown["url"].startswith(INTERNAL)

    result = await answer(hass, result, local_only=False)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["local_only"] is False
    assert result["data"]["cloudhook_url"] == url
    assert list(cloud.urls) == [result["data"]["webhook_id"]]

    await hass.config_entries.async_remove(result["result"].entry_id)
    assert cloud.urls == {}


async def test_cloud_after_all_not(hass: HomeAssistant, cloud: Cloud) -> None:
    """Who changes their mind about other networks leaves nothing in the cloud."""
    result = await start_flow(hass, "plex", "plex_webhook_only")
    result = await answer(hass, result, name="Attic")
    result = await answer(hass, result, local_only=False)
    result = await answer(hass, result, local_only=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["cloudhook_url"] is None
    assert cloud.urls == {}


async def test_cloud_not_subscribed(hass: HomeAssistant, cloud: Cloud) -> None:
    """Without a subscription there is no URL through the cloud."""
    cloud.subscribed = False
    entry = await add_server(hass, "plex", "Attic", local_only=False)
    assert entry.data["cloudhook_url"] is None


@pytest.mark.parametrize(
    "error", [HomeAssistantError(), CloudError(), TimeoutError(), ValueError()]
)
async def test_cloud_fails(hass: HomeAssistant, cloud: Cloud, error: Exception) -> None:
    """A cloud that cannot be reached keeps nobody from adding or removing a server."""
    cloud.error = error
    entry = await add_server(hass, "plex", "Attic", local_only=False)
    assert entry.data.get("cloudhook_url") is None

    cloud.error = None
    result = await reconfigure(hass, entry)
    result = await answer(hass, result, name="Attic", local_only=False, new_url=False)
    assert result["step_id"] == "webhook"
    assert_aborted(
        await answer(hass, result, local_only=False), "reconfigure_successful"
    )
    assert entry.data["cloudhook_url"] == cloud.urls[entry.data["webhook_id"]]

    cloud.error = error
    await hass.config_entries.async_remove(entry.entry_id)
    assert hass.config_entries.async_get_entry(entry.entry_id) is None


async def test_cloud_is_gone(hass: HomeAssistant, cloud: Cloud) -> None:
    """A server that had a URL through the cloud can be removed without the cloud."""
    result = await start_flow(hass, "plex", "plex_webhook_only")
    result = await answer(hass, result, name="Attic")
    result = await answer(hass, result, local_only=False)
    result = await answer(hass, result, local_only=False)
    hass.config.components.remove("cloud")
    await hass.config_entries.async_remove(result["result"].entry_id)
    assert hass.config_entries.async_entries(DOMAIN) == []


async def test_cloud_new_url(hass: HomeAssistant, cloud: Cloud) -> None:
    """A new URL takes the place of the old one in the cloud too."""
    result = await start_flow(hass, "plex", "plex_webhook_only")
    result = await answer(hass, result, name="Attic")
    result = await answer(hass, result, local_only=False)
    entry = (await answer(hass, result, local_only=False))["result"]
    (old_url,) = cloud.urls.values()

    result = await reconfigure(hass, entry)
    result = await answer(hass, result, name="Attic", local_only=False, new_url=True)
    assert result["step_id"] == "webhook"
    assert result["description_placeholders"] is not None
    assert old_url not in result["description_placeholders"]["urls"]
    result = await answer(hass, result, local_only=False)
    assert result["step_id"] == "webhook"
    assert_aborted(
        await answer(hass, result, local_only=False), "reconfigure_successful"
    )
    assert list(cloud.urls) == [entry.data["webhook_id"]]
    assert entry.data["cloudhook_url"] == cloud.urls[entry.data["webhook_id"]]


# Viewers


async def test_viewer(hass: HomeAssistant) -> None:
    """A viewer can be added before anything is known of accounts."""
    result = await start_flow(hass, "viewer")
    assert result["data_schema"] is not None
    assert list(map(str, result["data_schema"].schema)) == ["name", "person"]
    result = await answer(hass, result, name="Alice")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Alice"
    assert result["data"] == {"kind": "viewer", "person": None, "accounts": []}
    assert result["result"].state is ConfigEntryState.LOADED


async def test_viewer_with_accounts_and_person(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin
) -> None:
    """A viewer is linked to accounts of any server and to a person."""
    await async_setup_component(hass, PERSON, {})
    keys = [await plex.introduce(ALICE_AT_PLEX), await plex.introduce(BOB_AT_PLEX)]
    keys.append(await jellyfin.introduce(ALICE_AT_JELLYFIN))
    result = await start_flow(hass, "viewer")
    assert choices(result, "accounts") == dict(
        zip(keys, ["alice (Plex)", "bob (Plex)", "alice (Jellyfin)"], strict=True)
    )
    result = await answer(
        hass, result, name="Alice", person="person.alice", accounts=[keys[0], keys[2]]
    )
    assert result["data"] == {
        "kind": "viewer",
        "person": "person.alice",
        "accounts": [keys[0], keys[2]],
    }
    assert [flow["context"]["unique_id"] for flow in offers(hass)] == [keys[1]]


@pytest.mark.parametrize(
    ("account", "label"),
    [
        ({"id": 7, "title": "mia"}, "mia (Plex)"),
        ({"id": 7}, "7 (Plex)"),
        ({"title": "mia"}, "mia (Plex)"),
        (None, "? (Plex)"),
    ],
)
async def test_account_labels(
    hass: HomeAssistant, plex: Plex, account: dict[str, Any] | None, label: str
) -> None:
    """An account goes by its name, else by its id; nobody's by a question mark."""
    payload = plex.simulator.payload(PlexEvent.RATE, PAPER_ORCHARD, BOB_AT_PLEX)
    payload["Account"] = account
    await plex.send(*encode(payload))
    result = await start_flow(hass, "viewer")
    assert list(choices(result, "accounts").values()) == [label]


async def test_viewer_name_taken(hass: HomeAssistant, plex: Plex) -> None:
    """The name of a server is taken too; what else was entered stays."""
    key = await plex.introduce(BOB_AT_PLEX)
    result = await start_flow(hass, "viewer")
    result = await answer(hass, result, name="plex", accounts=[key])
    assert result["step_id"] == "viewer"
    assert result["errors"] == {"name": "name_taken"}
    assert suggested(result) == {"name": "plex", "accounts": [key]}
    result = await answer(hass, result, name="Bob", accounts=[key])
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_viewer_unknown_account(hass: HomeAssistant, plex: Plex) -> None:
    """Only what is known can be chosen."""
    await plex.introduce(BOB_AT_PLEX)
    result = await start_flow(hass, "viewer")
    with pytest.raises(InvalidData):
        await answer(hass, result, name="Bob", accounts=["somebody"])


# Accounts that turn up


async def test_discovery_new_viewer(hass: HomeAssistant, plex: Plex) -> None:
    """An unknown account is offered, and its plays become those of the new viewer."""
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD, BOB_AT_PLEX)
    assert said["outcome"] == "held"
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER, BOB_AT_PLEX)

    result = await offered(hass)
    (flow,) = offers(hass)
    assert flow["context"]["title_placeholders"] == {"name": "bob (Plex)"}
    assert flow["context"]["unique_id"] == plex.key(BOB_AT_PLEX)
    assert choices(result, "viewer") == {"new": "A new viewer"}
    assert result["data_schema"] is not None
    assert result["data_schema"]({}) == {"viewer": "new", "name": "bob"}

    result = await answer(hass, result, viewer="new", name=" Bob ")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Bob"
    assert result["data"] == {
        "kind": "viewer",
        "person": None,
        "accounts": [plex.key(BOB_AT_PLEX)],
    }
    # The person may lose this account and be given others.
    assert result["result"].unique_id is None
    assert {play["title"] for play in await plays_of(hass, result["result"])} == {
        "The Salt Road",
        "Low Water",
    }
    said = await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD, BOB_AT_PLEX)
    assert (said["outcome"], said["viewers"]) == ("recorded", ["Bob"])
    assert offers(hass) == []


async def test_discovery_existing_viewer(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin, add_viewer: AddViewer
) -> None:
    """An account can be given to a viewer who has others."""
    alice = await add_viewer("Alice", [await plex.introduce(ALICE_AT_PLEX)])
    said = await jellyfin.report(
        JellyfinEvent.PLAYBACK_STOP, THE_SALT_ROAD, ALICE_AT_JELLYFIN
    )
    assert said["outcome"] == "held"
    result = await offered(hass)
    assert choices(result, "viewer") == {
        "new": "A new viewer",
        alice.entry_id: "Alice",
    }
    result = await answer(hass, result, viewer=alice.entry_id)
    assert_aborted(result, "account_linked")
    assert result["description_placeholders"] == {"viewer": "Alice"}
    assert alice.data["accounts"] == [
        plex.key(ALICE_AT_PLEX),
        jellyfin.key(ALICE_AT_JELLYFIN),
    ]
    assert [play["title"] for play in await plays_of(hass, alice)] == ["The Salt Road"]
    assert offers(hass) == []


async def test_discovery_name_taken(
    hass: HomeAssistant, plex: Plex, add_viewer: AddViewer
) -> None:
    """A namesake of a viewer needs another name, or is that viewer."""
    bob = await add_viewer("Bob")
    await plex.introduce(BOB_AT_PLEX)
    result = await answer(hass, await offered(hass), viewer="new")
    assert result["step_id"] == "confirm_account"
    assert result["errors"] == {"name": "name_taken"}
    assert suggested(result) == {"viewer": "new", "name": "bob"}
    result = await answer(hass, result, viewer=bob.entry_id)
    assert_aborted(result, "account_linked")


async def test_discovery_name_missing(hass: HomeAssistant, plex: Plex) -> None:
    """An account without a name leaves the naming of its viewer to a person."""
    payload = plex.simulator.payload(PlexEvent.SCROBBLE, PAPER_ORCHARD)
    del payload["Account"]
    await plex.send(*encode(payload))
    result = await answer(hass, await offered(hass), viewer="new", name="  ")
    assert result["errors"] == {"name": "name_missing"}
    result = await answer(hass, result, viewer="new", name="Somebody")
    assert result["title"] == "Somebody"
    assert len(await plays_of(hass, result["result"])) == 1


async def test_discovery_name_is_markup(hass: HomeAssistant, plex: Plex) -> None:
    """Whoever chooses the name of an account does not choose what a person is shown."""
    name = "![x](https://example.org/x.png) [Sign in](http://example.org) <b>"
    await plex.introduce(PlexAccount(7, name))
    result = await offered(hass)
    assert result["description_placeholders"] is not None
    shown = result["description_placeholders"]["name"]
    assert not any(markup in shown for markup in ("](", "://", "<b"))
    assert shown.replace("\u2060", "") == f"{name} (Plex)"
    (flow,) = offers(hass)
    assert flow["context"]["title_placeholders"] == {"name": shown}
    result = await answer(hass, result, viewer="new")
    assert result["title"] == name


async def test_discovery_long_name(hass: HomeAssistant, plex: Plex) -> None:
    """The suggested name can be accepted however long the account's is."""
    await plex.introduce(PlexAccount(7, "x" * 500))
    result = await answer(hass, await offered(hass), viewer="new")
    assert result["title"] == "x" * 100


async def test_discovery_viewer_is_gone(
    hass: HomeAssistant, plex: Plex, add_viewer: AddViewer
) -> None:
    """A viewer who was removed while the form was open cannot be chosen any more."""
    bob = await add_viewer("Bob")
    await plex.introduce(BOB_AT_PLEX)
    result = await offered(hass)
    await hass.config_entries.async_remove(bob.entry_id)
    result = await answer(hass, result, viewer=bob.entry_id)
    assert result["errors"] == {"viewer": "viewer_gone"}
    assert choices(result, "viewer") == {"new": "A new viewer"}
    result = await answer(hass, result, viewer="new")
    assert result["title"] == "bob"


async def test_discovery_once(hass: HomeAssistant, plex: Plex) -> None:
    """An account is offered once, and not at all when it is linked."""
    for _ in range(3):
        await plex.introduce(BOB_AT_PLEX)
    await hass.async_block_till_done()
    assert len(offers(hass)) == 1
    key = plex.key(BOB_AT_PLEX)
    await add_viewer(hass, "Bob", [key])
    for account in (key, "nobody:knows"):
        result = await hass.config_entries.flow.async_init(
            DOMAIN,
            context={"source": SOURCE_INTEGRATION_DISCOVERY},
            data={"account": account},
        )
        assert_translated(result, "config")
        assert_aborted(result, "already_configured")


async def test_discovery_ignored(hass: HomeAssistant, plex: Plex) -> None:
    """What an ignored account plays is not kept, until it is not ignored any more."""
    key = plex.key(BOB_AT_PLEX)
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD, BOB_AT_PLEX)
    await hass.async_block_till_done()
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": key, "title": "bob (Plex)"},
    )
    await hass.async_block_till_done()
    assert offers(hass) == []
    said = await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD, BOB_AT_PLEX)
    assert (said["outcome"], said["reason"]) == ("ignored", "this account is ignored")
    assert offers(hass) == []

    (ignored,) = [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN)
        if entry.source == SOURCE_IGNORE
    ]
    await hass.config_entries.async_remove(ignored.entry_id)
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER, BOB_AT_PLEX)
    assert said["outcome"] == "held"
    result = await answer(hass, await offered(hass), viewer="new")
    assert {play["title"] for play in await plays_of(hass, result["result"])} == {
        "The Salt Road",
        "Low Water",
    }


async def test_discovery_linked_by_hand(hass: HomeAssistant, plex: Plex) -> None:
    """The offer goes away when somebody links the account in another way."""
    key = await plex.introduce(BOB_AT_PLEX)
    await offered(hass)
    bob = await add_viewer(hass, "Bob", [key])
    assert offers(hass) == []

    # Whoever loses an account finds it on offer again.
    result = await reconfigure(hass, bob)
    await answer(hass, result, name="Bob", accounts=[])
    await plex.introduce(BOB_AT_PLEX)
    await offered(hass)


async def test_discovery_server_is_removed(hass: HomeAssistant, plex: Plex) -> None:
    """The offer goes away with its server."""
    await plex.introduce(BOB_AT_PLEX)
    await offered(hass)
    await hass.config_entries.async_remove(plex.entry.entry_id)
    assert offers(hass) == []


# Changing a server


async def test_reconfigure_server(hass: HomeAssistant, plex: Plex) -> None:
    """A server can be renamed and opened to other networks; its webhook stays."""
    webhook_id = plex.entry.data["webhook_id"]
    result = await reconfigure(hass, plex.entry)
    assert suggested(result) == {"name": "Plex", "local_only": True}
    assert result["description_placeholders"] is not None
    details = result["description_placeholders"]["details"]
    assert f"{INTERNAL}/api/webhook/{webhook_id}" in details
    assert text("selector", "instructions", "options", "plex") in details

    result = await answer(hass, result, name="Attic", local_only=False, new_url=False)
    assert_aborted(result, "reconfigure_successful")
    assert plex.entry.title == "Attic"
    assert plex.entry.data == {
        "kind": "plex",
        "webhook_id": webhook_id,
        "local_only": False,
        "cloudhook_url": None,
    }
    assert plex.entry.state is ConfigEntryState.LOADED
    assert device_of(hass, plex.entry).name == "Attic"
    said = await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    assert said["outcome"] == "updated"


async def test_reconfigure_server_name_taken(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin
) -> None:
    """A server can keep its name but not take another's."""
    result = await reconfigure(hass, plex.entry)
    result = await answer(
        hass, result, name="jellyfin", local_only=False, new_url=False
    )
    assert result["errors"] == {"name": "name_taken"}
    assert suggested(result) == {
        "name": "jellyfin",
        "local_only": False,
        "new_url": False,
    }
    result = await answer(hass, result, name="PLEX", local_only=True, new_url=False)
    assert_aborted(result, "reconfigure_successful")
    assert plex.entry.title == "PLEX"


async def test_reconfigure_server_new_url(
    hass: HomeAssistant, plex: Plex, client: TestClient[Any, Any]
) -> None:
    """With a new URL the old one stops working at once."""
    old_path = plex.path
    result = await reconfigure(hass, plex.entry)
    result = await answer(hass, result, name="Attic", local_only=False, new_url=True)
    assert result["step_id"] == "webhook"
    assert result["data_schema"] is not None
    assert result["data_schema"]({}) == {"local_only": False}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["url"] != f"{INTERNAL}{old_path}"
    assert plex.path == old_path

    assert_aborted(
        await answer(hass, result, local_only=True), "reconfigure_successful"
    )
    assert plex.entry.title == "Attic"
    assert plex.entry.data["local_only"] is True
    assert result["description_placeholders"]["url"] == f"{INTERNAL}{plex.path}"
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "held"
    # What Home Assistant says to an id that it does not know.
    async with client.post(old_path, data=b"{}") as response:
        assert (response.status, await response.read()) == (200, b"")


# Changing a viewer


async def test_reconfigure_viewer(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """A viewer can be renamed, become a person and lose an account."""
    result = await reconfigure(hass, alice)
    assert suggested(result) == {
        "name": "Alice",
        "person": None,
        "accounts": [plex.key(ALICE_AT_PLEX), jellyfin.key(ALICE_AT_JELLYFIN)],
    }
    result = await answer(
        hass,
        result,
        name="Alicia",
        person="person.alice",
        accounts=[jellyfin.key(ALICE_AT_JELLYFIN)],
    )
    assert_aborted(result, "reconfigure_successful")
    assert alice.title == "Alicia"
    assert alice.data == {
        "kind": "viewer",
        "person": "person.alice",
        "accounts": [jellyfin.key(ALICE_AT_JELLYFIN)],
    }
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "held"
    said = await jellyfin.report(
        JellyfinEvent.PLAYBACK_STOP, LOW_WATER, ALICE_AT_JELLYFIN
    )
    assert (said["outcome"], said["viewers"]) == ("recorded", ["Alicia"])

    # Given back, the account brings along what it has played meanwhile.
    result = await reconfigure(hass, alice)
    await answer(
        hass,
        result,
        name="Alicia",
        accounts=[plex.key(ALICE_AT_PLEX), jellyfin.key(ALICE_AT_JELLYFIN)],
    )
    assert alice.data["person"] is None
    assert len(await plays_of(hass, alice)) == 2


async def test_reconfigure_viewer_name_taken(
    hass: HomeAssistant, alice: ConfigEntry[Any], bob: ConfigEntry[Any]
) -> None:
    """A viewer cannot take another's name."""
    result = await reconfigure(hass, alice)
    result = await answer(hass, result, name="bob", accounts=[])
    assert result["errors"] == {"name": "name_taken"}
    assert suggested(result) == {"name": "bob", "accounts": []}
    result = await answer(hass, result, name="alice", accounts=[])
    assert_aborted(result, "reconfigure_successful")
    assert alice.title == "alice"
    assert bob.title == "Bob"


async def test_reconfigure_viewer_server_is_gone(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin, alice: ConfigEntry[Any]
) -> None:
    """An account goes with its server, but not while the server is only disabled."""
    await hass.config_entries.async_set_disabled_by(
        plex.entry.entry_id, ConfigEntryDisabler.USER
    )
    keys = [plex.key(ALICE_AT_PLEX), jellyfin.key(ALICE_AT_JELLYFIN)]
    assert suggested(await reconfigure(hass, alice))["accounts"] == keys

    await hass.config_entries.async_remove(plex.entry.entry_id)
    result = await reconfigure(hass, alice)
    values = suggested(result)
    assert values["accounts"] == keys[1:]
    result = await answer(hass, result, name="Alice", accounts=values["accounts"])
    assert_aborted(result, "reconfigure_successful")
    assert alice.data["accounts"] == keys[1:]


# Options


async def test_viewer_options(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """A viewer chooses what is recorded."""
    result = await viewer_settings(hass, alice)
    assert choices(result, "media_types").keys() == {"movie", "episode", "track"}
    assert result["data_schema"] is not None
    # There is nobody else for whom it could count as well.
    usual = {"check_off": True, "import_interval": 0, "both_ways": False}
    assert result["data_schema"]({}) == {
        "media_types": ["movie", "episode", "track"],
        **usual,
    }
    result = await answer(hass, result, media_types=["episode"])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert alice.options == {"media_types": ["episode"], "also_for": [], **usual}
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "ignored"
    assert said["reason"] == "the viewer does not record movies"
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "recorded"
    assert suggested(await viewer_settings(hass, alice)) == {
        "media_types": ["episode"],
        **usual,
    }


async def test_server_options(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """A server accepts what it is told to, from the players it is told to follow."""
    await plex.send(b"nonsense")
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await hass.async_block_till_done()
    identity, player = plex.simulator.uuid, plex.simulator.player
    await hass.services.async_call(
        "switch",
        "turn_off",
        {"entity_id": entity_id_of(hass, "switch", plex.entry, "webhook")},
        blocking=True,
    )

    result = await options(hass, plex.entry)
    assert suggested(result) == {"servers": [identity]}
    # There is nothing else to ask of a server that cannot be asked.
    schema: Any = result["data_schema"]
    assert set(schema.schema) == {"servers", "players"}
    assert choices(result, "servers") == {identity: f"Attic ({identity})"}
    result = await answer(
        hass, result, servers=[identity, "Another"], players=["Kitchen"]
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert plex.entry.options == {
        "servers": [identity, "Another"],
        "players": ["Kitchen"],
        "webhook_enabled": False,
    }
    await hass.services.async_call(
        "switch",
        "turn_on",
        {"entity_id": entity_id_of(hass, "switch", plex.entry, "webhook")},
        blocking=True,
    )
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "ignored"
    assert said["reason"] == "this player is not followed"

    result = await options(hass, plex.entry)
    assert choices(result, "players") == {
        "Kitchen": "Kitchen",
        player.uuid: player.title,
    }
    await answer(hass, result, servers=[identity], players=[player.uuid])
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "recorded"


async def test_another_server(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """What another server reports is rejected until it is accepted in the options."""
    plex.simulator.uuid, plex.simulator.name = "another", "Garage"
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "rejected"
    assert "Garage" in said["reason"]
    result = await options(hass, plex.entry)
    accepted = suggested(result)["servers"]
    assert choices(result, "servers")["another"] == "Garage (another)"
    await answer(hass, result, servers=[*accepted, "another"])
    said = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    assert said["outcome"] == "recorded"


async def test_options_of_a_disabled_server(hass: HomeAssistant, plex: Plex) -> None:
    """The options of a disabled server are known as far as they have been chosen."""
    await plex.introduce(ALICE_AT_PLEX)
    await hass.config_entries.async_set_disabled_by(
        plex.entry.entry_id, ConfigEntryDisabler.USER
    )
    identity = plex.simulator.uuid
    assert choices(await options(hass, plex.entry), "servers") == {identity: identity}


# As the user interface does it


async def test_over_http(
    hass: HomeAssistant,
    plex: Plex,
    alice: ConfigEntry[Any],
    hass_client: ClientSessionGenerator,
) -> None:
    """Every form can be turned into JSON."""
    assert await async_setup_component(hass, "config", {})
    client = await hass_client()
    flows = "/api/config/config_entries/flow"
    option_flows = "/api/config/config_entries/options/flow"

    async def post(url: str, **data: Any) -> dict[str, Any]:
        async with client.post(url, json=data) as response:
            assert response.status == 200
            content: dict[str, Any] = await response.json()
        return content

    result = await post(flows, handler=DOMAIN)
    for data in (
        {"next_step_id": "plex"},
        {"next_step_id": "plex_webhook_only"},
        {"name": "Attic"},
        {"local_only": True},
    ):
        assert result["type"] in ("form", "menu")
        result = await post(f"{flows}/{result['flow_id']}", **data)
    assert result["type"] == "create_entry"

    await plex.introduce(BOB_AT_PLEX)
    await hass.async_block_till_done()
    async with client.get(f"{flows}/{offers(hass)[0]['flow_id']}") as response:
        assert (await response.json())["step_id"] == "confirm_account"

    for entry in (plex.entry, alice):
        result = await post(flows, handler=DOMAIN, entry_id=entry.entry_id)
        assert result["step_id"] == "reconfigure"
        result = await post(option_flows, handler=entry.entry_id)
        assert result["step_id"] == "init"
    assert (await call(hass, "get_history"))["total"] == 0
