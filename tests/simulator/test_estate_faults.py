"""Every seeded fault of contoso shows the evidence that an expert would look for, and the right fix mends it."""

import re
from datetime import timedelta
from typing import Any

import pytest

from simulator.world.model import stable_uuid
from tests.simulator.support import (
    ALERTS,
    AUTH,
    COMPUTE,
    CROSS_REGION,
    KEYVAULT,
    LOCKS,
    RULES,
    SKUS,
    STORAGE,
    Azure,
)

TWO = "vault-prod-02"
STAGING = "/resourceGroups/rg-restore/providers/Microsoft.Storage/storageAccounts/ststagingprod01"


async def machine(azure: Azure, vault: str, name: str) -> Any:
    item = await azure.item(vault, name)
    return await azure.get(item["properties"]["sourceResourceId"] + "?$expand=instanceView", COMPUTE)


async def operator(azure: Azure, method: str, path: str, version: str, body: Any = None) -> Any:
    reply = await azure.call(method, path, version, who="operator", body=body)
    assert reply.status in (200, 201, 202), reply.body
    return reply


async def test_every_fault_kind_is_seeded_and_enough_is_healthy(azure: Azure) -> None:
    """Contoso holds at least twenty faults of different kinds, forty items of all workloads and ten healthy items."""
    _, estate = await azure.control("GET", "/_sim/estate")
    assert len({fault["fault"] for fault in estate["faults"]}) == len(estate["faults"]) >= 30
    assert len(estate["healthy"]) >= 10
    assert {item.workload.value for item in azure.sim.world.items} == {"vm", "sql", "hana", "files", "mars", "mabs"}
    assert len(azure.sim.world.items) >= 40


async def test_healthy_items_have_a_young_point_and_no_failed_job(azure: Azure) -> None:
    """Whatever the estate calls healthy has a recovery point within its rhythm and no failed backup."""
    _, estate = await azure.control("GET", "/_sim/estate")
    names = {(one["vault"], one["item"]) for one in estate["healthy"]}
    young = (azure.sim.clock.now() - timedelta(hours=26)).isoformat()
    for vault in azure.sim.world.vaults.values():
        failed = await azure.all(f"{vault.id}/backupJobs?$filter=status eq 'Failed'")
        unwell = {row["properties"]["entityFriendlyName"].partition(" [")[0] for row in failed}
        for row in await azure.all(f"{vault.id}/backupProtectedItems"):
            body = row["properties"]
            if not {(vault.name, body["friendlyName"]), (vault.id, body["friendlyName"])} & names:
                continue
            assert body["friendlyName"] not in unwell
            assert body["protectionState"] == "IRPending" or body["lastRecoveryPoint"] > young


async def test_key_vault_access(azure: Azure) -> None:
    """vm-erp-01 fails three times for want of a grant; the custom role at the key vault mends it, but not at once."""
    code = "UserErrorKeyVaultPermissionsNotConfigured"
    assert await azure.failed_codes("vault-prod-01", "vm-erp-01") == [code] * 3
    vm = await machine(azure, "vault-prod-01", "vm-erp-01")
    settings = vm["properties"]["storageProfile"]["osDisk"]["encryptionSettings"]
    key_vault = settings["diskEncryptionKey"]["sourceVault"]["id"]
    body = await azure.get(key_vault, KEYVAULT)
    assert body["properties"]["enableRbacAuthorization"] is True
    service = azure.sim.world.backup_service().oid
    path = f"{key_vault}/providers/Microsoft.Authorization"
    assert await azure.all(f"{path}/roleAssignments?$filter=assignedTo('{service}')", AUTH) == []
    roles = await azure.all(f"{path}/roleDefinitions?$filter=type eq 'CustomRole'", AUTH)
    role = next(r for r in roles if r["properties"]["roleName"] == "Azure Backup Key Vault Access")
    grant = {
        "properties": {
            "roleDefinitionId": role["id"],
            "principalId": service,
            "principalType": "ServicePrincipal",
        }
    }
    await operator(azure, "PUT", f"{path}/roleAssignments/{stable_uuid('test')}", AUTH, grant)
    await azure.advance(120)
    await azure.fixed("vault-prod-01", "vm-erp-01")


