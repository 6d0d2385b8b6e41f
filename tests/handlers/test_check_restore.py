"""``check-restore``: what blocks a restore, what only needs a remark, and what nobody can know."""

from datetime import timedelta

import pytest

from adaptive_cards.card import Buttons
from diagnostics.overview import restore_check, restore_json
from diagnostics.registry import Context, RestoreTarget
from domain.backup import Lock, Workload
from domain.errors import PermissionDenied, RequestError
from handlers.commands.check_restore import split
from tests.diagnostics.world import (
    NOW,
    SUBSCRIPTION,
    StoppedClock,
    a_context,
    a_job,
    a_mars_item,
    a_point,
    a_share,
    a_vault,
    an_azure,
    an_error,
    an_item,
)
from tests.fakes.azure import FakeAzure
from tests.handlers.world import a_world, card_of, say, shown

COMPUTE = f"/subscriptions/{SUBSCRIPTION}/providers/microsoft.compute"


def an_estate() -> FakeAzure:
    """Everything that a restore of vm-erp-01 in its own region needs."""
    azure = an_azure()
    azure.lists[f"{COMPUTE}/skus"] = [
        {
            "resourceType": "virtualMachines",
            "name": "Standard_D4s_v5",
            "family": "standardDSv5Family",
            "capabilities": [{"name": "vCPUs", "value": "4"}],
            "restrictions": [],
        }
    ]
    azure.lists[f"{COMPUTE}/locations/westeurope/usages"] = [
        {"name": {"value": "standardDSv5Family"}, "currentValue": 8, "limit": 100}
    ]
    return azure


async def test_nothing_blocks() -> None:
    """The card says so, with the newest point, and with what remains unknowable."""
    answers = await say("check-restore vm-erp-01", a_world(an_estate()).services)
    assert answers[0].card is not None
    assert answers[0].card.summary == "Checking what a restore of vm-erp-01 needs …"
    lines = shown(card_of(answers))
    assert lines[:9] == [
        "✔ GOOD vm-erp-01 in vault-prod-01: nothing known blocks a restore",
        "Target:            as the source",
        "Newest point:      5 h ago (2026-11-21 22:00 UTC)",
        "Points of 30 days: 2",
        "Nobody can know beforehand",
        (
            "* Whether Azure has the capacity when the restore runs (AllocationFailed, SkuNotAvailable): no API tells in "
            "advance."
        ),
        "* Whether an Azure Policy refuses the new resources (RequestDisallowedByPolicy): that shows only on creation.",
        "* Whether the data inside is what you need: only a test restore shows that (/backup drills).",
        "[Open in portal]",
    ]


async def test_a_lock_and_a_missing_size_block() -> None:
    """Each blocker has its line; the fixes that help are offered."""
    azure = an_estate()
    azure.lists[f"{COMPUTE}/skus"] = []
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app"
    azure.locks_by_scope[group] = [Lock(id=f"{group}/lock", name="keep", level="ReadOnly")]
    lines = shown(card_of(await say("check-restore vault-prod-01 vm-erp-01", a_world(azure).services)))
    assert lines[0] == "▲ WARNING vm-erp-01 in vault-prod-01: a restore would fail, 2 things block it"
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["✖", "BLOCKS", "no_lock_blocks_restore"],
        ["✖", "BLOCKS", "restore_target_is_available"],
    ]


async def test_a_closed_way_is_not_offered() -> None:
    """Where the paired region cannot take the restore, restoring there is no button."""
    azure = an_estate()
    azure.lists[f"{COMPUTE}/skus"] = []
    card = card_of(await say("check-restore vm-erp-01 to NorthEurope size Standard_M1", a_world(azure).services))
    lines = shown(card)
    assert "✖ BLOCKS  cross_region_restore_is_possible" in "\n".join(lines)
    assert "Target:            region northeurope, size Standard_M1" in lines
    (row,) = [one for one in card.elements if isinstance(one, Buttons)]
    assert "restore_to_other_region" not in " ".join(button.value for button in (*row.shown, *row.menu))


async def test_an_earlier_failure_is_a_remark() -> None:
    """That the last restore failed is shown, but does not block the next one by itself."""
    azure = an_estate()
    azure.put(a_job("r1", age=30, operation="Restore", errors=(an_error("UserErrorRestoreFailed"),)))
    lines = shown(card_of(await say("check-restore vm-erp-01", a_world(azure).services)))
    assert lines[0] == "✔ GOOD vm-erp-01 in vault-prod-01: nothing known blocks a restore"
    assert lines[1].startswith("● REMARK  last_restore_succeeded")
    assert "Target:            as the restore that failed" in lines


async def test_the_target_of_the_failed_restore_counts_until_another_is_named() -> None:
    """The group that the failed restore was to fill is locked: that blocks, but not a restore to another size here."""
    azure = an_estate()
    details = {"Target resource group": "rg-locked", "Job Type": "Recover disks"}
    azure.put(a_job("r1", age=30, operation="Restore", errors=(an_error("UserErrorRestoreFailed"),), details=details))
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-locked"
    azure.locks_by_scope[group] = [Lock(id=f"{group}/lock", name="keep", level="ReadOnly")]
    services = a_world(azure).services
    lines = shown(card_of(await say("check-restore vm-erp-01", services)))
    assert lines[1].startswith("✖ BLOCKS  no_lock_blocks_restore")
    lines = shown(card_of(await say("check-restore vm-erp-01 size Standard_D4s_v5", services)))
    assert lines[0] == "✔ GOOD vm-erp-01 in vault-prod-01: nothing known blocks a restore"


