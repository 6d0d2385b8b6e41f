"""The simulated cloud, the real gateways of both identities, a real database, and the real desks and drivers between them.

Time is the simulated world's: instead of waiting, a test moves its clock to the next moment at which the bot has something to
do.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.azure import Azure, azure
from bot.settings import load
from bot.store import chain, database
from bot.store import tables as t
from bot.store.store import Place, Row, Store, Tx
from bot.workflows.services import Route, Services
from bot.workflows.ticker import KINDS
from diagnostics import registry as checks_registry
from diagnostics.locate import find_item, find_vault
from diagnostics.runner import diagnose
from domain.actor import Actor
from domain.approval import Approval
from domain.approval_policy import Rule
from domain.arm import ItemId
from domain.canonical import Json
from domain.finding import Diagnosis
from domain.fix import Call, FixPlan, Receipt
from domain.ports import BackupOperator
from domain.schedule import RpoRules
from fixes import registry as fixes_registry
from fixes.registry import FixSettings
from handlers.requests import Where
from simulator.clock import SimClock
from simulator.control import FaultOrder, InjectedFault
from simulator.server import Simulator
from simulator.world.engine import refresh_wake
from simulator.world.model import Item, Seeded
from tests.fakes.desks import WORK, Desks, enqueue

MAX = Actor(platform="slack", id="U0MAX", name="Max Weber", email="max@contoso.com", email_confirmed=True)
ANA = Actor(platform="slack", id="U0ANA", name="Ana Lima", email="ana@contoso.com", email_confirmed=True)
ANYBODY = Rule(name="anybody but the one who asks", requesters=("*",), approvers=("*",))
CHANNEL = Place(platform="slack", channel="C0BACKUP")
HERE = Where(platform="slack", channel="C0BACKUP")

CATALOGUE = fixes_registry.discover()
OFF_BY_DEFAULT = frozenset(name for name, fix in CATALOGUE.items() if fix.spec.off_by_default)
SPEED = 6000.0
"""A backup of half an hour takes 0.3 s: it is over whenever the bot looks again."""
LIVE = frozenset({"requested", "approved", "executing"})


class KilledError(BaseException):
    """The process is gone; nothing in it may handle that."""


@dataclass(kw_only=True)
class Killer:
    """Ends the process once at each of the moments that it is armed for, and remembers which those were."""

    armed: Callable[[str], bool] = lambda _: False
    hit: list[str] = field(default_factory=list)
    hangs: Item | None = None
    """The simulator's item whose next job hangs in the phase that it is in when Azure has taken the call."""

    def taken(self) -> None:
        """Azure took a call; what hangs, hangs from now on."""
        for job in self.hangs.open if self.hangs is not None else ():
            job.stuck_at = job.passed
            refresh_wake(job.item)

    def at(self, moment: str) -> None:
        """A moment at which the process may die."""
        if moment not in self.hit and self.armed(moment):
            self.hit.append(moment)
            raise KilledError(moment)


