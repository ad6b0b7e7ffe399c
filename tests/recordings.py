"""Recordings of real servers: what was asked of them, and the webhooks that they sent.

The folder that MEDIA_SCROBBLER_JELLYFIN names holds `jellyfin_<version>.json` and
`idle_<version>.json`: lists of steps, each with what was done, its requests with their
answers, and its webhooks with the seconds after which they came.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
import json
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = os.environ.get("MEDIA_SCROBBLER_JELLYFIN")
VERSIONS = ("10.11.11", "12.0")

needs_recordings = pytest.mark.skipif(
    FOLDER is None, reason="MEDIA_SCROBBLER_JELLYFIN does not name a folder"
)


@dataclass(frozen=True)
class Step:
    """A step of a recording; webhooks have the time (UTC) at which they came."""

    number: int
    did: str
    requests: list[dict[str, Any]]
    webhooks: list[tuple[datetime, dict[str, Any]]]

    @property
    def server_id(self) -> str:
        """Return the server's id."""
        server_id: str = self.webhooks[0][1]["ServerId"]
        return server_id

    def user_data(self) -> dict[str, dict[str, Any]]:
        """Return what the server answers of items at the end of the step, by item."""
        return {
            request["answer"]["ItemId"]: request["answer"]
            for request in self.requests
            if isinstance(request["answer"], dict) and "ItemId" in request["answer"]
        }


def steps_of(name: str) -> Iterator[Step]:
    """Yield the steps of a recording that have webhooks."""
    assert FOLDER is not None
    for number, step in enumerate(json.loads((Path(FOLDER) / name).read_bytes()), 1):
        sent = step["webhooks"]
        dated = [each for each in sent if "UtcTimestamp" in each["payload"]]
        if not dated:
            continue
        begun = _time(dated[0]["payload"]["UtcTimestamp"]) - timedelta(
            seconds=dated[0]["after_s"]
        )
        webhooks = [
            (begun + timedelta(seconds=each["after_s"]), each["payload"])
            for each in sent
        ]
        yield Step(number, step["did"], step["requests"], webhooks)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
