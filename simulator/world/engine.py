"""Time passing: scheduled backups start, jobs go through their steps, end, and leave recovery points.

Nothing runs in the background. `settle` brings one item to an instant by replaying, in their order, the events that lie
between the last look and that instant, so it does not matter when anybody looks.
"""

import heapq
from datetime import datetime, timedelta

from simulator import timings
from simulator.world.errors import ERRORS, JobError
from simulator.world.model import FAR, Item, Job, Point, Step, Workload, World, stable_uuid
from simulator.world.physics import backup_error, restore_problems

SNAPSHOT = "Take Snapshot"
TRANSFER = "Transfer data to vault"
FETCH = "Transfer data from vault"
CREATE = "Create the restored virtual machine"
SCHEDULED_STATES = ("Protected", "IRPending", "ProtectionError")


def backup_steps(world: World, item: Item, at: datetime) -> list[Step]:
    """The sub-tasks of a backup of this item that starts at `at`, with their lengths."""

    def length(base: float) -> float:
        return world.seconds(base, at).total_seconds()

    if item.workload is Workload.VM:
        return [Step(SNAPSHOT, length(timings.VM_SNAPSHOT)), Step(TRANSFER, length(timings.VM_TRANSFER))]
    if item.workload is Workload.FILES:
        return [Step(SNAPSHOT, length(timings.FILES_BACKUP))]
    if item.workload in (Workload.SQL, Workload.HANA):
        return [Step(TRANSFER, length(timings.SQL_BACKUP))]
    return [Step("Backup", length(timings.MARS_BACKUP))]


def settle(world: World, item: Item, now: datetime) -> None:
    """Brings an item to `now`."""
    while item.wake <= now:
        _event(world, item)
        refresh_wake(item)
    item.settled = now


def settle_all(world: World, now: datetime) -> None:
    """Brings every item that has anything going on to `now`; called before each change of the world."""
    for item in tuple(world.lively.values()):
        settle(world, item, now)


def refresh_wake(item: Item) -> None:
    """Recomputes when something next happens to an item."""
    soonest = min((job.due() for job in item.open), default=FAR)
    if item.state in SCHEDULED_STATES:
        soonest = min(soonest, item.next_run)
    if item.extra_runs:
        soonest = min(soonest, item.extra_runs[0])
    item.wake = soonest


def make_real(world: World, item: Item, since: datetime) -> None:
    """From `since` on the engine makes a job for each scheduled run instead of taking it as good.

    What the engine had made after that instant is forgotten: it happens again, under the rules as they are now.
    """
    if item.real_from is None or item.real_from > since:
        item.real_from = since
        item.jobs = [job for job in item.jobs if job.started < since or job.operation != "Backup"]
        item.open = [job for job in item.open if job in item.jobs]
        item.points = [point for point in item.points if point.time < since]
        item.next_run = following(item, since)
    world.lively[item.number] = item
    refresh_wake(item)


def following(item: Item, instant: datetime) -> datetime:
    """The first scheduled run of an item at or after an instant; far in the future without a policy."""
    policy = item.vault.policies.get(item.policy)
    return policy.schedule.following(instant) if policy else FAR


def retry_at(item: Item, instant: datetime) -> None:
    """Plans one more run of an item beside its schedule."""
    heapq.heappush(item.extra_runs, instant)
    refresh_wake(item)


def _event(world: World, item: Item) -> None:
    at = item.wake
    job = min(item.open, key=Job.due, default=None)
    if job is not None and job.due() == at:
        _progress(world, item, job, at)
    elif item.extra_runs and item.extra_runs[0] == at:
        heapq.heappop(item.extra_runs)
        _run(world, item, at, user=True)
    else:
        item.next_run = following(item, at + timedelta(seconds=1))
        if not item.more.get("silent"):
            _run(world, item, at, user=False)


def _run(world: World, item: Item, at: datetime, *, user: bool) -> None:
    if running_backup(item) is None:
        start_backup(world, item, at, kind=item.more.get("scheduled_kind", ""), user=user)


def running_backup(item: Item) -> Job | None:
    """The backup of an item that has not ended; Azure runs one at a time."""
    return next((job for job in item.open if job.operation == "Backup"), None)


def start_backup(world: World, item: Item, at: datetime, *, kind: str = "", user: bool = False) -> Job:
    """Starts a backup at `at`; `kind` is Full, Differential or Log for databases."""
    if item.workload in (Workload.SQL, Workload.HANA) and not kind:
        kind = "Full"
    job = Job(
        id=stable_uuid("job", item.id, at.isoformat(), kind, user),
        item=item,
        operation="Backup",
        started=at,
        steps=backup_steps(world, item, at),
        kind=kind,
        user=user,
    )
    stuck = item.more.get("stuck")
    if stuck is not None and at >= stuck:
        job.stuck_at = 0
        item.more["stuck"] = None
    return add_job(world, item, job)


