"""What happens on a stand-in for a Plex Media Server, and whom it tells.

Playing something shows in the sessions, the view state, the history, and at the webhooks of
the accounts that are concerned.
"""

import asyncio
from bisect import insort
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import itertools
from typing import Any

import aiohttp

from .catalogue import Playable, Title, stable_hex
from .library import Library
from .plex import (
    LIVING_ROOM_TV,
    POSTER,
    USER_AGENT,
    PlexAccount,
    PlexEvent,
    PlexPlayer,
    encode,
)
from .plex_accounts import PlexAccounts, PlexUser
from .plex_items import PlexItems
from .plex_sections import LEAVES, Item, ViewState
from .transport import post

OWNER_ID = 1

# From here on something counts as watched.
_COMPLETE = 0.92
_WITH_POSTER = frozenset(
    {
        PlexEvent.PLAY,
        PlexEvent.RATE,
        PlexEvent.LIBRARY_NEW,
        PlexEvent.LIBRARY_ON_DECK,
    }
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that was sent: where, what it said, and what came back.

    There is no status where nobody answered.
    """

    url: str
    payload: Mapping[str, Any]
    status: int | None
    answer: Mapping[str, Any]


@dataclass(slots=True)
class PlexSession:
    """Something that a player plays."""

    key: int
    user: PlexUser
    title: Playable
    player: PlexPlayer
    state: str
    position: timedelta
    since: datetime

    @property
    def id(self) -> str:
        """Return what other requests call the session."""
        return stable_hex("session", self.key, self.player.uuid, length=24)

    def position_at(self, now: datetime) -> timedelta:
        """Return how far it has got."""
        position = self.position
        if self.state == "playing":
            position += now - self.since
        return min(max(position, timedelta()), self.title.runtime)

    def change(self, state: str, position: timedelta | None) -> None:
        """Let it go on in another state, from a position if one is given."""
        now = _now()
        self.position = self.position_at(now) if position is None else position
        self.since = now
        self.state = state


@dataclass(frozen=True, slots=True, order=True)
class HistoryEntry:
    """Somebody has watched something to the end; the time is in seconds since 1970."""

    viewed_at: int
    id: int
    item: Item
    account_id: int
    device_id: int


class PlexActivity:
    """What people do on a server, and what the server makes of it."""

    def __init__(
        self,
        *,
        accounts: PlexAccounts,
        owner: PlexUser,
        name: str,
        uuid: str,
        library: Library,
        titles: Iterable[Title],
        legacy: float,
    ) -> None:
        self.accounts = accounts
        self.owner = owner
        self.name = name
        self.uuid = uuid
        self.members: list[PlexUser] = []
        # Those who may not use it any more, whom it goes on listing as accounts.
        self.former: list[PlexUser] = []
        self.players: list[PlexPlayer] = [LIVING_ROOM_TV]
        self.sessions: dict[str, PlexSession] = {}
        self.history: list[HistoryEntry] = []
        # Some servers call their owner in webhooks what plex.tv does, instead of 1.
        self.webhooks_name_owner_as_plex_tv = False
        self.push_notifications = True
        # Where webhooks go instead: what a URL begins with, and what stands for that.
        self.detours: dict[str, str] = {}
        self.items = PlexItems(
            name=name,
            uuid=uuid,
            owner=PlexAccount.owner(owner.name),
            library=library,
            legacy=legacy,
        )
        for title in titles:
            self.items.add(title)
        self._states: dict[int, dict[Item, ViewState]] = {}
        self._history_ids = itertools.count(1)
        self._session_keys = itertools.count(1)
        self._history_version = 0
        self._history_memory: tuple[object, Sequence[HistoryEntry]] = (None, ())
        self._client: aiohttp.ClientSession | None = None
        self._background: set[asyncio.Task[Any]] = set()

    # Who is who

    def share_with(self, *users: PlexUser) -> None:
        """Let others use the server."""
        self.members.extend(users)

    def part_with(self, user: PlexUser, *, is_listed: bool = True) -> None:
        """Let somebody not use the server any more; what they watched stays in its history.

        Some are listed among the accounts all the same.
        """
        self.members.remove(user)
        if is_listed:
            self.former.append(user)

    @property
    def marks_write_history(self) -> bool:
        """Return whether to mark something as watched makes an entry of the history."""
        return False

    def token(self, user: PlexUser) -> str:
        """Return a token with which somebody may use the server."""
        if user is self.owner:
            return self.accounts.issue(user)
        return self.accounts.server_token(user, self.uuid)

    def account_id(self, user: PlexUser) -> int:
        """Return by which number the server knows somebody."""
        return OWNER_ID if user is self.owner else user.id

    @property
    def users(self) -> list[PlexUser]:
        """Return everybody who may use the server, the owner first."""
        return [self.owner, *self.members]

    # What happens on it

    async def play(
        self,
        user: PlexUser,
        title: Playable,
        player: PlexPlayer | None = None,
        *,
        position: timedelta = timedelta(),
    ) -> list[Delivery]:
        """Play something from a position on; what the player played before is over."""
        player = player or LIVING_ROOM_TV
        await self.stop_playing(player)
        if player not in self.players:
            self.players.append(player)
        self.sessions[player.uuid] = PlexSession(
            next(self._session_keys), user, title, player, "playing", position, _now()
        )
        return await self.report(PlexEvent.PLAY, title, user, player)

    async def pause(
        self, player: PlexPlayer | None = None, *, position: timedelta | None = None
    ) -> list[Delivery]:
        """Pause what a player plays."""
        return await self._change(player, "paused", position, PlexEvent.PAUSE)

    async def resume(
        self, player: PlexPlayer | None = None, *, position: timedelta | None = None
    ) -> list[Delivery]:
        """Let a player go on."""
        return await self._change(player, "playing", position, PlexEvent.RESUME)

    async def stop_playing(
        self, player: PlexPlayer | None = None, *, position: timedelta | None = None
    ) -> list[Delivery]:
        """Stop what a player plays, if it plays anything."""
        player = player or LIVING_ROOM_TV
        session = self.sessions.pop(player.uuid, None)
        if session is None:
            return []
        session.change("stopped", position)
        state = self._state(session.user, session.title)
        if state is not None:
            rest = session.title.runtime * (1 - _COMPLETE)
            ended = session.position > session.title.runtime - rest
            state.view_offset = None if ended else milliseconds(session.position)
        return await self._report_session(PlexEvent.STOP, session)

    async def finish(
        self, player: PlexPlayer | None = None, *, at: datetime | None = None
    ) -> list[Delivery]:
        """Let a player get to where the server takes it for watched; it plays on from there.

        That makes it watched and an entry of the history, at this moment or at another.
        """
        session = self.sessions[(player or LIVING_ROOM_TV).uuid]
        session.change(session.state, session.title.runtime * _COMPLETE)
        self.record(session.user, session.title, session.player, at=at)
        return await self._report_session(PlexEvent.SCROBBLE, session, at=at)

    async def watch(
        self, user: PlexUser, title: Playable, player: PlexPlayer | None = None
    ) -> list[Delivery]:
        """Play something to its end."""
        deliveries = await self.play(user, title, player)
        deliveries += await self.finish(player)
        deliveries += await self.stop_playing(player, position=title.runtime)
        return deliveries

    async def rate(
        self,
        user: PlexUser,
        title: Title,
        rating: float | None,
        player: PlexPlayer | None = None,
    ) -> list[Delivery]:
        """Rate something from 0 to 10; None removes the rating."""
        if (state := self._state(user, title)) is not None:
            state.rating = rating
            state.rated_at = None if rating is None else int(_now().timestamp())
        return await self.report(
            PlexEvent.RATE, title, user, player or LIVING_ROOM_TV, rating=rating
        )

    async def add(
        self, title: Title, *, guid: str | None = None, at: datetime | None = None
    ) -> list[Delivery]:
        """Add something to the library, now unless another time is given.

        `guid` makes it an item of some other agent than Plex's own.
        """
        item = self.items.add(title, guid)
        for each in (item, *self.items.parents(item)):
            if each == item or len(self.items.children(each)) == 1:
                self.items.came(each, at or _now())
        if not self.push_notifications:
            return []
        return await self.report(PlexEvent.LIBRARY_NEW, title)

    def remove(self, title: Title) -> None:
        """Remove something from the library, and what is in it. Nobody is told."""
        item = self.items.locate(title)
        if item is None:
            raise ValueError(f"{title.label} is not in the library")
        self.items.remove(item)
        self._history_version += 1

    def mark(
        self,
        user: PlexUser,
        title: Title,
        *,
        watched: bool = True,
        at: datetime | None = None,
    ) -> None:
        """Mark something as watched or not, by hand, now or at another time: no webhook.

        At another time it was marked elsewhere, and is synced: that never makes an entry of
        the history.
        """
        item = self.items.locate(title)
        if item is None:
            raise ValueError(f"{title.label} is not in the library")
        self.mark_item(user, item, watched=watched, at=at)

    def record(
        self,
        user: PlexUser,
        title: Title,
        player: PlexPlayer | None = None,
        *,
        at: datetime | None = None,
    ) -> HistoryEntry | None:
        """Enter something into the history and make it watched, without a webhook.

        Trailers and other extras leave no trace.
        """
        item = self.items.locate(title)
        if item is None:
            return None
        if player is not None and player not in self.players:
            self.players.append(player)
        device = self.players.index(player) + 1 if player is not None else 1
        return self._record(user, item, device, int((at or _now()).timestamp()))

    def fill_history(
        self,
        count: int,
        users: Sequence[PlexUser] = (),
        *,
        until: datetime | None = None,
        every: timedelta = timedelta(minutes=50),
    ) -> None:
        """Enter so many plays of the films and episodes there are, in turn, evenly spread.

        The last one was at `until`, now unless given.
        """
        users = users or self.users
        pool = [
            (kind, numbers)
            for section in self.items.sections
            for kind in section.kinds
            if kind in LEAVES and (numbers := self.items.numbers(section, kind))
        ]
        last = int((until or _now()).timestamp())
        step = int(every.total_seconds())
        for number in range(count):
            kind, numbers = pool[number % len(pool)]
            item = Item(kind, numbers[number // len(pool) % len(numbers)])
            at = last - (count - 1 - number) * step
            self._record(users[number % len(users)], item, 1, at)

    def state(self, user: PlexUser, title: Title) -> ViewState:
        """Return what somebody has done with a title."""
        item = self.items.locate(title)
        states = self._states.get(self.account_id(user), {})
        return states.get(item, ViewState()) if item else ViewState()

    def states(self, user: PlexUser) -> Mapping[Item, ViewState]:
        """Return what somebody has done with all items."""
        return self._states.get(self.account_id(user), {})

    def key(self, title: Title) -> str:
        """Return this server's own number of a title."""
        item = self.items.locate(title)
        if item is None:
            return self.items.rating_key(title.key)
        return self.items.key_of(item)

    # Webhooks

    async def report(
        self,
        event: str,
        title: Title | None = None,
        user: PlexUser | None = None,
        player: PlexPlayer | None = None,
        **details: Any,
    ) -> list[Delivery]:
        """Send an event to all webhooks it concerns, and return what became of that.

        It concerns the owner of the server, and who has done it. Webhooks are for those with
        a Plex Pass. The details are those of `PlexServer.payload`.
        """
        user = user or self.owner
        account = PlexAccount(self._webhook_id(user), user.name)
        posts = []
        for receiver in dict.fromkeys((self.owner, user)):
            if not receiver.plex_pass:
                continue
            payload = self.items.payload(event, title, account, player, **details)
            payload["user"] = receiver is user
            payload["owner"] = receiver is self.owner
            thumb = None
            if title is not None and event in _WITH_POSTER:
                thumb = poster(self.key(title))
            body, content_type = encode(payload, thumb)
            posts += [
                self._post(url, payload, body, content_type)
                for url in receiver.webhooks
            ]
        return list(await asyncio.gather(*posts))

    def _webhook_id(self, user: PlexUser) -> int:
        """Return by which number webhooks speak of somebody."""
        if self.webhooks_name_owner_as_plex_tv:
            return user.id
        return self.account_id(user)

    async def _post(
        self, url: str, payload: dict[str, Any], body: bytes, content_type: str
    ) -> Delivery:
        """Send a webhook once, whatever comes of it: Plex does not try again."""
        if self._client is None:
            raise RuntimeError("The server has not been started")
        target = url
        for beginning, instead in self.detours.items():
            if url.startswith(beginning):
                target = instead.rstrip("/") + url.removeprefix(beginning.rstrip("/"))
        try:
            status, answer = await post(
                self._client, target, body, content_type, USER_AGENT
            )
        except (aiohttp.ClientError, TimeoutError) as err:
            return Delivery(url, payload, None, {"error": repr(err)})
        return Delivery(url, payload, status, answer)

    async def _report_session(
        self, event: str, session: PlexSession, *, at: datetime | None = None
    ) -> list[Delivery]:
        """Send an event of something that is played."""
        position = session.position_at(_now())
        views = self.state(session.user, session.title).view_count
        return await self.report(
            event,
            session.title,
            session.user,
            session.player,
            position=timedelta(milliseconds=milliseconds(position)),
            view_count=max(views, 1),
            at=at,
        )

    async def _change(
        self,
        player: PlexPlayer | None,
        state: str,
        position: timedelta | None,
        event: str,
    ) -> list[Delivery]:
        """Change how a player plays, and tell the webhooks."""
        session = self.sessions[(player or LIVING_ROOM_TV).uuid]
        session.change(state, position)
        return await self._report_session(event, session)

    # Who has seen what

    def _state(self, user: PlexUser, title: Title) -> ViewState | None:
        """Return what somebody has done with a title, to change it; None if not held."""
        item = self.items.locate(title)
        if item is None:
            return None
        return self._states_of(user).setdefault(item, ViewState())

    def _states_of(self, user: PlexUser) -> dict[Item, ViewState]:
        """Return what somebody has done with all items."""
        return self._states.setdefault(self.account_id(user), {})

    def _record(self, user: PlexUser, item: Item, device: int, at: int) -> HistoryEntry:
        """Enter an item into the history and make it watched."""
        entry = HistoryEntry(
            at, next(self._history_ids), item, self.account_id(user), device
        )
        insort(self.history, entry)
        self._history_version += 1
        state = self._states_of(user).setdefault(item, ViewState())
        state.view_count += 1
        state.last_viewed_at = max(at, state.last_viewed_at or 0)
        state.view_offset = None
        return entry

    def mark_item(
        self,
        user: PlexUser,
        item: Item,
        *,
        watched: bool,
        at: datetime | None = None,
    ) -> None:
        """Mark what can be played in an item as watched, or as never watched."""
        states = self._states_of(user)
        moment = int((at or _now()).timestamp())
        for leaf in self.items.leaves(item):
            if watched and at is None and self.marks_write_history:
                self._record(user, leaf, 1, moment)
                continue
            state = states.setdefault(leaf, ViewState())
            state.view_offset = None
            if watched:
                state.view_count += 1
                state.last_viewed_at = max(moment, state.last_viewed_at or 0)
            else:
                state.view_count = 0
                state.last_viewed_at = None

    # The history

    def entries(
        self, user: PlexUser, query: Mapping[str, str]
    ) -> Sequence[HistoryEntry]:
        """Return the entries of the history that a request asks for, in its order."""
        wanted = {
            name: value
            for name, value in query.items()
            if not name.startswith("X-Plex-")
        }
        memory = (self._history_version, user, *sorted(wanted.items()))
        if memory == self._history_memory[0]:
            return self._history_memory[1]
        tests: list[Callable[[HistoryEntry], bool]] = []
        if user is not self.owner:
            tests.append(_of_account(user.id))
        for name, value in wanted.items():
            match name:
                case "accountID":
                    tests.append(_of_account(int(value)))
                case "librarySectionID":
                    tests.append(self._in_section(int(value)))
                case "metadataItemID":
                    tests.append(self._in_item(value))
                case "viewedAt>" | "viewedAt<" | "viewedAt>>" | "viewedAt<<":
                    tests.append(_at(name, int(value)))
        entries: Sequence[HistoryEntry] = [
            entry for entry in self.history if all(test(entry) for test in tests)
        ]
        if wanted.get("sort", "").startswith("viewedAt:desc"):
            entries = entries[::-1]
        self._history_memory = (memory, entries)
        return entries

    def _in_section(self, number: int) -> Callable[[HistoryEntry], bool]:
        """Return the test whether something is in a section."""
        return lambda entry: self.items.section_of(entry.item).id == number

    def _in_item(self, key: str) -> Callable[[HistoryEntry], bool]:
        """Return the test whether something is an item, or in it."""
        item = self.items.item(key)
        leaves = frozenset(self.items.leaves(item)) if item else frozenset()
        return lambda entry: entry.item in leaves

    # Work in the background

    def open_client(self) -> None:
        """Get ready to send webhooks."""
        if self._client is None:
            self._client = aiohttp.ClientSession()

    async def close_client(self) -> None:
        """Send no webhooks any more."""
        for task in list(self._background):
            task.cancel()
        if self._client is not None:
            await self._client.close()
            self._client = None

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that whoever asked for it does not wait for."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def settle(self) -> None:
        """Wait until the webhooks that requests gave rise to have been answered."""
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)


def poster(key: str) -> bytes:
    """Return a JPEG that tells by a comment in it which item it is the poster of."""
    comment = key.encode()
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment
    return POSTER[:2] + segment + POSTER[2:]


def _of_account(number: int) -> Callable[[HistoryEntry], bool]:
    """Return the test whether somebody has watched something."""
    return lambda entry: entry.account_id == number


def _at(name: str, moment: int) -> Callable[[HistoryEntry], bool]:
    """Return the test whether something was watched before or after a moment."""
    match name:
        case "viewedAt>>":
            return lambda entry: entry.viewed_at > moment
        case "viewedAt<<":
            return lambda entry: entry.viewed_at < moment
        case "viewedAt<":
            return lambda entry: entry.viewed_at <= moment
        case _:
            return lambda entry: entry.viewed_at >= moment


def _now() -> datetime:
    """Return what time it is."""
    return datetime.now(UTC)


def milliseconds(duration: timedelta) -> int:
    """Return a duration in the unit Plex uses."""
    return duration // timedelta(milliseconds=1)
