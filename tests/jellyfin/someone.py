"""Who asks a stand-in: a user, or somebody with an API key."""

from dataclasses import dataclass

from aiohttp import ClientSession

from custom_components.media_scrobbler.jellyfin.client import JellyfinClient

from ..simulators.jellyfin import JellyfinUser
from ..simulators.jellyfin_server import JellyfinStandIn


@dataclass
class Someone:
    """A user's client, and the token in it."""

    client: JellyfinClient
    user: JellyfinUser
    token: str


def user_of(jellyfin: JellyfinStandIn, session: ClientSession, name: str) -> Someone:
    """Return the client of a user who has signed in."""
    user = JellyfinUser.named(name)
    token = jellyfin.sign_in(user, device_id="home")
    return Someone(
        JellyfinClient(
            session, url=jellyfin.url, device_id="home", token=token, user_id=user.id
        ),
        user,
        token,
    )


def with_token(
    jellyfin: JellyfinStandIn, session: ClientSession, token: str
) -> JellyfinClient:
    """Return the client of somebody who has pasted a token: nobody knows whose."""
    return JellyfinClient(session, url=jellyfin.url, device_id="home", token=token)
