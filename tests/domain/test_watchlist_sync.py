"""Tests of bringing a watchlist here and one at Plex together."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
import time
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.media_scrobbler.domain.title import MediaType, Title, same_title
from custom_components.media_scrobbler.domain.watchlist import (
    Origin,
    WatchlistItem,
    candidates,
    completed,
    label,
    moved,
    renamed,
    typed_title,
)
from custom_components.media_scrobbler.domain.watchlist_sync import (
    Plan,
    Remote,
    asked,
    is_suspicious,
    plan,
    to_ask_again,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER = datetime(2026, 11, 1, tzinfo=UTC)


def film(number: int, **details: Any) -> Title:
    """Return a film; the same number is the same film."""
    described: dict[str, Any] = {
        "media_type": MediaType.MOVIE,
        "title": f"Film {number}",
        "year": 2000 + number % 25,
        "ids": {"tmdb": number},
    }
    return Title(**described | details)


def entry(title: Title | int, guid: str | None = None) -> Remote:
    """Return an entry at Plex, by its title or the number of its film."""
    if isinstance(title, int):
        guid = guid or f"plex://movie/{title}"
        title = film(title)
    return Remote(guid or "plex://movie/x", title, "https://example.com/poster.jpg")


def typed(text: str, uid: str = "t", **details: Any) -> WatchlistItem:
    """Return an item that somebody typed."""
    described: dict[str, Any] = {"title": typed_title(text), "kind_is_guessed": True}
    return WatchlistItem(
        uid=uid,
        added_at=EARLIER,
        origin=Origin.MANUAL,
        **described | details,
    )


@dataclass
class Lists:
    """A list here and one at Plex, and the runs that bring them together."""

    here: tuple[WatchlistItem, ...] = ()
    there: list[Remote] = field(default_factory=list)
    before: frozenset[str] = frozenset()
    both_ways: bool = False
    _uids: Iterable[int] = field(default_factory=count)

    def run(self) -> Plan:
        """Do all that a plan says, Plex's side included."""
        uids = iter(self._uids)
        done = plan(
            self.here,
            self.there,
            self.before,
            both_ways=self.both_ways,
            now=NOON,
            new_uid=lambda: f"new {next(uids)}",
        )
        self.here = done.items
        self.there = [
            remote
            for remote in self.there
            if remote.guid not in {gone.guid for gone in done.remove_there}
        ]
        for item in done.add_there:
            remote = _sent(item)
            if remote.guid not in {known.guid for known in self.there}:
                self.there.insert(0, remote)
            self.here = tuple(
                completed(known, remote.title) if known.uid == item.uid else known
                for known in self.here
            )
        self.before = frozenset(remote.guid for remote in self.there)
        return done

    def drop_here(self, name: str) -> None:
        """Remove an item by what the list shows."""
        kept = tuple(item for item in self.here if label(item) != name)
        assert len(kept) < len(self.here)
        self.here = kept

    def drop_there(self, number: int) -> None:
        """Remove a film at Plex."""
        self.there.remove(entry(number))

    def change_here(self, name: str, **details: Any) -> None:
        """Change an item by what the list shows."""
        self.here = tuple(
            replace(item, **details) if label(item) == name else item
            for item in self.here
        )

    @property
    def names(self) -> list[str]:
        """Return what the list shows."""
        return [label(item) for item in self.here]


def _sent(item: WatchlistItem) -> Remote:
    """Return the entry that adding an item makes: Plex has found it by id or name."""
    name = str(item.title.title)
    guid = str(item.title.ids.get("plex", f"plex://movie/{name}"))
    if "plex" not in item.title.ids and name.startswith("Film "):
        return catalogued(int(name.removeprefix("Film ")))
    ids = item.title.ids | {"plex": guid}
    return Remote(guid, replace(item.title, ids=ids), None)


