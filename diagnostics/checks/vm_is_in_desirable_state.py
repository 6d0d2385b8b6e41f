"""The VM is in a state that backups accept: provisioned, and running or stopped rather than in between."""

from collections.abc import Mapping, Sequence

from diagnostics.error_codes import ErrorCode
from diagnostics.history import backup_errors, both, subject
from diagnostics.registry import Context, check
from diagnostics.verdicts import Verdicts
from domain.backup import ExtensionStatus, ProtectedItem, VirtualMachine, Workload
from domain.errors import GatewayError, ResourceNotFound
from domain.finding import Evidence, Finding

say = Verdicts(__name__)

_HOSTED = frozenset({Workload.VM, Workload.SQL, Workload.HANA})
_OFF = frozenset({"deallocated", "stopped"})
_NEEDS_POWER = frozenset({"AzureVmOffline", "VMNotInRunningStateUserError"})
_SNAPSHOT_PUBLISHER = "microsoft.azure.recoveryservices"


@check(
    title="The VM is in a state that backups accept",
    runbook=("diagnostic_error_code", "cause_snapshot_failure"),
    workloads=_HOSTED,
    permissions=(
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/instanceView/read",
        "Microsoft.Compute/virtualMachines/extensions/read",
        "Microsoft.RecoveryServices/Vaults/backupJobs/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-vms-troubleshoot",
    suggests=("start_vm", "reapply_vm", "restore_disks", "guide_restore_elsewhere", "guide_repair_vm_agent"),
    az="az vm get-instance-view --ids <vm id> --query instanceView.statuses",
    portal="Virtual machine > Overview",
)
async def vm_is_in_desirable_state(context: Context) -> Finding:
    """Read the VM with its instance view, its extensions where provisioning failed, and the last backup's code."""
    item = subject(context)
    if not item.source_id:
        return say.not_asked("This item names no VM.")

    (vm, extensions), errors = await both(_look(context, item.source_id), backup_errors(context))
    return judge(item, vm, extensions, errors)


async def _look(context: Context, vm_id: str) -> tuple[VirtualMachine | None, Sequence[ExtensionStatus]]:
    try:
        vm = await context.read.virtual_machine(vm_id)
    except ResourceNotFound:
        return None, ()
    if vm.provisioning_state.casefold() != "failed":
        return vm, vm.extensions
    try:
        return vm, await context.read.extensions(vm_id)
    except GatewayError:
        return vm, vm.extensions


def judge(
    item: ProtectedItem,
    vm: VirtualMachine | None,
    extensions: Sequence[ExtensionStatus],
    errors: Sequence[ErrorCode],
) -> Finding:
    """Judge power and provisioning state; a deallocated VM can be backed up, a database on it cannot."""
    if vm is None:
        return say.bad(
            f"The VM behind {item.name} does not exist any more where the vault looks for it; its recovery points can still "
            "be restored.",
            evidence={"vm": item.source_id},
            facts={"vm": "missing"},
            suggests=("restore_disks",) if item.workload is Workload.VM else ("guide_restore_elsewhere",),
        )
    power, state = vm.power_state.casefold(), vm.provisioning_state.casefold()
    failing = failing_extensions(extensions)
    evidence = {
        "vm": vm.name,
        "power_state": vm.power_state or None,
        "provisioning_state": vm.provisioning_state or None,
        "failing_extensions": [one.name for one in failing],
        "messages": list(vm.status_messages),
    }
    facts = {"power_state": power, "provisioning_state": state}
    if state == "failed":
        others = [one for one in failing if one.publisher.casefold() != _SNAPSHOT_PUBLISHER]
        facts["failing_extension"] = ("other" if others else "snapshot") if failing else "none"
        offline = power in _OFF and _asks_for_power(item, errors)
        also = f" It is {vm.power_state} too, and its backups need it to run." if offline else ""
        return say.bad(
            f"The VM's provisioning state is Failed{_blame(failing)}; no snapshot starts before it is mended.{also}",
            evidence=evidence,
            facts={**facts, **({"needs_power": "yes"} if offline else {})},
            suggests=("reapply_vm", "guide_repair_vm_agent", *(("start_vm",) if offline else ())),
        )
    if state not in {"succeeded", ""}:
        return say.bad(
            f"The VM is being changed right now (provisioning state {vm.provisioning_state}); a backup has to wait for that.",
            evidence=evidence,
            facts={**facts, "in_between": "yes"},
            suggests=("reapply_vm",),
        )
    if power in _OFF:
        return _switched_off(item, vm, errors, evidence, facts)
    if power == "running":
        return say.good(f"The VM {vm.name} is running and provisioned.", evidence=evidence, facts=facts)
    if power in {"", "unknown"}:
        return say.unclear("Azure does not report whether the VM runs.", evidence=evidence, facts=facts)
    return say.bad(
        f"The VM is {vm.power_state}: it is neither running nor stopped, and a backup has to wait for that.",
        evidence=evidence,
        facts={**facts, "in_between": "yes"},
        suggests=("start_vm",),
    )


def failing_extensions(extensions: Sequence[ExtensionStatus]) -> tuple[ExtensionStatus, ...]:
    """Those whose provisioning failed; one of them makes the whole VM's provisioning failed."""
    return tuple(
        one
        for one in extensions
        if one.provisioning_state.casefold() == "failed"
        or any(code.casefold().startswith("provisioningstate/failed") for code, _, _ in one.statuses)
    )


def _blame(failing: Sequence[ExtensionStatus]) -> str:
    if not failing:
        return ""
    names = ", ".join(f"{one.name} ({one.publisher}.{one.type})" for one in failing)
    return f" because of the extension{'s' if len(failing) > 1 else ''} {names}"


def _asks_for_power(item: ProtectedItem, errors: Sequence[ErrorCode]) -> str:
    """The error by which the item's backups say that the VM must run; for a database, which always needs it, its name."""
    if item.workload is not Workload.VM:
        return item.name
    return next((error.name for error in errors if error.name in _NEEDS_POWER), "")


def _switched_off(
    item: ProtectedItem,
    vm: VirtualMachine,
    errors: Sequence[ErrorCode],
    evidence: Evidence,
    facts: Mapping[str, str],
) -> Finding:
    if item.workload is not Workload.VM:
        return say.bad(
            f"The VM {vm.name} that hosts the {item.workload.words} is {vm.power_state}; the database can only be backed up "
            "while it runs.",
            evidence=evidence,
            facts={**facts, "needs_power": "yes"},
            suggests=("start_vm",),
        )
    need = _asks_for_power(item, errors)
    if need:
        return say.bad(
            f"The VM {vm.name} is {vm.power_state}, and its last backups failed with {need}, which needs it to run.",
            evidence=evidence,
            facts={**facts, "needs_power": "yes"},
            suggests=("start_vm",),
        )
    return say.good(
        f"The VM {vm.name} is {vm.power_state}; that is fine for backups, which are crash-consistent then.",
        evidence=evidence,
        facts=facts,
    )