async def test_key_vault_policy(azure: Azure) -> None:
    """vm-hr-01's key vault uses access policies: adding one for the backup service mends it."""
    assert "UserErrorKeyVaultPermissionsNotConfigured" in await azure.failed_codes(TWO, "vm-hr-01")
    vm = await machine(azure, TWO, "vm-hr-01")
    key_vault = vm["properties"]["storageProfile"]["osDisk"]["encryptionSettings"]["diskEncryptionKey"]["sourceVault"][
        "id"
    ]
    body = await azure.get(key_vault, KEYVAULT)
    assert "enableRbacAuthorization" not in body["properties"]
    rights = ["Get", "List", "Backup"]
    policy = {
        "properties": {
            "accessPolicies": [
                {
                    "tenantId": azure.sim.tenant_id,
                    "objectId": azure.sim.world.backup_service().oid,
                    "permissions": {"keys": rights, "secrets": rights},
                }
            ]
        }
    }
    await operator(azure, "PUT", f"{key_vault}/accessPolicies/add", KEYVAULT, policy)
    await azure.advance(120)
    await azure.fixed(TWO, "vm-hr-01")


@pytest.mark.parametrize(
    ("vault", "item", "fault", "code", "kind"),
    [
        (TWO, "vm-legal-01", "key_vault_firewall", "UserErrorKeyVaultPermissionsNotConfigured", "IaasVMBackupRequest"),
        (TWO, "vm-crm-01", "agent_dead", "UserErrorGuestAgentStatusUnavailable", "IaasVMBackupRequest"),
        (TWO, "vm-print-01", "os_disk_full", "ExtensionFailedVssWriterInBadState", "IaasVMBackupRequest"),
        (
            "vault-lock-01",
            "vm-locked-01",
            "restore_point_lock",
            "UserErrorRpCollectionLimitReached",
            "IaasVMBackupRequest",
        ),
        (
            "vault-sql-01",
            "intranet",
            "workload_extension_failed",
            "WorkloadExtensionNotReachable",
            "AzureWorkloadBackupRequest",
        ),
    ],
)
async def test_what_people_repair_by_hand(
    azure: Azure, vault: str, item: str, fault: str, code: str, kind: str
) -> None:
    """A fault that only people reach fails with its code until the repair, and not after it."""
    assert code in await azure.failed_codes(vault, item)
    status, _ = await azure.control("POST", "/_sim/repair", {"vault": vault, "item": item, "fault": fault})
    assert status == 200
    await azure.fixed(vault, item, kind)


async def test_file_share_faults(azure: Azure) -> None:
    """A deleted share and a locked account fail without a title, as Azure Files does, until somebody repairs them."""
    for item, fault, words in (
        ("projects", "share_soft_deleted", "soft deleted"),
        ("audit", "share_account_locked", "lock"),
    ):
        assert words in (await azure.failed_codes("vault-files-01", item))[0]
        await azure.control("POST", "/_sim/repair", {"vault": "vault-files-01", "item": item, "fault": fault})
        await azure.fixed("vault-files-01", item, "AzureFileShareBackupRequest")
    share = await azure.item("vault-files-01", "projects")
    assert share["properties"]["extendedInfo"]["resourceState"] == "Active"


async def test_transient_failures_just_run_again(azure: Azure) -> None:
    """What failed for a passing reason completes when it is run again."""
    assert await azure.failed_codes("vault-prod-01", "vm-web-01") == ["ExtensionSnapshotFailedNoNetwork"]
    await azure.fixed("vault-prod-01", "vm-web-01")
    warned = await azure.item(TWO, "vm-warn-01")
    assert warned["properties"]["healthStatus"] == "ActionRequired"
    await azure.fixed(TWO, "vm-warn-01")
    assert (await azure.item(TWO, "vm-warn-01"))["properties"]["healthStatus"] == "Passed"
    await azure.fixed("vault-sql-01", "SYSTEMDB", "AzureWorkloadBackupRequest", backupType="Full")


