"""How one item stands, judged from its vault's lists alone: a pure function of what was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from diagnostics.checks.no_job_is_stuck import limit_of
from diagnostics.history import code_of, is_of
from diagnostics.points import newest_point_at
from domain.backup import Job, ProtectedItem, Workload
from domain.durations import format_age
from domain.overview import ItemState, ItemStatus
from domain.schedule import BackupPolicy, RpoRules, RpoState, RpoVerdict, judge_rpo, unread_rpo

_HOPELESS: Final = 2
"""A backup that takes so many times what is called slow needs somebody, whatever its phase."""
_FAILED: Final = frozenset({"failed", "unhealthy"})
_SUCCEEDED: Final = frozenset({"completed", "completedwithwarnings", "healthy", "succeeded"})
_NEEDS_ACTION: Final = frozenset({"actionrequired", "persistentdegraded", "persistentunhealthy"})
_HEALTHY_MARK: Final = "iaasvmhealthgreendefault"
_STOPPED: Final = {
    "protectionstopped": "protection stopped",
    "protectionpaused": "protection paused",
    "backupssuspended": "backups suspended",
    "notprotected": "not protected",
}


def first_backup_pending(item: ProtectedItem) -> bool:
    """Whether Azure says that the item waits for its first backup."""
    return "irpending" in {item.protection_state.casefold(), item.last_backup_status.casefold()}


def newest_known_point(item: ProtectedItem) -> tuple[datetime | None, bool]:
    """The newest recovery point as the list tells it, and whether that is inferred from the last successful backup.

    Lists name the recovery point of VMs; of databases and file shares they may tell only of the last backup, whose time
    counts only if it succeeded, because a failed run moves it too.
    """
    point = newest_point_at(item, ())
    if point is not None:
        return point, False
    if item.workload is not Workload.VM and item.last_backup_status.casefold() in _SUCCEEDED:
        return item.last_backup_at, item.last_backup_at is not None
    return None, False


def rpo_of(item: ProtectedItem, policy: BackupPolicy | None, rules: RpoRules, now: datetime) -> RpoVerdict:
    """The verdict by the configured RPO and, where it was read, the policy."""
    where = item.id
    rpo = rules.rpo_for(
        where.vault.name,
        item.name,
        container=where.container,
        resource_group=where.vault.resource_group,
        subscription=where.vault.subscription,
    )
    newest, _ = newest_known_point(item)
    if newest is None and item.last_backup_at is not None:
        return unread_rpo(
            "The list does not say when the newest recovery point was made; a diagnosis reads it.",
            rpo=rpo,
            policy=policy,
        )
    return judge_rpo(
        newest_point_at=newest,
        protected_since=None,
        first_backup_pending=first_backup_pending(item),
        rpo=rpo,
        policy=policy,
        now=now,
        grace=rules.grace,
    )


def judge_item(
    item: ProtectedItem, jobs: Sequence[Job], policy: BackupPolicy | None, rules: RpoRules, now: datetime
) -> ItemStatus:
    """How the item stands; ``jobs`` are the vault's failed and running ones, newest first."""
    mine = [job for job in jobs if job.is_backup and is_of(job, item)]
    newest, inferred = newest_known_point(item)
    failed = [job for job in mine if job.failed and _after(job, newest)]
    running = next((job for job in mine if job.running), None)
    running_for = now - running.started_at if running is not None and running.started_at is not None else None
    verdict = rpo_of(item, policy, rules, now)
    too_long = running_for is not None and running is not None and running_for > _HOPELESS * limit_of(item, running)
    state, why = _state(item, verdict, _Runs(len(failed), running_for, too_long=too_long), now)
    return ItemStatus(
        name=item.name,
        workload=item.workload,
        state=state,
        why=why,
        rpo=verdict,
        item_id=item.id.id,
        vault_id=item.id.vault.id,
        vault_name=item.id.vault.name,
        place="" if item.workload is Workload.VM else item.server_name or item.parent_name,
        container=item.id.container,
        source_id=item.source_id,
        policy_id=item.policy_id,
        policy_name=item.policy_name,
        last_backup_status=item.last_backup_status,
        last_backup_at=item.last_backup_at,
        newest_point_at=newest,
        point_inferred=inferred,
        error_code=_error_code(item, failed) if state is ItemState.NEEDS_YOU else "",
        failures=len(failed),
        running_for=running_for,
    )


def _after(job: Job, point: datetime | None) -> bool:
    return point is None or job.started_at is None or job.started_at > point


def _error_code(item: ProtectedItem, failed: Sequence[Job]) -> str:
    if item.last_error_code:
        return item.last_error_code
    by_job = code_of(failed[0]) if failed else ""
    if by_job:
        return by_job
    titles = [one.title for one in item.health_details if one.title and one.title.casefold() != _HEALTHY_MARK]
    return titles[0] if titles else ""


@dataclass(frozen=True)
class _Runs:
    """What the jobs say: failures since the newest point, and a backup that runs now, perhaps for too long."""

    failures: int
    running_for: timedelta | None
    too_long: bool


def _state(item: ProtectedItem, verdict: RpoVerdict, runs: _Runs, now: datetime) -> tuple[ItemState, str]:
    """The state and its phrase."""
    if item.soft_deleted:
        return ItemState.STOPPED, _deleted(item)
    word = item.protection_state.casefold()
    if word in _STOPPED:
        return ItemState.STOPPED, _STOPPED[word]
    trouble = _trouble(item, runs)
    rpo = _rpo_words(verdict, now)
    if trouble:
        return ItemState.NEEDS_YOU, f"{trouble}, {rpo}"
    match verdict.state:
        case RpoState.BREACHED:
            return ItemState.NEEDS_YOU, rpo
        case RpoState.UNKNOWN:
            return ItemState.UNKNOWN, rpo
        case RpoState.PENDING:
            return ItemState.PENDING, "first backup to come"
        case _:
            return ItemState.FINE, rpo


def _trouble(item: ProtectedItem, runs: _Runs) -> str:
    """What is wrong besides the RPO; "" if nothing is."""
    since = f"running for {format_age(runs.running_for)}" if runs.running_for is not None else ""
    if item.last_backup_status.casefold() in _FAILED:
        again = f", {since.replace('running', 'running again')}" if since else ""
        return f"backup failed{f' {runs.failures}×' if runs.failures > 1 else ''}{again}"
    if runs.too_long:
        return f"backup {since}"
    if item.protection_state.casefold() == "protectionerror":
        return "protection in error"
    if item.health_status.casefold() in _NEEDS_ACTION:
        return "pre-check asks for action"
    return ""


def _deleted(item: ProtectedItem) -> str:
    if item.purge_after is None:
        return "soft deleted"
    return f"soft deleted, gone for good in {format_age(item.purge_after)}"


def _rpo_words(verdict: RpoVerdict, now: datetime) -> str:
    rpo = f"RPO {format_age(verdict.sla_rpo)}" if verdict.sla_rpo is not None else "RPO"
    match verdict.state:
        case RpoState.BREACHED if verdict.age is None:
            return "no recovery point at all"
        case RpoState.BREACHED if verdict.breached_by is not None:
            return f"{rpo} breached by {format_age(verdict.breached_by)}"
        case RpoState.SAFE if verdict.safe_until is not None:
            day = "" if verdict.safe_until.date() == now.date() else f"{verdict.safe_until:%Y-%m-%d} "
            return f"{rpo} safe until {day}{verdict.safe_until:%H:%M} UTC"
        case RpoState.PENDING:
            return "no recovery point yet"
        case _:
            return f"{rpo} unknown"
