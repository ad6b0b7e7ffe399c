"""Repair issues: what a person is told when something is wrong."""

from collections.abc import Iterable
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .domain.markdown import literal


@callback
def async_note_storage_trouble(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    *,
    failing: bool,
    unreadable: dict[str, str],
) -> None:
    """Open or close the issues about an entry's files."""
    viewer = {"viewer": literal(entry.title)}
    _note(
        hass,
        f"not_written_{entry.entry_id}",
        "not_written" if failing else None,
        viewer,
    )
    _note(
        hass,
        f"unreadable_{entry.entry_id}",
        "unreadable" if unreadable else None,
        {**viewer, "files": _listed(unreadable)},
        data={"entry_id": entry.entry_id},
    )


@callback
def async_note_inbox_trouble(
    hass: HomeAssistant, *, failing: bool, unreadable: dict[str, str]
) -> None:
    """Open or close the issues about the files of accounts that are nobody's."""
    _note(hass, "inbox_not_written", "inbox_not_written" if failing else None, None)
    _note(
        hass,
        "inbox_unreadable",
        "inbox_unreadable" if unreadable else None,
        {"files": _listed(unreadable)},
    )


@callback
def async_note_server_unreadable(
    hass: HomeAssistant, entry: ConfigEntry[Any], unreadable: dict[str, str]
) -> None:
    """Open or close the issue about the files of a server that cannot be read."""
    _note(
        hass,
        f"server_unreadable_{entry.entry_id}",
        "server_unreadable" if unreadable else None,
        {"server": literal(entry.title), "files": _listed(unreadable)},
    )


@callback
def async_note_webhook_obstacle(
    hass: HomeAssistant, entry: ConfigEntry[Any], obstacle: str | None
) -> None:
    """Open or close the issue about a server that takes no webhook of ours."""
    _note(
        hass,
        f"webhook_{entry.entry_id}",
        f"webhook_{obstacle}" if obstacle else None,
        {"server": literal(entry.title)},
        severity=ir.IssueSeverity.WARNING,
    )


@callback
def async_note_cannot_mark(
    hass: HomeAssistant, entry: ConfigEntry[Any], *, is_forbidden: bool
) -> None:
    """Open or close the issue about a server that does not let us mark what was watched."""
    _note(
        hass,
        f"cannot_mark_{entry.entry_id}",
        "cannot_mark" if is_forbidden else None,
        {"server": literal(entry.title)},
        severity=ir.IssueSeverity.WARNING,
    )


@callback
def async_note_mass_unwatch(
    hass: HomeAssistant, entry: ConfigEntry[Any], accounts: Iterable[str]
) -> None:
    """Open or close the issue about accounts of a server that differ too much.

    `accounts` are lines, each of which says whose account it is and how much.
    """
    lines = "\n".join(accounts)
    _note(
        hass,
        f"mass_unwatch_{entry.entry_id}",
        "mass_unwatch" if lines else None,
        {"server": literal(entry.title), "accounts": lines},
        severity=ir.IssueSeverity.WARNING,
    )


@callback
def async_note_watchlist_sign_in(
    hass: HomeAssistant, entry: ConfigEntry[Any], *, is_rejected: bool
) -> None:
    """Open or close the issue about a sign-in that plex.tv does not take any more."""
    _note(
        hass,
        f"watchlist_sign_in_{entry.entry_id}",
        "watchlist_sign_in" if is_rejected else None,
        {"viewer": literal(entry.title)},
    )


@callback
def async_note_watchlist_shrunk(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    shrunk: tuple[int, int] | None = None,
) -> None:
    """Open or close the issue about a watchlist that has shrunk too much to be believed.

    `shrunk` is how many titles there were, and how many there are.
    """
    before, now = shrunk or (0, 0)
    _note(
        hass,
        f"watchlist_shrunk_{entry.entry_id}",
        "watchlist_shrunk" if shrunk else None,
        {"viewer": literal(entry.title), "before": str(before), "now": str(now)},
        severity=ir.IssueSeverity.WARNING,
        data={"entry_id": entry.entry_id, "before": before, "now": now},
    )


def _listed(paths: Iterable[str]) -> str:
    return "\n".join(f"- `{path}`" for path in sorted(paths))


@callback
def _note(
    hass: HomeAssistant,
    issue_id: str,
    translation_key: str | None,
    placeholders: dict[str, str] | None,
    *,
    severity: ir.IssueSeverity = ir.IssueSeverity.ERROR,
    data: dict[str, str | int | float | None] | None = None,
) -> None:
    """Open an issue, which can be fixed if it has data, or close it."""
    if translation_key is None:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data=data,
        is_fixable=data is not None,
        severity=severity,
        translation_key=translation_key,
        translation_placeholders=placeholders,
    )
