"""Texts from outside, in what Home Assistant renders as markdown."""

import re

_JOINER = "\u2060"
"""A character that joins two others and shows nothing itself."""

_LOOKALIKES = str.maketrans({"*": "\u2217", "`": "\u02cb", "~": "\u223c"})

# Where links, pictures, tags, entities, escapes and emphasis begin or come together.
_MARKUP = re.compile(
    r"""
    \](?=[(\[:])
    | <(?=[a-z/!?])
    | &(?=\#?\w+;)
    | @(?=\w)
    | \\(?=[^\w\s]|$)
    | :(?=//)
    | \bwww(?=\.)
    | (?<![^\W_])_
    | _(?![^\W_])
    """,
    re.IGNORECASE | re.VERBOSE,
)
# What makes a heading, a quotation, a rule or an item of a list of a line.
_LINE_START = re.compile(r"[#>+=|-]|\d{1,9}[.)]")


def literal(text: str) -> str:
    """Return a text so that it reads as it is, whether or not markdown is rendered.

    Names of accounts, servers and players are chosen by whoever has them, and would load
    pictures from elsewhere or pass for links. The same placeholder fills descriptions, which
    are rendered, and titles, which are not: so nothing is escaped but what could be markup is
    taken apart by a character that nobody sees.
    """
    text = " ".join(text.split()).translate(_LOOKALIKES)
    text = _MARKUP.sub(_taken_apart, text)
    return f"{_JOINER}{text}" if _LINE_START.match(text) else text


def _taken_apart(match: re.Match[str]) -> str:
    # What stands by itself is at the beginning of something and at the end of it.
    before = _JOINER if match[0] == "_" else ""
    return f"{before}{match[0]}{_JOINER}"
