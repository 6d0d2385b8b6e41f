"""grant_key_vault_access and add_key_vault_policy: the smallest right, for the right principal, and a backup."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.backup import RoleAssignment
from domain.errors import RequestError, ResourceNotFound
from domain.fix import Kind
from fixes.assignments import revocation
from fixes.catalog.add_key_vault_policy import FIX as POLICY
from fixes.catalog.grant_key_vault_access import FIX as GRANT
from tests.fakes.azure import FakeAzure
from tests.fixes.world import (
    CUSTOM_ROLE_GUID,
    HOUR,
    KEY_VAULT,
    NOW,
    OPERATOR,
    OTHER_KEY_VAULT,
    SERVICE,
    SUBSCRIPTION,
    TENANT,
    VM_ITEM,
    Run,
    ask,
    assignment,
    custom_role,
    estate,
    job,
    key_vault,
    machine,
    point,
    policy_for,
    sql_item,
    vm_item,
)

JOB = "7a0f1e2d-0000-4000-8000-000000000001"
# RFC 4122 version 5 (SHA-1) of "scope|principal|role", all in lower case, put together by hand.
NAME_OF_THE_ASSIGNMENT = "86c27362-be50-53ee-9450-6b10daf1797e"
UNTIL = "2026-11-22T05:00:00Z"
ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
SECRETS = ("Microsoft.KeyVault/vaults/secrets/*",)


class TestGrant:
    """grant_key_vault_access."""

    async def test_the_two_calls(self) -> None:
        """The assignment under a name that follows from what it says, then the backup."""
        plan = await GRANT.plan(ask(), estate())
        grant, backup = plan.calls
        assert ("PUT", "2022-04-01") == (grant.method, grant.api_version)
        assert (
            f"{KEY_VAULT}/providers/Microsoft.Authorization/roleAssignments/{NAME_OF_THE_ASSIGNMENT}" == grant.resource
        )
        assert {
            "properties": {
                "roleDefinitionId": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CUSTOM_ROLE_GUID}",
                "principalId": SERVICE,
                "principalType": "ServicePrincipal",
            }
        } == grant.body
        assert ("Microsoft.Authorization/roleAssignments/write", KEY_VAULT) == (grant.action, grant.scope)
        assert (True, False) == (grant.settle, grant.revoke_on_expiry)
        assert f"{VM_ITEM}/backup" == backup.resource
        assert (
            "Grant the Backup Management Service Azure Backup Key Vault Access on key vault kv-erp-01 for good, and back up"
            " vm-erp-01 in vault-prod-01 now." == plan.sentence
        )
        assert (
            f"az role assignment create --assignee-object-id {SERVICE} --assignee-principal-type ServicePrincipal"
            f" --role {CUSTOM_ROLE_GUID} --scope {KEY_VAULT}" == plan.az[0]
        )
        assert () == plan.problems

    async def test_an_expiry_marks_the_grant_and_the_sentence(self) -> None:
        """The right is to be taken back, the backup is not."""
        plan = await GRANT.plan(ask(rights_until=UNTIL), estate())
        assert [True, False] == [call.revoke_on_expiry for call in plan.calls]
        assert "until 2026-11-22 05:00 UTC" in plan.sentence
        assert "2026-11-22 05:00 UTC" in plan.undo
        taken = revocation(plan.calls[0])
        assert ("DELETE", plan.calls[0].resource, None, Kind.ROLE_REMOVAL) == (
            taken.method,
            taken.resource,
            taken.body,
            taken.kind,
        )
        assert "Microsoft.Authorization/roleAssignments/delete" == taken.action
        assert (False, False) == (taken.settle, taken.revoke_on_expiry)

    async def test_a_right_that_is_there_is_left_alone(self) -> None:
        """No grant, nothing to take back, and the plan says so."""
        azure = estate()
        azure.assignments.append(assignment(KEY_VAULT, SERVICE, ADMINISTRATOR))
        plan = await GRANT.plan(ask(rights_until=UNTIL), azure)
        assert [Kind.BACKUP] == [call.kind for call in plan.calls]
        assert "there already and is left alone" in plan.notes[0]
        assert "has its rights on the key vaults already" in plan.sentence

    @pytest.mark.parametrize(
        "useless",
        [
            assignment(KEY_VAULT, SERVICE, ADMINISTRATOR, condition="@Resource[x] StringEquals 'y'"),
            assignment(KEY_VAULT, "77777777-7777-7777-7777-777777777777", ADMINISTRATOR),
            assignment(OTHER_KEY_VAULT, SERVICE, ADMINISTRATOR),
        ],
        ids=["conditional", "the vault's own identity", "another key vault"],
    )
    async def test_rights_that_do_not_help_do_not_count(self, useless: RoleAssignment) -> None:
        """A condition, the wrong principal, the wrong place."""
        azure = estate()
        azure.assignments.append(useless)
        assert Kind.ROLE_ASSIGNMENT is (await GRANT.plan(ask(), azure)).calls[0].kind

    async def test_without_a_custom_role_it_is_the_administrator(self) -> None:
        """Azure's documented fallback, said with its consequence."""
        azure = estate()
        del azure.roles[CUSTOM_ROLE_GUID]
        plan = await GRANT.plan(ask(), azure)
        body = plan.calls[0].body
        assert isinstance(body, dict)
        assert body["properties"]["roleDefinitionId"].endswith(ADMINISTRATOR)
        assert "Key Vault Administrator" in plan.notes[0]
        assert "everything" in plan.worst_case

    async def test_the_smallest_custom_role_that_suffices(self) -> None:
        """Ours by name first; without it the one without wildcards; one that lacks something never."""
        azure = estate()
        wide = custom_role("A wide one", "aaaaaaaa-0000-4000-8000-000000000001", data_actions=("Microsoft.KeyVault/*",))
        short = custom_role("A short one", "aaaaaaaa-0000-4000-8000-000000000002", data_actions=SECRETS)
        narrow = custom_role("Z narrow", "aaaaaaaa-0000-4000-8000-000000000003")
        azure.put(wide, short, narrow)
        assert CUSTOM_ROLE_GUID == (await GRANT.plan(ask(), azure)).precondition["kv-erp-01 role"]
        del azure.roles[CUSTOM_ROLE_GUID]
        assert narrow.guid == (await GRANT.plan(ask(), azure)).precondition["kv-erp-01 role"]
        del azure.roles[narrow.guid]
        assert wide.guid == (await GRANT.plan(ask(), azure)).precondition["kv-erp-01 role"]

    async def test_two_key_vaults_get_one_assignment_each(self) -> None:
        """Secret and wrapping key may lie apart; where only secrets are needed a smaller role does."""
        azure = estate()
        azure.put(
            key_vault(OTHER_KEY_VAULT),
            machine(secret_vault_id=OTHER_KEY_VAULT, key_vault_id=KEY_VAULT),
        )
        azure.assignments.append(assignment(OTHER_KEY_VAULT, SERVICE, "secrets-only"))
        azure.put(custom_role("secrets", "secrets-only", data_actions=SECRETS))
        plan = await GRANT.plan(ask(), azure)
        assert [KEY_VAULT, VM_ITEM.partition("/backupFabrics")[0]] == [call.scope for call in plan.calls]
        azure.assignments.clear()
        plan = await GRANT.plan(ask(), azure)
        assert [KEY_VAULT, OTHER_KEY_VAULT] == [call.scope for call in plan.calls[:2]]
        assert "kv-erp-01 and kv-erp-02" in plan.sentence

    async def test_without_a_wrapping_key_only_secrets_are_needed(self) -> None:
        """A role for secrets is enough for a disk whose secret is not wrapped."""
        azure = estate()
        azure.put(machine(key_vault_id=""), custom_role("secrets", "secrets-only", data_actions=SECRETS))
        azure.assignments.append(assignment(KEY_VAULT, SERVICE, "secrets-only"))
        assert [Kind.BACKUP] == [call.kind for call in (await GRANT.plan(ask(), azure)).calls]

    async def test_the_key_vault_may_be_known_from_a_recovery_point(self) -> None:
        """When the machine does not tell."""
        azure = estate()
        azure.put(machine(secret_vault_id="", key_vault_id=""))
        with pytest.raises(RequestError, match="which key vault"):
            await GRANT.plan(ask(), azure)
        azure.points[VM_ITEM.casefold()] = [
            point(NOW - 31 * HOUR, encrypted=True, secret_vault_id=KEY_VAULT, key_vault_id=KEY_VAULT)
        ]
        assert KEY_VAULT == (await GRANT.plan(ask(), azure)).calls[0].scope

    async def test_what_does_not_fit_is_refused_with_advice(self) -> None:
        """Not encrypted, access policies, gone, another workload."""
        azure = estate()
        azure.put(machine(disk_encryption=False))
        with pytest.raises(RequestError, match="needs no right"):
            await GRANT.plan(ask(), azure)
        azure.put(machine(), key_vault(rbac=False))
        with pytest.raises(RequestError, match="add_key_vault_policy"):
            await GRANT.plan(ask(), azure)
        azure.fail("key_vault", ResourceNotFound("gone"))
        with pytest.raises(RequestError, match="recover"):
            await GRANT.plan(ask(), azure)
        azure.fail("virtual_machine", ResourceNotFound("gone"))
        with pytest.raises(RequestError, match="does not exist"):
            await GRANT.plan(ask(), azure)
        with pytest.raises(RequestError, match="Azure VMs"):
            await GRANT.plan(ask(sql_item()), azure)
        with pytest.raises(RequestError, match="undelete_item"):
            await GRANT.plan(ask(vm_item(soft_deleted=True)), azure)

    @pytest.mark.parametrize(
        "closed",
        [
            {"default_network_action": "Deny", "trusted_services_bypass": False},
            {"public_network_access": "Disabled", "trusted_services_bypass": False},
        ],
    )
    async def test_a_firewall_is_a_problem(self, closed: dict[str, Any]) -> None:
        """The right alone would not help."""
        azure = estate()
        azure.put(key_vault(**closed))
        assert "firewall" in (await GRANT.plan(ask(), azure)).problems[0]

    async def test_a_running_backup_is_a_problem(self) -> None:
        """The backup of the plan could not start."""
        azure = estate()
        azure.put(job())
        assert JOB in (await GRANT.plan(ask(), azure)).problems[0]

    async def test_the_fingerprint_follows_the_facts(self) -> None:
        """Stable over a day; another when the right appears, the model changes, or the expiry does."""
        azure = estate()
        first = (await GRANT.plan(ask(), azure)).fingerprint(OPERATOR)
        assert first == (await GRANT.plan(replace(ask(), now=NOW + 24 * HOUR), azure)).fingerprint(OPERATOR)
        assert first != (await GRANT.plan(ask(rights_until=UNTIL), azure)).fingerprint(OPERATOR)
        assert first != (await GRANT.plan(ask(), azure)).fingerprint("another operator")
        azure.assignments.append(assignment(KEY_VAULT, SERVICE, CUSTOM_ROLE_GUID))
        assert first != (await GRANT.plan(ask(), azure)).fingerprint(OPERATOR)

    async def test_proved_by_right_and_point(self) -> None:
        """Both must be there."""
        azure = estate()
        run = Run(await GRANT.plan(ask(), azure), [{}, {"job_id": JOB}])
        azure.put(job("Completed", started_at=NOW))
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=9)))
        assert (await GRANT.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        azure.assignments.append(assignment(KEY_VAULT, SERVICE, CUSTOM_ROLE_GUID))
        assert (await GRANT.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is True
        azure.put(job("Failed", started_at=NOW))
        assert (await GRANT.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is False


def by_policies(**held: list[str]) -> FakeAzure:
    """The estate with a key vault that works with access policies."""
    azure = estate()
    mine = (policy_for(SERVICE, keys=held.get("keys", []), secrets=held.get("secrets", [])),) if held else ()
    azure.put(key_vault(rbac=False, access_policies=mine))
    return azure


class TestPolicy:
    """add_key_vault_policy."""

    async def test_the_two_calls(self) -> None:
        """Only what is missing is added, in Azure's own order of words."""
        plan = await POLICY.plan(ask(), by_policies(keys=["get", "wrapkey"], secrets=["list"]))
        add, backup = plan.calls
        assert ("PUT", f"{KEY_VAULT}/accessPolicies/add", "2026-05-15") == (add.method, add.resource, add.api_version)
        assert {
            "properties": {
                "accessPolicies": [
                    {
                        "tenantId": TENANT,
                        "objectId": SERVICE,
                        "permissions": {"keys": ["list", "backup"], "secrets": ["get", "backup"]},
                    }
                ]
            }
        } == add.body
        assert ("Microsoft.KeyVault/vaults/accessPolicies/write", KEY_VAULT) == (add.action, add.scope)
        assert (Kind.RESOURCE, True) == (add.kind, add.settle)
        assert f"{VM_ITEM}/backup" == backup.resource
        assert (
            "az keyvault set-policy --subscription 22222222-2222-2222-2222-222222222222 --resource-group rg-prod --name"
            f" kv-erp-01 --object-id {SERVICE} --key-permissions get list backup --secret-permissions get list backup"
            == plan.az[0]
        )

    async def test_it_is_off_until_somebody_turns_it_on(self) -> None:
        """The problem says how, and which right that hands out."""
        request = ask()
        (problem,) = (await POLICY.plan(request, by_policies())).problems
        assert 'enable = ["add_key_vault_policy"]' in problem
        assert "accessPolicies/write" in problem
        on = replace(request, settings=replace(request.settings, enabled=frozenset({"add_key_vault_policy"})))
        assert () == (await POLICY.plan(on, by_policies())).problems

    async def test_taking_back_takes_only_what_was_added(self) -> None:
        """The permissions that were held before stay."""
        plan = await POLICY.plan(ask(rights_until=UNTIL), by_policies(keys=["get"], secrets=["all"]))
        assert plan.calls[0].revoke_on_expiry
        taken = revocation(plan.calls[0])
        assert f"{KEY_VAULT}/accessPolicies/remove" == taken.resource
        assert plan.calls[0].body == taken.body
        assert "secrets" not in str(taken.body)
        with pytest.raises(ValueError, match="grants nothing"):
            revocation(plan.calls[1])

    async def test_permissions_that_are_there_are_left_alone(self) -> None:
        """No policy call, and the plan says so."""
        plan = await POLICY.plan(ask(), by_policies(keys=["all"], secrets=["get", "list", "backup"]))
        assert [Kind.BACKUP] == [call.kind for call in plan.calls]
        assert "left alone" in plan.notes[0]

    async def test_a_vault_with_roles_is_refused(self) -> None:
        """The refusal names the other fix; where the role is there already, nothing is refused."""
        azure = estate()
        with pytest.raises(RequestError, match="grant_key_vault_access"):
            await POLICY.plan(ask(), azure)
        azure.assignments.append(assignment(KEY_VAULT, SERVICE, CUSTOM_ROLE_GUID))
        assert [Kind.BACKUP] == [call.kind for call in (await POLICY.plan(ask(), azure)).calls]

    async def test_the_fingerprint_follows_the_policies(self) -> None:
        """Another permission there, another plan."""
        first = (await POLICY.plan(ask(), by_policies())).fingerprint(OPERATOR)
        assert first == (await POLICY.plan(replace(ask(), now=NOW + 24 * HOUR), by_policies())).fingerprint(OPERATOR)
        assert first != (await POLICY.plan(ask(), by_policies(keys=["get"]))).fingerprint(OPERATOR)

    async def test_proved_by_policy_and_point(self) -> None:
        """Both must be there."""
        azure = by_policies()
        run = Run(await POLICY.plan(ask(), azure), [{}, {"job_id": JOB}])
        azure.put(job("Completed", started_at=NOW))
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=9)))
        assert (await POLICY.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        full = ["get", "list", "backup"]
        azure.put(key_vault(rbac=False, access_policies=(policy_for(SERVICE, keys=full, secrets=full),)))
        assert (await POLICY.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is True
