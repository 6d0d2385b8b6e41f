"""Recovery points: list with the documented filters, and get."""

from datetime import datetime, timedelta

from simulator import timings
from simulator.arm.call import Answer, ArmError, Call
from simulator.arm.filters import bad_filter, filter_time, one_of, parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import ITEM, ITEM_ACTION, item_of
from simulator.world import history
from simulator.world.machines import machine_of
from simulator.world.model import DATABASES, Item, Json, Point, Workload, World, zulu

FILTERS = (
    "startDate",
    "endDate",
    "restorePointQueryType",
    "extendedInfo",
    "moveReadyRPOnly",
    "includeSoftDeletedRP",
)
QUERY_TYPES = (
    "Full",
    "Log",
    "Differential",
    "FullAndDifferential",
    "All",
    "Incremental",
    "SnapshotFull",
    "SnapshotCopyOnlyFull",
)
INSTANT_KEPT = timedelta(days=2)
KINDS = {
    Workload.FILES: "AzureFileShareRecoveryPoint",
    Workload.MARS: "GenericRecoveryPoint",
    Workload.MABS: "GenericRecoveryPoint",
}


def point_body(world: World, item: Item, point: Point, now: datetime, *, full: bool = False) -> Json:
    """A recovery point as ARM shows it."""
    if item.workload is Workload.VM:
        properties = _vm(world, item, point, now, full=full)
    elif item.workload in DATABASES:
        name = "SQL" if item.workload is Workload.SQL else "SAPHana"
        properties = {
            "objectType": f"AzureWorkload{name}RecoveryPoint",
            "recoveryPointTimeInUTC": zulu(point.time),
            "type": point.kind if point.kind != "CopyOnlyFull" else "Full",
            "recoveryPointTierDetails": [{"type": "HardenedRP", "status": "Valid"}],
        }
    elif item.workload is Workload.FILES:
        account = item.source_id.rpartition("/")[2]
        properties = {
            "objectType": "AzureFileShareRecoveryPoint",
            "recoveryPointType": "FileSystemConsistent",
            "recoveryPointTime": zulu(point.time),
            "fileShareSnapshotUri": f"https://{account}.file.core.windows.net/{item.name}?sharesnapshot={zulu(point.time)}",
            "recoveryPointSizeInGB": 21,
        }
    else:
        properties = {
            "objectType": "GenericRecoveryPoint",
            "friendlyName": item.name,
            "recoveryPointType": "FileSystemConsistent",
            "recoveryPointTime": zulu(point.time),
        }
    _soft(properties, item, point)
    return _resource(item, point.id, properties)


def _resource(item: Item, name: str, properties: Json) -> Json:
    kind = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints"
    return {"id": f"{item.id}/recoveryPoints/{name}", "name": name, "type": kind, "properties": properties}


def _soft(properties: Json, item: Item, point: Point) -> None:
    policy = history.policy_of(item)
    kept = timedelta(days=policy.retention_days if policy else 30)
    properties["recoveryPointProperties"] = {
        "expiryTime": zulu(point.expires or point.time + kept),
        "isSoftDeleted": point.soft_deleted,
        "ruleName": "Daily",
    }


def tiers(point: Point, now: datetime) -> list[Json]:
    """Where a VM's point is kept: the snapshot for two days, the vault once the transfer has ended."""
    found: list[Json] = []
    if now - point.time <= INSTANT_KEPT:
        found.append({"type": "InstantRP", "status": "Valid"})
    if point.vaulted is not None and point.vaulted <= now:
        found.append({"type": "HardenedRP", "status": "Valid"})
    return found


