"""Changes of a protected item: the bodies that Azure takes, and only those.

The right to write a protected item would also allow stopping its protection, so no other body is ever made here.
Source: https://learn.microsoft.com/rest/api/backup/protected-items/create-or-update
"""

from domain.backup import ProtectedItem, Workload
from domain.canonical import Json
from domain.fix import Call, Kind
from fixes.planning import BACKUP_API, ITEM_ACTIONS

WRITE_ACTION = f"{ITEM_ACTIONS}/write"

ITEM_TYPES = {
    Workload.VM: "Microsoft.Compute/virtualMachines",
    Workload.SQL: "AzureVmWorkloadSQLDatabase",
    Workload.HANA: "AzureVmWorkloadSAPHanaDatabase",
    Workload.FILES: "AzureFileShareProtectedItem",
}
_NAMES_SOURCE = frozenset({Workload.VM, Workload.FILES})
"""Workloads whose body names the protected resource; databases are found by the item's id alone."""


def undelete_call(item: ProtectedItem) -> Call:
    """Bring a soft-deleted item back; it comes back with its protection stopped."""
    return _put(
        item, {"policyId": "", "isRehydrate": True, "protectionState": "ProtectionStopped"}, f"Undelete {item.name}"
    )


def protect_call(item: ProtectedItem, policy_id: str, policy_name: str) -> Call:
    """Give the item a policy, which resumes its schedule."""
    return _put(item, {"policyId": policy_id}, f"Protect {item.name} with the policy {policy_name}")


def _put(item: ProtectedItem, says: dict[str, Json], purpose: str) -> Call:
    properties: dict[str, Json] = {"protectedItemType": ITEM_TYPES[item.workload]}
    if item.workload in _NAMES_SOURCE:
        properties["sourceResourceId"] = item.source_id
    return Call(
        method="PUT",
        resource=item.id.id,
        api_version=BACKUP_API,
        body={"properties": properties | says},
        kind=Kind.ITEM_CHANGE,
        purpose=purpose,
        action=WRITE_ACTION,
        scope=item.id.vault.id,
    )
