"""Does to a real Jellyfin server what the stand-in of the tests is asked, and compares.

On the server it makes a user and three small libraries of tiny files, and has the webhook
plugin send to an address of this machine. What the user does is recorded and played to a
stand-in of the same version; in what the two differ is printed. Whatever was made is removed,
also when something fails or the run is interrupted.

Only `--media` has to be known to both: a folder that the server can read. Where it has another
path there (in a container, say), `--media-at` is that.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
import getpass
import json
import os
from pathlib import Path, PurePosixPath
import secrets
import shutil
import signal
import sys
import tempfile
from typing import Any

import aiohttp
from aiohttp import web

from tests.simulators.jellyfin_comparison import Difference
from tests.simulators.jellyfin_plugin import NOTIFICATIONS, PLUGIN_ID
from tests.simulators.jellyfin_replay import replay
from tests.simulators.jellyfin_version import JELLYFIN_10_11, JellyfinVersion

from .against_jellyfin_media import FOLDERS, MediaError, make_media
from .against_jellyfin_steps import STEPS, Recorder

PASSWORD = "JELLYFIN_PASSWORD"
_CLIENT = (
    'Client="against-jellyfin", Device="Tests", DeviceId="against-jellyfin", '
    'Version="1.0"'
)
_KINDS = ("Movie", "Series", "Season", "Episode", "MusicArtist", "MusicAlbum", "Audio")
_SCAN = "RefreshLibrary"
_LONGEST_SCAN = 600


class CannotRunError(Exception):
    """The server, or this machine, is not as it has to be."""


@dataclass
class Administrator:
    """Somebody who may change the server."""

    session: aiohttp.ClientSession
    url: str
    token: str = ""

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Return an answer.

        Raises `CannotRunError` where there is none, or a refusal.
        """
        try:
            async with self.session.request(
                method,
                f"{self.url}{path}",
                params=query,
                json=body,
                headers={
                    "Authorization": f'MediaBrowser {_CLIENT}, Token="{self.token}"'
                },
            ) as response:
                text = await response.text()
                if response.status >= 400:
                    raise CannotRunError(f"{method} {path}: {response.status} {text}")
        except aiohttp.ClientError as err:
            raise CannotRunError(f"{method} {path}: {err}") from err
        try:
            return json.loads(text) if text else None
        except json.JSONDecodeError as err:
            raise CannotRunError(f"{method} {path}: this is no Jellyfin") from err

    async def sign_in(self, name: str, password: str) -> None:
        """Sign in; the one who does has to be an administrator."""
        answer = await self.ask(
            "POST", "/Users/AuthenticateByName", {"Username": name, "Pw": password}
        )
        self.token = answer["AccessToken"]
        if not answer["User"]["Policy"]["IsAdministrator"]:
            await self.sign_out()
            raise CannotRunError(f"{name} is no administrator")

    async def sign_out(self) -> None:
        """Sign out."""
        await self.ask("POST", "/Sessions/Logout")

    # --- what is made, each with what removes it ----------------------------------------

    async def make_user(self, undo: Undo, name: str, password: str) -> str:
        """Make a user; returns the id."""
        user = await self.ask(
            "POST", "/Users/New", {"Name": name, "Password": password}
        )
        undo("the user", lambda: self.ask("DELETE", f"/Users/{user['Id']}"))
        identifier: str = user["Id"]
        return identifier

    async def make_libraries(self, undo: Undo, mark: str, media: str) -> list[str]:
        """Make libraries of the folders in one; returns their ids."""
        names = []
        for kind, folder in FOLDERS.items():
            name = f"Check {mark} {folder}"
            options = {
                "EnableRealtimeMonitor": False,
                "PathInfos": [{"Path": str(PurePosixPath(media) / folder)}],
                # What is made up is not to be looked up.
                "TypeOptions": [
                    {"Type": each, "MetadataFetchers": [], "ImageFetchers": []}
                    for each in _KINDS
                ],
            }
            await self.ask(
                "POST",
                "/Library/VirtualFolders",
                {"LibraryOptions": options},
                name=name,
                collectionType=kind,
                refreshLibrary="false",
            )
            undo(f"the library {name}", partial(self._remove_library, name))
            names.append(name)
        # The marks of folders work from the second time on.
        for _ in range(2):
            await self.scan()
        return [
            folder["ItemId"]
            for folder in await self.ask("GET", "/Library/VirtualFolders")
            if folder["Name"] in names
        ]

    async def _remove_library(self, name: str) -> None:
        await self.ask(
            "DELETE", "/Library/VirtualFolders", name=name, refreshLibrary="false"
        )

    async def scan(self) -> None:
        """Have the server look through its libraries, and wait for the end of that."""
        before = await self._last_scan()
        await self.ask("POST", "/Library/Refresh")
        for _ in range(_LONGEST_SCAN):
            if await self._last_scan() not in {None, before}:
                return
            await asyncio.sleep(1)
        raise CannotRunError("the scan of the libraries does not end")

    async def _last_scan(self) -> str | None:
        """Return when the last scan ended, None while there is one."""
        for task in await self.ask("GET", "/ScheduledTasks"):
            if task["Key"] == _SCAN and task["State"] == "Idle":
                ended: str | None = task.get("LastExecutionResult", {}).get(
                    "EndTimeUtc"
                )
                return ended
        return None

    async def show_only(self, user_id: str, libraries: list[str]) -> None:
        """Let a user see nothing but some libraries."""
        user = await self.ask("GET", f"/Users/{user_id}")
        policy = {
            **user["Policy"],
            "EnableAllFolders": False,
            "EnabledFolders": libraries,
        }
        await self.ask("POST", f"/Users/{user_id}/Policy", policy)

    async def send_webhooks(self, undo: Undo, mark: str, url: str) -> None:
        """Have the plugin send everything to an address."""
        path = f"/Plugins/{PLUGIN_ID}/Configuration"
        name = f"Check {mark}"
        configuration = await self.ask("GET", path)
        undo("the plugin's destination", lambda: self._remove_destination(path, name))
        configuration["GenericOptions"].append(
            {
                "WebhookName": name,
                "WebhookUri": url,
                "NotificationTypes": sorted(NOTIFICATIONS - {"None"}),
                "SendAllProperties": True,
                "EnableWebhook": True,
                "Headers": [],
                "Fields": [],
                "UserFilter": [],
                **dict.fromkeys(
                    (
                        "EnableMovies",
                        "EnableEpisodes",
                        "EnableSeries",
                        "EnableSeasons",
                        "EnableAlbums",
                        "EnableSongs",
                        "EnableVideos",
                    ),
                    True,
                ),
            }
        )
        await self.ask("POST", path, configuration)

    async def _remove_destination(self, path: str, name: str) -> None:
        """Take a destination out of whatever the configuration is by now."""
        configuration = await self.ask("GET", path)
        configuration["GenericOptions"] = [
            option
            for option in configuration["GenericOptions"]
            if option["WebhookName"] != name
        ]
        await self.ask("POST", path, configuration)


