"""Pictures from outside."""

import pytest

from custom_components.media_scrobbler.domain.picture import MAX_BYTES, picture_type

JPEG = b"\xff\xd8\xff\xe0 and so on"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n and so on", "image/png"),
        (b"RIFF\x10\0\0\0WEBPVP8 and so on", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt and so on", None),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', None),
        (b'<?xml version="1.0"?><svg/>', None),
        (b"<!DOCTYPE html>", None),
        (b"GIF89a", None),
        (b"\xff\xd8", None),
        (b"", None),
        (JPEG.ljust(MAX_BYTES), "image/jpeg"),
        (JPEG.ljust(MAX_BYTES + 1), None),
    ],
)
def test_picture_type(content: bytes, kind: str | None) -> None:
    """The first bytes say what it is, and only so much of it is taken."""
    assert picture_type(content) == kind
