"""Causes of restores that fail: the target's size, quota, storage, server, share, locks, region and identity."""

from dataclasses import replace
from typing import Final

from diagnostics.clues import LAST_RESTORE, Clue, Rule, every, fact, shown
from diagnostics.rules.common import FAIL, IDENTITY, LOCK, REGION, TARGET, code, fine, named
from domain.backup import Workload

_VM: Final = frozenset({Workload.VM})


def _restore_says(*families: str) -> Clue:
    """The failed restore's own code is all that there is: no check looks into a database server or a share."""
    return replace(code(*families, weight=0.75, of=LAST_RESTORE), words="{summary}")


_RULES: Final = (
    Rule(
        id="restore_target_size_unavailable",
        title="The VM size is not offered where the restore should go",
        because=(
            shown(TARGET, FAIL, 0.85, "{summary}", size="unavailable"),
            code("vm_size", of=LAST_RESTORE),
        ),
        against=(fine(TARGET, 0.6, "the size is offered now"),),
        fixes=("restore_to_other_region", "restore_disks"),
        workloads=_VM,
    ),
    Rule(
        id="restore_quota_exceeded",
        title="The quota of cores is used up where the restore should go",
        because=(
            shown(TARGET, FAIL, 0.85, "{summary}", quota="exceeded"),
            code("quota", of=LAST_RESTORE),
        ),
        against=(fine(TARGET, 0.6, "the quota suffices now"),),
        fixes=("restore_to_other_region", "restore_disks"),
        workloads=_VM,
    ),
    Rule(
        id="restore_storage_unsuitable",
        title="The staging storage account does not suit the restore",
        because=(
            shown(TARGET, FAIL, 0.85, "{summary}", storage="unsuitable"),
            code("restore_target", weight=0.35, of=LAST_RESTORE),
            named(
                "UserErrorNetworkAclSANotSupported",
                "UserErrorVmVaultLocationMismatch",
                "UserErrorBCMRestoreStorageAccountNotFound",
                weight=0.4,
                of=LAST_RESTORE,
            ),
        ),
        against=(fine(TARGET, 0.5, "the staging account suits now"),),
        fixes=("restore_disks",),
        workloads=_VM,
    ),
    Rule(
        id="restore_server_unsuitable",
        title="The server that the restore should go to cannot take the database",
        workloads=frozenset({Workload.SQL, Workload.HANA}),
        because=(_restore_says("sql_restore_target", "restore_target", "disk_space"),),
        fixes=("guide_restore_elsewhere",),
    ),
    Rule(
        id="restore_share_unsuitable",
        title="The file share that the restore should go to cannot take the files",
        workloads=frozenset({Workload.FILES}),
        because=(_restore_says("restore_target", "disk_space", "quota"),),
        fixes=("guide_restore_elsewhere",),
    ),
    Rule(
        id="lock_blocks_restore",
        title="A lock keeps the restore from creating anything at its target",
        because=(
            shown(LOCK, FAIL, 0.85, "{summary}", restore="locked"),
            shown(TARGET, FAIL, 0.6, "{summary}", lock="reported"),
            code("lock", of=LAST_RESTORE),
        ),
        against=(fine(LOCK, 0.7, "no lock is there now"),),
        fixes=("lift_lock_for_restore", "restore_disks", "guide_restore_elsewhere"),
        yields_to=frozenset({"lock_blocks_file_share_backup"}),
    ),
    Rule(
        id="vault_identity_role_missing",
        title="The vault's own identity lacks the roles that this operation needs",
        because=(
            shown(IDENTITY, FAIL, 0.88, "{summary}"),
            shown(TARGET, FAIL, 0.3, "{summary}", permission="reported"),
            code("permission", weight=0.3, of=LAST_RESTORE),
            replace(
                fact(
                    LAST_RESTORE, 0.45, "the error {error_code} speaks of the vault's managed identity", identity="yes"
                ),
                of=LAST_RESTORE,
            ),
        ),
        against=(fine(IDENTITY, 0.7, "the vault's identity holds the roles now"),),
        fixes=("assign_backup_role", "restore_disks"),
    ),
    Rule(
        id="cross_region_not_enabled",
        title="Restoring to the paired region is not possible with this vault",
        because=(
            shown(REGION, FAIL, 0.85, "{summary}"),
            every(
                shown(REGION, FAIL, 0, ""),
                code("vm_size", "quota", of=LAST_RESTORE),
                weight=0,
                words="the primary region cannot take the restore",
            ),
        ),
        fixes=("restore_disks",),
        yields_to=frozenset({"restore_target_size_unavailable", "restore_quota_exceeded"}),
    ),
    Rule(
        id="restore_refused_by_validation",
        title="Azure Backup itself says beforehand that the restore would fail",
        because=(shown(TARGET, FAIL, 0.6, "{summary}", validation="refused"),),
        fixes=("restore_disks",),
        yields_to=frozenset(
            {
                "restore_target_size_unavailable",
                "restore_quota_exceeded",
                "restore_storage_unsuitable",
                "lock_blocks_restore",
                "vault_identity_role_missing",
            }
        ),
    ),
)

RULES: Final[tuple[Rule, ...]] = tuple(replace(rule, explains="restore") for rule in _RULES)
"""The rules of this file, in the order that breaks ties."""
