"""Storage accounts, sizes and quotas: what restores need to be possible."""

from simulator.arm.call import Answer, Call, resource_not_found
from simulator.arm.filters import bad_filter, parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import GROUP
from simulator.world.model import Account, Json
from simulator.world.physics import FAMILIES

ACCOUNTS = "/providers/Microsoft.Storage/storageAccounts"
SIZES = {
    "Standard_D2s_v3": (2, 8),
    "Standard_D4s_v3": (4, 16),
    "Standard_D8s_v3": (8, 32),
    "Standard_E8s_v3": (8, 64),
    "Standard_E16s_v3": (16, 128),
    "Standard_M64ms": (64, 1792),
    "Standard_NC24s_v3": (24, 448),
}
REGIONS = ("westeurope", "northeurope", "uksouth", "ukwest", "eastus", "westus")
PAIRS = {
    "westeurope": "northeurope",
    "northeurope": "westeurope",
    "uksouth": "ukwest",
    "ukwest": "uksouth",
    "eastus": "westus",
    "westus": "eastus",
}
"""Each region and the one that its geo-redundant copies go to."""
FAMILY_LIMIT = 200


def account_body(account: Account) -> Json:
    """A storage account as ARM shows it."""
    acl = account.acl
    return {
        "sku": {"name": account.sku, "tier": account.sku.partition("_")[0]},
        "kind": account.kind,
        "id": account.id,
        "name": account.name,
        "type": "Microsoft.Storage/storageAccounts",
        "location": account.location,
        "tags": {},
        "properties": {
            "privateEndpointConnections": [],
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "networkAcls": {
                "bypass": acl["bypass"],
                "virtualNetworkRules": [],
                "ipRules": [],
                "defaultAction": acl["defaultAction"],
            },
            "supportsHttpsTrafficOnly": True,
            "encryption": {
                "services": {"blob": {"keyType": "Account", "enabled": True}},
                "keySource": "Microsoft.Storage",
            },
            "provisioningState": "Succeeded",
            "creationTime": "2025-03-04T09:30:00.0000000Z",
            "primaryEndpoints": {
                service: f"https://{account.name}.{service}.core.windows.net/"
                for service in ("blob", "file", "queue", "table")
            },
            "primaryLocation": account.location,
            "statusOfPrimary": "available",
        },
    }


def get_account(call: Call) -> Answer:
    """One storage account."""
    parts = call.parts
    key = (
        f"/subscriptions/{parts['subscription']}/resourcegroups/{parts['group']}"
        f"/providers/microsoft.storage/storageaccounts/{parts['account']}"
    ).casefold()
    found = call.world.accounts.get(key)
    if found is None:
        raise resource_not_found("Microsoft.Storage/storageAccounts", parts["account"], parts["group"])
    return Answer(200, account_body(found))


def list_accounts(call: Call) -> Answer:
    """The storage accounts of a subscription or resource group."""
    prefix = f"/subscriptions/{call.parts['subscription']}/"
    if "group" in call.parts:
        prefix += f"resourcegroups/{call.parts['group']}/"
    found = [a for key, a in call.world.accounts.items() if key.startswith(prefix.casefold())]
    return paged(call, [account_body(account) for account in found])


def list_skus(call: Call) -> Answer:
    """The sizes on offer; only the location can be filtered, as in Azure."""
    wanted, _ = parse_filter(call.query.get("$filter"), ("location",))
    regions = [wanted["location"].casefold().replace(" ", "")] if "location" in wanted else list(REGIONS)
    rows = [_sku(call, size, region) for region in regions if region in REGIONS for size in SIZES] + [
        {
            "resourceType": "disks",
            "name": "Premium_LRS",
            "tier": "Premium",
            "size": "P10",
            "locations": [region],
            "locationInfo": [{"location": region, "zones": ["1", "2", "3"]}],
            "capabilities": [],
            "restrictions": [],
        }
        for region in regions
        if region in REGIONS
    ]
    return paged(call, rows)


def _sku(call: Call, size: str, region: str) -> Json:
    cores, memory = SIZES[size]
    restrictions: list[Json] = []
    if size in call.world.restricted_sizes.get(region, ()):
        restrictions.append(
            {
                "type": "Location",
                "values": [region],
                "restrictionInfo": {"locations": [region]},
                "reasonCode": "NotAvailableForSubscription",
            }
        )
    return {
        "resourceType": "virtualMachines",
        "name": size,
        "tier": "Standard",
        "size": size.partition("_")[2],
        "family": FAMILIES[size],
        "locations": [region],
        "locationInfo": [{"location": region, "zones": ["1", "2", "3"]}],
        "capabilities": [
            {"name": "vCPUs", "value": str(cores)},
            {"name": "MemoryGB", "value": str(memory)},
        ],
        "restrictions": restrictions,
    }