async def test_agent_evidence(azure: Azure) -> None:
    """A dead agent shows Not Ready, an Unknown version and an old report; a healthy one does not."""
    dead = (await machine(azure, TWO, "vm-crm-01"))["properties"]["instanceView"]["vmAgent"]
    assert dead["vmAgentVersion"] == "Unknown"
    assert dead["statuses"][0]["displayStatus"] == "Not Ready"
    alive = (await machine(azure, "vault-prod-01", "vm-app-01"))["properties"]["instanceView"]["vmAgent"]
    assert alive["statuses"][0]["displayStatus"] == "Ready"


async def test_full_disk_shows_in_the_run_command(azure: Azure) -> None:
    """The probe of vm-print-01's disk answers with no free space."""
    vm = (await machine(azure, TWO, "vm-print-01"))["id"]
    body = {"commandId": "RunPowerShellScript", "script": ["Get-CimInstance Win32_LogicalDisk"]}
    reply = await operator(azure, "POST", f"{vm}/runCommand", COMPUTE, body)
    await azure.advance(60)
    result = await azure.get(reply.headers["Location"], COMPUTE, who="operator")
    assert '"FreeSpace":0' in result["value"][0]["message"]


@pytest.mark.parametrize(
    ("item", "code", "hidden"),
    [
        ("vm-build-01", "ExtensionOperationFailedForManagedDisks", False),
        ("vm-mail-01", "UserErrorFsFreezeTimeout", True),
    ],
)
async def test_snapshot_extension(azure: Azure, item: str, code: str, *, hidden: bool) -> None:
    """A broken snapshot extension, openly or in its message only, is mended by deleting it and backing up."""
    assert code in await azure.failed_codes(TWO, item)
    vm = (await azure.item(TWO, item))["properties"]["sourceResourceId"]
    rows = await azure.all(f"{vm}/extensions?$expand=instanceView", COMPUTE)
    extension = next(r for r in rows if r["properties"]["publisher"] == "Microsoft.Azure.RecoveryServices")
    message = extension["properties"]["instanceView"]["statuses"][0]["message"]
    assert extension["properties"]["provisioningState"] == ("Succeeded" if hidden else "Failed")
    assert bool(re.search(r"StatusCode\.Failed", message)) is hidden
    await operator(azure, "DELETE", extension["id"], COMPUTE)
    await azure.advance(60)
    await azure.fixed(TWO, item)
    again = await azure.get(f"{extension['id']}?$expand=instanceView", COMPUTE)
    assert again["properties"]["provisioningState"] == "Succeeded"


async def test_machine_states(azure: Azure) -> None:
    """Reapply mends a failed provisioning state, start a deallocated machine."""
    for vault, item, verb, code in (
        (TWO, "vm-mon-01", "reapply", "UserErrorVmProvisioningStateFailed"),
        (TWO, "vm-batch-01", "start", "AzureVmOffline"),
    ):
        assert code in await azure.failed_codes(vault, item)
        vm = (await machine(azure, vault, item))["id"]
        await operator(azure, "POST", f"{vm}/{verb}", COMPUTE)
        await azure.advance(300)
        await azure.fixed(vault, item)
        states = {s["code"] for s in (await machine(azure, vault, item))["properties"]["instanceView"]["statuses"]}
        assert states == {"ProvisioningState/succeeded", "PowerState/running"}


