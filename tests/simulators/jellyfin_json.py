"""How a Jellyfin server describes items, users and sessions in its answers.

A value that is unknown is left out, as the server does. Which values of an item are given
depends on the `fields` of the request; a single item comes with all of them.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from .catalogue import Album, Clip, Episode, Movie, Season, Show, Track, stable_hex
from .jellyfin import JellyfinServer, written
from .jellyfin_accounts import Account, Session
from .jellyfin_items import (
    VIEWS,
    Artist,
    Item,
    Items,
    Kind,
    View,
    parent_of,
    premiere,
    production_year,
    sort_name,
)
from .jellyfin_query import index_numbers, unplayed_within
from .jellyfin_user_data import UserData, ticks

ALL_FIELDS = frozenset(
    {
        "childcount",
        "datecreated",
        "etag",
        "genres",
        "mediasourcecount",
        "mediasources",
        "overview",
        "parentid",
        "path",
        "providerids",
        "recursiveitemcount",
        "sortname",
        "studios",
        "taglines",
    }
)


class Descriptions:
    """Descriptions of what a server has."""

    def __init__(self, server: JellyfinServer, items: Items) -> None:
        self._server = server
        self._items = items

    # --- items -------------------------------------------------------------------------

    def item(
        self,
        item: Item,
        fields: Iterable[str],
        data: Mapping[str, UserData] | None = None,
    ) -> dict[str, Any]:
        """Return an item; with what a user did with it where that is given."""
        title = item.title
        above, index = index_numbers(item)
        described: dict[str, Any] = {
            "Name": name_of(item),
            "ServerId": self._server.id,
            "Id": item.id,
            "PremiereDate": written(at) if (at := premiere(title)) else None,
            "RunTimeTicks": ticks(item.runtime) if item.runtime else None,
            "ProductionYear": production_year(title),
            "IndexNumber": index,
            "ParentIndexNumber": above,
            "IsFolder": item.is_folder,
            "Type": str(item.kind),
            "LocationType": "Virtual" if item.missing else "FileSystem",
            "MediaType": _MEDIA_TYPES.get(item.kind, "Unknown"),
            "ImageTags": self.image_tags(item),
            "BackdropImageTags": [],
            "ImageBlurHashes": {},
        }
        described |= self._of_kind(item)
        for name in fields:
            if write := _FIELDS.get(name.lower()):
                described |= write(self, item)
        if data is not None:
            described["UserData"] = self.user_data(item, data)
        return {key: value for key, value in described.items() if value is not None}

    def _of_kind(self, item: Item) -> dict[str, Any]:
        """Return what only some kinds of items have."""
        match item.title:
            case Movie():
                return {
                    "VideoType": "VideoFile",
                    "Container": "mkv",
                    "HasSubtitles": True,
                }
            case Show(year=year):
                return {
                    "Status": "Ended" if year < 2015 else "Continuing",
                    "AirDays": [],
                }
            case Season(show=show):
                return {
                    "SeriesId": self._items.id_of(show),
                    "SeriesName": show.title,
                    "SeriesPrimaryImageTag": self._image_tag(self._items.id_of(show)),
                }
            case Episode(show=show) as episode:
                season = self._items.season_of(item)
                series_id = self._items.id_of(show)
                return {
                    "VideoType": "VideoFile",
                    "Container": "mkv",
                    "HasSubtitles": True,
                    "IndexNumberEnd": episode.number_end,
                    "SeriesId": series_id,
                    "SeriesName": show.title,
                    "SeriesPrimaryImageTag": self._image_tag(series_id),
                    "SeasonId": self._items.id_of(season) if season else None,
                    "SeasonName": season.title if season else "Season Unknown",
                }
            case Album(artist=artist):
                return {
                    "AlbumArtist": artist,
                    "AlbumArtists": [self._pair(Artist(artist))],
                    "Artists": [artist],
                    "ArtistItems": [self._pair(Artist(artist))],
                }
            case Track(album=album) as track:
                by = track.artist or album.artist
                album_id = self._items.id_of(album)
                return {
                    "Album": album.title,
                    "AlbumId": album_id,
                    "AlbumPrimaryImageTag": self._image_tag(album_id),
                    "AlbumArtist": album.artist,
                    "AlbumArtists": [self._pair(Artist(album.artist))],
                    "Artists": [by],
                    "ArtistItems": [self._pair(Artist(by))],
                    "Container": "flac",
                }
            case Clip():
                return {"ExtraType": "Trailer", "VideoType": "VideoFile"}
            case View(collection_type=collection_type):
                return {"CollectionType": collection_type}
            case _:
                return {}

    def _pair(self, artist: Artist) -> dict[str, str]:
        return {"Name": artist.title, "Id": self._items.id_of(artist)}

    def image_tags(self, item: Item) -> dict[str, str]:
        """Return the tags of the images an item has itself: tracks use their album's."""
        if item.kind is Kind.TRACK:
            return {}
        return {"Primary": self._image_tag(item.id)}

    def _image_tag(self, identifier: str) -> str:
        return stable_hex("image", identifier)

    def root(self, account: Account) -> dict[str, Any]:
        """Return what an id of zeros stands for: the folder of all libraries."""
        identifier = stable_hex(self._server.id, "root", account.user.id)
        return {
            "Name": "Media Folders",
            "ServerId": self._server.id,
            "Id": identifier,
            "IsFolder": True,
            "Type": "UserRootFolder",
            "ProviderIds": {},
            "UserData": {
                "PlaybackPositionTicks": 0,
                "PlayCount": 0,
                "IsFavorite": False,
                "Played": False,
                "Key": identifier,
                "ItemId": identifier,
            },
            "LocationType": "FileSystem",
            "MediaType": "Unknown",
        }

    # --- fields that have to be asked for ------------------------------------------------

    def _parent_id(self, item: Item) -> dict[str, Any]:
        if item.kind is Kind.VIEW:
            return {}
        if parent := parent_of(item.title):
            return {"ParentId": self._items.id_of(parent)}
        for view in VIEWS:
            if item.kind in view.kinds:
                return {"ParentId": self._items.folder_id(view)}
        return {}

    def _media_sources(self, item: Item) -> dict[str, Any]:
        """Return the files behind an item, those of its other versions among them."""
        if item.is_folder:
            return {}
        versions = self._items.versions(item) or [item]
        versions.sort(key=lambda version: version.id != item.id)
        return {
            "MediaSources": [
                {
                    "Protocol": "File",
                    "Id": version.id,
                    "Path": path_of(version),
                    "Type": "Default" if version.id == item.id else "Grouping",
                    "Container": "mkv",
                    "Name": version.version_name or version.title.title,
                    "IsRemote": False,
                    "SupportsTranscoding": True,
                    "SupportsDirectStream": True,
                    "SupportsDirectPlay": True,
                    "RunTimeTicks": ticks(item.runtime) if item.runtime else 0,
                    "MediaStreams": [],
                    "MediaAttachments": [],
                    "Formats": [],
                    "RequiredHttpHeaders": {},
                    "TranscodingSubProtocol": "http",
                }
                for version in versions
            ]
        }

    def _media_source_count(self, item: Item) -> dict[str, Any]:
        count = len(self._items.versions(item))
        return {"MediaSourceCount": count} if count > 1 else {}

    def _child_count(self, item: Item) -> dict[str, Any]:
        if not item.is_folder:
            return {}
        within = self._items.within(item.id, recursive=False) or {}
        return {"ChildCount": sum(map(len, within.values()))}

    def _recursive_count(self, item: Item) -> dict[str, Any]:
        if not item.is_folder:
            return {}
        return {"RecursiveItemCount": len(self._items.playable_within(item))}

    # --- users ---------------------------------------------------------------------------

    def user_data(self, item: Item, data: Mapping[str, UserData]) -> dict[str, Any]:
        """Return what a user did with an item, or with all that is in it."""
        of = data.get(item.id) or UserData()
        described: dict[str, Any] = {
            "PlaybackPositionTicks": of.position,
            "PlayCount": of.count,
            "IsFavorite": of.favorite,
            "Played": of.played,
            "Key": self._data_key(item),
            "ItemId": item.id,
        }
        if item.kind in {Kind.SERIES, Kind.SEASON}:
            unplayed = unplayed_within(self._items, item.id, data)
            described |= {"UnplayedItemCount": unplayed, "Played": unplayed == 0}
        if of.position and item.runtime:
            described["PlayedPercentage"] = of.position / ticks(item.runtime) * 100
        if at := self._items.last_played(item.id, data):
            described["LastPlayedDate"] = written(at)
        if of.likes is not None:
            described["Likes"] = of.likes
        if of.rating is not None:
            described["Rating"] = of.rating
        return described

    def _data_key(self, item: Item) -> str:
        """Return what the server keeps user data by besides the item's id."""
        ids: Mapping[str, str] = dict(item.providers)
        match item.title:
            case Episode(show=show, season=season, number=number):
                of_show = dict(show.ids.items())
                if key := of_show.get("tvdb") or of_show.get("tmdb"):
                    return f"{key}{season:03d}{number:03d}"
            case Season(show=show, number=number):
                of_show = dict(show.ids.items())
                if key := of_show.get("tvdb") or of_show.get("tmdb"):
                    return f"{key}{number:03d}"
        return ids.get("Tmdb") or ids.get("Imdb") or item.id

    def user(self, account: Account) -> dict[str, Any]:
        """Return a user with rights and settings."""
        described: dict[str, Any] = {
            "Name": account.user.name,
            "ServerId": self._server.id,
            "Id": account.user.id,
            "HasPassword": bool(account.password),
            "HasConfiguredPassword": bool(account.password),
            "HasConfiguredEasyPassword": False,
            "EnableAutoLogin": False,
            "Configuration": {
                "PlayDefaultAudioTrack": True,
                "SubtitleLanguagePreference": "",
                "DisplayMissingEpisodes": account.displays_missing,
                "GroupedFolders": [],
                "SubtitleMode": "Default",
                "DisplayCollectionsView": False,
                "EnableLocalPassword": False,
                "OrderedViews": [],
                "LatestItemsExcludes": [],
                "MyMediaExcludes": [],
                "HidePlayedInLatest": True,
                "RememberAudioSelections": True,
                "RememberSubtitleSelections": True,
                "EnableNextEpisodeAutoPlay": True,
                "CastReceiverId": "F007D354",
            },
            "Policy": _policy(account),
        }
        if account.last_login:
            described["LastLoginDate"] = written(account.last_login)
        if account.last_activity:
            described["LastActivityDate"] = written(account.last_activity)
        return described

    def session(self, session: Session) -> dict[str, Any]:
        """Return a session; one that plays says what."""
        described: dict[str, Any] = {
            "PlayState": {
                "CanSeek": session.playing is not None,
                "IsPaused": session.paused,
                "IsMuted": False,
                "RepeatMode": "RepeatNone",
                "PlaybackOrder": "Default",
            },
            "AdditionalUsers": [
                {"UserId": account.user.id, "UserName": account.user.name}
                for account in session.accounts[1:]
            ],
            "Capabilities": {
                "PlayableMediaTypes": ["Audio", "Video"],
                "SupportedCommands": [],
                "SupportsMediaControl": False,
                "SupportsPersistentIdentifier": True,
            },
            "RemoteEndPoint": session.device.address,
            "PlayableMediaTypes": ["Audio", "Video"],
            "Id": session.id,
            "UserId": "0" * 32,
            "Client": session.device.client,
            "LastActivityDate": written(session.last_activity),
            "LastPlaybackCheckIn": (
                written(session.last_check_in) if session.last_check_in else _NEVER
            ),
            "DeviceName": session.device.name,
            "DeviceId": session.device.id,
            "ApplicationVersion": session.version,
            "IsActive": True,
            "SupportsMediaControl": False,
            "SupportsRemoteControl": False,
            "NowPlayingQueue": [],
            "HasCustomDeviceName": False,
            "ServerId": self._server.id,
            "SupportedCommands": [],
        }
        if session.accounts:
            first = session.accounts[0].user
            described |= {"UserId": first.id, "UserName": first.name}
        if (playing := session.playing) is not None:
            described["NowPlayingItem"] = self.item(
                playing.item,
                ("ProviderIds", "Overview", "Genres", "Path", "DateCreated"),
            )
            described["PlayState"] |= {
                "PositionTicks": ticks(session.position),
                "MediaSourceId": playing.version.id,
                "PlayMethod": "DirectPlay",
                "VolumeLevel": 100,
            }
            if session.paused_at:
                described["LastPausedDate"] = written(session.paused_at)
        return described


