"""``audit``: the newest lines of the record, as they stand."""

from typing import Any

from adaptive_cards.cards import audit
from tests.diagnostics.world import NOW, an_azure
from tests.handlers.world import ANA, a_world, card_of, say, shown

LINES: list[dict[str, Any]] = [
    {
        "n": 8,
        "at": "2026-11-22T02:00:00+00:00",
        "event": "approval.approved",
        "subject": "APR-2",
        "actor": ANA.record(),
        "data": {"fix": "rerun_backup", "by": "slack:U0ANA", "plan": {"calls": []}, "count": 2},
    },
    {
        "n": 7,
        "at": "2026-11-22T01:00:00+00:00",
        "event": "incident.opened",
        "subject": "INC-1",
        "actor": {"platform": "system", "id": "backupbot"},
        "data": None,
    },
]


async def test_the_newest_lines() -> None:
    """Number, event, who, about what, when and its plain details; for the asker alone."""
    world = a_world(an_azure())
    world.records.lines = list(LINES)
    answers = await say("audit", world.services)
    assert shown(card_of(answers)) == [
        "● INFO The record: 2 lines, newest first",
        "* 8 approval.approved by Ana APR-2 1 h ago (2026-11-22 02:00 UTC): fix rerun_backup, by slack:U0ANA, count 2",
        "* 7 incident.opened by backupbot INC-1 2 h ago (2026-11-22 01:00 UTC)",
        "Whether it was altered: backupbot audit verify",
    ]
    assert answers[0].private
    assert world.records.asked == [("", 15)]


async def test_one_subject() -> None:
    """The id in any letter case; without lines it says so; two ids are refused."""
    world = a_world(an_azure())
    world.records.lines = list(LINES)
    lines = shown(card_of(await say("audit inc-1", world.services)))
    assert lines[:2] == [
        "● INFO The record about INC-1: 1 line, newest first",
        "* 7 incident.opened by backupbot 2 h ago (2026-11-22 01:00 UTC)",
    ]
    assert shown(card_of(await say("audit INC-9", world.services))) == ["● INFO The record has no line about INC-9"]
    lines = shown(card_of(await say("audit a b", world.services)))
    assert lines == ["● INFO Name one incident or approval, or none for all: /backup audit [incident]."]


def test_a_strange_line_is_shown_whatever_it_holds() -> None:
    """A record that somebody altered must not break the view of it."""
    strange: list[dict[str, Any]] = [
        {"n": 1, "at": "yesterday", "event": "x", "subject": "", "actor": None, "data": "text"},
        {"n": 2, "at": "2026-11-22T01:00:00", "event": "x", "actor": {}, "data": {"long": "y" * 500}},
        {"at": NOW},
    ]
    lines = shown(audit.render(strange, "", now=NOW, simulated=False))
    assert lines[1] == "* 1 x by ? yesterday: text"
    assert lines[2].startswith("* 2 x by ? 2026-11-22T01:00:00: long yyy")
    assert lines[2].endswith("yy …")
    assert lines[3] == "* ? ? by ? just now (2026-11-22 03:00 UTC)"
