"""The script that compares a Jellyfin server with the stand-in, run against the stand-in."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
import os
from pathlib import Path
import signal
import socket
import sys

import pytest

from .simulators.jellyfin_server import JellyfinStandIn
from .simulators.jellyfin_version import (
    JELLYFIN_12_0,
    JELLYFIN_VERSIONS,
    JellyfinVersion,
)

PASSWORD = "keeper's"
ROOT = Path(__file__).parent.parent
# Stands for ffmpeg where there is none: the file is there, and has nothing in it.
FFMPEG = '#!/bin/sh\nfor last; do :; done\n: > "$last"\n'

pytestmark = pytest.mark.usefixtures("socket_enabled")


@dataclass
class Run:
    """How the script ended, and what it printed."""

    code: int | None
    differences: list[str]
    said: str


@dataclass
class Script:
    """The script, with all that it needs to know."""

    jellyfin: JellyfinStandIn
    media: Path
    ffmpeg: Path
    listen: str

    async def start(
        self, *more: str, user: str = "keeper"
    ) -> asyncio.subprocess.Process:
        """Start the script."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.live.against_jellyfin"),
            *(self.jellyfin.url, "--user", user, "--media", str(self.media)),
            *("--listen", self.listen, "--patience", "0.02"),
            *("--ffmpeg", str(self.ffmpeg), *more),
            cwd=ROOT,
            env={**os.environ, "JELLYFIN_PASSWORD": PASSWORD},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *more: str, user: str = "keeper") -> Run:
        """Run the script to its end."""
        return await ended(await self.start(*more, user=user))

    def assert_nothing_left(self) -> None:
        """Assert that the server is as it was before."""
        accounts = self.jellyfin.accounts
        names = {account.user.name for account in accounts.users.values()}
        assert names == {"keeper", "guest"}
        assert not accounts.tokens
        assert not self.jellyfin.plugin.generic
        assert not self.jellyfin.folders
        assert self.jellyfin.items.count_of_all() == 0
        assert not list(self.media.iterdir())


async def ended(process: asyncio.subprocess.Process) -> Run:
    """Wait for the end of the script."""
    output, errors = await process.communicate()
    return Run(process.returncode, output.decode().splitlines(), errors.decode())


@pytest.fixture
def version() -> JellyfinVersion:
    return JELLYFIN_12_0


@pytest.fixture
async def script(version: JellyfinVersion, tmp_path: Path) -> AsyncIterator[Script]:
    media, ffmpeg = tmp_path / "media", tmp_path / "ffmpeg"
    media.mkdir()
    ffmpeg.write_text(FFMPEG)
    ffmpeg.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with JellyfinStandIn(version=version) as jellyfin:
        jellyfin.add_user("keeper", PASSWORD, administrator=True)
        jellyfin.add_user("guest", PASSWORD)
        yield Script(jellyfin, media, ffmpeg, f"127.0.0.1:{port}")


@pytest.mark.parametrize("version", JELLYFIN_VERSIONS, ids=str)
async def test_the_stand_in_is_as_the_stand_in(script: Script) -> None:
    run = await script.run()
    assert run.differences == [], run.said
    assert run.code == 0
    assert "a film of two versions" in run.said
    script.assert_nothing_left()


@pytest.mark.parametrize("version", JELLYFIN_VERSIONS, ids=str)
async def test_what_is_different_is_printed(
    script: Script, version: JellyfinVersion
) -> None:
    # It says to be of one version, and does what the other does.
    (other,) = (each for each in JELLYFIN_VERSIONS if each != version)
    script.jellyfin.server.version = other
    run = await script.run()
    assert run.code == 1, run.said
    assert any("LastPlayedDate" in line for line in run.differences), run.differences
    assert any("webhooks" in line for line in run.differences)
    script.assert_nothing_left()


async def test_without_ffmpeg_nothing_is_begun(script: Script) -> None:
    run = await script.run("--ffmpeg", "/nowhere/ffmpeg")
    assert run.code == 2
    assert "/nowhere/ffmpeg is missing" in run.said
    assert "Traceback" not in run.said
    assert not script.jellyfin.log


@pytest.mark.parametrize(
    ("user", "said"), [("guest", "no administrator"), ("nobody", "401")]
)
async def test_only_an_administrator_can_do_it(
    script: Script, user: str, said: str
) -> None:
    run = await script.run(user=user)
    assert run.code == 2
    assert said in run.said
    assert PASSWORD not in run.said
    script.assert_nothing_left()


async def test_a_server_that_fails_halfway_is_cleared(script: Script) -> None:
    script.jellyfin.faults.fail(503, path="/Users/New")
    run = await script.run()
    assert run.code == 2
    assert "POST /Users/New: 503" in run.said
    script.assert_nothing_left()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_leaves_nothing(
    script: Script, how: signal.Signals
) -> None:
    with script.jellyfin.faults.hang(path="/Sessions/Playing"):
        process = await script.start()
        assert process.stderr is not None
        await process.stderr.readuntil(b"a film, with a pause\n")
        process.send_signal(how)
        run = await ended(process)
    assert run.code == 130, run.said
    script.assert_nothing_left()


async def test_a_server_without_the_plugin(script: Script) -> None:
    script.jellyfin.plugin.installed = False
    run = await script.run()
    assert run.code == 2
    assert "404" in run.said
    script.assert_nothing_left()
