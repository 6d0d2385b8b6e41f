"""Names of checks and the clues that many rules share.

Weights: about 0.85 for a check that saw the fault itself, 0.5 for an error code that names it, less for what merely fits.
What a check found to be in order speaks against a code that blames it: the code tells of then, the check of now.
"""

from dataclasses import replace
from typing import Final

from diagnostics.clues import LAST_BACKUP, Clue, fact, shown
from domain.finding import Outcome

FAIL: Final = Outcome.FAIL
PASS: Final = Outcome.PASS
ASKED_NOT: Final = Outcome.NOT_APPLICABLE

KEY_VAULT: Final = "backup_service_can_read_key_vault"
VM: Final = "vm_is_in_desirable_state"
AGENT: Final = "vm_agent_responds"
DISK: Final = "os_disk_has_space"
EXTENSION: Final = "snapshot_extension_is_healthy"
PROTECTION: Final = "protection_is_active"
DELETED: Final = "item_is_not_soft_deleted"
LOCK: Final = "no_lock_blocks_restore"
TARGET: Final = "restore_target_is_available"
STUCK: Final = "no_job_is_stuck"
HEALTH: Final = "backup_health_is_good"
POINT: Final = "recovery_point_is_recent"
POLICY: Final = "policy_meets_rpo"
MARS: Final = "mars_agent_is_supported"
MABS: Final = "mabs_server_is_supported"
FILES: Final = "mars_reads_all_files"
IDENTITY: Final = "vault_identity_has_its_roles"
REGION: Final = "cross_region_restore_is_possible"
SOFT_DELETE: Final = "soft_delete_is_on"
ALERTS: Final = "failures_reach_on_call"
TESTED: Final = "restore_was_tested_this_quarter"

RERUN: Final = "rerun_backup"


def code(*families: str, weight: float = 0.5, of: str = LAST_BACKUP, transient: str = "") -> Clue:
    """The failed job's error code belongs to one of these families of ``diagnostics.error_codes``."""
    facts = {"family": "|".join(families)} | ({"transient": transient} if transient else {})
    clue = fact(of, weight, "the error code {error_code} points to it", **facts)
    return replace(clue, codes=frozenset(families), of=of)


def named(*names: str, weight: float = 0.6, of: str = LAST_BACKUP) -> Clue:
    """The failed job's error is one of these, by its name in ``diagnostics.error_codes``."""
    clue = fact(of, weight, "the error {error_code} says so", error_name="|".join(names))
    return replace(clue, codes=frozenset(names), of=of)


def fine(check: str, weight: float, words: str) -> Clue:
    """The check found in order what the cause would have broken."""
    return shown(check, PASS, weight, words)
