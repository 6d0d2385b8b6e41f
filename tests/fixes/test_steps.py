"""Steps: whether a call took effect, and how far it is; never a guess."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.backup import Lock, OperationStatus, RoleAssignment
from domain.canonical import Json
from domain.errors import BadRequest, GatewayUnavailable, OutcomeUnknown, PermissionDenied
from domain.fix import Call, Kind, Receipt, Stage
from fixes.steps import send, step_for
from tests.fakes.azure import FakeAzure, FakeOperator
from tests.fixes.world import (
    HOUR,
    KEY_VAULT,
    NOW,
    SERVICE,
    STAGING,
    SUBSCRIPTION,
    VAULT,
    VM,
    VM_ITEM,
    assignment,
    disk,
    estate,
    job,
    job_error,
    key_vault,
    machine,
    policy_for,
    snapshot_extension,
    sql_item,
    vm_item,
)

JOB = "7a0f1e2d-0000-4000-8000-000000000001"
ROLE = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
GRANT = f"{KEY_VAULT}/providers/Microsoft.Authorization/roleAssignments/12345678-0000-0000-0000-000000000000"
LOCK = f"{STAGING}/providers/Microsoft.Authorization/locks/freeze"
CRR = f"{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/locations/northeurope/backupCrossRegionRestore"


def call(kind: Kind, resource: str, method: str = "POST", body: Json = None) -> Call:
    """A call."""
    return Call(
        method=method,
        resource=resource,
        api_version="2024-04-01",
        body=body,
        kind=kind,
        purpose="try it",
        action="a/b/action",
        scope=VAULT,
    )


BACKUP = call(Kind.BACKUP, f"{VM_ITEM}/backup", body={"properties": {"objectType": "IaasVMBackupRequest"}})
CANCEL = call(Kind.CANCEL_JOB, f"{VAULT}/backupJobs/{JOB}/cancel")
PUT_ROLE = call(
    Kind.ROLE_ASSIGNMENT,
    GRANT,
    "PUT",
    {"properties": {"roleDefinitionId": f"/x/roleDefinitions/{ROLE}", "principalId": SERVICE}},
)


class TestBackup:
    """Kind.BACKUP."""

    async def test_a_job_that_began_since_is_the_effect(self) -> None:
        """A job of the item that began after the request, or two minutes before it, is taken for it."""
        azure = estate()
        azure.put(job(started_at=NOW - timedelta(minutes=1)))
        seen = await step_for(Kind.BACKUP).look(BACKUP, NOW, azure)
        assert (True, {"job_id": JOB}) == (seen.there, seen.reference)

    async def test_an_older_job_is_not_the_effect(self) -> None:
        """A job that began an hour before the request is another one."""
        azure = estate()
        azure.put(job(started_at=NOW - HOUR))
        assert (await step_for(Kind.BACKUP).look(BACKUP, NOW, azure, settled=True)).there is False

    async def test_an_empty_list_is_no_proof_until_it_is_settled(self) -> None:
        """The list lags: at first nothing can be told, later nothing was there."""
        step = step_for(Kind.BACKUP)
        assert (await step.look(BACKUP, NOW, estate())).there is None
        assert (await step.look(BACKUP, NOW, estate(), settled=True)).there is False

    @pytest.mark.parametrize("other", [{"item_name": "vm-web-01"}, {"operation": "Restore"}, {"operation": "Undelete"}])
    async def test_jobs_of_others_and_of_other_kinds_do_not_count(self, other: dict[str, str]) -> None:
        """Only a backup of this very item is the effect."""
        azure = estate()
        azure.put(job(started_at=NOW, **other))
        assert (await step_for(Kind.BACKUP).look(BACKUP, NOW, azure, settled=True)).there is False

    async def test_the_first_of_several_jobs_is_taken(self) -> None:
        """The request's own job began before any later one."""
        azure = estate()
        azure.put(job(started_at=NOW + HOUR, id="later-job"), job(started_at=NOW + timedelta(seconds=3)))
        assert (await step_for(Kind.BACKUP).look(BACKUP, NOW, azure)).reference == {"job_id": JOB}

    @pytest.mark.parametrize(
        ("operation", "there"), [("Backup (Log)", False), ("Backup (Full)", True), ("Backup", True)]
    )
    async def test_a_scheduled_log_backup_is_not_the_full_one(self, operation: str, there: bool) -> None:
        """For databases the type must fit, where the job tells it."""
        azure = estate()
        database = sql_item()
        azure.put(job(operation=operation, started_at=NOW, item_name="orders", container_name=database.id.container))
        full = call(Kind.BACKUP, f"{database.id.id}/backup", body={"properties": {"backupType": "Full"}})
        assert (await step_for(Kind.BACKUP).look(full, NOW, azure, settled=True)).there is there

    async def test_from_operation_to_job_to_its_end(self) -> None:
        """Running operation, running job, completed job; what is stored grows by the job's id."""
        azure, step = estate(), step_for(Kind.BACKUP)
        azure.operations["op-1"] = OperationStatus(id="op-1", status="InProgress")
        first = await step.follow(BACKUP, {"operation_id": "op-1"}, NOW, azure)
        assert (Stage.RUNNING, {"operation_id": "op-1"}) == (first.stage, first.reference)
        azure.operations["op-1"] = OperationStatus(id="op-1", status="Succeeded", job_ids=(JOB,))
        azure.put(job(started_at=NOW, progress_percent=40))
        second = await step.follow(BACKUP, first.reference, NOW, azure)
        assert (Stage.RUNNING, {"operation_id": "op-1", "job_id": JOB}) == (second.stage, second.reference)
        azure.put(job("Completed", started_at=NOW))
        third = await step.follow(BACKUP, second.reference, NOW, azure)
        assert (Stage.DONE, JOB) == (third.stage, third.reference["job_id"])

    async def test_a_running_job_costs_one_list(self) -> None:
        """While the job runs only the vault's list is read: single reads are what Azure throttles."""
        azure = estate()
        azure.put(job(started_at=NOW))
        await step_for(Kind.BACKUP).follow(BACKUP, {"job_id": JOB}, NOW, azure)
        assert [("jobs", VAULT)] == azure.calls

    async def test_a_failed_operation_tells_azures_code(self) -> None:
        """The operation itself may fail before any job exists."""
        azure = estate()
        azure.operations["op-1"] = OperationStatus(
            id="op-1", status="Failed", error_code="UserErrorBackupOperationInProgress", error_message="One runs."
        )
        progress = await step_for(Kind.BACKUP).follow(BACKUP, {"operation_id": "op-1"}, NOW, azure)
        assert (Stage.FAILED, "UserErrorBackupOperationInProgress", "One runs.") == (
            progress.stage,
            progress.code,
            progress.note,
        )

    @pytest.mark.parametrize(
        ("status", "stage"),
        [
            ("CompletedWithWarnings", Stage.DONE),
            ("Failed", Stage.FAILED),
            ("Cancelled", Stage.FAILED),
            ("Cancelling", Stage.RUNNING),
        ],
    )
    async def test_every_end_of_a_job(self, status: str, stage: Stage) -> None:
        """Warnings are a good end, everything else is none."""
        azure = estate()
        azure.put(job(status, started_at=NOW, errors=(job_error("UserErrorX", "It broke."),)))
        progress = await step_for(Kind.BACKUP).follow(BACKUP, {"job_id": JOB}, NOW, azure)
        assert progress.stage is stage
        if stage is Stage.FAILED:
            assert ("UserErrorX", "It broke.") == (progress.code, progress.note)

    async def test_a_forgotten_operation_is_found_by_its_job(self) -> None:
        """Azure forgets operations; the list of jobs remembers."""
        azure = estate()
        azure.put(job("Completed", started_at=NOW + timedelta(seconds=9)))
        progress = await step_for(Kind.BACKUP).follow(BACKUP, {"operation_id": "gone"}, NOW, azure)
        assert (Stage.DONE, JOB) == (progress.stage, progress.reference["job_id"])

    async def test_without_a_job_it_goes_on_looking(self) -> None:
        """Nothing listed yet is running, not failed."""
        progress = await step_for(Kind.BACKUP).follow(BACKUP, {}, NOW, estate())
        assert progress.stage is Stage.RUNNING
        progress = await step_for(Kind.BACKUP).follow(BACKUP, {"job_id": "not-listed-yet"}, NOW, estate())
        assert progress.stage is Stage.RUNNING

    async def test_a_read_that_fails_is_not_an_answer(self) -> None:
        """The error of the read comes through."""
        azure = estate()
        azure.fail("jobs", PermissionDenied("no"))
        with pytest.raises(PermissionDenied):
            await step_for(Kind.BACKUP).look(BACKUP, NOW, azure, settled=True)


