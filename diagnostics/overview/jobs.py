"""The jobs of a vault: what runs and in which phase, what failed and with which code."""

import asyncio
import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from diagnostics.history import both, code_of, error_text
from diagnostics.overview.status import CLOCKS_DIFFER, DAY, READ_JOBS, RUNNING_OF
from diagnostics.verdicts import why_blind
from domain.backup import Job, Vault
from domain.durations import format_age
from domain.errors import GatewayError, RequestError
from domain.overview import JobLine, JobsView
from domain.ports import BackupReader

Only = Literal["", "failed", "running"]

LONGEST: Final = timedelta(days=30)
DETAILED: Final = 10
"""So many running and so many failed jobs are read one by one; Azure counts these reads by the hour."""
_TEXT: Final = 200


async def vault_jobs(
    read: BackupReader, vault: Vault, now: datetime, *, only: Only = "", back: timedelta = DAY
) -> JobsView:
    """The vault's jobs that started within ``back``, and those that still run, whenever they started.

    Raises:
        RequestError: ``back`` is not between a minute and 30 days, which is what Azure lists.
        GatewayError: the jobs could not be read.
    """
    if not timedelta(minutes=1) <= back <= LONGEST:
        raise RequestError(f"Azure lists jobs of at most 30 days; {format_age(back)} is not between 1 minute and that.")
    until = now + CLOCKS_DIFFER
    since = max(now - back, until - LONGEST)
    if only == "failed":
        jobs: Sequence[Job] = await read.jobs(vault.id, since, until, status="Failed")
    else:
        running = read.jobs(vault.id, now - RUNNING_OF, until, status="InProgress")
        other = "Cancelling" if only == "running" else ""
        first = now - RUNNING_OF if only == "running" else since
        lists = await both(running, read.jobs(vault.id, first, until, status=other))
        jobs = list({job.id: job for one in lists for job in one}.values())
    jobs = sorted(jobs, key=lambda job: (not job.running, not job.failed, -(job.started_at or now).timestamp()))
    jobs, errors = await _detailed(read, vault, jobs)
    notes = (f"details of {len(errors)} jobs: {why_blind(errors[0], (READ_JOBS,), now)}",) if errors else ()
    return JobsView(
        vault_id=vault.id.id,
        vault_name=vault.id.name,
        only=only,
        back=back,
        jobs=tuple(_line(job, now) for job in jobs),
        az=_az(vault, only, since),
        notes=notes,
    )


async def _detailed(
    read: BackupReader, vault: Vault, jobs: Sequence[Job]
) -> tuple[Sequence[Job], Sequence[GatewayError]]:
    """The jobs, with details of the newest running ones and of the newest failed ones whose code the list leaves out."""
    running = [job for job in jobs if job.running and not job.detailed][:DETAILED]
    failed = [job for job in jobs if job.failed and not job.detailed and not code_of(job)][:DETAILED]
    wanted = [*running, *failed]
    answers = await asyncio.gather(*(read.job(vault.id, job.id) for job in wanted), return_exceptions=True)
    known: dict[str, Job] = {}
    errors: list[GatewayError] = []
    for job, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, GatewayError):
            errors.append(answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            known[job.id] = answer
    return [known.get(job.id, job) for job in jobs], errors


def _line(job: Job, now: datetime) -> JobLine:
    end = now if job.running else job.ended_at
    took = end - job.started_at if end is not None and job.started_at is not None else job.duration
    stage = "InProgress" if job.running else "Failed"
    return JobLine(
        id=job.id,
        arm_id=f"{job.vault.id}/backupJobs/{job.id}",
        operation=job.operation,
        status=job.status,
        item_name=job.item_name,
        server=job.container_name.rpartition(";")[2],
        started_at=job.started_at,
        ended_at=job.ended_at,
        took=took,
        phase=next((task.name for task in job.tasks if task.status == stage), ""),
        progress_percent=job.progress_percent,
        error_code=code_of(job) if job.failed else "",
        error_text=error_text(job)[:_TEXT] if job.failed else "",
    )


def _az(vault: Vault, only: Only, since: datetime) -> str:
    """The same list by the ``az`` command line (https://learn.microsoft.com/cli/azure/backup/job#az-backup-job-list)."""
    words = ["az", "backup", "job", "list", "--subscription", vault.id.subscription]
    words += ["--resource-group", vault.id.resource_group, "--vault-name", vault.id.name]
    words += {"failed": ["--status", "Failed"], "running": ["--status", "InProgress"], "": []}[only]
    words += [] if only == "running" else ["--start-date", f"{since:%d-%m-%Y}"]
    return shlex.join([*words, "--output", "table"])
