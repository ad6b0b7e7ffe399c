"""Config flow: signing in to Jellyfin."""

import asyncio
from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import (
    CONF_API_KEY,
    CONF_PASSWORD,
    CONF_TOKEN,
    CONF_URL,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.helpers import instance_id
import voluptuous as vol

from .const import CONF_OBTAINED, CONF_USER_ID
from .domain.event import ServerType
from .domain.markdown import literal
from .domain.media_server import ForbiddenError, MediaServerError, ServerInfo
from .flow_base import WaitingFlow
from .http_client import async_session
from .jellyfin.client import JellyfinClient, SignedIn
from .server_steps import TEXT_SECRET, TEXT_URL, ServerSteps


class JellyfinSteps(WaitingFlow, ServerSteps):
    """By Quick Connect, by password, or by API key."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self._quick_connect: asyncio.Task[SignedIn] | None = None
        self._quick_connect_code = ""
        self._address: dict[str, Any] = {}
        self._client: JellyfinClient | None = None

    async def async_step_jellyfin(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how to add a Jellyfin server."""
        return self.async_show_menu(
            step_id="jellyfin",
            menu_options=[
                "jellyfin_quick_connect",
                "jellyfin_password",
                "jellyfin_api_key",
                "jellyfin_webhook_only",
            ],
        )

    async def async_step_jellyfin_quick_connect(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the URL, and get a code to show."""
        errors: dict[str, str] = {}
        if user_input is not None:
            reached = await self._async_server(user_input, errors)
            if reached is not None:
                client, info = reached
                await self._async_recognise(ServerType.JELLYFIN, info.id)
                try:
                    code, secret = await client.async_quick_connect()
                except ForbiddenError:
                    errors["base"] = "quick_connect_off"
                except MediaServerError as err:
                    self._note_error(errors, err)
                else:
                    self._quick_connect_code = code
                    self._quick_connect = self._async_wait_for(
                        client.async_wait_for_quick_connect(secret), "quick connect"
                    )
                    return await self.async_step_jellyfin_quick_connect_code()
        return self._form("jellyfin_quick_connect", {}, user_input, errors)

    async def async_step_jellyfin_quick_connect_code(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the code until a person has entered it."""
        assert self._quick_connect is not None
        if not self._quick_connect.done():
            return self.async_show_progress(
                step_id="jellyfin_quick_connect_code",
                progress_action="quick_connect",
                description_placeholders={"code": literal(self._quick_connect_code)},
                progress_task=self._quick_connect,
            )
        return self.async_show_progress_done(
            next_step_id=(
                "jellyfin_not_signed_in"
                if self._quick_connect.exception()
                else "jellyfin_signed_in"
            )
        )

    async def async_step_jellyfin_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with a code that has been entered."""
        assert self._quick_connect is not None
        errors: dict[str, str] = {}
        result = await self._async_with(self._quick_connect.result(), errors)
        if result is not None:
            return result
        return self._form("jellyfin_quick_connect", {}, self._address, errors)

    async def async_step_jellyfin_not_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that the code was not entered in time, and offer to try again."""
        return self.async_show_menu(
            step_id="jellyfin_not_signed_in",
            menu_options=["jellyfin_quick_connect", "jellyfin_password"],
        )

    async def async_step_jellyfin_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for user name and password; the password is not kept."""
        errors: dict[str, str] = {}
        if user_input is not None:
            reached = await self._async_server(user_input, errors)
            if reached is not None:
                client, info = reached
                await self._async_recognise(ServerType.JELLYFIN, info.id)
                try:
                    signed_in = await client.async_sign_in(
                        user_input[CONF_USERNAME], user_input[CONF_PASSWORD]
                    )
                except MediaServerError as err:
                    self._note_error(errors, err)
                else:
                    result = await self._async_with(signed_in, errors)
                    if result is not None:
                        return result
        return self._form(
            "jellyfin_password",
            {
                vol.Required(CONF_USERNAME): str,
                vol.Optional(CONF_PASSWORD, default=""): TEXT_SECRET,
            },
            user_input,
            errors,
        )

    async def async_step_jellyfin_api_key(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for an API key."""
        errors: dict[str, str] = {}
        if user_input is not None:
            api_key = user_input[CONF_API_KEY].strip()
            reached = await self._async_server(user_input, errors, token=api_key)
            if reached is not None:
                data = {
                    **self._address,
                    CONF_TOKEN: api_key,
                    CONF_OBTAINED: False,
                }
                result = await self._async_signed_in(
                    ServerType.JELLYFIN, *reached, data, errors
                )
                if result is not None:
                    return result
        return self._form(
            "jellyfin_api_key",
            {vol.Required(CONF_API_KEY): TEXT_SECRET},
            user_input,
            errors,
        )

    async def _async_server(
        self,
        user_input: dict[str, Any],
        errors: dict[str, str],
        token: str | None = None,
    ) -> tuple[JellyfinClient, ServerInfo] | None:
        """Return the server at the URL that was given, and its client; or note the error."""
        if (given := self._url(user_input, errors)) is None:
            return None
        verify_ssl = user_input[CONF_VERIFY_SSL]
        device_id = await instance_id.async_get(self.hass)

        async def create(url: str) -> JellyfinClient:
            return JellyfinClient(
                async_session(self.hass, verify_ssl=verify_ssl),
                url=url,
                device_id=device_id,
                token=token,
            )

        # What was given is offered again if nothing comes of it.
        self._address = {CONF_URL: given, CONF_VERIFY_SSL: verify_ssl}
        if (reached := await self._async_reach(given, create, errors)) is None:
            return None
        self._address[CONF_URL], self._client, info = reached
        return self._client, info

    async def _async_with(
        self, signed_in: SignedIn, errors: dict[str, str]
    ) -> ConfigFlowResult | None:
        """Go on with a token that we have obtained ourselves."""
        assert self._client is not None
        try:
            info = await self._client.async_info()
        except MediaServerError as err:
            self._note_error(errors, err)
            return None
        data = {
            **self._address,
            CONF_TOKEN: signed_in.token,
            CONF_USER_ID: signed_in.account.id,
            CONF_OBTAINED: True,
        }
        return await self._async_signed_in(
            ServerType.JELLYFIN, self._client, info, data, errors
        )

    def _form(
        self,
        step_id: str,
        fields: dict[vol.Marker, Any],
        user_input: dict[str, Any] | None,
        errors: dict[str, str],
    ) -> ConfigFlowResult:
        entry = self._entry_to_change
        known = self._address if entry is None else entry.data
        schema = vol.Schema(
            {
                vol.Required(CONF_URL): TEXT_URL,
                **fields,
                vol.Required(CONF_VERIFY_SSL, default=True): bool,
            }
        )
        suggested = user_input or {
            key: known[key] for key in (CONF_URL, CONF_VERIFY_SSL) if key in known
        }
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                schema,
                {
                    key: value
                    for key, value in suggested.items()
                    if key not in (CONF_PASSWORD, CONF_API_KEY)
                },
            ),
            errors=errors,
            description_placeholders=self._error_placeholders,
        )

    async def async_step_jellyfin_webhook_only(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name of a server that is to be known by its webhooks only."""
        return await self._async_name_server(
            ServerType.JELLYFIN, "Jellyfin", user_input
        )
