"""From the body of a backup policy, as Azure Resource Manager sends it, to a `BackupPolicy`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Final

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
    UnknownSchedule,
    Unscheduled,
    WeeklySchedule,
)
from domain.windows_zones import iana_zone

Body = Mapping[str, object]

_DAY_NUMBERS: Final = {name.casefold(): number for number, name in enumerate(WEEKDAYS)}
_UNITS: Final = {unit.value.casefold(): unit for unit in RetentionUnit}
_NAMELESS_ZONE_IS_UTC: Final = frozenset({"azureiaasvm", "azurestorage", "azureworkload"})


class _NotUnderstoodError(Exception):
    """Part of a schedule is missing or has an unknown shape; ends in an `UnknownSchedule`."""


def parse_policy(body: Body) -> BackupPolicy:
    """Read a policy resource (`id`, `name`, `properties`, wire names) of any backup management type.

    Never raises for what Azure may leave out or add: what matters and is missing becomes an `UnknownSchedule`.
    """
    properties = _mapping(body.get("properties"))
    management = _text(properties.get("backupManagementType"))
    zone_name = _text(properties.get("timeZone")) or _text(_mapping(properties.get("settings")).get("timeZone"))
    zone = _zone(zone_name, management)
    files = _mapping(properties.get("vaultRetentionPolicy"))
    groups = _mapping(properties.get("instantRPDetails"))
    snapshot_days = _whole(properties.get("instantRpRetentionRangeInDays"))
    return BackupPolicy(
        id=_text(body.get("id")),
        name=_text(body.get("name")),
        management_type=management,
        backups=_backups(properties, zone),
        workload=_text(properties.get("workLoadType")) or _text(properties.get("workloadType")),
        zone_name=zone_name,
        zone=zone,
        policy_type=_text(properties.get("policyType")) or ("V1" if management == "AzureIaasVM" else ""),
        snapshot_consistency=_text(properties.get("snapshotConsistencyType")),
        instant_retention_days=_whole(files.get("snapshotRetentionInDays")) if files else snapshot_days,
        vaulted=bool(files) or management != "AzureStorage",
        protected_items=_whole(properties.get("protectedItemsCount")),
        restore_point_group_prefix=_text(groups.get("azureBackupRGNamePrefix")),
        restore_point_group_suffix=_text(groups.get("azureBackupRGNameSuffix")),
    )


def _zone(zone_name: str, management: str) -> str | None:
    if zone_name:
        return iana_zone(zone_name)
    # Without a zone the service takes the written time at its word, which is UTC. The agent of a MAB policy goes by
    # the clock of its own machine instead, and no field says which zone that is in.
    return "Etc/UTC" if management.casefold() in _NAMELESS_ZONE_IS_UTC else None


def _backups(properties: Body, zone: str | None) -> tuple[PlannedBackup, ...]:
    parts = properties.get("subProtectionPolicy")
    if isinstance(parts, Sequence) and not isinstance(parts, str) and parts:
        return tuple(_planned(_mapping(part), _text(_mapping(part).get("policyType")), zone) for part in parts)
    if properties.get("backupManagementType") == "AzureSql":
        # Databases of Azure SQL back themselves up; such a policy holds nothing but long-term retention.
        return (PlannedBackup(kind="Backup", schedule=Unscheduled(), retention=_rules(properties)),)
    return (_planned(properties, "", zone),)


def _planned(part: Body, kind: str, zone: str | None) -> PlannedBackup:
    return PlannedBackup(
        kind=kind or "Backup",
        schedule=_schedule(_mapping(part.get("schedulePolicy")), zone),
        retention=_rules(part),
        tiering=tuple(
            Tiering(
                target=target,
                mode=_text(_mapping(rule).get("tieringMode")),
                after=_span(_mapping(rule).get("duration"), _mapping(rule).get("durationType")),
            )
            for target, rule in _mapping(part.get("tieringPolicy")).items()
        ),
    )


def _schedule(body: Body, zone: str | None) -> Schedule:
    if not body:
        return UnknownSchedule(reason="the policy says nothing about its schedule")
    form = _text(body.get("schedulePolicyType"))
    frequency = _text(body.get("scheduleRunFrequency"))
    read = _log if form.casefold() == "logschedulepolicy" else _BY_FREQUENCY.get(frequency.casefold())
    if read is None:
        return UnknownSchedule(reason=f"a {form or 'nameless'} schedule has the frequency {frequency!r}")
    try:
        return read(body, zone)
    except (_NotUnderstoodError, ValueError, OverflowError) as problem:
        return UnknownSchedule(reason=str(problem))


def _log(body: Body, _zone: str | None) -> Schedule:
    minutes = _whole(body.get("scheduleFrequencyInMins"))
    if minutes is None:
        raise _NotUnderstoodError("a log schedule does not say how often it runs")
    return LogSchedule(every=timedelta(minutes=minutes))


def _daily(body: Body, zone: str | None) -> Schedule:
    return DailySchedule(times=_times(_inner(body, "dailySchedule")), zone=zone)


def _weekly(body: Body, zone: str | None) -> Schedule:
    inner = _inner(body, "weeklySchedule")
    # Azure writes 0 where the question does not arise.
    weeks = _whole(body.get("scheduleWeeklyFrequency")) or 1
    return WeeklySchedule(days=_days(inner), times=_times(inner), zone=zone, every_weeks=weeks)


def _hourly(body: Body, zone: str | None) -> Schedule:
    inner = _mapping(body.get("hourlySchedule"))
    interval, duration = _whole(inner.get("interval")), _whole(inner.get("scheduleWindowDuration"))
    if interval is None or duration is None:
        raise _NotUnderstoodError("an hourly schedule does not state its interval and the length of its window")
    start = _time(inner.get("scheduleWindowStartTime"))
    return HourlySchedule(interval_h=interval, window_start=start, window_duration_h=duration, zone=zone)


_BY_FREQUENCY: Final[Mapping[str, Callable[[Body, str | None], Schedule]]] = {
    "daily": _daily,
    "weekly": _weekly,
    "hourly": _hourly,
}


def _inner(body: Body, key: str) -> Body:
    """Enhanced policies nest what standard ones hold flat."""
    nested = _mapping(body.get(key))
    return nested or body


def _times(body: Body) -> tuple[time, ...]:
    values = body.get("scheduleRunTimes")
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise _NotUnderstoodError("a schedule names no time of day")
    return tuple(sorted({_time(value) for value in values}))


def _time(value: object) -> time:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
    except ValueError:
        raise _NotUnderstoodError(f"{value!r} is not a time") from None
    if moment.utcoffset():
        raise _NotUnderstoodError(f"the time {value!r} has an offset of its own beside the policy's time zone")
    return moment.time().replace(tzinfo=None)


def _days(body: Body) -> tuple[int, ...]:
    values = body.get("scheduleRunDays")
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise _NotUnderstoodError("a weekly schedule names no day")
    numbers = [_DAY_NUMBERS.get(_text(value).casefold()) for value in values]
    known = {number for number in numbers if number is not None}
    if None in numbers:
        raise _NotUnderstoodError(f"{list(values)!r} are not all days of the week")
    return tuple(sorted(known))


def _rules(part: Body) -> RetentionRules:
    vault = _mapping(_mapping(part.get("vaultRetentionPolicy")).get("vaultRetention"))
    body = vault or _mapping(part.get("retentionPolicy"))

    def rule(key: str) -> Retention | None:
        duration = _mapping(_mapping(body.get(key)).get("retentionDuration"))
        return _span(duration.get("count"), duration.get("durationType"))

    simple = _mapping(body.get("retentionDuration"))
    return RetentionRules(
        daily=rule("dailySchedule"),
        weekly=rule("weeklySchedule"),
        monthly=rule("monthlySchedule"),
        yearly=rule("yearlySchedule"),
        simple=_span(simple.get("count"), simple.get("durationType")),
    )


def _span(count: object, unit: object) -> Retention | None:
    number, known = _whole(count), _UNITS.get(_text(unit).casefold())
    return Retention(number, known) if number is not None and known is not None else None


def _mapping(value: object) -> Body:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
