"""Tests that files of every version so far are read, by what stands in `fixtures`.

A folder there holds every kind of file that there was as one version wrote it. Whoever changes a form
raises the version, has the older one migrated and adds a folder; none is ever changed.
"""

import asyncio
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.media_scrobbler.domain.event import Party
from custom_components.media_scrobbler.domain.library import Section
from custom_components.media_scrobbler.domain.play import SourceKind
from custom_components.media_scrobbler.domain.title import MediaType, Title
from custom_components.media_scrobbler.domain.watchlist import Origin, WatchlistItem
from custom_components.media_scrobbler.storage import (
    accounts as accounts_module,
    history as history_module,
    import_log as import_log_module,
    library as library_module,
    marked as marked_module,
    outbox as outbox_module,
    poster as poster_module,
    ratings as ratings_module,
    watchlist as watchlist_module,
    webhook_log as webhook_log_module,
)
from custom_components.media_scrobbler.storage.accounts import Account, Accounts
from custom_components.media_scrobbler.storage.history import History
from custom_components.media_scrobbler.storage.import_log import ImportLog, Run, Trigger
from custom_components.media_scrobbler.storage.library import Library
from custom_components.media_scrobbler.storage.marked import Marked
from custom_components.media_scrobbler.storage.outbox import Change, Outbox
from custom_components.media_scrobbler.storage.poster import Poster
from custom_components.media_scrobbler.storage.ratings import Ratings
from custom_components.media_scrobbler.storage.watchlist import Watchlist
from custom_components.media_scrobbler.storage.webhook_log import WebhookLog

from .common import NOON, Disk, movie, record

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = sorted(path.name for path in FIXTURES.iterdir())
PRESENT = VERSIONS[-1]


def _stored(version: str, name: str) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(
        (FIXTURES / version / f"{name}.json").read_text()
    )
    return stored


def _versions_with(name: str) -> list[str]:
    """Return the versions that had this kind of file."""
    return [
        version
        for version in VERSIONS
        if (FIXTURES / version / f"{name}.json").exists()
    ]


def lay_out(disk: Disk, version: str, name: str) -> Path:
    """Put a file of a version where it belongs."""
    stored = _stored(version, name)
    disk.folder.mkdir(exist_ok=True)
    path: Path = disk.folder / stored["key"]
    path.write_text(json.dumps(stored))
    return path


@pytest.mark.parametrize(
    "module",
    [
        accounts_module,
        history_module,
        import_log_module,
        library_module,
        marked_module,
        outbox_module,
        poster_module,
        ratings_module,
        watchlist_module,
        webhook_log_module,
    ],
)
def test_there_is_a_file_of_every_form(module: Any) -> None:
    name = module.__name__.rpartition(".")[2]
    written = {
        (stored["version"], stored["minor_version"])
        for version in _versions_with(name)
        for stored in [_stored(version, name)]
    }

    assert max(written) == (module.VERSION, module.MINOR_VERSION)


@pytest.mark.parametrize("version", VERSIONS)
async def test_history(hass: HomeAssistant, disk: Disk, version: str) -> None:
    path = lay_out(disk, version, "history")
    history = History(hass, "history.someone")

    track, episode, film = await history.async_plays()

    assert history.unreadable == {}
    assert len(history.index) == 3
    assert film.id == "01KCA0Q1W0QK4P8RZ3V5M7N9T1"
    assert film.watched_at.isoformat() == "2026-11-09T20:15:30.250000+00:00"
    assert film.title == Title(
        media_type=MediaType.MOVIE,
        title="The Salt Road",
        year=2019,
        ids={
            "plex": "plex://movie/5d776b59ad5437001f79c6f8",
            "tmdb": 918273,
            "imdb": "tt9182736",
            "tvdb": 219483,
        },
        items={"5f0c9a7d": "4711", "b6e3d8f1": "0f3a"},
        duration=6720,
    )
    webhook, server_history = film.sources
    assert (webhook.kind, webhook.event) == (SourceKind.WEBHOOK, "media.scrobble")
    assert (webhook.player, webhook.player_id) == ("Living room TV", "7c1e09ab")
    assert server_history.kind is SourceKind.SERVER_HISTORY
    assert (server_history.account, server_history.server) == ("alice", "Cellar")
    assert episode.title == Title(
        media_type=MediaType.EPISODE,
        title="Low Water",
        show='Harbour "Lights"',
        season=2,
        episode=0,
        ids={"tvdb": 9712094},
        show_ids={"tvdb": 438120, "plex": "plex://show/5d9c086c46115600200aa2fe"},
        items={"b6e3d8f1": "0f3b"},
        show_items={"b6e3d8f1": "0f3c"},
    )
    assert episode.sources[0].kind is SourceKind.IMPORT
    assert track.title.artist == "Marlow & Finch"
    assert track.title.album == "Tidewater"
    assert track.sources[0].kind is SourceKind.MANUAL

    passing = await record(history, movie(1))
    await history.async_change(passing.id, lambda _: None)
    assert json.loads(path.read_text()) == _stored(PRESENT, "history")


