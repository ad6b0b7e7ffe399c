"""Actions: what they do, what they return, and what they refuse."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntry, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest
import voluptuous as vol

from custom_components.media_scrobbler.const import DOMAIN

from .common import (
    ALICE_AT_JELLYFIN,
    ALICE_AT_PLEX,
    BOB_AT_JELLYFIN,
    Jellyfin,
    Plex,
    add_viewer,
    call,
    plays_of,
)
from .simulators.catalogue import (
    FOG_SIGNAL,
    LOW_WATER,
    PAPER_ORCHARD,
    SLOW_FERRY,
    THE_SALT_ROAD,
    Title,
)
from .simulators.jellyfin import JellyfinEvent
from .simulators.plex import PlexEvent
from .storage.common import Disk
from .texts import placeholders, text
from .wanted import add

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)


@pytest.fixture
async def viewer(hass: HomeAssistant) -> ConfigEntry[Any]:
    """Return a viewer of whom no server knows."""
    return await add_viewer(hass, "Vera")


def titles(response: dict[str, Any]) -> list[str]:
    """Return the titles of the plays in a response."""
    return [play["title"] for play in response["plays"]]


async def refused(
    hass: HomeAssistant,
    action: str,
    error: type[HomeAssistantError] = ServiceValidationError,
    **data: Any,
) -> tuple[str, dict[str, str]]:
    """Return the translation key and placeholders of the error of an action."""
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, action, **data)
    assert type(caught.value) is error
    key = caught.value.translation_key
    assert key is not None
    assert caught.value.translation_domain == DOMAIN
    given = caught.value.translation_placeholders or {}
    assert placeholders(text("exceptions", key, "message")) == given.keys()
    message = text("exceptions", key, "message").format(**given)
    assert str(caught.value) == message.removesuffix(".")
    return key, given


def stored(hass: HomeAssistant, entry_id: str) -> list[Path]:
    """Return the files of a viewer."""
    folder = Path(hass.config.path(".storage"))
    return list(folder.glob(f"{DOMAIN}.*{entry_id}*"))


# Reading


@pytest.fixture
def noon(freezer: FrozenDateTimeFactory) -> None:
    """Begin at noon."""
    freezer.move_to(NOON)


@pytest.fixture
async def evening(
    noon: None,
    plex: Plex,
    jellyfin: Jellyfin,
    alice: ConfigEntry[Any],
    bob: ConfigEntry[Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Have Alice and Bob watch something, one hour after the other."""
    watched: tuple[tuple[Title, Any], ...] = (
        (SLOW_FERRY, ALICE_AT_PLEX),
        (LOW_WATER, BOB_AT_JELLYFIN),
        (THE_SALT_ROAD, ALICE_AT_PLEX),
        (FOG_SIGNAL, ALICE_AT_JELLYFIN),
    )
    for hour, (title, account) in enumerate(watched):
        freezer.move_to(NOON + timedelta(hours=hour))
        if account is ALICE_AT_PLEX:
            await plex.report(PlexEvent.SCROBBLE, title)
        else:
            await jellyfin.report(JellyfinEvent.PLAYBACK_STOP, title, account)


@pytest.mark.usefixtures("evening")
@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, ["Fog Signal", "The Salt Road", "Low Water", "Slow Ferry"]),
        ({"start": NOON + timedelta(hours=2)}, ["Fog Signal", "The Salt Road"]),
        ({"end": NOON + timedelta(hours=2)}, ["Low Water", "Slow Ferry"]),
        (
            {"start": NOON + timedelta(hours=1), "end": NOON + timedelta(hours=2)},
            ["Low Water"],
        ),
        # A time without a zone is one where Home Assistant stands.
        ({"start": "2026-06-07 07:30:00"}, ["Fog Signal"]),
        ({"media_type": "episode"}, ["Fog Signal", "Low Water"]),
        ({"query": "harbour"}, ["Fog Signal", "Low Water"]),
        ({"query": "WATER"}, ["Low Water", "Slow Ferry"]),
        ({"query": "marlow & finch"}, ["Slow Ferry"]),
        ({"query": "nothing like it"}, []),
    ],
)
async def test_get_history(
    hass: HomeAssistant, fields: dict[str, Any], found: list[str]
) -> None:
    """Plays of everybody are found, the newest first."""
    response = await call(hass, "get_history", **fields)
    assert titles(response) == found
    assert response["total"] == len(found)
    if found:
        response = await call(hass, "get_history", **fields, limit=1)
        assert titles(response) == found[:1]
        assert response["total"] == len(found)


