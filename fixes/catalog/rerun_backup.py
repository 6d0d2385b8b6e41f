"""Run the backup again, now: the fix for every failure whose reason has passed."""

import asyncio
from datetime import datetime

from domain.backup import Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.backup_type import choose_type
from fixes.backups import (
    BACKUP_ACTION,
    DURATIONS,
    INSTEAD,
    LOADS,
    RETAIN_UNTIL,
    a_backup,
    az_backup,
    backup_call,
    backup_facts,
    backup_proof,
    busy,
    running_backups,
)
from fixes.planning import checked, common, refuse_unprotected, require
from fixes.registry import FixSpec, Parameter, PlanRequest

_TYPES = ("Full", "Differential", "Incremental", "Log", "CopyOnlyFull")


class RerunBackup:
    """Backup now, of the type that is needed."""

    spec = FixSpec(
        id="rerun_backup",
        version=1,
        title="Run the backup again",
        risk=Risk.LOW,
        workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA, Workload.FILES}),
        permissions=(BACKUP_ACTION,),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-arm-userestapi-backupazurevms#trigger-an-on-demand-backup",
        summary="Starts a backup of the item now, of the type that is needed, and waits for its recovery point.",
        proof="The backup job completed and there is a recovery point newer than the start.",
        parameters=(
            Parameter(
                name="backup_type",
                label="Type of the backup (databases only)",
                pattern="[A-Za-z]+",
                choices=_TYPES,
                help="Empty: the type that is needed",
            ),
            RETAIN_UNTIL,
        ),
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """One call: backup now."""
        require(self.spec, request, INSTEAD)
        item = request.item
        parameters = checked(self.spec, request.parameters)
        refuse_unprotected(item)
        running, (kind, why) = await asyncio.gather(
            running_backups(request, read), choose_type(request, parameters["backup_type"], read)
        )
        until = parameters["retain_until"]
        kept = f" and keep its recovery point until {until}" if until else ""
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition=backup_facts(item, running),
            calls=(backup_call(item, backup_type=kind, retain_until=until),),
            sentence=f"Run {a_backup(kind)} of {item.workload.words} {item.name} in {request.vault.id.name} now{kept}.",
            effects=(
                f"One backup job of {item.name} runs in {request.vault.id.name}.",
                LOADS[item.workload],
                "One more recovery point is kept" + (f" until {until}." if until else " for 30 days."),
            ),
            worst_case="The backup fails again for the same reason; nothing else changes.",
            undo="None is needed: the recovery point expires by itself; a running job can be cancelled in the vault.",
            duration=DURATIONS[item.workload],
            cost="Storage for one more recovery point.",
            az=(az_backup(item, backup_type=kind, retain_until=until),),
            notes=(why,) if why else (),
            problems=busy(item, running),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """Job completed and a new recovery point."""
        return await backup_proof(plan, facts, read, now)


FIX = RerunBackup()
