"""Which key vaults an encrypted VM's backup needs, and what the backup service must be able to do there.

Only Azure Disk Encryption needs any of this; the principal is the Backup Management Service, not the vault's own identity.
Source: https://learn.microsoft.com/azure/backup/backup-azure-vms-encryption
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from domain.arm import key, name_of
from domain.backup import KeyVault, Permission, RoleDefinition, VirtualMachine
from domain.errors import RequestError, ResourceNotFound
from domain.ports import BackupReader
from domain.rbac import missing
from fixes.registry import PlanRequest
from fixes.steps.base import LONGEST_WINDOW

KEY_VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
CUSTOM_ROLE = "Azure Backup Key Vault Access"
"""The custom role that an installation makes; ``fixes.roles.key_vault_role`` describes it."""

KEY_DATA_ACTIONS = ("Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/backup/action")
SECRET_DATA_ACTIONS = (
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/secrets/backup/action",
)
POLICY_PERMISSIONS = ("get", "list", "backup")


@dataclass(frozen=True, kw_only=True)
class Need:
    """A key vault and what the backup service needs in it."""

    vault: KeyVault
    keys: bool
    secrets: bool

    @property
    def data_actions(self) -> tuple[str, ...]:
        """The data actions that are needed when the vault works with roles."""
        return (KEY_DATA_ACTIONS if self.keys else ()) + (SECRET_DATA_ACTIONS if self.secrets else ())

    @property
    def what(self) -> str:
        """What may be read, in words."""
        return " and ".join(word for word, wanted in (("keys", self.keys), ("secrets", self.secrets)) if wanted)

    def policy_missing(self, principal_id: str) -> dict[str, list[str]]:
        """What the access policies lack for the principal, by ``keys`` and ``secrets``; empty when nothing is missing."""
        held = [one for one in self.vault.access_policies if key(one.object_id) == key(principal_id)]
        lacking = {}
        for name, wanted in (("keys", self.keys), ("secrets", self.secrets)):
            has = {permission for one in held for permission in getattr(one, name)}
            gap = [permission for permission in POLICY_PERMISSIONS if permission not in has]
            if wanted and gap and "all" not in has:
                lacking[name] = gap
        return lacking


async def needs(request: PlanRequest, read: BackupReader) -> tuple[Need, ...]:
    """The key vaults that the item's encrypted VM uses.

    Raises:
        RequestError: the VM is gone, or not encrypted in the guest, or Azure does not say with which key vault.
    """
    item = request.item
    try:
        vm = await read.virtual_machine(item.source_id)
    except ResourceNotFound:
        raise RequestError(
            f"The virtual machine of {item.name} does not exist any more, so nothing can be backed up."
        ) from None
    if not vm.disk_encryption:
        raise RequestError(
            f"{item.name} is not encrypted with Azure Disk Encryption: its backup needs no right on any key vault."
        )
    secret_vault, key_vault = await _vault_ids(vm, request, read)
    ids = list(dict.fromkeys(one for one in (secret_vault, key_vault) if one))
    unique = {key(one): one for one in reversed(ids)}
    vaults = await asyncio.gather(*(_key_vault(one, read) for one in sorted(unique.values(), key=key)))
    return tuple(
        Need(vault=one, keys=key(one.id) == key(key_vault), secrets=key(one.id) == key(secret_vault)) for one in vaults
    )


async def _key_vault(key_vault_id: str, read: BackupReader) -> KeyVault:
    try:
        return await read.key_vault(key_vault_id)
    except ResourceNotFound:
        name = name_of(key_vault_id)
        raise RequestError(
            f"Key vault {name} does not exist. If it was deleted, recover it first: az keyvault recover --name {name}"
        ) from None


async def _vault_ids(vm: VirtualMachine, request: PlanRequest, read: BackupReader) -> tuple[str, str]:
    if vm.secret_vault_id:
        return vm.secret_vault_id, vm.key_vault_id
    # The machine does not always tell; its recovery points remember.
    newest = request.item.last_recovery_point_at
    if newest is not None:
        day = timedelta(days=1)
        for point in await read.recovery_points(request.item.id, newest - LONGEST_WINDOW + day, newest + day):
            if point.secret_vault_id:
                return point.secret_vault_id, point.key_vault_id
    raise RequestError(
        f"Azure does not say which key vault holds the disk secret of {request.item.name}: open the VM's disks in the portal,"
        " and give the Backup Management Service its rights there."
    )


def firewall_problems(all_needs: Sequence[Need]) -> tuple[str, ...]:
    """Key vaults whose firewall shuts the backup service out, whatever rights it has."""
    return tuple(
        f"The firewall of key vault {need.vault.name} shuts the backup service out, so a right alone does not help: let"
        " trusted Microsoft services pass first."
        for need in all_needs
        if _closed(need.vault) and not need.vault.trusted_services_bypass
    )


def _closed(vault: KeyVault) -> bool:
    return vault.default_network_action.casefold() == "deny" or vault.public_network_access.casefold() == "disabled"


async def lacks(need: Need, principal_id: str, read: BackupReader) -> tuple[str, ...]:
    """The data actions that the principal still lacks at the key vault, through whatever assignment it might hold them."""
    assignments = await read.role_assignments(need.vault.id, principal_id)
    roles = {name_of(one.role_definition_id).casefold(): one for one in assignments if not one.condition}
    definitions = await asyncio.gather(*(read.role_definition(one.role_definition_id) for one in roles.values()))
    held = [permission for role in definitions for permission in role.permissions]
    return missing(held, need.data_actions, data=True)


async def smallest_role(need: Need, read: BackupReader) -> tuple[str, str, str]:
    """(GUID, name, note) of the smallest role to assign at the key vault for what is needed there."""
    custom = [
        role
        for role in await read.role_definitions(need.vault.id, custom_only=True)
        if not missing(role.permissions, need.data_actions, data=True)
    ]
    if custom:
        best = min(custom, key=_size)
        return best.guid.casefold(), best.name, ""
    note = (
        f"No custom role that covers this can be assigned at {need.vault.name}, so it is Key Vault Administrator, the role"
        f' that Azure documents; install the custom role "{CUSTOM_ROLE}" to grant less.'
    )
    return KEY_VAULT_ADMINISTRATOR, "Key Vault Administrator", note


def _size(role: RoleDefinition) -> tuple[bool, int, int, str]:
    """The installation's own role first, then few wildcards, few actions; the name decides between equals."""
    actions = [action for one in role.permissions for action in _granted(one)]
    return role.name != CUSTOM_ROLE, sum("*" in action for action in actions), len(actions), role.name


def _granted(permission: Permission) -> tuple[str, ...]:
    return permission.actions + permission.data_actions
