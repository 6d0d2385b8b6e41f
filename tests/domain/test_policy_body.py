"""Policy bodies of every kind become policies, and what is not understood says so."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.schedule import (
    BackupPolicy,
    DailySchedule,
    HourlySchedule,
    LogSchedule,
    Retention,
    RetentionUnit,
    Schedule,
    UnknownSchedule,
    Unscheduled,
    WeeklySchedule,
    next_run,
    parse_policy,
    worst_case_gap,
)

DATA = Path(__file__).parents[2] / "../shared/data"
EXAMPLES = DATA / (
    "specs/specification/recoveryservicesbackup/resource-manager/Microsoft.RecoveryServices/stable/2024-04-01/examples"
)
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared recordings are not beside this project")

DAYS, WEEKS, MONTHS, YEARS = RetentionUnit
PACIFIC = "America/Los_Angeles"
KOLKATA = "Asia/Kolkata"


def recorded(name: str) -> Any:
    return json.loads((DATA / "recordings/bodies" / name).read_text(encoding="utf-8"))["response"]["body"]


def example(path: str) -> Any:
    responses = json.loads((EXAMPLES / path).read_text(encoding="utf-8"))["responses"]
    return next(one["body"] for one in responses.values() if one.get("body"))


def policy_bodies(value: Any) -> Iterator[Any]:
    """Every policy resource inside a document, also those inside text that is JSON."""
    if isinstance(value, str) and "backupManagementType" in value:
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, list):
        for one in value:
            yield from policy_bodies(one)
    elif isinstance(value, dict):
        properties = value.get("properties")
        marks = {"schedulePolicy", "subProtectionPolicy", "retentionPolicy", "vaultRetentionPolicy"}
        if isinstance(properties, dict) and properties.keys() & marks and "backupManagementType" in properties:
            yield value
        else:
            for one in value.values():
                yield from policy_bodies(one)


@needs_data
def test_every_recorded_policy_is_understood() -> None:
    """All policies in recordings and examples parse with a schedule, a retention, a zone and a gap."""
    files = sorted((DATA / "recordings").rglob("*.json*")) + sorted(EXAMPLES.rglob("*.json"))
    bodies = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        documents = text.splitlines() if file.suffix == ".jsonl" else [text]
        bodies += [body for document in documents for body in policy_bodies(json.loads(document))]

    policies = [parse_policy(body) for body in bodies]

    assert len(policies) >= 47
    assert {"AzureIaasVM", "AzureWorkload", "AzureStorage"} == {one.management_type for one in policies}
    assert [] == [one for one in policies if one.unknown or not one.zone_known]
    assert [] == [one for one in policies if worst_case_gap(one) is None or one.retention.longest is None]


@needs_data
def test_the_recorded_list() -> None:
    """The five policies of the recorded list, each with its times, rhythm and retention."""
    parsed = {one.name: one for one in map(parse_policy, recorded("policies_list.json")["value"])}

    half_past_four = DailySchedule(times=(time(16, 30),), zone="Etc/UTC")
    assert [half_past_four] == [one.schedule for one in parsed["DefaultPolicy"].backups]
    assert [HourlySchedule(interval_h=4, window_start=time(8), window_duration_h=12, zone="Etc/UTC")] == [
        one.schedule for one in parsed["EnhancedPolicy"].backups
    ]
    assert [("Full", half_past_four), ("Log", LogSchedule(every=timedelta(hours=1)))] == [
        (one.kind, one.schedule) for one in parsed["HourlyLogBackup"].backups
    ]
    assert {
        "DefaultPolicy": ("V1", 2),
        "EnhancedPolicy": ("V2", 2),
        "clitest-item000003": ("V1", 2),
        "clitest-item000004": ("V1", 3),
        "HourlyLogBackup": ("", None),
    } == {name: (one.policy_type, one.instant_retention_days) for name, one in parsed.items()}
    assert {Retention(30, DAYS)} == {one.retention.daily for one in parsed.values()}
    assert {"UTC"} == {one.zone_name for one in parsed.values()}
    assert parsed["DefaultPolicy"].id.endswith("/vaults/clitest-vault000002/backupPolicies/DefaultPolicy")
    assert 0 == parsed["DefaultPolicy"].protected_items


@needs_data
def test_the_recorded_hana_policy() -> None:
    """A HANA policy: full backups every day, logs every two hours, four retentions for full and one for logs."""
    hana = parse_policy(recorded("policy_get_sql.json"))

    full, log = hana.backups
    assert "SAPHanaDatabase" == hana.workload
    assert DailySchedule(times=(time(19, 30),), zone="Etc/UTC") == full.schedule
    assert Retention(180, DAYS) == full.retention.daily
    assert Retention(104, WEEKS) == full.retention.weekly
    assert Retention(60, MONTHS) == full.retention.monthly
    assert Retention(10, YEARS) == full.retention.yearly == hana.retention.longest
    assert LogSchedule(every=timedelta(hours=2)) == log.schedule
    assert Retention(15, DAYS) == log.retention.simple == log.retention.every_point
    assert timedelta(hours=2) == worst_case_gap(hana)
    assert timedelta(hours=24) == worst_case_gap(hana, logs=False)


@needs_data
@pytest.mark.parametrize(
    ("path", "schedule", "gap_h", "every_point"),
    [
        (
            "AzureIaasVm/ProtectionPolicies_CreateOrUpdate_Complex.json",
            WeeklySchedule(days=(0, 2, 3), times=(time(10),), zone=PACIFIC),
            96,
            Retention(1, WEEKS),
        ),
        (
            "AzureIaasVm/V2Policy/IaaS_v2_hourly.json",
            HourlySchedule(interval_h=4, window_start=time(8), window_duration_h=16, zone=KOLKATA),
            12,
            Retention(180, DAYS),
        ),
        (
            "AzureIaasVm/V2Policy/IaaS_v2_daily.json",
            DailySchedule(times=(time(10),), zone=KOLKATA),
            24,
            Retention(180, DAYS),
        ),
        (
            "AzureStorage/ProtectionPolicies_CreateOrUpdate_Hourly.json",
            HourlySchedule(interval_h=4, window_start=time(8), window_duration_h=12, zone="Etc/UTC"),
            16,
            Retention(5, DAYS),
        ),
        (
            "AzureStorage/ProtectionPolicies_CreateOrUpdate_Hardened.json",
            DailySchedule(times=(time(9, 30),), zone="Etc/UTC"),
            24,
            Retention(30, DAYS),
        ),
    ],
)
def test_specified_policies(path: str, schedule: Schedule, gap_h: int, every_point: Retention) -> None:
    """Standard, enhanced and file-share policies of the specification."""
    parsed = parse_policy(example(path))

    assert [schedule] == [one.schedule for one in parsed.backups]
    assert timedelta(hours=gap_h) == worst_case_gap(parsed)
    assert every_point == parsed.retention.every_point


@needs_data
def test_a_file_share_policy_says_whether_it_is_vaulted() -> None:
    """A vault retention moves file shares to the vault and states the days of their snapshots."""
    hardened = parse_policy(example("AzureStorage/ProtectionPolicies_CreateOrUpdate_Hardened.json"))
    snapshots = parse_policy(example("AzureStorage/ProtectionPolicies_CreateOrUpdate_Daily.json"))

    assert (True, 5) == (hardened.vaulted, hardened.instant_retention_days)
    assert (False, None) == (snapshots.vaulted, snapshots.instant_retention_days)


@needs_data
def test_crash_consistent_snapshots_are_seen() -> None:
    """Agentless backups are told apart, because for them a missing agent is normal."""
    assert (
        "OnlyCrashConsistent" == parse_policy(example("AzureIaasVm/V2Policy/IaaS_v2_hourly.json")).snapshot_consistency
    )


@needs_data
def test_a_full_sql_policy() -> None:
    """Full on two days, differential on one, logs every hour; the days are those of the policy's zone."""
    sql = parse_policy(example("AzureWorkload/ProtectionPolicies_CreateOrUpdate_Complex.json"))

    assert [
        ("Full", WeeklySchedule(days=(1, 6), times=(time(10),), zone=PACIFIC)),
        ("Differential", WeeklySchedule(days=(4,), times=(time(10),), zone=PACIFIC)),
        ("Log", LogSchedule(every=timedelta(hours=1))),
    ] == [(one.kind, one.schedule) for one in sql.backups]
    assert timedelta(hours=1) == worst_case_gap(sql)
    # Tuesday 10:00 to Friday 10:00.
    assert timedelta(days=3) == worst_case_gap(sql, logs=False)
    # Thursday 1 January 2026; Friday 2 January 10:00 PST is 18:00 UTC.
    assert datetime(2026, 1, 2, 18, tzinfo=UTC) == next_run(sql, datetime(2026, 1, 1, tzinfo=UTC))


