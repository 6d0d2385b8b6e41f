"""restore_disks, lift_lock_for_restore, restore_to_other_region: preflight, calls, proof."""

from dataclasses import replace
from typing import Any

import pytest

from domain.backup import Lock
from domain.errors import RequestError
from domain.fix import FixPlan, Kind, Receipt
from fixes.catalog.lift_lock_for_restore import FIX as LIFT
from fixes.catalog.restore_disks import FIX as RESTORE
from fixes.catalog.restore_to_other_region import FIX as OTHER
from fixes.regions import paired
from fixes.registry import FixSettings, PlanRequest
from fixes.restores import account_fault
from fixes.steps import send
from tests.fakes.azure import FakeAzure, FakeOperator
from tests.fixes.world import (
    HOUR,
    NOW,
    OPERATOR,
    STAGE_ACCOUNT,
    STAGING,
    SUBSCRIPTION,
    VAULT,
    VM,
    VM_ITEM,
    Run,
    account,
    ask,
    disk,
    estate,
    job,
    job_error,
    mars_item,
    point,
    sql_item,
    vault,
    vm_item,
)

JOB = "7a0f1e2d-0000-4000-8000-000000000001"
RESTORE_ACTION = (
    "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/restore/action"
)
DISKS = f"{STAGING}/providers/Microsoft.Compute/disks".casefold()
ACCOUNTS = f"{STAGING}/providers/Microsoft.Storage/storageAccounts".casefold()
ALL_ACCOUNTS = f"{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts".casefold()
LOCK = f"{STAGING}/providers/Microsoft.Authorization/locks/freeze"
NORTH = f"{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/locations/northeurope"


