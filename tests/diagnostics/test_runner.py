"""The runner: what runs when, side by side, within its limits, whatever a check does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from diagnostics.registry import Check, Context, RestoreTarget, discover
from diagnostics.runner import diagnose, ordered
from domain.backup import Workload
from domain.errors import NotFound, PermissionDenied, Throttled
from domain.finding import Blind, Finding, Outcome
from tests.diagnostics.world import a_context, a_job, a_share, an_azure, an_error

Run = Callable[[Context], Awaitable[Finding]]
CHECKS = discover()


def a_check(name: str, run: Run, **changes: object) -> Check:
    base = replace(CHECKS["last_backup_succeeded"], id=name, run=run, about="item")
    return replace(base, **changes)  # type: ignore[arg-type]


def answering(name: str, outcome: Outcome = Outcome.PASS) -> Run:
    async def run(_: Context) -> Finding:
        return Finding(check=name, outcome=outcome, summary="said")

    return run


def table(*checks: Check) -> Mapping[str, Check]:
    return {check.id: check for check in checks}


async def test_checks_run_side_by_side() -> None:
    """Two checks that wait for each other both finish."""
    first, second = asyncio.Event(), asyncio.Event()

    async def one(_: Context) -> Finding:
        first.set()
        await second.wait()
        return Finding(check="one", outcome=Outcome.PASS, summary="")

    async def two(_: Context) -> Finding:
        second.set()
        await first.wait()
        return Finding(check="two", outcome=Outcome.PASS, summary="")

    diagnosis = await diagnose(a_context(an_azure()), table(a_check("one", one), a_check("two", two)), limit_s=5)
    assert diagnosis.complete
    assert [finding.outcome for finding in diagnosis.findings] == [Outcome.PASS, Outcome.PASS]


async def test_findings_come_in_a_stable_order() -> None:
    """FAIL, UNKNOWN, PASS, NOT_APPLICABLE; by name within each."""
    outcomes = [Outcome.PASS, Outcome.FAIL, Outcome.NOT_APPLICABLE, Outcome.UNKNOWN, Outcome.FAIL]
    findings = [Finding(check=f"c{5 - n}", outcome=one, summary="") for n, one in enumerate(outcomes)]
    assert [(one.outcome.value, one.check) for one in ordered(findings)] == [
        ("FAIL", "c1"),
        ("FAIL", "c4"),
        ("UNKNOWN", "c2"),
        ("PASS", "c5"),
        ("NOT_APPLICABLE", "c3"),
    ]


async def test_a_bug_in_one_check_stays_with_it() -> None:
    """Its finding is UNKNOWN with a surprise, the error is handed on, the others answer."""

    async def broken(_: Context) -> Finding:
        raise ZeroDivisionError

    bugs: list[tuple[str, Exception]] = []
    diagnosis = await diagnose(
        a_context(an_azure()),
        table(a_check("broken", broken), a_check("well", answering("well"))),
        on_bug=lambda check, error: bugs.append((check, error)),
    )
    assert [(one.check, one.blind) for one in diagnosis.findings] == [("broken", Blind.SURPRISE), ("well", Blind.NO)]
    assert [(check, type(error)) for check, error in bugs] == [("broken", ZeroDivisionError)]


@pytest.mark.parametrize(
    ("error", "blind", "words"),
    [
        (
            PermissionDenied("x", action="Microsoft.A/b/read", scope="/s/1"),
            Blind.DENIED,
            "lacks Microsoft.A/b/read at /s/1",
        ),
        (PermissionDenied("x"), Blind.DENIED, "backupJobs/read"),
        (
            Throttled("x", retry_after=timedelta(minutes=5)),
            Blind.THROTTLED,
            "try again in 5 min, at 2026-11-22 03:05 UTC",
        ),
        (Throttled("x"), Blind.THROTTLED, "try again in some minutes"),
    ],
)
async def test_a_read_that_failed_says_what_to_do(error: Exception, blind: Blind, words: str) -> None:
    """The missing permission, or the time to try again."""

    async def run(_: Context) -> Finding:
        raise error

    (finding,) = (await diagnose(a_context(an_azure()), table(a_check("one", run)))).findings
    assert finding.outcome is Outcome.UNKNOWN
    assert finding.blind is blind
    assert words in finding.summary


async def never(_: Context) -> Finding:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_slow_check_is_given_up_alone() -> None:
    """Its own limit makes it UNKNOWN; the others answer, and the diagnosis says that it is not complete."""
    checks = table(a_check("slow", never), a_check("well", answering("well")))
    diagnosis = await diagnose(a_context(an_azure()), checks, each_s=0.02, limit_s=5)
    assert not diagnosis.complete
    assert [(one.check, one.blind) for one in diagnosis.findings] == [("slow", Blind.TIMED_OUT), ("well", Blind.NO)]


@pytest.mark.parametrize("each_s", [0.05, 60.0])
async def test_the_overall_limit_yields_what_there_is(each_s: float) -> None:
    """Unfinished checks are UNKNOWN, finished ones stay, and the diagnosis says that it is not complete."""
    checks = table(a_check("slow", never), a_check("well", answering("well")))
    diagnosis = await diagnose(a_context(an_azure()), checks, limit_s=0.05, each_s=each_s)
    assert not diagnosis.complete
    assert [(one.check, one.blind) for one in diagnosis.findings] == [("slow", Blind.TIMED_OUT), ("well", Blind.NO)]
    assert diagnosis.exit_code == 3


async def test_reads_under_way_end_with_the_diagnosis() -> None:
    """When time is up nothing goes on reading in the background."""
    azure = an_azure()
    before = asyncio.all_tasks()
    checks = table(a_check("slow", never), *CHECKS.values())
    await diagnose(a_context(azure), checks, limit_s=0.05)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_progress_is_told_finding_by_finding() -> None:
    """Each finding is handed on as it comes, with the seconds it took."""
    seen: list[Finding] = []

    async def note(finding: Finding) -> None:
        seen.append(finding)

    names = ["a", "b", "c"]
    await diagnose(a_context(an_azure()), table(*(a_check(name, answering(name)) for name in names)), on_finding=note)
    assert sorted(one.check for one in seen) == names
    assert all(one.seconds > 0 for one in seen)


async def test_only_the_named_checks_run_and_unknown_names_are_refused() -> None:
    """Names are looked up, the nearest ones suggested; a check of a vault runs for an item when it is asked for."""
    azure = an_azure()
    diagnosis = await diagnose(a_context(azure), CHECKS, only=("soft_delete_is_on", "policy_meets_rpo"))
    assert {one.check for one in diagnosis.findings} == {"soft_delete_is_on", "policy_meets_rpo"}
    with pytest.raises(NotFound) as refused:
        await diagnose(a_context(azure), CHECKS, only=("policy_meets_rto",))
    assert "policy_meets_rpo" in refused.value.nearest


async def test_misfits_are_not_applicable() -> None:
    """A VM's check asked of a share, an item's check asked of a vault: both say so."""
    (finding,) = (await diagnose(a_context(an_azure(), a_share()), CHECKS, only=("vm_agent_responds",))).findings
    assert finding.outcome is Outcome.NOT_APPLICABLE
    assert "file share" in finding.summary
    (finding,) = (await diagnose(a_context(an_azure(), of_vault=True), CHECKS, only=("vm_agent_responds",))).findings
    assert finding.outcome is Outcome.NOT_APPLICABLE


def restore_checks() -> set[str]:
    return {check.id for check in CHECKS.values() if check.about == "restore"}


async def test_the_checks_of_a_restore_join_in_when_one_failed() -> None:
    """They are left out of a healthy item's diagnosis, and come with a failed restore, a target, or a wish."""
    azure = an_azure()
    healthy = await diagnose(a_context(azure), CHECKS)
    assert not restore_checks() & {one.check for one in healthy.findings}
    for context, restore in (
        (a_context(azure, target=RestoreTarget(vm_size="Standard_D2s_v5")), None),
        (a_context(azure, failed_job=a_job(operation="Restore")), None),
        (a_context(azure), True),
    ):
        asked = await diagnose(context, CHECKS, restore=restore)
        assert restore_checks() <= {one.check for one in asked.findings}
    azure.put(a_job(operation="Restore", errors=(an_error("UserErrorSkuNotAvailable"),)))
    failed = await diagnose(a_context(azure), CHECKS)
    assert restore_checks() <= {one.check for one in failed.findings}
    unwanted = await diagnose(a_context(azure), CHECKS, restore=False)
    assert not restore_checks() & {one.check for one in unwanted.findings}


