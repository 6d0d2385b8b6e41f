"""The item is protected by a policy that is applied, so that backups are scheduled at all."""

from diagnostics.history import subject
from diagnostics.registry import Context, check
from diagnostics.remedies import fitting
from diagnostics.verdicts import Verdicts
from domain.backup import ProtectedItem, Workload
from domain.finding import Finding

say = Verdicts(__name__)

_ON_PREMISES = frozenset({Workload.MARS, Workload.MABS, Workload.OTHER})
_STATES = {
    "protectionstopped": ("stopped", "Protection was stopped: no policy is applied and no backup is scheduled."),
    "protectionpaused": ("paused", "Protection is paused: no backup runs until somebody resumes it."),
    "backupssuspended": ("suspended", "Backups are suspended: none runs, and therefore none fails."),
    "protectionerror": ("error", "Protection is in an error state, so backups may not be scheduled."),
    "protectionfailed": ("error", "Setting up protection failed, so no backup is scheduled."),
}


@check(
    title="The item is protected by a policy that is applied",
    runbook=("indicator_rpo_breached", "diagnostic_policy_rpo"),
    permissions=("Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/read",),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-manage-vms#stop-protecting-a-vm",
    suggests=("resume_protection",),
    az="az backup item show --vault-name <vault> --resource-group <group> --container-name <container> --name <item> "
    "--query properties.protectionState",
    portal="Recovery Services vault > Backup items > the item > Resume backup",
)
async def protection_is_active(context: Context) -> Finding:
    """Read the item with its extended information, which tells whether its policy is consistent."""
    item = subject(context)
    return judge(await context.read.item(item.id))


def judge(item: ProtectedItem) -> Finding:
    """Stopped, paused, suspended, without a policy or with one that is not applied: each has its own name."""
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "protection_state": item.protection_state or None,
        "policy": item.policy_name or None,
        "policy_inconsistent": item.policy_inconsistent,
    }
    if item.soft_deleted:
        return say.not_asked("The item is deleted; whether it is protected is no question any more.", evidence=evidence)
    suggests = fitting(["resume_protection"], item.workload)
    state = item.protection_state.casefold()
    if state in _STATES:
        mark, sentence = _STATES[state]
        also = f" Besides, {_inconsistent(item)}" if item.policy_inconsistent else ""
        return say.bad(
            f"{sentence}{also}", evidence=evidence, facts={"state": mark, **_policy_fact(item)}, suggests=suggests
        )
    if item.policy_inconsistent:
        return say.bad(
            f"T{_inconsistent(item)[1:]}",
            evidence=evidence,
            facts={"state": "inconsistent", **_policy_fact(item)},
            suggests=suggests,
        )
    if not item.policy_id and item.workload not in _ON_PREMISES:
        return say.bad(
            "The item has no policy, so no backup is scheduled.",
            evidence=evidence,
            facts={"state": "no_policy"},
            suggests=suggests,
        )
    if state == "irpending":
        return say.good(
            f"The item is protected by {item.policy_name or 'its policy'}; its first backup is still to come.",
            evidence=evidence,
            facts={"state": "pending"},
        )
    if state in {"protected", "protectionconfigured"}:
        by = f" by the policy {item.policy_name}" if item.policy_name else ""
        return say.good(f"The item is protected{by}.", evidence=evidence, facts={"state": "active"})
    return say.unclear(
        f"Azure reports {item.protection_state or 'no protection state'!r}, which does not tell whether backups are "
        "scheduled.",
        evidence=evidence,
    )


def _policy_fact(item: ProtectedItem) -> dict[str, str]:
    return {"policy": "inconsistent"} if item.policy_inconsistent else {}


def _inconsistent(item: ProtectedItem) -> str:
    return (
        f"the policy {item.policy_name} is inconsistent for this item: a change of it never arrived, so its schedule is not "
        "applied. Assigning the policy again repairs that."
    )
