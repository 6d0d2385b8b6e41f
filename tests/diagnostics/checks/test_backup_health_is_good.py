"""The pre-check: good, passing, a warning, a demand, or not kept at all."""

import pytest

from diagnostics.checks.backup_health_is_good import backup_health_is_good, judge
from domain.backup import HealthDetail, ProtectedItem
from domain.finding import Outcome
from tests.diagnostics.world import a_context, a_database, a_mars_item, a_share, an_azure, an_item

DETAIL = HealthDetail(code="400110", title="UserErrorVmNotInDesirableState", message="The VM is not in a state.")
GREEN = HealthDetail(code="400239", title="IaasVmHealthGreenDefault", message="No action required.")


@pytest.mark.parametrize(
    ("item", "outcome", "words"),
    [
        (an_item(health_details=(GREEN,)), Outcome.PASS, "Passed"),
        (an_item(health_status="Healthy"), Outcome.PASS, "Healthy"),
        (an_item(health_status="ActionRequired", health_details=(DETAIL,)), Outcome.FAIL, "The VM is not in a state."),
        (an_item(health_status="ActionRequired", health_details=(GREEN,)), Outcome.FAIL, "gives no details"),
        (an_item(health_status="ActionSuggested"), Outcome.FAIL, "ActionSuggested"),
        (an_item(health_status="PersistentDegraded"), Outcome.FAIL, "PersistentDegraded"),
        (an_item(health_status="TransientDegraded"), Outcome.UNKNOWN, "calls that passing"),
        (an_item(health_status=""), Outcome.UNKNOWN, "does not report"),
        (a_share(health_status=""), Outcome.UNKNOWN, "does not report"),
        (a_mars_item(health_status=""), Outcome.NOT_APPLICABLE, "keeps no pre-check"),
        (a_database(health_status="IRPending"), Outcome.NOT_APPLICABLE, "first backup"),
        (a_database(health_status="NotReachable"), Outcome.FAIL, "NotReachable"),
        (an_item(health_status="ActionRequired", soft_deleted=True), Outcome.NOT_APPLICABLE, "deleted"),
    ],
)
def test_table(item: ProtectedItem, outcome: Outcome, words: str) -> None:
    """Each health status has its verdict and its words."""
    finding = judge(item)
    assert finding.outcome is outcome
    assert words in finding.summary


def test_the_runbooks_alert_names_are_set_right() -> None:
    """The sentence says that Azure has no alert of either name."""
    finding = judge(an_item(health_status="ActionRequired", health_details=(DETAIL,)))
    assert "no alert of either name" in finding.summary
    assert finding.facts["health_title"] == "UserErrorVmNotInDesirableState"
    assert finding.facts["level"] == "required"


async def test_the_item_is_read_afresh() -> None:
    """A list may be old; the item itself is asked."""
    azure = an_azure(an_item(health_status="ActionRequired"))
    assert (await backup_health_is_good(a_context(azure, an_item()))).outcome is Outcome.FAIL
