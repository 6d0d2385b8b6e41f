"""``rpo``: three numbers an item, the worst first, in pages, and what could not be read."""

from datetime import time, timedelta
from typing import Any

import pytest

from diagnostics.overview import rpo_json, rpo_table
from domain.arm import ItemId, VaultId
from domain.backup import ProtectedItem, Vault
from domain.errors import PermissionDenied
from domain.schedule import PlannedBackup, RpoRules, RpoState, WeeklySchedule
from tests.diagnostics.world import NOW, POLICY_ID, VAULT, a_database, a_policy, a_vault, an_azure, an_item, hours
from tests.fakes.azure import FakeAzure
from tests.handlers.world import a_world, card_of, say, shown

RULES = RpoRules()


def a_vm(name: str, vault: VaultId = VAULT, **changes: object) -> ProtectedItem:
    """A VM of that name."""
    item_id = ItemId(vault, "Azure", f"IaasVMContainer;v2;rg-app;{name}", f"VM;v2;rg-app;{name}")
    return an_item(id=item_id, name=name, **changes)


def an_estate() -> FakeAzure:
    """Five items of every kind of verdict."""
    azure = FakeAzure()
    azure.put(
        a_vault(),
        a_vm("vm-fine"),
        a_vm("vm-soon", last_recovery_point_at=hours(25)),
        a_vm("vm-late", last_recovery_point_at=hours(31)),
        a_vm("vm-off", protection_state="ProtectionStopped", last_recovery_point_at=hours(900)),
        a_database(),
    )
    azure.policies[POLICY_ID.casefold()] = a_policy()
    return azure


async def test_the_table_of_a_vault() -> None:
    """The breach first, then what ends soonest; an inferred age is marked; a stopped item is last."""
    lines = shown(card_of(await say("rpo vault-prod-01", a_world(an_estate()).services)))
    assert lines == [
        "✖ CRITICAL vault-prod-01: RPO of 5 items: 1 breached, 3 kept, 1 stopped",
        "Age of the newest recovery point against the RPO",
        "Item                 Actual  Configured  By policy  Verdict",
        "-------------------  ------  ----------  ---------  -------------------------------",
        "vm-late              31 h    26 h        24 h       breached by 5 h",
        "vm-soon              25 h    26 h        24 h       kept until 04:00 UTC",
        "orders on vm-sql-01  ~5 h    26 h        24 h       kept until 2026-11-23 00:00 UTC",
        "vm-fine              5 h     26 h        24 h       kept until 2026-11-23 00:00 UTC",
        "vm-off               37 d    26 h        24 h       protection stopped",
        "[Diagnose vm-late] [Open in portal]",
        "~ the time of the last successful backup: the list names no recovery point of this item.",
    ]


async def test_the_fleet_has_its_vaults_and_reads_each_policy_once() -> None:
    """Without a vault every vault is in the table, after a card that says so; the policy is shared."""
    azure = an_estate()
    other = VaultId(VAULT.subscription, "rg-dev", "vault-dev-01")
    azure.put(Vault(id=other, location="westeurope"), a_vm("vm-dev", other, last_recovery_point_at=hours(90)))
    answers = await say("rpo", a_world(azure).services)
    assert [answer.card.summary for answer in answers if answer.card] == [
        "Comparing every item with its RPO …",
        "All vaults: RPO of 6 items: 2 breached, 3 kept, 1 stopped",
    ]
    table = [line.split() for line in shown(card_of(answers))]
    assert table[4][:2] == ["vm-dev", "vault-dev-01"]
    assert azure.count("policy") == 1


async def test_a_policy_that_cannot_keep_the_rpo_says_so() -> None:
    """A weekly policy against 26 hours is a fault of the policy, whatever the age is now."""
    azure = an_estate()
    weekly = WeeklySchedule(days=(6,), times=(time(22),), zone="UTC")
    azure.policies[POLICY_ID.casefold()] = a_policy(backups=(PlannedBackup(kind="Backup", schedule=weekly),))
    for vault in (None, a_vault()):
        table = await rpo_table(azure, RULES, NOW, vault=vault)
        fine = next(row for row in table.rows if row.name == "vm-fine")
        assert fine.rpo.policy_rpo == timedelta(days=7)
        assert fine.rpo.policy_can_meet is False
    lines = shown(card_of(await say("rpo vault-prod-01", a_world(azure).services)))
    assert any(line.endswith("kept until 2026-11-23 00:00 UTC; the policy cannot keep it") for line in lines)


