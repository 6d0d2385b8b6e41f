"""Protection containers (VMs, database hosts, storage accounts, MARS servers) and backup engines (MABS)."""

from datetime import timedelta

from simulator.arm import asynchronous
from simulator.arm.call import Answer, ArmError, Call
from simulator.arm.filters import bad_filter, one_of, parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import CONTAINER, FABRIC, RS, VAULT, vault_of
from simulator.providers.itemview import last_seen
from simulator.providers.jobs import MANAGEMENT
from simulator.world import agents, history
from simulator.world.model import Item, Json, Vault, Workload, zulu
from simulator.world.physics import OLDEST_MARS

FILTERS = ("backupManagementType", "containerType", "backupEngineName", "fabricName", "status", "friendlyName")


def _groups(vault: Vault) -> dict[str, list[Item]]:
    """The items of a vault by container."""
    found: dict[str, list[Item]] = {}
    for item in vault.items.values():
        if not item.more.get("purged"):
            found.setdefault(item.container, []).append(item)
    return found


def _management(item: Item) -> str:
    return "MAB" if item.workload is Workload.MARS else item.management_type


def container_body(call: Call, vault: Vault, items: list[Item], *, full: bool = False) -> Json:
    """A container as ARM shows it; the single get of a MARS server has more."""
    first = items[0]
    properties: Json = {
        "backupManagementType": _management(first),
        "registrationStatus": "Registered",
        "healthStatus": "Healthy",
    }
    if first.workload is Workload.VM:
        properties |= _vm(first)
    elif first.workload in (Workload.SQL, Workload.HANA):
        properties |= {
            "containerType": "VMAppContainer",
            "protectableObjectType": "VMAppContainer",
            "friendlyName": first.more["server"],
            "sourceResourceId": first.source_id,
            "lastUpdatedTime": zulu(call.now - timedelta(hours=3)),
            "workloadType": "SQLDataBase" if first.workload is Workload.SQL else "SAPHanaDatabase",
            "extendedInfo": {"hostServerName": first.more["server"], "nodesList": []},
        }
    elif first.workload is Workload.FILES:
        properties |= {
            "containerType": "StorageContainer",
            "protectableObjectType": "StorageContainer",
            "friendlyName": first.source_id.rpartition("/")[2],
            "sourceResourceId": first.source_id,
            "storageAccountVersion": "Storage",
            "protectedItemCount": len(items),
            "acquireStorageAccountLock": "Acquire",
        }
    elif first.workload is Workload.MARS:
        properties |= _mars(call, items, full=full)
    else:
        properties |= {
            "containerType": "AzureBackupServerContainer",
            "friendlyName": first.more["engine"],
            "protectedItemCount": len(items),
            "canReRegister": True,
            "dpmAgentVersion": _engine(vault, first)["agent"],
            "dpmServers": [first.more["engine"]],
            "upgradeAvailable": _engine(vault, first)["outdated"],
        }
    kind = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers"
    identifier = f"{vault.id}/backupFabrics/{first.fabric}/protectionContainers/{first.container}"
    return {"id": identifier, "name": first.container, "type": kind, "properties": properties}


def _vm(first: Item) -> Json:
    return {
        "containerType": "Microsoft.Compute/virtualMachines",
        "protectableObjectType": "Microsoft.Compute/virtualMachines",
        "friendlyName": first.name,
        "virtualMachineId": first.source_id,
        "virtualMachineVersion": "Compute",
        "resourceGroup": first.container.split(";")[2],
    }


def _mars(call: Call, items: list[Item], *, full: bool) -> Json:
    first = items[0]
    version = agents.reported(first, call.now)
    old = bool(version) and agents.version_tuple(version) < OLDEST_MARS
    gone = call.now - last_seen(first, call.now) > timedelta(days=2)
    body: Json = {
        "containerType": "Windows",
        "protectableObjectType": "MABContainer",
        "friendlyName": first.more["server"],
        "containerId": first.number,
        "protectedItemCount": len(items),
        "canReRegister": True,
        "containerHealthState": "ActionRequired" if old or gone else "Healthy",
    }
    if version:
        body["agentVersion"] = version
    if full:
        job = history.newest_backup(call.world, first, call.now)
        body["extendedInfo"] = {
            "lastRefreshedAt": zulu(last_seen(first, call.now)),
            "backupItemType": "FileFolder",
            "backupItems": [item.name for item in items],
            "policyName": first.policy,
            "lastBackupStatus": job.status if job else "",
        }
        if old:
            body["mabContainerHealthDetails"] = [
                {
                    "code": 130001,
                    "title": "MabAgentOutdated",
                    "message": "The Azure Backup agent on this server is no longer supported.",
                    "recommendations": ["Install the latest agent from https://aka.ms/azurebackup_agent"],
                }
            ]
    return body


