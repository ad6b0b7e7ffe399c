"""A history: plays on disk, a few months' parts at a time in memory.

A play is written to the part of the month it was watched in and stays there, so that a
change to it rewrites that one file. A part is capped; a month continues in a further one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import batched, groupby
import logging
from pathlib import Path
import re
import time

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util import dt as dt_util
from homeassistant.util.ulid import ulid_at_time, ulid_to_bytes
import orjson

from ..const import DOMAIN
from ..domain.play import Certainty, Play, Report, Source
from ..domain.rules import merge, viewing_gap
from ..domain.title import Title, combine, same_title, settled
from .codec import play_from_dict
from .history_part import Part
from .index import PlayIndex
from .store import DAMAGE, ConfirmingStore, Migration, UnreadableStoreError
from .writer import Writer

VERSION = 1
MINOR_VERSION = 1

MAX_PART_BYTES = 64 * 1024
"""Size at which a month continues in a further part: what one play costs to write."""

MAX_OPEN_PARTS = 6
"""How many parts are kept in memory beside those that wait to be written."""

TAKEN_AT_ONCE = 50
"""Reports that are looked at before anything else has its turn; they share their writes."""

_LOGGER = logging.getLogger(__name__)

_PART_NAME = re.compile(r"\d{4}-\d{2}(\.\d{1,5})?", re.ASCII)


class HistoryRemovedError(HomeAssistantError):
    """The history has been removed: nothing can be recorded in it any more."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a completed title: its play, and whether that was known already."""

    play: Play
    merged: bool
    saved: asyncio.Future[None] | None
    """What to wait for until it is on disk, None if it is; raises StorageWriteError."""


class Finding(StrEnum):
    """What a history knows of a report."""

    KNOWN = "known"
    NEW = "new"
    DOUBTFUL = "doubtful"
    """It is not known, but need not be another viewing than one that is."""
    DISMISSED = "dismissed"
    """It was known until a person removed or corrected it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a report: a new one has a play if it was added.

    `saved` is as in Recorded.
    """

    finding: Finding
    play: Play | None = None
    saved: asyncio.Future[None] | None = None


