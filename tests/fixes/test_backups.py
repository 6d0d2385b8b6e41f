"""rerun_backup and cancel_and_rerun_backup: the exact calls, what stands in the way, the proof."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.backup import JobTask, ProtectedItem
from domain.errors import PermissionDenied, RequestError
from domain.fix import Risk
from fixes.catalog.cancel_and_rerun_backup import FIX as CANCEL
from fixes.catalog.rerun_backup import FIX as RERUN
from fixes.registry import PlanRequest
from tests.fixes.world import (
    FILES_ITEM,
    HANA_ITEM,
    HOUR,
    NOW,
    OPERATOR,
    SQL_ITEM,
    VAULT,
    VM_ITEM,
    Run,
    ask,
    estate,
    files_item,
    hana_item,
    job,
    job_error,
    mabs_item,
    mars_item,
    point,
    sql_item,
    vm_item,
)

JOB = "7a0f1e2d-0000-4000-8000-000000000001"
BACKUP_ACTION = "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/backup/action"


class TestRerun:
    """rerun_backup."""

    async def test_the_call_for_a_virtual_machine(self) -> None:
        """POST …/backup with the request that Azure documents, and no expiry unless it is asked for."""
        plan = await RERUN.plan(ask(), estate())
        (call,) = plan.calls
        assert ("POST", f"{VM_ITEM}/backup", "2024-04-01") == (call.method, call.resource, call.api_version)
        assert {"properties": {"objectType": "IaasVMBackupRequest"}} == call.body
        assert (BACKUP_ACTION, VAULT) == (call.action, call.scope)
        assert "Run a backup of Azure VM vm-erp-01 in vault-prod-01 now." == plan.sentence
        assert ((), Risk.LOW, timedelta(hours=2)) == (plan.problems, plan.risk, plan.duration)
        assert plan.az == (
            (
                "az backup protection backup-now --subscription 22222222-2222-2222-2222-222222222222 --resource-group rg-prod"
                " --vault-name vault-prod-01 --container-name 'IaasVMContainer;iaasvmcontainerv2;rg-prod;vm-erp-01'"
                " --item-name 'VM;iaasvmcontainerv2;rg-prod;vm-erp-01' --backup-management-type AzureIaasVM"
                " --workload-type VM"
            ),
        )

    async def test_the_call_for_a_share_kept_until_a_day(self) -> None:
        """An expiry is part of the body, and of the command as a day."""
        plan = await RERUN.plan(ask(files_item(), retain_until="2026-12-31T00:00:00Z"), estate())
        assert f"{FILES_ITEM}/backup" == plan.calls[0].resource
        assert {
            "properties": {
                "objectType": "AzureFileShareBackupRequest",
                "recoveryPointExpiryTimeInUTC": "2026-12-31T00:00:00Z",
            }
        } == plan.calls[0].body
        assert "--retain-until 31-12-2026" in plan.az[0]
        assert "until 2026-12-31T00:00:00Z" in plan.sentence

    @pytest.mark.parametrize(
        ("item", "operation", "code", "kind"),
        [
            (sql_item(), "Backup (Log)", "UserErrorParentFullBackupMissing", "Full"),
            (sql_item(), "Backup (Log)", "UserErrorSQLLSNValidationFailure", "Full"),
            (sql_item(), "Backup (Log)", "UserErrorBackupFailedAsTransactionLogIsFull", "Log"),
            (sql_item(), "Backup (Differential)", "UserErrorOpeningSQLConnection", "Differential"),
            (sql_item(), "Backup (Full)", "UserErrorOpeningSQLConnection", "Full"),
            (sql_item(name="master"), "Backup (Log)", "UserErrorOpeningSQLConnection", "Full"),
            (hana_item(), "Backup (Incremental)", "UserErrorX", "Incremental"),
            (hana_item(), "Backup (Log)", "UserErrorX", "Differential"),
            (
                sql_item(last_recovery_point_at=None, last_backup_at=None, protection_state="IRPending"),
                "Backup",
                "",
                "Full",
            ),
        ],
    )
    async def test_a_database_gets_the_type_that_it_needs(
        self, item: ProtectedItem, operation: str, code: str, kind: str
    ) -> None:
        """Full when the chain is broken or none exists, else the type that failed."""
        azure = estate()
        azure.put(
            job(
                "Failed",
                operation,
                item_name=item.name,
                container_name=item.id.container,
                started_at=NOW - 3 * HOUR,
                errors=(job_error(code),),
            )
        )
        plan = await RERUN.plan(ask(item), azure)
        sent = plan.calls[0].body
        assert isinstance(sent, dict)
        assert kind == sent["properties"]["backupType"]
        assert "AzureWorkloadBackupRequest" == sent["properties"]["objectType"]
        assert f"--backup-type {kind}" in plan.az[0]

    async def test_the_code_of_the_item_itself_counts_too(self) -> None:
        """SQL items carry their last error."""
        plan = await RERUN.plan(ask(sql_item(last_error_code="UserErrorParentFullBackupMissing")), estate())
        assert {
            "properties": {
                "objectType": "AzureWorkloadBackupRequest",
                "backupType": "Full",
                "enableCompression": True,
            }
        } == plan.calls[0].body
        assert f"{SQL_ITEM}/backup" == plan.calls[0].resource
        assert "UserErrorParentFullBackupMissing" in plan.notes[0]

    async def test_a_type_may_be_chosen(self) -> None:
        """Of those that the workload has."""
        plan = await RERUN.plan(ask(hana_item(), backup_type="Full"), estate())
        assert f"{HANA_ITEM}/backup" == plan.calls[0].resource
        assert "Run a Full backup of SAP HANA database systemdb" in plan.sentence
        for item, kind in ((hana_item(), "Log"), (vm_item(), "Full"), (sql_item(), "Incremental")):
            with pytest.raises(RequestError):
                await RERUN.plan(ask(item, backup_type=kind), estate())

    @pytest.mark.parametrize(
        ("item", "advice"),
        [
            (mars_item(), "guide_mars_update"),
            (mabs_item(), "guide_mabs_update"),
            (vm_item(soft_deleted=True), "undelete_item"),
            (vm_item(protection_state="ProtectionStopped"), "resume_protection"),
            (vm_item(protection_state="BackupsSuspended"), "resume_protection"),
        ],
    )
    async def test_what_does_not_fit_is_refused_with_advice(self, item: ProtectedItem, advice: str) -> None:
        """The refusal names what to do instead."""
        with pytest.raises(RequestError, match=advice):
            await RERUN.plan(ask(item), estate())

    @pytest.mark.parametrize("status", ["InProgress", "Cancelling"])
    async def test_a_running_backup_is_a_problem_with_its_name(self, status: str) -> None:
        """Two backups of one item cannot run."""
        azure = estate()
        azure.put(job(status))
        plan = await RERUN.plan(ask(), azure)
        assert len(plan.problems) == 1
        assert JOB in plan.problems[0]
        assert JOB == plan.precondition["running_backup"]

    async def test_others_backups_do_not_matter(self) -> None:
        """Another item's backup, and a restore of this one."""
        azure = estate()
        azure.put(job(item_name="vm-web-01", container_name="iaasvmcontainerv2;rg-prod;vm-web-01"))
        azure.put(job(operation="Restore", id="r"))
        assert () == (await RERUN.plan(ask(), azure)).problems

    async def test_without_a_time_it_says_that_it_did_not_look(self) -> None:
        """Not looked is a problem, never "nothing runs"."""
        request = PlanRequest(vault=ask().vault, item=vm_item(last_backup_at=None, last_recovery_point_at=None))
        plan = await RERUN.plan(request, estate())
        assert "could not be told" in plan.problems[0]

    async def test_the_items_own_times_serve_as_well(self) -> None:
        """A running backup began after the last one that the item knows."""
        azure = estate()
        azure.put(job())
        plan = await RERUN.plan(replace(ask(), now=None), azure)
        assert JOB in plan.problems[0]

    async def test_the_fingerprint_holds_as_long_as_the_facts_do(self) -> None:
        """The same over two plans and over a day; another when a backup begins or the parameters change."""
        azure = estate()
        first = (await RERUN.plan(ask(), azure)).fingerprint(OPERATOR)
        assert first == (await RERUN.plan(replace(ask(), now=NOW + 24 * HOUR), azure)).fingerprint(OPERATOR)
        kept = await RERUN.plan(ask(retain_until="2026-12-31T00:00:00Z"), azure)
        assert first != kept.fingerprint(OPERATOR)
        azure.put(job())
        assert first != (await RERUN.plan(ask(), azure)).fingerprint(OPERATOR)

    async def test_all_wrong_parameters_are_named_at_once(self) -> None:
        """Unknown names and bad values in one refusal."""
        with pytest.raises(RequestError) as refusal:
            await RERUN.plan(ask(retain_until="tomorrow", backup_type="Half", colour="red"), estate())
        assert all(name in str(refusal.value) for name in ("retain_until", "backup_type", "colour", "Incremental"))

    async def test_a_failed_read_is_no_plan(self) -> None:
        """What the plan rests on could not be read."""
        azure = estate()
        azure.fail("jobs", PermissionDenied("no"))
        with pytest.raises(PermissionDenied):
            await RERUN.plan(ask(), azure)


