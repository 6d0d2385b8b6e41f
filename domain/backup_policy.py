"""What a backup policy says, in words of our own: schedules, retention, time zone.

Times of day are wall-clock times in the policy's zone, although Azure writes them with a Z and a date that means
nothing (https://learn.microsoft.com/azure/backup/backup-azure-arm-userestapi-createorupdatepolicy). What could not
be understood is an `UnknownSchedule` with its reason, never a likely-looking schedule.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""Names of the days as Azure spells them; the index is `date.weekday()`."""

_EVERY_DAY: Final = tuple(range(7))
_DAY_HOURS: Final = 24


def _check_times(times: tuple[time, ...]) -> None:
    if not times:
        raise ValueError("a schedule needs at least one time of day")
    if list(times) != sorted(set(times)) or any(one.tzinfo for one in times):
        raise ValueError("times of day must be naive, sorted and different")


def _check_days(days: tuple[int, ...]) -> None:
    if not days or list(days) != sorted(set(days)) or not set(days) <= set(_EVERY_DAY):
        raise ValueError("days must be sorted, different and from 0 (Monday) to 6 (Sunday)")


def _check_zone(zone: str | None) -> None:
    if zone is not None:
        ZoneInfo(zone)


@dataclass(frozen=True, kw_only=True, slots=True)
class DailySchedule:
    """Runs every day at each of `times`. `zone` is an IANA name, or None where the zone is not known."""

    times: tuple[time, ...]
    zone: str | None

    def __post_init__(self) -> None:
        _check_times(self.times)
        _check_zone(self.zone)

    def starts(self, day: date) -> Iterator[datetime]:
        """The naive local times of the runs that belong to the local day `day`."""
        return (datetime.combine(day, one) for one in self.times)


@dataclass(frozen=True, kw_only=True, slots=True)
class WeeklySchedule:
    """Runs on each of `days` (0 is Monday) at each of `times`, in every `every_weeks`-th week.

    Which of the weeks that is, the policy does not say: with `every_weeks` above one the moments of the runs are
    not known, only their rhythm.
    """

    days: tuple[int, ...]
    times: tuple[time, ...]
    zone: str | None
    every_weeks: int = 1

    def __post_init__(self) -> None:
        _check_days(self.days)
        _check_times(self.times)
        _check_zone(self.zone)
        if self.every_weeks < 1:
            raise ValueError("every_weeks counts from one")

    def starts(self, day: date) -> Iterator[datetime]:
        """The naive local times of the runs that belong to the local day `day`."""
        return (datetime.combine(day, one) for one in self.times if day.weekday() in self.days)


