"""A small estate in memory, and the ids in it written out as Azure spells them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.arm import ItemId, VaultId
from domain.backup import (
    AccessPolicy,
    ExtensionStatus,
    Job,
    JobError,
    KeyVault,
    Permission,
    ProtectedItem,
    RecoveryPoint,
    RoleAssignment,
    RoleDefinition,
    Vault,
    VirtualMachine,
    Workload,
)
from domain.fix import FixPlan, RunFacts
from fixes.registry import FixSettings, PlanRequest
from tests.fakes.azure import FakeAzure

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPERATOR = "0ca0000f-0000-0000-0000-000000000001"

SUBSCRIPTION = "/subscriptions/22222222-2222-2222-2222-222222222222"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-prod"
VAULT = f"{GROUP}/providers/Microsoft.RecoveryServices/vaults/vault-prod-01"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-erp-01"
VM_ITEM = (
    f"{VAULT}/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;rg-prod;vm-erp-01"
    "/protectedItems/VM;iaasvmcontainerv2;rg-prod;vm-erp-01"
)
SQL_CONTAINER = f"{VAULT}/backupFabrics/Azure/protectionContainers/VMAppContainer;Compute;rg-prod;vm-erp-01"
SQL_ITEM = f"{SQL_CONTAINER}/protectedItems/SQLDataBase;mssqlserver;orders"
HANA_ITEM = f"{SQL_CONTAINER}/protectedItems/SAPHanaDatabase;hxe;systemdb"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stfiles01"
FILES_ITEM = (
    f"{VAULT}/backupFabrics/Azure/protectionContainers/StorageContainer;Storage;rg-prod;stfiles01"
    "/protectedItems/AzureFileShare;0a1b2c"
)
MARS_ITEM = (
    f"{VAULT}/backupFabrics/ActiveDirectory/protectionContainers/Windows;srv-files.contoso.com/protectedItems/81"
)
MABS_ITEM = f"{VAULT}/backupFabrics/Azure/protectionContainers/AzureBackupServer;mabs01/protectedItems/82"
KEY_VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-erp-01"
OTHER_KEY_VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-erp-02"
SERVICE = "0b5e0000-0000-0000-0000-00000000b0b5"
TENANT = "11111111-1111-1111-1111-111111111111"
STAGING = f"{SUBSCRIPTION}/resourceGroups/rg-restore"
STAGE_ACCOUNT = f"{STAGING}/providers/Microsoft.Storage/storageAccounts/ststage01"

VAULT_ID = VaultId.parse(VAULT)


def vault(**more: Any) -> Vault:
    """The vault."""
    return replace(
        Vault(
            id=VAULT_ID,
            location="westeurope",
            identity_type="SystemAssigned",
            principal_id="77777777-7777-7777-7777-777777777777",
            soft_delete_state="Disabled",
            soft_delete_days=14,
            redundancy="GeoRedundant",
            cross_region_restore=True,
            multi_user_authorization=False,
        ),
        **more,
    )


def vm_item(**more: Any) -> ProtectedItem:
    """The virtual machine's item, whose last backup failed."""
    return replace(
        ProtectedItem(
            id=ItemId.parse(VM_ITEM),
            name="vm-erp-01",
            workload=Workload.VM,
            source_id=VM,
            protection_state="Protected",
            last_backup_status="Failed",
            last_backup_at=NOW - 3 * HOUR,
            last_recovery_point_at=NOW - 31 * HOUR,
            policy_id=f"{VAULT}/backupPolicies/DefaultPolicy",
            policy_name="DefaultPolicy",
            backup_management_type="AzureIaasVM",
        ),
        **more,
    )


def sql_item(**more: Any) -> ProtectedItem:
    """A database on the same machine."""
    return replace(
        vm_item(
            id=ItemId.parse(SQL_ITEM),
            name="orders",
            workload=Workload.SQL,
            parent_name="MSSQLSERVER",
            server_name="vm-erp-01",
            policy_id=f"{VAULT}/backupPolicies/HourlyLogBackup",
            policy_name="HourlyLogBackup",
            backup_management_type="AzureWorkload",
        ),
        **more,
    )


def hana_item(**more: Any) -> ProtectedItem:
    """A HANA database."""
    return sql_item(id=ItemId.parse(HANA_ITEM), name="systemdb", workload=Workload.HANA, parent_name="HXE", **more)


def files_item(**more: Any) -> ProtectedItem:
    """A file share."""
    return replace(
        vm_item(
            id=ItemId.parse(FILES_ITEM),
            name="share-docs",
            workload=Workload.FILES,
            source_id=ACCOUNT,
            parent_name="stfiles01",
            backup_management_type="AzureStorage",
        ),
        **more,
    )


def mars_item(**more: Any) -> ProtectedItem:
    """Files of an on-premises server."""
    return replace(
        vm_item(
            id=ItemId.parse(MARS_ITEM),
            name=r"C:\ on srv-files",
            workload=Workload.MARS,
            source_id="",
            server_name="srv-files.contoso.com",
            backup_management_type="MAB",
        ),
        **more,
    )


def mabs_item(**more: Any) -> ProtectedItem:
    """An item of a backup server."""
    return replace(
        mars_item(
            id=ItemId.parse(MABS_ITEM),
            name="ex-mail",
            workload=Workload.MABS,
            server_name="mabs01",
            backup_management_type="AzureBackupServer",
        ),
        **more,
    )


