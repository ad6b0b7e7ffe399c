"""Recording: what was completed goes to the histories of viewers, or waits in the inbox."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
import logging

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from .domain.doubt import FRESH, Doubt
from .domain.event import Party, SavedData
from .domain.outcome import Outcome
from .domain.play import Play, Report, Source, SourceKind
from .domain.rules import is_identified, refusal
from .domain.title import PLAYABLE, Title
from .inbox import Inbox, InboxFullError
from .issues import async_note_inbox_trouble
from .server import Server
from .storage.accounts import ANONYMOUS, Account, Accounts
from .storage.history import Finding, HistoryRemovedError, Taken
from .storage.writer import StorageWriteError
from .viewer import Viewer

_LOGGER = logging.getLogger(__name__)

NOT_WRITTEN = "could not be written to disk yet; kept in memory and tried again"

SAME_MOMENT = timedelta(seconds=2)
"""How far the time that a server gives may be from the one that it was marked with."""


@dataclass(frozen=True, slots=True)
class Completion:
    """When something was completed, who says so, and its poster or what to ask for it by."""

    server: Server
    watched_at: datetime
    source: Source
    poster: bytes | str | None = None
    marked: SavedData | None = None
    """What the server has saved of an item that was marked."""


class Recorder:
    """The one way from a server's accounts into histories."""

    def __init__(
        self,
        hass: HomeAssistant,
        servers: Mapping[str, Server],
        on_active: Callable[[Account], None],
        on_forgotten: Callable[[Account], None],
    ) -> None:
        """Take the servers, by entry id, and whom to tell of accounts.

        `on_active` hears of those that watch, `on_forgotten` of those that are no more.
        """
        self._hass = hass
        self._servers = servers
        self._on_active = on_active
        self.accounts = Accounts(
            hass,
            on_trouble=self._trouble,
            is_needed=self._is_needed,
            on_forgotten=on_forgotten,
        )
        self.inbox = Inbox(hass, self.accounts, self._trouble)
        self._viewers: Mapping[str, Viewer] = {}
        self._links: dict[str, tuple[Viewer, ...]] = {}
        self._credited: dict[str, tuple[Viewer, ...]] = {}
        self.ignored: set[str] = set()
        """The keys of accounts that nobody is interested in."""

    async def async_load(self) -> None:
        """Read which accounts are known."""
        await self.inbox.async_load()
        await self.accounts.async_load()
        self._trouble()

    @callback
    def link(self, viewers: Mapping[str, Viewer]) -> set[str]:
        """Take who there is, by entry id; returns the accounts that are newly linked."""
        self._viewers = viewers
        links: dict[str, list[Viewer]] = {}
        for viewer in viewers.values():
            for key in viewer.accounts:
                links.setdefault(key, []).append(viewer)
        newly_linked = links.keys() - self._links.keys()
        self._links = {key: tuple(linked) for key, linked in links.items()}
        self._credited = {
            key: tuple(
                dict.fromkeys(
                    [
                        *linked,
                        *(
                            viewers[viewer_id]
                            for viewer in linked
                            for viewer_id in viewer.also_for
                            if viewer_id in viewers
                        ),
                    ]
                )
            )
            for key, linked in links.items()
        }
        return newly_linked

    def is_linked(self, key: str) -> bool:
        """Return whether somebody watches with an account, by its key."""
        return key in self._links

    def _is_needed(self, account: Account) -> bool:
        """Return whether it would be missed if nothing were known of an account."""
        return (
            account.key in self._links
            or self.inbox.may_hold(account)
            or any(viewer.follows(account.key) for viewer in self._viewers.values())
        )

    def linked_to(self, account: Account | None) -> tuple[Viewer, ...]:
        """Return who watches with an account."""
        return self._links.get(account.key, ()) if account else ()

    def credited(self, account: Account | None) -> tuple[Viewer, ...]:
        """Return for whom it counts what is completed with an account."""
        return self._credited.get(account.key, ()) if account else ()

    async def async_complete(
        self, account: Account | None, titles: Iterable[Title], completion: Completion
    ) -> tuple[Outcome, str]:
        """Record a completed title, or each episode of a multi-episode file."""
        results = await asyncio.gather(
            *(
                self._async_record(viewer, account, title, completion)
                for title in titles
                for viewer in self.credited(account) or (None,)
            )
        )
        return foremost(results)

    async def _async_record(
        self,
        viewer: Viewer | None,
        account: Account | None,
        title: Title,
        completion: Completion,
    ) -> tuple[Outcome, str]:
        if not is_identified(title):
            return Outcome.REJECTED, "too little is known of the title to recognise it"
        if reason := refusal(title, viewer.media_types if viewer else PLAYABLE):
            return Outcome.IGNORED, reason
        if viewer is None:
            return await self._async_hold(account, title, completion)
        server, poster, source = (
            completion.server,
            completion.poster,
            completion.source,
        )
        if source.is_mark and _is_of_long_ago(source) and account is not None:
            report = Report(
                title=title, watched_at=completion.watched_at, source=source
            )
            if await viewer.async_has_dismissed(report):
                return Outcome.IGNORED, "a person has removed or corrected this play"
        try:
            recorded = await viewer.async_record(
                title,
                completion.watched_at,
                source,
                poster if isinstance(poster, bytes) else None,
                account.key if account else None,
            )
        except StorageWriteError:
            return Outcome.HELD, NOT_WRITTEN
        except HistoryRemovedError:
            return await self._async_hold(account, title, completion)
        server.complete(viewer, recorded.play)
        if completion.marked is not None and account is not None:
            server.doubt(
                Doubt(
                    viewer=viewer.entry.entry_id,
                    play_id=recorded.play.id,
                    title=recorded.play.title,
                    account=account.id,
                    item=completion.marked.item or "",
                    source=source,
                    play_count=completion.marked.play_count,
                    is_new=not recorded.merged,
                )
            )
        if isinstance(poster, str):
            server.fetch_poster(viewer, recorded.play, poster)
        if recorded.merged:
            return Outcome.MERGED, "the same viewing has been recorded before"
        return Outcome.RECORDED, "completed"

    # What servers know to have been completed

    def accounts_of(self, server: Server, only: Viewer | None = None) -> list[Account]:
        """Return the accounts to ask a server for: all but ignored ones, or a viewer's.

        A viewer's are those for whom it counts, whoever watches with them. Those that
        somebody is linked to come last: where the server knows one person by two ids, they
        are the ones that count.
        """
        server_id = server.entry.entry_id
        accounts = [
            account
            for account in self.accounts
            if account.server_id == server_id
            and account.id != ANONYMOUS
            and not account.id.startswith("name:")
            and account.key not in self.ignored
            and (only is None or only in self.credited(account))
        ]
        return sorted(accounts, key=lambda account: self.is_linked(account.key))

    async def async_missing(
        self, account: Account, reports: Sequence[Report]
    ) -> list[Report]:
        """Merge what is known of an account's reports, and return those that are missing.

        It is enough for one viewer to know of a viewing: it has been recorded when it was
        completed, or marked from here. Raises StorageWriteError.
        """
        reports = [report for report in reports if is_identified(report.title)]
        viewers = self.credited(account)
        found: list[list[Finding]] = [[] for _ in reports]
        for viewer in viewers:
            numbers = [
                number
                for number, report in enumerate(reports)
                if refusal(report.title, viewer.media_types) is None
            ]
            taken = await viewer.async_find([reports[number] for number in numbers])
            for number, each in zip(numbers, taken, strict=True):
                found[number].append(each.finding)
        if not viewers:
            taken = await self.inbox.async_take(account, reports, add=False)
            found = [[each.finding] for each in taken]
        return [
            report
            for report, findings in zip(reports, found, strict=True)
            if findings and set(findings) == {Finding.NEW}
        ]

    async def async_heal(
        self, server: Server, account: Account, report: Report
    ) -> bool:
        """Record what no webhook has told of, and publish it; returns whether it is on disk."""
        outcome, reason = await self.async_complete(
            account,
            [report.title],
            Completion(server, report.watched_at, report.source),
        )
        if reason == NOT_WRITTEN:
            return False
        if outcome is Outcome.HELD:
            self._note_active(account)
        return True

    async def async_import(
        self, account: Account, reports: Sequence[Report], only: Viewer | None = None
    ) -> Counter[Outcome]:
        """Record an account's reports without publishing them; returns what became of them.

        For a single viewer, or for all whom the account is credited to. Raises
        StorageWriteError.
        """
        outcomes: Counter[Outcome] = Counter()
        credited = self.credited(account)
        viewers = credited if only is None else (only,)
        if not credited and account.server_id not in self._servers:
            # The server was removed meanwhile, and what waits goes with it.
            outcomes[Outcome.IGNORED] += len(reports)
            return outcomes
        if not credited and only is None:
            held = [report for report in reports if is_identified(report.title)]
            taken = await self.inbox.async_take(account, held, add=True)
            outcomes.update(_outcomes(taken, Outcome.HELD))
            outcomes[Outcome.IGNORED] += len(reports) - len(taken)
            if taken:
                self._note_active(account)
            return outcomes
        followers = [viewer for viewer in credited if viewer.follows(account.key)]
        for viewer in viewers:
            wanted: Sequence[Report] = [
                report
                for report in reports
                if is_identified(report.title)
                and refusal(report.title, viewer.media_types) is None
            ]
            # Who is removed meanwhile does not keep the others from theirs.
            for follower in followers:
                if follower is not viewer:
                    with suppress(HistoryRemovedError):
                        wanted = await _without_marks(follower, wanted)
            with suppress(HistoryRemovedError):
                taken = await viewer.async_import(wanted)
                outcomes.update(_outcomes(taken, Outcome.RECORDED))
                outcomes[Outcome.IGNORED] += len(reports) - len(taken)
        return outcomes

    def _note_active(self, account: Account) -> None:
        """Offer an account that something has been played with."""
        noted = self.accounts.note(account.server_id, Party(account.id))
        self._on_active(noted or account)

    # Accounts that are nobody's yet

    async def _async_hold(
        self, account: Account | None, title: Title, completion: Completion
    ) -> tuple[Outcome, str]:
        if account is None:
            return Outcome.REJECTED, "this server reports more accounts than can be"
        if account.key in self.ignored:
            return Outcome.IGNORED, "this account is ignored"
        try:
            await self.inbox.async_hold(
                account, title, completion.watched_at, completion.source
            )
        except InboxFullError:
            return Outcome.REJECTED, "too many plays wait for this account to be linked"
        except StorageWriteError:
            return Outcome.HELD, NOT_WRITTEN
        except HistoryRemovedError:
            return Outcome.REJECTED, "the server has just been removed"
        if self.is_linked(account.key):
            # Linked while this was on its way to the disk.
            await self.async_adopt([account.key])
            return Outcome.RECORDED, "completed, now that a viewer is linked"
        return Outcome.HELD, "waits until a viewer is linked to this account"

    async def async_adopt(self, keys: Iterable[str]) -> None:
        """Move held plays of accounts into the histories of their viewers."""
        for account in filter(None, map(self.accounts.get, keys)):
            try:
                await self.inbox.async_move(
                    account, partial(self._async_credit, account)
                )
            except HomeAssistantError as err:
                # Tried again at the next start.
                _LOGGER.warning(
                    "Held plays of %s still wait: %s", account.name or account.id, err
                )
            for viewer in self.credited(account):
                viewer.updates.send()

    async def _async_credit(self, account: Account, play: Play) -> bool:
        """Record a held play for the viewers of its account, if there are any."""
        viewers = self.credited(account)
        for viewer in viewers:
            if refusal(play.title, viewer.media_types) is None:
                # Whoever has imported what waited does not hear of it one by one.
                is_import = play.sources[0].kind is SourceKind.IMPORT
                for source in play.sources:
                    recorded = await viewer.async_record(
                        play.title,
                        play.watched_at,
                        source,
                        played_with=account.key,
                        publish=not is_import,
                    )
                    if is_import:
                        continue
                    server = self._servers.get(source.server_id or "")
                    if server is not None:
                        server.complete(viewer, recorded.play)
        return bool(viewers)

    @callback
    def _trouble(self) -> None:
        async_note_inbox_trouble(
            self._hass,
            failing=self.inbox.failing or self.accounts.failing,
            unreadable=self.inbox.unreadable | self.accounts.unreadable,
        )


