"""Runs and gaps of backup schedules, worked out by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.schedule import (
    BackupPolicy,
    DailySchedule,
    HourlySchedule,
    LogSchedule,
    NaiveMomentError,
    PlannedBackup,
    Schedule,
    UnknownSchedule,
    Unscheduled,
    WeeklySchedule,
    expected_recovery_point,
    next_expected_point,
    next_run,
    previous_run,
    runs_between,
    worst_case_gap,
)

PACIFIC = "America/Los_Angeles"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def policy(*schedules: Schedule) -> BackupPolicy:
    backups = tuple(PlannedBackup(kind="Backup", schedule=one) for one in schedules)
    return BackupPolicy(id="/policy", name="policy", management_type="AzureIaasVM", backups=backups)


def daily(*hours_minutes: tuple[int, int], zone: str | None = "Etc/UTC") -> BackupPolicy:
    return policy(DailySchedule(times=tuple(time(h, m) for h, m in hours_minutes), zone=zone))


def weekly(*days: int, at: tuple[int, int] = (22, 0), zone: str | None = "Etc/UTC") -> BackupPolicy:
    return policy(WeeklySchedule(days=days, times=(time(*at),), zone=zone))


def hourly(interval: int, start: int, window: int, zone: str | None = "Etc/UTC") -> BackupPolicy:
    return policy(HourlySchedule(interval_h=interval, window_start=time(start), window_duration_h=window, zone=zone))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("which", "start", "end", "runs"),
    [
        # 16:30 in India (UTC+5:30) is 11:00 UTC, all year.
        (
            daily((16, 30), zone="Asia/Kolkata"),
            "2026-01-31 00:00",
            "2026-02-02 00:00",
            ["2026-01-31 11:00", "2026-02-01 11:00"],
        ),
        # 00:15 in Nepal (UTC+5:45) is 18:30 UTC of the day before.
        (daily((0, 15), zone="Asia/Kathmandu"), "2026-06-01 00:00", "2026-06-02 00:00", ["2026-06-01 18:30"]),
        # Sunday 22:00 Pacific in January (UTC-8) is Monday 06:00 UTC; 4 January 2026 is a Sunday.
        (
            weekly(6, zone=PACIFIC),
            "2026-01-01 00:00",
            "2026-01-16 00:00",
            ["2026-01-05 06:00", "2026-01-12 06:00"],
        ),
        # Spring: on 8 March 2026 Pacific clocks jump from 2:00 to 3:00. 2:30 does not exist; the run comes an hour
        # later by the clock, at 3:30 PDT = 10:30 UTC, and from the next day on at 2:30 PDT = 9:30 UTC.
        (
            daily((2, 30), zone=PACIFIC),
            "2026-03-07 00:00",
            "2026-03-10 00:00",
            ["2026-03-07 10:30", "2026-03-08 10:30", "2026-03-09 09:30"],
        ),
        # Autumn: on 1 November 2026 1:30 comes twice, at 8:30 and 9:30 UTC; the run takes the first.
        (
            daily((1, 30), zone=PACIFIC),
            "2026-10-31 00:00",
            "2026-11-03 00:00",
            ["2026-10-31 08:30", "2026-11-01 08:30", "2026-11-02 09:30"],
        ),
        # Lord Howe moves by half an hour: on 4 October 2026 2:15 is skipped and becomes 2:45 (UTC+11).
        (
            daily((2, 15), zone="Australia/Lord_Howe"),
            "2026-10-02 12:00",
            "2026-10-05 00:00",
            ["2026-10-02 15:45", "2026-10-03 15:45", "2026-10-04 15:15"],
        ),
        # … and on 5 April 2026 1:45 comes twice, first at UTC+11.
        (
            daily((1, 45), zone="Australia/Lord_Howe"),
            "2026-04-03 12:00",
            "2026-04-06 00:00",
            ["2026-04-03 14:45", "2026-04-04 14:45", "2026-04-05 15:15"],
        ),
        # Every 4 hours from 20:00 for 12 hours: 20:00, 0:00 and 4:00, across midnight.
        (
            hourly(4, 20, 12),
            "2026-05-01 00:00",
            "2026-05-02 05:00",
            ["2026-05-01 00:00", "2026-05-01 04:00", "2026-05-01 20:00", "2026-05-02 00:00", "2026-05-02 04:00"],
        ),
        # Every 6 hours for 14 hours from 6:00: 6:00, 12:00, 18:00; the window closes at 20:00.
        (
            hourly(6, 6, 14),
            "2026-05-01 00:00",
            "2026-05-02 00:00",
            ["2026-05-01 06:00", "2026-05-01 12:00", "2026-05-01 18:00"],
        ),
        # Start is inside the range, end is not.
        (daily((8, 0), (20, 0)), "2026-05-01 08:00", "2026-05-01 20:00", ["2026-05-01 08:00"]),
    ],
)
def test_runs(which: BackupPolicy, start: str, end: str, runs: list[str]) -> None:
    """Runs are wall-clock times of the policy's zone, on short and on long days."""
    expected = tuple(at(run) for run in runs)

    assert expected == runs_between(which, at(start), at(end))


