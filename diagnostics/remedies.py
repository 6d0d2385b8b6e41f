"""Which fixes exist and which workloads each fits, so that nothing is suggested that cannot be done.

Diagnostics stand below fixes and may not import them; a test of the fixes holds the two lists together.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from domain.backup import Workload

_VM: Final = frozenset({Workload.VM})
_HOSTED: Final = frozenset({Workload.VM, Workload.SQL, Workload.HANA})
_AZURE: Final = frozenset({Workload.VM, Workload.SQL, Workload.HANA, Workload.FILES})
_ALL: Final = frozenset(Workload)

FIXES: Final[Mapping[str, frozenset[Workload]]] = MappingProxyType(
    {
        "rerun_backup": _AZURE,
        "cancel_and_rerun_backup": _AZURE,
        "start_vm": _HOSTED,
        "reapply_vm": _HOSTED,
        "reinstall_snapshot_extension": _VM,
        "grant_key_vault_access": _VM,
        "add_key_vault_policy": _VM,
        "assign_backup_role": _ALL,
        "undelete_item": _AZURE,
        "resume_protection": _AZURE,
        "restore_disks": _VM,
        "restore_to_other_region": _VM,
        "lift_lock_for_restore": _VM,
        "enable_soft_delete": _ALL,
        "enable_failure_alerts": _ALL,
        "probe_os_disk": _VM,
        "update_mars_agent": frozenset({Workload.MARS}),
        "guide_mars_update": frozenset({Workload.MARS}),
        "guide_mabs_update": frozenset({Workload.MABS}),
        "guide_file_in_use": frozenset({Workload.MARS}),
        "guide_repair_vm_agent": _HOSTED,
        "guide_free_os_disk": _HOSTED,
        "guide_restore_elsewhere": frozenset({Workload.SQL, Workload.HANA, Workload.FILES}),
    }
)
"""Workloads by fix id."""

_AGAIN: Final = {Workload.MARS: "guide_mars_update", Workload.MABS: "guide_mabs_update"}


def fitting(fixes: Iterable[str], workload: Workload | None) -> tuple[str, ...]:
    """Those of ``fixes`` that exist and fit ``workload`` (None: any), in order and without repeats."""
    return tuple(dict.fromkeys(fix for fix in fixes if fix in FIXES and (workload is None or workload in FIXES[fix])))


def try_again(workload: Workload) -> str:
    """What brings a new backup: run it, or where Azure cannot, the guide for the machine that must."""
    return _AGAIN.get(workload, "rerun_backup")