async def test_database_host(azure: Azure) -> None:
    """A database whose host is deallocated is backed up again after the start of its host."""
    assert "VMNotInRunningStateUserError" in await azure.failed_codes("vault-sql-01", "reports")
    vm = (await azure.item("vault-sql-01", "reports"))["properties"]["sourceResourceId"]
    await operator(azure, "POST", f"{vm}/start", COMPUTE)
    await azure.advance(300)
    await azure.fixed("vault-sql-01", "reports", "AzureWorkloadBackupRequest", backupType="Full")


@pytest.mark.parametrize(
    ("item", "code"),
    [("archive", "UserErrorParentFullBackupMissing"), ("ledger", "UserErrorSQLLSNValidationFailure")],
)
async def test_log_chains(azure: Azure, item: str, code: str) -> None:
    """Log backups fail for want of a full one; a log backup does not mend that, a full one does."""
    body = await azure.item("vault-sql-01", item)
    assert body["properties"]["lastBackupStatus"] == "Unhealthy"
    assert body["properties"]["lastBackupErrorDetail"]["code"] == code
    log = await azure.backup(body["id"], "AzureWorkloadBackupRequest", backupType="Log")
    await azure.advance(600)
    job = await azure.get(f"{azure.vault('vault-sql-01')}/backupJobs/{log}")
    assert job["properties"]["errorDetails"][0]["errorTitle"] == code
    await azure.fixed("vault-sql-01", item, "AzureWorkloadBackupRequest", backupType="Full")
    assert (await azure.item("vault-sql-01", item))["properties"]["lastBackupStatus"] == "Healthy"


async def protect(azure: Azure, vault: str, name: str, **properties: Any) -> None:
    item = await azure.item(vault, name)
    body = {
        "properties": {
            "protectedItemType": item["properties"]["protectedItemType"],
            "sourceResourceId": item["properties"]["sourceResourceId"],
            **properties,
        }
    }
    await operator(azure, "PUT", item["id"], "2024-04-01", body)
    await azure.advance(300)


@pytest.mark.parametrize("item", ["vm-old-01", "vm-pause-01", "vm-drift-01"])
async def test_resumed_protection(azure: Azure, item: str) -> None:
    """A stopped, suspended or drifting item takes backups again after its policy is set anew."""
    before = (await azure.item(TWO, item))["properties"]
    stopped = before["protectionState"] != "Protected"
    assert stopped or before["extendedInfo"]["policyInconsistent"] is True
    await protect(azure, TWO, item, policyId=f"{azure.vault(TWO)}/backupPolicies/DailyVmPolicy")
    after = (await azure.item(TWO, item))["properties"]
    assert after["protectionState"] == "Protected"
    assert after["extendedInfo"]["policyInconsistent"] is False
    await azure.fixed(TWO, item)


async def test_soft_deleted_item(azure: Azure) -> None:
    """A deleted item shows when it is purged, comes back stopped, and then resumes."""
    gone = (await azure.item(TWO, "vm-gone-01"))["properties"]
    assert gone["isScheduledForDeferredDelete"] is True
    assert gone["policyId"] == ""
    assert gone["lastBackupTime"].startswith("2001-01-01")
    assert gone["deferredDeleteTimeRemaining"].startswith("11.")
    await protect(azure, TWO, "vm-gone-01", isRehydrate=True, policyId="", protectionState="ProtectionStopped")
    back = (await azure.item(TWO, "vm-gone-01"))["properties"]
    assert "isScheduledForDeferredDelete" not in back
    assert back["protectionState"] == "ProtectionStopped"
    await protect(azure, TWO, "vm-gone-01", policyId=f"{azure.vault(TWO)}/backupPolicies/DailyVmPolicy")
    await azure.fixed(TWO, "vm-gone-01")