def catalogued(number: int, copy: str = "a") -> Remote:
    """Return an entry of which Plex knows everything."""
    guid = f"plex://{number}/{copy}"
    title = film(
        number,
        ids={"tmdb": number, "imdb": f"tt{number}", "plex": guid},
        media_type=MediaType.SHOW if number % 2 else MediaType.MOVIE,
    )
    return Remote(guid, title, None)


def changes(done: Plan) -> tuple[int, int, int, int]:
    """Return how much was imported, removed here, added there and removed there."""
    return (
        len(done.imported),
        len(done.removed_here),
        len(done.add_there),
        len(done.remove_there),
    )


def assert_settled(lists: Lists) -> None:
    """Check that a further run changes nothing."""
    here = lists.here
    there = list(lists.there)
    assert changes(lists.run()) == (0, 0, 0, 0)
    assert lists.here == here
    assert lists.there == there


def test_the_first_import() -> None:
    lists = Lists(there=[entry(1), entry(2)])

    done = lists.run()

    assert lists.here == done.imported
    assert lists.here[0] == WatchlistItem(
        uid="new 0",
        title=film(1, ids={"tmdb": 1, "plex": "plex://movie/1"}),
        added_at=NOON,
        origin=Origin.PLEX,
        poster="https://example.com/poster.jpg",
    )
    assert lists.names == ["Film 1 (2001)", "Film 2 (2002)"]
    assert_settled(lists)


def test_what_is_new_there_comes_to_the_top() -> None:
    lists = Lists(there=[entry(1), entry(2)])
    lists.run()
    lists.here = moved(lists.here, "new 1", None)
    lists.there = [entry(4), entry(3), *lists.there]

    done = lists.run()

    assert [item.title.title for item in done.imported] == ["Film 4", "Film 3"]
    assert [item.title.title for item in lists.here] == [
        "Film 4",
        "Film 3",
        "Film 2",
        "Film 1",
    ]
    assert done.already_present == 2
    assert_settled(lists)


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("done_at", [None, EARLIER])
def test_what_was_typed_and_is_there_too(
    both_ways: bool, done_at: datetime | None
) -> None:
    lists = Lists(
        (typed("film 1 [2001]", done_at=done_at),), [entry(1)], both_ways=both_ways
    )

    done = lists.run()

    assert changes(done) == (0, 0, 0, 0)
    assert done.already_present == 1
    assert lists.here == (
        typed(
            "film 1 [2001]",
            title=film(1, title="film 1", ids={"tmdb": 1, "plex": "plex://movie/1"}),
            kind_is_guessed=False,
            poster="https://example.com/poster.jpg",
            done_at=done_at,
        ),
    )
    assert_settled(lists)


def test_a_show_that_was_typed() -> None:
    show = Title(media_type=MediaType.SHOW, title="Harbour Lights", year=2021)
    lists = Lists((typed("Harbour Lights (2021)"),), [entry(show, "plex://show/1")])

    done = lists.run()

    assert done.imported == ()
    assert lists.here[0].title.media_type is MediaType.SHOW
    assert_settled(lists)


def test_a_movie_and_a_show_of_one_name() -> None:
    movie, show = (
        Title(media_type=kind, title="Fargo", year=1996)
        for kind in (MediaType.MOVIE, MediaType.SHOW)
    )
    lists = Lists(
        (typed("Fargo (1996)"),),
        [entry(show, "plex://show/1"), entry(movie, "plex://movie/1")],
    )

    done = lists.run()

    assert [item.title.media_type for item in done.imported] == [MediaType.SHOW]
    assert lists.here[1].title.media_type is MediaType.MOVIE
    assert_settled(lists)


@pytest.mark.parametrize("both_ways", [False, True])
def test_what_was_typed_without_a_year(both_ways: bool) -> None:
    lists = Lists((typed("film 1"),), [entry(1)], both_ways=both_ways)

    done = lists.run()

    assert changes(done) == (0, 0, 0, 0)
    assert lists.names == ["film 1 (2001)"]
    assert lists.here[0].title.ids == {"tmdb": 1, "plex": "plex://movie/1"}
    assert_settled(lists)


