"""Home Assistant's Store, with answers: what is on disk, and what cannot be read."""

from collections.abc import Callable
from contextlib import suppress
import logging
from pathlib import Path
from typing import Any, override

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError
from homeassistant.util.json import SerializationError, json_loads_object

from ..const import DOMAIN

_LOGGER = logging.getLogger(__name__)

type Migration = Callable[[int, int, dict[str, Any]], dict[str, Any]]
"""Turns the data of an older (version, minor version) into that of the present one."""


DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What decoding raises where something is not what it should be."""


class UnreadableStoreError(HomeAssistantError):
    """A file is there but cannot be read; it has been left as it is."""


class ConfirmingStore(Store[dict[str, Any]]):
    """A private, atomically written Store that confirms what it does.

    `Store.async_save` logs a failed write and returns as if all were well, and defers the
    write while Home Assistant stops; ours raises and writes. `Store.async_load` moves a
    file that it cannot decode out of the way; ours leaves it for a person to mend, and
    does not write it while `async_load_as` has not understood it.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        key: str,
        *,
        version: int = 1,
        minor_version: int = 1,
        migrate: Migration | None = None,
    ) -> None:
        """Name the file; `key` is what follows the domain in its name."""
        super().__init__(
            hass,
            version,
            f"{DOMAIN}.{key}",
            private=True,
            atomic_writes=True,
            minor_version=minor_version,
            serialize_in_event_loop=False,
        )
        self._migrate = migrate
        self._write_error: Exception | None = None
        self._unreadable: str | None = None
        self.is_loaded = False
        """Whether `async_load_once` has been called."""

    @property
    def unreadable(self) -> dict[str, str]:
        """Return the file if it could not be understood when it was loaded, and why."""
        return {self.path: self._unreadable} if self._unreadable else {}

    async def async_confirm_save(self, data: dict[str, Any]) -> None:
        """Write the data; returns when it is on disk.

        Raises WriteError or SerializationError when it is not, UnreadableStoreError for a
        file that is to be mended first.
        """
        self._write_error = None
        await self.async_save(data)
        if self._data is not None:
            # Home Assistant is stopping and the write has been put off to the very end.
            await self._async_handle_write_data()  # type: ignore[no-untyped-call]
        if self._write_error is not None:
            raise self._write_error

    @override
    async def _async_write_data(self, data: dict[str, Any]) -> None:
        if self._unreadable is not None:
            self._write_error = UnreadableStoreError(self._unreadable)
            return
        try:
            await super()._async_write_data(data)
        except (SerializationError, WriteError) as err:
            self._write_error = err
            raise

    async def async_load_as[T](self, decode: Callable[[dict[str, Any]], T]) -> T | None:
        """Read the file and decode its data, in the executor; None if there is none.

        Raises UnreadableStoreError for what cannot be read or decoded.
        """
        try:
            decoded = await self.hass.async_add_executor_job(self._decoded, decode)
        except UnreadableStoreError as err:
            self._unreadable = str(err)
            _LOGGER.warning("A file is left as it is: %s", err)
            raise
        # Not before whoever asked can add it to what is to be written.
        self._unreadable = None
        return decoded

    async def async_load_once[T](
        self, decode: Callable[[dict[str, Any]], T]
    ) -> T | None:
        """Read the file and decode its data the first time, and again while it is unreadable.

        None if there is nothing new: no file, none that can be read, or one read before.
        """
        if self.is_loaded and self._unreadable is None:
            return None
        self.is_loaded = True
        with suppress(UnreadableStoreError):
            return await self.async_load_as(decode)
        return None

    def _decoded[T](self, decode: Callable[[dict[str, Any]], T]) -> T | None:
        if (data := self.read()) is None:
            return None
        try:
            return decode(data)
        except DAMAGE as err:
            raise UnreadableStoreError(f"{self.path} is damaged: {err!r}") from err

    def read(self) -> dict[str, Any] | None:
        """Read the file, to be called in the executor; None if there is none.

        Raises UnreadableStoreError for a file that is damaged or of a newer version.
        """
        try:
            raw = Path(self.path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as err:
            raise UnreadableStoreError(f"{self.path}: {err.strerror}") from err
        try:
            content = json_loads_object(raw)
            version = int(content["version"])  # type: ignore[arg-type]
            minor = int(content.get("minor_version", 1))  # type: ignore[arg-type]
            data = content["data"]
        except DAMAGE as err:
            raise UnreadableStoreError(f"{self.path} is damaged: {err}") from err
        if not isinstance(data, dict):
            raise UnreadableStoreError(f"{self.path} is damaged: no data")
        if version > self.version:
            raise UnreadableStoreError(
                f"{self.path} was written by a newer version of Media Scrobbler"
            )
        if (version, minor) < (self.version, self.minor_version) and self._migrate:
            try:
                return self._migrate(version, minor, data)
            except DAMAGE as err:
                raise UnreadableStoreError(f"{self.path} is damaged: {err!r}") from err
        return data

    @override
    async def async_remove(self) -> None:
        """Remove the file, as far as that can be done."""
        self._unreadable = None
        try:
            await super().async_remove()
        except OSError as err:
            _LOGGER.warning("%s could not be removed: %s", self.path, err.strerror)
