"""The runbook page: every line has its row, and every name in it exists."""

from pathlib import Path

import pytest

from diagnostics.registry import discover
from diagnostics.remedies import FIXES
from diagnostics.runbook import BY_ID, LINES, checks_of, render

RUNBOOK = Path(__file__).parents[2] / "../shared/RUNBOOK.md"
HEADINGS = {"Indicators", "Likely causes", "Diagnostic steps", "Resolution path", "Prevention", "Tools"}
CHECKS = discover()


def lines_of(text: str) -> list[str]:
    stripped = (line.strip().removeprefix("-").strip() for line in text.splitlines())
    return [line for line in stripped if line and line not in HEADINGS]


def test_every_line_of_the_runbook_has_its_row() -> None:
    """In the runbook's order, word for word, its Tools included, and no row without a line."""
    if not RUNBOOK.is_file():
        pytest.skip("the runbook is not beside this project")
    assert [line.text for line in LINES] == lines_of(RUNBOOK.read_text("utf-8"))


def test_every_row_is_answered() -> None:
    """A check answers each line, or a command of the chat does; a fix is one that exists."""
    assert len(BY_ID) == len(LINES) == 30
    for line in LINES:
        assert checks_of(line.id, CHECKS) or line.commands, line.id
        assert set(line.fixes) <= set(FIXES)
        assert line.az.startswith("az ")
        assert line.portal
        assert line.section in HEADINGS | {"Scope"}


def test_every_check_answers_a_line() -> None:
    """No check without a line of the runbook, no line that a check names and nobody knows."""
    for check in CHECKS.values():
        assert check.runbook
        assert set(check.runbook) <= set(BY_ID)


def test_the_page_shows_all_of_it() -> None:
    """Each line and each check with its permissions is on the page; the page ends in one newline."""
    page = render(CHECKS)
    for line in LINES:
        assert f"### {line.text}\n" in page
    for check in CHECKS.values():
        assert f"### {check.id}\n" in page
        assert all(permission in page for permission in check.permissions)
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert render(CHECKS) == page


def test_what_the_runbook_gets_wrong_is_said() -> None:
    """The principal, the extension's name, the four hours, the alerts' names, the invented code."""
    page = render(CHECKS)
    for words in (
        "Backup Management Service, not to the vault's identity",
        "none is called MicrosoftAzureRecoveryServices",
        "Four hours are too short",
        "no alert of either name",
        "ExtensionFailedInVMAccessExtension; it is handled",
    ):
        assert words in page
