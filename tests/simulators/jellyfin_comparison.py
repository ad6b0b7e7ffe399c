"""Compares what two Jellyfin servers answer and tell, for what clients read of it.

Ids and times differ from server to server. An id that stands for the same thing is to be
made the same beforehand; of a time only the order counts in which it was first named, so
that two dates which are one on one server have to be one on the other, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
import re
from typing import Any, override

# Of answers, what is read by clients that keep a history.
_READ = frozenset(
    {
        # Of the server, its users and its tasks.
        "Version",
        "ServerName",
        "HasPendingRestart",
        "StartupWizardCompleted",
        "ProductName",
        "User",
        "Policy",
        "IsAdministrator",
        "IsDisabled",
        "IsHidden",
        "HasPassword",
        "EnableUserPreferenceAccess",
        "Authenticated",
        "DeviceId",
        "DeviceName",
        "AppName",
        "AppVersion",
        "Key",
        "State",
        "Status",
        "LastExecutionResult",
        # Of libraries and items.
        "Items",
        "Id",
        "ItemId",
        "Name",
        "Type",
        "CollectionType",
        "LocationType",
        "MediaType",
        "IsFolder",
        "RunTimeTicks",
        "ProductionYear",
        "IndexNumber",
        "IndexNumberEnd",
        "ParentIndexNumber",
        "ProviderIds",
        "SeriesName",
        "SeriesId",
        "SeasonId",
        "SeasonName",
        "Album",
        "AlbumId",
        "AlbumArtist",
        "Artists",
        "MediaSources",
        # Of what users did.
        "UserData",
        "Played",
        "PlayCount",
        "PlaybackPositionTicks",
        "LastPlayedDate",
        "IsFavorite",
        "Likes",
        "Rating",
        "UnplayedItemCount",
        # Of sessions.
        "SessionInfo",
        "UserId",
        "UserName",
        "Client",
        "LastPlaybackCheckIn",
        "NowPlayingItem",
        "AdditionalUsers",
        "PlayState",
        "PositionTicks",
        "IsPaused",
        "MediaSourceId",
        "PlayMethod",
        # Of refusals.
        "title",
        "status",
        "errors",
    }
)
# These hold what is named after what it is, and is read whatever that may be.
_READ_WHOLE = frozenset({"ProviderIds", "errors"})
# Of the files of an item, which they are.
_READ_AS_IDS = "MediaSources"
# How the keys of tasks begin, which are called by the name of that of user data.
_TASKS = ("RefreshLibrary", "Webhook")
# What is in these belongs together by the first of the names that it has.
_NAMES = ("Id", "Key", "Name")

# Of webhooks, what nobody reads.
_TOLD_FOR_NOTHING = re.compile(
    r"(Video|Audio|Subtitle)_\d+_\w+|(Utc)?Timestamp|Last(Activity|Login)Date|Overview"
    r"|Tagline|AspectRatio|Genres|AirTime|(Series)?PremiereDate|RemoteEndPoint|ServerUrl"
)
_NOW = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_TIMES = frozenset({"LastPlayedDate", "LastPlaybackCheckIn", "LastPausedDate"})
_WHOLE_SECOND = re.compile(r".*:\d\d(\.0+)?Z")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in which one server is not as the other; None where it has nothing."""

    where: str
    expected: Any
    found: Any

    @override
    def __str__(self) -> str:
        """Return the difference in a line."""
        return f"{self.where}: {self.found!r} instead of {self.expected!r}"


@dataclass
class Moments:
    """The times that a server has named, which have no other name than their order."""

    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def name(self, key: str, time: str) -> str:
        """Return the name of a time; one that was given and not measured has its own."""
        if _WHOLE_SECOND.fullmatch(time) or not _NOW.fullmatch(time):
            return time
        number = sum(known == key for known, _ in self._known)
        return self._known.setdefault((key, time), f"{key} number {number + 1}")


@dataclass
class Reader:
    """Reads what a server answers and tells, as far as that is of use."""

    # Ids and secrets of this server, and what stands for each of them.
    names: dict[str, str] = field(default_factory=dict)
    moments: Moments = field(default_factory=Moments)

    def answer(self, answer: Any) -> Any:
        """Return what is read of an answer; lists have become maps."""
        match answer:
            case dict():
                kept = {
                    key: self._value(key, value)
                    for key, value in answer.items()
                    if key in _READ and value is not None
                }
                if answer.get("IsFolder"):
                    # That of a folder is what somebody added up.
                    kept.pop("RunTimeTicks", None)
                if "Type" in answer:
                    # Of a show, whether it goes on.
                    kept.pop("Status", None)
                return kept
            case list():
                return self._by_name([self.answer(each) for each in answer])
            case str():
                return self.names.get(answer, answer)
            case _:
                return answer

    def webhook(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is read of a webhook."""
        return {
            key: self._value(key, value)
            for key, value in payload.items()
            if not _TOLD_FOR_NOTHING.fullmatch(key)
        }

    def _value(self, key: str, value: Any) -> Any:
        if key in _READ_WHOLE:
            return value
        if key == _READ_AS_IDS:
            return [self.answer(each["Id"]) for each in value]
        if key == "Key" and isinstance(value, str) and not value.startswith(_TASKS):
            # That which user data is kept by.
            return None
        if key in _TIMES and isinstance(value, str):
            return self.moments.name(key, value)
        return self.answer(value)

    @staticmethod
    def _by_name(values: list[Any]) -> Any:
        """Return a map of what has a name each, and anything else as it is."""
        for name in _NAMES:
            if values and all(isinstance(v, dict) and name in v for v in values):
                return {value[name]: value for value in values}
        return values


def differences(where: str, expected: Any, found: Any) -> Iterator[Difference]:
    """Yield in what two answers, or two webhooks, that were read differ."""
    match expected, found:
        case dict(), dict():
            for key in expected | found:
                yield from differences(
                    f"{where} {key}", expected.get(key), found.get(key)
                )
        case (list(), list()) if len(expected) == len(found):
            for number, pair in enumerate(zip(expected, found, strict=True)):
                yield from differences(f"{where} {number}", *pair)
        case _ if expected != found:
            yield Difference(where, expected, found)


def webhooks_differ(
    where: str,
    expected: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
) -> Iterator[Difference]:
    """Yield in what two series of webhooks, which were read and raised by one act, differ.

    What is told of user data comes in its order, and what is told of players in its own;
    how the one lies to the other is chance.
    """
    for saved in (True, False):
        pair = [
            [one for one in series if ("SaveReason" in one) is saved]
            for series in (expected, found)
        ]
        kinds = [[one["NotificationType"] for one in series] for series in pair]
        if kinds[0] != kinds[1]:
            yield Difference(f"{where} webhooks", *kinds)
            continue
        for number, (one, other) in enumerate(zip(*pair, strict=True), 1):
            yield from differences(
                f"{where} {one['NotificationType']} {number}", one, other
            )
