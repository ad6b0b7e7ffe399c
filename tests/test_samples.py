"""Real webhooks, captured by others, checked against what a person makes of them.

They are not ours to give on: the environment variable MEDIA_SCROBBLER_SAMPLES names the
folder that holds them. Without it there is nothing to test.
"""

from dataclasses import dataclass
import json
import os
from pathlib import Path
import re

import pytest

from custom_components.media_scrobbler.domain.body import decode
from custom_components.media_scrobbler.domain.event import MediaEvent, Party
from custom_components.media_scrobbler.domain.fields import PayloadError
from custom_components.media_scrobbler.domain.title import Ids, Title
from custom_components.media_scrobbler.jellyfin.payload import parse as parse_jellyfin
from custom_components.media_scrobbler.plex.payload import parse as parse_plex

FOLDER = os.environ.get("MEDIA_SCROBBLER_SAMPLES")

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="MEDIA_SCROBBLER_SAMPLES does not name a folder"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A title: its kind and label, and what else is known of it.

    `items` says which of its own and its show's item ids are known.
    """

    kind: str
    label: str | None
    year: int | None = None
    ids: Ids | None = None
    show_ids: Ids | None = None
    items: str = ""
    duration: int | None = None
    album: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event: server and player by name, the account by id and name."""

    name: str
    server: str | None = None
    account: str | None = None
    player: str | None = None
    titles: tuple[Media, ...] = ()
    action: str | None = None
    position: float | None = None
    completed: bool = False
    watched_at: str | None = None
    rating: tuple[float | None] | None = None
    library: str | None = None
    server_event: str | None = None
    owned: bool | None = None
    ignored: str | None = None
    thumb: bool = False


ALICE = "02700c8344d542619b39319296c0d4c7|alice"
BOX, ROOM = 'Home "media" box', 'Living "Room" TV'
THEN = "2026-11-20T08:15:02.123458+00:00"
NO_METADATA = "the payload has no Metadata"
NO_ITEM_TYPE = 'the payload names no ItemType; is "Send all properties" ticked?'
NOT_BY_HAND = "only items marked by hand count among saved user data"
UNMARKED = "marked as unwatched; history keeps plays"

BLADE_RUNNER = Media(
    kind="movie",
    label="Blade Runner 2049 (2017)",
    year=2017,
    ids={"tmdb": 335984, "imdb": "tt1856101"},
    items="own",
    duration=9804,
)
BIG_TROUBLE = Media(
    kind="movie",
    label="Big Trouble in Little China (1986)",
    year=1986,
    ids={
        "plex": "plex://movie/5d7768313c3c2a001fbcd1f0",
        "imdb": "tt0090728",
        "tmdb": 6978,
        "tvdb": 1876,
    },
    items="own",
    duration=5940,
)
PILOT = Media(
    kind="episode",
    label="Breaking Bad - S01E01 - Pilot",
    ids={"tvdb": 349232, "imdb": "tt0959621", "tmdb": 62085},
    items="own show",
    duration=3490,
)
PILOT_AND_SHOW = Media(
    kind="episode",
    label="Breaking Bad - S01E01 - Pilot",
    ids={"tvdb": 349232, "imdb": "tt0959621", "tmdb": 62085},
    show_ids={"tvdb": 81189, "imdb": "tt0903747", "tmdb": 1396},
    items="own show",
    duration=3490,
)
EXPLORERS = Media(
    kind="episode",
    label="Bluey - S03E15 - Explorers",
    ids={
        "plex": "plex://episode/61a7767ce791a9a4411afd38",
        "imdb": "tt15551010",
        "tmdb": 3366778,
        "tvdb": 8858893,
    },
    show_ids={"plex": "plex://show/5d9c090e705e7a001e6e94d8"},
    items="own show",
    duration=420,
)
EMMERDALE = Media(
    kind="episode",
    label="Emmerdale - S52E57 - Wednesday 22nd March 2023",
    ids={"plex": "plex://episode/64161e6eaa8dcba1fc8dbbe2", "tvdb": 9677205},
    show_ids={"plex": "plex://show/5d9c0876ec357c001f9ad189"},
)
SPIDER_VERSE = Media(
    kind="movie",
    label="蜘蛛侠：纵横宇宙 (2023)",
    year=2023,
    ids={"tmdb": 569094, "imdb": "tt9362722"},
    items="own",
    duration=8044,
)
CAPTAIN_MARVEL = Media(
    kind="movie",
    label="Captain Marvel (2019)",
    year=2019,
    ids={"imdb": "tt4154664"},
    items="own",
    duration=7380,
)
NICHIJOU = Media(
    kind="episode",
    label="日常 - S01E01 - 日常的第一话",
    ids={"tvdb": 3905081, "imdb": "tt2102480"},
    items="own show",
)
CHERUB_ROCK = Media(
    kind="track",
    label="The Smashing Pumpkins - Cherub Rock",
    ids={"musicbrainz": "3c2c1f40-b22e-360e-a29a-1b1610190a8c"},
    items="own",
    duration=180,
    album="Siamese Dream",
)

