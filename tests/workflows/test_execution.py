"""Doing what was approved, whatever Azure answers, and whenever the bot stops in between."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.store import tables as t
from bot.workflows.execution import BUGS_AT_MOST
from bot.workflows.runs import LostRaceError, Run
from domain.approval import StepState
from domain.arm import key
from domain.backup import OperationStatus
from domain.errors import (
    BadRequest,
    Conflict,
    GatewayUnavailable,
    OutcomeUnknown,
    PermissionDenied,
    ResourceNotFound,
    Throttled,
)
from domain.fix import Call, FixPlan, Kind, Proof, Receipt, RunFacts
from domain.ports import BackupReader
from fixes.registry import Fix, FixSpec, PlanRequest
from tests.fixes.world import KEY_VAULT, VM_ITEM
from tests.workflows.world import ANA, BEN, EVE, ITEM, MINUTE, World, world_on

HOUR = timedelta(hours=1)
LOST = OutcomeUnknown("no answer came in time")


async def test_a_lost_answer_is_looked_for_and_found(world: World) -> None:
    """The backup began, its answer was lost: it is found in the job list, and not sent again."""
    world.operator.answers = [LOST]
    world.operator.effect_despite_error = True
    approval_id = await world.approved()
    assert "proved" == await world.proved(approval_id)
    assert 1 == world.sent(Kind.BACKUP)
    assert "run.found" in await world.events(approval_id)


async def test_a_lost_call_that_did_not_happen_is_sent_again(world: World) -> None:
    """Azure's lists have caught up and there is no job: it is sent once more."""
    world.operator.answers = [LOST]
    approval_id = await world.approved()
    assert "proved" == await world.proved(approval_id)
    assert (2, 1) == (world.sent(Kind.BACKUP), world.jobs)


async def test_what_never_has_an_effect_is_not_sent_for_ever(sqlite_world: World) -> None:
    """Sent three times, never seen: failed, with the locks given back."""
    sqlite_world.operator.answers = [LOST] * 10
    approval_id = await sqlite_world.approved()
    assert "failed" == await sqlite_world.proved(approval_id)
    assert 3 == sqlite_world.sent(Kind.BACKUP)
    assert [] == await sqlite_world.locks()


async def test_what_cannot_be_told_becomes_unclear(world: World) -> None:
    """The answer is lost and Azure cannot be read: after five minutes of looking a person has to decide."""
    approval_id = await world.approved()
    world.operator.answers = [LOST]
    world.operator.effect_despite_error = True

    def blind(call: Call) -> None:
        world.happens(call)
        world.azure.fail("jobs", GatewayUnavailable("Azure does not answer"))

    world.operator.effect = blind
    assert "unclear" == await world.proved(approval_id, ticks=90, by=timedelta(seconds=6))
    assert (1, []) == (world.sent(Kind.BACKUP), await world.locks())


async def test_a_grant_with_a_lost_answer_is_one_grant(world: World) -> None:
    """A role under a name of its own: found where it happened, sent again where it did not, one assignment either way."""
    for despite in (True, False):
        world.operator.answers = [LOST]
        world.operator.effect_despite_error = despite
        approval_id = await world.approved("grant_key_vault_access")
        assert "proved" == await world.proved(approval_id)
        assert 1 == len(world.azure.assignments)
        world.azure.assignments.clear()
        world.azure.bodies = {name: body for name, body in world.azure.bodies.items() if "roleassign" not in name}


async def test_an_unreachable_azure_is_tried_three_times(sqlite_world: World) -> None:
    """Nothing left the machine: the same call is sent again later, and given up visibly."""
    sqlite_world.operator.answers = [GatewayUnavailable("connection refused")] * 2
    approval_id = await sqlite_world.approved()
    assert "proved" == await sqlite_world.proved(approval_id)
    assert (3, 1) == (sqlite_world.sent(Kind.BACKUP), sqlite_world.jobs)
    sqlite_world.operator.answers = [GatewayUnavailable("connection refused")] * 9
    approval_id = await sqlite_world.approved()
    assert "failed" == await sqlite_world.proved(approval_id)
    assert 6 == sqlite_world.sent(Kind.BACKUP)


