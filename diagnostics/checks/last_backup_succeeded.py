"""The newest backup of the item succeeded, by its job and by what the item says of itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from diagnostics.history import (
    BackupHistory,
    also_failed_with,
    backup_history,
    code_facts,
    earlier_marks,
    explain,
    failed_phase,
    recommendations,
    running_jobs,
    subject,
)
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting, try_again
from diagnostics.verdicts import Verdicts, ago
from domain.backup import Job, ProtectedItem
from domain.durations import format_age
from domain.errors import GatewayError
from domain.finding import Finding

say = Verdicts(__name__)

_BAD = frozenset({"failed", "unhealthy"})
_GOOD = frozenset({"completed", "healthy", "completedwithwarnings"})
_SAME_RUN = timedelta(minutes=5)
_SHOWN = 300


@check(
    title="The last backup succeeded",
    runbook=("title", "indicator_rpo_breached", "diagnostic_error_code", "tool_vault_jobs_alerts", "tool_az_job_list"),
    permissions=("Microsoft.RecoveryServices/Vaults/backupJobs/read",),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot",
    suggests=(
        "rerun_backup",
        "cancel_and_rerun_backup",
        "grant_key_vault_access",
        "add_key_vault_policy",
        "start_vm",
        "reapply_vm",
        "reinstall_snapshot_extension",
        "resume_protection",
        "guide_repair_vm_agent",
        "guide_free_os_disk",
        "guide_mars_update",
        "guide_mabs_update",
        "guide_file_in_use",
    ),
    az="az backup job list --vault-name <vault> --resource-group <group> --operation Backup",
    portal="Recovery Services vault > Backup jobs",
)
async def last_backup_succeeded(context: Context) -> Finding:
    """Read the item's newest finished backup job, its error in full, and whether one runs now."""
    history = await backup_history(context)
    try:
        running = next((job for job in await running_jobs(context) if job.is_backup), None)
    except GatewayError:
        running = None
    return judge(subject(context), history, running, context.clock.now())


def judge(item: ProtectedItem, history: BackupHistory, running: Job | None, now: datetime) -> Finding:
    """The job decides, unless the item speaks of a later run; without a job the item's own word is taken."""
    also = _also(running, now)
    evidence: dict[str, str | int | bool | list[str] | None] = {"item_says": item.last_backup_status or None}
    if item.last_backup_at is not None:
        evidence["item_last_ran"] = item.last_backup_at.isoformat()
    facts = {"running_job": running.id} if running else {}
    witness = _Witness(item)
    job = history.newest
    if job is None or witness.is_later_than(job):
        return _by_item(item, witness, now, also, evidence, facts)
    when = job.ended_at or job.started_at
    evidence |= {
        "job": job.id,
        "operation": job.operation,
        "status": job.status,
        "ended": when.isoformat() if when else None,
    }
    facts |= {"job_id": job.id, "status": job.status}
    age = ago(when, now) if when else "at a time Azure does not give"
    if job.failed:
        return _failed(item, history, job, age, also, evidence, facts)
    if job.status in {"Cancelled", "Canceled"}:
        return say.bad(
            f"The last {job.operation.lower()} was cancelled {age}, so it made no recovery point.{also}",
            evidence=evidence,
            facts={**facts, "cancelled": "yes"},
            suggests=fitting([try_again(item.workload)], item.workload),
        )
    word = " It has warnings: some content may be missing from the point." if job.status != "Completed" else ""
    return say.good(
        f"The last {job.operation.lower()} completed {age}.{word}{also}",
        evidence=evidence,
        facts={**facts, **({"warnings": "yes"} if word else {})},
    )


