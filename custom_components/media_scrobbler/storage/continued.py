"""A store that goes on in a further file while one that it has cannot be read."""

from collections.abc import Callable
from pathlib import Path
import re
from typing import Any

from homeassistant.core import HomeAssistant

from ..const import DOMAIN
from .store import ConfirmingStore, Migration, UnreadableStoreError


class ContinuedStore:
    """A file of one key, and those that take its place while it cannot be read.

    What is in any of them counts. What is written is all that is known: it goes into the
    first that is there to be written, and the others that could be read are removed then.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        key: str,
        *,
        version: int,
        minor_version: int,
        migrate: Migration | None,
    ) -> None:
        """Name the files as `ConfirmingStore` does, further ones with a number behind."""
        self._hass = hass
        self.key = key
        self._version = version
        self._minor_version = minor_version
        self._migrate = migrate
        # By number, the first of which does not show.
        self._files = {0: self._new_file(key)}
        self._read: set[int] = set()

    @property
    def path(self) -> str:
        """Return the file that is written."""
        path: str = self._written().path
        return path

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the files that could not be read, and why."""
        return {
            path: reason
            for file in self._files.values()
            for path, reason in file.unreadable.items()
        }

    async def async_load_as[T](self, decode: Callable[[dict[str, Any]], T]) -> list[T]:
        """Return what is in the files, in their order, as far as it has not been returned.

        Those that cannot be read or decoded are left out.
        """
        await self._async_find()
        found: list[T] = []
        for number, file in sorted(self._files.items()):
            if number in self._read:
                continue
            try:
                contents = await file.async_load_as(decode)
            except UnreadableStoreError:
                continue
            self._read.add(number)
            if contents is not None:
                found.append(contents)
        return found

    async def async_confirm_save(self, data: dict[str, Any]) -> None:
        """Write the data, in the place of what could be read.

        Raises WriteError or SerializationError.
        """
        written = self._written()
        await written.async_confirm_save(data)
        for number, file in list(self._files.items()):
            if file is not written and not file.unreadable:
                await file.async_remove()
                del self._files[number]

    async def async_remove(self) -> None:
        """Remove every file, as far as that can be done."""
        await self._async_find()
        for file in list(self._files.values()):
            await file.async_remove()

    async def _async_find(self) -> None:
        """Take note of the further files that are there."""
        for number in await self._hass.async_add_executor_job(self._numbers):
            self._file(number)

    def _new_file(self, key: str) -> ConfirmingStore:
        return ConfirmingStore(
            self._hass,
            key,
            version=self._version,
            minor_version=self._minor_version,
            migrate=self._migrate,
        )

    def _file(self, number: int) -> ConfirmingStore:
        if (file := self._files.get(number)) is None:
            file = self._new_file(f"{self.key}.{number:04}")
            self._files[number] = file
        return file

    def _written(self) -> ConfirmingStore:
        for _, file in sorted(self._files.items()):
            if not file.unreadable:
                return file
        number = max(self._files) + 1
        self._read.add(number)
        return self._file(number)

    def _numbers(self) -> list[int]:
        """Return the numbers of the further files that are there, in the executor."""
        first = Path(self._files[0].path)
        name = re.compile(
            rf"{re.escape(DOMAIN)}\.{re.escape(self.key)}\.(\d{{4}})", re.ASCII
        )
        paths = first.parent.iterdir() if first.parent.is_dir() else ()
        return [int(found[1]) for path in paths if (found := name.fullmatch(path.name))]
