"""Diagnostics: what helps to find a fault, without saying who watches what."""

from collections import Counter
from typing import Any

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant

from . import ScrobblerConfigEntry
from .const import (
    CONF_ACCOUNT_TOKEN,
    CONF_ACCOUNTS,
    CONF_CLOUDHOOK,
    CONF_NEW_VIEWERS,
    CONF_PERSON,
    CONF_PLAYERS,
    CONF_REGISTERED_URL,
    CONF_SERVERS,
    CONF_USER_ID,
)
from .published import run_data
from .server import Server
from .storage.import_log import Run
from .viewer import Viewer

TO_REDACT = {
    CONF_ACCOUNT_TOKEN,
    CONF_ACCOUNTS,
    CONF_CLOUDHOOK,
    CONF_NEW_VIEWERS,
    CONF_PERSON,
    CONF_PLAYERS,
    CONF_REGISTERED_URL,
    CONF_SERVERS,
    CONF_TOKEN,
    CONF_URL,
    CONF_USER_ID,
    CONF_WEBHOOK_ID,
    "title",
    "unique_id",
}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: ScrobblerConfigEntry
) -> dict[str, Any]:
    """Return the diagnostics of a server or viewer."""
    shown = {"entry": async_redact_data(entry.as_dict(), TO_REDACT)}
    # One that could not be set up has none.
    if (runtime := getattr(entry, "runtime_data", None)) is None:
        return shown
    return shown | (
        _server(runtime) if isinstance(runtime, Server) else _viewer(runtime)
    )


def _server(server: Server) -> dict[str, Any]:
    events = server.log.newest()
    return {
        "identities": len(server.identities),
        "players": Counter(
            playback.state.value for playback in server.playbacks.values()
        ),
        "webhooks": [_webhook(event) for event in events[:50]],
        "outcomes": Counter(event["outcome"] for event in events),
        "library": _library(server),
        "connection": _connection(server),
    }


def _connection(server: Server) -> dict[str, Any] | None:
    if (connection := server.connection) is None:
        return None
    return {
        "connected": connection.last_update_success,
        "version": connection.data.version,
        "webhook_registered": CONF_REGISTERED_URL in server.entry.data,
        "webhook_obstacle": connection.registration.obstacle,
    }


def _library(server: Server) -> dict[str, Any]:
    library = server.library
    return {
        "scanned_at": library.scanned_at.isoformat() if library.scanned_at else None,
        "scan": server.scanner.state.value,
        "items": dict(library.index.per_type),
        "without_ids": library.index.without_ids,
    }


def _webhook(event: dict[str, Any]) -> dict[str, Any]:
    """Return a webhook of the log, with the names taken out of its reason."""
    reason = event["reason"]
    for name in (event.get("server"), *event.get("viewers", ())):
        if name:
            reason = reason.replace(name, REDACTED)
    shown: dict[str, Any] = {"at": event["at"], "outcome": event["outcome"]}
    if "event" in event:
        shown["event"] = event["event"]
    return {**shown, "reason": reason}


def _viewer(viewer: Viewer) -> dict[str, Any]:
    return {
        "accounts": len(viewer.accounts),
        "plays": dict(viewer.history.index.per_type),
        "ratings": len(viewer.ratings),
        "watchlist": len(viewer.watchlist),
        "watchlist_imports": [_import(run) for run in viewer.imports.runs],
        "failing": viewer.failing,
        "unreadable_files": len(viewer.unreadable),
    }


def _import(run: Run) -> dict[str, Any]:
    """Return an import in numbers: the titles are nobody else's business."""
    return {
        key: len(value) if isinstance(value, list) else value
        for key, value in run_data(run).items()
    }
