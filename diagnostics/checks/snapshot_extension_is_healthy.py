"""The extension that takes the snapshots, or backs up the databases, works, including what its status hides."""

from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics.guest import HANDLER, full_disk_hint, hidden_failure, is_snapshot, is_workload_backup, messages
from diagnostics.history import both, subject
from diagnostics.machines import extensions_of
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting
from diagnostics.verdicts import Verdicts
from domain.backup import ExtensionStatus, ProtectedItem, VirtualMachine, Workload
from domain.errors import ResourceNotFound
from domain.finding import Finding

say = Verdicts(__name__)

_SHOWN = 300


@check(
    title="The backup extension in the VM works",
    runbook=("diagnostic_vm_extension", "resolution_extension", "cause_snapshot_failure"),
    workloads=frozenset({Workload.VM, Workload.SQL, Workload.HANA}),
    permissions=("Microsoft.Compute/virtualMachines/extensions/read", "Microsoft.Compute/virtualMachines/read"),
    docs="https://learn.microsoft.com/azure/virtual-machines/extensions/vmsnapshot-windows",
    suggests=("reinstall_snapshot_extension", "guide_repair_vm_agent", "guide_free_os_disk"),
    az="az vm extension list --ids <vm id> --query \"[?publisher=='Microsoft.Azure.RecoveryServices']\"",
    portal="Virtual machine > Settings > Extensions + applications",
)
async def snapshot_extension_is_healthy(context: Context) -> Finding:
    """Read the VM's extensions with their messages, and the agent's view of their handlers."""
    item = subject(context)
    if not item.source_id:
        return say.not_asked("This item names no VM.")
    try:
        extensions, vm = await both(
            extensions_of(context, item.source_id), context.read.virtual_machine(item.source_id)
        )
    except ResourceNotFound:
        return say.not_asked("The VM does not exist, so it has no extensions.")
    return judge(item, extensions, vm)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with an extension, and what kind of trouble that is."""

    reason: str
    words: str


def fault_of(extension: ExtensionStatus, handler: str) -> Fault | None:
    """What is wrong with the extension; ``handler`` is the agent's word for its handler, or ""."""
    said = messages(extension)
    full = full_disk_hint(said)
    if full:
        return Fault(reason="disk_full", words=f"it found no room on the disk: {full[:_SHOWN]}")
    state = extension.provisioning_state.casefold()
    if state not in {"succeeded", ""}:
        told = f": {said[0][:_SHOWN]}" if said else ""
        return Fault(reason="state", words=f"its provisioning state is {extension.provisioning_state}{told}")
    hidden = hidden_failure(extension)
    if hidden:
        return Fault(
            reason="hidden",
            words=f"its status says succeeded, but its message says that the last snapshot failed ({hidden})",
        )
    if handler and handler.casefold() != "ready":
        return Fault(reason="handler", words=f"the VM agent calls its handler {handler}")
    return None


def judge(item: ProtectedItem, extensions: Sequence[ExtensionStatus], vm: VirtualMachine | None) -> Finding:
    """Healthy, broken, or absent, which is no fault by itself."""
    workload = item.workload is not Workload.VM
    kind = "workload" if workload else "snapshot"
    mine = [one for one in extensions if (is_workload_backup(one) if workload else is_snapshot(one))]
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "extensions": [f"{one.name} ({one.type}): {one.provisioning_state}" for one in mine],
        "all_extensions": len(extensions),
    }
    if not mine:
        return say.good(
            "No backup extension is listed on the VM. That is no fault: backups bring it along when they need it, and "
            "current ones of managed disks may not list it. (The runbook's MicrosoftAzureRecoveryServices is not the name "
            "of any extension.)",
            evidence=evidence,
            facts={"kind": kind, "present": "no"},
        )
    for one in mine:
        fault = fault_of(one, _handler(one, vm))
        if fault is None:
            continue
        evidence |= {"name": one.name, "version": one.version or None, "messages": [m[:_SHOWN] for m in messages(one)]}
        return say.bad(
            f"The extension {one.name} ({one.type}) is not healthy: {fault.words}.",
            evidence=evidence,
            facts={"kind": kind, "reason": fault.reason, "extension": one.name},
            suggests=_suggested(item, fault),
        )
    names = ", ".join(f"{one.name} ({one.type})" for one in mine)
    return say.good(f"The backup extension is healthy: {names}.", evidence=evidence, facts={"kind": kind})


def _handler(extension: ExtensionStatus, vm: VirtualMachine | None) -> str:
    """The agent's display status of the extension's handler, which only the VM's own view tells."""
    for one in vm.extensions if vm else ():
        if one.type.casefold() == extension.type.casefold():
            for code, display, _ in one.statuses:
                if code.casefold().startswith(HANDLER):
                    return display
    return ""


def _suggested(item: ProtectedItem, fault: Fault) -> tuple[str, ...]:
    if fault.reason == "disk_full":
        return fitting(("guide_free_os_disk",), item.workload)
    return fitting(("reinstall_snapshot_extension",), item.workload) or fitting(
        ("guide_repair_vm_agent",), item.workload
    )
