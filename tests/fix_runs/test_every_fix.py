"""Every fault of the demonstration estate that a fix can mend is mended by it: asked for, approved, done, proved, clean."""

from datetime import timedelta

import pytest

from domain.fix import RunFacts
from simulator.faults import FAULTS
from tests.fix_runs.bench import CATALOGUE, Bench, body_of, shown
from tests.fix_runs.cases import CASES, GUIDED, ONE_EACH, PROBES, Case


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_it_is_mended(bench: Bench, case: Case) -> None:
    """Each fix is asked for, approved, done exactly as shown and proved; then the same diagnosis finds nothing any more."""
    before = await bench.diagnosis(case.fault)
    assert before.failed
    assert case.fixes[0] == next(fix for fix in bench.seeded(case.fault).fixes if not CATALOGUE[fix].spec.guide)
    for fix in case.fixes:
        asked, state = await bench.fix(fix, await bench.target_of(case.fault), **case.parameters)
        assert state == "proved", await bench.story(asked.id)
    bench.advance(case.until_clean)
    after = await bench.diagnosis(case.fault)
    left = {finding.check: finding.summary for finding in after.failed}
    assert left == {}
    assert await bench.holds()


@pytest.mark.parametrize("case", [*CASES, *PROBES], ids=str)
async def test_what_is_shown_is_what_is_sent(bench: Bench, case: Case) -> None:
    """The simulator logged exactly the requests of the plan: method, resource, api version and body, in that order."""
    asked, _ = await bench.fix(case.fixes[0], await bench.target_of(case.fault), **case.parameters)
    logged = [one for one in bench.sim.control.log if one["identity"] == "operator" and one["method"] != "GET"]
    assert [(one["method"], one["path"].casefold()) for one in logged] == shown(asked.plan)
    for call, one in zip(asked.plan.requests, logged, strict=True):
        assert f"api-version={call.api_version}" in one["query"].split("&")
        sent = dict(one.get("body") or {})
        if call.filled:  # the secret that another answer gave is in no plan
            assert sent.pop(call.filled)
        assert sent == {name: value for name, value in body_of(call).items() if name != call.filled}


def test_no_fault_and_no_fix_is_left_out() -> None:
    """Every fault with a fix has its case, and every fix and guide of the catalogue a fault that names it."""
    mended = {case.fault for case in CASES}
    guides = {name for name, fix in CATALOGUE.items() if fix.spec.guide}
    fixable = {name for name, fault in FAULTS.items() if fault.fixes}
    assert fixable == mended | set(GUIDED)
    assert {case.fixes[0] for case in ONE_EACH} == CATALOGUE.keys() - guides
    assert {FAULTS[fault].fixes[0] for fault in GUIDED} == guides


@pytest.mark.parametrize("fault", GUIDED)
async def test_people_follow_a_guide(bench: Bench, fault: str) -> None:
    """A guide has steps and no calls; when people did them and the next backup ran, it is proved and all is clean."""
    seeded = bench.seeded(fault)
    target = await bench.target_of(fault)
    plan = await bench.approvals.plan(seeded.fixes[0], target, {})
    assert len(plan.steps) >= 3
    assert plan.calls == ()
    assert (await bench.diagnosis(fault)).failed
    began = bench.now()
    bench.repair(fault)
    bench.advance(timedelta(days=1, hours=2))
    facts = RunFacts(started_at=began, references=())
    proof = await CATALOGUE[plan.fix].verify(plan, facts, bench.services.read(), bench.now())
    assert proof.proved is True, proof.summary
    left = {finding.check: finding.summary for finding in (await bench.diagnosis(fault)).failed}
    assert left == {}
    assert bench.requests() == []


async def test_looking_into_the_disk_is_proved_and_mends_nothing(bench: Bench) -> None:
    """The probe runs its script once and tells the values; the disk is as full as before until people make room."""
    target = await bench.target_of("os_disk_full")
    asked, state = await bench.fix("probe_os_disk", target)
    assert state == "proved", await bench.story(asked.id)
    assert [(method, path) for method, path, _ in bench.requests()] == shown(asked.plan)
    assert (await bench.diagnosis("os_disk_full")).failed
    bench.repair("os_disk_full")
    asked, state = await bench.fix("rerun_backup", target)
    assert state == "proved", await bench.story(asked.id)
    assert (await bench.diagnosis("os_disk_full")).failed == ()
