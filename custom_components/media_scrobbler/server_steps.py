"""Config flow: servers of any type, from their sign-in to their webhook and accounts."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.const import (
    CONF_NAME,
    CONF_TOKEN,
    CONF_URL,
    CONF_VERIFY_SSL,
    CONF_WEBHOOK_ID,
)
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers import selector
from homeassistant.helpers.typing import UNDEFINED
import voluptuous as vol

from .connection import async_create_client, async_reach
from .const import (
    CONF_ACCOUNT_TOKEN,
    CONF_ACCOUNTS,
    CONF_CLOUDHOOK,
    CONF_KIND,
    CONF_LOCAL_ONLY,
    CONF_NEW_URL,
    CONF_NEW_VIEWERS,
    CONF_OBTAINED,
    CONF_REGISTERED_URL,
    CONF_SERVERS,
    CONF_USER_ID,
)
from .domain.address import AddressError, server_url
from .domain.event import Party, ServerType
from .domain.markdown import literal
from .domain.media_server import MediaServer, MediaServerError, ServerInfo
from .flow_base import NAME, ScrobblerFlow, async_texts
from .webhook_url import (
    WebhookUrls,
    async_create_cloud_url,
    async_delete_cloud_url,
    async_webhook_urls,
)

# What signing in leaves in an entry, and what has been registered with it.
_SIGN_IN_KEYS = frozenset(
    {
        CONF_ACCOUNT_TOKEN,
        CONF_OBTAINED,
        CONF_REGISTERED_URL,
        CONF_TOKEN,
        CONF_URL,
        CONF_USER_ID,
        CONF_VERIFY_SSL,
    }
)

TEXT_URL = selector.TextSelector(
    selector.TextSelectorConfig(type=selector.TextSelectorType.URL)
)
TEXT_SECRET = selector.TextSelector(
    selector.TextSelectorConfig(type=selector.TextSelectorType.PASSWORD)
)


class ServerSteps(ScrobblerFlow):
    """Adds servers and changes them, whatever their type."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self._kind = ""
        self._name = ""
        self._webhook_id = ""
        self._sign_in: dict[str, Any] = {}
        self._parties: list[Party] = []
        self._obstacle: str | None = None
        self._identity: str | None = None
        self._cloud_url: str | None = None
        self._data: dict[str, Any] = {}
        self._error_placeholders: dict[str, str] = {}

    async def _async_name_server(
        self, kind: ServerType, default: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        if user_input is not None:
            self._kind = kind.value
            self._name = user_input[CONF_NAME]
            if (error := self._name_error(self._name)) is None:
                self._webhook_id = webhook.async_generate_id()
                return await self.async_step_webhook()
            errors[CONF_NAME] = error
        return self.async_show_form(
            step_id=f"{kind.value}_webhook_only",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema({vol.Required(CONF_NAME, default=default): NAME}),
                user_input,
            ),
            errors=errors,
            last_step=False,
        )

    def _note_error(self, errors: dict[str, str], err: MediaServerError) -> None:
        """Have a form say what is wrong with a server."""
        errors["base"] = err.reason
        self._error_placeholders = err.placeholders

    def _url(self, user_input: Mapping[str, Any], errors: dict[str, str]) -> str | None:
        """Return the URL that a person has given; None, with the error, if it is none."""
        try:
            return server_url(user_input[CONF_URL])
        except AddressError as err:
            errors[CONF_URL] = err.reason
            return None

    async def _async_reach[C: MediaServer](
        self,
        url: str,
        create: Callable[[str], Awaitable[C]],
        errors: dict[str, str],
    ) -> tuple[str, C, ServerInfo] | None:
        """Return where a server answers, its client, and which it is; or note the error.

        `create` makes the client for a URL.
        """
        try:
            return await async_reach(url, create)
        except MediaServerError as err:
            self._note_error(errors, err)
            return None

    async def _async_try(
        self, kind: ServerType, data: Mapping[str, Any], errors: dict[str, str]
    ) -> tuple[MediaServer, ServerInfo, dict[str, Any]] | None:
        """Return what answers to an entry's data, or note the error.

        That is the client, the server, and the data with the URL at which it answers.
        """

        async def create(url: str) -> MediaServer:
            return await async_create_client(self.hass, kind, {**data, CONF_URL: url})

        reached = await self._async_reach(data[CONF_URL], create, errors)
        if reached is None:
            return None
        url, client, info = reached
        return client, info, {**data, CONF_URL: url}

    async def _async_signed_in(
        self,
        kind: ServerType,
        client: MediaServer,
        info: ServerInfo,
        data: dict[str, Any],
        errors: dict[str, str],
    ) -> ConfigFlowResult | None:
        """Go on with a server that has taken the credentials.

        Returns None, with the error noted, where it turns out that it has not.
        """
        # First: what another server says of its accounts is none of ours.
        entry = await self._async_recognise(kind, info.id)
        try:
            self._parties = await client.async_accounts()
            self._obstacle = await client.async_webhook_obstacle()
        except MediaServerError as err:
            self._note_error(errors, err)
            return None
        if entry is not None:
            return self.async_update_reload_and_abort(
                entry,
                unique_id=info.id,
                data_updates=data,
                reason=(
                    "webhook_only_signed_in"
                    if entry is not self._entry_to_change
                    else UNDEFINED
                ),
            )
        self._kind, self._identity, self._sign_in = kind.value, info.id, data
        self._name = self._free_name(info.name)
        self._webhook_id = webhook.async_generate_id()
        return await self.async_step_webhook()

    async def _async_recognise(
        self, kind: ServerType, identity: str
    ) -> ConfigEntry[Any] | None:
        """Return the entry that signing in to a server is for, None if that is a new one.

        A server that was known by its webhooks until now keeps its entry, and its links with
        that. Ends the flow where the server has been signed in to already, or is not the one
        to sign in to anew. That is best found out before signing in: a Jellyfin server takes
        a second sign-in of the same device for the end of the first.
        """
        # A server that has been discovered can be added in another way all the same.
        await self.async_set_unique_id(identity, raise_on_progress=False)
        self._abort_if_unique_id_mismatch(reason="another_server")
        if self._entry_to_change is not None:
            return self._entry_to_change
        known = [
            entry
            for entry in self._entries()
            if entry.data.get(CONF_KIND) == kind
            and identity
            in (
                [entry.unique_id]
                if entry.unique_id is not None
                else entry.options.get(CONF_SERVERS, ())
            )
        ]
        if any(CONF_URL in entry.data for entry in known):
            raise AbortFlow("server_already_configured")
        return known[0] if known else None

    async def async_step_webhook(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the URL to paste into the server, and ask from where it is called."""
        if user_input is not None:
            local_only: bool = user_input[CONF_LOCAL_ONLY]
            if not local_only and self._cloud_url is None:
                self._cloud_url = await async_create_cloud_url(
                    self.hass, self._webhook_id
                )
                if self._cloud_url is not None:
                    return await self._async_show_webhook(local_only)
            if local_only and self._cloud_url is not None:
                await async_delete_cloud_url(self.hass, self._webhook_id)
                self._cloud_url = None
            data = {
                CONF_KIND: self._kind,
                CONF_WEBHOOK_ID: self._webhook_id,
                CONF_LOCAL_ONLY: local_only,
                CONF_CLOUDHOOK: self._cloud_url,
                **self._sign_in,
            }
            if (entry := self._entry_to_change) is not None:
                return await self._async_save_server(entry, data)
            self._data = data
            return (
                await self.async_step_accounts()
                if any(party.id for party in self._parties)
                else self._create_server([])
            )
        return await self._async_show_webhook(True)

    async def _async_show_webhook(self, local_only: bool) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="webhook",
            data_schema=vol.Schema(
                {vol.Required(CONF_LOCAL_ONLY, default=local_only): bool}
            ),
            description_placeholders=await self._async_webhook_placeholders(),
        )

    async def _async_webhook_placeholders(self) -> dict[str, str]:
        urls = async_webhook_urls(self.hass, self._webhook_id, self._cloud_url)
        texts = await async_texts(self.hass)
        return {
            "url": urls.best or "",
            "urls": _url_list(urls, texts),
            "instructions": _instructions(
                self._kind, self._obstacle, texts, signed_in=bool(self._sign_in)
            ),
        }

    async def async_step_accounts(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which of the server's accounts get a viewer."""
        if user_input is not None:
            chosen = set(user_input[CONF_ACCOUNTS])
            return self._create_server(
                [party for party in self._parties if party.id in chosen]
            )
        options = [
            selector.SelectOptionDict(value=party.id, label=party.name or party.id)
            for party in self._parties
            if party.id
        ]
        schema = vol.Schema(
            {
                vol.Optional(
                    CONF_ACCOUNTS, default=[option["value"] for option in options[:1]]
                ): selector.SelectSelector(
                    selector.SelectSelectorConfig(
                        options=options,
                        multiple=True,
                        mode=selector.SelectSelectorMode.LIST,
                    )
                )
            }
        )
        return self.async_show_form(
            step_id="accounts",
            data_schema=schema,
            description_placeholders={"server": literal(self._name)},
        )

    def _create_server(self, viewers: list[Party]) -> ConfigFlowResult:
        data = dict(self._data)
        if viewers:
            data[CONF_NEW_VIEWERS] = [
                {"id": party.id, "name": party.name} for party in viewers
            ]
        options = {CONF_SERVERS: [self._identity]} if self._identity else {}
        return self.async_create_entry(title=self._name, data=data, options=options)

    async def _async_change_server(
        self, entry: ConfigEntry[Any], user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Change a server's name, address and webhook."""
        self._kind = entry.data[CONF_KIND]
        self._webhook_id = entry.data[CONF_WEBHOOK_ID]
        self._cloud_url = entry.data.get(CONF_CLOUDHOOK)
        server = (
            self._scrobbler.servers.get(entry.entry_id) if self._scrobbler else None
        )
        if server is not None and server.connection is not None:
            self._obstacle = server.connection.registration.obstacle
        self._sign_in = {
            key: value for key, value in entry.data.items() if key in _SIGN_IN_KEYS
        }
        errors: dict[str, str] = {}
        if user_input is not None:
            self._name = user_input[CONF_NAME]
            if (error := self._name_error(self._name, besides=entry)) is not None:
                errors[CONF_NAME] = error
            elif await self._async_moved(entry, user_input, errors):
                if user_input[CONF_NEW_URL]:
                    self._webhook_id = webhook.async_generate_id()
                    self._cloud_url = None
                    return await self._async_show_webhook(user_input[CONF_LOCAL_ONLY])
                return await self.async_step_webhook(user_input)
        schema: dict[vol.Marker, Any] = {vol.Required(CONF_NAME): NAME}
        if CONF_URL in entry.data:
            schema[vol.Required(CONF_URL)] = TEXT_URL
            schema[vol.Required(CONF_VERIFY_SSL)] = bool
        schema[vol.Required(CONF_LOCAL_ONLY)] = bool
        schema[vol.Required(CONF_NEW_URL, default=False)] = bool
        placeholders = await self._async_webhook_placeholders()
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(schema), user_input or {CONF_NAME: entry.title, **entry.data}
            ),
            errors=errors,
            description_placeholders={
                **self._error_placeholders,
                "details": "{urls}\n\n{instructions}".format_map(placeholders),
            },
        )

    async def _async_save_server(
        self, entry: ConfigEntry[Any], data: dict[str, Any]
    ) -> ConfigFlowResult:
        old = entry.data
        if old.get(CONF_CLOUDHOOK) and old[CONF_WEBHOOK_ID] != data[CONF_WEBHOOK_ID]:
            await async_delete_cloud_url(self.hass, old[CONF_WEBHOOK_ID])
        return self.async_update_reload_and_abort(entry, title=self._name, data=data)

    async def _async_moved(
        self,
        entry: ConfigEntry[Any],
        user_input: dict[str, Any],
        errors: dict[str, str],
    ) -> bool:
        """Take note of a server's new address; False, with the error, if it is none."""
        if CONF_URL not in entry.data:
            return True
        if (url := self._url(user_input, errors)) is None:
            return False
        moved = {CONF_URL: url, CONF_VERIFY_SSL: user_input[CONF_VERIFY_SSL]}
        if moved.items() <= self._sign_in.items():
            return True
        answered = await self._async_try(
            ServerType(self._kind), {**entry.data, **moved}, errors
        )
        if answered is None:
            return False
        _, info, data = answered
        if info.id != entry.unique_id:
            errors["base"] = "another_server"
            return False
        self._sign_in |= moved | {CONF_URL: data[CONF_URL]}
        return True


def _url_list(urls: WebhookUrls, texts: Mapping[str, str]) -> str:
    if not urls.all:
        return texts.get("webhook_url.options.none", "")
    # On a line of its own, three clicks select the URL and nothing else.
    return "\n".join(
        f"- {texts.get(f'webhook_url.options.{name}', name)}:  \n  `{url}`"
        for name, url in urls.all.items()
    )


def _instructions(
    kind: str, obstacle: str | None, texts: Mapping[str, str], *, signed_in: bool
) -> str:
    """Return what a person has to do for the webhook, if anything."""
    by_hand = texts.get(f"instructions.options.{kind}", "")
    if not signed_in:
        return by_hand
    if obstacle is None:
        return texts.get("instructions.options.automatic", "")
    why = texts.get(f"webhook_obstacle.options.{obstacle}", obstacle)
    # Without Plex Pass, and without a URL, there is no other way either.
    return why if obstacle in {"no_plex_pass", "no_url"} else f"{why}\n\n{by_hand}"
