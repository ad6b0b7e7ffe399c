"""A stand-in for a Plex Media Server: its webhooks, byte for byte in the server's form.

Plex sends multipart/form-data: a part `payload` with JSON and, for some events, a part
`thumb` with the poster. Library and administration events carry no player, administration
events no metadata, and no event says when it happened.
"""

import base64
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
import json
from typing import Any

import aiohttp

from .catalogue import (
    Album,
    Clip,
    Episode,
    Movie,
    Season,
    Show,
    Title,
    Track,
    stable_hex,
    stable_number,
)
from .transport import post

USER_AGENT = "PlexMediaServer/1.43.0.10492"

# A poster of 16 x 24 pixels: a moon over water, as far as that goes.
POSTER = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBM"
    "S0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZT"
    "fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAAR"
    "CAAYABADASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAAAAUCBv/EACIQAAEDBAICAwAA"
    "AAAAAAAAAAECAwQABRESITFBUSIywf/EABUBAQEAAAAAAAAAAAAAAAAAAAID/8QAGxEAAgID"
    "AQAAAAAAAAAAAAAAAAEREgITITH/2gAMAwEAAhEDEQA/AObq5crC3CtTUpMpK18bDPxXnrT3"
    "+jnipLcSQ6gLbjurSeilBINadZmJZSHm3w039d0nVOT4z1k1RvvoILdqukOPb2mnntVpzkak"
    "+SfVLrdIci3utMvbLVjA1I8g+qUqenG1h3cQf//Z"
)


class PlexEvent(StrEnum):
    """The events that Plex sends."""

    PLAY = "media.play"
    PAUSE = "media.pause"
    RESUME = "media.resume"
    STOP = "media.stop"
    SCROBBLE = "media.scrobble"
    RATE = "media.rate"
    LIBRARY_NEW = "library.new"
    LIBRARY_ON_DECK = "library.on.deck"
    PLAYBACK_STARTED = "playback.started"
    DEVICE_NEW = "device.new"
    DATABASE_BACKUP = "admin.database.backup"
    DATABASE_CORRUPTED = "admin.database.corrupted"


# Events that bring the poster with them.
_WITH_POSTER = frozenset(
    {
        PlexEvent.PLAY,
        PlexEvent.RATE,
        PlexEvent.LIBRARY_NEW,
        PlexEvent.LIBRARY_ON_DECK,
    }
)
_WITHOUT_PLAYER = frozenset(
    {
        PlexEvent.LIBRARY_NEW,
        PlexEvent.LIBRARY_ON_DECK,
        PlexEvent.DATABASE_BACKUP,
        PlexEvent.DATABASE_CORRUPTED,
    }
)
# A scrobble and a play never say how far they are.
_WITH_POSITION = frozenset({PlexEvent.PAUSE, PlexEvent.RESUME, PlexEvent.STOP})


@dataclass(frozen=True, slots=True)
class PlexAccount:
    """A user of the server.

    `user` says whether this is the account whose webhook it is. Plex says the same of a
    member of the home and of a guest: not the user. Their ids tell them apart, if at all.
    """

    id: int
    title: str
    user: bool = False

    @classmethod
    def owner(cls, title: str) -> PlexAccount:
        """Return the account that owns both the server and the webhook."""
        return cls(1, title, user=True)

    @classmethod
    def home_user(cls, title: str) -> PlexAccount:
        """Return another member of the owner's Plex Home."""
        return cls(stable_number("plex home", title, below=40_000_000), title)

    @classmethod
    def guest(cls, title: str) -> PlexAccount:
        """Return a friend with whom the library is shared."""
        return cls(400_000_000 + stable_number("guest", title, below=90_000_000), title)


@dataclass(frozen=True, slots=True)
class PlexPlayer:
    """A device that plays."""

    title: str
    uuid: str
    local: bool = True
    public_address: str = "198.51.100.23"


LIVING_ROOM_TV = PlexPlayer("Living room TV", "7c1e09ab42f6d358-com-plexapp-android")


