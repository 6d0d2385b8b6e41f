"""No proof, no success: what does not show in time ends unproved, and its incident stays open and says what is missing."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Row
from domain.arm import ItemId
from domain.fix import Kind
from domain.incident import Alert, Operation
from simulator.world.model import Point
from tests.fix_runs.bench import Bench, bench_on

HOUR = timedelta(hours=1)


class NoMore(list[Point]):
    """Recovery points of an item whose backups make none."""

    def append(self, point: Point) -> None:
        """Nothing is kept."""


@pytest.fixture
async def patient(sqlite_url: str) -> AsyncIterator[Bench]:
    """A bench that waits one hour beyond the expected duration, and looks every ten minutes."""
    async with bench_on(sqlite_url, proof_within=HOUR, poll=timedelta(minutes=10)) as one:
        yield one


async def test_a_backup_without_a_new_point(patient: Bench) -> None:
    """The job completes, but no recovery point appears: unproved after the limit, the incident open with the reason."""
    item = patient.item_of("transient")
    incident = await opened(patient, await patient.target_of("transient"))
    asked = await patient.ask("rerun_backup", await patient.target_of("transient"), incident_id=incident)
    item.points = NoMore(item.points)
    await patient.approve(asked.id)
    began = patient.now()
    assert await patient.end(asked.id) == "unproved", await patient.story(asked.id)
    assert asked.plan.duration + HOUR <= patient.now() - began < asked.plan.duration + 2 * HOUR
    note = str((await patient.row(asked.id))["note"])
    assert "no new recovery point" in note
    await stays_open(patient, incident, "no new recovery point")


async def test_a_job_that_never_ends(patient: Bench) -> None:
    """The backup hangs in its first phase: unproved after the limit, its locks are given back, nothing is sent twice."""
    item = patient.item_of("transient")
    incident = await opened(patient, await patient.target_of("transient"))
    asked = await patient.ask("rerun_backup", await patient.target_of("transient"), incident_id=incident)
    patient.killer.hangs = item
    await patient.approve(asked.id)
    assert await patient.end(asked.id) == "unproved", await patient.story(asked.id)
    assert await patient.store.all(sa.select(t.locks)) == []
    assert len(patient.requests()) == 1
    await stays_open(patient, incident, "it did not end in time")


async def test_an_agent_that_its_vault_never_hears_of(patient: Bench) -> None:
    """The script ran and installed the agent, but the vault goes on reporting the old version: no success is claimed."""
    asked = await patient.ask("update_mars_agent", await patient.target_of("mars_outdated_on_vm"))
    patient.item_of("mars_outdated_on_vm").more["silent"] = True
    await patient.approve(asked.id)
    assert await patient.end(asked.id) == "unproved", await patient.story(asked.id)
    assert "still reports 2.0.8703.0" in str((await patient.row(asked.id))["note"])
    assert len(patient.requests()) == 1


async def test_the_lock_is_back_when_the_restore_never_ends(patient: Bench) -> None:
    """A restore that hangs does not keep the lock away for ever: it is put back when the time is over."""
    before = sorted((lock.scope, lock.name, lock.level, lock.notes) for lock in patient.sim.world.locks)
    asked = await patient.ask("lift_lock_for_restore", await patient.target_of("restore_target_locked"))
    patient.killer.hangs = patient.item_of("restore_target_locked")
    await patient.approve(asked.id)
    assert await patient.end(asked.id) == "unproved", await patient.story(asked.id)
    assert sorted((lock.scope, lock.name, lock.level, lock.notes) for lock in patient.sim.world.locks) == before


async def test_a_proved_fix_closes_its_incident(bench: Bench) -> None:
    """With its proof the incident is closed, and the reason names it."""
    incident = await opened(bench, await bench.target_of("transient"))
    asked = await bench.ask("rerun_backup", await bench.target_of("transient"), incident_id=incident)
    await bench.approve(asked.id)
    assert await bench.end(asked.id) == "proved", await bench.story(asked.id)
    row = await incident_row(bench, incident)
    assert row["state"] == "closed"
    assert "recovery point" in row["closed_reason"]


async def test_a_refused_fix_leaves_its_incident_open(bench: Bench) -> None:
    """Azure refuses the backup: the fix fails with Azure's code, and the incident stays open."""
    incident = await opened(bench, await bench.target_of("transient"))
    asked = await bench.ask("rerun_backup", await bench.target_of("transient"), incident_id=incident)
    backup = next(call for call in asked.plan.calls if call.kind is Kind.BACKUP)
    bench.inject(backup, status=400, code="UserErrorNotToday")
    await bench.approve(asked.id)
    assert await bench.end(asked.id) == "failed", await bench.story(asked.id)
    await stays_open(bench, incident, "UserErrorNotToday")


async def opened(bench: Bench, item: ItemId) -> str:
    """The incident that an alert of Azure Monitor opens."""
    async with bench.store.begin() as tx:
        await tx.insert(t.alerts, id="ALR-1", delivery_key="alert-1|fired", payload={}, received_at=tx.now)
    alert = Alert(
        alert_id="alert-1",
        condition="Fired",
        rule="job failed",
        severity="Sev1",
        service="Azure Backup",
        fired_at=bench.now(),
        description="",
        vault_id=item.vault.id,
        item_id=item.id,
        item_name="",
        source_id="",
        job_id="",
        code="",
        operation=Operation.BACKUP,
    )
    await bench.incidents.from_alert("ALR-1", alert)
    await bench.work()
    found = await bench.store.one(sa.select(t.incidents.c.id))
    assert found is not None
    return str(found["id"])


async def incident_row(bench: Bench, incident: str) -> Row:
    """The incident's row."""
    found = await bench.store.get(t.incidents, incident)
    assert found is not None
    return found


async def stays_open(bench: Bench, incident: str, missing: str) -> None:
    """The incident is open, and the record says in it why the fix did not end it."""
    assert (await incident_row(bench, incident))["state"] == "open"
    lines = await bench.store.all(sa.select(t.audit.c.data).where(t.audit.c.event == "incident.fix_ended"))
    assert missing in str(lines[-1]["data"])