@pytest.mark.parametrize(
    "there",
    [
        [entry(1), entry(film(1, year=1971, ids={"tmdb": 5}), "plex://movie/5")],
        [entry(1), entry(film(1, media_type=MediaType.SHOW), "plex://show/1")],
    ],
)
def test_what_was_typed_without_a_year_and_may_be_several(there: list[Remote]) -> None:
    lists = Lists((typed("film 1"),), there)

    assert len(lists.run().imported) == 2
    assert lists.names[-1] == "film 1"
    assert_settled(lists)


@pytest.mark.parametrize("order", [1, -1])
def test_what_was_typed_without_a_year_beside_what_is_there(order: int) -> None:
    lists = Lists((typed("film 1"), typed("film 1 (2001)", uid="u"))[::order])
    lists.there = [entry(1)]

    assert changes(lists.run()) == (0, 0, 0, 0)
    assert lists.names == ["film 1", "film 1 (2001)"][::order]
    assert_settled(lists)


def test_a_poster_that_is_known_stays() -> None:
    lists = Lists(
        (typed("Film 1 (2001)", poster="https://example.com/own"),), [entry(1)]
    )

    lists.run()

    assert lists.here[0].poster == "https://example.com/own"


@pytest.mark.parametrize("both_ways", [False, True])
def test_what_was_removed_here_does_not_come_back(both_ways: bool) -> None:
    lists = Lists(there=[entry(1), entry(2)], both_ways=both_ways)
    lists.run()
    lists.drop_here("Film 1 (2001)")

    done = lists.run()

    assert lists.names == ["Film 2 (2002)"]
    assert len(done.remove_there) == both_ways
    assert done.already_present == 1
    assert len(lists.there) == 2 - both_ways
    assert_settled(lists)


def test_what_was_removed_here_and_is_added_there_again_is_new() -> None:
    lists = Lists(there=[entry(1), entry(2)])
    lists.run()
    lists.drop_here("Film 1 (2001)")
    lists.run()
    lists.drop_there(1)
    lists.run()
    lists.there.insert(0, entry(1))

    done = lists.run()

    assert [label(item) for item in done.imported] == ["Film 1 (2001)"]
    assert_settled(lists)


@pytest.mark.parametrize("both_ways", [False, True])
def test_what_was_removed_there(both_ways: bool) -> None:
    lists = Lists(there=[entry(1), entry(2)], both_ways=both_ways)
    lists.run()
    lists.drop_there(1)

    done = lists.run()

    assert [label(item) for item in done.removed_here] == ["Film 1 (2001)"][
        : int(both_ways)
    ]
    assert changes(done) == (0, int(both_ways), 0, 0)
    assert len(lists.here) == 2 - both_ways
    assert_settled(lists)


@pytest.mark.parametrize("both_ways", [False, True])
def test_what_is_done_here_and_removed_there_stays(both_ways: bool) -> None:
    lists = Lists(there=[entry(1), entry(2)], both_ways=both_ways)
    lists.run()
    lists.change_here("Film 1 (2001)", done_at=NOON)
    lists.run()
    assert len(lists.there) == 2
    lists.drop_there(1)

    done = lists.run()

    assert changes(done) == (0, 0, 0, 0)
    assert len(lists.here) == 2
    assert_settled(lists)


def test_what_is_wanted_again_is_added_there_again() -> None:
    lists = Lists(there=[entry(1), entry(2)], both_ways=True)
    lists.run()
    lists.change_here("Film 1 (2001)", done_at=NOON)
    lists.drop_there(1)
    lists.run()
    lists.change_here("Film 1 (2001)", done_at=None)

    assert changes(lists.run()) == (0, 0, 1, 0)

    assert {remote.guid for remote in lists.there} == {
        "plex://movie/1",
        "plex://movie/2",
    }
    assert_settled(lists)


