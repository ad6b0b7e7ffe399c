"""What is kept in memory of a library: enough to count its items and to find titles in it.

Items themselves stay on disk. Hundreds of thousands have to fit, so an item is a row in a
few arrays, and what identifies it is known by a hash of 64 bits only. Two identities that
share a hash by chance (one in 10^7 for a large library) would be taken for each other.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator

from ..domain.title import (
    DATED,
    MediaType,
    Title,
    identities,
    is_item,
    is_of_plex,
    name_identity,
    number_of,
)

_REMOVED = 255
_SHARDS = 1024
"""Pieces that the keys are sorted in: to enter one moves a few kilobytes at most."""
_TYPES = tuple(MediaType)
_TYPE_NUMBERS = {media_type: number for number, media_type in enumerate(_TYPES)}
_SOURCES = ("tmdb", "tvdb", "imdb", "plex")
"""The sources of ids, in the order in which they decide; any other one comes after."""
_YEARS = range(1, 2**15)


def item_id(title: Title) -> str | None:
    """Return the item id of a server's title, which has one entry in `items`."""
    return next(iter(title.items.values()), None)


class _Keys:
    """Rows by key, several of them for one if need be, at 12 bytes an entry."""

    def __init__(self) -> None:
        self._shards = tuple((array("q"), array("i")) for _ in range(_SHARDS))

    def add(self, key: int, row: int) -> None:
        """Enter a row."""
        keys, rows = self._shards[key % _SHARDS]
        at = bisect_right(keys, key)
        keys.insert(at, key)
        rows.insert(at, row)

    def get(self, key: int) -> array[int]:
        """Return the rows of a key in the order in which they were entered."""
        keys, rows = self._shards[key % _SHARDS]
        first = bisect_left(keys, key)
        return rows[first : bisect_right(keys, key, first)]