async def test_throttling_is_waited_out(world: World) -> None:
    """Five times 429 with a time to wait: nothing is sent before it, and it is no failure."""
    world.operator.answers = [Throttled("too many", retry_after=timedelta(minutes=10)) for _ in range(5)]
    approval_id = await world.approved()
    await world.work()
    assert 1 == world.sent(Kind.BACKUP)
    await world.tick(9 * MINUTE)
    assert 1 == world.sent(Kind.BACKUP)
    assert "proved" == await world.proved(approval_id)
    assert (6, 1) == (world.sent(Kind.BACKUP), world.jobs)


async def test_a_conflict_adopts_what_is_there(world: World) -> None:
    """Azure says that a backup is running already, and it began after ours was decided: that job is followed."""
    world.operator.answers = [Conflict("another backup is in progress", code="UserErrorConflictingOperation")]
    approval_id = await world.approved()
    world.start_job()
    world.azure.calls.clear()
    # The plan is made before the job is listed: Azure's list lags behind.
    job = world.azure.jobs_by_vault[ITEM.vault.key].pop("job-1")
    await _first_pass(world, approval_id)
    world.azure.put(job)
    assert "proved" == await world.proved(approval_id)
    assert 1 == world.sent(Kind.BACKUP)


async def _first_pass(world: World, approval_id: str) -> None:
    """Enter executing, without driving the run yet."""
    await world.drive("approval", approval_id)
    await world.lose_work()


@pytest.mark.parametrize(
    "error", [PermissionDenied("no right"), BadRequest("wrong"), Conflict("no"), ResourceNotFound("gone")]
)
async def test_a_refusal_ends_the_run(sqlite_world: World, error: Exception) -> None:
    """Azure said no and nothing is there: failed, with Azure's words, one call sent, nothing after it."""
    sqlite_world.operator.answers = [error]
    approval_id = await sqlite_world.approved("grant_key_vault_access")
    assert "failed" == await sqlite_world.proved(approval_id)
    assert ["failed", "skipped"] == [step["state"] for step in await sqlite_world.steps(approval_id)]
    assert (1, []) == (len(sqlite_world.operator.sent), await sqlite_world.locks())
    assert str(error) in (await sqlite_world.row(approval_id))["note"]
    assert "run.refused" in await sqlite_world.events(approval_id)


async def test_a_new_right_is_given_time_before_it_is_used(world: World) -> None:
    """The backup is sent only when the role has had five minutes to reach every service."""
    approval_id = await world.approved("grant_key_vault_access")
    await world.work()
    assert (1, 0) == (world.sent(Kind.ROLE_ASSIGNMENT), world.sent(Kind.BACKUP))
    await world.tick(4 * MINUTE)
    assert 0 == world.sent(Kind.BACKUP)
    await world.tick(2 * MINUTE)
    assert 1 == world.sent(Kind.BACKUP)
    assert "proved" == await world.proved(approval_id)


async def test_a_failed_job_fails_the_run(world: World) -> None:
    """The job ended badly: failed, no lock left."""
    world.job_ends_as = "Failed"
    approval_id = await world.approved()
    assert "failed" == await world.proved(approval_id)
    assert [] == await world.locks()


async def test_a_job_without_a_recovery_point_is_not_proved(world: World) -> None:
    """Completed, but no new point after a day: unproved, and said so."""
    approval_id = await world.approved()
    await world.work()
    world.end_jobs()
    world.azure.points[VM_ITEM.casefold()].clear()
    assert "unproved" == await world.proved(approval_id, ticks=60, by=30 * MINUTE)
    assert "not proved in time" in (await world.row(approval_id))["note"]
    assert [] == await world.locks()


