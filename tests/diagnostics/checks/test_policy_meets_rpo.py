"""The policy's longest gap against the RPO."""

from datetime import time, timedelta

import pytest

from diagnostics.checks.policy_meets_rpo import judge, policy_meets_rpo
from domain.finding import Outcome
from domain.schedule import (
    BackupPolicy,
    DailySchedule,
    HourlySchedule,
    PlannedBackup,
    Retention,
    RetentionRules,
    RetentionUnit,
    RpoRule,
    RpoRules,
    Schedule,
    UnknownSchedule,
    WeeklySchedule,
)
from tests.diagnostics.world import a_context, a_policy, an_azure, an_item

DAILY = DailySchedule(times=(time(22),), zone="UTC")
SUNDAYS = WeeklySchedule(days=(6,), times=(time(22),), zone="UTC")
OFFICE = HourlySchedule(interval_h=4, window_start=time(8), window_duration_h=12, zone="UTC")


def policy_of(schedule: Schedule) -> BackupPolicy:
    rules = RetentionRules(daily=Retention(30, RetentionUnit.DAYS), yearly=Retention(7, RetentionUnit.YEARS))
    return a_policy(backups=(PlannedBackup(kind="Backup", schedule=schedule, retention=rules),))


@pytest.mark.parametrize(
    ("schedule", "rpo_h", "outcome"),
    [
        (DAILY, 26, Outcome.PASS),
        (DAILY, 24, Outcome.PASS),
        (DAILY, 12, Outcome.FAIL),
        (SUNDAYS, 26, Outcome.FAIL),
        (SUNDAYS, 170, Outcome.PASS),
        (OFFICE, 16, Outcome.PASS),
        (OFFICE, 15, Outcome.FAIL),
        (UnknownSchedule(reason="It repeats every blue moon."), 26, Outcome.UNKNOWN),
    ],
)
def test_table(schedule: Schedule, rpo_h: int, outcome: Outcome) -> None:
    """The gap of each kind of schedule; the office-hours one leaves the night."""
    finding = judge(an_item(), policy_of(schedule), RpoRules(default=timedelta(hours=rpo_h)))
    assert finding.outcome is outcome
    assert finding.facts.get("gap", "") == {"FAIL": "too_wide", "PASS": "fits"}.get(outcome.value, "")


def test_retention_and_reasons_are_told() -> None:
    """How long points are kept is said beside the gap; a schedule that is not understood says why."""
    finding = judge(an_item(), policy_of(SUNDAYS), RpoRules())
    assert "up to 7 d between backups, more than the RPO of 26 h" in finding.summary
    assert finding.evidence["retention"] == "30 days"
    assert finding.evidence["longest_retention"] == "7 years"
    odd = judge(an_item(), policy_of(UnknownSchedule(reason="It repeats every blue moon.")), RpoRules())
    assert "every blue moon" in odd.summary


async def test_the_items_own_rule_counts_and_no_policy_is_no_question() -> None:
    """A stricter RPO for one item fails the same policy; without a policy nothing is judged."""
    azure = an_azure()
    strict = RpoRules(rules=(RpoRule(rpo=timedelta(hours=1), item="vm-erp-*"),))
    assert (await policy_meets_rpo(a_context(azure))).outcome is Outcome.PASS
    assert (await policy_meets_rpo(a_context(azure, rpo=strict))).outcome is Outcome.FAIL
    bare = a_context(azure, an_item(policy_id=""))
    assert (await policy_meets_rpo(bare)).outcome is Outcome.NOT_APPLICABLE
