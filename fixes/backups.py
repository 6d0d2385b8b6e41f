"""The backup call, what stands in its way, and the proof that it made a recovery point."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain.arm import ItemId
from domain.backup import Job, ProtectedItem, RecoveryPoint, Workload
from domain.canonical import Json
from domain.errors import ResourceNotFound
from domain.fix import Call, FixPlan, Kind, Proof, RunFacts
from domain.ports import BackupReader
from fixes.backup_type import choose_type
from fixes.planning import BACKUP_API, ITEM_ACTIONS, UTC_TIME, az, az_item, utc
from fixes.registry import Parameter, PlanRequest
from fixes.steps.base import LONGEST_WINDOW
from fixes.steps.items import NOT_RUNNING
from fixes.steps.jobs import GOOD_ENDS

BACKUP_ACTION = f"{ITEM_ACTIONS}/backup/action"

RETAIN_UNTIL = Parameter(
    name="retain_until",
    label="Keep the recovery point until (UTC)",
    pattern=UTC_TIME,
    help="For example 2026-12-31T00:00:00Z; empty: Azure keeps it for 30 days",
)

THEN_BACKUP = Parameter(
    name="then_backup",
    label="Back up afterwards",
    pattern="yes|no",
    default="yes",
    choices=("yes", "no"),
    help="yes: run a backup as the last step, so that a new recovery point proves it",
)

INSTEAD = {
    Workload.MARS: "Azure cannot start a backup on a MARS machine: use its console there; guide_mars_update and"
    " guide_file_in_use list the steps.",
    Workload.MABS: "Azure cannot start a backup on a MABS or DPM server: use its console there; guide_mabs_update lists"
    " the steps.",
}

DURATIONS = {
    Workload.VM: timedelta(hours=2),
    Workload.SQL: timedelta(hours=1),
    Workload.HANA: timedelta(hours=1),
    Workload.FILES: timedelta(minutes=15),
}

LOADS = {
    Workload.VM: "It takes a snapshot of the disks; applications in the VM may pause for seconds.",
    Workload.SQL: "The database is read while people work with it.",
    Workload.HANA: "The database is read while people work with it.",
    Workload.FILES: "It takes a snapshot of the share; people notice nothing.",
}


def a_backup(kind: str) -> str:
    """The backup as a sentence says it."""
    return f"a {kind} backup" if kind else "a backup"


def jobs_window(request: PlanRequest) -> tuple[datetime, datetime] | None:
    """The window in which running and recent jobs are read, or None when there is nothing to tell the time by."""
    known = (request.item.last_backup_at, request.item.last_recovery_point_at, request.item.deleted_at)
    anchors = [moment for moment in known if moment is not None]
    if request.now is not None:
        # A little into the future: Azure's clock may be ahead of ours.
        return request.now - LONGEST_WINDOW, request.now + timedelta(minutes=10)
    if anchors:
        return max(anchors) - timedelta(days=1), max(anchors) - timedelta(days=1) + LONGEST_WINDOW
    return None


async def running_backups(request: PlanRequest, read: BackupReader) -> tuple[Job, ...] | None:
    """The item's backup jobs that have not ended, oldest first; None when there is no time to look around."""
    window = jobs_window(request)
    if window is None:
        return None
    vault = request.vault.id
    lists = await asyncio.gather(*(read.jobs(vault, *window, status=status) for status in ("InProgress", "Cancelling")))
    mine = [job for listed in lists for job in listed if job.running and job.is_backup and job.is_of(request.item)]
    return tuple(sorted(mine, key=lambda job: (job.started_at or window[0], job.id)))


def busy(item: ProtectedItem, jobs: tuple[Job, ...] | None) -> tuple[str, ...]:
    """Why another backup cannot start now, or nothing."""
    if jobs is None:
        return (f"Whether a backup of {item.name} is running could not be told: no time was given to look around.",)
    return tuple(
        f"Backup job {job.id} of {item.name} is {'being cancelled' if job.status == 'Cancelling' else 'running'}"
        f"{f' since {utc(job.started_at)}' if job.started_at else ''}: wait for its end, or use cancel_and_rerun_backup."
        for job in jobs
    )


def backup_facts(item: ProtectedItem, jobs: tuple[Job, ...] | None) -> dict[str, str]:
    """The facts that a backup rests on."""
    return {
        "protection_state": item.protection_state,
        "running_backup": "not read" if jobs is None else ", ".join(job.id for job in jobs) or "none",
    }


