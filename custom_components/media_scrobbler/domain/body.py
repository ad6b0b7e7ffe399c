"""Request bodies in the forms that senders use, decoded to a JSON object."""

from dataclasses import dataclass
import re
from typing import Any
from urllib.parse import parse_qsl

import orjson

from .fields import PayloadError
from .picture import picture_type

PAYLOAD_FIELDS = ("payload", "data")
"""The form fields that carry the JSON: Plex's `payload`, Emby's `data`."""

MAX_JSON = 512 * 1024
"""Bytes of JSON that are decoded: nothing else can run meanwhile. Real payloads come to
2,000 to 100,000; posters beside them do not count."""

_BOUNDARY = re.compile(r'boundary="?([^";,]{1,200})"?', re.IGNORECASE)
_PART_NAME = re.compile(rb'\bname="?([^";\r\n]{1,100})"?', re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
# A quote that a program has put a backslash before, which its template then escaped for HTML.
_ESCAPED_TWICE = re.compile(rb"(?<!\\)((?:\\\\)*)\\&")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded request: its JSON object, and the poster that came along."""

    payload: dict[str, Any]
    thumb: bytes | None = None


def decode(body: bytes, content_type: str = "") -> Body:
    """Decode a request body: multipart, url-encoded, or JSON whatever its type says.

    The multipart reader works on a complete body, because a request that comes through
    the cloud offers nothing else, and it takes bare line feeds, because such a body has
    been a text on the way. Raises PayloadError with a reason a person can act on.
    """
    body = body.removeprefix(_BOM).lstrip()
    if not body:
        raise PayloadError("the body is empty; is the template empty?")
    if body.startswith(b"{"):
        return Body(_json(body))
    kind = content_type.strip().lower()
    if body.startswith(b"-") or kind.startswith("multipart/"):
        return _multipart(body, content_type)
    if b"=" in body[:200] or "urlencoded" in kind:
        return Body(_form(body))
    return Body(_json(body))


def _json(raw: bytes) -> dict[str, Any]:
    raw = raw.removeprefix(_BOM)
    if len(raw) > MAX_JSON:
        raise PayloadError(f"the JSON is larger than {MAX_JSON} bytes")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as err:
        mended = _ESCAPED_TWICE.sub(rb"\1&", raw) if b"\\&" in raw else b""
        try:
            value = orjson.loads(mended)
        except orjson.JSONDecodeError:
            raise PayloadError(f"not valid JSON: {err.msg}") from err
    if not isinstance(value, dict):
        raise PayloadError("the JSON is not an object")
    return value


def _form(body: bytes) -> dict[str, Any]:
    try:
        fields = dict(
            parse_qsl(
                body.decode(errors="replace"),
                keep_blank_values=True,
                max_num_fields=1000,
            )
        )
    except ValueError as err:
        raise PayloadError("the form has too many fields") from err
    for name in PAYLOAD_FIELDS:
        if fields.get(name, "").lstrip().startswith("{"):
            return _json(fields[name].encode())
    return fields


def _multipart(body: bytes, content_type: str) -> Body:
    if match := _BOUNDARY.search(content_type):
        delimiter = b"--" + match[1].encode(errors="replace")
    else:
        delimiter = b""
    if not delimiter or delimiter not in body:
        # Without a usable header the body's own first line is the delimiter.
        delimiter = body.split(b"\n", 1)[0].strip()
        if not delimiter.startswith(b"--") or len(delimiter) < 3:
            raise PayloadError("the multipart body has no boundary")

    payload: bytes | None = None
    thumb: bytes | None = None
    # A delimiter starts a line: within one it is content.
    for part in (b"\n" + body).split(b"\n" + delimiter)[1:]:
        if part.startswith(b"--"):
            break
        if not (blank := _BLANK_LINE.search(part)):
            continue
        if not (named := _PART_NAME.search(part, 0, blank.start())):
            continue
        name = named[1].decode(errors="replace")
        content = part[blank.end() :]
        if name in PAYLOAD_FIELDS and payload is None:
            payload = content
        elif picture_type(content := content.removesuffix(b"\r")) is not None:
            thumb = content
    if payload is None:
        raise PayloadError("the multipart body has no part named payload")
    return Body(_json(payload.strip()), thumb)
