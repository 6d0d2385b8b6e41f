"""What a restore needs is there: the VM size, the quota of cores, a staging account that suits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from diagnostics.history import both, subject
from diagnostics.points import recovery_points
from diagnostics.registry import Context, check
from diagnostics.restores import Restore, region, short_name, storage_account, text_at, wanted_restore
from diagnostics.verdicts import Verdicts, blind_of, why_blind
from domain.backup import Workload
from domain.errors import GatewayError, ResourceNotFound
from domain.finding import Finding

say = Verdicts(__name__)

Body = Mapping[str, object]

_SKUS_API = "2021-07-01"
_USAGES_API = "2024-03-01"
_PERMISSIONS = (
    "Microsoft.Compute/skus/read",
    "Microsoft.Compute/locations/usages/read",
    "Microsoft.Storage/storageAccounts/read",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.RecoveryServices/Vaults/backupJobs/read",
)
_CAPACITY = (
    "Whether Azure has the capacity at that moment no API tells in advance; if it has not, the paired region or another "
    "size is the way."
)


@check(
    title="What a restore needs is available",
    runbook=("cause_restore_target", "diagnostic_restore_target"),
    workloads=frozenset({Workload.VM}),
    permissions=_PERMISSIONS,
    docs="https://learn.microsoft.com/azure/backup/backup-azure-arm-restore-vms",
    suggests=("restore_disks", "restore_to_other_region"),
    az="az vm list-skus --location <region> --size <size> --all && az vm list-usage --location <region>",
    portal="Subscription > Usage + quotas; Storage account > Networking",
    about="restore",
)
async def restore_target_is_available(context: Context) -> Finding:
    """Read the sizes and quotas of the target region and the staging account that the restore names."""
    restore = await wanted_restore(context)
    if restore is None:
        return say.not_asked("No restore of this item is asked for, and none has failed lately.")
    (size, family, cores), account = await both(_size(context, restore), _account(context, restore))
    quota = await _quota(context, restore, family, cores) if family else Part()
    return judge(subject(context).name, restore, size, quota, account, why=lambda error: _why(context, error))


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the target: what is wrong with it, what is fine, or why it could not be read."""

    fault: str = ""
    fine: str = ""
    error: GatewayError | None = None
    evidence: Mapping[str, str | int] = field(default_factory=dict)


def _why(context: Context, error: GatewayError) -> str:
    return why_blind(error, _PERMISSIONS, context.clock.now())


async def _size(context: Context, restore: Restore) -> tuple[Part, str, int]:
    """The size's verdict, its quota family and its cores."""
    if restore.disks_only:
        return Part(), "", 0
    path = f"/subscriptions/{restore.subscription}/providers/Microsoft.Compute/skus"
    try:
        skus, wanted = await both(
            context.read.resources(path, _SKUS_API, {"$filter": f"location eq '{restore.region}'"}),
            _wanted_size(context, restore),
        )
    except GatewayError as error:
        return Part(error=error), "", 0
    return judge_size(wanted, restore.region, skus) if wanted else (Part(), "", 0)


async def _wanted_size(context: Context, restore: Restore) -> str:
    """The size that was asked for, else the VM's own, else that of its newest point; "" when nobody knows any more."""
    if restore.size:
        return restore.size
    try:
        return (await context.read.virtual_machine(subject(context).source_id)).size
    except ResourceNotFound:
        points = await recovery_points(context)
        return next((point.vm_size for point in points if point.vm_size), "")


def judge_size(size: str, where: str, skus: Sequence[Body]) -> tuple[Part, str, int]:
    """Whether the region offers the size to this subscription; with the size's quota family and cores.

    Source: https://learn.microsoft.com/rest/api/compute/resource-skus/list
    """
    for sku in skus:
        if sku.get("resourceType") != "virtualMachines" or str(sku.get("name", "")).casefold() != size.casefold():
            continue
        family, cores = str(sku.get("family", "")), _cores(sku)
        evidence: dict[str, str | int] = {"size": size, "region": where}
        zones: list[str] = []
        for restriction in _bodies(sku.get("restrictions")):
            reason = str(restriction.get("reasonCode", "")) or "restricted"
            if restriction.get("type") == "Location":
                fault = f"The size {size} is not available to this subscription in {where} ({reason})."
                return Part(fault=fault, evidence={**evidence, "restriction": reason}), family, cores
            zones += [str(zone) for zone in _list(_at(restriction, "restrictionInfo", "zones"))]
        only = f", but not in zone {', '.join(zones)}" if zones else ""
        return Part(fine=f"{size} is offered in {where}{only}.", evidence=evidence), family, cores
    return (
        Part(fault=f"The size {size} is not offered in {where} at all.", evidence={"size": size, "region": where}),
        "",
        0,
    )


