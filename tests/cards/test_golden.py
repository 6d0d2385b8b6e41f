"""What people read, word by word: a file for each card and state, read and judged by a person before it was frozen."""

from pathlib import Path

import pytest

from adaptive_cards import slack, teams, text
from tests.cards.states import STATES

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_card_says_exactly_this(name: str) -> None:
    """The text of a card is the file's; whoever changes a card changes its file, and reads it."""
    assert (GOLDEN / f"{name}.txt").read_text(encoding="utf-8") == text.render(STATES[name], width=90, links=False)


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_card_fits_both_platforms(name: str) -> None:
    """Slack's blocks and Teams' card can be made of it, and Slack's notification is its first line."""
    card = STATES[name]
    message = slack.render(card, revision="1")

    assert len(message.blocks) <= 50
    assert len(message.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")) <= 140
    assert teams.render(card) is not None


def test_every_file_has_its_card() -> None:
    """No golden file outlives its card."""
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(STATES)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "incident-warning-unknown",
            (
                "▲ WARNING vm-erp-01 in vault-prod-01: backup failed (UserErrorVmNotInDesirableState) · no good point known, "
                "RPO unknown"
            ),
        ),
        (
            "incident-critical",
            (
                "✖ CRITICAL vm-erp-01 in vault-prod-01: backup failed 3× (UserErrorKeyV…nfigured) · last good point "
                "31 h ago, RPO 26 h breached by 5 h"
            ),
        ),
        (
            "incident-warning-safe",
            (
                "▲ WARNING vm-erp-01 in vault-prod-01: backup failed (UserErrorVmNo…bleState) · last good point 31 h "
                "ago, RPO 26 h safe until 05:00 UTC"
            ),
        ),
    ],
)
def test_first_line_of_an_incident(name: str, line: str) -> None:
    """Sign and word, item in vault, what happened with its code, the last good point and what the RPO says."""
    assert line == text.render(STATES[name], width=200).splitlines()[0]
    assert len(line) <= 140
