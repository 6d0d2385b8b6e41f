"""No job of the item is stuck: judged by its phase, its progress since the last look, and what is usual."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from diagnostics.history import detailed, progress_text, recent_jobs, running_jobs, side_by_side, subject
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting
from diagnostics.verdicts import Verdicts, utc
from domain.backup import Job, ProtectedItem, Workload
from domain.durations import format_age
from domain.finding import Finding, Outcome

say = Verdicts(__name__)

# More than 12 hours for a backup and 6 for a restore is what the documentation calls slow
# (https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot); the runbook's flat four hours would call every
# first backup stuck. A first backup copies everything.
_SLOW_BACKUP: Mapping[Workload, timedelta] = {
    Workload.VM: timedelta(hours=12),
    Workload.FILES: timedelta(hours=4),
    Workload.MARS: timedelta(hours=24),
    Workload.MABS: timedelta(hours=24),
}
_SLOW_OTHERWISE = timedelta(hours=12)
_SLOW_RESTORE = timedelta(hours=6)
_FIRST_FACTOR = 3
_SNAPSHOT_LIMIT = timedelta(hours=2)
_SILENT_LIMIT = timedelta(hours=4)
_HOPELESS_FACTOR = 2
_LOOKED_AT = 3


@dataclass(frozen=True, kw_only=True)
class Look:
    """A running job with its details, and when its progress last changed as far as the ledger knows."""

    job: Job
    changed_at: datetime | None = None
    has_ledger: bool = False


@check(
    title="No job of the item is stuck",
    runbook=("indicator_job_stuck", "resolution_stuck_job"),
    permissions=("Microsoft.RecoveryServices/Vaults/backupJobs/read",),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot",
    suggests=("cancel_and_rerun_backup", "guide_mars_update", "guide_mabs_update"),
    az="az backup job list --vault-name <vault> --resource-group <group> --status InProgress",
    portal="Recovery Services vault > Backup jobs > Status: In progress",
)
async def no_job_is_stuck(context: Context) -> Finding:
    """Read the item's running jobs with their phases, what an earlier look saw, and how long such jobs usually take."""
    item = subject(context)
    running = (await running_jobs(context))[:_LOOKED_AT]
    jobs = await side_by_side(*(detailed(context, job) for job in running))
    looks = [await _look(context, job) for job in jobs if job.running]
    usual = usual_duration([job for job in await recent_jobs(context) if job.is_of(item)])
    return judge(item, looks, usual, context.clock.now())


async def _look(context: Context, job: Job) -> Look:
    if context.ledger is None:
        return Look(job=job)
    last = await context.ledger.last_look(job.id)
    if last is None:
        return Look(job=job, has_ledger=True)
    changed_at, text = last
    if text != progress_text(job):
        changed_at = context.clock.now()
    return Look(job=job, changed_at=changed_at, has_ledger=True)


def usual_duration(jobs: Sequence[Job]) -> timedelta | None:
    """How long the longest of the item's recent successful backups took; None without one."""
    lasted = [
        job.ended_at - job.started_at
        for job in jobs
        if job.is_backup and job.status.startswith("Completed") and job.ended_at and job.started_at
    ]
    return max(lasted, default=None)


def judge(item: ProtectedItem, looks: Sequence[Look], usual: timedelta | None, now: datetime) -> Finding:
    """The worst verdict over the running jobs."""
    if not looks:
        return say.good("No job of this item is running.")
    verdicts = [_one(item, look, usual, now) for look in looks]
    order = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS)
    return min(verdicts, key=lambda finding: order.index(finding.outcome))


def limit_of(item: ProtectedItem, job: Job) -> timedelta:
    """How long the job may take before it is called slow."""
    if job.is_restore:
        return _SLOW_RESTORE
    limit = _SLOW_BACKUP.get(item.workload, _SLOW_OTHERWISE)
    return limit * _FIRST_FACTOR if item.last_recovery_point_at is None and item.last_backup_at is None else limit


def _one(item: ProtectedItem, look: Look, usual: timedelta | None, now: datetime) -> Finding:
    job = look.job
    if job.started_at is None:
        return say.unclear(f"The {job.operation} job {job.id} is running; Azure does not say since when.")
    age, limit = now - job.started_at, limit_of(item, job)
    phase = next((task for task in job.tasks if task.status == "InProgress"), None)
    name = phase.name if phase else ""
    silent = now - look.changed_at if look.changed_at is not None else None
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "job": job.id,
        "operation": job.operation,
        "status": job.status,
        "running_for": format_age(age),
        "phase": name or None,
        "progress": progress_text(job),
        "usually_takes": format_age(usual) if usual is not None else None,
        "no_change_for": format_age(silent) if silent is not None else None,
    }
    facts = {"job_id": job.id, "phase": name, "operation": job.operation, "progress": progress_text(job)}
    subject_of = f"The {job.operation.lower()} has been running for {format_age(age)}"
    typical = f" (it usually takes {format_age(usual)})" if usual is not None else ""
    where = f', now in the phase "{name}"' if name else ""
    reason = _stuck(item, age, limit, name, silent)
    if reason:
        return say.bad(
            f"{subject_of}{typical}{where}: {reason}",
            evidence=evidence,
            facts=facts,
            suggests=_suggested(item, job),
        )
    if age <= limit:
        return say.good(
            f"{subject_of}{typical}{where}. That is normal queueing and copying until {utc(job.started_at + limit)}.",
            evidence=evidence,
            facts=facts,
        )
    if silent is not None:
        return say.good(
            f"{subject_of}{typical}{where}: slow, but its progress changed {format_age(silent)} ago.",
            evidence=evidence,
            facts={**facts, "slow": "yes"},
        )
    second = (
        "this is the first look at it; the next one shows whether it moves."
        if look.has_ledger
        else "whether it moves shows only a second look, which the running bot takes and this command cannot."
    )
    return say.unclear(f"{subject_of}{typical}{where}: slow, and {second}", evidence=evidence, facts=facts)


def _stuck(item: ProtectedItem, age: timedelta, limit: timedelta, phase: str, silent: timedelta | None) -> str:
    """Why the job counts as stuck, or ""."""
    if silent is not None and silent < _SILENT_LIMIT and age > limit:
        return ""
    if item.workload is Workload.VM and "snapshot" in phase.casefold() and age > _SNAPSHOT_LIMIT:
        return f"a snapshot takes minutes; after {format_age(_SNAPSHOT_LIMIT)} in this phase it will not come any more."
    if silent is not None and silent >= _SILENT_LIMIT and age > _SILENT_LIMIT:
        return f"nothing about it has changed for {format_age(silent)}."
    if age > limit * _HOPELESS_FACTOR:
        if item.workload is Workload.MARS:
            return "the machine has most likely died. Such a job stays for up to 30 days and cannot be cancelled from Azure."
        return f"that is more than twice the {format_age(limit)} after which such a job counts as slow."
    return ""


def _suggested(item: ProtectedItem, job: Job) -> tuple[str, ...]:
    if job.is_backup:
        return fitting(("cancel_and_rerun_backup", "guide_mars_update", "guide_mabs_update"), item.workload)
    return ()
