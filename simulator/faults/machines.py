"""Faults of virtual machines: key vaults, agents, disks, extensions, power."""

from datetime import datetime, timedelta

from simulator.faults.base import VM_ONLY, Fault, failing, lock, machine, passed
from simulator.world.access import assign, key_vault_problem
from simulator.world.machines import broken, broken_linux_message, install_snapshot_extension, snapshot_extension
from simulator.world.model import Extension, Item, KeyVault, World, stable_uuid
from simulator.world.physics import POINT_LIMIT, restore_point_group
from simulator.world.roles import KEY_VAULT_ROLE


def _key_vault(world: World, item: Item) -> KeyVault:
    """The key vault of an encrypted VM; a VM that was not encrypted is, from now on, with a key vault of its own."""
    target = machine(world, item)
    if target.encryption is None:
        name = f"kv-{stable_uuid('key vault', item.id)[:13]}"
        own = KeyVault(
            target.subscription, "rg-security", name, target.location, keys=["disk-key"], secrets=["disk-secret"]
        )
        group = f"/subscriptions/{own.subscription}/resourceGroups/{own.group}"
        world.groups.setdefault(group.casefold(), (group, own.location))
        world.key_vaults[own.id.casefold()] = own
        target.encryption = {"vault": own.id, "uri": f"https://{name}.vault.azure.net"}
        assign(world, KEY_VAULT_ROLE, world.backup_service(), own.id)
    return world.key_vaults[target.encryption["vault"].casefold()]


def _no_grant(world: World, item: Item, now: datetime) -> None:
    vault = _key_vault(world, item)
    vault.rbac = True
    service = world.backup_service().oid
    for key, assignment in tuple(world.assignments.items()):
        if assignment.scope.casefold() == vault.id.casefold() and assignment.principal == service:
            del world.assignments[key]
    if key_vault_problem(world, vault, now) != "rbac":
        raise LookupError(f"{item.name}: the backup service has rights on {vault.name} from elsewhere")
    failing(world, item, now)


def _no_policy(world: World, item: Item, now: datetime) -> None:
    vault = _key_vault(world, item)
    vault.rbac = False
    vault.policies = [p for p in vault.policies if p["objectId"] != world.backup_service().oid]
    failing(world, item, now)


def _firewall(world: World, item: Item, now: datetime) -> None:
    vault = _key_vault(world, item)
    vault.acl = {"bypass": "None", "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": []}
    failing(world, item, now)


