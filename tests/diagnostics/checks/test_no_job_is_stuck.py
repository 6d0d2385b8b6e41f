"""Stuck jobs: by phase, by progress since the last look, by what such jobs take."""

from dataclasses import replace
from datetime import timedelta

import pytest

from diagnostics.checks.no_job_is_stuck import Look, judge, limit_of, no_job_is_stuck, usual_duration
from diagnostics.history import progress_text
from diagnostics.registry import EarlierLook
from domain.backup import ProtectedItem
from domain.errors import ResourceNotFound
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
    age: float,
    phase: str = TRANSFER,
    *,
    percent: int | None = 40,
    then: int | None = None,
    since: float | None = None,
    seen: float | None = None,
    moved: bool = False,
    operation: str = "Backup",
    ledger: bool = True,
    usual: float | None = None,
) -> Look:
    """A job that has run for ``age`` hours; an earlier look, ``seen`` hours ago, knew it at ``then`` percent ``since`` then.

    ``then`` is where it is now unless it is given; without ``since`` there was no earlier look.
    """
    job = a_job("run", "InProgress", age=age, operation=operation, tasks=(a_task(phase),), progress_percent=percent)
    earlier = None
    if since is not None:
        before = replace(job, progress_percent=percent if then is None else then)
        earlier = EarlierLook(
            progress=progress_text(before),
            since=hours(since),
            seen_at=hours(since if seen is None else seen),
            moved=moved,
        )
    return Look(job=job, earlier=earlier, has_ledger=ledger, usual=None if usual is None else timedelta(hours=usual))


NEW = an_item(last_recovery_point_at=None, last_backup_at=None)
AWAY = "Transfer data from vault"


@pytest.mark.parametrize(
    ("item", "seen", "outcome", "words"),
    [
        # at the first look, or without a store
        (an_item(), look(1), Outcome.PASS, "normal queueing"),
        (an_item(), look(5), Outcome.PASS, "normal queueing and copying until 2026-11-22 10:00 UTC"),
        (an_item(), look(3, SNAPSHOT), Outcome.FAIL, "a snapshot takes minutes"),
        (an_item(), look(1.5, SNAPSHOT), Outcome.PASS, "normal queueing"),
        (an_item(), look(14, ledger=False), Outcome.UNKNOWN, "second look, which the running bot takes"),
        (an_item(), look(14), Outcome.UNKNOWN, "this is the first look"),
        (an_item(), look(25), Outcome.FAIL, "more than twice the 12 h"),
        (an_item(), look(25, ledger=False), Outcome.FAIL, "more than twice the 12 h"),
        (NEW, look(25), Outcome.PASS, "normal queueing"),
        (an_item(), look(7, AWAY, operation="Restore"), Outcome.UNKNOWN, "slow"),
        (an_item(), look(13, AWAY, operation="Restore"), Outcome.FAIL, "twice the 6 h"),
        (a_share(), look(9), Outcome.FAIL, "twice the 4 h"),
        (a_database(), look(5), Outcome.PASS, "normal queueing"),
        (a_mars_item(), look(49), Outcome.FAIL, "up to 30 days"),
        (a_mars_item(), look(20), Outcome.PASS, "normal queueing"),
        # it stands where an earlier look saw it
        (
            an_item(),
            look(14, since=5, seen=3),
            Outcome.FAIL,
            "since 2026-11-21 22:00 UTC: the look of 5 h ago saw the same",
        ),
        (an_item(), look(14, since=5, percent=None), Outcome.FAIL, "it is slow, and it does not move"),
        (an_item(), look(14, since=5, moved=True), Outcome.FAIL, "it is slow, and it does not move"),
        (an_item(), look(14, since=1), Outcome.UNKNOWN, "if it has not moved by 2026-11-22 06:00 UTC, it is stuck"),
        (an_item(), look(14, since=1), Outcome.UNKNOWN, "the look of 1 h ago saw the same"),
        (an_item(), look(25, since=1), Outcome.FAIL, "more than twice the 12 h"),
        (an_item(), look(3, SNAPSHOT, since=2), Outcome.FAIL, "No progress since 2026-11-22 01:00 UTC"),
        (an_item(), look(6, since=5), Outcome.FAIL, "its percentage does not move any more"),
        (an_item(), look(6, since=3), Outcome.PASS, "normal queueing"),
        # marks that may stand for hours in a job that is well
        (an_item(), look(6, since=5, percent=None), Outcome.PASS, "normal queueing"),
        (an_item(), look(6, AWAY, since=5, percent=1, operation="Restore"), Outcome.PASS, "normal queueing"),
        (a_mars_item(), look(20, since=12, percent=None), Outcome.PASS, "normal queueing"),
        # it has moved since an earlier look
        (an_item(), look(14, then=30, since=5, seen=3), Outcome.PASS, "It has moved since the look of 3 h ago"),
        (an_item(), look(6, then=30, since=5), Outcome.PASS, "normal queueing"),
        (
            an_item(),
            look(14, since=1, moved=True),
            Outcome.PASS,
            "slow, but it moves. Its progress was last seen to change 1 h ago",
        ),
        (an_item(), look(25, then=30, since=9), Outcome.PASS, "slow, but it moves"),
        (an_item(), look(3, SNAPSHOT, then=30, since=1), Outcome.PASS, "It has moved since the look of 1 h ago"),
        # the item's own history
        (an_item(), look(6, since=5, percent=None, usual=1), Outcome.FAIL, "more than 3 times what it usually takes"),
        (an_item(), look(6, since=5, percent=None, usual=4), Outcome.PASS, "it usually takes 4 h"),
        (an_item(), look(6, since=3, percent=None, usual=1), Outcome.PASS, "normal queueing"),
        (an_item(), look(6, percent=None, usual=1), Outcome.PASS, "normal queueing"),
        (an_item(), look(6, then=30, since=5, usual=1), Outcome.PASS, "normal queueing"),
        (an_item(), look(14, since=5, percent=None, usual=10), Outcome.PASS, "until 2026-11-22 04:00 UTC"),
        (an_item(), look(29, usual=20), Outcome.PASS, "normal queueing"),
        (an_item(), look(61, usual=20), Outcome.FAIL, "more than twice the 30 h"),
    ],
)
def test_table(item: ProtectedItem, seen: Look, outcome: Outcome, words: str) -> None:
    """Each combination of workload, phase, age, earlier look and history has its verdict and its words."""
    finding = judge(item, [seen], NOW)
    assert words in finding.summary
    assert finding.outcome is outcome


