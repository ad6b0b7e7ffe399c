"""A stand-in for Plex's catalogue on the internet: watchlists, searching, what is known.

It answers for `discover.provider.plex.tv` and `metadata.provider.plex.tv`. It knows the films
and series of all servers, and any others it is told of. Items are called by the last part of
their guid; only the page of an item has the ids of other databases. Pages of several items
may be asked for at once, if the catalogue takes that: nothing says that the real one does.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
import re
import ssl
from typing import Any, override

from aiohttp import web

from .catalogue import ExternalIds, Movie, Show
from .plex_accounts import PlexAccounts, PlexUser
from .plex_guids import plex_id
from .plex_markup import container_response
from .plex_media_server import PlexMediaServer, paged
from .plex_tv import signed_in
from .stand_in import StandIn

DISCOVER_HOSTS = ("discover.provider.plex.tv", "metadata.provider.plex.tv")

# So many come where a request does not say how many it wants.
_PAGE = 20
_STATIC = "https://metadata-static.plex.tv"


class PlexDiscover(StandIn):
    """The catalogue, for everybody who has an account."""

    def __init__(self, accounts: PlexAccounts, tls: ssl.SSLContext) -> None:
        super().__init__(tls)
        self.accounts = accounts
        self.servers: list[PlexMediaServer] = []
        self.titles: list[Movie | Show] = []
        self._known: dict[str, Movie | Show] = {}
        # The status that answers those who ask for several items at once, if any.
        self.refuses_several: int | None = None
        # What is listed but not known here when somebody wants to take it off a watchlist.
        self.unremovable: set[Movie | Show] = set()
        # Of what the ids in other databases are not known here, or not yet.
        self.without_ids: set[Movie | Show] = set()
        # What is not as it should be in the entries of watchlists, by title.
        self.odd: dict[Movie | Show, dict[str, Any]] = {}
        # How many requests are answered before there are too many, and after how many
        # seconds there may be more, if that is said.
        self.allowance: int | None = None
        self.retry_after: int | None = None

    def title(self, identifier: str) -> Movie | Show | None:
        """Return a title by its id here."""
        if identifier not in self._known:
            self._known = {plex_id(title): title for title in self._all()}
        return self._known.get(identifier)

    def _all(self) -> Iterable[Movie | Show]:
        """Return all titles that are known."""
        yield from self.titles
        for server in self.servers:
            yield from server.items.top_titles()

    @override
    def _application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._get_root),
                web.get("/library/sections/watchlist/{filter}", self._get_watchlist),
                web.put("/actions/addToWatchlist", self._add),
                web.put("/actions/removeFromWatchlist", self._remove),
                web.get("/actions/scrobble", self._scrobble),
                web.get("/actions/unscrobble", self._unscrobble),
                web.get("/library/search", self._search),
                web.get("/library/metadata/matches", self._match),
                web.get("/library/metadata/{ids}", self._get_items),
                web.get("/library/metadata/{id}/userState", self._get_user_state),
            ]
        )
        return app

    def _visitor(self, request: web.Request) -> PlexUser:
        """Return who asks; raise if nobody that is known, or too often."""
        user = signed_in(self.accounts, request)
        if self.allowance is not None:
            if self.allowance <= 0:
                told = (
                    {}
                    if self.retry_after is None
                    else {"Retry-After": str(self.retry_after)}
                )
                raise web.HTTPTooManyRequests(headers=told)
            self.allowance -= 1
        return user

    def _find(self, identifier: str | None) -> Movie | Show:
        """Return a title by its id here; raise if there is none."""
        title = self.title(identifier or "")
        if title is None:
            raise web.HTTPNotFound
        return title

    async def _get_root(self, request: web.Request) -> web.Response:
        """Say what this is."""
        self._visitor(request)
        return container_response(
            request,
            {
                "size": 0,
                "friendlyName": "Plex Discover",
                "identifier": "tv.plex.provider.discover",
                "title": "Discover",
                "version": "6.23.0",
            },
        )

    async def _get_watchlist(self, request: web.Request) -> web.Response:
        """List the watchlist of an account: all of it, or what has come out."""
        user = self._visitor(request)
        which = request.match_info["filter"]
        if which not in ("all", "available", "released"):
            raise web.HTTPNotFound
        kind = {"1": Movie, "2": Show}.get(request.query.get("type", ""), Movie | Show)
        today = datetime.now(UTC).date()
        titles = [
            title
            for title in user.watchlist
            if isinstance(title, kind) and (which == "all" or _date(title) <= today)
        ]
        field, _, direction = request.query.get("sort", "watchlistedAt:desc").partition(
            ":"
        )
        titles.sort(
            key=lambda title: {
                "titleSort": title.title.casefold(),
                "originallyAvailableAt": _date(title).isoformat(),
                "firstAvailableAt": _date(title).isoformat(),
            }.get(field, user.watchlist[title].isoformat()),
            reverse=direction == "desc",
        )
        page, counts, headers = paged(request, titles)
        if "totalSize" not in counts:
            page = titles[:_PAGE]
            counts = {"size": len(page), "totalSize": len(titles), "offset": 0}
        response = container_response(
            request,
            {
                "librarySectionID": "watchlist",
                "librarySectionTitle": "Watchlist",
                "identifier": "tv.plex.provider.discover",
                **counts,
                "Metadata": [_item(title) | self.odd.get(title, {}) for title in page],
            },
        )
        response.headers.update(headers)
        return response

    async def _add(self, request: web.Request) -> web.Response:
        """Put a title on the watchlist; if it is there, it stays where it is."""
        user = self._visitor(request)
        user.add_to_watchlist(self._find(request.query.get("ratingKey")))
        return container_response(request, {"size": 0})

    async def _remove(self, request: web.Request) -> web.Response:
        """Take a title off the watchlist."""
        user = self._visitor(request)
        title = self._find(request.query.get("ratingKey"))
        if title in self.unremovable:
            raise web.HTTPNotFound
        user.watchlist.pop(title, None)
        return container_response(request, {"size": 0})

    async def _scrobble(self, request: web.Request) -> web.Response:
        """Mark a title as watched, here and nowhere else."""
        user = self._visitor(request)
        title = self._find(request.query.get("key"))
        user.seen[title.key] = user.seen.get(title.key, 0) + 1
        return web.Response()

    async def _unscrobble(self, request: web.Request) -> web.Response:
        """Mark a title as not watched."""
        user = self._visitor(request)
        user.seen.pop(self._find(request.query.get("key")).key, None)
        return web.Response()

    async def _search(self, request: web.Request) -> web.Response:
        """Find titles by a part of their name."""
        self._visitor(request)
        wanted = request.query.get("query", "").casefold()
        types = request.query.get("searchTypes", "movies,tv").split(",")
        kinds = tuple(
            kind for name, kind in (("movies", Movie), ("tv", Show)) if name in types
        )
        found = {
            plex_id(title): title
            for title in self._all()
            if isinstance(title, kinds) and wanted in title.title.casefold()
        }
        limit = int(request.query.get("limit", "30"))
        results = [
            {"score": round(0.99 - number / 1000, 3), "Metadata": _item(title)}
            for number, title in enumerate(list(found.values())[:limit])
        ]
        return container_response(
            request,
            {
                "identifier": "tv.plex.provider.discover",
                "size": 1,
                "suggestedTerms": [],
                "SearchResults": [
                    {
                        "id": "external",
                        "title": "More ways to watch",
                        "size": len(results),
                        "SearchResult": results,
                    }
                ],
            },
        )

    async def _match(self, request: web.Request) -> web.Response:
        """Find a title by an id of another database, or by name and year."""
        self._visitor(request)
        kind = {"1": Movie, "2": Show}.get(request.query.get("type", ""), Movie | Show)
        guid = request.query.get("guid", "")
        name, year = request.query.get("title", ""), request.query.get("year", "")
        found = [
            title
            for title in self._all()
            if isinstance(title, kind)
            and (
                guid in _guids(title.ids)
                if guid
                else title.title.casefold() == name.casefold()
                and year in ("", str(title.year))
            )
        ]
        unique = {plex_id(title): title for title in found}
        return container_response(
            request,
            {
                "size": len(unique),
                "identifier": "tv.plex.provider.discover",
                "Metadata": [_item(title) for title in unique.values()],
            },
        )

    async def _get_items(self, request: web.Request) -> web.Response:
        """Return the pages of titles, with their ids in other databases.

        Those that are not known are left out of several.
        """
        user = self._visitor(request)
        identifiers = request.match_info["ids"].split(",")
        if len(identifiers) == 1:
            titles = [self._find(identifiers[0])]
        elif self.refuses_several is not None:
            return web.Response(status=self.refuses_several)
        else:
            found = map(self.title, identifiers)
            titles = [title for title in found if title is not None]
        content = [
            {**_item(title), **_details(title, with_ids=title not in self.without_ids)}
            for title in titles
        ]
        if request.query.get("includeUserState") == "1":
            for each, title in zip(content, titles, strict=True):
                each |= _seen(user, title)
        return container_response(
            request,
            {
                "size": len(content),
                "totalSize": len(content),
                "offset": 0,
                "identifier": "tv.plex.provider.metadata",
                "Metadata": content,
            },
        )

    async def _get_user_state(self, request: web.Request) -> web.Response:
        """Say whether a title is on the watchlist, and whether it was watched."""
        user = self._visitor(request)
        title = self._find(request.match_info["id"])
        listed = user.watchlist.get(title)
        return container_response(
            request,
            {
                "size": 1,
                "identifier": "tv.plex.provider.metadata",
                "UserState": [
                    {
                        "ratingKey": plex_id(title),
                        "type": _type(title),
                        "viewCount": 0,
                        "viewedLeafCount": 0,
                        "viewOffset": 0,
                        **_seen(user, title),
                        "watchlistedAt": int(listed.timestamp()) if listed else None,
                    }
                ],
            },
        )


def _item(title: Movie | Show) -> dict[str, Any]:
    """Describe a title in a list."""
    identifier = plex_id(title)
    slug = re.sub(r"\W+", "-", title.title.casefold()).strip("-")
    kind = _type(title)
    path = f"/library/metadata/{identifier}"
    common = {
        "art": f"{_STATIC}/art/{identifier}.jpg",
        "guid": f"plex://{kind}/{identifier}",
        "key": path if kind == "movie" else f"{path}/children",
        "rating": 7.9,
        "ratingKey": identifier,
        "summary": title.summary,
        "type": kind,
        "thumb": f"{_STATIC}/thumb/{identifier}.jpg",
        "addedAt": int(datetime.combine(_date(title), time(), UTC).timestamp()),
        "publicPagesURL": f"https://watch.plex.tv/{kind}/{slug}",
        "slug": slug,
        "userState": False,
        "title": title.title,
        "contentRating": "PG-13",
        "originallyAvailableAt": _date(title).isoformat(),
        "year": title.year,
    }
    if isinstance(title, Movie):
        return {
            **common,
            "studio": title.studio,
            "tagline": title.tagline,
            "duration": title.runtime // timedelta(milliseconds=1),
        }
    return {
        **common,
        "studio": title.network,
        "skipChildren": False,
        "leafCount": 16,
        "childCount": 2,
    }


def _details(title: Movie | Show, *, with_ids: bool) -> Mapping[str, Any]:
    """Describe what only the page of a title shows."""
    return {
        "Guid": [{"id": guid} for guid in _guids(title.ids)] if with_ids else [],
        "Genre": [{"tag": genre, "slug": genre.casefold()} for genre in title.genres],
    }


def _guids(ids: ExternalIds) -> list[str]:
    """Return the ids of other databases."""
    return [f"{name}://{value}" for name, value in ids.items()]


def _seen(user: PlexUser, title: Movie | Show) -> dict[str, Any]:
    """Describe what somebody has watched of a title."""
    count = user.seen.get(title.key, 0)
    return {"viewCount": count, "viewState": "complete"} if count else {}


def _type(title: Movie | Show) -> str:
    """Return what a title says it is."""
    return "movie" if isinstance(title, Movie) else "show"


def _date(title: Movie | Show) -> date:
    """Return the day a title came out."""
    return title.released if isinstance(title, Movie) else title.premiered
