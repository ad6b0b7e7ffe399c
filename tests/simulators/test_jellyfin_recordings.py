"""The stand-in for Jellyfin, held against what real servers were recorded to do.

The recordings are not ours to give on: the environment variable MEDIA_SCROBBLER_JELLYFIN
names the folder that holds them, as jellyfin_<version>.json and idle_<version>.json. A
small one of our own, in the same form and written by hand, is always there.

Each step's requests are sent to a stand-in that holds the same library, and what it answers
and sends is compared, for what clients read. Where it differs on purpose is in `ON_PURPOSE`,
and each of these has to occur.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import os
from pathlib import Path
import re
from zoneinfo import ZoneInfo

import pytest

from .jellyfin_comparison import Difference
from .jellyfin_recording import Step, read_recording
from .jellyfin_replay import replay, without_ids
from .jellyfin_version import JELLYFIN_12_0, JELLYFIN_VERSIONS, JellyfinVersion

VARIABLE = "MEDIA_SCROBBLER_JELLYFIN"
FOLDER = os.environ.get(VARIABLE)
# Where the recorded servers were.
ZONE = ZoneInfo("Europe/Amsterdam")
OURS = Path(__file__).parent.parent / "fixtures" / "jellyfin_recordings"

pytestmark = pytest.mark.usefixtures("socket_enabled")
with_recordings = pytest.mark.skipif(
    not FOLDER, reason=f"{VARIABLE} does not name a folder"
)


@dataclass(frozen=True, slots=True)
class OnPurpose:
    """A way in which the stand-in is not as a server, and why that may be so."""

    why: str
    where: str
    versions: tuple[JellyfinVersion, ...] = JELLYFIN_VERSIONS

    def covers(self, difference: Difference, version: JellyfinVersion) -> bool:
        """Return whether a difference is this one."""
        place = re.fullmatch(self.where, without_ids(difference.where))
        return version in self.versions and place is not None


ON_PURPOSE: Mapping[str, OnPurpose] = {
    "another plugin": OnPurpose(
        "A server has several, and the one that matters has to be found among them.",
        r"step 4 GET /Plugins answer …",
    ),
    "artists of an album": OnPurpose(
        "An album of the catalogue has one, and those of its tracks are not gathered.",
        r"step 5 GET /Items answer Items … Artists",
    ),
    "artists without an album": OnPurpose(
        "There is an item for the artist of an album only.",
        r"step 5 GET /Items answer Items …",
        (JELLYFIN_12_0,),
    ),
}


def recording(version: JellyfinVersion, kind: str = "jellyfin") -> list[Step]:
    """Return what a real server of a version was recorded to do."""
    assert FOLDER is not None
    return read_recording(Path(FOLDER) / f"{kind}_{_name(version)}.json")


def _name(version: JellyfinVersion) -> str:
    """Return the version as recordings are named by it."""
    return str(version) if version.patch else version.series


@with_recordings
@pytest.mark.parametrize("version", JELLYFIN_VERSIONS, ids=str)
async def test_the_stand_in_does_what_the_server_did(version: JellyfinVersion) -> None:
    async with replay(version, recording(version), ZONE) as played:
        await played.play()
    unintended = [
        str(difference)
        for difference in played.differences
        if not any(known.covers(difference, version) for known in ON_PURPOSE.values())
    ]
    assert not unintended
    occurring = {
        name
        for name, known in ON_PURPOSE.items()
        for difference in played.differences
        if known.covers(difference, version)
    }
    assert occurring == {
        name for name, known in ON_PURPOSE.items() if version in known.versions
    }


@with_recordings
@pytest.mark.parametrize("version", JELLYFIN_VERSIONS, ids=str)
async def test_a_stand_in_of_another_version_is_found_out(
    version: JellyfinVersion,
) -> None:
    (other,) = (each for each in JELLYFIN_VERSIONS if each != version)
    async with replay(other, recording(version), ZONE) as played:
        await played.play()
    found = "\n".join(map(str, played.differences))
    # Dates without a zone, a special's season, toggled versions, what was in a show.
    for step in ("step 23 ", "step 14 ", "step 36 ", "step 40 "):
        assert step in found


@with_recordings
@pytest.mark.parametrize("version", JELLYFIN_VERSIONS, ids=str)
async def test_players_that_fall_silent_are_stopped_as_by_the_server(
    version: JellyfinVersion,
) -> None:
    (silence,) = recording(version, "idle")
    async with replay(version, recording(version), ZONE) as played:
        await played.fall_silent(silence)
    assert not list(map(str, played.differences))


@pytest.mark.parametrize("version", JELLYFIN_VERSIONS, ids=str)
async def test_the_stand_in_does_what_we_wrote_down(version: JellyfinVersion) -> None:
    steps = read_recording(OURS / f"jellyfin_{_name(version)}.json")
    async with replay(version, steps, ZONE) as played:
        await played.play()
    assert not list(map(str, played.differences))


@pytest.mark.parametrize("version", JELLYFIN_VERSIONS, ids=str)
async def test_what_is_not_as_it_was_written_down_is_found(
    version: JellyfinVersion,
) -> None:
    steps = read_recording(OURS / f"jellyfin_{_name(version)}.json")
    async with replay(version, steps, ZONE) as played:
        played.jellyfin.tell_playback_first()
        await played.play()
        assert not played.differences
    async with replay(version, steps, ZONE) as played:
        with played.jellyfin.faults.fail(503, path="/UserPlayedItems/*"):
            await played.play()
    places = {difference.where for difference in played.differences}
    assert "step 5 POST /UserPlayedItems/… status" in places
    assert "step 5 webhooks" in places