type Undo = Callable[[str, Callable[[], Awaitable[Any]]], None]


@asynccontextmanager
async def undoing() -> AsyncIterator[Undo]:
    """Undo in the end what was done meanwhile, the last first; what fails is printed."""
    async with AsyncExitStack() as stack:

        def undo(what: str, how: Callable[[], Awaitable[Any]]) -> None:
            async def attempt() -> None:
                try:
                    await how()
                except CannotRunError as err:
                    say(f"{what} could not be removed: {err}")

            stack.push_async_callback(attempt)

        yield undo


@asynccontextmanager
async def listening(
    address: str | None, received: list[dict[str, Any]], mine: Callable[[], set[str]]
) -> AsyncIterator[str | None]:
    """Take in the webhooks of one user, at an address; yields the URL of it."""
    if address is None:
        yield None
        return
    host, _, port = address.rpartition(":")

    async def receive(request: web.Request) -> web.Response:
        payload = json.loads(await request.read())
        if not mine().isdisjoint(
            {payload.get("NotificationUsername"), payload.get("Username")}
        ):
            received.append(payload)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, int(port))
        try:
            await site.start()
        except OSError as err:
            raise CannotRunError(f"cannot listen at {address}: {err}") from err
        yield f"http://{host}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def compare(options: argparse.Namespace, password: str) -> list[Difference]:
    """Record a server, play that to a stand-in, and return in what they differ."""
    if shutil.which(options.ffmpeg) is None:
        raise CannotRunError(
            f"{options.ffmpeg} is missing, which makes the files of the library"
        )
    mark = secrets.token_hex(4)
    name, own_password = f"check-{mark}", secrets.token_hex(16)
    received: list[dict[str, Any]] = []
    async with (
        aiohttp.ClientSession() as session,
        listening(options.listen, received, lambda: {name}) as hook,
        undoing() as undo,
    ):
        administrator = Administrator(session, options.url.rstrip("/"))
        version = await _version(administrator)
        await administrator.sign_in(options.user, password)
        undo("the sign-in", administrator.sign_out)
        media = _make_folder(undo, options.media)
        say(f"Jellyfin {version}: making a library")
        await make_media(media, options.ffmpeg)
        seen_at = str(PurePosixPath(options.media_at or options.media) / media.name)
        libraries = await administrator.make_libraries(undo, mark, seen_at)
        user_id = await administrator.make_user(undo, name, own_password)
        await administrator.show_only(user_id, libraries)
        if hook is not None:
            await administrator.send_webhooks(undo, mark, hook)
        recorder = Recorder(
            session,
            administrator.url,
            name,
            own_password,
            received,
            hook is not None,
            options.patience,
        )
        for did, do in STEPS.items():
            say(did)
            await recorder.record(did, do)
    async with replay(version, recorder.steps, recorder.zone()) as played:
        if hook is None:
            played.jellyfin.plugin.installed = False
        await played.play()
    return played.differences


