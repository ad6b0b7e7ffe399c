"""The libraries of a Jellyfin server, page by page."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..domain.event import SavedData
from ..domain.fields import Fields, PayloadError
from ..domain.ids import is_item_id
from ..domain.library import Entry, Page, Section
from ..domain.media_server import ForbiddenError, ItemGoneError, SignInError
from ..domain.title import PLAYABLE, MediaType, Title
from ..http_client import path
from .dto import begun_at, item_title, raw_items, watched
from .http import Http, RefusedError, understood
from .items import each_episode, plain_id, saved_data

EPISODES_PAGE = 500

_ITEM_TYPES = {
    MediaType.MOVIE: "Movie",
    MediaType.SHOW: "Series",
    MediaType.EPISODE: "Episode",
}
_ANYTHING = (MediaType.MOVIE, MediaType.SHOW, MediaType.EPISODE)
# A library of anything has no type, or "mixed", depending on who tells.
_MEDIA_TYPES: dict[str | None, tuple[MediaType, ...]] = {
    "movies": (MediaType.MOVIE,),
    "tvshows": (MediaType.SHOW, MediaType.EPISODE),
    "mixed": _ANYTHING,
    None: _ANYTHING,
}


async def async_sections(http: Http, user_id: str | None) -> list[Section]:
    """Return the libraries of movies and shows.

    Those that the user of the sign-in may see, hidden from its home screen or not; with
    an API key, which is nobody's, all there are.
    """
    params = {"includeExternalContent": "false", "includeHidden": "true"}
    if user_id is not None:
        params["userId"] = user_id
    else:
        try:
            folders = await http.async_objects("/Library/VirtualFolders")
        except ForbiddenError:
            # What was given for an API key is the token of a user, who is no administrator.
            pass
        else:
            return _sections(folders, "ItemId")
    views = await http.async_object("GET", "/UserViews", params=params)
    with understood():
        return _sections(views.objects("Items"), "Id")


def _sections(libraries: list[Fields], key: str) -> list[Section]:
    with understood():
        return [
            Section(identity, library.text("Name") or identity, media_types)
            for library in libraries
            if (media_types := _MEDIA_TYPES.get(library.text("CollectionType")))
            # A library has none until it was scanned for the first time.
            and (identity := plain_id(library, key))
        ]


async def async_page(
    http: Http,
    server_id: str,
    section: Section,
    media_type: MediaType,
    start: int,
    limit: int,
    *,
    user_id: str | None,
    account: str | None,
) -> Page:
    """Return items of a section; `user_id` is that of the sign-in.

    Nothing is told of whether a whole show was watched: the server would have to look
    at each of its episodes for that. A section that may not be seen is empty. Raises
    ItemGoneError for a section that is gone.
    """
    return await _async_items(
        http,
        server_id,
        section.id,
        media_type,
        start,
        limit,
        user_id=account or user_id,
        with_data=account is not None and media_type in PLAYABLE,
    )


async def async_episodes(
    http: Http, server_id: str, item: str, *, user_id: str | None
) -> list[Title]:
    """Return the episodes of a show or season; none if it is gone."""
    titles: list[Title] = []
    start, total = 0, 1
    while start < total:
        try:
            page = await _async_items(
                http,
                server_id,
                item,
                MediaType.EPISODE,
                start,
                EPISODES_PAGE,
                user_id=user_id,
            )
        except ItemGoneError:
            return []
        titles.extend(entry.title for entry in page.entries)
        start += page.size
        total = page.total if page.size else 0
    return titles


async def async_watched(
    http: Http, account: str, items: Collection[str]
) -> dict[str, datetime | None]:
    """Return which of some items an account has watched, and when it last did.

    Lists leave versions out beside the one that stands for all of them: what is not
    listed is asked for by itself.
    """
    params = {
        "ids": ",".join(items),
        "userId": account,
        "enableImages": "false",
        "enableUserData": "true",
    }
    found: dict[str, datetime | None] = {}
    unlisted = dict.fromkeys(item for item in items if is_item_id(item))
    answer = await http.async_object("GET", "/Items", params=params)
    with understood():
        for item in answer.objects("Items"):
            was_watched, at = watched(item)
            if was_watched is not None and (identity := plain_id(item, "Id")):
                unlisted.pop(identity, None)
                if was_watched:
                    found[identity] = at
    for each in unlisted:
        # What is gone, or is not for this account, has none.
        with suppress(RefusedError):
            data = await http.async_request(
                "GET", path("UserItems", each, "UserData"), params={"userId": account}
            )
            with understood():
                was_watched, at = watched(Fields({"UserData": data}))
                if was_watched:
                    found[each] = at
    return found


async def async_saved(http: Http, account: str, item: str) -> SavedData | None:
    """Return what is saved of an item, or a version, for an account; None if it has none."""
    if not item.isalnum():
        return None
    try:
        answer = await http.async_request(
            "GET", f"/UserItems/{item}/UserData", params={"userId": account}
        )
    except RefusedError:
        await http.async_assert_reached()
        return None
    except ForbiddenError:
        # Of others only an administrator is told.
        return None
    with understood():
        return saved_data(Fields(answer, "UserData"), item)


async def _async_items(
    http: Http,
    server_id: str,
    parent: str,
    media_type: MediaType,
    start: int,
    limit: int,
    *,
    user_id: str | None,
    with_data: bool = False,
) -> Page:
    params = {
        "parentId": parent,
        "recursive": "true",
        "includeItemTypes": _ITEM_TYPES[media_type],
        # Episodes that a show should have and the library has not.
        "excludeLocationTypes": "Virtual",
        "fields": "ProviderIds",
        "sortBy": "DateCreated,SortName",
        "sortOrder": "Ascending",
        "startIndex": str(start),
        "limit": str(limit),
        "enableImages": "false",
        "enableUserData": str(with_data).lower(),
    }
    if user_id is not None:
        params["userId"] = user_id

    def read(answer: Fields) -> Page:
        items = raw_items(answer)
        total = answer.integer("TotalRecordCount")
        if total is None:
            raise PayloadError("TotalRecordCount is missing")
        return Page(
            tuple(
                entry
                for item in items
                for entry in _entries(item, media_type, server_id)
            ),
            len(items),
            total,
        )

    try:
        return await http.async_read("/Items", params, read)
    except SignInError:
        # So the server refuses a bad token, and the sight of what is not for this user.
        await http.async_objects("/Users")
        return Page((), 0, 0)
    except RefusedError as err:
        await http.async_assert_reached()
        raise ItemGoneError from err


def _entries(item: Any, media_type: MediaType, server_id: str) -> Iterator[Entry]:
    """Yield the entry of an item, several for a file with several episodes.

    All of them have the file's item: whichever is marked, it is the file that is.
    """
    try:
        fields = Fields(item, "Items")
        title = item_title(fields, None, server_id)
        if (
            title is None
            or title.media_type is not media_type
            or not title.items
            or fields.text("LocationType") == "Virtual"
        ):
            return
        was_watched, at = watched(fields)
        begun = begun_at(fields)
        titles = each_episode(title, fields.integer("IndexNumberEnd"))
    except PayloadError:
        return
    for each in titles:
        yield Entry(replace(each, items=title.items), was_watched, at, begun)
