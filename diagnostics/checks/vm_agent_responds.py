"""The VM agent is ready and has reported lately; without it no snapshot can be consistent."""

from datetime import datetime, timedelta

from diagnostics.history import both, subject
from diagnostics.points import policy_of
from diagnostics.registry import Context, check
from diagnostics.verdicts import Verdicts, ago
from domain.backup import VirtualMachine, Workload
from domain.durations import format_age
from domain.finding import Finding
from domain.schedule import BackupPolicy

say = Verdicts(__name__)

# A ready agent reports about every minute; the portal calls it not ready after a quarter of an hour of silence.
_STALE = timedelta(minutes=15)


@check(
    title="The VM agent responds",
    runbook=("cause_snapshot_failure", "diagnostic_vm_extension"),
    workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA}),
    permissions=(
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/instanceView/read",
        "Microsoft.RecoveryServices/Vaults/backupPolicies/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout",
    suggests=("guide_repair_vm_agent",),
    az="az vm get-instance-view --ids <vm id> --query instanceView.vmAgent",
    portal="Virtual machine > Properties > Agent status",
)
async def vm_agent_responds(context: Context) -> Finding:
    """Read the VM's instance view, and from the policy whether its backups use the agent at all."""
    item = subject(context)
    if not item.source_id:
        return say.not_asked("This item names no VM.")
    vm, policy = await both(context.read.virtual_machine(item.source_id), policy_of(context))
    return judge(vm, policy, context.clock.now())


def judge(vm: VirtualMachine, policy: BackupPolicy | None, now: datetime) -> Finding:
    """Ready and fresh is good; a VM that is switched off or backed up without an agent needs none."""
    reported = vm.agent_reported_at
    evidence = {
        "agent_status": vm.agent_status or None,
        "agent_version": vm.agent_version or None,
        "agent_message": vm.agent_message or None,
        "last_report": reported.isoformat() if reported else None,
    }
    facts = {"agent_status": vm.agent_status.casefold()}
    if policy is not None and policy.snapshot_consistency.casefold() == "onlycrashconsistent":
        return say.not_asked(
            f"The policy {policy.name} takes crash-consistent snapshots, which need no agent.", evidence=evidence
        )
    if vm.power_state and vm.power_state.casefold() != "running":
        return say.not_asked(
            f"The VM is {vm.power_state}, so its agent cannot report; that is no fault of the agent.",
            evidence=evidence,
        )
    version = f", version {vm.agent_version}" if vm.agent_version else ""
    last = f"; its last report is {ago(reported, now)}" if reported else ""
    if vm.agent_status.casefold() == "ready":
        if reported is not None and now - reported > _STALE:
            return say.bad(
                f"The VM agent counts as ready{version}, but has been silent for {format_age(now - reported)}: it has "
                "most likely stopped.",
                evidence=evidence,
                facts={**facts, "stale": "yes"},
                suggests=("guide_repair_vm_agent",),
            )
        return say.good(f"The VM agent is ready{version}{last}.", evidence=evidence, facts=facts)
    if not vm.agent_status and not vm.power_state:
        return say.unclear("Azure reports neither the VM's power state nor its agent.", evidence=evidence, facts=facts)
    if not vm.agent_status:
        return say.bad(
            "The VM runs, but no VM agent reports: it is not installed, has stopped, or cannot reach 168.63.129.16.",
            evidence=evidence,
            facts={**facts, "silent": "yes"},
            suggests=("guide_repair_vm_agent",),
        )
    return say.bad(
        f"The VM agent is {vm.agent_status}{version}{last}. {vm.agent_message}".strip(),
        evidence=evidence,
        facts=facts,
        suggests=("guide_repair_vm_agent",),
    )
