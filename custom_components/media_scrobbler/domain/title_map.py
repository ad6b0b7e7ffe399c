"""Values by title, found by whatever identifies it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Self

from .title import Title, identities, name_identity, same_title, same_year_or_id


class TitleMap[T]:
    """Values by title; which titles are the same is for `same_title` to say.

    A title may be there more than once. One of which nothing is known is never found.
    """

    __slots__ = ("_by_key",)

    def __init__(self, entries: Iterable[tuple[Title, T]] = ()) -> None:
        """Start with these."""
        # Tuples, so that a copy shares them.
        self._by_key: dict[str, tuple[tuple[Title, T], ...]] = {}
        for title, value in entries:
            self.add(title, value)

    def copy(self) -> Self:
        """Return a map of its own with the same entries."""
        copied = type(self)()
        copied._by_key = self._by_key.copy()  # noqa: SLF001
        return copied

    def find(self, title: Title) -> T | None:
        """Return the value of a title, None where there is none.

        None also where it goes by its name, without a year or with one that those of that
        name here do not know, and may be several.
        """
        entries = self._entries(title)
        if (first := next(entries, None)) is None:
            return None
        known, value = first
        if same_year_or_id(known, title) or all(
            same_title(known, other) for other, _ in entries
        ):
            return value
        return None

    def find_all(self, title: Title) -> Iterator[T]:
        """Yield the values of a title, each as often as there are ways to find it.

        Those of which an id agrees come first, then those of the same year.
        """
        return (value for _, value in self._entries(title))

    def _entries(self, title: Title) -> Iterator[tuple[Title, T]]:
        for key in _keys(title):
            yield from sorted(
                (
                    entry
                    for entry in self._by_key.get(key, ())
                    if same_title(entry[0], title)
                ),
                key=lambda entry: entry[0].year != title.year,
            )

    def add(self, title: Title, value: T) -> None:
        """Add a value."""
        for key in _keys(title):
            self._by_key[key] = (*self._by_key.get(key, ()), (title, value))

    def discard(self, title: Title, value: T) -> None:
        """Take out what was added with just this title and value, once if it was twice."""
        for key in _keys(title):
            entries = list(self._by_key.get(key, ()))
            with suppress(ValueError):
                entries.remove((title, value))
            if entries:
                self._by_key[key] = tuple(entries)
            else:
                self._by_key.pop(key, None)


def _keys(title: Title) -> Iterator[str]:
    """Yield a key for each way in which titles can turn out to be the same."""
    for kind, value in identities(title).items():
        yield f"{title.media_type} {kind} {value}"
    if (name := name_identity(title)) is not None:
        yield f"{title.media_type} {name}"
