"""Why a backup or restore succeeds or fails: decided from the state of the world at one instant, nothing else."""

from collections.abc import Callable
from datetime import datetime

from simulator.world import agents, machines
from simulator.world.access import (
    STAGING_DATA_ACTIONS,
    allowed,
    covers,
    key_vault_problem,
)
from simulator.world.agents import version_tuple
from simulator.world.errors import ERRORS, JobError
from simulator.world.model import Account, Item, Job, Json, Machine, Workload, World

POINT_LIMIT = 18
OLDEST_MARS = (2, 0, 9083, 0)
OLDEST_MABS = (13, 0, 580, 0)


def backup_error(world: World, item: Item, job: Job, at: datetime) -> JobError | None:
    """The error with which a backup of this item ends at `at`; None when it succeeds."""
    hiccup = item.more.get("hiccup")
    if hiccup and job.started < hiccup["until"]:
        return ERRORS[hiccup["code"]]
    return RULES[item.workload](world, item, job, at)


def _machine_error(world: World, item: Item, machine: Machine | None, at: datetime) -> str:
    if machine is None:
        return "UserErrorVmNotFoundV2"
    machines.settle(machine, at)
    extension = machines.snapshot_extension(machine)
    encryption = machine.encryption
    vault = world.key_vaults.get(encryption["vault"].casefold()) if encryption else None
    rules: tuple[tuple[bool, str], ...] = (
        (machine.provisioning == "Updating", "UserErrorVmNotInDesirableState"),
        (machine.provisioning == "Failed" and not machines.broken(extension), "UserErrorVmProvisioningStateFailed"),
        (machine.needs_power and machine.power != "running", "AzureVmOffline"),
        (
            encryption is not None and (vault is None or key_vault_problem(world, vault, at) != ""),
            "UserErrorKeyVaultPermissionsNotConfigured",
        ),
        (
            machine.power == "running" and machine.agent == "Not Ready",
            "UserErrorGuestAgentStatusUnavailable",
        ),
        (
            world.snapshot_points.get(item.id.casefold(), 0) >= POINT_LIMIT
            and any(covers(lock.scope, restore_point_group(item)) for lock in world.locks),
            "UserErrorRpCollectionLimitReached",
        ),
        (machine.disk_used >= 100, "ExtensionFailedVssWriterInBadState"),  # noqa: PLR2004 a full disk
        (
            machines.broken(extension) and machine.os == "Windows",
            "ExtensionOperationFailedForManagedDisks",
        ),
        (machines.broken(extension), "UserErrorFsFreezeTimeout"),
    )
    return next((code for wrong, code in rules if wrong), "")


def restore_point_group(item: Item) -> str:
    """The resource group that holds the snapshots of a VM item."""
    vault = item.vault
    return f"/subscriptions/{vault.subscription}/resourceGroups/AzureBackupRG_{vault.location}_1"


def _vm(world: World, item: Item, job: Job, at: datetime) -> JobError | None:  # noqa: ARG001 one shape of rule
    machine = machines.machine_of(world, item)
    code = _machine_error(world, item, machine, at)
    if code or machine is None:
        return ERRORS[code or "UserErrorVmNotFoundV2"]
    if machine.power == "running" and machines.snapshot_extension(machine) is None and item.more.get("agent", True):
        machines.install_snapshot_extension(machine)
    return None


def _database(world: World, item: Item, job: Job, at: datetime) -> JobError | None:
    machine = machines.machine_of(world, item)
    if machine is None:
        return ERRORS["UserErrorVmNotFoundV2"]
    machines.settle(machine, at)
    if machine.power != "running":
        return ERRORS["VMNotInRunningStateUserError"]
    workload_extension = next(
        (e for e in machine.extensions.values() if e.publisher == machines.WORKLOAD_PUBLISHER), None
    )
    if workload_extension is not None and workload_extension.state == "Failed":
        return ERRORS["WorkloadExtensionNotReachable"]
    broken = item.more.get("chain", "")
    if broken and job.kind not in ("Full", "CopyOnlyFull"):
        return ERRORS[broken]
    if broken and job.kind == "Full":
        item.more["chain"], item.more["log_until"], item.more["scheduled_kind"] = "", None, ""
    return None


def _files(world: World, item: Item, job: Job, at: datetime) -> JobError | None:  # noqa: ARG001 one shape of rule
    account = world.accounts.get(item.source_id.casefold())
    if account is None:
        return ERRORS["UserErrorStorageAccountIsLocked"]
    if account.shares.get(item.name, False):
        return ERRORS["UserErrorBackupAFSInSoftDeleteState"]
    if any(lock.level == "ReadOnly" and covers(lock.scope, account.id) for lock in world.locks):
        return ERRORS["UserErrorStorageAccountIsLocked"]
    return None


