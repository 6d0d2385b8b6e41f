"""The one parser for what people type, on every platform: case-insensitive words, quotes and odd spaces understood."""

import re
from dataclasses import dataclass

from domain.errors import RequestError

MAX_TEXT = 2000
_QUOTES = str.maketrans(
    {
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "‘": "'",
        "’": "'",
        "\u00a0": " ",
        "\u202f": " ",
        "\u200b": "",
        "\ufeff": "",
    }
)
_WORD = re.compile(r'((?:[A-Za-z_][\w-]*=)?)(?:"([^"]*)"|\'([^\']*)\')|(\S+)')
"""A quoted text, maybe the value of a setting, or whatever stands between blanks."""
_SLASH = re.compile(r"^\s*/?backup\b", re.IGNORECASE)


@dataclass(frozen=True)
class Words:
    """The command's name in lower case, its arguments as typed, and ``k=v`` pairs among them."""

    command: str
    arguments: tuple[str, ...]
    text: str

    def settings(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """Arguments apart from ``k=v`` pairs, and the pairs."""
        plain: list[str] = []
        pairs: dict[str, str] = {}
        for argument in self.arguments:
            name, equals, value = argument.partition("=")
            if equals and re.fullmatch(r"[A-Za-z_][\w-]*", name):
                pairs[name.casefold().replace("-", "_")] = value
            else:
                plain.append(argument)
        return tuple(plain), pairs


def parse(text: str) -> Words:
    """Split what was typed; an empty text is ``help``.

    Raises:
        RequestError: the text is too long to be a command.
    """
    if len(text) > MAX_TEXT:
        raise RequestError(
            f"That is {len(text)} characters; a command has at most {MAX_TEXT}. Say /backup help for what can be asked."
        )
    cleaned = _SLASH.sub("", text.translate(_QUOTES), count=1)
    words = tuple("".join(group or "" for group in match.groups()) for match in _WORD.finditer(cleaned))
    if not words:
        return Words("help", (), cleaned.strip())
    return Words(words[0].casefold().lstrip("/"), words[1:], cleaned.strip())
