"""What a restore wants: asked for by a person, or read from the job that failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from diagnostics.error_codes import ErrorCode
from diagnostics.history import code_of, error_text, explain, identity_fact, restore_trouble, subject
from diagnostics.registry import Context
from domain.arm import name_of, resource_group_id, resource_group_of, subscription_of
from domain.backup import Job, Workload
from domain.errors import ResourceNotFound

STORAGE_API: Final = "2023-05-01"
_DISKS_ONLY: Final = "recover disks"
_ACCOUNT: Final = "Target Storage Account Name"
_GROUP: Final = "Target resource group"


@dataclass(frozen=True, kw_only=True)
class Restore:
    """A restore that is meant or has failed.

    ``region`` is where it goes, normalised; ``size`` the VM size that was asked for, "" for that of the source; ``account`` a
    storage account's name, or its ARM id when it starts with a slash; ``group_id`` the resource group that it fills; "" where
    nobody said. ``job`` and ``known`` tell of the failure.
    """

    region: str
    vault_region: str
    subscription: str
    size: str = ""
    account: str = ""
    group_id: str = ""
    disks_only: bool = False
    job: Job | None = None
    known: ErrorCode | None = None
    asked: bool = False

    @property
    def crosses_regions(self) -> bool:
        """Whether it leaves the vault's own region."""
        return self.region != self.vault_region or (
            self.job is not None and self.job.operation.casefold().startswith("crossregion")
        )

    @property
    def uses_identity(self) -> bool:
        """Whether the failed job restored with the vault's own identity, as far as it tells."""
        if self.job is None:
            return False
        return bool(identity_fact(code_of(self.job), error_text(self.job), *self.job.details))


def region(name: str) -> str:
    """A region's name in the form that compares: "West Europe" is ``westeurope``."""
    return name.casefold().replace(" ", "")


async def wanted_restore(context: Context) -> Restore | None:
    """The restore that somebody asks about, or the item's failed one that still matters; None without either.

    Raises:
        ResourceNotFound: the failed one has lost its details, and a guess at its target could call the wrong one fine.
        GatewayError: the jobs could not be read.
    """
    item = subject(context)
    job = await restore_trouble(context)
    if job is None and not context.restoring:
        return None
    if job is not None and not (job.detailed or context.restoring):
        raise ResourceNotFound(
            "Azure has no details of the failed restore any more, so what it wanted to restore to is not known."
        )
    target = context.target
    details: Mapping[str, str] = job.details if job is not None and not context.restoring else {}
    home = region(context.vault.location)
    subscription = subscription_of(item.source_id) or item.id.vault.subscription
    group = target.resource_group or details.get(_GROUP, "")
    return Restore(
        region=region(target.region) or home,
        vault_region=home,
        subscription=subscription,
        size=target.vm_size,
        account=target.storage_account or details.get(_ACCOUNT, ""),
        group_id=f"/subscriptions/{subscription}/resourceGroups/{group}" if group else "",
        disks_only=not target.vm_size and details.get("Job Type", "").casefold() == _DISKS_ONLY,
        job=job,
        known=explain(code_of(job), error_text(job), item.workload) if job is not None else None,
        asked=context.restoring,
    )


async def storage_account(context: Context, restore: Restore) -> Mapping[str, object] | None:
    """The body of the staging account; None when no account of that name is in the subscription.

    Jobs name the account without its group, so the subscription's accounts are listed then.
    """
    if restore.account.startswith("/"):
        return await context.read.resource(restore.account, STORAGE_API)
    for body in await storage_accounts(context, restore):
        if str(body.get("name", "")).casefold() == restore.account.casefold():
            return body
    return None


async def storage_accounts(context: Context, restore: Restore) -> Sequence[Mapping[str, object]]:
    """The bodies of all storage accounts of the subscription that the restore goes to."""
    path = f"/subscriptions/{restore.subscription}/providers/Microsoft.Storage/storageAccounts"
    return await context.read.resources(path, STORAGE_API)


def target_group_id(context: Context, restore: Restore) -> str:
    """The resource group that the restore fills: the one that was named, else the source's own.

    Files go into a storage account that is there, whose neighbours do not matter: it stands for the group. A database is
    restored inside a machine and fills no group: "".
    """
    item = subject(context)
    if item.workload is not Workload.VM and not restore.group_id:
        return item.source_id if item.workload is Workload.FILES else ""
    return restore.group_id or (resource_group_id(item.source_id) if resource_group_of(item.source_id) else "")


def text_at(body: Mapping[str, object], *path: str) -> str:
    """A text inside a plain body, "" where it is not."""
    value: object = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def short_name(account: str) -> str:
    """The account's own name."""
    return name_of(account) if account.startswith("/") else account