async def test_a_restore_is_told_from_another_by_its_target() -> None:
    """Two restores of one item run; the one that goes to our resource group is ours."""
    azure = estate()
    azure.put(
        job(operation="Restore", started_at=NOW, id="theirs", details={"Target resource group": "rg-other"}),
        job(operation="Restore", started_at=NOW + HOUR, id="ours", details={"Target resource group": "RG-restore"}),
    )
    restore = call(
        Kind.RESTORE, f"{VM_ITEM}/recoveryPoints/1/restore", body={"properties": {"targetResourceGroupId": STAGING}}
    )
    seen = await step_for(Kind.RESTORE).look(restore, NOW, azure)
    assert (True, {"job_id": "ours"}) == (seen.there, seen.reference)


class TestCancel:
    """Kind.CANCEL_JOB."""

    @pytest.mark.parametrize(
        ("status", "settled", "there"),
        [
            ("Cancelling", False, True),
            ("Cancelled", False, True),
            ("Completed", False, True),
            ("InProgress", False, None),
            ("InProgress", True, False),
        ],
    )
    async def test_only_the_jobs_status_tells(self, status: str, settled: bool, there: bool | None) -> None:
        """A job that still runs after a while was not cancelled."""
        azure = estate()
        azure.put(job(status))
        assert (await step_for(Kind.CANCEL_JOB).look(CANCEL, NOW, azure, settled=settled)).there is there

    @pytest.mark.parametrize(
        ("status", "stage"),
        [
            ("InProgress", Stage.RUNNING),
            ("Cancelling", Stage.RUNNING),
            ("Cancelled", Stage.DONE),
            ("Completed", Stage.DONE),
        ],
    )
    async def test_it_is_done_when_the_job_is_over(self, status: str, stage: Stage) -> None:
        """However the job ended: what follows may begin."""
        azure = estate()
        azure.put(job(status))
        progress = await step_for(Kind.CANCEL_JOB).follow(CANCEL, {"operation_id": "op-1"}, NOW, azure)
        assert (stage, JOB) == (progress.stage, progress.reference["job_id"])

    async def test_a_refusal_after_acceptance_is_a_failure(self) -> None:
        """Azure accepts a cancel with 202 and may refuse it a moment later."""
        azure = estate()
        azure.put(job())
        azure.fail("resource", BadRequest("The job cannot be cancelled now.", code="JobNotCancellable"))
        progress = await step_for(Kind.CANCEL_JOB).follow(CANCEL, {"operation_id": "op-1"}, NOW, azure)
        assert (Stage.FAILED, "JobNotCancellable") == (progress.stage, progress.code)


