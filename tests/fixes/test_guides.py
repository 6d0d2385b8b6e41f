"""Guides: steps for the very version and error, no calls, and a Done that looks again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.backup import ProtectedItem, Server
from domain.errors import RequestError
from domain.fix import FixPlan, Risk
from fixes.catalog.guide_file_in_use import FIX as FILE
from fixes.catalog.guide_free_os_disk import FIX as SPACE
from fixes.catalog.guide_mabs_update import FIX as MABS
from fixes.catalog.guide_mars_update import FIX as MARS
from fixes.catalog.guide_repair_vm_agent import FIX as AGENT
from fixes.catalog.guide_restore_elsewhere import FIX as ELSEWHERE
from fixes.registry import Fix
from tests.fakes.azure import FakeAzure
from tests.fixes.world import (
    FILES_ITEM,
    HOUR,
    NOW,
    VM_ITEM,
    Run,
    ask,
    estate,
    files_item,
    job,
    job_error,
    mabs_item,
    machine,
    mars_item,
    point,
    snapshot_extension,
    sql_item,
    vault,
    vm_item,
)

HAS_NO_CODE = "The process cannot access the file because it is being used by another process. (0x80070020)"


def failing(item: ProtectedItem, text: str, code: str = "", operation: str = "Backup") -> FakeAzure:
    """The item's newest job failed so."""
    azure = estate()
    azure.put(
        item,
        job(
            "Failed",
            operation,
            item_name=item.name,
            container_name=item.id.container,
            errors=(job_error(code, text),),
        ),
        job("Failed", operation, id="older", started_at=NOW - 48 * HOUR, item_name=item.name, container_name=""),
    )
    return azure


def served(azure: FakeAzure, **more: Any) -> FakeAzure:
    """The vault lists the server."""
    servers = azure.servers_by_vault.setdefault(vault().id.key, [])
    servers[:] = [replace(Server(id="/s", name="srv-files.contoso.com", kind="mars"), **more)]
    return azure


def text(plan: FixPlan) -> str:
    """All steps."""
    return "\n".join(plan.steps)


@pytest.mark.parametrize(
    ("fix", "item"),
    [
        (MARS, mars_item()),
        (MABS, mabs_item()),
        (FILE, mars_item()),
        (AGENT, vm_item()),
        (SPACE, vm_item()),
        (ELSEWHERE, sql_item()),
        (ELSEWHERE, files_item()),
    ],
    ids=lambda one: getattr(getattr(one, "spec", one), "id", None) and str(getattr(one, "name", "")),
)
async def test_a_guide_changes_nothing(fix: Fix, item: ProtectedItem) -> None:
    """No calls, no risk, numbered steps, and the same plan tomorrow."""
    azure = estate()
    plan = await fix.plan(ask(item), azure)
    assert ((), Risk.NONE, ()) == (plan.calls, plan.risk, plan.permissions)
    assert len(plan.steps) >= 4
    assert "Done" in plan.steps[-1]
    again = await fix.plan(replace(ask(item), now=NOW + 24 * HOUR), azure)
    assert plan.fingerprint("x") == again.fingerprint("x")


class TestMars:
    """guide_mars_update."""

    async def test_by_version(self) -> None:
        """Refused, too old for credentials, not reported, unknown machine."""
        old = await MARS.plan(ask(mars_item()), served(estate(), agent_version="2.0.8000.0"))
        assert "it reports 2.0.8000.0, and 2.0.9249.0 is needed" in old.sentence
        assert "0x1FBD3" in text(old)
        assert "vault credentials" in text(old)
        newer = await MARS.plan(ask(mars_item()), served(estate(), agent_version="2.0.9100.0"))
        assert "0x1FBD3" not in text(newer)
        assert "vault credentials" in text(newer)
        silent = await MARS.plan(ask(mars_item()), served(estate()))
        assert "not reported" in silent.sentence
        assert "does not mean that it is outdated" in silent.notes[0]
        assert "See which version" in text(silent)
        unknown = await MARS.plan(ask(mars_item()), estate())
        assert "does not list" in unknown.notes[0]

    async def test_by_error(self) -> None:
        """The step that belongs to the error of the last job."""
        azure = served(failing(mars_item(), "Setup stopped with 1612"), agent_version="2.0.9100.0")
        assert "OBSAGENT.msi" in text(await MARS.plan(ask(mars_item()), azure))
        azure = served(failing(mars_item(), "mismatch (0x1FBD3)"), agent_version="2.0.9300.0")
        assert "login.microsoftonline.com" in text(await MARS.plan(ask(mars_item()), azure))

    async def test_proof(self) -> None:
        """The version that the vault reports."""
        azure = served(estate(), agent_version="2.0.9100.0")
        azure.put(mars_item())
        run = Run(await MARS.plan(ask(mars_item()), azure))
        assert (await MARS.verify(run.plan, run.facts, azure, NOW)).proved is None
        assert (await MARS.verify(run.plan, run.facts, served(azure, agent_version="2.0.9262.0"), NOW)).proved is True
        azure.servers_by_vault.clear()
        assert (await MARS.verify(run.plan, run.facts, azure, NOW)).proved is None

    async def test_what_does_not_fit(self) -> None:
        """A backup server has its own guide."""
        with pytest.raises(RequestError, match="guide_mabs_update"):
            await MARS.plan(ask(mabs_item()), estate())


