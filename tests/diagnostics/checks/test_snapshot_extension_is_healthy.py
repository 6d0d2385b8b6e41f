"""The backup extension: its state, what its message hides, its handler, and its absence."""

import json
from pathlib import Path

import pytest

from diagnostics.checks.snapshot_extension_is_healthy import judge, snapshot_extension_is_healthy
from diagnostics.guest import hidden_failure
from domain.backup import ExtensionStatus
from domain.finding import Outcome
from tests.diagnostics.world import a_context, a_database, a_vm, an_azure, an_extension, an_item

SAMPLES = Path(__file__).parents[3] / "../shared/data/vmsnapshot"
SUCCEEDED = "ProvisioningState/succeeded"
HIDDEN = json.dumps(
    {
        "messageStr": "T:S Enable failed StatusCode.FailedRetryableFsFreezeFailed,snapshotCreator=guestExtension",
        "snapshotConsistency": 0,
    }
)
HEALTHY = json.dumps({"messageStr": "Enable Succeeded. StatusCode.Success,", "snapshotConsistency": 2})
WORKLOAD = "Microsoft.Azure.RecoveryServices.WorkloadBackup"


def said(message: str, **changes: object) -> ExtensionStatus:
    return an_extension(statuses=((SUCCEEDED, "Provisioning succeeded", message),), **changes)


@pytest.mark.parametrize(
    ("extension", "outcome", "reason"),
    [
        (an_extension(), Outcome.PASS, ""),
        (said(HEALTHY), Outcome.PASS, ""),
        (said("Command execution finished successfully"), Outcome.PASS, ""),
        (an_extension(provisioning_state="Failed"), Outcome.FAIL, "state"),
        (an_extension(provisioning_state="Deleting"), Outcome.FAIL, "state"),
        (said(HIDDEN), Outcome.FAIL, "hidden"),
        (said("plain StatusCode.error_http_failure"), Outcome.FAIL, "hidden"),
        (said("not enough storage space on volume C:"), Outcome.FAIL, "disk_full"),
        (an_extension(type="VMSNAPSHOT", publisher="microsoft.azure.recoveryservices"), Outcome.PASS, ""),
    ],
)
def test_table(extension: ExtensionStatus, outcome: Outcome, reason: str) -> None:
    """Each state of the extension has its verdict and its reason."""
    finding = judge(an_item(), [extension], a_vm())
    assert finding.outcome is outcome
    assert finding.facts.get("reason", "") == reason


def test_the_hidden_failure_is_spelled_out() -> None:
    """The sentence says that the status lies, and which error the message names."""
    finding = judge(an_item(), [said(HIDDEN)], a_vm())
    assert "its status says succeeded" in finding.summary
    assert "FailedRetryableFsFreezeFailed" in finding.summary
    assert finding.suggests == ("reinstall_snapshot_extension",)


def test_absent_is_no_fault() -> None:
    """Without the extension nothing is wrong; the runbook's name for it is set right."""
    finding = judge(an_item(), [an_extension(publisher="Contoso", type="VMSnapshot")], a_vm())
    assert finding.outcome is Outcome.PASS
    assert "not the name" in finding.summary


def test_a_handler_that_is_not_ready_is_a_fault() -> None:
    """The agent's own view of the extension's handler counts."""
    seen = an_extension(statuses=(("ExtensionHandler/ProvisioningState/failed", "Not Ready", "stopped"),))
    finding = judge(an_item(), [an_extension()], a_vm(extensions=(seen,)))
    assert finding.facts["reason"] == "handler"


def test_databases_have_their_own_extension() -> None:
    """Of a database's VM, the workload extension is judged, and the snapshot extension is not."""
    broken = an_extension(publisher=WORKLOAD, type="AzureBackupWindowsWorkload", provisioning_state="Failed")
    finding = judge(a_database(), [an_extension(provisioning_state="Failed"), broken], a_vm())
    assert finding.facts["kind"] == "workload"
    assert finding.suggests == ("guide_repair_vm_agent",)
    assert judge(a_database(), [an_extension(provisioning_state="Failed")], a_vm()).outcome is Outcome.PASS


def test_messages_of_the_real_extension_are_understood() -> None:
    """Two messages made by the extension's own code: one failure, one success."""
    if not SAMPLES.is_dir():
        pytest.skip("the recorded samples are not beside this project")
    found = {}
    for path in sorted(SAMPLES.glob("derived_status_*.json")):
        status = json.loads(path.read_text("utf-8"))["status_file"][0]["status"]
        message = status["formattedMessage"]["message"]
        found[json.loads(path.read_text("utf-8"))["original_status"]] = hidden_failure(said(message))
    assert found["error"].startswith("Failed")
    assert found["success"] == ""


async def test_a_vm_that_is_gone_has_no_extension() -> None:
    """That is another check's answer."""
    azure = an_azure()
    azure.machines.clear()
    assert (await snapshot_extension_is_healthy(a_context(azure))).outcome is Outcome.NOT_APPLICABLE


async def test_an_item_without_a_vm_is_not_asked() -> None:
    """A database outside Azure names no VM."""
    context = a_context(an_azure(), a_database(source_id=""))
    assert (await snapshot_extension_is_healthy(context)).outcome is Outcome.NOT_APPLICABLE
