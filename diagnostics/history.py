"""What an item's jobs say: its newest backup, how many failed in a row, what runs now, which restore failed.

Azure cannot filter jobs by item, and the list is long and counted per hour
(https://learn.microsoft.com/azure/backup/backup-azure-arm-userestapi-managejobs). So the reads are few and alike for every
check, which lets the cache of one diagnosis share them: all jobs of three days, and of thirty days only the failed and the
running ones.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from diagnostics import error_codes
from diagnostics.clues import earlier_facts
from diagnostics.error_codes import ErrorCode
from diagnostics.registry import Context
from domain.backup import Job, ProtectedItem, Workload
from domain.errors import GatewayError, ResourceNotFound

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

HISTORY: Final = timedelta(days=30)
"""How far back the newest backup and failures are looked for; Azure lists at most 30 days at a time."""
_RECENT: Final = timedelta(days=3)
_RESTORE_MATTERS: Final = timedelta(days=7)
_CLOCKS_DIFFER: Final = timedelta(minutes=10)
_IDENTITY: Final = re.compile(r"managed ?identity|\bmsi\b", re.IGNORECASE)
_MOST_ERRORS: Final = 3
_AROUND: Final = timedelta(hours=24)
_DATABASES: Final = frozenset({Workload.SQL, Workload.HANA})


async def side_by_side(*reads: Awaitable[T]) -> list[T]:
    """Await all reads at once; when one fails, the first error in their order is raised after all have ended."""
    answers = await asyncio.gather(*reads, return_exceptions=True)
    results: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        results.append(answer)
    return results


async def both(one: Awaitable[A], other: Awaitable[B]) -> tuple[A, B]:
    """Await two reads of different kinds at once, with errors as in :func:`side_by_side`."""
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second


def subject(context: Context) -> ProtectedItem:
    """The item of a check that is about one; the runner never asks such a check about a vault."""
    if context.item is None:
        raise LookupError("this check needs a protected item")
    return context.item


async def _jobs(context: Context, back: timedelta, *, status: str = "", operation: str = "") -> Sequence[Job]:
    until = context.clock.now() + _CLOCKS_DIFFER
    since = max(until - HISTORY, context.clock.now() - back)
    return await context.read.jobs(context.vault.id, since, until, status=status, operation=operation)


async def _jobs_around_last_run(context: Context, item: ProtectedItem) -> Sequence[Job]:
    """The backups of the day on which the item says it was last backed up, which spares reading the whole month."""
    ran = item.last_backup_at or item.last_recovery_point_at
    now = context.clock.now()
    if ran is None or ran < now - HISTORY + _AROUND:
        return ()
    return await context.read.jobs(context.vault.id, ran - _AROUND, min(ran + _AROUND, now), operation="Backup")


async def recent_jobs(context: Context) -> Sequence[Job]:
    """Every job of the vault that started in the last three days."""
    return await _jobs(context, _RECENT)


async def failed_jobs(context: Context) -> Sequence[Job]:
    """The vault's failed jobs of the last thirty days."""
    return await _jobs(context, HISTORY, status="Failed")


async def running_jobs(context: Context) -> tuple[Job, ...]:
    """The item's jobs that have not ended, newest first; a machine that died may leave one for weeks."""
    item = subject(context)
    lists = await side_by_side(recent_jobs(context), _jobs(context, HISTORY, status="InProgress"))
    return tuple(job for job in _merged(lists) if job.running and is_of(job, item))


def is_of(job: Job, item: ProtectedItem) -> bool:
    """Whether the job is the item's; the jobs of databases name it as ``name [machine]``."""
    if job.is_of(item):
        return True
    name, bracket, machine = job.item_name.removesuffix("]").partition(" [")
    if not bracket or name.casefold() != item.name.casefold():
        return False
    machines = {item.server_name.casefold(), item.id.container.rpartition(";")[2].casefold()} - {""}
    return not machines or any(
        machine.casefold() == one or one.startswith(machine.casefold()) or machine.casefold().startswith(one)
        for one in machines
    )


def _merged(lists: Iterable[Sequence[Job]]) -> list[Job]:
    jobs = {job.id.casefold(): job for jobs in lists for job in jobs}
    return sorted(jobs.values(), key=lambda job: (job.started_at is not None, job.started_at, job.id), reverse=True)


def code_of(job: Job) -> str:
    """The most telling error code of a failed job, or "" when it names none."""
    for error in job.errors:
        code = error_codes.extract_code(error.title, error.number, error.text, error.recommendations) or error.code
        if code:
            return code
    return ""


