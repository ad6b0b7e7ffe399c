"""Options flows: what is kept of a viewer, and what is taken from a server."""

from collections.abc import Container
from typing import Any, override

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_URL, UnitOfTime
from homeassistant.helpers import device_registry as dr, selector
import voluptuous as vol

from .connection import async_sign_out_viewer
from .const import (
    CONF_ACCOUNT_TOKEN,
    CONF_ACCOUNTS,
    CONF_ALSO_FOR,
    CONF_BOTH_WAYS,
    CONF_CHECK_OFF,
    CONF_FOLLOWING,
    CONF_HEALING_INTERVAL,
    CONF_IMPORT_INTERVAL,
    CONF_KIND,
    CONF_MEDIA_TYPES,
    CONF_NIGHTLY_SCAN,
    CONF_PLAYERS,
    CONF_SERVERS,
    CONF_SYNC_INTERVAL,
    CONF_UNFOLLOWING,
    DEFAULT_HEALING_INTERVAL,
    DOMAIN,
    KIND_VIEWER,
)
from .domain.event import ServerType
from .domain.title import PLAYABLE
from .issues import async_note_watchlist_sign_in
from .plex.account import PlexAccount
from .plex_pin import PlexPinSteps
from .scrobbler import DATA_SCROBBLER

MAX_INTERVAL = 7 * 24
"""Hours between two imports of a watchlist, at the most."""

MAX_HEALING_INTERVAL = 24 * 60
"""Minutes between two looks at what a server knows to have been completed."""


def _interval(most: int, unit: str) -> vol.All:
    """Return what asks for whole hours or minutes; 0 is never."""
    return vol.All(
        selector.NumberSelector(
            selector.NumberSelectorConfig(
                min=0,
                max=most,
                mode=selector.NumberSelectorMode.BOX,
                unit_of_measurement=unit,
            )
        ),
        vol.Coerce(int),
    )


VIEWER_SETTINGS = vol.Schema(
    {
        vol.Required(
            CONF_MEDIA_TYPES, default=[kind.value for kind in PLAYABLE]
        ): selector.SelectSelector(
            selector.SelectSelectorConfig(
                options=[kind.value for kind in PLAYABLE],
                multiple=True,
                mode=selector.SelectSelectorMode.LIST,
                translation_key=CONF_MEDIA_TYPES,
            )
        ),
        vol.Required(CONF_CHECK_OFF, default=True): bool,
        vol.Required(CONF_IMPORT_INTERVAL, default=0): _interval(
            MAX_INTERVAL, UnitOfTime.HOURS
        ),
        vol.Required(CONF_BOTH_WAYS, default=False): bool,
    }
)


SIGNED_IN_SETTINGS: dict[vol.Marker, Any] = {
    vol.Required(CONF_NIGHTLY_SCAN, default=False): bool,
    vol.Required(CONF_HEALING_INTERVAL, default=DEFAULT_HEALING_INTERVAL): _interval(
        MAX_HEALING_INTERVAL, UnitOfTime.MINUTES
    ),
}
JELLYFIN_SETTINGS: dict[vol.Marker, Any] = {
    vol.Required(CONF_SYNC_INTERVAL, default=0): _interval(
        MAX_INTERVAL, UnitOfTime.HOURS
    )
}


