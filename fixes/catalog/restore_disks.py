"""Restore a virtual machine's disks to a staging place in the vault's own region."""

import asyncio
from datetime import datetime

from domain.backup import Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.planning import checked, common, guarded, require, utc
from fixes.registry import FixSpec, PlanRequest
from fixes.restores import (
    RESTORE_ACTION,
    RESTORE_COST,
    RESTORE_DURATION,
    RESTORE_PARAMETERS,
    RESTORE_READS,
    RESTORE_WORST_CASE,
    az_restore,
    choose_point,
    choose_target,
    point_name,
    restore_call,
    restore_effects,
    restore_facts,
    restore_proof,
    restore_undo,
)

INSTEAD = {
    Workload.SQL: "Use guide_restore_elsewhere.",
    Workload.HANA: "Use guide_restore_elsewhere.",
    Workload.FILES: "Use guide_restore_elsewhere.",
    Workload.MARS: "Restore in the agent's own console, on any machine that is registered with the vault.",
    Workload.MABS: "Restore in the console of the MABS or DPM server.",
}


class RestoreDisks:
    """One call; disks only, because a machine of one's own can be made of them without any risk for the old one."""

    spec = FixSpec(
        id="restore_disks",
        version=1,
        title="Restore the disks",
        risk=Risk.HIGH,
        workloads=frozenset({Workload.VM}),
        permissions=(RESTORE_ACTION, "Microsoft.Storage/storageAccounts/read"),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-arm-restore-vms#restore-disks",
        summary="Restores the disks of a recovery point into a staging resource group, next to the machine that exists.",
        proof="The restore job completed and the restored disks exist.",
        parameters=RESTORE_PARAMETERS,
        reads=RESTORE_READS,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Preflight, then the restore."""
        require(self.spec, request, INSTEAD)
        item, vault = request.item, request.vault
        parameters = checked(self.spec, request.parameters)
        point, target = await asyncio.gather(
            choose_point(request, parameters["recovery_point"], read),
            choose_target(request, parameters, vault.location, read),
        )
        name = point_name(point)
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition=restore_facts(item, name, point.at, target),
            calls=(restore_call(item, point, target),),
            sentence=(
                f"Restore the disks of Azure VM {item.name} as of {utc(point.at)} to resource group {target.group_name}."
            ),
            effects=restore_effects(item, point.at, target),
            worst_case=RESTORE_WORST_CASE,
            undo=restore_undo(target),
            duration=RESTORE_DURATION,
            cost=RESTORE_COST,
            az=(az_restore(item, name, target),),
            notes=target.notes,
            problems=(*guarded(vault, "a restore"), *target.problems),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """The restored disks exist."""
        return await restore_proof(plan, facts, read)


FIX = RestoreDisks()
