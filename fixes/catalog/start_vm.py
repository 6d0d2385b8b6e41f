"""Start the virtual machine that has to run for its backup."""

from datetime import datetime, timedelta

from domain.backup import Workload
from domain.errors import RequestError
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.backups import BACKUP_ACTION, THEN_BACKUP, afterwards, then_backup_proof
from fixes.machines import OFF, START_ACTION, VM_READS, az_vm, machine, machine_call
from fixes.planning import checked, common, require
from fixes.registry import FixSpec, PlanRequest
from fixes.steps.machines import vm_of


class StartVm:
    """Start, and back up."""

    spec = FixSpec(
        id="start_vm",
        version=1,
        title="Start the virtual machine",
        risk=Risk.MEDIUM,
        workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA}),
        permissions=(START_ACTION, BACKUP_ACTION),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot",
        summary="Starts the virtual machine behind the item, and runs the backup that needed it.",
        proof="The machine runs, by its instance view; with a backup afterwards also its new recovery point.",
        parameters=(THEN_BACKUP,),
        reads=VM_READS,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Start the machine."""
        require(self.spec, request)
        parameters = checked(self.spec, request.parameters)
        vm = await machine(request, read)
        power = vm.power_state.casefold()
        if power == "running":
            raise RequestError(f"{vm.name} is running already: use rerun_backup.")
        then = await afterwards(request, parameters["then_backup"], read)
        problems = (
            () if power in OFF else (f"{vm.name} is {power or 'in an unknown power state'}: wait until it settles.",)
        )
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={"vm": vm.name, "power_state": power, **then.facts},
            calls=(machine_call(vm, "start", purpose=f"Start {vm.name}"), *then.calls),
            sentence=f"Start virtual machine {vm.name}{then.words and f', and back up {request.item.name}'}.",
            effects=(
                f"{vm.name} boots, and everything in it that starts by itself starts: services, schedules, licences.",
                *then.effects,
            ),
            worst_case="It was switched off on purpose: two machines of one role may run at once, or nobody wants its costs.",
            undo=f"Stop it again: {az_vm(vm, 'deallocate')}",
            duration=timedelta(minutes=5) + (timedelta(hours=2) if then.calls else timedelta()),
            cost="The machine costs compute time as long as it runs.",
            az=(az_vm(vm, "start"), *then.az),
            notes=then.notes,
            problems=(*problems, *then.problems),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """The machine runs, and what followed it is proved."""
        vm = await read.virtual_machine(vm_of(plan.calls[0].resource))
        if vm.power_state.casefold() != "running":
            return Proof(proved=None, summary=f"{vm.name} is {vm.power_state or 'in an unknown power state'}.")
        return await then_backup_proof(f"{vm.name} is running.", plan, facts, read, now)


FIX = StartVm()