def test_a_window_opens_only_on_its_days() -> None:
    """Windows of Friday and Saturday nights reach into the next morning; from Sunday to Friday nothing runs."""
    weekend = policy(
        HourlySchedule(interval_h=6, window_start=time(21), window_duration_h=12, zone="Etc/UTC", days=(4, 5))
    )

    # Friday 1 May 2026: 21:00 and 3:00, Saturday the same; from Sunday 3:00 to Friday 21:00 are 5 days and 18 hours.
    assert tuple(
        at(run) for run in ["2026-05-01 21:00", "2026-05-02 03:00", "2026-05-02 21:00", "2026-05-03 03:00"]
    ) == runs_between(weekend, at("2026-05-01 00:00"), at("2026-05-08 00:00"))
    assert timedelta(days=5, hours=18) == worst_case_gap(weekend)
    assert at("2026-05-08 21:00") == next_run(weekend, at("2026-05-03 03:00"))


def test_a_window_past_the_end_of_the_week_counts_into_its_beginning() -> None:
    """Sunday 21:00 and Monday 3:00 by one schedule, Monday 2:00 by another: Monday 3:00 to Sunday 21:00 is largest."""
    both = policy(
        HourlySchedule(interval_h=6, window_start=time(21), window_duration_h=12, zone="Etc/UTC", days=(6,)),
        WeeklySchedule(days=(0,), times=(time(2),), zone="Etc/UTC"),
    )

    assert timedelta(days=6, hours=18) == worst_case_gap(both)


def test_the_zone_of_the_question_does_not_matter() -> None:
    """A moment in another zone is the same moment, and answers are in UTC."""
    tokyo = at("2026-05-01 09:00").astimezone(ZoneInfo("Asia/Tokyo"))

    found = next_run(daily((10, 0)), tokyo)

    assert at("2026-05-01 10:00") == found
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        ("2026-05-01 19:59", "2026-05-01 04:00", "2026-05-01 20:00"),
        ("2026-05-01 20:00", "2026-05-01 20:00", "2026-05-02 00:00"),
        ("2026-05-02 03:00", "2026-05-02 00:00", "2026-05-02 04:00"),
    ],
)
def test_previous_and_next(now: str, before: str, after: str) -> None:
    """The previous run may be this very moment, the next one never is."""
    night = hourly(4, 20, 12)

    assert at(before) == previous_run(night, at(now))
    assert at(after) == next_run(night, at(now))


def test_a_weekly_run_is_found_a_week_away() -> None:
    """Right after a weekly run the next is seven days ahead, and right before it the last is seven days back."""
    sunday = weekly(6)

    assert at("2026-01-11 22:00") == next_run(sunday, at("2026-01-04 22:00"))
    assert at("2026-01-04 22:00") == previous_run(sunday, at("2026-01-11 21:59"))


SQL = policy(
    WeeklySchedule(days=(1, 6), times=(time(10),), zone=PACIFIC),
    WeeklySchedule(days=(4,), times=(time(10),), zone=PACIFIC),
    LogSchedule(every=timedelta(minutes=60)),
)


