"""Power and provisioning, the failing extension named, and machines that are gone."""

import pytest

from diagnostics.checks.vm_is_in_desirable_state import judge, vm_is_in_desirable_state
from diagnostics.error_codes import load
from domain.backup import ProtectedItem, VirtualMachine
from domain.errors import PermissionDenied
from domain.finding import Outcome
from tests.diagnostics.world import a_context, a_database, a_vm, an_azure, an_extension, an_item

OFFLINE = "AzureVmOffline"


@pytest.mark.parametrize(
    ("item", "vm", "code", "outcome", "words"),
    [
        (an_item(), a_vm(), "", Outcome.PASS, "running and provisioned"),
        (an_item(), a_vm(power_state="deallocated"), "", Outcome.PASS, "crash-consistent"),
        (an_item(), a_vm(power_state="stopped"), "", Outcome.PASS, "crash-consistent"),
        (an_item(), a_vm(power_state="deallocated"), OFFLINE, Outcome.FAIL, "needs it to run"),
        (a_database(), a_vm(power_state="deallocated"), "", Outcome.FAIL, "hosts the SQL database"),
        (an_item(), a_vm(power_state="starting"), "", Outcome.FAIL, "neither running nor stopped"),
        (an_item(), a_vm(provisioning_state="Updating"), "", Outcome.FAIL, "being changed right now"),
        (an_item(), a_vm(provisioning_state="Failed"), "", Outcome.FAIL, "provisioning state is Failed"),
        (an_item(), a_vm(power_state=""), "", Outcome.UNKNOWN, "does not report"),
        (an_item(), None, "", Outcome.FAIL, "does not exist any more"),
    ],
)
def test_table(item: ProtectedItem, vm: VirtualMachine | None, code: str, outcome: Outcome, words: str) -> None:
    """Each state of the VM has its verdict and its words."""
    known = load().lookup(code) if code else None
    finding = judge(item, vm, vm.extensions if vm else (), [known] if known else [])
    assert finding.outcome is outcome
    assert words in finding.summary


def test_the_extension_to_blame_is_named() -> None:
    """Somebody else's failed extension is named with publisher and type."""
    other = an_extension(name="Mon", publisher="Contoso.Monitoring", type="Agent", provisioning_state="Failed")
    finding = judge(an_item(), a_vm(provisioning_state="Failed"), [an_extension(), other], ())
    assert "Mon (Contoso.Monitoring.Agent)" in finding.summary
    assert finding.facts["failing_extension"] == "other"
    assert finding.suggests == ("reapply_vm", "guide_repair_vm_agent")
    own = judge(an_item(), a_vm(provisioning_state="Failed"), [an_extension(provisioning_state="Failed")], ())
    assert own.facts["failing_extension"] == "snapshot"


def test_a_failed_vm_that_is_switched_off_too_has_both_said() -> None:
    """An earlier error that asks for power makes a switched-off VM's second trouble visible behind the first."""
    offline = load().lookup(OFFLINE)
    assert offline is not None
    off = a_vm(provisioning_state="Failed", power_state="deallocated")
    both = judge(an_item(), off, (), [offline])
    assert "It is deallocated too" in both.summary
    assert both.facts["needs_power"] == "yes"
    assert both.suggests == ("reapply_vm", "guide_repair_vm_agent", "start_vm")
    assert "needs_power" not in judge(an_item(), off, (), ()).facts


async def test_a_vm_that_is_not_there_is_an_answer() -> None:
    """Not found is told as deleted, with what can still be done."""
    azure = an_azure()
    azure.machines.clear()
    finding = await vm_is_in_desirable_state(a_context(azure))
    assert finding.facts == {"vm": "missing"}
    assert finding.suggests == ("restore_disks",)


async def test_unreadable_extensions_do_not_hide_the_state() -> None:
    """The failed provisioning is told even when the extensions may not be listed."""
    azure = an_azure()
    azure.put(a_vm(provisioning_state="Failed"))
    azure.fail("extensions", PermissionDenied("no"))
    assert (await vm_is_in_desirable_state(a_context(azure))).outcome is Outcome.FAIL


async def test_an_item_without_a_vm_is_not_asked() -> None:
    """A database outside Azure names no VM."""
    azure = an_azure()
    assert (
        await vm_is_in_desirable_state(a_context(azure, a_database(source_id="")))
    ).outcome is Outcome.NOT_APPLICABLE
