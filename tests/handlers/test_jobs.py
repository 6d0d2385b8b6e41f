"""``jobs``: the running ones with phase and progress, the failed ones with their codes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from diagnostics.overview import jobs_json, vault_jobs
from diagnostics.overview.jobs import _az
from domain.arm import VaultId
from domain.backup import Job
from domain.errors import Throttled
from tests.diagnostics.world import NOW, VAULT, a_job, a_task, a_vault, an_error
from tests.fakes.azure import FakeAzure
from tests.handlers.world import a_world, card_of, say, shown

KEY_VAULT = "UserErrorKeyVaultPermissionsNotConfigured"


class ListingAzure(FakeAzure):
    """An Azure whose lists of jobs leave details out, as the real ones do."""

    async def jobs(
        self, vault: VaultId, since: datetime, until: datetime, *, status: str = "", operation: str = ""
    ) -> Sequence[Job]:
        found = await super().jobs(vault, since, until, status=status, operation=operation)
        return [replace(job, errors=(), tasks=(), progress_percent=None, detailed=False) for job in found]


def an_estate() -> FakeAzure:
    """A job of each kind, and one that has run for nine days."""
    azure = ListingAzure()
    azure.put(
        a_vault(),
        a_job("failed", age=3, errors=(an_error(KEY_VAULT),), tasks=(a_task("Take Snapshot", "Failed"),)),
        a_job("runs", "InProgress", age=1, item_name="vm-web-01", tasks=(a_task(),), progress_percent=40),
        a_job("stuck", "InProgress", age=9 * 24, item_name="vm-old-01", container_name=""),
        a_job("done", "Completed", age=5),
        a_job("warned", "CompletedWithWarnings", age=6),
        a_job("long-ago", age=70),
    )
    return azure


async def test_all_jobs_of_a_day() -> None:
    """Running ones however old, failed ones with code and phase, the others in a table, and the command for it."""
    lines = shown(card_of(await say("jobs vault-prod-01", a_world(an_estate()).services)))
    assert lines == [
        "▲ WARNING vault-prod-01: 2 running; in the last 24 h 1 failed, 2 ended otherwise",
        "◑ RUNNING  Backup of vm-web-01 on vm-erp-01 · Take Snapshot · 40 % · for 1 h",
        "◑ RUNNING  Backup of vm-old-01 · for 9 d",
        f"✖ FAILED  Backup of vm-erp-01 · {KEY_VAULT} · in Take Snapshot · 2 h 50 min ago (2026-11-22 00:10 UTC)",
        "Ended otherwise",
        "Item       Operation  Status                 Started               Took",
        "---------  ---------  ---------------------  --------------------  ------",
        "vm-erp-01  Backup     Completed              2026-11-21 22:00 UTC  10 min",
        "vm-erp-01  Backup     CompletedWithWarnings  2026-11-21 21:00 UTC  10 min",
        f"What a code means: /backup explain {KEY_VAULT}",
        "The same by the command line:",
        (
            f"      az backup job list --subscription {VAULT.subscription} --resource-group rg-backup "
            "--vault-name vault-prod-01 --start-date 21-11-2026 --output table"
        ),
        "[Open in portal]",
        "Running jobs are listed whenever they started.",
    ]


async def test_only_failed_ones_of_a_week() -> None:
    """The window is the asker's, the words come in any order, and the newest failure is first."""
    for words in ("jobs vault-prod-01 failed 7d", "jobs vault-prod-01 7d FAILED"):
        lines = shown(card_of(await say(words, a_world(an_estate()).services)))
        assert lines[0] == "▲ WARNING vault-prod-01: 2 failed jobs in the last 7 d"
        assert [line.partition(" · ")[2][:12] for line in lines if line.startswith("✖")] == [
            "UserErrorKey",
            "Azure gives ",
        ]


async def test_only_running_ones() -> None:
    """One that is being cancelled still runs; nothing else is listed."""
    azure = an_estate()
    azure.put(a_job("leaving", "Cancelling", age=2))
    lines = shown(card_of(await say("jobs vault-prod-01 running", a_world(azure).services)))
    assert lines[0] == "● INFO vault-prod-01: 3 running jobs"
    assert [line.split()[1] for line in lines if line.startswith("◑")] == ["RUNNING", "CANCELLING", "RUNNING"]
    assert "--status InProgress" in " ".join(lines)


async def test_a_quiet_vault() -> None:
    """No failed job is good; no job at all is only said."""
    azure = FakeAzure()
    azure.put(a_vault(), a_job("done", "Completed", age=5))
    services = a_world(azure).services
    assert shown(card_of(await say("jobs vault-prod-01", services)))[0] == (
        "✔ GOOD vault-prod-01: 0 running; in the last 24 h 0 failed, 1 ended otherwise"
    )
    assert shown(card_of(await say("jobs vault-prod-01 failed", services)))[0] == (
        "● INFO vault-prod-01: 0 failed jobs in the last 24 h"
    )


