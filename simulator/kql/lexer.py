"""Splits a query into tokens."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>@?'(?:[^'\\]|\\.)*'|@?"(?:[^"\\]|\\.)*")
    |(?P<span>\d+(?:\.\d+)?(?:ms|d|h|m|s)\b)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_]\w*~?)
    |(?P<mark>=~|!~|==|!=|<=|>=|!in~|!in\b|!has\b|!contains\b|!startswith\b|[|<>=(),.\[\]+\-*/])""",
    re.VERBOSE,
)


class KqlError(ValueError):
    """A query that this simulator, and mostly Azure too, does not take."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query and what it is."""

    kind: str
    text: str


def tokens(text: str) -> list[Token]:
    """The tokens of a query; raises KqlError at the first character that fits nothing."""
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise KqlError(f"unexpected character {text[place]!r} at {place}")
        place = match.end()
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match[0]))
    return found