class TestRoles:
    """Kind.ROLE_ASSIGNMENT and ROLE_REMOVAL."""

    async def test_the_same_right_under_another_name_counts(self) -> None:
        """What counts is who may do what where."""
        azure = estate()
        azure.assignments.append(assignment(KEY_VAULT.upper(), SERVICE, ROLE))
        seen = await step_for(Kind.ROLE_ASSIGNMENT).look(PUT_ROLE, NOW, azure)
        assert seen.there is True
        assert seen.reference["assignment_id"].endswith("99999999-0000-0000-0000-000000000000")

    @pytest.mark.parametrize(
        "other",
        [
            assignment(KEY_VAULT, SERVICE, "21090545-7ca7-4776-b22c-e363652d74d2"),
            assignment(KEY_VAULT, SERVICE, ROLE, condition="@Resource[x] StringEquals 'y'"),
            assignment(SUBSCRIPTION, SERVICE, ROLE),
        ],
        ids=["another role", "with a condition", "at another scope"],
    )
    async def test_another_assignment_is_not_this_one(self, other: RoleAssignment) -> None:
        """Another role, a condition, another scope: not the call's effect, and follow goes on waiting."""
        azure = estate()
        azure.assignments.append(other)
        step = step_for(Kind.ROLE_ASSIGNMENT)
        assert (await step.look(PUT_ROLE, NOW, azure)).there is False
        assert (await step.follow(PUT_ROLE, {}, NOW, azure)).stage is Stage.RUNNING

    async def test_found_by_its_own_name(self) -> None:
        """The list may lag behind the resource itself."""
        azure = estate()
        azure.bodies[GRANT.casefold()] = {"id": GRANT}
        progress = await step_for(Kind.ROLE_ASSIGNMENT).follow(PUT_ROLE, {}, NOW, azure)
        assert (Stage.DONE, GRANT) == (progress.stage, progress.reference["assignment_id"])

    async def test_a_removed_right_is_gone(self) -> None:
        """Still there, then gone."""
        azure, step = estate(), step_for(Kind.ROLE_REMOVAL)
        removal = call(Kind.ROLE_REMOVAL, GRANT, "DELETE")
        azure.bodies[GRANT.casefold()] = {"id": GRANT}
        assert (await step.look(removal, NOW, azure)).there is False
        assert (await step.follow(removal, {}, NOW, azure)).stage is Stage.RUNNING
        del azure.bodies[GRANT.casefold()]
        assert (await step.look(removal, NOW, azure)).there is True
        assert (await step.follow(removal, {}, NOW, azure)).stage is Stage.DONE


