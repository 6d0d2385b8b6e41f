"""Without an operator identity the plan and its commands are shown, people run them, and the bot looks again."""

import shlex
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.errors import RequestError
from fixes.registry import FixSettings
from tests.fix_runs.bench import CATALOGUE, OFF_BY_DEFAULT, Bench, bench_on
from tests.fix_runs.cases import CASES, ONE_EACH, Case


@pytest.fixture
async def reading(sqlite_url: str) -> AsyncIterator[Bench]:
    """A bench without an operator."""
    async with bench_on(sqlite_url, read_only=True) as one:
        yield one


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
async def test_people_get_the_commands(reading: Bench, case: Case) -> None:
    """Nothing is asked for and nothing sent; the answer holds every command, each one that a shell takes as it stands."""
    target = await reading.target_of(case.fault)
    plan = await reading.approvals.plan(case.fixes[0], target, case.parameters)
    with pytest.raises(RequestError) as answer:
        await reading.ask(case.fixes[0], target, parameters=case.parameters)
    assert "read-only" in str(answer.value)
    assert "Done, check again" in str(answer.value)
    assert plan.az
    for command in plan.az:
        assert command in str(answer.value)
        assert shlex.split(command)[0] == "az"
    assert reading.requests() == []
    assert await reading.events() == []


async def test_done_check_again(reading: Bench) -> None:
    """What a person did by hand shows in the next diagnosis."""
    assert (await reading.diagnosis("agent_dead")).failed
    reading.repair("agent_dead")
    reading.advance(timedelta(days=1, hours=2))
    assert (await reading.diagnosis("agent_dead")).failed == ()


@pytest.mark.parametrize("fix", sorted(OFF_BY_DEFAULT))
async def test_what_is_off_says_how_to_turn_it_on(sqlite_url: str, fix: str) -> None:
    """A fix that is off by default cannot be asked for; the answer names the setting and the right that it hands out."""
    async with bench_on(sqlite_url, fix_settings=FixSettings()) as bench:
        with pytest.raises(RequestError) as answer:
            await bench.ask(fix, await bench.target_of("transient"))
        assert f'enable = ["{fix}"] under [fixes]' in str(answer.value)
        assert CATALOGUE[fix].spec.hands_out in str(answer.value)
        assert CATALOGUE[fix].spec.hands_out


async def test_a_restore_that_failed_days_ago_is_still_known(bench: Bench) -> None:
    """The failed restore tells where to restore to also when backups have gone well since."""
    case = next(one for one in CASES if one.fault == "restore_storage_region")
    bench.advance(timedelta(days=3))
    asked, state = await bench.fix(case.fixes[0], await bench.target_of(case.fault))
    assert state == "proved", await bench.story(asked.id)
