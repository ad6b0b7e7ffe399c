"""Libraries that an administrator makes of folders, and what there is in them.

Names of folders and the .nfo files beside the media are all that is read; no file is opened.
A run time, which a server finds in the file, has to be in the .nfo.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
import re
from xml.etree import ElementTree as ET

from .catalogue import Album, Episode, ExternalIds, Movie, Season, Show, Track

_MEDIA = frozenset({".mkv", ".mp4", ".mp3", ".flac"})
_UNKNOWN_DAY = date(2000, 1, 1)

type Filed = Movie | Episode | Track


@dataclass(frozen=True, slots=True)
class File:
    """A file: its title, and its version or the season it lies in where those differ."""

    title: Filed
    version: str | None = None
    folder: Season | None = None


@dataclass(kw_only=True)
class Folder:
    """A library, and what was found in it the last time."""

    name: str
    collection_type: str
    paths: list[str]
    found: list[File] = field(default_factory=list)

    def files(self) -> Iterator[File]:
        """Yield what there is now."""
        look = {"movies": _movies, "tvshows": _episodes, "music": _tracks}
        for path in self.paths:
            yield from look[self.collection_type](Path(path))


def _movies(root: Path) -> Iterator[File]:
    """Yield films; a second file in the folder of one is another version of it."""
    for folder in sorted(root.iterdir()):
        first: Movie | None = None
        for file in _media(folder):
            nfo = _nfo(file.with_suffix(".nfo"))
            movie = Movie(
                _text(nfo, "title"),
                int(_text(nfo, "year")),
                ids=_ids(nfo),
                runtime=_minutes(nfo),
                released=_day(nfo, "premiered"),
            )
            if first is None:
                first = movie
                yield File(movie)
            else:
                yield File(first, version=file.stem.rpartition(" - ")[2])


def _episodes(root: Path) -> Iterator[File]:
    for folder in sorted(root.iterdir()):
        nfo = _nfo(folder / "tvshow.nfo")
        show = Show(
            _text(nfo, "title"),
            int(_text(nfo, "year")),
            ids=_ids(nfo),
            premiered=_day(nfo, "premiered"),
        )
        for season in sorted(folder.glob("Season *")):
            for file in _media(season):
                yield _episode(show, int(season.name.split()[1]), file)


def _episode(show: Show, season: int, file: Path) -> File:
    nfo = _nfo(file.with_suffix(".nfo"))
    episode = Episode(
        show,
        int(_text(nfo, "season")),
        int(_text(nfo, "episode")),
        _text(nfo, "title"),
        ids=_ids(nfo),
        runtime=_minutes(nfo),
        aired=_day(nfo, "aired"),
    )
    lies_apart = episode.season != season
    return File(episode, folder=Season(show, season) if lies_apart else None)


def _tracks(root: Path) -> Iterator[File]:
    for folder in sorted(root.glob("*/*")):
        nfo = _nfo(folder / "album.nfo")
        album = Album(
            _text(nfo, "title"),
            _text(nfo, "artist"),
            int(_text(nfo, "year")),
            musicbrainz="",
            musicbrainz_artist="",
            musicbrainz_group="",
            released=_UNKNOWN_DAY,
        )
        for track in nfo.iterfind("track"):
            minutes, seconds = _text(track, "duration").split(":")
            yield File(
                Track(
                    album,
                    int(_text(track, "position")),
                    _text(track, "title"),
                    musicbrainz="",
                    runtime=timedelta(minutes=int(minutes), seconds=int(seconds)),
                    disc=0,
                )
            )


def _media(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in _MEDIA)


def _nfo(path: Path) -> ET.Element:
    return ET.fromstring(path.read_text())


def _text(nfo: ET.Element, name: str) -> str:
    return nfo.findtext(name) or ""


def _ids(nfo: ET.Element) -> ExternalIds:
    ids = {each.get("type"): each.text for each in nfo.iterfind("uniqueid")}
    tmdb, tvdb = ids.get("tmdb"), ids.get("tvdb")
    return ExternalIds(
        tmdb=int(tmdb) if tmdb else None,
        imdb=ids.get("imdb"),
        tvdb=int(tvdb) if tvdb else None,
    )


def _minutes(nfo: ET.Element) -> timedelta:
    return timedelta(minutes=int(_text(nfo, "runtime")))


def _day(nfo: ET.Element, name: str) -> date:
    text = _text(nfo, name)
    return (
        date.fromisoformat(text) if re.fullmatch(r"[\d-]{10}", text) else _UNKNOWN_DAY
    )
