"""The scripts that may run inside a machine: fixed texts of this repository, never anything that a person or Azure wrote.

Both may run twice without harm. Source of the limits (4,096 bytes of output, one at a time, no cancelling):
https://learn.microsoft.com/azure/virtual-machines/run-command-overview
"""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.backup import VirtualMachine
from domain.fix import Call, Kind, RunFacts
from domain.ports import BackupReader
from fixes.planning import az, section
from fixes.steps.machines import COMPUTE_API, operation

RUN_ACTION = "Microsoft.Compute/virtualMachines/runCommand/action"
RUN_READS = ("Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/locations/operations/read")
HANDS_OUT = f"{RUN_ACTION}, which is root or SYSTEM on every virtual machine in its scope."

SPACE_LINUX: Final = (
    "df -P -k / /var /boot 2>/dev/null | tail -n +2",
    "systemctl is-active walinuxagent waagent 2>/dev/null || true",
)
SPACE_WINDOWS: Final = (
    "Get-CimInstance Win32_LogicalDisk -Filter DriveType=3 | Select DeviceID,FreeSpace,Size | ConvertTo-Json -Compress",
)
UPDATE_MARS: Final = (
    "$ErrorActionPreference = 'Stop'",
    "[Net.ServicePointManager]::SecurityProtocol = 'Tls12'",
    "$installer = Join-Path $env:TEMP 'MARSAgentInstaller.exe'",
    "Invoke-WebRequest -UseBasicParsing -Uri 'https://aka.ms/azurebackup_agent' -OutFile $installer",
    "$signature = Get-AuthenticodeSignature $installer",
    "if ($signature.Status -ne 'Valid' -or $signature.SignerCertificate.Subject -notlike '*O=Microsoft Corporation*') {",
    "  throw 'The installer is not signed by Microsoft: nothing was installed'",
    "}",
    "Start-Process -FilePath $installer -ArgumentList '/q', '/nu' -Wait",
    "$agent = Join-Path $env:ProgramFiles 'Microsoft Azure Recovery Services Agent\\bin\\cbengine.exe'",
    "(Get-Item $agent).VersionInfo.FileVersion",
)


def script_call(vm: VirtualMachine, script: Sequence[str], *, purpose: str) -> Call:
    """Run ``script`` in the machine, as root or SYSTEM.

    Source: https://learn.microsoft.com/rest/api/compute/virtual-machines/run-command
    """
    return Call(
        method="POST",
        resource=f"{vm.id}/runCommand",
        api_version=COMPUTE_API,
        body={"commandId": _command(vm), "script": list(script)},
        kind=Kind.COMPUTE,
        purpose=purpose,
        action=RUN_ACTION,
        scope=vm.id,
    )


def az_script(vm: VirtualMachine, script: Sequence[str]) -> str:
    """The command that runs the script."""
    return az(
        "vm", "run-command", "invoke", "--ids", vm.id, "--command-id", _command(vm), "--scripts", "\n".join(script)
    )


def _command(vm: VirtualMachine) -> str:
    return "RunPowerShellScript" if is_windows(vm) else "RunShellScript"


def is_windows(vm: VirtualMachine) -> bool:
    """Whether the machine runs Windows."""
    return vm.os_type.casefold() == "windows"


def unreachable(vm: VirtualMachine) -> tuple[str, ...]:
    """Why no script can run in the machine now, or nothing."""
    if vm.power_state.casefold() != "running":
        return (f"{vm.name} is {vm.power_state or 'in an unknown power state'}: use start_vm first.",)
    if vm.agent_status.casefold() != "ready":
        said = vm.agent_status or "silent"
        return (f"The agent of {vm.name} is {said}, and only it can run scripts: use guide_repair_vm_agent.",)
    return ()


async def output(vm: VirtualMachine, facts: RunFacts, read: BackupReader) -> str | None:
    """What the script of the plan's first call printed; None while it is not known.

    Linux machines answer one message with ``[stdout]`` and ``[stderr]`` in it, Windows machines one message for each.
    """
    operation_id = facts.references[0].get("operation_id", "") if facts.references else ""
    found = await operation(vm, operation_id, read) if operation_id else None
    if found is None or found.get("status") != "Succeeded":
        return None
    values = section(found, "properties", "output").get("value")
    messages = [_message(one) for one in values] if isinstance(values, Sequence) else []
    text = next((one for one in messages if one), "")
    if "[stdout]" in text:
        text = text.partition("[stdout]")[2].partition("[stderr]")[0]
    return text.strip()


def _message(value: object) -> str:
    if not isinstance(value, Mapping) or "stderr" in str(value.get("code")).casefold():
        return ""
    return str(value.get("message") or "")
