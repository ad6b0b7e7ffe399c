"""Actions: all that there are."""

from homeassistant.core import HomeAssistant, callback

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
            hass.services.async_register(
                DOMAIN,
                action.name,
                action.handler,
                schema=action.schema,
                supports_response=action.response,
            )
