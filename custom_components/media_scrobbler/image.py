"""Image: the poster of what a viewer watched last."""

from datetime import datetime
from typing import override

from homeassistant.components.image import (
    DEFAULT_CONTENT_TYPE,
    ImageEntity,
    ImageEntityDescription,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .domain.picture import picture_type
from .entity import UpdatedEntity
from .viewer import Viewer, ViewerConfigEntry

PARALLEL_UPDATES = 0

POSTER = ImageEntityDescription(key="poster", translation_key="poster")


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ViewerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the poster of a viewer."""
    async_add_entities([PosterImage(hass, entry.runtime_data)])


class PosterImage(UpdatedEntity[Viewer], ImageEntity):
    """The poster that came with the title watched last."""

    def __init__(self, hass: HomeAssistant, viewer: Viewer) -> None:
        """Take the viewer."""
        UpdatedEntity.__init__(self, viewer, POSTER)
        ImageEntity.__init__(self, hass)

    @property
    @override
    def available(self) -> bool:
        """Return whether there is a poster of the last title."""
        return self.runtime.poster.picture is not None

    @property
    @override
    def entity_picture(self) -> str | None:
        """Return where the picture is, so that without one the icon shows."""
        return super().entity_picture if self.available else None

    @property
    @override
    def image_last_updated(self) -> datetime | None:
        """Return since when this poster is shown."""
        return self.runtime.poster.since

    @property
    @override
    def content_type(self) -> str:
        """Return what kind of picture it is."""
        return picture_type(self.runtime.poster.picture or b"") or DEFAULT_CONTENT_TYPE

    @override
    async def async_image(self) -> bytes | None:
        """Return the picture."""
        return self.runtime.poster.picture
