"""The libraries of a Plex Media Server, read from its JSON."""

from collections.abc import Collection
from datetime import datetime
import re
from typing import Any

from plexapi.exceptions import NotFound

from ..domain.fields import Fields, PayloadError
from ..domain.ids import is_item_id
from ..domain.library import Entry, Page, Section
from ..domain.media_server import ItemGoneError, NotAMediaServerError
from ..domain.title import PLAYABLE, MediaType, Title
from ..http_client import path
from .api import Api, Params
from .metadata import TYPE_NUMBERS, moment, not_media, parse_title

EPISODES_AT_ONCE = 500
"""How many episodes of a show are asked for in one request."""

_MEDIA_TYPES = {
    "movie": (MediaType.MOVIE,),
    "show": (MediaType.SHOW, MediaType.EPISODE),
}

_ARTWORK = re.compile(r"/library/metadata/(\d+)/thumb/(\d+)", re.ASCII)

# External ids come only where asked for. What makes up most of an item is not used here:
# its files, people and descriptions. A server that cannot leave them out sends them.
_UNUSED = (
    "Collection,Country,Director,Field,Genre,Image,Label,"
    "Producer,Rating,Role,Similar,UltraBlurColors,Writer"
)
_WITH_FILES: Params = {
    "includeGuids": 1,
    "excludeElements": _UNUSED,
    "excludeFields": "summary,tagline",
}
_EXTENT: Params = {**_WITH_FILES, "excludeElements": f"{_UNUSED},Media"}

type InFiles = list[tuple[frozenset[str], Title]]
"""Episodes, each with the files that it is in."""


def metadata_path(*items: str) -> str:
    """Return where items are, one or several of them."""
    return path("library", "metadata", ",".join(items))


def artwork_path(artwork: str) -> str:
    """Return where the poster of an item is; raises ItemGoneError where it is elsewhere.

    Nothing but a poster is asked for as its owner by a path that came from outside.
    """
    match = _ARTWORK.fullmatch(artwork)
    if match is None:
        raise ItemGoneError
    item, version = match.groups()
    return f"{metadata_path(item)}/thumb/{version}"


def read_sections(api: Api) -> list[Section]:
    """Return the sections of movies and shows, whichever agent they have."""
    sections = []
    # One that cannot be understood makes all of them unknown: to leave it out would be to
    # say that it is gone.
    for section in api.get("/library/sections").objects("Directory"):
        media_types = _MEDIA_TYPES.get(section.text("type") or "")
        if media_types is None:
            continue
        key = section.text("key")
        if key is None:
            raise NotAMediaServerError
        sections.append(Section(key, section.text("title") or key, media_types))
    return sections


def read_page(
    api: Api,
    section: Section,
    media_type: MediaType,
    start: int,
    limit: int,
    *,
    server_id: str,
    watched: bool,
) -> Page:
    """Return items of a section and, if wanted, what the token's account has watched.

    Of a show it is never said whether it has been watched: that is up to its episodes.
    Raises ItemGoneError where there is no such section any more.
    """
    try:
        part = api.part(
            path("library", "sections", section.id, "all"),
            {
                "type": TYPE_NUMBERS[media_type],
                # What is added while a library is read comes last.
                "sort": "addedAt:asc",
                **_EXTENT,
            },
            start,
            limit,
        )
    except NotFound as err:
        raise ItemGoneError from err
    entries = tuple(
        entry
        for item in part.items
        if (
            entry := _entry(
                item,
                media_type,
                server_id,
                watched=watched and media_type in PLAYABLE,
            )
        )
    )
    return Page(entries, len(part.items), part.total)


def read_episodes(api: Api, item: str, start: int, *, server_id: str) -> Page:
    """Return episodes of a show or season, as many as are read at once; none if it is gone."""
    try:
        part = api.part(
            f"{metadata_path(item)}/allLeaves",
            _EXTENT,
            start,
            EPISODES_AT_ONCE,
        )
    except NotFound, ItemGoneError:
        return Page((), 0, 0)
    entries = tuple(
        entry
        for each in part.items
        if (entry := _entry(each, MediaType.EPISODE, server_id, watched=False))
    )
    return Page(entries, len(part.items), part.total)


def read_files(api: Api, season: str, *, server_id: str) -> InFiles:
    """Return the episodes of a season with their files; none if it is gone."""
    found: InFiles = []
    start, total = 0, 1
    while start < total:
        try:
            part = api.part(
                f"{metadata_path(season)}/children",
                _WITH_FILES,
                start,
                EPISODES_AT_ONCE,
            )
        except NotFound, ItemGoneError:
            return []
        for item in part.items:
            try:
                metadata = Fields(item)
                title = _title(metadata, MediaType.EPISODE, server_id)
                files = frozenset(
                    file
                    for media in metadata.objects("Media")
                    for piece in media.objects("Part")
                    if (file := piece.text("file"))
                )
            except PayloadError:
                continue
            if title is not None and files:
                found.append((files, title))
        start, total = start + len(part.items), part.total
    return found


def read_watched(api: Api, items: Collection[str]) -> dict[str, datetime | None]:
    """Return which of some items the token's account has watched, and when it last did."""
    known = [item for item in items if is_item_id(item)]
    if not known:
        return {}
    try:
        container = api.get(metadata_path(*known))
    except NotFound:
        return {}
    return {
        key: moment(metadata, "lastViewedAt")
        for metadata in container.objects("Metadata")
        if (key := metadata.text("ratingKey")) and metadata.integer("viewCount")
    }


def _entry(
    item: Any, media_type: MediaType, server_id: str, *, watched: bool
) -> Entry | None:
    """Return an item, None for what cannot be understood or is something else."""
    try:
        metadata = Fields(item)
        title = _title(metadata, media_type, server_id)
        if title is None:
            return None
        if not watched:
            return Entry(title)
        # The time of the last view may be that of one that was broken off.
        if not metadata.integer("viewCount"):
            return Entry(title, watched=False)
        if metadata.integer("viewOffset"):
            return Entry(title, True, None)
        return Entry(title, True, moment(metadata, "lastViewedAt"))
    except PayloadError:
        return None


def _title(metadata: Fields, media_type: MediaType, server_id: str) -> Title | None:
    title = None if not_media(metadata) else parse_title(metadata, server_id)
    if title is None or title.media_type is not media_type or not title.items:
        return None
    return title