async def test_pages() -> None:
    """Forty-five items are three pages, each item on one of them; how to see the next one is said."""
    azure = FakeAzure()
    azure.put(a_vault(), *(a_vm(f"vm-{number:02}", policy_id="") for number in range(45)))
    seen: list[str] = []
    for page in (1, 2, 3):
        table = await rpo_table(azure, RULES, NOW, vault=a_vault(), page=page)
        assert (table.page, table.pages, table.total) == (page, 3, 45)
        seen += [row.name for row in table.rows]
    assert seen == [f"vm-{number:02}" for number in range(45)]
    assert len((await rpo_table(azure, RULES, NOW, size=None)).rows) == 45
    lines = shown(card_of(await say("rpo vault-prod-01 page 2", a_world(azure).services)))
    assert "Page 2 of 3; the next: /backup rpo vault-prod-01 page 3" in lines
    lines = shown(card_of(await say("rpo page 4", a_world(azure).services)))
    assert lines == ["● INFO There is no page 4: the table has 3 pages."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rpo one two", "● INFO Name one vault, or none for all: /backup rpo [vault] [page <number>]."),
        ("rpo vault-prod-01 page x", "● INFO x is no page: /backup rpo [vault] [page <number>]."),
        ("rpo vault-prod-02", "● INFO There is no vault vault-prod-02. Did you mean vault-prod-01?"),
    ],
)
async def test_what_is_not_understood_is_said_to_the_asker(words: str, said: str) -> None:
    """The refusal names the form of the command, and nobody else sees it."""
    answers = await say(words, a_world(an_estate()).services)
    assert shown(card_of(answers))[0] == said
    assert answers[-1].private


async def test_blindness_is_kept() -> None:
    """A vault that cannot be read is named; with no breach known the exit code is 3, and with one it is 1."""
    azure = an_azure()
    dark = VaultId(VAULT.subscription, "rg-dev", "vault-dark")
    azure.put(Vault(id=dark, location="westeurope"))
    azure.fail("items", PermissionDenied("no"), of="vault-dark")
    azure.fail("policy", PermissionDenied("no"))
    table = await rpo_table(azure, RULES, NOW)
    assert table.exit_code == 3
    record = rpo_json(table)
    assert [one["vault"] for one in record["unread_vaults"]] == [dark.id]
    assert len(record["notes"]) == 1
    assert record["items"][0]["rpo"]["by_policy_s"] is None
    lines = shown(card_of(await say("rpo", a_world(azure).services)))
    assert lines[0] == "▲ WARNING All vaults: RPO of 1 item: 0 breached, 1 kept, 1 vault could not be read"
    assert any(line.startswith("? COULD NOT READ  vault-dark: Not allowed to look") for line in lines)
    azure.put(an_item(last_recovery_point_at=hours(31)))
    assert (await rpo_table(azure, RULES, NOW)).exit_code == 1


async def test_the_json_has_the_three_numbers() -> None:
    """Configured, by policy and actual in seconds, counts by state."""
    record = rpo_json(await rpo_table(an_estate(), RULES, NOW, vault=a_vault(), size=None))
    late = record["items"][0]
    assert (late["name"], late["rpo"]["configured_s"], late["rpo"]["by_policy_s"], late["rpo"]["actual_s"]) == (
        "vm-late",
        93600,
        86400,
        111600,
    )
    assert record["counts"] == {"safe": 3, "breached": 1, "unknown": 0, "pending": 0, "stopped": 1}
    assert RpoState.BREACHED.value == late["rpo"]["state"]


async def test_every_verdict_has_its_words() -> None:
    """No point at all, unknown and pending are told apart, and none of them is called kept."""
    azure = FakeAzure()
    never: dict[str, Any] = {"last_recovery_point_at": None, "last_backup_at": None, "policy_id": ""}
    azure.put(
        a_vault(),
        a_vm("vm-none", **never, last_backup_status=""),
        a_vm("vm-first", **never, protection_state="IRPending"),
        a_vm("vm-dark", policy_id="", last_recovery_point_at=None),
    )
    lines = shown(card_of(await say("rpo vault-prod-01", a_world(azure).services)))
    assert lines[0] == "✖ CRITICAL vault-prod-01: RPO of 3 items: 1 breached, 0 kept, 1 unknown, 1 pending"
    assert [" ".join(line.split()) for line in lines[4:7]] == [
        "vm-none none 26 h ? no recovery point at all",
        "vm-dark ? 26 h ? unknown",
        "vm-first none 26 h ? first backup to come",
    ]


async def test_unreadable_subscriptions_are_counted() -> None:
    """A subscription that shows nothing because it may not be read is in the first line."""
    azure = an_azure()
    azure.subscription_ids = [VAULT.subscription, "dark"]
    azure.fail("resources", PermissionDenied("no"), of="/subscriptions/dark")
    lines = shown(card_of(await say("rpo", a_world(azure).services)))
    assert lines[0] == "▲ WARNING All vaults: RPO of 1 item: 0 breached, 1 kept, 1 subscription could not be read"
    assert any(line.startswith("? COULD NOT READ  subscription dark: Not allowed to look") for line in lines)
