"""What the operator lacks is said before anybody approves; rights handed out for a time are surely taken back."""

from datetime import datetime, timedelta

import pytest

from domain.errors import NotFound, RequestError
from domain.fix import Call, Kind
from fixes.steps import step_for
from simulator.world.access import grants
from simulator.world.model import Role
from tests.fix_runs.bench import ANA, Bench
from tests.fix_runs.cases import ONE_EACH, Case

TWO_HOURS = timedelta(hours=2)
TIMED = pytest.mark.parametrize(
    ("fault", "fix"),
    [
        pytest.param("key_vault_access", "grant_key_vault_access", id="a role on a key vault"),
        pytest.param("key_vault_policy", "add_key_vault_policy", id="an access policy of a key vault"),
        pytest.param("vault_identity_role", "assign_backup_role", id="roles of the vault's identity"),
    ],
)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
async def test_a_missing_permission_is_named_before_anybody_approves(bench: Bench, case: Case) -> None:
    """Without any one of its permissions the fix is refused at once, naming the action and the scope; nothing is asked."""
    target = await bench.target_of(case.fault)
    plan = await bench.approvals.plan(case.fixes[0], target, case.parameters)
    assert plan.permissions
    for action, scope in plan.permissions:
        roles = _roles_of_the_operator(bench, action)
        for role in roles:
            role.not_actions = (*role.not_actions, action)
        with pytest.raises(RequestError) as refusal:
            await bench.ask(case.fixes[0], target, parameters=case.parameters)
        assert f"lacks {action} at {scope}" in str(refusal.value)
        for role in roles:
            role.not_actions = role.not_actions[:-1]
    assert bench.requests() == []
    assert "approval.requested" not in await bench.events()


def _roles_of_the_operator(bench: Bench, action: str) -> list[Role]:
    world = bench.sim.world
    operator = next(one for one in world.principals.values() if one.name == "operator")
    held = {one.role.casefold() for one in world.assignments.values() if one.principal == operator.oid}
    found = [role for role in world.roles.values() if role.guid.casefold() in held and grants(role, action)]
    assert found
    return found


@TIMED
async def test_a_right_for_two_hours_is_gone_after_two_hours(bench: Bench, fault: str, fix: str) -> None:
    """The revoke is stored before the grant is sent; the right holds until its time, and is gone when it has passed."""
    until = bench.now() + TWO_HOURS
    asked, state = await bench.fix(fix, await bench.target_of(fault), rights_until=_words(until))
    assert state == "proved", await bench.story(asked.id)
    events = await bench.events()
    assert events.index("grant.revoke_stored") < events.index("run.sent")
    await bench.until(until - timedelta(minutes=1))
    assert await _held(bench, asked.plan.calls) is True
    await bench.until(until + timedelta(minutes=2))
    assert await _held(bench, asked.plan.calls) is False
    assert {row["state"] for row in await bench.grants_rows()} == {"revoked"}
    assert len(await bench.grants_rows()) == len(_granting(asked.plan.calls))


@TIMED
async def test_a_right_is_taken_back_by_the_bot_that_starts_after_its_time(bench: Bench, fault: str, fix: str) -> None:
    """The bot is down when the two hours end: the one that starts a day later takes the right back first of all."""
    until = bench.now() + TWO_HOURS
    asked, state = await bench.fix(fix, await bench.target_of(fault), rights_until=_words(until))
    assert state == "proved", await bench.story(asked.id)
    bench.advance(timedelta(days=1))
    assert await _held(bench, asked.plan.calls) is True
    bench.restart()
    await bench.tick()
    assert await _held(bench, asked.plan.calls) is False


@TIMED
async def test_dying_while_it_is_taken_back(bench: Bench, fault: str, fix: str) -> None:
    """The process dies at every moment of the revoke, and the answer to it is lost: the right is gone all the same."""
    until = bench.now() + TWO_HOURS
    asked, _ = await bench.fix(fix, await bench.target_of(fault), rights_until=_words(until))
    bench.killer.armed = lambda _: True
    method, verb = ("PUT", "remove") if fix == "add_key_vault_policy" else ("DELETE", "[0-9a-f-]{36}")
    bench.inject_at(method, rf"/{verb}$", status=503, after_effect=True)
    await bench.until(until + timedelta(minutes=10))
    assert await _held(bench, asked.plan.calls) is False
    assert {row["state"] for row in await bench.grants_rows()} == {"revoked"}


