"""A full disk, seen by what it broke."""

import pytest

from diagnostics.checks.os_disk_has_space import judge, os_disk_has_space
from diagnostics.guest import full_disk_hint
from diagnostics.history import BackupHistory, explain
from domain.backup import HealthDetail, Workload
from domain.finding import Outcome
from tests.diagnostics.world import a_context, a_job, an_azure, an_error, an_extension, an_item, hours

FULL = "VSS could not create a shadow copy, not enough storage space on volume C: (0x80042306)"


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        "write /var/lib/waagent: No space left on device",
        "There is not enough disk space to write the file",
        "There is not enough space on the disk.",
        "Insufficient storage space is available (0x8004231F)",
        "IO error 0x80070070",
        "The disk is full.",
    ],
)
def test_words_of_a_full_disk(text: str) -> None:
    """Windows, Linux and VSS each say it in their own words."""
    assert full_disk_hint(["all well", text]) == text


@pytest.mark.parametrize(
    "text", ["VSS writer in bad state", "the network path was not found", "spacecraft full of disks", ""]
)
def test_other_words_are_no_hint(text: str) -> None:
    """Other failures do not make a disk full."""
    assert full_disk_hint([text]) == ""


def test_each_source_is_named() -> None:
    """The job's error, the extension's message, the pre-check: whichever says it is named."""
    failed = BackupHistory(newest=a_job(), text=FULL)
    assert "the last backup's error" in judge(an_item(), failed, []).summary
    extension = an_extension(statuses=(("ProvisioningState/succeeded", "ok", FULL),))
    assert "an extension's message" in judge(an_item(), BackupHistory(), [extension]).summary
    checked = an_item(health_details=(HealthDetail(code="1", title="t", message=FULL),))
    assert "the item's pre-check" in judge(checked, BackupHistory(), []).summary


def test_a_code_of_that_family_is_enough() -> None:
    """A code that means too little room needs no words beside it."""
    code = "CBPDiskFull"
    history = BackupHistory(newest=a_job(), code=code, known=explain("SalLowDiskSpace", "", Workload.VM))
    finding = judge(an_item(), history, [])
    assert finding.outcome is Outcome.FAIL
    assert finding.suggests == ("guide_free_os_disk", "probe_os_disk")


def test_without_a_hint_it_is_unknown_after_a_failure_and_no_question_after_a_success() -> None:
    """Azure does not see the free space: a failure for other reasons leaves it open, a success settles it."""
    assert judge(an_item(), BackupHistory(newest=a_job(), text="other"), []).outcome is Outcome.UNKNOWN
    assert judge(an_item(), BackupHistory(newest=a_job(status="Completed")), []).outcome is Outcome.NOT_APPLICABLE


async def test_from_azure() -> None:
    """The failed job's text is enough."""
    item = an_item(last_backup_status="Failed", last_backup_at=hours(3))
    azure = an_azure(item)
    azure.put(a_job(errors=(an_error("ExtensionFailedVssWriterInBadState", FULL),)))
    assert (await os_disk_has_space(a_context(azure, item))).outcome is Outcome.FAIL
    azure.machines.clear()
    assert (await os_disk_has_space(a_context(azure, item))).outcome is Outcome.FAIL