def test_no_job_running_is_fine() -> None:
    """Nothing runs, nothing is stuck."""
    assert judge(an_item(), [], NOW).outcome is Outcome.PASS


def test_the_worst_of_several_jobs_counts() -> None:
    """A stuck job beside a normal one is told."""
    assert judge(an_item(), [look(1), look(25)], NOW).outcome is Outcome.FAIL


def test_a_job_without_a_start_is_unknown() -> None:
    """Azure may leave the start out; then nothing can be said of its age."""
    job = a_job("run", "InProgress", started_at=None)
    assert judge(an_item(), [Look(job=job)], NOW).outcome is Outcome.UNKNOWN


def test_what_is_usual_is_said() -> None:
    """The longest of the recent good jobs of the same operation is named beside the age."""
    full = replace(a_job("d", "Completed", age=40, operation="Backup (Full)"), ended_at=hours(30))
    jobs = [a_job("a", "Completed", age=50), a_job("b", "Failed", age=30), a_job("c", "InProgress"), full]
    usual = usual_duration(jobs, a_job())
    assert usual == timedelta(minutes=10)
    assert "usually takes 10 min" in judge(an_item(), [look(1, usual=1 / 6)], NOW).summary
    assert usual_duration(jobs, full) == timedelta(hours=10)
    assert usual_duration(jobs, a_job(operation="Restore")) is None


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
    assert judge(item, [look(60)], NOW).suggests == suggested


async def test_each_look_is_told_and_the_one_before_it_counts() -> None:
    """The ledger gets the job, how far it is and when; what it knew of it decides."""
    azure = an_azure()
    job = a_job("run", "InProgress", age=14, tasks=(a_task(TRANSFER),), progress_percent=60)
    azure.put(job)
    mark = "60 % (Transfer data to vault: InProgress)"
    for known, outcome in (
        (mark.replace("60", "40"), Outcome.PASS),
        (mark, Outcome.FAIL),
        (None, Outcome.UNKNOWN),
    ):
        earlier = EarlierLook(progress=known or "", since=hours(9), seen_at=hours(2), moved=False)
        ledger = DictLedger(looks={"run": earlier} if known else {})
        finding = await no_job_is_stuck(a_context(azure, ledger=ledger))
        assert finding.outcome is outcome
        assert [("run", mark, NOW)] == ledger.seen
    assert (await no_job_is_stuck(a_context(azure))).outcome is Outcome.UNKNOWN


async def test_a_job_without_its_details_is_no_look() -> None:
    """A job that is gone when it is read itself would seem to have moved; it is neither remembered nor called fine."""
    azure = an_azure()
    azure.fail("job", ResourceNotFound("gone"))
    ledger = DictLedger()
    for age, outcome in ((6, Outcome.UNKNOWN), (14, Outcome.UNKNOWN), (25, Outcome.FAIL)):
        azure.put(a_job("run", "InProgress", age=age))
        finding = await no_job_is_stuck(a_context(azure, ledger=ledger))
        assert finding.outcome is outcome
        assert ("does not show its phase" in finding.summary) is (outcome is Outcome.UNKNOWN)
    assert [] == ledger.seen


async def test_the_items_own_history_is_read() -> None:
    """Its last good backup took ten minutes; after six hours without a sign of life that says more than any rule of thumb."""
    azure = an_azure()
    azure.put(a_job("good", "Completed", age=30), a_job("run", "InProgress", age=6, tasks=(a_task(TRANSFER),)))
    earlier = EarlierLook(
        progress="? % (Transfer data to vault: InProgress)", since=hours(5), seen_at=hours(5), moved=False
    )
    finding = await no_job_is_stuck(a_context(azure, ledger=DictLedger(looks={"run": earlier})))
    assert finding.outcome is Outcome.FAIL
    assert "3 times what it usually takes" in finding.summary


async def test_jobs_of_weeks_ago_are_found() -> None:
    """A machine that died leaves its job running for weeks, long after other jobs have left the recent list."""
    azure = an_azure()
    item = a_mars_item()
    azure.put(a_job("dead", "InProgress", age=24 * 20, item_name="C:\\", container_name="srv-file-01.contoso.local"))
    assert (await no_job_is_stuck(a_context(azure, item))).facts["job_id"] == "dead"
