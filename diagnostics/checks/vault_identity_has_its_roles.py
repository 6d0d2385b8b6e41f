"""The vault's own identity holds its roles, where it matters at all: restores with that identity, customer-managed keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics.history import side_by_side, subject
from diagnostics.registry import Context, check
from diagnostics.restores import storage_account, text_at, wanted_restore
from diagnostics.verdicts import Verdicts
from domain.arm import name_of
from domain.backup import Permission, Vault, Workload
from domain.finding import Finding
from domain.rbac import missing

say = Verdicts(__name__)

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"
# https://learn.microsoft.com/azure/backup/backup-azure-arm-restore-vms
_STAGING_ACTIONS = (f"{_BLOBS}/read", f"{_BLOBS}/write", f"{_BLOBS}/delete")
_STAGING_DATA_ACTIONS = (
    f"{_BLOBS}/blobs/read",
    f"{_BLOBS}/blobs/write",
    f"{_BLOBS}/blobs/delete",
    f"{_BLOBS}/blobs/add/action",
)
# https://learn.microsoft.com/azure/backup/encryption-at-rest-with-cmk
_KEY_DATA_ACTIONS = (
    "Microsoft.KeyVault/vaults/keys/read",
    "Microsoft.KeyVault/vaults/keys/wrap/action",
    "Microsoft.KeyVault/vaults/keys/unwrap/action",
)
_KEY_VAULT_RIGHTS = ("get", "list", "unwrapkey", "wrapkey")
_KEY_VAULTS_API = "2023-07-01"
_NOT_NEEDED = (
    "Azure Backup does its work with its own rights; the vault's identity needs no role for the backups of this item, "
    "whatever the runbook says."
)


@dataclass(frozen=True, kw_only=True)
class Need:
    """A resource, what the identity must be allowed there, and what it holds."""

    purpose: str
    scope: str
    actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    held: Sequence[Permission] = ()
    lacks: tuple[str, ...] = ()


@check(
    title="The vault's identity holds the roles that it needs",
    runbook=("cause_permissions", "resolution_permissions"),
    permissions=(
        "Microsoft.RecoveryServices/Vaults/read",
        "Microsoft.RecoveryServices/Vaults/backupJobs/read",
        "Microsoft.Storage/storageAccounts/read",
        "Microsoft.KeyVault/vaults/read",
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleDefinitions/read",
    ),
    docs="https://learn.microsoft.com/azure/backup/backup-azure-arm-restore-vms",
    suggests=("assign_backup_role",),
    az="az role assignment list --assignee <principal id of the vault> --all",
    portal="Recovery Services vault > Identity > Azure role assignments",
)
async def vault_identity_has_its_roles(context: Context) -> Finding:
    """Find where the identity matters to this item, and what it may do there."""
    item, vault = subject(context), context.vault
    restore = await wanted_restore(context)
    key_uri = customer_key(vault)
    staging = restore is not None and restore.uses_identity and item.workload is Workload.VM
    if not staging and not key_uri:
        return say.not_asked(_NOT_NEEDED)
    principal = principal_of(vault)
    if not principal:
        return judge(vault, "", [])
    needs: list[Need] = []
    if staging and restore is not None and restore.account:
        body = await storage_account(context, restore)
        if body is not None:
            needs.append(
                Need(
                    purpose="restores with this identity",
                    scope=text_at(body, "id"),
                    actions=_STAGING_ACTIONS,
                    data_actions=_STAGING_DATA_ACTIONS,
                )
            )
    looked = await side_by_side(*(_held(context, need, principal) for need in needs))
    if key_uri:
        key_need = await _key_vault(context, key_uri, principal)
        looked += [key_need] if key_need is not None else []
    return judge(vault, principal, looked)


async def _held(context: Context, need: Need, principal: str) -> Need:
    assignments = await context.read.role_assignments(need.scope, principal)
    ids = dict.fromkeys(one.role_definition_id for one in assignments if not one.condition)
    roles = await side_by_side(*(context.read.role_definition(one) for one in ids))
    held = [permission for role in roles for permission in role.permissions]
    lacks = (*missing(held, need.actions), *missing(held, need.data_actions, data=True))
    return Need(purpose=need.purpose, scope=need.scope, lacks=lacks)


async def _key_vault(context: Context, key_uri: str, principal: str) -> Need | None:
    """The key vault of the vault's customer-managed key, found by its name in the vault's subscription."""
    name = key_uri.removeprefix("https://").partition(".")[0]
    path = f"/subscriptions/{context.vault.id.subscription}/providers/Microsoft.KeyVault/vaults"
    bodies = await context.read.resources(path, _KEY_VAULTS_API)
    found = next((text_at(one, "id") for one in bodies if text_at(one, "name").casefold() == name.casefold()), "")
    if not found:
        return None
    vault = await context.read.key_vault(found)
    purpose = "the customer-managed key of the vault"
    if vault.rbac:
        return await _held(context, Need(purpose=purpose, scope=found, data_actions=_KEY_DATA_ACTIONS), principal)
    held = {
        right for one in vault.access_policies if one.object_id.casefold() == principal.casefold() for right in one.keys
    }
    lacks = () if "all" in held else tuple(f"keys/{right}" for right in _KEY_VAULT_RIGHTS if right not in held)
    return Need(purpose=purpose, scope=found, lacks=lacks)


def customer_key(vault: Vault) -> str:
    """The address of the vault's customer-managed key; "" when Microsoft manages its keys."""
    return text_at(vault.properties, "encryption", "keyVaultProperties", "keyUri")


def principal_of(vault: Vault) -> str:
    """The object id of the identity that the vault uses: its own, or the user-assigned one of its key."""
    chosen = text_at(vault.properties, "encryption", "kekIdentity", "userAssignedIdentity").casefold()
    for identity, principal in vault.user_assigned_principals.items():
        if identity.casefold() == chosen:
            return principal
    return vault.principal_id or next(iter(vault.user_assigned_principals.values()), "")


def judge(vault: Vault, principal: str, needs: Sequence[Need]) -> Finding:
    """Every need must be met; without an identity none can be."""
    evidence: dict[str, str | int | bool | list[str] | None] = {
        "identity": vault.identity_type,
        "principal": principal or None,
        "scopes": [need.scope for need in needs],
    }
    if not principal:
        return say.bad(
            f"The vault {vault.id.name} has no identity of its own, and this item needs one. Give it one: az backup vault "
            f"identity assign --system-assigned --name {vault.id.name} --resource-group {vault.id.resource_group}",
            evidence=evidence,
            facts={"identity": "none"},
            suggests=("assign_backup_role",),
        )
    short = [need for need in needs if need.lacks]
    if short:
        sentences = [
            f"The vault's identity lacks {', '.join(need.lacks)} at {name_of(need.scope)}, needed for {need.purpose}."
            for need in short
        ]
        return say.bad(
            " ".join(sentences),
            evidence={**evidence, "missing": [action for need in short for action in need.lacks]},
            facts={"identity": "there", "scope": short[0].scope, "missing": " ".join(short[0].lacks)},
            suggests=("assign_backup_role",),
        )
    if not needs:
        return say.unclear(
            "The vault's identity matters here, but the resource at which it needs its roles was not found.",
            evidence=evidence,
        )
    return say.good(
        f"The vault's identity holds its roles at {', '.join(name_of(need.scope) for need in needs)}.",
        evidence=evidence,
    )
