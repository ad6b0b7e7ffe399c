"""What a library holds: its titles in parts, as they are written, and an index of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
import re
from typing import Any
from zlib import crc32

import orjson

from ..domain.title import Title
from .codec import title_from_dict, title_to_dict
from .library_index import LibraryIndex, item_id

VERSION = 1
MINOR_VERSION = 1

MAX_PART_BYTES = 128 * 1024
"""Size at which a further part begins.

To decode one takes a millisecond and makes less than 2000 objects: with more, Python would
look through all that are in memory again and again, and hold up the event loop meanwhile.
"""

TITLES_PER_PART = 800
"""How many titles there are between two that end a part by their item id, on average.

A title more or less then changes the parts up to the next such title, not all that follow.
"""

_PART_NAME = re.compile(r"[\w-]{1,64}\.[0-9a-f]{16}", re.ASCII)
_FILE_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(slots=True)
class Part:
    """One file, of a section or, without one, of what came between two scans.

    `name` is None while the titles have yet to be written, `titles` is None while they
    are on disk only; its values are JSON, its keys the item ids.
    """

    section: str | None
    name: str | None = None
    titles: dict[str, bytes] | None = None
    size: int = 0
    complete: bool = False

    def put(self, item: str, raw: bytes) -> None:
        """Add or replace a title; they must be in memory."""
        assert self.titles is not None
        self.size += len(raw) - len(self.titles.get(item, b""))
        self.titles[item] = raw
        self.name = None
        self.complete = (
            self.complete
            or self.size >= MAX_PART_BYTES
            or crc32(item.encode()) % TITLES_PER_PART == 0
        )

    def name_by_content(self) -> str:
        """Return the name that the titles give the file, in this version of its form."""
        assert self.titles is not None
        digest = sha256(f"{VERSION}.{MINOR_VERSION}".encode())
        digest.update(b"".join(self.titles.values()))
        section = "new" if self.section is None else self.section
        if not _FILE_NAME.fullmatch(section):
            section = sha256(section.encode()).hexdigest()[:16]
        return f"{section}.{digest.hexdigest()[:16]}"


@dataclass(slots=True)
class Contents:
    """What a library holds.

    A later part has the newer form of an item that is in two. `forgotten` are items that
    are still in a part.
    """

    index: LibraryIndex = field(default_factory=LibraryIndex)
    parts: list[Part] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    scanned_at: datetime | None = None
    rescanned: bool = False

    @property
    def blank(self) -> bool:
        """Return whether there is nothing to be kept on disk."""
        return not self.index and self.scanned_at is None

    @property
    def names(self) -> set[str]:
        """Return the parts that are on disk."""
        return {part.name for part in self.parts if part.name is not None}

    def put(self, section: str | None, item: str, title: Title) -> bytes:
        """Add or replace a title; returns its JSON."""
        raw = orjson.dumps(title_to_dict(title))
        part = self.parts[-1] if self.parts else None
        if (
            part is None
            or part.titles is None
            or part.complete
            or part.section != section
        ):
            part = Part(section, titles={})
            self.parts.append(part)
        part.put(item, raw)
        self.forgotten.discard(item)
        self.enter(item, title, len(self.parts) - 1)
        return raw

    def enter(self, item: str, title: Title, part: int) -> None:
        """Index a title of a part, in the place of what was known of the item."""
        if (row := self.index.row_of(item)) is not None:
            self.index.remove(row)
        self.index.add(title, part)

    def forget(self, item: str) -> int:
        """Take an item out, and its episodes if it is a show; returns how many went."""
        rows = set(self.index.rows_of_show(item))
        if (row := self.index.row_of(item)) is not None:
            rows.add(row)
        for row in rows:
            self.forgotten.add(self.index.item_of(row))
            self.index.remove(row)
        return len(rows)

    def header(self) -> dict[str, Any]:
        """Return the stored form: the parts, once they are on disk, in their order."""
        return {
            "scanned_at": self.scanned_at and self.scanned_at.isoformat(),
            "rescanned": self.rescanned,
            "parts": [
                {"section": part.section, "name": part.name}
                for part in self.parts
                if part.name is not None
            ],
            "forgotten": sorted(self.forgotten),
        }


def listed_part(stored: dict[str, Any]) -> Part:
    """Return a part that a header lists; raises KeyError, TypeError or ValueError."""
    section, name = stored["section"], stored["name"]
    if not isinstance(section, str | None) or not _PART_NAME.fullmatch(name):
        raise ValueError(f"{stored} is no part")
    return Part(section, name)


def stored_item(stored: dict[str, Any]) -> tuple[str, Title]:
    """Return an item and its title; raises KeyError, TypeError or ValueError."""
    title = title_from_dict(stored)
    item = item_id(title)
    if not isinstance(item, str):
        raise TypeError(f"{stored} is no item of a library")
    return item, title


def reopen(part: Part, titles: Iterable[tuple[str, Title]]) -> None:
    """Have further titles come to a part that has been read, if it has room for them."""
    name, part.titles = part.name, {}
    for item, title in titles:
        part.put(item, orjson.dumps(title_to_dict(title)))
    part.name = name
    if part.complete:
        part.titles = None


def decoded(raw: bytes) -> Title:
    """Return a title of a part from its JSON."""
    return title_from_dict(orjson.loads(raw))
