"""Stuck jobs: by phase, by progress since the last look, by what such jobs take."""

from datetime import timedelta

import pytest

from diagnostics.checks.no_job_is_stuck import Look, judge, limit_of, no_job_is_stuck, usual_duration
from diagnostics.history import progress_text
from domain.backup import ProtectedItem
from domain.finding import Outcome
from tests.diagnostics.world import (
    NOW,
    DictLedger,
    a_context,
    a_database,
    a_job,
    a_mars_item,
    a_share,
    a_task,
    an_azure,
    an_item,
    hours,
)

SNAPSHOT, TRANSFER = "Take Snapshot", "Transfer data to vault"


def look(
    age: float, phase: str = TRANSFER, changed: float | None = None, *, operation: str = "Backup", ledger: bool = False
) -> Look:
    job = a_job("run", "InProgress", age=age, operation=operation, tasks=(a_task(phase),), progress_percent=40)
    return Look(job=job, changed_at=hours(changed) if changed is not None else None, has_ledger=ledger)


@pytest.mark.parametrize(
    ("item", "seen", "outcome", "words"),
    [
        (an_item(), look(1), Outcome.PASS, "normal queueing"),
        (an_item(), look(5), Outcome.PASS, "normal queueing and copying until 2026-11-22 10:00 UTC"),
        (an_item(), look(3, SNAPSHOT), Outcome.FAIL, "a snapshot takes minutes"),
        (an_item(), look(1.5, SNAPSHOT), Outcome.PASS, "normal queueing"),
        (an_item(), look(14), Outcome.UNKNOWN, "second look"),
        (an_item(), look(14, ledger=True), Outcome.UNKNOWN, "first look"),
        (an_item(), look(14, changed=1, ledger=True), Outcome.PASS, "slow, but its progress changed 1 h ago"),
        (an_item(), look(14, changed=5, ledger=True), Outcome.FAIL, "nothing about it has changed for 5 h"),
        (an_item(), look(6, changed=5, ledger=True), Outcome.FAIL, "nothing about it has changed for 5 h"),
        (an_item(), look(25), Outcome.FAIL, "more than twice the 12 h"),
        (an_item(last_recovery_point_at=None, last_backup_at=None), look(25), Outcome.PASS, "normal queueing"),
        (an_item(), look(7, "Transfer data from vault", operation="Restore"), Outcome.UNKNOWN, "slow"),
        (an_item(), look(13, "Transfer data from vault", operation="Restore"), Outcome.FAIL, "twice the 6 h"),
        (a_share(), look(9), Outcome.FAIL, "twice the 4 h"),
        (a_database(), look(5), Outcome.PASS, "normal queueing"),
        (a_mars_item(), look(49), Outcome.FAIL, "up to 30 days"),
        (a_mars_item(), look(20), Outcome.PASS, "normal queueing"),
    ],
)
def test_table(item: ProtectedItem, seen: Look, outcome: Outcome, words: str) -> None:
    """Each combination of workload, phase, age and progress has its verdict and its words."""
    finding = judge(item, [seen], None, NOW)
    assert finding.outcome is outcome
    assert words in finding.summary


def test_no_job_running_is_fine() -> None:
    """Nothing runs, nothing is stuck."""
    assert judge(an_item(), [], None, NOW).outcome is Outcome.PASS


def test_the_worst_of_several_jobs_counts() -> None:
    """A stuck job beside a normal one is told."""
    assert judge(an_item(), [look(1), look(25)], None, NOW).outcome is Outcome.FAIL


def test_a_job_without_a_start_is_unknown() -> None:
    """Azure may leave the start out; then nothing can be said of its age."""
    job = a_job("run", "InProgress", started_at=None)
    assert judge(an_item(), [Look(job=job)], None, NOW).outcome is Outcome.UNKNOWN


def test_what_is_usual_is_said() -> None:
    """The longest of the recent good backups is named beside the age."""
    usual = usual_duration([a_job("a", "Completed", age=50), a_job("b", "Failed", age=30), a_job("c", "InProgress")])
    assert usual == timedelta(minutes=10)
    assert "usually takes 10 min" in judge(an_item(), [look(1)], usual, NOW).summary


def test_first_backups_get_three_times_as_long() -> None:
    """The first backup copies everything."""
    new = an_item(last_recovery_point_at=None, last_backup_at=None)
    assert limit_of(new, a_job()) == 3 * limit_of(an_item(), a_job())


@pytest.mark.parametrize(
    ("item", "suggested"),
    [(an_item(), ("cancel_and_rerun_backup",)), (a_mars_item(), ("guide_mars_update",))],
)
def test_the_way_out_fits_the_workload(item: ProtectedItem, suggested: tuple[str, ...]) -> None:
    """MARS jobs cannot be cancelled from Azure."""
    assert judge(item, [look(60)], None, NOW).suggests == suggested


async def test_progress_since_the_last_look_counts_as_moving() -> None:
    """When the ledger holds another text than the job shows now, the job moves."""
    azure = an_azure()
    job = a_job("run", "InProgress", age=14, tasks=(a_task(TRANSFER),), progress_percent=60)
    azure.put(job)
    moved = DictLedger(looks={"run": (hours(9), "40 % (Transfer data to vault: InProgress)")})
    assert (await no_job_is_stuck(a_context(azure, ledger=moved))).outcome is Outcome.PASS
    still = DictLedger(looks={"run": (hours(9), progress_text(job))})
    assert (await no_job_is_stuck(a_context(azure, ledger=still))).outcome is Outcome.FAIL
    unseen = DictLedger()
    assert (await no_job_is_stuck(a_context(azure, ledger=unseen))).outcome is Outcome.UNKNOWN


async def test_jobs_of_weeks_ago_are_found() -> None:
    """A machine that died leaves its job running for weeks, long after other jobs have left the recent list."""
    azure = an_azure()
    item = a_mars_item()
    azure.put(a_job("dead", "InProgress", age=24 * 20, item_name="C:\\", container_name="srv-file-01.contoso.local"))
    assert (await no_job_is_stuck(a_context(azure, item))).facts["job_id"] == "dead"
