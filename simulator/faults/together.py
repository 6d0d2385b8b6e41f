"""Several faults of one item: which of them can hold at once, and in which order they came about.

A failed backup names one error, so faults that came about at the same instant would hide one another for good. Here they come
one after the other, as they do in life: what ends the schedule is bent first and the failures lie before that end; what has
passed came next; of the rest, the fault whose error hides the others came last. The jobs then tell of all of them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from simulator.faults.base import FAILS_LATER, PASSED, SCHEDULE_ENDED, Fault
from simulator.world import engine
from simulator.world.model import Item, World

ORDER = (
    "policy_gap",
    "points_soft_deleted",
    "soft_deleted",
    "protection_stopped",
    "backups_suspended",
    "policy_inconsistent",
    "job_stuck",
    "mars_offline",
    "transient",
    "health_degraded",
    "hana_system_db_down",
    "sql_full_missing",
    "sql_log_chain_broken",
    "share_account_locked",
    "mars_file_in_use",
    "extension_hidden_failure",
    "extension_failed",
    "os_disk_full",
    "restore_point_lock",
    "agent_dead",
    "key_vault_access",
    "key_vault_policy",
    "key_vault_firewall",
    "vm_deallocated",
    "provisioning_failed",
)
"""The order in which faults of one item are bent; those not listed come after these, as they are named."""

GIVES_WAY = {
    "protection_stopped": {"soft_deleted"},
    "backups_suspended": {"soft_deleted", "protection_stopped"},
    "policy_inconsistent": {"soft_deleted", "protection_stopped"},
    "policy_gap": {"soft_deleted", "protection_stopped"},
    "points_soft_deleted": {"soft_deleted"},
    "key_vault_policy": {"key_vault_access"},
    "health_degraded": {"provisioning_failed", "vm_deallocated", "soft_deleted"},
    "hana_system_db_down": {"database_host_deallocated"},
}
"""What cannot hold beside another fault: two values of one setting, a policy that is gone, a state that has not passed."""

AGES = (PASSED, timedelta(hours=3, minutes=30), timedelta(hours=1, minutes=30))
"""How long ago the second, third and every later fault came about."""


def arrange(faults: Sequence[Fault]) -> list[Fault]:
    """The faults that can hold together, in the order in which they are bent."""
    named = {fault.id for fault in faults}
    kept = [fault for fault in faults if not GIVES_WAY.get(fault.id, set()) & named]
    rank = {name: place for place, name in enumerate(ORDER)}
    return sorted(dict.fromkeys(kept), key=lambda fault: rank.get(fault.id, len(ORDER)))


def bend(world: World, item: Item, faults: Sequence[Fault], now: datetime) -> list[Fault]:
    """Bends the world by each of the faults in turn, the past up to the next one played out; those that hold."""
    arranged = arrange(faults)
    item.more[FAILS_LATER] = any(fault.id in ORDER[ORDER.index("sql_full_missing") :] for fault in arranged)
    for place, fault in enumerate(arranged):
        if place:
            base = item.more.get(SCHEDULE_ENDED, now)
            engine.settle(world, item, base - AGES[min(place, len(AGES)) - 1])
        fault.bend(world, item, now)
    return arranged