# What each sample means, or why it is refused.
EXPECTED: dict[str, Event | str] = {
    "emby/PlaybackStart.Movie.handmade__01.json": Event(
        name="PlaybackStart",
        account="|test_user",
        titles=(Media(kind="movie", label="Film"),),
        action="play",
    ),
    "emby/item.added.Episode.handmade__01.json": Event(
        name="item.added",
        account="|test_user",
        titles=(Media(kind="episode", label="Test - S01E01"),),
        library="added",
    ),
    "emby/item.markplayed.Episode.handmade__01.json": Event(
        name="item.markplayed",
        titles=(Media(kind="episode", label=None),),
        completed=True,
    ),
    "emby/item.markplayed.Episode.handmade__02.json": Event(
        name="item.markplayed",
        account="e8d9b2367d6c15b360c8edabdc9c01fd|",
        titles=(Media(kind="episode", label="S - S01E01"),),
        completed=True,
    ),
    "emby/item.markplayed.Episode.handmade__04.json": Event(
        name="item.markplayed",
        account="|test_user",
        titles=(Media(kind="episode", label="测试番剧 - S02E10"),),
        completed=True,
    ),
    "emby/item.markplayed.Episode.handmade__05.json": Event(
        name="item.markplayed",
        account="|test_user",
        titles=(Media(kind="episode", label="某动画 - S01E03"),),
        completed=True,
    ),
    "emby/item.markplayed.Episode.handmade__06.json": Event(
        name="item.markplayed",
        account="|test_user",
        titles=(Media(kind="episode", label="测试番剧 - S01E01"),),
        completed=True,
    ),
    "emby/item.markplayed.Episode.real__01.json": Event(
        name="item.markplayed",
        server="DESKTOP-S7DTKJP",
        account="40e0c90ec8f208358bdbd9e95c238894|embyuser-64c2",
        titles=(
            Media(
                kind="episode",
                label="16bit的感动 ANOTHER LAYER - S01E04 - いいんだよ！",
                ids={"tvdb": 10016505, "imdb": "tt29594122"},
                items="own show",
            ),
        ),
        completed=True,
        watched_at="2023-11-02T08:19:49.968094+00:00",
    ),
    "emby/item.markplayed.Movie.handmade__01.json": Event(
        name="item.markplayed",
        account="|test_user",
        titles=(Media(kind="movie", label="剧场版 Y"),),
        completed=True,
    ),
    "emby/item.markplayed.Movie.handmade__03.json": Event(
        name="item.markplayed",
        account="|test_user",
        titles=(Media(kind="movie", label="剧场版 X"),),
        completed=True,
    ),
    "emby/item.markplayed.Movie.handmade__04.json": Event(
        name="item.markplayed",
        titles=(Media(kind="movie", label=None, ids={"imdb": "tt123", "tmdb": 123}),),
        completed=True,
    ),
    "emby/item.markplayed.noitem.handmade__01.json": "Item.Type is missing",
    "emby/library.new.Episode.real__01.json": Event(
        name="library.new",
        server="DESKTOP-S7DTKJP",
        titles=(Media(kind="episode", label="日常 (2011) - S01E01", items="own show"),),
        library="added",
    ),
    "emby/library.new.Movie.real__01.json": Event(
        name="library.new",
        server="DESKTOP-S7DTKJP",
        titles=(Media(kind="movie", label="铃芽之旅", items="own"),),
        library="added",
    ),
    "emby/library.new.noitem.handmade__02.json": "Item.Type is missing",
    "emby/playback.start.Episode.handmade__01.json": Event(
        name="playback.start",
        account="|arne",
        titles=(
            Media(
                kind="episode",
                label="Entourage - S03E01 - Aquamom",
                ids={"tmdb": 1081099},
            ),
        ),
        action="play",
    ),
    "emby/playback.start.Episode.real__02.json": Event(
        name="playback.start",
        server="DESKTOP-S7DTKJP",
        account="40e0c90ec8f208358bdbd9e95c238894|embyuser-64c2",
        player="Google Chrome Windows",
        titles=(NICHIJOU,),
        action="play",
        position=0.0,
        watched_at="2023-10-31T07:49:55.904413+00:00",
    ),
    "emby/playback.start.Episode.real__03.json": Event(
        name="playback.start",
        server="PN41",
        account="984e3654b64e6f72589c245d891ef39d|embyuser-90d5",
        player="Microsoft Edge Windows",
        titles=(
            Media(
                kind="episode",
                label="长风渡 - S01E11 - 第 11 集",
                ids={"tmdb": 4533239},
                items="own show",
                duration=2802,
            ),
        ),
        action="play",
        position=1425.666355,
        watched_at="2023-08-19T00:52:20.520005+00:00",
    ),
    "emby/playback.start.Movie.handmade__01.json": Event(
        name="playback.start",
        account="|test_user",
        titles=(Media(kind="movie", label="Film"),),
        action="play",
    ),
    "emby/playback.start.Movie.handmade__02.json": Event(
        name="playback.start",
        account="|test_user",
        titles=(Media(kind="movie", label="剧场版 Z"),),
        action="play",
    ),
    "emby/playback.start.Movie.handmade__03.json": Event(
        name="playback.start",
        titles=(Media(kind="movie", label="Inception"),),
        action="play",
    ),
    "emby/playback.start.Movie.real__02.json": Event(
        name="playback.start",
        server="DESKTOP-S7DTKJP",
        account="40e0c90ec8f208358bdbd9e95c238894|embyuser-64c2",
        player="Google Chrome Windows",
        titles=(
            Media(
                kind="movie",
                label="铃芽之旅 (2022)",
                year=2022,
                ids={"tmdb": 916224, "imdb": "tt16428256", "tvdb": 331904},
                items="own",
            ),
        ),
        action="play",
        position=0.0,
        watched_at="2023-11-01T05:57:28.278308+00:00",
    ),
    "emby/playback.stop.Episode.handmade__02.json": Event(
        name="playback.stop",
        account="e8d9b2367d6c15b360c8edabdc9c01fd|",
        titles=(Media(kind="episode", label="S - S01E02"),),
        action="stop",
    ),
    "emby/playback.stop.Episode.handmade__05.json": Event(
        name="playback.stop", titles=(Media(kind="episode", label="Ep"),), action="stop"
    ),
    "emby/playback.stop.Episode.real__01.json": Event(
        name="playback.stop",
        server="DESKTOP-S7DTKJP",
        account="40e0c90ec8f208358bdbd9e95c238894|embyuser-64c2",
        player="Google Chrome Windows",
        titles=(NICHIJOU,),
        action="stop",
        position=0.0,
        watched_at="2023-10-31T07:51:30.923880+00:00",
    ),
    "emby/playback.stop.Episode.real__02.json": Event(
        name="playback.stop",
        server="DESKTOP-S7DTKJP",
        account="40e0c90ec8f208358bdbd9e95c238894|embyuser-64c2",
        player="Google Chrome Windows",
        titles=(
            Media(
                kind="episode",
                label="葬送的芙莉莲 - S01E01 - 冒険の終わり",
                ids={"tvdb": 9350138, "imdb": "tt23861604"},
                items="own show",
            ),
        ),
        action="stop",
        position=0.0,
        watched_at="2023-11-02T07:25:13.674099+00:00",
    ),
    "emby/playback.stop.Movie.real__01.json": Event(
        name="playback.stop",
        server="PN41",
        account="984e3654b64e6f72589c245d891ef39d|embyuser-90d5",
        player="Microsoft Edge Windows",
        titles=(SPIDER_VERSE,),
        action="stop",
        position=1743.179195,
        watched_at="2023-08-19T00:49:07.852346+00:00",
    ),
    "emby/playback.stop.Movie.real__02.json": Event(
        name="playback.stop",
        server="test-pc",
        account="afe90fa345f668e7b91b5a6dec1ec7c7|test",
        player="Firefox",
        titles=(
            Media(
                kind="movie",
                label="2 Fast 2 Furious (2003)",
                year=2003,
                ids={"tmdb": 584, "imdb": "tt0322259", "tvdb": 20800},
                items="own",
                duration=6456,
            ),
        ),
        action="stop",
        position=482.496541,
        watched_at="2023-05-07T15:29:57.513192+00:00",
    ),
    "emby/system.notificationtest.noitem.handmade__01.json": Event(
        name="system.notificationtest", server_event="notification_test"
    ),
    "emby/system.serverrestartrequired.noitem.real__01.json": Event(
        name="system.serverrestartrequired",
        server="DESKTOP-S7DTKJP",
        server_event="pending_restart",
    ),
    "jellyfin_shemanaev/ItemAdded.Movie.derived__01.json": Event(
        name="ItemAdded", server="Home", titles=(BLADE_RUNNER,), library="added"
    ),
    "jellyfin_shemanaev/MarkPlayed.Episode.derived__01.json": Event(
        name="MarkPlayed",
        server="Home",
        account=ALICE,
        titles=(PILOT_AND_SHOW,),
        completed=True,
    ),
    "jellyfin_shemanaev/Pause.Movie.derived__01.json": Event(
        name="Pause",
        server="Home",
        account=ALICE,
        player="TV",
        titles=(BLADE_RUNNER,),
        action="pause",
        position=3500.0,
    ),
    "jellyfin_shemanaev/Play.Audio.derived__01.json": Event(
        name="Play",
        server="Home",
        account=ALICE,
        player="TV",
        titles=(CHERUB_ROCK,),
        action="play",
        position=3500.0,
    ),
    "jellyfin_shemanaev/Play.Episode.derived__01.json": Event(
        name="Play",
        server="Home",
        account=ALICE,
        player="TV",
        titles=(PILOT_AND_SHOW,),
        action="play",
        position=3500.0,
    ),
    "jellyfin_shemanaev/Play.Movie.derived__01.json": Event(
        name="Play",
        server="Home",
        account=ALICE,
        player="TV",
        titles=(BLADE_RUNNER,),
        action="play",
        position=3500.0,
    ),
    "jellyfin_shemanaev/Progress.Movie.derived__01.json": Event(
        name="Progress",
        server="Home",
        account=ALICE,
        player="TV",
        titles=(BLADE_RUNNER,),
        action="progress",
        position=3500.0,
    ),
    "jellyfin_shemanaev/Resume.Movie.derived__01.json": Event(
        name="Resume",
        server="Home",
        account=ALICE,
        player="TV",
        titles=(BLADE_RUNNER,),
        action="resume",
        position=3500.0,
    ),
    "jellyfin_shemanaev/SessionEnded.noitem.derived__01.json": Event(
        name="SessionEnded",
        server="Home",
        account=ALICE,
        player="TV",
        server_event="session_end",
    ),
    "jellyfin_shemanaev/SessionStarted.noitem.derived__01.json": Event(
        name="SessionStarted",
        server="Home",
        account=ALICE,
        player="TV",
        server_event="session_start",
    ),
    "jellyfin_shemanaev/Stop.Audio.derived__01.json": Event(
        name="Stop",
        server="Home",
        account=ALICE,
        player="TV",
        titles=(CHERUB_ROCK,),
        action="stop",
        position=3500.0,
    ),
    "jellyfin_webhook/AuthenticationFailure.derived__01.json": Event(
        name="AuthenticationFailure",
        server=BOX,
        account="|alice",
        player="Firefox",
        server_event="authentication_failure",
    ),
    "jellyfin_webhook/ItemAdded.Episode.derived__01.json": Event(
        name="ItemAdded", server=BOX, titles=(PILOT,), library="added"
    ),
    "jellyfin_webhook/ItemAdded.Movie.derived__01.json": Event(
        name="ItemAdded", server=BOX, titles=(BLADE_RUNNER,), library="added"
    ),
    "jellyfin_webhook/ItemAdded.MusicAlbum.derived__01.json": Event(
        name="ItemAdded",
        server=BOX,
        titles=(
            Media(
                kind="album",
                label="The Weather Station - Ignorance",
                year=2021,
                ids={"musicbrainz": "7c10f8a5-669f-4ff6-bb88-de59846c0e0c"},
                items="own",
            ),
        ),
        library="added",
    ),
    "jellyfin_webhook/ItemAdded.Series.derived__01.json": Event(
        name="ItemAdded",
        server=BOX,
        titles=(
            Media(
                kind="show",
                label="Breaking Bad (2008)",
                year=2008,
                ids={"tvdb": 81189, "imdb": "tt0903747", "tmdb": 1396, "tvrage": 18164},
                items="own",
            ),
        ),
        library="added",
    ),
    "jellyfin_webhook/ItemAdded.noitem.handmade__01.json": NO_ITEM_TYPE,
    "jellyfin_webhook/ItemDeleted.Episode.derived__01.json": Event(
        name="ItemDeleted", server=BOX, titles=(PILOT,), library="removed"
    ),
    "jellyfin_webhook/ItemDeleted.Movie.derived__01.json": Event(
        name="ItemDeleted", server=BOX, titles=(BLADE_RUNNER,), library="removed"
    ),
    "jellyfin_webhook/MarkPlayed.Episode.handmade__01.json": Event(
        name="MarkPlayed", ignored="events of this name are not used"
    ),
    "jellyfin_webhook/MarkPlayed.noitem.handmade__01.json": Event(
        name="MarkPlayed",
        titles=(
            Media(kind="episode", label="E01 - Ep 1-2"),
            Media(kind="episode", label="E02 - Ep 1-2"),
        ),
        completed=True,
    ),
    "jellyfin_webhook/PendingRestart.derived__01.json": Event(
        name="PendingRestart", server=BOX, server_event="pending_restart"
    ),
    "jellyfin_webhook/PlaybackProgress.Audio.real__01.json": Event(
        name="PlaybackProgress",
        server="maine",
        account="e0f37e0286b5cf01c1ded797d12e0f89|jfuser-da9d",
        player="samsung SM-S901E",
        titles=(
            Media(
                kind="track",
                label="Kitsune² - Brother Madonna",
                ids={"musicbrainz": "3c2c1f40-b22e-360e-a29a-1b1610190a8c"},
                items="own",
                duration=93,
                album="I Kind of Really Want to Make Love to You",
            ),
        ),
        action="progress",
        position=64.0,
        watched_at="2023-09-26T14:18:17.839953+00:00",
    ),
    "jellyfin_webhook/PlaybackStart.Episode.handmade__03.json": Event(
        name="PlaybackStart", titles=(Media(kind="episode", label=None),), action="play"
    ),
    "jellyfin_webhook/PlaybackStart.Episode.real__01.json": Event(
        name="PlaybackStart",
        server="nyanmisaka-jellyfin1",
        account="9783d2432b0d40a8a716b6aa46xxxxx|jfuser-2ab8",
        player="Edge Chromium",
        titles=(
            Media(
                kind="episode",
                label="灼灼风流 - S01E01 - 慕灼华逃婚离开",
                ids={"tmdb": 229210},
                items="own",
                duration=2707,
            ),
        ),
        action="play",
        position=0.1,
        watched_at="2023-09-10T08:35:25.399652+00:00",
    ),
    "jellyfin_webhook/PlaybackStart.Video.derived__01.json": Event(
        name="PlaybackStart",
        server=BOX,
        account=ALICE,
        player=ROOM,
        ignored="items of type Video are not recorded",
    ),
    "jellyfin_webhook/PlaybackStart.noitem.handmade__01.json": NO_ITEM_TYPE,
    "jellyfin_webhook/PlaybackStart.noitem.handmade__03.json": NO_ITEM_TYPE,
    "jellyfin_webhook/PlaybackStart.noitem.handmade__04.json": NO_ITEM_TYPE,
    "jellyfin_webhook/PlaybackStop.Audio.long-partial.derived__01.json": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(
            Media(
                kind="track",
                label='The Smashing Pumpkins - Cherub Rock "live"',
                ids={"musicbrainz": "3c2c1f40-b22e-360e-a29a-1b1610190a8c"},
                items="own",
                duration=600,
                album="Siamese Dream",
            ),
        ),
        action="stop",
        position=200.0,
        watched_at=THEN,
    ),
    "jellyfin_webhook/PlaybackStop.Audio.skipped-but-completed.derived__01.json": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(
            Media(
                kind="track",
                label='The Smashing Pumpkins - Cherub Rock "live"',
                ids={"musicbrainz": "3c2c1f40-b22e-360e-a29a-1b1610190a8c"},
                items="own",
                duration=180,
                album="Siamese Dream",
            ),
        ),
        action="stop",
        position=20.0,
        watched_at=THEN,
    ),
    "jellyfin_webhook/PlaybackStop.Episode.completed.derived__01.json": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(PILOT,),
        action="stop",
        position=3450.0,
        completed=True,
        watched_at=THEN,
    ),
    "jellyfin_webhook/PlaybackStop.Episode.handmade__03.json": Event(
        name="PlaybackStop", titles=(Media(kind="episode", label=None),), action="stop"
    ),
    "jellyfin_webhook/PlaybackStop.Episode.noids.derived__01.json": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(
            Media(
                kind="episode",
                label="Breaking Bad - S01E01 - Pilot",
                items="own show",
                duration=3490,
            ),
        ),
        action="stop",
        position=3450.0,
        completed=True,
        watched_at=THEN,
    ),
    "jellyfin_webhook/PlaybackStop.Movie.completed.derived__01.json": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(BLADE_RUNNER,),
        action="stop",
        position=9700.0,
        completed=True,
        watched_at=THEN,
    ),
    "jellyfin_webhook/PlaybackStop.Movie.handmade__01.json": Event(
        name="PlaybackStop",
        titles=(Media(kind="movie", label=None, ids={"imdb": "tt123", "tmdb": 123}),),
        action="stop",
        position=80.0,
    ),
    "jellyfin_webhook/PlaybackStop.Movie.noruntime.derived__01.json": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(
            Media(
                kind="movie",
                label="Blade Runner 2049 (2017)",
                year=2017,
                ids={"tmdb": 335984, "imdb": "tt1856101"},
                items="own",
            ),
        ),
        action="stop",
        position=500.0,
        watched_at=THEN,
    ),
    "jellyfin_webhook/PlaybackStop.Movie.partial.derived__01.json": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(BLADE_RUNNER,),
        action="stop",
        position=3000.0,
        watched_at=THEN,
    ),
    "jellyfin_webhook/PlaybackStop.Movie.real__01.json": Event(
        name="PlaybackStop",
        server="jf-pc",
        account="cab4371ad779d35100a383ff2f1bccc8|jfuser-7b4a",
        player="Firefox",
        titles=(
            Media(
                kind="movie",
                label="The Menu (2022)",
                year=2022,
                ids={"tmdb": 593643, "imdb": "tt9764362"},
                items="own",
                duration=6427,
            ),
        ),
        action="stop",
        position=454.922706,
        completed=True,
        watched_at="2023-01-04T06:36:12.853591+00:00",
    ),
    "jellyfin_webhook/PlaybackStop.Movie.template-yamtrack__01.json": Event(
        name="Stop",
        titles=(
            Media(
                kind="movie",
                label="Blade Runner 2049",
                ids={"tmdb": 335984, "imdb": "tt1856101"},
            ),
        ),
        action="stop",
        completed=True,
    ),
    "jellyfin_webhook/PlaybackStop.noitem.handmade__01.json": NO_ITEM_TYPE,
    "jellyfin_webhook/PlaybackStop.noitem.handmade__02.json": NO_ITEM_TYPE,
    "jellyfin_webhook/PlaybackStop.noitem.handmade__03.json": NO_ITEM_TYPE,
    "jellyfin_webhook/PlaybackStop.noitem.handmade__05.json": NO_ITEM_TYPE,
    "jellyfin_webhook/SessionStart.noitem.derived__01.json": Event(
        name="SessionStart",
        server=BOX,
        account=ALICE,
        player=ROOM,
        server_event="session_start",
    ),
    "jellyfin_webhook/SessionStart.nouser.derived__01.json": Event(
        name="SessionStart", server=BOX, player=ROOM, server_event="session_start"
    ),
    "jellyfin_webhook/TaskCompleted.derived__01.json": Event(
        name="TaskCompleted", server=BOX, ignored="events of this name are not used"
    ),
    "jellyfin_webhook/UserCreated.derived__01.json": Event(
        name="UserCreated", server=BOX, account=ALICE, server_event="user_created"
    ),
    "jellyfin_webhook/UserDataSaved.Audio.PlaybackStart.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserDataSaved.Episode.PlaybackFinished.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserDataSaved.Episode.PlaybackProgress-played.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserDataSaved.Episode.PlaybackProgress.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserDataSaved.Episode.handmade__01.json": Event(
        name="UserDataSaved",
        titles=(
            Media(
                kind="episode", label="Some Show - S01E01 - Pilot", ids={"tmdb": 999}
            ),
        ),
        completed=True,
    ),
    "jellyfin_webhook/UserDataSaved.Episode.real__01.json": Event(
        name="UserDataSaved",
        server="jfuser-eada",
        account="c263d3fc4bf40ca85caf95cbb585922f|jfuser-eada",
        ignored=UNMARKED,
    ),
    "jellyfin_webhook/UserDataSaved.Episode.template-strings__01.json": Event(
        name="UserDataSaved",
        titles=(Media(kind="episode", label="Future Diary - E01"),),
        completed=True,
    ),
    "jellyfin_webhook/UserDataSaved.Movie.Import.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserDataSaved.Movie.PlaybackFinished-partial.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserDataSaved.Movie.PlaybackStart-1011.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserDataSaved.Movie.PlaybackStart-120.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserDataSaved.Movie.TogglePlayed-off.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=UNMARKED
    ),
    "jellyfin_webhook/UserDataSaved.Movie.TogglePlayed-on.derived__01.json": Event(
        name="UserDataSaved",
        server=BOX,
        account=ALICE,
        titles=(BLADE_RUNNER,),
        completed=True,
        watched_at=THEN,
    ),
    "jellyfin_webhook/UserDataSaved.Movie.UpdateUserRating-favourite.derived__01.json": Event(
        name="UserDataSaved", server=BOX, account=ALICE, ignored=NOT_BY_HAND
    ),
    "jellyfin_webhook/UserLockedOut.derived__01.json": Event(
        name="UserLockedOut", server=BOX, account=ALICE, server_event="user_locked_out"
    ),
    "jellyfin_webhook/UserPasswordChanged.derived__01.json": Event(
        name="UserPasswordChanged",
        server=BOX,
        account=ALICE,
        server_event="user_password_changed",
    ),
    "jellyfin_webhook/UserUpdated.derived__01.json": Event(
        name="UserUpdated", server=BOX, account=ALICE, server_event="user_updated"
    ),
    "jellyfin_webhook/_plugin_configuration_empty.json": "the payload names neither NotificationType nor Event; is this a Jellyfin or Emby webhook?",
    "jellyfin_webhook/_plugin_configuration_generic.json": "the payload names neither NotificationType nor Event; is this a Jellyfin or Emby webhook?",
    "plex/admin.database.backup.nometadata.derived__01.json": Event(
        name="admin.database.backup",
        server="Office",
        account="1|elan",
        server_event="database_backup",
        owned=True,
    ),
    "plex/admin.database.backup.nometadata.noguid.handmade__02.json": Event(
        name="admin.database.backup", server_event="database_backup"
    ),
    "plex/admin.database.corrupted.nometadata.noguid.handmade__01.json": Event(
        name="admin.database.corrupted", server_event="database_corrupted"
    ),
    "plex/device.new.nometadata.derived__01.json": Event(
        name="device.new",
        server="Office",
        account="1|elan",
        player="Chrome",
        server_event="device_new",
        owned=True,
    ),
    "plex/device.new.nometadata.noguid.handmade__02.json": Event(
        name="device.new", server_event="device_new"
    ),
    "plex/library.new.album.local.real__01.json": Event(
        name="library.new",
        server="PMS-6dab",
        account="1|plexuser-9e01",
        titles=(
            Media(
                kind="album",
                label="Tom Waits - Grave Diggers: Tom Waits",
                year=2022,
                items="own",
            ),
        ),
        library="added",
        owned=True,
    ),
    "plex/library.new.movie.derived__01.json": Event(
        name="library.new",
        server="Office",
        account="1|elan",
        titles=(BIG_TROUBLE,),
        library="added",
        owned=True,
    ),
    "plex/library.new.nometadata.noguid.handmade__01.json": Event(
        name="library.new", ignored="Metadata does not name a type"
    ),
    "plex/library.new.nometadata.noguid.handmade__02.json": NO_METADATA,
    "plex/library.new.show.thetvdb.real__01.json": Event(
        name="library.new",
        server="PMS-6dab",
        account="1|plexuser-9e01",
        titles=(
            Media(
                kind="show",
                label="Wave, Listen to Me! (2020)",
                year=2020,
                ids={"tvdb": 371040},
                items="own",
                duration=1500,
            ),
        ),
        library="added",
        owned=True,
    ),
    "plex/library.on.deck.episode.derived__01.json": Event(
        name="library.on.deck",
        server="Office",
        account="1|elan",
        owned=True,
        ignored="an item on deck is not new media",
    ),
    "plex/library.on.deck.nometadata.noguid.handmade__01.json": Event(
        name="library.on.deck", ignored="an item on deck is not new media"
    ),
    "plex/media.pause.episode.none.real-truncated__01.json": Event(
        name="media.pause",
        server="server",
        account="1|plexuser-0cdd",
        player="Firefox",
        titles=(
            Media(
                kind="episode",
                label="S2026E41103 - 2026-04-11 - Extended Highlights: Race",
                items="own show",
            ),
        ),
        action="pause",
        owned=True,
    ),
    "plex/media.pause.episode.plex.real__01.json": Event(
        name="media.pause",
        server="PMS-6dab",
        account="60531289|plexuser-6f58",
        player="Player-620e",
        titles=(
            Media(
                kind="episode",
                label="Bob's Burgers - S09E15 - The Fresh Princ-ipal",
                ids={
                    "plex": "plex://episode/5de8dbdf18b6d6001db44001",
                    "imdb": "tt9413736",
                    "tmdb": 1707381,
                    "tvdb": 7047159,
                },
                show_ids={"plex": "plex://show/5d9c0855ffd9ef001e991de0"},
                items="own show",
                duration=1320,
            ),
        ),
        action="pause",
        position=622.0,
        owned=True,
    ),
    "plex/media.pause.episode.plex.real__02.json": Event(
        name="media.pause",
        server="PMS-17b1",
        account="1|user",
        player="Chrome",
        titles=(
            Media(
                kind="episode",
                label="Overlord - S03E01 - La mélancolie du souverain",
                ids={
                    "plex": "plex://episode/5d9c0d88e264b7001fc713cc",
                    "imdb": "tt8237188",
                    "tmdb": 1515779,
                    "tvdb": 6632216,
                },
                show_ids={"plex": "plex://show/5d9c080def619b002047c6f0"},
                items="own show",
                duration=1440,
            ),
        ),
        action="pause",
        position=115.0,
        owned=True,
    ),
    "plex/media.pause.episode.thetvdb.real__02.json": Event(
        name="media.pause",
        server="PMS-69f9",
        account="1|testyboi",
        player="Chrome",
        titles=(
            Media(
                kind="episode",
                label="Futurama - S02E15 - A Clone of My Own",
                show_ids={"tvdb": 73871},
                items="own show",
            ),
        ),
        action="pause",
        position=1127.0,
        owned=True,
    ),
    "plex/media.pause.nometadata.noguid.handmade__01.json": NO_METADATA,
    "plex/media.pause.nometadata.noguid.handmade__02.json": NO_METADATA,
    "plex/media.play.episode.livetv.derived__01.json": Event(
        name="media.play",
        server="Office",
        account="1|elan",
        player="Plex for Android (TV)",
        owned=True,
        ignored="live TV is not recorded",
    ),
    "plex/media.play.episode.noguid.handmade__01.json": Event(
        name="media.play",
        account="|test_user",
        titles=(Media(kind="episode", label="Test Series - S01E05 - Test Show"),),
        action="play",
    ),
    "plex/media.play.episode.thetvdb.real-truncated__01.json": Event(
        name="media.play",
        server="PLEXSERVER",
        account="1|plex@myserver",
        player="Firefox",
        titles=(
            Media(
                kind="episode",
                label="S01E03",
                show_ids={"tvdb": 315122},
                items="own show",
            ),
        ),
        action="play",
        owned=True,
    ),
    "plex/media.play.movie.imdb.real-reserialised__01.json": Event(
        name="media.play",
        server="PMS-087e",
        account="1|plexuser-daee",
        player="Chrome",
        titles=(
            Media(
                kind="movie",
                label="Men in Black: International (2019)",
                year=2019,
                ids={"imdb": "tt2283336"},
                items="own",
                duration=6900,
            ),
        ),
        action="play",
        position=4296.0,
        owned=True,
    ),
    "plex/media.play.movie.imdb.real__01.json": Event(
        name="media.play",
        server="PMS-6dab",
        account="1|plexuser-9e01",
        player="BRAVIA 4K GB",
        titles=(CAPTAIN_MARVEL,),
        action="play",
        owned=True,
    ),
    "plex/media.play.movie.noguid.handmade__02.json": Event(
        name="media.play",
        account="|test_user",
        titles=(Media(kind="movie", label="无日期剧场版"),),
        action="play",
    ),
    "plex/media.play.movie.noguid.handmade__03.json": Event(
        name="media.play",
        server="TestServer",
        account="1|TestUser",
        player="Plex Web",
        titles=(Media(kind="movie", label="Test Movie", items="own"),),
        action="play",
        owned=True,
    ),
    "plex/media.play.movie.none.real__01.json": Event(
        name="media.play",
        server="PMS-c17a",
        account="1|plexuser-8d73",
        player="Microsoft Edge",
        titles=(
            Media(kind="movie", label="002_home_video (2013)", year=2013, items="own"),
        ),
        action="play",
        owned=True,
    ),
    "plex/media.play.movie.none.real__02.json": Event(
        name="media.play",
        server="PMS-c17a",
        account="33385234|Plex User",
        player="Microsoft Edge",
        titles=(
            Media(
                kind="movie", label="Wedding Vignette (2012)", year=2012, items="own"
            ),
        ),
        action="play",
        owned=True,
    ),
    "plex/media.play.movie.none.real__03.json": Event(
        name="media.play",
        server="PMS-c17a",
        account="33385234|Plex User",
        player="Microsoft Edge",
        titles=(
            Media(
                kind="movie", label="Wedding Vignette (2012)", year=2012, items="own"
            ),
        ),
        action="play",
        owned=True,
    ),
    "plex/media.play.nometadata.noguid.handmade__01.json": NO_METADATA,
    "plex/media.play.nometadata.noguid.handmade__02.json": NO_METADATA,
    "plex/media.play.nometadata.noguid.handmade__04.json": Event(
        name="media.play",
        server="test-plex",
        account="1|plexuser-37fb",
        player="Apple TV",
        titles=(Media(kind="movie", label=None),),
        action="play",
        owned=False,
    ),
    "plex/media.play.nometadata.noguid.handmade__05.json": Event(
        name="media.play",
        server="test-plex",
        account="1|plexuser-37fb",
        player="Safari",
        titles=(Media(kind="episode", label=None),),
        action="play",
        owned=False,
    ),
    "plex/media.play.nometadata.noguid.handmade__06.json": Event(
        name="media.play",
        server="test-plex",
        account="1|plexuser-37fb",
        player="Roku",
        titles=(Media(kind="episode", label=None),),
        action="play",
        owned=False,
    ),
    "plex/media.play.nometadata.noguid.handmade__07.json": NO_METADATA,
    "plex/media.play.nometadata.noguid.handmade__08.json": NO_METADATA,
    "plex/media.play.nometadata.noguid.handmade__09.json": NO_METADATA,
    "plex/media.play.photo.local.real__01.json": Event(
        name="media.play",
        server="Office",
        account="1|username",
        player="Chrome",
        owned=True,
        ignored="photos are not recorded",
    ),
    "plex/media.play.track.plexmusic.doc__01.json": Event(
        name="media.play",
        server="Office",
        account="1|elan",
        player="Plex Web (Safari)",
        titles=(
            Media(
                kind="track",
                label="Stephen Stills - Love The One You're With",
                items="own",
                album="Stephen Stills",
            ),
        ),
        action="play",
        owned=True,
    ),
    "plex/media.play.track.plexmusic.doc__03.json": Event(
        name="media.play",
        server="Office",
        account="1|elan",
        player="Plex Web (Safari)",
        titles=(
            Media(
                kind="track",
                label="Stephen Stills - Love The One You''re With",
                items="own",
                album="Stephen Stills",
            ),
        ),
        action="play",
        owned=True,
    ),
    "plex/media.rate.episode.hama.real__01.json": Event(
        name="media.rate",
        server="test-server",
        account="1|TestUser",
        player="Chrome",
        titles=(
            Media(
                kind="episode",
                label="Tomo-chan wa Onnanoko! - S01E07 - Junichiro's Promise / When Tomo Puts On a Swimsuit...",
                show_ids={"anidb": 17494},
                items="own show",
            ),
        ),
        rating=(8.0,),
        owned=True,
    ),
    "plex/media.rate.movie.noguid.handmade__01.json": Event(
        name="media.rate",
        account="|plexuser-6d27",
        titles=(
            Media(
                kind="movie", label="Fight Club (1999)", year=1999, ids={"tmdb": 550}
            ),
        ),
        rating=(8.0,),
    ),
    "plex/media.rate.movie.noguid.handmade__03.json": Event(
        name="media.rate",
        account="|TestUser",
        titles=(Media(kind="movie", label="Your Name", ids={"tmdb": 372058}),),
        rating=(None,),
    ),
    "plex/media.rate.movie.plex.real__04.json": Event(
        name="media.rate",
        server="Office",
        account="1|username",
        player="Chrome",
        titles=(
            Media(
                kind="movie",
                label="The Harder They Fall (1956)",
                year=1956,
                ids={"plex": "plex://movie/5fc6912f1a65df002dd28ab7"},
                items="own",
                duration=8400,
            ),
        ),
        rating=(10.0,),
        owned=True,
    ),
    "plex/media.rate.movie.removed.derived__01.json": Event(
        name="media.rate",
        server="Office",
        account="1|elan",
        player="Plex for Android (TV)",
        titles=(BIG_TROUBLE,),
        rating=(None,),
        owned=True,
    ),
    "plex/media.rate.nometadata.noguid.handmade__01.json": NO_METADATA,
    "plex/media.rate.nometadata.noguid.handmade__02.json": NO_METADATA,
    "plex/media.rate.nometadata.noguid.handmade__04.json": NO_METADATA,
    "plex/media.resume.episode.plex.real__01.json": Event(
        name="media.resume",
        server="Office",
        player="Chrome",
        titles=(EXPLORERS,),
        action="resume",
        position=342.0,
        owned=True,
    ),
    "plex/media.resume.episode.plex.real__02.json": Event(
        name="media.resume",
        server="Office",
        player="Chrome",
        titles=(EXPLORERS,),
        action="resume",
        position=342.0,
        owned=True,
    ),
    "plex/media.resume.episode.plex.real__04.json": Event(
        name="media.resume",
        server="PMS-c1d1",
        account="1|plexuser-dfb5",
        player="Chrome",
        titles=(
            Media(
                kind="episode",
                label="Cops - S14E01 - Palm Beach County, FL 11",
                ids={"plex": "plex://episode/60341406ae8595002c187924", "tvdb": 445575},
                show_ids={"plex": "plex://show/5d9f40086fc551001ef8e688"},
                items="own show",
                duration=1500,
            ),
        ),
        action="resume",
        position=336.0,
        owned=True,
    ),
    "plex/media.resume.movie.plex.real-truncated__01.json": Event(
        name="media.resume",
        server="PMS-5119",
        account="1|plexuser-d479",
        player="Safari",
        titles=(
            Media(
                kind="movie",
                label=None,
                ids={"plex": "plex://movie/5d7770de6afb3d0020623c0b"},
                items="own",
            ),
        ),
        action="resume",
        owned=True,
    ),
    "plex/media.resume.nometadata.noguid.handmade__01.json": NO_METADATA,
    "plex/media.resume.nometadata.noguid.handmade__02.json": NO_METADATA,
    "plex/media.scrobble.episode.hama.handmade__01.json": Event(
        name="media.scrobble",
        account="|TestUser",
        titles=(
            Media(
                kind="episode",
                label="Test Anime - S01E01 - Episode 1",
                show_ids={"anidb": 12345},
            ),
        ),
        completed=True,
    ),
    "plex/media.scrobble.episode.hama.handmade__03.json": Event(
        name="media.scrobble",
        account="|TestUser",
        titles=(
            Media(
                kind="episode",
                label="Attack on Titan - S01E05 - Episode 5",
                show_ids={"anidb": 12345},
            ),
        ),
        completed=True,
    ),
    "plex/media.scrobble.episode.local-unmatched.derived__01.json": Event(
        name="media.scrobble",
        server="Office",
        account="1|elan",
        player="Plex for Android (TV)",
        titles=(
            Media(
                kind="episode",
                label="Bluey (2018) - S02E50 - Baby Race",
                items="own show",
                duration=420,
            ),
        ),
        completed=True,
        owned=True,
    ),
    "plex/media.scrobble.episode.net.fribbtastic.coding.plex.myanimelist.handmade__01.json": Event(
        name="media.scrobble",
        server="Test Server",
        account="1|TestUser",
        player="Chrome",
        titles=(
            Media(
                kind="episode",
                label="Code Geass - S01E10 - Episode 10",
                show_ids={"myanimelist": 1575},
            ),
        ),
        completed=True,
        owned=True,
    ),
    "plex/media.scrobble.episode.noguid.handmade__03.json": Event(
        name="media.scrobble",
        account="|test_user",
        titles=(Media(kind="episode", label="测试番剧 - S01E05"),),
        completed=True,
    ),
    "plex/media.scrobble.episode.noguid.handmade__04.json": Event(
        name="media.scrobble",
        account="|test_user",
        titles=(Media(kind="episode", label="测试番剧 - S01E01"),),
        completed=True,
    ),
    "plex/media.scrobble.episode.noguid.handmade__05.json": "Metadata.parentIndex is not a whole number",
    "plex/media.scrobble.episode.noguid.handmade__07.json": "Metadata.parentIndex is not a whole number",
    "plex/media.scrobble.episode.plex.imitation__01.json": Event(
        name="media.scrobble",
        account="|<PLEXUSERNAME>",
        titles=(
            Media(
                kind="episode",
                label="Van Helsing - S01E04 - Van Helsing - Coming Back",
                ids={
                    "plex": "plex://episode/5d9c0e13cb3ffa001f1c91a3",
                    "imdb": "tt5197820",
                    "tmdb": 65820,
                    "tvdb": 308772,
                },
            ),
        ),
        completed=True,
    ),
    "plex/media.scrobble.episode.plex.real__01.json": Event(
        name="media.scrobble",
        server="Media-Server",
        account="27330146|plexuser-ce76",
        player="MagicBook",
        titles=(
            Media(
                kind="episode",
                label="范马刃牙 - S01E01 - The World's Strongest Senior",
                ids={
                    "plex": "plex://episode/615580a9fa828e7f1a0caabd",
                    "imdb": "tt14765720",
                    "tmdb": 3087250,
                    "tvdb": 8530933,
                },
                show_ids={"plex": "plex://show/60e81fd8d8000e002d7d2976"},
                items="own show",
                duration=1500,
            ),
        ),
        completed=True,
        owned=True,
    ),
    "plex/media.scrobble.episode.plex.real__02.json": Event(
        name="media.scrobble",
        server="PMS-c17a",
        account="33385234|Plex User",
        player="Microsoft Edge",
        titles=(EMMERDALE,),
        completed=True,
        owned=True,
    ),
    "plex/media.scrobble.episode.specials-zero.derived__01.json": Event(
        name="media.scrobble",
        server="Office",
        account="1|elan",
        player="Plex for Android (TV)",
        titles=(
            Media(
                kind="episode",
                label="Bluey (2018) - S00E00 - Baby Race",
                ids={
                    "plex": "plex://episode/5fbdc9a1bd6a1c002deb79cc",
                    "imdb": "tt13429908",
                    "tmdb": 2499236,
                    "tvdb": 8031280,
                },
                show_ids={"plex": "plex://show/5d9c090e705e7a001e6e94d8"},
                items="own show",
                duration=420,
            ),
        ),
        completed=True,
        owned=True,
    ),
    "plex/media.scrobble.episode.thetvdb.handmade__01.json": Event(
        name="media.scrobble",
        account="1|TestUser",
        titles=(
            Media(kind="episode", label="Test - S01E01", show_ids={"tvdb": 12345}),
        ),
        completed=True,
        owned=True,
    ),
    "plex/media.scrobble.movie.noguid.handmade__01.json": Event(
        name="media.scrobble",
        account="|plexuser-6c73",
        titles=(Media(kind="movie", label="剧场版 XYZ"),),
        completed=True,
    ),
    "plex/media.scrobble.movie.plex.real__02.json": Event(
        name="media.scrobble",
        server="PMS-8f02",
        account="1|plexuser-2e2b",
        player="SHIELD Android TV",
        titles=(BIG_TROUBLE,),
        completed=True,
        owned=True,
    ),
    "plex/media.scrobble.movie.preroll.derived__01.json": Event(
        name="media.scrobble",
        server="Office",
        account="1|elan",
        player="Plex for Android (TV)",
        owned=True,
        ignored="trailers and pre-rolls are not recorded",
    ),
    "plex/media.scrobble.movie.tmdb-toplevel.derived__01.json": Event(
        name="media.scrobble",
        server="Office",
        account="1|elan",
        player="Plex for Android (TV)",
        titles=(
            Media(
                kind="movie",
                label="Big Trouble in Little China (1986)",
                year=1986,
                ids={"tmdb": 6978},
                items="own",
                duration=5940,
            ),
        ),
        completed=True,
        owned=True,
    ),
    "plex/media.scrobble.nometadata.noguid.handmade__03.json": NO_METADATA,
    "plex/media.stop.clip.extra.derived__01.json": Event(
        name="media.stop",
        server="Office",
        account="1|elan",
        player="Plex for Android (TV)",
        owned=True,
        ignored="trailers, extras and clips are not recorded",
    ),
    "plex/media.stop.episode.plex.real__01.json": Event(
        name="media.stop",
        server="PMS-c17a",
        account="33385234|Plex User",
        player="Microsoft Edge",
        titles=(EMMERDALE,),
        action="stop",
        owned=True,
    ),
    "plex/media.stop.episode.plex.real__02.json": Event(
        name="media.stop",
        server="PMS-c17a",
        account="33385234|Plex User",
        player="Microsoft Edge",
        titles=(
            Media(
                kind="episode",
                label="Emmerdale - S52E58 - Thursday 23rd March 2023",
                ids={
                    "plex": "plex://episode/64161e6faa8dcba1fc8dbbe3",
                    "tvdb": 9677206,
                },
                show_ids={"plex": "plex://show/5d9c0876ec357c001f9ad189"},
                items="own show",
            ),
        ),
        action="stop",
        owned=True,
    ),
    "plex/media.stop.movie.imdb.real__01.json": Event(
        name="media.stop",
        server="PMS-0051",
        account="1|testyboi",
        player="Chrome",
        titles=(
            Media(
                kind="movie",
                label="Barry Lyndon (1975)",
                year=1975,
                ids={"imdb": "tt0072684"},
                items="own",
                duration=11040,
            ),
        ),
        action="stop",
        owned=True,
    ),
    "plex/media.stop.movie.noguid.real-trimmed__01.json": Event(
        name="media.stop",
        server="Office",
        account="1|username",
        player="Chrome",
        titles=(Media(kind="movie", label="EVO (2017)", year=2017, items="own"),),
        action="stop",
        owned=True,
    ),
    "plex/media.stop.movie.plex.real-truncated__01.json": Event(
        name="media.stop",
        server="server_name",
        account="1|account_name",
        player="Firefox",
        titles=(
            Media(
                kind="movie",
                label="Hundreds of Beavers (2024)",
                year=2024,
                ids={"plex": "plex://movie/5f40df761ae7100041231136"},
                items="own",
                duration=6480,
            ),
        ),
        action="stop",
        owned=True,
    ),
    "plex/media.stop.movie.plex.real__01.json": Event(
        name="media.stop",
        server="Vod",
        account="4986141|username",
        player="Plex Web (Chrome)",
        titles=(
            Media(
                kind="movie",
                label="Chinatown (1974)",
                year=1974,
                ids={"plex": "plex://movie/5d7768273c3c2a001fbcb51b"},
                items="own",
                duration=7830,
            ),
        ),
        action="stop",
        position=0.0,
        owned=False,
    ),
    "plex/media.stop.nometadata.noguid.handmade__01.json": NO_METADATA,
    "plex/media.stop.nometadata.noguid.handmade__02.json": NO_METADATA,
    "plex/media.stop.track.plexmusic.doc__01.json": Event(
        name="media.stop",
        server="Office",
        account="1|elan",
        player="Plex Web (Safari)",
        titles=(
            Media(
                kind="track",
                label="Stephen Stills - Love The One You''re With",
                items="own",
                album="Stephen Stills",
            ),
        ),
        action="stop",
        owned=True,
    ),
    "plex/media.stop.track.plexmusic.real__01.json": Event(
        name="media.stop",
        server="PMS-2657",
        account="813278009|plexuser-ecd5",
        player="Living Room TV",
        titles=(
            Media(
                kind="track",
                label="Taylor Swift - You Belong With Me",
                items="own",
                album="Fearless",
            ),
        ),
        action="stop",
        owned=True,
    ),
    "plex/media.stop.track.plexmusic.real__02.json": Event(
        name="media.stop",
        server="PMS-2657",
        account="813278009|plexuser-ecd5",
        player="Living Room TV",
        titles=(
            Media(
                kind="track",
                label="Taylor Swift - You Belong With Me",
                items="own",
                album="Fearless",
            ),
        ),
        action="stop",
        owned=True,
    ),
    "plex/playback.started.episode.derived__01.json": Event(
        name="playback.started",
        server="Office",
        account="31646104|shared-user",
        player="Plex for Android (TV)",
        titles=(
            Media(
                kind="episode",
                label="Bluey (2018) - S02E50 - Baby Race",
                ids={
                    "plex": "plex://episode/5fbdc9a1bd6a1c002deb79cc",
                    "imdb": "tt13429908",
                    "tmdb": 2499236,
                    "tvdb": 8031280,
                },
                show_ids={"plex": "plex://show/5d9c090e705e7a001e6e94d8"},
                items="own show",
                duration=420,
            ),
        ),
        action="play",
        owned=True,
    ),
    "plex/playback.started.nometadata.noguid.handmade__01.json": NO_METADATA,
    "raw_http/emby_playback.stop_multipart_data.bin": Event(
        name="playback.stop",
        server="PN41",
        account="984e3654b64e6f72589c245d891ef39d|embyuser-90d5",
        player="Microsoft Edge Windows",
        titles=(SPIDER_VERSE,),
        action="stop",
        position=1743.179195,
        watched_at="2023-08-19T00:49:07.852346+00:00",
    ),
    "raw_http/jellyfin_PlaybackStop_application_json.bin": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(BLADE_RUNNER,),
        action="stop",
        position=9700.0,
        completed=True,
        watched_at=THEN,
    ),
    "raw_http/jellyfin_PlaybackStop_genericform.bin": Event(
        name="PlaybackStop",
        server=BOX,
        account=ALICE,
        player=ROOM,
        titles=(BLADE_RUNNER,),
        action="stop",
        position=9700.0,
        completed=True,
        watched_at=THEN,
    ),
    "raw_http/plex_admin_backup.bin": Event(
        name="admin.database.backup",
        server="Office",
        account="1|elan",
        server_event="database_backup",
        owned=True,
    ),
    "raw_http/plex_media.play_with_thumb.bin": Event(
        name="media.play",
        server="PMS-6dab",
        account="1|plexuser-9e01",
        player="BRAVIA 4K GB",
        titles=(CAPTAIN_MARVEL,),
        action="play",
        owned=True,
        thumb=True,
    ),
    "raw_http/plex_payload_without_part_content_type.bin": Event(
        name="media.pause",
        server="Plex Server Name",
        account="1|UserName",
        player="Plex Web (Chrome)",
        titles=(
            Media(
                kind="episode",
                label="The Grand Tour (2016) - S02E08 - Blasts from the Past",
                show_ids={"tvdb": 314087},
                items="own show",
            ),
        ),
        action="pause",
        position=1992.877,
        owned=True,
    ),
}


