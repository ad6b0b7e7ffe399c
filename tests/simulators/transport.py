"""How the stand-ins reach a webhook: plain requests, as the servers make them."""

import json
from typing import Any

import aiohttp

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
