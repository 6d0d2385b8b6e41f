"""Faults that show only when somebody restores: each leaves a restore job that failed three hours ago."""

from datetime import datetime, timedelta

from simulator import timings
from simulator.faults.base import VM_ONLY, Fault, lock, machine
from simulator.world import engine
from simulator.world.model import Account, Item, Step, Workload, World, stable_uuid
from simulator.world.physics import size_family

AGO = timedelta(hours=3)
LASTED = 900.0
BETWEEN = timedelta(minutes=20)


def target_group(world: World, item: Item, name: str) -> str:
    """A resource group to restore into, made if it is not there; its id."""
    group = f"/subscriptions/{item.vault.subscription}/resourceGroups/{name}"
    world.groups.setdefault(group.casefold(), (group, item.vault.location))
    return group


def staging_account(world: World, item: Item, prefix: str = "stage", location: str = "") -> Account:
    """A staging account for restores of an item, made in the vault's region unless told otherwise."""
    name = (prefix + stable_uuid(prefix, item.id).replace("-", ""))[:18]
    where = location or item.vault.location
    account = Account(item.vault.subscription, "rg-restore", name, where)
    target_group(world, item, "rg-restore")
    world.accounts[account.id.casefold()] = account
    return account


def _failed_restore(world: World, item: Item, now: datetime, kind: str, code: str, **plan: str) -> None:
    started = now - AGO + BETWEEN * sum(job.operation == "Restore" for job in item.jobs)
    steps = [Step(engine.FETCH, LASTED)]
    if kind != "RestoreDisks":
        steps.append(Step(engine.CREATE, 120.0))
    target = machine(world, item)
    job = engine.start_job(
        world,
        item,
        "Restore",
        started,
        steps,
        region=item.vault.location,
        type=kind,
        size=target.size,
        error=code,
        **plan,
    )
    names = {"RestoreDisks": "Recover disks", "AlternateLocation": "Recover to an alternate location"}
    job.bag = {"Job Type": names[kind], "Target VM Name": f"{item.name}-restored"}
    if plan.get("group"):
        job.bag["Target resource group"] = plan["group"].rpartition("/")[2]
    if plan.get("account"):
        job.bag["Target Storage Account Name"] = plan["account"].rpartition("/")[2]
    engine.make_real(world, item, now - timedelta(hours=1))


