"""The endpoints of a Jellyfin server that are for its administrators."""

from collections.abc import Callable, Sequence
import json

from aiohttp import web

from .catalogue import stable_hex
from .jellyfin import JellyfinUser
from .jellyfin_accounts import Account
from .jellyfin_calls import Access, Call, Endpoint, RefusedError, answer_json
from .jellyfin_folders import Folder
from .jellyfin_items import VIEWS
from .jellyfin_plugin import PLUGIN_ID, BadConfigurationError, Notification
from .jellyfin_query import BadRequestError
from .jellyfin_state import JellyfinState
from .jellyfin_tasks import Task, TaskKey


class Administration:
    """Users, libraries, tasks and plugins; `send` is given what a request raises."""

    def __init__(
        self, state: JellyfinState, send: Callable[[Notification], None]
    ) -> None:
        self._state = state
        self._items = state.items
        self._accounts = state.accounts
        self._plugin = state.plugin
        self._json = state.describe
        self._send = send

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints."""
        configuration = "/Plugins/{plugin}/Configuration"
        virtual_folders = "/Library/VirtualFolders"
        return [
            (method, path, Access.ADMINISTRATORS, handler)
            for method, path, handler in (
                ("POST", "/Users/New", self._new_user),
                ("DELETE", "/Users/{user}", self._delete_user),
                ("POST", "/Users/{user}/Policy", self._set_policy),
                ("GET", virtual_folders, self._virtual_folders),
                ("POST", virtual_folders, self._add_folder),
                ("DELETE", virtual_folders, self._remove_folder),
                ("POST", "/Library/Refresh", self._refresh),
                ("GET", "/ScheduledTasks", self._scheduled_tasks),
                ("POST", "/ScheduledTasks/Running/{task}", self._run_task),
                ("GET", "/Plugins", self._plugins),
                ("GET", configuration, self._configuration),
                ("POST", configuration, self._configure),
            )
        ]

    # --- users ----------------------------------------------------------------------------

    def _account_of(self, call: Call) -> Account:
        if (account := self._accounts.users.get(call.id("user"))) is None:
            raise RefusedError(404)
        return account

    async def _new_user(self, call: Call) -> web.Response:
        given = call.json()
        if not isinstance(given, dict) or not given.get("Name"):
            raise BadRequestError("The Name field is required.", "Name")
        if self._accounts.named(given["Name"]) is not None:
            raise RefusedError(400, "Error processing request.")
        account = Account(
            user=JellyfinUser.named(given["Name"]),
            password=given.get("Password") or "",
            hidden=True,
        )
        self._accounts.users[account.user.id] = account
        return answer_json(self._json.user(account))

    async def _delete_user(self, call: Call) -> web.Response:
        account = self._account_of(call)
        for token in list(self._accounts.tokens.values()):
            if token.account is account:
                self._accounts.sign_out(token)
        del self._accounts.users[account.user.id]
        return web.Response(status=204)

    async def _set_policy(self, call: Call) -> web.Response:
        """Take what matters here of what a user may do."""
        account, given = self._account_of(call), call.json()
        account.administrator = bool(given.get("IsAdministrator"))
        account.disabled = bool(given.get("IsDisabled"))
        account.hidden = bool(given.get("IsHidden"))
        account.has_preferences = given.get("EnableUserPreferenceAccess") is not False
        account.unseen.clear()
        if given.get("EnableAllFolders") is False:
            views = {self._items.id_of(view) for view in VIEWS}
            account.unseen |= views - set(given.get("EnabledFolders") or ())
        return web.Response(status=204)

    # --- libraries ------------------------------------------------------------------------

    async def _virtual_folders(self, call: Call) -> web.Response:
        folders = [
            (view.title, [view.folder], view.collection_type) for view in VIEWS
        ] + [
            (folder.name, folder.paths, folder.collection_type)
            for folder in self._state.folders.values()
        ]
        return answer_json(
            [
                {
                    "Name": name,
                    "Locations": paths,
                    "CollectionType": collection_type,
                    "LibraryOptions": {
                        "Enabled": True,
                        "PathInfos": [{"Path": path} for path in paths],
                    },
                    "ItemId": self._view_id(collection_type),
                    "PrimaryImageItemId": self._view_id(collection_type),
                    "RefreshStatus": "Idle",
                }
                for name, paths, collection_type in folders
            ]
        )

    def _view_id(self, collection_type: str) -> str:
        """Return the id of the library in which what is of a kind is found."""
        (identifier,) = (
            self._items.id_of(view)
            for view in VIEWS
            if view.collection_type == collection_type
        )
        return identifier

    async def _add_folder(self, call: Call) -> web.Response:
        name = call.params.required("name")
        collection_type = call.params.required("collectionType")
        options = (call.json() or {}).get("LibraryOptions") or {}
        paths = call.params.several("paths") or [
            each["Path"] for each in options.get("PathInfos") or ()
        ]
        if name in self._state.folders:
            raise RefusedError(400, "Error processing request.")
        self._state.folders[name] = Folder(
            name=name, collection_type=collection_type, paths=paths
        )
        return web.Response(status=204)

    async def _remove_folder(self, call: Call) -> web.Response:
        folder = self._state.folders.get(call.params.required("name"))
        if folder is None:
            raise RefusedError(404)
        self._state.remove_folder(folder)
        return web.Response(status=204)

    # --- tasks ----------------------------------------------------------------------------

    async def _scheduled_tasks(self, call: Call) -> web.Response:
        return answer_json([task.described() for task in self._known_tasks()])

    def _known_tasks(self) -> list[Task]:
        """Return the tasks there are: those of a plugin go with it."""
        return [
            self._state.tasks[key]
            for key in TaskKey
            if key is TaskKey.SCAN or self._plugin.installed
        ]

    async def _run_task(self, call: Call) -> web.Response:
        for task in self._known_tasks():
            if task.id == call.path_values["task"]:
                return self._run(task.key)
        raise RefusedError(404)

    async def _refresh(self, call: Call) -> web.Response:
        return self._run(TaskKey.SCAN)

    def _run(self, key: TaskKey) -> web.Response:
        """Run a task, and tell what it raises."""
        for notification in self._state.run(key):
            self._send(notification)
        return web.Response(status=204)

    # --- plugins --------------------------------------------------------------------------

    async def _plugins(self, call: Call) -> web.Response:
        plugins = [
            {
                "Name": "MusicBrainz",
                "Version": f"{self._state.server.version}.0",
                "Description": "Get artist and album metadata from any MusicBrainz server.",
                "Id": stable_hex("plugin", "MusicBrainz"),
                "CanUninstall": False,
                "HasImage": False,
                "Status": "Active",
            }
        ]
        if self._plugin.installed:
            plugins.append(
                {
                    "Name": "Webhook",
                    "Version": self._plugin.version,
                    "ConfigurationFileName": "Jellyfin.Plugin.Webhook.xml",
                    "Description": "Sends notifications to various services via webhooks.",
                    "Id": PLUGIN_ID,
                    "CanUninstall": True,
                    "HasImage": True,
                    "Status": "Active",
                }
            )
        return answer_json(plugins)

    def _assert_plugin(self, call: Call) -> None:
        if call.id("plugin") != PLUGIN_ID or not self._plugin.installed:
            raise RefusedError(404)

    async def _configuration(self, call: Call) -> web.Response:
        self._assert_plugin(call)
        return answer_json(self._plugin.configuration)

    async def _configure(self, call: Call) -> web.Response:
        self._assert_plugin(call)
        try:
            self._plugin.replace(json.loads(call.body))
        except BadConfigurationError, ValueError:
            raise RefusedError(500, "Error processing request.") from None
        return web.Response(status=204)
