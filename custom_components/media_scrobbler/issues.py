"""Repair issues: what a person is told when something is wrong."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN


@callback
def async_note_storage_trouble(
    hass: HomeAssistant,
    entry: ConfigEntry[Any],
    *,
    failing: bool,
    unreadable: dict[str, str],
) -> None:
    """Open or close the issues about an entry's files."""
    not_written = f"not_written_{entry.entry_id}"
    if failing:
        ir.async_create_issue(
            hass,
            DOMAIN,
            not_written,
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key="not_written",
            translation_placeholders={"viewer": entry.title},
        )
    else:
        ir.async_delete_issue(hass, DOMAIN, not_written)

    not_readable = f"unreadable_{entry.entry_id}"
    if unreadable:
        ir.async_create_issue(
            hass,
            DOMAIN,
            not_readable,
            data={"entry_id": entry.entry_id},
            is_fixable=True,
            severity=ir.IssueSeverity.ERROR,
            translation_key="unreadable",
            translation_placeholders={
                "viewer": entry.title,
                "files": "\n".join(f"- `{path}`" for path in sorted(unreadable)),
            },
        )
    else:
        ir.async_delete_issue(hass, DOMAIN, not_readable)


@callback
def async_note_webhook_obstacle(
    hass: HomeAssistant, entry: ConfigEntry[Any], obstacle: str | None
) -> None:
    """Open or close the issue about a server that takes no webhook of ours."""
    issue_id = f"webhook_{entry.entry_id}"
    if obstacle is None:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=f"webhook_{obstacle}",
        translation_placeholders={"server": entry.title},
    )
