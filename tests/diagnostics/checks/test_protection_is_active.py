"""Protection: active, stopped, paused, suspended, without a policy, or with one that is not applied."""

import pytest

from diagnostics.checks.protection_is_active import judge, protection_is_active
from domain.backup import ProtectedItem
from domain.finding import Outcome
from tests.diagnostics.world import a_context, a_mabs_item, a_mars_item, an_azure, an_item


@pytest.mark.parametrize(
    ("item", "outcome", "state"),
    [
        (an_item(), Outcome.PASS, "active"),
        (an_item(protection_state="ProtectionConfigured"), Outcome.PASS, "active"),
        (an_item(protection_state="IRPending"), Outcome.PASS, "pending"),
        (an_item(protection_state="ProtectionStopped", policy_id=""), Outcome.FAIL, "stopped"),
        (an_item(protection_state="ProtectionPaused"), Outcome.FAIL, "paused"),
        (an_item(protection_state="BackupsSuspended"), Outcome.FAIL, "suspended"),
        (an_item(protection_state="ProtectionError"), Outcome.FAIL, "error"),
        (an_item(policy_inconsistent=True), Outcome.FAIL, "inconsistent"),
        (an_item(policy_id=""), Outcome.FAIL, "no_policy"),
        (a_mars_item(policy_id=""), Outcome.PASS, "active"),
        (a_mabs_item(policy_id="", protection_state=""), Outcome.UNKNOWN, ""),
        (an_item(protection_state="Strange"), Outcome.UNKNOWN, ""),
        (an_item(protection_state="ProtectionStopped", soft_deleted=True), Outcome.NOT_APPLICABLE, ""),
    ],
)
def test_table(item: ProtectedItem, outcome: Outcome, state: str) -> None:
    """Each state has its verdict and its mark; every FAIL in Azure can be mended by resuming protection."""
    finding = judge(item)
    assert finding.outcome is outcome
    assert finding.facts.get("state", "") == state
    assert finding.suggests == (("resume_protection",) if outcome is Outcome.FAIL else ())


def test_a_suspended_item_with_a_stale_policy_has_both_said() -> None:
    """The state comes first, and what is wrong with the policy is not hidden by it."""
    finding = judge(an_item(protection_state="BackupsSuspended", policy_inconsistent=True))
    assert finding.facts == {"state": "suspended", "policy": "inconsistent"}
    assert "suspended" in finding.summary
    assert "inconsistent" in finding.summary


async def test_the_item_is_read_with_its_extended_information() -> None:
    """Only the item itself, not its line in a list, tells that the policy is inconsistent."""
    azure = an_azure(an_item(policy_inconsistent=True))
    assert (await protection_is_active(a_context(azure, an_item()))).facts["state"] == "inconsistent"