def explain(code: str, text: str, workload: Workload) -> ErrorCode | None:
    """What the project knows of the code, or else of the sentence."""
    known = error_codes.load()
    return (known.lookup(code, workload.value) if code else None) or (
        known.lookup(text, workload.value) if text else None
    )


def error_text(job: Job) -> str:
    """What Azure wrote about a failed job, all its errors, verbatim."""
    return " ".join(error.text for error in job.errors if error.text)


def recommendations(job: Job) -> tuple[str, ...]:
    """What Azure recommends for a failed job, verbatim and without repeats."""
    return tuple(dict.fromkeys(one for error in job.errors for one in error.recommendations))


def failed_phase(job: Job) -> str:
    """The phase in which a job failed, or else the one it was in; "" when its tasks are not known."""
    for status in ("Failed", "InProgress"):
        for task in job.tasks:
            if task.status == status:
                return task.name
    return ""


def progress_text(job: Job) -> str:
    """How far a running job is, so that two looks at it can be compared: its percentage and the state of each phase."""
    tasks = ", ".join(f"{task.name}: {task.status}" for task in job.tasks)
    return f"{job.progress_percent if job.progress_percent is not None else '?'} % ({tasks or 'no phases'})"


def code_facts(known: ErrorCode | None) -> dict[str, str]:
    """What the table of error codes adds to the facts of a failed job: family, name, whether it passes by itself."""
    if known is None:
        return {"known": "no"}
    return {
        "known": "yes",
        "error_name": known.name,
        "family": known.family,
        "transient": "yes" if known.transient else "no",
        "code_fixes": " ".join(known.fixes),
        "confirmed_by": " ".join(known.checks),
    }


@dataclass(frozen=True, kw_only=True)
class SeenError:
    """The error of a failed job: its code, what the project knows of it, and Azure's words."""

    code: str = ""
    known: ErrorCode | None = None
    text: str = ""

    @property
    def name(self) -> str:
        """What tells it from other errors."""
        return self.known.name if self.known else self.code


@dataclass(frozen=True, kw_only=True)
class BackupHistory:
    """The item's backups as its jobs tell them.

    ``newest`` is the finished backup that decides, with its details if it failed; None: no job of thirty days. ``in_row``
    counts the failures since the last success. ``code`` is the failure's code, ``known`` what the project knows of it;
    ``earlier`` are the other errors of the row, the nearest first.
    """

    newest: Job | None = None
    in_row: int = 0
    code: str = ""
    known: ErrorCode | None = None
    text: str = ""
    earlier: tuple[SeenError, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the backup that decides failed."""
        return self.newest is not None and self.newest.failed


async def backup_history(context: Context) -> BackupHistory:
    """Read the item's backups: two lists side by side, a third if they hold none of it, then the failed job itself."""
    item = subject(context)
    jobs = _merged(await side_by_side(recent_jobs(context), failed_jobs(context)))
    finished = _finished(jobs, item)
    if not finished:
        jobs = _merged([jobs, await _jobs_around_last_run(context, item)])
        finished = _finished(jobs, item)
    newest = deciding(finished, item)
    if newest is None:
        return BackupHistory()
    if not newest.failed:
        return BackupHistory(newest=newest)
    newest = await detailed(context, newest)
    code, text = code_of(newest) or item.last_error_code, error_text(newest)
    known = explain(code, text, item.workload)
    row = failures_in_row(finished, newest, item)
    return BackupHistory(
        newest=newest,
        in_row=len(row),
        code=code,
        known=known,
        text=text,
        earlier=other_errors(await told(context, row[1:]), SeenError(code=code, known=known), item.workload),
    )


async def told(context: Context, failed: Sequence[Job]) -> list[Job]:
    """Failed jobs with their errors: of those that a list leaves without, the first and the last are read themselves."""
    silent = [job for job in failed if not job.errors]
    asked = {job.id: job for job in (*silent[:1], *silent[-1:])}
    answers = await asyncio.gather(*(detailed(context, job) for job in asked.values()), return_exceptions=True)
    read = {job.id: job for job in answers if isinstance(job, Job)}
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, GatewayError):
            raise answer
    return [read.get(job.id, job) for job in failed]


def other_errors(row: Iterable[Job], last: SeenError, workload: Workload) -> tuple[SeenError, ...]:
    """The errors of failed jobs that differ from the last one, each once, in the order of the jobs."""
    found: dict[str, SeenError] = {}
    for job in row:
        code, text = code_of(job), error_text(job)
        error = SeenError(code=code, known=explain(code, text, workload), text=text)
        if error.name and error.name != last.name:
            found.setdefault(error.name, error)
    return tuple(found.values())[:_MOST_ERRORS]