@TIMED
async def test_a_right_is_taken_back_early(bench: Bench, fault: str, fix: str) -> None:
    """Somebody takes the right back before its time; a second wish finds nothing left to take."""
    asked, _ = await bench.fix(fix, await bench.target_of(fault), rights_until=_words(bench.now() + TWO_HOURS))
    run = await bench.run_of(asked.id)
    assert await bench.grants.revoke_now(run["id"], ANA) == len(_granting(asked.plan.calls))
    await bench.work()
    assert await _held(bench, asked.plan.calls) is False
    with pytest.raises(NotFound):
        await bench.grants.revoke_now(run["id"], ANA)


@TIMED
async def test_a_right_whose_time_has_passed_is_not_granted(bench: Bench, fault: str, fix: str) -> None:
    """Approved in time, but the bot was down until the right's end: nothing is granted any more, and it says so."""
    until = bench.now() + TWO_HOURS
    asked = await bench.ask(fix, await bench.target_of(fault), parameters={"rights_until": _words(until)})
    await bench.approve(asked.id)
    bench.advance(TWO_HOURS)
    assert await bench.end(asked.id) == "failed"
    assert "is over" in (await bench.row(asked.id))["note"]
    assert bench.requests() == []


@TIMED
async def test_a_right_is_not_granted_after_its_revoke(bench: Bench, fault: str, fix: str) -> None:
    """Dying between the stored revoke and the grant, and coming back after the revoke's time, leaves no right behind."""
    until = bench.now() + TWO_HOURS
    asked = await bench.ask(fix, await bench.target_of(fault), parameters={"rights_until": _words(until)})
    bench.killer.armed = lambda moment: moment == "after run.intended 1"
    await bench.approve(asked.id)
    await bench.work()
    assert bench.killer.hit == ["after run.intended 1"]
    bench.advance(timedelta(hours=3))
    assert await bench.end(asked.id) == "failed", await bench.story(asked.id)
    await bench.until(bench.now() + timedelta(minutes=10))
    assert await _held(bench, asked.plan.calls) is False


async def test_a_right_that_was_there_is_left_alone(bench: Bench) -> None:
    """A right that was found is neither granted nor revoked, and the plan says so."""
    target = await bench.target_of("key_vault_access")
    first, state = await bench.fix("grant_key_vault_access", target)
    assert state == "proved"
    until = bench.now() + TWO_HOURS
    second, state = await bench.fix("grant_key_vault_access", target, rights_until=_words(until))
    assert state == "proved", await bench.story(second.id)
    assert [call.kind for call in second.plan.calls] == [Kind.BACKUP]
    assert any("was there already and is left alone" in note for note in second.plan.notes)
    await bench.until(until + timedelta(minutes=10))
    assert await _held(bench, first.plan.calls) is True
    assert list(await bench.grants_rows()) == []


async def test_somebody_else_grants_it_at_the_same_time(bench: Bench) -> None:
    """Azure says that the role is there already under another name: the fix goes on, and never takes that one away."""
    target = await bench.target_of("key_vault_access")
    until = bench.now() + TWO_HOURS
    asked = await bench.ask("grant_key_vault_access", target, parameters={"rights_until": _words(until)})
    bench.killer.armed = lambda moment: moment == "after run.intended 1"
    await bench.approve(asked.id)
    await bench.work()
    await bench.grant_by_hand(asked.plan.calls[0])
    assert await bench.end(asked.id) == "proved", await bench.story(asked.id)
    await bench.until(until + timedelta(minutes=10))
    assert await _held(bench, asked.plan.calls) is True


def _words(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _granting(calls: tuple[Call, ...]) -> list[Call]:
    return [call for call in calls if call.kind in {Kind.ROLE_ASSIGNMENT, Kind.RESOURCE}]


async def _held(bench: Bench, calls: tuple[Call, ...]) -> bool | None:
    """Whether Azure shows the rights that the calls grant: all True, all False, None where they differ."""
    read = bench.services.read()
    seen = {(await step_for(call.kind).look(call, bench.now(), read)).there for call in _granting(calls)}
    return seen.pop() if len(seen) == 1 else None