def _vm(world: World, item: Item, point: Point, now: datetime, *, full: bool) -> Json:
    machine = machine_of(world, item)
    encryption = machine.encryption if machine else None
    body: Json = {
        "objectType": "IaasVMRecoveryPoint",
        "recoveryPointType": point.kind,
        "recoveryPointTime": zulu(point.time),
        "recoveryPointAdditionalInfo": "",
        "sourceVMStorageType": "PremiumVMOnPartialPremiumStorage",
        "isSourceVMEncrypted": encryption is not None,
        "isInstantIlrSessionActive": False,
        "recoveryPointTierDetails": tiers(point, now),
        "isManagedVirtualMachine": True,
        "virtualMachineSize": machine.size if machine else "Standard_D4s_v3",
        "originalStorageAccountOption": False,
        "osType": machine.os if machine else "Linux",
    }
    if encryption is not None and full:
        uri = encryption["uri"]
        body["keyAndSecret"] = {
            "bekDetails": {
                "secretUrl": f"{uri}/secrets/disk-secret/1",
                "secretVaultId": encryption["vault"],
                "secretData": "c2ltdWxhdGVkIHNlY3JldCBkYXRh",
            },
            "kekDetails": {
                "keyUrl": f"{uri}/keys/disk-key/1",
                "keyVaultId": encryption["vault"],
                "keyBackupData": "c2ltdWxhdGVkIGtleSBiYWNrdXA=",
            },
            "encryptionMechanism": "AdeEncryption",
        }
    return body


def secondary(item: Item, found: list[Point], now: datetime) -> list[Point]:
    """The points that have reached the paired region: vaulted ones, hours later."""
    if not item.vault.cross_region:
        return []
    lag = timedelta(seconds=timings.REPLICATION)
    return [p for p in found if p.vaulted is not None and p.vaulted + lag <= now and not p.soft_deleted]


def _found(call: Call, item: Item, wanted: dict[str, str]) -> list[Point]:
    after = filter_time(wanted["startDate"]) if "startDate" in wanted else None
    until = filter_time(wanted["endDate"]) if "endDate" in wanted else None
    found = history.points(call.world, item, call.now, after, until)
    if wanted.get("includeSoftDeletedRP", "false").casefold() != "true":
        found = [point for point in found if not point.soft_deleted]
    # Azure serves the secondary region's view under the same path with a slash at its end.
    return secondary(item, found, call.now) if call.passive else found


def list_points(call: Call) -> Answer:
    """The recovery points of an item, newest first; for databases also the range of log backups."""
    item = item_of(call)
    wanted, _ = parse_filter(call.query.get("$filter"), FILTERS)
    query = one_of(wanted, "restorePointQueryType", QUERY_TYPES) or "All"
    for flag in ("includeSoftDeletedRP", "moveReadyRPOnly"):
        if wanted.get(flag, "true").casefold() not in ("true", "false"):
            raise bad_filter(f"'{flag}' is true or false")
    found = _found(call, item, wanted)
    if item.workload in DATABASES:
        if query == "Log":
            return paged(call, _log_rows(call, item))
        if query in ("Full", "Differential"):
            found = [p for p in found if p.kind == query]
        rows = [point_body(call.world, item, p, call.now) for p in found]
        return paged(call, rows + (_log_rows(call, item) if query == "All" else []))
    return paged(call, [point_body(call.world, item, point, call.now) for point in found])


def _log_rows(call: Call, item: Item) -> list[Json]:
    span = history.log_range(call.world, item, call.now)
    if span is None:
        return []
    name = "SQL" if item.workload is Workload.SQL else "SAPHana"
    properties = {
        "objectType": f"AzureWorkload{name}PointInTimeRecoveryPoint",
        "type": "Log",
        "timeRanges": [{"startTime": zulu(span[0]), "endTime": zulu(span[1])}],
    }
    return [_resource(item, "DefaultRangeRecoveryPoint", properties)]


def find_point(call: Call, item: Item) -> Point:
    """The recovery point that the path names; raises a 404."""
    for point in history.points(call.world, item, call.now):
        if point.id == call.parts["point"]:
            return point
    raise ArmError(
        404, "BMSUserErrorRecoveryPointNotFound", f"The recovery point '{call.parts['point']}' was not found."
    )


def get_point(call: Call) -> Answer:
    """One recovery point; that of an encrypted VM carries key material, which programs must not keep."""
    item = item_of(call)
    return Answer(200, point_body(call.world, item, find_point(call, item), call.now, full=True))


def register(router: Router) -> None:
    """Registers this module's operations."""
    read = f"{ITEM_ACTION}/recoveryPoints/read"
    router.add("GET", ITEM + "/recoveryPoints", list_points, action=read)
    router.add("GET", ITEM + "/recoveryPoints/{point}", get_point, action=read)
