"""A recording of a Jellyfin server: what it was asked, answered, and sent by itself.

It is a list of steps in order. Each has `did` (in words), `requests` (method, path, query,
body, status and answer of each) and `webhooks` (`after_s` from the step's first, `payload`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
import json
from pathlib import Path
import re
from typing import Any

from .catalogue import Album, Episode, ExternalIds, Movie, Season, Show, Title, Track

_UNKNOWN_DAY = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what came of it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    answer: Any


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done, in words, and what it led to."""

    did: str
    requests: tuple[Asked, ...]
    webhooks: tuple[Mapping[str, Any], ...]


def read_recording(path: Path) -> list[Step]:
    """Return the steps of a recording."""
    return [
        Step(
            step["did"],
            tuple(
                Asked(
                    each["method"],
                    each["path"],
                    each.get("query") or {},
                    each.get("body"),
                    each["status"],
                    each.get("answer"),
                )
                for each in step["requests"]
            ),
            tuple(webhook["payload"] for webhook in step["webhooks"]),
        )
        for step in json.loads(path.read_text())
    ]


@dataclass(frozen=True, slots=True)
class RecordedUser:
    """A user of the server."""

    id: str
    name: str
    administrator: bool
    hidden: bool


def recorded_users(steps: Iterable[Step]) -> list[RecordedUser]:
    """Return the users that were answered, in a list or when one signed in."""
    users: dict[str, RecordedUser] = {}
    for asked in _all(steps):
        answer = asked.answer
        if isinstance(answer, dict):
            answer = [answer.get("User")]
        for user in answer if isinstance(answer, list) else ():
            if isinstance(user, dict) and "Policy" in user:
                policy = user["Policy"]
                users[user["Id"]] = RecordedUser(
                    user["Id"],
                    user["Name"],
                    policy["IsAdministrator"],
                    policy["IsHidden"],
                )
    return list(users.values())


def _all(steps: Iterable[Step]) -> Iterator[Asked]:
    for step in steps:
        yield from step.requests


# --- the library -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordedVersion:
    """Another file of a title."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RecordedItem:
    """A title, with the id it had, where its file lay, and its other versions."""

    id: str
    title: Title
    folder: Season | None = None
    versions: tuple[RecordedVersion, ...] = ()


class RecordedLibrary:
    """The library that a recording tells of, in the list that was asked for first."""

    def __init__(self, steps: Iterable[Step]) -> None:
        answer = next(
            asked.answer
            for asked in _all(steps)
            if asked.path == "/Items" and "MediaSources" in asked.query["fields"]
        )
        self._listed: dict[str, Mapping[str, Any]] = {
            item["Id"]: item for item in answer["Items"]
        }

    def items(self) -> Iterator[RecordedItem]:
        """Yield what the library holds, but for artists."""
        for kind in ("Series", "Season", "Episode", "Movie", "MusicAlbum", "Audio"):
            for item in self._listed.values():
                if item["Type"] == kind:
                    yield self._item(item)

    def artists(self) -> Iterator[tuple[str, str]]:
        """Yield the id and the name of each artist."""
        for item in self._listed.values():
            if item["Type"] == "MusicArtist":
                yield item["Id"], item["Name"]

    def _item(self, item: Mapping[str, Any]) -> RecordedItem:
        title = self._title(item)
        folder = None
        if isinstance(title, Episode):
            season = _season_of(item["Path"])
            folder = None if season == title.season else Season(title.show, season)
        return RecordedItem(
            item["Id"],
            title,
            folder,
            tuple(
                RecordedVersion(source["Id"], source["Name"])
                for source in item.get("MediaSources", [])[1:]
            ),
        )

    def _title(self, item: Mapping[str, Any]) -> Title:
        match item["Type"]:
            case "Series":
                return self._show(item["Id"])
            case "Season":
                return Season(self._show(item["SeriesId"]), item["IndexNumber"])
            case "Episode":
                return Episode(
                    self._show(item["SeriesId"]),
                    item["ParentIndexNumber"],
                    item["IndexNumber"],
                    item["Name"],
                    ids=_ids(item),
                    runtime=_runtime(item),
                    aired=_day(item),
                    number_end=item.get("IndexNumberEnd"),
                )
            case "Movie":
                return Movie(
                    item["Name"],
                    item["ProductionYear"],
                    ids=_ids(item),
                    runtime=_runtime(item),
                    released=_day(item),
                )
            case "MusicAlbum":
                return self._album(item["Id"])
            case _:
                return Track(
                    self._album(item["AlbumId"]),
                    item["IndexNumber"],
                    item["Name"],
                    musicbrainz=item["ProviderIds"].get("MusicBrainzTrack", ""),
                    musicbrainz_artist=item["ProviderIds"].get("MusicBrainzArtist"),
                    runtime=_runtime(item),
                    disc=item.get("ParentIndexNumber", 0),
                    artist=item["Artists"][0],
                )

    def _show(self, identifier: str) -> Show:
        item = self._listed[identifier]
        return Show(
            item["Name"], item["ProductionYear"], ids=_ids(item), premiered=_day(item)
        )

    def _album(self, identifier: str) -> Album:
        item = self._listed[identifier]
        ids = item["ProviderIds"]
        return Album(
            item["Name"],
            item["AlbumArtist"],
            item["ProductionYear"],
            musicbrainz=ids.get("MusicBrainzAlbum", ""),
            musicbrainz_artist=ids.get("MusicBrainzAlbumArtist", ""),
            musicbrainz_group=ids.get("MusicBrainzReleaseGroup", ""),
            released=_day(item),
        )


def added_title(payload: Mapping[str, Any], shows: Mapping[str, Show]) -> Title:
    """Return the title that a webhook tells of as new; `shows` are those told of, by id."""
    ids = ExternalIds(
        tmdb=_number(payload.get("Provider_tmdb")),
        imdb=payload.get("Provider_imdb"),
        tvdb=_number(payload.get("Provider_tvdb")),
    )
    runtime = timedelta(microseconds=payload["RunTimeTicks"] // 10)
    match payload["ItemType"]:
        case "Series":
            return Show(
                payload["Name"], payload["Year"], ids=ids, premiered=_UNKNOWN_DAY
            )
        case "Episode":
            return Episode(
                shows[payload["SeriesId"]],
                payload["SeasonNumber"],
                payload["EpisodeNumber"],
                payload["Name"],
                ids=ids,
                runtime=runtime,
                aired=_UNKNOWN_DAY,
            )
        case _:
            return Movie(
                payload["Name"],
                payload["Year"],
                ids=ids,
                runtime=runtime,
                released=_UNKNOWN_DAY,
            )


def _season_of(path: str) -> int:
    """Return the season in whose folder a file lies."""
    match = re.search(r"/Season (\d+)/", path)
    return int(match[1]) if match else 0


def _ids(item: Mapping[str, Any]) -> ExternalIds:
    ids = item["ProviderIds"]
    return ExternalIds(
        tmdb=_number(ids.get("Tmdb")),
        imdb=ids.get("Imdb"),
        tvdb=_number(ids.get("Tvdb")),
    )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _runtime(item: Mapping[str, Any]) -> timedelta:
    return timedelta(microseconds=item["RunTimeTicks"] // 10)


def _day(item: Mapping[str, Any]) -> date:
    text: str | None = item.get("PremiereDate")
    return date.fromisoformat(text[:10]) if text else _UNKNOWN_DAY