@pytest.mark.parametrize(
    ("trouble", "end"), [("running", "unproved"), ("unreadable", "unclear"), ("forgotten", "unproved")]
)
async def test_a_job_that_never_ends_ends_the_run(sqlite_world: World, trouble: str, end: str) -> None:
    """Azure never comes to an end, or never says how it went: after the limit the request has ended, its locks are free."""
    approval_id = await sqlite_world.approved()
    await sqlite_world.work()
    if trouble == "unreadable":
        for read in ("jobs", "job", "operation"):
            sqlite_world.azure.fail(read, PermissionDenied("no right any more"))
    elif trouble == "forgotten":
        sqlite_world.azure.operations["op-1"] = OperationStatus(id="op-1", status="InProgress")
        sqlite_world.azure.jobs_by_vault.clear()
    for _ in range(60):
        await sqlite_world.tick(30 * MINUTE)
    assert end == await sqlite_world.state(approval_id)
    assert [] == await sqlite_world.locks()


async def test_only_one_fix_at_a_time_works_on_a_thing(world: World) -> None:
    """A second fix of the same item waits, says on whom, and goes on when the first has ended."""
    first = await world.approved()
    second = (await world.ask("grant_key_vault_access", actor=EVE)).id
    await world.approvals.decide(second, "approve", BEN)
    await world.drive("approval", first)
    holders = {row["run_id"] for row in await world.store.all(sa.select(t.locks))}
    await world.drive("approval", second)
    row = await world.row(second)
    assert ("approved", True) == (row["state"], row["note"].startswith(f"Waits for {first} (Run the backup again)"))
    assert holders == {row["run_id"] for row in await world.store.all(sa.select(t.locks))}
    assert "proved" == await world.proved(first)
    await world.proved(second, ticks=20)
    assert "proved" == await world.state(second)
    assert [] == await world.locks()
    runs = [await world.run_of(one) for one in (first, second)]
    assert runs[0] is not None
    assert runs[1] is not None
    assert runs[0]["ended_at"] <= runs[1]["started_at"]


async def test_two_approved_fixes_enter_one_after_the_other(world: World) -> None:
    """Both begin at the same moment on two connections: one has all the locks, the other none."""
    first = await world.approved()
    second = (await world.ask("grant_key_vault_access", actor=EVE)).id
    await world.approvals.decide(second, "approve", BEN)
    await asyncio.gather(world.drive("approval", first), world.drive("approval", second))
    assert ["approved", "executing"] == sorted([await world.state(first), await world.state(second)])
    assert 1 == len({row["run_id"] for row in await world.store.all(sa.select(t.locks))})


async def test_driving_twice_at_once_sends_once(world: World) -> None:
    """The lease ran out while the call was under way, or the engine delivered twice: one call, one start, one end."""
    approval_id = await world.approved()
    await asyncio.gather(*(world.drive("approval", approval_id) for _ in range(4)))
    run = await world.run_of(approval_id)
    assert run is not None
    await asyncio.gather(*(world.drive("run", run["id"]) for _ in range(4)))
    assert "proved" == await world.proved(approval_id)
    assert 1 == world.sent(Kind.BACKUP)
    assert 1 == (await world.events(approval_id)).count("run.started")


async def test_two_replicas_that_drive_at_once_send_once(world: World) -> None:
    """Two processes with the same row: whoever writes the intention first sends, the other one leaves."""
    approval_id = await world.approved()
    await world.drive("approval", approval_id)
    run = await world.run_of(approval_id)
    assert run is not None
    here = world.execution
    world.restart()
    await asyncio.gather(here.drive(run["id"]), world.execution.drive(run["id"]))
    assert "proved" == await world.proved(approval_id)
    assert (1, 1) == (world.sent(Kind.BACKUP), world.jobs)