class TestProof:
    """The proof of a backup."""

    @pytest.mark.parametrize("status", ["Completed", "CompletedWithWarnings"])
    async def test_proved_by_job_and_point(self, status: str) -> None:
        """Both, and the point is newer than the job's start."""
        azure = estate()
        azure.put(job(status, started_at=NOW + timedelta(seconds=2)))
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=7), "new"))
        run = Run(await RERUN.plan(ask(), azure), [{"job_id": JOB}])
        proof = await RERUN.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)
        assert proof.proved is True
        assert "new" == proof.evidence["recovery_point"]

    async def test_a_completed_job_without_a_new_point_is_not_proved_yet(self) -> None:
        """An old point and a soft-deleted one prove nothing."""
        azure = estate()
        azure.put(job("Completed", started_at=NOW))
        azure.points[VM_ITEM.casefold()].append(point(NOW + HOUR, "gone", soft_deleted=True))
        run = Run(await RERUN.plan(ask(), azure), [{"job_id": JOB}])
        assert (await RERUN.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)).proved is None

    @pytest.mark.parametrize(("status", "proved"), [("Failed", False), ("Cancelled", False), ("InProgress", None)])
    async def test_the_jobs_end_counts(self, status: str, proved: bool | None) -> None:
        """A failed job disproves, a running one does not."""
        azure = estate()
        azure.points[VM_ITEM.casefold()].append(point(NOW + HOUR, "of another backup"))
        run = Run(await RERUN.plan(ask(), azure), [{"job_id": JOB}])
        azure.put(job(status, started_at=NOW))
        assert (await RERUN.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)).proved is proved

    @pytest.mark.parametrize("references", [[], [{}], [{"job_id": "unknown"}]])
    async def test_without_a_job_nothing_is_proved(self, references: list[dict[str, str]]) -> None:
        """A point alone may come from somebody else's backup."""
        azure = estate()
        azure.points[VM_ITEM.casefold()].append(point(NOW + HOUR))
        run = Run(await RERUN.plan(ask(), azure), references)
        assert (await RERUN.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)).proved is None


