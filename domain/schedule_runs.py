"""When a policy's backups run, how far apart they can be, and by when a recovery point must be there.

Everything here is a pure function of a policy and moments that the caller passes in, aware and best in UTC.
None is an answer: the policy does not say. That is so without a schedule, with an unknown time zone, and for
schedules that state a rhythm but no moment (log backups, every second week).

Runs are wall-clock times in the policy's zone. A time that the clocks skip in spring runs as much later as they
jump, a time that they repeat in autumn runs at its first pass. The documentation says that backups do not follow
daylight saving, customers have seen that they do
(https://learn.microsoft.com/azure/backup/backup-support-matrix): so in a zone that moves its clocks, nothing is
called late or missing by less than that move.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from domain.backup_policy import (
    WEEKDAYS,
    BackupPolicy,
    DailySchedule,
    HourlySchedule,
    LogSchedule,
    Timetable,
    WeeklySchedule,
)

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_A_MONDAY: Final = date(2001, 1, 1)
_UNKNOWN_ZONE_SLACK: Final = timedelta(hours=1)
# How many days to look at on both sides of a moment: a run belongs to the local day on which its window opened and may
# come a day later, and where there are days without runs, the next one may be a week away.
_NEAR: Final = 2
_FAR: Final = 9


class NaiveMomentError(ValueError):
    """A moment without a time zone was passed: comparing it would be off by hours, or raise somewhere else."""


def aware(moment: datetime) -> datetime:
    """`moment` in UTC.

    Raises:
        NaiveMomentError: The moment has no time zone.
    """
    if moment.utcoffset() is None:
        raise NaiveMomentError(f"{moment.isoformat()} has no time zone; pass moments in UTC")
    return moment.astimezone(UTC)


def runs_between(policy: BackupPolicy, start: datetime, end: datetime) -> tuple[datetime, ...] | None:
    """Every run with `start` <= run < `end`, in order and in UTC; None if the policy names no moments.

    Log backups are left out, because their moments are not known.
    """
    start, end = aware(start), aware(end)
    tables = _fixed(policy)
    if not tables:
        return None
    found: set[datetime] = set()
    for table, zone in tables:
        first = start.astimezone(zone).date() - _NEAR * _DAY
        last = end.astimezone(zone).date() + _NEAR * _DAY
        found.update(run for run in _runs(table, zone, first, last) if start <= run < end)
    return tuple(sorted(found))


def previous_run(policy: BackupPolicy, now: datetime) -> datetime | None:
    """The latest run at or before `now`; None if the policy names no moments."""
    now = aware(now)
    return max((_latest(table, zone, now) for table, zone in _fixed(policy)), default=None)


def next_run(policy: BackupPolicy, now: datetime) -> datetime | None:
    """The earliest run after `now`; None if the policy names no moments."""
    now = aware(now)
    return min((_earliest(table, zone, now) for table, zone in _fixed(policy)), default=None)


def worst_case_gap(policy: BackupPolicy, *, logs: bool = True) -> timedelta | None:
    """The longest time between two backups that the schedule allows: the RPO that the policy implies.

    The duration of a backup and the hour of a clock change are not in it. `logs` is False for databases without
    log backups (simple recovery model, system databases): then full, differential and incremental backups count.
    None if the policy has no schedule that is understood.
    """
    weekly: set[timedelta] = set()
    gaps: list[timedelta] = []
    for backup in policy.backups:
        schedule = backup.schedule
        if isinstance(schedule, LogSchedule):
            gaps.extend([schedule.every] if logs else [])
        elif isinstance(schedule, WeeklySchedule) and schedule.every_weeks > 1:
            # Which day begins Azure's week is not documented, so the pause is put into the longest gap.
            gaps.append(_largest(_offsets(schedule)) + (schedule.every_weeks - 1) * _WEEK)
        elif isinstance(schedule, Timetable):
            weekly.update(_offsets(schedule))
    if weekly:
        gaps.append(_largest(weekly))
    return min(gaps, default=None)


def expected_recovery_point(
    policy: BackupPolicy, now: datetime, tolerance: timedelta, *, logs: bool = True
) -> datetime | None:
    """The moment that the newest recovery point must not be older than, if the schedule is kept.

    A run counts once `tolerance` (for its duration and its queue) has passed since. None if the policy implies
    nothing.
    """
    now = aware(now)
    due: list[datetime] = []
    for table, zone in _fixed(policy):
        slack = _clock_move(zone.key, now.year)
        due.append(_latest(table, zone, now - tolerance - slack) - slack)
    due.extend(now - tolerance - gap for gap in _rhythms(policy, now, logs=logs))
    return max(due, default=None)


def next_expected_point(
    policy: BackupPolicy, after: datetime, tolerance: timedelta, *, logs: bool = True
) -> datetime | None:
    """The moment by which there must be a recovery point newer than `after`, if the schedule is kept.

    `after` is the newest point, or the moment from which an item is protected. None if the policy implies nothing.
    """
    after = aware(after)
    due: list[datetime] = []
    for table, zone in _fixed(policy):
        slack = _clock_move(zone.key, after.year)
        due.append(_earliest(table, zone, after + slack) + slack + tolerance)
    due.extend(after + gap + tolerance for gap in _rhythms(policy, after, logs=logs))
    return min(due, default=None)


def _fixed(policy: BackupPolicy) -> list[tuple[Timetable, ZoneInfo]]:
    """The schedules whose runs have known moments."""
    return [
        (backup.schedule, ZoneInfo(backup.schedule.zone))
        for backup in policy.backups
        if isinstance(backup.schedule, Timetable) and backup.schedule.zone and not _skips_weeks(backup.schedule)
    ]


def _rhythms(policy: BackupPolicy, around: datetime, *, logs: bool) -> Iterator[timedelta]:
    """The longest gaps of the schedules of which only the rhythm is known, clock changes included."""
    for backup in policy.backups:
        schedule = backup.schedule
        if isinstance(schedule, LogSchedule):
            if logs:
                yield schedule.every
        elif isinstance(schedule, Timetable) and (not schedule.zone or _skips_weeks(schedule)):
            slack = _clock_move(schedule.zone, around.year) if schedule.zone else _UNKNOWN_ZONE_SLACK
            weeks = schedule.every_weeks if isinstance(schedule, WeeklySchedule) else 1
            yield _largest(_offsets(schedule)) + (weeks - 1) * _WEEK + slack


def _skips_weeks(schedule: Timetable) -> bool:
    return isinstance(schedule, WeeklySchedule) and schedule.every_weeks > 1


def _runs(table: Timetable, zone: ZoneInfo, first: date, last: date) -> Iterator[datetime]:
    for number in range((last - first).days + 1):
        for start in table.starts(first + number * _DAY):
            # Python reads a skipped local time with the offset of before the jump: as much later as the clocks jump.
            yield start.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _latest(table: Timetable, zone: ZoneInfo, until: datetime) -> datetime:
    runs = _runs_around(table, zone.key, until.astimezone(zone).date())
    return runs[bisect_right(runs, until) - 1]


def _earliest(table: Timetable, zone: ZoneInfo, after: datetime) -> datetime:
    runs = _runs_around(table, zone.key, after.astimezone(zone).date())
    return runs[bisect_right(runs, after)]


@lru_cache(maxsize=8192)
def _runs_around(
    table: DailySchedule | WeeklySchedule | HourlySchedule, zone_key: str, day: date
) -> tuple[datetime, ...]:
    """All runs from well before to well after a local day, at least one on each side of it, in order.

    Kept, because a sweep asks for many items of one policy on the same day.
    """
    reach = _NEAR if _runs_daily(table) else _FAR
    return tuple(sorted(_runs(table, ZoneInfo(zone_key), day - reach * _DAY, day + reach * _DAY)))


def _runs_daily(table: Timetable) -> bool:
    return isinstance(table, DailySchedule) or len(table.days) == len(WEEKDAYS)


@lru_cache(maxsize=1024)
def _offsets(table: DailySchedule | WeeklySchedule | HourlySchedule) -> frozenset[timedelta]:
    """The runs of a week as wall-clock time since its Monday, those past its end counted into its beginning."""
    monday = datetime.combine(_A_MONDAY, datetime.min.time())
    days = (_A_MONDAY + number * _DAY for number in range(7))
    return frozenset((start - monday) % _WEEK for day in days for start in table.starts(day))


def _largest(offsets: set[timedelta] | frozenset[timedelta]) -> timedelta:
    ordered = sorted(offsets)
    return max(later - earlier for earlier, later in pairwise([*ordered, ordered[0] + _WEEK]))


@lru_cache(maxsize=1024)
def _clock_move(zone_key: str, year: int) -> timedelta:
    """By how much the zone moves its clocks in `year`, looking every ten days; zero for most of the world."""
    zone = ZoneInfo(zone_key)
    start = datetime(year, 1, 1, tzinfo=UTC)
    moves = [(start + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(0, 366, 10)]
    offsets = [move for move in moves if move is not None]
    return max(offsets) - min(offsets)