def account(who: Party | None) -> str | None:
    """Return an account as the table writes it."""
    return None if who is None else f"{who.id or ''}|{who.name or ''}"


def known(title: Title) -> Media:
    """Return a title as the table writes it."""
    return Media(
        kind=title.media_type.value,
        label=title.label,
        year=title.year,
        ids=title.ids or None,
        show_ids=title.show_ids or None,
        items=" ".join(
            name
            for name, ids in (("own", title.items), ("show", title.show_items))
            if ids
        ),
        duration=title.duration,
        album=title.album,
    )


def seen(event: MediaEvent, thumb: bytes | None) -> Event:
    """Return an event as the table writes it."""
    return Event(
        name=event.name,
        server=event.server.name,
        account=account(event.account),
        player=event.player.name if event.player else None,
        titles=tuple(known(title) for title in event.titles),
        action=event.action.value if event.action else None,
        position=event.position,
        completed=event.completed,
        watched_at=event.watched_at.isoformat() if event.watched_at else None,
        rating=(event.rating.value,) if event.rating else None,
        library=event.library.value if event.library else None,
        server_event=event.server_event,
        owned=event.owned,
        ignored=event.ignored,
        thumb=thumb is not None,
    )


def read(file: Path) -> tuple[bytes, str]:
    """Return a sample's body and its content type."""
    headers = file.with_suffix(".headers.json")
    content_type = (
        json.loads(headers.read_bytes())["Content-Type"] if headers.exists() else ""
    )
    return file.read_bytes(), content_type


def samples() -> list[str]:
    """Return the samples by their place in the folder."""
    if not FOLDER:
        return ["none"]
    return sorted(
        str(file.relative_to(FOLDER))
        for file in Path(FOLDER).glob("*/*")
        if not file.name.endswith(".headers.json")
    )


@pytest.mark.parametrize("name", samples())
def test_sample(name: str) -> None:
    assert name in EXPECTED, "nobody has said yet what is expected of it"
    expected = EXPECTED[name]
    body, content_type = read(Path(FOLDER or "") / name)
    parse = parse_plex if "plex" in name else parse_jellyfin

    if isinstance(expected, str):
        with pytest.raises(PayloadError, match=re.escape(expected)):
            parse(decode(body, content_type).payload)
        return
    decoded = decode(body, content_type)
    assert seen(parse(decoded.payload), decoded.thumb) == expected


def test_every_expectation_has_its_sample() -> None:
    assert EXPECTED.keys() - set(samples()) == set()