async def test_a_pass_that_lost_the_race_writes_nothing(sqlite_world: World) -> None:
    """Somebody else went on while this pass was sending: what it learned does not overwrite the winner."""
    approval_id = await sqlite_world.approved()
    await sqlite_world.drive("approval", approval_id)
    run = await sqlite_world.run_of(approval_id)
    assert run is not None
    other = [
        {
            "state": "sent",
            "reference": {"job_id": "theirs"},
            "note": "the winner's",
            "intent_at": "2026-11-22T03:00:00+00:00",
        }
    ]
    planned = await sqlite_world.store.get(t.fix_runs, run["id"])
    assert planned is not None
    late = Run.of(planned, sqlite_world.services, sqlite_world.incidents.fix_ended)
    late.steps = [{"state": "failed", "reference": {}}]
    async with sqlite_world.store.begin() as tx:
        await tx.execute(t.fix_runs.update().values(steps=other, revision=planned["revision"] + 1))
    with pytest.raises(LostRaceError, match=r"^$"):
        await late.save()
    assert other == await sqlite_world.steps(approval_id)


async def test_a_stale_heartbeat_sends_nothing(world: World) -> None:
    """A process that may have been replaced waits; when it is heard again it goes on."""
    world.services.may_change = lambda: False
    approval_id = await world.approved()
    await world.work()
    await world.tick(MINUTE)
    assert [] == world.operator.sent
    world.services.may_change = lambda: True
    assert "proved" == await world.proved(approval_id)


async def test_a_process_frozen_after_the_intention_does_not_send(world: World) -> None:
    """Frozen between writing the intention and sending: on waking it is stale, so it sends nothing; somebody looks first."""
    answers = iter([True])
    world.services.may_change = lambda: next(answers, False)
    approval_id = await world.approved()
    await world.work()
    assert ([], ["intended"]) == (world.operator.sent, [step["state"] for step in await world.steps(approval_id)])
    world.services.may_change = lambda: True
    assert "proved" == await world.proved(approval_id)
    assert 1 == world.sent(Kind.BACKUP)


@pytest.mark.parametrize("lost_at", range(0, 12, 2))
async def test_work_lost_at_any_point_is_found_again(sqlite_world: World, lost_at: int) -> None:
    """Whatever the engine loses, the tick hands out again: nothing live is without a due time."""
    approval_id = await sqlite_world.approved("grant_key_vault_access")
    for turn in range(40):
        if turn == lost_at:
            await sqlite_world.lose_work()
            sqlite_world.restart()
        await sqlite_world.tick(MINUTE)
        sqlite_world.end_jobs()
    assert "proved" == await sqlite_world.state(approval_id)
    assert (1, 1) == (sqlite_world.sent(Kind.ROLE_ASSIGNMENT), sqlite_world.sent(Kind.BACKUP))


async def test_an_azure_that_cannot_be_read_before_the_start_is_waited_for(sqlite_world: World) -> None:
    """The plan cannot be made again: nothing runs, it says why, and gives up after ten minutes."""
    approval_id = await sqlite_world.approved()
    sqlite_world.azure.fail("item", GatewayUnavailable("Azure does not answer"))
    await sqlite_world.tick(MINUTE)
    assert "Waiting to read Azure again" in (await sqlite_world.row(approval_id))["note"]
    sqlite_world.azure.heal("item")
    assert "proved" == await sqlite_world.proved(approval_id)
    approval_id = await sqlite_world.approved()
    sqlite_world.azure.fail("item", GatewayUnavailable("Azure does not answer"))
    assert "failed" == await sqlite_world.proved(approval_id)
    assert "could not be read" in (await sqlite_world.row(approval_id))["note"]


# -- fixes of our own ----------------------------------------------------------------------------------------------------


class Broken:
    """A fix whose proof has a bug."""

    def __init__(self, inner: Fix) -> None:
        self._inner = inner

    @property
    def spec(self) -> FixSpec:
        return self._inner.spec

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        return await self._inner.plan(request, read)

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: object) -> Proof:
        raise KeyError("a bug")


async def test_a_bug_of_ours_ends_the_run(sqlite_world: World) -> None:
    """A fault in the bot itself: tried a few times, then a person gets it, and no lock is left."""
    fixes: Mapping[str, Fix] = sqlite_world.services.fixes
    sqlite_world.services.fixes = {**fixes, "rerun_backup": Broken(fixes["rerun_backup"])}
    approval_id = await sqlite_world.approved()
    assert "unclear" == await sqlite_world.proved(approval_id, ticks=BUGS_AT_MOST + 10)
    assert ("the bot itself failed" in (await sqlite_world.row(approval_id))["note"], []) == (
        True,
        await sqlite_world.locks(),
    )


