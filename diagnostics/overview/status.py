"""How a vault and the whole fleet stand: few lists, vaults side by side, and nothing unreadable hidden."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from diagnostics.history import both
from diagnostics.overview.judging import judge_item
from diagnostics.verdicts import why_blind
from domain.arm import key
from domain.backup import Job, ProtectedItem, Vault
from domain.errors import GatewayError
from domain.overview import FleetStatus, ItemStatus, UnreadSubscription, VaultStatus
from domain.ports import BackupReader
from domain.schedule import BackupPolicy, RpoRules

READ_ITEMS: Final = "Microsoft.RecoveryServices/Vaults/backupProtectedItems/read"
READ_JOBS: Final = "Microsoft.RecoveryServices/Vaults/backupJobs/read"
READ_POLICIES: Final = "Microsoft.RecoveryServices/Vaults/backupPolicies/read"
READ_VAULTS: Final = "Microsoft.RecoveryServices/Vaults/read"

DAY: Final = timedelta(hours=24)
FAILURES_OF: Final = timedelta(days=3)
RUNNING_OF: Final = timedelta(days=29)
"""A machine that died may leave a job running for weeks; Azure lists at most 30 days."""
SIDE_BY_SIDE: Final = 16
_CLOCKS_DIFFER: Final = timedelta(minutes=10)
_VAULTS_API: Final = "2024-04-01"


async def vault_status(read: BackupReader, vault: Vault, rules: RpoRules, now: datetime) -> VaultStatus:
    """How every item of the vault stands, with its policies read once each.

    Raises:
        GatewayError: the items could not be read.
    """
    (items, items_unread), (jobs, jobs_unread) = await asyncio.gather(_items(read, vault), _jobs(read, vault, now))
    if items_unread is not None:
        raise items_unread
    policies, policies_unread = await policies_of(read, items)
    notes = tuple(f"{name}: {why_blind(error, (READ_POLICIES,), now)}" for name, error in policies_unread.items())
    return _status(vault, items, policies, jobs, jobs_unread, rules, now, notes=notes)


async def fleet_status(
    read: BackupReader, rules: RpoRules, now: datetime, *, limit_s: float = 25.0, at_once: int = SIDE_BY_SIDE
) -> FleetStatus:
    """How every vault stands that the reader sees; policies are left out, because they decide nothing here.

    A vault that cannot be read, or not within ``limit_s`` seconds, is kept with its reason, and so is a subscription.

    Raises:
        GatewayError: not even the vaults could be listed.
    """
    places = asyncio.Semaphore(at_once)
    vaults = await read.vaults()

    async def look(vault: Vault) -> VaultStatus:
        async with places:
            (items, items_unread), (jobs, jobs_unread) = await asyncio.gather(
                _items(read, vault), _jobs(read, vault, now)
            )
        if items_unread is not None:
            return _unread(vault, why_blind(items_unread, (READ_ITEMS,), now))
        return _status(vault, items, {}, jobs, jobs_unread, rules, now)

    looks = {asyncio.ensure_future(look(vault)): vault for vault in vaults}
    others = asyncio.ensure_future(_unread_subscriptions(read, vaults, now))
    too_late = f"Azure did not answer within {limit_s:g} seconds."
    try:
        await asyncio.wait({*looks, others}, timeout=limit_s)
        found = [task.result() if task.done() else _unread(vault, too_late) for task, vault in looks.items()]
        missing = others.result() if others.done() else (UnreadSubscription(subscription="*", why=too_late),)
    finally:
        late = [task for task in (*looks, others) if task.cancel()]
        await asyncio.gather(*late, return_exceptions=True)
    found.sort(key=lambda one: (one.vault_name.casefold(), key(one.vault_id)))
    return FleetStatus(vaults=tuple(found), unread_subscriptions=missing)


async def policies_of(
    read: BackupReader, items: Iterable[ProtectedItem]
) -> tuple[Mapping[str, BackupPolicy], Mapping[str, GatewayError]]:
    """The items' policies by the key of their id, each read once, and by name those that could not be read."""
    wanted = {key(item.policy_id): item for item in items if item.policy_id}
    answers = await asyncio.gather(*(read.policy(item.policy_id) for item in wanted.values()), return_exceptions=True)
    policies: dict[str, BackupPolicy] = {}
    unread: dict[str, GatewayError] = {}
    for (policy_key, item), answer in zip(wanted.items(), answers, strict=True):
        if isinstance(answer, GatewayError):
            unread[f"policy {item.policy_name or policy_key.rpartition('/')[2]}"] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            policies[policy_key] = answer
    return policies, unread


async def _items(read: BackupReader, vault: Vault) -> tuple[Sequence[ProtectedItem], GatewayError | None]:
    try:
        return await read.items(vault.id), None
    except GatewayError as error:
        return (), error


