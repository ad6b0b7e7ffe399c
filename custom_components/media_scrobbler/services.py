"""Actions: all that there are."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.service import async_register_admin_service

from . import history_actions, server_actions, sync_actions, watchlist_actions
from .const import DOMAIN


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for actions in (
        history_actions,
        server_actions,
        sync_actions,
        watchlist_actions,
    ):
        for action in actions.ACTIONS:
            if action.for_administrators:
                async_register_admin_service(
                    hass,
                    DOMAIN,
                    action.name,
                    action.handler,
                    action.schema,
                    action.response,
                )
                continue
            hass.services.async_register(
                DOMAIN,
                action.name,
                action.handler,
                schema=action.schema,
                supports_response=action.response,
            )
