"""Properties of backup schedules, against a clock that is watched step by step.

The watcher knows nothing of the product's arithmetic: every time of day that the local clock passes is a run; a time
that the clock skips runs at the jump, a time that it repeats runs once.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.schedule import (
    BackupPolicy,
    DailySchedule,
    HourlySchedule,
    PlannedBackup,
    Schedule,
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


def policy(schedule: Schedule) -> BackupPolicy:
    backups = (PlannedBackup(kind="Backup", schedule=schedule),)
    return BackupPolicy(id="/policy", name="policy", management_type="AzureIaasVM", backups=backups)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


ZONES = [
    "Etc/UTC",
    PACIFIC,
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "America/St_Johns",
    "Africa/Casablanca",
    "Africa/Cairo",
]


def is_run(schedule: Schedule, wall: datetime) -> bool:
    if isinstance(schedule, DailySchedule):
        return wall.time() in schedule.times
    if isinstance(schedule, WeeklySchedule):
        return wall.time() in schedule.times and wall.weekday() in schedule.days
    assert isinstance(schedule, HourlySchedule)
    opening = datetime.combine(wall.date(), schedule.window_start)
    minutes = round((wall - opening) / timedelta(minutes=1)) % 1440
    return minutes < schedule.window_duration_h * 60 and minutes % (schedule.interval_h * 60) == 0


def watched(schedule: Schedule, zone: str, start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    local = ZoneInfo(zone)
    seen = (start - step).astimezone(local).replace(tzinfo=None)
    moment = start
    while moment < end:
        wall = moment.astimezone(local).replace(tzinfo=None)
        while seen < wall:
            seen += step
            if is_run(schedule, seen):
                yield moment
        moment += step


def schedules() -> st.SearchStrategy[tuple[str, Schedule]]:
    zones = st.sampled_from(ZONES)
    times = st.sets(st.builds(time, st.integers(0, 23), st.sampled_from([0, 30])), min_size=1, max_size=4).map(
        lambda some: tuple(sorted(some))
    )
    days = st.sets(st.integers(0, 6), min_size=1).map(lambda some: tuple(sorted(some)))

    def of(zone: str) -> st.SearchStrategy[tuple[str, Schedule]]:
        kinds: list[st.SearchStrategy[Schedule]] = [
            st.builds(DailySchedule, times=times, zone=st.just(zone)),
            st.builds(WeeklySchedule, days=days, times=times, zone=st.just(zone)),
            st.builds(
                HourlySchedule,
                interval_h=st.sampled_from([4, 6, 8, 12]),
                window_start=st.builds(time, st.integers(0, 23), st.sampled_from([0, 30])),
                window_duration_h=st.integers(4, 24),
                zone=st.just(zone),
            ),
        ]
        return st.tuples(st.just(zone), st.one_of(kinds))

    return zones.flatmap(of)


YEAR = at("2026-01-01 00:00")
QUARTER = timedelta(minutes=15)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=25, deadline=None)
@given(schedules(), st.integers(0, 355))
def test_no_run_is_missed_and_none_is_invented(zone_schedule: tuple[str, Schedule], day: int) -> None:
    """Ten days watched minute by minute have the same runs, on days of a clock change within the change."""
    zone, schedule = zone_schedule
    start = YEAR + day * DAY
    end = start + 10 * DAY

    found = runs_between(policy(schedule), start, end)
    seen = list(watched(schedule, zone, start, end, timedelta(minutes=1)))

    assert found is not None
    changes = {
        moment.date()
        for moment in (start + number * HOUR for number in range(-24, 265))
        if moment.astimezone(ZoneInfo(zone)).utcoffset() != (moment + DAY).astimezone(ZoneInfo(zone)).utcoffset()
    }
    assert [run for run in seen if run.date() not in changes and run.date() - DAY not in changes] == [
        run for run in found if run.date() not in changes and run.date() - DAY not in changes
    ]
    for run in seen:
        assert any(abs(run - other) <= HOUR for other in found) or run + HOUR >= end
    for run in found:
        assert any(abs(run - other) <= HOUR for other in seen) or run - HOUR < start


@settings(max_examples=20, deadline=None)
@given(schedules())
def test_the_worst_gap_is_the_largest_gap_of_a_year(zone_schedule: tuple[str, Schedule]) -> None:
    """Over a year of watching the clock the largest pause is the computed one, give or take the clock change."""
    zone, schedule = zone_schedule
    seen = list(watched(schedule, zone, YEAR, YEAR + 365 * DAY, QUARTER))

    largest = max(later - earlier for earlier, later in pairwise(seen))

    gap = worst_case_gap(policy(schedule))
    assert gap is not None
    moves = {(YEAR + number * DAY).astimezone(ZoneInfo(zone)).utcoffset() for number in range(366)}
    tolerance = timedelta(0) if len(moves) == 1 else HOUR
    assert gap <= largest <= gap + tolerance


@settings(deadline=None)
@given(schedules(), moments)
def test_next_is_later_and_previous_is_not(zone_schedule: tuple[str, Schedule], now: datetime) -> None:
    """previous <= now < next, with no run between, and the run after previous is next."""
    which = policy(zone_schedule[1])

    before, after = previous_run(which, now), next_run(which, now)

    assert before is not None
    assert after is not None
    assert before <= now < after
    assert (before,) == runs_between(which, before, after)
    assert after == next_run(which, before)
    assert before == previous_run(which, after - timedelta(microseconds=1))


@settings(deadline=None)
@given(schedules(), moments, st.timedeltas(timedelta(0), 30 * DAY))
def test_time_moves_runs_only_forward(zone_schedule: tuple[str, Schedule], now: datetime, later: timedelta) -> None:
    """Asked later, no answer is earlier."""
    which = policy(zone_schedule[1])
    for question in (
        previous_run,
        next_run,
        lambda one, moment: expected_recovery_point(one, moment, HOUR),
        lambda one, moment: next_expected_point(one, moment, HOUR),
    ):
        first, second = question(which, now), question(which, now + later)
        assert first is not None
        assert second is not None
        assert first <= second


@settings(deadline=None)
@given(schedules(), moments, st.timedeltas(timedelta(0), 20 * DAY), st.timedeltas(timedelta(0), 6 * HOUR))
def test_what_is_expected_and_what_is_due_agree(
    zone_schedule: tuple[str, Schedule], newest: datetime, passed: timedelta, tolerance: timedelta
) -> None:
    """A point is too old exactly when the moment has come by which there had to be a newer one."""
    which, now = policy(zone_schedule[1]), newest + passed
    assume(newest.year == now.year)

    expected, due = expected_recovery_point(which, now, tolerance), next_expected_point(which, newest, tolerance)

    assert expected is not None
    assert due is not None
    assert (newest < expected) == (due <= now)