async def test_stuck_job(azure: Azure) -> None:
    """A job that stays in its first sub-task keeps others out until it is cancelled."""
    vault = azure.vault(TWO)
    running = await azure.all(f"{vault}/backupJobs?$filter=status eq 'InProgress'")
    stuck = next(j for j in running if j["properties"]["entityFriendlyName"] == "vm-big-01")
    body = await azure.get(stuck["id"])
    assert body["properties"]["extendedInfo"]["tasksList"][0]["status"] == "InProgress"
    item = await azure.item(TWO, "vm-big-01")
    refused = await azure.call(
        "POST", f"{item['id']}/backup", who="operator", body={"properties": {"objectType": "IaasVMBackupRequest"}}
    )
    assert (refused.status, refused.code) == (400, "UserErrorBackupOperationInProgress")
    await operator(azure, "POST", f"{stuck['id']}/cancel", "2024-04-01")
    assert (await azure.get(stuck["id"]))["properties"]["status"] == "Cancelling"
    await azure.advance(120)
    assert (await azure.get(stuck["id"]))["properties"]["status"] == "Cancelled"
    await azure.fixed(TWO, "vm-big-01")


async def test_policy_gap_and_deleted_points(azure: Azure) -> None:
    """A weekly policy is seen in the policy, deleted points only when they are asked for."""
    item = await azure.item(TWO, "vm-weekly-01")
    policy = await azure.get(item["properties"]["policyId"])
    assert policy["properties"]["schedulePolicy"]["scheduleRunFrequency"] == "Weekly"
    points = (await azure.item(TWO, "vm-history-01"))["id"] + "/recoveryPoints"
    kept = await azure.all(points)
    every = await azure.all(f"{points}?$filter=includeSoftDeletedRP eq true")
    deleted = [p for p in every if p["properties"]["recoveryPointProperties"]["isSoftDeleted"]]
    assert len(every) == len(kept) + len(deleted)
    assert deleted


async def test_on_premises(azure: Azure) -> None:
    """Old and silent agents and servers show in containers and engines; a file in use only in the job's words."""
    vault = azure.vault("vault-branch-01")
    rows = await azure.all(f"{vault}/backupProtectionContainers?$filter=backupManagementType eq 'MAB'")
    servers = {row["properties"]["friendlyName"]: row for row in rows}
    assert servers["fs-berlin.contoso.com"]["properties"]["agentVersion"] == "2.0.8703.0"
    assert "agentVersion" not in servers["fs-oslo.contoso.com"]["properties"]
    silent = await azure.get(servers["fs-paris.contoso.com"]["id"])
    seen = silent["properties"]["extendedInfo"]["lastRefreshedAt"]
    assert seen < (azure.sim.clock.now() - timedelta(days=5)).isoformat()
    busy = await azure.failed_codes("vault-branch-01", r"D:\Exports")
    assert "0x80070020" in busy[0]
    engines = await azure.all(f"{vault}/backupEngines?$filter=backupManagementType eq 'AzureBackupServer'")
    outdated = {e["name"]: e["properties"]["isDpmUpgradeAvailable"] for e in engines}
    assert outdated == {"mabs-old.contoso.com": True, "mabs-new.contoso.com": False}
    for item, fault in ((r"D:\Data", "mars_outdated"), ("vm-branch-db", "mabs_outdated")):
        assert await azure.failed_codes("vault-branch-01", item)
        await azure.control("POST", "/_sim/repair", {"vault": "vault-branch-01", "item": item, "fault": fault})
    before = (await azure.item("vault-branch-01", r"D:\Data"))["properties"]["lastRecoveryPoint"]
    await azure.advance(86400)
    assert (await azure.item("vault-branch-01", r"D:\Data"))["properties"]["lastRecoveryPoint"] > before


