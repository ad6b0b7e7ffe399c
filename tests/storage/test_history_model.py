"""Histories against a model that is as simple as can be: a list of plays and the rules."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.media_scrobbler.domain.play import Play
from custom_components.media_scrobbler.domain.rules import (
    is_identified,
    merge,
    viewing_window,
)
from custom_components.media_scrobbler.domain.title import (
    Ids,
    MediaType,
    Title,
    same_title,
)
from custom_components.media_scrobbler.storage import history as module
from custom_components.media_scrobbler.storage.history import History

from .common import report

BEGIN = datetime(2026, 10, 31, 20, tzinfo=UTC)
_keys = count()


@dataclass
class Model:
    """What a history is to be."""

    plays: dict[str, Play] = field(default_factory=dict)

    def nearest(self, title: Title, at: datetime) -> list[str]:
        """Return the plays that are the same viewing and nearest in time."""
        known = (play.title.duration for play in self.of(title))
        duration = title.duration or next(filter(None, known), None)
        apart = {
            play.id: abs(play.watched_at - at)
            for play in self.of(title)
            if abs(play.watched_at - at)
            <= viewing_window(play.title.duration, duration, title.media_type)
        }
        least = min(apart.values(), default=None)
        return [play_id for play_id, distance in apart.items() if distance == least]

    def same(self, title: Title) -> list[float]:
        """Return when a title was watched, as far as the plays alone tell."""
        return [play.watched_at.timestamp() for play in self.of(title)]

    def of(self, title: Title) -> list[Play]:
        """Return the plays of a title."""
        return [play for play in self.plays.values() if same_title(play.title, title)]


@dataclass(frozen=True)
class Record:
    """A completed title is reported."""

    title: Title
    minute: int


@dataclass(frozen=True)
class Correct:
    """A play is corrected: another time, or another title."""

    which: int
    minute: int | None
    title: Title | None


@dataclass(frozen=True)
class Remove:
    """A play is removed."""

    which: int


@dataclass(frozen=True)
class Reload:
    """Home Assistant starts again."""


type Step = Record | Correct | Remove | Reload


# Titles as servers report them: each knows a part of what there is to know.


def _movie(number: int) -> Title:
    return Title(
        media_type=MediaType.MOVIE,
        title=f"Film {number}",
        year=2000 + number,
        ids={"tmdb": 10 + number, "imdb": f"tt{number}", "tvdb": 20 + number},
        items={"one": f"m{number}", "two": f"m{5 - number}"},
    )


def _episode(number: int) -> Title:
    return Title(
        media_type=MediaType.EPISODE,
        title=f"Part {number}",
        show="Harbour Lights",
        season=1,
        episode=number,
        ids={"tvdb": 10 + number, "imdb": f"tt{number}"},
        show_ids={"tmdb": 1, "tvdb": 2},
        items={"one": f"e{number}", "two": f"e{5 - number}"},
        show_items={"one": "s", "two": "t"},
    )


def _track(number: int) -> Title:
    return Title(
        media_type=MediaType.TRACK,
        title=f"Song {number}",
        artist="Marlow & Finch",
        album="Tidewater",
        ids={"musicbrainz": f"mb{number}"},
        items={"one": f"t{number}"},
    )


@st.composite
def _known(draw: st.DrawFn, whole: Title) -> Title:
    """Return a title as one sender knows it."""

    def some[V](values: dict[str, V]) -> dict[str, V]:
        chosen = draw(st.sets(st.sampled_from(sorted(values)))) if values else set()
        return {key: values[key] for key in values if key in chosen}

    server = draw(st.sampled_from(["one", "two", None]))

    def of_server(items: dict[str, str]) -> dict[str, str]:
        return {key: item for key, item in items.items() if key == server}

    return replace(
        whole,
        title=draw(st.sampled_from([whole.title, None])),
        year=draw(st.sampled_from([whole.year, None])),
        ids=some(whole.ids),
        show_ids=some(whole.show_ids),
        items=of_server(whole.items),
        show_items=of_server(whole.show_items),
        duration=draw(st.sampled_from([None, 1200, 6000])),
    )


_WHOLE = [make(number) for make in (_movie, _episode, _track) for number in range(3)]
_CONSISTENT = st.sampled_from(_WHOLE).flatmap(_known).filter(is_identified)


@st.composite
def _muddled(draw: st.DrawFn) -> Title:
    """Return a title of a library in which nothing is right."""
    small = st.integers(1, 2)
    ids: st.SearchStrategy[Ids] = st.dictionaries(
        st.sampled_from(["tmdb", "imdb", "plex"]), small, max_size=2
    )
    items = st.dictionaries(st.just("one"), small.map(str))
    duration = st.sampled_from([None, 1200, 6000])
    if draw(st.booleans()):
        return Title(
            media_type=MediaType.MOVIE,
            title=draw(st.sampled_from(["Film", "Other film", None])),
            ids=draw(ids),
            items=draw(items),
            duration=draw(duration),
        )
    return Title(
        media_type=MediaType.EPISODE,
        show="Harbour Lights",
        season=1,
        episode=draw(st.none() | small),
        title=draw(st.sampled_from(["Pilot", None])),
        ids=draw(ids),
        show_ids=draw(ids),
        items=draw(items),
        duration=draw(duration),
    )


# Some days around the end of a month, and rather the same minutes again.
_MINUTES = st.integers(0, 12).map(lambda number: 35 * number) | st.integers(0, 4000)


def _steps(titles: st.SearchStrategy[Title]) -> st.SearchStrategy[list[Step]]:
    records = st.builds(Record, titles, _MINUTES)
    corrections = st.builds(
        Correct, st.integers(0, 99), st.none() | _MINUTES, st.none() | titles
    )
    others = st.builds(Remove, st.integers(0, 99)) | st.just(Reload())
    return st.lists(records | records | corrections | others, max_size=25)


_SETTINGS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)


@pytest.fixture(autouse=True)
def few_plays_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have many parts, most of them not in memory."""
    monkeypatch.setattr(module, "MAX_PART_BYTES", 700)
    monkeypatch.setattr(module, "MAX_OPEN_PARTS", 1)


