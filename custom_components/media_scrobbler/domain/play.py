"""Plays: completed viewings."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .title import Title

LAST_START = "last start"
"""The `event` of a source whose time is when the title was last begun to be played."""

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
    """One report of a play. `server_id` is the config entry's id, `at` is in UTC.

    `account` is the name of the account then, or its id where it had none. `event` is what
    a webhook calls it, or LAST_START. `begun_at` is when a playback was begun that has been
    followed since, `dated` the date that a mark was given or that a server's history has;
    both in UTC as the server says.
    """

    kind: SourceKind
    at: datetime
    event: str | None = None
    server_id: str | None = None
    server: str | None = None
    server_type: str | None = None
    account: str | None = None
    account_id: str | None = None
    player: str | None = None
    player_id: str | None = None
    begun_at: datetime | None = None
    dated: datetime | None = None
    may_be_local: bool = False
    """Whether the date of a mark may be a local time that the server takes for UTC."""

    @property
    def is_of_history(self) -> bool:
        """Return whether it was read from what a server knows to have been completed."""
        return self.kind in (SourceKind.SERVER_HISTORY, SourceKind.IMPORT)

    @property
    def tells_start(self) -> bool:
        """Return whether the time it gives is that of the beginning."""
        return self.is_of_history and self.event == LAST_START

    @property
    def is_mark(self) -> bool:
        """Return whether it was a mark with a date, which may be that of the beginning."""
        return self.kind is SourceKind.WEBHOOK and self.dated is not None

    def is_of_account(self, other: Source) -> bool:
        """Return whether both are about the same account of the same server."""
        if self.server_id != other.server_id:
            return False
        # Names change, and not every webhook tells an id.
        return self.account == other.account or (
            self.account_id is not None and self.account_id == other.account_id
        )


class Certainty(StrEnum):
    """How sure it is that a title was completed at a time, or in the playback begun then."""

    CERTAIN = "certain"
    IF_FIRST = "if_first"
    """It was if it had not been completed before; it may only have been begun again."""
    BEGUN = "begun"
    """It was begun then; the server takes it for completed whether or not it has been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A title that somebody says was completed, at a time in UTC."""

    title: Title
    watched_at: datetime
    source: Source
    certainty: Certainty = Certainty.CERTAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One completed viewing of a title, watched at a time in UTC."""

    id: str
    title: Title
    watched_at: datetime
    sources: tuple[Source, ...]

    @property
    def tells_start(self) -> bool:
        """Return whether all that is known is when it was begun."""
        return bool(self.sources) and all(source.tells_start for source in self.sources)