async def restore(azure: Azure, name: str, account: str, group: str, kind: str = "RestoreDisks", **more: Any) -> Any:
    item = await azure.item("vault-restore-01", name)
    points = await azure.all(f"{item['id']}/recoveryPoints")
    body = {
        "properties": {
            "objectType": "IaasVMRestoreRequest",
            "recoveryPointId": points[0]["name"],
            "recoveryType": kind,
            "sourceResourceId": item["properties"]["sourceResourceId"],
            "targetResourceGroupId": group,
            "storageAccountId": account,
            "region": "westeurope",
            "createNewCloudService": False,
            **more,
        }
    }
    reply = await azure.call("POST", f"{points[0]['id']}/restore", who="operator", body=body)
    assert reply.status == 202, reply.body
    await azure.advance(7200)
    status = await azure.get(reply.headers["Azure-AsyncOperation"])
    return await azure.get(f"{azure.vault('vault-restore-01')}/backupJobs/{status['properties']['jobId']}")


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("vm-gpu-01", "UserErrorSkuNotAvailable"),
        ("vm-mem-01", "UserErrorCoreCountSubscriptionQuotaReached"),
        ("vm-frozen-01", "UserErrorResourceIsInLockedState"),
        ("vm-stage-01", "UserErrorVmVaultLocationMismatch"),
        ("vm-wall-01", "UserErrorNetworkAclSANotSupported"),
        ("vm-ident-01", "UserErrorManagedIdentityPermissionsMissing"),
    ],
)
async def test_failed_restores(azure: Azure, item: str, code: str) -> None:
    """Each restore fault leaves one failed restore job with its code; a restore of disks to a good place works."""
    assert await azure.failed_codes("vault-restore-01", item, "Restore") == [code]
    sub = azure.sim.subscription_id
    account = (
        f"/subscriptions/{sub}/resourceGroups/rg-restore/providers/Microsoft.Storage/storageAccounts/ststagingprod01"
    )
    job = await restore(azure, item, account, f"/subscriptions/{sub}/resourceGroups/rg-restore")
    assert job["properties"]["status"] == "Completed"
    disk = job["properties"]["extendedInfo"]["propertyBag"]["Target disk name"]
    disks = await azure.all(
        f"/subscriptions/{sub}/resourceGroups/rg-restore/providers/Microsoft.Compute/disks", "2023-04-02"
    )
    assert disk in {one["name"] for one in disks}


async def test_restore_evidence(azure: Azure) -> None:
    """Sizes, quotas, locks and staging accounts show why the restores failed."""
    sub = f"/subscriptions/{azure.sim.subscription_id}"
    skus = await azure.all(f"{sub}/providers/Microsoft.Compute/skus?$filter=location eq 'westeurope'", SKUS)
    gpu = next(s for s in skus if s["name"] == "Standard_NC24s_v3")
    assert gpu["restrictions"][0]["reasonCode"] == "NotAvailableForSubscription"
    usages = await azure.get(f"{sub}/providers/Microsoft.Compute/locations/westeurope/usages", COMPUTE)
    full = [u["name"]["value"] for u in usages["value"] if u["currentValue"] >= u["limit"]]
    assert full == ["standardESv3Family"]
    locks = await azure.all(f"{sub}/resourceGroups/rg-restore-frozen/providers/Microsoft.Authorization/locks", LOCKS)
    assert [lock["properties"]["level"] for lock in locks] == ["ReadOnly"]
    accounts = await azure.all(f"{sub}/resourceGroups/rg-restore/providers/Microsoft.Storage/storageAccounts", STORAGE)
    wrong = next(a for a in accounts if a["name"].startswith("wrong"))
    assert wrong["location"] == "uksouth"
    walled = next(a for a in accounts if a["name"].startswith("walled"))
    assert walled["properties"]["networkAcls"] == {
        "bypass": "None",
        "defaultAction": "Deny",
        "ipRules": [],
        "virtualNetworkRules": [],
    }


async def test_lock_can_be_lifted(azure: Azure) -> None:
    """Without the lock the restore into the frozen group works; the lock can be put back."""
    sub = f"/subscriptions/{azure.sim.subscription_id}"
    group = f"{sub}/resourceGroups/rg-restore-frozen"
    account = f"{sub}/resourceGroups/rg-restore/providers/Microsoft.Storage/storageAccounts/ststagingprod01"
    lock = f"{group}/providers/Microsoft.Authorization/locks/freeze"
    assert (await restore(azure, "vm-frozen-01", account, group))["properties"]["status"] == "Failed"
    await operator(azure, "DELETE", lock, LOCKS)
    assert (await restore(azure, "vm-frozen-01", account, group))["properties"]["status"] == "Completed"
    await operator(azure, "PUT", lock, LOCKS, {"properties": {"level": "ReadOnly"}})


