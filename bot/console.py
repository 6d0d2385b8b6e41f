"""Printing: one JSON document, or a card as text, on stdout; everything else on stderr."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from adaptive_cards import text
from adaptive_cards.card import Card


def emit(record: Mapping[str, Any] | Sequence[Any], card: Card, *, as_json: bool) -> None:
    """Print the answer."""
    if as_json:
        print(json.dumps(record, ensure_ascii=False, indent=2, default=str))  # noqa: T201
    else:
        # On a terminal addresses of the portal would be most of what is seen; a file keeps them.
        width = min(shutil.get_terminal_size((100, 24)).columns, 120)
        print(text.render(card, width=width, links=not sys.stdout.isatty()), end="")  # noqa: T201


def note(line: str) -> None:
    """Say something beside the answer."""
    print(line, file=sys.stderr)  # noqa: T201


def fail(message: str, code: int) -> NoReturn:
    """Say what went wrong and end with ``code``."""
    note(message)
    sys.exit(code)
