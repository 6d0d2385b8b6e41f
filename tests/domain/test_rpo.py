"""The verdict on an RPO, by table; and which RPO applies."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.schedule import (
    BackupPolicy,
    DailySchedule,
    LogSchedule,
    NaiveMomentError,
    PlannedBackup,
    RpoRule,
    RpoRules,
    RpoState,
    RpoVerdict,
    Schedule,
    UnknownSchedule,
    WeeklySchedule,
    judge_rpo,
    real_moment,
    unread_rpo,
)

HOUR = timedelta(hours=1)
# A Thursday.
NOW = datetime(2026, 5, 7, 12, tzinfo=UTC)


def policy(*schedules: Schedule) -> BackupPolicy:
    backups = tuple(PlannedBackup(kind="Backup", schedule=one) for one in schedules)
    return BackupPolicy(id="/p", name="p", management_type="AzureIaasVM", backups=backups)


NIGHTLY = policy(DailySchedule(times=(time(22),), zone="Etc/UTC"))
SUNDAYS = policy(WeeklySchedule(days=(6,), times=(time(22),), zone="Etc/UTC"))
SQL = policy(DailySchedule(times=(time(22),), zone="Etc/UTC"), LogSchedule(every=HOUR))
STRANGE = policy(UnknownSchedule(reason="a schedule of tomorrow"))


def judge(
    newest: datetime | None,
    *,
    rpo: timedelta | None = 26 * HOUR,
    since: datetime | None = None,
    pending: bool = False,
    by: BackupPolicy | None = NIGHTLY,
    logs: bool = True,
) -> RpoVerdict:
    return judge_rpo(
        newest_point_at=newest,
        protected_since=since,
        first_backup_pending=pending,
        rpo=rpo,
        policy=by,
        now=NOW,
        grace=2 * HOUR,
        logs=logs,
    )


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def test_a_breach_by_its_numbers() -> None:
    """31 h old with an RPO of 26 h is a breach by 5 h, and the missed run of last night is named."""
    verdict = judge(ago(31))

    assert (
        RpoVerdict(
            state=RpoState.BREACHED,
            reason=(
                "The newest recovery point is 31 h old: the RPO of 26 h is breached by 5 h."
                " A backup that was scheduled since then has made no recovery point."
            ),
            # 31 hours before Thursday 12:00 is Wednesday 5:00; 26 hours later, Thursday 7:00.
            newest_point_at=datetime(2026, 5, 6, 5, tzinfo=UTC),
            safe_until=datetime(2026, 5, 7, 7, tzinfo=UTC),
            breached_by=5 * HOUR,
            sla_rpo=26 * HOUR,
            policy_rpo=24 * HOUR,
            age=31 * HOUR,
            # The run of Wednesday 22:00 and two hours.
            next_expected_at=datetime(2026, 5, 7, 0, tzinfo=UTC),
            on_schedule=False,
            policy_can_meet=True,
        )
        == verdict
    )


def test_a_safe_point_by_its_numbers() -> None:
    """A point of last night, 22:10, is safe for 26 hours, and the next one is due two hours after tonight's run."""
    verdict = judge(datetime(2026, 5, 6, 22, 10, tzinfo=UTC))

    assert RpoState.SAFE == verdict.state
    assert datetime(2026, 5, 8, 0, 10, tzinfo=UTC) == verdict.safe_until
    assert verdict.breached_by is None
    assert verdict.on_schedule is True
    assert datetime(2026, 5, 8, 0, 0, tzinfo=UTC) == verdict.next_expected_at
    assert (
        "The newest recovery point is 13 h old; the RPO of 26 h is kept until 2026-05-08 00:10 UTC." == verdict.reason
    )