def machine(**more: Any) -> VirtualMachine:
    """The virtual machine: running, with a healthy agent, encrypted inside."""
    return replace(
        VirtualMachine(
            id=VM,
            name="vm-erp-01",
            location="westeurope",
            size="Standard_D4s_v5",
            os_type="Windows",
            provisioning_state="Succeeded",
            power_state="running",
            agent_version="2.7.41491.1",
            agent_status="Ready",
            agent_reported_at=NOW,
            disk_encryption=True,
            secret_vault_id=KEY_VAULT,
            key_vault_id=KEY_VAULT,
        ),
        **more,
    )


def snapshot_extension(**more: Any) -> ExtensionStatus:
    """The extension of Azure Backup, failed."""
    return replace(
        ExtensionStatus(
            name="VMSnapshot",
            publisher="Microsoft.Azure.RecoveryServices",
            type="VMSnapshot",
            provisioning_state="Failed",
        ),
        **more,
    )


def key_vault(arm_id: str = KEY_VAULT, **more: Any) -> KeyVault:
    """A key vault that works with roles."""
    return replace(
        KeyVault(id=arm_id, name=arm_id.rpartition("/")[2], location="westeurope", rbac=True, tenant_id=TENANT), **more
    )


def policy_for(principal: str, *, keys: Sequence[str], secrets: Sequence[str]) -> AccessPolicy:
    """An access policy."""
    return AccessPolicy(object_id=principal, keys=frozenset(keys), secrets=frozenset(secrets))


CUSTOM_ROLE_GUID = "5c5c5c5c-0000-4000-8000-00000000c0de"


def custom_role(
    name: str = "Azure Backup Key Vault Access", guid: str = CUSTOM_ROLE_GUID, **more: Any
) -> RoleDefinition:
    """The role that an installation makes."""
    return RoleDefinition(
        id=f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
        guid=guid,
        name=name,
        built_in=False,
        permissions=(
            Permission(
                data_actions=more.get(
                    "data_actions",
                    (
                        "Microsoft.KeyVault/vaults/keys/read",
                        "Microsoft.KeyVault/vaults/keys/backup/action",
                        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
                        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
                        "Microsoft.KeyVault/vaults/secrets/backup/action",
                    ),
                ),
            ),
        ),
    )


def administrator_role() -> RoleDefinition:
    """Microsoft's Key Vault Administrator."""
    guid = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
    return RoleDefinition(
        id=f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
        guid=guid,
        name="Key Vault Administrator",
        built_in=True,
        permissions=(Permission(data_actions=("Microsoft.KeyVault/vaults/*",)),),
    )


def assignment(scope: str, principal: str, guid: str, **more: Any) -> RoleAssignment:
    """A role assignment."""
    return replace(
        RoleAssignment(
            id=f"{scope}/providers/Microsoft.Authorization/roleAssignments/99999999-0000-0000-0000-000000000000",
            scope=scope,
            role_definition_id=f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
            principal_id=principal,
            principal_type="ServicePrincipal",
        ),
        **more,
    )


def job(status: str = "InProgress", operation: str = "Backup", **more: Any) -> Job:
    """A job of the virtual machine that began two hours ago."""
    return replace(
        Job(
            id="7a0f1e2d-0000-4000-8000-000000000001",
            vault=VAULT_ID,
            operation=operation,
            status=status,
            item_name="vm-erp-01",
            container_name="iaasvmcontainerv2;rg-prod;vm-erp-01",
            started_at=NOW - 2 * HOUR,
            cancellable=True,
        ),
        **more,
    )


def job_error(code: str, text: str = "It failed.") -> JobError:
    """An error of a job."""
    return JobError(code=code, number=None, title="", text=text)


def point(at: datetime, name: str = "512000000000001", **more: Any) -> RecoveryPoint:
    """A recovery point."""
    return replace(RecoveryPoint(id=name, at=at, tiers={"InstantRP": "Valid"}), **more)


def account(name: str = "ststage01", location: str = "westeurope", **more: Any) -> Mapping[str, object]:
    """A storage account as ARM shows it."""
    return {
        "id": f"{STAGING}/providers/Microsoft.Storage/storageAccounts/{name}",
        "name": name,
        "location": location,
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "properties": {"networkAcls": {"defaultAction": "Allow", "bypass": "AzureServices"}},
        **more,
    }


def estate() -> FakeAzure:
    """Everything of above that most fixes read; the key vault's right is missing."""
    azure = FakeAzure()
    azure.put(vault(), vm_item(), sql_item(), files_item(), machine(), key_vault(), custom_role(), administrator_role())
    azure.points[VM_ITEM.casefold()] = [point(NOW - 31 * HOUR)]
    azure.bodies[STAGING.casefold()] = {"id": STAGING}
    azure.lists[f"{STAGING}/providers/Microsoft.Storage/storageAccounts".casefold()] = [account()]
    azure.lists[f"{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts".casefold()] = [account()]
    return azure


def ask(item: ProtectedItem | None = None, /, *, of: Vault | None = None, **parameters: str) -> PlanRequest:
    """A request for a plan."""
    return PlanRequest(
        vault=of or vault(),
        item=item or vm_item(),
        parameters=parameters,
        settings=FixSettings(staging_resource_group="rg-restore"),
        now=NOW,
    )


@dataclass
class Run:
    """A run of a plan, for its proof."""

    plan: FixPlan
    references: Sequence[Mapping[str, str]] = field(default_factory=list)

    @property
    def facts(self) -> RunFacts:
        """What the workflow tells: begun at NOW."""
        return RunFacts(started_at=NOW, references=tuple(self.references))


def disk(name: str, at: datetime, group: str = STAGING) -> Mapping[str, object]:
    """A managed disk as ARM shows it."""
    return {
        "id": f"{group}/providers/Microsoft.Compute/disks/{name}",
        "name": name,
        "properties": {"timeCreated": at.isoformat(), "provisioningState": "Succeeded"},
    }