class MortalStore(Store):
    """A store whose process may die directly after each line of the record is committed."""

    killer: Killer

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A transaction, and the moment after it."""
        before = await self._newest()
        async with super().begin() as tx:
            yield tx
        for line in await self.all(sa.select(t.audit).where(t.audit.c.n > before).order_by(t.audit.c.n)):
            step = (line["data"] or {}).get("step", "") if isinstance(line["data"], Mapping) else ""
            self.killer.at(f"after {line['event']} {step}".strip())

    async def _newest(self) -> int:
        row = await self.one(sa.select(sa.func.max(t.audit.c.n).label("n")))
        return int(row["n"] or 0) if row else 0


@dataclass
class MortalOperator:
    """The real operator, whose process may die directly after Azure took a call and before its answer is stored."""

    inner: BackupOperator
    killer: Killer
    sent: list[Call] = field(default_factory=list)

    @property
    def client_id(self) -> str:
        return self.inner.client_id

    async def send(self, call: Call) -> Receipt:
        self.sent.append(call)
        receipt = await self.inner.send(call)
        self.killer.taken()
        self.killer.at(f"after Azure took: {call.purpose}")
        return receipt

    async def permissions(self, scope: str) -> Any:
        return await self.inner.permissions(scope)


@dataclass(frozen=True)
class WorldClock:
    """The simulated world's time as the bot's clock."""

    inner: SimClock

    def now(self) -> datetime:
        return self.inner.now()

    def monotonic(self) -> float:
        return self.inner.now().timestamp()


class Nobody:
    """A directory without groups."""

    async def actor(self, platform: str, user_id: str) -> Actor:
        return Actor(platform=platform, id=user_id)

    async def members(self, group: str) -> frozenset[str] | None:
        return None

    async def account(self, entry: str) -> str | None:
        return ""


@dataclass(kw_only=True)
class Bench(Desks):
    """What a test moves and looks at."""

    sim: Simulator
    cloud: Azure
    killer: Killer

    # -- the simulated world -------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The time of the simulated world."""
        return self.sim.clock.now()

    def advance(self, by: timedelta) -> None:
        """Move the simulated world's clock ahead."""
        self.sim.clock.advance(by.total_seconds())

    def seeded(self, fault: str) -> Seeded:
        """Where the estate has that fault."""
        return next(one for one in self.sim.world.seeded if one.fault == fault)

    def inject(self, call: Call, **how: Any) -> None:
        """Let something happen to the next request of ``call``."""
        tail = call.resource.rpartition("/")[2].replace(";", ".")
        self.inject_at(call.method, rf"/{tail}$", **how)

    def inject_at(self, method: str, path: str, **how: Any) -> None:
        """Let something happen to the next request whose path matches."""
        self.sim.control.faults.append(InjectedFault(method=method, path=path, count=1, **how))

    async def grant_by_hand(self, call: Call) -> None:
        """Somebody else assigns the same role under another name, without any bot."""
        assert self.cloud.operator is not None
        scope, _, _ = call.resource.rpartition("/")
        await self.cloud.operator.send(replace(call, resource=f"{scope}/{uuid.uuid4()}"))

    def repair(self, fault: str) -> None:
        """Do what people do by hand against that fault."""
        one = self.seeded(fault)
        self.sim.control.repair(FaultOrder(vault=one.vault.id, item=one.item, fault=fault), self.now())

    def requests(self, identity: str = "operator") -> list[tuple[str, str, int]]:
        """The changing requests of an identity, as (method, path in lower case, status); 0: the connection was cut."""
        return [
            (entry["method"], entry["path"].casefold(), entry["status"])
            for entry in self.sim.control.log
            if entry["identity"] == identity and entry["method"] != "GET"
        ]

    def item_of(self, fault: str) -> Item:
        """The simulator's own item that has that fault."""
        one = self.seeded(fault)
        return next(item for item in one.vault.items.values() if item.name == one.item)

    async def target(self, vault: str, item: str) -> ItemId:
        """The protected item, or what stands for the vault itself."""
        read = self.services.read()
        if item == "-":
            return fixes_registry.whole_vault(await find_vault(read, vault)).id
        return (await find_item(read, item, vault))[1].id

    async def target_of(self, fault: str) -> ItemId:
        """The protected item that has that fault."""
        one = self.seeded(fault)
        return await self.target(one.vault.id, one.item)

    async def diagnosis(self, fault: str) -> Diagnosis:
        """A diagnosis of the place where the estate had that fault."""
        one = self.seeded(fault)
        return await self.look(one.vault.id, one.item)

    async def look(self, vault_id: str, name: str) -> Diagnosis:
        """A diagnosis of an item, or of the vault itself where its name is a dash."""
        read, item = self.services.read(), None
        if name == "-":
            vault = await find_vault(read, vault_id)
        else:
            vault, item = await find_item(read, name, vault_id)
        context = checks_registry.Context(
            vault=vault,
            item=item,
            read=read,
            clock=self.services.clock,
            rpo=self.services.rpo,
            limits=self.services.limits,
        )
        return await diagnose(context, self.services.checks, limit_s=25, on_bug=_no_bugs)

    # -- work and time -------------------------------------------------------------------------------------------

    async def drive(self, kind: str, row_id: str) -> None:
        """What the engine calls; a process that dies loses its work and starts again."""
        try:
            await super().drive(kind, row_id)
        except KilledError:
            self.restart()

    async def tick(self) -> None:
        """Hand out what is due, and do it."""
        try:
            await self.ticker.tick()
        except KilledError:
            self.restart()
        await self.work()

    async def next_due(self) -> datetime | None:
        """When the bot has something to do next."""
        dues = [
            row["due_at"]
            for table in KINDS.values()
            for row in await self.store.all(sa.select(table.c.due_at).where(table.c.due_at.is_not(None)))
        ]
        return min(dues, default=None)

    async def step(self) -> None:
        """Move the clock to the next moment at which there is something to do, and do it."""
        due = await self.next_due()
        if due is not None and due > self.now():
            self.advance(due - self.now())
        await self.tick()

    async def until(self, moment: datetime) -> None:
        """Let the bot live until a moment of the simulated world."""
        while (due := await self.next_due()) is not None and due <= moment:
            await self.step()
        self.advance(max(timedelta(0), moment - self.now()))
        await self.tick()

    # -- requests ------------------------------------------------------------------------------------------------

    async def ask(self, fix: str, target: ItemId, **more: Any) -> Approval:
        """Max asks for a fix."""
        parameters: Mapping[str, str] = more.pop("parameters", {})
        return await self.approvals.ask(
            fix_id=fix, item_id=target, parameters=parameters, actor=MAX, where=HERE, **more
        )

    async def approve(self, approval_id: str) -> None:
        """Ana approves it; nothing is driven yet. A click that dies with the process is repeated, as people do."""
        try:
            await self.approvals.decide(approval_id, "approve", ANA)
        except KilledError:
            self.restart()

    async def end(self, approval_id: str, *, steps: int = 400) -> str:
        """Let time pass until the request has ended; its final state."""
        await self.work()
        for _ in range(steps):
            state = await self.state(approval_id)
            if state not in LIVE:
                return state
            await self.step()
        return await self.state(approval_id)

    async def fix(self, fix: str, target: ItemId, **parameters: str) -> tuple[Approval, str]:
        """Ask, approve and let it run; the request and the state in which it ended."""
        asked = await self.ask(fix, target, parameters=parameters)
        await self.approve(asked.id)
        return asked, await self.end(asked.id)

    async def run_of(self, approval_id: str) -> Row:
        """The run of a request, which has begun."""
        found = await super().run_of(approval_id)
        assert found is not None
        return found

    async def story(self, approval_id: str) -> str:
        """Where everything of a request stands, for a test that fails."""
        row = await self.row(approval_id)
        run = await super().run_of(approval_id)
        steps = [(step["state"], step.get("note")) for step in run["steps"]] if run else []
        return f"{row['state']}: {row['note']} | run {run and run['note']} | {steps} | killed {self.killer.hit}"

    async def events(self) -> list[str]:
        """The names of the record's lines."""
        return [row["event"] for row in await self.store.all(sa.select(t.audit.c.event).order_by(t.audit.c.n))]

    async def grants_rows(self) -> Sequence[Row]:
        """The stored revokes."""
        return await self.store.all(sa.select(t.grants).order_by(t.grants.c.id))

    async def holds(self) -> bool:
        """Whether the record's chain holds."""
        return chain.verify(await self.store.all(sa.select(t.audit).order_by(t.audit.c.n))).ok