async def _jobs(read: BackupReader, vault: Vault, now: datetime) -> tuple[Sequence[Job], GatewayError | None]:
    """Only failed and running jobs: two short lists, where all jobs of a large vault are many pages."""
    until = now + _CLOCKS_DIFFER
    try:
        failed, running = await both(
            read.jobs(vault.id, now - FAILURES_OF, until, status="Failed"),
            read.jobs(vault.id, now - RUNNING_OF, until, status="InProgress"),
        )
    except GatewayError as error:
        return (), error
    jobs = {job.id: job for job in (*failed, *running)}
    return sorted(jobs.values(), key=lambda job: job.started_at or now, reverse=True), None


def _status(
    vault: Vault,
    items: Sequence[ProtectedItem],
    policies: Mapping[str, BackupPolicy],
    jobs: Sequence[Job],
    jobs_unread: GatewayError | None,
    rules: RpoRules,
    now: datetime,
    *,
    notes: tuple[str, ...] = (),
) -> VaultStatus:
    judged = [judge_item(item, jobs, policies.get(key(item.policy_id)), rules, now) for item in items]
    if jobs_unread is not None:
        notes = (f"jobs: {why_blind(jobs_unread, (READ_JOBS,), now)}", *notes)
    lately = [job for job in jobs if job.failed and job.started_at is not None and job.started_at >= now - DAY]
    return VaultStatus(
        vault_id=vault.id.id,
        vault_name=vault.id.name,
        items=tuple(sorted(judged, key=lambda one: one.badness)),
        jobs_running=None if jobs_unread else sum(job.running for job in jobs),
        jobs_failed=None if jobs_unread else len(lately),
        notes=notes,
    )


def _unread(vault: Vault, why: str) -> VaultStatus:
    return VaultStatus(vault_id=vault.id.id, vault_name=vault.id.name, unread=why)


async def _unread_subscriptions(
    read: BackupReader, vaults: Sequence[Vault], now: datetime
) -> tuple[UnreadSubscription, ...]:
    """The subscriptions that show no vault because they cannot be read; an empty one is just empty."""
    seen = {vault.id.subscription.casefold() for vault in vaults}
    silent = [name for name in await read.subscriptions() if name.casefold() not in seen]

    async def look(name: str) -> UnreadSubscription | None:
        try:
            missed = await read.resources(
                f"/subscriptions/{name}/providers/Microsoft.RecoveryServices/vaults", _VAULTS_API
            )
        except GatewayError as error:
            return UnreadSubscription(subscription=name, why=why_blind(error, (READ_VAULTS,), now))
        if missed:
            return UnreadSubscription(subscription=name, why="Its vaults could not be read at first; ask again.")
        return None

    return tuple(one for one in await asyncio.gather(*(look(name) for name in silent)) if one is not None)


def item_json(item: ItemStatus) -> dict[str, Any]:
    """An item for ``--json``: moments as ISO 8601, durations in whole seconds, unknown as null."""
    rpo = item.rpo
    return {
        "item": item.item_id,
        "name": item.name,
        "vault": item.vault_name,
        "workload": item.workload.value,
        "state": item.state.value,
        "why": item.why,
        "source": item.source_id or None,
        "policy": item.policy_name or None,
        "last_backup": {"status": item.last_backup_status or None, "at": iso(item.last_backup_at)},
        "newest_point": iso(item.newest_point_at),
        "newest_point_inferred": item.point_inferred,
        "error_code": item.error_code or None,
        "failures": item.failures,
        "running_for_s": whole_seconds(item.running_for),
        "rpo": {
            "state": rpo.state.value,
            "reason": rpo.reason,
            "configured_s": whole_seconds(rpo.sla_rpo),
            "by_policy_s": whole_seconds(rpo.policy_rpo),
            "actual_s": whole_seconds(rpo.age),
            "breached_by_s": whole_seconds(rpo.breached_by),
            "safe_until": iso(rpo.safe_until),
            "next_expected": iso(rpo.next_expected_at),
        },
    }


def vault_json(status: VaultStatus) -> dict[str, Any]:
    """A vault for ``--json``; ``unread`` is null when its items were read."""
    return {
        "vault": status.vault_id,
        "name": status.vault_name,
        "unread": status.unread or None,
        "counts": {state.value: count for state, count in status.counts.items()},
        "jobs": {"running": status.jobs_running, "failed_24h": status.jobs_failed},
        "notes": list(status.notes),
        "items": [item_json(item) for item in status.items],
    }


def fleet_json(status: FleetStatus) -> dict[str, Any]:
    """The fleet for ``--json``."""
    return {
        "counts": {state.value: count for state, count in status.counts.items()},
        "unread_vaults": [{"vault": one.vault_id, "why": one.unread} for one in status.unread_vaults],
        "unread_subscriptions": [
            {"subscription": one.subscription, "why": one.why} for one in status.unread_subscriptions
        ],
        "vaults": [vault_json(vault) for vault in status.vaults],
    }


def iso(moment: datetime | None) -> str | None:
    """A moment as JSON has it."""
    return moment.isoformat() if moment is not None else None


def whole_seconds(value: timedelta | None) -> int | None:
    """A duration as JSON has it."""
    return int(value.total_seconds()) if value is not None else None
