"""Actions: all that there are."""

from homeassistant.core import HomeAssistant, callback

from . import history_actions, server_actions, sync_actions, watchlist_actions
from .const import DOMAIN
from .service_call import for_administrators


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
            handler = action.handler
            if action.for_administrators:
                handler = for_administrators(handler)
            hass.services.async_register(
                DOMAIN,
                action.name,
                handler,
                schema=action.schema,
                supports_response=action.response,
            )
