"""Texts from outside where markdown is rendered."""

import pytest

from custom_components.media_scrobbler.domain.markdown import literal

JOINER = "\u2060"


@pytest.mark.parametrize(
    "name",
    [
        "alice",
        "Mom & Dad",
        "R&B, Soul",
        "O'Brien's Plex (NAS) #2",
        "bob-2.0",
        "TV_Room",
        "Attic [4K]",
        "a < b > c <3",
        "C:\\ Attic",
        "12:30",
        "日本 語",
        "👨\u200d👩\u200d👧",
        "",
    ],
)
def test_normal_names(name: str) -> None:
    """A name that is no markup is not touched."""
    assert literal(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[a](http://b.example)", "[a]|(http:|//b.example)"),
        ("![a](https://b.example/p.png)", "![a]|(https:|//b.example/p.png)"),
        ("[a][b]", "[a]|[b]"),
        ("[a]: /b", "[a]|: /b"),
        ("https://b.example", "https:|//b.example"),
        ("ftp://b.example", "ftp:|//b.example"),
        ("www.b.example", "www|.b.example"),
        ("WWW.b.example", "WWW|.b.example"),
        ("<https://b.example>", "<|https:|//b.example>"),
        ('<img src="/b">', '<|img src="/b">'),
        ("</a><!-- <?b", "<|/a><|!-- <|?b"),
        ("alice@b.example", "alice@|b.example"),
        ("&lt;b&#62; &#x3e;", "&|lt;b&|#62; &|#x3e;"),
        ("\\[a\\](b) \\", "\\|[a\\|]|(b) \\|"),
        ("_a_ __b__", "|_|a|_| |_||_|b|_||_|"),
        ("# a", "|# a"),
        ("> a", "|> a"),
        ("- a", "|- a"),
        ("1. a", "|1. a"),
        ("2) a", "|2) a"),
        ("---", "|---"),
        ("a\n\n# b\r\n- c", "a # b - c"),
        ("    a", "a"),
    ],
)
def test_markup(name: str, shown: str) -> None:
    """What could be markup is taken apart, and reads as before."""
    assert literal(name) == shown.replace("|", JOINER)


def test_emphasis() -> None:
    """What no joiner takes apart is replaced by what looks like it."""
    assert literal("**a** `b` ~~c~~") == "∗∗a∗∗ ˋbˋ ∼∼c∼∼"
