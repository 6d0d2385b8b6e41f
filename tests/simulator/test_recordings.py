"""Recorded requests of the Azure command line, sent to the simulator, get answers of the recorded shape.

The same request goes to the simulator's counterpart of the recorded resource. Status code, and the type of every field that
the recording has, must agree; what is left out on purpose stands in `LEFT_OUT`, each with its reason.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from tests.simulator.support import RECORDINGS, Azure

pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason="the recordings are not here")

LEFT_OUT = {
    # Not in any published specification: served bodies must validate strictly.
    r"softDeleteRetentionPeriod$": "unspecified",
    r"sourceSideScanning$": "unspecified",
    r"taskType$": "unspecified",
    r"createdWithPolicyType$|threatStatus$|crossRegionRestoreState$": "unspecified",
    r"isUserTriggered$": "unspecified for databases",
    r"\$\.objectType$": "unspecified for backupStatus",
    r"ipv6Rules|innerError": "unspecified",
    r"coordinatorServiceStamp|protectionServiceStamp|tokenExtendedInformation": "internals of the service",
    r"rpTierInformation|rpOriginalSAOption|rpDiskDetails|bMSActiveRegion": "internals of the service",
    r"actionsInfo\[\]$": "numbers in recordings of 2021",
    # Things of the recorded estate that the simulated one does not have.
    r"tags\.|securityType|keyUri|zones|[iI]dentity|systemData|hyperV|imageReference": "another estate",
    r"requireGuestProvisionSignal|windowsConfiguration|patchSettings|networkInterfaces|diagnosticsProfile": "another estate",
    r"vmAgent\.extensionHandlers|osName|osVersion|instanceView\.disks": "another estate",
    r"immutabilitySettings|bcdrSecurityLevel|enhancedSecurityState$": "null, derived or shown by vaultconfig only",
    r"alertsForAllReplicationIssues|alertsForAllFailoverIssues|emailNotificationsForSiteRecovery": "Site Recovery",
    r"propertyBag\.|internalPropertyBag": "free text that nothing may depend on",
    r"monthlySchedule|yearlySchedule|weeklySchedule|tieringPolicy|instantRPDetails": "another policy",
    r"keyCreationTime|lastEnabledTime|services\.file": "of no use to a backup",
    r"recoveryPointMoveReadinessInfo|recoveryPointDiskConfiguration": "archive and disk exclusion",
    r"extendedInfo\.dataDirectory|extendedInfo\.dataDirector": "files of a database",
    r"isPrivateAccessEnabledOnAnyDisk|estimatedRemainingDuration|taskExecutionDetails": "display only",
    r"nodesList|kpisHealths|taskDetails|protectedItemsCount$": "not for this item",
    r"errorDetails|dynamicErrorMessage": "another error",
    r"updatedBy|createdBy|description|delegatedManaged|condition": "null in one of the two",
    r"accessPolicies": "an RBAC vault has none",
    r"backupEngineState|lastRefreshedAt": "old fields",
}


@dataclass(frozen=True)
class Case:
    """A recording, the path of its counterpart, who asks, and a place whose field no specification has."""

    name: str
    path: Callable[[Azure], Awaitable[str]]
    who: str = "reader"
    unspecified: str = ""


def vault(name: str, tail: str = "") -> Callable[[Azure], Awaitable[str]]:
    async def path(azure: Azure) -> str:
        return azure.vault(name) + tail

    return path


def item(vault_name: str, name: str, tail: str = "") -> Callable[[Azure], Awaitable[str]]:
    async def path(azure: Azure) -> str:
        return str((await azure.item(vault_name, name))["id"]) + tail

    return path


def point(vault_name: str, name: str, tail: str = "") -> Callable[[Azure], Awaitable[str]]:
    async def path(azure: Azure) -> str:
        found = await azure.item(vault_name, name)
        return str((await azure.all(f"{found['id']}/recoveryPoints"))[0]["id"]) + tail

    return path


def job(vault_name: str, name: str, filters: str) -> Callable[[Azure], Awaitable[str]]:
    async def path(azure: Azure) -> str:
        rows = await azure.all(f"{azure.vault(vault_name)}/backupJobs?$filter={filters}")
        return next(str(r["id"]) for r in rows if r["properties"]["entityFriendlyName"].startswith(name))

    return path


def source(vault_name: str, name: str, tail: str = "") -> Callable[[Azure], Awaitable[str]]:
    async def path(azure: Azure) -> str:
        return str((await azure.item(vault_name, name))["properties"]["sourceResourceId"]) + tail

    return path


def fixed(tail: str) -> Callable[[Azure], Awaitable[str]]:
    async def path(azure: Azure) -> str:
        return f"/subscriptions/{azure.sim.subscription_id}{tail}"

    return path


P1, SQL, FILES, TWO = "vault-prod-01", "vault-sql-01", "vault-files-01", "vault-prod-02"
KEY_VAULT = "/resourceGroups/rg-security/providers/Microsoft.KeyVault/vaults/kv-safe-01"
DONE, FAILED = "status eq 'Completed'", "status eq 'Failed'"
CASES = (
    Case(
        "authorization_roledefinitions_filter", fixed(f"{KEY_VAULT}/providers/Microsoft.Authorization/roleDefinitions")
    ),
    Case("backup_trigger_vm_202", item(P1, "vm-app-01", "/backup"), "operator"),
    Case("backup_trigger_afs_202", item(FILES, "documents", "/backup"), "operator"),
    Case("backup_trigger_sql_202", item(SQL, "HXE", "/backup"), "operator"),
    Case("compute_vm_get_expand_instanceview", source(P1, "vm-app-01")),
    Case("containers_list_afs", vault(FILES, "/backupProtectionContainers")),
    Case("containers_list_iaasvm", vault(P1, "/backupProtectionContainers")),
    Case("crr_2_items_passivestamp", vault(P1, "/backupProtectedItems/")),
    Case("crr_3_recoverypoints_passivestamp", item(P1, "vm-app-01", "/recoveryPoints/")),
    Case("encryptionconfig_get", vault(P1, "/backupEncryptionConfigs/backupResourceEncryptionConfig")),
    Case("item_get_afs", item(FILES, "documents")),
    Case("item_get_iaasvm", item(P1, "vm-app-01")),
    Case("items_list_afs", vault(FILES, "/backupProtectedItems")),
    Case("items_list_iaasvm", vault(P1, "/backupProtectedItems")),
    Case("items_list_iaasvm_softdeleted", vault(TWO, "/backupProtectedItems")),
    Case("items_list_sql", vault(SQL, "/backupProtectedItems")),
    Case("job_afs_backup_completed", job(FILES, "documents", DONE)),
    Case("job_iaasvm_backup_completed", job(P1, "vm-app-01", DONE)),
    Case("job_iaasvm_backup_failed", job(P1, "vm-web-01", FAILED)),
    Case("job_sql_backup_full_completed", job(SQL, "HXE", DONE)),
    Case("jobs_list_all", vault(P1, "/backupJobs")),
    Case("jobs_list_filter_status", vault(TWO, "/backupJobs")),
    Case("keyvault_get_rbac", fixed(KEY_VAULT)),
    Case("policy_get_iaasvm_v1", vault(P1, "/backupPolicies/DailyVmPolicy")),
    Case("policy_get_iaasvm_v2", vault(TWO, "/backupPolicies/hourly-agentless")),
    Case("policy_get_sql", vault(SQL, "/backupPolicies/HanaFullAndLogPolicy")),
    Case("ps_mab_container_list", vault("vault-branch-01", "/backupProtectionContainers")),
    Case("resourceguardproxies_list", vault("vault-shared", "/backupResourceGuardProxies")),
    Case("resourceguardproxies_list_empty", vault(P1, "/backupResourceGuardProxies")),
    Case("resourceguardproxy_get", vault("vault-shared", "/backupResourceGuardProxies/VaultProxy")),
    Case("rp_get_iaasvm", point(P1, "vm-app-01")),
    Case("rp_list_afs", item(FILES, "documents", "/recoveryPoints"), unspecified="recoveryPointTierDetails"),
    Case("rp_list_iaasvm", item(P1, "vm-app-01", "/recoveryPoints")),
    Case("rp_list_sql", item(SQL, "orders", "/recoveryPoints")),
    Case("storage_account_get", source(FILES, "documents")),
    Case("vault_get_404", vault(P1, "-missing")),
    Case("vault_get_plain", vault(P1)),
    Case("vault_get_system_assigned", vault("vault-shared")),
    Case("vault_patch_redundancy_crr_202", vault(P1), "operator"),
    Case("vaultconfig_get", vault(P1, "/backupconfig/vaultconfig")),
    Case("vaultconfig_patch_softdelete", vault(P1, "/backupconfig/vaultconfig"), "operator"),
    Case("vaultstorageconfig_get", vault(P1, "/backupstorageconfig/vaultstorageconfig")),
)


def shape(value: Any, where: str = "$") -> dict[str, str]:
    """The type at every place of a body, list entries taken together."""
    if isinstance(value, dict):
        found = {where: "object"}
        for name, inner in value.items():
            found |= shape(inner, f"{where}.{name}")
        return found
    if isinstance(value, list):
        found = {where: "list"}
        for inner in value:
            found |= shape(inner, f"{where}[]")
        return found
    kinds = {bool: "boolean", int: "number", float: "number", str: "text", type(None): "null"}
    return {where: kinds[type(value)]}


def differences(recorded: Any, served: Any, unspecified: str = "") -> list[str]:
    """Where a served body lacks a recorded field or has another type there, known reasons left out."""
    theirs, ours = shape(recorded), shape(served)
    found = []
    for place, kind in theirs.items():
        if kind == "null" or ours.get(place) == kind or any(re.search(known, place) for known in LEFT_OUT):
            continue
        if unspecified and unspecified in place:
            continue
        found.append(f"{place}: recorded {kind}, served {ours.get(place, 'nothing')}")
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_answers_have_the_recorded_shape(azure: Azure, case: Case) -> None:
    """Status, fields, types and operation headers agree with the recording."""
    exchange = json.loads((RECORDINGS / "bodies" / f"{case.name}.json").read_text(encoding="utf-8"))
    request, response = exchange["request"], exchange["response"]
    pairs = parse_qsl(urlsplit(request.get("uri") or request["url"]).query)
    path = await case.path(azure)
    query = "&".join(f"{quote(k, safe='$')}={quote(_local(v))}" for k, v in pairs if len(k) > 1)
    body = (
        json.loads(re.sub(r"20\d\d-\d\d-\d\dT", "2099-01-01T", json.dumps(request["body"])))
        if request.get("body")
        else None
    )
    async with azure.session.request(
        request["method"],
        f"{azure.sim.arm}{path}?{query}",
        json=body,
        headers={"Authorization": f"Bearer {await azure.token(case.who)}"},
    ) as answer:
        text = await answer.text()
        assert answer.status == response["status"], text
        for name in ("azure-asyncoperation", "location"):
            assert (name in {h.casefold() for h in response["headers"]}) <= (
                name in {h.casefold() for h in answer.headers}
            )
    recorded = response["body"]
    if isinstance(recorded, str) and recorded:
        recorded = json.loads(recorded)
    assert differences(recorded or None, json.loads(text) if text else None, case.unspecified) == []


def _local(value: str) -> str:
    """A recorded filter value, with the recorded machine's name replaced by ours."""
    return value.replace("clitest-vm000003", "vm-app-01")