def _is_of_long_ago(mark: Source) -> bool:
    """Say whether a mark has a date that it may have had before."""
    return mark.dated is not None and mark.at - mark.dated > FRESH


async def _without_marks(
    follower: Viewer, reports: Sequence[Report]
) -> Sequence[Report]:
    """Leave out what a server says because it was marked there for one who watched elsewhere."""
    found = await follower.async_find(reports)
    return [
        report
        for report, each in zip(reports, found, strict=True)
        if not report.source.tells_start
        or each.play is None
        or abs(each.play.watched_at - report.watched_at) > SAME_MOMENT
        or any(source.is_of_account(report.source) for source in each.play.sources)
    ]


def _outcomes(taken: Iterable[Taken], when_new: Outcome) -> Iterable[Outcome]:
    outcome = {
        Finding.NEW: when_new,
        Finding.KNOWN: Outcome.MERGED,
        Finding.DOUBTFUL: Outcome.IGNORED,
        Finding.DISMISSED: Outcome.IGNORED,
    }
    return (outcome[each.finding] for each in taken)


def foremost(results: Iterable[tuple[Outcome, str]]) -> tuple[Outcome, str]:
    """Return what to answer: what is not on disk must not be hidden by what is."""
    order = list(Outcome)
    return min(
        results,
        key=lambda result: (result[1] != NOT_WRITTEN, order.index(result[0])),
    )
