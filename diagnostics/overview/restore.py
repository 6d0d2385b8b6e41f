"""What stands in the way of a restore, asked before anybody needs it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from diagnostics.cache import once
from diagnostics.history import HISTORY, restore_trouble, subject
from diagnostics.instant import stopped
from diagnostics.overview.judging import newest_known_point
from diagnostics.overview.side_by_side import LIMIT_S
from diagnostics.points import newest_point_at, recovery_points
from diagnostics.registry import Check, Context, RestoreTarget
from diagnostics.runner import OnBug, OnFinding, diagnose
from diagnostics.verdicts import why_blind
from domain.backup import ProtectedItem, Workload
from domain.errors import GatewayError, RequestError
from domain.overview import RestoreView

READ_POINTS: Final = (
    "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/read"
)
ALSO: Final = (
    "backup_service_can_read_key_vault",
    "item_is_not_soft_deleted",
    "last_restore_succeeded",
    "no_lock_blocks_restore",
    "vault_identity_has_its_roles",
)
"""Checks of the item whose answer matters to a restore too."""
REMARKS: Final = frozenset({"last_restore_succeeded"})
"""That an earlier restore failed is worth knowing; whether the next one does depends on the others."""
_ON_PREMISES: Final = frozenset({Workload.MARS, Workload.MABS})
_UNREAD: Final = "The recovery points could not be read."
_CAPACITY: Final = (
    "Whether Azure has the capacity when the restore runs (AllocationFailed, SkuNotAvailable): no API tells in advance."
)
_POLICY: Final = (
    "Whether an Azure Policy refuses the new resources (RequestDisallowedByPolicy): that shows only on creation."
)
_CONTENT: Final = "Whether the data inside is what you need: only a test restore shows that (/backup drills)."
_GUEST: Final = "Whether the machine that restores reaches Azure and has the room: Azure cannot see into it."


async def restore_check(
    context: Context,
    checks: Mapping[str, Check],
    *,
    limit_s: float = LIMIT_S,
    on_finding: OnFinding | None = None,
    on_bug: OnBug | None = None,
) -> RestoreView:
    """Run the checks that a restore of the context's item to the context's target depends on.

    Without a target it is the target of a restore that failed lately, else the source itself.

    Raises:
        RequestError: no check fits the item.
    """
    item = subject(context)
    context = replace(context, read=once(context.read), clock=stopped(context.clock), restoring=False)
    as_failed = context.target == RestoreTarget() and await _failed_lately(context, limit_s)
    chosen = restore_checks(item, checks)
    if not chosen:
        raise RequestError(f"No check of restores fits a {item.workload.words}.")
    diagnosis, (points, newest, unread) = await asyncio.gather(
        diagnose(
            context,
            checks,
            only=chosen,
            restore=None if as_failed else True,
            limit_s=limit_s,
            on_finding=on_finding,
            on_bug=on_bug,
        ),
        _points(context, item, limit_s),
    )
    target = context.target
    return RestoreView(
        vault_id=context.vault.id.id,
        item_id=item.id.id,
        diagnosis=diagnosis,
        region=target.region,
        vm_size=target.vm_size,
        storage_account=target.storage_account,
        as_failed=as_failed,
        points=points,
        newest_point_at=newest,
        points_unread=unread,
        remarks=REMARKS,
        cannot_know=_cannot_know(item),
    )


def restore_checks(item: ProtectedItem, checks: Mapping[str, Check]) -> tuple[str, ...]:
    """The ids of the checks on which a restore of the item depends."""
    return tuple(
        check.id
        for check in checks.values()
        if item.workload in check.workloads and (check.about == "restore" or check.id in ALSO)
    )


async def _failed_lately(context: Context, limit_s: float) -> bool:
    """Whether a restore failed whose target the checks can read; if that cannot be read, one of them says so."""
    try:
        async with asyncio.timeout(limit_s / 2):
            return await restore_trouble(context) is not None
    except (GatewayError, TimeoutError):
        return False


async def _points(context: Context, item: ProtectedItem, limit_s: float) -> tuple[int | None, datetime | None, str]:
    """How many points there are, the newest, and what leaves that open."""
    known, _ = newest_known_point(item)
    try:
        async with asyncio.timeout(limit_s):
            points = await recovery_points(context)
    except GatewayError as error:
        return None, known, f"{_UNREAD} {why_blind(error, (READ_POINTS,), context.clock.now())}"
    except TimeoutError:
        return None, known, f"{_UNREAD} Azure did not answer within {limit_s:g} seconds."
    alive = [point for point in points if not point.soft_deleted]
    newest = newest_point_at(item, alive)
    if item.workload in _ON_PREMISES and not alive:
        return None, newest, "" if newest else "Azure keeps no list of the recovery points of machines outside Azure."
    if not alive and newest is not None and newest > context.clock.now() - HISTORY:
        return 0, newest, "The item speaks of a recovery point, but Azure lists none of the last 30 days."
    return len(alive), newest, ""


def _cannot_know(item: ProtectedItem) -> tuple[str, ...]:
    match item.workload:
        case Workload.VM:
            return (_CAPACITY, _POLICY, _CONTENT)
        case Workload.MARS | Workload.MABS:
            return (_GUEST, _CONTENT)
        case _:
            return (_CONTENT,)