def _mars(world: World, item: Item, job: Job, at: datetime) -> JobError | None:  # noqa: ARG001 one shape of rule
    version = agents.installed(item, at)
    if version and version_tuple(version) < OLDEST_MARS:
        return ERRORS["mars_version_mismatch"]
    if item.more.get("file_in_use"):
        return ERRORS["mars_file_in_use"]
    return None


def _mabs(world: World, item: Item, job: Job, at: datetime) -> JobError | None:  # noqa: ARG001 one shape of rule
    if version_tuple(str(item.more["server_version"])) < OLDEST_MABS:
        return ERRORS["mabs_recovery_point_failed"]
    return None


RULES: dict[Workload, Callable[[World, Item, Job, datetime], JobError | None]] = {
    Workload.VM: _vm,
    Workload.SQL: _database,
    Workload.HANA: _database,
    Workload.FILES: _files,
    Workload.MARS: _mars,
    Workload.MABS: _mabs,
}


def restore_problems(world: World, item: Item, plan: dict[str, str], at: datetime) -> list[str]:
    """The codes that the service's own validation of a VM restore finds, worst first; empty when it would work.

    `plan` holds group (target resource group id), account (staging account id), region, identity ("true" when the
    vault's managed identity is to be used), size, and type (the recoveryType asked for).
    """
    found: list[str] = []
    group = plan.get("group", "")
    account = world.accounts.get(plan.get("account", "").casefold())
    filled = [one for one in (group, account.id if account else "") if one]
    if any(lock.level == "ReadOnly" and covers(lock.scope, one) for lock in world.locks for one in filled):
        found.append("UserErrorResourceIsInLockedState")
    found.extend(_staging_problems(world, item, account, plan, at))
    region = plan["region"]
    size = plan.get("size", "")
    if plan.get("type") != "RestoreDisks":
        if size in world.restricted_sizes.get(region, ()):
            found.append("UserErrorSkuNotAvailable")
        if size_family(size) in world.full_quotas.get(region, ()):
            found.append("UserErrorCoreCountSubscriptionQuotaReached")
    return found


def elsewhere_problem(world: World, item: Item, request: Json) -> str:
    """The code with which a restore of a database or share ends whose target cannot take it; "" when it can.

    `request` is the body that was sent: a database needs a free name unless it may overwrite, a share a target with room.
    """
    if item.workload is Workload.FILES:
        target = request.get("targetDetails") or {}
        account = world.accounts.get(str(target.get("targetResourceId", "")).casefold())
        full = account is not None and target.get("name") in account.full_shares
        return "UserErrorTargetFileShareFull" if full else ""
    target = request.get("targetInfo") or {}
    name = str(target.get("databaseName", "")).rpartition("/")[2]
    taken = bool(name) and name == item.more.get("taken") and target.get("overwriteOption") != "Overwrite"
    return "UserErrorCannotRestoreExistingDBWithoutForceOverwrite" if taken else ""


def _staging_problems(
    world: World, item: Item, account: Account | None, plan: dict[str, str], at: datetime
) -> list[str]:
    if not plan.get("account"):
        return []
    if account is None:
        return ["UserErrorVmVaultLocationMismatch"]
    found = []
    if account.location != plan["region"]:
        found.append("UserErrorVmVaultLocationMismatch")
    if account.acl["defaultAction"] == "Deny" and account.acl["bypass"] == "None":
        found.append("UserErrorNetworkAclSANotSupported")
    identity = item.vault.identity
    if plan.get("identity") == "true" and (
        identity is None
        or not all(allowed(world, identity, a, account.id, at, data=True) for a in STAGING_DATA_ACTIONS)
    ):
        found.append("UserErrorManagedIdentityPermissionsMissing")
    return found


def size_family(size: str) -> str:
    """The quota family of a VM size, for example standardDSv3Family for Standard_D4s_v3."""
    return FAMILIES.get(size, "standardDSv3Family")


FAMILIES = {
    "Standard_D2s_v3": "standardDSv3Family",
    "Standard_D4s_v3": "standardDSv3Family",
    "Standard_D8s_v3": "standardDSv3Family",
    "Standard_E8s_v3": "standardESv3Family",
    "Standard_E16s_v3": "standardESv3Family",
    "Standard_M64ms": "standardMSFamily",
    "Standard_NC24s_v3": "standardNCSv3Family",
}