@pytest.mark.parametrize(
    ("which", "hours"),
    [
        (daily((2, 0)), 24),
        # 6:00, 12:00, 18:00: the night is the longest.
        (daily((6, 0), (12, 0), (18, 0)), 12),
        (weekly(6), 7 * 24),
        # Monday, Wednesday, Thursday: from Thursday round to Monday are four days.
        (weekly(0, 2, 3), 4 * 24),
        (weekly(0, 1, 2, 3, 4), 3 * 24),
        (hourly(4, 8, 24), 4),
        # 8:00, 12:00, 16:00, then nothing until 8:00: 24 - 12 + 4.
        (hourly(4, 8, 12), 16),
        (hourly(4, 20, 12), 16),
        # 6:00, 12:00, 18:00, then 6:00.
        (hourly(6, 6, 14), 12),
        (hourly(12, 0, 4), 24),
        (SQL, 1),
        # A rhythm of two weeks on one day, and on two days: Wednesday to Sunday are four days, a week more.
        (policy(WeeklySchedule(days=(5,), times=(time(1),), zone=None, every_weeks=2)), 14 * 24),
        (policy(WeeklySchedule(days=(2, 6), times=(time(1),), zone=None, every_weeks=2)), 11 * 24),
        # Sunday full at 2:00 and differentials on the other days at 2:00 are one backup a day.
        (
            policy(
                WeeklySchedule(days=(6,), times=(time(2),), zone="Etc/UTC"),
                WeeklySchedule(days=(0, 1, 2, 3, 4, 5), times=(time(2),), zone="Etc/UTC"),
            ),
            24,
        ),
        # Part of a policy that is not understood does not hide what the rest promises.
        (policy(UnknownSchedule(reason="?"), LogSchedule(every=2 * HOUR)), 2),
    ],
)
def test_worst_case_gap(which: BackupPolicy, hours: int) -> None:
    """The longest pause that each kind of schedule allows."""
    assert timedelta(hours=hours) == worst_case_gap(which)


def test_without_log_backups_the_full_and_differential_ones_count() -> None:
    """Sunday, Tuesday, Friday: the pause from Tuesday to Friday is the longest, three days."""
    assert 3 * DAY == worst_case_gap(SQL, logs=False)


@pytest.mark.parametrize(
    "which",
    [policy(), policy(Unscheduled()), policy(UnknownSchedule(reason="a schedule of tomorrow"))],
)
def test_nothing_is_guessed_without_a_schedule(which: BackupPolicy) -> None:
    """Without a schedule that is understood every answer is None."""
    now = at("2026-05-01 00:00")

    assert worst_case_gap(which) is None
    assert previous_run(which, now) is None
    assert next_run(which, now) is None
    assert runs_between(which, now, now + DAY) is None
    assert expected_recovery_point(which, now, HOUR) is None
    assert next_expected_point(which, now, HOUR) is None


@pytest.mark.parametrize(
    "which",
    [
        daily((2, 0), zone=None),
        policy(LogSchedule(every=24 * HOUR)),
        policy(WeeklySchedule(days=(0,), times=(time(2),), zone="Etc/UTC", every_weeks=2)),
    ],
)
def test_a_rhythm_without_moments_has_a_gap_and_no_runs(which: BackupPolicy) -> None:
    """An unknown zone, log backups and every second week say how often, not when."""
    now = at("2026-05-01 00:00")

    assert next_run(which, now) is None
    assert runs_between(which, now, now + DAY) is None
    assert worst_case_gap(which) is not None
    assert expected_recovery_point(which, now, HOUR) is not None


