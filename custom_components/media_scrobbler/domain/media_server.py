"""What a media server can be asked, whatever its type, and what can go wrong with it."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, override

from .address import shown
from .event import Party, SavedData
from .library import Completion, LatestPage, Page, Section
from .title import MediaType, Title


class MediaServerError(Exception):
    """A server could not be asked; each kind says what a person can do about it.

    `reason` is a key of the translations, `placeholders` are what its text has filled in.
    """

    reason = "unknown"

    @property
    def placeholders(self) -> dict[str, str]:
        """Return what the text has filled in, by name."""
        return {}


class CannotConnectError(MediaServerError):
    """Nothing answers, or not in time."""

    reason = "cannot_connect"


class CertificateError(MediaServerError):
    """The certificate cannot be verified."""

    reason = "certificate"


class NoHttpsError(MediaServerError):
    """What answers does not speak https, or not as it should."""

    reason = "no_https"


class RedirectedError(MediaServerError):
    """A request is answered with a redirect, which is not followed: it carries credentials.

    Nor would it come to what was asked for: of a POST it makes a GET. `asked` is the URL
    that was asked for, `target` the one that the redirect leads to.
    """

    reason = "redirected"

    def __init__(self, asked: str, target: str) -> None:
        """Take both URLs."""
        super().__init__(shown(asked), shown(target))
        self.asked = asked
        self.target = target

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Return where the redirect leads."""
        return {"url": shown(self.target)}


class NotAMediaServerError(MediaServerError):
    """Something else answers, or the server answers nonsense."""

    reason = "not_a_media_server"


class TooOldError(MediaServerError):
    """The server's version is older than what is supported."""

    reason = "too_old"


class SignInError(MediaServerError):
    """The credentials are wrong, or no longer right."""

    reason = "invalid_auth"


class AccountRefusedError(SignInError):
    """The server takes the credentials, and plex.tv does not.

    So it is with a token for one server alone, such as guests have.
    """

    reason = "account_refused"


class ExpiredError(SignInError):
    """What a person was to confirm has not been confirmed in time."""


class ForbiddenError(MediaServerError):
    """The credentials are right, but do not allow this."""

    reason = "forbidden"


class ServerFailureError(MediaServerError):
    """The server answers that it has failed."""

    reason = "server_failure"


class BusyError(ServerFailureError):
    """The server wants to be asked less often; `retry_after` says when again, in seconds."""

    reason = "busy"

    def __init__(self, retry_after: float | None = None) -> None:
        """Take what the server says, None if it does not."""
        super().__init__(retry_after)
        self.retry_after = retry_after


class ItemGoneError(MediaServerError):
    """The server has no such item (any more)."""

    reason = "item_gone"


class WebhookObstacleError(MediaServerError):
    """The server takes no webhook of ours; `reason` says why."""

    def __init__(self, reason: str) -> None:
        """Take the key of the reason."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Which server this is."""

    id: str
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """How a server is, of which no webhook tells; what it does not say is None.

    `scanned_at` is when it last ended to look through its libraries (UTC). `has_late_queue`
    tells that what came and went waits for longer than usual to be sent as webhooks.
    """

    pending_restart: bool | None = None
    scanned_at: datetime | None = None
    has_late_queue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NowPlaying:
    """What a player does at this moment; `position` is in seconds.

    `artwork` is what `async_artwork` takes.
    """

    player: Party
    account: Party | None
    title: Title
    paused: bool
    position: float | None
    artwork: str | None


class MediaServer(Protocol):
    """A server that has been signed in to.

    Everything raises MediaServerError, in one of its kinds.
    """

    async def async_info(self) -> ServerInfo:
        """Return which server answers."""

    async def async_accounts(self) -> list[Party]:
        """Return the accounts of the server, that of the sign-in first."""

    async def async_state(self) -> ServerState | None:
        """Return how the server is, None where its webhooks tell all of that."""

    async def async_hurry(self) -> None:
        """Have what came and went sent as webhooks now, as far as that can be done."""

    async def async_now_playing(self) -> list[NowPlaying]:
        """Return what is playing."""

    async def async_titles(
        self, items: Collection[str]
    ) -> dict[str, tuple[Title, ...]]:
        """Return what the server knows of items, by their ids; not of those that are gone.

        An episode is followed by the others that are in its file, where webhooks name one
        of them only.
        """

    async def async_title(self, item: str) -> Title | None:
        """Return what the server knows of an item, None if it has it no more."""

    async def async_artwork(self, artwork: str) -> bytes:
        """Return a poster, of which `picture_type` knows the type.

        Raises NotAMediaServerError for anything else.
        """

    async def async_sections(self) -> list[Section]:
        """Return the libraries of movies and shows."""

    async def async_page(
        self,
        section: Section,
        media_type: MediaType,
        start: int,
        limit: int,
        *,
        account: str | None = None,
    ) -> Page:
        """Return items of a section, the oldest addition first; with an account, what it has watched.

        Sorted by when they were added, so that what is added meanwhile comes last.
        """

    async def async_episodes(self, item: str) -> list[Title]:
        """Return the episodes of a show or season by its item id; none if it is gone."""

    def can_mark(self, account: str) -> bool:
        """Return whether what this account has watched can be marked on the server."""

    @property
    def dates_marks(self) -> bool:
        """Return whether a mark tells when something was watched; else it is of the moment."""

    async def async_saved(self, account: str, item: str) -> SavedData | None:
        """Return what the server has saved of an item for an account, None for nothing.

        Nothing where it may not be asked, or has no more to tell than its webhooks.
        """

    async def async_watched(
        self, account: str, items: Collection[str]
    ) -> dict[str, datetime | None]:
        """Return which of some items an account has watched, and when (UTC) if that is known."""

    async def async_mark(
        self,
        account: str,
        item: str,
        *,
        watched: bool,
        watched_at: datetime | None = None,
    ) -> bool:
        """Mark an item as watched by an account (at a time, where the server takes one), or as not watched.

        Returns whether it shows so now, for all that the server says. Raises ItemGoneError for an item that is gone, ForbiddenError where that is not allowed.
        """

    def async_history(
        self,
        accounts: Collection[str],
        since: datetime | None,
        *,
        active_since: datetime | None = None,
    ) -> AsyncIterator[list[Completion]]:
        """Yield what accounts have completed, page by page; all of it, or since a time.

        Accounts that seem not to have used the server since `active_since` may be left
        out. Who only watches along with others seems so.
        """

    def async_latest(
        self,
        accounts: Collection[str],
        since: datetime,
        *,
        active_since: datetime | None = None,
    ) -> AsyncIterator[LatestPage]:
        """Yield the same since a time, and how much else there is where that is told."""

    @property
    def clock_error(self) -> timedelta:
        """Return how much later the times of its history are than those of its webhooks.

        That is so where the server's clock differs from ours, as of its last answer.
        """

    async def async_webhook_obstacle(self) -> str | None:
        """Return why no webhook can be registered, a key of the translations, or None."""

    async def async_register_webhook(
        self, url: str, replaced: Collection[str] = ()
    ) -> None:
        """Have webhooks sent to this URL and no more to those it replaces.

        Whatever else is registered stays. Raises WebhookObstacleError where the server
        does not let us.
        """

    async def async_remove_webhooks(self, urls: Collection[str]) -> None:
        """Have no webhooks sent to these URLs any more."""

    async def async_sign_out(self) -> None:
        """Give back the token, which is of no use afterwards."""
