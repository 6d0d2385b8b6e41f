"""Each changing call of each fix, once with its answer lost after the effect and once refused before it."""

from collections.abc import Mapping
from typing import Any

import pytest

from domain.fix import Kind
from tests.fix_runs.bench import Bench
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
    """The bot looks before it sends again: every call takes effect exactly once, and the fix ends proved."""
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
        assert len(mine) == (1 if "after" in how else 2), (call.purpose, mine)
        if "before" in how:
            assert mine[0] == 503
            assert 200 <= mine[1] < 300
    sent = {(method, path) for method, path, _ in bench.requests() if path not in harmless}
    assert sent == {(call.method, call.resource.casefold()) for call in asked.plan.calls}
    assert bench.sim.control.faults == []