async def _version(administrator: Administrator) -> JellyfinVersion:
    """Return the version of the server, which has to be one that a stand-in knows."""
    about = await administrator.ask("GET", "/System/Info/Public")
    try:
        version = JellyfinVersion.parse(about["Version"])
    except (KeyError, TypeError, ValueError) as err:
        raise CannotRunError(f"{administrator.url} is no Jellyfin server") from err
    if version < JellyfinVersion(JELLYFIN_10_11.major, JELLYFIN_10_11.minor):
        raise CannotRunError(f"Jellyfin {version} is too old: 10.11 is needed")
    return version


def _make_folder(undo: Undo, media: Path) -> Path:
    """Make a folder for the library, which the server may read."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="media-scrobbler-check-", dir=media))
    except OSError as err:
        raise CannotRunError(f"cannot write to {media}: {err}") from err
    folder.chmod(0o755)

    async def remove() -> None:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    undo("the folder", remove)
    return folder


def say(text: str) -> None:
    """Tell what is going on."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.ArgumentParser:
    """Return what the script takes."""
    parser = argparse.ArgumentParser(
        description="Prints where a Jellyfin server differs from the stand-in."
    )
    parser.add_argument("url", help="of a server to spare")
    parser.add_argument("--user", required=True, help="an administrator")
    parser.add_argument(
        "--media", required=True, type=Path, help="a folder that the server can read"
    )
    parser.add_argument("--media-at", help="its path at the server, if another one")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="an address that the server reaches"
    )
    parser.add_argument("--ffmpeg", default="ffmpeg", help="what makes the files")
    parser.add_argument(
        "--patience",
        type=float,
        default=0.7,
        metavar="SECONDS",
        help="how long to wait for one more webhook",
    )
    return parser


async def run(options: argparse.Namespace, password: str) -> int:
    """Compare, print, and return the exit code."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        found = await compare(options, password)
    except (CannotRunError, MediaError) as err:
        say(str(err))
        return 2
    for difference in found:
        print(difference)
    say(f"{len(found)} differences" if found else "no difference")
    return 1 if found else 0


def main() -> int:
    """Run the script."""
    options = arguments().parse_args()
    password = os.environ.get(PASSWORD)
    if password is None:
        password = getpass.getpass(f"Password of {options.user}: ")
    try:
        return asyncio.run(run(options, password))
    except KeyboardInterrupt, asyncio.CancelledError:
        say("interrupted; what was made has been removed")
        return 130


if __name__ == "__main__":
    sys.exit(main())