class TestItems:
    """Kind.ITEM_CHANGE."""

    undelete = call(
        Kind.ITEM_CHANGE,
        VM_ITEM,
        "PUT",
        {"properties": {"isRehydrate": True, "protectionState": "ProtectionStopped", "policyId": ""}},
    )
    protect = call(
        Kind.ITEM_CHANGE, VM_ITEM, "PUT", {"properties": {"policyId": f"{VAULT}/backupPolicies/DefaultPolicy"}}
    )

    async def test_undeleted_is_what_reads_as_not_deleted(self) -> None:
        """The item's own state tells."""
        azure, step = estate(), step_for(Kind.ITEM_CHANGE)
        azure.put(vm_item(soft_deleted=True, protection_state="ProtectionStopped"))
        assert (await step.look(self.undelete, NOW, azure)).there is None
        assert (await step.look(self.undelete, NOW, azure, settled=True)).there is False
        assert (await step.follow(self.undelete, {}, NOW, azure)).stage is Stage.RUNNING
        azure.put(vm_item(protection_state="ProtectionStopped", policy_id=""))
        assert (await step.look(self.undelete, NOW, azure)).there is True
        assert (await step.follow(self.undelete, {}, NOW, azure)).stage is Stage.DONE

    @pytest.mark.parametrize(
        ("state", "there"),
        [
            ({}, True),
            ({"protection_state": "ProtectionStopped"}, False),
            ({"policy_id": f"{VAULT}/backupPolicies/Other"}, False),
            ({"policy_inconsistent": True}, False),
            ({"protection_state": "BackupsSuspended"}, False),
        ],
    )
    async def test_protected_is_what_runs_by_that_policy(self, state: dict[str, object], there: bool) -> None:
        """Policy and state must both be as asked."""
        azure = estate()
        azure.put(vm_item(**state))
        assert (await step_for(Kind.ITEM_CHANGE).look(self.protect, NOW, azure, settled=True)).there is there

    async def test_a_job_that_was_begun_is_the_effect(self) -> None:
        """The item changes only when its job ends."""
        azure = estate()
        azure.put(vm_item(soft_deleted=True), job(operation="Undelete", started_at=NOW))
        seen = await step_for(Kind.ITEM_CHANGE).look(self.undelete, NOW, azure)
        assert (True, {"job_id": JOB}) == (seen.there, seen.reference)

    async def test_the_job_of_the_change_may_fail(self) -> None:
        """Operation, then job, then its error."""
        azure = estate()
        azure.operations["op-1"] = OperationStatus(id="op-1", status="Succeeded", job_ids=(JOB,))
        azure.put(job("Failed", "Undelete", started_at=NOW, errors=(job_error("UserErrorX"),)))
        progress = await step_for(Kind.ITEM_CHANGE).follow(self.undelete, {"operation_id": "op-1"}, NOW, azure)
        assert (Stage.FAILED, "UserErrorX") == (progress.stage, progress.code)

    async def test_the_operation_may_fail(self) -> None:
        """Without any job."""
        azure = estate()
        azure.operations["op-1"] = OperationStatus(id="op-1", status="Failed", error_code="X", error_message="no")
        progress = await step_for(Kind.ITEM_CHANGE).follow(self.undelete, {"operation_id": "op-1"}, NOW, azure)
        assert (Stage.FAILED, "X") == (progress.stage, progress.code)


