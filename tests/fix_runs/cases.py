"""The faults of the demonstration estate, and the fixes that mend them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest


@dataclass(frozen=True)
class Case:
    """A fault, the fixes that mend it in their order, and what a person would set.

    ``until_clean`` is how long after the proof the next backup runs that only the machine itself can begin.
    """

    fault: str
    fixes: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    until_clean: timedelta = timedelta(0)

    def __str__(self) -> str:
        return f"{self.fault}: {' then '.join(self.fixes)}"


CASES = (
    Case("transient", ("rerun_backup",)),
    Case("health_degraded", ("rerun_backup",)),
    Case("hana_system_db_down", ("rerun_backup",)),
    Case("sql_full_missing", ("rerun_backup",)),
    Case("sql_log_chain_broken", ("rerun_backup",)),
    Case("job_stuck", ("cancel_and_rerun_backup",)),
    Case("vm_deallocated", ("start_vm",)),
    Case("database_host_deallocated", ("start_vm",)),
    Case("provisioning_failed", ("reapply_vm",)),
    Case("extension_failed", ("reinstall_snapshot_extension",)),
    Case("extension_hidden_failure", ("reinstall_snapshot_extension",)),
    Case("key_vault_access", ("grant_key_vault_access",)),
    Case("key_vault_policy", ("add_key_vault_policy",)),
    Case("vault_identity_role", ("assign_backup_role", "restore_disks")),
    Case("soft_deleted", ("undelete_item", "resume_protection")),
    Case("protection_stopped", ("resume_protection",)),
    Case("backups_suspended", ("resume_protection",)),
    Case("policy_inconsistent", ("resume_protection",)),
    Case("restore_storage_region", ("restore_disks",)),
    Case("restore_storage_firewall", ("restore_disks",)),
    Case("restore_size_unavailable", ("restore_to_other_region",)),
    Case("restore_quota_full", ("restore_to_other_region",)),
    Case("restore_target_locked", ("lift_lock_for_restore",)),
    Case("soft_delete_off", ("enable_soft_delete",)),
    Case("alerts_off", ("enable_failure_alerts",), {"email": "oncall@contoso.com"}),
    Case("mars_outdated_on_vm", ("update_mars_agent",), until_clean=timedelta(days=1)),
)
PROBES = (Case("os_disk_full", ("probe_os_disk",)),)
"""Fixes that only look: they are proved, and the fault is there as before."""

GUIDED = (
    "agent_dead",
    "os_disk_full",
    "workload_extension_failed",
    "mars_outdated",
    "mars_outdated_on_vm",
    "mars_file_in_use",
    "mabs_outdated",
    "restore_database_exists",
    "restore_share_full",
)

ONE_EACH = (*{case.fixes[0]: case for case in reversed(CASES)}.values(), *PROBES)
"""One case for each fix that makes calls."""

ALWAYS = frozenset(
    {
        "rerun_backup",
        "grant_key_vault_access",
        "lift_lock_for_restore",
        "cancel_and_rerun_backup",
        "update_mars_agent",
    }
)
"""A backup, a right, a compensation, two calls in a row and a script: the fixes whose exhaustive tests run always."""

ONE_EACH_OR_LONG = tuple(
    case if case.fixes[0] in ALWAYS else pytest.param(case, marks=pytest.mark.long) for case in ONE_EACH
)
"""As ``ONE_EACH``, the cases of the other fixes only in the long run."""
