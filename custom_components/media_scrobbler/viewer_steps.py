"""Config flow: viewers, and the accounts that turn up."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.person.const import DOMAIN as PERSON_DOMAIN
from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.helpers import selector
import voluptuous as vol

from .const import CONF_ACCOUNTS, CONF_KIND, CONF_PERSON, CONF_VIEWER, KIND_VIEWER
from .domain.markdown import literal
from .flow_base import MAX_NAME, NAME, ScrobblerFlow, async_texts

NEW_VIEWER = "new"


class ViewerSteps(ScrobblerFlow):
    """Adds viewers, links accounts to them, and changes them."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self._account_key = ""
        self._account_name = ""

    async def async_step_viewer(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask who watches, and with which accounts."""
        errors: dict[str, str] = {}
        if user_input is not None:
            name = user_input[CONF_NAME]
            if (error := self._name_error(name)) is None:
                return self.async_create_entry(
                    title=name, data=_viewer_data(user_input)
                )
            errors[CONF_NAME] = error
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
            vol.Required(CONF_NAME): NAME,
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
        self._account_name = (account.name or "")[:MAX_NAME]
        self.context["title_placeholders"] = {
            "name": literal(scrobbler.account_label(account) or self._account_name)
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
            elif (error := self._name_error(name)) is not None:
                errors[CONF_NAME] = error
            else:
                # The entry is a person, who may have other accounts and lose this one.
                await self.async_set_unique_id(None)
                return self.async_create_entry(
                    title=name,
                    data=_viewer_data({CONF_ACCOUNTS: [self._account_key]}),
                )
        texts = await async_texts(self.hass)
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
                vol.Optional(CONF_NAME, default=self._account_name): vol.All(
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
            reason="account_linked",
            description_placeholders={"viewer": literal(entry.title)},
        )

    async def async_step_import(self, import_data: dict[str, Any]) -> ConfigFlowResult:
        """Add a viewer that was chosen with a server, or link the account to a namesake."""
        self._account_key, name = import_data["account"], import_data["name"]
        for entry in self._viewers().values():
            if entry.title.casefold() == name.casefold():
                return await self._async_link(entry)
        return self.async_create_entry(
            title=self._free_name(name),
            data=_viewer_data({CONF_ACCOUNTS: [self._account_key]}),
        )

    async def _async_change_viewer(
        self, entry: ConfigEntry[Any], user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Change a viewer's name, person and accounts."""
        errors: dict[str, str] = {}
        if user_input is not None:
            name = user_input[CONF_NAME]
            if (error := self._name_error(name, besides=entry)) is None:
                return self.async_update_reload_and_abort(
                    entry,
                    title=name,
                    data={**entry.data, **_viewer_data(user_input)},
                )
            errors[CONF_NAME] = error
        values = user_input or {CONF_NAME: entry.title, **entry.data}
        # An account goes with its server and cannot be chosen any more.
        known = {option["value"] for option in self._account_options()}
        accounts = [key for key in values.get(CONF_ACCOUNTS, ()) if key in known]
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                self._viewer_schema(), {**values, CONF_ACCOUNTS: accounts}
            ),
            errors=errors,
            description_placeholders={"details": ""},
        )


def _viewer_data(user_input: Mapping[str, Any]) -> dict[str, Any]:
    return {
        CONF_KIND: KIND_VIEWER,
        CONF_PERSON: user_input.get(CONF_PERSON),
        CONF_ACCOUNTS: user_input.get(CONF_ACCOUNTS, []),
    }
