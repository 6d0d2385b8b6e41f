"""Restores are tested: within a quarter at least one proved restore for every kind of item in the vault."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from diagnostics.history import side_by_side
from diagnostics.registry import Context, Ledger, check
from diagnostics.remedies import fitting
from diagnostics.verdicts import Verdicts
from domain.backup import ProtectedItem, Workload
from domain.finding import Finding

say = Verdicts(__name__)

_QUARTER = timedelta(days=92)
_SHOWN = 10


@check(
    title="Restores were tested this quarter",
    runbook=("prevention_restore_tests",),
    permissions=("Microsoft.RecoveryServices/Vaults/backupProtectedItems/read",),
    docs="https://learn.microsoft.com/azure/backup/guidance-best-practices",
    suggests=("restore_disks", "guide_restore_elsewhere"),
    az="az backup job list --vault-name <vault> --resource-group <group> --operation Restore --status Completed",
    portal="Recovery Services vault > Backup jobs > Operation: Restore",
    about="vault",
)
async def restore_was_tested_this_quarter(context: Context) -> Finding:
    """Ask the drill ledger about every item of the vault, or about the one item."""
    if context.ledger is None:
        return say.unclear(
            "Which restores were tested is in the bot's own store, which this command does not open; ask the running bot."
        )
    items = [context.item] if context.item else await context.read.items(context.vault.id)
    alive = [item for item in items if not item.soft_deleted]
    drills = await side_by_side(*(_drill(context.ledger, item) for item in alive))
    return judge(
        context.vault.id.name,
        alive,
        {item.id.key: drill for item, drill in zip(alive, drills, strict=True) if drill is not None},
        context.clock.now(),
    )


async def _drill(ledger: Ledger, item: ProtectedItem) -> datetime | None:
    return await ledger.last_drill(item.id.key)


def judge(vault: str, items: Sequence[ProtectedItem], drills: Mapping[str, datetime], now: datetime) -> Finding:
    """One proved restore of each kind of item is the least; items that were never tested are counted."""
    if not items:
        return say.not_asked(f"{vault} protects nothing, so there is nothing to test.")
    fresh = {item.id.key for item in items if item.id.key in drills and now - drills[item.id.key] <= _QUARTER}
    tested = {item.workload for item in items if item.id.key in fresh}
    untested = sorted({item.workload for item in items} - tested)
    never = sorted(item.name for item in items if item.id.key not in drills)
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "items": len(items),
        "tested_this_quarter": len(fresh),
        "never_tested": len(never),
        "never_tested_items": never[:_SHOWN],
        "untested_kinds": [workload.words for workload in untested],
    }
    if untested:
        kinds = ", ".join(workload.words for workload in untested)
        return say.bad(
            f"In {vault} no restore was tested this quarter of: {kinds}. {len(fresh)} of {len(items)} items were tested; "
            f"{len(never)} never. A backup that was never restored is not known to be one.",
            evidence=evidence,
            suggests=_suggested(untested),
        )
    return say.good(
        f"In {vault} every kind of item had a tested restore this quarter; {len(fresh)} of {len(items)} items were tested.",
        evidence=evidence,
    )


def _suggested(workloads: Sequence[Workload]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            fix for workload in workloads for fix in fitting(("restore_disks", "guide_restore_elsewhere"), workload)
        )
    )
