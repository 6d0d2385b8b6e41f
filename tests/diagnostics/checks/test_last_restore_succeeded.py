"""Failed restores: which one matters, in which phase, with what error."""

import pytest

from diagnostics.checks.last_restore_succeeded import judge, last_restore_succeeded
from domain.finding import Outcome
from tests.diagnostics.world import NOW, VAULT, a_context, a_database, a_job, a_task, an_azure, an_error, an_item, hours


def a_restore(job_id: str = "restore", status: str = "Failed", age: float = 3, operation: str = "Restore") -> object:
    return a_job(
        job_id,
        status,
        age=age,
        operation=operation,
        errors=(an_error("UserErrorSkuNotAvailable"),) if status == "Failed" else (),
        tasks=(
            a_task("Transfer data from vault", "Completed"),
            a_task("Create the restored virtual machine", "Failed"),
        ),
        details={"Job Type": "Recover to an alternate location", "Target resource group": "rg-restore"},
    )


def test_a_failed_restore_names_phase_code_and_target() -> None:
    """The phase that failed, the code with its meaning, and where it should have gone."""
    job = a_job(
        operation="Restore",
        errors=(an_error("UserErrorSkuNotAvailable"),),
        tasks=(a_task("Create the restored virtual machine", "Failed"),),
        details={"Target resource group": "rg-restore"},
    )
    finding = judge(an_item(), job, None, NOW)
    assert finding.outcome is Outcome.FAIL
    assert 'in the phase "Create the restored virtual machine"' in finding.summary
    assert "UserErrorSkuNotAvailable" in finding.summary
    assert finding.evidence["target_resource_group"] == "rg-restore"
    assert finding.facts["family"] == "vm_size"
    assert finding.suggests == ("restore_disks", "restore_to_other_region")


def test_cross_region_restores_are_restores() -> None:
    """A failed restore in the other region is told as one."""
    finding = judge(an_item(), a_job(operation="CrossRegionRestore", errors=(an_error("X"),)), None, NOW)
    assert "cross-region restore failed" in finding.summary
    assert finding.facts["cross_region"] == "yes"


def test_without_an_error_the_sentence_still_stands() -> None:
    """A job that says nothing is told as such, with the way that fits the workload."""
    finding = judge(a_database(), a_job(operation="Restore (Full)"), None, NOW)
    assert "no error code" in finding.summary
    assert finding.suggests == ("guide_restore_elsewhere",)


async def test_a_later_success_settles_it() -> None:
    """A failed restore counts for a week, until another one works."""
    azure = an_azure()
    azure.put(a_restore())  # type: ignore[arg-type]
    assert (await last_restore_succeeded(a_context(azure))).outcome is Outcome.FAIL
    azure.put(a_restore("second", "Completed", age=1))  # type: ignore[arg-type]
    assert (await last_restore_succeeded(a_context(azure))).outcome is Outcome.PASS


@pytest.mark.parametrize(("age", "here", "away"), [(3, 4, 1), (24 * 5, 6, 0)], ids=["of the last days", "of last week"])
async def test_a_success_in_the_paired_region_settles_it_too(age: float, here: int, away: int) -> None:
    """Azure lists such a job there alone; the vault's own restores of three days are in a list that is read anyway."""
    azure = an_azure()
    azure.put(a_restore(age=age))  # type: ignore[arg-type]
    assert (await last_restore_succeeded(a_context(azure))).outcome is Outcome.FAIL
    assert (here, away) == (azure.count("jobs"), azure.count("jobs_in_paired_region"))
    second = a_restore("second", "Completed", age=age - 1, operation="CrossRegionRestore")
    azure.jobs_away[VAULT.key].append(second)  # type: ignore[arg-type]
    assert (await last_restore_succeeded(a_context(azure))).outcome is Outcome.PASS


async def test_an_old_failure_is_history() -> None:
    """A restore that failed more than a week ago is no trouble of today."""
    azure = an_azure()
    azure.put(a_restore(age=24 * 8))  # type: ignore[arg-type]
    assert (await last_restore_succeeded(a_context(azure))).outcome is Outcome.PASS


async def test_the_job_of_the_alert_counts_in_any_case() -> None:
    """The restore that an alert spoke of is judged, however old it is."""
    azure = an_azure()
    job = a_job("old", operation="Restore", age=24 * 20, errors=(an_error("UserErrorSkuNotAvailable"),))
    azure.put(job)
    finding = await last_restore_succeeded(a_context(azure, failed_job=job))
    assert finding.outcome is Outcome.FAIL


async def test_a_running_restore_is_said() -> None:
    """A restore that runs now is mentioned."""
    azure = an_azure()
    azure.put(a_job("now", "InProgress", operation="Restore", age=1, started_at=hours(1)))
    assert "running now for 1 h" in (await last_restore_succeeded(a_context(azure))).summary


async def test_an_earlier_restore_that_failed_otherwise_is_told() -> None:
    """Two restores that failed for two reasons are two reasons; one before a restore that worked is none."""
    azure = an_azure()
    azure.put(a_restore("newest", age=2))  # type: ignore[arg-type]
    identity = an_error("UserErrorX", "The managed identity of the vault lacks permissions", 1)
    azure.put(a_job("other", age=4, operation="Restore", errors=(identity,)))
    azure.put(a_restore("worked", "Completed", age=20))  # type: ignore[arg-type]
    azure.put(a_job("settled", age=30, operation="Restore", errors=(an_error("UserErrorY"),)))
    finding = await last_restore_succeeded(a_context(azure))
    assert finding.evidence["earlier_errors"] == ["UserErrorX"]
    assert finding.facts["earlier_1_identity"] == "yes"
    assert "identity" not in finding.facts
