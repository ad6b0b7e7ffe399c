"""To-do list: what a viewer wants to watch."""

from collections.abc import Mapping
from typing import override

from homeassistant.components.todo.const import TodoItemStatus, TodoListEntityFeature
from homeassistant.components.todo.entity import TodoItem, TodoListEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .domain.watchlist import WatchlistItem, label
from .entity import UpdatedEntity
from .flow_base import async_texts
from .scrobbler import DATA_SCROBBLER
from .service_call import invalid
from .viewer import Viewer, ViewerConfigEntry
from .watchlists import Watchlists

PARALLEL_UPDATES = 0

WATCHLIST = EntityDescription(key="watchlist", translation_key="watchlist")


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ViewerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the watchlist of a viewer."""
    texts = await async_texts(hass)
    async_add_entities(
        [
            WatchlistEntity(
                entry.runtime_data, hass.data[DATA_SCROBBLER].watchlists, texts
            )
        ]
    )


class WatchlistEntity(UpdatedEntity[Viewer], TodoListEntity):
    """A viewer's watchlist, in the order in which the viewer has put it."""

    _attr_supported_features = (
        TodoListEntityFeature.CREATE_TODO_ITEM
        | TodoListEntityFeature.UPDATE_TODO_ITEM
        | TodoListEntityFeature.DELETE_TODO_ITEM
        | TodoListEntityFeature.MOVE_TODO_ITEM
        # Not for people to set: without it, the frontend cannot change an item that has one.
        | TodoListEntityFeature.SET_DESCRIPTION_ON_ITEM
    )

    def __init__(
        self, viewer: Viewer, watchlists: Watchlists, texts: Mapping[str, str]
    ) -> None:
        """Take whose list it is."""
        super().__init__(viewer, WATCHLIST)
        self._watchlists = watchlists
        self._texts = texts

    # Not cached: it changes with the list and with what is in the libraries.
    @property
    @override
    def todo_items(self) -> list[TodoItem] | None:
        """Return the list; None while it cannot be read."""
        watchlist = self.runtime.watchlist
        if watchlist.unreadable:
            return None
        return [self._todo_item(item) for item in watchlist.items]

    def _todo_item(self, item: WatchlistItem) -> TodoItem:
        done = item.done_at is not None
        return TodoItem(
            uid=item.uid,
            summary=label(item),
            status=TodoItemStatus.COMPLETED if done else TodoItemStatus.NEEDS_ACTION,
            description=self._description(item),
            completed=item.done_at,
        )

    def _description(self, item: WatchlistItem) -> str | None:
        """Say what kind of title it is, and where it can be watched."""
        parts = []
        if not item.kind_is_guessed:
            kind = item.title.media_type.value
            parts.append(self._texts.get(f"watchlist.options.{kind}", kind))
        if servers := self._watchlists.servers_with(self.runtime, item):
            available = self._texts.get("watchlist.options.available", "")
            names = ", ".join(server.entry.title for server in servers)
            parts.append(f"{available} {names}".strip())
        return " · ".join(parts) or None

    @override
    async def async_create_todo_item(self, item: TodoItem) -> None:
        """Add what has been typed."""
        if item.description:
            raise invalid("watchlist_description")
        await self._watchlists.async_add(self.runtime, item.summary or "")

    @override
    async def async_update_todo_item(self, item: TodoItem) -> None:
        """Rename an item, check it off, or want it again."""
        uid = item.uid or ""
        known = self.runtime.watchlist.get(uid)
        # None is what a voice assistant sends.
        if known is not None and item.description not in (
            None,
            self._description(known),
        ):
            raise invalid("watchlist_description")
        await self._watchlists.async_update(
            self.runtime,
            uid,
            text=item.summary or "",
            # From an action it comes as the text.
            done=item.status == TodoItemStatus.COMPLETED,
        )

    @override
    async def async_delete_todo_items(self, uids: list[str]) -> None:
        """Take items off the list."""
        await self._watchlists.async_delete(self.runtime, uids)

    @override
    async def async_move_todo_item(
        self, uid: str, previous_uid: str | None = None
    ) -> None:
        """Move an item behind another one, or to the top."""
        await self._watchlists.async_move(self.runtime, uid, previous_uid)
