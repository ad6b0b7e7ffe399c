"""Clients of people who have signed in to Plex."""

from collections.abc import Callable

from homeassistant.core import HomeAssistant

from custom_components.media_scrobbler.plex.client import PlexClient

from ..simulators.faults import Fault, Faults
from ..simulators.plex_server import PlexMediaServer, PlexStandIn


def client_of(
    hass: HomeAssistant,
    plex: PlexStandIn,
    name: str = "alice",
    url: str | None = None,
    *,
    server: PlexMediaServer | None = None,
    verify_ssl: bool = True,
) -> PlexClient:
    """Return the client of somebody who has signed in."""
    user, server = plex.user(name), server or plex.server
    return PlexClient(
        hass,
        url=url or server.url,
        token=server.token(user),
        account_token=plex.token(user),
        verify_ssl=verify_ssl,
    )


def silences(faults: Faults, path: str) -> list[Callable[[], Fault]]:
    """Return the ways in which there is no answer to be had."""
    return [
        lambda: faults.hang(path=path),
        lambda: faults.trickle(path=path),
        lambda: faults.cut(path=path),
        lambda: faults.drop(path=path),
    ]
