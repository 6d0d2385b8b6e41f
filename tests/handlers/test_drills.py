"""``drills``: restore tests on record, and putting one there."""

import pytest

from tests.diagnostics.world import an_azure
from tests.handlers.world import ANA, GUEST, World, a_world, card_of, moment, say, shown


@pytest.fixture
def world() -> World:
    """A bot with an empty ledger."""
    return a_world(an_azure())


async def test_an_empty_ledger_is_a_warning(world: World) -> None:
    """Nothing tested is not fine, and how to add one is said."""
    assert shown(card_of(await say("drills", world.services))) == [
        "▲ WARNING No restore test is on record: a backup never restored is not known to be one",
        "Add one: /backup drills add <item> <evidence>",
    ]


async def test_one_is_put_on_record_and_listed(world: World) -> None:
    """With item, vault, evidence and who says so."""
    added = shown(card_of(await say("drills add vm-erp-01 restored to rg-drill, logged on", world.services)))
    assert added == [
        "✔ GOOD On record: a restore of vm-erp-01 in vault-prod-01 was tested",
        "restored to rg-drill, logged on",
    ]
    world.records.tests.append(
        {
            "item_name": "orders",
            "vault_name": "vault-sql",
            "at": moment(20).replace(tzinfo=None),
            "evidence": "DBCC fine",
            "by": None,
        }
    )
    assert shown(card_of(await say("drills", world.services))) == [
        "● INFO 2 restore tests on record, newest first",
        "* vm-erp-01 in vault-prod-01 just now (2026-11-22 03:00 UTC) by Ana: restored to rg-drill, logged on",
        "* orders in vault-sql 20 d ago (2026-11-02 03:00 UTC) by ?: DBCC fine",
        "Add one: /backup drills add <item> <evidence>",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("drills add vm-erp-01", "● INFO Say what proves it, such as what was restored where and who looked at it"),
        ("drills add vm-erp-01 ok", "● INFO Say what proves it, such as"),
        (
            "drills add vm-erp-02 restored to rg-drill",
            "● INFO There is no protected item vm-erp-02. Did you mean vm-erp-01?",
        ),
        ("drills remove vm-erp-01", "● INFO That is not understood: /backup drills [add <item> <evidence>]."),
        ("drills add", "● INFO That is not understood: /backup drills [add <item> <evidence>]."),
    ],
)
async def test_what_cannot_be_put_on_record(words: str, said: str, world: World) -> None:
    """The ledger stays as it was."""
    assert shown(card_of(await say(words, world.services, ANA)))[0].startswith(said)
    assert world.records.tests == []


async def test_a_guest_puts_nothing_on_record(world: World) -> None:
    """An account that may not act cannot make a test look done."""
    answers = await say("drills add vm-erp-01 restored to rg-drill", world.services, GUEST)
    assert shown(card_of(answers)) == ["● INFO Nothing was put on record: guest accounts may not act."]
    assert answers[0].private
    assert world.records.tests == []
