"""How a vault and the whole fleet stand: few lists, vaults side by side, and nothing unreadable hidden."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from diagnostics.history import both
from diagnostics.overview.judging import judge_item
from diagnostics.overview.side_by_side import AT_ONCE, LIMIT_S, of_each_vault
from diagnostics.verdicts import why_blind
from domain.arm import key, name_of
from domain.backup import Job, ProtectedItem, Vault
from domain.errors import GatewayError
from domain.overview import FleetStatus, VaultStatus
from domain.ports import BackupReader
from domain.schedule import BackupPolicy, RpoRules

READ_ITEMS: Final = "Microsoft.RecoveryServices/Vaults/backupProtectedItems/read"
READ_JOBS: Final = "Microsoft.RecoveryServices/Vaults/backupJobs/read"
READ_POLICIES: Final = "Microsoft.RecoveryServices/Vaults/backupPolicies/read"

DAY: Final = timedelta(hours=24)
RUNNING_OF: Final = timedelta(days=29)
"""A machine that died may leave a job running for weeks; Azure lists at most 30 days."""
CLOCKS_DIFFER: Final = timedelta(minutes=10)
_FAILURES_OF: Final = timedelta(days=3)


async def vault_status(read: BackupReader, vault: Vault, rules: RpoRules, now: datetime) -> VaultStatus:
    """How every item of the vault stands, with its policies read once each.

    Raises:
        GatewayError: the items could not be read.
    """
    looked = await _look(read, vault, now)
    policies, unread = await policies_of(read, (item.policy_id for item in looked.items))
    notes = tuple(f"policy {name}: {why_blind(error, (READ_POLICIES,), now)}" for name, error in unread.items())
    return _status(vault, looked, policies, rules, now, notes)


async def fleet_status(
    read: BackupReader, rules: RpoRules, now: datetime, *, limit_s: float = LIMIT_S, at_once: int = AT_ONCE
) -> FleetStatus:
    """How every vault stands that the reader sees; policies are left out, because they decide nothing here.

    A vault that cannot be read, or not within ``limit_s`` seconds, is kept with its reason, and so is a subscription.

    Raises:
        GatewayError: not even the vaults could be listed.
    """

    async def look(vault: Vault) -> VaultStatus:
        return _status(vault, await _look(read, vault, now), {}, rules, now, ())

    vaults, missing = await of_each_vault(
        read, look, _unread, now, permissions=(READ_ITEMS,), limit_s=limit_s, at_once=at_once
    )
    return FleetStatus(vaults=vaults, unread_subscriptions=missing)


async def policies_of(
    read: BackupReader, policy_ids: Iterable[str]
) -> tuple[Mapping[str, BackupPolicy], Mapping[str, GatewayError]]:
    """The policies by the key of their id, each read once, and by name those that could not be read."""
    wanted = {key(policy_id): policy_id for policy_id in policy_ids if policy_id}
    answers = await asyncio.gather(*(read.policy(policy_id) for policy_id in wanted.values()), return_exceptions=True)
    policies: dict[str, BackupPolicy] = {}
    unread: dict[str, GatewayError] = {}
    for (policy_key, policy_id), answer in zip(wanted.items(), answers, strict=True):
        if isinstance(answer, GatewayError):
            unread[name_of(policy_id)] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            policies[policy_key] = answer
    return policies, unread


@dataclass(frozen=True)
class _Looked:
    """What was read of one vault; ``jobs_unread`` is why its jobs could not be."""

    items: Sequence[ProtectedItem]
    jobs: Sequence[Job]
    jobs_unread: GatewayError | None


async def _look(read: BackupReader, vault: Vault, now: datetime) -> _Looked:
    """Items and jobs side by side; without the jobs the items still stand."""
    items, (jobs, unread) = await both(read.items(vault.id), _jobs(read, vault, now))
    return _Looked(items, jobs, unread)


async def _jobs(read: BackupReader, vault: Vault, now: datetime) -> tuple[Sequence[Job], GatewayError | None]:
    """Only failed and running jobs: two short lists, where all jobs of a large vault are many pages."""
    until = now + CLOCKS_DIFFER
    try:
        failed, running = await both(
            read.jobs(vault.id, now - _FAILURES_OF, until, status="Failed"),
            read.jobs(vault.id, now - RUNNING_OF, until, status="InProgress"),
        )
    except GatewayError as error:
        return (), error
    jobs = {job.id: job for job in (*failed, *running)}
    return sorted(jobs.values(), key=lambda job: job.started_at or now, reverse=True), None


def _status(
    vault: Vault,
    looked: _Looked,
    policies: Mapping[str, BackupPolicy],
    rules: RpoRules,
    now: datetime,
    notes: tuple[str, ...],
) -> VaultStatus:
    jobs, unread = looked.jobs, looked.jobs_unread
    judged = [judge_item(item, jobs, policies.get(key(item.policy_id)), rules, now) for item in looked.items]
    if unread is not None:
        notes = (f"jobs: {why_blind(unread, (READ_JOBS,), now)}", *notes)
    lately = [job for job in jobs if job.failed and job.started_at is not None and job.started_at >= now - DAY]
    return VaultStatus(
        vault_id=vault.id.id,
        vault_name=vault.id.name,
        items=tuple(sorted(judged, key=lambda one: one.badness)),
        jobs_running=None if unread else sum(job.running for job in jobs),
        jobs_failed=None if unread else len(lately),
        notes=notes,
    )


def _unread(vault: Vault, why: str) -> VaultStatus:
    return VaultStatus(vault_id=vault.id.id, vault_name=vault.id.name, unread=why)
