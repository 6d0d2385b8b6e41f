"""Neither the item nor its recovery points are soft deleted, which looks like gone but is not yet."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from diagnostics.error_codes import ErrorCode
from diagnostics.history import backup_errors, both, subject
from diagnostics.points import points_and_deleted_ones
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting
from diagnostics.verdicts import Verdicts, utc
from domain.backup import ProtectedItem, RecoveryPoint, Workload
from domain.durations import format_age
from domain.finding import Finding

say = Verdicts(__name__)

_ON_PREMISES = frozenset({Workload.MARS, Workload.MABS, Workload.OTHER})
_PURGE_AFTER = timedelta(days=14)


@check(
    title="Neither the item nor its recovery points are soft deleted",
    runbook=("cause_soft_delete",),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/read",
        "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/read",
        "Microsoft.RecoveryServices/Vaults/backupJobs/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-security-feature-cloud",
    suggests=("undelete_item", "resume_protection"),
    az="az backup item list --vault-name <vault> --resource-group <group> "
    '--query "[?properties.isScheduledForDeferredDelete]"',
    portal="Recovery Services vault > Backup items > soft-deleted items",
)
async def item_is_not_soft_deleted(context: Context) -> Finding:
    """Read the item, its points with the soft-deleted ones, and whether the last error speaks of a deleted share."""
    listed = subject(context)
    if listed.workload in _ON_PREMISES:
        return judge(await context.read.item(listed.id), (), None, context.clock.now())
    (item, points), errors = await both(
        both(context.read.item(listed.id), _points(context, listed)), backup_errors(context)
    )
    return judge(item, points, errors[0] if errors else None, context.clock.now())


async def _points(context: Context, listed: ProtectedItem) -> Sequence[RecoveryPoint]:
    return () if listed.soft_deleted else await points_and_deleted_ones(context)


def judge(item: ProtectedItem, points: Sequence[RecoveryPoint], known: ErrorCode | None, now: datetime) -> Finding:
    """The item itself first, then the share behind it, then its points."""
    if item.soft_deleted:
        return _deleted_item(item, now)
    if known is not None and item.workload is Workload.FILES and known.family == "soft_delete":
        return say.bad(
            f"The file share {item.name} was deleted in the storage account {item.parent_name}; its snapshots went with it. "
            "Bring it back there: az storage share-rm restore --storage-account "
            f"{item.parent_name} --name {item.name} --deleted-version <version>",
            evidence={"share": item.name, "storage_account": item.parent_name, "error_code": known.name},
            facts={"what": "share"},
        )
    gone = [point for point in points if point.soft_deleted]
    if gone:
        last = min((point.expires_at for point in gone if point.expires_at), default=None)
        until = f" The first of them is purged on {utc(last)}." if last else ""
        return say.bad(
            f"{len(gone)} recovery point{'s' if len(gone) > 1 else ''} of {item.name} look gone but are soft deleted, "
            f"the newest of {utc(gone[0].at)}.{until} Usually a shorter retention in the policy did that: give the policy "
            "its longer retention back, or ask Microsoft support, before the purge.",
            evidence={
                "soft_deleted_points": len(gone),
                "newest_of_them": gone[0].at.isoformat(),
                "first_purge": last.isoformat() if last else None,
                "points_left": len(points) - len(gone),
            },
            facts={"what": "points"},
        )
    return say.good("Neither the item nor any of its recovery points is soft deleted.")


def _deleted_item(item: ProtectedItem, now: datetime) -> Finding:
    remaining = item.purge_after
    if remaining is None and item.deleted_at is not None:
        remaining = item.deleted_at + _PURGE_AFTER - now
    left = (
        f"{format_age(remaining)} remain until it is purged"
        if remaining is not None
        else "Azure does not say until when"
    )
    since = f" on {utc(item.deleted_at)}" if item.deleted_at else ""
    return say.bad(
        f"{item.name} was deleted{since} and is soft deleted: {left}. Undelete it first, then resume its protection; "
        "without the second step no backup runs.",
        evidence={
            "deleted_at": item.deleted_at.isoformat() if item.deleted_at else None,
            "purged_in": format_age(remaining) if remaining is not None else None,
        },
        facts={"what": "item"},
        suggests=fitting(("undelete_item", "resume_protection"), item.workload),
    )
