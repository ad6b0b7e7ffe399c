"""Plex's answers: the same content as XML, which is the default, or as JSON.

Content is written as Plex's JSON has it. In XML its scalars are attributes and its lists
elements; what JSON calls `Metadata` is an element named for the type of the item.
"""

from collections.abc import Mapping
import json
import re
from typing import Any

from aiohttp import web

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_ELEMENTS: Mapping[str, str] = {
    "movie": "Video",
    "episode": "Video",
    "clip": "Video",
    "track": "Track",
    "photo": "Photo",
}
_SPECIAL = re.compile(r'[&<>"\n\r\t]')
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\n": "&#10;",
        "\r": "&#13;",
        "\t": "&#9;",
    }
)


def escape(text: str) -> str:
    """Return text as it stands in an attribute."""
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def to_xml(name: str, content: Mapping[str, Any], inner: str = "") -> str:
    """Return content as an element; `inner` are elements that are XML already."""
    attributes: list[str] = []
    elements: list[str] = []
    for key, value in content.items():
        match value:
            case None:
                pass
            case bool():
                attributes.append(f' {key}="{int(value)}"')
            case str():
                attributes.append(f' {key}="{escape(value)}"')
            case list():
                elements.extend(to_xml(_element(key, item), item) for item in value)
            case dict():
                elements.append(to_xml(key, value))
            case _:
                attributes.append(f' {key}="{value}"')
    children = "".join(elements) + inner
    start = f"<{name}{''.join(attributes)}"
    return f"{start}>{children}</{name}>" if children else f"{start}/>"


def _element(key: str, item: Mapping[str, Any]) -> str:
    """Return the name of the element that an item of a list is."""
    if key != "Metadata":
        return key
    return _ELEMENTS.get(str(item.get("type")), "Directory")


def wants_json(request: web.Request) -> bool:
    """Return whether a client asks for JSON."""
    return "application/json" in request.headers.get("Accept", "")


def xml_response(
    name: str, content: Mapping[str, Any], inner: str = "", *, status: int = 200
) -> web.Response:
    """Return an answer in XML."""
    return web.Response(
        text=DECLARATION + to_xml(name, content, inner),
        content_type="text/xml",
        charset="utf-8",
        status=status,
    )


def json_response(content: Any, *, status: int = 200) -> web.Response:
    """Return an answer in JSON."""
    return web.Response(
        text=json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        content_type="application/json",
        charset="utf-8",
        status=status,
    )


def container_response(
    request: web.Request, content: Mapping[str, Any], *, status: int = 200
) -> web.Response:
    """Return a media container as the client asks for it."""
    if wants_json(request):
        return json_response({"MediaContainer": dict(content)}, status=status)
    return xml_response("MediaContainer", content, status=status)