class TestCancel:
    """cancel_and_rerun_backup."""

    async def test_cancel_then_back_up(self) -> None:
        """Two calls, in this order."""
        azure = estate()
        azure.put(job())
        plan = await CANCEL.plan(ask(), azure)
        cancel, backup = plan.calls
        assert ("POST", f"{VAULT}/backupJobs/{JOB}/cancel", "2024-04-01", None) == (
            cancel.method,
            cancel.resource,
            cancel.api_version,
            cancel.body,
        )
        assert "Microsoft.RecoveryServices/Vaults/backupJobs/cancel/action" == cancel.action
        assert f"{VM_ITEM}/backup" == backup.resource
        assert () == plan.problems
        assert f"Cancel backup job {JOB} of Azure VM vm-erp-01" in plan.sentence
        vault = (
            "--subscription 22222222-2222-2222-2222-222222222222 --resource-group rg-prod --vault-name vault-prod-01"
        )
        assert f"az backup job stop {vault} --name {JOB}" == plan.az[0]
        assert f"az backup job wait {vault} --name {JOB}" == plan.az[1]

    async def test_a_snapshot_that_was_taken_stays(self) -> None:
        """Said only when the job has got as far as the transfer."""
        azure = estate()
        azure.put(job(tasks=(JobTask(name="Transfer data to vault", status="InProgress"),)))
        assert any("snapshot" in effect and "stays" in effect for effect in (await CANCEL.plan(ask(), azure)).effects)
        azure.put(job(tasks=(JobTask(name="Take Snapshot", status="InProgress"),)))
        assert not any("stays" in effect for effect in (await CANCEL.plan(ask(), azure)).effects)

    async def test_a_database_is_backed_up_as_before(self) -> None:
        """With the type of the cancelled job."""
        azure, item = estate(), sql_item()
        azure.put(job(operation="Backup (Full)", item_name="orders", container_name=item.id.container))
        plan = await CANCEL.plan(ask(item), azure)
        body = plan.calls[1].body
        assert isinstance(body, dict)
        assert "Full" == body["properties"]["backupType"]

    async def test_a_log_backup_of_hana_comes_back_as_what_can_be_started(self) -> None:
        """HANA starts its log backups itself."""
        azure, item = estate(), hana_item()
        azure.put(job(operation="Backup (Log)", item_name="systemdb", container_name=item.id.container))
        body = (await CANCEL.plan(ask(item), azure)).calls[1].body
        assert isinstance(body, dict)
        assert "Differential" == body["properties"]["backupType"]

    async def test_nothing_runs_nothing_to_cancel(self) -> None:
        """The refusal names the other fix."""
        with pytest.raises(RequestError, match="rerun_backup"):
            await CANCEL.plan(ask(), estate())

    async def test_one_of_several_jobs_must_be_named(self) -> None:
        """Which one is never guessed."""
        azure = estate()
        azure.put(job(), job(id="7a0f1e2d-0000-4000-8000-000000000002"))
        with pytest.raises(RequestError, match="job="):
            await CANCEL.plan(ask(), azure)
        plan = await CANCEL.plan(ask(job="7a0f1e2d-0000-4000-8000-000000000002"), azure)
        assert "000000000002/cancel" in plan.calls[0].resource
        with pytest.raises(RequestError, match="no running backup"):
            await CANCEL.plan(ask(job="7a0f1e2d-0000-4000-8000-000000000003"), azure)

    @pytest.mark.parametrize("state", [{"status": "Cancelling"}, {"cancellable": False}])
    async def test_a_job_that_cannot_be_cancelled_is_a_problem(self, state: dict[str, object]) -> None:
        """Being cancelled already, or not cancellable."""
        azure = estate()
        azure.put(replace(job(), **state))  # type: ignore[arg-type]
        assert 1 == len((await CANCEL.plan(ask(), azure)).problems)

    async def test_the_fingerprint_follows_the_job(self) -> None:
        """Another job, another status: another plan."""
        azure = estate()
        azure.put(job())
        first = (await CANCEL.plan(ask(), azure)).fingerprint(OPERATOR)
        assert first == (await CANCEL.plan(replace(ask(), now=NOW + HOUR), azure)).fingerprint(OPERATOR)
        azure.put(job("Cancelling"))
        assert first != (await CANCEL.plan(ask(), azure)).fingerprint(OPERATOR)

    async def test_of_a_stopped_item_the_job_is_only_cancelled(self) -> None:
        """Resuming waits for the job's end, the job for nobody: cancelling opens the way, and says what comes next."""
        item = vm_item(protection_state="ProtectionStopped", policy_id="", policy_name="")
        azure = estate()
        azure.put(item, job())
        plan = await CANCEL.plan(ask(item), azure)
        assert ["cancel"] == [call.resource.rpartition("/")[2] for call in plan.calls]
        assert any("resume_protection" in effect for effect in plan.effects)
        assert "run a" not in plan.sentence
        assert not any("protection backup-now" in line for line in plan.az)
        run = Run(plan, [{}])
        assert (await CANCEL.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        azure.put(job("Cancelled"))
        proof = await CANCEL.verify(run.plan, run.facts, azure, NOW + HOUR)
        assert proof.proved is True
        assert "resume_protection" in proof.summary
        with pytest.raises(RequestError, match="use undelete_item"):
            await CANCEL.plan(ask(replace(item, soft_deleted=True)), azure)

    async def test_the_new_backup_proves_it(self) -> None:
        """The reference of the second call is what counts."""
        azure = estate()
        azure.put(job())
        run = Run(await CANCEL.plan(ask(), azure), [{"job_id": JOB}, {"job_id": "new-job"}])
        azure.put(job("Cancelled"), job("Completed", id="new-job", started_at=NOW))
        assert (await CANCEL.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=5)))
        assert (await CANCEL.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is True
