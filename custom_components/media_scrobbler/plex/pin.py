"""Signing in at plex.tv by a PIN that a person confirms in the browser."""

from urllib.parse import urlencode

from homeassistant import const
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import orjson
from plexapi.myplex import MyPlexPinLogin
from requests.adapters import HTTPAdapter

from ..domain.fields import Fields
from ..domain.media_server import (
    BusyError,
    ExpiredError,
    NotAMediaServerError,
    ServerFailureError,
)
from ..domain.rules import retry_after
from ..polling import async_poll
from .calls import TIMEOUT, Caller, new_session

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
        self._caller = Caller(hass)
        self._session = new_session()
        # Whoever waits asks again anyway.
        self._session.mount("https://", HTTPAdapter())
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

        def new_pin() -> str:
            pin = self._request("POST", MyPlexPinLogin.PINS, {"strong": "true"})
            number, code = pin.integer("id"), pin.text("code")
            if number is None or code is None:
                raise NotAMediaServerError
            self._id = number
            self._lifetime = min(pin.integer("expiresIn") or LIFETIME, LIFETIME)
            return code

        code = await self._caller.async_call(new_pin)
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

        def token() -> str | None:
            url = f"{MyPlexPinLogin.PINS}/{self._id}"
            return self._request("GET", url).text("authToken")

        return await async_poll(
            lambda: self._caller.async_call(token),
            interval=INTERVAL,
            lifetime=self._lifetime,
        )

    def _request(
        self, method: str, url: str, params: dict[str, str] | None = None
    ) -> Fields:
        response = self._session.request(
            method,
            url,
            params=params,
            headers={"Accept": "application/json", **self._client},
            timeout=TIMEOUT,
        )
        match response.status_code:
            case 404:
                raise ExpiredError
            case 429:
                raise BusyError(
                    retry_after(response.headers.get("Retry-After"), dt_util.utcnow())
                )
            case status if status >= 400:
                raise ServerFailureError
        return Fields(orjson.loads(response.content))
