"""Every item's RPO with its three numbers, the worst first: what Azure itself never alerts on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from diagnostics.overview.side_by_side import LIMIT_S
from diagnostics.overview.status import READ_POLICIES, fleet_status, policies_of, vault_status
from diagnostics.verdicts import why_blind
from domain.arm import key
from domain.backup import Vault
from domain.errors import RequestError
from domain.overview import FleetStatus, ItemState, ItemStatus, RpoTable, VaultStatus
from domain.ports import BackupReader
from domain.schedule import BackupPolicy, RpoRules, RpoState, worst_case_gap

PAGE: Final = 20
_ORDER: Final = (RpoState.BREACHED, RpoState.UNKNOWN, RpoState.PENDING, RpoState.SAFE)


async def rpo_table(
    read: BackupReader,
    rules: RpoRules,
    now: datetime,
    *,
    vault: Vault | None = None,
    page: int = 1,
    size: int | None = PAGE,
    limit_s: float = LIMIT_S,
) -> RpoTable:
    """A page of ``size`` items (None: all on one) of one vault or of all; policies are read only for what is shown.

    Raises:
        RequestError: there is no such page.
        GatewayError: the vault's items, or the list of vaults, could not be read.
    """
    if vault is not None:
        status: VaultStatus | FleetStatus = await vault_status(read, vault, rules, now)
    else:
        status = await fleet_status(read, rules, now, limit_s=limit_s)
    items = sorted(status.items, key=worst_first)
    size = size or max(len(items), 1)
    pages = max(-(-len(items) // size), 1)
    if not 1 <= page <= pages:
        raise RequestError(f"There is no page {page}: the table has {pages} page{'s' if pages > 1 else ''}.")
    rows: Sequence[ItemStatus] = items[(page - 1) * size : page * size]
    notes: tuple[str, ...] = ()
    if isinstance(status, FleetStatus):
        policies, unread = await policies_of(read, (row.policy_id for row in rows))
        rows = [_with_policy(row, policies) for row in rows]
        notes = tuple(f"policy {name}: {why_blind(error, (READ_POLICIES,), now)}" for name, error in unread.items())
    else:
        notes = status.notes
    counts = Counter(item.rpo.state for item in items if item.state is not ItemState.STOPPED)
    return RpoTable(
        rows=tuple(rows),
        counts={state: counts[state] for state in RpoState},
        stopped=sum(item.state is ItemState.STOPPED for item in items),
        page=page,
        pages=pages,
        total=len(items),
        vault_id=vault.id.id if vault is not None else "",
        vault_name=vault.id.name if vault is not None else "",
        vault_names=status.vault_names if isinstance(status, FleetStatus) else {},
        unread_vaults=status.unread_vaults if isinstance(status, FleetStatus) else (),
        unread_subscriptions=status.unread_subscriptions if isinstance(status, FleetStatus) else (),
        notes=notes,
    )


def worst_first(item: ItemStatus) -> tuple[bool, int, float, str]:
    """Stopped items last; then by state; the longest breach, and among safe ones the soonest end, first."""
    rpo = item.rpo
    weight = float("-inf") if rpo.state is RpoState.BREACHED else 0.0
    if rpo.breached_by is not None:
        weight = -rpo.breached_by.total_seconds()
    elif rpo.safe_until is not None:
        weight = rpo.safe_until.timestamp()
    return (item.state is ItemState.STOPPED, _ORDER.index(rpo.state), weight, item.name.casefold())


def _with_policy(item: ItemStatus, policies: Mapping[str, BackupPolicy]) -> ItemStatus:
    policy = policies.get(key(item.policy_id))
    gap = worst_case_gap(policy) if policy is not None else None
    if gap is None:
        return item
    can_meet = gap <= item.rpo.sla_rpo if item.rpo.sla_rpo is not None else None
    return replace(item, rpo=replace(item.rpo, policy_rpo=gap, policy_can_meet=can_meet))
