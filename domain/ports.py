"""Ports: what the core needs from the outside. Implementations live in ``bot/``, fakes in tests.

The two Azure ports are split by trust: checks and plans are typed to see only the reader, so a check that tries to change
something does not type-check.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.actor import Actor
from domain.arm import ItemId, VaultId
from domain.backup import (
    ActivityEvent,
    ExtensionStatus,
    Job,
    KeyVault,
    Lock,
    OperationStatus,
    Permission,
    ProtectedItem,
    RecoveryPoint,
    RoleAssignment,
    RoleDefinition,
    Server,
    ValidationProblem,
    Vault,
    VirtualMachine,
)
from domain.fix import Call, Receipt
from domain.schedule import BackupPolicy


class Clock(Protocol):
    """Time. ``now`` is the time of the world the bot watches (a simulated one may run ahead)."""

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards, for measuring."""
        ...


class BackupReader(Protocol):
    """Everything that checks, plans and proofs may read. Every method raises :class:`domain.errors.GatewayError`."""

    async def subscriptions(self) -> Sequence[str]:
        """The ids of the subscriptions that the reader looks at."""
        ...

    async def vaults(self) -> Sequence[Vault]:
        """Every vault of those subscriptions."""
        ...

    async def vault(self, vault: VaultId) -> Vault:
        """One vault, read from its provider."""
        ...

    async def items(self, vault: VaultId) -> Sequence[ProtectedItem]:
        """Every protected item of the vault, of all workloads, soft-deleted ones included."""
        ...

    async def item(self, item: ItemId) -> ProtectedItem:
        """One item with its extended information."""
        ...

    async def jobs(
        self, vault: VaultId, since: datetime, until: datetime, *, status: str = "", operation: str = ""
    ) -> Sequence[Job]:
        """The vault's jobs that started in the window (at most 30 days), newest first, without details.

        Those that Azure lists in the paired region are among them only when the operation ``CrossRegionRestore`` is named.
        """
        ...

    async def jobs_in_paired_region(self, vault: VaultId, since: datetime, until: datetime) -> Sequence[Job]:
        """The vault's cross-region restores that Azure lists in the paired region; none where the vault has no such way."""
        ...

    async def job(self, vault: VaultId, job_id: str) -> Job:
        """One job with tasks, details and errors."""
        ...

    async def recovery_points(
        self, item: ItemId, since: datetime, until: datetime, *, include_soft_deleted: bool = False
    ) -> Sequence[RecoveryPoint]:
        """The item's recovery points of the window, newest first."""
        ...

    async def validate_restore(
        self,
        item: ItemId,
        recovery_point: str,
        *,
        storage_account_id: str,
        region: str,
        vm_id: str,
        target_group_id: str,
        identity: str = "",
    ) -> Sequence[ValidationProblem]:
        """What the service itself objects to in restoring the disks of a VM's recovery point; empty: nothing.

        ``recovery_point`` is the point's own name, ``identity`` the vault's identity that reaches the storage account:
        ``system``, the ARM id of a user-assigned one, or "" for none. It changes nothing, but is a POST that needs
        ``Microsoft.RecoveryServices/Vaults/backupValidateOperation/action``, which read-only roles lack.
        """
        ...

    async def policy(self, policy_id: str) -> BackupPolicy:
        """The backup policy with that ARM id."""
        ...

    async def operation(self, vault: VaultId, operation_id: str) -> OperationStatus:
        """How far a backup operation is."""
        ...

    async def servers(self, vault: VaultId) -> Sequence[Server]:
        """The MARS machines and the MABS and DPM servers of the vault."""
        ...

    async def virtual_machine(self, vm_id: str) -> VirtualMachine:
        """The VM with its instance view."""
        ...

    async def extensions(self, vm_id: str) -> Sequence[ExtensionStatus]:
        """The VM's extensions with their instance views."""
        ...

    async def key_vault(self, key_vault_id: str) -> KeyVault:
        """The management plane of a key vault."""
        ...

    async def role_assignments(self, scope: str, principal_id: str) -> Sequence[RoleAssignment]:
        """What the principal holds at ``scope``: direct, inherited and through groups."""
        ...

    async def role_definition(self, role_definition_id: str) -> RoleDefinition:
        """One role."""
        ...

    async def role_definitions(self, scope: str, *, custom_only: bool = False) -> Sequence[RoleDefinition]:
        """The roles that can be assigned at ``scope``."""
        ...

    async def permissions(self, scope: str) -> Sequence[Permission]:
        """What the calling identity itself may do at a resource group or resource."""
        ...

    async def locks(self, scope: str) -> Sequence[Lock]:
        """The locks at a resource group or resource, inherited ones included."""
        ...

    async def resource(self, arm_id: str, api_version: str) -> Mapping[str, object]:
        """The plain body of any resource, for what has no method of its own."""
        ...

    async def resources(
        self, path: str, api_version: str, query: Mapping[str, str] | None = None
    ) -> Sequence[Mapping[str, object]]:
        """All pages of any list, for what has no method of its own."""
        ...

    async def activity(self, scope: str, since: datetime, until: datetime) -> Sequence[ActivityEvent]:
        """Azure's Activity Log of a resource group or resource, newest first."""
        ...

    async def backup_service_principal(self) -> str:
        """The object id, in this tenant, of the Backup Management Service."""
        ...


class BackupOperator(Protocol):
    """What changes Azure: exactly one method, which sends exactly one planned call."""

    @property
    def client_id(self) -> str:
        """The identity's client id; part of every fingerprint."""
        ...

    async def send(self, call: Call) -> Receipt:
        """Send ``call`` once, never again by itself.

        Raises:
            OutcomeUnknown: a 5xx, a time limit or a lost connection after the request left.
            GatewayError: Azure said no; nothing was changed.
        """
        ...

    async def permissions(self, scope: str) -> Sequence[Permission]:
        """What the operator identity may do at ``scope``."""
        ...


class Directory(Protocol):
    """Who people are, asked of the chat platform."""

    async def actor(self, platform: str, user_id: str) -> Actor:
        """The person; ``known`` is False when the platform cannot be asked."""
        ...

    async def account(self, entry: str) -> str | None:
        """The Slack user id behind ``email:…`` or ``teams:…``; "" when the entry needs none, None when nobody is known."""
        ...

    async def members(self, group: str) -> frozenset[str] | None:
        """Member ids of ``slack-group:S…`` or ``entra-group:…``; None when they cannot be read."""
        ...
