"""Backups and restores: an operation starts a job, and the job tells the rest.

Source: https://learn.microsoft.com/azure/backup/backup-azure-arm-userestapi-managejobs
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from domain.arm import ItemId, VaultId, name_of
from domain.backup import Job, ProtectedItem
from domain.errors import ResourceNotFound
from domain.fix import Call, Progress, Seen
from domain.ports import BackupReader
from fixes.steps.base import CLOCK_SKEW, LONGEST_WINDOW, absent, done, failed, running

GOOD_ENDS = frozenset({"Completed", "CompletedWithWarnings"})
"""A job that ended with warnings has made its recovery point too."""


@dataclass(frozen=True)
class JobStep:
    """A call that starts a job of the item: ``restore`` tells restores from backups."""

    restore: bool = False

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """The item's job of this kind that started first since a little before ``since``."""
        item = await read.item(ItemId.parse(call.resource))
        jobs = await read.jobs(item.id.vault, since - CLOCK_SKEW, since - CLOCK_SKEW + LONGEST_WINDOW)
        mine = [job for job in jobs if self._fits(job, item, call)]
        if self.restore and len(mine) > 1:
            mine = await _to_same_place(mine, call, read)
        if not mine:
            return absent("a restore job" if self.restore else "a backup job", settled=settled)
        first = min(mine, key=lambda job: (job.started_at or since, job.id))
        return Seen(there=True, reference={"job_id": first.id}, note=f"job {first.id}: {first.status}")

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """From the operation to its job, and with the job to its end."""
        known = dict(reference)
        vault = VaultId.parse(call.resource)
        if not known.get("job_id"):
            ended = await follow_operation(vault, known, read)
            if ended is not None:
                return ended
        if not known.get("job_id"):
            seen = await self.look(call, since, read)
            if not seen.there:
                return running("Azure accepted it; its job is not listed yet", known)
            known.update(seen.reference)
        return await follow_job(vault, known, since, read)

    def _fits(self, job: Job, item: ProtectedItem, call: Call) -> bool:
        if not job.is_of(item):
            return False
        if self.restore:
            return job.is_restore
        return job.is_backup and _same_type(job, call)


def _same_type(job: Job, call: Call) -> bool:
    """A log backup that the schedule started is not the full one that was asked for: "Backup (Log)"."""
    _, _, kind = job.operation.partition("(")
    wanted = _properties(call).get("backupType")
    if not kind or not isinstance(wanted, str):
        return True
    return kind.rstrip(") ").replace(" ", "").casefold() == wanted.casefold()


async def _to_same_place(jobs: list[Job], call: Call, read: BackupReader) -> list[Job]:
    """Those restores that go to the call's own resource group, as the jobs themselves say it."""
    target = name_of(str(_properties(call).get("targetResourceGroupId") or "")).casefold()
    whole = [await read.job(job.vault, job.id) for job in jobs]
    return [job for job in whole if job.details.get("Target resource group", target).casefold() == target or not target]


def _properties(call: Call) -> Mapping[str, object]:
    body = call.body
    properties = body.get("properties") if isinstance(body, Mapping) else None
    return properties if isinstance(properties, Mapping) else {}


async def follow_operation(vault: VaultId, known: dict[str, str], read: BackupReader) -> Progress | None:
    """None when the operation succeeded (``job_id`` is then in ``known`` if it has a job) or is not known any more."""
    operation_id = known.get("operation_id", "")
    if not operation_id:
        return None
    try:
        operation = await read.operation(vault, operation_id)
    except ResourceNotFound:
        # Azure forgets operations after a while; the job list still knows what they started.
        return None
    match operation.status:
        case "Failed" | "Canceled" | "Cancelled":
            text = operation.error_message or f"the operation ended as {operation.status}"
            return failed(text, known, operation.error_code or operation.status)
        case "Succeeded":
            if operation.job_ids:
                known["job_id"] = operation.job_ids[0]
            return None
        case _:
            return running("Azure is accepting it", known)


async def follow_job(vault: VaultId, known: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
    """How far the job in ``known`` is: one list of the vault's running jobs, and the job itself at its end."""
    job_id = known["job_id"]
    start = since - CLOCK_SKEW
    # RecoveryServices counts reads per action and hour: one list serves all jobs of a vault, one read each does not.
    listed = await read.jobs(vault, start, start + LONGEST_WINDOW, status="InProgress")
    for job in listed:
        if job.id == job_id:
            return running(f"{job.operation} job {job_id} is in progress", known, job.progress_percent)
    try:
        job = await read.job(vault, job_id)
    except ResourceNotFound:
        return running(f"job {job_id} is not readable yet", known)
    return judge(job, known)


def judge(job: Job, known: Mapping[str, str]) -> Progress:
    """A job's status as progress."""
    if job.running:
        return running(f"{job.operation} job {job.id} is {job.status}", known, job.progress_percent)
    if job.status in GOOD_ENDS:
        return replace(done(f"{job.operation} job {job.id}: {job.status}", known), code=_code(job))
    return failed(_text(job), known, _code(job) or job.status)


def _code(job: Job) -> str:
    return next((error.code for error in job.errors if error.code), "")


def _text(job: Job) -> str:
    for error in job.errors:
        if error.text or error.title:
            return error.text or error.title
    return f"{job.operation} job {job.id} ended as {job.status}"