def _failed(
    item: ProtectedItem,
    history: BackupHistory,
    job: Job,
    age: str,
    also: str,
    evidence: dict[str, str | int | bool | list[str] | None],
    facts: dict[str, str],
) -> Finding:
    times = f"{history.in_row} times in a row, last" if history.in_row > 1 else ""
    code = history.code or "no error code"
    known = history.known
    meaning = known.meaning if known else _verbatim(history, job)
    evidence |= {
        "error_code": history.code or None,
        "error_text": history.text[:_SHOWN] or None,
        "failed_in_a_row": history.in_row,
        "earlier_errors": [error.code or error.name for error in history.earlier],
        "recommendations": list(recommendations(job)),
        "failed_phase": failed_phase(job) or None,
    }
    if known:
        evidence |= {"meaning": known.meaning, "remedy": known.remedy, "documentation": known.documentation}
    fixes = fitting(known.fixes if known else (), item.workload) or (try_again(item.workload),)
    return say.bad(
        f"The {job.operation.lower()} failed {times} {age} with {code}: {meaning}"
        f"{also_failed_with(history.earlier)}{also}".replace("  ", " "),
        evidence=evidence,
        facts={
            **facts,
            "error_code": history.code,
            "failed_in_a_row": str(history.in_row),
            **code_facts(history.known),
            **earlier_marks(history.earlier),
        },
        suggests=fixes,
    )


@dataclass(frozen=True)
class _Witness:
    """What the item itself says of its last backup."""

    item: ProtectedItem

    @property
    def bad(self) -> bool:
        return self.item.last_backup_status.casefold() in _BAD

    @property
    def good(self) -> bool:
        return self.item.last_backup_status.casefold() in _GOOD

    def is_later_than(self, job: Job) -> bool:
        """Whether the item tells of a run after the job: log backups leave no job, and lists lag behind."""
        ran, ended = self.item.last_backup_at, job.ended_at or job.started_at
        if ran is None or ended is None or not (self.bad or self.good):
            return False
        return ran > ended + _SAME_RUN and self.bad != job.failed


def _by_item(
    item: ProtectedItem,
    witness: _Witness,
    now: datetime,
    also: str,
    evidence: dict[str, str | int | bool | list[str] | None],
    facts: dict[str, str],
) -> Finding:
    """The verdict where no job of the last thirty days decides."""
    if item.last_backup_at is None:
        if item.soft_deleted:
            return say.not_asked("The item is deleted; nothing is backed up.", evidence=evidence, facts=facts)
        return say.not_asked(
            f"No backup of this item has ever run.{also}", evidence=evidence, facts={**facts, "never": "yes"}
        )
    age = ago(item.last_backup_at, now)
    if witness.bad:
        history = BackupHistory(
            code=item.last_error_code,
            text=item.last_error_text,
            known=explain(item.last_error_code, item.last_error_text, item.workload),
        )
        meaning = history.known.meaning if history.known else item.last_error_text[:_SHOWN] or "Azure gives no reason."
        evidence |= {"error_code": history.code or None, "error_text": history.text[:_SHOWN] or None}
        return say.bad(
            f"The item says that its last backup failed {age} with {history.code or 'no error code'}: {meaning}{also}",
            evidence=evidence,
            facts={**facts, "error_code": history.code, **code_facts(history.known)},
            suggests=fitting(history.known.fixes if history.known else (), item.workload)
            or (try_again(item.workload),),
        )
    if witness.good:
        return say.good(f"The item says that its last backup completed {age}.{also}", evidence=evidence, facts=facts)
    return say.unclear(
        f"There is no backup job of the last 30 days, and the item says {item.last_backup_status or 'nothing'!r} of its "
        f"last run {age}.{also}",
        evidence=evidence,
        facts=facts,
    )


def _verbatim(history: BackupHistory, job: Job) -> str:
    """An unknown error in Azure's own words, because a guess would mislead."""
    advice = " ".join(recommendations(job))
    text = history.text or "Azure gives no reason."
    return f"{text[:_SHOWN]} Azure recommends: {advice[:_SHOWN]}" if advice else text[:_SHOWN]


def _also(running: Job | None, now: datetime) -> str:
    if running is None:
        return ""
    since = f" for {format_age(now - running.started_at)}" if running.started_at else ""
    return f" A {running.operation.lower()} is running now{since}."
