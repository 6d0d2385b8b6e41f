"""Incidents: what people work on. Alerts, sweeps and people open them; proofs and people close them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from domain.actor import Actor
from domain.arm import key
from domain.durations import format_age, format_ago
from domain.finding import Diagnosis


class Severity(StrEnum):
    """How bad it is; only critical mentions people.

    critical: RPO breached, or a restore that somebody waits for failed; warning: a failure with the RPO still safe or
    unknown; info: posture.
    """

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return {"info": 0, "warning": 1, "critical": 2}[self.value]


class Operation(StrEnum):
    """Which of an item's doings the incident is about; with the item it is the incident's key."""

    BACKUP = "backup"
    RESTORE = "restore"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One delivery of an alert, reduced to what the bot uses. ``delivery_key`` is equal for a repeated delivery."""

    alert_id: str
    condition: str
    """``Fired`` or ``Resolved``."""
    rule: str
    severity: str
    service: str
    fired_at: datetime | None
    description: str
    vault_id: str
    item_id: str
    """"" when the alert names no protected item."""
    item_name: str
    source_id: str
    job_id: str
    code: str
    operation: Operation
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def delivery_key(self) -> str:
        """(alert id, condition)."""
        return f"{key(self.alert_id)}|{self.condition.casefold()}"

    @property
    def incident_key(self) -> str:
        """(item, operation), or (vault, rule) when there is no item."""
        if self.item_id:
            return f"{key(self.item_id)}|{self.operation}"
        return f"{key(self.vault_id)}|{self.rule.casefold()}"


@dataclass(frozen=True, kw_only=True)
class Incident:
    """What people work on, as cards and commands see it."""

    id: str
    key: str
    open: bool
    severity: Severity
    operation: Operation
    vault_id: str
    vault_name: str
    item_id: str
    item_name: str
    what: str
    """What happened, in a few words: "backup failed 3×"."""
    code: str
    failures: int
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    closed_reason: str = ""
    owner: Actor | None = None
    snoozed_until: datetime | None = None
    last_point_at: datetime | None = None
    rpo: timedelta | None = None
    rpo_state: str = "unknown"
    """``safe``, ``breached``, ``pending`` or ``unknown``."""
    safe_until: datetime | None = None
    breached_by: timedelta | None = None
    diagnosis: Diagnosis | None = None


def _roughly(value: timedelta) -> str:
    """An age without the minutes behind its hours: a line on a phone has no room for them."""
    hours, behind, _ = format_age(value).partition(" h ")
    return f"{hours} h" if behind else hours


def what_happened(incident: Incident) -> str:
    """``<item> in <vault>: <what happened> (<code>)``."""
    name = f"{incident.item_name} in {incident.vault_name}" if incident.item_name else incident.vault_name
    return f"{name}: {incident.what}" + (f" ({incident.code})" if incident.code else "")


def first_line(incident: Incident, now: datetime) -> str:
    """The first line of every incident post, also the notification; the sign and word are put before it by the renderer.

    ``<item> in <vault>: <what happened> (<code>) · last good point <age>, RPO <x> <breached by y | safe until … | unknown>``
    """
    if incident.operation is not Operation.BACKUP or not incident.item_id:
        return what_happened(incident)
    point = (
        f"last good point {format_ago(now - incident.last_point_at)}"
        if incident.last_point_at
        else "no good point known"
    )
    rpo = f"RPO {format_age(incident.rpo)} " if incident.rpo else "RPO "
    match incident.rpo_state:
        case "breached" if incident.breached_by is not None:
            verdict = f"breached by {_roughly(incident.breached_by)}"
        case "safe" if incident.safe_until is not None:
            verdict = f"safe until {incident.safe_until:%H:%M} UTC"
        case "pending":
            verdict = "pending: first backup to come"
        case _:
            verdict = "unknown"
    return f"{what_happened(incident)} · {point}, {rpo}{verdict}"
