"""Faults of protection itself: stopped, deleted, stuck, paused, inconsistent, policies that cannot meet an RPO."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator.faults.base import EVERY, SCHEDULE_ENDED, VM_ONLY, Fault, passed, replay, retry
from simulator.world import engine
from simulator.world.model import FAR, Item, Workload, World
from simulator.world.policies import build_policy
from simulator.world.schedule import WEEKDAYS

STOPPED = timedelta(days=4)
QUIET = timedelta(days=2)
LAST_RUN = timedelta(hours=1)
"""How long before the end of a schedule its last run began, which may have got stuck."""
RPO_GAP = timedelta(days=5)
AZURE = frozenset({Workload.VM, Workload.SQL, Workload.HANA, Workload.FILES})


def _stop(world: World, item: Item, now: datetime) -> None:
    engine.make_real(world, item, now - STOPPED)
    item.more["former_policy"], item.policy = item.policy, ""
    item.state, item.next_run = "ProtectionStopped", FAR
    item.more.setdefault(SCHEDULE_ENDED, now - STOPPED)
    engine.refresh_wake(item)


def _delete(world: World, item: Item, now: datetime) -> None:
    _stop(world, item, now)
    item.deleted_at = now - timedelta(days=2)


def _stick(world: World, item: Item, now: datetime) -> None:
    ended = item.more.get(SCHEDULE_ENDED)
    if ended is not None:
        item.more["stuck"] = ended - LAST_RUN
        engine.make_real(world, item, ended - LAST_RUN)
        item.next_run = engine.following(item, ended)
        retry(item, ended - LAST_RUN)
        return
    replay(world, item, now)
    item.more["stuck"] = item.more[SCHEDULE_ENDED] = item.real_from


def _suspend(world: World, item: Item, now: datetime) -> None:
    engine.make_real(world, item, now - QUIET)
    item.state, item.next_run = "BackupsSuspended", FAR
    item.more[SCHEDULE_ENDED] = now - QUIET
    engine.refresh_wake(item)


def _inconsistent(world: World, item: Item, now: datetime) -> None:
    item.more["inconsistent"] = item.more["silent"] = True
    item.more.setdefault(SCHEDULE_ENDED, now - QUIET)
    engine.make_real(world, item, now - QUIET)


def _degraded(world: World, item: Item, now: datetime) -> None:
    item.more["health"] = "ActionRequired"
    passed(world, item, now, "UserErrorVmNotInDesirableState")


@dataclass(frozen=True)
class _Daily:
    """The daily policy that a vault without one gets."""

    workload: Workload
    days: tuple[str, ...] = ()
    name: str = "DailyPolicy"
    every: str = "day"
    at: str = "-7h"
    interval_hours: int = 0
    window_hours: int = 0
    time_zone: str = "UTC"
    retention_days: int = 84
    log_minutes: int = 0
    agentless: bool = False


@dataclass(frozen=True)
class _Weekly(_Daily):
    """The weekly policy that a vault without one gets."""

    name: str = "WeeklyPolicy"
    every: str = "week"


def _weekly(world: World, item: Item, now: datetime) -> None:
    policies = item.vault.policies
    weekly = next((p for p in policies.values() if p.schedule.days and p.workload is item.workload), None)
    if weekly is None:
        days = (WEEKDAYS[(now - timedelta(days=3)).weekday()],)
        weekly = policies[_Weekly.name] = build_policy(_Weekly(item.workload, days), world.epoch)
    item.policy = weekly.name


def _daily(world: World, item: Item, now: datetime) -> None:
    policies = item.vault.policies
    daily = next((p for p in policies.values() if not p.schedule.days and p.workload is item.workload), None)
    if daily is None:
        daily = policies[_Daily.name] = build_policy(_Daily(item.workload), world.epoch)
    item.policy = daily.name
    engine.make_real(world, item, now)
    item.next_run = engine.following(item, now)
    engine.refresh_wake(item)


def _points_back(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    item.more["points_deleted_at"] = None


def _points_deleted(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of fault
    item.more["points_deleted_at"] = now - timedelta(days=2)


FAULTS = (
    Fault(
        "protection_stopped",
        "protection_stopped",
        ("resume_protection",),
        "Protection was stopped with its data kept: no policy, no schedule.",
        AZURE,
        _stop,
    ),
    Fault(
        "soft_deleted",
        "item_soft_deleted",
        ("undelete_item", "resume_protection"),
        "The item was deleted and waits in soft-delete state for its purge.",
        AZURE,
        _delete,
    ),
    Fault(
        "job_stuck",
        "job_stuck",
        ("cancel_and_rerun_backup",),
        "A backup has been InProgress for hours without leaving its first sub-task.",
        VM_ONLY,
        _stick,
    ),
    Fault(
        "backups_suspended",
        "backups_suspended",
        ("resume_protection",),
        "Backups of the item are suspended; no job runs and none fails.",
        AZURE,
        _suspend,
    ),
    Fault(
        "policy_inconsistent",
        "policy_inconsistent",
        ("resume_protection",),
        "A change of the policy never reached the item: its schedule is not applied.",
        frozenset({Workload.VM}),
        _inconsistent,
    ),
    Fault(
        "health_degraded",
        "backup_health_degraded",
        ("rerun_backup",),
        "The pre-check asks for action after failed backups; the reason has passed.",
        VM_ONLY,
        _degraded,
    ),
    Fault(
        "policy_gap",
        "policy_gap_exceeds_rpo",
        (),
        "The policy runs once a week: the RPO cannot be met however well the jobs go.",
        VM_ONLY,
        _weekly,
        _daily,
    ),
    Fault(
        "points_soft_deleted",
        "recovery_point_soft_deleted",
        (),
        "Older recovery points look gone; they are soft deleted.",
        VM_ONLY & EVERY,
        _points_deleted,
        _points_back,
    ),
)