class TestMachines:
    """Kind.COMPUTE."""

    start = call(Kind.COMPUTE, f"{VM}/start")
    reapply = call(Kind.COMPUTE, f"{VM}/reapply")
    delete = call(Kind.COMPUTE, f"{VM}/extensions/VMSnapshot", "DELETE")
    script = call(Kind.COMPUTE, f"{VM}/runCommand", body={"commandId": "RunShellScript", "script": ["df"]})
    operation = f"{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/operations/op-1".casefold()

    @pytest.mark.parametrize(
        ("power", "there", "stage"),
        [
            ("running", True, Stage.DONE),
            ("starting", True, Stage.RUNNING),
            ("deallocated", False, Stage.RUNNING),
        ],
    )
    async def test_start(self, power: str, there: bool, stage: Stage) -> None:
        """The power state tells."""
        azure, step = estate(), step_for(Kind.COMPUTE)
        azure.put(machine(power_state=power))
        assert (await step.look(self.start, NOW, azure, settled=True)).there is there
        assert (await step.follow(self.start, {}, NOW, azure)).stage is stage

    async def test_a_start_that_just_began_cannot_be_told(self) -> None:
        """Right after the call the state may lag."""
        azure = estate()
        azure.put(machine(power_state="deallocated"))
        assert (await step_for(Kind.COMPUTE).look(self.start, NOW, azure)).there is None

    async def test_a_start_that_finds_no_room_fails_with_azures_code(self) -> None:
        """The operation tells what the machine's state does not."""
        azure = estate()
        azure.put(machine(power_state="deallocated"))
        azure.bodies[self.operation] = {
            "status": "Failed",
            "error": {"code": "AllocationFailed", "message": "No room."},
        }
        progress = await step_for(Kind.COMPUTE).follow(self.start, {"operation_id": "op-1"}, NOW, azure)
        assert (Stage.FAILED, "AllocationFailed", "No room.") == (progress.stage, progress.code, progress.note)

    @pytest.mark.parametrize(
        ("state", "there", "stage"),
        [
            ("Succeeded", True, Stage.DONE),
            ("Updating", True, Stage.RUNNING),
            ("Failed", False, Stage.RUNNING),
        ],
    )
    async def test_reapply(self, state: str, there: bool, stage: Stage) -> None:
        """The provisioning state tells."""
        azure, step = estate(), step_for(Kind.COMPUTE)
        azure.put(machine(provisioning_state=state))
        assert (await step.look(self.reapply, NOW, azure, settled=True)).there is there
        assert (await step.follow(self.reapply, {}, NOW, azure)).stage is stage

    async def test_a_deleted_extension_is_gone(self) -> None:
        """There, being deleted, gone."""
        azure, step = estate(), step_for(Kind.COMPUTE)
        azure.put(machine(extensions=(snapshot_extension(),)))
        assert (await step.look(self.delete, NOW, azure, settled=True)).there is False
        azure.put(machine(extensions=(snapshot_extension(provisioning_state="Deleting"),)))
        assert (await step.look(self.delete, NOW, azure)).there is True
        assert (await step.follow(self.delete, {}, NOW, azure)).stage is Stage.RUNNING
        azure.put(machine())
        assert (await step.follow(self.delete, {}, NOW, azure)).stage is Stage.DONE

    @pytest.mark.parametrize(
        ("status", "stage"),
        [("InProgress", Stage.RUNNING), ("Succeeded", Stage.DONE), ("Failed", Stage.FAILED)],
    )
    async def test_a_script_is_told_by_its_operation(self, status: str, stage: Stage) -> None:
        """Its machine shows nothing of it."""
        azure = estate()
        azure.bodies[self.operation] = {"status": status}
        progress = await step_for(Kind.COMPUTE).follow(self.script, {"operation_id": "op-1"}, NOW, azure)
        assert progress.stage is stage

    async def test_a_script_may_run_again(self) -> None:
        """Without its operation nothing can be seen of it."""
        step = step_for(Kind.COMPUTE)
        assert (await step.look(self.script, NOW, estate())).there is None
        assert (await step.look(self.script, NOW, estate(), settled=True)).there is False
        assert (await step.follow(self.script, {}, NOW, estate())).stage is Stage.RUNNING


