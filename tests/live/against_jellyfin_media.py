"""A small library of tiny files, which have the lengths of real ones: black pictures, silence.

What a title is says the .nfo beside its file, and of music the tags within it. All of it is
made up, so that a server that looks it up finds nothing.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

_VIDEO = (
    *("-f", "lavfi", "-i", "color=c=black:s=64x36:r=1"),
    *("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono"),
    *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-b:a", "8k"),
)
_AUDIO = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-c:a", "libmp3lame")


class MediaError(Exception):
    """A file could not be made."""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file to be made; the path is that within the folder of all."""

    path: str
    minutes: int
    nfo: ET.Element | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def _nfo(root: str, *values: tuple[str, object], **ids: str) -> ET.Element:
    """Return what a .nfo says: values, and external ids by their source."""
    nfo = ET.Element(root)
    for name, value in values:
        ET.SubElement(nfo, name).text = str(value)
    for source, identifier in ids.items():
        ET.SubElement(nfo, "uniqueid", type=source).text = identifier
    return nfo


def _film(title: str, year: int, minutes: int, **ids: str) -> ET.Element:
    about = ("title", title), ("year", year), ("runtime", minutes)
    return _nfo("movie", *about, **ids)


def _episode(
    title: str, season: int, number: int, minutes: int, **ids: str
) -> ET.Element:
    return _nfo(
        "episodedetails",
        ("title", title),
        ("season", season),
        ("episode", number),
        ("runtime", minutes),
        **ids,
    )


_COMPASS = _film("The Tin Compass", 2017, 80, tmdb="97000001", imdb="tt97000001")
_ALBUM = {
    "artist": "The Bollards",
    "album_artist": "The Bollards",
    "album": "Moorings",
    "date": "2003",
}
# The folders of the libraries, by the kind that the server has for what is in them.
FOLDERS: Mapping[str, str] = {"movies": "films", "tvshows": "shows", "music": "music"}
_SEASON = "shows/Night Ferry (2011)/Season 02/Night Ferry"
FILES = (
    MediaFile(
        "films/Grey Heron (2014)/Grey Heron (2014).mp4",
        90,
        _film("Grey Heron", 2014, 90, tmdb="97000002"),
    ),
    MediaFile(
        "films/The Tin Compass (2017)/The Tin Compass (2017) - Cinema.mp4", 80, _COMPASS
    ),
    MediaFile(
        "films/The Tin Compass (2017)/The Tin Compass (2017) - Long.mp4", 80, _COMPASS
    ),
    MediaFile(
        f"{_SEASON} S02E01.mp4",
        30,
        _episode("Last Crossing", 2, 1, 30, tvdb="97100001"),
    ),
    MediaFile(
        f"{_SEASON} S02E02.mp4", 30, _episode("Landfall", 2, 2, 30, tvdb="97100002")
    ),
    # A special that lies in the folder of a season.
    MediaFile(
        f"{_SEASON} S00E01.mp4",
        30,
        _episode("Ice on the Quay", 0, 1, 30, tvdb="97100003"),
    ),
    MediaFile(
        "music/The Bollards/Moorings/01 Slack Tide.mp3",
        4,
        tags={**_ALBUM, "title": "Slack Tide", "track": "1"},
    ),
)


def _texts() -> Iterator[tuple[str, ET.Element]]:
    """Yield the .nfo files that belong to no file of their own."""
    yield (
        "shows/Night Ferry (2011)/tvshow.nfo",
        _nfo("tvshow", ("title", "Night Ferry"), ("year", 2011), tvdb="97100000"),
    )
    album = _nfo(
        "album", ("title", "Moorings"), ("artist", "The Bollards"), ("year", 2003)
    )
    for file in FILES:
        if "track" in file.tags:
            track = ET.SubElement(album, "track")
            for name, value in (
                ("position", file.tags["track"]),
                ("title", file.tags["title"]),
                ("duration", f"{file.minutes:02d}:00"),
            ):
                ET.SubElement(track, name).text = value
    yield "music/The Bollards/Moorings/album.nfo", album


async def make_media(folder: Path, ffmpeg: str) -> None:
    """Make the library in a folder of its own; takes a minute.

    Raises `MediaError` where a file cannot be made.
    """
    for name, nfo in _texts():
        _write(folder / name, nfo)
    for file in FILES:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.nfo is not None:
            _write(path.with_suffix(".nfo"), file.nfo)
        await _make(ffmpeg, file, path)


async def _make(ffmpeg: str, file: MediaFile, path: Path) -> None:
    """Make a file."""
    tags = [
        part
        for name, value in file.tags.items()
        for part in ("-metadata", f"{name}={value}")
    ]
    source = _AUDIO if file.nfo is None else _VIDEO
    length = ("-t", str(file.minutes * 60))
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-v", "error", "-y", *source, *length, *tags, str(path)),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise MediaError(f"{ffmpeg} made no {path.name}: {errors.decode().strip()}")


def _write(path: Path, nfo: ET.Element) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(nfo).write(path, encoding="utf-8", xml_declaration=True)