def _no_bugs(check: str, error: BaseException) -> None:
    raise AssertionError(f"{check}: {error!r}") from error


def body_of(call: Call) -> Mapping[str, Json]:
    """What a call carries; nothing where it carries nothing."""
    return call.body if isinstance(call.body, Mapping) else {}


def shown(plan: FixPlan) -> list[tuple[str, str]]:
    """The requests of a plan, as (method, path in lower case)."""
    return [(call.method, call.resource.casefold()) for call in plan.requests]


@asynccontextmanager
async def bench_on(
    url: str, *, estate: str | Path = "contoso", speed: float = SPEED, read_only: bool = False, **more: Any
) -> AsyncIterator[Bench]:
    """A bench on a migrated database."""
    async with Simulator(estate, speed=speed) as sim:
        settings = load(sim.env, directory=Path(sim.ca_file).parent)
        async with azure(settings) as cloud:
            engine = database.connect(url)
            async with engine.begin() as connection:
                await connection.run_sync(WORK.metadata.create_all)
            clock, killer = WorldClock(sim.clock), Killer()
            store = MortalStore(engine, database.reader(engine, url), clock, enqueue=enqueue)
            store.killer = killer
            assert cloud.operator is not None
            services = Services(
                store=store,
                clock=clock,
                read=cloud.read,
                operator=None if read_only else MortalOperator(cloud.operator, killer),
                checks=checks_registry.discover(),
                fixes=CATALOGUE,
                directory=Nobody(),
                rules=[ANYBODY],
                route=lambda _vault, _tags: Route(places=(CHANNEL,)),
                rpo=RpoRules(),
                fix_settings=FixSettings(
                    enabled=OFF_BY_DEFAULT, alert_webhook="https://bot.contoso.com/webhooks/azure-monitor"
                ),
                expires=timedelta(days=2),
                simulated=True,
            )
            try:
                services = replace(services, **more)
                yield Bench(store=store, services=services, sim=sim, cloud=cloud, killer=killer)
            finally:
                await store.close()
