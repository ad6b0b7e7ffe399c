"""Addresses of servers: what people paste, and where servers lead to."""

import pytest

from custom_components.media_scrobbler.domain.address import (
    AddressError,
    redirected,
    server_url,
    shown,
)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://nas:8096", "http://nas:8096"),
        (" nas:8096/ ", "http://nas:8096"),
        ("192.0.2.1", "http://192.0.2.1"),
        ("HTTPS://NAS.example.org/Jellyfin//", "https://nas.example.org/Jellyfin"),
        ("http://nas:8096/?a=b#c", "http://nas:8096"),
        # What the browser shows.
        ("http://nas:8096/web/", "http://nas:8096"),
        ("http://nas:8096/web/index.html#!/home.html", "http://nas:8096"),
        ("https://nas/jellyfin/web/#/details?id=1", "https://nas/jellyfin"),
        ("https://nas/jellyfin/web", "https://nas/jellyfin"),
        ("http://nas:32400/web/index.html#!/media/5f0c", "http://nas:32400"),
        ("https://nas/a/Web/index.html", "https://nas/a"),
        ("https://web/webhooks", "https://web/webhooks"),
        # IPv6, with and without brackets.
        ("http://[fd00::5]:32400/", "http://[fd00::5]:32400"),
        ("http://fd00::5:32400", "http://[fd00::5]:32400"),
        ("fd00::5:32400/web/", "http://[fd00::5]:32400"),
        ("2001:db8:0:0:0:0:0:5:8096", "http://[2001:db8::5]:8096"),
        ("2001:db8:0:0:0:0:0:5", "http://[2001:db8::5]"),
        ("https://fd00::", "https://[fd00::]"),
    ],
)
def test_server_url(text: str, url: str) -> None:
    """Whatever is clear is taken."""
    assert server_url(text) == url
    assert server_url(url) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid_url"),
        ("http://", "invalid_url"),
        ("ftp://192.0.2.1", "invalid_url"),
        ("http://[::1", "invalid_url"),
        ("http://nas:port", "invalid_url"),
        ("http://nas:99999", "invalid_url"),
        ("http://a:b:c", "invalid_url"),
        ("http://fd00::5:99999", "invalid_url"),
        ("http://user:secret@nas:8096", "url_with_credentials"),
        ("user@nas", "url_with_credentials"),
        ("http://:secret@nas", "url_with_credentials"),
        ("http://user:pa:ss@[fd00::5]:8096", "url_with_credentials"),
        # The last part may be the port, and may belong to the address.
        ("http://fd00::5:8096", "ipv6_without_brackets"),
        ("fd00::5:80/web", "ipv6_without_brackets"),
    ],
)
def test_no_server_url(text: str, reason: str) -> None:
    """Whatever is not is refused, and it is said why."""
    with pytest.raises(AddressError) as error:
        server_url(text)
    assert error.value.reason == reason


PUBLIC = "/System/Info/Public"


@pytest.mark.parametrize(
    ("base", "path", "target", "url"),
    [
        ("http://nas", PUBLIC, f"https://nas{PUBLIC}", "https://nas"),
        ("http://nas:80", PUBLIC, f"https://nas:8920{PUBLIC}", "https://nas:8920"),
        ("http://nas", PUBLIC, f"http://nas/jellyfin{PUBLIC}", "http://nas/jellyfin"),
        ("http://nas", PUBLIC, "http://nas/jellyfin/web/", "http://nas/jellyfin"),
        ("http://nas/a", f"/a{PUBLIC}", f"https://nas/b{PUBLIC}", "https://nas/b"),
        ("http://nas/a", f"/a{PUBLIC}", "http://nas/web/index.html", "http://nas"),
        ("http://nas", "/", "https://nas/", "https://nas"),
        ("http://nas", "/", "https://nas/plex/", "https://nas/plex"),
        ("http://[fd00::5]", "/", "https://[fd00::5]/", "https://[fd00::5]"),
        ("http://nas", PUBLIC, f"https://NAS{PUBLIC}?a=b#c", "https://nas"),
        # A page to sign in on, another host, no encryption any more.
        ("http://nas", PUBLIC, "http://nas/login?to=%2FSystem", None),
        ("http://nas", PUBLIC, f"https://other{PUBLIC}", None),
        ("https://nas", PUBLIC, f"http://nas{PUBLIC}", None),
        ("https://nas", PUBLIC, "ftp://nas/", None),
        ("http://nas", PUBLIC, f"https://user@nas{PUBLIC}", None),
        ("http://nas", PUBLIC, "http://nas:port/", None),
    ],
)
def test_redirected(base: str, path: str, target: str, url: str | None) -> None:
    """A redirect within a host leads to where the server is, if that can be seen."""
    asked = f"{base.removesuffix('/a')}{path}?token=secret"
    assert redirected(base, asked, target) == url


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (
            "https://auth.example.org/login?to=secret#a",
            "https://auth.example.org/login",
        ),
        ("https://user:secret@nas/", "https://nas"),
        ("http://[::1", "?"),
        (f"http://nas/{'a' * 1000}", f"http://nas/{'a' * 189}"),
    ],
)
def test_shown(url: str, text: str) -> None:
    """Nothing secret is shown."""
    assert shown(url) == text