class TestRestore:
    """restore_disks."""

    async def test_the_call(self) -> None:
        """The body of Azure's own tools for restoring disks."""
        plan = await RESTORE.plan(ask(), estate())
        (call,) = plan.calls
        assert ("POST", f"{VM_ITEM}/recoveryPoints/512000000000001/restore", "2024-04-01") == (
            call.method,
            call.resource,
            call.api_version,
        )
        assert {
            "properties": {
                "objectType": "IaasVMRestoreRequest",
                "recoveryPointId": "512000000000001",
                "recoveryType": "RestoreDisks",
                "sourceResourceId": VM,
                "targetResourceGroupId": STAGING,
                "storageAccountId": STAGE_ACCOUNT,
                "region": "westeurope",
                "createNewCloudService": False,
                "originalStorageAccountOption": False,
            }
        } == call.body
        assert (RESTORE_ACTION, VAULT, Kind.RESTORE) == (call.action, call.scope, call.kind)
        assert (
            "Restore the disks of Azure VM vm-erp-01 as of 2026-11-20 20:00 UTC to resource group rg-restore."
            == plan.sentence
        )
        assert () == plan.problems
        assert plan.az[0] == (
            "az backup restore restore-disks --subscription 22222222-2222-2222-2222-222222222222 --resource-group rg-prod"
            " --vault-name vault-prod-01 --container-name 'IaasVMContainer;iaasvmcontainerv2;rg-prod;vm-erp-01'"
            " --item-name 'VM;iaasvmcontainerv2;rg-prod;vm-erp-01' --rp-name 512000000000001"
            f" --target-resource-group rg-restore --storage-account {STAGE_ACCOUNT}"
        )

    async def test_the_newest_point_that_can_be_restored(self) -> None:
        """Not a soft-deleted one, nor one without a valid tier; another may be named."""
        azure = estate()
        azure.points[VM_ITEM.casefold()] = [
            point(NOW - HOUR, "gone", soft_deleted=True),
            point(NOW - 2 * HOUR, "broken", tiers={"InstantRP": "Deleted"}),
            point(NOW - 3 * HOUR, "good"),
            point(NOW - 4 * HOUR, "older"),
        ]
        assert "good" == (await RESTORE.plan(ask(), azure)).precondition["recovery_point"]
        assert "older" == (await RESTORE.plan(ask(recovery_point="older"), azure)).precondition["recovery_point"]
        with pytest.raises(RequestError, match="no recovery point nope"):
            await RESTORE.plan(ask(recovery_point="nope"), azure)
        azure.points[VM_ITEM.casefold()] = []
        with pytest.raises(RequestError, match="no recovery point that can be restored"):
            await RESTORE.plan(ask(), azure)
        with pytest.raises(RequestError, match="no recovery point that is known"):
            await RESTORE.plan(replace(unsaid(last_recovery_point_at=None, last_backup_at=None), now=None), azure)
        azure.bodies[f"{VM_ITEM}/recoveryPoints/old".casefold()] = {
            "name": "old",
            "properties": {"recoveryPointTime": "2026-06-01T20:00:00Z"},
        }
        assert "as of 2026-06-01 20:00 UTC" in (await RESTORE.plan(ask(recovery_point="old"), azure)).sentence

    async def test_where_to_is_asked_or_taken_from_the_failed_restore(self) -> None:
        """Parameter, setting, the failed restore's own target; else it must be said."""
        azure = estate()
        with pytest.raises(RequestError, match="target_resource_group"):
            await RESTORE.plan(unsaid(), azure)
        azure.put(
            job("Failed", "Restore", details={"Target resource group": "rg-restore"}),
            job("Failed", "Backup", id="another"),
        )
        assert STAGING == target_of(await RESTORE.plan(unsaid(), azure))
        with pytest.raises(RequestError, match="no resource group rg-none"):
            await RESTORE.plan(ask(target_resource_group="rg-none"), azure)

    @pytest.mark.parametrize(
        ("more", "fault"),
        [
            ({"location": "uksouth"}, "uksouth"),
            ({"location": "West Europe"}, ""),
            ({"kind": "BlobStorage"}, "BlobStorage"),
            ({"sku": {"name": "Premium_LRS"}}, "premium"),
            ({"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "None"}}}, "firewall"),
            ({"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "Logging, AzureServices"}}}, ""),
            ({"properties": {}}, ""),
        ],
    )
    def test_what_makes_an_account_unfit(self, more: dict[str, Any], fault: str) -> None:
        """Region, kind, performance, firewall."""
        found = account_fault(account(**more), "westeurope")
        assert fault in found
        assert bool(fault) is bool(found)

    async def test_a_fitting_account_is_found_or_asked_for(self) -> None:
        """The unfit ones are named with their reason."""
        azure = estate()
        wrong = account("stwrong", "uksouth")
        azure.lists[ACCOUNTS] = [wrong]
        with pytest.raises(RequestError, match="stwrong: it is in uksouth"):
            await RESTORE.plan(ask(), azure)
        azure.lists[ACCOUNTS] = [wrong, account("stb"), account("sta")]
        plan = await RESTORE.plan(ask(), azure)
        assert plan.precondition["storage_account"].endswith("/sta")
        assert "one of 2" in plan.notes[0]
        azure.lists[ALL_ACCOUNTS] = [wrong, account("stc")]
        assert (await RESTORE.plan(ask(storage_account="stc"), azure)).precondition["storage_account"].endswith("/stc")
        with pytest.raises(RequestError, match="cannot stage"):
            await RESTORE.plan(ask(storage_account="stwrong"), azure)
        with pytest.raises(RequestError, match="no storage account"):
            await RESTORE.plan(ask(storage_account="stnone"), azure)

    async def test_a_lock_and_a_guard_are_problems(self) -> None:
        """A ReadOnly lock stops it, CanNotDelete does not."""
        azure = locked("CanNotDelete")
        assert () == (await RESTORE.plan(ask(), azure)).problems
        azure = locked("ReadOnly")
        (problem,) = (await RESTORE.plan(ask(), azure)).problems
        assert "lift_lock_for_restore" in problem
        plan = await RESTORE.plan(ask(of=vault(multi_user_authorization=True)), estate())
        assert "multi-user authorization" in plan.problems[0]

    async def test_what_does_not_fit(self) -> None:
        """Databases and agents have other ways."""
        with pytest.raises(RequestError, match="guide_restore_elsewhere"):
            await RESTORE.plan(ask(sql_item()), estate())
        with pytest.raises(RequestError, match="console"):
            await RESTORE.plan(ask(mars_item()), estate())

    async def test_the_fingerprint_follows_point_and_target(self) -> None:
        """Stable over a day; a newer point is another plan."""
        azure = estate()
        first = (await RESTORE.plan(ask(), azure)).fingerprint(OPERATOR)
        assert first == (await RESTORE.plan(replace(ask(), now=NOW + 24 * HOUR), azure)).fingerprint(OPERATOR)
        azure.points[VM_ITEM.casefold()].append(point(NOW - HOUR, "newer"))
        assert first != (await RESTORE.plan(ask(), azure)).fingerprint(OPERATOR)

    async def test_proof(self) -> None:
        """Job ended well and new disks exist."""
        azure = estate()
        run = Run(await RESTORE.plan(ask(), azure), [{"job_id": JOB}])
        assert (await RESTORE.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.put(job(operation="Restore", started_at=NOW))
        assert (await RESTORE.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.put(job("Completed", "Restore", started_at=NOW))
        azure.lists[DISKS] = [disk("of yesterday", NOW - 24 * HOUR)]
        assert (await RESTORE.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.lists[DISKS] = [disk("of yesterday", NOW - 24 * HOUR), disk("vm-erp-01-osdisk", NOW + HOUR)]
        proof = await RESTORE.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)
        assert (True, "Restored to rg-restore: vm-erp-01-osdisk.") == (proof.proved, proof.summary)
        azure.put(job("Failed", "Restore", started_at=NOW))
        assert (await RESTORE.verify(run.plan, run.facts, azure, NOW)).proved is False


def unsaid(**more: Any) -> PlanRequest:
    """A request without any target."""
    return replace(ask(vm_item(**more)), settings=FixSettings())


def target_of(plan: FixPlan) -> str:
    """Where the plan restores to."""
    body = plan.calls[0].body
    assert isinstance(body, dict)
    return str(body["properties"]["targetResourceGroupId"])


def restoring(plan: FixPlan) -> dict[str, Any]:
    """What the restore among the plan's calls asks for."""
    body = next(call.body for call in plan.calls if call.kind is Kind.RESTORE)
    assert isinstance(body, dict)
    return dict(body["properties"])


def locked(level: str = "ReadOnly", arm_id: str = LOCK) -> FakeAzure:
    """The estate with a lock on the target."""
    azure = estate()
    scope = arm_id.partition("/providers/Microsoft.Authorization")[0]
    azure.locks_by_scope[scope.casefold()] = [
        Lock(id=arm_id, name="freeze", level=level, notes="Frozen by the platform")
    ]
    azure.bodies[arm_id.casefold()] = {
        "properties": {
            "level": level,
            "notes": "Frozen by the platform",
            "owners": [{"applicationId": "33333333-3333-3333-3333-333333333333"}],
        }
    }
    return azure


def lifting(*, of: Any = None) -> PlanRequest:
    """A request where the fix has been turned on."""
    request = ask(of=of)
    return replace(request, settings=replace(request.settings, enabled=frozenset({"lift_lock_for_restore"})))


class TestLift:
    """lift_lock_for_restore."""

    async def test_lock_away_restore_lock_back(self) -> None:
        """Three calls; the last one runs whatever happens, with everything that the lock had."""
        plan = await LIFT.plan(lifting(), locked())
        away, restore, back = plan.calls
        assert ("DELETE", LOCK, "2020-05-01", None, False) == (
            away.method,
            away.resource,
            away.api_version,
            away.body,
            away.always,
        )
        assert f"{VM_ITEM}/recoveryPoints/512000000000001/restore" == restore.resource
        assert ("PUT", LOCK, "2020-05-01", True) == (back.method, back.resource, back.api_version, back.always)
        assert {
            "properties": {
                "level": "ReadOnly",
                "notes": "Frozen by the platform",
                "owners": [{"applicationId": "33333333-3333-3333-3333-333333333333"}],
            }
        } == back.body
        assert [Kind.LOCK_REMOVAL, Kind.RESTORE, Kind.LOCK] == [call.kind for call in plan.calls]
        assert [
            "Microsoft.Authorization/locks/delete",
            RESTORE_ACTION,
            "Microsoft.Authorization/locks/write",
        ] == [call.action for call in plan.calls]
        assert [STAGING, VAULT, STAGING] == [call.scope for call in plan.calls]
        assert () == plan.problems
        assert f"az lock delete --ids {LOCK}" == plan.az[0]
        assert plan.az[2] == (
            "az lock create --name freeze --lock-type ReadOnly --notes 'Frozen by the platform'"
            " --subscription 22222222-2222-2222-2222-222222222222 --resource-group rg-restore"
        )

    async def test_a_lock_on_the_account(self) -> None:
        """The command names the resource."""
        on_account = f"{STAGE_ACCOUNT}/providers/Microsoft.Authorization/locks/freeze"
        plan = await LIFT.plan(lifting(), locked(arm_id=on_account))
        assert on_account == plan.calls[0].resource
        assert plan.az[2].endswith(f"--resource {STAGE_ACCOUNT}")

    async def test_the_restore_that_the_lock_stopped_says_where(self) -> None:
        """Not the configured place, nor a newer restore that failed for another reason: somebody waits for this one."""
        azure = estate()
        frozen = f"{SUBSCRIPTION}/resourceGroups/rg-frozen"
        lock_id = f"{frozen}/providers/Microsoft.Authorization/locks/freeze"
        azure.bodies[frozen.casefold()] = {"id": frozen}
        azure.bodies[lock_id.casefold()] = {"properties": {"level": "ReadOnly"}}
        azure.locks_by_scope[frozen.casefold()] = [Lock(id=lock_id, name="freeze", level="ReadOnly", notes="")]
        for name, age, code, group in (
            ("newer", 1, "UserErrorSkuNotAvailable", "rg-other"),
            ("stopped", 5, "UserErrorResourceIsInLockedState", "rg-frozen"),
        ):
            details = {"Target resource group": group, "Target Storage Account Name": "ststage01"}
            errors = (job_error(code),)
            azure.put(job("Failed", "Restore", id=name, started_at=NOW - age * HOUR, errors=errors, details=details))
        plan = await LIFT.plan(lifting(), azure)
        assert lock_id == plan.calls[0].resource
        assert frozen == restoring(plan)["targetResourceGroupId"]

    async def test_a_lock_on_a_neighbour_is_no_lock_on_the_target(self) -> None:
        """Azure lists locks below a group with the group's own; another machine's keeps nothing from being restored."""
        azure = estate()
        other = (
            f"{STAGING}/providers/Microsoft.Compute/virtualMachines/vm-x/providers/Microsoft.Authorization/locks/own"
        )
        azure.locks_by_scope[STAGING.casefold()] = [Lock(id=other, name="own", level="ReadOnly", notes="")]
        assert () == (await RESTORE.plan(ask(), azure)).problems
        with pytest.raises(RequestError, match="use restore_disks"):
            await LIFT.plan(lifting(), azure)

    async def test_a_lock_above_the_target_is_left_alone(self) -> None:
        """A lock of the whole subscription protects more than this restore."""
        above = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/locks/freeze"
        (problem,) = (await LIFT.plan(lifting(), locked(arm_id=above))).problems
        assert "above the target" in problem

    async def test_problems_and_refusals(self) -> None:
        """Off by default; guarded; no lock at all."""
        (problem,) = (await LIFT.plan(ask(), locked())).problems
        assert 'enable = ["lift_lock_for_restore"]' in problem
        assert "locks/delete" in problem
        (problem,) = (await LIFT.plan(lifting(of=vault(multi_user_authorization=True)), locked())).problems
        assert "multi-user authorization" in problem
        with pytest.raises(RequestError, match="use restore_disks"):
            await LIFT.plan(lifting(), estate())

    async def test_the_fingerprint_follows_the_lock(self) -> None:
        """Stable over a day; a lock with other notes is another plan."""
        azure = locked()
        first = (await LIFT.plan(lifting(), azure)).fingerprint(OPERATOR)
        assert first == (await LIFT.plan(replace(lifting(), now=NOW + 24 * HOUR), azure)).fingerprint(OPERATOR)
        azure.locks_by_scope[STAGING.casefold()] = [Lock(id=LOCK, name="freeze", level="ReadOnly", notes="Another")]
        assert first != (await LIFT.plan(lifting(), azure)).fingerprint(OPERATOR)

    async def test_proof(self) -> None:
        """The lock is back, and the disks exist."""
        azure = locked()
        run = Run(await LIFT.plan(lifting(), azure), [{}, {"job_id": JOB}, {}])
        azure.put(job("Completed", "Restore", started_at=NOW))
        azure.lists[DISKS] = [disk("vm-erp-01-osdisk", NOW + HOUR)]
        held = azure.locks_by_scope.pop(STAGING.casefold())
        proof = await LIFT.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)
        assert proof.proved is None
        assert "not back" in proof.summary
        azure.locks_by_scope[STAGING.casefold()] = held
        assert (await LIFT.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)).proved is True
        azure.put(job("Failed", "Restore", started_at=NOW))
        assert (await LIFT.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)).proved is False


def north() -> FakeAzure:
    """The estate as the paired region sees it."""
    azure = estate()
    azure.lists[ACCOUNTS] = [account("stnorth", "northeurope")]
    azure.lists[f"{VM_ITEM}/recoveryPoints".casefold()] = [
        {"name": "in-snapshot", "properties": _point("2026-11-21T20:00:00Z", "InstantRP")},
        {"name": "copied", "properties": _point("2026-11-20T20:00:00.5Z", "HardenedRP")},
        {"name": "older", "properties": _point("2026-11-19T20:00:00Z", "HardenedRP")},
        {"name": "odd", "properties": {"recoveryPointTime": "yesterday"}},
    ]
    azure.bodies[f"{NORTH}/backupAadProperties".casefold()] = {
        "properties": {
            "tenantId": "11111111-1111-1111-1111-111111111111",
            "audience": "https://RecoveryServices/IaasCoord/aadmgmt/ne",
            "servicePrincipalObjectId": "44444444-4444-4444-4444-444444444444",
        }
    }
    return azure


def _point(at: str, tier: str) -> dict[str, object]:
    return {"recoveryPointTime": at, "recoveryPointTierDetails": [{"type": tier, "status": "Valid"}]}


class TestOtherRegion:
    """restore_to_other_region."""

    async def test_token_and_restore(self) -> None:
        """The restore names what is filled in; the token's request is shown with it, and both are hashed."""
        plan = await OTHER.plan(ask(), north())
        token, restore = plan.requests
        assert (restore,) == plan.calls
        assert ("POST", f"{VM_ITEM}/recoveryPoints/copied/accessToken", "2023-01-15") == (
            token.method,
            token.resource,
            token.api_version,
        )
        assert {
            "properties": {
                "tenantId": "11111111-1111-1111-1111-111111111111",
                "audience": "https://RecoveryServices/IaasCoord/aadmgmt/ne",
                "servicePrincipalObjectId": "44444444-4444-4444-4444-444444444444",
            }
        } == token.body
        assert ("POST", f"{NORTH}/backupCrossRegionRestore", "2023-01-15") == (
            restore.method,
            restore.resource,
            restore.api_version,
        )
        assert {
            "crossRegionRestoreAccessDetails": {"objectType": "CrrAccessToken"},
            "restoreRequest": {
                "objectType": "IaasVMRestoreRequest",
                "recoveryPointId": "copied",
                "recoveryType": "RestoreDisks",
                "sourceResourceId": VM,
                "targetResourceGroupId": STAGING,
                "storageAccountId": f"{STAGING}/providers/Microsoft.Storage/storageAccounts/stnorth",
                "region": "northeurope",
                "createNewCloudService": False,
                "originalStorageAccountOption": False,
            },
        } == restore.body
        items = "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems"
        assert (
            (f"{items}/recoveryPoints/accessToken/action", VAULT),
            ("Microsoft.RecoveryServices/locations/backupCrossRegionRestore/action", SUBSCRIPTION),
        ) == plan.permissions
        assert () == plan.problems
        assert plan.az[0].endswith("--use-secondary-region")

    async def test_what_is_sent_differs_from_the_plan_by_the_token_only(self) -> None:
        """The token replaces the member that the plan names."""
        plan, operator = await OTHER.plan(ask(), north()), FakeOperator()
        operator.answers = [
            Receipt(status=200, body={"properties": {"objectType": "CrrAccessToken", "accessTokenString": "s3cret"}})
        ]
        await send(plan.calls[0], operator)
        sent, shown = operator.sent[1].body, plan.calls[0].body
        assert isinstance(sent, dict)
        assert isinstance(shown, dict)
        assert shown["restoreRequest"] == sent["restoreRequest"]
        assert {"objectType": "CrrAccessToken", "accessTokenString": "s3cret"} == sent[
            "crossRegionRestoreAccessDetails"
        ]
        assert set(shown) == set(sent)
        assert "s3cret" not in str(plan)

    async def test_the_token_request_is_part_of_the_fingerprint(self) -> None:
        """Another audience, another plan; a day later the same."""
        azure = north()
        first = (await OTHER.plan(ask(), azure)).fingerprint(OPERATOR)
        assert first == (await OTHER.plan(replace(ask(), now=NOW + 24 * HOUR), azure)).fingerprint(OPERATOR)
        azure.bodies[f"{NORTH}/backupAadProperties".casefold()] = {"properties": {"tenantId": "another"}}
        assert first != (await OTHER.plan(ask(), azure)).fingerprint(OPERATOR)

    async def test_what_does_not_fit(self) -> None:
        """Each missing precondition is named, with what to do."""
        azure = north()
        with pytest.raises(RequestError, match="LocallyRedundant"):
            await OTHER.plan(ask(of=vault(redundancy="LocallyRedundant")), azure)
        with pytest.raises(RequestError, match="--cross-region-restore-flag true"):
            await OTHER.plan(ask(of=vault(cross_region_restore=False)), azure)
        with pytest.raises(RequestError, match="no paired region"):
            await OTHER.plan(ask(of=vault(location="qatarcentral")), azure)
        with pytest.raises(RequestError, match="guide_restore_elsewhere"):
            await OTHER.plan(ask(sql_item()), azure)
        with pytest.raises(RequestError, match="is not in northeurope"):
            await OTHER.plan(ask(recovery_point="in-snapshot"), azure)
        assert "older" == (await OTHER.plan(ask(recovery_point="older"), azure)).precondition["recovery_point"]
        azure.lists[f"{VM_ITEM}/recoveryPoints".casefold()] = []
        with pytest.raises(RequestError, match="has arrived"):
            await OTHER.plan(ask(), azure)

    async def test_proof(self) -> None:
        """The restored disks tell."""
        azure = north()
        run = Run(await OTHER.plan(ask(), azure), [{}])
        assert (await OTHER.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.lists[DISKS] = [disk("vm-erp-01-osdisk", NOW + HOUR)]
        assert (await OTHER.verify(run.plan, run.facts, azure, NOW)).proved is True

    @pytest.mark.parametrize(
        ("region", "pair"),
        [
            ("westeurope", "northeurope"),
            ("North Europe", "westeurope"),
            ("westus3", "eastus"),
            ("eastus", "westus"),
            ("southcentralus", "northcentralus"),
            ("brazilsouth", "southcentralus"),
            ("qatarcentral", ""),
        ],
    )
    def test_paired_regions(self, region: str, pair: str) -> None:
        """Some pairs go one way only."""
        assert pair == paired(region)