class TestResources:
    """Kind.RESOURCE, LOCK and LOCK_REMOVAL."""

    patch = call(
        Kind.RESOURCE,
        f"{VAULT}/backupconfig/vaultconfig",
        "PATCH",
        {"properties": {"softDeleteFeatureState": "Enabled", "softDeleteRetentionPeriodInDays": 14}},
    )

    @pytest.mark.parametrize(
        ("found", "there"),
        [
            ({"softDeleteFeatureState": "enabled", "softDeleteRetentionPeriodInDays": 14, "more": 1}, True),
            ({"softDeleteFeatureState": "Disabled", "softDeleteRetentionPeriodInDays": 14}, False),
            ({"softDeleteFeatureState": "Enabled", "softDeleteRetentionPeriodInDays": 7}, False),
            ({"softDeleteFeatureState": "Enabled"}, False),
        ],
    )
    async def test_everything_asked_for_must_read_back(self, found: dict[str, object], there: bool) -> None:
        """More may be there; less may not."""
        azure, step = estate(), step_for(Kind.RESOURCE)
        azure.bodies[self.patch.resource.casefold()] = {"properties": found}
        assert (await step.look(self.patch, NOW, azure)).there is there
        assert ((await step.follow(self.patch, {}, NOW, azure)).stage is Stage.DONE) is there

    async def test_lists_and_ids_compare_as_azure_means_them(self) -> None:
        """Order and letter case do not matter."""
        rule = call(
            Kind.RESOURCE,
            f"{STAGING}/providers/Microsoft.AlertsManagement/actionRules/r",
            "PUT",
            {"properties": {"scopes": [VAULT], "conditions": [{"field": "A"}, {"field": "B"}]}},
        )
        azure = estate()
        azure.bodies[rule.resource.casefold()] = {
            "properties": {"scopes": ["/x", VAULT.upper()], "conditions": [{"field": "B"}, {"field": "A", "more": 1}]}
        }
        assert (await step_for(Kind.RESOURCE).look(rule, NOW, azure)).there is True

    async def test_what_is_deleted_is_gone(self) -> None:
        """A DELETE has its effect when nothing is left; a PUT has not."""
        step = step_for(Kind.RESOURCE)
        assert (await step.look(call(Kind.RESOURCE, "/a/b", "DELETE"), NOW, FakeAzure())).there is True
        assert (await step.look(call(Kind.RESOURCE, "/a/b", "PUT", {}), NOW, FakeAzure())).there is False

    async def test_access_policies_are_read_from_the_key_vault(self) -> None:
        """Adding and taking away, with what was held before left alone."""
        policy: Json = {
            "objectId": SERVICE,
            "tenantId": "t",
            "permissions": {"keys": ["Get", "backup"], "secrets": ["get"]},
        }
        body: Json = {"properties": {"accessPolicies": [policy]}}
        add = call(Kind.RESOURCE, f"{KEY_VAULT}/accessPolicies/add", "PUT", body)
        remove = call(Kind.RESOURCE, f"{KEY_VAULT}/accessPolicies/remove", "PUT", body)
        azure, step = estate(), step_for(Kind.RESOURCE)
        azure.put(key_vault(rbac=False, access_policies=(policy_for(SERVICE, keys=["get"], secrets=["get"]),)))
        assert (await step.look(add, NOW, azure)).there is False
        assert (await step.look(remove, NOW, azure)).there is False
        azure.put(key_vault(rbac=False, access_policies=(policy_for(SERVICE, keys=["all"], secrets=["get", "list"]),)))
        assert (await step.look(add, NOW, azure)).there is True
        azure.put(key_vault(rbac=False, access_policies=(policy_for(SERVICE, keys=["list"], secrets=["list"]),)))
        assert (await step.look(remove, NOW, azure)).there is True

    async def test_locks(self) -> None:
        """There or gone, at their own scope."""
        azure = estate()
        put, lift = call(Kind.LOCK, LOCK, "PUT"), call(Kind.LOCK_REMOVAL, LOCK, "DELETE")
        assert (await step_for(Kind.LOCK).look(put, NOW, azure)).there is False
        assert (await step_for(Kind.LOCK_REMOVAL).follow(lift, {}, NOW, azure)).stage is Stage.DONE
        azure.locks_by_scope[STAGING.casefold()] = [Lock(id=LOCK.upper(), name="freeze", level="ReadOnly")]
        assert (await step_for(Kind.LOCK).follow(put, {}, NOW, azure)).stage is Stage.DONE
        assert (await step_for(Kind.LOCK_REMOVAL).look(lift, NOW, azure)).there is False
        assert (await step_for(Kind.LOCK_REMOVAL).follow(lift, {}, NOW, azure)).stage is Stage.RUNNING