async def test_vault_identity(azure: Azure) -> None:
    """With the blob role on its staging account the vault's identity restores."""
    item = await azure.item("vault-restore-01", "vm-ident-01")
    vault = await azure.get(azure.vault("vault-restore-01"))
    jobs = await azure.all(f"{vault['id']}/backupJobs?$filter=operation eq 'Restore' and status eq 'Failed'")
    failed = next(j for j in jobs if j["properties"]["entityFriendlyName"] == "vm-ident-01")
    bag = (await azure.get(failed["id"]))["properties"]["extendedInfo"]["propertyBag"]
    sub = f"/subscriptions/{azure.sim.subscription_id}"
    group = f"{sub}/resourceGroups/rg-restore"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/{bag['Target Storage Account Name']}"
    identity: dict[str, Any] = {"identityInfo": {"isSystemAssignedIdentity": True}}
    job = await restore(azure, "vm-ident-01", account, group, **identity)
    assert job["properties"]["errorDetails"][0]["errorTitle"] == "UserErrorManagedIdentityPermissionsMissing"
    role = f"{sub}/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    body = {
        "properties": {
            "roleDefinitionId": role,
            "principalId": vault["identity"]["principalId"],
            "principalType": "ServicePrincipal",
        }
    }
    path = f"{account}/providers/Microsoft.Authorization/roleAssignments/{stable_uuid('msi')}"
    await operator(azure, "PUT", path, AUTH, body)
    await azure.advance(120)
    assert item["properties"]["friendlyName"] == "vm-ident-01"
    assert (await restore(azure, "vm-ident-01", account, group, **identity))["properties"]["status"] == "Completed"


async def test_cross_region_restore(azure: Azure) -> None:
    """The seven calls restore vm-gpu-01 in the paired region."""
    sub = f"/subscriptions/{azure.sim.subscription_id}"
    there = f"{sub}/providers/Microsoft.RecoveryServices/locations/northeurope"
    who = await azure.get(f"{there}/backupAadProperties?$filter=backupManagementType eq 'AzureIaasVM'", CROSS_REGION)
    item = await azure.item("vault-restore-01", "vm-gpu-01")
    points = await azure.all(f"{item['id']}/recoveryPoints/", CROSS_REGION)
    token = await azure.call("POST", f"{points[-1]['id']}/accessToken", CROSS_REGION, who="operator", body=who)
    assert token.status == 200, token.body
    group = f"{sub}/resourceGroups/rg-restore"
    body = {
        "crossRegionRestoreAccessDetails": token.body["properties"],
        "restoreRequest": {
            "objectType": "IaasVMRestoreRequest",
            "recoveryPointId": points[-1]["name"],
            "recoveryType": "RestoreDisks",
            "sourceResourceId": item["properties"]["sourceResourceId"],
            "targetResourceGroupId": group,
            "storageAccountId": f"{group}/providers/Microsoft.Storage/storageAccounts/ststagingnorth01",
            "region": "northeurope",
        },
    }
    reply = await operator(azure, "POST", f"{there}/backupCrossRegionRestore", CROSS_REGION, body)
    await azure.advance(3600)
    status = await azure.get(reply.headers["Azure-AsyncOperation"])
    request = {"resourceId": azure.vault("vault-restore-01"), "jobName": status["properties"]["jobId"]}
    job = await azure.call("POST", f"{there}/backupCrrJob", CROSS_REGION, body=request)
    assert job.body["properties"]["status"] == "Completed"


