"""What a template of Jellyfin's webhook plugin does to texts, undone.

A value that a template writes in two braces is escaped for HTML: by Handlebars.Net 2.1.6,
which version 21 of the plugin comes with, everything beyond U+009F as a decimal entity for
each unit of UTF-16; by 2.4 quotes and `=` as hexadecimal ones. Nothing is escaped in what the
plugin writes itself, with all properties: a title may well read `R&amp;B`.
"""

from collections.abc import Mapping
from html.entities import html5
import re
from typing import Any

_GUIDS = ("ItemId", "UserId", "SeriesId", "SeasonId", "PluginId")
_ENTITY = re.compile(
    r"&(?:#(?P<number>\d{1,7})|#[xX](?P<hex>[0-9a-fA-F]{1,6})|(?P<name>[a-zA-Z]\w*));",
    re.ASCII,
)
_DEPTH = 5
"""How deep texts are looked for: as deep as anything that is used."""


def is_made_by_template(payload: Mapping[str, Any]) -> bool:
    """Say whether a template has written a webhook of the plugin.

    A template writes the ids that are GUIDs to the server with dashes, the plugin itself
    without. Where there are none, only a template leaves out the server's version, or puts
    an item into an object of its own.
    """
    if isinstance(payload.get("Item"), dict):
        return True
    guids = [guid for key in _GUIDS if (guid := payload.get(key))]
    if guids:
        return any("-" in guid for guid in guids if isinstance(guid, str))
    return "ServerVersion" not in payload


def unescaped[T](value: T, depth: int = _DEPTH) -> T:
    """Return a payload with its texts as they were before a template escaped them.

    Only what is a whole entity, with its semicolon, stands for something else.
    """
    result: Any = value
    if isinstance(value, str):
        result = _unescaped_text(value)
    elif isinstance(value, dict) and depth:
        result = {key: unescaped(each, depth - 1) for key, each in value.items()}
    elif isinstance(value, list) and depth:
        result = [unescaped(each, depth - 1) for each in value]
    return result  # type: ignore[no-any-return]


def _unescaped_text(text: str) -> str:
    if "&" not in text:
        return text
    text = _ENTITY.sub(_character, text)
    # A character beyond U+FFFF has come in two halves.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(entity: re.Match[str]) -> str:
    if entity["name"]:
        return html5.get(entity["name"] + ";", entity[0])
    number = int(entity["number"]) if entity["number"] else int(entity["hex"], 16)
    return chr(number) if number <= 0x10FFFF else entity[0]
