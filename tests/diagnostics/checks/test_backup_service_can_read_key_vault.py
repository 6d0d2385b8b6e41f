"""Key vault rights: of the right principal, by the vault's own model, behind its firewall."""

from collections.abc import Iterable

import pytest

from diagnostics.checks.backup_service_can_read_key_vault import backup_service_can_read_key_vault, needed
from domain.backup import AccessPolicy, KeyVault, Permission, RoleAssignment, RoleDefinition, VirtualMachine
from domain.errors import PermissionDenied, ResourceNotFound
from domain.finding import Blind, Finding, Outcome
from tests.diagnostics.world import KEY_VAULT_ID, a_context, a_key_vault, a_point, a_vm, an_azure
from tests.fakes.azure import FakeAzure

SERVICE = "0b5e0000-0000-0000-0000-00000000b0b5"
OTHER_VAULT = KEY_VAULT_ID.replace("kv-erp-01", "kv-keys-01")
SECRETS = (
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/secrets/backup/action",
)
KEYS = ("Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/backup/action")


def encrypted(**changes: object) -> VirtualMachine:
    both = {"secret_vault_id": KEY_VAULT_ID, "key_vault_id": KEY_VAULT_ID}
    return a_vm(disk_encryption=True, **{**both, **changes})


def grant(
    azure: FakeAzure,
    data: Iterable[str],
    *,
    but_not: Iterable[str] = (),
    scope: str = KEY_VAULT_ID,
    principal: str = SERVICE,
    condition: str = "",
) -> None:
    guid = f"0000000{len(azure.roles)}-0000-0000-0000-000000000000"
    role = f"/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/{guid}"
    permission = Permission(data_actions=tuple(data), not_data_actions=tuple(but_not))
    azure.put(RoleDefinition(id=role, guid=guid, name="r", built_in=False, permissions=(permission,)))
    azure.assignments.append(
        RoleAssignment(id="a", scope=scope, role_definition_id=role, principal_id=principal, condition=condition)
    )


def an_encrypted_azure(vault: KeyVault | None = None, vm: VirtualMachine | None = None) -> FakeAzure:
    azure = an_azure()
    azure.put(vm or encrypted(), vault or a_key_vault())
    return azure


async def ask(azure: FakeAzure) -> Finding:
    return await backup_service_can_read_key_vault(a_context(azure))


async def test_a_vm_without_guest_encryption_needs_nothing() -> None:
    """Platform encryption and customer-managed disk keys need no right for backups, and nothing more is read."""
    azure = an_azure()
    azure.put(a_vm(disk_encryption_sets=("/des",)))
    finding = await ask(azure)
    assert finding.outcome is Outcome.NOT_APPLICABLE
    assert azure.count("key_vault") == 0


async def test_no_role_is_missing_access() -> None:
    """Nothing granted: every right is named, the principal is explained, the fix is the role."""
    finding = await ask(an_encrypted_azure())
    assert finding.outcome is Outcome.FAIL
    assert "Backup Management Service (not the vault's own identity" in finding.summary
    assert finding.facts["access"] == "missing"
    assert finding.facts["model"] == "rbac"
    assert finding.facts["key_vault_id"] == KEY_VAULT_ID
    assert set(finding.facts["missing"].split()) == {*SECRETS, *KEYS}
    assert finding.suggests == ("grant_key_vault_access",)


@pytest.mark.parametrize(
    ("data", "but_not", "outcome"),
    [
        ([*SECRETS, *KEYS], [], Outcome.PASS),
        (["Microsoft.KeyVault/vaults/*"], [], Outcome.PASS),
        (["*"], [], Outcome.PASS),
        (["microsoft.keyvault/vaults/secrets/*", "MICROSOFT.KEYVAULT/vaults/keys/*"], [], Outcome.PASS),
        (["Microsoft.KeyVault/vaults/*"], ["Microsoft.KeyVault/vaults/secrets/backup/action"], Outcome.FAIL),
        (SECRETS, [], Outcome.FAIL),
        (KEYS, [], Outcome.FAIL),
        (["Microsoft.KeyVault/vaults/secrets/getSecret/action"], [], Outcome.FAIL),
    ],
)
async def test_roles_are_judged_by_their_data_actions(data: list[str], but_not: list[str], outcome: Outcome) -> None:
    """Wildcards count, minus what the role takes away; half of the rights is not enough."""
    azure = an_encrypted_azure()
    grant(azure, data, but_not=but_not)
    assert (await ask(azure)).outcome is outcome


@pytest.mark.parametrize(
    ("scope", "principal", "condition", "outcome"),
    [
        (KEY_VAULT_ID.partition("/providers")[0], SERVICE, "", Outcome.PASS),
        (KEY_VAULT_ID.upper(), SERVICE.upper(), "", Outcome.PASS),
        (OTHER_VAULT, SERVICE, "", Outcome.FAIL),
        (KEY_VAULT_ID, "somebody-else", "", Outcome.FAIL),
        (KEY_VAULT_ID, SERVICE, "@Resource[…]", Outcome.FAIL),
    ],
)
async def test_scope_principal_and_condition_count(
    scope: str, principal: str, condition: str, outcome: Outcome
) -> None:
    """Inherited roles count; those elsewhere, of others, or with a condition do not."""
    azure = an_encrypted_azure()
    grant(azure, ["*"], scope=scope, principal=principal, condition=condition)
    assert (await ask(azure)).outcome is outcome


