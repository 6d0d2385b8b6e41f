"""What people type, on every keyboard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RequestError
from handlers import grammar
from handlers.grammar import MAX_TEXT, Words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("help",)),
        ("   ", ("help",)),
        ("/backup", ("help",)),
        ("STATUS vault-prod-01", ("status", "vault-prod-01")),
        ("/Backup Status x", ("status", "x")),
        ("backup status x", ("status", "x")),
        ("status \u201cvault 1\u201d", ("status", "vault 1")),
        ("status 'vault 1'", ("status", "vault 1")),
        ("status\u00a0vault-1", ("status", "vault-1")),
        ("status \u200bvault-1\ufeff", ("status", "vault-1")),
        ("status \u00abvault 1\u00bb", ("status", "vault 1")),
        ('status "unclosed', ("status", '"unclosed')),
        ("status it's", ("status", "it's")),
        ("diagnose backup-01", ("diagnose", "backup-01")),
        ("fix rerun_backup vm reason='a b'", ("fix", "rerun_backup", "vm", "reason=a b")),
        ('fix x y note="month end" for=2h', ("fix", "x", "y", "note=month end", "for=2h")),
        ("status\nvault-1", ("status", "vault-1")),
    ],
)
def test_words(text: str, words: tuple[str, ...]) -> None:
    """Case of the command, quotes of every keyboard, odd spaces, and quoted values of settings."""
    parsed = grammar.parse(text)

    assert words == (parsed.command, *parsed.arguments)


def test_settings_are_apart_from_names() -> None:
    """k=v pairs are found wherever they stand; an address with = in it is no pair."""
    words = Words("fix", ("rerun_backup", "keep-for=30d", "vm-1", "https://x/?a=b", "=x"), "")

    assert (("rerun_backup", "vm-1", "https://x/?a=b", "=x"), {"keep_for": "30d"}) == words.settings()


def test_a_novel_is_refused() -> None:
    """More than a command could be is said with its length."""
    with pytest.raises(RequestError, match=f"{MAX_TEXT + 1} characters"):
        grammar.parse("x" * (MAX_TEXT + 1))


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever is typed has a command and arguments."""
    words = grammar.parse(text)

    assert words.command == words.command.casefold()
    assert all(isinstance(one, str) for one in words.arguments)
