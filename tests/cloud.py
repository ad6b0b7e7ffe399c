"""A stand-in for Home Assistant Cloud, as far as integrations see it.

The real one imports two dozen packages, voice recognition among them.
"""

from dataclasses import dataclass, field
from types import ModuleType

from homeassistant.core import HomeAssistant

MODULE = "homeassistant.components.cloud"


@dataclass
class Cloud:
    """Home Assistant Cloud: who has it, which webhooks it knows, and how it fails."""

    subscribed: bool = True
    urls: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None

    def async_active_subscription(self, hass: HomeAssistant) -> bool:
        """Return whether the household pays for it."""
        return self.subscribed

    async def async_get_or_create_cloudhook(
        self, hass: HomeAssistant, webhook_id: str
    ) -> str:
        """Return the URL of a webhook, made if it has none."""
        if self.error is not None:
            raise self.error
        return self.urls.setdefault(
            webhook_id, f"https://hooks.nabu.casa/{len(self.urls)}{webhook_id[::-1]}"
        )

    async def async_delete_cloudhook(
        self, hass: HomeAssistant, webhook_id: str
    ) -> None:
        """Take back the URL of a webhook."""
        if self.error is not None:
            raise self.error
        if webhook_id not in self.urls:
            raise ValueError("Hook is not enabled for the cloud.")
        del self.urls[webhook_id]

    def as_module(self) -> ModuleType:
        """Return what `homeassistant.components.cloud` is then."""
        module = ModuleType(MODULE)
        for name in FUNCTIONS:
            setattr(module, name, getattr(self, name))
        return module


FUNCTIONS = (
    "async_active_subscription",
    "async_get_or_create_cloudhook",
    "async_delete_cloudhook",
)
