"""The lines of the runbook as data: what mends each, how a person does it by hand, and what the line gets wrong."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class RunbookLine:
    """One line: ``text`` as the runbook has it, without its bullet.

    The checks that answer it name it in their metadata. ``fixes`` and ``commands`` (of the chat) are what helps; ``az`` and
    ``portal`` how a person does it; ``note`` what the line gets wrong, or what the bot does differently.
    """

    id: str
    section: str
    text: str
    fixes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    az: str = ""
    portal: str = ""
    note: str = ""


_VAULT: Final = "--vault-name <vault> --resource-group <group>"
_JOBS_BLADE: Final = "Recovery Services vault > Backup jobs"

LINES: Final[tuple[RunbookLine, ...]] = (
    RunbookLine(
        id="title",
        section="Scope",
        text="Azure Backup Vault — Restore Failed or RPO Breach",
        commands=("status", "diagnose <vault> <item>"),
        az=f"az backup job list {_VAULT} --status Failed",
        portal="Recovery Services vault > Overview",
    ),
    RunbookLine(
        id="scope",
        section="Scope",
        text="Azure Backup restore job fails, backup job stops completing, or the Recovery Point Objective "
        "(RPO) has been "
        "breached because no recent recovery points exist. Affects Azure VMs, SQL Server in Azure, Azure Files, and "
        "on-premises workloads protected via MARS/MABS agents.",
        fixes=("rerun_backup", "restore_disks"),
        commands=("status", "rpo <vault>", "diagnose <vault> <item>"),
        az=f"az backup item list {_VAULT}",
        portal="Recovery Services vault > Backup items",
        note="SAP HANA databases are covered as well.",
    ),
    RunbookLine(
        id="indicator_restore_failed",
        section="Indicators",
        text="Restore job shows 'Failed' in Recovery Services vault > Backup jobs",
        fixes=("restore_disks", "restore_to_other_region", "guide_restore_elsewhere"),
        commands=("jobs <vault> failed", "check-restore <item>"),
        az=f"az backup job list {_VAULT} --operation Restore --status Failed",
        portal=f"{_JOBS_BLADE} > Operation: Restore, Status: Failed",
    ),
    RunbookLine(
        id="indicator_rpo_breached",
        section="Indicators",
        text="Last successful backup older than expected RPO window",
        fixes=("rerun_backup", "resume_protection"),
        commands=("rpo <vault>",),
        az=f"az backup recoverypoint list {_VAULT} --container-name <container> --item-name <item>",
        portal="Recovery Services vault > Backup items > the item > Restore points",
        note="A recovery point counts, not a job: a job with warnings makes one, a failed job moves the time "
        "of the last "
        "backup without making any. Azure has no alert for this; the bot's sweep finds it.",
    ),
    RunbookLine(
        id="indicator_job_stuck",
        section="Indicators",
        text="Backup job stuck in 'In Progress' for more than 4 hours",
        fixes=("cancel_and_rerun_backup",),
        commands=("jobs <vault> running",),
        az=f"az backup job list {_VAULT} --status InProgress",
        portal=f"{_JOBS_BLADE} > Status: In progress",
        note="Four hours are too short for a first backup and too long for a snapshot. The bot judges by the "
        "phase, by progress "
        "since its last look, and by how long such jobs take.",
    ),
    RunbookLine(
        id="indicator_health_alert",
        section="Indicators",
        text="Alert: 'Azure Backup pre-check warning' or 'Backup health degraded'",
        fixes=("rerun_backup", "guide_repair_vm_agent"),
        commands=("diagnose <vault> <item>",),
        az=f"az backup item list {_VAULT} --query \"[?properties.healthStatus!='Passed']\"",
        portal="Recovery Services vault > Backup items > Backup pre-check",
        note="Azure has no alert of either name. The pre-check is the item's health status; degraded health is "
        "the metric "
        "BackupHealthEvent, which needs a metric alert rule of its own. Both are understood.",
    ),
    RunbookLine(
        id="indicator_file_in_use",
        section="Indicators",
        text="MARS agent shows 'The process cannot access the file because it is being used by another process'",
        fixes=("guide_file_in_use",),
        commands=("explain 0x80070020",),
        az=f"az backup job show {_VAULT} --name <job> --query properties.errorDetails",
        portal=f"{_JOBS_BLADE} > the job > Error details",
    ),
    RunbookLine(
        id="cause_snapshot_failure",
        section="Likely causes",
        text="VM snapshot failure — Azure agent not responsive or OS disk full",
        fixes=("guide_repair_vm_agent", "guide_free_os_disk", "probe_os_disk", "start_vm", "reapply_vm"),
        commands=("diagnose <vault> <item>",),
        az="az vm get-instance-view --ids <vm id>",
        portal="Virtual machine > Properties > Agent status",
        note="Azure does not see the free space inside a VM. The bot goes by the messages of the backup and "
        "its extension; a "
        "look into the machine is a fix that is off by default.",
    ),
    RunbookLine(
        id="cause_permissions",
        section="Likely causes",
        text="Insufficient permissions — Backup MSI lacks Contributor on VM or Key Vault access for encrypted VMs",
        fixes=("grant_key_vault_access", "add_key_vault_policy", "assign_backup_role"),
        commands=("diagnose <vault> <item>",),
        az="az role assignment list --scope <key vault id> --include-inherited",
        portal="Key vault > Access control (IAM)",
        note="VM backups need no role for the vault's identity: Azure Backup works with its own rights, and at "
        "a key vault it is "
        "the Backup Management Service. The vault's identity matters for restores with that identity and for "
        "customer-managed keys.",
    ),
    RunbookLine(
        id="cause_restore_target",
        section="Likely causes",
        text="Restore target storage account or VM size unavailable in the region",
        fixes=("restore_disks", "restore_to_other_region"),
        commands=("check-restore <item> size <vm size> storage <account>",),
        az="az vm list-skus --location <region> --size <size> --all",
        portal="Subscription > Usage + quotas",
    ),
    RunbookLine(
        id="cause_agent_outdated",
        section="Likely causes",
        text="MARS/MABS agent version outdated and incompatible with current Azure APIs",
        fixes=("guide_mars_update", "guide_mabs_update", "update_mars_agent"),
        commands=("agents <vault>",),
        az=f"az backup container list {_VAULT} --backup-management-type MAB",
        portal="Recovery Services vault > Manage > Backup infrastructure",
    ),
    RunbookLine(
        id="cause_soft_delete",
        section="Likely causes",
        text="Soft-delete enabled — recovery point appears deleted but is in soft-delete state",
        fixes=("undelete_item", "resume_protection"),
        commands=("diagnose <vault> <item>",),
        az=f'az backup item list {_VAULT} --query "[?properties.isScheduledForDeferredDelete]"',
        portal="Recovery Services vault > Backup items > soft-deleted items",
        note="An undeleted item comes back stopped: resuming its protection is a second step.",
    ),
    RunbookLine(
        id="diagnostic_error_code",
        section="Diagnostic steps",
        text="Recovery Services vault > Backup jobs — find the failed job, click it, expand 'Error details' — "
        "note the error "
        "code (e.g., UserErrorVmNotInDesirableState, ExtensionFailedInVMAccessExtension)",
        fixes=("rerun_backup",),
        commands=("jobs <vault> failed", "explain <code>"),
        az=f"az backup job show {_VAULT} --name <job>",
        portal=f"{_JOBS_BLADE} > the job > Error details",
        note="No source of Microsoft's knows ExtensionFailedInVMAccessExtension; it is handled like a failed "
        "provisioning state.",
    ),
    RunbookLine(
        id="diagnostic_vm_extension",
        section="Diagnostic steps",
        text="Check VM agent status: Azure portal > VM > Settings > Extensions — verify "
        "'MicrosoftAzureRecoveryServices' or "
        "'VMSnapshot' extension is healthy",
        fixes=("reinstall_snapshot_extension", "guide_repair_vm_agent"),
        commands=("diagnose <vault> <item>",),
        az="az vm extension list --ids <vm id>",
        portal="Virtual machine > Settings > Extensions + applications",
        note="The extension is found by publisher and type; none is called MicrosoftAzureRecoveryServices. Its "
        "absence is no "
        "fault, and a status that says succeeded may hide a failure, which the bot reads from the message.",
    ),
    RunbookLine(
        id="diagnostic_key_vault",
        section="Diagnostic steps",
        text="For encrypted VM restores: verify the vault's MSI has 'Key Vault Administrator' or appropriate Get/List "
        "permissions on the Key Vault",
        fixes=("grant_key_vault_access", "add_key_vault_policy"),
        commands=("diagnose <vault> <item>",),
        az="az keyvault show --name <key vault>",
        portal="Key vault > Access control (IAM), or Access policies; Networking",
        note="The right belongs to the Backup Management Service, not to the vault's identity, and a role with "
        "five data actions "
        "is enough.",
    ),
    RunbookLine(
        id="diagnostic_restore_target",
        section="Diagnostic steps",
        text="Check restore target: ensure target VM size exists in target region, storage account is in same "
        "region as vault, "
        "and no resource locks block creation",
        fixes=("restore_disks", "restore_to_other_region", "lift_lock_for_restore"),
        commands=("check-restore <item> to <region> size <vm size> storage <account>",),
        az="az lock list --resource-group <group>",
        portal="Resource group > Settings > Locks",
        note="For a restore to the paired region the storage account must be there. Only ReadOnly locks hinder "
        "a restore.",
    ),
    RunbookLine(
        id="diagnostic_mars_version",
        section="Diagnostic steps",
        text="For MARS agent: check agent version in the vault > Backup infrastructure > confirm minimum "
        "supported version; "
        "update if outdated",
        fixes=("guide_mars_update", "guide_mabs_update"),
        commands=("agents <vault>",),
        az=f"az backup container list {_VAULT} --backup-management-type MAB",
        portal="Recovery Services vault > Manage > Backup infrastructure > Azure Backup Agent",
        note="A version that the vault does not report is not an old one. The minimum is a setting.",
    ),
    RunbookLine(
        id="diagnostic_policy_rpo",
        section="Diagnostic steps",
        text="Verify backup policy RPO settings: vault > Backup policies — confirm schedule and retention match SLA "
        "expectations",
        fixes=("resume_protection",),
        commands=("rpo <vault>", "diagnose <vault> <item>"),
        az=f"az backup policy show {_VAULT} --name <policy>",
        portal="Recovery Services vault > Backup policies",
        note="Times in a policy are wall-clock times in its time zone, whatever letter stands behind them.",
    ),
    RunbookLine(
        id="resolution_extension",
        section="Resolution path",
        text="Resolve agent/extension error first — reinstall VMSnapshot extension if corrupted",
        fixes=("reinstall_snapshot_extension", "reapply_vm", "guide_repair_vm_agent"),
        commands=("fix reinstall_snapshot_extension <item>",),
        az="az vm extension delete --ids <extension id>",
        portal="Virtual machine > Settings > Extensions + applications > Uninstall",
        note="The extension is only deleted; the next backup installs it with the settings that the service "
        "alone knows.",
    ),
    RunbookLine(
        id="resolution_permissions",
        section="Resolution path",
        text="Fix permissions gap — assign Backup MSI correct RBAC role on VM, RG, or Key Vault",
        fixes=("grant_key_vault_access", "add_key_vault_policy", "assign_backup_role"),
        commands=("fix grant_key_vault_access <item>",),
        az="az role assignment create --assignee-object-id <object id> --assignee-principal-type ServicePrincipal --role "
        "<role> --scope <key vault id>",
        portal="Key vault > Access control (IAM) > Add role assignment",
    ),
    RunbookLine(
        id="resolution_stuck_job",
        section="Resolution path",
        text="For stuck jobs: stop and re-trigger backup from the vault",
        fixes=("cancel_and_rerun_backup",),
        commands=("fix cancel_and_rerun_backup <item>",),
        az=f"az backup job stop {_VAULT} --name <job>",
        portal=f"{_JOBS_BLADE} > the job > Cancel",
        note="The new backup starts only after the old job has ended; MARS jobs cannot be cancelled from Azure.",
    ),
    RunbookLine(
        id="resolution_cross_region",
        section="Resolution path",
        text="For restore failures: try cross-region restore to alternate region if primary restore target has "
        "capacity issues",
        fixes=("restore_to_other_region",),
        commands=("check-restore <item> to <region>", "fix restore_to_other_region <item>"),
        az="az backup restore restore-disks --use-secondary-region",
        portal="Recovery Services vault > Backup items > Secondary region",
        note="Possible only with geo-redundant storage, the vault's flag set before, and points that have "
        "arrived; each is checked.",
    ),
    RunbookLine(
        id="resolution_update_agent",
        section="Resolution path",
        text="Update MARS/MABS agent to latest version if compatibility error",
        fixes=("guide_mars_update", "guide_mabs_update", "update_mars_agent"),
        commands=("fix guide_mars_update <item>",),
        az=f"az backup container list {_VAULT} --backup-management-type MAB",
        portal="Recovery Services vault > Properties > Backup > download the agent",
        note="No Azure API updates the agent; the bot guides, and looks again when the work is said to be done.",
    ),
    RunbookLine(
        id="prevention_alerts",
        section="Prevention",
        text="Enable Azure Backup alerts and configure Action Groups to page on-call when backup fails",
        fixes=("enable_failure_alerts",),
        commands=("posture <vault>",),
        az="az monitor alert-processing-rule list",
        portal="Monitor > Alerts > Alert processing rules",
    ),
    RunbookLine(
        id="prevention_restore_tests",
        section="Prevention",
        text="Test restores quarterly — a backup never tested is not a backup",
        fixes=("restore_disks", "guide_restore_elsewhere"),
        commands=("drills", "drills add <item> <evidence>"),
        az=f"az backup job list {_VAULT} --operation Restore --status Completed",
        portal=f"{_JOBS_BLADE} > Operation: Restore",
    ),
    RunbookLine(
        id="prevention_soft_delete",
        section="Prevention",
        text="Enable soft-delete on all Recovery Services vaults (14-day retention minimum)",
        fixes=("enable_soft_delete",),
        commands=("posture",),
        az="az backup vault backup-properties show --name <vault> --resource-group <group>",
        portal="Recovery Services vault > Properties > Security settings",
    ),
    RunbookLine(
        id="tool_vault_jobs_alerts",
        section="Tools",
        text="Azure Recovery Services Vault — Backup jobs, Backup alerts",
        commands=("jobs <vault>", "incidents"),
        az=f"az backup job list {_VAULT}",
        portal=f"{_JOBS_BLADE}; Recovery Services vault > Monitoring > Alerts",
    ),
    RunbookLine(
        id="tool_diagnostics_workbook",
        section="Tools",
        text="Azure Monitor — Backup diagnostics workbook",
        commands=("status", "rpo", "jobs <vault> failed"),
        az="az graph query -q \"recoveryservicesresources | where type endswith 'backupjobs'\"",
        portal="Recovery Services vault > Monitoring > Workbooks",
        note="The bot asks Resource Graph what the workbook asks, and confirms each exception by a direct read.",
    ),
    RunbookLine(
        id="tool_az_job_list",
        section="Tools",
        text="Azure CLI: az backup job list --vault-name <v> --resource-group <rg>",
        commands=("jobs <vault>",),
        az=f"az backup job list {_VAULT}",
        portal=_JOBS_BLADE,
    ),
    RunbookLine(
        id="tool_backup_explorer",
        section="Tools",
        text="Azure Backup Explorer (workbook in Azure Monitor)",
        commands=("status", "rpo", "agents", "posture"),
        az="az graph query -q \"recoveryservicesresources | where type endswith 'protecteditems'\"",
        portal="Business Continuity Center (Resiliency) > Protected items",
        note="Azure has replaced Backup Explorer by the Business Continuity Center; `status` without a vault "
        "shows the fleet, "
        "exceptions first.",
    ),
)
"""Every line of the runbook that says something, in its order."""