async def test_a_fix_that_is_gone_ends_the_run(sqlite_world: World) -> None:
    """A newer version without the fix finds a run of it: it ends unproved instead of failing for ever."""
    approval_id = await sqlite_world.approved()
    await sqlite_world.work()
    sqlite_world.services.fixes = {}
    assert "unproved" == await sqlite_world.proved(approval_id)


class Lifting(Broken):
    """Takes a lock away, backs up, and puts the lock back whatever happens."""

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        plan = await self._inner.plan(request, read)
        lock = f"{KEY_VAULT}/providers/Microsoft.Authorization/locks/keep"

        def call(method: str, **more: object) -> Call:
            return Call(
                method=method,
                resource=lock,
                api_version="2020-05-01",
                purpose=f"{method} the lock",
                action="Microsoft.Authorization/locks/write",
                scope=KEY_VAULT,
                **more,  # type: ignore[arg-type]  # the few members that differ
            )

        lift = call("DELETE", kind=Kind.RESOURCE)
        back = call("PUT", kind=Kind.RESOURCE, body={"properties": {"level": "ReadOnly"}}, always=True)
        return replace(plan, calls=(lift, *plan.calls, back))

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: object) -> Proof:
        return Proof(proved=True, summary="the lock is back")


@pytest.fixture
async def lifting(sqlite_url: str) -> AsyncIterator[World]:
    """A world in which running a backup again lifts a lock."""
    async with world_on(sqlite_url) as world:
        fixes = world.services.fixes
        world.services.fixes = {**fixes, "rerun_backup": Lifting(fixes["rerun_backup"])}

        def happens(call: Call) -> None:
            if call.kind is Kind.RESOURCE and call.method == "PUT":
                world.azure.bodies[key(call.resource)] = call.body  # type: ignore[assignment]  # a mapping here
            elif call.kind is Kind.RESOURCE:
                world.azure.bodies.pop(key(call.resource), None)
            world.happens(call)

        world.operator.effect = happens
        yield world


async def test_what_was_lifted_is_put_back_after_a_failure(lifting: World) -> None:
    """The step between fails: what puts things back runs all the same, and the request says failed."""
    lifting.operator.answers = [Receipt(status=200), PermissionDenied("no right")]
    approval_id = await lifting.approved()
    assert "failed" == await lifting.proved(approval_id)
    assert ["DELETE", "POST", "PUT"] == [call.method for call in lifting.operator.sent]
    assert ["done", "failed", "done"] == [step["state"] for step in await lifting.steps(approval_id)]


async def test_putting_back_is_tried_longer_than_anything_else(lifting: World) -> None:
    """Azure is away for ten attempts at the very end: the lock still comes back."""
    away = [GatewayUnavailable("connection refused")] * 10
    lifting.operator.answers = [Receipt(status=200), PermissionDenied("no right"), *away]
    approval_id = await lifting.approved()
    assert "failed" == await lifting.proved(approval_id)
    assert StepState.DONE == (await lifting.steps(approval_id))[2]["state"]


async def test_every_call_of_a_run_is_in_the_record(world: World) -> None:
    """Intention, sending with Azure's correlation id and the identity used, end and proof of each step."""
    approval_id = await world.approved("grant_key_vault_access")
    assert "proved" == await world.proved(approval_id)
    sent = [line["data"] for line in await world.audit("run.sent")]
    assert ["correlation-1", "correlation-2"] == [line["correlation_id"] for line in sent]
    assert {world.operator.client_id} == {line["identity"] for line in sent}
    assert ["PUT", "POST"] == [line["data"]["method"] for line in await world.audit("run.intended")]
    assert (await world.chain()).ok
    assert await world.audit("run.proved")
    assert ANA.id == (await world.audit("approval.approved"))[0]["actor"]["id"]
