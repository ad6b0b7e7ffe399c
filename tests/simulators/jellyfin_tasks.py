"""The scheduled tasks of a Jellyfin server: its own scan, and those of the webhook plugin.

The plugin keeps what came and went in queues, which a task of its own empties: an hour
after the plugin's first start, then every 90 seconds, or when an administrator runs it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from .catalogue import stable_hex
from .jellyfin import written
from .jellyfin_items import Item, Items
from .jellyfin_notices import Notices
from .jellyfin_plugin import Notification

# How many rounds something without external ids is waited with, for it to get some.
ROUNDS_WITHOUT_IDS = 10


class TaskKey(StrEnum):
    """The tasks that matter here, by the keys that the API has for them."""

    SCAN = "RefreshLibrary"
    ITEMS_ADDED = "WebhookItemAdded"
    ITEMS_DELETED = "WebhookItemDeleted"


_ABOUT: Mapping[TaskKey, tuple[str, str]] = {
    TaskKey.SCAN: (
        "Scan Media Library",
        "Scans your media library for new files and refreshes metadata.",
    ),
    TaskKey.ITEMS_ADDED: ("Webhook Item Added Notifier", "Processes item added queue"),
    TaskKey.ITEMS_DELETED: (
        "Webhook Item Deleted Notifier",
        "Processes item deleted queue",
    ),
}


@dataclass(kw_only=True)
class Task:
    """A task, and when it last ran."""

    key: TaskKey
    is_running: bool = False
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def id(self) -> str:
        """Return the id, the same on every server."""
        return stable_hex("task", self.key)

    def described(self) -> dict[str, Any]:
        """Return the task as the API describes it, and how it went the last time."""
        name, description = _ABOUT[self.key]
        described: dict[str, Any] = {
            "Name": name,
            "State": "Running" if self.is_running else "Idle",
            "Id": self.id,
            "Triggers": [],
            "Description": description,
            "Category": "Library",
            "IsHidden": False,
            "Key": str(self.key),
        }
        if self.is_running:
            described["CurrentProgressPercentage"] = 0
        if self.started and self.ended:
            described["LastExecutionResult"] = {
                "StartTimeUtc": written(self.started),
                "EndTimeUtc": written(self.ended),
                "Status": "Completed",
                "Name": name,
                "Key": str(self.key),
                "Id": self.id,
            }
        return described


class Tasks:
    """The tasks of a server."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._tasks = {key: Task(key=key) for key in TaskKey}

    def __getitem__(self, key: TaskKey) -> Task:
        """Return a task."""
        return self._tasks[key]

    @contextmanager
    def running(self, key: TaskKey) -> Iterator[None]:
        """Let a task run meanwhile."""
        task = self._tasks[key]
        task.is_running, began = True, self._now()
        try:
            yield
        finally:
            task.is_running = False
            task.started, task.ended = began, self._now()


class Announcements:
    """What came and went, and was not told of yet."""

    def __init__(self, items: Items, notices: Notices) -> None:
        self._items = items
        self._notices = notices
        # By id: how many rounds it was waited with.
        self._added: dict[str, int] = {}
        self._deleted: list[Notification] = []

    @property
    def waiting(self) -> bool:
        """Return whether there is anything to tell of."""
        return bool(self._added or self._deleted)

    def add(self, item: Item) -> None:
        """Tell of something new, in time."""
        self._added[item.id] = 0

    def remove(self, notification: Notification) -> None:
        """Tell of something that went, in time."""
        self._deleted.append(notification)

    def added_round(self) -> list[Notification]:
        """Return what is told of what is new, once.

        Something that has gone meanwhile ends the round.
        """
        notifications = []
        for identifier, rounds in list(self._added.items()):
            if (item := self._items.get(identifier)) is None:
                del self._added[identifier]
                break
            if not item.providers and rounds < ROUNDS_WITHOUT_IDS:
                self._added[identifier] += 1
                continue
            del self._added[identifier]
            notifications.append(self._notices.added(item))
        return notifications

    def deleted_round(self) -> list[Notification]:
        """Return what is told of what went."""
        notifications, self._deleted = self._deleted, []
        return notifications
