"""Every fix against the simulated cloud, through the real SDK: planned, sent, followed, proved; also without an answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest

from bot.gateways.azure_operator import AzureOperator
from bot.gateways.azure_reader import AzureReader
from bot.gateways.azure_wiring import AzureConnection, Cloud
from domain.arm import VaultId
from domain.errors import Conflict, OutcomeUnknown
from domain.fix import Call, FixPlan, Kind, Proof, RunFacts, Stage
from fixes.assignments import revocation
from fixes.registry import FixSettings, PlanRequest, discover, whole_vault
from fixes.steps import send, step_for
from simulator.control import InjectedFault
from simulator.server import Simulator
from simulator.world.model import stable_uuid

FIXES = discover()
ENABLED = frozenset(name for name, fix in FIXES.items() if fix.spec.off_by_default)


@dataclass
class Bench:
    """The simulation, both identities, and the shortest possible driver of a plan."""

    sim: Simulator
    reader: AzureReader
    operator: AzureOperator

    def now(self) -> datetime:
        """The time of the simulated world."""
        return self.sim.clock.now()

    async def request(self, fault: str, **parameters: str) -> PlanRequest:
        """What a handler would ask for, at the place where the estate has that fault."""
        seeded = next(one for one in self.sim.world.seeded if one.fault == fault)
        vault = await self.reader.vault(VaultId.parse(seeded.vault.id))
        if seeded.item == "-":
            subject = whole_vault(vault)
        else:
            listed = next(one for one in await self.reader.items(vault.id) if one.name == seeded.item)
            subject = await self.reader.item(listed.id)
        settings = FixSettings(enabled=ENABLED, alert_webhook="https://bot.contoso.com/webhooks/azure-monitor")
        return PlanRequest(vault=vault, item=subject, parameters=parameters, settings=settings, now=self.now())

    async def run(self, plan: FixPlan) -> RunFacts:
        """Send and follow each call, looking first after every lost answer."""
        started = self.now()
        references = [await self.one(call) for call in plan.calls]
        return RunFacts(started_at=started, references=tuple(references))

    async def one(self, call: Call) -> Mapping[str, str]:
        """One call to its end."""
        since = self.now()
        reference = await self.sent(call, since)
        async with asyncio.timeout(60):
            while True:
                progress = await step_for(call.kind).follow(call, reference, since, self.reader)
                reference = progress.reference
                if progress.stage is Stage.FAILED:
                    raise AssertionError(f"{call.purpose}: {progress.code} {progress.note}")
                if progress.stage is Stage.DONE:
                    break
                await asyncio.sleep(0.05)
        if call.settle:
            self.sim.clock.advance(300)
        return reference

    async def sent(self, call: Call, since: datetime) -> Mapping[str, str]:
        """Send, and after a lost answer look before anything is sent again."""
        async with asyncio.timeout(60):
            while True:
                try:
                    receipt = await send(call, self.operator)
                except (OutcomeUnknown, Conflict):
                    seen = await step_for(call.kind).look(call, since, self.reader)
                    for settled in (False, True) * 20:
                        if seen.there is not None:
                            break
                        await asyncio.sleep(0.05)
                        seen = await step_for(call.kind).look(call, since, self.reader, settled=settled)
                    if seen.there:
                        return seen.reference
                else:
                    return {"operation_id": receipt.operation_id}

    async def proof(self, plan: FixPlan, facts: RunFacts) -> Proof:
        """Ask for the proof until there is an answer."""
        fix = FIXES[plan.fix]
        async with asyncio.timeout(30):
            while True:
                proof = await fix.verify(plan, facts, self.reader, self.now())
                if proof.proved is not None:
                    return proof
                await asyncio.sleep(0.05)

    def changes(self) -> list[tuple[str, str]]:
        """The changing requests that the operator made, as (method, path)."""
        return [
            (entry["method"], entry["path"].casefold())
            for entry in self.sim.control.log
            if entry["identity"] == "operator" and entry["method"] != "GET"
        ]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A fast simulation of the demonstration estate."""
    async with Simulator("contoso", speed=6000) as sim:
        env = sim.env
        where = Cloud(
            endpoint=sim.arm,
            scope=env["BACKUPBOT_ARM_SCOPE"],
            ca_file=env["BACKUPBOT_CA_FILE"],
            graph_endpoint=env["BACKUPBOT_GRAPH_ENDPOINT"],
        )
        async with AzureConnection(where) as connection:
            reads, changes = connection.reader_credential(env), connection.operator_credential(env)
            assert changes is not None
            yield Bench(sim, AzureReader(connection, reads), AzureOperator(connection, changes))


