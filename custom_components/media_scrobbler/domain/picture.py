"""Pictures from outside: what is shown as one, and as which kind."""

MAX_BYTES = 2 * 1024 * 1024
"""How large a picture may be: posters are a tenth of that."""


def picture_type(content: bytes) -> str | None:
    """Return the MIME type of a JPEG, PNG or WebP, by its first bytes.

    None is anything else, whatever was said of it, and what is too large. An SVG above all
    could bring scripts, and is a picture only to those who run them.
    """
    if len(content) > MAX_BYTES:
        return None
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None
