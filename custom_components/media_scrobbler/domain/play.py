"""Plays: completed viewings."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .title import Title

MAX_SOURCES = 20
"""How many sources a play remembers. Servers repeat themselves; a history should not."""


class SourceKind(StrEnum):
    """How a play came to be known."""

    WEBHOOK = "webhook"
    SERVER_HISTORY = "server_history"
    MANUAL = "manual"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One report of a play. `server_id` is the config entry's id, `at` is in UTC."""

    kind: SourceKind
    at: datetime
    event: str | None = None
    server_id: str | None = None
    server: str | None = None
    server_type: str | None = None
    account: str | None = None
    player: str | None = None
    player_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One completed viewing of a title, watched at a time in UTC."""

    id: str
    title: Title
    watched_at: datetime
    sources: tuple[Source, ...]
