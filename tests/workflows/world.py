"""A bot without its outside: the real desks and drivers over a real database, Azure in memory, a clock that is moved."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.store import chain, database
from bot.store import tables as t
from bot.store.store import Place, Row, Store
from bot.workflows.services import Route, Services
from diagnostics import registry as checks_registry
from diagnostics.cache import once
from domain.actor import Actor
from domain.approval import Approval
from domain.approval_policy import Rule
from domain.arm import ItemId, key
from domain.backup import Job, OperationStatus, RoleAssignment
from domain.fix import Call, Kind
from domain.schedule import RpoRules
from fixes import registry as fixes_registry
from handlers.requests import Where
from tests.fakes.azure import FakeAzure, FakeOperator
from tests.fakes.desks import WORK, Desks, enqueue
from tests.fixes import world as estate
from tests.fixes.world import NOW, VM_ITEM

ITEM = ItemId.parse(VM_ITEM)
CHANNEL = Place(platform="slack", channel="C0BACKUP")
HERE = Where(platform="slack", channel="C0BACKUP")
MINUTE = timedelta(minutes=1)

MAX = Actor(platform="slack", id="U0MAX", name="Max Weber", email="max@contoso.com", email_confirmed=True)
ANA = Actor(platform="slack", id="U0ANA", name="Ana Lima", email="ana@contoso.com", email_confirmed=True)
ANA_ON_TEAMS = Actor(
    platform="teams",
    id="00000000-0000-4000-a000-000000000002",
    entra_id="00000000-0000-4000-a000-000000000002",
    name="Ana Lima",
    email="Ana@Contoso.com",
    email_confirmed=True,
)
BEN = Actor(platform="slack", id="U0BEN", name="Ben Okafor", email="ben@contoso.com", email_confirmed=True)
EVE = Actor(platform="slack", id="U0EVE", name="Eve Novak", email="eve@contoso.com", email_confirmed=True)

FOUR_EYES = Rule(
    name="four eyes",
    requesters=("*",),
    approvers=("email:ana@contoso.com", "email:max@contoso.com", "slack:U0BEN"),
)


class FakeClock:
    """A clock that only a test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._began = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._began).total_seconds()

    def advance(self, by: timedelta) -> None:
        self._now += by


@dataclass
class FakeDirectory:
    """People and groups that a test names."""

    groups: dict[str, frozenset[str] | None] = field(default_factory=dict)

    async def actor(self, platform: str, user_id: str) -> Actor:
        return Actor(platform=platform, id=user_id)

    async def members(self, group: str) -> frozenset[str] | None:
        return self.groups.get(group)

    async def account(self, entry: str) -> str | None:
        return entry.partition(":")[2] if entry.startswith("slack:") else ""