def test_what_is_only_here_is_added_there_if_wanted() -> None:
    lists = Lists(
        (typed("Low Water"), typed("Fog Signal", uid="u", done_at=EARLIER)),
        both_ways=True,
    )

    done = lists.run()

    assert [label(item) for item in done.add_there] == ["Low Water"]
    assert len(lists.here) == 2
    assert_settled(lists)
    # And is known from then on: removed there, it goes.
    lists.there.clear()
    assert [label(item) for item in lists.run().removed_here] == ["Low Water"]


def test_what_is_here_twice_stays_so() -> None:
    lists = Lists((typed("Low Water"), typed("Low Water", uid="u")), both_ways=True)

    lists.run()

    assert len(lists.here) == 2
    assert len(lists.there) == 1
    assert_settled(lists)
    lists.there.clear()
    assert len(lists.run().removed_here) == 2


def test_a_year_that_was_taken_away() -> None:
    lists = Lists(there=[catalogued(2)], both_ways=True)
    lists.run()
    lists.here = (renamed(lists.here[0], "Film 2", NOON),)

    assert changes(lists.run()) == (0, 0, 0, 0)

    assert lists.there == [catalogued(2)]
    assert lists.names == ["Film 2 (2002)"]
    assert_settled(lists)


def test_what_could_not_be_added_there_is_tried_again() -> None:
    here = (typed("Low Water"),)
    nothing: list[Remote] = []
    for _ in range(2):
        done = plan(
            here, nothing, frozenset(), both_ways=True, now=NOON, new_uid=lambda: "n"
        )
        assert done.add_there == done.items == here


def test_the_first_run_removes_nothing() -> None:
    known = plan(
        (), [entry(1)], frozenset(), both_ways=False, now=NOON, new_uid=lambda: "1"
    ).items
    lists = Lists((*known, typed("Low Water")), [entry(2)], both_ways=True)

    done = lists.run()

    assert changes(done) == (1, 0, 2, 0)
    assert len(lists.here) == len(lists.there) == 3
    assert_settled(lists)


@pytest.mark.parametrize("both_ways", [False, True])
def test_one_way_sends_and_removes_nothing_until_it_is_both_ways(
    both_ways: bool,
) -> None:
    lists = Lists((typed("Low Water"),), [entry(1), entry(2), entry(3)])
    lists.run()
    lists.drop_here("Film 1 (2001)")
    lists.drop_there(2)
    lists.both_ways = both_ways

    done = lists.run()

    assert changes(done) == ((0, 1, 1, 1) if both_ways else (0, 0, 0, 0))
    assert_settled(lists)


@pytest.mark.parametrize("both_ways", [False, True])
def test_what_was_renamed_is_another_title(both_ways: bool) -> None:
    lists = Lists(there=[entry(1), entry(2)], both_ways=both_ways)
    lists.run()
    lists.here = tuple(
        renamed(item, "Low Water", NOON) if item.uid == "new 0" else item
        for item in lists.here
    )

    done = lists.run()

    assert lists.names == ["Low Water", "Film 2 (2002)"]
    assert changes(done) == ((0, 0, 1, 1) if both_ways else (0, 0, 0, 0))
    assert_settled(lists)


def test_what_was_renamed_to_something_that_is_there() -> None:
    lists = Lists(there=[entry(1)], both_ways=True)
    lists.run()
    lists.here = (renamed(lists.here[0], "Film 2 (2002)", NOON),)
    lists.there.insert(0, entry(2))

    done = lists.run()

    assert changes(done) == (0, 0, 0, 1)
    assert lists.names == ["Film 2 (2002)"]
    assert lists.here[0].title.ids["plex"] == "plex://movie/2"
    assert_settled(lists)


@pytest.mark.parametrize("both_ways", [False, True])
def test_another_guid_for_the_same_title(both_ways: bool) -> None:
    lists = Lists(there=[entry(1)], both_ways=both_ways)
    lists.run()
    lists.there = [entry(1, "plex://movie/other")]

    done = lists.run()

    assert changes(done) == (0, 0, 0, 0)
    assert lists.here[0].title.ids == {"tmdb": 1, "plex": "plex://movie/other"}
    assert_settled(lists)
    lists.there = []
    assert len(lists.run().removed_here) == both_ways


