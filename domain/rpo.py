"""Is the recovery point objective kept? Which one applies, and the verdict with its three numbers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from domain.backup_policy import BackupPolicy
from domain.durations import format_age
from domain.schedule_runs import aware, expected_recovery_point, next_expected_point, worst_case_gap

_AZURE_BACKUP_BEGAN: Final = 2010
_CLOCKS_DIFFER: Final = timedelta(hours=1)


class RpoState(StrEnum):
    """What is known about an RPO. `PENDING`: no first backup yet, and none is due. `UNKNOWN` is never fine."""

    SAFE = "safe"
    BREACHED = "breached"
    UNKNOWN = "unknown"
    PENDING = "pending"


@dataclass(frozen=True, kw_only=True)
class RpoVerdict:
    """The answer, its numbers, and one or more sentences of `reason` for people.

    `sla_rpo` is what was configured, `policy_rpo` the worst gap that the schedule allows, `age` that of the newest
    point; None: not known. `safe_until` is the newest point plus the RPO that counts, in the past if breached.
    `breached_by` is None for a breach that nothing can be measured from. `next_expected_at` is when, by the schedule
    and its grace, the next recovery point must be there. `on_schedule` says whether every run that was due made a
    point, `policy_can_meet` whether the schedule is dense enough for the configured RPO.
    """

    state: RpoState
    reason: str
    newest_point_at: datetime | None = None
    safe_until: datetime | None = None
    breached_by: timedelta | None = None
    sla_rpo: timedelta | None = None
    policy_rpo: timedelta | None = None
    age: timedelta | None = None
    next_expected_at: datetime | None = None
    on_schedule: bool | None = None
    policy_can_meet: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RpoRule:
    """An RPO for the items that all its globs match, case ignored; `item` is the name or `container/name`."""

    rpo: timedelta
    vault: str = "*"
    item: str = "*"
    resource_group: str = "*"
    subscription: str = "*"


@dataclass(frozen=True, kw_only=True)
class RpoRules:
    """The configured objectives: the first rule that matches counts, else `default`.

    `grace` is how long a scheduled backup may take before its recovery point is missed.
    """

    default: timedelta = timedelta(hours=26)
    grace: timedelta = timedelta(hours=2)
    rules: tuple[RpoRule, ...] = ()

    def rpo_for(
        self, vault: str, item: str, *, container: str = "", resource_group: str = "", subscription: str = ""
    ) -> timedelta:
        """The RPO of an item, by the names of what it is in."""
        names = [item, f"{container}/{item}"] if container else [item]
        for rule in self.rules:
            if (
                _matches(rule.vault, vault)
                and any(_matches(rule.item, name) for name in names)
                and _matches(rule.resource_group, resource_group)
                and _matches(rule.subscription, subscription)
            ):
                return rule.rpo
        return self.default


def _matches(glob: str, name: str) -> bool:
    return fnmatchcase(name.casefold(), glob.casefold())


def real_moment(moment: datetime | None) -> datetime | None:
    """`moment` in UTC, or None for the placeholders that Azure writes for "never".

    Seen are 2001-01-01 and 0001-01-01, the latter without a zone; any time before Azure Backup existed counts.

    Raises:
        NaiveMomentError: A real time without a time zone.
    """
    if moment is None or moment.year < _AZURE_BACKUP_BEGAN:
        return None
    return aware(moment)


def unread_rpo(why: str, *, rpo: timedelta | None = None, policy: BackupPolicy | None = None) -> RpoVerdict:
    """The verdict for an item whose recovery points could not be read; `why` is a sentence."""
    return RpoVerdict(
        state=RpoState.UNKNOWN,
        reason=why,
        sla_rpo=rpo,
        policy_rpo=worst_case_gap(policy) if policy else None,
    )


def judge_rpo(
    *,
    newest_point_at: datetime | None,
    protected_since: datetime | None,
    first_backup_pending: bool,
    rpo: timedelta | None,
    policy: BackupPolicy | None,
    now: datetime,
    grace: timedelta,
    logs: bool = True,
) -> RpoVerdict:
    """Compare the newest recovery point with the RPO.

    `newest_point_at` None means that there is no recovery point; where they could not be read, `unread_rpo` is the
    answer instead. Without a configured `rpo` the schedule counts: its worst gap plus `grace`. An item that never had
    a point is pending until its first scheduled run, with `grace`, has passed. `logs` as in `worst_case_gap`.

    Raises:
        NaiveMomentError: A moment has no time zone.
    """
    now = aware(now)
    newest, since = real_moment(newest_point_at), real_moment(protected_since)
    implied = worst_case_gap(policy, logs=logs) if policy else None
    objective = rpo if rpo is not None else implied + grace if implied is not None else None
    can_meet = implied <= rpo if implied is not None and rpo is not None else None
    if newest is None:
        # The first log backup waits for the first full one, so log backups say nothing about when that is due.
        due = next_expected_point(policy, since, grace, logs=False) if policy and since else None
        if due is None and since is not None and objective is not None:
            due = since + objective
        state, reason, late = _first_backup(due, objective, now, pending=first_backup_pending)
        return RpoVerdict(
            state=state,
            reason=reason,
            breached_by=late,
            sla_rpo=rpo,
            policy_rpo=implied,
            next_expected_at=due,
            policy_can_meet=can_meet,
        )
    age = max(now - newest, timedelta(0))
    expected = expected_recovery_point(policy, now, grace, logs=logs) if policy else None
    on_schedule = newest >= expected if expected is not None else None
    state, reason = _points(newest, objective, now, configured=rpo is not None)
    if on_schedule is False:
        reason += " A backup that was scheduled since then has made no recovery point."
    if can_meet is False and implied is not None and rpo is not None:
        reason += f" The policy leaves up to {format_age(implied)} between backups and cannot keep {format_age(rpo)}."
    safe_until = newest + objective if objective is not None and state is not RpoState.UNKNOWN else None
    return RpoVerdict(
        state=state,
        reason=reason,
        newest_point_at=newest,
        safe_until=safe_until,
        breached_by=now - safe_until if safe_until is not None and state is RpoState.BREACHED else None,
        sla_rpo=rpo,
        policy_rpo=implied,
        age=age,
        next_expected_at=next_expected_point(policy, newest, grace, logs=logs) if policy else None,
        on_schedule=on_schedule,
        policy_can_meet=can_meet,
    )


def _points(newest: datetime, objective: timedelta | None, now: datetime, *, configured: bool) -> tuple[RpoState, str]:
    if newest > now + _CLOCKS_DIFFER:
        return RpoState.UNKNOWN, (
            f"The newest recovery point is dated {format_age(newest - now)} in the future ({_utc(newest)})."
        )
    age = format_age(now - newest)
    if objective is None:
        return RpoState.UNKNOWN, (
            f"The newest recovery point is {age} old, but neither an RPO nor a schedule says how old it may be."
        )
    name = f"the RPO of {format_age(objective)}" if configured else f"the schedule's {format_age(objective)}"
    until = newest + objective
    if now <= until:
        return RpoState.SAFE, f"The newest recovery point is {age} old; {name} is kept until {_utc(until)}."
    return RpoState.BREACHED, (
        f"The newest recovery point is {age} old: {name} is breached by {format_age(now - until)}."
    )


def _first_backup(
    due: datetime | None, objective: timedelta | None, now: datetime, *, pending: bool
) -> tuple[RpoState, str, timedelta | None]:
    """State, reason and how late, for an item without any recovery point whose first one is `due`."""
    if due is not None and now <= due:
        return RpoState.PENDING, f"There is no recovery point yet; the first is due by {_utc(due)}.", None
    if due is not None:
        late = now - due
        return (
            RpoState.BREACHED,
            (f"There is no recovery point at all; the first was due by {_utc(due)}, {format_age(late)} ago."),
            late,
        )
    if pending:
        return RpoState.PENDING, "The first backup is pending; nothing says since when or until when.", None
    if objective is not None:
        return RpoState.BREACHED, "There is no recovery point at all, and no first backup is pending.", None
    return RpoState.UNKNOWN, "There is no recovery point, and neither an RPO nor a schedule asks for one.", None


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
