"""The operator's table: what fixes do is allowed, everything beside it is not."""

import pytest

from bot.gateways.azure_allowed import check_allowed
from domain.canonical import Json
from domain.errors import BadRequest
from domain.fix import Call, Kind

RG = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-1"
VAULT = f"{RG}/providers/Microsoft.RecoveryServices/vaults/v1"
CONTAINER = f"{VAULT}/backupFabrics/Azure/protectionContainers/VMAppContainer;Compute;rg;sql01"
ITEM = f"{CONTAINER}/protectedItems/SQLDataBase;mssqlserver;my db"
VM = f"{RG}/providers/Microsoft.Compute/virtualMachines/vm-1"
KEY_VAULT = f"{RG}/providers/Microsoft.KeyVault/vaults/kv-1"
GRANT = f"{KEY_VAULT}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-000000000001"
ROLES = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions"
OWNER = f"{ROLES}/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
KEY_VAULT_ADMINISTRATOR = f"{ROLES}/00482a5a-887f-4fb3-b363-3b7fe8e74483"
LOCK = f"{RG}/providers/Microsoft.Authorization/locks/no-delete"
RULE = f"{RG}/providers/Microsoft.AlertsManagement/actionRules/backup-failures"
REGION = "/subscriptions/s/providers/Microsoft.RecoveryServices/locations/northeurope"


def check(method: str, resource: str, body: Json = None, query: dict[str, str] | None = None) -> None:
    """Ask the table."""
    check_allowed(
        Call(
            method=method,
            resource=resource,
            api_version="1",
            body=body,
            query=query or {},
            kind=Kind.RESOURCE,
            purpose="",
            action="",
            scope="",
        )
    )


def role(role_definition: str, principal_type: str = "ServicePrincipal") -> Json:
    """The body of a grant."""
    return {"properties": {"roleDefinitionId": role_definition, "principalId": "p", "principalType": principal_type}}


def properties(**values: Json) -> Json:
    """A body."""
    return {"properties": values}


@pytest.mark.parametrize(
    ("method", "resource", "body"),
    [
        ("POST", f"{ITEM}/backup", properties(objectType="AzureWorkloadBackupRequest")),
        ("POST", f"{ITEM.replace('subscriptions', 'Subscriptions')}/backup", None),
        ("POST", f"{VAULT}/backupJobs/1/cancel", None),
        ("PUT", ITEM, properties(isRehydrate=True, protectionState="ProtectionStopped", policyId="")),
        ("PUT", ITEM, properties(policyId=f"{VAULT}/backupPolicies/p")),
        ("PUT", ITEM, properties(policyId=f"{VAULT}/backupPolicies/p", protectionState="Protected")),
        ("POST", f"{ITEM}/recoveryPoints/1/restore", properties(objectType="IaasVMRestoreRequest")),
        ("POST", f"{ITEM}/recoveryPoints/1/accessToken", None),
        ("POST", f"{REGION}/backupCrossRegionRestore", None),
        ("POST", f"{VM}/start", None),
        ("POST", f"{VM}/reapply", None),
        ("POST", f"{VM}/runCommand", {"commandId": "RunShellScript", "script": ["df"]}),
        ("DELETE", f"{VM}/extensions/VMSnapshot", None),
        ("PUT", GRANT, role(KEY_VAULT_ADMINISTRATOR)),
        ("DELETE", GRANT, None),
        ("PUT", f"{KEY_VAULT}/accessPolicies/add", properties(accessPolicies=[])),
        ("PUT", f"{KEY_VAULT}/accessPolicies/remove", properties(accessPolicies=[])),
        ("PUT", LOCK, properties(level="CanNotDelete")),
        ("DELETE", LOCK, None),
        ("DELETE", f"{VM}/providers/Microsoft.Authorization/locks/x", None),
        (
            "PATCH",
            f"{VAULT}/backupconfig/vaultconfig",
            properties(
                softDeleteFeatureState="Enabled", softDeleteRetentionPeriodInDays=14, enhancedSecurityState="Enabled"
            ),
        ),
        ("PUT", f"{VAULT}/backupconfig/vaultconfig", properties(softDeleteFeatureState="AlwaysON")),
        (
            "PATCH",
            VAULT,
            properties(monitoringSettings={"azureMonitorAlertSettings": {"alertsForAllJobFailures": "Enabled"}}),
        ),
        ("PUT", RULE, properties(actions=[{"actionType": "AddActionGroups", "actionGroupIds": []}])),
        ("PUT", f"{RG}/providers/Microsoft.Insights/actionGroups/backup", properties(enabled=True)),
    ],
)
def test_allowed(method: str, resource: str, body: Json) -> None:
    """Each call of a fix passes."""
    check(method, resource, body)