class TestMabs:
    """guide_mabs_update."""

    async def test_by_version_and_error(self) -> None:
        """An old server needs a stop on the way; each error has its step."""
        item = mabs_item()
        azure = served(failing(item, "too old (0x1FBD3)"), name="MABS01", server_version="12.0.332.0")
        plan = await MABS.plan(ask(item), azure)
        assert "12.0.332.0" in plan.sentence
        assert "MABS V3" in text(plan)
        assert "refuses this agent" in text(plan)
        newer = served(failing(item, "Replica is inconsistent"), name="mabs01", server_version="13.0.500.0")
        plan = await MABS.plan(ask(item), newer)
        assert "MABS V3" not in text(plan)
        assert "Consistency Check" in text(plan)
        other = failing(item, "", "CBPServerRegisteredVaultDontMatchWithCurrent")
        plan = await MABS.plan(ask(item), other)
        assert "another vault" in text(plan)
        assert "does not list" in plan.notes[0]

    async def test_proof(self) -> None:
        """The server's version."""
        azure = served(estate(), name="mabs01", server_version="12.0.0.0")
        azure.put(mabs_item())
        run = Run(await MABS.plan(ask(mabs_item()), azure))
        assert (await MABS.verify(run.plan, run.facts, azure, NOW)).proved is None
        done = served(azure, name="mabs01", server_version="14.0.30.0")
        assert (await MABS.verify(run.plan, run.facts, done, NOW)).proved is True

    async def test_what_does_not_fit(self) -> None:
        """An agent has its own guide."""
        with pytest.raises(RequestError, match="guide_mars_update"):
            await MABS.plan(ask(mars_item()), estate())


class TestFile:
    """guide_file_in_use."""

    async def test_the_file_is_named_when_the_error_names_it(self) -> None:
        """Else the log that names it."""
        azure = failing(mars_item(), rf"C:\Data\ledger 1.mdf: {HAS_NO_CODE}")
        plan = await FILE.plan(ask(mars_item()), azure)
        assert plan.steps[0].endswith(r"C:\Data\ledger 1.mdf")
        assert () == plan.notes
        plan = await FILE.plan(ask(mars_item()), failing(mars_item(), HAS_NO_CODE))
        assert "LastBackupFailedFiles" in plan.steps[0]

    async def test_another_error_is_said(self) -> None:
        """The guide may not help."""
        plan = await FILE.plan(ask(mars_item()), failing(mars_item(), "disk full"))
        assert "does not speak of a file in use" in plan.notes[0]

    @pytest.mark.parametrize(
        ("status", "at", "proved"),
        [
            ("Completed", NOW + HOUR, True),
            ("Completed", NOW - HOUR, None),
            ("Failed", NOW + HOUR, None),
        ],
    )
    async def test_proof(self, status: str, at: Any, proved: bool | None) -> None:
        """The next backup of the item, which for an agent only the item itself tells."""
        azure = estate()
        run = Run(await FILE.plan(ask(mars_item()), azure))
        azure.put(mars_item(last_backup_status=status, last_backup_at=at))
        assert (await FILE.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)).proved is proved