def start_job(world: World, item: Item, operation: str, at: datetime, steps: list[Step], **plan: object) -> Job:
    """Starts a job of another operation, such as Restore or Undelete."""
    job = Job(
        id=stable_uuid("job", item.id, at.isoformat(), operation, world.number()),
        item=item,
        operation=operation,
        started=at,
        steps=steps,
        user=True,
        plan=dict(plan),
    )
    return add_job(world, item, job)


def add_job(world: World, item: Item, job: Job) -> Job:
    """Puts a job into the item's list and watches it until it ends."""
    item.jobs.append(job)
    item.open.append(job)
    world.lively[item.number] = item
    refresh_wake(item)
    return job


def adopt(world: World, job: Job) -> None:
    """Turns a computed job that happens to be running into a real one, so that it can be changed."""
    item = job.item
    if job in item.open or job in item.jobs:
        return
    if item.real_from is None:
        make_real(world, item, job.started + timedelta(seconds=1))
    item.real_from = job.started
    add_job(world, item, job)


def cancel(world: World, job: Job, at: datetime) -> None:
    """Asks a running job to stop; it is Cancelling until the delay has passed."""
    job.status = "Cancelling"
    job.cancelled = at + world.seconds(timings.CANCEL, at)
    refresh_wake(job.item)


def _progress(world: World, item: Item, job: Job, at: datetime) -> None:
    if job.cancelled is not None:
        _end(item, job, at, "Cancelled", ERRORS["UserErrorJobSuccessfullyCancelled"])
        return
    last = job.passed == len(job.steps) - 1
    error = _step_error(world, item, job, at)
    if error is not None:
        _end(item, job, at, "Failed", error)
        return
    if job.operation == "Backup" and job.passed == 0:
        _add_point(item, job, at)
    job.passed += 1
    if last:
        _end(item, job, at, "Completed", None)
        _effect(world, item, job, at)


def _step_error(world: World, item: Item, job: Job, at: datetime) -> JobError | None:
    if job.operation == "Backup" and job.passed == 0:
        return backup_error(world, item, job, at)
    if job.operation in ("Restore", "CrossRegionRestore"):
        problems = restore_problems(world, item, job.plan, at) if item.workload is Workload.VM else []
        final = job.passed == len(job.steps) - 1
        code = job.plan.get("error", "") or (problems[0] if problems and final else "")
        return ERRORS[code] if code and final else None
    return None


def _end(item: Item, job: Job, at: datetime, status: str, error: JobError | None) -> None:
    job.status, job.ended, job.error = status, at, error
    item.open.remove(job)


def _add_point(item: Item, job: Job, at: datetime) -> None:
    if item.workload in (Workload.SQL, Workload.HANA):
        item.more["log_from"] = item.more.get("log_from") or at
        if job.kind == "Log":
            item.more["log_until"] = at
            return
    taken = min(job.started + timedelta(seconds=7), at)
    name = str(int(stable_uuid("point", job.id).replace("-", "")[:14], 16))
    kind = job.kind or ("AppConsistent" if item.workload is Workload.VM else "FileSystemConsistent")
    vaulted = None if len(job.steps) > 1 else at
    item.points.append(Point(name, taken, kind, vaulted, expires=job.plan.get("expires")))
    job.plan["point"] = name


def _effect(world: World, item: Item, job: Job, at: datetime) -> None:
    if job.operation == "Backup":
        for point in item.points:
            if point.id == job.plan.get("point"):
                point.vaulted = point.vaulted or at
        if item.state in ("IRPending", "ProtectionError"):
            item.state = "Protected"
    elif job.operation == "Undelete":
        item.deleted_at = None
        item.state = "ProtectionStopped"
    elif job.operation in ("Restore", "CrossRegionRestore"):
        _restored(world, item, job, at)


def _restored(world: World, item: Item, job: Job, at: datetime) -> None:
    group = job.plan.get("group")
    if not group or item.workload is not Workload.VM:
        return
    name = f"{item.name}-osdisk-{at:%Y%m%d-%H%M%S}"
    disk_id = f"{group}/providers/Microsoft.Compute/disks/{name}"
    world.disks[disk_id.casefold()] = {
        "id": disk_id,
        "name": name,
        "location": job.plan["region"],
        "created": at,
        "source": item.source_id,
    }
    job.bag["Target disk name"] = name