_MEDIA_TYPES: Mapping[Kind, str] = {
    Kind.MOVIE: "Video",
    Kind.EPISODE: "Video",
    Kind.VIDEO: "Video",
    Kind.TRACK: "Audio",
}

_FIELDS: Mapping[str, Callable[[Descriptions, Item], dict[str, Any]]] = {
    "childcount": Descriptions._child_count,
    "datecreated": lambda _, item: {"DateCreated": written(item.created)},
    "etag": lambda _, item: {"Etag": stable_hex(item.id, item.saved)},
    "genres": lambda _, item: _genres(item),
    "mediasourcecount": Descriptions._media_source_count,
    "mediasources": Descriptions._media_sources,
    "overview": lambda _, item: {
        "Overview": getattr(item.title, "summary", "") or None
    },
    "parentid": Descriptions._parent_id,
    "path": lambda _, item: {"Path": path_of(item)},
    "providerids": lambda _, item: {"ProviderIds": dict(item.providers)},
    "recursiveitemcount": Descriptions._recursive_count,
    "sortname": lambda _, item: {"SortName": sort_name(item.title)},
    "studios": lambda _, item: _studios(item),
    "taglines": lambda _, item: {
        "Taglines": [tag] if (tag := getattr(item.title, "tagline", "")) else []
    },
}
_NEVER = "0001-01-01T00:00:00.0000000Z"


