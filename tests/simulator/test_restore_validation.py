"""The simulated service validates a restore as its world stands; its bodies are checked against the specification."""

from typing import Any

import pytest

from simulator.world.model import Lock
from tests.simulator.support import Azure, Reply


async def ask(azure: Azure, name: str, *, size: bool = False, **changes: Any) -> Reply:
    """Ask in the synchronous form about a restore like the one of the item that failed."""
    vault = azure.vault("vault-restore-01")
    item = await azure.item("vault-restore-01", name)
    points = await azure.all(f"{item['id']}/recoveryPoints")
    sub = f"/subscriptions/{azure.sim.subscription_id}"
    jobs = next(one for one in azure.sim.world.vaults.values() if one.id == vault).items.values()
    failed = [job for one in jobs if one.name == name for job in one.jobs if job.operation == "Restore"]
    plan = failed[0].plan if failed else {}
    request = {
        "objectType": "IaasVMRestoreRequest",
        "recoveryPointId": points[0]["name"],
        "recoveryType": "AlternateLocation" if size else "RestoreDisks",
        "sourceResourceId": item["properties"]["sourceResourceId"],
        "targetResourceGroupId": plan.get("group") or f"{sub}/resourceGroups/rg-restore",
        "storageAccountId": plan.get("account") or next(a.id for a in good(azure)),
        "region": "westeurope",
        **({"identityInfo": {"isSystemAssignedIdentity": True}} if plan.get("identity") else {}),
        **changes,
    }
    body = {
        "id": f"{item['id']}/recoveryPoints/{points[0]['name']}",
        "properties": {"objectType": "ValidateIaasVMRestoreOperationRequest", "restoreRequest": request},
    }
    return await azure.call("POST", f"{vault}/backupValidateOperation", body=body)


def good(azure: Azure) -> list[Any]:
    """Staging accounts of the region that let Azure Backup in."""
    return [
        one
        for one in azure.sim.world.accounts.values()
        if one.location == "westeurope" and one.acl["defaultAction"] == "Allow" and one.group == "rg-restore"
    ]


@pytest.mark.parametrize(
    ("name", "size", "codes"),
    [
        ("vm-gpu-01", True, ["UserErrorSkuNotAvailable"]),
        ("vm-gpu-01", False, []),
        ("vm-mem-01", True, ["UserErrorCoreCountSubscriptionQuotaReached"]),
        ("vm-frozen-01", False, ["UserErrorResourceIsInLockedState"]),
        ("vm-stage-01", False, ["UserErrorVmVaultLocationMismatch"]),
        ("vm-wall-01", False, ["UserErrorNetworkAclSANotSupported"]),
        ("vm-ident-01", False, ["UserErrorManagedIdentityPermissionsMissing"]),
        ("vm-ready-01", False, []),
    ],
)
async def test_the_answer_is_that_of_the_world(azure: Azure, name: str, size: bool, codes: list[str]) -> None:
    """Each seeded restore fault is what the service objects to, with a message and advice; else nothing."""
    reply = await ask(azure, name, size=size)
    assert reply.status == 200
    results = reply.body["validateOperationResponse"]["validationResults"]
    assert [one["code"] for one in results] == codes
    assert all(one["message"] and one["recommendations"] for one in results)


async def test_a_read_only_lock_on_the_staging_account(azure: Azure) -> None:
    """Staging writes into the account, which such a lock forbids."""
    account = good(azure)[0]
    azure.sim.world.locks.append(Lock(account.id, "keep", "ReadOnly", ""))
    reply = await ask(azure, "vm-ready-01", storageAccountId=account.id)
    azure.sim.world.locks.pop()
    [result] = reply.body["validateOperationResponse"]["validationResults"]
    assert result["code"] == "UserErrorResourceIsInLockedState"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recoveryPointId": "123"}, "InvalidRequestContent"),
        ({"objectType": "AzureFileShareRestoreRequest"}, "InvalidRequestContent"),
        ({"storageAccountId": ""}, "InvalidRequestContent"),
        ({"unheardOf": 1}, "InvalidRequestContent"),
        ({"targetResourceGroupId": "/subscriptions/x/resourceGroups/none"}, "UserErrorResourceGroupNotFound"),
        ({"sourceResourceId": "/none"}, "BMSUserErrorProtectedItemNotFound"),
    ],
)
async def test_wrong_questions(azure: Azure, changes: dict[str, Any], code: str) -> None:
    """A question that does not fit the specification or the world is refused."""
    reply = await ask(azure, "vm-ready-01", **changes)
    assert (reply.status, reply.code) == (400, code)
