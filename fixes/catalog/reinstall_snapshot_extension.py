"""Take the broken snapshot extension away; the next backup brings a fresh one."""

from datetime import datetime, timedelta

from domain.backup import ExtensionStatus, VirtualMachine, Workload
from domain.errors import RequestError
from domain.fix import Call, FixPlan, Kind, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.backups import BACKUP_ACTION, afterwards, backup_proof
from fixes.machines import DELETE_EXTENSION_ACTION, VM_READS, fault_of, machine, snapshot_extension
from fixes.planning import az, checked, common, refuse_unprotected, require
from fixes.registry import FixSpec, PlanRequest
from fixes.steps.machines import COMPUTE_API, vm_of


class ReinstallSnapshotExtension:
    """Delete, and back up; the extension is never installed by hand, since only the service knows its settings."""

    spec = FixSpec(
        id="reinstall_snapshot_extension",
        version=1,
        title="Reinstall the snapshot extension",
        risk=Risk.MEDIUM,
        workloads=frozenset({Workload.VM}),
        permissions=(DELETE_EXTENSION_ACTION, BACKUP_ACTION),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout",
        summary="Deletes the failed VMSnapshot extension and runs a backup, which installs it anew.",
        proof="The backup job completed, there is a new recovery point, and the extension is healthy (or not listed).",
        reads=VM_READS,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Delete the extension, then back up."""
        require(self.spec, request)
        item = request.item
        parameters = checked(self.spec, request.parameters)
        refuse_unprotected(item)
        vm = await machine(request, read)
        extension = snapshot_extension(tuple(await read.extensions(vm.id)))
        if extension is None:
            raise RequestError(
                f"{vm.name} has no snapshot extension, and that is no fault: the next backup brings one where it needs one;"
                " use rerun_backup."
            )
        fault = fault_of(extension)
        if not fault:
            raise RequestError(f"The extension {extension.name} of {vm.name} is healthy: use rerun_backup.")
        then = await afterwards(request, "yes", read)
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                "extension": extension.name,
                "extension_state": extension.provisioning_state,
                "power_state": vm.power_state.casefold(),
                "agent": vm.agent_status,
                **then.facts,
            },
            calls=(_delete(vm, extension), *then.calls),
            sentence=f"Delete the extension {extension.name} of virtual machine {vm.name}, and back {vm.name} up,"
            " which installs it anew.",
            effects=(
                f"The extension {extension.name} ({extension.publisher}.{extension.type}) is removed from {vm.name}.",
                "The machine keeps running.",
                *then.effects,
            ),
            worst_case="The agent cannot remove it: it stays in deletion until the agent is repaired; backups keep failing.",
            undo="The next backup installs the extension again; nothing else was kept in it.",
            duration=timedelta(hours=2, minutes=10),
            cost="Storage for one more recovery point.",
            az=(_az_delete(vm, extension), *then.az),
            notes=(f"It is deleted because {fault}.", *then.notes),
            problems=(*_problems(vm), *then.problems),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """New point, and the extension is healthy or not listed."""
        proof = await backup_proof(plan, facts, read, now)
        if not proof.proved:
            return proof
        extension = snapshot_extension(tuple(await read.extensions(vm_of(plan.calls[0].resource))))
        fault = fault_of(extension) if extension is not None else ""
        if fault:
            return Proof(
                proved=None, summary=f"{proof.summary} But of the extension: {fault}.", evidence=proof.evidence
            )
        state = "is healthy" if extension is not None else "is not listed, which is normal"
        return Proof(proved=True, summary=f"{proof.summary} The extension {state}.", evidence=proof.evidence)


def _problems(vm: VirtualMachine) -> tuple[str, ...]:
    problems = []
    if vm.power_state.casefold() != "running":
        problems.append(f"{vm.name} is {vm.power_state or 'in an unknown power state'}: use start_vm first.")
    elif vm.agent_status.casefold() != "ready":
        said = vm.agent_status or "silent"
        problems.append(
            f"The agent of {vm.name} is {said}, and only it can remove an extension: use guide_repair_vm_agent."
        )
    return tuple(problems)


def _delete(vm: VirtualMachine, extension: ExtensionStatus) -> Call:
    return Call(
        method="DELETE",
        resource=f"{vm.id}/extensions/{extension.name}",
        api_version=COMPUTE_API,
        kind=Kind.COMPUTE,
        purpose=f"Delete the extension {extension.name} of {vm.name}",
        action=DELETE_EXTENSION_ACTION,
        scope=vm.id,
    )


def _az_delete(vm: VirtualMachine, extension: ExtensionStatus) -> str:
    return az("vm", "extension", "delete", "--ids", f"{vm.id}/extensions/{extension.name}")


FIX = ReinstallSnapshotExtension()
