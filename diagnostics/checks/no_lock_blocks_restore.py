"""No management lock stands in the way: of a restore, of the clean-up of restore points, of a share's snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from diagnostics.history import backup_errors, both, subject
from diagnostics.locks import locks_by_scope, reaches
from diagnostics.points import policy_of
from diagnostics.registry import Context, check
from diagnostics.restores import region, storage_account, target_group_id, text_at, wanted_restore
from diagnostics.verdicts import Verdicts
from domain.arm import key, name_of
from domain.backup import Lock, Workload
from domain.errors import GatewayError, ResourceNotFound
from domain.finding import Finding, Outcome

say = Verdicts(__name__)

_READ_ONLY = "readonly"
_CLEAN_UP = frozenset(
    {"UserErrorRpCollectionLimitReached", "UserErrorResourceIsInLockedState", "BMSUserErrorObjectLocked"}
)
_SHARE = frozenset({"UserErrorStorageAccountIsLocked", "UserErrorResourceIsInLockedState", "BMSUserErrorObjectLocked"})


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A scope that matters, and why: ``restore``, ``restore_points`` or ``share``."""

    purpose: str
    id: str
    locks: Sequence[Lock] = ()
    missing: bool = False
    """Whether Azure does not know the scope, so that nothing can be said of locks there."""

    @property
    def blocking(self) -> list[Lock]:
        """The locks that are in the way: nothing can be created under ReadOnly, nothing deleted under any lock."""
        if self.purpose == "restore_points":
            return list(self.locks)
        return [lock for lock in self.locks if lock.level.casefold() == _READ_ONLY]


@check(
    title="No lock stands in the way",
    runbook=("cause_restore_target", "diagnostic_restore_target"),
    permissions=(
        "Microsoft.Authorization/locks/read",
        "Microsoft.Storage/storageAccounts/read",
        "Microsoft.RecoveryServices/Vaults/backupJobs/read",
        "Microsoft.RecoveryServices/Vaults/backupPolicies/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-troubleshoot-vm-backup-fails-snapshot-timeout",
    suggests=("lift_lock_for_restore",),
    az="az lock list --resource-group <group>",
    portal="Resource group > Settings > Locks",
)
async def no_lock_blocks_restore(context: Context) -> Finding:
    """Read the locks of whatever matters to this item now: a restore's target, or what its last errors speak of."""
    errors, (scopes, unread) = await both(backup_errors(context), _restore_scopes(context))
    names = {error.name for error in errors}
    item = subject(context)
    if item.workload is Workload.VM and names & _CLEAN_UP:
        scopes.append(Scope(purpose="restore_points", id=await _points_group(context)))
    if item.workload is Workload.FILES and names & _SHARE and item.source_id:
        scopes.append(Scope(purpose="share", id=item.source_id))
    if not scopes:
        return say.not_asked(
            "No restore is asked for or has failed lately, and the last backup's error is not about locks."
        )
    finding = judge(await _locked(context, scopes))
    if finding.outcome is Outcome.PASS and unread is not None:
        raise unread
    return finding


async def _restore_scopes(context: Context) -> tuple[list[Scope], GatewayError | None]:
    """The scopes that a restore needs, and why the staging account, whose locks count too, could not be read."""
    restore = await wanted_restore(context)
    if restore is None:
        return [], None
    ids, unread = [target_group_id(context, restore)], None
    if restore.account:
        try:
            body = await storage_account(context, restore)
            ids.append(text_at(body, "id") if body is not None else "")
        except ResourceNotFound:
            pass  # restore_target_is_available says that there is no such account
        except GatewayError as error:
            unread = error
    return [Scope(purpose="restore", id=one) for one in ids if one], unread


async def _points_group(context: Context) -> str:
    """The group in which Azure Backup keeps restore points: named by the policy, else after the region."""
    policy = await policy_of(context)
    where = region(context.vault.location)
    prefix = (
        policy.restore_point_group_prefix if policy and policy.restore_point_group_prefix else f"AzureBackupRG_{where}_"
    )
    suffix = policy.restore_point_group_suffix if policy else ""
    return f"/subscriptions/{subject(context).id.vault.subscription}/resourceGroups/{prefix}1{suffix}"


async def _locked(context: Context, scopes: Sequence[Scope]) -> list[Scope]:
    """The scopes with their locks; what lies below a restore's target, on another resource of its group, is none of them."""
    found = await locks_by_scope(context, [scope.id for scope in scopes])
    seen: list[Scope] = []
    for scope in scopes:
        locks = found[key(scope.id)]
        mine = [lock for lock in locks or () if scope.purpose != "restore" or reaches(lock, scope.id)]
        seen.append(replace(scope, locks=mine, missing=locks is None))
    return seen


def judge(scopes: Sequence[Scope]) -> Finding:
    """A lock that is in the way is named with what it blocks; one that is not is only mentioned."""
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "scopes": [scope.id for scope in scopes],
        "locks": [f"{lock.name} ({lock.level}): {lock.id}" for scope in scopes for lock in scope.locks],
    }
    sentences: list[str] = []
    facts: dict[str, str] = {}
    for scope in scopes:
        for lock in scope.blocking:
            sentences.append(_sentence(scope.purpose, lock))
            facts |= {scope.purpose: "locked", "lock_id": facts.get("lock_id", lock.id)}
    if sentences:
        suggests = ("lift_lock_for_restore",) if "restore" in facts else ()
        return say.bad(" ".join(dict.fromkeys(sentences)), evidence=evidence, facts=facts, suggests=suggests)
    missing = [name_of(scope.id) for scope in scopes if scope.missing]
    if missing:
        return say.unclear(f"No lock was found, but Azure does not know {', '.join(missing)}.", evidence=evidence)
    harmless = sorted({lock.name for scope in scopes for lock in scope.locks})
    word = f" {', '.join(harmless)} forbids deleting only, which hinders no restore." if harmless else ""
    return say.good(f"No lock stands in the way.{word}", evidence=evidence)


def _sentence(purpose: str, lock: Lock) -> str:
    note = f' ("{lock.notes}")' if lock.notes else ""
    remove = f"To take it away: az lock delete --ids {lock.id}"
    match purpose:
        case "restore":
            return f"The ReadOnly lock {lock.name}{note} keeps the restore from creating anything."
        case "share":
            return (
                f"The ReadOnly lock {lock.name}{note} on the storage account keeps snapshots from being taken. {remove}"
            )
        case _:
            return (
                f"The lock {lock.name}{note} on the group of restore points keeps old ones from being deleted; at 18 of them "
                f"backups stop. {remove}. The first backup after that may still fail while the clean-up runs."
            )
