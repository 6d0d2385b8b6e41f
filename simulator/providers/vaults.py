"""Recovery Services vaults: list, get and the settings that a PATCH changes (api Microsoft.RecoveryServices)."""

from simulator.arm import asynchronous
from simulator.arm.call import Answer, ArmError, Call, refuse_unknown
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import GROUP, RS, VAULT, vault_of
from simulator.world.model import Json, Vault, stable_uuid


def vault_body(call: Call, vault: Vault) -> Json:
    """A vault as ARM shows it."""
    properties: Json = {
        "provisioningState": "Succeeded",
        "privateEndpointStateForBackup": "None",
        "privateEndpointStateForSiteRecovery": "None",
        "backupStorageVersion": "V1",
        "securitySettings": {
            "softDeleteSettings": {
                "softDeleteState": vault.soft_delete["state"],
                "softDeleteRetentionPeriodInDays": vault.soft_delete["days"],
            },
            "multiUserAuthorization": "Enabled" if vault.guard else "Disabled",
        },
        "redundancySettings": {
            "standardTierStorageRedundancy": vault.redundancy,
            "crossRegionRestore": "Enabled" if vault.cross_region else "Disabled",
        },
        "secureScore": "Minimum" if vault.soft_delete["state"] != "Disabled" else "None",
        "publicNetworkAccess": "Enabled",
        "restoreSettings": {"crossSubscriptionRestoreSettings": {"crossSubscriptionRestoreState": "Enabled"}},
    }
    if vault.alerts is not None:
        properties["monitoringSettings"] = {
            "azureMonitorAlertSettings": {"alertsForAllJobFailures": vault.alerts},
            "classicAlertSettings": {"alertsForCriticalOperations": "Disabled"},
        }
    if vault.encryption is not None:
        properties["encryption"] = {
            "keyVaultProperties": {"keyUri": vault.encryption["key"]},
            "kekIdentity": {"useSystemAssignedIdentity": True},
            "infrastructureEncryption": "Disabled",
        }
    stamp = stable_uuid("etag", vault.id, vault.alerts, vault.soft_delete, vault.cross_region)
    body: Json = {
        "location": vault.location,
        "name": vault.name,
        "etag": f'W/"{stamp}"',
        "properties": properties,
        "id": vault.id,
        "type": "Microsoft.RecoveryServices/vaults",
        "sku": {"name": "RS0", "tier": "Standard"},
    }
    if vault.tags:
        body["tags"] = dict(vault.tags)
    if vault.identity:
        body["identity"] = {
            "tenantId": call.world.tenant,
            "principalId": vault.identity,
            "type": "SystemAssigned",
        }
    return body


def list_by_subscription(call: Call) -> Answer:
    """The vaults of a subscription."""
    wanted = call.parts["subscription"].casefold()
    found = [v for v in call.world.vaults.values() if v.subscription == wanted]
    return paged(call, [vault_body(call, vault) for vault in found])


def list_by_group(call: Call) -> Answer:
    """The vaults of a resource group."""
    wanted = (call.parts["subscription"].casefold(), call.parts["group"].casefold())
    found = [v for v in call.world.vaults.values() if (v.subscription, v.group.casefold()) == wanted]
    return paged(call, [vault_body(call, vault) for vault in found])


def get_vault(call: Call) -> Answer:
    """One vault."""
    return Answer(200, vault_body(call, vault_of(call)))


