"""Each changing call of each fix, once with its answer lost after the effect and once refused before it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from domain.fix import Call, Kind
from tests.fix_runs.bench import Bench, bench_on, body_of
from tests.fix_runs.cases import ONE_EACH, Case

LOST: Mapping[str, Mapping[str, Any]] = {
    "cut after the effect": {"cut": True, "after_effect": True},
    "503 after the effect": {"status": 503, "after_effect": True},
    "503 before the effect": {"status": 503},
}


@pytest.mark.parametrize(
    "how", ["cut after the effect", *(pytest.param(how, marks=pytest.mark.long) for how in list(LOST)[1:])]
)
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
async def test_each_effect_happens_once(bench: Bench, case: Case, how: str) -> None:
    """The bot looks before it sends again: every call takes effect exactly once, and the fix ends proved.

    A script alone leaves nothing to look for. It is sent a second time, when what it was for has been done already.
    """
    asked = await bench.ask(case.fixes[0], await bench.target_of(case.fault), parameters=case.parameters)
    for call in asked.plan.calls:
        bench.inject(call, **LOST[how])
    await bench.approve(asked.id)
    assert await bench.end(asked.id) == "proved", await bench.story(asked.id)
    harmless = {one.resource.casefold() for one in asked.plan.requests if one.kind is Kind.ACCESS_TOKEN}
    for call in asked.plan.calls:
        mine = [
            status
            for method, path, status in bench.requests()
            if (method, path) == (call.method, call.resource.casefold())
        ]
        assert len(mine) == (1 if "after" in how and not is_script(call) else 2), (call.purpose, mine)
        if "before" in how:
            assert mine[0] == 503
            assert 200 <= mine[1] < 300
    sent = {(method, path) for method, path, _ in bench.requests() if path not in harmless}
    assert sent == {(call.method, call.resource.casefold()) for call in asked.plan.calls}
    assert bench.sim.control.faults == []


@pytest.mark.parametrize("how", ["lost answer", "somebody else's script"])
async def test_a_script_waits_for_the_one_before_it(sqlite_url: str, how: str) -> None:
    """While a script runs in the machine Azure refuses another: the bot waits for its end, and the agent is updated once."""
    case = next(one for one in ONE_EACH if one.fixes == ("update_mars_agent",))
    async with bench_on(sqlite_url, speed=0.5) as bench:
        asked = await bench.ask(case.fixes[0], await bench.target_of(case.fault), parameters=case.parameters)
        [call] = asked.plan.calls
        if how == "lost answer":
            bench.inject(call, cut=True, after_effect=True)
        else:
            assert bench.cloud.operator is not None
            await bench.cloud.operator.send(replace(call, body={**body_of(call), "script": ["Get-Date"]}))
        await bench.approve(asked.id)
        assert await bench.end(asked.id) == "proved", await bench.story(asked.id)
        answers = [status for _, _, status in bench.requests()]
        assert answers[1:] == [409] * (len(answers) - 2) + [202]
        assert len(answers) > 2
        installed, _ = bench.item_of(case.fault).more["agent_update"]
        last = max(change["at"] for change in bench.sim.world.activity if change["status"] == 202)
        assert (installed < last) is (how == "lost answer")


def is_script(call: Call) -> bool:
    """Whether the call runs one of the fixed scripts, which leaves no trace to look for and may run twice without harm."""
    return call.resource.endswith("/runCommand")
