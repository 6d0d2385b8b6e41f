"""The newest backup: by its job, by what the item says, with the code explained."""

from datetime import timedelta

import pytest

from diagnostics.checks.last_backup_succeeded import judge, last_backup_succeeded
from diagnostics.history import BackupHistory, explain
from domain.backup import Job, ProtectedItem, Workload
from domain.finding import Outcome
from tests.diagnostics.world import (
    NOW,
    a_context,
    a_database,
    a_job,
    a_mars_item,
    a_task,
    an_azure,
    an_error,
    an_item,
    hours,
)

KEY_VAULT = "UserErrorKeyVaultPermissionsNotConfigured"


def failed(code: str = KEY_VAULT, text: str = "", times: int = 3) -> BackupHistory:
    job = a_job(errors=(an_error(code, text, 400247, "Give the service access."),), detailed=True)
    return BackupHistory(
        newest=job, in_row=times, code=code, text=text or f"{code} happened", known=explain(code, text, Workload.VM)
    )


def test_a_failure_names_the_code_the_times_and_the_age() -> None:
    """The sentence has how often, how long ago, the code and what it means; the facts have what causes need."""
    finding = judge(an_item(last_backup_status="Failed"), failed(), None, NOW)
    assert finding.outcome is Outcome.FAIL
    for words in ("3 times in a row", "2 h 50 min ago", KEY_VAULT, "key vault"):
        assert words.casefold() in finding.summary.casefold()
    assert finding.facts["family"] == "key_vault_access"
    assert finding.facts["error_code"] == KEY_VAULT
    assert "backup_service_can_read_key_vault" in finding.facts["confirmed_by"]
    assert finding.suggests[0] == "grant_key_vault_access"
    assert finding.evidence["recommendations"] == ["Give the service access."]


def test_an_unknown_code_is_shown_as_azure_wrote_it() -> None:
    """No guess: Azure's sentence and its recommendation."""
    finding = judge(
        an_item(last_backup_status="Failed"), failed("UserErrorBrandNew", "Something new broke.", 1), None, NOW
    )
    assert "Something new broke." in finding.summary
    assert "Give the service access." in finding.summary
    assert finding.facts["known"] == "no"
    assert finding.suggests == ("rerun_backup",)


@pytest.mark.parametrize(
    ("item", "job", "outcome", "words"),
    [
        (an_item(), a_job(status="Completed", age=5), Outcome.PASS, "completed 4 h 50 min ago"),
        (an_item(), a_job(status="CompletedWithWarnings", age=5), Outcome.PASS, "warnings"),
        (an_item(), a_job(status="Cancelled", age=5), Outcome.FAIL, "cancelled"),
        (an_item(), None, Outcome.PASS, "the item says"),
        (an_item(last_backup_status="Failed"), None, Outcome.FAIL, "the item says that its last backup failed"),
        (an_item(last_backup_status="Odd"), None, Outcome.UNKNOWN, "'Odd'"),
        (an_item(last_backup_status="", last_backup_at=None), None, Outcome.NOT_APPLICABLE, "has ever run"),
        (an_item(soft_deleted=True, last_backup_at=None), None, Outcome.NOT_APPLICABLE, "deleted"),
    ],
)
def test_table(item: ProtectedItem, job: Job | None, outcome: Outcome, words: str) -> None:
    """Each state of job and item has its verdict and its words."""
    finding = judge(item, BackupHistory(newest=job), None, NOW)
    assert finding.outcome is outcome
    assert words.casefold() in finding.summary.casefold()


def test_a_later_word_of_the_item_beats_an_older_job() -> None:
    """Log backups leave no job: a healthy item after a failed job is fine, an unhealthy one after a good job is not."""
    good_later = a_database(last_backup_status="Healthy", last_backup_at=hours(1))
    assert judge(good_later, failed(), None, NOW).outcome is Outcome.PASS
    bad_later = a_database(
        last_backup_status="Unhealthy", last_backup_at=hours(1), last_error_code="UserErrorSQLLSNValidationFailure"
    )
    finding = judge(bad_later, BackupHistory(newest=a_job(status="Completed", age=9)), None, NOW)
    assert finding.outcome is Outcome.FAIL
    assert finding.facts["family"] == "sql_log_chain"


def test_a_running_backup_is_said() -> None:
    """While a backup runs, the sentence says so and since when."""
    finding = judge(
        an_item(), BackupHistory(newest=a_job(status="Completed", age=9)), a_job("now", "InProgress", age=1), NOW
    )
    assert "running now for 1 h" in finding.summary
    assert finding.facts["running_job"] == "now"