@pytest.mark.parametrize("version", VERSIONS)
async def test_inbox(hass: HomeAssistant, disk: Disk, version: str) -> None:
    lay_out(disk, version, "inbox")
    held = History(hass, "inbox.0123456789abcdef")

    (play,) = await held.async_plays()

    assert play.title.title == "The Salt Road"
    assert len(play.sources) == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_ratings(hass: HomeAssistant, disk: Disk, version: str) -> None:
    path = lay_out(disk, version, "ratings")
    ratings = Ratings(hass, "ratings.someone")

    await ratings.async_load()

    film = Title(media_type=MediaType.MOVIE, ids={"tmdb": 918273})
    show = Title(media_type=MediaType.SHOW, title="Harbour Lights")
    assert (ratings.get(film), ratings.get(show)) == (8.5, 10)
    await ratings.async_set(movie(1), 5, NOON)
    await ratings.async_set(movie(1), None, NOON)
    assert json.loads(path.read_text()) == _stored(PRESENT, "ratings")


@pytest.mark.parametrize("version", VERSIONS)
async def test_accounts(hass: HomeAssistant, disk: Disk, version: str) -> None:
    path = lay_out(disk, version, "accounts")
    accounts = Accounts(hass)

    await accounts.async_load()

    assert list(accounts) == [
        Account("01SERVERPLEX", "1", "alice", active=True),
        Account("01SERVERPLEX", "anonymous", None, active=True),
        Account("01SERVERJELLY", "name:Bob", "Bob", active=True),
    ]
    accounts.note("elsewhere", Party("7", "carol"))
    accounts.forget("elsewhere")
    await accounts.async_saved()
    assert json.loads(path.read_text()) == _stored(PRESENT, "accounts")