def body(management: str = "AzureIaasVM", **properties: Any) -> dict[str, Any]:
    return {"id": "/p", "name": "p", "properties": {"backupManagementType": management, **properties}}


def simple(frequency: str, **more: Any) -> dict[str, Any]:
    return {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": frequency, **more}


def only(parsed: BackupPolicy) -> Schedule:
    assert len(parsed.backups) == 1
    return parsed.backups[0].schedule


def test_an_agent_policy_runs_on_the_clock_of_its_machine() -> None:
    """A MAB policy names no zone: its rhythm is known, the moments of its runs are not."""
    mab = parse_policy(
        body(
            "MAB",
            schedulePolicy=simple("Daily", scheduleRunTimes=["2026-01-01T21:00:00Z", "2026-01-01T09:00:00Z"]),
            retentionPolicy={
                "retentionPolicyType": "LongTermRetentionPolicy",
                "dailySchedule": {"retentionDuration": {"count": 180, "durationType": "Days"}},
            },
        )
    )

    assert DailySchedule(times=(time(9), time(21)), zone=None) == only(mab)
    assert not mab.zone_known
    assert timedelta(hours=12) == worst_case_gap(mab)
    assert Retention(180, DAYS) == mab.retention.daily


def test_an_agent_policy_may_skip_weeks() -> None:
    """Every second Saturday is a gap of two weeks."""
    mab = parse_policy(
        body(
            "MAB",
            schedulePolicy=simple(
                "Weekly",
                scheduleRunDays=["Saturday"],
                scheduleRunTimes=["2026-01-01T09:00:00Z"],
                scheduleWeeklyFrequency=2,
            ),
        )
    )

    assert WeeklySchedule(days=(5,), times=(time(9),), zone=None, every_weeks=2) == only(mab)
    assert timedelta(days=14) == worst_case_gap(mab)


def test_a_policy_of_azure_sql_only_keeps() -> None:
    """It schedules nothing, which is not the same as a schedule that is not understood."""
    keeps = parse_policy(
        body(
            "AzureSql",
            retentionPolicy={
                "retentionPolicyType": "SimpleRetentionPolicy",
                "retentionDuration": {"count": 1, "durationType": "Years"},
            },
        )
    )

    assert Unscheduled() == only(keeps)
    assert Retention(1, YEARS) == keeps.retention.every_point
    assert worst_case_gap(keeps) is None


def test_an_unknown_time_zone_leaves_the_rhythm() -> None:
    """A zone outside of the table is not replaced by another one."""
    odd = parse_policy(
        body(
            timeZone="Mars Standard Time",
            schedulePolicy=simple("Daily", scheduleRunTimes=["2026-01-01T09:00:00Z"]),
        )
    )

    assert ("Mars Standard Time", False) == (odd.zone_name, odd.zone_known)
    assert timedelta(hours=24) == worst_case_gap(odd)
    assert next_run(odd, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_tiering_and_restore_point_groups() -> None:
    """When points move to the archive, and how the restore-point resource groups are called, is in the policy."""
    parsed = parse_policy(
        body(
            instantRPDetails={"azureBackupRGNamePrefix": "rg-points-", "azureBackupRGNameSuffix": "-x"},
            tieringPolicy={"ArchivedRP": {"tieringMode": "TierAfter", "duration": 3, "durationType": "Months"}},
            schedulePolicy=simple("Daily", scheduleRunTimes=["2026-01-01T09:00:00Z"]),
        )
    )

    (rule,) = parsed.backups[0].tiering
    assert ("ArchivedRP", "TierAfter", Retention(3, MONTHS)) == (rule.target, rule.mode, rule.after)
    assert ("rg-points-", "-x") == (parsed.restore_point_group_prefix, parsed.restore_point_group_suffix)


NINE = ["2026-01-01T09:00:00Z"]


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        (None, "says nothing about its schedule"),
        ("Daily", "says nothing about its schedule"),
        ({"schedulePolicyType": "LongTermSchedulePolicy"}, "LongTermSchedulePolicy schedule has the frequency ''"),
        (simple("Monthly", scheduleRunTimes=NINE), "frequency 'Monthly'"),
        (simple("Daily"), "names no time of day"),
        (simple("Daily", scheduleRunTimes=[]), "names no time of day"),
        (simple("Daily", scheduleRunTimes="09:00"), "names no time of day"),
        (simple("Daily", scheduleRunTimes=["nine"]), "'nine' is not a time"),
        (simple("Daily", scheduleRunTimes=["2026-01-01T09:00:00+05:30"]), "an offset of its own"),
        (simple("Weekly", scheduleRunTimes=NINE), "names no day"),
        (simple("Weekly", scheduleRunTimes=NINE, scheduleRunDays=["Sunday", "Someday"]), "not all days"),
        (
            simple("Weekly", scheduleRunTimes=NINE, scheduleRunDays=["Sunday"], scheduleWeeklyFrequency=-1),
            "every_weeks",
        ),
        (simple("Hourly"), "its interval and the length"),
        (simple("Hourly", hourlySchedule={"interval": 4, "scheduleWindowDuration": 12}), "is not a time"),
        (
            simple(
                "Hourly",
                hourlySchedule={"interval": 0, "scheduleWindowDuration": 12, "scheduleWindowStartTime": NINE[0]},
            ),
            "from 1 to 24",
        ),
        ({"schedulePolicyType": "LogSchedulePolicy"}, "does not say how often"),
        ({"schedulePolicyType": "LogSchedulePolicy", "scheduleFrequencyInMins": 0}, "positive rhythm"),
        ({"schedulePolicyType": "LogSchedulePolicy", "scheduleFrequencyInMins": True}, "does not say how often"),
        ({"schedulePolicyType": "LogSchedulePolicy", "scheduleFrequencyInMins": 10**15}, "too large|overflow|days="),
    ],
)
def test_what_is_not_understood_says_why(schedule: object, reason: str) -> None:
    """A missing or unknown part makes an unknown schedule with its reason, never a likely one."""
    parsed = parse_policy(body(schedulePolicy=schedule))

    found = only(parsed)
    assert isinstance(found, UnknownSchedule)
    assert parsed.unknown == (found.reason,)
    with pytest.raises(ValueError, match=reason):
        raise ValueError(found.reason)
    assert worst_case_gap(parsed) is None


