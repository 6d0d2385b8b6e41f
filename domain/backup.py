"""What Azure says, in our words: vaults, items, jobs, points, and the machines and key vaults behind them.

All times are aware and in UTC; Azure's sentinels (2001-01-01, 0001-01-01) have become None. Names and texts are as Azure
gave them and are escaped only where they are shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from domain.arm import ItemId, VaultId


class Workload(StrEnum):
    """What kind of thing an item protects."""

    VM = "vm"
    SQL = "sql"
    HANA = "hana"
    FILES = "files"
    MARS = "mars"
    MABS = "mabs"
    OTHER = "other"

    @property
    def words(self) -> str:
        """As people say it."""
        return {
            "vm": "Azure VM",
            "sql": "SQL database",
            "hana": "SAP HANA database",
            "files": "file share",
            "mars": "MARS agent",
            "mabs": "MABS or DPM server",
            "other": "protected item",
        }[self.value]


@dataclass(frozen=True, kw_only=True)
class Vault:
    """A Recovery Services vault. None means: Azure did not say."""

    id: VaultId
    location: str
    identity_type: str = "None"
    principal_id: str = ""
    user_assigned_principals: Mapping[str, str] = field(default_factory=dict)
    """Principal id by the ARM id of each user-assigned identity."""
    soft_delete_state: str | None = None
    soft_delete_days: int | None = None
    redundancy: str | None = None
    cross_region_restore: bool | None = None
    multi_user_authorization: bool | None = None
    job_failure_alerts: str | None = None
    """``Enabled`` or ``Disabled``; None when the block is absent, which means Enabled."""
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, object] = field(default_factory=dict)
    """Azure's own properties, for what has no field here."""


