"""Soft delete is on for the vault, with at least the configured days."""

from collections.abc import Mapping

from diagnostics.registry import Context, check
from diagnostics.restores import text_at
from diagnostics.verdicts import Verdicts
from domain.backup import Vault
from domain.errors import ResourceNotFound
from domain.finding import Finding

say = Verdicts(__name__)

_API = "2024-04-01"
_ON = frozenset({"enabled", "alwayson"})


@check(
    title="Soft delete is on",
    runbook=("prevention_soft_delete",),
    permissions=("Microsoft.RecoveryServices/Vaults/read", "Microsoft.RecoveryServices/Vaults/backupconfig/read"),
    docs="https://learn.microsoft.com/azure/backup/secure-by-default",
    suggests=("enable_soft_delete",),
    az="az backup vault backup-properties show --name <vault> --resource-group <group>",
    portal="Recovery Services vault > Properties > Security settings > Soft delete",
    about="vault",
)
async def soft_delete_is_on(context: Context) -> Finding:
    """Read the vault, and its older configuration resource where the vault does not say."""
    vault = await context.read.vault(context.vault.id)
    older: Mapping[str, object] = {}
    if vault.soft_delete_state is None:
        try:
            older = await context.read.resource(f"{vault.id.id}/backupconfig/vaultconfig", _API)
        except ResourceNotFound:
            older = {}
    return judge(vault, older, context.limits.minimum_soft_delete_days)


def judge(vault: Vault, older: Mapping[str, object], minimum_days: int) -> Finding:
    """Enabled or AlwaysON with enough days; days that are not told count as Azure's default of 14."""
    state = vault.soft_delete_state or text_at(older, "properties", "softDeleteFeatureState")
    days = vault.soft_delete_days
    if days is None:
        properties = older.get("properties")
        told = properties.get("softDeleteRetentionPeriodInDays") if isinstance(properties, Mapping) else None
        days = told if isinstance(told, int) else None
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "state": state or None,
        "days": days,
        "minimum_days": minimum_days,
    }
    if not state:
        return say.unclear(f"Azure does not report the soft-delete state of {vault.id.name}.", evidence=evidence)
    if state.casefold() not in _ON:
        return say.bad(
            f"Soft delete is {state} on {vault.id.name}: backups that are deleted are gone at once.",
            evidence=evidence,
            facts={"state": "off"},
            suggests=("enable_soft_delete",),
        )
    if days is not None and days < minimum_days:
        return say.bad(
            f"Soft delete is on for {vault.id.name}, but keeps deleted backups for {days} days only; {minimum_days} are the "
            "minimum.",
            evidence=evidence,
            facts={"state": "short"},
            suggests=("enable_soft_delete",),
        )
    kept = f"{days} days" if days is not None else "Azure's default of 14 days"
    return say.good(
        f"Soft delete is {state} on {vault.id.name} and keeps deleted backups for {kept}.", evidence=evidence
    )
