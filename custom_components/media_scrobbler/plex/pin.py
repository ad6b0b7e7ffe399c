"""Signing in at plex.tv by a PIN that a person confirms in the browser."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlencode

from homeassistant import const
from homeassistant.core import HomeAssistant
import orjson
from plexapi.myplex import MyPlexPinLogin
from yarl import URL

from ..domain.fields import Fields
from ..domain.media_server import ExpiredError, NotAMediaServerError, ServerFailureError
from ..http_client import async_session
from ..polling import async_poll
from .calls import async_send

LIFETIME = 30 * 60
"""Seconds that a PIN can be confirmed, unless plex.tv says that it is less."""

INTERVAL = 2
"""Seconds between two looks whether a PIN has been confirmed."""

_CONFIRM_URL = "https://app.plex.tv/auth/#!?"


class PinSignIn:
    """A sign-in that a person confirms in the browser.

    Not by plexapi's own class: to that, any answer that goes wrong is the end of the PIN.
    """

    def __init__(self, hass: HomeAssistant, client_id: str) -> None:
        """Take by which id plex.tv shall know this Home Assistant."""
        self._session = async_session(hass)
        self._client = {
            "X-Plex-Client-Identifier": client_id,
            "X-Plex-Product": "Media Scrobbler",
            "X-Plex-Version": const.__version__,
            "X-Plex-Platform": "Home Assistant",
            "X-Plex-Device": "Home Assistant",
            "X-Plex-Device-Name": "Home Assistant",
        }
        self._id = 0
        self._lifetime = LIFETIME

    async def async_url(self) -> str:
        """Return where the person confirms; raises MediaServerError."""

        def read(pin: Fields) -> tuple[int | None, str | None, int | None]:
            return pin.integer("id"), pin.text("code"), pin.integer("expiresIn")

        number, code, lifetime = await self._async_request(
            "POST", URL(MyPlexPinLogin.PINS) % {"strong": "true"}, read
        )
        if number is None or code is None:
            raise NotAMediaServerError
        self._id, self._lifetime = number, min(lifetime or LIFETIME, LIFETIME)
        return _CONFIRM_URL + urlencode(
            {
                "clientID": self._client["X-Plex-Client-Identifier"],
                "code": code,
                "context[device][product]": self._client["X-Plex-Product"],
                "context[device][version]": self._client["X-Plex-Version"],
                "context[device][platform]": self._client["X-Plex-Platform"],
                "context[device][device]": self._client["X-Plex-Device"],
                "context[device][deviceName]": self._client["X-Plex-Device-Name"],
            }
        )

    async def async_token(self) -> str:
        """Return the account's token once the person has confirmed.

        Raises ExpiredError when that has not happened in time, and nothing else.
        """

        url = URL(MyPlexPinLogin.PINS) / str(self._id)
        return await async_poll(
            lambda: self._async_request("GET", url, lambda pin: pin.text("authToken")),
            interval=INTERVAL,
            lifetime=self._lifetime,
        )

    async def _async_request[T](
        self, method: str, url: URL, read: Callable[[Fields], T]
    ) -> T:
        answer = await async_send(
            self._session,
            method,
            url,
            headers={"Accept": "application/json", **self._client},
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise ExpiredError
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ServerFailureError
        try:
            return read(Fields(orjson.loads(answer.content)))
        except ValueError as err:
            raise NotAMediaServerError from err