@pytest.mark.parametrize(
    ("hours_old", "rpo", "by", "state", "breached_by", "on_schedule", "can_meet"),
    [
        # At the very moment the RPO is still kept; an instant later it is not.
        (26, 26, NIGHTLY, "safe", None, False, True),
        (26.001, 26, NIGHTLY, "breached", timedelta(seconds=3.6), False, True),
        # Within an RPO of a week, though three nightly runs are missing: safe, and off schedule.
        (72, 168, NIGHTLY, "safe", None, False, True),
        # A point of last Sunday on a weekly schedule: the RPO is breached although every run was made.
        (86, 26, SUNDAYS, "breached", 60 * HOUR, True, False),
        # Without an RPO the schedule counts: 168 h and 2 h of grace.
        (86, None, SUNDAYS, "safe", None, True, None),
        (171, None, SUNDAYS, "breached", HOUR, False, None),
        (1.5, 1, SQL, "breached", HOUR / 2, True, True),
        (4, None, SQL, "breached", HOUR, False, None),
        # No policy, or one that is not understood: only the RPO counts.
        (20, 26, None, "safe", None, None, None),
        (30, 26, STRANGE, "breached", 4 * HOUR, None, None),
        (20, None, None, "unknown", None, None, None),
        (20, None, STRANGE, "unknown", None, None, None),
        # Dated in the future by more than clocks differ: nothing can be said. By minutes: brand new.
        (-2, 26, NIGHTLY, "unknown", None, True, True),
        (-0.1, 26, NIGHTLY, "safe", None, True, True),
    ],
)
def test_points(
    hours_old: float,
    rpo: float | None,
    by: BackupPolicy | None,
    state: str,
    breached_by: timedelta | None,
    on_schedule: bool | None,
    can_meet: bool | None,
) -> None:
    """The age of the newest point against the RPO that counts."""
    verdict = judge(ago(hours_old), rpo=None if rpo is None else rpo * HOUR, by=by)

    assert (state, breached_by, on_schedule, can_meet) == (
        verdict.state.value,
        verdict.breached_by,
        verdict.on_schedule,
        verdict.policy_can_meet,
    )
    assert (verdict.safe_until is None) == (state == "unknown")


def test_a_policy_that_cannot_keep_the_rpo_is_named() -> None:
    """The reason tells a thin schedule from a failing backup."""
    assert judge(ago(86), by=SUNDAYS).reason.endswith(
        "The policy leaves up to 7 d between backups and cannot keep 26 h."
    )


def test_a_database_without_logs_is_measured_by_its_full_backups() -> None:
    """In the simple recovery model an hourly log schedule promises nothing."""
    verdict = judge(ago(13), rpo=None, by=SQL, logs=False)

    assert (RpoState.SAFE, 24 * HOUR) == (verdict.state, verdict.policy_rpo)


@pytest.mark.parametrize(
    ("since", "pending", "rpo", "by", "state", "breached_by", "due"),
    [
        # Protected this morning: the first run is tonight at 22:00, with two hours to make its point.
        (ago(3), True, 26, NIGHTLY, "pending", None, datetime(2026, 5, 8, 0, tzinfo=UTC)),
        (ago(3), False, 26, NIGHTLY, "pending", None, datetime(2026, 5, 8, 0, tzinfo=UTC)),
        # Protected the day before yesterday at noon: the run of that night was due on Wednesday 0:00.
        (ago(48), True, 26, NIGHTLY, "breached", 36 * HOUR, datetime(2026, 5, 6, 0, tzinfo=UTC)),
        # The first log backup follows the first full one, so a new database is not late after an hour.
        (ago(3), True, 1, SQL, "pending", None, datetime(2026, 5, 8, 0, tzinfo=UTC)),
        # Only the RPO is known.
        (ago(20), True, 26, None, "pending", None, NOW + 6 * HOUR),
        (ago(26), True, 26, None, "pending", None, NOW),
        (ago(30), True, 26, None, "breached", 4 * HOUR, NOW - 4 * HOUR),
        # Nothing says since when.
        (None, True, 26, NIGHTLY, "pending", None, None),
        (None, False, 26, NIGHTLY, "breached", None, None),
        (None, False, None, NIGHTLY, "breached", None, None),
        (None, False, None, None, "unknown", None, None),
        (ago(30), False, None, None, "unknown", None, None),
        (ago(30), True, None, STRANGE, "pending", None, None),
    ],
)
def test_without_any_point(
    since: datetime | None,
    pending: bool,
    rpo: float | None,
    by: BackupPolicy | None,
    state: str,
    breached_by: timedelta | None,
    due: datetime | None,
) -> None:
    """An item waits for its first scheduled run; after that, having nothing to restore is a breach."""
    verdict = judge(None, rpo=None if rpo is None else rpo * HOUR, since=since, pending=pending, by=by)

    assert (state, breached_by, due) == (verdict.state.value, verdict.breached_by, verdict.next_expected_at)
    assert verdict.age is None
    assert verdict.safe_until is None