@pytest.mark.parametrize(
    ("which", "now", "expected"),
    [
        # 2 hours of tolerance: at 23:59 the run of 22:00 may still be under way, at midnight it must have made a point.
        (daily((22, 0)), "2026-05-01 23:59", "2026-04-30 22:00"),
        (daily((22, 0)), "2026-05-02 00:00", "2026-05-01 22:00"),
        # Pacific clocks move by an hour, so the service's run may be an hour off to either side. 22:00 PDT is 5:00 UTC.
        (daily((22, 0), zone=PACIFIC), "2026-05-02 07:59", "2026-05-01 04:00"),
        (daily((22, 0), zone=PACIFIC), "2026-05-02 08:00", "2026-05-02 04:00"),
        # Lord Howe moves by half an hour: 12:00 at UTC+10:30 is 1:30 UTC, plus 2:30, minus 0:30.
        (daily((12, 0), zone="Australia/Lord_Howe"), "2026-06-01 04:00", "2026-06-01 01:00"),
        # A rhythm: no older than the rhythm and the tolerance.
        (policy(LogSchedule(every=HOUR)), "2026-05-01 12:00", "2026-05-01 09:00"),
        # The zone is not known: 24 hours, 2 of tolerance, 1 because it may move its clocks.
        (daily((22, 0), zone=None), "2026-05-02 12:00", "2026-05-01 09:00"),
        (SQL, "2026-05-01 12:00", "2026-05-01 09:00"),
    ],
)
def test_expected_recovery_point(which: BackupPolicy, now: str, expected: str) -> None:
    """The newest point may be as old as the last run that has had its time."""
    assert at(expected) == expected_recovery_point(which, at(now), 2 * HOUR)


@pytest.mark.parametrize(
    ("which", "after", "expected"),
    [
        (daily((22, 0)), "2026-05-01 22:05", "2026-05-03 00:00"),
        (daily((22, 0)), "2026-05-01 12:00", "2026-05-02 00:00"),
        # 21:05 PDT is within the hour before 22:00 PDT: taken for that very run, so the next is tomorrow's.
        (daily((22, 0), zone=PACIFIC), "2026-05-02 04:05", "2026-05-03 08:00"),
        (policy(LogSchedule(every=HOUR)), "2026-05-01 12:00", "2026-05-01 15:00"),
        (weekly(6), "2026-01-04 22:30", "2026-01-12 00:00"),
    ],
)
def test_next_expected_point(which: BackupPolicy, after: str, expected: str) -> None:
    """After a point, the next must be there when the next run has had its time."""
    assert at(expected) == next_expected_point(which, at(after), 2 * HOUR)


def test_naive_moments_are_refused() -> None:
    """A moment without a zone is a mistake of the caller and says so."""
    naive = datetime(2026, 5, 1)  # noqa: DTZ001
    questions: list[Callable[[], object]] = [
        lambda: next_run(daily((2, 0)), naive),
        lambda: previous_run(daily((2, 0)), naive),
        lambda: runs_between(daily((2, 0)), naive, naive),
        lambda: expected_recovery_point(daily((2, 0)), naive, HOUR),
        lambda: next_expected_point(daily((2, 0)), naive, HOUR),
    ]

    for question in questions:
        with pytest.raises(NaiveMomentError, match="2026-05-01T00:00:00 has no time zone"):
            question()


@pytest.mark.parametrize(
    "build",
    [
        lambda: DailySchedule(times=(), zone=None),
        lambda: DailySchedule(times=(time(9), time(8)), zone=None),
        lambda: DailySchedule(times=(time(9, tzinfo=UTC),), zone=None),
        lambda: WeeklySchedule(days=(), times=(time(9),), zone=None),
        lambda: WeeklySchedule(days=(7,), times=(time(9),), zone=None),
        lambda: WeeklySchedule(days=(1,), times=(time(9),), zone=None, every_weeks=0),
        lambda: HourlySchedule(interval_h=0, window_start=time(8), window_duration_h=12, zone=None),
        lambda: HourlySchedule(interval_h=4, window_start=time(8), window_duration_h=25, zone=None),
        lambda: LogSchedule(every=timedelta(0)),
    ],
)
def test_impossible_schedules_cannot_be_built(build: Callable[[], Schedule]) -> None:
    """A schedule without times or days, or with figures out of range, is refused at once."""
    with pytest.raises(ValueError, match=r"needs|must be|from"):
        build()