async def test_without_a_point_there_is_nothing_to_restore() -> None:
    """No recovery point at all blocks whatever else is in order."""
    azure = an_estate()
    azure.put(an_item(last_recovery_point_at=None, last_backup_at=None))
    azure.points.clear()
    lines = shown(card_of(await say("check-restore vm-erp-01", a_world(azure).services)))
    assert lines[:2] == [
        "▲ WARNING vm-erp-01 in vault-prod-01: a restore would fail, 1 thing blocks it",
        "✖ FAIL  There is no recovery point to restore from.",
    ]


async def test_points_that_cannot_be_read_leave_it_open() -> None:
    """Unknown is not fine, and the missing right is named."""
    azure = an_estate()
    azure.fail("recovery_points", PermissionDenied("no"))
    lines = shown(card_of(await say("check-restore vm-erp-01", a_world(azure).services)))
    assert lines[0].startswith("● INFO vm-erp-01 in vault-prod-01: nothing known blocks a restore, ")
    assert any("The recovery points could not be read. Not allowed to look" in line for line in lines)


async def test_an_item_and_a_list_that_disagree_leave_it_open() -> None:
    """A point that the item tells of but Azure does not list is not taken for one."""
    azure = an_estate()
    azure.points.clear()
    lines = shown(card_of(await say("check-restore vm-erp-01", a_world(azure).services)))
    assert lines[0].startswith("● INFO")
    assert "? UNKNOWN  The item speaks of a recovery point, but Azure lists none of the last 30 days." in lines


async def test_what_differs_by_workload() -> None:
    """A share is asked other things than a machine outside Azure, of whose points Azure keeps no list."""
    azure = an_estate()
    azure.put(a_share(), a_mars_item())
    azure.points[a_share().id.key] = [a_point(5)]
    share = shown(card_of(await say("check-restore share-hr", a_world(azure).services)))
    assert not any("capacity" in line for line in share)
    mars = shown(card_of(await say('check-restore "C:\\"', a_world(azure).services)))
    assert "Points of 30 days" not in "\n".join(mars)
    assert any(line.startswith("Newest point: 5 h ago") for line in mars)
    assert any("Azure cannot see into it" in line for line in mars)


async def test_the_json_and_its_exit_codes() -> None:
    """0 when nothing blocks, 1 when something does, 3 when it could not be read."""
    azure = an_estate()
    checks = a_world(azure).services.checks
    context = Context(
        vault=a_vault(),
        item=an_item(),
        read=azure,
        clock=StoppedClock(),
        rpo=a_context(azure).rpo,
        target=RestoreTarget(vm_size="Standard_D4s_v5"),
    )
    view = await restore_check(context, checks)
    record = restore_json(view)
    assert (view.exit_code, record["blocked"], record["blockers"]) == (0, False, [])
    assert record["points"] == {
        "count_30_days": 2,
        "newest": (NOW - timedelta(hours=5)).isoformat(),
        "unread": None,
    }
    assert record["target"] == {
        "region": None,
        "vm_size": "Standard_D4s_v5",
        "storage_account": None,
        "as_failed_restore": False,
    }
    assert "restore_target_is_available" in [one["check"] for one in record["findings"]]
    azure.fail("locks", PermissionDenied("no"))
    assert (await restore_check(context, checks)).exit_code == 3
    azure.lists[f"{COMPUTE}/skus"] = []
    assert (await restore_check(context, checks)).exit_code == 1


async def test_no_check_fits() -> None:
    """Without any check the answer is no silent success."""
    with pytest.raises(RequestError, match="No check of restores fits a protected item"):
        await restore_check(a_context(an_azure(), an_item(workload=Workload.OTHER)), {})


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("vm-1",), ("vm-1", "", RestoreTarget())),
        (("vault-1", "vm-1"), ("vm-1", "vault-1", RestoreTarget())),
        (("vm-1", "to", "West Europe"), ("vm-1", "", RestoreTarget(region="westeurope"))),
        (
            ("vm-1", "SIZE", "Standard_D2s_v5", "Storage", "stacc", "to", "northeurope"),
            (
                "vm-1",
                "",
                RestoreTarget(region="northeurope", vm_size="Standard_D2s_v5", storage_account="stacc"),
            ),
        ),
        (("to", "to", "x"), ("to", "", RestoreTarget(region="x"))),
    ],
)
def test_the_words(words: tuple[str, ...], found: tuple[str, str, RestoreTarget]) -> None:
    """Item, vault and target in any order of the target's parts; an item may be called like one of the words."""
    assert split(words) == found


@pytest.mark.parametrize(
    "words", [(), ("a", "b", "c"), ("vm-1", "to"), ("vm-1", "to", "x", "y"), ("a", "to", "x", "size")]
)
def test_words_that_are_not_understood(words: tuple[str, ...]) -> None:
    """The refusal shows the form."""
    with pytest.raises(RequestError, match="check-restore"):
        split(words)
