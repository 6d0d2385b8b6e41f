"""How virtual machines change: power, provisioning, extensions, each at the instant that was fixed when it was asked for."""

from datetime import datetime, timedelta

from simulator.world.model import Extension, Item, Machine, Workload, World

SNAPSHOT_PUBLISHER = "Microsoft.Azure.RecoveryServices"
WORKLOAD_PUBLISHER = "Microsoft.Azure.RecoveryServices.WorkloadBackup"
STALE_AGENT = timedelta(minutes=15)


def settle(machine: Machine, at: datetime) -> None:
    """Applies the changes that are due at `at`, in their order."""
    for when, change in sorted(machine.changes):
        if when <= at:
            _apply(machine, change)
    machine.changes = [entry for entry in machine.changes if entry[0] > at]


def _apply(machine: Machine, change: str) -> None:
    verb, _, name = change.partition(" ")
    if verb == "started":
        machine.power = "running"
        if machine.agent == "Absent":
            machine.agent = "Ready"
    elif verb == "reapplied":
        for extension in machine.extensions.values():
            if extension.state == "Failed" and extension.transient:
                extension.state, extension.message = "Succeeded", "Plugin enabled"
        failed = any(extension.state == "Failed" for extension in machine.extensions.values())
        machine.provisioning = "Failed" if failed else "Succeeded"
    elif verb == "deleted":
        machine.extensions.pop(name.casefold(), None)
        if not any(extension.state == "Failed" for extension in machine.extensions.values()):
            machine.provisioning = "Succeeded"


def snapshot_extension(machine: Machine) -> Extension | None:
    """The extension by which Azure Backup takes snapshots, whatever its name; None where it is not installed."""
    for extension in machine.extensions.values():
        if extension.publisher == SNAPSHOT_PUBLISHER:
            return extension
    return None


def broken(extension: Extension | None) -> bool:
    """Whether the extension fails, by its state or by what its message hides."""
    return extension is not None and (extension.state == "Failed" or "StatusCode.Failed" in extension.message)


def install_snapshot_extension(machine: Machine) -> None:
    """What a backup does on a machine that lacks the extension."""
    kind = "VMSnapshotLinux" if machine.os == "Linux" else "VMSnapshot"
    message = healthy_linux_message() if machine.os == "Linux" else "Command execution finished successfully"
    machine.extensions["vmsnapshot"] = Extension("VMSnapshot", SNAPSHOT_PUBLISHER, kind, message=message)


def healthy_linux_message() -> str:
    """The status text that VMSnapshotLinux leaves behind after a good snapshot."""
    return _linux_message("StatusCode.success", "snapshot of all disks taken", 2)


def broken_linux_message(error: str, text: str) -> str:
    """The status text of a failed snapshot; the extension still reports its own state as success."""
    return _linux_message(f"StatusCode.{error}", text, 0)


def _linux_message(code: str, text: str, consistency: int) -> str:
    return (
        f'{{"messageStr": "{code}, {text}", "snapshotInfo": [], "snapshotConsistency": {consistency}, '
        f'"operationName": "Enable"}}'
    )


def machine_of(world: World, item: Item) -> Machine | None:
    """The machine that an item backs up, or that hosts its database; None when it does not exist."""
    if item.workload not in (Workload.VM, Workload.SQL, Workload.HANA):
        return None
    return world.machines.get(item.source_id.casefold())


def leans_on(world: World, item: Item) -> set[str]:
    """What other items may stand on too: the machine, account or server of an item, and its key vault."""
    machine = machine_of(world, item)
    key_vault = machine.encryption["vault"] if machine is not None and machine.encryption else ""
    server = item.more.get("engine") or item.more.get("server") or ""
    return {one.casefold() for one in (item.source_id, key_vault, f"{item.vault.id}/{server}" if server else "") if one}