@pytest.mark.parametrize(
    ("keys", "secrets", "missing"),
    [
        ({"get", "list", "backup"}, {"get", "list", "backup"}, ""),
        ({"all"}, {"All"}, ""),
        ({"get", "list", "backup"}, {"get", "list"}, "secrets/backup"),
        (set(), {"get", "list", "backup"}, "keys/get keys/list keys/backup"),
    ],
)
async def test_access_policies(keys: set[str], secrets: set[str], missing: str) -> None:
    """Get, list and backup on keys and secrets, in any case, or all."""
    policy = AccessPolicy(object_id=SERVICE.upper(), keys=frozenset(keys), secrets=frozenset(secrets))
    azure = an_encrypted_azure(a_key_vault(rbac=False, access_policies=(policy,)))
    finding = await ask(azure)
    assert finding.facts.get("missing", "") == missing
    assert finding.suggests == (("add_key_vault_policy",) if missing else ())


async def test_a_policy_for_somebody_else_does_not_count() -> None:
    """The vault's own identity may hold all rights; the backup service still lacks them."""
    policy = AccessPolicy(object_id="vault-identity", keys=frozenset({"all"}), secrets=frozenset({"all"}))
    finding = await ask(an_encrypted_azure(a_key_vault(rbac=False, access_policies=(policy,))))
    assert finding.facts["model"] == "access policies"
    assert finding.outcome is Outcome.FAIL


async def test_without_a_wrapping_key_only_secrets_count() -> None:
    """A disk secret that no key wraps needs rights on secrets only."""
    azure = an_encrypted_azure(vm=encrypted(key_vault_id=""))
    grant(azure, SECRETS)
    assert (await ask(azure)).outcome is Outcome.PASS


async def test_secret_and_key_may_lie_in_different_vaults() -> None:
    """Each key vault is asked for what it holds."""
    azure = an_encrypted_azure(vm=encrypted(key_vault_id=OTHER_VAULT))
    azure.put(a_key_vault(id=OTHER_VAULT, name="kv-keys-01"))
    grant(azure, SECRETS)
    finding = await ask(azure)
    assert finding.facts["key_vault_id"] == OTHER_VAULT
    assert set(finding.facts["missing"].split()) == set(KEYS)
    grant(azure, KEYS, scope=OTHER_VAULT)
    assert (await ask(azure)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("changes", "blocked"),
    [
        ({"default_network_action": "Deny", "trusted_services_bypass": False}, True),
        ({"default_network_action": "Deny", "trusted_services_bypass": True}, False),
        ({"public_network_access": "Disabled", "trusted_services_bypass": False}, True),
        ({"default_network_action": "Allow", "trusted_services_bypass": False}, False),
    ],
)
async def test_the_firewall(changes: dict[str, object], blocked: bool) -> None:
    """A closed network is a fault unless trusted services may pass; the command to open it is told."""
    azure = an_encrypted_azure(a_key_vault(**changes))
    grant(azure, ["*"])
    finding = await ask(azure)
    assert (finding.outcome is Outcome.FAIL) is blocked
    assert ("--bypass AzureServices" in finding.summary) is blocked
    assert finding.facts.get("firewall", "") == ("blocks" if blocked else "")


async def test_rights_that_cannot_be_read_are_unknown() -> None:
    """A denied read of the assignments names what is missing to look; a closed firewall is still told."""
    azure = an_encrypted_azure()
    azure.fail("role_assignments", PermissionDenied("no", action="Microsoft.Authorization/roleAssignments/read"))
    finding = await ask(azure)
    assert finding.blind is Blind.DENIED
    assert "Microsoft.Authorization/roleAssignments/read" in finding.summary
    azure.put(a_key_vault(default_network_action="Deny", trusted_services_bypass=False))
    assert (await ask(azure)).facts["firewall"] == "blocks"


async def test_access_policies_need_no_list_of_roles() -> None:
    """A denied list of assignments does not hide what the vault's own policies say."""
    azure = an_encrypted_azure(a_key_vault(rbac=False))
    azure.fail("role_assignments", PermissionDenied("no"))
    assert (await ask(azure)).facts["access"] == "missing"


async def test_an_unknown_principal_is_unknown() -> None:
    """Without the service's object id its rights cannot be looked up."""
    azure = an_encrypted_azure()
    azure.fail("backup_service_principal", PermissionDenied("no", action="Application.Read.All"))
    assert (await ask(azure)).blind is Blind.DENIED


async def test_a_key_vault_that_is_gone() -> None:
    """A deleted key vault is told with the way to recover it, not with a role to grant."""
    azure = an_encrypted_azure()
    azure.key_vaults.clear()
    finding = await ask(azure)
    assert finding.facts["key_vault"] == "missing"
    assert "az keyvault recover" in finding.summary
    assert finding.suggests == ()


async def test_the_points_tell_where_the_vm_does_not() -> None:
    """The key vault of a VM that is gone, or does not say, is read from its encrypted points."""
    azure = an_encrypted_azure(vm=encrypted(secret_vault_id="", key_vault_id=""))
    point = a_point(5, encrypted=True, secret_vault_id=KEY_VAULT_ID)
    item = a_context(azure).item
    assert item is not None
    azure.points[item.id.key] = [point]
    assert (await ask(azure)).facts["key_vault_id"] == KEY_VAULT_ID
    azure.fail("virtual_machine", ResourceNotFound("gone"))
    assert (await ask(azure)).facts["key_vault_id"] == KEY_VAULT_ID
    azure.points[item.id.key] = [a_point(5)]
    assert (await ask(azure)).outcome is Outcome.NOT_APPLICABLE


def test_an_encrypted_vm_that_names_no_vault_is_unclear() -> None:
    """Encrypted, but nobody says where the secret lies."""
    assert needed(encrypted(secret_vault_id="", key_vault_id=""), []) == ()
