"""The users of a Jellyfin server."""

from dataclasses import dataclass
from datetime import datetime

from ..domain.event import Party
from .http import Http, understood
from .items import plain_id, utc_time


@dataclass(frozen=True, slots=True)
class User:
    """A user; what the server does not tell is None.

    `last_active` (UTC) is when the user last did anything on the server, give or take a
    minute: it is not written down more often.
    """

    account: Party
    is_administrator: bool | None
    last_active: datetime | None


async def async_users(http: Http) -> list[User]:
    """Return all users; every token is told of all of them."""
    answer = await http.async_objects("/Users")
    users = []
    with understood():
        for user in answer:
            policy = user.object("Policy")
            users.append(
                User(
                    Party(plain_id(user, "Id"), user.text("Name")),
                    policy.flag("IsAdministrator") if policy else None,
                    utc_time(user.text("LastActivityDate")),
                )
            )
    return users
