"""Plex GUIDs: the current form, the legacy agents' and those of other agents."""

from dataclasses import dataclass, field
import re

from ..domain.ids import external_id
from ..domain.title import CUSTOM_PREFIX, Ids, MediaType

# Agents whose GUID is <agent>://<id>[/<season>/<episode>][?lang=..], by the source of the
# id. Of a show, season or episode the id is always the show's.
_AGENTS = {
    "com.plexapp.agents.themoviedb": "tmdb",
    "com.plexapp.agents.imdb": "imdb",
    "com.plexapp.agents.thetvdb": "tvdb",
    "net.fribbtastic.coding.plex.myanimelist": "myanimelist",
}

# Agents that take whatever id the .nfo file beside the media held: only an IMDb id can be
# told from the others.
_NFO_AGENTS = ("com.plexapp.agents.xbmcnfo", "tv.plex.agents.nfo")

# HAMA names the source in the id and may number the way of counting, as in tvdb4-.
# tsdb is its name for TMDB's television side.
_HAMA_AGENT = "com.plexapp.agents.hama"
_HAMA_ID = re.compile(r"(anidb|tvdb|tmdb|tsdb|imdb)\d?-(\w+)", re.ASCII)

# Schemes of the ids that a current agent lists, at the top level or in Guid[].
_SCHEMES = {
    "tmdb": "tmdb",
    "imdb": "imdb",
    "tvdb": "tvdb",
    "mbid": "musicbrainz",
    "anidb": "anidb",
}

_LEGACY = "com.plexapp.agents."

# Metadata providers that people add to servers from 1.43 on. Each has a space of its own for
# its ids, whose guids name the kind of thing as Plex's do.
_CUSTOM = "tv.plex.agents.custom."
_NOT_WORDS = re.compile(r"[^0-9a-z]+")
_SHOW_PARTS = (MediaType.SEASON, MediaType.EPISODE)
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)

LIVE_TV_SCHEME = "tv.plex.xmltv"
TRAILER_SCHEMES = ("iva", "prerolls", "cinematrailer")


@dataclass(slots=True)
class Guid:
    """What a GUID says: ids of the title, ids of its show, and its numbers.

    Not frozen, which takes twice as long to make: every item of a library has several.
    """

    ids: Ids = field(default_factory=dict)
    show_ids: Ids = field(default_factory=dict)
    season: int | None = None
    episode: int | None = None


def scheme(guid: str | None) -> str:
    """Return the part of a GUID before `://`, in lower case."""
    return guid.partition("://")[0].lower() if guid else ""


def parse_guid(guid: str | None, media_type: MediaType) -> Guid:
    """Take apart the GUID of a title of the given kind.

    `plex://` is Plex's own id and kept as such, unless it names another kind of thing; so
    is that of a custom metadata provider, as an id of that provider (`custom_…`);
    `local://` and unknown agents identify nothing outside their server and yield no id,
    of legacy agents such as `none` only numbers.
    """
    agent = scheme(guid)
    if not guid or not agent:
        return Guid()
    path = guid.partition("://")[2].partition("?")[0]
    name, *numbers = path.split("/")
    if agent == "plex" or agent.startswith(_CUSTOM):
        is_other = name != media_type and name in MediaType
        if is_other or not any(numbers):
            return Guid()
        if agent == "plex":
            return Guid(ids={"plex": guid})
        provider = _NOT_WORDS.sub("_", agent.removeprefix(_CUSTOM)).strip("_")
        value = f"{agent}://{path.rstrip('/')}"
        return Guid(ids={CUSTOM_PREFIX + provider: value} if provider else {})

    if agent in _SCHEMES:
        ids = external_id(_SCHEMES[agent], name)
        if not any(numbers):
            return Guid(ids=ids)
    elif agent in _AGENTS:
        ids = external_id(_AGENTS[agent], name)
    elif agent == _HAMA_AGENT:
        match = _HAMA_ID.fullmatch(name)
        ids = (
            external_id("tmdb" if match[1] == "tsdb" else match[1], match[2])
            if match
            else {}
        )
    elif agent.startswith(_NFO_AGENTS):
        ids = external_id("imdb", name)
    elif agent.startswith(_LEGACY):
        ids = {}
    else:
        return Guid()

    season, episode = (
        int(number) if _NUMBER.fullmatch(number) else None
        for number in [*numbers, "", ""][:2]
    )
    if media_type in _SHOW_PARTS:
        return Guid(show_ids=ids, season=season, episode=episode)
    return Guid(ids=ids)
