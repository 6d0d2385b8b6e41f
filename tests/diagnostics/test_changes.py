"""What changed: which events matter, in whose window, said how."""

from datetime import timedelta

import pytest

from diagnostics.changes import relevant_changes, what_changed, window
from domain.backup import ActivityEvent
from domain.errors import PermissionDenied
from domain.finding import Diagnosis, Finding, Outcome
from tests.diagnostics.world import (
    KEY_VAULT_ID,
    NOW,
    SUBSCRIPTION,
    VAULT,
    VM_ID,
    a_context,
    a_job,
    an_azure,
    an_error,
    an_item,
    hours,
)

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app"
SINCE = NOW - timedelta(days=2)
ITEM = an_item().id.id


def an_event(
    operation: str, resource: str = VM_ID, *, age: float = 10, status: str = "Succeeded", **changes: object
) -> ActivityEvent:
    base = {
        "at": hours(age),
        "operation": operation,
        "resource_id": resource,
        "actor": "ana@contoso.com",
        "status": status,
        "correlation_id": "c1",
    }
    return ActivityEvent(**{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operation", "resource", "kind", "words", "cause"),
    [
        (
            "Microsoft.Authorization/locks/write",
            f"{GROUP}/providers/Microsoft.Authorization/locks/freeze",
            "lock_added",
            "ana@contoso.com put the lock freeze on rg-app",
            "lock_blocks_restore",
        ),
        (
            "Microsoft.Authorization/roleAssignments/delete",
            f"{KEY_VAULT_ID}/providers/Microsoft.Authorization/roleAssignments/123",
            "role_removed",
            "took a role away at kv-erp-01",
            "key_vault_access_missing",
        ),
        (
            "MICROSOFT.KEYVAULT/VAULTS/WRITE",
            KEY_VAULT_ID,
            "key_vault_changed",
            "changed the key vault kv-erp-01",
            "key_vault_firewall_blocks",
        ),
        (
            "Microsoft.KeyVault/vaults/accessPolicies/write",
            KEY_VAULT_ID,
            "key_vault_access",
            "access policies",
            "key_vault_policy_missing",
        ),
        (
            "Microsoft.Compute/virtualMachines/deallocate/action",
            VM_ID,
            "vm_stopped",
            "switched the VM vm-erp-01 off",
            "vm_deallocated",
        ),
        ("Microsoft.Compute/virtualMachines/delete", VM_ID, "vm_deleted", "deleted the VM", "vm_not_found"),
        (
            "Microsoft.Compute/virtualMachines/extensions/write",
            f"{VM_ID}/extensions/Monitoring",
            "extension_changed",
            "the extension Monitoring",
            "other_extension_failed",
        ),
        (
            "Microsoft.RecoveryServices/vaults/backupPolicies/write",
            f"{VAULT.id}/backupPolicies/daily",
            "backup_policy_changed",
            "backup policy daily",
            "policy_gap_exceeds_rpo",
        ),
        (
            "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete",
            ITEM.upper(),
            "item_deleted",
            "deleted the backup item",
            "item_soft_deleted",
        ),
        (
            "Microsoft.Network/networkSecurityGroups/securityRules/write",
            f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/nsg/securityRules/deny",
            "network_changed",
            "network rules",
            "network_blocked",
        ),
        (
            "Microsoft.Resources/subscriptions/resourceGroups/moveResources/action",
            GROUP,
            "moved",
            "moved resources",
            "vm_not_found",
        ),
    ],
)
def test_each_kind(operation: str, resource: str, kind: str, words: str, cause: str) -> None:
    """Each kind of change is recognised, said with its actor, and tied to what it may explain."""
    about = [VM_ID, ITEM, KEY_VAULT_ID, VAULT.id]
    (change,) = relevant_changes([an_event(operation, resource)], SINCE, NOW, about=about)
    assert change.kind == kind
    assert words in change.sentence
    assert change.actor == "ana@contoso.com"
    assert change.at == hours(10)
    assert cause in change.explains


@pytest.mark.parametrize(
    "event",
    [
        an_event("Microsoft.Compute/virtualMachines/write", age=60),
        an_event("Microsoft.Compute/virtualMachines/write", age=-1),
        an_event("Microsoft.Compute/virtualMachines/write", VM_ID + "-other"),
        an_event("Microsoft.Compute/virtualMachines/read"),
        an_event("Microsoft.Compute/virtualMachines/write", status="Started?"),
        an_event("Microsoft.Compute/virtualMachines/extensions/write", f"{VM_ID}/extensions/VMSnapshot"),
        an_event(
            "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/write",
            f"{VAULT.id}/backupFabrics/Azure/protectionContainers/c/protectedItems/another",
        ),
    ],
)
def test_what_does_not_matter(event: ActivityEvent) -> None:
    """Outside the window, other resources, reads, Azure Backup's own doings, the vault's other items."""
    assert relevant_changes([event], SINCE, NOW, about=[VM_ID, VAULT.id, ITEM]) == ()


def test_one_operation_is_said_once_by_its_end() -> None:
    """Started and then failed is one failed change; started alone is told too."""
    operation = "Microsoft.Compute/virtualMachines/write"
    started = an_event(operation, age=10, status="Started")
    failed = an_event(operation, age=9.9, status="Failed")
    (change,) = relevant_changes([failed, started], SINCE, NOW)
    assert change.failed
    assert "tried to, and failed" in change.sentence
    assert change.explains == ()
    assert len(relevant_changes([started], SINCE, NOW)) == 1


def test_a_resize_tells_the_size_and_nameless_actors_are_said() -> None:
    """The new size where the log holds it; an event without a caller has no invented one."""
    event = an_event(
        "Microsoft.Compute/virtualMachines/write",
        details={"requestbody": '{"hardwareProfile": {"vmSize": "Standard_M64ms"}}'},
        actor="",
    )
    (change,) = relevant_changes([event], SINCE, NOW)
    assert "(size Standard_M64ms)" in change.sentence
    assert change.sentence.startswith("somebody whom Azure does not name")


def test_changes_come_oldest_first() -> None:
    """The order in which they happened."""
    events = [
        an_event("Microsoft.Compute/virtualMachines/write", age=age, correlation_id=str(age)) for age in (3, 20, 8)
    ]
    assert [change.at for change in relevant_changes(events, SINCE, NOW)] == [hours(20), hours(8), hours(3)]


def test_the_window() -> None:
    """From an hour before the last good point to the end of the first failure after it, at most thirty days."""
    failures = [a_job("b", age=3), a_job("a", age=20), a_job("before", age=60)]
    since, until = window(hours(31), failures, NOW)
    assert since == hours(32)
    assert until == hours(20) + timedelta(minutes=10)
    assert window(None, [], NOW) == (NOW - timedelta(days=30), NOW)
    assert window(hours(24 * 90), [], NOW)[0] == NOW - timedelta(days=30)


async def test_from_azure() -> None:
    """The groups of the VM, the vault and the key vault that a finding names are read; an unreadable one is told."""
    azure = an_azure(an_item(last_recovery_point_at=hours(31), last_backup_at=hours(3)))
    azure.points.clear()
    azure.put(a_job(age=3, errors=(an_error("X"),)))
    role = f"{KEY_VAULT_ID}/providers/Microsoft.Authorization/roleAssignments/1"
    azure.events[GROUP.casefold()] = [an_event("Microsoft.Authorization/roleAssignments/delete", role)]
    finding = Finding(
        check="backup_service_can_read_key_vault",
        outcome=Outcome.FAIL,
        summary="",
        facts={"key_vault_id": KEY_VAULT_ID},
    )
    diagnosis = Diagnosis(item_id=ITEM, item_name="", vault_name="", findings=(finding,), causes=())
    item = an_item(last_recovery_point_at=hours(31))
    found = await what_changed(a_context(azure, item), diagnosis)
    assert [change.kind for change in found.changes] == ["role_removed"]
    assert found.explaining("key_vault_access_missing") == found.changes
    assert found.explaining("job_stuck") == ()
    assert found.unread == ()
    assert (found.since, found.until) == (hours(32), hours(3) + timedelta(minutes=10))
    azure.fail("activity", PermissionDenied("no right"), of="rg-app")
    found = await what_changed(a_context(azure, item), diagnosis)
    assert found.changes == ()
    assert "The Activity Log of rg-app could not be read" in found.unread[0]
