"""What only the store knows, for checks: proved restores, and how far a running job was at earlier looks."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.store import tables as t
from bot.store.store import Store
from diagnostics.registry import EarlierLook


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

    async def look(self, job_id: str, progress: str, at: datetime) -> EarlierLook | None:
        """Store how far the job is at ``at``; what was known before, None at the first look.

        Of looks that come at once each sees those stored before it. One that began before the newest stored changes nothing.
        """
        looks = t.job_looks
        async with self.store.begin() as tx:
            if await tx.insert_new(looks, job_id=job_id, progress=progress, changed_at=at, seen_at=at, moves=0):
                return None
            row = await tx.one(sa.select(looks).where(looks.c.job_id == job_id).with_for_update())
            if row is None or row["changed_at"] > at:
                return None
            if row["seen_at"] <= at:
                moved = {} if row["progress"] == progress else {"changed_at": at, "moves": row["moves"] + 1}
                await tx.execute(
                    looks.update().where(looks.c.job_id == job_id).values(progress=progress, seen_at=at, **moved)
                )
        return EarlierLook(
            progress=row["progress"], since=row["changed_at"], seen_at=min(row["seen_at"], at), moved=row["moves"] > 0
        )

    async def prune(self, before: datetime) -> int:
        """Forget the jobs that nobody has seen running since ``before``; how many that were."""
        async with self.store.begin() as tx:
            gone = await tx.execute(t.job_looks.delete().where(t.job_looks.c.seen_at < before))
        return int(gone.rowcount)