@dataclass(kw_only=True, slots=True)
class PlexServer:
    """A Plex Media Server that sends webhooks."""

    name: str
    uuid: str
    owner: PlexAccount
    player: PlexPlayer = field(default=LIVING_ROOM_TV)

    def payload(
        self,
        event: str,
        title: Title | None = None,
        account: PlexAccount | None = None,
        player: PlexPlayer | None = None,
        *,
        at: datetime | None = None,
        position: timedelta | None = None,
        view_count: int = 1,
        rating: float | None = None,
    ) -> dict[str, Any]:
        """Return what the part `payload` of a webhook says.

        The account is the owner unless given, the player the server's usual one. The time
        (now unless given) shows only where Plex lets it: in when the title was last seen
        or rated. A position is in whole milliseconds and sent where Plex sends one. A
        `media.rate` without a rating is the removal of one.
        """
        account = account or self.owner
        at = at or datetime.now(UTC)
        payload: dict[str, Any] = {
            "event": str(event),
            "user": account.user,
            "owner": True,
            "Account": {
                "id": account.id,
                "thumb": (
                    f"https://plex.tv/users/{stable_hex(account.title, length=16)}"
                    "/avatar?c=1716292800"
                ),
                "title": account.title,
            },
            "Server": {"title": self.name, "uuid": self.uuid},
        }
        if event not in _WITHOUT_PLAYER:
            player = player or self.player
            payload["Player"] = {
                "local": player.local,
                "publicAddress": player.public_address,
                "title": player.title,
                "uuid": player.uuid,
            }
        if title is None:
            return payload

        metadata = self.metadata(title)
        if isinstance(title, Track):
            # Webhooks never tell how long a track is.
            metadata.pop("duration", None)
        if event == PlexEvent.SCROBBLE and not isinstance(title, Clip):
            metadata["viewCount"] = view_count
            metadata["lastViewedAt"] = int(at.timestamp())
        if event in _WITH_POSITION and position is not None:
            metadata["viewOffset"] = position // timedelta(milliseconds=1)
            metadata["lastViewedAt"] = int(at.timestamp())
        if event == PlexEvent.RATE:
            payload["rating"] = "-1" if rating is None else f"{rating:g}"
            metadata["userRating"] = rating or 0.0
            metadata["lastRatedAt"] = int(at.timestamp())
        payload["Metadata"] = metadata
        return payload

    def body(
        self,
        event: str,
        title: Title | None = None,
        account: PlexAccount | None = None,
        player: PlexPlayer | None = None,
        *,
        thumb: bytes | None = None,
        **details: Any,
    ) -> tuple[bytes, str]:
        """Return the body of a webhook and its content type.

        A poster comes along where Plex sends one; `thumb` gives another, b"" leaves it out.
        The details are those of `payload`.
        """
        payload = self.payload(event, title, account, player, **details)
        if thumb is None and event in _WITH_POSTER and title is not None:
            thumb = POSTER
        return encode(payload, thumb or None)

    async def send(
        self,
        session: aiohttp.ClientSession,
        url: str,
        event: str,
        title: Title | None = None,
        account: PlexAccount | None = None,
        player: PlexPlayer | None = None,
        **details: Any,
    ) -> tuple[int, dict[str, Any]]:
        """Send a webhook and return the HTTP status and the answer."""
        body, content_type = self.body(event, title, account, player, **details)
        return await post(session, url, body, content_type, USER_AGENT)

    def rating_key(self, key: str) -> str:
        """Return this server's own number of a title."""
        return str(stable_number(self.uuid, key, below=10**12))

    def metadata(self, title: Title) -> dict[str, Any]:
        """Return a title as this server describes it."""
        match title:
            case Movie():
                return self._movie(title)
            case Show():
                return self._show(title)
            case Season():
                return self._season(title)
            case Episode():
                return self._episode(title)
            case Album():
                return self._album(title)
            case Track():
                return self._track(title)
            case Clip():
                return self._clip(title)

    def _movie(self, movie: Movie) -> dict[str, Any]:
        """Describe a film."""
        path = self._path(movie.key)
        added = self._added(movie.key)
        return {
            "librarySectionType": "movie",
            "ratingKey": self.rating_key(movie.key),
            "key": path,
            "guid": _guid("movie", movie.key),
            "studio": movie.studio,
            "type": "movie",
            "title": movie.title,
            "librarySectionTitle": "Films",
            "librarySectionID": 1,
            "librarySectionKey": "/library/sections/1",
            "contentRating": "PG-13",
            "summary": movie.summary,
            "rating": 7.9,
            "audienceRating": 7.4,
            "year": movie.year,
            "tagline": movie.tagline,
            "thumb": f"{path}/thumb/{added}",
            "art": f"{path}/art/{added}",
            "duration": _milliseconds(movie.runtime),
            "originallyAvailableAt": movie.released.isoformat(),
            "addedAt": added,
            "updatedAt": added,
            "audienceRatingImage": "rottentomatoes://image.rating.upright",
            "chapterSource": "media",
            "primaryExtraKey": self._path(f"extra/{movie.key}"),
            "ratingImage": "rottentomatoes://image.rating.ripe",
            "Genre": [_tag("genre", genre) for genre in movie.genres],
            "Director": [_tag("director", movie.director)],
            "Country": [_tag("country", "Netherlands")],
            "Guid": [{"id": f"{name}://{value}"} for name, value in movie.ids.items()],
            "Rating": [
                {"image": "imdb://image.rating", "value": 7.1, "type": "audience"},
                {
                    "image": "rottentomatoes://image.rating.ripe",
                    "value": 7.9,
                    "type": "critic",
                },
            ],
            "Role": [{**_tag("actor", "Mirthe Aalders"), "role": "Nela"}],
        }

    def _show(self, show: Show) -> dict[str, Any]:
        """Describe a series."""
        path = self._path(show.key)
        added = self._added(show.key)
        return {
            "librarySectionType": "show",
            "ratingKey": self.rating_key(show.key),
            "key": f"{path}/children",
            "guid": _guid("show", show.key),
            "studio": show.network,
            "type": "show",
            "title": show.title,
            "librarySectionTitle": "Series",
            "librarySectionID": 2,
            "librarySectionKey": "/library/sections/2",
            "contentRating": "TV-14",
            "summary": show.summary,
            "index": 1,
            "audienceRating": 8.2,
            "year": show.year,
            "thumb": f"{path}/thumb/{added}",
            "art": f"{path}/art/{added}",
            "originallyAvailableAt": show.premiered.isoformat(),
            "leafCount": 16,
            "viewedLeafCount": 0,
            "childCount": 2,
            "addedAt": added,
            "updatedAt": added,
            "audienceRatingImage": "themoviedb://image.rating",
            "Genre": [_tag("genre", genre) for genre in show.genres],
            "Guid": [{"id": f"{name}://{value}"} for name, value in show.ids.items()],
        }

    def _season(self, season: Season) -> dict[str, Any]:
        """Describe a season."""
        show = season.show
        path = self._path(season.key)
        added = self._added(season.key)
        return {
            "librarySectionType": "show",
            "ratingKey": self.rating_key(season.key),
            "key": f"{path}/children",
            "parentRatingKey": self.rating_key(show.key),
            "guid": _guid("season", season.key),
            "parentGuid": _guid("show", show.key),
            "parentStudio": show.network,
            "type": "season",
            "title": season.title,
            "parentKey": self._path(show.key),
            "librarySectionTitle": "Series",
            "librarySectionID": 2,
            "librarySectionKey": "/library/sections/2",
            "parentTitle": show.title,
            "summary": "",
            "index": season.number,
            "parentIndex": 1,
            "parentYear": show.year,
            "thumb": f"{path}/thumb/{added}",
            "art": f"{self._path(show.key)}/art/{added}",
            "leafCount": 8,
            "viewedLeafCount": 0,
            "addedAt": added,
            "updatedAt": added,
        }

    def _episode(self, episode: Episode) -> dict[str, Any]:
        """Describe an episode: the ids are the episode's, of the show there is a guid."""
        show = episode.show
        season = Season(show, episode.season)
        path = self._path(episode.key)
        show_path = self._path(show.key)
        added = self._added(episode.key)
        return {
            "librarySectionType": "show",
            "ratingKey": self.rating_key(episode.key),
            "key": path,
            "parentRatingKey": self.rating_key(season.key),
            "grandparentRatingKey": self.rating_key(show.key),
            "guid": _guid("episode", episode.key),
            "parentGuid": _guid("season", season.key),
            "grandparentGuid": _guid("show", show.key),
            "grandparentSlug": show.title.lower().replace(" ", "-"),
            "type": "episode",
            "title": episode.title,
            "grandparentKey": show_path,
            "parentKey": self._path(season.key),
            "librarySectionTitle": "Series",
            "librarySectionID": 2,
            "librarySectionKey": "/library/sections/2",
            "grandparentTitle": show.title,
            "parentTitle": season.title,
            "contentRating": "TV-14",
            "summary": episode.summary,
            "index": episode.number,
            "parentIndex": episode.season,
            "audienceRating": 8.0,
            "year": episode.aired.year,
            "thumb": f"{path}/thumb/{added}",
            "art": f"{show_path}/art/{added}",
            "parentThumb": f"{self._path(season.key)}/thumb/{added}",
            "grandparentThumb": f"{show_path}/thumb/{added}",
            "grandparentArt": f"{show_path}/art/{added}",
            "duration": _milliseconds(episode.runtime),
            "originallyAvailableAt": episode.aired.isoformat(),
            "addedAt": added,
            "updatedAt": added,
            "audienceRatingImage": "themoviedb://image.rating",
            "chapterSource": "media",
            "Guid": [
                {"id": f"{name}://{value}"} for name, value in episode.ids.items()
            ],
            "Rating": [
                {
                    "image": "themoviedb://image.rating",
                    "value": 8.0,
                    "type": "audience",
                }
            ],
            "Director": [_tag("director", episode.director)],
        }

    def _album(self, album: Album) -> dict[str, Any]:
        """Describe an album."""
        path = self._path(album.key)
        artist_key = f"artist/{album.artist}"
        artist_path = self._path(artist_key)
        added = self._added(album.key)
        return {
            "librarySectionType": "artist",
            "ratingKey": self.rating_key(album.key),
            "key": f"{path}/children",
            "parentRatingKey": self.rating_key(artist_key),
            "guid": _guid("album", album.key),
            "parentGuid": _guid("artist", artist_key),
            "studio": "Slipway Recordings",
            "type": "album",
            "title": album.title,
            "parentKey": artist_path,
            "librarySectionTitle": "Music",
            "librarySectionID": 3,
            "librarySectionKey": "/library/sections/3",
            "parentTitle": album.artist,
            "summary": "",
            "index": 1,
            "year": album.year,
            "thumb": f"{path}/thumb/{added}",
            "art": f"{artist_path}/art/{added}",
            "parentThumb": f"{artist_path}/thumb/{added}",
            "originallyAvailableAt": album.released.isoformat(),
            "leafCount": 11,
            "viewedLeafCount": 0,
            "addedAt": added,
            "updatedAt": added,
            "Genre": [_tag("genre", "Folk")],
            "Guid": [{"id": f"mbid://{album.musicbrainz}"}],
        }

    def _track(self, track: Track) -> dict[str, Any]:
        """Describe a track; an artist other than the album's is in originalTitle."""
        album = track.album
        artist_key = f"artist/{album.artist}"
        artist_path = self._path(artist_key)
        album_path = self._path(album.key)
        added = self._added(album.key)
        metadata = {
            "librarySectionType": "artist",
            "ratingKey": self.rating_key(track.key),
            "key": self._path(track.key),
            "parentRatingKey": self.rating_key(album.key),
            "grandparentRatingKey": self.rating_key(artist_key),
            "guid": _guid("track", track.key),
            "parentGuid": _guid("album", album.key),
            "grandparentGuid": _guid("artist", artist_key),
            "parentStudio": "Slipway Recordings",
            "type": "track",
            "title": track.title,
            "grandparentKey": artist_path,
            "parentKey": album_path,
            "librarySectionTitle": "Music",
            "librarySectionID": 3,
            "librarySectionKey": "/library/sections/3",
            "grandparentTitle": album.artist,
            "parentTitle": album.title,
            "summary": "",
            "index": track.number,
            "parentIndex": track.disc,
            "ratingCount": 20418,
            "parentYear": album.year,
            "thumb": f"{album_path}/thumb/{added}",
            "art": f"{artist_path}/art/{added}",
            "parentThumb": f"{album_path}/thumb/{added}",
            "grandparentThumb": f"{artist_path}/thumb/{added}",
            "grandparentArt": f"{artist_path}/art/{added}",
            "duration": _milliseconds(track.runtime),
            "addedAt": added,
            "updatedAt": added,
            "Guid": [{"id": f"mbid://{track.musicbrainz}"}],
        }
        if track.artist is not None:
            metadata["originalTitle"] = track.artist
        return metadata

    def _clip(self, clip: Clip) -> dict[str, Any]:
        """Describe a trailer or extra, which is in no section of the library by itself."""
        added = self._added(clip.key)
        metadata: dict[str, Any] = {
            "ratingKey": self.rating_key(clip.key),
            "key": self._path(clip.key),
            "guid": f"iva://api.internetvideoarchive.com/2.0/{self.rating_key(clip.key)}",
            "type": "clip",
            "title": clip.title,
            "summary": "",
            "subtype": clip.subtype,
            "extraType": 1,
            "index": 1,
            "duration": _milliseconds(clip.runtime),
            "addedAt": added,
            "updatedAt": added,
        }
        if clip.movie is None:
            metadata["guid"] = f"prerolls://{stable_hex(clip.key, length=8)}"
        else:
            metadata["primaryGuid"] = _guid("movie", clip.movie.key)
            metadata["librarySectionID"] = 1
        return metadata

    def _path(self, key: str) -> str:
        """Return where this server keeps a title."""
        return f"/library/metadata/{self.rating_key(key)}"

    def _added(self, key: str) -> int:
        """Return when a title came to this server, in seconds since 1970."""
        day = date(2025, 1, 1) + timedelta(
            days=stable_number(self.uuid, key, below=500)
        )
        return int(datetime.combine(day, time(19, 30), UTC).timestamp())