@pytest.mark.parametrize("version", VERSIONS)
async def test_webhook_log(hass: HomeAssistant, disk: Disk, version: str) -> None:
    lay_out(disk, version, "webhook_log")
    log = WebhookLog(hass, "01SERVERPLEX")

    await log.async_load()

    assert log.newest()[::-1] == _stored(PRESENT, "webhook_log")["data"]["events"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_poster(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory, version: str
) -> None:
    path = lay_out(disk, version, "poster")
    poster = Poster(hass, "poster.someone")

    await poster.async_load()

    assert poster.picture == b"\xff\xd8\xff\xe0 a poster"
    assert poster.since == NOON
    poster.show(poster.picture, NOON)
    freezer.tick(timedelta(seconds=poster_module.SAVE_DELAY + 1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    await asyncio.sleep(0)
    assert json.loads(path.read_text()) == _stored(PRESENT, "poster")


@pytest.mark.parametrize("version", _versions_with("watchlist"))
async def test_watchlist(hass: HomeAssistant, disk: Disk, version: str) -> None:
    path = lay_out(disk, version, "watchlist")
    watchlist = Watchlist(hass, "watchlist.someone")

    await watchlist.async_load()

    assert watchlist.unreadable == {}
    show, typed, done = watchlist.items
    assert show == WatchlistItem(
        uid="01KCA0Q1W0QK4P8RZ3V5M7N9T1",
        title=Title(
            media_type=MediaType.SHOW,
            title="Harbour Lights",
            year=2021,
            ids={"tvdb": 438120, "plex": "plex://show/5d9c086c46115600200aa2fe"},
        ),
        added_at=NOON,
        origin=Origin.PLEX,
        poster="https://example.com/poster.jpg",
        announced_at=datetime(2026, 11, 11, 8, 30, 0, 250000, UTC),
    )
    assert typed == WatchlistItem(
        uid="01KCA0Q1W0QK4P8RZ3V5M7N9T2",
        title=Title(media_type=MediaType.MOVIE, title='Fog "Signal"'),
        added_at=NOON,
        origin=Origin.MANUAL,
        kind_is_guessed=True,
    )
    assert done.done_at == datetime(2026, 11, 10, 22, 15, tzinfo=UTC)
    assert done.title.duration == 6720
    assert watchlist.before("1") == {
        "plex://movie/5d776b59ad5437001f79c6f8",
        "plex://show/5d9c086c46115600200aa2fe",
    }
    await watchlist.async_change(lambda items: items[::-1])
    await watchlist.async_change(lambda items: items[::-1])
    assert json.loads(path.read_text()) == _stored(PRESENT, "watchlist")


@pytest.mark.parametrize("version", _versions_with("import_log"))
async def test_import_log(
    hass: HomeAssistant, disk: Disk, freezer: FrozenDateTimeFactory, version: str
) -> None:
    path = lay_out(disk, version, "import_log")
    log = ImportLog(hass, "someone")

    await log.async_load()

    assert log.runs == (
        Run(
            at=NOON,
            duration=30,
            trigger=Trigger.TIMER,
            error="Plex does not answer",
        ),
        Run(
            at=NOON - timedelta(hours=1),
            duration=1.5,
            trigger=Trigger.ACTION,
            dry_run=True,
            imported=3,
            already_present=2,
            unmatched=('Fog "Signal"',),
            removed_here=1,
            removed_there=4,
            added_there=5,
        ),
    )
    log.add(Run(at=NOON + timedelta(hours=1), duration=0, trigger=Trigger.TIMER))
    freezer.tick(timedelta(seconds=import_log_module.SAVE_DELAY + 1))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    stored = json.loads(path.read_text())
    del stored["data"]["runs"][-1]
    assert stored == _stored(PRESENT, "import_log")


@pytest.mark.parametrize("version", _versions_with("library"))
async def test_library(hass: HomeAssistant, disk: Disk, version: str) -> None:
    names = ("library", "library_part", "library_new")
    paths = [lay_out(disk, version, name) for name in names]
    library = Library(hass, "01SERVERPLEX")

    await library.async_load()
    titles = await library.async_titles(library.index)

    film = Title(
        media_type=MediaType.MOVIE,
        title="The Salt Road",
        year=2019,
        ids={
            "plex": "plex://movie/5d776b59ad5437001f79c6f8",
            "tmdb": 918273,
            "imdb": "tt9182736",
            "tvdb": 219483,
        },
        items={"5f0c9a7d": "4711"},
        duration=6720,
    )
    show = Title(
        media_type=MediaType.SHOW,
        title='Harbour "Lights"',
        year=2021,
        ids={"tvdb": 438120},
        items={"5f0c9a7d": "4712"},
    )
    episode = Title(
        media_type=MediaType.EPISODE,
        title="Low Water",
        show='Harbour "Lights"',
        season=2,
        episode=0,
        ids={"tvdb": 9712094},
        show_ids={"tvdb": 438120, "plex": "plex://show/5d9c086c46115600200aa2fe"},
        items={"5f0c9a7d": "4714"},
        show_items={"5f0c9a7d": "4712"},
    )
    gone = Title(
        media_type=MediaType.MOVIE, title="Tidewater", items={"5f0c9a7d": "4713"}
    )
    assert titles == {"4711": film, "4712": show, "4714": episode}
    assert library.scanned_at == NOON

    scan = library.begin()
    await scan.async_add(Section("1", "Films", ()), [film, show, gone])
    await library.async_put([episode])
    await library.async_remove("4713")
    await scan.async_commit(NOON)
    for name, path in zip(names, paths, strict=True):
        assert json.loads(path.read_text()) == _stored(PRESENT, name)


@pytest.mark.parametrize("version", _versions_with("outbox"))
async def test_outbox(hass: HomeAssistant, disk: Disk, version: str) -> None:
    path = lay_out(disk, version, "outbox")
    outbox = Outbox(hass, "outbox.01SERVERJELLY")

    await outbox.async_load()

    assert [waiting.change for waiting in outbox] == [
        Change(
            account="a1b2c3",
            title=Title(
                media_type=MediaType.MOVIE,
                title="The Salt Road",
                year=2019,
                ids={
                    "plex": "plex://movie/5d776b59ad5437001f79c6f8",
                    "tmdb": 918273,
                },
                items={"5f0c9a7d": "4711"},
                duration=6720,
            ),
            queued_at=NOON + timedelta(milliseconds=250),
        ),
        Change(
            account="a1b2c3",
            title=Title(
                media_type=MediaType.EPISODE,
                title="Low Water",
                show='Harbour "Lights"',
                season=2,
                episode=0,
                show_ids={"tvdb": 438120},
            ),
            queued_at=NOON + timedelta(minutes=30),
            played_item="0f3b",
        ),
        Change(
            account="name:Bob",
            title=Title(media_type=MediaType.MOVIE, title="Fog Signal"),
            queued_at=NOON + timedelta(hours=1),
            is_removal=True,
        ),
    ]
    (passing,) = await outbox.async_put(
        [Change(account="a1b2c3", title=movie(1), queued_at=NOON)]
    )
    passing.release(happened=False)
    await outbox.async_flush()
    assert json.loads(path.read_text()) == _stored(PRESENT, "outbox")


@pytest.mark.parametrize("version", _versions_with("marked"))
async def test_marked(hass: HomeAssistant, disk: Disk, version: str) -> None:
    path = lay_out(disk, version, "marked")
    marked = Marked(hass, "01SERVERPLEX")

    await marked.async_load()

    film = Title(media_type=MediaType.MOVIE, items={"5f0c9a7d": "4711"})
    episode = Title(
        media_type=MediaType.EPISODE, show='Harbour "Lights"', season=2, episode=0
    )
    assert marked.has(film, NOON)
    assert not marked.has(film, NOON + timedelta(minutes=30))
    assert marked.has(episode, NOON + timedelta(minutes=30))
    marked.note("4711", film, NOON)
    await marked.async_save()
    assert json.loads(path.read_text()) == _stored(PRESENT, "marked")
