"""Changes of a virtual machine: start, reapply, an extension taken away, a script run inside."""

# ruff: noqa: ARG002 - every step has the same signature, and not every step needs the time

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from domain.arm import name_of, segments, subscription_of
from domain.backup import VirtualMachine
from domain.errors import ResourceNotFound
from domain.fix import Call, Progress, Seen
from domain.ports import BackupReader
from fixes.steps.base import absent, done, failed, running

COMPUTE_API = "2024-03-01"


@dataclass(frozen=True, kw_only=True)
class _State:
    """``begun``: the call surely reached Azure; ``ended``: True well, False badly, None not yet."""

    begun: bool
    ended: bool | None
    note: str
    code: str = ""


class ComputeStep:
    """Calls to Microsoft.Compute: the machine's own state tells, and the operation tells when and why it failed."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the machine is, or is on its way to, what the call asks for.

        A script leaves no trace that could be found without its operation: when it is settled it is said to be not there,
        because the scripts of this project may run twice.
        """
        state = await _state(call, read)
        if state.begun:
            return Seen(there=True, note=state.note)
        return absent(f"its effect ({state.note})", settled=settled)

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """DONE when the machine is as asked; FAILED when the operation says so."""
        operation_id = reference.get("operation_id", "")
        state = await _state(call, read)
        if not state.ended and operation_id:
            state = await _operation_state(call, operation_id, state, read)
        if state.ended:
            return done(state.note, reference)
        if state.ended is False:
            return failed(state.note, reference, state.code)
        return running(state.note, reference)


async def _state(call: Call, read: BackupReader) -> _State:
    vm_id = vm_of(call.resource)
    kind = segments(call.resource)
    if call.method == "DELETE" and "extensions" in kind:
        return await _extension(vm_id, kind["extensions"], read)
    verb = name_of(call.resource).casefold()
    if verb == "runcommand":
        return _State(begun=False, ended=None, note="a script leaves no trace of its own")
    vm = await read.virtual_machine(vm_id)
    if verb == "start":
        on = vm.power_state.casefold()
        return _State(begun=on in {"running", "starting"}, ended=True if on == "running" else None, note=f"power: {on}")
    # Reapply: while it runs the machine is Updating.
    state = vm.provisioning_state.casefold()
    return _State(
        begun=state in {"succeeded", "updating"},
        ended=True if state == "succeeded" else None,
        note=f"provisioning: {state}",
    )


async def _operation_state(call: Call, operation_id: str, state: _State, read: BackupReader) -> _State:
    vm = await read.virtual_machine(vm_of(call.resource))
    found = await operation(vm, operation_id, read)
    status = str((found or {}).get("status") or "")
    if status in {"Failed", "Canceled"}:
        error = (found or {}).get("error")
        said = error if isinstance(error, Mapping) else {}
        note = str(said.get("message") or f"the operation ended as {status}")
        return _State(begun=True, ended=False, note=note, code=str(said.get("code") or status))
    if name_of(call.resource).casefold() == "runcommand":
        ended = True if status == "Succeeded" else None
        return _State(begun=True, ended=ended, note="the script has run" if ended else "the script is running")
    return state


async def _extension(vm_id: str, name: str, read: BackupReader) -> _State:
    for one in await read.extensions(vm_id):
        if one.name.casefold() == name.casefold():
            deleting = one.provisioning_state.casefold() == "deleting"
            return _State(begun=deleting, ended=None, note=f"extension {one.name}: {one.provisioning_state}")
    return _State(begun=True, ended=True, note=f"extension {name} is gone")


async def operation(vm: VirtualMachine, operation_id: str, read: BackupReader) -> Mapping[str, object] | None:
    """An operation of Microsoft.Compute in the machine's region, with its output at the end; None when it is not known.

    Source: https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
    """
    base = f"/subscriptions/{subscription_of(vm.id)}/providers/Microsoft.Compute/locations/{vm.location}/operations"
    try:
        return await read.resource(f"{base}/{quote(operation_id, safe='')}", COMPUTE_API)
    except ResourceNotFound:
        return None


def vm_of(resource: str) -> str:
    """The id of the virtual machine that ``resource`` is, or lies in."""
    pairs = segments(resource)
    return (
        f"/subscriptions/{pairs['subscriptions']}/resourceGroups/{pairs['resourcegroups']}"
        f"/providers/Microsoft.Compute/virtualMachines/{pairs['virtualmachines']}"
    )
