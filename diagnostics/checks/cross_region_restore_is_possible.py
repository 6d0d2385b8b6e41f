"""A restore to the paired region would work: redundancy, the vault's flag, and points that have arrived there."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from diagnostics.history import subject
from diagnostics.points import recovery_points
from diagnostics.registry import Context, check
from diagnostics.restores import Restore, text_at, wanted_restore
from diagnostics.verdicts import Verdicts, ago
from domain.backup import ProtectedItem, RecoveryPoint, Vault, Workload
from domain.errors import GatewayError
from domain.finding import Finding

say = Verdicts(__name__)

_API = "2023-01-15"
_POSSIBLE = frozenset({Workload.VM, Workload.SQL, Workload.HANA, Workload.MARS})
_REGION_TROUBLE = frozenset({"vm_size", "quota"})


@check(
    title="A restore to the paired region is possible",
    runbook=("resolution_cross_region",),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/read",
        "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/read",
        "Microsoft.RecoveryServices/Vaults/backupJobs/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-create-recovery-services-vault#set-cross-region-restore",
    suggests=("restore_to_other_region", "restore_disks"),
    az="az backup recoverypoint list --vault-name <vault> --resource-group <group> --container-name <container> "
    "--item-name <item> --backup-management-type AzureIaasVM --use-secondary-region",
    portal="Recovery Services vault > Backup items > Secondary region",
    about="restore",
)
async def cross_region_restore_is_possible(context: Context) -> Finding:
    """Ask the vault what it allows, and read the item's points here and what has arrived in the paired region."""
    restore = await wanted_restore(context)
    if restore is None:
        return say.not_asked("No restore of this item is asked for, and none has failed lately.")
    item = subject(context)
    vault = context.vault if _tells(context.vault) else await context.read.vault(context.vault.id)
    points: Sequence[RecoveryPoint] = ()
    there: Sequence[Mapping[str, object]] | None = None
    if enabled(vault):
        points = await recovery_points(context)
        try:
            # With the trailing slash the same path shows what the paired region holds.
            there = await context.read.resources(f"{item.id.id}/recoveryPoints/", _API)
        except GatewayError:
            there = None
    return judge(item, vault, restore, points, there, context.clock.now())


def _tells(vault: Vault) -> bool:
    """Whether the list in which the vault was found says all that is asked here; a list may leave parts out."""
    return bool(vault.redundancy) and vault.cross_region_restore is not None


def enabled(vault: Vault) -> bool:
    """Whether the vault copies its points to the paired region and lets them be restored there."""
    return (vault.redundancy or "").casefold() == "georedundant" and vault.cross_region_restore is True


def judge(
    item: ProtectedItem,
    vault: Vault,
    restore: Restore,
    points: Sequence[RecoveryPoint],
    there: Sequence[Mapping[str, object]] | None,
    now: datetime,
) -> Finding:
    """Print each precondition; it is a fault only where a restore to the other region is wanted."""
    wanted = restore.crosses_regions or (restore.known is not None and restore.known.family in _REGION_TROUBLE)
    hardened = [point for point in points if point.tiers.get("HardenedRP", "").casefold() == "valid"]
    newest = max(filter(None, map(_time_of, there)), default=None) if there is not None else None
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "redundancy": vault.redundancy,
        "cross_region_restore": vault.cross_region_restore,
        "workload_supported": item.workload in _POSSIBLE,
        "points_in_vault_tier": len(hardened),
        "points_in_paired_region": len(there) if there is not None else None,
        "newest_in_paired_region": newest.isoformat() if newest else None,
        "wanted": wanted,
    }
    missing = _missing(item, vault)
    if missing:
        sentence = f"A restore to the paired region is not possible: {'; '.join(missing)}."
        if not wanted:
            return say.not_asked(f"{sentence} Nobody asks for one now.", evidence=evidence)
        return say.bad(sentence, evidence=evidence, facts={"reason": "not_enabled"}, suggests=("restore_disks",))
    if there is None:
        return say.unclear(
            "The vault allows restores to the paired region; which points have arrived there could not be read.",
            evidence=evidence,
        )
    if newest is None:
        words = (
            "No recovery point of the item has arrived in the paired region; once enabled, that takes up to 48 hours."
        )
        if not wanted:
            return say.unclear(words, evidence=evidence)
        return say.bad(words, evidence=evidence, facts={"reason": "no_points"}, suggests=("restore_disks",))
    return say.good(
        f"The paired region holds {len(there)} points of the item, the newest of {ago(newest, now)}; "
        "points arrive up to 12 hours after the backup, so up to 36 hours of changes may be missing.",
        evidence=evidence,
    )


def _missing(item: ProtectedItem, vault: Vault) -> list[str]:
    faults = []
    if (vault.redundancy or "").casefold() != "georedundant":
        faults.append(
            f"the vault's storage is {vault.redundancy or 'of unknown redundancy'}, not geo-redundant, and after the first "
            "backup that cannot be changed"
        )
    elif vault.cross_region_restore is not True:
        faults.append(
            "cross-region restore is not enabled on the vault (az backup vault backup-properties set "
            f"--name {vault.id.name} --resource-group {vault.id.resource_group} --cross-region-restore-flag true; it "
            "cannot be turned off again, and points take up to 48 hours to arrive)"
        )
    if item.workload not in _POSSIBLE:
        faults.append(f"Azure does not offer it for a {item.workload.words}")
    return faults


def _time_of(body: Mapping[str, object]) -> datetime | None:
    text = text_at(body, "properties", "recoveryPointTime") or text_at(body, "properties", "recoveryPointTimeInUTC")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
