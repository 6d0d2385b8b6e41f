"""The policy backs up often enough to keep the RPO, however well its jobs go."""

from diagnostics.history import subject
from diagnostics.registry import Context, check
from diagnostics.verdicts import Verdicts
from domain.backup import ProtectedItem
from domain.durations import format_age
from domain.finding import Finding
from domain.schedule import BackupPolicy, RpoRules, worst_case_gap

say = Verdicts(__name__)


@check(
    title="The policy can keep the RPO",
    runbook=("diagnostic_policy_rpo",),
    permissions=("Microsoft.RecoveryServices/Vaults/backupPolicies/read",),
    docs="https://learn.microsoft.com/azure/backup/backup-architecture#backup-policy-essentials",
    az="az backup policy show --vault-name <vault> --resource-group <group> --name <policy>",
    portal="Recovery Services vault > Backup policies",
)
async def policy_meets_rpo(context: Context) -> Finding:
    """Read the item's policy."""
    item = subject(context)
    if not item.policy_id:
        return say.not_asked("The item has no policy in Azure whose schedule could be judged.")
    return judge(item, await context.read.policy(item.policy_id), context.rpo)


def judge(item: ProtectedItem, policy: BackupPolicy, rules: RpoRules) -> Finding:
    """The longest time without a backup that the schedule allows, against the RPO of the item."""
    where = item.id
    rpo = rules.rpo_for(
        where.vault.name,
        item.name,
        container=where.container,
        resource_group=where.vault.resource_group,
        subscription=where.vault.subscription,
    )
    gap = worst_case_gap(policy)
    kept = policy.retention.every_point
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "policy": policy.name,
        "worst_case_gap": format_age(gap) if gap is not None else None,
        "rpo": format_age(rpo),
        "retention": kept.words if kept else None,
        "longest_retention": policy.retention.longest.words if policy.retention.longest else None,
        "instant_restore_days": policy.instant_retention_days,
        "time_zone": policy.zone_name or None,
    }
    keeps = f" It keeps a point for {kept.words}." if kept else ""
    if gap is None:
        why = " ".join(policy.unknown) or "it names no schedule."
        return say.unclear(
            f"How often the policy {policy.name} backs up cannot be told: {why}{keeps}", evidence=evidence
        )
    if gap > rpo:
        return say.bad(
            f"The policy {policy.name} leaves up to {format_age(gap)} between backups, more than the RPO of "
            f"{format_age(rpo)}: even without any failure the RPO is breached.{keeps} Choose a policy that runs more "
            "often, or agree on a longer RPO.",
            evidence=evidence,
            facts={"gap": "too_wide"},
        )
    return say.good(
        f"The policy {policy.name} leaves at most {format_age(gap)} between backups, within the RPO of "
        f"{format_age(rpo)}.{keeps}",
        evidence=evidence,
        facts={"gap": "fits"},
    )