async def test_the_failed_job_is_read_for_its_details() -> None:
    """The list leaves errors out; one read of the job itself brings the code and the phase."""
    azure = an_azure()
    azure.put(an_item(last_backup_status="Failed", last_backup_at=hours(3)))
    azure.put(
        a_job("good", "Completed", age=29),
        a_job("bad", errors=(an_error(KEY_VAULT),), tasks=(a_task(status="Failed"),)),
    )
    finding = await last_backup_succeeded(
        a_context(azure, an_item(last_backup_status="Failed", last_backup_at=hours(3)))
    )
    assert finding.outcome is Outcome.FAIL
    assert finding.evidence["failed_phase"] == "Take Snapshot"
    assert finding.evidence["failed_in_a_row"] == 1
    assert azure.count("job") == 1


async def test_a_weekly_item_is_found_by_the_day_it_last_ran() -> None:
    """With no job in three days, the day that the item names is looked at, not the whole month."""
    azure = an_azure()
    item = a_mars_item(last_backup_at=hours(120))
    azure.put(a_job("weekly", "Completed", age=120, item_name="C:\\", container_name="srv-file-01.contoso.local"))
    finding = await last_backup_succeeded(a_context(azure, item))
    assert finding.outcome is Outcome.PASS
    assert finding.evidence["job"] == "weekly"


async def test_other_items_jobs_do_not_count() -> None:
    """A neighbour of the same name in another container is another item."""
    azure = an_azure()
    azure.put(
        a_job("other", age=1, container_name="iaasvmcontainerv2;rg-other;vm-erp-01"), a_job("mine", "Completed", age=5)
    )
    assert (await last_backup_succeeded(a_context(azure))).outcome is Outcome.PASS


async def test_a_full_backup_settles_an_older_log_failure() -> None:
    """Of a database, a failed log backup counts until a full one has succeeded after it."""
    azure = an_azure()
    item = a_database(last_backup_at=None)
    common = {"item_name": "orders", "container_name": "vm-sql-01"}
    azure.put(
        a_job("log", age=6, operation="Backup (Log)", errors=(an_error("UserErrorSQLLSNValidationFailure"),), **common)
    )
    assert (await last_backup_succeeded(a_context(azure, item))).facts[
        "error_name"
    ] == "UserErrorSQLLSNValidationFailure"
    azure.put(a_job("full", "Completed", age=2, operation="Backup (Full)", **common))
    assert (await last_backup_succeeded(a_context(azure, item))).outcome is Outcome.PASS


def test_ages_are_never_negative() -> None:
    """A job that ended a moment in the future of our clock ended just now."""
    job = a_job(status="Completed", ended_at=NOW + timedelta(seconds=20))
    assert "-" not in judge(an_item(), BackupHistory(newest=job), None, NOW).summary.split("UTC")[0].replace(
        "2026-11-22", ""
    )


async def test_the_other_errors_of_a_row_are_told_once_each() -> None:
    """Since the last good backup: the newest error first, then each other one, by name; what was before is forgotten."""
    item = an_item(last_backup_status="Failed", last_recovery_point_at=hours(60))
    azure = an_azure(item)
    codes = ["UserErrorKeyVaultPermissionsNotConfigured", "AzureVmOffline", "AzureVmOffline", "UserErrorBrandNew"]
    for place, code in enumerate(codes):
        azure.put(a_job(f"job-{place}", age=3 + place, errors=(an_error(code),)))
    azure.put(a_job("good", "Completed", age=30))
    azure.put(a_job("old", age=40, errors=(an_error("UserErrorGuestAgentStatusUnavailable"),)))
    finding = await last_backup_succeeded(a_context(azure, item))
    assert finding.evidence["failed_in_a_row"] == 4
    assert finding.evidence["earlier_errors"] == ["AzureVmOffline", "UserErrorBrandNew"]
    assert "Before that it failed with AzureVmOffline, UserErrorBrandNew." in finding.summary
    assert finding.facts["earlier_1_error_name"] == "AzureVmOffline"
    assert finding.facts["earlier_2_known"] == "no"


async def test_lists_without_errors_cost_two_reads_more() -> None:
    """Where the list leaves errors out, the nearest and the oldest of the row are asked; unreadable, they are left out."""
    item = an_item(last_backup_status="Failed", last_recovery_point_at=hours(60))
    azure = an_azure(item)
    azure.terse_lists = True
    codes = [KEY_VAULT, "AzureVmOffline", "UserErrorGuestAgentStatusUnavailable", "UserErrorRpCollectionLimitReached"]
    for place, code in enumerate(codes):
        azure.put(a_job(f"job-{place}", age=3 + place, errors=(an_error(code),)))
    finding = await last_backup_succeeded(a_context(azure, item))
    assert finding.facts["error_code"] == KEY_VAULT
    assert finding.evidence["earlier_errors"] == ["AzureVmOffline", "UserErrorRpCollectionLimitReached"]
    assert azure.count("job") == 3
