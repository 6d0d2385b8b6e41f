"""Nothing at hand says that the VM's OS disk is full; Azure itself does not look inside the machine."""

from collections.abc import Sequence

from diagnostics.guest import full_disk_hint, is_snapshot, is_workload_backup, messages
from diagnostics.history import BackupHistory, backup_history, both, subject
from diagnostics.machines import extensions_of
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting
from diagnostics.verdicts import Verdicts
from domain.backup import ExtensionStatus, ProtectedItem, Workload
from domain.errors import ResourceNotFound
from domain.finding import Finding

say = Verdicts(__name__)

_SHOWN = 300


@check(
    title="Nothing says that the OS disk is full",
    runbook=("cause_snapshot_failure",),
    workloads=frozenset({Workload.VM}),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/backupJobs/read",
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/extensions/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot",
    suggests=("guide_free_os_disk", "probe_os_disk"),
    az="az vm run-command invoke --ids <vm id> --command-id RunShellScript --scripts 'df -P -k / /var /boot'",
    portal="Virtual machine > Run command",
)
async def os_disk_has_space(context: Context) -> Finding:
    """Read the last error, the item's health details and what the VM's backup extensions wrote."""
    history, extensions = await both(backup_history(context), _extensions(context))
    return judge(subject(context), history, extensions)


async def _extensions(context: Context) -> Sequence[ExtensionStatus]:
    try:
        return await extensions_of(context, subject(context).source_id)
    except ResourceNotFound:
        return ()


def judge(item: ProtectedItem, history: BackupHistory, extensions: Sequence[ExtensionStatus]) -> Finding:
    """A full disk is only ever seen by what it broke: look for its words in every message at hand."""
    suggests = fitting(("guide_free_os_disk", "probe_os_disk"), item.workload)
    backup = [one for one in extensions if is_snapshot(one) or is_workload_backup(one)]
    sources = {
        "the last backup's error": [history.text] if history.failed else [],
        "an extension's message": [text for one in backup for text in messages(one)],
        "the item's pre-check": [one.message for one in item.health_details],
        "the item's last error": [item.last_error_text],
    }
    for source, texts in sources.items():
        hint = full_disk_hint(texts)
        if hint:
            return say.bad(
                f"The disk is full, says {source}: {hint[:_SHOWN]}",
                evidence={"source": source, "message": hint[:_SHOWN]},
                facts={"hint": "message"},
                suggests=suggests,
            )
    if history.failed and history.known is not None and history.known.family == "disk_space":
        return say.bad(
            f"The last backup failed with {history.code}, which means too little room: {history.known.meaning}",
            evidence={"error_code": history.code},
            facts={"hint": "code"},
            suggests=suggests,
        )
    if not history.failed:
        return say.not_asked(
            "Nothing suggests a full disk, and the last backup found room for its snapshot. (Azure does not see the free "
            "space inside the VM.)"
        )
    return say.unclear(
        "Nothing at hand speaks of a full disk, but Azure does not see the free space inside the VM; only a probe in the "
        "machine can tell.",
        suggests=("probe_os_disk",) if "probe_os_disk" in suggests else (),
    )