async def _quota(context: Context, restore: Restore, family: str, cores: int) -> Part:
    path = f"/subscriptions/{restore.subscription}/providers/Microsoft.Compute/locations/{restore.region}/usages"
    try:
        return judge_quota(family, cores, await context.read.resources(path, _USAGES_API))
    except GatewayError as error:
        return Part(error=error)


def judge_quota(family: str, cores: int, usages: Sequence[Body]) -> Part:
    """Whether the family's quota, and that of all cores, have room for the VM."""
    for usage in usages:
        name = text_at(usage, "name", "value")
        used, limit = usage.get("currentValue"), usage.get("limit")
        if (
            name.casefold() not in {family.casefold(), "cores"}
            or not isinstance(used, int)
            or not isinstance(limit, int)
        ):
            continue
        if used + cores > limit:
            return Part(
                fault=f"The quota {name} has {max(limit - used, 0)} of {limit} cores left, and the VM needs {cores}.",
                evidence={"quota": name, "used": used, "limit": limit, "needed": cores},
            )
    return Part(fine=f"The quota of {family} has room for {cores} cores.")


async def _account(context: Context, restore: Restore) -> Part:
    if not restore.account:
        return Part()
    try:
        body = await storage_account(context, restore)
    except ResourceNotFound:
        body = None
    except GatewayError as error:
        return Part(error=error)
    return judge_account(restore, body)


def judge_account(restore: Restore, body: Body | None) -> Part:
    """Whether the staging account suits: region, kind, tier, availability and firewall.

    Source: https://learn.microsoft.com/azure/backup/backup-azure-arm-restore-vms#storage-accounts
    """
    name = short_name(restore.account)
    if body is None:
        return Part(fault=f"There is no storage account {name} in the subscription.", evidence={"account": name})
    where, kind = region(text_at(body, "location")), text_at(body, "kind")
    tier, status = text_at(body, "sku", "name"), text_at(body, "properties", "statusOfPrimary")
    acl = _at(body, "properties", "networkAcls")
    closed = text_at(acl, "defaultAction").casefold() == "deny" if isinstance(acl, Mapping) else False
    trusted = isinstance(acl, Mapping) and "azureservices" in text_at(acl, "bypass").casefold()
    evidence: dict[str, str | int] = {"account": name, "account_region": where, "kind": kind, "tier": tier}
    faults = [
        words
        for wrong, words in (
            (where != restore.region, f"it is in {where}, and the restore goes to {restore.region}"),
            (kind.casefold() not in {"storage", "storagev2"}, f"its kind is {kind or 'unknown'}, not StorageV2"),
            (tier.casefold().startswith("premium"), f"it is {tier}, and staging needs a standard account"),
            (status.casefold() not in {"", "available"}, f"its primary location is {status}"),
            (closed and not trusted, "its firewall shuts Azure Backup out, and trusted services too"),
        )
        if wrong
    ]
    if faults:
        return Part(fault=f"The storage account {name} does not suit: {'; '.join(faults)}.", evidence=evidence)
    return Part(fine=f"The storage account {name} suits.", evidence=evidence)


def judge(
    item_name: str, restore: Restore, size: Part, quota: Part, account: Part, *, why: Callable[[GatewayError], str]
) -> Finding:
    """Every part must suit; a part that could not be read leaves the whole unknown unless another one is at fault."""
    parts = {"size": size, "quota": quota, "storage": account}
    evidence: dict[str, str | int | bool | list[str] | None] = {"target_region": restore.region}
    for part in parts.values():
        evidence |= part.evidence
    bad = {name: part for name, part in parts.items() if part.fault}
    if bad:
        words = {"size": "unavailable", "quota": "exceeded", "storage": "unsuitable"}
        suggests = ["restore_to_other_region"] if "size" in bad or "quota" in bad else []
        return say.bad(
            " ".join(part.fault for part in bad.values()) + (f" {_CAPACITY}" if suggests else ""),
            evidence=evidence,
            facts={name: words[name] for name in bad},
            suggests=(*suggests, "restore_disks"),
        )
    unread = next((part.error for part in parts.values() if part.error is not None), None)
    if unread is not None:
        return say.unclear(
            f"The restore target could not be read. {why(unread)}", evidence=evidence, blind=blind_of(unread)
        )
    fine = " ".join(part.fine for part in parts.values() if part.fine)
    if not fine:
        return say.unclear(
            f"Nothing is known of where {item_name} should be restored to; name a size or a storage account.",
            evidence=evidence,
        )
    return say.good(f"{fine} {_CAPACITY}", evidence=evidence)


def _cores(sku: Body) -> int:
    for one in _bodies(sku.get("capabilities")):
        value = one.get("value")
        if one.get("name") == "vCPUs" and isinstance(value, str) and value.isdigit():
            return int(value)
    return 0


def _at(body: Body, *path: str) -> object:
    value: object = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def _bodies(value: object) -> list[Body]:
    return [one for one in _list(value) if isinstance(one, Mapping)]