@dataclass(kw_only=True)
class World(Desks):
    """Everything that a test moves and looks at."""

    clock: FakeClock
    azure: FakeAzure
    operator: FakeOperator
    directory: FakeDirectory
    job_ends_as: str = "Completed"
    jobs: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.operator.effect = self.happens

    # -- Azure -----------------------------------------------------------------------------------------------------

    def happens(self, call: Call) -> None:
        """What Azure does with a call that reaches it."""
        match call.kind:
            case Kind.BACKUP:
                self.start_job(operation_id=f"op-{len(self.operator.sent)}")
            case Kind.ROLE_ASSIGNMENT:
                body: Any = call.body
                said = body["properties"]
                self.azure.assignments.append(
                    RoleAssignment(
                        id=call.resource,
                        scope=call.scope,
                        role_definition_id=said["roleDefinitionId"],
                        principal_id=said["principalId"],
                        principal_type="ServicePrincipal",
                    )
                )
                self.azure.bodies[key(call.resource)] = body
            case Kind.ROLE_REMOVAL:
                self.azure.assignments = [one for one in self.azure.assignments if key(one.id) != key(call.resource)]
                self.azure.bodies.pop(key(call.resource), None)
            case _:
                pass

    def start_job(self, operation_id: str = "") -> Job:
        """A backup job of the machine begins."""
        self.jobs += 1
        job = estate.job(id=f"job-{self.jobs}", started_at=self.clock.now())
        self.azure.put(job)
        if operation_id:
            self.azure.operations[operation_id] = OperationStatus(
                id=operation_id, status="Succeeded", job_ids=(job.id,)
            )
        return job

    def end_jobs(self) -> None:
        """Every running job ends; a good one makes a recovery point."""
        for job in list(self.azure.jobs_by_vault[ITEM.vault.key].values()):
            if job.running:
                self.azure.put(replace(job, status=self.job_ends_as, ended_at=self.clock.now()))
                if self.job_ends_as == "Completed":
                    self.azure.points[VM_ITEM.casefold()].append(estate.point(self.clock.now(), f"point-of-{job.id}"))

    def sent(self, kind: Kind) -> int:
        """How many calls of a kind were sent."""
        return sum(1 for call in self.operator.sent if call.kind is kind)

    # -- work ------------------------------------------------------------------------------------------------------

    async def lose_work(self) -> None:
        """What was enqueued is never run: a crash of the worst kind."""
        async with self.store.begin() as tx:
            await tx.execute(WORK.update().values(done=True))

    async def tick(self, by: timedelta = timedelta(0)) -> None:
        """Time passes, what is due is handed out and done."""
        self.clock.advance(by)
        await self.ticker.tick()
        await self.work()

    # -- requests --------------------------------------------------------------------------------------------------

    async def ask(self, fix: str = "rerun_backup", actor: Actor = MAX, **more: Any) -> Approval:
        """Somebody asks for a fix."""
        parameters: Mapping[str, str] = more.pop("parameters", {})
        return await self.approvals.ask(
            fix_id=fix, item_id=ITEM, parameters=parameters, actor=actor, where=HERE, **more
        )

    async def approved(self, fix: str = "rerun_backup", **more: Any) -> str:
        """A request that Max made and Ana approved; nothing has been driven yet."""
        asked = await self.ask(fix, **more)
        await self.approvals.decide(asked.id, "approve", ANA)
        return asked.id

    async def proved(self, approval_id: str, *, ticks: int = 60, by: timedelta = MINUTE) -> str:
        """Let time pass and jobs end until the request has ended; its state."""
        for _ in range(ticks):
            await self.tick(by)
            self.end_jobs()
            state = await self.state(approval_id)
            if state not in {"requested", "approved", "executing"}:
                return state
        return await self.state(approval_id)

    async def steps(self, approval_id: str) -> list[dict[str, Any]]:
        """The steps of a request's run."""
        run = await self.run_of(approval_id)
        assert run is not None
        return list(run["steps"])

    async def events(self, subject: str = "") -> list[str]:
        """The names of the audit's lines."""
        statement = sa.select(t.audit.c.event, t.audit.c.subject).order_by(t.audit.c.n)
        found = await self.store.all(statement)
        return [row["event"] for row in found if subject in {"", row["subject"]}]

    async def audit(self, event: str) -> list[Row]:
        """The audit's lines of one kind."""
        return list(await self.store.all(sa.select(t.audit).where(t.audit.c.event == event).order_by(t.audit.c.n)))

    async def locks(self) -> Sequence[str]:
        """What is locked."""
        return [row["key"] for row in await self.store.all(sa.select(t.locks.c.key).order_by(t.locks.c.key))]

    async def chain(self) -> chain.Verdict:
        """Whether the record holds."""
        return chain.verify(await self.store.all(sa.select(t.audit).order_by(t.audit.c.n)))


@asynccontextmanager
async def world_on(url: str, **more: Any) -> AsyncIterator[World]:
    """A world on a migrated database."""
    engine = database.connect(url)
    async with engine.begin() as connection:
        await connection.run_sync(WORK.metadata.create_all)
    clock, azure, operator, directory = FakeClock(), estate.estate(), FakeOperator(), FakeDirectory()
    store = Store(engine, database.reader(engine, url), clock, enqueue=enqueue)
    services = Services(
        store=store,
        clock=clock,
        read=lambda: once(azure),
        operator=operator,
        checks=checks_registry.discover(),
        fixes=fixes_registry.discover(),
        directory=directory,
        rules=[FOUR_EYES],
        route=lambda _vault, _tags: Route(places=(CHANNEL,), mention=("slack-group:S0ONCALL",)),
        rpo=RpoRules(),
    )
    services = replace(services, **more)
    try:
        yield World(store=store, services=services, clock=clock, azure=azure, operator=operator, directory=directory)
    finally:
        await store.close()