async def test_a_vault_runs_the_vaults_checks() -> None:
    """Without an item the three checks of the vault run, and nothing else."""
    diagnosis = await diagnose(a_context(an_azure(), of_vault=True), CHECKS)
    assert {one.check for one in diagnosis.findings} == {
        "soft_delete_is_on",
        "failures_reach_on_call",
        "restore_was_tested_this_quarter",
    }
    assert diagnosis.item_name == "-"


async def test_no_call_is_made_twice() -> None:
    """A full diagnosis of a VM asks each question once, in at most twenty reads."""
    azure = an_azure()
    azure.put(a_job(errors=(an_error("UserErrorVmNotInDesirableState"),)))
    await diagnose(a_context(azure), CHECKS)
    repeated = [
        call for call in azure.calls if azure.calls.count(call) > 1 and call[0] not in {"jobs", "recovery_points"}
    ]
    assert repeated == []
    assert azure.count("jobs") <= 3
    assert azure.count("recovery_points") <= 2
    assert len(azure.calls) <= 20


async def test_only_fitting_checks_run() -> None:
    """Checks of other workloads are left out without a word."""
    diagnosis = await diagnose(a_context(an_azure(), a_share()), CHECKS)
    for finding in diagnosis.findings:
        assert Workload.FILES in CHECKS[finding.check].workloads
