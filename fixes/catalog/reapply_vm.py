"""Apply the virtual machine's own model again, when its provisioning failed for a moment."""

from datetime import datetime, timedelta

from domain.backup import Workload
from domain.errors import RequestError
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.backups import BACKUP_ACTION, THEN_BACKUP, afterwards, then_backup_proof
from fixes.machines import (
    REAPPLY_ACTION,
    VM_READS,
    az_vm,
    failing,
    fault_of,
    machine,
    machine_call,
    snapshot_extension,
)
from fixes.planning import checked, common, listed, require
from fixes.registry import FixSpec, PlanRequest
from fixes.steps.machines import vm_of


class ReapplyVm:
    """Reapply, and back up."""

    spec = FixSpec(
        id="reapply_vm",
        version=1,
        title="Reapply the virtual machine",
        risk=Risk.MEDIUM,
        workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA}),
        permissions=(REAPPLY_ACTION, BACKUP_ACTION),
        docs="https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/vm-stuck-in-failed-state",
        summary="Provisions the machine's present model again, which mends failures that were only momentary, and backs up.",
        proof="Provisioning succeeded, by the instance view; with a backup afterwards also its new recovery point.",
        parameters=(THEN_BACKUP,),
        reads=VM_READS,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Reapply the machine."""
        require(self.spec, request)
        parameters = checked(self.spec, request.parameters)
        vm = await machine(request, read)
        state = vm.provisioning_state.casefold()
        if state == "succeeded":
            raise RequestError(
                f"The provisioning of {vm.name} succeeded: there is nothing to reapply; use rerun_backup."
            )
        extensions = tuple(await read.extensions(vm.id))
        snapshot = snapshot_extension(extensions)
        if snapshot is not None and request.item.workload is Workload.VM and fault_of(snapshot):
            raise RequestError(
                f"The snapshot extension of {vm.name} itself failed, and reapplying would fail again: use"
                " reinstall_snapshot_extension first."
            )
        broken = failing(extensions)
        then = await afterwards(request, parameters["then_backup"], read)
        why = f"{listed(broken)} failed; if that was for a lasting reason, it fails again." if broken else ""
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                "vm": vm.name,
                "provisioning_state": state,
                "failing_extensions": ", ".join(broken) or "none",
                **then.facts,
            },
            calls=(machine_call(vm, "reapply", purpose=f"Reapply {vm.name}"), *then.calls),
            sentence=(
                f"Reapply virtual machine {vm.name}, whose provisioning state is {vm.provisioning_state}"
                f"{then.words and f', and back up {request.item.name}'}."
            ),
            effects=(
                f"Azure provisions the present model of {vm.name} again, extensions included; nothing in the model changes.",
                "It is not restarted as a rule.",
                *then.effects,
            ),
            worst_case="The machine restarts, or its provisioning fails again for the same reason.",
            undo="None is needed: the model stays as it is.",
            duration=timedelta(minutes=10) + (timedelta(hours=2) if then.calls else timedelta()),
            az=(az_vm(vm, "reapply"), *then.az),
            notes=(*((why,) if why else ()), *then.notes),
            problems=(
                *(
                    ()
                    if state == "failed"
                    else (f"{vm.name} is being changed right now ({state}): wait until it settles.",)
                ),
                *then.problems,
            ),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """Provisioning succeeded, and what followed it is proved."""
        vm = await read.virtual_machine(vm_of(plan.calls[0].resource))
        if vm.provisioning_state.casefold() != "succeeded":
            return Proof(proved=None, summary=f"The provisioning state of {vm.name} is {vm.provisioning_state}.")
        return await then_backup_proof(f"The provisioning of {vm.name} succeeded.", plan, facts, read, now)


FIX = ReapplyVm()
