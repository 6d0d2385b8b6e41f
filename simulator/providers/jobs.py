"""Backup jobs: list with the documented filters, get, cancel."""

from datetime import datetime, timedelta

from simulator.arm import asynchronous
from simulator.arm.call import Answer, ArmError, Call
from simulator.arm.filters import bad_filter, filter_time, one_of, parse_filter
from simulator.arm.paging import paged
from simulator.arm.routing import Router
from simulator.providers.common import RS, VAULT, capital, vault_of
from simulator.world import engine, history
from simulator.world.model import ITEM_TYPES, Item, Job, Json, Vault, Workload, span, stable_uuid, zulu

FILTERS = ("status", "backupManagementType", "operation", "jobId", "startTime", "endTime")
STATUSES = ("InProgress", "Completed", "Failed", "CompletedWithWarnings", "Cancelled", "Cancelling")
MANAGEMENT = ("AzureIaasVM", "MAB", "DPM", "AzureBackupServer", "AzureStorage", "AzureWorkload", "AzureSql")
OPERATIONS = (
    "Register",
    "UnRegister",
    "ConfigureBackup",
    "Backup",
    "Restore",
    "DisableBackup",
    "DeleteBackupData",
    "CrossRegionRestore",
    "Undelete",
    "UpdateCustomerManagedKey",
)
GOOD_STATUSES = (None, "Completed", "InProgress")
"""What computed jobs can be: a filter for anything else need not make them."""
WINDOW = timedelta(days=30)
JOB_TYPES = {
    Workload.VM: "AzureIaaSVMJob",
    Workload.SQL: "AzureWorkloadJob",
    Workload.HANA: "AzureWorkloadJob",
    Workload.FILES: "AzureStorageJob",
    Workload.MARS: "MabJob",
    Workload.MABS: "DpmJob",
}


def job_body(job: Job, now: datetime, *, full: bool) -> Json:
    """A job as ARM shows it; only the single get has the sub-tasks."""
    item = job.item
    identifier = f"{item.vault.id}/backupJobs/{job.id}"
    if job.region:
        identifier = (
            f"/subscriptions/{item.vault.subscription}/providers/Microsoft.RecoveryServices"
            f"/locations/{job.region}/backupJobs/{job.id}"
        )
    operation = f"{job.operation} ({job.kind})" if job.kind and job.operation == "Backup" else job.operation
    properties: Json = {
        "jobType": JOB_TYPES[item.workload],
        "duration": span((job.ended or now) - job.started),
        "entityFriendlyName": _entity(item),
        "backupManagementType": item.management_type,
        "operation": operation,
        "status": "CompletedWithWarnings" if job.warning and job.status == "Completed" else job.status,
        "startTime": zulu(job.started),
        "activityId": stable_uuid("activity", job.id),
    }
    if job.ended is not None:
        properties["endTime"] = zulu(job.ended)
    _by_workload(properties, job, item)
    if job.error is not None and job.status == "Failed":
        properties["errorDetails"] = [_error(job, item)]
    if full:
        properties["extendedInfo"] = _extended(job, item, now)
    return {
        "id": capital(identifier),
        "name": job.id,
        "type": "Microsoft.RecoveryServices/vaults/backupJobs",
        "properties": properties,
    }


def _entity(item: Item) -> str:
    if item.workload in (Workload.SQL, Workload.HANA):
        return f"{item.name} [{item.more.get('server', '')}]"
    return item.name


def _by_workload(properties: Json, job: Job, item: Item) -> None:
    if item.workload is Workload.VM:
        # Azure keeps "Cancellable" on jobs that have ended, so programs must look at the status.
        properties["actionsInfo"] = ["Cancellable"]
        properties["virtualMachineVersion"] = "Compute"
        if not job.region:
            # The older API of cross-region restore knows neither field.
            properties["containerName"] = item.container.partition(";")[2]
            properties["isUserTriggered"] = job.user
    elif item.workload in (Workload.SQL, Workload.HANA):
        properties["actionsInfo"] = ["Cancellable"]
        properties["workloadType"] = ITEM_TYPES[item.workload]
    elif item.workload is Workload.FILES:
        properties["storageAccountName"] = item.source_id.rpartition("/")[2]
        properties["storageAccountVersion"] = "MicrosoftStorage"
        properties["isUserTriggered"] = job.user
    elif item.workload is Workload.MARS:
        properties["mabServerName"] = item.more["server"]
        properties["mabServerType"] = "Windows"
        properties["workloadType"] = "FileFolder"
    else:
        properties["dpmServerName"] = item.more["engine"]
        properties["containerName"] = item.more["engine"]
        properties["containerType"] = "AzureBackupServerContainer"
        properties["workloadType"] = "VM"


def _error(job: Job, item: Item) -> Json:
    error = job.error
    if error is None:
        raise LookupError("this job has no error")
    body: Json = {"errorString": error.text, "recommendations": list(error.advice)}
    if item.workload in (Workload.VM, Workload.SQL, Workload.HANA):
        body |= {"errorCode": error.number, "errorTitle": error.title}
    elif item.workload is Workload.FILES:
        body["errorCode"] = error.number
    return body


def _extended(job: Job, item: Item, now: datetime) -> Json:
    tasks = [_task(job, item, index, now) for index in range(len(job.steps))]
    bag = {**_bag(job, item), **job.bag}
    body: Json = {"tasksList": tasks, "propertyBag": bag}
    if item.workload is Workload.VM:
        body["internalPropertyBag"] = {"IsInstantRpJob": "True"}
        if job.status in ("InProgress", "Cancelling"):
            body["progressPercentage"] = _progress(job, now)
        body["dynamicErrorMessage"] = ""
    return body


