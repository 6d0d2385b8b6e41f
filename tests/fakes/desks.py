"""The real desks and drivers over a database, and the smallest engine that keeps the real one's promise.

Work is stored with the transaction that asks for it, once for each tag; a test says when it is done.
"""

from dataclasses import dataclass, field

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Row, Store
from bot.workflows.approvals import Approvals
from bot.workflows.execution import Execution
from bot.workflows.grants import Grants
from bot.workflows.incidents import Incidents
from bot.workflows.services import Services
from bot.workflows.starting import Starting
from bot.workflows.ticker import Ticker

WORK = sa.Table(
    "test_work",
    sa.MetaData(),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, unique=True),
    sa.Column("kind", sa.Text),
    sa.Column("row_id", sa.Text),
    sa.Column("done", sa.Boolean, default=False),
)


def enqueue(connection: sa.Connection, kind: str, row_id: str, tag: str) -> None:
    """Store a piece of work with the caller's transaction, once for a tag."""
    name = f"{kind}:{row_id}:{tag}"
    if connection.execute(sa.select(WORK.c.n).where(WORK.c.id == name)).first() is None:
        connection.execute(WORK.insert().values(id=name, kind=kind, row_id=row_id, done=False))


@dataclass(kw_only=True)
class Desks:
    """One process's desks and drivers; :meth:`restart` makes another process of it."""

    store: Store
    services: Services
    approvals: Approvals = field(init=False)
    incidents: Incidents = field(init=False)
    starting: Starting = field(init=False)
    execution: Execution = field(init=False)
    grants: Grants = field(init=False)
    ticker: Ticker = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A process that starts again: nothing of the one before is left but the rows."""
        self.approvals = Approvals(services=self.services)
        self.incidents = Incidents(services=self.services)
        self.starting = Starting(services=self.services)
        self.execution = Execution(services=self.services, incidents=self.incidents)
        self.grants = Grants(services=self.services)
        self.ticker = Ticker(services=self.services)

    async def drive(self, kind: str, row_id: str) -> None:
        """What the engine calls."""
        drives = {
            "incident": self.incidents.drive,
            "approval": self.starting.drive,
            "run": self.execution.drive,
            "grant": self.grants.drive,
        }
        await drives[kind](row_id)

    async def work(self) -> int:
        """Do all enqueued work, and what follows from it; how much that was."""
        count = 0
        while waiting := await self.store.all(sa.select(WORK).where(WORK.c.done.is_(False)).order_by(WORK.c.n)):
            for one in waiting:
                count += 1
                await self.drive(one["kind"], one["row_id"])
                async with self.store.engine.begin() as connection:
                    await connection.execute(WORK.update().where(WORK.c.n == one["n"]).values(done=True))
        return count

    async def row(self, approval_id: str) -> Row:
        """A request's row."""
        found = await self.store.get(t.approvals, approval_id)
        assert found is not None
        return found

    async def state(self, approval_id: str) -> str:
        """A request's state."""
        return str((await self.row(approval_id))["state"])

    async def run_of(self, approval_id: str) -> Row | None:
        """The run of a request."""
        return await self.store.one(sa.select(t.fix_runs).where(t.fix_runs.c.approval_id == approval_id))
