"""Policies as an estate describes them, turned into a schedule and the body that Azure shows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from simulator.world.model import Json, Policy, Workload
from simulator.world.schedule import ZONES, Schedule

CREATED = "2025-03-04"
"""Azure keeps the date on which a policy was written in each of its times; only the time of day means anything."""


class PolicyWish(Protocol):
    """What an estate says of a policy."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def workload(self) -> Workload:
        """What it protects."""

    @property
    def every(self) -> str:
        """day, week or hours."""

    @property
    def at(self) -> str:
        """HH:MM, or -7h for seven hours before the start."""

    @property
    def days(self) -> Sequence[str]:
        """The days of a weekly policy."""

    @property
    def interval_hours(self) -> int:
        """The interval of an hourly policy."""

    @property
    def window_hours(self) -> int:
        """The window of an hourly policy."""

    @property
    def time_zone(self) -> str:
        """A Windows zone name."""

    @property
    def retention_days(self) -> int:
        """How long points are kept."""

    @property
    def log_minutes(self) -> int:
        """The interval of log backups, 0 for none."""

    @property
    def agentless(self) -> bool:
        """Whether it makes crash-consistent points without an agent."""


def _first_minute(at: str, zone: str, epoch: datetime) -> int:
    if not at.startswith("-"):
        return int(at[:2]) * 60 + int(at[3:])
    wanted = (epoch - timedelta(hours=int(at[1:-1]), minutes=10)).astimezone(ZoneInfo(ZONES[zone]))
    return (wanted.hour * 60 + wanted.minute) // 30 * 30


def _times(minute: int) -> list[str]:
    return [f"{CREATED}T{minute // 60:02}:{minute % 60:02}:00Z"]


def build_policy(wish: PolicyWish, epoch: datetime) -> Policy:
    """A policy of the world; times of the form -7h count back from `epoch`."""
    first = _first_minute(wish.at, wish.time_zone, epoch)
    minutes: tuple[int, ...] = (first,)
    if wish.every == "hours":
        count = max(1, wish.window_hours // wish.interval_hours + (wish.window_hours % 24 != 0))
        minutes = tuple(sorted((first + n * wish.interval_hours * 60) % 1440 for n in range(count)))
    schedule = Schedule(minutes, tuple(wish.days) if wish.every == "week" else (), wish.time_zone)
    return Policy(wish.name, wish.workload, schedule, wish.retention_days, _body(wish, first), wish.log_minutes)


def _body(wish: PolicyWish, first: int) -> Json:
    retention = _retention(wish, first)
    if wish.workload in (Workload.SQL, Workload.HANA):
        return _database_body(wish, first, retention)
    if wish.workload in (Workload.MARS, Workload.MABS):
        return {
            "backupManagementType": "MAB",
            "schedulePolicy": _simple_schedule(wish, first),
            "retentionPolicy": retention,
        }
    if wish.workload is Workload.FILES:
        return {
            "backupManagementType": "AzureStorage",
            "workLoadType": "AzureFileShare",
            "schedulePolicy": _simple_schedule(wish, first),
            "retentionPolicy": retention,
            "timeZone": wish.time_zone,
        }
    body: Json = {
        "backupManagementType": "AzureIaasVM",
        "instantRPDetails": {},
        "schedulePolicy": _simple_schedule(wish, first),
        "retentionPolicy": retention,
        "instantRpRetentionRangeInDays": 5 if wish.every == "week" else 2,
        "timeZone": wish.time_zone,
    }
    if wish.every == "hours" or wish.agentless:
        body["policyType"] = "V2"
        body["schedulePolicy"] = _enhanced_schedule(wish, first)
    if wish.agentless:
        body["snapshotConsistencyType"] = "OnlyCrashConsistent"
    return body


def _simple_schedule(wish: PolicyWish, first: int) -> Json:
    body: Json = {
        "schedulePolicyType": "SimpleSchedulePolicy",
        "scheduleRunFrequency": "Weekly" if wish.every == "week" else "Daily",
        "scheduleRunTimes": _times(first),
        "scheduleWeeklyFrequency": 0,
    }
    if wish.every == "week":
        body["scheduleRunDays"] = list(wish.days)
    return body


def _enhanced_schedule(wish: PolicyWish, first: int) -> Json:
    body: Json = {"schedulePolicyType": "SimpleSchedulePolicyV2"}
    if wish.every == "hours":
        body["scheduleRunFrequency"] = "Hourly"
        body["hourlySchedule"] = {
            "interval": wish.interval_hours,
            "scheduleWindowStartTime": _times(first)[0],
            "scheduleWindowDuration": wish.window_hours,
        }
    else:
        body["scheduleRunFrequency"] = "Daily"
        body["dailySchedule"] = {"scheduleRunTimes": _times(first)}
    return body


def _retention(wish: PolicyWish, first: int) -> Json:
    if wish.every == "week":
        weeks = max(1, wish.retention_days // 7)
        return {
            "retentionPolicyType": "LongTermRetentionPolicy",
            "weeklySchedule": {
                "daysOfTheWeek": list(wish.days),
                "retentionTimes": _times(first),
                "retentionDuration": {"count": weeks, "durationType": "Weeks"},
            },
        }
    return {
        "retentionPolicyType": "LongTermRetentionPolicy",
        "dailySchedule": {
            "retentionTimes": _times(first),
            "retentionDuration": {"count": wish.retention_days, "durationType": "Days"},
        },
    }


def _database_body(wish: PolicyWish, first: int, retention: Json) -> Json:
    parts: list[Json] = [
        {
            "policyType": "Full",
            "schedulePolicy": _simple_schedule(wish, first),
            "retentionPolicy": retention,
        }
    ]
    if wish.log_minutes:
        parts.append(
            {
                "policyType": "Log",
                "schedulePolicy": {
                    "schedulePolicyType": "LogSchedulePolicy",
                    "scheduleFrequencyInMins": wish.log_minutes,
                },
                "retentionPolicy": {
                    "retentionPolicyType": "SimpleRetentionPolicy",
                    "retentionDuration": {"count": 15, "durationType": "Days"},
                },
            }
        )
    return {
        "backupManagementType": "AzureWorkload",
        "workLoadType": "SQLDataBase" if wish.workload is Workload.SQL else "SAPHanaDatabase",
        "settings": {"timeZone": wish.time_zone, "issqlcompression": False, "isCompression": False},
        "subProtectionPolicy": parts,
    }
