"""What a restore needs is there: the VM size, the quota of cores, a staging account that suits, the service's own consent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from diagnostics.history import both, subject
from diagnostics.points import recovery_points
from diagnostics.registry import Context, check
from diagnostics.restores import (
    Restore,
    region,
    short_name,
    storage_account,
    storage_accounts,
    target_group_id,
    text_at,
    wanted_restore,
)
from diagnostics.validation import (
    READ_ACCOUNTS,
    READ_POINTS,
    VALIDATE,
    Opinion,
    newest_restorable,
    opinion,
    unread_accounts,
)
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
    READ_ACCOUNTS,
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.RecoveryServices/Vaults/backupJobs/read",
    READ_POINTS,
    VALIDATE,
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
    suggests=("restore_disks", "restore_to_other_region", "lift_lock_for_restore"),
    az="az vm list-skus --location <region> --size <size> --all && az vm list-usage --location <region>",
    portal="Subscription > Usage + quotas; Storage account > Networking",
    about="restore",
)
async def restore_target_is_available(context: Context) -> Finding:
    """Read the target's sizes and quotas and the staging account, and ask Azure Backup itself to validate the restore."""
    restore = await wanted_restore(context)
    if restore is None:
        return say.not_asked("No restore of this item is asked for, and none has failed lately.")
    (size, family, cores), ((account, staging), point) = await both(
        _size(context, restore), both(_account(context, restore), newest_restorable(context))
    )
    quota, said = await both(_quota(context, restore, family, cores), opinion(context, restore, staging, point))
    return judge(
        subject(context).name,
        restore,
        {"size": size, "quota": quota, "storage": account},
        said,
        why=lambda error, *needs: why_blind(error, needs or _PERMISSIONS, context.clock.now()),
    )


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the target: what is wrong with it, what is fine, or why it could not be read."""

    fault: str = ""
    fine: str = ""
    error: GatewayError | None = None
    evidence: Mapping[str, str | int] = field(default_factory=dict)


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
    if not family:
        return Part()
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


async def _account(context: Context, restore: Restore) -> tuple[Part, str | Opinion]:
    """The verdict on the staging account that is named, and its id; who asks and names none gets one that suits."""
    if not restore.account:
        return Part(), await _one_that_suits(context, restore) if restore.asked else ""
    try:
        body = await storage_account(context, restore)
    except ResourceNotFound:
        body = None
    except GatewayError as error:
        return Part(error=error), unread_accounts(error)
    return judge_account(restore, body), text_at(body, "id") if body is not None else ""


async def _one_that_suits(context: Context, restore: Restore) -> str | Opinion:
    """The id of the first account by name, those of the target's resource group before others; "" without one."""
    group = f"{target_group_id(context, restore).casefold()}/"
    try:
        found = [
            body
            for body in await storage_accounts(context, restore)
            if not judge_account(replace(restore, account=text_at(body, "name")), body).fault
        ]
    except GatewayError as error:
        return unread_accounts(error)
    ids = [text_at(body, "id") for body in found]
    return min(ids, key=lambda one: (not one.casefold().startswith(group), short_name(one)), default="")


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
    item_name: str,
    restore: Restore,
    parts: Mapping[str, Part],
    said: Opinion,
    *,
    why: Callable[..., str],
) -> Finding:
    """Every part must suit and the service agree; what could not be read leaves the whole unknown unless a fault is seen.

    ``parts`` are the verdicts on the ``size``, the ``quota`` and the ``storage``; ``why`` puts an error into words, given the
    permissions that the read needed.
    """
    evidence: dict[str, str | int | bool | list[str] | None] = {"target_region": restore.region}
    for part in parts.values():
        evidence |= part.evidence
    evidence |= said.evidence
    bad = {name: part.fault for name, part in parts.items() if part.fault}
    if bad or said.no:
        words = {"size": "unavailable", "quota": "exceeded", "storage": "unsuitable"}
        facts = {**said.facts, **{name: words[name] for name in bad}}
        faults = [*bad.values(), *filter(None, (said.no,))]
        elsewhere = ("restore_to_other_region",) if {"size", "quota"} & set(facts) else ()
        unlock = ("lift_lock_for_restore",) if "lock" in facts else ()
        return say.bad(
            " ".join((*faults, *((_CAPACITY,) if elsewhere else ()))),
            evidence=evidence,
            facts=facts,
            suggests=(*elsewhere, *unlock, "restore_disks"),
        )
    found = [part.fine for part in parts.values() if part.fine]
    fine = " ".join(filter(None, (*found, said.yes)))
    unread = next((part.error for part in parts.values() if part.error is not None), None)
    if unread is not None:
        return say.unclear(
            f"The restore target could not be read. {why(unread)}", evidence=evidence, blind=blind_of(unread)
        )
    if said.error is not None:
        words_of_error = f"Azure's own validation of the restore could not be had. {why(said.error, said.needs)}"
        return say.unclear(f"{fine} {words_of_error}".strip(), evidence=evidence, blind=blind_of(said.error))
    if said.doubt:
        return say.unclear(f"{fine} {said.doubt} Name another: storage <account>.".strip(), evidence=evidence)
    if not found:
        nothing = f"Nothing is known of where {item_name} should be restored to; name a size or a storage account."
        return say.unclear(f"{nothing} {said.yes}".strip(), evidence=evidence)
    return say.good(" ".join(filter(None, (fine, said.note, _CAPACITY))), evidence=evidence)


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
