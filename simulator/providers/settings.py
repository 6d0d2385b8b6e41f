"""What is set on a vault beside its own resource: soft delete, storage, encryption, resource guard; and backupStatus."""

from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.filters import parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import RS, VAULT, vault_of
from simulator.world.model import Item, Json, Vault, Workload

SHORTEST, LONGEST = 14, 180
CONFIG_FIELDS = (
    "softDeleteFeatureState",
    "softDeleteRetentionPeriodInDays",
    "enhancedSecurityState",
    "isSoftDeleteFeatureStateEditable",
    "resourceGuardOperationRequests",
    "storageModelType",
    "storageType",
    "storageTypeState",
)
GUARDED = (
    ("backupFabrics/protectionContainers/protectedItems/delete", "deleteProtectedItemRequests"),
    ("backupFabrics/protectionContainers/protectedItems/write", "updateProtectedItemRequests"),
    ("backupPolicies/write", "updateProtectionPolicyRequests"),
    ("backupResourceGuardProxies/delete", "deleteResourceGuardProxyRequests"),
    ("backupSecurityPIN/action", "getBackupSecurityPINRequests"),
    ("backupconfig/write", "disableSoftDeleteRequests"),
)


def _resource(vault: Vault, kind: str, name: str, properties: Json) -> Json:
    return {
        "id": f"{vault.id}/{kind}/{name}",
        "name": name,
        "type": f"Microsoft.RecoveryServices/vaults/{kind}",
        "properties": properties,
    }


def config_body(vault: Vault) -> Json:
    """The soft-delete setting in its older form."""
    return _resource(
        vault,
        "backupconfig",
        "vaultconfig",
        {
            "enhancedSecurityState": "Disabled" if vault.soft_delete["enhanced"] == "Disabled" else "Enabled",
            "softDeleteFeatureState": vault.soft_delete["state"],
            "softDeleteRetentionPeriodInDays": vault.soft_delete["days"],
            "isSoftDeleteFeatureStateEditable": vault.soft_delete["state"] != "AlwaysON",
        },
    )


def get_config(call: Call) -> Answer:
    """Soft delete and enhanced security of a vault."""
    return Answer(200, config_body(vault_of(call)))


def change_config(call: Call) -> Answer:
    """Changes soft delete; less protection than before needs the resource guard's consent where there is one."""
    vault = vault_of(call)
    properties = call.properties()
    refuse_unknown(properties, CONFIG_FIELDS, "the vault config")
    state = properties.get("softDeleteFeatureState", vault.soft_delete["state"])
    days = properties.get("softDeleteRetentionPeriodInDays", vault.soft_delete["days"])
    if state not in ("Enabled", "Disabled", "AlwaysON"):
        raise ArmError(400, "InvalidRestApiParameter", f"'{state}' is not a softDeleteFeatureState.")
    if not isinstance(days, int) or not SHORTEST <= days <= LONGEST:
        raise ArmError(
            400, "BMSUserErrorInvalidSoftDeleteRetention", f"The retention must be {SHORTEST} to {LONGEST} days."
        )
    weaker = state == "Disabled" != vault.soft_delete["state"] or days < vault.soft_delete["days"]
    if vault.soft_delete["state"] == "AlwaysON" and state != "AlwaysON":
        raise ArmError(400, "BMSUserErrorSoftDeleteIrreversible", "Soft delete is always on for this vault.")
    if weaker and vault.guard and not properties.get("resourceGuardOperationRequests"):
        raise ArmError(
            403,
            "UserErrorCriticalOperationForbidden",
            "A resource guard protects this operation: its consent is needed.",
        )
    vault.soft_delete["state"], vault.soft_delete["days"] = state, days
    enhanced = properties.get("enhancedSecurityState")
    if enhanced is not None:
        vault.soft_delete["enhanced"] = enhanced
    return Answer(200, config_body(vault))


def get_storage(call: Call) -> Answer:
    """Redundancy and cross-region restore in their older form."""
    vault = vault_of(call)
    return Answer(
        200,
        _resource(
            vault,
            "backupstorageconfig",
            "vaultstorageconfig",
            {
                "storageModelType": vault.redundancy,
                "storageType": vault.redundancy,
                "storageTypeState": "Locked" if vault.items else "Unlocked",
                "crossRegionRestoreFlag": vault.cross_region,
                "dedupState": "Disabled",
                "xcoolState": "Disabled",
            },
        ),
    )


def get_encryption(call: Call) -> Answer:
    """With whose key the vault is encrypted."""
    vault = vault_of(call)
    properties: Json = {
        "encryptionAtRestType": "MicrosoftManaged",
        "subscriptionId": "",
        "lastUpdateStatus": "NotEnabled",
        "infrastructureEncryptionState": "Disabled",
        "useSystemAssignedIdentity": False,
    }
    if vault.encryption is not None:
        properties["encryptionAtRestType"] = "CustomerManaged"
        properties["keyUri"] = vault.encryption["key"]
        properties["lastUpdateStatus"] = vault.encryption["status"]
        properties["useSystemAssignedIdentity"] = True
    return Answer(200, _resource(vault, "backupEncryptionConfigs", "backupResourceEncryptionConfig", properties))


