"""Where an item's newest recovery point is written down, which differs by workload."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from diagnostics.history import HISTORY, subject
from diagnostics.registry import Context
from domain.backup import ProtectedItem, RecoveryPoint, Workload
from domain.errors import BadRequest, GatewayError, ResourceNotFound
from domain.schedule import BackupPolicy, real_moment

_CLOCKS_DIFFER: Final = timedelta(minutes=10)
_ON_PREMISES: Final = frozenset({Workload.MARS, Workload.MABS})
_SUCCESS: Final = frozenset({"completed", "healthy", "completedwithwarnings", "succeeded"})


async def recovery_points(context: Context) -> Sequence[RecoveryPoint]:
    """The item's points of the last thirty days, newest first; empty where Azure keeps no list for on-premises items.

    Soft-deleted ones are left out, but they are in the one list that Azure is asked for, which all checks share.
    """
    if subject(context).workload in _ON_PREMISES:
        try:
            return await _listed(context, include_soft_deleted=False)
        except (BadRequest, ResourceNotFound):
            return ()
    try:
        points = await points_and_deleted_ones(context)
    except BadRequest:  # whatever a service has against the wish for deleted ones is no reason not to know the others
        points = await _listed(context, include_soft_deleted=False)
    return [point for point in points if not point.soft_deleted]


async def points_and_deleted_ones(context: Context) -> Sequence[RecoveryPoint]:
    """The item's points of the last thirty days, newest first, the soft-deleted ones among them."""
    return await _listed(context, include_soft_deleted=True)


async def _listed(context: Context, *, include_soft_deleted: bool) -> Sequence[RecoveryPoint]:
    until = context.clock.now() + _CLOCKS_DIFFER
    return await context.read.recovery_points(
        subject(context).id, until - HISTORY, until, include_soft_deleted=include_soft_deleted
    )


def newest_point_at(item: ProtectedItem, points: Sequence[RecoveryPoint]) -> datetime | None:
    """The newest of the list and of what the item itself says.

    MARS and MABS items tell of their points only through the item; there a successful last backup made one. For all
    others the time of the last backup proves nothing, because a failed run moves it too.
    """
    known = [point.at for point in points if not point.soft_deleted]
    if item.last_recovery_point_at is not None:
        known.append(item.last_recovery_point_at)
    if item.workload in _ON_PREMISES:
        if item.last_backup_at is not None and item.last_backup_status.casefold() in _SUCCESS:
            known.append(item.last_backup_at)
        told = _on_premise_latest(item.properties)
        if told is not None:
            known.append(told)
    return max(known, default=None)


def _on_premise_latest(properties: Mapping[str, object]) -> datetime | None:
    """``extendedInfo.onPremiseLatestRecoveryPoint`` of a MABS or DPM item."""
    extended = properties.get("extendedInfo")
    text = extended.get("onPremiseLatestRecoveryPoint") if isinstance(extended, Mapping) else None
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return real_moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


async def policy_of(context: Context) -> BackupPolicy | None:
    """The item's policy where it is a side question: None without one, or when it cannot be read."""
    item = subject(context)
    if not item.policy_id:
        return None
    try:
        return await context.read.policy(item.policy_id)
    except GatewayError:
        return None
