"""Config flow: servers, viewers, and the accounts that turn up."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components import webhook
from homeassistant.components.person.const import DOMAIN as PERSON_DOMAIN
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_NAME, CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import selector
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from .const import (
    CONF_ACCOUNTS,
    CONF_CLOUDHOOK,
    CONF_KIND,
    CONF_LOCAL_ONLY,
    CONF_NEW_URL,
    CONF_PERSON,
    CONF_VIEWER,
    DOMAIN,
    KIND_VIEWER,
)
from .domain.event import ServerType
from .options_flow import ServerOptionsFlow, ViewerOptionsFlow
from .scrobbler import DATA_SCROBBLER, Scrobbler
from .webhook_url import (
    WebhookUrls,
    async_create_cloud_url,
    async_delete_cloud_url,
    async_webhook_urls,
)

NEW_VIEWER = "new"

MAX_NAME = 100

_NAME = vol.All(str, vol.Strip, vol.Length(min=1, max=MAX_NAME))


class MediaScrobblerConfigFlow(ConfigFlow, domain=DOMAIN):
    """Adds servers and viewers, and changes them."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Start with nothing."""
        self._kind = ""
        self._name = ""
        self._webhook_id = ""
        self._cloud_url: str | None = None
        self._account_key = ""

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry[Any]) -> OptionsFlow:
        """Return the options flow of a server or viewer."""
        if config_entry.data[CONF_KIND] == KIND_VIEWER:
            return ViewerOptionsFlow()
        return ServerOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what to add."""
        return self.async_show_menu(
            step_id="user", menu_options=["plex", "jellyfin", "viewer"]
        )

    # Servers

    async def async_step_plex(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how to add a Plex server."""
        return self.async_show_menu(step_id="plex", menu_options=["plex_webhook_only"])

    async def async_step_jellyfin(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how to add a Jellyfin server."""
        return self.async_show_menu(
            step_id="jellyfin", menu_options=["jellyfin_webhook_only"]
        )

    async def async_step_plex_webhook_only(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name of a Plex server that is known by its webhooks only."""
        return await self._async_name_server(ServerType.PLEX, "Plex", user_input)

    async def async_step_jellyfin_webhook_only(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name of a Jellyfin server that is known by its webhooks only."""
        return await self._async_name_server(
            ServerType.JELLYFIN, "Jellyfin", user_input
        )

    async def _async_name_server(
        self, kind: ServerType, default: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        if user_input is not None:
            self._kind = kind.value
            self._name = user_input[CONF_NAME]
            if not self._is_taken(self._name):
                self._webhook_id = webhook.async_generate_id()
                return await self.async_step_webhook()
            errors[CONF_NAME] = "name_taken"
        return self.async_show_form(
            step_id=f"{kind.value}_webhook_only",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema({vol.Required(CONF_NAME, default=default): _NAME}),
                user_input,
            ),
            errors=errors,
            last_step=False,
        )

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
            }
            if self.source == SOURCE_RECONFIGURE:
                return await self._async_change_server(data)
            return self.async_create_entry(title=self._name, data=data)
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
        texts = await _async_texts(self.hass)
        return {
            "url": urls.best or "",
            "urls": _url_list(urls, texts),
            "instructions": texts.get(f"instructions.options.{self._kind}", ""),
        }

    async def _async_change_server(self, data: dict[str, Any]) -> ConfigFlowResult:
        entry = self._get_reconfigure_entry()
        old = entry.data
        if old.get(CONF_CLOUDHOOK) and old[CONF_WEBHOOK_ID] != data[CONF_WEBHOOK_ID]:
            await async_delete_cloud_url(self.hass, old[CONF_WEBHOOK_ID])
        return self.async_update_reload_and_abort(entry, title=self._name, data=data)

    # Viewers

    async def async_step_viewer(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask who watches, and with which accounts."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if not self._is_taken(user_input[CONF_NAME]):
                return self.async_create_entry(
                    title=user_input[CONF_NAME], data=_viewer_data(user_input)
                )
            errors[CONF_NAME] = "name_taken"
        return self.async_show_form(
            step_id="viewer",
            data_schema=self.add_suggested_values_to_schema(
                self._viewer_schema(), user_input
            ),
            errors=errors,
        )

    def _viewer_schema(self) -> vol.Schema:
        accounts = self._account_options()
        schema: dict[vol.Marker, Any] = {
            vol.Required(CONF_NAME): _NAME,
            vol.Optional(CONF_PERSON): selector.EntitySelector(
                selector.EntitySelectorConfig(domain=PERSON_DOMAIN)
            ),
        }
        if accounts:
            schema[vol.Optional(CONF_ACCOUNTS, default=list)] = selector.SelectSelector(
                selector.SelectSelectorConfig(
                    options=accounts,
                    multiple=True,
                    mode=selector.SelectSelectorMode.LIST,
                )
            )
        return vol.Schema(schema)

    def _account_options(self) -> list[selector.SelectOptionDict]:
        if (scrobbler := self._scrobbler) is None:
            return []
        return [
            selector.SelectOptionDict(value=account.key, label=label)
            for account in scrobbler.accounts
            if (label := scrobbler.account_label(account)) is not None
        ]

    # Accounts that turn up

    @override
    async def async_step_integration_discovery(
        self, discovery_info: dict[str, Any]
    ) -> ConfigFlowResult:
        """Handle an account that nobody is linked to yet."""
        self._account_key = discovery_info["account"]
        await self.async_set_unique_id(self._account_key)
        self._abort_if_unique_id_configured()
        scrobbler = self._scrobbler
        account = scrobbler.accounts.get(self._account_key) if scrobbler else None
        if scrobbler is None or account is None or scrobbler.is_linked(account):
            return self.async_abort(reason="already_configured")
        self._name = (account.name or "")[:MAX_NAME]
        self.context["title_placeholders"] = {
            "name": scrobbler.account_label(account) or self._name
        }
        return await self.async_step_confirm_account()

    async def async_step_confirm_account(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whose account this is."""
        errors: dict[str, str] = {}
        viewers = self._viewers()
        if user_input is not None:
            choice = user_input[CONF_VIEWER]
            name = user_input[CONF_NAME]
            if choice in viewers:
                return await self._async_link(viewers[choice])
            if choice != NEW_VIEWER:
                errors[CONF_VIEWER] = "viewer_gone"
            elif not name:
                errors[CONF_NAME] = "name_missing"
            elif self._is_taken(name):
                errors[CONF_NAME] = "name_taken"
            else:
                # The entry is a person, who may have other accounts and lose this one.
                await self.async_set_unique_id(None)
                return self.async_create_entry(
                    title=name,
                    data=_viewer_data({CONF_ACCOUNTS: [self._account_key]}),
                )
        texts = await _async_texts(self.hass)
        schema = vol.Schema(
            {
                vol.Required(CONF_VIEWER, default=NEW_VIEWER): selector.SelectSelector(
                    selector.SelectSelectorConfig(
                        options=[
                            selector.SelectOptionDict(
                                value=NEW_VIEWER,
                                label=texts.get(
                                    "confirm_account.options.new", NEW_VIEWER
                                ),
                            ),
                            *(
                                selector.SelectOptionDict(
                                    value=entry.entry_id, label=entry.title
                                )
                                for entry in viewers.values()
                            ),
                        ],
                        mode=selector.SelectSelectorMode.LIST,
                    )
                ),
                vol.Optional(CONF_NAME, default=self._name): vol.All(
                    str, vol.Strip, vol.Length(max=MAX_NAME)
                ),
            }
        )
        return self.async_show_form(
            step_id="confirm_account",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders=self.context["title_placeholders"],
        )

    async def _async_link(self, entry: ConfigEntry[Any]) -> ConfigFlowResult:
        # The offer of a linked account is taken back; this flow is still to end by itself.
        await self.async_set_unique_id(None)
        accounts = [*entry.data.get(CONF_ACCOUNTS, ()), self._account_key]
        self.hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_ACCOUNTS: accounts}
        )
        return self.async_abort(
            reason="account_linked", description_placeholders={"viewer": entry.title}
        )

    # Changing

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change a server or viewer."""
        entry = self._get_reconfigure_entry()
        self._kind = entry.data[CONF_KIND]
        errors: dict[str, str] = {}
        if user_input is not None:
            self._name = user_input[CONF_NAME]
            if self._is_taken(self._name, besides=entry):
                errors[CONF_NAME] = "name_taken"
            elif self._kind == KIND_VIEWER:
                return self.async_update_reload_and_abort(
                    entry, title=self._name, data=_viewer_data(user_input)
                )
            elif user_input[CONF_NEW_URL]:
                self._webhook_id = webhook.async_generate_id()
                self._cloud_url = None
                return await self._async_show_webhook(user_input[CONF_LOCAL_ONLY])
            else:
                self._webhook_id = entry.data[CONF_WEBHOOK_ID]
                self._cloud_url = entry.data.get(CONF_CLOUDHOOK)
                return await self.async_step_webhook(user_input)
        values = user_input or {CONF_NAME: entry.title, **entry.data}
        if self._kind == KIND_VIEWER:
            schema = self._viewer_schema()
            # An account goes with its server and cannot be chosen any more.
            known = {option["value"] for option in self._account_options()}
            accounts = [key for key in values.get(CONF_ACCOUNTS, ()) if key in known]
            values = {**values, CONF_ACCOUNTS: accounts}
            placeholders = {"details": ""}
        else:
            schema = vol.Schema(
                {
                    vol.Required(CONF_NAME): _NAME,
                    vol.Required(CONF_LOCAL_ONLY): bool,
                    vol.Required(CONF_NEW_URL, default=False): bool,
                }
            )
            self._webhook_id = entry.data[CONF_WEBHOOK_ID]
            self._cloud_url = entry.data.get(CONF_CLOUDHOOK)
            webhook_placeholders = await self._async_webhook_placeholders()
            placeholders = {
                "details": "{urls}\n\n{instructions}".format_map(webhook_placeholders)
            }
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=errors,
            description_placeholders=placeholders,
        )

    # What is there already

    @property
    def _scrobbler(self) -> Scrobbler | None:
        return self.hass.data.get(DATA_SCROBBLER)

    def _viewers(self) -> dict[str, ConfigEntry[Any]]:
        return {
            entry.entry_id: entry
            for entry in self._async_current_entries(include_ignore=False)
            if entry.data[CONF_KIND] == KIND_VIEWER
        }

    def _is_taken(self, name: str, besides: ConfigEntry[Any] | None = None) -> bool:
        return any(
            entry.title.casefold() == name.casefold()
            for entry in self._async_current_entries(include_ignore=False)
            if entry is not besides
        )


def _viewer_data(user_input: Mapping[str, Any]) -> dict[str, Any]:
    return {
        CONF_KIND: KIND_VIEWER,
        CONF_PERSON: user_input.get(CONF_PERSON),
        CONF_ACCOUNTS: user_input.get(CONF_ACCOUNTS, []),
    }


async def _async_texts(hass: HomeAssistant) -> dict[str, str]:
    """Return the translated texts that go into the flow's own descriptions."""
    prefix = f"component.{DOMAIN}.selector."
    texts = await async_get_translations(
        hass, hass.config.language, "selector", {DOMAIN}
    )
    return {key.removeprefix(prefix): text for key, text in texts.items()}


def _url_list(urls: WebhookUrls, texts: Mapping[str, str]) -> str:
    if not urls.all:
        return texts.get("webhook_url.options.none", "")
    # On a line of its own, three clicks select the URL and nothing else.
    return "\n".join(
        f"- {texts.get(f'webhook_url.options.{name}', name)}:  \n  `{url}`"
        for name, url in urls.all.items()
    )
