"""Config flow: signing in to Plex."""

import re
from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.helpers import selector
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
import voluptuous as vol

from .connection import async_create_client
from .const import CONF_ACCOUNT_TOKEN, CONF_OBTAINED, CONF_SERVER
from .domain.address import url_at
from .domain.event import ServerType
from .domain.markdown import literal
from .domain.media_server import MediaServer, MediaServerError, ServerInfo, SignInError
from .plex.account import FoundServer, PlexAccount
from .plex.client import async_identity
from .plex_pin import PlexPinSteps
from .server_steps import TEXT_SECRET, TEXT_URL, ServerSteps

DEFAULT_PORT = 32400

# A name for which Plex vouches by a certificate.
_PLEX_DIRECT = re.compile(r"https://[^/:]+\.plex\.direct(?![^/:])", re.IGNORECASE)


class PlexSteps(PlexPinSteps, ServerSteps):
    """By PIN at plex.tv, or by token."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self._account_token = ""
        self._found: dict[str, FoundServer] = {}
        self._found_url: str | None = None

    @override
    async def _async_plex_signed_in(self, token: str) -> ConfigFlowResult:
        """Find the servers of the account that has signed in."""
        self._account_token = token
        servers = await PlexAccount(self.hass, token).async_servers()
        self._found = {server.id: server for server in servers}
        if not servers:
            return self.async_abort(reason="no_servers")
        # That of the entry to sign in to anew, or of a server that has been discovered.
        wanted = self.unique_id or (servers[0].id if len(servers) == 1 else None)
        if wanted in self._found:
            return await self.async_step_plex_server({CONF_SERVER: wanted})
        if self._entry_to_change is not None:
            return self.async_abort(reason="another_server")
        return await self.async_step_plex_server()

    @override
    async def async_step_plex_not_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that nothing has been confirmed, and offer to try again."""
        return self.async_show_menu(
            step_id="plex_not_signed_in", menu_options=["plex_sign_in", "plex_token"]
        )

    async def async_step_plex_server(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which server, and find out how to reach it."""
        errors: dict[str, str] = {}
        if user_input is not None:
            found = self._found[user_input[CONF_SERVER]]
            result = await self._async_connect(found, errors)
            if result is not None:
                return result
        schema = vol.Schema(
            {
                vol.Required(CONF_SERVER): selector.SelectSelector(
                    selector.SelectSelectorConfig(
                        options=[
                            selector.SelectOptionDict(value=found.id, label=found.name)
                            for found in self._found.values()
                        ],
                        mode=selector.SelectSelectorMode.LIST,
                    )
                )
            }
        )
        return self.async_show_form(
            step_id="plex_server",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders=self._error_placeholders,
        )

    async def _async_connect(
        self, found: FoundServer, errors: dict[str, str]
    ) -> ConfigFlowResult | None:
        """Sign in at the first of a server's addresses at which it answers."""
        errors["base"] = "cannot_connect"
        for url in found.urls:
            data = {
                CONF_URL: url,
                CONF_TOKEN: found.token,
                CONF_ACCOUNT_TOKEN: self._account_token,
                CONF_VERIFY_SSL: True,
                CONF_OBTAINED: True,
            }
            said: dict[str, str] = {}
            answered = await self._async_try(ServerType.PLEX, data, said)
            if answered is not None and answered[1].id == found.id:
                errors.clear()
                return await self._async_signed_in(ServerType.PLEX, *answered, errors)
            # What answers at one address says more than that nobody does at another.
            if said != {"base": "cannot_connect"}:
                errors |= said
        return None

    async def async_step_plex_token(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the server's URL and a token."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if (url := self._url(user_input, errors)) is not None:
                data = {
                    CONF_URL: url,
                    CONF_TOKEN: user_input[CONF_TOKEN].strip(),
                    CONF_ACCOUNT_TOKEN: user_input[CONF_TOKEN].strip(),
                    CONF_VERIFY_SSL: user_input[CONF_VERIFY_SSL],
                    CONF_OBTAINED: False,
                }
                answered = await self._async_try_token(data, errors)
                if answered is not None:
                    result = await self._async_signed_in(
                        ServerType.PLEX, *answered, errors
                    )
                    if result is not None:
                        return result
        entry = self._entry_to_change
        known = {CONF_URL: self._found_url} if entry is None else entry.data
        suggested = user_input or known
        schema = vol.Schema(
            {
                vol.Required(CONF_URL): TEXT_URL,
                vol.Required(CONF_TOKEN): TEXT_SECRET,
                vol.Required(CONF_VERIFY_SSL, default=True): bool,
            }
        )
        return self.async_show_form(
            step_id="plex_token",
            data_schema=self.add_suggested_values_to_schema(
                schema,
                {
                    key: suggested[key]
                    for key in (CONF_URL, CONF_VERIFY_SSL)
                    if suggested.get(key) is not None
                },
            ),
            errors=errors,
            description_placeholders=self._error_placeholders,
        )

    async def _async_try_token(
        self, data: dict[str, Any], errors: dict[str, str]
    ) -> tuple[MediaServer, ServerInfo, dict[str, Any]] | None:
        """Return what answers to a token that a person has given, or note the error.

        A server takes the token of an account from its owner alone. For a guest's, plex.tv
        has another one.
        """
        answered = await self._async_try(ServerType.PLEX, data, errors)
        if answered is not None or errors != {"base": SignInError.reason}:
            return answered
        identity = await async_identity(self.hass, data[CONF_URL])
        try:
            found = await PlexAccount(self.hass, data[CONF_TOKEN]).async_servers()
        except MediaServerError:
            return None
        for server in found:
            if server.id == identity:
                errors.clear()
                return await self._async_try(
                    ServerType.PLEX, {**data, CONF_TOKEN: server.token}, errors
                )
        return None

    @override
    async def async_step_zeroconf(
        self, discovery_info: ZeroconfServiceInfo
    ) -> ConfigFlowResult:
        """Handle a Plex server in the local network."""
        host, port = discovery_info.host, discovery_info.port or DEFAULT_PORT
        identity = None
        # It is asked without a token, so that it does not matter who answers.
        for scheme in ("http", "https"):
            self._found_url = url_at(scheme, host, port)
            identity = await async_identity(self.hass, self._found_url)
            if identity is not None:
                break
        if identity is None:
            return self.async_abort(reason="cannot_connect")
        known = await self.async_set_unique_id(identity)
        if known is not None and CONF_URL in known.data and not known.disabled_by:
            url = await self._async_new_url(known, host, port)
            if url is not None:
                return self.async_update_reload_and_abort(
                    known,
                    data_updates={CONF_URL: url},
                    reason="server_already_configured",
                )
        self._abort_if_unique_id_configured(error="server_already_configured")
        self.context["title_placeholders"] = {
            "name": literal(discovery_info.name.partition(".")[0] or host)
        }
        return await self.async_step_plex()

    async def _async_new_url(
        self, entry: ConfigEntry[Any], host: str, port: int
    ) -> str | None:
        """Return the URL of an entry's server that announces itself elsewhere, if that is so.

        It is not as long as the server answers where it was. Anybody in the network can
        announce anything, and be given the token at an address that is taken at its word: it
        is plex.tv, which the server tells where it is, that has to know of the address. A
        server that is known by a name of plex.direct is looked for under those that plex.tv
        has for it now, at which a certificate proves who answers.
        """
        identity = entry.unique_id
        if await self._async_is_at(entry, entry.data[CONF_URL]):
            return None
        account = PlexAccount(self.hass, entry.data[CONF_ACCOUNT_TOKEN])
        try:
            servers = await account.async_servers()
        except MediaServerError:
            return None
        urls = [
            url for server in servers if server.id == identity for url in server.urls
        ]
        before: str = entry.data[CONF_URL]
        if _PLEX_DIRECT.match(before):
            candidates = [url for url in urls if _PLEX_DIRECT.match(url)]
        elif url_at("http", host, port) in urls:
            candidates = [url_at(before.partition(":")[0], host, port)]
        else:
            return None
        for url in candidates:
            if await self._async_is_at(entry, url):
                return url
        return None

    async def _async_is_at(self, entry: ConfigEntry[Any], url: str) -> bool:
        """Return whether an entry's server is at a URL, and takes the token there."""
        client = await async_create_client(
            self.hass, ServerType.PLEX, {**entry.data, CONF_URL: url}
        )
        try:
            info = await client.async_info()
        except MediaServerError:
            return False
        return info.id == entry.unique_id

    async def async_step_plex(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how to add a Plex server."""
        return self.async_show_menu(
            step_id="plex",
            menu_options=["plex_sign_in", "plex_token", "plex_webhook_only"],
        )

    async def async_step_plex_webhook_only(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name of a server that is to be known by its webhooks only."""
        return await self._async_name_server(ServerType.PLEX, "Plex", user_input)
