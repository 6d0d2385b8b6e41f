"""A small Azure for tests of checks: one vault, items, jobs, points, and the context around them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from diagnostics.registry import Context, EarlierLook, Ledger, Limits, RestoreTarget
from domain.arm import ItemId, VaultId
from domain.backup import (
    ExtensionStatus,
    Job,
    JobError,
    JobTask,
    KeyVault,
    ProtectedItem,
    RecoveryPoint,
    Vault,
    VirtualMachine,
    Workload,
)
from domain.schedule import BackupPolicy, DailySchedule, PlannedBackup, RpoRules
from tests.fakes.azure import FakeAzure

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
VAULT = VaultId(SUBSCRIPTION, "rg-backup", "vault-prod-01")
VM_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/vm-erp-01"
KEY_VAULT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.KeyVault/vaults/kv-erp-01"
POLICY_ID = f"{VAULT.id}/backupPolicies/daily"


class StoppedClock:
    """A clock that a test holds."""

    def __init__(self, now: datetime = NOW) -> None:
        self.at = now
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        self.seconds += 0.5
        return self.seconds


class DictLedger:
    """A ledger over two dictionaries: what it knows of looks stays as a test laid it; ``seen`` is what it was told."""

    def __init__(
        self,
        drills: Mapping[str, datetime] | None = None,
        looks: Mapping[str, EarlierLook] | None = None,
    ) -> None:
        self.drills = dict(drills or {})
        self.looks = dict(looks or {})
        self.seen: list[tuple[str, str, datetime]] = []

    async def last_drill(self, item_key: str) -> datetime | None:
        return self.drills.get(item_key)

    async def look(self, job_id: str, progress: str, at: datetime) -> EarlierLook | None:
        self.seen.append((job_id, progress, at))
        return self.looks.get(job_id)


def hours(count: float) -> datetime:
    """So many hours before now."""
    return NOW - timedelta(hours=count)


def a_vault(**changes: object) -> Vault:
    """The vault, in West Europe."""
    return replace(Vault(id=VAULT, location="westeurope"), **changes)  # type: ignore[arg-type]


def an_item(**changes: object) -> ProtectedItem:
    """A VM that is backed up daily and was five hours ago."""
    item = ProtectedItem(
        id=ItemId(
            VAULT,
            "Azure",
            "IaasVMContainer;iaasvmcontainerv2;rg-app;vm-erp-01",
            "VM;iaasvmcontainerv2;rg-app;vm-erp-01",
        ),
        name="vm-erp-01",
        workload=Workload.VM,
        source_id=VM_ID,
        protection_state="Protected",
        health_status="Passed",
        last_backup_status="Completed",
        last_backup_at=hours(5),
        last_recovery_point_at=hours(5),
        policy_id=POLICY_ID,
        policy_name="daily",
        backup_management_type="AzureIaasVM",
    )
    return replace(item, **changes)  # type: ignore[arg-type]


def a_database(**changes: object) -> ProtectedItem:
    """A SQL database on a VM."""
    item = an_item(
        id=ItemId(VAULT, "Azure", "VMAppContainer;Compute;rg-sql;vm-sql-01", "SQLDataBase;mssqlserver;orders"),
        name="orders",
        workload=Workload.SQL,
        source_id=VM_ID.replace("vm-erp-01", "vm-sql-01"),
        server_name="vm-sql-01",
        parent_name="MSSQLSERVER",
        last_backup_status="Healthy",
        last_recovery_point_at=None,
        backup_management_type="AzureWorkload",
    )
    return replace(item, **changes)  # type: ignore[arg-type]


def a_share(**changes: object) -> ProtectedItem:
    """An Azure file share."""
    account = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Storage/storageAccounts/stfiles"
    item = an_item(
        id=ItemId(VAULT, "Azure", "StorageContainer;Storage;rg-app;stfiles", "AzureFileShare;abc"),
        name="share-hr",
        workload=Workload.FILES,
        source_id=account,
        backup_management_type="AzureStorage",
    )
    return replace(item, **changes)  # type: ignore[arg-type]


def a_mars_item(**changes: object) -> ProtectedItem:
    """Files of a machine with the MARS agent."""
    item = an_item(
        id=ItemId(VAULT, "ActiveDirectory", "Windows;srv-file-01.contoso.local", "0123-abc"),
        name="C:\\",
        workload=Workload.MARS,
        source_id="",
        server_name="srv-file-01.contoso.local",
        last_recovery_point_at=None,
        backup_management_type="MAB",
    )
    return replace(item, **changes)  # type: ignore[arg-type]


def a_mabs_item(**changes: object) -> ProtectedItem:
    """An item of a backup server."""
    item = an_item(
        id=ItemId(VAULT, "AzureBackupServer", "mabs-01.contoso.local", "dpm;item"),
        name="SharePoint",
        workload=Workload.MABS,
        source_id="",
        server_name="mabs-01.contoso.local",
        last_recovery_point_at=None,
        backup_management_type="AzureBackupServer",
    )
    return replace(item, **changes)  # type: ignore[arg-type]


def an_error(title: str = "", text: str = "", number: int | None = 400001, *advice: str) -> JobError:
    """An error of a job."""
    return JobError(code=title, number=number, title=title, text=text or f"{title} happened", recommendations=advice)


def a_job(job_id: str = "job-1", status: str = "Failed", *, age: float = 3, **changes: object) -> Job:
    """A backup job of the VM that started ``age`` hours ago and took ten minutes."""
    started = hours(age)
    job = Job(
        id=job_id,
        vault=VAULT,
        operation="Backup",
        status=status,
        item_name="vm-erp-01",
        container_name="iaasvmcontainerv2;rg-app;vm-erp-01",
        backup_management_type="AzureIaasVM",
        started_at=started,
        ended_at=None if status in {"InProgress", "Cancelling"} else started + timedelta(minutes=10),
    )
    return replace(job, **changes)  # type: ignore[arg-type]


def a_task(name: str = "Take Snapshot", status: str = "InProgress", taken: timedelta | None = None) -> JobTask:
    """A phase of a job."""
    return JobTask(name=name, status=status, duration=taken)


def a_vm(**changes: object) -> VirtualMachine:
    """A running VM with a ready agent."""
    vm = VirtualMachine(
        id=VM_ID,
        name="vm-erp-01",
        location="westeurope",
        size="Standard_D4s_v5",
        os_type="Linux",
        provisioning_state="Succeeded",
        power_state="running",
        agent_version="2.9.1.1",
        agent_status="Ready",
        agent_reported_at=NOW - timedelta(minutes=2),
    )
    return replace(vm, **changes)  # type: ignore[arg-type]


def an_extension(**changes: object) -> ExtensionStatus:
    """A healthy snapshot extension."""
    extension = ExtensionStatus(
        name="VMSnapshot",
        publisher="Microsoft.Azure.RecoveryServices",
        type="VMSnapshotLinux",
        provisioning_state="Succeeded",
        statuses=(("ProvisioningState/succeeded", "Provisioning succeeded", ""),),
    )
    return replace(extension, **changes)  # type: ignore[arg-type]


def a_key_vault(**changes: object) -> KeyVault:
    """A key vault with RBAC and an open network."""
    vault = KeyVault(id=KEY_VAULT_ID, name="kv-erp-01", location="westeurope", rbac=True)
    return replace(vault, **changes)  # type: ignore[arg-type]


def a_point(age: float, **changes: object) -> RecoveryPoint:
    """A recovery point that is ``age`` hours old."""
    point = RecoveryPoint(id=f"point-{age}", at=hours(age), tiers={"HardenedRP": "Valid"})
    return replace(point, **changes)  # type: ignore[arg-type]


def a_policy(**changes: object) -> BackupPolicy:
    """Daily at 22:00 UTC."""
    policy = BackupPolicy(
        id=POLICY_ID,
        name="daily",
        management_type="AzureIaasVM",
        backups=(PlannedBackup(kind="Backup", schedule=DailySchedule(times=(time(22),), zone="UTC")),),
        zone_name="UTC",
        zone="UTC",
    )
    return replace(policy, **changes)  # type: ignore[arg-type]


def an_azure(item: ProtectedItem | None = None) -> FakeAzure:
    """An Azure in which the item is well."""
    azure = FakeAzure()
    item = item or an_item()
    azure.put(a_vault(), item, a_vm(id=item.source_id or VM_ID))
    azure.policies[POLICY_ID.casefold()] = a_policy()
    azure.points[item.id.key] = [a_point(5), a_point(29)]
    return azure


def a_context(
    azure: FakeAzure,
    item: ProtectedItem | None = None,
    *,
    vault: Vault | None = None,
    now: datetime = NOW,
    rpo: RpoRules | None = None,
    limits: Limits | None = None,
    ledger: Ledger | None = None,
    target: RestoreTarget | None = None,
    failed_job: Job | None = None,
    of_vault: bool = False,
) -> Context:
    """The context of a check, about ``item`` or the VM, or about the vault itself."""
    return Context(
        vault=vault or a_vault(),
        item=None if of_vault else item or an_item(),
        read=azure,
        clock=StoppedClock(now),
        rpo=rpo or RpoRules(),
        limits=limits or Limits(),
        ledger=ledger,
        target=target or RestoreTarget(),
        failed_job=failed_job,
    )