def test_dates_of_an_sdk_model_are_read_too() -> None:
    """The SDK turns times into datetimes; the time of day counts all the same."""
    parsed = parse_policy(
        body(
            timeZone="Tokyo Standard Time",
            schedulePolicy=simple("Daily", scheduleRunTimes=[datetime(2022, 5, 16, 20, 30, tzinfo=UTC)]),
        )
    )

    assert DailySchedule(times=(time(20, 30),), zone="Asia/Tokyo") == only(parsed)


def test_the_words_of_a_retention() -> None:
    """People read a retention with its unit, and its shortest length is what can be relied on."""
    assert ["1 week", "30 days"] == [Retention(1, WEEKS).words, Retention(30, DAYS).words]
    assert timedelta(days=84) == Retention(3, MONTHS).at_least


KEYS = [
    "id",
    "name",
    "properties",
    "backupManagementType",
    "timeZone",
    "settings",
    "schedulePolicy",
    "subProtectionPolicy",
    "schedulePolicyType",
    "scheduleRunFrequency",
    "scheduleRunTimes",
    "scheduleRunDays",
    "scheduleFrequencyInMins",
    "hourlySchedule",
    "interval",
    "scheduleWindowDuration",
    "scheduleWindowStartTime",
    "retentionPolicy",
    "dailySchedule",
    "retentionDuration",
    "count",
    "durationType",
    "tieringPolicy",
]
TEXTS = ["Daily", "Weekly", "Hourly", "LogSchedulePolicy", "Sunday", "UTC", "Days", "2026-01-01T09:00:00Z", "MAB", ""]
garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), garbage, max_size=6), garbage)
def test_no_body_breaks_the_parser(outer: Mapping[str, object], properties: object) -> None:
    """Whatever arrives, a policy comes out, and its gap can be asked for."""
    parsed = parse_policy({**outer, "properties": properties})

    assert parsed.backups
    worst_case_gap(parsed)
