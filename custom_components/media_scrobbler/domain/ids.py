"""External ids in the forms that servers write them."""

import re

from .title import Ids

_NUMBERED = re.compile(r"\d{1,12}", re.ASCII)
_IMDB = re.compile(r"tt\d{1,12}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

_NUMBERED_SOURCES = frozenset(
    {"tmdb", "tvdb", "anidb", "anilist", "myanimelist", "tvmaze", "tvrage"}
)


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