def earlier_marks(errors: Iterable[SeenError]) -> dict[str, str]:
    """The facts by which rules about causes see earlier errors."""
    return earlier_facts(
        [
            {"error_code": error.code, **code_facts(error.known), **identity_fact(error.code, error.text)}
            for error in errors
        ]
    )


def identity_fact(*told: str) -> dict[str, str]:
    """The mark of an error that speaks of the vault's managed identity."""
    return {"identity": "yes"} if _IDENTITY.search(" ".join(told)) else {}


def also_failed_with(errors: Sequence[SeenError]) -> str:
    """A sentence about the earlier errors of a row, "" without any."""
    return f" Before that it failed with {', '.join(error.code or error.name for error in errors)}." if errors else ""


async def detailed(context: Context, job: Job) -> Job:
    """The job itself, because the list leaves details out; as listed when the job has gone meanwhile."""
    if job.detailed:
        return job
    try:
        return await context.read.job(context.vault.id, job.id)
    except ResourceNotFound:
        return job


def _finished(jobs: Iterable[Job], item: ProtectedItem) -> list[Job]:
    return [job for job in jobs if job.is_backup and not job.running and is_of(job, item)]


def deciding(finished: Sequence[Job], item: ProtectedItem) -> Job | None:
    """The backup that says how things stand, of finished ones in order from the newest.

    A database has several kinds of backups; the newest failure of any kind decides unless the same kind, or a full backup,
    has succeeded since.
    """
    if item.workload not in _DATABASES:
        return finished[0] if finished else None
    succeeded: set[str] = set()
    for job in finished:
        kind = job.operation.casefold()
        if job.failed and kind not in succeeded and not any("full" in one for one in succeeded):
            return job
        if not job.failed:
            succeeded.add(kind)
    return finished[0] if finished else None


def failures_in_row(finished: Sequence[Job], newest: Job, item: ProtectedItem) -> list[Job]:
    """The backups of the kind of ``newest`` that failed since one succeeded, or since the last recovery point."""
    row: list[Job] = []
    point = item.last_recovery_point_at if item.workload not in _DATABASES else None
    for job in finished:
        if item.workload in _DATABASES and job.operation.casefold() != newest.operation.casefold():
            continue
        before_point = point is not None and job.started_at is not None and job.started_at < point
        if not job.failed or (before_point and row):
            break
        row.append(job)
    return row


async def restore_trouble(context: Context) -> Job | None:
    """The item's failed restore that still matters: of the last week, with no successful one after it; with details."""
    failed = await restore_failures(context)
    return await detailed(context, failed[0]) if failed else None


async def restore_failures(context: Context) -> Sequence[Job]:
    """The item's failed restores of the last week since one succeeded, the newest first, as listed.

    Older ones than those that were read for a success after them are left out.
    """
    item = subject(context)
    if context.failed_job is not None and context.failed_job.is_restore:
        return [context.failed_job]
    now = context.clock.now()
    failed = [
        (job.started_at, job)
        for job in _merged([await failed_jobs(context)])
        if job.is_restore
        and is_of(job, item)
        and job.started_at is not None
        and job.started_at >= now - _RESTORE_MATTERS
    ]
    if not failed:
        return ()
    seen_from = now - (_RECENT if failed[0][0] >= now - _RECENT else _RESTORE_MATTERS)
    good = [
        job.started_at
        for job in await _restores_since(context, seen_from)
        if job.is_restore
        and is_of(job, item)
        and job.started_at is not None
        and job.status in {"Completed", "CompletedWithWarnings"}
    ]
    return [job for at, job in failed if at >= seen_from and all(at >= one for one in good)]


async def _restores_since(context: Context, moment: datetime) -> list[Job]:
    """At least the restores since then, of both regions; the list of three days that all checks share may hold them."""
    until = context.clock.now() + _CLOCKS_DIFFER
    if moment >= context.clock.now() - _RECENT:
        away = context.read.jobs_in_paired_region(context.vault.id, context.clock.now() - _RECENT, until)
        return _merged(await side_by_side(recent_jobs(context), away))
    kinds = (_jobs(context, _RESTORE_MATTERS, operation=kind) for kind in ("Restore", "CrossRegionRestore"))
    return _merged(await side_by_side(recent_jobs(context), *kinds))


async def backup_errors(context: Context) -> tuple[ErrorCode, ...]:
    """What is known of the last failures' errors, the newest first; () where none failed or no job can be read.

    For checks to which the errors are a hint only: the one whose question they are says that it could not look.
    """
    try:
        history = await backup_history(context)
    except GatewayError:
        return ()
    known = (history.known, *(error.known for error in history.earlier))
    return tuple(one for one in known if one is not None)