class TestAgent:
    """guide_repair_vm_agent."""

    async def test_by_system_workload_and_error(self) -> None:
        """Windows and Linux, machines and databases, and what the error adds."""
        azure = failing(vm_item(), "", "GuestAgentSnapshotTaskStatusError")
        azure.put(machine(agent_status="Not Ready"))
        windows = await AGENT.plan(ask(), azure)
        assert "WaAppAgent.log" in text(windows)
        assert "AppLocker" in text(windows)
        assert "it is Not Ready" in windows.sentence
        azure = failing(vm_item(), "", "GuestAgentCertificateNotFound")
        azure.put(machine(os_type="Linux", power_state="stopped", extensions=(snapshot_extension(),)))
        linux = await AGENT.plan(ask(), azure)
        assert "waagent.conf" in text(linux)
        assert "clock" in text(linux)
        assert "start_vm" in linux.steps[0]
        assert "VMSnapshot" in text(linux)
        database = await AGENT.plan(ask(sql_item()), azure)
        assert "AzureBackupWindowsWorkload" in text(database)

    async def test_proof(self) -> None:
        """Ready, lately, and nothing failed."""
        azure = estate()
        azure.put(machine(agent_status="Not Ready"))
        run = Run(await AGENT.plan(ask(), azure))
        for state, proved in (
            (machine(agent_status="Not Ready"), None),
            (machine(agent_reported_at=NOW - 2 * HOUR), None),
            (machine(extensions=(snapshot_extension(),)), None),
            (machine(agent_reported_at=NOW + timedelta(minutes=50)), True),
            (machine(agent_reported_at=None), True),
        ):
            azure.put(state)
            assert (await AGENT.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is proved

    async def test_what_does_not_fit(self) -> None:
        """A share has no agent."""
        with pytest.raises(RequestError, match="guide_repair_vm_agent is for"):
            await AGENT.plan(ask(files_item()), estate())


class TestSpace:
    """guide_free_os_disk."""

    async def test_by_system_and_error(self) -> None:
        """Windows with its shadow copies, Linux with its logs."""
        azure = failing(vm_item(), "not enough storage space (0x80042306)")
        windows = text(await SPACE.plan(ask(), azure))
        assert "vssadmin list writers" in windows
        azure.put(machine(os_type="Linux"))
        linux = text(await SPACE.plan(ask(), azure))
        assert "journalctl" in linux
        assert "vssadmin" not in linux

    async def test_proof(self) -> None:
        """A new recovery point."""
        azure = estate()
        run = Run(await SPACE.plan(ask(), azure))
        assert (await SPACE.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        azure.points[VM_ITEM.casefold()].append(point(NOW + timedelta(minutes=20)))
        assert (await SPACE.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is True


class TestElsewhere:
    """guide_restore_elsewhere."""

    @pytest.mark.parametrize(
        ("code", "step"),
        [
            ("UserErrorRestoreFailedIncompatibleSQLServerInstanceVersion", "do not fit"),
            ("UserErrorCannotRestoreExistingDBWithoutForceOverwrite", "another name"),
            ("UserErrorInsufficientSpaceForRestoreOnDisk", "too little room"),
            ("UserErrorCannotFindServerCertificateWithThumbprint", "certificate"),
        ],
    )
    async def test_a_database_by_error(self, code: str, step: str) -> None:
        """The step for the error of the last restore; without it the step is not there."""
        azure = failing(sql_item(), "", code, "Restore (Full)")
        assert step in text(await ELSEWHERE.plan(ask(sql_item()), azure))
        assert step not in text(await ELSEWHERE.plan(ask(sql_item()), estate()))

    async def test_a_share(self) -> None:
        """With the commands of Azure Files."""
        azure = failing(files_item(), "", "UserErrorTargetFileShareFull", "Restore")
        steps = text(await ELSEWHERE.plan(ask(files_item()), azure))
        assert "raise its quota" in steps
        assert "az backup restore restore-azurefileshare" in steps
        assert FILES_ITEM.rpartition("/")[2] in steps

    async def test_proof(self) -> None:
        """A completed restore of this item."""
        azure = estate()
        run = Run(await ELSEWHERE.plan(ask(sql_item()), azure))
        assert (await ELSEWHERE.verify(run.plan, run.facts, azure, NOW + HOUR)).proved is None
        mine = {"item_name": "orders", "container_name": sql_item().id.container, "started_at": NOW + HOUR}
        azure.put(job("InProgress", "Restore (Full)", **mine))
        proof = await ELSEWHERE.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)
        assert proof.proved is None
        assert "InProgress" in proof.summary
        azure.put(job("Completed", "Restore (Full)", ended_at=NOW + 2 * HOUR, **mine))
        assert (await ELSEWHERE.verify(run.plan, run.facts, azure, NOW + 2 * HOUR)).proved is True

    async def test_what_does_not_fit(self) -> None:
        """Machines are restored by the bot itself."""
        with pytest.raises(RequestError, match="restore_disks"):
            await ELSEWHERE.plan(ask(), estate())