class History:
    """The plays of one viewer, or of one account that is nobody's yet."""

    def __init__(
        self,
        hass: HomeAssistant,
        key: str,
        *,
        on_trouble: Callable[[], None] = lambda: None,
        migrate: Migration | None = None,
    ) -> None:
        """Name the files; nothing is read yet.

        `on_trouble` is called whenever `failing` or `unreadable` has changed.
        """
        self._hass = hass
        self._key = key
        self._on_trouble = on_trouble
        self._migrate = migrate
        self._parts: list[Part] = []
        self._months: dict[str, list[Part]] = {}
        self._index = PlayIndex(dt_util.get_default_time_zone())
        self._lock = asyncio.Lock()
        self._loading: asyncio.Task[None] | None = None
        self._last: Play | None = None
        self._last_has_moved = False
        self.removed = False

    # What there is

    @property
    def index(self) -> PlayIndex:
        """Return the counts."""
        return self._index

    @property
    def last_play(self) -> Play | None:
        """Return the play that was watched last."""
        return self._last

    @property
    def failing(self) -> bool:
        """Return whether something could not be written and waits in memory."""
        return any(writer.failing for writer in self._writers())

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the files that could not be read, and why."""
        return {
            self._store(part).path: part.unreadable
            for part in self._parts
            if part.unreadable
        }

    def standing(self, play: Play) -> tuple[int, bool]:
        """Return how often a play's title was played, and whether that is a rewatch."""
        times = self._index.times(play.title)
        moment = play.watched_at.timestamp()
        return len(times), any(time < moment for time in times)

    # Reading

    async def async_load(self) -> None:
        """Read the history, once; later calls wait for the first."""
        if self._loading is None:
            self._loading = self._hass.async_create_background_task(
                self._async_load(), f"{DOMAIN} load {self._key}"
            )
        await asyncio.shield(self._loading)

    async def async_reload_unreadable(self) -> None:
        """Read again what could not be read."""
        await self.async_load()
        if not self.unreadable:
            return
        async with self._lock:
            for part in [part for part in self._parts if part.unreadable]:
                try:
                    plays, damage = await self._hass.async_add_executor_job(
                        self._read_part, part
                    )
                except UnreadableStoreError as err:
                    part.unreadable = str(err)
                    continue
                # It may have been readable at the start, or in part.
                self._index.forget(part.number)
                part.close()
                part.unreadable = damage
                if (latest := _index(part, plays, self._index)) is not None:
                    self._note_last(latest)
        self._on_trouble()

    async def _async_load(self) -> None:
        parts, index, last = await self._hass.async_add_executor_job(self._read_all)
        self._parts, self._index = parts, index
        for part in parts:
            self._months.setdefault(part.month, []).append(part)
        if last is not None:
            self._note_last(last)
        if self.unreadable:
            self._note_trouble()

    def _read_all(self) -> tuple[list[Part], PlayIndex, Play | None]:
        """Read every part, in the executor; only the index stays in memory."""
        folder = Path(self._hass.config.path(STORAGE_DIR))
        prefix = f"{DOMAIN}.{self._key}."
        names = (
            path.name.removeprefix(prefix)
            for path in (folder.iterdir() if folder.is_dir() else ())
            if path.name.startswith(prefix)
        )
        index = PlayIndex(dt_util.get_default_time_zone())
        parts: list[Part] = []
        last: Play | None = None
        for name in sorted(name for name in names if _PART_NAME.fullmatch(name)):
            part = Part(len(parts), name)
            parts.append(part)
            try:
                plays, part.unreadable = self._read_part(part)
            except UnreadableStoreError as err:
                part.unreadable = str(err)
                continue
            latest = _index(part, plays, index)
            _yield_to_loop()
            if last is None or (latest and latest.watched_at >= last.watched_at):
                last = latest
        return parts, index, last

    def _read_part(self, part: Part) -> tuple[list[Play], str | None]:
        """Read a part's plays, in the executor, and say if there are some that cannot be.

        Raises UnreadableStoreError for a file of which nothing can be read.
        """
        store = self._store(part)
        stored = store.read() or {"plays": []}
        plays: dict[str, Play] = {}
        damage: str | None = None
        try:
            for entry in stored["plays"]:
                try:
                    play = play_from_dict(entry)
                    if play.id in plays:
                        raise ValueError(f"{play.id} is there twice")
                except DAMAGE as err:
                    damage = f"{store.path}: a play is damaged: {err!r}"
                else:
                    plays[play.id] = play
        except DAMAGE as err:
            raise UnreadableStoreError(f"{store.path} is damaged: {err!r}") from err
        return list(plays.values()), damage

    async def _open(self, part: Part) -> dict[str, bytes]:
        """Bring a part into memory, with the lock held; raises UnreadableStoreError.

        One that is `unreadable` in part is there to be looked at, not to be changed.
        """
        if part.plays is None:
            try:
                plays, damage = await self._hass.async_add_executor_job(
                    self._read_part, part
                )
            except UnreadableStoreError as err:
                self._note_unreadable(part, str(err))
                raise
            part.plays = {}
            part.size = 0
            for play in plays:
                part.put(play)
            self._note_unreadable(part, damage or part.unreadable)
        return part.plays

    def _note_unreadable(self, part: Part, why: str | None) -> None:
        """Take note of what has come to be wrong with a file since it was read."""
        if part.unreadable != why:
            part.unreadable = why
            self._note_trouble()

    def _note_trouble(self) -> None:
        for why in self.unreadable.values():
            _LOGGER.warning("A file is left as it is: %s", why)
        self._on_trouble()

    def _close_idle(self) -> None:
        """Let go of parts that are in memory without need, once a change has been made."""
        idle = []
        for part in self._parts:
            if part.decoded:
                part.decoded = {}
            if part.plays is not None and (part.writer is None or part.writer.idle):
                idle.append(part)
        for part in idle[: max(0, len(idle) - MAX_OPEN_PARTS)]:
            part.close()

    # Changing

    async def async_record(
        self, title: Title, watched_at: datetime, source: Source
    ) -> Recorded:
        """Record a completed title.

        A report of a viewing that is known already is merged into its play. What could
        not be written is kept and written later, `async_settled` tells when. Raises
        HistoryRemovedError if that happened first.
        """
        await self.async_load()
        async with self._lock:
            self._check()
            known = await self._find_viewing(title, watched_at, source)
            if known is None:
                part, play = await self._add(title, watched_at, source)
                changed = True
            else:
                part, play, changed = self._merge(known, title, watched_at, source)
            saved = self._writer(part).save(changed=changed)
            await self._end_change()
        return Recorded(play, known is not None, saved)

    async def async_take(
        self,
        reports: Iterable[Report],
        *,
        add: bool,
        is_dismissed: Callable[[Report], bool] = lambda _: False,
    ) -> list[Taken]:
        """Merge reports of viewings that are known, and add what is new if that is wanted.

        A title that was completed before is not completed again by a report that says only
        that it was begun. `is_dismissed` is asked while nothing else can change the
        history. Best in the order of time, in which it is on disk. Raises as
        `async_record` does.
        """
        await self.async_load()
        taken: list[Taken] = []
        for some in batched(reports, TAKEN_AT_ONCE, strict=False):
            found: list[tuple[Finding, Play | None, Part | None]] = []
            async with self._lock:
                self._check()
                try:
                    for report in some:
                        found.append(  # noqa: PERF401
                            (Finding.DISMISSED, None, None)
                            if is_dismissed(report)
                            else await self._take(report, add=add)
                        )
                finally:
                    # Also of what is given up half-way.
                    changed = {part.number: part for _, _, part in found if part}
                    saved = {
                        number: self._writer(part).save()
                        for number, part in changed.items()
                    }
                    await self._end_change()
            taken += [
                Taken(finding, play, saved[part.number] if part else None)
                for finding, play, part in found
            ]
            await asyncio.sleep(0)
        return taken

    async def _take(
        self, report: Report, *, add: bool
    ) -> tuple[Finding, Play | None, Part | None]:
        """Take a report; returns the part that has changed as well."""
        title, watched_at, source = report.title, report.watched_at, report.source
        known = await self._find_viewing(title, watched_at, source)
        if known is not None:
            part, play, changed = self._merge(known, title, watched_at, source)
            return Finding.KNOWN, play, part if changed else None
        if report.certainty is not Certainty.CERTAIN:
            moment = watched_at.timestamp()
            if any(time < moment for time in self._index.times(title)):
                return Finding.DOUBTFUL, None, None
        if not add:
            return Finding.NEW, None, None
        part, play = await self._add(title, watched_at, source)
        return Finding.NEW, play, part

    def _check(self) -> None:
        if self.removed:
            raise HistoryRemovedError(f"{self._key} has been removed")

    async def _add(
        self, title: Title, watched_at: datetime, source: Source
    ) -> tuple[Part, Play]:
        """Add a play, which has yet to be written."""
        play = Play(
            # The time that an id can tell begins in 1970.
            id=ulid_at_time(max(watched_at.timestamp(), 0)),
            title=title,
            watched_at=watched_at,
            sources=(source,),
        )
        part = await self._open_part_for(watched_at)
        part.put(play)
        self._index.add(play, part.number)
        self._note_last(play)
        return part, play

    def _merge(
        self,
        known: tuple[Part, Play],
        title: Title,
        watched_at: datetime,
        source: Source,
    ) -> tuple[Part, Play, bool]:
        """Merge a report into a play; returns whether that has yet to be written.

        A play in a file that must not be written stays as it is.
        """
        part, old = known
        if part.unreadable:
            return part, old, False
        play = merge(old, title, watched_at, source)
        if changed := play != old:
            part.put(play)
            self._index.replace(old, play, part.number)
            self._note_last(play)
        return part, play, changed

    async def async_change(
        self,
        play_id: str,
        change: Callable[[Play], Play | None],
        before: Callable[[Play, Play | None], Awaitable[None]] | None = None,
    ) -> tuple[Play, Play | None]:
        """Change a play by its id, or remove it; returns what it was and what it is.

        `before` is called with the two, and waited for, before anything is changed.
        Raises KeyError if there is no such play, UnreadableStoreError if its file cannot
        be read any more or holds plays that cannot be, and StorageWriteError as recording
        does.
        """
        await self.async_load()
        async with self._lock:
            part = await self._part_of(play_id)
            plays = await self._open(part)
            if part.unreadable:
                raise UnreadableStoreError(part.unreadable)
            old = play_from_dict(orjson.loads(plays[play_id]))
            new = change(old)
            if before is not None:
                await before(old, new)
            if new is None:
                self._index.remove(old, part.number)
                part.remove(play_id)
                self._note_gone(old)
            else:
                part.put(new)
                self._index.replace(old, new, part.number)
                self._note_last(new)
            written = self._writer(part).save()
            await self._end_change()
        if written is not None:
            await written
        return old, new

    async def async_complete(
        self, play_id: str, title: Title, asked: Title | None = None
    ) -> Play:
        """Add to a play what has become known of its title; as `async_amend` does.

        With what was `asked` for, the server has answered better, see `settled`.
        """

        def complete(play: Play) -> Play:
            if asked is None:
                return replace(play, title=combine(play.title, title))
            return replace(play, title=settled(play.title, asked, title))

        return await self.async_amend(play_id, complete)

    async def async_amend(self, play_id: str, amend: Callable[[Play], Play]) -> Play:
        """Have a play be what has become known of it, and return what has come of it.

        If that shows it to be the same viewing as another play, it becomes part of that
        one. Raises as `async_change` does.
        """
        _, play = await self.async_change(play_id, amend)
        assert play is not None
        async with self._lock:
            # Found before anything is changed: it may have been removed meanwhile.
            own_part = await self._part_of(play_id)
            twin = await self._find_viewing(
                play.title, play.watched_at, play.sources[0], besides=play_id
            )
            if twin is None or twin[0].unreadable:
                return play
            await self._open(own_part)
            part, kept = twin
            merged = kept
            for source in play.sources:
                merged = merge(merged, play.title, play.watched_at, source)
            self._index.replace(kept, merged, part.number)
            part.put(merged)
            self._note_last(merged)
            written = [self._writer(part).save()]
            self._index.remove(play, own_part.number)
            own_part.remove(play_id)
            self._note_gone(play)
            written.append(self._writer(own_part).save())
            await self._end_change()
        for future in written:
            if future is not None:
                await future
        return merged

    async def async_settled(self) -> None:
        """Return when nothing waits to be written again."""
        for writer in self._writers():
            await writer.async_settled()

    async def async_flush(self) -> None:
        """Try to write what is waiting, as when Home Assistant stops."""
        for writer in self._writers():
            await writer.async_flush()

    async def async_remove(self) -> None:
        """Remove every file, for good."""
        await self.async_load()
        async with self._lock:
            self.removed = True
            for part in self._parts:
                await self._writer(part).async_remove()
            self._parts, self._months = [], {}
            self._index = PlayIndex(dt_util.get_default_time_zone())
            self._last = None

    async def _end_change(self) -> None:
        """Put in order what depends on what has been changed and is to be written."""
        if self._last_has_moved:
            await self._find_last()
        self._close_idle()

    def _note_last(self, play: Play) -> None:
        if self._last is None or play.watched_at >= self._last.watched_at:
            self._last = play
        else:
            self._note_gone(play)

    def _note_gone(self, play: Play) -> None:
        """Take note that a play is not where it was: if it was the last, another one is."""
        if self._last is not None and self._last.id == play.id:
            self._last_has_moved = True

    async def _find_last(self) -> None:
        number, last = self._index.latest_part(), None
        if number is not None:
            with suppress(UnreadableStoreError):
                await self._open(part := self._parts[number])
                last = max(
                    part.all_plays(), key=lambda play: play.watched_at, default=None
                )
        self._last, self._last_has_moved = last, False

    async def _find_viewing(
        self,
        title: Title,
        watched_at: datetime,
        source: Source,
        besides: str | None = None,
    ) -> tuple[Part, Play] | None:
        """Return the play that is the same viewing, and the part that holds it.

        How long a title is may be known from another play of it.
        """
        if title.duration is None:
            title = replace(title, duration=self._index.duration(title))
        best: tuple[Part, Play] | None = None
        nearest: timedelta | None = None
        viewings = self._index.viewings(title, watched_at, source)
        for number, moments in viewings.items():
            part = self._parts[number]
            # Readable at start and not any more: the play must not be lost for that.
            with suppress(UnreadableStoreError):
                await self._open(part)
            if part.plays is None:
                continue
            for play in part.all_plays():
                if play.watched_at.timestamp() not in moments or play.id == besides:
                    continue
                gap = viewing_gap(play, title, watched_at, source)
                if (
                    gap is not None
                    and (nearest is None or gap < nearest)
                    and same_title(play.title, title)
                ):
                    best, nearest = (part, play), gap
        return best

    async def _open_part_for(self, watched_at: datetime) -> Part:
        """Return the part that takes a new play of this time."""
        month = _month_of(watched_at)
        parts = self._months.setdefault(month, [])
        if parts and not parts[-1].unreadable:
            with suppress(UnreadableStoreError):
                await self._open(parts[-1])
            if not parts[-1].unreadable and parts[-1].size < MAX_PART_BYTES:
                return parts[-1]
        # No number is used twice, and a part that cannot be read keeps its name.
        name = month
        if parts:
            name += f".{max(int(part.name[8:] or 0) for part in parts) + 1:04}"
        part = Part(len(self._parts), name, plays={})
        self._parts.append(part)
        parts.append(part)
        return part

    async def _part_of(self, play_id: str) -> Part:
        """Return the part that holds a play, the likeliest first; raises KeyError."""
        for part in self._parts:
            if part.plays is not None and play_id in part.plays:
                return part
        month = ""
        try:
            millis = int.from_bytes(ulid_to_bytes(play_id)[:6])
            month = datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m")
        except ValueError, OverflowError, OSError:
            pass
        for part in sorted(self._parts, key=lambda part: part.month != month):
            if part.plays is None:
                with suppress(UnreadableStoreError):
                    plays, _ = await self._hass.async_add_executor_job(
                        self._read_part, part
                    )
                    if any(play.id == play_id for play in plays):
                        return part
        raise KeyError(play_id)

    # Writing

    def _writer(self, part: Part) -> Writer:
        if part.writer is None:
            part.writer = Writer(
                self._hass,
                self._store(part),
                lambda: {
                    "plays": [
                        orjson.Fragment(raw) for raw in (part.plays or {}).values()
                    ]
                },
                self._on_trouble,
            )
        return part.writer

    def _writers(self) -> list[Writer]:
        return [part.writer for part in self._parts if part.writer is not None]

    def _store(self, part: Part) -> ConfirmingStore:
        return ConfirmingStore(
            self._hass,
            f"{self._key}.{part.name}",
            version=VERSION,
            minor_version=MINOR_VERSION,
            migrate=self._migrate,
        )

    # Searching

    async def async_plays(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        media_type: str | None = None,
        query: str | None = None,
    ) -> list[Play]:
        """Return the plays watched from start until before end, the newest first.

        `query` is looked for in the names of title, show, artist and album, whatever the
        case. Works in the executor.
        """
        await self.async_load()
        first = start.timestamp() if start else float("-inf")
        last = end.timestamp() if end else float("inf")
        parts = [
            (part, list(part.plays.values()) if part.plays is not None else None)
            for part in self._parts
            if part.earliest < last and part.latest >= first
        ]
        needle = query.casefold() if query else None

        def search() -> list[Play]:
            found: list[Play] = []
            for part, raws in parts:
                _yield_to_loop()
                if raws is None:
                    plays: Iterable[Play] = self._search_file(part, needle)
                else:
                    plays = (play_from_dict(orjson.loads(raw)) for raw in raws)
                found += [
                    play
                    for play in plays
                    if first <= play.watched_at.timestamp() < last
                    and (media_type is None or play.title.media_type == media_type)
                    and (needle is None or needle in _names(play.title))
                ]
            found.sort(key=lambda play: play.watched_at, reverse=True)
            return found

        return await self._hass.async_add_executor_job(search)

    def _search_file(self, part: Part, needle: str | None) -> list[Play]:
        """Read a file's plays unless the needle is nowhere in it."""
        if needle is not None and needle.isprintable() and not {*needle} & {*'"\\'}:
            # Other characters stand in a file as they are.
            try:
                text = Path(self._store(part).path).read_text(encoding="utf-8")
            except OSError, UnicodeDecodeError:
                return []
            if needle not in text.casefold():
                return []
        try:
            plays, _ = self._read_part(part)
        except UnreadableStoreError:
            return []
        return plays