@dataclass(frozen=True, kw_only=True)
class HealthDetail:
    """One line of an item's pre-check."""

    code: str
    title: str
    message: str
    recommendations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProtectedItem:
    """A protected item as its vault describes it."""

    id: ItemId
    name: str
    """The friendly name."""
    workload: Workload
    source_id: str = ""
    """ARM id of the VM, storage account … behind it; "" for on-premises machines."""
    server_name: str = ""
    parent_name: str = ""
    """The SQL instance, the HANA system, the storage account or the agent's machine."""
    protection_state: str = ""
    protection_status: str = ""
    health_status: str = ""
    health_details: tuple[HealthDetail, ...] = ()
    last_backup_status: str = ""
    last_backup_at: datetime | None = None
    """When the newest backup *ran*; a failed one moves it too."""
    last_recovery_point_at: datetime | None = None
    last_error_code: str = ""
    last_error_text: str = ""
    policy_id: str = ""
    policy_name: str = ""
    policy_inconsistent: bool = False
    soft_deleted: bool = False
    deleted_at: datetime | None = None
    purge_after: timedelta | None = None
    """What remains until a soft-deleted item is gone for good."""
    archived: bool = False
    backup_management_type: str = ""
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobError:
    """One error of a job; any part may be missing, by job type."""

    code: str
    """The name where Azure gives one, else the number as text, else ""."""
    number: int | None
    title: str
    text: str
    recommendations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class JobTask:
    """A phase of a job, such as "Take Snapshot"."""

    name: str
    status: str
    duration: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A backup, restore or configuration job."""

    id: str
    vault: VaultId
    operation: str
    status: str
    item_name: str
    container_name: str = ""
    backup_management_type: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: timedelta | None = None
    cancellable: bool = False
    errors: tuple[JobError, ...] = ()
    tasks: tuple[JobTask, ...] = ()
    progress_percent: int | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    detailed: bool = False
    """Whether this came from the job itself; a list leaves tasks and details out."""

    @property
    def running(self) -> bool:
        """Whether the job has not ended."""
        return self.status in {"InProgress", "Cancelling"}

    @property
    def failed(self) -> bool:
        """Whether it ended without what it was for."""
        return self.status == "Failed"

    @property
    def is_backup(self) -> bool:
        """Azure varies the word: "Backup", "Backup (Full)", "Backup (Log)"."""
        return self.operation.casefold().startswith("backup")

    @property
    def is_restore(self) -> bool:
        """Azure varies the word: "Restore", "Restore (Full)", "CrossRegionRestore"."""
        return self.operation.casefold().startswith(("restore", "crossregionrestore"))

    def is_of(self, item: ProtectedItem) -> bool:
        """Whether the job is about ``item``; jobs name it only by friendly name and container."""
        if self.item_name.casefold() != item.name.casefold():
            return False
        if not self.container_name:
            return True
        mine = {part.casefold() for part in (item.id.container, item.id.container.partition(";")[2]) if part}
        return self.container_name.casefold() in mine or any(self.container_name.casefold() in one for one in mine)


@dataclass(frozen=True, kw_only=True)
class RecoveryPoint:
    """A point that can be restored; ``tiers`` maps a tier to its status (``InstantRP``: ``Valid``)."""

    id: str
    at: datetime
    kind: str = ""
    tiers: Mapping[str, str] = field(default_factory=dict)
    encrypted: bool = False
    secret_vault_id: str = ""
    key_vault_id: str = ""
    vm_size: str = ""
    soft_deleted: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ExtensionStatus:
    """A VM extension; ``message`` may hold the truth that the status hides."""

    name: str
    publisher: str
    type: str
    provisioning_state: str
    version: str = ""
    statuses: tuple[tuple[str, str, str], ...] = ()
    """(code, display status, message)."""


@dataclass(frozen=True, kw_only=True)
class VirtualMachine:
    """An Azure VM with its instance view."""

    id: str
    name: str
    location: str
    computer_name: str = ""
    """What the machine calls itself, which may differ from the name of the resource; "" when not told."""
    size: str = ""
    os_type: str = ""
    provisioning_state: str = ""
    power_state: str = ""
    """The tail of ``PowerState/…``: ``running``, ``deallocated``, …; "" when not reported."""
    status_messages: tuple[str, ...] = ()
    agent_version: str = ""
    agent_status: str = ""
    """``Ready`` or ``Not Ready``; "" when no agent reports."""
    agent_message: str = ""
    agent_reported_at: datetime | None = None
    extensions: tuple[ExtensionStatus, ...] = ()
    disk_encryption: bool = False
    """Azure Disk Encryption inside the guest, which needs Key Vault rights; platform encryption does not."""
    secret_vault_id: str = ""
    key_vault_id: str = ""
    """ARM ids of the key vaults that hold the disk secret and the key that wraps it."""
    disk_encryption_sets: tuple[str, ...] = ()
    identity_principal_id: str = ""


@dataclass(frozen=True, kw_only=True)
class AccessPolicy:
    """One entry of a key vault's access policies; permissions in lower case."""

    object_id: str
    keys: frozenset[str]
    secrets: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class KeyVault:
    """A key vault's management plane."""

    id: str
    name: str
    location: str
    rbac: bool
    access_policies: tuple[AccessPolicy, ...] = ()
    default_network_action: str = "Allow"
    trusted_services_bypass: bool = True
    public_network_access: str = "Enabled"
    purge_protection: bool = False
    soft_delete: bool = True
    tenant_id: str = ""


@dataclass(frozen=True, kw_only=True)
class RoleAssignment:
    """Who holds which role where."""

    id: str
    scope: str
    role_definition_id: str
    principal_id: str
    principal_type: str = ""
    condition: str = ""


@dataclass(frozen=True, kw_only=True)
class Permission:
    """What a role or an identity may do: patterns with ``*``, minus the not-patterns."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RoleDefinition:
    """A role; ``built_in`` tells Microsoft's from the customer's own."""

    id: str
    guid: str
    name: str
    built_in: bool
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A management lock: ``level`` is ``CanNotDelete`` or ``ReadOnly``."""

    id: str
    name: str
    level: str
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class OperationStatus:
    """An Azure Backup operation: ``status`` is InProgress, Succeeded, Failed or Canceled."""

    id: str
    status: str
    job_ids: tuple[str, ...] = ()
    error_code: str = ""
    error_message: str = ""


@dataclass(frozen=True, kw_only=True)
class ValidationProblem:
    """What Azure Backup's own validation of a restore objects to, word for word."""

    code: str
    message: str
    recommendations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Server:
    """A MARS machine, or a MABS or DPM server, as its vault lists it; "" and None: not reported."""

    id: str
    name: str
    kind: str
    """``mars`` or ``mabs``."""
    agent_version: str = ""
    server_version: str = ""
    upgrade_available: bool | None = None
    health: str = ""
    last_seen_at: datetime | None = None
    item_count: int | None = None
    can_reregister: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ActivityEvent:
    """One line of Azure's Activity Log."""

    at: datetime
    operation: str
    resource_id: str
    actor: str
    status: str
    correlation_id: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
