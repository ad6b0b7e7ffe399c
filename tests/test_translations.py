"""Texts and icons: whatever can be seen has one, and there is none for nothing."""

import ast
from collections.abc import Iterator
import json
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.selector import selector
from homeassistant.setup import async_setup_component
import pytest
import voluptuous as vol
import yaml

from custom_components.media_scrobbler.config_flow import MediaScrobblerConfigFlow
from custom_components.media_scrobbler.const import DOMAIN
from custom_components.media_scrobbler.domain.media_server import MediaServerError
from custom_components.media_scrobbler.domain.outcome import Outcome
from custom_components.media_scrobbler.domain.title import MediaType

from .common import Jellyfin, Plex, answer, settle, start_flow
from .signing_in import finish
from .simulators.catalogue import THE_SALT_ROAD
from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.plex import PlexEvent
from .texts import FOLDER, english, placeholders, text


def icons(*path: str) -> Any:
    """Return what stands at a place in icons.json."""
    found: Any = json.loads((FOLDER / "icons.json").read_bytes())
    for key in path:
        assert key in found, f"no icon {'.'.join(path)}"
        found = found[key]
    return found


def code() -> Iterator[ast.AST]:
    """Return every node of our code."""
    for path in FOLDER.rglob("*.py"):
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def strings() -> set[str]:
    """Return every text that stands in our code by itself."""
    return {
        node.value
        for node in code()
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def leaves(texts: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Return every text of a file with its place."""
    if isinstance(texts, dict):
        for key, value in texts.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, texts


def test_texts() -> None:
    """Texts are neat, and fill in what has the form of a name."""
    for path, value in leaves(english()):
        assert value, path
        assert value == value.strip(), path
        assert all(name.isidentifier() for name in placeholders(value)), path


def errors_of(kind: type[MediaServerError]) -> Iterator[type[MediaServerError]]:
    """Return a kind of error and all kinds of it."""
    yield kind
    for narrower in kind.__subclasses__():
        yield from errors_of(narrower)


def test_exceptions() -> None:
    """Every error that is raised has its text, and every such text its error."""
    raised = set()
    for node in code():
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("invalid", "_invalid"):
            assert isinstance(node.args[0], ast.Constant)
            raised.add(node.args[0].value)
        elif name.endswith(("Error", "Failed")):
            raised |= {
                keyword.value.value
                for keyword in node.keywords
                if keyword.arg == "translation_key"
                and isinstance(keyword.value, ast.Constant)
            }
    # A server that could not be asked says why by its kind of error.
    raised |= {error.reason for error in errors_of(MediaServerError)}
    assert raised == english()["exceptions"].keys()


@pytest.mark.parametrize(
    "place",
    [
        "config.error",
        "config.abort",
        "config.progress",
        "issues",
        "selector.instructions.options",
        "selector.webhook_obstacle.options",
    ],
)
def test_nothing_left_over(place: str) -> None:
    """Texts of errors, ends and issues belong to ones that there are."""
    keys = text(*place.split(".")).keys()
    # These are Home Assistant's own.
    known = {"reauth_successful", "reconfigure_successful"}
    for string in strings():
        known |= {string, string.rpartition(".")[2]}
        # An issue about a webhook is named after what is in its way.
        known.add(f"webhook_{string}")
    assert keys - known == set()


def test_steps() -> None:
    """Every step of the config flow has its texts, and every such text its step."""
    steps = {
        name.removeprefix("async_step_")
        for own in MediaScrobblerConfigFlow.__mro__
        if own.__module__.startswith(
            MediaScrobblerConfigFlow.__module__.rpartition(".")[0]
        )
        for name in vars(own)
        if name.startswith("async_step_")
    }
    # These lead to others and show nothing themselves.
    silent = {
        "import",
        "integration_discovery",
        "jellyfin_signed_in",
        "plex_signed_in",
        "reauth",
        "zeroconf",
    }
    assert english()["config"]["step"].keys() == steps - silent


async def test_entities(
    hass: HomeAssistant,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    jellyfin_server: JellyfinStandIn,
    entity_registry: er.EntityRegistry,
) -> None:
    """Every entity has a name and an icon, and there are none for others."""
    result = await start_flow(hass, "jellyfin", "jellyfin_api_key")
    api_key = jellyfin_server.api_key()
    result = await answer(
        hass, result, url=jellyfin_server.url, api_key=api_key, verify_ssl=True
    )
    await finish(hass, result)
    await plex.report(PlexEvent.PLAY, THE_SALT_ROAD)
    await settle(hass)
    named: dict[str, set[str]] = {}
    pictured: dict[str, set[str]] = {}
    for entity in entity_registry.entities.values():
        assert entity.platform == DOMAIN
        assert entity.has_entity_name
        key = entity.translation_key
        assert key is not None
        if entity.domain != "binary_sensor":
            # Those have an icon for either state by their device class.
            pictured.setdefault(entity.domain, set()).add(key)
            assert icons("entity", entity.domain, key, "default").startswith("mdi:")
        if entity.domain == "media_player":
            # A player is its device.
            assert entity.original_name is None
            continue
        named.setdefault(entity.domain, set()).add(key)
        assert entity.original_name == text("entity", entity.domain, key, "name")
        state = hass.states.get(entity.entity_id)
        assert state is not None
        if entity.domain == "event":
            types = text(
                "entity", "event", key, "state_attributes", "event_type", "state"
            )
            assert types.keys() == set(state.attributes["event_types"])
    assert {platform: set(keys) for platform, keys in text("entity").items()} == named
    assert {platform: set(keys) for platform, keys in icons("entity").items()} == (
        pictured
    )
    outcomes = text(
        "entity", "sensor", "last_webhook", "state_attributes", "outcome", "state"
    )
    assert outcomes.keys() == {outcome.value for outcome in Outcome}
    errors = text(
        "entity", "sensor", "last_import", "state_attributes", "error", "state"
    )
    assert errors.keys() == {
        "interrupted",
        "no_plex_account",
        "not_readable",
        "not_written",
        "watchlist_full",
        "watchlist_shrunk",
        *(error.reason for error in errors_of(MediaServerError)),
    }


def described() -> dict[str, Any]:
    """Return the actions as services.yaml describes them."""
    content: dict[str, Any] = yaml.safe_load(
        (FOLDER / "services.yaml").read_text(encoding="utf-8")
    )
    return content


async def test_actions(hass: HomeAssistant) -> None:
    """Actions are the same in code, in services.yaml, in the texts and in the icons."""
    assert await async_setup_component(hass, DOMAIN, {})
    actions = hass.services.async_services()[DOMAIN]
    assert actions.keys() == described().keys()
    assert actions.keys() == english()["services"].keys()
    assert actions.keys() == icons("services").keys()
    for name, action in actions.items():
        texts = text("services", name)
        assert texts["name"] and texts["description"]
        fields = described()[name]["fields"]
        assert isinstance(action.schema, vol.Schema)
        assert described()[name]["target"] == {"entity": {"integration": DOMAIN}}
        keys = action.schema.schema.keys() - cv.ENTITY_SERVICE_FIELDS.keys()
        assert fields.keys() == texts["fields"].keys() == set(map(str, keys))
        for key in keys:
            field = fields[str(key)]
            field_texts = texts["fields"][str(key)]
            assert field_texts["name"] and field_texts["description"]
            assert field.get("required", False) is isinstance(key, vol.Required)
            if not isinstance(key.default, vol.Undefined):
                assert field["default"] == key.default()
            check_selector(field["selector"])


def check_selector(config: dict[str, Any]) -> None:
    """Fail unless Home Assistant takes a selector, and its choices have their texts."""
    selector(config)
    if (select := config.get("select")) is not None:
        texts = text("selector", select["translation_key"], "options")
        assert set(select["options"]) <= texts.keys()
        assert set(select["options"]) <= {kind.value for kind in MediaType}
