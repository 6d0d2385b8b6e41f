"""Steps: make room on a virtual machine's system disk."""

from datetime import datetime

from domain.backup import VirtualMachine, Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.guides import Failure, guide, last_failure, next_backup_proof
from fixes.machines import machine
from fixes.planning import az, require
from fixes.registry import FixSpec, PlanRequest
from fixes.scripts import is_windows


class GuideFreeOsDisk:
    """The steps depend on the system and the error."""

    spec = FixSpec(
        id="guide_free_os_disk",
        version=1,
        title="How to free the OS disk",
        risk=Risk.NONE,
        workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA}),
        permissions=(),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot",
        summary="Steps that make room on the system disk of a virtual machine, or make the disk larger.",
        proof="A recovery point was made after the steps.",
        guide=True,
        reads=("Microsoft.Compute/virtualMachines/read",),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The steps for this machine."""
        require(self.spec, request)
        vm = await machine(request, read)
        failure = await last_failure(request, read)
        return guide(
            self.spec,
            request,
            sentence=f"Make room on the system disk of virtual machine {vm.name} by hand, then back it up.",
            facts={"vm": vm.id, "os": vm.os_type, **failure.facts},
            steps=space_steps(vm, failure),
            notes=("probe_os_disk reads how full the disks are, where it is turned on.",),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """The next recovery point."""
        return await next_backup_proof(plan, facts, read, now)


def space_steps(vm: VirtualMachine, failure: Failure) -> tuple[str, ...]:
    """The steps, in order."""
    if is_windows(vm):
        steps = [
            f"Sign in to {vm.name} and see how full C: is: Get-PSDrive C. A shadow copy wants about a tenth of it free.",
            (
                "Empty what is safe to empty: Storage Sense or cleanmgr (Windows Update leftovers, temporary files,"
                " crash dumps)."
            ),
            (
                "See what old shadow copies take: vssadmin list shadowstorage. Give them a limit rather than deleting them:"
                " vssadmin resize shadowstorage /For=C: /On=C: /MaxSize=10%."
            ),
        ]
        if failure.says("0x80042306", "Vss"):
            steps.append(
                "See that no writer is in a failed state: vssadmin list writers; restart the service of one that is."
            )
    else:
        steps = [
            f"Sign in to {vm.name} and see how full it is: df -h / /var /boot, and df -i for files that are many and small.",
            (
                "Empty what is safe to empty: journalctl --vacuum-size=200M, the package manager's cache, old"
                " kernels in /boot,"
                " rotated logs in /var/log."
            ),
            "Look for deleted files that a process still holds: lsof +L1; restart that process.",
        ]
    steps.append(
        f"If nothing can go, make the disk larger (deallocate the machine first where Azure asks for it):"
        f" {az('vm', 'show', '--ids', vm.id, '--query', 'storageProfile.osDisk.name', '--output', 'tsv')}"
        " tells its name; then az disk update --size-gb, and extend the partition inside."
    )
    steps.append("Run rerun_backup, and press Done: the bot looks for the new recovery point.")
    return tuple(steps)


FIX = GuideFreeOsDisk()
