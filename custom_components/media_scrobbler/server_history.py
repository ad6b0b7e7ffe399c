"""What a server knows to have been completed, on its way into histories.

Healing and importing differ in what is done with it in the end: healing records and
publishes what is missing, an import records everything and publishes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING

from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .collector import collected_by_hand
from .const import DOMAIN
from .domain.event import Party
from .domain.library import Completion, LatestPage
from .domain.media_server import (
    ItemGoneError,
    MediaServer,
    MediaServerError,
    SignInError,
)
from .domain.outcome import Outcome
from .domain.play import LAST_START, Certainty, Report, Source, SourceKind
from .domain.rules import is_believable
from .domain.title import PLAYABLE, MediaType, Title, combine, number_of, same_title
from .enrichment import is_complete
from .library_pages import Pages
from .library_scan import ScanCancelledError
from .storage.accounts import Account
from .storage.last_look import Earlier
from .storage.library_index import item_id

if TYPE_CHECKING:
    from .recording import Recorder
    from .server import Server
    from .viewer import Viewer

AT_ONCE = 100
"""Completions that are looked at before the event loop has its turn again."""

LARGEST_CLOCK_ERROR = timedelta(days=1)
"""How far clocks may differ: beyond, there is no telling which of them is wrong."""


type ReportsByAccount = list[tuple[Account, list[Report]]]


class ServerHistory:
    """Reads the history of one server, while it is connected."""

    def __init__(self, server: Server, client: MediaServer, recorder: Recorder) -> None:
        """Take the server, and who knows whose its accounts are."""
        self._server = server
        self._client = client
        self._recorder = recorder
        self._importing = asyncio.Lock()

    @property
    def clocks_agree(self) -> bool:
        """Return whether the server's times can be set right, as of its last answer."""
        return abs(self._client.clock_error) <= LARGEST_CLOCK_ERROR

    async def _async_known_watched(
        self, accounts: Collection[Account], since: datetime | None
    ) -> AsyncIterator[tuple[ReportsByAccount, int]]:
        """Yield reports by account, the oldest of a page first, and how much was of no use.

        First of what the server knows to have been completed, then of what it only shows
        as watched. Raises MediaServerError.
        """
        by_id = {account.id: account for account in accounts}
        told: set[str] = set()
        asked = None if since is None else self._asked(since)
        async for page in self._client.async_history(list(by_id), asked):
            if not self._client.dates_marks:
                told.update(
                    *(
                        completion.title.items.values()
                        for completion in page
                        if self._client.can_mark(completion.account.id or "")
                    )
                )
            yield await self._async_reports(by_id, page, SourceKind.IMPORT)
        async for page in self._async_shown(accounts, asked, told):
            yield await self._async_reports(by_id, page, SourceKind.IMPORT)

    async def _async_shown(
        self,
        accounts: Collection[Account],
        since: datetime | None,
        told: Collection[str],
    ) -> AsyncIterator[list[Completion]]:
        """Yield what is watched without an entry in the history, by its last time.

        So it is where marks are not dated: who marks by hand, or elsewhere with the same
        account, has not played anything. It shows of the account of the sign-in alone. What
        the history has told of that account, by its items, is left out.
        """
        own = [account for account in accounts if self._client.can_mark(account.id)]
        if self._client.dates_marks or not own:
            return
        # Where the server knows one person by two ids, the last one counts.
        party = Party(own[-1].id)
        for section in await self._client.async_sections():
            for media_type in section.media_types:
                if media_type not in PLAYABLE:
                    continue
                with suppress(ItemGoneError):
                    async for page in Pages(
                        self._client, section, media_type, account=party.id
                    ):
                        yield [
                            Completion(
                                account=party,
                                title=entry.title,
                                watched_at=entry.watched_at,
                                certainty=Certainty.IF_FIRST,
                            )
                            for entry in page.entries
                            if entry.watched
                            and entry.watched_at is not None
                            and (since is None or entry.watched_at >= since)
                            and item_id(entry.title) not in told
                        ]

    async def async_latest(
        self,
        accounts: Collection[Account],
        since: datetime,
        *,
        active_since: datetime | None = None,
    ) -> AsyncIterator[tuple[ReportsByAccount, LatestPage]]:
        """Yield reports of what has been completed since a time, and what they are made of.

        The times that a page counts are right by the clock that webhooks are recorded by.
        Raises MediaServerError.
        """
        by_id = {account.id: account for account in accounts}
        pages = self._client.async_latest(
            list(by_id), self._asked(since), active_since=active_since
        )
        async for page in pages:
            reports, _ = await self._async_reports(
                by_id, page.completions, SourceKind.SERVER_HISTORY
            )
            yield reports, replace(page, times=tuple(map(self._time, page.times)))

    async def async_late(
        self, accounts: Collection[Account], since: datetime, known: Earlier
    ) -> AsyncIterator[ReportsByAccount]:
        """Yield reports of what the server has learnt of only since it was looked at before.

        Raises MediaServerError.
        """
        by_id = {account.id: account for account in accounts}
        async for page in self._client.async_history(list(by_id), self._asked(since)):
            late = [
                completion
                for completion in page
                if self._time(completion.watched_at) < known.before
                and (
                    completion.number is None
                    or known.newest is None
                    or completion.number > known.newest
                )
            ]
            reports, _ = await self._async_reports(
                by_id, late, SourceKind.SERVER_HISTORY
            )
            yield reports

    async def _async_reports(
        self,
        by_id: Mapping[str, Account],
        completions: Collection[Completion],
        kind: SourceKind,
    ) -> tuple[ReportsByAccount, int]:
        """Return reports by account, the oldest first, and how much is of no use."""
        server_id = self._server.entry.unique_id or ""
        await self._server.outbox.async_load()
        now = dt_util.utcnow()
        by_account: dict[str, list[Report]] = {}
        known = await self._async_known(completions)
        useless = 0
        for some in batched(completions, AT_ONCE, strict=False):
            for completion in some:
                account = by_id.get(completion.account.id or "")
                watched_at = self._time(completion.watched_at)
                if (
                    account is None
                    or not is_believable(watched_at, now)
                    or self._was_no_play(account, completion, watched_at)
                ):
                    useless += 1
                    continue
                title = _completed(completion.title, server_id, known)
                if self._is_marked(account, title, watched_at):
                    useless += 1
                    continue
                report = Report(
                    title=title,
                    watched_at=min(watched_at, now),
                    source=self._source(account, completion, watched_at, kind, now),
                    certainty=completion.certainty,
                )
                by_account.setdefault(account.id, []).append(report)
            await asyncio.sleep(0)
        for reports in by_account.values():
            reports.sort(key=lambda report: report.watched_at)
        return [(by_id[key], reports) for key, reports in by_account.items()], useless

    async def async_import(
        self,
        viewer: Viewer | None = None,
        since: datetime | None = None,
        *,
        begun_tracks: bool = False,
    ) -> Counter[Outcome]:
        """Record all that the server knows, or what a viewer has watched, since a time.

        Tracks of which the server knows only that they were begun are left out unless
        `begun_tracks`, and so is what plays at this moment. Returns what became of it.
        Raises HomeAssistantError; what was recorded by then stays.
        """
        async with self._importing:
            accounts = self._recorder.accounts_of(self._server, viewer)
            if not accounts:
                return Counter()
            await self._server.library.async_load()
            if self._server.library.scanned_at is None:
                # Or every title would have to be asked for by itself.
                try:
                    await self._server.scanner.async_scan()
                except ScanCancelledError as err:
                    raise HomeAssistantError(
                        translation_domain=DOMAIN,
                        translation_key="import_cancelled",
                        translation_placeholders={"server": self._server.entry.title},
                    ) from err
            try:
                return await self._async_import_all(
                    accounts, viewer, since, begun_tracks=begun_tracks
                )
            except MediaServerError as err:
                connection = self._server.connection
                if isinstance(err, SignInError) and connection is not None:
                    await connection.async_request_refresh()
                raise HomeAssistantError(
                    translation_domain=DOMAIN,
                    translation_key=err.reason,
                    translation_placeholders=err.placeholders,
                ) from err

    async def _async_import_all(
        self,
        accounts: Collection[Account],
        viewer: Viewer | None,
        since: datetime | None,
        *,
        begun_tracks: bool,
    ) -> Counter[Outcome]:
        """Record page by page, and tell those whose histories have changed at the end."""
        outcomes: Counter[Outcome] = Counter()
        viewers: set[Viewer] = set()
        ended = _Ended(self._client, begun_tracks=begun_tracks)
        try:
            with collected_by_hand:
                async for page, useless in self._async_known_watched(accounts, since):
                    self._assert_clock_is_right()
                    outcomes[Outcome.IGNORED] += useless
                    for account, found in page:
                        reports = await ended.async_filter(found)
                        outcomes[Outcome.IGNORED] += len(found) - len(reports)
                        credited = self._recorder.credited(account)
                        viewers.update((viewer,) if viewer else credited)
                        outcomes += await self._recorder.async_import(
                            account, reports, viewer
                        )
                    collected_by_hand.collect()
        finally:
            for each in viewers:
                await each.async_imported()
        return outcomes

    def _assert_clock_is_right(self) -> None:
        """Raise HomeAssistantError if the server's clock is wrong, or ours.

        How wrong it was in the past nobody knows, and with other times everything would be
        imported again once it is right.
        """
        if error := self._client.clock_error:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="clock_wrong",
                translation_placeholders={
                    "server": self._server.entry.title,
                    "minutes": str(round(abs(error).total_seconds() / 60)),
                },
            )

    def _is_marked(self, account: Account, title: Title, watched_at: datetime) -> bool:
        """Return whether the server says so because it was marked from here, or may have been."""
        if self._client.dates_marks or not self._client.can_mark(account.id):
            return False
        server = self._server
        return server.marked.has(title, watched_at) or server.outbox.may_have_delivered(
            title, watched_at
        )

    def _asked(self, since: datetime) -> datetime:
        """Return by the server's clock from when on to ask."""
        return since + self._client.clock_error if self.clocks_agree else since

    def _time(self, watched_at: datetime) -> datetime:
        """Return when something was watched, by the clock that webhooks are recorded by."""
        return (
            watched_at - self._client.clock_error if self.clocks_agree else watched_at
        )

    def _was_no_play(
        self, account: Account, completion: Completion, begun_at: datetime
    ) -> bool:
        """Return whether webhooks have told of a playback that the server counts in vain."""
        return completion.is_last_start and self._server.viewings.was_no_play(
            account.id, completion.title, begun_at
        )

    def _source(
        self,
        account: Account,
        completion: Completion,
        watched_at: datetime,
        kind: SourceKind,
        now: datetime,
    ) -> Source:
        player = completion.player or Party()
        return Source(
            kind=kind,
            at=now,
            event=LAST_START if completion.is_last_start else None,
            server_id=self._server.entry.entry_id,
            server=self._server.entry.title,
            server_type=self._server.type.value,
            account=account.name or account.id,
            account_id=account.id,
            player=player.name or player.id,
            player_id=player.id,
            dated=watched_at if completion.is_last_start else None,
        )

    async def _async_known(self, page: Iterable[Completion]) -> dict[str, Title]:
        """Return what the library knows, by item, of titles and shows that lack something.

        A server's history may leave out ids, of a title or of its show.
        """
        server_id = self._server.entry.unique_id or ""
        return await self._server.library.async_titles(
            {
                item
                for completion in page
                if not is_complete(completion.title)
                for items in (completion.title.items, completion.title.show_items)
                if (item := items.get(server_id)) is not None
            }
        )


