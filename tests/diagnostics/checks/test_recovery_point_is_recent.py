"""The newest point against the RPO: three numbers, a point and not a job, and what each workload tells."""

from datetime import timedelta

import pytest

from diagnostics.checks.recovery_point_is_recent import judge, recovery_point_is_recent
from domain.backup import ProtectedItem, RecoveryPoint
from domain.errors import BadRequest, PermissionDenied
from domain.finding import Outcome
from domain.schedule import RpoRule, RpoRules
from tests.diagnostics.world import (
    NOW,
    a_context,
    a_database,
    a_mabs_item,
    a_mars_item,
    a_point,
    a_policy,
    an_azure,
    an_item,
    hours,
)

RULES = RpoRules()


@pytest.mark.parametrize(
    ("item", "points", "outcome", "words"),
    [
        (an_item(), [a_point(5)], Outcome.PASS, "5 h old"),
        (an_item(last_recovery_point_at=hours(31)), [a_point(31)], Outcome.FAIL, "breached by 5 h"),
        (an_item(last_recovery_point_at=hours(31)), [a_point(5, soft_deleted=True)], Outcome.FAIL, "31 h old"),
        (an_item(last_recovery_point_at=None), [], Outcome.FAIL, "no recovery point at all"),
        (
            an_item(last_recovery_point_at=None, protection_state="IRPending"),
            [],
            Outcome.NOT_APPLICABLE,
            "first backup is pending",
        ),
        (an_item(), [a_point(-5)], Outcome.UNKNOWN, "future"),
        (an_item(protection_state="ProtectionStopped"), [a_point(40)], Outcome.PASS, "no new point will come"),
        (an_item(last_recovery_point_at=hours(40), soft_deleted=True), [], Outcome.FAIL, "soft deleted"),
        (a_database(), [a_point(0.5, kind="Log"), a_point(20, kind="Full")], Outcome.PASS, "30 min old"),
    ],
)
def test_table(item: ProtectedItem, points: list[RecoveryPoint], outcome: Outcome, words: str) -> None:
    """Each state of points has its verdict and its words."""
    finding = judge(item, points, a_policy(), RULES, NOW)
    assert finding.outcome is outcome
    assert words in finding.summary


def test_three_numbers_are_said() -> None:
    """What was agreed, what the policy allows, what is."""
    finding = judge(an_item(), [a_point(5)], a_policy(), RULES, NOW)
    assert "RPO configured 26 h, by the policy 24 h, actual 5 h." in finding.summary
    assert finding.evidence["rpo_configured"] == "26 h"
    assert finding.evidence["rpo_by_policy"] == "24 h"
    assert finding.evidence["age"] == "5 h"


def test_the_items_own_rule_counts() -> None:
    """An RPO of one hour for this item is breached by a point of five hours."""
    rules = RpoRules(rules=(RpoRule(rpo=timedelta(hours=1), item="vm-erp-01"),))
    finding = judge(an_item(), [a_point(5)], a_policy(), rules, NOW)
    assert finding.outcome is Outcome.FAIL
    assert finding.facts["policy_can_meet"] == "no"


def test_a_failed_run_moves_the_last_backup_but_makes_no_point() -> None:
    """The time of the last backup proves nothing for a VM."""
    item = an_item(last_backup_status="Failed", last_backup_at=hours(1), last_recovery_point_at=hours(31))
    assert judge(item, [], a_policy(), RULES, NOW).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("item", "outcome"),
    [
        (a_mars_item(last_backup_at=hours(5)), Outcome.PASS),
        (a_mars_item(last_backup_at=hours(5), last_backup_status="Failed"), Outcome.FAIL),
        (
            a_mabs_item(
                last_backup_at=None,
                properties={"extendedInfo": {"onPremiseLatestRecoveryPoint": "2026-11-21T22:00:00Z"}},
            ),
            Outcome.PASS,
        ),
        (
            a_mabs_item(last_backup_at=None, properties={"extendedInfo": {"onPremiseLatestRecoveryPoint": "soon"}}),
            Outcome.FAIL,
        ),
    ],
)
def test_machines_outside_azure_tell_by_the_item(item: ProtectedItem, outcome: Outcome) -> None:
    """MARS and MABS items have no list of points in Azure: a successful last backup counts, a failed one does not."""
    assert judge(item, [], None, RULES, NOW).outcome is outcome


async def test_a_refused_list_is_no_fault_on_premises() -> None:
    """Azure refuses the list of points for MARS items; the item's own word is used then."""
    item = a_mars_item()
    azure = an_azure(item)
    azure.fail("recovery_points", BadRequest("not supported"))
    assert (await recovery_point_is_recent(a_context(azure, item))).outcome is Outcome.PASS


async def test_an_unreadable_policy_costs_one_number_only() -> None:
    """The RPO is judged without the policy, and the sentence says that its number is missing."""
    azure = an_azure()
    azure.fail("policy", PermissionDenied("no"))
    finding = await recovery_point_is_recent(a_context(azure))
    assert finding.outcome is Outcome.PASS
    assert "could not be read" in finding.summary
