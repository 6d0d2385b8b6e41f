"""Look inside a virtual machine how full its disks are."""

import json
from datetime import datetime, timedelta

from domain.arm import key
from domain.backup import Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.machines import machine
from fixes.planning import checked, common, require, switched_on
from fixes.registry import FixSpec, PlanRequest
from fixes.scripts import (
    HANDS_OUT,
    RUN_ACTION,
    RUN_READS,
    SPACE_LINUX,
    SPACE_WINDOWS,
    az_script,
    is_windows,
    output,
    script_call,
    unreachable,
)
from fixes.steps.machines import vm_of

_COLUMNS = 6
_GIB_IN_KIB = 1024 * 1024
_NEARLY_FULL = 5


class ProbeOsDisk:
    """One script that reads; it changes nothing."""

    spec = FixSpec(
        id="probe_os_disk",
        version=1,
        title="Look how full the disks are",
        risk=Risk.HIGH,
        workloads=frozenset({Workload.VM}),
        permissions=(RUN_ACTION,),
        docs="https://learn.microsoft.com/azure/virtual-machines/run-command-overview",
        summary="Runs a fixed script in the machine that prints how full its disks are, and changes nothing.",
        proof="The values came back.",
        off_by_default=True,
        hands_out=HANDS_OUT,
        reads=RUN_READS,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """Run the script."""
        require(self.spec, request)
        parameters = checked(self.spec, request.parameters)
        vm = await machine(request, read)
        script = SPACE_WINDOWS if is_windows(vm) else SPACE_LINUX
        return FixPlan(
            **common(self.spec, request, parameters),
            precondition={
                "vm": key(vm.id),
                "os": vm.os_type,
                "power_state": vm.power_state.casefold(),
                "agent": vm.agent_status,
            },
            calls=(script_call(vm, script, purpose=f"Look how full the disks of {vm.name} are"),),
            sentence=f"Run a script that only reads in virtual machine {vm.name}, to see how full its disks are.",
            effects=(
                f"This script runs once in {vm.name} as {'SYSTEM' if is_windows(vm) else 'root'}: {' ; '.join(script)}",
                "Nothing in the machine is changed.",
            ),
            worst_case="The script hangs for up to 90 minutes; no other script can run in the machine meanwhile.",
            undo="None is needed.",
            duration=timedelta(minutes=2),
            az=(az_script(vm, script),),
            problems=(*switched_on(self.spec, request), *unreachable(vm)),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:  # noqa: ARG002
        """The values."""
        vm = await read.virtual_machine(vm_of(plan.calls[0].resource))
        printed = await output(vm, facts, read)
        if printed is None:
            return Proof(proved=None, summary=f"The script in {vm.name} has not answered yet.")
        disks = windows_space(printed) if is_windows(vm) else linux_space(printed)
        if not disks:
            return Proof(proved=False, summary=f"The answer of {vm.name} cannot be read: {printed[:200] or 'nothing'}")
        full = [name for name, (free, size) in disks.items() if free * 100 < size * _NEARLY_FULL]
        said = "; ".join(f"{name} {_gib(free)} of {_gib(size)} GiB free" for name, (free, size) in disks.items())
        verdict = f" Nearly full: {', '.join(full)}; use guide_free_os_disk." if full else " None is nearly full."
        return Proof(
            proved=True,
            summary=f"{said}.{verdict}",
            evidence={name: f"{free} of {size} KiB free" for name, (free, size) in disks.items()},
        )


def _gib(kib: int) -> str:
    return f"{kib / _GIB_IN_KIB:.1f}"


def linux_space(printed: str) -> dict[str, tuple[int, int]]:
    """(free, size) in KiB by mount point, from the lines of ``df -P -k``."""
    found = {}
    for line in printed.splitlines():
        parts = line.split(maxsplit=_COLUMNS - 1)
        if len(parts) == _COLUMNS and parts[1].isdigit() and parts[3].isdigit():
            found[parts[5]] = (int(parts[3]), int(parts[1]))
    return found


def windows_space(printed: str) -> dict[str, tuple[int, int]]:
    """(free, size) in KiB by drive, from what ``ConvertTo-Json`` prints: one object, or a list of several."""
    try:
        read = json.loads(printed)
    except json.JSONDecodeError:
        return {}
    found = {}
    for disk in read if isinstance(read, list) else [read]:
        if isinstance(disk, dict) and isinstance(disk.get("FreeSpace"), int) and isinstance(disk.get("Size"), int):
            found[str(disk.get("DeviceID"))] = (disk["FreeSpace"] // 1024, disk["Size"] // 1024)
    return found


FIX = ProbeOsDisk()
