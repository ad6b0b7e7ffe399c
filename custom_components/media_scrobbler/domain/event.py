"""Media events: one webhook, in our own terms."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .title import Title


class ServerType(StrEnum):
    """The kinds of server."""

    PLEX = "plex"
    JELLYFIN = "jellyfin"


class Action(StrEnum):
    """What happened to a playback."""

    PLAY = "play"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    PROGRESS = "progress"


class LibraryChange(StrEnum):
    """What happened to a library."""

    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Party:
    """A server, account or player, as an event names it: any part may be missing."""

    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RatingChange:
    """A rating from 0 to 10, or None where it was removed."""

    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A server's own report that a player plays on, of which nothing else is of interest.

    `item` is what it plays, by the server's id; `position` is in seconds.
    """

    name: str
    server_id: str
    player: Party
    item: str
    position: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedData:
    """What a server keeps of an item for an account; `item` is the server's id of it.

    `last_played` is when it was last begun, or the date that it was marked with: in UTC as
    the server says. It may be a local time where `may_be_local`.
    """

    item: str | None = None
    played: bool | None = None
    play_count: int | None = None
    last_played: datetime | None = None
    may_be_local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaEvent:
    """One webhook.

    One event may say several things: the stop of a playback can also complete a play.
    `titles` has one entry, or one for each episode of a multi-episode file, or none where
    the event is not about media. `watched_at` is the server's own time in UTC, None where
    it sends none. `position` is in seconds.
    """

    name: str
    server: Party = Party()
    account: Party | None = None
    player: Party | None = None
    titles: tuple[Title, ...] = ()
    action: Action | None = None
    position: float | None = None
    checked_in_at: datetime | None = None
    """When the player has last reported anything, by the server's clock; in UTC."""
    active_at: datetime | None = None
    """When the server has last heard of the player or reported its progress, likewise."""
    version: str | None = None
    """The server's id of the version of the title that plays."""
    completed: bool = False
    marked: bool = False
    """Whether it was completed by a mark, not by playing it."""
    marked_by_server: bool = False
    """Whether the server has marked it by itself, which completes nothing."""
    watched_at: datetime | None = None
    saved: SavedData | None = None
    """What the server has saved of an item for the account, where it tells that."""
    rating: RatingChange | None = None
    library: LibraryChange | None = None
    server_event: str | None = None
    owned: bool | None = None
    """Whether the server belongs to the person whose webhook this is; None if unknown."""
    ignored: str | None = None
    """Why the event does not count, where its payload alone tells."""
    routine: bool = False
    """Whether such events come all the time that something plays: only what one leads to
    is worth noting."""
    automated: bool = False
    """Whether it is the server's own reckoning of how far a player has got, not its word."""

    @property
    def title(self) -> Title | None:
        """Return the title, the first of several."""
        return self.titles[0] if self.titles else None
