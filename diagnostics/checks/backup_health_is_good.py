"""The vault's own pre-check of the item asks for nothing."""

from collections.abc import Sequence

from diagnostics.history import subject
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting
from diagnostics.verdicts import Verdicts
from domain.backup import HealthDetail, ProtectedItem, Workload
from domain.finding import Finding

say = Verdicts(__name__)

_GOOD = frozenset({"passed", "healthy"})
_PASSING = frozenset({"transientunhealthy", "transientdegraded"})
_WARNING = frozenset({"actionsuggested"})
_HEALTHY_MARKER = "400239"
_NO_PRECHECK = frozenset({Workload.MARS, Workload.MABS, Workload.OTHER})
_SHOWN = 3


@check(
    title="The pre-check of the item asks for nothing",
    runbook=("indicator_health_alert",),
    permissions=("Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/read",),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-manage-vms",
    suggests=("rerun_backup", "guide_repair_vm_agent", "guide_mars_update", "guide_mabs_update"),
    az="az backup item show --vault-name <vault> --resource-group <group> --container-name <container> --name <item> "
    "--query properties.healthDetails",
    portal="Recovery Services vault > Backup items > Backup pre-check",
)
async def backup_health_is_good(context: Context) -> Finding:
    """Read the item as its vault describes it; nothing more is needed."""
    item = subject(context)
    return judge(await context.read.item(item.id))


def judge(item: ProtectedItem) -> Finding:
    """Passed or Healthy is good; a transient state is the service's own business for now."""
    status = item.health_status
    told = [one for one in item.health_details if one.code != _HEALTHY_MARKER]
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "health_status": status or None,
        "details": [_line(one) for one in told[:_SHOWN]],
        "recommendations": [advice for one in told[:_SHOWN] for advice in one.recommendations],
    }
    facts = {
        "health": status.casefold(),
        "health_code": told[0].code if told else "",
        "health_title": told[0].title if told else "",
    }
    if item.soft_deleted:
        return say.not_asked("A deleted item has no pre-check.", evidence=evidence)
    if status.casefold() in _GOOD:
        return say.good(f"The pre-check of the item says {status}.", evidence=evidence, facts=facts)
    if status.casefold() == "irpending":
        return say.not_asked("The pre-check waits for the first backup.", evidence=evidence, facts=facts)
    if not status:
        if item.workload in _NO_PRECHECK:
            return say.not_asked(f"Azure keeps no pre-check of a {item.workload.words}.")
        return say.unclear("Azure does not report the item's pre-check.", evidence=evidence)
    if status.casefold() in _PASSING:
        return say.unclear(
            f"The pre-check says {status}: the service calls that passing. If it stays for a day, look again.",
            evidence=evidence,
            facts=facts,
        )
    level = "suggested" if status.casefold() in _WARNING else "required"
    return say.bad(
        f"The pre-check of the item says {status}{_because(told)} (this is what the runbook calls a pre-check warning or "
        "degraded health; Azure has no alert of either name).",
        evidence=evidence,
        facts={**facts, "level": level},
        suggests=fitting(
            ("rerun_backup", "guide_repair_vm_agent", "guide_mars_update", "guide_mabs_update"), item.workload
        ),
    )


def _because(told: Sequence[HealthDetail]) -> str:
    return f": {_line(told[0])}" if told else " and gives no details"


def _line(detail: HealthDetail) -> str:
    said = detail.message or detail.title
    return f"{detail.title} ({detail.code}): {said}" if detail.title and said != detail.title else said or detail.code
