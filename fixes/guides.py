"""Guides: what Azure's API cannot reach, as numbered steps for people; "done" looks again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.arm import ItemId
from domain.backup import Job
from domain.fix import FixPlan, Proof, RunFacts
from domain.ports import BackupReader
from fixes.backups import jobs_window, new_point
from fixes.planning import checked, common, utc
from fixes.registry import FixSpec, PlanRequest

SUCCESS = frozenset({"completed", "completedwithwarnings", "healthy", "succeeded"})
"""How Azure writes a good last backup, by workload, in lower case."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The item's newest failure, as far as Azure tells of it: MARS and MABS jobs have a text and no code."""

    code: str = ""
    text: str = ""

    def says(self, *words: str) -> bool:
        """Whether code or text contains one of ``words``, in any letter case."""
        both = f"{self.code} {self.text}".casefold()
        return any(word.casefold() in both for word in words)

    @property
    def facts(self) -> dict[str, str]:
        """What a guide's steps rest on."""
        return {"error": self.code or self.text or "none"}


async def last_failure(request: PlanRequest, read: BackupReader, *, restore: bool = False) -> Failure:
    """The newest failed backup (or restore) of the item, from its job, else from the item itself."""
    item = request.item
    window = jobs_window(request)
    if window is not None:
        jobs = await read.jobs(request.vault.id, *window, status="Failed")
        mine = [job for job in jobs if job.is_of(item) and (job.is_restore if restore else job.is_backup)]
        if mine:
            newest = max(mine, key=lambda job: (job.started_at or window[0], job.id))
            return _of(await read.job(request.vault.id, newest.id))
    return Failure() if restore else Failure(code=item.last_error_code, text=item.last_error_text)


def _of(job: Job) -> Failure:
    for error in job.errors:
        return Failure(code=error.code, text=error.text or error.title)
    return Failure()


def guide(
    spec: FixSpec,
    request: PlanRequest,
    *,
    sentence: str,
    facts: Mapping[str, str],
    steps: tuple[str, ...],
    notes: tuple[str, ...] = (),
    duration: timedelta = timedelta(minutes=30),
) -> FixPlan:
    """A plan without calls: the bot changes nothing, people follow ``steps``."""
    return FixPlan(
        **common(spec, request, checked(spec, request.parameters)),
        precondition=facts,
        calls=(),
        sentence=sentence,
        effects=("The bot changes nothing; these are steps for a person on the machine.",),
        worst_case="None by the bot; each step says what it does.",
        undo="None is needed.",
        duration=duration,
        steps=steps,
        notes=notes,
    )


async def next_backup_proof(plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
    """Proved: a backup succeeded after the guide was begun, by a recovery point or, on premises, by the item itself."""
    item = await read.item(ItemId.parse(plan.item_id))
    said = item.last_backup_status or "not told"
    if item.backup_management_type.casefold() not in {"mab", "dpm", "azurebackupserver"}:
        point = await new_point(item.id, facts.started_at, read, now)
        if point is None:
            return Proof(
                proved=None, summary="No recovery point was made since.", evidence={"last_backup_status": said}
            )
        return Proof(
            proved=True,
            summary=f"A recovery point was made at {utc(point.at)}.",
            evidence={"recovery_point": point.id, "recovery_point_at": point.at.isoformat()},
        )
    if item.last_backup_at is None or item.last_backup_at < facts.started_at:
        return Proof(proved=None, summary="No backup has run since.", evidence={"last_backup_status": said})
    when = utc(item.last_backup_at)
    evidence = {"last_backup_status": said, "last_backup_at": item.last_backup_at.isoformat()}
    if said.casefold() in SUCCESS:
        return Proof(proved=True, summary=f"The backup of {when} ended as {said}.", evidence=evidence)
    return Proof(proved=None, summary=f"A backup ran at {when} and ended as {said}.", evidence=evidence)
