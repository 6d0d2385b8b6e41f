"""Which type of backup a database needs: full, differential or log."""

from collections.abc import Sequence
from datetime import timedelta

from domain.backup import Job, ProtectedItem, Workload
from domain.errors import RequestError
from domain.ports import BackupReader
from fixes.registry import PlanRequest

NEEDS_FULL = frozenset(
    {
        "usererrorparentfullbackupmissing",
        "usererrorsqllsnvalidationfailure",
        "usererrorotherbackupproductcausingsqllsnvalidationfailure",
        "usererrornofullbackuptriggeredafterrestore",
        "usererrorlatestfullpitisold",
        "usererrorlogbackupfailedasrecoverymodelchanged",
        "usererrorbackupfaileddbguidchanged",
        "usererrorbackupfailedstandalonedatabasemovedintoag",
    }
)
"""Codes, in lower case, that say: the chain is broken, only a full backup starts a new one.

Source: https://learn.microsoft.com/azure/backup/backup-sql-server-azure-troubleshoot
"""

OFFERED = {
    Workload.SQL: ("Full", "Differential", "Log", "CopyOnlyFull"),
    Workload.HANA: ("Full", "Differential", "Incremental"),
}
"""What can be started on demand, by workload; log backups of SAP HANA are started by HANA itself."""


async def choose_type(request: PlanRequest, wanted: str, read: BackupReader) -> tuple[str, str]:
    """The backup type and, in a sentence, why; ("", "") where a workload has no types.

    Raises:
        RequestError: the wanted type does not exist for this workload.
    """
    item = request.item
    offered = OFFERED.get(item.workload)
    if offered is None:
        if wanted:
            raise RequestError(f"A {item.workload.words} has no backup types: leave backup_type empty.")
        return "", ""
    if wanted:
        if wanted not in offered:
            raise RequestError(
                f"A {item.workload.words} cannot be backed up as {wanted} on demand: choose {', '.join(offered)}."
            )
        return wanted, ""
    return needed_type(item, await _around_last_backup(item, read))


async def _around_last_backup(item: ProtectedItem, read: BackupReader) -> Sequence[Job]:
    """The item's failed backup jobs around the time of its newest run, newest first."""
    if item.last_backup_at is None:
        return ()
    day = timedelta(days=1)
    jobs = await read.jobs(item.id.vault, item.last_backup_at - day, item.last_backup_at + day, status="Failed")
    return [job for job in jobs if job.is_backup and job.is_of(item)]


def needed_type(item: ProtectedItem, failed_jobs: Sequence[Job]) -> tuple[str, str]:
    """The type that mends the item: full when the chain is broken or none exists, else the type that failed."""
    if item.last_recovery_point_at is None and item.protection_state.casefold() in {"irpending", ""}:
        return "Full", "A full backup, because the item has no recovery point yet."
    codes = [item.last_error_code, *(error.code for job in failed_jobs[:1] for error in job.errors)]
    broken = next((code for code in codes if code.casefold() in NEEDS_FULL), "")
    if broken:
        return "Full", f"A full backup, because {broken} says that the chain of backups is broken."
    if item.name.casefold() == "master" and item.workload is Workload.SQL:
        return "Full", "A full backup, because master can only be backed up in full."
    failed = type_of(failed_jobs[0]) if failed_jobs else ""
    match failed, item.workload:
        case "Full" | "CopyOnlyFull", _:
            return "Full", "A full backup, because a full one failed."
        case "Log", Workload.SQL:
            return "Log", "A log backup, because a log backup failed and the full backup before it is good."
        case "Incremental", Workload.HANA:
            return "Incremental", "An incremental backup, because an incremental one failed."
        case _:
            return (
                "Differential",
                "A differential backup: the full backup before it is good, and it is the quicker one.",
            )


def type_of(job: Job) -> str:
    """The type that a job's operation tells, "Backup (Log)", as Azure spells it in requests; "" when it tells none."""
    said = job.operation.partition("(")[2].rstrip(") ").replace(" ", "").casefold()
    return next(
        (one for one in ("Full", "Differential", "Incremental", "Log", "CopyOnlyFull") if one.casefold() == said), ""
    )
