"""The URLs by which a webhook can be reached, for a person to choose from."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from homeassistant.components import webhook
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.network import NoURLAvailableError

from .const import CONF_CLOUDHOOK


@dataclass(frozen=True, slots=True)
class WebhookUrls:
    """The URLs of one webhook; None where Home Assistant has no such address."""

    internal: str | None
    external: str | None
    cloud: str | None = None

    @property
    def all(self) -> dict[str, str]:
        """Return the different ones by name, the most likely to work first."""
        found: dict[str, str] = {}
        for name in ("internal", "external", "cloud"):
            url = getattr(self, name)
            if url is not None and url not in found.values():
                found[name] = url
        return found

    @property
    def best(self) -> str | None:
        """Return the one to suggest: servers mostly stand beside Home Assistant."""
        return next(iter(self.all.values()), None)


@callback
def async_webhook_urls(
    hass: HomeAssistant, webhook_id: str, cloud_url: str | None = None
) -> WebhookUrls:
    """Return the URLs of a webhook; a cloud URL has to have been made."""
    return WebhookUrls(
        _url(hass, webhook_id, internal=True),
        _url(hass, webhook_id, internal=False),
        cloud_url,
    )


def webhook_secrets(data: Mapping[str, Any]) -> set[str]:
    """Return the parts of its webhook's URLs that an entry keeps secret, by its data."""
    kept = (data.get(CONF_WEBHOOK_ID), data.get(CONF_CLOUDHOOK))
    return {value.rpartition("/")[2] for value in kept if value and type(value) is str}


# Where Home Assistant Cloud is not in use, its long list of imports is not either.


async def async_create_cloud_url(hass: HomeAssistant, webhook_id: str) -> str | None:
    """Return a URL through Home Assistant Cloud, None where none can be had."""
    if "cloud" not in hass.config.components:
        return None
    from hass_nabucasa import CloudError  # noqa: PLC0415
    from homeassistant.components import cloud  # noqa: PLC0415

    if cloud.async_active_subscription(hass):
        with suppress(CloudError, HomeAssistantError, TimeoutError, ValueError):
            return await cloud.async_get_or_create_cloudhook(hass, webhook_id)
    return None


async def async_delete_cloud_url(hass: HomeAssistant, webhook_id: str) -> None:
    """Take back a URL through Home Assistant Cloud, as far as that can be done now."""
    if "cloud" not in hass.config.components:
        return
    from hass_nabucasa import CloudError  # noqa: PLC0415
    from homeassistant.components import cloud  # noqa: PLC0415

    with suppress(CloudError, HomeAssistantError, TimeoutError, ValueError):
        await cloud.async_delete_cloudhook(hass, webhook_id)


def _url(hass: HomeAssistant, webhook_id: str, *, internal: bool) -> str | None:
    try:
        return webhook.async_generate_url(
            hass,
            webhook_id,
            allow_internal=internal,
            allow_external=not internal,
            allow_ip=True,
        )
    except NoURLAvailableError:
        return None
