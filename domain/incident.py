"""Incidents: what people work on. Alerts, sweeps and people open them; proofs and people close them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.arm import key


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