async def test_few_reads_for_many_jobs() -> None:
    """Of a hundred failed jobs ten are read one by one, and twenty lines are the most."""
    azure = ListingAzure()
    azure.put(
        a_vault(), *(a_job(f"j{number}", age=1 + number / 100, item_name=f"vm-{number}") for number in range(100))
    )
    view = await vault_jobs(azure, a_vault(), NOW)
    assert azure.count("job") == 10
    assert azure.count("jobs") == 2
    assert len(view.failed) == 100
    lines = shown(card_of(await say("jobs vault-prod-01", a_world(azure).services)))
    assert len([line for line in lines if line.startswith("✖")]) == 10
    assert "… 90 more running or failed; the command below lists all." in lines


async def test_equal_failures_are_one_line() -> None:
    """Three failures of one item with one code are one line with the newest time; another code is a line of its own."""
    azure = FakeAzure()
    azure.put(
        a_vault(),
        *(a_job(f"j{age}", age=age, errors=(an_error(KEY_VAULT),)) for age in (2, 3, 4)),
        a_job("other", age=5, errors=(an_error("UserErrorVmNotFoundV2"),)),
    )
    lines = shown(card_of(await say("jobs vault-prod-01 failed", a_world(azure).services)))
    assert lines[:3] == [
        "▲ WARNING vault-prod-01: 4 failed jobs in the last 24 h",
        f"✖ FAILED  Backup of vm-erp-01 · 3× · {KEY_VAULT} · last 1 h 50 min ago (2026-11-22 01:10 UTC)",
        "✖ FAILED  Backup of vm-erp-01 · UserErrorVmNotFoundV2 · 4 h 50 min ago (2026-11-21 22:10 UTC)",
    ]


async def test_details_that_cannot_be_read_are_said() -> None:
    """The list stands without them, and the card does not look complete."""
    azure = an_estate()
    azure.fail("job", Throttled("Too many requests.", retry_after=timedelta(minutes=5)))
    lines = shown(card_of(await say("jobs vault-prod-01 running", a_world(azure).services)))
    assert lines[0].startswith("▲ WARNING")
    assert (
        "? COULD NOT READ  vault-prod-01: details of 2 jobs: Azure refuses more reads for now (throttled): "
        "try again in 5 min, at 2026-11-22 03:05 UTC."
    ) in lines
    assert (await vault_jobs(azure, a_vault(), NOW, only="running")).exit_code == 3


async def test_the_json() -> None:
    """Each job with its code, phase and length; a failed one makes the exit code 1."""
    view = await vault_jobs(an_estate(), a_vault(), NOW)
    record = jobs_json(view)
    assert [job["job"] for job in record["jobs"]] == ["runs", "stuck", "failed", "done", "warned"]
    runs, _, failed, *_ = record["jobs"]
    assert (runs["phase"], runs["progress_percent"], runs["took_s"], runs["ended"]) == ("Take Snapshot", 40, 3600, None)
    assert (failed["error_code"], failed["phase"], failed["took_s"]) == (KEY_VAULT, "Take Snapshot", 600)
    assert failed["id"] == f"{VAULT.id}/backupJobs/failed"
    assert view.exit_code == 1


def test_a_vault_with_a_strange_name_is_quoted_for_the_shell() -> None:
    """Nothing of a name becomes a command of its own."""
    vault = a_vault(id=VaultId("s", "rg; rm -rf ~", "v$(x)"))
    assert _az(vault, "failed", NOW) == (
        "az backup job list --subscription s --resource-group 'rg; rm -rf ~' --vault-name 'v$(x)' --status Failed "
        "--start-date 22-11-2026 --output table"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("jobs", "● INFO Name the vault: /backup jobs <vault> [failed|running] [24h]."),
        (
            "jobs vault-prod-01 broken",
            "● INFO broken is neither failed nor running nor a time: /backup jobs <vault> [failed|running] [24h].",
        ),
        (
            "jobs vault-prod-01 31d",
            "● INFO Azure lists jobs of at most 30 days; 31 d is not between 1 minute and that.",
        ),
        (
            "jobs vault-prod-01 10s",
            "● INFO Azure lists jobs of at most 30 days; 10 s is not between 1 minute and that.",
        ),
    ],
)
async def test_what_is_not_understood(words: str, said: str) -> None:
    """The refusal names the form of the command or the limit."""
    assert shown(card_of(await say(words, a_world(an_estate()).services)))[0] == said


async def test_a_job_of_thirty_days_is_within_what_azure_lists() -> None:
    """The longest window does not exceed Azure's limit although clocks may differ."""
    windows: list[timedelta] = []

    class Watching(FakeAzure):
        async def jobs(
            self, vault: VaultId, since: datetime, until: datetime, *, status: str = "", operation: str = ""
        ) -> Sequence[Job]:
            windows.append(until - since)
            return ()

    await vault_jobs(Watching(), a_vault(), NOW, back=timedelta(days=30))
    assert max(windows) <= timedelta(days=30)