class TestCrossRegion:
    """Kind.CROSS_REGION_RESTORE."""

    restore = call(Kind.CROSS_REGION_RESTORE, CRR, body={"restoreRequest": {"targetResourceGroupId": STAGING}})
    disks = f"{STAGING}/providers/Microsoft.Compute/disks".casefold()
    status = f"{CRR.rpartition('/')[0]}/backupCrrOperationsStatus/b3A%3D".casefold()

    async def test_restored_disks_tell(self) -> None:
        """Old disks do not count; with neither a job nor a new disk it did not happen, once the lists have had their time."""
        azure, step = estate(), step_for(Kind.CROSS_REGION_RESTORE)
        azure.lists[self.disks] = [disk("old", NOW - HOUR), {"name": "odd", "properties": {"timeCreated": "2026"}}]
        assert (await step.look(self.restore, NOW, azure)).there is None
        assert (await step.look(self.restore, NOW, azure, settled=True)).there is False
        azure.lists[self.disks] = [disk("old", NOW - HOUR), disk("new", NOW + HOUR)]
        seen = await step.look(self.restore, NOW, azure)
        assert (True, "restored: new") == (seen.there, seen.note)

    async def test_its_operation_tells_the_job_and_the_failure(self) -> None:
        """The operation's id is base64 and goes into the address quoted."""
        azure, step = estate(), step_for(Kind.CROSS_REGION_RESTORE)
        azure.bodies[self.status] = {"status": "Succeeded", "properties": {"jobId": "job-7"}}
        progress = await step.follow(self.restore, {"operation_id": "b3A="}, NOW, azure)
        assert (Stage.RUNNING, "job-7") == (progress.stage, progress.reference["job_id"])
        azure.bodies[self.status] = {"status": "Failed", "error": {"code": "UserErrorX", "message": "No."}}
        progress = await step.follow(self.restore, {"operation_id": "b3A="}, NOW, azure)
        assert (Stage.FAILED, "UserErrorX", "No.") == (progress.stage, progress.code, progress.note)

    async def test_the_job_decides_where_the_vault_lists_it(self) -> None:
        """One disk of several may be there while the restore goes on."""
        azure, step = estate(), step_for(Kind.CROSS_REGION_RESTORE)
        restore = replace(self.restore, before=call(Kind.ACCESS_TOKEN, f"{VM_ITEM}/recoveryPoints/1/accessToken"))
        azure.lists[self.disks] = [disk("first of two", NOW)]
        azure.put(job("InProgress", "CrossRegionRestore", started_at=NOW))
        assert {"job_id": JOB} == (await step.look(restore, NOW, azure)).reference
        assert (await step.follow(restore, {}, NOW, azure)).stage is Stage.RUNNING
        azure.put(job("Failed", "CrossRegionRestore", started_at=NOW, errors=(job_error("UserErrorX"),)))
        progress = await step.follow(restore, {}, NOW, azure)
        assert (Stage.FAILED, "UserErrorX") == (progress.stage, progress.code)
        azure.put(job("Completed", "CrossRegionRestore", started_at=NOW))
        assert (await step.follow(restore, {}, NOW, azure)).stage is Stage.DONE
        azure.put(job("Completed", "CrossRegionRestore", started_at=NOW - 24 * HOUR))
        assert (await step.follow(restore, {}, NOW, azure)).note == "restored: first of two"

    async def test_its_status_may_be_out_of_order(self) -> None:
        """A server error of the status is tolerated: the disks decide."""
        azure = estate()
        azure.fail("resource", GatewayUnavailable("500"))
        azure.lists[self.disks] = [disk("new", NOW)]
        progress = await step_for(Kind.CROSS_REGION_RESTORE).follow(self.restore, {"operation_id": "b3A="}, NOW, azure)
        assert progress.stage is Stage.DONE