def _engine(vault: Vault, item: Item) -> Json:
    return next(one for one in vault.engines if one["name"] == item.more["engine"])


def list_containers(call: Call) -> Answer:
    """The containers of a vault; Azure insists on a backupManagementType."""
    vault = vault_of(call)
    wanted, _ = parse_filter(call.query.get("$filter"), FILTERS)
    management = one_of(wanted, "backupManagementType", MANAGEMENT)
    if management is None:
        raise bad_filter("backupManagementType is required")
    rows = []
    for items in _groups(vault).values():
        if _management(items[0]) != management:
            continue
        body = container_body(call, vault, items)
        properties = body["properties"]
        fits = all(
            wanted[field].casefold() == str(properties[name]).casefold()
            for field, name in (
                ("friendlyName", "friendlyName"),
                ("status", "registrationStatus"),
                ("containerType", "containerType"),
            )
            if field in wanted
        )
        if fits:
            rows.append(body)
    return paged(call, rows)


def get_container(call: Call) -> Answer:
    """One container."""
    vault = vault_of(call)
    wanted = call.parts["container"].casefold()
    for name, items in _groups(vault).items():
        if name.casefold() == wanted:
            return Answer(200, container_body(call, vault, items, full=True))
    raise ArmError(404, "BMSUserErrorContainerNotFound", f"The container '{call.parts['container']}' was not found.")


def refresh(call: Call) -> Answer:
    """Looks for machines that could be protected; ends in 204."""
    vault = vault_of(call)
    operation = asynchronous.start(call)
    base = f"{vault.id}/backupFabrics/{call.parts['fabric']}"
    return asynchronous.accepted(
        call,
        operation,
        f"{base}/operationsStatus",
        f"{base}/operationResults",
        version="2019-05-13-preview",
    )


def list_engines(call: Call) -> Answer:
    """The backup servers of a vault."""
    vault = vault_of(call)
    wanted, _ = parse_filter(
        call.query.get("$filter"), ("backupManagementType", "friendlyName", "expand", "fabricName")
    )
    management = one_of(wanted, "backupManagementType", MANAGEMENT) or "AzureBackupServer"
    rows = [_engine_body(call, vault, one) for one in vault.engines if management == "AzureBackupServer"]
    name = wanted.get("friendlyName", "").casefold()
    return paged(call, [row for row in rows if not name or row["properties"]["friendlyName"].casefold() == name])


def _engine_body(call: Call, vault: Vault, engine: Json) -> Json:
    count = sum(1 for item in vault.items.values() if item.more.get("engine") == engine["name"])
    return {
        "id": f"{vault.id}/backupEngines/{engine['name']}",
        "name": engine["name"],
        "type": "Microsoft.RecoveryServices/vaults/backupEngines",
        "properties": {
            "backupEngineType": "AzureBackupServerEngine",
            "friendlyName": engine["name"],
            "backupManagementType": "AzureBackupServer",
            "registrationStatus": "Registered",
            "backupEngineState": "Active",
            "healthStatus": "Healthy",
            "canReRegister": True,
            "backupEngineId": engine["name"],
            "dpmVersion": engine["dpm"],
            "azureBackupAgentVersion": engine["agent"],
            "isAzureBackupAgentUpgradeAvailable": engine["outdated"],
            "isDpmUpgradeAvailable": engine["outdated"],
            "extendedInfo": {
                "protectedItemsCount": count,
                "protectedServersCount": 1,
                "refreshedAt": zulu(call.now - timedelta(minutes=40)),
            },
        },
    }


def protectable(call: Call) -> Answer:
    """What could be protected: every machine and share of the estate already is."""
    vault_of(call)
    parse_filter(
        call.query.get("$filter"),
        (
            "backupManagementType",
            "workloadType",
            "status",
            "friendlyName",
            "itemType",
            "containerName",
            "containerLocation",
        ),
    )
    return Answer(200, {"value": []})


def register(router: Router) -> None:
    """Registers this module's operations."""
    read = f"{RS}/backupFabrics/protectionContainers/read"
    router.add(
        "GET",
        VAULT + "/backupProtectionContainers",
        list_containers,
        action=f"{RS}/backupProtectionContainers/read",
    )
    router.add("GET", CONTAINER, get_container, action=read)
    router.add("POST", FABRIC + "/refreshContainers", refresh, action=f"{RS}/backupFabrics/refreshContainers/action")
    router.add(
        "GET",
        FABRIC + "/operationResults/{operation}",
        asynchronous.results(vault_of),
        action=f"{RS}/backupFabrics/operationResults/read",
    )
    router.add("GET", VAULT + "/backupEngines", list_engines, action=f"{RS}/backupEngines/read")
    router.add("GET", VAULT + "/backupProtectableItems", protectable, action=f"{RS}/backupProtectableItems/read")