@dataclass(frozen=True, kw_only=True, slots=True)
class HourlySchedule:
    """Runs every `interval_h` hours in a window that opens at `window_start` and lasts `window_duration_h` hours.

    The window may reach past midnight; its runs belong to the day on which it opened. The moment at which it
    closes is not counted as a run: no documentation promises one there. `days` are the days on which it opens.
    """

    interval_h: int
    window_start: time
    window_duration_h: int
    zone: str | None
    days: tuple[int, ...] = _EVERY_DAY

    def __post_init__(self) -> None:
        _check_days(self.days)
        _check_times((self.window_start,))
        _check_zone(self.zone)
        if not 1 <= self.interval_h <= _DAY_HOURS or not 1 <= self.window_duration_h <= _DAY_HOURS:
            raise ValueError("interval and window are from 1 to 24 hours")

    def starts(self, day: date) -> Iterator[datetime]:
        """The naive local times of the runs whose window opened on the local day `day`."""
        if day.weekday() not in self.days:
            return iter(())
        opening = datetime.combine(day, self.window_start)
        return (opening + timedelta(hours=h) for h in range(0, self.window_duration_h, self.interval_h))


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSchedule:
    """Log backups at a rhythm; the policy does not say at which minute they start."""

    every: timedelta

    def __post_init__(self) -> None:
        if self.every <= timedelta(0):
            raise ValueError("a log backup needs a positive rhythm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unscheduled:
    """The policy holds retention only: nothing runs by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownSchedule:
    """A schedule that this program does not understand; `reason` says what was wrong with it, for people."""

    reason: str


Timetable = DailySchedule | WeeklySchedule | HourlySchedule
"""A schedule that names times of day."""

Schedule = Timetable | LogSchedule | Unscheduled | UnknownSchedule
"""Every kind of schedule."""


class RetentionUnit(StrEnum):
    """Azure's units of retention."""

    DAYS = "Days"
    WEEKS = "Weeks"
    MONTHS = "Months"
    YEARS = "Years"


_AT_LEAST_DAYS: Final = {
    RetentionUnit.DAYS: 1,
    RetentionUnit.WEEKS: 7,
    RetentionUnit.MONTHS: 28,
    RetentionUnit.YEARS: 365,
}


@dataclass(frozen=True, slots=True)
class Retention:
    """How long points are kept: `count` units."""

    count: int
    unit: RetentionUnit

    @property
    def at_least(self) -> timedelta:
        """The shortest time this can be: a month counts as 28 days, a year as 365."""
        return timedelta(days=self.count * _AT_LEAST_DAYS[self.unit])

    @property
    def words(self) -> str:
        """As people say it: `30 days`, `1 week`."""
        unit = self.unit.value.casefold()
        return f"{self.count} {unit.removesuffix('s') if self.count == 1 else unit}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionRules:
    """Retention of a policy. `simple` is the one rule of log and differential backups; None: no such rule."""

    daily: Retention | None = None
    weekly: Retention | None = None
    monthly: Retention | None = None
    yearly: Retention | None = None
    simple: Retention | None = None

    @property
    def every_point(self) -> Retention | None:
        """How long a point is kept that is no weekly, monthly or yearly one: the shortest promise there is."""
        return self.simple or self.daily or self.weekly

    @property
    def longest(self) -> Retention | None:
        """The rule that keeps points longest."""
        rules = [one for one in (self.daily, self.weekly, self.monthly, self.yearly, self.simple) if one]
        return max(rules, key=lambda one: one.at_least, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiering:
    """When points move to another tier: `target` such as ArchivedRP, `mode` as Azure spells it."""

    target: str
    mode: str
    after: Retention | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedBackup:
    """One kind of backup that a policy plans.

    `kind` is Azure's policyType for databases (Full, Differential, Incremental, Log, …), and `Backup` where a
    policy knows only one kind.
    """

    kind: str
    schedule: Schedule
    retention: RetentionRules = field(default_factory=RetentionRules)
    tiering: tuple[Tiering, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BackupPolicy:
    """A backup policy of a Recovery Services vault.

    `zone_name` is what Azure wrote, "" if nothing; `zone` the IANA zone of the schedules, None if unknown.
    `workload` is Azure's raw workLoadType; `policy_type` V1 (standard) or V2 (enhanced) for VMs, else "".
    `snapshot_consistency` is `OnlyCrashConsistent` for agentless backups, else "".
    `instant_retention_days` counts for snapshots, of VMs and file shares; `vaulted` is False for file-share policies
    that keep snapshots only. The prefix and suffix name the resource groups of the restore-point collections.
    """

    id: str
    name: str
    management_type: str
    backups: tuple[PlannedBackup, ...]
    workload: str = ""
    zone_name: str = ""
    zone: str | None = None
    policy_type: str = ""
    snapshot_consistency: str = ""
    instant_retention_days: int | None = None
    vaulted: bool = True
    protected_items: int | None = None
    restore_point_group_prefix: str = ""
    restore_point_group_suffix: str = ""

    @property
    def zone_known(self) -> bool:
        """Whether moments of runs can be computed at all."""
        return self.zone is not None

    @property
    def retention(self) -> RetentionRules:
        """Retention of the main backups: the full ones where there are several kinds."""
        full = (one.retention for one in self.backups if one.kind in {"Full", "Backup"})
        return next(full, self.backups[0].retention if self.backups else RetentionRules())

    @property
    def unknown(self) -> tuple[str, ...]:
        """Why parts of the policy could not be understood; empty if all could."""
        return tuple(one.schedule.reason for one in self.backups if isinstance(one.schedule, UnknownSchedule))
