"""What handlers work with: ports of this layer, passed explicitly; ``bot/workflows`` implements them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from diagnostics.error_codes import ErrorCodes
from diagnostics.registry import Check, Ledger, Limits
from domain.actor import Actor
from domain.approval import Approval
from domain.approval_policy import Decision, Rule
from domain.arm import ItemId
from domain.backup import ProtectedItem, Vault
from domain.finding import Diagnosis
from domain.fix import FixPlan
from domain.incident import Incident
from domain.ports import BackupReader, Clock
from domain.schedule import RpoRules
from fixes.registry import Fix, FixSettings
from handlers.requests import Where


class ApprovalDesk(Protocol):
    """Where fixes are asked for and decided."""

    async def plan(self, fix_id: str, item_id: ItemId, parameters: Mapping[str, str]) -> FixPlan:
        """The plan as it would be made now."""
        ...

    async def ask(
        self,
        *,
        fix_id: str,
        item_id: ItemId,
        parameters: Mapping[str, str],
        actor: Actor,
        where: Where,
        incident_id: str = "",
        reason: str = "",
    ) -> Approval:
        """Put a request before the approvers."""
        ...

    async def decide(
        self, approval_id: str, decision: str, actor: Actor, *, reason: str = "", shown: str = ""
    ) -> Approval:
        """approve, reject, withdraw or break_glass; ``shown`` is how the fingerprint of the plan that was seen begins."""
        ...

    async def edit(self, approval_id: str, actor: Actor, parameters: Mapping[str, str], reason: str) -> Approval:
        """Change a waiting request: a new plan, and its editor counts as a requester."""
        ...

    async def get(self, approval_id: str) -> Approval:
        """One request."""
        ...

    async def open_requests(self) -> Sequence[Approval]:
        """What waits or is being done."""
        ...

    async def rights(self, actor: Actor) -> Sequence[tuple[Rule, Decision, Decision]]:
        """For each rule: whether the person may request and may approve."""
        ...


class IncidentDesk(Protocol):
    """Where incidents are kept."""

    async def diagnose(self, item_id: ItemId, job_id: str = "") -> tuple[Diagnosis, ProtectedItem, Vault]:
        """A diagnosis with everything that the store knows."""
        ...

    def offers(self, diagnosis: Diagnosis) -> tuple[tuple[str, str], ...]:
        """(fix id, title) of what may be offered, best first."""
        ...

    async def get(self, incident_id: str) -> Incident:
        """One incident."""
        ...

    async def open_ones(self) -> tuple[Incident, ...]:
        """All open ones, worst first."""
        ...

    async def live_for(self, item_id: str) -> Incident | None:
        """The open incident of an item."""
        ...

    async def take(self, incident_id: str, actor: Actor) -> Incident:
        """Somebody has it."""
        ...

    async def snooze(self, incident_id: str, actor: Actor, duration: timedelta) -> Incident:
        """Quiet for a while."""
        ...

    async def close(self, incident_id: str, actor: Actor, reason: str) -> Incident:
        """Somebody says it is over."""
        ...

    async def again(self, incident_id: str) -> None:
        """Diagnose it once more."""
        ...


class GrantDesk(Protocol):
    """Rights handed out for a time."""

    async def end_early(self, approval_id: str, actor: Actor) -> int:
        """Take the rights of a request away now; how many there were."""
        ...


class Records(Protocol):
    """The audit and the drill ledger, for reading and adding."""

    async def audit_lines(self, subject: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest lines about an incident or approval (all subjects when empty), newest first."""
        ...

    async def drills(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest restore tests."""
        ...

    async def add_drill(self, item: ProtectedItem, evidence: str, actor: Actor) -> None:
        """A restore test that somebody did."""
        ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a handler may use."""

    read: Callable[[], BackupReader]
    clock: Clock
    checks: Mapping[str, Check]
    fixes: Mapping[str, Fix]
    codes: ErrorCodes
    rpo: RpoRules
    approvals: ApprovalDesk
    incidents: IncidentDesk
    records: Records
    grants: GrantDesk | None = None
    limits: Limits = field(default_factory=Limits)
    fix_settings: FixSettings = field(default_factory=FixSettings)
    ledger: Ledger | None = None
    limit_s: float = 25.0
    simulated: bool = False
    read_only: bool = False
    operator_client_id: str = ""
    on_bug: Callable[[str, Exception], None] | None = None