def encode(
    payload: dict[str, Any], thumb: bytes | None = None, *, part_type: bool = True
) -> tuple[bytes, str]:
    """Return a payload as Plex's multipart body, and the content type that goes with it.

    The server writes the parts by hand: lines end in CRLF, the part with the JSON names its
    type (`part_type` leaves that out, as some relays do), and no part gives a length.
    """
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    boundary = f"{'-' * 24}{stable_hex(text, length=16)}"
    kind = "Content-Type: application/json\r\n" if part_type else ""
    body = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="payload"\r\n'
        f"{kind}\r\n"
        f"{text}\r\n"
    ).encode()
    if thumb is not None:
        body += (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="thumb"; filename="thumb.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        body += thumb + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _guid(kind: str, key: str) -> str:
    """Return the id that Plex's own database gives a title, the same on every server."""
    return f"plex://{kind}/{stable_hex('plex', key, length=24)}"


def _tag(kind: str, name: str) -> dict[str, Any]:
    """Return a genre, a person or a country."""
    number = stable_number(kind, name, below=200_000)
    return {"id": number, "filter": f"{kind}={number}", "tag": name, "count": 12}


def _milliseconds(duration: timedelta) -> int:
    """Return a duration in the unit Plex uses."""
    return duration // timedelta(milliseconds=1)
