"""What a history keeps in memory of its plays: enough to count and to find them.

Plays themselves stay on disk. Hundreds of thousands have to fit, so an entry is a row in
a few arrays, and an id is known by its hash only. Two ids that share a hash by chance (one
in 10^8 for a large history) could at worst miscount the plays of a title: a play is merged
only after its stored title has been compared.
"""

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, tzinfo

from ..domain.play import Play, Source
from ..domain.rules import viewing_span
from ..domain.title import (
    DATED,
    PLAYABLE,
    MediaType,
    Title,
    identities,
    is_exclusive,
    is_item,
    is_own,
    name_identity,
    number_of,
    years_differ,
)

_NONE = -1
_REMOVED = 255
_SHARDS = 64
"""Dictionaries that ids are spread over: a single one would hold up everything else for
60 ms when it grows."""
_NAMESAKES = 16
"""Titles that are told apart by a name: what is beyond takes the place of the last."""
_YEARS = range(1, 2**15)
_TYPES = {media_type: number for number, media_type in enumerate(PLAYABLE)}


class PlayIndex:
    """Plays by title and time, and counts of them."""

    def __init__(self, time_zone: tzinfo) -> None:
        """Start empty; days are those of the given time zone."""
        self._time_zone = time_zone
        # One row a play.
        self._watched = array("d")  # epoch seconds
        self._title = array("i")
        self._part = array("i")
        self._duration = array("i")  # seconds, 0 if unknown
        self._type = array("B")
        self._previous = array("i")  # the play of the same title before this row
        # One row a title.
        self._last = array("i")
        self._same_as = array("i")
        self._kinds = array("Q")  # a bit for each kind of id that is known
        self._number = array("q")  # hash of season and episode, 0 if unknown
        self._year = array("h")  # of what goes by one, 0 if unknown
        self._titles: tuple[dict[int, int], ...] = tuple({} for _ in range(_SHARDS))
        self._kind_bits: dict[str, int] = {}
        self._items = 0
        self._own = 0
        self._exclusive = 0

        self.per_type: Counter[str] = Counter()
        self.per_day: Counter[int] = Counter()
        """Plays per local day, by its proleptic ordinal."""
        self.seconds_per_day: Counter[int] = Counter()

    def __len__(self) -> int:
        """Return how many plays there are."""
        return self.per_type.total()

    def add(self, play: Play, part: int) -> None:
        """Add a play that is stored in the given part."""
        title = self._learn(play.title)
        row = len(self._watched)
        self._watched.append(play.watched_at.timestamp())
        self._title.append(title)
        self._part.append(part)
        self._duration.append(play.title.duration or 0)
        self._type.append(_TYPES[play.title.media_type])
        self._previous.append(self._last[title])
        self._last[title] = row
        self._count(row, 1)

    def remove(self, play: Play, part: int) -> None:
        """Take a play out again."""
        if (row := self._row(play, part)) is None:
            return
        self._count(row, -1)
        self._type[row] = _REMOVED

    def replace(self, old: Play, new: Play, part: int) -> None:
        """Take note that a play has changed."""
        self.remove(old, part)
        self.add(new, part)

    def forget(self, part: int) -> None:
        """Take out every play of a part."""
        for row, number in enumerate(self._part):
            if number == part and self._type[row] != _REMOVED:
                self._count(row, -1)
                self._type[row] = _REMOVED

    def viewings(
        self, title: Title, watched_at: datetime, source: Source
    ) -> dict[int, set[float]]:
        """Return when a title was watched that may be of the viewing reported, by part.

        The times are in epoch seconds.
        """
        moment = watched_at.timestamp()
        found: dict[int, set[float]] = {}
        for number in self._candidates(title):
            for row in self._rows(number):
                before, after = viewing_span(
                    source,
                    self._duration[row] or None,
                    title.duration,
                    title.media_type,
                )
                later = self._watched[row] - moment
                if -before.total_seconds() <= later <= after.total_seconds():
                    moments = found.setdefault(self._part[row], set())
                    moments.add(self._watched[row])
        return found

    def times(self, title: Title) -> list[float]:
        """Return when a title was watched, in epoch seconds, in no order."""
        return [
            self._watched[row]
            for number in self.numbers(title)
            for row in self._rows(number)
        ]

    def duration(self, title: Title) -> int | None:
        """Return the run time in seconds that a play of a title tells, None if none does."""
        return next(
            (
                self._duration[row]
                for number in self.numbers(title)
                for row in self._rows(number)
                if self._duration[row]
            ),
            None,
        )

    def numbers(self, title: Title) -> list[int]:
        """Return the numbers that a title goes by here, played or not."""
        return self._matches(title, identities(title), self._namesakes(title))

    def count_besides(
        self, numbers: Iterable[int], media_types: Collection[MediaType]
    ) -> int:
        """Return how many titles of some kinds have plays, without those of some numbers."""
        kinds = {_TYPES[media_type] for media_type in media_types}
        played = {
            self._find(title)
            for title, kind in zip(self._title, self._type, strict=False)
            if kind in kinds
        }
        return len(played.difference(map(self._find, numbers)))

    def latest_part(self) -> int | None:
        """Return the part with the latest play."""
        latest = max(
            (
                row
                for row, media_type in enumerate(self._type)
                if media_type != _REMOVED
            ),
            key=self._watched.__getitem__,
            default=None,
        )
        return None if latest is None else self._part[latest]

    def _count(self, row: int, change: int) -> None:
        day = datetime.fromtimestamp(self._watched[row], self._time_zone).toordinal()
        self.per_type[PLAYABLE[self._type[row]]] += change
        self.per_day[day] += change
        self.seconds_per_day[day] += change * self._duration[row]

    def _row(self, play: Play, part: int) -> int | None:
        moment = play.watched_at.timestamp()
        for number in self.numbers(play.title):
            for row in self._rows(number):
                if self._part[row] == part and self._watched[row] == moment:
                    return row
        return None

    def _rows(self, title: int) -> Iterator[int]:
        row = self._last[title]
        while row != _NONE:
            if self._type[row] != _REMOVED:
                yield row
            row = self._previous[row]

    def _find(self, title: int) -> int:
        while self._same_as[title] != title:
            title = self._same_as[title]
        return title

    def _bits(self, kinds: dict[str, str]) -> int:
        bits = 0
        for kind in kinds:
            if (bit := self._kind_bits.get(kind)) is None:
                # Beyond 64 kinds of id the last bit stands for all further ones.
                bit = self._kind_bits[kind] = 1 << min(len(self._kind_bits), 63)
                if is_item(kind):
                    self._items |= bit
                if is_own(kind):
                    self._own |= bit
                if is_exclusive(kind):
                    self._exclusive |= bit
            bits |= bit
        return bits

    def _matches(
        self, title: Title, kinds: dict[str, str], namesakes: list[int]
    ) -> list[int]:
        """Return the titles that are the same as the given one: `same_title`, in bits."""
        bits = self._bits(kinds)
        agreed: dict[int, int] = {}
        for kind, value in kinds.items():
            candidate = self._get(title, f"{kind}={value}")
            if candidate is not None:
                agreed[candidate] = agreed.get(candidate, 0) | self._kind_bits[kind]
        found = [
            candidate
            for candidate, agreed_bits in agreed.items()
            if not self._contradicts(candidate, title, bits, agreed_bits)
        ]
        others = [number for number in namesakes if number not in agreed]
        if not others:
            return found
        named, year = 0, _year_of(title)
        for number in found:
            bits |= self._kinds[number]
            year = year or self._year[number]
        for candidate in others:
            # A name that may be that of several, which are told apart, is that of one.
            if (
                candidate not in found
                and not self._kinds[candidate] & named
                and self._is_namesake(candidate, title, bits, year)
            ):
                found.append(candidate)
                named |= self._kinds[candidate]
                bits |= self._kinds[candidate]
                year = year or self._year[candidate]
        return found

    def _contradicts(
        self, candidate: int, title: Title, bits: int, agreed: int
    ) -> bool:
        """Say whether more speaks against a title than the ids that agree speak for it."""
        shared = self._kinds[candidate] & bits
        known, number = self._number[candidate], _hash_of_number(title)
        if shared & ~agreed & self._exclusive and known and number and known != number:
            return True
        if own := shared & self._own:
            return not agreed & own
        return bool(shared & ~self._items) and not agreed & ~self._items

    def _is_namesake(self, candidate: int, title: Title, bits: int, year: int) -> bool:
        """Say whether what goes by the same name is the same: `same_title`, in bits.

        None of its ids agrees. `bits` and `year` are what is known by now of the title.
        """
        known, its_year = self._kinds[candidate], self._year[candidate]
        if known & bits & ~self._items:
            return False
        if title.media_type in DATED and not year and not its_year:
            return not known & bits
        return not years_differ(
            year or None, its_year or None, by_name_alone=not (known and bits)
        )

    def _namesakes(self, title: Title) -> list[int]:
        """Return the titles that go by the same name, one that others have joined repeatedly."""
        found: list[int] = []
        if (name := name_identity(title)) is not None:
            key = name
            while (number := self._get(title, key)) is not None:
                found.append(number)
                if len(found) == _NAMESAKES:
                    break
                key = f"{name}#{len(found)}"
        return found

    def _put_name(self, title: Title, number: int, namesakes: list[int]) -> None:
        """Have a title go by its name, after those that do already."""
        if number in namesakes or number in map(self._find, namesakes):
            return
        if (name := name_identity(title)) is not None:
            place = min(len(namesakes), _NAMESAKES - 1)
            self._put(title, f"{name}#{place}" if place else name, number)

    def _candidates(self, title: Title) -> set[int]:
        """Return every title that shares an id or the name: what it is, its plays tell."""
        found = set(self._namesakes(title))
        for kind, value in identities(title).items():
            if (number := self._get(title, f"{kind}={value}")) is not None:
                found.add(number)
        return found

    def _learn(self, title: Title) -> int:
        """Return a title's number, joining titles that turn out to be the same."""
        kinds, namesakes = identities(title), self._namesakes(title)
        found = self._matches(title, kinds, namesakes)
        if not found:
            number = len(self._last)
            self._last.append(_NONE)
            self._same_as.append(number)
            self._kinds.append(0)
            self._number.append(0)
            self._year.append(0)
        else:
            number = found[0]
            for other in found[1:]:
                self._join(number, other)
        for kind, value in kinds.items():
            # A library that was built anew gives its item ids to other titles. Any other
            # id stays with its first title, and says nothing of one that came by it
            # by mistake.
            identity = f"{kind}={value}"
            if is_item(kind) or self._get(title, identity) in (None, number):
                self._put(title, identity, number)
                self._kinds[number] |= self._kind_bits[kind]
        self._number[number] = self._number[number] or _hash_of_number(title)
        self._year[number] = self._year[number] or _year_of(title)
        self._put_name(title, number, namesakes)
        return number

    def _get(self, title: Title, identity: str) -> int | None:
        key = hash((title.media_type, identity))
        number = self._titles[key % _SHARDS].get(key)
        return None if number is None else self._find(number)

    def _put(self, title: Title, identity: str, number: int) -> None:
        key = hash((title.media_type, identity))
        self._titles[key % _SHARDS][key] = number

    def _join(self, title: int, other: int) -> None:
        self._same_as[other] = title
        self._kinds[title] |= self._kinds[other]
        self._year[title] = self._year[title] or self._year[other]
        row = self._last[other]
        if row == _NONE:
            return
        first = row
        while self._previous[first] != _NONE:
            first = self._previous[first]
        self._previous[first] = self._last[title]
        self._last[title] = row


def _hash_of_number(title: Title) -> int:
    """Return a hash of an episode's season and number, 0 if either is unknown."""
    return hash(number_of(title) or 0)


def _year_of(title: Title) -> int:
    """Return the year of what goes by one, 0 if it is unknown."""
    year = title.year or 0
    return year if title.media_type in DATED and year in _YEARS else 0