@pytest.mark.usefixtures("evening")
async def test_get_history_of_a_viewer(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """A play comes with all that is known of it, and with every report of it."""
    response = await call(hass, "get_history", viewer=alice.entry_id)
    assert titles(response) == ["Fog Signal", "The Salt Road", "Slow Ferry"]
    movie = response["plays"][1]
    assert movie == {
        "play_id": movie["play_id"],
        "viewer": "Alice",
        "viewer_id": alice.entry_id,
        "media_type": "movie",
        "title": "The Salt Road",
        "year": 2019,
        "ids": movie["ids"],
        "duration": 6720,
        "watched_at": "2026-06-07T14:00:00+00:00",
        "play_count": 1,
        "rewatch": False,
        "sources": [
            {
                "source": "webhook",
                "reported_at": "2026-06-07T14:00:00+00:00",
                "event": "media.scrobble",
                "server": "Plex",
                "server_id": plex.entry.entry_id,
                "server_type": "plex",
                "account": "alice",
                "player": "Living room TV",
                "player_id": plex.simulator.player.uuid,
            }
        ],
    }


@pytest.mark.usefixtures("evening")
async def test_get_webhook_log(
    hass: HomeAssistant, plex: Plex, jellyfin: Jellyfin, freezer: FrozenDateTimeFactory
) -> None:
    """The last webhooks of all servers are there, the newest first."""
    freezer.move_to(NOON + timedelta(hours=4))
    await plex.send(b"nonsense")
    events = (await call(hass, "get_webhook_log"))["events"]
    assert len(events) == 8
    assert events[0] == {
        "at": "2026-06-07T16:00:00+00:00",
        "outcome": "rejected",
        "reason": events[0]["reason"],
        "server": "Plex",
        "server_id": plex.entry.entry_id,
        "server_type": "plex",
    }
    assert events[1] == {
        "at": "2026-06-07T15:00:00+00:00",
        "outcome": "recorded",
        "reason": "completed",
        "event": "PlaybackStop",
        "server": "Jellyfin",
        "server_id": jellyfin.entry.entry_id,
        "server_type": "jellyfin",
        "server_identity": jellyfin.simulator.id,
        "account": "alice",
        "player": "Bedroom tablet",
        "title": "Harbour Lights - S02E04 - Fog Signal",
        "viewers": ["Alice"],
    }
    of_plex = await call(hass, "get_webhook_log", server=plex.entry.entry_id, limit=2)
    assert [event["outcome"] for event in of_plex["events"]] == ["rejected", "recorded"]
    assert [event["at"] for event in events] == sorted(
        (event["at"] for event in events), reverse=True
    )


# Adding


@pytest.mark.parametrize(
    "title",
    [
        {"media_type": "movie", "title": "Home video"},
        {"media_type": "movie", "ids": {"tmdb": 550}},
        {"media_type": "movie", "ids": {"imdb": "TT0137523", "tvdb": "12"}},
        {"media_type": "movie", "ids": {"plex": "plex://movie/5d7768", "tmdb": 1}},
        {
            "media_type": "episode",
            "show": "Harbour Lights",
            "season": 0,
            "episode": 12,
            "show_ids": {"tvdb": 438120},
        },
        {
            "media_type": "track",
            "title": "Slow Ferry",
            "artist": "Marlow & Finch",
            "album": "Tidewater",
            "duration": 277,
            "year": 2017,
        },
    ],
)
async def test_add_play(
    hass: HomeAssistant, viewer: ConfigEntry[Any], title: dict[str, Any]
) -> None:
    """A play is added now, or at the time given."""
    before = dt_util.utcnow()
    play = (await call(hass, "add_play", viewer=viewer.entry_id, **title))["play"]
    assert before <= datetime.fromisoformat(play["watched_at"]) <= dt_util.utcnow()
    known = {
        source: int(value) if str(value).isdecimal() else str(value).lower()
        for source, value in title.get("ids", {}).items()
    }
    assert {**title, **({"ids": known} if known else {})}.items() <= play.items()
    assert [source["source"] for source in play["sources"]] == ["manual"]

    again = await call(
        hass,
        "add_play",
        viewer=viewer.entry_id,
        watched_at=NOON - timedelta(days=900),
        **title,
    )
    assert again["play"]["watched_at"] == "2023-12-20T12:00:00+00:00"
    assert again["play"]["play_count"] == 2
    assert again["play"]["rewatch"] is False
    assert (await plays_of(hass, viewer))[0]["rewatch"] is True


async def test_add_play_local_time(
    hass: HomeAssistant, viewer: ConfigEntry[Any]
) -> None:
    """A time without a zone is one where Home Assistant stands."""
    response = await call(
        hass,
        "add_play",
        viewer=viewer.entry_id,
        media_type="movie",
        title="On New Year's Eve",
        watched_at="2025-12-31 20:00:00",
    )
    assert response["play"]["watched_at"] == "2026-01-01T04:00:00+00:00"


async def test_add_play_long_ago(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> None:
    """The past does not begin in 1970."""
    for year in (1900, 1912, 1969):
        response = await call(
            hass,
            "add_play",
            viewer=viewer.entry_id,
            media_type="movie",
            title="At the fair",
            watched_at=f"{year}-05-06T07:08:09+00:00",
        )
        play = response["play"]
        assert play["watched_at"] == f"{year}-05-06T07:08:09+00:00"
        changed = await call(
            hass,
            "update_play",
            viewer=viewer.entry_id,
            play_id=play["play_id"],
            year=1900,
        )
        assert changed["play"]["year"] == 1900
    assert len(await plays_of(hass, viewer)) == 3


async def test_add_play_of_the_same_viewing(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """What a server has reported already is not added again."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    (play,) = await plays_of(hass, alice)
    added = await call(
        hass,
        "add_play",
        viewer=alice.entry_id,
        media_type="movie",
        ids={"tmdb": 918273},
    )
    assert added["play"]["play_id"] == play["play_id"]
    assert [source["source"] for source in added["play"]["sources"]] == [
        "webhook",
        "manual",
    ]


# Correcting


async def test_update_play(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """What is given is corrected, what is left out stays."""
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    (play,) = await plays_of(hass, alice)
    response = await call(
        hass,
        "update_play",
        viewer=alice.entry_id,
        play_id=play["play_id"],
        watched_at=NOON - timedelta(days=365),
        episode=4,
        title="Fog Signal",
        ids={"tmdb": 4712101},
    )
    assert response["play"] == {
        **play,
        "watched_at": "2025-06-07T12:00:00+00:00",
        "episode": 4,
        "title": "Fog Signal",
        "ids": {"tmdb": 4712101},
    }
    assert await plays_of(hass, alice) == [response["play"]]
    found = await call(hass, "get_history", end=NOON - timedelta(days=364))
    assert titles(found) == ["Fog Signal"]

    # It is the other episode by now, so this one can be recorded.
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "recorded"


async def test_remove_play(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """What is removed is gone, and can come again."""
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    await plex.report(PlexEvent.SCROBBLE, PAPER_ORCHARD)
    newest, play = await plays_of(hass, alice)
    response = await call(
        hass, "remove_play", viewer=alice.entry_id, play_id=play["play_id"]
    )
    assert response["play"]["title"] == "Low Water"
    assert await plays_of(hass, alice) == [newest]
    assert await refused(
        hass, "remove_play", viewer=alice.entry_id, play_id=play["play_id"]
    ) == ("play_not_found", {"play_id": play["play_id"]})
    said = await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    assert said["outcome"] == "recorded"


async def test_remove_play_and_lose_power(
    hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]
) -> None:
    """That it was removed is on disk before it is gone: no server brings it back."""
    await plex.report(PlexEvent.SCROBBLE, LOW_WATER)
    (play,) = await plays_of(hass, alice)
    with Disk.of(hass).watched() as disk:
        await call(hass, "remove_play", viewer=alice.entry_id, play_id=play["play_id"])
        dismissed, history = disk.written
    assert dismissed == f"dismissed.{alice.entry_id}"
    assert history.startswith(f"history.{alice.entry_id}.")
    (stored,) = disk.read(dismissed)["plays"]
    assert stored["id"] == play["play_id"]
    assert disk.read(history)["plays"] == []


async def test_without_response(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> None:
    """Who changes something need not ask for the response."""
    title = {"viewer": viewer.entry_id, "media_type": "movie", "title": "Quiet"}
    for action, data in (("add_play", title), ("rate", {**title, "rating": 5})):
        await hass.services.async_call(DOMAIN, action, data, blocking=True)
    (play,) = await plays_of(hass, viewer)
    assert play["rating"] == 5
    with pytest.raises(ServiceValidationError):
        await hass.services.async_call(DOMAIN, "get_history", {}, blocking=True)


# Rating


async def test_rate(hass: HomeAssistant, plex: Plex, alice: ConfigEntry[Any]) -> None:
    """A rating stays with the title until it is taken back, by hand or on a server."""
    await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    title = {
        "viewer": alice.entry_id,
        "media_type": "movie",
        "title": "Salt road",
        "ids": {"tmdb": 918273},
    }

    async def rating() -> float | None:
        found: float | None = (await plays_of(hass, alice))[0].get("rating")
        return found

    assert await call(hass, "rate", **title, rating=7.5) == {
        "title": "Salt road",
        "rating": 7.5,
    }
    assert await rating() == 7.5
    assert await call(hass, "rate", **title) == {"title": "Salt road"}
    assert await rating() is None
    await call(hass, "rate", **title, rating=10)
    assert await call(hass, "rate", **title, rating=0) == {"title": "Salt road"}
    assert await rating() is None

    await plex.report(PlexEvent.RATE, THE_SALT_ROAD, ALICE_AT_PLEX, rating=9)
    assert await rating() == 9
    await call(hass, "rate", **title)
    assert await rating() is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Low\x00 \x1b[31mWater\x7f", "Low   [31mWater"),
        ("Two\nlines", "Two lines"),
        ("\ud83c\udf0a Waves", "🌊 Waves"),
        ("Half \udf0a a wave", "Half   a wave"),
    ],
)
async def test_characters_that_are_none(
    hass: HomeAssistant, viewer: ConfigEntry[Any], typed: str, kept: str
) -> None:
    """What cannot be written is taken out, and what YAML has torn apart is joined."""
    title = {"viewer": viewer.entry_id, "media_type": "movie", "title": typed}
    play = (await call(hass, "add_play", **title))["play"]
    assert play["title"] == kept
    changed = {"viewer": viewer.entry_id, "play_id": play["play_id"], "title": typed}
    assert (await call(hass, "update_play", **changed))["play"]["title"] == kept
    assert (await call(hass, "rate", **title, rating=7))["title"] == kept
    await add(hass, viewer, typed)
    (item,) = (await call(hass, "get_watchlist"))["items"]
    assert item["title"] == kept
    other = {**MOVIE, "viewer": viewer.entry_id}
    await call(hass, "rate", **other, rating=3)
    (path,) = (each for each in stored(hass, viewer.entry_id) if "ratings" in each.name)
    assert kept in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("action", "data", "key"),
    [
        ("remove_play", {"play_id": "\ud83d"}, "play_not_found"),
        ("rate", {"media_type": "movie", "ids": {"tmdb": "\x00"}}, "id_invalid"),
        ("rate", {"media_type": "movie", "ids": {"\udc00": 1}}, "id_invalid"),
        ("get_history", {"viewer": "\udc00"}, "viewer_not_found"),
    ],
)
async def test_errors_can_be_sent(
    hass: HomeAssistant,
    viewer: ConfigEntry[Any],
    action: str,
    data: dict[str, Any],
    key: str,
) -> None:
    """Nor is it repeated in an error."""
    found, given = await refused(hass, action, **{"viewer": viewer.entry_id, **data})
    assert found == key
    assert " ".join(given.values()).isprintable()


# Refusing

MOVIE = {"media_type": "movie", "title": "Home video"}


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("get_history", {}),
        ("add_play", MOVIE),
        ("update_play", {"play_id": "x"}),
        ("remove_play", {"play_id": "x"}),
        ("rate", MOVIE),
        ("get_watchlist", {}),
        ("get_watchlist_imports", {}),
        ("import_watchlist", {"dry_run": True}),
    ],
)
async def test_viewer_not_found(
    hass: HomeAssistant,
    plex: Plex,
    viewer: ConfigEntry[Any],
    action: str,
    data: dict[str, Any],
) -> None:
    """A viewer is the config entry of one that is enabled."""
    await hass.config_entries.async_set_disabled_by(
        viewer.entry_id, ConfigEntryDisabler.USER
    )
    for entry_id in ("nobody", plex.entry.entry_id, viewer.entry_id):
        assert await refused(hass, action, viewer=entry_id, **data) == (
            "viewer_not_found",
            {"viewer": entry_id},
        )


async def test_server_not_found(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> None:
    """A server is the config entry of one."""
    for entry_id in ("nothing", viewer.entry_id):
        assert await refused(hass, "get_webhook_log", server=entry_id) == (
            "server_not_found",
            {"server": entry_id},
        )


@pytest.mark.parametrize(
    ("action", "data", "expected"),
    [
        (
            "get_history",
            {"start": NOON, "end": NOON},
            ("start_not_before_end", {}),
        ),
        (
            "add_play",
            {**MOVIE, "watched_at": "2999-01-01 00:00:00"},
            ("watched_in_the_future", {}),
        ),
        (
            "add_play",
            {**MOVIE, "watched_at": "1899-12-31T23:59:59+00:00"},
            ("watched_too_long_ago", {"year": "1900"}),
        ),
        (
            "get_history",
            {"end": "9999-12-31 23:59:59"},
            ("time_out_of_range", {"time": "9999-12-31 23:59:59"}),
        ),
        ("add_play", {"media_type": "movie"}, ("title_not_identified", {})),
        (
            "add_play",
            {"media_type": "episode", "title": "Pilot"},
            ("title_not_identified", {}),
        ),
        ("rate", {"media_type": "season", "season": 1}, ("title_not_identified", {})),
        (
            "add_play",
            {"media_type": "movie", "ids": {"imdb": "550"}},
            ("id_invalid", {"source": "imdb", "id": "550"}),
        ),
        (
            "add_play",
            {"media_type": "movie", "ids": {"netflix": 1}},
            ("id_invalid", {"source": "netflix", "id": "1"}),
        ),
        (
            "rate",
            {**MOVIE, "ids": {"plex": "5d7768"}},
            ("id_invalid", {"source": "plex", "id": "5d7768"}),
        ),
        ("update_play", {"play_id": "x"}, ("play_not_found", {"play_id": "x"})),
        ("remove_play", {"play_id": "x"}, ("play_not_found", {"play_id": "x"})),
    ],
)
async def test_invalid(
    hass: HomeAssistant,
    viewer: ConfigEntry[Any],
    action: str,
    data: dict[str, Any],
    expected: tuple[str, dict[str, str]],
) -> None:
    """What makes no sense is refused with a reason, and nothing is recorded."""
    found = await refused(hass, action, viewer=viewer.entry_id, **data)
    assert found == expected
    assert await plays_of(hass, viewer) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"watched_at": "2999-01-01 00:00:00"}, ("watched_in_the_future", {})),
        ({"ids": {"tmdb": "x"}}, ("id_invalid", {"source": "tmdb", "id": "x"})),
    ],
)
async def test_update_play_invalid(
    hass: HomeAssistant,
    viewer: ConfigEntry[Any],
    changes: dict[str, Any],
    expected: tuple[str, dict[str, str]],
) -> None:
    """A correction that is refused leaves the play as it was."""
    play = (await call(hass, "add_play", viewer=viewer.entry_id, **MOVIE))["play"]
    found = await refused(
        hass,
        "update_play",
        viewer=viewer.entry_id,
        play_id=play["play_id"],
        **changes,
    )
    assert found == expected
    assert await plays_of(hass, viewer) == [play]


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("get_history", {"limit": 0}),
        ("get_history", {"media_type": "show"}),
        ("get_history", {"start": "yesterday"}),
        ("get_history", {"query": " "}),
        ("get_webhook_log", {"limit": 100_001}),
        ("add_play", {**MOVIE, "media_type": "show"}),
        ("add_play", {**MOVIE, "year": 17}),
        ("add_play", {**MOVIE, "season": -1}),
        ("add_play", {**MOVIE, "duration": 0}),
        ("add_play", {**MOVIE, "title": "x" * 1001}),
        ("add_play", {**MOVIE, "title": "\x00\ud83d"}),
        ("add_play", {**MOVIE, "year": float("inf")}),
        ("rate", {**MOVIE, "rating": float("nan")}),
        ("add_play", {**MOVIE, "colour": "blue"}),
        ("add_play", {"title": "Of no kind"}),
        ("update_play", {}),
        ("rate", {**MOVIE, "rating": 10.5}),
        ("rate", {**MOVIE, "media_type": "book"}),
    ],
)
async def test_malformed(
    hass: HomeAssistant,
    viewer: ConfigEntry[Any],
    action: str,
    data: dict[str, Any],
) -> None:
    """What is not of the right form does not get as far as a history."""
    if action != "get_webhook_log":
        data = {**data, "viewer": viewer.entry_id}
    with pytest.raises(vol.Invalid):
        await call(hass, action, **data)


async def test_unreadable(hass: HomeAssistant, plex: Plex) -> None:
    """An action that needs a file which cannot be read says so."""
    viewer = await add_viewer(hass, "Vera")
    play = (await call(hass, "add_play", viewer=viewer.entry_id, **MOVIE))["play"]
    await call(hass, "rate", viewer=viewer.entry_id, **MOVIE, rating=3)
    disable = hass.config_entries.async_set_disabled_by
    await disable(viewer.entry_id, ConfigEntryDisabler.USER)
    for path in stored(hass, viewer.entry_id):
        path.write_bytes(b"damaged")
    await disable(viewer.entry_id, None)
    found = await refused(
        hass, "rate", HomeAssistantError, viewer=viewer.entry_id, **MOVIE
    )
    assert found == ("not_readable", {})
    found = await refused(
        hass, "remove_play", viewer=viewer.entry_id, play_id=play["play_id"]
    )
    assert found[0] == "play_not_found"


async def test_watchlists(hass: HomeAssistant, viewer: ConfigEntry[Any]) -> None:
    """The watchlists of all viewers are returned unless one is named."""
    assert await call(hass, "get_watchlist") == {"items": []}
    assert await call(hass, "get_watchlist_imports") == {"imports": []}
    other = await add_viewer(hass, "Otto")
    await add(hass, viewer, "Dune (2021)")
    await add(hass, other, "Dark Water", "Dune (2021)")

    def shown(response: dict[str, Any]) -> list[tuple[str, str]]:
        return [(item["viewer"], item["title"]) for item in response["items"]]

    ottos = [("Otto", "Dark Water"), ("Otto", "Dune")]
    assert shown(await call(hass, "get_watchlist")) == [("Vera", "Dune"), *ottos]
    response = await call(hass, "get_watchlist", viewer=other.entry_id)
    assert shown(response) == ottos


@pytest.mark.parametrize("action", ["get_watchlist", "import_watchlist"])
async def test_watchlist_input(
    hass: HomeAssistant, viewer: ConfigEntry[Any], action: str
) -> None:
    """What is no field, or no value of one, is refused."""
    wrong: list[dict[str, Any]] = [
        {"viewer": []},
        {"dry_run": "perhaps"},
        {"list": "x"},
    ]
    for data in wrong:
        with pytest.raises(vol.Invalid):
            await call(hass, action, **data)