def _size(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.size = "Standard_NC24s_v3"
    world.restricted_sizes.setdefault(item.vault.location, set()).add(target.size)
    group = target_group(world, item, "rg-restore")
    _failed_restore(world, item, now, "AlternateLocation", "UserErrorSkuNotAvailable", group=group)


def _quota(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.size = "Standard_E16s_v3"
    world.full_quotas.setdefault(item.vault.location, set()).add(size_family(target.size))
    group = target_group(world, item, "rg-restore")
    code = "UserErrorCoreCountSubscriptionQuotaReached"
    _failed_restore(world, item, now, "AlternateLocation", code, group=group)


def _lock(world: World, item: Item, now: datetime) -> None:
    group = target_group(world, item, "rg-restore-frozen")
    lock(world, group, "freeze", "ReadOnly", "Frozen by the platform team")
    account = staging_account(world, item)
    _failed_restore(
        world, item, now, "RestoreDisks", "UserErrorResourceIsInLockedState", group=group, account=account.id
    )


def _wrong_region(world: World, item: Item, now: datetime) -> None:
    elsewhere = next(region for region in ("uksouth", "westeurope") if region != item.vault.location)
    account = staging_account(world, item, "wrong", elsewhere)
    staging_account(world, item)
    group = target_group(world, item, "rg-restore")
    _failed_restore(
        world, item, now, "RestoreDisks", "UserErrorVmVaultLocationMismatch", group=group, account=account.id
    )


def _firewall(world: World, item: Item, now: datetime) -> None:
    account = staging_account(world, item, "walled")
    account.acl = {"bypass": "None", "defaultAction": "Deny"}
    staging_account(world, item)
    group = target_group(world, item, "rg-restore")
    _failed_restore(
        world, item, now, "RestoreDisks", "UserErrorNetworkAclSANotSupported", group=group, account=account.id
    )


def _identity(world: World, item: Item, now: datetime) -> None:
    vault = item.vault
    vault.identity = vault.identity or stable_uuid("identity", vault.id)
    account = staging_account(world, item, "msi")
    group = target_group(world, item, "rg-restore")
    code = "UserErrorManagedIdentityPermissionsMissing"
    _failed_restore(world, item, now, "RestoreDisks", code, group=group, account=account.id, identity="true")


def _failed_elsewhere(world: World, item: Item, now: datetime, code: str, **bag: str) -> None:
    """A database or share that somebody tried to restore to another place."""
    job = engine.start_job(world, item, "Restore", now - AGO, [Step(engine.FETCH, LASTED)], error=code)
    job.bag = bag
    engine.make_real(world, item, now - timedelta(hours=1))


def _database_exists(world: World, item: Item, now: datetime) -> None:
    taken = f"{item.name}_restored"
    item.more["taken"] = taken
    target = f"{item.more['server']}/{item.more['instance']}/{taken}"
    _failed_elsewhere(
        world,
        item,
        now,
        "UserErrorCannotRestoreExistingDBWithoutForceOverwrite",
        **{"Job Type": "Recovery to an alternate database", "RestoreDestination": target},
    )


def _share_full(world: World, item: Item, now: datetime) -> None:
    account, share = world.accounts[item.source_id.casefold()], "restored"
    account.shares[share] = False
    account.full_shares.add(share)
    _failed_elsewhere(
        world,
        item,
        now,
        "UserErrorTargetFileShareFull",
        **{"Job Type": "Recovery to an alternate file share", "RestoreDestination": f"{account.name}/{share}"},
    )


def _restored_by_people(world: World, item: Item, now: datetime) -> None:
    """Somebody restores to a place that can take it."""
    engine.start_job(world, item, "Restore", now, [Step(engine.FETCH, world.pace.seconds(timings.RESTORE / 2))])


FAULTS = (
    Fault(
        "restore_size_unavailable",
        "restore_target_size_unavailable",
        ("restore_to_other_region",),
        "A restore failed: the VM's size is not offered to this subscription in the region.",
        VM_ONLY,
        _size,
    ),
    Fault(
        "restore_quota_full",
        "restore_quota_exceeded",
        ("restore_to_other_region",),
        "A restore failed: the quota of cores for the VM's family is used up in the region.",
        VM_ONLY,
        _quota,
    ),
    Fault(
        "restore_target_locked",
        "lock_blocks_restore",
        ("lift_lock_for_restore",),
        "A restore failed: its target resource group has a ReadOnly lock.",
        VM_ONLY,
        _lock,
    ),
    Fault(
        "restore_storage_region",
        "restore_storage_unsuitable",
        ("restore_disks",),
        "A restore failed: the staging account is in another region than the vault.",
        VM_ONLY,
        _wrong_region,
    ),
    Fault(
        "restore_storage_firewall",
        "restore_storage_unsuitable",
        ("restore_disks",),
        "A restore failed: the staging account's firewall shuts Azure Backup out.",
        VM_ONLY,
        _firewall,
    ),
    Fault(
        "vault_identity_role",
        "vault_identity_role_missing",
        ("assign_backup_role",),
        "A restore with the vault's managed identity failed: it has no role on the staging account.",
        VM_ONLY,
        _identity,
    ),
    Fault(
        "restore_database_exists",
        "restore_server_unsuitable",
        ("guide_restore_elsewhere",),
        "A restore of the database failed: one of the name that was chosen exists on the target server.",
        frozenset({Workload.SQL}),
        _database_exists,
        _restored_by_people,
    ),
    Fault(
        "restore_share_full",
        "restore_share_unsuitable",
        ("guide_restore_elsewhere",),
        "A restore of the share failed: the share that it should go to became full.",
        frozenset({Workload.FILES}),
        _share_full,
        _restored_by_people,
    ),
)
