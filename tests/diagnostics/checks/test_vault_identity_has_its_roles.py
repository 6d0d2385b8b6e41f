"""The vault's identity: where it matters, and what it needs there."""

from diagnostics.checks.vault_identity_has_its_roles import vault_identity_has_its_roles
from domain.backup import AccessPolicy, Permission, RoleAssignment, RoleDefinition, Vault
from domain.finding import Finding, Outcome
from tests.diagnostics.world import (
    KEY_VAULT_ID,
    SUBSCRIPTION,
    a_context,
    a_job,
    a_key_vault,
    a_vault,
    an_azure,
    an_error,
)
from tests.fakes.azure import FakeAzure

IDENTITY = "5ef00000-0000-0000-0000-000000000001"
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-restore/providers/Microsoft.Storage/storageAccounts/ststage"
ACCOUNTS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts"
KEY_VAULTS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/vaults"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"
WITH_KEY = {"encryption": {"keyVaultProperties": {"keyUri": "https://kv-erp-01.vault.azure.net/keys/k"}}}


def restoring() -> FakeAzure:
    azure = an_azure()
    error = an_error("UserErrorManagedIdentityPermissionsMissing", "The managed identity lacks rights.")
    azure.put(
        a_job(operation="Restore", errors=(error,), details={"Target Storage Account Name": "ststage"}),
    )
    azure.lists[ACCOUNTS.casefold()] = [{"id": ACCOUNT, "name": "ststage", "location": "westeurope"}]
    return azure


def grant(azure: FakeAzure, scope: str, permission: Permission) -> None:
    role = "/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-0000-0000-00000000000a"
    azure.put(RoleDefinition(id=role, guid=role[-36:], name="r", built_in=True, permissions=(permission,)))
    azure.assignments.append(RoleAssignment(id="a", scope=scope, role_definition_id=role, principal_id=IDENTITY))


async def ask(azure: FakeAzure, vault: Vault) -> Finding:
    return await vault_identity_has_its_roles(a_context(azure, vault=vault))


async def test_ordinary_backups_need_no_role() -> None:
    """Neither a restore with the identity nor a customer-managed key: the runbook's line does not apply."""
    finding = await ask(an_azure(), a_vault())
    assert finding.outcome is Outcome.NOT_APPLICABLE
    assert "whatever the runbook says" in finding.summary


async def test_a_restore_with_the_identity_needs_blob_rights() -> None:
    """Actions and data actions on the staging account, each named when it is missing."""
    azure = restoring()
    finding = await ask(azure, a_vault(principal_id=IDENTITY, identity_type="SystemAssigned"))
    assert finding.outcome is Outcome.FAIL
    assert finding.facts["scope"] == ACCOUNT
    assert f"{BLOBS}/blobs/add/action" in finding.facts["missing"]
    assert finding.suggests == ("assign_backup_role",)
    grant(azure, ACCOUNT, Permission(actions=(f"{BLOBS}/*",), data_actions=(f"{BLOBS}/blobs/*",)))
    assert (await ask(azure, a_vault(principal_id=IDENTITY))).outcome is Outcome.PASS


async def test_without_an_identity_it_cannot_hold_a_role() -> None:
    """The command that gives the vault one is told."""
    finding = await ask(restoring(), a_vault())
    assert finding.facts["identity"] == "none"
    assert "identity assign --system-assigned" in finding.summary


async def test_an_account_that_is_not_found_leaves_it_open() -> None:
    """The identity matters, but where is not known."""
    azure = restoring()
    azure.lists.clear()
    assert (await ask(azure, a_vault(principal_id=IDENTITY))).outcome is Outcome.UNKNOWN


async def test_a_customer_managed_key_needs_wrap_and_unwrap() -> None:
    """By roles or by access policies, as the key vault has it; a user-assigned identity where the vault says so."""
    azure = an_azure()
    azure.put(a_key_vault())
    azure.lists[KEY_VAULTS.casefold()] = [{"id": KEY_VAULT_ID, "name": "kv-erp-01"}]
    vault = a_vault(principal_id=IDENTITY, properties=WITH_KEY)
    assert "keys/wrap/action" in (await ask(azure, vault)).facts["missing"]
    grant(azure, KEY_VAULT_ID, Permission(data_actions=("Microsoft.KeyVault/vaults/keys/*",)))
    assert (await ask(azure, vault)).outcome is Outcome.PASS
    rights = frozenset({"get", "list", "wrapkey"})
    azure.put(a_key_vault(rbac=False, access_policies=(AccessPolicy(object_id=IDENTITY, keys=rights, secrets=rights),)))
    assert (await ask(azure, vault)).facts["missing"] == "keys/unwrapkey"
    other = {"encryption": {**WITH_KEY["encryption"], "kekIdentity": {"userAssignedIdentity": "/ID/One"}}}
    chosen = a_vault(principal_id="x", user_assigned_principals={"/id/one": IDENTITY}, properties=other)
    assert (await ask(azure, chosen)).facts["missing"] == "keys/unwrapkey"


async def test_a_key_vault_elsewhere_leaves_it_open() -> None:
    """A key in another subscription cannot be judged."""
    assert (await ask(an_azure(), a_vault(principal_id=IDENTITY, properties=WITH_KEY))).outcome is Outcome.UNKNOWN


async def test_a_vm_size_is_no_identity() -> None:
    """An error about a VM size does not make the vault's identity matter."""
    azure = an_azure()
    azure.put(a_job(operation="Restore", errors=(an_error("UserErrorSkuNotAvailable", "The VM size is not offered."),)))
    assert (await ask(azure, a_vault())).outcome is Outcome.NOT_APPLICABLE