class TestSend:
    """Sending a call that carries the secret answer of another."""

    token = call(Kind.ACCESS_TOKEN, f"{VM_ITEM}/recoveryPoints/1/accessToken", body={"properties": {}})
    restore = replace(
        call(
            Kind.CROSS_REGION_RESTORE,
            CRR,
            body={"details": {"objectType": "CrrAccessToken"}, "restoreRequest": {"a": 1}},
        ),
        before=token,
        filled="details",
    )

    async def test_a_plain_call_is_sent_as_it_is(self) -> None:
        """Once, unchanged."""
        operator = FakeOperator()
        assert (await send(BACKUP, operator)).operation_id == "op-1"
        assert [BACKUP] == operator.sent

    async def test_the_answer_goes_into_the_named_member_only(self) -> None:
        """First the token, then the restore with it; everything else is as planned."""
        operator = FakeOperator()
        operator.answers = [Receipt(status=200, body={"properties": {"accessTokenString": "s3cret"}})]
        receipt = await send(self.restore, operator)
        assert "op-2" == receipt.operation_id
        assert [self.token.resource, CRR] == [sent.resource for sent in operator.sent]
        assert {"details": {"accessTokenString": "s3cret"}, "restoreRequest": {"a": 1}} == operator.sent[1].body
        assert "s3cret" not in repr(self.restore)

    async def test_without_a_token_nothing_is_sent(self) -> None:
        """An empty answer, or none: the restore is never sent, and that is certain."""
        for answer in (Receipt(status=200), OutcomeUnknown("lost")):
            operator = FakeOperator()
            operator.answers = [answer]
            with pytest.raises(GatewayUnavailable, match="nothing was changed"):
                await send(self.restore, operator)
            assert [self.token] == operator.sent

    async def test_a_token_is_no_step_of_its_own(self) -> None:
        """It has no effect to look for."""
        with pytest.raises(KeyError):
            step_for(Kind.ACCESS_TOKEN)
