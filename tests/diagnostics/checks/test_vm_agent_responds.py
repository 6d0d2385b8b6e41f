"""The agent: ready, silent, absent, or not needed."""

from datetime import timedelta

import pytest

from diagnostics.checks.vm_agent_responds import judge, vm_agent_responds
from domain.backup import VirtualMachine
from domain.errors import PermissionDenied
from domain.finding import Outcome
from domain.schedule import BackupPolicy
from tests.diagnostics.world import NOW, a_context, a_database, a_policy, a_vm, an_azure

AGENTLESS = a_policy(snapshot_consistency="OnlyCrashConsistent")


@pytest.mark.parametrize(
    ("vm", "policy", "outcome", "words"),
    [
        (a_vm(), None, Outcome.PASS, "ready, version 2.9.1.1"),
        (a_vm(agent_reported_at=None), None, Outcome.PASS, "ready"),
        (a_vm(agent_reported_at=NOW - timedelta(minutes=14)), None, Outcome.PASS, "ready"),
        (a_vm(agent_reported_at=NOW - timedelta(hours=9)), None, Outcome.FAIL, "silent for 9 h"),
        (a_vm(agent_status="Not Ready", agent_version="Unknown"), None, Outcome.FAIL, "Not Ready, version Unknown"),
        (a_vm(agent_status="", agent_reported_at=None), None, Outcome.FAIL, "168.63.129.16"),
        (a_vm(agent_status="", power_state=""), None, Outcome.UNKNOWN, "neither"),
        (a_vm(agent_status="", power_state="deallocated"), None, Outcome.NOT_APPLICABLE, "no fault of the agent"),
        (a_vm(agent_status="Not Ready"), AGENTLESS, Outcome.NOT_APPLICABLE, "need no agent"),
    ],
)
def test_table(vm: VirtualMachine, policy: BackupPolicy | None, outcome: Outcome, words: str) -> None:
    """Each state of the agent has its verdict and its words."""
    finding = judge(vm, policy, NOW)
    assert finding.outcome is outcome
    assert words in finding.summary
    assert finding.suggests == (("guide_repair_vm_agent",) if outcome is Outcome.FAIL else ())


async def test_an_unreadable_policy_does_not_excuse_the_agent() -> None:
    """Without the policy the agent is judged as needed."""
    azure = an_azure()
    azure.put(a_vm(agent_status="Not Ready"))
    azure.fail("policy", PermissionDenied("no"))
    assert (await vm_agent_responds(a_context(azure))).outcome is Outcome.FAIL


async def test_an_item_without_a_vm_is_not_asked() -> None:
    """A database outside Azure names no VM."""
    assert (await vm_agent_responds(a_context(an_azure(), a_database(source_id="")))).outcome is Outcome.NOT_APPLICABLE
