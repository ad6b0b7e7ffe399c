"""What holds of any titles, plays and playbacks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings, strategies as st

from custom_components.media_scrobbler.domain.event import Action, MediaEvent, Party
from custom_components.media_scrobbler.domain.ids import external_id
from custom_components.media_scrobbler.domain.play import (
    MAX_SOURCES,
    Play,
    Source,
    SourceKind,
)
from custom_components.media_scrobbler.domain.playback import (
    Playback,
    PlaybackState,
    advance,
)
from custom_components.media_scrobbler.domain.rules import (
    believed_time,
    is_identified,
    merge,
    viewing_window,
)
from custom_components.media_scrobbler.domain.title import (
    Ids,
    MediaType,
    Title,
    combine,
    identities,
    same_title,
)

BOUNDED = settings(derandomize=True, database=None, deadline=None, max_examples=300)

NOW = datetime(2026, 11, 20, 20, 15, tzinfo=UTC)
SCALARS = ("title", "year", "show", "season", "episode", "artist", "album", "duration")
MAPS = ("ids", "show_ids", "items", "show_items")

# Few of each, so that they agree often.
names = st.none() | st.sampled_from(["Low Water", "low water!", "Fog Signal", "दिल"])
numbers = st.none() | st.integers(0, 2)
ids: st.SearchStrategy[Ids] = st.dictionaries(
    st.sampled_from(["tmdb", "tvdb", "plex"]),
    st.integers(1, 3) | st.sampled_from(["a", "b"]),
    max_size=2,
)
items = st.dictionaries(
    st.sampled_from(["attic", "cellar"]), st.sampled_from(["1", "2"]), max_size=2
)


def titles_of(
    media_types: st.SearchStrategy[MediaType],
) -> st.SearchStrategy[Title]:
    """Return a strategy for titles of some kinds."""
    return st.builds(
        Title,
        media_type=media_types,
        title=names,
        year=st.none() | st.integers(2019, 2021),
        show=names,
        season=numbers,
        episode=numbers,
        artist=names,
        album=names,
        ids=ids,
        show_ids=ids,
        items=items,
        show_items=items,
        duration=st.none() | st.integers(1, 10_000),
    )


titles = titles_of(st.sampled_from(MediaType))
episodes = titles_of(st.just(MediaType.EPISODE))
moments = st.integers(-10_000, 10_000).map(lambda at: NOW + timedelta(seconds=at))
sources = st.builds(
    Source, kind=st.sampled_from(SourceKind), at=moments, server=names, event=names
)
plays = st.builds(
    Play,
    id=st.just("1"),
    title=titles,
    watched_at=moments,
    sources=st.lists(sources, max_size=MAX_SOURCES).map(tuple),
)
events = st.builds(
    MediaEvent,
    name=st.just("test"),
    action=st.sampled_from(Action),
    titles=titles.map(lambda title: (title,)),
    position=st.none() | st.floats(0, 10_000),
)


@BOUNDED
@given(one=titles, other=titles)
def test_sameness_goes_both_ways(one: Title, other: Title) -> None:
    assert same_title(one, other) == same_title(other, one)


@BOUNDED
@given(title=titles)
def test_a_title_is_itself_if_anything_is_known(title: Title) -> None:
    assert same_title(title, title) == is_identified(title)


@BOUNDED
@given(title=titles, news=titles)
def test_a_title_stays_the_same_when_more_is_known(title: Title, news: Title) -> None:
    more = replace(combine(title, news), title=title.title, show=title.show)

    # What turns out to be the id of its show was none of an episode's own.
    if identities(title).items() & identities(more).items():
        assert same_title(title, more)


@BOUNDED
@given(one=episodes, other=episodes)
def test_what_identifies_a_show_does_not_identify_its_episodes(
    one: Title, other: Title
) -> None:
    found = identities(one)

    assert {key for key in found if not key.startswith(("show ", "item "))} == {
        source for source in one.ids if one.ids[source] != one.show_ids.get(source)
    }
    # Of one show, and nothing else in common: the numbers tell.
    one, other = (
        replace(
            episode,
            ids={},
            items={},
            show="Harbour Lights",
            season=episode.season or 0,
            episode=episode.episode or 0,
            show_ids={"tvdb": 438120},
        )
        for episode in (one, other)
    )
    assert same_title(one, other) == (
        (one.season, one.episode) == (other.season, other.episode)
    )


@BOUNDED
@given(known=titles, news=titles)
def test_combining_loses_nothing(known: Title, news: Title) -> None:
    both = combine(known, news)

    assert both.media_type is known.media_type
    for name in SCALARS:
        before = getattr(known, name)
        assert getattr(both, name) == (
            getattr(news, name) if before is None else before
        )
    for name in MAPS:
        assert getattr(both, name).items() >= getattr(known, name).items()
        assert getattr(both, name).keys() == (
            getattr(known, name).keys() | getattr(news, name).keys()
        )
    assert combine(both, news) == both
    assert combine(both, known) == both


@BOUNDED
@given(play=plays, title=titles, watched_at=moments, source=sources)
def test_merging(
    play: Play, title: Title, watched_at: datetime, source: Source
) -> None:
    merged = merge(play, title, watched_at, source)

    assert merged.id == play.id
    assert merged.watched_at in (play.watched_at, watched_at)
    if not (source.is_of_history or play.tells_start):
        assert merged.watched_at == min(play.watched_at, watched_at)
        assert merged.sources[: len(play.sources)] == play.sources
        assert source in merged.sources or len(merged.sources) == MAX_SOURCES
    assert merged.sources[: MAX_SOURCES - 1] == play.sources[: MAX_SOURCES - 1] or (
        len(merged.sources) == len(play.sources) + 1
    )
    assert len(merged.sources) <= MAX_SOURCES
    assert merged.title in (play.title, combine(play.title, title))
    assert merge(merged, title, watched_at, source) == merged


@BOUNDED
@given(first=st.none() | st.integers(0), second=st.none() | st.integers(0))
def test_a_window_is_the_same_from_either_side_where_one_knows(
    first: int | None, second: int | None
) -> None:
    first, second = (
        None if duration is None else duration % 10**6 for duration in (first, second)
    )

    assert viewing_window(first, second) > timedelta()
    if not first or not second:
        assert viewing_window(first, second) == viewing_window(second, first)


@BOUNDED
@given(claimed=st.none() | st.datetimes(timezones=st.just(UTC)), received=moments)
def test_a_believed_time_is_never_ahead(
    claimed: datetime | None, received: datetime
) -> None:
    believed = believed_time(claimed, received)

    assert believed <= received
    assert believed in (claimed, received)


@BOUNDED
@given(
    source=st.sampled_from(["tmdb", "tvdb", "imdb", "musicbrainz", "plex"]),
    value=st.text(max_size=40)
    | st.from_regex(r"(tt)?[0-9]{1,14}", fullmatch=True)
    | st.uuids().map(str),
)
def test_an_external_id_is_in_its_proper_form(source: str, value: str) -> None:
    found = external_id(source, value)

    assert found.keys() <= {source}
    for proper in found.values():
        assert external_id(source, str(proper)) == found


@BOUNDED
@given(happened=st.lists(events, max_size=8), apart=st.integers(0, 8_000))
def test_a_player_followed_through_anything(
    happened: list[MediaEvent], apart: int
) -> None:
    playback: Playback | None = None
    now = NOW
    for event in happened:
        before = playback
        playback, told = advance(before, Party("a"), event, now)
        # What is repeated is no news.
        assert advance(playback, Party("a"), event, now) == (playback, None)
        assert told is not Action.PROGRESS
        if told is Action.PAUSE:
            assert playback.state is PlaybackState.PAUSED
        if told in (Action.PLAY, Action.RESUME):
            assert playback.state is PlaybackState.PLAYING
            assert playback.title == event.title
        if playback.state is PlaybackState.IDLE:
            assert playback.title is None
            assert playback.expires_at is None
        else:
            assert playback.expires_at is not None
            assert playback.expires_at > playback.changed_at
        now += timedelta(seconds=apart)
