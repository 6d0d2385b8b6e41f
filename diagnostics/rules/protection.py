"""Causes in protection itself: its state, its policy, its jobs, its databases and shares."""

from typing import Final

from diagnostics.clues import Rule, every, fact, shown
from diagnostics.rules.common import (
    DELETED,
    FAIL,
    LOCK,
    POINT,
    POLICY,
    PROTECTION,
    RERUN,
    STUCK,
    code,
    fine,
    named,
)

_STATES: Final = (
    Rule(
        id="item_soft_deleted",
        title="The item was deleted and waits for its purge",
        because=(shown(DELETED, FAIL, 0.95, "{summary}", what="item"),),
        fixes=("undelete_item", "resume_protection"),
    ),
    Rule(
        id="protection_stopped",
        title="Protection was stopped, so no backup is scheduled",
        because=(
            shown(PROTECTION, FAIL, 0.95, "{summary}", state="stopped|no_policy"),
            code("protection_stopped"),
        ),
        against=(fine(PROTECTION, 0.7, "protection is active now"),),
        fixes=("resume_protection", RERUN),
        yields_to=frozenset({"item_soft_deleted"}),
    ),
    Rule(
        id="protection_paused",
        title="Protection is paused, so no backup runs",
        because=(shown(PROTECTION, FAIL, 0.95, "{summary}", state="paused"),),
        fixes=("resume_protection", RERUN),
    ),
    Rule(
        id="backups_suspended",
        title="Backups of the item are suspended, so none runs and none fails",
        because=(shown(PROTECTION, FAIL, 0.95, "{summary}", state="suspended"),),
        fixes=("resume_protection", RERUN),
    ),
    Rule(
        id="protection_error",
        title="Protection of the item is in an error state",
        because=(shown(PROTECTION, FAIL, 0.8, "{summary}", state="error"),),
        fixes=("resume_protection", RERUN),
    ),
    Rule(
        id="policy_inconsistent",
        title="The policy never reached the item, so its schedule is not applied",
        because=(shown(PROTECTION, FAIL, 0.88, "{summary}", policy="inconsistent"),),
        fixes=("resume_protection", RERUN),
    ),
    Rule(
        id="policy_gap_exceeds_rpo",
        title="The policy backs up too seldom to keep the RPO",
        explains="point",
        because=(
            shown(POLICY, FAIL, 0.85, "{summary}", gap="too_wide"),
            every(
                shown(POLICY, FAIL, 0, "", gap="too_wide"),
                shown(POINT, FAIL, 0, "", policy_can_meet="no"),
                weight=0.3,
                words="the newest recovery point is older than the RPO",
            ),
        ),
    ),
    Rule(
        id="recovery_point_soft_deleted",
        title="Recovery points that look gone are soft deleted",
        explains="point",
        because=(shown(DELETED, FAIL, 0.8, "{summary}", what="points"),),
        yields_to=frozenset({"item_soft_deleted"}),
    ),
)

_JOBS: Final = (
    Rule(
        id="job_stuck",
        title="A job is stuck and keeps every later one from starting",
        because=(
            shown(STUCK, FAIL, 0.85, "{summary}"),
            code("slow", weight=0.2),
        ),
        fixes=("cancel_and_rerun_backup",),
    ),
    Rule(
        id="backup_in_progress",
        title="Another job of this item was still running",
        because=(
            code("in_progress", weight=0.55),
            every(
                code("in_progress", weight=0),
                fact("last_backup_succeeded", 0, "", running_job="*"),
                weight=0.3,
                words="one is running now; wait for its end",
            ),
        ),
        fixes=(RERUN, "cancel_and_rerun_backup"),
        yields_to=frozenset({"job_stuck"}),
    ),
    Rule(
        id="lock_blocks_restore_points",
        title="A lock keeps old restore points from being cleaned up, and their limit is reached",
        because=(
            shown(LOCK, FAIL, 0.85, "{summary}", restore_points="locked"),
            every(
                shown(LOCK, FAIL, 0, "", restore_points="locked"),
                code("restore_points", "snapshot_limit", "lock"),
                weight=0.5,
                words="the error code of the last backup says the same",
            ),
            named("UserErrorRpCollectionLimitReached", weight=0.4),
        ),
        against=(fine(LOCK, 0.5, "no lock was found there"),),
        fixes=(RERUN,),
    ),
    Rule(
        id="lock_blocks_file_share_backup",
        title="A lock on the storage account keeps the share from being backed up",
        because=(
            shown(LOCK, FAIL, 0.85, "{summary}", share="locked"),
            named("UserErrorStorageAccountIsLocked", "BMSUserErrorObjectLocked", weight=0.5),
        ),
        against=(fine(LOCK, 0.6, "no lock was found there"),),
        fixes=(RERUN,),
    ),
)

_SHARE_GONE: Final = (
    "UserErrorBackupAFSInSoftDeleteState",
    "UserErrorRestoreAFSInSoftDeleteState",
    "UserErrorBackupAFSInDeleteState",
    "UserErrorRestoreAFSInDeleteState",
)

_DATA: Final = (
    Rule(
        id="storage_account_soft_deleted_share",
        title="The file share was deleted in its storage account",
        because=(
            shown(DELETED, FAIL, 0.9, "{summary}", what="share"),
            named(*_SHARE_GONE, weight=0.6),
        ),
        against=(fine(DELETED, 0.2, "the backup item itself is not deleted"),),
        fixes=(RERUN,),
    ),
    Rule(
        id="sql_full_backup_missing",
        title="Log backups have no full backup to build on",
        because=(
            named(
                "UserErrorParentFullBackupMissing",
                "UserErrorParentFullBackupMissingRemedialFullNotPossible",
                "UserErrorNoFullBackupTriggeredAfterRestore",
                "UserErrorLatestFullPitIsOld",
                weight=0.8,
            ),
        ),
        fixes=(RERUN,),
    ),
    Rule(
        id="sql_log_chain_broken",
        title="The log chain is broken until the next full backup",
        because=(
            named(
                "UserErrorSQLLSNValidationFailure",
                "UserErrorOtherBackupProductCausingSQLLSNValidationFailure",
                "UserErrorLogBackupFailedAsRecoveryModelChanged",
                weight=0.8,
            ),
            code("sql_log_chain", weight=0.35),
        ),
        fixes=(RERUN,),
        yields_to=frozenset({"sql_full_backup_missing"}),
    ),
)

RULES: Final[tuple[Rule, ...]] = (*_STATES, *_JOBS, *_DATA)
"""The rules of this file, in the order that breaks ties."""
