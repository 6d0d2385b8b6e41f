"""Protected items as ARM shows them, each workload with its own fields."""

from datetime import datetime, timedelta

from simulator.world import history
from simulator.world.model import (
    DATABASES,
    ITEM_TYPES,
    Item,
    Job,
    Json,
    Point,
    Workload,
    World,
    stable_uuid,
    zulu,
)

NEVER = "2001-01-01T00:00:00Z"
HEALTH_STATES = ("Passed", "ActionRequired", "ActionSuggested", "Invalid")
GREEN = {
    "code": 400239,
    "title": "IaasVmHealthGreenDefault",
    "message": "Backup pre-check status of this virtual machine is OK.",
    "recommendations": [],
}
ITEM_KINDS = {
    Workload.VM: "Microsoft.Compute/virtualMachines",
    Workload.SQL: "AzureVmWorkloadSQLDatabase",
    Workload.HANA: "AzureVmWorkloadSAPHanaDatabase",
    Workload.FILES: "AzureFileShareProtectedItem",
    Workload.MARS: "MabFileFolderProtectedItem",
    Workload.MABS: "DPMProtectedItem",
}


def item_body(world: World, item: Item, now: datetime, *, full: bool = False) -> Json:
    """An item as ARM shows it; only the single get has its extended information."""
    newest = history.newest_point(world, item, now)
    job = history.newest_backup(world, item, now)
    properties: Json = {
        "protectedItemType": ITEM_KINDS[item.workload],
        "backupManagementType": item.management_type,
        "workloadType": ITEM_TYPES[item.workload],
        "containerName": item.container.partition(";")[2] if item.workload is Workload.VM else item.container,
        "friendlyName": item.name,
        "policyId": f"{item.vault.id}/backupPolicies/{item.policy}" if item.policy else "",
        "policyName": item.policy,
        "vaultId": f"https://management.azure.com{item.vault.id}",
        "isArchiveEnabled": False,
    }
    if item.source_id:
        properties["sourceResourceId"] = item.source_id
    if newest is not None:
        properties["lastRecoveryPoint"] = zulu(_last_good(world, item, newest, now))
    _state(properties, item, now)
    SHAPES[item.workload](properties, item, job)
    if item.deleted_at is not None:
        properties["lastBackupTime"] = NEVER
    if full:
        properties["extendedInfo"] = _extended(world, item, newest, now)
    return {
        "id": item.id,
        "name": item.item_name,
        "type": "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
        "properties": properties,
    }


def _last_good(world: World, item: Item, newest: Point, now: datetime) -> datetime:
    logs = history.log_range(world, item, now)
    return max(newest.time, logs[1]) if logs else newest.time


