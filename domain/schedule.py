"""Backup schedules and RPO arithmetic: everything that other layers use, in one place to import from.

`backup_policy` has the words, `policy_body` reads them from ARM, `schedule_runs` computes moments and gaps, and
`rpo` judges. Nothing here reads a clock: callers pass the time in.
"""

from domain.backup_policy import (
    WEEKDAYS,
    BackupPolicy,
    DailySchedule,
    HourlySchedule,
    LogSchedule,
    PlannedBackup,
    Retention,
    RetentionRules,
    RetentionUnit,
    Schedule,
    Tiering,
    Timetable,
    UnknownSchedule,
    Unscheduled,
    WeeklySchedule,
)
from domain.policy_body import parse_policy
from domain.rpo import RpoRule, RpoRules, RpoState, RpoVerdict, judge_rpo, real_moment, unread_rpo
from domain.schedule_runs import (
    NaiveMomentError,
    expected_recovery_point,
    next_expected_point,
    next_run,
    previous_run,
    runs_between,
    worst_case_gap,
)

__all__ = [
    "WEEKDAYS",
    "BackupPolicy",
    "DailySchedule",
    "HourlySchedule",
    "LogSchedule",
    "NaiveMomentError",
    "PlannedBackup",
    "Retention",
    "RetentionRules",
    "RetentionUnit",
    "RpoRule",
    "RpoRules",
    "RpoState",
    "RpoVerdict",
    "Schedule",
    "Tiering",
    "Timetable",
    "UnknownSchedule",
    "Unscheduled",
    "WeeklySchedule",
    "expected_recovery_point",
    "judge_rpo",
    "next_expected_point",
    "next_run",
    "parse_policy",
    "previous_run",
    "real_moment",
    "runs_between",
    "unread_rpo",
    "worst_case_gap",
]