@pytest.mark.parametrize(
    "sentinel",
    [
        datetime(2001, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1),  # noqa: DTZ001
        datetime(1, 1, 1, tzinfo=UTC).replace(tzinfo=UTC) + HOUR,
    ],
)
def test_sentinels_mean_never(sentinel: datetime) -> None:
    """Azure's placeholders are no recovery points, with a zone or without."""
    assert real_moment(sentinel) is None
    assert judge(sentinel, since=ago(48)) == judge(None, since=ago(48))
    assert judge(None, since=sentinel) == judge(None)


def test_naive_moments_are_refused() -> None:
    """A time without a zone is refused before it is compared."""
    naive = datetime(2026, 5, 7)  # noqa: DTZ001

    with pytest.raises(NaiveMomentError, match="has no time zone"):
        judge(naive)
    with pytest.raises(NaiveMomentError, match="has no time zone"):
        judge(None, since=naive)
    with pytest.raises(NaiveMomentError, match="has no time zone"):
        judge_rpo(
            newest_point_at=None,
            protected_since=None,
            first_backup_pending=False,
            rpo=HOUR,
            policy=None,
            now=naive,
            grace=HOUR,
        )


def test_what_could_not_be_read_is_unknown() -> None:
    """A denied read is neither safe nor breached, and keeps the numbers that are known."""
    verdict = unread_rpo("Reading the recovery points was denied.", rpo=26 * HOUR, policy=NIGHTLY)

    assert (RpoState.UNKNOWN, 26 * HOUR, 24 * HOUR) == (verdict.state, verdict.sla_rpo, verdict.policy_rpo)
    assert "Reading the recovery points was denied." == verdict.reason
    assert unread_rpo("No.").policy_rpo is None


@settings(deadline=None)
@given(st.timedeltas(timedelta(0), timedelta(days=30)), st.timedeltas(HOUR, timedelta(days=14)))
def test_safe_and_breached_meet_at_one_moment(age: timedelta, rpo: timedelta) -> None:
    """Safe until newest + RPO, breached after it, by exactly the time since."""
    verdict = judge(NOW - age, rpo=rpo)

    assert NOW - age + rpo == verdict.safe_until
    assert (RpoState.SAFE if age <= rpo else RpoState.BREACHED) == verdict.state
    assert (age - rpo if age > rpo else None) == verdict.breached_by


RULES = RpoRules(
    rules=(
        RpoRule(rpo=HOUR, vault="vault-sql", item="*/payroll"),
        RpoRule(rpo=4 * HOUR, vault="vault-SQL*"),
        RpoRule(rpo=50 * HOUR, item="vm-test-*", resource_group="rg-lab"),
        RpoRule(rpo=30 * HOUR, subscription="2222*"),
    )
)


@pytest.mark.parametrize(
    ("vault", "item", "container", "resource_group", "subscription", "hours"),
    [
        ("vault-sql", "payroll", "VMAppContainer;Compute;rg;sql01", "", "", 1),
        ("Vault-Sql", "PAYROLL", "c", "", "", 1),
        # The container is not known, so a rule for container/name does not match; the next one does.
        ("vault-sql", "payroll", "", "", "", 4),
        ("vault-sql-02", "other", "", "", "", 4),
        ("v", "vm-test-1", "", "RG-Lab", "", 50),
        ("v", "vm-test-1", "", "rg-prod", "", 26),
        ("v", "vm-1", "", "", "2222-3333", 30),
        ("v", "vm-1", "", "", "", 26),
    ],
)
def test_the_first_matching_rule_counts(
    vault: str, item: str, container: str, resource_group: str, subscription: str, hours: int
) -> None:
    """Globs without regard to case; no match is the default."""
    found = RULES.rpo_for(vault, item, container=container, resource_group=resource_group, subscription=subscription)

    assert hours * HOUR == found