async def test_restore_validation(azure: Azure) -> None:
    """The service's own validation names what would make a restore fail, and nothing where it would work."""
    sub = f"/subscriptions/{azure.sim.subscription_id}"
    vault = azure.vault("vault-restore-01")
    found = {}
    for name, group in (("vm-frozen-01", "rg-restore-frozen"), ("vm-ready-01", "rg-restore")):
        item = await azure.item("vault-restore-01", name)
        points = await azure.all(f"{item['id']}/recoveryPoints")
        body = {
            "id": f"{item['id']}/recoveryPoints/{points[0]['name']}",
            "properties": {
                "objectType": "ValidateIaasVMRestoreOperationRequest",
                "restoreRequest": {
                    "objectType": "IaasVMRestoreRequest",
                    "recoveryPointId": points[0]["name"],
                    "recoveryType": "RestoreDisks",
                    "sourceResourceId": item["properties"]["sourceResourceId"],
                    "targetResourceGroupId": f"{sub}/resourceGroups/{group}",
                    "storageAccountId": f"{sub}{STAGING}",
                    "region": "westeurope",
                },
            },
        }
        reply = await azure.call("POST", f"{vault}/backupTriggerValidateOperation", body=body)
        await azure.advance(30)
        status = await azure.get(reply.headers["Azure-AsyncOperation"])
        results = status["properties"]["validateOperationResponse"]["validationResults"]
        found[name] = [one["code"] for one in results]
    assert found == {"vm-frozen-01": ["UserErrorResourceIsInLockedState"], "vm-ready-01": []}


async def test_vault_settings(azure: Azure) -> None:
    """Soft delete and alerts that are off can be seen and switched on; a muting rule can be seen."""
    shared = azure.vault("vault-dev-03", "contoso-dev")
    config = f"{shared}/backupconfig/vaultconfig"
    assert (await azure.get(config))["properties"]["softDeleteFeatureState"] == "Disabled"
    on = {
        "properties": {
            "softDeleteFeatureState": "Enabled",
            "softDeleteRetentionPeriodInDays": 14,
            "enhancedSecurityState": "Enabled",
        }
    }
    await operator(azure, "PATCH", config, "2024-04-01", on)
    body = await azure.get(shared)
    assert body["properties"]["securitySettings"]["softDeleteSettings"]["softDeleteState"] == "Enabled"
    quiet = azure.vault("vault-dev-01", "contoso-dev")
    settings = {"monitoringSettings": {"azureMonitorAlertSettings": {"alertsForAllJobFailures": "Enabled"}}}
    before = (await azure.get(quiet))["properties"]["monitoringSettings"]["azureMonitorAlertSettings"]
    assert before["alertsForAllJobFailures"] == "Disabled"
    await operator(azure, "PATCH", quiet, "2024-04-01", {"properties": settings})
    after = (await azure.get(quiet))["properties"]["monitoringSettings"]["azureMonitorAlertSettings"]
    assert after["alertsForAllJobFailures"] == "Enabled"
    dev = azure.sim.describe()["subscriptions"]["contoso-dev"]
    rules = await azure.all(f"/subscriptions/{dev}/providers/Microsoft.AlertsManagement/actionRules", RULES)
    assert {r["properties"]["actions"][0]["actionType"] for r in rules} == {"AddActionGroups", "RemoveAllActionGroups"}


async def test_alerts_of_failed_jobs(azure: Azure) -> None:
    """Each failed job of a vault with alerts on has an alert, which can be acknowledged."""
    vault = azure.vault("vault-prod-01")
    alerts = await azure.all(f"{vault}/providers/Microsoft.AlertsManagement/alerts?timeRange=1d", ALERTS)
    assert len(alerts) == 4
    path = f"{alerts[0]['id']}/changestate?newState=Acknowledged"
    await operator(azure, "POST", path, ALERTS)
    assert (await azure.get(alerts[0]["id"], ALERTS))["properties"]["essentials"]["alertState"] == "Acknowledged"