@given(steps=_steps(_CONSISTENT))
@_SETTINGS
async def test_a_history_is_what_the_rules_make_of_the_reports(
    hass: HomeAssistant, steps: list[Step]
) -> None:
    model, history = await _follow(hass, steps)

    await _compare(hass, model, history)
    for title in {id(title): title for title in _WHOLE}.values():
        assert sorted(history.index.times(title)) == sorted(model.same(title))


@given(steps=_steps(_muddled().filter(is_identified)))
@_SETTINGS
async def test_a_history_of_muddled_reports_loses_nothing(
    hass: HomeAssistant, steps: list[Step]
) -> None:
    model, history = await _follow(hass, steps, exact=False)

    await _compare(hass, model, history)


async def _follow(
    hass: HomeAssistant, steps: Iterable[Step], *, exact: bool = True
) -> tuple[Model, History]:
    """Live through steps with a history and a model; `exact` as to what is merged."""
    key = f"history.{next(_keys)}"
    model, history = Model(), History(hass, key)
    for number, step in enumerate(steps):
        existing = list(model.plays)
        match step:
            case Record(title, minute):
                at = BEGIN + timedelta(minutes=minute)
                source = report(at, player=str(number))
                recorded = await history.async_record(title, at, source)
                if recorded.saved is not None:
                    await recorded.saved
                play = recorded.play
                nearest = model.nearest(title, at)
                if exact:
                    assert recorded.merged is bool(nearest)
                if recorded.merged:
                    assert play.id in nearest
                    model.plays[play.id] = merge(
                        model.plays[play.id], title, at, source
                    )
                else:
                    assert play.id not in model.plays
                    model.plays[play.id] = Play(
                        id=play.id, title=title, watched_at=at, sources=(source,)
                    )
                assert play == model.plays[play.id]
            case Correct(which, minute_or_none, title_or_none) if existing:
                play = model.plays[existing[which % len(existing)]]
                corrected = replace(
                    play,
                    title=title_or_none or play.title,
                    watched_at=play.watched_at
                    if minute_or_none is None
                    else BEGIN + timedelta(minutes=minute_or_none),
                )
                assert await _change(history, play.id, corrected) == (play, corrected)
                model.plays[play.id] = corrected
            case Remove(which) if existing:
                play = model.plays.pop(existing[which % len(existing)])
                assert await _change(history, play.id, None) == (play, None)
            case Reload():
                history = History(hass, key)
        last = history.last_play
        if last is not None or not isinstance(step, Reload):
            assert (last.watched_at if last else None) == max(
                (play.watched_at for play in model.plays.values()), default=None
            )
    return model, history


async def _change(
    history: History, play_id: str, changed: Play | None
) -> tuple[Play, Play | None]:
    return await history.async_change(play_id, lambda _: changed)


async def _compare(hass: HomeAssistant, model: Model, history: History) -> None:
    """Compare all that a history says with the model, before and after a start."""
    again = History(hass, history._key)
    await again.async_load()
    zone = dt_util.get_default_time_zone()
    days = {
        play.id: play.watched_at.astimezone(zone).toordinal()
        for play in model.plays.values()
    }
    for found in (history, again):
        plays = await found.async_plays()
        assert {play.id: play for play in plays} == model.plays
        assert len(plays) == len(model.plays)
        times = [play.watched_at for play in plays]
        assert times == sorted(times, reverse=True)
        index = found.index
        assert len(index) == len(plays)
        assert +index.per_type == Counter(play.title.media_type for play in plays)
        assert +index.per_day == Counter(days.values())
        seconds: Counter[int] = Counter()
        for play in plays:
            seconds[days[play.id]] += play.title.duration or 0
        assert +index.seconds_per_day == +seconds