def test_two_entries_for_one_title() -> None:
    lists = Lists(there=[entry(1), entry(1, "plex://movie/other")], both_ways=True)

    done = lists.run()

    assert (len(done.imported), done.already_present) == (1, 1)
    assert_settled(lists)
    # As long as one of them is there, so is the title.
    del lists.there[0]
    assert changes(lists.run()) == (0, 0, 0, 0)
    assert_settled(lists)
    lists.drop_here("Film 1 (2001)")
    assert len(lists.run().remove_there) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_a_new_entry_for_a_title_that_was_removed_here_brings_it_back(
    order: int,
) -> None:
    lists = Lists(there=[entry(1)], both_ways=True)
    lists.run()
    lists.here = ()
    lists.there = [entry(1), entry(1, "plex://movie/other")][::order]

    done = lists.run()

    assert changes(done) == (1, 0, 0, 0)
    assert_settled(lists)


def test_two_entries_for_an_item_that_is_removed_here() -> None:
    lists = Lists(there=[entry(1), entry(1, "plex://movie/other")], both_ways=True)
    lists.run()
    lists.here = ()

    assert len(lists.run().remove_there) == 2

    assert_settled(lists)


def test_an_entry_that_has_become_another_kind_is_still_the_same() -> None:
    lists = Lists(there=[entry(1)], both_ways=True)
    lists.run()
    lists.there = [replace(entry(1), title=film(1, media_type=MediaType.SHOW))]

    assert changes(lists.run()) == (0, 0, 0, 0)

    assert_settled(lists)


# What Plex does not let go of, and what is not known of it


def drawn_up(
    here: Iterable[WatchlistItem],
    there: Iterable[Remote],
    before: Iterable[int],
    **details: Any,
) -> Plan:
    """Return a plan for both ways; `before` are the numbers of films."""
    uids = count()
    return plan(
        tuple(here),
        list(there),
        frozenset(f"plex://movie/{number}" for number in before),
        both_ways=True,
        now=NOON,
        new_uid=lambda: f"new {next(uids)}",
        **details,
    )


def imported(number: int, **details: Any) -> WatchlistItem:
    """Return an item that came from Plex."""
    title = film(number)
    described: dict[str, Any] = {
        "title": replace(title, ids=title.ids | {"plex": f"plex://movie/{number}"}),
        "added_at": EARLIER,
    }
    return WatchlistItem(
        uid=f"film {number}", origin=Origin.PLEX, **described | details
    )


def test_what_plex_has_refused_to_remove_is_neither_removed_nor_imported() -> None:
    done = drawn_up([], [entry(1), entry(2)], [1, 2], refused={"plex://movie/1"})
    assert [remote.guid for remote in done.remove_there] == ["plex://movie/2"]
    assert (done.items, done.already_present) == ((), 0)


def test_what_is_undecided_stays_as_it_is() -> None:
    here = [typed("Film 1 (2001)"), imported(2)]
    there = [entry(1), entry(2), entry(3)]
    undecided = {entry.guid for entry in there}
    done = drawn_up(here, there, [2], undecided=undecided)
    assert done.items == (here[0], replace(imported(2), poster=there[1].poster))
    assert (done.imported, done.add_there, done.remove_there) == ((), (), ())
    assert done.already_present == 2


@pytest.mark.parametrize(
    ("unread", "kept"),
    [
        ([], []),
        ([None], [1, 2]),
        ([Title(media_type=MediaType.MOVIE, title="film 1")], [1]),
        ([Title(media_type=MediaType.SHOW, title="Film 1", year=1900)], [1]),
        ([Title(media_type=MediaType.MOVIE, title="Film 3")], []),
    ],
)
def test_what_may_be_an_entry_that_is_not_understood_is_not_removed(
    unread: list[Title | None], kept: list[int]
) -> None:
    here = [imported(1), imported(2), typed("Film 4 (2004)")]
    done = drawn_up(here, [], [1, 2], unread=unread)
    assert done.items == (*map(imported, kept), here[2])
    assert done.add_there == (here[2],)