class _Ended:
    """Tells what has ended from what a server knows to have been begun, for one import."""

    def __init__(self, client: MediaServer, *, begun_tracks: bool) -> None:
        """Take the server, and whether tracks count that may only have been begun."""
        self._client = client
        self._begun_tracks = begun_tracks
        self._since = dt_util.utcnow()
        self._playing: list[Title] | None = None

    async def async_filter(self, reports: list[Report]) -> list[Report]:
        """Return the reports without those of what plays; raises MediaServerError."""
        if self._playing is None and any(
            report.source.tells_start for report in reports
        ):
            playing = await self._client.async_now_playing()
            self._playing = [each.title for each in playing]
        return list(filter(self._has_ended, reports))

    def _has_ended(self, report: Report) -> bool:
        if not report.source.tells_start:
            return True
        if (
            report.certainty is Certainty.BEGUN
            and report.title.media_type is MediaType.TRACK
            and not self._begun_tracks
        ):
            return False
        # The webhook of what plays comes when it has ended.
        return report.watched_at < self._since and not any(
            same_title(each, report.title) for each in self._playing or ()
        )


def _completed(title: Title, server_id: str, known: dict[str, Title]) -> Title:
    """Return a title with what the library knows of it and its show."""
    item = known.get(title.items.get(server_id, ""))
    if item is not None:
        if not _agree(title, item):
            # The item is another title by now.
            return replace(title, items={}, show_items={})
        title = combine(title, item)
    show = known.get(title.show_items.get(server_id, ""))
    if show is not None and show.media_type is MediaType.SHOW:
        title = replace(
            title, show=title.show or show.title, show_ids=show.ids | title.show_ids
        )
    return title


def _agree(title: Title, item: Title) -> bool:
    """Say whether a history and a library may mean the same by an item."""
    numbers = number_of(title), number_of(item)
    return title.media_type is item.media_type and (
        None in numbers or numbers[0] == numbers[1]
    )