def _open_firewall(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    _key_vault(world, item).acl = None


def _hiccup(world: World, item: Item, now: datetime) -> None:
    passed(world, item, now, "ExtensionSnapshotFailedNoNetwork")


def _dead_agent(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.agent, target.agent_version, target.agent_seen = "Not Ready", "Unknown", now - timedelta(hours=9)
    failing(world, item, now)


def _live_agent(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    target = machine(world, item)
    target.agent, target.agent_version, target.agent_seen = "Ready", "2.11.1.12", None


def _full_disk(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.os, target.disk_used = "Windows", 100
    extension = snapshot_extension(target)
    if extension is None or not broken(extension):
        install_snapshot_extension(target)
        target.extensions[
            "vmsnapshot"
        ].message = (
            "Snapshot failed: VSS could not create a shadow copy, not enough storage space on volume C: (0x80042306)"
        )
    failing(world, item, now)


def _free_disk(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    target = machine(world, item)
    target.disk_used = 61
    extension = snapshot_extension(target)
    if extension is not None and not broken(extension):
        extension.message = "Command execution finished successfully"


def _broken_extension(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.os = "Windows"
    install_snapshot_extension(target)
    target.extensions["vmsnapshot"].state = "Failed"
    target.extensions["vmsnapshot"].message = "The snapshot extension could not be enabled: plugin files are damaged"
    failing(world, item, now)


def _hidden_extension(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.os = "Linux"
    install_snapshot_extension(target)
    target.extensions["vmsnapshot"].message = broken_linux_message(
        "FailedRetryableFsFreezeTimeout", "freezing the file systems took longer than allowed"
    )
    failing(world, item, now)


def _failed_provisioning(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.provisioning = "Failed"
    target.extensions["custommonitoring"] = Extension(
        "CustomMonitoring",
        "Contoso.Monitoring",
        "MonitoringAgent",
        state="Failed",
        message="Provisioning of VM extension CustomMonitoring has timed out",
        transient=True,
    )
    failing(world, item, now)


def _switched_off(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.power, target.agent, target.needs_power = "deallocated", "Absent", True
    failing(world, item, now)


def _point_lock(world: World, item: Item, now: datetime) -> None:
    group = restore_point_group(item)
    world.groups[group.casefold()] = (group, item.vault.location)
    lock(world, group, "do-not-delete", "CanNotDelete", "Made by the platform team")
    world.snapshot_points[item.id.casefold()] = POINT_LIMIT
    failing(world, item, now)


def _remove_point_lock(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    group = restore_point_group(item).casefold()
    world.locks = [lock for lock in world.locks if lock.scope.casefold() != group]


FAULTS = (
    Fault(
        "key_vault_access",
        "key_vault_access_missing",
        ("grant_key_vault_access",),
        "Disk-encrypted VM whose key vault uses RBAC; the backup service holds no role there.",
        VM_ONLY,
        _no_grant,
        spreads=True,
    ),
    Fault(
        "key_vault_policy",
        "key_vault_policy_missing",
        ("add_key_vault_policy",),
        "Disk-encrypted VM whose key vault uses access policies; none names the backup service.",
        VM_ONLY,
        _no_policy,
        spreads=True,
    ),
    Fault(
        "key_vault_firewall",
        "key_vault_firewall_blocks",
        (),
        "Disk-encrypted VM; the key vault's firewall denies everybody and trusted services too.",
        VM_ONLY,
        _firewall,
        _open_firewall,
        spreads=True,
    ),
    Fault(
        "transient",
        "transient_failure",
        ("rerun_backup",),
        "The last scheduled backup failed for a reason that has passed.",
        VM_ONLY,
        _hiccup,
    ),
    Fault(
        "agent_dead",
        "vm_agent_not_responding",
        ("guide_repair_vm_agent",),
        "The VM agent has not reported for hours.",
        VM_ONLY,
        _dead_agent,
        _live_agent,
    ),
    Fault(
        "os_disk_full",
        "os_disk_full",
        ("guide_free_os_disk", "probe_os_disk"),
        "No space is left on the OS disk, so no shadow copy can be made.",
        VM_ONLY,
        _full_disk,
        _free_disk,
    ),
    Fault(
        "extension_failed",
        "snapshot_extension_failed",
        ("reinstall_snapshot_extension",),
        "The VMSnapshot extension is in failed state.",
        VM_ONLY,
        _broken_extension,
    ),
    Fault(
        "extension_hidden_failure",
        "snapshot_extension_failed",
        ("reinstall_snapshot_extension",),
        "VMSnapshotLinux says succeeded, its message says that the snapshot failed.",
        VM_ONLY,
        _hidden_extension,
    ),
    Fault(
        "provisioning_failed",
        "vm_not_in_desirable_state",
        ("reapply_vm",),
        "Another extension failed for a moment and left the VM in failed provisioning state.",
        VM_ONLY,
        _failed_provisioning,
    ),
    Fault(
        "vm_deallocated",
        "vm_deallocated",
        ("start_vm",),
        "The VM is deallocated and its backup needs it running.",
        VM_ONLY,
        _switched_off,
    ),
    Fault(
        "restore_point_lock",
        "lock_blocks_restore_points",
        (),
        "A lock on the restore point resource group keeps old points; the limit of 18 is reached.",
        VM_ONLY,
        _point_lock,
        _remove_point_lock,
    ),
)
