"""What is due is a column compared with the clock. One short tick hands out every row whose time has come.

Handing out moves ``due_at`` ahead by a lease in the same transaction that enqueues the work, so a row whose work is lost (a
crash, a killed replica, a bug) comes up again by itself: rows are the truth, and nothing live is without a ``due_at``.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.store import tables as t
from bot.workflows.services import Services

LEASE = timedelta(seconds=60)
"""How long after a piece of work was handed out its row is looked at again."""
AT_ONCE = 200

KINDS: dict[str, sa.Table] = {
    "incident": t.incidents,
    "approval": t.approvals,
    "run": t.fix_runs,
    "grant": t.grants,
}


@dataclass(kw_only=True)
class Ticker:
    """Runs until cancelled."""

    services: Services
    every_s: float = 0.5

    async def run(self) -> None:
        """Tick for ever; a tick that fails is logged and the next one comes all the same."""
        while True:
            try:
                await self.tick()
            except (sa.exc.SQLAlchemyError, OSError) as error:
                self.services.log.warning("tick_failed", error=str(error))
            await asyncio.sleep(self.every_s)

    async def tick(self) -> int:
        """Hand out what is due; how many rows that were."""
        count = 0
        for kind, table in KINDS.items():
            now = self.services.clock.now()
            due = await self.services.store.all(
                sa.select(table.c.id, table.c.due_at)
                .where(table.c.due_at <= now)
                .order_by(table.c.due_at)
                .limit(AT_ONCE)
            )
            for row in due:
                count += await self._hand_out(kind, table, row["id"], row["due_at"])
        return count

    async def _hand_out(self, kind: str, table: sa.Table, row_id: str, due_at: datetime) -> int:
        async with self.services.store.begin() as tx:
            result = await tx.execute(
                table.update()
                .where(table.c.id == row_id, table.c.due_at == due_at)
                .values(due_at=self.services.clock.now() + LEASE)
            )
            if result.rowcount != 1:
                return 0
            await tx.enqueue(kind, row_id, f"due:{due_at.isoformat()}")
        return 1