UNTIL = {"rights_until": "2099-01-01T00:00:00Z"}
LISBON = (
    f"/subscriptions/{stable_uuid('subscription', 'contoso-prod')}/resourceGroups/rg-lisbon"
    "/providers/Microsoft.Compute/virtualMachines/vm-lisbon-01"
)
"""The Azure VM on which an outdated MARS agent runs, as a person names it."""
CASES: Sequence[tuple[str, str, Mapping[str, str]]] = (
    ("transient", "rerun_backup", {}),
    ("health_degraded", "rerun_backup", {}),
    ("key_vault_access", "grant_key_vault_access", UNTIL),
    ("key_vault_policy", "add_key_vault_policy", {}),
    ("extension_failed", "reinstall_snapshot_extension", {}),
    ("extension_hidden_failure", "reinstall_snapshot_extension", {}),
    ("provisioning_failed", "reapply_vm", {}),
    ("vm_deallocated", "start_vm", {}),
    ("protection_stopped", "resume_protection", {}),
    ("soft_deleted", "undelete_item", {}),
    ("job_stuck", "cancel_and_rerun_backup", {}),
    ("backups_suspended", "resume_protection", {}),
    ("policy_inconsistent", "resume_protection", {}),
    ("restore_size_unavailable", "restore_to_other_region", {}),
    ("restore_quota_full", "restore_to_other_region", {}),
    ("restore_target_locked", "lift_lock_for_restore", {}),
    ("restore_storage_region", "restore_disks", {}),
    ("restore_storage_firewall", "restore_disks", {}),
    ("vault_identity_role", "assign_backup_role", UNTIL),
    ("sql_full_missing", "rerun_backup", {}),
    ("sql_log_chain_broken", "rerun_backup", {}),
    ("database_host_deallocated", "start_vm", {}),
    ("hana_system_db_down", "rerun_backup", {}),
    ("os_disk_full", "probe_os_disk", {}),
    ("mars_outdated_on_vm", "update_mars_agent", {"vm": LISBON}),
    ("soft_delete_off", "enable_soft_delete", {}),
    ("alerts_off", "enable_failure_alerts", {"email": "oncall@contoso.com"}),
)
"""A fault of the estate, the fix for it, and what a person would set."""

CASE = pytest.mark.parametrize(
    ("fault", "fix", "parameters"), CASES, ids=[f"{fix} for {fault}" for fault, fix, _ in CASES]
)


@CASE
async def test_from_plan_to_proof(bench: Bench, fault: str, fix: str, parameters: Mapping[str, str]) -> None:
    """The plan changes nothing and is the same a minute later; it is sent exactly as shown, and ends proved."""
    first = await FIXES[fix].plan(await bench.request(fault, **parameters), bench.reader)
    bench.sim.clock.advance(60)
    plan = await FIXES[fix].plan(await bench.request(fault, **parameters), bench.reader)
    assert first.hashed("x") == plan.hashed("x")
    assert () == plan.problems
    assert [] == bench.changes()
    facts = await bench.run(plan)
    assert (await bench.proof(plan, facts)).proved is True
    assert shown(plan) == bench.changes()


@CASE
async def test_each_effect_happens_once_when_answers_are_lost(
    bench: Bench, fault: str, fix: str, parameters: Mapping[str, str]
) -> None:
    """Each changing call takes effect and its answer is lost: looking finds it, and nothing is sent twice."""
    plan = await FIXES[fix].plan(await bench.request(fault, **parameters), bench.reader)
    for call in plan.calls:
        tail = call.resource.rpartition("/")[2].replace(";", ".")
        bench.sim.control.faults.append(
            InjectedFault(method=call.method, path=rf"/{tail}$", cut=True, count=1, after_effect=True)
        )
    facts = await bench.run(plan)
    assert (await bench.proof(plan, facts)).proved is True
    # A script leaves nothing to look for, so it runs once more; it only reads, or finds its work done.
    again = shown(plan) if fix in {"probe_os_disk", "update_mars_agent"} else []
    assert shown(plan) + again == bench.changes()


def shown(plan: FixPlan) -> list[tuple[str, str]]:
    """The requests of the plan, as (method, path in lower case)."""
    return [(call.method, call.resource.casefold()) for call in plan.requests]


async def test_a_temporary_right_is_taken_back(bench: Bench) -> None:
    """The call that takes a right back is followed like any other, for roles and for access policies."""
    for fault, fix in (("key_vault_access", "grant_key_vault_access"), ("key_vault_policy", "add_key_vault_policy")):
        plan = await FIXES[fix].plan(await bench.request(fault, **UNTIL), bench.reader)
        grant = plan.calls[0]
        assert grant.kind in {Kind.ROLE_ASSIGNMENT, Kind.RESOURCE}
        await bench.one(grant)
        assert (await step_for(grant.kind).look(grant, bench.now(), bench.reader)).there is True
        taken = revocation(grant)
        await bench.one(taken)
        assert (await step_for(taken.kind).look(taken, bench.now(), bench.reader)).there is True
        assert (await step_for(grant.kind).look(grant, bench.now(), bench.reader)).there is False


@pytest.mark.parametrize(
    ("fault", "fix"),
    [
        ("mars_outdated", "guide_mars_update"),
        ("mabs_outdated", "guide_mabs_update"),
        ("mars_file_in_use", "guide_file_in_use"),
        ("agent_dead", "guide_repair_vm_agent"),
        ("workload_extension_failed", "guide_repair_vm_agent"),
        ("os_disk_full", "guide_free_os_disk"),
        ("mars_outdated_on_vm", "guide_mars_update"),
        ("restore_database_exists", "guide_restore_elsewhere"),
        ("restore_share_full", "guide_restore_elsewhere"),
    ],
)
async def test_guides_are_for_what_is_there(bench: Bench, fault: str, fix: str) -> None:
    """Each guide is made from real reads, changes nothing, and is not proved as long as nobody did anything."""
    plan = await FIXES[fix].plan(await bench.request(fault), bench.reader)
    assert len(plan.steps) >= 4
    facts = RunFacts(started_at=bench.now(), references=())
    assert (await FIXES[fix].verify(plan, facts, bench.reader, bench.now())).proved is None
    assert [] == bench.changes()
