"""What only the store knows, for checks: proved restores, and when a running job last moved."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Store


@dataclass(frozen=True)
class StoreLedger:
    """:class:`diagnostics.registry.Ledger` over the store."""

    store: Store

    async def last_drill(self, item_key: str) -> datetime | None:
        """When a restore of the item was last recorded."""
        row = await self.store.one(
            sa.select(t.drills.c.at).where(t.drills.c.item_key == item_key).order_by(t.drills.c.at.desc()).limit(1)
        )
        return row["at"] if row else None

    async def last_look(self, job_id: str) -> tuple[datetime, str] | None:
        """When the job's progress last changed, and what it was."""
        row = await self.store.one(sa.select(t.job_looks).where(t.job_looks.c.job_id == job_id))
        return (row["changed_at"], row["progress"]) if row else None
