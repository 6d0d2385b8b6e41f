"""Sharing violations, which Azure tells in text only."""

import pytest

from diagnostics.checks.mars_reads_all_files import judge, mars_reads_all_files
from diagnostics.history import SeenError
from domain.finding import Outcome
from tests.diagnostics.world import a_context, a_job, a_mars_item, an_azure, an_error

IN_USE = (
    r"The process cannot access the file C:\Data\ledger.xlsx because it is being used by another process. (0x80070020)"
)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (IN_USE, Outcome.FAIL),
        ("failed with 0x80070020", Outcome.FAIL),
        ("A sharing violation occurred", Outcome.FAIL),
        ("The network path was not found", Outcome.PASS),
    ],
)
def test_words(text: str, outcome: Outcome) -> None:
    """The sentence, the number, or the name of the error."""
    assert judge(a_mars_item(), a_job(errors=(an_error("", text, None),))).outcome is outcome


def test_an_earlier_failure_of_the_row_counts_for_less() -> None:
    """A file that was in use before the backups failed with another error may still be; the mark says which it was."""
    newest = a_job(errors=(an_error("", "The agent is too old", None),))
    finding = judge(a_mars_item(), newest, [SeenError(text="network"), SeenError(text=IN_USE)])
    assert finding.outcome is Outcome.FAIL
    assert "earlier backup" in finding.summary
    assert finding.facts == {"hint": "earlier"}


def test_the_file_is_named() -> None:
    """The path in the message is evidence, and the log that lists all of them is pointed at."""
    finding = judge(a_mars_item(), a_job(errors=(an_error("", IN_USE, None),)))
    assert finding.evidence["path"] == r"C:\Data\ledger.xlsx"
    assert "LastBackupFailedFiles" in str(finding.evidence["log"])
    assert finding.suggests == ("guide_file_in_use",)


def test_warnings_and_the_items_own_error_count() -> None:
    """A job that only warns, and the item's last error, tell as well."""
    warned = a_job(status="CompletedWithWarnings", details={"dynamicErrorMessage": IN_USE})
    assert judge(a_mars_item(), warned).outcome is Outcome.FAIL
    assert judge(a_mars_item(last_error_text=IN_USE), None).outcome is Outcome.FAIL
    assert judge(a_mars_item(), None).outcome is Outcome.UNKNOWN


async def test_a_job_with_warnings_is_read_for_its_text() -> None:
    """The list leaves the text out, so the job itself is read."""
    item = a_mars_item()
    azure = an_azure(item)
    details = {"dynamicErrorMessage": IN_USE}
    azure.put(
        a_job(
            "warned",
            "CompletedWithWarnings",
            age=5,
            item_name="C:\\",
            container_name="srv-file-01.contoso.local",
            details=details,
        )
    )
    assert (await mars_reads_all_files(a_context(azure, item))).outcome is Outcome.FAIL
    assert azure.count("job") == 1