def _genres(item: Item) -> dict[str, Any]:
    genres: Iterable[str] = getattr(item.title, "genres", ())
    return {
        "Genres": list(genres),
        "GenreItems": [
            {"Name": genre, "Id": stable_hex("genre", genre)} for genre in genres
        ],
    }


def _studios(item: Item) -> dict[str, Any]:
    match item.title:
        case Movie(studio=name) | Show(network=name):
            return {"Studios": [{"Name": name, "Id": stable_hex("studio", name)}]}
        case _:
            return {"Studios": []}


def path_of(item: Item) -> str:
    """Return where the files of an item are."""
    version = f" - {item.version_name}" if item.version_name else ""
    match item.title:
        case View(folder=folder):
            return folder
        case Movie(title=title, year=year):
            folder = _file_name(f"{title} ({year})")
            return f"/media/movies/{folder}/{folder}{version}.mkv"
        case Show() | Season() as folder:
            return path_of_folder(folder)
        case Episode(show=show, season=season, number=number):
            folder = path_of_folder(item.folder or Season(show, season))
            name = _file_name(f"{show.title} - S{season:02d}E{number:02d}")
            return f"{folder}/{name}{version}.mkv"
        case Artist(title=title):
            return f"/media/music/{_file_name(title)}"
        case Album(artist=artist, title=title):
            return f"/media/music/{_file_name(artist)}/{_file_name(title)}"
        case Track(album=album, number=number, title=title):
            folder = f"{_file_name(album.artist)}/{_file_name(album.title)}"
            return f"/media/music/{folder}/{number:02d} {_file_name(title)}.flac"
        case Clip(title=title):
            return f"/media/movies/{_file_name(title)}-trailer.mkv"