def backup_call(item: ProtectedItem, *, backup_type: str = "", retain_until: str = "") -> Call:
    """Back the item up now.

    Source: https://learn.microsoft.com/rest/api/backup/backups/trigger
    """
    body: dict[str, Json]
    match item.workload:
        case Workload.VM:
            body = {"objectType": "IaasVMBackupRequest"}
        case Workload.SQL | Workload.HANA:
            body = {
                "objectType": "AzureWorkloadBackupRequest",
                "backupType": backup_type,
                "enableCompression": item.workload is Workload.SQL,
            }
        case _:
            body = {"objectType": "AzureFileShareBackupRequest"}
    if retain_until:
        body["recoveryPointExpiryTimeInUTC"] = retain_until
    return Call(
        method="POST",
        resource=f"{item.id.id}/backup",
        api_version=BACKUP_API,
        body={"properties": body},
        kind=Kind.BACKUP,
        purpose=f"Back up {item.name} now",
        action=BACKUP_ACTION,
        scope=item.id.vault.id,
    )


@dataclass(frozen=True, kw_only=True)
class Afterwards:
    """The backup that ends a plan, and what it adds to it; all empty when none is wanted or none can be made."""

    calls: tuple[Call, ...] = ()
    az: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What the plan's sentence says of it."""
        return ", and back it up" if self.calls else ""


async def afterwards(request: PlanRequest, wanted: str, read: BackupReader, *, kind: str = "") -> Afterwards:
    """The backup after the repair; ``wanted`` is the value of :data:`THEN_BACKUP`."""
    item = request.item
    if wanted != "yes":
        return Afterwards()
    if item.soft_deleted or item.protection_state.casefold() in NOT_RUNNING:
        return Afterwards(notes=(f"No backup follows, because the protection of {item.name} is stopped.",))
    running, (backup_type, why) = await asyncio.gather(running_backups(request, read), choose_type(request, kind, read))
    return Afterwards(
        calls=(backup_call(item, backup_type=backup_type),),
        az=(az_backup(item, backup_type=backup_type),),
        effects=(f"Then one backup job of {item.name} runs in {request.vault.id.name}.",),
        facts=backup_facts(item, running),
        problems=busy(item, running),
        notes=(why,) if why else (),
    )


def az_backup(item: ProtectedItem, *, backup_type: str = "", retain_until: str = "") -> str:
    """The command that backs the item up now."""
    # The command line takes a day, dd-mm-yyyy.
    until = "-".join(reversed(retain_until[:10].split("-"))) if retain_until else ""
    return az(
        *az_item(item, "backup", "protection", "backup-now"),
        *("--backup-type", backup_type),
        *(("--enable-compression", "true") if item.workload is Workload.SQL else ()),
        *("--retain-until", until),
    )


async def job_of(item: ItemId, reference: Mapping[str, str], read: BackupReader) -> Job | None:
    """The job that a call's reference names, if it names one that can be read."""
    job_id = reference.get("job_id", "")
    if not job_id:
        return None
    try:
        return await read.job(item.vault, job_id)
    except ResourceNotFound:
        return None


async def new_point(item: ItemId, since: datetime, read: BackupReader, now: datetime) -> RecoveryPoint | None:
    """The newest recovery point that was made at or after ``since``."""
    start = max(since, now - LONGEST_WINDOW)
    points = await read.recovery_points(item, start, max(now, start) + timedelta(minutes=10))
    made = [point for point in points if point.at >= since and not point.soft_deleted]
    return max(made, key=lambda point: point.at, default=None)


async def backup_proof(plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
    """Proved: the backup's job ended well *and* there is a recovery point that is newer than the run's start."""
    item = ItemId.parse(plan.item_id)
    index = next((at for at, call in enumerate(plan.calls) if call.kind is Kind.BACKUP), None)
    reference: Mapping[str, str] = {}
    if index is not None and index < len(facts.references):
        reference = facts.references[index]
    job = await job_of(item, reference, read)
    if job is None:
        return Proof(proved=None, summary=f"The backup job of {plan.item_name} cannot be read yet.")
    evidence = {"job": job.id, "job_status": job.status}
    if job.running:
        return Proof(proved=None, summary=f"Backup job {job.id} is {job.status}.", evidence=evidence)
    if job.status not in GOOD_ENDS:
        return Proof(proved=False, summary=f"Backup job {job.id} ended as {job.status}.", evidence=evidence)
    # Azure's clock against Azure's clock, where the job tells its start.
    point = await new_point(item, job.started_at or facts.started_at, read, now)
    if point is None:
        summary = f"Backup job {job.id} ended as {job.status}, but there is no new recovery point yet."
        return Proof(proved=None, summary=summary, evidence=evidence)
    return Proof(
        proved=True,
        summary=f"Backup job {job.id} ended as {job.status} and made a recovery point at {utc(point.at)}.",
        evidence={**evidence, "recovery_point": point.id, "recovery_point_at": point.at.isoformat()},
    )


async def then_backup_proof(state: str, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
    """The proof of a repair that is known to hold (``state``): that is all, unless the plan ends with a backup."""
    if all(call.kind is not Kind.BACKUP for call in plan.calls):
        return Proof(proved=True, summary=state)
    proof = await backup_proof(plan, facts, read, now)
    return replace(proof, summary=f"{state} {proof.summary}")