class LibraryIndex:
    """The items of a library by what identifies their titles, and counts of them.

    An item that is removed leaves its keys behind: they go when the library is indexed
    anew, at a start or by a scan.
    """

    def __init__(self) -> None:
        # One row an item.
        self._items: list[str] = []
        self._type = array("B")
        self._part = array("i")
        self._kinds = array("Q")  # a bit for each kind of id that is known
        self._number = array("q")  # hash of season and episode, 0 if unknown
        self._year = array("h")  # 0 if unknown
        self._keys = _Keys()
        self._kind_bits = {kind: 1 << bit for bit, kind in enumerate(_SOURCES)}
        self._of_plex = self._kind_bits["plex"]

        self.per_type: Counter[MediaType] = Counter()
        self.without_ids = 0
        """Movies and shows that no database knows; what Plex alone knows is of no use."""

    def __len__(self) -> int:
        """Return how many items there are."""
        return self.per_type.total()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the item ids."""
        return (
            item
            for item, number in zip(self._items, self._type, strict=True)
            if number != _REMOVED
        )

    def add(self, title: Title, part: int) -> int:
        """Add an item that is stored in the given part; returns its row.

        It must not be there already. Raises ValueError for a title without an item id.
        """
        if (item := item_id(title)) is None:
            raise ValueError(f"{title} is no item of a library")
        row = len(self._items)
        ids = _external(title)
        kinds = 0
        for kind in ids:
            kinds |= self._bit(kind)
        self._items.append(item)
        self._type.append(_TYPE_NUMBERS[title.media_type])
        self._part.append(part)
        self._kinds.append(kinds)
        self._number.append(_hash_of_number(title))
        self._year.append(_year_of(title))
        self._count(row, 1)

        self._keys.add(hash(("item", item)), row)
        for show in title.show_items.values():
            self._keys.add(hash(("show item", show)), row)
        for identity in ids.items():
            self._keys.add(hash((title.media_type, identity)), row)
        if (name := name_identity(title)) is not None:
            self._keys.add(hash((title.media_type, name)), row)
        return row

    def remove(self, row: int) -> None:
        """Take an item out again."""
        self._count(row, -1)
        self._type[row] = _REMOVED
        self._items[row] = ""

    def row_of(self, item: str) -> int | None:
        """Return the row of an item, None if it is not in the library."""
        for row in self._rows("item", item):
            if self._items[row] == item:
                return row
        return None

    def rows_of_show(self, item: str) -> list[int]:
        """Return the episodes of a show, by its item id."""
        return self._rows("show item", item)

    def item_of(self, row: int) -> str:
        """Return the item id of a row."""
        return self._items[row]

    def part_of(self, row: int) -> int:
        """Return the part that an item is stored in."""
        return self._part[row]

    def find(self, title: Title, *, is_played: bool = False) -> list[int]:
        """Return every item that is the title: in any section, in any version.

        The kinds of id are tried one after the other, and the first that an item and the
        title both know decides; last is the name, for an item that shares no kind. A name
        without a year finds what is of any year. Of what was played, an item that does not
        say its year is found as well, but none where it may be one of several. The item
        ids of the title say nothing: they may be those of another server.
        """
        found: dict[int, None] = {}
        decided = 0
        for kind, value in sorted(_external(title).items(), key=_rank):
            rows = self._rows(title.media_type, (kind, value))
            if title.media_type is MediaType.EPISODE and not _is_of_show(kind):
                numbers = {self._number[row] for row in rows} - {0}
                if len(numbers) > 1:
                    # It is the id of their show, by mistake.
                    own = _hash_of_number(title)
                    rows = [row for row in rows if own and self._number[row] == own]
                    if not rows:
                        continue
            found.update((row, None) for row in rows if not self._kinds[row] & decided)
            decided |= self._kind_bits.get(kind, 0)
        if (name := name_identity(title)) is not None:
            named = [
                row
                for row in self._rows(title.media_type, name)
                if not self._kinds[row] & decided
            ]
            year = _year_of(title)
            years = ({year} if year else {self._year[row] for row in found}) - {0}
            if years:
                # What is wanted by its year has to say it.
                unknown = set() if year and not is_played else {0}
                named = [row for row in named if self._year[row] in years | unknown]
            if not is_played or len({self._year[row] for row in named} - {0}) < 2:
                found.update(dict.fromkeys(named))
        return list(found)

    def _rows(self, space: str, identity: str | tuple[str, str]) -> list[int]:
        return [
            row
            for row in self._keys.get(hash((space, identity)))
            if self._type[row] != _REMOVED
        ]

    def _count(self, row: int, change: int) -> None:
        media_type = _TYPES[self._type[row]]
        self.per_type[media_type] += change
        if media_type in DATED and not self._kinds[row] & ~self._of_plex:
            self.without_ids += change

    def _bit(self, kind: str) -> int:
        if (bit := self._kind_bits.get(kind)) is None:
            # Beyond 64 kinds of id the last bit stands for all further ones.
            bit = self._kind_bits[kind] = 1 << min(len(self._kind_bits), 63)
            if is_of_plex(kind):
                self._of_plex |= bit
        return bit


def _external(title: Title) -> dict[str, str]:
    """Return what identifies a title on any server: a value per kind of id."""
    return {
        kind: value for kind, value in identities(title).items() if not is_item(kind)
    }


def _rank(identity: tuple[str, str]) -> tuple[bool, int]:
    """Return where a kind of id stands in the order in which they are tried."""
    kind, _ = identity
    source = kind.removeprefix("show ")
    return (
        _is_of_show(kind),
        _SOURCES.index(source) if source in _SOURCES else len(_SOURCES),
    )


def _is_of_show(kind: str) -> bool:
    return kind.startswith("show ")


def _year_of(title: Title) -> int:
    """Return the year of what goes by one, 0 if it is unknown."""
    year = title.year or 0
    return year if title.media_type in DATED and year in _YEARS else 0


def _hash_of_number(title: Title) -> int:
    """Return a hash of an episode's season and number, 0 if either is unknown."""
    return hash(number_of(title) or 0)