def list_usages(call: Call) -> Answer:
    """The quotas of a region and how much of them is used."""
    region = call.parts["location"].casefold()
    if region not in REGIONS:
        raise bad_filter(f"'{call.parts['location']}' is not a location")
    full = call.world.full_quotas.get(region, set())
    rows = [("cores", "Total Regional vCPUs", 1200 if full else 400, 2000)]
    rows += [
        (family, family, FAMILY_LIMIT if family in full else 40, FAMILY_LIMIT)
        for family in sorted(set(FAMILIES.values()))
    ]
    return Answer(
        200,
        {
            "value": [
                {
                    "unit": "Count",
                    "currentValue": used,
                    "limit": limit,
                    "name": {"value": name, "localizedValue": text},
                }
                for name, text, used, limit in rows
            ]
        },
    )


def list_collections(call: Call) -> Answer:
    """Restore point collections of a group: how many snapshots of each VM are kept."""
    group = f"/subscriptions/{call.parts['subscription']}/resourceGroups/{call.parts['group']}"
    rows = []
    for item in call.world.items:
        count = call.world.snapshot_points.get(item.id.casefold(), 0)
        if not count or call.parts["group"].casefold() != f"azurebackuprg_{item.vault.location}_1":
            continue
        name = f"AzureBackup_{item.name}_{item.number}"
        base = f"{group}/providers/Microsoft.Compute/restorePointCollections/{name}"
        rows.append(
            {
                "id": base,
                "name": name,
                "type": "Microsoft.Compute/restorePointCollections",
                "location": item.vault.location,
                "properties": {"source": {"id": item.source_id}, "provisioningState": "Succeeded"},
            }
        )
    return paged(call, rows)


def _disk(disk: Json) -> Json:
    return {
        "id": disk["id"],
        "name": disk["name"],
        "type": "Microsoft.Compute/disks",
        "location": disk["location"],
        "tags": {"RSVaultBackup": "restored"},
        "sku": {"name": "Premium_LRS", "tier": "Premium"},
        "properties": {
            "creationData": {"createOption": "Restore", "sourceResourceId": disk["source"]},
            "diskSizeGB": 127,
            "timeCreated": disk["created"].isoformat(),
            "provisioningState": "Succeeded",
            "diskState": "Unattached",
        },
    }


def list_disks(call: Call) -> Answer:
    """The disks that restores have made."""
    prefix = f"/subscriptions/{call.parts['subscription']}/"
    if "group" in call.parts:
        prefix += f"resourcegroups/{call.parts['group']}/"
    found = [d for key, d in call.world.disks.items() if key.startswith(prefix.casefold())]
    return paged(call, [_disk(disk) for disk in found])


def get_disk(call: Call) -> Answer:
    """One restored disk."""
    found = call.world.disks.get(call.path.casefold())
    if found is None:
        raise resource_not_found("Microsoft.Compute/disks", call.parts["disk"], call.parts["group"])
    return Answer(200, _disk(found))


def register(router: Router) -> None:
    """Registers this module's operations."""
    read = "Microsoft.Storage/storageAccounts/read"
    sub = "/subscriptions/{subscription}"
    router.add("GET", GROUP + ACCOUNTS + "/{account}", get_account, action=read)
    router.add("GET", GROUP + ACCOUNTS, list_accounts, action=read)
    router.add("GET", sub + ACCOUNTS, list_accounts, action=read)
    compute = "/providers/Microsoft.Compute"
    router.add("GET", sub + compute + "/skus", list_skus, action="Microsoft.Compute/skus/read")
    router.add(
        "GET",
        sub + compute + "/locations/{location}/usages",
        list_usages,
        action="Microsoft.Compute/locations/usages/read",
    )
    router.add(
        "GET",
        GROUP + compute + "/restorePointCollections",
        list_collections,
        action="Microsoft.Compute/restorePointCollections/read",
    )
    disks = "Microsoft.Compute/disks/read"
    router.add("GET", GROUP + compute + "/disks/{disk}", get_disk, action=disks)
    router.add("GET", GROUP + compute + "/disks", list_disks, action=disks)
    router.add("GET", sub + compute + "/disks", list_disks, action=disks)
