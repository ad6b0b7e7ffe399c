"""What a Jellyfin server knows, what changes it, and what its plugins are told of that.

Nothing in here waits: a change is made at once and returns the notifications it raises.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from .catalogue import Episode, ExternalIds, Movie, Season, Show
from .jellyfin import JellyfinEvent, JellyfinServer, JellyfinUser, SaveReason
from .jellyfin_accounts import Account, Accounts, Playing, Session
from .jellyfin_folders import Folder
from .jellyfin_items import FOLDERS, Held, Item, Items, Kind, top_of
from .jellyfin_json import Descriptions
from .jellyfin_notices import Notices
from .jellyfin_plugin import Notification, WebhookPlugin
from .jellyfin_tasks import Announcements, TaskKey, Tasks
from .jellyfin_user_data import PlayedDate, UserData
from .library import Library

# How long a client may say nothing about what it plays; the server looks as often.
IDLE_AFTER = timedelta(minutes=5)
_A_SECOND = timedelta(seconds=1)
# What has versions where each of them has user data.
_VIDEO = frozenset({Kind.MOVIE, Kind.EPISODE, Kind.VIDEO})


class JellyfinState:
    """A Jellyfin server without anything to reach it by."""

    def __init__(
        self,
        server: JellyfinServer,
        library: Library | None,
        now: Callable[[], datetime],
    ) -> None:
        self.server = server
        self.version = server.version
        self.now = now
        self.items = Items(server, library)
        self.accounts = Accounts(server.id, now)
        self.plugin = WebhookPlugin()
        self.describe = Descriptions(server, self.items)
        self.notices = Notices(server, self.items, now)
        self.announcements = Announcements(self.items, self.notices)
        self.tasks = Tasks(now)
        # How often the library has been looked through: see `mark`.
        self.scans = 2
        # The libraries that were made of folders, by name.
        self.folders: dict[str, Folder] = {}
        self.pending_restart = False
        # A playback event and the saving that goes with it are told in either order.
        self.playback_first = False

    def account(self, user: JellyfinUser) -> Account:
        """Return what is kept of a user."""
        return self.accounts.users[user.id]

    def data(self, account: Account, item: Item) -> UserData:
        """Return what a user did with an item, to look at and to change."""
        account.changes += 1
        return account.data.setdefault(item.id, UserData())

    # --- marks -------------------------------------------------------------------------

    def mark(
        self,
        account: Account,
        item: Item,
        *,
        played: bool,
        date: PlayedDate | None = None,
    ) -> list[Notification]:
        """Mark an item, or all that plays in it.

        Before 12.0 a folder is as good as empty to this until the library has been scanned
        for the second time.
        """
        marked = [item]
        if item.is_folder:
            marked = self.items.playable_within(item)
            if self.scans < 2 and self.version.marks_folders_from_second_scan_on:
                marked = []
        kept = told = None
        if date is not None:
            told = date.misread
            kept = told if self.version.keeps_misread_dates else date.at
        notifications = []
        for each in marked:
            if each.missing and item.is_folder and not account.displays_missing:
                continue
            data = self.data(account, each)
            if played:
                data.mark_played(kept, self.now())
            else:
                data.mark_unplayed()
            notifications.append(
                self.saved(account, each, SaveReason.TOGGLE_PLAYED, told)
            )
            notifications.extend(self._toggle_others(account, each, played=played))
        return notifications

    def _toggle_others(
        self, account: Account, item: Item, *, played: bool
    ) -> list[Notification]:
        """Do to the other versions of a video what was done to one."""
        if not self.version.keeps_data_of_versions or item.kind not in _VIDEO:
            return []
        notifications = []
        for version in self.items.versions(item):
            if version.id == item.id:
                continue
            data = self.data(account, version)
            if played:
                data.toggle_along()
            else:
                data.mark_unplayed()
            notifications.append(self.saved(account, version, SaveReason.TOGGLE_PLAYED))
        return notifications

    def favor(
        self, account: Account, item: Item, *, favorite: bool
    ) -> list[Notification]:
        """Make an item one of a user's favourites, or let it be none any more."""
        self.data(account, item).favorite = favorite
        return [self.saved(account, item, SaveReason.UPDATE_USER_RATING)]

    # --- playing -------------------------------------------------------------------------

    def start(
        self, session: Session, playing: Playing, position: timedelta
    ) -> list[Notification]:
        """Let a session play an item; what it played before is not stopped by that."""
        session.playing = session.before = playing
        session.position = session.reported = position
        session.paused, session.paused_at = False, None
        session.last_check_in = session.last_activity = self.now()
        item = self._whose_data(playing)
        saved = []
        for account in session.accounts:
            self.data(account, item).start(
                self.now(),
                resumes=_resumes(item),
                forgets=self.version.forgets_at_start,
            )
            saved.append(self.saved(account, item, SaveReason.PLAYBACK_START))
        return self._in_order(
            saved, self.notices.playback(JellyfinEvent.PLAYBACK_START, session, playing)
        )

    def progress(
        self,
        session: Session,
        playing: Playing,
        position: timedelta | None = None,
        *,
        paused: bool | None = None,
    ) -> list[Notification]:
        """Take a client's report of how far it has got.

        It need not have started: one that was asleep goes on with what the server stopped.
        """
        session.playing = session.before = playing
        if position is not None:
            session.position = position
        session.reported = session.position
        if paused is not None and paused is not session.paused:
            session.paused = paused
            session.paused_at = self.now() if paused else None
        session.last_check_in = session.last_activity = self.now()
        saved = []
        for account in session.accounts:
            self._advance(account, session, playing)
            saved += self._after_playing(account, playing, SaveReason.PLAYBACK_PROGRESS)
        return self._in_order(
            saved,
            self.notices.playback(JellyfinEvent.PLAYBACK_PROGRESS, session, playing),
        )

    def tick(self) -> list[Notification]:
        """Let a second pass: whatever plays is a second further, as the server thinks.

        It says so by itself, and saves nothing; what is paused or at its end it leaves.
        """
        notifications = []
        for session in self.accounts.sessions.values():
            if (playing := session.playing) is None or session.paused:
                continue
            runtime = playing.item.runtime
            if runtime and session.position + _A_SECOND >= runtime:
                continue
            session.position += _A_SECOND
            session.last_activity = self.now()
            notifications += self.notices.playback(
                JellyfinEvent.PLAYBACK_PROGRESS, session, playing, automated=True
            )
        return notifications

    def stop(
        self,
        session: Session,
        playing: Playing,
        position: timedelta | None,
        *,
        failed: bool = False,
    ) -> list[Notification]:
        """Let a client stop, at a position or without one; what failed is not saved."""
        session.last_activity = self.now()
        return self._end(session, playing, position, failed=failed)

    def stop_idle(self) -> list[Notification]:
        """Look whether clients have fallen silent, and stop what those play.

        That is no activity of theirs.
        """
        notifications = []
        for session in self.accounts.sessions.values():
            if session.playing is None or session.last_check_in is None:
                continue
            if self.now() - session.last_check_in > IDLE_AFTER:
                position = (
                    session.position
                    if self.version.stops_where_it_ran_to
                    else session.reported
                )
                notifications += self._end(session, session.playing, position)
        return notifications

    def _end(
        self,
        session: Session,
        playing: Playing,
        position: timedelta | None,
        *,
        failed: bool = False,
    ) -> list[Notification]:
        """End what a session plays, whoever has stopped it."""
        session.position = position or timedelta()
        saved, completed = [], False
        for account in () if failed else session.accounts:
            # That of the last one is told to be that of all.
            if position is None:
                self.data(account, self._whose_data(playing)).end_anywhere()
                completed = True
            else:
                completed = self._advance(account, session, playing)
            saved += self._after_playing(account, playing, SaveReason.PLAYBACK_FINISHED)
        stopped = self.notices.playback(
            JellyfinEvent.PLAYBACK_STOP, session, playing, completed=completed
        )
        session.playing, session.position = None, timedelta()
        session.paused, session.paused_at = False, None
        return self._in_order(saved, stopped)

    def _whose_data(self, playing: Playing) -> Item:
        """Return the item whose user data is written while something plays."""
        if self.version.keeps_data_of_versions:
            return playing.version
        return playing.item

    def _advance(self, account: Account, session: Session, playing: Playing) -> bool:
        """Save the position of a session; returns whether it is as good as the end."""
        item = self._whose_data(playing)
        return self.data(account, item).advance(
            session.position, item.runtime, resumes=_resumes(item)
        )

    def _after_playing(
        self, account: Account, playing: Playing, reason: SaveReason
    ) -> list[Notification]:
        """Return what is told when the position has been saved."""
        item = self._whose_data(playing)
        notifications = [self.saved(account, item, reason)]
        if self.data(account, item).played:
            notifications += self._toggle_others(account, item, played=True)
        return notifications

    def saved(
        self,
        account: Account,
        item: Item,
        reason: SaveReason,
        told: datetime | None = None,
    ) -> Notification:
        """Return that what a user did with an item was saved."""
        return self.notices.saved(account, item, self.data(account, item), reason, told)

    def _in_order(
        self, saved: list[Notification], playback: list[Notification]
    ) -> list[Notification]:
        """Return what is told of one report, in the order in which it is told now."""
        return playback + saved if self.playback_first else saved + playback

    # --- the library -----------------------------------------------------------------------

    def add(
        self,
        title: Held,
        *,
        has_ids: bool = True,
        folder: Season | Show | None = None,
    ) -> None:
        """Add a title and what it belongs to; the plugin will tell of it."""
        for item in self.items.add(title, self.now(), has_ids=has_ids, folder=folder):
            self.announcements.add(item)

    def add_version(
        self, title: Movie | Episode, name: str, *, has_ids: bool = True
    ) -> None:
        """Add another file of a film or an episode; the plugin will tell of it."""
        item = self.items.add_version(title, name, self.now(), has_ids=has_ids)
        self.announcements.add(item)

    def remove(self, title: Held) -> None:
        """Remove a title and what is in it; the plugin will tell of it.

        What users did with it is kept, for when it returns. Of a film's versions only the
        first one is told of, and before 12.0 only the title itself is.
        """
        gone = self.items.remove(title)
        told = [
            item
            for item in gone
            if item.version_of is None and item.kind is not Kind.ARTIST
        ]
        if not self.version.announces_what_was_in_it:
            del told[1:]
        for item in told:
            self.announcements.remove(self.notices.deleted(item))

    def rename(self, title: Held) -> None:
        """Rename the file of a title; what users did with it goes over to the new item."""
        gone, new = self.items.rename(title, self.now())
        for account in self.accounts.users.values():
            if (data := account.data.pop(gone.id, None)) is not None:
                account.data[new.id] = data
                account.changes += 1
        self.announcements.remove(self.notices.deleted(gone))
        self.announcements.add(new)

    def change_ids(self, title: Held, ids: ExternalIds) -> None:
        """Let the server find other external ids of a title than it had.

        What users did with it is kept by id, and under each: what was written before stays
        as it is under those that are gone.
        """
        item = self.items.of(title)
        self.items.change_ids(title, ids, self.now())
        for account in self.accounts.users.values():
            if (data := account.data.get(item.id)) is not None:
                account.older.setdefault(item.id, data.copy())
                account.changes += 1

    def _look_into(self, folder: Folder) -> None:
        """Add what has come into a folder, and remove what has gone from it."""
        files = list(folder.files())
        for file in folder.found:
            if file not in files and file.version is None:
                self.remove(file.title)
        for file in files:
            if file in folder.found:
                continue
            if file.version is not None and isinstance(file.title, Movie | Episode):
                self.add_version(file.title, file.version)
            else:
                self.add(file.title, folder=file.folder)
        folder.found = files

    def remove_folder(self, folder: Folder) -> None:
        """Remove a library with all that is in it."""
        del self.folders[folder.name]
        tops = dict.fromkeys(top_of(file.title) for file in folder.found)
        for title in tops:
            self.remove(title)

    def run(self, key: TaskKey) -> list[Notification]:
        """Run a task of the server or of its plugin once, and return what is told."""
        notifications: list[Notification] = []
        with self.tasks.running(key):
            match key:
                case TaskKey.SCAN:
                    self.scans += 1
                    for folder in self.folders.values():
                        self._look_into(folder)
                case TaskKey.ITEMS_ADDED:
                    notifications = self.announcements.added_round()
                case TaskKey.ITEMS_DELETED:
                    notifications = self.announcements.deleted_round()
        return notifications


def _resumes(item: Item) -> bool:
    """Return whether a position is kept; music begins anew."""
    return item.kind is not Kind.TRACK and item.kind not in FOLDERS