class ViewerOptionsFlow(PlexPinSteps, OptionsFlowWithReload):
    """Asks what to record and what to want, and signs in to a watchlist at Plex."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what to change."""
        is_signed_in = CONF_ACCOUNT_TOKEN in self.config_entry.data
        return self.async_show_menu(
            step_id="init",
            menu_options=[
                "settings",
                *(["following"] if self._markable_accounts() else []),
                "plex_sign_in",
                *(["plex_sign_out"] if is_signed_in else []),
            ],
        )

    async def async_step_settings(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what is recorded, and how the watchlist is kept."""
        options = self.config_entry.options
        if user_input is not None:
            # Nobody else is left whom it could count for, unless that was asked.
            return self.async_create_entry(
                data={**options, CONF_ALSO_FOR: [], **user_input}
            )
        schema, others = VIEWER_SETTINGS, self._other_viewers()
        if others:
            schema = schema.extend(
                {vol.Optional(CONF_ALSO_FOR, default=list): _several(others)}
            )
        return self.async_show_form(
            step_id="settings",
            data_schema=self.add_suggested_values_to_schema(
                schema, {**options, CONF_ALSO_FOR: self._chosen(CONF_ALSO_FOR, others)}
            ),
        )

    async def async_step_following(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which accounts are to show as watched what the viewer has watched."""
        if user_input is not None:
            return self.async_create_entry(
                data={**self.config_entry.options, **user_input}
            )
        accounts = self._markable_accounts()
        choices = (CONF_FOLLOWING, CONF_UNFOLLOWING)
        return self.async_show_form(
            step_id="following",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(
                    {
                        vol.Optional(choice, default=list): _several(accounts)
                        for choice in choices
                    }
                ),
                {choice: self._chosen(choice, accounts) for choice in choices},
            ),
        )

    def _markable_accounts(self) -> dict[str, str]:
        """Return the viewer's accounts that can be marked for, by key, with a label.

        With those that were chosen: their server may only be away.
        """
        scrobbler = self.hass.data[DATA_SCROBBLER]
        options = self.config_entry.options
        chosen = {*options.get(CONF_FOLLOWING, ()), *options.get(CONF_UNFOLLOWING, ())}
        found: dict[str, str] = {}
        for key in self.config_entry.data.get(CONF_ACCOUNTS, ()):
            account = scrobbler.accounts.get(key)
            label = scrobbler.account_label(account) if account else None
            if account is None or label is None:
                continue
            server = scrobbler.servers.get(account.server_id)
            connection = server.connection if server else None
            if key in chosen or (connection and connection.client.can_mark(account.id)):
                found[key] = label
        return found

    def _other_viewers(self) -> dict[str, str]:
        """Return the other viewers, by entry id, with their names."""
        return {
            entry.entry_id: entry.title
            for entry in self.hass.config_entries.async_entries(
                DOMAIN, include_ignore=False
            )
            if entry.data.get(CONF_KIND) == KIND_VIEWER
            and entry.entry_id != self.config_entry.entry_id
        }

    def _chosen(self, option: str, offered: Container[str]) -> list[str]:
        """Return what was chosen: what is not offered any more could not be submitted."""
        return [
            value
            for value in self.config_entry.options.get(option, ())
            if value in offered
        ]

    @override
    async def _async_plex_signed_in(self, token: str) -> ConfigFlowResult:
        """Keep the token; whose it is has been asked, so that it is known to be good."""
        await PlexAccount(self.hass, token).async_party()
        return await self._async_keep(token)

    async def _async_keep(self, token: str | None) -> ConfigFlowResult:
        """Keep a token instead of the one that there was, or none."""
        entry = self.config_entry
        data = {
            key: value for key, value in entry.data.items() if key != CONF_ACCOUNT_TOKEN
        }
        if token is not None:
            data[CONF_ACCOUNT_TOKEN] = token
        await async_sign_out_viewer(self.hass, entry, besides=token)
        self.hass.config_entries.async_update_entry(entry, data=data)
        # Whatever was wrong with the one that there was.
        async_note_watchlist_sign_in(self.hass, entry, is_rejected=False)
        return self.async_create_entry(data=dict(entry.options))

    @override
    async def async_step_plex_not_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that nothing has been confirmed, and offer to try again."""
        return self.async_show_menu(
            step_id="plex_not_signed_in", menu_options=["plex_sign_in", "init"]
        )

    async def async_step_plex_sign_out(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to give the token back."""
        if user_input is not None:
            return await self._async_keep(None)
        return self.async_show_form(step_id="plex_sign_out", data_schema=vol.Schema({}))


class ServerOptionsFlow(OptionsFlowWithReload):
    """Asks which servers' events are taken, which players followed, when to scan."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Handle the only step."""
        options = self.config_entry.options
        if user_input is not None:
            return self.async_create_entry(data={**options, **user_input})
        schema = vol.Schema(
            {
                vol.Optional(CONF_SERVERS, default=list): _suggested(self._servers()),
                vol.Optional(CONF_PLAYERS, default=list): _suggested(self._players()),
            }
        )
        # A server that is known by its webhooks only cannot be asked for anything.
        if CONF_URL in self.config_entry.data:
            schema = schema.extend(SIGNED_IN_SETTINGS)
            if self.config_entry.data[CONF_KIND] == ServerType.JELLYFIN:
                schema = schema.extend(JELLYFIN_SETTINGS)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, options),
        )

    def _servers(self) -> dict[str, str]:
        """Return the servers that have sent events, by identity, with a label."""
        found = {
            identity: identity
            for identity in self.config_entry.options.get(CONF_SERVERS, ())
        }
        server = self.hass.data[DATA_SCROBBLER].servers.get(self.config_entry.entry_id)
        if server is not None:
            for event in server.log.newest():
                if identity := event.get("server_identity"):
                    found[identity] = f"{event.get('server', '')} ({identity})".strip()
        return found

    def _players(self) -> dict[str, str]:
        """Return the players that have been seen, by id, with their names."""
        found = {
            player: player for player in self.config_entry.options.get(CONF_PLAYERS, ())
        }
        entry_id = self.config_entry.entry_id
        for device in dr.async_entries_for_config_entry(
            dr.async_get(self.hass), entry_id
        ):
            for domain, identifier in device.identifiers:
                if domain == DOMAIN and identifier != entry_id:
                    key = identifier.removeprefix(f"{entry_id}_").removeprefix("name:")
                    found[key] = device.name_by_user or device.name or key
        return found


def _several(options: dict[str, str]) -> selector.SelectSelector:
    """Return what chooses among options, and nothing else."""
    return selector.SelectSelector(
        selector.SelectSelectorConfig(
            options=_labelled(options),
            multiple=True,
            mode=selector.SelectSelectorMode.LIST,
        )
    )


def _suggested(options: dict[str, str]) -> selector.SelectSelector:
    """Return what chooses among options, or what else is typed in."""
    return selector.SelectSelector(
        selector.SelectSelectorConfig(
            options=_labelled(options), multiple=True, custom_value=True
        )
    )


def _labelled(options: dict[str, str]) -> list[selector.SelectOptionDict]:
    return [
        selector.SelectOptionDict(value=value, label=label)
        for value, label in options.items()
    ]
