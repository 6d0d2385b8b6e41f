"""The process dies at every moment of a fix, and the one that starts after it goes on from the rows alone."""

import pytest

from domain.fix import Kind
from tests.fix_runs.bench import Bench
from tests.fix_runs.cases import CASES, ONE_EACH_OR_LONG, Case


@pytest.mark.parametrize("case", ONE_EACH_OR_LONG, ids=str)
async def test_the_fix_ends_as_if_nothing_had_happened(bench: Bench, case: Case) -> None:
    """After each line of the record and each call that Azure took, all work in memory is lost: proved, each effect once."""
    asked = await bench.ask(case.fixes[0], await bench.target_of(case.fault), parameters=case.parameters)
    bench.killer.armed = lambda _: True
    await bench.approve(asked.id)
    assert await bench.end(asked.id) == "proved", await bench.story(asked.id)
    moments = {"after approval.approved", "after run.started", "after run.proved"}
    for number, call in enumerate(asked.plan.calls, start=1):
        moments |= {f"after run.intended {number}", f"after Azure took: {call.purpose}", f"after run.done {number}"}
    assert moments <= set(bench.killer.hit)
    assert effects(bench) == sorted((call.method, call.resource.casefold()) for call in asked.plan.calls)
    assert await bench.holds()


@pytest.mark.parametrize("moment", ["before the call leaves", "after Azure took it"])
async def test_both_databases(any_bench: Bench, moment: str) -> None:
    """The same on SQLite and PostgreSQL, dying at a single moment of a fix with a right and a backup."""
    bench, case = any_bench, next(one for one in CASES if one.fault == "key_vault_access")
    asked = await bench.ask(case.fixes[0], await bench.target_of(case.fault))
    words = "after run.intended" if moment.startswith("before") else "after Azure took"
    bench.killer.armed = lambda one: one.startswith(words)
    await bench.approve(asked.id)
    assert await bench.end(asked.id) == "proved", await bench.story(asked.id)
    assert len(bench.killer.hit) == 2
    assert effects(bench) == sorted((call.method, call.resource.casefold()) for call in asked.plan.calls)


@pytest.mark.parametrize("dying", [False, True], ids=["alive", "dying at every moment"])
async def test_the_lock_is_back_when_the_restore_is_refused(bench: Bench, dying: bool) -> None:
    """Azure refuses the restore after the lock was lifted: the fix fails, and the lock is back as it was."""
    target = await bench.target_of("restore_target_locked")
    before = sorted((lock.scope, lock.name, lock.level, lock.notes) for lock in bench.sim.world.locks)
    asked = await bench.ask("lift_lock_for_restore", target)
    restore = next(call for call in asked.plan.calls if call.kind is Kind.RESTORE)
    bench.inject(restore, status=400, code="UserErrorRestoreNotPossible")
    bench.killer.armed = lambda _: dying
    await bench.approve(asked.id)
    assert await bench.end(asked.id) == "failed", await bench.story(asked.id)
    assert "UserErrorRestoreNotPossible" in (await bench.row(asked.id))["note"]
    assert sorted((lock.scope, lock.name, lock.level, lock.notes) for lock in bench.sim.world.locks) == before
    assert [(method, status // 100) for method, _, status in bench.requests()] == [
        ("DELETE", 2),
        ("POST", 4),
        ("PUT", 2),
    ]


def effects(bench: Bench) -> list[tuple[str, str]]:
    """The requests that took effect, without those for access tokens; a script that was sent twice counts once."""
    taken = [
        (method, path)
        for method, path, status in bench.requests()
        if 200 <= status < 300 and not path.endswith("/accesstoken")
    ]
    scripts = {one for one in taken if one[1].endswith("/runcommand")}
    return sorted([*scripts, *(one for one in taken if one not in scripts)])