def _proxy(vault: Vault) -> Json:
    return _resource(
        vault,
        "backupResourceGuardProxies",
        "VaultProxy",
        {
            "resourceGuardResourceId": vault.guard,
            "lastUpdatedTime": "2026-03-04T09:30:00.0000000Z",
            "resourceGuardOperationDetails": [
                {
                    "vaultCriticalOperation": f"Microsoft.RecoveryServices/vaults/{operation}",
                    "defaultResourceRequest": f"{vault.guard}/{request}/default",
                }
                for operation, request in GUARDED
            ],
        },
    )


def list_proxies(call: Call) -> Answer:
    """The resource guard of a vault, if it has one."""
    vault = vault_of(call)
    return paged(call, [_proxy(vault)] if vault.guard else [])


def get_proxy(call: Call) -> Answer:
    """The link to the resource guard."""
    vault = vault_of(call)
    if not vault.guard or call.parts["proxy"].casefold() != "vaultproxy":
        raise ArmError(404, "ResourceGuardProxyNotFound", "This vault has no resource guard.")
    return Answer(200, _proxy(vault))


def unlock_delete(call: Call) -> Answer:
    """Consent for a critical operation: only who holds rights on the guard gets it, and nobody here does."""
    get_proxy(call)
    raise ArmError(
        403,
        "UserErrorCriticalOperationForbidden",
        "The caller is not allowed to perform this operation on the resource guard.",
    )


def usage_summaries(call: Call) -> Answer:
    """How many items and containers of a kind a vault has."""
    vault = vault_of(call)
    wanted, _ = parse_filter(call.query.get("$filter"), ("type", "backupManagementType"))
    kinds: dict[str, int] = {}
    for item in vault.items.values():
        kinds[item.management_type] = kinds.get(item.management_type, 0) + 1
    management = wanted.get("backupManagementType")
    rows = [
        {
            "unit": "Count",
            "currentValue": count,
            "limit": -1,
            "name": {"value": kind, "localizedValue": kind},
        }
        for kind, count in kinds.items()
        if management is None or management.casefold() == kind.casefold()
    ]
    return Answer(200, {"value": rows})


def deleted_containers(call: Call) -> Answer:
    """Containers whose data waits in soft-delete state; the simulator deletes items, not containers."""
    vault_of(call)
    parse_filter(call.query.get("$filter"), ("backupManagementType", "status", "friendlyName", "containerType"))
    return Answer(200, {"value": []})


def backup_status(call: Call) -> Answer:
    """Whether a resource is protected, and where."""
    body = call.json()
    refuse_unknown(body, ("resourceType", "resourceId", "poLogicalName"), "BackupStatusRequest")
    kinds = {"VM": Workload.VM, "AzureFileShare": Workload.FILES, "SQLDataBase": Workload.SQL}
    workload = kinds.get(str(body.get("resourceType")))
    if workload is None or not body.get("resourceId"):
        raise ArmError(400, "BadRequest", "resourceType and resourceId are required.")
    source = str(body["resourceId"]).casefold()
    wanted = str(body.get("poLogicalName") or "").casefold()
    for item in call.world.items:
        if item.workload is workload and item.source_id.casefold() == source and not item.more.get("purged"):
            if wanted and item.name.casefold() != wanted:
                continue
            return Answer(200, _protected(item))
    return Answer(200, {"protectionStatus": "NotProtected", "fabricName": "Azure", "protectedItemsCount": 0})


def _protected(item: Item) -> Json:
    return {
        "protectionStatus": "Protected" if item.state == "Protected" else "NotProtected",
        "vaultId": item.vault.id,
        "fabricName": "Azure",
        "containerName": item.container,
        "protectedItemName": item.item_name,
        "policyName": item.policy,
        "registrationStatus": "Registered",
        "protectedItemsCount": 1,
    }


def register(router: Router) -> None:
    """Registers this module's operations."""
    config = VAULT + "/backupconfig/vaultconfig"
    router.add("GET", config, get_config, action=f"{RS}/backupconfig/read")
    router.add("PATCH", config, change_config, action=f"{RS}/backupconfig/write")
    router.add("PUT", config, change_config, action=f"{RS}/backupconfig/write")
    router.add(
        "GET",
        VAULT + "/backupstorageconfig/vaultstorageconfig",
        get_storage,
        action=f"{RS}/backupstorageconfig/read",
    )
    router.add(
        "GET",
        VAULT + "/backupEncryptionConfigs/backupResourceEncryptionConfig",
        get_encryption,
        action=f"{RS}/backupEncryptionConfigs/read",
    )
    proxies = VAULT + "/backupResourceGuardProxies"
    router.add("GET", proxies, list_proxies, action=f"{RS}/backupResourceGuardProxies/read")
    router.add("GET", proxies + "/{proxy}", get_proxy, action=f"{RS}/backupResourceGuardProxies/read")
    router.add(
        "POST",
        proxies + "/{proxy}/unlockDelete",
        unlock_delete,
        action=f"{RS}/backupResourceGuardProxies/unlockDelete/action",
        reads=True,
    )
    router.add("GET", VAULT + "/backupUsageSummaries", usage_summaries, action=f"{RS}/backupUsageSummaries/read")
    router.add(
        "GET",
        VAULT + "/backupDeletedProtectionContainers",
        deleted_containers,
        action=f"{RS}/backupDeletedProtectionContainers/read",
    )
    router.add(
        "POST",
        "/subscriptions/{subscription}/providers/Microsoft.RecoveryServices/locations/{location}/backupStatus",
        backup_status,
        action="Microsoft.RecoveryServices/locations/backupStatus/action",
        reads=True,
    )
