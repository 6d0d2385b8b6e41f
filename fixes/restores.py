"""Restoring a virtual machine's disks: where to, from which point, what stands in the way.

Source: https://learn.microsoft.com/azure/backup/backup-azure-arm-userestapi-restoreazurevms
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from diagnostics.history import code_of, error_text, explain, identity_fact
from diagnostics.locks import reaches
from domain.arm import ItemId, key, name_of, resource_group_id, subscription_of
from domain.backup import Job, Lock, ProtectedItem, RecoveryPoint, Workload
from domain.canonical import Json
from domain.errors import RequestError, ResourceNotFound
from domain.fix import Call, FixPlan, Kind, Proof, RunFacts
from domain.ports import BackupReader
from fixes.backups import job_of, jobs_window
from fixes.planning import BACKUP_API, ITEM_ACTIONS, az, az_item, said, section, utc
from fixes.registry import Parameter, PlanRequest
from fixes.steps.base import LONGEST_WINDOW
from fixes.steps.cross_region import new_disks
from fixes.steps.jobs import GOOD_ENDS

RESTORE_ACTION = f"{ITEM_ACTIONS}/recoveryPoints/restore/action"
STORAGE_API = "2023-05-01"
GROUPS_API = "2021-04-01"
RESTORE_READS = (
    f"{ITEM_ACTIONS}/recoveryPoints/read",
    "Microsoft.Storage/storageAccounts/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Compute/disks/read",
    "Microsoft.Authorization/locks/read",
)
RESTORE_DURATION = timedelta(hours=3)

_KINDS = frozenset({"storage", "storagev2"})
_GROUP_NAME = r"[\w.()-]{1,89}[\w()-]"

RECOVERY_POINT = Parameter(
    name="recovery_point",
    label="Recovery point",
    pattern=r"[0-9A-Za-z_-]{1,80}",
    help="Its id; empty: the newest one that can be restored",
)
TARGET_GROUP = Parameter(
    name="target_resource_group",
    label="Resource group for the restored disks",
    pattern=_GROUP_NAME,
    help="An existing one; empty: the configured staging resource group, or that of the last failed restore; to lift a lock,"
    " that of the restore that it stopped",
)
STORAGE_ACCOUNT = Parameter(
    name="storage_account",
    label="Staging storage account",
    pattern=r"[a-z0-9]{3,24}",
    help="In the region of the restore, not premium; empty: a suitable one of the target group or of the failed restore",
)
RESTORE_PARAMETERS = (RECOVERY_POINT, TARGET_GROUP, STORAGE_ACCOUNT)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where disks are restored to; ``locks`` are the ReadOnly ones that would stop that."""

    group_id: str
    account_id: str
    region: str
    locks: tuple[Lock, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def group_name(self) -> str:
        """The resource group's name."""
        return name_of(self.group_id)


def about_nothing(job: Job) -> bool:  # noqa: ARG001 one shape of question
    """Any failed restore will do."""
    return False


async def failed_restore(
    request: PlanRequest, read: BackupReader, about: Callable[[Job], bool] = about_nothing
) -> Job | None:
    """The item's newest failed restore of the last weeks, with details; one ``about`` what the fix mends goes before."""
    window = jobs_window(request)
    if window is None:
        return None
    jobs = await read.jobs(request.vault.id, *window, status="Failed")
    mine = [job for job in jobs if job.is_restore and job.is_of(request.item)]
    if not mine:
        return None
    chosen = max(mine, key=lambda job: (about(job), job.started_at or window[0], job.id))
    return await read.job(request.vault.id, chosen.id)


def about_a_lock(job: Job) -> bool:
    """Whether a failed job's error speaks of a lock."""
    known = explain(code_of(job), error_text(job), Workload.VM)
    return known is not None and known.family == "lock"


def about_the_identity(job: Job) -> bool:
    """Whether a failed job's error speaks of the vault's managed identity."""
    return bool(identity_fact(code_of(job), error_text(job)))


def detail(job: Job, name: str) -> str:
    """One of a job's details by name; Azure puts stray blanks around some of the names."""
    return next(
        (value for said_name, value in job.details.items() if said_name.strip().casefold() == name.casefold()), ""
    )


async def staging_account_id(request: PlanRequest, job: Job, read: BackupReader) -> str:
    """The ARM id of the staging account that a restore job names, or "" when it names none that exists."""
    name = detail(job, "Target Storage Account Name")
    if not name:
        return ""
    for account in await _accounts(f"/subscriptions/{request.vault.id.subscription}", read):
        if str(account.get("name")).casefold() == name.casefold():
            return str(account.get("id"))
    return ""


async def _accounts(scope: str, read: BackupReader) -> Sequence[Mapping[str, object]]:
    return await read.resources(f"{scope}/providers/Microsoft.Storage/storageAccounts", STORAGE_API)


async def choose_target(
    request: PlanRequest, parameters: Mapping[str, str], region: str, read: BackupReader, *, locked_out: bool = False
) -> Target:
    """The target resource group and the staging account, with everything that stands in the way.

    With ``locked_out`` the target of the restore that failed at a lock goes before the configured one: that is the restore
    that somebody waits for.

    Raises:
        RequestError: no target is known, or no account fits; says which setting or parameter helps.
    """
    group_id = await _group_id(request, parameters, read, locked_out=locked_out)
    try:
        await read.resource(group_id, GROUPS_API)
    except ResourceNotFound:
        raise RequestError(f"There is no resource group {name_of(group_id)}: make it first, in {region}.") from None
    about = about_a_lock if locked_out else about_nothing
    account_id, note = await _account(request, parameters["storage_account"], group_id, region, read, about)
    locks: dict[str, Lock] = {}
    for scope in (group_id, account_id):
        for lock in await read.locks(scope):
            if lock.level.casefold() == "readonly" and reaches(lock, scope):
                locks.setdefault(key(lock.id), lock)
    return Target(
        group_id=group_id,
        account_id=account_id,
        region=region,
        locks=tuple(locks[one] for one in sorted(locks)),
        notes=(note,) if note else (),
        problems=tuple(
            f"The ReadOnly lock {lock.name} on {locked(lock)} stops a restore: use lift_lock_for_restore, or another target."
            for lock in locks.values()
        ),
    )


def locked(lock: Lock) -> str:
    """The name of what the lock lies on."""
    at = lock.id.casefold().find("/providers/microsoft.authorization/locks/")
    return name_of(lock.id[:at])


async def _group_id(
    request: PlanRequest, parameters: Mapping[str, str], read: BackupReader, *, locked_out: bool
) -> str:
    staging = request.settings.staging_resource_group
    name = parameters["target_resource_group"] or ("" if locked_out else staging)
    if not name:
        job = await failed_restore(request, read, about_a_lock if locked_out else about_nothing)
        name = (detail(job, "Target resource group") if job is not None else "") or staging
    if not name:
        raise RequestError(
            "Where to restore to is not known: say target_resource_group=…, or set staging_resource_group under [fixes]."
        )
    if name.startswith("/"):
        return name
    return f"/subscriptions/{request.vault.id.subscription}/resourceGroups/{name}"


async def _account(
    request: PlanRequest, wanted: str, group_id: str, region: str, read: BackupReader, about: Callable[[Job], bool]
) -> tuple[str, str]:
    """(id, note) of the staging account."""
    if wanted:
        for account in await _accounts(f"/subscriptions/{request.vault.id.subscription}", read):
            if str(account.get("name")).casefold() == wanted:
                if fault := account_fault(account, region):
                    raise RequestError(f"Storage account {wanted} cannot stage a restore: {fault}.")
                return str(account.get("id")), ""
        raise RequestError(f"There is no storage account {wanted} in the vault's subscription.")
    found = sorted(await _accounts(group_id, read), key=lambda account: str(account.get("name")))
    fitting = [account for account in found if not account_fault(account, region)]
    if not fitting:
        found += await _of_failed_restore(request, read, about)
        fitting = [account for account in found if not account_fault(account, region)]
    if not fitting:
        why = "; ".join(f"{account.get('name')}: {account_fault(account, region)}" for account in found)
        raise RequestError(
            f"No storage account of {name_of(group_id)} can stage the restore ({why or 'it has none'}): name another of"
            f" region {region} with storage_account=…"
        )
    note = f"{fitting[0].get('name')} is one of {len(fitting)} that fit." if len(fitting) > 1 else ""
    return str(fitting[0].get("id")), note


async def _of_failed_restore(
    request: PlanRequest, read: BackupReader, about: Callable[[Job], bool]
) -> list[Mapping[str, object]]:
    """The staging account that the item's failed restore used."""
    job = await failed_restore(request, read, about)
    name = detail(job, "Target Storage Account Name").casefold() if job is not None else ""
    accounts = await _accounts(f"/subscriptions/{request.vault.id.subscription}", read) if name else ()
    return [account for account in accounts if str(account.get("name")).casefold() == name]


def account_fault(account: Mapping[str, object], region: str) -> str:
    """Why the storage account cannot stage a restore in ``region``, or ""."""
    if squeezed(str(account.get("location") or "")) != squeezed(region):
        return f"it is in {account.get('location')}, not in {region}"
    if str(account.get("kind") or "").casefold() not in _KINDS:
        return f"its kind is {account.get('kind')}, not general-purpose"
    if str(section(account, "sku").get("name") or "").casefold().startswith("premium"):
        return "it is premium storage"
    rules = section(account, "properties", "networkAcls")
    bypass = str(rules.get("bypass") or "").casefold()
    if str(rules.get("defaultAction") or "Allow").casefold() == "deny" and "azureservices" not in bypass:
        return "its firewall shuts Azure Backup out"
    return ""


def squeezed(region: str) -> str:
    """A region as it compares: "West Europe" and "westeurope" are one."""
    return region.replace(" ", "").casefold()


async def choose_point(request: PlanRequest, wanted: str, read: BackupReader) -> RecoveryPoint:
    """The recovery point to restore: the wanted one, or the newest that a valid tier holds.

    Raises:
        RequestError: there is none.
    """
    item = request.item
    end = request.now or item.last_recovery_point_at or item.last_backup_at
    if end is None:
        raise RequestError(f"{item.name} has no recovery point that is known.")
    day = timedelta(days=1)
    points = await read.recovery_points(item.id, end + day - LONGEST_WINDOW, end + day)
    if wanted:
        for point in points:
            if point_name(point) == wanted:
                return point
        return await _older_point(item, wanted, read)
    usable = [point for point in points if not point.soft_deleted and _valid(point)]
    if not usable:
        raise RequestError(f"{item.name} has no recovery point that can be restored in the last four weeks.")
    return max(usable, key=lambda point: point.at)


async def _older_point(item: ProtectedItem, name: str, read: BackupReader) -> RecoveryPoint:
    """A point that is older than what one list shows."""
    try:
        body = await read.resource(f"{item.id.id}/recoveryPoints/{name}", BACKUP_API)
        at = datetime.fromisoformat(str(section(body, "properties").get("recoveryPointTime")))
    except (ResourceNotFound, ValueError):
        raise RequestError(f"{item.name} has no recovery point {name}.") from None
    return RecoveryPoint(id=name, at=at)


def _valid(point: RecoveryPoint) -> bool:
    return not point.tiers or any(status.casefold() == "valid" for status in point.tiers.values())


def point_name(point: RecoveryPoint) -> str:
    """The point's own name, whether its id is a name or an ARM id."""
    return name_of(point.id)


def restore_request(item: ProtectedItem, point: str, target: Target) -> dict[str, Json]:
    """What is asked for: the disks of the point, nothing else; the machine that exists is not touched."""
    return {
        "objectType": "IaasVMRestoreRequest",
        "recoveryPointId": point,
        "recoveryType": "RestoreDisks",
        "sourceResourceId": item.source_id,
        "targetResourceGroupId": target.group_id,
        "storageAccountId": target.account_id,
        "region": target.region,
        "createNewCloudService": False,
        "originalStorageAccountOption": False,
    }


def restore_call(item: ProtectedItem, point: RecoveryPoint, target: Target) -> Call:
    """Restore the disks of a recovery point."""
    name = point_name(point)
    return Call(
        method="POST",
        resource=f"{item.id.id}/recoveryPoints/{name}/restore",
        api_version=BACKUP_API,
        body={"properties": restore_request(item, name, target)},
        kind=Kind.RESTORE,
        purpose=f"Restore the disks of {item.name} to {target.group_name}",
        action=RESTORE_ACTION,
        scope=item.id.vault.id,
    )


def az_restore(item: ProtectedItem, point: str, target: Target, *more: str) -> str:
    """The command that restores the disks."""
    words = az_item(item, "backup", "restore", "restore-disks")
    # This command knows no management and workload type: it is for virtual machines only.
    kept = words[: words.index("--backup-management-type")]
    return az(
        *kept,
        *("--rp-name", point, "--target-resource-group", target.group_name, "--storage-account", target.account_id),
        *more,
    )


def restore_facts(item: ProtectedItem, point: str, at: datetime, target: Target) -> dict[str, str]:
    """The facts that a restore rests on."""
    return {
        "recovery_point": point,
        "recovery_point_at": at.isoformat(),
        "source": key(item.source_id),
        "target_resource_group": key(target.group_id),
        "storage_account": key(target.account_id),
        "locks": ", ".join(key(lock.id) for lock in target.locks) or "none",
    }


def restore_effects(item: ProtectedItem, at: datetime, target: Target) -> tuple[str, ...]:
    """What a restore of disks does, and what not."""
    return (
        f"New managed disks with the state of {utc(at)} appear in resource group {target.group_name} ({target.region}).",
        f"{name_of(target.account_id)} is used for staging, and keeps a template for making a machine from the disks.",
        f"The machine {item.name} and its own disks are not touched.",
    )


RESTORE_WORST_CASE = (
    "Old data lies readable in another resource group, for everybody with rights there, until its disks are deleted."
)
RESTORE_COST = "The restored disks are charged until they are deleted, and staging storage while the restore runs."


def restore_undo(target: Target) -> str:
    """How to get rid of restored disks."""
    subscription = subscription_of(target.group_id)
    listing = az(
        "disk", "list", "--subscription", subscription, "--resource-group", target.group_name, "--output", "table"
    )
    return f"Delete the restored disks; they are listed by: {listing}"


async def restore_proof(plan: FixPlan, facts: RunFacts, read: BackupReader) -> Proof:
    """Proved: the restore's job ended well *and* the disks exist."""
    index = next(at for at, call in enumerate(plan.calls) if call.kind is Kind.RESTORE)
    reference = facts.references[index] if index < len(facts.references) else {}
    job = await job_of(ItemId.parse(plan.item_id), reference, read)
    if job is None:
        return Proof(proved=None, summary=f"The restore job of {plan.item_name} cannot be read yet.")
    evidence = {"job": job.id, "job_status": job.status}
    if job.running:
        return Proof(proved=None, summary=f"Restore job {job.id} is {job.status}.", evidence=evidence)
    if job.status not in GOOD_ENDS:
        return Proof(proved=False, summary=f"Restore job {job.id} ended as {job.status}.", evidence=evidence)
    group = str(said(plan.calls[index]).get("targetResourceGroupId"))
    disks = await new_disks(group, job.started_at or facts.started_at, read)
    if not disks:
        summary = f"Restore job {job.id} ended as {job.status}, but no restored disk is there yet."
        return Proof(proved=None, summary=summary, evidence=evidence)
    return Proof(
        proved=True,
        summary=f"Restored to {name_of(group)}: {', '.join(disks)}.",
        evidence={**evidence, "disks": ", ".join(disks)},
    )


def lock_scope(lock: Lock) -> str:
    """The id of what the lock lies on."""
    return lock.id[: lock.id.casefold().find("/providers/microsoft.authorization/locks/")]


def within(lock: Lock, target: Target) -> bool:
    """Whether the lock lies on the target's own resource group or account, not above them."""
    scopes = {key(target.group_id), key(target.account_id), key(resource_group_id(target.account_id))}
    return key(lock_scope(lock)) in scopes
