"""What anybody can see of an item's past: its jobs and recovery points, the good old ones computed on demand."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from simulator.world.engine import backup_steps, settle
from simulator.world.model import DATABASES, Item, Job, Point, Policy, Workload, World

JOB_RETENTION = timedelta(days=30)
POINT_LAG = timedelta(seconds=7)


def _mask(item: Item) -> int:
    return int.from_bytes(hashlib.blake2b(item.vault.id.encode(), digest_size=8).digest(), "big")


def _tail(item: Item, minute: int) -> int:
    text = f"{item.id}|{minute}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def computed_job_id(item: Item, start: datetime) -> str:
    """The id of a computed job: item number and minute, masked, so that it can be found again without an index."""
    minute = int(start.timestamp()) // 60
    high = ((item.number << 32) | minute) ^ _mask(item)
    raw = f"{high:016x}{_tail(item, minute):016x}"
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def policy_of(item: Item) -> Policy | None:
    """The policy of an item; None when it has none."""
    return item.vault.policies.get(item.policy)


def _good_runs(item: Item, after: datetime, until: datetime) -> Iterator[datetime]:
    policy = policy_of(item) or item.vault.policies.get(item.more.get("former_policy", ""))
    if policy is None or item.more.get("new"):
        return
    stop = until if item.real_from is None else min(until, item.real_from)
    start = max(after, item.since)
    if start < stop:
        yield from policy.schedule.runs(start, stop)


def _computed_job(world: World, item: Item, start: datetime, now: datetime) -> Job:
    steps = backup_steps(world, item, start)
    kind = "Full" if item.workload in DATABASES else ""
    job = Job(computed_job_id(item, start), item, "Backup", start, steps, kind)
    while job.passed < len(steps) and job.step_end(job.passed) <= now:
        job.passed += 1
    if job.passed == len(steps):
        job.status, job.ended = "Completed", job.step_end(job.passed - 1)
    return job


def _may_still_run(world: World, item: Item, now: datetime) -> datetime:
    """Computed jobs that started before this have ended: as long ago as twice the length of one."""
    return now - 2 * timedelta(seconds=sum(step.seconds for step in backup_steps(world, item, now)))


def jobs(
    world: World,
    item: Item,
    after: datetime,
    until: datetime,
    now: datetime,
    *,
    good: bool = True,
    running: bool = False,
) -> list[Job]:
    """The jobs of an item that started in [after, until), newest first; without `good` no computed ones.

    With `running` those computed ones are left out that have certainly ended, of which a month holds very many.
    """
    settle(world, item, now)
    if not good and not item.jobs:
        return []
    after = max(after, now - JOB_RETENTION)
    until = min(until, now)
    good_after = max(after, _may_still_run(world, item, now)) if running and good else after
    starts = _good_runs(item, good_after, until) if good else ()
    found = [_computed_job(world, item, start, now) for start in starts]
    found += [job for job in item.jobs if after <= job.started <= until]
    found.sort(key=lambda job: job.started, reverse=True)
    return found


def find_job(world: World, items: dict[tuple[str, str], Item], job_id: str, now: datetime) -> Job | None:
    """A job of a vault by its id."""
    wanted = job_id.casefold()
    for item in items.values():
        for job in item.jobs:
            if job.id == wanted:
                settle(world, item, now)
                return job
    try:
        high = int(wanted.replace("-", "")[:16], 16)
    except ValueError:
        return None
    for item in items.values():
        plain = high ^ _mask(item)
        if plain >> 32 != item.number:
            continue
        start = datetime.fromtimestamp((plain & 0xFFFFFFFF) * 60, UTC)
        if computed_job_id(item, start) == wanted and start in _good_runs(item, start, start + timedelta(seconds=1)):
            return _computed_job(world, item, start, now)
    return None


def _latest(world: World, item: Item, now: datetime, *, whole: bool) -> datetime | None:
    """The newest start of an item without trouble whose job (`whole`), or its first step, has ended by `now`."""
    policy = policy_of(item)
    if policy is None or item.more.get("new"):
        return None
    start = policy.schedule.preceding(now)
    for _ in range(2):
        if start is None or start < item.since:
            return None
        if start + _lengths(world, item, start)[whole] <= now:
            return start
        start = policy.schedule.preceding(start - timedelta(seconds=1))
    return None


def newest_good(world: World, item: Item, now: datetime) -> tuple[datetime | None, datetime | None]:
    """For an item that never had trouble: the start of its last backup and the time of its last point."""
    start, snapshot = (_latest(world, item, now, whole=whole) for whole in (True, False))
    return start, snapshot + POINT_LAG if snapshot else None


def newest_backup(world: World, item: Item, now: datetime) -> Job | None:
    """The newest backup job of an item that has ended, or else the running one."""
    if item.real_from is None and not item.jobs and (start := _latest(world, item, now, whole=True)):
        return _computed_job(world, item, start, now)
    for days in (2, 9, 30):
        seen = [
            job
            for job in jobs(world, item, now - timedelta(days=days), now, now)
            if job.operation == "Backup" and job.kind != "Log"
        ]
        ended = [job for job in seen if job.ended is not None]
        if ended:
            return ended[0]
    return None


def points(
    world: World,
    item: Item,
    now: datetime,
    after: datetime | None = None,
    until: datetime | None = None,
    limit: int = 0,
) -> list[Point]:
    """The recovery points of an item in [after, until), newest first; at most `limit` unless 0."""
    settle(world, item, now)
    policy = policy_of(item) or item.vault.policies.get(item.more.get("former_policy", ""))
    kept = timedelta(days=policy.retention_days if policy else 30)
    floor = max(after or now - kept, now - kept)
    ceiling = min(until or now, now)
    found = [p for p in item.points if floor <= p.time <= ceiling]
    if limit:
        floor = max(floor, ceiling - timedelta(days=limit + 8))
    found += [
        point
        for start in _good_runs(item, floor, ceiling)
        if (point := _computed_point(world, item, start, now)) is not None
    ]
    found.sort(key=lambda point: point.time, reverse=True)
    return found[:limit] if limit else found


def _lengths(world: World, item: Item, start: datetime) -> tuple[timedelta, timedelta]:
    """How long the first step and the whole of a backup last that starts at `start`."""
    scaled = start >= world.epoch
    known = world.lengths.get((item.workload, scaled))
    if known is None:
        steps = backup_steps(world, item, start)
        known = (timedelta(seconds=steps[0].seconds), timedelta(seconds=sum(step.seconds for step in steps)))
        world.lengths[item.workload, scaled] = known
    return known


def _computed_point(world: World, item: Item, start: datetime, now: datetime) -> Point | None:
    first, whole = _lengths(world, item, start)
    if start + first > now:
        return None
    if item.workload in DATABASES:
        kind = "Full"
    else:
        kind = "AppConsistent" if item.workload is Workload.VM else "FileSystemConsistent"
    minute = int(start.timestamp()) // 60
    name = str((_tail(item, minute) & 0xFFFFFF) * 100_000_000 + minute)
    gone = item.more.get("points_deleted_at")
    vaulted = start + whole if start + whole <= now else None
    return Point(name, start + POINT_LAG, kind, vaulted, soft_deleted=bool(gone and start < gone))


def point_span(world: World, item: Item, now: datetime) -> tuple[int, datetime | None]:
    """How many recovery points an item has that are not soft deleted, and when the oldest was made."""
    gone = item.more.get("points_deleted_at")
    if item.real_from is not None or gone:
        found = [point.time for point in points(world, item, now) if not point.soft_deleted]
        return len(found), found[-1] if found else None
    policy = policy_of(item)
    kept = timedelta(days=policy.retention_days if policy else 30)
    starts = [s for s in _good_runs(item, now - kept, now) if s + _lengths(world, item, s)[0] <= now]
    more = [point.time for point in item.points]
    times = [*(s + POINT_LAG for s in starts[:1]), *more]
    return len(starts) + len(more), min(times, default=None)


def newest_point(world: World, item: Item, now: datetime) -> Point | None:
    """The newest recovery point that is not soft deleted."""
    if item.real_from is None and not item.jobs and not item.more.get("points_deleted_at"):
        start = _latest(world, item, now, whole=False)
        if start is not None:
            return _computed_point(world, item, start, now)
    for limit in (2, 0):
        for point in points(world, item, now, limit=limit):
            if not point.soft_deleted:
                return point
    return None


def log_range(world: World, item: Item, now: datetime) -> tuple[datetime, datetime] | None:
    """The range in which a database can be restored to any instant; None without log backups."""
    policy = policy_of(item) or item.vault.policies.get(item.more.get("former_policy", ""))
    if policy is None or not policy.log_minutes or item.workload not in DATABASES:
        return None
    settle(world, item, now)
    frequency = timedelta(minutes=policy.log_minutes)
    end = item.more.get("log_until")
    if end is None:
        end = now - ((now - datetime(2026, 1, 1, tzinfo=UTC)) % frequency)
    start = max(item.since, now - timedelta(days=15))
    return (start, end) if start < end else None
