"""The texts in translations/en.json, and whether a dialogue has all that it needs."""

from collections.abc import Mapping
from functools import cache
import json
from pathlib import Path
import string
from typing import Any

from homeassistant.data_entry_flow import FlowResultType

import custom_components.media_scrobbler

FOLDER = Path(custom_components.media_scrobbler.__file__).parent


@cache
def english() -> dict[str, Any]:
    """Return the texts as they stand in the file."""
    content: dict[str, Any] = json.loads((FOLDER / "translations/en.json").read_bytes())
    return content


def text(*path: str) -> Any:
    """Return what stands at a place in the file; fails where nothing does."""
    found: Any = english()
    for key in path:
        assert key in found, f"no text {'.'.join(path)}"
        found = found[key]
    return found


def placeholders(template: str) -> set[str]:
    """Return the names that a text has filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def assert_translated(result: Mapping[str, Any], *category: str) -> None:
    """Fail unless everything that a step of a flow shows has its text."""
    given = set(result.get("description_placeholders") or {})
    match result["type"]:
        case FlowResultType.ABORT:
            assert placeholders(text(*category, "abort", result["reason"])) <= given
        case FlowResultType.MENU:
            step = text(*category, "step", result["step_id"])
            assert step["title"]
            assert placeholders(step.get("description", "")) <= given
            # A menu that repeats another one's choices does not explain them again.
            assert step["menu_options"].keys() >= set(result["menu_options"])
            explained = step.get("menu_option_descriptions", step["menu_options"])
            assert explained.keys() == step["menu_options"].keys()
        case FlowResultType.SHOW_PROGRESS:
            assert text(*category, "step", result["step_id"])["title"]
            progress = text(*category, "progress", result["progress_action"])
            assert placeholders(progress) <= given
        case FlowResultType.FORM:
            step = text(*category, "step", result["step_id"])
            assert step["title"]
            assert placeholders(step.get("description", "")) <= given
            for field in map(str, result["data_schema"].schema):
                assert step["data"][field]
                assert step["data_description"][field]
            for error in (result["errors"] or {}).values():
                assert placeholders(text(*category, "error", error)) <= given
