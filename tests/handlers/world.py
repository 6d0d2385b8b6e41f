"""A bot without its shell: the real router and commands over a pretended Azure, with desks of paper."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from adaptive_cards import text
from adaptive_cards.card import Card
from diagnostics import error_codes, registry
from diagnostics.registry import Check
from domain.actor import Actor
from domain.approval import Approval
from domain.approval_policy import Decision, Rule
from domain.arm import ItemId, key
from domain.backup import ProtectedItem, Vault
from domain.errors import NotFound
from domain.finding import Diagnosis
from domain.fix import FixPlan
from domain.incident import Incident, Operation, Severity
from domain.schedule import RpoRules
from fixes.registry import Fix
from fixes.registry import discover as all_fixes
from handlers import router
from handlers.requests import Answer, Command, Where
from handlers.services import Services
from tests.diagnostics.world import NOW, VAULT, StoppedClock, an_item, hours
from tests.fakes.azure import FakeAzure

ANA = Actor(
    platform="slack",
    id="U0ANA",
    name="Ana",
    email="ana@contoso.com",
    email_confirmed=True,
    entra_id="aaaaaaaa-0000-0000-0000-000000000001",
)
GUEST = Actor(platform="slack", id="U0GUEST", name="Visitor", is_guest=True)
HERE = Where(platform="slack", channel="C0BACKUP")


def an_incident(**changes: object) -> Incident:
    """A breach of vm-erp-01 that nobody has."""
    item = an_item()
    incident = Incident(
        id="INC-7Q4K2P9A",
        key=f"{item.id.key}|backup",
        open=True,
        severity=Severity.CRITICAL,
        operation=Operation.BACKUP,
        vault_id=VAULT.id,
        vault_name=VAULT.name,
        item_id=item.id.id,
        item_name=item.name,
        what="backup failed 3×",
        code="UserErrorKeyVaultPermissionsNotConfigured",
        failures=3,
        opened_at=hours(2),
        updated_at=hours(1),
        last_point_at=hours(31),
        rpo=timedelta(hours=26),
        rpo_state="breached",
        breached_by=timedelta(hours=5),
    )
    return replace(incident, **changes)  # type: ignore[arg-type]


@dataclass
class PaperApprovals:
    """An approval desk on paper: it knows only the rights that a test gives it."""

    given: Sequence[tuple[Rule, Decision, Decision]] = ()

    async def plan(self, fix_id: str, item_id: ItemId, parameters: Mapping[str, str]) -> FixPlan:
        raise NotFound(f"There is no plan of {fix_id}.")

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
        raise NotFound("There is no approval.")

    async def decide(
        self, approval_id: str, decision: str, actor: Actor, *, reason: str = "", shown: str = ""
    ) -> Approval:
        raise NotFound("There is no approval.")

    async def edit(self, approval_id: str, actor: Actor, parameters: Mapping[str, str], reason: str) -> Approval:
        raise NotFound("There is no approval.")

    async def get(self, approval_id: str) -> Approval:
        raise NotFound("There is no approval.")

    async def open_requests(self) -> Sequence[Approval]:
        return ()

    async def rights(self, actor: Actor) -> Sequence[tuple[Rule, Decision, Decision]]:
        return self.given


@dataclass
class PaperIncidents:
    """An incident desk on paper."""

    fixes: Mapping[str, Fix]
    incidents: dict[str, Incident] = field(default_factory=dict)
    done: list[tuple[str, ...]] = field(default_factory=list)

    def put(self, *incidents: Incident) -> None:
        """Open incidents."""
        self.incidents |= {one.id: one for one in incidents}

    async def diagnose(self, item_id: ItemId, job_id: str = "") -> tuple[Diagnosis, ProtectedItem, Vault]:
        raise NotFound("Nothing was diagnosed.")

    def offers(self, diagnosis: Diagnosis) -> tuple[tuple[str, str], ...]:
        wanted = [fix for cause in diagnosis.causes for fix in cause.fixes if fix in self.fixes]
        return tuple((fix, self.fixes[fix].spec.title) for fix in dict.fromkeys(wanted))

    async def get(self, incident_id: str) -> Incident:
        if incident_id not in self.incidents:
            raise NotFound(f"There is no incident {incident_id}.")
        return self.incidents[incident_id]

    async def open_ones(self) -> tuple[Incident, ...]:
        found = [one for one in self.incidents.values() if one.open]
        return tuple(sorted(found, key=lambda one: (-one.severity.rank, one.opened_at)))

    async def live_for(self, item_id: str) -> Incident | None:
        return next((one for one in self.incidents.values() if one.open and key(one.item_id) == key(item_id)), None)

    async def take(self, incident_id: str, actor: Actor) -> Incident:
        return await self._change(("take", incident_id, actor.id), owner=actor)

    async def snooze(self, incident_id: str, actor: Actor, duration: timedelta) -> Incident:
        return await self._change(("snooze", incident_id, actor.id, str(duration)), snoozed_until=NOW + duration)

    async def close(self, incident_id: str, actor: Actor, reason: str) -> Incident:
        return await self._change(
            ("close", incident_id, actor.id, reason), open=False, closed_at=NOW, closed_reason=reason
        )

    async def again(self, incident_id: str) -> None:
        self.done.append(("again", incident_id))

    async def _change(self, what: tuple[str, ...], **values: Any) -> Incident:
        incident = replace(await self.get(what[1]), **values)
        self.done.append(what)
        self.incidents[incident.id] = incident
        return incident


@dataclass
class PaperRecords:
    """The audit and the drill ledger on paper."""

    lines: list[Mapping[str, Any]] = field(default_factory=list)
    tests: list[Mapping[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def audit_lines(self, subject: str, limit: int) -> Sequence[Mapping[str, Any]]:
        self.asked.append((subject, limit))
        return [line for line in self.lines if subject in {"", line["subject"]}][:limit]

    async def drills(self, limit: int) -> Sequence[Mapping[str, Any]]:
        return self.tests[:limit]

    async def add_drill(self, item: ProtectedItem, evidence: str, actor: Actor) -> None:
        self.tests.insert(
            0,
            {
                "item_name": item.name,
                "vault_name": item.id.vault.name,
                "at": NOW,
                "evidence": evidence,
                "by": actor.record(),
            },
        )


@dataclass
class World:
    """Services, and what the desks were told."""

    services: Services
    approvals: PaperApprovals
    incidents: PaperIncidents
    records: PaperRecords


@cache
def _catalogue() -> tuple[Mapping[str, Check], Mapping[str, Fix]]:
    return registry.discover(), all_fixes()


def a_world(azure: FakeAzure, **changes: object) -> World:
    """The real checks and fixes over ``azure``, by the stopped clock."""
    checks, fixes = _catalogue()
    approvals, incidents, records = PaperApprovals(), PaperIncidents(fixes), PaperRecords()
    services = Services(
        read=lambda: azure,
        clock=StoppedClock(),
        checks=checks,
        fixes=fixes,
        codes=error_codes.load(),
        rpo=RpoRules(),
        approvals=approvals,
        incidents=incidents,
        records=records,
    )
    return World(replace(services, **changes), approvals, incidents, records)  # type: ignore[arg-type]


async def say(words: str, services: Services, actor: Actor = ANA) -> list[Answer]:
    """Every answer to what somebody types, through the router."""
    command = Command(text=words, actor=actor, where=HERE)
    return [answer async for answer in router.build().answers(command, services)]


def card_of(answers: Sequence[Answer]) -> Card:
    """The card of the last answer."""
    card = answers[-1].card
    assert card is not None
    return card


def shown(card: Card, cut: Callable[[str], str] = lambda line: line) -> list[str]:
    """The card as lines of text, addresses taken out."""
    lines = text.render(card, width=1000).splitlines()
    return [cut(_without_addresses(line)) for line in lines]


def _without_addresses(line: str) -> str:
    while " <http" in line:
        before, _, rest = line.partition(" <http")
        line = before + rest.partition(">")[2]
    return line


def moment(days: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=days)
