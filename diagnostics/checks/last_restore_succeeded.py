"""No restore of the item has failed lately, in its own region or across regions."""

from collections.abc import Sequence
from datetime import datetime

from diagnostics.history import (
    SeenError,
    also_failed_with,
    code_facts,
    code_of,
    detailed,
    earlier_marks,
    error_text,
    explain,
    failed_phase,
    identity_fact,
    other_errors,
    recommendations,
    restore_failures,
    running_jobs,
    subject,
    told,
)
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting
from diagnostics.verdicts import Verdicts, ago
from domain.backup import Job, ProtectedItem, Workload
from domain.durations import format_age
from domain.errors import GatewayError
from domain.finding import Finding

say = Verdicts(__name__)

_SHOWN = 300
_TOLD = (
    "Job Type",
    "Target VM Name",
    "Target resource group",
    "Target Storage Account Name",
    "Recovery point time",
)
"""Parts of a restore job's property bag that tell what was restored to where."""


@check(
    title="No restore of the item failed lately",
    runbook=("title", "scope", "indicator_restore_failed", "diagnostic_error_code", "resolution_cross_region"),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/backupJobs/read",
        "Microsoft.RecoveryServices/locations/backupCrrJobs/action",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot#restore",
    suggests=("restore_disks", "restore_to_other_region", "lift_lock_for_restore", "guide_restore_elsewhere"),
    az="az backup job list --vault-name <vault> --resource-group <group> --operation Restore --status Failed",
    portal="Recovery Services vault > Backup jobs > Operation: Restore",
)
async def last_restore_succeeded(context: Context) -> Finding:
    """Read the item's newest failed restore that still matters, with its phases and error, and any that runs."""
    failures = await restore_failures(context)
    failed = await detailed(context, failures[0]) if failures else None
    try:
        running = next((job for job in await running_jobs(context) if job.is_restore), None)
    except GatewayError:
        running = None
    return judge(subject(context), failed, running, context.clock.now(), await told(context, failures[1:]))


def judge(
    item: ProtectedItem, failed: Job | None, running: Job | None, now: datetime, before: Sequence[Job] = ()
) -> Finding:
    """Name the phase that failed and the error, explained; a later restore that worked settles the matter."""
    also = ""
    if running is not None:
        since = f" for {format_age(now - running.started_at)}" if running.started_at else ""
        also = f" A {running.operation} job is running now{since}."
    if failed is None:
        return say.good(
            f"No restore of this item failed in the last 7 days without one that worked after it.{also}",
            facts={"running_job": running.id} if running else {},
        )
    code, text, phase = code_of(failed), error_text(failed), failed_phase(failed)
    known = explain(code, text, item.workload)
    meaning = known.meaning if known else text[:_SHOWN] or "Azure gives no reason."
    when = failed.ended_at or failed.started_at
    others = other_errors(before, SeenError(code=code, known=known), item.workload)
    across = failed.operation.casefold().startswith("crossregion")
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "job": failed.id,
        "operation": failed.operation,
        "ended": when.isoformat() if when else None,
        "failed_phase": phase or None,
        "error_code": code or None,
        "error_text": text[:_SHOWN] or None,
        "earlier_errors": [error.code or error.name for error in others],
        "recommendations": list(recommendations(failed)),
        **{name.casefold().replace(" ", "_"): failed.details[name] for name in _TOLD if failed.details.get(name)},
    }
    if known:
        evidence |= {"meaning": known.meaning, "remedy": known.remedy, "documentation": known.documentation}
    facts = {
        "job_id": failed.id,
        "error_code": code,
        "phase": phase,
        "cross_region": "yes" if across else "no",
        **code_facts(known),
        **identity_fact(code, text),
        **earlier_marks(others),
    }
    in_phase = f' in the phase "{phase}"' if phase else ""
    default = "restore_disks" if item.workload is Workload.VM else "guide_restore_elsewhere"
    return say.bad(
        f"A {'cross-region ' if across else ''}restore failed {ago(when, now) if when else 'lately'}{in_phase} with "
        f"{code or 'no error code'}: {meaning}{also_failed_with(others)}{also}",
        evidence=evidence,
        facts=facts,
        suggests=fitting(known.fixes if known else (), item.workload) or fitting([default], item.workload),
    )
