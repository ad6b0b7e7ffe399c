"""Tests of the store that confirms: on a real disk, what is said is so."""

import shutil
import stat
from typing import Any

from homeassistant.core import CoreState, HomeAssistant
from homeassistant.util.file import WriteError
from homeassistant.util.json import SerializationError
import pytest

from custom_components.media_scrobbler.storage.store import (
    ConfirmingStore,
    UnreadableStoreError,
)

from .common import Disk


async def test_what_is_saved_can_be_read(hass: HomeAssistant, disk: Disk) -> None:
    store = ConfirmingStore(hass, "thing")
    assert store.read() is None

    await store.async_confirm_save({"a": [1, "ü"]})

    assert store.read() == {"a": [1, "ü"]}
    assert ConfirmingStore(hass, "thing").read() == {"a": [1, "ü"]}


async def test_files_are_for_nobody_else(hass: HomeAssistant, disk: Disk) -> None:
    store = ConfirmingStore(hass, "thing")

    await store.async_confirm_save({"a": 1})

    assert stat.S_IMODE(disk.path("thing").stat().st_mode) == 0o600


async def test_a_write_replaces_the_file_as_a_whole(
    hass: HomeAssistant, disk: Disk
) -> None:
    store = ConfirmingStore(hass, "thing")
    await store.async_confirm_save({"a": 1})
    before = disk.inode("thing")

    await store.async_confirm_save({"a": 2})

    assert disk.inode("thing") != before
    assert store.read() == {"a": 2}
    assert disk.names() == ["thing"]


async def test_a_full_disk_is_told_of(hass: HomeAssistant, disk: Disk) -> None:
    store = ConfirmingStore(hass, "thing")
    await store.async_confirm_save({"a": 1})

    with disk.full(), pytest.raises(WriteError):
        await store.async_confirm_save({"a": 2, "b": "x" * 100})

    assert store.read() == {"a": 1}
    await store.async_confirm_save({"a": 3})
    assert store.read() == {"a": 3}


async def test_a_folder_in_the_way_is_told_of(hass: HomeAssistant, disk: Disk) -> None:
    store = ConfirmingStore(hass, "thing")

    with disk.blocked("thing"):
        with pytest.raises(WriteError):
            await store.async_confirm_save({"a": 2})
        with pytest.raises(UnreadableStoreError, match="directory"):
            store.read()

    assert store.read() is None


async def test_a_missing_storage_folder_is_made(
    hass: HomeAssistant, disk: Disk
) -> None:
    shutil.rmtree(disk.folder, ignore_errors=True)

    await ConfirmingStore(hass, "thing").async_confirm_save({"a": 1})

    assert disk.names() == ["thing"]


async def test_a_storage_folder_that_cannot_be_made_is_told_of(
    hass: HomeAssistant, disk: Disk
) -> None:
    shutil.rmtree(disk.folder, ignore_errors=True)
    disk.folder.write_text("not a folder")

    with pytest.raises(OSError):
        await ConfirmingStore(hass, "thing").async_confirm_save({"a": 1})
    disk.folder.unlink()


async def test_what_is_no_json_is_told_of(hass: HomeAssistant, disk: Disk) -> None:
    with pytest.raises(SerializationError):
        await ConfirmingStore(hass, "thing").async_confirm_save({"a": object()})

    assert disk.names() == []


@pytest.mark.parametrize("state", [CoreState.stopping, CoreState.final_write])
async def test_a_write_is_not_put_off_while_home_assistant_stops(
    hass: HomeAssistant, disk: Disk, state: CoreState
) -> None:
    store = ConfirmingStore(hass, "thing")
    hass.set_state(state)

    await store.async_confirm_save({"a": 1})

    assert store.read() == {"a": 1}
    with disk.full(), pytest.raises(WriteError):
        await store.async_confirm_save({"a": "x" * 100})
    hass.set_state(CoreState.running)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"version": 1}',
        '{"version": null, "data": {}}',
        '{"version": "one", "data": {}}',
        '{"version": 1, "minor_version": "x", "data": {}}',
        '{"version": 1, "minor_version": 1, "data": []}',
        '{"version": 1, "minor_version": 1, "data": null}',
        '{"version": 2, "minor_version": 1, "data": {}}',
        "\xff\xfe",
    ],
)
async def test_what_cannot_be_read_is_left_alone(
    hass: HomeAssistant, disk: Disk, content: str
) -> None:
    path = disk.write("thing", {})
    path.write_text(content, encoding="latin-1")
    before = path.read_bytes()

    with pytest.raises(UnreadableStoreError) as error:
        ConfirmingStore(hass, "thing").read()

    assert str(path) in str(error.value)
    assert path.read_bytes() == before
    assert disk.names() == ["thing"]


async def test_a_newer_minor_version_can_be_read(
    hass: HomeAssistant, disk: Disk
) -> None:
    disk.write("thing", {"a": 1}, minor_version=7)

    assert ConfirmingStore(hass, "thing").read() == {"a": 1}


def _migrate(version: int, minor_version: int, data: dict[str, Any]) -> dict[str, Any]:
    return {"came from": [version, minor_version], "b": data["a"]}


@pytest.mark.parametrize(
    ("version", "minor_version", "expected"),
    [
        (1, 1, {"came from": [1, 1], "b": 1}),
        (1, 9, {"came from": [1, 9], "b": 1}),
        (2, 1, {"came from": [2, 1], "b": 1}),
        (2, 2, {"a": 1}),
        (2, 3, {"a": 1}),
    ],
)
async def test_an_older_form_is_migrated_when_it_is_read(
    hass: HomeAssistant,
    disk: Disk,
    version: int,
    minor_version: int,
    expected: dict[str, Any],
) -> None:
    path = disk.write("thing", {"a": 1}, version=version, minor_version=minor_version)
    before = path.read_bytes()
    store = ConfirmingStore(hass, "thing", version=2, minor_version=2, migrate=_migrate)

    assert store.read() == expected
    assert path.read_bytes() == before


async def test_a_file_without_a_minor_version_is_of_the_first(
    hass: HomeAssistant, disk: Disk
) -> None:
    disk.write("thing", {}).write_text('{"version": 1, "data": {"a": 1}}')
    store = ConfirmingStore(hass, "thing", version=1, minor_version=2, migrate=_migrate)

    assert store.read() == {"came from": [1, 1], "b": 1}


async def test_an_older_form_that_is_damaged_is_unreadable(
    hass: HomeAssistant, disk: Disk
) -> None:
    path = disk.write("thing", {"something": "else"})
    store = ConfirmingStore(hass, "thing", version=2, minor_version=1, migrate=_migrate)

    with pytest.raises(UnreadableStoreError):
        store.read()

    assert path.exists()


async def test_removing(
    hass: HomeAssistant, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    store = ConfirmingStore(hass, "thing")
    await store.async_remove()
    await store.async_confirm_save({"a": 1})
    await store.async_remove()
    assert disk.names() == []

    with disk.blocked("thing"):
        await store.async_remove()
    assert "could not be removed" in caplog.text
