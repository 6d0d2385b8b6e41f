"""start_vm, reapply_vm, reinstall_snapshot_extension: what a machine's own state says, before and after."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import RequestError, ResourceNotFound
from domain.fix import Kind
from fixes.catalog.reapply_vm import FIX as REAPPLY
from fixes.catalog.reinstall_snapshot_extension import FIX as REINSTALL
from fixes.catalog.start_vm import FIX as START
from fixes.machines import fault_of
from tests.fakes.azure import FakeAzure
from tests.fixes.world import (
    HOUR,
    NOW,
    OPERATOR,
    SQL_ITEM,
    VM,
    VM_ITEM,
    Run,
    ask,
    estate,
    files_item,
    job,
    machine,
    point,
    snapshot_extension,
    sql_item,
    vm_item,
)

JOB = "7a0f1e2d-0000-4000-8000-000000000001"


def off() -> FakeAzure:
    """The machine is deallocated."""
    azure = estate()
    azure.put(machine(power_state="deallocated", agent_status=""))
    return azure


def failed_machine() -> FakeAzure:
    """Provisioning failed because of another extension."""
    azure = estate()
    other = snapshot_extension(name="CustomMonitoring", publisher="Contoso.Monitoring", type="Agent")
    azure.put(machine(provisioning_state="Failed", extensions=(other,)))
    return azure


class TestStart:
    """start_vm."""

    async def test_start_and_back_up(self) -> None:
        """POST …/start, then the backup that needed it."""
        plan = await START.plan(ask(), off())
        start, backup = plan.calls
        assert ("POST", f"{VM}/start", "2024-03-01", None) == (
            start.method,
            start.resource,
            start.api_version,
            start.body,
        )
        assert ("Microsoft.Compute/virtualMachines/start/action", VM) == (start.action, start.scope)
        assert f"{VM_ITEM}/backup" == backup.resource
        assert "Start virtual machine vm-erp-01, and back up vm-erp-01." == plan.sentence
        assert f"az vm start --ids {VM}" == plan.az[0]
        assert "deallocate" in plan.undo
        assert () == plan.problems

    async def test_the_backup_is_optional(self) -> None:
        """Only the start."""
        plan = await START.plan(ask(then_backup="no"), off())
        assert [Kind.COMPUTE] == [call.kind for call in plan.calls]
        assert "Start virtual machine vm-erp-01." == plan.sentence

    async def test_no_backup_follows_where_none_can(self) -> None:
        """Stopped protection is said, not sent into a refusal."""
        plan = await START.plan(ask(vm_item(protection_state="ProtectionStopped")), off())
        assert [Kind.COMPUTE] == [call.kind for call in plan.calls]
        assert "stopped" in plan.notes[0]

    async def test_the_host_of_a_database(self) -> None:
        """The machine is started and the database is backed up."""
        plan = await START.plan(ask(sql_item()), off())
        assert [f"{VM}/start", f"{SQL_ITEM}/backup"] == [call.resource for call in plan.calls]

    async def test_what_does_not_fit(self) -> None:
        """Running already, gone, a file share, an item without a machine."""
        with pytest.raises(RequestError, match="running already"):
            await START.plan(ask(), estate())
        with pytest.raises(RequestError, match="Azure VM"):
            await START.plan(ask(files_item()), off())
        with pytest.raises(RequestError, match="does not say"):
            await START.plan(ask(vm_item(source_id="")), off())
        azure = off()
        azure.fail("virtual_machine", ResourceNotFound("gone"))
        with pytest.raises(RequestError, match="restore_disks"):
            await START.plan(ask(), azure)

    async def test_in_between_is_a_problem(self) -> None:
        """A machine that is just stopping is not started over."""
        azure = estate()
        azure.put(machine(power_state="deallocating"))
        assert "settles" in (await START.plan(ask(), azure)).problems[0]

    async def test_the_fingerprint_follows_the_power_state(self) -> None:
        """Stable over a day."""
        azure = off()
        first = (await START.plan(ask(), azure)).fingerprint(OPERATOR)
        assert first == (await START.plan(replace(ask(), now=NOW + 24 * HOUR), azure)).fingerprint(OPERATOR)
        azure.put(machine(power_state="stopped"))
        assert first != (await START.plan(ask(), azure)).fingerprint(OPERATOR)

    async def test_proof(self) -> None:
        """Running, and with a backup its point as well."""
        azure = off()
        alone = Run(await START.plan(ask(then_backup="no"), azure), [{}])
        both = Run(await START.plan(ask(), azure), [{}, {"job_id": JOB}])
        assert (await START.verify(alone.plan, alone.facts, azure, NOW)).proved is None
        azure.put(machine())
        assert (await START.verify(alone.plan, alone.facts, azure, NOW)).proved is True
        assert (await START.verify(both.plan, both.facts, azure, NOW)).proved is None
        azure.put(job("Completed", started_at=NOW))
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=5)))
        proof = await START.verify(both.plan, both.facts, azure, NOW + HOUR)
        assert proof.proved is True
        assert proof.summary.startswith("vm-erp-01 is running.")


class TestReapply:
    """reapply_vm."""

    async def test_reapply_and_back_up(self) -> None:
        """POST …/reapply; the extension that failed is named."""
        plan = await REAPPLY.plan(ask(), failed_machine())
        call = plan.calls[0]
        assert ("POST", f"{VM}/reapply", "2024-03-01", None) == (
            call.method,
            call.resource,
            call.api_version,
            call.body,
        )
        assert "Microsoft.Compute/virtualMachines/reapply/action" == call.action
        assert "CustomMonitoring" in plan.notes[0]
        assert "CustomMonitoring" == plan.precondition["failing_extensions"]
        assert f"az vm reapply --ids {VM}" == plan.az[0]

    async def test_what_does_not_fit(self) -> None:
        """Nothing failed, or the snapshot extension itself did."""
        with pytest.raises(RequestError, match="nothing to reapply"):
            await REAPPLY.plan(ask(), estate())
        azure = estate()
        azure.put(machine(provisioning_state="Failed", extensions=(snapshot_extension(),)))
        with pytest.raises(RequestError, match="reinstall_snapshot_extension"):
            await REAPPLY.plan(ask(), azure)

    async def test_a_change_under_way_is_a_problem(self) -> None:
        """Updating is not failed."""
        azure = estate()
        azure.put(machine(provisioning_state="Updating"))
        assert "being changed" in (await REAPPLY.plan(ask(), azure)).problems[0]

    async def test_the_fingerprint_follows_the_state(self) -> None:
        """Another failing extension, another plan."""
        azure = failed_machine()
        first = (await REAPPLY.plan(ask(), azure)).fingerprint(OPERATOR)
        assert first == (await REAPPLY.plan(replace(ask(), now=NOW + HOUR), azure)).fingerprint(OPERATOR)
        azure.put(machine(provisioning_state="Failed"))
        assert first != (await REAPPLY.plan(ask(), azure)).fingerprint(OPERATOR)

    async def test_proof(self) -> None:
        """Provisioning succeeded."""
        azure = failed_machine()
        run = Run(await REAPPLY.plan(ask(then_backup="no"), azure), [{}])
        assert (await REAPPLY.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.put(machine())
        assert (await REAPPLY.verify(run.plan, run.facts, azure, NOW)).proved is True


class TestReinstall:
    """reinstall_snapshot_extension."""

    async def test_delete_and_back_up(self) -> None:
        """DELETE of the extension by the name that it has; it is never put by hand."""
        azure = estate()
        azure.put(machine(extensions=(snapshot_extension(name="vmsnap-old"),)))
        plan = await REINSTALL.plan(ask(), azure)
        delete, backup = plan.calls
        assert ("DELETE", f"{VM}/extensions/vmsnap-old", "2024-03-01", None) == (
            delete.method,
            delete.resource,
            delete.api_version,
            delete.body,
        )
        assert "Microsoft.Compute/virtualMachines/extensions/delete" == delete.action
        assert f"{VM_ITEM}/backup" == backup.resource
        assert f"az vm extension delete --ids {VM}/extensions/vmsnap-old" == plan.az[0]

    @pytest.mark.parametrize(
        ("state", "message", "fault"),
        [
            ("Failed", "", "Failed"),
            ("Deleting", "", "Deleting"),
            ("Succeeded", "StatusCode.FailedRetryableFsFreezeTimeout, freezing took too long", "FsFreezeTimeout"),
            ("Succeeded", '{"messageStr": "StatusCode.success, snapshot of all disks taken"}', ""),
            ("Succeeded", "", ""),
        ],
    )
    def test_the_truth_may_hide_in_the_message(self, state: str, message: str, fault: str) -> None:
        """VMSnapshotLinux says succeeded whatever happened."""
        extension = snapshot_extension(
            provisioning_state=state,
            statuses=(("ProvisioningState/succeeded", "Provisioning succeeded", message),),
        )
        assert fault in fault_of(extension)
        assert bool(fault) is bool(fault_of(extension))

    async def test_what_does_not_fit(self) -> None:
        """Absent is no fault, healthy is none either."""
        with pytest.raises(RequestError, match="no fault"):
            await REINSTALL.plan(ask(), estate())
        azure = estate()
        azure.put(machine(extensions=(snapshot_extension(provisioning_state="Succeeded"),)))
        with pytest.raises(RequestError, match="healthy"):
            await REINSTALL.plan(ask(), azure)

    @pytest.mark.parametrize(
        ("state", "advice"),
        [({"power_state": "deallocated"}, "start_vm"), ({"agent_status": "Not Ready"}, "guide_repair_vm_agent")],
    )
    async def test_without_a_working_agent_it_is_a_problem(self, state: dict[str, str], advice: str) -> None:
        """Only the agent can take an extension away."""
        azure = estate()
        azure.put(replace(machine(extensions=(snapshot_extension(),)), **state))  # type: ignore[arg-type]
        assert advice in (await REINSTALL.plan(ask(), azure)).problems[0]

    async def test_the_fingerprint_follows_the_extension(self) -> None:
        """Its state is part of the plan."""
        azure = estate()
        azure.put(machine(extensions=(snapshot_extension(),)))
        first = (await REINSTALL.plan(ask(), azure)).fingerprint(OPERATOR)
        assert first == (await REINSTALL.plan(replace(ask(), now=NOW + HOUR), azure)).fingerprint(OPERATOR)
        azure.put(machine(extensions=(snapshot_extension(provisioning_state="Deleting"),)))
        assert first != (await REINSTALL.plan(ask(), azure)).fingerprint(OPERATOR)

    async def test_proof(self) -> None:
        """A new point, and the extension healthy or not listed."""
        azure = estate()
        azure.put(machine(extensions=(snapshot_extension(),)))
        run = Run(await REINSTALL.plan(ask(), azure), [{}, {"job_id": JOB}])
        assert (await REINSTALL.verify(run.plan, run.facts, azure, NOW)).proved is None
        azure.put(job("Completed", started_at=NOW))
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=5)))
        assert (await REINSTALL.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        azure.put(machine(extensions=(snapshot_extension(provisioning_state="Succeeded"),)))
        assert (await REINSTALL.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is True
        azure.put(machine())
        assert (await REINSTALL.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is True
