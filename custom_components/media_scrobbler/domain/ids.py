"""Ids in the forms that servers write them."""

import re

from .title import Ids

_NUMBERED = re.compile(r"\d{1,12}", re.ASCII)
_IMDB = re.compile(r"tt\d{1,12}", re.ASCII)
_ITEM = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

_NUMBERED_SOURCES = frozenset(
    {"tmdb", "tvdb", "anidb", "anilist", "myanimelist", "tvmaze", "tvrage"}
)


def is_item_id(text: str) -> bool:
    """Say whether a server can have an item of this id, which becomes part of paths.

    Plex' are digits, or hexadecimal in its catalogue; Jellyfin's are UUIDs with or without
    dashes; Emby's are either.
    """
    return _ITEM.fullmatch(text) is not None


def external_id(source: str, value: str | None) -> Ids:
    """Return one id in its proper form, or nothing where it has none.

    Numbers become int, IMDb's keep their `tt`, MusicBrainz' are lower-case UUIDs. What
    does not look like an id of that source is left out: half an id is worse than none.
    """
    if value is None:
        return {}
    value = value.strip()
    if source in _NUMBERED_SOURCES:
        if _NUMBERED.fullmatch(value) and (number := int(value)):
            return {source: number}
    elif source == "imdb":
        if _IMDB.fullmatch(value.lower()):
            return {source: value.lower()}
    elif source.startswith("musicbrainz"):
        if _UUID.fullmatch(value.lower()):
            return {source: value.lower()}
    return {}