@pytest.mark.parametrize(
    ("method", "resource", "body", "why"),
    [
        ("PUT", ITEM, properties(protectionState="ProtectionStopped", policyId=""), "stop protection"),
        ("PUT", ITEM, properties(protectionState="ProtectionStopped", policyId="p"), "stop protection"),
        ("PUT", ITEM, properties(protectionState="BackupsSuspended", policyId="p"), "stop protection"),
        ("PUT", ITEM, properties(protectedItemType="x"), "neither undeletes"),
        ("PUT", ITEM, properties(isRehydrate="true"), "neither undeletes"),
        ("PUT", ITEM, None, "neither undeletes"),
        ("PUT", ITEM, properties(isRehydrate=True, resourceGuardOperationRequests=["x"]), "Resource Guard"),
        ("PUT", ITEM, properties(policyId="p", isScheduledForDeferredDelete=True), "delete the item"),
        ("DELETE", ITEM, None, "not among"),
        ("PATCH", ITEM, properties(policyId="p"), "not among"),
        ("DELETE", VAULT, None, "not among"),
        ("PUT", VAULT, None, "not among"),
        ("PATCH", VAULT, properties(monitoringSettings={}, securitySettings={}), "more than"),
        ("PATCH", VAULT, {"properties": {"monitoringSettings": {}}, "identity": {"type": "None"}}, "more than"),
        (
            "PATCH",
            VAULT,
            properties(monitoringSettings={"azureMonitorAlertSettings": {"alertsForAllJobFailures": "Disabled"}}),
            "silence",
        ),
        ("PUT", GRANT, role(OWNER), "grant any other"),
        ("PUT", GRANT, role(OWNER.upper()), "grant any other"),
        ("PUT", GRANT, role(KEY_VAULT_ADMINISTRATOR, "User"), "service principals only"),
        ("PUT", GRANT, properties(principalId="p"), "no role"),
        ("PUT", GRANT, None, "no role"),
        ("PATCH", f"{VAULT}/backupconfig/vaultconfig", properties(softDeleteFeatureState="Disabled"), "than on"),
        ("PATCH", f"{VAULT}/backupconfig/vaultconfig", properties(softDeleteRetentionPeriodInDays=7), "less than 14"),
        (
            "PATCH",
            f"{VAULT}/backupconfig/vaultconfig",
            properties(softDeleteRetentionPeriodInDays=True),
            "less than 14",
        ),
        ("PATCH", f"{VAULT}/backupconfig/vaultconfig", properties(storageType="LocallyRedundant"), "than on"),
        ("PUT", f"{KEY_VAULT}/accessPolicies/replace", properties(), "not among"),
        ("PATCH", KEY_VAULT, properties(), "not among"),
        ("POST", f"{VM}/deallocate", None, "not among"),
        ("POST", f"{VM}/runCommand", {"commandId": "EnableRemotePS"}, "script of the bot"),
        ("DELETE", VM, None, "not among"),
        ("PUT", f"{VM}/extensions/VMSnapshot", None, "not among"),
        ("PUT", RULE, properties(actions=[{"actionType": "RemoveAllActionGroups"}]), "add action groups"),
        ("PUT", RULE, properties(actions=[]), "add action groups"),
        ("POST", f"{VAULT}/backupSecurityPIN", None, "not among"),
        ("POST", f"{ITEM}/backup?api-version=2", None, "not among"),
        ("POST", f"{ITEM}/backup#x", None, "not among"),
        ("POST", f"https://evil.example{ITEM}/backup", None, "not among"),
        ("POST", f"{ITEM}/../../backup", None, "plain ARM id"),
        ("POST", f"{ITEM}/backup\n", None, "plain ARM id"),
        ("DELETE", f"{VM}/extensions/%2e%2e", None, "plain ARM id"),
        ("DELETE", f"{VM}/extensions/x%2F..%2F..", None, "plain ARM id"),
        ("GET", VAULT, None, "not among"),
    ],
)
def test_refused(method: str, resource: str, body: Json, why: str) -> None:
    """Each call that is wider than a fix is refused, and the reason is said."""
    with pytest.raises(BadRequest, match=why):
        check(method, resource, body)


def test_the_version_is_the_plans() -> None:
    """A query that would replace the api version is refused; another one is not."""
    check("POST", f"{ITEM}/backup", None, {"forceDeletion": "true"})
    with pytest.raises(BadRequest, match="plain ARM id"):
        check("POST", f"{ITEM}/backup", None, {"API-Version": "2"})
