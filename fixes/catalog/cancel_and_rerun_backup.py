"""Cancel the backup that is stuck, wait for its end, and run it again."""

from datetime import datetime, timedelta

from domain.arm import ItemId
from domain.backup import Job, ProtectedItem, Workload
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.backup_type import OFFERED, choose_type, type_of
from fixes.backups import (
    BACKUP_ACTION,
    DURATIONS,
    INSTEAD,
    LOADS,
    a_backup,
    az_backup,
    backup_call,
    backup_facts,
    backup_proof,
    running_backups,
)
from fixes.planning import BACKUP_API, az, checked, common, refuse_deleted, require, unprotected, utc
from fixes.registry import FixSpec, Parameter, PlanRequest

CANCEL_ACTION = "Microsoft.RecoveryServices/Vaults/backupJobs/cancel/action"
_TRANSFER = "transfer data to vault"


class CancelAndRerunBackup:
    """Two calls: cancel, and when the job is over, back up."""

    spec = FixSpec(
        id="cancel_and_rerun_backup",
        version=1,
        title="Cancel the backup and run it again",
        risk=Risk.MEDIUM,
        workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA, Workload.FILES}),
        permissions=(CANCEL_ACTION, BACKUP_ACTION),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-arm-userestapi-managejobs#cancelling-a-job",
        summary="Cancels the item's running backup job, waits for its end, and starts a new one where protection allows.",
        proof="The new backup job completed and there is a recovery point newer than the start.",
        parameters=(
            Parameter(
                name="job",
                label="Job to cancel",
                pattern=r"[0-9A-Za-z-]{8,64}",
                help="The job's id; needed only when several backups of the item run",
            ),
        ),
        reads=("Microsoft.RecoveryServices/Vaults/backupJobs/operationResults/read",),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Cancel the running job, then back up with the type it had."""
        require(self.spec, request, INSTEAD)
        item = request.item
        parameters = checked(self.spec, request.parameters)
        refuse_deleted(item)
        again = not unprotected(item)
        running = await running_backups(request, read)
        job = _chosen(item, running, parameters["job"])
        whole = await read.job(request.vault.id, job.id)
        same = type_of(job)
        kind, why = await choose_type(request, same if same in OFFERED.get(item.workload, ()) else "", read)
        since = f", running since {utc(job.started_at)}," if job.started_at else ""
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={**backup_facts(item, running), "job": job.id, "job_status": job.status},
            calls=(_cancel(item, job), *((backup_call(item, backup_type=kind),) if again else ())),
            sentence=(
                f"Cancel backup job {job.id} of {item.workload.words} {item.name} in {request.vault.id.name}{since}"
                + (f" and run {a_backup(kind)} as soon as it is over." if again else ".")
            ),
            effects=(
                f"Job {job.id} ends as Cancelled; what it has transferred is thrown away.",
                *(_keeps_snapshot(whole)),
                f"Then one backup job of {item.name} runs. {LOADS[item.workload]}"
                if again
                else f"No backup of {item.name} runs before its protection is resumed: then use resume_protection.",
            ),
            worst_case=(
                "The cancelled job would have ended well by itself, and the recovery point comes hours later than it would"
                " have; cancelling itself can take hours."
            ),
            undo="A cancelled job cannot be taken up again; the new backup replaces it.",
            duration=DURATIONS[item.workload] + timedelta(minutes=30),
            cost="Storage for one more recovery point.",
            az=(_az_cancel(item, job), _az_wait(item, job), *((az_backup(item, backup_type=kind),) if again else ())),
            notes=(why,) if why and again else (),
            problems=_problems(job),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """Job completed and a new recovery point; of an item whose protection is stopped, that the old job is over."""
        if any(call.kind is Kind.BACKUP for call in plan.calls):
            return await backup_proof(plan, facts, read, now)
        job = await read.job(ItemId.parse(plan.item_id).vault, plan.precondition["job"])
        over = f"Backup job {job.id} ended as {job.status}; resume_protection lets backups run again."
        still = f"Backup job {job.id} is {job.status}."
        return Proof(proved=None if job.running else True, summary=still if job.running else over)


def _chosen(item: ProtectedItem, running: tuple[Job, ...] | None, wanted: str) -> Job:
    if running is None:
        raise RequestError(f"Whether a backup of {item.name} is running could not be told: no time was given to look.")
    if not running:
        raise RequestError(f"No backup of {item.name} is running, so there is nothing to cancel: use rerun_backup.")
    if wanted:
        for job in running:
            if job.id.casefold() == wanted.casefold():
                return job
        raise RequestError(
            f"{wanted} is no running backup of {item.name}; running: {', '.join(job.id for job in running)}."
        )
    if len(running) > 1:
        jobs = ", ".join(f"{job.id} ({job.operation})" for job in running)
        raise RequestError(f"Several backups of {item.name} run: say which with job=…: {jobs}.")
    return running[0]


def _problems(job: Job) -> tuple[str, ...]:
    if job.status == "Cancelling":
        return (f"Job {job.id} is being cancelled already: wait for its end, then use rerun_backup.",)
    if not job.cancellable:
        return (f"Azure says that job {job.id} cannot be cancelled: wait for its end.",)
    return ()


def _keeps_snapshot(job: Job) -> tuple[str, ...]:
    """A VM's backup that is cancelled while it transfers leaves its snapshot as an instant restore point."""
    if any(task.name.casefold() == _TRANSFER and task.status == "InProgress" for task in job.tasks):
        return ("The snapshot that it took stays, and can be restored from.",)
    return ()


def _cancel(item: ProtectedItem, job: Job) -> Call:
    return Call(
        method="POST",
        resource=f"{item.id.vault.id}/backupJobs/{job.id}/cancel",
        api_version=BACKUP_API,
        kind=Kind.CANCEL_JOB,
        purpose=f"Cancel backup job {job.id} of {item.name}",
        action=CANCEL_ACTION,
        scope=item.id.vault.id,
    )


def _az_job(item: ProtectedItem, verb: str, job: Job, *more: str) -> str:
    vault = item.id.vault
    return az(
        *("backup", "job", verb, "--subscription", vault.subscription, "--resource-group", vault.resource_group),
        *("--vault-name", vault.name, "--name", job.id),
        *more,
    )


def _az_cancel(item: ProtectedItem, job: Job) -> str:
    return _az_job(item, "stop", job)


def _az_wait(item: ProtectedItem, job: Job) -> str:
    return _az_job(item, "wait", job)


FIX = CancelAndRerunBackup()