async def async_saved(taken: Iterable[Taken]) -> None:
    """Return when what has changed is on disk; raises StorageWriteError."""
    futures = {each.saved for each in taken if each.saved is not None}
    failed = [
        err
        for err in await asyncio.gather(*futures, return_exceptions=True)
        if isinstance(err, BaseException)
    ]
    if failed:
        raise failed[0]


def batched_by_month[T](
    items: Iterable[T], time_of: Callable[[T], datetime], size: int
) -> Iterator[tuple[T, ...]]:
    """Yield items in their order, together only what goes into the same month.

    Files are written in no order: what is recorded together and published as soon as it is
    on disk would be published in none either.
    """
    for _, of_month in groupby(items, lambda item: _month_of(time_of(item))):
        yield from batched(of_month, size, strict=False)


def _month_of(watched_at: datetime) -> str:
    return watched_at.astimezone(UTC).strftime("%Y-%m")


def _yield_to_loop() -> None:
    """Let the event loop have its turn, which a busy thread would keep waiting."""
    time.sleep(0)


def _index(part: Part, plays: list[Play], index: PlayIndex) -> Play | None:
    """Index the plays of a part and return the latest."""
    for play in plays:
        index.add(play, part.number)
        part.span(play)
    return max(plays, key=lambda play: play.watched_at, default=None)


def _names(title: Title) -> str:
    return "\n".join(
        name for name in (title.title, title.show, title.artist, title.album) if name
    ).casefold()
