"""The scheduled tasks of a Jellyfin server, which administrators may see and run."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..domain.media_server import ForbiddenError
from ..http_client import path
from .http import Http, RefusedError, understood
from .items import utc_time

SCAN = "RefreshLibrary"
"""The key of the server's own look through its libraries."""

# Those of the webhook plugin that tell of what came and went.
_QUEUES = ("WebhookItemAdded", "WebhookItemDeleted")

LATE = timedelta(minutes=4)
"""Time without a run after which one of the webhook plugin's is late.

It has them run about every 90 s, but first of all an hour after it was started for the first
time (as seen with plugin 21).
"""


@dataclass(frozen=True, slots=True)
class Task:
    """A task; `ended_at` is when it last ran to its end (UTC), None if it never did."""

    id: str
    key: str
    is_running: bool
    ended_at: datetime | None


async def async_tasks(http: Http) -> list[Task]:
    """Return all tasks; none for whoever may not see them."""
    try:
        answer = await http.async_objects("/ScheduledTasks")
    except ForbiddenError:
        return []
    tasks = []
    with understood():
        for task in answer:
            identity, key = task.text("Id"), task.text("Key")
            result = task.object("LastExecutionResult")
            if identity is not None and key is not None:
                tasks.append(
                    Task(
                        identity,
                        key,
                        task.text("State") != "Idle",
                        utc_time(result.text("EndTimeUtc")) if result else None,
                    )
                )
    return tasks


def scanned_at(tasks: list[Task]) -> datetime | None:
    """Return when the server last ended to look through its libraries."""
    return next((task.ended_at for task in tasks if task.key == SCAN), None)


def late_queues(tasks: list[Task], now: datetime) -> list[Task]:
    """Return the tasks of the webhook plugin that nobody has run for too long."""
    return [
        task
        for task in tasks
        if task.key in _QUEUES
        and not task.is_running
        and (task.ended_at is None or now - task.ended_at > LATE)
    ]


async def async_run_queues(http: Http) -> None:
    """Have the webhook plugin tell now of what came and went, as far as that is allowed."""
    for task in await async_tasks(http):
        if task.key in _QUEUES and not task.is_running:
            try:
                await http.async_request(
                    "POST", path("ScheduledTasks", "Running", task.id)
                )
            except ForbiddenError, RefusedError:
                # It has ended to be an administrator's, or the plugin to be there.
                return