def name_of(item: Item) -> str:
    """Return the name of an item; a version that nothing is known of has its file's."""
    if item.version_name and not item.has_ids:
        return PurePosixPath(path_of(item)).stem
    return item.title.title


def path_of_folder(title: Show | Season) -> str:
    """Return where the episodes of a show or of a season are."""
    if isinstance(title, Season):
        return f"{path_of_folder(title.show)}/Season {title.number:02d}"
    return f"/media/shows/{_file_name(f'{title.title} ({title.year})')}"


def _file_name(text: str) -> str:
    return text.replace("/", "_").replace('"', "").replace("<", "").replace(">", "")


def _policy(account: Account) -> dict[str, Any]:
    """Return the rights of a user."""
    administrator = account.administrator
    return {
        "IsAdministrator": administrator,
        "IsHidden": account.hidden,
        "EnableCollectionManagement": False,
        "EnableSubtitleManagement": False,
        "EnableLyricManagement": False,
        "IsDisabled": account.disabled,
        "BlockedTags": [],
        "AllowedTags": [],
        "EnableUserPreferenceAccess": account.has_preferences,
        "AccessSchedules": [],
        "BlockUnratedItems": [],
        "EnableRemoteControlOfOtherUsers": administrator,
        "EnableSharedDeviceControl": True,
        "EnableRemoteAccess": True,
        "EnableLiveTvManagement": administrator,
        "EnableLiveTvAccess": True,
        "EnableMediaPlayback": True,
        "EnableAudioPlaybackTranscoding": True,
        "EnableVideoPlaybackTranscoding": True,
        "EnablePlaybackRemuxing": True,
        "ForceRemoteSourceTranscoding": False,
        "EnableContentDeletion": administrator,
        "EnableContentDeletionFromFolders": [],
        "EnableContentDownloading": True,
        "EnableSyncTranscoding": True,
        "EnableMediaConversion": True,
        "EnabledDevices": [],
        "EnableAllDevices": True,
        "EnabledChannels": [],
        "EnableAllChannels": True,
        "EnabledFolders": [],
        "EnableAllFolders": True,
        "InvalidLoginAttemptCount": account.failed_attempts,
        "LoginAttemptsBeforeLockout": account.attempts or -1,
        "MaxActiveSessions": 0,
        "EnablePublicSharing": True,
        "BlockedMediaFolders": [],
        "BlockedChannels": [],
        "RemoteClientBitrateLimit": 0,
        "AuthenticationProviderId": (
            "Jellyfin.Server.Implementations.Users.DefaultAuthenticationProvider"
        ),
        "PasswordResetProviderId": (
            "Jellyfin.Server.Implementations.Users.DefaultPasswordResetProvider"
        ),
        "SyncPlayAccess": "CreateAndJoinGroups",
    }
