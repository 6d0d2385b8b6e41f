"""undelete_item and resume_protection: two steps, two approvals, and no body that could stop anything."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.backup import ProtectedItem
from domain.errors import RequestError
from domain.fix import Kind
from fixes.catalog.resume_protection import FIX as RESUME
from fixes.catalog.undelete_item import FIX as UNDELETE
from tests.fixes.world import (
    ACCOUNT,
    FILES_ITEM,
    HOUR,
    NOW,
    OPERATOR,
    SQL_ITEM,
    VAULT,
    VM,
    VM_ITEM,
    Run,
    ask,
    estate,
    files_item,
    job,
    mars_item,
    point,
    sql_item,
    vault,
    vm_item,
)

JOB = "7a0f1e2d-0000-4000-8000-000000000001"
POLICIES = f"{VAULT}/backupPolicies".casefold()
WRITE = "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/write"
GONE: dict[str, Any] = {
    "soft_deleted": True,
    "protection_state": "ProtectionStopped",
    "policy_id": "",
    "policy_name": "",
    "deleted_at": NOW - timedelta(days=2),
    "purge_after": timedelta(days=12),
}
STOPPED: dict[str, Any] = {"protection_state": "ProtectionStopped", "policy_id": "", "policy_name": ""}


def policy(name: str, management: str = "AzureIaasVM", **more: str) -> dict[str, object]:
    """A policy as ARM lists it."""
    return {
        "id": f"{VAULT}/backupPolicies/{name}",
        "name": name,
        "properties": {"backupManagementType": management, **more},
    }


class TestUndelete:
    """undelete_item."""

    @pytest.mark.parametrize(
        ("item", "resource", "properties"),
        [
            (
                vm_item(**GONE),
                VM_ITEM,
                {"protectedItemType": "Microsoft.Compute/virtualMachines", "sourceResourceId": VM},
            ),
            (sql_item(**GONE), SQL_ITEM, {"protectedItemType": "AzureVmWorkloadSQLDatabase"}),
            (
                files_item(**GONE),
                FILES_ITEM,
                {"protectedItemType": "AzureFileShareProtectedItem", "sourceResourceId": ACCOUNT},
            ),
        ],
    )
    async def test_the_call(self, item: ProtectedItem, resource: str, properties: dict[str, str]) -> None:
        """PUT of the item with isRehydrate, as Azure's own tools send it."""
        plan = await UNDELETE.plan(ask(item), estate())
        (call,) = plan.calls
        assert ("PUT", resource, "2024-04-01") == (call.method, call.resource, call.api_version)
        assert {
            "properties": {
                **properties,
                "policyId": "",
                "isRehydrate": True,
                "protectionState": "ProtectionStopped",
            }
        } == call.body
        assert (WRITE, VAULT, Kind.ITEM_CHANGE) == (call.action, call.scope, call.kind)
        assert plan.az[0].startswith("az backup protection undelete ")
        assert "gone for good in 12 d" in plan.notes[0]

    async def test_what_does_not_fit(self) -> None:
        """Not deleted; stopped only; on premises."""
        with pytest.raises(RequestError, match="not deleted"):
            await UNDELETE.plan(ask(), estate())
        with pytest.raises(RequestError, match="resume_protection"):
            await UNDELETE.plan(ask(vm_item(**STOPPED)), estate())
        with pytest.raises(RequestError, match="undelete_item is for"):
            await UNDELETE.plan(ask(mars_item(**GONE)), estate())

    async def test_a_guarded_vault_is_a_problem(self) -> None:
        """A person with rights on the Resource Guard has to do it."""
        plan = await UNDELETE.plan(ask(vm_item(**GONE), of=vault(multi_user_authorization=True)), estate())
        assert "multi-user authorization" in plan.problems[0]

    async def test_fingerprint_and_proof(self) -> None:
        """Stable over a day; proved when it reads back as not deleted."""
        azure = estate()
        azure.put(vm_item(**GONE))
        request = ask(vm_item(**GONE))
        run = Run(await UNDELETE.plan(request, azure), [{}])
        later = await UNDELETE.plan(replace(request, now=NOW + 24 * HOUR), azure)
        assert run.plan.fingerprint(OPERATOR) == later.fingerprint(OPERATOR)
        assert (await UNDELETE.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.put(vm_item(**STOPPED))
        assert (await UNDELETE.verify(run.plan, run.facts, azure, NOW)).proved is True


class TestResume:
    """resume_protection."""

    async def test_the_calls(self) -> None:
        """PUT of the item with a policy, then a backup."""
        azure = estate()
        azure.lists[POLICIES] = [policy("DailyPolicy")]
        plan = await RESUME.plan(ask(vm_item(**STOPPED)), azure)
        put, backup = plan.calls
        assert ("PUT", VM_ITEM, "2024-04-01", WRITE) == (put.method, put.resource, put.api_version, put.action)
        assert {
            "properties": {
                "protectedItemType": "Microsoft.Compute/virtualMachines",
                "sourceResourceId": VM,
                "policyId": f"{VAULT}/backupPolicies/DailyPolicy",
            }
        } == put.body
        assert f"{VM_ITEM}/backup" == backup.resource
        assert (
            "Protect Azure VM vm-erp-01 in vault-prod-01 with the policy DailyPolicy again, and back it up now."
            == plan.sentence
        )
        assert plan.az[0].startswith("az backup protection resume ")
        assert plan.az[0].endswith(" --policy-name DailyPolicy")

    async def test_without_a_backup(self) -> None:
        """Only the policy; then the schedule's next point proves it."""
        azure = estate()
        azure.lists[POLICIES] = [policy("DefaultPolicy")]
        azure.put(vm_item(**STOPPED))
        run = Run(await RESUME.plan(ask(vm_item(**STOPPED), then_backup="no"), azure), [{}])
        assert [Kind.ITEM_CHANGE] == [call.kind for call in run.plan.calls]
        assert (await RESUME.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        azure.put(vm_item())
        assert (await RESUME.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=30)))
        assert (await RESUME.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is True

    @pytest.mark.parametrize(
        "state",
        [
            {"protection_state": "BackupsSuspended"},
            {"protection_state": "ProtectionPaused"},
            {"policy_inconsistent": True},
        ],
    )
    async def test_an_item_that_has_its_policy_keeps_it(self, state: dict[str, Any]) -> None:
        """Suspended, paused, inconsistent: the same policy is put again."""
        plan = await RESUME.plan(ask(vm_item(**state)), estate())
        assert "DefaultPolicy" == plan.precondition["policy"]

    async def test_the_policy_that_most_of_its_kind_use(self) -> None:
        """Azure forgets the former policy; the usual one is offered and the choice is said."""
        azure = estate()
        azure.lists[POLICIES] = [
            policy("Weekly"),
            policy("DefaultPolicy"),
            policy("Share", "AzureStorage"),
        ]
        azure.put(vm_item(**STOPPED), vm_item(id=replace(vm_item().id, name="VM;other"), name="vm-app-01"))
        plan = await RESUME.plan(ask(vm_item(**STOPPED)), azure)
        assert "DefaultPolicy" == plan.precondition["policy"]
        assert "most Azure VMs" in plan.notes[0]
        chosen = await RESUME.plan(ask(vm_item(**STOPPED), policy="weekly"), azure)
        assert "Weekly" == chosen.precondition["policy"]
        with pytest.raises(RequestError, match="DefaultPolicy, Weekly"):
            await RESUME.plan(ask(vm_item(**STOPPED), policy="Share"), azure)

    async def test_a_tie_is_asked_back(self) -> None:
        """Nothing is guessed where nothing speaks for one of them."""
        azure = estate()
        azure.items_by_id.clear()
        azure.lists[POLICIES] = [policy("A-policy"), policy("B-policy")]
        with pytest.raises(RequestError, match="A-policy, B-policy"):
            await RESUME.plan(ask(vm_item(**STOPPED)), azure)
        azure.lists[POLICIES] = []
        with pytest.raises(RequestError, match="no policy"):
            await RESUME.plan(ask(vm_item(**STOPPED)), azure)

    async def test_a_database_gets_a_policy_of_its_own_kind(self) -> None:
        """SQL and HANA share a management type."""
        azure = estate()
        azure.lists[POLICIES] = [
            policy("Hana", "AzureWorkload", workLoadType="SAPHanaDatabase"),
            policy("Sql", "AzureWorkload", workLoadType="SQLDataBase"),
        ]
        plan = await RESUME.plan(ask(sql_item(**STOPPED)), azure)
        assert {
            "properties": {
                "protectedItemType": "AzureVmWorkloadSQLDatabase",
                "policyId": f"{VAULT}/backupPolicies/Sql",
            }
        } == plan.calls[0].body

    async def test_what_does_not_fit(self) -> None:
        """Deleted comes first; protected needs nothing; a guarded vault is a problem."""
        with pytest.raises(RequestError, match="undelete_item"):
            await RESUME.plan(ask(vm_item(**GONE)), estate())
        with pytest.raises(RequestError, match="rerun_backup"):
            await RESUME.plan(ask(), estate())
        suspended = vm_item(protection_state="BackupsSuspended")
        plan = await RESUME.plan(ask(suspended, of=vault(multi_user_authorization=True)), estate())
        assert "multi-user authorization" in plan.problems[0]

    async def test_the_fingerprint_follows_the_policy(self) -> None:
        """Stable over a day; another policy is another plan."""
        azure = estate()
        azure.lists[POLICIES] = [policy("DailyPolicy")]
        request = ask(vm_item(**STOPPED))
        first = (await RESUME.plan(request, azure)).fingerprint(OPERATOR)
        assert first == (await RESUME.plan(replace(request, now=NOW + 24 * HOUR), azure)).fingerprint(OPERATOR)
        azure.lists[POLICIES] = [policy("OtherPolicy")]
        assert first != (await RESUME.plan(request, azure)).fingerprint(OPERATOR)

    async def test_proof_with_a_backup(self) -> None:
        """State first, then job and point."""
        azure = estate()
        run = Run(await RESUME.plan(ask(vm_item(policy_inconsistent=True)), azure), [{}, {"job_id": JOB}])
        azure.put(job("Completed", started_at=NOW))
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=5)))
        azure.put(vm_item(protection_state="BackupsSuspended"))
        assert (await RESUME.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        azure.put(vm_item())
        assert (await RESUME.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is True
