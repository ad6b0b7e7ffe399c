"""Plain requests: of stand-ins to a webhook, as the servers make them, and of clients to a server."""

from collections.abc import Mapping
import json
from typing import Any

import aiohttp

type Query = Mapping[str, str] | None

TIMEOUT = aiohttp.ClientTimeout(total=30)


async def post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    content_type: str,
    user_agent: str,
) -> tuple[int, dict[str, Any]]:
    """Send a body to a webhook and return its HTTP status and its answer.

    An answer that is no JSON object (Home Assistant answers an unknown webhook with an
    empty body) comes back as a dictionary with its text under `body`.
    """
    headers = {"Content-Type": content_type, "User-Agent": user_agent}
    async with session.post(
        url, data=body, headers=headers, timeout=TIMEOUT
    ) as response:
        text = await response.text()
        status = response.status
    try:
        answer = json.loads(text)
    except json.JSONDecodeError:
        answer = None
    return status, answer if isinstance(answer, dict) else {"body": text}


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    query: Query,
    body: Any,
    authorization: str,
) -> tuple[int, Any]:
    """Ask a server for something; returns the status, and the answer as JSON where it is.

    Else it is a text, or None for an empty answer.
    """
    async with session.request(
        method,
        url,
        params=query,
        json=body,
        headers={"Authorization": authorization},
    ) as response:
        status, text = response.status, await response.text()
    try:
        return status, json.loads(text) if text else None
    except json.JSONDecodeError:
        return status, text