def test_who_is_asked_again_for_ids() -> None:
    def bare(number: int, hours: float = 2, times: int = 1) -> WatchlistItem:
        return imported(
            number,
            title=film(number, ids={"plex": f"plex://movie/{number}"}),
            ids_asked=times,
            ids_asked_at=NOON - timedelta(hours=hours),
        )

    def numbers(*items: WatchlistItem) -> list[int]:
        guids = to_ask_again(items, NOON)
        return sorted(int(guid.rpartition("/")[2]) for guid in guids)

    assert numbers(imported(1), typed("Film 1 (2001)")) == []
    assert numbers(bare(1), replace(bare(2), done_at=NOON)) == [1]
    for times, hours in ((1, 1), (2, 2), (3, 4), (11, 1024), (12, 1024), (999, 1024)):
        assert numbers(bare(1, hours, times)) == [1]
        assert numbers(bare(1, hours - 0.01, times)) == []
    old = replace(bare(1), ids_asked_at=None, ids_asked=0)
    assert numbers(old) == [1]
    assert numbers(replace(old, added_at=NOON)) == []
    # Those that have waited longest.
    assert numbers(*(bare(number, 2 + number) for number in range(30))) == list(
        range(20, 30)
    )
    found = replace(bare(1), title=film(1))
    assert asked(found, [], NOON) == replace(found, ids_asked_at=None, ids_asked=0)
    assert asked(bare(1), [], NOON) == bare(1)
    assert asked(bare(1), ["plex://movie/1"], NOON) == bare(1, 0, 2)


@pytest.mark.parametrize(
    ("there", "before", "suspicious"),
    [
        (0, 0, False),
        (5, 0, False),
        (0, 1, True),
        (1, 2, False),
        (1, 3, False),
        (0, 3, True),
        (2, 4, True),
        (3, 4, False),
        (2, 5, True),
        (3, 5, False),
        (50, 100, True),
        (51, 100, False),
        (200, 100, False),
    ],
)
def test_what_is_not_to_be_believed(there: int, before: int, suspicious: bool) -> None:
    assert is_suspicious(there, before) is suspicious


def test_a_thousand_of_each() -> None:
    lists = Lists(
        tuple(
            typed(f"Film {number} ({2000 + number % 25})", uid=str(number))
            for number in range(1000)
        ),
        [entry(number) for number in range(500, 1500)],
    )
    assert len(lists.run().imported) == 500

    began = time.perf_counter()
    assert_settled(lists)

    # Comparing each with each takes many seconds.
    assert time.perf_counter() - began < 1


# What holds whatever happens

WORKS = 6
works = st.integers(0, WORKS - 1)


@st.composite
def some_titles(draw: st.DrawFn) -> Title:
    """Return a title as one of several sources knows it."""
    number = draw(works)
    ids: dict[str, str | int] = {}
    if draw(st.booleans()):
        ids["tmdb"] = number
    if draw(st.booleans()):
        ids["imdb"] = f"tt{number}"
    return film(
        number, ids=ids, media_type=MediaType.SHOW if number % 2 else MediaType.MOVIE
    )


@st.composite
def some_entries(draw: st.DrawFn) -> list[Remote]:
    """Return what is at Plex: some of it twice, under another guid."""
    guids = draw(
        st.lists(st.tuples(works, st.sampled_from("ab")), max_size=6, unique=True)
    )
    return [catalogued(number, copy) for number, copy in guids]


some_items = st.builds(
    WatchlistItem,
    uid=st.uuids().map(str),
    title=some_titles(),
    added_at=st.just(EARLIER),
    origin=st.sampled_from(Origin),
    done_at=st.none() | st.just(EARLIER),
)
guessed_items = st.builds(
    lambda number, uid, done_at: typed(
        f"Film {number} ({2000 + number})", uid=uid, done_at=done_at
    ),
    works,
    st.uuids().map(str),
    st.none() | st.just(EARLIER),
)
some_lists = st.builds(
    Lists,
    here=st.lists(some_items | guessed_items, max_size=6).map(tuple),
    there=some_entries(),
    both_ways=st.booleans(),
)
# What a person does here, and what happens at Plex, between two runs.
deeds = st.tuples(
    st.sampled_from(["drop", "do", "undo", "rename", "add", "move"]),
    st.integers(0, 9),
)
rounds = st.lists(
    st.tuples(st.lists(deeds, max_size=3), st.none() | some_entries(), st.booleans()),
    max_size=4,
)