def _state(properties: Json, item: Item, now: datetime) -> None:
    properties["protectionState"] = item.state
    if item.deleted_at is None:
        return
    purge = item.deleted_at + timedelta(days=item.vault.soft_delete["days"])
    left = max(purge - now, timedelta())
    hours, rest = divmod(left.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    properties["protectionState"] = "ProtectionStopped"
    properties["isScheduledForDeferredDelete"] = True
    properties["deferredDeleteTimeInUTC"] = zulu(item.deleted_at)
    properties["deferredDeleteTimeRemaining"] = (
        f"{left.days}.{hours:02}:{minutes:02}:{seconds:02}.{left.microseconds:06}0"
    )
    properties["isDeferredDeleteScheduleUpcoming"] = left < timedelta(days=2)


def _times(properties: Json, job: Job | None) -> str:
    """Fills in the last backup; Azure moves its time on failed runs too, so the status must be read with it."""
    if job is None:
        properties["lastBackupTime"] = NEVER
        return ""
    properties["lastBackupTime"] = zulu(job.started)
    return "Completed" if job.status == "Completed" else job.status


def _vm(properties: Json, item: Item, job: Job | None) -> None:
    status = _times(properties, job)
    properties["lastBackupStatus"] = status
    properties["virtualMachineId"] = item.source_id
    properties["protectionStatus"] = "Unhealthy" if status == "Failed" else "Healthy"
    properties["protectedItemDataId"] = str(int(stable_uuid("data", item.id).replace("-", "")[:12], 16))
    error = job.error if job is not None and status == "Failed" else None
    health = "ActionRequired" if error else item.more.get("health", "Passed")
    properties["healthStatus"] = "Passed" if job is not None and status == "Completed" else health
    if error is None:
        properties["healthDetails"] = [dict(GREEN)]
    else:
        properties["healthDetails"] = [
            {
                "code": error.number,
                "title": error.title,
                "message": error.text,
                "recommendations": list(error.advice),
            }
        ]


def _database(properties: Json, item: Item, job: Job | None) -> None:
    status = _times(properties, job)
    failed = status == "Failed" or bool(item.more.get("chain"))
    kind = "AzureVmWorkloadSQLInstance" if item.workload is Workload.SQL else "AzureVmWorkloadSAPHanaSystem"
    properties["serverName"] = item.more["server"]
    properties["parentName"] = item.more["instance"]
    properties["parentType"] = kind
    properties["protectionStatus"] = "Unhealthy" if failed else "Healthy"
    word = "IRPending" if job is None else "Unhealthy" if failed else "Healthy"
    properties["lastBackupStatus"] = word
    properties["protectedItemHealthStatus"] = word
    properties["protectedItemDataSourceId"] = str(int(stable_uuid("data", item.id).replace("-", "")[:12], 16))
    newest_failure = next((j for j in reversed(item.jobs) if j.error is not None and j.operation == "Backup"), None)
    if failed and newest_failure is not None and newest_failure.error is not None:
        error = newest_failure.error
        properties["lastBackupErrorDetail"] = {
            "code": error.title,
            "message": error.text,
            "recommendations": list(error.advice),
        }
        properties["lastBackupTime"] = zulu(newest_failure.started)
    else:
        properties["lastBackupErrorDetail"] = {"code": "Success", "message": ""}


def _files(properties: Json, item: Item, job: Job | None) -> None:  # noqa: ARG001 one shape of view
    status = _times(properties, job)
    properties["lastBackupStatus"] = status or "IRPending"
    properties["protectionStatus"] = "Unhealthy" if status == "Failed" else "Healthy"


def _mars(properties: Json, item: Item, job: Job | None) -> None:
    status = _times(properties, job)
    properties["lastBackupStatus"] = status
    properties["computerName"] = item.more["server"]


def _mabs(properties: Json, item: Item, job: Job | None) -> None:  # noqa: ARG001 the server says more than the job
    properties["backupEngineName"] = item.more["engine"]


SHAPES = {
    Workload.VM: _vm,
    Workload.SQL: _database,
    Workload.HANA: _database,
    Workload.FILES: _files,
    Workload.MARS: _mars,
    Workload.MABS: _mabs,
}


def _extended(world: World, item: Item, newest: Point | None, now: datetime) -> Json:
    count, oldest = history.point_span(world, item, now)
    body: Json = {"recoveryPointCount": count}
    if oldest is not None:
        body["oldestRecoveryPoint"] = zulu(oldest)
    if item.workload is Workload.VM:
        body["policyInconsistent"] = bool(item.more.get("inconsistent"))
        if oldest is not None:
            body["oldestRecoveryPointInVault"] = zulu(oldest)
    elif item.workload in DATABASES:
        body["policyState"] = "Consistent"
        body["recoveryModel"] = "Full"
    elif item.workload is Workload.FILES:
        deleted = world.accounts[item.source_id.casefold()].shares.get(item.name, False)
        body["policyState"] = "Consistent"
        body["resourceState"] = "SoftDeleted" if deleted else "Active"
        body["resourceStateSyncTime"] = zulu(now - timedelta(minutes=20))
    elif item.workload is Workload.MARS:
        body["lastRefreshedAt"] = zulu(last_seen(item, now))
    elif newest is not None:
        job = history.newest_backup(world, item, now)
        body["lastBackupStatus"] = job.status if job else ""
        body["lastRefreshedAt"] = zulu(now - timedelta(minutes=40))
        body["protected"] = True
        body["isPresentOnCloud"] = True
        body["protectionGroupName"] = "Servers"
        body["onPremiseLatestRecoveryPoint"] = zulu(newest.time)
        body["onPremiseRecoveryPointCount"] = count
    return body


def last_seen(item: Item, now: datetime) -> datetime:
    """When the server of a MARS item was last in touch with the service."""
    told = item.more.get("last_seen")
    return told if isinstance(told, datetime) else now - timedelta(minutes=50)