def _progress(job: Job, now: datetime) -> float:
    total = sum(step.seconds for step in job.steps)
    done = sum(step.seconds for step in job.steps[: job.passed])
    if job.stuck_at is not None and job.passed >= job.stuck_at:
        return 1.0
    done = max(done, min((now - job.started).total_seconds(), total))
    return float(max(1, min(99, int(100 * done / total)))) if total else 1.0


def _task(job: Job, item: Item, index: int, now: datetime) -> Json:
    step = job.steps[index]
    if index < job.passed:
        status = "Completed"
    elif index > job.passed:
        status = "NotStarted"
    else:
        status = job.status if job.status in ("Failed", "Cancelled") else "InProgress"
    body: Json = {"taskId": step.task, "status": status}
    if item.workload is not Workload.VM:
        return body
    begun = job.started if index == 0 else job.step_end(index - 1)
    body["duration"] = "PT0S"
    if status == "Completed":
        body["startTime"], body["endTime"] = zulu(begun), zulu(job.step_end(index))
        body["duration"] = span(job.step_end(index) - begun)
    elif status in ("InProgress", "Failed"):
        body["startTime"] = zulu(begun)
        body["duration"] = span((job.ended or now) - begun)
    return body


def _bag(job: Job, item: Item) -> dict[str, str]:
    if job.operation == "Undelete":
        return {"VM Name": item.name, "Undelete flag": "True"}
    if job.operation != "Backup":
        return {}
    size = "0 MB" if job.error or not job.passed else "2048 MB"
    if item.workload is Workload.VM:
        return {"VM Name": item.name, "Policy Name": item.policy, "Backup Size": size}
    if item.workload is Workload.FILES:
        return {"File Share Name": item.name, "Data Transferred (in MB)": "0"}
    return {"Data Transferred (in MB)": size.removesuffix(" MB")}


def _rows(call: Call, vault: Vault) -> list[Json]:
    wanted, _ = parse_filter(call.query.get("$filter"), FILTERS)
    status = one_of(wanted, "status", STATUSES)
    management = one_of(wanted, "backupManagementType", MANAGEMENT)
    operation = one_of(wanted, "operation", OPERATIONS)
    after, until = _window(call, wanted)
    found: list[Job] = []
    for item in vault.items.values():
        if management and item.management_type != management:
            continue
        good, running = status in GOOD_STATUSES, status == "InProgress"
        for job in history.jobs(call.world, item, after, until, call.now, good=good, running=running):
            if job.region or (operation and job.operation != operation):
                continue
            if "jobId" in wanted and job.id != wanted["jobId"].casefold():
                continue
            shown = "CompletedWithWarnings" if job.warning and job.status == "Completed" else job.status
            if status is None or shown == status:
                found.append(job)
    found.sort(key=lambda job: job.started, reverse=True)
    return [job_body(job, call.now, full=False) for job in found]


def _window(call: Call, wanted: dict[str, str]) -> tuple[datetime, datetime]:
    after = filter_time(wanted["startTime"]) if "startTime" in wanted else call.now - WINDOW
    until = filter_time(wanted["endTime"]) if "endTime" in wanted else call.now
    if "startTime" in wanted and "endTime" not in wanted:
        until = min(after + WINDOW, call.now)
    if until < after:
        raise bad_filter("endTime is before startTime")
    if "startTime" in wanted and until - after > WINDOW + timedelta(days=1):
        raise bad_filter("startTime and endTime may lie at most 30 days apart")
    return after, until


def list_jobs(call: Call) -> Answer:
    """The jobs of a vault, newest first."""
    return paged(call, _rows(call, vault_of(call)))


def _job(call: Call) -> Job:
    vault = vault_of(call)
    job = history.find_job(call.world, vault.items, call.parts["job"], call.now)
    if job is None or job.region:
        raise ArmError(
            404,
            "BMSUserErrorJobNotFound",
            f"The job '{call.parts['job']}' was not found in the vault '{vault.name}'.",
        )
    return job


def get_job(call: Call) -> Answer:
    """One job with its sub-tasks."""
    return Answer(200, job_body(_job(call), call.now, full=True))


def cancel_job(call: Call) -> Answer:
    """Asks a job to stop; only backups and restores that are in progress can be cancelled."""
    job = _job(call)
    if job.operation not in ("Backup", "Restore") or job.item.workload in (Workload.MARS, Workload.MABS):
        raise ArmError(400, "BMSUserErrorJobCancelNotSupported", "Cancel is not supported for this job type.")
    if job.status != "InProgress":
        raise ArmError(
            400, "BMSUserErrorJobNotInProgress", "The job cannot be cancelled because it is not in progress."
        )
    engine.adopt(call.world, job)
    engine.cancel(call.world, job, call.now)
    operation = asynchronous.start(call)
    base = f"{job.item.vault.id}/backupJobs/{job.id}"
    return asynchronous.accepted(
        call,
        operation,
        f"{base}/operationsStatus",
        f"{base}/operationResults",
        version="2019-05-13-preview",
    )


def register(router: Router) -> None:
    """Registers this module's operations."""
    one = VAULT + "/backupJobs/{job}"
    read = f"{RS}/backupJobs/read"
    router.add("GET", VAULT + "/backupJobs", list_jobs, action=read)
    router.add("GET", one, get_job, action=read)
    router.add("POST", one + "/cancel", cancel_job, action=f"{RS}/backupJobs/cancel/action")
    router.add(
        "GET",
        one + "/operationsStatus/{operation}",
        asynchronous.statuses(_job),
        action=f"{RS}/backupJobs/operationsStatus/read",
    )
    router.add(
        "GET",
        one + "/operationResults/{operation}",
        asynchronous.results(_job),
        action=f"{RS}/backupJobs/operationResults/read",
    )