def perform(lists: Lists, deed: str, number: int, uids: Iterable[str]) -> None:
    """Do something to the list here."""
    if deed == "add":
        text = f"Film {number % WORKS} ({2000 + number % WORKS})"
        lists.here = (typed(text, uid=next(iter(uids))), *lists.here)
        return
    if not lists.here:
        return
    items = list(lists.here)
    item = items[number % len(items)]
    match deed:
        case "drop":
            items.remove(item)
        case "do" | "undo":
            done_at = NOON if deed == "do" else None
            items[items.index(item)] = replace(item, done_at=done_at)
        case "rename":
            items[items.index(item)] = renamed(item, f"Film {number % WORKS}", NOON)
        case "move":
            items = list(moved(lists.here, item.uid, items[-1].uid))
    lists.here = tuple(items)


def is_same(item: WatchlistItem, remote: Remote) -> bool:
    """Say whether an entry may be what an item means."""
    return any(same_title(title, remote.title) for title in candidates(item))


@settings(derandomize=True, database=None, deadline=None, max_examples=500)
@given(lists=some_lists, rounds=rounds)
def test_whatever_happens(
    lists: Lists, rounds: list[tuple[list[tuple[str, int]], list[Remote] | None, bool]]
) -> None:
    uids = map("added {}".format, count())
    first = True
    for happened, there, both_ways in [([], None, lists.both_ways), *rounds]:
        for deed, number in happened:
            perform(lists, deed, number, uids)
        lists.there = lists.there if there is None else there
        lists.both_ways = both_ways
        here, there_then, before = lists.here, list(lists.there), lists.before

        done = lists.run()

        # Nothing is lost but what was there before and is not any more, and not done.
        kept = {item.uid for item in lists.here}
        gone = [item for item in here if item.uid not in kept]
        assert gone == list(done.removed_here)
        for item in gone:
            assert both_ways and not first
            assert item.done_at is None
            assert item.title.ids["plex"] in before
            assert not any(is_same(item, remote) for remote in there_then)
        assert [
            item.uid for item in lists.here if item.uid in {i.uid for i in here}
        ] == [item.uid for item in here if item.uid in kept]
        # At Plex goes only what was there before and is not here.
        for remote in done.remove_there:
            assert both_ways and not first
            assert remote.guid in before
            assert not any(is_same(item, remote) for item in here)
        # Every entry is accounted for, and everything new there is here now.
        assert len(there_then) == len(done.imported) + done.already_present + sum(
            remote.guid in before
            and not any(is_same(item, remote) for item in done.items)
            for remote in there_then
        )
        for remote in there_then:
            if remote.guid not in before:
                assert any(is_same(item, remote) for item in lists.here)
        # What comes and goes does not change what stays.
        for item in done.items:
            if old := next((known for known in here if known.uid == item.uid), None):
                assert (
                    replace(
                        item,
                        title=old.title,
                        poster=old.poster,
                        kind_is_guessed=old.kind_is_guessed,
                    )
                    == old
                )
                assert label(item).removesuffix(f" ({item.title.year})") == (
                    label(old).removesuffix(f" ({item.title.year})")
                )
        if both_ways:
            for item in lists.here:
                assert item.done_at or any(
                    is_same(item, remote) for remote in lists.there
                )
            for remote in lists.there:
                assert any(is_same(item, remote) for item in lists.here)
        if done.add_there:
            # What is done here may be the same as what has just been added there.
            assert changes(lists.run()) == (0, 0, 0, 0)
        assert_settled(lists)
        first = False