def patch_vault(call: Call) -> Answer:
    """Changes alerts, soft delete, redundancy or identity; answers 202 with an operation to poll."""
    vault = vault_of(call)
    body = call.json()
    refuse_unknown(body, ("properties", "tags", "identity", "sku", "location", "etag"), "the vault")
    properties = body.get("properties") or {}
    refuse_unknown(
        properties,
        ("monitoringSettings", "redundancySettings", "securitySettings", "restoreSettings", "publicNetworkAccess"),
        "the vault's properties",
    )
    alerts = properties.get("monitoringSettings", {}).get("azureMonitorAlertSettings", {})
    wish = alerts.get("alertsForAllJobFailures")
    if wish not in (None, "Enabled", "Disabled"):
        raise ArmError(400, "InvalidRequestContent", "alertsForAllJobFailures must be Enabled or Disabled.")
    redundancy = properties.get("redundancySettings", {})
    cross_region = redundancy.get("crossRegionRestore")
    kind = redundancy.get("standardTierStorageRedundancy", vault.redundancy)
    if vault.cross_region and cross_region == "Disabled" and vault.items:
        raise ArmError(
            400,
            "CloudInternalError",
            "Cross Region Restore cannot be disabled once items are protected in the vault.",
        )
    if cross_region == "Enabled" and kind != "GeoRedundant":
        raise ArmError(400, "InvalidRestApiParameter", "Cross Region Restore needs a GeoRedundant vault.")
    soft = properties.get("securitySettings", {}).get("softDeleteSettings", {})
    _soft_delete(vault, soft)
    vault.alerts = wish or vault.alerts
    vault.redundancy = kind
    vault.cross_region = cross_region == "Enabled" if cross_region else vault.cross_region
    vault.tags = dict(body.get("tags") or vault.tags)
    if str((body.get("identity") or {}).get("type", "")).startswith("SystemAssigned"):
        vault.identity = vault.identity or stable_uuid("identity", vault.id)
    operation = asynchronous.start(call, base64_id=True)
    operation.body = vault_body(call, vault)
    return asynchronous.accepted(call, operation, f"{vault.id}/operationStatus", f"{vault.id}/operationResults", wait=1)


def _soft_delete(vault: Vault, wish: Json) -> None:
    if not wish:
        return
    days = wish.get("softDeleteRetentionPeriodInDays", vault.soft_delete["days"])
    if not isinstance(days, int) or not 14 <= days <= 180:  # noqa: PLR2004 Azure's own limits
        raise ArmError(400, "InvalidRequestContent", "softDeleteRetentionPeriodInDays must be 14 to 180.")
    vault.soft_delete["state"] = wish.get("softDeleteState", vault.soft_delete["state"])
    vault.soft_delete["days"] = days


def operation_status(call: Call) -> Answer:
    """The state of a vault's change."""
    vault = vault_of(call)
    operation = asynchronous.find(call, call.parts["operation"])
    running = call.now < operation.done
    return Answer(
        200,
        {
            "id": f"{vault.id}/operationStatus/{operation.id}",
            "name": operation.id,
            "status": "InProgress" if running else "Succeeded",
        },
    )


def usages(call: Call) -> Answer:
    """How much of its limits a vault uses."""
    vault = vault_of(call)
    rows = [("ProtectedItemsCount", "Protected items", len(vault.items), 2000)]
    return Answer(
        200,
        {
            "value": [
                {
                    "unit": "Count",
                    "nextResetTime": "0001-01-01T00:00:00Z",
                    "currentValue": used,
                    "limit": limit,
                    "name": {"value": name, "localizedValue": text},
                }
                for name, text, used, limit in rows
            ]
        },
    )


def deleted_vaults(call: Call) -> Answer:  # noqa: ARG001 one shape of handler
    """Soft-deleted vaults of a region; the simulator deletes none."""
    return Answer(200, {"value": []})


def register(router: Router) -> None:
    """Registers this module's operations."""
    read = f"{RS}/read"
    provider = "/providers/Microsoft.RecoveryServices"
    router.add("GET", "/subscriptions/{subscription}" + provider + "/vaults", list_by_subscription, action=read)
    router.add("GET", GROUP + provider + "/vaults", list_by_group, action=read)
    router.add("GET", VAULT, get_vault, action=read)
    router.add("PATCH", VAULT, patch_vault, action=f"{RS}/write")
    router.add("GET", VAULT + "/operationStatus/{operation}", operation_status, action=f"{RS}/operationStatus/read")
    router.add(
        "GET",
        VAULT + "/operationResults/{operation}",
        asynchronous.results(vault_of),
        action=f"{RS}/operationStatus/read",
    )
    router.add("GET", VAULT + "/usages", usages, action=f"{RS}/usages/read")
    router.add(
        "GET",
        "/subscriptions/{subscription}" + provider + "/locations/{location}/deletedVaults",
        deleted_vaults,
        action="Microsoft.RecoveryServices/locations/deletedVaults/read",
    )
