"""Items as Jellyfin's API and the nested webhooks describe them: BaseItemDto."""

from datetime import MINYEAR, datetime
from typing import Any

from ..domain.fields import Fields, PayloadError
from ..domain.title import MediaType, Title
from .items import (
    TICKS_PER_SECOND,
    item_id,
    media_type_of,
    named_as_film,
    provider_ids,
    utc_time,
)


def raw_items(answer: Fields) -> list[Any]:
    """Return the items of a list, each to be understood or not by itself.

    Raises PayloadError where there is no list.
    """
    items = answer.get("Items")
    if not isinstance(items, list):
        raise PayloadError("Items is not a list")
    return items


def item_title(
    item: Fields, series: Fields | None, server_id: str | None
) -> Title | None:
    """Return the title that an item is, None if it is something else.

    `series` is the item of an episode's show, where that is known. Raises PayloadError
    where something is of the wrong type.
    """
    media_type = media_type_of(item.text("Type") or "")
    if media_type is None:
        return None
    return named_as_film(_title(item, series, media_type, server_id or ""))


def watched(item: Fields) -> tuple[bool | None, datetime | None]:
    """Return whether a user has watched an item, None if unknown, and when (UTC).

    A position has a date as well, which is not when the item was watched. Raises
    PayloadError where something is of the wrong type.
    """
    data = item.object("UserData")
    if data is None:
        return None, None
    if not data.flag("Played"):
        return False, None
    at = utc_time(data.text("LastPlayedDate"))
    # What the server writes for no date at all.
    return True, at if at is not None and at.year != MINYEAR else None


def begun_at(item: Fields) -> datetime | None:
    """Return when (UTC) a user began what shows as not watched and can be resumed.

    Raises PayloadError where something is of the wrong type.
    """
    data = item.object("UserData")
    if data is None or data.flag("Played") or not data.integer("PlaybackPositionTicks"):
        return None
    return utc_time(data.text("LastPlayedDate"))


def _title(
    item: Fields, series: Fields | None, media_type: MediaType, server_id: str
) -> Title:
    values: dict[str, Any] = {}
    match media_type:
        case MediaType.EPISODE | MediaType.SEASON:
            show_item = item_id(item, "SeriesId")
            values = {
                "show": item.text("SeriesName"),
                "show_ids": _ids(series, MediaType.SHOW),
                "show_items": {server_id: show_item} if show_item and server_id else {},
            }
            if media_type is MediaType.EPISODE:
                values |= {
                    "season": item.integer("ParentIndexNumber"),
                    "episode": item.integer("IndexNumber"),
                }
            else:
                values["season"] = item.integer("IndexNumber")
        case MediaType.TRACK | MediaType.ALBUM:
            values = {"artist": _artist(item), "album": item.text("Album")}
    if media_type in (MediaType.MOVIE, MediaType.SHOW, MediaType.ALBUM):
        values["year"] = item.integer("ProductionYear")
    own_id = item_id(item, "Id")
    duration = item.seconds("RunTimeTicks", TICKS_PER_SECOND)
    return Title(
        media_type=media_type,
        title=item.text("Name"),
        ids=_ids(item, media_type),
        items={server_id: own_id} if own_id and server_id else {},
        duration=round(duration or 0) or None,
        **values,
    )


def _artist(item: Fields) -> str | None:
    artists = item.get("Artists")
    if isinstance(artists, list) and artists:
        return Fields({"Artists": artists[0]}, "Item").text("Artists")
    return item.text("AlbumArtist")


def _ids(item: Fields | None, media_type: MediaType) -> dict[str, str | int]:
    providers = item.object("ProviderIds") if item is not None else None
    return provider_ids(providers, media_type) if providers is not None else {}
