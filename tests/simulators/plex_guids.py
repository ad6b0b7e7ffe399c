"""The guids by which Plex and its agents know titles.

Today's is an id in Plex's own database, the same on every server; ids in other databases
come beside it. Agents of old have theirs of one other database, in the guid itself.
"""

from .catalogue import ExternalIds, Movie, Show, stable_hex


def plex_guid(key: str, kind: str) -> str:
    """Return the id in Plex's own database, as the webhooks have it."""
    return f"plex://{kind}/{stable_hex('plex', key, length=24)}"


def plex_id(title: Movie | Show) -> str:
    """Return the id of a film or a series in Plex's own database."""
    return stable_hex("plex", title.key, length=24)


def old_guid(ids: ExternalIds, key: str, agents: tuple[str, ...]) -> str:
    """Return the guid that one of these agents of old gives."""
    known = {"imdb": ids.imdb, "themoviedb": ids.tmdb, "thetvdb": ids.tvdb}
    for agent in agents:
        if known[agent] is not None:
            return f"com.plexapp.agents.{agent}://{known[agent]}?lang=en"
    return f"com.plexapp.agents.none://{stable_hex('none', key, length=40)}?lang=xn"


def guids_xml(ids: ExternalIds) -> str:
    """Return ids as elements."""
    return "".join(f'<Guid id="{name}://{value}"/>' for name, value in ids.items())
