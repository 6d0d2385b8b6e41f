"""No job of the item is stuck: judged by its phase, its progress since the last look, and what is usual."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from diagnostics.history import detailed, is_of, progress_text, recent_jobs, running_jobs, side_by_side, subject
from diagnostics.registry import Context, EarlierLook, check
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
_WORTH_SAYING = timedelta(minutes=1)
_HOPELESS_FACTOR = 2
_LOOKED_AT = 3
# What an item's own history makes of a job's age: up to 1.5 times the usual it is not slow whatever others take, and beyond
# three times a standstill counts although others may stand as long.
_STILL_USUAL = 1.5
_UNUSUAL = 3
# Azure gives running backups no percentage, and restores 1 % until their data has arrived (seen in recordings of both), so
# that mark may stand for hours in a job that is well.
_FIRST_PERCENT = 1


@dataclass(frozen=True, kw_only=True)
class Look:
    """A running job with its details, what an earlier look saw of it, and how long such jobs of the item usually take.

    ``earlier`` is None at the first look, and where there is no ledger at all. ``unread``: Azure lists the job, but does not
    show it itself any more, so that its phase and progress are not known.
    """

    job: Job
    earlier: EarlierLook | None = None
    has_ledger: bool = False
    usual: timedelta | None = None
    unread: bool = False

    @property
    def same(self) -> bool:
        """Whether an earlier look saw it exactly where it is now."""
        return self.earlier is not None and self.earlier.progress == progress_text(self.job)

    def moved_at(self, now: datetime) -> datetime | None:
        """When it was first seen where it is now, if it was seen elsewhere before; else None."""
        if self.earlier is None:
            return None
        if not self.same:
            return now
        return self.earlier.since if self.earlier.moved else None

    def still_since(self) -> datetime | None:
        """The first look that saw it where it is now; None unless it was an earlier one."""
        return self.earlier.since if self.earlier is not None and self.same else None


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
    mine = [job for job in await recent_jobs(context) if is_of(job, item)]
    looks = [await _look(context, job, usual_duration(mine, job)) for job in jobs if job.running]
    return judge(item, looks, context.clock.now())


async def _look(context: Context, job: Job, usual: timedelta | None) -> Look:
    if not job.detailed:  # without its details it would seem to have moved
        return Look(job=job, has_ledger=context.ledger is not None, usual=usual, unread=True)
    if context.ledger is None:
        return Look(job=job, usual=usual)
    earlier = await context.ledger.look(job.id, progress_text(job), context.clock.now())
    return Look(job=job, earlier=earlier, has_ledger=True, usual=usual)


def usual_duration(jobs: Sequence[Job], like: Job) -> timedelta | None:
    """How long the longest of the successful ``jobs`` of the same operation took; None without one.

    A log backup says nothing about a full one, nor a backup about a restore.
    """
    lasted = [
        job.ended_at - job.started_at
        for job in jobs
        if job.operation.casefold() == like.operation.casefold()
        and job.status.startswith("Completed")
        and job.ended_at
        and job.started_at
    ]
    return max(lasted, default=None)


def judge(item: ProtectedItem, looks: Sequence[Look], now: datetime) -> Finding:
    """The worst verdict over the running jobs."""
    if not looks:
        return say.good("No job of this item is running.")
    verdicts = [_one(item, look, now) for look in looks]
    order = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS)
    return min(verdicts, key=lambda finding: order.index(finding.outcome))


def limit_of(item: ProtectedItem, job: Job, usual: timedelta | None = None) -> timedelta:
    """How long the job may take before it is called slow, given how long such jobs of the item ``usual``-ly take."""
    if job.is_restore:
        limit = _SLOW_RESTORE
    else:
        limit = _SLOW_BACKUP.get(item.workload, _SLOW_OTHERWISE)
        if item.last_recovery_point_at is None and item.last_backup_at is None:
            limit *= _FIRST_FACTOR
    return max(limit, usual * _STILL_USUAL) if usual is not None else limit


def _one(item: ProtectedItem, look: Look, now: datetime) -> Finding:
    job, usual = look.job, look.usual
    if job.started_at is None:
        return say.unclear(f"The {job.operation} job {job.id} is running; Azure does not say since when.")
    age, limit = now - job.started_at, limit_of(item, job, usual)
    phase = next((task.name for task in job.tasks if task.status == "InProgress"), "")
    still, moved = look.still_since(), look.moved_at(now)
    moving = moved is not None and now - moved < _SILENT_LIMIT
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "job": job.id,
        "operation": job.operation,
        "status": job.status,
        "running_for": format_age(age),
        "phase": phase or None,
        "progress": progress_text(job),
        "usually_takes": format_age(usual) if usual is not None else None,
        "no_change_for": format_age(now - still) if still is not None else None,
        "earlier_look": look.earlier.seen_at.isoformat() if look.earlier is not None else None,
        "progress_then": look.earlier.progress if look.earlier is not None else None,
    }
    facts = {"job_id": job.id, "phase": phase, "operation": job.operation, "progress": progress_text(job)}
    typical = f" (it usually takes {format_age(usual)})" if usual is not None else ""
    where = f', now in the phase "{phase}"' if phase else ""
    head = f"The {job.operation.lower()} has been running for {format_age(age)}{typical}{where}"
    stands = _stands(look, now)
    reason = "" if moving else _stuck(item, look, phase, age, now)
    if reason:
        return say.bad(
            f"{head}: {reason}{stands}",
            evidence=evidence,
            facts={**facts, **({"stands_still": "yes"} if stands else {})},
            suggests=_suggested(item, job),
        )
    if look.unread:
        gone = "Azure lists it, but does not show its phase and progress any more; look again."
        return say.unclear(f"{head}: {gone}", evidence=evidence, facts=facts)
    if age <= limit:
        return say.good(
            f"{head}. That is normal queueing and copying until {utc(job.started_at + limit)}.{_moves(look, moved, now)}",
            evidence=evidence,
            facts=facts,
        )
    if moving:
        return say.good(
            f"{head}: slow, but it moves.{_moves(look, moved, now)}", evidence=evidence, facts={**facts, "slow": "yes"}
        )
    return say.unclear(f"{head}: slow, and {_what_is_missing(look)}{stands}", evidence=evidence, facts=facts)


def _stuck(item: ProtectedItem, look: Look, phase: str, age: timedelta, now: datetime) -> str:
    """Why a job that was not seen to move lately counts as stuck, or ""."""
    limit, still = limit_of(item, look.job, look.usual), look.still_since()
    if item.workload is Workload.VM and "snapshot" in phase.casefold() and age > _SNAPSHOT_LIMIT:
        return f"a snapshot takes minutes; after {format_age(_SNAPSHOT_LIMIT)} in this phase it will not come any more."
    if still is not None and now - still >= _SILENT_LIMIT:
        if age > limit:
            return "it is slow, and it does not move."
        if (look.job.progress_percent or 0) > _FIRST_PERCENT:
            return "its percentage does not move any more."
        if look.usual is not None and age > look.usual * _UNUSUAL:
            return f"that is more than {_UNUSUAL} times what it usually takes, and it does not move."
    if age > limit * _HOPELESS_FACTOR:
        if item.workload is Workload.MARS:
            return "the machine has most likely died. Such a job stays for up to 30 days and cannot be cancelled from Azure."
        return f"that is more than twice the {format_age(limit)} after which such a job counts as slow."
    return ""


def _stands(look: Look, now: datetime) -> str:
    """Since when nothing has changed, as earlier looks tell."""
    still = look.still_since()
    if still is None or now - still < _WORTH_SAYING:
        return ""
    return f" No progress since {utc(still)}: the look of {format_age(now - still)} ago saw the same."


def _moves(look: Look, moved: datetime | None, now: datetime) -> str:
    """When it was last seen to move."""
    if moved is None or look.earlier is None:
        return ""
    if look.same:
        return f" Its progress was last seen to change {format_age(now - moved)} ago."
    return f" It has moved since the look of {format_age(now - look.earlier.seen_at)} ago."


def _what_is_missing(look: Look) -> str:
    if not look.has_ledger:
        return "whether it moves shows only a second look, which the running bot takes and this command cannot."
    still = look.still_since()
    if still is None:
        return "this is the first look at it; the next one shows whether it moves."
    return f"if it has not moved by {utc(still + _SILENT_LIMIT)}, it is stuck."


def _suggested(item: ProtectedItem, job: Job) -> tuple[str, ...]:
    if job.is_backup:
        return fitting(("cancel_and_rerun_backup", "guide_mars_update", "guide_mabs_update"), item.workload)
    return ()
