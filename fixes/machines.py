"""Virtual machines in plans: reading them, their snapshot extension, and the calls that change them."""

import re

from domain.arm import name_of
from domain.backup import ExtensionStatus, VirtualMachine
from domain.errors import RequestError, ResourceNotFound
from domain.fix import Call, Kind
from domain.ports import BackupReader
from fixes.planning import az
from fixes.registry import PlanRequest
from fixes.steps.machines import COMPUTE_API

_VM_ACTIONS = "Microsoft.Compute/virtualMachines"
START_ACTION = f"{_VM_ACTIONS}/start/action"
REAPPLY_ACTION = f"{_VM_ACTIONS}/reapply/action"
DELETE_EXTENSION_ACTION = f"{_VM_ACTIONS}/extensions/delete"
VM_READS = (f"{_VM_ACTIONS}/read", f"{_VM_ACTIONS}/instanceView/read", f"{_VM_ACTIONS}/extensions/read")

OFF = frozenset({"stopped", "deallocated"})
"""Power states of a machine that is off and stays so."""

_SNAPSHOT_PUBLISHER = "microsoft.azure.recoveryservices"
_SNAPSHOT_TYPES = frozenset({"vmsnapshot", "vmsnapshotlinux"})
_SETTLED_STATES = frozenset({"succeeded", "creating", "updating"})
# VMSnapshotLinux reports success whatever happened; the truth is the code in its message.
_CODE = re.compile(r"StatusCode\.(\w+)")


async def machine(request: PlanRequest, read: BackupReader) -> VirtualMachine:
    """The virtual machine behind the item: the protected one, or the one that hosts the database.

    Raises:
        RequestError: the item names none, or it does not exist any more.
    """
    item = request.item
    if not item.source_id:
        raise RequestError(f"Azure does not say on which virtual machine {item.name} runs.")
    try:
        return await read.virtual_machine(item.source_id)
    except ResourceNotFound:
        raise RequestError(
            f"The virtual machine {name_of(item.source_id)} does not exist any more; its recovery points can still be"
            " restored: use restore_disks, or guide_restore_elsewhere for a database."
        ) from None


def machine_call(vm: VirtualMachine, verb: str, *, purpose: str) -> Call:
    """POST ``…/start`` or ``…/reapply``."""
    return Call(
        method="POST",
        resource=f"{vm.id}/{verb}",
        api_version=COMPUTE_API,
        kind=Kind.COMPUTE,
        purpose=purpose,
        action=f"{_VM_ACTIONS}/{verb}/action",
        scope=vm.id,
    )


def az_vm(vm: VirtualMachine, *command: str) -> str:
    """An ``az vm`` command for the machine."""
    return az("vm", *command, "--ids", vm.id)


def snapshot_extension(extensions: tuple[ExtensionStatus, ...]) -> ExtensionStatus | None:
    """The extension that Azure Backup takes snapshots with, found by publisher and type, since its name varies."""
    for one in extensions:
        if one.publisher.casefold() == _SNAPSHOT_PUBLISHER and one.type.casefold() in _SNAPSHOT_TYPES:
            return one
    return None


def fault_of(extension: ExtensionStatus) -> str:
    """What is wrong with the extension, or "" when nothing is."""
    if extension.provisioning_state.casefold() not in _SETTLED_STATES:
        return f"its provisioning state is {extension.provisioning_state}"
    for code, display, message in extension.statuses:
        if code.casefold().startswith("provisioningstate/failed") or "failed" in display.casefold():
            return message or display or code
        hidden = _CODE.search(message)
        if hidden is not None and hidden[1].casefold() != "success":
            return f"its message says {hidden[1]}, although its status says {display or code}"
    return ""


def failing(extensions: tuple[ExtensionStatus, ...]) -> tuple[str, ...]:
    """Names of the extensions whose provisioning failed: one is enough to fail the whole machine's."""
    return tuple(one.name for one in extensions if one.provisioning_state.casefold() == "failed")
