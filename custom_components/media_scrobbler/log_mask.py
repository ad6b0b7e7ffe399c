"""Keeping the secret parts of our webhooks' URLs out of what others log of requests."""

from collections.abc import Iterable
import logging
from typing import override

from homeassistant.components import webhook
from homeassistant.core import callback

MASK = "**REDACTED**"

# They log paths, queries and messages, whether a webhook is registered or not.
_LOGGERS = (
    webhook.__name__,
    "aiohttp.access",
    "aiohttp.server",
    "hass_nabucasa.iot",
    "homeassistant.components.http.auth",
    "homeassistant.components.http.security_filter",
    "homeassistant.components.websocket_api.http.connection",
    "homeassistant.helpers.http",
)

_FORMATTER = logging.Formatter()


class LogMask(logging.Filter):
    """Masks secrets in the log for as long as it is started."""

    def __init__(self) -> None:
        """Start without secrets."""
        super().__init__()
        self._secrets: set[str] = set()

    @callback
    def start(self) -> None:
        """Begin to mask."""
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    @callback
    def stop(self) -> None:
        """End what `start` began."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)

    @callback
    def add(self, secrets: Iterable[str]) -> None:
        """Mask these as well, also when they are of no use any more: requests go on."""
        self._secrets.update(secrets)

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the secrets in a record."""
        line = record.getMessage()
        if (masked := self._masked(line)) != line:
            record.msg, record.args = masked, None
        if record.exc_info and not record.exc_text:
            trace = _FORMATTER.formatException(record.exc_info)
            if (masked := self._masked(trace)) != trace:
                record.exc_info, record.exc_text = None, masked
        return True

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text
