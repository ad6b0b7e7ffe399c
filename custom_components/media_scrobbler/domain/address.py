"""The addresses of servers, as people paste them and as servers themselves lead to them."""

from ipaddress import IPv6Address
import re

from yarl import URL

_AUTHORITY = re.compile(r"(?P<scheme>[^:/?#]+://)(?P<authority>[^/?#]*)(?P<rest>.*)")
_WEB_CLIENT = "web"
"""The part of a path under which both kinds of servers have their page for people."""


class AddressError(ValueError):
    """A text is no address of a server; `reason` is a key of the translations."""

    def __init__(self, reason: str) -> None:
        """Take the key of the reason."""
        super().__init__(reason)
        self.reason = reason


def server_url(text: str) -> str:
    """Return the URL of a server in its plain form; raises AddressError.

    The scheme may be left out, and so may the brackets of an IPv6 address where that is
    clear without them. Of the address of a page, as the browser shows it, the server's part
    is taken.
    """
    text = text.strip()
    if "://" not in text:
        text = f"http://{text}"
    try:
        url = URL(_with_brackets(text))
    except AddressError:
        raise
    except ValueError as err:
        raise AddressError("invalid_url") from err
    if url.scheme not in ("http", "https") or not url.host:
        raise AddressError("invalid_url")
    if url.user is not None or url.password is not None:
        # It would be shown and logged wherever the URL is.
        raise AddressError("url_with_credentials")
    return _plain(url, _without_page(url.path))


def url_at(scheme: str, host: str, port: int) -> str:
    """Return the URL of a port of a host, which may be an IPv6 address."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def redirected(base: str, asked: str, target: str) -> str | None:
    """Return where a server is that answers a request with a redirect.

    `base` is the URL by which it was asked, `asked` that of the request, and `target` where
    it leads. None where that is not to be seen, as for a page to sign in on; and where it
    leads to another host or to no encryption, which nobody may be taken to without being
    asked.
    """
    try:
        before, after = URL(base), URL(target)
        path = URL(asked).path.removeprefix(before.path.rstrip("/"))
        if (
            before.host != after.host
            or after.scheme not in (before.scheme, "https")
            or after.user is not None
        ):
            return None
    except ValueError:
        return None
    page = _without_page(after.path)
    if page != after.path:
        return _plain(after, page)
    if after.path.endswith(path):
        return _plain(after, after.path.removesuffix(path))
    return None


def shown(url: str) -> str:
    """Return a URL as a person may see it: without what may be secret, and not too long."""
    try:
        parsed = URL(url)
        return _plain(parsed.with_user(None), parsed.path)[:200]
    except ValueError:
        return "?"


def _plain(url: URL, path: str) -> str:
    return str(url.with_path(path).with_query(None).with_fragment(None)).rstrip("/")


def _without_page(path: str) -> str:
    """Return a path up to where the page for people begins, if it does."""
    parts = path.split("/")
    for index, part in enumerate(parts):
        if part.lower() == _WEB_CLIENT:
            return "/".join(parts[:index])
    return path


def _with_brackets(text: str) -> str:
    """Return a URL with brackets around an IPv6 address that has none.

    Raises AddressError where its last part may as well be the port.
    """
    if (match := _AUTHORITY.fullmatch(text)) is None:
        return text
    authority = match["authority"]
    if authority.count(":") < 2 or "[" in authority or "@" in authority:
        return text
    host, _, port = authority.rpartition(":")
    is_address = _is_ipv6(authority)
    if _is_ipv6(host) and port.isdecimal():
        if is_address:
            raise AddressError("ipv6_without_brackets")
        authority = f"[{host}]:{port}"
    elif is_address:
        authority = f"[{authority}]"
    return f"{match['scheme']}{authority}{match['rest']}"


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
