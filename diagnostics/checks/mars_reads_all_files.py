"""The MARS agent could read every file; Azure tells of a sharing violation in text only."""

import re
from collections.abc import Sequence

from diagnostics.history import SeenError, backup_history, detailed, error_text, subject
from diagnostics.registry import Context, check
from diagnostics.verdicts import Verdicts
from domain.backup import Job, ProtectedItem, Workload
from domain.finding import Finding

say = Verdicts(__name__)

# Win32 error 32, as a sentence in several spellings and as a number; no code of Azure's stands for it.
_IN_USE = re.compile(
    r"used by another process|being used by another|file (?:is )?in use|sharing violation|0x80070020", re.IGNORECASE
)
# Names may hold blanks, so a path is taken up to its first extension.
_PATH = re.compile(r"[A-Za-z]:\\[^\"'<>|\r\n]{1,200}?\.\w{1,8}(?=[\s\"'.,;)]|$)")
_LONGEST = 20_000
_SHOWN = 300


@check(
    title="The MARS agent could read every file",
    runbook=("indicator_file_in_use",),
    workloads=frozenset({Workload.MARS}),
    permissions=("Microsoft.RecoveryServices/Vaults/backupJobs/read",),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-mars-troubleshoot",
    suggests=("guide_file_in_use",),
    az="az backup job show --vault-name <vault> --resource-group <group> --name <job> --query properties.errorDetails",
    portal="Recovery Services vault > Backup jobs > the job > Error details",
)
async def mars_reads_all_files(context: Context) -> Finding:
    """Read the newest backup with its errors, also when it only ended with warnings."""
    history = await backup_history(context)
    newest = history.newest
    if newest is not None and newest.status != "Completed":
        newest = await detailed(context, newest)
    return judge(subject(context), newest, history.earlier)


def judge(item: ProtectedItem, newest: Job | None, earlier: Sequence[SeenError] = ()) -> Finding:
    """Match the sentence and the number in what the job, the item and the earlier failures of the row say."""
    details = newest.details.get("dynamicErrorMessage", "") if newest else ""
    texts = [error_text(newest) if newest else "", details, item.last_error_text]
    texts += [detail.message for detail in item.health_details]
    hit = next((text for text in texts if _IN_USE.search(text[:_LONGEST])), "")
    if hit:
        path = _PATH.search(hit[:_LONGEST])
        which = f" ({path[0]})" if path else ""
        return say.bad(
            f"A file{which} was held by another process, so the agent could not read it: {hit[:_SHOWN]}",
            evidence={
                "message": hit[:_SHOWN],
                "path": path[0] if path else None,
                "job": newest.id if newest else None,
                "log": "LastBackupFailedFiles*.txt under the agent's Temp folder lists every file",
            },
            facts={"hint": "message"},
            suggests=("guide_file_in_use",),
        )
    before = next((error.text for error in earlier if _IN_USE.search(error.text[:_LONGEST])), "")
    if before:
        return say.bad(
            "An earlier backup of the same row failed because a file was held by another process, and none has come so far "
            f"since: {before[:_SHOWN]}",
            evidence={"message": before[:_SHOWN]},
            facts={"hint": "earlier"},
            suggests=("guide_file_in_use",),
        )
    if newest is None:
        return say.unclear("There is no backup job of the last 30 days that could tell of unreadable files.")
    return say.good("The newest backup tells of no file that was held by another process.", evidence={"job": newest.id})
