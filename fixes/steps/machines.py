"""Changes of a virtual machine: start, reapply, an extension taken away, a script run inside."""

# ruff: noqa: ARG002 - every step has the same signature, and not every step needs the time

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.arm import name_of, segments
from domain.errors import ResourceNotFound
from domain.fix import Call, Progress, Seen
from domain.ports import BackupReader
from fixes.steps.base import absent, done, failed, running

RUN_COMMAND_ENDS = {"succeeded": True, "failed": False, "timedout": False, "canceled": False, "unknown": None}
"""How a managed Run Command ends, in lower case, and whether that end is a good one."""


@dataclass(frozen=True, kw_only=True)
class _State:
    """``begun``: the call surely reached Azure; ``ended``: True well, False badly, None not yet."""

    begun: bool
    ended: bool | None
    note: str
    code: str = ""


class ComputeStep:
    """Calls to Microsoft.Compute; the machine's own state tells, no operation is needed."""

    async def look(self, call: Call, since: datetime, read: BackupReader, *, settled: bool = False) -> Seen:
        """Whether the machine is, or is on its way to, what the call asks for."""
        state = await _state(call, read)
        if state.begun:
            return Seen(there=True, note=state.note)
        return absent(f"its effect ({state.note})", settled=settled)

    async def follow(self, call: Call, reference: Mapping[str, str], since: datetime, read: BackupReader) -> Progress:
        """DONE when the machine is as asked."""
        state = await _state(call, read)
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
    if "runcommands" in kind:
        return await _run_command(vm_id, kind["runcommands"], call, read)
    vm = await read.virtual_machine(vm_id)
    if name_of(call.resource).casefold() == "start":
        on = vm.power_state.casefold()
        return _State(begun=on in {"running", "starting"}, ended=True if on == "running" else None, note=f"power: {on}")
    # Reapply: while it runs the machine is Updating; it may end as Failed once more, and the time limit tells.
    state = vm.provisioning_state.casefold()
    return _State(
        begun=state in {"succeeded", "updating"},
        ended=True if state == "succeeded" else None,
        note=f"provisioning: {state}",
    )


async def _extension(vm_id: str, name: str, read: BackupReader) -> _State:
    for one in await read.extensions(vm_id):
        if one.name.casefold() == name.casefold():
            deleting = one.provisioning_state.casefold() == "deleting"
            return _State(begun=deleting, ended=None, note=f"extension {one.name}: {one.provisioning_state}")
    return _State(begun=True, ended=True, note=f"extension {name} is gone")


async def _run_command(vm_id: str, name: str, call: Call, read: BackupReader) -> _State:
    found = await run_command(vm_id, name, call.api_version, read)
    if call.method == "DELETE":
        gone = found is None
        return _State(
            begun=gone, ended=True if gone else None, note=f"run command {name} is {'gone' if gone else 'there'}"
        )
    if found is None:
        return _State(begun=False, ended=None, note=f"run command {name} is not there")
    view = found.get("instanceView")
    view = view if isinstance(view, Mapping) else {}
    state = str(view.get("executionState") or "Pending")
    ended = RUN_COMMAND_ENDS.get(state.casefold())
    text = str(view.get("error") or view.get("executionMessage") or f"run command {name}: {state}")
    return _State(begun=True, ended=ended, note=text if ended is False else f"run command {name}: {state}", code=state)


async def run_command(vm_id: str, name: str, api_version: str, read: BackupReader) -> Mapping[str, object] | None:
    """The properties of the machine's managed Run Command of that name, with its output; None when there is none."""
    try:
        listed = await read.resources(f"{vm_id}/runCommands", api_version, {"$expand": "instanceView"})
    except ResourceNotFound:
        return None
    for one in listed:
        if str(one.get("name", "")).casefold() == name.casefold():
            properties = one.get("properties")
            return properties if isinstance(properties, Mapping) else {}
    return None


def vm_of(resource: str) -> str:
    """The id of the virtual machine that ``resource`` is, or lies in."""
    pairs = segments(resource)
    return (
        f"/subscriptions/{pairs['subscriptions']}/resourceGroups/{pairs['resourcegroups']}"
        f"/providers/Microsoft.Compute/virtualMachines/{pairs['virtualmachines']}"
    )
