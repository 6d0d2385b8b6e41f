"""The newest recovery point is younger than the RPO; a point counts, not a job."""

from collections.abc import Sequence
from datetime import datetime

from diagnostics.history import HISTORY, both, subject
from diagnostics.points import newest_point_at, recovery_points
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting, try_again
from diagnostics.verdicts import Verdicts
from domain.backup import ProtectedItem, RecoveryPoint
from domain.durations import format_age
from domain.errors import GatewayError
from domain.finding import Finding
from domain.schedule import BackupPolicy, RpoRules, RpoState, RpoVerdict, judge_rpo

say = Verdicts(__name__)


@check(
    title="A recovery point exists within the RPO",
    runbook=("scope", "indicator_rpo_breached", "tool_backup_explorer"),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/read",
        "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/read",
        "Microsoft.RecoveryServices/Vaults/backupPolicies/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-monitoring-alerts",
    suggests=("rerun_backup", "guide_mars_update", "guide_mabs_update"),
    az="az backup recoverypoint list --vault-name <vault> --resource-group <group> --container-name <container> "
    "--item-name <item>",
    portal="Recovery Services vault > Backup items > the item > Restore points",
)
async def recovery_point_is_recent(context: Context) -> Finding:
    """Read the item afresh, its newest recovery point and its policy."""
    item, points = await both(context.read.item(subject(context).id), recovery_points(context))
    policy = None
    policy_unread = False
    if item.policy_id:
        try:
            policy = await context.read.policy(item.policy_id)
        except GatewayError:
            policy_unread = True
    return judge(item, points, policy, context.rpo, context.clock.now(), policy_unread=policy_unread)


def judge(
    item: ProtectedItem,
    points: Sequence[RecoveryPoint],
    policy: BackupPolicy | None,
    rules: RpoRules,
    now: datetime,
    *,
    policy_unread: bool = False,
) -> Finding:
    """Compare the newest point with the configured RPO, and say what the policy allows beside it."""
    where = item.id
    verdict = judge_rpo(
        newest_point_at=newest_point_at(item, points),
        protected_since=None,
        first_backup_pending="irpending" in {item.protection_state.casefold(), item.last_backup_status.casefold()},
        rpo=rules.rpo_for(
            where.vault.name,
            item.name,
            container=where.container,
            resource_group=where.vault.resource_group,
            subscription=where.vault.subscription,
        ),
        policy=policy,
        now=now,
        grace=rules.grace,
    )
    summary = f"{verdict.reason} {_three_numbers(verdict, policy_unread=policy_unread)}{_remark(item)}"
    evidence = {
        "newest_point": verdict.newest_point_at.isoformat() if verdict.newest_point_at else None,
        "age": format_age(verdict.age) if verdict.age is not None else None,
        "rpo_configured": format_age(verdict.sla_rpo) if verdict.sla_rpo is not None else None,
        "rpo_by_policy": format_age(verdict.policy_rpo) if verdict.policy_rpo is not None else None,
        "breached_by": format_age(verdict.breached_by) if verdict.breached_by is not None else None,
        "safe_until": verdict.safe_until.isoformat() if verdict.safe_until else None,
        "next_expected": verdict.next_expected_at.isoformat() if verdict.next_expected_at else None,
        f"points_in_{HISTORY.days}_days": len(points),
    }
    facts = {"state": verdict.state.value}
    if verdict.on_schedule is not None:
        facts["on_schedule"] = "yes" if verdict.on_schedule else "no"
    if verdict.policy_can_meet is False:
        facts["policy_can_meet"] = "no"
    if verdict.newest_point_at is None:
        facts["never"] = "yes"
    match verdict.state:
        case RpoState.SAFE:
            return say.good(summary, evidence=evidence, facts=facts)
        case RpoState.BREACHED:
            again = fitting([try_again(item.workload)], item.workload)
            return say.bad(summary, evidence=evidence, facts=facts, suggests=again)
        case RpoState.PENDING:
            return say.not_asked(summary, evidence=evidence, facts=facts)
        case _:
            return say.unclear(summary, evidence=evidence, facts=facts)


def _three_numbers(verdict: RpoVerdict, *, policy_unread: bool) -> str:
    configured = format_age(verdict.sla_rpo) if verdict.sla_rpo is not None else "none"
    if policy_unread:
        implied = "unknown, because the policy could not be read"
    else:
        implied = format_age(verdict.policy_rpo) if verdict.policy_rpo is not None else "unknown"
    actual = format_age(verdict.age) if verdict.age is not None else "no point"
    return f"RPO configured {configured}, by the policy {implied}, actual {actual}."


def _remark(item: ProtectedItem) -> str:
    if item.soft_deleted:
        return " The item is soft deleted, so no new point will come."
    if item.protection_state.casefold() in {"protectionstopped", "protectionpaused", "backupssuspended"}:
        return f" Protection is {item.protection_state}, so no new point will come."
    return ""
